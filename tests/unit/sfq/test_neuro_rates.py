"""The rate algebra: exact propagation, the independent approximation, gradients."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.sfq.neuro import LayerBias, NetworkSpec, RateNetwork, Synapse, independent_patterns, pattern_bits

ON, OFF = 120.0, 40.0  # currents at which a synapse always or never passes a pulse


def brute_force(spec, currents, rates):
    """Output rates by adding up every outcome of every synapse: the definition, without any algebra."""
    synapse = Synapse()
    patterns = {
        bits: np.prod([r if b else 1 - r for b, r in zip(bits, rates, strict=True)])
        for bits in itertools.product((0, 1), repeat=len(rates))
    }
    for layer, threshold in zip(spec.unpack(currents), spec.layer_thresholds, strict=True):
        excite, inhibit = synapse.probability(layer.excitatory), synapse.probability(layer.inhibitory)
        after = {}
        for bits, chance in patterns.items():
            source = (*bits, 1) if spec.always_on else bits
            fires = []
            for j in range(excite.shape[0]):
                total = 0.0
                for passed in itertools.product((0, 1), repeat=2 * len(source)):
                    exc, inh = passed[: len(source)], passed[len(source) :]
                    weight = 1.0
                    for i, bit in enumerate(source):
                        for hit, p in ((exc[i], bit * excite[j, i]), (inh[i], bit * inhibit[j, i])):
                            weight *= p if hit else 1 - p
                    total += weight * (sum(exc) >= threshold and sum(inh) == 0)
                decide = synapse.probability(layer.decision[j]).item() if layer.decision is not None else 1.0
                fires.append(total * decide)
            for out in itertools.product((0, 1), repeat=len(fires)):
                p = chance * np.prod([f if b else 1 - f for b, f in zip(out, fires, strict=True)])
                after[out] = after.get(out, 0.0) + p
        patterns = after
    return [sum(p for bits, p in patterns.items() if bits[j]) for j in range(spec.sizes[-1])]


SPECS = [
    NetworkSpec((2, 2, 1)),
    NetworkSpec((2, 2, 2), thresholds=2, fan_in="staggered"),
    NetworkSpec((3, 2, 1), thresholds=(2, 1), fan_in="staggered", decision=True),
    NetworkSpec((2, 2, 1), always_on=True),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_exact_rates_are_the_sum_over_all_outcomes(spec):
    random = np.random.default_rng(3)
    currents = random.uniform(78.0, 85.0, spec.parameters)
    rates = random.random(spec.sizes[0])
    got = RateNetwork(spec).rates(currents, [rates], method="exact").output[0]
    np.testing.assert_allclose(got, brute_force(spec, currents, rates), rtol=1e-12)


@pytest.mark.parametrize("method", ["exact", "independent"])
@pytest.mark.parametrize(
    "spec", [*SPECS, NetworkSpec((3, 4, 3, 2), 2, decision=True, always_on=True, fan_in="staggered")], ids=str
)
def test_gradient_is_the_finite_difference(spec, method):
    random = np.random.default_rng(7)
    network = RateNetwork(spec)
    currents = random.uniform(77.0, 86.0, (2, spec.parameters))
    inputs, targets = random.random((4, spec.sizes[0])), random.random((4, spec.sizes[-1]))
    _, gradient = network.loss_and_gradient(currents, inputs, targets, method)
    step = 1e-4
    for i in range(spec.parameters):
        shift = np.zeros(spec.parameters)
        shift[i] = step
        up, down = (network.loss(currents + s * shift, inputs, targets, method) for s in (1, -1))
        np.testing.assert_allclose(gradient[:, i], (up - down) / (2 * step), atol=1e-8)


def test_loss_of_both_functions_is_one():
    network = RateNetwork()
    currents = np.full(12, 81.0)
    args = ([[0.1, 0.9]], [[1.0]])
    assert network.loss(currents, *args) == network.loss_and_gradient(currents, *args)[0]


def test_one_layer_is_exact_without_patterns():
    network = RateNetwork(NetworkSpec((4, 3)))
    currents = np.random.default_rng(1).uniform(77, 86, 24)
    rates = [[0.2, 0.9, 0.5, 0.7]]
    exact, fast = (network.rates(currents, rates, method=m).output for m in ("exact", "independent"))
    np.testing.assert_allclose(exact, fast, rtol=1e-12)


def test_correlated_streams_differ_from_independent_ones():
    # h1 and h2 both copy a, so that "out = h1 and h2" has the rate of a and not its square.
    spec = NetworkSpec((1, 2, 1), thresholds=(1, 2), fan_in="staggered")
    currents = spec.pack(
        [
            LayerBias(np.full((2, 1), ON), np.full((2, 1), OFF)),
            LayerBias(np.full((1, 2), ON), np.full((1, 2), OFF)),
        ]
    )
    network = RateNetwork(spec)
    assert network.rates(currents, [[0.5]], "exact").output.item() == pytest.approx(0.5)
    assert network.rates(currents, [[0.5]], "independent").output.item() == pytest.approx(0.25)


def test_inhibition_wins():
    currents = [ON, OFF, OFF, ON]
    out = RateNetwork(NetworkSpec((2, 1))).rates(currents, [[1, 0], [1, 1]]).output
    np.testing.assert_allclose(out, [[1.0], [0.0]], atol=1e-12)


def test_always_on_source_makes_an_inverter():
    spec = NetworkSpec((1, 1), always_on=True)
    assert spec.parameter_names == ("out<+a", "out<+on", "out<-a", "out<-on")
    out = RateNetwork(spec).rates([OFF, ON, ON, OFF], [[0.0], [1.0]]).output
    np.testing.assert_allclose(out, [[1.0], [0.0]], atol=1e-12)


def test_aligned_pulses_merge_to_or():
    out = RateNetwork(NetworkSpec((2, 1))).rates([ON, ON, OFF, OFF], [[0.5, 0.5]]).output
    assert out.item() == pytest.approx(0.75)


def test_widest_exact_layer_is_followed():
    spec = NetworkSpec((12, 2, 1))
    currents = np.random.default_rng(2).uniform(78, 85, spec.parameters)
    out = RateNetwork(spec).rates(currents, [np.linspace(0, 1, 12)], "exact").output.item()
    assert 0.0 < out < 1.0


def test_wider_layers_need_the_approximation():
    network = RateNetwork(NetworkSpec((13, 1)))
    with pytest.raises(SpecError, match="use method='independent'"):
        network.rates(np.full(26, 81.0), [np.full(13, 0.5)], "exact")
    assert network.rates(np.full(26, 81.0), [np.full(13, 0.5)]).output.shape == (1, 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_patterns_are_a_distribution_with_the_rates_as_marginals(rates):
    shares = independent_patterns(rates)
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(shares @ pattern_bits(len(rates)), rates, atol=1e-12)


def test_patterns_and_rates_give_the_same():
    network = RateNetwork()
    currents = np.linspace(76, 86, 12)
    rates = [[0.3, 0.8], [0.9, 0.1]]
    direct = network.rates(currents, rates).output
    np.testing.assert_allclose(
        network.rates_of_patterns(currents, independent_patterns(rates)).output, direct
    )


@settings(max_examples=40)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**31 - 1), st.booleans())
def test_rates_are_probabilities(n, threshold, seed, on):
    spec = NetworkSpec((n, 2, n), threshold, always_on=on, fan_in="staggered")
    random = np.random.default_rng(seed)
    activity = RateNetwork(spec).rates(random.uniform(70, 92, spec.parameters), random.random((3, n)))
    for layer in activity.layers:
        assert np.all((layer >= -1e-12) & (layer <= 1 + 1e-12))


def test_more_temperature_makes_less_margin():
    margins = []
    currents = [88, 74, 74, 88, 74, 88, 88, 74, 88, 88, 74, 74]
    for kelvin in (1.0, 4.2, 10.0, 30.0):
        network = RateNetwork(synapse=Synapse(temperature_k=kelvin))
        out = network.rates(currents, [[0, 0], [0, 1], [1, 0], [1, 1]]).output[:, 0]
        margins.append(min(out[1], out[2]) - max(out[0], out[3]))
    assert margins == sorted(margins, reverse=True)
    assert margins[0] > margins[-1] + 0.2


def test_pack_is_the_inverse_of_unpack():
    spec = NetworkSpec((3, 4, 2), decision=True, always_on=True)
    vector = np.arange(float(spec.parameters))
    np.testing.assert_array_equal(spec.pack(spec.unpack(vector)), vector)
    assert len(spec.parameter_names) == len(set(spec.parameter_names)) == spec.parameters


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"sizes": (2,)}, "inputs and outputs"),
        ({"sizes": (2, 0, 1)}, "0 must be a whole number"),
        ({"sizes": 2}, "a sequence"),
        ({"sizes": (2, 2.5)}, "2.5 must be a whole number"),
        ({"thresholds": (1, 1, 1)}, "one for each of 2 layers"),
        ({"thresholds": 0}, "1 or more"),
        ({"thresholds": 2}, "use fan_in='staggered'"),
        ({"thresholds": 99, "fan_in": "staggered"}, "at most 16"),
        ({"fan_in": "stagered"}, "did you mean 'staggered'"),
    ],
)
def test_malformed_spec_is_refused(arguments, match):
    with pytest.raises(SpecError, match=match):
        NetworkSpec(**arguments)


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ([[0.1]], "shape"),
        ([0.1, 0.2], "shape"),
        ([[0.1, 1.2]], "between 0 and 1"),
        ([[0.1, np.nan]], "between 0 and 1"),
    ],
)
def test_malformed_inputs_are_refused(inputs, match):
    with pytest.raises(SpecError, match=match):
        RateNetwork().rates(np.full(12, 80.0), inputs)


def test_wrong_number_of_currents_is_refused():
    with pytest.raises(SpecError, match="has 12 bias currents"):
        RateNetwork().rates(np.full(11, 80.0), [[0, 0]])


def test_targets_of_another_shape_are_refused():
    with pytest.raises(SpecError, match="targets must have shape"):
        RateNetwork().loss(np.full(12, 80.0), [[0, 0]], [[0], [1]])


def test_patterns_that_are_no_distribution_are_refused():
    with pytest.raises(SpecError, match="sum 1"):
        RateNetwork().rates_of_patterns(np.full(12, 80.0), [[0.5, 0.5, 0.5, 0.5]])


def test_unknown_method_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'exact'"):
        RateNetwork().rates(np.full(12, 80.0), [[0, 0]], "exct")
