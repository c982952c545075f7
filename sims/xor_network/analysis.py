"""What is read from the pulses: rates over windows, margins with intervals, errors against the window."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Bits = npt.NDArray[np.bool_]

LABELS = ("00", "01", "10", "11")
WANTED = {"00": 0, "01": 1, "10": 1, "11": 0}
BOOTSTRAP = 1000
_CHUNK = 1 << 22  # most random numbers at once in the bootstrap


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def describe(self) -> dict[str, float]:
        """As plain data."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Margin:
    """The gap between the lowest '1' and the highest '0'.

    Parameters
    ----------
    percent:
        Of mean rates, in per cent of the full rate of one pulse a slot.
    sigma:
        The same gap over the root sum square of the two inputs' standard deviations of one window's rate; None where
        those vanish.
    worst_percent:
        Between the lowest window of any '1' and the highest of any '0' that was seen; negative where they overlap.
    """

    percent: Estimate
    sigma: Estimate | None
    worst_percent: float

    def describe(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "percent": self.percent.describe(),
            "sigma": self.sigma.describe() if self.sigma else None,
            "worst_window_percent": self.worst_percent,
        }


def window_rates(fired: Bits, window: int) -> Array:
    """Output rate of each whole window, shape (windows,); `fired` has shape (runs, slots)."""
    whole = fired.shape[1] // window
    return np.asarray(fired[:, : whole * window].reshape(-1, window).mean(axis=1))


def mean_and_sem(fired: Bits) -> tuple[float, float]:
    """Mean rate and its standard error: the larger of that between runs and the binomial one.

    Laplace's rule keeps the binomial error above zero where no pulse, or every pulse, came.
    """
    hits, slots = int(np.count_nonzero(fired)), fired.size
    smooth = (hits + 1) / (slots + 2)
    binomial = math.sqrt(smooth * (1.0 - smooth) / slots)
    runs = fired.mean(axis=1)
    between = float(runs.std(ddof=1) / math.sqrt(len(runs))) if len(runs) > 1 else 0.0
    return hits / slots, max(binomial, between)


def distribution(rates: Array) -> dict[str, float]:
    """Mean, spread and quantiles of window rates."""
    low, median, high = np.quantile(rates, [0.025, 0.5, 0.975])
    return {
        "mean": float(rates.mean()),
        "std": float(rates.std(ddof=1)) if len(rates) > 1 else 0.0,
        "low": float(low),
        "median": float(median),
        "high": float(high),
        "least": float(rates.min()),
        "most": float(rates.max()),
    }


def margin(rates: Mapping[str, Array], random: np.random.Generator) -> Margin | None:
    """Margin of the window rates by label, with intervals from a bootstrap over windows; None without both classes."""
    ones = [rates[label] for label in rates if WANTED[label]]
    zeros = [rates[label] for label in rates if not WANTED[label]]
    if not ones or not zeros:
        return None
    lowest = min(ones, key=lambda r: float(r.mean()))
    highest = max(zeros, key=lambda r: float(r.mean()))
    drawn_one, drawn_zero = _resampled(ones, random), _resampled(zeros, random)
    gaps, sigmas = _gap_and_sigma(drawn_one, drawn_zero)
    gap = float(lowest.mean() - highest.mean())
    spread = (
        math.hypot(float(lowest.std(ddof=1)), float(highest.std(ddof=1)))
        if min(map(len, rates.values())) > 1
        else 0
    )
    finite = sigmas[np.isfinite(sigmas)]
    sigma = Estimate(gap / spread, *_interval(finite)) if spread > 0.0 and finite.size else None
    return Margin(
        percent=Estimate(100.0 * gap, *_interval(100.0 * gaps)),
        sigma=sigma,
        worst_percent=100.0 * float(min(r.min() for r in ones) - max(r.max() for r in zeros)),
    )


def _resampled(groups: Sequence[Array], random: np.random.Generator) -> tuple[Array, Array]:
    """Mean and standard deviation of each group in each bootstrap sample, shapes (groups, BOOTSTRAP)."""
    means = np.empty((len(groups), BOOTSTRAP))
    spreads = np.empty((len(groups), BOOTSTRAP))
    for row, rates in enumerate(groups):
        step = max(1, _CHUNK // rates.size)
        for at in range(0, BOOTSTRAP, step):
            count = min(step, BOOTSTRAP - at)
            drawn = rates[random.integers(0, rates.size, (count, rates.size))]
            means[row, at : at + count] = drawn.mean(axis=1)
            spreads[row, at : at + count] = drawn.std(axis=1, ddof=1) if rates.size > 1 else 0.0
    return means, spreads


def _gap_and_sigma(one: tuple[Array, Array], zero: tuple[Array, Array]) -> tuple[Array, Array]:
    columns = np.arange(BOOTSTRAP)
    lowest = np.argmin(one[0], axis=0)
    highest = np.argmax(zero[0], axis=0)
    gap = one[0][lowest, columns] - zero[0][highest, columns]
    spread = np.hypot(one[1][lowest, columns], zero[1][highest, columns])
    with np.errstate(divide="ignore", invalid="ignore"):
        return gap, gap / spread


def _interval(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def error_estimate(rates: Mapping[str, Array], threshold: float) -> dict[str, float]:
    """Share of windows on the wrong side of `threshold`, with Wilson's 95 % interval."""
    wrong = total = 0
    for label, values in rates.items():
        said = values > threshold
        wrong += int(np.count_nonzero(said != bool(WANTED[label])))
        total += values.size
    z = 1.959964
    share = wrong / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return {
        "value": share,
        "low": max(0.0, centre - half) if wrong else 0.0,
        "high": centre + half,
        "windows": total,
    }


def predicted_error(rates: Mapping[str, float], window: int, threshold: float) -> float:
    """Error of one window if its slots are independent draws at the rates of the algebra, mean over the inputs."""
    most = math.floor(threshold * window + 1e-9)  # as many pulses, and no more, still read as 0
    tails = []
    for label, rate in rates.items():
        terms = [
            math.lgamma(window + 1)
            - math.lgamma(k + 1)
            - math.lgamma(window - k + 1)
            + k * math.log(max(rate, 1e-300))
            + (window - k) * math.log(max(1.0 - rate, 1e-300))
            for k in (range(most + 1) if WANTED[label] else range(most + 1, window + 1))
        ]
        tails.append(math.fsum(math.exp(term) for term in terms))
    return min(1.0, math.fsum(tails) / len(tails))
