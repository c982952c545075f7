"""Writes a PyRTL block as Verilog that people can read: a section a layer, named signals, one always block an enable.

Operations whose width does not depend on their surroundings (slices, concatenations, bitwise logic of equal widths,
multiplexers, comparisons) are written into the expression that reads them where that is short and read once; sums
and products always get a wire, since Verilog would cut their carry inside an expression.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from hwmodel.fixedpoint.emit_pipeline import drivers_of, in_order

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["KEYWORDS", "is_named", "verilog_text"]

_UNNAMED = re.compile(r"tmp\d+|const_\d+_.*")
# Sections before and behind those of the layers, which may well be called "handshake" and "outputs".
FIRST, LAST = "", "(outputs)"
SMALL_TABLE = 6  # address bits of a table that is written as one constant a bit
LONGEST = 72  # characters of an expression that may stand inside another

_RESERVED = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default
defparam  design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive
endspecify endtable  endtask event for force forever fork function generate genvar highz0 highz1 if
ifnone incdir include initial inout  input instance integer join large liblist library localparam
macromodule medium module nand negedge nmos nor  noshowcancelled not notif0 notif1 or output parameter
pmos posedge primitive pull0 pull1 pulldown pullup  pulsestyle_onevent pulsestyle_ondetect rcmos real
realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1  scalared showcancelled signed small
specify specparam strong0 strong1 supply0 supply1 table task time tran  tranif0 tranif1 tri tri0 tri1
triand trior trireg unsigned use vectored wait wand weak0 weak1 while wire wor xnor  xor logic bit byte
int do return assert class interface package program property sequence unique
accept_on alias always_comb always_ff always_latch assume before bind bins binsof break chandle checker
clocking const constraint context continue cover covergroup coverpoint cross dist endchecker endclass
endclocking endgroup endinterface endpackage endprogram endproperty endsequence enum eventually expect
export extends extern final first_match foreach forkjoin global iff ignore_bins illegal_bins implements
implies import inside interconnect intersect let local longint matches modport nettype new nexttime null
packed priority protected pure rand randc randcase randsequence ref reject_on restrict s_always
s_eventually s_nexttime s_until s_until_with shortint shortreal soft solve static string strong struct
super sync_accept_on sync_reject_on tagged this throughout timeprecision timeunit type typedef union
unique0 until until_with untyped uwire var virtual void wait_order weak wildcard with within
"""
KEYWORDS = frozenset(_RESERVED.split())

_BINARY = {"&": "&", "|": "|", "^": "^", "=": "==", "<": "<", ">": ">", "+": "+", "-": "-", "*": "*"}


def verilog_text(
    block: Any,
    module: str,
    header: Sequence[str],
    inputs: Sequence[Wire],
    outputs: Sequence[Wire],
    sections: Mapping[str, Sequence[Wire]],
    titles: Mapping[str, str],
    notes: Mapping[str, str],
) -> str:
    """Give the Verilog of a block with one clock `clk`.

    Parameters:
        block: its registers take no reset value; a reset is logic that reads the input `rst`.
        module: name of the module.
        header: lines of the comment at the top.
        inputs, outputs: in the order of the ports; `clk` comes before them.
        sections: for each section in order, the wires that belong to it; others come first.
        titles: comment of each section.
        notes: comment of a port, by its name.
    """
    return _Writer(block, inputs, outputs, sections).text(module, header, titles, notes)


