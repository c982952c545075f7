"""No test of the battery fires more often than its alpha on what it takes for granted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hwmodel.reservoir.stats import battery


def alarms(seeds, events, alphas):
    """How often each statistic has p at or below each alpha over Poisson processes."""
    found: Counter[tuple[str, float]] = Counter()
    for seed in seeds:
        times = np.cumsum(np.random.default_rng([seed, events]).exponential(0.05, events))
        for name, one in battery(times, seed=seed).items():
            for alpha in alphas:
                found[name, alpha] += one.p <= alpha
    return found


def test_alarms_over_a_few_seeds():
    found = alarms(range(40), 400, [0.05])
    assert len(found) > 15
    assert {name: n for name, n in found.items() if n > 9} == {}  # binomial(40, 0.05) exceeds 9 with 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("events", [400, 2500])
def test_alarms_over_200_seeds(events):
    most = {0.05: 21, 0.01: 8}  # a binomial count exceeds these with less than 1e-3
    found = alarms(range(200), events, most)
    assert {key: n for key, n in found.items() if n > most[key[1]]} == {}
