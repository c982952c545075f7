"""Casts as logic: the seven roundings and five overflows of `ap_fixed` on PyRTL wires.

A cast that drops d bits gives the upper bits plus one increment bit, worked out from the guard bit g (the highest
dropped), whether any bit below it is set (rest), the sign, and the lowest kept bit (odd):

    TRN 0; RND g; RND_MIN_INF g and rest; RND_ZERO g and (rest or sign); RND_INF g and (rest or not sign);
    RND_CONV g and (rest or odd); TRN_ZERO sign and any dropped bit.

Overflow looks at the bits above the destination's word; nothing is built that the source's range cannot reach.
"""

from __future__ import annotations

from typing import Any

from hwmodel.fixedpoint._cast import Cast, cast_of
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint.emit_numbers import Number, add, constant, narrowed, shift_left

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["emit_cast"]


def emit_cast(number: Number, dst: Fixed) -> Number:
    """Cast a number to a format, bit for bit as `requantize` does.

    Parameters:
        number: wire with its range and unit.
        dst: the format wanted; its rounding and overflow say how.

    Returns:
        The raw in `dst`, with the range that it can have.

    Source: AMD ap_types headers, ap_fixed_base.h, assignment operator.
    """
    cast = cast_of(number.frac_bits, dst)
    rounded = _round(number, cast)
    if cast.low <= rounded.low and rounded.high <= cast.high:
        return rounded
    return _overflow(number, rounded, cast)


def _rounded(value: int, cast: Cast) -> int:
    """Round one integer; what the wire does, for the ends of its range."""
    if not cast.drop:
        return value << cast.left
    odd = (value >> cast.drop) & 1
    return (value + cast.c0 + (cast.c1 if value < 0 else 0) + (cast.c2 if odd else 0)) >> cast.drop


def _round(number: Number, cast: Cast) -> Number:
    frac_bits = cast.dst.frac_bits
    if not cast.drop:
        moved = shift_left(number, cast.left)
        return Number(moved.wire, moved.low, moved.high, frac_bits)
    low, high = _rounded(number.low, cast), _rounded(number.high, cast)
    if low == high:
        return constant(low, frac_bits)
    wire = number.bits(max(number.width, cast.drop + 1))
    kept = Number(wire[cast.drop :], number.low >> cast.drop, number.high >> cast.drop, frac_bits)
    increment = _increment(number, wire, cast)
    if increment is None:
        return kept
    return narrowed(add(kept, Number(increment, 0, 1, frac_bits)), low, high)


def _increment(number: Number, wire: Wire, cast: Cast) -> Wire | None:
    """The bit that rounding adds to the truncated number; None where it is always 0."""
    import pyrtl

    mode, drop = cast.dst.rounding, cast.drop
    if mode == "TRN" or (mode == "TRN_ZERO" and not number.signed):
        return None
    sign = number.negative
    if mode == "TRN_ZERO":
        return sign & pyrtl.or_all_bits(wire[0:drop])
    guard = wire[drop - 1]
    if mode == "RND":
        return guard
    rest = pyrtl.or_all_bits(wire[0 : drop - 1]) if drop > 1 else pyrtl.Const(0, bitwidth=1)
    if mode == "RND_MIN_INF":
        return guard & rest
    return guard & (rest | {"RND_ZERO": sign, "RND_INF": ~sign, "RND_CONV": wire[drop]}[mode])


def _overflow(number: Number, rounded: Number, cast: Cast) -> Number:
    """Bring a rounded number that may leave the range into it."""
    import pyrtl

    dst = cast.dst
    width, n, mode, frac_bits = dst.width, dst.saturation_bits, dst.overflow, dst.frac_bits
    word = rounded.bits(max(rounded.width, width))[0:width]
    if mode == "WRAP" and n == 0:
        return Number(word, dst.min_raw, dst.max_raw, frac_bits)
    sign = rounded.negative
    outside = _outside(rounded, cast)
    if mode in ("SAT", "SAT_SYM"):
        instead = _bound(sign, cast)
        total = Number(pyrtl.select(outside, instead, word), dst.min_raw, dst.max_raw, frac_bits)
        return narrowed(total, *(min(max(end, cast.low), cast.high) for end in (rounded.low, rounded.high)))
    if mode == "SAT_ZERO":
        instead = pyrtl.Const(0, bitwidth=width)
    elif mode == "WRAP":
        instead = _wrapped(word, sign, dst)
    else:
        instead = _wrapped_sign_magnitude(number, word, sign, cast)
    return Number(pyrtl.select(outside, instead, word), dst.min_raw, dst.max_raw, frac_bits)


def _outside(rounded: Number, cast: Cast) -> Wire:
    """One bit: the rounded number does not fit the destination."""
    import pyrtl

    dst = cast.dst
    wire = rounded.bits(max(rounded.width, dst.width) + 1)  # one copy of the sign at least
    above = wire[dst.width :]
    if not dst.signed:
        return pyrtl.or_all_bits(above)  # a negative number has its sign there
    sign = wire[-1]
    differs = (
        [bit ^ sign for bit in wire[dst.width - 1 : -1]] if rounded.signed else list(wire[dst.width - 1 : -1])
    )
    outside = pyrtl.or_all_bits(pyrtl.concat_list(differs))
    if cast.low > dst.min_raw and rounded.low <= dst.min_raw:
        lowest = wire[0 : dst.width] == pyrtl.Const(1 << (dst.width - 1), bitwidth=dst.width)
        outside = outside | lowest  # outside or not, such a word is the one that SAT_SYM has not
    return outside


def _bound(sign: Wire, cast: Cast) -> Wire:
    """The least value where the sign is set, else the greatest."""
    import pyrtl

    width = cast.dst.width
    mask = (1 << width) - 1
    bits = []
    for k in range(width):
        low, high = (cast.low & mask) >> k & 1, (cast.high & mask) >> k & 1
        bits.append(
            {(0, 0): pyrtl.Const(0, 1), (1, 1): pyrtl.Const(1, 1), (1, 0): sign, (0, 1): ~sign}[low, high]
        )
    return pyrtl.concat_list(bits)


def _wrapped(word: Wire, sign: Wire, dst: Fixed) -> Wire:
    """WRAP with n saturated bits: they become ones; a signed word keeps its sign and fills with its opposite."""
    import pyrtl

    n, kept = dst.saturation_bits, dst.width - dst.saturation_bits
    low = [word[0:kept]] if kept else []
    if not dst.signed:
        return pyrtl.concat_list([*low, pyrtl.Const((1 << n) - 1, bitwidth=n)])
    return pyrtl.concat_list([*low, *[~sign for _ in range(n - 1)], sign])


def _wrapped_sign_magnitude(number: Number, word: Wire, sign: Wire, cast: Cast) -> Wire:
    """WRAP_SM: bits turned over so that the number line folds instead of jumping."""
    import pyrtl

    dst = cast.dst
    width, n = dst.width, dst.saturation_bits
    if n == 0:
        # The sign comes from the number before rounding: the bit just above the word.
        moved = shift_left(number, cast.left)
        sign = moved.bits(max(moved.width, cast.drop + width + 1))[cast.drop + width]
        flip = sign ^ word[-1]
    elif n == 1:
        flip = sign ^ word[-1]
    else:
        flip = ~(sign ^ word[width - n])
    kept = width - max(n, 1)
    low = [word[k] ^ flip for k in range(kept)]
    return pyrtl.concat_list([*low, *[~sign for _ in range(n - 1)], sign])
