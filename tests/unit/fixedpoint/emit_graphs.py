"""Small graphs that together have every layer that can be emitted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import (
    Add,
    Argmax,
    BatchNorm,
    Concat,
    Dense,
    Flatten,
    PReLU,
    ReLU,
    Requantize,
    TensorType,
    Threshold,
)
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool

ACT = Fixed(6, 3)
WEIGHT = Fixed(4, 2)
SAT = Fixed(6, 4, rounding="RND", overflow="SAT")


def weights(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8, 8, shape)


def dense(name: str, rows: int, columns: int, **options: object) -> Dense:
    bias = weights(columns, columns)
    return Dense(
        name, weights=weights(rows, rows, columns), weights_fmt=WEIGHT, bias=bias, bias_fmt=WEIGHT, **options
    )


def classifier() -> Graph:
    return sequential(
        "classifier",
        TensorType((3,), ACT),
        dense("fc", 3, 5, output=SAT),
        ReLU("relu", output=Fixed(5, 3, signed=False, rounding="RND_CONV", overflow="SAT")),
        dense("scores", 5, 3),
        Argmax("top"),
    )


def elements() -> Graph:
    return sequential(
        "elements",
        TensorType((4,), ACT),
        BatchNorm("norm", scale=[3, -4, 0, 7], scale_fmt=Fixed(4, 1), shift=[1, -9, 3, 0], shift_fmt=ACT),
        PReLU("bend", slope=[3, -2, 1, 0], slope_fmt=Fixed(4, 1), output=Fixed(7, 4, overflow="WRAP")),
        Requantize("cast", output=Fixed(5, 2, rounding="RND_ZERO", overflow="SAT_SYM")),
        Threshold("code", levels=[-3, 0, 2], levels_fmt=Fixed(5, 4), values=(-1, 1), output=Fixed(2, 2)),
        dense("fc", 12, 2, accumulator=Fixed(5, 4), each_step=True, output=Fixed(4, 3)),
    )


def residual() -> Graph:
    layers = (
        Dense("fc", ("input",), weights=weights(1, 4, 4), weights_fmt=WEIGHT, output=ACT),
        Add("first", ("fc", "input"), output=Fixed(6, 4, overflow="SAT")),
        Add("second", ("first", "fc", "input")),
        Concat("both", ("second", "fc")),
    )
    return Graph("residual", TensorType((4,), ACT), layers)


def image() -> Graph:
    return sequential(
        "image",
        TensorType((2, 6, 5), Fixed(4, 2)),
        Conv2d(
            "conv",
            weights=weights(3, 3, 2, 3, 3),
            weights_fmt=WEIGHT,
            bias=weights(4, 3),
            bias_fmt=WEIGHT,
            padding=1,
            stride=(2, 1),
            output=ACT,
        ),
        AvgPool("mean", kernel=2, stride=1, output=SAT),
        MaxPool("most", kernel=2, stride=1, padding=1),
        Flatten("row"),
        dense("fc", 45, 2),
    )


def signal() -> Graph:
    return sequential(
        "signal",
        TensorType((2, 7), ACT),
        Conv1d(
            "conv",
            weights=weights(5, 4, 1, 3),
            weights_fmt=WEIGHT,
            groups=2,
            padding=1,
            accumulator=Fixed(6, 4, overflow="SAT"),
            each_step=True,
            output=ACT,
        ),
        AvgPool("third", kernel=3, division="truncate", output=SAT),
        Argmax("top"),
    )


def mean() -> Graph:
    pool = AvgPool("mean", kernel=3, padding=1, output=Fixed(7, 3, rounding="RND_INF", overflow="SAT"))
    return sequential("mean_pool", TensorType((1, 3, 4), ACT), pool)


GRAPHS: dict[str, Callable[[], Graph]] = {
    "classifier": classifier,
    "elements": elements,
    "residual": residual,
    "image": image,
    "signal": signal,
    "mean": mean,
}
