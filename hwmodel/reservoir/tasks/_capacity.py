"""What a reservoir remembers: linear memory capacity and information processing capacity, with their bias removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.reservoir.tasks._types import Floats, Reservoir

__all__ = ["Capacity", "information_capacity", "memory_capacity"]

CHANCE = 1e-4
MOST_TARGETS = 200_000
BATCH = 512
RANK = 1e-10


@dataclass(frozen=True)
class Capacity:
    """Capacities above chance.

    Attributes:
        total: sum of what passed the threshold, corrected for its bias; at most `rank`, but for its sampling error.
        by_degree: the same by the degree of the target.
        values: corrected capacity of each target that passed, by its ((lag, degree), ...).
        targets: number of targets tried.
        rank: independent states.
        threshold: a target passes whose raw capacity is above it.

    Example:
        >>> from hwmodel.reservoir.tasks import Taps
        >>> round(memory_capacity(Taps(5), steps=2000, lags=20).total, 6)
        5.0
    """

    total: float
    by_degree: dict[int, float]
    values: dict[tuple[tuple[int, int], ...], float] = field(repr=False)
    targets: int
    rank: int
    threshold: float


def memory_capacity(
    reservoir: Reservoir,
    steps: int = 10_000,
    lags: int = 100,
    *,
    low: float = -1.0,
    high: float = 1.0,
    washout: int = 200,
    chance: float = CHANCE,
    seed: int = 0,
) -> Capacity:
    """Share of a random input that the states hold linearly, summed over lags 0 to `lags` - 1.

    Source: Jaeger 2001, GMD report 152; threshold and bias after Dambre et al. 2012.

    Parameters:
        low, high: range of the uniform input.
        chance: probability that a target of which the states know nothing passes.

    Raises:
        SpecError: too few steps for the lags and states.
    """
    return information_capacity(
        reservoir, steps, {1: lags}, low=low, high=high, washout=washout, chance=chance, seed=seed
    )


def information_capacity(
    reservoir: Reservoir,
    steps: int = 10_000,
    lags: Mapping[int, int] = {1: 50, 2: 20, 3: 8},
    *,
    low: float = -1.0,
    high: float = 1.0,
    washout: int = 200,
    chance: float = CHANCE,
    seed: int = 0,
) -> Capacity:
    """Share of every product of Legendre polynomials of past inputs that the states hold linearly.

    A target's raw capacity is the share of its power in the space of the states. Of n states and T steps a target
    they know nothing of gets chi-square(n) / T; what does not exceed the quantile of 1 - `chance` counts as nothing,
    and n / T is taken off the rest in the manner of an adjusted R^2.

    Source: Dambre, Verstraeten, Schrauwen, Massar 2012, Scientific Reports 2:514.

    Parameters:
        lags: for each total degree the number of past inputs that products are made of.

    Raises:
        SpecError: no lags, more than 200,000 targets, or too few steps for the states.

    Example:
        >>> from hwmodel.reservoir.tasks import Taps
        >>> found = information_capacity(Taps(3, degree=2), steps=3000, lags={1: 6, 2: 6})
        >>> {degree: round(total, 2) for degree, total in found.by_degree.items()}
        {1: 3.0, 2: 6.0}
    """
    targets = list(_targets(lags))
    washout = max(washout, *lags.values()) if lags else washout
    if not targets or len(targets) > MOST_TARGETS or not low < high or not 0 < chance < 1:
        raise SpecError(
            f"information_capacity(lags={dict(lags)}, low={low}, high={high}, chance={chance}): {len(targets)} targets; "
            f"give 1 to {MOST_TARGETS}, low < high and a chance between 0 and 1"
        )
    inputs = np.random.default_rng([seed, 17]).uniform(-1.0, 1.0, steps)
    states = np.asarray(reservoir.run(low + (high - low) * (inputs + 1.0) / 2.0), np.float64)
    if states.ndim != 2 or len(states) != steps:
        raise SpecError(
            f"information_capacity: '{reservoir.name}' gives states {states.shape} for {steps} steps"
        )
    return _above_chance(_basis(states[washout:]), inputs, targets, washout, chance)


def _above_chance(
    basis: Floats, inputs: Floats, targets: list[tuple[tuple[int, int], ...]], washout: int, chance: float
) -> Capacity:
    from scipy.stats import chi2

    count, rank = basis.shape
    if count <= 2 * rank:
        raise SpecError(
            f"information_capacity: {count} steps after the washout for {rank} independent states; give more steps"
        )
    threshold = float(chi2.ppf(1.0 - chance, rank)) / count if rank else 1.0
    bias = rank / count
    values = {
        target: float((raw - bias) / (1.0 - bias))
        for target, raw in zip(targets, _raw(basis, inputs, targets, washout), strict=True)
        if raw > threshold
    }
    by_degree = dict.fromkeys(sorted({sum(d for _, d in target) for target in targets}), 0.0)
    for target, value in values.items():
        by_degree[sum(d for _, d in target)] += value
    return Capacity(sum(by_degree.values()), by_degree, values, len(targets), rank, threshold)


def _targets(lags: Mapping[int, int]) -> Iterator[tuple[tuple[int, int], ...]]:
    """Every way to give degrees to different lags, for each total degree."""
    for degree, back in sorted(lags.items()):
        if degree < 1 or back < 1:
            raise SpecError(f"information_capacity(lags={dict(lags)}): degrees and lags must be 1 or more")
        for parts in range(1, min(degree, back) + 1):
            splits = [s for s in product(range(1, degree + 1), repeat=parts) if sum(s) == degree]
            for chosen in combinations(range(back), parts):
                for split in splits:
                    yield tuple(zip(chosen, split, strict=True))


def _basis(states: Floats) -> Floats:
    """Orthonormal columns that span the centred states."""
    centred = states - states.mean(axis=0)
    spread = centred.std(axis=0)
    centred = centred[:, spread > 0.0] / spread[spread > 0.0]
    if not centred.shape[1]:
        return np.zeros((len(states), 0))
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    found: Floats = u[:, s > RANK * s[0]]
    return found


def _raw(basis: Floats, inputs: Floats, targets: list[tuple[tuple[int, int], ...]], washout: int) -> Floats:
    """Share of each target's power in the space of the basis."""
    highest = max(d for target in targets for _, d in target)
    tables = [np.polynomial.legendre.Legendre.basis(d)(inputs) for d in range(highest + 1)]
    count = len(basis)
    raw = np.empty(len(targets))
    for first in range(0, len(targets), BATCH):
        part = targets[first : first + BATCH]
        wanted = np.ones((count, len(part)))
        for column, target in enumerate(part):
            for lag, degree in target:
                wanted[:, column] *= tables[degree][washout - lag : washout - lag + count]
        wanted -= wanted.mean(axis=0)
        raw[first : first + len(part)] = ((basis.T @ wanted) ** 2).sum(axis=0) / (wanted**2).sum(axis=0)
    return raw
