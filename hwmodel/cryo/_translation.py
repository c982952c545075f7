"""What translates addresses: TLBs, the page-table walker and its caches."""

from __future__ import annotations

from dataclasses import dataclass

from hwmodel.errors import SpecError

__all__ = ["Tlb", "Translation", "WalkCache"]

MAX_DEPTH = 5


def check_sets(name: str, sets: int, ways: int) -> None:
    """Refuse a table whose sets are no power of two, or that has no ways."""
    if sets < 1 or sets & (sets - 1) or ways < 1:
        raise SpecError(
            f"{name}(sets={sets}, ways={ways}): give a power of two of sets, and at least one way"
        )


@dataclass(frozen=True)
class Tlb:
    """A table of recent translations, least recently used replaced.

    Parameters:
        sets, ways: its shape.
        latency: cycles that a hit costs the access. A first-level TLB answers beside its cache and costs nothing.

    Example:
        >>> Tlb(16, 4).entries
        64
    """

    sets: int
    ways: int
    latency: int = 0

    def __post_init__(self) -> None:
        check_sets("Tlb", self.sets, self.ways)
        if self.latency < 0:
            raise SpecError(f"Tlb(latency={self.latency}): give 0 or more cycles")

    @property
    def entries(self) -> int:
        """Pages that it holds."""
        return self.sets * self.ways


@dataclass(frozen=True)
class WalkCache:
    """A table that lets walks begin at a level of the page table (2 is the one above the leaves)."""

    level: int
    sets: int
    ways: int

    def __post_init__(self) -> None:
        check_sets("WalkCache", self.sets, self.ways)
        if not 2 <= self.level <= MAX_DEPTH:
            raise SpecError(f"WalkCache(level={self.level}): give 2 to {MAX_DEPTH}")


@dataclass(frozen=True)
class Translation:
    """TLBs in front of the first-level caches, a second one that they share, and the walker behind it.

    Parameters:
        data, fetch: the first-level TLBs.
        shared: the second-level one.
        page: bytes of a page, a power of two from 4096 on.
        depth: levels of the page table.
        caches: the walker's caches, one a level at most.
        start: cycles of the core from an access that no TLB knows to the first step of its walk.
        end: cycles from the last step's data to the access.
        fault: cycles that the first walk of a page takes longer: its minor page fault. 0 for none.

    Raises:
        SpecError: a page or a depth that is not modelled.

    Example:
        >>> Translation(Tlb(16, 4), Tlb(16, 4), Tlb(128, 12, latency=8)).shared.entries
        1536
    """

    data: Tlb
    fetch: Tlb
    shared: Tlb
    page: int = 4096
    depth: int = 4
    caches: tuple[WalkCache, ...] = ()
    start: int = 7
    end: int = 6
    fault: int = 0

    def __post_init__(self) -> None:
        if self.page < 4096 or self.page & (self.page - 1):
            raise SpecError(f"Translation(page={self.page}): give a power of two from 4096 on")
        if not 1 <= self.depth <= MAX_DEPTH:
            raise SpecError(f"Translation(depth={self.depth}): give 1 to {MAX_DEPTH}")
        for name in ("start", "end", "fault"):
            if getattr(self, name) < 0:
                raise SpecError(f"Translation({name}={getattr(self, name)}): give 0 or more cycles")
        levels = [cache.level for cache in self.caches]
        if len(set(levels)) < len(levels) or any(level > self.depth for level in levels):
            raise SpecError(
                f"Translation(caches): levels {levels} of a table of {self.depth}; give each level once"
            )
