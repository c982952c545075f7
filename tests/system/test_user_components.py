"""A Python class, a SimPy process and a Verilog file in one loop, and each of them failing."""

# ruff: noqa: RUF012 - a model copies its fields for every run

from __future__ import annotations

import numpy as np
import pytest

import hwmodel as hw
from hwmodel import hdl
from hwmodel.errors import BudgetError, SpecError, TimeRangeError, ToolError
from hwmodel.kernel import Port
from hwmodel.units import MHz, Time, ms, ns

pytestmark = pytest.mark.kernels

CLOCK = hw.Clock(MHz(500))

ADD = """
module add(input clk, input [7:0] x, output reg [7:0] y = 0);
    always @(posedge clk)
        if (x != 0) y <= x + 3;
endmodule
"""

STOPS = """
module add(input clk, input [7:0] x, output reg [7:0] y = 0);
    always @(posedge clk) begin
        if (x != 0) y <= x + 3;
        if (x == 5) $stop;
    end
endmodule
"""

COUNT = """
module count(input clk, output reg [7:0] n = 0);
    always @(posedge clk) n <= n + 1;
endmodule
"""

WATCH = ["part.counter.out", "delay.o", "add.y"]


class Counter(hw.Model):
    """Adds to each value how often it has come round; `fail` happens at the second time."""

    inputs, outputs = {"back": 8}, {"out": 8}
    count: int = 0
    fail: str = ""

    def start(self):
        self.send("out", 1)

    def on_back(self, value):
        self.count += 1
        if self.count == 2 and self.fail:
            self.wake(self.fail)
        self.send("out", (value + self.count) % 256)

    def raises(self):
        raise ValueError("boom")

    def hangs(self):
        self.wake(self.hangs)

    def loops(self):
        while True:
            pass

    def goes_back(self):
        self.send("out", 1, after=ns(-1))


def delay(fail=""):
    def body(ctx):
        n = 0
        while True:
            message = yield ctx.receive()
            yield ctx.timeout(ns(5))
            n += 1
            if n == 2 and fail == "raises":
                raise ValueError("boom")
            while n == 2 and fail == "hangs":
                yield ctx.timeout(ns(0))
            while n == 2 and fail == "loops":
                pass
            if n == 2 and fail == "goes_back":
                ctx.send("o", 1, after=ns(-1))
            ctx.send("o", 300 if n == 2 and fail == "too wide" else message.value)

    ports = {"inputs": [Port("i", "in", "bits", 8)], "outputs": [Port("o", "out", "bits", 8)]}
    return hw.Process("delay", body, **ports)


@pytest.fixture
def loop(tmp_path):
    """A function that builds the loop; PyRTL runs the Verilog, so no compiler is needed."""
    if not (hdl.tools()["pyrtl"] and hdl.tools()["yosys"]):
        pytest.skip("reading Verilog into PyRTL needs pyrtl and yosys, which are not installed")
    (tmp_path / "add.v").write_text(ADD)

    def build(counter="", process="", reverse=False):
        parts = [
            Counter("part.counter", fail=counter),
            delay(process),
            hdl.Rtl("add", tmp_path / "add.v", CLOCK, simulator="pyrtl"),
        ]
        system = hw.System(*(reversed(parts) if reverse else parts))
        system.connect("part.counter.out", "delay.i", latency=ns(4))
        system.connect("delay.o", "add.x", latency=ns(4))
        system.connect("add.y", "part.counter.back", latency=ns(4))
        return system

    return build


