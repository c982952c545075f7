"""Draws the digits, trains the classifier with plain NumPy, and writes `model.npz` and `images.npz`.

    python sims/quantized_classifier/train.py

The data are made here: each image is one of ten 5x7 glyphs, turned, sheared, scaled and shifted by a random affine
map, sampled on 8x8 pixels, dimmed, and disturbed by noise. Nothing comes from anybody's data set. Training is
quantization-aware: the forward pass rounds weights and activations to the formats of the hardware, the backward pass
takes the rounding for the identity.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.fixedpoint import Argmax, Dense, Fixed, Graph, ReLU, TensorType, sequential

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDER = Path(__file__).resolve().parent
SEED = 20
TRAIN, TEST = 12_000, 1_000
HIDDEN = 12
EPOCHS, BATCH, RATE = 60, 100, 3e-3
KEPT = 0.4  # share of the weights of the first layer that are kept

PIXEL = Fixed(3, 0, signed=False, rounding="RND", overflow="SAT")
WEIGHT = Fixed(3, 1, rounding="RND", overflow="SAT")
BIAS = Fixed(7, 2, rounding="RND", overflow="SAT")
HIDDEN_OUT = Fixed(4, 2, signed=False, rounding="RND", overflow="SAT")
SCORE = Fixed(8, 5, rounding="RND", overflow="SAT")

GLYPHS = """
.###. ..#.. .###. .###. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... #...# ....# #...# #...#
#..## ..#.. ....# ....# .#.#. #.... #.... ...#. #...# #...#
#.#.# ..#.. ...#. ..##. #..#. ####. ####. ..#.. .###. .####
##..# ..#.. ..#.. ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...# #...#
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .###.
"""


def glyphs() -> Floats:
    """Give the ten glyphs, shape (10, 7, 5)."""
    rows = [line.split() for line in GLYPHS.strip().splitlines()]
    return np.array([[[c == "#" for c in rows[y][k]] for y in range(7)] for k in range(10)], float)


def draw(count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw images as raws of `PIXEL`, shape (count, 64), and their labels."""
    labels = rng.integers(0, 10, count)
    turn, shear = rng.normal(0, 0.12, count), rng.normal(0, 0.12, count)
    size = rng.uniform(0.85, 1.15, (2, count))
    shift = rng.uniform(-0.7, 0.7, (2, count))
    y, x = np.meshgrid(np.arange(8) - 3.5, np.arange(8) - 3.5, indexing="ij")
    u = (np.cos(turn)[:, None, None] * x - np.sin(turn + shear)[:, None, None] * y) / size[0][:, None, None]
    v = (np.sin(turn)[:, None, None] * x + np.cos(turn)[:, None, None] * y) / size[1][:, None, None]
    u, v = u * 0.8 + 2 + shift[0][:, None, None], v * 0.95 + 3 + shift[1][:, None, None]
    image = _sampled(glyphs()[labels], v, u)
    image = image * rng.uniform(0.6, 1.0, count)[:, None, None] + rng.normal(0, 0.08, image.shape)
    raws = np.clip(np.floor(image * 8 + 0.5), 0, PIXEL.max_raw).astype(np.int64)
    return raws.reshape(count, 64), labels


def _sampled(source: Floats, v: Floats, u: Floats) -> Floats:
    """Bilinear samples of images (count, 7, 5), 0 outside."""
    padded = np.pad(source, ((0, 0), (2, 2), (2, 2)))
    v, u = np.clip(v + 2, 0, 9.999), np.clip(u + 2, 0, 7.999)
    y, x = np.floor(v).astype(int), np.floor(u).astype(int)
    fy, fx = v - y, u - x
    k = np.arange(len(source))[:, None, None]
    top = padded[k, y, x] * (1 - fx) + padded[k, y, x + 1] * fx
    bottom = padded[k, y + 1, x] * (1 - fx) + padded[k, y + 1, x + 1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy)


def rounded(values: Floats, fmt: Fixed) -> Floats:
    """Values as the format holds them: to nearest, saturated."""
    unit = float(fmt.lsb)
    return np.asarray(np.clip(np.floor(values / unit + 0.5), fmt.min_raw, fmt.max_raw) * unit)


