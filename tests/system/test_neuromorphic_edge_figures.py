"""The closed loop as a user runs it: figures as expected, files complete, where the time goes on request."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hwmodel.cli import main

FILES = ("report.html", "metrics.json", "waves.vcd", "trace.perfetto.json", "result.npz", "loop.svg")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("edge") / "out"
    assert main(["run", "neuromorphic_edge", "--seed", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def metrics(out: Path) -> Any:
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def found(metrics: Any, path: str) -> Any:
    """The figure at a path of keys and list places; labels hold dots of none."""
    for key in path.split("."):
        metrics = metrics[int(key)] if isinstance(metrics, list) else metrics[key]
    return metrics


def test_figures_are_those_expected(metrics: Any, project: Path) -> None:
    table = tomllib.loads((project / "sims/neuromorphic_edge/expected.toml").read_text(encoding="utf-8"))
    for item in table["metric"]:
        assert abs(found(metrics, item["path"]) - item["value"]) <= item["tolerance"], item["path"]


def test_fingerprint_windows_and_overhead_are_told(metrics: Any) -> None:
    assert len(metrics["fingerprint"]) == 32
    assert metrics["windows"] > 0
    assert 0 < metrics["overhead_ratio"] < 1


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_there(out: Path, name: str) -> None:
    assert (out / name).stat().st_size > 100


def test_the_profile_names_all_components(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--set", "duration=30 us", "--profile", "--out", str(tmp_path / "out")]
    assert main(["run", "neuromorphic_edge", *arguments]) == 0
    said = capsys.readouterr().out
    for name in ("asic", "features", "sfq", "counter", "readout", "taker", "core", "tuner", "kernel"):
        assert f"\n{name} " in said
