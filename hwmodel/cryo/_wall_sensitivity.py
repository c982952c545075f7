"""Which resource sets the time that a faster core cannot remove: runs with one resource relaxed at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from hwmodel.cryo._core_checks import MAX_RING
from hwmodel.cryo.config import Machine, last_levels, with_buses
from hwmodel.cryo.jobs import Job, Progress, run_jobs
from hwmodel.cryo.timing import Timing
from hwmodel.errors import unknown
from hwmodel.units import format_time

__all__ = ["RELAXATIONS", "Relaxation", "Relief", "Sensitivity", "relaxed", "sensitivities", "sensitivity"]

MOST_MSHRS = 64  # as many as the kernels hold
WIDE = 8
FASTER_DRAM = 100

Change = Callable[[Machine], Machine]
Case = TypeVar("Case")
BOTH = ("ooo", "inorder")


@dataclass(frozen=True)
class Relaxation:
    """A resource, and how a machine looks that has more of it than it can use.

    Attributes:
        name: of the resource.
        what: what is changed, a few words.
        change: makes the relaxed machine.
        cores: kinds of core that have the resource.
    """

    name: str
    what: str
    change: Change = field(repr=False)
    cores: tuple[str, ...] = BOTH


@dataclass(frozen=True)
class Relief:
    """What a run gains where one resource is relaxed.

    Attributes:
        name, what: of the relaxation.
        time: run time with it, in femtoseconds.
        removed: time that it removes; negative where it harms.
        share: `removed` over the time of the unchanged machine.
    """

    name: str
    what: str
    time: int
    removed: int
    share: float


@dataclass(frozen=True)
class Sensitivity:
    """The unchanged run, and the reliefs, greatest first.

    Shares need not add up to one: where a request waits for two resources in turn, each of them hides the other.
    """

    base: Timing
    reliefs: tuple[Relief, ...]

    @property
    def first(self) -> Relief:
        """The resource that removes most."""
        return self.reliefs[0]

    def __str__(self) -> str:
        lines = [f"unchanged: {format_time(self.base.time)}"]
        lines += [f"{r.name:<12}{r.share:>7.1%} of the time  ({r.what})" for r in self.reliefs]
        return "\n".join(lines)


def _core(**changes: Any) -> Change:
    return lambda machine: replace(machine, core=replace(machine.core, **changes))


def _at_core_clock(*names: str) -> Change:
    """Levels at the clock of the core, with the bus that leads to them."""

    def change(machine: Machine) -> Machine:
        levels = machine.levels
        fast = {n: replace(levels[n], clock=machine.core.clock) for n in names if n in levels}
        return with_buses(replace(machine, **fast))  # type: ignore[arg-type]

    return change


def _each_level(**changes: Any) -> Change:
    def change(machine: Machine) -> Machine:
        levels = {name: replace(cache, **changes) for name, cache in machine.levels.items()}
        return replace(machine, **levels)  # type: ignore[arg-type]

    return change


def _fast_board(machine: Machine) -> Machine:
    changed = {}
    for name in last_levels(machine):
        cache = machine.levels[name]
        changed[name] = replace(cache, bus=replace(cache.bus, clock=machine.core.clock))
    return replace(machine, **changed)  # type: ignore[arg-type]


def _no_dram_latency(machine: Machine) -> Machine:
    times = ("rcd", "cl", "rp", "ras", "wr", "cwl", "rrd", "rfc", "rtp", "faw")
    none = dict.fromkeys(("controller", "turn", "wtr", "cs", *times), 0)
    return replace(machine, dram=replace(machine.dram, **none))  # type: ignore[arg-type]


def _dram_bandwidth(machine: Machine) -> Machine:
    return replace(machine, dram=replace(machine.dram, burst=max(1, machine.dram.burst // FASTER_DRAM)))


_ENTRIES = f"{MAX_RING} entries"
_FAST = "at the core's clock"

RELAXATIONS: Mapping[str, Relaxation] = MappingProxyType(
    {
        found.name: found
        for found in (
            Relaxation("lq", f"load queue: {_ENTRIES}", _core(lq=MAX_RING), ("ooo",)),
            Relaxation("sq", f"store queue or buffer: {_ENTRIES}", _core(sq=MAX_RING), ("ooo",)),
            Relaxation(
                "window",
                f"ROB, IQ and registers: {_ENTRIES} each",
                _core(rob=MAX_RING, iq=MAX_RING, int_regs=MAX_RING, fp_regs=MAX_RING),
                ("ooo",),
            ),
            Relaxation(
                "lq+sq+window",
                "all queues of the core together",
                _core(
                    rob=MAX_RING, iq=MAX_RING, int_regs=MAX_RING, fp_regs=MAX_RING, lq=MAX_RING, sq=MAX_RING
                ),
                ("ooo",),
            ),
            Relaxation("mshrs", f"{MOST_MSHRS} miss registers a level", _each_level(mshrs=MOST_MSHRS)),
            Relaxation(
                "ports",
                f"{WIDE} load and {WIDE} store ports",
                _core(load_ports=WIDE, store_ports=WIDE),
                ("ooo",),
            ),
            Relaxation(
                "memory", f"{WIDE} accesses in memory at once", _core(memory_accesses=WIDE), ("inorder",)
            ),
            Relaxation("fetch", f"L1I {_FAST}", _at_core_clock("l1i")),
            Relaxation("l1d", f"L1D {_FAST}", _at_core_clock("l1d")),
            Relaxation("l2", f"L2 and the bus to it {_FAST}", _at_core_clock("l2")),
            Relaxation("l3", f"L3 and the bus to it {_FAST}", _at_core_clock("l3")),
            Relaxation("board", f"bus to the memory {_FAST}", _fast_board),
            Relaxation("branches", "no branch mispredicted", _core(predictor="perfect")),
            Relaxation("order", "order of loads and stores known", _core(known_order=True), ("ooo",)),
            Relaxation("dram latency", "DRAM and its controller without latency", _no_dram_latency),
            Relaxation("dram bandwidth", f"DRAM bursts {FASTER_DRAM} times as short", _dram_bandwidth),
            Relaxation("prefetchers", "no prefetcher", _each_level(prefetcher="none")),
        )
    }
)
"""The resources that `sensitivity` relaxes, by name."""


def relaxed(machine: Machine, name: str) -> Machine:
    """Return the machine with one resource relaxed.

    Raises:
        UnknownNameError: no such relaxation.

    Example:
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> relaxed(cryo_ooo(), "lq").core.lq
        1024
    """
    if name not in RELAXATIONS:
        raise unknown("relaxation", name, RELAXATIONS)
    return RELAXATIONS[name].change(machine)


def sensitivities(
    cases: Mapping[Case, tuple[str | Path, Machine]],
    relaxations: Sequence[str] | None = None,
    *,
    warmup: int | None = None,
    limit: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[Case, Sensitivity]:
    """Run several machines with traces as they are, and with one resource relaxed at a time, all in one go.

    Parameters:
        cases: any name of a case -> trace and machine; cases of one trace should follow each other.
        relaxations, warmup, limit, workers, progress: as for `sensitivity`.

    Raises:
        UnknownNameError: no such relaxation.
        TraceFileError: a trace cannot be read.
    """
    for name in relaxations or ():
        if name not in RELAXATIONS:
            raise unknown("relaxation", name, RELAXATIONS)
    names: dict[Case, list[str]] = {}
    jobs: list[Job] = []
    for case, (trace, machine) in cases.items():
        kind = machine.core.kind
        names[case] = [
            n for n, r in RELAXATIONS.items() if kind in r.cores and (relaxations is None or n in relaxations)
        ]
        machines = [machine, *(relaxed(machine, name) for name in names[case])]
        jobs += [Job(Path(trace), m, warmup, limit) for m in machines]
    timings = iter(run_jobs(jobs, workers, progress))
    return {
        case: _ranked(next(timings), {n: next(timings) for n in chosen}) for case, chosen in names.items()
    }


def sensitivity(
    trace: str | Path,
    machine: Machine,
    relaxations: Sequence[str] | None = None,
    *,
    warmup: int | None = None,
    limit: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Run a machine as it is, and with one resource relaxed at a time; rank the resources by the time they remove.

    Give the machine at the clock in question: `at_clock(cryo_ooo(), "100 GHz", "core")`.

    Parameters:
        trace: the trace's file.
        machine: core, caches and memory.
        relaxations: names of RELAXATIONS; None for all that the kind of core has.
        warmup: instructions before the timed window; None for the number that the trace names, or 0.
        limit: most instructions that are timed; None for all.
        workers, progress: as for `ClockSweep.run`.

    Raises:
        UnknownNameError: no such relaxation.
        TraceFileError: the trace cannot be read.

    Example:
        >>> from hwmodel.cryo.config import at_clock, cryo_ooo
        >>> fast = at_clock(cryo_ooo(), "100 GHz", "core")
        >>> sensitivity("bfs.hwt", fast).first.name  # doctest: +SKIP
        'l1d'
    """
    case = {"": (trace, machine)}
    return sensitivities(case, relaxations, warmup=warmup, limit=limit, workers=workers, progress=progress)[
        ""
    ]


def _ranked(base: Timing, timings: Mapping[str, Timing]) -> Sensitivity:
    """The reliefs, greatest first; of equals the one that RELAXATIONS names first."""
    reliefs = [
        Relief(name, RELAXATIONS[name].what, t.time, base.time - t.time, (base.time - t.time) / base.time)
        for name, t in timings.items()
    ]
    return Sensitivity(base, tuple(sorted(reliefs, key=lambda relief: -relief.removed)))
