"""The stochastic synapse: a comparator whose bias current sets the probability that a pulse passes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.sfq.neuro._normal import normal_cdf, normal_pdf, probit
from hwmodel.sfq.neuro.device import DEFAULT_COMPARATOR, Comparator
from hwmodel.sfq.pulse import Cell, Hold, Transition
from hwmodel.sfq.pulse.timing import BIAS_VOLTAGE
from hwmodel.units import ps

__all__ = ["BiasSetting", "Synapse", "synapse_cell"]

Array = npt.NDArray[np.float64]

# A grid point at the edge of the range may miss it by the rounding of a double; this much is not outside, uA.
_EDGE = 1e-9


@dataclass(frozen=True)
class BiasSetting:
    """Bias currents that a device can really be given, and what became of the wish.

    Parameters
    ----------
    current_ua:
        uA, any shape.
    weight:
        The probability that the current gives.
    clipped:
        True where the wish lay outside the allowed range and its edge was taken.
    """

    current_ua: Array
    weight: Array
    clipped: npt.NDArray[np.bool_]

    @property
    def clipped_count(self) -> int:
        """How many currents were clipped."""
        return int(np.count_nonzero(self.clipped))


@dataclass(frozen=True)
class Synapse:
    """Firing probability against bias current and temperature, and its inverse.

    Parameters
    ----------
    comparator:
        The parameter set.
    temperature_k:
        K, greater than 0. sigma goes with the square root of the temperature (an estimate: thermal noise only; below
        about 1 K quantum noise keeps it up).

    Source
    ------
    The curve is the fit named in the parameter set.

    Raises
    ------
    SpecError
        Where the temperature is not a positive number.

    Example
    -------
    >>> synapse = Synapse()
    >>> synapse.probability([79.12, 81.32, 83.52]).round(3).tolist()
    [0.159, 0.5, 0.841]
    >>> synapse.current(0.5).current_ua.round(2).item()
    81.32
    """

    comparator: Comparator = DEFAULT_COMPARATOR
    temperature_k: float = 4.2

    def __post_init__(self) -> None:
        if not isinstance(self.comparator, Comparator):
            raise SpecError(
                f"synapse: comparator={self.comparator!r} must be a Comparator; comparator('josim_1thz') gives one"
            )
        if isinstance(self.temperature_k, bool) or not isinstance(self.temperature_k, int | float):
            raise SpecError(f"synapse: temperature_k={self.temperature_k!r} must be a number of kelvin")
        if not 0.0 < self.temperature_k < math.inf:
            raise SpecError(
                f"synapse: temperature_k={self.temperature_k!r} must be greater than 0; without noise a comparator is "
                "a switch and not a synapse"
            )

    @property
    def mu_ua(self) -> float:
        """Current at which half the pulses pass, uA."""
        return self.comparator.mu.value

    @property
    def sigma_ua(self) -> float:
        """Width of the grey zone at this temperature, uA."""
        return self.comparator.sigma.value * math.sqrt(self.temperature_k / self.comparator.temperature.value)

    @property
    def grey_zone_ua(self) -> float:
        """Width of the linear extrapolation of the curve at its centre, sqrt(2 pi) sigma, uA."""
        return math.sqrt(2.0 * math.pi) * self.sigma_ua

    @property
    def range_ua(self) -> tuple[float, float]:
        """The allowed bias currents, uA: the range that was characterised."""
        return self.comparator.lowest.value, self.comparator.highest.value

    def probability(self, current_ua: Any) -> Array:
        """P(fire) at bias currents of any shape, uA."""
        return normal_cdf(self._z(current_ua))

    def slope(self, current_ua: Any) -> Array:
        """dP/dI at bias currents of any shape, 1/uA."""
        return normal_pdf(self._z(current_ua)) / self.sigma_ua

    def current(self, weight: Any, resolution_ua: float | None = None) -> BiasSetting:
        """The bias current for a weight, clipped to the allowed range and, where asked, on a grid.

        Parameters
        ----------
        weight:
            Probabilities from 0 to 1, any shape.
        resolution_ua:
            Step of the current source, uA; None: continuous.

        Raises
        ------
        SpecError
            A weight outside 0 to 1, or a resolution that leaves no grid point in the range.
        """
        weights = np.asarray(weight, dtype=np.float64)
        bad = ~((weights >= 0.0) & (weights <= 1.0))
        if bad.any():
            raise SpecError(f"synapse: weight={weights[bad].flat[0]!r} must be a probability, from 0 to 1")
        wish = self.mu_ua + self.sigma_ua * probit(weights)
        return self.setting(wish, resolution_ua)

    def setting(self, current_ua: Any, resolution_ua: float | None = None) -> BiasSetting:
        """Bring bias currents, uA, into the allowed range and onto the grid of multiples of `resolution_ua`."""
        wish = np.asarray(current_ua, dtype=np.float64)
        if np.isnan(wish).any():
            raise SpecError("synapse: a bias current is not a number")
        lowest, highest = self.range_ua
        kept = np.clip(wish, lowest, highest)
        if resolution_ua is not None:
            first, last = self.grid(resolution_ua)
            kept = np.clip(np.rint(kept / resolution_ua), first, last) * resolution_ua
        clipped = (wish < lowest - _EDGE) | (wish > highest + _EDGE)
        return BiasSetting(kept, self.probability(kept), np.asarray(clipped))

    def grid(self, resolution_ua: float) -> tuple[int, int]:
        """First and last multiple of `resolution_ua`, uA, that lies in the allowed range."""
        lowest, highest = self.range_ua
        if (
            isinstance(resolution_ua, bool)
            or not isinstance(resolution_ua, int | float)
            or not 0.0 < resolution_ua < math.inf
        ):
            raise SpecError(f"synapse: resolution_ua={resolution_ua!r} must be a number of uA greater than 0")
        first = math.ceil((lowest - _EDGE) / resolution_ua)
        last = math.floor((highest + _EDGE) / resolution_ua)
        if first > last:
            raise SpecError(
                f"synapse: resolution_ua={resolution_ua!r} has no multiple between {lowest:g} and {highest:g} uA; "
                f"use at most {highest - lowest:g}"
            )
        return first, last

    def cell(self, complementary: bool = False) -> Cell:
        """The synapse as a pulse cell; see `synapse_cell`."""
        return synapse_cell(self.comparator, complementary)

    def _z(self, current_ua: Any) -> Array:
        return (np.asarray(current_ua, dtype=np.float64) - self.mu_ua) / self.sigma_ua


def synapse_cell(comparator: Comparator = DEFAULT_COMPARATOR, complementary: bool = False) -> Cell:
    """The comparator as a pulse cell: a pulse at `a` gives one at `q` with the probability of the instance.

    Parameters
    ----------
    comparator:
        The parameter set; only sizes, delays and energies enter here, the weight belongs to the instance.
    complementary:
        True: a pulse that does not pass leaves at a second output `qn` (an estimate; its output line adds junctions).
    Example
    -------
    >>> cell = synapse_cell()
    >>> cell.jj, cell.step("0", "a").fires["q"]
    (7, ps(8.1))
    """
    extra = int(comparator.jj_complement.value) if complementary else 0
    share = (1.0 + extra / comparator.jj.value) if complementary else 1.0
    step = Transition(
        next="0",
        fires={"q": ps(comparator.delay.value)},
        probability=True,
        else_fires={"qn": ps(comparator.delay_complement.value)} if complementary else {},
        switched_ic_ua=comparator.switched_fire.value * share,
        else_switched_ic_ua=comparator.switched_block.value * share,
    )
    return Cell(
        name="synapse_dual" if complementary else "synapse",
        inputs=("a",),
        outputs=("q", "qn") if complementary else ("q",),
        states=("0",),
        transitions={("0", "a"): step},
        holds=(Hold("0", "a", "a", ps(comparator.hold.value)),),
        jj=int(comparator.jj.value) + extra,
        total_ic_ua=comparator.total_ic.value * share,
        bias_ua=comparator.bias.value * share,
        bias_mv=BIAS_VOLTAGE.value,
        source=f"{comparator.jj.source}; {comparator.delay.source}",
        clock=None,
    )
