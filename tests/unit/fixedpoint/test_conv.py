"""Convolutions against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import Fixed, conv1d, conv2d, reference_dot

X, W = Fixed(6, 3), Fixed(5, 1)
ACC = Fixed(9, 4, rounding="RND", overflow="SAT")


def loops(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int, each_step: bool) -> Any:
    """A convolution as a loop in HLS writes it: output, channel, row, column."""
    x = np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2])
    batch, _, height, width = x.shape
    outputs, channels, rows, columns = w.shape
    down = (height - dilation[0] * (rows - 1) - 1) // stride[0] + 1
    across = (width - dilation[1] * (columns - 1) - 1) // stride[1] + 1
    out = np.zeros((batch, outputs, down, across), int)
    for n, o, i, j in np.ndindex(out.shape):
        base = o // (outputs // groups) * channels
        places = [
            (base + c, i * stride[0] + r * dilation[0], j * stride[1] + s * dilation[1])
            for c, r, s in np.ndindex(channels, rows, columns)
        ]
        taps = [int(x[(n, *place)]) for place in places]
        out[n, o, i, j] = reference_dot(taps, X, w[o].reshape(-1).tolist(), W, ACC, each_step)
    return out


@given(
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(st.integers(0, 2), st.integers(0, 1)),
    st.tuples(st.integers(1, 2), st.integers(1, 1)),
    st.integers(1, 2),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_conv2d_follows_the_loops(
    stride: Any, padding: Any, dilation: Any, groups: int, each_step: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-32, 32, (2, 2, 5, 4)), rng.integers(-16, 16, (2, 2 // groups, 3, 2))
    got = conv2d(x, X, w, W, ACC, each_step, stride=stride, padding=padding, dilation=dilation, groups=groups)
    assert got.tolist() == loops(x, w, stride, padding, dilation, groups, each_step).tolist()


def test_conv1d_is_conv2d_of_one_row() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.integers(-32, 32, (3, 4, 11)), rng.integers(-16, 16, (6, 2, 3))
    got = conv1d(x, X, w, W, ACC, stride=2, padding=1, dilation=2, groups=2)
    flat = conv2d(
        x[:, :, None], X, w[:, :, None], W, ACC, stride=(1, 2), padding=(0, 1), dilation=(1, 2), groups=2
    )
    assert got.tolist() == flat[:, :, 0].tolist()


def test_bias_starts_the_sum() -> None:
    x, w = np.ones((1, 1, 2, 2), int), np.ones((3, 1, 1, 1), int)
    got = conv2d(x, X, w, W, start=[0, 1, -2])
    assert got[0, :, 0, 0].tolist() == [1, 2, -1]


def test_wide_formats_convolve_in_python_ints() -> None:
    fmt = Fixed(60, 60)
    got = conv1d([[[2**59 - 1] * 3]], fmt, [[[2**59 - 1] * 3]], fmt)
    assert got.tolist() == [[[3 * (2**59 - 1) ** 2]]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((1, 2, 4), int)}, "both need 4 axes"),
        ({"stride": 0}, "stride=0"),
        ({"padding": -1}, "padding=-1"),
        ({"dilation": 1.5}, "dilation=1.5"),
        ({"stride": (1, 2, 3)}, "3 numbers"),
        ({"groups": 3}, "groups=3 does not divide"),
        ({"w": np.zeros((2, 1, 3, 3), int)}, "w takes 1 channels, but x has 2"),
        ({"w": np.zeros((2, 2, 5, 3), int)}, "5 taps wide on 4 samples"),
        ({"start": [1, 2, 3]}, "start has shape"),
        ({"x": np.full((1, 2, 4, 4), 99)}, r"x_raw\[0\]\[0\]\[0\]\[0\] = 99"),
    ],
)
def test_bad_input_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    given_ = {"x": np.zeros((1, 2, 4, 4), int), "w": np.zeros((2, 2, 3, 3), int), **arguments}
    x, w = given_.pop("x"), given_.pop("w")
    with pytest.raises(FormatError, match=message):
        conv2d(x, X, w, W, ACC, **given_)


def test_an_empty_batch_stays_empty() -> None:
    fmt = Fixed(8, 4)
    weights = np.ones((3, 1, 2, 2), np.int64)
    assert conv2d(np.zeros((0, 1, 4, 4), np.int64), fmt, weights, fmt).shape == (0, 3, 3, 3)


def test_the_exact_sum_has_room_for_its_start() -> None:
    low = Fixed(8, 8)
    assert conv1d([[[-128]]], low, [[[-128]]], low, start=2**14).tolist() == [[[2**15]]]


def test_steps_may_come_as_an_array() -> None:
    x, w = np.ones((1, 1, 3, 3), int), np.ones((1, 1, 2, 2), int)
    got = conv2d(x, X, w, W, padding=np.array([1, 0]))  # type: ignore[arg-type]
    assert np.array_equal(got, conv2d(x, X, w, W, padding=(1, 0)))


def test_images_without_channels_sum_to_zero() -> None:
    assert conv1d(np.zeros((1, 0, 3), int), X, np.zeros((1, 0, 1), int), W).tolist() == [[[0, 0, 0]]]


def test_groups_are_a_whole_number() -> None:
    with pytest.raises(FormatError, match=r"groups=1\.0"):
        conv1d([[[1]]], X, [[[1]]], W, groups=1.0)  # type: ignore[arg-type]
