"""Casts of raw integers: one formula for the seven roundings, then one of five overflows.

A cast that drops d bits adds `c0`, plus `c1` where the number is negative, plus `c2` where the truncated number
is odd, and shifts right by d. With h = 2**(d-1):

    RND c0 = h; RND_MIN_INF c0 = h - 1; RND_ZERO c0 = h - 1, c1 = 1; RND_INF c0 = h, c1 = -1;
    RND_CONV c0 = h - 1, c2 = 1; TRN none; TRN_ZERO c1 = 2**d - 1.

The array route works on int64 and on Python ints alike; large int64 arrays go through the compiled loop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.fixedpoint._format import INT64_WIDTH, Fixed
from hwmodel.fixedpoint._raw import Raws, as_format, as_raw
from hwmodel.fixedpoint._report import active

INT64_BITS = 62  # numbers in -2**62 .. 2**62 - 1 can be rounded without leaving int64
COMPILED_SIZE = 20_000  # from so many numbers on the compiled loop is worth its call
JIT = os.environ.get("HWMODEL_JIT", "1") != "0"


@dataclass(frozen=True)
class Cast:
    """What a cast does, worked out once: shifts, addends of the rounding, bounds of the overflow."""

    dst: Fixed
    left: int  # bits to shift left
    drop: int  # bits to drop
    c0: int
    c1: int
    c2: int
    low: int  # least raw that a cast gives
    high: int

    def fits_int64(self, magnitude_bits: int) -> bool:
        """Tell whether numbers in -2**m .. 2**m - 1 can be cast in int64."""
        return (
            magnitude_bits + self.left <= INT64_BITS
            and self.drop <= INT64_BITS
            and self.dst.width <= INT64_WIDTH
        )

    def is_identity(self, low: int, high: int) -> bool:
        """Tell whether numbers from `low` to `high` pass unchanged."""
        return not (self.left or self.drop) and self.low <= low and high <= self.high

    @property
    def words(self) -> npt.NDArray[np.int64]:
        """The same as an array, for compiled loops."""
        return _words(self)


@lru_cache(maxsize=1024)
def cast_of(frac_bits: int, dst: Fixed) -> Cast:
    """Work out the cast of numbers with `frac_bits` fractional bits to a format."""
    drop = max(frac_bits - dst.frac_bits, 0)
    half, rounding = (1 << drop) >> 1, dst.rounding
    c0 = half if rounding in ("RND", "RND_INF") else 0
    if rounding in ("RND_MIN_INF", "RND_ZERO", "RND_CONV"):
        c0 = half - 1
    c1 = {"RND_ZERO": 1, "RND_INF": -1, "TRN_ZERO": (1 << drop) - 1}.get(rounding, 0)
    c2 = int(rounding == "RND_CONV")
    if not drop:
        c0 = c1 = c2 = 0
    # The headers set the last bit of the least number, so a signed word of one bit keeps its -1.
    low = dst.min_raw | 1 if dst.overflow == "SAT_SYM" and dst.signed else dst.min_raw
    return Cast(dst, max(dst.frac_bits - frac_bits, 0), drop, c0, c1, c2, low, dst.max_raw)


@lru_cache(maxsize=1024)
def _words(cast: Cast) -> npt.NDArray[np.int64]:
    dst = cast.dst
    mode = {"SAT": 0, "SAT_SYM": 0, "SAT_ZERO": 1, "WRAP": 3 if dst.saturation_bits else 2, "WRAP_SM": 4}
    sign = 1 << (dst.width - 1) if dst.signed else 0
    row = [cast.left, cast.drop, cast.c0, cast.c1, cast.c2, mode[dst.overflow], cast.low, cast.high]
    words = np.array([*row, (1 << dst.width) - 1, sign, dst.width, dst.saturation_bits], np.int64)
    words.flags.writeable = False
    return words


def shift_and_round(number: Raws, cast: Cast) -> Raws:
    """Bring numbers to the fractional bits of the destination, without overflow."""
    if not cast.drop:
        return number << cast.left if cast.left else number
    if cast.dst.rounding == "TRN":
        return number >> cast.drop
    total = number + cast.c0
    if cast.c1:
        total = total + (number < 0).astype(number.dtype) * cast.c1
    if cast.c2:
        total = total + ((number >> cast.drop) & 1)
    return total >> cast.drop


def truncate(number: Raws, cast: Cast) -> Raws:
    """The same with the dropped bits cut off: WRAP_SM looks at this."""
    return number >> cast.drop if cast.drop else number << cast.left


def to_signed(bits: Raws, fmt: Fixed) -> Raws:
    """Read the low `width` bits of numbers as a word of the format."""
    bits = bits & ((1 << fmt.width) - 1)
    return bits - ((bits >> (fmt.width - 1)) << fmt.width) if fmt.signed else bits


def overflow(rounded: Raws, truncated: Raws, cast: Cast) -> Raws:
    """Bring rounded numbers into the destination's range."""
    mode = cast.dst.overflow
    if mode in ("SAT", "SAT_SYM"):
        return np.minimum(np.maximum(rounded, cast.low), cast.high)
    outside = (rounded < cast.low) | (rounded > cast.high)
    if not outside.any():
        return rounded
    if mode == "SAT_ZERO":
        return np.where(outside, np.zeros_like(rounded), rounded)
    if mode == "WRAP":
        return np.where(outside, _wrap(rounded, cast.dst), rounded)
    return np.where(outside, _wrap_sign_magnitude(rounded, truncated, cast.dst), rounded)


