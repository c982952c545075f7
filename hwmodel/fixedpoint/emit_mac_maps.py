"""Style "mac" with convolutions: phases that work one after the other, with feature maps in memories between them.

An input comes pixel by pixel into a map. A phase reads one map or more, place by place: a convolution or a dense layer
with multipliers, a pool tap by tap, a sum of branches word by word. What works on single pixels is logic behind it, and
its results go into the map of each phase that reads them. One input is inside at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.fixedpoint import _layers, _layers_image
from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._layers_base import INPUT, Layer, TensorType
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_design import Design
from hwmodel.fixedpoint.emit_layers import Emitter, Tensor, element_name, greatest, mean
from hwmodel.fixedpoint.emit_mac_array import Kernel, MacArray, weights_at_a_place
from hwmodel.fixedpoint.emit_mac_walk import FeatureMap, MapWriter, Schedule, Steps
from hwmodel.fixedpoint.emit_memories import memory_verilog, remove_unread
from hwmodel.fixedpoint.emit_numbers import Number, add, join, named, select
from hwmodel.fixedpoint.emit_parallel import PORTS, Pins, Sections, header_of, notes_of, ports_of, titles_of
from hwmodel.fixedpoint.emit_pipeline import new_block
from hwmodel.fixedpoint.emit_stream import Walk, pixel

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["emit_maps"]

ELEMENTS = (
    _layers.ReLU,
    _layers.PReLU,
    _layers.BatchNorm,
    _layers.Requantize,
    _layers.Threshold,
    _layers.Argmax,
)

MAX_MAP_BITS = 1 << 24
"""Bits of one map that are still taken into a memory on the chip."""

MAX_PORTS = 64
"""Taps that are read together; each has its own copy of the map."""


@dataclass(eq=False)
class _Phase:
    """What is done between two maps: at most one layer with a window, then layers on single pixels."""

    name: str
    head: Layer | None
    sources: tuple[str, ...]
    layers: list[Layer] = field(default_factory=list)
    result: str = INPUT


def emit_maps(graph: Graph, name: str, fold: int | None, share: bool) -> Design:
    """Make the design; see `emit`.

    Raises:
        SpecError: for a layer or a size that has no such hardware; the message names the layer.
    """
    import pyrtl

    plan, kind, out = _Plan(graph, name), graph.input, graph.output_type
    block = new_block()
    with pyrtl.set_working_block(block, no_sanity_check=True):
        beats_in, beats_out = (prod(_shape(t)[1:]) for t in (kind, out))
        pins = Pins(kind.size // beats_in * kind.fmt.width, out.size // beats_out * out.fmt.width)
        builder = _Builder(plan, block, pins, Emitter(share, taken={*PORTS, "clk"}), fold)
        builder.build()
        remove_unread(block, pins.outputs)
    options = {"fold": fold, "share": share}
    latency, interval = builder.cycles, builder.cycles + beats_in - 1
    timing = (
        f"{beats_in} words in, {beats_out} out, {latency} cycles from last to last, an input every {interval}"
    )
    text = memory_verilog(
        block,
        name,
        header_of(graph, name, "mac", options, timing),
        pins.inputs,
        pins.outputs,
        builder.sections.wires,
        titles_of(graph) | builder.titles,
        notes_of(kind, out) | {"in_data": f"a pixel of {kind}, channel 0 in the low bits"},
    )
    ports = ports_of(pins, kind, out)
    return Design(name, graph, "mac", options, ports, latency, interval, beats_in, beats_out, block, text)


def _shape(kind: TensorType) -> tuple[int, int, int]:
    """Channels, rows and columns; a vector lies in the channels, a line in one row."""
    shape = kind.shape
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (shape[0], 1, 1)


class _Plan:
    """The phases of a graph, and which tensors are the same map."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, unused = graph, set(graph.unused)
        live = [layer for layer in graph.layers if layer.name not in unused]
        self.same = {INPUT: INPUT}  # a flattened tensor is the map that it was made from
        for layer in live:
            flat = isinstance(layer, _layers.Flatten)
            self.same[layer.name] = self.same[layer.inputs[0]] if flat else layer.name
        self.flat = {
            layer.name: layer
            for layer in live
            if isinstance(layer, _layers.Flatten) and prod(_shape(self.kind(layer.name))[1:]) > 1
        }
        self.phases = [_Phase("x", None, ())]
        self.readers = [self.same[str(graph.output)]]
        self.readers += [
            self.same[n] for layer in live if not isinstance(layer, _layers.Flatten) for n in layer.inputs
        ]
        for layer in live:
            if not isinstance(layer, _layers.Flatten):
                self._place(layer)
        if str(graph.output) in self.flat:
            raise SpecError(
                f"layer '{graph.output}' (Flatten): style='mac' gives a map pixel by pixel; leave the Flatten out, or "
                "end with a dense layer"
            )

    def kind(self, name: str) -> TensorType:
        """Give shape and format of the map that a tensor lies in."""
        return self.graph.types[self.same[name]]

    def _place(self, layer: Layer) -> None:
        windows = _layers_image.Convolution, _layers_image.Pool
        if isinstance(layer, _layers.Dense):
            self._begin(layer.name, layer, layer)
            return
        flat = [name for name in layer.inputs if name in self.flat]
        if flat:
            raise SpecError(
                f"layer '{layer.name}' ({layer.kind}) reads the flattened '{flat[0]}': style='mac' takes only dense "
                "layers there; put it before the Flatten, or take style='parallel'"
            )
        if isinstance(layer, windows):
            self._begin(layer.name, layer, layer)
        elif isinstance(layer, ELEMENTS) and self._joins(layer):
            return
        elif isinstance(layer, (*ELEMENTS, _layers.Add, _layers.Concat)):
            self._begin(layer.name, None, layer)
        else:
            raise SpecError(
                f"layer '{layer.name}' ({layer.kind}) cannot be emitted in style='mac'; replace it by layers that can"
            )

    def _begin(self, name: str, head: Layer | None, layer: Layer) -> None:
        sources = tuple(dict.fromkeys(self.same[n] for n in layer.inputs))
        rest = [] if head is not None else [layer]
        self.phases.append(_Phase(name, head, sources, rest, layer.name))

    def _joins(self, layer: Layer) -> bool:
        """Put a layer behind the phase that makes what it reads, where nobody else reads that."""
        source = self.same[layer.inputs[0]]
        made = [phase for phase in self.phases if phase.result == source]
        if self.readers.count(source) > 1:
            return False
        made[0].layers.append(layer)
        made[0].result = layer.name
        return True


