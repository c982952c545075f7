"""PyRTL blocks and Verilog, each turned into the other, and what identifies a block."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import pyrtl

from hwmodel.errors import SpecError, ToolError
from hwmodel.hdl._design import Sources, run_yosys, yosys_read
from hwmodel.hdl._parse import Interface, Pin
from hwmodel.hdl._tools import Tool, build_once

# ---------------------------------------------------------------------------------------------- blocks


def block_interface(block: Any, where: str) -> Interface:
    """The pins of a block, in the order of their names.

    Raises:
        SpecError: the block is malformed.
    """
    try:
        block.sanity_check()
    except pyrtl.PyrtlError as error:
        raise SpecError(f"{where}: PyRTL refuses the block: {error}") from None
    inputs = [Pin(w.name, "in", w.bitwidth) for w in block.wirevector_subset(pyrtl.Input)]
    outputs = [Pin(w.name, "out", w.bitwidth) for w in block.wirevector_subset(pyrtl.Output)]
    pins = sorted([*inputs, *outputs], key=lambda pin: natural(pin.name))
    return Interface("toplevel", (Pin("clk", "in", 1), *pins), frozenset({"clk"}))


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts tmp9 before tmp10: the order in which PyRTL made them."""
    return [(int(x), "") if x.isdigit() else (-1, x) for x in re.split(r"(\d+)", name)]


def _hash(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def block_digest(block: Any) -> str:
    """Hash of what a block computes, whatever the names of its inner wires.

    Registers are first told apart by width and reset value, then thrice by what feeds them.
    """
    nets = [net for net in block if net.op != "@"]
    writes = [net for net in block.logic if net.op == "@"]
    registers = {w: _hash("reg", w.bitwidth, w.reset_value) for w in block.wirevector_subset(pyrtl.Register)}
    label: dict[Any, str] = {}
    for _ in range(3):
        label = {w: _hash("in", w.name, w.bitwidth) for w in block.wirevector_subset(pyrtl.Input)}
        label |= {w: _hash("const", w.val, w.bitwidth) for w in block.wirevector_subset(pyrtl.Const)}
        label |= registers
        following = {}
        for net in nets:
            what = _memory_label(net.op_param[1]) if net.op == "m" else net.op_param
            found = _hash(net.op, what, [label[arg] for arg in net.args], net.dests[0].bitwidth)
            if net.op == "r":
                following[net.dests[0]] = found
            else:
                label[net.dests[0]] = found
        registers = {w: _hash(own, following.get(w)) for w, own in registers.items()}
    outputs = sorted((w.name, label[w]) for w in block.wirevector_subset(pyrtl.Output))
    stored = sorted(_hash(_memory_label(n.op_param[1]), [label[arg] for arg in n.args]) for n in writes)
    return _hash(outputs, sorted(registers.values()), stored)


def _memory_label(memory: Any) -> str:
    rom = None
    if isinstance(memory, pyrtl.RomBlock):
        rom = [memory._get_read_data(address) for address in range(1 << memory.addrwidth)]
    return _hash(memory.bitwidth, memory.addrwidth, rom)


def export_block(block: Any) -> Sources:
    """The block as Verilog, in a file of the cache."""
    out = io.StringIO()
    if any(net.op == "n" for net in block.logic):
        block = _without_nand(block)
    pyrtl.output_to_verilog(
        out, add_reset=False, block=block, initialize_registers=True, module_name="toplevel"
    )
    text = _renumbered(out.getvalue())
    folder = build_once("export", [text], lambda f: _write(f / "toplevel.v", text))
    return Sources.read(folder / "toplevel.v")


def _renumbered(text: str) -> str:
    """The Verilog with PyRTL's own names counted from 0: they go on from block to block, and with them a build's key."""
    names: dict[str, str] = {}
    return re.sub(r"\b(tmp|const_)(\d+)", lambda m: m[1] + names.setdefault(m[0], str(len(names))), text)


def _without_nand(block: Any) -> Any:
    """A copy with "not and" as two operations: PyRTL 1.0 writes no Verilog for it."""
    copy = pyrtl.copy_block(block, update_working_block=False)
    for register in block.wirevector_subset(pyrtl.Register):  # the copy forgets their reset values
        copy.get_wirevector_by_name(register.name).reset_value = register.reset_value
    with pyrtl.set_working_block(copy, no_sanity_check=True):
        for net in [net for net in copy.logic if net.op == "n"]:
            both = pyrtl.WireVector(net.dests[0].bitwidth, block=copy)
            copy.logic.remove(net)
            copy.add_net(pyrtl.LogicNet("&", None, net.args, (both,)))
            copy.add_net(pyrtl.LogicNet("~", None, (both,), net.dests))
    return copy


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


# ---------------------------------------------------------------------------------------------- Verilog


def import_verilog(tool: Tool, sources: Sources, shell: str, clocked: bool, where: str) -> Any:
    """Turn Verilog into a block of single bits, by way of yosys and BLIF.

    Asynchronous resets become multiplexers behind their registers, which is the same where inputs
    change at clock edges only. An x is 0, as for Verilator, before any pass may choose; but after
    the memories, whose ports it would disable.

    Raises:
        ToolError: yosys refuses the source, or it needs what a PyRTL block has not: a second clock,
            a falling edge, a latch, a combinational loop.
    """
    script = (
        f"{yosys_read(sources)}; read_verilog -sv hwmodel_shell.v; hierarchy -check -top hwmodel_shell; "
        "proc; flatten; async2sync; memory; setundef -zero; opt -full; techmap; opt -full; "
        "dfflegalize -cell $_DFF_P_ 01; opt_expr; setundef -zero -undriven; opt_clean -purge; write_blif design.blif"
    )

    def make(out: Path) -> None:
        _write(out / "hwmodel_shell.v", shell)
        run_yosys(tool, script, where, out)

    folder = build_once("blif", [tool.name, tool.version, script, shell, sources.digest], make)
    text = (folder / "design.blif").read_text(encoding="utf-8")
    _check_blif(text, where)
    block = pyrtl.Block()
    try:
        with pyrtl.set_working_block(block, no_sanity_check=True):
            pyrtl.input_from_blif(text, block=block, clock_name="c" if clocked else "no clock")
            list(block)
    except pyrtl.PyrtlError as error:
        raise ToolError(
            f"{where}: PyRTL cannot take this design ({str(error).splitlines()[0]}); use simulator='verilator'"
        ) from None
    return block


def _check_blif(text: str, where: str) -> None:
    """Refuse what `pyrtl.input_from_blif` would take for something else."""
    latches = [line.split() for line in text.splitlines() if line.startswith(".latch")]
    clocks = sorted(
        {
            f"the {'falling' if row[3] == 'fe' else 'rising'} edge of {row[4]}"
            for row in latches
            if len(row) >= 6
        }
    )
    if clocks not in ([], ["the rising edge of c"]):
        raise ToolError(
            f"{where}: its registers change at {' and '.join(clocks)}, where a PyRTL block has one clock and its rising "
            "edge; use simulator='verilator'"
        )
    cells = sorted({line.split()[1] for line in text.splitlines() if line.startswith((".subckt", ".gate"))})
    if cells or any(len(row) < 6 for row in latches):
        raise ToolError(
            f"{where}: the design holds {', '.join(cells) or 'latches without a clock'}, which a PyRTL block has not; "
            "use simulator='verilator'"
        )
