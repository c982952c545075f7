"""K-hot words: fixed-point numbers with at most k non-zero digits, so that a product is k shifts and additions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._cast import INT64_BITS
from hwmodel.fixedpoint._codes import (
    TABLE_WIDTH,
    Reals,
    as_codes,
    as_reals,
    place_of,
    whole_number,
    without_nonfinite,
    written,
)
from hwmodel.fixedpoint._float import dequantize
from hwmodel.fixedpoint._format import MAX_INT_BITS, MAX_WIDTH, Fixed, NonFinite, mode_name
from hwmodel.fixedpoint._raw import Raws

DIGITS = ("SIGNED", "MAGNITUDE", "BITS")
DIGIT_ALIASES = {"CSD": "SIGNED", "NAF": "SIGNED", "SIGN_MAGNITUDE": "MAGNITUDE", "TWOS_COMPLEMENT": "BITS"}

SCALED_BITS = 52  # numbers of so many bits, and their halves, are exact in float64


@dataclass(frozen=True, repr=False)
class KHot:
    """Fixed-point words with at most `k` digits that are not zero.

    The raws are those of `Fixed(width, int_bits, signed)`, see `fixed`, so all arithmetic of that format applies.

    Parameters:
        width: bits of a word.
        int_bits: bits left of the binary point, the sign among them.
        k: digits that may differ from zero.
        signed: two's complement, or unsigned.
        digits: what counts as one: "signed" (canonical signed digits, where 7 = 8 - 1 has two), "magnitude" (ones
            of the absolute value) or "bits" (ones of the word itself, where the sign bit is one and -1 has `width`).

    Numbers become the nearest word; half way, the one with fewer digits, and then the one nearer to zero. Beyond
    `min` and `max`, the ends of the words with so few digits, they become the end.

    Source: G. W. Reitwiesner, "Binary arithmetic", Advances in Computers 1, 1960 (digit sets without neighbours).

    Raises:
        FormatError: for a width or `k` below 1, or an unknown kind of digits.

    Example:
        >>> fmt = KHot(8, 1, 2)
        >>> raw = fmt.quantize([0.7, -0.3, 0.1])
        >>> raw, fmt.dequantize(raw).tolist()
        (array([ 96, -40,  12]), [0.75, -0.3125, 0.09375])
        >>> fmt.terms(-40)
        [(-1, 5), (-1, 3)]
    """

    width: int
    int_bits: int
    k: int
    signed: bool = True
    digits: str = "SIGNED"

    def __post_init__(self) -> None:
        """Bring every field to its canonical form, or refuse it."""
        put = object.__setattr__
        put(self, "width", whole_number("width", self.width, 1, MAX_WIDTH))
        put(self, "int_bits", whole_number("int_bits", self.int_bits, -MAX_INT_BITS, MAX_INT_BITS))
        put(self, "k", whole_number("k", self.k, 1, MAX_WIDTH))
        put(self, "digits", mode_name("digits", self.digits, DIGITS, DIGIT_ALIASES))
        put(self, "signed", self.fixed.signed)

    def __repr__(self) -> str:
        """The call that makes this format."""
        text = f"KHot({self.width}, {self.int_bits}, {self.k}"
        text += "" if self.signed else ", signed=False"
        return text + ("" if self.digits == "SIGNED" else f", digits={self.digits!r}") + ")"

    def __str__(self) -> str:
        """The same in short."""
        return repr(self)

    # ----------------------------------------------------------------------------------------- what it is

    @property
    def fixed(self) -> Fixed:
        """The format of the raws."""
        return Fixed(self.width, self.int_bits, self.signed)

    @property
    def max(self) -> Fraction:
        """The greatest number, exactly."""
        return self._ends[1] * self.fixed.lsb

    @property
    def min(self) -> Fraction:
        """The least number, exactly."""
        return self._ends[0] * self.fixed.lsb

    def count(self, raw: Any) -> Raws:
        """Count the digits that are not zero, of any raws of `fixed`.

        Example:
            >>> KHot(8, 1, 2).count([7, -40, 0]), KHot(8, 1, 2, digits="magnitude").count([7, -40, 0])
            (array([2, 2, 0]), array([3, 2, 0]))
        """
        return _count(self._words(raw), self.digits, self.width)

    def terms(self, raw: int) -> list[tuple[int, int]]:
        """Give the digits of one raw: pairs of sign and shift whose sum it is, the greatest first.

        Example:
            >>> KHot(8, 8, 2).terms(28), KHot(8, 8, 8, digits="bits").terms(-64)
            ([(1, 5), (-1, 2)], [(-1, 7), (1, 6)])
        """
        number = int(self._words(raw))
        if self.digits == "BITS":
            bits = number & ((1 << self.width) - 1)
            top = self.width - 1 if self.signed else -1
            return [(-1 if p == top else 1, p) for p in reversed(range(self.width)) if bits >> p & 1]
        sign, size = (-1 if number < 0 else 1), abs(number)
        if self.digits == "MAGNITUDE":
            return [(sign, p) for p in reversed(range(size.bit_length())) if size >> p & 1]
        half = size >> 1
        plus, minus = (size + half) & ~half, half & ~(size + half)
        places = reversed(range((plus | minus).bit_length()))
        return [(sign if plus >> p & 1 else -sign, p) for p in places if (plus | minus) >> p & 1]

    def _words(self, raw: Any) -> Raws:
        return as_codes(raw, self.fixed.min_raw, 1 << self.width, self)

    @cached_property
    def _ends(self) -> tuple[int, int]:
        """The least and the greatest raw with so few digits."""
        fixed = self.fixed
        low, high = fixed.min_raw, fixed.max_raw
        if self.digits == "SIGNED":  # 2**n - 1 has two digits
            return low, high if self.k > 1 or high.bit_count() < 2 else (high + 1) >> 1
        return low, _below(high, self.k)  # the least word is one bit, or zero

    # ----------------------------------------------------------------------------------------- in and out

    def quantize(self, x: Any, *, nonfinite: NonFinite = "error") -> Raws:
        """Give the nearest raws with at most `k` digits.

        Parameters:
            x: floats or integers of any shape.
            nonfinite: as for `hwmodel.fixedpoint.quantize`.

        Raises:
            FormatError: for NaN and infinities, and numbers that float64 does not hold.
        """
        return self.encode(as_reals(x, self), nonfinite)

    def dequantize(self, raw: Any) -> Reals:
        """Give the values of raws.

        Raises:
            FormatError: naming a raw that is outside the format or has too many digits.
        """
        return self.decode(raw)

    def values(self) -> Reals:
        """Give all numbers in ascending order; `quantize` gives their raws.

        Raises:
            FormatError: for formats wider than 16 bits.

        Example:
            >>> KHot(4, 2, 1).values()
            array([-2.  , -1.  , -0.5 , -0.25,  0.  ,  0.25,  0.5 ,  1.  ])
        """
        if self.width > TABLE_WIDTH:
            raise FormatError(f"{self} is too wide to list its values; dequantize the raws that you need")
        return dequantize(self._members, self.fixed)

    def encode(self, x: Reals, nonfinite: NonFinite = "error") -> Raws:
        """Give the raws of float64 numbers."""
        x = np.asarray(x, np.float64)
        x = without_nonfinite(x, ~np.isfinite(x), nonfinite, self)
        fixed = self.fixed
        if self.width > SCALED_BITS or abs(fixed.frac_bits) > 1000:
            return self._by_python(x)
        with np.errstate(over="ignore", under="ignore"):
            y = np.ldexp(x, fixed.frac_bits)
        if self.width <= TABLE_WIDTH:
            return np.asarray(self._members[np.searchsorted(self._borders, y, side="right")], np.int64)
        return self._nearest(y)

    def decode(self, raw: Raws) -> Reals:
        """Give the values of raws."""
        words = self._words(raw)
        many = _count(words, self.digits, self.width) > self.k
        if np.any(many):
            place = place_of(np.asarray(many, bool))
            raise FormatError(
                f"raw{written(place)} = {words[place]} has more than k={self.k} digits that are not zero; raws of {self} "
                "come from quantize(x, fmt)"
            )
        return dequantize(words, self.fixed)

    @cached_property
    def _members(self) -> Raws:
        every = np.arange(self.fixed.min_raw, self.fixed.max_raw + 1)
        return every[_count(every, self.digits, self.width) <= self.k]

    @cached_property
    def _borders(self) -> Reals:
        """The least float64 that goes to each member but the least."""
        low, high = self._members[:-1], self._members[1:]
        middle = (low + high) / 2
        return np.where(self._prefers_high(low, high), middle, np.nextafter(middle, np.inf))

    def _prefers_high(self, low: Raws, high: Raws) -> npt.NDArray[np.bool_]:
        """Tell which of two raws takes a number half way."""
        below, above = (_count(raw, self.digits, self.width) for raw in (low, high))
        return np.asarray((above < below) | ((above == below) & (abs(high) < abs(low))), bool)

    def _nearest(self, y: Reals) -> Raws:
        """Give the nearest member to each number of `y`, which is in units of the last bit; words of up to 52 bits."""
        least, greatest = self._ends
        y = np.clip(y, least, greatest)
        if self.digits == "SIGNED":
            number, rest = _nearest_signed(y, self.k)
            low = number.astype(np.int64)
            high = low + (2 * rest).astype(np.int64)  # as near on the other side, where it is a member
            member = (2 * rest == np.rint(2 * rest)) & (_count(high, self.digits, self.width) <= self.k)
            return np.asarray(np.where(member & self._prefers_high(low, high), high, low), np.int64)
        low, high = self._around(np.floor(y).astype(np.int64), np.ceil(y).astype(np.int64))
        twice, both = 2 * y, (low + high).astype(np.float64)
        up = (twice > both) | ((twice == both) & self._prefers_high(low, high))
        return np.asarray(np.where(up, high, low), np.int64)

    def _nearest_exact(self, y: Fraction) -> int:
        """The same for one number and words of any width."""
        if self.digits == "SIGNED":
            near, rest = (Fraction(part) for part in _nearest_signed(y, self.k))
            other = near + 2 * rest
            here, there = _objects(int(near)), _objects(int(other))
            member = other.denominator == 1 and _count(there, self.digits, self.width) <= self.k
            return int(other if member and self._prefers_high(here, there) else near)
        around = self._around(_objects(y.__floor__()), _objects(y.__ceil__()))
        low, high = (int(side[0]) for side in around)
        tie = 2 * y == low + high
        return high if 2 * y > low + high or tie and self._prefers_high(*around) else low

    def _by_python(self, x: Reals) -> Raws:
        """Take wide words one number at a time."""
        least, greatest = self._ends
        out = np.empty(x.size, object)
        for i, number in enumerate(x.reshape(-1)):
            if np.isinf(number):
                out[i] = greatest if number > 0 else least
            else:
                y = Fraction(float(number)) / self.fixed.lsb
                out[i] = self._nearest_exact(min(max(y, Fraction(least)), Fraction(greatest)))
        return out.reshape(x.shape).astype(self.fixed.dtype)

    def _around(self, floor: Raws, ceil: Raws) -> tuple[Raws, Raws]:
        """Give the greatest member up to `floor` and the least one from `ceil` on; both lie between the ends."""
        k = self.k
        if self.digits == "MAGNITUDE" or not self.signed:
            return (
                np.where(floor < 0, -_above(abs(floor), k), _below(abs(floor), k)),
                np.where(ceil < 0, -_below(abs(ceil), k), _above(abs(ceil), k)),
            )
        # A negative word is its sign bit, which counts, and k - 1 further ones. What is carried out of them is 0.
        sign = 1 << (self.width - 1)
        low_rest, high_rest = np.where(floor < 0, floor + sign, floor), np.where(ceil < 0, ceil + sign, ceil)
        low = np.where(floor < 0, _below(low_rest, k - 1) - sign, _below(low_rest, k))
        carried = (
            np.where(high_rest == 0, ceil * 0 - sign, ceil * 0) if k == 1 else _above(high_rest, k - 1) - sign
        )
        return low, np.where(ceil < 0, carried, _above(high_rest, k))


def _objects(number: int) -> Raws:
    """A Python int as an array of one, so that NumPy leaves it alone."""
    out = np.empty(1, object)
    out[0] = number
    return out


_bit_length = np.frompyfunc(int.bit_length, 1, 1)
_bit_count = np.frompyfunc(int.bit_count, 1, 1)


def _count(raw: Raws, digits: str, width: int) -> Raws:
    """Count the digits that are not zero."""
    raw = np.asarray(raw)
    if raw.dtype != object and width > INT64_BITS:
        raw = raw.astype(object)
    if digits == "BITS":
        words = raw & ((1 << width) - 1)
    elif digits == "MAGNITUDE":
        words = abs(raw)
    else:
        size: Raws = abs(raw)
        half = size >> 1
        words = (size + half) ^ half
    counted = _bit_count(words) if raw.dtype == object else np.bitwise_count(words)
    return np.asarray(counted, np.int64)


def _top_bit(number: Any) -> Any:
    """Give 2**floor(log2(number)) of positive numbers, 0 of 0."""
    if isinstance(number, int):
        return 1 << number.bit_length() >> 1
    if number.dtype == object:
        return (np.ones_like(number) << _bit_length(number)) >> 1
    length = np.frexp(number.astype(np.float64))[1].astype(np.int64)  # exact for numbers of at most 52 bits
    return np.where(number > 0, np.int64(1) << np.maximum(length - 1, 0), 0)


def _below(number: Any, ones: int) -> Any:
    """Give the greatest number up to `number`, which is not negative, with so many ones: its leading ones."""
    kept = number * 0
    for _ in range(ones):
        bit = _top_bit(number - kept)
        if not np.any(bit):
            break
        kept = kept + bit
    return kept


def _above(number: Raws, ones: int) -> Raws:
    """Give the least number from `number` on with so many ones.

    Where the leading ones are not the whole, a one is added at the last of them: a carry makes no further ones.
    """
    kept = last = number * 0
    for _ in range(ones):
        bit = _top_bit(number - kept)
        last = np.where(bit != 0, bit, last)
        kept = kept + bit
    return np.asarray(np.where(kept < number, kept + last, kept))


def _nearest_signed(y: Any, digits: int) -> tuple[Any, Any]:
    """Give a nearest number with so many signed digits, and the rest.

    Taking the power of two nearest to the rest again and again is best: below 1.5 * 2**a, where the lower power
    2**a is taken, every number 2**(a + 1) - u with u from 2**(a - 1) to 2**a is also 2**a + (2**a - u), and 2**a - u
    has no more digits than u. Above it the same holds the other way round.
    """
    total, rest = y * 0, y
    for _ in range(digits):
        size = abs(rest)
        power = _nearest_power(size)
        step = np.copysign(power, rest) if isinstance(size, np.ndarray) else power if rest >= 0 else -power
        total, rest = total + step, rest - step
    return total, rest


def _nearest_power(size: Any) -> Any:
    """Give the nearest of 0, 1, 2, 4, ..."""
    if not isinstance(size, np.ndarray):
        top = 1 << int(size).bit_length() >> 1
        return 2 * top if 2 * size > 3 * top > 0 else top if top else int(2 * size > 1)
    top = np.ldexp(1.0, np.maximum(np.frexp(size)[1] - 1, 0))
    return np.where(size < 1, np.where(size > 0.5, 1.0, 0.0), np.where(size > 1.5 * top, 2 * top, top))
