"""What a timed cache and its bus are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwmodel.cryo._cache_checks import check_cache
from hwmodel.errors import SpecError
from hwmodel.units import Frequency, to_fs

Policy = Literal["lru", "fifo", "random"]
Prefetcher = Literal["none", "next_line", "stride"]
WritePolicy = Literal["back", "through"]
Readout = Literal["plain", "destructive"]
Organisation = Literal["plain", "shift-register"]

CHOICES = {
    "policy": ("lru", "fifo", "random"),
    "prefetcher": ("none", "next_line", "stride"),
    "write": ("back", "through"),
    "readout": ("plain", "destructive"),
    "organisation": ("plain", "shift-register"),
}
LINE = 64


@dataclass(frozen=True)
class Bus:
    """The link from a cache to the level below it.

    Parameters:
        clock: its clock.
        request: cycles of a request on its way down.
        answer: cycles of an answer on its way up.
        header: cycles that every packet occupies besides its data.
        width: bytes a cycle; 0 for a link that takes a line at once.
        flight: femtoseconds of flight one way, as between a 4 K stage and a 77 K one.

    Example:
        >>> from hwmodel.units import GHz
        >>> Bus(GHz(4)).line_cycles
        2
    """

    clock: Frequency
    request: int = 1
    answer: int = 1
    header: int = 1
    width: int = 32
    flight: int = 0

    @property
    def line_cycles(self) -> int:
        """Cycles that one cache line occupies."""
        return -(-LINE // self.width) if self.width else 0


@dataclass(frozen=True)
class Cache:
    """One cache level with its clock; latency and initiation interval are separate.

    Parameters:
        size: bytes.
        ways: associativity.
        clock: the cache's own clock.
        latency: cycles from a request to its data.
        tag_latency: cycles after which a miss goes down; the latency if not given.
        fill_latency: cycles from a line's arrival to its answer.
        interval: cycles between two accesses of one port; 0 takes any number a cycle.
        ports: accesses that may begin in one interval.
        mshrs: lines that may be on their way.
        policy: replacement.
        prefetcher, degree: which prefetcher, and how many lines it fetches at once.
        bus: the link to the level below.
        blocks: True if a cache without a free miss register turns hits away too.
        fill_holds: True if a miss register is held until the line is filled, not only until it is there.
        store_latency: cycles from a store that hits to its answer; the latency if not given.
        prefetch_latency: cycles after which a prefetch of this level goes down; the tag latency if not given.
        cut_through: True if a request is looked up below when it enters the bus, and a line used when its first word
            is there; what is still under way is waited for afterwards. A request between two edges of the bus's clock
            then pays for that twice, as in gem5.
        ownership: True if a dirty line moves up with its data, so that the level that has it writes it back, a clean
            line that leaves is announced to the level below, and a store asks for a line that is dirty below.
        write_buffer: lines that leave and may wait until requests left the bus a gap; a miss whose victim finds it
            full waits too. 0: they take the bus at once, and never wait.
        write: "back", or "through": a store goes down to the first level that keeps it.
        allocate: write-through only: False if a store that misses brings no line.
        readout: "plain", or "destructive": a read empties its cells, which are written again.
        restore: destructive only: cycles, or a time such as "50 ps", for which a read occupies its port beyond its
            latency.
        organisation: "plain", or "shift-register": the words of a set circulate, and an access waits for its own.
        loop: shift register only: words of one loop; a set's place is its number modulo this.
        shift_clock: shift register only: its clock; the cache's own if not given.

    Raises:
        SpecError: a size, an associativity or a latency that no cache can have.

    Example:
        >>> from hwmodel.units import GHz, kB
        >>> Cache(kB(32), 8, GHz(4), latency=2, bus=Bus(GHz(4))).sets
        64
    """

    size: int
    ways: int
    clock: Frequency
    latency: int
    bus: Bus
    tag_latency: int | None = None
    fill_latency: int = 1
    interval: int = 0
    ports: int = 1
    mshrs: int = 16
    policy: Policy = "lru"
    prefetcher: Prefetcher = "none"
    degree: int = 4
    prefetch_on_fetch: bool = False
    prefetch_on_hit: bool = True
    reserve: int = 1
    blocks: bool = True
    fill_holds: bool = False
    store_latency: int | None = None
    prefetch_latency: int | None = None
    cut_through: bool = False
    ownership: bool = False
    write_buffer: int = 0
    write: WritePolicy = "back"
    allocate: bool = True
    readout: Readout = "plain"
    restore: int | str = 0
    organisation: Organisation = "plain"
    loop: int = 0
    shift_clock: Frequency | None = None

    def __post_init__(self) -> None:
        sets, rest = divmod(self.size, self.ways * LINE) if self.ways > 0 else (0, 1)
        if rest or sets < 1 or sets & (sets - 1):
            raise SpecError(
                f"Cache: {self.size} bytes in {self.ways} ways of {LINE}-byte lines is {sets} sets and {rest} bytes;"
                " give a size that makes a power of two of sets"
            )
        check_cache(self, CHOICES)

    @property
    def busy_after_read(self) -> int:
        """Cycles for which a read occupies its port."""
        if self.readout == "plain":
            return self.interval
        restore = self.restore
        if isinstance(restore, str):
            # A time: the cycles that it takes, the last one begun counted whole.
            restore = -(-to_fs(restore, "Cache restore") * self.clock.hz // 10**15)
        return self.latency + int(restore)

    @property
    def sets(self) -> int:
        """Number of sets."""
        return self.size // (self.ways * LINE)
