"""A progress bar that appears only when a run takes more than two seconds and a person watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from hwmodel.units import format_time

PATIENCE_S = 2.0


class ProgressBar:
    """Shows simulated time on stderr; silent for short runs and where no terminal is attached."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._begun = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, now: int, until: int) -> None:
        if self._bar is None:
            if time.monotonic() - self._begun < PATIENCE_S or not sys.stderr.isatty():
                return
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[t]}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=1.0, t="")
        shown = f"{format_time(round(now, -6) if now > 10**9 else now)} of {format_time(until)}"
        self._bar.update(self._task, completed=now / until, t=shown)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
