"""Times as whole femtoseconds, frequencies as exact fractions, and text such as "20 ps".

A `Time` is an `int` of femtoseconds that remembers that it is a time, so that a bare number can be
told apart and refused. Arrays of times are `Times`, an int64 NumPy array. Nothing is rounded
unless a rounding mode is named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, overload

from hwmodel.errors import BareNumberError, NotRepresentableError, TimeRangeError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hwmodel._times import Times

__all__ = [
    "MAX_TIME",
    "MB",
    "NEVER",
    "Frequency",
    "GHz",
    "Hz",
    "MHz",
    "Rounding",
    "THz",
    "Time",
    "TimeLike",
    "format_time",
    "fs",
    "kB",
    "kHz",
    "ms",
    "ns",
    "ps",
    "s",
    "to_frequency",
    "to_fs",
    "to_fs_array",
    "us",
]

Rounding = Literal["error", "nearest", "floor", "ceil"]

NEVER = 2**63 - 1
"""The time of an event that does not come, in fs."""

MAX_TIME = NEVER - 1
"""The last time that can be simulated, in fs: 9,223 s."""

_FS_PER_UNIT = {"fs": 1, "ps": 10**3, "ns": 10**6, "us": 10**9, "ms": 10**12, "s": 10**15}
_HZ_PER_UNIT = {"Hz": 1, "kHz": 10**3, "MHz": 10**6, "GHz": 10**9, "THz": 10**12}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)\s*([A-Za-zµ]+)\s*")


class Time(int):
    """A time in whole femtoseconds.

    Sums and differences of times, and products with whole numbers, are times; the quotient of two
    times is a number. Comparisons with plain integers work, additions of them are refused.

    Example:
        >>> ps(3.5) + ns(1)
        ns(1.0035)
        >>> ns(1) // ps(20)
        50
    """

    __slots__ = ()

    def __new__(cls, femtoseconds: int) -> Time:
        if type(femtoseconds) is int:  # most are
            return int.__new__(cls, femtoseconds)
        if isinstance(femtoseconds, bool) or not hasattr(femtoseconds, "__index__"):
            raise BareNumberError(
                f"Time({femtoseconds!r}): whole femtoseconds are wanted; write ps({femtoseconds!r})"
            )
        return super().__new__(cls, femtoseconds)

    def __abs__(self) -> Time:
        return Time(int.__abs__(self))

    def __repr__(self) -> str:
        text, unit = _split(int(self))
        # More digits than a double holds would not read back.
        return f"{unit}({text})" if len(text) <= 16 else f"fs({int(self)})"

    def __str__(self) -> str:
        return format_time(int(self))

    def __add__(self, other: object) -> Time:
        return Time(int.__add__(self, _operand(self, other, "+")))

    __radd__ = __add__

    def __sub__(self, other: object) -> Time:
        return Time(int.__sub__(self, _operand(self, other, "-")))

    def __rsub__(self, other: object) -> Time:
        return Time(_operand(self, other, "-") - int(self))

    def __neg__(self) -> Time:
        return Time(-int(self))

    def __mul__(self, other: Any) -> Any:
        product = int.__mul__(self, other)
        return Time(product) if isinstance(other, int) and not isinstance(other, Time) else product

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[type[Time], tuple[int]]:
        return Time, (int(self),)


TimeLike = Time | str
"""What is accepted where a time is wanted: `ps(20)` or "20 ps"."""


def _operand(time: Time, other: object, sign: str) -> int:
    if isinstance(other, Time) or (type(other) is int and other == 0):
        return int(other)
    raise BareNumberError(f"{time!r} {sign} {other!r}: {other!r} has no unit; write ps({other!r})")


class Frequency:
    """A frequency as an exact fraction of hertz.

    Example:
        >>> GHz(52.6).hz
        Fraction(52600000000, 1)
        >>> GHz(10) == MHz(10_000)
        True
    """

    __slots__ = ("hz",)

    hz: Fraction

    def __init__(self, hz: Fraction | int) -> None:
        value = Fraction(hz)
        if value <= 0:
            raise TimeRangeError(f"a frequency must be greater than zero, got {value} Hz")
        object.__setattr__(self, "hz", value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Frequency is immutable; make a new one instead of setting '{name}'")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frequency) and self.hz == other.hz

    def __hash__(self) -> int:
        return hash(self.hz)

    def __reduce__(self) -> tuple[type[Frequency], tuple[Fraction]]:
        return Frequency, (self.hz,)

    def __repr__(self) -> str:
        for unit in ("THz", "GHz", "MHz", "kHz"):
            if self.hz >= _HZ_PER_UNIT[unit]:
                return f"{unit}({_number(self.hz / _HZ_PER_UNIT[unit])})"
        return f"Hz({_number(self.hz)})"


def _number(value: Fraction) -> str:
    """Write a fraction as a literal that reads back to the same value."""
    if value.denominator == 1:
        return str(value.numerator)
    as_float = float(value)
    return (
        repr(as_float)
        if Fraction(repr(as_float)) == value
        else f"Fraction({value.numerator}, {value.denominator})"
    )


def _exact(value: Any, what: str) -> Fraction:
    """Read a number as the decimal that its writer saw: 52.6 is 526/10, not its nearest double."""
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction | str):
        item = getattr(value, "item", None)  # a NumPy scalar has one
        plain = item() if item is not None else None
        if isinstance(plain, bool) or not isinstance(plain, int | float):
            raise BareNumberError(f"{what}({value!r}): a number is wanted, got {type(value).__name__}")
        value = plain
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotRepresentableError(f"{what}({value!r}): a time or frequency must be finite")
        return Fraction(float.__repr__(value))
    if isinstance(value, Time):
        raise BareNumberError(f"{what}({value!r}): this is a time already; leave out {what}()")
    return Fraction(value)


def _round(exact: Fraction, rounding: Rounding, shown: str) -> int:
    _check_rounding(rounding)
    if exact.denominator == 1:
        return exact.numerator
    if rounding == "nearest":
        return round(exact)
    if rounding == "floor":
        return math.floor(exact)
    if rounding == "ceil":
        return math.ceil(exact)
    raise NotRepresentableError(
        f"{shown} is {float(exact)!r} fs, not a whole number of femtoseconds; "
        f"name a rounding, as in {shown[:-1] if shown.endswith(')') else shown}, rounding='nearest')"
    )


def _check_rounding(rounding: object) -> None:
    if rounding not in ("error", "nearest", "floor", "ceil"):
        raise NotRepresentableError(f"unknown rounding {rounding!r}; use error, nearest, floor or ceil")


def _check_range(value: int, shown: str) -> int:
    if not -MAX_TIME <= value <= MAX_TIME:
        raise TimeRangeError(f"{shown} is beyond the 9,223 s that 64-bit femtoseconds hold")
    return value


def _make(unit: str, value: Any, rounding: Rounding) -> Any:
    scale = _FS_PER_UNIT[unit]
    if type(value) is int and rounding == "error" and -MAX_TIME <= value * scale <= MAX_TIME:
        return Time(value * scale)  # as with the fractions below, which cost ten times as much
    if hasattr(value, "__len__") and not isinstance(value, str | bytes | set | frozenset | dict):
        from hwmodel._times import times_from

        return times_from(value, scale, unit, rounding)
    if isinstance(value, str):
        raise BareNumberError(f'{unit}({value!r}): write {unit}(20) or the text "20 {unit}", not both')
    shown = f"{unit}({value!r})"
    return Time(_check_range(_round(_exact(value, unit) * scale, rounding, shown), shown))


@overload
def fs(value: float | Fraction, rounding: Rounding = "error") -> Time: ...
@overload
def fs(value: Sequence[float] | npt.NDArray[Any], rounding: Rounding = "error") -> Times: ...
def fs(value: Any, rounding: Rounding = "error") -> Any:
    """Femtoseconds: `fs(20)` is a `Time`, `fs([1, 2])` an array of them."""
    return _make("fs", value, rounding)


@overload
def ps(value: float | Fraction, rounding: Rounding = "error") -> Time: ...
@overload
def ps(value: Sequence[float] | npt.NDArray[Any], rounding: Rounding = "error") -> Times: ...
def ps(value: Any, rounding: Rounding = "error") -> Any:
    """Picoseconds as a `Time`, or an array of them.

    Raises:
        NotRepresentableError: the value is not a whole number of femtoseconds.

    Example:
        >>> ps(3.5) == fs(3500)
        True
        >>> ps(1 / 3, rounding="nearest")
        fs(333)
        >>> ps([5, 105])
        ps([5, 105])
    """
    return _make("ps", value, rounding)


@overload
def ns(value: float | Fraction, rounding: Rounding = "error") -> Time: ...
@overload
def ns(value: Sequence[float] | npt.NDArray[Any], rounding: Rounding = "error") -> Times: ...
def ns(value: Any, rounding: Rounding = "error") -> Any:
    """Nanoseconds as a `Time`, or an array of them."""
    return _make("ns", value, rounding)


@overload
def us(value: float | Fraction, rounding: Rounding = "error") -> Time: ...
@overload
def us(value: Sequence[float] | npt.NDArray[Any], rounding: Rounding = "error") -> Times: ...
def us(value: Any, rounding: Rounding = "error") -> Any:
    """Microseconds as a `Time`, or an array of them."""
    return _make("us", value, rounding)


@overload
def ms(value: float | Fraction, rounding: Rounding = "error") -> Time: ...
@overload
def ms(value: Sequence[float] | npt.NDArray[Any], rounding: Rounding = "error") -> Times: ...
def ms(value: Any, rounding: Rounding = "error") -> Any:
    """Milliseconds as a `Time`, or an array of them."""
    return _make("ms", value, rounding)


@overload
def s(value: float | Fraction, rounding: Rounding = "error") -> Time: ...
@overload
def s(value: Sequence[float] | npt.NDArray[Any], rounding: Rounding = "error") -> Times: ...
def s(value: Any, rounding: Rounding = "error") -> Any:
    """Seconds as a `Time`, or an array of them."""
    return _make("s", value, rounding)


def Hz(value: float | Fraction) -> Frequency:
    """Hertz as an exact `Frequency`."""
    return Frequency(_exact(value, "Hz"))


def kHz(value: float | Fraction) -> Frequency:
    """Kilohertz as an exact `Frequency`."""
    return Frequency(_exact(value, "kHz") * 10**3)


def MHz(value: float | Fraction) -> Frequency:
    """Megahertz as an exact `Frequency`."""
    return Frequency(_exact(value, "MHz") * 10**6)


def GHz(value: float | Fraction) -> Frequency:
    """Gigahertz as an exact `Frequency`."""
    return Frequency(_exact(value, "GHz") * 10**9)


def THz(value: float | Fraction) -> Frequency:
    """Terahertz as an exact `Frequency`."""
    return Frequency(_exact(value, "THz") * 10**12)


def kB(value: int) -> int:
    """Kilobytes of 1,024 bytes, in bytes."""
    return int(value) * 1024


def MB(value: int) -> int:
    """Megabytes of 1,048,576 bytes, in bytes."""
    return int(value) * 1024 * 1024


def to_fs(value: object, what: str = "time", rounding: Rounding = "error") -> int:
    """Read one time, a `Time` or text such as "20 ps", as a plain `int` of femtoseconds.

    Raises:
        BareNumberError: a number without a unit; the message says what to write.
        NotRepresentableError: not a whole number of femtoseconds.

    Example:
        >>> to_fs("3.5 ps")
        3500
        >>> to_fs(3, "until")
        Traceback (most recent call last):
        ...
        hwmodel.errors.BareNumberError: until=3: a bare number has no unit; did you mean ps(3) or "3 ps"?
    """
    if isinstance(value, Time):
        return int(value)
    if isinstance(value, str):
        number, unit = _parse(value, what, _FS_PER_UNIT, "20 ps")
        shown = f'{what}="{value}"'
        return _check_range(_round(number * _FS_PER_UNIT[unit], rounding, shown), shown)
    if getattr(value, "__len__", None) is not None:
        raise BareNumberError(f"{what}={value!r}: one time is wanted, got {type(value).__name__}")
    if not isinstance(value, Real):
        raise BareNumberError(
            f'{what}={value!r}: a time is wanted, got {type(value).__name__}; write ps(20) or "20 ps"'
        )
    raise BareNumberError(
        f'{what}={value!r}: a bare number has no unit; did you mean ps({value}) or "{value} ps"?'
    )


def to_fs_array(value: object, what: str = "times") -> npt.NDArray[np.int64]:
    """Read many times as an int64 array of femtoseconds, shape (n,).

    `value` is a `Times`, a `Time`, text, or a sequence of times and texts.

    Example:
        >>> to_fs_array(["20 ps", ns(1)]).tolist()
        [20000, 1000000]
    """
    from hwmodel._times import array_from

    return array_from(value, what)


def to_frequency(value: object, what: str = "frequency") -> Frequency:
    """Read a frequency, a `Frequency` or text such as "52.6 GHz".

    Raises:
        BareNumberError: a number without a unit.

    Example:
        >>> to_frequency("52.6 GHz")
        GHz(52.6)
    """
    if isinstance(value, Frequency):
        return value
    if isinstance(value, str):
        number, unit = _parse(value, what, _HZ_PER_UNIT, "4 GHz")
        return Frequency(number * _HZ_PER_UNIT[unit])
    if isinstance(value, Time) or not isinstance(value, Real):
        kind = type(value).__name__
        raise BareNumberError(f'{what}={value!r}: a frequency is wanted, got {kind}; write GHz(4) or "4 GHz"')
    raise BareNumberError(
        f'{what}={value!r}: a bare number has no unit; did you mean GHz({value}) or "{value} GHz"?'
    )


def _parse(text: str, what: str, units: dict[str, int], example: str) -> tuple[Fraction, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise BareNumberError(f'{what}="{text}": a number and a unit are wanted, as in "{example}"')
    number, unit = match[1], match[2].replace("µ", "u")
    if unit not in units:
        raise BareNumberError(
            f'{what}="{text}": unknown unit {unit!r}; use one of {", ".join(units)}, as in "{example}"'
        )
    return Fraction(number), unit


def _split(value: int) -> tuple[str, str]:
    """The number and the unit in which a time reads shortest."""
    size = abs(value)
    unit = next((u for u in ("s", "ms", "us", "ns", "ps") if size >= _FS_PER_UNIT[u]), "fs")
    whole, rest = divmod(size, _FS_PER_UNIT[unit])
    digits = len(str(_FS_PER_UNIT[unit])) - 1
    fraction = f"{rest:0{digits}d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{whole}{'.' + fraction if fraction else ''}", unit


def format_time(value: int) -> str:
    """Write femtoseconds for people, exactly.

    Example:
        >>> format_time(3500), format_time(0), format_time(NEVER)
        ('3.5 ps', '0 fs', 'never')
    """
    if value == NEVER:
        return "never"
    text, unit = _split(int(value))
    return f"{text} {unit}"
