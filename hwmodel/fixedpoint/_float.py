"""Floats to raws and back, exactly: every float is a whole number of some power of two.

Three routes give the same raws. Large arrays go through compiled loops, in parts on all cores; small ones through
NumPy in float64; what leaves the exact range of either (numbers of 2**62 lsb and more, Fractions, wide formats)
through Python ints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import _memory
from hwmodel.fixedpoint._cast import COMPILED_SIZE, JIT, cast_array, cast_of, cast_route, overflow
from hwmodel.fixedpoint._codes import as_reals
from hwmodel.fixedpoint._format import (
    Fixed,
    NonFinite,
    NumberFormat,
    holds,
    nonfinite_mode,
    smallest_dtype,
)
from hwmodel.fixedpoint._raw import Raws, as_format, as_integers, as_numbers, as_raw, bounds
from hwmodel.fixedpoint._report import active

Floats = npt.NDArray[Any]  # float32 or float64

HUGE = 2.0**62  # lsb; from here on int64 is too small
MAX_SCALE = 800  # a float scaled by 2**-800 .. 2**800 in float64; beyond, Python ints
PART = 1 << 18  # numbers a part, where a large array is split over the cores
SPLIT_SIZE = 1 << 21

# Whether a magnitude is rounded up: where its fraction exceeds this, for positive and for negative numbers. Where a
# tie goes up, the bound is the float just below one half.
UP, TIE_UP, TIE_DOWN, NEVER = 0.0, -0.5, 0.5, 1.0
ROUND_UP_ABOVE = {
    "RND": (TIE_UP, TIE_DOWN),
    "RND_ZERO": (TIE_DOWN, TIE_DOWN),
    "RND_MIN_INF": (TIE_DOWN, TIE_UP),
    "RND_INF": (TIE_UP, TIE_UP),
    "TRN": (NEVER, UP),
    "TRN_ZERO": (NEVER, NEVER),
    "RND_CONV": (TIE_DOWN, TIE_DOWN),  # and up on a tie with an odd last bit
}


def round_up_above(rounding: str, dtype: Any) -> Floats:
    """Give the two bounds of a rounding in float32 or float64."""
    below_half = np.nextafter(np.asarray(0.5, dtype), np.asarray(0, dtype))
    return np.array([below_half if bound == TIE_UP else bound for bound in ROUND_UP_ABOVE[rounding]], dtype)


def is_other_format(fmt: Any) -> TypeGuard[NumberFormat]:
    """Tell whether a format is one of those that are not `Fixed`; its class is none."""
    return not isinstance(fmt, Fixed | str | type) and isinstance(fmt, NumberFormat)


def quantize(
    x: Any,
    fmt: Fixed | str | NumberFormat,
    *,
    nonfinite: NonFinite = "error",
    dtype: Any = None,
    out: Raws | None = None,
) -> Raws:
    """Cast numbers to raws, as the constructor of `ap_fixed` from a double does.

    Parameters:
        x: floats, integers, Fractions or Decimals of any shape.
        fmt: the format; its rounding and overflow say how.
        nonfinite: "error" refuses NaN and infinities; "saturate" takes infinities to the ends of the range and NaN
            to 0; "zero" takes all three to 0. The overflow mode has no say in it.
        dtype: container of the result: None for int64 (object above 63 bits), "smallest", or an integer dtype that
            holds the format. A smaller one is faster, because less memory is written.
            The memory of the last two results of 8 to 96 MB is used again once nobody holds them.
        out: array for the result, of the shape of `x`.

    Returns:
        Raws of the shape of `x`.

    Source: AMD ap_types headers, ap_fixed_base.h, constructor from double.

    Raises:
        FormatError: for NaN and infinities, other types, or a container that does not hold the format.

    Example:
        >>> quantize([0.3, -1.5, 9.0], Fixed(8, 3, rounding="RND", overflow="SAT"))
        array([ 10, -48, 127])
        >>> quantize([0.3, -1.5, 9.0], Fixed(8, 3), dtype="smallest")
        array([  9, -48,  32], dtype=int8)
    """
    mode = nonfinite_mode(nonfinite)
    array = numbers_of(x)
    if is_other_format(fmt):
        if dtype is not None or out is not None:
            raise FormatError(f"dtype and out go with Fixed only; write quantize(x, {fmt}).astype(dtype)")
        codes = fmt.encode(as_reals(array, fmt), mode)
        if (observer := active()) is not None:
            observer.quantized(array, fmt, codes)
        return codes
    target = as_format(fmt)
    result = _container(array.shape, target, dtype, out)
    if out is not None and np.may_share_memory(array, out):
        array = array.copy()  # else numbers would be overwritten before they are read
    if array.dtype.kind != "f":
        result[...] = _exact(array, target, mode)
    else:
        _from_floats(array, result, target, mode)
    if (observer := active()) is not None:
        observer.quantized(array, target, result)
    return result


def _from_floats(array: Floats, result: Raws, target: Fixed, mode: str) -> None:
    flat = np.ascontiguousarray(array).reshape(-1)
    direct = result.flags.c_contiguous
    raws = result.reshape(-1) if direct else np.empty(flat.size, result.dtype)
    if not _fill(flat, raws, target):
        special = ~np.isfinite(flat)
        _refuse(array, special, target, mode)
        _fill(np.where(special, flat.dtype.type(0), flat), raws, target)
        _put_ends(flat, raws, target, mode)
    if not direct:
        result[...] = raws.reshape(result.shape)


def numbers_of(x: Any) -> npt.NDArray[Any]:
    """Give floats as float32 or float64, integers as int64 or object, other exact numbers as object.

    Raises:
        FormatError: for what is no array of numbers.
    """
    array = as_numbers(x, "x")
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:  # whatever the order of their bytes
        return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32, copy=False)
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind in "iu":
        return as_integers(array, "x")
    if array.dtype.kind in "fO":
        return array.astype(object)
    raise FormatError(f"x holds {array.dtype} where numbers are wanted; give floats, integers or Fractions")


def _container(shape: tuple[int, ...], fmt: Fixed, dtype: Any, out: Raws | None) -> Raws:
    if out is not None:
        if not isinstance(out, np.ndarray) or not out.flags.writeable:
            raise FormatError("out is no array that can be written; give one, such as np.empty(x.shape, int)")
        if out.shape != shape:
            raise FormatError(f"out has shape {out.shape}, the numbers have {shape}; give it the same shape")
        kind = out.dtype
    elif dtype is None:
        kind = fmt.dtype
    else:
        kind = smallest_dtype(fmt) if isinstance(dtype, str) and dtype == "smallest" else _dtype(dtype)
    if not holds(kind, fmt):
        raise FormatError(
            f"{kind} does not hold {fmt} ({fmt.min_raw}..{fmt.max_raw}); take {smallest_dtype(fmt)}"
        )
    return _memory.empty(shape, kind) if out is None else out


def _dtype(given: Any) -> np.dtype[Any]:
    try:
        kind: np.dtype[Any] = np.dtype(given)
    except TypeError:
        raise FormatError(f"dtype={given!r} is no container; take 'smallest' or an integer dtype") from None
    return kind


def _fill(x: Floats, out: Raws, fmt: Fixed) -> bool:
    """Write the raws of floats; False where some are not finite, and then `out` holds rubbish."""
    if JIT and x.size >= COMPILED_SIZE and out.dtype.isnative and out.dtype != object:
        loop = _compiled(x.dtype, fmt)
        if loop is not None:
            return _run_compiled(loop, x, out, fmt)
    if not np.isfinite(x).all():
        return False
    for begin in range(0, x.size, PART):
        part = slice(begin, begin + PART)
        out[part] = float_route(x[part].astype(np.float64), fmt)
    return True


def _refuse(array: npt.NDArray[Any], special: npt.NDArray[np.bool_], fmt: Fixed, mode: str) -> None:
    """Refuse NaN and infinities, whose places are given, where the mode says so."""
    if mode == "error":
        place = np.unravel_index(int(np.flatnonzero(special)[0]), array.shape)
        index = "".join(f"[{i}]" for i in place)
        raise FormatError(
            f"x{index} = {array[place]} has no value in {fmt}; remove it, or pass nonfinite='saturate' or 'zero'"
        )


def _put_ends(x: npt.NDArray[Any], out: Raws, fmt: Fixed, mode: str) -> None:
    """Put the ends of the range where infinities were."""
    if mode == "saturate":
        out[x == np.inf] = fmt.max_raw
        out[x == -np.inf] = cast_of(0, fmt).low


# --------------------------------------------------------------------------------------------- exact numbers


def _exact(array: npt.NDArray[Any], fmt: Fixed, mode: str) -> Raws:
    if array.dtype == np.int64:
        low, high = bounds(array)
        return cast_array(array, max(high, -low - 1).bit_length(), cast_of(0, fmt))
    flat = array.reshape(-1)
    special = np.fromiter((is_special(number) for number in flat), bool, flat.size)
    if not special.any():
        return exact_route(flat, fmt).reshape(array.shape)
    _refuse(array, special, fmt, mode)
    raws = exact_route(np.where(special, 0, flat), fmt)
    _put_ends(flat, raws, fmt, mode)
    return raws.reshape(array.shape)


def is_special(number: Any) -> bool:
    """Tell whether a number of an object array is NaN or an infinity."""
    if isinstance(number, Decimal):
        return not number.is_finite()
    return isinstance(number, float | np.floating) and not np.isfinite(number)


def exact_route(numbers: Iterable[Any], fmt: Fixed) -> Raws:
    """Cast exact numbers by Python ints: three bits below the last one, with a sticky bit, decide every rounding."""
    shift = fmt.frac_bits + 2
    words = []
    for number in numbers:
        top, bottom = ratio(number)
        whole, rest = divmod(top << max(shift, 0), bottom << max(-shift, 0))
        words.append(whole << 1 | int(rest != 0))
    array = np.empty(len(words), object)
    array[:] = words
    return cast_route(array, cast_of(shift + 1, fmt)).astype(fmt.dtype)


def ratio(number: Any) -> tuple[int, int]:
    """Give a finite number as a quotient.

    Raises:
        FormatError: for what is no number.
    """
    if isinstance(number, np.bool_ | np.integer):
        return int(number), 1
    if isinstance(number, int | float | Fraction | Decimal | np.floating):
        top, bottom = number.as_integer_ratio()
        return int(top), int(bottom)
    raise FormatError(f"x holds {number!r} where numbers are wanted; give floats, integers or Fractions")


# --------------------------------------------------------------------------------------------- floats by NumPy


def float_route(x: npt.NDArray[np.float64], fmt: Fixed) -> Raws:
    """Cast finite float64 numbers by NumPy."""
    if abs(fmt.frac_bits) > MAX_SCALE or fmt.dtype == object:
        return exact_route(x, fmt)
    with np.errstate(over="ignore", under="ignore"):
        y = x * 2.0**fmt.frac_bits
    huge = np.abs(y) >= HUGE
    y[huge] = 0
    lost = (y == 0) & (x != 0) & ~huge
    y[lost] = np.copysign(np.finfo(np.float64).tiny, x[lost])  # any number as small rounds the same way
    if fmt.rounding == "RND_CONV":
        rounded = np.rint(y).astype(np.int64)
    else:
        up = round_up_above(fmt.rounding, np.float64)
        magnitude = np.abs(y)
        whole = np.floor(magnitude)
        negative = y < 0
        size = whole.astype(np.int64) + (magnitude - whole > np.where(negative, up[1], up[0]))
        rounded = np.where(negative, -size, size)
    raws = overflow(rounded, np.floor(y).astype(np.int64), cast_of(fmt.frac_bits, fmt))
    if huge.any():
        raws = np.array(raws)
        raws[huge] = exact_route(x[huge], fmt)
    return raws


# --------------------------------------------------------------------------------------------- compiled floats

Loop = Callable[[Floats, Raws], bool]


def _compiled(dtype: Any, fmt: Fixed) -> Loop | None:
    """Choose the compiled loop by what its arithmetic holds exactly; None where there is none."""
    from hwmodel.fixedpoint import _kernels

    least_scale = -MAX_SCALE if dtype == np.float32 else 0
    if fmt.dtype == object or not least_scale <= fmt.frac_bits <= MAX_SCALE:
        return None
    clipped = fmt.overflow in ("SAT", "SAT_SYM") and fmt.magnitude_bits <= 31
    single = clipped and dtype == np.float32 and fmt.magnitude_bits <= 24 and 0 <= fmt.frac_bits <= 126
    real: Any = np.float32 if single else np.float64
    scale, up = real(2.0**fmt.frac_bits), round_up_above(fmt.rounding, real)
    cast, even = cast_of(fmt.frac_bits, fmt), int(fmt.rounding == "RND_CONV")
    if not clipped:
        return lambda x, out: bool(_kernels.cast_floats(x, out, scale, up, even, cast.words))
    low, high, limit = real(cast.low), real(cast.high), np.finfo(dtype).max
    return lambda x, out: bool(_kernels.clip_floats(x, out, scale, up, even, low, high, limit))


def _run_compiled(loop: Loop, x: Floats, out: Raws, fmt: Fixed) -> bool:
    """Run a loop over all numbers, then see to those that were too large for it."""
    cores = os.cpu_count() or 1
    if x.size < SPLIT_SIZE or cores == 1:
        fine = loop(x, out)
    else:
        parts = [slice(begin, begin + PART) for begin in range(0, x.size, PART)]
        with ThreadPoolExecutor(min(cores, 8)) as pool:
            fine = all(list(pool.map(lambda part: loop(x[part], out[part]), parts)))
    if fine:
        return True
    if not np.isfinite(x).all():
        return False
    with np.errstate(over="ignore"):
        huge = np.abs(x.astype(np.float64) * 2.0**fmt.frac_bits) >= HUGE
    out[huge] = exact_route(x[huge], fmt)
    return True


# --------------------------------------------------------------------------------------------- raws to floats


def dequantize(raw: Any, fmt: Fixed | str | NumberFormat, *, exact: bool = True) -> npt.NDArray[np.float64]:
    """Give the values of raws as float64.

    Parameters:
        raw: integers of any shape.
        fmt: their format.
        exact: refuse a raw whose value float64 does not hold; False gives the nearest float.

    Raises:
        FormatError: where a raw does not fit the format, or has no exact float64.

    Example:
        >>> dequantize([9, -48], Fixed(8, 3))
        array([ 0.28125, -1.5    ])
    """
    if is_other_format(fmt):
        return fmt.decode(as_integers(raw, "raw"))
    source = as_format(fmt)
    array = as_raw(raw, source)
    if array.dtype != object and abs(source.frac_bits) <= MAX_SCALE:
        floats = array.astype(np.float64)
        # 2**63 - 1 rounds up to 2**63, so the comparison needs the range of int64 as well.
        same = np.abs(floats) < 2.0**63
        same &= np.where(same, floats, 0).astype(np.int64) == array
        values = floats * 2.0**-source.frac_bits
    else:
        values, same = _python_floats(array, source)
    if exact and not same.all():
        place = np.unravel_index(int(np.flatnonzero(~same.reshape(-1))[0]), array.shape)
        index = "".join(f"[{i}]" for i in place)
        raise FormatError(
            f"raw{index} = {array[place]} of {source} has no exact float64; pass exact=False for the nearest"
        )
    return np.asarray(values, np.float64)


def _python_floats(array: Raws, fmt: Fixed) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    values, same = np.empty(array.size), np.empty(array.size, bool)
    for k, item in enumerate(array.reshape(-1)):
        value = int(item) * fmt.lsb
        try:
            values[k] = float(value)
            same[k] = Fraction(values[k]) == value
        except OverflowError:
            raise FormatError(
                f"{item} of {fmt} exceeds the range of float64; use fmt.lsb and Fractions"
            ) from None
    return values.reshape(array.shape), same.reshape(array.shape)
