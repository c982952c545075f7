"""Run a trace through a machine: cycles, CPI stack, misses, bandwidth and latencies.

Importing this module loads no numba; the kernels are compiled, or taken from their cache, when a run begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._columns import ADDRESS
from hwmodel.cryo._trace_base import Chunk, TraceSource
from hwmodel.cryo.config import Machine
from hwmodel.cryo.trace import Trace
from hwmodel.errors import SpecError, TimeRangeError
from hwmodel.units import format_time

if TYPE_CHECKING:
    from hwmodel.cryo._build import Words

__all__ = ["CPI_PARTS", "LevelResult", "TimedRun", "Timing", "simulate"]

CPI_PARTS = (
    "base",
    "fetch",
    "branch",
    "dependence",
    "unit",
    "l1",
    "l2",
    "l3",
    "dram",
    "memory_order",
    "queue",
    "serial",
)
"""Parts of the CPI stack, in the order of the kernels' columns."""

CHUNK = 1 << 18
# An instruction that takes long: so many cycles of the slowest clock, and 10 us.
LONG_CYCLES, LONG_TIME = 1000, 10**10
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LevelResult:
    """What one cache level saw in the timed window.

    Misses include those on a line that was already on its way (`merged`), as gem5 counts them. Times are
    femtoseconds, `bandwidth` is in bytes a second: accesses of the level above, one line or word each as stated.
    """

    read_accesses: int
    read_misses: int
    write_accesses: int
    write_misses: int
    writebacks: int
    merged: int
    prefetches: int
    prefetches_from_above: int
    prefetch_misses: int
    useful_prefetches: int
    blocked: int
    port_wait: int
    mean_read_latency: float
    bandwidth: float
    latency_histogram: tuple[int, ...] = field(repr=False)

    @property
    def accesses(self) -> int:
        """Reads, writes and prefetches of the level above."""
        return self.read_accesses + self.write_accesses + self.prefetches_from_above

    @property
    def misses(self) -> int:
        """Misses of all of them."""
        return self.read_misses + self.write_misses + self.prefetch_misses


