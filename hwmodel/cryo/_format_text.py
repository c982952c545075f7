"""Traces in text: Dinero, Valgrind lackey, Pin's pinatrace, and Ramulator's three kinds.

Sources: DineroIV (classic and extended din), valgrind --tool=lackey --trace-mem=yes, Pin's example pinatrace,
Ramulator 1 and 2. A line is taken apart by a compiled kernel; what the formats do not say (registers, operations,
branches) stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._format_base import Batch, Reader, new_rows
from hwmodel.cryo._format_bytes import Feed
from hwmodel.cryo._statics import ACCESS_ONLY, STATIC_DTYPE
from hwmodel.cryo._trace_base import Op
from hwmodel.errors import TraceFileError

__all__ = [
    "DinReader",
    "LackeyReader",
    "PinatraceReader",
    "RamulatorCpuReader",
    "RamulatorLoadStoreReader",
    "RamulatorReader",
]

SHORTEST_LINE = 4  # "0 0" and its end
PIECE = 1 << 20  # instructions of one batch of bubbles
MAX_BUBBLES = 1 << 32


@dataclass(frozen=True)
class Events:
    """Accesses and instructions in the order of the file."""

    kinds: npt.NDArray[np.uint8]
    addresses: npt.NDArray[np.uint64]
    more: npt.NDArray[np.uint64]

    def between(self, first: int, last: int) -> Events:
        """Those from number `first` on and before number `last`."""
        return Events(self.kinds[first:last], self.addresses[first:last], self.more[first:last])

    def kept(self, first: int) -> Events:
        """A copy of those from number `first` on, which does not hold on to the rest."""
        return Events(self.kinds[first:].copy(), self.addresses[first:].copy(), self.more[first:].copy())

    def then(self, other: Events) -> Events:
        """These and then others."""
        if not len(self.kinds):
            return other
        return Events(
            np.concatenate([self.kinds, other.kinds]),
            np.concatenate([self.addresses, other.addresses]),
            np.concatenate([self.more, other.more]),
        )

    def parts(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """The three columns."""
        return self.kinds, self.addresses, self.more


def no_events(count: int = 0) -> Events:
    """Room for events."""
    return Events(np.empty(count, np.uint8), np.empty(count, np.uint64), np.empty(count, np.uint64))


def accesses(events: Events, pcs: npt.NDArray[np.uint64] | int = 0, sizes: Any = 0) -> Batch:
    """Events as accesses whose instructions are not known."""
    records = np.zeros(len(events.kinds), STATIC_DTYPE)
    store = events.kinds == 1
    records["pc"], records["flags"] = pcs, ACCESS_ONLY
    records["stores"], records["loads"] = store, ~store
    records["load_size"], records["store_size"] = np.where(store, 0, sizes), np.where(store, sizes, 0)
    return Batch(records, np.zeros(len(records), np.uint8), events.addresses)


class Assembler:
    """Joins instructions with the accesses behind them, over the borders of blocks."""

    def __init__(self) -> None:
        self._held = no_events()

    def batch(self, events: Events, final: bool, info: npt.NDArray[np.int64]) -> Batch:
        """The instructions that are complete."""
        from hwmodel.cryo import _kernels

        joined = self._held.then(events)
        count = 2 * len(joined.kinds)
        rows, taken, operands = new_rows(count), np.empty(count, np.uint8), np.empty(count, np.uint64)
        used, records, filled = _kernels.assemble(*joined.parts(), final, rows, taken, operands, info)
        self._held = joined.kept(used)
        return Batch.of_rows(rows[:records], taken[:records], operands[:filled])


class TextReader(Reader):
    """A trace of one access or instruction a line."""

    grammar: ClassVar[int]
    wanted: ClassVar[str]

    def _events(self, info: npt.NDArray[np.int64]) -> Iterator[tuple[Events, bool]]:
        """Events, block by block, and whether they are the last."""
        from hwmodel.cryo import _kernels

        lines = 0
        with Feed(self.path) as feed:
            while feed.fill():
                block = np.ascontiguousarray(feed.data)
                room = no_events(2 * (len(block) // SHORTEST_LINE + 1))
                count, used, passed, bad = _kernels.parse_lines(
                    self.grammar, block, feed.final, *room.parts(), info
                )
                yield room.between(0, count), feed.final and not bad
                lines += passed
                if bad:
                    raise self._line(feed, used, lines + 1)
                feed.drop(used)
                if feed.final:
                    return
        yield no_events(), True

    def _line(self, feed: Feed, place: int, number: int) -> TraceFileError:
        rest = feed.data[place : place + 80].tobytes()
        line = rest.split(b"\n")[0]
        if feed.final and b"\n" not in feed.data[place:].tobytes():
            return TraceFileError(
                f"'{self.path}' is truncated, read as {self.name}: line {number} (byte {feed.offset + place}) ends as "
                f"{line!r} where {self.wanted} is wanted; fetch or make it again"
            )
        return self._bad("line", number, feed.offset + place, f"{line!r} where {self.wanted} is wanted")

    def _assembled(self) -> Iterator[Batch]:
        info = np.zeros(9, np.int64)
        assembler = Assembler()
        for events, final in self._events(info):
            batch = assembler.batch(events, final, info)
            if len(batch.records):
                if not self.meta["has_pc"]:
                    self.meta["has_pc"] = bool((batch.records["flags"] != ACCESS_ONLY).any())
                yield batch
        self.meta["ignored_records"] = int(info[0])
        self.meta["mixed_sizes"] = int(info[2])


class DinReader(TextReader):
    """Dinero: label and address, or letter, address and size."""

    name = "din"
    grammar = 0
    wanted = "'0|1|2|3|4 ADDRESS' or 'r|w|i|m|c|v ADDRESS SIZE' in hexadecimal"

    def _batches(self) -> Iterator[Batch]:
        self.meta["notes"] = "labels 3 and 4 and the letters c and v are left out; m is a load"
        return self._assembled()


class LackeyReader(TextReader):
    """Valgrind lackey, --trace-mem=yes."""

    name = "lackey"
    grammar = 1
    wanted = "'I|L|S|M ADDRESS,SIZE'"
    remedy = "the program's own output must not be in the file, use valgrind's --log-file"

    def _batches(self) -> Iterator[Batch]:
        self.meta["notes"] = "M is a load and a store of one instruction"
        return self._assembled()


class PinatraceReader(TextReader):
    """Pin's pinatrace: address of the instruction, R or W, address."""

    name = "pinatrace"
    grammar = 2
    has = ("pc",)
    wanted = "'PC: R|W ADDRESS'"

    def _batches(self) -> Iterator[Batch]:
        info = np.zeros(9, np.int64)
        for events, _ in self._events(info):
            if len(events.kinds):
                yield accesses(events, events.more)
        if not info[1]:
            raise TraceFileError(
                f"'{self.path}' is truncated, read as {self.name}: its last line is not '#eof'; make it again, or add "
                "that line if it was cut on purpose"
            )


