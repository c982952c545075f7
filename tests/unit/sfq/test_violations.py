"""Broken hold times: exactly on the femtosecond, under each policy, counted and named."""

from __future__ import annotations

import logging

import pytest

import hwmodel as hw
from hwmodel import sfq
from hwmodel.errors import TimingViolationError, WiringError
from hwmodel.kernel import BuildContext, Inbox, Outbox, Recorder, System
from hwmodel.sfq.pulse._cell import POLICIES
from hwmodel.units import fs, ns, ps

pytestmark = pytest.mark.kernels

LIBRARY = sfq.library("rsfq")


def run(net, until=ns(1000), seed=0, **stimulus):
    system = System(net, seed=seed)
    for port, times in stimulus.items():
        system.drive(port, at=times)
    return system.run(until=until, watch=[p.name for p in net.ports.values() if p.direction == "out"])


def lone(cell, netlist_policy="error", **kwargs):
    """A netlist of one cell `x` between ports."""
    net = sfq.Netlist("net", policy=netlist_policy)
    wires = net.add(
        cell, *net.inputs(*(f"in_{port}" for port in cell.inputs), required=False), name="x", **kwargs
    )
    for port, wire in zip(cell.outputs, wires if isinstance(wires, tuple) else (wires,), strict=True):
        net.output(port, wire)
    return net


def engine_of(net, rows, seed=0):
    ports = tuple(p.name for p in net.ports.values() if p.direction == "in")
    outs = tuple(p.name for p in net.ports.values() if p.direction == "out")
    context = BuildContext(
        net.name, seed, (), ports, outs, Inbox(net.name), Outbox(net.name), Recorder(net.name)
    )
    for n, (t, port) in enumerate(rows):
        context.inbox.push_one(int(t), 0, n, ports.index(port), 0)
    return net.build(context)


def way_to(cell, state):
    """Inputs that bring a cell from its first state to `state`."""
    ways = {cell.initial: []}
    while state not in ways:
        for (source, port), step in cell.transitions.items():
            if source in ways and step.next not in ways:
                ways[step.next] = [*ways[source], port]
    return ways[state]


HOLDS = [
    pytest.param(cell, hold, id=f"{cell.name}-{hold.state}-{hold.first}-{hold.second}")
    for cell in LIBRARY.values()
    for hold in cell.holds
]


@pytest.mark.parametrize(("cell", "hold"), HOLDS)
def test_hold_of_the_library_is_kept_to_the_femtosecond(cell, hold):
    stimulus = {}
    for n, port in enumerate(way_to(cell, hold.state)):
        stimulus.setdefault(f"in_{port}", []).append(ns(1 + n))
    stimulus.setdefault(f"in_{hold.first}", []).append(ns(50))
    for short in (0, 1):
        pulses = {port: list(times) for port, times in stimulus.items()}
        pulses.setdefault(f"in_{hold.second}", []).append(ns(50) + hold.time - fs(short))
        found = sfq.simulate_reference(lone(cell, "warn"), pulses, ns(100)).violations
        stats = run(lone(cell, "drop"), **pulses).stats
        assert len(found) == stats["net.violations"] == short
        if short:
            assert (found[0].state, found[0].first, found[0].second) == (hold.state, hold.first, hold.second)
            key = f"{hold.state}.{hold.first}->{hold.second}"
            assert stats[f"net.violations.x.{key}"] == 1
            assert stats[f"net.worst_fs.x.{key}"] == 1


def test_error_names_everything_and_the_remedy():
    net = lone(LIBRARY["merge"])
    with pytest.raises(TimingViolationError) as caught:
        run(net, in_a=ps([10]), in_b=ps([11.5]))
    message = str(caught.value)
    for part in (
        "netlist 'net'",
        "cell x (merge, ",
        "test_violations.py:",
        "pulse at b at t = 11.5 ps",
        "comes 1.5 ps after the one at a at t = 10 ps",
        "in state '0' the pair a -> b must be 2.3 ps apart",
        "it is 800 fs short",
        "Delay b by 800 fs or more",
        'policy="warn"',
    ):
        assert part in message, part


