"""What was found in the reference's own material, each with its arithmetic."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from hwmodel.cryo.config import cryo_ooo
from hwmodel.cryo.technology import Array, check_latency
from hwmodel.units import GHz

FAST = GHz(100)
TICK_FS = 1000  # gem5's tick is a picosecond
TICKED_GHZ = (30, 60, 100, 150)
KELVIN = 77.0
SEED_L2_LATENCY = 8


def latencies() -> list[dict[str, Any]]:
    """The reference's latencies at 100 GHz against SRAM of 22 nm at 77 K."""
    found = []
    for name, cache in cryo_ooo().levels.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check = check_latency(cache.latency, FAST, Array(cache.size, "cmos-22nm", ports=2), KELVIN, name)
        configured, needed = int(check.time) / 1000, int(check.needed.time) / 1000
        found.append(
            {
                "level": name,
                "cycles": cache.latency,
                "configured_ps": configured,
                "needed_ps": needed,
                "factor": needed / configured,
                "needed_cycles": check.needed.latency,
            }
        )
    return found


def ticks() -> list[dict[str, Any]]:
    """Periods that a tick of 1 ps rounds, and the clocks that come of it; ours are exact fractions."""
    found = []
    for ghz in TICKED_GHZ:
        exact = Fraction(10**6, ghz)  # fs
        rounded = round(exact / TICK_FS)
        made = 1000 / rounded
        found.append(
            {
                "wanted_ghz": ghz,
                "period_ps": float(exact) / TICK_FS,
                "ticks": rounded,
                "made_ghz": made,
                "error": made / ghz - 1,
            }
        )
    return found


def full_queues(folder: Path) -> dict[str, float]:
    """How many times as often a full load or store queue stops rename with a core of 100 GHz and slow caches."""
    slow, fast = (
        _column(folder / name, "lsqFullEvents") for name in ("baseline.csv", "supercorecryocache.csv")
    )
    return {w: fast[w] / slow[w] for w in sorted(fast) if slow.get(w)}


def _column(path: Path, name: str) -> Mapping[str, float]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row[""].removeprefix("riscv-").removesuffix("-run").removesuffix("-size-s").split("-")[-1]: float(
            row[name]
        )
        for row in rows
    }


def lines(reference: Mapping[str, Any], ours: Mapping[str, Any], queues: Mapping[str, float]) -> list[str]:
    """The findings as text."""
    band, mine = reference["bandwidth"], ours["bandwidth"]
    text = [
        "What the reference's own material shows",
        (
            f"1. Bandwidths are ten times too high: the notebooks scale bytes by 10e-9, which is 1e-8 and not 1e-9."
            f" {band['workload']}, core at 100 GHz: {band['accesses_per_second'] / 1e9:.2f} G accesses/s x 8 B ="
            f" {band['gb_per_second']:.1f} GB/s; shown there as {band['as_in_the_notebooks']:.0f} GB/s. Ours, the same"
            f" figure, {mine['workload']}: {mine['gb_per_second']:.1f} GB/s ({mine['as_in_the_notebooks']:.0f} in their scale)."
        ),
        (
            "2. The function units that were meant have no effect: executeFuncUnits belongs to gem5's Minor core; the"
            " dumped config.ini has gem5's default pool. Ours uses what ran."
        ),
        (
            f"3. The L2 takes {cryo_ooo().levels['l2'].latency} cycles and not {SEED_L2_LATENCY}:"
            " max(tag 10, data 8). Ours uses what ran."
        ),
        "4. The wall is latency times occupancy as well as bandwidth.",
    ]
    if queues:
        shown = ", ".join(f"{w} x{n:.0f}" for w, n in sorted(queues.items(), key=lambda item: -item[1])[:4])
        text.append(f"   Full load and store queues, 100 GHz core over 4 GHz: {shown}.")
    if "fetch_share" in reference:
        shown = ", ".join(
            f"{w} {s:.0%}" for w, s in sorted(reference["fetch_share"].items(), key=lambda i: -i[1])
        )
        text.append(f"   L1I accesses x 0.75 ns (three cycles of 4 GHz) over the run time: {shown}.")
    errors = ", ".join(f"{d} {e['mean_error']:.1%}/{e['max_error']:.1%}" for d, e in reference["law"].items())
    mine_law = ", ".join(f"{d} {e['mean_error']:.1%}/{e['max_error']:.1%}" for d, e in ours["law"].items())
    text += [
        f"5. T = a / f + b holds, mean/max error. Theirs: {errors}.",
        f"   Ours: {mine_law}.",
        "6. Latencies in cycles do not know the clock: at 100 GHz, against SRAM at 77 K: "
        + ", ".join(
            f"{x['level']} {x['configured_ps']:.0f} ps / {x['needed_ps']:.0f} ps ({x['factor']:.1f} times)"
            for x in latencies()
            if x["level"] != "l1i"
        )
        + ".",
        "7. A tick of 1 ps cannot hold every period: "
        + ", ".join(f"{x['wanted_ghz']} GHz runs at {x['made_ghz']:.1f} ({x['error']:+.1%})" for x in ticks())
        + "; ours are exact.",
    ]
    return text
