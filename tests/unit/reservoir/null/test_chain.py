"""Event-level simulators: each stage does what it says and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir.null import Chain, DeadTime, fit_dead_time, simulate


def intervals(chain, n=20_000, seed=1):
    return np.diff(simulate(chain, n, seed))


@pytest.mark.parametrize(
    "extra", [{}, {"dead": 0.2}, {"tick": 0.1}, {"stalls": 0.1, "stall": 3.0}, {"baud": 300.0}]
)
def test_times_never_fall_and_seeds_fix_them(extra):
    chain = Chain(1.0, **extra)
    times = simulate(chain, 5000, 7)
    assert (np.diff(times) >= 0).all()
    np.testing.assert_array_equal(times, simulate(chain, 5000, 7))
    assert not np.array_equal(times, simulate(chain, 5000, 8))


@pytest.mark.parametrize(
    "extra", [{}, {"tick": 0.1}, {"latency": 5.0}, {"baud": 1000.0}, {"duplicates": 0.0}]
)
def test_an_open_loop_keeps_the_rate(extra):
    assert intervals(Chain(2.0, **extra)).mean() == pytest.approx(0.5, rel=0.03)


def test_frames_never_overlap_on_the_line():
    chain = Chain(50.0, baud=9600.0)
    assert intervals(chain).min() >= 11 * 10 / 9600 * (1 - 1e-6)


def test_a_host_tick_leaves_whole_ticks():
    times = simulate(Chain(30.0, tick=0.01), 2000, 1)
    np.testing.assert_allclose(times / 0.01, np.round(times / 0.01), atol=1e-6)


def test_dead_time_is_the_least_interval():
    x = intervals(Chain(10.0, dead=0.05))
    assert 0.05 <= x.min() < 0.051
    assert x.mean() == pytest.approx(0.15, rel=0.02)


def test_a_replayed_job_repeats_itself():
    times = simulate(Chain(0.5, replay=30.0), 400, 2)
    hits = int(np.sum(times < 30.0))
    np.testing.assert_allclose(times[hits : 2 * hits] - times[:hits], 30.0)


def test_reboots_leave_gaps_of_their_length():
    times = simulate(Chain(1.0, reboot_every=100.0, reboot_for=20.0), 5000, 1)
    assert ((times % 100.0) < 80.0).all()


def test_factors_change_the_rate_in_turn():
    times = simulate(Chain(10.0, factors=(1.0, 3.0), dwell=50.0), 20_000, 1)
    slow = times[: np.searchsorted(times, times[-1] // 100 * 100)] % 100.0 < 50.0
    assert np.mean(slow) == pytest.approx(0.25, abs=0.02)


def test_duplicates_come_at_their_share():
    x = intervals(Chain(0.01, duplicates=0.1, duplicate_delay=1e-6))
    assert np.mean(x < 1e-3) == pytest.approx(0.1 / 1.1, abs=0.01)


def test_thinning_does_not_touch_the_local_order():
    x = intervals(Chain(5.0, thinning=1.0, thinning_period=100.0))
    assert x.mean() == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate=0"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"tick": -1.0}, "tick=-1"),
        ({"duplicates": 1.5}, "duplicates=1.5"),
        ({"reboot_every": 1.0, "reboot_for": 1.0}, "reboot_for=1"),
        ({"factors": (1.0, 2.0)}, "need a dwell"),
        ({"extras": 0.1}, "extra_gaps"),
        ({"dead_shape": 0.0}, "dead_shape=0"),
    ],
)
def test_a_chain_that_cannot_be_is_refused(options, message):
    with pytest.raises(SpecError, match=message):
        Chain(**{"rate": 1.0, **options})


@pytest.mark.parametrize("events", [0, 10**9])
def test_a_number_of_events_out_of_range_is_refused(events):
    with pytest.raises(SpecError, match=f"events={events}"):
        simulate(Chain(1.0), events)


@pytest.mark.parametrize("true", [DeadTime(0.02, 0.01, 1.0, 0.08), DeadTime(0.017, 0.016, 0.5, 0.075)])
def test_a_planted_dead_time_is_found(true):
    sample = true.draw(np.random.default_rng(3), 6000)
    found = fit_dead_time(sample)
    assert found.mean == pytest.approx(true.mean, rel=0.02)
    assert found.fixed == pytest.approx(true.fixed, abs=0.002)
    assert found.wait == pytest.approx(true.wait, rel=0.1)


def test_the_distribution_of_dead_time_is_that_of_its_draws():
    one = DeadTime(0.02, 0.015, 0.7, 0.08)
    sample = np.sort(one.draw(np.random.default_rng(1), 200_000))
    np.testing.assert_allclose(one.cdf(sample), np.arange(200_000) / 200_000, atol=0.005)


def test_the_form_is_tested_with_every_replicate_fitted_anew():
    right = DeadTime(0.02, 0.01, 1.0, 0.08).draw(np.random.default_rng(5), 300)
    assert fit_dead_time(right, 19).fit.p > 0.05
    two = np.concatenate([np.full(150, 0.05), np.full(150, 0.2)]) + right / 100
    assert fit_dead_time(two, 19).fit.p == pytest.approx(0.05)


def test_too_few_intervals_are_refused():
    with pytest.raises(StimulusError, match="5 values"):
        fit_dead_time(np.ones(5))
