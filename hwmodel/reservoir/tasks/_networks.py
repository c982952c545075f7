"""Reservoirs in software: an echo-state network, a node with delayed feedback, plain taps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.reservoir.tasks._types import Floats

__all__ = ["DelayFeedback", "EchoStateNetwork", "Taps"]

MOST_UNITS = 20_000
SETTLE_STEPS, GROWTH_STEPS = 300, 700


def series(inputs: Floats, where: str) -> Floats:
    """Check an input series: one dimension and finite."""
    array = np.ascontiguousarray(inputs, np.float64)
    if array.ndim != 1 or len(array) == 0 or not np.isfinite(array).all():
        raise SpecError(f"{where}: inputs of shape {array.shape}; give one finite value a step")
    return array


@dataclass(frozen=True)
class EchoStateNetwork:
    """Leaky tanh units with sparse random connections.

    Parameters:
        units: number of states.
        radius: spectral radius of the connections.
        scale: inputs are weighted by uniform numbers up to this.
        bias: each unit has a uniform constant up to this; without one a symmetric input gives no even terms.
        leak: 1 for units without memory of their own.
        connections: other units that each one hears.
        seed: of all weights.

    Source: Jaeger 2001, GMD report 148.

    Raises:
        SpecError: a parameter out of its range.

    Example:
        >>> EchoStateNetwork(50).run(np.zeros(3)).shape
        (3, 50)
    """

    units: int = 500
    radius: float = 0.99
    scale: float = 0.05
    bias: float = 0.3
    leak: float = 1.0
    connections: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.units <= MOST_UNITS:
            raise SpecError(f"EchoStateNetwork(units={self.units}): give 1 to {MOST_UNITS}")
        if not 1 <= self.connections <= self.units:
            raise SpecError(f"EchoStateNetwork(connections={self.connections}): give 1 to units={self.units}")
        if not (0 <= self.radius <= 10 and 0 < self.leak <= 1 and self.scale >= 0 and self.bias >= 0):
            raise SpecError(
                f"EchoStateNetwork(radius={self.radius}, leak={self.leak}, scale={self.scale}, bias={self.bias}): "
                "give a radius of 0 to 10, a leak above 0 and at most 1, and no negative weights"
            )

    @property
    def name(self) -> str:
        """For tables."""
        return f"echo-state network of {self.units}"

    @cached_property
    def _weights(self) -> tuple[npt.NDArray[np.int64], Floats, Floats, Floats]:
        rng = np.random.default_rng([self.seed, self.units, self.connections])
        columns = np.argsort(rng.random((self.units, self.units)), axis=1)[:, : self.connections].copy()
        weights = rng.uniform(-1.0, 1.0, columns.shape)
        found = spectral_radius(columns, weights)
        weights *= self.radius / found if found else 0.0
        return columns, weights, rng.uniform(-1.0, 1.0, self.units), rng.uniform(-1.0, 1.0, self.units)

    def run(self, inputs: Floats) -> Floats:
        """States of shape (T, units); they begin at 0."""
        from hwmodel.reservoir.tasks._kernels import echo_states

        u = series(inputs, "EchoStateNetwork.run")
        columns, weights, into, constant = self._weights
        drive = np.multiply.outer(u, self.scale * into) + self.bias * constant
        starts = np.arange(0, weights.size + 1, self.connections, dtype=np.int64)
        states = np.empty((len(u), self.units))
        echo_states(
            starts, columns.ravel(), weights.ravel(), drive, float(self.leak), np.zeros(self.units), states
        )
        return states


def spectral_radius(columns: npt.NDArray[np.int64], weights: Floats) -> float:
    """Greatest absolute eigenvalue, to about 1e-3, of a matrix given by its rows' columns and weights.

    It is the rate at which a random vector grows. Eigenvalues come in complex pairs that make each step's growth
    swing; over many steps that evens out. A dense solver would take longer than the reservoir's run.
    """
    x = np.random.default_rng(len(columns)).normal(size=len(columns))
    log = 0.0
    for step in range(SETTLE_STEPS + GROWTH_STEPS):
        x = (weights * x[columns]).sum(axis=1)
        norm = float(np.linalg.norm(x))
        if norm == 0.0:
            return 0.0
        x /= norm
        log += math.log(norm) if step >= SETTLE_STEPS else 0.0
    return math.exp(log / GROWTH_STEPS)


@dataclass(frozen=True)
class DelayFeedback:
    """One nonlinear node with a delay line, read at `units` virtual nodes.

    Each virtual node is eta z / (1 + abs(z)^power) of z = its value one delay ago + nu u(t) mask, blended with its
    neighbour by exp(-separation).

    Parameters:
        units: virtual nodes on the delay line.
        eta, nu: strength of feedback and of input.
        power: exponent of the nonlinearity.
        separation: distance of virtual nodes in times of the node.
        seed: of the mask of +-1.

    Source: Appeltant et al. 2011, Nature Communications 2:468, in its discrete form.

    Raises:
        SpecError: a parameter out of its range.

    Example:
        >>> DelayFeedback(40).run(np.zeros(3)).shape
        (3, 40)
    """

    units: int = 400
    eta: float = 0.5
    nu: float = 0.05
    power: float = 1.0
    separation: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.units <= MOST_UNITS:
            raise SpecError(f"DelayFeedback(units={self.units}): give 1 to {MOST_UNITS}")
        if not (0 <= self.eta < 10 and self.power > 0 and self.separation > 0):
            raise SpecError(
                f"DelayFeedback(eta={self.eta}, power={self.power}, separation={self.separation}): give eta of 0 to "
                "10 and the others above 0"
            )

    @property
    def name(self) -> str:
        """For tables."""
        return f"delayed feedback of {self.units}"

    def run(self, inputs: Floats) -> Floats:
        """States of shape (T, units); they begin at 0."""
        from hwmodel.reservoir.tasks._kernels import delay_states

        u = series(inputs, "DelayFeedback.run")
        mask = np.random.default_rng([self.seed, self.units]).choice([-1.0, 1.0], self.units)
        decay = float(np.exp(-self.separation))
        states = np.empty((len(u), self.units))
        state = np.zeros(self.units)
        delay_states(u, mask, float(self.eta), float(self.nu), float(self.power), decay, state, states)
        return states


@dataclass(frozen=True)
class Taps:
    """A plain delay line: the last `count` inputs, and for degree 2 their products as well.

    Parameters:
        count: inputs remembered, the present one among them.
        degree: 1 for the linear line, 2 for the Volterra series up to its second order.

    Raises:
        SpecError: no taps, another degree, or more than 20,000 states.

    Example:
        >>> Taps(2).run(np.array([1.0, 2.0, 3.0]))
        array([[1., 0.],
               [2., 1.],
               [3., 2.]])
    """

    count: int
    degree: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or self.degree not in (1, 2):
            raise SpecError(
                f"Taps(count={self.count}, degree={self.degree}): give a tap or more, and degree 1 or 2"
            )
        if self.states > MOST_UNITS:
            raise SpecError(f"Taps(count={self.count}): {self.states} states are more than {MOST_UNITS}")

    @property
    def states(self) -> int:
        """Number of states."""
        return self.count if self.degree == 1 else self.count * (self.count + 3) // 2

    @property
    def name(self) -> str:
        """For tables."""
        return f"{'linear' if self.degree == 1 else 'quadratic'} taps of {self.count}"

    def run(self, inputs: Floats) -> Floats:
        """The last inputs, 0 before the first, and their products."""
        u = series(inputs, "Taps.run")
        line = np.zeros((len(u), self.count))
        for back in range(min(self.count, len(u))):
            line[back:, back] = u[: len(u) - back]
        if self.degree == 1:
            return line
        first, second = np.triu_indices(self.count)
        return np.hstack([line, line[:, first] * line[:, second]])
