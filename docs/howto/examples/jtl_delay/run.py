"""Delay of a Josephson transmission line, from the times of its pulses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import hwmodel as hw
from hwmodel import report, sfq
from hwmodel.errors import SpecError
from hwmodel.simulation import Outcome, RunContext
from hwmodel.units import Time, ps


@dataclass(frozen=True)
class Spec:
    """Parameters; spec.toml has the same names.

    Parameters:
        stages: length of the line.
        count: pulses sent.
        spacing: time between them.
    """

    stages: int
    count: int
    spacing: Time

    def __post_init__(self) -> None:
        if self.stages < 1:
            raise SpecError(f"stages={self.stages}: a line has at least one stage")


def run(spec: Spec, context: RunContext) -> Outcome:
    """Send pulses down the line and compare when they go in with when they come out."""
    line = sfq.Netlist("line", library=sfq.library("rsfq"))
    line.output("q", line.jtl(line.input("a"), stages=spec.stages))

    system = hw.System(line, seed=context.seed)
    system.drive("a", clock=hw.Clock(period=spec.spacing), count=spec.count)
    until = spec.spacing * spec.count + ps(100) * spec.stages
    result = system.run(until, watch=["a", "q"], runner=context.runner, window=context.window)

    delay_ps = (result["q"].t - result["a"].t) / 1000
    chart = report.line_chart(
        {"delay": (np.arange(spec.count), delay_ps)}, xlabel="pulse", ylabel="delay (ps)"
    )
    report.save_chart(chart, context.out / "delay")

    metrics = {"delay_ps": delay_ps.mean(), "delay_per_stage_ps": delay_ps.mean() / spec.stages}
    return Outcome(result, metrics, [f"{spec.stages} stages: {metrics['delay_ps']:.2f} ps"])
