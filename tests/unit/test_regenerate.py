"""Generated files are as the code makes them, and a stale one is noticed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def tool(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", project / "tools" / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def toy(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with one generator, for a file in an empty folder."""
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "GENERATORS", {"docs/toy.md": lambda: "made\n"})
    return tool


def test_files_are_up_to_date(tool: ModuleType) -> None:
    assert tool.main(["--check"]) == 0


def test_missing_file_is_made(toy: ModuleType, tmp_path: Path) -> None:
    assert toy.main([]) == 0
    assert (tmp_path / "docs" / "toy.md").read_text() == "made\n"
    assert toy.main(["--check"]) == 0


def test_stale_file_is_shown_and_left_alone(
    toy: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "toy.md").write_text("by hand\n")
    assert toy.main(["--check"]) == 1
    assert "-by hand\n+made\n" in capsys.readouterr().out
    assert (tmp_path / "docs" / "toy.md").read_text() == "by hand\n"


def test_unknown_argument_is_refused(toy: ModuleType) -> None:
    assert toy.main(["--chek"]) == 2


def test_every_cell_has_its_section(tool: ModuleType) -> None:
    from hwmodel.sfq import library

    text = tool.rsfq_cells()
    assert [name for name in library("rsfq") if f"\n## {name}\n" not in text] == []
