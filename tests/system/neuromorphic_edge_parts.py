"""The shrunk closed loop of `sims/neuromorphic_edge`, as `edge_reference` knows it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import hwmodel as hw
from hwmodel.cryo.trace import Op, TraceWriter
from hwmodel.fixedpoint import Dense, Fixed, Graph, ReLU, TensorType, sequential
from hwmodel.kernel import Component
from hwmodel.units import fs, us
from sims.neuromorphic_edge import loop as edge

from . import edge_reference as ref

LOOP: dict[str, Any] = {"intervals": 16, "stride": 4, "slots": 8, "sizes": (2, 2), "simulator": "pyrtl"}
CURRENTS = (84.0, 83.0, 82.0, 85.0, 78.0, 79.0, 80.0, 77.0)
TARGETS = ((0, 150), (15_000_000_000, 260), (28_000_000_007, 90))
UNTIL = us(40)
WATCH = ("asic.result", "sfq.out1", "core.step", "tuner.frequency")
ROUNDS = 4  # of the program; it is repeated


def readout() -> Graph:
    """Two dense layers, with the weights of the reference."""
    weight, bias = (
        Fixed(8, 4, rounding="RND", overflow="SAT"),
        Fixed(12, 10, rounding="RND", overflow="SAT"),
    )
    kinds: dict[str, Any] = {"weights_fmt": weight, "bias_fmt": bias}
    return sequential(
        "shrunk",
        TensorType((2,), Fixed(edge.COUNT_BITS, edge.COUNT_BITS, signed=False)),
        Dense("hidden", weights=np.array(ref.HIDDEN_WEIGHTS), bias=np.array(ref.HIDDEN_BIAS), **kinds),
        ReLU("relu", output=Fixed(12, 10, signed=False, rounding="RND", overflow="SAT")),
        Dense(
            "rate",
            weights=np.array(ref.RATE_WEIGHTS)[:, None],
            bias=np.array([ref.RATE_BIAS]),
            output=Fixed(12, 12, rounding="RND", overflow="SAT"),
            **kinds,
        ),
    )


def write_program(path: Path) -> Path:
    """Write the trace of the core's program: its instructions lie in one line of 64 bytes."""
    with TraceWriter(path, {"source": "shrunk controller", "has_pc": True}) as writer:
        estimate = writer.static(pc=0x400000, size=4, loads=1, load_size=8, destinations=[5])
        target = writer.static(pc=0x400004, size=4, loads=1, load_size=8, destinations=[6])
        work = [
            writer.static(
                pc=0x400008 + 4 * n, size=4, op=Op.INT, sources=[7 if n else 5, 6], destinations=[7]
            )
            for n in range(ref.WORK)
        ]
        step = writer.static(pc=0x400008 + 4 * ref.WORK, size=4, stores=1, store_size=8, sources=[7])
        for _ in range(ROUNDS):
            writer.write([estimate, target, *work, step], [edge.ESTIMATE, edge.TARGET, edge.STEP])
    return path


def shrunk(
    program: Path,
    seed: int = 1,
    targets: Iterable[tuple[int, int]] = TARGETS,
    order: Callable[[list[Component]], Iterable[Component]] = list,
    steps: int = 100,
    **changes: Any,
) -> hw.System:
    """The shrunk loop with its set points; `program` is what `write_program` wrote."""
    loop = edge.Loop(**{**LOOP, **changes})
    made = edge.Program(program, ROUNDS, edge.machine(loop))
    weights = np.array(CURRENTS), readout()
    system = edge.closed(loop, seed, steps, weights=weights, program=made, order=order)
    at, values = zip(*targets, strict=True)
    system.drive("core.target", at=[fs(t) for t in at], values=values)
    return system


def alone(what: str, program: str, simulator: str, t: str, *files: str) -> None:
    """What a process of its own does; for each file it prints the fingerprint of a run to `t` fs.

    "run" goes from the beginning, "save" does so and leaves a checkpoint, "resume" goes on from one.
    """
    for file in files:
        system = shrunk(Path(program), simulator=simulator)
        if what == "resume":
            system.resume(file)
        watch = None if what == "resume" else WATCH  # a checkpoint knows what was watched
        print(system.run(until=fs(int(t)), watch=watch, progress=False).fingerprint)
        if what == "save":
            system.checkpoint(file)


if __name__ == "__main__":
    alone(*sys.argv[1:])
