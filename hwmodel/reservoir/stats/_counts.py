"""Statistics of counts in windows: Fano and Allan factors against window length."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir.stats._estimate import Estimate, Floats, normal_p, times_of

__all__ = ["allan_curve", "allan_factor", "count_windows", "fano_curve", "fano_factor"]

MAX_WINDOWS = 100_000_000


def count_windows(
    times: npt.ArrayLike, window: float, start: float | None = None, stop: float | None = None
) -> Floats:
    """Events in each whole window from `start` on; a trailing part of a window is dropped.

    A trailing part counts as an almost empty window, and one of them makes a Fano factor of hundreds.

    Parameters:
        times: seconds, not falling.
        window: seconds.
        start: default the first event.
        stop: end of the observation; default the last event.

    Raises:
        SpecError: the window is not positive, or would make more than 1e8 windows.

    Example:
        >>> count_windows([0.0, 0.5, 1.2, 2.1], 1.0).tolist()
        [2.0, 1.0]
    """
    t = times_of(times, "count_windows", 1)
    first = float(t[0]) if start is None else float(start)
    last = float(t[-1]) if stop is None else float(stop)
    if not (window > 0 and math.isfinite(window)):
        raise SpecError(f"count_windows: window={window} must be a positive time in seconds")
    whole = math.floor((last - first) / window * (1 + 1e-12))
    if whole > MAX_WINDOWS:
        raise SpecError(f"count_windows: window={window} makes {whole} windows; at most {MAX_WINDOWS}")
    if whole < 1:
        return np.zeros(0)
    place = np.floor((t[(t >= first) & (t <= last)] - first) / window).astype(np.int64)
    return np.bincount(place[place < whole], minlength=whole)[:whole].astype(np.float64)


def fano_factor(times: npt.ArrayLike, window: float) -> Estimate:
    """Variance (ddof 0) over mean of the counts in windows of one length; the null is Poisson.

    Given the total N, the counts of K windows are multinomial: mean 1 - 1/K, variance 2(K-1)(1-1/N)/K**2, exactly.
    p from the dispersion test, chi-square with K - 1 degrees of freedom.

    Raises:
        StimulusError: fewer than two whole windows, or no event in them.

    Example:
        >>> round(fano_factor([0.0, 0.5, 1.2, 2.1, 3.0], 1.0).value, 3)
        0.167
    """
    counts = count_windows(times, window)
    k, total = len(counts), float(counts.sum())
    _enough(k, total, "fano_factor", window, 2)
    value = float(counts.var() / counts.mean())
    mean = 1 - 1 / k
    sd = math.sqrt(2 * (k - 1) * max(1 - 1 / total, 0.0)) / k
    return Estimate(value, mean, sd, -1 / k, k, _dispersion_p(value * k, k - 1, total / k))


def _dispersion_p(index: float, freedom: int, mean: float) -> float:
    """Two-sided p of the dispersion test; normal where counts are too rare for chi-square."""
    if mean < 1:
        return normal_p((index - freedom) / math.sqrt(2 * freedom))
    from scipy.special import gammainc, gammaincc

    low, high = gammainc(freedom / 2, index / 2), gammaincc(freedom / 2, index / 2)
    return float(min(1.0, 2 * min(low, high)))


def allan_factor(times: npt.ArrayLike, window: float) -> Estimate:
    """Mean square difference of neighbouring counts over twice their mean; 1 for Poisson.

    Unlike the Fano factor it is blind to a linear drift of the rate.

    Raises:
        StimulusError: fewer than three whole windows, or no event in them.

    Example:
        >>> round(allan_factor([0.0, 0.5, 1.2, 2.1, 3.0], 1.0).value, 3)
        0.188
    """
    counts = count_windows(times, window)
    k, total = len(counts), float(counts.sum())
    _enough(k, total, "allan_factor", window, 3)
    value = float(np.mean(np.diff(counts) ** 2) / (2 * counts.mean()))
    # (a - b)^2/2 over Poisson counts of mean m: variance m/2 + 2 m^2, covariance of neighbours m/4 + m^2/2.
    m, pairs = total / k, k - 1
    variance = (m / 2 + 2 * m * m + 2 * (pairs - 1) / pairs * (m / 4 + m * m / 2)) / pairs / (
        m * m
    ) - 1 / total
    sd = math.sqrt(max(variance, 0.0))
    return Estimate(value, 1.0, sd, 0.0, k, normal_p((value - 1) / sd) if sd > 0 else None)


def _enough(windows: int, total: float, what: str, window: float, least: int) -> None:
    if windows < least or total == 0:
        raise StimulusError(
            f"{what}: {total:.0f} events in {windows} whole windows of {window:g} s; take a shorter window"
        )


def fano_curve(times: npt.ArrayLike, windows: Sequence[float]) -> dict[float, Estimate]:
    """Fano factor at each window that fits in at least twice; others are left out.

    Example:
        >>> sorted(fano_curve([0.0, 0.5, 1.2, 2.1, 3.0], [1.0, 100.0]))
        [1.0]
    """
    t = times_of(times, "fano_curve")
    return {w: fano_factor(t, w) for w in windows if float(t[-1] - t[0]) >= 2 * w}


def allan_curve(times: npt.ArrayLike, windows: Sequence[float]) -> dict[float, Estimate]:
    """Allan factor at each window that fits in at least three times; others are left out.

    Example:
        >>> sorted(allan_curve([0.0, 0.5, 1.2, 2.1, 3.0], [1.0, 100.0]))
        [1.0]
    """
    t = times_of(times, "allan_curve")
    return {w: allan_factor(t, w) for w in windows if float(t[-1] - t[0]) >= 3 * w}
