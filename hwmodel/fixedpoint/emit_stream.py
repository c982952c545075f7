"""The stages of style "stream": line-buffered windows, frames collected from pixels, and a model of their timing.

A stage takes one pixel (all channels) a beat. A window stage walks over the padded image: it takes a pixel where the
place lies on the image and makes one up where it lies in the padding; a chain of registers and memories holds the last
lines, and fixed places of the chain are the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np

from hwmodel.fixedpoint._layers_base import TensorType
from hwmodel.fixedpoint.emit_layers import Tensor
from hwmodel.fixedpoint.emit_mac_sums import counter
from hwmodel.fixedpoint.emit_numbers import from_raw
from hwmodel.fixedpoint.emit_stream_lines import line_chain

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["Frame", "Link", "Walk", "control_timing"]


@dataclass
class Link:
    """What passes between two stages: a valid bit, the wire that the reader drives with ready, and a word."""

    valid: Wire
    ready: Wire
    data: Wire


@dataclass(frozen=True)
class Walk:
    """How a window goes over an image, along both axes.

    Parameters:
        shape: height and width of the image.
        kernel, stride, padding: along the same axes.
        repeats: beats for which a window stays, so that a part of the outputs is worked out in each.
    """

    shape: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    repeats: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width with the padding."""
        return self.shape[0] + 2 * self.padding[0], self.shape[1] + 2 * self.padding[1]

    @property
    def places(self) -> tuple[int, int]:
        """Windows along both axes."""
        rows, cols = (
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(self.size, self.kernel, self.stride, strict=True)
        )
        return rows, cols

    def is_padding(self, axis: int, place: int) -> bool:
        """Whether a place lies outside the image."""
        return not self.padding[axis] <= place < self.shape[axis] + self.padding[axis]

    def ends_window(self, axis: int, place: int) -> bool:
        """Whether a window ends at a place."""
        begin = place - self.kernel[axis] + 1
        return begin >= 0 and begin % self.stride[axis] == 0

    @property
    def length(self) -> int:
        """Registers of the chain, the newest pixel not counted."""
        return (self.kernel[0] - 1) * self.size[1] + self.kernel[1] - 1


