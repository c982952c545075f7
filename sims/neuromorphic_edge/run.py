"""Run the closed loop, see how well and how fast it follows its set points, and where time goes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import hwmodel as hw
from hwmodel.cryo import technology
from hwmodel.errors import ResultError, SpecError
from hwmodel.kernel import Profile, Result, profiled
from hwmodel.report import Latency, LatencyFigures, View, latency_table
from hwmodel.simulation import Outcome, ReportOptions, RunContext
from hwmodel.units import Frequency, Time, format_time, fs, to_fs

from . import pictures
from .loop import STAGES, UNITS, Loop, closed, rate_of

Ints = npt.NDArray[np.int64]

OVERVIEW = (
    "asic.result", "features.rate", "features.frame", "counter.valid", "readout.out_data", "taker.estimate",
    "core.stall", "core.step", "tuner.frequency",
)  # fmt: skip
CLOSE = (
    "sfq.clk", "sfq.a", "sfq.b", "sfq.out1", "sfq.out2", "sfq.out3", "sfq.out4",
    "counter.data", "readout.in_valid", "readout.out_valid", "core.estimate",
)  # fmt: skip
LATENCIES = (
    Latency("asic.hit", "asic.result", "order", label="chip: queue and serial line"),
    Latency("features.frame", "core.estimate", "order", label="frame over until the estimate is at the core"),
    Latency("core.estimate", "core.step", "order", label="core: estimate until doorbell"),
    Latency(
        "features.frame",
        "tuner.frequency",
        "order",
        offset=1,
        label="frame over until the chip's clock is set",
    ),
)
SHOWN_SLOTS = 12


@dataclass(frozen=True)
class Spec:
    """Parameters; spec.toml says what they mean.

    Raises:
        SpecError: with the parameter, its value and the remedy.
    """

    duration: Time
    targets: tuple[float, ...]
    intervals: int
    stride: int
    slots: int
    period: Time
    frequency: Frequency
    gain: int
    readout_clock: Frequency
    core_clock: Frequency
    simulator: Literal["auto", "verilator", "pyrtl"]

    def __post_init__(self) -> None:
        if not self.targets or not all(0 < target < 2000 / UNITS for target in self.targets):
            raise SpecError(f"targets={list(self.targets)}: give one or more million hits a second, above 0")
        if to_fs(self.duration) < to_fs("1 us"):
            raise SpecError(f"duration={self.duration}: shorter than a few hits; give 1 us or more")
        _ = self.loop  # what its parts refuse is refused here, before anything runs

    @property
    def loop(self) -> Loop:
        """The loop of these parameters."""
        return Loop(**{f.name: getattr(self, f.name) for f in fields(Loop) if hasattr(self, f.name)})

    @property
    def hold(self) -> int:
        """How long each target holds, fs."""
        return to_fs(self.duration) // len(self.targets)

    def wanted(self) -> list[int]:
        """Targets in units of estimates."""
        return [round(target * UNITS) for target in self.targets]


def make_system(spec: Spec, seed: int, **parts: Any) -> hw.System:
    """The loop with its set points as a stimulus; `parts` go to `closed`."""
    most = to_fs(spec.duration) * rate_of(650e6) / UNITS / 1e9 / spec.stride
    system = closed(spec.loop, seed, int(most) + 1, **parts)
    wanted = spec.wanted()
    system.drive("core.target", at=[fs(k * spec.hold) for k in range(len(wanted))], values=wanted)
    return system


def run(spec: Spec, context: RunContext) -> Outcome:
    """Run, measure, draw."""
    with profiled() as profile:
        system = make_system(spec, context.seed)
        watch = list(dict.fromkeys((*OVERVIEW, *CLOSE, "asic.hit", "core.target", "features.burst")))
        result = system.run(until=spec.duration, watch=watch, runner=context.runner, window=context.window)
        core: Any = system.engine("core")
    # Since its last step the core waits for an estimate that has not come; its figures hold what is over.
    last = result["core.step"].t[-1:].sum() if core.waiting else result.until
    waits = int(result.until) - int(last)
    frames = result["features.frame"].t
    rows = _latencies(result)
    metrics = _metrics(spec, result, rows, profile, core.timing(), waits)
    pictures.draw(spec, context.out, result)
    report = ReportOptions(
        signals=OVERVIEW,
        views=_views(spec, frames),
        latencies=tuple(row.pair for row in rows),
        groups=STAGES,
    )
    return Outcome(result, metrics, _summary(spec, metrics, profile), report)


def _views(spec: Spec, frames: Ints) -> tuple[View, ...]:
    """One step of the loop, and a few slots of it: those in the middle of the run."""
    if not len(frames):
        return ()
    end = int(frames[len(frames) // 2])
    begin, slot = end - spec.loop.encoder.frame, to_fs(spec.period)
    cold = begin + to_fs(technology.crossing_time(4, 300))  # the frame's first slot at the network
    return (
        View(
            "One step of the loop",
            fs(begin - 60_000_000),
            fs(end + 750_000_000),
            (*OVERVIEW, "readout.out_valid"),
        ),
        View("The frame of that step", fs(cold - 1_000_000), fs(end + 25_000_000), CLOSE),
        View(f"{SHOWN_SLOTS} of its slots", fs(cold - slot // 2), fs(cold + SHOWN_SLOTS * slot), CLOSE[:7]),
    )


def _latencies(result: Result) -> tuple[LatencyFigures, ...]:
    """Those that can be told: where frames come faster than the core takes them, estimates are joined in its mailbox."""
    rows: list[LatencyFigures] = []
    for pair in LATENCIES:
        with suppress(ResultError):
            rows += (row for row in latency_table(result, [pair]) if row.count)
    return tuple(rows)


def _metrics(
    spec: Spec, result: Result, rows: tuple[LatencyFigures, ...], profile: Profile, timing: Any, waits: int
) -> dict[str, Any]:
    stats = result.stats
    hits = result["asic.hit"].t
    busy = int(result.until) - int(stats["core.estimate.stalled_fs"]) - waits
    return {
        "fingerprint": result.fingerprint,
        "windows": result.manifest["windows"],
        "overhead_ratio": profile.overhead,
        "steps": int(stats["core.step.stores"]),
        "hits": len(hits),
        "results_dropped": int(stats["asic.dropped_by_line"]),
        "targets": [_followed(spec, result, k) for k in range(len(spec.targets))],
        "latency": {row.pair.label: row.describe() for row in rows},
        "sfq": {
            "pulses": int(stats["sfq.pulses"]),
            "jj_count": int(stats["sfq.jj_count"]),
            "violations": int(stats["sfq.violations"]),
            "dynamic_energy_aj": float(stats["sfq.dynamic_energy_aj"]),
            "static_power_w": float(stats["sfq.static_power_w"]),
        },
        "readout": {
            "simulator": str(stats["readout.simulator"]),
            "cycles_computed": int(stats["readout.cycles_computed"]),
        },
        "core": {
            "instructions": int(stats["core.instructions"]),
            "busy_percent": 100 * busy / int(result.until),
            "ipc_while_busy": int(stats["core.instructions"]) / (busy * float(spec.core_clock.hz) * 1e-15)
            if busy > 0
            else None,
            "cpi_stack": dict(timing.cpi_stack),
        },
    }


def _followed(spec: Spec, result: Result, k: int) -> dict[str, float | None]:
    """How the hit rate followed one target: mean of the second half of its time, and when the clock had come near it."""
    begin, end = k * spec.hold, (k + 1) * spec.hold
    hits = result["asic.hit"].t
    settled = int(np.count_nonzero((hits >= (begin + end) // 2) & (hits < end)))
    rate = settled / (spec.hold // 2) * 1e9
    clock = result["tuner.frequency"]
    within = (
        np.abs(np.array([rate_of(h) for h in clock.value.tolist()]) / UNITS - spec.targets[k])
        <= 0.1 * spec.targets[k]
    )
    near = clock.t[(clock.t >= begin) & (clock.t < end) & within]
    return {
        "wanted_mhz": spec.targets[k],
        "hits_mhz": rate,
        "error_percent": 100 * (rate / spec.targets[k] - 1),
        "near_after_us": float(near[0] - begin) * 1e-9 if len(near) else None,
    }


def _summary(spec: Spec, metrics: Mapping[str, Any], profile: Profile) -> list[str]:
    lines = [
        f"loop      {metrics['steps']} steps in {format_time(to_fs(spec.duration))}, {metrics['hits']} hits"
    ]
    for row in metrics["targets"]:
        near = (
            "not within 10 %"
            if row["near_after_us"] is None
            else f"within 10 % after {row['near_after_us']:.0f} us"
        )
        lines.append(
            f"hit rate  {row['wanted_mhz']:g} M/s wanted, {row['hits_mhz']:.2f} M/s ({row['error_percent']:+.1f} %), {near}"
        )
    for label, row in metrics["latency"].items():
        lines.append(
            f"latency   {format_time(row['median_fs'])} median, {format_time(row['p99_fs'])} p99: {label}"
        )
    missing = [pair.label for pair in LATENCIES if pair.label not in metrics["latency"]]
    lines += [f"latency   not to be told, answers are joined or there are none: {label}" for label in missing]
    core, sfq = metrics["core"], metrics["sfq"]
    ipc = "none" if core["ipc_while_busy"] is None else f"{core['ipc_while_busy']:.2f}"
    lines += [
        f"sfq       {sfq['jj_count']} JJ, {sfq['pulses']:,} pulses, {sfq['violations']} violations",
        f"core      {core['instructions']:,} instructions, busy {core['busy_percent']:.1f} %, IPC {ipc}",
        f"kernel    {metrics['windows']:,} windows, {100 * profile.overhead:.1f} % on top of the components",
        f"result    fingerprint {metrics['fingerprint']}",
    ]
    return lines
