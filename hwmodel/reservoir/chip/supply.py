"""The supply under a changing load: resistance and inductance to the regulator, capacitance at the chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import QueueOverflowError, SpecError
from hwmodel.units import format_time

__all__ = ["SupplyNetwork", "SupplyState"]

Floats = npt.NDArray[np.float64]
MAX_STEPS = 4096
SETTLED = 50.0  # time constants after which a double shows no more of a response than its end
FORGOTTEN = 60.0  # time constants after which a step of the load is part of the steady state


@dataclass(frozen=True)
class SupplyNetwork:
    """R and L in series to an ideal source, C at the chip.

    Parameters:
        resistance: ohm.
        inductance: henry.
        capacitance: farad.

    Raises:
        SpecError: a value that is not positive.

    Defaults are estimates: 1 mOhm, 0.2 nH and 100 uF ring at 1 MHz, within the span of tens of MHz for the die to
    100 kHz for the board.

    Example:
        >>> network = SupplyNetwork(resistance=1e-3)
        >>> round(float(network.droop(np.array([1.0]), 10.0)[0]), 6)  # long after a step of 10 A
        0.01
    """

    resistance: float = 1e-3
    inductance: float = 2e-10
    capacitance: float = 1e-4

    def __post_init__(self) -> None:
        if not all(value > 0 for value in (self.resistance, self.inductance, self.capacitance)):
            raise SpecError(f"{self}: resistance, inductance and capacitance must be positive")

    @property
    def damping(self) -> float:
        """Rate at which ringing decays, 1/s; that of the slower exponential where nothing rings."""
        alpha = self.resistance / (2 * self.inductance)
        square = 1 / (self.inductance * self.capacitance) - alpha**2
        return float(alpha if square >= 0 else alpha - (-square) ** 0.5)

    def droop(self, seconds: npt.ArrayLike, current: float | Floats) -> Floats:
        """Fall of the voltage after a step of the load current in A, V; 0 before the step.

        The response of (R + sL) / (1 + sRC + s**2 LC) to a step: it begins with slope I/C and ends at I R.
        """
        given = np.maximum(np.asarray(seconds, np.float64), 0.0)
        settled = given * self.damping > SETTLED
        t = given[~settled]
        r = self.resistance
        alpha = r / (2 * self.inductance)
        omega = np.sqrt(complex(1 / (self.inductance * self.capacitance) - alpha**2))
        if abs(omega) < 1e-9 * alpha:
            omega = complex(1e-9 * alpha)
        amplitude = (1 / self.capacitance - alpha * r) / omega
        # Two exponentials, not exp times cos: where nothing rings, cosh would pass all bounds.
        fast, slow = np.exp((-alpha + 1j * omega) * t), np.exp((-alpha - 1j * omega) * t)
        response = r - r * (fast + slow) / 2 + amplitude * (fast - slow) / 2j
        whole = np.full(given.shape, r)
        whole[~settled] = response.real
        return np.asarray(current * whole, np.float64)


class SupplyState:
    """Fall of a supply's voltage under all steps of its load so far.

    Example:
        >>> state = SupplyState(SupplyNetwork(resistance=1e-3))
        >>> state.step(0, 10.0)
        >>> round(float(state.fall(np.array([10**15]))[0]), 6)
        0.01
    """

    def __init__(self, network: SupplyNetwork) -> None:
        self.network = network
        self.steady = 0.0  # A, of steps long ago
        self._times: list[int] = []
        self._currents: list[float] = []

    def settle(self, current: float) -> None:
        """Begin as if the current had been there for ever."""
        self.steady = current

    def step(self, t: int, change: float) -> None:
        """Change the load by so many A at `t` fs, which may lie ahead.

        Raises:
            QueueOverflowError: more than 4096 steps that have not yet decayed.
        """
        if change:
            at = len(self._times)
            while at and self._times[at - 1] > t:
                at -= 1
            self._times.insert(at, t)
            self._currents.insert(at, change)
        if len(self._times) > MAX_STEPS:
            raise QueueOverflowError(
                f"supply: more than {MAX_STEPS} steps of the load still ring at t = {format_time(t)}; change it less often"
            )

    def forget(self, t: int) -> None:
        """Make steps that have decayed by `t` part of the steady state."""
        long = int(FORGOTTEN / self.network.damping * 1e15) + 1
        while self._times and self._times[0] + long < t:
            self.steady += self._currents.pop(0)
            self._times.pop(0)

    def fall(self, t: npt.ArrayLike) -> Floats:
        """Fall of the voltage at times in fs, V, shape (n,)."""
        times = np.asarray(t, np.int64)
        total = np.full(times.shape, self.steady * self.network.resistance)
        for when, current in zip(self._times, self._currents, strict=True):
            total = total + self.network.droop((times - when) * 1e-15, current)
        return total

    def save(self) -> tuple[Any, Floats]:
        """Times, and the steady current with the steps, as two arrays."""
        return np.array(self._times, np.int64), np.array([self.steady, *self._currents])

    def load(self, times: Any, currents: Any) -> None:
        """Take up what `save` gave."""
        self._times = [int(t) for t in times]
        self.steady, self._currents = float(currents[0]), [float(c) for c in currents[1:]]