class RamulatorReader(TextReader):
    """Ramulator, memory trace: address, R or W."""

    name = "ramulator"
    grammar = 3
    wanted = "'ADDRESS R|W', the address in hexadecimal"

    def _batches(self) -> Iterator[Batch]:
        for events, _ in self._events(np.zeros(9, np.int64)):
            if len(events.kinds):
                yield accesses(events)


class RamulatorLoadStoreReader(RamulatorReader):
    """Ramulator 2, load-store trace: LD or ST, address."""

    name = "ramulator-ls"
    grammar = 4
    wanted = "'LD|ST ADDRESS', the address as 0x... or decimal"


class RamulatorCpuReader(TextReader):
    """Ramulator, processor trace: instructions without an access, a load, and perhaps a store."""

    name = "ramulator-cpu"
    grammar = 5
    wanted = "'BUBBLES LOAD [STORE]', in decimal"

    def _batches(self) -> Iterator[Batch]:
        self.meta["notes"] = "bubbles are instructions without address and registers"
        for events, _ in self._events(np.zeros(9, np.int64)):
            begin = 0
            while begin < len(events.kinds):
                begin = yield from self._expanded(events, begin)

    def _expanded(self, events: Events, begin: int) -> Any:
        """A batch of about PIECE instructions from event `begin` on; returns where the next one begins."""
        bubbles = events.more[begin:]
        if bubbles[0] > PIECE:
            if bubbles[0] > MAX_BUBBLES:
                raise TraceFileError(
                    f"'{self.path}', read as {self.name}: {bubbles[0]} bubbles in one line, where at most {MAX_BUBBLES} "
                    "can be meant; is it of another format?"
                )
            for left in range(int(bubbles[0]), 0, -PIECE):
                yield self._bubbles(np.array([min(left, PIECE)]), no_events())
            bubbles[0] = 0
        totals = np.cumsum(np.minimum(bubbles, np.uint64(2 * PIECE)) + np.uint64(1))
        count = max(1, int(np.searchsorted(totals, 2 * PIECE)))
        piece = events.between(begin, begin + count)
        yield self._bubbles(piece.more.astype(np.int64), piece)
        return begin + count

    @staticmethod
    def _bubbles(counts: npt.NDArray[np.int64], events: Events) -> Batch:
        records = np.zeros(int(counts.sum()) + len(events.kinds), STATIC_DTYPE)
        records["op"] = Op.INT
        batch = accesses(events)
        if len(batch.records):
            places = np.cumsum(counts + 1) - 1
            records[places] = batch.records
        return Batch(records, np.zeros(len(records), np.uint8), batch.addresses)
