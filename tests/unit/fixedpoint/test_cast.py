"""Casts: the conformance suite on every route, the reference, containers, bad input."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import (
    E4M3,
    OVERFLOWS,
    ROUNDINGS,
    Fixed,
    dequantize,
    quantize,
    reference_cast,
    requantize,
)
from hwmodel.fixedpoint._cast import cast_of, cast_route
from hwmodel.fixedpoint._float import exact_route, float_route, round_up_above
from tests.unit.fixedpoint.conformance import Ints, casts, formats, patterns, raws

SUITE = casts()
HALVES = np.arange(-40, 41) / 8.0
SAT = Fixed(8, 3, rounding="RND", overflow="SAT")


def reference(values: Any, fmt: Fixed) -> list[int]:
    return [reference_cast(value, fmt) for value in np.asarray(values).reshape(-1).tolist()]


# ---------------------------------------------------------------------------------------- the suite


def test_suite_has_all_modes() -> None:
    assert {(dst.rounding, dst.overflow) for _, dst, _ in SUITE} == {
        (q, o) for q in ROUNDINGS for o in OVERFLOWS
    }


def differing(cast: Any) -> list[str]:
    return [f"{src} -> {dst}" for src, dst, wanted in SUITE if cast(src, dst).tolist() != wanted.tolist()]


def test_suite_by_requantize() -> None:
    assert differing(lambda src, dst: requantize(patterns(src), src, dst)) == []


def test_suite_by_python_ints() -> None:
    assert (
        differing(lambda src, dst: cast_route(patterns(src).astype(object), cast_of(src.frac_bits, dst)))
        == []
    )


def test_suite_by_floats() -> None:
    assert differing(lambda src, dst: quantize(dequantize(patterns(src), src), dst)) == []


def test_suite_by_exact_numbers() -> None:
    assert differing(lambda src, dst: exact_route([int(r) * src.lsb for r in patterns(src)], dst)) == []


@pytest.mark.kernels
def test_suite_by_the_compiled_cast() -> None:
    from hwmodel.fixedpoint import _kernels

    def cast(src: Fixed, dst: Fixed) -> Ints:
        number, out = patterns(src), np.empty(1 << src.width, np.int64)
        _kernels.cast_numbers(number, out, cast_of(src.frac_bits, dst).words)
        return out

    assert differing(cast) == []


@pytest.mark.kernels
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_suite_by_the_compiled_cast_of_floats(real: Any) -> None:
    from hwmodel.fixedpoint import _kernels

    def cast(src: Fixed, dst: Fixed) -> Ints:
        x, out = dequantize(patterns(src), src).astype(real), np.empty(1 << src.width, np.int64)
        even, scale = int(dst.rounding == "RND_CONV"), 2.0**dst.frac_bits
        up = round_up_above(dst.rounding, np.float64)
        words = cast_of(dst.frac_bits, dst).words
        assert _kernels.cast_floats(x, out, scale, up, even, words)
        return out

    assert differing(cast) == []


@pytest.mark.kernels
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_suite_by_the_compiled_clip_of_floats(real: Any) -> None:
    from hwmodel.fixedpoint import _kernels

    def cast(src: Fixed, dst: Fixed) -> Ints:
        if dst.overflow not in ("SAT", "SAT_SYM"):
            return requantize(patterns(src), src, dst)
        x, out = dequantize(patterns(src), src).astype(real), np.empty(1 << src.width, np.int64)
        even, scale = int(dst.rounding == "RND_CONV"), real(2.0**dst.frac_bits)
        up, plan = round_up_above(dst.rounding, real), cast_of(dst.frac_bits, dst)
        low, high, limit = real(plan.low), real(plan.high), np.finfo(real).max
        assert _kernels.clip_floats(x, out, scale, up, even, low, high, limit)
        return out

    assert differing(cast) == []


# ---------------------------------------------------------------------------------------- against the reference


@given(st.data())
def test_requantize_follows_the_reference(data: st.DataObject) -> None:
    src, dst = data.draw(formats(max_width=70, max_point=70)), data.draw(formats(max_width=70, max_point=70))
    values = data.draw(st.lists(raws(src), min_size=1, max_size=8))
    wanted = [reference_cast(value * src.lsb, dst) for value in values]
    assert requantize(values, src, dst).tolist() == wanted


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=6),
    formats(max_width=70, max_point=40),
)
def test_any_float_follows_the_reference(values: list[float], fmt: Fixed) -> None:
    assert quantize(np.array(values), fmt).tolist() == reference(values, fmt)


@given(st.lists(st.floats(-100, 100, width=32), max_size=6), formats(max_width=12))
def test_near_floats_follow_the_reference(values: list[float], fmt: Fixed) -> None:
    assert quantize(np.array(values, np.float32), fmt).tolist() == reference(values, fmt)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_floats_beside_a_tie(rounding: str) -> None:
    """Adding one half in floating point would round these up."""
    fmt = Fixed(8, 8, rounding=rounding, overflow="SAT")
    ties = np.array([0.5, 1.5, 2.5])
    values = np.concatenate([ties, np.nextafter(ties, 0), np.nextafter(ties, 9)])
    values = np.concatenate([values, -values])
    assert quantize(values, fmt).tolist() == reference(values, fmt)


@pytest.mark.kernels
@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_large_arrays_follow_the_array_route(rounding: str, overflow: str) -> None:
    fmt = Fixed(8, 4, rounding=rounding, overflow=overflow)
    x = np.tile(np.concatenate([HALVES * 3, np.nextafter(HALVES, 9)]), 130).astype(np.float32)
    wanted = float_route(x[:162].astype(np.float64), fmt)
    assert np.array_equal(quantize(x, fmt).reshape(-1, 162), np.tile(wanted, (130, 1)))


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_large_arrays_in_every_container(real: Any, dtype: Any) -> None:
    x = np.linspace(-5, 5, 30_001).astype(real)
    got = quantize(x, SAT, dtype=dtype)
    assert got.dtype == dtype
    assert np.array_equal(got, np.clip(np.floor(x * 32 + 0.5), -128, 127))


@pytest.mark.kernels
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_huge_floats_in_large_arrays(overflow: str) -> None:
    fmt = Fixed(10, 4, rounding="RND_CONV", overflow=overflow)
    x = np.zeros(30_000)
    x[:6] = [1e300, -1e300, 2.0**63, -(2.0**63), 1e19, 5e-324]
    assert quantize(x, fmt)[:7].tolist() == reference(x[:7], fmt)


def test_tiny_floats_in_coarse_formats_keep_their_sign() -> None:
    fmt = Fixed(8, 40)
    assert quantize([5e-324, -5e-324, -1.0], fmt).tolist() == [0, -1, -1]


@pytest.mark.kernels
def test_large_requantize_follows_the_array_route() -> None:
    src, dst = Fixed(16, 8), Fixed(8, 5, rounding="RND_INF", overflow="SAT_SYM")
    values = np.arange(-32768, 32768)
    assert np.array_equal(requantize(values, src, dst), cast_route(values, cast_of(8, dst)))


@given(formats(max_width=60), st.data())
def test_dequantize_is_undone_by_quantize(fmt: Fixed, data: st.DataObject) -> None:
    exact = max(fmt.width - 53, 0)
    values = [raw >> exact << exact for raw in data.draw(st.lists(raws(fmt), max_size=5))]
    again = quantize(dequantize(values, fmt), Fixed(fmt.width, fmt.int_bits, fmt.signed))
    assert again.tolist() == values


# ---------------------------------------------------------------------------------------- quirks


def test_symmetric_word_of_one_bit_keeps_minus_one() -> None:
    assert quantize([-9.0, -1.0, 9.0], Fixed(1, 1, overflow="SAT_SYM")).tolist() == [-1, -1, 0]


def test_one_type_is_copied_and_not_cast() -> None:
    """As in C++: only a cast from another type takes the least number of SAT_SYM to its opposite's."""
    fmt = Fixed(6, 3, overflow="SAT_SYM")
    assert requantize([-32], fmt, fmt).tolist() == [-32]
    assert requantize([-32], Fixed(6, 3), fmt).tolist() == [-31]


