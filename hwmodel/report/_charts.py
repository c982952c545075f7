"""Charts of results in one style, equal files for equal data.

matplotlib is used without pyplot: no window, no global state, nothing to close. It is loaded at the first
chart, because its import takes longer than most of the drawing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import ResultError
from hwmodel.kernel.files import replaced_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bar_chart", "histogram_chart", "line_chart", "save_chart"]

Numbers = Sequence[float] | npt.NDArray[Any]

# The palette of Okabe and Ito (2008), darkest first, without its yellow, which is too faint for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", ":", "-.")
STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#7b8794",
    "axes.labelcolor": "#16202c",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.color": "#4a5563",
    "ytick.color": "#4a5563",
    "grid.color": "#e3e7ec",
    "grid.linewidth": 0.8,
    "text.parse_math": False,
    "svg.hashsalt": "hwmodel",
    "svg.fonttype": "path",
    "path.simplify": True,
}
DPI = 150
MOST_DOTS = 60  # points of a line that are marked one by one


@contextlib.contextmanager
def _style() -> Iterator[None]:
    import matplotlib as mpl

    # The user's own matplotlib settings must not change a report.
    settings: dict[Any, Any] = {**dict(mpl.rcParamsDefault.items()), **STYLE, "backend": "agg"}
    with mpl.rc_context(settings):
        yield


def _figure(title: str, xlabel: str, ylabel: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(axis="y")
    return figure, axes


def line_chart(
    series: Mapping[str, tuple[Numbers, ...]],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
    markers: bool = True,
    size: tuple[float, float] = (7.2, 4.0),
) -> Figure:
    """Draw one line a series, named at its right end.

    Parameters:
        series: name -> (x, y) or (x, y, error); the error (one standard deviation or any half width)
            is drawn as bars. Values that are not finite leave a gap.
        title, xlabel, ylabel: texts; give units in the labels.
        xscale, yscale: "linear" or "log".
        markers: whether each point gets a dot.
        size: of the chart in inches.

    Raises:
        ResultError: a series' arrays differ in length, or there are none.

    Example:
        >>> from hwmodel.report import line_chart
        >>> figure = line_chart({"rate": ([16, 64], [0.4, 0.5])}, xlabel="window", xscale="log")
    """
    if not series:
        raise ResultError("a line chart needs at least one series; `series` is empty")
    with _style():
        figure, axes = _figure(title, xlabel, ylabel, size)
        axes.set_xscale(xscale)
        axes.set_yscale(yscale)
        _plain_ticks(axes, series)
        ends: list[tuple[float, float, str, str]] = []
        for i, (name, columns) in enumerate(series.items()):
            x, y, error = _columns(name, columns)
            colour = PALETTE[i % len(PALETTE)]
            look: dict[str, Any] = {
                "color": colour,
                "linestyle": DASHES[(i // len(PALETTE)) % len(DASHES)],
                "linewidth": 1.8,
            }
            if markers and len(x) <= MOST_DOTS:
                look |= {"marker": "o", "markersize": 4}
            axes.errorbar(x, y, yerr=error, capsize=2, elinewidth=1, **look)
            visible = np.isfinite(x) & np.isfinite(y)
            if visible.any():
                ends.append((float(x[visible][-1]), float(y[visible][-1]), name, colour))
        _label_ends(axes, ends)
    return figure


def _plain_ticks(axes: Axes, series: Mapping[str, tuple[Numbers, ...]]) -> None:
    """Write the ticks of logarithmic axes as plain numbers; few x values are themselves the ticks."""
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    points = sorted({float(x) for columns in series.values() for x in columns[0]})
    if axes.get_xscale() == "log" and len(points) <= 8:
        axes.set_xticks(points)
        axes.xaxis.set_minor_locator(NullLocator())


def _columns(
    name: str, columns: tuple[Numbers, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    if len(arrays) not in (2, 3) or len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ResultError(f"series '{name}' needs (x, y) or (x, y, error) of one length, not shapes {shapes}")
    return arrays[0], arrays[1], arrays[2] if len(arrays) == 3 else None


def _label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each line's name right of its end, moved apart where they would overlap."""
    if not ends:
        return
    to_screen = axes.transData.transform
    axes.autoscale_view()
    step = 13.0 * axes.figure.dpi / 72
    places = sorted((float(to_screen((x, y))[1]), x, y, name, colour) for x, y, name, colour in ends)
    placed: list[float] = []
    for wanted, *_ in places:
        placed.append(wanted if not placed else max(wanted, placed[-1] + step))
    shift = sum(p - w[0] for p, w in zip(placed, places, strict=True)) / len(placed)
    for height, (wanted, x, y, name, colour) in zip(placed, places, strict=True):
        offset = (height - shift - wanted) * 72 / axes.figure.dpi
        axes.annotate(
            name,
            (x, y),
            xytext=(8, offset),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            fontsize=9,
            annotation_clip=False,
        )


