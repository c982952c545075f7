"""The run of several cores: chunks of their traces given to the compiled loop, and its figures read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hwmodel.cryo._multicore_words import LAST, PRIVATE, lay_out, level_number
from hwmodel.cryo._results import read_dram, read_level, read_time, read_timing
from hwmodel.cryo._trace_base import Chunk, TraceSource
from hwmodel.cryo.config import Machine
from hwmodel.cryo.core import _kernels as c
from hwmodel.cryo.engine import digest_of
from hwmodel.cryo.multicore import CoherenceCounts, MultiTiming
from hwmodel.cryo.ooo._kernels import close_warm
from hwmodel.cryo.owners import _kernels as o
from hwmodel.cryo.timing import TimedRun, addresses_of
from hwmodel.cryo.turns import _kernels as t
from hwmodel.cryo.words import _kernels as m
from hwmodel.errors import SpecError, TimeRangeError
from hwmodel.units import format_time

CHUNK = 1 << 15
WARM_CHUNK = 1 << 18  # of one core alone, as in `simulate`
WARM_TURN = 1 << 10


def ranking(sources: Sequence[TraceSource], machines: Sequence[Machine], spaces: Sequence[int]) -> list[int]:
    """Return the order in which the cores are laid out, whatever the order in which they were named."""
    marks = [(repr(machine), digest_of(trace)) for machine, trace in zip(machines, sources, strict=True)]
    groups = [
        sorted(mark for mark, space in zip(marks, spaces, strict=True) if space == own) for own in spaces
    ]
    return sorted(range(len(marks)), key=lambda n: (groups[n], spaces.index(spaces[n]), marks[n]))


class CoresRun:
    """The cores with their state, for `simulate_cores`."""

    def __init__(
        self,
        machines: Sequence[Machine],
        sources: Sequence[TraceSource],
        spaces: Sequence[int],
        protocol: str,
        quantum: int,
    ) -> None:
        self.machines, self.sources = list(machines), list(sources)
        self.layout = lay_out(machines, spaces, protocol)
        self.quantum = quantum
        count = len(self.machines)
        self._runs = [TimedRun(machine) for machine in machines]
        self._loop = np.zeros(t.T_ROW + t.T_WORDS * count, np.int64)
        self._loop[t.T_CORES] = count
        self._rows = self._loop[t.T_ROW :].reshape(count, t.T_WORDS)
        for number, (machine, run) in enumerate(zip(self.machines, self._runs, strict=True)):
            run.words = self.layout.core(number)
            row = self._rows[number]
            row[t.T_WHERE] = self.layout.cores[number]
            row[t.T_INORDER] = machine.core.kind == "inorder"
            row[t.T_LEVEL] = level_number(number, count, "l1d")
            row[t.T_COUNTS] = list(machine.levels).index(LAST)
        self._tables: list[object] = [None] * count  # the tables that lie in a core's part of the program
        self._room = [0] * count  # words of each part
        self._program = np.zeros(0, np.int64)
        self._first = [0] * count  # first instruction of each core's chunk

    def warm(self, first: int, stop: int) -> None:
        """Show instructions to caches, pages and predictors without timing; the timed window begins behind them."""
        if stop <= first:
            return
        alone = len(self.machines) == 1
        chunks = [
            source.chunks(WARM_CHUNK if alone else CHUNK, start=first, stop=stop) for source in self.sources
        ]
        waiting = set(range(len(chunks)))
        turn = WARM_CHUNK if alone else WARM_TURN
        while waiting:
            for core in sorted(waiting):
                row = self._rows[core]
                if row[t.T_AT] >= row[t.T_LENGTH] and not self._load(core, chunks[core], timed=False):
                    waiting.discard(core)
                elif not t.warm_core(self.layout.words, self._loop, self._program, core, turn):
                    raise self._too_many_pages(core)
        self._start_window()

    def run(self, first: int, stop: int | None, progress: Callable[[int, int], None] | None) -> None:
        """Run all cores from an instruction on, to one or to the ends of their traces."""
        chunks = [source.chunks(CHUNK, start=first, stop=stop) for source in self.sources]
        self._rows[:, t.T_TIME] = 0
        self._rows[:, t.T_AT] = self._rows[:, t.T_LENGTH] = 0
        totals = [int(source.meta.get("instructions") or 0) for source in self.sources]
        total = (
            sum(max(0, min(n, stop if stop is not None else n) - first) for n in totals) if all(totals) else 0
        )
        done = 0
        while True:
            core = t.run_cores(self.layout.words, self._loop, self._program, self.quantum)
            if core == t.NO_CORE:
                return
            if core <= t.PAGES_RAN_OUT:
                raise self._too_many_pages(t.PAGES_RAN_OUT - core)
            done += int(self._rows[core, t.T_LENGTH])
            self._check_time(core)
            if not self._load(core, chunks[core], timed=True):
                self._rows[core, t.T_TIME] = t.NEVER
                self._rows[core, t.T_LENGTH] = 0
            if progress is not None:
                progress(done, total)

    def result(self) -> MultiTiming:
        """Return the figures of what has run so far."""
        shared = self.layout.shared()
        timings, counts = [], []
        at = shared[m.H_COHERENCE] + o.X_CORE
        for number, machine in enumerate(self.machines):
            w = self.layout.core(number)
            for row, name in enumerate(machine.levels):
                if name in PRIVATE:
                    k = level_number(number, len(self.machines), name)
                    for part, width in ((m.COUNT, 16), (m.HISTOGRAM, 64)):
                        w[part + width * row : part + width * (row + 1)] = shared[
                            part + width * k : part + width * (k + 1)
                        ]
            timings.append(read_timing(machine, w, self._runs[number].origin))
            row = at + o.CORE_WORDS * number
            counts.append(CoherenceCounts(*map(int, shared[row : row + 6])))
        time = max(timing.time for timing in timings)
        last = read_level(self.machines[0], shared, self.layout.level, LAST, time)
        return MultiTiming(tuple(timings), tuple(counts), {LAST: last}, read_dram(shared, time))

    # What follows is private.

    def _load(self, core: int, chunks: Iterator[Chunk], timed: bool) -> bool:
        """Give a core its next chunk; False at the end of its trace."""
        chunk = next(chunks, None)
        if chunk is None:
            return False
        tables = self._runs[core].tables(chunk)
        w = self.layout.core(core)
        if timed and len(chunk) and w[c.NOW + c.S_WARM]:
            close_warm(w, int(tables[0][chunk.indices[0]]))
        ids, addresses = chunk.ids.astype(np.int64), addresses_of(chunk)
        size = sum(table.size for table in tables)
        self._make_room(core, size + len(ids) + len(addresses))
        row = self._rows[core]
        begin = int(row[t.T_PROGRAM])
        if self._tables[core] is not tables:
            self._program[begin : begin + size] = np.concatenate([table.ravel() for table in tables])
            self._tables[core] = tables
            row[t.T_ROWS] = len(tables[0])
            row[t.T_FACTS : t.T_FACTS + 3] = [table.shape[1] for table in tables[1:]]
        row[t.T_IDS] = begin + size
        row[t.T_LENGTH] = len(ids)
        row[t.T_ADDRESSES] = begin + size + len(ids)
        row[t.T_END] = row[t.T_ADDRESSES] + len(addresses)
        row[t.T_AT] = row[t.T_USED] = 0
        self._program[row[t.T_IDS] : row[t.T_ADDRESSES]] = ids
        self._program[row[t.T_ADDRESSES] : row[t.T_END]] = addresses
        self._first[core] = chunk.first
        return True

    def _make_room(self, core: int, size: int) -> None:
        """See that a core's part of the program takes so many words; the parts behind it move."""
        if size <= self._room[core]:
            return
        old, begins = self._program, self._rows[:, t.T_PROGRAM].copy()
        rooms = list(self._room)
        rooms[core] = size + size // 2
        self._program = np.zeros(sum(rooms), np.int64)
        begin = 0
        for number, room in enumerate(rooms):
            kept = self._room[number]
            self._program[begin : begin + kept] = old[begins[number] : begins[number] + kept]
            for column in (t.T_PROGRAM, t.T_IDS, t.T_ADDRESSES, t.T_END):
                self._rows[number, column] += begin - begins[number]
            begin += room
        self._room = rooms

    def _start_window(self) -> None:
        """Forget the counts so far, but not what caches and predictors hold."""
        for run in self._runs:
            run.start_window()
        shared = self.layout.shared()
        shared[m.COUNT : m.MSHR] = 0
        shared[m.DRAMS : m.DRAMS + m.M_WRITES_WAITING] = 0
        at = int(shared[m.H_COHERENCE])
        shared[at + o.X_CORE : at + o.X_HINTS] = 0
        shared[at + o.X_LAST : at + o.X_LAST + 16] = 0
        shared[at + o.X_LAST + 16 : at + o.X_CORE] = shared[m.DRAMS : m.CHANNEL]

    def _check_time(self, core: int) -> None:
        """Refuse to run on beyond the time that a core's clocks can tell exactly."""
        time, horizon = read_time(self.machines[core], self.layout.core(core)), self._runs[core].horizon
        if time > horizon:
            raise TimeRangeError(
                f"core {core}: after instruction {self._first[core]} the run stands at {format_time(time)}, and the clocks"
                f" of this machine can be told exactly only to {format_time(horizon)}; give frequencies with fewer digits"
            )

    def _too_many_pages(self, core: int) -> SpecError:
        pages = int(self.layout.shared()[m.PAGE + m.PAGE_MASK] + 1) // 2
        return SpecError(
            f"the traces touch more pages than the model keeps ({pages} of 4 KiB) near instruction"
            f" {self._first[core]} of core {core}; set first_touch=False, which needs no page table"
        )