def test_sign_magnitude_looks_at_the_number_before_rounding() -> None:
    """7.5 truncates to 7 = 0111 and rounds to 8 = 1000: bit 4 of the former is 0."""
    fmt = Fixed(4, 4, rounding="RND", overflow="WRAP_SM")
    assert quantize([7.5, 8.0], fmt).tolist() == [7, 7]
    assert quantize([-9.0, 16.0], fmt).tolist() == [-8, -1]


def test_more_bits_dropped_than_the_source_has() -> None:
    src = Fixed(4, -6)
    assert requantize([-1, 7, -8], src, Fixed(4, 3, rounding="TRN")).tolist() == [-1, 0, -1]
    assert requantize([-1, 7, -8], src, Fixed(4, 3, rounding="RND_INF")).tolist() == [0, 0, 0]


# ---------------------------------------------------------------------------------------- kinds of input


def test_exact_kinds_of_number() -> None:
    fmt = Fixed(8, 4, rounding="RND")
    assert int(quantize(Fraction(1, 3), fmt)) == 5
    assert quantize([Decimal("1.5"), 2, Fraction(1, 32)], fmt).tolist() == [24, 32, 1]
    assert quantize(np.array([3, -3]), fmt).tolist() == [48, -48]
    assert quantize(np.array([True, False]), fmt).tolist() == [16, 0]
    assert quantize(np.float16(0.5), fmt).tolist() == 8
    assert quantize(np.longdouble(0.5), fmt).tolist() == 8
    assert quantize(10**30, Fixed(8, 4, overflow="SAT")).tolist() == 127


