"""The frequency wall: what part of a run scales with the clock, what part does not, and what sets the latter.

`fit_wall` fits T(f) = a / f + b to run times, `sensitivity` finds which resource sets b, and `roofline` shows the same
as ceilings of bandwidth, of latency with concurrency, and of the instruction window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._wall_roofline import Ceilings, Point, ceilings, roofline, unloaded_latency
from hwmodel.cryo._wall_sensitivity import (
    RELAXATIONS,
    Relaxation,
    Relief,
    Sensitivity,
    relaxed,
    sensitivities,
    sensitivity,
)
from hwmodel.errors import SpecError
from hwmodel.units import Frequency, to_frequency

__all__ = [
    "RELAXATIONS",
    "Ceilings",
    "Point",
    "Relaxation",
    "Relief",
    "Sensitivity",
    "Wall",
    "ceilings",
    "fit_wall",
    "relaxed",
    "roofline",
    "sensitivities",
    "sensitivity",
    "unloaded_latency",
]

Weights = Literal["relative", "uniform"]
FS_PER_S = 10**15
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Wall:
    """The law T(f) = a / f + b of one workload, and how well it holds.

    Attributes:
        cycles: a, the cycles that scale with the clock.
        floor: b in femtoseconds, the time that does not.
        clocks, times: what was fitted; times in femtoseconds.
        weights: how the points were weighted.

    Example:
        >>> wall = fit_wall(["4 GHz", "20 GHz", "100 GHz"], [3.5e6, 1.5e6, 1.1e6])
        >>> wall
        <Wall 10 cycles + 1 ns: plateau 3.5x, half of it at 10 GHz; error 0.0 % mean, 0.0 % max>
        >>> round(wall.speedup("100 GHz"), 2), round(wall.plateau(), 2)
        (3.18, 3.5)
    """

    cycles: float
    floor: float
    clocks: tuple[Frequency, ...]
    times: tuple[float, ...]
    weights: str = "relative"

    def time(self, clock: Frequency | str) -> float:
        """Run time in femtoseconds at a clock."""
        return self.cycles * FS_PER_S / float(to_frequency(clock, "clock").hz) + self.floor

    def speedup(self, clock: Frequency | str, base: Frequency | str | None = None) -> float:
        """Speed-up over `base`, or over the lowest clock that was fitted."""
        return self.time(self._base(base)) / self.time(clock)

    def plateau(self, base: Frequency | str | None = None) -> float:
        """Speed-up over `base` at an infinite clock, (a / f0 + b) / b; infinite where nothing stands still."""
        return self.time(self._base(base)) / self.floor if self.floor > 0 else math.inf

    @property
    def half_plateau(self) -> float:
        """The clock in Hz that reaches half the performance of the plateau, a / b; infinite without a plateau."""
        return self.cycles * FS_PER_S / self.floor if self.floor > 0 else math.inf

    @property
    def residuals(self) -> tuple[float, ...]:
        """Law over measurement, minus one, point by point."""
        return tuple(self.time(f) / t - 1 for f, t in zip(self.clocks, self.times, strict=True))

    @property
    def mean_error(self) -> float:
        """Mean of the relative errors without their signs."""
        return sum(abs(r) for r in self.residuals) / len(self.times)

    @property
    def max_error(self) -> float:
        """Largest of the relative errors without their signs."""
        return max(abs(r) for r in self.residuals)

    def _base(self, base: Frequency | str | None) -> Frequency:
        if base is not None:
            return to_frequency(base, "base")
        return min(self.clocks, key=lambda clock: clock.hz)

    def __repr__(self) -> str:
        return (
            f"<Wall {self.cycles:.4g} cycles + {self.floor / 1e6:.4g} ns: plateau {self.plateau():.3g}x, half of it at "
            f"{self.half_plateau / 1e9:.3g} GHz; error {self.mean_error:.1%} mean, {self.max_error:.1%} max>"
        ).replace("%", " %")


def fit_wall(
    clocks: Sequence[Frequency | str],
    times: Sequence[float],
    weights: Weights | Sequence[float] = "relative",
) -> Wall:
    """Fit T(f) = a / f + b by weighted least squares, with a and b not below zero.

    Parameters:
        clocks: of the points; at least two that differ.
        times: run times in femtoseconds, above zero.
        weights: of the squared errors. "relative" is 1 / T squared, so that the sum of squared relative errors is
            least and a fast run counts as much as a slow one; "uniform" is 1; or a positive number a point.

    Raises:
        SpecError: too few points, or a time or a weight that is none.

    Example:
        >>> wall = fit_wall(["4 GHz", "8 GHz"], [2e9, 1e9])  # all of it scales
        >>> round(wall.cycles), wall.floor, wall.half_plateau
        (8000, 0.0, inf)

    Source: the law of Amdahl in time, as in frequency scaling by stall time.
    """
    rates = [to_frequency(clock, f"clocks[{i}]") for i, clock in enumerate(clocks)]
    measured = _positive(times, "times")
    if len(rates) != len(measured) or len(set(rates)) < 2:
        raise SpecError(
            f"fit_wall: {len(rates)} clocks, {len(set(rates))} of them different, and {len(measured)} times;"
            " give one time a clock, and two clocks at least"
        )
    name, weight = _weights(weights, measured)
    # Both columns near one: periods over the longest, times over the longest.
    period = np.array([1 / float(rate.hz) for rate in rates])
    longest, scale = float(period.max()), float(measured.max())
    a, b = _two_not_negative(period / longest, measured / scale, weight)
    return Wall(
        cycles=a * scale / longest / FS_PER_S,
        floor=b * scale,
        clocks=tuple(rates),
        times=tuple(float(t) for t in measured),
        weights=name,
    )


# What follows is private.


def _positive(values: Sequence[float], what: str) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.all(np.isfinite(found)) or not np.all(found > 0):
        raise SpecError(f"fit_wall({what}={list(values)!r}): finite numbers above zero are wanted")
    return found


def _weights(weights: Weights | Sequence[float], times: Floats) -> tuple[str, Floats]:
    if isinstance(weights, str):
        if weights not in ("relative", "uniform"):
            raise SpecError(f"fit_wall(weights={weights!r}): give 'relative', 'uniform' or a number a point")
        relative = weights == "relative"
        return weights, (float(times.max()) / times) ** 2 if relative else np.ones_like(times)
    found = _positive(weights, "weights")
    if len(found) != len(times):
        raise SpecError(f"fit_wall: {len(found)} weights for {len(times)} times; give one a point")
    return "given", found / float(found.max())


def _two_not_negative(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Least squares of y = a x + b with a, b >= 0: of the inner solution and those at the edges the best that is allowed."""
    total = float(weight.sum())
    mean_x, mean_y = float(weight @ x) / total, float(weight @ y) / total
    spread = float(weight @ (x - mean_x) ** 2)
    a = float(weight @ ((x - mean_x) * (y - mean_y))) / spread
    b = mean_y - a * mean_x
    if a >= 0 and b >= 0:
        return a, b
    edges = ((float(weight @ (x * y)) / float(weight @ (x * x)), 0.0), (0.0, mean_y))
    return min(edges, key=lambda pair: float(weight @ (pair[0] * x + pair[1] - y) ** 2))
