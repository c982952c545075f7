"""Networks as pulse-level circuits: timing by construction, and agreement with the rate algebra."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.sfq.neuro import NetworkSpec, PulseNetwork, RateNetwork, Synapse
from hwmodel.units import fs, ps

ON, OFF = 88.0, 74.0


def deterministic(spec, period):
    """A network whose synapses pass always or never: at 1 mK the grey zone is gone."""
    return PulseNetwork(spec, Synapse(temperature_k=1e-3), period)


def all_neurons(spec):
    return [name for row in spec.neuron_names for name in row]


@pytest.mark.kernels
@pytest.mark.parametrize("fan_in", ["aligned", "staggered"])
def test_inhibition_wins_in_every_slot(fan_in):
    network = deterministic(NetworkSpec((2, 1), fan_in=fan_in), "100 ps")
    patterns = [[0, 0], [1, 0], [1, 1], [0, 1], [1, 0], [1, 0], [1, 1], [1, 0]]
    run = network.run([ON, OFF, OFF, ON], patterns)  # a and not b
    assert run.fired["out"].tolist() == [a == 1 and b == 0 for a, b in patterns]


@pytest.mark.kernels
@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_counters_need_as_many_pulses_as_their_threshold(threshold):
    network = deterministic(NetworkSpec((3, 1), threshold, fan_in="staggered"), "200 ps")
    patterns = [[n & 1, n >> 1 & 1, n >> 2 & 1] for n in range(8)]
    run = network.run([ON] * 3 + [OFF] * 3, patterns)
    assert run.fired["out"].tolist() == [sum(p) >= threshold for p in patterns]


@pytest.mark.kernels
def test_always_on_source_makes_an_inverter():
    network = deterministic(NetworkSpec((1, 1), always_on=True), "100 ps")
    run = network.run([OFF, ON, ON, OFF], [[0], [1], [0], [0], [1]])
    assert run.fired["out"].tolist() == [True, False, True, True, False]


@pytest.mark.kernels
def test_two_layers_answer_each_slot_on_its_own():
    network = deterministic(NetworkSpec((2, 2, 1)), "100 ps")
    xor = [ON, OFF, OFF, ON, OFF, ON, ON, OFF, ON, ON, OFF, OFF]
    bits = np.random.default_rng(0).random((300, 2)) < 0.5
    run = network.run(xor, bits)
    np.testing.assert_array_equal(run.fired["out"], bits[:, 0] ^ bits[:, 1])


@pytest.mark.kernels
@settings(max_examples=12, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=3).map(tuple),
    threshold=st.integers(1, 3),
    decision=st.booleans(),
    on=st.booleans(),
)
def test_staggered_circuits_break_no_hold_at_their_shortest_slot(sizes, threshold, decision, on):
    spec = NetworkSpec(sizes, threshold, decision=decision, always_on=on, fan_in="staggered")
    shortest = PulseNetwork(spec, period="10 ns").timing.min_period
    network = PulseNetwork(spec, period=fs(shortest))
    bits = np.random.default_rng(1).random((60, sizes[0])) < 0.8
    run = network.run(np.full(spec.parameters, 83.0), bits)
    assert run.result.stats["network.violations"] == 0


@pytest.mark.kernels
def test_aligned_circuits_lose_pulses_in_mergers_only():
    spec = NetworkSpec((3, 3, 1))
    shortest = PulseNetwork(spec).timing.min_period
    run = PulseNetwork(spec, period=fs(shortest)).run(np.full(spec.parameters, 84.0), np.ones((200, 3)))
    broken = [key for key in run.result.stats if key.startswith("network.violations.")]
    assert broken
    assert all("merge" in key for key in broken)
    assert run.result.stats["network.violations"] == run.result.stats["network.pulses_lost"]


def test_shorter_slots_are_refused_with_the_shortest_that_will_do():
    shortest = PulseNetwork().timing.min_period
    with pytest.raises(SpecError, match=r"is too short.*use 23\.9 ps or more"):
        PulseNetwork(period=fs(shortest - 1))


@pytest.mark.kernels
@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec((2, 2, 1)),
        NetworkSpec((3, 2, 2), decision=True),
        NetworkSpec((2, 3, 1), always_on=True, fan_in="staggered"),
        NetworkSpec((3, 3, 1), thresholds=2, fan_in="staggered"),
        NetworkSpec((3, 2, 1), thresholds=(2, 1), fan_in="staggered", always_on=True, decision=True),
    ],
    ids=str,
)
def test_pulses_come_at_the_rates_of_the_algebra(spec):
    random = np.random.default_rng(1)
    slots = 2000
    currents = np.concatenate(
        [
            np.concatenate(
                [random.uniform(81, 87, n * m), random.uniform(74, 81, n * m), random.uniform(81, 87, n)]
            )[: 2 * n * m + (n if spec.decision else 0)]
            for n, m in spec.shapes
        ]
    )
    rates = random.uniform(0.4, 1.0, spec.sizes[0])
    bits = random.random((slots, spec.sizes[0])) < rates
    run = PulseNetwork(spec, period="250 ps").run(currents, bits, seed=1, neurons=all_neurons(spec))
    activity = RateNetwork(spec).rates(currents, [rates])
    for row, layer in zip(spec.neuron_names, activity.layers, strict=True):
        for name, expected in zip(row, layer[0], strict=True):
            sd = math.sqrt(expected * (1 - expected) / slots)
            assert abs(run.fired[name].mean() - expected) < 4 * sd, name


@pytest.mark.kernels
def test_pulses_leave_exactly_at_the_latency():
    network = deterministic(NetworkSpec((2, 2, 1)), "100 ps")
    run = network.run([ON] * 6 + [OFF] * 2 + [ON] * 2 + [OFF] * 2, [[1, 0]])
    assert len(run.result["out"]) <= 1
    run = network.run([ON] * 4 + [OFF] * 4 + [ON] * 2 + [OFF] * 2, [[1, 0], [0, 0], [1, 1]])
    expected = [ps(100) + network.latency, ps(300) + network.latency]
    assert run.result["out"].t.tolist() == expected


def test_latency_of_the_xor_network():
    network = PulseNetwork()
    assert network.latency == ps(86.1)
    assert network.latency_slots == 1


def test_junctions_are_counted_cell_by_cell():
    netlist = PulseNetwork().netlist(np.full(12, 80.0))
    cells = netlist.structure.cell_counts()
    assert cells["synapse"] == 12
    assert cells["ndro"] == 3
    assert cells["merge"] == 9  # two fan-ins and a clear for each neuron
    assert netlist.jj_count == 12 * 7 + 3 * 11 + 9 * 7 + 3 * cells["split"] + 2 * cells["jtl"]


def test_netlist_has_no_warnings():
    assert PulseNetwork().netlist(np.full(12, 80.0)).check() == []


def test_weights_take_their_own_power():
    assert PulseNetwork().weight_power_w(np.full(12, 80.0)) == pytest.approx(12 * 80e-6 * 2.6e-3)


def test_stimulus_brings_inputs_with_the_clock():
    times = PulseNetwork().stimulus([[1, 0], [0, 0], [1, 1]])
    assert list(times) == ["a", "b", "clk"]
    assert np.asarray(times["clk"]).tolist() == [100_000, 200_000, 300_000]
    assert np.asarray(times["a"]).tolist() == [100_000, 300_000]
    assert np.asarray(times["b"]).tolist() == [300_000]


@pytest.mark.kernels
def test_seed_decides_the_draws():
    network = PulseNetwork()
    currents = np.full(12, 81.0)
    first, again, other = (network.run(currents, np.ones((200, 2)), seed=s).fired["out"] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.kernels
def test_hotter_circuits_have_less_margin():
    currents = [88, 74, 74, 88, 74, 88, 88, 74, 88, 88, 74, 74]
    margins = []
    for kelvin in (4.2, 40.0):
        network = PulseNetwork(synapse=Synapse(temperature_k=kelvin))
        one, zero = (network.run(currents, [p] * 800, seed=1).fired["out"].mean() for p in ([1, 0], [1, 1]))
        margins.append(one - zero)
    assert margins[0] > margins[1] + 0.2


@pytest.mark.parametrize("patterns", [[1, 0], [[1, 0, 1]], []])
def test_patterns_of_the_wrong_shape_are_refused(patterns):
    with pytest.raises(SpecError, match=r"patterns must have shape \(slots, 2\)"):
        PulseNetwork().stimulus(patterns)


def test_several_vectors_of_currents_are_refused():
    with pytest.raises(SpecError, match="one vector of bias currents"):
        PulseNetwork().netlist(np.full((2, 12), 80.0))


def test_unknown_neuron_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'h1'"):
        PulseNetwork().run(np.full(12, 80.0), [[1, 1]], neurons=["h11"])
