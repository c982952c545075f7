"""What an RTL component does at its edges, alike under both simulators."""

from __future__ import annotations

from typing import Any

import pytest

import hwmodel as hw
from hwmodel import hdl
from hwmodel.errors import SpecError, ToolError
from hwmodel.units import GHz, Time, ms, ns, ps
from tests.kernel.models import Unchecked

from .conftest import CLOCK, DESIGNS, LIB, need


def accumulator(simulator: str, **options: Any) -> hdl.Rtl:
    return hdl.Rtl("acc", DESIGNS / "accumulator.v", CLOCK, simulator=simulator, **options)


def driven(rtl: hdl.Rtl, at: Any, values: list[int]) -> hw.System:
    system = hw.System(rtl)
    system.drive("enable", at=ns([0]), values=[1])
    system.drive("x", at=at, values=values)
    return system


def test_a_message_of_the_edges_own_femtosecond_is_sampled(simulator: str) -> None:
    result = driven(accumulator(simulator), ns([3, 4]), [5, 0]).run(until=ns(8), watch=["sum[0]"])
    assert result["sum[0]"].t.tolist() == [3_000_000]
    assert result["sum[0]"].value.tolist() == [5]


def test_a_message_between_edges_waits_for_the_next_and_the_last_one_counts(simulator: str) -> None:
    result = driven(accumulator(simulator), ps([3200, 3300, 4500]), [9, 5, 0]).run(
        until=ns(8), watch=["sum[0]", "x"]
    )
    assert result["sum[0]"].t.tolist() == [4_000_000]
    assert result["sum[0]"].value.tolist() == [5]
    assert result["x"].t.tolist() == [3_200_000, 3_300_000, 4_500_000]


def test_outputs_follow_registers_after_the_edge_and_inputs_as_sampled(simulator: str) -> None:
    result = driven(accumulator(simulator), ps([1500]), [3]).run(until=ns(4), watch=["odd", "mirror"])
    assert result["odd"].t.tolist() == [2_000_000, 3_000_000]
    assert (result["mirror"].t.tolist(), result["mirror"].value.tolist()) == ([0, 2_000_000], [255, 252])


def test_negative_inputs_are_twos_complement(simulator: str) -> None:
    result = driven(accumulator(simulator), ns([1, 2]), [-3, 0]).run(
        until=ns(4), watch=["sum[0]", "sum[1]", "x"]
    )
    assert result["sum[0]"].value.tolist() == [-3]  # 64 bits, as the kernel's int64 holds them
    assert result["sum[1]"].value.tolist() == [(1 << 36) - 1]
    assert result["x"].value.tolist() == [253, 0]


def test_a_value_that_does_not_fit_is_refused(simulator: str) -> None:
    process = Unchecked("host", hw.Port("x", "out", "bits", 8), ns(1), 256)
    rtl = accumulator(simulator)
    system = hw.System(process, rtl)
    system.connect(process.x, rtl.x, latency=ps(500))
    system.drive("enable", at=ns([0]), values=[1])
    with pytest.raises(SpecError, match=r"input 'x' got 256 at t = 1.5 ns.* 8 bits; send 0 to 255"):
        system.run(until=ns(4))


def test_the_ends_of_63_bits_fit(simulator: str) -> None:
    high = (1 << 63) - 1
    rtl = accumulator(simulator, parameters={"W": 63})
    result = driven(rtl, ns([1, 2, 3]), [high, -(1 << 62), 0]).run(until=ns(4), watch=["x", "mirror"])
    assert result["x"].value.tolist() == [high, 1 << 62, 0]
    assert result["mirror"].value.tolist() == [high, 0, (1 << 62) - 1, high]


def test_reset_is_over_before_time_0(simulator: str) -> None:
    rtl = accumulator(simulator, parameters={"START": 40})
    assert "rst_n" not in rtl.ports
    result = driven(rtl, ns([0, 1]), [1, 0]).run(until=ns(4), watch=["sum[0]"])
    assert (result["sum[0]"].t.tolist(), result["sum[0]"].value.tolist()) == ([0], [41])


