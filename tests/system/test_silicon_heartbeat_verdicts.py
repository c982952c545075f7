"""Gates and verdicts of the programme, each shut and each wrong plan by itself; and the same board at a port."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwmodel.errors import SpecError
from tests.system.silicon_heartbeat_parts import part, small_plan

pytest.importorskip("scipy", reason="SciPy is not installed")


def capture(
    fault: str = "none", plant: str = "none", runs: int = 3, seconds: float = 3.0, **sizes: float
) -> Any:
    boards = part("boards")
    plan = small_plan(**sizes)
    board = boards.EmulatedBoard(plan, 0, 0, plant, fault)
    board.set(1.2 if fault != "deaf rail" else 1.1, 485.0, 0.0)
    return plan, board.capture([boards.job_of("one")] * runs, seconds)


def finding(p: float = 1e-9, **changes: Any) -> Any:
    return replace(part("verdicts").Finding(p, 0.01, "of something", {}), **changes)


def verdict_with(gate: Any, plan: Any) -> Any:
    return part("verdicts").judge(plan, {"H0": finding()}, {"H0": [gate]})["H0"]


# ------------------------------------------------------------------------------------------ gates


GATES = {
    "set points": ("deaf rail", lambda g, plan, c: g.setpoints(plan, [c])),
    "us clock": ("slow clock", lambda g, plan, c: g.clock(plan, [c])),
    "re-hash": ("corrupted frames", lambda g, plan, c: g.rehash(plan, [c])),
    "epoch": ("long jobs", lambda g, plan, c: g.epoch(plan, [c])),
}


@pytest.mark.parametrize("name", GATES)
def test_a_shut_gate_gives_not_tested_whatever_p(name: str) -> None:
    fault, make = GATES[name]
    plan, got = capture(fault, runs=2, seconds=10.0)
    gate = make(part("gates"), plan, got)
    verdict = verdict_with(gate, plan)
    assert (gate.name, gate.passed) == (name, False)
    assert verdict.text == f"not tested (gate failed: {gate.text})"
    assert verdict.p is None


@pytest.mark.parametrize("name", GATES)
def test_an_open_gate_lets_the_test_speak(name: str) -> None:
    plan, got = capture()
    gate = GATES[name][1](part("gates"), plan, got)
    assert gate.passed
    assert verdict_with(gate, plan).text == "confirmed"


def test_one_set_point_that_was_not_measured_shuts_the_gate() -> None:
    """Whatever its place: Python's max passes over a NaN that comes second."""
    plan, got = capture()
    for place in range(3):
        points = [
            replace(got.setpoint, volts=math.nan if n == place else got.setpoint.volts) for n in range(3)
        ]
        assert not part("gates").setpoints(plan, [replace(got, setpoint=point) for point in points]).passed


@pytest.mark.parametrize(
    "size", [{"h0__replays": 1}, {"h1__bootstraps": 3}, {"h4__trials": 1}, {"h5__steps": 99}]
)
def test_a_size_that_makes_a_rule_meaningless_is_refused_before_data(size: dict[str, int]) -> None:
    with pytest.raises(SpecError, match="or more"):
        small_plan(**size)


def test_too_few_events_give_not_tested() -> None:
    plan, gates = small_plan(), part("gates")
    assert verdict_with(gates.events(100, [100, 99]), plan).verdict == "not tested"
    assert verdict_with(gates.events(100, [100, 101]), plan).verdict == "confirmed"


def test_a_chip_that_makes_no_errors_is_not_tested_for_them() -> None:
    plan, got = capture()
    assert verdict_with(part("gates").errors([got]), plan).verdict == "not tested"


def test_a_hypothesis_without_data_is_not_tested() -> None:
    assert part("verdicts").judge(small_plan(), {}, {})["H5"].text == "not tested (gate failed: no data)"


# ------------------------------------------------------------------------------------------ verdicts


def test_holm_is_that_of_the_textbook() -> None:
    found = part("plan").holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})


def test_a_test_that_was_not_made_still_counts_in_the_family() -> None:
    assert part("plan").holm({"a": 0.01, "b": None, "c": None})["a"] == pytest.approx(0.03)


def test_a_large_p_is_refuted_at_its_depth() -> None:
    found = part("verdicts").judge(small_plan(), {"H2": finding(p=0.5)}, {})["H2"]
    assert found.text == "refuted at depth 0.01 of something"


def test_a_small_p_with_an_unmet_condition_is_not_confirmed() -> None:
    found = part("verdicts").judge(
        small_plan(), {"H1": finding(conditions={"the residual agrees": False})}, {}
    )["H1"]
    assert (found.verdict, found.reason) == ("refuted", "the residual agrees")


def test_what_shows_neither_claim_nor_opposite_is_not_tested() -> None:
    found = part("verdicts").judge(small_plan(), {"H4": finding(p=0.5, decided=False)}, {})["H4"]
    assert found.text.startswith("not tested (gate failed: power")


