"""Our sweep beside the statistics of the reference's repository: shapes, orders, laws, units."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodel.cryo.clock_sweep import ClockSweep, Swept
from hwmodel.cryo.config import DOMAIN_SETS, cryo_inorder, cryo_ooo
from hwmodel.errors import SpecError, unknown
from hwmodel.kernel import Result
from hwmodel.report import line_chart, save_chart
from hwmodel.simulation import Outcome, RunContext
from hwmodel.units import Frequency

from . import findings, reference

FOLDER = Path(__file__).resolve().parent
TRACES = FOLDER.parent / "cachesim" / "traces"
DATA = FOLDER.parent.parent.parent / "shared" / "data"
STATISTICS = "seed_gem5_stats.csv"
SETS = tuple(DOMAIN_SETS)
IN_ORDER_SETS = ("core", "everything")
SLACK = 0.99  # a set counts as no slower than another if it reaches this share of it
SATURATED = 0.9
MAX_WORKERS = 256


@dataclass(frozen=True)
class Spec:
    """Parameters; spec.toml says what they mean.

    Raises:
        SpecError: with the parameter, its value and the remedy.
        UnknownNameError: no such trace.
    """

    workloads: tuple[str, ...]
    clocks: tuple[Frequency, ...]
    instructions: int
    statistics: str
    workers: int

    def __post_init__(self) -> None:
        known = sorted(path.name.split(".")[0] for path in TRACES.glob("*.hwt.xz"))
        for workload in self.workloads:
            if workload not in known:
                raise unknown("trace", workload, known)
        if not self.workloads or len(set(self.workloads)) != len(self.workloads):
            raise SpecError(f"workloads={list(self.workloads)}: give at least one, and none twice")
        if len(self.clocks) < 2 or [c.hz for c in self.clocks] != sorted({c.hz for c in self.clocks}):
            raise SpecError(
                f"clocks={list(self.clocks)}: give at least two that rise, such as '4 GHz', '100 GHz'"
            )
        if self.instructions < 0:
            raise SpecError(f"instructions={self.instructions}: give a number, or 0 for all")
        if self.statistics and not (self.folder / STATISTICS).is_file():
            raise SpecError(
                f"statistics={self.statistics!r}: no {STATISTICS} there; name its folder, or leave it empty"
            )
        if not 0 <= self.workers <= MAX_WORKERS:
            raise SpecError(f"workers={self.workers}: give 1 to {MAX_WORKERS}, or 0 for one a core")

    @property
    def folder(self) -> Path:
        """Where the repository's statistics are, or would be."""
        if self.statistics:
            return Path(self.statistics)
        return Path(os.environ.get("HWMODEL_REFERENCE", DATA)) / "cryo" / "gem5_reference"


def run(spec: Spec, context: RunContext) -> Outcome:
    """Read theirs, run ours, compare, draw."""
    file = spec.folder / STATISTICS
    if file.is_file() or spec.statistics:
        theirs = reference.derived(reference.read_statistics(file))
        queues = findings.full_queues(spec.folder)
    else:
        context.say(f"no {STATISTICS} in {spec.folder}: the reference's figures are those of paper.toml")
        theirs, queues = reference.paper(), {}
    swept, in_order = _sweeps(spec, context)
    ours = _ours(spec, swept, in_order)
    metrics = {
        **_verdict(spec, swept, ours),
        "ours": ours,
        "reference": theirs,
        "full_queues": queues,
        "latencies": findings.latencies(),
        "ticks": findings.ticks(),
    }
    _draw(context, theirs, swept)
    summary = [
        *_tables(spec, theirs, ours),
        "",
        *_verdict_lines(metrics),
        "",
        *findings.lines(theirs, ours, queues),
        "",
    ]
    runs = {**swept.timings, **in_order.timings}
    stats = {f"{p.machine}.{p.workload}.{p.domains}.{_name(p.clock)}": t.time for p, t in runs.items()}
    fingerprint = f"{sum(stats.values()) & (2**64 - 1):016x}"
    return Outcome(Result({}, stats, {"name": "high_frequency_cores"}, fingerprint), metrics, summary)


def _name(clock: Frequency | str) -> str:
    return clock if isinstance(clock, str) else f"{float(clock.hz) / 1e9:g} GHz"


def _sweeps(spec: Spec, context: RunContext) -> tuple[Swept, Swept]:
    traces = {name: TRACES / f"{name}.hwt.xz" for name in spec.workloads}
    limit, pool = spec.instructions or None, spec.workers or None
    ends = (spec.clocks[0], spec.clocks[-1])
    sweeps = (
        ClockSweep(traces, {"ooo": cryo_ooo()}, spec.clocks, SETS, limit=limit),
        ClockSweep(traces, {"inorder": cryo_inorder()}, ends, IN_ORDER_SETS, limit=limit),
    )
    found = []
    for sweep in sweeps:
        context.say(f"{len(sweep.points)} runs of {len(traces)} workloads, {next(iter(sweep.machines))}")
        with context.progress("clocks and domains", 1.0) as done:
            found.append(sweep.run(pool, lambda n, total, done=done: done(n / total)))  # type: ignore[misc]
    return found[0], found[1]


