"""Scores, controls and capacities against values that are known beforehand."""

import json

import numpy as np
import pytest

from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.reservoir.hns import energy_claim, hash_features, rgba
from hwmodel.reservoir.tasks import (
    CONTROLS,
    EchoStateNetwork,
    Readout,
    Taps,
    Task,
    control_states,
    evaluate,
    information_capacity,
    memory_capacity,
    narma,
    parity,
    task,
    temporal_xor,
)


class Noise:
    """States that know nothing."""

    name = "noise"

    def __init__(self, count, seed=0):
        self.count, self.seed = count, seed

    def run(self, inputs):
        return np.random.default_rng(self.seed).normal(size=(len(inputs), self.count))


# Reference figures of the literature review: taps 10/11/20/50 give .80/.589/.390/.367, Volterra .197; a run of
# 10,000 steps scatters by some hundredths.
@pytest.mark.parametrize(("taps", "wanted"), [(10, 0.80), (11, 0.589), (20, 0.39), (50, 0.367)])
def test_linear_taps_have_their_known_error_on_narma_10(taps, wanted):
    found = [evaluate(Taps(taps), narma(10, 10_000, seed), ()).nrmse for seed in range(4)]
    assert np.mean(found) == pytest.approx(wanted, abs=0.03)


def test_the_volterra_series_has_its_known_error_on_narma_10():
    found = [evaluate(Taps(20, 2), narma(10, 10_000, seed), ()).nrmse for seed in range(3)]
    assert np.mean(found) == pytest.approx(0.197, abs=0.03)


def test_an_echo_state_network_of_500_is_below_0_13_on_narma_10():
    found = [evaluate(EchoStateNetwork(seed=seed), narma(10, 10_000, seed), ()).nrmse for seed in range(3)]
    assert np.mean(found) < 0.13


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_that_knows_nothing_has_an_error_of_one_on_narma(name):
    made = narma(10, 4000, seed=2)
    states = EchoStateNetwork(50).run(made.inputs)
    score = evaluate(_Given(control_states(name, made.inputs, states)), made, ())
    if name in ("linear taps", "quadratic Volterra"):
        assert score.nrmse < 0.6
    else:
        assert score.nrmse == pytest.approx(1.0, abs=0.04)


class _Given:
    name = "given"

    def __init__(self, states):
        self.states = states

    def run(self, inputs):
        return self.states


def test_a_network_is_useful_for_narma_and_noise_is_not():
    made = narma(10, 4000, seed=1)
    assert evaluate(EchoStateNetwork(300), made).useful
    assert not evaluate(Noise(30), made).useful


def test_taps_do_not_beat_themselves():
    assert not evaluate(Taps(20), narma(10, 4000)).useful


def test_a_further_reservoir_must_be_beaten_too():
    made = narma(10, 4000, seed=1)
    score = evaluate(EchoStateNetwork(100), made, ("constant",), against=[EchoStateNetwork(500)])
    assert not score.useful
    assert score.controls["echo-state network of 500"].high < 0


def test_a_bare_score_is_never_useful():
    assert not evaluate(EchoStateNetwork(100), narma(10, 2000), ()).useful


def test_linear_taps_cannot_do_xor_and_products_can():
    made = temporal_xor(3000, 1)
    assert evaluate(Taps(5), made, ()).nrmse > 0.98
    assert evaluate(Taps(5, 2), made, ()).nrmse < 1e-3


def test_parity_of_three_is_beyond_products_of_two():
    assert evaluate(Taps(5, 2), parity(3, 3000), ()).nrmse > 0.98


def test_shuffled_states_are_the_same_rows_and_random_phases_the_same_spectra():
    states = EchoStateNetwork(20).run(np.random.default_rng(0).normal(size=500))
    shuffled = control_states("shuffled states", np.zeros(500), states)
    assert np.array_equal(np.sort(shuffled[:, 0]), np.sort(states[:, 0]))
    turned = control_states("random phases", np.zeros(500), states)
    assert np.abs(np.fft.rfft(turned, axis=0)) == pytest.approx(np.abs(np.fft.rfft(states, axis=0)), abs=1e-9)
    assert not np.allclose(turned, states)


def test_taps_hold_as_many_inputs_as_they_are():
    assert memory_capacity(Taps(7), 3000, 30).total == pytest.approx(7.0, abs=1e-9)


