"""How long a message takes from one signal to another, in whole femtoseconds.

Nothing here is a float: a quantile is one of the latencies that were found, chosen by its rank.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from hwmodel.errors import ResultError, unknown
from hwmodel.report._select import select_traces
from hwmodel.units import Time, format_time

if TYPE_CHECKING:
    from hwmodel.kernel import Result, Trace

__all__ = ["Latency", "LatencyFigures", "latencies", "latency_table"]

Ints = npt.NDArray[np.int64]
How = Literal["order", "latest", "value"]


@dataclass(frozen=True)
class Latency:
    """A pair of signals whose latency is asked for.

    Attributes:
        source, target: names of recorded signals, short where unambiguous.
        how: which event of the source an event of the target belongs to, see `latencies`.
        offset, unanswered: see `latencies`.
        label: how the pair is called in a report; "source → target" if empty.

    Raises:
        UnknownNameError: `how` is none of the three.

    Example:
        >>> Latency("asic.result", "core.inbox", how="value").name
        'asic.result → core.inbox'
    """

    source: str
    target: str
    how: How = "order"
    offset: int = 0
    unanswered: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise unknown("how", str(self.how), get_args(How))
        if self.offset and self.how != "order":
            raise ResultError(
                f"latency of {self.source} → {self.target}: offset={self.offset} goes with how='order', "
                f"not with how='{self.how}'; leave it out"
            )

    @property
    def name(self) -> str:
        """The label, or what stands for it."""
        return self.label or f"{self.source} → {self.target}"


Pair = Latency | tuple[str, str] | tuple[str, str, How]


@dataclass(frozen=True)
class LatencyFigures:
    """What was found of one pair.

    Attributes:
        pair: what was asked for.
        sorted_fs: every latency in fs, ascending, shape (n,).
        unanswered: events of the source that no event of the target belongs to.
        unmatched: events of the target that belong to none of the source.
    """

    pair: Latency
    sorted_fs: Ints
    unanswered: int
    unmatched: int

    @property
    def count(self) -> int:
        """Number of latencies."""
        return len(self.sorted_fs)

    def quantile(self, part: int, whole: int) -> Time:
        """The latency at a rank: of n sorted ones the number ceil(n * part / whole), counted from 1.

        It is a latency that occurred; between two of them nothing is interpolated. Of an even number the median is so
        the lower one of the middle two.

        Raises:
            ResultError: there is no latency, or the quantile does not lie from above 0 to 1.
        """
        if not 0 < part <= whole:
            raise ResultError(f"quantile({part}, {whole}): give 0 < part <= whole, as in quantile(99, 100)")
        if not self.count:
            raise ResultError(f"latency of {self.pair.name}: there is none, so it has no quantile")
        return Time(int(self.sorted_fs[-(-self.count * part // whole) - 1]))

    @property
    def minimum(self) -> Time:
        """The shortest latency."""
        return self.quantile(1, max(1, self.count))

    @property
    def median(self) -> Time:
        """The quantile 1/2."""
        return self.quantile(1, 2)

    @property
    def p99(self) -> Time:
        """The quantile 99/100."""
        return self.quantile(99, 100)

    @property
    def maximum(self) -> Time:
        """The longest latency."""
        return self.quantile(1, 1)

    def describe(self) -> dict[str, int | None]:
        """Figures for the metrics of a simulation, in fs; None where there is no latency."""
        times = {
            "min_fs": (1, max(1, self.count)),
            "median_fs": (1, 2),
            "p99_fs": (99, 100),
            "max_fs": (1, 1),
        }
        found: dict[str, int | None] = {"count": self.count}
        found |= {name: int(self.quantile(*q)) if self.count else None for name, q in times.items()}
        return found | {"unanswered": self.unanswered, "unmatched": self.unmatched}


def latencies(
    result: Result,
    source: str,
    target: str,
    how: How = "order",
    *,
    offset: int = 0,
    unanswered: int | None = None,
) -> Ints:
    """How long before each event of one signal the event of another signal happened that it belongs to.

    An event is a pulse, a message, or a recorded change of a level. Which event of the source an event of the target
    belongs to is decided by `how`:

    - "order": the n-th to the n-th. What is joined loses nothing, adds nothing and keeps the order.
    - "latest": the last event of the source at or before it. One event may have several answers, or none.
    - "value": the last event of the source at or before it that has the same value, such as a sequence number.

    Parameters:
        result: a finished run.
        source, target: names of recorded signals, short where unambiguous.
        how: "order", "latest" or "value".
        offset: for "order": event n of the target belongs to event n - offset of the source. So the first `offset`
            events of the target belong to none, and the first -offset events of the source have no answer.
        unanswered: how many events of the source may stay without an answer at the end. None allows, for "order",
            those that no longer had the time for the longest latency found, and otherwise any number.

    Returns:
        Femtoseconds, int64, shape (n,), in the order of the target's events; none is negative.

    Raises:
        UnknownNameError: a signal was not recorded.
        ResultError: a signal was sampled by a clock, the numbers of events do not fit, an answer comes before its
            question, or a value was never sent.

    Example:
        >>> import numpy as np
        >>> from hwmodel.kernel import Result, Trace
        >>> nothing = np.array([], np.int64)
        >>> asked = Trace("a.q", "pulse", np.array([100, 200, 300]), nothing)
        >>> given = Trace("b.q", "pulse", np.array([130, 250]), nothing)
        >>> run = Result({"a.q": asked, "b.q": given}, {}, {"until_fs": 310}, "")
        >>> latencies(run, "a.q", "b.q")
        array([30, 50])
    """
    return _match(result, Latency(source, target, how, offset, unanswered)).fs


def latency_table(result: Result, pairs: Iterable[Pair]) -> tuple[LatencyFigures, ...]:
    """Number, smallest, median, 99th percentile and largest latency of pairs of signals.

    Parameters:
        result: a finished run.
        pairs: each a `Latency`, or (source, target), or (source, target, how).

    Raises:
        UnknownNameError, ResultError: as for `latencies`.

    Example:
        >>> from hwmodel.report import latency_table
        >>> for row in latency_table(result, [("asic.result", "core.inbox")]):  # doctest: +SKIP
        ...     print(row.pair.name, row.count, row.median, row.p99)
    """
    table = []
    for pair in pairs:
        asked = as_pair(pair)
        match = _match(result, asked)
        table.append(LatencyFigures(asked, np.sort(match.fs), match.unanswered, match.unmatched))
    return tuple(table)


def as_pair(pair: Pair) -> Latency:
    """The pair as a `Latency`.

    Raises:
        ResultError: neither a `Latency` nor a tuple of two or three texts.
    """
    if isinstance(pair, Latency):
        return pair
    if isinstance(pair, tuple) and len(pair) in (2, 3) and all(isinstance(part, str) for part in pair):
        return Latency(*pair)
    raise ResultError(f"latencies: {pair!r} is no pair of signals; give (source, target) or Latency(...)")


@dataclass(frozen=True)
class _Match:
    """What was found, before it is sorted."""

    fs: Ints
    unanswered: int
    unmatched: int


def _match(result: Result, pair: Latency) -> _Match:
    source, target = (_events(result, name) for name in (pair.source, pair.target))
    if pair.how == "order":
        match = _by_order(result, pair, source, target)
    elif pair.how == "latest":
        match = _by_time(source, target)
    else:
        match = _by_value(pair, source, target)
    if pair.unanswered is not None and match.unanswered > pair.unanswered:
        raise ResultError(
            f"latency of {pair.name}: {match.unanswered} of {len(source)} events of '{source.name}' have no answer, "
            f"more than unanswered={pair.unanswered}"
        )
    return match


def _events(result: Result, name: str) -> Trace:
    (trace,) = select_traces(result, [name])
    sampled = f"{trace.name} @"
    if any(str(text).startswith(sampled) for text in result.manifest.get("watch") or ()):
        raise ResultError(
            f"latency: '{trace.name}' was sampled by a clock, so the times of its events are lost; "
            f"watch '{trace.name}' without a clock"
        )
    return trace


def _by_order(result: Result, pair: Latency, source: Trace, target: Trace) -> _Match:
    asked, given = source.t[max(0, -pair.offset) :], target.t[max(0, pair.offset) :]
    if (more := len(given) - len(asked)) > 0:
        raise ResultError(
            f"latency of {pair.name}: {len(target)} events of '{target.name}' do not fit {len(source)} of "
            f"'{source.name}' with offset={pair.offset}; name the first ones that belong to none "
            f"(offset={pair.offset + more}), or use how='latest' or how='value'"
        )
    found = given - asked[: len(given)]
    if (early := np.flatnonzero(found < 0)).size:
        n = int(early[0])
        answer, question = format_time(int(given[n])), format_time(int(asked[n]))
        raise ResultError(
            f"latency of {pair.name}: event {n + max(0, pair.offset)} of '{target.name}' at {answer} is before event "
            f"{n + max(0, -pair.offset)} of '{source.name}' at {question}, the first being event 0; give another "
            "offset, or use how='latest' or how='value'"
        )
    open_ones = asked[len(given) :]
    longest = int(found.max()) if len(found) else 0
    if pair.unanswered is None and len(found) and len(open_ones):
        waited = int(result.until) - int(open_ones[0])
        if waited > longest:
            raise ResultError(
                f"latency of {pair.name}: {len(open_ones)} of {len(source)} events of '{source.name}' have no "
                f"answer, the first for {format_time(waited)}, and no other took more than {format_time(longest)}: "
                f"events were lost or joined; use how='latest' or how='value', or allow them with unanswered={len(open_ones)}"
            )
    return _Match(found, len(source) - len(found), len(target) - len(found))


def _by_time(source: Trace, target: Trace) -> _Match:
    place = np.searchsorted(source.t, target.t, side="right") - 1
    known = place >= 0
    found = target.t[known] - source.t[place[known]]
    return _Match(found, len(source) - len(np.unique(place[known])), int((~known).sum()))


def _by_value(pair: Latency, source: Trace, target: Trace) -> _Match:
    for trace in (source, target):
        if trace.kind == "pulse":
            raise ResultError(
                f"latency of {pair.name}: pulses of '{trace.name}' have no value; use how='order' or how='latest'"
            )
    if not len(source) or not len(target):
        if len(target):
            _refuse_value(pair, source, target, 0)
        return _Match(np.zeros(0, np.int64), len(source), 0)
    # Sorted by value and, within a value, by time; of equal times the later event comes last.
    order = np.argsort(source.value, kind="stable")
    values, times = source.value[order], source.t[order]
    starts = np.searchsorted(values, target.value, side="left")
    place = np.full(len(target), -1, np.int64)
    for n, (value, t, start) in enumerate(
        zip(target.value.tolist(), target.t.tolist(), starts.tolist(), strict=True)
    ):
        stop = int(np.searchsorted(values, value, side="right"))
        last = start + int(np.searchsorted(times[start:stop], t, side="right")) - 1
        if last < start:
            _refuse_value(pair, source, target, n)
        place[n] = last
    return _Match(target.t - times[place], len(source) - len(np.unique(place)), 0)


def _refuse_value(pair: Latency, source: Trace, target: Trace, n: int) -> None:
    raise ResultError(
        f"latency of {pair.name}: '{target.name}' has {int(target.value[n])} at {format_time(int(target.t[n]))}, a value "
        f"that '{source.name}' did not have by then; both must carry the same value, or use another how"
    )
