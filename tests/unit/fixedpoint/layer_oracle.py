"""Layers one number at a time, in Fractions and plain loops: shares no code with the layers but the formats."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
from hypothesis import strategies as st

from hwmodel.fixedpoint._format import OVERFLOWS, ROUNDINGS, Fixed
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
    Threshold,
)
from hwmodel.fixedpoint._layers_base import Layer, TensorType
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool
from hwmodel.fixedpoint._reference import reference_cast


@st.composite
def formats(draw: st.DrawFn, max_width: int = 8) -> Fixed:
    """Any format of few bits, with every mode."""
    width = draw(st.integers(1, max_width))
    signed, overflow = draw(st.booleans()), draw(st.sampled_from(OVERFLOWS))
    if not signed and overflow == "WRAP_SM":
        overflow = "WRAP"
    bits = draw(st.integers(0, min(width, 3))) if overflow.startswith("WRAP") else 0
    return Fixed(
        width, draw(st.integers(-2, width + 2)), signed, draw(st.sampled_from(ROUNDINGS)), overflow, bits
    )


@st.composite
def raws(draw: st.DrawFn, fmt: Fixed, shape: tuple[int, ...]) -> np.ndarray:
    """Raws of a format."""
    count = int(np.prod(shape))
    numbers = draw(st.lists(st.integers(fmt.min_raw, fmt.max_raw), min_size=count, max_size=count))
    return np.array(numbers, np.int64).reshape(shape)


def values(raw: np.ndarray, fmt: Fixed) -> np.ndarray:
    """Raws as Fractions."""
    out = np.empty(np.shape(raw), object)
    for place in np.ndindex(out.shape):
        out[place] = int(np.asarray(raw)[place]) * fmt.lsb
    return out


def _sum(
    layer: Dense | Conv1d | Conv2d, terms: list[tuple[Fraction, Fraction]], output: int, fmt: Fixed
) -> int:
    """One weighted sum with its casts, as the raw of the output."""
    total = Fraction(0) if layer.bias is None else int(layer.bias[output]) * layer.bias_fmt.lsb
    if layer.each_step:
        total = reference_cast(total, layer.accumulator) * layer.accumulator.lsb
    for x, w in terms:
        total += x * w
        if layer.each_step:
            total = reference_cast(total, layer.accumulator) * layer.accumulator.lsb
    if layer.accumulator is not None:
        total = reference_cast(total, layer.accumulator) * layer.accumulator.lsb
    return reference_cast(total, fmt)


def _convolve(layer: Conv1d | Conv2d, x: np.ndarray, kind: TensorType) -> np.ndarray:
    weights, out = values(layer.weights, layer.weights_fmt), np.empty(kind.shape, object)
    per_group = len(weights) // layer.groups
    for place in np.ndindex(kind.shape):
        terms = []
        first = place[0] // per_group * weights.shape[1]
        for channel in range(weights.shape[1]):
            for tap in np.ndindex(weights.shape[2:]):
                at = tuple(
                    p * s + t - pad
                    for p, s, t, pad in zip(place[1:], layer.stride, tap, layer.padding, strict=True)
                )
                inside = all(0 <= a < n for a, n in zip(at, x.shape[1:], strict=True))
                sample = x[(first + channel, *at)] if inside else Fraction(0)
                terms.append((sample, weights[(place[0], channel, *tap)]))
        out[place] = _sum(layer, terms, place[0], kind.fmt)
    return out


def _pool(layer: AvgPool | MaxPool, x: np.ndarray, source: TensorType, kind: TensorType) -> np.ndarray:
    kernel, stride, padding = layer.steps(x.shape)
    out = np.empty(kind.shape, object)
    for place in np.ndindex(kind.shape):
        seen = []
        for tap in product(*(range(n) for n in kernel)):
            at = tuple(p * s + t - pad for p, s, t, pad in zip(place[1:], stride, tap, padding, strict=True))
            if all(0 <= a < n for a, n in zip(at, x.shape[1:], strict=True)):
                seen.append(x[(place[0], *at)])
        result = max(seen) if isinstance(layer, MaxPool) else _mean(layer, seen, int(np.prod(kernel)), source)
        out[place] = (
            _assigned(result, source.fmt, kind.fmt)
            if isinstance(layer, MaxPool)
            else reference_cast(result, kind.fmt)
        )
    return out


def _assigned(number: Fraction, source: Fixed, target: Fixed) -> int:
    """Between equal formats an assignment is a copy, which matters for the least raw of SAT_SYM."""
    return int(number / target.lsb) if source == target else reference_cast(number, target)


def _mean(layer: AvgPool, seen: list[Fraction], samples: int, source: TensorType) -> Fraction:
    total = sum(seen, Fraction(0))
    method = layer.method(samples)
    if method == "shift":
        return total / samples
    if method == "truncate":
        whole = int(total / source.fmt.lsb / samples)  # int() cuts toward zero
        return whole * source.fmt.lsb
    exponent = 0
    while Fraction(2) ** exponent / samples < 2**17:
        exponent += 1
    return total * round(Fraction(2) ** exponent / samples) / Fraction(2) ** exponent


def _elementwise(layer: Layer, x: list[np.ndarray], source: Fixed, kind: TensorType) -> np.ndarray:
    out = np.empty(kind.shape, object)
    for place in np.ndindex(kind.shape):
        number, channel = x[0][place], place[0]
        if isinstance(layer, BatchNorm):
            scale, shift = int(layer.scale[channel]), int(layer.shift[channel])
            number = number * scale * layer.scale_fmt.lsb + shift * layer.shift_fmt.lsb
        elif isinstance(layer, ReLU):
            number = max(number, Fraction(0))
        elif isinstance(layer, PReLU) and number < 0:
            number *= int(layer.slope.reshape(-1)[channel if layer.slope.ndim else 0]) * layer.slope_fmt.lsb
        elif isinstance(layer, Add):
            number = sum((a[place] for a in x), Fraction(0))
        copied = isinstance(layer, Requantize) and source == kind.fmt
        out[place] = _assigned(number, source, kind.fmt) if copied else reference_cast(number, kind.fmt)
    return out


def _thermometer(layer: Threshold, x: np.ndarray, kind: TensorType) -> np.ndarray:
    count, out = layer.levels.shape[-1], np.empty(kind.shape, object)
    for place in np.ndindex(kind.shape):
        channel, k = divmod(place[0], count)
        level = layer.levels[k] if layer.levels.ndim == 1 else layer.levels[channel, k]
        out[place] = layer.values[int(x[(channel, *place[1:])] >= int(level) * layer.levels_fmt.lsb)]
    return out


def expected_one(layer: Layer, raw: list[np.ndarray], types: tuple[TensorType, ...]) -> np.ndarray:
    """One tensor through one layer."""
    kind = layer.output_type(*types)
    x = [values(r, t.fmt) for r, t in zip(raw, types, strict=True)]
    if isinstance(layer, Dense):
        weights = values(layer.weights, layer.weights_fmt)
        columns = range(weights.shape[1])
        return np.array(
            [_sum(layer, list(zip(x[0], weights[:, j], strict=True)), j, kind.fmt) for j in columns], object
        )
    if isinstance(layer, Conv1d | Conv2d):
        return _convolve(layer, x[0], kind)
    if isinstance(layer, AvgPool | MaxPool):
        return _pool(layer, x[0], types[0], kind)
    if isinstance(layer, Threshold):
        return _thermometer(layer, x[0], kind)
    if isinstance(layer, Argmax):
        out = np.empty(kind.shape, object)
        for place in np.ndindex(kind.shape[1:]):
            column = [x[0][(c, *place)] for c in range(len(x[0]))]
            out[(0, *place)] = column.index(max(column))
        return out
    if isinstance(layer, Concat):
        rows = [
            _elementwise(Requantize("cast", output=kind.fmt), [a], t.fmt, TensorType(t.shape, kind.fmt))
            for a, t in zip(x, types, strict=True)
        ]
        return np.concatenate(rows)
    if isinstance(layer, Flatten):
        return raw[0].reshape(-1).astype(object)
    assert isinstance(layer, BatchNorm | ReLU | PReLU | Add | Requantize)
    return _elementwise(layer, x, types[0].fmt, kind)


def expected(layer: Layer, *raw: np.ndarray, types: tuple[TensorType, ...]) -> list:
    """A batch through one layer, as nested lists."""
    return [expected_one(layer, [r[k] for r in raw], types).tolist() for k in range(len(raw[0]))]
