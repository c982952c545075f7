"""The statistics of the reference's repository: read, and what follows from them."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodel.cryo.wall import Wall, fit_wall
from hwmodel.errors import TraceFileError
from hwmodel.units import GHz

FOLDER = Path(__file__).resolve().parent
SETS = {
    "superconductingcorecryocache": "core",
    "superconductingcorel1_cryol2l3": "l1",
    "superconductingcorel1l2_cryol3": "l1l2",
    "superconductingcorel1l2l3": "all",
    "superconductingcorel1l2l3board": "everything",
}
# Folders of one clock.
SINGLE = {
    "baseline-4GHz": ("ooo", "base", 4),
    "in-orderbaseline-4GHz": ("inorder", "base", 4),
    "supercorecryocache-in-order": ("inorder", "core", 100),
    "supercoresupercache-in-order": ("inorder", "everything", 100),
}
ROOT = "plots/gem5-stat-files/"
FS_PER_S = 10**15
L1I_ACCESS_S = 0.75e-9  # three cycles of 4 GHz
WRONG_GIGA, GIGA = 10e-9, 1e-9
Key = tuple[str, str, int, str]


@dataclass(frozen=True)
class Run:
    """The figures of one stats.txt that are used here; 0 where the file has none."""

    seconds: float
    instructions: int
    l1d_accesses: int
    l1i_accesses: int

    @property
    def l1d_rate(self) -> float:
        """Accesses of the first-level data cache a second."""
        return self.l1d_accesses / self.seconds


def read_statistics(path: Path) -> dict[Key, Run]:
    """Runs by (core, set, GHz, workload); those of the slow machine have the set "base".

    Raises:
        TraceFileError: the file is missing or lacks a column.
    """
    found: dict[Key, Run] = {}
    number = 1
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                number += 1
                key = _key(row["file"])
                if key is not None:
                    found[key] = Run(
                        float(row["simSeconds"]),
                        int(row["simInsts"]),
                        int(row["l1d_acc"] or 0),  # three files of two cores have these by core only
                        int(row["l1i_acc"] or 0),
                    )
    except OSError as error:
        raise TraceFileError(
            f"'{path}': {error.strerror}; give the folder of seed_gem5_stats.csv, or leave `statistics` empty"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise TraceFileError(
            f"'{path}', line {number}: {error!r}; these are not the statistics that are wanted"
        ) from error
    return found


def _key(file: str) -> Key | None:
    if not file.startswith(ROOT):
        return None
    group, *rest = file.removeprefix(ROOT).split("/")
    if group in SINGLE:
        core, domains, ghz = SINGLE[group]
        return core, domains, ghz, _short(rest[0])
    if group not in SETS:
        return None
    clock = re.search(r"-(\d+)GHz$", rest[0])
    return ("ooo", SETS[group], int(clock[1]), _short(rest[1])) if clock else None


def _short(name: str) -> str:
    """riscv-npb-bt-size-s-run is bt."""
    return name.removeprefix("riscv-").removesuffix("-run").removesuffix("-size-s").split("-")[-1]


def speedups(runs: Mapping[Key, Run], core: str, domains: str, ghz: int) -> dict[str, float]:
    """Workload -> speed-up over the machine with everything at 4 GHz."""
    return {
        workload: runs[core, "base", 4, workload].seconds / run.seconds
        for (kind, name, clock, workload), run in sorted(runs.items())
        if (kind, name, clock) == (core, domains, ghz)
    }


def laws(runs: Mapping[Key, Run], domains: str) -> dict[str, Wall]:
    """Workload -> T = a / f + b of the out-of-order core over all clocks."""
    points: dict[str, dict[int, float]] = {}
    for (kind, name, clock, workload), run in sorted(runs.items()):
        if (kind, name) == ("ooo", domains):
            points.setdefault(workload, {})[clock] = run.seconds * FS_PER_S
    return {workload: fit_wall([GHz(c) for c in by], [by[c] for c in by]) for workload, by in points.items()}


def paper() -> dict[str, Any]:
    """What paper.toml holds, in the form of `derived`."""
    table = tomllib.loads((FOLDER / "paper.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = {"source": "paper.toml", "speedup": {"ooo": {}, "inorder": {}}, "law": {}}
    for core in ("ooo", "inorder"):
        for domains, row in table[core].items():
            clocks = table["clocks_ghz"][-len(row["mean"]) :]
            found["speedup"][core][domains] = {
                f"{c} GHz": {"mean": m} for c, m in zip(clocks, row["mean"], strict=True)
            }
            found["speedup"][core][domains]["100 GHz"].update(low=row["range"][0], high=row["range"][1])
            if "law_error" in row:
                found["law"][domains] = dict(zip(("mean_error", "max_error"), row["law_error"], strict=True))
    found["bandwidth"] = bandwidth(table["bandwidth"]["workload"], table["bandwidth"]["accesses_per_second"])
    return found


def derived(runs: Mapping[Key, Run]) -> dict[str, Any]:
    """The same figures, computed from the statistics, and more that only these hold."""
    found: dict[str, Any] = {
        "source": "seed_gem5_stats.csv",
        "speedup": {"ooo": {}, "inorder": {}},
        "law": {},
    }
    for core, domains, ghz in sorted({key[:3] for key in runs}, key=lambda key: (key[0], key[2])):
        if domains == "base" or ghz == 4:
            continue
        by = speedups(runs, core, domains, ghz)
        figures = {"mean": _mean(by.values()), "low": min(by.values()), "high": max(by.values()), **by}
        found["speedup"][core].setdefault(domains, {})[f"{ghz} GHz"] = figures
    for domains in SETS.values():
        by_workload = laws(runs, domains)
        errors = [abs(r) for law in by_workload.values() for r in law.residuals]
        halves = [law.half_plateau / 1e9 for law in by_workload.values()]
        found["law"][domains] = {
            "mean_error": _mean(errors),
            "max_error": max(errors),
            "half_plateau_ghz": [min(halves), max(halves)],
        }
    fast = {key[3]: run for key, run in runs.items() if key[:3] == ("ooo", "core", 100)}
    best = max(fast, key=lambda name: fast[name].l1d_rate)
    found["bandwidth"] = bandwidth(best, fast[best].l1d_rate)
    found["fetch_share"] = {w: run.l1i_accesses * L1I_ACCESS_S / run.seconds for w, run in fast.items()}
    return found


def bandwidth(workload: str, accesses_per_second: float, size: int = 8) -> dict[str, Any]:
    """A first-level bandwidth in both scales: bytes times 1e-9, and times 10e-9 as in the notebooks."""
    rate = accesses_per_second * size
    return {
        "workload": workload,
        "accesses_per_second": accesses_per_second,
        "gb_per_second": rate * GIGA,
        "as_in_the_notebooks": rate * WRONG_GIGA,
    }


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
