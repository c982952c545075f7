"""HLS C++ of a graph: the same layers in `ap_fixed` types, loops in the same order, with pragmas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.fixedpoint import _layers, _layers_image
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._layers_base import Layer, TensorType
from hwmodel.fixedpoint._layers_sum import WeightedSum

__all__ = ["TAKEN", "hls_text"]

NUMBERS_A_LINE = 16

# Names that a function in C++ with ap_fixed.h cannot have.
_RESERVED = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template
this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
while xor xor_eq NULL EOF main std assert ap_fixed ap_fixed_base ap_int ap_int_base ap_private ap_range_ref
ap_ufixed ap_uint errno stdin stdout stderr
"""
TAKEN = frozenset(_RESERVED.split())


def hls_text(graph: Graph, name: str) -> str:
    """Give a header with one function, `void NAME(const input_t x[...], output_t y[...])`.

    Every array is flat, the last axis fastest. The text needs `ap_fixed.h` and nothing else.

    Parameters:
        graph: what it computes.
        name: of the function and of its namespace.

    Raises:
        SpecError: for a layer that has no such form; the message names it.
    """
    unused = set(graph.unused)
    layers = [layer for layer in graph.layers if layer.name not in unused]
    lines = [
        f"// {name}: {graph.input} -> {graph.output_type}",
        f"// Made by hwmodel from the graph '{graph.name}'. Specification {graph.spec_hash}",
        f"#ifndef HWMODEL_{name.upper()}_H",
        f"#define HWMODEL_{name.upper()}_H",
        "",
        "#include <ap_fixed.h>",
        "",
        f"namespace {name}_ns {{",
        "",
        f"typedef {graph.input.fmt} input_t;",
        f"typedef {graph.output_type.fmt} output_t;",
        "",
        "// A value from its raw integer, exactly.",
        "template <class T> inline T from_raw(long long raw) {",
        "  T value;",
        "  value.range(T::width - 1, 0) = ap_int<64>(raw).range(T::width - 1, 0);",
        "  return value;",
        "}",
    ]
    lines += [line for layer in layers for line in _constants(layer, graph)]
    lines += ["", f"}}  // namespace {name}_ns", ""]
    size, out = graph.input.size, graph.output_type.size
    lines += [
        f"inline void {name}(const {name}_ns::input_t x[{size}], {name}_ns::output_t y[{out}]) {{",
        "#pragma HLS PIPELINE II=1",
        "#pragma HLS ARRAY_PARTITION variable=x complete",
        "#pragma HLS ARRAY_PARTITION variable=y complete",
        f"  using namespace {name}_ns;",
    ]
    for layer in layers:
        kind = graph.types[layer.name]
        lines += [
            "",
            f"  // {layer.name}: {layer.kind} -> {kind}",
            f"  {kind.fmt} {layer.name}_out[{kind.size}];",
            f"#pragma HLS ARRAY_PARTITION variable={layer.name}_out complete",
            *("  " + line for line in _body(layer, graph)),
        ]
    lines += ["", f"  for (int i = 0; i < {out}; ++i) y[i] = {graph.output}_out[i];", "}", "", "#endif", ""]
    return "\n".join(lines)


def _constants(layer: Layer, graph: Graph) -> list[str]:
    """The arrays of raws that a layer carries."""
    lines = []
    for field in ("weights", "bias", "scale", "shift", "slope", "levels"):
        values = getattr(layer, field, None)
        if isinstance(values, np.ndarray):
            if values.dtype == object:
                raise SpecError(
                    f"layer '{layer.name}' ({layer.kind}): {field} is wider than 63 bits, which HLS C++ cannot hold "
                    "as a literal; narrow its format"
                )
            lines += ["", *_array(f"{layer.name}_{field}", values)]
    return lines


def _array(name: str, values: npt.NDArray[Any]) -> list[str]:
    flat = values.reshape(-1).tolist()
    rows = [
        ", ".join(f"{v}LL" if abs(v) > 1 << 30 else str(v) for v in flat[k : k + NUMBERS_A_LINE])
        for k in range(0, len(flat), NUMBERS_A_LINE)
    ]
    return [f"static const long long {name}[{len(flat)}] = {{", *(f"  {row}," for row in rows), "};"]


def _exact(*types: Fixed) -> Fixed:
    """A format that holds every number of all these formats."""
    frac = max(t.frac_bits for t in types)
    whole = max(t.int_bits + (not t.signed) for t in types)
    return Fixed(max(frac + whole, 1), max(frac + whole, 1) - frac)


