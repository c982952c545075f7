"""Operators of ONNX as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwmodel.fixedpoint._fold import fold_batch_norm
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers import Add, Argmax, BatchNorm, Concat, Dense, Flatten, PReLU, ReLU
from hwmodel.fixedpoint._layers_base import TensorType
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool
from hwmodel.fixedpoint._layers_sum import WeightedSum
from hwmodel.fixedpoint._onnx import Constant, Floats, Importer, Node
from hwmodel.fixedpoint._onnx_quant import (
    import_clip,
    import_dequantize_linear,
    import_quant,
    import_quantize_linear,
    import_trunc,
)

ONE = Fixed(1, 1, signed=False)

Handler = Callable[[Importer, Node], None]


def import_constant(importer: Importer, node: Node) -> None:
    """Import a Constant."""
    for key, value in node.attributes.items():
        if key == "value":
            importer.set_array(node, value)
            return
        if key in ("value_float", "value_floats", "value_int", "value_ints"):
            importer.set_constant(node, np.asarray(value, np.float64))
            return
    node.refuse(f"it holds {', '.join(node.attributes) or 'nothing'}; tensors and numbers are supported")


def import_identity(importer: Importer, node: Node) -> None:
    """Import what changes nothing."""
    importer.alias(node)


def import_transpose(importer: Importer, node: Node) -> None:
    """Import the transposition of a constant."""
    if node.inputs[0] not in importer.constants:
        node.refuse("only constants can be transposed; export the model channels first")
    constant = importer.constants[node.inputs[0]]
    axes = node.get("perm", None)
    if axes is not None and sorted(axes) != list(range(constant.values.ndim)):
        node.refuse(f"perm={list(axes)} does not fit shape {constant.values.shape}; export the model anew")
    importer.set_constant(node, np.transpose(constant.values, axes), constant.fmt)


def import_dropout(importer: Importer, node: Node) -> None:
    """Import Dropout, which changes nothing outside training."""
    if len(node.inputs) > 2 and node.inputs[2] and importer.scalar(node, 2, "training mode"):
        node.refuse("training_mode=1 drops numbers at random; export the model for inference")
    importer.alias(node)


def import_concat(importer: Importer, node: Node) -> None:
    """Import Concat of tensors along the channels, or of constants along any axis."""
    axis = int(node.get("axis", 1))
    known = [importer.constants[t] for t in node.inputs if t in importer.constants]
    if len(known) == len(node.inputs):
        try:
            joined = np.concatenate([constant.values for constant in known], axis)
        except ValueError as error:
            node.refuse(f"axis={axis}: {error}; export the model anew")
        fmt = known[0].fmt if len({constant.fmt for constant in known}) == 1 else None
        importer.set_constant(node, joined, fmt)
        return
    sources = tuple(importer.source(node, k) for k in range(len(node.inputs)))
    node.only("axis", 1, -len(importer.types[sources[0]].shape), default=1)
    if len(sources) == 1:
        importer.alias(node)
        return
    importer.add(node, Concat(importer.name_for(node), sources), is_open=True)


# --------------------------------------------------------------------------------------------- sums of products


def import_matmul(importer: Importer, node: Node) -> None:
    """Import MatMul by a constant matrix."""
    _dense(importer, node, importer.constant(node, 1, "second factor"), None)


def import_gemm(importer: Importer, node: Node) -> None:
    """Import Gemm: a matrix product and a bias."""
    for key, allowed in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
        node.only(key, allowed, default=allowed)
    weights = importer.constant(node, 1, "matrix B")
    if node.get("transB", 0):
        weights = Constant(weights.values.T, weights.fmt)
    has_bias = len(node.inputs) > 2 and node.inputs[2] != ""
    _dense(importer, node, weights, importer.constant(node, 2, "bias C") if has_bias else None)


def _dense(importer: Importer, node: Node, weights: Constant, bias: Constant | None) -> None:
    source = importer.source(node)
    if weights.values.ndim != 2:
        node.refuse(f"its matrix has shape {weights.values.shape}, wanted two dimensions")
    raw, fmt = importer.raws(node, weights, "matrix")
    extra = _bias(importer, node, bias, raw.shape[1])
    layer = Dense(importer.name_for(node), (source,), weights=raw, weights_fmt=fmt, **extra)
    importer.add(node, layer, is_open=True)


def _bias(importer: Importer, node: Node, bias: Constant | None, outputs: int) -> dict[str, Any]:
    if bias is None:
        return {}
    if bias.values.size not in (1, outputs):
        node.refuse(f"its bias has shape {bias.values.shape}, wanted ({outputs},)")
    if bias.values.size > 1 and bias.values.shape[-1] != outputs:
        node.refuse(
            f"its bias has shape {bias.values.shape}, one number an input of the batch; wanted ({outputs},)"
        )
    raw, fmt = importer.raws(node, bias, "bias")
    return {"bias": np.broadcast_to(raw.reshape(-1), (outputs,)), "bias_fmt": fmt}


def import_conv(importer: Importer, node: Node) -> None:
    """Import Conv; dilation and uneven padding become zeros among the weights."""
    source, weights = importer.source(node), importer.constant(node, 1, "weights")
    axes = weights.values.ndim - 2
    if axes not in (1, 2):
        node.refuse(f"its weights have shape {weights.values.shape}; one and two dimensions are supported")
    raw, fmt = importer.raws(node, weights, "weights")
    raw = _dilated(raw, _steps(node, "dilations", axes))
    stride = _steps(node, "strides", axes)
    begin, end = _pads(node, importer.types[source], raw.shape[2:], stride)
    widest = tuple(max(pair) for pair in zip(begin, end, strict=True))
    more = [(w - a, w - b) for w, a, b in zip(widest, begin, end, strict=True)]
    has_bias = len(node.inputs) > 2 and node.inputs[2] != ""
    kind = Conv1d if axes == 1 else Conv2d
    layer = kind(
        importer.name_for(node),
        (source,),
        weights=np.pad(raw, [(0, 0), (0, 0), *more]),
        weights_fmt=fmt,
        stride=stride,
        padding=widest,
        groups=int(node.get("group", 1)),
        **_bias(importer, node, importer.constant(node, 2, "bias") if has_bias else None, len(raw)),
    )
    importer.add(node, layer, is_open=True)


def _dilated(raw: Any, dilations: tuple[int, ...]) -> Any:
    spans = tuple(d * (n - 1) + 1 for d, n in zip(dilations, raw.shape[2:], strict=True))
    wide = np.zeros((*raw.shape[:2], *spans), raw.dtype)
    wide[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = raw
    return wide


def _steps(node: Node, key: str, axes: int) -> tuple[int, ...]:
    steps = tuple(int(n) for n in node.get(key, [1] * axes))
    if len(steps) != axes or min(steps) < 1:
        node.refuse(f"{key}={list(steps)} does not fit {axes} axes; give one whole number above 0 for each")
    return steps


def _pads(
    node: Node, source: TensorType, kernel: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the padding before and after along each axis."""
    axes, auto = len(kernel), node.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        pads = [int(n) for n in node.get("pads", [0] * 2 * axes)] if auto == "NOTSET" else [0] * 2 * axes
        if len(pads) != 2 * axes or min(pads) < 0:
            node.refuse(
                f"pads={pads} does not fit {axes} axes; give one before and one after for each, none below 0"
            )
        return tuple(pads[:axes]), tuple(pads[axes:])
    node.only("auto_pad", "SAME_UPPER", "SAME_LOWER", "NOTSET", "VALID", default="NOTSET")
    if len(source.shape) != axes + 1:
        node.refuse(f"its input has shape {source.shape}, wanted {axes} axes behind the channels")
    needed = [
        max((-(-length // step) - 1) * step + taps - length, 0)
        for length, taps, step in zip(source.shape[1:], kernel, stride, strict=True)
    ]
    small, large = tuple(n // 2 for n in needed), tuple(n - n // 2 for n in needed)
    return (small, large) if auto == "SAME_UPPER" else (large, small)


# --------------------------------------------------------------------------------------------- channel by channel


def import_batch_normalization(importer: Importer, node: Node) -> None:
    """Import BatchNormalization as a fixed affine."""
    node.only("training_mode", 0, default=0)
    if importer.constant_bits is None:
        node.refuse(
            "its scale is no fixed-point number; pass constant_bits=... to round scale and shift to so many bits"
        )
    names = ("scale", "B", "mean", "variance")
    parameters = [importer.constant(node, k + 1, name).values for k, name in enumerate(names)]
    layer = fold_batch_norm(
        importer.name_for(node),
        *parameters,
        epsilon=float(node.get("epsilon", 1e-5)),
        width=importer.constant_bits,
        inputs=(importer.source(node),),
    )
    importer.add(node, layer, is_open=True)


def import_relu(importer: Importer, node: Node) -> None:
    """Import Relu."""
    importer.add(node, ReLU(importer.name_for(node), (importer.source(node),)), is_open=True)


def import_prelu(importer: Importer, node: Node) -> None:
    """Import PRelu and LeakyRelu."""
    source = importer.source(node)
    if node.kind == "LeakyRelu":
        slope = Constant(np.asarray(float(node.get("alpha", 0.01))))
    else:
        slope = importer.constant(node, 1, "slope")
        if slope.values.size == 1:
            slope = Constant(slope.values.reshape(()), slope.fmt)
        else:
            slope = _by_channel(node, slope, importer.types[source])
    raw, fmt = importer.raws(node, slope, "slope")
    importer.add(node, PReLU(importer.name_for(node), (source,), slope=raw, slope_fmt=fmt), is_open=True)


def _by_channel(node: Node, constant: Constant, source: TensorType) -> Constant:
    """Bring a constant that meets a tensor to one number a channel."""
    shape, channels = constant.values.shape, source.shape[0]
    if constant.values.size == 1:
        return Constant(np.full(channels, constant.values.reshape(-1)[0]), constant.fmt)
    full = (1,) * (len(source.shape) + 1 - len(shape)) + shape
    if full != (1, channels, *((1,) * (len(source.shape) - 1))):
        node.refuse(
            f"its constant has shape {shape} and the tensor {source.shape}; one number, or one a channel, is supported"
        )
    return Constant(constant.values.reshape(-1), constant.fmt)


def import_arithmetic(importer: Importer, node: Node) -> None:
    """Import Add of tensors, and Add, Sub, Mul and Div with a constant."""
    known = [tensor in importer.constants for tensor in node.inputs]
    if all(known):
        importer.set_constant(node, _on_constants(node, *(importer.constants[t].values for t in node.inputs)))
        return
    if not any(known):
        if node.kind != "Add":
            node.refuse("of two tensors only the sum is supported; one factor must be constant")
        sources = tuple(importer.source(node, k) for k in range(2))
        importer.add(node, Add(importer.name_for(node), sources), is_open=True)
        return
    at = known.index(True)
    if at == 0 and node.kind in ("Sub", "Div"):
        node.refuse(
            "a constant stands before the tensor; only tensor - constant and tensor / constant are supported"
        )
    constant, index = importer.constants[node.inputs[at]], 1 - at
    if node.kind == "Sub":
        constant = Constant(-constant.values)
    if node.kind == "Div":
        if not constant.values.all():
            node.refuse("it divides by 0; export the model anew")
        constant = Constant(1 / constant.values)
    _affine(importer, node, constant, index, is_sum=node.kind in ("Add", "Sub"))


def _on_constants(node: Node, a: Floats, b: Floats) -> Floats:
    operation = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[node.kind]
    return np.asarray(operation(a, b), np.float64)


def _affine(importer: Importer, node: Node, constant: Constant, index: int, *, is_sum: bool) -> None:
    source = importer.source(node, index)
    kind = importer.types[source]
    raw, fmt = importer.raws(node, _by_channel(node, constant, kind), "constant")
    before = importer.only_reader(node, index)
    if is_sum and isinstance(before, WeightedSum) and before.bias is None:
        importer.change(node, before, is_open=True, bias=raw, bias_fmt=fmt)
        return
    one, zero = np.ones_like(raw), np.zeros_like(raw)
    scale, shift = ((one, ONE), (raw, fmt)) if is_sum else ((raw, fmt), (zero, ONE))
    layer = BatchNorm(
        importer.name_for(node),
        (source,),
        scale=scale[0],
        scale_fmt=scale[1],
        shift=shift[0],
        shift_fmt=shift[1],
    )
    importer.add(node, layer, is_open=True)


# --------------------------------------------------------------------------------------------- pools and shapes


def import_pool(importer: Importer, node: Node) -> None:
    """Import MaxPool, AveragePool and their global kinds."""
    source = importer.source(node)
    kind, axes = importer.types[source], len(importer.types[source].shape) - 1
    if axes < 1:
        node.refuse(f"its input has shape {kind.shape}; a pool wants channels and one or two axes")
    if node.kind.startswith("Global"):
        kernel, stride, padding = kind.shape[1:], kind.shape[1:], (0,) * axes
    else:
        kernel, stride, padding = _window(node, kind, axes)
    name = importer.name_for(node)
    steps: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
    if node.kind.endswith("MaxPool"):
        importer.add(node, MaxPool(name, (source,), **steps), is_open=True)
        return
    if any(padding) and not node.get("count_include_pad", 0):
        node.refuse(
            f"pads={list(padding)} with count_include_pad=0; export it with count_include_pad=1 or no pads"
        )
    importer.add(node, AvgPool(name, (source,), output=_mean_format(kind, kernel), **steps), is_open=True)


def _mean_format(source: TensorType, kernel: tuple[int, ...]) -> Fixed:
    """The format in which the mean loses nothing of sum or product."""
    samples, fmt = int(np.prod(kernel)), source.fmt
    power = not samples & (samples - 1)
    more = samples.bit_length() - 1 if power else AvgPool.reciprocal(samples)[1].frac_bits
    # One bit more at the top: a reciprocal that was rounded up may lift the mean over the greatest sample.
    return Fixed(fmt.width + more + 1, fmt.int_bits + 1, fmt.signed)


def _window(
    node: Node, kind: TensorType, axes: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    kernel = tuple(int(n) for n in node.get("kernel_shape", []))
    if len(kernel) != axes:
        node.refuse(f"kernel_shape={list(kernel)} does not fit its input of shape {kind.shape}")
    if any(n != 1 for n in _steps(node, "dilations", axes)):
        node.refuse(f"dilations={node.get('dilations', None)} is not supported in pools; export it without")
    stride = _steps(node, "strides", axes)
    begin, end = _pads(node, kind, kernel, stride)
    if begin != end:
        node.refuse(
            f"pads {list(begin)} before and {list(end)} after differ; export the pool with even padding"
        )
    sizes = zip(kind.shape[1:], kernel, stride, begin, strict=True)
    if node.get("ceil_mode", 0) and any((n + 2 * pad - taps) % step for n, taps, step, pad in sizes):
        node.refuse("ceil_mode=1 adds a window that is cut short; export it with ceil_mode=0")
    return kernel, stride, begin


def import_flatten(importer: Importer, node: Node) -> None:
    """Import Flatten, and Reshape to one row."""
    if node.kind == "Reshape" and node.inputs[0] in importer.constants:
        _reshape_constant(importer, node, importer.constants[node.inputs[0]])
        return
    source = importer.source(node)
    kind = importer.types[source]
    if node.kind == "Flatten":
        node.only("axis", 1, -len(kind.shape), default=1)
    else:
        _check_reshape(importer, node, kind)
    if len(kind.shape) == 1:
        importer.alias(node)
        return
    importer.add(node, Flatten(importer.name_for(node), (source,)))


def _reshape_constant(importer: Importer, node: Node, constant: Constant) -> None:
    shape = [int(n) for n in importer.constant(node, 1, "shape").values.reshape(-1)]
    old = constant.values.shape
    if not node.get("allowzero", 0):  # a 0 keeps the size that stands there
        shape = [old[k] if n == 0 and k < len(old) else n for k, n in enumerate(shape)]
    try:
        importer.set_constant(node, constant.values.reshape(shape), constant.fmt)
    except ValueError:
        node.refuse(f"a constant of shape {old} cannot become {shape}; export the model anew")


def _check_reshape(importer: Importer, node: Node, kind: TensorType) -> None:
    """Refuse what is no flattening: (batch, elements), one of the two as -1."""
    shape = [int(n) for n in importer.constant(node, 1, "shape").values.reshape(-1)]
    if len(shape) != 2 or shape[1] not in (-1, kind.size) or shape[0] == -1 and shape[1] != kind.size:
        node.refuse(
            f"it makes shape {shape} of (batch, {', '.join(map(str, kind.shape))}); only [-1, {kind.size}] is supported"
        )


def import_argmax(importer: Importer, node: Node) -> None:
    """Import ArgMax over the channels."""
    source = importer.source(node)
    rank = len(importer.types[source].shape) + 1
    node.only("axis", 1, 1 - rank, default=0)
    node.only("select_last_index", 0, default=0)
    if not node.get("keepdims", 1) and rank > 2:
        node.refuse("keepdims=0 on images is not supported; export it with keepdims=1")
    importer.add(node, Argmax(importer.name_for(node), (source,)))


HANDLERS: dict[str, Handler] = {
    "Add": import_arithmetic,
    "ArgMax": import_argmax,
    "AveragePool": import_pool,
    "BatchNormalization": import_batch_normalization,
    "BipolarQuant": import_quant,
    "Clip": import_clip,
    "Concat": import_concat,
    "Constant": import_constant,
    "Conv": import_conv,
    "DequantizeLinear": import_dequantize_linear,
    "Div": import_arithmetic,
    "Dropout": import_dropout,
    "Flatten": import_flatten,
    "Gemm": import_gemm,
    "GlobalAveragePool": import_pool,
    "GlobalMaxPool": import_pool,
    "Identity": import_identity,
    "IntQuant": import_quant,
    "LeakyRelu": import_prelu,
    "MatMul": import_matmul,
    "MaxPool": import_pool,
    "Mul": import_arithmetic,
    "PRelu": import_prelu,
    "Quant": import_quant,
    "QuantizeLinear": import_quantize_linear,
    "Relu": import_relu,
    "Reshape": import_flatten,
    "Sub": import_arithmetic,
    "Transpose": import_transpose,
    "Trunc": import_trunc,
}
