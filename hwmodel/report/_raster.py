"""Waveforms as PNG: the layout of `_waves.py` drawn by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwmodel.kernel.files import replaced_file
from hwmodel.report._waves import (
    BAND_BOTTOM,
    BAND_TOP,
    HEADER,
    PAD,
    PX_PER_BAR,
    ROW_HEIGHT,
    Waves,
    short_name,
)

if TYPE_CHECKING:
    from hwmodel.report._waves import Row

DPI = 100
SCALE = 2  # pixels of the file a px of the layout, for sharp text
INK, FAINT, GRID = "#16202c", "#4a5563", "#e3e7ec"
COLOURS = {"pulse": "#0059a8", "event": "#a33b00", "line": "#00694c", "bus": "#00694c", "density": "#5a93c8"}


def save_png(waves: Waves, path: Path) -> None:
    """Write a laid-out drawing as PNG, twice its size in px."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(waves.width / DPI, waves.height / DPI), dpi=DPI * SCALE, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, waves.width)
    axes.set_ylim(waves.height, 0)
    _draw_axis(axes, waves)
    for i, row in enumerate(waves.rows):
        _draw_row(axes, row, waves, HEADER + i * ROW_HEIGHT)
    with replaced_file(path) as fresh:
        figure.savefig(fresh, format="png", metadata={"Software": None})


def _draw_axis(axes: Any, waves: Waves) -> None:
    axis = waves.axis
    for i, t in enumerate(axis.times):
        x = waves.label_width + waves.x_of(t)
        text = "" if axis.base and i == 1 else axis.text(i)
        axes.plot([x, x], [HEADER - 6, waves.height - 6], color=GRID, linewidth=0.7, zorder=0)
        axes.text(
            x, HEADER - 12, text, ha="left" if axis.base and not i else "center", fontsize=7, color=FAINT
        )
    if not waves.rows:
        axes.text(waves.label_width - 10, HEADER + 20, "no signals", ha="right", fontsize=7, color=FAINT)


def _draw_row(axes: Any, row: Row, waves: Waves, y: int) -> None:
    top, bottom, colour = y + BAND_TOP, y + BAND_BOTTOM, COLOURS[row.kind]
    # parse_math off: a name is text, whatever dollar signs it holds.
    name = axes.text(
        waves.label_width - 10,
        y + 18,
        short_name(row.name),
        ha="right",
        fontsize=8,
        family="monospace",
        color=INK,
    )
    name.set_parse_math(False)
    axes.text(waves.label_width - 10, y + 31, waves.note_of(row), ha="right", fontsize=7, color=FAINT)
    x = row.x + waves.label_width
    right = waves.width - PAD
    if row.kind != "line" and row.kind != "bus":
        axes.plot([waves.label_width + PAD, right], [bottom, bottom], color="#c3cad3", linewidth=0.7)
    if row.kind in ("pulse", "event"):
        axes.vlines(x, top, bottom, color=colour, linewidth=1.1)
        axes.plot(
            x,
            [top] * len(x),
            linestyle="",
            marker="o" if row.kind == "pulse" else "s",
            markersize=3.4,
            color=colour,
        )
        for place, text in zip(x, row.texts, strict=False):
            axes.text(place + 6, top + 9, text, fontsize=7, family="monospace", color=INK)
    elif row.kind == "line":
        levels = [top if value else bottom for value in row.values]
        axes.step(x, [*levels, levels[-1]], where="post", color=colour, linewidth=1.1)
    elif row.kind == "bus":
        _draw_bus(axes, row, x, top, bottom)
    elif row.bars is not None:
        places = waves.label_width + PAD + PX_PER_BAR * (0.5 + np.arange(len(row.bars)))
        axes.bar(places, -row.bars * (bottom - top), width=PX_PER_BAR, bottom=bottom, color=colour)


def _draw_bus(axes: Any, row: Row, x: Any, top: int, bottom: int) -> None:
    middle = (top + bottom) / 2
    for left, right, text in zip(x[:-1], x[1:], row.texts, strict=True):
        slant = min(3.0, (right - left) / 2)
        axes.fill(
            [left, left + slant, right - slant, right, right - slant, left + slant],
            [middle, top, top, middle, bottom, bottom],
            facecolor="#eaf4ef",
            edgecolor=COLOURS["bus"],
            linewidth=0.9,
        )
        axes.text(
            (left + right) / 2, middle + 4, text, ha="center", fontsize=7, family="monospace", color=INK
        )
