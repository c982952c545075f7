"""Adder graphs as hardware: a PyRTL block, and readable Verilog.

The block and the Verilog are made from the same schedule, cycle for cycle alike. PyRTL's own Verilog of the block
works as well, but names few words and hides the tables from the adders' LUTs; `AdderDesign.verilog` is the one to
synthesize.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyrtl

from hwmodel.errors import OutputError
from hwmodel.fixedpoint.adders import AdderGraph, Clip, Lookup, Schedule, verilog

__all__ = ["AdderDesign", "emit_adders"]


@dataclass(frozen=True)
class AdderDesign:
    """A scheduled adder graph, ready to be written.

    Example:
        >>> from hwmodel.fixedpoint.adders import adder_graph
        >>> design = emit_adders(adder_graph([[3], [5]], (4, True)), name="dot2")
        >>> design.latency, design.initiation_interval
        (2, 1)
        >>> design.ports["y0"]
        ('out', 7, True)
        >>> design.evaluate([[1, 2]]).tolist()
        [[13]]
    """

    schedule: Schedule

    @property
    def name(self) -> str:
        """Name of the module."""
        return self.schedule.name

    @property
    def latency(self) -> int:
        """Clock cycles from an input to its output."""
        return self.schedule.latency

    @property
    def initiation_interval(self) -> int:
        """Clock cycles between inputs: always 1."""
        return 1

    @property
    def ports(self) -> dict[str, tuple[str, int, bool]]:
        """Ports beside `clk`: name -> (direction, width, signed)."""
        return self.schedule.ports

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the specification, as it stands in the Verilog's header."""
        return self.schedule.fingerprint

    def evaluate(self, x_raw: npt.ArrayLike) -> npt.NDArray[Any]:
        """Raw outputs for raw inputs, exact, without the latency."""
        return self.schedule.evaluate(x_raw)

    def verilog(self) -> str:
        """Text of the Verilog module."""
        return verilog(self.schedule)

    def write_verilog(self, path: str | Path) -> Path:
        """Write the Verilog module to a file.

        Raises:
            OutputError: the file cannot be written.
        """
        target = Path(path)
        try:
            target.write_text(self.verilog(), encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"cannot write {target}: {error.strerror}; name a file in a folder that exists"
            ) from error
        return target

    def block(self) -> pyrtl.Block:
        """Build the PyRTL block: inputs `x{i}`, outputs `y{j}`, raw words in two's complement."""
        block = pyrtl.Block()
        with pyrtl.set_working_block(block, no_sanity_check=True):
            _Generator(self.schedule).build()
        return block


def emit_adders(
    graph: AdderGraph,
    *,
    clip: Clip | None = None,
    pipeline: int | None = None,
    register_inputs: bool = True,
    register_outputs: bool = True,
    name: str = "adders",
) -> AdderDesign:
    """Plan the hardware of an adder graph.

    Parameters:
        graph: from `adder_graph`.
        clip: cast of every output, clip(sum >> shift, low, high); None puts whole sums out.
        pipeline: adder levels between registers; None for none inside.
        register_inputs, register_outputs: a register at each end.
        name: of the module.

    Raises:
        SpecError: `pipeline` is below 1 or the name is no identifier.

    Example:
        >>> from hwmodel.fixedpoint.adders import adder_graph
        >>> design = emit_adders(adder_graph([[3], [5]], (4, True)), clip=Clip(1, -8, 7), name="dot2")
        >>> "module dot2" in design.verilog()
        True
    """
    return AdderDesign(Schedule(graph, clip, pipeline, register_inputs, register_outputs, name))


