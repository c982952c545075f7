"""The multipliers and accumulators of one weighted sum in style "mac", with its weights in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from hwmodel.fixedpoint._layers_base import TensorType
from hwmodel.fixedpoint._layers_sum import WeightedSum
from hwmodel.fixedpoint._raw import Raws
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_layers import Emitter, Tensor, element_name
from hwmodel.fixedpoint.emit_mac_sums import choose, constants, finished, partial_range, starts
from hwmodel.fixedpoint.emit_mac_walk import Schedule, Steps, hold
from hwmodel.fixedpoint.emit_memories import new_table, read
from hwmodel.fixedpoint.emit_numbers import Number, add, align, constant, named, sum_of, times, width_of

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["Kernel", "MacArray"]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A dense layer or a convolution as it is at one place.

    Parameters:
        layer: whose casts apply.
        weights: shape (outputs, channels of a group, taps).
        groups: groups of channels that do not mix.
    """

    layer: WeightedSum
    weights: Raws
    groups: int

    def steps(self, fold: int | None) -> Steps:
        """Give the steps that take at most `fold` cycles a place with the fewest multipliers; None: a product a cycle.

        A cast at each step fixes the order of products, so taps are taken side by side before channels are; otherwise
        channels are, since they come with the word that is read.
        """
        outputs, channels, taps = self.weights.shape
        if fold is None or fold >= channels * taps:
            groups = 1 if fold is None else min(fold // (channels * taps), outputs)
            return Steps(taps, channels, groups)
        best: tuple[int, int, int, int] | None = None
        for side in range(1, taps + 1):
            for deep in range(1, channels + 1):
                if self.layer.each_step and deep > 1 and side < taps:
                    continue
                cycles = ceil(taps / side) * ceil(channels / deep)
                if cycles <= fold and (best is None or (side * deep, side) < best[:2]):
                    best = side * deep, side, ceil(taps / side), ceil(channels / deep)
        assert best is not None  # all side by side takes one cycle
        return Steps(best[2], best[3], 1, best[1])

    def depth(self, steps: Steps) -> int:
        """Channels that are taken at the same time."""
        return ceil(int(self.weights.shape[1]) / steps.channels)


class MacArray:
    """Multipliers and accumulators, in PyRTL's working block.

    Parameters:
        kernel: what to compute.
        schedule: when.
        source: shape and format of the map that is read.
    """

    def __init__(self, kernel: Kernel, schedule: Schedule, source: TensorType, emitter: Emitter) -> None:
        self.kernel, self.schedule, self.source, self.emitter = kernel, schedule, source, emitter
        self.name, self.steps, self.depth = schedule.name, schedule.steps, kernel.depth(schedule.steps)
        self.outputs = len(kernel.weights)
        self.fields: list[tuple[int, int, list[int]]] = []  # low bit, width, words
        self.chosen: dict[tuple[int, tuple[int, ...]], Number] = {}
        self.word: Wire = None

    @property
    def lanes(self) -> list[range]:
        """The outputs of each accumulator, one after the other."""
        groups, count = self.steps.groups, ceil(self.outputs / self.steps.groups)
        return [range(k * groups, min((k + 1) * groups, self.outputs)) for k in range(count)]

    def build(self, ports: Sequence[Tensor]) -> list[Number]:
        """Give the outputs at a place, cast, from the words of the taps that are read together."""
        plans = [
            [self._plan(columns, deep, side) for deep in range(self.depth) for side in range(len(ports))]
            for columns in self.lanes
        ]
        self._store()
        result: list[Number] = []
        for columns, plan in zip(self.lanes, plans, strict=True):
            if columns:
                products = [
                    times(self._input(ports[side], side, channels), self._weight(field, weights))
                    for side, channels, field, weights in plan
                ]
                result += self._lane(columns, products)
        return result

    def _plan(
        self, columns: range, deep: int, side: int
    ) -> tuple[int, tuple[int, ...], tuple[int, int], list[int]]:
        """Channel and weight of one multiplier in each step, and the table's field for the weight."""
        weights, groups = self.kernel.weights, self.kernel.groups
        outputs, inner, taps = weights.shape
        channels: list[int] = []
        factors: list[int] = []
        for g in range(self.steps.groups):
            j = columns[g] if g < len(columns) else -1
            for c in range(self.steps.channels):
                for t in range(self.steps.taps):
                    channel, tap = c * self.depth + deep, t * self.steps.side + side
                    real = j >= 0 and channel < inner and tap < taps
                    factors.append(int(weights[j, channel, tap]) if real else 0)
                    # A step with weight 0 may read any channel: keep the last one.
                    before = channels[-1] if channels else 0
                    channels.append(j // (outputs // groups) * inner + channel if real else before)
        self._select(channels)
        return side, tuple(channels), self._field(factors), factors

    def _field(self, words: list[int]) -> tuple[int, int]:
        """Give place and width of a column of the table; width 0 where all words are equal."""
        if len(set(words)) == 1:
            return 0, 0
        width = width_of(min(words), max(words))
        for low, size, known in self.fields:
            if known == words:
                return low, size
        low = sum(size for _, size, _ in self.fields)
        self.fields.append((low, width, words))
        return low, width

    def _select(self, channels: Sequence[int]) -> tuple[list[int], tuple[int, int]]:
        """The channels that a multiplier sees, and the field that says which."""
        distinct = sorted(set(channels))
        return distinct, self._field([distinct.index(channel) for channel in channels])

    def _store(self) -> None:
        """Put all columns into one table that is read with the map."""
        if not self.fields:
            return
        width = sum(size for _, size, _ in self.fields)
        words = [
            sum((column[k] & ((1 << size) - 1)) << low for low, size, column in self.fields)
            for k in range(self.steps.count)
        ]
        table = new_table(self.emitter.free(f"{self.name}_weights"), width, words)
        self.word = read(
            table, self.schedule.step, self.schedule.run, self.emitter.free(f"{self.name}_weight")
        )

    def _weight(self, field: tuple[int, int], weights: list[int]) -> Number:
        low, width = field
        frac_bits = self.kernel.layer.weights_fmt.frac_bits
        if not width:
            return constant(weights[0], frac_bits)
        return Number(self.word[low : low + width], min(weights), max(weights), frac_bits)

    def _input(self, word: Tensor, port: int, channels: tuple[int, ...]) -> Number:
        """The channel that a multiplier sees in this step."""
        key = port, channels
        if key not in self.chosen:
            distinct, (low, width) = self._select(channels)
            index = self.word[low : low + width] if width else None
            found = choose(index, [word[channel] for channel in distinct])
            if len(distinct) > 1:
                found = named(found, self.emitter.free(f"{self.name}_x_{len(self.chosen)}"))
            self.chosen[key] = found
        return self.chosen[key]

    def _lane(self, columns: range, products: list[Number]) -> list[Number]:
        """One accumulator; gives the outputs of its columns."""
        import pyrtl

        layer, schedule, free = self.kernel.layer, self.schedule, self.emitter.free
        flat = self.kernel.weights[list(columns)].reshape(len(columns), -1).T
        low, high, frac_bits = partial_range(layer, flat, columns, self.source)
        width = width_of(low, high)
        lane = columns[0] // self.steps.groups
        held = Number(pyrtl.Register(width, free(f"{self.name}_acc_{lane}")), low, high, frac_bits)
        total = self._first(starts(layer, columns, frac_bits), held)
        if layer.each_step and layer.accumulator is not None:
            for product in products:
                total = emit_cast(add(total, product), layer.accumulator)
        else:
            total = add(total, sum_of([(product, 1) for product in products], products[0].frac_bits))
        grown = align(total, frac_bits).bits(width)
        moves = schedule.valid & schedule.go
        held.wire.next <<= pyrtl.select(moves, grown, held.wire)
        found = []
        for g, j in enumerate(columns):
            whole = held
            if g < self.steps.groups - 1:  # the last group's sum is still in the accumulator
                here = schedule.group == pyrtl.Const(g, len(schedule.group))
                take = moves & schedule.sums_end & here
                whole = Number(hold(take, grown, free(f"{self.name}_sum_{j}")), low, high, frac_bits)
            cast = finished(layer, whole, self.source)
            found.append(named(cast, free(element_name(self.name, (j,)))))
        return found

    def _first(self, begins: list[int], held: Number) -> Number:
        """What a step adds to: the bias where a sum begins, else the accumulator."""
        import pyrtl

        start = constants(self.schedule.group, begins, held.frac_bits)
        if isinstance(self.schedule.first, pyrtl.Const):
            return start
        width = len(held.wire)
        word = pyrtl.select(self.schedule.first, start.bits(width), held.wire)
        return Number(word, held.low, held.high, held.frac_bits)


def weights_at_a_place(layer: WeightedSum, source: tuple[int, int, int]) -> Raws:
    """Give the weights of a dense layer over a whole map (channels, rows, columns), as a convolution's of that size."""
    return np.ascontiguousarray(layer.weights.T).reshape(-1, source[0], source[1] * source[2])
