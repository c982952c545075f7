"""Statistics of event times: known values, laws, nulls, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir import stats

# few sizes, for each has a null of its own to simulate
INTERVALS = hnp.arrays(np.float64, st.sampled_from([5, 31]), elements=st.floats(1e-3, 1e3))


def poisson(n, seed=0, rate=1.0):
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, n))


@given(INTERVALS, st.floats(1e-3, 1e3))
def test_interval_statistics_do_not_depend_on_the_unit_of_time(x, factor):
    for one in (stats.cv, stats.cv2, stats.lv, stats.ks_exponential):
        assert one(x * factor).value == pytest.approx(one(x).value, rel=1e-6, abs=1e-9)


@given(INTERVALS)
def test_local_statistics_are_the_same_backwards(x):
    for one in (stats.cv2, stats.lv, stats.lvr):
        assert one(x[::-1]).value == pytest.approx(one(x).value)


@pytest.mark.parametrize("one", [stats.cv, stats.cv2, stats.lv, stats.isi_entropy])
def test_a_regular_series_has_no_variation(one):
    assert one(np.full(50, 2.0)).value == pytest.approx(0.0, abs=1e-9)


def test_a_pair_of_zeros_counts_as_alike():
    assert stats.lv([0.0, 0.0, 1.0]).value == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("one", "n"), [(stats.cv, 30), (stats.lv, 400), (stats.cv2, 400), (stats.isi_entropy, 100)]
)
def test_nulls_are_those_of_simulated_poisson_processes(one, n):
    rng = np.random.default_rng(5)
    found = np.array([one(rng.standard_exponential(n)).value for _ in range(1500)])
    estimate = one(rng.standard_exponential(n))
    assert estimate.null_value == pytest.approx(found.mean(), abs=5 * found.std() / math.sqrt(1500))
    assert estimate.null_sd == pytest.approx(found.std(), rel=0.12)


@pytest.mark.parametrize("one", [stats.fano_factor, stats.allan_factor])
@pytest.mark.parametrize("window", [0.3, 3.0])
def test_nulls_of_counts_are_those_of_simulated_poisson_processes(one, window):
    found = [one(poisson(300, seed), window) for seed in range(400)]
    values = np.array([estimate.value for estimate in found])
    assert values.mean() == pytest.approx(found[0].null_value, abs=5 * values.std() / 20)
    assert values.std() == pytest.approx(found[0].null_sd, rel=0.2)


def test_a_trailing_part_of_a_window_is_dropped():
    times = np.concatenate([np.arange(0.05, 100, 0.1), [100.03]])
    assert stats.count_windows(times, 10.0, start=0.0).tolist() == [100.0] * 10
    assert stats.fano_factor(np.arange(0.0, 10.31, 0.1), 1.0).value < 0.02


def test_fano_sees_a_rate_that_drifts_and_lv_does_not():
    work = poisson(20_000, 2)
    times = np.interp(work, [0, 5000, 15_000, 20_000], [0, 5000, 10_000, 15_000])
    x = np.diff(times)
    assert stats.fano_factor(times, 1000.0).p < 1e-6
    assert stats.lv(x).p > 0.01


def test_dead_time_lowers_cv_and_lv():
    x = np.random.default_rng(1).exponential(1.0, 5000) + 0.3
    assert stats.cv(x).value == pytest.approx(1 / 1.3, abs=0.03)
    assert stats.lv(x).p < 1e-9


def test_ks_with_fitted_mean_is_lilliefors_not_ks():
    from scipy.special import kolmogorov

    x = np.random.default_rng(0).gamma(1.3, 1.0, 300)
    estimate = stats.ks_exponential(x)
    naive = kolmogorov(estimate.value * math.sqrt(300))
    assert estimate.p < naive / 3


def test_small_samples_have_their_own_p():
    rng = np.random.default_rng(8)
    p = [stats.ks_exponential(rng.standard_exponential(5)).p for _ in range(20)]
    assert 0.2 < np.mean(p) < 0.8


def test_a_bootstrapped_fit_accepts_its_own_and_refuses_another():
    def fit(x):
        return float(x.mean())

    def cdf(x, mean):
        return -np.expm1(-x / mean)

    def draw(rng, n, mean):
        return rng.exponential(mean, n)

    rng = np.random.default_rng(4)
    assert stats.bootstrap_fit(rng.exponential(2.0, 200), fit, cdf, draw).p > 0.02
    assert stats.bootstrap_fit(rng.gamma(3.0, 1.0, 200), fit, cdf, draw).p == pytest.approx(0.005)


def modulated(depth, frequency, rate, seconds, seed):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, seconds, rng.poisson(rate * (1 + depth) * seconds)))
    return t[rng.random(len(t)) * (1 + depth) < 1 + depth * np.cos(2 * np.pi * frequency * t)]


def test_a_planted_modulation_is_found_at_the_promised_power():
    depth = stats.rayleigh_depth(2000)
    found = [stats.rayleigh(modulated(depth, 2.4, 10.0, 200.0, seed), 2.4).p < 1e-3 for seed in range(200)]
    assert 0.90 <= np.mean(found) <= 0.99


def test_a_planted_modulation_is_found_blind_and_at_its_frequency():
    spectrum = stats.rayleigh_scan(modulated(0.4, 2.4, 20.0, 200.0, 1), 0.5, 10.0)
    assert spectrum.peak.p < 1e-3
    assert spectrum.peak_frequency == pytest.approx(2.4, abs=0.006)


def test_the_scan_has_the_power_of_the_single_test():
    times = modulated(0.5, 2.4, 20.0, 100.0, 3)
    times -= times[0]
    spectrum = stats.rayleigh_scan(times, 0.5, 10.0)
    for place in range(0, len(spectrum.power), 97):
        single = stats.rayleigh(times, float(spectrum.frequencies[place]))
        # eight bins a period leave 5 % of the power to chance: 0.16 of amplitude in each phase
        assert spectrum.power[place] ** 0.5 == pytest.approx(len(times) ** 0.5 * single.value, abs=0.5)


def test_the_scan_is_one_under_its_null_at_every_frequency():
    """The bins of a scan are wide at its upper end; what they take from a modulation they do not take from chance."""
    rng = np.random.default_rng(0)
    found, false = [], []
    for _ in range(3000):
        spectrum = stats.rayleigh_scan(np.cumsum(rng.exponential(0.02, 400)), 8.0, 10.0)
        found.append(float(spectrum.power[-8:].mean()))
        false.append(spectrum.peak.p < 0.05)
    error = float(np.std(found)) / len(found) ** 0.5
    assert abs(float(np.mean(found)) - 1.0) < 4 * error < 0.03
    assert abs(float(np.mean(false)) - 0.05) < 4 * (0.05 * 0.95 / len(false)) ** 0.5


@pytest.mark.parametrize("high", [5.0, 40.0])
def test_bins_take_the_sinc_of_their_width_from_a_modulation(high):
    """Mean of n R**2 over a rate 1 + m cos(2 pi f t) is 1 + (n - 1) (m/2 sinc(f w))**2, with bins of w seconds."""
    depth, frequency, span = 1.0, 5.0, 40.0
    powers, counts, width = [], [], span / np.ceil(span * high * 8)
    for seed in range(150):
        times = np.concatenate([[0.0], modulated(depth, frequency, 25.0, span, seed), [span]])
        spectrum = stats.rayleigh_scan(times, 4.0, high)
        at = int(np.argmin(np.abs(spectrum.frequencies - frequency)))
        powers.append(float(spectrum.power[at]) - 1)
        counts.append(spectrum.peak.n - 1)
    reached = np.mean(powers) / (np.mean(counts) * (depth / 2 * np.sinc(frequency * width)) ** 2)
    assert reached == pytest.approx(1.0, abs=4 * float(np.std(powers) / np.mean(powers)) / 150**0.5)


def test_the_spectrum_finds_a_period_and_is_one_without():
    flat = stats.power_spectrum(poisson(20_000, 1, rate=20.0), 0.05)
    assert flat.power.mean() == pytest.approx(1.0, abs=0.05)
    peaked = stats.power_spectrum(modulated(0.5, 2.4, 20.0, 1000.0, 2), 0.05)
    assert peaked.peak.p < 1e-6
    assert peaked.peak_frequency == pytest.approx(2.4, abs=0.1)


def test_lomb_scargle_gives_the_share_of_a_sine():
    t = poisson(500, 1)
    x = np.sin(2 * np.pi * 0.05 * t)
    spectrum = stats.lomb_scargle(t, x, np.linspace(0.01, 0.2, 191))
    assert spectrum.peak_frequency == pytest.approx(0.05)
    assert spectrum.peak.value == pytest.approx(1.0, abs=0.01)


def test_memory_is_seen():
    rng = np.random.default_rng(6)
    x = np.exp(np.convolve(rng.normal(size=3050), np.ones(50) / 7, "valid"))
    assert stats.dfa(x).p < 1e-3
    assert stats.ljung_box(x).p < 1e-9
    assert stats.permutation_entropy(x).p < 1e-3


def test_transfer_entropy_has_a_direction():
    rng = np.random.default_rng(7)
    source = rng.normal(size=4000)
    target = np.concatenate([[0.0], source[:-1]]) + rng.normal(size=4000)
    assert stats.transfer_entropy(source, target).p < 1e-9
    assert stats.transfer_entropy(target, source).p > 1e-3


def test_permutation_entropy_of_independent_values_falls_short_by_its_bias():
    rng = np.random.default_rng(9)
    found = [stats.permutation_entropy(rng.normal(size=500)) for _ in range(300)]
    assert np.mean([one.value for one in found]) == pytest.approx(found[0].null_value, abs=3e-4)
    assert found[0].bias < 0


@given(hnp.arrays(np.float64, st.integers(2, 50), elements=st.floats(0.001, 1e3)), st.integers(0, 1000))
def test_shuffle_and_iaaft_keep_the_values(x, seed):
    np.testing.assert_array_equal(np.sort(stats.shuffle(x, seed)), np.sort(x))
    np.testing.assert_array_equal(np.sort(stats.iaaft(x, seed)), np.sort(x))


def test_iaaft_keeps_the_spectrum_and_shuffle_does_not():
    rng = np.random.default_rng(2)
    x = np.exp(0.3 * np.convolve(rng.normal(size=1009), np.ones(10), "valid"))
    plain = stats.autocorrelation(x, 5)
    assert np.abs(stats.autocorrelation(stats.iaaft(x, 1, 50), 5) - plain).max() < 0.05
    assert np.abs(stats.autocorrelation(stats.shuffle(x, 1), 5)).max() < 0.15


def test_jitter_moves_by_half_the_width_at_most():
    times = np.arange(100.0)
    moved = stats.jitter(times, 0.5, 3)
    assert 0 < np.abs(moved - times).max() <= 0.25


def test_a_surrogate_test_finds_what_shuffling_destroys():
    x = np.repeat(np.random.default_rng(1).exponential(size=100), 4)
    found = stats.surrogate_test(lambda y: float(stats.autocorrelation(y, 1)[0]), x, stats.shuffle, 99)
    assert found.p == pytest.approx(0.02)


def test_seeds_fix_everything():
    t = poisson(400, 3)
    first, second = stats.battery(t), stats.battery(t)
    assert {name: one.as_dict() for name, one in first.items()} == {
        name: one.as_dict() for name, one in second.items()
    }


def test_every_statistic_of_the_battery_has_null_and_bias():
    for name, one in stats.battery(poisson(2000, 1, rate=10.0)).items():
        assert np.isfinite([one.value, one.null_value, one.null_sd, one.bias]).all(), name
        assert one.null_sd > 0, name
        assert 0 <= one.p <= 1, name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.cv([1.0, -2.0]), "interval 1 is"),
        (lambda: stats.cv([0.0, 0.0]), "all 2 intervals are zero"),
        (lambda: stats.dfa([1.0] * 200), "nothing that fluctuates"),
        (lambda: stats.cv([1.0]), "1 values"),
        (lambda: stats.lv([1.0, math.nan, 2.0]), "value 1 is nan"),
        (lambda: stats.cv([[1.0, 2.0]]), "2 dimensions"),
        (lambda: stats.cv(["a", "b"]), "not an array of numbers"),
        (lambda: stats.fano_factor([0.0, 2.0, 1.0], 1.0), "time 2 is"),
        (lambda: stats.fano_factor([0.0, 1.5], 1.0), "take a shorter window"),
        (lambda: stats.power_spectrum(poisson(50), 1.0), "a segment has 256"),
        (lambda: stats.transfer_entropy([1.0, 2.0, 3.0], [1.0, 2.0]), "2 values"),
        (lambda: stats.time_rescaling([0.0, 1.0, 2.0], np.array([0.0, 1.0])), "give one each"),
        (lambda: stats.time_rescaling([0.0, 1.0, 2.0], np.array([0.0, 1.0, 0.5])), "not negative"),
        (lambda: stats.autocorrelation([1.0, 1.0], 1), "nothing to correlate"),
        (lambda: stats.lomb_scargle(range(6), np.ones(6), [1.0]), "nothing to explain"),
        (lambda: stats.battery(range(10)), "10 values"),
    ],
)
def test_bad_data_are_refused(call, message):
    with pytest.raises(StimulusError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.fano_factor([0.0, 1.0], 0.0), "window=0"),
        (lambda: stats.fano_factor([0.0, 1e9], 1e-9), "at most"),
        (lambda: stats.lvr([1.0, 2.0, 3.0], -1.0), "refractory=-1"),
        (lambda: stats.isi_entropy([1.0, 2.0], 1), "bins=1"),
        (lambda: stats.rayleigh([0.0, 1.0], 0.0), "frequency=0"),
        (lambda: stats.rayleigh_scan(poisson(100), 5.0, 1.0), "must rise"),
        (lambda: stats.rayleigh_scan(poisson(100), 1.0, 1e9), "lower the band"),
        (lambda: stats.permutation_entropy([1.0] * 30, 8), "order=8"),
        (lambda: stats.transfer_entropy([1.0] * 5, [1.0] * 5, 1), "bins=1"),
        (lambda: stats.iaaft([1.0, 2.0], iterations=0), "iterations=0"),
        (lambda: stats.jitter([1.0], -1.0), "width=-1"),
        (lambda: stats.surrogate_test(np.mean, [1.0, 2.0], stats.shuffle, 5), "count=5"),
        (lambda: stats.events_for_cv(0.0), "deviation=0"),
        (lambda: stats.rayleigh_depth(0), "events=0"),
        (lambda: stats.events_for_depth(0.1, alpha=1.0), "alpha=1"),
        (lambda: stats.lomb_scargle(range(6), range(6), [0.0]), "must be positive"),
        (lambda: stats.power_spectrum(poisson(50), 1.0, 4), "segment=4"),
    ],
)
def test_parameters_out_of_range_are_refused(call, message):
    with pytest.raises(SpecError, match=message):
        call()


def test_transfer_entropy_of_few_values_does_not_fire_more_often_than_alpha():
    rng = np.random.default_rng(5)
    draws = [rng.exponential(size=(2, 28)) for _ in range(150)]
    fired = sum(stats.transfer_entropy(x, y, bins=3).p <= 0.05 for x, y in draws)
    assert fired <= 17  # binomial(150, 0.05) exceeds 17 with 1e-3; chi-square fired 25 times or so


def test_local_variation_of_one_rate_is_simulated_once():
    from hwmodel.reservoir.stats import _estimate

    _estimate._simulated.cache_clear()
    for seed in range(8):
        stats.lvr(np.linspace(0.1, 0.1 + 1e-5 * seed, 150))
    assert _estimate._simulated.cache_info().misses == 1


@pytest.mark.parametrize("factor", [1e-200, 1e-310, 1e150])
def test_times_that_are_no_seconds_are_refused(factor):
    with pytest.raises(StimulusError, match="give seconds"):
        stats.battery(poisson(300) * factor)


def test_a_scan_never_transforms_a_length_with_a_large_prime(monkeypatch):
    lengths = []
    plain = np.fft.rfft
    monkeypatch.setattr(np.fft, "rfft", lambda x: lengths.append(len(x)) or plain(x))
    spectrum = stats.rayleigh_scan(np.array([0.0, 3.0, 7.0, 100003.0 / 80]), 0.5, 10.0)  # 100,003 is a prime
    assert lengths[0] >= 100_003
    assert lengths[0] // (lengths[0] & -lengths[0]) < 256
    at = int(np.argmin(np.abs(spectrum.frequencies - 2.0)))
    direct = np.abs(
        np.sum(
            np.exp(2j * np.pi * spectrum.frequencies[at] * np.array([0.0, 3.0, 7.0]))
        )  # the last one closes
    )
    assert spectrum.power[at] == pytest.approx(direct**2 / 3, rel=0.2)


def test_a_battery_of_one_gap_among_ties_leaves_out_what_cannot_be_foretold():
    with np.errstate(all="raise"):
        found = stats.battery(np.append(np.zeros(299), 1.0))
    assert "time rescaling" not in found
    assert found["cv"].value > 10


def test_the_null_of_cv_over_ten_intervals_is_known_to_a_thousandth():
    estimate = stats.cv(np.arange(1.0, 11.0))
    assert estimate.null_value == pytest.approx(0.875, abs=0.002)
    assert estimate.null_sd == pytest.approx(0.223, abs=0.002)
