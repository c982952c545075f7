"""Numbers as wires: an integer of known range on a PyRTL wire, and the operations that keep the range.

A number's wire is read as two's complement where its least value is negative, otherwise as unsigned. Because every
operation works out the range of its result, no wire is wider than its values need, and a cast whose source cannot
leave the destination's range costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwmodel.fixedpoint._format import Fixed

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = [
    "Number",
    "add",
    "constant",
    "from_raw",
    "join",
    "less",
    "named",
    "narrowed",
    "scaled",
    "select",
    "shift_left",
    "sum_of",
    "times",
    "width_of",
]


def width_of(low: int, high: int) -> int:
    """Give the bits of the narrowest word that holds `low` to `high`.

    Example:
        >>> width_of(0, 0), width_of(0, 7), width_of(-8, 7), width_of(-1, 0)
        (1, 3, 4, 1)
    """
    if low >= 0:
        return max(high.bit_length(), 1)
    return max((~low).bit_length(), high.bit_length() if high >= 0 else 0) + 1


@dataclass(frozen=True, eq=False)
class Number:
    """A wire that holds integers from `low` to `high`, in units of 2**-frac_bits."""

    wire: Wire
    low: int
    high: int
    frac_bits: int

    @property
    def signed(self) -> bool:
        """Whether the wire is two's complement."""
        return self.low < 0

    @property
    def width(self) -> int:
        """Bits that the range needs; the wire may be wider."""
        return width_of(self.low, self.high)

    @property
    def is_constant(self) -> bool:
        """Whether only one value is possible."""
        return self.low == self.high

    def bits(self, width: int) -> Wire:
        """Give the wire with exactly `width` bits: extended by its sign, or cut to its low bits."""
        if self.is_constant:
            return _const(self.low, width)
        if len(self.wire) >= width:
            return self.wire if len(self.wire) == width else self.wire[0:width]
        return self.wire.sign_extended(width) if self.signed else self.wire.zero_extended(width)

    @property
    def negative(self) -> Wire:
        """Give one bit that is set for negative values."""
        if not self.signed:
            return _const(0, 1)
        return _const(1, 1) if self.high < 0 else self.wire[-1]


def _const(value: int, width: int) -> Wire:
    import pyrtl

    return pyrtl.Const(value & ((1 << width) - 1), bitwidth=width)


def constant(value: int, frac_bits: int) -> Number:
    """Give a number that is always the same."""
    return Number(_const(value, width_of(value, value)), value, value, frac_bits)


def from_raw(wire: Wire, fmt: Fixed) -> Number:
    """Read a wire as a raw of a format."""
    return Number(wire, fmt.min_raw, fmt.max_raw, fmt.frac_bits)


def named(number: Number, name: str) -> Number:
    """Give the number a wire of that name and of the width that its range needs."""
    import pyrtl

    bits = number.bits(number.width)
    if type(bits) is pyrtl.WireVector and bits.name.startswith("tmp") and bits.name[3:].isdigit():
        bits.name = name  # nobody else has named it
        wire = bits
    else:
        wire = pyrtl.WireVector(number.width, name)
        wire <<= bits
    return Number(wire, number.low, number.high, number.frac_bits)


def shift_left(number: Number, count: int) -> Number:
    """Multiply by 2**count, in the same units; the unit of the result is that of the number."""
    if count == 0 or (number.is_constant and number.low == 0):
        return number
    low, high = number.low << count, number.high << count
    if number.is_constant:
        return constant(low, number.frac_bits)
    import pyrtl

    return Number(pyrtl.concat(number.bits(number.width), _const(0, count)), low, high, number.frac_bits)


def align(number: Number, frac_bits: int) -> Number:
    """Give the same value in finer units."""
    moved = shift_left(number, frac_bits - number.frac_bits)
    return Number(moved.wire, moved.low, moved.high, frac_bits)


def add(a: Number, b: Number, subtract: bool = False) -> Number:
    """Add, or subtract, exactly; low bits where one side is zero cost nothing.

    Parameters:
        a, b: numbers, brought to the finer unit of the two.
        subtract: give a - b.
    """
    frac_bits = max(a.frac_bits, b.frac_bits)
    a, b = align(a, frac_bits), align(b, frac_bits)
    low = a.low - b.high if subtract else a.low + b.low
    high = a.high - b.low if subtract else a.high + b.high
    if low == high:
        return constant(low, frac_bits)
    if b.is_constant and b.low == 0:
        return a
    if a.is_constant and a.low == 0 and not subtract:
        return b
    width = width_of(low, high)
    left, right = a.bits(width), b.bits(width)
    total = (left - right if subtract else left + right)[0:width]
    return Number(total, low, high, frac_bits)