def forward(parameters: list[Floats], x: Floats, mask: Floats) -> tuple[Floats, Floats, Floats]:
    """Give the hidden sums, the hidden outputs and the scores, all with rounded numbers."""
    w1, b1, w2, b2 = parameters
    sums = x @ (rounded(w1, WEIGHT) * mask) + rounded(b1, BIAS)
    hidden = rounded(np.maximum(sums, 0), HIDDEN_OUT)
    return sums, hidden, hidden @ rounded(w2, WEIGHT) + rounded(b2, BIAS)


def gradients(parameters: list[Floats], x: Floats, labels: Ints, mask: Floats) -> list[Floats]:
    """Give the gradients of the mean cross-entropy."""
    sums, hidden, scores = forward(parameters, x, mask)
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    p /= len(x)
    back = p @ rounded(parameters[2], WEIGHT).T
    back *= (sums > 0) & (sums < float(HIDDEN_OUT.max))
    return [x.T @ back * mask, back.sum(axis=0), hidden.T @ p, p.sum(axis=0)]


def train(x: Floats, labels: Ints, rng: np.random.Generator) -> tuple[list[Floats], Floats]:
    """Train by Adam; half way the smallest weights of the first layer are cut for good."""
    parameters = [
        rng.normal(0, 0.3, (64, HIDDEN)),
        np.zeros(HIDDEN),
        rng.normal(0, 0.4, (HIDDEN, 10)),
        np.zeros(10),
    ]
    mask = np.ones((64, HIDDEN))
    mean, square = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    step = 0
    for epoch in range(EPOCHS):
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        if epoch == EPOCHS // 3:
            mask = (np.abs(parameters[0]) > np.quantile(np.abs(parameters[0]), 1 - KEPT)).astype(float)
        for part in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
            step += 1
            found = gradients(parameters, x[part], labels[part], mask)
            for k, gradient in enumerate(found):
                mean[k] += 0.1 * (gradient - mean[k])
                square[k] += 0.001 * (gradient**2 - square[k])
                scale = rate / (1 - 0.9**step)
                parameters[k] -= scale * mean[k] / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
                limit = float(WEIGHT.max) if k % 2 == 0 else float(BIAS.max)
                np.clip(parameters[k], -limit, limit, out=parameters[k])
    return parameters, mask


def raws(values: Floats, fmt: Fixed) -> Ints:
    """Raws of rounded values."""
    return np.round(rounded(values, fmt) / float(fmt.lsb)).astype(np.int64)


def graph_of(parameters: list[Floats], mask: Floats) -> Graph:
    """Give the trained network as a graph."""
    w1, b1, w2, b2 = parameters
    common: dict[str, Any] = {"weights_fmt": WEIGHT, "bias_fmt": BIAS}
    return sequential(
        "quantized_classifier",
        TensorType((64,), PIXEL),
        Dense("hidden", weights=raws(w1 * mask, WEIGHT), bias=raws(b1, BIAS), **common),
        ReLU("relu", output=HIDDEN_OUT),
        Dense("scores", weights=raws(w2, WEIGHT), bias=raws(b2, BIAS), output=SCORE, **common),
        Argmax("digit"),
    )


def main() -> None:
    """Train, measure and write."""
    rng = np.random.default_rng(SEED)
    x, labels = draw(TRAIN, rng)
    images, truth = draw(TEST, rng)
    parameters, mask = train(np.asarray(x * float(PIXEL.lsb), np.float64), labels, rng)
    graph = graph_of(parameters, mask)
    accuracy = float((graph.evaluate(images)[:, 0] == truth).mean())
    graph.save(FOLDER / "model.npz")
    np.savez_compressed(FOLDER / "images.npz", images=images.astype(np.uint8), labels=truth.astype(np.uint8))
    weights = sum(int(np.count_nonzero(layer.weights)) for layer in graph.layers if isinstance(layer, Dense))
    print(f"{weights} weights that are not 0; accuracy on {TEST} test images: {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
