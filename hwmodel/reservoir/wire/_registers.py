"""Registers of BM13xx chips: their numbers, and the words that stand in them.

Sources: ESP-Miner 5c27713 (components/asic/pll.c, asic_common.c, bm1366.c) and mujina 1a69ef40 (REFERENCE.md).
"""

from __future__ import annotations

from enum import IntEnum
from fractions import Fraction

from hwmodel.errors import WireError
from hwmodel.reservoir.job import VERSION_MASK
from hwmodel.units import Frequency, to_frequency

__all__ = [
    "CRYSTAL",
    "RESET_BAUD_WORD",
    "Register",
    "baud_of",
    "baud_word",
    "hash_counting_number",
    "pll_frequency",
    "pll_word",
    "ticket_difficulty",
    "ticket_mask_word",
    "version_mask",
    "version_mask_word",
]

CRYSTAL = Fraction(25_000_000)
"""Reference clock of the chips, Hz."""

FEEDBACK = (144, 235)
HIGH_OSCILLATOR = Fraction(2_400_000_000)
VERSION_ENABLE = 0x9000_0000
BAUD_KEPT = 0x1130_0000  # what ESP-Miner writes around the divider
RESET_BAUD_WORD = 0x0130_1A00
"""Baud register after a reset: divider 26."""

VERSION_SHIFT = 13
BITS_OF_CORES = 7


class Register(IntEnum):
    """Registers that have a known meaning."""

    CHIP_ID = 0x00
    PLL = 0x08
    NONCE_OFFSET = 0x0C
    HASH_COUNTING = 0x10
    TICKET_MASK = 0x14
    MISC_CONTROL = 0x18
    BAUD = 0x28
    RELAY = 0x2C
    CORE = 0x3C
    ERRORS = 0x4C
    ANALOG_MUX = 0x54
    DRIVE_STRENGTH = 0x58
    DOMAIN_0 = 0x88
    DOMAIN_1 = 0x89
    DOMAIN_2 = 0x8A
    DOMAIN_3 = 0x8B
    TOTAL = 0x8C
    VERSION_MASK = 0xA4
    SOFT_RESET = 0xA8


def pll_word(frequency: Frequency | str, feedback: tuple[int, int] = FEEDBACK) -> int:
    """Word of register 0x08 for the nearest frequency that the PLL makes.

    f = 25 MHz * fb / (ref * p1 * p2), p1 > p2 from 1 to 7, ref 2 or 1; of equally near ones that with the lowest
    oscillator frequency, then with the smallest p1 * p2.

    Parameters:
        frequency: such as MHz(485).
        feedback: least and largest fb: 144 to 235 on BM1366, 160 to 239 on BM1370.

    Raises:
        WireError: no setting within 1 % of the frequency.

    Example:
        >>> from hwmodel.units import MHz
        >>> [f"{pll_word(MHz(f)):08x}" for f in (485, 525, 400, 425)]
        ['50c20240', '40a80230', '40a00240', '40aa0240']
    """
    wanted = to_frequency(frequency, "pll_word(frequency)").hz
    low, high = feedback
    best: tuple[Fraction, Fraction, int, int, int, int, int] | None = None
    for ref in (2, 1):
        for p1 in range(7, 1, -1):
            for p2 in range(p1 - 1, 0, -1):
                divider = ref * p1 * p2
                fb = int(wanted / CRYSTAL * divider + Fraction(1, 2))
                if low <= fb <= high:
                    off = abs(CRYSTAL * fb / divider - wanted)
                    found = (off, CRYSTAL * fb / ref, p1 * p2, -ref, -p1, fb, p2)
                    best = found if best is None or found < best else best
    if best is None or best[0] * 100 > wanted:
        raise WireError(
            f"pll_word({float(wanted) / 1e6:g} MHz): the PLL makes no such frequency; give one of 50 to 2900 MHz"
        )
    _, oscillator, _, ref, p1, fb, p2 = best
    scale = 0x50 if oscillator >= HIGH_OSCILLATOR else 0x40
    return scale << 24 | fb << 16 | -ref << 8 | (-p1 - 1) << 4 | (p2 - 1)


def pll_frequency(word: int) -> Frequency:
    """Frequency that a word of register 0x08 makes.

    Raises:
        WireError: a divider of 0.

    Example:
        >>> pll_frequency(0x50C20240)
        MHz(485)
    """
    fb, ref = word >> 16 & 0xFFF, word >> 8 & 0x3F
    if not fb or not ref:
        raise WireError(f"pll_frequency({word:#010x}): feedback {fb} and reference {ref} must not be 0")
    return Frequency(CRYSTAL * fb / (ref * ((word >> 4 & 7) + 1) * ((word & 7) + 1)))


