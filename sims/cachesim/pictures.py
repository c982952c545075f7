"""The pictures of the study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwmodel.cryo.clock_sweep import Swept
from hwmodel.cryo.timing import CPI_PARTS
from hwmodel.cryo.wall import Point
from hwmodel.report import line_chart, save_chart
from hwmodel.units import to_frequency

from .tables import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = (
    "#7F7F7F",
    "#56B4E9",
    "#E69F00",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#000000",
    "#999933",
    "#882255",
    "#44AA99",
)
FS_PER_PS = 1000
GIGA = 1e9
FEW = 60.0  # a range in which ticks at 2 and 5 are not too many


def ghz(clock: object) -> float:
    """A clock in GHz."""
    return float(to_frequency(clock).hz) / 1e9


def grid(count: int, title: str, columns: int = 4) -> tuple[Figure, list[Axes]]:
    """A figure of small panels."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(2.9 * columns + 0.6, 2.5 * rows + 0.7), facecolor="white", layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]


def legend(figure: Figure, panels: Sequence[Axes], order: Sequence[str] = ()) -> None:
    """One legend for all panels, at the right."""
    handles: dict[str, Any] = {}
    for panel in panels:
        found = panel.get_legend_handles_labels()
        handles.update(zip(found[1], found[0], strict=True))
    names = [name for name in order if name in handles] or list(handles)
    shown = [handles[name] for name in names]
    figure.legend(shown, names, loc="outside right center", fontsize=7, frameon=False)


