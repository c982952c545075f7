"""The commands `hwmodel reservoir shares` and `clock`: what they print, write and refuse."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from hwmodel.cli import main

GENESIS = (
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc"
    "3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)


@pytest.fixture
def nonces(tmp_path):
    rng = np.random.default_rng(1)
    rows = []
    for batch in (10, 400, 900, 1500, 2600, 4000):
        counter = int(rng.integers(1 << 25))
        swapped = int.from_bytes(counter.to_bytes(4, "big"), "little")
        version = 0x20000000 | (batch * 8) << 13
        rows.append(
            {"t_ms": 1000 + 80 * (batch + counter / 2**25), "nonce": hex(swapped), "version": hex(version)}
        )
    file = tmp_path / "nonces.json"
    file.write_text(json.dumps(rows))
    return file


@pytest.fixture
def log(tmp_path):
    times = np.cumsum(np.random.default_rng(3).exponential(0.1, 150))
    file = tmp_path / "log.csv"
    file.write_text("t_s,header_hex\n" + "".join(f"{time:.6f},{GENESIS}\n" for time in times))
    return file


def test_the_clock_is_printed_and_written(nonces, tmp_path, capsys):
    out = tmp_path / "clock.json"
    assert main(["reservoir", "clock", str(nonces), "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    assert figures["period_ms"] == pytest.approx(80)
    assert figures["counter_bits"] == 25
    assert figures["rms_ms"] < 1e-3
    assert len(figures["residuals_ms"]) == 6
    assert "80.0000 ms a batch" in capsys.readouterr().out


def test_the_clock_predicts(nonces, tmp_path, capsys):
    out = tmp_path / "clock.json"
    asked = ["reservoir", "clock", str(nonces), "--json", str(out), "--predict", "0x00000000", "0x20010000"]
    assert main(asked) == 0
    figures = json.loads(out.read_text())
    assert figures["predicted_ms"] == pytest.approx(1080)
    assert np.diff(figures["predict"]["passes_ms"]) == pytest.approx(8192 * 80)
    assert "predicted   1080.0 ms" in capsys.readouterr().out


def test_shares_are_printed_and_written(log, tmp_path, capsys):
    out = tmp_path / "shares.json"
    assert main(["reservoir", "shares", str(log), "--json", str(out), "--replicates", "99"]) == 0
    figures = json.loads(out.read_text())
    assert (figures["events"], figures["valid"], figures["duplicates"]) == (150, 150, 149)
    assert all(isinstance(figures[name], float) for name in ("cv", "lv", "fano"))
    assert set(figures["ladder"]["ideal"]) == {"p", "cause", "parameters", "statistics"}
    printed = capsys.readouterr().out
    assert printed.index("before any verdict") < printed.index("verdict: ")


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_few_shares_are_counted_and_not_judged(log, rows, tmp_path, capsys):
    log.write_text("".join(log.read_text().splitlines(keepends=True)[: rows + 1]))
    out = tmp_path / "shares.json"
    assert main(["reservoir", "shares", str(log), "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    assert (figures["events"], figures["duplicates"], figures["ladder"]) == (rows, rows - 1, {})
    assert "verdict: not tested" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["shares", "clock"])
def test_an_absent_file_is_an_error_and_not_a_traceback(command, tmp_path, capsys):
    assert main(["reservoir", command, str(tmp_path / "absent")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_json_file_that_cannot_be_written_is_named(nonces, tmp_path, capsys):
    assert main(["reservoir", "clock", str(nonces), "--json", str(tmp_path / "no" / "clock.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_wrong_prediction_is_refused(nonces, capsys):
    assert main(["reservoir", "clock", str(nonces), "--predict", "nonce", "0x20010000"]) == 1
    assert "nonce='nonce' is no 32-bit word" in capsys.readouterr().err


def test_the_doors_load_no_scipy():
    code = "import hwmodel.reservoir.clock, hwmodel.reservoir.shares, hwmodel.reservoir.stats, hwmodel.reservoir.null, sys"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print([m for m in ('scipy', 'numba') if m in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
