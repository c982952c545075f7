"""Style "stream": images pixel by pixel, row by row, through line-buffered convolutions and pools."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, prod
from typing import Any

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.fixedpoint import _layers, _layers_image
from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._layers_base import INPUT, Layer, TensorType
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_design import LEVELS_A_STAGE, Design
from hwmodel.fixedpoint.emit_layers import Emitter, Tensor, element_name, greatest, mean
from hwmodel.fixedpoint.emit_memories import memory_verilog, remove_unread
from hwmodel.fixedpoint.emit_numbers import join, named
from hwmodel.fixedpoint.emit_parallel import (
    PORTS,
    Pins,
    Sections,
    header_of,
    notes_of,
    ports_of,
    register_names,
    titles_of,
)
from hwmodel.fixedpoint.emit_pipeline import Handshake, add_ranks, depth_of, new_block
from hwmodel.fixedpoint.emit_stream import Frame, FrameStage, Link, Walk, WindowStage, control_timing, pixel
from hwmodel.fixedpoint.emit_stream_fold import FoldedWindow, parts_of

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["emit_stream"]

WINDOWS = (_layers_image.Conv1d, _layers_image.Conv2d, _layers_image.MaxPool, _layers_image.AvgPool)
ELEMENTS = (
    _layers.ReLU,
    _layers.PReLU,
    _layers.BatchNorm,
    _layers.Requantize,
    _layers.Threshold,
    _layers.Argmax,
)
MAX_FRAME_BITS = 1 << 16


@dataclass
class _Stage:
    """Layers between two handshakes: at most one window first, then what works on single pixels."""

    layers: list[Layer] = field(default_factory=list)
    is_frame: bool = False


def emit_stream(
    graph: Graph, name: str, pipeline: int | None, share: bool, fold: int | None = None
) -> Design:
    """Make the design; see `emit`.

    Parameters:
        fold: beats in which a convolution may work out the outputs of one pixel; None lays them out side by side.

    Raises:
        SpecError: the graph is no chain of layers on images, `pipeline` is 0, or `fold` is below 1.
    """
    import pyrtl

    if pipeline == 0:
        raise SpecError(
            f"emit '{name}': style='stream' needs a rank of registers in each stage; take pipeline=1"
        )
    if fold is not None and fold < 1:
        raise SpecError(f"emit '{name}': fold={fold}; a pixel of a convolution takes at least one beat")
    stages, kind, out = _stages(graph, name), graph.input, graph.output_type
    beats_in, beats_out = prod(kind.shape[1:]), 1 if stages[-1].is_frame else prod(out.shape[1:])
    block = new_block()
    with pyrtl.set_working_block(block, no_sanity_check=True):
        pins = Pins(kind.size // beats_in * kind.fmt.width, out.size // beats_out * out.fmt.width)
        builder = _Builder(graph, block, pins, Emitter(share, taken={*PORTS, "clk"}), pipeline, fold)
        link = Link(pins.in_valid, pins.in_ready, pins.in_data)
        for number, stage in enumerate(stages):
            link = builder.stage(stage, link, last=number + 1 == len(stages))
        pins.out_valid <<= link.valid
        pins.out_data <<= link.data
        remove_unread(block, pins.outputs)
    latency, interval = control_timing(builder.timing, beats_in, beats_out)
    options = {"pipeline": pipeline, "share": share} | ({} if fold is None else {"fold": fold})
    timing = (
        f"{beats_in} words in, {beats_out} out, {latency} cycles from last to last, an input every {interval}"
    )
    text = memory_verilog(
        block,
        name,
        header_of(graph, name, "stream", options, timing),
        pins.inputs,
        pins.outputs,
        builder.sections.wires,
        titles_of(graph) | builder.titles,
        notes_of(kind, out) | {"in_data": f"a pixel of {kind}, channel 0 in the low bits"},
    )
    ports = ports_of(pins, kind, out)
    return Design(name, graph, "stream", options, ports, latency, interval, beats_in, beats_out, block, text)


def _stages(graph: Graph, name: str) -> list[_Stage]:
    """Cut the chain of layers into stages."""
    if len(graph.input.shape) < 2:
        raise SpecError(
            f"emit '{name}': style='stream' takes images, the input is {graph.input}; take style='parallel'"
        )
    unused, before, stages = set(graph.unused), INPUT, [_Stage()]
    for layer in graph.layers:
        if layer.name in unused:
            continue
        stage = stages[-1]
        if not stage.is_frame:
            if layer.inputs != (before,) and isinstance(layer, WINDOWS + ELEMENTS):
                raise SpecError(
                    f"layer '{layer.name}' ({layer.kind}) reads {', '.join(layer.inputs)}: style='stream' takes a plain "
                    "chain; take style='mac' for branches, or 'parallel' where they are small"
                )
            if isinstance(layer, WINDOWS):
                stage = _Stage()
                stages.append(stage)
            elif not isinstance(layer, ELEMENTS):
                stage = _Stage(is_frame=True)
                stages.append(stage)
        inside = {before, *(other.name for other in stage.layers)}
        if stage.is_frame and not inside.issuperset(layer.inputs):
            raise SpecError(
                f"layer '{layer.name}' ({layer.kind}) reads what has already streamed by; take style='mac', which "
                "keeps maps in memories, or style='parallel'"
            )
        stage.layers.append(layer)
        before = before if stage.is_frame else layer.name
    return [stage for stage in stages if stage.layers]


class _Builder:
    """Builds stages one behind the other, in PyRTL's working block."""

    def __init__(
        self,
        graph: Graph,
        block: Any,
        pins: Pins,
        emitter: Emitter,
        pipeline: int | None,
        fold: int | None = None,
    ) -> None:
        self.graph, self.block, self.pins, self.emitter = graph, block, pins, emitter
        self.pipeline, self.fold = pipeline, fold
        self.sections = Sections(block)
        self.timing: list[tuple[Walk | Frame | None, int]] = []
        self.titles: dict[str, str] = {}
        self.source = INPUT

    def stage(self, stage: _Stage, link: Link, last: bool) -> Link:
        """Build one stage behind a link and give the link behind it."""
        import pyrtl

        first = stage.layers[0]
        kind = self.graph.types[self.source]
        what: Walk | Frame | None = None
        stops: list[Wire] = []
        if stage.is_frame:
            control: Any = self._frame(first, kind, link)
            what, offers = Frame(control.beats), control.full
            tensors = {self.source: control.tensor(kind.shape)}
            self._close(f"{first.name}_frame", f"{first.name}: pixels become a whole frame")
        elif isinstance(first, _layers_image.Convolution) and parts_of(first, self.fold) > 1:
            control, folded = self._folded(first, kind, link)
            what, offers = Frame(control.beats), control.full
            tensors = {first.name: folded.pixel(control.chain[::-1]).reshape(-1, 1, 1)}
            self._close(f"{first.name}_parts", f"{first.name}: parts become a pixel")
        elif isinstance(first, WINDOWS):
            control, what = self._window(first, kind, link)
            offers = control.emits & control.offers
            stops = [control.newest]
            window = control.window()
            self._close(f"{first.name}_lines", f"{first.name}: place in the padded image, and line buffers")
            tensors = {first.name: self._apply_window(first, window, kind)}
            self._close(first.name)
        else:
            control, offers, stops = None, link.valid, [link.data]
            tensors = {self.source: pixel(link.data, kind).reshape(-1, 1, 1)}
        result = self._layers(stage, tensors, kind)
        ranks = self.pipeline or max(1, ceil(depth_of(self.block, result, stops) / LEVELS_A_STAGE))
        ready = self.pins.out_ready if last else pyrtl.WireVector(1, f"{first.name}_read")
        drive = link.ready if control is None else control.advance
        link = self._ranked(first.name, result, (what, ranks), offers, drive, stops, ready)
        self.source = stage.layers[-1].name
        return link

    def _ranked(
        self,
        name: str,
        result: Wire,
        timing: tuple[Walk | Frame | None, int],
        offers: Wire,
        drive: Wire,
        stops: list[Wire],
        ready: Wire,
    ) -> Link:
        """Put ranks and a handshake behind logic; `drive` learns whether the first rank takes its result."""
        shake = Handshake(timing[1], self.pins.rst, offers, ready, prefix=f"{name}_")
        drive <<= shake.in_ready
        names = register_names(self.emitter, self.sections)
        data = add_ranks(self.block, result, shake.advance, names, stops)
        self._close(f"{name}_ranks", f"{name}: handshake")
        self.timing.append(timing)
        return Link(shake.out_valid, ready, data)

    def _folded(
        self, layer: _layers_image.Convolution, kind: TensorType, link: Link
    ) -> tuple[FrameStage, FoldedWindow]:
        """Build window, products and sums of a folded convolution, up to where its parts are collected."""
        import pyrtl

        name, parts = layer.name, parts_of(layer, self.fold)
        control, walk = self._window(layer, kind, link, parts)
        folded = FoldedWindow(layer, kind, parts, self.emitter)
        self._close(
            f"{name}_lines", f"{name}: place in the padded image, line buffers, and part of the outputs"
        )
        word, offers = folded.products(control.window(), control.part), control.emits & control.offers
        self._close(name)
        ready = pyrtl.WireVector(1, f"{name}_products_read")
        made = self._ranked(
            f"{name}_products", word, (walk, 1), offers, control.advance, [control.newest], ready
        )
        word = folded.sums(made.data)
        self._close(f"{name}_sums", f"{name}: sums of a part")
        ranks = self.pipeline or max(1, ceil(depth_of(self.block, word, [made.data]) / LEVELS_A_STAGE))
        ready = pyrtl.WireVector(1, f"{name}_sums_read")
        made = self._ranked(f"{name}_sums", word, (None, ranks), made.valid, made.ready, [made.data], ready)
        return FrameStage(f"{name}_part", kind, parts, made, self.pins.rst), folded

    def _close(self, section: str, title: str | None = None) -> None:
        self.sections.close(section)
        if title is not None:
            self.titles[section] = title

    def _frame(self, first: Layer, kind: TensorType, link: Link) -> FrameStage:
        if kind.size * kind.fmt.width > MAX_FRAME_BITS:
            raise SpecError(
                f"layer '{first.name}' ({first.kind}) needs the whole frame of {kind} at once, "
                f"{kind.size * kind.fmt.width} bits, more than {MAX_FRAME_BITS}; pool more before it"
            )
        return FrameStage(f"{first.name}_frame", kind, prod(kind.shape[1:]), link, self.pins.rst)

    def _window(self, layer: Layer, kind: TensorType, link: Link, parts: int = 1) -> tuple[WindowStage, Walk]:
        if isinstance(layer, _layers_image.Convolution):
            steps = layer.kernel, layer.stride, layer.padding
        else:
            assert isinstance(layer, _layers_image.Pool)
            steps = layer.steps(kind.shape)
        shape, kernel, stride, padding = (
            _two(axes, k == 3) for k, axes in enumerate((kind.shape[1:], *steps))
        )
        walk = Walk(shape, kernel, stride, padding, parts)
        fill = kind.fmt.min_raw if isinstance(layer, _layers_image.MaxPool) else 0
        return WindowStage(layer.name, walk, kind, fill, link, self.pins.rst), walk

    def _apply_window(self, layer: Layer, window: Tensor, kind: TensorType) -> Tensor:
        """Compute one pixel of a window layer; shape (channels, 1, 1)."""
        out = self.graph.types[layer.name]
        if isinstance(layer, _layers_image.Convolution):
            image = window if layer.axes == 2 else window[:, 0]
            taps = tuple(slice(0, k) for k in layer.kernel)
            found = self.emitter.window(layer, image, kind, out, taps, taps)
        else:
            found = np.empty(out.shape[0], object)
            for c in range(out.shape[0]):
                seen = list(window[c].reshape(-1))
                if isinstance(layer, _layers_image.AvgPool):
                    found[c] = mean(layer, seen, kind, out)
                else:
                    most = greatest(seen)
                    found[c] = most if kind.fmt == out.fmt else emit_cast(most, out.fmt)
        for c in range(out.shape[0]):
            found[c] = named(found[c], self.emitter.free(element_name(layer.name, (c,))))
        return np.asarray(found.reshape(-1, 1, 1))

    def _layers(self, stage: _Stage, tensors: dict[str, Tensor], kind: TensorType) -> Wire:
        """Build the layers behind the window and give the stage's word."""
        types = {
            name: TensorType(tensor.shape, self.graph.types[name].fmt) for name, tensor in tensors.items()
        }
        for layer in stage.layers:
            if layer.name not in tensors:
                read = [tensors[source] for source in layer.inputs]
                read_types = [types[source] for source in layer.inputs]
                tensors[layer.name] = self.emitter.layer(layer, read, read_types)
                types[layer.name] = layer.output_type(*read_types)
                self._close(layer.name)
        last = stage.layers[-1].name
        return join(list(tensors[last].reshape(-1)), self.graph.types[last].fmt.width)


def _two(axes: tuple[int, ...], padding: bool) -> tuple[int, int]:
    """Sizes along two axes; a single axis lies in one row."""
    return (axes[0], axes[1]) if len(axes) == 2 else (0 if padding else 1, axes[0])
