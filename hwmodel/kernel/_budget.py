"""A limit on the wall time that one component may take for one window."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from hwmodel.errors import BudgetError, SpecError
from hwmodel.units import format_time

if TYPE_CHECKING:
    from hwmodel.kernel._plan import Plan

__all__ = ["watched"]

LEAST_S = 0.01
LOOKS = 4  # looks at the run in one budget


@contextmanager
def watched(plan: Plan, seconds: float | None, name: str) -> Iterator[None]:
    """Interrupt a component that stays in one window for longer than `seconds`; None does not look.

    Python code is interrupted where it is; a compiled call first has to come back.

    Raises:
        BudgetError: from inside of the component, with its path and the window.
        SpecError: less than 10 ms, or not in the main thread, where alone signals arrive.
    """
    if seconds is None:
        yield
        return
    if not LEAST_S <= seconds < 1e6:
        raise SpecError(f"run(budget={seconds!r}): give seconds of wall time, {LEAST_S} or more, or None")
    if threading.current_thread() is not threading.main_thread():
        raise SpecError(
            f"run(budget={seconds!r}): system '{name}' is not run in the main thread; leave out budget"
        )
    seen: tuple[int, object] = (-1, None)
    since = time.monotonic()

    def look(_signal: int, _frame: FrameType | None) -> None:
        nonlocal seen, since
        now, here = time.monotonic(), (plan.windows, plan.active)
        if here != seen:
            seen, since = here, now
        elif plan.active is not None and now - since >= seconds:
            raise BudgetError(
                f"component '{plan.active.component.name}' of system '{name}' takes more than {seconds:g} s for the "
                f"window from {format_time(plan.first)}; look for a loop without a wait, or give run(budget=...) more"
            )

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, seconds / LOOKS, seconds / LOOKS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