class WindowStage:
    """Counters and line buffers of one window stage, in PyRTL's working block."""

    def __init__(self, name: str, walk: Walk, kind: TensorType, fill: int, source: Link, rst: Wire) -> None:
        import pyrtl

        self.name, self.walk, self.kind, self.rst = name, walk, kind, rst
        self.row, row_flags = self._counter("row", 0)
        self.col, col_flags = self._counter("col", 1)
        padding = pyrtl.WireVector(1, f"{name}_padding")
        padding <<= row_flags[0] | col_flags[0]
        self.emits = pyrtl.WireVector(1, f"{name}_emits")
        self.emits <<= row_flags[1] & col_flags[1]
        self.offers = pyrtl.WireVector(1, f"{name}_offers")
        self.offers <<= padding | source.valid
        self.advance = pyrtl.WireVector(1, f"{name}_accepts")
        self.step = pyrtl.WireVector(1, f"{name}_moves")
        self.part, self.last_part = self._parts()
        self.step <<= self.offers & self._free()
        source.ready <<= ~padding & self._free()
        width = kind.shape[0] * kind.fmt.width
        word = sum((fill & ((1 << kind.fmt.width) - 1)) << (c * kind.fmt.width) for c in range(kind.shape[0]))
        self.newest = pyrtl.WireVector(width, f"{name}_pixel")
        self.newest <<= pyrtl.select(padding, pyrtl.Const(word, width), source.data)
        last_col, last_row = col_flags[2], row_flags[2]
        self._count(self.col, last_col, self.step)
        self._count(self.row, last_row, self.step & last_col)
        self.chain = line_chain(name, self.newest, walk, self.step, rst)

    def _parts(self) -> tuple[Wire, Wire]:
        """The part of the outputs that is worked out, and whether it is the last; None where there is only one."""
        if self.walk.repeats == 1:
            return None, None
        enable = self.offers & self.emits & self.advance
        return counter(f"{self.name}_part", self.walk.repeats, enable, self.rst)

    def _free(self) -> Wire:
        """Whether the window may move."""
        if self.last_part is None:
            return self.advance | ~self.emits
        return (self.advance & self.last_part) | ~self.emits

    def _counter(self, what: str, axis: int) -> tuple[Wire, tuple[Wire, Wire, Wire]]:
        """A position and what is true there: padding, end of a window, last place."""
        import pyrtl

        size = self.walk.size[axis]
        flags = [
            int(self.walk.is_padding(axis, place))
            | int(self.walk.ends_window(axis, place)) << 1
            | int(place == size - 1) << 2
            for place in range(size)
        ]
        if size == 1:
            one, word = pyrtl.Const(0, 1), pyrtl.Const(flags[0], 3)
            return one, (word[0], word[1], word[2])
        width = (size - 1).bit_length()
        register = pyrtl.Register(width, f"{self.name}_{what}")
        rom = pyrtl.RomBlock(
            3,
            width,
            [*flags, *[0] * ((1 << width) - size)],
            name=f"{self.name}_{what}_flags",
            asynchronous=True,
            max_read_ports=None,
        )
        word = pyrtl.WireVector(3, f"{self.name}_{what}_at")
        word <<= rom[register]
        return register, (word[0], word[1], word[2])

    def _count(self, register: Wire, last: Wire, enable: Wire) -> None:
        import pyrtl

        if isinstance(register, pyrtl.Const):
            return
        width = len(register)
        following = pyrtl.select(last, pyrtl.Const(0, width), (register + 1)[0:width])
        kept = pyrtl.select(enable, following, register)
        register.next <<= pyrtl.select(self.rst, pyrtl.Const(0, width), kept)

    def window(self) -> Tensor:
        """Give the window as a tensor (channels, rows, columns)."""
        (rows, cols), across = self.walk.kernel, self.walk.size[1]
        result = np.empty((self.kind.shape[0], rows, cols), object)
        for p, q in np.ndindex(rows, cols):
            word = self.chain[(rows - 1 - p) * across + (cols - 1 - q)]
            result[:, p, q] = pixel(word, self.kind)
        return result


def pixel(word: Wire, kind: TensorType) -> Tensor:
    """Give the channels of a word as numbers, shape (channels,)."""
    width = kind.fmt.width
    result = np.empty(kind.shape[0], object)
    for c in range(kind.shape[0]):
        result[c] = from_raw(word[c * width : (c + 1) * width], kind.fmt)
    return result


class FrameStage:
    """Collects all pixels of a frame, in PyRTL's working block."""

    def __init__(self, name: str, kind: TensorType, beats: int, source: Link, rst: Wire) -> None:
        import pyrtl

        zero = pyrtl.Const(0, 1)
        self.kind, self.beats = kind, beats
        self.full = pyrtl.Register(1, f"{name}_full")
        self.advance = pyrtl.WireVector(1, f"{name}_accepts")
        ready = pyrtl.WireVector(1, f"{name}_ready")
        ready <<= ~self.full | self.advance
        source.ready <<= ready
        taken = pyrtl.WireVector(1, f"{name}_taken")
        taken <<= ready & source.valid
        last: Wire = pyrtl.Const(1, 1)
        if beats > 1:
            width = (beats - 1).bit_length()
            count = pyrtl.Register(width, f"{name}_count")
            last = count == pyrtl.Const(beats - 1, width)
            following = pyrtl.select(last, pyrtl.Const(0, width), (count + 1)[0:width])
            kept = pyrtl.select(taken, following, count)
            count.next <<= pyrtl.select(rst, pyrtl.Const(0, width), kept)
        filled = (taken & last) | (self.full & ~self.advance)
        self.full.next <<= pyrtl.select(rst, zero, filled)
        self.chain = []
        before = source.data
        for k in range(beats):
            register = pyrtl.Register(len(source.data), f"{name}_pixel_{k}")
            register.next <<= pyrtl.select(taken, before, register)
            self.chain.append(register)
            before = register

    def tensor(self, shape: tuple[int, ...]) -> Tensor:
        """Give the whole frame, the first pixel taken first."""
        pixels = [pixel(word, self.kind) for word in reversed(self.chain)]
        return np.stack(pixels, axis=1).reshape(shape)


