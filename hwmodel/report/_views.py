"""Which signals of which stretch of a run a page draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwmodel.errors import ResultError
from hwmodel.report._exact import cut_off, share
from hwmodel.report._select import select_traces
from hwmodel.report._svg import render_waves
from hwmodel.report._waves import Waves, lay_out
from hwmodel.units import TimeLike, format_time, to_fs

if TYPE_CHECKING:
    from hwmodel.kernel import Result

__all__ = ["View"]

MOST_WAVES = 48  # signals drawn; the VCD file has them all
MOST_VIEWS = 24
WIDTH = 1000  # px


@dataclass(frozen=True)
class View:
    """A stretch of a run that a page draws.

    Attributes:
        title: the heading over it.
        start, end: the stretch, for example `us(10)` or "10 us"; None stands for the beginning or the end of the run.
        signals: names of signals, top to bottom, short where unambiguous; None takes those of the overview.

    Example:
        >>> from hwmodel.units import us
        >>> View("one control step", us(10), us(12), ["asic.result", "core.inbox"]).title
        'one control step'
    """

    title: str
    start: TimeLike | None = None
    end: TimeLike | None = None
    signals: Sequence[str] | None = None


ViewLike = (
    View
    | tuple[str, TimeLike | None, TimeLike | None]
    | tuple[str, TimeLike | None, TimeLike | None, Sequence[str]]
)


@dataclass(frozen=True)
class DrawnView:
    """A view as the page shows it."""

    title: str
    span: str
    svg: str
    signals: tuple[tuple[str, str], ...]  # path of a component, names of its signals
    left_out: int
    cut: tuple[tuple[str, str], ...]  # signals whose exact marks end before the view does, and when
    kept: int  # exact marks of each of them


def draw_views(result: Result, signals: Iterable[str] | None, views: Iterable[ViewLike]) -> list[DrawnView]:
    """Draw the whole run, and each view.

    Raises:
        UnknownNameError: a signal was not recorded.
        ResultError: a view is empty, lies after the end of the run, or is no view; or there are too many.
    """
    overview = list(result.traces) if signals is None else [t.name for t in select_traces(result, signals)]
    if not overview:
        return []
    asked = [_as_view(view) for view in views]
    if len(asked) > MOST_VIEWS:
        raise ResultError(
            f"views: {len(asked)} are more than a page shows ({MOST_VIEWS}); leave out the others"
        )
    laid_out = [_lay_out(result, view, overview) for view in [View("Whole run"), *asked]]
    exact = share(waves for _, _, waves in laid_out)
    return [_draw(view, wanted, waves, exact) for view, wanted, waves in laid_out]


def _as_view(view: ViewLike) -> View:
    if isinstance(view, View):
        return view
    if isinstance(view, tuple) and len(view) in (3, 4) and isinstance(view[0], str):
        return View(*view)
    raise ResultError(f"views: {view!r} is no view; give (title, start, end), or with signals, or View(...)")


def _lay_out(result: Result, view: View, overview: list[str]) -> tuple[View, int, Waves]:
    """The view, the number of signals that it asks for, and the drawing of the first of them."""
    wanted = overview if view.signals is None else [t.name for t in select_traces(result, list(view.signals))]
    start = 0 if view.start is None else to_fs(view.start, f"start of the view '{view.title}'")
    until = max(int(result.until), 1)
    end = until if view.end is None else to_fs(view.end, f"end of the view '{view.title}'")
    if not 0 <= start < min(end, until):
        raise ResultError(
            f"view '{view.title}' from {format_time(start)} to {format_time(end)}: give a start before the end, and "
            f"before the end of the run at {format_time(until)}"
        )
    traces = [result.traces[name] for name in wanted[:MOST_WAVES]]
    return view, len(wanted), lay_out(traces, start, end, WIDTH)


def _draw(view: View, wanted: int, waves: Waves, exact: int) -> DrawnView:
    owners: dict[str, list[str]] = {}
    for row in waves.rows:
        owner, _, short = row.name.rpartition(".")
        owners.setdefault(owner, []).append(short)
    start, end = waves.start, waves.end
    span = f"{format_time(start)} to {format_time(end)}: {format_time(end - start)}"
    signals = tuple((owner, ", ".join(names)) for owner, names in owners.items())
    cut = tuple((name, format_time(t)) for name, t in cut_off(waves, exact))
    return DrawnView(
        view.title, span, render_waves(waves, exact), signals, wanted - len(waves.rows), cut, exact
    )
