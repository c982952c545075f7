"""Translation in front of the caches of the in-order core."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodel.cryo._translation import Tlb, Translation
from hwmodel.cryo.config import Machine
from hwmodel.cryo.timing import TimedRun, Timing
from tests.unit.cryo.machine import inorder
from tests.unit.cryo.ooo_programs import I, chunk

PAGE = 4096


def translating(**changes: object) -> Machine:
    """The small in-order machine, with TLBs of four pages and a second one whose hit costs 20 cycles."""
    spec = Translation(Tlb(1, 4), Tlb(1, 4), Tlb(64, 4, latency=20), depth=1)
    return replace(inorder(), translation=replace(spec, **changes))  # type: ignore[arg-type]


def timed(program: list[I], spec: Machine, warm: bool = True) -> Timing:
    """The program, all in the caches and TLBs if `warm`."""
    run = TimedRun(spec)
    if warm:
        run.warm(chunk(program))
    run.start_window()
    run.run(chunk(program))
    return run.result()


def loads(pages: int, turns: int) -> list[I]:
    """One load a page, turn by turn; lines of different pages lie in different sets."""
    return [I(load=p * (PAGE + 64), to=1, pc=0x1000) for _ in range(turns) for p in range(pages)]


@pytest.mark.parametrize("program", [loads(4, 10), [I(store=a.load, pc=0x1000) for a in loads(4, 10)]])
def test_pages_that_the_first_tlb_holds_cost_nothing(program: list[I]) -> None:
    assert timed(program, translating()).cycles == timed(program, inorder()).cycles


def test_a_load_whose_page_only_the_second_tlb_knows_takes_its_latency_longer() -> None:
    program = loads(5, 10)
    far, near = timed(program, translating()), timed(program, inorder())
    assert far.translation["data"]["misses"] == far.translation["shared"]["accesses"] == len(program)
    assert far.translation["shared"]["misses"] == 0
    # One access is in memory at a time, and its two cycles are all that hides the look-up of the next.
    assert far.cycles - near.cycles == pytest.approx((20 - 2) * len(program), abs=10)


def test_a_store_is_translated_before_it_commits() -> None:
    program = [replace(it, load=None, store=it.load, to=0) for it in loads(5, 10)]
    far, near = timed(program, translating()), timed(program, inorder())
    assert far.translation["data"]["misses"] == len(program)
    assert far.cycles - near.cycles >= 19 * len(program)


def test_instructions_are_translated_page_by_page() -> None:
    program = [I(to=1, pc=0x1000 + p * (PAGE + 64)) for _ in range(10) for p in range(5)]
    found = timed(program, translating()).translation
    assert found["fetch"]["accesses"] == found["fetch"]["misses"] == len(program)
    assert found["data"]["accesses"] == 0


def test_a_page_that_no_tlb_knows_is_walked_through_the_data_cache() -> None:
    program = loads(3, 1)
    cold, plain = timed(program, translating(), warm=False), timed(program, inorder(), warm=False)
    assert cold.translation["walks"]["walks"] == 3  # the code lies in one of the three pages
    assert cold.levels["l1d"].read_accesses == plain.levels["l1d"].read_accesses + 3
    assert cold.cycles > plain.cycles


def test_a_window_without_translation_reports_none() -> None:
    assert timed(loads(2, 2), inorder()).translation == {}
