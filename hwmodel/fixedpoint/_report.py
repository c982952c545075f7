"""What arithmetic did to the numbers: how many were rounded, saturated or wrapped, where, and the first of each.

`active()` is what an operation asks; it is None unless a report is open, so that a report that nobody asked for costs
one look-up.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from hwmodel.errors import FormatError, unknown

if TYPE_CHECKING:
    from hwmodel.fixedpoint._observe import Observer

Number = Fraction | float

LONGEST = 12_000  # bits that Python writes as decimal digits without being asked to
EVENTS = ("rounded", "saturated", "wrapped")
# Operators reach an array through NumPy, and counting is decorated by contextlib: nobody there asked for anything.
# Frames name files as they were found, which through a linked folder is not where they lie.
NOT_THE_USER = (
    *{
        f"{file.parent}{os.sep}"
        for package in (Path(__file__).parent, Path(np.__file__))
        for file in (package, package.resolve())
    },
    contextlib.__file__,
)

_ACTIVE: ContextVar[Observer | None] = ContextVar("fixedpoint_report", default=None)
_SITE: ContextVar[str] = ContextVar("fixedpoint_site", default="")


@dataclass(frozen=True)
class Witness:
    """The first value that something happened to.

    Parameters:
        index: its place in the array; of a sum, the place of the result.
        value: the value before, exactly (a float where the source was one).
        result: the value after.
        step: the step of a sum with a cast at each step, else None.
    """

    index: tuple[int, ...]
    value: Number
    result: Number
    step: int | None = None

    def __str__(self) -> str:
        """As an assignment: place, value, result."""
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        step = "" if self.step is None else f" at step {self.step}"
        return f"x{place}{step} = {_plain(self.value)} -> {_plain(self.result)}"


def _plain(value: Number) -> str:
    """A number as a decimal where that is short and exact, else as a quotient."""
    if isinstance(value, float):
        return repr(value)
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > LONGEST:
        power = value.numerator.bit_length() - value.denominator.bit_length()
        return f"about {'-' if value < 0 else ''}2**{power}"
    short = abs(value.numerator) < 2**53 and value.denominator < 2**53
    return repr(float(value)) if short and Fraction(float(value)) == value else str(value)


@dataclass
class Entry:
    """One operation at one place of the program.

    Parameters:
        site: the name given by `site(...)`, or the file and line that asked for the operation.
        operation: its name: quantize, requantize, +, /, dot, ...
        format: the format of the result, as text.
        seen: values, or casts at the steps of sums.
        rounded: those whose value changed for want of fractional bits.
        saturated: those beyond the range that went to an end, or to zero by SAT_ZERO.
        wrapped: those beyond the range that lost bits at the top.
        least: the least value before the cast; None where nothing was cast.
        greatest: the greatest.
        witnesses: the first value by event.
    """

    site: str
    operation: str
    format: str
    seen: int = 0
    rounded: int = 0
    saturated: int = 0
    wrapped: int = 0
    least: Number | None = None
    greatest: Number | None = None
    witnesses: dict[str, Witness] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give the same as JSON holds it; exact values are text."""
        ends = {k: None if (v := getattr(self, k)) is None else _plain(v) for k in ("least", "greatest")}
        witnesses = {
            event: {
                "index": list(w.index),
                "value": _plain(w.value),
                "result": _plain(w.result),
                "step": w.step,
            }
            for event, w in self.witnesses.items()
        }
        counts = {k: getattr(self, k) for k in ("site", "operation", "format", "seen", *EVENTS)}
        return {**counts, **ends, "witnesses": witnesses}

    def _take(self, other: Entry) -> None:
        """Add the counts of another entry of the same place; its witnesses come later."""
        for name in ("seen", *EVENTS):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, choose in (("least", min), ("greatest", max)):
            both = [v for v in (getattr(self, name), getattr(other, name)) if v is not None]
            setattr(self, name, choose(both) if both else None)
        for event, witness in other.witnesses.items():
            self.witnesses.setdefault(event, witness)


