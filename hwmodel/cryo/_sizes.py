"""Sizes in bytes, written as numbers or as text such as "32 kB"."""

from __future__ import annotations

import re
from fractions import Fraction

from hwmodel.errors import BareNumberError, SpecError

UNITS = {
    "": 1,
    "b": 1,
    "kb": 1 << 10,
    "kib": 1 << 10,
    "mb": 1 << 20,
    "mib": 1 << 20,
    "gb": 1 << 30,
    "gib": 1 << 30,
}
MAX_BYTES = 1 << 50
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def read_size(value: object, what: str = "size", low: int = 1, bare: bool = True) -> int:
    """Return a size in bytes; kB, MB and GB are binary, as everywhere in cache sizes.

    Parameters:
        value: a whole number of bytes, or text with a unit: B, kB, MB or GB, in any case, with or without an i.
        what: what errors call it.
        low: the smallest one taken.
        bare: False if text needs a unit.

    Raises:
        BareNumberError: text without a known unit, where `bare` is False.
        SpecError: no size, no whole number of bytes, or one below `low` or above 2**50.

    Example:
        >>> read_size("32 kB"), read_size("1.5 MiB"), read_size(64)
        (32768, 1572864, 64)
    """
    exact: Fraction | None = None
    if isinstance(value, str):
        match = _TEXT.fullmatch(value)
        if match is not None and match[2].lower() in UNITS:
            exact = Fraction(match[1]) * UNITS[match[2].lower()]
        if not bare and (match is None or exact is None or not match[2]):
            raise BareNumberError(
                f'{what}="{value}": a number and one of B, kB, MB, GB are wanted, as in "32 kB"'
            )
    elif not isinstance(value, bool) and hasattr(value, "__index__"):
        exact = Fraction(value.__index__())
    if exact is None:
        raise SpecError(
            f'{what}={value!r} is no size; write whole bytes, or text such as "32 kB", "8 MB" or "1 GB"'
        )
    if exact.denominator != 1:
        raise SpecError(f"{what}={value!r}: that is no whole number of bytes")
    if not low <= exact <= MAX_BYTES:
        least = "one byte" if low == 1 else f"{low} bytes"
        raise SpecError(f"{what}={value!r} is {exact} bytes; give at least {least}, and at most 2**50")
    return exact.numerator