@dataclass(frozen=True)
class Timing:
    """The outcome of one run.

    `cpi_stack` is in cycles of the core's clock and sums to `cycles`; `time` is in femtoseconds. `translation` has a
    table for each TLB and one for the walks, if the machine translates addresses.

    Example:
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> from hwmodel.cryo.trace import Trace
        >>> simulate("triad.hwt", cryo_ooo()).ipc  # doctest: +SKIP
        2.42
    """

    instructions: int
    cycles: int
    time: int
    cpi_stack: dict[str, int]
    levels: dict[str, LevelResult]
    branches: int
    mispredicted: int
    forwarded: int
    order_violations: int
    fetch_lines: int
    dram: dict[str, float]
    translation: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def ipc(self) -> float:
        """Instructions a cycle."""
        return self.instructions / self.cycles if self.cycles else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a JSON file: one table a level, and the figures of the whole run."""
        levels = {
            name: {
                **{key: getattr(level, key) for key in LevelResult.__dataclass_fields__},
                "latency_histogram": list(level.latency_histogram),
            }
            for name, level in self.levels.items()
        }
        return {
            **levels,
            "instructions": self.instructions,
            "cycles": self.cycles,
            "ipc": self.ipc,
            "time_fs": self.time,
            "cpi_stack": self.cpi_stack,
            "branches": self.branches,
            "mispredicted": self.mispredicted,
            "forwarded": self.forwarded,
            "order_violations": self.order_violations,
            "fetch_lines": self.fetch_lines,
            "dram": self.dram,
            **({"translation": self.translation} if self.translation else {}),
        }

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {n / max(1, self.cycles):.0%}" for name, n in self.cpi_stack.items() if n)
        return (
            f"{self.instructions} instructions in {self.cycles} cycles ({format_time(self.time)}), IPC {self.ipc:.3f}"
            f"; {parts}"
        )


class TimedRun:
    """A machine with its state, to which a trace is shown chunk by chunk.

    Example:
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> from hwmodel.cryo.trace import Trace
        >>> run = TimedRun(cryo_ooo())
        >>> run.result().instructions
        0
    """

    def __init__(self, machine: Machine) -> None:
        from hwmodel.cryo._build import build

        if not isinstance(machine, Machine):
            raise SpecError(f"machine={machine!r} is no Machine; give one, such as cryo_ooo()")
        self.machine = machine
        self._names = list(machine.levels)
        clocks = [
            machine.core.clock,
            *(part for c in machine.levels.values() for part in (c.clock, c.bus.clock)),
        ]
        periods = [Fraction(10**15) / clock.hz for clock in clocks]
        # The kernels multiply times by `den` and cycles by `num` in 64 bits. Half of that range is left for what one
        # chunk may add.
        self.horizon = min((2**62) // max(p.denominator, p.numerator // max(1, int(p))) for p in periods)
        if self.horizon < 1 or max(p.numerator for p in periods) >= 2**62:
            raise TimeRangeError(
                "the clocks of this machine cannot be told exactly; give frequencies with fewer digits"
            )
        self.words: Words = build(machine)
        self._origin = (0, 0)
        # So that one part of a chunk cannot pass the other half: no instruction takes so long on the mean.
        longest = LONG_CYCLES * int(max(periods)) + LONG_TIME
        self._pace = max(1, min(CHUNK, self.horizon // longest))
        self._statics: Any = None
        self._columns: tuple[Ints, Ints, Ints, Ints] | None = None

    def tables(self, chunk: Chunk) -> tuple[Ints, Ints, Ints, Ints]:
        """Return what the kernels need of a chunk's static instructions: pcs, facts, sources, destinations."""
        if self._columns is None or chunk.statics is not self._statics:
            from hwmodel.cryo._columns import columns_of, registers_of
            from hwmodel.cryo.core import _kernels as c

            core = self.machine.core
            self._columns = columns_of(chunk.statics, core)
            if core.kind == "ooo" and core.unified_regs:
                # One of the registers holds the committed value of each that the program names.
                free = max(8, core.int_regs - registers_of(chunk.statics))
                self.words[c.CORE + c.C_INT_REGS] = free
            self._statics = chunk.statics
        return self._columns

    def warm(self, chunk: Chunk) -> None:
        """Show a chunk to caches, pages and branch predictor without timing."""
        from hwmodel.cryo.ooo import _kernels as kernels

        pcs, facts, _, _ = self.tables(chunk)
        data, fetch = self._names.index("l1d"), self._names.index("l1i")
        used = kernels.warm(
            self.words, pcs, facts, chunk.ids.astype(np.int64), addresses_of(chunk), data, fetch
        )
        self._check(used, chunk.first)

    def run(self, chunk: Chunk) -> None:
        """Run a chunk; its cycles follow those of the chunks before it."""
        from hwmodel.cryo.core import _kernels as c
        from hwmodel.cryo.ooo._kernels import close_warm

        kernel: Callable[..., int]
        if self.machine.core.kind == "ooo":
            from hwmodel.cryo.ooo._kernels import run_ooo

            kernel = run_ooo
        else:
            from hwmodel.cryo.inorder._kernels import run_inorder

            kernel = run_inorder
        data, fetch = self._names.index("l1d"), self._names.index("l1i")
        tables = self.tables(chunk)
        ids, addresses = chunk.ids.astype(np.int64), addresses_of(chunk)
        if len(ids) and self.words[c.NOW + c.S_WARM]:
            close_warm(self.words, int(tables[0][chunk.indices[0]]))
        done = 0
        for first in range(0, len(ids), self._pace):
            part = ids[first : first + self._pace]
            used = kernel(self.words, *tables, part, addresses[done:], data, fetch)
            self._check(used, chunk.first + first)
            done += used

    def _check(self, used: int, first: int) -> None:
        if used < 0:
            raise SpecError(
                f"the trace touches more pages than the model keeps ({self._pages()} of 4 KiB) near instruction"
                f" {first}; set first_touch=False, which needs no page table"
            )

        time = self._now()
        if time > self.horizon:
            raise TimeRangeError(
                f"after instruction {first} the run stands at {format_time(time)}, and the clocks of this machine"
                f" can be told exactly only to {format_time(self.horizon)}; give frequencies with fewer digits"
            )

    def _now(self) -> int:
        """Time of the last commit."""
        from hwmodel.cryo._results import read_time

        return read_time(self.machine, self.words)

    def _pages(self) -> int:
        from hwmodel.cryo._build import PAGES

        return PAGES // 2

    def start_window(self) -> None:
        """Forget the counts so far, but not what caches and predictor hold: the timed window begins here."""
        from hwmodel.cryo._results import forget_core
        from hwmodel.cryo.branch import _kernels as b
        from hwmodel.cryo.words import _kernels as m

        self.words[m.COUNT : m.MSHR] = 0
        self.words[m.DRAMS : m.DRAMS + m.M_WRITES_WAITING] = 0
        self.words[b.SEEN + b.H_LOOKUPS : b.SEEN + b.H_COLUMNS] = 0
        for row in range(m.TLB, m.WALK, 16):
            self.words[row + m.T_ACCESSES : row + m.T_COLUMNS] = 0
        self.words[m.WALK + m.K_WALKS : m.WALK + m.K_TIME + 1] = 0
        self._origin = forget_core(self.machine, self.words)

    @property
    def origin(self) -> tuple[int, int]:
        """Instructions and cycles before the timed window."""
        return self._origin

    def result(self) -> Timing:
        """Return the figures of what has run so far."""
        from hwmodel.cryo._results import read_timing

        return read_timing(self.machine, self.words, self._origin)


