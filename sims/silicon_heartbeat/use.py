"""H5: scores of the chip as a reservoir beside the controls that it must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from hwmodel.reservoir.chip import ChipModel
from hwmodel.reservoir.tasks import (
    CONTROLS,
    ChipReservoir,
    EchoStateNetwork,
    Reservoir,
    Score,
    evaluate,
    memory_capacity,
    narma,
)
from hwmodel.units import Time

from .boards import FS, Board, Floats, _mhz, jobs_of, physics_of
from .plan import Plan
from .verdicts import Finding

FEATURES = ("count", "invalid", "first", "last")
NOT_ASKED = ("quadratic Volterra",)
Z_99 = float(norm.ppf(0.995))


@dataclass(frozen=True)
class Centred:
    """A reservoir whose input from `low` to `high` is spread over -1 to 1."""

    inner: Reservoir
    low: float = 0.0
    high: float = 0.5

    @property
    def name(self) -> str:
        """For tables."""
        return self.inner.name

    @property
    def events(self) -> float:
        """Mean results a step."""
        return float(getattr(self.inner, "events", 100.0))

    def run(self, inputs: Floats) -> Floats:
        """States of the inner reservoir."""
        return self.inner.run(2.0 * (inputs - self.low) / (self.high - self.low) - 1.0)


@dataclass(frozen=True)
class BoardReservoir:
    """A board as a reservoir: the clock follows the input step by step, results are counted."""

    board: Board
    plan: Plan
    volts: float
    events: float = 100.0

    @property
    def name(self) -> str:
        """For tables."""
        return "chip at the port, frequency"

    def run(self, inputs: Floats) -> Floats:
        """Rows of `FEATURES`."""
        h5, clock = self.plan["h5"], self.plan["setpoints"]["frequency_mhz"]
        rows = np.zeros((len(inputs), len(FEATURES)))
        for n, value in enumerate(inputs.tolist()):
            self.board.set(self.volts, clock * (1 + h5["depth"] * value), 0.0)
            got = self.board.capture(jobs_of(f"use/{self.plan.seed}/{n}", 1), h5["step_s"])
            ends = got.times[[0, -1]] / h5["step_s"] if len(got.t_us) else (1.0, 0.0)
            rows[n] = len(got.t_us), (~got.valid).sum(), *ends
        return rows


def emulated(
    plan: Plan, chip: int | None, volts: float, plant: str, features: Sequence[str] = FEATURES
) -> ChipReservoir:
    """An emulated chip whose clock follows the input; None is the ideal one."""
    physics = None if chip is None else physics_of(plan, chip, plant)

    def make() -> ChipModel:
        return ChipModel(
            physics=physics, seed=plan.seed * 1000 + 500 + (chip or 0), voltage=volts, pll=False, count=False,
            frequency=_mhz(plan["setpoints"]["frequency_mhz"]), temperature=plan["setpoints"]["air_c"],
        )  # fmt: skip

    label = "ideal chip" if chip is None else "chip"
    h5 = plan["h5"]
    return ChipReservoir(
        make, "frequency", h5["depth"], Time(round(h5["step_s"] * FS)), tuple(features), label=label
    )


def scores(
    plan: Plan, reservoirs: Sequence[Reservoir], ideal: Reservoir | None, tell: Callable[[float], None]
) -> list[Score]:
    """NARMA-10 with all controls for every chip, against the ideal one and a network of three nodes."""
    steps, nodes = int(plan["h5"]["steps"]), int(plan["h5"]["esn_nodes"])
    work = narma(10, steps, seed=plan.seed)
    network = EchoStateNetwork(units=nodes, connections=nodes, seed=plan.seed)
    rivals: list[Reservoir] = [network, *([_Remembered(Centred(ideal))] if ideal is not None else [])]
    found = []
    for number, reservoir in enumerate(reservoirs, 1):
        found.append(evaluate(Centred(reservoir), work, tuple(CONTROLS), against=rivals, seed=plan.seed))
        tell(number)
    return found


class _Remembered:
    """A reservoir that is run once for each input: the ideal chip is the rival of every chip."""

    def __init__(self, inner: Reservoir) -> None:
        self.name = inner.name
        self._inner, self._last = inner, {}  # type: ignore[var-annotated]

    def run(self, inputs: Floats) -> Floats:
        """States of the inner reservoir."""
        key = inputs.tobytes()
        if key not in self._last:
            self._last = {key: self._inner.run(inputs)}
        found: Floats = self._last[key]
        return found


def memory(plan: Plan, reservoir: Reservoir) -> float:
    """Linear memory capacity above chance."""
    h5 = plan["h5"]
    return memory_capacity(reservoir, int(h5["memory_steps"]), int(h5["lags"]), seed=plan.seed).total


def use_finding(plan: Plan, found: Sequence[Score], memories: dict[str, float]) -> Finding | None:
    """H5: every chip beats every control that is asked for; p of a control from its interval of 99 %, taken as normal."""
    if not found:
        return None
    worst, gain, table = 0.0, np.inf, {}
    for number, score in enumerate(found):
        rows: dict[str, Any] = score.as_dict()
        for name, item in score.controls.items():
            if name in NOT_ASKED:
                continue
            half = max((item.high - item.low) / (2 * Z_99), 1e-12)
            worst = max(worst, float(norm.sf((item.high + item.low) / 2 / half)))
            gain = min(gain, item.high)
        table[f"chip {number}"] = rows
    figures = {
        "scores": table,
        "memory_capacity": memories,
        "asked": sorted(set(found[0].controls) - set(NOT_ASKED)),
    }
    met = {"every control is beaten with 99 %": all(score.useful for score in found)}
    return Finding(
        max(worst, 1e-300),
        max(0.0, float(gain)),
        "of the target's variance over the best control",
        figures,
        met,
    )
