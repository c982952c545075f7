"""Message buffers between the kernel and its engines: int64 rows with checked bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwmodel.errors import QueueOverflowError
from hwmodel.units import NEVER, format_time

Rows = npt.NDArray[np.int64]

# Columns of an inbox row.
T, LINK, SEQ, PORT, VALUE = range(5)

# Columns of an outbox row.
OUT_T, OUT_PORT, OUT_VALUE = range(3)

DEFAULT_LIMIT = 1 << 24


def _grown(rows: Rows, wanted: int, limit: int, what: str, when: int) -> Rows:
    if wanted > limit:
        raise QueueOverflowError(
            f"{what} would hold {wanted} messages at t = {format_time(when)}, its bound is {limit}; "
            "send less, or raise the bound of the component"
        )
    bigger = np.empty((min(limit, max(wanted, 2 * len(rows))), rows.shape[1]), np.int64)
    bigger[: len(rows)] = rows
    return bigger


class Inbox:
    """Messages to one engine, sorted by (t, link, seq): rule K3.

    `rows[head:tail]`, int64 with columns t, link, seq, port, value, are those not yet delivered. A
    compiled engine reads them and moves `head`; a Python engine calls `take`.
    """

    __slots__ = ("_unsorted", "head", "limit", "path", "rows", "tail")

    def __init__(self, path: str, limit: int = DEFAULT_LIMIT) -> None:
        self.path = path
        self.limit = limit
        self.rows: Rows = np.empty((64, 5), np.int64)
        self.head = 0
        self.tail = 0
        self._unsorted = False

    def __len__(self) -> int:
        return self.tail - self.head

    def next_time(self) -> int:
        """Time of the earliest message, or NEVER."""
        if self.head == self.tail:
            return NEVER
        if self._unsorted:
            self._sort()
        return self.rows.item(self.head, T)

    def push(self, rows: Rows) -> None:
        """Add messages, rows in the order of their time."""
        if len(rows) == 0:
            return
        at = self._room(len(rows))
        self.rows[at : at + len(rows)] = rows
        self._note(at)
        self.tail = at + len(rows)

    def push_one(self, t: int, link: int, seq: int, port: int, value: int) -> None:
        """Add one message, at its place: cheaper than a row of its own."""
        at = self.tail
        if self.head == at:
            self.head = self.tail = at = 0
        elif at == len(self.rows):
            at = self._room(1)
        if at > self.head and self.rows.item(5 * at - 5) >= t and not self._unsorted:
            at = self._place(t, link, seq)
            self.rows[at + 1 : self.tail + 1] = self.rows[at : self.tail].copy()
        row = self.rows[at]
        row[0], row[1], row[2], row[3], row[4] = t, link, seq, port, value
        self.tail += 1

    def _place(self, t: int, link: int, seq: int) -> int:
        """Where a message belongs among the rows, which are in order."""
        times = self.rows[self.head : self.tail, T]
        at = self.head + int(np.searchsorted(times, t, side="right"))
        key = (t, link, seq)
        while at > self.head and tuple(self.rows[at - 1, :PORT].tolist()) > key:
            at -= 1
        return at

    def take(self, t1: int) -> Rows:
        """Remove and return the messages with t < t1, shape (n, 5)."""
        if self.next_time() >= t1:
            return self.rows[:0]
        waiting = self.rows[self.head : self.tail]
        if waiting.item(-1, T) < t1:
            self.head = self.tail
            return waiting.copy()
        n = int(waiting[:, T].searchsorted(t1))
        self.head += n
        return waiting[:n].copy()

    def _room(self, k: int) -> int:
        if self.head == self.tail:
            self.head = self.tail = 0
        if self.tail + k > len(self.rows):
            n = self.tail - self.head
            self.rows[:n] = self.rows[self.head : self.tail].copy()
            self.head, self.tail = 0, n
            if n + k > len(self.rows):
                when = int(self.rows[0, T]) if n else 0
                self.rows = _grown(self.rows, n + k, self.limit, f"the inbox of '{self.path}'", when)
        return self.tail

    def _note(self, at: int) -> None:
        if at > self.head and self.rows[at, T] <= self.rows[at - 1, T]:
            self._unsorted = True

    def _sort(self) -> None:
        waiting = self.rows[self.head : self.tail]
        waiting[:] = waiting[np.lexsort((waiting[:, SEQ], waiting[:, LINK], waiting[:, T]))]
        self._unsorted = False


class Outbox:
    """Messages from one engine in this window: `rows[:n]`, columns t, port, value."""

    __slots__ = ("limit", "n", "path", "rows")

    def __init__(self, path: str, limit: int = DEFAULT_LIMIT) -> None:
        self.path = path
        self.limit = limit
        self.rows: Rows = np.empty((64, 3), np.int64)
        self.n = 0

    def send(self, t: int, port: int, value: int = 0) -> None:
        """Send one message through output number `port` at `t` fs."""
        if self.n == len(self.rows):
            self.reserve(1)
        row = self.rows[self.n]
        row[0], row[1], row[2] = t, port, value
        self.n += 1

    def extend(self, messages: Sequence[tuple[int, int, int]] | Rows) -> None:
        """Send many messages, each as time in fs, output number and value."""
        k = len(messages)
        self.reserve(k)
        self.rows[self.n : self.n + k] = messages
        self.n += k

    def reserve(self, k: int) -> None:
        """Make room for `k` more messages."""
        if self.n + k > len(self.rows):
            when = int(self.rows[0, OUT_T]) if self.n else 0
            self.rows = _grown(self.rows, self.n + k, self.limit, f"the outbox of '{self.path}'", when)
