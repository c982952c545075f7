"""The readout: ridge regression on standardised states, its penalty chosen inside the training part."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.reservoir.tasks._types import Floats

__all__ = ["PENALTIES", "Readout", "nrmse"]

PENALTIES = tuple(10.0**k for k in range(-10, 3))
"""Penalties that are tried, as shares of the number of training steps."""

FOLDS = 3
FLAT = 1e-12  # a state whose spread is below this share of its size carries nothing


def nrmse(target: Floats, prediction: Floats) -> float:
    """Root of the mean squared error over the standard deviation of the target.

    A constant predictor of the mean has 1. Two other norms are in use, by the range and by the variance; their
    numbers are not comparable.

    Raises:
        SpecError: shapes that differ, no steps, or a constant target.

    Example:
        >>> nrmse(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
        1.0
    """
    y, p = np.asarray(target, np.float64), np.asarray(prediction, np.float64)
    if y.shape != p.shape or y.size == 0:
        raise SpecError(
            f"nrmse: target {y.shape} and prediction {p.shape}; give two equal shapes with a step or more"
        )
    spread = float(y.std())
    if not spread > 0.0:
        raise SpecError("nrmse: the target is constant; there is nothing to predict")
    return float(np.sqrt(np.mean((y - p) ** 2)) / spread)


@dataclass(frozen=True)
class Readout:
    """A linear readout that was fitted.

    `weights` belong to the standardised states that carry something, `used` says which those are; `penalty` is what
    validation chose.

    Example:
        >>> states = np.arange(20.0)[:, None]
        >>> readout = Readout.fit(states, 3 * np.arange(20.0) + 1)
        >>> readout.predict(np.array([[100.0]])).round(3)
        array([301.])
    """

    weights: Floats = field(repr=False)
    offset: float
    means: Floats = field(repr=False)
    spreads: Floats = field(repr=False)
    used: Floats = field(repr=False)
    penalty: float

    @staticmethod
    def fit(
        states: Floats, target: Floats, penalties: tuple[float, ...] = PENALTIES, folds: int = FOLDS
    ) -> Readout:
        """Choose the penalty on contiguous folds of the training steps, then fit on all of them.

        Parameters:
            states: shape (T, n), training steps only.
            target: shape (T,).
            penalties: to choose from; one alone is taken without validation.
            folds: parts of the training steps, each held out once.

        Raises:
            SpecError: shapes that do not fit, values that are not finite, no penalty, or fewer steps than two a fold.
        """
        x, y = np.asarray(states, np.float64), np.asarray(target, np.float64)
        if x.ndim != 2 or y.shape != x.shape[:1]:
            raise SpecError(f"Readout.fit: states {x.shape} and target {y.shape}; give (T, n) and (T,)")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise SpecError(
                "Readout.fit: a state or target is not finite; look for a reservoir that runs away"
            )
        if not penalties or min(penalties) < 0 or folds < 2 or len(x) < 2 * folds:
            raise SpecError(
                f"Readout.fit: {len(penalties)} penalties, folds={folds}, {len(x)} steps; give a penalty of 0 or more, "
                "two folds or more, and two steps a fold"
            )
        means, spreads = x.mean(axis=0), x.std(axis=0)
        used = spreads > FLAT * np.maximum(1.0, np.abs(means))
        scale = spreads[used]
        z = (x[:, used] - means[used]) / scale
        offset = float(y.mean())
        gram, moment = z.T @ z, z.T @ (y - offset)
        chosen = penalties[0]
        if len(penalties) > 1 and z.shape[1]:
            chosen = _validated(z, y - offset, gram, moment, penalties, folds)
        return Readout(_solve(gram, moment, chosen * len(z)), offset, means[used], scale, used, chosen)

    def predict(self, states: Floats) -> Floats:
        """Values for states of shape (T, n)."""
        x = np.asarray(states, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.used):
            raise SpecError(f"Readout.predict: states {x.shape}; it was fitted on {len(self.used)} states")
        found: Floats = ((x[:, self.used] - self.means) / self.spreads) @ self.weights + self.offset
        return found


def _solve(gram: Floats, moment: Floats, penalty: float) -> Floats:
    if not len(gram):
        return np.zeros(0)
    matrix = gram + max(penalty, 1e-12 * float(np.trace(gram)) / len(gram)) * np.eye(len(gram))
    found: Floats = np.asarray(np.linalg.solve(matrix, moment), np.float64)
    return found


def _validated(
    z: Floats, y: Floats, gram: Floats, moment: Floats, penalties: tuple[float, ...], folds: int
) -> float:
    """The penalty with the least error on folds that were left out."""
    errors = np.zeros(len(penalties))
    edges = np.linspace(0, len(z), folds + 1).astype(int)
    for first, last in pairwise(edges):
        part, wanted = z[first:last], y[first:last]
        values, vectors = np.linalg.eigh(gram - part.T @ part)
        values = np.maximum(values, 1e-12 * max(1e-300, values[-1]))
        turned = vectors.T @ (moment - part.T @ wanted)
        rest = len(z) - len(part)
        weights = turned[:, None] / (values[:, None] + rest * np.array(penalties))
        errors += (((part @ vectors) @ weights - wanted[:, None]) ** 2).sum(axis=0)
    return penalties[int(np.argmin(errors))]
