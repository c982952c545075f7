"""Style "parallel": all operations side by side, cut into ranks of registers; an input a cycle."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np

from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._layers_base import INPUT, TensorType
from hwmodel.fixedpoint.emit_design import LEVELS_A_STAGE, MAX_RANKS, Design, DesignPort, spec_hash
from hwmodel.fixedpoint.emit_layers import Emitter, Tensor, element_name
from hwmodel.fixedpoint.emit_numbers import from_raw, join, named
from hwmodel.fixedpoint.emit_pipeline import Handshake, add_ranks, depth_of, new_block, remove_dead
from hwmodel.fixedpoint.emit_verilog import verilog_text

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["PORTS", "Pins", "Sections", "emit_parallel", "header_of", "ports_of", "titles_of"]

PORTS = ("clk", "rst", "in_valid", "in_ready", "in_data", "out_valid", "out_ready", "out_data")


class Pins:
    """The interface, in PyRTL's working block.

    Parameters:
        in_width, out_width: bits of the data buses.
    """

    def __init__(self, in_width: int, out_width: int) -> None:
        import pyrtl

        self.rst = pyrtl.Input(1, "rst")
        self.in_valid = pyrtl.Input(1, "in_valid")
        self.in_data = pyrtl.Input(in_width, "in_data")
        self.out_ready = pyrtl.Input(1, "out_ready")
        self.in_ready = pyrtl.Output(1, "in_ready")
        self.out_valid = pyrtl.Output(1, "out_valid")
        self.out_data = pyrtl.Output(out_width, "out_data")

    @property
    def inputs(self) -> list[Wire]:
        """Input pins, in the order of the module."""
        return [self.rst, self.in_valid, self.in_data, self.out_ready]

    @property
    def outputs(self) -> list[Wire]:
        """Output pins, in the order of the module."""
        return [self.in_ready, self.out_valid, self.out_data]


class Sections:
    """Notes which wires were made while a layer was built, so that the text can be ordered by layers."""

    def __init__(self, block: Any) -> None:
        self.block = block
        self.seen = set(block.wirevector_by_name.values())
        self.wires: dict[str, list[Wire]] = {}
        self.index: dict[Wire, str] = {}

    def close(self, name: str) -> None:
        """Give all wires that are new since the last call to a section."""
        fresh = [wire for wire in self.block.wirevector_by_name.values() if wire not in self.seen]
        self.wires.setdefault(name, []).extend(fresh)
        self.seen.update(fresh)
        self.index.update(dict.fromkeys(fresh, name))

    def of(self, wire: Wire) -> str | None:
        """Give the section of a wire."""
        return self.index.get(wire)


def emit_parallel(graph: Graph, name: str, pipeline: int | None, share: bool) -> Design:
    """Make the design; see `emit`."""
    import pyrtl

    block, kind, out = new_block(), graph.input, graph.output_type
    with pyrtl.set_working_block(block, no_sanity_check=True):
        pins = Pins(kind.size * kind.fmt.width, out.size * out.fmt.width)
        emitter = Emitter(share, taken={*PORTS})
        sections = Sections(block)
        x = split_input(pins.in_data, kind, emitter)
        sections.close(INPUT)
        tensor = build_layers(graph, x, emitter, sections)
        result = join(list(tensor.reshape(-1)), out.fmt.width)
        if not isinstance(result, pyrtl.Const) and len(result) == 1:
            held = pyrtl.WireVector(1)
            held <<= result
            result = held
        sections.close("outputs_packed")
        ranks = pipeline
        if ranks is None:
            ranks = min(max(1, ceil(depth_of(block, result) / LEVELS_A_STAGE)), MAX_RANKS)
        result = connect(block, pins, result, ranks, emitter, sections)
        pins.out_data <<= result
        remove_dead(block, pins.outputs)
    options = {"pipeline": ranks, "share": share}
    ports = ports_of(pins, kind, out)
    text = verilog_text(
        block,
        name,
        header_of(graph, name, "parallel", options, f"latency {ranks} cycles, a new input every cycle"),
        pins.inputs,
        pins.outputs,
        sections.wires,
        titles_of(graph),
        notes_of(kind, out),
    )
    return Design(name, graph, "parallel", options, ports, ranks, 1, 1, 1, block, text)


def split_input(bus: Wire, kind: TensorType, emitter: Emitter) -> Tensor:
    """Give the elements of a packed bus, named."""
    tensor = np.empty(kind.size, object)
    width = kind.fmt.width
    for k, index in enumerate(np.ndindex(*kind.shape)):
        wire = bus[k * width : (k + 1) * width]
        tensor[k] = named(from_raw(wire, kind.fmt), emitter.free(element_name("x", index)))
    return tensor.reshape(kind.shape)


def build_layers(graph: Graph, x: Tensor, emitter: Emitter, sections: Sections) -> Tensor:
    """Build all layers that the output needs and give its tensor."""
    tensors = {INPUT: x}
    unused = set(graph.unused)
    for layer in graph.layers:
        if layer.name in unused:
            continue
        read = [tensors[source] for source in layer.inputs]
        tensors[layer.name] = emitter.layer(layer, read, graph.input_types(layer))
        sections.close(layer.name)
    return tensors[str(graph.output)]


def connect(block: Any, pins: Pins, result: Wire, ranks: int, emitter: Emitter, sections: Sections) -> Wire:
    """Join the handshake and put `ranks` ranks of registers into the logic."""
    if ranks == 0:
        pins.in_ready <<= pins.out_ready
        pins.out_valid <<= pins.in_valid
        return result
    shake = Handshake(ranks, pins.rst, pins.in_valid, pins.out_ready)
    pins.in_ready <<= shake.in_ready
    pins.out_valid <<= shake.out_valid
    return add_ranks(block, result, shake.advance, register_names(emitter, sections))


def register_names(emitter: Emitter, sections: Sections) -> Callable[[Wire, int], str]:
    """Give the function that names pipeline registers: after their wire, or after the layer that made it."""
    from hwmodel.fixedpoint.emit_verilog import is_named

    counts: dict[str, int] = {}

    def name_of(wire: Wire, rank: int) -> str:
        if is_named(wire):
            return emitter.free(f"{wire.name}_r{rank}")
        section = sections.of(wire) or "part"
        counts[section] = counts.get(section, 0) + 1
        return emitter.free(f"{section}_p{counts[section]}_r{rank}")

    return name_of


def ports_of(pins: Pins, kind: TensorType, out: TensorType) -> tuple[DesignPort, ...]:
    """Give the table of pins."""
    return (
        DesignPort("clk", "in", 1),
        DesignPort("rst", "in", 1),
        DesignPort("in_valid", "in", 1),
        DesignPort("in_ready", "out", 1),
        DesignPort("in_data", "in", len(pins.in_data), kind.fmt, kind.shape),
        DesignPort("out_valid", "out", 1),
        DesignPort("out_ready", "in", 1),
        DesignPort("out_data", "out", len(pins.out_data), out.fmt, out.shape),
    )


def header_of(graph: Graph, name: str, style: str, options: dict[str, Any], timing: str) -> list[str]:
    """Give the comment at the top of a file."""
    settings = ", ".join(f"{key}={value}" for key, value in options.items())
    lines = [
        f"{name}: {graph.input} -> {graph.output_type}",
        f"Made by hwmodel from the graph '{graph.name}' (style {style}, {settings}).",
        f"spec {spec_hash(graph, name, style, options)}",
        f"Timing: {timing}, while nothing stalls.",
        "A word moves at a rising edge of clk where valid and ready are both 1; rst is synchronous.",
        "",
        "Layers:",
    ]
    return lines + [
        f"  {layer.name:16} {layer.kind:10} {graph.types[layer.name]}  reads {', '.join(layer.inputs)}"
        for layer in graph.layers
    ]


def titles_of(graph: Graph) -> dict[str, str]:
    """Give the comment above the section of each layer."""
    titles = {
        layer.name: f"{layer.name}: {layer.kind} -> {graph.types[layer.name]}" for layer in graph.layers
    }
    return {INPUT: f"x: elements of the input, {graph.input}", **titles}


def notes_of(kind: TensorType, out: TensorType) -> dict[str, str]:
    """Give the comments of the data pins."""
    return {
        "rst": "synchronous, active high",
        "in_data": f"{kind}, element 0 in the low bits",
        "out_data": f"{out}, element 0 in the low bits",
    }
