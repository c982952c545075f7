"""The recorder under QEMU: programs whose every instruction is known beforehand."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from hwmodel.cli import main
from hwmodel.cryo import _plugin
from hwmodel.cryo.trace import ATOMIC, Branch, Trace
from hwmodel.cryo.trace_record import marker_header, record
from hwmodel.errors import SpecError, ToolError, UnknownNameError

from . import recorded_programs as programs
from .recorded_programs import AFTER, BEFORE, LOOP, ROUND, ROUNDS, Known, build, build_bare, pcs, rows

ISAS = ("riscv64", "x86-64")


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest) -> str:
    programs.need(request.param)
    return str(request.param)


@pytest.fixture
def loop(isa: str, tmp_path: Path) -> Known:
    return build_bare(isa, LOOP[isa], tmp_path)


def recorded(program: Known, tmp_path: Path, **wishes: object) -> tuple[dict[str, object], Path]:
    out = tmp_path / "out.hwt"
    return record([str(program.path)], out, **wishes), out  # type: ignore[arg-type]


def test_every_instruction_is_counted_once(loop: Known, tmp_path: Path) -> None:
    meta, _ = recorded(loop, tmp_path)
    assert meta["instructions"] == BEFORE[loop.isa] + ROUNDS * ROUND + AFTER
    assert (meta["isa"], meta["status"]) == (loop.isa, 7 if loop.isa == "x86-64" else 0) or meta[
        "status"
    ] == 0


def test_accesses_have_address_kind_and_size(loop: Known, tmp_path: Path) -> None:
    _, out = recorded(loop, tmp_path)
    words = loop.symbol("words")
    accesses = [row[3:] for row in rows(out) if row[3] or row[4]]
    expected = []
    for k in range(ROUNDS):
        expected += [(1, 0, 8, 0, words + 16 * k), (0, 1, 0, 8, words + 16 * k + 8)]
    assert accesses == expected


def test_branches_have_kind_and_direction(loop: Known, tmp_path: Path) -> None:
    _, out = recorded(loop, tmp_path)
    branches = [row[1:3] for row in rows(out) if row[1]]
    conditional = int(Branch.CONDITIONAL)
    assert branches == [(conditional, 1)] * (ROUNDS - 1) + [(conditional, 0)]


def test_instructions_are_in_program_order(loop: Known, tmp_path: Path) -> None:
    _, out = recorded(loop, tmp_path)
    begin = rows(out)[BEFORE[loop.isa]][0]
    assert begin == loop.symbol("again")
    heads = [row[0] for row in rows(out)[BEFORE[loop.isa] : -AFTER : ROUND]]
    assert heads == [begin] * ROUNDS


@pytest.mark.parametrize(("start", "count"), [(0, 1), (4, 1), (5, 9), (8, 6), (20, 31), (40, 1000)])
def test_a_window_is_a_slice_of_the_whole(loop: Known, tmp_path: Path, start: int, count: int) -> None:
    _, out = recorded(loop, tmp_path)
    whole = rows(out)
    meta, out = recorded(loop, tmp_path, start=start, instructions=count)
    assert rows(out) == whole[start : start + count]
    assert meta["status"] == (None if start + count <= len(whole) else 0)


def test_a_program_may_finish_after_its_window(isa: str, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    source = "#include <fcntl.h>\nint main(int n, char **a) { (void)n; return creat(a[1], 0600) < 0; }"
    program = build(isa, source, tmp_path)
    record([str(program.path), str(witness)], tmp_path / "out.hwt", instructions=10)
    assert not witness.exists()
    meta = record([str(program.path), str(witness)], tmp_path / "out.hwt", instructions=10, finish=True)
    assert witness.exists()
    assert (meta["instructions"], meta["status"]) == (10, 0)


def test_an_instruction_that_faults_is_not_counted(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.FAULTS, tmp_path, "-O1")
    meta, out = recorded(program, tmp_path)
    assert meta["status"] == 0
    assert int((pcs(out) == program.symbol("the_store")).sum()) == 10
    assert meta["not_completed"] == 10


def test_an_iteration_of_a_string_instruction_is_an_instruction(tmp_path: Path) -> None:
    programs.need("x86-64")
    for count, executed in ((20, 20), (0, 1)):
        program = build_bare("x86-64", programs.FILL.replace("{n}", str(count)), tmp_path)
        _, out = recorded(program, tmp_path)
        fills = [row for row in rows(out) if row[0] == program.symbol("the_fill")]
        assert len(fills) == executed
        assert [row[7] for row in fills if row[4]] == [program.symbol("room") + k for k in range(count)]


def test_a_wide_access_is_one_operand(tmp_path: Path) -> None:
    programs.need("x86-64")
    program = build_bare("x86-64", programs.WIDE, tmp_path)
    _, out = recorded(program, tmp_path)
    room = program.symbol("room")
    assert [row[3:] for row in rows(out) if row[3] or row[4]] == [
        (1, 0, 16, 0, room),
        (1, 0, 32, 0, room),
        (0, 1, 0, 16, room + 16),
    ]


def test_only_marked_regions_are_recorded(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.MARKED, tmp_path, "-O1", f"-I{marker_header().parent}")
    meta, out = recorded(program, tmp_path, marker=True)
    assert (meta["instructions"], meta["regions"]) == (15, 3)
    first = pcs(out)[:5]
    np.testing.assert_array_equal(np.diff(first), np.diff(first)[0])


def test_markers_are_flagged_in_a_whole_trace(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.MARKED, tmp_path, "-O1", f"-I{marker_header().parent}")
    _, out = recorded(program, tmp_path)
    with Trace.open(out) as trace:
        marked = [int(trace.statics["flags"][i]) & 4 for chunk in trace.chunks() for i in chunk.indices]
    assert sum(map(bool, marked)) == 6


def test_a_program_without_markers_is_refused(loop: Known, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"0 regions were marked.*hwmodel_marker\.h"):
        recorded(loop, tmp_path, marker=True)
    assert not (tmp_path / "out.hwt").exists()


def test_a_second_thread_must_be_chosen(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.THREADS, tmp_path, "-O1", "-pthread")
    with pytest.raises(ToolError, match=r"second thread.*--thread 0"):
        recorded(program, tmp_path)
    assert not (tmp_path / "out.hwt").exists()


@pytest.mark.parametrize("thread", [1, 2])
def test_a_thread_is_recorded_with_its_atomics(isa: str, tmp_path: Path, thread: int) -> None:
    program = build(isa, programs.THREADS, tmp_path, "-O1", "-pthread")
    meta, out = recorded(program, tmp_path, thread=thread)
    assert f"thread {thread} of" in str(meta["notes"])
    with Trace.open(out) as trace:
        atomic = (
            (trace.statics["flags"] & ATOMIC != 0)
            & (trace.statics["loads"] == 1)
            & (trace.statics["stores"] == 1)
        )
        counts = np.zeros(len(trace.statics), np.int64)
        for chunk in trace.chunks():
            counts += np.bincount(chunk.indices, minlength=len(counts))
    assert counts[atomic].max() == 1000


def test_the_first_thread_does_not_hold_the_work_of_others(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.THREADS, tmp_path, "-O1", "-pthread")
    _, out = recorded(program, tmp_path, thread=0)
    assert np.unique(pcs(out), return_counts=True)[1].max() < 1000


def test_a_thread_that_never_begins_is_refused(loop: Known, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="thread 3 did nothing to record; 1 threads began"):
        recorded(loop, tmp_path, thread=3)


def test_a_child_process_is_not_recorded(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.FORKS, tmp_path, "-O1")
    meta, _ = recorded(program, tmp_path)
    assert meta["status"] == 0
    assert int(str(meta["instructions"])) < 100_000


def test_a_killed_program_leaves_what_it_did(isa: str, tmp_path: Path) -> None:
    source = "int main(void) { volatile int x = 0; for (int i = 0; i < 5000; i++) x++; __builtin_trap(); }"
    program = build(isa, source, tmp_path, "-O1")
    meta, _ = recorded(program, tmp_path)
    assert int(str(meta["instructions"])) > 5000 * 3
    assert meta["status"] in (-signal.SIGILL, -signal.SIGTRAP)
    assert "killed" in str(meta["notes"])


def test_a_program_that_is_replaced_leaves_what_it_did(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.REPLACED, tmp_path, "-O1")
    meta, _ = recorded(program, tmp_path)
    assert int(str(meta["instructions"])) > 5000 * 3
    assert meta["status"] == 4


def test_the_program_sees_only_the_environment_it_is_given(
    isa: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = "#include <stdio.h>\nextern char **environ;\nint main(void) { for (char **e = environ; *e; e++) puts(*e); }"
    program = build(isa, source, tmp_path)
    recorded(program, tmp_path, env={"A": "1 2"})
    assert capfd.readouterr().out == "A=1 2\n"


def test_two_recordings_are_equal(isa: str, tmp_path: Path) -> None:
    program = build(isa, programs.FORKS, tmp_path, "-O1")
    _, out = recorded(program, tmp_path, instructions=3000)
    first = out.read_bytes()
    _, out = recorded(program, tmp_path, instructions=3000)
    assert out.read_bytes() == first


def test_progress_is_told_and_ends_with_all(loop: Known, tmp_path: Path) -> None:
    told: list[int] = []
    meta, _ = recorded(loop, tmp_path, progress=told.append)
    assert told[-1] == meta["instructions"]


def test_a_start_behind_the_end_is_refused(loop: Known, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"it executed \d+ instructions, none from start=100000"):
        recorded(loop, tmp_path, start=100000)
    assert list(tmp_path.glob("*out*")) == []


def test_what_qemu_refuses_is_an_error(loop: Known, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="before the first instruction"):
        recorded(loop, tmp_path, cpu="no-such-processor")


def test_missing_qemu_is_an_error_that_says_how_to_get_it(
    loop: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="apt-get install qemu-user"):
        recorded(loop, tmp_path)


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"start": -1}, "start=-1"),
        ({"instructions": 0}, "instructions=0"),
        ({"thread": -1}, "thread=-1"),
        ({"start": 1, "marker": True}, "start and marker exclude"),
    ],
)
def test_impossible_wishes_are_refused(tmp_path: Path, wishes: dict[str, int], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        record(["program"], tmp_path / "out.hwt", **wishes)  # type: ignore[arg-type]


def test_no_program_and_an_unknown_tool_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="argv is empty"):
        record([], tmp_path / "out.hwt")
    with pytest.raises(UnknownNameError, match="did you mean 'qemu'"):
        record(["program"], tmp_path / "out.hwt", tool="qemo")  # type: ignore[arg-type]


def header(machine: int, bits: int = 2, order: int = 1) -> bytes:
    head = bytearray(64)
    head[:6] = b"\x7fELF" + bytes([bits, order])
    head[18:20] = machine.to_bytes(2, "little" if order == 1 else "big")
    return bytes(head)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header(183), "64-bit program for AArch64"),
        (header(3, bits=1), "32-bit program for i386"),
        (header(243, bits=1), "32-bit program for riscv64"),
        (header(21, order=2), "64-bit program for PowerPC64"),
        (header(9999), "machine 9999"),
        (b"#!/bin/sh\n", "a script: record its interpreter"),
        (b"hello", "no ELF program"),
        (header(62)[:40], "no ELF program"),
    ],
)
def test_other_programs_are_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "program"
    file.write_bytes(content)
    file.chmod(0o755)
    with pytest.raises(ToolError, match=words):
        _plugin.read_program(str(file))


def test_a_missing_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no program that can be run"):
        _plugin.read_program(str(tmp_path / "none"))


def test_the_plugin_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.need("riscv64")
    monkeypatch.setenv("HWMODEL_CACHE", str(tmp_path))
    made = _plugin.plugin()
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert _plugin.plugin() == made
    assert list(made.parent.iterdir()) == [made]


def test_a_missing_or_failing_compiler_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWMODEL_CACHE", str(tmp_path))
    failing = tmp_path / "failing-cc"
    failing.write_text("#!/bin/sh\necho 'a.c:1: error: no such thing' >&2\nexit 1\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setenv("CC", str(failing))
    with pytest.raises(ToolError, match="error: no such thing; set CC"):
        _plugin.plugin()
    assert list((tmp_path / "record").iterdir()) == []
    monkeypatch.setenv("CC", "")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"no C compiler.*apt-get install gcc"):
        _plugin.plugin()


def test_descriptors_are_closed(loop: Known, tmp_path: Path) -> None:
    recorded(loop, tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    recorded(loop, tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_the_command_records(loop: Known, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.hwt"
    code = main(["trace", "record", "--out", str(out), "--start", "2", "--", str(loop.path), "--out", "x"])
    assert code == 0
    count = BEFORE[loop.isa] + ROUNDS * ROUND + AFTER - 2
    assert f"wrote {out}: {count} instructions, " in capfd.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.hwt")
    assert main(["trace", "record", "--out", out]) == 1
    assert "give a program" in capfd.readouterr().err
    assert main(["trace", "record", "--out", out, "--", str(tmp_path / "none")]) == 1
    assert "no program that can be run" in capfd.readouterr().err


def test_the_command_passes_variables(
    isa: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "#include <stdio.h>\nextern char **environ;\nint main(void) { for (char **e = environ; *e; e++) puts(*e); }"
    program = build(isa, source, tmp_path)
    monkeypatch.setenv("PASSED", "on")
    monkeypatch.delenv("ABSENT", raising=False)
    words = ["--env", "A=b=c", "--env", "PASSED", "--env", "ABSENT"]
    assert main(["trace", "record", "--out", str(tmp_path / "out.hwt"), *words, "--", str(program.path)]) == 0
    assert sorted(capfd.readouterr().out.splitlines()[:2]) == ["A=b=c", "PASSED=on"]
