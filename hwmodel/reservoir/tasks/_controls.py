"""Controls: states that a reservoir must beat before its score means anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwmodel.errors import unknown
from hwmodel.reservoir.hns import hash_features
from hwmodel.reservoir.tasks._networks import Taps
from hwmodel.reservoir.tasks._types import Floats

__all__ = ["CONTROLS", "control_states"]

LINEAR_TAPS = 50
QUADRATIC_TAPS = 20
HASH_FEATURES = 16
EVENTS = 100.0


@dataclass(frozen=True)
class Setting:
    """What controls are made from."""

    inputs: Floats
    states: Floats
    events: float
    rng: np.random.Generator


def _constant(setting: Setting) -> Floats:
    return np.ones((len(setting.inputs), 1))


def _input(setting: Setting) -> Floats:
    return setting.inputs[:, None]


def _linear(setting: Setting) -> Floats:
    """As many taps as there are states, at most 50."""
    return Taps(min(setting.states.shape[1], LINEAR_TAPS)).run(setting.inputs)


def _volterra(setting: Setting) -> Floats:
    return Taps(QUADRATIC_TAPS, 2).run(setting.inputs)


def _poisson(setting: Setting) -> Floats:
    """Counts of a Poisson process of the same rate that knows nothing of the input."""
    return setting.rng.poisson(setting.events, setting.states.shape).astype(np.float64)


def _shuffled(setting: Setting) -> Floats:
    """The reservoir's own states in another order."""
    found: Floats = setting.states[setting.rng.permutation(len(setting.states))]
    return found


def _phases(setting: Setting) -> Floats:
    """The reservoir's own states with random phases: same spectra, no relation to the input."""
    spectrum = np.fft.rfft(setting.states, axis=0)
    turn = np.exp(2j * np.pi * setting.rng.random(spectrum.shape))
    turn[0] = 1.0
    if len(setting.states) % 2 == 0:
        turn[-1] = 1.0
    return np.fft.irfft(spectrum * turn, n=len(setting.states), axis=0)


def _coinbase(setting: Setting) -> Floats:
    return hash_features(setting.inputs, min(setting.states.shape[1], HASH_FEATURES))


CONTROLS: dict[str, Callable[[Setting], Floats]] = {
    "constant": _constant,
    "input": _input,
    "linear taps": _linear,
    "quadratic Volterra": _volterra,
    "Poisson": _poisson,
    "shuffled states": _shuffled,
    "random phases": _phases,
    "coinbase": _coinbase,
}
"""Controls by name."""


def control_states(
    name: str, inputs: Floats, states: Floats, events: float = EVENTS, seed: int = 0
) -> Floats:
    """States of a control, shape (T, n).

    Parameters:
        name: a key of `CONTROLS`.
        inputs, states: of the reservoir that is held against it.
        events: mean count a step of the Poisson control.
        seed: of what is random; each control has a stream of its own.

    Raises:
        UnknownNameError: no such control.

    Example:
        >>> control_states("constant", np.zeros(2), np.zeros((2, 3)))
        array([[1.],
               [1.]])
    """
    if name not in CONTROLS:
        raise unknown("control", name, CONTROLS)
    rng = np.random.default_rng([seed, list(CONTROLS).index(name)])
    return CONTROLS[name](Setting(np.asarray(inputs), np.asarray(states), events, rng))
