"""Value change dumps (IEEE 1364) for GTKWave, Surfer and other waveform viewers.

pyvcd writes the header and the initial values and checks them. The changes themselves are merged and
formatted here in blocks of arrays, because one Python call a change is several times slower.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from hwmodel.errors import ResultError
from hwmodel.kernel.files import replaced_file, write_text
from hwmodel.report._select import select_traces

if TYPE_CHECKING:
    from hwmodel.kernel import Result, Trace

__all__ = ["write_vcd"]

PulseStyle = Literal["event", "toggle"]
Strings = npt.NDArray[np.object_]

# Changes merged at a time: large enough to hide the cost of a block, small enough for the cache.
BLOCK = 1 << 17
EVENT_BITS = 64


@dataclass(frozen=True)
class _Variable:
    """One trace and how its changes are spelled in the file."""

    trace: Trace
    path: tuple[str, ...]  # scopes and, last, the name
    kind: Literal["event", "toggle", "scalar", "vector", "number"]
    ident: str

    @property
    def bits(self) -> int:
        return EVENT_BITS if self.kind == "number" else max(1, self.trace.width)

    def lines(self, start: int, stop: int) -> Strings:
        """The change lines of trace entries start:stop."""
        if self.kind == "event":
            return np.full(stop - start, f"1{self.ident}\n", dtype=object)
        if self.kind == "toggle":
            return self._bits(~np.arange(start, stop))
        values = self.trace.value[start:stop]
        if self.kind == "scalar":
            return self._bits(values)
        # Negative values are two's complement in the declared width.
        mask, tail = (1 << self.bits) - 1, f" {self.ident}\n"
        return np.array([f"b{value & mask:b}{tail}" for value in values.tolist()], dtype=object)

    def _bits(self, values: npt.NDArray[np.int64]) -> Strings:
        """Change lines of a one-bit wire."""
        both: Strings = np.array([f"0{self.ident}\n", f"1{self.ident}\n"], dtype=object)
        return both.take(values & 1)


def write_vcd(
    result: Result,
    path: str | Path,
    signals: Iterable[str] | str | None = None,
    pulse: PulseStyle = "event",
) -> Path:
    """Write traces as a VCD file with a timescale of 1 fs, and a GTKWave save file beside it.

    Pulses become VCD events, levels wires of their width, and events 64-bit integers that take the
    event's value (two events of equal value in a row show no edge in a viewer, but stand in the file).
    Characters that the format cannot hold in a name are written as `_`. Same-time changes keep the
    order of the signals.

    Parameters:
        result: a finished run.
        path: the file to write; the save file has the same name with the suffix `.gtkw`.
        signals: names of traces, short where unambiguous; None writes all.
        pulse: "event", or "toggle" for a wire that changes at each pulse, which shows better in
            viewers that draw no events.

    Returns:
        The path of the VCD file.

    Raises:
        ResultError: a value does not fit its signal's width, or `pulse` is not one of the two.
        OutputError: the file cannot be written.

    Example:
        >>> from hwmodel.report import write_vcd
        >>> write_vcd(result, "xor.vcd", signals=["a", "q"])  # doctest: +SKIP
    """
    if pulse not in ("event", "toggle"):
        raise ResultError(f"pulse={pulse!r} is no way to write pulses; choose 'event' or 'toggle'")
    target = Path(path)
    traces = select_traces(result, signals)
    for trace in traces:
        _check_width(trace)
    save_file = target.with_suffix(".gtkw")
    with replaced_file(target) as fresh:
        with fresh.open("w", encoding="ascii", newline="\n", buffering=1 << 20) as file:
            variables = _write_header(file, result, traces, pulse)
            stamp = 0 if variables else -1
            for block in _blocks(variables):
                stamp = _write_block(file, *block, stamp=stamp)
            if stamp < result.until:
                file.write(f"#{int(result.until)}\n")
        _write_save_file(save_file, target, variables)
    return target


def _check_width(trace: Trace) -> None:
    if trace.kind != "level" or trace.width >= EVENT_BITS:
        return
    low, high = -(1 << (trace.width - 1)), 1 << trace.width
    values = [int(trace.initial)]
    if len(trace.value):
        values += [int(trace.value.min()), int(trace.value.max())]
    for value in values:
        if not low <= value < high:
            raise ResultError(
                f"trace '{trace.name}' holds {value}, which does not fit its {trace.width} bits; "
                f"declare the signal with a larger width"
            )


def _write_header(
    file: IO[str], result: Result, traces: Sequence[Trace], pulse: PulseStyle
) -> list[_Variable]:
    from vcd import VCDWriter

    name = str(result.manifest.get("name", "")) or "result"
    writer = VCDWriter(
        file,
        timescale="1 fs",
        # A date would make two equal runs differ; the manifest holds it.
        date="",
        comment=_plain(f"{name}; fingerprint {result.fingerprint}"),
        version=_plain(f"hwmodel {result.manifest.get('hwmodel', '')}".strip()),
    )
    taken: set[tuple[str, ...]] = set()
    variables = [_register(writer, trace, _unique_path(trace.name, taken), pulse) for trace in traces]
    writer.flush()
    return variables


def _register(writer: Any, trace: Trace, path: tuple[str, ...], pulse: PulseStyle) -> _Variable:
    scope, name = path[:-1], path[-1]
    kind: Literal["event", "toggle", "scalar", "vector", "number"]
    if trace.kind == "pulse" and pulse == "event":
        kind, variable = "event", writer.register_var(scope, name, "event")
    elif trace.kind == "pulse":
        kind, variable = "toggle", writer.register_var(scope, name, "wire", 1, init=0)
    elif trace.kind == "event":
        kind, variable = "number", writer.register_var(scope, name, "integer", EVENT_BITS, init="x")
    elif trace.width == 1:
        kind, variable = "scalar", writer.register_var(scope, name, "wire", 1, init=int(trace.initial) & 1)
    else:
        size = int(trace.width)
        kind = "vector"
        variable = writer.register_var(scope, name, "wire", size, init=int(trace.initial) & ((1 << size) - 1))
    return _Variable(trace, path, kind, str(variable.ident))


def _plain(text: str) -> str:
    """Text that can stand in a VCD header: `$` would end the comment."""
    return re.sub(r"[^ -~]", "?", text.replace("$", "_"))


def _unique_path(name: str, taken: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The scopes and name of a dotted path, in characters that VCD readers accept."""
    parts = tuple(re.sub(r"[^!-#%-~]", "_", part) or "_" for part in name.split("."))
    if len(parts) == 1:
        parts = ("top", *parts)  # a variable outside any scope is lost in some viewers
    base, count = parts, 1
    while parts in taken:
        count += 1
        parts = (*base[:-1], f"{base[-1]}_{count}")
    taken.add(parts)
    return parts


