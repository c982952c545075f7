"""Convolutions and pools: equal to the oracle, bounded as they say, and refusing what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers import Layer, TensorType
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool

from .layer_oracle import expected, formats, raws

FEW = settings(max_examples=50)
NIBBLE = Fixed(4, 2)
BYTE = Fixed(8, 3, rounding="RND", overflow="SAT")


def assert_agrees(layer: Layer, raw: np.ndarray, kind: TensorType) -> None:
    out, result = layer.evaluate(raw, types=(kind,)), layer.output_type(kind)
    assert out.shape == (len(raw), *result.shape)
    assert out.tolist() == expected(layer, raw, types=(kind,))


@st.composite
def convolutions(draw: st.DrawFn, axes: int) -> tuple[Conv1d | Conv2d, TensorType]:
    """A small convolution and the type of its input."""
    x_fmt, w_fmt, b_fmt = (draw(formats(5)) for _ in range(3))
    groups = draw(st.integers(1, 2))
    channels, outputs = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    size = tuple(draw(st.integers(2, 4)) for _ in range(axes))
    kernel = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    accumulator = draw(st.none() | formats(9))
    bias = {"bias": draw(raws(b_fmt, (outputs,))), "bias_fmt": b_fmt} if draw(st.booleans()) else {}
    layer = (Conv1d, Conv2d)[axes - 1](
        "conv",
        weights=draw(raws(w_fmt, (outputs, channels, *kernel))),
        weights_fmt=w_fmt,
        stride=tuple(draw(st.integers(1, 2)) for _ in range(axes)),
        padding=tuple(draw(st.integers(0, 2)) for _ in range(axes)),
        groups=groups,
        accumulator=accumulator,
        each_step=accumulator is not None and draw(st.booleans()),
        output=draw(st.none() | formats(9)),
        **bias,
    )
    return layer, TensorType((groups * channels, *size), x_fmt)


@pytest.mark.parametrize("axes", [1, 2])
@FEW
@given(data=st.data())
def test_convolution_equals_the_loop(data: st.DataObject, axes: int) -> None:
    layer, kind = data.draw(convolutions(axes))
    assert_agrees(layer, data.draw(raws(kind.fmt, (2, *kind.shape))), kind)


@pytest.mark.parametrize("axes", [1, 2])
@FEW
@given(data=st.data())
def test_the_bound_of_a_convolution_is_reached(data: st.DataObject, axes: int) -> None:
    layer, kind = data.draw(convolutions(axes))
    exact = type(layer)(
        "exact",
        weights=layer.weights,
        weights_fmt=layer.weights_fmt,
        stride=layer.stride,
        padding=layer.padding,
        groups=layer.groups,
        bias=layer.bias,
        bias_fmt=layer.bias_fmt,
    )
    bound = exact.accumulator_bound((kind,))
    low, high = (exact.evaluate(i[0][None], types=(kind,)) for i in (bound.low_input, bound.high_input))
    assert int(low.min()) == bound.low
    assert int(high.max()) == bound.high


@FEW
@given(data=st.data(), shape=st.sampled_from([(2, 5), (2, 3, 4), (1, 4, 2)]))
def test_pools_equal_the_loop(data: st.DataObject, shape: tuple[int, ...]) -> None:
    axes = len(shape) - 1
    kernel = data.draw(st.sampled_from([1, 2, (2, 1)[:axes], None]))
    steps: dict[str, Any] = {"kernel": kernel, "stride": data.draw(st.none() | st.integers(1, 3))}
    if kernel == 2:
        steps["padding"] = data.draw(st.integers(0, 1))
    kind, output = TensorType(shape, data.draw(formats())), data.draw(st.none() | formats())
    x = data.draw(raws(kind.fmt, (2, *shape)))
    assert_agrees(MaxPool("max", output=output, **steps), x, kind)
    division = data.draw(st.sampled_from(["auto", "reciprocal", "truncate"]))
    assert_agrees(AvgPool("mean", output=output, division=division, **steps), x, kind)


def test_a_mean_by_shift_is_rounded_once() -> None:
    """-5/4 to one bit less: through the sum's last bit it would be cut twice."""
    pool = AvgPool("mean", kernel=4, output=Fixed(4, 4, rounding="RND_CONV"))
    assert pool.evaluate([[[-3, -2, -3, -2]]], types=(TensorType((1, 4), Fixed(4, 4)),)).tolist() == [[[-2]]]


