"""An echo-state network of 500 on NARMA-10: run and fit, against the same work in plain NumPy."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np

STEPS = 10_000
PEER_S = 0.40


def bench_network() -> dict[str, Any]:
    """Make the network, run 10,000 steps and fit 5,000, on the processor's clock.

    The plain version is the dense product and the same ridge regression; ReservoirPy is measured where it is
    installed (0.38 to 0.45 s on another machine).
    """
    from hwmodel.reservoir.tasks import EchoStateNetwork, Readout, narma, nrmse

    task = narma(10, STEPS, seed=1)
    EchoStateNetwork(20).run(task.inputs[:10])  # compiles
    begun = time.process_time()
    states = EchoStateNetwork(seed=1).run(task.inputs)
    readout = Readout.fit(states[task.fitted], task.targets[task.fitted], (1e-9,))
    error = nrmse(task.targets[task.held_out], readout.predict(states[task.held_out]))
    ours = time.process_time() - begun

    begun = time.process_time()
    _plain(task.inputs, task.targets)
    plain = time.process_time() - begun
    peer = _reservoirpy(task.inputs, task.targets)
    also = f"ReservoirPy {peer:.2f} s" if peer else f"ReservoirPy is not installed ({PEER_S:.2f} s is known)"
    return {
        "name": "echo-state network of 500",
        "ratio": plain / ours,
        "floor": 1.0,
        "against": "plain NumPy",
        "detail": f"{ours:.2f} s, NRMSE {error:.3f}; plain {plain:.2f} s; {also}",
    }


def _plain(inputs: np.ndarray, targets: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    weights = rng.uniform(-1, 1, (500, 500)) * (rng.random((500, 500)) < 0.02)
    weights *= 0.99 / np.abs(np.linalg.eigvals(weights)).max()
    into, bias = rng.uniform(-0.05, 0.05, 500), rng.uniform(-0.3, 0.3, 500)
    x, states = np.zeros(500), np.empty((len(inputs), 500))
    for t, u in enumerate(inputs):
        x = np.tanh(weights @ x + into * u + bias)
        states[t] = x
    half = states[: len(states) // 2]
    np.linalg.solve(half.T @ half + 1e-9 * np.eye(500), half.T @ targets[: len(half)])


def _reservoirpy(inputs: np.ndarray, targets: np.ndarray) -> float | None:
    if importlib.util.find_spec("reservoirpy") is None:
        return None
    from reservoirpy.nodes import Reservoir, Ridge

    begun = time.process_time()
    model = Reservoir(500, sr=0.99, input_scaling=0.05, bias_scaling=0.3, seed=1) >> Ridge(ridge=1e-9)
    half = len(inputs) // 2
    model.fit(inputs[:half, None], targets[:half, None], warmup=100)
    model.run(inputs[half:, None])
    return time.process_time() - begun


BENCHES = (bench_network,)
