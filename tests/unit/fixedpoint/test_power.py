"""Powers of two and of its root: borders exact to the last float, by exact comparison."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import NumberFormat, dequantize, quantize
from hwmodel.fixedpoint._power import PowerOfSqrt2, PowerOfTwo

KINDS = [(kind, metric) for kind in (PowerOfTwo, PowerOfSqrt2) for metric in ("log", "linear")]


def goes_up(x, n, kind, metric):
    """Whether a positive number is nearer to step n + 1 than to step n: by squares, so without a root."""
    x, s = Fraction(x), kind.steps
    if metric == "log":  # x >= 2**((n + 1/2) / s)
        return x ** (2 * s) >= Fraction(2) ** (2 * n + 1)
    if s == 1:
        return 2 * x >= 3 * Fraction(2) ** n
    # 2x >= sqrt2**n * (1 + sqrt2); with sqrt2**n = r or r * sqrt2 this is 2x - r >= r sqrt2, or 2x - 2r >= r sqrt2
    r = Fraction(2) ** (n // 2)
    rest = 2 * x - (r if n % 2 == 0 else 2 * r)
    return rest >= 0 and rest**2 >= 2 * r**2


@pytest.mark.parametrize(("kind", "metric"), KINDS)
def test_borders_are_exact(kind, metric):
    fmt = kind(-9, 9, metric=metric, zero=False, signed=False)
    for n in range(-9, 9):
        low, high = fmt.dequantize([n + 9, n + 10])
        border = low
        step = (high - low) / 2
        while step:  # the last float that stays down
            if border + step != border and not goes_up(border + step, n, kind, metric):
                border += step
            step = step / 2 if step > np.spacing(border) / 4 else 0
        assert fmt.quantize(border) == n + 9
        assert fmt.quantize(np.nextafter(border, np.inf)) == n + 10
        assert goes_up(np.nextafter(border, np.inf), n, kind, metric)


@pytest.mark.parametrize(("kind", "metric"), KINDS)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("zero", [True, False])
def test_every_value_comes_back(kind, metric, signed, zero):
    fmt = kind(-5, 3, signed, zero, metric)
    values = fmt.values()
    assert len(set(values)) == len(values) == (9 + zero) * (1 + signed) - (zero and signed)
    np.testing.assert_array_equal(fmt.dequantize(fmt.quantize(values)), values)
    assert fmt.quantize(values).max() < 1 << fmt.width


def test_values_are_the_powers():
    assert PowerOfTwo(-2, 1).values().tolist() == [0, 0.25, 0.5, 1, 2, -0.25, -0.5, -1, -2]
    np.testing.assert_allclose(PowerOfSqrt2(-2, 2, signed=False).values()[1:], 2.0 ** np.arange(-1, 1.5, 0.5))


@pytest.mark.parametrize(
    ("metric", "x", "want"),
    [
        ("log", 0.176, 0.0),  # zero stands one step below 1/4: the border is 2**-2.5 = 0.1767
        ("log", 0.177, 0.25),
        ("linear", 0.1249, 0.0),
        ("linear", 0.125, 0.25),
        ("log", 0.72, 1.0),
        ("linear", 0.72, 0.5),
        ("linear", 0.75, 1.0),
        ("log", -1e300, -2.0),
    ],
)
def test_metrics_differ(metric, x, want):
    fmt = PowerOfTwo(-2, 1, metric=metric)
    assert float(fmt.dequantize(fmt.quantize(x))) == want


def test_root_linear_border_of_zero():
    for least in (-3, -4):
        fmt = PowerOfSqrt2(least, 0, metric="linear")
        border = fmt.dequantize(1) / 2
        assert fmt.quantize([np.nextafter(border, 0), border]).tolist() == [0, 1]


def test_without_sign_or_zero():
    fmt = PowerOfTwo(-2, 1, signed=False, zero=False)
    assert fmt.dequantize(fmt.quantize([-3, 0, 0.01, 9])).tolist() == [0.25, 0.25, 0.25, 2]
    assert (fmt.min, fmt.max, fmt.width) == (0.25, 2, 2)


def test_a_negative_zero_decodes_to_zero():
    assert PowerOfTwo(-2, 1).dequantize(0b1000) == 0


def test_exponents_are_shifts():
    fmt = PowerOfTwo(-3, 2)
    x = np.array([0.125, -4, 1])
    assert fmt.exponents(fmt.quantize(x)).tolist() == [-3, 2, 0]
    assert PowerOfTwo(-3, 2, zero=False).exponents(0) == -3
    with pytest.raises(FormatError, match=r"raw\[1\] is zero"):
        fmt.exponents([1, 0])


@pytest.mark.parametrize("fmt", [PowerOfTwo(-3, 0), PowerOfSqrt2(-6, 2, False, False, "linear")], ids=repr)
def test_repr_is_the_call(fmt):
    assert eval(repr(fmt), {"PowerOfTwo": PowerOfTwo, "PowerOfSqrt2": PowerOfSqrt2}) == fmt


def test_the_two_kinds_are_never_equal():
    assert PowerOfTwo(-3, 0) != PowerOfSqrt2(-3, 0)


def test_the_shared_doors_take_it():
    fmt = PowerOfTwo(-3, 0)
    assert isinstance(fmt, NumberFormat)
    assert dequantize(quantize([0.3, -9], fmt), fmt).tolist() == [0.25, -1]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((1, 0), "min_exponent=1 exceeds max_exponent=0"),
        ((-3, 2000), "max_exponent=2000 is outside"),
        ((-3.5, 0), "no whole number"),
        ((0, 0, False, False), "has one value only"),
        ((0, 1, 2), "signed=2 is neither"),
        ((0, 1, True, True, "cubic"), "unknown metric 'cubic'"),
    ],
)
def test_nonsense_is_refused(parts, message):
    with pytest.raises(FormatError, match=message):
        PowerOfTwo(*parts)


def test_unused_codes_are_refused():
    with pytest.raises(FormatError, match=r"raw\[1\] = 7 stands for no number"):
        PowerOfTwo(-3, 0).dequantize([0, 7])
    with pytest.raises(FormatError, match="raw = 16 is no code"):
        PowerOfTwo(-3, 0).dequantize(16)


def test_nan_is_refused_or_zero():
    fmt = PowerOfTwo(-3, 0)
    with pytest.raises(FormatError, match="x = nan has no code"):
        fmt.quantize(np.nan)
    assert fmt.dequantize(fmt.quantize([np.nan, -np.inf], nonfinite="saturate")).tolist() == [0, -1]


@given(st.floats(1e-6, 1e6), st.sampled_from(KINDS))
def test_no_other_value_is_nearer(x, kind_metric):
    kind, metric = kind_metric
    fmt = kind(-30, 30, zero=False, signed=False, metric=metric)
    code = int(fmt.quantize(x))
    if code:
        assert goes_up(x, code - 31, kind, metric)
    if code < 60:
        assert not goes_up(x, code - 30, kind, metric)