def times(a: Number, b: Number) -> Number:
    """Multiply two numbers exactly with a multiplier (a DSP block on most devices)."""
    frac_bits = a.frac_bits + b.frac_bits
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    low, high = min(corners), max(corners)
    if low == high:
        return constant(low, frac_bits)
    if a.is_constant or b.is_constant:
        factor, other = (a, b) if a.is_constant else (b, a)
        return scaled(other, factor.low, factor.frac_bits)
    width = width_of(low, high)
    whole = a.bits(width) * b.bits(width)
    whole.factors = a, b  # for the Verilog: a product of signed words rather than of extended ones
    return Number(whole[0:width], low, high, frac_bits)


def scaled(number: Number, factor: int, factor_frac_bits: int) -> Number:
    """Multiply by a constant with shifts and adders: the factor's canonical signed digits, balanced."""
    from hwmodel.fixedpoint.adders import csd

    frac_bits = number.frac_bits + factor_frac_bits
    terms = [(shift_left(number, shift), sign) for shift, sign in csd(factor)]
    total = sum_of([(Number(n.wire, n.low, n.high, frac_bits), sign) for n, sign in terms], frac_bits)
    low, high = sorted((number.low * factor, number.high * factor))
    return narrowed(total, low, high)


def narrowed(number: Number, low: int, high: int) -> Number:
    """Give the same value with a range that is known to be narrower."""
    low, high = max(low, number.low), min(high, number.high)
    if low == high:
        return constant(low, number.frac_bits)
    return Number(number.bits(width_of(low, high)), low, high, number.frac_bits)


def sum_of(terms: Sequence[tuple[Number, int]], frac_bits: int) -> Number:
    """Add signed terms by a balanced tree, a subtraction where one of a pair is negative."""
    level = list(terms)
    if not level:
        return constant(0, frac_bits)
    while len(level) > 1:
        level = [
            _pair(level[k], level[k + 1]) if k + 1 < len(level) else level[k] for k in range(0, len(level), 2)
        ]
    number, sign = level[0]
    return number if sign > 0 else add(constant(0, frac_bits), number, subtract=True)


def _pair(a: tuple[Number, int], b: tuple[Number, int]) -> tuple[Number, int]:
    if a[1] == b[1]:
        return add(a[0], b[0]), a[1]
    plus, minus = (a[0], b[0]) if a[1] > 0 else (b[0], a[0])
    return add(plus, minus, subtract=True), 1


def less(a: Number, b: Number) -> Wire:
    """Give one bit: a < b."""
    frac_bits = max(a.frac_bits, b.frac_bits)
    a, b = align(a, frac_bits), align(b, frac_bits)
    if a.high < b.low:
        return _const(1, 1)
    if a.low >= b.high:
        return _const(0, 1)
    if b.is_constant and b.low == 0:
        return a.negative
    width = width_of(min(a.low, b.low), max(a.high, b.high))
    left, right = a.bits(width), b.bits(width)
    if not (a.signed or b.signed):
        return left < right
    # Turning the sign bit over maps two's complement onto unsigned numbers in the same order.
    return _flip_sign(left) < _flip_sign(right)


def _flip_sign(wire: Wire) -> Wire:
    import pyrtl

    return ~wire if len(wire) == 1 else pyrtl.concat(~wire[-1], wire[0:-1])


def select(condition: Wire, yes: Number, no: Number) -> Number:
    """Give `yes` where the condition bit is set, else `no`."""
    import pyrtl

    frac_bits = max(yes.frac_bits, no.frac_bits)
    yes, no = align(yes, frac_bits), align(no, frac_bits)
    low, high = min(yes.low, no.low), max(yes.high, no.high)
    if low == high:
        return constant(low, frac_bits)
    if isinstance(condition, pyrtl.Const):
        return yes if condition.val else no
    width = width_of(low, high)
    if (yes.low, yes.high, no.low, no.high) == (1, 1, 0, 0):
        return Number(condition, 0, 1, frac_bits)
    if (yes.low, yes.high, no.low, no.high) == (0, 0, 1, 1):
        return Number(~condition, 0, 1, frac_bits)
    return Number(pyrtl.select(condition, yes.bits(width), no.bits(width)), low, high, frac_bits)


def join(numbers: Sequence[Number], width: int) -> Wire:
    """Pack numbers into one bus, each `width` bits, the first in the low bits."""
    import pyrtl

    return pyrtl.concat_list([number.bits(width) for number in numbers])