class _Builder:
    """Builds the phases one behind the other, in PyRTL's working block."""

    def __init__(self, plan: _Plan, block: Any, pins: Pins, emitter: Emitter, fold: int | None) -> None:
        self.plan, self.block, self.pins, self.emitter, self.fold = plan, block, pins, emitter, fold
        self.graph, self.sections = plan.graph, Sections(block)
        self.titles: dict[str, str] = {}
        self.cycles = 0
        self.maps: dict[
            tuple[str, str], FeatureMap
        ] = {}  # by the name of the source and of the phase that reads it

    def build(self) -> None:
        """Build everything into PyRTL's working block."""
        import pyrtl

        pins, first = self.pins, self.plan.phases[0]
        busy = pyrtl.Register(1, self.emitter.free("busy"))
        taken = pyrtl.WireVector(1, self.emitter.free("takes_pixel"))
        for phase in self.plan.phases[1:]:
            for source in phase.sources:
                self.maps[source, phase.name] = self._map(phase, source)
        kind = self.graph.input
        self._close("control", "control: one phase after the other")
        data = self._logic(first, pixel(pins.in_data, kind), kind)
        start = self._write(first, data, taken).finish
        begun = start
        self._close("x", "x: pixels of the input")
        for phase in self.plan.phases[1:]:
            start = self._phase(phase, start)
        ready = ~busy | start
        pins.in_ready <<= ready
        taken <<= ready & pins.in_valid
        following = begun | (busy & ~start)
        busy.next <<= pyrtl.select(pins.rst, pyrtl.Const(0, 1), following)

    def _close(self, section: str, title: str | None = None) -> None:
        self.sections.close(section)
        if title is not None:
            self.titles[section] = title

    # -------------------------------------------------------------------------------- maps

    def _walk(self, phase: _Phase, source: str) -> Walk:
        """How a phase goes over a map that it reads."""
        _, rows, cols = _shape(self.graph.types[source])
        head = phase.head
        if isinstance(head, _layers.Dense):
            return Walk((rows, cols), (rows, cols), (1, 1), (0, 0))
        if isinstance(head, _layers_image.Convolution):
            steps = head.kernel, head.stride, head.padding
        elif isinstance(head, _layers_image.Pool):
            steps = head.steps(self.graph.types[source].shape)
        else:
            return Walk((rows, cols), (1, 1), (1, 1), (0, 0))
        kernel, stride, padding = (
            (axes[0], axes[1]) if len(axes) == 2 else (alone, axes[0])
            for axes, alone in zip(steps, (1, 1, 0), strict=True)
        )
        return Walk((rows, cols), kernel, stride, padding)

    def _map(self, phase: _Phase, source: str) -> FeatureMap:
        kind, walk = self.graph.types[source], self._walk(phase, source)
        width = _shape(kind)[0] * kind.fmt.width
        if kind.size * kind.fmt.width > MAX_MAP_BITS:
            raise SpecError(
                f"layer '{phase.name}' reads a map of {kind.size * kind.fmt.width} bits ({kind}), more than "
                f"{MAX_MAP_BITS}; take style='stream'"
            )
        before = f"{phase.name}_map" if len(phase.sources) == 1 else f"{phase.name}_map_{source}"
        return FeatureMap(self.emitter.free(before), prod(walk.shape), width)

    def _write(self, phase: _Phase, data: Wire, enable: Wire) -> MapWriter:
        """Write the results of a phase into the maps of its readers."""
        import pyrtl

        _, rows, cols = _shape(self.graph.types[phase.result])
        maps = [image for (source, _), image in self.maps.items() if source == phase.result]
        if maps:
            word = pyrtl.WireVector(len(data), self.emitter.free(f"{phase.name}_word"))
            word <<= data
            data = word
        return MapWriter(phase.name, rows * cols, maps, data, enable, self.pins.rst, self.emitter.free)

    # -------------------------------------------------------------------------------- phases

    def _phase(self, phase: _Phase, start: Wire) -> Wire:
        """Build one phase and give the bit of its last cycle."""
        import pyrtl

        head, name, last = phase.head, phase.name, phase is self.plan.phases[-1]
        walk, steps = self._walk(phase, phase.sources[0]), Steps(1)
        kernel = self._kernel(head, phase.sources[0])
        if kernel is not None:
            steps = kernel.steps(self.fold)
        elif head is not None:
            steps = Steps(prod(walk.kernel))
        if steps.side > MAX_PORTS:
            raise SpecError(
                f"layer '{name}' ({self.graph.types[name]}): fold={self.fold} reads {steps.side} taps at a time, more "
                f"than {MAX_PORTS}; raise fold, or take style='stream'"
            )
        go: Wire = pyrtl.WireVector(1, self.emitter.free(f"{name}_go")) if last else pyrtl.Const(1, 1)
        plan = Schedule(name, walk, steps, start, go, self.pins.rst, self.emitter.free)
        read = [self._read(phase, source, plan) for source in phase.sources]
        self._close(f"{name}_steps", f"{name}: counters and the map that is read")
        word, done = self._compute(phase, kernel, plan, read)
        self._close(name)
        places = prod(walk.places)
        self.cycles += places * steps.count + (1 if head is None else 2)
        if not last:
            finish = self._write(phase, word, done).finish
        else:
            self.pins.out_valid <<= done
            self.pins.out_data <<= word
            go <<= ~done | self.pins.out_ready
            finish = self._write(phase, word, done & self.pins.out_ready).finish
        self._close(f"{name}_out", f"{name}: places of the results")
        return finish

    def _read(self, phase: _Phase, source: str, plan: Schedule) -> list[Tensor]:
        """The pixels of a map that are read together, a tensor (channels,) each."""
        image = self.maps[source, phase.name]
        import pyrtl

        kind, border = self.graph.types[source], 0
        if isinstance(phase.head, _layers_image.MaxPool):  # padding never wins
            least = kind.fmt.min_raw & ((1 << kind.fmt.width) - 1)
            border = sum(least << (c * kind.fmt.width) for c in range(_shape(kind)[0]))
        found = []
        for port, address in enumerate(plan.addresses()):
            word = image.read(address, plan.run, self.emitter.free(f"{image.name}_read_{port}"))
            inside = plan.inside(port)
            if inside is not None:
                word = pyrtl.select(inside, word, pyrtl.Const(border, len(word)))
            found.append(pixel(word, TensorType((_shape(kind)[0],), kind.fmt)))
        return found

    def _kernel(self, head: Layer | None, source: str) -> Kernel | None:
        if isinstance(head, _layers.Dense):
            return Kernel(head, weights_at_a_place(head, _shape(self.graph.types[source])), 1)
        if isinstance(head, _layers_image.Convolution):
            return Kernel(head, head.weights.reshape(*head.weights.shape[:2], -1), head.groups)
        return None

    def _compute(
        self, phase: _Phase, kernel: Kernel | None, plan: Schedule, read: list[list[Tensor]]
    ) -> tuple[Wire, Wire]:
        """Give the word of a place, and the bit that says that it is there."""
        head, source = phase.head, phase.sources[0]
        kind = self.graph.types[source]
        if kernel is not None:
            numbers = MacArray(kernel, plan, self.graph.input_types(kernel.layer)[0], self.emitter).build(
                read[0]
            )
        elif isinstance(head, _layers_image.Pool):
            numbers = [self._pool(head, c, x, plan, kind) for c, x in enumerate(read[0][0])]
        else:
            tensors = {name: words[0] for name, words in zip(phase.sources, read, strict=True)}
            return self._join(phase, tensors), plan.valid
        assert head is not None
        return self._logic(phase, np.array([*numbers], object), self.graph.types[head.name]), plan.done

    def _pool(
        self, head: _layers_image.Pool, channel: int, x: Number, plan: Schedule, kind: TensorType
    ) -> Number:
        """The greatest or the mean of the taps, which come one after the other."""
        import pyrtl

        free, is_mean, taps = self.emitter.free, isinstance(head, _layers_image.AvgPool), plan.steps.count
        out = self.graph.types[head.name]
        low, high = (x.low * taps, x.high * taps) if is_mean else (x.low, x.high)
        whole = Number(x.wire, low, high, x.frac_bits)
        register = pyrtl.Register(whole.width, free(f"{head.name}_acc_{channel}"))
        held = Number(register, low, high, x.frac_bits)
        if isinstance(plan.first, pyrtl.Const):
            total = x
        else:
            total = select(plan.first, x, add(held, x) if is_mean else greatest([held, x]))
        kept = pyrtl.select(plan.valid & plan.go, total.bits(whole.width), register)
        register.next <<= kept
        if isinstance(head, _layers_image.AvgPool):
            found = mean(head, [held], kind, out)
        else:
            found = held if kind.fmt == out.fmt else emit_cast(held, out.fmt)
        return named(found, free(element_name(head.name, (channel,))))

    def _logic(self, phase: _Phase, numbers: Tensor, kind: TensorType) -> Wire:
        """Build the layers behind a result on one pixel, and give its word."""
        head = INPUT if phase.head is None else phase.head.name
        return self._elements(phase.layers, {head: (numbers, kind)}, phase.result)

    def _join(self, phase: _Phase, tensors: dict[str, Tensor]) -> Wire:
        known = {name: (tensor, self.graph.types[name]) for name, tensor in tensors.items()}
        return self._elements(phase.layers, known, phase.result)

    def _elements(
        self, layers: list[Layer], known: dict[str, tuple[Tensor, TensorType]], result: str
    ) -> Wire:
        made = {}
        for name, (tensor, kind) in known.items():
            shape = (_shape(kind)[0], *[1] * (len(kind.shape) - 1))
            made[name] = np.asarray(tensor).reshape(shape), TensorType(shape, kind.fmt)
        for layer in layers:
            read = [made[self.plan.same[source]] for source in layer.inputs]
            types = [kind for _, kind in read]
            tensor = self.emitter.layer(layer, [tensor for tensor, _ in read], types)
            made[layer.name] = tensor, layer.output_type(*types)
        tensor, kind = made[result]
        return join(list(tensor.reshape(-1)), kind.fmt.width)
