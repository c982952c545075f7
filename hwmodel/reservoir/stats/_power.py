"""Power before any verdict: how many events a question needs, and how deep a modulation can hide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from hwmodel.errors import SpecError

__all__ = ["events_for_cv", "events_for_depth", "power_lines", "rayleigh_depth"]


def _probability(value: float, name: str, what: str) -> None:
    if not 0 < value < 1:
        raise SpecError(f"{what}: {name}={value} must lie between 0 and 1")


def events_for_cv(deviation: float, confidence: float = 0.95, power: float = 0.80) -> int:
    """Intervals needed to tell a CV that is off 1 by `deviation` from Poisson, two-sided; the sd of CV is 1/sqrt(n).

    Raises:
        SpecError: deviation not in 0 ... 1, or a probability out of range.

    Example:
        >>> events_for_cv(0.05), events_for_cv(0.01)
        (3140, 78489)
    """
    _probability(deviation, "deviation", "events_for_cv")
    _probability(confidence, "confidence", "events_for_cv")
    _probability(power, "power", "events_for_cv")
    normal = NormalDist()
    return math.ceil(((normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)) / deviation) ** 2)


def _noncentrality(alpha: float, power: float, trials: int) -> float:
    """Noncentrality at which a chi-square with two degrees of freedom passes the threshold with this power."""
    from scipy.optimize import brentq
    from scipy.stats import ncx2

    single = -math.expm1(math.log1p(-alpha) / trials)
    threshold = -2 * math.log(single)
    if power <= single:
        return 0.0
    return float(brentq(lambda nc: ncx2.sf(threshold, 2, nc) - power, 1e-9, 20 * threshold + 200))


def rayleigh_depth(
    events: int, alpha: float = 1e-3, power: float = 0.95, *, band: float = 0.0, duration: float = 0.0
) -> float:
    """Depth m of a rate 1 + m cos(2 pi f t) that the Rayleigh test finds with this power; above 1 it cannot.

    2 n R**2 is noncentral chi-square with two degrees of freedom and noncentrality n m**2 / 2. A blind scan over
    `band` Hz for `duration` seconds makes band * duration trials.

    Raises:
        SpecError: no events, or a probability out of range.

    Example:
        >>> round(rayleigh_depth(363_600), 3), round(rayleigh_depth(1_418, band=9.5, duration=3600), 2)
        (0.012, 0.28)
    """
    if events < 1 or band < 0 or duration < 0:
        raise SpecError(
            f"rayleigh_depth: events={events}, band={band}, duration={duration} must not be negative"
        )
    _probability(alpha, "alpha", "rayleigh_depth")
    _probability(power, "power", "rayleigh_depth")
    return math.sqrt(2 * _noncentrality(alpha, power, max(1, round(band * duration))) / events)


def events_for_depth(depth: float, alpha: float = 1e-3, power: float = 0.95, trials: int = 1) -> int:
    """Events that the Rayleigh test needs for a modulation of this depth.

    Raises:
        SpecError: depth not in 0 ... 1, no trial, or a probability out of range.

    Example:
        >>> rayleigh_depth(events_for_depth(0.05)) <= 0.05
        True
    """
    _probability(depth, "depth", "events_for_depth")
    _probability(alpha, "alpha", "events_for_depth")
    _probability(power, "power", "events_for_depth")
    if trials < 1:
        raise SpecError(f"events_for_depth: trials={trials} must be one or more")
    return math.ceil(2 * _noncentrality(alpha, power, trials) / depth**2)


def power_lines(events: int, duration: float, deviations: Sequence[float] = (0.05, 0.02, 0.01)) -> list[str]:
    """What so many events can and cannot show, as lines to print before any verdict.

    Example:
        >>> print(power_lines(1300, 126.0)[0])
        power       1300 events in 126.0 s, before any verdict:
    """
    needs = ", ".join(f"{d:g}: {events_for_cv(d):,}" for d in deviations)
    smallest = (NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) / math.sqrt(max(events, 1))
    fixed, blind = rayleigh_depth(events), rayleigh_depth(events, band=9.5, duration=duration)

    def show(depth: float) -> str:
        return f"{depth:.1%}" if depth < 1 else "nothing (it would take more than 100 %)"

    return [
        f"power       {events} events in {duration:.1f} s, before any verdict:",
        f"            |CV - 1| of {smallest:.3f} or more shows at 95 % confidence with 80 % power",
        f"            intervals needed for |CV - 1| of {needs}",
        f"            a modulation at a frequency named before shows from a depth of {show(fixed)} on",
        f"            in a blind scan of 0.5 to 10 Hz from {show(blind)} on (alpha 0.001, power 95 %)",
    ]
