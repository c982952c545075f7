"""Times are whole femtoseconds, and nothing is rounded or unit-less in silence."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel import units
from hwmodel.errors import BareNumberError, HwmodelError, NotRepresentableError, TimeRangeError
from hwmodel.units import GHz, MHz, Time, format_time, fs, ms, ns, ps, s, to_frequency, to_fs, to_fs_array, us

times = st.integers(-units.MAX_TIME, units.MAX_TIME)


@pytest.mark.parametrize(
    ("make", "scale"), [(fs, 1), (ps, 10**3), (ns, 10**6), (us, 10**9), (ms, 10**12), (s, 10**15)]
)
def test_a_unit_is_its_number_of_femtoseconds(make, scale: int) -> None:
    assert make(3) == 3 * scale
    assert make([1, 2]).tolist() == [scale, 2 * scale]


def test_a_decimal_is_taken_as_it_is_written() -> None:
    assert ps(3.5) == 3500
    assert ps(0.1) == 100
    assert ps(np.float64(0.3)) == 300
    assert ps([0.1, 0.2, 0.3]).tolist() == [100, 200, 300]


@pytest.mark.parametrize("value", [1 / 3, 0.0001, 0.1 + 0.2, [1.5, 1 / 3], [0.1 + 0.2]])
def test_part_of_a_femtosecond_is_an_error(value) -> None:
    with pytest.raises(NotRepresentableError, match="rounding"):
        ps(value)


@pytest.mark.parametrize(("mode", "expected"), [("nearest", 333), ("floor", 333), ("ceil", 334)])
def test_a_named_rounding_rounds(mode, expected: int) -> None:
    assert ps(1 / 3, rounding=mode) == expected
    assert ps([1 / 3], rounding=mode).tolist() == [expected]
    assert to_fs("0.33333 ps", rounding=mode) == expected


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1),
    st.sampled_from(["error", "nearest", "floor", "ceil"]),
)
def test_an_array_is_read_as_its_items_are(values, mode) -> None:
    def one(value: float) -> int | str:
        try:
            return int(ps(value, rounding=mode))
        except NotRepresentableError:
            return "refused"

    singles = [one(v) for v in values]
    if "refused" in singles:
        with pytest.raises(NotRepresentableError):
            ps(values, rounding=mode)
    else:
        assert ps(values, rounding=mode).tolist() == singles


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), Fraction(1, 2)])
def test_a_bare_number_is_refused_with_what_to_write(value) -> None:
    with pytest.raises(BareNumberError, match=r"until=.*no unit; did you mean ps\("):
        to_fs(value, "until")
    with pytest.raises(TypeError):
        to_fs_array([value])


@pytest.mark.parametrize("text", ["20", "ps", "20 xs", "20 pss", "", "1..2 ps", "20 GHz"])
def test_malformed_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BareNumberError, match="as in"):
        to_fs(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("20 ps", 20_000), ("20ps", 20_000), ("1e3 ns", 10**9), ("1.5 µs", 15 * 10**8)]
)
def test_text_with_a_unit_is_a_time(text: str, expected: int) -> None:
    assert to_fs(text) == expected


@pytest.mark.parametrize("make", [lambda: s(9224), lambda: "9224 s", lambda: s([9224.0]), lambda: s([9224])])
def test_more_than_9223_seconds_is_refused(make) -> None:
    with pytest.raises(TimeRangeError, match=r"9,223"):
        to_fs_array(make())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("nan")]])
def test_what_is_not_finite_is_refused(value) -> None:
    with pytest.raises(NotRepresentableError, match="finite"):
        ps(value)


@given(times)
def test_a_time_prints_as_code_that_makes_it(t: int) -> None:
    assert eval(repr(Time(t)), {u: getattr(units, u) for u in ("fs", "ps", "ns", "us", "ms", "s")}) == t
    assert to_fs(format_time(t)) == t


@given(times, times)
def test_sums_of_times_are_times(a: int, b: int) -> None:
    if abs(a + b) <= units.MAX_TIME and abs(a - b) <= units.MAX_TIME:
        assert type(Time(a) + Time(b)) is Time
        assert Time(a) + Time(b) == a + b
        assert Time(a) - Time(b) == a - b


def test_a_time_does_not_mix_with_bare_numbers() -> None:
    with pytest.raises(BareNumberError, match=r"write ps\(3\)"):
        ps(1) + 3
    with pytest.raises(BareNumberError):
        3 - ps(1)
    assert sum([ps(1), ps(2)]) == ps(3)
    assert type(2 * ps(3)) is Time
    assert ps(3) / ps(2) == 1.5


def test_a_time_of_a_time_is_refused() -> None:
    with pytest.raises(BareNumberError, match="already"):
        ns(ps(1))
    with pytest.raises(BareNumberError, match="already"):
        ns(ps([1]))


def test_times_keep_their_unit_where_it_makes_sense() -> None:
    both = ps([1, 2]) + ps([3, 4])
    assert repr(both) == "ps([4, 6])"
    assert type(ps([1, 2])[1]) is Time
    assert type(ps([1, 2]) // ps([1, 1])) is np.ndarray
    with pytest.raises(BareNumberError):
        to_fs_array(ps([1, 2]) + 5)


def test_a_frequency_is_exact() -> None:
    assert GHz(52.6).hz == 52_600_000_000
    assert to_frequency("33.3 GHz") == GHz(33.3)
    assert repr(MHz(0.5)) == "kHz(500)"
    assert eval(repr(GHz(Fraction(100, 3))), {"GHz": GHz, "Fraction": Fraction}) == GHz(Fraction(100, 3))


@pytest.mark.parametrize("value", [10, "10", "10 ps", 0.5])
def test_a_frequency_needs_its_unit(value) -> None:
    with pytest.raises(BareNumberError):
        to_frequency(value)


@pytest.mark.parametrize("value", [0, -1])
def test_a_frequency_is_positive(value: int) -> None:
    with pytest.raises(TimeRangeError, match="greater than zero"):
        GHz(value)


def test_times_and_frequencies_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps((ps(3), GHz(2)))) == (ps(3), GHz(2))


def test_every_error_is_an_hwmodel_error() -> None:
    from hwmodel import errors

    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert len(kinds) > 10
    assert all(issubclass(kind, HwmodelError) for kind in kinds)


@pytest.mark.parametrize("value", [np.bool_(True), [True, False], b"20", {1, 2}, {1: 2}, 1j, [1j]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(BareNumberError, match="a number is wanted"):
        ps(value)


@pytest.mark.parametrize("value", [1, 1.5, [1], [1.5]])
def test_an_unknown_rounding_is_refused_even_where_nothing_is_rounded(value: object) -> None:
    with pytest.raises(NotRepresentableError, match="unknown rounding 'up'"):
        ps(value, rounding="up")


def test_an_exponent_that_would_take_for_ever_is_refused() -> None:
    with pytest.raises(BareNumberError, match="a number and a unit are wanted"):
        to_fs("1e99999 s")


def test_the_least_int64_is_out_of_range() -> None:
    with pytest.raises(TimeRangeError, match="beyond 9,223 s"):
        fs(np.array([-(2**63)]))


def test_times_turned_into_floats_are_refused() -> None:
    with pytest.raises(BareNumberError, match="float64 is no longer one of times"):
        to_fs_array(ps([1, 2]).astype(float))


def test_whole_multiples_of_times_are_times() -> None:
    assert repr(ps([1, 2]) * 3) == "ps([3, 6])"
    assert repr(2 * ps([1, 2])) == "ps([2, 4])"
    assert type(ps([1, 2]) * 0.5) is np.ndarray
    assert type(abs(ps(-3))) is Time
    assert [type(t) for t in ps([1, 2])] == [Time, Time]


@pytest.mark.parametrize("value", [3.7, True, "3", None])
def test_a_time_is_made_of_whole_femtoseconds(value) -> None:
    with pytest.raises(BareNumberError, match="whole femtoseconds"):
        Time(value)


@pytest.mark.parametrize("value", [None, object(), b"3"])
def test_what_is_no_time_at_all_is_called_so(value) -> None:
    with pytest.raises(BareNumberError, match=r"until=.*time is wanted"):
        to_fs(value, "until")


def test_a_time_is_no_frequency() -> None:
    with pytest.raises(BareNumberError, match=r"a frequency is wanted, got Time"):
        to_frequency(ps(10))


@given(st.integers(-(2**64), 2**64), st.sampled_from([fs, ps, ns, us, ms, s]))
def test_a_whole_number_is_the_time_that_its_fraction_is(value: int, unit: Callable[[Any], Time]) -> None:
    try:
        wanted = unit(Fraction(value))
    except TimeRangeError:
        with pytest.raises(TimeRangeError, match="beyond"):
            unit(value)
        return
    assert type(unit(value)) is Time
    assert unit(value) == wanted
