"""What the folded styles share: how far a partial sum can reach, what it begins with, and small tables and counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwmodel.fixedpoint._cast import requantize
from hwmodel.fixedpoint._layers_base import TensorType
from hwmodel.fixedpoint._layers_sum import WeightedSum, extremes
from hwmodel.fixedpoint._raw import Raws
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_numbers import Number, constant

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["choose", "constants", "counter", "finished", "partial_range", "pick", "starts"]


def partial_range(
    layer: WeightedSum, weights: Raws, outputs: Sequence[int], source: TensorType
) -> tuple[int, int, int]:
    """Give least and greatest raw of any partial sum, and its fractional bits.

    Parameters:
        weights: shape (terms, len(outputs)).
        outputs: whose bias belongs to the columns.
    """
    if layer.each_step and layer.accumulator is not None:
        fmt = layer.accumulator
        return fmt.min_raw, fmt.max_raw, fmt.frac_bits
    frac_bits = layer.sum_frac_bits(source)
    shift = frac_bits - source.fmt.frac_bits - layer.weights_fmt.frac_bits
    least, most = extremes(weights, source.fmt)
    bias = layer.aligned_bias(frac_bits)
    offset = np.zeros(len(outputs), object) if bias is None else bias[list(outputs)]
    low, high = (least << shift) + offset, (most << shift) + offset
    # Each partial sum lies between the bias and the ends, so the bias belongs to the range.
    return min(*low, *offset, 0), max(*high, *offset, 1), frac_bits


def starts(layer: WeightedSum, outputs: Sequence[int], frac_bits: int) -> list[int]:
    """Give the raw with which the sum of each output begins."""
    if layer.bias is None or layer.bias_fmt is None:
        return [0] * len(outputs)
    bias = layer.bias[list(outputs)]
    if layer.each_step and layer.accumulator is not None:
        return [int(b) for b in requantize(bias, layer.bias_fmt, layer.accumulator)]
    return [int(b) << (frac_bits - layer.bias_fmt.frac_bits) for b in bias]


def finished(layer: WeightedSum, total: Number, source: TensorType) -> Number:
    """Cast a whole sum to the accumulator, where that was not done at each step, and to the output."""
    if not layer.each_step and layer.accumulator is not None:
        total = emit_cast(total, layer.accumulator)
    return emit_cast(total, layer.result_format((source,)))


def pick(index: Wire, words: Sequence[Wire]) -> Wire:
    """Give words[index] by a tree of multiplexers; an index beyond the end may give any of them."""
    import pyrtl

    level, bit = list(words), 0
    while len(level) > 1:
        pairs = [level[k : k + 2] for k in range(0, len(level), 2)]
        level = [pyrtl.select(index[bit], p[1], p[0]) if len(p) == 2 else p[0] for p in pairs]
        bit += 1
    return level[0]


def choose(index: Wire, numbers: Sequence[Number]) -> Number:
    """Give numbers[index]; they share one unit."""
    if len(numbers) == 1:
        return numbers[0]
    low, high = min(n.low for n in numbers), max(n.high for n in numbers)
    frac_bits = numbers[0].frac_bits
    if low == high:
        return constant(low, frac_bits)
    whole = Number(numbers[0].wire, low, high, frac_bits)
    return Number(pick(index, [n.bits(whole.width) for n in numbers]), low, high, frac_bits)


def constants(index: Wire, values: Sequence[int], frac_bits: int) -> Number:
    """Give values[index] of a short list."""
    return choose(index, [constant(value, frac_bits) for value in values])


def counter(name: str, count: int, enable: Wire, rst: Wire) -> tuple[Wire, Wire]:
    """A counter from 0 to count - 1 and the bit that says that it is at its end."""
    import pyrtl

    if count == 1:
        return pyrtl.Const(0, 1), pyrtl.Const(1, 1)
    width = (count - 1).bit_length()
    register = pyrtl.Register(width, name)
    ends = register == pyrtl.Const(count - 1, width)
    following = pyrtl.select(ends, pyrtl.Const(0, width), (register + 1)[0:width])
    kept = pyrtl.select(enable, following, register)
    register.next <<= pyrtl.select(rst, pyrtl.Const(0, width), kept)
    return register, ends
