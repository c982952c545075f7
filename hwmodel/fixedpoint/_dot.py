"""Sums of products: cast at each step as a loop in HLS does, or once at the end as an adder tree does.

The container follows from a bound on every partial sum, worked out from the operands themselves: float32 or float64
BLAS below 2**24 or 2**53, where each of its sums is exact; int64 below 2**63; Python ints beyond. Where that bound
shows that no step rounds or leaves the accumulator, the casts at each step change nothing and BLAS serves as well.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._cast import (
    INT64_BITS,
    JIT,
    Cast,
    cast_array,
    cast_of,
    overflow,
    shift_and_round,
    truncate,
)
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._raw import Raws, as_format, as_raw, bounds
from hwmodel.fixedpoint._report import active

COMPILED_COPY = 10_000  # numbers from which on a compiled copy is worth its call
COMPILED_STEPS = 20_000  # multiplications from which on a compiled loop is
FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53
INT64_EXACT = (1 << 63) - 1


def accumulator_format(a: Fixed | str, b: Fixed | str, terms: int) -> Fixed:
    """Give the narrowest format that holds every sum of so many products exactly.

    Parameters:
        a: format of one factor.
        b: format of the other.
        terms: products in the sum, at least 1.

    Raises:
        FormatError: for fewer than one term.

    Example:
        >>> print(accumulator_format(Fixed(8, 3), Fixed(8, 1), 16))
        ap_fixed<20,8>
    """
    first, second = as_format(a, "a"), as_format(b, "b")
    if not hasattr(terms, "__index__") or terms < 1:
        raise FormatError(f"a sum of {terms!r} products; give a whole number of at least 1")
    corners = [x * y for x in (first.min_raw, first.max_raw) for y in (second.min_raw, second.max_raw)]
    low, high = min(0, *corners) * terms, max(corners) * terms
    width = max(max(high, -low - 1).bit_length() + (low < 0), 1)
    return Fixed(width, width - first.frac_bits - second.frac_bits, low < 0)


def dot(
    a_raw: Any,
    a_fmt: Fixed | str,
    b_raw: Any,
    b_fmt: Fixed | str,
    accumulator: Fixed | str | None = None,
    each_step: bool = True,
    start: Any = None,
) -> Raws:
    """Give the sums of products along the last axis, as raws of the accumulator.

    Parameters:
        a_raw: raws, shape (..., terms).
        a_fmt: their format.
        b_raw: raws, shape (..., terms); the leading axes broadcast.
        b_fmt: their format.
        accumulator: format of the sum; None takes `accumulator_format`, in which nothing is lost. With `start`
            the sum may then need one bit more.
        each_step: True casts after each `acc += a * b` in index order, as a loop in HLS does; False casts the exact
            sum once, as an adder tree does.
        start: raws of the accumulator to begin with, such as a bias; shape of the result or broadcast to it.

    Raises:
        FormatError: for raws outside their format, or shapes that do not fit.

    Example:
        >>> acc = Fixed(8, 8, overflow="SAT")
        >>> int(dot([100, 100, -100], Fixed(8, 8), [1, 1, 1], Fixed(8, 8), acc))
        27
        >>> int(dot([100, 100, -100], Fixed(8, 8), [1, 1, 1], Fixed(8, 8), acc, each_step=False))
        100
    """
    first, second = as_format(a_fmt, "a_fmt"), as_format(b_fmt, "b_fmt")
    a, b = as_raw(a_raw, first, "a_raw"), as_raw(b_raw, second, "b_raw")
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-1]:
        raise FormatError(
            f"dot: shapes {a.shape} and {b.shape} need the same last axis, the terms of the sum"
        )
    leading = _leading("dot", a.shape[:-1], b.shape[:-1])
    given, target = sum_formats(first, second, accumulator, a.shape[-1], start)
    begin = _start(start, given, leading)
    if b.ndim == 1:
        rows = a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
        column = _reshaped(begin, (-1, 1))
        return _product(rows, first, b[:, None], second, target, each_step, column, leading)
    x, y = np.broadcast_to(a, (*leading, a.shape[-1])), np.broadcast_to(b, (*leading, b.shape[-1]))
    begin = _reshaped(begin, (*leading, 1, 1))
    return _product(x[..., None, :], first, y[..., None], second, target, each_step, begin, leading)


def matmul(
    a_raw: Any,
    a_fmt: Fixed | str,
    b_raw: Any,
    b_fmt: Fixed | str,
    accumulator: Fixed | str | None = None,
    each_step: bool = True,
    start: Any = None,
) -> Raws:
    """Give the matrix product as raws of the accumulator.

    Parameters:
        a_raw: raws, shape (..., rows, terms), or (terms,).
        a_fmt: their format.
        b_raw: raws, shape (..., terms, columns), or (terms,).
        b_fmt: their format.
        accumulator: as in `dot`.
        each_step: as in `dot`.
        start: as in `dot`.

    Raises:
        FormatError: for raws outside their format, or shapes that do not fit.

    Example:
        >>> matmul([[1, 2], [3, 4]], Fixed(4, 4), [[1, 0], [0, -1]], Fixed(4, 4))
        array([[ 1, -2],
               [ 3, -4]])
    """
    first, second = as_format(a_fmt, "a_fmt"), as_format(b_fmt, "b_fmt")
    a, b = as_raw(a_raw, first, "a_raw"), as_raw(b_raw, second, "b_raw")
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-2 if b.ndim > 1 else -1]:
        raise FormatError(
            f"matmul: shapes {a.shape} and {b.shape} do not fit; the last axis of a meets the first of b"
        )
    x, y = a if a.ndim > 1 else a[None], b if b.ndim > 1 else b[:, None]
    given, target = sum_formats(first, second, accumulator, x.shape[-1], start)
    leading = _leading("matmul", x.shape[:-2], y.shape[:-2])
    shape = leading + (x.shape[-2:-1] if a.ndim > 1 else ()) + (y.shape[-1:] if b.ndim > 1 else ())
    full = (*leading, x.shape[-2], y.shape[-1])
    begin = _reshaped(_start(start, given, shape), full)
    if y.ndim == 2:  # one matrix for all: its partner's leading axes are further rows
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        begin = _reshaped(begin, (len(rows), y.shape[-1]))
        return _product(rows, first, y, second, target, each_step, begin, shape)
    x, y = np.broadcast_to(x, leading + x.shape[-2:]), np.broadcast_to(y, leading + y.shape[-2:])
    return _product(x, first, y, second, target, each_step, begin, shape)


def sum_formats(
    a: Fixed, b: Fixed, accumulator: Fixed | str | None, terms: int, start: Any
) -> tuple[Fixed, Fixed]:
    """Give the format of the start of a sum, and that of the sum, by what the caller said of the accumulator."""
    if accumulator is not None:
        target = as_format(accumulator, "accumulator")
        return target, target
    exact = accumulator_format(a, b, max(terms, 1))
    return exact, exact if start is None else Fixed(exact.width + 1, exact.int_bits + 1, exact.signed)


def _leading(what: str, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise FormatError(
            f"{what}: leading axes {a} and {b} do not broadcast; make them equal, or 1"
        ) from None


def _start(start: Any, accumulator: Fixed, shape: tuple[int, ...]) -> Raws | None:
    if start is None:
        return None
    raw = as_raw(start, accumulator, "start")
    try:
        return np.broadcast_to(raw, shape)
    except ValueError:
        raise FormatError(f"start: shape {raw.shape} does not broadcast to the result's {shape}") from None


def _reshaped(start: Raws | None, shape: tuple[int, ...]) -> Raws | None:
    return None if start is None else start.reshape(shape)


# --------------------------------------------------------------------------------------------- the product itself

Range = tuple[int, int]


def _sums(a: Range, b: Range, terms: int) -> Range:
    """Bounds of every partial sum of products, from the bounds of the factors."""
    corners = [x * y for x in a for y in b]
    return min(0, *corners) * terms, max(0, *corners) * terms


def _product(
    a: Raws,
    a_fmt: Fixed,
    b: Raws,
    b_fmt: Fixed,
    accumulator: Fixed,
    each_step: bool,
    start: Raws | None,
    shape: tuple[int, ...],
) -> Raws:
    """(..., rows, terms) by (..., terms, columns) with the casts asked for, in the shape of the result."""
    if (observer := active()) is not None:
        observer.product(a, a_fmt, b, b_fmt, accumulator, each_step, start, shape)
    return _cast_sums(a, a_fmt, b, b_fmt, accumulator, each_step, start).reshape(shape)


def _cast_sums(
    a: Raws, a_fmt: Fixed, b: Raws, b_fmt: Fixed, accumulator: Fixed, each_step: bool, start: Raws | None
) -> Raws:
    product_frac = a_fmt.frac_bits + b_fmt.frac_bits
    frac = max(product_frac, accumulator.frac_bits)
    product_shift, sum_shift = frac - product_frac, frac - accumulator.frac_bits
    cast = cast_of(frac, accumulator)
    begin_low, begin_high = (0, 0) if start is None else bounds(start)

    def sums(a_range: Range, b_range: Range) -> Range:
        low, high = _sums(a_range, b_range, a.shape[-1])
        low, high = low << product_shift, high << product_shift
        return low + (begin_low << sum_shift), high + (begin_high << sum_shift)

    # The formats may settle it; else the operands themselves, which takes a pass over them.
    low, high = sums((a_fmt.min_raw, a_fmt.max_raw), (b_fmt.min_raw, b_fmt.max_raw))
    if not cast.is_identity(low, high):
        low, high = sums(bounds(a), bounds(b))
    if each_step and not cast.is_identity(low, high):
        begin = np.zeros((*a.shape[:-1], b.shape[-1]), accumulator.dtype) if start is None else start
        return _product_by_steps(a, b, begin, product_shift, sum_shift, cast, a_fmt, b_fmt)
    total = exact_product(a, a_fmt, b, b_fmt)
    bits = max(high, -low - 1).bit_length()
    if bits > INT64_BITS:
        total = total.astype(object)
    if product_shift:
        total = total << product_shift
    if start is not None:
        total = total + (start.astype(total.dtype) << sum_shift)
    if cast.is_identity(low, high) and total.dtype == accumulator.dtype:
        return total
    return cast_array(total, bits, cast)


def exact_product(a: Raws, a_fmt: Fixed, b: Raws, b_fmt: Fixed) -> Raws:
    """Matrix product without loss, by the fastest arithmetic that is proved exact."""
    terms = a.shape[-1]
    bound = _bound((a_fmt.min_raw, a_fmt.max_raw), (b_fmt.min_raw, b_fmt.max_raw), terms)
    if bound > FLOAT32_EXACT:
        bound = _bound(bounds(a), bounds(b), terms)
    if bound > INT64_EXACT:
        return np.asarray(np.matmul(a.astype(object), b.astype(object)))
    if bound <= FLOAT64_EXACT:
        real = np.float32 if bound <= FLOAT32_EXACT else np.float64
        return _converted(np.matmul(_converted(a, real), _converted(b, real)), np.int64)
    x, y = a.astype(np.int64), b.astype(np.int64)
    if JIT and a.ndim == b.ndim == 2 and a.size * b.shape[-1] >= COMPILED_STEPS:
        from hwmodel.fixedpoint import _kernels

        out = np.zeros((a.shape[0], b.shape[1]), np.int64)
        _kernels.multiply(np.ascontiguousarray(x), np.ascontiguousarray(y), out)
        return out
    return np.asarray(np.matmul(x, y))


def _converted(array: npt.NDArray[Any], dtype: Any) -> npt.NDArray[Any]:
    """The same whole numbers in another container."""
    if not (JIT and array.size >= COMPILED_COPY and array.flags.c_contiguous and array.dtype != object):
        return array.astype(dtype)
    from hwmodel.fixedpoint import _kernels

    out = np.empty(array.shape, dtype)
    _kernels.copy_numbers(array.reshape(-1), out.reshape(-1))
    return out


def _bound(a: Range, b: Range, terms: int) -> int:
    """The greatest magnitude of a factor or a partial sum."""
    return max(abs(number) for number in (*a, *b, *_sums(a, b, terms)))


def _product_by_steps(
    a: Raws, b: Raws, start: Raws, product_shift: int, sum_shift: int, cast: Cast, a_fmt: Fixed, b_fmt: Fixed
) -> Raws:
    product_bits = a_fmt.magnitude_bits + b_fmt.magnitude_bits + product_shift
    bits = max(product_bits, cast.dst.magnitude_bits + sum_shift) + 1
    if object in (a.dtype, b.dtype) or not cast.fits_int64(bits):
        x, y, begin = a.astype(object), b.astype(object), start.astype(object)
        return steps_route(x, y, begin, product_shift, sum_shift, cast).astype(cast.dst.dtype)
    if JIT and a.ndim == 2 and a.size * b.shape[-1] >= COMPILED_STEPS:
        from hwmodel.fixedpoint import _kernels

        # The inner loop runs over the columns: the longer side makes the better vectors.
        turned = b.shape[1] < a.shape[0]
        x, y, out = (b.T, a.T, start.T) if turned else (a, b, start)
        out = np.array(out, np.int64, order="C")
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        _kernels.multiply_steps(x, y, out, product_shift, sum_shift, cast.words)
        return out.T if turned else out
    return steps_route(a, b, start, product_shift, sum_shift, cast)


def steps_route(a: Raws, b: Raws, start: Raws, product_shift: int, sum_shift: int, cast: Cast) -> Raws:
    """Term after term by NumPy, all sums at once."""
    total = np.array(start, a.dtype)
    for k in range(a.shape[-1]):
        number = (total << sum_shift) + ((a[..., :, k, None] * b[..., None, k, :]) << product_shift)
        total = np.asarray(overflow(shift_and_round(number, cast), truncate(number, cast), cast), a.dtype)
    return total
