"""PyRTL netlists as Python functions, stepped in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyrtl

from hwmodel.errors import ToolError
from hwmodel.hdl._convert import natural
from hwmodel.hdl._design import Word
from hwmodel.hdl._layout import (
    ASLEEP,
    BAD_ROW,
    BAD_VALUE,
    COMPUTED,
    DEN,
    DIGEST,
    DONE,
    EDGE,
    FRAC,
    HEAD,
    LAST,
    NUM,
    OUT_CAP,
    OUTBOX_SHORT,
    PHASE,
    REC_CAP,
    RECORDED,
    RECORDS_SHORT,
    SENT,
    SUM,
    T1,
    T_EDGE,
    TAIL,
    Control,
    Ints,
    edge_hash,
    factor,
    folded,
    signed64,
)
from hwmodel.units import NEVER

Values = tuple[int, ...]
Write = tuple[int, int, int]  # memory, address, data
Evaluate = Callable[[list[int], Values, list[Any]], tuple[Values, Values, list[Write]]]


@dataclass(frozen=True)
class Netlist:
    """A block as one Python function of inputs, registers and memories."""

    evaluate: Evaluate
    inputs: tuple[Word, ...]
    outputs: tuple[Word, ...]
    in_pins: int
    first: Values  # registers at power-up
    memories: tuple[Any, ...]  # ROMs, and None for memories that begin with zeros


class PyrtlSimulator:
    """One instance of a netlist, with the semantics of `_harness.cpp`."""

    kind = "pyrtl"

    def __init__(self, netlist: Netlist, cycles: int, reset_level: int | None) -> None:
        self._netlist = netlist
        self._pins = [0] * (netlist.in_pins + 1)  # the last one is the reset pin
        self._registers = netlist.first
        self._factors = [factor(k) for k in range(len(netlist.inputs))]
        self._memories: list[Any] = [{} if rom is None else rom for rom in netlist.memories]
        if reset_level is not None:
            self._pins[-1] = reset_level
            self._evaluate()
            for _ in range(cycles):
                self._edge()
            self._pins[-1] = 1 - reset_level
        self._evaluate()

    def _evaluate(self) -> None:
        self._out, self._next, self._writes = self._netlist.evaluate(
            self._pins, self._registers, self._memories
        )

    def _edge(self) -> bool:
        """Make one cycle; return whether a register or a memory changed."""
        changed = self._next != self._registers
        self._registers = self._next
        for number, address, data in self._writes:
            memory = self._memories[number]
            changed |= memory.get(address, 0) != data
            memory[address] = data
        self._evaluate()
        return changed

    def run(self, control: Control, inbox: Ints, outbox: Ints, records: Ints) -> int:
        """Run edges as far as the control array says; return why it stopped."""
        c = control.array
        t1, outputs = int(c[T1]), len(control.value)
        rows: list[list[int]] = inbox[int(c[HEAD]) : int(c[TAIL])].tolist()
        for row in rows:
            while not c[ASLEEP] and c[T_EDGE] < min(row[0], t1):
                if (short := self._compute(control, outbox, records, outputs)) != DONE:
                    return short
            if row[0] >= t1:
                return DONE
            if c[RECORDED] >= c[REC_CAP]:
                return RECORDS_SHORT
            if not _deliver(control, row, records):
                c[BAD_ROW] = c[HEAD]
                return BAD_VALUE
            c[HEAD] += 1
        while not c[ASLEEP] and c[T_EDGE] < t1:
            if (short := self._compute(control, outbox, records, outputs)) != DONE:
                return short
        return DONE

    def _compute(self, control: Control, outbox: Ints, records: Ints, outputs: int) -> int:
        c = control.array
        if c[SENT] + outputs > c[OUT_CAP]:
            return OUTBOX_SHORT
        if c[RECORDED] + outputs > c[REC_CAP]:
            return RECORDS_SHORT
        moved = self._sample(control)
        if moved:
            self._evaluate()
        changed = self._edge()
        c[COMPUTED] += 1
        spoke = self._speak(control, outbox, records)
        if not (moved or changed or spoke):
            c[ASLEEP] = 1
        edge = int(c[EDGE]) + 1
        _place_edge(c, edge)
        return DONE

    def _sample(self, control: Control) -> bool:
        c, moved, total = control.array, False, int(control.array[SUM])
        for k, word in enumerate(self._netlist.inputs):
            value = int(control.held[k])
            if value == control.sampled[k]:
                continue
            total += (folded(value) - folded(int(control.sampled[k]))) * self._factors[k]
            control.sampled[k] = value
            mask = (1 << word.width) - 1
            self._pins[word.pin] = (self._pins[word.pin] & ~(mask << word.low)) | ((value & mask) << word.low)
            moved = True
        if moved:
            c[SUM] = signed64(total)
            c[DIGEST] = signed64(int(c[DIGEST]) + edge_hash(int(c[EDGE]), total))
        return moved

    def _speak(self, control: Control, outbox: Ints, records: Ints) -> bool:
        c, spoke = control.array, False
        t = int(c[T_EDGE])
        for k, word in enumerate(self._netlist.outputs):
            value = signed64((self._out[word.pin] >> word.low) & ((1 << word.width) - 1))
            if value == control.value[k]:
                continue
            control.value[k] = value
            spoke = True
            if control.linked[k]:
                outbox[int(c[SENT])] = t, k, value
                c[SENT] += 1
            if control.out_signal[k] >= 0:
                _record(c, records, t, int(control.out_signal[k]), value)
        return spoke

    def message(self) -> str:
        """A netlist does not stop itself."""
        return ""

    def save(self) -> dict[str, Any]:
        """Registers and memories, each in words of 63 bits so that any width fits an int64."""
        registers = _cut([*self._pins, *self._registers])
        saved: dict[str, Any] = {"registers": registers}
        for number, memory in enumerate(self._memories):
            if self._netlist.memories[number] is None:
                used = {address: data for address, data in sorted(memory.items()) if data}
                saved[f"address{number}"] = np.array(list(used), np.int64)
                saved[f"data{number}"] = _cut(list(used.values()))
        return saved

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take back what `save` gave."""
        values = _join(saved["registers"])
        pins = len(self._pins)
        self._pins, self._registers = values[:pins], tuple(values[pins:])
        for number, memory in enumerate(self._memories):
            if self._netlist.memories[number] is None:
                memory.clear()
                data = _join(saved[f"data{number}"])
                memory.update(zip(saved[f"address{number}"].tolist(), data, strict=True))
        self._evaluate()


