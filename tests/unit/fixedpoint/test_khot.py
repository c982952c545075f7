"""K-hot words: the nearest of all words with so few digits, by search; the three routes agree."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import NumberFormat, dequantize, quantize
from hwmodel.fixedpoint._khot import DIGITS, KHot


def count(number, fmt):
    """Digits that are not zero, one at a time."""
    if fmt.digits == "BITS":
        return bin(number & ((1 << fmt.width) - 1)).count("1")
    size, found = abs(number), 0
    while size:
        if size & 1:
            found += 1
            size -= 1 if fmt.digits == "MAGNITUDE" or size & 3 == 1 else -1
        size >>= 1
    return found


def nearest(y, fmt, members):
    return min(members, key=lambda n: (abs(n - y), members[n], abs(n)))


@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("width", "k"), [(1, 1), (2, 1), (5, 1), (5, 2), (7, 3), (6, 9)])
def test_all_routes_find_the_nearest(width, k, signed, digits):
    fmt = KHot(width, width, k, signed, digits)
    words = range(fmt.fixed.min_raw, fmt.fixed.max_raw + 1)
    members = {n: c for n in words if (c := count(n, fmt)) <= k}
    y = np.arange(-(2 << width) - 9, (2 << width) + 10) / 4
    want = [nearest(v, fmt, members) for v in y]
    np.testing.assert_array_equal(fmt.quantize(y), want)
    np.testing.assert_array_equal(fmt._nearest(y), want)
    np.testing.assert_array_equal(fmt._by_python(y), want)
    assert (fmt.min, fmt.max) == (min(members), max(members))
    assert fmt.values().tolist() == list(members)


@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("signed", [True, False])
def test_wide_words_agree_with_the_slow_route(digits, signed):
    fmt = KHot(40, 8, 4, signed, digits)
    x = np.random.default_rng(2).standard_normal(200) * 60
    np.testing.assert_array_equal(fmt.quantize(x), fmt._by_python(x))


@pytest.mark.parametrize("digits", DIGITS)
def test_very_wide_words_are_exact(digits):
    fmt = KHot(200, 10, 60, digits=digits)
    x = np.array([0.1, -0.3, 1e300, -1e300, np.pi])
    raw = fmt.quantize(x)
    assert raw.dtype == object
    assert max(count(n, fmt) for n in raw) <= 60
    exact = [0, 4] if digits == "BITS" else [0, 1, 4]
    assert dequantize(raw[exact], fmt.fixed).tolist() == x[exact].tolist()  # 53 bits have no more digits


def test_enough_digits_round_to_any_word():
    fmt = KHot(8, 3, 4)  # four signed digits reach every word of eight bits
    words = np.arange(-128, 128)
    np.testing.assert_array_equal(fmt.quantize(words / 32), words)


@pytest.mark.parametrize("digits", DIGITS)
def test_terms_make_the_word(digits):
    fmt = KHot(8, 8, 8, digits=digits)
    for raw in range(-128, 128):
        terms = fmt.terms(raw)
        assert sum(sign * 2**shift for sign, shift in terms) == raw
        assert len(terms) == fmt.count(raw) == count(raw, fmt)


def test_signed_digits_are_never_neighbours():
    fmt = KHot(12, 12, 12)
    for raw in range(-2048, 2048):
        shifts = [shift for _, shift in fmt.terms(raw)]
        assert all(a - b > 1 for a, b in pairwise(shifts))


def test_raws_with_more_digits_are_refused():
    with pytest.raises(FormatError, match=r"raw\[1\] = 21 has more than k=2 digits"):
        KHot(8, 1, 2).dequantize([3, 21])
    with pytest.raises(FormatError, match="raw = 128 is no code"):
        KHot(8, 1, 2).dequantize(128)


@pytest.mark.parametrize("fmt", [KHot(8, 1, 2), KHot(6, -1, 1, False, "bits")], ids=repr)
def test_repr_is_the_call(fmt):
    assert eval(repr(fmt), {"KHot": KHot}) == fmt


def test_the_shared_doors_take_it():
    fmt = KHot(8, 1, 1)
    assert isinstance(fmt, NumberFormat)
    assert dequantize(quantize([0.3, -0.7], fmt), fmt).tolist() == [0.25, -0.5]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((0, 0, 1), "width=0 is outside"),
        ((8, 1, 0), "k=0 is outside"),
        ((8, 1.5, 1), "int_bits=1.5 is no whole number"),
        ((8, 1, 1, 3), "signed=3"),
        ((8, 1, 1, True, "decimal"), "unknown digits 'decimal'"),
    ],
)
def test_nonsense_is_refused(parts, message):
    with pytest.raises(FormatError, match=message):
        KHot(*parts)


def test_nan_is_refused_and_infinity_saturates_on_request():
    fmt = KHot(8, 1, 2)
    with pytest.raises(FormatError, match=r"x\[0\] = inf has no code"):
        fmt.quantize([np.inf])
    assert fmt.quantize([np.inf, np.nan], nonfinite="saturate").tolist() == [127, 0]
    assert KHot(100, 1, 2).quantize([-np.inf], nonfinite="saturate").tolist() == [-(2**99)]


def test_wide_formats_have_no_list():
    with pytest.raises(FormatError, match="too wide to list"):
        KHot(20, 1, 2).values()


@given(st.floats(-300, 300), st.integers(1, 4), st.sampled_from(DIGITS))
def test_one_more_digit_is_never_worse(x, k, digits):
    few, more = KHot(16, 9, k, digits=digits), KHot(16, 9, k + 1, digits=digits)
    inside = min(max(x, float(few.min)), float(few.max))
    errors = [abs(float(f.dequantize(f.quantize(inside))) - inside) for f in (few, more)]
    assert errors[1] <= errors[0]
