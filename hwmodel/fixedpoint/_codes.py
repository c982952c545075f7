"""What the formats other than `Fixed` share: numbers in as float64, codes checked, NaN and infinities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._format import NonFinite, nonfinite_mode
from hwmodel.fixedpoint._raw import Raws, as_integers, as_numbers

Reals = npt.NDArray[np.float64]

TABLE_WIDTH = 16  # formats of so few bits work by a table of all their values
LEAST = 5e-324  # the least positive float64
NUMBERS = (int, float, Fraction, Decimal, np.number, np.bool_)


def place_of(mask: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Give the index of the first True."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask.reshape(-1))), mask.shape))


def written(place: tuple[int, ...]) -> str:
    """Write an index as Python does."""
    return "".join(f"[{i}]" for i in place)


def as_reals(x: Any, fmt: object) -> Reals:
    """Give numbers as float64; a number that float64 does not hold is refused.

    Raises:
        FormatError: naming the number.
    """
    array = as_numbers(x, "x")
    if array.dtype.kind not in "fiubO" or not all(isinstance(a, NUMBERS) for a in _objects(array)):
        raise FormatError(
            f"x holds {array.dtype} where numbers for {fmt} are wanted; give floats or integers"
        )
    try:
        reals = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise FormatError(f"x holds what is no float64; give floats or integers to {fmt}") from None
    if array.dtype.kind in "iuO" or array.dtype.itemsize > 8:
        same = [_equal(a, r) for a, r in zip(array.reshape(-1), reals.reshape(-1), strict=True)]
        if not all(same):
            place = place_of(~np.array(same).reshape(array.shape))
            raise FormatError(f"x{written(place)} = {array[place]} is no float64; round it to one for {fmt}")
    return reals


def _objects(array: npt.NDArray[Any]) -> Iterable[Any]:
    """What an array of objects holds: NumPy would make NaN of None, and numbers of texts."""
    return array.reshape(-1) if array.dtype == object else ()


def _equal(given: Any, real: np.float64) -> bool:
    """Tell whether a float64 has the value of a number; NumPy would round an integer first."""
    if not np.isfinite(real):
        return bool(np.isnan(real)) or bool(given == real)
    if isinstance(given, np.floating):
        return bool(given == real)
    return bool(Fraction(given) == Fraction(float(real)))


def without_nonfinite(x: Reals, refused: npt.NDArray[np.bool_], nonfinite: NonFinite, fmt: object) -> Reals:
    """Refuse numbers, or put others in their place: NaN becomes 0, infinities stay for "saturate".

    Raises:
        FormatError: naming the number, where `nonfinite` is "error" or unknown.
    """
    mode = nonfinite_mode(nonfinite)
    if not refused.any():
        return x
    if mode == "error":
        place = place_of(refused)
        raise FormatError(
            f"x{written(place)} = {x[place]} has no code in {fmt}; remove it, or pass nonfinite='saturate' or 'zero'"
        )
    return np.where(refused & (np.isnan(x) | (mode == "zero")), 0.0, x)


def as_codes(raw: Any, least: int, count: int, fmt: object) -> Raws:
    """Give codes that lie in `least .. least + count - 1`.

    Raises:
        FormatError: naming the first code outside.
    """
    codes = as_integers(raw, "raw")
    wrong = (codes < least) | (codes >= least + count)
    if np.any(wrong):
        place = place_of(np.asarray(wrong, bool))
        raise FormatError(
            f"raw{written(place)} = {codes[place]} is no code of {fmt} ({least}..{least + count - 1}); "
            "codes come from quantize(x, fmt)"
        )
    return codes


def whole_number(what: str, given: Any, low: int, high: int) -> int:
    """Check a parameter of a format.

    Raises:
        FormatError: where it is no whole number in `low .. high`.
    """
    if isinstance(given, bool | np.bool_) or not isinstance(given, int | np.integer):
        raise FormatError(f"{what}={given!r} is no whole number; write an int in {low}..{high}")
    if not low <= given <= high:
        raise FormatError(f"{what}={given} is outside {low}..{high}; choose a number there")
    return int(given)


def least_float(guess: float, reaches: Callable[[Fraction], bool]) -> float:
    """Give the least positive float64 of which `reaches` is true, as it is of all greater ones.

    Borders that are roots become exact in this way: the test is made with rational numbers.

    Example:
        >>> least_float(1.4, lambda t: t**2 >= 2) == 2**0.5
        True
    """
    low = high = guess
    step = guess * 2.0**-50
    while reaches(Fraction(low)):
        low, step = low - step, step * 2
    while not reaches(Fraction(high)):
        high, step = high + step, step * 2
    # Positive floats are ordered as their bit patterns are.
    below, above = int(np.float64(low).view(np.int64)), int(np.float64(high).view(np.int64))
    while above - below > 1:
        middle = (below + above) // 2
        reached = reaches(Fraction(float(np.int64(middle).view(np.float64))))
        below, above = (below, middle) if reached else (middle, above)
    return float(np.int64(above).view(np.float64))
