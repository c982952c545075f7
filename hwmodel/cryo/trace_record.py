"""Records what a program does, instruction by instruction, as a trace.

The program runs under QEMU's user-mode emulation with a plugin of ours, which says which instruction was executed and
what it read and wrote. Registers, classes and branches are decoded from the instructions' bytes. Where QEMU is missing,
Valgrind's tool lackey gives the accesses alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hwmodel.cryo import _plugin
from hwmodel.cryo._decode import Decode, Tabulator
from hwmodel.cryo._stream import STAGE_BYTES, StreamReader, Totals
from hwmodel.cryo._trace_writer import TraceWriter
from hwmodel.cryo.trace import make_meta
from hwmodel.errors import SpecError, ToolError, TraceFileError, unknown

__all__ = ["marker_header", "record"]

Tool = Literal["auto", "qemu", "lackey"]
PIPE_BYTES = 1 << 20
# QEMU's own default for x86-64 is a processor of 2003; this one has what programs look for today (AVX2, FMA).
PROCESSORS = {"x86-64": "max"}


def marker_header() -> Path:
    """Path of the C header with `hwmodel_trace_begin()` and `hwmodel_trace_end()`.

    Example:
        >>> marker_header().name
        'hwmodel_marker.h'
    """
    return _plugin.SOURCES / "hwmodel_marker.h"


def record(
    argv: Sequence[str],
    out: str | os.PathLike[str],
    *,
    start: int | None = None,
    instructions: int | None = None,
    marker: bool = False,
    thread: int | None = None,
    env: Mapping[str, str] | None = None,
    cpu: str | None = None,
    finish: bool = False,
    tool: Tool = "auto",
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Run a program and record what it does.

    The program's input and output are those of the caller. It sees no environment variables but `env`, and addresses
    that are the same each time, so that a trace does not depend on where it was made. Child processes are not recorded.

    Parameters:
        argv: the program, x86-64 or riscv64, and its arguments.
        out: the `.hwt` file to write.
        start: instructions to pass over first.
        instructions: most instructions to record.
        marker: record only between the markers of `marker_header`, several regions one after the other.
        thread: number of the thread to record, in the order in which they begin; None: the program has only one.
        env: environment of the program; None: empty.
        cpu: processor that QEMU emulates (its option -cpu).
        finish: let the program run to its end after the last instruction recorded, instead of stopping it.
        tool: qemu, lackey, or auto, which is qemu where it is installed.
        progress: is told how many instructions were executed so far, now and then.

    Returns:
        The trace's description, with "instructions", "executed", "status" (of the program; -N: killed by signal N,
        None: stopped after the last instruction) and "notes".

    Raises:
        ToolError: the program, QEMU or a compiler is missing, or a second thread began and none was chosen.
        SpecError: a wish that cannot be meant, or no instruction was recorded.

    Example, for a program in the current folder:
        >>> meta = record(["./program", "100"], "program.hwt", instructions=10**6)  # doctest: +SKIP
        >>> meta["instructions"]  # doctest: +SKIP
        1000000
    """
    job = _Job(
        argv, Path(out), start or 0, instructions, marker, thread, env or {}, cpu, finish, progress or _quiet
    )
    _check(job, start, tool)
    program = _plugin.read_program(argv[0])
    with_qemu = tool == "qemu" or (
        tool == "auto" and (_plugin.find_qemu(program) or not shutil.which("valgrind"))
    )
    if with_qemu:
        return _with_qemu(job, program)
    return _with_lackey(job, program)


@dataclass(frozen=True)
class _Job:
    """What is to be recorded."""

    argv: Sequence[str]
    out: Path
    start: int
    instructions: int | None
    marker: bool
    thread: int | None
    env: Mapping[str, str]
    cpu: str | None
    finish: bool
    progress: Callable[[int], None]

    @property
    def command(self) -> str:
        """The program and its arguments, for people."""
        return " ".join([Path(self.argv[0]).name, *self.argv[1:]])[:1000]


