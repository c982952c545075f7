"""What caches count."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class LevelStats:
    """What one cache level counted.

    A read is a demand: of the program, of a page walk, or of a demand miss above. A write is one of the program, or what
    a level above wrote down. Reads by prefetchers above are counted apart.

    Parameters:
        read_accesses, read_misses, write_accesses, write_misses: demand requests.
        writebacks: dirty lines, or sectors, that left downwards.
        invalidated: lines that left because an inclusive level below gave them up.
        prefetches: lines that the level's own prefetcher brought in.
        useful_prefetches, useless_prefetches: of these, used by a demand, and gone without.
        prefetch_accesses, prefetch_misses: reads by prefetchers above.
        victim_hits: lines that the victim cache gave back; these are no misses.
        compulsory, capacity, conflict: kinds of demand misses, where `Hierarchy(classify=True)`.
        sector_misses: fetches into a line that was there in part.

    Example:
        >>> LevelStats(read_accesses=8, read_misses=2).miss_ratio
        0.25
    """

    read_accesses: int = 0
    read_misses: int = 0
    write_accesses: int = 0
    write_misses: int = 0
    writebacks: int = 0
    invalidated: int = 0
    prefetches: int = 0
    useful_prefetches: int = 0
    useless_prefetches: int = 0
    prefetch_accesses: int = 0
    prefetch_misses: int = 0
    victim_hits: int = 0
    compulsory: int = 0
    capacity: int = 0
    conflict: int = 0
    sector_misses: int = 0

    @property
    def accesses(self) -> int:
        """Demand reads and writes."""
        return self.read_accesses + self.write_accesses

    @property
    def misses(self) -> int:
        """Demand reads and writes that missed."""
        return self.read_misses + self.write_misses

    @property
    def miss_ratio(self) -> float:
        """Misses an access; 0 without accesses."""
        return self.misses / self.accesses if self.accesses else 0.0

    def as_dict(self) -> dict[str, int]:
        """All counts by name."""
        return asdict(self)


@dataclass(frozen=True)
class TlbStats:
    """What one TLB counted.

    Example:
        >>> TlbStats(100, 1).miss_ratio
        0.01
    """

    accesses: int = 0
    misses: int = 0

    @property
    def miss_ratio(self) -> float:
        """Misses an access; 0 without accesses."""
        return self.misses / self.accesses if self.accesses else 0.0


@dataclass(frozen=True)
class MemoryStats:
    """Requests that left the last level.

    Parameters:
        reads: demand fetches.
        writes: lines, sectors or words written.
        prefetch_reads: fetches for prefetchers.
        walks, walk_reads: page walks, and the reads of page-table entries that they sent into the first data cache.

    Example:
        >>> MemoryStats(reads=3).writes
        0
    """

    reads: int = 0
    writes: int = 0
    prefetch_reads: int = 0
    walks: int = 0
    walk_reads: int = 0
