"""What may stand beside a `FixedArray`: which formats other numbers take, and which are refused."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from fractions import Fraction
from numbers import Rational
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._arith import arithmetic, result_format
from hwmodel.fixedpoint._cast import requantize
from hwmodel.fixedpoint._float import dequantize
from hwmodel.fixedpoint._format import MAX_WIDTH, Fixed
from hwmodel.fixedpoint._raw import Raws, as_integers

FLOAT_BITS = 53  # raws of so many bits are exact in float64
FUNCTIONS = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Pair(NamedTuple):
    """The raws and the format of an array."""

    raw: Raws
    fmt: Fixed


def scalar(x: Any) -> Any:
    """Give NumPy scalars and arrays without axes as Python numbers, others as they are."""
    return x.item() if isinstance(x, np.generic) or isinstance(x, np.ndarray) and x.ndim == 0 else x


def refusal(symbol: str, x: Any) -> FormatError:
    """Make the error for an operand without a format."""
    if isinstance(x, float | Rational):
        return FormatError(
            f"'{symbol}' with the {'float' if isinstance(x, float) else 'fraction'} {x}: it has no format; write "
            f"FixedArray.from_float({x}, fmt) to choose one"
        )
    if isinstance(x, np.ndarray):
        how = "FixedArray(x, fmt) for raws" if x.dtype.kind in "iub" else "FixedArray.from_float(x, fmt)"
        return FormatError(f"'{symbol}' with a NumPy array of {x.dtype}: it has no format; write {how} first")
    return FormatError(
        f"'{symbol}' with {x!r}: a FixedArray takes FixedArrays and whole numbers; convert it first"
    )


def whole(value: int) -> Pair:
    """Give a whole number in the least ap_int or ap_uint that holds it."""
    bits = max(value.bit_length() if value >= 0 else (-value - 1).bit_length() + 1, 1)
    fmt = Fixed(bits, bits, signed=value < 0)
    return Pair(np.array(value, fmt.dtype), fmt)


def operand(symbol: str, x: Any) -> Pair:
    """Give an operand's raws and format.

    Raises:
        FormatError: for floats, arrays of NumPy, and everything else.
    """
    if isinstance(x, Pair):
        return x
    value = scalar(x)
    if isinstance(value, int):
        return whole(int(value))
    raise refusal(symbol, value)


def shift_count(symbol: str, x: Any) -> tuple[Raws, Fixed | None]:
    """Give the counts of a shift: whole numbers, arrays of them, or a format without fractional bits."""
    if isinstance(x, Pair):
        return x
    array = np.asarray(x)
    if array.dtype.kind not in "iubO":
        raise FormatError(f"'{symbol}' by {x!r}: a shift takes whole numbers of bits")
    return as_integers(array.astype(np.int64) if array.dtype.kind == "b" else array, "the count"), None


# --------------------------------------------------------------------------------------------- comparisons


def exact_pair(value: Any) -> Pair | None:
    """Give a finite dyadic number with all its bits; None for others."""
    if isinstance(value, int) and value.bit_length() < MAX_WIDTH:
        return whole(int(value))
    if not isinstance(value, float | Rational) or isinstance(value, float) and not np.isfinite(value):
        return None
    exact = Fraction(value)
    shift = exact.denominator.bit_length() - 1
    if exact.denominator != 1 << shift or max(shift, exact.numerator.bit_length()) >= MAX_WIDTH:
        return None
    pair = whole(exact.numerator)
    return Pair(pair.raw, Fixed(pair.fmt.width, pair.fmt.width - shift, pair.fmt.signed))


def compare(symbol: str, a: Any, b: Any) -> npt.NDArray[np.bool_]:
    """Compare exactly; numbers without a format compare by their value."""
    if not isinstance(a, Pair):
        return compare(MIRRORED[symbol], b, a)
    if isinstance(b, Pair):
        other: Any = b
    else:
        value = scalar(b)
        other = exact_pair(value)
        if other is None:
            return _compare_values(symbol, a, value)
    raw, _ = arithmetic(symbol, a.raw, a.fmt, other.raw, other.fmt)
    return raw.astype(bool)


def _compare_values(symbol: str, a: Pair, b: Any) -> npt.NDArray[np.bool_]:
    other = np.asarray(b)
    if other.dtype.kind not in "fiubO":
        if symbol in ("==", "!="):
            return np.full(np.broadcast_shapes(a.raw.shape, other.shape), symbol == "!=")
        raise FormatError(f"'{symbol}' with {b!r}: a FixedArray compares with numbers")
    small = (
        other.dtype.kind in "fb"
        or other.dtype.kind in "iu"
        and (other.size == 0 or max(abs(int(other.min())), abs(int(other.max()))) <= 1 << FLOAT_BITS)
    )
    if small and a.fmt.width <= FLOAT_BITS and abs(a.fmt.frac_bits) <= 900 and other.dtype.itemsize <= 8:
        return np.asarray(FUNCTIONS[symbol](dequantize(a.raw, a.fmt), other.astype(np.float64)), bool)
    values = np.empty(a.raw.size, object)
    values[:] = [int(raw) * a.fmt.lsb for raw in a.raw.reshape(-1)]
    if other.dtype.kind == "f":
        exact = np.empty(other.size, object)  # long doubles compare with Fractions as quotients only
        exact[:] = [
            Fraction(*number.as_integer_ratio()) if np.isfinite(number) else float(number)
            for number in other.reshape(-1)
        ]
        other = exact.reshape(other.shape)
    with np.errstate(invalid="ignore"):  # NaN compares false, as it does in NumPy
        return np.asarray(FUNCTIONS[symbol](values.reshape(a.raw.shape), other.astype(object)), bool)


# --------------------------------------------------------------------------------------------- one format for several


def contains(fmt: Fixed, other: Fixed) -> bool:
    """Tell whether a format holds every value of another."""
    return fmt.frac_bits >= other.frac_bits and fmt.min <= other.min and fmt.max >= other.max


def join(what: str, items: Sequence[Any]) -> tuple[list[Raws], Fixed]:
    """Bring arrays and numbers to one format without loss.

    The first format that holds the values of all others is taken, with its modes; where none does, the least one that
    holds all, with TRN and WRAP. A number takes the format of the arrays where that holds it; a whole number widens it
    otherwise.

    Raises:
        FormatError: for a number that is neither in the format nor whole, and for arrays of NumPy.
    """
    pairs = [item for item in items if isinstance(item, Pair)]
    numbers = {i: scalar(item) for i, item in enumerate(items) if not isinstance(item, Pair)}
    formats = [pair.fmt for pair in pairs]
    fmt = next((f for f in formats if all(contains(f, g) for g in formats)), None) or _union(formats)
    placed: dict[int, Pair] = {}
    for i, number in numbers.items():
        if not isinstance(number, float | Rational):
            raise refusal(what, number)
        raw = raw_of(number, fmt)
        if raw is not None:
            placed[i] = Pair(np.array(raw, fmt.dtype), fmt)
        elif isinstance(number, int):
            placed[i] = whole(int(number))
        else:
            raise FormatError(
                f"'{what}' with {number}: {fmt} does not hold it; write FixedArray.from_float({number}, fmt) to choose one"
            )
    fmt = _union([fmt, *(pair.fmt for pair in placed.values())])
    every = [item if isinstance(item, Pair) else placed[i] for i, item in enumerate(items)]
    return [pair.raw if pair.fmt == fmt else requantize(pair.raw, pair.fmt, fmt) for pair in every], fmt


def _union(formats: Sequence[Fixed]) -> Fixed:
    fmt = formats[0]
    for other in formats[1:]:
        fmt = fmt if contains(fmt, other) else result_format("&", fmt, other)
    return fmt


def raw_of(value: Any, fmt: Fixed) -> int | None:
    """Give the raw of a number that a format holds exactly, else None."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    exact = Fraction(value) / fmt.lsb
    if exact.denominator != 1 or not fmt.min_raw <= exact.numerator <= fmt.max_raw:
        return None
    return operator.index(exact.numerator)


def limits(limit: Any, fmt: Fixed, outside: Fraction) -> bool:
    """Tell whether a limit can change values of a format: False where it lies beyond the end `outside`.

    Raises:
        FormatError: for a limit that is no number, is beyond the other end, or lies between two values.
    """
    value = scalar(limit)
    if not isinstance(value, float | Rational) or value != value:
        raise refusal("clip", value)
    if (value >= outside) if outside == fmt.max else (value <= outside):
        return False
    if raw_of(value, fmt) is None:
        raise FormatError(
            f"clip at {value}: {fmt} ({float(fmt.min)}..{float(fmt.max)} by {float(fmt.lsb)}) does not hold it; "
            "take a limit on its grid"
        )
    return True
