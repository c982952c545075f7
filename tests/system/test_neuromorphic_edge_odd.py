"""The closed loop with parameters at their limits: its command gives figures or says which there are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwmodel.cli import main


def _run(out: Path, *settings: str) -> dict:
    assert (
        main(["run", "neuromorphic_edge", "--out", str(out), *(w for s in settings for w in ("--set", s))])
        == 0
    )
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def test_before_the_first_estimate_the_core_is_not_busy(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    metrics = _run(tmp_path / "out", "duration=2 us", "simulator=pyrtl")
    core = next(iter(metrics.values()))["core"] if "core" not in metrics else metrics["core"]
    assert core["busy_percent"] == 0
    assert core["ipc_while_busy"] is None
    assert "busy 0.0 %, IPC none" in capsys.readouterr().out


def test_a_run_that_ends_between_a_frame_and_its_answer_has_no_latency(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    _run(tmp_path / "out", "frequency=650 MHz", "duration=15 us", "simulator=pyrtl")
    assert "not to be told, answers are joined or there are none: core: estimate until doorbell" in (
        capsys.readouterr().out
    )


def test_estimates_that_are_joined_in_the_mailbox_do_not_cost_the_run_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    _run(tmp_path / "out", "stride=1", "slots=1", "frequency=550 MHz", "duration=38 us", "simulator=pyrtl")
    assert "none: frame over until the chip's clock is set" in capsys.readouterr().out
