"""Physics of a chip, part by part and each optional, and effects that are planted to see whether a test finds them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.reservoir.chip.delay import ErrorModel
from hwmodel.reservoir.chip.supply import SupplyNetwork, SupplyState
from hwmodel.reservoir.chip.thermal import FosterLadder, ThermalState
from hwmodel.reservoir.chips import ChipSpec

__all__ = ["Crystal", "Physics", "Planted", "Throttle"]

Floats = npt.NDArray[np.float64]
PPM_GRID = (
    10**9
)  # the rate of the crystal is kept to a thousandth of a ppm, so that it stays a short fraction
SECOND = 1e15


@dataclass(frozen=True)
class Crystal:
    """Error of the reference oscillator.

    Parameters:
        ppm: at the reference temperature. Estimate: within 20 for a cheap crystal.
        ppm_per_kelvin: change with the temperature of the air. Estimate.
        reference_celsius: 25 C.

    Example:
        >>> Crystal(ppm=10.0).factor(25.0)
        Fraction(100001, 100000)
    """

    ppm: float = 10.0
    ppm_per_kelvin: float = -0.04
    reference_celsius: float = 25.0

    def factor(self, celsius: float) -> Fraction:
        """True over nominal frequency, to a thousandth of a ppm."""
        ppm = self.ppm + self.ppm_per_kelvin * (celsius - self.reference_celsius)
        return 1 + Fraction(round(ppm * PPM_GRID * 1e-6), PPM_GRID)


@dataclass(frozen=True)
class Throttle:
    """What the firmware does when the die is too hot: looks at intervals, and steps voltage and frequency down.

    It does not step up again: that is left to whoever sets the chip.

    Parameters:
        celsius: limit; None for that of the chip.
        volts, hertz: size of a step. ESP-Miner 5c27713 steps by the order of 100 mV and 100 MHz.
        interval: seconds between two looks. Estimate: 2 s, the period of its power management task.
        lowest_volts, lowest_hertz: where it stops. Estimates.

    Raises:
        SpecError: an interval or a step that is not positive.
    """

    celsius: float | None = None
    volts: float = 0.1
    hertz: int = 100_000_000
    interval: float = 2.0
    lowest_volts: float = 0.8
    lowest_hertz: int = 50_000_000

    def __post_init__(self) -> None:
        if not (self.interval > 0 and self.volts >= 0 and self.hertz >= 0):
            raise SpecError(f"{self}: interval must be positive, the steps not negative")


@dataclass(frozen=True)
class Planted:
    """Effects that no chip has, for positive controls.

    Parameters:
        frequency, depth: the rate of results is modulated as 1 + depth sin(2 pi frequency t); the mean rate falls by
            1 / (1 + depth), for results are only taken away.
        burst_probability, burst_seconds, burst_error: time is cut into cells of burst_seconds; each is bad with this
            probability, and in a bad one hashes fail with probability burst_error besides all others.
        jitter: standard deviation of Gaussian delays of the results in seconds. They are cut at 4 deviations and moved
            by as much, so that no result is early.

    Raises:
        SpecError: a depth, probability or error outside of 0 to 1, or a negative time.

    Example:
        >>> Planted(frequency=2.4, depth=0.05).depth
        0.05
    """

    frequency: float = 0.0
    depth: float = 0.0
    burst_probability: float = 0.0
    burst_seconds: float = 1.0
    burst_error: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.depth, self.burst_probability, self.burst_error)
        if not all(0 <= share <= 1 for share in shares) or self.jitter < 0 or not self.burst_seconds > 0:
            raise SpecError(
                f"{self}: depth, probability and error go from 0 to 1, times must not be negative"
            )


@dataclass(frozen=True)
class Physics:
    """What to model besides the ideal chip; what is None is ideal.

    Parameters:
        errors: timing errors from voltage, temperature and frequency.
        supply: droop by R-L-C.
        thermal: temperature of the die over the air.
        crystal: error of the reference.
        throttle: firmware that reduces voltage and frequency.
        jitter: standard deviation of the clock edges in seconds. Estimate for a PLL: 1e-11; far below what is seen.
        job_pause: seconds for which the load is off when a job is taken up, which makes the supply ring. Estimate.
        idle_share: power without a job over that with one. Estimate.
        planted: effects for positive controls.

    Example:
        >>> from hwmodel.reservoir.chip.delay import ErrorModel
        >>> Physics(errors=ErrorModel()).thermal is None
        True
    """

    errors: ErrorModel | None = None
    supply: SupplyNetwork | None = None
    thermal: FosterLadder | None = None
    crystal: Crystal | None = None
    throttle: Throttle | None = None
    jitter: float = 0.0
    job_pause: float = 0.0
    idle_share: float = 0.15
    planted: Planted | None = None

    def __post_init__(self) -> None:
        if self.jitter < 0 or self.job_pause < 0 or not 0 <= self.idle_share <= 1:
            raise SpecError(
                f"Physics: jitter {self.jitter} and job_pause {self.job_pause} must not be negative, idle_share "
                f"{self.idle_share} goes from 0 to 1"
            )
        if self.throttle is not None and self.thermal is None:
            raise SpecError(
                "Physics(throttle=...): a throttle looks at the die; give thermal=FosterLadder() as well"
            )

    @property
    def undisturbed(self) -> bool:
        """Whether nothing but the counter decides which results come, and when; errors apart."""
        return not (self.delays or self.throttle or (self.planted and self.planted.depth))

    @property
    def delays(self) -> float:
        """Standard deviation of all delays of results, s."""
        planted = self.planted.jitter if self.planted else 0.0
        return float((self.jitter**2 + planted**2) ** 0.5)


class Conditions:
    """Voltage, temperature and frequency of a chip as functions of time, from what it was set to."""

    def __init__(self, spec: ChipSpec, physics: Physics, hertz: Fraction, volts: float, air: float) -> None:
        self._spec, self._physics = spec, physics
        self.hertz, self.volts, self.air = hertz, volts, air
        self.busy = False
        self.thermal = ThermalState(physics.thermal) if physics.thermal else None
        self.supply = SupplyState(physics.supply) if physics.supply else None
        self._current = self.power() / volts
        if self.thermal:
            self.thermal.settle(self.power())
        if self.supply:
            self.supply.settle(self._current)

    def power(self) -> float:
        """Power as it is set now, W: energy a hash at the default voltage, with the square of the voltage.

        Leakage, and with it the feedback of temperature on power, is not modelled.
        """
        spec = self._spec
        ratio = self.volts / (spec.voltage.value * 1e-3)
        full = spec.efficiency.value * 1e-12 * spec.hash_rate(float(self.hertz)) * ratio**2
        return full * (1.0 if self.busy else self._physics.idle_share)

    def change(self, t: int, pause: bool = False) -> None:
        """Let supply and die feel what was set at `t`; `pause` takes the load off for a while first."""
        power = self.power()
        if self.thermal:
            self.thermal.set(t, power)
        current = power / self.volts if self.volts > 0 else 0.0
        if self.supply:
            self.supply.forget(t)
            rest = int(self._physics.job_pause * SECOND) if pause else 0
            if rest:
                off = current * self._physics.idle_share
                self.supply.step(t, off - self._current)
                self.supply.step(t + rest, current - off)
            else:
                self.supply.step(t, current - self._current)
        self._current = current

    def volts_at(self, t: npt.NDArray[np.int64]) -> Floats:
        """Voltage at the chip, V."""
        return self.volts - self.supply.fall(t) if self.supply else np.full(t.shape, self.volts)

    def celsius_at(self, t: npt.NDArray[np.int64]) -> Floats:
        """Temperature of the die, C."""
        return self.air + self.thermal.rise(t) if self.thermal else np.full(t.shape, self.air)

    def error_probability(self, t: npt.NDArray[np.int64]) -> Floats:
        """Probability that a hash at these times is wrong."""
        errors = self._physics.errors
        if errors is None:
            return np.zeros(t.shape)
        return errors.probability(float(self.hertz), self.volts_at(t), self.celsius_at(t))

    def save(self) -> dict[str, Any]:
        """State as arrays."""
        numbers = [self.volts, self.air, float(self.busy), self._current]
        saved: dict[str, Any] = {
            "conditions": np.array(numbers),
            "hertz": np.array([self.hertz.numerator, self.hertz.denominator], np.int64),
        }
        if self.thermal:
            saved["thermal"] = self.thermal.save()
            saved["thermal_since"] = np.array([self.thermal.since], np.int64)
        if self.supply:
            saved["supply_times"], saved["supply_currents"] = self.supply.save()
        return saved

    def load(self, saved: Any) -> None:
        """Take up what `save` gave."""
        self.volts, self.air, busy, self._current = (float(x) for x in saved["conditions"])
        self.busy = bool(busy)
        self.hertz = Fraction(int(saved["hertz"][0]), int(saved["hertz"][1]))
        if self.thermal:
            self.thermal.load(saved["thermal_since"][0], saved["thermal"])
        if self.supply:
            self.supply.load(saved["supply_times"], saved["supply_currents"])
