"""Runners: what calls the engines window after window. All give the same result (rule K6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from hwmodel.kernel._plan import Plan

if TYPE_CHECKING:
    import simpy

Progress = Callable[[int, int], None]
"""Called with the present time and the end of the run, both in fs, at most ten times a second."""

SHARES = 128
"""No engine runs more than such a share of a run at once, so that a progress bar moves and Ctrl-C is heard."""


def run_loop(plan: Plan, until: int, window: int, progress: Progress | None) -> None:
    """Run windows of equal length one after another in a plain loop."""
    next_window, step = plan.next_window, plan.step
    shown = time.monotonic() if progress else 0.0
    while (end := next_window(window, until)) >= 0:
        step(end)
        if progress and (now := time.monotonic()) - shown > 0.1:
            shown = now
            progress(plan.now, until)
    plan.now = until


def run_ahead(plan: Plan, until: int, progress: Progress | None) -> None:
    """Let each engine in turn run as far as no message can reach it, at most a share of the whole run."""
    turn, most = plan.turn, max(1, (until - plan.now) // SHARES)
    shown = time.monotonic() if progress else 0.0
    while turn(most, until):
        if progress and (now := time.monotonic()) - shown > 0.1:
            shown = now
            progress(plan.now, until)
    plan.now = until


def run_simpy(
    plan: Plan, until: int, window: int, progress: Progress | None, env: simpy.Environment | None = None
) -> None:
    """Run windows as a process of a SimPy environment, with the user's own processes beside it.

    The environment's time is femtoseconds. A user's process sees the system as it is at the end
    of a window.
    """
    import simpy

    env = env if env is not None else simpy.Environment(initial_time=plan.now)
    offset = int(env.now) - plan.now

    def windows() -> Generator[simpy.Event, Any, None]:
        shown = time.monotonic()
        while (end := plan.next_window(window, until)) >= 0:
            plan.step(end)
            yield env.timeout(end + offset - env.now)
            if progress and (now := time.monotonic()) - shown > 0.1:
                shown = now
                progress(plan.now, until)
        yield env.timeout(until + offset - env.now)

    env.run(until=env.process(windows()))
    plan.now = until
