"""What every statistic returns, how its input is checked, and its null by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError

__all__ = ["Estimate", "Floats", "intervals_of", "normal_p", "poisson_null", "series_of", "times_of"]

Floats = npt.NDArray[np.float64]

MAX_EVENTS = 100_000_000
LATEST, SHORTEST = 1e15, 1e-30
"""Seconds; beyond them squares and cubes of times leave the range of doubles before anything is seen."""

NULL_EVENTS = 2_000
NULL_DRAWS = 2_000
NULL_SEED = 20_260_111


@dataclass(frozen=True)
class Estimate:
    """A statistic beside what the matched null would have given.

    `null_value` and `null_sd` are mean and standard deviation of the same estimator under the null at the same
    sample size; `bias` is what the finite sample adds to the null's own value; `p` is two-sided unless the
    function says otherwise, None where no test is meant.

    Example:
        >>> Estimate(0.80, 0.875, 0.223, -0.125, 10, 0.7).z
        -0.336...
    """

    value: float
    null_value: float
    null_sd: float
    bias: float
    n: int
    p: float | None = None

    @property
    def z(self) -> float:
        """Distance from the null in its standard deviations."""
        return (self.value - self.null_value) / self.null_sd if self.null_sd > 0 else math.nan

    def as_dict(self) -> dict[str, Any]:
        """The fields for JSON; what is not finite becomes null."""
        fields = {
            "value": self.value,
            "null_value": self.null_value,
            "null_sd": self.null_sd,
            "bias": self.bias,
        }
        found: dict[str, Any] = {name: v if math.isfinite(v) else None for name, v in fields.items()}
        return {**found, "n": self.n, "p": self.p}

    def __str__(self) -> str:
        chance = "" if self.p is None else f", p = {self.p:.3g}"
        return f"{self.value:.4g} (null {self.null_value:.4g} +- {self.null_sd:.2g}, n = {self.n}{chance})"


def times_of(times: npt.ArrayLike, what: str, least: int = 2) -> Floats:
    """Check event times in seconds: one dimension, finite, not falling, at least `least` of them.

    Raises:
        StimulusError: naming the place of the first fault.
    """
    array = series_of(times, what, least)
    _within(array, what)
    falls = np.flatnonzero(np.diff(array) < 0)
    if len(falls):
        at = int(falls[0]) + 1
        raise StimulusError(
            f"{what}: time {at} is {array[at]!r}, before its predecessor {array[at - 1]!r}; sort them"
        )
    return array


def intervals_of(intervals: npt.ArrayLike, what: str, least: int = 1) -> Floats:
    """Check intervals in seconds: finite, not negative, not all zero.

    Raises:
        StimulusError: naming the place of the first fault.
    """
    array = series_of(intervals, what, least)
    _within(array, what)
    wrong = np.flatnonzero(array < 0)
    if len(wrong):
        raise StimulusError(
            f"{what}: interval {int(wrong[0])} is {array[wrong[0]]!r}; give differences of sorted times"
        )
    if not array.any():
        raise StimulusError(f"{what}: all {len(array)} intervals are zero; the times need a finer tick")
    if array.max() < SHORTEST:
        raise StimulusError(f"{what}: no interval is longer than {array.max()!r} s; give seconds")
    return array


def _within(array: Floats, what: str) -> None:
    far = np.flatnonzero(np.abs(array) > LATEST)
    if len(far):
        raise StimulusError(
            f"{what}: value {int(far[0])} is {array[far[0]]!r}, beyond {LATEST:g} s; give seconds"
        )


def series_of(values: npt.ArrayLike, what: str, least: int = 1) -> Floats:
    """Check a series of numbers: one dimension, finite, at least `least`.

    Raises:
        StimulusError: naming the place of the first fault.
    """
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StimulusError(f"{what}: not an array of numbers: {error}") from error
    if array.ndim != 1:
        raise StimulusError(f"{what}: {array.ndim} dimensions; give one row of numbers")
    if not least <= len(array) <= MAX_EVENTS:
        raise StimulusError(f"{what}: {len(array)} values; it needs {least} ... {MAX_EVENTS}")
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise StimulusError(
            f"{what}: value {int(wrong[0])} is {array[wrong[0]]}; leave out what is not finite"
        )
    return array


def normal_p(z: float) -> float:
    """Two-sided p of a standard normal deviate.

    Example:
        >>> round(normal_p(1.96), 3)
        0.05
    """
    return math.erfc(abs(z) / math.sqrt(2.0))


def poisson_null(
    statistic: Callable[..., float], n: int, limit: float, *extra: Any, draw: str = "exponential"
) -> tuple[float, float]:
    """Mean and sd of a statistic over n exponential intervals (or normal values), by simulation with a fixed seed.

    Beyond 2,000 the bias is taken to fall as 1/n towards `limit`, and the sd as its root; NaN as the limit takes
    the simulated mean itself.
    """
    if n < 1:
        raise SpecError(f"poisson_null: n={n} must be one or more")
    at = min(n, NULL_EVENTS)
    mean, sd = _simulated(statistic, at, extra, draw)
    if n == at:
        return mean, sd
    if math.isnan(limit):
        return mean, sd * math.sqrt(at / n)
    return limit + (mean - limit) * at / n, sd * math.sqrt(at / n)


@lru_cache(maxsize=512)
def _simulated(
    statistic: Callable[..., float], n: int, extra: tuple[Any, ...], draw: str
) -> tuple[float, float]:
    rng = np.random.default_rng([NULL_SEED, n])
    draws = max(NULL_DRAWS, min(4000, 200_000 // n))
    make = rng.standard_exponential if draw == "exponential" else rng.standard_normal
    found = np.array([statistic(make(n), *extra) for _ in range(draws)])
    found = found[np.isfinite(found)]
    return (float(found.mean()), float(found.std(ddof=1))) if len(found) > 1 else (math.nan, math.nan)
