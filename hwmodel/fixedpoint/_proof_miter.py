"""The problem of a proof: a design unrolled over its cycles, beside the reference of its graph."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import ToolError
from hwmodel.fixedpoint._layers_base import TensorType
from hwmodel.fixedpoint._proof_reference import MODULE
from hwmodel.fixedpoint._stream import Failure

if TYPE_CHECKING:
    from hwmodel.fixedpoint.emit_design import Design

__all__ = ["Unrolled", "cut_registers", "miter"]

COUNT = 16  # bits of the counters of words; the limit on the size keeps them from running over
PINS = ("clk", "rst", "in_valid", "in_ready", "in_data", "out_valid", "out_ready", "out_data")

Row = tuple[int, ...]


def cut_registers(source: Path, target: Path, top: str) -> tuple[int, int]:
    """Turn every register into pins, its content in and what it takes out, and every undriven bit into an input.

    Parameters:
        source: what yosys `write_json` wrote.
        target: file for the module `hwmodel_step`, which has no memory.
        top: name of the module.

    Returns:
        Bits of the registers, and undriven bits.

    Raises:
        ToolError: where the text is no design of one clock with the pins of an emission.
    """
    module = json.loads(source.read_text(encoding="utf-8"))["modules"][top]
    ports, where = module["ports"], f"verify '{top}'"
    if sorted(ports) != sorted(PINS):
        raise ToolError(
            f"{where}: the Verilog has the pins {', '.join(ports)}; a proof needs {', '.join(PINS)}"
        )
    content: list[Any] = []
    taken: list[Any] = []
    free: list[Any] = []
    for name, cell in list(module["cells"].items()):
        joined, kind = cell["connections"], cell["type"]
        if kind == "$dff":
            rising = int(cell["parameters"]["CLK_POLARITY"], 2) == 1
            if not rising or joined["CLK"] != ports["clk"]["bits"]:
                raise ToolError(f"{where}: the register {name} is not clocked by the rising edge of clk")
            content += joined["Q"]
            taken += joined["D"]
        elif kind == "$anyseq":
            free += joined["Y"]
        elif "dff" in kind or "latch" in kind or kind.startswith(("$mem", "$ff")):
            raise ToolError(
                f"{where}: a proof cannot take the {kind} {name}; use registers at the edge of clk"
            )
        else:
            continue
        del module["cells"][name]
    for net in module["netnames"].values():
        net.get("attributes", {}).pop("init", None)  # reset decides, not what registers held before
    new = (("hwmodel_q", "input", content), ("hwmodel_d", "output", taken), ("hwmodel_free", "input", free))
    for pin, direction, bits in new:
        if bits:
            ports[pin] = {"direction": direction, "bits": bits}
    target.write_text(
        json.dumps({"creator": "hwmodel", "modules": {"hwmodel_step": module}}), encoding="utf-8"
    )
    return len(content), len(free)


@dataclass(frozen=True)
class Unrolled:
    """A design over the cycles that input number `item` after reset needs.

    Parameters:
        design: what is proved.
        registers, free: as `cut_registers` gives them.
        item: the input in question; those before it are any.
    """

    design: Design
    registers: int
    free: int
    item: int

    @property
    def steps(self) -> int:
        """Cycles, the one of reset among them, by the last of which the output must be there."""
        design = self.design
        if design.beats_in == 1:
            return 2 + self.item * design.ii_cycles + design.latency_cycles
        # Several words: the latency counts from the last of them, which comes before the interval is over.
        return 2 + (self.item + 1) * design.ii_cycles + max(design.latency_cycles, 0)

    @property
    def free_inputs(self) -> dict[str, int]:
        """Name and bits of what the solver may choose."""
        widths = {
            "x": _bits(self.design.graph.input),
            "noise": self.steps * self.design.port("in_data").width,
            "q0": self.registers,
            "free": self.steps * self.free,
        }
        return {name: width for name, width in widths.items() if width}

    @property
    def trace_width(self) -> int:
        """Bits of one cycle in the trace."""
        return 2 + self.design.port("in_data").width + self.design.port("out_data").width

    def unpack_input(self, bits: int) -> npt.NDArray[Any]:
        """Give the raws of an input."""
        kind = self.design.graph.input
        width, fmt = kind.fmt.width, kind.fmt
        raws = [bits >> (k * width) & ((1 << width) - 1) for k in range(kind.size)]
        signed = [raw - (1 << width) if raw > fmt.max_raw else raw for raw in raws]
        return np.array(signed, fmt.dtype).reshape(kind.shape)

    def read_trace(self, trace: int) -> tuple[list[Row], list[int]]:
        """Give (in_ready, out_valid, out_data, in_data) of each cycle, and the reference's output words."""
        w, v = self.design.port("in_data").width, self.design.port("out_data").width
        rows: list[Row] = []
        for step in range(self.steps):
            part = trace >> (step * self.trace_width)
            rows.append(
                (part & 1, part >> 1 & 1, part >> 2 & ((1 << v) - 1), part >> (2 + v) & ((1 << w) - 1))
            )
        words = trace >> (self.steps * self.trace_width)
        return rows, [words >> (k * v) & ((1 << v) - 1) for k in range(self.design.beats_out)]

    def find_failure(self, trace: list[Row], expected: list[int]) -> tuple[Failure | None, list[Row]]:
        """Give the first difference in a trace, and the rows of its waveform; cycle 0 is the one after reset."""
        beats, got = self.design.beats_out, 0
        failure: Failure | None = None
        rows: list[Row] = []
        for cycle, (in_ready, out_valid, out_data, in_data) in enumerate(trace[1:]):
            word = got - self.item * beats
            mine = 0 <= word < beats
            wanted = expected[word] if mine else 0
            rows.append((cycle, 1, in_ready, in_data, out_valid, 1, out_data if out_valid else 0, wanted))
            if out_valid and mine and out_data != wanted and failure is None:
                failure = Failure("the output differs", cycle, self.item, word, wanted, out_data)
            got += out_valid
        if failure is None and got < (self.item + 1) * beats:
            word = max(got - self.item * beats, 0)
            failure = Failure(
                "no output by the promised cycle", len(trace) - 2, self.item, word, expected[word]
            )
        return failure, rows


