"""Training on the rate algebra."""

import numpy as np
import pytest

from hwmodel.errors import SpecError
from hwmodel.sfq.neuro import COMPARATOR_10THZ, NetworkSpec, RateNetwork, Synapse, train

INPUTS = [[0.05, 0.05], [0.05, 0.95], [0.95, 0.05], [0.95, 0.95]]
XOR = [[0], [1], [1], [0]]
XNOR = [[1], [0], [0], [1]]


def margin(network, currents, wanted=XOR):
    out = network.rates(currents, INPUTS).output[:, 0]
    ones = [r for r, w in zip(out, wanted, strict=True) if w[0]]
    return min(ones) - max(r for r, w in zip(out, wanted, strict=True) if not w[0])


@pytest.mark.parametrize("seed", range(3))
def test_xor_emerges(seed):
    network = RateNetwork()
    assert margin(network, train(network, INPUTS, XOR, seed=seed).currents_ua) > 0.75


def test_hidden_units_found_are_a_without_b_and_b_without_a():
    network = RateNetwork()
    found = train(network, INPUTS, XOR, seed=1)
    hidden = network.rates(found.currents_ua, [[0, 0], [0, 1], [1, 0], [1, 1]]).layers[0].round(1)
    assert sorted(hidden.T.tolist()) == [[0, 0, 1, 0], [0, 1, 0, 0]]


def test_a_network_without_clock_source_cannot_learn_xnor():
    network = RateNetwork()
    assert margin(network, train(network, INPUTS, XNOR, seed=1).currents_ua, XNOR) < 0.1


def test_an_always_on_network_learns_xnor():
    network = RateNetwork(NetworkSpec((2, 2, 1), always_on=True))
    assert margin(network, train(network, INPUTS, XNOR, seed=1).currents_ua, XNOR) > 0.6


def test_thresholds_of_two_learn_and():
    network = RateNetwork(NetworkSpec((2, 1), thresholds=2, fan_in="staggered"))
    found = train(network, INPUTS, [[0], [0], [0], [1]], seed=1)
    assert margin(network, found.currents_ua, [[0], [0], [0], [1]]) > 0.8


def test_wider_noise_makes_less_margin():
    margins = []
    for synapse in (Synapse(), Synapse(COMPARATOR_10THZ)):
        network = RateNetwork(synapse=synapse)
        margins.append(margin(network, train(network, INPUTS, XOR, seed=1).currents_ua))
    assert margins[0] > margins[1] + 0.05


def test_the_seed_decides_everything():
    network = RateNetwork()
    first, again, other = (
        train(network, INPUTS, XOR, seed=s, steps=20, restarts=3, resolution_ua=0.1) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.currents_ua, again.currents_ua)
    np.testing.assert_array_equal(first.history, again.history)
    assert not np.array_equal(first.continuous_ua, other.continuous_ua)


def test_loss_falls():
    found = train(RateNetwork(), INPUTS, XOR, seed=4, steps=100, restarts=4)
    assert found.history[-1] < found.history[0] / 2
    assert found.continuous_loss == min(found.restart_losses)


@pytest.mark.parametrize("resolution", [0.1, 0.5, 3.0])
def test_quantised_currents_lie_on_the_grid_and_in_the_range(resolution):
    network = RateNetwork()
    found = train(network, INPUTS, XOR, seed=1, steps=60, restarts=4, resolution_ua=resolution)
    steps = found.currents_ua / resolution
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    lowest, highest = network.synapse.range_ua
    assert np.all((found.currents_ua >= lowest - 1e-9) & (found.currents_ua <= highest + 1e-9))


def test_tuning_again_after_rounding_never_hurts():
    network = RateNetwork()
    kept = {"seed": 3, "steps": 25, "restarts": 2, "resolution_ua": 2.0}
    plain = train(network, INPUTS, XOR, retune=False, **kept)
    tuned = train(network, INPUTS, XOR, **kept)
    assert plain.loss == plain.rounded_loss == tuned.rounded_loss
    assert tuned.loss < plain.loss
    assert tuned.retune_moves > 0


def test_currents_at_the_edge_are_counted():
    found = train(RateNetwork(), INPUTS, XOR, seed=1, resolution_ua=0.5)
    assert found.at_limit == np.count_nonzero((found.currents_ua == 74.0) | (found.currents_ua == 88.0))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"restarts": 0}, "restarts=0"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"seed": -1}, "seed=-1"),
        ({"learning_rate_ua": 0.0}, "learning_rate_ua=0.0"),
        ({"resolution_ua": -0.5}, "resolution_ua=-0.5"),
        ({"resolution_ua": 50.0}, "no multiple"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(SpecError, match=match):
        train(RateNetwork(), INPUTS, XOR, **arguments)
