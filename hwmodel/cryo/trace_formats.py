"""Open a trace of any format, convert it into the internal one, and say what is in it.

Formats by name: hwt (the internal one), champsim, cloudsuite, gem5-elastic, din, lackey, drmemtrace, pinatrace, cvp1,
ramulator, ramulator-ls, ramulator-cpu, lines. Files may be packed by xz, gzip, bzip2 or zip.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwmodel.cryo._format_base import Reader
from hwmodel.cryo._format_binary import CvpReader, DrmemtraceReader, ElasticReader, entry_layout
from hwmodel.cryo._format_bytes import HEAD, check_file, read_head
from hwmodel.cryo._format_champsim import ChampsimReader, CloudsuiteReader, looks_like_champsim
from hwmodel.cryo._format_lines import LineReader
from hwmodel.cryo._format_text import (
    DinReader,
    LackeyReader,
    PinatraceReader,
    RamulatorCpuReader,
    RamulatorLoadStoreReader,
    RamulatorReader,
)
from hwmodel.cryo._statics import ACCESS_ONLY, MAX_STATICS
from hwmodel.cryo._trace_base import MAGIC, SUFFIX, Branch, Chunk, Op, TraceSource
from hwmodel.cryo._trace_writer import TraceWriter
from hwmodel.cryo.trace import Trace
from hwmodel.errors import TraceFileError, unknown

__all__ = ["FORMATS", "TraceFacts", "convert", "detect_format", "open_trace", "trace_facts"]

READERS: dict[str, type[Reader]] = {
    reader.name: reader
    for reader in (
        ChampsimReader,
        CloudsuiteReader,
        ElasticReader,
        DinReader,
        LackeyReader,
        DrmemtraceReader,
        PinatraceReader,
        CvpReader,
        RamulatorReader,
        RamulatorLoadStoreReader,
        RamulatorCpuReader,
        LineReader,
    )
}
FORMATS = ("hwt", *READERS)
"""Names of the formats that can be read."""

PACKED = re.compile(r"\.(xz|gz|bz2|zip)$", re.IGNORECASE)
# By the name without the suffix of its packing; the first that fits.
NAMES = (
    (r"\.lines(\.delta_i64)?$|\.delta_i64$", "lines"),
    (r"\.(champsim|champsimtrace)$", "champsim"),
    (r"\.x?din$", "din"),
    (r"\.lackey(\.txt|\.log|\.out)?$", "lackey"),
    (r"pinatrace[^/]*$", "pinatrace"),
    (r"\.cvp1?$", "cvp1"),
    (r"\.cloudsuite$", "cloudsuite"),
    (r"drmemtrace[^/]*$|\.memtrace$", "drmemtrace"),
    (r"\.elastic$|deptrace[^/]*$", "gem5-elastic"),
)
HEX = r"(0[xX])?[0-9a-fA-F]+"
# By the lines that are neither blank nor comments; the first that fits.
LINES = (
    (r"(==|--)\d+(==|--) ?", "lackey"),
    (rf"\s*[ILSM]\s+{HEX},\d+\s*$", "lackey"),
    (rf"{HEX}:\s+[RW]\s+{HEX}\s*$", "pinatrace"),
    (rf"(LD|ST)\s+{HEX}\s*$", "ramulator-ls"),
    (rf"{HEX}\s+[RW]\s*$", "ramulator"),
    (rf"[rwimcvRWIMCV]\s+{HEX}\s+{HEX}(\s|$)", "din"),
    (rf"[0-4]\s+{HEX}\s*$", "din"),
    (r"\d+\s+\d+(\s+\d+)?\s*$", "ramulator-cpu"),
)
RESULTS = ((r"(desc|version|creator): ", "a cachegrind or callgrind result, not a trace"),)


def detect_format(path: str | os.PathLike[str]) -> str:
    """Return the name of a file's format, told by its name or its content.

    Raises:
        TraceFileError: the file is missing, or of no format that can be told; name it then.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = file.write_text("I  00404cd0,2\\n L 1fff000740,8\\n")
        >>> detect_format(file)
        'lackey'
    """
    file = Path(path)
    head = read_head(file)
    if head.startswith(MAGIC):
        return "hwt"
    if head.startswith(b"gem5"):
        return "gem5-elastic"
    bare = PACKED.sub("", file.name)
    for pattern, name in NAMES:
        if re.search(pattern, bare, re.IGNORECASE):
            return name
    if bare.endswith(SUFFIX):
        return "hwt"
    if not head:
        raise TraceFileError(f"'{file}' is empty; make it again")
    if _is_text(head):
        return _format_of_text(head, file)
    layout = entry_layout(head)
    if layout is not None and (not layout[1] or len(head) >= 48):
        return "drmemtrace"
    if looks_like_champsim(head):
        return "champsim"
    raise _undetected(file, f"it starts with bytes {head[:16].hex()}")


def _is_text(head: bytes) -> bool:
    return all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)


def _format_of_text(head: bytes, file: Path) -> str:
    lines = [line for line in head.decode("ascii").splitlines() if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    line = lines[0] if lines else ""
    for pattern, what in RESULTS:
        if re.match(pattern, line):
            raise TraceFileError(
                f"'{file}' is {what}; record the addresses, as `valgrind --tool=lackey` does"
            )
    fitting = [(pattern, name) for pattern, name in LINES if re.match(pattern, line)]
    # Two formats of plain numbers begin alike: the one that all whole lines fit is meant.
    for pattern, name in fitting:
        if all(re.match(pattern, other) for other in lines[: len(lines) - (len(head) >= HEAD)]):
            return name
    if fitting:
        return fitting[0][1]
    raise _undetected(file, f"its first line is {line[:60]!r}")


def _undetected(file: Path, found: str) -> TraceFileError:
    return TraceFileError(
        f"cannot tell the format of '{file}': {found}; name it with format= or --format, one of {', '.join(FORMATS)}"
    )


def open_trace(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002 - it is what a user calls it
    max_statics: int = MAX_STATICS,
) -> Trace | Reader:
    """Open a trace of any format; both kinds of result have `meta` and `chunks()`, and are context managers.

    Parameters:
        path: the file.
        format: one of FORMATS; None tells it by name or content. CloudSuite must be named.
        max_statics: bound of the table of static instructions of a foreign format.

    Raises:
        TraceFileError: the file is missing, of another format, or of none that can be told.
        UnknownNameError: no such format.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.din"
        >>> _ = file.write_text("2 400000\\n0 1000\\n1 2000\\n")
        >>> [chunk] = open_trace(file).chunks()
        >>> len(chunk), chunk.statics["loads"].tolist(), [hex(a) for a in chunk.addresses]
        (1, [1], ['0x1000', '0x2000'])
    """
    if format is not None and format not in FORMATS:
        raise unknown("trace format", format, FORMATS)
    name = detect_format(path) if format is None else format
    if name == "hwt":
        return Trace.open(path)
    check_file(Path(path))
    if not Path(path).exists():
        raise TraceFileError(f"trace '{path}' cannot be opened: there is no such file")
    return READERS[name](path, max_statics)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002 - it is what a user calls it
    start: int = 0,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write a trace of any format as an internal one; returns its `meta`.

    Parameters:
        source: the file to read.
        target: the file to write, suffix `.hwt`; it appears when it is complete.
        format: one of FORMATS, None to tell it.
        start: first instruction.
        limit: most instructions; None for all.
        progress: called with the number of instructions so far.

    Raises:
        TraceFileError: the source is damaged or foreign, or the window holds nothing.
        OutputError: the target cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.din").write_text("0 1000\\n1 2000\\n0 3000\\n")
        >>> convert(folder / "a.din", folder / "a.hwt", start=1)["instructions"]
        2
    """
    if start < 0 or (limit is not None and limit < 1):
        raise TraceFileError(
            f"convert(start={start}, limit={limit}): start is at least 0 and limit at least 1"
        )
    if Path(target).suffix != SUFFIX:
        raise TraceFileError(f"'{target}': an internal trace has the suffix {SUFFIX}; name it so")
    with open_trace(source, format) as trace, TraceWriter(target, dict(trace.meta)) as writer:
        for chunk in trace.chunks(start=start, stop=None if limit is None else start + limit):
            writer.append(chunk)
            if progress is not None:
                progress(writer.instructions)
        if not writer.instructions:
            raise TraceFileError(f"'{source}' has no instruction from {start} on; choose an earlier start")
        writer.meta.update(trace.meta)
        if start or limit is not None:
            writer.meta["window"] = [start, start + writer.instructions]
    return writer.meta


