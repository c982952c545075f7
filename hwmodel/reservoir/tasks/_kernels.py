"""Compiled loops of reservoirs that have memory: one step after another, nothing allocated on the way."""

from __future__ import annotations

import math

from hwmodel.kernel.compiled import Ints, jit
from hwmodel.reservoir.tasks._types import Floats


@jit
def echo_states(
    starts: Ints, columns: Ints, weights: Floats, drive: Floats, leak: float, state: Floats, states: Floats
) -> None:
    """Run x' = (1 - leak) x + leak tanh(W x + drive[t]); row i of W lies at starts[i] to starts[i + 1]."""
    size = len(state)
    before = state.copy()
    for t in range(len(drive)):
        for i in range(size):
            total = drive[t, i]
            for n in range(starts[i], starts[i + 1]):
                total += weights[n] * before[columns[n]]
            state[i] = (1.0 - leak) * before[i] + leak * math.tanh(total)
        for i in range(size):
            before[i] = state[i]
            states[t, i] = state[i]


@jit
def delay_states(
    drive: Floats,
    mask: Floats,
    eta: float,
    nu: float,
    power: float,
    decay: float,
    state: Floats,
    states: Floats,
) -> None:
    """Run a node with delayed feedback: virtual nodes take turns, each held to its predecessor by `decay`."""
    size = len(state)
    last = state[size - 1]
    for t in range(len(drive)):
        for i in range(size):
            total = state[i] + nu * drive[t] * mask[i]
            last = decay * last + (1.0 - decay) * eta * total / (1.0 + abs(total) ** power)
            state[i] = last
            states[t, i] = last
