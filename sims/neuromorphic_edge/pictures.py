"""Pictures of a run: how the loop follows its set points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hwmodel.kernel import Result, Trace
from hwmodel.report import line_chart, save_chart
from hwmodel.units import to_fs

from .loop import UNITS, rate_of

if TYPE_CHECKING:
    from .run import Spec

POINTS = 200
SMOOTH = 8e9  # fs: over so long a time hits are counted


def draw(spec: Spec, folder: Path, result: Result) -> None:
    """Write `loop.svg`: set point, estimates, what the chip's clock should give, and hits counted."""
    end = to_fs(spec.duration)
    times = np.linspace(0, end, POINTS, endpoint=False)
    wanted = np.array(spec.targets)[np.minimum((times // spec.hold).astype(int), len(spec.targets) - 1)]
    clock = held(result["tuner.frequency"], times, float(spec.frequency.hz))
    lines = {
        "set point": wanted,
        "estimate at the core": held(result["core.estimate"], times, np.nan) / UNITS,
        "what the chip's clock gives on average": np.array([rate_of(f) / UNITS for f in clock]),
        "hits of the last 8 us": counted(result["asic.hit"].t, times),
    }
    us = times * 1e-9
    chart = line_chart(
        {name: (us, line) for name, line in lines.items()},
        title="The loop follows its set points",
        xlabel="time, us",
        ylabel="million hits a second",
        markers=False,
    )
    save_chart(chart, folder / "loop")


def held(trace: Trace, times: npt.NDArray[np.float64], before: float) -> npt.NDArray[np.float64]:
    """The value of a signal at each time; `before` where none had come."""
    values = np.concatenate([[before], trace.value.astype(float)])
    return np.asarray(values[np.searchsorted(trace.t, times, side="right")])


def counted(hits: npt.NDArray[np.int64], times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Million hits a second over the time just past."""
    newer, older = np.searchsorted(hits, times), np.searchsorted(hits, times - SMOOTH)
    return np.where(times >= SMOOTH, (newer - older) / SMOOTH * 1e9, np.nan)
