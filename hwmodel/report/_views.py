"""Which signals of which stretch of a run a page draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwmodel.errors import ResultError
from hwmodel.report._select import select_traces
from hwmodel.report._svg import draw_waves
from hwmodel.units import Time, TimeLike, format_time, to_fs

if TYPE_CHECKING:
    from hwmodel.kernel import Result

__all__ = ["View"]

MOST_WAVES = 48  # signals drawn; the VCD file has them all
MOST_VIEWS = 24


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
    return [_draw(result, View("Whole run"), overview), *(_draw(result, view, overview) for view in asked)]


def _as_view(view: ViewLike) -> View:
    if isinstance(view, View):
        return view
    if isinstance(view, tuple) and len(view) in (3, 4) and isinstance(view[0], str):
        return View(*view)
    raise ResultError(f"views: {view!r} is no view; give (title, start, end), or with signals, or View(...)")


def _draw(result: Result, view: View, overview: list[str]) -> DrawnView:
    wanted = overview if view.signals is None else [t.name for t in select_traces(result, list(view.signals))]
    start = 0 if view.start is None else to_fs(view.start, f"start of the view '{view.title}'")
    until = max(int(result.until), 1)
    end = until if view.end is None else to_fs(view.end, f"end of the view '{view.title}'")
    if not 0 <= start < min(end, until):
        raise ResultError(
            f"view '{view.title}' from {format_time(start)} to {format_time(end)}: give a start before the end, and "
            f"before the end of the run at {format_time(until)}"
        )
    shown = wanted[:MOST_WAVES]
    owners: dict[str, list[str]] = {}
    for name in shown:
        owner, _, short = name.rpartition(".")
        owners.setdefault(owner, []).append(short)
    svg = draw_waves(result, shown, Time(start), Time(end))
    span = f"{format_time(start)} to {format_time(end)}: {format_time(end - start)}"
    signals = tuple((owner, ", ".join(names)) for owner, names in owners.items())
    return DrawnView(view.title, span, svg, signals, len(wanted) - len(shown))