# ---------------------------------------------------------------------------------------------- timing


@dataclass
class Frame:
    """A frame stage in the model of the timing: how many pixels it collects."""

    beats: int


@dataclass
class _Model:
    """One stage: where it stands, and which of its ranks are occupied, by which beat of the output."""

    what: Walk | Frame | None
    ranks: list[bool] = field(default_factory=list)
    place: int = 0
    part: int = 0
    full: bool = False

    def offer(self, has_input: bool, advance: bool) -> tuple[bool, bool, bool]:
        """Give (takes input, moves, emits into the first rank)."""
        if self.what is None:
            return advance and has_input, False, has_input
        if isinstance(self.what, Frame):
            return (not self.full or advance) and has_input, False, self.full
        row, col = divmod(self.place, self.what.size[1])
        padding = self.what.is_padding(0, row) or self.what.is_padding(1, col)
        emits = self.what.ends_window(0, row) and self.what.ends_window(1, col)
        free = (advance and self.part == self.what.repeats - 1) or not emits
        return (
            not padding and free and has_input,
            (padding or has_input) and free,
            emits and (padding or has_input),
        )

    def clock(self, takes: bool, moves: bool, gives: bool, advance: bool) -> None:
        """Go to the next cycle."""
        if isinstance(self.what, Walk) and gives and advance:
            self.part += 1
        if isinstance(self.what, Walk) and moves:
            self.part = 0
            self.place = (self.place + 1) % (self.what.size[0] * self.what.size[1])
        if isinstance(self.what, Frame):
            last = takes and self.place == self.what.beats - 1
            self.place = (self.place + takes) % self.what.beats
            self.full = last or (self.full and not advance)


def control_timing(
    stages: Sequence[tuple[Walk | Frame | None, int]], beats_in: int, beats_out: int
) -> tuple[int, int]:
    """Give latency (last word in to last word out) and interval between frames, nothing stalling.

    The first frames only fill the ranks and may come faster; the interval is that of the state that comes back.

    Parameters:
        stages: for each stage what it does and its ranks of registers.
        beats_in, beats_out: words of one input and one output.

    Example:
        >>> control_timing([(Walk((4, 4), (3, 3), (1, 1), (1, 1)), 1)], 16, 16)
        (8, 36)
    """
    models = [_Model(what, [False] * ranks) for what, ranks in stages]
    taken, given, cycle = 0, 0, 0
    taken_at: list[int] = []
    given_at: list[int] = []
    seen: dict[Any, int] = {}  # state after the last word of a frame -> number of the frame
    again: tuple[int, int] | None = None
    while again is None or not given_at:
        ready = True  # of what comes behind, from the last stage backwards
        plans: list[tuple[bool, bool, bool, list[bool]]] = []
        for index in reversed(range(len(models))):
            model = models[index]
            advances: list[bool] = []
            for occupied in reversed(model.ranks):
                ready = not occupied or ready
                advances.insert(0, ready)
            has_input = index == 0 or models[index - 1].ranks[-1]
            takes, moves, emits = model.offer(has_input, advances[0])
            plans.insert(0, (takes, moves, emits, advances))
            ready = model.offer(True, advances[0])[0]
        given += models[-1].ranks[-1]
        if models[-1].ranks[-1] and given % beats_out == 0:
            given_at.append(cycle)
        taken += plans[0][0]
        if plans[0][0] and taken % beats_in == 0:
            taken_at.append(cycle)
        for model, (takes, moves, emits, advances) in zip(models, plans, strict=True):
            before = [emits, *model.ranks[:-1]]
            model.ranks = [
                new if move else old for new, old, move in zip(before, model.ranks, advances, strict=True)
            ]
            model.clock(takes, moves, emits, advances[0])
        if again is None and taken_at and taken_at[-1] == cycle:
            state = tuple((model.place, model.part, model.full, *model.ranks) for model in models)
            again = (seen[state], len(taken_at) - 1) if state in seen else None
            seen.setdefault(state, len(taken_at) - 1)
        cycle += 1
    first, last = again
    return given_at[0] - taken_at[0], ceil((taken_at[last] - taken_at[first]) / (last - first))