def test_a_reset_pin_can_stay_an_input(simulator: str) -> None:
    rtl = accumulator(simulator, reset=None)
    system = driven(rtl, ns([0]), [1])
    system.drive("rst_n", at=ns([0, 5, 6]), values=[1, 0, 1])
    result = system.run(until=ns(9), watch=["sum[0]"])
    assert result["sum[0]"].value.tolist() == [1, 2, 3, 4, 5, 0, 1, 2, 3]


def test_reset_holds_for_its_cycles(simulator: str) -> None:
    rtl = hdl.Rtl(
        "r", LIB / "lfsr16.v", CLOCK, simulator=simulator, reset=hdl.Reset("rst", cycles=5), top="lfsr16"
    )
    system = hw.System(rtl)
    system.drive("enable", at=ns([]), values=[])
    assert system.run(until=ns(3), watch=["word"])["word"].value.tolist() == [0xACE1]


def test_parameters_change_widths(simulator: str) -> None:
    rtl = accumulator(simulator, parameters={"W": 12})
    assert {name: port.width for name, port in rtl.ports.items()} == {
        "enable": 1, "x": 12, "sum[0]": 64, "sum[1]": 36, "odd": 1, "mirror": 12,
    }  # fmt: skip
    assert driven(rtl, ns([0, 1]), [2047, 0]).run(until=ns(3), watch=["sum[0]"])["sum[0]"].value[0] == 2047


def test_words_of_a_wide_pin_keep_their_places(simulator: str) -> None:
    system = hw.System(hdl.Rtl("w", DESIGNS / "wide.v", CLOCK, simulator=simulator))
    for word, value in (("a[0]", 5), ("a[1]", -1), ("a[2]", 2)):
        system.drive(word, at=ns([0]), values=[value])
    result = system.run(until=ns(2), watch=["q[0]", "q[1]", "q[2]", "low"])
    assert [result[f"q[{n}]"].at(ns(0)) for n in range(3)] == [~5, 0, 1]
    assert result["low"].at(ns(0)) == ~5


def test_a_module_without_a_clock_is_sampled(simulator: str) -> None:
    system = hw.System(hdl.Rtl("g", DESIGNS / "gate.v", CLOCK, simulator=simulator, clock_pin=None))
    system.drive("a", at=ps([500]), values=[1])
    system.drive("b", at=ps([1000, 1200, 1300]), values=[1, 0, 1])
    trace = system.run(until=ns(4), watch=["y"])["y"]
    assert (trace.t.tolist(), trace.value.tolist()) == ([1_000_000], [1])


def test_the_clock_may_have_a_fractional_period_and_a_phase(simulator: str) -> None:
    clock = hw.Clock(GHz(150), phase=ps(1))
    rtl = hdl.Rtl("r", LIB / "lfsr16.v", clock, simulator=simulator, top="lfsr16")
    system = hw.System(rtl)
    system.drive("enable", at=ns([0]), values=[1])
    trace = system.run(until=ps(100), watch=["count"])["count"]
    assert trace.t.tolist() == [int(t) for t in clock.edges(0, 15)]
    assert trace.value.tolist() == list(range(1, 16))


def test_a_quiet_design_sleeps_and_wakes_in_time(simulator: str) -> None:
    begin, edges = ms(1), 40
    end = begin + ns(edges)
    system = driven(accumulator(simulator), [begin, end], [7, 0])
    result = system.run(until=ms(3), watch=["sum[0]"], progress=False)
    assert result["sum[0]"].t[[0, -1]].tolist() == [int(begin), int(end) - 1_000_000]
    assert result["sum[0]"].value[-1] == 7 * edges
    assert edges <= result.stats["acc.cycles_computed"] <= edges + 300
    assert result.stats["acc.cycles"] == 3_000_000


