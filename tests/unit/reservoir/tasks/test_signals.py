"""Benchmark signals against their definitions, written out a second time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError, StimulusError, UnknownNameError
from hwmodel.reservoir.tasks import (
    TASKS,
    Task,
    lorenz,
    mackey_glass,
    narma,
    parity,
    santa_fe,
    task,
    temporal_xor,
)


@given(st.integers(0, 2**31), st.sampled_from([10, 20]))
def test_narma_holds_its_recursion(seed, order):
    made = narma(order, 200, seed)
    u, y = made.inputs, made.targets
    for t in range(order, 199):
        step = 0.3 * y[t] + 0.05 * y[t] * y[t - order + 1 : t + 1].sum() + 1.5 * u[t - order + 1] * u[t]
        wanted = step + 0.1 if order == 10 else np.tanh(step + 0.01)
        assert y[t + 1] == pytest.approx(wanted, abs=1e-12)


def test_a_constant_predictor_of_narma_10_has_the_known_error_by_the_range():
    # The reference has 0.176 +- 0.002 for runs of 2,000 steps and does not say what it washed out; a quarter fits.
    found = [y.std() / np.ptp(y) for y in (narma(10, 2000, seed).targets[500:] for seed in range(300))]
    assert np.mean(found) == pytest.approx(0.176, abs=0.003)


def test_mackey_glass_holds_its_equation():
    # The slope by a central difference of samples one unit apart, which is good to some per cent.
    x = mackey_glass(3000, 1, seed=1).inputs
    t = np.arange(17, 2999)
    slope = (x[t + 1] - x[t - 1]) / 2
    curve = 0.2 * x[t - 17] / (1 + x[t - 17] ** 10) - 0.1 * x[t]
    assert np.abs(slope - curve).std() / curve.std() < 0.05
    wrong = 0.2 * x[t - 16] / (1 + x[t - 16] ** 10) - 0.1 * x[t]
    assert np.abs(slope - wrong).std() / curve.std() > 0.1


def test_mackey_glass_17_stays_in_its_known_range():
    x = mackey_glass(3000, seed=2).inputs
    assert 0.2 < x.min() < 0.5
    assert 1.2 < x.max() < 1.5


@pytest.mark.parametrize("make", [mackey_glass, lorenz])
def test_a_horizon_is_the_same_series_later(make):
    now, later = make(500, 1, seed=3), make(500, 7, seed=3)
    assert np.array_equal(now.inputs, later.inputs)
    assert np.array_equal(now.inputs[7:], later.targets[:-7])


def test_lorenz_stays_on_its_attractor():
    x = lorenz(5000, seed=0).inputs * 10
    assert 15 < x.max() < 20
    assert -20 < x.min() < -15
    assert (np.diff(np.sign(x)) != 0).sum() > 20  # it changes sides


@given(st.integers(2, 6), st.integers(0, 1000))
def test_parity_is_the_product_of_the_last_signs(order, seed):
    made = parity(order, 150, seed)
    wanted = [np.prod(made.inputs[t - order + 1 : t + 1]) for t in range(order - 1, 150)]
    assert np.array_equal(made.targets[order - 1 :], wanted)


@given(st.integers(1, 9), st.integers(0, 1000))
def test_xor_is_true_where_signs_differ(delay, seed):
    made = temporal_xor(150, delay, seed)
    differ = made.inputs[delay:] != made.inputs[:-delay]
    assert np.array_equal(made.targets[delay:] > 0, differ)


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_makes_one_series(name):
    first, again, other = task(name, 300, 5), task(name, 300, 5), task(name, 300, 6)
    assert np.array_equal(first.inputs, again.inputs)
    assert np.array_equal(first.targets, again.targets)
    assert not np.array_equal(first.inputs, other.inputs)


def test_santa_fe_is_read_from_a_file(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("\n".join(str(n % 50) for n in range(200)))
    made = santa_fe(file)
    assert np.array_equal(made.inputs[1:], made.targets[:-1])
    assert made.inputs.max() == 1.0


def test_santa_fe_names_what_is_no_number(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("1\n2\nx\n")
    with pytest.raises(StimulusError, match="value 3 is 'x'"):
        santa_fe(file)


def test_santa_fe_names_a_missing_file(tmp_path):
    with pytest.raises(StimulusError, match="cannot be read"):
        santa_fe(tmp_path / "none")


def test_an_unknown_task_is_named():
    with pytest.raises(UnknownNameError, match="narma10"):
        task("narma11")


@pytest.mark.parametrize(
    "ask",
    [
        lambda: narma(11),
        lambda: narma(10, 99),
        lambda: mackey_glass(200, 0),
        lambda: lorenz(200, dt=0.1),
        lambda: parity(1),
        lambda: temporal_xor(200, 0),
        lambda: Task("t", np.zeros(5), np.zeros(4), 0, 2),
        lambda: Task("t", np.zeros(5), np.zeros(5), 0, 4),
        lambda: Task("t", np.full(50, np.nan), np.zeros(50), 0, 4),
    ],
)
def test_what_does_not_fit_is_refused(ask):
    with pytest.raises(SpecError):
        ask()


def test_parts_of_a_task_follow_each_other():
    made = task("narma10", 1000)
    assert made.fitted.start == made.washout
    assert made.fitted.stop == made.held_out.start
    assert made.held_out.stop == 1000
