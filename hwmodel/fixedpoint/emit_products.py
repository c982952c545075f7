"""Adder graphs inside a design: the nodes of `adders.AdderGraph` as combinational wires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwmodel.fixedpoint.adders import AdderGraph, Lookup

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["build_products"]


def build_products(graph: AdderGraph, inputs: Sequence[Wire]) -> list[Wire]:
    """Build y = x @ W + bias in PyRTL's working block.

    Parameters:
        graph: from `adder_graph`.
        inputs: one wire an input, as wide as its range needs.

    Returns:
        One wire an output, as wide as its exact range needs.
    """
    return _Products(graph, inputs).outputs()


class _Products:
    def __init__(self, graph: AdderGraph, inputs: Sequence[Wire]) -> None:
        self.graph = graph
        self.words: dict[int, Wire] = dict(enumerate(inputs))
        self.bits: dict[tuple[int, int], Wire] = {}
        for n in range(len(graph.node_rows)):
            self.words[len(inputs) + n] = self._node(n)

    def _node(self, n: int) -> Wire:
        """One adder, over just the places where both sides have bits."""
        import pyrtl

        left, right, left_shift, right_shift, sign = self.graph.node_rows[n]
        width = self.graph.signals.width_of(len(self.graph.input_ranges) + n)
        if sign > 0 and right_shift < left_shift and right >= 0:
            left, right, left_shift, right_shift = right, left, right_shift, left_shift
        place = min(right_shift, width)
        count = width - place
        below = [self._take(left, left_shift, 0, place)] if place else []
        if not count:
            return below[0]
        one = self._take(left, left_shift, place, count)
        lookup = self.graph.lookups[-1 - right] if right < 0 else None
        if lookup is not None and lookup.segments and lookup.constant == 1 and sign > 0:
            # one + table + 1: synthesis puts an inverted subtrahend into the LUTs of the carry chain.
            table = self._look(lookup)
            inverted = ~(table[0:count] if len(table) > count else table)
            fill = count - len(inverted)
            total = one - (pyrtl.concat(pyrtl.Const((1 << fill) - 1, fill), inverted) if fill else inverted)
        else:
            two = self._take(right, right_shift, place, count)
            total = one + two if sign > 0 else one - two
        return pyrtl.concat_list([*below, total[0:count]])

    def _take(self, signal: int, shift: int, low: int, count: int) -> Wire:
        """Give `count` bits from place `low` of signal << shift, extended by its sign."""
        import pyrtl

        if signal < 0 and not self.graph.lookups[-1 - signal].segments:
            value = (self.graph.lookups[-1 - signal].constant << shift) >> low
            return pyrtl.Const(value % (1 << count), count)
        word, signed = self._word(signal)
        zeros, first = min(max(shift - low, 0), count), max(low - shift, 0)
        parts = [pyrtl.Const(0, zeros)] if zeros else []
        here = max(min(len(word) - first, count - zeros), 0)
        if here:
            parts.append(word if here == len(word) else word[first : first + here])
        above = count - zeros - here
        if above:
            parts += [word[-1]] * above if signed else [pyrtl.Const(0, above)]
        return pyrtl.concat_list(parts)

    def _word(self, signal: int) -> tuple[Wire, bool]:
        """A signal or a lookup as a word, and whether it is two's complement."""
        import pyrtl

        if signal >= 0:
            return self.words[signal], self.graph.signals.range_of(signal)[0] < 0
        lookup = self.graph.lookups[-1 - signal]
        table = self._look(lookup)
        if not lookup.constant:
            return table, False
        width = self.graph.signals.width_of(signal)
        wide = table[0:width] if len(table) >= width else table.zero_extended(width)
        total = (wide + pyrtl.Const(lookup.constant % (1 << width), width))[0:width]
        return total, lookup.range[0] < 0

    def _look(self, lookup: Lookup) -> Wire:
        """The tables of a lookup side by side."""
        import pyrtl

        parts: list[Wire] = []
        end = 0
        for segment in lookup.segments:
            if segment.position > end:
                parts.append(pyrtl.Const(0, segment.position - end))
            address = [self._bit(s, b) for s, b in zip(segment.signals, segment.bits, strict=True)]
            rom = pyrtl.RomBlock(
                segment.width, len(address), segment.table(), asynchronous=True, max_read_ports=None
            )
            read = pyrtl.WireVector(segment.width)
            read <<= rom[pyrtl.concat_list(address)]
            parts.append(read)
            end = segment.position + segment.width
        return pyrtl.concat_list(parts)

    def _bit(self, signal: int, place: int) -> Wire:
        if (signal, place) not in self.bits:
            self.bits[signal, place] = self.words[signal][place]
        return self.bits[signal, place]

    def outputs(self) -> list[Wire]:
        """Give the outputs."""
        import pyrtl

        found = []
        for j, (signal, shift, sign) in enumerate(self.graph.output_rows):
            width = self.graph.output_width(j)
            if not sign:
                found.append(pyrtl.Const(self.graph.bias[j] % (1 << width), width))
                continue
            word = self._take(signal, shift, 0, width)
            found.append((pyrtl.Const(0, width) - word)[0:width] if sign < 0 else word)
        return found
