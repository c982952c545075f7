"""Numbers of the parts that a rate-coded network adds to the cell library, each with unit and source.

The comparator was characterised by a circuit simulation with thermal noise; what it does was not taken from a
publication. Two sets are kept because the noise bandwidth that the circuit simulator is told changes the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hwmodel.errors import unknown
from hwmodel.sfq.pulse.timing import Quantity

__all__ = [
    "COMPARATOR_1THZ",
    "COMPARATOR_10THZ",
    "DEFAULT_COMPARATOR",
    "Comparator",
    "Point",
    "Quantity",
    "comparator",
    "comparators",
]

_JOSIM: Final = "JoSIM 2.7 (commit 02a34ee), seven-junction balanced comparator, 10 GHz clock, step 0.05 ps, 500 pulses a point"
_DECK: Final = "sum over the deck of the JoSIM run, junction area 1 = 100 uA"
_RCSJ: Final = "own noise-free RCSJ integration of the deck of the JoSIM run (Runge-Kutta, step 0.02 ps)"


@dataclass(frozen=True)
class Point:
    """One measured point of a firing curve: `probability` of `pulses` clock pulses fired at `current_ua`."""

    current_ua: float
    probability: float
    pulses: int

    @property
    def standard_error(self) -> float:
        """Binomial standard error of the probability, by Laplace's rule, so that it is not 0 at 0 and 1."""
        smooth = (self.probability * self.pulses + 1.0) / (self.pulses + 2.0)
        return math.sqrt(smooth * (1.0 - smooth) / self.pulses)


@dataclass(frozen=True)
class Comparator:
    """A clocked Josephson comparator as a stochastic synapse: firing curve, size, delays, energy.

    P(fire | I) = Phi((I - mu) / sigma), with I the injected bias current and Phi the normal distribution function.

    Parameters
    ----------
    name:
        By which `comparators` finds it.
    mu, sigma:
        Centre and width of the grey zone, uA, at `temperature`.
    temperature:
        K, at which the curve was taken.
    noise_bandwidth:
        Hz, of the noise sources in the circuit simulation.
    lowest, highest:
        uA, the range of current that was characterised, and that training may use.
    points:
        The simulated curve.
    jj, total_ic, bias, switched_fire, switched_block:
        Junctions; sum of critical currents, of bias currents (without the weight's own), and of the critical currents
        that slip where a pulse passes and where it is blocked, all uA.
    delay, delay_complement, hold:
        ps; from the pulse to `q`, to the complementary output, and the shortest distance of two pulses.
    jj_complement:
        Junctions that the complementary output adds.
    """

    name: str
    mu: Quantity
    sigma: Quantity
    temperature: Quantity
    noise_bandwidth: Quantity
    lowest: Quantity
    highest: Quantity
    points: tuple[Point, ...]
    jj: Quantity = Quantity(7, "1", _DECK)
    total_ic: Quantity = Quantity(1290.0, "uA", _DECK)
    bias: Quantity = Quantity(760.0, "uA", _DECK)
    switched_fire: Quantity = Quantity(
        1190.0, "uA", f"{_RCSJ}: three clock junctions, decision, two output junctions"
    )
    switched_block: Quantity = Quantity(
        850.0, "uA", f"{_RCSJ}: three clock junctions and the escape junction"
    )
    delay: Quantity = Quantity(
        8.1, "ps", f"{_RCSJ}: first to last junction at 84 uA; 7.4 at 88 uA, 9.1 at 82 uA"
    )
    delay_complement: Quantity = Quantity(8.1, "ps", "estimate: an output line like that of q")
    hold: Quantity = Quantity(
        20.0, "ps", f"{_RCSJ}: closer pulses are delayed by more than 0.05 ps, or below 12 ps lost"
    )
    jj_complement: Quantity = Quantity(2, "1", "estimate: an output line like that of q")


def _curve(points: Mapping[float, float], pulses: int) -> tuple[Point, ...]:
    return tuple(Point(current, probability, pulses) for current, probability in points.items())