def _blocks(variables: Sequence[_Variable]) -> Iterator[tuple[npt.NDArray[np.int64], Strings]]:
    """Merge all traces in time order, about BLOCK changes at a time.

    Each trace is sampled at a fixed stride and the sorted samples are cut into equal shares, which
    bounds a block to about 2 * BLOCK entries however unevenly the traces are filled.
    """
    busy = [v for v in variables if len(v.trace.t)]
    if not busy:
        return
    stride = max(1, BLOCK // len(busy))
    marks = np.sort(np.concatenate([v.trace.t[::stride] for v in busy]))
    cuts = np.unique(marks[len(busy) :: len(busy)])
    stops = [np.append(np.searchsorted(v.trace.t, cuts, side="right"), len(v.trace.t)) for v in busy]
    starts = [0] * len(busy)
    for block in range(len(cuts) + 1):
        times: list[npt.NDArray[np.int64]] = []
        lines: list[Strings] = []
        for i, variable in enumerate(busy):
            start, stop = starts[i], int(stops[i][block])
            if start < stop:
                times.append(np.asarray(variable.trace.t[start:stop]))
                lines.append(variable.lines(start, stop))
                starts[i] = stop
        if times:
            t = np.concatenate(times)
            order = np.argsort(t, kind="stable")  # stable: ties keep the order of the signals
            yield t[order], np.concatenate(lines)[order]


def _write_block(file: IO[str], t: npt.NDArray[np.int64], lines: Strings, stamp: int) -> int:
    """Write sorted changes, a `#time` line before each new time; give the last time written."""
    fresh = np.empty(len(t), dtype=bool)
    fresh[0] = t[0] != stamp
    np.not_equal(t[1:], t[:-1], out=fresh[1:])
    place = np.arange(len(t)) + np.cumsum(fresh)
    text = np.empty(len(t) + int(fresh.sum()), dtype=object)
    text[place] = lines
    text[place[fresh] - 1] = [f"#{time}\n" for time in t[fresh].tolist()]
    file.write("".join(text.tolist()))
    return int(t[-1])


def _write_save_file(path: Path, dump: Path, variables: Sequence[_Variable]) -> None:
    """List the signals for GTKWave, so that opening the save file shows them at once."""
    import io

    from vcd.gtkw import GTKWSave

    text = io.StringIO()
    save = GTKWSave(text)
    # A path without folders: both files can be moved together.
    save.dumpfile(dump.name, abspath=False)
    save.timestart(0)
    for scope in sorted({v.path[0] for v in variables}):
        save.treeopen(scope)
    for variable in variables:
        datafmt = {"number": "signed", "vector": "hex"}.get(variable.kind, "bin")
        save.trace(".".join(variable.path), datafmt=datafmt)
    write_text(path, text.getvalue())
