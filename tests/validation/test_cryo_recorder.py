"""Recorded kernels against the number of instructions that gem5 executed of the same programs."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwmodel.cryo.trace import Trace
from hwmodel.cryo.trace_record import record

COMPILER = "riscv64-linux-gnu-gcc"
KERNELS = ("bfs", "cg", "matmul", "triad")
TOLERANCE = (
    1e-3  # the start depends on the path's length and on what output goes to: some hundred instructions
)


@pytest.fixture(params=KERNELS)
def recorded(request: pytest.FixtureRequest, reference_data: Path, tmp_path: Path) -> tuple[str, Path]:
    """A kernel's name and trace; skips where the compiler makes other code than the reference has."""
    for program in (COMPILER, "qemu-riscv64"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder = reference_data / "cryo" / "kernels"
    target = tmp_path / request.param
    source = folder / f"{request.param}.c"
    subprocess.run([COMPILER, "-O2", "-static", str(source), "-o", str(target), "-lm"], check=True)
    sums = dict(reversed(line.split()) for line in (folder / "sha256.txt").read_text().splitlines())
    if hashlib.sha256(target.read_bytes()).hexdigest() != sums[request.param]:
        pytest.skip(f"{COMPILER} makes another program of {source.name} than the one that gem5 ran")
    record([str(target)], tmp_path / "out.hwt")
    return request.param, tmp_path / "out.hwt"


def expected(reference_data: Path, kernel: str, column: str) -> list[int]:
    with (reference_data / "cryo" / "expected" / "gem5_kernels.csv").open(encoding="utf-8") as file:
        return [
            int(row[column])
            for row in csv.DictReader(file)
            if (row["kernel"], row["core"]) == (kernel, "inorder")
        ]


def test_instructions_are_those_of_gem5(recorded: tuple[str, Path], reference_data: Path) -> None:
    kernel, trace = recorded
    wanted = expected(reference_data, kernel, "instructions")[0]
    with Trace.open(trace) as found:
        assert abs(found.instructions - wanted) <= TOLERANCE * wanted


def test_every_step_is_to_the_next_instruction_or_a_branch(recorded: tuple[str, Path]) -> None:
    with Trace.open(recorded[1]) as trace:
        before = 0
        for chunk in trace.chunks():
            statics = chunk.statics[chunk.indices]
            follows = statics["pc"][1:] == statics["pc"][:-1] + statics["size"][:-1]
            branch = statics["branch"][:-1]
            assert follows[branch == 0].all()
            np.testing.assert_array_equal(chunk.taken[:-1][branch == 1], ~follows[branch == 1])
            assert chunk.taken[:-1][branch > 1].all()
            before += len(chunk)
        assert before == trace.instructions
