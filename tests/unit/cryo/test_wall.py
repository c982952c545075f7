"""The law T = a / f + b: exact laws are found again, and the best allowed one where no exact one exists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo.wall import fit_wall
from hwmodel.errors import SpecError
from hwmodel.units import GHz

CLOCKS = (4, 10, 20, 50, 100, 200)
GHZ = [GHz(c) for c in CLOCKS]
positive = st.floats(1e-3, 1e9)
times = st.lists(st.floats(1.0, 1e12), min_size=len(CLOCKS), max_size=len(CLOCKS))


def law(a: float, b: float) -> list[float]:
    """Femtoseconds of a cycles at each clock, and b."""
    return [a * 1e6 / c + b for c in CLOCKS]


@given(positive, positive, st.sampled_from(["relative", "uniform"]))
def test_an_exact_law_is_found_again(a: float, b: float, weights: str) -> None:
    wall = fit_wall(GHZ, law(a, b), weights)
    largest = max(law(a, b))
    assert wall.cycles * 1e6 / 4 == pytest.approx(a * 1e6 / 4, rel=1e-7, abs=1e-9 * largest)
    assert wall.floor == pytest.approx(b, rel=1e-7, abs=1e-9 * largest)
    assert wall.max_error < 1e-4


@given(times)
def test_neither_part_is_below_zero(values: list[float]) -> None:
    wall = fit_wall(GHZ, values)
    assert wall.cycles >= 0
    assert wall.floor >= 0


@given(times, st.permutations(range(len(CLOCKS))))
def test_the_order_of_the_points_does_not_matter(values: list[float], order: list[int]) -> None:
    one = fit_wall(GHZ, values)
    other = fit_wall([GHZ[i] for i in order], [values[i] for i in order])
    scale = max(values)
    assert other.floor == pytest.approx(one.floor, rel=1e-9, abs=1e-9 * scale)
    assert other.cycles == pytest.approx(one.cycles, rel=1e-9, abs=1e-9 * scale)


@given(times, st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_no_other_allowed_law_has_smaller_relative_errors(values: list[float], x: float, y: float) -> None:
    wall = fit_wall(GHZ, values)
    best = sum(r * r for r in wall.residuals)
    a, b = x * wall.cycles + (wall.cycles == 0) * x, y * wall.floor + (wall.floor == 0) * y
    other = sum((model / t - 1) ** 2 for model, t in zip(law(a, b), values, strict=True))
    assert best <= other * (1 + 1e-9) + 1e-12


def test_relative_weights_agree_with_a_solver() -> None:
    values = [3.0e6, 1.6e6, 1.1e6, 0.8e6, 0.75e6, 0.65e6]
    wall = fit_wall(GHZ, values)
    rows = np.array([[1e6 / c / t, 1 / t] for c, t in zip(CLOCKS, values, strict=True)])
    (a, b), *_ = np.linalg.lstsq(rows, np.ones(len(values)), rcond=None)
    assert (wall.cycles, wall.floor) == (pytest.approx(a), pytest.approx(b))


def test_given_weights_decide_which_points_count() -> None:
    values = law(10.0, 1e6)
    values[0] *= 3  # a point that no weight is given to
    wall = fit_wall(GHZ, values, [1e-12, 1, 1, 1, 1, 1])
    assert wall.floor == pytest.approx(1e6, rel=1e-6)


def test_times_that_rise_with_the_clock_have_no_scaling_part() -> None:
    wall = fit_wall(GHZ, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "uniform")
    assert (wall.cycles, wall.floor) == (0.0, pytest.approx(3.5))
    assert wall.plateau() == 1.0
    assert wall.half_plateau == 0.0


def test_times_that_fall_faster_than_the_clock_have_no_floor() -> None:
    wall = fit_wall(["4 GHz", "8 GHz"], [4.0, 1.0], "uniform")
    assert wall.floor == 0.0
    assert wall.cycles * 1e6 / 4 == pytest.approx((4.0 + 0.5) / 1.25)
    assert wall.plateau() == wall.half_plateau == math.inf


@given(positive, positive)
def test_half_the_plateau_is_reached_where_both_parts_are_equal(a: float, b: float) -> None:
    wall = fit_wall(GHZ, law(a, b))
    if wall.floor > 0 and wall.cycles > 0:
        time = wall.cycles * 1e15 / wall.half_plateau + wall.floor
        assert time == pytest.approx(2 * wall.floor)


def test_plateau_and_speedup_are_over_the_lowest_clock_or_a_named_one() -> None:
    wall = fit_wall(GHZ, law(8.0, 1e6))  # 2 + 1 ns at 4 GHz
    assert wall.plateau() == pytest.approx(3.0)
    assert wall.plateau("8 GHz") == pytest.approx(2.0)
    assert wall.speedup("8 GHz") == pytest.approx(1.5)
    assert wall.speedup("8 GHz", "8 GHz") == 1.0


def test_errors_are_relative_to_the_measurement() -> None:
    wall = fit_wall(["4 GHz", "4 GHz", "8 GHz"], [1.0, 3.0, 1.0], "uniform")
    assert wall.residuals[0] == pytest.approx(1.0)
    assert wall.max_error == pytest.approx(1.0)
    assert wall.mean_error == pytest.approx((1 + 1 / 3) / 3)


@pytest.mark.parametrize(
    ("clocks", "values", "weights", "said"),
    [
        (["4 GHz", "4 GHz"], [1.0, 2.0], "relative", "1 of them different"),
        (["4 GHz", "8 GHz"], [1.0], "relative", "one time a clock"),
        (["4 GHz", "8 GHz"], [1.0, 0.0], "relative", "above zero"),
        (["4 GHz", "8 GHz"], [1.0, math.inf], "relative", "finite"),
        (["4 GHz", "8 GHz"], [2.0, 1.0], "cubic", "'uniform'"),
        (["4 GHz", "8 GHz"], [2.0, 1.0], [1.0], "1 weights for 2 times"),
    ],
)
def test_points_that_are_none_are_refused(clocks: list, values: list, weights: object, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        fit_wall(clocks, values, weights)
