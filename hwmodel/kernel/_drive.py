"""Stimuli from outside: sorted times, or the edges of a clock made as they are needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwmodel.errors import StimulusError
from hwmodel.kernel._clock import Clock
from hwmodel.kernel._ports import Port
from hwmodel.units import MAX_TIME, NEVER, format_time

Ints = npt.NDArray[np.int64]

CHUNK = 1 << 15
"""Most messages that one stimulus puts into an inbox in one window."""

AHEAD = 64
"""Messages that a stimulus is put into an inbox ahead of time, so that short windows stay cheap."""


class Drive:
    """The stimulus of one port: times with values, or clock edges.

    `rows(t1)` gives the messages before t1; `next_time` is the earliest one left.
    """

    def __init__(
        self,
        port: Port,
        times: Ints | None = None,
        values: Ints | None = None,
        clock: Clock | None = None,
        start: int = 0,
        count: int | None = None,
    ) -> None:
        self.port = port
        self.clock = clock
        self.start = start
        self.count = count
        self.position = 0
        self._times = times if times is not None else np.zeros(0, np.int64)
        self._values = values
        if times is not None:
            self._check(times)
            self.count = len(times)

    def _check(self, times: Ints) -> None:
        where = f"stimulus of '{self.port.path}'"
        if len(times) and times[0] < 0:
            raise StimulusError(
                f"{where}: item 0 is at {format_time(int(times[0]))}; times must not be negative"
            )
        step = np.diff(times)
        bad = step < 0 if self.port.protocol == "event" else step <= 0
        if bad.any():
            n = int(np.argmax(bad)) + 1
            raise StimulusError(
                f"{where}: item {n} at {format_time(int(times[n]))} comes after {format_time(int(times[n - 1]))}; "
                "times must rise; sort them and leave out doubles"
            )
        if self._values is not None and len(self._values) != len(times):
            raise StimulusError(
                f"{where}: {len(times)} times but {len(self._values)} values; give one value a time"
            )

    def next_time(self) -> int:
        """Time of the earliest message not yet given, or NEVER."""
        if self.count is not None and self.position >= self.count:
            return NEVER
        if self.clock is not None:
            t = int(self.clock.edge(self.start + self.position))
            return t if t <= MAX_TIME else NEVER
        return int(self._times[self.position])

    def horizon(self, messages: int = CHUNK) -> int:
        """Time up to which not more than so many messages come."""
        ahead = self.position + messages
        if self.count is not None and ahead >= self.count:
            return MAX_TIME
        if self.clock is not None:
            return min(MAX_TIME, int(self.clock.edge(self.start + ahead)))
        return int(self._times[ahead])

    def rows(self, t1: int) -> tuple[Ints, Ints]:
        """Remove and return times and values of the messages with t < t1, shape (n,) each."""
        first = self.position
        if self.clock is not None:
            last = self.clock.index(t1) - self.start
            last = min(last, self.count) if self.count is not None else last
            times = np.asarray(self.clock.edges(self.start + first, max(0, last - first)), np.int64)
        else:
            last = first + int(np.searchsorted(self._times[first:], t1, side="left"))
            times = self._times[first:last]
        self.position = max(first, last)
        values = np.zeros(len(times), np.int64) if self._values is None else self._values[first:last]
        return times, values

    @property
    def given(self) -> Ints:
        """Times and values that were given, one after the other: for the identity of a system."""
        return np.concatenate([self._times, self._values if self._values is not None else self._times[:0]])

    def describe(self) -> dict[str, object]:
        """What was driven, for the manifest."""
        kind = {"clock": repr(self.clock), "start": self.start} if self.clock else {"times": "given"}
        return {"port": self.port.path, "count": self.count, **kind}
