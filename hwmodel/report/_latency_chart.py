"""Histograms of latencies as one self-contained SVG, equal text for equal latencies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwmodel.errors import ResultError
from hwmodel.report._axis import TimeAxis, time_axis
from hwmodel.report._latency import LatencyFigures, Pair, latency_table
from hwmodel.report._svg import axis_anchor, number, xml_text
from hwmodel.report._waves import count_text
from hwmodel.units import format_time

if TYPE_CHECKING:
    from hwmodel.kernel import Result

__all__ = ["draw_latencies"]

PANEL = 124  # px of one pair
PLOT_TOP, PLOT_BOTTOM = 50, 98  # px within a panel
PAD = 16
NARROWEST = 320
PX_PER_BAR = 12
TAIL = 4  # latencies beyond the 99th percentile are gathered where they stretch the axis so many times

STYLE = """
.hw-latency{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-size:10px}
.hw-latency .paper{fill:#fff}.hw-latency .grid{stroke:#e3e7ec}.hw-latency .rest{stroke:#7b8794}
.hw-latency text{fill:#4a5563}.hw-latency .name{fill:#16202c;font-weight:600;font-size:12px}
.hw-latency .bars{fill:#5a93c8}.hw-latency .mark{stroke:#a33b00;stroke-width:1.4}.hw-latency .marktext{fill:#a33b00}
@media screen and (prefers-color-scheme:dark){
.hw-latency .paper{fill:#15191f}.hw-latency .grid{stroke:#2a313b}.hw-latency .rest{stroke:#66717e}
.hw-latency text{fill:#a9b4c0}.hw-latency .name{fill:#e8edf2}.hw-latency .bars{fill:#4f86ba}
.hw-latency .mark{stroke:#f0955a}.hw-latency .marktext{fill:#f0955a}}
""".strip()


@dataclass(frozen=True)
class Histogram:
    """Bars of equal width in whole femtoseconds; what lies past `end` is counted in `beyond`."""

    start: int
    step: int
    counts: tuple[int, ...]
    beyond: int

    @property
    def end(self) -> int:
        """The first femtosecond after the last bar."""
        return self.start + self.step * len(self.counts)


def draw_latencies(result: Result, pairs: Iterable[Pair], width: int = 1000) -> str:
    """Draw a histogram for each pair of signals as an SVG document; "" without pairs.

    The median and the 99th percentile are marked; they are latencies that occurred, see
    `LatencyFigures.quantile`. A long tail is cut and counted.

    Parameters:
        result: a finished run.
        pairs: as for `latency_table`.
        width: of the drawing in px.

    Raises:
        UnknownNameError, ResultError: as for `latencies`; or a width below 320.

    Example:
        >>> from hwmodel.report import draw_latencies
        >>> svg = draw_latencies(result, [("asic.result", "core.inbox")])  # doctest: +SKIP
    """
    if width < NARROWEST:
        raise ResultError(f"draw_latencies(width={width}): give at least {NARROWEST} px")
    table = latency_table(result, pairs)
    return render_latencies(table, width) if table else ""


def render_latencies(table: Sequence[LatencyFigures], width: int) -> str:
    """Draw what was found."""
    height = PANEL * len(table) + 4
    summary = f"Latencies of {count_text(len(table), 'pair')} of signals"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    listing = "; ".join(f"{row.pair.name}: {caption(row)}" for row in table)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hw-latency" role="img" aria-label="{summary}" {size}>',
        f"<title>{summary}</title>",
        f"<desc>{xml_text(listing)}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        *(_panel(row, PANEL * i, width) for i, row in enumerate(table)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def caption(row: LatencyFigures) -> str:
    """What was found, in one line."""
    if not row.count:
        return "none"
    if row.minimum == row.maximum:
        return f"{row.count} times {row.minimum}"
    return f"{row.count} times {row.minimum} to {row.maximum}, median {row.median}, 99 % within {row.p99}"


def histogram(row: LatencyFigures, most: int) -> Histogram:
    """Count latencies in at most `most` bars of equal whole width.

    Parameters:
        row: with at least one latency.
        most: number of bars.
    """
    low, last, high = int(row.minimum), int(row.p99), int(row.maximum)
    if high - low <= TAIL * (last - low) or last == low:
        last = high
    step = -(-(last - low + 1) // most)
    inside = row.sorted_fs[row.sorted_fs <= last]
    counts = np.bincount((inside - low) // step)
    return Histogram(low, step, tuple(counts.tolist()), row.count - len(inside))


def _panel(row: LatencyFigures, y: int, width: int) -> str:
    head = (
        f'<text class="name" x="{PAD}" y="{y + 18}">{xml_text(row.pair.name)}</text>'
        f'<text x="{PAD}" y="{y + 33}">{xml_text(caption(row))}</text>'
    )
    if not row.count:
        return f"<g>{head}</g>"
    room = width - 2 * PAD
    bars = histogram(row, room // PX_PER_BAR)
    # A single latency stands in the middle of a stretch about it.
    spread = max(1, bars.start // 10) if len(bars.counts) == 1 else 0
    start, end = max(0, bars.start - spread), bars.end + spread
    scale = room / (end - start)
    axis = time_axis(start, end, count=max(2, room // 110))
    top, bottom = y + PLOT_TOP, y + PLOT_BOTTOM
    most = max(bars.counts)
    path = "".join(
        f"M{number(PAD + (bars.start + i * bars.step - start) * scale)} {bottom}"
        f"V{number(bottom - max(2.0, count / most * (bottom - top)))}h{number(max(4.0, bars.step * scale - 1))}V{bottom}Z"
        for i, count in enumerate(bars.counts)
        if count
    )
    marks = "".join(
        _mark(text, PAD + (int(value) - start) * scale, top, bottom, width)
        for text, value in (("median", row.median), ("99 %", row.p99))
        if row.minimum != row.maximum and start <= value <= end
    )
    note = f"{bars.beyond} beyond {format_time(bars.end)}, " if bars.beyond else ""
    note += f"≤ {most} a bar"
    return (
        f"<g><title>{xml_text(row.pair.name)}: {xml_text(caption(row))}</title>{head}"
        f'<text x="{width - PAD}" y="{y + 33}" text-anchor="end">{xml_text(note)}</text>'
        f"{_axis(axis, start, scale, top, bottom, width)}"
        f'<path class="bars" d="{path}"/>{marks}</g>'
    )


def _mark(text: str, x: float, top: int, bottom: int, width: int) -> str:
    # The two marks may stand on each other; the median is named left of its line, the other right.
    left = text == "median" and x > 60 or x > width - 60
    anchor, shift = ("end", -4) if left else ("start", 4)
    return (
        f'<path class="mark" d="M{number(x)} {top - 6}V{bottom}"/><text class="marktext" x="{number(x + shift)}" '
        f'y="{top + 2}" text-anchor="{anchor}">{text}</text>'
    )


def _axis(axis: TimeAxis, start: int, scale: float, top: int, bottom: int, width: int) -> str:
    places = [PAD + (t - start) * scale for t in axis.times]
    lines = "".join(f"M{number(x)} {top}V{bottom + 4}" for x in places)
    texts = "".join(
        f'<text x="{number(x)}" y="{bottom + 16}" text-anchor="{axis_anchor(axis, i, x, width)}">{axis.text(i)}</text>'
        for i, x in enumerate(places)
        if not (axis.base and i == 1)
    )
    return f'<path class="grid" d="{lines}"/><path class="rest" d="M{PAD} {bottom}H{width - PAD}"/>{texts}'