def test_large_integers_in_lists_stay_exact() -> None:
    """NumPy makes a float of the second number."""
    numbers = [-1, 2**63 + 1]
    assert quantize(numbers, Fixed(70, 70)).tolist() == numbers
    assert requantize(numbers, Fixed(70, 70), Fixed(66, 66)).tolist() == numbers
    assert quantize([0.5, 2**63 + 1], Fixed(70, 68)).tolist() == [2, (2**63 + 1) * 4]


def test_shapes_are_kept() -> None:
    assert quantize(0.5, SAT).shape == ()
    assert quantize(np.zeros((2, 0, 3)), SAT).shape == (2, 0, 3)
    assert quantize([], SAT).dtype == np.int64
    assert requantize(np.zeros((2, 3), int), SAT, SAT).shape == (2, 3)
    assert np.array_equal(
        quantize(np.asfortranarray(HALVES[:80].reshape(8, 10)), SAT)[1], quantize(HALVES[10:20], SAT)
    )


def test_result_shares_no_memory_with_its_source() -> None:
    raw = np.array([1, 2, 3])
    assert not np.shares_memory(requantize(raw, SAT, SAT), raw)


def test_wide_formats_give_python_ints() -> None:
    fmt = Fixed(100, 50, overflow="SAT")
    raw = quantize([1e10, 1e30], fmt)
    assert raw.dtype == object
    assert raw.tolist() == [10**10 << 50, 2**99 - 1]
    assert requantize(raw, fmt, Fixed(36, 36)).tolist() == [10**10, -1]


def test_container_by_name_and_array() -> None:
    out = np.empty(3, np.int16)
    assert quantize([0.5, 9, -9], SAT, out=out) is out
    assert out.tolist() == [16, 127, -128]
    assert quantize([0.5], SAT, dtype="smallest").dtype == np.int8
    strided = np.zeros(6, np.int64)
    quantize([0.5, 9, -9], SAT, out=strided[::2])
    assert strided.tolist() == [16, 0, 127, 0, -128, 0]


@pytest.mark.kernels
def test_kept_memory_is_never_shared() -> None:
    x = np.zeros(1 << 20, np.float32)
    held = [quantize(x + k, SAT) for k in range(4)]
    part = quantize(x + 3, SAT)[5:10]
    held.append(quantize(x, SAT))
    assert [int(raw[7]) for raw in held] == [0, 32, 64, 96, 0]
    assert part.tolist() == [96] * 5


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_numbers_are_refused_in_every_mode(value: float, rounding: str, overflow: str) -> None:
    fmt = Fixed(8, 3, rounding=rounding, overflow=overflow)
    with pytest.raises(FormatError, match=r"x\[1\] = (nan|-?inf) has no value in ap_fixed"):
        quantize([0.0, value], fmt)
    assert quantize([0.5, value], fmt, nonfinite="zero").tolist() == [16, 0]
    low = -127 if overflow == "SAT_SYM" else -128
    wanted = 0 if np.isnan(value) else 127 if value > 0 else low
    assert quantize([0.5, value], fmt, nonfinite="saturate").tolist() == [16, wanted]


