"""Memories in a design: how they are made, kept, and written as Verilog that synthesis puts into RAM blocks.

A read goes straight into a register with an enable and nothing else, a write is one clocked assignment: the form
that tools turn into block RAM or LUT RAM. A memory begins with zeros, in PyRTL and in the Verilog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwmodel.fixedpoint.emit_pipeline import remove_dead
from hwmodel.fixedpoint.emit_verilog import SMALL_TABLE, _Writer, is_named

Wire = Any  # a pyrtl.WireVector; PyRTL has no types
Memory = Any  # a pyrtl.MemBlock

__all__ = ["memory_verilog", "new_memory", "new_table", "read", "remove_unread", "write"]


def new_memory(name: str, width: int, depth: int) -> Memory:
    """Make a memory of `depth` words that starts with zeros; no address beyond them may be used."""
    import pyrtl

    # PyRTL's check of synchronous memories knows no enable at the register behind a read.
    memory = pyrtl.MemBlock(width, address_bits(depth), name, max_read_ports=None, asynchronous=True)
    memory.depth = depth
    return memory


def new_table(name: str, width: int, words: Sequence[int]) -> Memory:
    """Make a constant table; a large one becomes an array that fits a RAM block."""
    import pyrtl

    bits = address_bits(len(words))
    data = [*words, *[0] * ((1 << bits) - len(words))]
    table = pyrtl.RomBlock(width, bits, data, name, asynchronous=True, max_read_ports=None)
    if bits > SMALL_TABLE:
        table.depth = len(words)
    return table


def address_bits(depth: int) -> int:
    """Give the bits that address `depth` words, at least 1.

    Example:
        >>> address_bits(1), address_bits(64), address_bits(65)
        (1, 6, 7)
    """
    return max((depth - 1).bit_length(), 1)


def read(memory: Memory, address: Wire, enable: Wire, name: str) -> Wire:
    """Give the register that takes the word at an address where `enable` is set."""
    import pyrtl

    register = pyrtl.Register(memory.bitwidth, name)
    register.next <<= pyrtl.select(enable, memory[address], register)
    return register


def write(memory: Memory, address: Wire, data: Wire, enable: Wire) -> None:
    """Write a word where `enable` is set; the memory's only write port."""
    import pyrtl

    held = []
    for what, wire in (("address", address), ("data", data), ("enable", enable)):
        # The writer of Verilog must find a wire, not a part of an expression.
        named = pyrtl.WireVector(len(wire), f"{memory.name}_write_{what}")
        named <<= wire
        held.append(named)
    memory[held[0]] <<= pyrtl.MemBlock.EnabledWrite(held[1], held[2])


def remove_unread(block: Any, ends: Sequence[Wire]) -> None:
    """Remove nets and wires that neither an output nor a memory needs."""
    writes = block.logic_subset("@")
    remove_dead(block, [*ends, *(arg for net in writes for arg in net.args)])
    block.logic.update(writes)


def memory_verilog(
    block: Any,
    module: str,
    header: Sequence[str],
    inputs: Sequence[Wire],
    outputs: Sequence[Wire],
    sections: Mapping[str, Sequence[Wire]],
    titles: Mapping[str, str],
    notes: Mapping[str, str],
) -> str:
    """Give the Verilog of a block that may have memories; otherwise as `verilog_text`."""
    return _MemoryWriter(block, inputs, outputs, sections).text(module, header, titles, notes)


class _MemoryWriter(_Writer):
    """The writer of Verilog, with arrays that are written and read at the clock."""

    def __init__(
        self,
        block: Any,
        inputs: Sequence[Wire],
        outputs: Sequence[Wire],
        sections: Mapping[str, Sequence[Wire]],
    ) -> None:
        self.writes = sorted(block.logic_subset("@"), key=lambda net: str(net.op_param[1].name))
        # What a memory takes is an end of the logic like an output, but not a pin.
        ends = [arg for net in self.writes for arg in net.args]
        super().__init__(block, inputs, [*outputs, *ends], sections)
        self.outputs = list(outputs)
        found = {net.op_param[1] for net in [*self.nets, *self.writes] if net.op in "m@"}
        self.arrays = sorted((m for m in found if hasattr(m, "depth")), key=lambda m: str(m.name))
        self.memories = [m for m in self.memories if m not in self.arrays]
        self.taken |= {m.name for m in self.arrays}

    def _read(self, net: Any) -> str:
        memory = net.op_param[1]
        if memory not in self.arrays:
            return super()._read(net)
        return f"{memory.name}[{self.expression(net.args[0])}]"

    def _stands_alone(self, net: Any, text: str) -> bool:
        dest = net.dests[0]
        if net.op == "m" and net.op_param[1] in self.arrays and not is_named(dest):
            return dest in self.sliced or self.reads.get(dest, 0) > 1
        return super()._stands_alone(net, text)

    def _memories(self) -> list[str]:
        lines = super()._memories()
        for memory in self.arrays:
            name, last = memory.name, memory.depth - 1
            lines += ["", f"  reg [{memory.bitwidth - 1}:0] {name} [0:{last}];"]
            if hasattr(memory, "data"):
                words = [memory._get_read_data(place) for place in range(memory.depth)]
                lines += ["  initial begin"]
                lines += [f"    {name}[{k}] = {memory.bitwidth}'h{w:x};" for k, w in enumerate(words)]
                lines += ["  end"]
            else:
                count = f"{name}_k"
                lines += [f"  integer {count};", "  initial"]
                lines += [f"    for ({count} = 0; {count} <= {last}; {count} = {count} + 1)"]
                lines += [f"      {name}[{count}] = {memory.bitwidth}'d0;"]
        return lines

    def _clocked(self) -> list[str]:
        lines = super()._clocked()
        for net in self.writes:
            address, data, enable = (self.expression(arg) for arg in net.args)
            lines += ["", "  always @(posedge clk) begin", f"    if ({enable}) begin"]
            lines += [f"      {net.op_param[1].name}[{address}] <= {data};", "    end", "  end"]
        return lines
