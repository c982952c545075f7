"""Several cores with private caches before a shared last level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from hwmodel.cryo.cache import _coherent as c
from hwmodel.cryo.cache import _kernels as plain
from hwmodel.cryo.cache._interleave import interleave
from hwmodel.cryo.cache._source import Bytes, Ints, Source, to_addresses, to_kinds
from hwmodel.cryo.cache._spec import CacheSpec
from hwmodel.cryo.cache._stats import LevelStats, MemoryStats
from hwmodel.errors import SpecError, unknown

Protocol = Literal["mesi", "moesi"]
Organisation = Literal["directory", "snoop"]

MAX_CORES = 64
STATES = ("I", "S", "E", "M", "O")


@dataclass(frozen=True)
class CoherenceStats:
    """What keeping the private caches coherent took, in all.

    Parameters:
        upgrades: writes to a line held in state S or O, which asked for the right to write.
        invalidations: lines that a core lost to another one's write.
        interventions: lines that a private cache gave to another: the one that had it in state M, O or E.
        writebacks: dirty lines that private caches wrote to the shared level, by eviction, by loss of state M to a read
            (MESI), or because the inclusive shared level gave them up; whichever private level was written last, each is one.
        back_invalidations: lines lost because the inclusive shared level gave them up.
        probes: private caches asked: all others each time (snoop), or only those that hold the line (directory).

    Example:
        >>> CoherenceStats(upgrades=1).upgrades
        1
    """

    upgrades: int = 0
    invalidations: int = 0
    interventions: int = 0
    writebacks: int = 0
    back_invalidations: int = 0
    probes: int = 0


class CoherentCaches:
    """Cores with one or two private levels each, and a shared last level; all LRU, write-back, of one line size.

    A read miss takes the line from the core that has it in state M, O or E, else from the shared level. A core that
    reads a line no other holds gets it in state E, and may write it without asking. Under MESI a line in state M that
    another core reads is written to the shared level; under MOESI its owner keeps it in state O. Of two private levels
    the outer one holds all lines of the inner one.

    Parameters:
        cores: 1 to 64.
        private: specifications of the private levels, nearest first, one or two.
        shared: the last level.
        protocol: "mesi" or "moesi".
        organisation: "directory" (full map, exact) or "snoop"; contents are the same, the probes differ.
        inclusion: of the shared level: "nine" or "inclusive".

    Raises:
        SpecError: levels that do not fit together.

    Example:
        >>> caches = CoherentCaches(2, [CacheSpec(1024, 2)], CacheSpec(4096, 4))
        >>> caches.run_chunk(cores=[0, 1, 0], addresses=[0, 0, 0], is_write=[1, 0, 1])
        >>> caches.coherence_stats().interventions, caches.coherence_stats().upgrades
        (1, 1)
    """

    def __init__(
        self,
        cores: int,
        private: Sequence[CacheSpec],
        shared: CacheSpec,
        protocol: Protocol = "mesi",
        organisation: Organisation = "directory",
        inclusion: Literal["nine", "inclusive"] = "nine",
    ) -> None:
        self.cores, self.private, self.shared = cores, tuple(private), shared
        self.protocol, self.organisation, self.inclusion = protocol, organisation, inclusion
        self._check()
        self._words = self._layout()

    def _check(self) -> None:
        if (
            isinstance(self.cores, bool)
            or not isinstance(self.cores, int)
            or not 1 <= self.cores <= MAX_CORES
        ):
            raise SpecError(f"CoherentCaches: {self.cores!r} cores; give 1 to {MAX_CORES}")
        if not 1 <= len(self.private) <= 2:
            raise SpecError(f"CoherentCaches: {len(self.private)} private levels; give one or two")
        for kind, name, known in (
            ("protocol", self.protocol, get_args(Protocol)),
            ("organisation", self.organisation, get_args(Organisation)),
            ("inclusion", self.inclusion, ("nine", "inclusive")),
        ):
            if name not in known:
                raise unknown(kind, str(name), known)
        for spec in (*self.private, self.shared):
            if not spec.is_plain or spec.line != self.shared.line:
                raise SpecError(
                    "CoherentCaches: every level is LRU, write-back and write-allocate, of one line size, with neither "
                    f"sectors, victim lines nor prefetcher; this one is not: {spec}"
                )

    def _layout(self) -> Ints:
        inner = len(self.private) == 2
        rows = {c.SHARED: self.shared}
        for core in range(self.cores):
            rows[c.CORES + 2 * c.ROW * core] = self.private[-1]
            if inner:
                rows[c.CORES + 2 * c.ROW * core + c.ROW] = self.private[0]
        at = c.CORES + 2 * c.ROW * self.cores
        w = np.full(at + sum(spec.sets * spec.ways for spec in rows.values()), -1, dtype=np.int64)
        w[:at] = 0
        for row, spec in rows.items():
            w[row + plain.L_BASE], w[row + plain.L_MASK], w[row + plain.L_WAYS] = at, spec.sets - 1, spec.ways
            at += spec.sets * spec.ways
        w[c.C_CORES], w[c.C_MASK], w[c.C_INNER] = self.cores, (1 << 60) - 1, inner
        w[c.C_OWNED], w[c.C_SNOOP] = self.protocol == "moesi", self.organisation == "snoop"
        w[c.C_INCLUSIVE] = self.inclusion == "inclusive"
        return w

    def run(self, sources: Sequence[Source], quantum: int = 1, lines: bool = False) -> dict[str, LevelStats]:
        """Serve one source a core, in turns of `quantum` accesses, and return the statistics so far.

        Parameters:
            sources: one a core: traces, arrays of addresses, or tuples (addresses, is_write). A core whose source has
                ended rests.
            quantum: accesses of a turn.
            lines: the numbers of arrays are lines, not byte addresses.

        Raises:
            SpecError: another number of sources than of cores, or a quantum below 1.
        """
        if len(sources) != self.cores:
            raise SpecError(f"run: {len(sources)} sources for {self.cores} cores; give one a core")
        if quantum < 1:
            raise SpecError(f"run: quantum={quantum}; give at least 1")
        for addresses, kinds, cores in interleave(sources, quantum, self.shared.line, lines):
            self._serve(addresses, kinds, cores, lines)
        return self.stats()

    def run_chunk(
        self,
        cores: npt.ArrayLike,
        addresses: npt.ArrayLike,
        is_write: npt.ArrayLike | None = None,
        lines: bool = False,
    ) -> None:
        """Serve accesses of all cores in the order given; all arrays have one value an access.

        Raises:
            SpecError: arrays that do not fit together, or a core that does not exist.
        """
        words = to_addresses(addresses, lines)
        numbers = np.asarray(cores)
        if numbers.shape != words.shape:
            raise SpecError(
                f"cores: shape {numbers.shape} for {len(words)} addresses; give one value an address"
            )
        if numbers.size and (
            numbers.dtype.kind not in "iu" or int(numbers.min()) < 0 or int(numbers.max()) >= self.cores
        ):
            raise SpecError(f"cores: give whole numbers from 0 to {self.cores - 1}")
        self._serve(words, to_kinds(is_write, len(words)), numbers.astype(np.uint8), lines)

    def _serve(self, addresses: Ints, kinds: Bytes, cores: Bytes, lines: bool) -> None:
        self._words[c.C_SHIFT] = 0 if lines else self.shared.line.bit_length() - 1
        c.run(self._words, addresses, kinds, cores)

    def stats(self) -> dict[str, LevelStats]:
        """What each level counted, by name: core0.l1d, core0.l2 (with two private levels), ..., shared."""
        found = {}
        for core in range(self.cores):
            row = c.CORES + 2 * c.ROW * core
            if len(self.private) == 2:
                found[f"core{core}.l1d"] = self._level(row + c.ROW)
                found[f"core{core}.l2"] = self._level(row)
            else:
                found[f"core{core}.l1d"] = self._level(row)
        return {**found, "shared": self._level(c.SHARED)}

    def coherence_stats(self) -> CoherenceStats:
        """What coherence took."""
        w = self._words
        rows = c.CORES + 2 * c.ROW * np.arange(self.cores)
        return CoherenceStats(
            upgrades=int(w[rows + c.N_UPGRADES].sum()),
            invalidations=int(w[rows + c.N_LOST].sum()),
            interventions=int(w[rows + c.N_SUPPLIED].sum()),
            writebacks=int(w[rows + plain.N_WRITEBACKS].sum()),
            back_invalidations=int(w[rows + plain.N_INVALIDATED].sum()),
            probes=int(w[c.C_PROBES]),
        )

    def memory_stats(self) -> MemoryStats:
        """Requests that left the shared level."""
        return MemoryStats(int(self._words[c.C_MEMORY_READS]), int(self._words[c.C_MEMORY_WRITES]))

    def states(self) -> dict[int, dict[int, str]]:
        """Line number -> core -> its state there (S, E, M or O), for every line that a private cache holds."""
        found: dict[int, dict[int, str]] = {}
        for core in range(self.cores):
            for word in self._ways(c.CORES + 2 * c.ROW * core):
                found.setdefault(word >> 3, {})[core] = STATES[word & 7]
        return found

    def held(self, name: str) -> set[int]:
        """Lines of one level, named as in `stats`.

        Raises:
            UnknownNameError: no such level.
        """
        names = list(self.stats())
        if name not in names:
            raise unknown("level", name, names)
        if name == "shared":
            return {word >> 1 for word in self._ways(c.SHARED)}
        core, level = name[4:].split(".")
        row = c.CORES + 2 * c.ROW * int(core)
        if level == "l1d" and len(self.private) == 2:
            return {word >> 1 for word in self._ways(row + c.ROW)}
        return {word >> 3 for word in self._ways(row)}

    def _ways(self, row: int) -> list[int]:
        w = self._words
        base, ways = int(w[row + plain.L_BASE]), (int(w[row + plain.L_MASK]) + 1) * int(w[row + plain.L_WAYS])
        return [word for word in w[base : base + ways].tolist() if word >= 0]

    def _level(self, row: int) -> LevelStats:
        names = (
            "read_accesses",
            "read_misses",
            "write_accesses",
            "write_misses",
            "writebacks",
            "invalidated",
        )
        return LevelStats(**dict(zip(names, self._words[row + 3 : row + 9].tolist(), strict=True)))
