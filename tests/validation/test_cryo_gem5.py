"""Whole small programs against gem5 with the reference paper's cores and caches: times, speed-ups, misses."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hwmodel.cryo.config import PRESETS, at_clock
from hwmodel.cryo.timing import Timing, simulate
from hwmodel.cryo.trace import Trace
from hwmodel.cryo.trace_record import record

OWN = Path(__file__).parent / "gem5"
COMPILER = "riscv64-linux-gnu-gcc"
KERNELS = ("bfs", "cg", "matmul", "triad")
POINTS = {
    ("core", 4),
    ("core", 20),
    ("core", 100),
    ("l1", 20),
    ("l1", 100),
    ("l1l2", 20),
    ("l1l2", 100),
    ("all", 100),
}


@dataclass(frozen=True)
class Case:
    """One run of gem5, and ours of the same program."""

    row: dict[str, str]
    ours: Timing

    @property
    def error(self) -> float:
        """Relative error of the time."""
        return self.ours.time / (int(self.row["ticks_ps"]) * 1000) - 1

    def misses(self, level: str) -> tuple[int, int]:
        """Ours and gem5's."""
        return self.ours.levels[level].misses, int(self.row[f"{level}_misses"])


def recorded(folder: Path, target: Path) -> dict[str, Path]:
    """Traces of the programs of a folder; skips where the compiler makes other programs than gem5 ran."""
    for program in (COMPILER, "qemu-riscv64"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    sums = dict(reversed(line.split()) for line in (folder / "sha256.txt").read_text().splitlines())
    for name, digest in sums.items():
        program = target / name
        subprocess.run([COMPILER, "-O2", "-static", folder / f"{name}.c", "-o", program, "-lm"], check=True)
        if hashlib.sha256(program.read_bytes()).hexdigest() != digest:
            pytest.skip(f"{COMPILER} makes another program of {name}.c than the one that gem5 ran")
        record([str(program)], target / f"{name}.hwt")
    return {name: target / f"{name}.hwt" for name in sums}


def simulated(table: Path, kind: str, traces: dict[str, Path]) -> list[Case]:
    """The rows of a table for one core type, beside our runs."""
    found = []
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["core"] == kind and (row["set"], int(row["ghz"])) in POINTS:
                machine = at_clock(PRESETS[f"cryo-{kind}"](), f"{row['ghz']} GHz", row["set"])
                with Trace.open(traces[row["kernel"]]) as trace:
                    found.append(Case(row, simulate(trace, machine)))
    return found


@pytest.fixture(scope="module")
def traces(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The recorded kernels of the reference data."""
    folder = reference_data / "cryo" / "kernels"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; name the folder of the reference data in HWMODEL_REFERENCE")
    return recorded(folder, tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="module", params=["ooo", "inorder"])
def cases(request: pytest.FixtureRequest, traces: dict[str, Path], reference_data: Path) -> list[Case]:
    """All points of one core type."""
    return simulated(reference_data / "cryo" / "expected" / "gem5_kernels.csv", request.param, traces)


@pytest.fixture(scope="module")
def own_traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The recorded programs of our own folder."""
    return recorded(OWN, tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module", params=["ooo", "inorder"])
def own(request: pytest.FixtureRequest, own_traces: dict[str, Path]) -> list[Case]:
    """All points of one core type of our own programs."""
    return simulated(OWN / "rows.csv", request.param, own_traces)


def test_times_are_within_three_per_cent_on_the_mean_and_ten_at_most(cases: list[Case]) -> None:
    errors = np.abs([case.error for case in cases])
    assert errors.mean() < (0.02 if cases[0].row["core"] == "inorder" else 0.03)
    assert errors.max() < 0.10


def test_times_of_programs_that_no_rule_was_found_with_are_within_five_per_cent_on_the_mean(
    own: list[Case],
) -> None:
    errors = np.abs([case.error for case in own])
    in_order = own[0].row["core"] == "inorder"
    assert errors.mean() < (0.02 if in_order else 0.05)
    assert errors.max() < (0.09 if in_order else 0.16)


@pytest.mark.parametrize("level", ["l1d", "l2", "l3"])
def test_misses_of_programs_that_no_rule_was_found_with_are_near(own: list[Case], level: str) -> None:
    ratios = np.array([ours / theirs for ours, theirs in (case.misses(level) for case in own)])
    assert abs(ratios.mean() - 1) < (0.05 if own[0].row["core"] == "inorder" else 0.08)


def test_speed_ups_are_within_ten_per_cent_on_the_mean(cases: list[Case]) -> None:
    base = {c.row["kernel"]: c for c in cases if (c.row["set"], c.row["ghz"]) == ("core", "4")}
    errors = []
    for case in cases:
        slow = base[case.row["kernel"]]
        ours = slow.ours.time / case.ours.time
        theirs = int(slow.row["ticks_ps"]) / int(case.row["ticks_ps"])
        errors.append(abs(ours / theirs - 1))
    assert np.mean(errors) < 0.10


# The mean ratio of the rows, and the mean distance of a row from 1. The aim is 5 %; DEVIATIONS.md says what misses it.
MEAN = {"l1d": 0.05, "l2": 0.06, "l3": 0.05}
DISTANCE = {"l1d": 0.16, "l2": 0.08, "l3": 0.06}


@pytest.mark.parametrize("level", DISTANCE)
def test_misses_are_near(cases: list[Case], level: str) -> None:
    ratios = np.array([ours / theirs for ours, theirs in (case.misses(level) for case in cases)])
    assert abs(ratios.mean() - 1) < MEAN[level]
    assert np.abs(ratios - 1).mean() < DISTANCE[level]


def test_instructions_are_within_half_a_per_cent(cases: list[Case]) -> None:
    for case in cases:
        assert abs(case.ours.instructions / int(case.row["instructions"]) - 1) < 0.005


def test_the_order_of_the_domain_sets_holds(cases: list[Case]) -> None:
    for kernel in KERNELS:
        times = {
            c.row["set"]: c.ours.time for c in cases if c.row["kernel"] == kernel and c.row["ghz"] == "100"
        }
        assert times["core"] > times["l1"] > times["l1l2"] >= times["all"]
