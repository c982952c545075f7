"""`hwmodel emit` and `hwmodel verify`: folders, exit codes, what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwmodel._emission import REPORT_KEYS, shipped_models
from hwmodel.cli import main
from tests.unit.fixedpoint.emit_graphs import classifier

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")


@pytest.fixture
def emitted(tmp_path: Path) -> Path:
    model = classifier().save(tmp_path / "model.npz")
    assert main(["emit", str(model), "--out", str(tmp_path / "out"), "--tool", "estimate"]) == 0
    return tmp_path / "out"


def test_the_folder_is_complete(emitted: Path) -> None:
    files = {str(p.relative_to(emitted)) for p in emitted.rglob("*") if p.is_file()}
    assert files == {"README.md", "design.json", "design.v", "hls/classifier.h", "model.npz", "report.json"}
    report = json.loads((emitted / "report.json").read_text())
    assert tuple(report) == REPORT_KEYS
    assert report["tool"] == "hwmodel estimate"
    head = json.loads((emitted / "design.json").read_text())
    assert head["ports"][4]["format"] == "ap_fixed<6,3>"


def test_an_emitted_folder_verifies(emitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(emitted), "--simulator", "pyrtl", "--vectors", "30"]) == 0
    assert "equal for 30 inputs" in capsys.readouterr().out


def test_labels_give_an_accuracy(emitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(1).integers(-32, 32, (20, 3))
    labels = classifier().evaluate(x)[:, 0]
    labels[:5] += 1
    np.savez(emitted.parent / "inputs.npz", images=x, labels=labels)
    inputs = ["--inputs", str(emitted.parent / "inputs.npz")]
    assert main(["verify", str(emitted), "--simulator", "pyrtl", *inputs]) == 0
    assert "accuracy: 15 of 20 labels, 75.0 %" in capsys.readouterr().out


def test_emitting_again_gives_the_same_files(emitted: Path) -> None:
    before = (emitted / "design.v").read_bytes()
    model = str(emitted.parent / "model.npz")
    assert main(["emit", model, "--out", str(emitted), "--tool", "estimate"]) == 0
    assert (emitted / "design.v").read_bytes() == before


def test_a_foreign_folder_is_not_replaced(emitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (emitted / "mine.txt").write_text("keep")
    assert main(["emit", str(emitted.parent / "model.npz"), "--out", str(emitted)]) == 2
    assert "mine.txt" in capsys.readouterr().err
    assert (emitted / "mine.txt").read_text() == "keep"


def test_changed_verilog_is_not_vouched_for_by_pyrtl(
    emitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (emitted / "design.v").write_text((emitted / "design.v").read_text() + "// changed\n")
    assert main(["verify", str(emitted), "--simulator", "pyrtl"]) == 1
    assert "was changed" in capsys.readouterr().err


def test_a_foreign_model_in_the_folder_is_seen(emitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier().__class__.load(shipped_models()["quantized_classifier"]).save(emitted / "model.npz")
    assert main(["verify", str(emitted), "--simulator", "pyrtl"]) == 1
    assert "is not the graph" in capsys.readouterr().err


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emit", "quantised_classifier"]) == 2
    assert "did you mean 'quantized_classifier'" in capsys.readouterr().err


def test_a_folder_without_a_design_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 1
    assert "holds no emitted design" in capsys.readouterr().err


def test_the_shipped_classifier_is_as_good_as_its_text_says() -> None:
    file = shipped_models()["quantized_classifier"]
    with np.load(file.with_name("images.npz")) as data:
        images, labels = data["images"].astype(int), data["labels"]
    graph = classifier().__class__.load(file)
    right = (graph.evaluate(images)[:, 0] == labels).mean()
    assert f"{100 * right:.1f} %" in (file.parent / "README.md").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"graph_hash": None}, "holds no emitted design"),
        ({"ports": None}, "holds no emitted design"),
        ({"style": "flat"}, "design.json is damaged"),
        ({"options": {"wide": 3}}, "design.json is damaged"),
        ({"options": {"pipeline": "2"}}, "design.json is damaged"),
    ],
)
def test_a_damaged_description_is_refused(
    emitted: Path, capsys: pytest.CaptureFixture[str], change: dict, said: str
) -> None:
    head = json.loads((emitted / "design.json").read_text()) | change
    (emitted / "design.json").write_text(json.dumps({k: v for k, v in head.items() if v is not None}))
    assert main(["verify", str(emitted), "--simulator", "pyrtl"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"images": np.zeros((0, 3), int)}, "holds no images"),
        ({"images": np.zeros((4, 3), int), "labels": np.zeros(3, int)}, "labels of shape (3,)"),
    ],
)
def test_inputs_without_images_or_with_odd_labels_are_refused(
    emitted: Path, capsys: pytest.CaptureFixture[str], content: dict, said: str
) -> None:
    np.savez(emitted.parent / "inputs.npz", **content)
    inputs = ["--inputs", str(emitted.parent / "inputs.npz")]
    assert main(["verify", str(emitted), "--simulator", "pyrtl", *inputs]) == 1
    assert said in capsys.readouterr().err
