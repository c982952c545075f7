"""The reproduction: the reference's figures from its statistics and from the table, and our shapes beside them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hwmodel.cli import main

SMALL = ("instructions=2000", 'workloads=["matmul"]', 'clocks=["4 GHz", "100 GHz"]', "workers=1")


def run(out: Path, *settings: str) -> dict[str, Any]:
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", "high_frequency_cores", "--out", str(out), *words]) == 0
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def at(metrics: Any, path: str) -> Any:
    for key in path.split("."):
        metrics = metrics[key]
    return metrics


@pytest.fixture
def absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWMODEL_REFERENCE", str(tmp_path / "none"))


def test_figures_are_those_expected(tmp_path: Path, project: Path) -> None:
    file = project / "sims" / "high_frequency_cores" / "expected.toml"
    wanted = tomllib.loads(file.read_text(encoding="utf-8"))
    metrics = run(tmp_path / "out", *wanted["settings"])
    found = {item["path"]: at(metrics, item["path"]) for item in wanted["metric"]}
    assert found == {
        item["path"]: pytest.approx(item["value"], abs=item["tolerance"]) for item in wanted["metric"]
    }


def test_the_table_says_what_the_statistics_give(
    tmp_path: Path, reference_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table that is shipped against the 300 files that it was computed from."""
    monkeypatch.setenv("HWMODEL_REFERENCE", str(reference_data))
    computed = run(tmp_path / "a", *SMALL)["reference"]
    monkeypatch.setenv("HWMODEL_REFERENCE", str(tmp_path / "none"))
    shipped = run(tmp_path / "b", *SMALL)["reference"]
    assert (computed["source"], shipped["source"]) == ("seed_gem5_stats.csv", "paper.toml")
    for core, by_set in shipped["speedup"].items():
        for domains, by_clock in by_set.items():
            for clock, figures in by_clock.items():
                real = computed["speedup"][core][domains][clock]
                assert figures == {key: pytest.approx(real[key], abs=0.0051) for key in figures}
    for domains, errors in shipped["law"].items():
        real = computed["law"][domains]
        assert errors == {key: pytest.approx(real[key], abs=0.00051) for key in errors}
    assert shipped["bandwidth"]["gb_per_second"] == pytest.approx(
        computed["bandwidth"]["gb_per_second"], rel=1e-3
    )


def test_queues_and_fetch_are_computed_from_the_statistics(
    tmp_path: Path, reference_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWMODEL_REFERENCE", str(reference_data))
    metrics = run(tmp_path / "out", *SMALL)
    rounded = {name: round(metrics["full_queues"][name]) for name in ("cg", "ft", "is")}
    assert rounded == {"cg": 342, "ft": 209, "is": 623}
    assert metrics["reference"]["fetch_share"]["bt"] == pytest.approx(1.0, abs=0.005)


def test_it_runs_without_the_statistics(
    tmp_path: Path, absent: None, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = run(tmp_path / "out", *SMALL)
    said = capsys.readouterr()
    assert "paper.toml" in said.err
    assert metrics["reference"]["speedup"]["ooo"]["core"]["100 GHz"]["mean"] == 2.09
    assert "79.0 GB/s; shown there as 790 GB/s" in said.out


def test_bandwidths_are_ten_times_too_high_in_the_notebooks(tmp_path: Path, absent: None) -> None:
    for band in (at(run(tmp_path / "o", *SMALL), path) for path in ("reference.bandwidth", "ours.bandwidth")):
        assert band["gb_per_second"] == pytest.approx(band["accesses_per_second"] * 8 / 1e9)
        assert band["as_in_the_notebooks"] == pytest.approx(10 * band["gb_per_second"])


def test_a_tick_of_a_picosecond_rounds_fast_clocks(tmp_path: Path, absent: None) -> None:
    made = {tick["wanted_ghz"]: tick for tick in run(tmp_path / "out", *SMALL)["ticks"]}
    assert [made[f]["ticks"] for f in (30, 60, 100, 150)] == [33, 17, 10, 7]
    assert made[150]["error"] == pytest.approx(-0.048, abs=0.001)
    assert made[100]["error"] == 0.0


def test_statistics_that_are_not_there_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    setting = f"statistics={tmp_path / 'empty'}"
    assert main(["run", "high_frequency_cores", "--out", str(tmp_path / "o"), "--set", setting]) == 2
    assert "seed_gem5_stats.csv" in capsys.readouterr().err


def test_statistics_of_another_form_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "seed_gem5_stats.csv").write_text(
        "file,simSeconds\nplots/gem5-stat-files/baseline-4GHz/a,x\n"
    )
    setting = f"statistics={tmp_path}"
    assert main(["run", "high_frequency_cores", "--out", str(tmp_path / "o"), "--set", setting]) == 1
    assert "line 2" in capsys.readouterr().err