def _quiet(_: int) -> None:
    """Show nothing."""


def _check(job: _Job, start: int | None, tool: str) -> None:
    if not job.argv:
        raise SpecError("record: argv is empty; give a program and its arguments")
    if tool not in ("auto", "qemu", "lackey"):
        raise unknown("tool for recording", tool, ("auto", "qemu", "lackey"))
    for name, value, least in (
        ("start", job.start, 0),
        ("instructions", job.instructions, 1),
        ("thread", job.thread, 0),
    ):
        if value is not None and not least <= value < 2**63:
            raise SpecError(f"record: {name}={value} is not in {least}..2^63-1")
    if job.marker and start is not None:
        raise SpecError("record: start and marker exclude each other; the marker says where recording begins")


# ---------------------------------------------------------------------------------------------- QEMU


def _decoder(isa: str) -> Decode:
    if isa == "riscv64":
        from hwmodel.cryo import _decode_riscv

        return _decode_riscv.decode
    from hwmodel.cryo import _decode_x86  # loads capstone

    return _decode_x86.decoder()


def _qemu_command(job: _Job, program: _plugin.Program, stream: int, stage: int) -> list[str]:
    wishes = {
        "stream": stream,
        "stage": stage,
        "start": job.start,
        "limit": 2**63 if job.instructions is None else job.instructions,
        "thread": -1 if job.thread is None else job.thread,
        "marker": int(job.marker),
        "finish": int(job.finish),
    }
    plugin = str(_plugin.plugin()).replace(",", ",,")  # a single comma would end the name
    arguments = ",".join([plugin, *(f"{name}={value}" for name, value in wishes.items())])
    command = [_plugin.need_qemu(program), "-seed", "0"]
    cpu = job.cpu or PROCESSORS.get(program.isa)
    command += ["-cpu", cpu] if cpu else []
    command += ["-L", str(program.sysroot)] if program.sysroot else []
    return [*command, "-plugin", arguments, str(program.path), *job.argv[1:]]


def _with_qemu(job: _Job, program: _plugin.Program) -> dict[str, Any]:
    tabulator = Tabulator(_decoder(program.isa))
    flags = dict.fromkeys(("has_pc", "has_registers", "has_branches", "has_operations"), True)
    meta = make_meta(job.command, program.isa, recorder="qemu", **flags)
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(TraceWriter(job.out, meta))
        pipe, stream = os.pipe()
        reader = stack.enter_context(os.fdopen(pipe, "rb", buffering=0))
        stage = stack.enter_context(tempfile.TemporaryFile())
        stage.truncate(STAGE_BYTES)
        with contextlib.suppress(OSError):  # a smaller pipe is slower, and does as well
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            command = _qemu_command(job, program, stream, stage.fileno())
            child = _started(command, job, (stream, stage.fileno()))
        finally:
            os.close(stream)
        try:
            stream_reader = StreamReader(reader.fileno(), stage.fileno(), writer, tabulator, job.progress)
            totals = stream_reader.run()
            child.wait()
        finally:
            _stopped(child)
        status = None if totals.why == "limit" and not job.finish else child.returncode
        _refuse_nothing(job, writer.instructions, totals, status)
        writer.meta.update(_facts(job, totals, tabulator, status))
    return writer.meta


def _started(command: list[str], job: _Job, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=dict(job.env), pass_fds=descriptors)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in an argument
        raise ToolError(f"'{command[0]}' could not be started: {error}") from error


def _stopped(child: subprocess.Popen[bytes]) -> None:
    """End the child if it still runs; asking would let the program's own handlers run."""
    if child.poll() is None:
        child.kill()
        child.wait()


