"""What people wait for beside the simulation: help, waveform files, pictures, large netlists."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hwmodel import sfq
from hwmodel.kernel import Result, Trace
from hwmodel.report import draw_waves, write_vcd
from tests.bench.bench_start import children_s

PULSES = 400_000

CODES = "abcd"


def _best(action: Callable[[], Any], rounds: int = 3) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        action()
        best = min(best, time.process_time() - begun)
    return best


def _crowded() -> Result:
    t = np.sort(np.random.default_rng(0).integers(0, 10**9, PULSES))
    none = np.zeros(0, np.int64)
    return Result(
        {f"n.s{k}": Trace(f"n.s{k}", "pulse", t[k::4], none) for k in range(4)}, {}, {"until_fs": 10**9}, ""
    )


def bench_help() -> dict[str, Any]:
    """`hwmodel --help`, the whole process, against 0.3 s."""
    best = float("inf")
    for _ in range(5):
        begun = children_s()
        subprocess.run([sys.executable, "-m", "hwmodel", "--help"], capture_output=True, check=True)
        best = min(best, children_s() - begun)
    return {
        "name": "hwmodel --help",
        "ratio": 0.3 / best,
        "floor": 1.0,
        "against": "0.3 s of processor time",
        "detail": f"{best:.2f} s",
    }


def bench_vcd() -> dict[str, Any]:
    """The VCD writer against a plain loop that formats one line a change."""
    result = _crowded()
    with tempfile.TemporaryDirectory() as folder:
        own = _best(lambda: write_vcd(result, Path(folder) / "w.vcd"))

        def plain() -> None:
            changes = sorted(
                (t, k) for k, trace in enumerate(result.traces.values()) for t in trace.t.tolist()
            )
            with (Path(folder) / "p.vcd").open("w") as out:
                for t, k in changes:
                    out.write(f"#{t}\n1{CODES[k]}\n")

        other = _best(plain)
    return {
        "name": "VCD writer",
        "ratio": other / own,
        "floor": 0.6,
        "against": "a plain loop over sorted changes",
        "detail": f"{PULSES / own / 1e6:.1f} M changes/s",
    }


def bench_picture() -> dict[str, Any]:
    """A picture of many pulses against sorting their times once."""
    result = _crowded()
    own = _best(lambda: draw_waves(result))
    shuffled = np.random.default_rng(1).permutation(np.concatenate([x.t for x in result.traces.values()]))
    other = _best(lambda: np.sort(shuffled))
    return {
        "name": "picture of 400,000 pulses",
        "ratio": other / own,
        "floor": 0.5,
        "against": "sorting their times",
        "detail": f"{own * 1e3:.1f} ms",
    }


def bench_build() -> dict[str, Any]:
    """Building and checking a netlist of 10,000 cells against making as many dictionaries of ten items."""

    def build() -> None:
        net = sfq.Netlist("net")
        wire = net.input("a")
        for n in range(10_000):
            wire = net.jtl(wire, name=f"stage[{n}]")
        net.output("q", wire)
        net.check()

    def plain() -> None:
        made = [{f"{n}.{k}": k for k in range(10)} for n in range(10_000)]
        assert len(made) == 10_000

    own, other = _best(build), _best(plain)
    return {
        "name": "netlist of 10,000 cells",
        "ratio": other / own,
        "floor": 0.02,
        "against": "10,000 dictionaries of ten items",
        "detail": f"{own:.2f} s",
    }


BENCHES = (bench_help, bench_vcd, bench_picture, bench_build)
