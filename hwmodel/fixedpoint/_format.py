"""The format of a fixed-point number: widths, rounding, overflow, and how it is written."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import Any, Literal, Protocol, cast, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError

NonFinite = Literal["error", "saturate", "zero"]

# In the order of the enumerations of ap_fixed, so that a mode's number there is its index here.
ROUNDINGS = ("RND", "RND_ZERO", "RND_MIN_INF", "RND_INF", "RND_CONV", "TRN", "TRN_ZERO")
OVERFLOWS = ("SAT", "SAT_ZERO", "SAT_SYM", "WRAP", "WRAP_SM")

MAX_WIDTH = 1024  # the default limit of ap_fixed, AP_INT_MAX_W
MAX_INT_BITS = 4096  # keeps every shift a sensible size
INT64_WIDTH = 63  # raws of wider formats are Python ints in object arrays

ROUNDING_ALIASES = {
    "ROUND_HALF_UP": "RND",
    "HALF_UP": "RND",
    "NEAREST": "RND",
    "ROUND_HALF_TO_ZERO": "RND_ZERO",
    "HALF_TO_ZERO": "RND_ZERO",
    "ROUND_HALF_DOWN": "RND_MIN_INF",
    "HALF_DOWN": "RND_MIN_INF",
    "ROUND_HALF_AWAY": "RND_INF",
    "HALF_AWAY": "RND_INF",
    "TIES_AWAY": "RND_INF",
    "ROUND_HALF_EVEN": "RND_CONV",
    "HALF_EVEN": "RND_CONV",
    "TIES_EVEN": "RND_CONV",
    "CONVERGENT": "RND_CONV",
    "FLOOR": "TRN",
    "TRUNC": "TRN",
    "TRUNCATE": "TRN",
    "TO_ZERO": "TRN_ZERO",
    "TOWARD_ZERO": "TRN_ZERO",
    "FIX": "TRN_ZERO",
}
OVERFLOW_ALIASES = {
    "SATURATE": "SAT",
    "CLIP": "SAT",
    "CLAMP": "SAT",
    "ZERO": "SAT_ZERO",
    "SATURATE_ZERO": "SAT_ZERO",
    "SYMMETRIC": "SAT_SYM",
    "SATURATE_SYMMETRIC": "SAT_SYM",
    "WRAPAROUND": "WRAP",
    "MODULO": "WRAP",
    "SIGN_MAGNITUDE": "WRAP_SM",
    "WRAP_SIGN_MAGNITUDE": "WRAP_SM",
}

# A name, then its parameters between angle brackets.
_WRITTEN = re.compile(r"\s*(?:ap_)?(u?)(fixed|int)\s*<([^<>]*)>\s*", re.IGNORECASE)


@runtime_checkable
class NumberFormat(Protocol):
    """What `quantize` and `dequantize` need of a format that is not `Fixed`."""

    @property
    def width(self) -> int:
        """Bits of a word."""

    def encode(self, x: npt.NDArray[np.float64], nonfinite: NonFinite) -> npt.NDArray[Any]:
        """Give the raw words of floats."""

    def decode(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Give the values of raw words."""


def mode_name(kind: str, given: object, known: tuple[str, ...], aliases: dict[str, str]) -> str:
    """Give the canonical name of a mode, or refuse it with "did you mean"."""
    if not isinstance(given, str):
        raise FormatError(f"{kind} {given!r} is no name; take one of {', '.join(known)}")
    name = re.sub(r"[\s-]+", "_", given.strip().upper())
    name = re.sub(r"^(AP|SC)_", "", name)
    name = aliases.get(name, name)
    if name in known:
        return name
    near = get_close_matches(name, [*known, *aliases], n=1, cutoff=0.5)
    shown = (near[0] if near[0] in known else near[0].lower()) if near else ""
    hint = f"; did you mean '{shown}'?" if near else ";"
    raise FormatError(f"unknown {kind} '{given}'{hint} Known: {', '.join(known)}")


