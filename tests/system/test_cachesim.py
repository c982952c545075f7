"""The clock study as a user runs it: the shapes that are expected, files, and clear refusals."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hwmodel.cli import main

SMALL = ("instructions=5000", 'workloads=["matmul"]', 'cores=["ooo"]', 'clocks=["4 GHz", "100 GHz"]')
SHORT = ("sensitivity_sets=[]", "technology_clocks=[]", "workers=1")


def run(out: Path, *settings: str) -> dict[str, Any]:
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", "cachesim", "--out", str(out), *words]) == 0
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def at(metrics: Any, path: str) -> Any:
    for key in path.split("."):
        metrics = metrics[key]
    return metrics


@pytest.fixture(scope="module")
def study(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    file = project / "sims" / "cachesim" / "expected.toml"
    wanted = tomllib.loads(file.read_text(encoding="utf-8"))
    out = tmp_path_factory.mktemp("cachesim") / "out"
    return out, wanted, run(out, *wanted["settings"])


def test_shapes_are_those_expected(study: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    _, wanted, metrics = study
    found = {item["path"]: at(metrics, item["path"]) for item in wanted["metric"]}
    assert found == {
        item["path"]: pytest.approx(item["value"], abs=item["tolerance"]) for item in wanted["metric"]
    }


def test_more_that_is_fast_is_no_slower(study: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    _, _, metrics = study
    for core in ("ooo", "inorder"):
        means = [by["100 GHz"]["mean"] for by in metrics["speedup"][core].values()]
        assert means == sorted(means)


def test_stacks_sum_to_the_cycles_of_an_instruction(
    study: tuple[Path, dict[str, Any], dict[str, Any]],
) -> None:
    _, _, metrics = study
    slow, fast = (metrics["cpi"]["ooo"]["core"][clock]["bfs"] for clock in ("4 GHz", "100 GHz"))
    speedup = metrics["speedup"]["ooo"]["core"]["100 GHz"]["bfs"]
    assert sum(fast.values()) / sum(slow.values()) == pytest.approx(25 / speedup, rel=1e-3)


def test_latencies_below_the_technology_are_named_with_the_figure(
    study: tuple[Path, dict[str, Any], dict[str, Any]],
) -> None:
    out, _, metrics = study
    [l1d] = [
        u
        for u in metrics["technology"]["undercut"]
        if (u["level"], u["kelvin"], u["clock_ghz"]) == ("l1d", 77.0, 100.0)
    ]
    assert (l1d["configured_ps"], l1d["needed_cycles"]) == (20.0, 25)
    assert l1d["needed_ps"] == pytest.approx(246, abs=1)
    assert "2 cycles of 10 ps are 20 ps" in (out / "report.html").read_text(encoding="utf-8")


def test_true_latencies_are_slower_at_a_fast_clock_and_cooling_costs(
    study: tuple[Path, dict[str, Any], dict[str, Any]],
) -> None:
    _, _, metrics = study
    rows = {(r["core"], r["kelvin"], r["clock"]): r for r in metrics["technology"]["rows"]}
    fast = rows["ooo", 77.0, "100 GHz"]
    assert (fast["l1d_cycles"], fast["l2_cycles"], fast["l3_cycles"]) == (25, 55, 214)
    assert 1 < fast["speedup"] < fast["speedup_reference"]
    cold = rows["ooo", 4.0, "100 GHz"]
    assert cold["watts_with_cooling"] > 5 * cold["watts"]
    assert cold["per_joule_relative"] < 1 < fast["per_joule_relative"]
    base = rows["ooo", 300.0, "4 GHz"]
    assert (base["speedup"], base["per_joule_relative"]) == (1.0, 1.0)
    assert base["watts_with_cooling"] == pytest.approx(base["watts"])


def test_every_picture_is_there(study: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    out, _, _ = study
    names = ("speedup_{}", "speedup_{}_by_set", "cpi_{}", "wall_{}", "sensitivity_{}", "roofline_{}")
    wanted = {f"{name.format(core)}.svg" for name in names for core in ("ooo", "inorder")}
    assert wanted <= {path.name for path in out.iterdir()}


def test_the_tables_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "out", *SMALL, "workers=1", "technology_clocks=['4 GHz']")
    said = capsys.readouterr()
    for line in ("ooo: mean speed-up", "cycles an instruction at 100 GHz", "T = a / f + b", "one is relaxed"):
        assert line in said.out
    assert "latencies that the technology can do" in said.out
    assert "times as long" in said.err


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    one = run(tmp_path / "a", *SMALL, *SHORT)
    two = run(tmp_path / "b", *SMALL, *SHORT[:2], "workers=2")
    assert one == two


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('workloads=["bsf"]', "bfs"),
        ('sets=["l1l3"]', "l1l2"),
        ('cores=["vliw"]', "inorder"),
        ('clocks=["4 GHz"]', "at least two"),
        ('clocks=["10 GHz", "4 GHz"]', "that rise"),
        ("instructions=-1", "0 for all"),
        ("workers=-1", "one a core"),
        ("technology=cmos-7nm", "cmos-22nm"),
    ],
)
def test_settings_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, said: str
) -> None:
    assert main(["run", "cachesim", "--out", str(tmp_path / "o"), "--set", setting]) == 2
    assert said in capsys.readouterr().err
