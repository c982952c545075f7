"""The recorder with Valgrind's lackey, against programs that are known and against QEMU."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

from hwmodel.cryo.trace_record import record
from hwmodel.errors import SpecError, ToolError

from . import recorded_programs as programs
from .recorded_programs import AFTER, BEFORE, LOOP, ROUND, ROUNDS, Known, build_bare, rows


@pytest.fixture
def loop(tmp_path: Path) -> Known:
    programs.need("x86-64")
    if shutil.which("valgrind") is None or platform.machine() != "x86_64":
        pytest.skip("valgrind is not installed (Debian: valgrind), or this is no x86-64 machine")
    return build_bare("x86-64", LOOP["x86-64"], tmp_path)


def test_lackey_gives_instructions_and_accesses(loop: Known, tmp_path: Path) -> None:
    out = tmp_path / "out.hwt"
    meta = record([str(loop.path)], out, tool="lackey")
    assert meta["instructions"] == BEFORE["x86-64"] + ROUNDS * ROUND + AFTER
    words = loop.symbol("words")
    assert [row[7] for row in rows(out) if row[3] or row[4]] == [words + 8 * k for k in range(2 * ROUNDS)]
    assert not meta["has_registers"]


def test_lackey_sees_what_qemu_sees(loop: Known, tmp_path: Path) -> None:
    record([str(loop.path)], tmp_path / "lackey.hwt", tool="lackey")
    record([str(loop.path)], tmp_path / "qemu.hwt", tool="qemu")
    lackey = [(row[0], *row[3:]) for row in rows(tmp_path / "lackey.hwt")]
    assert lackey == [(row[0], *row[3:]) for row in rows(tmp_path / "qemu.hwt")]


@pytest.mark.parametrize("finish", [False, True])
def test_a_window_is_a_slice_of_the_whole(loop: Known, tmp_path: Path, finish: bool) -> None:
    out = tmp_path / "out.hwt"
    record([str(loop.path)], out, tool="lackey")
    whole = rows(out)
    meta = record([str(loop.path)], out, tool="lackey", start=5, instructions=9, finish=finish)
    assert rows(out) == whole[5:14]
    assert meta["status"] == (0 if finish else None)


def test_lackey_stands_in_where_qemu_is_missing(
    loop: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "valgrind").write_text(f'#!/bin/sh\nexec {shutil.which("valgrind")} "$@"\n', encoding="utf-8")
    (folder / "valgrind").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert record([str(loop.path)], tmp_path / "out.hwt")["recorder"] == "lackey"


def test_lackey_refuses_markers_and_threads(loop: Known, tmp_path: Path) -> None:
    for wish in ({"marker": True}, {"thread": 1}):
        with pytest.raises(SpecError, match="neither markers nor threads"):
            record([str(loop.path)], tmp_path / "out.hwt", tool="lackey", **wish)  # type: ignore[arg-type]


def test_lackey_refuses_programs_of_other_machines(loop: Known, tmp_path: Path) -> None:
    data = bytearray(loop.path.read_bytes())
    data[18:20] = (243).to_bytes(2, "little")
    other = tmp_path / "other"
    other.write_bytes(data)
    other.chmod(0o755)
    with pytest.raises(ToolError, match="for riscv64; use QEMU"):
        record([str(other)], tmp_path / "out.hwt", tool="lackey")


def test_a_valgrind_that_fails_is_an_error(
    loop: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "valgrind"
    failing.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="valgrind ended with status 3"):
        record([str(loop.path)], tmp_path / "out.hwt", tool="lackey")
    assert not (tmp_path / "out.hwt").exists()
