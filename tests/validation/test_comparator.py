"""The synapse's firing curve against the circuit simulation that it was fitted to."""

import json
import math

import pytest

from hwmodel.sfq.neuro import COMPARATOR_1THZ, COMPARATOR_10THZ, Synapse

CURRENTS = {"1thz": [*range(74, 87), 88], "10thz": list(range(76, 87))}


@pytest.fixture(scope="module")
def josim(reference_data):
    return json.loads(
        (reference_data / "sfq" / "comparator" / "josim_reference.json").read_text(encoding="utf-8")
    )


def curve(josim, bandwidth):
    points = josim["P_fire_vs_Ix_uA"] if bandwidth == "1thz" else josim["neb_1e13_seed999"]["P"]
    return {float(current): probability for current, probability in points.items()}


def comparator_of(bandwidth):
    return COMPARATOR_1THZ if bandwidth == "1thz" else COMPARATOR_10THZ


@pytest.mark.parametrize("bandwidth", ["1thz", "10thz"])
def test_the_points_in_the_package_are_those_of_the_run(josim, bandwidth):
    kept = {point.current_ua: point.probability for point in comparator_of(bandwidth).points}
    assert kept == curve(josim, bandwidth)
    assert {point.pulses for point in comparator_of(bandwidth).points} == {josim["pulses_per_point"]}


@pytest.mark.parametrize("bandwidth", ["1thz", "10thz"])
def test_mu_and_sigma_are_those_of_the_fit(josim, bandwidth):
    fit = josim["fit"] if bandwidth == "1thz" else josim["neb_1e13_seed999"]["fit"]
    found = comparator_of(bandwidth)
    assert (found.mu.value, found.sigma.value) == (fit["mu_uA"], fit["sigma_uA"])


@pytest.mark.parametrize(
    ("bandwidth", "current"), [(name, current) for name, row in CURRENTS.items() for current in row]
)
def test_curve_lies_within_the_binomial_error(josim, bandwidth, current):
    seen = curve(josim, bandwidth)[float(current)]
    pulses = josim["pulses_per_point"]
    expected = Synapse(comparator_of(bandwidth)).probability(current).item()
    # Three standard deviations of a count with the expected rate, and one count for the tails, where it is not normal.
    assert abs(seen - expected) < 3 * math.sqrt(expected * (1 - expected) / pulses) + 1 / pulses


def test_every_point_of_the_run_is_tested(josim):
    for bandwidth, row in CURRENTS.items():
        assert sorted(curve(josim, bandwidth)) == row


def test_residuals_are_those_of_the_fit(josim):
    points = curve(josim, "1thz")
    squares = [(Synapse().probability(current).item() - p) ** 2 for current, p in points.items()]
    assert math.sqrt(sum(squares) / len(squares)) == pytest.approx(josim["fit"]["rms"], rel=0.2)


def test_temperature_of_the_run_is_the_reference_temperature(josim):
    assert COMPARATOR_1THZ.temperature.value == josim["T_K"]
    assert COMPARATOR_1THZ.noise_bandwidth.value == josim["neb_Hz"]
