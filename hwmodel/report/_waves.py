"""Layout of a waveform drawing in pixels; `_svg.py` and `_raster.py` draw what is laid out here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from hwmodel.errors import ResultError
from hwmodel.report._axis import TimeAxis, time_axis

if TYPE_CHECKING:
    from hwmodel.kernel import Trace

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
RowKind = Literal["pulse", "line", "bus", "event", "density"]

ROW_HEIGHT = 38  # px from one signal to the next
BAND_TOP, BAND_BOTTOM = 9, 29  # px: where the signal is drawn within its row
HEADER = 30  # px for the time axis above the rows
PAD = 14  # px left and right inside the plot, so that marks on the border are not cut
CHAR = 6.65  # px, width of one character of the name font
VALUE_CHAR = 6.1  # px, of the value font
NOTE_CHAR = 6.2  # px, of the font of notes
LABEL_PAD = 24  # px left and right of the names together
LONGEST_NAME = 34  # characters shown of a signal's name
PX_PER_MARK = 3.0  # denser marks than one per this many px become bars
PX_PER_BAR = 2
FEWEST_OF_BURST, PX_OF_BURST = 8, 2.0  # marks whose median distance is less become bars as well
HEXADECIMAL_FROM = 8  # bits; narrower buses are in decimal


@dataclass(frozen=True)
class Marks:
    """What a signal does within the window, as it was recorded."""

    kind: RowKind  # what it would be drawn as if there were room
    t: Ints  # fs
    values: Ints  # of events; of levels, the one before the window first
    hexadecimal: bool = False


@dataclass(frozen=True)
class Row:
    """One signal, laid out; x in px within the plot."""

    name: str
    kind: RowKind
    note: str  # counts, shown small under the name
    marks: Marks
    x: Floats  # pulses, events, or the borders of a bus's or line's segments (one more than values)
    values: tuple[int, ...] = ()  # of events or segments
    texts: tuple[str, ...] = ()  # of events or segments, "" where there is no room
    bars: Floats | None = None  # heights 0..1 of density bars


@dataclass(frozen=True)
class Waves:
    """A whole drawing, laid out."""

    rows: tuple[Row, ...]
    start: int  # fs
    end: int  # fs
    width: int  # px in all
    label_width: int  # px for the names
    axis: TimeAxis

    @property
    def plot_width(self) -> int:
        """Width beside the labels, px."""
        return self.width - self.label_width

    @property
    def height(self) -> int:
        """Height of the whole picture, px."""
        return HEADER + ROW_HEIGHT * max(1, len(self.rows)) + 6

    def note_of(self, row: Row) -> str:
        """A row's note, cut where the column is too narrow for it."""
        fits = int((self.label_width - LABEL_PAD) / NOTE_CHAR)
        return row.note if len(row.note) <= fits else row.note[: fits - 1] + "…"

    def x_of(self, t: int) -> float:
        """The place (px within the plot) of a time (fs)."""
        return PAD + (t - self.start) * (self.plot_width - 2 * PAD) / (self.end - self.start)


