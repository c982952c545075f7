"""Shared adder graphs against plain signed digits: adders, estimated LUTs, and the time of the search."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from hwmodel.fixedpoint.adders import adder_graph, csd_count

SEED = 1


def adders_of_a_layer() -> dict[str, Any]:
    """Two-input adders of a 64x32 layer, 8-bit weights: plain digits over shared."""
    W = np.random.default_rng(SEED).integers(-128, 128, (64, 32))
    begun = time.process_time()
    graph = adder_graph(W, (8, True), lookups=0)
    seconds = time.process_time() - begun
    plain = csd_count(W) - W.shape[1]
    return {
        "name": "adders of a 64x32 layer, sharing",
        "ratio": plain / graph.adders,
        "floor": 1.9,
        "against": "a sum of all signed digits",
        "detail": f"{plain} -> {graph.adders} adders, depth {graph.depth}, {seconds:.1f} s of search",
    }


def luts_of_a_layer() -> dict[str, Any]:
    """Estimated LUTs of the layer: plain shared adders over tables in the carry chains."""
    W = np.random.default_rng(SEED).integers(-128, 128, (64, 32))
    begun = time.perf_counter()
    graph = adder_graph(W, (8, True))
    seconds = time.perf_counter() - begun
    plain = adder_graph(W, (8, True), lookups=0).cost()
    return {
        "name": "LUTs of a 64x32 layer, tables",
        "ratio": plain / graph.cost(),
        "floor": 1.2,
        "against": "shared two-input adders",
        "detail": f"{plain} -> {graph.cost()} LUTs estimated, {seconds:.1f} s of search (wall)",
    }


BENCHES = (adders_of_a_layer, luts_of_a_layer)
