"""The readout against the normal equations and against cases with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir.tasks import Readout, nrmse


@given(st.integers(0, 10_000), st.floats(1e-6, 10.0))
def test_one_penalty_gives_the_normal_equations(seed, penalty):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(40, 5)) * [1, 10, 0.1, 1, 1] + 3, rng.normal(size=40)
    z = (x - x.mean(0)) / x.std(0)
    weights = np.linalg.solve(z.T @ z + 40 * penalty * np.eye(5), z.T @ (y - y.mean()))
    assert Readout.fit(x, y, (penalty,)).predict(x) == pytest.approx(z @ weights + y.mean(), abs=1e-9)


def test_validation_takes_a_great_penalty_for_noise_and_a_small_one_for_a_law():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 40))
    assert Readout.fit(x, rng.normal(size=300)).penalty >= 1.0
    assert Readout.fit(x, x @ rng.normal(size=40)).penalty <= 1e-8


def test_validation_error_is_that_of_fits_without_the_fold():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 8))
    y = x[:, 0] + rng.normal(size=60)
    x -= x.mean(0)
    x /= x.std(0)
    grid = (1e-3, 0.1, 1.0, 10.0)
    errors = []
    for penalty in grid:
        error = 0.0
        for first in (0, 20, 40):
            kept = np.r_[0:first, first + 20 : 60]
            gram = x[kept].T @ x[kept] + 40 * penalty * np.eye(8)
            weights = np.linalg.solve(gram, x[kept].T @ (y - y.mean())[kept])
            error += ((x[first : first + 20] @ weights - (y - y.mean())[first : first + 20]) ** 2).sum()
        errors.append(error)
    assert Readout.fit(x, y, grid, folds=3).penalty == grid[int(np.argmin(errors))]


def test_a_constant_state_changes_nothing():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    more = np.hstack([x, np.full((50, 1), 7.0)])
    assert Readout.fit(more, y).predict(more) == pytest.approx(Readout.fit(x, y).predict(x), abs=1e-12)


def test_only_constant_states_give_the_mean():
    y = np.arange(10.0)
    assert Readout.fit(np.ones((10, 2)), y).predict(np.ones((1, 2))) == pytest.approx([4.5])


def test_states_that_repeat_each_other_are_no_trouble():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(50, 2))
    twice = np.hstack([x, x])
    y = x @ [1.0, -2.0]
    assert Readout.fit(twice, y).predict(twice) == pytest.approx(y, abs=1e-6)


def test_the_error_is_by_the_standard_deviation():
    y = np.array([0.0, 2.0, 4.0, 6.0])
    assert nrmse(y, np.full(4, 3.0)) == pytest.approx(1.0)
    assert nrmse(10 * y, 10 * y + 10 * y.std() / 2) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: nrmse(np.ones(3), np.zeros(3)),
        lambda: nrmse(np.zeros(0), np.zeros(0)),
        lambda: nrmse(np.arange(3.0), np.zeros(4)),
        lambda: Readout.fit(np.zeros((5, 2)), np.zeros(4)),
        lambda: Readout.fit(np.full((20, 2), np.nan), np.zeros(20)),
        lambda: Readout.fit(np.zeros((5, 2)), np.zeros(5)),
        lambda: Readout.fit(np.zeros((20, 2)), np.zeros(20), ()),
        lambda: Readout.fit(np.eye(20), np.arange(20.0)).predict(np.zeros((2, 3))),
    ],
)
def test_what_does_not_fit_is_refused(ask):
    with pytest.raises(SpecError):
        ask()
