"""The frequency sweep as an object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwmodel.cryo.clock_sweep import ClockSweep, Swept
from hwmodel.cryo.config import DOMAIN_SETS, at_clock, cryo_inorder, cryo_ooo, last_levels
from hwmodel.cryo.generators import Body, Stream, generate
from hwmodel.cryo.timing import simulate
from hwmodel.cryo.trace import Trace
from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.units import GHz

CLOCKS = ("4 GHz", "20 GHz", "100 GHz")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "stream.hwt"
    generate(path, Stream("16 kB"), 20_000, body=Body(loads=0.25, stores=0))
    return path


@pytest.fixture(scope="module")
def swept(trace: Path) -> Swept:
    machines = {"ooo": cryo_ooo(), "inorder": cryo_inorder()}
    return ClockSweep({"s": trace}, machines, CLOCKS, limit=10_000, warmup=10_000).run(workers=1)


def test_every_point_is_run(swept: Swept) -> None:
    assert len(swept.timings) == 2 * 5 * 3
    assert all(t.instructions == 10_000 for t in swept.timings.values())


def test_a_point_is_what_simulate_gives(swept: Swept, trace: Path) -> None:
    with Trace.open(trace) as source:
        machine = at_clock(cryo_ooo(), "20 GHz", "l1l2")
        alone = simulate(source, machine, warmup=10_000, limit=10_000)
    assert swept.timing("s", "ooo", "l1l2", "20 GHz") == alone


def test_speedups_are_over_the_first_set_at_the_lowest_clock(swept: Swept) -> None:
    base = swept.timing("s", "ooo", "core", "4 GHz").time
    fast = swept.timing("s", "ooo", "all", "100 GHz").time
    assert swept.speedup("s", "ooo", "all", "100 GHz") == base / fast
    assert swept.speedup("s", "ooo", "core", "4 GHz") == 1.0
    assert swept.mean_speedup("ooo", "all", "100 GHz") == base / fast


def test_a_trace_in_the_first_level_scales_with_it_and_not_without(swept: Swept) -> None:
    assert swept.speedup("s", "ooo", "l1", "100 GHz") > 20
    assert swept.speedup("s", "ooo", "core", "100 GHz") < 5


def test_the_wall_of_a_point_is_fitted_to_its_times(swept: Swept) -> None:
    wall = swept.wall("s", "ooo", "core")
    assert wall.times == tuple(float(swept.timing("s", "ooo", "core", c).time) for c in CLOCKS)
    assert wall.max_error < 0.15
    assert swept.walls("ooo", "core") == {"s": wall}


def test_a_run_that_is_not_there_is_named(swept: Swept) -> None:
    with pytest.raises(UnknownNameError, match="GHz"):
        swept.timing("s", "ooo", "core", "5 GHz")


@pytest.mark.parametrize("what", ["traces", "machines", "clocks", "sets"])
def test_a_sweep_of_nothing_is_refused(what: str) -> None:
    given = {"traces": {"s": "s.hwt"}, "machines": {"ooo": cryo_ooo()}, "clocks": CLOCKS, "sets": ("core",)}
    with pytest.raises(SpecError, match=what):
        ClockSweep(**{**given, what: type(given[what])()})


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="l1l2"):
        ClockSweep({"s": "s.hwt"}, {"ooo": cryo_ooo()}, CLOCKS, ("l1l3",))


@pytest.mark.parametrize("domains", DOMAIN_SETS)
def test_a_set_names_exactly_what_runs_at_the_fast_clock(domains: str) -> None:
    fast = at_clock(cryo_ooo(), "100 GHz", domains)
    at = {name for name, cache in fast.levels.items() if cache.clock == GHz(100)}
    at |= {"board"} if fast.levels["l3"].bus.clock == GHz(100) else set()
    assert at == set(DOMAIN_SETS[domains])
    assert fast.core.clock == GHz(100)
    assert fast == cryo_ooo(GHz(100), domains)


def test_the_board_is_the_bus_behind_the_last_level_that_there_is() -> None:
    small = replace(cryo_ooo(), l3=None)
    assert last_levels(small) == ["l2"]
    assert at_clock(small, "100 GHz", "everything").levels["l2"].bus.clock == GHz(100)
