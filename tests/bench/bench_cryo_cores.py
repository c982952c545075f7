"""Speed of the timed cores: compiled, against the same model as plain Python in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from hwmodel.cryo.config import PRESETS
from hwmodel.cryo.timing import TimedRun
from hwmodel.cryo.trace import TAKEN, Branch, Chunk, Op, static_record

ROUNDS = 3
COMPILED, PLAIN = 600_000, 4_000  # instructions
ROOT = Path(__file__).resolve().parents[2]


def loop(instructions: int) -> Chunk:
    """A loop of 40 instructions: a third loads and stores over 256 kB, a branch each ten, dependences a few apart."""
    rng = np.random.default_rng(1)
    statics = []
    for n in range(40):
        facts: dict[str, Any] = {"pc": 0x10000 + 4 * n, "size": 4, "op": Op.INT}
        facts["destinations"] = (1 + n % 12,)
        facts["sources"] = (1 + (n + 9) % 12, 1 + (n + 5) % 12)
        if n % 10 == 9:
            facts |= {"branch": Branch.CONDITIONAL, "destinations": ()}
        elif n % 10 in (1, 4):
            facts |= {"op": Op.NOP, "loads": 1, "load_size": 8}
        elif n % 10 == 7:
            facts |= {"op": Op.NOP, "stores": 1, "store_size": 8, "destinations": ()}
        elif n % 10 == 3:
            facts |= {"op": Op.FP_FMA, "destinations": (33 + n % 8,), "sources": (33 + (n + 1) % 8,)}
        statics.append(static_record(**facts))
    table = np.array(statics)
    ids = np.tile(np.arange(40, dtype=np.uint32), -(-instructions // 40))[:instructions]
    ids[39::40] |= np.uint32(TAKEN)
    counts = (table["loads"] + table["stores"])[ids & np.uint32(TAKEN - 1)]
    total = int(counts.sum())
    stream = np.arange(total, dtype=np.uint64) * np.uint64(8) % np.uint64(1 << 18)
    addresses = np.where(
        rng.random(total) < 0.2, rng.integers(0, 1 << 15, total, np.uint64) * np.uint64(8), stream
    )
    return Chunk(table, ids, addresses.astype(np.uint64), 0)


def rate(preset: str, instructions: int, rounds: int) -> float:
    """Instructions a second of processor time, the best of some rounds."""
    chunk = loop(instructions)
    best = 0.0
    for _ in range(rounds):
        run = TimedRun(PRESETS[preset]())
        run.run(loop(64))  # compiled, or taken from the cache, before the clock starts
        begun = time.process_time()
        run.run(chunk)
        best = max(best, instructions / (time.process_time() - begun))
    return best


def plain_rate(preset: str) -> float:
    """The same as plain Python."""
    words = [sys.executable, str(Path(__file__)), preset]
    environment = {**os.environ, "HWMODEL_JIT": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout))


def measured(preset: str, name: str, aim: float) -> dict[str, Any]:
    """One row."""
    ours, plain = rate(preset, COMPILED, ROUNDS) / 1e6, plain_rate(preset) / 1e6
    return {
        "name": name,
        "ratio": ours / plain,
        "floor": 100.0,
        "against": "the same model as plain Python",
        "detail": f"{ours:.1f} M instructions/s (aim: {aim:g} on a quiet core); Python {plain * 1e3:.1f} k/s",
    }


def bench_out_of_order() -> dict[str, Any]:
    """The out-of-order core with the reference's caches."""
    return measured("cryo-ooo", "out-of-order core with three cache levels", 10)


def bench_in_order() -> dict[str, Any]:
    """The in-order core with the reference's caches."""
    return measured("cryo-inorder", "in-order core with three cache levels", 20)


BENCHES = (bench_out_of_order, *((bench_in_order,) if "cryo-inorder" in PRESETS else ()))

if __name__ == "__main__":
    print(json.dumps(rate(sys.argv[1], PLAIN, 1)))
