"""Where the time of a run goes: seconds and windows of each component, and what is left for the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwmodel.kernel._plan import Node

__all__ = ["Profile", "profiled"]

_ACTIVE: ContextVar[Profile | None] = ContextVar("kernel_profile", default=None)


class Profile:
    """Wall time of the runs of systems, by component.

    Attributes:
        total: seconds inside of `System.run`, from the first window on.
        windows: windows that were run.
        seconds: by component, in its engine.
        calls: by component, windows in which it had something to do.

    Example:
        >>> Profile().kernel
        0.0
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.windows = 0
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    @property
    def engines(self) -> float:
        """Seconds in all engines."""
        return sum(self.seconds.values())

    @property
    def kernel(self) -> float:
        """Seconds outside of the engines: windows, messages, and the clock of this profile itself."""
        return max(0.0, self.total - self.engines)

    @property
    def overhead(self) -> float:
        """Time outside of the engines over the time in them; 0 where nothing ran."""
        return self.kernel / self.engines if self.engines else 0.0

    def add(self, other: Profile) -> None:
        """Add what another profile measured.

        Example:
            >>> outer, inner = Profile(), Profile()
            >>> inner.total, inner.windows = 1.5, 3
            >>> outer.add(inner)
            >>> outer.total, outer.windows
            (1.5, 3)
        """
        self.total += other.total
        self.windows += other.windows
        for name, seconds in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
            self.calls[name] = self.calls.get(name, 0) + other.calls[name]

    def lines(self) -> list[str]:
        """A table, the slowest component first."""
        rows = sorted(self.seconds.items(), key=lambda item: (-item[1], item[0]))
        wide = max([len("component"), len("kernel"), *(len(name) for name, _ in rows)])
        head = f"{'component':<{wide}}  {'seconds':>9}  {'share':>6}  {'calls':>9}  {'us a call':>9}"
        found = [f"profile: {self.total:.3f} s in {self.windows:,} windows", head]
        for name, seconds in rows:
            calls = self.calls[name]
            each = 1e6 * seconds / calls if calls else 0.0
            found.append(f"{name:<{wide}}  {seconds:9.3f}  {self._share(seconds)}  {calls:9,}  {each:9.2f}")
        each = 1e6 * self.kernel / self.windows if self.windows else 0.0
        found.append(
            f"{'kernel':<{wide}}  {self.kernel:9.3f}  {self._share(self.kernel)}  {self.windows:9,}  {each:9.2f}"
        )
        return found

    def _share(self, seconds: float) -> str:
        return f"{100 * seconds / self.total if self.total else 0.0:5.1f}%"

    @contextmanager
    def over(self, nodes: Sequence[Node], windows: Callable[[], int]) -> Iterator[None]:
        """Time the engines of a run; they are as before at its end."""
        before = [node.advance for node in nodes]
        for node in nodes:
            node.advance = self._timed(node.component.name, node.advance)
        first, begun = windows(), time.perf_counter()
        try:
            yield
        finally:
            self.total += time.perf_counter() - begun
            self.windows += windows() - first
            for node, advance in zip(nodes, before, strict=True):
                node.advance = advance

    def _timed(self, name: str, advance: Callable[[int], None]) -> Callable[[int], None]:
        seconds, calls, clock = self.seconds, self.calls, time.perf_counter
        seconds.setdefault(name, 0.0)
        calls.setdefault(name, 0)

        def timed(t1: int) -> None:
            begun = clock()
            try:
                advance(t1)
            finally:
                seconds[name] += clock() - begun
                calls[name] += 1

        return timed


def active() -> Profile | None:
    """The profile that runs are to be added to."""
    return _ACTIVE.get()


@contextmanager
def profiled() -> Iterator[Profile]:
    """Add every run inside of the block to one profile, and that to the profile of a block around it, if there is one.

    Example:
        >>> import hwmodel as hw
        >>> from hwmodel.units import ns
        >>> def blink(ctx):
        ...     while True:
        ...         yield ctx.timeout(ns(3))
        ...         ctx.send("lamp", 1)
        >>> with profiled() as profile:
        ...     result = hw.System(hw.Process("blinker", blink, outputs=["lamp"])).run(until=ns(10))
        >>> list(profile.calls)
        ['blinker']
    """
    profile = Profile()
    token = _ACTIVE.set(profile)
    try:
        yield profile
    finally:
        _ACTIVE.reset(token)
        if (outer := active()) is not None:
            outer.add(profile)