def addresses_of(chunk: Chunk) -> Ints:
    """Return a chunk's addresses as signed numbers, without the bits that say nothing (see `ADDRESS`)."""
    return (chunk.addresses & np.uint64(ADDRESS)).astype(np.int64)


def simulate(
    source: TraceSource | str,
    machine: Machine,
    *,
    warmup: int = 0,
    start: int = 0,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Timing:
    """Run a trace through a machine and return its timing.

    Parameters:
        source: an open trace, or the path of one.
        machine: core, caches and memory.
        warmup: instructions that are shown to caches and predictor before the timed window.
        start: first instruction.
        limit: most instructions that are timed; None for all.
        progress: called with (instructions done, instructions in all) after each chunk; the latter is 0 where the
            source does not know it.

    Raises:
        TraceFileError: a damaged trace.
        SpecError: a window that cannot be, or more pages than the model keeps.

    A trace of accesses only has no program counters: all its instructions come from one line, and its cycles say little
    about a core.
    """
    if isinstance(source, str):
        from hwmodel.cryo.trace_formats import open_trace

        opened = open_trace(source)
        try:
            return simulate(opened, machine, warmup=warmup, start=start, limit=limit, progress=progress)
        finally:
            if isinstance(opened, Trace):
                opened.close()
    for name, value in (("warmup", warmup), ("start", start), ("limit", limit)):
        if value is None and name == "limit":
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise SpecError(f"simulate({name}={value!r}): give a whole number, 0 or more")
    run = TimedRun(machine)
    first = start + warmup
    stop = None if limit is None else first + limit
    total = int(source.meta.get("instructions") or 0)
    total = total if stop is None else min(total, stop)
    if warmup:
        for chunk in source.chunks(CHUNK, start=start, stop=first):
            run.warm(chunk)
            if progress is not None:
                progress(chunk.first + len(chunk), total)
        run.start_window()
    for chunk in source.chunks(CHUNK, start=first, stop=stop):
        run.run(chunk)
        if progress is not None:
            progress(chunk.first + len(chunk), total)
    return run.result()