# ------------------------------------------------------------------------------------------ the plan


def test_the_digest_covers_sizes_seed_and_labels() -> None:
    plan = part("plan")
    digests = {
        plan.read_plan("", sizes, seed, labels).digest
        for sizes, seed, labels in (({}, 1, ""), ({"h4.trials": 7}, 1, ""), ({}, 2, ""), ({}, 1, "x"))
    }
    assert len(digests) == 4


def test_a_plan_changed_after_data_gives_no_verdict(tmp_path: Path) -> None:
    registration = part("plan").Registration(small_plan(), tmp_path)
    registration.check({})
    registration.file.write_bytes(registration.file.read_bytes().replace(b"0.013", b"0.130"))
    with pytest.raises(SpecError, match="changed after data"):
        registration.check({})


def test_data_of_another_plan_give_no_verdict(tmp_path: Path) -> None:
    registration = part("plan").Registration(small_plan(), tmp_path)
    with pytest.raises(SpecError, match="data set A 0 was taken under the plan"):
        registration.check({"A 0": small_plan(seed=2).digest})


def test_the_registered_digest_is_checked_before_data(tmp_path: Path) -> None:
    plan = small_plan()
    part("plan").Registration(plan, tmp_path, plan.digest)
    with pytest.raises(SpecError, match="run what was registered"):
        part("plan").Registration(plan, tmp_path, hashlib.sha256(b"").hexdigest())


def test_events_of_another_plan_are_not_added_to(tmp_path: Path) -> None:
    port = part("port")
    port.open_store(tmp_path / "events.sqlite", small_plan()).close()
    port.open_store(tmp_path / "events.sqlite", small_plan()).close()
    with pytest.raises(SpecError, match="not changed after data"):
        port.open_store(tmp_path / "events.sqlite", small_plan(h4__trials=9))


def test_labels_hide_the_chips_and_are_committed_to() -> None:
    sessions = part("sessions")
    keys = [sessions.draw_labels(2, 2, seed).key for seed in range(20)]
    assert all(sorted(key.values()) == [(0, 0), (0, 1), (1, 0), (1, 1)] for key in keys)
    assert len({tuple(key.values()) for key in keys}) > 5
    assert sessions.draw_labels(2, 2, 1).digest != sessions.draw_labels(2, 2, 3).digest


# ------------------------------------------------------------------------------------------ findings


def test_an_ideal_chip_leaves_no_more_than_the_stamps() -> None:
    plan, got = capture()
    left = part("timing").residual(plan, got, 1_000_000)
    # Gaussian stamps of 1.5 us, rounded down to whole ones.
    assert left.sd == pytest.approx((1.5**2 + 1 / 12) ** 0.5, rel=0.1)


def test_planted_jitter_is_seen_at_its_size() -> None:
    plan, got = capture(plant="jitter")
    left = part("timing").residual(plan, got, 1_000_000)
    assert left.sd == pytest.approx((1.5**2 + 5.0**2) ** 0.5, rel=0.1)
    assert left.low > 3.0


def test_replays_of_one_job_have_the_same_hits() -> None:
    _, got = capture()
    assert part("timing").same_hits(got) == 1.0


def test_factors_are_those_of_the_statistics() -> None:
    from hwmodel.reservoir.stats import allan_factor, fano_factor

    t = np.cumsum(np.random.default_rng(1).exponential(0.01, 20_000))
    found = part("timing").factors(t, 2.0)
    assert found == pytest.approx((fano_factor(t, 2.0).value, allan_factor(t, 2.0).value), rel=1e-9)


def test_the_depth_of_a_modulation_is_bounded_from_above() -> None:
    timing, controls = part("timing"), part("controls")
    plan = small_plan(h1__session_s=300.0)
    rng, depth = np.random.default_rng(3), 0.1
    t = np.sort(rng.uniform(0, 300, 33_000))
    streams = [controls.with_beat(t, 2.4, depth, rng)]
    found = timing.beat(plan, streams)
    assert found.p < 1e-6
    assert found.scan_hz == pytest.approx(2.4, abs=0.01)
    assert depth < found.limit < 1.6 * depth


def test_the_logistic_is_found_again() -> None:
    over = part("overscaling")
    points = []
    for volts in (0.96, 0.97, 0.98, 0.99):
        share = 1 / (1 + np.exp((volts - 0.975) / 0.004))
        points.append(over.Point(volts, None, 10**6, round(share * 10**6), 0, 0, None))
    fit = over.fit_logistic(points)
    assert (fit.even, fit.scale) == pytest.approx((0.975, 0.004), abs=1e-5)