def test_error_leaves_the_engine_where_it_was():
    net = lone(LIBRARY["merge"])
    engine = engine_of(net, [(ps(10), "in_a"), (ps(11), "in_b")])
    for _ in range(2):  # the pulse is still to come, so the error comes again
        with pytest.raises(TimingViolationError):
            engine.advance(10**6)
    state = engine.state()
    assert state["counts"].tolist() == [1, 0, 0]
    assert len(state["pending"]) == 1
    assert engine.next_event() == state["pending"][0, 0]


def test_warn_processes_counts_and_logs(caplog):
    with caplog.at_level(logging.WARNING, logger="hwmodel.sfq"):
        result = run(lone(LIBRARY["jtl"], "warn"), in_a=ps(range(1, 41)))
    assert len(result["q"]) == 40
    assert result.stats["net.violations"] == 39
    assert result.stats["net.pulses_lost"] == 0
    assert len(caplog.messages) == 11
    assert "cell x (jtl" in caplog.messages[0]
    assert "only counted" in caplog.messages[-1]


def test_drop_loses_the_pulse_and_its_holds(caplog):
    # Pulses 3 ps apart, 5.2 ps needed: every second one is lost, and a lost one sets no deadline.
    result = run(lone(LIBRARY["jtl"], "drop"), in_a=ps([3, 6, 9, 12, 15]))
    delay = LIBRARY["jtl"].step("0", "a").fires["q"]
    assert (result["q"].pulses() - delay).tolist() == [3_000, 9_000, 15_000]
    assert (result.stats["net.violations"], result.stats["net.pulses_lost"]) == (2, 2)
    assert caplog.messages == []


def test_colliding_pulses_merge_under_drop():
    result = run(lone(LIBRARY["merge"], "drop"), in_a=ps([10, 100]), in_b=ps([11, 150]))
    assert len(result["q"]) == 3


def test_metastable_loses_about_half_and_draws_from_the_seed():
    pulses = [t for n in range(400) for t in (ns(n + 1), ns(n + 1) + ps(3))]
    lost = {
        seed: run(lone(LIBRARY["jtl"], "metastable"), seed=seed, in_a=pulses).stats["net.pulses_lost"]
        for seed in (1, 2, 3)
    }
    again = run(lone(LIBRARY["jtl"], "metastable"), seed=1, in_a=pulses).stats["net.pulses_lost"]
    assert again == lost[1]
    assert len(set(lost.values())) > 1
    assert all(abs(number - 200) < 5 * 10 for number in lost.values())  # five sigma of a fair coin


def test_metastable_instances_draw_on_their_own():
    net = sfq.Netlist("net", policy="metastable")
    for port in "ab":
        net.output(f"q_{port}", net.jtl(net.input(port), name=port * 2))
    pulses = [t for n in range(64) for t in (ns(n + 1), ns(n + 1) + ps(3))]
    result = run(net, a=pulses, b=pulses)
    assert result["q_a"].t.tolist() != result["q_b"].t.tolist()


@pytest.mark.parametrize(
    ("instance", "cell", "netlist", "lost"),
    [
        ("drop", "warn", "error", 1),
        (None, "drop", "warn", 1),
        (None, None, "drop", 1),
        ("warn", "drop", "drop", 0),
    ],
)
def test_policy_of_the_instance_goes_before_cell_and_netlist(instance, cell, netlist, lost):
    net = lone(LIBRARY["jtl"].with_policy(cell), netlist, policy=instance)
    stats = run(net, in_a=ps([1, 2])).stats
    assert (stats["net.violations"], stats["net.pulses_lost"]) == (1, lost)


