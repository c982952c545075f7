"""Operators between raws, with the result types of ap_fixed: no result loses a bit, but for shifts and quotients."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwmodel.errors import FormatError, unknown
from hwmodel.fixedpoint._cast import to_signed
from hwmodel.fixedpoint._format import INT64_WIDTH, Fixed
from hwmodel.fixedpoint._raw import Raws, as_format, as_integers, as_raw, bounds, broadcast
from hwmodel.fixedpoint._report import active

NAMES = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "negative": "neg",
    "and": "&",
    "or": "|",
    "xor": "^",
    "not": "~",
    "invert": "~",
    "shl": "<<",
    "shr": ">>",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
SHIFTS = ("<<", ">>")
UNARY = ("neg", "~")
OPERATORS = ("+", "-", "*", "/", "&", "|", "^", *UNARY, *SHIFTS, *COMPARISONS)

MAX_SHIFT = 1 << 20


def operator_name(op: str) -> str:
    """Give the symbol of an operator, or refuse it."""
    symbol = NAMES.get(op, op) if isinstance(op, str) else op
    if symbol not in OPERATORS:
        raise FormatError(str(unknown("operator", str(op), [*OPERATORS, *NAMES])))
    return symbol


def result_format(op: str, a: Fixed | str, b: Fixed | str | None = None) -> Fixed:
    """Give the format of an operation's result, in which no bit is lost.

    Parameters:
        op: one of + - * / neg ~ & | ^ << >> == != < <= > >=, or its name: add, sub, mul, div, and, or, xor, shl, ...
        a: format of the first operand.
        b: format of the second; unary operators and shifts need none.

    Returns:
        The result's format with TRN and WRAP; a shift keeps `a` with its modes; a comparison gives one unsigned bit.

    Source: AMD ap_types headers, ap_fixed_base.h, struct RType.

    Raises:
        FormatError: for an unknown operator, a missing operand, or a result wider than 1024 bits.

    Example:
        >>> print(result_format("*", Fixed(8, 3), Fixed(6, 1)), result_format("+", Fixed(8, 3), Fixed(8, 4, False)))
        ap_fixed<14,4> ap_fixed<11,6>
    """
    symbol, first = operator_name(op), as_format(a, "a")
    if symbol in SHIFTS:
        return first
    if symbol == "neg":
        return Fixed(first.width + 1, first.int_bits + 1)
    if symbol == "~":
        return Fixed(first.width, first.int_bits, first.signed)
    if b is None:
        raise FormatError(f"'{symbol}' needs a second operand; for the sign change write 'neg'")
    second = as_format(b, "b")
    if symbol in COMPARISONS:
        return Fixed(1, 1, signed=False)
    signed = first.signed or second.signed
    if symbol == "*":
        return Fixed(first.width + second.width, first.int_bits + second.int_bits, signed)
    if symbol == "/":
        width = second.signed + first.width + max(second.frac_bits, 0)
        return Fixed(width, second.signed + first.int_bits + second.frac_bits, signed)
    # An unsigned operand needs a sign bit of its own beside a signed one.
    int_bits = max(
        first.int_bits + (signed and not first.signed), second.int_bits + (signed and not second.signed)
    )
    frac_bits = max(first.frac_bits, second.frac_bits)
    if symbol in ("+", "-"):
        return Fixed(int_bits + 1 + frac_bits, int_bits + 1, signed or symbol == "-")
    return Fixed(int_bits + frac_bits, int_bits, signed)


def arithmetic(
    op: str,
    a_raw: Any,
    a_fmt: Fixed | str,
    b_raw: Any = None,
    b_fmt: Fixed | str | None = None,
) -> tuple[Raws, Fixed]:
    """Apply an operator to raws as ap_fixed does; shapes broadcast.

    Parameters:
        op: as in `result_format`.
        a_raw: raws of the first operand.
        a_fmt: their format.
        b_raw: raws of the second operand; a shift's counts, which may be negative.
        b_fmt: their format; a shift takes None or a format without fractional bits.

    Returns:
        The raws and their format. Quotients are cut toward zero. The least value divided by -1 lsb wraps, as in the
        headers, where the divisor is not wider than the aligned dividend. A shift keeps the format: bits fall off, and
        neither rounding nor overflow applies. A quotient by zero is 0 and follows NumPy's `errstate(divide=...)`:
        a warning by default.

    Source: AMD ap_types headers, ap_fixed_base.h.

    Raises:
        FormatError: for an unknown operator, raws outside their format, or shapes that do not fit.

    Example:
        >>> raw, fmt = arithmetic("*", [5, -3], Fixed(4, 2), [2, 7], Fixed(4, 1))
        >>> raw, str(fmt)
        (array([ 10, -21]), 'ap_fixed<8,3>')
    """
    symbol, first = operator_name(op), as_format(a_fmt, "a_fmt")
    a = as_raw(a_raw, first, "a_raw")
    if symbol in UNARY:
        if b_raw is not None or b_fmt is not None:
            raise FormatError(f"'{symbol}' takes one operand; leave b_raw and b_fmt out")
        found = _unary(symbol, a, first)
        if (observer := active()) is not None:
            observer.arithmetic(symbol, a, first, None, None, *found)
        return found
    if b_raw is None:
        raise FormatError(f"'{symbol}' needs b_raw; for the sign change write 'neg'")
    if symbol in SHIFTS:
        shifted = _shift(symbol, a, first, b_raw, b_fmt)
        if (observer := active()) is not None:
            observer.arithmetic(symbol, a, first, np.asarray(b_raw), None, shifted, first)
        return shifted, first
    if b_fmt is None:
        raise FormatError(f"'{symbol}' needs b_fmt, the format of b_raw")
    second = as_format(b_fmt, "b_fmt")
    b = as_raw(b_raw, second, "b_raw")
    return _binary(symbol, a, first, b, second)


def _binary(symbol: str, a: Raws, first: Fixed, b: Raws, second: Fixed) -> tuple[Raws, Fixed]:
    fmt = result_format(symbol, first, second)
    left, right = broadcast(a, b, f"'{symbol}'")
    # Single numbers go as arrays of one, because NumPy makes Python ints of operations on a single object.
    x, y = np.atleast_1d(left), np.atleast_1d(right)
    if symbol in COMPARISONS:
        result = _compare(symbol, x, first, y, second)
    elif symbol == "/":
        result = _divide(x, first, y, second, fmt)
    else:
        result = _combine(symbol, x, first, y, second, fmt)
    if (observer := active()) is not None:
        observer.arithmetic(symbol, left, first, right, second, result.reshape(left.shape), fmt)
    return result.reshape(left.shape), fmt


def _in(raw: Raws, width: int) -> Raws:
    """The container for results of a width."""
    return raw.astype(object) if width > INT64_WIDTH and raw.dtype != object else raw


def _unary(symbol: str, a: Raws, first: Fixed) -> tuple[Raws, Fixed]:
    fmt, x = result_format(symbol, first), np.atleast_1d(a)
    result = -_in(x, fmt.width) if symbol == "neg" else to_signed(~x, fmt)
    return np.asarray(result, fmt.dtype).reshape(a.shape), fmt


def _aligned(raw: Raws, fmt: Fixed, frac_bits: int, width: int) -> Raws:
    """Raws with `frac_bits` fractional bits, in the container for `width` bits."""
    shift = frac_bits - fmt.frac_bits
    number = _in(raw, width)
    return number << shift if shift else number


def _combine(symbol: str, a: Raws, first: Fixed, b: Raws, second: Fixed, fmt: Fixed) -> Raws:
    if symbol == "*":
        return np.asarray(_in(a, fmt.width) * _in(b, fmt.width), fmt.dtype)
    x = _aligned(a, first, fmt.frac_bits, fmt.width)
    y = _aligned(b, second, fmt.frac_bits, fmt.width)
    if symbol == "+":
        return np.asarray(x + y, fmt.dtype)
    if symbol == "-":
        return np.asarray(x - y, fmt.dtype)
    return np.asarray(x & y if symbol == "&" else x | y if symbol == "|" else x ^ y, fmt.dtype)


def _divide(a: Raws, first: Fixed, b: Raws, second: Fixed, fmt: Fixed) -> Raws:
    shift = max(second.frac_bits, 0)
    working = max(first.width + shift, second.width)
    dividend, divisor = _in(a, working + 1) << shift, _in(b, working + 1)
    zero = divisor == 0
    if zero.any():
        _warn_of_zero()
    # The quotient's size from positive numbers, then its sign: integer division of NumPy rounds down.
    size = abs(dividend) // abs(np.where(zero, np.ones_like(divisor), divisor))
    quotient = np.where((dividend < 0) != (divisor < 0), -size, size)
    if first.signed and second.signed:
        quotient = to_signed(np.asarray(quotient, dividend.dtype), Fixed(working, working))
    return np.asarray(np.where(zero, np.zeros_like(quotient), quotient), fmt.dtype)


def _warn_of_zero() -> None:
    """Raise, warn or be silent as `np.errstate(divide=...)` says."""
    try:
        np.divide(np.array([1.0]), 0.0)
    except FloatingPointError:
        raise FormatError(
            "division by zero; mask these places out, or use np.errstate(divide='ignore')"
        ) from None


def _shift(symbol: str, a: Raws, fmt: Fixed, b_raw: Any, b_fmt: Fixed | str | None) -> Raws:
    if b_fmt is None:
        counts = as_integers(b_raw, "b_raw")
    else:
        count_fmt = as_format(b_fmt, "b_fmt")
        if count_fmt.frac_bits:
            raise FormatError(
                f"a shift by {count_fmt} is no whole number of bits; cast it to a format with W = I"
            )
        counts = as_raw(b_raw, count_fmt, "b_raw")
    number, count = broadcast(a, counts, f"'{symbol}'")
    low, high = bounds(count)
    if max(-low, high) > MAX_SHIFT:
        raise FormatError(f"a shift by {high if high > MAX_SHIFT else low} bits is beyond {MAX_SHIFT}")
    if symbol == ">>":
        count = -count
    # A shift by the width or more leaves nothing, or the sign; the container must hold no further bits.
    count = np.clip(count.astype(np.int64), -fmt.width, fmt.width)
    number, count = np.array(number).reshape(-1), count.reshape(-1)
    if fmt.dtype == object or fmt.width > 62:
        number, count = number.astype(object), count.astype(object)
    left, right = np.maximum(count, 0), np.maximum(-count, 0)
    # Bits that a left shift drops go first, so that what is shifted stays within the word.
    kept = number & ((1 << (fmt.width - left).astype(number.dtype)) - 1)
    moved = np.where(count > 0, kept << left, number >> right)
    return np.asarray(to_signed(moved, fmt), fmt.dtype).reshape(np.broadcast_shapes(a.shape, counts.shape))


def _compare(symbol: str, a: Raws, first: Fixed, b: Raws, second: Fixed) -> Raws:
    frac_bits = max(first.frac_bits, second.frac_bits)
    width = max(first.int_bits, second.int_bits) + frac_bits + 1
    x, y = _aligned(a, first, frac_bits, width), _aligned(b, second, frac_bits, width)
    if symbol == "==":
        result = x == y
    elif symbol == "!=":
        result = x != y
    elif symbol == "<":
        result = x < y
    elif symbol == "<=":
        result = x <= y
    else:
        result = x > y if symbol == ">" else x >= y
    return np.asarray(result, np.int64)
