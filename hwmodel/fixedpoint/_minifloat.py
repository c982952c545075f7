"""Small floating-point formats of any split between exponent and mantissa."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._codes import (
    LEAST,
    TABLE_WIDTH,
    Reals,
    as_codes,
    as_reals,
    whole_number,
    without_nonfinite,
)
from hwmodel.fixedpoint._format import NonFinite, mode_name
from hwmodel.fixedpoint._raw import Raws

FLOAT_ROUNDINGS = ("TIES_EVEN", "TIES_AWAY", "TO_ZERO", "UP", "DOWN")
FLOAT_ROUNDING_ALIASES = {
    "RNE": "TIES_EVEN",
    "RND_CONV": "TIES_EVEN",
    "ROUND_HALF_EVEN": "TIES_EVEN",
    "CONVERGENT": "TIES_EVEN",
    "NEAREST": "TIES_EVEN",
    "RNA": "TIES_AWAY",
    "RND_INF": "TIES_AWAY",
    "ROUND_HALF_AWAY": "TIES_AWAY",
    "RTZ": "TO_ZERO",
    "TRN_ZERO": "TO_ZERO",
    "TOWARD_ZERO": "TO_ZERO",
    "TRUNC": "TO_ZERO",
    "RTP": "UP",
    "CEIL": "UP",
    "TOWARD_POSITIVE": "UP",
    "RTN": "DOWN",
    "TRN": "DOWN",
    "FLOOR": "DOWN",
    "TOWARD_NEGATIVE": "DOWN",
}
FLOAT_OVERFLOWS = ("INF", "NAN", "SAT")
FLOAT_OVERFLOW_ALIASES = {"INFINITY": "INF", "SATURATE": "SAT", "CLIP": "SAT", "CLAMP": "SAT"}

DOUBLE_MIN_EXPONENT, DOUBLE_MAX_EXPONENT = -1074, 1023


@dataclass(frozen=True, repr=False)
class Minifloat:
    """A floating-point format: sign, exponent, mantissa, from the most significant bit on.

    The least exponent holds the subnormal numbers. Where the format has both, infinities and NaN take the greatest
    exponent, as in IEEE 754; where it has one of them, that takes the code of all ones only, as in the OCP format
    E4M3; all other codes are numbers.

    Parameters:
        exponent_bits: bits of the exponent, 0 to 11.
        mantissa_bits: bits of the mantissa, 0 to 52; at most 63 bits in all, with the sign.
        bias: what the stored exponent exceeds the true one by; None takes 2**(exponent_bits - 1) - 1.
        has_inf: whether there are infinities.
        has_nan: whether there is NaN.
        has_subnormals: False reads numbers below the least normal one as 0, and never writes them.
        rounding: TIES_EVEN, TIES_AWAY, TO_ZERO, UP or DOWN, the five of IEEE 754, or an alias such as "rne". Without
            mantissa no power is even, and TIES_EVEN takes the greater one, as IEEE 754 says.
        overflow: what a number beyond the greatest becomes: INF, NAN or SAT, the greatest. INF follows IEEE 754:
            roundings that point toward zero give the greatest. None takes the first of INF, NAN, SAT that exists.
        name: how `str` calls the format.

    Source: IEEE 754-2019, clauses 3 and 4; OCP 8-bit Floating Point Specification 1.0; OCP Microscaling Formats 1.0.

    Raises:
        FormatError: for parameters that contradict each other, or values beyond float64.

    Example:
        >>> fmt = Minifloat(4, 3, has_inf=False)
        >>> fmt.quantize([0.3, 464, 1e9]), fmt.dequantize([42, 126, 127]).tolist()
        (array([ 42, 126, 127]), [0.3125, 448.0, nan])
        >>> print(fmt.max, fmt.min_normal, fmt.lsb)
        448 1/64 1/512
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int | None = None
    has_inf: bool = True
    has_nan: bool = True
    has_subnormals: bool = True
    rounding: str = "TIES_EVEN"
    overflow: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Bring every field to its canonical form, or refuse it."""
        put = object.__setattr__
        put(self, "exponent_bits", whole_number("exponent_bits", self.exponent_bits, 0, 11))
        put(self, "mantissa_bits", whole_number("mantissa_bits", self.mantissa_bits, 0, 52))
        if self.bias is not None:
            put(self, "bias", whole_number("bias", self.bias, -2000, 2000))
        for flag in ("has_inf", "has_nan", "has_subnormals"):
            if not isinstance(getattr(self, flag), bool | np.bool_):
                raise FormatError(f"{flag}={getattr(self, flag)!r} is neither True nor False")
        put(self, "rounding", mode_name("rounding", self.rounding, FLOAT_ROUNDINGS, FLOAT_ROUNDING_ALIASES))
        first = "INF" if self.has_inf else "NAN" if self.has_nan else "SAT"
        given = first if self.overflow is None else self.overflow
        put(self, "overflow", mode_name("overflow", given, FLOAT_OVERFLOWS, FLOAT_OVERFLOW_ALIASES))
        self._check()

    def _check(self) -> None:
        if self.overflow == "INF" and not self.has_inf or self.overflow == "NAN" and not self.has_nan:
            missing = "infinity" if self.overflow == "INF" else "NaN"
            raise FormatError(f"{self}: overflow={self.overflow!r} needs {missing}; take overflow='SAT'")
        if self.has_inf and self.has_nan and not (self.mantissa_bits and self.exponent_bits):
            raise FormatError(
                f"{self} has no codes for both infinity and NaN; set has_inf=False or has_nan=False"
            )
        if not self.has_subnormals and not self.exponent_bits:
            raise FormatError(f"{self}: without exponent all numbers are subnormal; set has_subnormals=True")
        if self.width > 63 or self._top < (1 if self.has_subnormals else 1 << self.mantissa_bits):
            raise FormatError(
                f"{self} has {self.width} bits; take at most 63, and so many that a number is left"
            )
        lowest = self._min_exponent - (self.mantissa_bits if self.has_subnormals else 0)
        highest = self._min_exponent + max((self._top >> self.mantissa_bits) - 1, 0)
        if lowest < DOUBLE_MIN_EXPONENT or highest > DOUBLE_MAX_EXPONENT:
            raise FormatError(
                f"{self}: exponents {lowest}..{highest} are beyond float64's {DOUBLE_MIN_EXPONENT}.."
                f"{DOUBLE_MAX_EXPONENT}; take fewer exponent bits or another bias"
            )

    # ----------------------------------------------------------------------------------------- what it is

    @property
    def width(self) -> int:
        """Bits of a word, with the sign."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def exponent_bias(self) -> int:
        """What the stored exponent exceeds the true one by."""
        return (
            self.bias
            if self.bias is not None
            else (1 << self.exponent_bits >> 1) - 1
            if self.exponent_bits
            else 0
        )

    @property
    def _min_exponent(self) -> int:
        return 1 - self.exponent_bias

    @property
    def _ones(self) -> int:
        """The greatest code without its sign."""
        return (1 << (self.width - 1)) - 1

    @property
    def _top(self) -> int:
        """The code of the greatest number; codes without their sign are in the order of the numbers."""
        if self.has_inf and self.has_nan:
            return ((1 << self.exponent_bits) - 1 << self.mantissa_bits) - 1
        return self._ones - (self.has_inf or self.has_nan)

    @property
    def _infinity(self) -> int:
        return self._top + 1

    @property
    def _nan(self) -> int:
        """The quiet NaN."""
        return self._top + 1 + (1 << self.mantissa_bits >> 1 if self.has_inf else 0)

    @property
    def max(self) -> Fraction:
        """The greatest number, exactly."""
        return self._value(self._top)

    @property
    def min(self) -> Fraction:
        """The least number, exactly."""
        return -self.max

    @property
    def min_normal(self) -> Fraction:
        """The least positive number with the full mantissa."""
        return Fraction(2) ** self._min_exponent

    @property
    def lsb(self) -> Fraction:
        """The least positive number."""
        return self._value(1 if self.has_subnormals else 1 << self.mantissa_bits)

    def _value(self, code: int) -> Fraction:
        field, rest = code >> self.mantissa_bits, code & ((1 << self.mantissa_bits) - 1)
        number = rest + (1 << self.mantissa_bits) if field else rest
        return number * Fraction(2) ** (max(field, 1) - self.exponent_bias - self.mantissa_bits)

    def __str__(self) -> str:
        """The name, or the split."""
        return self.name or f"e{self.exponent_bits}m{self.mantissa_bits}"

    def __repr__(self) -> str:
        """The call that makes this format."""
        text = f"Minifloat({self.exponent_bits}, {self.mantissa_bits}"
        text += "" if self.bias is None else f", bias={self.bias}"
        for flag in ("has_inf", "has_nan", "has_subnormals"):
            text += "" if getattr(self, flag) else f", {flag}=False"
        text += "" if self.rounding == "TIES_EVEN" else f", rounding={self.rounding!r}"
        first = "INF" if self.has_inf else "NAN" if self.has_nan else "SAT"
        text += "" if self.overflow == first else f", overflow={self.overflow!r}"
        return text + (f", name={self.name!r})" if self.name else ")")

    def saturating(self) -> Minifloat:
        """Give the same format with overflow SAT.

        Example:
            >>> E4M3.quantize([1e9]), E4M3.saturating().quantize([1e9])
            (array([127]), array([126]))
        """
        return replace(self, overflow="SAT")

    # ----------------------------------------------------------------------------------------- in and out

    def quantize(self, x: Any, *, nonfinite: NonFinite = "error") -> Raws:
        """Round numbers to codes.

        Parameters:
            x: floats or integers of any shape; NaN and infinities become their codes, where there are such.
            nonfinite: what happens to those that have no code, as for `hwmodel.fixedpoint.quantize`.

        Raises:
            FormatError: for what has no code, and for numbers that float64 does not hold.
        """
        return self.encode(as_reals(x, self), nonfinite)

    def dequantize(self, raw: Any) -> Reals:
        """Give the values of codes, exactly; NaN and infinities among them.

        Raises:
            FormatError: naming a code outside the format.
        """
        return self.decode(raw)

    def values(self) -> Reals:
        """Give the value of every code, in the order of codes 0 .. 2**width - 1.

        Raises:
            FormatError: for formats wider than 16 bits.

        Example:
            >>> E2M1.values()[:8]
            array([0. , 0.5, 1. , 1.5, 2. , 3. , 4. , 6. ])
        """
        if self.width > TABLE_WIDTH:
            raise FormatError(f"{self} has 2**{self.width} values; dequantize the codes that you need")
        return self._table.copy()

    @cached_property
    def _table(self) -> Reals:
        return self._decode(np.arange(1 << self.width))

    def encode(self, x: Reals, nonfinite: NonFinite = "error") -> Raws:
        """Round float64 numbers to codes."""
        x = np.asarray(x, np.float64)
        refused = np.isnan(x) & (not self.has_nan)
        if not (self.has_inf or self.has_nan):
            refused = refused | np.isinf(x)
        x = without_nonfinite(x, refused, nonfinite, self)
        negative, size = np.signbit(x), np.abs(x)
        finite = np.isfinite(size)
        codes = self._round(np.where(finite, size, 0.0), negative)
        over = (codes > self._top) & finite
        codes = np.where(over, self._overflowed(negative), codes)
        codes = np.where(np.isinf(size), self._overflow_code, codes)
        codes = np.where(np.isnan(size), self._nan, codes)
        return np.asarray(codes | (negative.astype(np.int64) << (self.width - 1)), np.int64)

    def _round(self, size: Reals, negative: npt.NDArray[np.bool_]) -> Raws:
        """Give the codes of magnitudes as if there were no greatest one."""
        least, digits = self._min_exponent, self.mantissa_bits
        exponent = np.frexp(size)[1].astype(np.int64) - 1
        # A carry out of the mantissa goes into the exponent by itself, as codes are in the order of numbers.
        normal = (size > 0) & (exponent >= least)
        lowest = least - (digits if self.has_subnormals else 0)
        quantum = np.where(normal, np.maximum(exponent, least) - digits, lowest)
        with np.errstate(under="ignore"):
            n = np.ldexp(size, -quantum)
        n = np.where((n == 0) & (size > 0), LEAST, n)
        whole = np.floor(n)
        rest = n - whole
        kept = whole.astype(np.int64)
        up = self._goes_up(rest, kept, negative)
        above = (exponent - least) << digits
        if self.has_subnormals:
            return np.asarray(np.where(normal, above, 0) + kept + up)
        return np.where(normal, above + kept + up, (kept + up) << digits)

    def _goes_up(self, rest: Reals, kept: Raws, negative: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        if self.rounding == "TIES_EVEN":
            return np.asarray((rest > 0.5) | ((rest == 0.5) & (kept % 2 == 1)))
        if self.rounding == "TIES_AWAY":
            return np.asarray(rest >= 0.5)
        if self.rounding == "TO_ZERO":
            return np.zeros(rest.shape, bool)
        return (rest > 0) & (negative if self.rounding == "DOWN" else ~negative)

    @property
    def _overflow_code(self) -> int:
        return {"INF": self._infinity, "NAN": self._nan, "SAT": self._top}[str(self.overflow)]

    def _overflowed(self, negative: npt.NDArray[np.bool_]) -> Any:
        """Give the codes of finite numbers beyond the greatest."""
        if self.overflow != "INF" or self.rounding in ("TIES_EVEN", "TIES_AWAY"):
            return self._overflow_code
        if self.rounding == "TO_ZERO":
            return self._top
        return np.where(negative == (self.rounding == "DOWN"), self._infinity, self._top)

    def decode(self, raw: Raws) -> Reals:
        """Give the values of codes."""
        codes = as_codes(raw, 0, 1 << self.width, self)
        if self.width <= TABLE_WIDTH:
            return np.asarray(self._table[codes.astype(np.int64)], np.float64)
        return self._decode(codes.astype(np.int64))

    def _decode(self, codes: Raws) -> Reals:
        digits = self.mantissa_bits
        size = codes & self._ones
        field, rest = size >> digits, size & ((1 << digits) - 1)
        number = np.where(field > 0, rest + (1 << digits), rest if self.has_subnormals else 0)
        finite = size <= self._top
        exponent = np.where(finite, np.maximum(field, 1) - self.exponent_bias - digits, 0)
        values = np.ldexp(number.astype(np.float64), exponent)
        special = np.where(size == self._infinity, np.inf, np.nan) if self.has_inf else np.nan
        values = np.where(finite, values, special)
        return np.where(codes >> (self.width - 1) == 1, -values, values)


E4M3 = Minifloat(4, 3, has_inf=False, name="E4M3")
E5M2 = Minifloat(5, 2, name="E5M2")
E2M1 = Minifloat(2, 1, has_inf=False, has_nan=False, name="E2M1")
E2M3 = Minifloat(2, 3, has_inf=False, has_nan=False, name="E2M3")
E3M2 = Minifloat(3, 2, has_inf=False, has_nan=False, name="E3M2")
FLOAT16 = Minifloat(5, 10, name="FLOAT16")
BFLOAT16 = Minifloat(8, 7, name="BFLOAT16")
