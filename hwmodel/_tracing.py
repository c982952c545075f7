"""The commands `hwmodel trace ...`: record a program, convert a trace into the internal format, say what is in one.

Nothing heavy is imported before a command runs: `hwmodel --help` reads this module.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from hwmodel._arguments import guarded, whole
from hwmodel.errors import SpecError

if TYPE_CHECKING:
    from hwmodel.cryo.trace_formats import TraceFacts

__all__ = ["trace_app"]

PATIENCE_S, REDRAW_S = 2.0, 0.2

trace_app = App(
    name="trace",
    help="Record, convert and inspect traces of programs.",
    version_flags=[],
    help_format="plaintext",
)


@trace_app.command(name="convert")
def convert_command(
    source: Path,
    target: Path,
    /,
    *,
    format: str | None = None,  # noqa: A002 - the name of the option
    start: Annotated[int, Parameter(converter=whole)] = 0,
    limit: Annotated[int | None, Parameter(converter=whole)] = None,
) -> int:
    """Convert a trace of any format into the internal one.

    Parameters
    ----------
    source
        Trace to read; xz, gzip, bzip2 and zip are unpacked.
    target
        File to write, suffix .hwt; it appears when it is complete.
    format
        Format of the source: hwt, champsim, cloudsuite, gem5-elastic, din, lackey, drmemtrace, pinatrace,
        cvp1, ramulator, ramulator-ls, ramulator-cpu or lines. By default told by name or content.
    start
        First instruction.
    limit
        Most instructions; by default all.
    """

    def work() -> list[str]:
        from hwmodel.cryo.trace_formats import convert

        meta = convert(source, target, format, start, limit)
        return [f"wrote {target}: {meta['instructions']} instructions, {meta['operands']} memory operands"]

    return guarded(work)


@trace_app.command(name="record")
def record_command(
    *argv: Annotated[str, Parameter(allow_leading_hyphen=True)],
    out: Path,
    start: Annotated[int | None, Parameter(converter=whole)] = None,
    instructions: Annotated[int | None, Parameter(converter=whole)] = None,
    region: Literal["marker"] | None = None,
    thread: Annotated[int | None, Parameter(converter=whole)] = None,
    env: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    cpu: str | None = None,
    finish: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    tool: Annotated[Literal["auto", "qemu", "lackey"], Parameter(name="--with")] = "auto",
) -> int:
    """Record what a program does: hwmodel trace record --out FILE -- PROGRAM ARGS.

    Parameters
    ----------
    argv
        The program, x86-64 or riscv64, and its arguments; behind the word --.
    out
        File to write, suffix .hwt; it appears when it is complete.
    start
        Instructions to pass over first.
    instructions
        Most instructions to record; then the program is stopped.
    region
        marker: record between hwmodel_trace_begin() and hwmodel_trace_end() only.
    thread
        Number of the thread to record, in the order in which they begin; needed where there are several.
    env
        A variable for the program as NAME=VALUE, or NAME to pass on its own; may be given many times. It sees
        no others.
    cpu
        Processor that QEMU emulates. Default: max on x86-64, QEMU's own on riscv64.
    finish
        Let the program run to its end after the last instruction that is recorded.
    tool
        qemu, lackey (Valgrind; accesses only), or auto, which is qemu where it is installed.
    """

    def work() -> list[str]:
        from hwmodel.cryo.trace_record import record

        with _counter("recording") as progress:
            meta = record(
                argv, out, start=start, instructions=instructions, marker=region is not None, thread=thread,
                env=_environment(env), cpu=cpu, finish=finish, tool=tool, progress=progress,
            )  # fmt: skip
        lines = [f"wrote {out}: {meta['instructions']} instructions, {meta['operands']} memory operands"]
        if meta["status"]:
            lines.append(f"the program ended with status {meta['status']}")
        return [*lines, *filter(None, meta["notes"].split("; "))]

    return guarded(work)


def _environment(words: Sequence[str]) -> dict[str, str]:
    """Variables as the command line names them; a name alone passes on what it is here."""
    pairs = (word.partition("=") for word in words)
    return {
        name: value if equals else os.environ.get(name, "")
        for name, equals, value in pairs
        if equals or name in os.environ
    }


@contextlib.contextmanager
def _counter(what: str) -> Iterator[Callable[[int], None]]:
    """Show how many instructions are done, on a terminal and once it takes long."""
    due = time.monotonic() + PATIENCE_S
    shown = False

    def show(count: int) -> None:
        nonlocal due, shown
        if (now := time.monotonic()) >= due and sys.stderr.isatty():
            due, shown = now + REDRAW_S, True
            print(f"\r{what}: {count / 1e6:,.1f} M instructions", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@trace_app.command(name="workload")
def workload_command(
    name: str,
    /,
    *,
    out: Path,
    isa: Literal["riscv64", "x86-64"] = "riscv64",
    instructions: Annotated[int | None, Parameter(converter=whole)] = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
) -> int:
    """Build a workload of the package and record its region of interest.

    Parameters
    ----------
    name
        Its name; `hwmodel trace workloads` lists them.
    out
        File to write, suffix .hwt; it appears when it is complete.
    isa
        What it is compiled for.
    instructions
        Most instructions to record; by default the whole region.
    set_
        A parameter as KEY=VALUE; may be given many times.
    """

    def work() -> list[str]:
        from hwmodel.cryo.workloads import trace

        with _counter("recording") as progress:
            given = _assignments(set_)
            meta = trace(name, out, isa, instructions=instructions, progress=progress, **given)
        return [
            f"wrote {out}: {meta['instructions']} instructions, {meta['operands']} memory operands ({meta['source']})"
        ]

    return guarded(work)


def _assignments(words: Sequence[str]) -> dict[str, Any]:
    """Parameters of a workload as the command line names them."""
    pairs = [word.partition("=") for word in words]
    for key, equals, value in pairs:
        if not (key and equals and value) or key in ("name", "out", "isa", "instructions", "progress"):
            raise SpecError(f"--set {key}{equals}{value}: give a parameter as KEY=VALUE, such as scale=10")
    return {key: value for key, _, value in pairs}


@trace_app.command(name="workloads")
def workloads_command() -> int:
    """List the workloads of the package with their parameters."""

    def work() -> list[str]:
        from hwmodel.cryo.workloads import WORKLOADS

        lines = []
        for workload in WORKLOADS.values():
            lines.append(f"{workload.name:8}{workload.title}: {workload.stresses}")
            lines += [
                f"        {key}={p.show(p.default)}  {p.text}, {p.range}"
                for key, p in workload.parameters.items()
            ]
        return lines

    return guarded(work)


@trace_app.command(name="info")
def info_command(
    file: Path,
    /,
    *,
    format: str | None = None,  # noqa: A002 - the name of the option
) -> int:
    """Show what is in a trace: instructions, operands, footprint, branches, operations.

    Parameters
    ----------
    file
        Trace of any format.
    format
        Format of the file; by default told by name or content.
    """

    def work() -> list[str]:
        from hwmodel.cryo.trace_formats import open_trace, trace_facts

        with open_trace(file, format) as trace:
            return _table(trace_facts(trace))

    return guarded(work)


def _table(facts: TraceFacts) -> list[str]:
    """The lines of `hwmodel trace info`."""
    meta, total = facts.meta, max(facts.instructions, 1)
    rows = [
        ("source", f"{meta['source']} ({meta.get('format', 'hwt')}, {meta['isa']})"),
        ("instructions", f"{facts.instructions} ({facts.statics} static variants at {facts.pcs} addresses)"),
        ("memory operands", f"{facts.operands} ({facts.loads} loads, {facts.stores} stores)"),
        ("data footprint", f"{facts.data_lines} lines of 64 B, {facts.data_lines * 64 / 1024:.1f} kB"),
        ("code footprint", f"{facts.code_lines} lines of 64 B, {facts.code_lines * 64 / 1024:.1f} kB"),
    ]
    if facts.accesses_only:
        rows.append(("accesses only", f"{facts.accesses_only}, whose instructions are not in the trace"))
    if meta.get("has_branches"):
        share, taken = facts.branches / total, facts.taken / max(facts.branches, 1)
        rows.append(("branches", f"{facts.branches} ({share:.1%} of instructions), {taken:.1%} taken"))
        rows += [
            (f"  {name.lower()}", str(n)) for name, n in facts.branch_kinds.items() if n and name != "NONE"
        ]
    if meta.get("has_operations"):
        rows += [(f"op {name}", f"{n} ({n / total:.1%})") for name, n in facts.operations.items() if n]
    missing = [what for what in ("pc", "registers", "branches", "operations") if not meta.get(f"has_{what}")]
    if missing:
        rows.append(("not in the trace", ", ".join(missing)))
    if meta.get("notes"):
        rows.append(("notes", str(meta["notes"])))
    width = max(len(name) for name, _ in rows)
    return [f"{name:{width}}  {value}" for name, value in rows]
