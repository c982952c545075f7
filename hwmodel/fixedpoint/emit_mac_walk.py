"""Counters of one phase of style "mac": which tap of which window is read, and where a result is written.

A phase takes one step a cycle. In the first cycle of a step its counters address the map, in the second the word is
there and the multipliers work, and the cycle after a place's last step its result is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from hwmodel.fixedpoint.emit_mac_sums import counter
from hwmodel.fixedpoint.emit_memories import Memory, address_bits, new_memory, new_table, read, write
from hwmodel.fixedpoint.emit_stream import Walk

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["FeatureMap", "MapWriter", "Schedule", "Steps", "hold"]


@dataclass(frozen=True)
class Steps:
    """Steps at one place: groups of outputs, channels, taps, the last the fastest.

    Parameters:
        taps, channels, groups: steps of each.
        side: taps that are read at the same time.
    """

    taps: int
    channels: int = 1
    groups: int = 1
    side: int = 1

    @property
    def count(self) -> int:
        """Cycles of a place."""
        return self.taps * self.channels * self.groups


def hold(enable: Wire, data: Wire, name: str, rst: Wire | None = None) -> Wire:
    """Give a register that takes `data` where `enable` is set; a constant stays one."""
    import pyrtl

    if isinstance(data, pyrtl.Const):
        return data
    register = pyrtl.Register(len(data), name)
    kept = data if isinstance(enable, pyrtl.Const) else pyrtl.select(enable, data, register)
    register.next <<= kept if rst is None else pyrtl.select(rst, pyrtl.Const(0, len(data)), kept)
    return register


class FeatureMap:
    """A map in a memory; a word holds all channels of a place, rows one after the other.

    Parameters:
        name: of the memory.
        depth: places.
        width: bits of a word.
    """

    def __init__(self, name: str, depth: int, width: int) -> None:
        self.name = name
        self.memory: Memory = new_memory(name, width, depth) if depth > 1 else None
        self.word: Wire = None

    def fill(self, address: Wire, data: Wire, enable: Wire) -> None:
        """Take a word."""
        if self.memory is None:
            self.word = hold(enable, data, self.name)
        else:
            write(self.memory, address, data, enable)

    def read(self, address: Wire, enable: Wire, name: str) -> Wire:
        """Give the word of an address, a cycle later."""
        return self.word if self.memory is None else read(self.memory, address, enable, name)


class MapWriter:
    """Writes results, row by row, into every map that holds them.

    Parameters:
        name: prefix of wires.
        depth: places.
        maps: to be filled.
        data, enable: a word, and when there is one.
        free: gives a name that is not taken.

    Attributes:
        finish: set with the last word.
    """

    def __init__(
        self,
        name: str,
        depth: int,
        maps: Sequence[FeatureMap],
        data: Wire,
        enable: Wire,
        rst: Wire,
        free: Callable[[str], str],
    ) -> None:
        import pyrtl

        place, ends = counter(free(f"{name}_place"), depth, enable, rst)
        self.finish = pyrtl.WireVector(1, free(f"{name}_finish"))
        self.finish <<= enable & ends
        for image in maps:
            image.fill(place, data, enable)


class Schedule:
    """The counters of a phase and the bits that go with its data.

    Parameters:
        name: prefix of wires.
        walk: image and window.
        steps: of each place.
        start: begins in the next cycle.
        go: whether the phase may move.
        free: gives a name that is not taken.

    Attributes:
        valid, first, sums_end, group: in the cycle in which data are there: whether they are, whether a sum begins
            or ends with them, and which outputs they are for.
        done: a place's result is there.
        step: number of the step at its place, a cycle before its data.
    """

    def __init__(
        self,
        name: str,
        walk: Walk,
        steps: Steps,
        start: Wire,
        go: Wire,
        rst: Wire,
        free: Callable[[str], str],
    ) -> None:
        import pyrtl

        self.name, self.walk, self.steps, self.go, self.rst, self.free = name, walk, steps, go, rst, free
        self.active = pyrtl.Register(1, free(f"{name}_active"))
        self.run = self._wire("run", self.active & go)
        tap, taps_end = counter(free(f"{name}_tap"), steps.taps, self.run, rst)
        on = self.run & taps_end
        channel, channels_end = counter(free(f"{name}_channel"), steps.channels, on, rst)
        group, groups_end = counter(free(f"{name}_group"), steps.groups, on & channels_end, rst)
        sums_end = taps_end & channels_end
        place_ends = self._wire("place_ends", sums_end & groups_end)
        rows, cols = walk.places
        on = self.run & place_ends
        col, cols_end = counter(free(f"{name}_col"), cols, on, rst)
        row, rows_end = counter(free(f"{name}_row"), rows, on & cols_end, rst)
        ends = self._wire("ends", place_ends & cols_end & rows_end)
        self.active.next <<= pyrtl.select(rst, pyrtl.Const(0, 1), start | (self.active & ~(self.run & ends)))
        self.tap = tap
        self.step = self._step(tap, channel, group, place_ends)
        self.origin = self._origin(on, cols_end, ends)
        self.corner = (
            self._position(0, row, on & cols_end, rows_end),
            self._position(1, col, on, cols_end),
        )
        first: Wire = pyrtl.Const(1, 1)
        for number in (tap, channel):
            if not isinstance(number, pyrtl.Const):
                first = first & (number == pyrtl.Const(0, len(number)))
        self.valid = hold(go, self.active, free(f"{name}_valid"), rst)
        whole = steps.taps * steps.channels == 1  # each step is a whole sum
        self.first = first if whole else self._later("first", first)
        self.sums_end = pyrtl.Const(1, 1) if whole else self._later("sums_end", sums_end)
        self.group = self._later("of_group", group)
        last = pyrtl.Const(1, 1) if steps.count == 1 else self._later("place_end", place_ends)
        self.done = hold(go, self.valid & last, free(f"{name}_done"), rst)

    def _wire(self, what: str, data: Wire) -> Wire:
        import pyrtl

        wire = pyrtl.WireVector(len(data), self.free(f"{self.name}_{what}"))
        wire <<= data
        return wire

    def _later(self, what: str, data: Wire) -> Wire:
        return hold(self.run, data, self.free(f"{self.name}_{what}"))

    def _step(self, tap: Wire, channel: Wire, group: Wire, place_ends: Wire) -> Wire:
        """The number of the step; one of the counters where the others stand still."""
        for number, count in zip(
            (tap, channel, group), (self.steps.taps, self.steps.channels, self.steps.groups), strict=True
        ):
            if count == self.steps.count:
                return number
        return counter(self.free(f"{self.name}_step"), self.steps.count, self.run, self.rst)[0]

    def _origin(self, enable: Wire, cols_end: Wire, ends: Wire) -> Wire:
        """The address of the window's first tap; before the image it lies beyond the end."""
        import pyrtl

        walk = self.walk
        (rows, cols), (down, across), (above, left) = walk.places, walk.stride, walk.padding
        width, line = address_bits(prod(walk.shape)), walk.shape[1]
        begin = _wrapped(-(above * line + left), width)
        if rows * cols == 1:
            return begin
        back, on = (_wrapped(jump, width) for jump in (down * line - (cols - 1) * across, across))
        register = pyrtl.Register(width, self.free(f"{self.name}_origin"), reset_value=begin.val)
        moved = (register + pyrtl.select(cols_end, back, on))[0:width]
        following = pyrtl.select(ends, begin, moved)
        register.next <<= pyrtl.select(self.rst, begin, pyrtl.select(enable, following, register))
        return register

    def _position(self, axis: int, place: Wire, enable: Wire, ends: Wire) -> Wire:
        """Where the window begins on an axis, the padding counted; only where that has padding."""
        import pyrtl

        walk, width = self.walk, address_bits(self.walk.size[axis])
        if not walk.padding[axis] or walk.places[axis] == 1:
            return pyrtl.Const(0, width)
        if walk.stride[axis] == 1:
            return place.zero_extended(width)
        zero = pyrtl.Const(0, width)
        register = pyrtl.Register(width, self.free(f"{self.name}_{('top', 'left')[axis]}"))
        moved = (register + pyrtl.Const(walk.stride[axis], width))[0:width]
        kept = pyrtl.select(enable, pyrtl.select(ends, zero, moved), register)
        register.next <<= pyrtl.select(self.rst, zero, kept)
        return register

    def _taps(self, port: int) -> list[tuple[int, int]]:
        """Row and column of the tap that a port reads in each step; a step too many reads the first."""
        rows, cols = self.walk.kernel
        taps = [divmod(k, cols) for k in range(rows * cols)]
        taps += [(0, 0)] * (self.steps.taps * self.steps.side - len(taps))
        return taps[port :: self.steps.side]

    def addresses(self) -> list[Wire]:
        """Give the address that each of the taps read together has in the map."""
        line, width = self.walk.shape[1], address_bits(prod(self.walk.shape))
        found = []
        for port in range(self.steps.side):
            offsets = [(row * line + col) & ((1 << width) - 1) for row, col in self._taps(port)]
            found.append((self.origin + self._of_tap(f"offset_{port}", offsets, width))[0:width])
        return found

    def inside(self, port: int) -> Wire:
        """Whether the tap that a port read lies on the image, in the cycle of its data; None where all do."""
        import pyrtl

        checks = []
        for axis, corner in enumerate(self.corner):
            pad, width = self.walk.padding[axis], address_bits(self.walk.size[axis])
            if pad:
                tap = self._of_tap(f"tap_{port}_{axis}", [place[axis] for place in self._taps(port)], width)
                place = self._wire(f"at_{port}_{axis}", (corner + tap)[0:width])
                end = pyrtl.Const(pad + self.walk.shape[axis], width)
                checks.append(~(place < pyrtl.Const(pad, width)) & (place < end))
        if not checks:
            return None
        return self._later(f"inside_{port}", checks[0] if len(checks) == 1 else checks[0] & checks[1])

    def _of_tap(self, what: str, values: Sequence[int], width: int) -> Wire:
        """Give values[tap]."""
        import pyrtl

        if len(set(values)) == 1:
            return pyrtl.Const(values[0], width)
        if list(values) == list(range(len(values))):
            return self.tap.zero_extended(width)
        table = new_table(self.free(f"{self.name}_{what}_table"), width, values)
        return self._wire(what, table[self.tap])


def _wrapped(value: int, width: int) -> Wire:
    import pyrtl

    return pyrtl.Const(value & ((1 << width) - 1), width)
