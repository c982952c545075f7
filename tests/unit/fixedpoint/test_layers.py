"""Layers on vectors and elements: equal to the oracle for every mode, and refusing what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import FormatError, SpecError, WiringError
from hwmodel.fixedpoint._fold import exact_format, fitting_format, fold_batch_norm
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers import (
    Add,
    Argmax,
    BatchNorm,
    Concat,
    Dense,
    Flatten,
    Layer,
    PReLU,
    ReLU,
    Requantize,
    TensorType,
    Threshold,
)

from .layer_oracle import expected, formats, raws

FEW = settings(max_examples=60)
BYTE = Fixed(8, 3, rounding="RND", overflow="SAT")
NIBBLE = Fixed(4, 2)
SHAPES = st.sampled_from([(3,), (2, 4), (2, 2, 3)])


def assert_agrees(layer: Layer, *raw: np.ndarray, types: tuple[TensorType, ...]) -> None:
    """The layer gives what the oracle gives, and its result fits its type."""
    out, kind = layer.evaluate(*raw, types=types), layer.output_type(*types)
    assert out.shape == (len(raw[0]), *kind.shape)
    assert out.dtype == kind.fmt.dtype
    assert out.tolist() == expected(layer, *raw, types=types)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


# ------------------------------------------------------------------------------------------------- Dense


@FEW
@given(data=st.data())
def test_dense_equals_the_loop(data: st.DataObject) -> None:
    x_fmt, w_fmt, b_fmt = (data.draw(formats(6)) for _ in range(3))
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    accumulator = data.draw(optional(formats(10)))
    bias = {"bias": data.draw(raws(b_fmt, (columns,))), "bias_fmt": b_fmt} if data.draw(st.booleans()) else {}
    layer = Dense(
        "fc",
        weights=data.draw(raws(w_fmt, (rows, columns))),
        weights_fmt=w_fmt,
        accumulator=accumulator,
        each_step=accumulator is not None and data.draw(st.booleans()),
        output=data.draw(optional(formats(10))),
        **bias,
    )
    assert_agrees(layer, data.draw(raws(x_fmt, (2, rows))), types=(TensorType((rows,), x_fmt),))


def test_dense_of_wide_numbers_is_exact() -> None:
    wide = Fixed(50, 50)
    layer = Dense("fc", weights=[[wide.max_raw], [wide.max_raw]], weights_fmt=wide)
    kind = TensorType((2,), wide)
    out = layer.evaluate([[wide.max_raw, wide.max_raw - 1]], types=(kind,))
    assert out.tolist() == [[wide.max_raw * (2 * wide.max_raw - 1)]]
    assert layer.output_type(kind).fmt.width == 100


def test_each_step_and_one_cast_differ() -> None:
    kind, tight = TensorType((3,), Fixed(8, 8)), Fixed(8, 8, overflow="SAT")
    options = {"weights": [[1], [1], [1]], "weights_fmt": Fixed(2, 2), "accumulator": tight}
    steps, whole = Dense("steps", each_step=True, **options), Dense("whole", **options)
    assert steps.evaluate([[100, 100, -100]], types=(kind,)).tolist() == [[27]]
    assert whole.evaluate([[100, 100, -100]], types=(kind,)).tolist() == [[100]]


def test_a_loop_begins_with_the_bias_cast_to_the_accumulator() -> None:
    """The bias 2.5 becomes 2 in an accumulator of whole numbers, and 2 + 127 saturates before -100 comes."""
    layer = Dense(
        "fc",
        weights=[[1], [1]],
        weights_fmt=Fixed(2, 2),
        bias=[5],
        bias_fmt=Fixed(5, 4),
        accumulator=Fixed(8, 8, overflow="SAT"),
        each_step=True,
    )
    x, types = np.array([[127, -100], [1, 1]]), (TensorType((2,), Fixed(8, 8)),)
    assert layer.evaluate(x, types=types).tolist() == [[27], [4]]
    assert_agrees(layer, x, types=types)


def test_the_bound_is_reached_by_its_witness() -> None:
    rng = np.random.default_rng(5)
    layer = Dense(
        "fc", weights=rng.integers(-8, 8, (6, 3)), weights_fmt=NIBBLE, bias=[3, -7, 1], bias_fmt=Fixed(4, 1)
    )
    types = (TensorType((6,), BYTE),)
    bound = layer.accumulator_bound(types)
    low, high = (layer.evaluate(i[0][None], types=types) for i in (bound.low_input, bound.high_input))
    assert low.min() == bound.low
    assert high.max() == bound.high
    assert layer.output_type(*types).fmt == bound.fmt


def test_a_narrow_accumulator_is_warned_of() -> None:
    layer = Dense("fc", weights=[[7], [7]], weights_fmt=Fixed(4, 4), accumulator=Fixed(6, 6), output=BYTE)
    types = (TensorType((2,), Fixed(4, 4)),)
    (text,) = layer.warnings(types)
    assert "'fc': sums reach -112 .. 98" in text
    assert "ap_fixed<8,8>" in text


def test_an_accumulator_without_the_last_bits_is_warned_of() -> None:
    layer = Dense("fc", weights=[[1]], weights_fmt=Fixed(4, 2), accumulator=Fixed(16, 15), each_step=True)
    (text,) = layer.warnings((TensorType((1,), NIBBLE),))
    assert "drops 3 fractional bits of the products at each step" in text


def test_a_wide_accumulator_is_not_warned_of() -> None:
    layer = Dense("fc", weights=[[7], [7]], weights_fmt=Fixed(4, 4), accumulator=Fixed(8, 8))
    assert layer.warnings((TensorType((2,), Fixed(4, 4)),)) == []


def test_dense_refuses_another_shape_and_names_flatten() -> None:
    layer = Dense("fc", weights=[[1], [2], [3], [4]], weights_fmt=NIBBLE)
    with pytest.raises(FormatError, match=r"layer 'fc' \(Dense\).*\(2, 2\), wanted \(4,\); put a Flatten"):
        layer.output_type(TensorType((2, 2), BYTE))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"weights": [[9]]}, r"weights of layer 'fc'\[0\]\[0\] = 9 does not fit"),
        ({"weights": [[0.5]]}, "quantize"),
        ({"weights": [1, 2]}, "wanted 2 dimensions"),
        ({"weights": np.zeros((0, 2), int)}, "empty"),
        ({"bias": [1]}, "bias and bias_fmt belong together"),
        ({"bias": [1, 2], "bias_fmt": NIBBLE}, "the weights make 1 outputs"),
        ({"each_step": True}, "needs an accumulator"),
        ({"output": 8}, "no format"),
        ({"weights_fmt": None}, "weights_fmt is missing"),
    ],
)
def test_dense_refuses(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(FormatError, match=text):
        Dense("fc", **{"weights": [[1]], "weights_fmt": NIBBLE, **fields})


def test_weights_are_copied_and_cannot_be_changed() -> None:
    given_weights = np.array([[1, 2]])
    layer = Dense("fc", weights=given_weights, weights_fmt=NIBBLE)
    given_weights[0, 0] = 5
    assert layer.weights.tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="read-only"):
        layer.weights[0, 0] = 3


# ------------------------------------------------------------------------------------------------- elements


@FEW
@given(data=st.data(), shape=SHAPES)
def test_batch_norm_equals_the_loop(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x_fmt, scale_fmt, shift_fmt = (data.draw(formats()) for _ in range(3))
    layer = BatchNorm(
        "bn",
        scale=data.draw(raws(scale_fmt, shape[:1])),
        scale_fmt=scale_fmt,
        shift=data.draw(raws(shift_fmt, shape[:1])),
        shift_fmt=shift_fmt,
        output=data.draw(optional(formats())),
    )
    assert_agrees(layer, data.draw(raws(x_fmt, (2, *shape))), types=(TensorType(shape, x_fmt),))


def test_the_bound_of_batch_norm_is_reached() -> None:
    layer = BatchNorm("bn", scale=[3, -5], scale_fmt=NIBBLE, shift=[7, -1], shift_fmt=Fixed(4, 4))
    types = (TensorType((2, 3), BYTE),)
    bound = layer.accumulator_bound(types)
    assert layer.evaluate(bound.low_input[0][None], types=types).min() == bound.low
    assert layer.evaluate(bound.high_input[0][None], types=types).max() == bound.high


@FEW
@given(data=st.data(), shape=SHAPES)
def test_prelu_equals_the_loop(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x_fmt, slope_fmt = data.draw(formats()), data.draw(formats())
    slope = data.draw(raws(slope_fmt, data.draw(st.sampled_from([(), shape[:1]]))))
    layer = PReLU("act", slope=slope, slope_fmt=slope_fmt, output=data.draw(optional(formats())))
    assert_agrees(layer, data.draw(raws(x_fmt, (2, *shape))), types=(TensorType(shape, x_fmt),))


@FEW
@given(data=st.data(), shape=SHAPES)
def test_relu_and_requantize_equal_the_loop(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x_fmt, output = data.draw(formats()), data.draw(formats())
    x, types = data.draw(raws(x_fmt, (2, *shape))), (TensorType(shape, x_fmt),)
    assert_agrees(ReLU("act", output=output), x, types=types)
    assert_agrees(ReLU("same"), x, types=types)
    assert_agrees(Requantize("cast", output=output), x, types=types)


def test_a_cast_to_the_same_format_is_a_copy() -> None:
    """As in ap_fixed: SAT_SYM takes the least raw away only where the format changes."""
    fmt, wider = Fixed(4, 4, overflow="SAT_SYM"), Fixed(5, 5)
    assert Requantize("copy", output=fmt).evaluate([[-8]], types=(TensorType((1,), fmt),)).tolist() == [[-8]]
    assert Requantize("cast", output=fmt).evaluate([[-8]], types=(TensorType((1,), wider),)).tolist() == [
        [-7]
    ]


@FEW
@given(data=st.data(), shape=SHAPES, count=st.integers(2, 3))
def test_add_equals_the_loop(data: st.DataObject, shape: tuple[int, ...], count: int) -> None:
    types = tuple(TensorType(shape, data.draw(formats())) for _ in range(count))
    arrays = [data.draw(raws(t.fmt, (2, *shape))) for t in types]
    assert_agrees(Add("sum", output=data.draw(optional(formats()))), *arrays, types=types)


@FEW
@given(data=st.data(), shape=SHAPES)
def test_threshold_equals_the_loop(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x_fmt, levels_fmt, count = data.draw(formats()), data.draw(formats()), data.draw(st.integers(1, 3))
    levels = data.draw(raws(levels_fmt, data.draw(st.sampled_from([(count,), (shape[0], count)]))))
    layer = Threshold("code", levels=levels, levels_fmt=levels_fmt, values=(-1, 1), output=Fixed(2, 2))
    assert_agrees(layer, data.draw(raws(x_fmt, (2, *shape))), types=(TensorType(shape, x_fmt),))


@FEW
@given(data=st.data(), shape=SHAPES)
def test_argmax_and_flatten_equal_the_loop(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x_fmt = data.draw(formats(3))
    x, types = data.draw(raws(x_fmt, (2, *shape))), (TensorType(shape, x_fmt),)
    assert_agrees(Argmax("top"), x, types=types)
    assert_agrees(Flatten("row"), x, types=types)


def test_argmax_of_one_class_has_one_bit() -> None:
    kind = TensorType((1,), BYTE)
    assert Argmax("top").output_type(kind) == TensorType((1,), Fixed(1, 1, signed=False))


@pytest.mark.parametrize(
    ("layer", "types", "text"),
    [
        (
            BatchNorm("l", scale=[1], scale_fmt=NIBBLE, shift=[1], shift_fmt=NIBBLE),
            [(2,)],
            "2 channels.*scale has 1",
        ),
        (PReLU("l", slope=[1, 2], slope_fmt=NIBBLE), [(3, 2)], "3 channels.*slope has 2"),
        (Threshold("l", levels=[[1], [2]], levels_fmt=NIBBLE), [(3,)], "3 channels.*2 rows"),
        (Add("l"), [(2,), (3,)], r"shapes \(2,\), \(3,\)"),
        (Add("l"), [(2,)], "1 inputs, wanted 2 or more"),
        (Concat("l"), [(2, 3), (2, 4)], r"shapes \(2, 3\), \(2, 4\); make all but the channels the same"),
        (ReLU("l"), [(2,), (2,)], "2 inputs, wanted 1"),
    ],
)
def test_layers_refuse_types(layer: Layer, types: list[tuple[int, ...]], text: str) -> None:
    with pytest.raises(FormatError, match=rf"layer 'l' \({layer.kind}\).*{text}"):
        layer.output_type(*(TensorType(shape, BYTE) for shape in types))


def test_batch_norm_refuses_unequal_rows() -> None:
    with pytest.raises(FormatError, match=r"scale has shape \(2,\), shift \(1,\)"):
        BatchNorm("bn", scale=[1, 2], scale_fmt=NIBBLE, shift=[1], shift_fmt=NIBBLE)


def test_threshold_refuses_values_outside_its_format() -> None:
    with pytest.raises(FormatError, match="not two raws"):
        Threshold("code", levels=[0], levels_fmt=NIBBLE, values=(-1, 1))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ([[1, 2, 3]], r"shape \(1, 3\), wanted \(batch, 2\)"),
        ([1, 2], r"wanted \(batch, 2\)"),
        ([[1, 200]], "200 does not fit"),
        ([[1.0, 2.0]], "quantize"),
    ],
)
def test_evaluate_refuses_what_does_not_fit(raw: list, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        ReLU("act").evaluate(raw, types=(TensorType((2,), BYTE),))


def test_evaluate_refuses_batches_that_differ() -> None:
    kind = TensorType((1,), BYTE)
    with pytest.raises(FormatError, match="same batch"):
        Add("sum").evaluate([[1]], [[1], [2]], types=(kind, kind))


@pytest.mark.parametrize("name", ["", "1st", "a b", "a.b", "a" * 300, None])
def test_names_that_are_no_identifiers_are_refused(name: Any) -> None:
    with pytest.raises(SpecError, match="no usable name"):
        ReLU(name)


def test_a_layer_cannot_be_called_input() -> None:
    with pytest.raises(WiringError, match="stands for the input"):
        ReLU("input")


@pytest.mark.parametrize("shape", [(), (0,), (2, -1), (True,), (1.5,)])
def test_shapes_that_are_none_are_refused(shape: tuple) -> None:
    with pytest.raises(FormatError, match="whole sizes above 0"):
        TensorType(shape, BYTE)


def test_an_empty_batch_gives_an_empty_batch() -> None:
    layer = Dense("fc", weights=[[1, 2]], weights_fmt=NIBBLE)
    assert layer.evaluate(np.zeros((0, 1), int), types=(TensorType((1,), BYTE),)).shape == (0, 2)


# ------------------------------------------------------------------------------------------------- from floats


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.integers(2, 24))
def test_a_fitting_format_does_not_saturate_and_a_smaller_one_would(numbers: list[float], width: int) -> None:
    fmt = fitting_format(numbers, width)
    half = fmt.lsb / 2
    assert all(float(fmt.min - half) <= x <= float(fmt.max + half) for x in numbers)
    less = Fixed(width, fmt.int_bits - 1)
    tight = any(not less.min - half / 2 < x < less.max + half / 2 for x in numbers)
    assert tight or not any(numbers)


@pytest.mark.parametrize(
    ("numbers", "fmt"),
    [
        ([0.0], Fixed(1, 1, signed=False)),
        ([3.0], Fixed(2, 2, signed=False)),
        ([-1.0, 1.0], Fixed(2, 2)),
        ([0.375], Fixed(2, -1, signed=False)),
        ([96.0, -32.0], Fixed(3, 8)),
        ([0.1], None),
        ([np.inf], None),
    ],
)
def test_exact_format(numbers: list[float], fmt: Fixed | None) -> None:
    assert exact_format(numbers, 32) == fmt


def test_folded_batch_norm_is_near_the_float_one() -> None:
    rng = np.random.default_rng(3)
    gamma, beta, mean = rng.normal(1, 0.3, 4), rng.normal(size=4), rng.normal(size=4)
    variance = rng.uniform(0.1, 3, 4)
    layer = fold_batch_norm("bn", gamma, beta, mean, variance, width=16)
    x = rng.integers(-128, 128, (50, 4))
    kind = TensorType((4,), BYTE)
    out = layer.evaluate(x, types=(kind,)) * float(layer.output_type(kind).fmt.lsb)
    wanted = gamma * (x / 32 - mean) / np.sqrt(variance + 1e-5) + beta
    assert np.abs(out - wanted).max() < 2e-3


def test_folded_batch_norm_is_exact_at_the_mean() -> None:
    """The shift makes good for the rounding of the scale."""
    layer = fold_batch_norm(
        "bn", [0.3], [0.5], [2.0], [1.0], epsilon=0.0, scale_fmt=Fixed(3, 0), shift_fmt=Fixed(12, 4)
    )
    assert layer.scale[0] * 2.0 / 8 + layer.shift[0] / 256 == 0.5


@pytest.mark.parametrize(
    ("variance", "text"),
    [([-1.0], "above 0"), ([np.nan], "finite"), ([1.0, 2.0], r"\(1,\), \(1,\), \(1,\), \(2,\)")],
)
def test_batch_norm_parameters_are_checked(variance: list[float], text: str) -> None:
    with pytest.raises(FormatError, match=text):
        fold_batch_norm("bn", [1.0], [0.0], [0.0], variance)
