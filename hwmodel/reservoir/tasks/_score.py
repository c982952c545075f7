"""Scores: a reservoir's error on held-out steps beside that of every control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.reservoir.tasks._controls import CONTROLS, EVENTS, control_states
from hwmodel.reservoir.tasks._readout import PENALTIES, Readout, nrmse
from hwmodel.reservoir.tasks._signals import Task
from hwmodel.reservoir.tasks._types import Floats, Reservoir

__all__ = ["Comparison", "Score", "evaluate"]

RESAMPLES = 2000
LEVEL = 0.99
FEWEST_BLOCKS = 10
"""With fewer blocks a bootstrap's interval is far too narrow: of one block it has no width at all."""

NEEDED = ("constant", "input", "linear taps", "Poisson", "shuffled states", "random phases", "coinbase")


@dataclass(frozen=True)
class Comparison:
    """A control's error, and the interval of how much greater its mean squared error is than the reservoir's.

    Both are over the variance of the target; the interval holds with 99 %. It is infinite where the held-out steps
    make fewer than ten blocks: nothing is beaten then.
    """

    nrmse: float
    low: float
    high: float

    @property
    def beaten(self) -> bool:
        """Whether the reservoir is better with 99 %."""
        return self.low > 0.0


@dataclass(frozen=True)
class Score:
    """The outcome of a benchmark.

    Attributes:
        nrmse: error on held-out steps over the standard deviation of the target.
        penalty: what validation chose.
        states: number of states.
        controls: by name.

    Example:
        >>> from hwmodel.reservoir.tasks import Taps, task
        >>> evaluate(Taps(3), task("xor", 1000)).useful
        False
    """

    task: str
    reservoir: str
    nrmse: float
    penalty: float
    states: int
    controls: dict[str, Comparison] = field(repr=False)

    @property
    def useful(self) -> bool:
        """Whether every control is beaten with 99 %; the quadratic Volterra series is shown and not asked for."""
        asked = [self.controls[name] for name in NEEDED if name in self.controls]
        asked += [item for name, item in self.controls.items() if name not in CONTROLS]
        return bool(asked) and all(item.beaten for item in asked)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        shown = {
            name: {"nrmse": c.nrmse, "low": _finite(c.low), "high": _finite(c.high), "beaten": c.beaten}
            for name, c in self.controls.items()
        }
        return {
            "task": self.task,
            "reservoir": self.reservoir,
            "nrmse": self.nrmse,
            "states": self.states,
            "useful": self.useful,
            "controls": shown,
        }

    def __str__(self) -> str:
        lines = [
            f"{self.task}: {self.reservoir}, NRMSE {self.nrmse:.4g}, {'useful' if self.useful else 'not useful'}"
        ]
        for name, item in self.controls.items():
            verdict = "beaten" if item.beaten else "better" if item.high < 0.0 else "not beaten"
            lines.append(f"  {name:<20}{item.nrmse:>10.4g}  {verdict}")
        return "\n".join(lines)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def evaluate(
    reservoir: Reservoir,
    task: Task,
    controls: Iterable[str] = tuple(CONTROLS),
    *,
    against: Iterable[Reservoir] = (),
    penalties: tuple[float, ...] = PENALTIES,
    seed: int = 0,
) -> Score:
    """Fit a readout on the training steps, score it on the held-out ones, and do the same for every control.

    Parameters:
        reservoir: anything with `name` and `run(inputs) -> states`; an attribute `events` is its mean count a step.
        controls: names of `CONTROLS`; none gives a bare score, which is never `useful`.
        against: further reservoirs to be beaten, such as an ideal chip.
        seed: of controls and bootstrap.

    Raises:
        SpecError: states that do not fit the task.
        UnknownNameError: no such control.
    """
    states = _states(reservoir, task)
    error, penalty = _errors(states, task, penalties)
    events = float(getattr(reservoir, "events", EVENTS))
    compared: dict[str, Comparison] = {}
    for name in controls:
        found, _ = _errors(control_states(name, task.inputs, states, events, seed), task, penalties)
        compared[name] = _compare(error, found, seed)
    for other in against:
        found, _ = _errors(_states(other, task), task, penalties)
        compared[other.name] = _compare(error, found, seed)
    return Score(task.name, reservoir.name, float(np.sqrt(error.mean())), penalty, states.shape[1], compared)


def _states(reservoir: Reservoir, task: Task) -> Floats:
    states = np.asarray(reservoir.run(task.inputs), np.float64)
    if states.ndim != 2 or len(states) != len(task.inputs):
        raise SpecError(
            f"evaluate: '{reservoir.name}' gives states of shape {states.shape} for {len(task.inputs)} steps; "
            "give one row a step"
        )
    return states


def _errors(states: Floats, task: Task, penalties: tuple[float, ...]) -> tuple[Floats, float]:
    """Squared errors at the held-out steps over the target's variance there, and the penalty."""
    readout = Readout.fit(states[task.fitted], task.targets[task.fitted], penalties)
    target = task.targets[task.held_out]
    prediction = readout.predict(states[task.held_out])
    nrmse(target, prediction)  # refuses a target without spread
    return (target - prediction) ** 2 / target.var(), readout.penalty


def _compare(error: Floats, control: Floats, seed: int) -> Comparison:
    """Bootstrap of the mean difference over blocks, which keeps what neighbours have in common."""
    difference = control - error
    block = max(1, round(len(difference) ** (1 / 3)) * 2)
    count = len(difference) // block
    means = difference[: count * block].reshape(count, block).mean(axis=1)
    if count < FEWEST_BLOCKS:
        return Comparison(float(np.sqrt(control.mean())), -np.inf, np.inf)
    rng = np.random.default_rng([seed, count, 5])
    resampled = means[rng.integers(0, count, (RESAMPLES, count))].mean(axis=1)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Comparison(float(np.sqrt(control.mean())), float(low), float(high))
