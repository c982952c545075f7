"""Reservoirs in software against plain NumPy written from their equations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir.tasks import DelayFeedback, EchoStateNetwork, Taps
from hwmodel.reservoir.tasks._networks import spectral_radius

pytestmark = pytest.mark.kernels


@given(st.integers(0, 1000), st.floats(0.1, 1.0), st.floats(0.0, 1.2))
def test_units_follow_their_equation(seed, leak, radius):
    net = EchoStateNetwork(12, radius=radius, scale=0.4, bias=0.2, leak=leak, connections=4, seed=seed)
    columns, weights, into, constant = net._weights
    dense = np.zeros((12, 12))
    np.put_along_axis(dense, columns, weights, axis=1)
    u = np.random.default_rng(seed).normal(size=20)
    x = np.zeros(12)
    states = net.run(u)
    for t in range(20):
        x = (1 - leak) * x + leak * np.tanh(dense @ x + 0.4 * into * u[t] + 0.2 * constant)
        assert states[t] == pytest.approx(x, abs=1e-12)


@pytest.mark.parametrize(("units", "connections"), [(500, 10), (100, 5), (20, 20)])
def test_the_spectral_radius_is_that_of_the_eigenvalues(units, connections):
    net = EchoStateNetwork(units, radius=0.9, connections=connections, seed=4)
    columns, weights, _, _ = net._weights
    dense = np.zeros((units, units))
    np.put_along_axis(dense, columns, weights, axis=1)
    assert np.abs(np.linalg.eigvals(dense)).max() == pytest.approx(0.9, rel=1e-3)


def test_a_nilpotent_matrix_has_radius_zero():
    assert spectral_radius(np.array([[1], [1]]), np.array([[1.0], [0.0]])) == 0.0


def test_each_unit_hears_different_others():
    columns = EchoStateNetwork(50, connections=20)._weights[0]
    assert all(len(set(row)) == 20 for row in columns.tolist())


def test_below_a_radius_of_one_the_start_is_forgotten():
    net = EchoStateNetwork(60, radius=0.8, scale=0.5)
    tail = np.random.default_rng(1).normal(size=200)
    one, other = (
        net.run(np.concatenate([np.full(9, 3.0), tail])),
        net.run(np.concatenate([np.zeros(9), tail])),
    )
    assert np.abs(one[-1] - other[-1]).max() < 1e-9
    assert np.abs(one[9] - other[9]).max() > 1e-3


def test_virtual_nodes_follow_their_equation():
    node = DelayFeedback(7, eta=0.6, nu=0.3, power=2.0, separation=0.4, seed=2)
    mask = np.random.default_rng([2, 7]).choice([-1.0, 1.0], 7)
    u = np.random.default_rng(0).normal(size=15)
    states, line, last, decay = node.run(u), np.zeros(7), 0.0, np.exp(-0.4)
    for t in range(15):
        for i in range(7):
            z = line[i] + 0.3 * u[t] * mask[i]
            last = decay * last + (1 - decay) * 0.6 * z / (1 + abs(z) ** 2)
            line[i] = last
        assert states[t] == pytest.approx(line, abs=1e-12)


def test_taps_hold_the_last_inputs():
    u = np.arange(1.0, 8.0)
    states = Taps(3).run(u)
    assert np.array_equal(states[4], [5.0, 4.0, 3.0])
    assert np.array_equal(states[0], [1.0, 0.0, 0.0])


def test_quadratic_taps_hold_every_product_once():
    states = Taps(3, 2).run(np.array([2.0, 3.0, 5.0]))
    assert states.shape == (3, Taps(3, 2).states)
    assert sorted(states[2, 3:]) == sorted([25.0, 15.0, 10.0, 9.0, 6.0, 4.0])


@pytest.mark.parametrize("net", [EchoStateNetwork(30), DelayFeedback(30), Taps(4)])
def test_a_run_begins_anew(net):
    u = np.random.default_rng(3).normal(size=50)
    assert np.array_equal(net.run(u), net.run(u))


@pytest.mark.parametrize(
    "make",
    [
        lambda: EchoStateNetwork(0),
        lambda: EchoStateNetwork(5, connections=6),
        lambda: EchoStateNetwork(leak=0.0),
        lambda: EchoStateNetwork(radius=-1.0),
        lambda: DelayFeedback(0),
        lambda: DelayFeedback(separation=0.0),
        lambda: Taps(0),
        lambda: Taps(3, 3),
        lambda: Taps(1000, 2),
        lambda: Taps(2).run(np.zeros((2, 2))),
        lambda: EchoStateNetwork(20).run(np.array([np.inf])),
    ],
)
def test_what_does_not_fit_is_refused(make):
    with pytest.raises(SpecError):
        make()
