"""What a simulation folder is written against: `RunContext` goes in, `Outcome` comes out.

A simulation is a folder with a `spec.toml` (title, source and default parameters) and a `run.py` that
defines a frozen dataclass `Spec` and a function `run(spec, context)`. The command `hwmodel run` finds
it, runs it and writes what comes out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hwmodel.units import Time

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from hwmodel.kernel import Result
    from hwmodel.report import Latency, View

__all__ = ["Outcome", "ReportOptions", "RunContext", "RunnerName", "Window"]

RunnerName = Literal["loop", "simpy"]
Window = Literal["auto"] | Time

# A bar for work that is over at once would only flicker.
_PATIENCE_S = 2.0
_REDRAW_S = 0.1


@dataclass(frozen=True)
class RunContext:
    """What a run is given beside its parameters.

    Parameters:
        seed: seed of every random stream of the run.
        out: existing folder to write pictures into; other files are written by the command.
        runner: runner to hand on to `System.run`.
        window: window to hand on to `System.run`.
    """

    seed: int
    out: Path
    runner: RunnerName = "loop"
    window: Window = "auto"

    @contextmanager
    def progress(self, label: str, total: float) -> Iterator[Callable[[float], None]]:
        """Show how far a long piece of work is; give the function to call with what is done.

        The bar goes to standard error, appears after two seconds, and only on a terminal.

        Parameters:
            label: what is being done, a few words.
            total: the amount of work, in any unit; calls name the amount done in the same unit.

        Example:
            >>> context = RunContext(seed=1, out=Path("."))
            >>> with context.progress("seeds", total=3) as done:
            ...     for seed in range(3):
            ...         done(seed + 1)
        """
        bar = _Bar(label, total)
        try:
            yield bar
        finally:
            bar.close()

    def say(self, text: str) -> None:
        """Print one line about the run to standard error, at once."""
        print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class ReportOptions:
    """What `report.html` and the file for the Perfetto viewer show of a run.

    Parameters:
        signals: what the drawing of the whole run shows, in this order; None takes the first 48 traces.
        views: stretches of the run that are drawn besides: `hwmodel.report.View`, (title, start, end) or
            (title, start, end, signals).
        latencies: pairs of signals whose latencies are shown: `hwmodel.report.Latency`, (source, target) or
            (source, target, how).
        groups: component to the name of its group in the topology, such as a temperature stage.
        perfetto: signals in `trace.perfetto.json`. None takes all; beyond 200,000 changes the busiest are left out,
            and the run says so. An empty list writes no file.

    Example:
        >>> options = ReportOptions(views=[("one step", "10 us", "12 us")], groups={"asic": "300 K", "core": "77 K"})
        >>> options.views[0][0]
        'one step'
    """

    signals: Sequence[str] | None = None
    views: Sequence[View | tuple[Any, ...]] = ()
    latencies: Sequence[Latency | tuple[Any, ...]] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    perfetto: Sequence[str] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a simulation gives back.

    Parameters:
        result: the kernel's result; its traces become `result.npz`, `waves.vcd` and `trace.perfetto.json`.
        metrics: figures of merit, nested as wished; must be representable in JSON.
        summary: lines for the terminal.
        report: what the report shows of the run.
    """

    result: Result
    metrics: Mapping[str, Any] = field(default_factory=dict)
    summary: Sequence[str] = ()
    report: ReportOptions = field(default_factory=ReportOptions)


class _Bar:
    """A progress bar that is made only once the work turns out to be long."""

    def __init__(self, label: str, total: float) -> None:
        self._label = label
        self._total = total
        self._due = time.monotonic() + _PATIENCE_S
        self._visible = sys.stderr.isatty()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: float) -> None:
        if not self._visible or (now := time.monotonic()) < self._due:
            return
        self._due = now + _REDRAW_S
        if self._progress is None or self._task is None:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True, refresh_per_second=10)
            self._task = self._progress.add_task(self._label, total=self._total)
            self._progress.start()
        self._progress.update(self._task, completed=done)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
