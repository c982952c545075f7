"""The compiled engine against the plain Python one, and what must not change its results."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import sfq
from hwmodel.errors import CheckpointError, QueueOverflowError, TimeRangeError
from hwmodel.kernel import BuildContext, Inbox, Outbox, Recorder, System
from hwmodel.sfq.pulse._engine import wheel_shape
from hwmodel.units import MAX_TIME, NEVER, Time, fs, ns, ps

pytestmark = pytest.mark.kernels

POLICIES = ["warn", "drop", "metastable"]
COIN = sfq.Cell(
    "coin",
    inputs=("a", "r"),
    outputs=("q", "n"),
    states=("0", "1"),
    transitions={
        ("0", "a"): sfq.Transition("1", {"q": ps(4)}, probability=True, else_fires={"n": ps(2.5)}),
        ("1", "a"): sfq.Transition("1", {"q": ps(4), "n": ps(3)}),
        ("1", "r"): sfq.Transition("0", {"n": ps(7)}, probability=True),
    },
    holds=(sfq.Hold("0", "a", "r", ps(6)), sfq.Hold("1", "r", "a", ps(3)), sfq.Hold("1", "a", "a", ps(9))),
    jj=5,
    total_ic_ua=900.0,
    bias_ua=500.0,
    bias_mv=2.6,
    source="made up for tests",
)


def make_engine(net, watch=(), seed=0, snapshot=None, linked=True):
    """An engine outside any system, and its context."""
    recorder = Recorder(net.name)
    for name in watch:
        recorder.watch(name, "pulse")
    ins, outs = (tuple(p.name for p in net.ports.values() if p.direction == end) for end in ("in", "out"))
    context = BuildContext(
        path=net.name,
        seed=seed,
        watch=tuple(watch),
        ports_in=ins,
        ports_out=outs,
        inbox=Inbox(net.name),
        outbox=Outbox(net.name),
        recorder=recorder,
        linked=frozenset(outs if linked else ()),
        snapshot=snapshot,
    )
    return net.build(context), context


def send(context, stimulus):
    """Put all pulses into the inbox, the ports in the order of their names as a system does it."""
    rows = [
        (int(t), link, seq, context.ports_in.index(port), 0)
        for link, port in enumerate(sorted(stimulus))
        for seq, t in enumerate(stimulus[port])
    ]
    if rows:
        context.inbox.push(np.array(sorted(rows), np.int64))


def run_engine(net, stimulus, until, seed=0, step=None):
    """Pulses of all signals, and the engine; with a step, window by window."""
    watch = tuple(net.signals())
    engine, context = make_engine(net, watch, seed)
    send(context, stimulus)
    for t1 in range(step, until, step) if step else ():
        engine.advance(t1)
        assert engine.next_event() >= t1
    engine.advance(until)
    traces = {
        name: trace.t.tolist() for name, trace in zip(watch, context.recorder.traces(until), strict=True)
    }
    return traces, engine, context


def random_netlist(seed, queue="auto", shuffled=False):
    """A netlist of library cells and one drawn cell, feedback through flip-flops, wires, labels and splitters.

    `shuffled` adds independent parts in another order under the same names.
    """
    rng = random.Random(seed)
    library = sfq.library("rsfq")
    net = sfq.Netlist("net", auto_split=True, policy=rng.choice(POLICIES), queue=queue)
    wires = list(net.inputs("a", "b", "clk"))
    clock = wires[-1]
    feedbacks = [net.feedback(f"back{n}") for n in range(rng.randrange(3))]
    wires += feedbacks
    plan = []
    for n in range(rng.randrange(1, 25)):
        cell = COIN if rng.random() < 0.15 else library[rng.choice(sorted(library))]
        sources = [rng.randrange(10**6) for _ in cell.inputs]
        plan.append((f"x{n}", cell, sources, rng.choice([None, None, *POLICIES]), rng.random(), rng.random()))
    for name, cell, sources, policy, chance, extra in plan:
        ends = [wires[i % len(wires)] for i in sources]
        made = net.add(
            cell, *ends, name=name, policy=policy, probability=chance if cell.probabilistic else None
        )
        for n, wire in enumerate(made if isinstance(made, tuple) else (made,)):
            if extra < 0.2:
                wire = net.wire(wire, fs(1 + int(extra * 1e5)), name=f"{name}_long{n}")
            wires.append(wire)
    for n, wire in enumerate(feedbacks):
        net.close(wire, net.dff(wires[-1 - n], clk=clock, name=f"hold{n}", policy="drop"))
    for n in range(2):
        net.output(f"q{n}", rng.choice(wires))
    return net


def random_stimulus(seed):
    """Pulses that often meet on one femtosecond or break hold times."""
    rng = random.Random(seed)
    grid = rng.choice([1, 500, 2500])
    times = {
        port: sorted({grid * rng.randrange(1 + 200_000 // grid) for _ in range(rng.randrange(30))})
        for port in "ab"
    }
    return {
        **{port: fs(t) for port, t in times.items()},
        "clk": fs(range(0, 200_000, rng.choice([7_000, 20_000]))),
    }


SEEDS = st.integers(0, 10**9)
UNTIL = 300_000


@pytest.mark.parametrize("queue", ["heap", "wheel"])
@given(netlist_seed=SEEDS, stimulus_seed=SEEDS, seed=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_same_as_reference(queue, netlist_seed, stimulus_seed, seed):
    net, stimulus = random_netlist(netlist_seed, queue), random_stimulus(stimulus_seed)
    expected = sfq.simulate_reference(net, stimulus, fs(UNTIL), seed)
    traces, engine, context = run_engine(net, stimulus, UNTIL, seed)
    assert traces == expected
    assert engine.violations() == expected.violations[:1000]
    counts = Counter((v.cell, v.state, v.first, v.second) for v in expected.violations)
    assert {key: number for key, (number, _) in engine.violation_counts().items()} == counts
    for v in expected.violations:
        assert v.shortfall <= engine.violation_counts()[v.cell, v.state, v.first, v.second][1]
    stats = engine.stats(UNTIL)
    assert stats["pulses"] == expected.pulses
    assert stats["dynamic_energy_aj"] == pytest.approx(expected.switched_ic_ua * 2.067833848e-3, rel=1e-12)
    sent = [(t, context.ports_out[port]) for t, port, _ in context.outbox.rows[: context.outbox.n].tolist()]
    assert sorted(sent) == sorted((t, port) for port in context.ports_out for t in expected[port])
    assert [t for t, _ in sent] == sorted(t for t, _ in sent)


@given(netlist_seed=SEEDS, stimulus_seed=SEEDS, step=st.sampled_from([1_700, 9_000, 50_000]))
@settings(max_examples=20, deadline=None)
def test_windows_and_queue_do_not_matter(netlist_seed, stimulus_seed, step):
    stimulus = random_stimulus(stimulus_seed)
    whole, engine, _ = run_engine(random_netlist(netlist_seed, "wheel"), stimulus, UNTIL)
    parts, other, _ = run_engine(random_netlist(netlist_seed, "heap"), stimulus, UNTIL, step=step)
    assert parts == whole
    for name, array in engine.state().items():
        assert np.array_equal(array, other.state()[name]), name
    assert engine.next_event() == other.next_event()


@given(netlist_seed=SEEDS, stimulus_seed=SEEDS, cut=st.integers(1, UNTIL))
@settings(max_examples=20, deadline=None)
def test_snapshot_continues_bit_for_bit(netlist_seed, stimulus_seed, cut):
    stimulus = random_stimulus(stimulus_seed)
    whole, reference, _ = run_engine(random_netlist(netlist_seed), stimulus, UNTIL)
    first, engine, context = run_engine(random_netlist(netlist_seed), stimulus, cut)
    again, later = make_engine(random_netlist(netlist_seed), tuple(whole), snapshot=engine.snapshot())
    assert again.next_event() == engine.next_event()
    later.inbox.push(context.inbox.take(NEVER))
    again.advance(UNTIL)
    rest = {n: x.t.tolist() for n, x in zip(whole, later.recorder.traces(UNTIL), strict=True)}
    assert {name: first[name] + rest[name] for name in whole} == whole
    for name, array in reference.snapshot().items():
        if name != "now":
            assert np.array_equal(array, again.snapshot()[name]), name


def parts_in_order(names):
    """Three cells that meet at a merger on one femtosecond, added in the order of `names`."""
    net = sfq.Netlist("net", auto_split=True, policy="drop")
    ends = {"a": net.input("a"), "b": net.input("b"), "m": net.feedback("m_a"), "n": net.feedback("m_b")}
    wires = {}
    for name in names:
        if name == "merge":
            wires[name] = net.merge(ends["m"], ends["n"], name="merge")
        else:
            wires[name] = net.jtl(ends[name[0]], name=name)
    net.close(ends["m"], wires["a_jtl"])
    net.close(ends["n"], wires["b_jtl"])
    net.output("q", wires["merge"])
    net.output("side", wires["a_jtl"])
    return net


def test_order_of_building_does_not_matter():
    runs = [
        run_engine(parts_in_order(names), {"a": ps([5, 50]), "b": ps([5, 70])}, 200_000)
        for names in (["a_jtl", "b_jtl", "merge"], ["merge", "b_jtl", "a_jtl"])
    ]
    assert runs[0][0] == runs[1][0]
    assert np.array_equal(runs[0][1].state()["cells"], runs[1][1].state()["cells"])


def test_simultaneous_pulses_go_in_the_order_of_inputs():
    order = sfq.Cell(
        "order",
        inputs=("z", "a"),
        outputs=("za", "az"),
        states=("0", "z", "a"),
        transitions={
            ("0", "z"): sfq.Transition("z"),
            ("0", "a"): sfq.Transition("a"),
            ("z", "a"): sfq.Transition("0", {"za": ps(1)}),
            ("a", "z"): sfq.Transition("0", {"az": ps(1)}),
        },
        jj=2,
        total_ic_ua=1.0,
        bias_ua=1.0,
        bias_mv=1.0,
        source="made up for tests",
    )
    net = sfq.Netlist("net")
    a, z = net.inputs("a", "z")
    za, az = net.add(order, a=net.jtl(a, name="first"), z=net.jtl(z, name="second"))
    net.output("za", za)
    net.output("az", az)
    traces, _, _ = run_engine(net, {"a": ps([5]), "z": ps([5])}, 100_000)
    assert (len(traces["za"]), len(traces["az"])) == (1, 0)


def test_message_goes_before_a_local_pulse_of_the_same_femtosecond():
    # The clock comes from outside, the data through a JTL; on one femtosecond the clock is first.
    net = sfq.Netlist("net", policy="drop")
    a, clk = net.inputs("a", "clk")
    net.output("q", net.dff(net.jtl(a), clk=clk))
    delay = net.library["jtl"].step("0", "a").fires["q"] if "0" in net.library["jtl"].states else ps(3.5)
    together, _, _ = run_engine(net, {"a": ps([10]), "clk": [ps(10) + delay]}, 200_000)
    assert together["q"] == []
    later, _, _ = run_engine(net, {"a": ps([10]), "clk": [ps(10) + delay + fs(1)]}, 200_000)
    assert len(later["q"]) == 1


def test_end_of_window_is_open():
    net = sfq.Netlist("net")
    net.output("q", net.jtl(net.input("a")))
    engine, context = make_engine(net, ("a", "q"))
    send(context, {"a": ps([5])})
    engine.advance(5_000)
    assert context.inbox.head != context.inbox.tail
    engine.advance(5_001)
    at = engine.next_event()
    engine.advance(at)
    assert context.outbox.n == 0
    engine.advance(at + 1)
    assert context.outbox.rows[: context.outbox.n].tolist() == [[at, 0, 0]]
    assert engine.next_event() == NEVER


def test_pulses_at_the_end_of_a_busy_window_wait():
    net = sfq.Netlist("net")
    net.output("q", net.jtl(net.input("a")))
    engine, context = make_engine(net)
    delay = int(net.library["jtl"].step("0", "a").fires["q"])
    send(context, {"a": fs([100, 50_000, 50_000 + delay])})
    engine.advance(50_000)
    assert (engine.stats(0)["pulses"], len(context.inbox)) == (2, 2)  # the message at 50 ps waits
    engine.advance(50_000 + delay)
    assert (engine.next_event(), context.outbox.n) == (50_000 + delay, 1)  # and so does the pulse in flight


def test_wire_delays_add_up_and_signals_are_seen_at_the_far_end():
    net = sfq.Netlist("net")
    wire = net.wire(net.wire(net.input("a"), "2 ps", name="near"), ps(0.5))
    net.output("q", wire)
    traces, _, _ = run_engine(net, {"a": ps([1, 9])}, 100_000)
    assert traces == {"a": [1000, 9000], "near": [3500, 11500], "q": [3500, 11500]}


def test_input_may_go_straight_to_an_output():
    net = sfq.Netlist("net")
    net.output("q", net.input("a"))
    traces, _, _ = run_engine(net, {"a": ps([1, 9])}, 100_000)
    assert traces == {"a": [1000, 9000], "q": [1000, 9000]}


def test_record_larger_than_its_buffer():
    net = sfq.Netlist("net")
    net.output("q", net.jtl(net.input("a"), stages=3))
    times = fs(range(0, 20_000 * 6_000, 6_000))
    traces, _, context = run_engine(net, {"a": times}, 10**9)
    assert traces["a"] == times.tolist()
    assert [len(t) for t in traces.values()] == [20_000] * len(traces)
    assert context.outbox.n == 20_000


def test_an_output_without_a_link_sends_nothing():
    net = sfq.Netlist("net")
    net.output("q", net.jtl(net.input("a")))
    engine, context = make_engine(net, ("q",), linked=False)
    send(context, {"a": ps([5])})
    engine.advance(100_000)
    assert context.outbox.n == 0
    assert len(context.recorder.traces(100_000)[0]) == 1


def ring(queue_limit, queue):
    """A loop that doubles its pulses each time round."""
    net = sfq.Netlist("ring", policy="warn", queue_limit=queue_limit, queue=queue)
    back = net.feedback("back")
    first, second = net.split(net.merge(net.input("a"), back))
    net.close(back, net.merge(first, net.jtl(net.wire(second, ps(1)))))
    return net


@pytest.mark.parametrize("queue", ["heap", "wheel"])
def test_overflow_names_netlist_limit_and_remedy(queue, caplog):
    engine, context = make_engine(ring(2000, queue))
    send(context, {"a": ps([1])})
    with pytest.raises(
        QueueOverflowError, match=r"netlist 'ring': more than 2000 pulses in flight at t = .* queue_limit"
    ):
        engine.advance(10**8)
    assert len(engine.state()["pending"]) >= 2000


def test_queue_grows_up_to_its_limit(caplog):
    runs = []
    for queue in ("heap", "wheel"):
        engine, context = make_engine(ring(1 << 20, queue))
        send(context, {"a": ps([1])})
        engine.advance(300_000)
        runs.append(engine.state())
        assert len(runs[-1]["pending"]) > 256
    assert np.array_equal(runs[0]["pending"], runs[1]["pending"])
    assert sfq.simulate_reference(ring(9, "heap"), {"a": ps([1])}, fs(300_000)).pulses == runs[0]["counts"][0]


def test_snapshot_of_another_netlist_is_refused():
    engine, _ = make_engine(random_netlist(1))
    with pytest.raises(CheckpointError, match="another netlist"):
        make_engine(random_netlist(2), snapshot=engine.snapshot())


def test_run_to_the_end_of_time_is_refused():
    net = sfq.Netlist("net")
    net.output("q", net.jtl(net.input("a")))
    engine, context = make_engine(net)
    send(context, {"a": [MAX_TIME - 10]})
    with pytest.raises(TimeRangeError, match="9,223 s"):
        engine.advance(MAX_TIME)


def test_seeds_give_different_draws_and_the_same_seed_the_same():
    def pulses(seed):
        net = sfq.Netlist("net", policy="drop")
        q, n = net.add(COIN, net.input("a"), net.input("r"), probability=0.5, name="coin")
        net.output("q", q)
        net.terminate(n)
        return run_engine(net, {"a": ns(range(64)), "r": ns(range(64)) + ps(500)}, 10**8, seed)[0]["q"]

    assert pulses(1) == pulses(1) != pulses(2)


@pytest.mark.parametrize(("probability", "expected"), [(0, 0), (1, 64)])
def test_certain_probabilities_are_certain(probability, expected):
    net = sfq.Netlist("net", policy="drop")
    gate = COIN.replace(
        transitions={("0", "a"): sfq.Transition("0", {"q": ps(4)}, probability=True)}, states=("0",), holds=()
    )
    q, _ = net.add(gate, net.input("a"), net.input("r"), probability=probability)
    net.output("q", q)
    assert len(run_engine(net, {"a": ns(range(64))}, 10**8)[0]["q"]) == expected


def test_memory_does_not_grow_with_time():
    net = sfq.Netlist("net")
    back = net.feedback("back")
    net.close(back, net.jtl(net.merge(net.input("a"), back), stages=20))
    engine, context = make_engine(net)
    send(context, {"a": ps([0])})
    sizes = set()
    for t1 in range(10**6, 5 * 10**6, 10**6):
        engine.advance(t1)
        sizes.add(sum(array.nbytes for array in engine.snapshot().values()))
    assert len(sizes) == 1
    assert engine.stats(0)["pulses"] > 1000


def test_system_gives_the_same_result_for_both_queues_and_any_window():
    prints = set()
    for queue in ("heap", "wheel"):
        for window in ("auto", ps(3)):
            net = random_netlist(11, queue)
            system = System(net, seed=3)
            for port, times in random_stimulus(5).items():
                system.drive(port, at=times)
            result = system.run(
                until=fs(UNTIL),
                watch=["q0", "q1", "x0.q"] if "x0.q" in net.signals() else ["q0", "q1"],
                window=window,
            )
            prints.add(tuple((name, tuple(trace.t.tolist())) for name, trace in result.traces.items()))
            expected = sfq.simulate_reference(net, random_stimulus(5), fs(UNTIL), seed=3)
            assert {
                name.removeprefix("net."): trace.t.tolist() for name, trace in result.traces.items()
            }.items() <= expected.items()
    assert len(prints) == 1


@pytest.mark.parametrize("delays", [(1, 1), (3_500, 3_500), (2_000, 20_000), (1, 10**9)])
@pytest.mark.parametrize("cells", [1, 1_000, 100_000])
def test_wheel_shape_is_usable(delays, cells):
    shift, buckets = wheel_shape(*delays, cells)
    assert 3 <= shift <= 12
    assert 32 <= buckets <= 4096
    assert buckets & (buckets - 1) == 0
    assert isinstance(Time(delays[0]), int)
