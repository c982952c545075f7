"""Goodness of fit with fitted parameters, and time rescaling.

A KS test against parameters fitted to the same data has far too large p values; Lilliefors' correction or a
parametric bootstrap mends that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir.stats._estimate import Estimate, Floats, intervals_of, series_of, times_of

__all__ = ["ad_exponential", "bootstrap_fit", "ks_distance", "ks_exponential", "time_rescaling"]

# Upper tail of the modified statistics for an exponential distribution with fitted mean, by simulation: 300,000
# samples of 200 intervals, seed 20260111. The modifications are Stephens' (1974), after which n matters little;
# his points at 5 and 1 % are 1.094 and 1.308 (KS), 1.321 and 1.959 (AD).
TAIL = (
    0.999, 0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15,
    0.1, 0.07, 0.05, 0.035, 0.025, 0.015, 0.01, 0.005, 0.0025, 0.001,
)  # fmt: skip
KS_POINTS = (
    0.3329, 0.3892, 0.4542, 0.4959, 0.5543, 0.6024, 0.648, 0.694, 0.744, 0.802, 0.8762, 0.9247,
    0.9883, 1.0418, 1.0892, 1.1367, 1.1816, 1.2452, 1.2937, 1.3715, 1.4479, 1.5466,
)  # fmt: skip
AD_POINTS = (
    0.1194, 0.1599, 0.2142, 0.2539, 0.3152, 0.3718, 0.431, 0.4964, 0.5731, 0.673, 0.8135, 0.9163,
    1.0609, 1.1933, 1.3223, 1.4588, 1.5905, 1.7947, 1.9587, 2.245, 2.5435, 2.9727,
)  # fmt: skip
KS_MEAN, KS_SD = 0.7227, 0.1966
AD_MEAN, AD_SD = 0.5964, 0.3740

SMALL, SMALL_DRAWS = 20, 20_000
"""Below this many intervals the p value is simulated at the given n."""


def ks_distance(sorted_uniform: Floats) -> float:
    """Kolmogorov-Smirnov distance of sorted values from the uniform distribution on (0, 1).

    Example:
        >>> ks_distance(np.array([0.25, 0.75]))
        0.25
    """
    n = len(sorted_uniform)
    place = np.arange(n) / n
    return float(max((sorted_uniform - place).max(), (place + 1 / n - sorted_uniform).max()))


def _ks(x: Floats) -> float:
    return ks_distance(-np.expm1(-np.sort(x) / x.mean()))


def _ad(x: Floats) -> float:
    n = len(x)
    scaled = np.sort(x) / x.mean()
    # ties at zero would have a logarithm of minus infinity; half the least positive value stands for them
    scaled = np.maximum(scaled, scaled[scaled > 0][0] / 2)
    weights = 2 * np.arange(1, n + 1) - 1
    return float(-n - np.sum(weights * (np.log(-np.expm1(-scaled)) - scaled[::-1])) / n)


def ks_exponential(intervals: npt.ArrayLike) -> Estimate:
    """KS distance from the exponential distribution with fitted mean, with Lilliefors' p.

    p from a simulated table after Stephens' modification, at n < 20 by simulation; below 0.001 extrapolated.

    Example:
        >>> even = ks_exponential(np.ones(50))
        >>> round(even.value, 3), even.p < 1e-6
        (0.632, True)
    """
    x = intervals_of(intervals, "ks_exponential", 3)
    n, value = len(x), _ks(x)
    scale = math.sqrt(n) + 0.26 + 0.5 / math.sqrt(n)
    mean, sd = KS_MEAN / scale + 0.2 / n, KS_SD / scale
    p = _small_p(_ks, value, n) if n < SMALL else _tail((value - 0.2 / n) * scale, KS_POINTS, square=True)
    return Estimate(value, mean, sd, mean, n, p)


def ad_exponential(intervals: npt.ArrayLike) -> Estimate:
    """Anderson-Darling statistic A squared against the exponential distribution with fitted mean.

    More sensitive in the tails than KS. p as in `ks_exponential`.

    Example:
        >>> ad_exponential(np.ones(50)).p < 1e-6
        True
    """
    x = intervals_of(intervals, "ad_exponential", 3)
    n, value = len(x), _ad(x)
    scale = 1 + 0.6 / n
    p = _small_p(_ad, value, n) if n < SMALL else _tail(value * scale, AD_POINTS, square=False)
    return Estimate(value, AD_MEAN / scale, AD_SD / scale, AD_MEAN / scale, n, p)


def _small_p(statistic: Callable[[Floats], float], value: float, n: int) -> float:
    found = _small_null(statistic, n)
    return float((len(found) - np.searchsorted(found, value, side="left") + 1) / (len(found) + 1))


@lru_cache(maxsize=2 * SMALL)
def _small_null(statistic: Callable[[Floats], float], n: int) -> Floats:
    """Sorted values over exponential samples of n."""
    rng = np.random.default_rng([SMALL_DRAWS, n])
    return np.sort([statistic(rng.standard_exponential(n)) for _ in range(SMALL_DRAWS)])


def _tail(value: float, points: tuple[float, ...], square: bool) -> float:
    """p from a table: log p against the value (or its square, as the KS tail runs), extrapolated at the end."""
    if value <= points[0]:
        return 1.0
    axis = np.array(points) ** 2 if square else np.array(points)
    at = value * value if square else value
    logs = np.log(TAIL)
    if at <= axis[-1]:
        return float(np.exp(np.interp(at, axis, logs)))
    slope = (logs[-1] - logs[-5]) / (axis[-1] - axis[-5])
    return float(np.exp(max(logs[-1] + slope * (at - axis[-1]), -700.0)))


def bootstrap_fit(
    data: npt.ArrayLike,
    fit: Callable[[Floats], Any],
    cdf: Callable[[Floats, Any], Floats],
    draw: Callable[[np.random.Generator, int, Any], Floats],
    replicates: int = 199,
    seed: int = 0,
) -> Estimate:
    """KS distance from a fitted distribution, with p by parametric bootstrap: every replicate is fitted anew.

    Parameters:
        data: the sample.
        fit: sample to parameters.
        cdf: sorted values and parameters to probabilities.
        draw: generator, size and parameters to a sample.
        replicates: 19 ... 100,000.
        seed: of the replicates.

    Raises:
        SpecError: replicates out of range.

    Example:
        >>> normal = lambda x: (x.mean(), x.std())
        >>> from math import erf
        >>> phi = lambda x, at: np.array([(1 + erf((v - at[0]) / at[1] / 2**0.5)) / 2 for v in x])
        >>> sample = np.random.default_rng(3).normal(size=100)
        >>> bootstrap_fit(sample, normal, phi, lambda rng, n, at: rng.normal(*at, n), 99).p > 0.05
        True
    """
    if not 19 <= replicates <= 100_000:
        raise SpecError(f"bootstrap_fit: replicates={replicates} must lie in 19 ... 100000")
    x = np.sort(series_of(data, "bootstrap_fit", 3))
    parameters = fit(x)
    value = ks_distance(cdf(x, parameters))
    rng = np.random.default_rng(seed)
    found = np.empty(replicates)
    for number in range(replicates):
        sample = np.sort(draw(rng, len(x), parameters))
        found[number] = ks_distance(cdf(sample, fit(sample)))
    mean = float(found.mean())
    p = float((np.count_nonzero(found >= value) + 1) / (replicates + 1))
    return Estimate(value, mean, float(found.std(ddof=1)), mean, len(x), p)


def time_rescaling(times: npt.ArrayLike, cumulative: Callable[[Floats], Floats] | Floats) -> Estimate:
    """KS test of a given rate: with time counted in expected events, intervals must be exponential of mean 1.

    Parameters:
        times: seconds, not falling.
        cumulative: integral of the rate up to each time, as a function of times or its values; not fitted to them.

    Raises:
        StimulusError: the integral falls, or has another length.

    Example:
        >>> t = np.cumsum(np.random.default_rng(2).exponential(0.1, 1000))
        >>> time_rescaling(t, lambda t: 10 * t).p > 0.01, time_rescaling(t, lambda t: 15 * t).p < 1e-6
        (True, True)
    """
    t = times_of(times, "time_rescaling", 3)
    counted = np.asarray(cumulative(t) if callable(cumulative) else cumulative, dtype=np.float64)
    if counted.shape != t.shape:
        raise StimulusError(
            f"time_rescaling: {len(t)} times and integral of shape {counted.shape}; give one each"
        )
    steps = np.diff(counted)
    if not np.all(steps >= 0):
        raise StimulusError("time_rescaling: the integral of the rate falls; a rate is not negative")
    n = len(steps)
    value = ks_distance(np.sort(-np.expm1(-steps)))
    from scipy.special import kolmogorov

    scale = math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)
    mean, sd = 0.8687 / scale, 0.2603 / scale
    return Estimate(value, mean, sd, mean, n, float(kolmogorov(value * scale)))
