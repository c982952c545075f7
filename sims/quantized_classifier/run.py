"""Emit the trained classifier, clock its test images through the hardware, and compare with the exact graph."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import hwmodel as hw
from hwmodel import hdl
from hwmodel.errors import SpecError
from hwmodel.fixedpoint import Design, Graph, emit
from hwmodel.kernel import Result, Trace
from hwmodel.report import bar_chart, save_chart
from hwmodel.simulation import Outcome, RunContext
from hwmodel.units import Frequency

Ints = npt.NDArray[np.int64]

FOLDER = Path(__file__).resolve().parent
PORT_BITS = 64  # a wider pin of a component is several ports


@dataclass(frozen=True)
class Spec:
    """Parameters; spec.toml says what they mean.

    Raises:
        SpecError: with the parameter, its value and the remedy.
    """

    images: int
    style: Literal["parallel", "mac"]
    pipeline: int | Literal["auto"]
    fold: int | Literal["auto"]
    clock: Frequency
    simulator: Literal["pyrtl", "verilator", "auto"]
    tool: Literal["auto", "yosys", "estimate"]

    def __post_init__(self) -> None:
        if not 1 <= self.images <= 1000:
            raise SpecError(f"images={self.images}: there are 1 to 1000 test images")
        if self.pipeline == 0:
            raise SpecError("pipeline=0 leaves no registers to clock; take at least 1")
        if self.style == "parallel" and self.fold != "auto":
            raise SpecError(f"fold={self.fold} belongs to style=mac; leave it out or change the style")
        if self.style == "mac" and self.pipeline != "auto":
            raise SpecError(
                f"pipeline={self.pipeline} belongs to style=parallel; leave it out or change the style"
            )


def run(spec: Spec, context: RunContext) -> Outcome:
    """Emit, clock, compare, count, draw."""
    graph = Graph.load(FOLDER / "model.npz")
    with np.load(FOLDER / "images.npz", allow_pickle=False) as data:
        images = data["images"][: spec.images].astype(np.int64)
        labels = data["labels"][: spec.images].astype(np.int64)
    design = emit(
        graph,
        style=spec.style,
        pipeline=None if spec.pipeline == "auto" else spec.pipeline,
        fold=None if spec.fold == "auto" else spec.fold,
    )
    clock = hw.Clock(spec.clock)
    words = [word for item in design.pack(images) for word in item]
    taken = 1 + np.arange(len(words)) * design.ii_cycles  # edges; the first only shows the state after reset
    cycles = int(taken[-1]) + design.latency_cycles
    result = _clocked(design, clock, words, taken, cycles, spec.simulator)
    given, digits = _outputs(design, result, clock, cycles)
    exact = graph.evaluate(images)[:, 0]
    count = min(len(digits), len(exact))
    metrics = {
        "images": len(images),
        "accuracy": float((digits[:count] == labels[:count]).sum() / len(labels)),
        # A digit that never came is as wrong as one that differs.
        "mismatches": int((digits[:count] != exact[:count]).sum() + abs(len(digits) - len(exact))),
        "latency_cycles": int(given[0] - taken[0]) if count else None,
        "ii_cycles": int(np.diff(given).max()) if count > 1 else design.ii_cycles,
        "images_per_second": float(spec.clock.hz) / design.ii_cycles,
        **_size(design, spec.tool),
        "spec_hash": design.spec_hash,
        "accuracy_of_digit": {
            str(d): float((digits[:count] == labels[:count])[labels[:count] == d].mean())
            for d in sorted(set(labels[:count].tolist()))
        },
    }
    _draw(context.out, metrics["accuracy_of_digit"])
    return Outcome(result, metrics, _summary(metrics))


def _clocked(
    design: Design, clock: hw.Clock, words: list[int], taken: Ints, cycles: int, simulator: Any
) -> Result:
    """Run the hardware as a component; word n is offered for the edge taken[n]."""
    with tempfile.TemporaryDirectory(prefix="hwmodel-classifier-") as folder:
        if simulator == "pyrtl":
            system = hw.System(hdl.Rtl("classifier", design.block, clock))
            system.drive("rst", at=[], values=[])  # a block begins as after a reset
        else:
            source = design.write_verilog(Path(folder) / f"{design.name}.v")
            system = hw.System(hdl.Rtl("classifier", source, clock, simulator=simulator, reset="rst"))
        edges = [clock.edge(int(n)) for n in taken]
        width = design.port("in_data").width
        for part in range(-(-width // PORT_BITS)):
            name = f"in_data[{part}]" if width > PORT_BITS else "in_data"
            values = [word >> (part * PORT_BITS) & ((1 << PORT_BITS) - 1) for word in words]
            signed = np.array(values, np.uint64).view(np.int64).tolist()
            system.drive(name, at=edges, values=signed)
        after = [clock.edge(int(n) + 1) for n in taken]
        if design.ii_cycles == 1:
            system.drive("in_valid", at=[edges[0], after[-1]], values=[1, 0])
        else:
            pulses = [t for pair in zip(edges, after, strict=True) for t in pair]
            system.drive("in_valid", at=pulses, values=[1, 0] * len(words))
        system.drive("out_ready", at=[clock.edge(0)], values=[1])
        watch = ["in_valid", "in_ready", "out_valid", "out_data"]
        return system.run(until=clock.edge(cycles + 1), watch=watch)


def _outputs(design: Design, result: Result, clock: hw.Clock, cycles: int) -> tuple[Ints, Ints]:
    """Edges that take an output, and the digits that they take."""
    shown = np.array(
        [int(clock.edge(n)) for n in range(cycles)]
    )  # what shows after edge n is taken by edge n + 1
    valid = np.flatnonzero(_sampled(result["out_valid"], shown))
    words = _sampled(result["out_data"], shown)[valid]
    digits = [design.elements(int(word))[0] for word in words]
    return valid + 1, np.array(digits, np.int64)


def _sampled(trace: Trace, times: Ints) -> Ints:
    place = np.searchsorted(trace.t, times, side="right")
    return np.concatenate([[trace.initial], trace.value])[place]


def _size(design: Design, tool: str) -> dict[str, Any]:
    report = design.report(tool)
    return {key: report[key] for key in ("lut", "ff", "dsp", "tool")}


def _draw(folder: Path, accuracy: dict[str, float]) -> None:
    figure = bar_chart(
        {digit: 100 * share for digit, share in accuracy.items()},
        title="Images of each digit that the hardware names right",
        xlabel="digit",
        ylabel="right, %",
    )
    save_chart(figure, folder / "accuracy")


def _summary(metrics: dict[str, Any]) -> list[str]:
    right, rate = 100 * metrics["accuracy"], metrics["images_per_second"] / 1e6
    return [
        f"{metrics['images']} images: {right:.1f} % right, {metrics['mismatches']} differ from the exact graph",
        f"latency {metrics['latency_cycles']} cycles, an image every {metrics['ii_cycles']}: {rate:.4g} million a second",
        f"{metrics['lut']} LUT, {metrics['ff']} flip-flops, {metrics['dsp']} DSP, counted by {metrics['tool']}",
    ]
