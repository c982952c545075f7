"""The classifier as a user runs it: figures that are expected, in both styles, and clear refusals."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hwmodel.cli import main

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")


def run(out: Path, *settings: str) -> dict[str, Any]:
    words = [word for setting in ("tool=estimate", *settings) for word in ("--set", setting)]
    assert main(["run", "quantized_classifier", "--out", str(out), *words]) == 0
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def test_figures_are_those_expected(tmp_path: Path, project: Path) -> None:
    metrics = run(tmp_path / "out")
    file = project / "sims" / "quantized_classifier" / "expected.toml"
    wanted = tomllib.loads(file.read_text(encoding="utf-8"))["metric"]
    assert {item["path"]: metrics[item["path"]] for item in wanted} == {
        item["path"]: pytest.approx(item["value"], abs=item["tolerance"]) for item in wanted
    }
    assert metrics["tool"] == "hwmodel estimate"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "waves.vcd", "accuracy.svg"} <= names


def test_folded_hardware_gives_the_same_digits_later(tmp_path: Path) -> None:
    fast, slow = run(tmp_path / "a", "images=25"), run(tmp_path / "b", "images=25", "style=mac")
    assert fast["accuracy"] == slow["accuracy"]
    assert slow["mismatches"] == 0
    assert slow["ii_cycles"] > 64 > fast["ii_cycles"] == 1


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("images=0", "there are 1 to 1000"),
        ("pipeline=0", "no registers to clock"),
        ("fold=4", "belongs to style=mac"),
    ],
)
def test_settings_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, said: str
) -> None:
    assert main(["run", "quantized_classifier", "--out", str(tmp_path / "o"), "--set", setting]) == 2
    assert said in capsys.readouterr().err


def test_the_model_can_still_be_emitted(tmp_path: Path) -> None:
    assert main(["emit", "quantized_classifier", "--out", str(tmp_path / "o"), "--tool", "estimate"]) == 0
    assert (tmp_path / "o" / "inputs.npz").is_file()