COMPARATOR_1THZ: Final = Comparator(
    name="josim_1thz",
    mu=Quantity(81.32, "uA", f"fit to {_JOSIM}, seed 12345; rms residual 0.008"),
    sigma=Quantity(2.20, "uA", f"fit to {_JOSIM}, seed 12345; rms residual 0.008"),
    temperature=Quantity(4.2, "K", _JOSIM),
    noise_bandwidth=Quantity(1e12, "Hz", _JOSIM),
    lowest=Quantity(74.0, "uA", f"lowest current of {_JOSIM}"),
    highest=Quantity(88.0, "uA", f"highest current of {_JOSIM}"),
    points=_curve(
        {
            74.0: 0.0,
            75.0: 0.008,
            76.0: 0.016,
            77.0: 0.036,
            78.0: 0.072,
            79.0: 0.138,
            80.0: 0.284,
            81.0: 0.426,
            82.0: 0.63,
            83.0: 0.772,
            84.0: 0.898,
            85.0: 0.95,
            86.0: 0.98,
            88.0: 1.0,
        },
        pulses=500,
    ),
)
"""Noise bandwidth 1 THz: the default."""

COMPARATOR_10THZ: Final = Comparator(
    name="josim_10thz",
    mu=Quantity(81.20, "uA", f"fit to {_JOSIM}, seed 999; rms residual 0.009"),
    sigma=Quantity(3.16, "uA", f"fit to {_JOSIM}, seed 999; rms residual 0.009"),
    temperature=Quantity(4.2, "K", _JOSIM),
    noise_bandwidth=Quantity(1e13, "Hz", _JOSIM),
    lowest=Quantity(76.0, "uA", f"lowest current of {_JOSIM}"),
    highest=Quantity(86.0, "uA", f"highest current of {_JOSIM}"),
    points=_curve(
        {
            76.0: 0.062,
            77.0: 0.104,
            78.0: 0.144,
            79.0: 0.234,
            80.0: 0.36,
            81.0: 0.48,
            82.0: 0.586,
            83.0: 0.722,
            84.0: 0.812,
            85.0: 0.886,
            86.0: 0.944,
        },
        pulses=500,
    ),
)
"""Noise bandwidth 10 THz. The interpolated noise of the simulator loses power near the plasma frequency at 1 THz, so
the same junctions look noisier here: sigma is 44 % larger. White noise would be wider still."""

DEFAULT_COMPARATOR: Final = COMPARATOR_1THZ

comparators: Final[Mapping[str, Comparator]] = MappingProxyType(
    {item.name: item for item in (COMPARATOR_1THZ, COMPARATOR_10THZ)}
)
"""The parameter sets by name."""

COUNTER_JJ = Quantity(7, "1", "estimate: an RSFQ D flip-flop")
COUNTER_JJ_PER_LEVEL = Quantity(2, "1", "estimate: one more storing junction pair for each further fluxon")
COUNTER_JJ_RESET = Quantity(4, "1", "estimate: the difference between the NDRO and the DFF of RSFQlib v3p0")
COUNTER_DELAY = Quantity(6.3, "ps", "estimate: delay of the DFF of RSFQlib v3p0")
COUNTER_SET_SET = Quantity(5.2, "ps", "estimate: an input junction pair of RSFQlib v3p0 (XOR b-b)")
COUNTER_SET_CLK = Quantity(2.9, "ps", "estimate: the set-up of the OR2 of RSFQlib v3p0")
COUNTER_CLK_SET = Quantity(0.4, "ps", "estimate: the hold of the DFF of RSFQlib v3p0")
COUNTER_SET_RESET = Quantity(0.9, "ps", "estimate: the NDRO of RSFQlib v3p0, a-b")
COUNTER_RESET_SET = Quantity(1.9, "ps", "estimate: the NDRO of RSFQlib v3p0, b-a")


def comparator(name: str) -> Comparator:
    """The parameter set of that name.

    Raises
    ------
    UnknownNameError
        No such set; the message names those there are.

    Example
    -------
    >>> comparator("josim_1thz").sigma.value
    2.2
    """
    if name not in comparators:
        raise unknown("comparator parameter set", name, comparators)
    return comparators[name]
