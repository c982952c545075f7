"""Writes a PyRTL block as Verilog, the same text in every process, and counts what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyrtl

Wire = Any  # a pyrtl.WireVector; PyRTL has no types
Net = Any

__all__ = ["count", "verilog_text"]

_BINARY = {"&": "&", "|": "|", "^": "^", "=": "==", "<": "<", ">": ">", "+": "+", "-": "-", "*": "*"}
_SUMS = frozenset("+-")
LONGEST = 110

LUTS_PER_BIT = {
    "+": 1.0,
    "-": 1.0,
    "x": 0.5,
    "&": 0.3,
    "|": 0.3,
    "^": 0.35,
    "~": 0.0,
    "=": 1 / 6,
    "<": 0.5,
    ">": 0.5,
}
"""Look-up tables of six inputs a bit of the operands. Estimate: what synthesis leaves after merging."""


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Key that puts w2 before w10."""
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", name) if p]


def _drivers(block: Any) -> dict[Wire, Net]:
    return {net.dests[0]: net for net in block.logic if net.dests}


def count(block: Any) -> dict[str, Any]:
    """Count registers, adders and constants of a block, and estimate its look-up tables.

    Parameters:
        block: PyRTL block.

    Returns:
        "registers", "register_bits", "adders", "adder_bits", "table_bits", "lut", "tool". Adders of 32 bits only count
        as adders where they are sums in the block; spelt out in gates they are look-up tables.
    """
    luts, adders, adder_bits, table_bits = 0.0, 0, 0, 0
    for net in block.logic:
        if net.op in LUTS_PER_BIT:
            luts += LUTS_PER_BIT[net.op] * (len(net.args[-1]))
        if net.op == "+" and len(net.args[0]) >= 32:
            adders += 1
            adder_bits += len(net.args[0])
        elif net.op == "m":
            memory = net.op_param[1]
            table_bits += memory.bitwidth << memory.addrwidth
    registers = block.wirevector_subset(pyrtl.Register)
    return {
        "registers": len(registers),
        "register_bits": sum(len(word) for word in registers),
        "adders": adders,
        "adder_bits": adder_bits,
        "table_bits": table_bits,
        "lut": round(luts + table_bits / 64),
        "tool": "hwmodel estimate",
    }


def verilog_text(block: Any, module: str, header: Sequence[str]) -> str:
    """Give the Verilog of a block with one clock `clk`.

    Parameters:
        block: its register names and pins are kept; what has no name is numbered in the order of use.
        module: name of the module.
        header: lines of the comment at the top.
    """
    return _Writer(block).text(module, header)


