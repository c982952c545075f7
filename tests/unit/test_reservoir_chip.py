"""The commands `hwmodel reservoir chip` and `hwmodel reservoir capture`, as processes that talk to each other."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwmodel.cli import main
from hwmodel.reservoir.capture import EventStore

pytest.importorskip("serial", reason="pyserial is not installed")

PATIENCE = 120.0
CHIPS = [sys.executable, "-m", "hwmodel", "reservoir", "chip", "--zero-bits", "8"]
CAPTURE = [
    sys.executable,
    "-m",
    "hwmodel",
    "reservoir",
    "capture",
    "--zero-bits",
    "8",
    "--ramp",
    "0",
    "--chips",
    "1",
]


def started(*words: str) -> tuple[subprocess.Popen[str], str]:
    """Chips in a process, and the address that they print."""
    chips = subprocess.Popen([*CHIPS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert chips.stdout is not None
    return chips, chips.stdout.readline().strip()


@pytest.fixture(params=[("--pty",), ("--tcp", "0")], ids=["pty", "tcp"])
def port(request: pytest.FixtureRequest) -> Iterator[str]:
    chips, address = started(*request.param)
    yield address
    chips.send_signal(signal.SIGINT)
    out, err = chips.communicate(timeout=PATIENCE)
    assert (chips.returncode, err) == (130, "")
    assert "results" in out


def test_results_of_emulated_chips_are_captured(port: str, tmp_path: Path) -> None:
    out = tmp_path / "run.sqlite"
    done = subprocess.run(
        [*CAPTURE, "--port", port, "--out", str(out), "--events", "100"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 x BM1366 at 485 MHz, mask 1" in done.stdout
    with EventStore(out) as store:
        assert store.counts()["valid"] == store.count() >= 100
        assert store.meta["model"] == "BM1366"


def test_an_interrupted_capture_leaves_a_whole_store(tmp_path: Path) -> None:
    chips, address = started("--pty")
    out = tmp_path / "run.sqlite"
    capture = subprocess.Popen(
        [*CAPTURE, "--port", address, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert capture.stdout is not None
    assert "BM1366" in capture.stdout.readline()
    capture.send_signal(signal.SIGINT)
    told, err = capture.communicate(timeout=PATIENCE)
    chips.send_signal(signal.SIGINT)
    chips.communicate(timeout=PATIENCE)
    assert capture.returncode == 130
    assert "what was captured is kept" in err
    with EventStore(out) as store:
        told_of = int(told.split(" events")[0].rsplit(" ", 1)[1])
        assert told_of <= store.count()
        assert store._base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [p.name for p in tmp_path.iterdir()] == ["run.sqlite"]  # the write-ahead file has gone into it


def test_chips_that_vanish_are_an_error_of_the_capture(tmp_path: Path) -> None:
    chips, address = started("--tcp", "0", "--vanish-after", "1")
    done = subprocess.run(
        [*CAPTURE, "--port", address, "--out", str(tmp_path / "a.sqlite")],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    chips.send_signal(signal.SIGINT)
    chips.communicate(timeout=PATIENCE)
    assert done.returncode == 1
    assert "chips answered a read" in done.stderr


def test_chips_end_by_themselves_when_the_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reservoir", "chip", "--pty", "--seconds", "0"]) == 0
    address, summary = capsys.readouterr().out.splitlines()
    assert address.startswith("/dev/")
    assert summary.startswith("0 results")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chip"], "either --pty or --tcp"),
        (["chip", "--pty", "--tcp", "0"], "either --pty or --tcp"),
        (["chip", "--pty", "--drop", "2"], "Faults(drop=2.0)"),
        (["chip", "--pty", "--seconds", "nan"], "--seconds nan"),
        (["chip", "--pty", "--seconds", "-1"], "--seconds -1"),
        (["capture", "--port", "/dev/nothing", "--out", "a.sqlite", "--seconds", "nan"], "seconds=nan"),
        (["capture", "--port", "/dev/nothing", "--out", "a.sqlite", "--interval", "nan"], "interval=nan"),
        (["capture", "--port", "x", "--out", "a.sqlite", "--voltage", "1.2"], "--axeos"),
        (["capture", "--port", "/dev/nothing", "--out", "none/a.sqlite"], "folder"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reservoir", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_not_there_is_a_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["reservoir", "capture", "--port", "/dev/nothing", "--out", str(tmp_path / "a.sqlite")]) == 1
    assert "is it there" in capsys.readouterr().err


def test_a_frequency_beyond_the_limits_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chips, address = started("--pty")
    code = main(
        [
            "reservoir",
            "capture",
            "--port",
            address,
            "--out",
            str(tmp_path / "a.sqlite"),
            "--frequency",
            "900 MHz",
        ]
    )
    chips.send_signal(signal.SIGINT)
    chips.communicate(timeout=PATIENCE)
    assert code == 2
    assert "outside of its safe range 400 to 575 MHz" in capsys.readouterr().err


def test_a_second_capture_into_the_same_file_finds_other_results(port: str, tmp_path: Path) -> None:
    out = tmp_path / "run.sqlite"
    for total in (100, 200):
        words = [*CAPTURE, "--port", port, "--out", str(out), "--events", "100"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        with EventStore(out) as store:
            # The first capture halted the chips, so that nothing of it is left when the second one begins.
            assert store.counts()["valid"] == store.count() >= total
            assert len({job.key for _, job in store.jobs()}) == store.count_jobs()


def test_results_of_another_difficulty_are_not_added_to_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "run.sqlite"
    with EventStore(out, {"model": "BM1366", "zero_bits": "32", "mask": "1"}) as store:
        assert store.count() == 0
    chips, address = started("--pty")
    code = main(["reservoir", "capture", "--port", address, "--out", str(out), "--mask", "256"])
    chips.send_signal(signal.SIGINT)
    chips.communicate(timeout=PATIENCE)
    assert code == 2
    assert "captured with mask 1, not 256; give another --out" in capsys.readouterr().err


def test_an_attempt_that_failed_binds_its_file_to_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "run.sqlite"
    assert main(["reservoir", "capture", "--port", "/dev/nothing", "--out", str(out), "--mask", "4"]) == 1
    with EventStore(out) as store:
        assert store.meta == {}
    assert "is it there" in capsys.readouterr().err
