"""Benchmark signals: an input series and the series that a readout must give for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError, unknown

__all__ = [
    "TASKS",
    "Task",
    "lorenz",
    "mackey_glass",
    "narma",
    "parity",
    "santa_fe",
    "task",
    "temporal_xor",
]

Floats = npt.NDArray[np.float64]
MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class Task:
    """An input, what is to be computed from it, and how much of it trains the readout.

    Parameters:
        name: for tables.
        inputs: shape (T,), what the reservoir is given.
        targets: shape (T,), what the readout must give at the same step.
        washout: steps at the start that nothing is made of, the reservoir's transient.
        train: steps after the washout that fit the readout; the rest is held out.

    Raises:
        SpecError: lengths that differ, values that are not finite, or a part without steps.

    Example:
        >>> narma(10, 2000, seed=1).held_out
        slice(1050, 2000, None)
    """

    name: str
    inputs: Floats = field(repr=False)
    targets: Floats = field(repr=False)
    washout: int
    train: int

    def __post_init__(self) -> None:
        inputs, targets = np.asarray(self.inputs, np.float64), np.asarray(self.targets, np.float64)
        if inputs.ndim != 1 or inputs.shape != targets.shape:
            raise SpecError(
                f"Task({self.name!r}): inputs {inputs.shape} and targets {targets.shape}; give two series of one length"
            )
        if not (np.isfinite(inputs).all() and np.isfinite(targets).all()):
            raise SpecError(f"Task({self.name!r}): a value is not finite; remove it or take another seed")
        if self.washout < 0 or self.train < 2 or self.washout + self.train > len(inputs) - 2:
            raise SpecError(
                f"Task({self.name!r}): washout={self.washout} and train={self.train} of {len(inputs)} steps; "
                "leave at least two steps to train on and two to be held out"
            )
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "targets", targets)

    @property
    def fitted(self) -> slice:
        """Steps that fit the readout."""
        return slice(self.washout, self.washout + self.train)

    @property
    def held_out(self) -> slice:
        """Steps on which it is scored."""
        return slice(self.washout + self.train, len(self.inputs))


def _task(name: str, inputs: Floats, targets: Floats) -> Task:
    """Half of what follows a washout of 100 steps, or of a twentieth if that is less, trains."""
    washout = min(100, len(inputs) // 20)
    return Task(name, inputs, targets, washout, (len(inputs) - washout) // 2)


def _steps(steps: int, least: int, where: str) -> int:
    if not least <= steps <= MOST_STEPS:
        raise SpecError(f"{where}: steps={steps}; give {least} to {MOST_STEPS}")
    return steps


def narma(order: int = 10, steps: int = 10_000, seed: int = 0) -> Task:
    """Make a nonlinear autoregressive moving average of random inputs between 0 and 0.5.

    Order 10: y' = 0.3 y + 0.05 y sum(y of 10 steps) + 1.5 u(t-9) u(t) + 0.1. Order 20 is the same under a tanh, with
    0.01 in place of 0.1: the bare recursion runs away. A draw that runs away is replaced by the next.

    Source: Atiya and Parlos 2000 (order 10); Rodan and Tino 2011 (order 20 with tanh).

    Raises:
        SpecError: an order other than 10 or 20, or fewer than 100 steps.
    """
    _steps(steps, 100, "narma")
    if order not in (10, 20):
        raise SpecError(f"narma(order={order}): give 10 or 20, the two that are in use")
    rng = np.random.default_rng([seed, order])
    for _ in range(100):
        inputs = rng.uniform(0.0, 0.5, steps)
        targets = _narma(inputs, order)
        if targets is not None:
            return _task(f"NARMA-{order}", inputs, targets)
    raise SpecError(
        f"narma(order={order}, steps={steps}, seed={seed}): a hundred draws ran away; take fewer steps"
    )


def _narma(inputs: Floats, order: int) -> Floats | None:
    u, y = inputs.tolist(), [0.0] * len(inputs)
    total = 0.0  # of the last `order` values
    for t in range(order - 1, len(u) - 1):
        step = 0.3 * y[t] + 0.05 * y[t] * total + 1.5 * u[t - order + 1] * u[t]
        y[t + 1] = step + 0.1 if order == 10 else float(np.tanh(step + 0.01))
        if y[t + 1] > 10.0:
            return None
        total += y[t + 1] - (y[t + 1 - order] if t + 1 >= order else 0.0)
    return np.array(y)


def mackey_glass(steps: int = 10_000, horizon: int = 1, tau: float = 17.0, seed: int = 0) -> Task:
    """Predict the Mackey-Glass delay equation `horizon` units of time ahead, one step a unit.

    x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x, by Runge-Kutta with ten steps a unit from a start that the
    seed sets, 1,000 units left out.

    Source: Mackey and Glass 1977; as a benchmark Jaeger and Haas 2004.

    Raises:
        SpecError: a horizon below 1, a tau outside of 1 to 100, or fewer than 100 steps.
    """
    _steps(steps, 100, "mackey_glass")
    if horizon < 1 or not 1 <= tau <= 100:
        raise SpecError(
            f"mackey_glass(horizon={horizon}, tau={tau}): give a horizon >= 1 and a tau of 1 to 100"
        )
    fine, skip = 10, 1000
    lag = round(tau * fine)
    x = np.random.default_rng([seed, lag]).uniform(1.1, 1.3, lag + 1).tolist()
    h = 1.0 / fine

    def rate(value: float, late: float) -> float:
        return 0.2 * late / (1.0 + late**10) - 0.1 * value

    for _ in range((steps + horizon + skip) * fine):
        late, later = x[-lag - 1], x[-lag]
        middle, now = 0.5 * (late + later), x[-1]
        k1 = rate(now, late)
        k2 = rate(now + 0.5 * h * k1, middle)
        k3 = rate(now + 0.5 * h * k2, middle)
        k4 = rate(now + h * k3, later)
        x.append(now + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6)
    series = np.array(x[lag + 1 :: fine])[skip:][: steps + horizon]
    return _task(f"Mackey-Glass-{tau:g} +{horizon}", series[:steps], series[horizon : horizon + steps])


def lorenz(steps: int = 10_000, horizon: int = 1, dt: float = 0.02, seed: int = 0) -> Task:
    """Predict the first coordinate of the Lorenz system `horizon` samples ahead.

    sigma 10, rho 28, beta 8/3, by Runge-Kutta with the step `dt`, 1,000 samples left out.

    Source: Lorenz 1963.

    Raises:
        SpecError: a horizon below 1, a step outside of 0 to 0.05, or fewer than 100 steps.
    """
    _steps(steps, 100, "lorenz")
    if horizon < 1 or not 0 < dt <= 0.05:
        raise SpecError(f"lorenz(horizon={horizon}, dt={dt}): give a horizon >= 1 and a step of at most 0.05")

    def rate(p: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = p
        return 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z

    def moved(
        p: tuple[float, float, float], k: tuple[float, float, float], h: float
    ) -> tuple[float, float, float]:
        return p[0] + h * k[0], p[1] + h * k[1], p[2] + h * k[2]

    start = np.random.default_rng([seed, 3]).normal(0.0, 1.0, 3)
    p = (float(start[0]), float(start[1]), 25.0 + float(start[2]))
    found = []
    for _ in range(steps + horizon + 1000):
        k1 = rate(p)
        k2 = rate(moved(p, k1, dt / 2))
        k3 = rate(moved(p, k2, dt / 2))
        k4 = rate(moved(p, k3, dt))
        p = tuple(
            a + dt * (b + 2 * c + 2 * d + e) / 6 for a, b, c, d, e in zip(p, k1, k2, k3, k4, strict=True)
        )  # type: ignore[assignment]
        found.append(p[0])
    series = np.array(found[1000:]) / 10.0  # of the order of one, as readouts and reservoirs like it
    return _task(f"Lorenz +{horizon}", series[:steps], series[horizon : horizon + steps])


def parity(order: int = 3, steps: int = 10_000, seed: int = 0) -> Task:
    """Give the product of the last `order` random signs: no linear memory solves it.

    Raises:
        SpecError: an order outside of 2 to 16, or fewer than 100 steps.
    """
    _steps(steps, 100, "parity")
    if not 2 <= order <= 16:
        raise SpecError(f"parity(order={order}): give 2 to 16")
    signs = np.random.default_rng([seed, order]).choice([-1.0, 1.0], steps + order - 1)
    product = np.ones(steps)
    for back in range(order):
        product *= signs[order - 1 - back : order - 1 - back + steps]
    return _task(f"parity-{order}", signs[order - 1 :], product)


def temporal_xor(steps: int = 10_000, delay: int = 1, seed: int = 0) -> Task:
    """Give the XOR, as a sign, of the random sign now and the one `delay` steps ago.

    Raises:
        SpecError: a delay below 1 or above 1,000, or fewer than 100 steps.
    """
    _steps(steps, 100, "temporal_xor")
    if not 1 <= delay <= 1000:
        raise SpecError(f"temporal_xor(delay={delay}): give 1 to 1,000")
    signs = np.random.default_rng([seed, delay]).choice([-1.0, 1.0], steps + delay)
    return _task(f"XOR -{delay}", signs[delay:], -signs[delay:] * signs[:-delay])


def santa_fe(file: str | Path, horizon: int = 1) -> Task:
    """Predict the Santa Fe laser intensity from a file of one number a line, which is not shipped.

    The series is divided by its greatest value.

    Source: Weigend and Gershenfeld 1994, data set A.

    Raises:
        StimulusError: the file cannot be read, with the line that is no number.
        SpecError: fewer than 100 values.
    """
    path = Path(file)
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise StimulusError(f"santa_fe({str(path)!r}): cannot be read ({error}); give a text file") from None
    values = []
    for number, word in enumerate(lines, 1):
        try:
            values.append(float(word))
        except ValueError:
            raise StimulusError(f"{path}: value {number} is {word!r}; give one number a line") from None
    if len(values) < 100 + horizon or horizon < 1:
        raise SpecError(f"santa_fe({str(path)!r}, horizon={horizon}): {len(values)} values are too few")
    series = np.array(values) / max(map(abs, values))
    return _task(f"Santa Fe +{horizon}", series[:-horizon], series[horizon:])


TASKS: dict[str, Callable[[int, int], Task]] = {
    "narma10": lambda steps, seed: narma(10, steps, seed),
    "narma20": lambda steps, seed: narma(20, steps, seed),
    "mackey_glass": lambda steps, seed: mackey_glass(steps, seed=seed),
    "mackey_glass84": lambda steps, seed: mackey_glass(steps, 84, seed=seed),
    "lorenz": lambda steps, seed: lorenz(steps, seed=seed),
    "parity3": lambda steps, seed: parity(3, steps, seed),
    "xor": lambda steps, seed: temporal_xor(steps, 1, seed),
}
"""Tasks by name, of (steps, seed)."""


def task(name: str, steps: int = 10_000, seed: int = 0) -> Task:
    """Make a task of `TASKS` by its name.

    Raises:
        UnknownNameError: no such task; the error lists them.

    Example:
        >>> task("xor", 1000).name
        'XOR -1'
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name](steps, seed)