@pytest.mark.kernels
@pytest.mark.parametrize("fmt", [SAT, Fixed(8, 3), Fixed(40, 3, overflow="SAT")])
def test_non_finite_numbers_in_large_arrays(fmt: Fixed) -> None:
    x = np.ones((200, 200), np.float32)
    x[3, 4], x[5, 6] = np.inf, np.nan
    with pytest.raises(FormatError, match=r"x\[3\]\[4\] = inf"):
        quantize(x, fmt)
    raw = quantize(x, fmt, nonfinite="saturate")
    assert (raw[3, 4], raw[5, 6], raw[0, 0]) == (fmt.max_raw, 0, 1 << fmt.frac_bits)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize(["a"], SAT), "numbers are wanted"),
        (lambda: quantize([1j], SAT), "numbers are wanted"),
        (lambda: quantize([None], SAT), "None"),
        (lambda: quantize([[1.0], [1.0, 2.0]], SAT), "different lengths"),
        (lambda: quantize([Decimal("NaN")], SAT), "has no value in"),
        (lambda: quantize([1.0], 8), "is no format"),
        (lambda: quantize([1.0], SAT, nonfinite="zeros"), "did you mean"),
        (lambda: quantize([1.0], Fixed(9, 3), dtype=np.int8), "does not hold ap_fixed<9,3>"),
        (lambda: quantize([1.0], SAT, dtype=np.float32), "float32 does not hold"),
        (lambda: quantize([1.0], SAT, out=np.empty(2, np.int64)), "same shape"),
        (lambda: requantize([0.5], SAT, SAT), "quantize"),
        (lambda: requantize([True], SAT, SAT), "raw integers"),
        (lambda: requantize([[0, 128]], SAT, SAT), r"raw\[0\]\[1\] = 128 does not fit"),
        (lambda: requantize([-1], Fixed(4, 4, False), SAT), "-1 does not fit ap_ufixed<4,4>"),
        (lambda: requantize([2**70], SAT, SAT), "does not fit"),
        (lambda: requantize([1], "ap_fixd<8,3>", SAT), "is no format"),
        (lambda: dequantize([2**60 + 1], Fixed(63, 3)), "no exact float64"),
        (lambda: dequantize([1], Fixed(64, -3000)), "no exact float64"),
    ],
)
def test_bad_input_is_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        call()


def test_nearest_float_on_request() -> None:
    assert dequantize([2**60 + 1], Fixed(63, 63), exact=False).tolist() == [2.0**60]
    assert dequantize([2**62], Fixed(63, 63, False)).tolist() == [2.0**62]


@pytest.mark.parametrize("kind", [object, np.longdouble, ">f8", ">f4", np.float16])
def test_non_finite_numbers_are_replaced_whatever_holds_them(kind: Any) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.5]).astype(kind)
    assert quantize(x, SAT, nonfinite="saturate").tolist() == [0, 127, -128, 16]
    assert quantize(x, SAT, nonfinite="zero").tolist() == [0, 0, 0, 16]
    with pytest.raises(FormatError, match=r"x\[0\] = nan has no value"):
        quantize(x, SAT)


def test_non_finite_decimals_are_replaced() -> None:
    x = [Decimal("NaN"), Decimal("-Infinity"), Fraction(1, 2)]
    assert quantize(x, SAT, nonfinite="saturate").tolist() == [0, -128, 16]


@pytest.mark.parametrize("kind", [object, ">i4", "<i4"])
def test_large_results_go_into_any_container(kind: Any) -> None:
    x = np.arange(30_000) / 64.0
    out = quantize(x, SAT, dtype=kind)
    assert out.dtype == np.dtype(kind)
    assert np.array_equal(out.astype(np.int64), quantize(x, SAT))


def test_a_result_in_the_memory_of_its_source_is_right() -> None:
    memory = np.linspace(-4, 4, 40_001)
    source = memory[:-1]
    wanted = quantize(source, SAT)
    assert np.array_equal(quantize(source, SAT, out=memory[1:].view(np.int64)), wanted)


def test_an_integer_beside_a_float_is_not_rounded() -> None:
    wide = Fixed(63, 63)
    assert quantize([2**60 + 1, 0.5], wide).tolist() == [2**60 + 1, 0]


def test_integers_of_numpy_in_object_arrays_are_numbers() -> None:
    assert quantize(np.array([np.int8(3), np.True_], object), SAT).tolist() == [96, 32]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize([1.0], SAT, out=[0]), "no array that can be written"),
        (lambda: quantize([1.0], SAT, out=np.broadcast_to(np.int64(0), 1)), "no array that can be written"),
        (lambda: quantize([1.0], SAT, dtype="word"), "no container"),
        (lambda: quantize([1.0], E4M3, dtype=np.uint8), "go with Fixed only"),
        (lambda: quantize([1.0], E4M3, out=np.empty(1, np.int64)), "go with Fixed only"),
        (lambda: quantize([1.0], type(E4M3)), "no format"),
    ],
)
def test_containers_and_formats_are_checked_at_the_door(call: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        call()
