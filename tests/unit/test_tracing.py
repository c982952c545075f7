"""The commands `hwmodel trace convert` and `hwmodel trace info`."""

from __future__ import annotations

import pytest

from hwmodel.cli import main
from hwmodel.cryo.trace import Trace

LACKEY = "==7== Lackey\n" + "I  401000,4\n L 1000,8\n S 1008,8\nI  401004,2\n" * 10


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "a.lackey"
    path.write_text(LACKEY)
    return path


def test_convert_writes_a_trace_and_says_what_it_holds(source, tmp_path, capsys):
    target = tmp_path / "a.hwt"
    assert main(["trace", "convert", str(source), str(target)]) == 0
    assert capsys.readouterr().out == f"wrote {target}: 20 instructions, 20 memory operands\n"
    with Trace.open(target) as trace:
        assert trace.instructions == 20


def test_convert_takes_a_window_and_a_format(source, tmp_path, capsys):
    target = tmp_path / "a.hwt"
    words = [
        "trace",
        "convert",
        str(source),
        str(target),
        "--format",
        "lackey",
        "--start",
        "3",
        "--limit",
        "4",
    ]
    assert main(words) == 0
    assert "4 instructions, 4 memory operands" in capsys.readouterr().out


def test_info_lists_what_is_in_a_trace_and_what_is_not(source, capsys):
    assert main(["trace", "info", str(source)]) == 0
    rows = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    rows = {name.strip(): value.strip() for name, value in rows.items()}
    assert rows["instructions"] == "20 (2 static variants at 2 addresses)"
    assert rows["memory operands"] == "20 (10 loads, 10 stores)"
    assert rows["data footprint"].startswith("1 lines of 64 B")
    assert rows["code footprint"].startswith("1 lines of 64 B")
    assert rows["not in the trace"] == "registers, branches, operations"


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["info", "none.din"], 1, "'none.din' cannot be opened"),
        (["info", "SOURCE", "--format", "champsin"], 2, "did you mean 'champsim'?"),
        (["info", "SOURCE", "--format", "din"], 1, "line 1 (byte 0), read as din"),
        (["convert", "SOURCE", "a.txt"], 1, "has the suffix .hwt"),
        (["convert", "SOURCE", "none/a.hwt"], 2, "cannot write 'none/a.hwt'"),
        (["convert", "SOURCE", "a.hwt", "--start", "20"], 1, "no instruction from 20 on"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(source, tmp_path, monkeypatch, capsys, words, code, what):
    monkeypatch.chdir(tmp_path)
    words = [str(source) if word == "SOURCE" else word for word in words]
    assert main(["trace", *words]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("hwmodel: ")
    assert what in shown.err
    assert [p.name for p in tmp_path.iterdir()] == ["a.lackey"]


@pytest.mark.parametrize("words", [["--start", "1.5"], ["--limit", "many"], ["--speed", "1"]])
def test_wrong_usage_runs_nothing(source, tmp_path, capsys, words):
    assert main(["trace", "convert", str(source), str(tmp_path / "a.hwt"), *words]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a.lackey"]