def _body(layer: Layer, graph: Graph) -> list[str]:
    types, out = graph.input_types(layer), graph.types[layer.name]
    sources = ["x" if source == "input" else f"{source}_out" for source in layer.inputs]
    builders: dict[type, Callable[..., list[str]]] = {
        _layers.Dense: _dense,
        _layers_image.Convolution: _convolution,
        _layers.BatchNorm: _batch_norm,
        _layers.Requantize: _copy,
        _layers.Flatten: _copy,
        _layers.ReLU: _relu,
        _layers.PReLU: _prelu,
        _layers.Add: _add,
        _layers.Concat: _concat,
        _layers.Threshold: _threshold,
        _layers.Argmax: _argmax,
        _layers_image.MaxPool: _max_pool,
        _layers_image.AvgPool: _avg_pool,
    }
    for kind in type(layer).__mro__:
        if kind in builders:
            return builders[kind](layer, sources, types, out)
    raise SpecError(f"layer '{layer.name}' ({layer.kind}) has no HLS C++; replace it by layers that have")


def _sum_types(layer: WeightedSum, types: Sequence[TensorType]) -> tuple[str, str, Fixed]:
    """The accumulator's type, its start, and the exact format of a sum."""
    exact = layer.sum_bound(tuple(types)).fmt
    # Partial sums with the bias may leave the range of the whole sums; two bits more hold them.
    wide = Fixed(exact.width + 2, exact.int_bits + 2)
    if layer.each_step and layer.accumulator is not None:
        wide = layer.accumulator
    start = "0"
    if layer.bias_fmt is not None:
        start = f"from_raw<{layer.bias_fmt} >({layer.name}_bias[j])"
    return str(wide), start, exact


def _finish(layer: WeightedSum, target: str) -> list[str]:
    if layer.each_step or layer.accumulator is None:
        return [f"{target} = sum;"]
    return [f"{layer.accumulator} narrow = sum;", f"{target} = narrow;"]


