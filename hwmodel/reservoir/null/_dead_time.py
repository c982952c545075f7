"""The distribution of the dead time in a closed loop: a fixed round trip, a gamma tail, then the next hit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.reservoir.stats import Estimate, bootstrap_fit
from hwmodel.reservoir.stats.inputs import intervals_of

__all__ = ["DeadTime", "fit_dead_time"]

Floats = npt.NDArray[np.float64]

LEAST = 20
WIDEST = 0.98
"""Largest scale of the gamma tail beside the wait; the closed form holds below 1."""


@dataclass(frozen=True)
class DeadTime:
    """Interval = fixed + gamma(shape, mean tail) + exponential(wait), seconds; `fit` tests the fitted form.

    Example:
        >>> round(DeadTime(0.016, 0.013, 1.0, 0.079).mean, 3)
        0.108
    """

    fixed: float
    tail: float
    shape: float
    wait: float
    fit: Estimate | None = None

    @property
    def mean(self) -> float:
        """Mean interval, seconds."""
        return self.fixed + self.tail + self.wait

    def scaled(self, factor: float) -> DeadTime:
        """The same distribution in another unit of time."""
        return replace(self, fixed=self.fixed * factor, tail=self.tail * factor, wait=self.wait * factor)

    def cdf(self, intervals: Floats) -> Floats:
        """Probability of an interval up to each value."""
        from scipy.special import gammainc

        y = np.maximum(intervals - self.fixed, 0.0)
        scale = self.tail / self.shape
        if scale < 1e-6 * self.wait:
            return np.asarray(-np.expm1(-np.maximum(y - self.tail, 0.0) / self.wait))
        late = np.exp(-y / self.wait - self.shape * math.log1p(-scale / self.wait))
        return np.asarray(
            gammainc(self.shape, y / scale) - late * gammainc(self.shape, y * (1 / scale - 1 / self.wait))
        )

    def draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Intervals of this distribution."""
        tail = rng.gamma(self.shape, self.tail / self.shape, count)
        return np.asarray(self.fixed + tail + rng.exponential(self.wait, count))


def fit_dead_time(intervals: npt.ArrayLike, replicates: int = 0, seed: int = 0) -> DeadTime:
    """Fit the four parameters by maximum likelihood; with replicates, test the fit by parametric bootstrap.

    Parameters:
        intervals: seconds between the first hits of consecutive jobs, 20 or more.
        replicates: 0 for no test, else 19 or more; each is fitted anew.
        seed: of the replicates.

    Raises:
        StimulusError: too few intervals.

    Example:
        >>> sample = DeadTime(0.02, 0.01, 1.0, 0.08).draw(np.random.default_rng(0), 4000)
        >>> found = fit_dead_time(sample)
        >>> abs(found.fixed - 0.02) < 0.003, abs(found.fixed + found.tail - 0.03) < 0.004
        (True, True)
    """
    x = np.sort(intervals_of(intervals, "fit_dead_time", LEAST))
    found = _maximum(x)
    if not replicates:
        return found

    def again(sample: Floats) -> DeadTime:
        return found if sample is x else _maximum(sample, found)

    return replace(
        found,
        fit=bootstrap_fit(
            x, again, lambda v, at: at.cdf(v), lambda rng, n, at: at.draw(rng, n), replicates, seed
        ),
    )


def _maximum(x: Floats, near: DeadTime | None = None) -> DeadTime:
    """Maximum of the likelihood, from several starts or from one that is near."""
    from scipy import optimize
    from scipy.special import gammainc

    minimize: Any = optimize.minimize
    least = float(x.min())
    span = max(float(x.mean()) - least, 1e-12 * float(x.mean()))

    def loss(at: Any) -> float:
        fixed, shape, scale, wait = at[0] * least, *(math.exp(min(max(v, -12.0), 5.0)) for v in at[1:])
        if not 0 <= at[0] < 1 or scale >= WIDEST * wait:
            return 1e300
        y = (x - fixed) / span
        log = np.log(np.maximum(gammainc(shape, y * (1 / scale - 1 / wait)), 1e-300)) - y / wait
        return -float(log.sum()) + len(x) * (math.log(wait) + shape * math.log1p(-scale / wait))

    if near is not None:
        at = [near.fixed / least if least > near.fixed else 0.98, near.shape, near.tail / near.shape / span]
        starts = [(at[0], math.log(at[1]), math.log(at[2]), math.log(near.wait / span))]
    else:
        first = 0.9 if least > 0 else 0.0
        starts = [(first, math.log(k), math.log(0.2), math.log(0.85)) for k in (0.5, 2.0)]
        starts.append((0.99 if least > 0 else 0.0, 0.0, -6.0, 0.0))
    options = {"maxiter": 600 if near is None else 120, "xatol": 1e-3, "fatol": 3e-2}
    runs = [minimize(loss, np.array(start), method="Nelder-Mead", options=options) for start in starts]
    best = min(runs, key=lambda run: float(run.fun)).x
    shape, scale, wait = (math.exp(min(max(v, -12.0), 5.0)) for v in best[1:])
    return DeadTime(float(best[0]) * least, shape * scale * span, shape, wait * span)
