"""Emission of a multilayer perceptron against its bound in seconds."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import Dense, ReLU, TensorType
from hwmodel.fixedpoint.emit_design import emit

SIZES = (64, 32, 32, 5)
LIMIT_S = 10.0


def perceptron() -> Graph:
    """A 64-32-32-5 perceptron with dense random 6-bit weights: the worst case, nothing is pruned."""
    rng = np.random.default_rng(0)
    act, weight = Fixed(8, 3, rounding="RND", overflow="SAT"), Fixed(6, 1)
    layers: list[Any] = []
    for k in range(3):
        raws = np.clip(np.round(rng.normal(0, 8, (SIZES[k], SIZES[k + 1]))), -32, 31).astype(np.int64)
        layers.append(Dense(f"fc{k}", weights=raws, weights_fmt=weight, output=act))
        layers.append(ReLU(f"relu{k}"))
    return sequential("perceptron", TensorType((SIZES[0],), act), *layers[:-1])


def bench_emit() -> dict[str, Any]:
    """Emission takes less than its limit, compiled kernels being warm."""
    graph = perceptron()
    begun = time.perf_counter()
    design = emit(graph)
    seconds = time.perf_counter() - begun
    return {
        "name": "emission of a 64-32-32-5 perceptron",
        "ratio": LIMIT_S / seconds,
        "floor": 0.7,  # the aim is 1 on a quiet core
        "against": f"{LIMIT_S:g} s",
        "detail": f"{seconds:.1f} s, {len(design.verilog) >> 10} kB of Verilog, {design.latency_cycles} ranks",
    }


BENCHES = (bench_emit,)
