"""TLBs and page-table walks: contents against a plain-Python model, times against sums by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.cryo._build import build
from hwmodel.cryo._translation import Tlb, Translation, WalkCache
from hwmodel.cryo.presets import champsim
from hwmodel.cryo.timing import TimedRun
from hwmodel.cryo.tlb import _kernels as t
from hwmodel.cryo.words import _kernels as m
from hwmodel.errors import SpecError
from tests.unit.cryo.ooo_programs import I, chunk

CYCLE = 250_000  # femtoseconds at 4 GHz
SMALL = Translation(Tlb(2, 2), Tlb(1, 2), Tlb(4, 2, latency=8), depth=4, start=7, end=6)


def machine(**changes):
    return replace(champsim(), translation=replace(SMALL, **changes))


def cycles(w, page, at=0):
    """Cycles that a data access to a page waits for its translation."""
    return t.translate(w, m.TLB_DATA, page << 12, at * CYCLE) // CYCLE - at


class Lru:
    """Sets of least recently used pages."""

    def __init__(self, sets, ways):
        self.sets, self.ways = [[] for _ in range(sets)], ways

    def hit(self, page):
        held = self.sets[page % len(self.sets)]
        found = page in held
        if found:
            held.remove(page)
        held.insert(0, page)
        del held[self.ways :]
        return found


@given(st.lists(st.integers(0, 12), max_size=120))
@settings(max_examples=40, deadline=None)
def test_misses_are_those_of_two_tables_of_least_recently_used_pages(pages):
    w = build(machine())
    first, second = Lru(2, 2), Lru(4, 2)
    missed = [0, 0]
    for number, page in enumerate(pages):
        cycles(w, page, 100_000 * number)
        if not first.hit(page):
            missed[0] += 1
            missed[1] += not second.hit(page)
    assert w[m.TLB + m.T_MISSES] == missed[0]
    assert w[m.TLB + 16 * m.TLB_SHARED + m.T_MISSES] == missed[1] == w[m.WALK + m.K_WALKS]


def test_a_hit_in_the_first_tlb_costs_nothing():
    w = build(machine())
    cycles(w, 5)
    assert cycles(w, 5, 10_000) == 0


def test_a_hit_in_the_second_tlb_costs_its_latency():
    w = build(machine())
    for number, page in enumerate((0, 2, 4)):  # one set of the first, three of the second
        cycles(w, page, 10_000 * number)
    assert cycles(w, 0, 50_000) == 8


def test_an_access_to_a_page_under_way_waits_for_its_walk():
    w = build(machine())
    whole = cycles(w, 9)
    assert cycles(w, 9, 20) == whole - 20
    assert w[m.TLB + m.T_MERGED] == 1


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_a_walk_takes_a_step_a_level(depth):
    w = build(machine(depth=depth))
    cycles(w, 3)
    assert w[m.WALK + m.K_STEPS] == depth


def test_steps_that_hit_the_data_cache_follow_on_each_other():
    """Start, one access of three cycles a level, end."""
    spec = machine(depth=3)
    w = build(spec)
    cycles(w, 3)
    for row in range(m.TLB, m.WALK, 16):
        base, sets, ways = (int(w[row + k]) for k in (m.T_BASE, m.T_SETS, m.T_WAYS))
        w[base : base + 2 * sets * ways] = -1
    assert cycles(w, 3, 100_000) == 7 + 3 * 3 + 6


@pytest.mark.parametrize(("level", "steps"), [(2, 2), (3, 3), (4, 4)])
def test_a_walk_cache_lets_walks_of_its_region_begin_at_its_level(level, steps):
    w = build(machine(caches=(WalkCache(level, 1, 4),)))
    cycles(w, 8)
    first = int(w[m.WALK + m.K_STEPS])
    cycles(w, 9, 100_000)
    assert w[m.WALK + m.K_STEPS] - first == min(4, steps)
    assert first == 4


def test_a_walk_cache_does_not_serve_another_region():
    w = build(machine(caches=(WalkCache(2, 1, 4),)))
    cycles(w, 8)
    cycles(w, 8 + 512, 100_000)
    assert w[m.WALK + m.K_STEPS] == 8


def test_the_first_walk_of_a_page_takes_its_fault_longer():
    plain, faulting = build(machine()), build(machine(fault=400))
    assert cycles(faulting, 3) - cycles(plain, 3) == 400
    assert faulting[m.WALK + m.K_FAULTS] == 1
    # Of three pages of one set of both tables the first has left when it is asked for again, and faults no more.
    for number, page in enumerate((7, 11, 3)):
        cycles(faulting, page, 10_000 * (number + 1))
    assert faulting[m.WALK + m.K_WALKS] == 4
    assert faulting[m.WALK + m.K_FAULTS] == 3


def test_pages_of_two_megabytes_share_a_translation():
    w = build(machine(page=1 << 21))
    cycles(w, 0)
    assert cycles(w, 511, 10_000) == 0
    assert cycles(w, 512, 20_000) > 0


def test_warming_leaves_the_tables_as_timed_accesses_do():
    pages = np.random.default_rng(3).integers(0, 14, 300)
    timed, warm = build(machine(caches=(WalkCache(2, 1, 2),))), build(machine(caches=(WalkCache(2, 1, 2),)))
    for number, page in enumerate(pages.tolist()):
        cycles(timed, page, 100_000 * number)
        t.touch_page(warm, m.TLB_DATA, page << 12)
    for row in (m.TLB, m.TLB + 16 * m.TLB_SHARED):
        base, sets, ways = (int(timed[row + k]) for k in (m.T_BASE, m.T_SETS, m.T_WAYS))
        np.testing.assert_array_equal(
            timed[base : base + 2 * sets * ways : 2], warm[base : base + 2 * sets * ways : 2]
        )


def test_shuffled_frames_are_all_different():
    assert len({m.shuffled(k) for k in range(1 << 14)}) == 1 << 14


def test_a_run_reports_its_walks():
    program = [I(to=1, load=page << 12) for page in range(2, 22)]
    run = TimedRun(machine())
    run.run(chunk(program))
    figures = run.result().translation
    assert figures["data"] == {"accesses": 20, "misses": 20, "merged": 0}
    assert figures["walks"]["walks"] == 21  # and the page of the program itself
    assert run.result().as_dict()["translation"] == figures


def test_the_window_forgets_the_walks_before_it():
    run = TimedRun(machine())
    run.warm(chunk([I(load=page << 12) for page in range(20)]))
    run.start_window()
    assert run.result().translation["walks"]["steps"] == 0


def test_a_machine_without_translation_walks_nothing():
    run = TimedRun(replace(champsim(), translation=None))
    run.run(chunk([I(to=1, load=page << 12) for page in range(20)]))
    assert run.result().translation == {}


@pytest.mark.parametrize(
    "setting",
    [{"page": 1000}, {"depth": 6}, {"start": -1}, {"caches": (WalkCache(2, 1, 1), WalkCache(2, 1, 2))}],
)
def test_a_translation_that_is_not_modelled_is_refused(setting):
    with pytest.raises(SpecError, match=next(iter(setting))):
        replace(SMALL, **setting)


@pytest.mark.parametrize(("sets", "ways"), [(3, 1), (0, 1), (4, 0)])
def test_a_table_without_a_power_of_two_of_sets_is_refused(sets, ways):
    with pytest.raises(SpecError, match=f"sets={sets}"):
        Tlb(sets, ways)
