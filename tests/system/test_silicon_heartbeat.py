"""The programme as a user runs it: plan before data, verdicts behind gates, controls, files, and clear refusals."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hwmodel.cli import main

pytest.importorskip("scipy", reason="SciPy is not installed")

SMALL = (
    "session_s=40", "replays=20", "bootstraps=20", "trials=22", "steps=240", "positive_seeds=3", "negative_seeds=3",
)  # fmt: skip
HYPOTHESES = ["H0", "H1", "H2", "H3", "H4", "H5"]


def run(out: Path, *settings: str, code: int = 0, reference: str = "") -> dict[str, Any]:
    words = [word for setting in (*SMALL, *settings) for word in ("--set", setting)]
    assert (
        main(["run", "silicon_heartbeat", "--out", str(out), *words, "--set", f"reference={reference}"])
        == code
    )
    return json.loads((out / "metrics.json").read_text(encoding="utf-8")) if code == 0 else {}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heartbeat") / "out"


@pytest.fixture(scope="module")
def metrics(out: Path) -> dict[str, Any]:
    return run(out, reference=str(out.parent))


def at(metrics: Any, path: str) -> Any:
    for key in path.split("/"):
        metrics = metrics[key]
    return metrics


def test_figures_are_those_expected(metrics: dict[str, Any], project: Path) -> None:
    file = project / "sims" / "silicon_heartbeat" / "expected.toml"
    wanted = tomllib.loads(file.read_text(encoding="utf-8"))
    assert tuple(wanted["settings"]) == SMALL
    found = {item["path"]: at(metrics, item["path"]) for item in wanted["metric"]}
    assert found == {
        item["path"]: pytest.approx(item["value"], abs=item["tolerance"])
        if "tolerance" in item
        else item["value"]
        for item in wanted["metric"]
    }


def test_there_is_one_verdict_a_hypothesis_in_an_allowed_form(metrics: dict[str, Any]) -> None:
    texts = {name: v["text"] for name, v in metrics["verdicts"].items()}
    assert list(texts) == HYPOTHESES
    assert all(
        t == "confirmed" or t.startswith(("refuted at depth ", "not tested (gate failed: "))
        for t in texts.values()
    )


def test_the_digest_is_that_of_the_registered_file(out: Path, metrics: dict[str, Any]) -> None:
    text = (out / "preregistration.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == metrics["plan_sha256"]
    assert json.loads(text)["plan"]["h1"]["session_s"] == 40


def test_sizes_below_the_power_table_are_not_tested(metrics: dict[str, Any]) -> None:
    for name in ("H1", "H2", "H5"):
        verdict = metrics["verdicts"][name]
        assert verdict["verdict"] == "not tested"
        assert not verdict["gates"]["N"]["passed"]
        assert verdict["p"] is None


def test_absent_reference_data_are_named(out: Path, metrics: dict[str, Any]) -> None:
    assert metrics["real_data"]["S9"] == {"analysed": False}
    assert "s9_shares.csv.gz is not there" in (out / "report.html").read_text(encoding="utf-8")


def test_pictures_are_drawn(out: Path, metrics: dict[str, Any]) -> None:
    names = {p.stem for p in out.glob("*.svg")}
    assert {"01_verdicts", "02_power", "03_clock_residuals", "04_intervals", "05_fano_allan"} <= names
    assert {"06_envelope", "07_periodogram", "08_errors", "09_scores"} <= names


def test_planted_effects_are_found_end_to_end(metrics: dict[str, Any]) -> None:
    found = metrics["controls"]["end_to_end"]
    assert found["jitter"]["found"]
    assert found["correlated errors"]["found"]


def test_the_same_seed_gives_the_same_figures(tmp_path: Path, out: Path, metrics: dict[str, Any]) -> None:
    assert run(tmp_path / "out", f"registered={metrics['plan_sha256']}", reference=str(out.parent)) == metrics


def test_a_deaf_rail_stops_every_hypothesis(tmp_path: Path) -> None:
    few = ("replays=2", "trials=2", "steps=110", "positive_seeds=1", "negative_seeds=1", "fault=deaf rail")
    found = run(tmp_path / "out", *few, reference=str(tmp_path))["verdicts"]
    assert {v["verdict"] for v in found.values()} == {"not tested"}
    assert not any(v["gates"]["set points"]["passed"] for v in found.values())


def test_another_plan_than_the_registered_one_is_refused(
    tmp_path: Path, metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "out", "trials=23", f"registered={metrics['plan_sha256']}", code=1)
    assert "run what was registered" in capsys.readouterr().err


def test_a_port_without_a_rail_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "out", "port=/dev/null", code=2)
    assert "read back" in capsys.readouterr().err


@pytest.mark.parametrize(
    "setting",
    [
        "plant=magic", "fault=magic", "session_s=1", "trials=-1", "plan=nowhere.toml", "session_s=nan", "steps=99",
        "drawn=-2", "rail=http://192.0.2.7", "store=events.sqlite",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    tmp_path: Path, setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", setting]
    assert main(["run", "silicon_heartbeat", "--out", str(tmp_path / "out"), *words]) in (1, 2)
    assert setting.split("=")[0] in capsys.readouterr().err


def test_power_is_said_before_any_datum(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    from hwmodel.reservoir.chip import ChipModel

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("a chip was switched on")

    monkeypatch.setattr(ChipModel, "__init__", refuse)
    with pytest.raises(RuntimeError, match="switched on"):
        run(tmp_path / "out")
    told = capsys.readouterr().err
    assert told.startswith("plan        SHA-256 ")
    assert "what is found with that power" in told


def test_real_data_are_judged_by_the_same_machine(reference_data: Path) -> None:
    from tests.system.silicon_heartbeat_parts import part, small_plan

    realdata = part("realdata")
    metrics, _, verdicts = realdata.analyse(small_plan(), reference_data / "reservoir")
    assert metrics["S9"]["rehash_share"] == 1.0
    assert metrics["S9"]["explained_by"] == "closed-loop dead time"
    assert metrics["BM1366"]["rms_ms"] < 5.0
    assert {v.verdict for found in verdicts.values() for v in found.values()} == {"not tested"}
