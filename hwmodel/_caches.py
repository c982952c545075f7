"""The work of `hwmodel cachesim`: one trace, one machine, one table of figures.

Nothing heavy is imported before a run starts.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwmodel._arguments import write_json
from hwmodel.errors import OutputError, SpecError, unknown

if TYPE_CHECKING:
    from hwmodel.cryo.config import Machine
    from hwmodel.cryo.timing import Timing

__all__ = ["CacheRun", "cachesim"]

PATIENCE_S, REDRAW_S = 2.0, 0.2


@dataclass(frozen=True)
class CacheRun:
    """What is to be run, as the command line says it."""

    trace: Path
    config: Path | None = None
    preset: str | None = None
    format: str | None = None
    warmup: int = 0
    start: int = 0
    limit: int | None = None
    core_clock: str | None = None
    fast_domains: str = "core"
    json: Path | None = None
    more: tuple[Path, ...] = ()
    cores: int | None = None
    protocol: str = "mesi"
    spaces: str = "separate"


def cachesim(run: CacheRun) -> list[str]:
    """Run one trace and return the lines to print; the figures go to `run.json` where that is given.

    Raises:
        SpecError: a configuration that no machine has, or options that exclude each other.
        TraceFileError: a damaged trace.
        OutputError: the JSON file cannot be written.
    """
    from hwmodel.cryo.toml import read_toml
    from hwmodel.cryo.trace import Trace
    from hwmodel.cryo.trace_formats import open_trace

    if run.json is not None and not run.json.parent.is_dir():
        raise OutputError(f"{run.json}: cannot be written: there is no folder {run.json.parent}")
    tables: dict[str, Any] = read_toml(run.config) if run.config is not None else {}
    if run.preset is not None:
        tables["preset"] = run.preset
    if run.more or run.cores is not None:
        if tables.get("mode") == "functional":
            raise SpecError(
                f"{run.config}: mode 'functional' runs one trace; several cores need a timed mode, 'ooo' or 'inorder'"
            )
        figures, lines = _several(run, _machine(run, tables))
        if run.json is not None:
            write_json(run.json, figures)
        return lines
    source = open_trace(run.trace, run.format)
    try:
        if tables.get("mode") == "functional":
            figures, lines = _functional(run, tables, source)
        else:
            lines, figures = _timed(run, _machine(run, tables), source)
    finally:
        if isinstance(source, Trace):
            source.close()
    if run.json is not None:
        write_json(run.json, figures)
    return lines


def _machine(run: CacheRun, tables: dict[str, Any]) -> Machine:
    from hwmodel.cryo.config import DOMAIN_SETS, at_clock
    from hwmodel.cryo.toml import machine_from

    if run.fast_domains not in DOMAIN_SETS:
        raise unknown("set of fast domains", run.fast_domains, DOMAIN_SETS)
    machine = machine_from(tables, str(run.config or "the command line"))
    if run.core_clock is None:
        if run.fast_domains != "core":
            raise SpecError(
                f"--fast-domains {run.fast_domains} needs --core-clock, the clock at which they run"
            )
        return machine
    return at_clock(machine, run.core_clock, run.fast_domains)


def _timed(run: CacheRun, machine: Machine, source: Any) -> tuple[list[str], dict[str, Any]]:
    from hwmodel.cryo.timing import simulate

    with _Progress() as progress:
        timing = simulate(
            source, machine, warmup=run.warmup, start=run.start, limit=run.limit, progress=progress.step
        )
    figures = {"mode": machine.core.kind, "trace": run.trace.name, "warmup": run.warmup, **timing.as_dict()}
    return _table(timing, machine), figures


def _several(run: CacheRun, machine: Machine) -> tuple[dict[str, Any], list[str]]:
    from hwmodel.cryo.multicore import open_source, simulate_cores

    paths = [run.trace, *run.more]
    with ExitStack() as stack, _Progress() as progress:
        timing = simulate_cores(
            [open_source(path, stack, run.format) for path in paths],
            machine,
            cores=run.cores,
            protocol=run.protocol,  # type: ignore[arg-type]  # refused there if unknown
            spaces=run.spaces,  # type: ignore[arg-type]
            warmup=run.warmup,
            start=run.start,
            limit=run.limit,
            progress=progress.step,
        )
    names = [path.name for path in paths] * (len(timing.cores) // len(paths))
    figures = {"mode": machine.core.kind, "traces": names, "warmup": run.warmup, **timing.as_dict()}
    lines = []
    for number, (name, core) in enumerate(zip(names, timing.cores, strict=True)):
        lines += [f"core {number}, {name}", *_table(core, machine)[:-2], ""]
    return figures, [*lines, str(timing).splitlines()[-1]]


def _table(timing: Timing, machine: Machine) -> list[str]:
    lines = [str(timing), ""]
    if not timing.instructions:
        lines.insert(
            1, "nothing was timed: start and warm-up reach to the end of the trace, or the limit is 0"
        )
    lines.append(
        f"{'level':<6}{'accesses':>12}{'misses':>11}{'rate':>8}{'writebacks':>12}{'latency':>11}{'GB/s':>9}"
    )
    for name, level in timing.levels.items():
        rate = level.misses / level.accesses if level.accesses else 0.0
        latency = f"{level.mean_read_latency / 1e6:.2f} ns" if level.mean_read_latency else "-"
        lines.append(
            f"{name:<6}{level.accesses:>12}{level.misses:>11}{rate:>8.2%}{level.writebacks:>12}{latency:>11}"
            f"{level.bandwidth / 1e9:>9.2f}"
        )
    lines.append(
        f"{'dram':<6}{timing.dram['reads'] + timing.dram['writes']:>12.0f}{'':>11}{'':>8}{'':>12}{'':>11}"
        f"{timing.dram['bandwidth'] / 1e9:>9.2f}"
    )
    wrong = timing.mispredicted / timing.branches if timing.branches else 0.0
    lines += [
        "",
        f"branches {timing.branches}, mispredicted {wrong:.2%}; memory-order violations {timing.order_violations}",
        f"core at {float(machine.core.clock.hz / 10**9):.6g} GHz, 1 GB/s = 1e9 bytes a second",
    ]
    return lines


def _functional(run: CacheRun, tables: dict[str, Any], source: Any) -> tuple[dict[str, Any], list[str]]:
    from hwmodel.cryo.functional import functional_from

    caches = functional_from(tables, str(run.config or "the command line"))
    first = run.start + run.warmup
    if run.warmup:
        caches.run(source, run.start, first)
        caches.reset_counts()
    stop = None if run.limit is None else first + run.limit
    levels = {name: level.as_dict() for name, level in caches.run(source, first, stop).items()}
    total = int(source.meta.get("instructions") or 0)
    instructions = max(0, min(total, stop if stop is not None else total) - first)
    figures: dict[str, Any] = {"mode": "functional", "trace": run.trace.name, "warmup": run.warmup}
    figures |= {"instructions": instructions, **levels}
    lines = [f"{instructions} instructions or accesses", ""]
    lines.append(f"{'level':<6}{'reads':>12}{'misses':>11}{'writes':>12}{'misses':>11}{'writebacks':>12}")
    for name, level in levels.items():
        lines.append(
            f"{name:<6}{level['read_accesses']:>12}{level['read_misses']:>11}{level['write_accesses']:>12}"
            f"{level['write_misses']:>11}{level['writebacks']:>12}"
        )
    return figures, lines


class _Progress:
    """A bar on the terminal for runs of more than two seconds."""

    def __init__(self) -> None:
        self.began = self.drawn = time.monotonic()
        self.shown = False

    def __enter__(self) -> _Progress:
        return self

    def step(self, done: int, total: int) -> None:
        """Draw the bar anew if it is time."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self.began < PATIENCE_S or now - self.drawn < REDRAW_S:
            return
        self.drawn, self.shown = now, True
        share = f"{done / total:4.0%} " if total else ""
        rate = done / (now - self.began) / 1e6
        print(
            f"\r{share}{done / 1e6:.1f} M instructions, {rate:.1f} M/s ", end="", file=sys.stderr, flush=True
        )

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
