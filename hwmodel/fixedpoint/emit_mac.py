"""Style "mac": dense layers on multipliers that work through many products, one layer after the other.

An input is held in registers; each dense layer then runs for its number of cycles, its accumulators hold the result,
and what lies between dense layers is plain logic. One input is inside at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._layers import Dense
from hwmodel.fixedpoint._layers_base import INPUT, TensorType
from hwmodel.fixedpoint._layers_image import Convolution
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_design import Design
from hwmodel.fixedpoint.emit_layers import Emitter, Tensor, element_name
from hwmodel.fixedpoint.emit_mac_sums import counter, finished, partial_range, pick, starts
from hwmodel.fixedpoint.emit_numbers import (
    Number,
    add,
    align,
    constant,
    from_raw,
    join,
    named,
    times,
    width_of,
)
from hwmodel.fixedpoint.emit_parallel import (
    PORTS,
    Pins,
    Sections,
    header_of,
    notes_of,
    ports_of,
    titles_of,
)
from hwmodel.fixedpoint.emit_pipeline import new_block, remove_dead
from hwmodel.fixedpoint.emit_verilog import verilog_text

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["Folding", "emit_mac"]


@dataclass(frozen=True)
class Folding:
    """How a dense layer is spread over cycles.

    Parameters:
        inputs, outputs: size of the weights.
        side: inputs that are taken in one cycle.
        groups: outputs that share a multiplier, one after the other.
    """

    inputs: int
    outputs: int
    side: int
    groups: int

    @classmethod
    def of(cls, inputs: int, outputs: int, fold: int | None) -> Folding:
        """Give the folding that takes at most `fold` cycles with the fewest multipliers; None: an input a cycle.

        Example:
            >>> Folding.of(16, 8, None).cycles, Folding.of(16, 8, 4).multipliers, Folding.of(16, 8, 40).multipliers
            (16, 32, 4)
        """
        if fold is None:
            return cls(inputs, outputs, 1, 1)
        if fold < inputs:
            return cls(inputs, outputs, -(-inputs // fold), 1)
        return cls(inputs, outputs, 1, min(fold // inputs, outputs))

    @property
    def steps(self) -> int:
        """Cycles of one group."""
        return -(-self.inputs // self.side)

    @property
    def cycles(self) -> int:
        """Cycles of the layer."""
        return self.steps * self.groups

    @property
    def lanes(self) -> int:
        """Accumulators that work at the same time."""
        return -(-self.outputs // self.groups)

    @property
    def multipliers(self) -> int:
        """Products in one cycle."""
        return self.lanes * self.side


class _Control:
    """One bit for each phase, counters, and the handshake."""

    def __init__(self, pins: Pins, foldings: Sequence[tuple[str, Folding]]) -> None:
        import pyrtl

        self.pins = pins
        self.active = [pyrtl.Register(1, f"{name}_active") for name, _ in foldings]
        self.done = pyrtl.Register(1, "done")
        busy = pyrtl.or_all_bits(pyrtl.concat_list(self.active))
        ready = pyrtl.WireVector(1, "ready_for_input")
        ready <<= ~busy & (~self.done | pins.out_ready)
        self.start = pyrtl.WireVector(1, "start")
        self.start <<= ready & pins.in_valid
        pins.in_ready <<= ready
        pins.out_valid <<= self.done
        self.step, self.group = [], []
        zero, before = pyrtl.Const(0, 1), self.start
        for active, (name, folding) in zip(self.active, foldings, strict=True):
            step, step_ends = counter(f"{name}_step", folding.steps, active, pins.rst)
            group, group_ends = counter(f"{name}_group", folding.groups, active & step_ends, pins.rst)
            self.step.append((step, step_ends))
            self.group.append((group, group_ends))
            last = pyrtl.WireVector(1, f"{name}_last")
            last <<= active & step_ends & group_ends
            active.next <<= pyrtl.select(pins.rst, zero, before | (active & ~last))
            before = last
        self.done.next <<= pyrtl.select(pins.rst, zero, before | (self.done & ~pins.out_ready))


def emit_mac(graph: Graph, name: str, fold: int | None, share: bool) -> Design:
    """Make the design; see `emit`.

    Raises:
        SpecError: `fold` is below 1, or the graph has no dense layer.
    """
    import pyrtl

    if fold is not None and fold < 1:
        raise SpecError(f"emit '{name}': fold={fold}; a dense layer takes at least one cycle")
    unused = set(graph.unused)
    if any(isinstance(layer, Convolution) and layer.name not in unused for layer in graph.layers):
        from hwmodel.fixedpoint.emit_mac_maps import emit_maps

        return emit_maps(graph, name, fold, share)
    dense = [layer for layer in graph.layers if isinstance(layer, Dense) and layer.name not in unused]
    if not dense:
        raise SpecError(
            f"emit '{name}': graph '{graph.name}' has no dense layer to fold; take style='parallel'"
        )
    foldings = {layer.name: Folding.of(len(layer.weights), layer.weights.shape[1], fold) for layer in dense}
    block, kind, out = new_block(), graph.input, graph.output_type
    with pyrtl.set_working_block(block, no_sanity_check=True):
        pins = Pins(kind.size * kind.fmt.width, out.size * out.fmt.width)
        emitter, sections = Emitter(share, taken={*PORTS, "clk", "start", "done"}), Sections(block)
        control = _Control(pins, list(foldings.items()))
        sections.close("control")
        tensors = {INPUT: _held_input(pins, kind, control.start, emitter)}
        sections.close(INPUT)
        for layer in graph.layers:
            if layer.name in unused:
                continue
            read, types = [tensors[source] for source in layer.inputs], graph.input_types(layer)
            if isinstance(layer, Dense):
                phase = list(foldings).index(layer.name)
                tensors[layer.name] = _Mac(layer, foldings[layer.name], control, phase, emitter).build(
                    read[0], types[0]
                )
            else:
                tensors[layer.name] = emitter.layer(layer, read, types)
            sections.close(layer.name)
        pins.out_data <<= join(list(tensors[str(graph.output)].reshape(-1)), out.fmt.width)
        remove_dead(block, pins.outputs)
    total = sum(folding.cycles for folding in foldings.values()) + 1
    options = {"fold": fold, "share": share}
    timing = f"latency {total} cycles, a new input every {total}"
    titles = titles_of(graph) | {"control": "control: one phase a dense layer"}
    text = verilog_text(
        block,
        name,
        header_of(graph, name, "mac", options, timing),
        pins.inputs,
        pins.outputs,
        sections.wires,
        titles,
        notes_of(kind, out),
    )
    return Design(name, graph, "mac", options, ports_of(pins, kind, out), total, total, 1, 1, block, text)


def _held_input(pins: Pins, kind: TensorType, start: Wire, emitter: Emitter) -> Tensor:
    import pyrtl

    tensor, width = np.empty(kind.size, object), kind.fmt.width
    for k, index in enumerate(np.ndindex(*kind.shape)):
        register = pyrtl.Register(width, emitter.free(element_name("x", index)))
        register.next <<= pyrtl.select(start, pins.in_data[k * width : (k + 1) * width], register)
        tensor[k] = from_raw(register, kind.fmt)
    return tensor.reshape(kind.shape)


class _Mac:
    """The multipliers and accumulators of one dense layer."""

    def __init__(
        self, layer: Dense, folding: Folding, control: _Control, phase: int, emitter: Emitter
    ) -> None:
        self.layer, self.folding, self.emitter = layer, folding, emitter
        self.active = control.active[phase]
        self.step, self.step_ends = control.step[phase]
        self.group, _ = control.group[phase]

    def build(self, x: Tensor, source: TensorType) -> Tensor:
        """Give the outputs, held until the layer runs again."""
        layer, folding = self.layer, self.folding
        chosen = [self._input(list(x), k, source) for k in range(folding.side)]
        result = np.empty(folding.outputs, object)
        for lane in range(folding.lanes):
            columns = range(lane * folding.groups, min((lane + 1) * folding.groups, folding.outputs))
            for j, total in zip(columns, self._lane(lane, columns, chosen, source), strict=True):
                final = finished(layer, total, source)
                result[j] = named(final, self.emitter.free(element_name(layer.name, (j,))))
        return result

    def _input(self, x: list[Number], side: int, source: TensorType) -> Number:
        """The input that multiplier `side` sees in this step."""
        import pyrtl

        width = max(number.width for number in x)
        signed = any(number.signed for number in x)
        width += signed and not all(number.signed for number in x)
        chosen = [x[k].bits(width) for k in range(side, len(x), self.folding.side)]
        low, high = min(n.low for n in x), max(n.high for n in x)
        if low == high:
            return x[0]
        wire = pyrtl.WireVector(width, self.emitter.free(f"{self.layer.name}_x_{side}"))
        wire <<= pick(self.step, chosen)
        return Number(wire, low, high, source.fmt.frac_bits)

    def _lane(self, lane: int, columns: range, chosen: list[Number], source: TensorType) -> list[Number]:
        """One accumulator with its multipliers; gives the sums of its columns."""
        import pyrtl

        layer, free = self.layer, self.emitter.free
        low, high, frac_bits = partial_range(layer, layer.weights[:, list(columns)], columns, source)
        width = width_of(low, high)
        held = Number(pyrtl.Register(width, free(f"{layer.name}_acc_{lane}")), low, high, frac_bits)
        first = self._first(starts(layer, columns, frac_bits), held)
        total = first
        for side, x in enumerate(chosen):
            product = times(x, self._weight(columns, lane, side))
            total = add(total, product)
            if layer.each_step:
                assert layer.accumulator is not None
                total = emit_cast(total, layer.accumulator)
        grown = align(total, frac_bits).bits(width)
        held.wire.next <<= pyrtl.select(self.active, grown, held.wire)
        if self.folding.groups == 1:
            return [held]
        return self._stored(columns, lane, grown, held)

    def _first(self, starts: list[int], held: Number) -> Number:
        """What the step adds to: the bias in the first step of a group, else the accumulator."""
        import pyrtl

        if self.folding.steps == 1 and self.folding.groups == 1:
            return constant(starts[0], held.frac_bits)
        width = len(held.wire)
        words = [pyrtl.Const(start & ((1 << width) - 1), width) for start in starts]
        start = pick(self.group, words)
        if self.folding.steps == 1:
            return Number(start, held.low, held.high, held.frac_bits)
        begins = self.step == pyrtl.Const(0, len(self.step))
        return Number(pyrtl.select(begins, start, held.wire), held.low, held.high, held.frac_bits)

    def _weight(self, columns: range, lane: int, side: int) -> Number:
        """The weight of this step, read from a table."""
        import pyrtl

        layer, folding = self.layer, self.folding
        rows = range(side, folding.inputs, folding.side)
        table = [[int(layer.weights[k, j]) for k in rows] for j in columns]
        low, high = min(map(min, table)), max(map(max, table))
        if len(rows) < folding.steps:
            low, high = min(low, 0), max(high, 0)
        if low == high:
            return constant(low, layer.weights_fmt.frac_bits)
        width, bits = width_of(low, high), 0 if folding.steps == 1 else len(self.step)
        data = {
            (g << bits) + k: w & ((1 << width) - 1) for g, row in enumerate(table) for k, w in enumerate(row)
        }
        parts = [] if folding.groups == 1 else [self.group]
        parts += [] if folding.steps == 1 else [self.step]
        address = pyrtl.concat(*parts) if parts else pyrtl.Const(0, 1)
        size = 1 << len(address)
        name = self.emitter.free(f"{layer.name}_rom_{lane}_{side}")
        rom = pyrtl.RomBlock(
            width,
            len(address),
            [data.get(a, 0) for a in range(size)],
            name=name,
            asynchronous=True,
            max_read_ports=None,
        )
        wire = pyrtl.WireVector(width, self.emitter.free(f"{layer.name}_w_{lane}_{side}"))
        wire <<= rom[address]
        return Number(wire, low, high, layer.weights_fmt.frac_bits)

    def _stored(self, columns: range, lane: int, total: Wire, held: Number) -> list[Number]:
        """Registers for the sums of an accumulator that serves several outputs."""
        import pyrtl

        sums = []
        for g, j in enumerate(columns):
            register = pyrtl.Register(len(total), self.emitter.free(f"{self.layer.name}_sum_{j}"))
            here = self.group == pyrtl.Const(g, len(self.group))
            take = self.active & self.step_ends & here
            register.next <<= pyrtl.select(take, total, register)
            sums.append(Number(register, held.low, held.high, held.frac_bits))
        return sums