def _bits(kind: TensorType) -> int:
    return kind.size * kind.fmt.width


def _words(pin: str, kind: TensorType, beats: int) -> list[str]:
    """The words that carry a tensor, cut from a pin that holds its elements in their order."""
    order = np.arange(kind.size).reshape(kind.shape)
    if beats > 1:  # a word carries all channels of one place
        order = np.moveaxis(order, 0, -1)
    width = kind.fmt.width
    return [
        "{" + ", ".join(f"{pin}[{(k + 1) * width - 1}:{k * width}]" for k in reversed(word)) + "}"
        for word in order.reshape(beats, -1).tolist()
    ]


def miter(problem: Unrolled) -> str:
    """Write the module `hwmodel_proof`: free inputs, the bit `fail`, and a trace of all cycles."""
    design, steps = problem.design, problem.steps
    kind = design.graph.output_type
    width = steps * problem.trace_width + _bits(kind)
    pins = [f"input wire [{bits - 1}:0] {name}" for name, bits in problem.free_inputs.items()]
    pins += ["output wire fail", f"output wire [{width - 1}:0] trace"]
    lines = [f"module hwmodel_proof ({', '.join(pins)});", f"  wire [{_bits(kind) - 1}:0] y;"]
    lines.append(f"  {MODULE} reference (.x(x), .y(y));")
    if problem.registers:
        lines.append(f"  wire [{problem.registers - 1}:0] q_0 = q0;")
    start = f"  wire [{COUNT - 1}:0] sent_1 = 0, got_1 = 0;"
    lines += [start, "  wire bad_1 = 1'b0;"]
    put = _words("x", design.graph.input, design.beats_in)
    wanted = _words("y", kind, design.beats_out)
    for step in range(steps):
        lines += _step(problem, step, put)
        if step:
            lines += _look(problem, step, wanted)
    enough = (problem.item + 1) * design.beats_out
    parts = [f"{{in_{k}, out_{k}, valid_{k}, ready_{k}}}" for k in range(steps)]
    lines.append(f"  assign fail = bad_{steps} | (got_{steps} < {enough});")
    lines.append(f"  assign trace = {{{', '.join([*reversed(wanted), *reversed(parts)])}}};")
    return "\n".join([*lines, "endmodule", ""])


def _step(problem: Unrolled, step: int, put: list[str]) -> list[str]:
    """One cycle of the design: reset in the first, then a word offered and one taken whenever there is one."""
    design, first = problem.design, problem.item * len(put)
    w, v, q, f = (
        design.port("in_data").width,
        design.port("out_data").width,
        problem.registers,
        problem.free,
    )
    noise = f"noise[{(step + 1) * w - 1}:{step * w}]"
    chosen = "".join(f"sent_{step} == {first + k} ? {word} : " for k, word in enumerate(put)) if step else ""
    lines = [
        f"  wire [{w - 1}:0] in_{step} = {chosen}{noise};",
        f"  wire [{v - 1}:0] out_{step};",
        f"  wire valid_{step}, ready_{step};",
    ]
    joins = [".clk(1'b0)", f".rst(1'b{int(not step)})", f".in_valid(1'b{int(step > 0)})", ".out_ready(1'b1)"]
    joins += [f".in_ready(ready_{step})", f".in_data(in_{step})"]
    joins += [f".out_valid(valid_{step})", f".out_data(out_{step})"]
    if q:
        lines.append(f"  wire [{q - 1}:0] q_{step + 1};")
        joins += [f".hwmodel_q(q_{step})", f".hwmodel_d(q_{step + 1})"]
    if f:
        joins.append(f".hwmodel_free(free[{(step + 1) * f - 1}:{step * f}])")
    return [*lines, f"  hwmodel_step cycle_{step} ({', '.join(joins)});"]


def _look(problem: Unrolled, step: int, wanted: list[str]) -> list[str]:
    """Count the words of one cycle and compare those of the input in question."""
    first = problem.item * len(wanted)
    wrong = " | ".join(
        f"((got_{step} == {first + k}) & (out_{step} != {word}))" for k, word in enumerate(wanted)
    )
    return [
        f"  wire [{COUNT - 1}:0] sent_{step + 1} = sent_{step} + ready_{step};",
        f"  wire [{COUNT - 1}:0] got_{step + 1} = got_{step} + valid_{step};",
        f"  wire bad_{step + 1} = bad_{step} | (valid_{step} & ({wrong}));",
    ]
