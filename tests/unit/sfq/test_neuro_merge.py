"""The rate behind a merger of unsynchronised streams."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import System
from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.sfq import Netlist, library
from hwmodel.sfq.neuro import MergeHolds, merge_rate
from hwmodel.units import fs, ps


def run_merger(times_a, times_b):
    net = Netlist("m", policy="drop")
    net.output("q", net.merge(net.input("a"), net.input("b")))
    system = System(net)
    for port, times in (("a", times_a), ("b", times_b)):
        system.drive(port, at=fs(np.asarray(times, dtype=np.int64)))
    until = int(max(times_a[-1], times_b[-1])) + 100_000
    return len(system.run(until=fs(until), watch=["q"])["q"])


def test_holds_are_those_of_the_library():
    assert MergeHolds.of(library("rsfq")["merge"]) == MergeHolds(10_200, 2_300, 2_200, 10_200)


@pytest.mark.kernels
@pytest.mark.parametrize(
    ("rate_a", "rate_b", "period"), [(0.9, 0.9, 15_000), (0.5, 0.8, 12_000), (1.0, 0.3, 100_000)]
)
def test_slotted_rate_is_that_of_the_pulse_engine(rate_a, rate_b, period):
    # Many phases, many slots each: phases are spread evenly, so that only the draws are random.
    random = np.random.default_rng(11)
    phases, slots = 120, 100
    kept = 0
    for n in range(phases):
        offset = int(period * (n + 0.5) / phases)
        at = np.arange(slots) * period
        a = at[random.random(slots) < rate_a] + period
        b = at[random.random(slots) < rate_b] + period + offset
        kept += run_merger(a, b)
    total = phases * slots
    expected = merge_rate(rate_a, rate_b, fs(period))
    sd = math.sqrt((rate_a * (1 - rate_a) + rate_b * (1 - rate_b) + 0.25) / total)
    assert abs(kept / total - expected) < 4 * sd
    # The loss itself must be visible: the rate without collisions would not pass.
    if period < 20_000:
        assert abs(kept / total - rate_a - rate_b) > 4 * sd


@pytest.mark.kernels
@pytest.mark.parametrize(("rate_a", "rate_b"), [(0.5, 0.5), (2.0, 1.0), (6.0, 6.0)])
def test_poisson_rate_is_that_of_the_pulse_engine(rate_a, rate_b):
    random = np.random.default_rng(5)
    slots = 20_000
    streams = [
        np.unique(random.integers(0, slots * 100_000, random.poisson(rate * slots)))
        for rate in (rate_a, rate_b)
    ]
    kept = run_merger(*streams) / slots
    # Accepted pulses are more regular than Poisson ones, so this is more than one standard deviation.
    sd = math.sqrt(kept / slots)
    expected = merge_rate(rate_a, rate_b, process="poisson")
    assert abs(kept - expected) < 4 * sd
    if rate_a + rate_b > 2:
        assert abs(kept - rate_a - rate_b) > 4 * sd


@settings(max_examples=25)
@given(st.floats(0, 3), st.floats(0, 3))
def test_poisson_merging_only_loses(rate_a, rate_b):
    rate = merge_rate(rate_a, rate_b, process="poisson")
    assert rate <= rate_a + rate_b + 1e-9
    assert rate >= max(merge_rate(r, 0.0, process="poisson") for r in (rate_a, rate_b)) * 0.999


@given(st.floats(0, 1), st.floats(0, 1))
def test_slotted_merging_loses_the_collisions(rate_a, rate_b):
    assert merge_rate(rate_a, rate_b) == pytest.approx(rate_a + rate_b - 0.045 * rate_a * rate_b)


def test_a_stream_of_almost_nothing_does_not_disturb_the_other():
    assert merge_rate(1.0, 2.2e-311, process="poisson") == merge_rate(1.0, 0.0, process="poisson")
    assert merge_rate(1e-300, 0.5, process="poisson") == merge_rate(0.0, 0.5, process="poisson")


def test_a_single_poisson_stream_has_a_dead_time():
    assert merge_rate(1.0, 0.0, process="poisson") == pytest.approx(1.0 / 1.102)


def test_dense_poisson_streams_saturate():
    # Both kinds alternate as fast as the cross holds let them, within the 10.2 ps that each must keep itself.
    assert merge_rate(500.0, 500.0, process="poisson") == pytest.approx(2 / 0.102, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"rate_a": 1.2, "rate_b": 0.1}, SpecError, "rate_a=1.2.*at most 1"),
        ({"rate_a": 0.2, "rate_b": -0.1}, SpecError, "rate_b=-0.1"),
        ({"rate_a": 0.2, "rate_b": math.nan}, SpecError, "rate_b=nan"),
        ({"rate_a": 0.2, "rate_b": 0.1, "period": ps(5)}, SpecError, "shorter than 10.2 ps"),
        ({"rate_a": 0.2, "rate_b": 0.1, "process": "poison"}, UnknownNameError, "did you mean 'poisson'"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        merge_rate(**arguments)
