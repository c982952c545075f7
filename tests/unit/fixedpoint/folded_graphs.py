"""Small graphs with convolutions for the folded styles: both accumulators, groups, strides, borders, a branch."""

from __future__ import annotations

from collections.abc import Callable

from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import (
    Add,
    Argmax,
    BatchNorm,
    Dense,
    Flatten,
    PReLU,
    ReLU,
    Requantize,
    TensorType,
    Threshold,
)
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool
from tests.unit.fixedpoint.emit_graphs import WEIGHT, weights

ACT = Fixed(6, 3, rounding="RND", overflow="SAT")


def conv(name: str, outputs: int, inputs: int, kernel: tuple[int, int], **options: object) -> Conv2d:
    """A convolution with random weights and bias; `inputs` counts the channels of one group."""
    return Conv2d(
        name,
        options.pop("reads", ()),
        weights=weights(outputs + inputs, outputs, inputs, *kernel),
        weights_fmt=WEIGHT,
        bias=weights(outputs, outputs),
        bias_fmt=WEIGHT,
        output=ACT,
        **options,
    )


def branch() -> Graph:
    """A residual block with groups and a cast at each step, then a pool with a border and a dense layer."""
    narrow = Fixed(6, 4, overflow="SAT")
    layers = (
        conv("first", 4, 2, (3, 3), reads=("input",), padding=1),
        ReLU("bend", ("first",)),
        conv(
            "second", 4, 2, (3, 3), reads=("bend",), padding=1, groups=2, accumulator=narrow, each_step=True
        ),
        Add("sum", ("bend", "second"), output=ACT),
        ReLU("out", ("sum",)),
        MaxPool("most", ("out",), kernel=2, padding=1),
        Flatten("row", ("most",)),
        Dense(
            "fc",
            ("row",),
            weights=weights(9, 36, 3),
            weights_fmt=WEIGHT,
            accumulator=Fixed(7, 4),
            each_step=True,
            output=ACT,
        ),
        Argmax("top", ("fc",)),
    )
    return Graph("branch", TensorType((2, 5, 4), ACT), layers)


def depthwise() -> Graph:
    taps = conv("taps", 8, 1, (2, 3), groups=4, stride=(2, 1), padding=(1, 2))
    bend = PReLU("bend", slope=weights(3, 8), slope_fmt=WEIGHT, output=ACT)
    return sequential("depthwise", TensorType((4, 5, 5), ACT), taps, bend)


def each_step() -> Graph:
    """Sums that wrap at every step, so that the order of the products matters."""
    return sequential(
        "each_step",
        TensorType((3, 5, 5), ACT),
        conv("wraps", 5, 3, (2, 3), accumulator=Fixed(6, 4), each_step=True, padding=(1, 0)),
        Requantize("cast", output=Fixed(5, 3)),
        BatchNorm(
            "norm", scale=weights(5, 5), scale_fmt=WEIGHT, shift=weights(6, 5), shift_fmt=ACT, output=ACT
        ),
        AvgPool("mean", kernel=2, stride=1, output=ACT),
    )


def once() -> Graph:
    """One cast of a whole sum that wraps, and unsigned inputs."""
    return sequential(
        "once",
        TensorType((3, 4, 4), Fixed(5, 3, signed=False)),
        conv("sums", 5, 3, (1, 1), accumulator=Fixed(6, 4)),
        conv("whole", 2, 5, (4, 4)),
        Threshold("code", levels=[-3, 0, 2], levels_fmt=Fixed(5, 4), values=(-1, 1), output=Fixed(2, 2)),
    )


def line() -> Graph:
    layer = Conv1d(
        "fir",
        weights=weights(7, 4, 1, 3),
        weights_fmt=WEIGHT,
        groups=2,
        padding=1,
        stride=2,
        output=ACT,
    )
    return sequential("line", TensorType((2, 9), ACT), ReLU("bend"), layer)


FOLDED: dict[str, Callable[[], Graph]] = {
    "branch": branch,
    "depthwise": depthwise,
    "each_step": each_step,
    "once": once,
    "line": line,
}