def test_truncation_loses_what_a_reciprocal_keeps() -> None:
    kind, half_up = TensorType((1, 3), Fixed(8, 8)), Fixed(8, 8, rounding="RND")
    x = [[[1, 0, 1]]]  # 2/3
    assert AvgPool("a", output=half_up).evaluate(x, types=(kind,)).tolist() == [[[1]]]
    assert AvgPool("b", output=half_up, division="truncate").evaluate(x, types=(kind,)).tolist() == [[[0]]]


def test_truncation_goes_toward_zero() -> None:
    pool = AvgPool("mean", kernel=3, division="truncate")
    assert pool.evaluate([[[-1, 0, -1]]], types=(TensorType((1, 3), Fixed(8, 8)),)).tolist() == [[[0]]]


@given(st.integers(1, 3000))
def test_a_reciprocal_has_18_significant_bits(samples: int) -> None:
    raw, fmt = AvgPool.reciprocal(samples)
    assert fmt.width == 18
    assert 2**17 <= raw < 2**18
    assert abs(raw * fmt.lsb * samples - 1) <= 2**-18


def test_padding_never_wins_a_maximum() -> None:
    pool = MaxPool("max", kernel=3, stride=3, padding=1)
    assert pool.evaluate([[[-5, -7]]], types=(TensorType((1, 2), Fixed(4, 4)),)).tolist() == [[[-5]]]


def test_conv_counts_macs_and_parameters() -> None:
    layer = Conv2d("c", weights=np.ones((4, 3, 2, 2), int), weights_fmt=NIBBLE, bias=[0] * 4, bias_fmt=NIBBLE)
    kind = TensorType((3, 5, 5), BYTE)
    assert (layer.macs((kind,)), layer.parameters) == (4 * 3 * 2 * 2 * 16, 48 + 4)


def test_zeros_of_the_padding_take_no_part_in_the_bound() -> None:
    """A window that is always cut short cannot reach the sum of all weights."""
    layer = Conv1d("c", weights=[[[7, 7]]], weights_fmt=Fixed(4, 4), stride=9, padding=1)
    bound = layer.accumulator_bound((TensorType((1, 3), Fixed(4, 4)),))
    assert (bound.low, bound.high) == (-56, 49)


ONES = np.ones((2, 2, 2, 2), int)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"stride": 0}, "stride=0; give a whole number >= 1"),
        ({"padding": -1}, "padding=-1"),
        ({"stride": (1, 2, 3)}, "or 2 of them"),
        ({"groups": 3}, "groups=3 does not divide"),
        ({"weights": np.ones((2, 2), int)}, "wanted 4 dimensions"),
    ],
)
def test_conv_refuses(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(FormatError, match=rf"layer 'c' \(Conv2d\).*{text}"):
        Conv2d("c", **{"weights": ONES, "weights_fmt": NIBBLE, **fields})


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (Conv2d("l", weights=ONES, weights_fmt=NIBBLE), (2, 4), r"wanted \(channels, height, width\)"),
        (Conv2d("l", weights=ONES, weights_fmt=NIBBLE), (3, 4, 4), "3 channels.*take 2"),
        (Conv2d("l", weights=ONES, weights_fmt=NIBBLE), (2, 1, 4), "larger than the input"),
        (MaxPool("l", kernel=3), (2, 2), "larger than the input"),
        (MaxPool("l", kernel=2, padding=2), (2, 4), "keep it below kernel"),
        (AvgPool("l", kernel=3, division="shift"), (2, 4), "is no shift"),
        (AvgPool("l", kernel=2), (4,), "wanted"),
        (MaxPool("l", kernel=(2, 2)), (1, 4), "kernel"),
    ],
)
def test_layers_refuse_types(layer: Layer, shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(FormatError, match=rf"layer 'l' \({layer.kind}\).*{text}"):
        layer.output_type(TensorType(shape, BYTE))


def test_an_unknown_division_is_refused() -> None:
    with pytest.raises(FormatError, match="division='floor' is unknown; take one of auto, shift"):
        AvgPool("p", kernel=2, division="floor")
