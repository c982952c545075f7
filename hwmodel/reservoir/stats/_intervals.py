"""Statistics of intervals: CV, CV2, LV, LvR and the entropy of their distribution."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.reservoir.stats._estimate import (
    NULL_SEED,
    Estimate,
    Floats,
    intervals_of,
    normal_p,
    poisson_null,
)

__all__ = ["cv", "cv2", "isi_entropy", "lv", "lvr"]

# Large-sample variance of the mean of the local statistics over a Poisson process, times n. With u uniform on
# (-1, 1) for each pair and the covariance of neighbouring pairs (closed forms integrated numerically):
LV_VARIANCE = 0.8 + 2 * 0.187079
CV2_VARIANCE = 1 / 3 + 2 * 0.063469

EXACT, CV_DRAWS = 2_000, 4_000_000


def _cv(intervals: Floats) -> float:
    return float(intervals.std() / intervals.mean())


def cv(intervals: npt.ArrayLike) -> Estimate:
    """Coefficient of variation, standard deviation (ddof 0) over mean; its null is Poisson.

    The mean of CV**2 over n exponential intervals is exactly (n - 1)/(n + 1), so that E[CV] = 1 - 3/(2n) for large
    n; below 2,000 mean and sd are simulated. Ten intervals of a Poisson process give 0.875 +- 0.223.

    Parameters:
        intervals: seconds, two or more.

    Example:
        >>> estimate = cv([1.0, 2.0, 3.0])
        >>> round(estimate.value, 4)
        0.4082
    """
    x = intervals_of(intervals, "cv", 2)
    n = len(x)
    mean, sd = _cv_null(n) if n < EXACT else (1 - 1.5 / n, 1 / math.sqrt(n))
    return _estimate(_cv(x), mean, sd, 1.0, n)


@lru_cache(maxsize=512)
def _cv_null(n: int) -> tuple[float, float]:
    """Mean and sd of CV over n exponential intervals, the mean to 0.001."""
    draws = np.random.default_rng([NULL_SEED, n]).standard_exponential(
        (max(5_000, min(200_000, CV_DRAWS // n)), n)
    )
    found = draws.std(axis=1) / draws.mean(axis=1)
    return float(found.mean()), float(found.std(ddof=1))


def _estimate(value: float, mean: float, sd: float, limit: float, n: int) -> Estimate:
    return Estimate(value, mean, sd, mean - limit, n, normal_p((value - mean) / sd) if sd > 0 else None)


def _pairs(x: Floats) -> tuple[Floats, Floats]:
    """Contrast (b - a)/(b + a) and sum of neighbours; two zeros do not differ, so their contrast is zero."""
    total = x[1:] + x[:-1]
    safe = np.where(total > 0, total, 1.0)
    return (x[1:] - x[:-1]) / safe, safe


def cv2(intervals: npt.ArrayLike) -> Estimate:
    """Mean of 2|b - a|/(b + a) over neighbouring intervals (Holt et al. 1996); exactly 1 for Poisson.

    Blind to slow changes of the rate. A pair of zeros counts as alike.

    Example:
        >>> round(cv2([1.0, 2.0, 1.0]).value, 4)
        0.6667
    """
    x = intervals_of(intervals, "cv2", 3)
    contrast, _ = _pairs(x)
    sd = math.sqrt(CV2_VARIANCE / len(contrast))
    return _estimate(float(np.mean(2 * np.abs(contrast))), 1.0, sd, 1.0, len(x))


def lv(intervals: npt.ArrayLike) -> Estimate:
    """Local variation, the mean of 3((b - a)/(b + a))**2 (Shinomoto et al. 2003); exactly 1 for Poisson.

    One stays one where only the rate drifts; dead time lowers it, batching raises it. A pair of zeros counts as alike.

    Example:
        >>> round(lv([1.0, 2.0, 1.0]).value, 4)
        0.3333
    """
    x = intervals_of(intervals, "lv", 3)
    contrast, _ = _pairs(x)
    return _estimate(
        float(np.mean(3 * contrast**2)), 1.0, math.sqrt(LV_VARIANCE / len(contrast)), 1.0, len(x)
    )


def lvr(intervals: npt.ArrayLike, refractory: float = 0.005) -> Estimate:
    """Local variation with the refractory time R taken into account (Shinomoto et al. 2009).

    Its null is a Poisson process of the same rate without dead time, for which the mean is 1 + 4 R rate.

    Parameters:
        intervals: seconds, three or more.
        refractory: R, seconds.

    Raises:
        SpecError: R is negative.

    Example:
        >>> lvr([1.0, 2.0, 1.0], 0.0).value == lv([1.0, 2.0, 1.0]).value
        True
    """
    if not 0 <= refractory < math.inf:
        raise SpecError(f"lvr: refractory={refractory} must be a time of zero or more, in seconds")
    x = intervals_of(intervals, "lvr", 3)
    value = _lvr(x, refractory)
    scaled = refractory / float(x.mean())
    limit = 1 + 4 * scaled
    # two digits: logs of nearly the same rate share a simulation
    sd = poisson_null(_lvr, len(x), math.nan, float(f"{scaled:.2g}"))[1]
    return _estimate(value, limit, sd, limit, len(x))


def _lvr(x: Floats, refractory: float) -> float:
    contrast, total = _pairs(x)
    return float(np.mean(3 * contrast**2 * (1 + 4 * refractory / total)))


def isi_entropy(intervals: npt.ArrayLike, bins: int = 10) -> Estimate:
    """Shannon entropy in bits of the histogram of intervals over `bins` equal bins from zero to five means.

    Its null is the exponential distribution at the same n, by simulation: a histogram of few intervals always
    has too little entropy, by about (bins - 1)/(2 n ln 2). What is longer than five means counts in the last bin.

    Raises:
        SpecError: fewer than 2 bins, or more than 10,000.

    Example:
        >>> isi_entropy([1.0, 1.0, 1.0, 1.0]).value
        0.0
    """
    if not 2 <= bins <= 10_000:
        raise SpecError(f"isi_entropy: bins={bins} must lie in 2 ... 10000")
    x = intervals_of(intervals, "isi_entropy", 2)
    edges = np.exp(-5.0 * np.arange(bins) / bins)
    share = np.append(edges[:-1] - edges[1:], edges[-1])
    limit = float(-np.sum(share * np.log2(share)))
    mean, sd = poisson_null(_entropy, len(x), limit, bins)
    return _estimate(_entropy(x, bins), mean, sd, limit, len(x))


def _entropy(x: Floats, bins: int) -> float:
    place = np.minimum(x * (bins / (5.0 * x.mean())), bins - 1).astype(np.int64)
    share = np.bincount(place, minlength=bins) / len(x)
    share = share[share > 0]
    return float(-np.sum(share * np.log2(share))) + 0.0