def _ours(spec: Spec, swept: Swept, in_order: Swept) -> dict[str, Any]:
    """Our figures in the form of the reference's."""
    found: dict[str, Any] = {"speedup": {"ooo": {}, "inorder": {}}, "law": {}}
    for core, sweep, sets in (("ooo", swept, SETS), ("inorder", in_order, IN_ORDER_SETS)):
        for domains in sets:
            for clock in sweep.sweep.clocks[1:]:
                by = sweep.speedups(core, domains, clock)
                mean = sweep.mean_speedup(core, domains, clock)
                figures = {"mean": mean, "low": min(by.values()), "high": max(by.values()), **by}
                found["speedup"][core].setdefault(domains, {})[_name(clock)] = figures
    for domains in SETS:
        laws = swept.walls("ooo", domains)
        errors = [abs(r) for law in laws.values() for r in law.residuals]
        found["law"][domains] = {"mean_error": sum(errors) / len(errors), "max_error": max(errors)}
    fast = {w: swept.timing(w, "ooo", "core", spec.clocks[-1]) for w in spec.workloads}
    best = max(fast, key=lambda w: fast[w].levels["l1d"].bandwidth)
    found["bandwidth"] = reference.bandwidth(best, fast[best].levels["l1d"].bandwidth / 8)
    return found


def _verdict(spec: Spec, swept: Swept, ours: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the shapes are those of the reference."""
    top = spec.clocks[-1]
    ordered = {}
    for workload in spec.workloads:
        values = [swept.speedup(workload, "ooo", domains, top) for domains in SETS]
        ordered[workload] = all(b >= SLACK * a for a, b in itertools.pairwise(values))
    means = [swept.mean_speedup("ooo", domains, top) for domains in SETS]
    core = [swept.mean_speedup("ooo", "core", c) for c in spec.clocks if c.hz <= 20 * 10**9]
    return {
        "ordered_workloads": sum(ordered.values()),
        "workloads": len(ordered),
        "mean_ordered": all(b >= SLACK * a for a, b in itertools.pairwise(means)),
        "core_only_at_20_ghz_over_highest": max(core) / means[0],
        "core_only_saturates_by_20_ghz": max(core) >= SATURATED * means[0],
        "law_mean_error_l1l2": ours["law"]["l1l2"]["mean_error"],
        "law_mean_error_all": ours["law"]["all"]["mean_error"],
    }


def _verdict_lines(metrics: Mapping[str, Any]) -> list[str]:
    yes = {True: "yes", False: "no"}
    return [
        (
            f"order core <= +L1 <= +L1,L2 <= +L1,L2,L3 <= everything: mean {yes[metrics['mean_ordered']]}, "
            f"{metrics['ordered_workloads']} of {metrics['workloads']} workloads"
        ),
        (
            f"core only saturates by 20 GHz: {yes[metrics['core_only_saturates_by_20_ghz']]}, "
            f"{metrics['core_only_at_20_ghz_over_highest']:.0%} of the speed-up at the highest clock"
        ),
    ]


def _tables(spec: Spec, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    clocks = [_name(c) for c in spec.clocks[1:]]
    lines: list[str] = []
    for core in ("ooo", "inorder"):
        shown = clocks if core == "ooo" else clocks[-1:]
        head = "".join(f"{c:>18}" for c in shown)
        lines += ["", f"{core}: mean speed-up over 4 GHz, the reference (its workloads) | ours"]
        lines.append(f"{'fast':<12}{head}{'range at the highest clock':>36}")
        for domains, by in ours["speedup"][core].items():
            other = theirs["speedup"][core].get(domains, {})
            cells = "".join(f"{_pair(other.get(c, {}).get('mean'), by[c]['mean']):>18}" for c in shown)
            ranges = " | ".join(
                f"{r['low']:.2f} .. {r['high']:.2f}" if "low" in r else "-"
                for r in (other.get(shown[-1], {}), by[shown[-1]])
            )
            lines.append(f"{domains:<12}{cells}{ranges:>36}")
    shared = [w for w in spec.workloads if w in theirs["speedup"]["ooo"]["core"].get(clocks[-1], {})]
    if shared:
        lines += ["", f"ooo at {clocks[-1]}: workloads of the same name (other inputs), the reference | ours"]
        lines.append(f"{'fast':<12}" + "".join(f"{w:>18}" for w in shared))
        for domains, by in ours["speedup"]["ooo"].items():
            other = theirs["speedup"]["ooo"].get(domains, {}).get(clocks[-1], {})
            lines.append(
                f"{domains:<12}" + "".join(f"{_pair(other.get(w), by[clocks[-1]][w]):>18}" for w in shared)
            )
    return lines


def _pair(theirs: float | None, ours: float) -> str:
    return f"{'-' if theirs is None else f'{theirs:.2f}'} | {ours:.2f}"


def _draw(context: RunContext, theirs: Mapping[str, Any], swept: Swept) -> None:
    clocks = [float(c.hz) / 1e9 for c in swept.sweep.clocks if isinstance(c, Frequency)]
    for title, name, series in (
        (
            "The reference: mean speed-up, gem5",
            "reference",
            {
                domains: ([4.0, *(float(c.split()[0]) for c in by)], [1.0, *(v["mean"] for v in by.values())])
                for domains, by in theirs["speedup"]["ooo"].items()
            },
        ),
        (
            "Ours: mean speed-up",
            "ours",
            {d: (clocks, [swept.mean_speedup("ooo", d, c) for c in swept.sweep.clocks]) for d in SETS},
        ),
    ):
        figure = line_chart(
            {d: series[d] for d in SETS if d in series},
            title=f"{title}, out-of-order core, by what is fast",
            xlabel="clock, GHz",
            ylabel="speed-up over 4 GHz",
            xscale="log",
            yscale="log",
        )
        save_chart(figure, context.out / f"speedup_{name}")
