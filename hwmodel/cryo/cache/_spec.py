"""What a cache, a prefetcher and a TLB are made of, checked where they are written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hwmodel.cryo._sizes import read_size
from hwmodel.errors import SpecError, unknown

Policy = Literal["lru", "fifo", "random", "plru", "srrip", "brrip", "drrip", "opt"]
WriteMode = Literal["back", "through"]
PrefetchKind = Literal["next_line", "stride", "stream", "best_offset"]
Inclusion = Literal["nine", "inclusive", "exclusive"]

MAX_WAYS = 64
MAX_LINES = 1 << 27
"""Lines of one level: at 64 bytes, 8 GB."""
LINE_SIZES = (16, 32, 64, 128, 256)
MAX_SECTORS = 16
MAX_DEGREE = 16
MAX_VICTIMS = 256
MAX_TABLE = 4096
MAX_DELAY = 1024


def to_bytes(size: int | str, name: str = "size") -> int:
    """Return a size in bytes; in text, "kB" is 1024 bytes and "MB" 1024 times as much, as caches are sold.

    Raises:
        SpecError: no size can be read from it.

    Example:
        >>> to_bytes("32 kB"), to_bytes(64)
        (32768, 64)
    """
    return read_size(size, name)


@dataclass(frozen=True)
class Prefetch:
    """A prefetcher of one level; it fills that level, and reads through those below.

    "next_line" asks for the lines after a missed one, or after a prefetched one at its first use. "stride" follows each
    load by its program counter, and rests where a trace has none. "stream" follows `entries` runs of lines. "best_offset"
    learns one distance for all (Michaud, HPCA 2016).

    Parameters:
        kind: which one.
        degree: lines asked for at once, 1 to 16.
        entries: of the table of "stride" and "stream", a power of two.
        delay: "best_offset": accesses until a fetched line counts as there, in place of the time that it takes.

    Raises:
        SpecError: a number out of its range.
        UnknownNameError: no such prefetcher.

    Example:
        >>> Prefetch("stride", degree=4).entries
        64
    """

    kind: PrefetchKind
    degree: int = 1
    entries: int = 64
    delay: int = 16

    def __post_init__(self) -> None:
        if self.kind not in get_args(PrefetchKind):
            raise unknown("prefetcher", str(self.kind), get_args(PrefetchKind))
        where = f"Prefetch({self.kind!r})"
        _whole(f"{where}: degree", self.degree, 1, MAX_DEGREE)
        _whole(f"{where}: delay", self.delay, 0, MAX_DELAY)
        _power(f"{where}: entries", self.entries, 1, MAX_TABLE)


@dataclass(frozen=True)
class CacheSpec:
    """One cache level.

    Parameters:
        size: bytes, or text such as "32 kB".
        ways: associativity, 1 to 64.
        line: bytes of a line: 16, 32, 64, 128 or 256.
        policy: replacement: "lru", "fifo", "random", "plru" (a binary tree), "srrip", "brrip" and "drrip" (two-bit
            predictions; Jaleel et al., ISCA 2010), or "opt", which knows the future (Belady 1966; a bound, not a cache).
        write: "back" or "through".
        allocate: whether a write miss brings the line in.
        sector: bytes of a sector, the part of a line that is fetched and written at once; None: the whole line.
        victim_lines: lines of a fully associative victim cache beside the level (Jouppi, ISCA 1990).
        prefetch: a prefetcher, or its name.
        seed: of the draws of "random", "brrip" and "drrip".
        name: in the statistics; if not given, l1d, l1i, l2, ...

    Raises:
        SpecError: a geometry that no cache can have; the message says which number is wrong.

    Example:
        >>> CacheSpec("32 kB", 8).sets
        64
    """

    size: int | str
    ways: int
    line: int = 64
    policy: Policy = "lru"
    write: WriteMode = "back"
    allocate: bool = True
    sector: int | None = None
    victim_lines: int = 0
    prefetch: Prefetch | PrefetchKind | None = None
    seed: int = 0
    name: str | None = None

    def __post_init__(self) -> None:
        where = f"cache {self.name or self.size!r}"
        _whole(f"{where}: ways", self.ways, 1, MAX_WAYS)
        if self.line not in LINE_SIZES:
            raise SpecError(
                f"{where}: line={self.line!r}; use one of {', '.join(map(str, LINE_SIZES))} bytes"
            )
        sets, rest = divmod(self.bytes, self.ways * self.line)
        if rest or sets < 1 or sets & (sets - 1):
            raise SpecError(
                f"{where}: {self.bytes} bytes in {self.ways} ways of {self.line}-byte lines is {sets} sets and {rest} "
                "bytes; give a size that makes a power of two of sets"
            )
        _whole(f"{where}: lines", sets * self.ways, 1, MAX_LINES)
        _whole(f"{where}: victim_lines", self.victim_lines, 0, MAX_VICTIMS)
        _whole(f"{where}: seed", self.seed, 0, (1 << 58) - 1)
        self._check_names(where, sets)
        sector = self.sector
        if sector is not None:
            _power(f"{where}: sector", sector, max(16, self.line // MAX_SECTORS), self.line)
        if self.policy == "opt" and (
            sector is not None
            or self.victim_lines
            or self.prefetch
            or not self.allocate
            or self.write != "back"
        ):
            raise SpecError(
                f"{where}: policy 'opt' is a bound for plain caches; leave out sectors, victim lines, prefetchers, "
                "write-through and allocate=False"
            )

    def _check_names(self, where: str, sets: int) -> None:
        if self.policy not in get_args(Policy):
            raise unknown("replacement policy", str(self.policy), get_args(Policy))
        if self.write not in get_args(WriteMode):
            raise unknown("way to write", str(self.write), get_args(WriteMode))
        if self.policy == "plru" and self.ways & (self.ways - 1):
            raise SpecError(f"{where}: plru needs a power of two of ways, not {self.ways}; use 'lru'")
        if self.policy == "drrip" and sets < 2:
            raise SpecError(f"{where}: drrip lets sets duel and needs two at least; use 'srrip' or 'brrip'")
        if isinstance(self.prefetch, str):
            Prefetch(self.prefetch)
        elif self.prefetch is not None and not isinstance(self.prefetch, Prefetch):
            raise SpecError(f"{where}: prefetch={self.prefetch!r}; give a Prefetch or its name")

    @property
    def bytes(self) -> int:
        """The size in bytes."""
        return to_bytes(self.size)

    @property
    def sets(self) -> int:
        """Number of sets."""
        return self.bytes // (self.ways * self.line)

    @property
    def unit(self) -> int:
        """Bytes that are fetched and written at once."""
        return self.line if self.sector is None else self.sector

    @property
    def prefetcher(self) -> Prefetch | None:
        """The prefetcher with its numbers."""
        return Prefetch(self.prefetch) if isinstance(self.prefetch, str) else self.prefetch

    @property
    def is_plain(self) -> bool:
        """Whether the fast loops know this cache: LRU, write-back, write-allocate, and nothing beside it."""
        return (
            self.policy == "lru"
            and self.write == "back"
            and self.allocate
            and self.unit == self.line
            and self.victim_lines == 0
            and self.prefetch is None
        )


@dataclass(frozen=True)
class TlbSpec:
    """A buffer of page translations, LRU.

    Parameters:
        entries: how many.
        ways: associativity; None: fully associative.

    Raises:
        SpecError: entries and ways do not make a power of two of sets.

    Example:
        >>> TlbSpec(64, 4).sets
        16
    """

    entries: int
    ways: int | None = None

    def __post_init__(self) -> None:
        _whole("TlbSpec: entries", self.entries, 1, 1 << 20)
        ways = self.entries if self.ways is None else self.ways
        _whole("TlbSpec: ways", ways, 1, self.entries)
        sets, rest = divmod(self.entries, ways)
        if rest or sets & (sets - 1):
            raise SpecError(f"TlbSpec: {self.entries} entries in {ways} ways are no power of two of sets")

    @property
    def sets(self) -> int:
        """Number of sets."""
        return 1 if self.ways is None else self.entries // self.ways


@dataclass(frozen=True)
class Paging:
    """TLBs and the page table behind them.

    A miss of the first-level TLB asks the second; a miss there walks the page table, one read a level, which go into the
    first data cache. The table is made up: entries of 8 bytes, 512 a node, in the order of the pages.

    Parameters:
        data: first-level TLB of data, and of instructions where `instruction` is not given.
        instruction: first-level TLB of instructions.
        second: second-level TLB for both.
        page: bytes of a page: a power of two from 4096 on.
        levels: reads of a walk; None: what 48-bit addresses need, 4 for pages of 4 kB and 3 for 2 MB.

    Raises:
        SpecError: a page or a number of levels that no table has.

    Example:
        >>> Paging(TlbSpec(64), page="2 MB").walk_levels
        3
    """

    data: TlbSpec
    instruction: TlbSpec | None = None
    second: TlbSpec | None = None
    page: int | str = 4096
    levels: int | None = None

    def __post_init__(self) -> None:
        _power("Paging: page", to_bytes(self.page, "page"), 4096, 1 << 30)
        if self.levels is not None:
            _whole("Paging: levels", self.levels, 1, 5)

    @property
    def page_bits(self) -> int:
        """Bits of an address within a page."""
        return to_bytes(self.page).bit_length() - 1

    @property
    def walk_levels(self) -> int:
        """Reads of a page walk."""
        return -(-(48 - self.page_bits) // 9) if self.levels is None else self.levels


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{name}={value!r}; give a whole number from {low} to {high}")


def _power(name: str, value: object, low: int, high: int) -> None:
    _whole(name, value, low, high)
    if isinstance(value, int) and value & (value - 1):
        raise SpecError(f"{name}={value!r}; give a power of two from {low} to {high}")
