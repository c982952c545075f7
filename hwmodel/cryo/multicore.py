"""Several timed cores with private caches before one last level and one memory, for which they contend.

Importing this module loads no numba; the kernels are compiled, or taken from their cache, when a run begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any, Literal, get_args

from hwmodel.cryo._trace_base import TraceSource
from hwmodel.cryo.config import Machine
from hwmodel.cryo.timing import LevelResult, Timing
from hwmodel.errors import SpecError, unknown
from hwmodel.units import TimeLike, format_time, to_fs

__all__ = ["CoherenceCounts", "MultiTiming", "simulate_cores"]

Protocol = Literal["mesi", "moesi", "none"]
Spaces = Literal["separate", "shared"]
MAX_CORES = 16
QUANTUM_CYCLES = 8
Source = TraceSource | str | os.PathLike[str]


@dataclass(frozen=True)
class CoherenceCounts:
    """What keeping the caches coherent took, of one core or in all.

    Attributes:
        upgrades: writes of the core to a line in state S or O, which asked for the right to write.
        invalidations: lines that the core lost to another one's write.
        interventions: lines that the core gave to another: it had them in state M, O or E.
        sharing_misses: misses of the core on lines that another one's write had taken away, as far back as a table of
            4096 lines remembers.
        writebacks: lines that the core wrote to the last level because another core read them (MESI).
        upgrade_time: femtoseconds that its upgrades took.

    Example:
        >>> (CoherenceCounts(upgrades=1) + CoherenceCounts(upgrades=2)).upgrades
        3
    """

    upgrades: int = 0
    invalidations: int = 0
    interventions: int = 0
    sharing_misses: int = 0
    writebacks: int = 0
    upgrade_time: int = 0

    def __add__(self, other: CoherenceCounts) -> CoherenceCounts:
        return CoherenceCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class MultiTiming:
    """The outcome of a run of several cores.

    Attributes:
        cores: the timing of each; its entries for the last level and the memory are what this core asked of them.
        coherence: what coherence took, of each core.
        shared: the last level by its name, with the requests of all cores over the time of the longest.
        dram: the memory, likewise.

    Example:
        >>> MultiTiming((), (), {}, {}).instructions
        0
    """

    cores: tuple[Timing, ...]
    coherence: tuple[CoherenceCounts, ...]
    shared: dict[str, LevelResult]
    dram: dict[str, float]

    @property
    def instructions(self) -> int:
        """Instructions of all cores."""
        return sum(core.instructions for core in self.cores)

    @property
    def time(self) -> int:
        """Femtoseconds until the last core had ended."""
        return max((core.time for core in self.cores), default=0)

    @property
    def total_coherence(self) -> CoherenceCounts:
        """What coherence took in all."""
        return sum(self.coherence, CoherenceCounts())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a JSON file: a list of the cores, the shared levels, and totals."""
        both = zip(self.cores, self.coherence, strict=True)
        shared = {name: {**asdict(level)} for name, level in self.shared.items()}
        return {
            "cores": [{**core.as_dict(), "coherence": asdict(counts)} for core, counts in both],
            **shared,
            "dram": self.dram,
            "coherence": asdict(self.total_coherence),
            "instructions": self.instructions,
            "time_fs": self.time,
        }

    def __str__(self) -> str:
        lines = [f"core {n}: {core}" for n, core in enumerate(self.cores)]
        counts = ", ".join(
            f"{name.replace('_', ' ')} {n}"
            for name, n in asdict(self.total_coherence).items()
            if name != "upgrade_time"
        )
        return "\n".join([*lines, f"{self.instructions} instructions in {format_time(self.time)}; {counts}"])