def lay_out(traces: Sequence[Trace], start: int, end: int, width: int) -> Waves:
    """Place the signals of a window.

    Parameters:
        traces: the signals, top to bottom.
        start, end: the window in fs, both ends shown.
        width: of the whole drawing in px.

    Raises:
        ResultError: the window is empty or the drawing too narrow for the names.
    """
    if not 0 <= start < end:
        raise ResultError(f"the window from {start} fs to {end} fs is empty; give start < end, both from 0")
    names = [short_name(trace.name) for trace in traces]
    label_width = LABEL_PAD + int(CHAR * max([len(name) for name in names] + [12]))
    if width < label_width + 100:
        raise ResultError(
            f"width={width} px leaves no room beside the signal names; give at least {label_width + 100}"
        )
    while True:
        axis = time_axis(start, end, count=max(2, (width - label_width) // 90))
        frame = Waves((), start, end, width, label_width, axis)
        rows = tuple(_row(trace, frame) for trace in traces)
        longest = math.ceil(NOTE_CHAR * max((len(row.note) for row in rows), default=0))
        # Notes may take up to half of the picture; what they say depends on the room that they leave.
        wanted = min(LABEL_PAD + longest, width // 2)
        if wanted <= label_width:
            return Waves(rows, start, end, width, label_width, axis)
        label_width = wanted


def short_name(name: str) -> str:
    """The name, cut on the left where it is too long: the last part tells most."""
    return name if len(name) <= LONGEST_NAME else "…" + name[-LONGEST_NAME + 1 :]


def count_text(number: int, noun: str) -> str:
    """ "1 pulse", "12 345 pulses"."""
    digits = f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")
    return f"{digits} {noun}{'' if number == 1 else 's'}"


def _row(trace: Trace, frame: Waves) -> Row:
    first = int(np.searchsorted(trace.t, frame.start, side="left"))
    last = int(np.searchsorted(trace.t, frame.end, side="right"))
    t = np.asarray(trace.t[first:last])
    usable = frame.plot_width - 2 * PAD
    x = PAD + (t - frame.start).astype(np.float64) * (usable / (frame.end - frame.start))
    noun = {"pulse": "pulse", "event": "event"}.get(trace.kind, "change")
    note = count_text(len(t), noun)
    marks = _marks(trace, t, first, last)
    if len(t) > usable / PX_PER_MARK or (trace.kind != "level" and _bursts(x)):
        return _density_row(trace.name, note, marks, x, usable)
    if marks.kind == "pulse":
        return Row(trace.name, "pulse", note, marks, x)
    if marks.kind == "event":
        numbers = tuple(marks.values.tolist())
        gaps = np.diff(np.append(x, usable + 2 * PAD)) - 9
        return Row(
            trace.name, "event", note, marks, x, numbers, _fitting(tuple(str(v) for v in numbers), gaps)
        )
    borders, held = _segments(np.concatenate([[PAD], x, [PAD + usable]]), marks.values)
    if marks.kind == "line":
        return Row(trace.name, "line", note, marks, borders, held)
    texts = tuple(f"0x{v:x}" if marks.hexadecimal and v >= 0 else str(v) for v in held)
    return Row(trace.name, "bus", note, marks, borders, held, _fitting(texts, np.diff(borders) - 8))


def _marks(trace: Trace, t: Ints, first: int, last: int) -> Marks:
    if trace.kind == "pulse":
        return Marks("pulse", t, np.zeros(0, np.int64))
    values = np.asarray(trace.value[first:last], np.int64)
    if trace.kind == "event":
        return Marks("event", t, values)
    before = int(trace.initial) if first == 0 else int(trace.value[first - 1])
    held = np.append(np.int64(before), values)
    return Marks("line" if trace.width == 1 else "bus", t, held, trace.width >= HEXADECIMAL_FROM)


def _bursts(x: Floats) -> bool:
    """Whether most marks lie so near to the next one that they would run together to a bar."""
    return len(x) >= FEWEST_OF_BURST and bool(np.median(np.diff(x)) < PX_OF_BURST)


def _segments(borders: Floats, values: npt.NDArray[np.int64]) -> tuple[Floats, tuple[int, ...]]:
    """Drop segments of no width (several changes in one femtosecond: the last one counts)."""
    keep = np.diff(borders) > 0
    return np.append(borders[:-1][keep], borders[-1]), tuple(int(v) for v in values[keep])


def _density_row(name: str, note: str, marks: Marks, x: Floats, usable: int) -> Row:
    bars = usable // PX_PER_BAR
    place = np.minimum(((x - PAD) / PX_PER_BAR).astype(np.int64), bars - 1)
    counts = np.bincount(place, minlength=bars)
    most = int(counts.max())
    return Row(name, "density", f"{note}, ≤ {most} a bar", marks, np.empty(0), bars=counts / most)


def _fitting(texts: tuple[str, ...], room: Floats) -> tuple[str, ...]:
    return tuple(text if len(text) * VALUE_CHAR <= gap else "" for text, gap in zip(texts, room, strict=True))
