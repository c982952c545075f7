"""A rough size of a block, where no synthesis tool is there: never to be mixed with a tool's counts."""

from __future__ import annotations

from typing import Any

__all__ = ["estimate"]

# LUTs for each bit of the result, about what synthesis for six-input LUTs leaves after merging.
_LUTS = {"&": 0.3, "|": 0.3, "^": 0.3, "n": 0.3, "x": 0.6}
# Adders lose the places where one side has only copies of its sign, or nothing that is read.
ADDER = 0.65
DSP_SIDES = (27, 18)
SMALL_MULTIPLIER = 4  # a product with a narrower side is made of LUTs


def estimate(block: Any) -> dict[str, int]:
    """Count look-up tables, flip-flops and multiplier blocks of a PyRTL block.

    Parameters:
        block: PyRTL block.

    Returns:
        "lut", "ff" and "dsp".
    """
    luts, registers, dsps = 0.0, 0, 0
    readers: dict[Any, list[Any]] = {}
    for net in block.logic:
        for arg in net.args:
            readers.setdefault(arg, []).append(net)
    for net in block.logic:
        width = len(net.args[0]) if net.args else 0
        if net.op == "x" and _is_enable(net, readers):
            continue
        if net.op in _LUTS:
            luts += _LUTS[net.op] * len(net.dests[0])
        elif net.op in "+-":
            luts += ADDER * width
        elif net.op in "<>":
            luts += width / 2
        elif net.op == "=":
            luts += max(width / 6, 1)
        elif net.op == "m" and not _feeds_adders(net.dests[0], readers):
            memory = net.op_param[1]
            luts += memory.bitwidth * max(1.0, 2 ** (memory.addrwidth - 6))
        elif net.op == "*":
            sides = [_needed(arg, block) for arg in net.args]
            if min(sides) <= SMALL_MULTIPLIER:
                luts += sides[0] * sides[1]
            else:
                wide, narrow = max(sides), min(sides)
                dsps += -(-wide // DSP_SIDES[0]) * -(-narrow // DSP_SIDES[1])
        elif net.op == "r":
            registers += len(net.dests[0])
    return {"lut": round(luts), "ff": registers, "dsp": dsps}


def _is_enable(net: Any, readers: dict[Any, list[Any]]) -> bool:
    """Whether a multiplexer only keeps a register as it is, which the flip-flop's enable does."""
    found = readers.get(net.dests[0], [])
    while len(found) == 1 and found[0].op == "w":
        found = readers.get(found[0].dests[0], [])
    return len(found) == 1 and found[0].op == "r" and found[0].dests[0] is net.args[1]


def _feeds_adders(wire: Any, readers: dict[Any, list[Any]]) -> bool:
    """Whether all that reads a table is the carry chain of an adder, whose LUTs then hold the table."""
    found = readers.get(wire, [])
    return bool(found) and all(
        net.op in "+-" or (net.op in "wcs~" and _feeds_adders(net.dests[0], readers)) for net in found
    )


def _needed(wire: Any, block: Any) -> int:
    """Bits of an operand without the copies of its sign."""
    for net in block.logic:
        if net.dests and net.dests[0] is wire and net.op == "c":
            copies = [arg for arg in net.args if arg is net.args[0]]
            return len(wire) - max(len(copies) - 1, 0)
    return len(wire)
