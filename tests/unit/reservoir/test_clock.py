"""The nonce clock: planted clocks are found again, whatever hosts and wraps do to the log."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir.clock import Geometry, analyse_clock, fit_clock, read_records

PERIOD, START = 78.65, 1697.0


def planted(count, *, seed=0, bits=25, noise=2.9, swapped=True, span_ms=400_000.0, period=PERIOD, drift=0.0):
    """Records of a chip whose counter has `bits` bits, over as many passes as the span takes."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.uniform(0, span_ms / period, count))
    rows = []
    for place in places:
        batch, fraction = divmod(place, 1.0)
        counter = int(fraction * (1 << bits))
        nonce = (int(rng.integers(1 << (32 - bits))) << bits | counter) if bits < 32 else counter
        if swapped:
            nonce = int.from_bytes(nonce.to_bytes(4, "big"), "little")
        index = int(batch) % 8192 * 8 + int(rng.integers(8))
        time = START + period * (batch + counter / (1 << bits)) + drift * place**2 / 2 + rng.normal(0, noise)
        rows.append({"t_ms": time, "nonce": f"0x{nonce:08x}", "version": f"0x{0x20000000 | index << 13:08x}"})
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_clock_is_found(seed):
    clock = fit_clock(planted(12, seed=seed))
    assert clock.period_ms == pytest.approx(PERIOD, abs=0.05)
    assert clock.counter_bits == 25
    assert clock.nonce_swapped
    assert clock.rms_ms < 5
    assert clock.p < 0.01


@pytest.mark.parametrize("bits", [18, 22, 25, 30])
def test_the_width_of_the_counter_is_found(bits):
    assert fit_clock(planted(24, bits=bits, noise=1.0, swapped=False)).counter_bits == bits


def test_a_late_record_is_left_out_and_named():
    rows = planted(8, seed=4)
    rows[0]["t_ms"] += 621
    clock = fit_clock(rows)
    assert np.flatnonzero(~clock.kept).tolist() == [0]
    assert clock.residuals_ms[0] == pytest.approx(621, abs=40)
    assert clock.rms_ms < 5
    assert clock.as_dict()["outliers"] == [0]


@pytest.mark.parametrize("span_ms", [700_000.0, 2_500_000.0, 20_000_000.0])
def test_wraps_of_the_versions_are_counted(span_ms):
    rows = planted(40, seed=2, span_ms=span_ms)
    clock = fit_clock(rows)
    assert clock.period_ms == pytest.approx(PERIOD, abs=0.01)
    assert clock.rms_ms < 5
    first, last = (int((rows[place]["t_ms"] - START) / (8192 * PERIOD)) for place in (0, -1))
    assert int(np.ptp(clock.wraps)) == last - first


def test_a_nonce_comes_again_when_the_versions_have_wrapped():
    clock = fit_clock(planted(12, seed=1))
    first, second, third = clock.predict("0x12345678", "0x20002000", passes=3)
    assert second - first == pytest.approx(8192 * PERIOD, abs=100)
    assert third - second == pytest.approx(second - first)
    assert clock.predict("0x12345678", "0x20002000", after_ms=first + 1)[0] == pytest.approx(second)


def test_a_prediction_after_the_wrap_meets_the_record():
    rows = planted(30, seed=6, span_ms=1_300_000.0)
    early = [row for row in rows if row["t_ms"] < 500_000]
    clock = fit_clock(early, counter_bits=25)
    last = rows[-1]
    times = clock.predict(last["nonce"], last["version"], passes=4)
    assert np.abs(times - last["t_ms"]).min() < 25


def test_runs_have_starts_of_their_own_and_share_the_period():
    first, second = planted(6, seed=1), planted(6, seed=2)
    for row in second:
        row["t_ms"] += 100_000
        row["run"] = "b"
    clock = fit_clock([*first, *second], counter_bits=25)
    assert clock.starts_ms["b"] - clock.starts_ms[""] == pytest.approx(100_000, abs=20)


def test_a_drift_of_the_period_is_fitted():
    rows = planted(200, seed=3, span_ms=600_000.0, noise=0.1, drift=1e-5)
    plain, drifting = fit_clock(rows, counter_bits=25), fit_clock(rows, counter_bits=25, drift=True)
    assert drifting.drift_per_batch == pytest.approx(1e-5, rel=0.02)
    assert drifting.rms_ms < 0.2 < plain.rms_ms


def test_random_counters_have_p_above_alpha_as_often_as_they_should():
    small = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = planted(8, seed=seed)
        for row in rows:
            row["nonce"] = int(rng.integers(1 << 32))
        small += fit_clock(rows, counter_bits=25, nonce_swapped=True, draws=400).p < 0.05
    assert small <= 8  # binomial(60, 0.05) passes this with probability 0.002


def test_the_search_for_the_width_is_paid_for():
    clock = fit_clock(planted(8))
    assert clock.p < clock.p_search <= 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_places_lie_within_one_pass(nonce, version):
    place = Geometry().place(np.array([nonce]), np.array([version]), 25, True)[0]
    assert 0 <= place < 8192


