"""Powers of two, and of the square root of two: numbers whose product with another is a shift.

A code holds the sign in its most significant bit, and below it the number of the magnitude, counted from the least:
with `zero`, 0 stands for zero and 1 for the least power; without, 0 stands for the least power.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._codes import (
    Reals,
    as_codes,
    as_reals,
    least_float,
    place_of,
    whole_number,
    without_nonfinite,
    written,
)
from hwmodel.fixedpoint._format import NonFinite, mode_name
from hwmodel.fixedpoint._raw import Raws

METRICS = ("LOG", "LINEAR")
# The least float64 that reaches the square root of 2; it is the nearest to it as well.
LEAST_ROOT2 = least_float(1.414, lambda t: t**2 >= 2)
METRIC_ALIASES = {"LOGARITHMIC": "LOG", "LIN": "LINEAR", "VALUE": "LINEAR"}


@dataclass(frozen=True, repr=False)
class PowerOfTwo:
    """Words that stand for 0 or for +-2**n, with n from `min_exponent` to `max_exponent`.

    Parameters:
        min_exponent: exponent of the least magnitude.
        max_exponent: exponent of the greatest magnitude; greater magnitudes become it.
        signed: whether there are negative numbers; without, they become the least number.
        zero: whether there is a code for 0; without, 0 becomes the least positive number.
        metric: "log" takes the power nearest in logarithm, so the border between 2**n and 2**(n + 1) is at
            2**(n + 1/2); "linear" takes the nearest in value, so it is at 1.5 * 2**n. Zero stands one step below the
            least power by "log", and at 0 by "linear". A number on a border goes to the greater magnitude.

    Raises:
        FormatError: for exponents that are out of order or beyond float64.

    Example:
        >>> fmt = PowerOfTwo(-3, 0)
        >>> raw = fmt.quantize([0.3, -0.72, 0.05, 9])
        >>> raw, fmt.dequantize(raw)
        (array([ 2, 12,  0,  4]), array([ 0.25, -1.  ,  0.  ,  1.  ]))
        >>> fmt.width, PowerOfTwo(-3, 0, metric="linear").quantize(-0.72)
        (4, array(11))
    """

    min_exponent: int
    max_exponent: int
    signed: bool = True
    zero: bool = True
    metric: str = "LOG"

    steps: ClassVar[int] = 1  # magnitudes from a power of two to the next

    def __post_init__(self) -> None:
        """Bring every field to its canonical form, or refuse it."""
        put, name = object.__setattr__, type(self).__name__
        low, high = -1021 * self.steps, 1023 * self.steps
        put(self, "min_exponent", whole_number("min_exponent", self.min_exponent, low, high))
        put(self, "max_exponent", whole_number("max_exponent", self.max_exponent, low, high))
        for flag in ("signed", "zero"):
            if not isinstance(getattr(self, flag), bool | np.bool_):
                raise FormatError(f"{flag}={getattr(self, flag)!r} is neither True nor False")
        put(self, "metric", mode_name("metric", self.metric, METRICS, METRIC_ALIASES))
        if self.min_exponent > self.max_exponent:
            raise FormatError(
                f"{name}: min_exponent={self.min_exponent} exceeds max_exponent={self.max_exponent}; exchange them"
            )
        if not self.signed and self._count == 1:
            raise FormatError(f"{self!r} has one value only; add exponents, zero or a sign")

    def __repr__(self) -> str:
        """The call that makes this format."""
        text = f"{type(self).__name__}({self.min_exponent}, {self.max_exponent}"
        text += "" if self.signed else ", signed=False"
        text += "" if self.zero else ", zero=False"
        return text + ("" if self.metric == "LOG" else f", metric={self.metric!r}") + ")"

    def __str__(self) -> str:
        """The same in short."""
        return repr(self)

    # ----------------------------------------------------------------------------------------- what it is

    @property
    def _count(self) -> int:
        """Codes without their sign."""
        return self.max_exponent - self.min_exponent + 1 + self.zero

    @property
    def width(self) -> int:
        """Bits of a word, with the sign."""
        return (self._count - 1).bit_length() + self.signed

    @property
    def max(self) -> float:
        """The greatest number."""
        return float(self._magnitudes[-1])

    @property
    def min(self) -> float:
        """The least number."""
        return -self.max if self.signed else float(self._magnitudes[0])

    @cached_property
    def _magnitudes(self) -> Reals:
        """Magnitudes in the order of their codes, as the nearest float64."""
        n = np.arange(self.min_exponent, self.max_exponent + 1)
        whole = n // self.steps
        parts = np.array([1.0, LEAST_ROOT2])[n % self.steps]
        return np.concatenate([np.zeros(int(self.zero)), np.ldexp(parts, whole)])

    @cached_property
    def _borders(self) -> Reals:
        """For every magnitude but the least, the least float64 that belongs to it or to a greater one."""
        first = self.min_exponent - (1 if self.zero else 0)
        borders = [self._border(n) for n in range(first, self.max_exponent)]
        if self.zero and self.metric == "LINEAR":
            whole, part = divmod(self.min_exponent, self.steps)  # half of the least magnitude
            borders[0] = float(np.ldexp([1.0, LEAST_ROOT2][part], whole - 1))
        return np.array(borders)

    def _border(self, n: int) -> float:
        """The border between the powers n and n + 1."""
        whole, part = divmod(n, self.steps)
        return float(np.ldexp(_PARTS[self.steps, self.metric][part], whole))

    # ----------------------------------------------------------------------------------------- in and out

    def quantize(self, x: Any, *, nonfinite: NonFinite = "error") -> Raws:
        """Give the codes of the nearest numbers.

        Parameters:
            x: floats or integers of any shape.
            nonfinite: as for `hwmodel.fixedpoint.quantize`.

        Raises:
            FormatError: for NaN and infinities, and numbers that float64 does not hold.
        """
        return self.encode(as_reals(x, self), nonfinite)

    def dequantize(self, raw: Any) -> Reals:
        """Give the values of codes.

        Raises:
            FormatError: naming a code that stands for no number.
        """
        return self.decode(raw)

    def values(self) -> Reals:
        """Give all numbers, in the order of their codes.

        Example:
            >>> PowerOfTwo(-1, 1).values()
            array([ 0. ,  0.5,  1. ,  2. , -0.5, -1. , -2. ])
        """
        size = self._magnitudes
        return np.concatenate([size, -size[int(self.zero) :]]) if self.signed else size.copy()

    def exponents(self, raw: Any) -> Raws:
        """Give the exponents of codes: the shift that replaces a product.

        Raises:
            FormatError: where a code is zero, which has none.

        Example:
            >>> fmt = PowerOfTwo(-3, 0)
            >>> fmt.exponents(fmt.quantize([0.25, -1]))
            array([-2,  0])
        """
        magnitude, _ = self._split(raw)
        if self.zero and not np.all(magnitude):
            place = place_of(magnitude == 0)
            raise FormatError(f"raw{written(place)} is zero, which has no exponent; mask zeros out first")
        return np.asarray(magnitude + self.min_exponent - self.zero)

    def encode(self, x: Reals, nonfinite: NonFinite = "error") -> Raws:
        """Give the codes of float64 numbers."""
        x = np.asarray(x, np.float64)
        x = without_nonfinite(x, ~np.isfinite(x), nonfinite, self)
        if not self.signed:
            x = np.maximum(x, 0.0)
        magnitude = np.searchsorted(self._borders, np.abs(x), side="right").astype(np.int64)
        negative = x < 0
        if self.zero:
            negative &= magnitude > 0
        shift = self.width - 1
        return np.asarray(
            magnitude + (negative.astype(np.int64) << shift) if self.signed else magnitude, np.int64
        )

    def decode(self, raw: Raws) -> Reals:
        """Give the values of codes, each the float64 nearest to it."""
        magnitude, negative = self._split(raw)
        size = self._magnitudes[magnitude]
        return np.where(negative & (size > 0), -size, size)

    def _split(self, raw: Any) -> tuple[Raws, Any]:
        codes = as_codes(raw, 0, 1 << self.width, self).astype(np.int64)
        bits = self.width - self.signed
        magnitude = codes & ((1 << bits) - 1)
        if np.any(magnitude >= self._count):
            place = place_of(magnitude >= self._count)
            raise FormatError(
                f"raw{written(place)} = {codes[place]} stands for no number of {self}, which uses {self._count} of "
                f"{1 << bits} magnitudes; codes come from quantize(x, fmt)"
            )
        return magnitude, codes >> bits == 1


class PowerOfSqrt2(PowerOfTwo):
    """Words that stand for 0 or for +-2**(n / 2), with n from `min_exponent` to `max_exponent`.

    Twice as fine as `PowerOfTwo` and still cheap: every second value is a shift, the others are a shift and one
    constant multiplication. Their values are irrational; `dequantize` gives the nearest float64, and `quantize`
    compares with the true borders.

    Parameters:
        min_exponent: twice the logarithm to base 2 of the least magnitude.
        max_exponent: the same of the greatest.
        signed: as in `PowerOfTwo`.
        zero: as in `PowerOfTwo`.
        metric: as in `PowerOfTwo`, with the borders at 2**(n/2 + 1/4) by "log" and half way by "linear".

    Raises:
        FormatError: for exponents that are out of order or beyond float64.

    Example:
        >>> fmt = PowerOfSqrt2(-4, 0)
        >>> fmt.dequantize(fmt.quantize([0.3, -0.72, 0.05])).round(4)
        array([ 0.3536, -0.7071,  0.    ])
    """

    steps: ClassVar[int] = 2


# Borders between the powers n and n + 1 for n = 0 .. steps - 1; every other border is one of them, shifted.
# Half way between sqrt2**n and sqrt2**(n + 1) is t with 2t - 1 = sqrt2 for n = 0, and with 2t - 2 = sqrt2 for n = 1.
_PARTS = {
    (1, "LOG"): (LEAST_ROOT2,),
    (1, "LINEAR"): (1.5,),
    (2, "LOG"): (least_float(1.189, lambda t: t**4 >= 2), least_float(1.682, lambda t: t**4 >= 8)),
    (2, "LINEAR"): (
        least_float(1.207, lambda t: (2 * t - 1) ** 2 >= 2),
        least_float(1.707, lambda t: (2 * t - 2) ** 2 >= 2),
    ),
}
