"""Waveforms as one self-contained SVG, equal text for equal traces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from hwmodel.errors import OutputError
from hwmodel.kernel.files import write_text
from hwmodel.report._axis import TimeAxis
from hwmodel.report._exact import attributes
from hwmodel.report._select import select_traces
from hwmodel.report._waves import (
    BAND_BOTTOM,
    BAND_TOP,
    HEADER,
    PAD,
    PX_PER_BAR,
    ROW_HEIGHT,
    Row,
    Waves,
    count_text,
    lay_out,
    short_name,
)
from hwmodel.units import Time, format_time, to_fs

if TYPE_CHECKING:
    from hwmodel.kernel import Result

__all__ = ["WavePicture", "draw_waves", "plot"]

AXIS_CHAR = 5.6  # px of a character of a tick's label

# Colours keep a contrast of 4.5:1 on paper of either shade, and differ in lightness for the colour-blind.
STYLE = """
.hw-waves{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-size:10px}
.hw-waves .paper{fill:#fff}.hw-waves .grid{stroke:#e3e7ec;stroke-width:1}.hw-waves .rule{stroke:#c3cad3}
.hw-waves text{fill:#4a5563}.hw-waves .name{fill:#16202c;font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:11px}
.hw-waves .value{fill:#16202c;font-family:ui-monospace,"DejaVu Sans Mono",monospace}
.hw-waves path{fill:none;vector-effect:non-scaling-stroke}.hw-waves .rest{stroke:#c3cad3}
.hw-waves .pulse{stroke:#0059a8;stroke-width:1.5}.hw-waves .head{stroke:#0059a8;stroke-width:5;stroke-linecap:round}
.hw-waves .event{stroke:#a33b00;stroke-width:1.5}.hw-waves .flag{stroke:#a33b00;stroke-width:6;stroke-linecap:square}
.hw-waves .line{stroke:#00694c;stroke-width:1.5}.hw-waves .bus{fill:#eaf4ef;stroke:#00694c;stroke-width:1.2}
.hw-waves .bars{fill:#5a93c8;stroke:none}
@media screen and (prefers-color-scheme:dark){
.hw-waves .paper{fill:#15191f}.hw-waves .grid{stroke:#2a313b}.hw-waves .rule,.hw-waves .rest{stroke:#46505d}
.hw-waves text{fill:#a9b4c0}.hw-waves .name,.hw-waves .value{fill:#e8edf2}
.hw-waves .pulse,.hw-waves .head{stroke:#6db3f2}.hw-waves .event,.hw-waves .flag{stroke:#f0955a}
.hw-waves .line,.hw-waves .bus{stroke:#4cc39a}.hw-waves .bus{fill:#1b2f29}.hw-waves .bars{fill:#4f86ba}}
""".strip()


def draw_waves(
    result: Result,
    signals: Iterable[str] | str | None = None,
    start: Time | str | None = None,
    end: Time | str | None = None,
    width: int = 1000,
) -> str:
    """Draw traces over time as an SVG document.

    Pulses are ticks with a round head, one-bit levels lines, wider levels boxes with their value, events
    flags with theirs. A signal with more marks than the drawing has room for is drawn as bars of counts.

    Parameters:
        result: a finished run.
        signals: names of traces, top to bottom, short where unambiguous; None draws all.
        start, end: the window, for example `ps(20)` or "20 ps"; None stands for the whole run.
        width: of the drawing in px.

    Returns:
        The text of the SVG.

    Raises:
        ResultError: the window is empty, or `width` is too small for the names.

    Example:
        >>> from hwmodel.report import draw_waves
        >>> svg = draw_waves(result, signals=["a", "q"], end="200 ps")  # doctest: +SKIP
    """
    return render_waves(_layout(result, signals, start, end, width))


def _layout(
    result: Result,
    signals: Iterable[str] | str | None,
    start: Time | str | None,
    end: Time | str | None,
    width: int,
) -> Waves:
    traces = select_traces(result, signals)
    first = 0 if start is None else to_fs(start, "start")
    # A run of no length still has a drawing.
    last = max(int(result.until), first + 1) if end is None else to_fs(end, "end")
    return lay_out(traces, first, last, width)


@dataclass(frozen=True)
class WavePicture:
    """A waveform drawing that notebooks show and that can be saved as SVG or PNG."""

    waves: Waves

    @property
    def svg(self) -> str:
        """The text of the SVG."""
        return render_waves(self.waves)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        window = f"{format_time(self.waves.start)} to {format_time(self.waves.end)}"
        return f"<WavePicture of {count_text(len(self.waves.rows), 'signal')}, {window}>"

    def save(self, path: str | Path) -> Path:
        """Write the drawing to a file ending in .svg or .png.

        Raises:
            OutputError: another suffix, or the file cannot be written.
        """
        target = Path(path)
        if target.suffix.lower() == ".svg":
            write_text(target, '<?xml version="1.0" encoding="UTF-8"?>\n' + self.svg)
        elif target.suffix.lower() == ".png":
            from hwmodel.report._raster import save_png

            save_png(self.waves, target)
        else:
            raise OutputError(f"cannot write '{target}': no picture format has this suffix; use .svg or .png")
        return target


def plot(
    result: Result,
    path: str | Path | None = None,
    *,
    signals: Iterable[str] | str | None = None,
    start: Time | str | None = None,
    end: Time | str | None = None,
    width: int = 1000,
) -> WavePicture:
    """Draw traces over time; shown in notebooks, and written to `path` if one is given.

    Parameters:
        result: a finished run.
        path: a file ending in .svg or .png, or None.
        signals, start, end, width: as for `draw_waves`.

    Raises:
        ResultError: the window is empty, or `width` is too small for the names.
        OutputError: the file has another suffix or cannot be written.
    """
    if isinstance(path, (str, Path)) and Path(path).suffix.lower() not in (".svg", ".png"):
        raise OutputError(f"cannot write '{path}': no picture format has this suffix; use .svg or .png")
    picture = WavePicture(_layout(result, signals, start, end, width))
    if path is not None:
        picture.save(path)
    return picture


def render_waves(waves: Waves, exact: int | None = None) -> str:
    """Write a laid-out drawing as SVG.

    Parameters:
        waves: the drawing.
        exact: for a page with the script of `waves.js`: what the script needs to draw other stretches is written too, of a
            crowded signal the first `exact` marks.
    """
    summary = (
        f"Waveforms of {count_text(len(waves.rows), 'signal')} "
        f"from {format_time(waves.start)} to {format_time(waves.end)}"
    )
    height = waves.height
    outer = f'width="{waves.width}" height="{height}" viewBox="0 0 {waves.width} {height}"'
    # The plot is a document of its own, so that zooming in time changes one viewBox and no name.
    inner = (
        f'x="{waves.label_width}" width="{waves.plot_width}" height="{height}" '
        f'viewBox="0 0 {waves.plot_width} {height}" preserveAspectRatio="none" '
        f'data-start="{waves.start}" data-end="{waves.end}" data-pad="{PAD}"'
    )
    xmlns = 'xmlns="http://www.w3.org/2000/svg"'
    parts = [
        f'<svg {xmlns} class="hw-waves" role="img" aria-label="{escape(summary)}" {outer}>',
        f"<title>{escape(summary)}</title>",
        f"<desc>{xml_text('; '.join(f'{row.name}: {row.note}' for row in waves.rows)) or 'no signals'}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{waves.width}" height="{height}"/>',
        _names(waves),
        f'<svg class="hw-plot" {inner}>',
        _axis(waves, waves.axis),
        *(_row(row, HEADER + i * ROW_HEIGHT, waves, exact) for i, row in enumerate(waves.rows)),
        "</svg>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def xml_text(text: str) -> str:
    """Escape text for XML; characters that XML cannot hold become a replacement mark."""
    legal = (
        c
        if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
        else "\ufffd"
        for c in text
    )
    return escape("".join(legal))


def number(value: float) -> str:
    """A coordinate with at most two decimals and no trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _names(waves: Waves) -> str:
    x = waves.label_width - 10
    parts = ['<g text-anchor="end">']
    if not waves.rows:
        parts.append(f'<text x="{x}" y="{HEADER + 20}">no signals</text>')
    for i, row in enumerate(waves.rows):
        y = HEADER + i * ROW_HEIGHT
        parts.append(
            f'<g><title>{xml_text(row.name)}: {xml_text(row.note)}</title><text class="name" x="{x}" y="{y + 18}">'
            f'{xml_text(short_name(row.name))}</text><text x="{x}" y="{y + 31}">{xml_text(waves.note_of(row))}</text></g>'
        )
    parts.append("</g>")
    return "\n".join(parts)


def _axis(waves: Waves, axis: TimeAxis) -> str:
    places = [number(waves.x_of(t)) for t in axis.times]
    lines = "".join(f"M{x} {HEADER - 6}V{waves.height - 6}" for x in places)
    texts = "".join(
        f'<text x="{x}" y="{HEADER - 12}" text-anchor="{axis_anchor(axis, i, waves.x_of(axis.times[i]), waves.plot_width)}">'
        f"{axis.text(i)}</text>"
        for i, x in enumerate(places)
        if not (axis.base and i == 1)  # its place is taken by the long first label
    )
    return (
        f'<g class="hw-axis" data-top="{HEADER - 6}" data-bottom="{waves.height - 6}" data-text="{HEADER - 12}">'
        f'<path class="grid" d="{lines}"/>{texts}</g>'
    )


def axis_anchor(axis: TimeAxis, place: int, x: float, width: float) -> str:
    """Where a tick's label is held, so that it is not cut at the border."""
    half = AXIS_CHAR * len(axis.text(place)) / 2
    if x < half or (axis.base and not place):
        return "start"
    return "end" if x + half > width else "middle"


def _row(row: Row, y: int, waves: Waves, exact: int | None) -> str:
    top, bottom, width = y + BAND_TOP, y + BAND_BOTTOM, waves.plot_width
    if row.kind == "pulse":
        body = _stems(row, "pulse", "head", top, bottom, width)
    elif row.kind == "event":
        body = _stems(row, "event", "flag", top, bottom, width)
    elif row.kind == "line":
        body = _line(row, top, bottom)
    elif row.kind == "bus":
        body = _bus(row, top, bottom)
    else:
        body = _bars(row, bottom, width)
    data = ""
    if exact is not None:
        data = f' data-top="{top}" data-bottom="{bottom}"{attributes(row, waves, exact)}'
    return f"<g{data}><title>{xml_text(row.name)}: {xml_text(row.note)}</title>{body}</g>"


def _stems(row: Row, stem: str, head: str, top: int, bottom: int, width: int) -> str:
    rest = f'<path class="rest" d="M{PAD} {bottom}H{width - PAD}"/>'
    if not len(row.x):
        return rest
    places = [number(x) for x in row.x]
    stems = "".join(f"M{x} {bottom}V{top}" for x in places)
    # A line of no length with a round or square end is a dot that keeps its shape when zoomed.
    heads = "".join(f"M{x} {top}h0" for x in places)
    texts = "".join(
        f'<text class="value" x="{number(x + 6)}" y="{top + 9}">{text}</text>'
        for x, text in zip(row.x, row.texts, strict=False)
        if text
    )
    return f'{rest}<path class="{stem}" d="{stems}"/><path class="{head}" d="{heads}"/>{texts}'


def _line(row: Row, top: int, bottom: int) -> str:
    levels = [top if value else bottom for value in row.values]
    steps = "".join(f"V{level}H{number(end)}" for level, end in zip(levels, row.x[1:], strict=True))
    return f'<path class="line" d="M{number(row.x[0])} {levels[0]}{steps}"/>'


def _bus(row: Row, top: int, bottom: int) -> str:
    middle = (top + bottom) // 2
    shapes, texts = [], []
    for left, right, text in zip(row.x[:-1], row.x[1:], row.texts, strict=True):
        slant = min(3.0, float(right - left) / 2)
        a, b, c, d = (number(v) for v in (left, left + slant, right - slant, right))
        shapes.append(f"M{a} {middle}L{b} {top}H{c}L{d} {middle}L{c} {bottom}H{b}Z")
        if text:
            x = number((left + right) / 2)
            texts.append(f'<text class="value" x="{x}" y="{middle + 4}" text-anchor="middle">{text}</text>')
    return f'<path class="bus" d="{"".join(shapes)}"/>{"".join(texts)}'


def _bars(row: Row, bottom: int, width: int) -> str:
    heights = [] if row.bars is None else row.bars.tolist()
    full = BAND_BOTTOM - BAND_TOP
    outline, last = [f"M{PAD} {bottom}"], 0.0
    for i, height in enumerate(heights):
        if height != last:
            x = PAD + i * PX_PER_BAR
            outline.append(f"H{x}V{number(bottom - height * full)}")
            last = height
    outline.append(f"H{PAD + len(heights) * PX_PER_BAR}V{bottom}Z")
    return (
        f'<path class="rest" d="M{PAD} {bottom}H{width - PAD}"/><path class="bars" d="{"".join(outline)}"/>'
    )
