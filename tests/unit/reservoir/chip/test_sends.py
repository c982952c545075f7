"""What the chip says about its next frames: the kernel relies on it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.reservoir.chip import ErrorModel, HashingChip, Physics, RealHash
from hwmodel.reservoir.chips import small_chip
from hwmodel.units import NEVER, Time, us

from .models import JOB, OTHER, SMALL

FASTEST = {
    "spec": SMALL,
    "oracle": RealHash(6),
    "frequency": "1 MHz",
    "pll": False,
    "baud": 10**9,
    "count": False,
}
PHYSICS = {"ideal": None, "errors": Physics(errors=ErrorModel(limit=1e6))}


def system(kind: str) -> hw.System:
    options: dict[str, Any] = FASTEST | {"physics": PHYSICS[kind]}
    return hw.System(HashingChip("chip", jobs=[JOB, OTHER], **options), seed=3)


@cache
def ends(kind: str) -> list[int]:
    """When each frame of 3 ms ended."""
    return system(kind).run(until=us(3000), watch=["chip.result"])["chip.result"].t.tolist()


@pytest.mark.parametrize("kind", sorted(PHYSICS))
@settings(deadline=None, max_examples=15)
@given(st.integers(1, 2000), st.integers(1, 40))
def test_no_frame_ends_before_the_chip_says(kind: str, begin: int, n: int) -> None:
    made = system(kind)
    made.run(until=us(begin))
    engine = made.engine("chip")
    said, line = engine.sends(n), int(us(begin)) + 110 * 10**15 // 10**9
    later = [t for t in ends(kind) if t >= line]  # of results that were still to come
    assert len(later) > 40
    assert int(us(begin)) < said <= later[n - 1]


def test_of_an_ideal_chip_on_a_fast_line_it_is_exact_for_results_that_are_worked_out() -> None:
    chip = small_chip(cores=2, counter_bits=16, slots=1)  # of long sweeps

    def made() -> hw.System:
        options: dict[str, Any] = FASTEST | {"spec": chip, "oracle": RealHash(10)}
        return hw.System(HashingChip("chip", jobs=[JOB], **options), seed=3)

    frames = made().run(until=us(20_000), watch=["chip.result"])["chip.result"].t.tolist()
    begun = made()
    begun.run(until=Time(1))
    assert [begun.engine("chip").sends(n) for n in (1, 2, 20)] == [frames[n - 1] for n in (1, 2, 20)]


def test_a_chip_without_a_job_never_sends() -> None:
    made = hw.System(HashingChip("chip", jobs=[JOB], start=False))
    made.run(until=us(1))
    assert made.engine("chip").sends(3) == NEVER