def _deliver(control: Control, row: Sequence[int], records: Ints) -> bool:
    c = control.array
    t, port, value = row[0], row[3], row[4]
    width = int(control.in_width[port])
    if width < 64:
        if not -(1 << (width - 1)) <= value < 1 << width:
            return False
        value &= (1 << width) - 1
    if control.in_signal[port] >= 0:
        _record(c, records, t, int(control.in_signal[port]), value)
    if control.held[port] != value:
        control.held[port] = value
        if c[ASLEEP]:
            since = max(0, t - int(c[PHASE])) * int(c[DEN])
            _place_edge(c, max(int(c[EDGE]), -(-since // int(c[NUM]))))
            c[ASLEEP] = 0
    return True


def _record(c: Ints, records: Ints, t: int, signal: int, value: int) -> None:
    records[:, int(c[RECORDED])] = t, signal, value
    c[RECORDED] += 1


def _place_edge(c: Ints, n: int) -> None:
    whole, rest = divmod(n * int(c[NUM]), int(c[DEN]))
    t = whole + int(c[PHASE])
    c[EDGE], c[FRAC], c[T_EDGE] = n, rest, t if t <= c[LAST] else NEVER


def _cut(values: list[int]) -> Ints:
    """Numbers of any size as int64 words, each number after the count of its words."""
    words: list[int] = []
    for value in values:
        parts = []
        while value:
            parts.append(value & ((1 << 63) - 1))
            value >>= 63
        words += [len(parts), *parts]
    return np.array(words, np.int64)


def _join(words: Ints) -> list[int]:
    rest, values = words.tolist(), []
    at = 0
    while at < len(rest):
        n = rest[at]
        values.append(sum(part << (63 * k) for k, part in enumerate(rest[at + 1 : at + 1 + n])))
        at += 1 + n
    return values


# ---------------------------------------------------------------------------------------------- compilation

_SIMPLE = {
    "w": "{0}", "r": "{0}", "~": "~{0}", "&": "{0} & {1}", "|": "{0} | {1}", "^": "{0} ^ {1}", "n": "~({0} & {1})",
    "+": "{0} + {1}", "-": "{0} - {1}", "*": "{0} * {1}", "<": "int({0} < {1})", ">": "int({0} > {1})",
    "=": "int({0} == {1})", "x": "({2} if {0} else {1})",
}  # fmt: skip
_NEEDS_MASK = frozenset("~n+-*")


def compile_block(block: Any, inputs: Sequence[Word], outputs: Sequence[Word], plain: bool) -> Netlist:
    """Turn a block into one Python function; `plain`: its pins have the plain names of the shell."""
    names_in, names_out = _pin_names(inputs, "i" if plain else ""), _pin_names(outputs, "o" if plain else "")
    registers = sorted(block.wirevector_subset(pyrtl.Register), key=lambda w: natural(w.name))
    memories = sorted(
        {n.op_param[1] for n in block.logic if n.op in "m@"}, key=lambda m: (natural(m.name), m.id)
    )
    number = {memory: k for k, memory in enumerate(memories)}
    places = {name: k for k, name in enumerate([*names_in, "r"] if plain else names_in)}
    wires = _Wires()
    lines = []
    for wire in sorted(block.wirevector_subset(pyrtl.Input), key=lambda w: natural(w.name)):
        lines.append(f"{wires[wire]} = i[{places[wire.name]}]")
    lines += [f"{wires[wire]} = s[{k}]" for k, wire in enumerate(registers)]
    following = {wire: wires[wire] for wire in registers}
    stores = []
    for net in block:
        args = [wires[arg] for arg in net.args]
        if net.op == "r":
            following[net.dests[0]] = args[0]
        elif net.op == "@":
            address, data, enable = args
            stores.append(f"if {enable}: writes.append(({number[net.op_param[1]]}, {address}, {data}))")
        else:
            lines.append(f"{wires[net.dests[0]]} = {_expression(net, args, number)}")
    outs = {wire.name: wires[wire] for wire in block.wirevector_subset(pyrtl.Output)}
    lines += ["writes = []", *stores]
    result = "({}), ({}), writes".format(
        "".join(f"{outs[name]}, " for name in names_out),
        "".join(f"{following[wire]}, " for wire in registers),
    )
    code = "def evaluate(i, s, m):\n    " + "\n    ".join(lines) + f"\n    return {result}\n"
    scope: dict[str, Any] = {}
    exec(compile(code, "<netlist>", "exec"), scope)
    return Netlist(
        scope["evaluate"],
        tuple(inputs),
        tuple(outputs),
        len(names_in),
        tuple(wire.reset_value or 0 for wire in registers),
        tuple(memory if isinstance(memory, pyrtl.RomBlock) else None for memory in memories),
    )


class _Wires(dict[Any, str]):
    """Names of the Python variables of wires; a constant is its value."""

    def __missing__(self, wire: Any) -> str:
        self[wire] = name = str(int(wire.val)) if isinstance(wire, pyrtl.Const) else f"w{len(self)}"
        return name


def _pin_names(words: Sequence[Word], plain: str) -> list[str]:
    names: dict[int, str] = {}
    for word in words:
        names.setdefault(word.pin, f"{plain}{word.pin}" if plain else re.sub(r"\[\d+\]$", "", word.name))
    return [names[k] for k in sorted(names)]


def _expression(net: Any, args: list[str], number: Mapping[Any, int]) -> str:
    mask = (1 << net.dests[0].bitwidth) - 1
    if net.op in _SIMPLE:
        text = _SIMPLE[net.op].format(*args)
        return f"({text}) & {mask}" if net.op in _NEEDS_MASK else text
    if net.op == "c":
        parts, low = [], 0
        for wire, arg in zip(reversed(net.args), reversed(args), strict=True):
            parts.append(f"{arg} << {low}" if low else arg)
            low += wire.bitwidth
        return " | ".join(f"({part})" for part in parts)
    if net.op == "s":
        return " | ".join(_slices(args[0], net.op_param))
    if net.op == "m":
        memory = net.op_param[1]
        read = "._get_read_data({})" if isinstance(memory, pyrtl.RomBlock) else ".get({}, 0)"
        return f"m[{number[memory]}]{read.format(args[0])}"
    raise ToolError(f"PyRTL's operation '{net.op}' is not known here; use simulator='verilator'")


def _slices(arg: str, bits: Sequence[int]) -> list[str]:
    """Runs of adjacent bits, each shifted to its place."""
    parts, start = [], 0
    while start < len(bits):
        end = start + 1
        while end < len(bits) and bits[end] == bits[end - 1] + 1:
            end += 1
        text = f"({arg} >> {bits[start]})" if bits[start] else arg
        text = f"({text} & {(1 << (end - start)) - 1})"
        parts.append(f"({text} << {start})" if start else text)
        start = end
    return parts
