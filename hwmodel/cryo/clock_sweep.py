"""The frequency sweep: workloads, machines, clocks and sets of fast domains, run as one thing.

Example:
    >>> from hwmodel.cryo.config import cryo_ooo
    >>> sweep = ClockSweep({"bfs": "bfs.hwt"}, {"ooo": cryo_ooo()}, ("4 GHz", "100 GHz"), ("core", "all"))
    >>> len(sweep.points)
    4
    >>> swept = sweep.run()  # doctest: +SKIP
    >>> swept.speedup("bfs", "ooo", "all", "100 GHz")  # doctest: +SKIP
    21.9
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hwmodel.cryo.config import DOMAIN_SETS, Machine, at_clock
from hwmodel.cryo.jobs import Job, run_jobs
from hwmodel.cryo.timing import Timing
from hwmodel.cryo.wall import Wall, fit_wall
from hwmodel.errors import SpecError, unknown
from hwmodel.units import Frequency, to_frequency

__all__ = ["ClockSweep", "SweepPoint", "Swept"]


class SweepPoint(NamedTuple):
    """One run of a sweep."""

    workload: str
    machine: str
    domains: str
    clock: Frequency


@dataclass(frozen=True)
class ClockSweep:
    """Every workload on every machine at every clock with every set of fast domains.

    Parameters:
        traces: name of a workload -> its trace's file.
        machines: name -> machine; what a set does not name keeps the clock that it has here.
        clocks: of the core and of what else is in the set, at least one.
        sets: names of DOMAIN_SETS; by default all five.
        warmup: instructions before the timed window; None for the number that each trace names, or 0.
        limit: most instructions that are timed; None for all.

    Raises:
        SpecError: nothing to run.
        UnknownNameError: no such set.
    """

    traces: Mapping[str, str | Path]
    machines: Mapping[str, Machine]
    clocks: Sequence[Frequency | str]
    sets: Sequence[str] = tuple(DOMAIN_SETS)
    warmup: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("traces", "machines", "clocks", "sets"):
            if not getattr(self, name):
                raise SpecError(f"ClockSweep({name}={getattr(self, name)!r}): give at least one")
        for domains in self.sets:
            if domains not in DOMAIN_SETS:
                raise unknown("set of fast domains", domains, DOMAIN_SETS)
        object.__setattr__(self, "clocks", tuple(to_frequency(clock, "clock") for clock in self.clocks))

    @property
    def points(self) -> list[SweepPoint]:
        """The runs, workload by workload."""
        return [
            SweepPoint(workload, machine, domains, to_frequency(clock))
            for workload in self.traces
            for machine in self.machines
            for domains in self.sets
            for clock in self.clocks
        ]

    def jobs(self) -> list[Job]:
        """The runs as jobs, in the order of `points`."""
        return [
            Job(
                Path(self.traces[point.workload]),
                at_clock(self.machines[point.machine], point.clock, point.domains),
                self.warmup,
                self.limit,
            )
            for point in self.points
        ]

    def run(self, workers: int | None = None, progress: Callable[[int, int], None] | None = None) -> Swept:
        """Run all of it.

        Runs that are the same run once: at the slow clock most sets are one machine. The outcome does not depend
        on the number of workers.

        Parameters:
            workers: processes; None for one a core that this process may use, 1 for none beside this one. With
                more than one, a script needs the usual `if __name__ == "__main__"` outside Linux.
            progress: called with (runs done, runs in all) after each run.

        Raises:
            SpecError: fewer than one worker.
            TraceFileError: a trace cannot be read.
            HwmodelError: a worker process died.
        """
        timings = run_jobs(self.jobs(), workers, progress)
        return Swept(self, dict(zip(self.points, timings, strict=True)))


@dataclass(frozen=True)
class Swept:
    """The timings of a sweep, and what follows from them.

    Attributes:
        sweep: what was run.
        timings: of each point.
    """

    sweep: ClockSweep
    timings: Mapping[SweepPoint, Timing]

    def timing(self, workload: str, machine: str, domains: str, clock: Frequency | str) -> Timing:
        """The timing of one run.

        Raises:
            UnknownNameError: the sweep has no such run.
        """
        point = SweepPoint(workload, machine, domains, to_frequency(clock, "clock"))
        if point not in self.timings:
            shown = [" ".join(map(str, other)) for other in self.timings]
            raise unknown("run of the sweep", " ".join(map(str, point)), shown)
        return self.timings[point]

    @property
    def base_clock(self) -> Frequency:
        """The lowest clock of the sweep."""
        return min((point.clock for point in self.timings), key=lambda clock: clock.hz)

    def speedup(self, workload: str, machine: str, domains: str, clock: Frequency | str) -> float:
        """Speed-up over the same machine at the lowest clock of the sweep, with the first of its sets."""
        base = self.timing(workload, machine, self.sweep.sets[0], self.base_clock)
        return base.time / self.timing(workload, machine, domains, clock).time

    def speedups(self, machine: str, domains: str, clock: Frequency | str) -> dict[str, float]:
        """Workload -> speed-up."""
        return {name: self.speedup(name, machine, domains, clock) for name in self.sweep.traces}

    def mean_speedup(self, machine: str, domains: str, clock: Frequency | str) -> float:
        """Arithmetic mean of the speed-ups of all workloads, as the reference gives it."""
        return math.fsum(self.speedups(machine, domains, clock).values()) / len(self.sweep.traces)

    def wall(self, workload: str, machine: str, domains: str) -> Wall:
        """The law T(f) = a / f + b of a workload with a set, weighted for relative errors.

        Raises:
            SpecError: the sweep has one clock only.
        """
        clocks = [to_frequency(clock) for clock in self.sweep.clocks]
        times = [self.timing(workload, machine, domains, clock).time for clock in clocks]
        return fit_wall(clocks, times)

    def walls(self, machine: str, domains: str) -> dict[str, Wall]:
        """Workload -> law."""
        return {name: self.wall(name, machine, domains) for name in self.sweep.traces}