def nonfinite_mode(given: object) -> NonFinite:
    """Give the canonical name of what happens to NaN and infinities, or refuse it."""
    known = tuple(name.upper() for name in get_args(NonFinite))
    return cast(NonFinite, mode_name("nonfinite", given, known, {}).lower())


def _whole(what: str, given: Any) -> int:
    if isinstance(given, bool | np.bool_):
        raise FormatError(f"{what}={given!r} is no whole number; write {what}={int(given)}")
    try:
        return operator.index(given)
    except TypeError:
        raise FormatError(f"{what}={given!r} is no whole number of bits; write an int") from None


@dataclass(frozen=True, repr=False)
class Fixed:
    """A fixed-point format with the meaning of `ap_fixed<W,I,Q,O,N>` and `ap_ufixed<W,I,Q,O,N>`.

    Parameters:
        width: bits of a word, 1 to 1024 (W).
        int_bits: bits left of the binary point, the sign among them (I); may be negative or exceed `width`.
        signed: two's complement, or unsigned.
        rounding: one of `ROUNDINGS`, with or without `AP_`, in any case, or an alias such as "floor".
        overflow: one of `OVERFLOWS`, likewise, or an alias such as "saturate".
        saturation_bits: bits that saturate in WRAP and WRAP_SM (N); the other overflows ignore them.

    Source: AMD ap_types headers (HLS_arbitrary_Precision_Types), ap_fixed_base.h.

    Raises:
        FormatError: for a width of 0, an unknown mode, or an unsigned WRAP_SM.

    Example:
        >>> fmt = Fixed(8, 3, rounding="RND", overflow="SAT")
        >>> print(fmt, fmt.min, fmt.max, fmt.lsb)
        ap_fixed<8,3,AP_RND,AP_SAT> -4 127/32 1/32
    """

    width: int
    int_bits: int
    signed: bool = True
    rounding: str = "TRN"
    overflow: str = "WRAP"
    saturation_bits: int = 0

    def __post_init__(self) -> None:
        """Bring every field to its canonical form, or refuse it."""
        put = object.__setattr__
        put(self, "width", _whole("width", self.width))
        put(self, "int_bits", _whole("int_bits", self.int_bits))
        put(self, "saturation_bits", _whole("saturation_bits", self.saturation_bits))
        if not isinstance(self.signed, bool | np.bool_ | int) or self.signed not in (0, 1):
            raise FormatError(f"signed={self.signed!r} is neither True nor False")
        put(self, "signed", bool(self.signed))
        put(self, "rounding", mode_name("rounding", self.rounding, ROUNDINGS, ROUNDING_ALIASES))
        put(self, "overflow", mode_name("overflow", self.overflow, OVERFLOWS, OVERFLOW_ALIASES))
        self._check()

    def _check(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise FormatError(
                f"width={self.width} of {self} is outside 1..{MAX_WIDTH} bits; choose a width there"
            )
        if abs(self.int_bits) > MAX_INT_BITS:
            raise FormatError(
                f"int_bits={self.int_bits} of {self} is outside -{MAX_INT_BITS}..{MAX_INT_BITS}"
            )
        if not 0 <= self.saturation_bits <= self.width:
            raise FormatError(
                f"saturation_bits={self.saturation_bits} of {self} is outside 0..width={self.width}"
            )
        if self.overflow == "WRAP_SM" and not self.signed:
            raise FormatError(
                f"{self}: sign-magnitude wrapping needs a sign; make the format signed, or take WRAP or SAT"
            )

    @classmethod
    def parse(cls, text: str) -> Fixed:
        """Read a format as C++ or hls4ml writes it.

        Raises:
            FormatError: where the text is no such type.

        Example:
            >>> Fixed.parse("ap_fixed<8,3,AP_RND,AP_SAT>")
            Fixed(8, 3, rounding='RND', overflow='SAT')
            >>> print(Fixed.parse("ap_uint<4>"), Fixed.parse("ufixed<6, -1>"))
            ap_ufixed<4,4> ap_ufixed<6,-1>
        """
        match = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise FormatError(f"{text!r} is no format; write it like 'ap_fixed<8,3,AP_RND,AP_SAT>'")
        parts = [part.strip() for part in match[3].split(",")]
        kind = match[2].lower()
        if not (len(parts) == 1 if kind == "int" else 2 <= len(parts) <= 5):
            wanted = "one parameter, W" if kind == "int" else "two to five parameters, W,I,Q,O,N"
            raise FormatError(f"{text!r} has {len(parts)} parameters; {kind} takes {wanted}")
        numbers = [_number(text, part) for part in (parts[:2] if kind == "fixed" else parts * 2)]
        defaults = ("0", "0", "TRN", "WRAP", "0")
        rounding, overflow, bits = (parts + list(defaults[len(parts) :]))[2:]
        return cls(numbers[0], numbers[1], not match[1], rounding, overflow, _number(text, bits))

    def __str__(self) -> str:
        """The C++ type, without those parameters that have their defaults."""
        text = f"ap_{'' if self.signed else 'u'}fixed<{self.width},{self.int_bits}"
        if (self.rounding, self.overflow, self.saturation_bits) != ("TRN", "WRAP", 0):
            text += f",AP_{self.rounding},AP_{self.overflow}"
        if self.saturation_bits:
            text += f",{self.saturation_bits}"
        return text + ">"

    def __repr__(self) -> str:
        """The call that makes this format."""
        text = f"Fixed({self.width}, {self.int_bits}"
        if not self.signed:
            text += ", signed=False"
        if self.rounding != "TRN":
            text += f", rounding={self.rounding!r}"
        if self.overflow != "WRAP":
            text += f", overflow={self.overflow!r}"
        if self.saturation_bits:
            text += f", saturation_bits={self.saturation_bits}"
        return text + ")"

    @property
    def frac_bits(self) -> int:
        """Bits right of the binary point; a raw r stands for r * 2**-frac_bits."""
        return self.width - self.int_bits

    @property
    def min_raw(self) -> int:
        """The least raw that the word holds (SAT_SYM casts to one more)."""
        return -(1 << self.width - 1) if self.signed else 0

    @property
    def max_raw(self) -> int:
        """The greatest raw."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def lsb(self) -> Fraction:
        """The value of the last bit, exactly."""
        return Fraction(2) ** -self.frac_bits

    @property
    def min(self) -> Fraction:
        """The least value, exactly."""
        return self.min_raw * self.lsb

    @property
    def max(self) -> Fraction:
        """The greatest value, exactly."""
        return self.max_raw * self.lsb

    @property
    def magnitude_bits(self) -> int:
        """The m for which every raw lies in -2**m .. 2**m - 1."""
        return self.width - self.signed

    @property
    def dtype(self) -> np.dtype[Any]:
        """The container of raws: int64, or object (Python ints) above 63 bits."""
        return np.dtype(np.int64 if self.width <= INT64_WIDTH else object)


def _number(text: str, part: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]+", part) is None:  # int() would take 1_0 as well
        raise FormatError(f"{text!r}: {part!r} is no whole number of bits")
    return int(part)


def smallest_dtype(fmt: Fixed) -> np.dtype[Any]:
    """Give the smallest container that holds every raw of a format.

    Example:
        >>> smallest_dtype(Fixed(8, 3)), smallest_dtype(Fixed(9, 3, signed=False))
        (dtype('int8'), dtype('uint16'))
    """
    for bits in (8, 16, 32, 64):
        if fmt.width <= (bits if bits < 64 else INT64_WIDTH):
            return np.dtype(f"{'int' if fmt.signed or bits == 64 else 'uint'}{bits}")
    return np.dtype(object)


def holds(dtype: np.dtype[Any], fmt: Fixed) -> bool:
    """Tell whether a container holds every raw of a format."""
    if dtype.kind == "O":
        return True
    if dtype.kind not in "iu":
        return False
    info = np.iinfo(dtype)
    return int(info.min) <= fmt.min_raw and fmt.max_raw <= int(info.max)