def simulate_cores(
    traces: Source | Sequence[Source],
    machine: Machine | Sequence[Machine],
    *,
    cores: int | None = None,
    protocol: Protocol = "mesi",
    spaces: Spaces | Sequence[int] = "separate",
    quantum: TimeLike | None = None,
    warmup: int = 0,
    start: int = 0,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MultiTiming:
    """Run a trace on each of several cores that share the last level, its bus and the memory.

    The core that is furthest behind runs until it is a quantum ahead of the next; the others see in their turns what
    it did, while each access keeps its own time. A core whose trace has ended rests. One core alone gives what
    `simulate` gives. Cores are ranked by machine and trace first, so that the order of names does not matter.

    Parameters:
        traces: one a core, open or as paths; or one for all.
        machine: of each core, or one for all. Last level, memory, inclusion and pages must be the same.
        cores: how many, 1 to 16; as many as there are traces if not given.
        protocol: "mesi", "moesi", or "none": private caches that know nothing of each other.
        spaces: "separate" address spaces, one "shared" by all cores, or a number for each core, equal where shared.
        quantum: time by which a core may be ahead at the end of its turn; 8 cycles of the fastest core if not given.
        warmup: instructions of each core that are shown to caches and predictor before the timed window.
        start: first instruction of each.
        limit: most instructions of each that are timed; None for all.
        progress: called with (instructions done, instructions in all); the latter is 0 where it is not known.

    Returns:
        MultiTiming: the cores in the order in which they were named.

    Raises:
        TraceFileError: a damaged trace.
        SpecError: machines that cannot share a last level, a number that is out of range.
        UnknownNameError: no such protocol.

    Example:
        >>> import os, tempfile
        >>> from hwmodel.cryo import cryo_ooo, generators
        >>> path = os.path.join(tempfile.mkdtemp(), "stream.hwt")
        >>> _ = generators.generate(path, generators.Stream(1 << 14), instructions=2000)
        >>> simulate_cores(path, cryo_ooo(), cores=2).instructions
        4000
    """
    sources = listed(traces, cores, "traces")
    machines = listed(machine, len(sources), "machines")
    check_numbers(len(sources), protocol, {"warmup": warmup, "start": start, "limit": limit or 0})
    check_machines(machines)
    span = default_quantum(machines) if quantum is None else to_fs(quantum, "quantum")
    if span < 0:
        raise SpecError(f"simulate_cores(quantum={quantum!r}): give a time of 0 or more")
    numbers = space_numbers(spaces, len(sources))
    window = (start, start + warmup, None if limit is None else start + warmup + limit)
    with ExitStack() as stack:
        opened = [open_source(source, stack) for source in sources]
        return run_ranked(opened, machines, numbers, protocol, span, window, progress)


def run_ranked(
    sources: Sequence[TraceSource],
    machines: Sequence[Machine],
    spaces: Sequence[int],
    protocol: str,
    quantum: int,
    window: tuple[int, int, int | None],
    progress: Callable[[int, int], None] | None,
) -> MultiTiming:
    """Run cores in an order of their own and return their figures in the order given."""
    from hwmodel.cryo._multicore_run import CoresRun, ranking

    order = ranking(sources, machines, spaces)
    run = CoresRun(
        [machines[n] for n in order],
        [sources[n] for n in order],
        renumbered([spaces[n] for n in order]),
        protocol,
        quantum,
    )
    first, timed, stop = window
    run.warm(first, timed)
    run.run(timed, stop, progress)
    found = run.result()
    back = sorted(range(len(order)), key=order.__getitem__)
    return MultiTiming(
        tuple(found.cores[n] for n in back), tuple(found.coherence[n] for n in back), found.shared, found.dram
    )


def check_numbers(cores: int, protocol: str, numbers: Mapping[str, Any]) -> None:
    """Refuse what is out of range."""
    if not 1 <= cores <= MAX_CORES:
        raise SpecError(f"simulate_cores: {cores} cores; give 1 to {MAX_CORES}")
    if protocol not in get_args(Protocol):
        raise unknown("protocol", str(protocol), get_args(Protocol))
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise SpecError(f"simulate_cores({name}={value!r}): give a whole number of 0 or more")


def listed(given: Any, count: int | None, what: str) -> list[Any]:
    """Return one item a core, of a list, or of one item for all."""
    if count is not None and (isinstance(count, bool) or not isinstance(count, Integral) or count < 1):
        raise SpecError(f"simulate_cores(cores={count!r}): give 1 to {MAX_CORES}")
    items = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if count is not None and len(items) == 1:
        items *= int(count)
    if count is not None and len(items) != count:
        raise SpecError(f"simulate_cores: {len(items)} {what} for {count} cores; give one, or one a core")
    return items


def check_machines(machines: Sequence[Machine]) -> None:
    """Refuse machines that cannot share a last level and a memory."""
    first = machines[0]
    if not isinstance(first, Machine):
        raise SpecError(f"simulate_cores(machine={first!r}): give a Machine, such as cryo_ooo()")
    if first.l3 is None:
        raise SpecError("simulate_cores: the machine has no l3, the level that cores share; give it one")
    known = {"l1d", "l1i", "l2", "l3"}
    for number, machine in enumerate(machines):
        if not set(machine.levels) <= known:
            raise SpecError(
                f"simulate_cores: core {number} has levels {', '.join(machine.levels)}; only l3 can be shared"
            )
        for name in ("l3", "dram", "inclusion", "first_touch", "shuffle_pages"):
            if getattr(machine, name) != getattr(first, name):
                raise SpecError(
                    f"simulate_cores: core {number} has {name}={getattr(machine, name)!r}, core 0 "
                    f"{getattr(first, name)!r}; give all cores the same, for they share it"
                )


def space_numbers(spaces: Spaces | Sequence[int], cores: int) -> list[int]:
    """Return the address space of each core as a small number."""
    if isinstance(spaces, str):
        if spaces not in get_args(Spaces):
            raise unknown("kind of address spaces", spaces, get_args(Spaces))
        return [0] * cores if spaces == "shared" else list(range(cores))
    numbers = list(spaces)
    if len(numbers) != cores:
        raise SpecError(f"simulate_cores(spaces={numbers}): {cores} cores; give a number for each")
    return renumbered(numbers)


def renumbered(numbers: Sequence[int]) -> list[int]:
    """Return numbers from 0 on, in the order in which they first appear, equal where those given are."""
    seen: dict[int, int] = {}
    return [seen.setdefault(number, len(seen)) for number in numbers]


def default_quantum(machines: Sequence[Machine]) -> int:
    """Return some cycles of the fastest core, in femtoseconds."""
    fastest = max(machine.core.clock.hz for machine in machines)
    return int(QUANTUM_CYCLES * 10**15 / fastest)


def open_source(source: Source, stack: ExitStack, form: str | None = None) -> TraceSource:
    """Return an open trace, which the stack closes if it was opened here; `form` is its format, if it is known."""
    if not isinstance(source, str | os.PathLike):
        return source
    from hwmodel.cryo.trace_formats import open_trace

    opened: Any = open_trace(source, form)
    if hasattr(opened, "close"):
        stack.callback(opened.close)
    found: TraceSource = opened
    return found
