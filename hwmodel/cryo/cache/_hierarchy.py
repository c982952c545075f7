"""A hierarchy of caches without timing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt

from hwmodel.cryo.cache import _general as g
from hwmodel.cryo.cache import _kernels as plain
from hwmodel.cryo.cache import _parts as p
from hwmodel.cryo.cache import _tables as t
from hwmodel.cryo.cache._offline import run_offline
from hwmodel.cryo.cache._source import (
    FETCH,
    NO_PCS,
    Accesses,
    Bytes,
    Ints,
    Source,
    accesses_of,
    is_trace,
    to_addresses,
    to_kinds,
)
from hwmodel.cryo.cache._spec import CacheSpec, Inclusion, Paging
from hwmodel.cryo.cache._stats import LevelStats, MemoryStats, TlbStats
from hwmodel.errors import SpecError, unknown

MAX_LEVELS = 4


class Hierarchy:
    """One to four cache levels, of which the first may be split into instructions and data.

    A miss is fetched through all levels before victims are written down. A whole dirty line, or sector, that misses
    below is put there without a fetch; a part of one, as from write-through, is fetched first. Counts equal DineroIV's.

    Plain LRU caches of one line size, write-back and write-allocate, "nine" or "inclusive", run in loops of their own,
    many times faster than the rest.

    Parameters:
        levels: the data path, nearest first.
        inclusion: "nine" (levels keep what they like), "inclusive" (what a level gives up, those above give up too) or
            "exclusive" (a line is in one level; what the first gives up goes to the second).
        instruction: a first level for instruction fetches, beside the one for data.
        paging: TLBs and page walks.
        classify: tell compulsory, capacity and conflict misses apart, by a fully associative LRU shadow of each level.

    Raises:
        SpecError: levels that do not fit together.

    Example:
        >>> caches = Hierarchy([CacheSpec("4 kB", 2), CacheSpec("32 kB", 8)])
        >>> caches.run_chunk([0, 64, 0, 4096], [False, True, False, False])
        >>> caches.stats()["l1d"].read_misses, caches.stats()["l2"].read_accesses
        (2, 3)
    """

    def __init__(
        self,
        levels: Sequence[CacheSpec],
        inclusion: Inclusion = "nine",
        instruction: CacheSpec | None = None,
        paging: Paging | None = None,
        classify: bool = False,
    ) -> None:
        self.levels = tuple(levels)
        self.inclusion = inclusion
        self.instruction = instruction
        self.paging = paging
        self.classify = classify
        check(self.levels, inclusion, instruction, paging, classify)
        self.names = _names(self.levels, instruction)
        self._line = self.levels[0].line
        everything = [*self.levels, *([instruction] if instruction else [])]
        self._offline = any(spec.policy == "opt" for spec in everything)
        self._used = False
        self._offline_stats: dict[str, LevelStats] = {}
        self._offline_memory = MemoryStats()
        self._plain = (
            all(spec.is_plain and spec.line == self._line for spec in everything)
            and inclusion != "exclusive"
            and paging is None
            and not classify
        )
        numbers = [*range(len(self.levels)), *([p.INSTRUCTION] if instruction else [])]
        self._shadow, self._outbox = t.no_shadow(), np.zeros(1, dtype=np.int64)
        self._words = np.zeros(0, dtype=np.int64)
        if self._plain:
            self._words = t.plain_words(self.levels, instruction)
            self._rows = [plain.ROWS + plain.ROW * n for n in numbers]
        elif not self._offline:
            self._words = t.general_words(self.levels, instruction, inclusion, paging)
            self._rows = [p.ROWS + p.ROW * n for n in numbers]
            if classify:
                self._shadow = t.first_shadow(self._words, self._rows)

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {spec.bytes} B/{spec.ways}" for name, spec in self._specs().items())
        return f"<Hierarchy {self.inclusion}: {parts}>"

    # ------------------------------------------------------------------------------------------ running

    def run(
        self, source: Source, start: int = 0, stop: int | None = None, lines: bool = False
    ) -> dict[str, LevelStats]:
        """Serve all accesses of a source and return the statistics so far.

        Instruction fetches take part where there is an instruction cache or TLB, and the trace has them.

        Parameters:
            source: a trace (`open_trace`, `Trace.open`), an array of addresses, or a tuple (addresses, is_write).
            start, stop: instructions of a trace, or accesses of an array.
            lines: the numbers of an array are lines of the first level's size, not byte addresses.

        Raises:
            SpecError: a source that is none of these, or a second run of "opt", which knows the future of one.

        Example:
            >>> Hierarchy([CacheSpec(1024, 2)]).run(([0, 0, 64], [0, 1, 0]))["l1d"].accesses
            3
        """
        fetches = self.instruction is not None or (
            self.paging is not None and self.paging.instruction is not None
        )
        if is_trace(source):
            parts = accesses_of(source, fetches, self._line, start, stop)
        else:
            addresses, writes = source if isinstance(source, tuple) else (source, None)
            words = to_addresses(addresses, lines)
            kinds = to_kinds(writes, len(words))
            parts = iter([Accesses(words[start:stop], kinds[start:stop], NO_PCS)])
        if self._offline:
            self._run_offline(list(parts), lines)
            return self.stats()
        for part in parts:
            self._serve(part, lines)
        return self.stats()

    def run_chunk(
        self,
        addresses: npt.ArrayLike,
        is_write: npt.ArrayLike | None = None,
        pc: npt.ArrayLike | None = None,
        fetch: npt.ArrayLike | None = None,
        lines: bool = False,
    ) -> None:
        """Serve a run of accesses; all arrays have one value an access.

        Parameters:
            addresses: byte addresses, or line numbers with `lines=True`.
            is_write: which of them write; None: none.
            pc: program counters, for the stride prefetcher.
            fetch: which of them fetch instructions.

        Raises:
            SpecError: arrays that do not fit together, or policy "opt", which takes the whole stream by `run`.
        """
        if self._offline:
            raise SpecError("run_chunk: policy 'opt' needs the whole stream at once; give it to run()")
        words = to_addresses(addresses, lines)
        kinds = to_kinds(is_write, len(words))
        if fetch is not None:
            chosen = to_kinds(fetch, len(words)).view(np.bool_)
            if np.any(kinds[chosen]):
                raise SpecError("run_chunk: an access is both a write and an instruction fetch")
            kinds = np.where(chosen, np.uint8(FETCH), kinds)
        pcs = NO_PCS
        if pc is not None:
            pcs = to_addresses(pc, False)
            if len(pcs) != len(words):
                raise SpecError(f"pc: {len(pcs)} values for {len(words)} addresses")
        self._serve(Accesses(words, kinds, pcs), lines)

    def flush(self) -> None:
        """Write all dirty lines down, level after level, and leave the caches empty; DineroIV ends so.

        The writes count at the levels below, but `classify` leaves them out.
        """
        self._refuse_offline("flush")
        if self._plain:
            plain.flush(self._words, self.inclusion == "inclusive")
            return
        order = [0, *([len(self._rows) - 1] if self.instruction else []), *range(1, len(self.levels))]
        # What is written now is no access of the program: the shadows do not see it.
        places = [row + p.L_SHADOW for row in self._rows]
        kept = self._words[places]
        self._words[places] = -1
        for number in order:
            g.flush(self._words, self._shadow, self._outbox, self._rows[number])
        self._words[places] = kept

    def reset_counts(self) -> None:
        """Forget the counts so far, but not what the caches hold: a warm-up ends here."""
        self._refuse_offline("reset_counts")
        w = self._words
        if self._plain:
            for row in self._rows:
                w[row + plain.N_READS : row + plain.N_INVALIDATED + 1] = 0
            return
        for row in [*self._rows, *(p.ROWS + p.ROW * (p.TLBS + n) for n in range(3))]:
            w[row + plain.N_READS : row + p.N_FILLS + 1] = 0
        w[p.H_MEMORY_READS : p.H_MEMORY_PREFETCHES + 1] = 0
        w[p.H_WALKS : p.H_WALK_READS + 1] = 0

    def _serve(self, part: Accesses, lines: bool) -> None:
        w = self._words
        if self._plain:
            w[plain.H_SHIFT] = 0 if lines else self._line.bit_length() - 1
            inclusive = self.inclusion == "inclusive"
            if self.instruction is not None:
                plain.run_split(w, part.addresses, part.kinds, inclusive)
                return
            kinds = part.kinds & np.uint8(1) if part.kinds.max(initial=0) > 1 else part.kinds
            (plain.run_inclusive if inclusive else plain.run_nine)(w, part.addresses, kinds)
            return
        w[p.H_LEFT] = self._line.bit_length() - 1 if lines else 0
        w[p.H_HAS_PC] = len(part.pcs) > 0
        at = 0
        while True:
            at = g.run(w, self._shadow, self._outbox, *part, at)
            if at == len(part.addresses):
                return
            self._shadow = t.grown_shadow(w, self._rows, self._shadow)

    # ------------------------------------------------------------------------------------------ statistics

    def stats(self) -> dict[str, LevelStats]:
        """What each level counted, by name."""
        if self._offline:
            return dict(self._offline_stats) or {name: LevelStats() for name in self.names}
        general = not self._plain
        return {
            name: level_stats(self._words, row, general)
            for name, row in zip(self.names, self._rows, strict=True)
        }

    def tlb_stats(self) -> dict[str, TlbStats]:
        """What each TLB counted: data, instruction, second."""
        if self.paging is None or self._offline:
            return {}
        found = {}
        for n, name in enumerate(("data", "instruction", "second")):
            if getattr(self.paging, name) is not None:
                row = p.ROWS + p.ROW * (p.TLBS + n)
                found[name] = TlbStats(
                    int(self._words[row + plain.N_READS]), int(self._words[row + plain.N_READ_MISSES])
                )
        return found

    def memory_stats(self) -> MemoryStats:
        """Requests that left the last level."""
        if self._offline:
            return self._offline_memory
        if self._plain:
            stats = self.stats()
            last = stats[self.names[len(self.levels) - 1]]
            first = stats[self.names[-1]] if self.instruction and len(self.levels) == 1 else LevelStats()
            return MemoryStats(last.misses - self._write_fills(last) + first.misses, last.writebacks)
        w = self._words
        return MemoryStats(
            *(
                int(w[n])
                for n in (
                    p.H_MEMORY_READS,
                    p.H_MEMORY_WRITES,
                    p.H_MEMORY_PREFETCHES,
                    p.H_WALKS,
                    p.H_WALK_READS,
                )
            )
        )

    def _write_fills(self, last: LevelStats) -> int:
        # Below the first level a write brings its whole line along.
        return last.write_misses if len(self.levels) > 1 else 0

    # ------------------------------------------------------------------------------------------ private

    def _specs(self) -> dict[str, CacheSpec]:
        everything = [*self.levels, *([self.instruction] if self.instruction else [])]
        return dict(zip(self.names, everything, strict=True))

    def _refuse_offline(self, what: str) -> None:
        if self._offline:
            raise SpecError(f"{what}: a hierarchy with policy 'opt' makes one run() and keeps no contents")

    def _run_offline(self, parts: list[Accesses], lines: bool) -> None:
        if self._used:
            raise SpecError("run: policy 'opt' knows the future of one run; make a new Hierarchy")
        self._used = True
        addresses: Ints = np.concatenate([part.addresses for part in parts] or [NO_PCS])
        kinds: Bytes = np.concatenate([part.kinds for part in parts] or [np.zeros(0, np.uint8)]) & np.uint8(1)
        stats, self._offline_memory = run_offline(self.levels, addresses, kinds, lines)
        self._offline_stats = dict(zip(self.names, stats, strict=True))


def level_stats(w: Ints, row: int, general: bool) -> LevelStats:
    """Read the counts of a level; the first words of a row are the same in both layouts."""
    more = {
        "prefetches": p.N_PREFETCHES,
        "useful_prefetches": p.N_USEFUL,
        "useless_prefetches": p.N_USELESS,
        "prefetch_accesses": p.N_PREFETCH_READS,
        "prefetch_misses": p.N_PREFETCH_MISSES,
        "victim_hits": p.N_VICTIM_HITS,
        "compulsory": p.N_COMPULSORY,
        "capacity": p.N_CAPACITY,
        "conflict": p.N_CONFLICT,
        "sector_misses": p.N_SECTOR_MISSES,
    }
    return LevelStats(
        read_accesses=int(w[row + plain.N_READS]),
        read_misses=int(w[row + plain.N_READ_MISSES]),
        write_accesses=int(w[row + plain.N_WRITES]),
        write_misses=int(w[row + plain.N_WRITE_MISSES]),
        writebacks=int(w[row + plain.N_WRITEBACKS]),
        invalidated=int(w[row + plain.N_INVALIDATED]),
        **({name: int(w[row + at]) for name, at in more.items()} if general else {}),
    )


def check(
    levels: tuple[CacheSpec, ...],
    inclusion: str,
    instruction: CacheSpec | None,
    paging: Paging | None,
    classify: bool,
) -> None:
    """Refuse levels that do not fit together."""
    if not 1 <= len(levels) <= MAX_LEVELS:
        raise SpecError(f"Hierarchy: {len(levels)} levels; give 1 to {MAX_LEVELS}")
    if inclusion not in get_args(Inclusion):
        raise unknown("inclusion", str(inclusion), get_args(Inclusion))
    for spec in (*levels, *([instruction] if instruction else [])):
        if not isinstance(spec, CacheSpec):
            raise SpecError(f"Hierarchy: {spec!r} is no CacheSpec")
    pairs = [
        *itertools.pairwise(levels),
        *([(instruction, levels[1])] if instruction and levels[1:] else []),
    ]
    for above, below in pairs:
        if below.line < above.line or below.unit < above.unit:
            raise SpecError(
                f"Hierarchy: lines of {below.line} bytes fetched by {below.unit} lie below lines of {above.line} fetched "
                f"by {above.unit}; lines and sectors may only grow on the way down"
            )
    everything = [*levels, *([instruction] if instruction else [])]
    if inclusion == "exclusive" and any(
        spec.line != levels[0].line or spec.unit != spec.line or spec.write != "back" or not spec.allocate
        for spec in everything
    ):
        raise SpecError(
            "Hierarchy: exclusive levels have lines of one size, no sectors, write back, and allocate on writes"
        )
    if classify and (inclusion == "exclusive" or any(spec.unit != spec.line for spec in everything)):
        raise SpecError(
            "Hierarchy: classify=True knows neither exclusive levels nor sectors; leave one of them out"
        )
    if any(spec.policy == "opt" for spec in everything) and (
        inclusion != "nine"
        or instruction
        or paging
        or classify
        or any(s.line != levels[0].line for s in levels)
    ):
        raise SpecError(
            "Hierarchy: policy 'opt' works offline, level by level: with inclusion 'nine', lines of one size, and neither "
            "instruction cache, paging nor classify"
        )


def _names(levels: tuple[CacheSpec, ...], instruction: CacheSpec | None) -> tuple[str, ...]:
    usual = ["l1d" if n == 0 else f"l{n + 1}" for n in range(len(levels))]
    names = [spec.name or name for spec, name in zip(levels, usual, strict=True)]
    if instruction is not None:
        names.append(instruction.name or "l1i")
    if len(set(names)) < len(names):
        raise SpecError(f"Hierarchy: two levels have one name among {', '.join(names)}")
    return tuple(names)
