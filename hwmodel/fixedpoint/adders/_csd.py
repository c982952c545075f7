"""Integers as few signed powers of two: canonical signed digits, and words of at most K digits."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError, SpecError

__all__ = ["csd", "csd_count", "khot"]


def csd(value: int) -> tuple[tuple[int, int], ...]:
    """Write an integer as signed powers of two, no two of them adjacent.

    No other sum of signed powers of two has fewer terms.

    Parameters:
        value: any integer.

    Returns:
        Pairs (shift, sign) with sign +1 or -1, lowest shift first: value = sum of sign * 2**shift.

    Source:
        G. W. Reitwiesner, "Binary arithmetic", Advances in Computers 1 (1960) 231.

    Raises:
        FormatError: the value is not an integer.

    Example:
        >>> csd(7)
        ((0, -1), (3, 1))
        >>> csd(0)
        ()
    """
    try:
        rest = operator.index(value)
    except TypeError:
        raise FormatError(f"csd: {value!r} is not an integer; give the raw integer of the number") from None
    digits = []
    shift = 0
    while rest:
        if rest & 1:
            sign = 2 - (rest & 3)  # a run of ones becomes +2**end - 2**begin
            digits.append((shift, sign))
            rest -= sign
        rest >>= 1
        shift += 1
    return tuple(digits)


def csd_count(values: npt.ArrayLike) -> int:
    """Count the canonical signed digits of all integers of an array.

    Parameters:
        values: integers of any shape.

    Raises:
        FormatError: a value is not an integer.

    Example:
        >>> csd_count([[7, 0], [8, -3]])
        5
    """
    # A digit stands at each place where value and 3 * value differ, one place higher.
    return sum((value ^ (3 * value)).bit_count() for value in integers(values, "values").ravel().tolist())


def khot(values: npt.ArrayLike, digits: int, width: int = 63) -> npt.NDArray[np.int64]:
    """Round integers to the nearest sums of at most `digits` signed powers of two.

    Of two values equally near, the one of lower magnitude is taken.

    Parameters:
        values: raw integers of any shape.
        digits: K, at least 0.
        width: bits of the signed result; what does not fit is not a candidate.

    Raises:
        FormatError: a value is not an integer or does not fit the width.
        SpecError: `digits` is negative, or `width` is not 1 to 63.

    Example:
        >>> khot([7, 11, 107, 0], digits=2).tolist()
        [7, 10, 112, 0]
        >>> khot([107], digits=1).tolist()
        [128]
    """
    if digits < 0 or not 1 <= width <= 63:
        raise SpecError(f"khot: digits={digits}, width={width}; digits must be >= 0 and width 1 to 63")
    raw = integers(values, "khot: values")
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    table: dict[int, int] = {}
    for value in set(raw.ravel().tolist()):
        if not low <= value <= high:
            raise FormatError(f"khot: {value} does not fit {width} signed bits; clip it or widen the word")
        table[value] = nearest_khot(value, digits, low, high)
    flat = [table[value] for value in raw.ravel().tolist()]
    return np.array(flat, np.int64).reshape(raw.shape)


def nearest_khot(value: int, digits: int, low: int, high: int) -> int:
    """Return the nearest sum of at most `digits` signed powers of two between `low` and `high`."""
    sign = -1 if value < 0 else 1
    below, above = around(abs(value), digits)
    if above is None or not low <= sign * above <= high:
        return sign * below
    return sign * (below if abs(value) - below <= above - abs(value) else above)


def around(value: int, digits: int) -> tuple[int, int | None]:
    """Return the sums of at most `digits` signed powers nearest to a value >= 0 from below and from above."""
    if value == 0 or digits == 0:
        return 0, None if value else 0
    # The leading power is one of the two around the value.
    power = 1 << (value.bit_length() - 1)
    rest_below, rest_above = around(value - power, digits - 1)
    back_below, back_above = around(2 * power - value, digits - 1)
    below = power + rest_below
    if back_above is not None:
        below = max(below, 2 * power - back_above)
    above = 2 * power - back_below
    return below, above if rest_above is None else min(above, power + rest_above)


def integers(values: Any, what: str) -> npt.NDArray[Any]:
    """Return the values as an array of Python ints; refuse fractions, infinities and text."""
    array = np.asarray(values)
    flat = array.ravel().tolist()
    if array.dtype.kind in "fO":
        for value in flat:
            whole = value.is_integer() if isinstance(value, float) else isinstance(value, int | np.integer)
            if not whole or isinstance(value, bool):
                raise FormatError(
                    f"{what}: {value!r} is not an integer; give raw integers, as `quantize` returns them"
                )
    elif array.dtype.kind not in "iu":
        raise FormatError(
            f"{what}: an array of {array.dtype} holds no raw integers; convert it with `quantize`"
        )
    return np.array([int(value) for value in flat], object).reshape(array.shape)
