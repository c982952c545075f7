"""The same machine on what real chips have left behind: S9 shares, and timed nonces of a BM1366."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import power
from .plan import Plan
from .timing import beat, upper_depth
from .verdicts import Finding, Gate, Verdict, judge

ROOT = Path(__file__).resolve().parents[2]
SHARES, NONCES = "s9_shares.csv.gz", "bm1366_timed_nonces.json"
REPLICATES = 199


def folder_of(given: str) -> Path | None:
    """Where reference data are: what is given, HWMODEL_REFERENCE, or a folder beside the project; None without."""
    named = given or os.environ.get("HWMODEL_REFERENCE", "")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder / "reservoir" if (folder / "reservoir").is_dir() else None


def analyse(
    plan: Plan, folder: Path | None
) -> tuple[dict[str, Any], list[str], dict[str, dict[str, Verdict]]]:
    """Figures, lines and verdicts for every file that is there; a line that says so for those that are not."""
    metrics: dict[str, Any] = {}
    lines: list[str] = []
    verdicts: dict[str, dict[str, Verdict]] = {}
    for name, file, work in (("S9", SHARES, _shares), ("BM1366", NONCES, _nonces)):
        if folder is None or not (folder / file).is_file():
            lines.append(
                f"{name:<12}not analysed: reservoir/{file} is not there; name its folder in HWMODEL_REFERENCE"
            )
            metrics[name] = {"analysed": False}
            continue
        figures, found, told = work(plan, folder / file)
        verdicts[name] = found
        judged = {h: v.text for h, v in found.items()}
        metrics[name] = {"analysed": True, **figures, "verdicts": judged}
        lines += [f"{name:<12}{told[0]}", *(f"{'':<12}{line}" for line in told[1:])]
        lines += [f"{'':<12}{h}: {text}" for h, text in judged.items()]
    return metrics, lines, verdicts


def _gates(plan: Plan, rehash: float, tick_us: float, where: str, events: int, needed: float) -> list[Gate]:
    limits = plan["gates"]
    return [
        Gate("set points", float("inf"), 1.0, False, "no set point was read back"),
        Gate(
            "re-hash",
            rehash,
            limits["rehash_share"],
            rehash >= limits["rehash_share"],
            f"{rehash:.2%} of events re-hash",
        ),
        Gate("us clock", tick_us, limits["tick_us"], False, f"stamps of {where}, not of the UART"),
        Gate(
            "N",
            events,
            needed,
            events >= needed,
            f"{events:,} events, the power table asks for {needed:,.0f}",
        ),
    ]


def _shares(plan: Plan, file: Path) -> tuple[dict[str, Any], dict[str, Verdict], list[str]]:
    from hwmodel.reservoir.null import analyse_shares
    from hwmodel.reservoir.shares import read_shares

    log = read_shares(file)
    found = analyse_shares(log, replicates=REPLICATES, seed=plan.seed)
    share, needs = float(np.mean(log.valid)), power.table(plan)
    tick = float(np.gcd.reduce(np.diff(np.round(log.times * 1e6).astype(np.int64))))
    t = log.times[~log.duplicate] - log.times[0]
    rhythm = beat(plan, [t])
    limit = upper_depth(rhythm.power, 1, len(t), plan.level)
    statistic = found.statistics["cv"]
    ladder = found.ladder
    rungs = {} if ladder is None else {rung.name: rung.p for rung in ladder.rungs}
    explained = ladder.explained_by if ladder is not None else None
    findings: dict[str, Finding | None] = {
        "H1": Finding(statistic.p or 1.0, abs(statistic.value - 1), "of CV", {"cv": statistic.value}),
        "H2": Finding(min(1.0, 2 * min(rhythm.p, rhythm.scan_p)), limit, "of the rate", {"p": rhythm.p}),
    }
    gates = {
        "H1": _gates(plan, share, tick, "a network client", len(log), needs["H1"]["needed"]),
        "H2": _gates(plan, share, tick, "a network client", len(log), needs["H2"]["needed"]),
    }
    figures = {
        "events": len(log), "rehash_share": share, "duplicates": log.count("duplicate"), "tick_us": tick,
        "cv": statistic.value, "cv_p_poisson": statistic.p, "ladder": rungs, "explained_by": explained,
        "heartbeat_p": rhythm.p, "scan_p": rhythm.scan_p, "scan_hz": rhythm.scan_hz, "depth_limit": limit,
        "detectable_depth": power.beat_depth(plan, len(log)),
    }  # fmt: skip
    told = [
        (
            f"{len(log)} shares, {share:.1%} re-hash, {log.count('duplicate')} duplicates; CV {statistic.value:.3f}, "
            f"p = {statistic.p:.2g} for Poisson"
        ),
        f"explained by {explained or 'no rung of the ladder'}"
        + (f", p = {rungs[explained]:.2g}; ideal chain p = {rungs['ideal']:.2g}" if explained else ""),
        f"2.4 Hz: p = {rhythm.p:.2g}, a modulation is at most {limit:.0%} of the rate",
    ]
    return figures, _judged(plan, findings, gates), told


def _nonces(plan: Plan, file: Path) -> tuple[dict[str, Any], dict[str, Verdict], list[str]]:
    from hwmodel.reservoir.clock import fit_clock, read_records

    records = read_records(file)
    fit = fit_clock(records, seed=plan.seed)
    tick = float(np.gcd.reduce(np.diff([round(r.t_ms * 1e3) for r in records])))
    needed = power.table(plan)["H0"]["needed"]
    findings: dict[str, Finding | None] = {
        "H0": Finding(fit.p_search, fit.rms_ms * 1e3, "us of residual", {"rms_ms": fit.rms_ms})
    }
    gates = {"H0": _gates(plan, 1.0, tick, f"a log with ticks of {tick / 1e3:g} ms", len(records), needed)}
    # That the nonces hash was shown when the file was made; it has no headers to hash again.
    gates["H0"] = [gate for gate in gates["H0"] if gate.name != "re-hash"]
    figures = {
        "events": len(records), "rms_ms": fit.rms_ms, "leave_one_out_rms_ms": fit.leave_one_out_rms_ms,
        "rms_without_counter_ms": fit.rms_without_counter_ms, "period_ms": fit.period_ms, "tick_us": tick,
        "tick_sd_ms": tick / 1e3 / 12**0.5, "p_random_counter": fit.p_search,
    }  # fmt: skip
    told = [
        (
            f"{len(records)} timed nonces: residual {fit.rms_ms:.2f} ms RMS to the nonce clock, "
            f"{fit.leave_one_out_rms_ms:.2f} ms left out one by one;"
        ),
        (
            f"rounding to {tick / 1e3:g} ms alone gives {tick / 1e3 / 12**0.5:.2f} ms; without the counter "
            f"{fit.rms_without_counter_ms:.2f} ms, p = {fit.p_search:.2g} for a random counter"
        ),
    ]
    return figures, _judged(plan, findings, gates), told


def _judged(
    plan: Plan, findings: Mapping[str, Finding | None], gates: Mapping[str, list[Gate]]
) -> dict[str, Verdict]:
    found = judge(plan, findings, gates)
    return {name: found[name] for name in findings}