class _Generator:
    """Builds the block of a schedule, signal by signal."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.graph = schedule.graph
        self.words: dict[tuple[int, int], Any] = {}  # (signal, stage) -> wire

    def build(self) -> None:
        """Add all nets to the working block."""
        schedule, graph = self.schedule, self.graph
        inputs = len(graph.input_ranges)
        for i in range(inputs):
            port = pyrtl.Input(schedule.ports[f"x{i}"][1], f"x{i}")
            self.words[i, 0] = delayed(port, f"x{i}_r") if schedule.register_inputs else port
        late = schedule.delays()
        self.delay(late, range(inputs))
        for n, (left, right, left_shift, right_shift, sign) in enumerate(graph.node_rows):
            signal = inputs + n
            stage, width = schedule.stage_of(signal), graph.signals.width_of(signal)
            one = self.take(left, left_shift, width, stage)
            two = self.take(right, right_shift, width, stage)
            total = (one + two if sign > 0 else one - two)[:width]
            word = pyrtl.WireVector(width, schedule.name_of(signal, stage))
            word <<= total
            self.words[signal, stage] = word
            self.delay(late, [signal])
        for j in range(len(graph.output_rows)):
            self.output(j)

    def delay(self, late: list[tuple[int, int]], signals: Any) -> None:
        """Add the registers that carry these signals to later stages."""
        for signal, stage in late:
            if signal in signals:
                source = self.words[signal, stage - 1]
                self.words[signal, stage] = delayed(source, self.schedule.name_of(signal, stage))

    def take(self, signal: int, shift: int, width: int, stage: int) -> Any:
        """Word of signal << shift, extended or cut to a width."""
        span = self.graph.signals.range_of(signal)
        if signal < 0:
            lookup = self.graph.lookups[-1 - signal]
            constant = pyrtl.Const((lookup.constant << shift) % (1 << width), width)
            if not lookup.segments:
                return constant
            word = (
                pyrtl.concat(self.look(lookup, stage), pyrtl.Const(0, shift))
                if shift
                else self.look(lookup, stage)
            )
            return (fit(word, width, False) + constant)[:width]
        word = self.words[signal, stage]
        if shift:
            word = pyrtl.concat(word, pyrtl.Const(0, shift))
        return fit(word, width, span[0] < 0)

    def look(self, lookup: Lookup, stage: int) -> Any:
        """Word of a lookup's tables, each a small ROM."""
        parts: list[Any] = []
        end = 0
        for segment in lookup.segments:
            if segment.position > end:
                parts.append(pyrtl.Const(0, segment.position - end))
            address = [self.words[s, stage][b] for s, b in zip(segment.signals, segment.bits, strict=True)]
            rom = pyrtl.RomBlock(
                segment.width, len(address), segment.table(), asynchronous=True, max_read_ports=None
            )
            parts.append(rom[pyrtl.concat_list(address)])
            end = segment.position + segment.width
        return pyrtl.concat_list(parts)

    def output(self, j: int) -> None:
        """Add the cast and the port of one output."""
        schedule, graph = self.schedule, self.graph
        signal, shift, sign = graph.output_rows[j]
        width, (low, _) = graph.output_width(j), graph.output_range(j)
        word: Any = pyrtl.Const(graph.bias[j] % (1 << width), width)
        if sign:
            word = self.take(signal, shift, width, schedule.last_stage)
            word = (pyrtl.Const(0, width) - word)[:width] if sign < 0 else word
        port = pyrtl.Output(schedule.ports[f"y{j}"][1], f"y{j}")
        value = self.clipped(word, low < 0, len(port))
        port <<= delayed(value, f"y{j}_r") if schedule.register_outputs else value

    def clipped(self, word: Any, signed: bool, out: int) -> Any:
        """Cast a sum."""
        clip = self.schedule.clip
        if clip is None:
            return word
        width = max(len(word), clip.shift + 1, clip.shift + out) + 1
        shifted = fit(word, width, signed)[clip.shift :]
        count = len(shifted)
        high, low = (pyrtl.Const(end % (1 << count), count) for end in (clip.high, clip.low))
        cut = pyrtl.select(pyrtl.signed_gt(shifted, high), high, shifted)
        return pyrtl.select(pyrtl.signed_lt(shifted, low), low, cut)[:out]


def fit(word: Any, width: int, signed: bool) -> Any:
    """Extend or cut a word to a width."""
    if len(word) >= width:
        return word[:width]
    return word.sign_extended(width) if signed else word.zero_extended(width)


def delayed(word: Any, name: str) -> Any:
    """Register of a word."""
    register = pyrtl.Register(len(word), name)
    register.next <<= word
    return register
