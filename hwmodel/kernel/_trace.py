"""What was recorded of one signal, and the recorder that collects it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hwmodel._times import Times, as_times
from hwmodel.errors import QueueOverflowError, ResultError
from hwmodel.kernel._clock import Clock
from hwmodel.kernel._ports import SignalKind
from hwmodel.units import TimeLike, format_time, to_fs

Ints = npt.NDArray[np.int64]

DEFAULT_SAMPLES = 1 << 27

FLUSH = 1 << 14
"""Samples that wait to be given to their signals."""


@dataclass(frozen=True, eq=False)
class Trace:
    """One recorded signal.

    Attributes:
        name: full name of the signal.
        kind: "pulse" (times only), "level" (a held value) or "event" (a value at a time).
        t: femtoseconds, int64, shape (n,), not decreasing.
        value: int64, shape (n,); empty for pulses.
        width: bits of a level.
        initial: value of a level before its first change.

    Example:
        >>> import numpy as np
        >>> trace = Trace("q", "pulse", np.array([5000, 105000]), np.array([], int))
        >>> trace.pulses()
        ps([5, 105])
    """

    name: str
    kind: SignalKind
    t: Ints
    value: Ints
    width: int = 1
    initial: int = 0

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        noun = {"pulse": "pulses", "level": "changes", "event": "events"}[self.kind]
        span = f" from {format_time(int(self.t[0]))} to {format_time(int(self.t[-1]))}" if len(self) else ""
        return f"<Trace {self.name}: {len(self)} {noun}{span}>"

    def pulses(self) -> Times:
        """Times of the pulses (or events), shape (n,).

        Raises:
            ResultError: the trace is of a level.
        """
        if self.kind == "level":
            raise ResultError(f"trace '{self.name}' is a level; read its t and value, or use at()")
        return as_times(self.t)

    def at(self, t: TimeLike) -> int:
        """Value of a level at time `t`, a change at `t` included."""
        n = int(np.searchsorted(self.t, to_fs(t, "at"), side="right"))
        return int(self.value[n - 1]) if n else self.initial

    def before(self, t: TimeLike) -> Trace:
        """The part of the trace before a time."""
        n = int(np.searchsorted(self.t, to_fs(t, "before"), side="left"))
        return Trace(self.name, self.kind, self.t[:n], self.value[:n], self.width, self.initial)

    def cycles(self, clock: Clock, count: int | None = None) -> Ints:
        """Pulses in each period of `clock`: item n counts edge(n) <= t < edge(n+1).

        Example:
            >>> import numpy as np
            >>> from hwmodel.units import GHz
            >>> Trace("q", "pulse", np.array([5000, 205000]), np.array([], int)).cycles(Clock(GHz(10)))
            array([1, 0, 1])
        """
        inside = self.t[self.t >= clock.phase]
        period = clock.indices(inside + 1) - 1
        return np.bincount(period, minlength=count or 0)[:count]


@dataclass(frozen=True)
class Probe:
    """What to record of a signal: every change, or one sample a clock period.

    With a clock, a pulse signal is kept as the number of pulses in each period that ended at the
    edge, and a level as its value at the edge (a change in the same femtosecond included: probes
    come last, rule K3). Memory is then one number an edge, however busy the signal.

    Example:
        >>> from hwmodel.units import GHz
        >>> Probe("net.q", clock=Clock(GHz(1)))
        Probe(signal='net.q', clock=Clock(GHz(1)))
    """

    signal: str
    clock: Clock | None = None


@dataclass
class _Signal:
    """One watched signal and what came of it so far."""

    name: str  # full name
    kind: SignalKind
    width: int
    initial: int
    clock: Clock | None  # sampled at its edges; None: every change
    t: list[Ints] = field(default_factory=list)
    value: list[Ints] = field(default_factory=list)
    counts: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # pulses before edge n

    def add(self, t: Ints, value: Ints) -> None:
        """Keep changes in time order."""
        if self.clock is None:
            self.t.append(t)
            self.value.append(value)
            return
        edge = self.clock.indices(t)
        if self.kind == "level":
            last = np.append(edge[1:] != edge[:-1], True)
            if self.t and self.t[-1][-1] == edge[0]:
                self.t[-1], self.value[-1] = self.t[-1][:-1], self.value[-1][:-1]
            self.t.append(edge[last])
            self.value.append(value[last])
            return
        size = int(edge[-1]) + 1
        if size > len(self.counts):
            # Doubling keeps a long run from copying the counts at every window.
            self.counts = np.concatenate(
                [self.counts, np.zeros(max(size, 2 * len(self.counts)) - len(self.counts), np.int64)]
            )
        self.counts += np.bincount(edge, minlength=len(self.counts))

    def trace(self, until: int) -> Trace:
        """What was recorded before `until`."""
        t = np.concatenate([*self.t, np.zeros(0, np.int64)])
        value = np.concatenate([*self.value, np.zeros(0, np.int64)])
        if self.clock is None:
            return Trace(
                self.name,
                self.kind,
                t,
                value if self.kind != "pulse" else value[:0],
                self.width,
                self.initial,
            )
        edges = np.asarray(self.clock.edges(0, self.clock.index(until)), np.int64)
        if self.kind == "level":
            held = np.searchsorted(t, np.arange(len(edges)), side="right")
            value = np.concatenate([[self.initial], value])[held]
        else:
            value = np.zeros(len(edges), np.int64)
            n = min(len(edges), len(self.counts))
            value[:n] = self.counts[:n]
        return Trace(self.name, "level", edges, value, 64, 0)


class Recorder:
    """Collects what the engines of one component record of its watched signals."""

    def __init__(self, path: str, limit: int = DEFAULT_SAMPLES) -> None:
        self.path = path
        self.limit = limit
        self.signals: list[_Signal] = []
        self._kept = 0
        self._pending: list[tuple[Ints, Ints, Ints]] = []
        self._waiting = 0

    def watch(
        self, name: str, kind: SignalKind, width: int = 1, initial: int = 0, clock: Clock | None = None
    ) -> None:
        """Add a signal; its number is its place in the order of these calls."""
        self.signals.append(_Signal(name, kind, width, initial, clock))

    def extend(self, t: Ints, signal: Ints, value: Ints) -> None:
        """Record changes, shape (n,) each; those of one signal in time order.

        Raises:
            QueueOverflowError: more samples than the checked bound.
        """
        if len(t) == 0:
            return
        self._kept += len(t)
        if self._kept > self.limit and all(s.clock is None for s in self.signals):
            raise QueueOverflowError(
                f"the record of '{self.path}' would hold {self._kept} samples at t = {format_time(int(t[-1]))}, its "
                f"bound is {self.limit}; watch fewer signals, or sample them with Probe(signal, clock=...)"
            )
        self._pending.append((t.copy(), signal.copy(), value.copy()))
        self._waiting += len(t)
        if self._waiting > FLUSH:
            self.flush()

    def flush(self) -> None:
        """Give what was recorded to its signals: done for many windows at once, as sorting has its price."""
        if not self._pending:
            return
        t, signal, value = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        self._pending, self._waiting = [], 0
        if len(self.signals) == 1:
            self.signals[0].add(t, value)
            return
        order = np.argsort(signal, kind="stable")
        ids, starts = np.unique(signal[order], return_index=True)
        for n, part in zip(ids.tolist(), np.split(order, starts[1:]), strict=True):
            self.signals[n].add(t[part], value[part])

    def traces(self, until: int) -> list[Trace]:
        """What was recorded before `until`, by signal."""
        self.flush()
        return [signal.trace(until) for signal in self.signals]

    def record(self, t: int, signal: int, value: int = 0) -> None:
        """Record one change: for engines written in Python."""
        self.extend(np.array([t], np.int64), np.array([signal], np.int64), np.array([value], np.int64))

    def save(self) -> dict[str, Ints]:
        """Everything kept, for a checkpoint."""
        self.flush()
        empty = np.zeros(0, np.int64)
        saved = {}
        for n, s in enumerate(self.signals):
            saved[f"{n}.t"] = np.concatenate([*s.t, empty])
            saved[f"{n}.value"] = np.concatenate([*s.value, empty])
            saved[f"{n}.counts"] = s.counts
        return saved

    def load(self, saved: dict[str, Ints]) -> None:
        """Take back what `save` gave."""
        for n, s in enumerate(self.signals):
            t = saved[f"{n}.t"]
            s.t, s.value = ([t], [saved[f"{n}.value"]]) if len(t) else ([], [])
            s.counts = saved[f"{n}.counts"]
            self._kept += len(t)
