"""A folder is replaced as a whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hwmodel import _atomic
from hwmodel._atomic import check_replaceable, replaced_folder
from hwmodel.errors import OutputError


def ours(folder: Path) -> str | None:
    return None if (folder / "manifest.json").exists() else "it holds no manifest.json"


def fill(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "data.txt").write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in folder.iterdir()}


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def start_writer(target: Path, ending: str) -> subprocess.Popen[str]:
    """A process that is half-way through writing `target` once it has printed a line."""
    code = f"""
        import time
        from pathlib import Path
        from hwmodel._atomic import replaced_folder
        with replaced_folder({str(target)!r}, lambda folder: None) as fresh:
            (fresh / "data.txt").write_text("half")
            print("writing", flush=True)
            {ending}
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer.stdout as lines:
        assert lines.readline() == "writing\n"
    return writer


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "two renames":
        monkeypatch.setattr(_atomic, "_exchange", lambda fresh, target: False)
    return str(request.param)


def test_new_folder_with_missing_parents(tmp_path: Path, way: str) -> None:
    with replaced_folder(tmp_path / "a" / "b", ours) as fresh:
        fill(fresh, "new")
        assert not (tmp_path / "a" / "b").exists()
    assert content(tmp_path / "a" / "b") == {"manifest.json": "{}", "data.txt": "new"}
    assert names(tmp_path / "a") == ["b"]


def test_old_content_is_replaced_as_a_whole(tmp_path: Path, way: str) -> None:
    target = tmp_path / "run"
    fill(target, "old")
    (target / "picture.png").write_text("old picture")
    with replaced_folder(target, ours) as fresh:
        fill(fresh, "new")
        assert content(target)["data.txt"] == "old"
    assert content(target) == {"manifest.json": "{}", "data.txt": "new"}
    assert names(tmp_path) == ["run"]


def test_exception_leaves_the_old_folder_and_nothing_else(tmp_path: Path, way: str) -> None:
    target = tmp_path / "run"
    fill(target, "old")
    with pytest.raises(ZeroDivisionError), replaced_folder(target, ours) as fresh:
        fill(fresh, "new")
        raise ZeroDivisionError
    assert content(target)["data.txt"] == "old"
    assert names(tmp_path) == ["run"]


def test_exception_removes_the_parents_it_made(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replaced_folder(tmp_path / "a" / "b" / "c", ours):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_failing_second_rename_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "run"
    fill(target, "old")
    rename = Path.rename

    def fail(self: Path, to: Path) -> Path:
        if self.suffix == ".new":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(_atomic, "_exchange", lambda fresh, target: False)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="No space left"), replaced_folder(target, ours) as fresh:
        fill(fresh, "new")
    assert content(target)["data.txt"] == "old"
    assert names(tmp_path) == ["run"]


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(OutputError, match=r"holds no manifest\.json; name another folder"),
        replaced_folder(tmp_path, ours),
    ):
        pass
    assert content(tmp_path) == {"thesis.tex": "years of work"}


def test_empty_folder_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with replaced_folder(tmp_path / "run", ours) as fresh:
        fill(fresh, "new")
    assert content(tmp_path / "run")["data.txt"] == "new"


def test_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError, match="it is a file; name a folder"):
        check_replaceable(tmp_path / "run", ours)


@pytest.mark.parametrize("folder", [".", "..", "../.."])
def test_current_folder_and_those_above_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    with pytest.raises(OutputError, match="the current folder"):
        check_replaceable(folder, lambda folder: None)


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("first", "second"):
        with replaced_folder("runs/one", ours) as fresh:
            fill(fresh, text)
    assert content(tmp_path / "runs" / "one")["data.txt"] == "second"
    assert names(tmp_path / "runs") == ["one"]


def test_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path, way: str) -> None:
    real, link = tmp_path / "disk" / "real", tmp_path / "link"
    fill(real, "old")
    link.symlink_to(real)
    with replaced_folder(link, ours) as fresh:
        fill(fresh, "new")
    assert link.is_symlink()
    assert content(real)["data.txt"] == "new"
    assert names(tmp_path) == ["disk", "link"]


def test_mode_of_the_old_folder_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "run"
    fill(target, "old")
    target.chmod(0o750)
    with replaced_folder(target, ours) as fresh:
        fill(fresh, "new")
    assert target.stat().st_mode & 0o777 == 0o750