def test_products_of_two_taps_hold_their_degree_two():
    found = information_capacity(Taps(4, 2), 4000, {1: 8, 2: 8, 3: 5})
    assert found.by_degree[1] == pytest.approx(4.0, abs=0.01)
    assert found.by_degree[2] == pytest.approx(10.0, abs=0.01)
    assert found.by_degree[3] < 0.1


def test_noise_remembers_nothing():
    totals = [memory_capacity(Noise(20, seed), 3000, 50, seed=seed).total for seed in range(10)]
    assert np.mean(totals) < 0.01  # without a threshold it would be 50 * 20 / 3000 = 0.33


def test_a_noisy_tap_holds_its_share():
    class Noisy(Noise):
        def run(self, inputs):
            return inputs[:, None] + np.sqrt(1 / 3) * super().run(inputs)

    assert memory_capacity(Noisy(1), 20_000, 5).total == pytest.approx(0.5, abs=0.02)


def test_capacity_is_at_most_the_rank():
    found = information_capacity(EchoStateNetwork(30, scale=0.5), 6000, {1: 30, 2: 10, 3: 5})
    assert found.rank == 30
    assert 15 < found.total <= 30.0


def test_memory_is_the_squared_correlation_of_readouts_on_steps_held_out():
    net = EchoStateNetwork(40, radius=0.9, scale=0.1, bias=0.0, seed=1)
    u = np.random.default_rng([0, 17]).uniform(-1, 1, 20_000)  # what memory_capacity draws
    states = net.run(u)
    held_out = 0.0
    for lag in range(60):
        wanted = np.roll(u, lag)
        readout = Readout.fit(states[200:10_000], wanted[200:10_000], (1e-9,))
        held_out += np.corrcoef(readout.predict(states[10_000:]), wanted[10_000:])[0, 1] ** 2
    assert memory_capacity(net, 20_000, 60).total == pytest.approx(held_out, rel=0.02)


def test_too_few_steps_for_the_states_are_refused():
    with pytest.raises(SpecError, match="give more steps"):
        memory_capacity(Noise(100), 300, 10)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: information_capacity(Taps(2), 1000, {}),
        lambda: information_capacity(Taps(2), 1000, {0: 3}),
        lambda: information_capacity(Taps(2), 1000, {1: 3}, low=1.0, high=1.0),
        lambda: evaluate(_Given(np.zeros((3, 2))), task("xor", 1000)),
        lambda: hash_features(np.zeros(2), 0),
        lambda: rgba(b"x"),
        lambda: energy_claim(1),
    ],
)
def test_what_does_not_fit_is_refused(ask):
    with pytest.raises(SpecError):
        ask()


def test_an_unknown_control_is_named():
    with pytest.raises(UnknownNameError, match="Poisson"):
        control_states("poison", np.zeros(3), np.zeros((3, 1)))


def test_words_of_a_hash_are_big_endian_fractions():
    digest = bytes.fromhex("8000000000000000" + "00" * 8 + "ff" * 8 + "0000000000000001")
    assert rgba(digest) == (2**63 / (2**64 - 1), 0.0, 1.0, 1 / (2**64 - 1))


def test_equal_inputs_have_equal_hashes_and_near_ones_have_not():
    found = hash_features(np.array([0.5, 0.5, np.nextafter(0.5, 1)]), 8)
    assert np.array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.05


def test_the_published_ratio_mixes_bits_and_states():
    claim = energy_claim(16)
    assert claim.mixed == 65536 / 4
    assert claim.as_states == 16 / 4
    assert claim.as_bits == 65536 / 16


def test_the_printed_score_names_every_control():
    text = str(evaluate(Taps(3), task("xor", 1000)))
    assert all(name in text for name in CONTROLS)


def test_a_handful_of_held_out_steps_beats_nothing():
    inputs = np.random.default_rng(0).uniform(size=60)
    short = Task("copy", inputs, inputs, washout=5, train=50)
    score = evaluate(Taps(1), short, controls=["constant", "Poisson"])
    assert score.nrmse < 1e-6
    assert not score.useful
    assert json.loads(json.dumps(score.as_dict(), allow_nan=False))["controls"]["constant"]["low"] is None