def _dense(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    rows, columns = layer.weights.shape
    wide, start, _ = _sum_types(layer, types)
    product = (
        f"sum += {sources[0]}[i] * from_raw<{layer.weights_fmt} >({layer.name}_weights[i * {columns} + j]);"
    )
    return [
        f"for (int j = 0; j < {columns}; ++j) {{",
        "#pragma HLS UNROLL",
        f"  {wide} sum = {start};",
        f"  for (int i = 0; i < {rows}; ++i) {product}",
        *("  " + line for line in _finish(layer, f"{layer.name}_out[j]")),
        "}",
    ]


def _two_axes(shape: tuple[int, ...], *sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes and sizes of one axis as those of two."""
    if len(shape) == 3:
        return [shape, *sizes]
    return [(shape[0], 1, shape[1]), *((0 if k == len(sizes) - 1 else 1, *s) for k, s in enumerate(sizes))]


def _convolution(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    shape, kernel, stride, padding = _two_axes(types[0].shape, layer.kernel, layer.stride, layer.padding)
    places = _two_axes(out.shape)[0]
    channels, outputs = layer.weights.shape[1], len(layer.weights) // layer.groups
    wide, start, _ = _sum_types(layer, types)
    tap = f"((j * {channels} + c) * {kernel[0]} + p) * {kernel[1]} + q"
    at = f"((j / {outputs} * {channels} + c) * {shape[1]} + v) * {shape[2]} + u"
    return [
        f"for (int j = 0; j < {places[0]}; ++j)",
        f"for (int a = 0; a < {places[1]}; ++a)",
        f"for (int b = 0; b < {places[2]}; ++b) {{",
        f"  {wide} sum = {start};",
        f"  for (int c = 0; c < {channels}; ++c)",
        f"  for (int p = 0; p < {kernel[0]}; ++p)",
        f"  for (int q = 0; q < {kernel[1]}; ++q) {{",
        f"    const int v = a * {stride[0]} + p - {padding[0]}, u = b * {stride[1]} + q - {padding[1]};",
        f"    if (v < 0 || v >= {shape[1]} || u < 0 || u >= {shape[2]}) continue;",
        f"    sum += {sources[0]}[{at}] * from_raw<{layer.weights_fmt} >({layer.name}_weights[{tap}]);",
        "  }",
        *(
            "  " + line
            for line in _finish(layer, f"{layer.name}_out[(j * {places[1]} + a) * {places[2]} + b]")
        ),
        "}",
    ]


def _each(out: TensorType, *body: str) -> list[str]:
    """A loop over all elements; `c` is the channel."""
    inner = out.size // out.shape[0]
    lines = [f"for (int i = 0; i < {out.size}; ++i) {{", "#pragma HLS UNROLL"]
    if any("[c]" in line or " c " in line for line in body):
        lines.append(f"  const int c = i / {inner};")
    return [*lines, *("  " + line for line in body), "}"]


def _batch_norm(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    scale = f"from_raw<{layer.scale_fmt} >({layer.name}_scale[c])"
    shift = f"from_raw<{layer.shift_fmt} >({layer.name}_shift[c])"
    return _each(out, f"{layer.name}_out[i] = {sources[0]}[i] * {scale} + {shift};")


def _copy(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    return _each(out, f"{layer.name}_out[i] = {sources[0]}[i];")


def _relu(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    zero = f"{types[0].fmt}(0)"
    return _each(out, f"{layer.name}_out[i] = {sources[0]}[i] < 0 ? {zero} : {sources[0]}[i];")


def _prelu(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    x, index = f"{sources[0]}[i]", "[c]" if layer.slope.ndim else "[0]"
    slope = f"from_raw<{layer.slope_fmt} >({layer.name}_slope{index})"
    return _each(
        out, f"if ({x} < 0) {layer.name}_out[i] = {x} * {slope};", f"else {layer.name}_out[i] = {x};"
    )


def _add(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    return _each(out, f"{layer.name}_out[i] = {' + '.join(f'{source}[i]' for source in sources)};")


def _concat(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    lines, begin = [], 0
    for source, kind in zip(sources, types, strict=True):
        copied = f"{layer.name}_out[{begin} + i] = {source}[i];"
        lines += [f"for (int i = 0; i < {kind.size}; ++i) {copied}"]
        begin += kind.size
    return lines


def _threshold(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    levels, inner = layer.levels.shape[-1], types[0].size // types[0].shape[0]
    index = f"c / {levels} * {levels} + c % {levels}" if layer.levels.ndim == 2 else f"c % {levels}"
    low, high = layer.values
    return [
        f"for (int i = 0; i < {out.size}; ++i) {{",
        "#pragma HLS UNROLL",
        f"  const int c = i / {inner};",
        f"  const {layer.levels_fmt} level = from_raw<{layer.levels_fmt} >({layer.name}_levels[{index}]);",
        f"  const bool above = {sources[0]}[c / {levels} * {inner} + i % {inner}] >= level;",
        f"  {layer.name}_out[i] = from_raw<{layer.output} >(above ? {high} : {low});",
        "}",
    ]


def _argmax(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    inner = types[0].size // types[0].shape[0]
    x = sources[0]
    return [
        f"for (int i = 0; i < {inner}; ++i) {{",
        "  int best = 0;",
        f"  for (int c = 1; c < {types[0].shape[0]}; ++c)",
        f"    if ({x}[c * {inner} + i] > {x}[best * {inner} + i]) best = c;",
        f"  {layer.name}_out[i] = best;",
        "}",
    ]


def _window(
    layer: Any, types: Sequence[TensorType], out: TensorType, begin: list[str], inside: str, end: list[str]
) -> list[str]:
    kernel, stride, padding = layer.steps(types[0].shape)
    shape, kernel, stride, padding = _two_axes(types[0].shape, kernel, stride, padding)
    places = _two_axes(out.shape)[0]
    return [
        f"for (int j = 0; j < {places[0]}; ++j)",
        f"for (int a = 0; a < {places[1]}; ++a)",
        f"for (int b = 0; b < {places[2]}; ++b) {{",
        *("  " + line for line in begin),
        f"  for (int p = 0; p < {kernel[0]}; ++p)",
        f"  for (int q = 0; q < {kernel[1]}; ++q) {{",
        f"    const int v = a * {stride[0]} + p - {padding[0]}, u = b * {stride[1]} + q - {padding[1]};",
        f"    if (v < 0 || v >= {shape[1]} || u < 0 || u >= {shape[2]}) continue;",
        f"    {inside.format(at=f'(j * {shape[1]} + v) * {shape[2]} + u')}",
        "  }",
        *(
            "  " + line.format(to=f"{layer.name}_out[(j * {places[1]} + a) * {places[2]} + b]")
            for line in end
        ),
        "}",
    ]


def _max_pool(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    fmt, x = types[0].fmt, sources[0]
    begin = [f"{fmt} most = from_raw<{fmt} >({fmt.min_raw}LL);"]
    inside = f"if ({x}[{{at}}] > most) most = {x}[{{at}}];"
    return _window(layer, types, out, begin, inside, ["{to} = most;"])


def _avg_pool(layer: Any, sources: list[str], types: Sequence[TensorType], out: TensorType) -> list[str]:
    samples, fmt = layer.samples(types[0]), types[0].fmt
    grown = fmt.int_bits + samples.bit_length() + (not fmt.signed)
    wide = Fixed(grown + fmt.frac_bits, grown)
    method = layer.method(samples)
    if method == "reciprocal":
        raw, kind = layer.reciprocal(samples)
        end = [f"{{to}} = sum * from_raw<{kind} >({raw});"]
    elif method == "shift":
        shift = samples.bit_length() - 1
        kept = Fixed(wide.width, wide.int_bits - shift)
        end = [
            f"{kept} mean;",
            f"mean.range({wide.width - 1}, 0) = sum.range({wide.width - 1}, 0);",
            "{to} = mean;",
        ]
    else:
        end = [
            f"ap_int<{wide.width}> whole;",
            f"whole.range({wide.width - 1}, 0) = sum.range({wide.width - 1}, 0);",
            f"ap_int<{wide.width}> cut = whole / {samples};",
            f"{wide} mean;",
            f"mean.range({wide.width - 1}, 0) = cut.range({wide.width - 1}, 0);",
            "{to} = mean;",
        ]
    return _window(layer, types, out, [f"{wide} sum = 0;"], f"sum += {sources[0]}[{{at}}];", end)
