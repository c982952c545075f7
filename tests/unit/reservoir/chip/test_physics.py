"""Physics: each part against its closed form or an independent integration; planted effects are what they say."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir import _path_table as table
from hwmodel.reservoir.chip import (
    AlphaPowerDelay,
    Crystal,
    EkvDelay,
    ErrorModel,
    FosterLadder,
    PathHistogram,
    Physics,
    Planted,
    SupplyNetwork,
    Throttle,
)
from hwmodel.reservoir.chip.supply import SupplyState
from hwmodel.reservoir.chip.thermal import ThermalState
from hwmodel.units import MHz, Time, s

from .models import JOB, full, small

PHI = 8.617333262e-5 * 300.0
ROOM = 26.85
BAD = Physics(errors=ErrorModel(limit=500e6))

# ---------------------------------------------------------------------------------------------- gate delay


def test_below_threshold_the_ekv_current_is_exponential() -> None:
    gate = EkvDelay(threshold=0.4)
    decade = gate.slope * PHI * math.log(10)
    ratio = gate.current(0.4 - 8 * decade, ROOM) / gate.current(0.4 - 9 * decade, ROOM)
    assert float(ratio) == pytest.approx(10, rel=1e-4)


def test_far_above_threshold_the_ekv_current_is_a_square() -> None:
    gate = EkvDelay(threshold=0.4)
    assert float(gate.current(0.4 + 2.0, ROOM)) == pytest.approx(2.0**2 / (2 * gate.slope), rel=1e-6)
    assert float(gate.current(0.4 + 2.0, ROOM) / gate.current(0.4 + 1.0, ROOM)) == pytest.approx(4, rel=1e-6)


def test_without_drift_the_strong_current_has_the_mobility_alone() -> None:
    gate = EkvDelay(threshold_drift=0.0)
    ratio = gate.current(2.0, 126.85) / gate.current(2.0, ROOM)
    assert float(ratio) == pytest.approx((4 / 3) ** -1.5, rel=1e-6)


def test_the_alpha_power_delay_is_its_formula() -> None:
    gate = AlphaPowerDelay(threshold=0.3, alpha=1.3)
    assert float(gate.delay(0.8, ROOM)) == pytest.approx(0.8 / 0.5**1.3)
    assert np.isinf(gate.delay([0.3, 0.2, 0.0], ROOM)).all()


@pytest.mark.parametrize("gate", [EkvDelay(), AlphaPowerDelay()])
def test_temperature_inverts_near_threshold(gate: EkvDelay | AlphaPowerDelay) -> None:
    near, far = gate.threshold + 0.03, gate.threshold + 0.9
    assert float(gate.delay(near, 90.0)) < float(gate.delay(near, 20.0))
    assert float(gate.delay(far, 90.0)) > float(gate.delay(far, 20.0))


@given(
    st.floats(0.08, 1.5), st.floats(0.001, 0.2), st.floats(-20, 120)
)  # C V / I rises below some 1.2 n kT/q
def test_more_voltage_is_never_slower(volts: float, more: float, celsius: float) -> None:
    assert float(EkvDelay().delay(volts + more, celsius)) <= float(EkvDelay().delay(volts, celsius))


# ---------------------------------------------------------------------------------------------- errors


def test_the_error_probability_is_that_of_any_late_path() -> None:
    paths = PathHistogram((0.5, 0.9, 1.0), (4, 3, 1), rounds=2)
    model = ErrorModel(paths=paths, limit=500e6, spread=0.05)
    for hertz in (400e6, 450e6, 490e6, 520e6, 700e6):
        slack = 500e6 / hertz
        right = 1.0
        for depth, count in zip(paths.depths, paths.counts, strict=True):
            late = 1 - NormalDist(depth, 0.05 * depth).cdf(slack)
            right *= (1 - late) ** (2 * count)
        assert float(model.probability(hertz, 1.2, 25.0)) == pytest.approx(1 - right, rel=1e-6, abs=1e-12)


def test_the_histogram_of_the_pipeline_keeps_what_its_table_says():
    paths = PathHistogram.from_rtl()
    assert sum(paths.counts) == pytest.approx(sum(table.COUNTS))
    assert paths.depths[-1] == 1.0
    assert np.average(paths.depths, weights=paths.counts) == pytest.approx(
        np.average(table.LEVELS, weights=table.COUNTS) / max(table.LEVELS)
    )


def test_rare_long_paths_let_errors_begin_later():
    # The pipeline's longest path is almost never active, that of the estimate twice a round.
    volts, celsius = 1.08, 25.0
    estimate = float(ErrorModel().probability(485e6, volts, celsius))
    measured = float(ErrorModel(paths=PathHistogram.from_rtl()).probability(485e6, volts, celsius))
    assert measured < estimate


def test_at_the_reference_point_the_longest_path_just_fits() -> None:
    model = ErrorModel()
    assert float(model.slack(model.limit, 1.2, 25.0)) == pytest.approx(1.0)


@given(st.floats(0.7, 1.4), st.floats(0.01, 0.2))
def test_more_voltage_never_makes_more_errors(volts: float, more: float) -> None:
    model = ErrorModel()
    assert model.probability(485e6, volts + more, 25.0) <= model.probability(485e6, volts, 25.0)


def test_where_gates_do_not_switch_every_hash_is_wrong() -> None:
    model = ErrorModel(AlphaPowerDelay(threshold=0.2))
    assert float(model.probability(485e6, 0.7, 25.0)) == 1.0


def test_probabilities_keep_the_shape_of_what_they_are_of() -> None:
    model = ErrorModel()
    assert model.probability(485e6, 1.0, 25.0).shape == ()
    assert model.probability([[4e8], [5e8]], [1.0, 1.1, 1.2], 25.0).shape == (2, 3)


def test_a_histogram_of_levels_is_scaled_to_the_deepest() -> None:
    paths = PathHistogram.of_levels([0, 20, 40], [7, 5, 1], rounds=64)
    assert (paths.depths, paths.counts, paths.rounds) == ((0.5, 1.0), (5.0, 1.0), 64)


@pytest.mark.parametrize("wrong", [((), ()), ((1.2,), (1,)), ((0.5,), (-1,)), ((0.5, 1.0), (1,))])
def test_a_histogram_that_makes_no_sense_is_refused(
    wrong: tuple[tuple[float, ...], tuple[float, ...]],
) -> None:
    with pytest.raises(SpecError, match="PathHistogram"):
        PathHistogram(*wrong)


def test_a_reference_below_threshold_is_refused_with_the_remedy() -> None:
    with pytest.raises(SpecError, match="EkvDelay"):
        ErrorModel(AlphaPowerDelay(threshold=0.35))


# ---------------------------------------------------------------------------------------------- what errors do


def voltage_of(probability: float, physics: Physics) -> float:
    """The voltage at which so many hashes fail, by bisection."""
    low, high = 0.5, 1.5
    for _ in range(60):
        middle = (low + high) / 2
        assert physics.errors is not None
        wrong = float(physics.errors.probability(485e6, middle, 25.0))
        low, high = (middle, high) if wrong > probability else (low, middle)
    return high


def test_errors_move_no_clock_edge_and_take_only_what_they_hit() -> None:
    volts = voltage_of(0.3, BAD)
    ideal, bad = full().run(s(60)), full(BAD, voltage=volts).run(s(60))
    right = bad[bad["valid"]]
    known = {tuple(hit) for hit in ideal[["t", "nonce", "version"]].tolist()}
    assert all(tuple(hit) in known for hit in right[["t", "nonce", "version"]].tolist())
    assert 0 < len(right) < len(ideal)


def test_lost_and_wrong_results_come_at_the_odds_of_an_error() -> None:
    """Lost of all and wrong per hit, 4 standard errors each: false alarm 2e-4."""
    volts = voltage_of(0.3, BAD)
    model, ideal = full(BAD, voltage=volts), full()
    hits, n = model.run(s(100)), len(ideal.run(s(100)))
    wrong = int((~hits["valid"]).sum())
    assert abs(model.lost / n - 0.3) < 4 * (0.21 / n) ** 0.5
    assert abs(wrong / n - 0.3) < 4 * (0.3 * 1.3 / n) ** 0.5
    assert model.registers()[0x4C] == wrong
    assert len(hits) == n - model.lost + wrong


def test_wrong_results_have_far_less_difficulty_than_the_mask() -> None:
    hits = full(BAD, voltage=voltage_of(0.5, BAD)).run(s(60))
    wrong = hits[~hits["valid"]]
    assert len(wrong) > 1000
    assert wrong["difficulty"].max() < 1e-4
    assert (hits["difficulty"][hits["valid"]] >= 65535 / 65536).all()


def test_wrong_results_of_an_exact_chip_say_what_their_header_hashes_to() -> None:
    physics = Physics(errors=ErrorModel(limit=1e6, reference_volts=1.2))
    model = small(physics, voltage=1.15)
    hits = model.run(Time(2 * 10**12))
    wrong = hits[~hits["valid"]]
    assert len(wrong) > 10
    for hit in wrong:
        header = JOB.header(int(hit["nonce"])).with_version(int(hit["version"]))
        assert model.check(header) == hit["difficulty"]


def test_another_seed_has_other_errors_and_the_same_hits() -> None:
    volts = voltage_of(0.3, BAD)
    ideal = full()
    models = [full(BAD, voltage=volts, oracle=ideal.oracle, seed=seed) for seed in (1, 2)]
    a, b = (model.run(s(20)) for model in models)
    known = set(ideal.run(s(20))["t"].tolist())
    assert {*a["t"][a["valid"]].tolist(), *b["t"][b["valid"]].tolist()} <= known
    assert set(a["t"].tolist()) != set(b["t"].tolist())


# ---------------------------------------------------------------------------------------------- supply


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from([1e-3, 1e-2, 1.0]), st.sampled_from([1e-9, 2e-10]), st.sampled_from([1e-4, 5e-4, 1e-6])
)
def test_the_droop_is_the_solution_of_the_network(r: float, inductance: float, c: float) -> None:
    """Runge-Kutta of L di/dt = -R i + u, C du/dt = load - i, where u is the droop; ringing and overdamped."""
    network = SupplyNetwork(r, inductance, c)
    fast = max(r / inductance, (inductance * c) ** -0.5)
    dt, load = 0.02 / fast, 5.0

    def slope(x: np.ndarray) -> np.ndarray:
        current, droop = x
        return np.array([(droop - r * current) / inductance, (load - current) / c])

    x, wanted = np.zeros(2), [0.0]
    for _ in range(1500):
        k1 = slope(x)
        k2 = slope(x + dt / 2 * k1)
        k3 = slope(x + dt / 2 * k2)
        x = x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + slope(x + dt * k3))
        wanted.append(float(x[1]))
    got = network.droop(np.arange(1501) * dt, load)
    assert np.abs(got - wanted).max() < 1e-5 * max(wanted)


def test_critical_damping_is_no_exception() -> None:
    network = SupplyNetwork(2.0, 1.0, 1.0)
    t = np.linspace(0, 30, 100)
    np.testing.assert_allclose(network.droop(t, 1.0), 2 - np.exp(-t) * (2 + t), atol=1e-6)


def test_steps_of_the_load_add_up_and_are_forgotten_without_a_jump() -> None:
    network = SupplyNetwork()
    state = SupplyState(network)
    state.settle(3.0)
    for n in range(5):
        state.step(n * 10**9, 1.0)
    t = np.array([5 * 10**9, 10**15])
    wanted = 3e-3 + sum(network.droop((t - n * 10**9) * 1e-15, 1.0) for n in range(5))
    np.testing.assert_allclose(state.fall(t), wanted, rtol=1e-12)
    state.forget(10**15)
    np.testing.assert_allclose(state.fall(t[1:]), wanted[1:], rtol=1e-12)
    assert state.steady == 8.0


def test_taking_up_a_job_makes_the_supply_ring() -> None:
    physics = Physics(supply=SupplyNetwork(), job_pause=2e-6)
    model = full(physics)
    model.run(s(1))
    model.set_job(s(1), JOB)
    volts = [model.voltage_at(Time(int(s(1)) + n * 10**8)) for n in range(100)]
    steady = model.voltage_at(s(2))
    assert max(volts) > steady + 1e-3
    assert min(volts) < steady - 1e-3
    assert steady == pytest.approx(1.2 - 1e-3 * 24e-12 * 894 * 485e6 / 1.2, rel=1e-6)


# ---------------------------------------------------------------------------------------------- temperature


def test_a_thermal_step_is_a_sum_of_exponentials() -> None:
    ladder = FosterLadder((0.5, 2.0), (0.01, 30.0))
    state = ThermalState(ladder)
    state.set(10**15, 8.0)
    t = np.array([0.0, 0.005, 1.0, 100.0])
    wanted = 8 * (0.5 * (1 - np.exp(-t / 0.01)) + 2 * (1 - np.exp(-t / 30)))
    np.testing.assert_allclose(state.rise((t * 1e15 + 1e15).astype(np.int64)), wanted, rtol=1e-9)
    np.testing.assert_allclose(ladder.step(t, 8.0), wanted, rtol=1e-12)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0.01, 20), st.floats(0, 30)), min_size=1, max_size=8))
def test_steps_of_power_superpose(steps: list[tuple[float, float]]) -> None:
    ladder, state = FosterLadder(), ThermalState(FosterLadder())
    now, powers = 0, [(0, 0.0)]
    for wait, power in steps:
        now += round(wait * 1e15)
        state.set(now, power)
        powers.append((now, power))
    end = now + 5 * 10**15
    wanted = sum(
        float(ladder.step((end - after[0]) * 1e-15, after[1] - before[1]))
        for before, after in pairwise(powers)
    )
    assert float(state.rise(np.array([end]))[0]) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_a_working_chip_warms_up_to_power_times_resistance() -> None:
    model = full(Physics(thermal=FosterLadder()), temperature=30.0)
    model.run(s(1000))
    watts = 24e-12 * 894 * 485e6
    assert model.temperature_at(s(1000)) == pytest.approx(30 + 3.0 * watts, rel=1e-6)


def test_the_throttle_steps_down_at_its_looks_until_it_is_cool() -> None:
    physics = Physics(thermal=FosterLadder(), throttle=Throttle(celsius=50.0, interval=2.0))
    model = full(physics, temperature=30.0)
    seen = []
    for second in range(1, 400):
        model.run(s(second))
        seen.append((second, model.voltage, model.frequency))
    changes = [b for a, b in pairwise(seen) if a[1:] != b[1:]]
    assert changes[0][1:] == (pytest.approx(1.1), MHz(385))
    assert all(second % 2 == 1 for second, _, _ in changes)  # a look at t is seen after it
    assert model.temperature_at(s(399)) <= 50.0


def test_a_throttle_without_temperature_is_refused() -> None:
    with pytest.raises(SpecError, match="FosterLadder"):
        Physics(throttle=Throttle())


# ---------------------------------------------------------------------------------------------- clock


def test_a_crystal_that_is_fast_by_a_ppm_gains_2_us_in_2_s() -> None:
    ideal = full().run(s(4))
    fast = full(Physics(crystal=Crystal(ppm=1.0))).run(s(4))
    late = ideal["t"][: len(fast)] - fast["t"][: len(ideal)]
    np.testing.assert_allclose(late, ideal["t"][: len(late)] * (1e-6 / (1 + 1e-6)), atol=2)


def test_the_crystal_follows_the_air() -> None:
    crystal = Crystal(ppm=10.0, ppm_per_kelvin=-0.04, reference_celsius=25.0)
    model = full(Physics(crystal=crystal))
    before = model.batch_period
    model.set_temperature(s(1), 50.0)
    assert float(model.batch_period / before) == pytest.approx(1 + 1e-6, abs=1e-10)


def test_jitter_is_a_normal_delay_that_does_not_add_up() -> None:
    """Standard deviation of 10,000 delays within 4 standard errors: false alarm 6e-5."""
    ideal, real = full().run(s(100)), full(Physics(jitter=1e-9)).run(s(101))
    late = np.sort(real["t"])[: len(ideal)] - ideal["t"]
    n = len(late)
    assert late.min() >= 0
    assert late.max() <= 8e6
    assert abs(late.mean() - 4e6) < 4e6 / n**0.5
    assert abs(late.std() / 1e6 - 1) < 4 / (2 * n) ** 0.5
    halves = late[: n // 2].mean() - late[n // 2 :].mean()
    assert abs(halves) < 4 * 2e6 / n**0.5


# ---------------------------------------------------------------------------------------------- planted effects


def test_a_planted_modulation_has_its_depth_and_frequency() -> None:
    """Rayleigh component of 30,000 events: depth 0.2 within 4 standard errors; at another frequency below 4."""
    hits = full(Physics(planted=Planted(frequency=2.4, depth=0.2))).run(s(400))
    t, n = hits["t"] * 1e-15, len(hits)

    def depth(frequency: float) -> float:
        return float(2 * abs(np.exp(2j * np.pi * frequency * t).mean()))

    error = (2 / n) ** 0.5
    assert abs(depth(2.4) - 0.2) < 4 * error
    assert depth(1.7) < 4 * error
    assert abs(n / (400 * 100.96) - 1 / 1.2) < 0.02


def test_planted_bursts_make_counts_of_errors_clump() -> None:
    """Fano factor of wrong results a second: 1 without bursts within 0.4, above 5 with them (200 windows)."""

    def fano(planted: Planted) -> float:
        hits = full(Physics(planted=planted)).run(s(200))
        wrong = hits["t"][~hits["valid"]]
        counts = np.bincount(wrong // 10**15, minlength=200)
        return float(counts.var(ddof=1) / counts.mean())

    assert fano(Planted(burst_probability=0.2, burst_error=0.5)) > 5
    assert abs(fano(Planted(burst_probability=1.0, burst_error=0.1)) - 1) < 0.4


@pytest.mark.parametrize(
    "wrong", [{"depth": 1.5}, {"burst_probability": -1.0}, {"jitter": -1.0}, {"burst_seconds": 0.0}]
)
def test_a_planted_effect_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SpecError, match="Planted"):
        Planted(**wrong)
