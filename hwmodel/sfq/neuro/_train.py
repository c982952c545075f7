"""Training: gradient descent on the bias currents, then rounding to the currents that a source can give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.sfq.neuro._rates import Method, RateNetwork

__all__ = ["Training", "train"]

Array = npt.NDArray[np.float64]

_DECAY_MEAN, _DECAY_SQUARE, _TINY = 0.9, 0.999, 1e-12  # Adam, Kingma and Ba 2015, algorithm 1
_FLAT = 1e-15  # a gain below the rounding of the loss is none


@dataclass(frozen=True, eq=False)
class Training:
    """What training found.

    Parameters
    ----------
    currents_ua:
        The currents to use, uA, shape (parameters,): on the grid where a resolution was given.
    continuous_ua:
        The currents before rounding.
    loss, continuous_loss, rounded_loss:
        Mean squared error of the output rates: of `currents_ua`, before rounding, and rounded but not tuned again.
    history:
        Loss of the best restart, one entry a step.
    restart_losses:
        Final loss of each restart, so that luck can be told from skill.
    best_restart:
        The one that was kept.
    resolution_ua:
        The grid, or None.
    retune_moves:
        Steps on the grid that lowered the loss after rounding.
    at_limit:
        How many currents lie at an edge of the allowed range.
    """

    currents_ua: Array
    continuous_ua: Array
    loss: float
    continuous_loss: float
    rounded_loss: float
    history: Array
    restart_losses: Array
    best_restart: int
    resolution_ua: float | None
    retune_moves: int
    at_limit: int


def train(
    network: RateNetwork,
    inputs: Any,
    targets: Any,
    *,
    seed: int = 0,
    restarts: int = 16,
    steps: int = 300,
    learning_rate_ua: float = 0.25,
    resolution_ua: float | None = None,
    retune: bool = True,
    method: Method = "auto",
) -> Training:
    """Find the bias currents of a network that maps input rates to output rates.

    All restarts run at once, each from currents drawn uniformly over the allowed range; the best is kept. The steps
    are those of Adam, and each is projected back into the range. Afterwards the currents are rounded to multiples of
    `resolution_ua` and, with `retune`, moved by single grid steps while that lowers the loss.

    Parameters
    ----------
    network:
        Its rate algebra gives loss and gradient.
    inputs, targets:
        Rates, pulses a slot, shapes (cases, inputs) and (cases, outputs).
    seed:
        Of the initial currents; the same seed gives the same result.
    restarts, steps:
        1 or more.
    learning_rate_ua:
        Largest step of a current, uA.
    resolution_ua:
        Step of the current sources, uA, or None.

    Raises
    ------
    SpecError
        A number out of range, or arrays of the wrong shape.

    Example
    -------
    >>> from hwmodel.sfq.neuro import NetworkSpec, RateNetwork
    >>> network = RateNetwork(NetworkSpec((2, 1)))
    >>> found = train(network, [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [1]], seed=1, resolution_ua=0.5)
    >>> network.rates(found.currents_ua, [[0, 0], [1, 1]]).output.round(1).ravel().tolist()
    [0.0, 1.0]
    """
    _check(seed, restarts, steps, learning_rate_ua)
    if resolution_ua is not None:
        network.synapse.grid(resolution_ua)
    task = _Task(network, inputs, targets, method)
    random = np.random.default_rng(seed)
    start = random.uniform(*network.synapse.range_ua, (restarts, network.spec.parameters))
    currents, history = _descend(task, start, steps, learning_rate_ua)
    return _best(task, currents, history, resolution_ua, retune)


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be learned, and by which network."""

    network: RateNetwork
    inputs: Any
    targets: Any
    method: Method

    def loss(self, currents_ua: Any) -> Array:
        return self.network.loss(currents_ua, self.inputs, self.targets, self.method)

    def loss_and_gradient(self, currents_ua: Array) -> tuple[Array, Array]:
        return self.network.loss_and_gradient(currents_ua, self.inputs, self.targets, self.method)


def _descend(task: _Task, start: Array, steps: int, learning_rate_ua: float) -> tuple[Array, Array]:
    """Projected Adam from many starts at once; currents, shape (restarts, parameters), and losses by step."""
    lowest, highest = task.network.synapse.range_ua
    currents = start
    mean = np.zeros_like(currents)
    square = np.zeros_like(currents)
    history = np.empty((steps, len(start)))
    for step in range(steps):
        history[step], gradient = task.loss_and_gradient(currents)
        mean += (1.0 - _DECAY_MEAN) * (gradient - mean)
        square += (1.0 - _DECAY_SQUARE) * (gradient * gradient - square)
        unbiased = mean / (1.0 - _DECAY_MEAN ** (step + 1))
        scale = np.sqrt(square / (1.0 - _DECAY_SQUARE ** (step + 1))) + _TINY
        currents = np.clip(currents - learning_rate_ua * unbiased / scale, lowest, highest)
    return currents, history


def _best(
    task: _Task, currents: Array, history: Array, resolution_ua: float | None, retune: bool
) -> Training:
    """Choose the best restart and bring its currents onto the grid."""
    synapse = task.network.synapse
    losses = task.loss(currents)
    best = int(np.argmin(losses))
    continuous = currents[best]
    final, rounded_loss, moves = continuous, float(losses[best]), 0
    if resolution_ua is not None:
        final = synapse.setting(continuous, resolution_ua).current_ua
        rounded_loss = float(task.loss(final))
        if retune:
            final, moves = _retune(task, final, resolution_ua)
    edges = synapse.setting(synapse.range_ua, resolution_ua).current_ua
    return Training(
        currents_ua=final,
        continuous_ua=continuous,
        loss=float(task.loss(final)),
        continuous_loss=float(losses[best]),
        rounded_loss=rounded_loss,
        history=history[:, best].copy(),
        restart_losses=losses,
        best_restart=best,
        resolution_ua=resolution_ua,
        retune_moves=moves,
        at_limit=int(np.count_nonzero((final <= edges[0]) | (final >= edges[1]))),
    )


def _retune(task: _Task, start: Array, resolution_ua: float) -> tuple[Array, int]:
    """Take the best single grid step while there is one; the loss falls with each, so this ends."""
    first, last = task.network.synapse.grid(resolution_ua)
    index = np.rint(start / resolution_ua).astype(np.int64)
    loss = float(task.loss(index * resolution_ua))
    directions = np.concatenate([np.eye(index.size, dtype=np.int64), -np.eye(index.size, dtype=np.int64)])
    moves = 0
    while True:
        around = np.clip(index + directions, first, last)
        losses = task.loss(around * resolution_ua)
        best = int(np.argmin(losses))
        if not losses[best] < loss - _FLAT:
            return np.asarray(index * resolution_ua, dtype=np.float64), moves
        index, loss, moves = around[best], float(losses[best]), moves + 1


def _check(seed: int, restarts: int, steps: int, learning_rate_ua: float) -> None:
    for what, value in (("restarts", restarts), ("steps", steps)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SpecError(f"train: {what}={value!r} must be a whole number, 1 or more")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SpecError(f"train: seed={seed!r} must be a whole number, 0 or more")
    if not 0.0 < learning_rate_ua < math.inf:
        raise SpecError(f"train: learning_rate_ua={learning_rate_ua!r} must be a number of uA greater than 0")
