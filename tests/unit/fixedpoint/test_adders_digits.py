"""Signed digits: canonical form, counts, and the nearest sums of K powers of two."""

from __future__ import annotations

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError, SpecError
from hwmodel.fixedpoint.adders import csd, csd_count, khot

integers = st.integers(-(2**70), 2**70)


@given(integers)
def test_digits_sum_to_the_value(value: int) -> None:
    assert sum(sign << shift for shift, sign in csd(value)) == value


@given(integers)
def test_no_two_digits_are_adjacent(value: int) -> None:
    assert all(b - a >= 2 for (a, _), (b, _) in pairwise(csd(value)))


def test_no_sum_of_fewer_powers_exists() -> None:
    powers = [sign << shift for shift in range(8) for sign in (1, -1)]
    with_two = {sum(pair) for n in (0, 1, 2) for pair in combinations(powers, n)}
    for value in range(-128, 129):
        assert (len(csd(value)) <= 2) == (value in with_two)


@given(st.lists(integers, max_size=5))
def test_the_count_is_that_of_the_digits(values: list[int]) -> None:
    assert csd_count(np.array(values, object)) == sum(len(csd(value)) for value in values)


@pytest.mark.parametrize("digits", [0, 1, 2, 3])
def test_khot_is_the_nearest_sum(digits: int) -> None:
    powers = [sign << shift for shift in range(8) for sign in (1, -1)]
    sums = {sum(some) for some in product([0, *powers], repeat=digits)} | {0}
    sums = {value for value in sums if -128 <= value <= 127}
    values = np.arange(-128, 128)
    expected = [min(sums, key=lambda s: (abs(s - v), abs(s))) for v in values.tolist()]
    assert khot(values, digits, width=8).tolist() == expected


def test_khot_keeps_the_shape() -> None:
    assert khot([[1, 2, 3], [4, 5, 6]], 1).shape == (2, 3)


@pytest.mark.parametrize("value", [1.5, "3", None])
def test_only_integers_have_digits(value: object) -> None:
    with pytest.raises(FormatError, match="is not an integer"):
        csd(value)  # type: ignore[arg-type]


def test_khot_refuses_a_value_beyond_the_word() -> None:
    with pytest.raises(FormatError, match="200 does not fit 8 signed bits"):
        khot([200], 2, width=8)


@pytest.mark.parametrize(("digits", "width"), [(-1, 8), (2, 0), (2, 64)])
def test_khot_refuses_impossible_words(digits: int, width: int) -> None:
    with pytest.raises(SpecError, match="digits must be"):
        khot([1], digits, width=width)
