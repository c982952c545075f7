"""Clock edges are exact for ever."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import BareNumberError, TimeRangeError
from hwmodel.kernel import Clock
from hwmodel.units import GHz, Hz, fs, ps

frequencies = st.fractions(min_value=1, max_value=200, max_denominator=1000).map(GHz)


@pytest.mark.parametrize("ghz", [33.3, 52.6, 150, 3])
def test_no_drift_over_a_thousand_million_cycles(ghz: float) -> None:
    exact = Fraction(10**6) / Fraction(repr(ghz)) * 10**9
    assert abs(int(Clock(GHz(ghz)).edge(10**9)) - exact) < 1


@given(frequencies, st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 50))
def test_edges_are_the_edges_one_by_one(frequency, phase: int, first: int, count: int) -> None:
    clock = Clock(frequency, phase=fs(phase))
    assert clock.edges(first, count).tolist() == [int(clock.edge(first + k)) for k in range(count)]


@given(frequencies, st.integers(0, 10**6), st.integers(0, 10**15))
def test_index_is_the_first_edge_at_or_after(frequency, phase: int, t: int) -> None:
    clock = Clock(frequency, phase=fs(phase))
    n = clock.index(t)
    assert clock.edge(n) >= t
    assert n == 0 or clock.edge(n - 1) < t


@given(frequencies, st.lists(st.integers(0, 9 * 10**18), max_size=20))
def test_indices_are_the_index_of_each(frequency, t) -> None:
    clock = Clock(frequency, phase=ps(7))
    assert clock.indices(np.array(t, np.int64)).tolist() == [clock.index(x) for x in t]


def test_a_period_or_a_frequency_but_not_both() -> None:
    assert Clock(period=ps(100)) == Clock(GHz(10))
    for arguments in ({}, {"frequency": GHz(1), "period": ps(1)}):
        with pytest.raises(BareNumberError, match="either"):
            Clock(**arguments)


def test_text_and_bare_numbers() -> None:
    assert Clock("52.6 GHz") == Clock(GHz(52.6))
    with pytest.raises(BareNumberError, match="GHz"):
        Clock(10)


def test_limits() -> None:
    with pytest.raises(TimeRangeError, match="shorter than the time step"):
        Clock(Hz(2 * 10**15))
    with pytest.raises(TimeRangeError, match="negative"):
        Clock(GHz(1), phase=fs(-1))
    with pytest.raises(TimeRangeError, match="numbered from 0"):
        Clock(GHz(1)).edge(-1)
    with pytest.raises(TimeRangeError, match="9,223"):
        Clock(Hz(1)).edges(9000, 1000)


def test_repr_is_code() -> None:
    clock = Clock(GHz(52.6), phase=ps(3))
    assert eval(repr(clock), {"Clock": Clock, "GHz": GHz, "ps": ps}) == clock
