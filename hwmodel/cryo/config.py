"""What a cache, a core and a memory are made of: the configuration of one run, and the presets.

All parts are frozen dataclasses, so that a variant is `dataclasses.replace(part, ...)`. Clocks are `Frequency`,
latencies are cycles of the part's own clock, and times are femtoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from hwmodel.cryo._core_checks import check_core
from hwmodel.cryo._dram_checks import check_dram
from hwmodel.cryo._timed_caches import LINE as LINE
from hwmodel.cryo._timed_caches import Bus as Bus
from hwmodel.cryo._timed_caches import Cache as Cache
from hwmodel.cryo._translation import Translation
from hwmodel.errors import unknown
from hwmodel.units import Frequency, GHz, kB, ns, ps, to_frequency

CoreKind = Literal["inorder", "ooo"]

INCLUSIONS = ("nine", "inclusive")


@dataclass(frozen=True)
class Dram:
    """One channel of DRAM behind a controller; all times in femtoseconds.

    Parameters:
        controller: time that the controller adds, there and back together.
        rcd, cl, rp, ras, wr, cwl, rrd: the data sheet's timings of those names.
        burst: time of one line on the data bus.
        turn: bus time lost between reads and writes, both ways together.
        banks: banks of all ranks.
        row: bytes of one row of all devices.
        refi, rfc: refresh interval and length; `refi=0` for none.
        high, low: writes at which the controller begins and ends to drain them.
        max_row: accesses after which an open row is closed; 0 for never.
        clock: the controller's period, at whose edges reads begin; 0 for any time.
        holds: True if a bank takes its next access only when the last has left the data bus.
        spread: True if neighbouring lines lie in other banks, with the row mixed into the number.
        refresh_closes: True if a refresh closes all rows, in a channel that `holds`; in others it always does.
        ranks: ranks, among which the banks are divided.
        cs, rtp, faw: bus time lost between ranks; from a read to the precharge; time of four activations of a rank.
        wtr: the part of `turn` that is lost from a write to a read.

    Raises:
        SpecError: a number out of its bounds, or one that contradicts another.

    Example:
        >>> Dram("small", controller=ns(20), rcd=ns(14), cl=ns(14), rp=ns(14), ras=ns(35), burst=ns(5)).banks
        16
    """

    name: str
    controller: int
    rcd: int
    cl: int
    rp: int
    ras: int
    burst: int
    banks: int = 16
    row: int = 8192
    refi: int = 0
    rfc: int = 0
    wr: int = 0
    turn: int = 0
    high: int = 54
    low: int = 32
    max_row: int = 16
    cwl: int = 0
    rrd: int = 0
    clock: int = 0
    holds: bool = False
    spread: bool = False
    refresh_closes: bool = False
    ranks: int = 1
    cs: int = 0
    rtp: int = 0
    wtr: int = 0
    faw: int = 0

    def __post_init__(self) -> None:
        check_dram(self)


@dataclass(frozen=True)
class Unit:
    """Functional units of one operation class: latency, initiation interval and how many there are (0: enough).

    The in-order core knows more: `pool` names the class whose units this one shares, `early` is how many cycles
    before an operand is due the instruction may enter, `assumed` how long after the latency its result is due.
    """

    latency: int = 1
    interval: int = 1
    count: int = 0
    pool: str = ""
    early: int = 0
    assumed: int = 0


@dataclass(frozen=True)
class Core:
    """A core: its clock, widths, structures and delays.

    Example:
        >>> Core("ooo", GHz(4), rob=96).rob
        96
    """

    kind: CoreKind
    clock: Frequency
    fetch: int = 4
    decode: int = 4
    rename: int = 4
    dispatch: int = 4
    issue: int = 4
    commit: int = 4
    fetch_queue: int = 24
    rob: int = 96
    iq: int = 72
    lq: int = 24
    sq: int = 24
    int_regs: int = 148
    fp_regs: int = 136
    load_ports: int = 1
    store_ports: int = 1
    fetch_to_decode: int = 1
    decode_to_rename: int = 1
    rename_to_dispatch: int = 2
    issue_to_execute: int = 1
    complete_to_commit: int = 1
    redirect: int = 3
    redirect_decode: int = 2
    squash: int = 4
    fetch_line: int = 64
    store_sets: bool = True
    known_order: bool = False  # a load knows which older stores write its bytes, and waits for those only
    check_shift: int = 4
    clear_period: int = 250_000
    forward: int = 0
    taken_stops: bool = True
    free_delay: int = 1
    line_ahead: bool = True
    decode_buffer: int = 2
    issue_buffer: int = 4
    decode_to_issue: int = 1
    memory_width: int = 1
    memory_accesses: int = 1
    transfers: int = 2
    units: dict[str, Unit] = field(default_factory=dict)
    predictor: str = "tournament"
    local_histories: int = 4096
    local_table: int = 16384
    global_table: int = 16384
    choice_table: int = 16384
    counter_bits: int = 4
    btb: int = 32
    ras: int = 12
    indirect: int = 64
    pc_shift: int = 2
    tables: int = 6  # TAGE, perceptron: tables that see the history
    table_bits: int = 10  # their entries, as a power of two
    tag_bits: int = 9  # TAGE: bits of a tag
    shortest_history: int = 4  # conditional branches that the first table sees
    longest_history: int = 60  # and the last; those between see a geometric series
    threshold: int = 20  # perceptron: sums up to this one are learnt from
    bimodal_modulus: int = 0  # index of a bimodal table: pc modulo this; 0: the pc's low bits
    typed_btb: bool = False  # the BTB keeps each branch's kind; what it does not know is no branch
    btb_ways: int = 1  # ways of a typed BTB of `btb` sets
    skid: int = 8  # instructions between decode and rename
    late_rename: bool = False  # registers and queue are taken at dispatch, not on entry of the window
    unified_regs: bool = False  # one file of `int_regs` registers, committed values included
    stack_pointer: int = 0  # register whose pushes, pops and constants are known at decode; 0: none
    branch_chain: bool = False  # branches read and write the instruction pointer, one after the other
    load_delay: int = 0  # cycles from a load's execution to its access
    store_delay: int = 1  # cycles from a store's commit to its access
    posted_stores: bool = False  # a store's entry is free once it left for the cache
    forward_by_address: bool = False  # a load waits for, and is given, the last store to its very address
    merge_loads: bool = False  # one load a cycle reaches the cache, with all that wait for its line
    results: int = 0  # instructions that may complete in a cycle; 0: any number
    queue_holds_memory: bool = True  # loads and stores stay in the issue queue until they complete
    loads_leave_early: bool = False  # a load's entry is free once its data is there
    micro_op_sets: int = 0  # buffer of decoded instructions; 0: none
    micro_op_ways: int = 8
    micro_op_bytes: int = 16  # bytes of the program in one of its windows

    def __post_init__(self) -> None:
        check_core(self)


@dataclass(frozen=True)
class Machine:
    """A core with its caches and memory.

    `l2` and `l3` may be None. `first_touch` gives out memory in the order of the first touch, in regions of
    2 MiB, within which pages keep their order; otherwise physical addresses equal virtual ones. With a `translation`
    each page gets a frame of its own, as it does with `shuffle_pages`, which shuffles their order. Without one
    addresses are translated in no time.
    """

    core: Core
    l1i: Cache
    l1d: Cache
    l2: Cache | None
    l3: Cache | None
    dram: Dram
    inclusion: Literal["nine", "inclusive"] = "nine"
    first_touch: bool = True
    translation: Translation | None = None
    shuffle_pages: bool = False

    def __post_init__(self) -> None:
        if self.inclusion not in INCLUSIONS:
            raise unknown("inclusion of a timed machine", str(self.inclusion), INCLUSIONS)

    @property
    def levels(self) -> dict[str, Cache]:
        """The caches by name, nearest first."""
        named = {"l1d": self.l1d, "l1i": self.l1i, "l2": self.l2, "l3": self.l3}
        return {name: cache for name, cache in named.items() if cache is not None}


DDR3_1600 = Dram(
    "DDR3-1600 x64, 2 ranks",
    controller=ns(20),
    rcd=ps(13750),
    cl=ps(13750),
    rp=ps(13750),
    ras=ns(35),
    burst=ns(5),
    banks=16,
    row=8192,
    refi=ns(7800),
    rfc=ns(260),
    wr=ns(15),
    turn=ns(10),
    cwl=ps(13750),
    rrd=ns(6),
    ranks=2,
    cs=ps(2500),
    rtp=ps(7500),
    wtr=ps(7500),
    faw=ns(30),
)


GEM5_UNITS = {
    "nop": Unit(1, 1, 0),
    "int": Unit(1, 1, 6),
    "mul": Unit(3, 1, 2),
    "div": Unit(20, 20, 2),
    "fp_add": Unit(2, 1, 4),
    "fp_mul": Unit(4, 1, 2),
    "fp_div": Unit(12, 12, 2),
    "fp_sqrt": Unit(24, 24, 2),
    "fp_cvt": Unit(2, 1, 4),
    "fp_fma": Unit(5, 1, 2),
    "simd": Unit(1, 1, 4),
    "system": Unit(1, 1, 1),
}


# gem5's Minor core: one floating-point pipeline takes every operation, and operands may be two cycles away.
MINOR_UNITS = {
    "int": Unit(1, 1, 2, early=2),
    "nop": Unit(1, 1, pool="int", early=2),
    "system": Unit(1, 1, pool="int", early=2),
    "mul": Unit(3, 1, 1),
    "div": Unit(6, 9, 1),
    "fp_add": Unit(6, 1, 1, early=2),
    **{
        name: Unit(6, 1, pool="fp_add", early=2)
        for name in ("fp_mul", "fp_div", "fp_sqrt", "fp_cvt", "fp_fma", "simd")
    },
    "load": Unit(2, 1, 1, early=1, assumed=2),
    "store": Unit(2, 1, 1, early=1, assumed=2),
}


# What all of gem5's classic caches do, and the reference's prefetchers and write buffers.
GEM5_CACHE = {
    "prefetcher": "stride",
    "reserve": 2,
    "prefetch_latency": 0,
    "cut_through": True,
    "ownership": True,
    "write_buffer": 8,
}


DOMAIN_SETS: dict[str, tuple[str, ...]] = {
    "core": (),
    "l1": ("l1i", "l1d"),
    "l1l2": ("l1i", "l1d", "l2"),
    "all": ("l1i", "l1d", "l2", "l3"),
    "everything": ("l1i", "l1d", "l2", "l3", "board"),
}
"""What runs at the core's clock in each of the reference's five sets; the board is the bus to the memory."""


def cryo_caches(fast: Frequency, domains: str, slow: Frequency = GHz(4)) -> dict[str, Cache]:
    """Return the reference's caches with the levels of `domains` at the fast clock.

    Source: the public configuration of arXiv 2408.03308 (darchr/gem5-cryo-superconducting), gem5 v24.
    """
    if domains not in DOMAIN_SETS:
        raise unknown("set of fast domains", domains, DOMAIN_SETS)
    l1, l2, l3 = (fast if name in DOMAIN_SETS[domains] else slow for name in ("l1d", "l2", "l3"))
    # To the memory: 3 cycles to enter, 4 on the way and 1 for the snoop filter, which the buses between caches do not pay.
    board = Bus(fast if "board" in DOMAIN_SETS[domains] else GHz(1), request=8, answer=2, width=64)
    levels = {
        "l1i": Cache(kB(32), 8, l1, 2, Bus(l2), tag_latency=1, store_latency=1, mshrs=16),
        "l1d": Cache(kB(32), 8, l1, 2, Bus(l2), tag_latency=1, store_latency=1, mshrs=16),
        "l2": Cache(kB(512), 8, l2, 10, Bus(l3), tag_latency=10, mshrs=20),
        "l3": Cache(kB(16384), 16, l3, 21, board, tag_latency=10, mshrs=20),
    }
    return {name: replace(level, **GEM5_CACHE) for name, level in levels.items()}  # type: ignore[arg-type]


def cryo_ooo(core_clock: Frequency = GHz(4), domains: str = "core") -> Machine:
    """Return the reference's out-of-order machine."""
    core = Core("ooo", core_clock, units=GEM5_UNITS)
    return Machine(core=core, dram=DDR3_1600, **cryo_caches(core_clock, domains))  # type: ignore[arg-type]


