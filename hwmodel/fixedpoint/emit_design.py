"""The door to emission: a graph of layers becomes a design with a streaming interface."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, ToolError, unknown
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers_base import Layer, TensorType
from hwmodel.fixedpoint._verify import Verification, draw_inputs, verify

Block = Any  # a pyrtl.Block; PyRTL has no types

__all__ = [
    "STYLES",
    "Design",
    "DesignPort",
    "Graph",
    "Verification",
    "draw_inputs",
    "emit",
    "report",
    "verify",
]

Style = Literal["parallel", "mac", "stream"]
STYLES = ("parallel", "mac", "stream")

LEVELS_A_STAGE = 8.0
"""Levels of logic between two ranks of registers where `pipeline` is not given."""

MAX_RANKS = 256


@dataclass(frozen=True)
class DesignPort:
    """A pin of a design.

    Parameters:
        name, direction, width: as in the Verilog; direction is "in" or "out".
        fmt: format of the elements that a data bus packs, the first in the low bits; None of a single bit.
        shape: shape of what the bus carries at once; None of a single bit.
    """

    name: str
    direction: Literal["in", "out"]
    width: int
    fmt: Fixed | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Design:
    """Hardware for a graph: `emit` makes it.

    Attributes:
        name: of the module.
        graph: what it computes.
        style: "parallel", "mac" or "stream".
        options: the other settings that shaped it, as JSON holds them.
        ports: pins, in the order of the module; the first is the clock.
        latency_cycles: clock edges from the one that takes the last word of an input to the one that can take the
            last word of its output, when nothing stalls; negative where an image's last rows do not matter.
        ii_cycles: clock edges between two inputs that are taken, when nothing stalls.
        beats_in, beats_out: words that carry one input and one output.
        block: the PyRTL block.
        verilog: the text of the module.
    """

    name: str
    graph: Graph
    style: str
    options: dict[str, Any]
    ports: tuple[DesignPort, ...]
    latency_cycles: int
    ii_cycles: int
    beats_in: int
    beats_out: int
    block: Block = field(repr=False)
    verilog: str = field(repr=False)

    @property
    def spec_hash(self) -> str:
        """SHA-256 of the graph and of all settings: equal designs have equal hashes."""
        return spec_hash(self.graph, self.name, self.style, self.options)

    def write_verilog(self, path: str | os.PathLike[str]) -> Path:
        """Write the module to a file and give its path."""
        file = Path(path)
        file.write_text(self.verilog, encoding="utf-8")
        return file

    def write_hls(self, path: str | os.PathLike[str]) -> Path:
        """Write HLS C++ of the graph (types `ap_fixed`) to a header file and give its path."""
        from hwmodel.fixedpoint.emit_hls import hls_text

        file = Path(path)
        file.write_text(hls_text(self.graph, self.name), encoding="utf-8")
        return file

    def port(self, name: str) -> DesignPort:
        """Give a pin by its name."""
        for port in self.ports:
            if port.name == name:
                return port
        raise unknown(f"port of design '{self.name}',", name, [port.name for port in self.ports])

    def describe(self) -> dict[str, Any]:
        """Give a JSON-able description: ports with formats, timing, hashes."""
        return {
            "name": self.name,
            "style": self.style,
            "options": self.options,
            "spec_hash": self.spec_hash,
            "graph_hash": self.graph.spec_hash,
            "ports": [
                {
                    "name": port.name,
                    "direction": port.direction,
                    "width": port.width,
                    "format": None if port.fmt is None else str(port.fmt),
                    "shape": None if port.shape is None else list(port.shape),
                }
                for port in self.ports
            ],
            "latency_cycles": self.latency_cycles,
            "ii_cycles": self.ii_cycles,
            "beats_in": self.beats_in,
            "beats_out": self.beats_out,
        }

    def report(self, tool: str = "auto", family: str = "xcup") -> dict[str, Any]:
        """Give the size of the design: LUTs, flip-flops, DSP blocks, and by which tool they were counted.

        Parameters:
            tool: "yosys" synthesises; "estimate" takes our own cost model; "auto" takes yosys where it is found.
            family: of `synth_xilinx`.

        Raises:
            ToolError: yosys was asked for and is missing or fails.
        """
        from hwmodel.fixedpoint.emit_estimate import estimate

        if tool not in ("auto", "yosys", "estimate"):
            raise unknown("tool", tool, ["auto", "yosys", "estimate"])
        times = {"latency_cycles": self.latency_cycles, "ii_cycles": self.ii_cycles}
        if tool != "estimate":
            try:
                return self._synthesised(family) | times
            except ToolError:
                if tool == "yosys":
                    raise
        return estimate(self.block) | {"tool": "hwmodel estimate"} | times

    def _synthesised(self, family: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="hwmodel-report-") as folder:
            file = self.write_verilog(Path(folder) / f"{self.name}.v")
            found = resolve_name("hwmodel.hdl:synthesis_report")(file, top=self.name, family=family)
        return {key: found[key] for key in ("lut", "ff", "dsp", "tool")}

    def pack(self, x_raw: Any) -> list[list[int]]:
        """Give the words of `in_data` that carry raw inputs.

        Parameters:
            x_raw: shape (batch, *input shape).

        Returns:
            For each input the `beats_in` words, in their order.
        """
        return self._pack(x_raw, self.graph.input, self.beats_in)

    def pack_outputs(self, y_raw: Any) -> list[list[int]]:
        """Give the words of `out_data` that carry raw outputs, likewise."""
        return self._pack(y_raw, self.graph.output_type, self.beats_out)

    def _pack(self, raws: Any, kind: TensorType, beats: int) -> list[list[int]]:
        array = np.asarray(raws)
        if array.shape[1:] != kind.shape:
            sizes = ", ".join(map(str, kind.shape))
            raise SpecError(f"design '{self.name}': raws have shape {array.shape}, wanted (batch, {sizes})")
        if beats > 1:  # a word carries all channels of one place
            array = np.moveaxis(array, 1, -1)
        mask, width = (1 << kind.fmt.width) - 1, kind.fmt.width
        rows = array.reshape(len(array), beats, kind.size // beats).tolist()
        return [
            [sum((raw & mask) << (k * width) for k, raw in enumerate(word)) for word in item] for item in rows
        ]

    def elements(self, word: int) -> npt.NDArray[Any]:
        """Give the raws that one word of `out_data` carries."""
        port = self.port("out_data")
        assert port.fmt is not None
        fmt = port.fmt
        bits = [word >> (k * fmt.width) & ((1 << fmt.width) - 1) for k in range(port.width // fmt.width)]
        return np.array([b - (1 << fmt.width) if b > fmt.max_raw else b for b in bits], fmt.dtype)

    def unpack(self, words: Sequence[int]) -> npt.NDArray[Any]:
        """Give the raw output that the `beats_out` words of one output carry."""
        shape = self.graph.output_type.shape
        raws = np.concatenate([self.elements(word) for word in words])
        if self.beats_out == 1:
            return raws.reshape(shape)
        return np.moveaxis(raws.reshape(*shape[1:], shape[0]), -1, 0)


def spec_hash(graph: Graph, name: str, style: str, options: dict[str, Any]) -> str:
    """Give the hash of a graph and of the settings of its emission."""
    text = json.dumps([graph.spec_hash, name, style, options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def emit(
    graph: Graph | Layer,
    name: str | None = None,
    style: Style = "parallel",
    fold: int | None = None,
    pipeline: int | None = None,
    share: bool = True,
    input_type: TensorType | None = None,
) -> Design:
    """Make hardware from a graph, bit for bit what its `evaluate` gives.

    Every design has the pins `clk, rst, in_valid, in_ready, in_data, out_valid, out_ready, out_data`. A word moves
    at a rising edge where valid and ready are both 1; the sender keeps valid and data until then. `rst` is
    synchronous and empties the design.

    Parameters:
        graph: the graph, or one layer with its `input_type`.
        name: of the module; None takes the graph's.
        style: "parallel" lays out all operations and takes an input a cycle; constant products become shared adder
            graphs without multipliers. "mac" has multipliers that each work through many products of a dense layer or
            of a place of a convolution. "stream" takes an image pixel by pixel, row by row, through line buffers.
        fold: style "mac": cycles that a dense layer, or a convolution at each place, may take; None takes one
            multiplier an output. Style "stream": beats in which a convolution may work out the outputs of a pixel;
            None lays them out side by side.
        pipeline: style "parallel": ranks of registers, 0 for pure logic; None takes one for each 8 levels of logic.
            Style "stream": ranks inside each layer, at least 1.
        share: whether constant products share common subexpressions.
        input_type: shape and format of the input, for a single layer.

    Raises:
        SpecError: for a layer or a size that has no hardware in this style; the message names the layer.
        ToolError: where PyRTL is missing.

    Example:
        >>> from hwmodel.fixedpoint._layers import Dense
        >>> fc = Dense("fc", weights=[[3], [-5]], weights_fmt=Fixed(4, 1), output=Fixed(8, 3))
        >>> design = emit(fc, pipeline=2, input_type=TensorType((2,), Fixed(8, 3)))
        >>> design.latency_cycles, design.ii_cycles, [port.name for port in design.ports][-2:]
        (2, 1, ['out_ready', 'out_data'])
    """
    _require_pyrtl()
    whole = _as_graph(graph, input_type)
    module = _module_name(name or whole.name)
    fold, pipeline = _checked(module, style, fold, pipeline)
    if style == "mac":
        from hwmodel.fixedpoint.emit_mac import emit_mac

        return emit_mac(whole, module, fold, share)
    if style == "stream":
        from hwmodel.fixedpoint.emit_conv import emit_stream

        return emit_stream(whole, module, pipeline, share, fold)
    from hwmodel.fixedpoint.emit_parallel import emit_parallel

    return emit_parallel(whole, module, pipeline, share)


def _as_graph(given: Graph | Layer, input_type: TensorType | None) -> Graph:
    if isinstance(given, Graph):
        return given
    if not isinstance(given, Layer):
        raise SpecError(f"emit: {given!r} is neither a graph nor a layer")
    if input_type is None:
        raise SpecError(
            f"emit: layer '{given.name}' alone does not say what it reads; give input_type=TensorType(...)"
        )
    from dataclasses import replace

    return sequential(given.name, input_type, replace(given, inputs=()))


def _require_pyrtl() -> None:
    try:
        import pyrtl  # noqa: F401  what follows imports it where it is needed
    except ImportError as error:
        raise ToolError("emit needs the package `pyrtl`: pip install 'hwmodel[rtl]'") from error


def _checked(module: str, style: str, fold: Any, pipeline: Any) -> tuple[int | None, int | None]:
    """Give fold and pipeline, or refuse what is no option of the style."""
    fold, pipeline = _whole(module, "fold", fold), _whole(module, "pipeline", pipeline)
    if style not in STYLES:
        raise unknown("style", str(style), STYLES)
    if fold is not None and style == "parallel":
        raise SpecError(
            f"emit '{module}': fold={fold} belongs to style='mac' and 'stream'; leave it out or change the style"
        )
    if pipeline is not None and style == "mac":
        raise SpecError(
            f"emit '{module}': pipeline={pipeline} belongs to style='parallel' and 'stream'; leave it out"
        )
    if pipeline is not None and not 0 <= pipeline <= MAX_RANKS:
        raise SpecError(f"emit '{module}': pipeline={pipeline} is outside 0..{MAX_RANKS} ranks")
    return fold, pipeline


def _whole(module: str, what: str, given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise SpecError(f"emit '{module}': {what}={given!r} is no whole number; write an int or leave it out")
    return int(given)


def _module_name(name: str) -> str:
    from hwmodel.fixedpoint._layers_base import check_name
    from hwmodel.fixedpoint.emit_hls import TAKEN
    from hwmodel.fixedpoint.emit_verilog import KEYWORDS

    check_name(name, "module")
    return f"{name}_module" if name in KEYWORDS or name in TAKEN else name


def report(design: Design, tool: str = "auto", family: str = "xcup") -> dict[str, Any]:
    """Give the size of a design, and by which tool it was counted; see `Design.report`.

    Raises:
        ToolError: yosys was asked for and is missing or fails.

    Example:
        >>> from hwmodel.fixedpoint import Dense, Fixed, TensorType
        >>> layer = Dense("fc", weights=np.array([[3]]), weights_fmt=Fixed(4, 1), output=Fixed(8, 4))
        >>> report(emit(layer, input_type=TensorType((1,), Fixed(4, 2))), tool="estimate")["dsp"]
        0
    """
    return design.report(tool, family)