class _Writer:
    """One pass over the nets: what gets a wire, under which name, in which section."""

    def __init__(
        self,
        block: Any,
        inputs: Sequence[Wire],
        outputs: Sequence[Wire],
        sections: Mapping[str, Sequence[Wire]],
    ) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.drivers = drivers_of(block)
        registers = sorted(
            (w for w, net in self.drivers.items() if net.op == "r"), key=lambda w: _natural(w.name)
        )
        self.registers = registers
        self.nets = in_order([*self.outputs, *registers], self.drivers)
        self.section_of = {wire: name for name, wires in sections.items() for wire in wires}
        self.order = [FIRST, *sections]
        memories = {net.op_param[1] for net in self.nets if net.op == "m"}
        self.memories = sorted((m for m in memories if m.addrwidth > SMALL_TABLE), key=lambda m: m.name)
        self.tables: list[tuple[Any, str]] = []
        self._settle_updates()
        self._find_cut_sums()
        self._find_sections()
        self._count_reads()
        self.names: dict[Any, str] = {}
        self.texts: dict[Any, str] = {}
        self.counts: dict[str, int] = {}
        self.taken = set(KEYWORDS) | {"clk"} | {w.name for w in [*self.inputs, *self.outputs, *self.memories]}
        for wire in [*self.inputs, *self.outputs]:
            self.names[wire] = wire.name
        for wire in [*registers, *(net.dests[0] for net in self.nets if is_named(net.dests[0]))]:
            self._name(wire)

    # -------------------------------------------------------------------------------- preparation

    def _settle_updates(self) -> None:
        """Split what registers take into reset value, enable and data."""
        self.updates: dict[Any, tuple[Any, Any, Any]] = {}
        hidden = set()
        for register in self.registers:
            data = self._source(self.drivers[register].args[0])
            reset = enable = None
            net = self.drivers.get(data)
            if net is not None and net.op == "x" and net.args[0].name == "rst":
                value = self._source(net.args[2])
                if type(value).__name__ == "Const":
                    reset, hidden_wire = value, data
                    hidden.add(hidden_wire)
                    data = self._source(net.args[1])
                    net = self.drivers.get(data)
            if net is not None and net.op == "x" and self._source(net.args[1]) is register:
                enable = net.args[0]
                hidden.add(data)
                data = net.args[2]
            self.updates[register] = reset, enable, data
        self.hidden = hidden

    def _source(self, wire: Any) -> Any:
        """Follow plain connections of unnamed wires."""
        net = self.drivers.get(wire)
        while net is not None and net.op == "w" and not is_named(wire):
            wire = net.args[0]
            net = self.drivers.get(wire)
        return wire

    def _find_cut_sums(self) -> None:
        """A sum of which only the low bits are read, once, is written with just these bits."""
        readers: dict[Any, list[Any]] = {}
        for net in self.nets:
            for arg in net.args:
                readers.setdefault(arg, []).append(net)
        self.cut: dict[Any, Any] = {}
        for net in self.nets:
            found = readers.get(net.dests[0], [])
            if net.op in "+-*" and len(found) == 1 and found[0].op == "s" and not is_named(net.dests[0]):
                places = found[0].op_param
                if tuple(places) == tuple(range(len(places))) and len(places) <= len(net.args[0]):
                    self.cut[found[0].dests[0]] = net
                    self.hidden.add(net.dests[0])

    def _find_sections(self) -> None:
        """A wire stands no earlier than what it is made from, so sections can be written one after the other."""
        place = {name: k for k, name in enumerate(self.order)}
        for net in self.nets:
            dest = net.dests[0]
            found = [place[self.section_of[arg]] for arg in net.args if arg in self.section_of]
            if dest in self.section_of:
                found.append(place[self.section_of[dest]])
            self.section_of[dest] = self.order[max(found, default=0)]

    def _count_reads(self) -> None:
        self.reads: dict[Any, int] = {}
        self.sliced: set[Any] = set()
        for net in self.nets:
            if net.dests[0] in self.hidden:
                continue
            net = self.cut.get(net.dests[0], net)
            for arg in net.args:
                source = self._source(arg)
                # A table is read once a bit, so that its address gets a name.
                times = len(net.dests[0]) if net.op == "m" else 1
                self.reads[source] = self.reads.get(source, 0) + times
                if net.op == "s":
                    self.sliced.add(source)
        for _, enable, data in self.updates.values():
            for wire in (enable, data):
                if wire is not None:
                    source = self._source(wire)
                    self.reads[source] = self.reads.get(source, 0) + 1

    # -------------------------------------------------------------------------------- expressions

    def _name(self, wire: Any) -> str:
        """The name of a wire that is declared."""
        if wire not in self.names:
            name = wire.name
            if not is_named(wire):
                section = self.section_of.get(wire, FIRST) or "handshake"
                self.counts[section] = self.counts.get(section, 0) + 1
                name = f"{section}_n{self.counts[section]}"
            self.names[wire] = self._free(name)
        return self.names[wire]

    def _free(self, name: str) -> str:
        """The name, or where it is taken one like it."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def expression(self, wire: Any) -> str:
        """The text by which a wire is read."""
        wire = self._source(wire)
        if type(wire).__name__ == "Const":
            return _literal(wire)
        if wire in self.texts:
            return self.texts[wire]
        return self._name(wire)

    def _build(self, net: Any) -> str:
        """The right side of the assignment of a net."""
        args = net.args
        if net.op == "w":
            return self.expression(args[0])
        if net.op == "s":
            return self._slice(args[0], net.op_param)
        if net.op == "c":
            return self._concat(args)
        if net.op == "~":
            return f"~{self.expression(args[0])}"
        if net.op == "n":
            return f"~({self.expression(args[0])} & {self.expression(args[1])})"
        if net.op == "x":
            return "{} ? {} : {}".format(*(self.expression(args[k]) for k in (0, 2, 1)))
        if net.op == "m":
            return self._read(net)
        if net.op == "*" and hasattr(net.dests[0], "factors"):
            return " * ".join(self._factor(number) for number in net.dests[0].factors)
        return f"{self.expression(args[0])} {_BINARY[net.op]} {self.expression(args[1])}"

    def _factor(self, number: Any) -> str:
        text = self.expression(number.wire)
        return f"$signed({text})" if number.signed else f"$signed({{1'd0, {text}}})"

    def _slice(self, wire: Any, places: Sequence[int]) -> str:
        source = self._source(wire)
        if type(source).__name__ == "Const":
            value = sum((source.val >> place & 1) << k for k, place in enumerate(places))
            return f"{len(places)}'d{value}"
        name, parts, start = self.expression(source), [], 0
        if len(source) == 1:
            return name if len(places) == 1 else f"{{{len(places)}{{{name}}}}}"
        while start < len(places):
            end = start + 1
            while end < len(places) and places[end] == places[end - 1] + 1:
                end += 1
            low, high = places[start], places[end - 1]
            if (low, high) == (0, len(source) - 1):
                parts.append(name)
            else:
                parts.append(f"{name}[{low}]" if low == high else f"{name}[{high}:{low}]")
            start = end
        return parts[0] if len(parts) == 1 else "{" + ", ".join(reversed(parts)) + "}"

    def _concat(self, args: Sequence[Any]) -> str:
        parts = []
        for text, same in groupby([self.expression(arg) for arg in args]):
            count = len(list(same))
            parts.append(text if count == 1 else f"{{{count}{{{text}}}}}")
        return parts[0] if len(args) == 1 else "{" + ", ".join(parts) + "}"

    def _read(self, net: Any) -> str:
        """A read of a constant table: a small one is one constant a bit, indexed; a large one is a function."""
        memory, address = net.op_param[1], self.expression(net.args[0])
        if memory.addrwidth > SMALL_TABLE:
            return f"{memory.name}({address})"
        values = [memory._get_read_data(place) for place in range(1 << memory.addrwidth)]
        parts = []
        for k in reversed(range(memory.bitwidth)):
            truth = sum((value >> k & 1) << place for place, value in enumerate(values))
            name = self._free(f"{self._name(net.dests[0])}_{k}")
            self.tables.append(
                (net.dests[0], f"  localparam [{len(values) - 1}:0] {name} = {len(values)}'h{truth:x};")
            )
            parts.append(f"{name}[{address}]")
        return parts[0] if len(parts) == 1 else "{" + ", ".join(parts) + "}"

    def _stands_alone(self, net: Any, text: str) -> bool:
        """Whether the result gets a wire of its own."""
        dest = net.dests[0]
        if is_named(dest) or net.op in "+-*m" or dest in self.sliced:
            return True
        if net.op in "ws" or (net.op == "~" and len(dest) == 1):
            return len(text) > LONGEST
        return self.reads.get(dest, 0) > 1 or len(text) > LONGEST

    # -------------------------------------------------------------------------------- the module

    def text(
        self, module: str, header: Sequence[str], titles: Mapping[str, str], notes: Mapping[str, str]
    ) -> str:
        """The whole file."""
        lines = [f"// {line}".rstrip() for line in header]
        lines += ["", "`default_nettype none", "", f"module {module} (", "  input wire clk,  // rising edge"]
        ports = [(wire, "input") for wire in self.inputs] + [(wire, "output") for wire in self.outputs]
        for k, (wire, direction) in enumerate(ports):
            comma = "," if k + 1 < len(ports) else ""
            note = f"  // {notes[wire.name]}" if wire.name in notes else ""
            lines.append(f"  {direction} wire {_range(wire)}{wire.name}{comma}{note}")
        lines += [");", *self._memories()]
        bodies = self._bodies()
        if self.registers:
            lines.append("")
        lines += [f"  reg {_range(register)}{self._name(register)};" for register in self.registers]
        own = {FIRST: "handshake", LAST: "outputs"}
        for section in [*self.order, LAST]:
            if bodies[section]:
                lines += ["", f"  // {own.get(section) or titles.get(section, section)}", *bodies[section]]
        lines += self._clocked()
        return "\n".join([*lines, "", "endmodule", "", "`default_nettype wire", ""])

    def _bodies(self) -> dict[str, list[str]]:
        bodies: dict[str, list[str]] = {section: [] for section in [*self.order, LAST]}
        outputs = set(self.outputs)
        for net in self.nets:
            dest = net.dests[0]
            if dest in self.hidden or self._source(dest) is not dest:
                continue
            net = self.cut.get(dest, net)
            text = self._build(net)
            if dest in outputs:
                bodies[LAST].append(f"  assign {dest.name} = {text};")
            elif self._stands_alone(net, text):
                body = bodies[self.section_of[dest]]
                body += [line for wire, line in self.tables if wire is dest]
                self.tables.clear()
                body.append(f"  wire {_range(dest)}{self._name(dest)} = {text};")
            else:
                simple = net.op in "wsc" or (net.op == "~" and len(dest) == 1)
                self.texts[dest] = text if simple else f"({text})"
        return bodies

    def _memories(self) -> list[str]:
        lines = []
        for memory in self.memories:
            lines += ["", f"  function [{memory.bitwidth - 1}:0] {memory.name};"]
            lines += [f"    input [{memory.addrwidth - 1}:0] address;", "    case (address)"]
            for address in range(1 << memory.addrwidth):
                value = memory._get_read_data(address)
                lines.append(
                    f"      {memory.addrwidth}'d{address}: {memory.name} = {memory.bitwidth}'d{value};"
                )
            lines += [f"      default: {memory.name} = {memory.bitwidth}'d0;", "    endcase", "  endfunction"]
        return lines

    def _clocked(self) -> list[str]:
        groups: dict[tuple[bool, str], list[tuple[Any, Any, Any]]] = {}
        for register, (reset, enable, data) in self.updates.items():
            key = reset is not None, "" if enable is None else self.expression(enable)
            groups.setdefault(key, []).append((register, reset, data))
        lines: list[str] = []
        for (resets, enable), members in sorted(groups.items(), key=lambda item: _natural(item[0][1])):
            lines += ["", "  always @(posedge clk) begin"]
            if resets:
                lines.append("    if (rst) begin")
                lines += [f"      {self._name(r)} <= {self.expression(value)};" for r, value, _ in members]
                lines.append(f"    end else{f' if ({enable})' if enable else ''} begin")
            elif enable:
                lines.append(f"    if ({enable}) begin")
            indent = "      " if resets or enable else "    "
            lines += [f"{indent}{self._name(r)} <= {self.expression(data)};" for r, _, data in members]
            if resets or enable:
                lines.append("    end")
            lines.append("  end")
        return lines


def is_named(wire: Any) -> bool:
    """Whether a name was given, rather than made up by PyRTL."""
    return _UNNAMED.fullmatch(wire.name) is None


def _range(wire: Any) -> str:
    return f"[{len(wire) - 1}:0] " if len(wire) > 1 else ""


def _literal(wire: Any) -> str:
    return f"{len(wire)}'d{wire.val}"


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort key: numbers inside names by value."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]
