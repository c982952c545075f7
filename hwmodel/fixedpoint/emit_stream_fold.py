"""Folded convolutions of style "stream": a window stays for some beats, and each works out a part of the outputs.

A first rank of registers holds the products of a part, the stage behind it adds them up, and a last one collects the
parts of a pixel.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from hwmodel.fixedpoint import _layers_image
from hwmodel.fixedpoint._layers_base import TensorType
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_layers import Emitter, Tensor, element_name
from hwmodel.fixedpoint.emit_mac_sums import choose, constants, finished, partial_range, starts
from hwmodel.fixedpoint.emit_memories import new_table
from hwmodel.fixedpoint.emit_numbers import (
    Number,
    add,
    constant,
    join,
    named,
    narrowed,
    sum_of,
    times,
    width_of,
)

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["FoldedWindow", "parts_of"]


def parts_of(layer: _layers_image.Convolution, fold: int | None) -> int:
    """Give the beats of a pixel: as few as have no more outputs at once than `fold` asks for.

    Example:
        >>> from hwmodel.fixedpoint._format import Fixed
        >>> layer = _layers_image.Conv1d("c", weights=np.ones((6, 1, 1), int), weights_fmt=Fixed(2, 2))
        >>> [parts_of(layer, fold) for fold in (None, 1, 2, 4, 5, 9)]
        [1, 1, 2, 3, 3, 6]
    """
    outputs = len(layer.weights)
    return ceil(outputs / ceil(outputs / min(fold or 1, outputs)))


class FoldedWindow:
    """The two stages of a folded convolution, in PyRTL's working block.

    Parameters:
        layer: whose window is read.
        kind: shape and format of its image.
        parts: beats of a pixel, at least 2; output k belongs to beat k // lanes.
    """

    def __init__(
        self, layer: _layers_image.Convolution, kind: TensorType, parts: int, emitter: Emitter
    ) -> None:
        self.layer, self.kind, self.parts, self.emitter = layer, kind, parts, emitter
        self.outputs = len(layer.weights)
        self.lanes = ceil(self.outputs / parts)
        self.formats: list[list[Number]] = []

    def _columns(self, lane: int) -> list[int]:
        """The outputs of a lane, beat by beat; an odd last beat works out its last output again."""
        return [min(part * self.lanes + lane, self.outputs - 1) for part in range(self.parts)]

    def products(self, window: Tensor, part: Wire) -> Wire:
        """Give the word of all products of a part, with what each sum begins with."""
        layer, inner = self.layer, self.layer.weights.shape[1]
        per_group = self.outputs // layer.groups
        flat = layer.weights.reshape(self.outputs, -1)
        taps = flat.shape[1] // inner
        pixels = window.reshape(window.shape[0], -1)
        seen: dict[tuple[int, ...], Number] = {}
        for lane in range(self.lanes):
            columns, numbers = self._columns(lane), []
            for term in range(flat.shape[1]):
                channels = [j // per_group * inner + term // taps for j in columns]
                key = (term % taps, *channels)
                if key not in seen:
                    seen[key] = self._input([pixels[c, term % taps] for c in channels], part)
                weight = self._weight(f"{layer.name}_w_{lane}_{term}", flat[columns, term].tolist(), part)
                numbers.append(times(seen[key], weight))
            frac_bits = partial_range(layer, flat[columns].T, columns, self.kind)[2]
            numbers.insert(0, constants(part, starts(layer, columns, frac_bits), frac_bits))
            self.formats.append(numbers)
        return _packed([number for numbers in self.formats for number in numbers])

    def _input(self, numbers: list[Number], part: Wire) -> Number:
        if all(number.wire is numbers[0].wire for number in numbers):
            return numbers[0]
        return choose(part, numbers)

    def _weight(self, name: str, values: list[int], part: Wire) -> Number:
        low, high, frac_bits = min(values), max(values), self.layer.weights_fmt.frac_bits
        if low == high:
            return constant(low, frac_bits)
        import pyrtl

        width = width_of(low, high)
        table = new_table(self.emitter.free(f"{name}_table"), width, [v & ((1 << width) - 1) for v in values])
        wire = pyrtl.WireVector(width, self.emitter.free(name))
        wire <<= table[part]
        return Number(wire, low, high, frac_bits)

    def sums(self, word: Wire) -> Wire:
        """Give the word of the outputs of a part, cast, from its products."""
        layer, place, results = self.layer, 0, []
        for lane, formats in enumerate(self.formats):
            numbers = []
            for number in formats:
                if number.is_constant:
                    numbers.append(number)
                    continue
                wire = word[place : place + number.width]
                numbers.append(Number(wire, number.low, number.high, number.frac_bits))
                place += number.width
            flat = layer.weights.reshape(self.outputs, -1)[self._columns(lane)].T
            low, high, _ = partial_range(layer, flat, self._columns(lane), self.kind)
            total, products = numbers[0], numbers[1:]
            if layer.each_step and layer.accumulator is not None:
                for product in products:
                    total = emit_cast(add(total, product), layer.accumulator)
            else:
                total = add(total, sum_of([(p, 1) for p in products], products[0].frac_bits))
                total = narrowed(total, low, high)
            result = finished(layer, total, self.kind)
            results.append(named(result, self.emitter.free(element_name(f"{layer.name}_lane", (lane,)))))
        return join(results, layer.result_format((self.kind,)).width)

    def pixel(self, words: list[Wire]) -> Tensor:
        """Give the outputs of a pixel from the words of its parts, shape (outputs,)."""
        from hwmodel.fixedpoint.emit_stream import pixel

        kind = TensorType((self.lanes,), self.layer.result_format((self.kind,)))
        return np.concatenate([pixel(word, kind) for word in words])[: self.outputs]


def _packed(numbers: list[Number]) -> Wire:
    """Pack numbers side by side, the first in the low bits; constants take no bits."""
    import pyrtl

    return pyrtl.concat_list([n.bits(n.width) for n in numbers if not n.is_constant] or [pyrtl.Const(0, 1)])
