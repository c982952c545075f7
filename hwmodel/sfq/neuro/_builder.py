"""Builds circuits whose arrival times are known: trees with equal paths, delay lines, and cells on signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwmodel.errors import SpecError
from hwmodel.sfq.pulse import Cell, Netlist, Wire, library
from hwmodel.units import format_time, fs

__all__ = ["Builder", "Signal", "own_hold", "pair_hold"]


@dataclass(frozen=True)
class Signal:
    """A wire, and when the regular pulses of a slot pass on it, fs after the slot's clock pulse."""

    wire: Wire
    first: int
    last: int

    def later(self, wire: Wire, delay: int) -> Signal:
        """The same pulses behind a delay."""
        return Signal(wire, self.first + delay, self.last + delay)


def pair_hold(cell: Cell, first: str, second: str) -> int:
    """Longest time in any state that `second` must stay away after `first`, fs."""
    return max((int(h.time) for h in cell.holds if (h.first, h.second) == (first, second)), default=0)


def own_hold(cell: Cell) -> int:
    """Longest time that any pulse must keep from another at the same input, fs."""
    return max(pair_hold(cell, port, port) for port in cell.inputs)


def cell_delay(cell: Cell) -> int:
    """The one delay of a cell whose outputs all have it, fs."""
    delays = {int(delay) for step in cell.transitions.values() for delay in step.fires.values()}
    if len(delays) != 1:
        raise SpecError(f"cell {cell.name!r} has no one delay but {sorted(map(format_time, delays))}")
    return delays.pop()


class Builder:
    """A netlist in the making, and the cells it is made of."""

    def __init__(self, name: str) -> None:
        self.library = library("rsfq")
        # Only mergers may meet pulses that are too close: there it is the function, everywhere else a fault.
        self.netlist = Netlist(name, library=self.library, policy="error")
        self.split_fs = cell_delay(self.library["split"])
        self.merge_fs = cell_delay(self.library["merge"])
        self._jtl_fs = cell_delay(self.library["jtl"])

    def delay(self, signal: Signal, time: int) -> Signal:
        """A delay line: whole JTL stages, and a passive line for the rest that is shorter than a stage."""
        if time < 0:
            raise SpecError(f"netlist '{self.netlist.name}': a delay of {format_time(time)} cannot be built")
        stages, rest = divmod(time, self._jtl_fs)
        wire = self.netlist.jtl(signal.wire, stages=stages) if stages else signal.wire
        if rest:
            wire = self.netlist.wire(wire, fs(rest))
        return signal.later(wire, time)

    def delay_to(self, signal: Signal, first: int) -> Signal:
        """The signal, delayed so that its first pulse comes at `first`."""
        return self.delay(signal, first - signal.first)

    def split(self, signal: Signal) -> tuple[Signal, Signal]:
        """Two copies."""
        one, two = self.netlist.split(signal.wire)
        return signal.later(one, self.split_fs), signal.later(two, self.split_fs)

    def fan_out(self, signal: Signal, count: int) -> list[Signal]:
        """`count` copies that all come at one time."""
        copies = self._tree(signal, count)
        last = max(copy.first for copy in copies)
        return [self.delay_to(copy, last) for copy in copies]

    def _tree(self, signal: Signal, count: int) -> list[Signal]:
        if count == 1:
            return [signal]
        one, two = self.split(signal)
        return self._tree(one, count - count // 2) + self._tree(two, count // 2)

    def merge(self, signals: Sequence[Signal], name: str) -> Signal:
        """All pulses on one wire; every path through the tree takes the same time.

        Pulses that meet inside a merger's hold time merge: the later one is dropped.
        """
        level = list(signals)
        stage = 0
        while len(level) > 1:
            pairs = []
            for n in range(0, len(level) - 1, 2):
                wire = self.netlist.add(
                    self.library["merge"],
                    name=f"{name}_merge{stage}_{n // 2 + 1}",
                    policy="drop",
                    a=level[n].wire,
                    b=level[n + 1].wire,
                )
                first = min(level[n].first, level[n + 1].first)
                last = max(level[n].last, level[n + 1].last)
                pairs.append(Signal(_one(wire), first + self.merge_fs, last + self.merge_fs))
            if len(level) % 2:
                pairs.append(self.delay(level[-1], self.merge_fs))
            level, stage = pairs, stage + 1
        return level[0]

    def cell(
        self, cell: Cell, name: str, at: int, probability: float | None = None, **inputs: Signal
    ) -> Signal:
        """One cell with one output, which fires its delay after `at`."""
        wires = [inputs[port].wire for port in cell.inputs]
        wire = self.netlist.add(cell, *wires, name=name, probability=probability)
        when = at + cell_delay(cell)
        return Signal(_one(wire), when, when)


def _one(wire: Wire | tuple[Wire, ...]) -> Wire:
    if isinstance(wire, tuple):
        raise SpecError(f"a cell with one output is wanted, got {len(wire)}")
    return wire
