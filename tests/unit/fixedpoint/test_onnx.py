"""Imported models: equal to float64 where that is exact, and refusing by the node's name what has no counterpart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwmodel.errors import FormatError, SpecError, ToolError
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._onnx import import_onnx

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed: pip install 'hwmodel[onnx]'")

from .onnx_oracle import evaluate, model, node  # noqa: E402  it needs the package

RNG = np.random.default_rng(7)
# scale, zero point and bits of the quantisers below
QUANT = {"s3": 2.0**-3, "s5": 2.0**-5, "s2": 0.25, "z": 0.0, "b4": 4.0, "b6": 6.0, "b8": 8.0}
IN = node("Quant", ["x", "s5", "z", "b8"], "q", signed=1, narrow=0)
BYTE = Fixed(8, 3, rounding="RND_CONV", overflow="SAT")


def weights(*shape: int) -> np.ndarray:
    return RNG.integers(-8, 8, shape).astype(np.float32) / 8


def quant(source: str, output: str, scale: str = "s3", bits: str = "b6", **attributes: Any) -> Any:
    return node("Quant", [source, scale, "z", bits], output, **{"signed": 1, "narrow": 0, **attributes})


def assert_same(
    nodes: list, shape: tuple[int, ...], constants: dict[str, Any] | None = None, **options: Any
) -> Graph:
    """Import a model, hold it against float64 on random inputs, and give the graph."""
    proto = model([IN, *nodes], shape, {**QUANT, **(constants or {})})
    graph = import_onnx(proto, **options)
    x = RNG.normal(0, 2, (40, *shape)).astype(np.float32)
    x[0], x[1] = 9.0, -9.0
    wanted = evaluate(proto, x)
    assert np.ptp(wanted) > 0
    found = graph.evaluate_float(x)
    assert found.reshape(wanted.shape).tolist() == wanted.tolist()
    return graph


def kinds(graph: Graph) -> list[str]:
    return [layer.kind for layer in graph.layers]


# ------------------------------------------------------------------------------------------------- operators


def test_a_mlp_with_quantised_weights() -> None:
    constants = {"w1": weights(6, 5), "b1": weights(5), "w2": weights(5, 3), "shape": np.array([-1, 6])}
    nodes = [
        node("Reshape", ["q", "shape"], "r"),
        quant("w1", "w1q", bits="b4"),
        node("MatMul", ["r", "w1q"], "m"),
        node("Add", ["m", "b1"], "a"),
        node("Relu", ["a"], "h"),
        quant("h", "hq", signed=0),
        quant("w2", "w2q", bits="b4"),
        node("MatMul", ["hq", "w2q"], "y"),
    ]
    graph = assert_same(nodes, (6,), constants)
    assert kinds(graph) == ["Dense", "ReLU", "Dense"]
    assert graph.types["Relu_h"].fmt == Fixed(6, 3, signed=False, rounding="RND_CONV", overflow="SAT")
    assert graph["MatMul_m"].bias is not None


def test_gemm_with_transposed_weights_and_bias() -> None:
    nodes = [node("Gemm", ["q", "w", "b"], "g", transB=1), quant("g", "y")]
    graph = assert_same(nodes, (6,), {"w": weights(4, 6), "b": weights(4)})
    assert kinds(graph) == ["Dense"]
    assert graph.output_type.fmt == Fixed(6, 3, rounding="RND_CONV", overflow="SAT")


def test_a_transposed_constant() -> None:
    nodes = [quant("w", "wq", bits="b4"), node("Transpose", ["wq"], "t"), node("MatMul", ["q", "t"], "y")]
    assert_same(nodes, (6,), {"w": weights(4, 6)})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pads": [1, 1, 1, 1], "strides": [2, 1]},
        {"pads": [0, 1, 1, 0]},
        {"dilations": [2, 1]},
        {"dilations": [1, 2], "pads": [2, 0, 1, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER"},
    ],
)
def test_conv(options: dict[str, Any]) -> None:
    constants = {"w": weights(3, 2, 2, 2), "b": weights(3)}
    assert_same([node("Conv", ["q", "w", "b"], "c", **options), quant("c", "y")], (2, 5, 4), constants)


def test_conv_in_groups_and_in_one_dimension() -> None:
    assert_same([node("Conv", ["q", "w"], "y", group=2)], (4, 5, 5), {"w": weights(6, 2, 3, 3)})
    assert_same([node("Conv", ["q", "w"], "y", group=4, pads=[1, 0])], (4, 7), {"w": weights(4, 1, 2)})


def test_scales_of_weights_may_differ_by_channel() -> None:
    constants = {"w": weights(3, 2, 2, 2), "s": np.array([0.25, 0.125, 0.5], np.float32).reshape(3, 1, 1, 1)}
    graph = assert_same([quant("w", "wq", "s", "b4"), node("Conv", ["q", "wq"], "y")], (2, 4, 4), constants)
    assert graph["Conv_y"].weights_fmt.frac_bits == 3


def test_activations() -> None:
    constants = {"slope": weights(3).reshape(3, 1, 1), "one": weights(1)}
    assert_same([node("PRelu", ["q", "slope"], "p"), quant("p", "y")], (3, 2, 2), constants)
    assert_same([node("PRelu", ["q", "one"], "y")], (3, 2, 2), constants)
    assert_same([node("LeakyRelu", ["q"], "y", alpha=0.25)], (3,))
    assert_same([node("Relu", ["q"], "y")], (3,))


def test_a_residual_of_two_formats() -> None:
    nodes = [
        quant("q", "r", "s2", "b4"),
        node("Relu", ["q"], "h"),
        node("Add", ["r", "h"], "a"),
        quant("a", "y"),
    ]
    assert kinds(assert_same(nodes, (5,))) == ["Requantize", "ReLU", "Add"]


@pytest.mark.parametrize(
    ("op", "constant"), [("Mul", "c"), ("Add", "c"), ("Sub", "c"), ("Mul", "d"), ("Div", "s3")]
)
def test_arithmetic_with_constants(op: str, constant: str) -> None:
    constants = {"c": weights(3).reshape(1, 3, 1, 1), "d": np.float32([0.75])}
    graph = assert_same([node(op, ["q", constant], "y")], (3, 2, 2), constants)
    assert kinds(graph) == ["BatchNorm"]


def test_a_constant_may_stand_first() -> None:
    assert_same([node("Add", ["c", "q"], "a"), node("Mul", ["c", "a"], "y")], (3,), {"c": weights(3)})


def test_constants_are_folded() -> None:
    constants = {"w": weights(3, 2), "two": np.float32(2.0)}
    assert_same([node("Mul", ["w", "two"], "v"), node("MatMul", ["q", "v"], "y")], (3,), constants)


@pytest.mark.parametrize(
    ("op", "options"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 1]}),
        ("MaxPool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
        ("GlobalAveragePool", {}),
        ("GlobalMaxPool", {}),
    ],
)
def test_pools(op: str, options: dict[str, Any]) -> None:
    graph = assert_same([node(op, ["q"], "p", **options), quant("p", "y", "s5", "b6")], (2, 4, 4))
    assert len(graph.layers) == 1


def test_a_mean_by_a_reciprocal_is_near() -> None:
    nodes = [node("GlobalAveragePool", ["q"], "y")]
    proto = model([IN, *nodes], (2, 3, 3), QUANT)
    x = RNG.normal(0, 2, (50, 2, 3, 3)).astype(np.float32)
    wanted = evaluate(proto, x)
    found = import_onnx(proto).evaluate_float(x)
    assert np.abs(found - wanted).max() <= 4 * 2.0**-18


def test_flatten_and_argmax() -> None:
    nodes = [
        node("Flatten", ["q"], "f", axis=1),
        node("MatMul", ["f", "w"], "m"),
        node("ArgMax", ["m"], "y", axis=1, keepdims=1),
    ]
    assert kinds(assert_same(nodes, (2, 2, 2), {"w": weights(8, 5)})) == ["Flatten", "Dense", "Argmax"]


def test_batch_normalisation_is_near_at_the_bits_given() -> None:
    rng = np.random.default_rng(11)
    constants = {name: rng.uniform(0.5, 2, 3).astype(np.float32) for name in ("g", "b", "m", "v")}
    proto = model(
        [IN, node("BatchNormalization", ["q", "g", "b", "m", "v"], "y")], (3, 2, 2), {**QUANT, **constants}
    )
    x = rng.normal(0, 2, (50, 3, 2, 2)).astype(np.float32)
    wanted = evaluate(proto, x)
    errors = [np.abs(import_onnx(proto, constant_bits=b).evaluate_float(x) - wanted).max() for b in (8, 16)]
    assert errors[1] < 1e-3 < errors[0] < 0.1


# ------------------------------------------------------------------------------------------------- quantisers


@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "ROUND_TO_ZERO", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize(("signed", "narrow"), [(1, 0), (1, 1), (0, 0)])
def test_every_rounding_of_quant(mode: str, signed: int, narrow: int) -> None:
    """The input has two bits more than the scale keeps, so that ties come up."""
    assert_same([quant("q", "y", "s3", "b4", signed=signed, narrow=narrow, rounding_mode=mode)], (20,))


def test_bipolar_quant_of_activations_and_weights() -> None:
    nodes = [
        node("BipolarQuant", ["q", "s2"], "a"),
        node("BipolarQuant", ["w", "s3"], "wq"),
        node("MatMul", ["a", "wq"], "y"),
    ]
    graph = assert_same(nodes, (6,), {"w": weights(6, 4)})
    assert kinds(graph) == ["Threshold", "Dense"]
    assert graph["MatMul_y"].weights_fmt == Fixed(2, -1)


def test_one_signed_bit_is_bipolar() -> None:
    proto = model([IN, quant("q", "y", "s2", "one")], (3,), {**QUANT, "one": 1.0})
    assert import_onnx(proto).evaluate_float([0.5, -0.25, 0.0]).tolist() == [0.25, -0.25, 0.25]


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND"])
def test_trunc_in_both_forms(mode: str) -> None:
    first = node("Trunc", ["q", "s5", "z", "b8", "b4"], "y", rounding_mode=mode)
    graph = assert_same([first], (20,))
    assert graph.output_type.fmt.frac_bits == 5
    second = node(
        "Trunc", ["q", "s5", "z", "b8", "s2", "z", "b4"], "y", rounding_mode=mode, signed=1, narrow=0
    )
    assert kinds(assert_same([second], (20,))) == ["Requantize"]


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16])
def test_linear_quantisers(kind: type) -> None:
    constants = {
        "zero": np.zeros((), kind),
        "w": RNG.integers(-8, 8, (4, 3)).astype(np.int8),
        "sw": np.array([0.5, 0.25, 0.125], np.float32),
        "z8": np.zeros(3, np.int8),
    }
    nodes = [
        node("QuantizeLinear", ["q", "s3", "zero"], "i"),
        node("DequantizeLinear", ["i", "s3", "zero"], "a"),
        node("DequantizeLinear", ["w", "sw", "z8"], "wq", axis=1),
        node("MatMul", ["a", "wq"], "y"),
    ]
    graph = assert_same(nodes, (4,), constants)
    bits = np.dtype(kind).itemsize * 8
    wanted = Fixed(bits, bits - 3, np.issubdtype(kind, np.signedinteger), "RND_CONV", "SAT")
    assert graph.types["QuantizeLinear_i"].fmt == wanted


@pytest.mark.parametrize(("low", "high", "signed"), [(-8, 7, True), (-7, 7, True), (0, 15, False)])
def test_clipped_integers_have_fewer_bits(low: int, high: int, signed: bool) -> None:
    """Brevitas exports quantisers of fewer than 8 bits as QuantizeLinear, Clip, DequantizeLinear."""
    kind = np.int8 if signed else np.uint8
    ends = {"z0": np.zeros((), kind), "low": np.array(low, kind), "high": np.array(high, kind)}
    nodes = [
        node("QuantizeLinear", ["w", "s3", "z0"], "wi"),
        node("Clip", ["wi", "low", "high"], "wc"),
        node("DequantizeLinear", ["wc", "s3", "z0"], "wq"),
        node("MatMul", ["q", "wq"], "m"),
        node("QuantizeLinear", ["m", "s2", "z0"], "i"),
        node("Clip", ["i", "low", "high"], "c"),
        node("DequantizeLinear", ["c", "s2", "z0"], "y"),
    ]
    graph = assert_same(nodes, (4,), {"w": weights(4, 3) * 2, **ends})
    overflow = "SAT_SYM" if low == -7 else "SAT"
    assert graph.output_type.fmt == Fixed(4, 2, signed, "RND_CONV", overflow)


def test_channels_are_joined() -> None:
    nodes = [quant("q", "a", "s2", "b4"), node("Concat", ["a", "q", "a"], "j", axis=1), quant("j", "y")]
    assert kinds(assert_same(nodes, (3,))) == ["Requantize", "Concat"]
    nodes = [node("Relu", ["q"], "r"), node("Concat", ["q", "r"], "y", axis=-3)]
    assert assert_same(nodes, (2, 3, 4)).output_type.shape == (4, 3, 4)


def test_joined_and_reshaped_constants_are_folded() -> None:
    """A size of 0 in a shape keeps the size that stands there."""
    nodes = [
        node("Concat", ["u", "v"], "w", axis=1),
        node("Reshape", ["w", "to"], "flat"),
        node("MatMul", ["q", "flat"], "y"),
    ]
    constants = {"u": weights(4, 1, 1), "v": weights(4, 2, 1), "to": np.array([4, -1])}
    assert_same(nodes, (4,), constants)
    proto = model([IN, *nodes], (4,), {**QUANT, **constants})
    zeros = model([IN, *nodes], (4,), {**QUANT, **constants, "to": np.array([0, -1])})
    assert import_onnx(zeros).spec_hash == import_onnx(proto).spec_hash


def test_an_operator_of_a_foreign_domain_is_refused() -> None:
    foreign = onnx.helper.make_node("Relu", ["q"], ["y"], name="act", domain="com.example")
    with pytest.raises(SpecError, match=r"node 'act' \(Relu\): its domain 'com.example' is not that of ONNX"):
        import_onnx(model([IN, foreign], (3,), QUANT))


def test_the_first_quantiser_gives_the_input_its_format() -> None:
    graph = import_onnx(model([IN, node("Relu", ["q"], "y")], (3,), QUANT))
    assert graph.input.fmt == BYTE
    assert kinds(graph) == ["ReLU"]


def test_a_given_format_comes_before_the_first_quantiser() -> None:
    graph = import_onnx(model([IN, node("Relu", ["q"], "y")], (3,), QUANT), "ap_fixed<16,8>")
    assert graph.input.fmt == Fixed(16, 8)
    assert kinds(graph) == ["Requantize", "ReLU"]


def test_two_readers_keep_the_unquantised_sum_apart() -> None:
    """A cast may move into a layer only where nobody else reads it."""
    nodes = [node("MatMul", ["q", "w"], "m"), quant("m", "a", "s2", "b4"), node("Add", ["a", "m"], "y")]
    assert kinds(assert_same(nodes, (4,), {"w": weights(4, 4)})) == ["Dense", "Requantize", "Add"]


def test_two_quantisers_in_a_row_both_round() -> None:
    """Only the first may move into the sum: through one cast, ties and saturation would come out otherwise."""
    nodes = [node("MatMul", ["q", "w"], "m"), quant("m", "a", "s5", "b4"), quant("a", "y", "s3", "b4")]
    assert kinds(assert_same(nodes, (4,), {"w": weights(4, 4)})) == ["Dense", "Requantize"]


def test_constants_without_a_quantiser_are_rounded_only_when_told() -> None:
    proto = model(
        [IN, node("MatMul", ["q", "w"], "y")], (2,), {**QUANT, "w": np.array([[1 / 3], [1e-9]], np.float32)}
    )
    with pytest.raises(
        SpecError, match=r"node 'MatMul_y' \(MatMul\): its matrix has no quantiser.*constant_bits"
    ):
        import_onnx(proto)
    layer = import_onnx(proto, constant_bits=6).layers[0]
    assert layer.weights_fmt == Fixed(6, 0, rounding="RND_CONV", overflow="SAT")
    assert layer.weights.tolist() == [[21], [0]]


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        (
            [node("Softmax", ["q"], "y")],
            r"node 'Softmax_y' \(Softmax\): this operator is not supported; known are Add",
        ),
        ([quant("q", "y", "third")], "scale 0.3.* is no power of two"),
        ([quant("q", "y", "minus")], "scale -0.5 is no power of two"),
        ([node("Quant", ["q", "s3", "s3", "b4"], "y", signed=1)], r"zero point \[0.125\] is not 0"),
        ([node("Quant", ["q", "s3", "z", "s5"], "y", signed=1)], "bit width 0.03.* is no whole number"),
        ([quant("q", "y", signed=0, narrow=1)], "narrow=1 with signed=0"),
        ([quant("q", "y", rounding_mode="CEIL")], "'CEIL' has no counterpart"),
        ([quant("q", "y", "many")], "for activations one scale"),
        ([node("Quant", ["q", "q", "z", "b4"], "y", signed=1)], "scale 'q' is no constant"),
        ([node("MatMul", ["q", "q"], "y")], "second factor 'q' is no constant"),
        ([node("MatMul", ["w", "q"], "y")], "second factor 'q' is no constant"),
        ([node("Gemm", ["q", "w"], "y", alpha=0.5)], "alpha=0.5 is not supported"),
        ([node("Mul", ["q", "q"], "y")], "only the sum"),
        ([node("Sub", ["w", "q"], "y")], "stands before the tensor"),
        ([node("Div", ["q", "z"], "y")], "divides by 0"),
        ([node("Add", ["q", "grid"], "y")], r"constant has shape \(1, 4, 2, 2\)"),
        ([node("AveragePool", ["q"], "y", kernel_shape=[2, 2], pads=[1] * 4)], "count_include_pad=0"),
        ([node("MaxPool", ["q"], "y", kernel_shape=[2, 2], pads=[0, 0, 1, 1])], "before and .* after differ"),
        ([node("MaxPool", ["q"], "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], "ceil_mode=1"),
        ([node("MaxPool", ["q"], "y", kernel_shape=[2])], "does not fit its input"),
        ([node("MaxPool", ["q"], "y", kernel_shape=[2, 2], dilations=[2, 2])], "dilations"),
        ([node("Flatten", ["q"], "y", axis=2)], "axis=2 is not supported"),
        ([node("Reshape", ["q", "w"], "y")], "only \\[-1, 64\\] is supported"),
        ([node("Transpose", ["q"], "y")], "only constants can be transposed"),
        ([node("ArgMax", ["q"], "y", axis=3)], "axis=3"),
        (
            [node("QuantizeLinear", ["q", "s3"], "i"), node("Relu", ["i"], "y")],
            "put a DequantizeLinear between",
        ),
        ([node("QuantizeLinear", ["q", "s3"], "y")], "put a DequantizeLinear behind"),
        ([node("DequantizeLinear", ["q", "s3"], "y")], "comes from no QuantizeLinear"),
        (
            [node("QuantizeLinear", ["q", "s3"], "i"), node("DequantizeLinear", ["i", "s2"], "y")],
            "not that of the QuantizeLinear",
        ),
        ([node("Trunc", ["q", "s2", "z", "b8", "b4"], "y")], "5 fractional bits and its scale 2"),
        ([node("Trunc", ["q", "s5", "z", "b4", "b8"], "y")], "widens 4 bits to 8"),
        ([node("BatchNormalization", ["q", "w", "w", "w", "w"], "y")], "pass constant_bits"),
        ([node("Gemm", ["q", "eye", "column"], "y")], r"bias has shape \(2, 1\), one number an input of"),
        ([node("Reshape", ["w", "triple"], "v"), node("Add", ["q", "v"], "y")], "cannot become"),
        ([node("Transpose", ["w"], "v", perm=[1, 0]), node("Add", ["q", "v"], "y")], "perm=.* does not fit"),
        ([node("Concat", ["w", "eye"], "v", axis=1), node("Add", ["q", "v"], "y")], "axis=1: "),
        ([node("Concat", ["q", "q"], "y", axis=2)], "axis=2 is not supported"),
        ([node("Dropout", ["q", "s2", "one"], "y")], "training_mode=1 drops numbers"),
        (
            [quant("eye", "v", "triple"), node("Add", ["q", "v"], "y")],
            r"scale has shape \(3,\), which does not",
        ),
        ([node("Clip", ["q", "z", "one"], "y")], "only what QuantizeLinear gave"),
        (
            [node("QuantizeLinear", ["q", "s3"], "i"), node("Clip", ["i", "z", "b4"], "y")],
            "0 to 4 is the range of no whole number of bits",
        ),
        ([node("Relu", ["nowhere"], "y")], "'nowhere' is made by no node before it"),
        ([node("Relu", ["w"], "y")], "its input 'w' is constant"),
    ],
)
def test_models_are_refused_by_node(nodes: list, text: str) -> None:
    constants = {
        "eye": np.eye(2, dtype=np.float32),
        "column": [[1.0], [2.0]],
        "triple": [1.0, 1.0, 1.0],
        "one": 1.0,
        "w": [1.0, 2.0],
        "third": 1 / 3,
        "minus": -0.5,
        "many": [0.5, 0.25],
        "grid": np.ones((1, 4, 2, 2)),
    }
    with pytest.raises(SpecError, match=text):
        import_onnx(model([IN, *nodes], (4, 4, 4), {**QUANT, **constants}), BYTE)


def test_a_shape_that_does_not_fit_is_refused_by_the_layer() -> None:
    with pytest.raises(FormatError, match=r"layer 'MatMul_y' \(Dense\).*\(3,\), wanted \(2,\)"):
        import_onnx(model([IN, node("MatMul", ["q", "w"], "y")], (3,), {**QUANT, "w": weights(2, 2)}))


def test_an_input_without_a_quantiser_needs_a_format() -> None:
    proto = model([node("Relu", ["x"], "y")], (3,), {})
    with pytest.raises(SpecError, match=r"read by node 'Relu_y' \(Relu\).*pass input=Fixed"):
        import_onnx(proto)
    assert import_onnx(proto, BYTE).evaluate_float([1.0, -1.0, 9.0]).tolist() == [1.0, 0.0, 127 / 32]


def test_open_sizes_need_a_shape() -> None:
    proto = model([node("Relu", ["x"], "y")], ("width",), {})
    with pytest.raises(SpecError, match="leaves sizes open"):
        import_onnx(proto, BYTE)
    assert import_onnx(proto, BYTE, shape=(7,)).input.shape == (7,)
    with pytest.raises(SpecError, match="does not fit the input"):
        import_onnx(proto, BYTE, shape=(7, 2))


def test_a_model_with_two_outputs_is_refused() -> None:
    proto = model([node("Relu", ["x"], "y")], (3,), {})
    proto.graph.output.append(proto.graph.output[0])
    with pytest.raises(SpecError, match="2 outputs"):
        import_onnx(proto, BYTE)


def test_nodes_that_lead_nowhere_are_left_out() -> None:
    graph = import_onnx(model([node("Relu", ["x"], "y"), node("Softmax", ["x"], "other")], (3,), {}), BYTE)
    assert kinds(graph) == ["ReLU"]


def test_names_become_identifiers() -> None:
    proto = model([node("Relu", ["x"], "a"), node("Relu", ["a"], "y")], (3,), {}, name="my model/1")
    proto.graph.node[0].name = proto.graph.node[1].name = "/layers.0/act"
    graph = import_onnx(proto, BYTE)
    assert graph.name == "my_model_1"
    assert [layer.name for layer in graph.layers] == ["layers_0_act", "layers_0_act_2"]


def test_a_file_is_read(tmp_path: Path) -> None:
    proto = model([IN, node("Relu", ["q"], "y")], (3,), QUANT)
    onnx.save(proto, str(tmp_path / "m.onnx"))
    assert import_onnx(tmp_path / "m.onnx").spec_hash == import_onnx(proto).spec_hash


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x07\x12"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(SpecError, match="is no ONNX model"):
        import_onnx(tmp_path / "m.onnx")


def test_a_missing_file_and_a_wrong_object_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such model"):
        import_onnx(tmp_path / "none.onnx")
    with pytest.raises(SpecError, match="neither a path nor"):
        import_onnx(5)


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ToolError, match=r"pip install 'hwmodel\[onnx\]'"):
        import_onnx("m.onnx")