def test_the_loop_does_what_a_calculation_by_hand_gives(loop) -> None:
    result = loop().run(until=ns(300), watch=WATCH)
    t, value, wanted = 0, 1, []
    for n in range(1, 18):
        wanted.append((t, value))
        arrives = t + 4 + 5 + 4
        t = arrives + arrives % 2 + 4  # the next edge of 500 MHz, and the way back
        value = (value + 3 + n) % 256
    out = result["out"]
    assert list(zip((out.t // 10**6).tolist(), out.value.tolist(), strict=True)) == wanted


@pytest.mark.parametrize("how", [{"window": ns(1)}, {"runner": "simpy"}, {"budget": 20.0}])
def test_the_fingerprint_depends_on_no_way_of_running(loop, how) -> None:
    plain = loop().run(until=ns(300), watch=WATCH).fingerprint
    assert loop(reverse=True).run(until=ns(300), watch=WATCH, **how).fingerprint == plain


def test_the_loop_resumes_to_the_same_fingerprint(loop, tmp_path) -> None:
    first = loop()
    first.run(until=ns(101), watch=WATCH)
    first.checkpoint(tmp_path / "c")
    resumed = loop().resume(tmp_path / "c").run(until=ns(300))
    assert resumed.fingerprint == loop().run(until=ns(300), watch=WATCH).fingerprint


KINDS = {"raises": ValueError, "hangs": BudgetError, "loops": BudgetError, "goes_back": TimeRangeError}


def check_failure(loop, caught, path: str, t: Time, **same: str) -> None:
    """Path and time are named, and what was kept equals a shorter run."""
    said = " ".join([str(caught.value), *caught.value.__notes__])
    assert f"'{path}'" in said
    kept = caught.value.partial
    assert f"in the window from {kept.until} to" in said
    assert kept.until <= t < kept.until + ns(12)  # once round the loop
    short = loop(**same).run(until=kept.until, watch=WATCH)
    assert len(short["out"]) > 0
    for name in WATCH:
        assert np.array_equal(kept[name].t, short[name].t)
        assert np.array_equal(kept[name].value, short[name].value)


@pytest.mark.parametrize("fail", KINDS)
def test_a_class_that_fails_is_named_and_the_results_so_far_are_kept(loop, fail) -> None:
    with pytest.raises(KINDS[fail]) as caught:
        loop(counter=fail).run(until=ns(300), watch=WATCH, budget=0.3)
    check_failure(loop, caught, "part.counter", ns(36))
    assert "in Counter 'part.counter' at t = 36 ns" in caught.value.__notes__


@pytest.mark.parametrize("fail", KINDS)
def test_a_process_that_fails_is_named_and_the_results_so_far_are_kept(loop, fail) -> None:
    with pytest.raises(KINDS[fail]) as caught:
        loop(process=fail).run(until=ns(300), watch=WATCH, budget=0.3)
    check_failure(loop, caught, "delay", ns(27))


def test_a_process_that_sends_what_its_port_cannot_hold_is_named_with_port_and_time(loop) -> None:
    with pytest.raises(
        SpecError, match=r"process 'delay': send\('o'\): value=300 does not fit into 8 bits"
    ) as caught:
        loop(process="too wide").run(until=ns(300), watch=WATCH)
    check_failure(loop, caught, "delay", ns(27))


def test_verilog_that_stops_itself_is_named_with_its_time(loop, tmp_path) -> None:
    lacks = [name for name in ("verilator", "g++") if not hdl.tools()[name]]
    if lacks:
        pytest.skip(f"a design that stops itself needs {', '.join(lacks)}, which is not installed")
    (tmp_path / "stops.v").write_text(STOPS)
    system = hw.System(
        Counter("part.counter"),
        delay(),
        hdl.Rtl("add", tmp_path / "stops.v", CLOCK, simulator="verilator"),
    )
    system.connect("part.counter.out", "delay.i", latency=ns(4))
    system.connect("delay.o", "add.x", latency=ns(4))
    system.connect("add.y", "part.counter.back", latency=ns(4))
    with pytest.raises(ToolError, match="rtl 'add': the design stopped itself at t = 32 ns") as caught:
        system.run(until=ns(300), watch=WATCH)
    check_failure(loop, caught, "add", ns(32))


def test_verilog_that_takes_longer_than_its_budget_is_named_with_its_window(loop, tmp_path) -> None:
    (tmp_path / "count.v").write_text(COUNT)

    class Sink(hw.Model):
        inputs = {"n": 8}
        records = {"beat": "event"}

        def start(self):
            self.record("beat")

        def on_n(self, value):
            self.record("beat", value)

    system = hw.System(hdl.Rtl("top.count", tmp_path / "count.v", CLOCK, simulator="pyrtl"), Sink("sink"))
    system.connect("top.count.n", "sink.n", latency=ms(100))  # 50 million edges in one window
    system.run(until=ns(7), watch=["beat", "top.count.n"])
    with pytest.raises(
        BudgetError, match=r"'top\.count' .* more than 0\.3 s for the window from 8 ns"
    ) as caught:
        system.run(until=ms(90), budget=0.3)
    kept = caught.value.partial
    assert (kept["top.count.n"].value.tolist(), kept["beat"].t.tolist()) == ([1, 2, 3, 4], [0])
