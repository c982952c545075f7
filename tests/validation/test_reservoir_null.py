"""Event-level null models against the table of scenarios; the ladder and the clock on measured data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hwmodel.reservoir.clock import fit_clock, read_records
from hwmodel.reservoir.null import SCENARIOS, analyse_shares, simulate
from hwmodel.reservoir.shares import read_shares
from hwmodel.reservoir.stats import cv, fano_factor, ks_exponential, lv

EVENTS = 100_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_has_the_statistics_that_were_found(name):
    scenario = SCENARIOS[name]
    times = simulate(scenario.chain, EVENTS, seed=3)
    x = np.diff(times)
    assert cv(x).value == pytest.approx(scenario.cv, abs=0.02)
    assert lv(x).value == pytest.approx(scenario.lv, abs=0.02)
    assert ks_exponential(x).value == pytest.approx(scenario.ks, abs=0.01)
    for window, value in scenario.fano:
        found = fano_factor(times, window)
        # the table is of one seed as well, so both scatter
        assert abs(found.value - value) < 0.03 + 4 * found.null_sd * max(value, 1) + 0.05 * value


@pytest.fixture(scope="module")
def s9(reference_data):
    file = reference_data / "reservoir" / "s9_shares.csv.gz"
    if not file.exists():
        pytest.skip(f"no {file.name} in the reference data")
    return read_shares(file)


def test_every_measured_share_re_hashes(s9):
    assert s9.valid.all()
    assert s9.difficulty.min() >= 256
    np.testing.assert_allclose(s9.difficulty, s9.logged, atol=0.0051, rtol=1e-6)


def test_measured_shares_are_explained_by_the_closed_loop_and_not_below(s9):
    analysis = analyse_shares(s9, replicates=99, seed=1)
    p = {rung.name: rung.p for rung in analysis.ladder.rungs}
    assert analysis.ladder.explained_by == "closed-loop dead time"
    assert max(p[name] for name in ("ideal", "jobs", "uart", "host tick", "network batching")) <= 0.01
    one = analysis.ladder.as_dict()["closed-loop dead time"]["statistics"]["cv"]
    assert one["p"] > 0.05
    assert abs(one["value"] - one["null_value"]) < 2 * one["null_sd"]


@pytest.fixture(scope="module")
def nonces(reference_data):
    file = reference_data / "reservoir" / "bm1366_timed_nonces.json"
    if not file.exists():
        pytest.skip(f"no {file.name} in the reference data")
    return read_records(file)


def test_measured_nonces_are_a_clock(nonces):
    clock = fit_clock(nonces)
    assert clock.counter_bits == 25
    assert clock.rms_ms == pytest.approx(4.15, abs=0.02)
    assert clock.leave_one_out_rms_ms == pytest.approx(5.4, abs=0.05)
    assert clock.period_ms == pytest.approx(78.65, abs=0.02)
    assert clock.rms_without_counter_ms == pytest.approx(9.6, abs=0.1)
    assert clock.p < 1e-3


def test_a_measured_nonce_is_predicted_from_the_others(nonces):
    for left_out in range(len(nonces)):
        rest = [record for number, record in enumerate(nonces) if number != left_out]
        one = nonces[left_out]
        clock = fit_clock(rest, counter_bits=25)
        assert clock.predict(one.nonce, one.version)[0] == pytest.approx(one.t_ms, abs=15)


def test_the_vectors_of_real_blocks_are_valid_shares(reference_data, tmp_path):
    blocks = json.loads((reference_data / "reservoir" / "block_headers.json").read_text())
    rows = [f"{number}.0,{block['header']}" for number, block in enumerate(blocks)]
    file = tmp_path / "blocks.csv"
    file.write_text("\n".join(["t_s,header_hex", *rows]) + "\n")
    log = read_shares(file)
    np.testing.assert_allclose(log.difficulty, [block["diff"] for block in blocks], rtol=1e-12)