def test_latest_deadline_counts_and_is_named():
    cell = LIBRARY["merge"].replace(
        holds=(
            sfq.Hold("0", "a", "b", ps(20)),
            sfq.Hold("0", "b", "b", ps(5)),
            sfq.Hold("0", "a", "a", ps(1)),
        )
    )
    rows = [(ps(10), "in_a"), (ps(24), "in_b"), (ps(27), "in_b")]
    (first, second) = engine_with_run(lone(cell, "warn"), rows).violations()
    assert (first.first, first.shortfall, first.first_t) == ("a", 6_000, 10_000)
    assert (second.first, second.shortfall, second.first_t) == ("a", 3_000, 10_000)
    (_, second, third) = engine_with_run(lone(cell, "warn"), [*rows, (ps(31), "in_b")]).violations()
    assert (third.first, third.first_t, third.shortfall) == ("b", 27_000, 1_000)


def engine_with_run(net, rows):
    engine = engine_of(net, rows)
    engine.advance(10**9)
    return engine


def test_hold_counts_the_state_before_the_first_pulse():
    # In state 1 the pair clk -> a of dfft is shorter than in state 0.
    cell = LIBRARY["dfft"]
    times = {hold.state: hold.time for hold in cell.holds if (hold.first, hold.second) == ("clk", "a")}
    gap = times["1"]
    assert gap < times["0"]
    armed = engine_with_run(lone(cell, "warn"), [(ns(1), "in_a"), (ns(2), "in_clk"), (ns(2) + gap, "in_a")])
    empty = engine_with_run(lone(cell, "warn"), [(ns(2), "in_clk"), (ns(2) + gap, "in_a")])
    assert (len(armed.violations()), len(empty.violations())) == (0, 1)


def test_only_the_first_thousand_are_kept_one_by_one():
    engine = engine_of(
        lone(LIBRARY["jtl"], "drop"), [(ps(1 + n % 2) + ns(n // 2), "in_a") for n in range(2_400)]
    )
    engine.advance(10**10)
    assert engine.stats(0)["violations"] == 1_200
    assert len(engine.violations()) == 1_000
    assert engine.violation_counts() == {("x", "0", "a", "a"): (1_200, 4_200)}


def test_worst_violation_is_in_the_statistics():
    stats = run(lone(LIBRARY["jtl"], "drop"), in_a=ps([1, 2, 50, 55])).stats
    assert stats["net.worst_violation"] == "x, state 0, a -> a: 4.2 ps short"


def test_policy_numbers_match_their_names():
    from hwmodel.sfq.pulse import _kernels

    assert [getattr(_kernels, name.upper()) for name in POLICIES] == list(range(len(POLICIES)))


@pytest.mark.parametrize(("policy", "lines"), [("warn", 1), ("metastable", 1), ("drop", 1)])
def test_the_manifest_tells_of_broken_holds(policy, lines):
    net = sfq.Netlist("net", policy=policy)
    net.output("q", net.jtl(net.input("a")))
    system = hw.System(net)
    system.drive("a", at=ps([10, 12, 50, 53]))
    warnings = system.run(until=ns(1)).manifest["warnings"]
    assert len(warnings) == lines
    assert warnings[0].startswith("2 times, at most 3.2 ps short; first: cell jtl[0] (jtl, ")
    assert "at t = 12 ps comes 2 ps after the one at a at t = 10 ps" in warnings[0]


def test_a_cell_that_is_meant_to_drop_gives_no_warning():
    net = sfq.Netlist("net")
    net.output("q", net.merge(net.input("a"), net.input("b"), policy="drop"))
    system = hw.System(net)
    system.drive("a", at=ps([10]))
    system.drive("b", at=ps([10]))
    result = system.run(until=ns(1))
    assert result.manifest["warnings"] == []
    assert result.stats["net.pulses_lost"] == 1


def test_the_engine_lists_violations_one_by_one():
    net = sfq.Netlist("net", policy="warn")
    net.output("q", net.jtl(net.input("a")))
    system = hw.System(net)
    system.drive("a", at=ps([10, 12]))
    with pytest.raises(WiringError, match="has not run yet"):
        system.engine("net")
    system.run(until=ns(1))
    (violation,) = system.engine("net").violations()
    assert (violation.cell, violation.first, violation.second, violation.shortfall) == (
        "jtl[0]",
        "a",
        "a",
        3200,
    )