def histogram_chart(
    distributions: Mapping[str, Numbers],
    *,
    bins: int = 40,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "share of runs",
    threshold: float | None = None,
    size: tuple[float, float] = (7.2, 4.0),
) -> Figure:
    """Draw several distributions over one axis, each named above its peak.

    Parameters:
        distributions: name -> samples. All share the same bins; heights are shares, so that
            distributions of different size compare.
        bins: over the whole range.
        threshold: a value to mark with a vertical line, for example where a decision falls.
        title, xlabel, ylabel, size: as for `line_chart`.

    Raises:
        ResultError: there are no samples, or one is not finite.

    Example:
        >>> from hwmodel.report import histogram_chart
        >>> figure = histogram_chart({"00": [0.1, 0.12], "01": [0.8, 0.9]}, xlabel="output rate")
    """
    samples = {name: np.asarray(values, dtype=np.float64).ravel() for name, values in distributions.items()}
    if not samples or any(len(values) == 0 for values in samples.values()):
        raise ResultError("a histogram needs samples in each distribution; leave empty ones out")
    for name, values in samples.items():
        if not np.isfinite(values).all():
            raise ResultError(f"distribution '{name}' holds values that are not finite; remove them first")
    together = np.concatenate(list(samples.values()))
    edges = np.histogram_bin_edges(together, bins=bins)
    with _style():
        figure, axes = _figure(title, xlabel, ylabel, size)
        peaks = []
        for i, (name, values) in enumerate(samples.items()):
            share = np.histogram(values, edges)[0] / len(values)
            colour = PALETTE[i % len(PALETTE)]
            axes.stairs(share, edges, color=colour, linewidth=1.6)
            axes.stairs(share, edges, color=colour, alpha=0.22, fill=True)
            top = int(share.argmax())
            peaks.append((float(edges[top] + edges[top + 1]) / 2, float(share[top]), name, colour))
        highest = max(peak[1] for peak in peaks)
        axes.set_ylim(0, highest * (1.12 + 0.07 * len(peaks)))
        if threshold is not None:
            axes.axvline(threshold, color="#4a5563", linestyle="--", linewidth=1)
            axes.annotate(
                f"threshold {threshold:.4g}",
                (threshold, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, -2),
                textcoords="offset points",
                va="top",
                fontsize=8,
                color="#4a5563",
            )
        _label_peaks(axes, peaks, edges)
    return figure


def _label_peaks(
    axes: Axes, peaks: Sequence[tuple[float, float, str, str]], edges: npt.NDArray[np.float64]
) -> None:
    """Write names above the peaks, one line higher where a neighbour is too near."""
    near = float(edges[-1] - edges[0]) * 0.12
    line = float(axes.get_ylim()[1]) * 0.06
    placed: list[tuple[float, float]] = []
    for x, y, name, colour in sorted(peaks, key=lambda peak: peak[1]):
        for other_x, other_y in sorted(placed, key=lambda p: p[1]):
            if abs(x - other_x) < near and abs(y - other_y) < line:
                y = other_y + line
        placed.append((x, y))
        axes.annotate(
            name,
            (x, y),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontweight="bold",
            fontsize=9,
        )