def at_clock(machine: Machine, clock: Frequency | str, domains: str = "core") -> Machine:
    """Return the machine with its core, and the levels of a set of domains, at another clock.

    Parameters:
        machine: what is to be changed; what the set does not name keeps its clock.
        clock: of the core and the levels in the set.
        domains: "core"; "l1" for the core and its first-level caches; "l1l2"; "all" for all caches; "everything" for
            the bus to the memory as well. A bus between caches runs at the clock of the level that it leads to.

    Raises:
        UnknownNameError: no such set.

    Example:
        >>> fast = at_clock(cryo_ooo(), "100 GHz", "l1")
        >>> fast.l1d.clock, fast.l2.clock
        (GHz(100), GHz(4))
    """
    if domains not in DOMAIN_SETS:
        raise unknown("set of fast domains", domains, DOMAIN_SETS)
    fast = to_frequency(clock, "clock")
    named = DOMAIN_SETS[domains]
    changed = {name: replace(level, clock=fast) for name, level in machine.levels.items() if name in named}
    if "board" in named:
        for name in last_levels(machine):
            cache = changed.get(name, machine.levels[name])
            changed[name] = replace(cache, bus=replace(cache.bus, clock=fast))
    return with_buses(replace(machine, core=replace(machine.core, clock=fast), **changed))  # type: ignore[arg-type]