class Report:
    """Counts by place and operation, in the order in which they first came; made by `precision_report()`.

    Example:
        >>> from hwmodel.fixedpoint._array import FixedArray
        >>> from hwmodel.fixedpoint._format import Fixed
        >>> with precision_report() as r, site("input"):
        ...     x = FixedArray.from_float([0.3, 5.0, 1.5], Fixed(8, 3))
        >>> print(r.table())
        site   operation  format         seen  rounded  saturated  wrapped  first
        input  quantize   ap_fixed<8,3>     3        1          0        1  x[1] = 5.0 -> -3.0
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], Entry] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        """Its totals."""
        totals = ", ".join(f"{event} {self.total(event)}" for event in ("seen", *EVENTS))
        return f"<Report: {len(self)} operations; {totals}>"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def entries(self) -> list[Entry]:
        """The entries, in the order in which they first came."""
        with self._lock:
            return list(self._entries.values())

    def total(self, event: str, site: str | None = None) -> int:
        """Give how many values, of all entries or of one site: "seen", "rounded", "saturated" or "wrapped".

        Raises:
            UnknownNameError: for another event, or a site that is not in the report.
        """
        if event not in ("seen", *EVENTS):
            raise unknown("event", event, ("seen", *EVENTS))
        sites = {entry.site for entry in self.entries}
        if site is not None and site not in sites:
            raise unknown("site", site, sites)
        return sum(getattr(entry, event) for entry in self.entries if site in (None, entry.site))

    def add(self, entry: Entry) -> None:
        """Add counts; those of a place and operation that is there already are summed."""
        with self._lock:
            key = (entry.site, entry.operation, entry.format)
            self._entries.setdefault(key, Entry(*key))._take(entry)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON holds it."""
        return {"operations": [entry.to_dict() for entry in self.entries]}

    def table(self, style: str = "text") -> str:
        """Give the counts as a table.

        Parameters:
            style: "text", or "markdown".

        Raises:
            UnknownNameError: for another style.
        """
        if style not in ("text", "markdown"):
            raise unknown("style", style, ("text", "markdown"))
        head = ["site", "operation", "format", "seen", *EVENTS, "first"]
        rows = [
            [e.site, e.operation, e.format, *(str(getattr(e, k)) for k in ("seen", *EVENTS)), _first(e)]
            for e in self.entries
        ]
        if style == "markdown":
            rule = "|---|---|---|--:|--:|--:|--:|---|"
            cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
            lines = [f"| {' | '.join(row)} |" for row in cells]
            return "\n".join([lines[0], rule, *lines[1:]])
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        return "\n".join(
            "  ".join(
                cell.rjust(w) if 3 <= i < 7 else cell.ljust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (head, *rows)
        )

    def warnings(self) -> list[str]:
        """Give one line for each entry in which values left the range, with the remedy.

        Example:
            >>> from hwmodel.fixedpoint._format import Fixed
            >>> from hwmodel.fixedpoint._observe import quantize_reported
            >>> with precision_report() as r, site("input"):
            ...     raw = quantize_reported([0.3, 5.0], Fixed(8, 3))
            >>> print(r.warnings()[0])
            input, quantize to ap_fixed<8,3>: 1 of 2 wrapped, first x[1] = 5.0 -> -3.0; values reach 0.3..5.0: take int_bits=4
        """
        return [
            _warning(e, event)
            for e in self.entries
            for event in ("saturated", "wrapped")
            if getattr(e, event)
        ]


def _first(entry: Entry) -> str:
    """The worst that happened, by its first witness."""
    found = [entry.witnesses[event] for event in reversed(EVENTS) if event in entry.witnesses]
    return str(found[0]) if found else ""


def _warning(entry: Entry, event: str) -> str:
    text = (
        f"{entry.site}, {entry.operation} to {entry.format}: {getattr(entry, event)} of {entry.seen} {event}"
    )
    text += f", first {entry.witnesses[event]}"
    if entry.least is None or entry.greatest is None:
        return text
    text += f"; values reach {_plain(entry.least)}..{_plain(entry.greatest)}"
    if not entry.format.startswith("ap_"):
        return text
    signed = not entry.format.startswith("ap_u")
    if entry.least < 0 and not signed:
        return text + ": take a signed format"
    return text + f": take int_bits={_int_bits(entry.least, entry.greatest, signed)}"


def _int_bits(least: Number, greatest: Number, signed: bool) -> int:
    """Bits left of the point that hold every value; rounding up at the very end may take one more."""
    if float("inf") in (greatest, -least):
        return 1024
    low, high = Fraction(least).__floor__(), Fraction(greatest).__floor__()
    return max(max(high, 0).bit_length(), (-low - 1).bit_length() if low < 0 else 0) + signed


# --------------------------------------------------------------------------------------------- opening and naming


def active() -> Observer | None:
    """Give what an operation tells its numbers to; None where no report is open."""
    return _ACTIVE.get()


@contextlib.contextmanager
def precision_report(into: Report | None = None) -> Iterator[Report]:
    """Collect what the operations inside the block do to their numbers.

    Reports nest: what happens inside counts in both. They are kept by context, so that threads and asynchronous tasks
    do not mix; a thread that is to count in the report of its maker runs in `contextvars.copy_context()`.

    Parameters:
        into: a report to go on with; None begins one.

    Example:
        >>> from hwmodel.fixedpoint._format import Fixed
        >>> from hwmodel.fixedpoint._observe import quantize_reported
        >>> with precision_report() as r:
        ...     raw = quantize_reported([0.3, -7.0], Fixed(8, 3, overflow="SAT"), name="input")
        >>> r.total("rounded"), r.total("saturated")
        (1, 1)
    """
    from hwmodel.fixedpoint._observe import Observer

    collected = Report() if into is None else into
    if not isinstance(collected, Report):
        raise FormatError(
            f"into={into!r} is no Report; leave it out, or pass one that precision_report() gave"
        )
    outer = _ACTIVE.get()
    others = () if outer is None else tuple(r for r in outer.reports if r is not collected)
    token = _ACTIVE.set(Observer((*others, collected)))
    try:
        yield collected
    finally:
        _ACTIVE.reset(token)


@contextlib.contextmanager
def unobserved() -> Iterator[None]:
    """Keep inner operations from counting what an outer one counts itself."""
    token = _ACTIVE.set(None)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


@contextlib.contextmanager
def witnesses_at(place: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Iterator[None]:
    """Give the witnesses of inner operations the places that a function makes of theirs."""
    outer = _ACTIVE.get()
    token = _ACTIVE.set(None if outer is None else outer.at(place))
    try:
        yield
    finally:
        _ACTIVE.reset(token)


@contextlib.contextmanager
def site(name: str) -> Iterator[None]:
    """Name a place of the program for reports; inner names follow outer ones after a slash.

    Example:
        >>> with site("dense1"), site("bias"):
        ...     print(call_site())
        dense1/bias
    """
    if not isinstance(name, str) or not name:
        raise FormatError(f"site {name!r} is no name; give a text that is not empty")
    outer = _SITE.get()
    token = _SITE.set(f"{outer}/{name}" if outer else name)
    try:
        yield
    finally:
        _SITE.reset(token)


def call_site() -> str:
    """Give the name of the place, or the file and line of the user that asked."""
    named = _SITE.get()
    if named:
        return named
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(NOT_THE_USER):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
