"""Chooses the network's currents, trains the readout, and writes `weights.npz` and `readout.npz`.

    python sims/neuromorphic_edge/train.py

The front of the loop - chip, encoder, network, counter - is run with the chip's frequency swept over its range. The
network's currents are drawn at random and left so, as in a reservoir; the readout learns the hit rate from the counts,
by Adam on a forward pass that rounds as the hardware does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import hwmodel as hw
from hwmodel.fixedpoint import Dense, Fixed, Graph, ReLU, TensorType, sequential
from hwmodel.sfq.neuro import RateNetwork
from hwmodel.units import us
from sims.neuromorphic_edge.loop import (
    COUNT_BITS,
    FOLDER,
    HIGH,
    LOW,
    UNITS,
    WEIGHTS,
    Loop,
    front,
    join_front,
    rate_of,
)

Floats = npt.NDArray[np.float64]

SEED = 7
STRETCH_US, STRETCHES, RUNS = 80, 12, 12
HIDDEN = 8
DRAWS = 4000
BURST = 0.35  # share of short intervals behind the chip's line, about
EPOCHS, BATCH, RATE = 300, 64, 4e-3

COUNT = Fixed(COUNT_BITS, COUNT_BITS, signed=False)
SCALED = float(1 << COUNT_BITS)
WEIGHT = Fixed(10, 2, rounding="RND", overflow="SAT")
BIAS = Fixed(12, COUNT_BITS + 2, rounding="RND", overflow="SAT")
HIDDEN_OUT = Fixed(COUNT_BITS + 4, COUNT_BITS + 2, signed=False, rounding="RND", overflow="SAT")
ESTIMATE = Fixed(12, 12, rounding="RND", overflow="SAT")


def sweep(loop: Loop, currents: Floats, seed: int) -> tuple[Floats, Floats]:
    """Counts of frames, shape (frames, 4), and the hit rate at which each was taken, in units of estimates."""
    rng = np.random.default_rng(seed)
    hertz = rng.integers(LOW + 50_000_000, HIGH, STRETCHES)
    system = hw.System(*front(loop, seed, currents), seed=seed)
    join_front(system, loop)
    starts = us(STRETCH_US) * np.arange(STRETCHES)
    system.drive("asic.frequency", at=[us(STRETCH_US * n) for n in range(STRETCHES)], values=hertz.tolist())
    result = system.run(
        until=us(STRETCH_US * STRETCHES), watch=["counter.data", "counter.valid"], progress=False
    )
    valid = result["counter.valid"]
    times = valid.t[valid.value == 1]
    data = result["counter.data"]
    words = np.concatenate([[data.initial], data.value])[np.searchsorted(data.t, times, side="right")]
    counts = np.array(
        [[w >> k * COUNT_BITS & (1 << COUNT_BITS) - 1 for k in range(loop.sizes[-1])] for w in words.tolist()]
    )
    number = times // int(us(STRETCH_US))
    # The hits behind a frame must all be of its frequency: the first ones of a stretch are not.
    span = loop.intervals * UNITS / rate_of(1) / hertz[number] * 1e9
    steady = times - starts[number] > span * 1.3 + 1e9
    return counts[steady].astype(float), np.array([rate_of(h) for h in hertz[number[steady]]])


def best_currents(loop: Loop, rng: np.random.Generator) -> Floats:
    """Of many random draws the currents whose counts tell the hit rate best, by the rate algebra.

    The information of a count of n slots on a rate a is n (dp/da)^2 / (p (1 - p)); draws are ranked by the least sum over
    the outputs that any rate in the range has. The outputs are not independent, so that sum only serves to rank.
    """
    spec, synapse = loop.network.spec, loop.network.synapse
    algebra = RateNetwork(spec, synapse)
    grid = np.stack([np.linspace(0.1, 0.95, 18), np.full(18, BURST)], axis=1)
    best, found = -1.0, np.zeros(spec.parameters)
    for _ in range(DRAWS):
        currents = np.round(rng.uniform(*synapse.range_ua, spec.parameters), 1)
        p = np.clip(algebra.rates(currents, grid).output, 1e-3, 1 - 1e-3)
        slope = np.gradient(p, grid[:, 0], axis=0)
        least = float((slope**2 / (p * (1 - p))).sum(axis=1).min())
        if least > best:
            best, found = least, currents
    return found


def rounded(values: Floats, fmt: Fixed) -> Floats:
    """Values as the format holds them."""
    unit = float(fmt.lsb)
    return np.asarray(np.clip(np.floor(values / unit + 0.5), fmt.min_raw, fmt.max_raw) * unit)


def forward(parameters: list[Floats], x: Floats) -> tuple[Floats, Floats, Floats]:
    """Hidden sums, hidden outputs and estimates, all with rounded weights."""
    w1, b1, w2, b2 = parameters
    sums = x @ rounded(w1, WEIGHT) + rounded(b1, BIAS)
    hidden = rounded(np.maximum(sums, 0), HIDDEN_OUT)
    return sums, hidden, hidden @ rounded(w2, WEIGHT) + rounded(b2, BIAS)


def train(x: Floats, wanted: Floats, rng: np.random.Generator) -> list[Floats]:
    """Train by Adam on the squared relative error."""
    inputs = x.shape[1]
    parameters = [
        rng.normal(0, 0.5, (inputs, HIDDEN)),
        rng.normal(0, 20, HIDDEN),
        rng.normal(0, 0.4, (HIDDEN, 1)),
        np.array([wanted.mean()]),
    ]
    mean, square = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    scales = [1.0, SCALED / 4, 1.0, SCALED / 4]
    step = 0
    for epoch in range(EPOCHS):
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        for part in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
            step += 1
            sums, hidden, found = forward(parameters, x[part])
            error = (found[:, 0] - wanted[part])[:, None] / len(part) / wanted[part].mean()
            back = error @ rounded(parameters[2], WEIGHT).T * (sums > 0) * (sums < float(HIDDEN_OUT.max))
            for k, gradient in enumerate(
                [x[part].T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]
            ):
                mean[k] += 0.1 * (gradient - mean[k])
                square[k] += 0.001 * (gradient**2 - square[k])
                parameters[k] -= (
                    scales[k]
                    * rate
                    / (1 - 0.9**step)
                    * mean[k]
                    / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
                )
                limit = float((WEIGHT if k % 2 == 0 else BIAS).max)
                np.clip(parameters[k], -limit, limit, out=parameters[k])
    return straightened(parameters, x, wanted)


def straightened(parameters: list[Floats], x: Floats, wanted: Floats) -> list[Floats]:
    """Undo the pull towards the mean: least squares of noisy inputs give too little for high rates, too much for low ones.

    A loop that holds a set point by such estimates would be off by as much; so the mean estimate at each rate shall be it.
    """
    w1, b1, w2, b2 = parameters
    slope, offset = np.polyfit(wanted, forward(parameters, x)[2][:, 0], 1)
    return [w1, b1, w2 / slope, (b2 - offset) / slope]


def graph_of(parameters: list[Floats]) -> Graph:
    """The trained readout as a graph."""
    w1, b1, w2, b2 = parameters
    common: dict[str, Any] = {"weights_fmt": WEIGHT, "bias_fmt": BIAS}

    def raws(values: Floats, fmt: Fixed) -> npt.NDArray[np.int64]:
        return np.round(rounded(values, fmt) / float(fmt.lsb)).astype(np.int64)

    return sequential(
        "edge_readout",
        TensorType((len(w1),), COUNT),
        Dense("hidden", weights=raws(w1, WEIGHT), bias=raws(b1, BIAS), **common),
        ReLU("relu", output=HIDDEN_OUT),
        Dense("rate", weights=raws(w2, WEIGHT), bias=raws(b2, BIAS), output=ESTIMATE, **common),
    )


def main() -> None:
    """Run the front, train, measure and write."""
    loop, rng = Loop(), np.random.default_rng(SEED)
    currents = best_currents(loop, rng)
    found = [sweep(loop, currents, seed) for seed in range(RUNS + 2)]
    x, wanted = (np.concatenate([f[k] for f in found[:RUNS]]) for k in range(2))
    graph = graph_of(train(x, wanted, rng))
    fresh, truth = (np.concatenate([f[k] for f in found[RUNS:]]) for k in range(2))
    given = graph.evaluate(fresh.astype(np.int64))[:, 0]
    off = 100 * (given / truth - 1)
    print(
        f"{len(x)} frames; on {len(fresh)} fresh ones: error {off.std():.1f} % rms, bias {off.mean():+.1f} %"
    )
    best = 1 / np.sqrt(loop.intervals)
    for low, high in ((0, 130), (130, 200), (200, 400)):
        some = (truth >= low) & (truth < high)
        print(f"  rates of {low} to {high}: bias {off[some].mean():+.1f} %, error {off[some].std():.1f} %")
    print(f"the hits themselves allow {100 * best:.1f} %")
    np.savez_compressed(WEIGHTS, currents=currents)
    graph.save(FOLDER / "readout.npz")


if __name__ == "__main__":
    main()
