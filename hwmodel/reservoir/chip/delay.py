"""Gate delay against voltage and temperature, and what too little of it does to a hash."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError

__all__ = ["AlphaPowerDelay", "DelayModel", "EkvDelay", "ErrorModel", "PathHistogram"]

Floats = npt.NDArray[np.float64]

BOLTZMANN_OVER_CHARGE = 8.617333262e-5
"""k/q in V/K, CODATA 2018."""
ZERO_CELSIUS = 273.15
ROOM = 300.0
MAX_PATHS = 4096


class DelayModel(Protocol):
    """Delay of a gate in arbitrary units."""

    def delay(self, volts: npt.ArrayLike, celsius: npt.ArrayLike) -> Floats:
        """Delay at a gate voltage and a temperature; infinite where the gate does not switch."""
        ...


@dataclass(frozen=True)
class EkvDelay:
    """Delay C V / I with the drain current of the EKV model, which holds below and above threshold.

    I = 2 n b phi**2 ln(1 + exp((V - Vt) / (2 n phi)))**2 with phi = kT/q (Enz, Krummenacher, Vittoz, Analog Integr.
    Circuits Signal Process. 8, 1995, saturation). b falls with temperature as the mobility does, and so does Vt: near
    threshold the second wins, and a hot gate is faster than a cold one.

    Parameters:
        threshold: Vt at 300 K, V. Estimate.
        slope: n. Estimate.
        threshold_drift: fall of Vt, V/K. Estimate: the usual range is 0.5 to 1 mV/K.
        mobility_exponent: of T in the mobility. Estimate: -1.5, lattice scattering.

    Raises:
        SpecError: a slope below 1.

    Example:
        >>> gate = EkvDelay()
        >>> bool(gate.delay(0.30, 80.0) < gate.delay(0.30, 30.0)), bool(gate.delay(0.9, 80.0) > gate.delay(0.9, 30.0))
        (True, True)
    """

    threshold: float = 0.22
    slope: float = 1.3
    threshold_drift: float = 0.8e-3
    mobility_exponent: float = -1.5

    def __post_init__(self) -> None:
        if not self.slope >= 1:
            raise SpecError(f"EkvDelay(slope={self.slope}): give 1 or more")

    def current(self, volts: npt.ArrayLike, celsius: npt.ArrayLike) -> Floats:
        """Drain current in units of that of b = 1 A/V**2 at 300 K."""
        kelvin = np.asarray(celsius, np.float64) + ZERO_CELSIUS
        phi = BOLTZMANN_OVER_CHARGE * kelvin
        over = np.asarray(volts, np.float64) - (self.threshold - self.threshold_drift * (kelvin - ROOM))
        root = np.logaddexp(0.0, over / (2 * self.slope * phi))
        mobility = (kelvin / ROOM) ** self.mobility_exponent
        return np.asarray(2 * self.slope * mobility * phi**2 * root**2, np.float64)

    def delay(self, volts: npt.ArrayLike, celsius: npt.ArrayLike) -> Floats:
        """Delay C V / I for C = 1; infinite at and below 0 V. Below some 1.2 n kT/q it rises with V, as C V does."""
        given = np.asarray(volts, np.float64)
        current = self.current(given, celsius)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((given > 0) & (current > 0), given / current, np.inf)


@dataclass(frozen=True)
class AlphaPowerDelay:
    """Delay k C V / (V - Vt)**a of Sakurai and Newton (IEEE JSSC 25, 1990); infinite at and below threshold.

    Parameters:
        threshold: Vt at 300 K, V. Estimate.
        alpha: a. Estimate: 1.2 to 1.4 for short channels.
        threshold_drift: fall of Vt, V/K. Estimate.
        mobility_exponent: of T in the mobility. Estimate.

    Example:
        >>> bool(np.isinf(AlphaPowerDelay().delay(0.2, 25.0)))
        True
    """

    threshold: float = 0.22
    alpha: float = 1.3
    threshold_drift: float = 0.8e-3
    mobility_exponent: float = -1.5

    def delay(self, volts: npt.ArrayLike, celsius: npt.ArrayLike) -> Floats:
        """Delay for k C = 1 at 300 K."""
        kelvin = np.asarray(celsius, np.float64) + ZERO_CELSIUS
        given = np.asarray(volts, np.float64)
        over = given - (self.threshold - self.threshold_drift * (kelvin - ROOM))
        mobility = (kelvin / ROOM) ** self.mobility_exponent
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(over > 0, given / (mobility * np.maximum(over, 1e-300) ** self.alpha), np.inf)


@dataclass(frozen=True)
class PathHistogram:
    """Paths of a round that are active in a hash: their depth over that of the longest, and how many there are.

    Parameters:
        depths: above 0 and up to 1.
        counts: active paths of that depth in a round, shape as `depths`.
        rounds: rounds of a hash.
        source: where the table is from.

    Raises:
        SpecError: empty or unequal lists, a depth outside of 0 to 1, a negative count, no rounds.

    Example:
        >>> PathHistogram((0.5, 1.0), (100, 10)).rounds
        128
    """

    depths: tuple[float, ...] = (0.70, 0.80, 0.88, 0.94, 1.0)
    counts: tuple[float, ...] = (120.0, 60.0, 24.0, 8.0, 2.0)
    rounds: int = 128
    source: str = "estimate: carry chains of a 32-bit round, the longest of them seldom active"

    def __post_init__(self) -> None:
        fits = 1 <= len(self.depths) == len(self.counts) <= MAX_PATHS and self.rounds >= 1
        if not fits or not all(0 < d <= 1 for d in self.depths) or not all(c >= 0 for c in self.counts):
            raise SpecError(
                f"PathHistogram({self.source}): give 1 to {MAX_PATHS} depths above 0 and up to 1 with a count each"
            )

    @classmethod
    def of_levels(
        cls, levels: Sequence[float], counts: Sequence[float], rounds: int = 128, source: str = ""
    ) -> PathHistogram:
        """A histogram over gate levels, such as that of a netlist.

        Example:
            >>> PathHistogram.of_levels([5, 10], [3, 1], source="netlist").depths
            (0.5, 1.0)
        """
        pairs = [
            (float(level), float(count)) for level, count in zip(levels, counts, strict=True) if level > 0
        ]
        if not pairs:
            raise SpecError("PathHistogram.of_levels: no level above 0")
        deepest = max(level for level, _ in pairs)
        return cls(
            tuple(level / deepest for level, _ in pairs),
            tuple(count for _, count in pairs),
            rounds,
            source or "given levels",
        )

    @classmethod
    def from_rtl(cls) -> PathHistogram:
        """The histogram of the generated pipeline with prefix adders, as `rtl_paths.path_histogram` found it.

        Its longest path is active once in thousands of rounds, so an `ErrorModel` of it wants a lower `limit` than one
        of the default estimate for the same onset of errors.

        Example:
            >>> table = PathHistogram.from_rtl()
            >>> table.depths[-1], round(sum(table.counts))
            (1.0, 91)
        """
        from hwmodel.reservoir import _path_table as table

        return cls.of_levels(table.LEVELS, table.COUNTS, source=table.SOURCE)


@dataclass(frozen=True)
class ErrorModel:
    """Probability that a hash is wrong: 1 - product of (1 - p) over all active paths of all rounds.

    The delay of a path is Gaussian about depth times unit delay, so p = Q((period - mean) / (spread mean)). Errors
    invalidate hashes; they never move a clock edge.

    Parameters:
        delay: of a gate.
        paths: histogram of active paths.
        limit: frequency in Hz at which the mean of the longest path just fits, at the reference point. Estimate:
            about twice the chip's default, so that errors begin near 1.05 V at the default clock and 25 C.
        reference_volts, reference_celsius: the reference point, chip voltage and temperature.
        tiers: chip voltage over gate voltage, from stacked supply tiers. Estimate: 4, one a domain.
        spread: standard deviation of a path's delay over its mean. Estimate.

    Raises:
        SpecError: a parameter that is not positive, or a reference point at which gates do not switch.

    Example:
        >>> model = ErrorModel()
        >>> [bool(model.probability(485e6, volts, 60.0) < 0.5) for volts in (1.2, 0.9)]
        [True, False]
    """

    delay: DelayModel = EkvDelay()
    paths: PathHistogram = PathHistogram()
    limit: float = 900e6
    reference_volts: float = 1.2
    reference_celsius: float = 25.0
    tiers: float = 4.0
    spread: float = 0.05

    def __post_init__(self) -> None:
        if not (self.limit > 0 and self.tiers > 0 and self.spread > 0):
            raise SpecError(
                f"ErrorModel: limit {self.limit}, tiers {self.tiers} and spread {self.spread} must be positive"
            )
        if not math.isfinite(self._reference()):
            raise SpecError(
                f"ErrorModel: gates do not switch at {self.reference_volts / self.tiers:g} V; raise reference_volts, "
                "use fewer tiers, or take EkvDelay, which holds below threshold"
            )

    def _reference(self) -> float:
        return float(self.delay.delay(self.reference_volts / self.tiers, self.reference_celsius))

    def slack(self, frequency: npt.ArrayLike, volts: npt.ArrayLike, celsius: npt.ArrayLike) -> Floats:
        """Clock period over the mean delay of the longest path, without unit; arrays are broadcast."""
        unit = self.delay.delay(np.asarray(volts, np.float64) / self.tiers, celsius) / self._reference()
        return np.asarray(self.limit / np.asarray(frequency, np.float64) / unit, np.float64)

    def probability(self, frequency: npt.ArrayLike, volts: npt.ArrayLike, celsius: npt.ArrayLike) -> Floats:
        """Probability that a hash is wrong, 0 to 1; arrays are broadcast."""
        from hwmodel.reservoir.chip import _kernels as k

        slack = np.atleast_1d(self.slack(frequency, volts, celsius))
        out: Any = np.empty(slack.size)
        depths, counts = np.array(self.paths.depths), np.array(self.paths.counts) * self.paths.rounds
        k.error_probability(np.ascontiguousarray(slack).ravel(), depths, counts, self.spread, out)
        shape = np.broadcast_shapes(np.shape(frequency), np.shape(volts), np.shape(celsius))
        return np.asarray(out.reshape(shape), np.float64)