def test_records_in_any_order_give_the_same_clock():
    rows = planted(12, seed=9)
    clock, other = fit_clock(rows), fit_clock(rows[::-1])
    assert other.period_ms == pytest.approx(clock.period_ms, rel=1e-9)
    np.testing.assert_allclose(other.residuals_ms[::-1], clock.residuals_ms, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t_ms": None}, "record 2: t_ms=None"),
        ({"t_ms": float("nan")}, "record 2: t_ms=nan"),
        ({"nonce": "xyz"}, "record 2: nonce='xyz'"),
        ({"nonce": 1 << 32}, "record 2: nonce=4294967296"),
        ({"version": -1}, "record 2: version=-1"),
        ({"version": True}, "record 2: version=True"),
    ],
)
def test_a_wrong_field_is_named(change, message):
    rows = planted(6)
    rows[1] |= change
    with pytest.raises(StimulusError, match=message):
        fit_clock(rows)


@pytest.mark.parametrize("field", ["t_ms", "nonce", "version"])
def test_a_missing_field_is_named(field):
    rows = planted(6)
    del rows[3][field]
    with pytest.raises(StimulusError, match=f"record 4 has no field '{field}'"):
        fit_clock(rows)


def test_too_few_records_are_refused():
    with pytest.raises(StimulusError, match="3 records; a clock needs 4"):
        fit_clock(planted(3))


def test_times_without_a_clock_are_refused():
    rows = planted(12)
    for row, time in zip(rows, np.sort(np.random.default_rng(99).uniform(0, 4e5, 12)), strict=True):
        row["t_ms"] = time
    with pytest.raises(StimulusError, match="no clock with a period of 10 to 1000 ms"):
        fit_clock(rows)


@pytest.mark.parametrize(
    "options", [{"counter_bits": 0}, {"counter_bits": 33}, {"period_range_ms": (5, 1)}, {"draws": 0}]
)
def test_parameters_out_of_range_are_refused(options):
    with pytest.raises(SpecError, match=next(iter(options))):
        fit_clock(planted(6), **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{]", "no JSON"),
        ("{}", "no list of records"),
        ("[1]", "record 1: 1 is no object"),
        ("[]", "0 records"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
    file = tmp_path / "nonces.json"
    file.write_text(text)
    with pytest.raises(StimulusError, match=message):
        analyse_clock(file)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(StimulusError, match=r"absent\.json: cannot be read"):
        read_records(tmp_path / "absent.json")


def test_figures_have_one_residual_a_record(tmp_path):
    file = tmp_path / "nonces.json"
    file.write_text(json.dumps(planted(9)))
    figures, lines = analyse_clock(file, predict=("0x1", "0x20000000"))
    assert len(figures["residuals_ms"]) == 9
    assert figures["predict"]["passes_ms"][0] == figures["predicted_ms"]
    assert any(line.startswith("predicted") for line in lines)
    json.dumps(figures, allow_nan=False)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    file = tmp_path / "nonces.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(planted(6)).encode())
    assert len(read_records(file)) == 6


@pytest.mark.parametrize("time", [1e300, 10**400, -(10**400), 1e16, float("inf")])
def test_times_beyond_all_clocks_are_named(time):
    rows = planted(6)
    rows[2]["t_ms"] = time
    with pytest.raises(StimulusError, match="record 3: t_ms="):
        fit_clock(rows)


def test_a_number_of_thousands_of_digits_is_no_json(tmp_path):
    file = tmp_path / "nonces.json"
    file.write_text("[" + "9" * 5000 + "]")
    with pytest.raises(StimulusError, match="no JSON text"):
        read_records(file)


@pytest.mark.parametrize("after", [float("nan"), float("inf"), 1e300])
def test_a_prediction_after_no_time_is_refused(after):
    with pytest.raises(SpecError, match="after_ms"):
        fit_clock(planted(6)).predict("0x1", "0x20000000", after_ms=after)


def test_decimal_text_too_long_for_hexadecimal_is_decimal():
    rows = planted(8)
    told = [{**row, "nonce": int(row["nonce"], 16), "version": str(int(row["version"], 16))} for row in rows]
    assert fit_clock(told).period_ms == fit_clock(rows).period_ms


@pytest.mark.parametrize("seed", range(8))
def test_few_records_do_not_upset_the_documented_width(seed):
    clock = fit_clock(planted(4, seed=seed, noise=3.5, span_ms=60_000.0), draws=1)
    assert (clock.counter_bits, clock.nonce_swapped) == (25, True)


@pytest.mark.parametrize("seed", range(4))
def test_another_width_keeps_the_byte_order(seed):
    clock = fit_clock(planted(8, seed=seed, bits=24, noise=3.5), draws=1)
    assert (clock.counter_bits, clock.nonce_swapped) == (24, True)


def test_the_pass_that_follows_the_log_is_given(tmp_path):
    rows = planted(12, seed=1)
    file = tmp_path / "nonces.json"
    file.write_text(json.dumps(rows))
    figures, lines = analyse_clock(file, predict=(rows[3]["nonce"], rows[3]["version"]))
    assert figures["predict"]["t_ms"] == pytest.approx(rows[3]["t_ms"], abs=15)
    assert figures["predict"]["after_last_ms"] == pytest.approx(rows[3]["t_ms"] + 8192 * PERIOD, abs=100)
    assert any("after the last record" in line for line in lines)
