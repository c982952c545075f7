"""A hashing chip as a reservoir: an input sets its clock, its voltage or its job, and its results are counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, unknown
from hwmodel.reservoir.tasks._networks import series
from hwmodel.reservoir.tasks._types import Floats
from hwmodel.units import MAX_TIME, Frequency, Time, TimeLike, s, to_fs

if TYPE_CHECKING:
    from hwmodel.reservoir.chip import ChipModel
    from hwmodel.reservoir.job import Job

__all__ = ["FEATURES", "ChipReservoir"]

FEATURES = ("count", "invalid", "first", "last")
"""Results in a step, those that are not valid, and when the first and the last came, as shares of the step."""

MODULATED = ("frequency", "voltage", "job")
JOBS = 128


@dataclass(frozen=True)
class ChipReservoir:
    """Results of a chip, counted step by step, while an input modulates one of its settings.

    Frequency and voltage are multiplied by 1 + depth u. With "job" the input goes into what is hashed instead, as a
    coinbase text does. The other jobs are fresh random headers, a new one every `job_steps`: a job that goes on for
    ever comes back to its first version and repeats itself.

    Parameters:
        chip: makes the chip, anew for each run; without physics it is the ideal chip.
        modulate: "frequency", "voltage" or "job".
        depth: relative change for an input of 1.
        step: time of one input.
        features: of `FEATURES`; all are numbers a step.
        job_steps: steps that a job lasts.
        label: name for tables.
        seed: of the headers.

    Raises:
        SpecError: a step or depth out of its range, or no features.
        UnknownNameError: a setting or feature that does not exist.

    Example:
        >>> from hwmodel.reservoir.chip import ChipModel
        >>> chip = ChipReservoir(lambda: ChipModel(pll=False))
        >>> chip.run(np.array([-1.0, 1.0, -1.0]))[:, 0].round(-1)  # 80 and 120 % of 101 a second
        array([ 70., 120.,  90.])
    """

    chip: Callable[[], ChipModel]
    modulate: Literal["frequency", "voltage", "job"] = "frequency"
    depth: float = 0.2
    step: TimeLike = s(1)
    features: tuple[str, ...] = ("count",)
    job_steps: int = 60
    label: str = "chip"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", Time(to_fs(self.step, "ChipReservoir(step)")))
        if int(self.step) <= 0 or not 0 <= self.depth < 1 or self.job_steps < 1 or not self.features:
            raise SpecError(
                f"ChipReservoir(step={self.step}, depth={self.depth}, job_steps={self.job_steps}, "
                f"features={self.features}): give a step above 0, a depth of 0 to 1, a step a job or more, and a feature"
            )
        if self.modulate not in MODULATED:
            raise unknown("setting", self.modulate, MODULATED)
        for name in self.features:
            if name not in FEATURES:
                raise unknown("feature", name, FEATURES)

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.label}, {self.modulate}"

    @property
    def events(self) -> float:
        """Mean results a step without input."""
        model = self.chip()
        hashes = sum(float(place.hashes()) for place in model.places)
        batches = int(self.step) / float(model.batch_period)
        return hashes * batches * 2.0**-model.oracle.zero_bits / model.ticket_mask

    def run(self, inputs: Floats) -> Floats:
        """One row of features a step.

        Raises:
            SpecError: an input that would stop the chip, or a run beyond 9,223 s.
        """
        u = series(inputs, "ChipReservoir.run")
        if self.modulate != "job" and float(np.abs(u).max()) * self.depth >= 1.0:
            raise SpecError(
                f"ChipReservoir(depth={self.depth}).run: an input of {np.abs(u).max():g} would stop the chip; "
                "scale it to at most 1"
            )
        if len(u) * int(self.step) > MAX_TIME:
            raise SpecError(
                f"ChipReservoir(step={self.step}).run: {len(u)} steps are beyond 9,223 s; take shorter steps, and more "
                "chips for as many results"
            )
        model, step = self.chip(), int(self.step)
        base, volts = model.frequency.hz, model.voltage
        rows = np.zeros((len(u), len(self.features)))
        for n, value in enumerate(u.tolist()):
            now = Time(n * step)
            if self.modulate == "frequency":
                model.set_frequency(
                    now, Frequency(base * Fraction(1.0 + self.depth * value).limit_denominator(10**6))
                )
            elif self.modulate == "voltage":
                model.set_voltage(now, volts * (1.0 + self.depth * value))
            if self.modulate == "job" or n % self.job_steps == 0:
                model.set_job(now, self._job(n, value))
            hits = model.run(Time((n + 1) * step))
            rows[n] = [self._feature(name, hits, n * step) for name in self.features]
        return rows

    def _job(self, number: int, value: float) -> Job:
        from hwmodel.reservoir.job import Job

        what = float(value).hex() if self.modulate == "job" else str(number)
        merkle = hashlib.sha256(f"{self.seed} {what}".encode()).digest()
        return Job(8 * (number % 16) % JOBS, 0x20000000, bytes(32), merkle, 0, 0x1D00FFFF)

    def _feature(self, name: str, hits: npt.NDArray[Any], start: int) -> float:
        if name == "count":
            return float(len(hits))
        if name == "invalid":
            return float((~hits["valid"]).sum())
        if not len(hits):
            return 1.0 if name == "first" else 0.0
        return (int(hits["t"][0 if name == "first" else -1]) - start) / int(self.step)