def bar_chart(
    values: Mapping[str, float] | Mapping[str, Mapping[str, float]],
    *,
    errors: Mapping[str, float] | Mapping[str, Mapping[str, float]] | None = None,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    size: tuple[float, float] = (7.2, 4.0),
) -> Figure:
    """Draw bars, one a key, or groups of bars side by side, with their values above.

    Parameters:
        values: key -> height, or series -> {key -> height} for groups.
        errors: half widths of error bars in the same shape; series and keys may be missing.
        title, xlabel, ylabel, size: as for `line_chart`.

    Raises:
        ResultError: there are no bars.

    Example:
        >>> from hwmodel.report import bar_chart
        >>> figure = bar_chart({"rate": {"00": 0.1, "01": 0.9}}, errors={"rate": {"01": 0.02}})
    """
    series, spread = _series(values), _series(errors or {})
    keys = list(dict.fromkeys(key for bars in series.values() for key in bars))
    if not keys:
        raise ResultError("a bar chart needs at least one value; `values` is empty")
    with _style():
        figure, axes = _figure(title, xlabel, ylabel, size)
        wide = 0.8 / len(series)
        for i, (name, bars) in enumerate(series.items()):
            shown = [k for k in range(len(keys)) if keys[k] in bars]
            x = np.array(shown) + wide * (i - (len(series) - 1) / 2)
            height = [float(bars[keys[k]]) for k in shown]
            error = [float(spread.get(name, {}).get(keys[k], 0.0)) for k in shown]
            axes.bar(x, height, wide * 0.92, color=PALETTE[i % len(PALETTE)], label=name or None)
            if any(error):
                axes.errorbar(x, height, yerr=error, fmt="none", ecolor="#16202c", elinewidth=1.2, capsize=3)
            if len(keys) * len(series) <= 24:
                for place, value, reach in zip(x, height, error, strict=True):
                    up = value >= 0
                    axes.annotate(
                        f"{value:.3g}",
                        (place, value + (reach if up else -reach)),
                        xytext=(0, 3 if up else -3),
                        textcoords="offset points",
                        ha="center",
                        va="bottom" if up else "top",
                        fontsize=8,
                        color="#16202c",
                    )
        axes.set_xticks(range(len(keys)), keys)
        axes.margins(y=0.12)
        if len(series) > 1:
            # Beside the bars, never over them.
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, borderaxespad=0.2)
    return figure


def _series(values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Groups of bars; a flat mapping is one group without a name."""
    if all(isinstance(value, Mapping) for value in values.values()):
        return {str(name): {str(k): v for k, v in bars.items()} for name, bars in values.items()}
    return {"": {str(key): value for key, value in values.items()}}


def save_chart(figure: Figure, path_without_suffix: str | Path) -> tuple[Path, Path]:
    """Write a chart as .svg and .png; equal charts give equal files.

    Parameters:
        figure: from one of the chart functions, or any matplotlib figure.
        path_without_suffix: "out/rates" gives out/rates.svg and out/rates.png.

    Returns:
        The two paths.

    Raises:
        OutputError: a file cannot be written.
    """
    base = Path(path_without_suffix)
    svg, png = base.with_name(base.name + ".svg"), base.with_name(base.name + ".png")
    # No date, and no library version in the file.
    svg_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with _style():
        with replaced_file(svg) as fresh:
            figure.savefig(fresh, format="svg", metadata=svg_metadata)
        # Laying out takes as long as drawing, and the first file has settled it.
        engine = figure.get_layout_engine()
        figure.set_layout_engine("none")
        try:
            with replaced_file(png) as fresh:
                figure.savefig(fresh, format="png", dpi=DPI, metadata={"Software": None})
        finally:
            figure.set_layout_engine(engine)
    return svg, png
