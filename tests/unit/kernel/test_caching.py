"""The cache of compiled kernels: one writer at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hwmodel.kernel._caching import alone

HOLD = """
import sys
from hwmodel.kernel._caching import alone
with alone(sys.argv[1]):
    print("in", flush=True)
    sys.stdin.read()
"""

VERSIONS = """
import sys
import numpy as np
from hwmodel.kernel.compiled import jit

@jit
def twice(x):
    return x + x

kinds = {"int": 3, "float": 1.5, "array": np.arange(3), "floats": np.ones(2)}
print(np.sum(twice(kinds[sys.argv[1]])))
"""


def test_a_second_process_waits_until_the_first_has_written(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "in\n"
        with (tmp_path / "lock").open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        other.stdin.close()
        with alone(str(tmp_path)):  # comes in when the other has left
            pass


def test_versions_that_several_processes_make_at_once_stay_apart(tmp_path: Path) -> None:
    if os.environ.get("HWMODEL_JIT") == "0":
        pytest.skip("only compiled code is cached")
    script = tmp_path / "twice.py"
    script.write_text(textwrap.dedent(VERSIONS))
    environment = os.environ | {"HWMODEL_CACHE": str(tmp_path / "cache")}
    results = {"int": "6", "float": "3.0", "array": "6", "floats": "4.0"}
    for _ in range(2):  # made, then read
        running = {
            kind: subprocess.Popen(
                [sys.executable, str(script), kind], env=environment, stdout=subprocess.PIPE, text=True
            )
            for kind in results
        }
        assert {kind: process.communicate()[0].strip() for kind, process in running.items()} == results
    (lock,) = (tmp_path / "cache").glob("kernels-*/lock")
    assert lock.exists()