class _Writer:
    """One pass over the nets: an expression for each, a wire for those that are read twice or are long."""

    def __init__(self, block: Any) -> None:
        self.block = block
        self.drivers = _drivers(block)
        self.registers = self._by_name(pyrtl.Register)
        self.inputs = self._by_name(pyrtl.Input)
        self.outputs = self._by_name(pyrtl.Output)
        self.names: dict[Wire, str] = {w: w.name for w in [*self.inputs, *self.registers, *self.outputs]}
        self.texts: dict[Wire, str] = {}  # whole expressions that are written where they are read
        self.sums: set[Wire] = set()  # of these, plain sums, which may only stand in a sum of the same width
        self.lines: list[str] = []
        self.tables: list[str] = []
        self._count_reads()

    def _by_name(self, kind: type) -> list[Wire]:
        return sorted(self.block.wirevector_subset(kind), key=lambda wire: _natural(wire.name))

    def _count_reads(self) -> None:
        self.reads: dict[Wire, int] = {}
        for net in self.block.logic:
            for arg in net.args:
                self.reads[arg] = self.reads.get(arg, 0) + 1

    # ------------------------------------------------------------------------------------------ the text

    def text(self, module: str, header: Sequence[str]) -> str:
        """The module."""
        updates = []
        for register in self.registers:
            data = self._read(self.drivers[register].args[0])
            updates.append(f"    {register.name} <= {data};")
        assigns = [
            f"  assign {port.name} = {self._read(self.drivers[port].args[0])};" for port in self.outputs
        ]
        ports = ["  input wire clk"]
        ports += [f"  input wire {_range(w)}{w.name}" for w in self.inputs]
        ports += [f"  output wire {_range(w)}{w.name}" for w in self.outputs]
        lines = [f"// {line}" for line in header]
        lines += [
            "// Made by hwmodel. All inputs are taken at the rising edge of clk; rst is synchronous.",
            "",
        ]
        lines += ["`default_nettype none", "", f"module {module} (", ",\n".join(ports), ");", ""]
        lines += [self._register(register) for register in self.registers]
        lines += ["", *self.tables, *self.lines, "", *assigns, ""]
        lines += [
            "  always @(posedge clk) begin",
            *updates,
            "  end",
            "endmodule",
            "",
            "`default_nettype wire",
            "",
        ]
        return "\n".join(lines)

    def _register(self, register: Wire) -> str:
        first = "" if register.reset_value is None else f" = {len(register)}'d{register.reset_value}"
        return f"  reg {_range(register)}{register.name}{first};"

    # ------------------------------------------------------------------------------------------ expressions

    def _read(self, wire: Wire) -> str:
        """Text that stands for a wire; writes first what it is made from."""
        for needed in self._order(wire):
            self._write(needed)
        return self._shown(wire)

    def _order(self, wire: Wire) -> Iterator[Wire]:
        """Wires without text on which a wire depends, in an order in which they can be written; no recursion."""
        stack = [(wire, False)]
        while stack:
            here, seen = stack.pop()
            if self._known(here):
                continue
            if seen:
                yield here
                continue
            stack.append((here, True))
            stack += [(arg, False) for arg in reversed(self.drivers[here].args)]

    def _known(self, wire: Wire) -> bool:
        return isinstance(wire, pyrtl.Const) or wire in self.names or wire in self.texts

    def _shown(self, wire: Wire) -> str:
        if isinstance(wire, pyrtl.Const):
            return _constant(int(wire.val), len(wire))
        return self.names.get(wire) or self.texts[wire]

    def _write(self, wire: Wire) -> None:
        net = self.drivers[wire]
        text, is_sum = self._expression(net)
        short = len(text) <= LONGEST
        free = net.op in "wsc" or self.reads.get(wire, 0) <= 1
        if free and short and (not is_sum or self._feeds_sum(wire)):
            self.texts[wire] = text
            if is_sum:
                self.sums.add(wire)
            return
        self._declare(wire, text)

    def _feeds_sum(self, wire: Wire) -> bool:
        """Whether the only reader is a sum, of the same width, or the slice that makes it one."""
        readers = self._readers.get(wire, [])
        if len(readers) == 1 and readers[0].op == "s":
            readers = self._readers.get(readers[0].dests[0], [])
        return len(readers) == 1 and readers[0].op == "+" and self._cut_of(readers[0]) is not None

    @property
    def _readers(self) -> dict[Wire, list[Net]]:
        if not hasattr(self, "_read_by"):
            self._read_by: dict[Wire, list[Net]] = {}
            for net in self.block.logic:
                for arg in net.args:
                    self._read_by.setdefault(arg, []).append(net)
        return self._read_by

    def _cut_of(self, net: Net) -> Wire | None:
        """The slice that takes the low bits of a sum, as many as its operands have, where nothing else reads it."""
        found = self._readers.get(net.dests[0], [])
        if net.op not in _SUMS or len(found) != 1 or found[0].op != "s":
            return None
        same = tuple(found[0].op_param) == tuple(range(len(net.args[0])))
        return found[0].dests[0] if same else None

    def _declare(self, wire: Wire, text: str) -> None:
        name = wire.name if not wire.name.startswith("tmp") else f"n{len(self.lines)}"
        self.names[wire] = name
        self.lines.append(f"  wire {_range(wire)}{name} = {text};")

    def _named(self, wire: Wire) -> str:
        """A name for a wire of which bits are taken."""
        text = self._shown(wire)
        if not re.fullmatch(r"\w+", text):
            self.texts.pop(wire, None)
            self._declare(wire, text)
        return self._shown(wire)

    def _expression(self, net: Net) -> tuple[str, bool]:
        """Text of an operation, and whether it is a plain sum whose width is that of its operands."""
        op = net.op
        if op == "w":
            return self._shown(net.args[0]), False
        if op == "s":
            source = self.drivers.get(net.args[0])
            if source is not None and self._cut_of(source) is net.dests[0]:
                return self._shown(net.args[0]), True
            return self._slice(net), False
        if op == "c":
            return f"{{{', '.join(self._shown(arg) for arg in net.args)}}}", False
        if op == "m":
            return self._look_up(net), False
        if op == "x":
            choose, zero, one = map(self._shown, net.args)
            return f"({choose} ? {one} : {zero})", False
        if op == "~":
            return f"~{self._shown(net.args[0])}", False
        left, right = (self._operand(arg, op) for arg in net.args)
        if op in _SUMS and self._cut_of(net) is None:
            left, right = (f"{{1'b0, {side}}}" for side in (left, right))
            return f"{left} {op} {right}", False
        if op in _SUMS:
            return f"{left} {op} {right}", True
        return f"({left} {_BINARY[op]} {right})", False

    def _operand(self, wire: Wire, op: str) -> str:
        assert wire not in self.sums or op == "+"
        return self._shown(wire)

    def _slice(self, net: Net) -> str:
        source = net.args[0]
        if isinstance(source, pyrtl.Const):
            value = sum((int(source.val) >> bit & 1) << n for n, bit in enumerate(net.op_param))
            return _constant(value, len(net.op_param))
        name = self._named(source)
        if len(source) == 1:
            return name
        runs = _runs(net.op_param)
        texts = [f"{name}[{high}:{low}]" if high > low else f"{name}[{low}]" for low, high in reversed(runs)]
        return texts[0] if len(texts) == 1 else f"{{{', '.join(texts)}}}"

    def _look_up(self, net: Net) -> str:
        address, memory = net.args[0], net.op_param[1]
        name = memory.name
        lines = [f"  function {_range_of(memory.bitwidth)}{name}(input {_range_of(memory.addrwidth)}place);"]
        lines.append("    case (place)")
        for place in range((1 << memory.addrwidth) - 1):
            value = _constant(memory._get_read_data(place), memory.bitwidth)
            lines.append(f"      {memory.addrwidth}'d{place}: {name} = {value};")
        last = _constant(memory._get_read_data((1 << memory.addrwidth) - 1), memory.bitwidth)
        self.tables += [*lines, f"      default: {name} = {last};", "    endcase", "  endfunction", ""]
        return f"{name}({self._shown(address)})"


def _range(wire: Wire) -> str:
    return _range_of(len(wire))


def _range_of(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _constant(value: int, width: int) -> str:
    return f"{width}'h{value:x}" if width > 8 else f"{width}'d{value}"


def _runs(bits: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of neighbouring bits, lowest and highest of each."""
    found: list[tuple[int, int]] = []
    for bit in bits:
        if found and bit == found[-1][1] + 1:
            found[-1] = (found[-1][0], bit)
        else:
            found.append((bit, bit))
    return found