def last_levels(machine: Machine) -> list[str]:
    """Names of the levels whose bus leads to the memory: the last one, or both first-level caches.

    Example:
        >>> last_levels(cryo_ooo()), last_levels(replace(cryo_ooo(), l2=None, l3=None))
        (['l3'], ['l1d', 'l1i'])
    """
    deepest = max(name[:2] for name in machine.levels)
    return [name for name in machine.levels if name[:2] == deepest]


def with_buses(machine: Machine) -> Machine:
    """Return the machine with each bus between two caches at the clock of the lower one."""
    levels = machine.levels
    changed: dict[str, Cache] = {}
    for name, cache in levels.items():
        below = [other for other in levels if other[:2] > name[:2]]
        if below:
            changed[name] = replace(cache, bus=replace(cache.bus, clock=levels[below[0]].clock))
    return replace(machine, **changed)  # type: ignore[arg-type]


def cryo_inorder(core_clock: Frequency = GHz(4), domains: str = "core") -> Machine:
    """Return the reference's in-order machine."""
    core = Core(
        "inorder", core_clock, fetch=2, decode=2, issue=2, commit=2, sq=3, redirect=2, units=MINOR_UNITS
    )
    return Machine(core=core, dram=DDR3_1600, **cryo_caches(core_clock, domains))  # type: ignore[arg-type]


def _champsim() -> Machine:
    from hwmodel.cryo.presets import champsim

    return champsim()


PRESETS: dict[str, Callable[[], Machine]] = {
    "champsim": _champsim,
    "cryo-inorder": cryo_inorder,
    "cryo-ooo": cryo_ooo,
}
"""The machines that have a name."""
