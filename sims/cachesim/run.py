"""Sweep clocks and domains, fit the wall, find what sets it, and repeat a part with true latencies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from hwmodel.cryo.clock_sweep import ClockSweep, Swept
from hwmodel.cryo.config import DOMAIN_SETS, Machine, at_clock, cryo_inorder, cryo_ooo
from hwmodel.cryo.jobs import Job, run_jobs
from hwmodel.cryo.technology import technology as find_technology
from hwmodel.cryo.timing import Timing
from hwmodel.cryo.wall import Sensitivity, Wall, roofline, sensitivities
from hwmodel.errors import SpecError, unknown
from hwmodel.kernel import Result
from hwmodel.simulation import Outcome, RunContext
from hwmodel.units import Frequency

from . import pictures, tables, truth

SHIPPED = Path(__file__).resolve().parent / "traces"
SUFFIXES = (".hwt.xz", ".hwt")
CORES = {"inorder": cryo_inorder, "ooo": cryo_ooo}
MAX_WORKERS = 256


@dataclass(frozen=True)
class Spec:
    """Parameters; spec.toml says what they mean.

    Raises:
        SpecError: with the parameter, its value and the remedy.
        UnknownNameError: no such core, set, technology or trace.
    """

    workloads: tuple[str, ...]
    cores: tuple[str, ...]
    clocks: tuple[Frequency, ...]
    sets: tuple[str, ...]
    instructions: int
    sensitivity_clock: Frequency
    sensitivity_sets: tuple[str, ...]
    technology_clocks: tuple[Frequency, ...]
    temperatures_k: tuple[float, ...]
    technology: str
    carnot_fraction: str | float
    workers: int
    traces: str

    def __post_init__(self) -> None:
        for name, known in (("cores", CORES), ("sets", DOMAIN_SETS), ("sensitivity_sets", DOMAIN_SETS)):
            for value in getattr(self, name):
                if value not in known:
                    raise unknown(name, value, known)
        for name in ("workloads", "cores", "sets"):
            if not getattr(self, name) or len(set(getattr(self, name))) != len(getattr(self, name)):
                raise SpecError(f"{name}={list(getattr(self, name))}: give at least one, and none twice")
        if len(self.clocks) < 2 or [c.hz for c in self.clocks] != sorted({c.hz for c in self.clocks}):
            raise SpecError(
                f"clocks={list(self.clocks)}: give at least two that rise, such as '4 GHz', '100 GHz'"
            )
        if self.instructions < 0:
            raise SpecError(f"instructions={self.instructions}: give a number, or 0 for all")
        if not 0 <= self.workers <= MAX_WORKERS:
            raise SpecError(f"workers={self.workers}: give 1 to {MAX_WORKERS}, or 0 for one a core")
        find_technology(self.technology)
        for workload in self.workloads:
            self.trace_of(workload)

    @property
    def folder(self) -> Path:
        """Where the traces are."""
        return Path(self.traces) if self.traces else SHIPPED

    def trace_of(self, workload: str) -> Path:
        """The trace of a workload."""
        for suffix in SUFFIXES:
            file = self.folder / f"{workload}{suffix}"
            if file.is_file():
                return file
        known = {p.name.split(".")[0] for s in SUFFIXES for p in self.folder.glob(f"*{s}")}
        raise unknown(f"trace in {self.folder}", workload, sorted(known))

    def made_of(self, kelvin: float) -> str:
        """Technology of the caches at a temperature: what all is held against at room temperature is SRAM."""
        return truth.WARM if kelvin == truth.ROOM_K else self.technology

    @property
    def limit(self) -> int | None:
        """Most instructions that are timed."""
        return self.instructions or None

    @property
    def pool(self) -> int | None:
        """Worker processes, None for one a core."""
        return self.workers or None

    @property
    def machines(self) -> dict[str, Machine]:
        """The machines at their slow clock, by core."""
        return {name: CORES[name]() for name in self.cores}


def run(spec: Spec, context: RunContext) -> Outcome:
    """Sweep, fit, relax, compare with the technology, draw."""
    low = [
        truth.undercuts(m, spec.clocks, spec.temperatures_k, spec.technology) for m in spec.machines.values()
    ]
    undercut = [_undercut(item) for item in low[0]]  # all machines have the same caches
    for line in tables.warnings(undercut):
        context.say(line)
    swept = _sweep(spec, context)
    relaxed = _relax(spec, context)
    metrics: dict[str, Any] = {
        **_headline(spec, swept),
        "speedup": _speedups(swept),
        "wall": _walls(swept),
        "cpi": _stacks(spec, swept),
        "sensitivity": _shares(relaxed),
        "roofline": _rooflines(spec, swept),
        "technology": {"rows": _technology(spec, context, swept), "undercut": undercut},
    }
    _draw(spec, context, swept, relaxed)
    summary = _summary(spec, metrics)
    manifest = {"name": "cachesim", "warnings": tables.warnings(undercut, lines=8)}
    fingerprint = f"{sum(t.time for t in swept.timings.values()) & (2**64 - 1):016x}"
    stats = {
        f"{p.machine}.{p.workload}.{p.domains}.{_name(p.clock)}": t.time for p, t in swept.timings.items()
    }
    return Outcome(Result({}, stats, manifest, fingerprint), metrics, summary)


def _name(clock: Frequency) -> str:
    return f"{float(clock.hz / Fraction(10**9)):g} GHz"


def _sweep(spec: Spec, context: RunContext) -> Swept:
    traces = {name: spec.trace_of(name) for name in spec.workloads}
    sweep = ClockSweep(traces, spec.machines, spec.clocks, spec.sets, limit=spec.limit)
    context.say(
        f"{len(sweep.points)} runs: {len(spec.workloads)} workloads, {len(spec.sets)} sets of fast domains,"
        f" {len(spec.clocks)} clocks, {len(spec.cores)} kinds of core"
    )
    with context.progress("clocks and domains", len(sweep.points)) as done:
        return sweep.run(spec.pool, lambda n, total: done(n * len(sweep.points) / total))


def _relax(spec: Spec, context: RunContext) -> dict[tuple[str, str, str], Sensitivity]:
    cases = {
        (workload, core, domains): (
            spec.trace_of(workload),
            at_clock(machine, spec.sensitivity_clock, domains),
        )
        for workload in spec.workloads
        for core, machine in spec.machines.items()
        for domains in spec.sensitivity_sets
    }
    if not cases:
        return {}
    context.say(f"sensitivity: {len(cases)} runs, each again with one resource relaxed at a time")
    with context.progress("sensitivity", 1.0) as done:
        return sensitivities(
            cases, limit=spec.limit, workers=spec.pool, progress=lambda n, total: done(n / total)
        )


def _headline(spec: Spec, swept: Swept) -> dict[str, Any]:
    found: dict[str, Any] = {
        "runs": len(swept.timings),
        "instructions": sum(t.instructions for t in swept.timings.values()),
    }
    for core in spec.cores:
        for domains in spec.sets:
            mean = swept.mean_speedup(core, domains, spec.clocks[-1])
            found[f"{core}_{domains}_speedup_at_{_name(spec.clocks[-1]).replace(' ', '')}"] = mean
    return found


def _speedups(swept: Swept) -> dict[str, Any]:
    sweep = swept.sweep
    clocks = [c for c in sweep.clocks if isinstance(c, Frequency)]
    return {
        core: {
            domains: {
                _name(clock): {
                    "mean": swept.mean_speedup(core, domains, clock),
                    **swept.speedups(core, domains, clock),
                }
                for clock in clocks
            }
            for domains in sweep.sets
        }
        for core in sweep.machines
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _wall(law: Wall) -> dict[str, Any]:
    return {
        "a_cycles": law.cycles,
        "b_ns": law.floor / 1e6,
        "plateau": _finite(law.plateau()),
        "half_plateau_ghz": _finite(law.half_plateau / 1e9),
        "mean_error": law.mean_error,
        "max_error": law.max_error,
    }


def _walls(swept: Swept) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for core in swept.sweep.machines:
        for domains in swept.sweep.sets:
            laws = swept.walls(core, domains)
            errors = [abs(r) for law in laws.values() for r in law.residuals]
            found.setdefault(core, {})[domains] = {
                "mean_error": sum(errors) / len(errors),
                "max_error": max(errors),
                "workloads": {name: _wall(law) for name, law in laws.items()},
            }
    return found


def _stacks(spec: Spec, swept: Swept) -> dict[str, Any]:
    """Cycles an instruction by cause, with the first set and with the last."""
    return {
        core: {
            domains: {
                _name(clock): {w: _stack(swept.timing(w, core, domains, clock)) for w in spec.workloads}
                for clock in spec.clocks
            }
            for domains in dict.fromkeys((spec.sets[0], spec.sets[-1]))
        }
        for core in spec.cores
    }


def _stack(timing: Timing) -> dict[str, float]:
    return {part: cycles / timing.instructions for part, cycles in timing.cpi_stack.items()}


def _shares(relaxed: Mapping[tuple[str, str, str], Sensitivity]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (workload, core, domains), result in relaxed.items():
        by = found.setdefault(core, {}).setdefault(domains, {"clock": "", "workloads": {}})
        by["workloads"][workload] = {r.name: r.share for r in result.reliefs}
    for by_core in found.values():
        for by in by_core.values():
            names = next(iter(by["workloads"].values()))
            count = len(by["workloads"])
            by["mean"] = {n: sum(w[n] for w in by["workloads"].values()) / count for n in names}
    return found


def _roofline_runs(spec: Spec, swept: Swept, core: str) -> dict[str, dict[str, Any]]:
    """Points of the first set at the lowest and the highest clock."""
    machine, domains = spec.machines[core], spec.sets[0]
    return {
        _name(clock): {
            w: roofline(swept.timing(w, core, domains, clock), at_clock(machine, clock, domains))
            for w in spec.workloads
        }
        for clock in (spec.clocks[0], spec.clocks[-1])
    }


def _rooflines(spec: Spec, swept: Swept) -> dict[str, Any]:
    return {
        core: {
            clock: {
                w: {
                    level: {
                        "instructions_per_byte": point.intensity,
                        "instructions_per_second": point.performance,
                        "binding": point.binding,
                        "share": point.share,
                    }
                    for level, point in points.items()
                }
                for w, points in by.items()
            }
            for clock, by in _roofline_runs(spec, swept, core).items()
        }
        for core in spec.cores
    }


def _undercut(item: truth.Undercut) -> dict[str, Any]:
    return {
        "level": item.level,
        "clock_ghz": float(item.clock.hz) / 1e9,
        "kelvin": item.kelvin,
        "configured_ps": item.configured_ps,
        "needed_ps": item.needed_ps,
        "needed_cycles": item.needed_cycles,
        "factor": item.factor,
        "message": item.message,
    }


@dataclass(frozen=True)
class _Case:
    """One line of the technology table: a core at a temperature and a clock, and its runs by workload."""

    core: str
    kelvin: float
    clock: Frequency
    machine: Machine
    timings: Mapping[str, Timing]

    def per_joule(self, spec: Spec, workload: str) -> float:
        """Instructions a joule, cooling included."""
        return truth.instructions_per_joule(
            self.timings[workload], self.heat(spec, workload), spec.carnot_fraction
        )

    def heat(self, spec: Spec, workload: str) -> dict[float, float]:
        """Watts by temperature, without cooling."""
        return truth.watts(self.machine, self.timings[workload], self.kelvin, spec.made_of(self.kelvin))

    def wall_watts(self, spec: Spec, workload: str) -> float:
        """Watts with cooling."""
        timing = self.timings[workload]
        return timing.instructions / (timing.time * 1e-15) / self.per_joule(spec, workload)


def _technology(spec: Spec, context: RunContext, swept: Swept) -> list[dict[str, Any]]:
    """The table: of each core the warm machine at the lowest clock first, against which the others are held."""
    if not spec.technology_clocks:
        return []
    places = [
        (truth.ROOM_K, spec.technology_clocks[0]),
        *((kelvin, clock) for kelvin in spec.temperatures_k for clock in spec.technology_clocks),
    ]
    keys = [(core, kelvin, clock) for core in spec.cores for kelvin, clock in places]
    machines = [truth.true_machine(spec.machines[core], c, k, spec.made_of(k)) for core, k, c in keys]
    jobs = [Job(spec.trace_of(w), machine, None, spec.limit) for w in spec.workloads for machine in machines]
    context.say(f"{len(jobs)} runs with latencies that the technology can do")
    with context.progress("true latencies", 1.0) as done:
        timings = run_jobs(jobs, spec.pool, lambda n, total: done(n / total))
    cases = [
        _Case(*key, machine, dict(zip(spec.workloads, timings[i :: len(keys)], strict=True)))
        for i, (key, machine) in enumerate(zip(keys, machines, strict=True))
    ]
    return [_row(spec, case, cases[i // len(places) * len(places)], swept) for i, case in enumerate(cases)]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)


def _row(spec: Spec, case: _Case, base: _Case, swept: Swept) -> dict[str, Any]:
    levels, works = case.machine.levels, spec.workloads
    # What the reference's cycles would give, where the sweep has that run.
    known = all((w, case.core, "all", case.clock) in swept.timings for w in works)
    return {
        "core": case.core,
        "kelvin": case.kelvin,
        "clock": _name(case.clock),
        **{f"{name}_cycles": levels[name].latency for name in ("l1d", "l2", "l3")},
        "speedup": _mean(base.timings[w].time / case.timings[w].time for w in works),
        "speedup_reference": _mean(
            base.timings[w].time / swept.timing(w, case.core, "all", case.clock).time for w in works
        )
        if known
        else None,
        "watts": _mean(sum(case.heat(spec, w).values()) for w in works),
        "watts_with_cooling": _mean(case.wall_watts(spec, w) for w in works),
        "per_joule": _mean(case.per_joule(spec, w) for w in works),
        "per_joule_relative": _mean(case.per_joule(spec, w) / base.per_joule(spec, w) for w in works),
    }


def _draw(
    spec: Spec, context: RunContext, swept: Swept, relaxed: Mapping[tuple[str, str, str], Sensitivity]
) -> None:
    with context.progress("pictures", len(spec.cores)) as done:
        for number, core in enumerate(spec.cores, 1):
            pictures.mean_speedups(context.out, swept, core)
            pictures.speedups_by_set(context.out, swept, core)
            pictures.cpi_stacks(context.out, swept, core)
            pictures.wall_fits(context.out, swept, core)
            for domains in spec.sensitivity_sets[:1]:
                shares = {
                    w: {r.name: r.share for r in relaxed[w, core, domains].reliefs} for w in spec.workloads
                }
                title = f"{core}, {_name(spec.sensitivity_clock)}, fast: {tables.LABELS[domains]}: one resource relaxed"
                pictures.sensitivity_bars(context.out, shares, core, title)
            pictures.rooflines(context.out, _roofline_runs(spec, swept, core), core)
            done(number)


def _summary(spec: Spec, metrics: dict[str, Any]) -> list[str]:
    for by_core in metrics["sensitivity"].values():
        for by in by_core.values():
            by["clock"] = _name(spec.sensitivity_clock)
    lines: list[str] = []
    for core in spec.cores:
        lines += tables.speedups(core, metrics, spec.workloads)
    for core in spec.cores:
        lines += tables.cpi(core, metrics)
    for core in spec.cores:
        lines += tables.walls(core, metrics)
        lines += tables.sensitivity(core, metrics)
    lines += tables.technology(metrics)
    return [*lines, ""]
