"""Frequencies that a BM13xx PLL can make."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from hwmodel.units import Frequency, to_frequency

__all__ = ["PllSetting", "nearest_frequency", "pll_settings"]

PllSetting = tuple[Fraction, int, int, int, int]
"""Frequency in Hz, feedback, reference, and the two post dividers."""

FEEDBACK = range(144, 236)
REFERENCE = (2, 1)
POST = range(1, 8)


@cache
def pll_settings(crystal: Fraction = Fraction(25_000_000)) -> tuple[PllSetting, ...]:
    """All settings: crystal * feedback / (reference * post1 * post2), by frequency and then by oscillator.

    Feedback 144 to 235, reference 2 or 1, post dividers 1 to 7 with the first the larger (ESP-Miner 5c27713, pll.c).

    Example:
        >>> (Fraction(485_000_000), 194, 2, 5, 1) in pll_settings()
        True
    """
    found = [
        (crystal * fb / (ref * p1 * p2), fb, ref, p1, p2)
        for fb in FEEDBACK
        for ref in REFERENCE
        for p1 in POST
        for p2 in POST
        if p1 > p2
    ]
    return tuple(sorted(found, key=lambda s: (s[0], Fraction(s[1], s[2]), s[1:])))


def nearest_frequency(target: Frequency | str, crystal: Fraction = Fraction(25_000_000)) -> Frequency:
    """The frequency of the PLL that is nearest to a target; of two equally near ones the lower.

    Example:
        >>> nearest_frequency("485.1 MHz")
        MHz(485)
    """
    wanted = to_frequency(target, "nearest_frequency(target)").hz
    return Frequency(
        min((s[0] for s in pll_settings(crystal)), key=lambda hertz: (abs(hertz - wanted), hertz))
    )
