"""Where registers stand in an adder graph, and what its words are called in hardware."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.fixedpoint.adders._graph import AdderGraph
from hwmodel.fixedpoint.adders._signals import Range, width_of

__all__ = ["Clip", "Schedule"]


@dataclass(frozen=True)
class Clip:
    """The cast behind each sum: y = clip(sum >> shift, low, high), with >> rounding down.

    A rounding to nearest is half a unit, 1 << (shift - 1), added to the graph's bias.

    Parameters:
        shift: fraction bits that fall away.
        low, high: ends of the output's raw range.
    """

    shift: int
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.shift < 0 or self.low > self.high:
            raise SpecError(
                f"Clip: shift={self.shift}, low={self.low}, high={self.high}; give shift >= 0, low <= high"
            )

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cast sums."""
        cut: npt.NDArray[Any] = np.minimum(np.maximum(values >> self.shift, self.low), self.high)
        return cut


@dataclass(frozen=True)
class Schedule:
    """An adder graph with its registers: at the inputs, after every `pipeline` levels of adders, at the outputs.

    Parameters:
        graph: what to compute.
        clip: cast of all outputs, or None to put the sums out whole.
        pipeline: adder levels between registers, or None for none inside.
        register_inputs, register_outputs: a register at each end.
        name: of the module.
    """

    graph: AdderGraph
    clip: Clip | None = None
    pipeline: int | None = None
    register_inputs: bool = True
    register_outputs: bool = True
    name: str = "adders"
    last_stage: int = field(init=False)

    def __post_init__(self) -> None:
        if self.pipeline is not None and self.pipeline < 1:
            raise SpecError(
                f"adder schedule: pipeline is {self.pipeline}; give 1 or more adder levels, or None"
            )
        if not (self.name.isidentifier() and self.name.isascii()):
            raise SpecError(f"adder schedule: {self.name!r} is no module name; use letters, digits and _")
        stages = [self.stage_of(signal) for signal, _, sign in self.graph.output_rows if sign]
        object.__setattr__(self, "last_stage", max(stages, default=0))

    @property
    def latency(self) -> int:
        """Clock cycles from an input to its output."""
        return int(self.register_inputs) + self.last_stage + int(self.register_outputs)

    def stage_of(self, signal: int) -> int:
        """Pipeline stage in which a signal is computed; stage 0 follows the inputs."""
        depth = self.graph.signals.depth_of(signal)
        return (depth - 1) // self.pipeline if self.pipeline and depth else 0

    def name_of(self, signal: int, stage: int) -> str:
        """Name of a signal as seen in a stage."""
        inputs = len(self.graph.input_ranges)
        if signal < 0:
            return f"t{-1 - signal}"
        base = f"x{signal}" if signal < inputs else f"n{signal - inputs}"
        late = stage - self.stage_of(signal)
        if signal < inputs and self.register_inputs:
            base += "_r"
        return f"{base}_d{late}" if late else base

    def delays(self) -> list[tuple[int, int]]:
        """Delayed copies that are needed: (signal, stage), each the signal of one stage earlier in a register."""
        last: dict[int, int] = {}

        def use(signal: int, stage: int) -> None:
            if signal < 0:
                for segment in self.graph.lookups[-1 - signal].segments:
                    for source in segment.signals:
                        use(source, stage)
            else:
                last[signal] = max(last.get(signal, 0), stage)

        inputs = len(self.graph.input_ranges)
        for n, (left, right, *_) in enumerate(self.graph.node_rows):
            use(left, self.stage_of(inputs + n))
            use(right, self.stage_of(inputs + n))
        for signal, _, sign in self.graph.output_rows:
            if sign:
                use(signal, self.last_stage)
        return [
            (s, stage) for s, end in sorted(last.items()) for stage in range(self.stage_of(s) + 1, end + 1)
        ]

    def output_range(self, j: int) -> Range:
        """Raw range of output j as it leaves the module."""
        low, high = self.graph.output_range(j)
        if self.clip is None:
            return low, high
        return self.clip.low, self.clip.high

    @property
    def ports(self) -> dict[str, tuple[str, int, bool]]:
        """Ports beside `clk`: name -> (direction, width, signed)."""
        ports = {
            f"x{i}": ("in", width_of(span), span[0] < 0) for i, span in enumerate(self.graph.input_ranges)
        }
        for j in range(len(self.graph.output_rows)):
            span = self.output_range(j)
            ports[f"y{j}"] = ("out", width_of(span), span[0] < 0)
        return ports

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that the hardware follows from, in hex."""
        clip = None if self.clip is None else [self.clip.shift, self.clip.low, self.clip.high]
        spec = [
            self.graph.describe(),
            clip,
            self.pipeline,
            self.register_inputs,
            self.register_outputs,
            self.name,
        ]
        return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()

    def evaluate(self, x_raw: npt.ArrayLike) -> npt.NDArray[Any]:
        """Raw outputs for raw inputs, without the latency."""
        sums = self.graph.evaluate(x_raw)
        return sums if self.clip is None else self.clip.apply(sums)