def _refuse_nothing(job: _Job, recorded: int, totals: Totals, status: int | None) -> None:
    """Refuse a trace without instructions, and say why it has none."""
    if recorded:
        return
    name = Path(job.argv[0]).name
    silent = totals.why == "cut" and not (job.marker or job.start or job.thread)
    if silent or totals.threads == 0:
        raise ToolError(
            f"recording '{name}': QEMU ended with status {status} before the first instruction; what it said is above. "
            "The recorder needs QEMU 6.0 to 8.2 (for another one, record with lackey), and a program that leaves "
            "descriptors alone which it did not open"
        )
    if totals.why == "thread" or (job.thread or 0) >= totals.threads:
        raise SpecError(
            f"recording '{name}': thread {job.thread or 0} did nothing to record; {totals.threads} threads began"
        )
    if job.marker:
        raise SpecError(
            f"recording '{name}': {totals.regions} regions were marked in {totals.executed} instructions, and none has "
            f"an instruction; include {marker_header().name} and call hwmodel_trace_begin()"
        )
    raise SpecError(
        f"recording '{name}': it executed {totals.executed} instructions, none from start={job.start} on; "
        "take a smaller start"
    )


def _facts(job: _Job, totals: Totals, tabulator: Tabulator, status: int | None) -> dict[str, Any]:
    """What the description says of how the trace came about."""
    notes = []
    if totals.why == "cut":
        notes.append("the program was killed or replaced itself: what its last block did is missing")
    if totals.regions > 1:
        notes.append(f"{totals.regions} marked regions follow on one another")
    if totals.threads > 1:
        notes.append(f"thread {job.thread} of {totals.threads}")
    if totals.operands_dropped:
        notes.append(
            f"{totals.operands_dropped} memory operands beyond the eighth of an instruction are left out"
        )
    return {
        "start": job.start,
        "executed": max(totals.executed, 0) or None,
        "status": status,
        "threads": totals.threads,
        "regions": totals.regions,
        "not_completed": totals.not_completed,
        "operands_dropped": totals.operands_dropped,
        "registers_dropped": tabulator.registers_dropped,
        "notes": "; ".join(notes),
    }


# ---------------------------------------------------------------------------------------------- lackey


def _with_lackey(job: _Job, program: _plugin.Program) -> dict[str, Any]:
    from hwmodel.cryo._lackey import OPTIONS, PipeReader

    if job.marker or job.thread is not None:
        raise SpecError(
            "record: lackey knows neither markers nor threads; record with QEMU (apt-get install qemu-user)"
        )
    valgrind = _plugin.need_valgrind(program)
    stop = None if job.instructions is None else job.start + job.instructions
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(
            TraceWriter(job.out, make_meta(job.command, program.isa, recorder="lackey", has_pc=True))
        )
        pipe, stream = os.pipe()
        reader = stack.enter_context(os.fdopen(pipe, "rb"))
        try:
            command = [valgrind, *OPTIONS, f"--log-fd={stream}", str(program.path), *job.argv[1:]]
            child = _started(command, job, (stream,))
        finally:
            os.close(stream)
        try:
            for chunk in PipeReader(reader).chunks(start=job.start, stop=stop):
                writer.append(chunk)
                job.progress(job.start + writer.instructions)
            cut = stop is not None and job.start + writer.instructions >= stop and not job.finish
            while not cut and not reader.closed and reader.read(PIPE_BYTES):
                pass
            if not cut:
                child.wait()
        except TraceFileError as error:
            if writer.instructions:
                raise
            raise ToolError(
                f"recording '{job.argv[0]}': valgrind ended with status {child.wait()} before the first instruction; "
                "what it said is above"
            ) from error
        finally:
            _stopped(child)
        status = None if cut else child.returncode
        if not writer.instructions:
            raise SpecError(
                f"recording '{job.argv[0]}': it ended before instruction start={job.start}; take a smaller start"
            )
        notes = "recorded by lackey: without registers, branches and operations"
        writer.meta.update(start=job.start, executed=None, status=status, notes=notes)
    return writer.meta
