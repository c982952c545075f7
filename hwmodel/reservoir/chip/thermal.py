"""Temperature of the die: a Foster ladder, whose step response is a sum of exponentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError

__all__ = ["FosterLadder", "ThermalState"]

Floats = npt.NDArray[np.float64]
MAX_STAGES = 16


@dataclass(frozen=True)
class FosterLadder:
    """Thermal impedance from die to air as a sum of parallel R-C stages.

    Parameters:
        resistances: K/W of each stage.
        constants: time constant of each stage, s.

    Raises:
        SpecError: lists of different lengths, none, or values that are not positive.

    Defaults are estimates for a chip on a board with a heat sink and a fan: die in ms, package in s, heat sink in tens
    of seconds.

    Example:
        >>> ladder = FosterLadder((1.0, 2.0), (0.01, 10.0))
        >>> float(ladder.step(np.array([0.0, 1e6]), power=10.0)[1])
        30.0
    """

    resistances: tuple[float, ...] = (0.3, 0.7, 2.0)
    constants: tuple[float, ...] = (0.005, 1.5, 40.0)

    def __post_init__(self) -> None:
        values = [*self.resistances, *self.constants]
        if not 1 <= len(self.resistances) == len(self.constants) <= MAX_STAGES or not all(
            v > 0 for v in values
        ):
            raise SpecError(
                f"FosterLadder({self.resistances}, {self.constants}): give 1 to {MAX_STAGES} positive pairs"
            )

    def step(self, seconds: npt.ArrayLike, power: float) -> Floats:
        """Rise over the air after a step of power in W, K."""
        t = np.asarray(seconds, np.float64)[..., None]
        rise = np.array(self.resistances) * (1.0 - np.exp(-t / np.array(self.constants)))
        return np.asarray(power * rise.sum(axis=-1), np.float64)


class ThermalState:
    """Rises of the stages of a ladder since the last change of power.

    Example:
        >>> state = ThermalState(FosterLadder((1.0,), (10.0,)))
        >>> state.set(0, 5.0)
        >>> round(float(state.rise(np.array([10 * 10**15]))[0]), 4)  # 5 K (1 - 1/e)
        3.1606
    """

    def __init__(self, ladder: FosterLadder) -> None:
        self._resistance = np.array(ladder.resistances)
        self._constant = np.array(ladder.constants)
        self.since = 0
        self.power = 0.0
        self._rises = np.zeros(len(self._resistance))

    def stages(self, t: npt.ArrayLike) -> Floats:
        """Rise of each stage at times in fs not before the last change, K, shape (n, stages)."""
        passed = (np.asarray(t, np.float64) - float(self.since))[..., None] * 1e-15
        goal = self._resistance * self.power
        return np.asarray(goal + (self._rises - goal) * np.exp(-passed / self._constant), np.float64)

    def rise(self, t: npt.ArrayLike) -> Floats:
        """Rise over the air, K, shape (n,)."""
        return np.asarray(self.stages(t).sum(axis=-1), np.float64)

    def set(self, t: int, power: float) -> None:
        """Take a new power, W, at `t` fs."""
        if power != self.power:
            self._rises = self.stages(t)
            self.since, self.power = t, float(power)

    def settle(self, power: float) -> None:
        """Begin as if the power had been there for ever."""
        self._rises, self.power = self._resistance * power, float(power)

    def save(self) -> Floats:
        """State as an array; the time is kept apart in `since`."""
        return np.concatenate([[self.power], self._rises])

    def load(self, since: int, saved: Any) -> None:
        """Take up what `save` and `since` gave."""
        self.since, self.power, self._rises = int(since), float(saved[0]), np.array(saved[1:], np.float64)
