"""Layers as parallel logic: each element of each tensor is a wire of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.fixedpoint import _layers, _layers_image
from hwmodel.fixedpoint._cast import requantize
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers_base import Layer, TensorType
from hwmodel.fixedpoint._layers_sum import WeightedSum
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_numbers import (
    Number,
    add,
    constant,
    less,
    named,
    narrowed,
    scaled,
    select,
    sum_of,
    width_of,
)

if TYPE_CHECKING:
    from hwmodel.fixedpoint.adders import AdderGraph

__all__ = ["MAX_PRODUCTS", "Emitter", "Tensor", "element_name"]

Tensor = npt.NDArray[Any]  # of Number, in the shape of its type

MAX_PRODUCTS = 60_000
"""Constant products of one layer that are still laid out side by side."""


def element_name(layer: str, index: Sequence[int]) -> str:
    """Name of the wire of one element.

    Example:
        >>> element_name("conv", (3, 0, 12))
        'conv_3_0_12'
    """
    return "_".join([layer, *map(str, index)])


def number_at(tensor: Tensor, index: tuple[int, ...]) -> Number:
    """Give one element."""
    found: Any = tensor[index]
    assert isinstance(found, Number)
    return found


@dataclass
class Emitter:
    """Builds layers in PyRTL's working block.

    Parameters:
        share: whether constant products share what they have in common.
    """

    share: bool = True
    taken: set[str] = field(default_factory=set)
    graphs: dict[Any, AdderGraph] = field(default_factory=dict)

    def layer(self, layer: Layer, tensors: Sequence[Tensor], types: Sequence[TensorType]) -> Tensor:
        """Build one layer and name its elements.

        Raises:
            SpecError: for a layer that has no such logic; the message names it and says what to do.
        """
        build = self._builder(layer)
        self.check(layer, types)
        out_type = layer.output_type(*types)
        out: Tensor = build(layer, tensors, types, out_type)
        if isinstance(layer, _layers.Flatten):
            return out
        for index in np.ndindex(*out.shape):
            out[index] = named(number_at(out, index), self.free(element_name(layer.name, index)))
        return out

    def free(self, name: str) -> str:
        """Give the name, or where it is taken one like it."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def check(self, layer: Layer, types: Sequence[TensorType]) -> None:
        """Refuse what is too large to be laid out side by side."""
        products = layer.macs(tuple(types))
        if products > MAX_PRODUCTS:
            raise SpecError(
                f"layer '{layer.name}' ({layer.kind}) needs {products} products side by side, more than "
                f"{MAX_PRODUCTS}; emit it with style='stream' (images) or style='mac' (dense layers)"
            )

    def _builder(self, layer: Layer) -> Callable[..., Tensor]:
        builders: dict[type, Callable[..., Tensor]] = {
            _layers.Dense: self._dense,
            _layers_image.Conv1d: self._convolution,
            _layers_image.Conv2d: self._convolution,
            _layers.BatchNorm: self._batch_norm,
            _layers.Requantize: self._requantize,
            _layers.ReLU: self._relu,
            _layers.PReLU: self._prelu,
            _layers.Add: self._add,
            _layers.Concat: self._concat,
            _layers.Threshold: self._threshold,
            _layers.Argmax: self._argmax,
            _layers.Flatten: self._flatten,
            _layers_image.MaxPool: self._max_pool,
            _layers_image.AvgPool: self._avg_pool,
        }
        for kind in type(layer).__mro__:
            if kind in builders:
                return builders[kind]
        known = ", ".join(sorted(kind.__name__ for kind in builders))
        raise SpecError(
            f"layer '{layer.name}' ({layer.kind}) cannot be emitted; replace it by layers that can: {known}"
        )

    # ------------------------------------------------------------------------------------ weighted sums

    def _dense(
        self, layer: _layers.Dense, tensors: Sequence[Tensor], types: Sequence[TensorType], out: TensorType
    ) -> Tensor:
        sums = self.weighted(layer, layer.weights, list(tensors[0]), types[0], out)
        return _tensor(sums, out.shape)

    def _convolution(
        self,
        layer: _layers_image.Convolution,
        tensors: Sequence[Tensor],
        types: Sequence[TensorType],
        out: TensorType,
    ) -> Tensor:
        result = np.empty(out.shape, object)
        shape = types[0].shape[1:]
        for place in np.ndindex(*out.shape[1:]):
            begins = [p * s - pad for p, s, pad in zip(place, layer.stride, layer.padding, strict=True)]
            taps = tuple(_taps(b, k, n) for b, k, n in zip(begins, layer.kernel, shape, strict=True))
            seen = tuple(slice(b + t.start, b + t.stop) for b, t in zip(begins, taps, strict=True))
            result[(slice(None), *place)] = self.window(layer, tensors[0], types[0], out, taps, seen)
        return result

    def window(
        self,
        layer: _layers_image.Convolution,
        image: Tensor,
        source: TensorType,
        out: TensorType,
        taps: tuple[slice, ...],
        seen: tuple[slice, ...],
    ) -> Tensor:
        """Build all outputs of a convolution at one place, from the taps that lie on the image."""
        weights = layer.weights[(slice(None), slice(None), *taps)]
        outputs, inputs = len(weights) // layer.groups, weights.shape[1]
        result: list[Number] = []
        for group in range(layer.groups):
            own = weights[group * outputs : (group + 1) * outputs].reshape(outputs, -1).T
            numbers = list(image[(slice(group * inputs, (group + 1) * inputs), *seen)].reshape(-1))
            columns = slice(group * outputs, (group + 1) * outputs)
            result += self.weighted(layer, own, numbers, source, out, columns, any(tap.start for tap in taps))
        return _tensor(result, (len(weights),))

    def weighted(
        self,
        layer: WeightedSum,
        weights: npt.NDArray[Any],
        numbers: list[Number],
        source: TensorType,
        out: TensorType,
        columns: slice = slice(None),
        padded: bool = False,
    ) -> list[Number]:
        """Build y = cast(x @ weights + bias) with the accumulator's casts.

        `columns` of the bias belong to it; `padded` says that the first product in order lies in the padding.
        """
        bias = layer.bias[columns] if layer.bias is not None else None
        if layer.each_step:
            sums = self._steps(layer, weights, numbers, bias, padded)
        else:
            frac_bits = layer.sum_frac_bits(source)
            moved = weights.astype(object) << (frac_bits - source.fmt.frac_bits - layer.weights_fmt.frac_bits)
            offset = np.zeros(moved.shape[1], object)
            if bias is not None and layer.bias_fmt is not None:
                offset = bias.astype(object) << (frac_bits - layer.bias_fmt.frac_bits)
            sums = self.products(moved, numbers, offset, frac_bits)
            names = [
                self.free(f"{layer.name}_sum_{columns.indices(1 << 30)[0] + j}") for j in range(len(sums))
            ]
            sums = [named(total, name) for total, name in zip(sums, names, strict=True)]
            if layer.accumulator is not None:
                sums = [emit_cast(total, layer.accumulator) for total in sums]
        return [emit_cast(total, out.fmt) for total in sums]

    def _steps(
        self,
        layer: WeightedSum,
        weights: npt.NDArray[Any],
        numbers: list[Number],
        bias: npt.NDArray[Any] | None,
        padded: bool,
    ) -> list[Number]:
        """Build a chain that casts to the accumulator after each product; products that are 0 are left out.

        A cast does nothing to what a cast has given, so only a zero product in front of all others shows: it casts
        the bias, and SAT_SYM moves the least number.
        """
        assert layer.accumulator is not None
        sums = []
        for j in range(weights.shape[1]):
            total = constant(0, layer.accumulator.frac_bits)
            if bias is not None and layer.bias_fmt is not None:
                start = int(requantize(bias[j : j + 1], layer.bias_fmt, layer.accumulator)[0])
                total = constant(start, layer.accumulator.frac_bits)
                if padded or not numbers or weights[0, j] == 0:
                    total = emit_cast(total, layer.accumulator)
            for x, w in zip(numbers, weights[:, j].tolist(), strict=True):
                if w:
                    total = emit_cast(
                        add(total, scaled(x, w, layer.weights_fmt.frac_bits)), layer.accumulator
                    )
            sums.append(total)
        return sums

    def products(
        self, weights: npt.NDArray[Any], numbers: list[Number], offset: npt.NDArray[Any], frac_bits: int
    ) -> list[Number]:
        """Build x @ weights + offset exactly, x and weights raw, as one shared adder graph."""
        from hwmodel.fixedpoint.adders import adder_graph
        from hwmodel.fixedpoint.emit_products import build_products

        if not numbers:  # a window that lies wholly in the padding
            return [constant(int(value), frac_bits) for value in offset]
        formats = tuple((number.width, number.signed) for number in numbers)
        key = weights.shape, tuple(weights.reshape(-1).tolist()), tuple(offset.tolist()), formats
        if key not in self.graphs:
            self.graphs[key] = adder_graph(weights, list(formats), bias=offset, share=self.share)
        graph = self.graphs[key]
        wires = build_products(graph, [number.bits(number.width) for number in numbers])
        found = []
        for j, wire in enumerate(wires):
            low, high = graph.output_range(j)
            found.append(constant(low, frac_bits) if low == high else Number(wire, low, high, frac_bits))
        return found

    # ------------------------------------------------------------------------------------ elements and channels

    def _batch_norm(
        self,
        layer: _layers.BatchNorm,
        tensors: Sequence[Tensor],
        types: Sequence[TensorType],
        out: TensorType,
    ) -> Tensor:
        def affine(x: Number, channel: int) -> Number:
            shift = constant(int(layer.shift[channel]), layer.shift_fmt.frac_bits)
            return emit_cast(
                add(scaled(x, int(layer.scale[channel]), layer.scale_fmt.frac_bits), shift), out.fmt
            )

        return _each(tensors[0], affine)

    def _requantize(
        self,
        layer: _layers.Requantize,
        tensors: Sequence[Tensor],
        types: Sequence[TensorType],
        out: TensorType,
    ) -> Tensor:
        return self._copied(tensors[0], types[0].fmt, out.fmt)

    @staticmethod
    def _copied(tensor: Tensor, source: Fixed, target: Fixed) -> Tensor:
        if source == target:  # a copy, not a cast: SAT_SYM leaves its least raw alone
            return tensor.copy()
        return _each(tensor, lambda x, _: emit_cast(x, target))

    def _relu(
        self, layer: _layers.ReLU, tensors: Sequence[Tensor], types: Sequence[TensorType], out: TensorType
    ) -> Tensor:
        return _each(tensors[0], lambda x, _: emit_cast(_positive(x), out.fmt))

    def _prelu(
        self, layer: _layers.PReLU, tensors: Sequence[Tensor], types: Sequence[TensorType], out: TensorType
    ) -> Tensor:
        def bend(x: Number, channel: int) -> Number:
            slope = int(layer.slope.reshape(-1)[channel if layer.slope.ndim else 0])
            if not x.signed:
                return emit_cast(x, out.fmt)
            bent = scaled(narrowed_below(x), slope, layer.slope_fmt.frac_bits)
            return emit_cast(select(x.negative, bent, _non_negative(x)), out.fmt)

        return _each(tensors[0], bend)

    def _add(
        self, layer: _layers.Add, tensors: Sequence[Tensor], types: Sequence[TensorType], out: TensorType
    ) -> Tensor:
        frac_bits = max(t.fmt.frac_bits for t in types)
        result = np.empty(out.shape, object)
        for index in np.ndindex(*out.shape):
            total = sum_of([(number_at(tensor, index), 1) for tensor in tensors], frac_bits)
            result[index] = emit_cast(total, out.fmt)
        return result

    def _concat(
        self, layer: _layers.Concat, tensors: Sequence[Tensor], types: Sequence[TensorType], out: TensorType
    ) -> Tensor:
        pairs = zip(tensors, types, strict=True)
        return np.concatenate([self._copied(tensor, kind.fmt, out.fmt) for tensor, kind in pairs])

    def _threshold(
        self,
        layer: _layers.Threshold,
        tensors: Sequence[Tensor],
        types: Sequence[TensorType],
        out: TensorType,
    ) -> Tensor:
        levels = np.broadcast_to(layer.levels, (types[0].shape[0], layer.levels.shape[-1]))
        low, high = (constant(v, layer.output.frac_bits) for v in layer.values)
        result = np.empty((*levels.shape, *types[0].shape[1:]), object)
        for index in np.ndindex(*result.shape):
            level = constant(int(levels[index[:2]]), layer.levels_fmt.frac_bits)
            below = less(tensors[0][(index[0], *index[2:])], level)
            result[index] = select(below, low, high)
        return np.asarray(result.reshape(out.shape))

    def _argmax(
        self, layer: _layers.Argmax, tensors: Sequence[Tensor], types: Sequence[TensorType], out: TensorType
    ) -> Tensor:
        result = np.empty(out.shape, object)
        for place in np.ndindex(*out.shape[1:]):
            column = tensors[0][(slice(None), *place)]
            level = [(x, constant(k, 0)) for k, x in enumerate(column)]
            while len(level) > 1:
                pairs = [tuple(level[k : k + 2]) for k in range(0, len(level), 2)]
                level = [_greater(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
            result[(0, *place)] = level[0][1]
        return result

    def _flatten(
        self, layer: _layers.Flatten, tensors: Sequence[Tensor], types: Sequence[TensorType], out: TensorType
    ) -> Tensor:
        return np.asarray(tensors[0].reshape(-1))

    # ------------------------------------------------------------------------------------ pools

    def _max_pool(
        self,
        layer: _layers_image.MaxPool,
        tensors: Sequence[Tensor],
        types: Sequence[TensorType],
        out: TensorType,
    ) -> Tensor:
        def pool(seen: list[Number]) -> Number:
            most = greatest(seen)
            return most if types[0].fmt == out.fmt else emit_cast(most, out.fmt)

        return _pooled(layer, tensors[0], types[0], out, pool)

    def _avg_pool(
        self,
        layer: _layers_image.AvgPool,
        tensors: Sequence[Tensor],
        types: Sequence[TensorType],
        out: TensorType,
    ) -> Tensor:
        return _pooled(layer, tensors[0], types[0], out, lambda seen: mean(layer, seen, types[0], out))


def _taps(begin: int, kernel: int, length: int) -> slice:
    """The taps that lie on an axis of `length` samples where the first meets sample `begin`; maybe none."""
    first = min(max(-begin, 0), kernel)
    return slice(first, max(min(kernel, length - begin), first))


def greatest(seen: Sequence[Number]) -> Number:
    """Give the greatest of some numbers by a balanced tree."""
    level = list(seen)
    while len(level) > 1:
        pairs = [level[k : k + 2] for k in range(0, len(level), 2)]
        level = [select(less(p[0], p[1]), p[1], p[0]) if len(p) == 2 else p[0] for p in pairs]
    return level[0]


def mean(layer: _layers_image.AvgPool, seen: Sequence[Number], source: TensorType, out: TensorType) -> Number:
    """Give the sum of a window, divided as the layer says, cast to the output."""
    samples, frac_bits = layer.samples(source), source.fmt.frac_bits
    total = sum_of([(number, 1) for number in seen], frac_bits)
    method = layer.method(samples)
    if method == "shift":
        quotient = Number(total.wire, total.low, total.high, frac_bits + samples.bit_length() - 1)
    elif method == "reciprocal":
        raw, fmt = layer.reciprocal(samples)
        quotient = scaled(total, raw, fmt.frac_bits)
    else:
        quotient = divided(total, samples)
    return emit_cast(quotient, out.fmt)


def divided(number: Number, divisor: int) -> Number:
    """Divide by a constant, cut toward zero: the magnitude times the divisor's reciprocal, rounded up far enough."""
    zero = constant(0, number.frac_bits)
    size = max(number.high, -number.low)
    magnitude = narrowed(select(number.negative, add(zero, number, subtract=True), number), 0, size)
    # With m bits of magnitude, ceil(2**s / n) * x >> s is exact for s = m + ceil(log2 n).
    shift = width_of(0, size) + (divisor - 1).bit_length()
    wide = scaled(magnitude, -(-(1 << shift) // divisor), 0)
    quotient: Number
    if wide.high >> shift == 0:
        return zero
    quotient = Number(wide.bits(wide.width)[shift:], 0, size // divisor, number.frac_bits)
    return narrowed(
        select(number.negative, add(zero, quotient, subtract=True), quotient),
        -(max(-number.low, 0) // divisor),
        max(number.high, 0) // divisor,
    )


def _positive(x: Number) -> Number:
    if not x.signed:
        return x
    return select(x.negative, constant(0, x.frac_bits), _non_negative(x))


def _non_negative(x: Number) -> Number:
    """The number where it is read only when it is not negative."""
    return narrowed(x, 0, max(x.high, 0))


def narrowed_below(x: Number) -> Number:
    """Give the number where it is read only when it is negative."""
    return Number(x.wire, x.low, min(x.high, -1), x.frac_bits)


def _greater(a: tuple[Number, Number], b: tuple[Number, Number]) -> tuple[Number, Number]:
    """The pair with the greater value, the first of equals."""
    second = less(a[0], b[0])
    return select(second, b[0], a[0]), select(second, b[1], a[1])


def _each(tensor: Tensor, action: Callable[[Number, int], Number]) -> Tensor:
    result = np.empty(tensor.shape, object)
    for index in np.ndindex(*tensor.shape):
        result[index] = action(number_at(tensor, index), index[0])
    return result


def _tensor(numbers: Iterable[Number], shape: tuple[int, ...]) -> Tensor:
    result = np.empty(prod(shape), object)
    for k, number in enumerate(numbers):
        result[k] = number
    return result.reshape(shape)


def _pooled(
    layer: _layers_image.Pool,
    tensor: Tensor,
    source: TensorType,
    out: TensorType,
    pool: Callable[[list[Number]], Number],
) -> Tensor:
    kernel, stride, padding = layer.steps(source.shape)
    result = np.empty(out.shape, object)
    for channel, *place in np.ndindex(*out.shape):
        spans = [
            range(max(p * s - pad, 0), min(p * s - pad + k, n))
            for p, s, pad, k, n in zip(place, stride, padding, kernel, source.shape[1:], strict=True)
        ]
        result[(channel, *place)] = pool([tensor[(channel, *at)] for at in product(*spans)])
    return result
