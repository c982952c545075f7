"""ONNX and QONNX models in float64 NumPy: what the operators say, without any fixed-point code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ROUND": np.rint,
    "FLOOR": np.floor,
    "ROUND_TO_ZERO": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def node(op: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    """A node; those of QONNX stand in their own domain."""
    domain = "qonnx.custom_op.general" if op in ("Quant", "BipolarQuant", "Trunc") else ""
    return helper.make_node(op, inputs, [output], name=f"{op}_{output}", domain=domain, **attributes)


def model(
    nodes: list[NodeProto],
    shape: tuple[Any, ...],
    constants: dict[str, Any],
    output: str = "y",
    name: str = "test",
) -> ModelProto:
    """A model with one input `x` and one output."""
    tensors = [
        numpy_helper.from_array(np.asarray(v, None if isinstance(v, np.ndarray) else np.float32), k)
        for k, v in constants.items()
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])
    y = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, name, [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def evaluate(proto: ModelProto, x: np.ndarray) -> np.ndarray:
    """Run a model node by node."""
    found = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    found = {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in found.items()}
    found["x"] = np.asarray(x, np.float64)
    for n in proto.graph.node:
        options = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        found[n.output[0]] = OPERATORS[n.op_type](options, *(found.get(i) for i in n.input))
    return found[proto.graph.output[0].name]


def _quant(o: dict, x: Any, scale: Any, zero: Any, bits: Any) -> np.ndarray:
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if o["signed"] else (0.0, 2.0**bits - 1)
    rounded = ROUNDINGS[o.get("rounding_mode", b"ROUND").decode()](x / scale)
    return np.clip(rounded, low + o.get("narrow", 0), high) * scale


def _trunc(o: dict, x: Any, scale: Any, zero: Any, *rest: Any) -> np.ndarray:
    rounding = ROUNDINGS[o.get("rounding_mode", b"FLOOR").decode()]
    if len(rest) == 2:
        return rounding(np.rint(x / scale) / 2.0 ** (rest[0] - rest[1])) * scale
    _, out_scale, _, bits = rest
    return np.clip(rounding(x / out_scale), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) * out_scale


def _linear(o: dict, x: Any, scale: Any, zero: Any = None) -> np.ndarray:
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    limits = np.iinfo(kind)
    return np.clip(np.rint(x / scale), limits.min, limits.max)


def _patches(o: dict, x: np.ndarray, kernel: tuple[int, ...], fill: float) -> np.ndarray:
    axes = len(kernel)
    pads, strides = o.get("pads", [0] * 2 * axes), o.get("strides", [1] * axes)
    gaps = o.get("dilations", [1] * axes)
    if o.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        need = [
            max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(x.shape[2:], strides, kernel, strict=True)
        ]
        before = [n // 2 if o["auto_pad"] == b"SAME_UPPER" else n - n // 2 for n in need]
        pads = [*before, *(n - b for n, b in zip(need, before, strict=True))]
    around = [(pads[k], pads[axes + k]) for k in range(axes)]
    x = np.pad(x, [(0, 0), (0, 0), *around], constant_values=fill)
    spans = [g * (k - 1) + 1 for g, k in zip(gaps, kernel, strict=True)]
    size = [(n - s) // t + 1 for n, s, t in zip(x.shape[2:], spans, strides, strict=True)]
    out = np.empty((*x.shape[:2], *size, *kernel))
    for place in np.ndindex(*size):
        at = [slice(p * t, p * t + s, g) for p, t, s, g in zip(place, strides, spans, gaps, strict=True)]
        out[(slice(None), slice(None), *place)] = x[(slice(None), slice(None), *at)]
    return out


def _conv(o: dict, x: Any, w: Any, b: Any = None) -> np.ndarray:
    seen, groups, axes = _patches(o, x, w.shape[2:], 0.0), o.get("group", 1), w.ndim - 2
    parts = []
    for xs, ws in zip(np.split(seen, groups, 1), np.split(w, groups, 0), strict=True):
        letters = "hw"[:axes], "kl"[:axes]
        parts.append(np.einsum(f"nc{letters[0]}{letters[1]},oc{letters[1]}->no{letters[0]}", xs, ws))
    out = np.concatenate(parts, 1)
    return out if b is None else out + b.reshape(1, -1, *(1,) * axes)


def _pool(o: dict, x: Any, reduce: Any, fill: float) -> np.ndarray:
    kernel = tuple(o["kernel_shape"])
    return reduce(_patches(o, x, kernel, fill), axis=tuple(range(-len(kernel), 0)))


def _gemm(o: dict, a: Any, b: Any, c: Any = 0.0) -> np.ndarray:
    return a @ (b.T if o.get("transB", 0) else b) + c


def _normalise(o: dict, x: Any, gamma: Any, beta: Any, mean: Any, variance: Any) -> np.ndarray:
    shape = (1, -1, *(1,) * (x.ndim - 2))
    scale = gamma / np.sqrt(variance + o.get("epsilon", 1e-5))
    return (x - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)


OPERATORS: dict[str, Callable[..., Any]] = {
    "Quant": _quant,
    "BipolarQuant": lambda o, x, scale: np.where(x >= 0, 1.0, -1.0) * scale,
    "Trunc": _trunc,
    "QuantizeLinear": _linear,
    "DequantizeLinear": lambda o, x, scale, zero=None: (
        x
        * (
            scale
            if np.ndim(scale) == 0
            else scale.reshape([-1 if k == o.get("axis", 1) else 1 for k in range(x.ndim)])
        )
    ),
    "Clip": lambda o, x, low, high: np.clip(x, low, high),
    "Concat": lambda o, *x: np.concatenate(x, o["axis"]),
    "MatMul": lambda o, a, b: a @ b,
    "Gemm": _gemm,
    "Conv": _conv,
    "BatchNormalization": _normalise,
    "Relu": lambda o, x: np.maximum(x, 0),
    "PRelu": lambda o, x, slope: np.where(x < 0, x * slope, x),
    "LeakyRelu": lambda o, x: np.where(x < 0, x * o["alpha"], x),
    "Add": lambda o, a, b: a + b,
    "Sub": lambda o, a, b: a - b,
    "Mul": lambda o, a, b: a * b,
    "Div": lambda o, a, b: a / b,
    "AveragePool": lambda o, x: _pool(o, x, np.mean, 0.0),
    "MaxPool": lambda o, x: _pool(o, x, np.max, -np.inf),
    "GlobalAveragePool": lambda o, x: x.mean(axis=tuple(range(2, x.ndim)), keepdims=True),
    "GlobalMaxPool": lambda o, x: x.max(axis=tuple(range(2, x.ndim)), keepdims=True),
    "Flatten": lambda o, x: x.reshape(len(x), -1),
    "Reshape": lambda o, x, shape: x.reshape([int(n) for n in shape]),
    "Transpose": lambda o, x: np.transpose(x, o.get("perm")),
    "Identity": lambda o, x: x,
    "ArgMax": lambda o, x: np.argmax(x, axis=o["axis"])[:, None],
    "Constant": lambda o: numpy_helper.to_array(o["value"]).astype(np.float64),
}
