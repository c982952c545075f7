"""Whole systems of pulse netlists, processes and clock domains on one time line."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel import sfq
from hwmodel.errors import TimingViolationError, WiringError
from hwmodel.kernel import Port, ProcessContext
from hwmodel.units import Time, fs, ns, ps, us

pytestmark = pytest.mark.kernels

ROOT = Path(__file__).resolve().parents[2]
COMPILED = os.environ.get("HWMODEL_JIT") != "0"


def _stage(name: str, stages: int) -> sfq.Netlist:
    net = sfq.Netlist(name, policy="warn")
    a, clk = net.inputs("a", "clk")
    net.output("q", net.jtl(net.dff(a, clk=clk), stages=stages))
    return net


def _whole(latency: Time) -> hw.System:
    """The two stages of `_parts` in one netlist, the link being a wire."""
    net = sfq.Netlist("one", policy="warn")
    a, clk_a, clk_b = net.inputs("a", "clk_a", "clk_b")
    first = net.jtl(net.dff(a, clk=clk_a), stages=2)
    second = net.jtl(net.dff(net.wire(first, delay=latency), clk=clk_b), stages=3)
    net.output("q", second)
    return hw.System(net)


def _parts(latency: Time) -> hw.System:
    system = hw.System(_stage("first", 2), _stage("second", 3))
    system.connect("first.q", "second.a", latency=latency)
    return system


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=20),
    st.integers(1, 60_000),
    st.integers(50_000, 120_000),
    st.integers(0, 50_000),
)
def test_two_netlists_and_a_link_are_one_netlist_and_a_wire(steps, latency, period, phase) -> None:
    data = np.cumsum(np.array(steps, np.int64) * 1000)
    pulses = []
    for system, names in (
        (_whole(Time(latency)), ("a", "clk_a", "clk_b")),
        (_parts(Time(latency)), ("first.a", "first.clk", "second.clk")),
    ):
        system.drive(names[0], at=[Time(int(t)) for t in data])
        system.drive(names[1], clock=hw.Clock(period=fs(period), phase=fs(phase)))
        system.drive(names[2], clock=hw.Clock(period=fs(period)))
        name = "one.q" if len(system.components) == 1 else "second.q"
        pulses.append(system.run(until=ns(10), watch=[name])[name].t.tolist())
    assert pulses[0] == pulses[1]
    assert pulses[0]


def mixed(seed: int = 2) -> hw.System:
    """A process sends to a pulse netlist through a converter, which answers to a counter on a clock."""
    net = sfq.Netlist("net", policy="metastable")
    a, b, clk = net.inputs("a", "b", "clk")
    net.output("q", net.xor(a, b, clk=clk))

    def source(ctx: ProcessContext):
        while True:
            yield ctx.timeout(ps(int(ctx.rng.integers(20, 60))))
            ctx.send("o")

    def sink(ctx: ProcessContext):
        n = 0
        while True:
            yield ctx.receive("i")
            n += 1
            ctx.send("count", n % 256)

    def step(inputs, state):
        return {"last": inputs["d"]}, {"q": (state["last"] + inputs["d"]) % 256}

    counter = hw.ClockDomain(
        "cnt",
        hw.Clock("3.3 GHz"),
        [hw.Block("acc", step, inputs={"d": 8}, outputs={"q": 8}, state={"last": 0})],
    )
    system = hw.System(
        net,
        hw.Process("src", source, outputs=[Port("o", "out", "pulse")]),
        hw.Process("snk", sink, inputs=[Port("i", "in", "pulse")], outputs=[Port("count", "out", "bits", 8)]),
        counter,
        seed=seed,
    )
    system.connect("src.o", "net.a", latency=ps(7))
    system.connect("net.q", "snk.i", latency=ps(13))
    system.connect("snk.count", "cnt.acc_d", latency=ns(1))
    system.drive("net.b", clock=hw.Clock("7 GHz", phase=ps(3)))
    system.drive("net.clk", clock=hw.Clock(period=ps(50), phase=ps(10)))
    return system


WATCH = ["net.a", "net.q", "snk.count", "cnt.acc_q"]


@pytest.mark.parametrize("window", ["auto", ps(7), ps(1)])
@pytest.mark.parametrize("runner", ["loop", "simpy"])
def test_domains_of_every_kind_give_one_fingerprint(window, runner: str) -> None:
    base = mixed().run(until=ns(20), watch=WATCH)
    assert min(len(base[name]) for name in WATCH) > 5
    assert (
        mixed().run(until=ns(20), watch=WATCH, window=window, runner=runner).fingerprint == base.fingerprint
    )


def test_it_resumes_in_a_new_process(tmp_path) -> None:
    whole = mixed().run(until=ns(20), watch=WATCH)
    first = mixed()
    first.run(until=ns(9), watch=WATCH)
    first.checkpoint(tmp_path / "c")
    code = (
        "from tests.system.test_composition import mixed; from hwmodel.units import ns;"
        f"print(mixed().resume({str(tmp_path / 'c')!r}).run(until=ns(20)).fingerprint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == whole.fingerprint


def test_a_violation_stops_the_run_by_name_and_keeps_what_was_before() -> None:
    net = sfq.Netlist("net")
    (a,) = net.inputs("a")
    net.output("q", net.jtl(a))
    system = hw.System(net)
    system.drive("a", at=ps([10, 30, 32]))
    with pytest.raises(TimingViolationError, match=r"32 ps"):
        system.run(until=ns(1), watch=["q"])


def test_a_pulse_output_feeds_one_link_only() -> None:
    system = hw.System(_stage("first", 1), _stage("second", 1))
    system.connect("first.q", "second.a", latency=ps(1))
    system.connect("first.q", "second.clk", latency=ps(1))
    system.drive("first.a", at=[])
    system.drive("first.clk", at=[])
    with pytest.raises(WiringError, match="put a splitter"):
        system.run(until=ns(1))


def _ring() -> hw.System:
    net = sfq.Netlist("ring")
    (a,) = net.inputs("a")
    back = net.feedback("back")
    stay, out = net.split(net.jtl(net.merge(a, back, policy="drop"), stages=4))
    net.close(back, stay)
    net.output("q", out)
    system = hw.System(net)
    system.drive("a", at=ps([5]))
    return system


def test_memory_stays_flat_with_simulated_time_when_little_is_probed() -> None:
    probe = hw.Probe("q", clock=hw.Clock(period=us(1)))

    def peak(until: Time) -> int:
        system = _ring()
        system.run(until=ns(1), watch=[probe])
        tracemalloc.start()
        system.run(until=until)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    short, long = (us(20), us(100)) if COMPILED else (ns(2), ns(20))
    assert peak(long) < 1.5 * peak(short) + 100_000


def test_every_event_of_a_long_run_is_counted() -> None:
    until = us(2) if COMPILED else ns(20)
    result = _ring().run(until=until, watch=["q"])
    lap = int(result["q"].t[1] - result["q"].t[0])
    assert np.all(np.diff(result["q"].t) == lap)
    assert len(result["q"]) == (int(until) - 1 - int(result["q"].t[0])) // lap + 1
