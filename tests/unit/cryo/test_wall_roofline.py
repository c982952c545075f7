"""Ceilings of the extended roofline against arithmetic by hand and against runs that reach them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo.config import Machine, at_clock, cryo_inorder, cryo_ooo
from hwmodel.cryo.timing import simulate
from hwmodel.cryo.trace import Op, Trace, TraceWriter, make_meta
from hwmodel.cryo.wall import Ceilings, ceilings, roofline, unloaded_latency
from hwmodel.errors import UnknownNameError
from tests.unit.cryo.ooo_programs import I, chunk

QUIET = replace(
    cryo_ooo(),
    **{name: replace(cache, prefetcher="none") for name, cache in cryo_ooo().levels.items()},
    first_touch=False,
)
BASE = 1 << 24


def written(path: Path, program: list[I]) -> Path:
    flags = dict.fromkeys(("has_pc", "has_registers", "has_branches", "has_operations"), True)
    with TraceWriter(path, make_meta("by hand", **flags)) as writer:
        writer.append(chunk(program))
    return path


def chain(count: int, step: int, span: int) -> list[I]:
    """Loads, each of which takes its address from the one before; one in the code's first line after the other."""
    return [
        I(Op.NOP, to=5, of=(5,), load=BASE + n * step % span, pc=0x1000 + 4 * (n % 8)) for n in range(count)
    ]


@pytest.mark.parametrize(("level", "span"), [("l1d", 1 << 13), ("l2", 1 << 18), ("l3", 1 << 23)])
@pytest.mark.parametrize("clock", ["4 GHz", "100 GHz"])
def test_a_chain_of_loads_takes_the_unloaded_latency(
    tmp_path: Path, level: str, span: int, clock: str
) -> None:
    """An oracle of its own: a warm chain of loads in the simulated machine. Edges and the core add a few cycles."""
    machine = at_clock(QUIET, clock, "all")
    lines = span // 64
    program = chain(2 * lines, 64 * 127 if level != "l1d" else 64, span)
    with Trace.open(written(tmp_path / "a.hwt", program)) as trace:
        timing = simulate(trace, machine, warmup=lines, limit=lines)
    per_load = timing.time * 1e-15 / timing.instructions
    cycle = 1 / float(machine.core.clock.hz)
    expected = unloaded_latency(machine, level)
    assert 0.9 * expected <= per_load <= 1.1 * expected + 3 * cycle


def test_latency_and_bandwidth_by_hand() -> None:
    found = ceilings(cryo_ooo())
    # L1D: two cycles of 250 ps; L2: tag 1 + fill 1 + bus 2, then 10; memory: 10 cycles of 1 ns on the board.
    assert found["l1d"].latency == pytest.approx(0.5e-9)
    assert found["l2"].latency == pytest.approx(3.5e-9)
    assert found["l3"].latency == pytest.approx((4 + 10 + 1 + 2 + 21) * 0.25e-9)
    assert found["dram"].latency == pytest.approx((4 + 13 + 11) * 0.25e-9 + 10e-9 + 52.5e-9)
    assert found["l1d"].bandwidth == pytest.approx(8 * 4e9)
    assert found["l2"].bandwidth == pytest.approx(64 / (3 * 0.25e-9))
    assert found["dram"].bandwidth == pytest.approx(12.8e9)


def test_concurrency_is_that_of_queues_and_miss_registers_above() -> None:
    found = ceilings(cryo_ooo())
    assert [found[n].in_flight / found[n].grain for n in found] == [24, 16, 16, 16]
    one = ceilings(cryo_inorder())
    assert (one["l1d"].in_flight, one["l1d"].window) == (8, 1)


def test_the_first_levels_ports_limit_its_bandwidth() -> None:
    machine = cryo_ooo()
    slow = replace(machine, l1d=replace(machine.l1d, interval=4, ports=2))
    assert ceilings(slow)["l1d"].bandwidth == pytest.approx(2 / 4 * 8 * 4e9)


@given(st.floats(1e-4, 1e4))
def test_the_lowest_ceiling_is_the_one_that_binds(intensity: float) -> None:
    limits = Ceilings("l2", 1.6e10, 8.5e10, 3.5e-9, 16 * 64, 64, 96)
    found = limits.at(intensity)
    assert found[limits.lowest(intensity)] == min(found.values())
    assert found["latency"] == pytest.approx(intensity * 16 * 64 / 3.5e-9)
    assert found["window"] == pytest.approx(max(96, intensity * 64) / 3.5e-9)


def independent(count: int) -> list[I]:
    return [I(Op.NOP, to=5, load=BASE + n % 64 * 8, pc=0x1000 + 4 * (n % 8)) for n in range(count)]


def wide(machine: Machine) -> Machine:
    """Without a limit in the front end."""
    return replace(machine, l1i=replace(machine.l1i, clock=machine.core.clock, latency=1))


def test_independent_loads_lie_at_the_ceiling_of_ports_or_of_the_load_queue(tmp_path: Path) -> None:
    trace = written(tmp_path / "a.hwt", independent(4000))
    for clock, binding in (("4 GHz", "bandwidth"), ("100 GHz", "latency")):
        machine = wide(at_clock(QUIET, clock, "core"))
        with Trace.open(trace) as source:
            point = roofline(simulate(source, machine, warmup=1000), machine)["l1d"]
        assert point.binding == binding
        # A fast core waits for an edge of the slow cache as well, up to half of that latency.
        assert 0.6 < point.share <= 1.01


def test_a_boundary_that_no_byte_passed_is_left_out(tmp_path: Path) -> None:
    with Trace.open(written(tmp_path / "a.hwt", independent(2000))) as source:
        timing = simulate(source, QUIET, warmup=1000)
    assert list(roofline(timing, QUIET)) == ["l1d"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="l3"):
        unloaded_latency(cryo_ooo(), "l4")
