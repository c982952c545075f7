"""Line buffers of style "stream": short ones are shift registers, long ones circular buffers in a memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwmodel.fixedpoint.emit_memories import address_bits, new_memory, read, write

if TYPE_CHECKING:
    from hwmodel.fixedpoint.emit_stream import Walk

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["LONGEST_SHIFT", "line_chain"]

LONGEST_SHIFT = 128
"""Words between two rows of a window that are still a shift register.

A look-up table of the common devices is a shift register of 32 bits, so 128 words take four of them for each bit and no
address; a memory in look-up tables takes no fewer (yosys for xcup, 3x3 window on 8-bit pixels, 128 words: 102 tables as
shift registers, 122 as a memory). Beyond, the shift register grows with each word, and a block RAM, which holds at
least 512, does not (258 words: 168 tables against 58 and one block RAM).
"""


def line_chain(name: str, newest: Wire, walk: Walk, step: Wire, rst: Wire) -> dict[int, Wire]:
    """Give the pixels that a window reads, by how many steps they are old.

    Parameters:
        name: prefix of wires.
        newest: the pixel of this step, which is in the chain with age 0.
        walk: the padded image and the window.
        step: whether the chain moves.
    """
    import pyrtl

    chain, across, cols = {0: newest}, walk.size[1], walk.kernel[1]
    head = max(cols - 1, 1)  # a memory takes its words from a register
    gap = across - head
    if gap <= LONGEST_SHIFT:
        for age in range(1, walk.length + 1):
            chain[age] = _shift(f"{name}_line_{age}", chain[age - 1], step)
        return chain
    rows = walk.kernel[0]
    for row in range(rows):
        begin = row * across
        # The last row of the window needs no line behind it.
        for age in range(begin + 1, begin + (cols - 1 if row + 1 == rows else head) + 1):
            chain[age] = _shift(f"{name}_line_{age}", chain[age - 1], step)
        if row + 1 < rows:
            chain[begin + across] = pyrtl.WireVector(len(newest), f"{name}_line_{begin + across}")
    if rows > 1:
        ends = [chain[row * across + head] for row in range(rows - 1)]
        delayed = _ring(name, pyrtl.concat_list(ends), gap, step, rst)
        width = len(newest)
        for row in range(rows - 1):
            chain[(row + 1) * across] <<= delayed[row * width : (row + 1) * width]
    return chain


def _shift(name: str, before: Wire, step: Wire) -> Wire:
    import pyrtl

    register = pyrtl.Register(len(before), name)
    register.next <<= pyrtl.select(step, before, register)
    return register


def _ring(name: str, word: Wire, delay: int, step: Wire, rst: Wire) -> Wire:
    """Give a word as it was `delay` steps ago.

    Read and write address always differ, so it does not matter what a memory gives where they meet.
    """
    import pyrtl

    width = address_bits(delay)
    place = pyrtl.Register(width, f"{name}_place")
    following = pyrtl.WireVector(width, f"{name}_next_place")
    last = place == pyrtl.Const(delay - 1, width)
    following <<= pyrtl.select(last, pyrtl.Const(0, width), (place + 1)[0:width])
    place.next <<= pyrtl.select(rst, pyrtl.Const(0, width), pyrtl.select(step, following, place))
    lines = new_memory(f"{name}_lines", len(word), delay)
    write(lines, place, word, step)
    return read(lines, following, step, f"{name}_delayed")
