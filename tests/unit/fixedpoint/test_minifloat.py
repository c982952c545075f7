"""Minifloats: equal to NumPy's float16 and float32, and to a search over all values for any split."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import NumberFormat, dequantize, quantize
from hwmodel.fixedpoint._minifloat import (
    BFLOAT16,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    FLOAT16,
    FLOAT_ROUNDINGS,
    Minifloat,
)

PRESETS = (E4M3, E5M2, E2M1, E2M3, E3M2, FLOAT16, BFLOAT16)


def around(values):
    """Every value, every middle between neighbours, and the floats on both sides of each."""
    known = np.unique(values[np.isfinite(values)])
    points = np.concatenate([known, (known[1:] + known[:-1]) / 2, [2 * known[-1], 1e300, 1e-300, 5e-324]])
    points = np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf)])
    return np.concatenate([points, -points])


def test_every_float16_decodes():
    codes = np.arange(1 << 16)
    want = codes.astype(np.uint16).view(np.float16).astype(np.float64)
    got = FLOAT16.dequantize(codes)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def test_float16_rounds_as_numpy_does():
    x = around(FLOAT16.values())
    with np.errstate(over="ignore", under="ignore"):
        want = x.astype(np.float16).view(np.uint16)
    np.testing.assert_array_equal(FLOAT16.quantize(x), want)


def test_float32_is_the_split_8_23():
    x = np.random.default_rng(1).standard_normal(2000) * 2.0 ** np.arange(-170, 130).repeat(7)[:2000]
    with np.errstate(over="ignore", under="ignore"):
        want = x.astype(np.float32).view(np.uint32)
    fmt = Minifloat(8, 23)
    np.testing.assert_array_equal(fmt.quantize(x), want)
    np.testing.assert_array_equal(fmt.dequantize(want), want.view(np.float32).astype(np.float64))


def test_ml_dtypes_agrees():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for fmt, name in ((E4M3, "float8_e4m3fn"), (E5M2, "float8_e5m2")):
        kind = getattr(ml_dtypes, name)
        codes = np.arange(256)
        np.testing.assert_array_equal(fmt.values(), codes.astype(np.uint8).view(kind).astype(np.float64))
        with np.errstate(over="ignore", under="ignore"):
            x = around(fmt.values()).astype(np.float32)
            want = x.astype(kind).astype(np.float64)
        np.testing.assert_array_equal(fmt.dequantize(fmt.quantize(x)), want)


def test_ocp_values():
    assert (E4M3.max, E4M3.min_normal, E4M3.lsb, E4M3.width) == (448, Fraction(1, 64), Fraction(1, 512), 8)
    assert (E5M2.max, E5M2.min_normal, E5M2.lsb) == (57344, Fraction(1, 2**14), Fraction(1, 2**16))
    assert (E2M1.max, E2M3.max, E3M2.max) == (6, Fraction(15, 2), 28)
    assert np.isnan(E4M3.values()).sum() == 2
    assert np.isinf(E5M2.values()).sum() == 2
    assert np.isnan(E5M2.values()).sum() == 6
    assert np.isfinite(E2M1.values()).all()


@pytest.mark.parametrize("rounding", FLOAT_ROUNDINGS)
@pytest.mark.parametrize(
    "split",
    [
        {"exponent_bits": 2, "mantissa_bits": 1},
        {"exponent_bits": 3, "mantissa_bits": 2, "has_subnormals": False},
        {"exponent_bits": 4, "mantissa_bits": 3, "has_inf": False, "bias": 11},
        {"exponent_bits": 3, "mantissa_bits": 0, "has_inf": False, "has_nan": False},
        {"exponent_bits": 0, "mantissa_bits": 3, "has_inf": False, "has_nan": False, "bias": -2},
        {"exponent_bits": 3, "mantissa_bits": 1, "has_nan": False},
    ],
    ids=str,
)
def test_any_split_rounds_to_what_a_search_finds(split, rounding):
    fmt = Minifloat(**split, rounding=rounding)
    sat = Minifloat(**split, rounding=rounding, overflow="SAT")
    values = fmt.values()
    half = 1 << (fmt.width - 1)
    finite = [i for i in range(half) if np.isfinite(values[i])]
    if not fmt.has_subnormals:  # the codes below the least normal number are never written
        finite = [0, *(i for i in finite if i >= 1 << fmt.mantissa_bits)]
    steps = [Fraction(v) for v in values[finite]]
    # One further step decides what is beyond the greatest.
    steps.append(2 * steps[-1] - (steps[-2] if fmt.mantissa_bits else 0))
    xs = around(values)
    for x, code, saturated in zip(xs, fmt.quantize(xs), sat.quantize(xs), strict=True):
        index = search(x, steps, fmt)
        sign = half * bool(np.signbit(x))
        if index < len(finite):
            assert code == saturated == sign + finite[index], x
        else:
            assert saturated == sign + finite[-1], x


def search(x, steps, fmt):
    """The place among the magnitudes that one number rounds to."""
    size = abs(Fraction(float(x)))
    below = bisect_right(steps, size) - 1
    if below == len(steps) - 1:
        return below
    low, high = size - steps[below], steps[below + 1] - size
    code = below and below + (0 if fmt.has_subnormals else (1 << fmt.mantissa_bits) - 1)
    odd = code % 2 == 1 if fmt.mantissa_bits else code > 0
    up = {
        "TIES_EVEN": low > high or low == high and odd,
        "TIES_AWAY": low >= high,
        "TO_ZERO": False,
        "UP": low > 0 and x > 0,
        "DOWN": low > 0 and x < 0,
    }[fmt.rounding]
    return below + up


@pytest.mark.parametrize("fmt", PRESETS, ids=str)
def test_every_code_comes_back(fmt):
    codes = np.arange(1 << fmt.width)
    values = fmt.dequantize(codes)
    known = ~np.isnan(values)
    np.testing.assert_array_equal(fmt.quantize(values[known]), codes[known])
    again = fmt.dequantize(fmt.quantize(values[~known]))
    assert np.isnan(again).all()


def test_infinity_follows_the_direction_of_rounding():
    x = [1e9, -1e9]
    codes = {
        q: Minifloat(5, 2, rounding=q).dequantize(Minifloat(5, 2, rounding=q).quantize(x)).tolist()
        for q in FLOAT_ROUNDINGS
    }
    top, inf = 57344.0, np.inf
    assert codes == {
        "TIES_EVEN": [inf, -inf],
        "TIES_AWAY": [inf, -inf],
        "TO_ZERO": [top, -top],
        "UP": [inf, -top],
        "DOWN": [top, -inf],
    }


def test_overflow_is_chosen():
    assert np.isnan(E4M3.dequantize(E4M3.quantize([465, -np.inf]))).all()
    assert E4M3.saturating().dequantize(E4M3.saturating().quantize([465, -np.inf])).tolist() == [448, -448]
    nan = Minifloat(5, 2, overflow="nan")
    assert np.isnan(nan.dequantize(nan.quantize(1e9)))


def test_zero_keeps_its_sign():
    assert E4M3.quantize([0.0, -0.0, -1e-9]).tolist() == [0, 128, 128]


def test_what_has_no_code_is_refused_or_replaced():
    with pytest.raises(FormatError, match=r"x\[1\] = nan has no code in E2M1"):
        E2M1.quantize([1, np.nan])
    with pytest.raises(FormatError, match=r"x = inf has no code"):
        E2M1.quantize(np.inf)
    assert E2M1.dequantize(E2M1.quantize([np.nan, -np.inf, 1], nonfinite="saturate")).tolist() == [0, -6, 1]
    assert E2M1.dequantize(E2M1.quantize([np.nan, -np.inf, 1], nonfinite="zero")).tolist() == [0, 0, 1]
    with pytest.raises(FormatError, match="unknown nonfinite 'best'"):
        E2M1.quantize(np.nan, nonfinite="best")


@pytest.mark.parametrize("fmt", [*PRESETS, Minifloat(3, 2, 5, False, False, False, "up", "sat")], ids=repr)
def test_repr_is_the_call(fmt):
    assert eval(repr(fmt), {"Minifloat": Minifloat}) == fmt


def test_the_shared_doors_take_it():
    assert isinstance(E4M3, NumberFormat)
    raw = quantize([0.3, -2], E4M3)
    assert raw.tolist() == E4M3.quantize([0.3, -2]).tolist()
    assert dequantize(raw, E4M3).tolist() == [0.3125, -2]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"exponent_bits": 12}, "exponent_bits=12 is outside 0..11"),
        ({"exponent_bits": 2.5}, "exponent_bits=2.5 is no whole number"),
        ({"mantissa_bits": 0}, "no codes for both infinity and NaN"),
        ({"has_inf": 1}, "has_inf=1 is neither"),
        ({"has_inf": False, "overflow": "INF"}, "overflow='INF' needs infinity; take overflow='SAT'"),
        ({"has_nan": False, "overflow": "NAN"}, "needs NaN"),
        ({"rounding": "nearst"}, "did you mean 'nearest'"),
        ({"exponent_bits": 11, "mantissa_bits": 52}, "has 64 bits"),
        ({"bias": 1200}, "beyond float64"),
        ({"exponent_bits": 0, "has_inf": False, "has_subnormals": False}, "set has_subnormals=True"),
    ],
)
def test_contradictions_are_refused(parts, message):
    with pytest.raises(FormatError, match=message):
        Minifloat(**{"exponent_bits": 4, "mantissa_bits": 3, **parts})


@pytest.mark.parametrize("raw", [256, -1, [0, 300]])
def test_a_foreign_code_is_refused(raw):
    with pytest.raises(FormatError, match="is no code of E4M3"):
        E4M3.dequantize(raw)


def test_numbers_that_float64_does_not_hold_are_refused():
    with pytest.raises(FormatError, match=r"x\[0\] = 9007199254740993 is no float64"):
        FLOAT16.quantize([2**53 + 1])
    with pytest.raises(FormatError, match="x holds <U1"):
        FLOAT16.quantize(["a"])


def test_wide_formats_have_no_list():
    with pytest.raises(FormatError, match="has 2\\*\\*32 values"):
        Minifloat(8, 23).values()


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(PRESETS))
def test_directed_roundings_enclose(x, fmt):
    parts = (fmt.exponent_bits, fmt.mantissa_bits, fmt.bias, fmt.has_inf, fmt.has_nan)
    down, up = (Minifloat(*parts, rounding=q, overflow="SAT") for q in ("DOWN", "UP"))
    low, high = (float(f.dequantize(f.quantize(x))) for f in (down, up))
    clipped = min(max(Fraction(x), fmt.min), fmt.max)
    assert Fraction(low) <= clipped <= Fraction(high)


@pytest.mark.parametrize("given", [[None], np.array(["0.5"], object), [2**60 + 1, 0.5]])
def test_what_is_no_number_or_no_float_is_refused(given):
    with pytest.raises(FormatError, match=r"wanted|is no float64"):
        E4M3.quantize(given)


def test_a_format_without_any_number_but_zero_is_refused():
    with pytest.raises(FormatError, match="a number is left"):
        Minifloat(1, 4, has_subnormals=False)


def test_the_name_of_what_happens_to_nan_is_taken_in_any_case():
    assert (
        E2M1.quantize([np.nan], nonfinite="ZERO").tolist()
        == quantize([np.nan], E2M1, nonfinite="Zero").tolist()
    )