def _wrap(number: Raws, fmt: Fixed) -> Raws:
    n, width = fmt.saturation_bits, fmt.width
    if n == 0:
        return to_signed(number, fmt)
    kept = number & ((1 << (width - n)) - 1)
    if not fmt.signed:
        return kept + (((1 << n) - 1) << (width - n))
    # Positive: sign 0, then n - 1 ones; negative: sign 1, then n - 1 zeros.
    negative = (number < 0).astype(number.dtype)
    ones = ((1 << (n - 1)) - 1) << (width - n)
    return np.asarray(kept + (1 - negative) * ones - negative * (1 << (width - 1)), number.dtype)


def _wrap_sign_magnitude(number: Raws, truncated: Raws, fmt: Fixed) -> Raws:
    n, width = fmt.saturation_bits, fmt.width
    negative = (number < 0).astype(number.dtype)
    if n == 0:
        sign = (truncated >> width) & 1
        flip = sign ^ ((number >> (width - 1)) & 1)
    else:
        sign = negative
        flip = sign ^ ((number >> (width - 1)) & 1) if n == 1 else 1 - (sign ^ ((number >> (width - n)) & 1))
    below = number ^ -flip
    if n > 1:
        below = (below & ((1 << (width - n)) - 1)) + (1 - sign) * (((1 << (n - 1)) - 1) << (width - n))
    return np.asarray((below & ((1 << (width - 1)) - 1)) - sign * (1 << (width - 1)), number.dtype)


def cast_array(number: Raws, magnitude_bits: int, cast: Cast) -> Raws:
    """Cast numbers known to lie in -2**m .. 2**m - 1; the container follows from that bound."""
    if number.size == 0:
        return np.zeros(number.shape, cast.dst.dtype)
    if number.dtype == object or not cast.fits_int64(magnitude_bits):
        return cast_route(number.astype(object), cast).astype(cast.dst.dtype)
    if JIT and number.size >= COMPILED_SIZE:
        from hwmodel.fixedpoint import _kernels

        flat = np.ascontiguousarray(number).reshape(-1)
        out = np.empty_like(flat)
        _kernels.cast_numbers(flat, out, cast.words)
        return out.reshape(number.shape)
    return cast_route(number, cast)


def cast_route(number: Raws, cast: Cast) -> Raws:
    """The array route itself; object arrays keep their dtype."""
    flat = np.array(number, copy=True).reshape(-1)  # a copy: the result must not share memory with its source
    needs_truncated = cast.dst.overflow == "WRAP_SM"
    rounded = shift_and_round(flat, cast)
    truncated = truncate(flat, cast) if needs_truncated else rounded
    out = overflow(rounded, truncated, cast)
    return np.asarray(out, number.dtype).reshape(number.shape)


def requantize(raw: Any, src: Fixed | str, dst: Fixed | str) -> Raws:
    """Cast raws of one format to another, as an assignment of `ap_fixed` does.

    Parameters:
        raw: integers of any shape.
        src: their format.
        dst: the format wanted; its rounding and overflow say how.

    Returns:
        int64 array of the same shape; Python ints in an object array where `dst` is wider than 63 bits.

    Source: AMD ap_types headers, ap_fixed_base.h, assignment operator.

    Raises:
        FormatError: where a raw is no integer or does not fit `src`.

    Example:
        >>> requantize([5, -5, 100], Fixed(8, 4), Fixed(4, 3, rounding="RND", overflow="SAT"))
        array([ 1, -1,  7])
    """
    source, target = as_format(src, "src"), as_format(dst, "dst")
    array = as_raw(raw, source)
    if source == target:  # a copy, not a cast: SAT_SYM leaves its least raw alone
        return np.array(array)
    if (observer := active()) is not None:
        observer.cast(array, source.frac_bits, target)
    return cast_array(array, source.magnitude_bits, cast_of(source.frac_bits, target))