def _reversed_bits(word: int) -> int:
    """The bits of each byte in reversed order."""
    return sum(int(f"{word >> shift & 0xFF:08b}"[::-1], 2) << shift for shift in (0, 8, 16, 24))


def ticket_mask_word(difficulty: float) -> int:
    """Word of register 0x14 so that only results of a difficulty are reported, rounded down to a power of two.

    Raises:
        WireError: a difficulty below 1 or above 2**32.

    Example:
        >>> [f"{ticket_mask_word(d):08x}" for d in (1, 256, 512, 1024)]
        ['00000000', '000000ff', '000080ff', '0000c0ff']
    """
    if not 1 <= difficulty <= 1 << 32:
        raise WireError(f"ticket_mask_word({difficulty!r}): give a difficulty of 1 to 2**32")
    return _reversed_bits((1 << int(difficulty).bit_length() - 1) - 1)


def ticket_difficulty(word: int) -> int:
    """Difficulty, a power of two, that a word of register 0x14 demands.

    Raises:
        WireError: a mask with holes.

    Example:
        >>> ticket_difficulty(0x0000C0FF)
        1024
    """
    mask = _reversed_bits(word & 0xFFFFFFFF)
    if mask & (mask + 1):
        raise WireError(
            f"ticket_difficulty({word:#010x}): the mask {mask:#x} has holes; see ticket_mask_word"
        )
    return mask + 1


def hash_counting_number(frequency: Frequency | str, chips: int = 1, cores: int = 112) -> int:
    """Word of register 0x10 for a whole sweep: ticks of the crystal, rounded down.

    2**32 / cores / chips * 25 MHz / f / 2, with cores and chips rounded up to powers of two.

    Raises:
        WireError: no chips or cores, or more ticks than 32 bits.

    Example:
        >>> from hwmodel.units import MHz
        >>> hash_counting_number(MHz(485))
        864804
    """
    if not (1 <= chips <= 256 and 1 <= cores <= 1024):
        raise WireError(
            f"hash_counting_number(chips={chips}, cores={cores}): give 1 to 256 chips, 1 to 1024 cores"
        )
    share = Fraction(1 << 32, 1 << (cores - 1).bit_length() + (chips - 1).bit_length())
    ticks = int(share * CRYSTAL / to_frequency(frequency, "hash_counting_number(frequency)").hz / 2)
    if ticks >> 32:
        raise WireError(
            f"hash_counting_number({frequency!r}): {ticks} ticks are more than 32 bits; give a higher frequency"
        )
    return ticks


def version_mask_word(mask: int = VERSION_MASK) -> int:
    """Word of register 0xA4 that lets a chip roll the bits of a mask, which are bits 28 to 13 of the version.

    Raises:
        WireError: other bits.

    Example:
        >>> f"{version_mask_word():08x}"
        '9000ffff'
    """
    if mask & ~VERSION_MASK:
        raise WireError(f"version_mask_word({mask:#x}): only bits of {VERSION_MASK:#x} can be rolled")
    return VERSION_ENABLE | mask >> VERSION_SHIFT


def version_mask(word: int) -> int:
    """Bits of the version that a word of register 0xA4 rolls.

    Example:
        >>> hex(version_mask(0x9000FFFF))
        '0x1fffe000'
    """
    return (word & 0xFFFF) << VERSION_SHIFT


def baud_word(baud: float) -> int:
    """Word of register 0x28 for the nearest baud rate: 25 MHz / (8 (divider + 1)).

    Raises:
        WireError: below 12,207 or above 3,125,000 baud by more than 5 %.

    Example:
        >>> f"{baud_word(1_000_000):08x}", round(baud_of(baud_word(1_000_000)))
        ('11300200', 1041667)
    """
    divider = 0 if not baud > 0 else max(0, min(255, round(float(CRYSTAL) / 8 / baud) - 1))
    word = BAUD_KEPT | divider << 8
    if not baud > 0 or abs(baud_of(word) / baud - 1) > 0.05:
        raise WireError(
            f"baud_word({baud!r}): the nearest rate is {baud_of(word):.0f}; stay within 5 % of one"
        )
    return word


def baud_of(word: int) -> float:
    """Baud rate that a word of register 0x28 makes.

    Example:
        >>> round(baud_of(0x01301A00)), baud_of(0x11300000)
        (115741, 3125000.0)
    """
    return float(CRYSTAL / (8 * ((word >> 8 & 0xFF) + 1)))