def test_independent_errors_are_not_together_and_bursts_are() -> None:
    controls, plan = part("controls"), small_plan()
    calm = controls.windows(plan, 2000, 0.0, np.random.default_rng(5))
    burst = controls.windows(plan, 2000, 0.2, np.random.default_rng(5))
    assert calm.p > 0.001
    assert burst.p < 1e-6
    assert burst.spread == pytest.approx(0.2, rel=0.1)
    assert calm.bound < 0.1


def test_equivalence_is_not_shown_by_few_trials() -> None:
    equivalence, rng = part("echo").equivalence, np.random.default_rng(7)
    assert equivalence(rng.normal(1000, 30, (3, 4, 1)), 50.0)[0] > 0.001
    assert equivalence(rng.normal(1000, 30, (3, 60, 1)), 50.0)[0] < 1e-6


def test_equivalence_is_not_shown_where_histories_differ() -> None:
    found = np.random.default_rng(7).normal(1000, 30, (3, 60, 1))
    found[2] += 60.0
    assert part("echo").equivalence(found, 50.0)[0] > 0.5


def test_the_power_table_is_kept_by_the_shipped_sizes() -> None:
    table = part("power").table(small_plan())
    assert {name: row["planned"] >= row["needed"] for name, row in table.items()} == dict.fromkeys(
        table, True
    )
    assert table["H1"]["for_0.01_at_95/80"] == table["H1"]["needed"]


def test_binomial_intervals_are_those_of_clopper_and_pearson() -> None:
    found = part("controls").binomial(2, 200)
    assert (found["low"], found["high"]) == pytest.approx((0.000518, 0.04560), rel=0.01)


# ------------------------------------------------------------------------------------------ a port


def test_a_port_is_measured_through_driver_and_store(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    from hwmodel.reservoir.driver import ChainDriver
    from hwmodel.reservoir.emulator import EmulatedRail, PtyChip, emulated_chain, oracle_for

    port, boards, plan = part("port"), part("boards"), small_plan()
    with PtyChip(emulated_chain(zero_bits=32, seed=3)) as chip:
        rail = EmulatedRail(chip)
        store = port.open_store(tmp_path / "events.sqlite", plan)
        driver = ChainDriver(chip.url, rail=rail, timeout=60.0, pace=0)
        with store, driver:
            board = port.PortBoard(plan, driver, rail, store, oracle_for(32, 3).check, 1_000_000, ramp_s=0)
            point = board.set(1.15, 500.0, 0.0)
            got = board.capture([boards.job_of("port")] * 2, 0.7)
            assert store.count() >= len(got.t_us) > 0
    assert part("gates").setpoints(plan, [got]).passed
    assert (point.volts, point.hertz) == pytest.approx((1.15, 500e6))
    assert got.valid.all()
    assert set(got.run.tolist()) == {0, 1}
    assert got.stamp == plan.digest


def test_a_rail_that_does_nothing_shuts_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    from hwmodel.reservoir.driver import ChainDriver
    from hwmodel.reservoir.emulator import EmulatedRail, PtyChip, emulated_chain, oracle_for

    port, boards, plan = part("port"), part("boards"), small_plan()
    monkeypatch.setattr(port, "RAIL_S", 0.05)
    with PtyChip(emulated_chain(zero_bits=32, seed=3)) as chip:
        rail = EmulatedRail(chip, deaf=True)
        store = port.open_store(tmp_path / "events.sqlite", plan)
        with store, ChainDriver(chip.url, rail=rail, timeout=60.0, pace=0) as driver:
            board = port.PortBoard(plan, driver, rail, store, oracle_for(32, 3).check, 1_000_000, ramp_s=0)
            board.set(1.1, 485.0, 0.0)
            got = board.capture([boards.job_of("port")], 0.2)
    gate = part("gates").setpoints(plan, [got])
    assert verdict_with(gate, plan).verdict == "not tested"


def test_voltages_stay_within_the_limits_of_the_chip(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    from hwmodel.reservoir.driver import ChainDriver
    from hwmodel.reservoir.emulator import EmulatedRail, PtyChip, emulated_chain, oracle_for

    port, plan = part("port"), small_plan()
    with PtyChip(emulated_chain(zero_bits=32, seed=3)) as chip:
        rail = EmulatedRail(chip)
        store = port.open_store(tmp_path / "events.sqlite", plan)
        with store, ChainDriver(chip.url, rail=rail, timeout=60.0, pace=0) as driver:
            board = port.PortBoard(plan, driver, rail, store, oracle_for(32, 3).check, 1_000_000, ramp_s=0)
            assert board.set(0.8, 300.0, 0.0).volts == pytest.approx(1.1)
            assert board.set(2.0, 900.0, 0.0).hertz == pytest.approx(575e6)


def test_one_port_for_two_chips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="one port and one rail a chip"):
        part("port").open_ports(small_plan(), "/dev/null", "http://192.0.2.7", tmp_path / "e.sqlite", -1)
