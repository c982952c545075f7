"""The semantics in plain Python integers and fractions, one value at a time: the oracle of the fast routes.

Nothing here shares code with `_cast`, `_arith`, `_dot` or `_kernels`; only the format itself is common.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._format import Fixed

HALF = Fraction(1, 2)


def _round(value: Fraction, mode: str) -> int:
    """Round to a whole number in one of the seven ways."""
    low, high = floor(value), ceil(value)
    down, up = value - low, high - value
    if mode == "TRN":
        return low
    if mode == "TRN_ZERO":
        return low if value >= 0 else high
    if down != HALF:  # the five others differ on ties only
        return low if down < up else high
    if mode == "RND":
        return high
    if mode == "RND_MIN_INF":
        return low
    if mode == "RND_ZERO":
        return low if value > 0 else high
    if mode == "RND_INF":
        return high if value > 0 else low
    return low if low % 2 == 0 else high


def _bits(number: int, width: int) -> list[int]:
    """Two's complement bits, the last bit first."""
    return [number >> k & 1 for k in range(width)]


def _number(bits: list[int], signed: bool) -> int:
    total = sum(bit << k for k, bit in enumerate(bits))
    return total - (1 << len(bits)) if signed and bits[-1] else total


def _wrap(number: int, negative: bool, fmt: Fixed) -> int:
    """WRAP of a number that does not fit."""
    bits, n = _bits(number, fmt.width), fmt.saturation_bits
    if n and fmt.signed:
        bits[-n:] = [int(not negative)] * n
        bits[-1] = int(negative)
    elif n:
        bits[-n:] = [1] * n
    return _number(bits, fmt.signed)


def _wrap_sign_magnitude(number: int, truncated: int, negative: bool, fmt: Fixed) -> int:
    """WRAP_SM of a number that does not fit; `truncated` is the number before rounding."""
    width, n, sign = fmt.width, fmt.saturation_bits, int(negative)
    bits = _bits(number, width)
    if n == 0:
        kept = truncated >> width & 1
        flip = kept != bits[-1]
    elif n == 1:
        kept, flip = sign, sign != bits[-1]
    else:
        kept, flip = sign, sign == bits[width - n]
    if flip:
        bits = [1 - bit for bit in bits]
    if n > 1:
        bits[width - n : width - 1] = [1 - sign] * (n - 1)
    bits[-1] = kept
    return _number(bits, True)


def reference_cast(value: Fraction | int | float, fmt: Fixed) -> int:
    """Give the raw of one value in a format, slowly and plainly.

    Example:
        >>> reference_cast(Fraction(5, 64), Fixed(8, 3, rounding="RND")), reference_cast(1000, Fixed(8, 3, overflow="SAT"))
        (3, 127)
    """
    exact = Fraction(value) / fmt.lsb
    number = _round(exact, fmt.rounding)
    low, high = fmt.min_raw, fmt.max_raw
    if fmt.overflow == "SAT_SYM" and fmt.signed and fmt.width > 1:
        low += 1
    if low <= number <= high:
        return number
    if fmt.overflow in ("SAT", "SAT_SYM"):
        return low if number < low else high
    if fmt.overflow == "SAT_ZERO":
        return 0
    if fmt.overflow == "WRAP":
        return _wrap(number, number < 0, fmt)
    return _wrap_sign_magnitude(number, floor(exact), number < 0, fmt)


def _quotient(a: Fraction, b: Fraction, a_fmt: Fixed, b_fmt: Fixed, fmt: Fixed) -> int:
    """Division in the working width of ap_fixed: there the quotient of the least value by -1 lsb wraps."""
    if b == 0:
        raise FormatError("division by zero")
    exact = a / b / fmt.lsb
    quotient = floor(exact) if exact >= 0 else ceil(exact)
    if a_fmt.signed and b_fmt.signed:
        working = max(a_fmt.width + max(b_fmt.frac_bits, 0), b_fmt.width)
        quotient = _number(_bits(quotient, working), True)
    return quotient


def reference_arithmetic(
    op: str, a_raw: int, a_fmt: Fixed, b_raw: int, b_fmt: Fixed | None, fmt: Fixed
) -> int:
    """Give the raw of one operation in its result format `fmt`; a shift's `b_raw` is the count.

    Example:
        >>> reference_arithmetic("*", 3, Fixed(4, 2), -2, Fixed(4, 2), Fixed(8, 4))
        -6
    """
    if op in ("<<", ">>"):
        count = b_raw if op == "<<" else -b_raw
        return _number(_bits(floor(a_raw * Fraction(2) ** count), fmt.width), fmt.signed)
    a = a_raw * a_fmt.lsb
    if op == "neg":
        return int(-a / fmt.lsb)
    assert b_fmt is not None
    b = b_raw * b_fmt.lsb
    if op == "/":
        return _quotient(a, b, a_fmt, b_fmt, fmt)
    if op in ("+", "-", "*"):
        exact = {"+": a + b, "-": a - b, "*": a * b}[op] / fmt.lsb
        assert exact.denominator == 1
        return int(exact)
    if op in ("&", "|", "^"):
        x, y = _bits(int(a / fmt.lsb), fmt.width), _bits(int(b / fmt.lsb), fmt.width)
        pairs = list(zip(x, y, strict=True))
        table = {"&": (0, 0, 0, 1), "|": (0, 1, 1, 1), "^": (0, 1, 1, 0)}[op]
        return _number([table[2 * p + q] for p, q in pairs], fmt.signed)
    return int({"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op])


def reference_dot(
    a_raw: Iterable[int],
    a_fmt: Fixed,
    b_raw: Iterable[int],
    b_fmt: Fixed,
    accumulator: Fixed,
    each_step: bool = True,
) -> int:
    """Give the raw of one dot product in the accumulator's format.

    Example:
        >>> reference_dot([100, 100], Fixed(8, 8), [1, 1], Fixed(8, 8), Fixed(8, 8, overflow="SAT"))
        127
    """
    total = Fraction(0)
    for a, b in zip(a_raw, b_raw, strict=True):
        total += a * a_fmt.lsb * b * b_fmt.lsb
        if each_step:
            total = reference_cast(total, accumulator) * accumulator.lsb
    return reference_cast(total, accumulator)