def test_kill_in_mid_write_leaves_the_old_folder_and_the_next_run_clears_up(tmp_path: Path) -> None:
    target = tmp_path / "run"
    fill(target, "old")
    writer = start_writer(target, "time.sleep(60)")
    writer.kill()
    writer.wait(10)
    assert content(target)["data.txt"] == "old"
    assert len(names(tmp_path)) == 2  # the half-written folder is still there
    with replaced_folder(target, ours) as fresh:
        fill(fresh, "new")
    assert content(target)["data.txt"] == "new"
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_in_mid_write_removes_what_was_half_written(tmp_path: Path, number: signal.Signals) -> None:
    target = tmp_path / "run"
    fill(target, "old")
    writer = start_writer(target, "time.sleep(60)")
    writer.send_signal(number)
    assert writer.wait(10) != 0
    assert content(target)["data.txt"] == "old"
    assert names(tmp_path) == ["run"]


def test_a_living_writer_is_not_cleared_up(tmp_path: Path) -> None:
    target = tmp_path / "run"
    go = tmp_path / "go"
    writer = start_writer(target, f"while not Path({str(go)!r}).exists(): time.sleep(0.01)")
    with replaced_folder(target, ours) as fresh:
        fill(fresh, "mine")
    go.touch()
    assert writer.wait(10) == 0
    assert content(target)["data.txt"] == "half"  # the later one to finish wins, as a whole
    assert names(tmp_path) == ["go", "run"]


def test_kill_between_two_renames_is_undone_by_the_next_run(tmp_path: Path) -> None:
    target = tmp_path / "run"
    fill(tmp_path / ".run.hwmodel-0123456789ab.old", "old")
    fill(tmp_path / ".run.hwmodel-0123456789ab.new", "new")
    with pytest.raises(ZeroDivisionError), replaced_folder(target, ours):
        assert content(target)["data.txt"] == "old"
        raise ZeroDivisionError
    assert names(tmp_path) == ["run"]


def test_neighbours_leftovers_are_not_touched(tmp_path: Path) -> None:
    fill(tmp_path / ".run2.hwmodel-0123456789ab.new", "another target's")
    with replaced_folder(tmp_path / "run", ours) as fresh:
        fill(fresh, "new")
    assert names(tmp_path) == [".run2.hwmodel-0123456789ab.new", "run"]


def test_a_reader_never_sees_a_mixture(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with replaced_folder(target, ours) as fresh:
        fill_pair(fresh, "start")
    code = f"""
        from pathlib import Path
        from hwmodel._atomic import replaced_folder
        for i in range(100):
            with replaced_folder({str(target)!r}, lambda folder: None) as fresh:
                (fresh / "a").write_text(str(i)); (fresh / "b").write_text(str(i))
    """
    pairs = set()
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)]) as writer:
        while writer.poll() is None:
            pairs.add(read_pair(target))
    assert writer.returncode == 0
    pairs.discard(None)  # opened just before it was replaced, and deleted while being read
    assert len(pairs) > 1
    assert all(pair[0] == pair[1] for pair in pairs if pair)


def fill_pair(folder: Path, text: str) -> None:
    (folder / "a").write_text(text)
    (folder / "b").write_text(text)


def read_pair(folder: Path) -> tuple[str, str] | None:
    """Both files of one and the same folder; the folder itself is never absent."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        texts = []
        for name in ("a", "b"):
            file = os.open(name, os.O_RDONLY, dir_fd=handle)
            texts.append(os.read(file, 100).decode())
            os.close(file)
        return texts[0], texts[1]
    except FileNotFoundError:
        return None
    finally:
        os.close(handle)


def test_unwritable_parent_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="cannot make the folder"),
        replaced_folder(tmp_path / "file" / "run", ours),
    ):
        pass


def test_a_file_that_comes_while_the_run_lasts_is_not_lost(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()

    def foreign(folder: Path) -> str | None:
        return "it holds a note" if (folder / "note").exists() else None

    (target / "old").write_text("old")
    with pytest.raises(OutputError, match="it holds a note"), replaced_folder(target, foreign) as fresh:
        (fresh / "new").write_text("new")
        (target / "note").write_text("mine")
    assert (target / "note").read_text() == "mine"
