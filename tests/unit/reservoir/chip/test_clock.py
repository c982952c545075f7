"""The counter's clock against exact fractions, and PLL frequencies."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir.chip import NonceClock, nearest_frequency, pll_settings
from hwmodel.units import MHz

RATES = st.builds(Fraction, st.integers(10**6, 10**9), st.sampled_from([1, 3, 7, 98, 10**9])).filter(
    lambda r: r > 1
)
CHANGES = st.lists(st.tuples(st.integers(0, 10**13), RATES), max_size=6)


@given(RATES, st.lists(st.integers(0, 2**40), min_size=1, max_size=8))
def test_a_step_falls_at_the_floor_of_its_exact_time(rate: Fraction, steps: list[int]) -> None:
    clock = NonceClock(rate)
    steps = [n for n in steps if n / rate < 9000] or [0]
    wanted = [int(n * 10**15 / rate) for n in steps]
    assert clock.times(np.array(steps)).tolist() == wanted == [clock.time(n) for n in steps]


@given(RATES, CHANGES, st.integers(0, 10**13))
def test_index_is_the_first_step_at_or_after_a_time(
    rate: Fraction, changes: list[tuple[int, Fraction]], ahead: int
) -> None:
    clock, now = NonceClock(rate), 0
    for wait, new in changes:
        now += wait
        clock.change(now, new)
    step = clock.index(now + ahead)
    assert clock.time(step) >= now + ahead
    assert step == clock.step or clock.time(step - 1) < now + ahead


@given(RATES, CHANGES)
def test_through_changes_of_rate_the_counter_is_the_integral_of_the_rate(
    rate: Fraction, changes: list[tuple[int, Fraction]]
) -> None:
    """Exact up to a femtosecond a change, at the rate of that time."""
    clock, now, phase = NonceClock(rate), 0, Fraction(0)
    slack = Fraction(0)
    for wait, new in changes:
        phase += wait * clock.rate / 10**15
        slack += max(clock.rate, new) * 2 / 10**15
        now += wait
        clock.change(now, new)
    step = clock.index(now)
    exact = phase + (clock.time(step) - now) * clock.rate / 10**15
    assert abs(step - exact) <= slack + 2 * clock.rate / 10**15


@given(RATES, CHANGES)
def test_a_saved_clock_goes_on_alike(rate: Fraction, changes: list[tuple[int, Fraction]]) -> None:
    clock, other, now = NonceClock(rate), NonceClock(Fraction(1)), 0
    for wait, new in changes:
        now += wait
        clock.change(now, new)
    other.load(np.array(clock.save(), np.int64))
    assert [other.time(clock.step + n) for n in (0, 1, 10**6)] == [
        clock.time(clock.step + n) for n in (0, 1, 10**6)
    ]


@pytest.mark.parametrize("rate", [0, -1, 10**15 + 1])
def test_a_rate_that_makes_no_sense_is_refused(rate: int) -> None:
    with pytest.raises(SpecError, match="rate"):
        NonceClock(Fraction(rate))


@pytest.mark.parametrize(
    ("megahertz", "feedback", "reference", "post"),
    [(485, 194, 2, (5, 1)), (525, 168, 2, (4, 1)), (400, 160, 2, (5, 1)), (425, 170, 2, (5, 1))],
)
def test_the_pll_makes_the_frequencies_of_the_firmware(
    megahertz: int, feedback: int, reference: int, post: tuple[int, int]
) -> None:
    assert (Fraction(megahertz * 10**6), feedback, reference, *post) in pll_settings()
    assert nearest_frequency(MHz(megahertz)) == MHz(megahertz)


def test_the_nearest_frequency_is_within_the_finest_step_of_the_usual_range() -> None:
    for megahertz in range(300, 600, 7):
        got = nearest_frequency(MHz(megahertz) if megahertz % 2 else f"{megahertz}.3 MHz")
        assert abs(got.hz / 10**6 - megahertz) < 2
