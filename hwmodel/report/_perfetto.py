"""Traces for the Perfetto viewer (ui.perfetto.dev), in the JSON form of trace events.

The viewer counts whole nanoseconds. So that femtoseconds survive, one femtosecond is shown as one nanosecond unless
another scale is asked for; the file says which.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwmodel.errors import ResultError
from hwmodel.kernel.files import replaced_file
from hwmodel.report._select import select_traces

if TYPE_CHECKING:
    from hwmodel.kernel import Result, Trace

__all__ = ["write_perfetto"]


def write_perfetto(
    result: Result, path: str | Path, signals: Iterable[str] | str | None = None, fs_per_ns: int = 1
) -> Path:
    """Write traces as a Perfetto (Chrome trace event) file: a process a component, a track a signal.

    Pulses and events become instants, an event's value its argument; levels become counters.

    Parameters:
        result: a finished run.
        path: the file to write, usually ending in `.json`.
        signals: names of traces, short where unambiguous; None writes all.
        fs_per_ns: femtoseconds that the viewer shows as one nanosecond; 1,000,000 shows true times and merges what
            lies closer.

    Returns:
        The path of the file.

    Raises:
        ResultError: a scale below 1, or a run too long for the viewer at this scale.
        OutputError: the file cannot be written.

    Source: Trace Event Format (Chromium project); the viewer's unit is the nanosecond.

    Example:
        >>> from hwmodel.report import write_perfetto
        >>> write_perfetto(result, "run.perfetto.json")  # doctest: +SKIP
    """
    if fs_per_ns < 1:
        raise ResultError(f"write_perfetto(fs_per_ns={fs_per_ns}): give a whole number of 1 or more")
    target = Path(path)
    traces = select_traces(result, signals)
    processes = {name: n for n, name in enumerate(sorted({_component(trace) for trace in traces}), 1)}
    scale = f"{fs_per_ns} fs is shown as 1 ns"
    with replaced_file(target) as fresh, fresh.open("w", encoding="utf-8") as file:
        head = {"name": result.manifest.get("name", ""), "scale": scale, "fingerprint": result.fingerprint}
        file.write(f'{{"displayTimeUnit":"ns","otherData":{json.dumps(head)},"traceEvents":[\n')
        rows = (
            row
            for number, trace in enumerate(traces, 1)
            for row in _rows(trace, processes, number, fs_per_ns)
        )
        for number, row in enumerate([*_names(processes, scale)]):
            file.write((",\n" if number else "") + json.dumps(row))
        for line in rows:
            file.write(",\n" + line)
        file.write("\n]}\n")
    return target


def _component(trace: Trace) -> str:
    return trace.name.rpartition(".")[0] or trace.name


def _names(processes: dict[str, int], scale: str) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "pid": 0, "name": "process_name", "args": {"name": scale}}
    for name, pid in processes.items():
        yield {"ph": "M", "pid": pid, "name": "process_name", "args": {"name": name}}


def _rows(trace: Trace, processes: dict[str, int], track: int, fs_per_ns: int) -> Iterator[str]:
    pid, name = processes[_component(trace)], json.dumps(trace.name.rpartition(".")[2])
    yield f'{{"ph":"M","pid":{pid},"tid":{track},"name":"thread_name","args":{{"name":{name}}}}}'
    # The format counts microseconds; three decimals are the viewer's nanoseconds.
    times = [_microseconds(t // fs_per_ns) for t in trace.t.tolist()]
    # Written out by hand: a call of the JSON writer for each change would take most of the time.
    if trace.kind == "level":
        head = f'{{"ph":"C","pid":{pid},"name":{name},"ts":'
        yield f'{head}0,"args":{{"value":{trace.initial}}}}}'
        for t, value in zip(times, trace.value.tolist(), strict=True):
            yield f'{head}{t},"args":{{"value":{value}}}}}'
        return
    head = f'{{"ph":"i","s":"t","pid":{pid},"tid":{track},"name":{name},"ts":'
    if trace.kind == "event":
        for t, value in zip(times, trace.value.tolist(), strict=True):
            yield f'{head}{t},"args":{{"value":{value}}}}}'
    else:
        for t in times:
            yield f"{head}{t}}}"


def _microseconds(ns: int) -> float | int:
    """Microseconds that a double holds to the nanosecond."""
    if ns >= 1 << 53:
        raise ResultError(
            f"write_perfetto: {ns} is more nanoseconds than the format holds exactly; give a greater fs_per_ns"
        )
    return ns / 1000
