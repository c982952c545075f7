"""The tables that the run prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHORT = {"memory_order": "order", "dependence": "depend"}
LEAST, MOST = 0.1, 1000.0
LABELS = {
    "core": "core",
    "l1": "+ L1",
    "l1l2": "+ L1, L2",
    "all": "+ L1, L2, L3",
    "everything": "+ all and board",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        first = row[0].ljust(widths[0])
        lines.append(
            "  ".join([first, *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        )
    return lines


def speedups(core: str, metrics: Mapping[str, Any], workloads: Sequence[str]) -> list[str]:
    """Mean speed-ups by set and clock, and those of every workload at the highest clock."""
    found = metrics["speedup"][core]
    clocks = list(next(iter(found.values())))
    rows = [[LABELS[d], *(f"{by[c]['mean']:.2f}" for c in clocks)] for d, by in found.items()]
    lines = ["", f"{core}: mean speed-up of {len(workloads)} workloads over {clocks[0]}, by what is fast"]
    lines += table(["fast", *clocks], rows)
    rows = [[LABELS[d], *(f"{by[clocks[-1]][w]:.2f}" for w in workloads)] for d, by in found.items()]
    return [
        *lines,
        "",
        f"{core}: speed-up of each workload at {clocks[-1]}",
        *table(["fast", *workloads], rows),
    ]


def cpi(core: str, metrics: Mapping[str, Any]) -> list[str]:
    """CPI stacks with a fast core alone, at the lowest and the highest clock."""
    stacks = metrics["cpi"][core]
    domains = next(iter(stacks))
    by_clock = stacks[domains]
    clocks = list(by_clock)
    lines: list[str] = []
    for clock in dict.fromkeys((clocks[0], clocks[-1])):
        found = by_clock[clock]
        parts = [p for p in next(iter(found.values())) if any(stack[p] >= 0.005 for stack in found.values())]
        rows = [
            [w, f"{sum(stack.values()):.2f}", *(f"{stack[p]:.2f}" for p in parts)]
            for w, stack in found.items()
        ]
        lines += ["", f"{core}: cycles an instruction at {clock}, fast: {LABELS[domains]}"]
        lines += table(["", "CPI", *(SHORT.get(p, p) for p in parts)], rows)
    return lines


def walls(core: str, metrics: Mapping[str, Any]) -> list[str]:
    """The fitted laws: plateau, half-plateau clock, error."""
    found = metrics["wall"][core]
    rows = []
    for domains, by in found.items():
        laws = by["workloads"].values()
        finite = [w["half_plateau_ghz"] for w in laws if w["half_plateau_ghz"] is not None]
        plateaus = [w["plateau"] for w in laws if w["plateau"] is not None]
        rows.append(
            [
                LABELS[domains],
                spread(plateaus, len(laws)),
                spread(finite, len(laws)),
                f"{by['mean_error']:.1%}",
                f"{by['max_error']:.1%}",
            ]
        )
    lines = ["", f"{core}: T = a / f + b; speed-up at an infinite clock, and the clock of half of it"]
    return lines + table(["fast", "plateau", "half at, GHz", "error, mean", "max"], rows)


def spread(values: Sequence[float], count: int) -> str:
    """The least and the greatest of values, and whether some had none."""
    if not values:
        return "none"
    low, high = _number(min(values)), _number(max(values))
    shown = low if low == high else f"{low} .. {high}"
    return shown if len(values) == count else f"{shown} (or none)"


def _number(value: float) -> str:
    """Three digits, but nothing that is far outside the clocks of the sweep."""
    if value < LEAST:
        return f"< {LEAST:g}"
    return f"> {MOST:g}" if value > MOST else f"{value:.3g}"


def sensitivity(core: str, metrics: Mapping[str, Any]) -> list[str]:
    """Which resource removes most time, workload by workload."""
    lines: list[str] = []
    for domains, by in metrics["sensitivity"].get(core, {}).items():
        rows = []
        for workload, found in by["workloads"].items():
            ranked = sorted(found, key=lambda name: -found[name])[:4]
            rows.append([workload, *(f"{name} {found[name]:.0%}" for name in ranked)])
        lines += [
            "",
            f"{core}, fast: {LABELS[domains]}, {by['clock']}: share of the time that goes if one is relaxed",
        ]
        lines += table(["", "first", "second", "third", "fourth"], rows)
    return lines


def technology(metrics: Mapping[str, Any]) -> list[str]:
    """Speed-ups and instructions per joule with latencies that the technology can do."""
    found = metrics.get("technology", {})
    rows = [
        [
            row["core"],
            f"{row['kelvin']:g} K",
            row["clock"],
            f"{row['l1d_cycles']}/{row['l2_cycles']}/{row['l3_cycles']}",
            f"{row['speedup']:.2f}",
            "-" if row["speedup_reference"] is None else f"{row['speedup_reference']:.2f}",
            f"{row['watts']:.3g}",
            f"{row['watts_with_cooling']:.3g}",
            f"{row['per_joule_relative']:.3f}",
        ]
        for row in found.get("rows", [])
    ]
    if not rows:
        return []
    head = ["core", "at", "clock", "L1/L2/L3", "speed-up", "reference", "W", "with cooling", "per joule"]
    return [
        "",
        "latencies that the technology can do (cycles), all caches at the core's clock; speed-up over 4 GHz at 300 K;",
        "reference: with the reference's cycles; power and work per joule: of caches and memory, without the core",
        *table(head, rows),
    ]


def warnings(undercuts: Sequence[Mapping[str, Any]], lines: int = 6) -> list[str]:
    """The latencies that undercut the technology: the messages at the highest clock."""
    if not undercuts:
        return []
    top = max(float(item["clock_ghz"]) for item in undercuts)
    # Both first-level caches are the same array; one message is enough.
    shown = [u for u in undercuts if u["clock_ghz"] == top and u["level"] != "l1i"]
    worst = sorted(shown, key=lambda u: -u["factor"])
    count = len(undercuts)
    return [
        f"warning: {count} of the latencies in cycles are shorter than the technology allows; at {top:g} GHz:",
        *(f"  {item['message']}" for item in worst[:lines]),
    ]