@dataclass
class TraceFacts:
    """What `trace_facts` counts.

    Parameters:
        instructions, operands: numbers of dynamic instructions and memory operands.
        accesses_only: instructions that are accesses without a known instruction.
        loads, stores: dynamic memory operands.
        statics: distinct static variants that occur.
        pcs: distinct addresses of instructions.
        data_lines, code_lines: distinct lines of 64 bytes, of data and of instructions' first bytes.
        branches, taken: dynamic branches, and those that were taken.
        branch_kinds, operations: dynamic instructions of each `Branch` and `Op`.
        meta: description of the trace.
    """

    instructions: int = 0
    operands: int = 0
    accesses_only: int = 0
    loads: int = 0
    stores: int = 0
    statics: int = 0
    pcs: int = 0
    data_lines: int = 0
    code_lines: int = 0
    branches: int = 0
    taken: int = 0
    branch_kinds: dict[str, int] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


LINE_BITS = np.uint64(6)


def trace_facts(trace: TraceSource) -> TraceFacts:
    """Count what is in a trace; memory grows with its footprint only.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.din"
        >>> _ = file.write_text("2 400000\\n0 1000\\n2 400004\\n1 1008\\n")
        >>> facts = trace_facts(open_trace(file))
        >>> facts.instructions, facts.loads, facts.stores, facts.data_lines
        (2, 1, 1, 1)
    """
    times = np.zeros(0, np.int64)
    taken = 0
    lines: list[Any] = []
    distinct = np.zeros(0, np.uint64)
    chunk: Chunk | None = None
    for chunk in trace.chunks():
        counts = np.bincount(chunk.indices, minlength=len(chunk.statics))
        counts[: len(times)] += times
        times = counts
        taken += int(np.count_nonzero(chunk.taken))
        lines.append(_distinct(chunk.addresses >> LINE_BITS))
        if sum(map(len, lines)) > len(distinct) + (1 << 20):
            distinct, lines = _distinct(np.concatenate([distinct, *lines])), []
    distinct = _distinct(np.concatenate([distinct, *lines]))
    facts = TraceFacts(meta=dict(trace.meta), data_lines=len(distinct), taken=taken)
    if chunk is not None:
        _count_statics(facts, chunk.statics, times)
    return facts


def _distinct(values: Any) -> Any:
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def _count_statics(facts: TraceFacts, statics: Any, times: Any) -> None:
    """Fill in what the static records and their frequencies tell."""
    used, times = statics[: len(times)][times > 0], times[times > 0]
    facts.instructions = int(times.sum())
    facts.loads = int((times * used["loads"]).sum())
    facts.stores = int((times * used["stores"]).sum())
    facts.operands = facts.loads + facts.stores
    facts.statics = len(used)
    bare = (used["flags"] & ACCESS_ONLY) != 0
    facts.accesses_only = int(times[bare].sum())
    pcs = _distinct(used["pc"][~bare])
    facts.pcs = len(pcs)
    facts.code_lines = len(_distinct(pcs >> LINE_BITS))
    for kind in Branch:
        facts.branch_kinds[kind.name] = int(times[used["branch"] == kind].sum())
    facts.branches = facts.instructions - facts.branch_kinds["NONE"]
    for op in Op:
        facts.operations[op.name] = int(times[(used["op"] == op) & ~bare].sum())