def plain(axes: Axes, clocks: Sequence[float]) -> None:
    """Clocks as plain numbers on a logarithmic axis."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    axes.set_xticks(clocks, [f"{clock:g}" for clock in clocks], fontsize=7)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=7)


def logarithmic(axis: Axis) -> None:
    """Plain numbers, few of them: charts write no formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < FEW * low else (1.0,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def mean_speedups(folder: Path, swept: Swept, core: str) -> None:
    """Mean speed-up of each set against the clock."""
    clocks = [ghz(c) for c in swept.sweep.clocks]
    series = {
        LABELS[d]: (clocks, [swept.mean_speedup(core, d, c) for c in swept.sweep.clocks])
        for d in swept.sweep.sets
    }
    figure = line_chart(
        series,
        title=f"{core}: mean speed-up of {len(swept.sweep.traces)} workloads, by what is fast",
        xlabel="clock, GHz",
        ylabel=f"speed-up over {ghz(swept.base_clock):g} GHz",
        xscale="log",
        yscale="log",
    )
    save_chart(figure, folder / f"speedup_{core}")


def speedups_by_set(folder: Path, swept: Swept, core: str) -> None:
    """A panel a set: the speed-up of every workload against the clock."""
    clocks = [ghz(c) for c in swept.sweep.clocks]
    figure, panels = grid(len(swept.sweep.sets), f"{core}: speed-up by what is fast", columns=3)
    for panel, domains in zip(panels, swept.sweep.sets, strict=True):
        for colour, workload in zip(COLOURS, swept.sweep.traces, strict=False):
            values = [swept.speedup(workload, core, domains, c) for c in swept.sweep.clocks]
            panel.plot(clocks, values, "o-", color=colour, markersize=2.5, linewidth=1, label=workload)
        panel.plot(clocks, [c / clocks[0] for c in clocks], ":", color="black", linewidth=0.7)
        panel.set_yscale("log")
        logarithmic(panel.yaxis)
        plain(panel, clocks)
        panel.set_title(LABELS[domains], fontsize=9)
    legend(figure, panels)
    panels[-1].set_xlabel("clock, GHz", fontsize=8)
    panels[0].set_ylabel("speed-up; dotted: as the clock", fontsize=8)
    save_chart(figure, folder / f"speedup_{core}_by_set")


def cpi_stacks(folder: Path, swept: Swept, core: str) -> None:
    """A panel a workload: picoseconds an instruction against the clock, by cause, with a fast core alone."""
    domains = swept.sweep.sets[0]
    names = [f"{ghz(c):g}" for c in swept.sweep.clocks]
    title = f"{core}, fast: {LABELS[domains]}: where the time of an instruction goes"
    figure, panels = grid(len(swept.sweep.traces), title)
    for panel, workload in zip(panels, swept.sweep.traces, strict=True):
        bottom = np.zeros(len(names))
        for colour, part in zip(COLOURS, CPI_PARTS, strict=True):
            height = np.array([_part(swept, workload, core, domains, c, part) for c in swept.sweep.clocks])
            if height.any():
                panel.bar(names, height, bottom=bottom, color=colour, label=part, width=0.75)
            bottom += height
        panel.set_title(workload, fontsize=9)
        panel.tick_params(labelsize=7)
    legend(figure, panels, CPI_PARTS)
    panels[0].set_ylabel("ps an instruction", fontsize=8)
    panels[-1].set_xlabel("clock, GHz", fontsize=8)
    save_chart(figure, folder / f"cpi_{core}")


def _part(swept: Swept, workload: str, core: str, domains: str, clock: Any, part: str) -> float:
    timing = swept.timing(workload, core, domains, clock)
    share = timing.cpi_stack[part] / max(1, timing.cycles)
    return share * timing.time / FS_PER_PS / timing.instructions


def wall_fits(folder: Path, swept: Swept, core: str) -> None:
    """A panel a set: run times as dots, and the fitted laws as lines."""
    clocks = [ghz(c) for c in swept.sweep.clocks]
    line = np.geomspace(clocks[0], clocks[-1], 60)
    figure, panels = grid(len(swept.sweep.sets), f"{core}: T = a / f + b", columns=3)
    for panel, domains in zip(panels, swept.sweep.sets, strict=True):
        for colour, workload in zip(COLOURS, swept.sweep.traces, strict=False):
            law = swept.wall(workload, core, domains)
            count = swept.timing(workload, core, domains, swept.base_clock).instructions * FS_PER_PS
            panel.plot(clocks, [t / count for t in law.times], "o", color=colour, markersize=3)
            times = [(law.cycles * 1e6 / f + law.floor) / count for f in line]
            panel.plot(line, times, color=colour, linewidth=0.9, label=workload)
        panel.set_yscale("log")
        logarithmic(panel.yaxis)
        plain(panel, clocks)
        panel.set_title(LABELS[domains], fontsize=9)
    legend(figure, panels)
    panels[0].set_ylabel("ps an instruction", fontsize=8)
    panels[-1].set_xlabel("clock, GHz", fontsize=8)
    save_chart(figure, folder / f"wall_{core}")


def sensitivity_bars(folder: Path, shares: Mapping[str, Mapping[str, float]], core: str, title: str) -> None:
    """Horizontal bars: mean share of the time that each relaxed resource removes; dots are workloads."""
    from matplotlib.figure import Figure

    names = list(next(iter(shares.values())))
    means = {n: float(np.mean([by[n] for by in shares.values()])) for n in names}
    names.sort(key=lambda n: means[n])
    figure = Figure(figsize=(7.2, 0.28 * len(names) + 1.2), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.barh(names, [100 * means[n] for n in names], color="#56B4E9")
    for place, name in enumerate(names):
        axes.plot([100 * by[name] for by in shares.values()], [place] * len(shares), "k.", markersize=3)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("time that goes, %; bar: mean, dots: workloads", fontsize=9)
    axes.tick_params(labelsize=8)
    save_chart(figure, folder / f"sensitivity_{core}")


def rooflines(folder: Path, runs: Mapping[str, Mapping[str, Mapping[str, Point]]], core: str) -> None:
    """A panel a boundary and run: ceilings as lines, workloads as dots."""
    levels = [
        n for n in ("l1d", "l2", "l3", "dram") if any(n in p for by in runs.values() for p in by.values())
    ]
    if not levels:
        return
    figure, panels = grid(len(levels) * len(runs), f"{core}: extended roofline", columns=len(levels))
    place = 0
    for run, by in runs.items():
        for level in levels:
            panel, place = panels[place], place + 1
            points = {w: p[level] for w, p in by.items() if level in p}
            _one_roofline(panel, points)
            panel.set_title(f"{level}, {run}", fontsize=8)
    legend(figure, panels)
    panels[-1].set_xlabel("instructions a byte", fontsize=8)
    panels[0].set_ylabel("1e9 instructions a second", fontsize=8)
    save_chart(figure, folder / f"roofline_{core}")


def _one_roofline(panel: Axes, points: Mapping[str, Point]) -> None:
    if not points:
        return
    limits = next(iter(points.values())).ceilings
    least, most = (f(p.intensity for p in points.values()) for f in (min, max))
    line = np.geomspace(least / 3, most * 3, 60)
    for colour, name in zip(("black", "#0072B2", "#D55E00", "#009E73"), limits.at(1.0), strict=True):
        values = [limits.at(float(x))[name] for x in line]
        panel.plot(line, [v / GIGA for v in values], color=colour, linewidth=0.9, label=name)
    for workload, point in points.items():
        panel.plot(point.intensity, point.performance / GIGA, "o", color="#CC79A7", markersize=3)
        panel.annotate(workload, (point.intensity, point.performance / GIGA), fontsize=5)
    panel.set_xscale("log")
    panel.set_yscale("log")
    logarithmic(panel.xaxis)
    logarithmic(panel.yaxis)
    panel.tick_params(labelsize=7)