def test_a_process_drives_it_and_reads_it_back(simulator: str) -> None:
    def ask(ctx: Any) -> Any:
        yield ctx.timeout(ps(100))
        ctx.send("x", 20)
        while True:
            message = yield ctx.receive("sum")
            ctx.record("seen", message.value)
            if message.value >= 60:
                ctx.send("x", 0)

    process = hw.Process(
        "host",
        ask,
        inputs=[hw.Port("sum", "in", "bits", 64)],
        outputs=[hw.Port("x", "out", "bits", 8)],
        signals={"seen": "event"},
    )
    rtl = accumulator(simulator)
    system = hw.System(process, rtl)
    system.connect(process.x, rtl.x, latency=ps(400))
    system.connect(rtl.port("sum[0]"), process.port("sum"), latency=ps(400))
    system.drive("enable", at=ns([0]), values=[1])
    result = system.run(until=ns(12), watch=["seen"])
    # The answer to 60 travels 400 ps there and 400 ps back: it is there at the next edge.
    assert result["seen"].value.tolist() == [20, 40, 60]
    assert result["seen"].t.tolist() == [1_400_000, 2_400_000, 3_400_000]


def test_a_handshake_crosses_two_components(simulator: str) -> None:
    source = hdl.Rtl("source", LIB / "lfsr16.v", CLOCK, simulator=simulator, top="lfsr16")
    fifo = hdl.Rtl(
        "fifo", LIB / "sync_fifo.v", CLOCK, simulator=simulator, parameters={"WIDTH": 16, "LOG_DEPTH": 3}
    )
    system = hw.System(source, fifo)
    system.connect(source.word, fifo.s_data, latency=ps(300))
    system.drive("enable", at=ns([0]), values=[1])
    system.drive("s_valid", at=ns([1, 6]), values=[1, 0])
    system.drive("m_ready", at=ns([9]), values=[1])
    result = system.run(until=ns(16), watch=["source.word", "fifo.m_data", "fifo.level"])
    assert result["fifo.level"].value.tolist() == [1, 2, 3, 4, 5, 4, 3, 2, 1, 0]
    assert result["fifo.m_data"].value.tolist()[:5] == result["source.word"].value.tolist()[:5]


def test_a_clock_made_inside_runs_under_verilator_and_is_warned_of() -> None:
    need("verilator")
    rtl = hdl.Rtl("d", DESIGNS / "divided.v", CLOCK, simulator="verilator")
    system = hw.System(rtl)
    system.drive("d", at=ns([0]), values=[1])
    result = system.run(until=ns(4), watch=["q"])
    assert result["q"].t.tolist() == [0]
    assert "inner signals clock registers: half" in result.manifest["warnings"][0]


def test_a_design_that_stops_itself_is_an_error_with_its_line() -> None:
    need("verilator")
    system = hw.System(hdl.Rtl("s", DESIGNS / "stops.v", CLOCK, simulator="verilator"))
    system.drive("go", at=ns([0]), values=[1])
    with pytest.raises(
        ToolError,
        match=r"rtl 's': the design stopped itself at t = 5 ns: \$finish was called at .*stops\.v:5",
    ):
        system.run(until=ns(20))


@pytest.mark.parametrize("window", [Time(1), ps(999), ns(1), ns(7)])
def test_a_run_in_pieces_is_a_run_in_one(simulator: str, window: Time) -> None:
    def system() -> hw.System:
        return driven(accumulator(simulator), ps([200, 3300, 7000, 9999]), [3, -4, 100, 1])

    whole = system().run(until=ns(13), watch=["sum[0]", "x"])
    parts = system()
    parts.run(until=ps(6999), watch=["sum[0]", "x"], window=window)
    assert parts.run(until=ns(13), window=window).fingerprint == whole.fingerprint
