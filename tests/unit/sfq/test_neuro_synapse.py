"""The stochastic synapse: firing curve, inverse, quantisation, pulse cell."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel import System
from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.sfq import Netlist
from hwmodel.sfq.neuro import (
    COMPARATOR_1THZ,
    COMPARATOR_10THZ,
    DEFAULT_COMPARATOR,
    Synapse,
    comparator,
    comparators,
    counter_cell,
    synapse_cell,
)
from hwmodel.units import ps


def test_default_parameters_are_the_1_thz_fit():
    assert DEFAULT_COMPARATOR is COMPARATOR_1THZ
    assert (COMPARATOR_1THZ.mu.value, COMPARATOR_1THZ.sigma.value) == (81.32, 2.20)


def test_the_10_thz_set_is_wider():
    assert COMPARATOR_10THZ.sigma.value == pytest.approx(3.16)
    assert COMPARATOR_10THZ.noise_bandwidth.value == 10 * COMPARATOR_1THZ.noise_bandwidth.value


def test_every_parameter_has_unit_and_source():
    for item in comparators.values():
        for quantity in (item.mu, item.sigma, item.delay, item.hold, item.jj, item.bias, item.jj_complement):
            assert quantity.unit
            assert len(quantity.source) > 10


def test_unknown_parameter_set_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'josim_1thz'"):
        comparator("josim_1th")


@pytest.mark.parametrize("z", [-6.0, -3.0, -1.0, 0.0, 0.5, 2.5])
def test_probability_is_the_normal_distribution(z):
    synapse = Synapse()
    got = synapse.probability(synapse.mu_ua + z * synapse.sigma_ua)
    assert got == pytest.approx(NormalDist().cdf(z), rel=1e-9)


def test_slope_is_the_derivative():
    synapse = Synapse()
    current = np.linspace(74.0, 88.0, 29)
    step = 1e-5
    numeric = (synapse.probability(current + step) - synapse.probability(current - step)) / (2 * step)
    np.testing.assert_allclose(synapse.slope(current), numeric, rtol=1e-6, atol=1e-9)


def test_sigma_goes_with_the_root_of_the_temperature():
    assert Synapse(temperature_k=16.8).sigma_ua == pytest.approx(2 * Synapse(temperature_k=4.2).sigma_ua)


def test_grey_zone_is_that_of_the_reference():
    assert Synapse().grey_zone_ua == pytest.approx(5.5146, abs=1e-3)


@given(st.floats(0.001, 0.998))
def test_inverse_map_round_trip(weight):
    setting = Synapse().current(weight)
    assert setting.weight.item() == pytest.approx(weight, abs=1e-9)
    assert not setting.clipped.any()


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5), st.sampled_from([None, 0.1, 0.5, 2.0]))
def test_currents_stay_in_the_range_and_clipping_is_reported(weights, resolution):
    synapse = Synapse()
    setting = synapse.current(weights, resolution)
    lowest, highest = synapse.range_ua
    assert np.all((setting.current_ua >= lowest - 1e-9) & (setting.current_ua <= highest + 1e-9))
    reachable = synapse.probability([lowest, highest])
    outside = [not reachable[0] - 1e-12 <= w <= reachable[1] + 1e-12 for w in weights]
    assert setting.clipped.tolist() == outside
    assert setting.clipped_count == sum(outside)


@given(st.floats(74.0, 88.0), st.sampled_from([0.05, 0.1, 0.5, 1.0, 3.0]))
def test_quantised_currents_are_near_multiples(current, resolution):
    synapse = Synapse()
    got = synapse.setting(current, resolution).current_ua.item()
    assert got / resolution == pytest.approx(round(got / resolution), abs=1e-6)
    # Half a step, except where the range ends between two grid points.
    edge = synapse.setting([0.0, 200.0], resolution).current_ua
    assert abs(got - np.clip(current, *edge)) <= resolution / 2 + 1e-9


@pytest.mark.parametrize(
    ("temperature", "match"),
    [(0.0, "greater than 0"), (-1.0, "greater than 0"), (math.nan, "greater"), ("4", "kelvin")],
)
def test_bad_temperature_is_refused(temperature, match):
    with pytest.raises(SpecError, match=match):
        Synapse(temperature_k=temperature)


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_weight_outside_0_to_1_is_refused(weight):
    with pytest.raises(SpecError, match="must be a probability"):
        Synapse().current(weight)


@pytest.mark.parametrize("resolution", [0.0, -1.0, math.inf, True])
def test_bad_resolution_is_refused(resolution):
    with pytest.raises(SpecError, match="resolution_ua"):
        Synapse().current(0.5, resolution)


def test_resolution_without_a_grid_point_is_refused():
    with pytest.raises(SpecError, match="no multiple between 74 and 88"):
        Synapse().current(0.5, 100.0)


def test_comparator_must_be_one():
    with pytest.raises(SpecError, match="must be a Comparator"):
        Synapse(comparator="josim_1thz")


def _fires(current, pulses=4000, complementary=False, seed=5):
    synapse = Synapse()
    net = Netlist("one")
    outputs = net.add(
        synapse.cell(complementary), net.input("a"), probability=float(synapse.probability(current))
    )
    for name, wire in zip(("q", "qn"), outputs if complementary else (outputs,), strict=False):
        net.output(name, wire)
    system = System(net, seed=seed)
    times = [ps(100) * (n + 1) for n in range(pulses)]
    system.drive("a", at=times)
    watch = ["q", "qn"] if complementary else ["q"]
    return system.run(until=ps(100) * (pulses + 2), watch=watch)


@pytest.mark.kernels
@pytest.mark.parametrize("current", [76.0, 79.0, 81.32, 84.0])
def test_pulse_cell_fires_as_the_curve_says(current):
    expected = Synapse().probability(current).item()
    got = len(_fires(current)["q"]) / 4000
    assert abs(got - expected) < 4 * math.sqrt(expected * (1 - expected) / 4000)


@pytest.mark.kernels
def test_complementary_output_takes_every_blocked_pulse():
    result = _fires(80.0, pulses=500, complementary=True)
    times = np.sort(np.concatenate([result["q"].t, result["qn"].t]))
    np.testing.assert_array_equal(times, (np.arange(500) + 1) * 100_000 + 8_100)
    assert 0 < len(result["q"]) < 500


@pytest.mark.kernels
def test_draws_depend_on_the_seed_alone():
    first, again, other = (_fires(81.0, 300, seed=s)["q"].t for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_synapse_cell_has_the_deck_s_size():
    cell = synapse_cell()
    assert (cell.jj, cell.total_ic_ua, cell.bias_ua) == (7, 1290.0, 760.0)
    assert cell.switched_ic("0", "a") == 1190.0


def test_complementary_output_costs_junctions():
    assert synapse_cell(complementary=True).jj == 9


@given(st.integers(1, 6), st.lists(st.sampled_from("abc"), max_size=12))
def test_counter_fires_at_the_threshold(threshold, pulses):
    cell = counter_cell(threshold)
    state, count = cell.initial, 0
    for pulse in pulses:
        step = cell.step(state, "clk" if pulse == "c" else pulse)
        if pulse == "c":
            assert bool(step.fires) == (count >= threshold)
        count = count + 1 if pulse == "a" else 0
        state = step.next


@pytest.mark.parametrize("threshold", [0, -1, 17, 1.5, True])
def test_counter_refuses_odd_thresholds(threshold):
    with pytest.raises(SpecError, match="from 1 to 16"):
        counter_cell(threshold)


def test_hold_of_the_synapse_is_kept():
    assert synapse_cell().holds[0].time == ps(20)
