"""Time axes: round steps in whole femtoseconds and labels in a fitting unit."""

from __future__ import annotations

from dataclasses import dataclass

from hwmodel.units import format_time

UNITS: tuple[tuple[str, int], ...] = (
    ("s", 10**15),
    ("ms", 10**12),
    ("µs", 10**9),
    ("ns", 10**6),
    ("ps", 10**3),
    ("fs", 1),
)
LONGEST = 10_000  # of a label; greater ones are counted from a round time


@dataclass(frozen=True)
class TimeAxis:
    """Tick times (fs) and their labels between two times, all in one unit; `base` is to be added to the labels."""

    unit: str
    unit_fs: int
    times: tuple[int, ...]
    labels: tuple[str, ...]
    base: int = 0

    def text(self, number: int) -> str:
        """The label of a tick; the first one has the unit, and what is to be added where that is not 0."""
        label = self.labels[number]
        if number:
            return f"+{label}" if self.base else label
        return f"{format_time(self.base)} +{label} {self.unit}" if self.base else f"{label} {self.unit}"


def nice_step(span: int, count: int) -> int:
    """The smallest of 1, 2, 5 times a power of ten that cuts `span` into at most `count` parts."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor * count >= span:
                return step * factor
        step *= 10


def time_axis(start: int, end: int, count: int = 10) -> TimeAxis:
    """Choose ticks for a window.

    Parameters:
        start, end: the window in fs, start < end.
        count: at most this many steps.
    """
    step = nice_step(end - start, count)
    unit, unit_fs = next(
        (pair for pair in UNITS if pair[1] <= end and _decimals(step, pair[1]) <= 2), UNITS[-1]
    )
    first = -(-start // step) * step
    base = 0
    if end >= LONGEST * unit_fs:
        # A short stretch late in a run: ticks count from a round time before it.
        base = start // (1000 * unit_fs) * (1000 * unit_fs)
        if end - base >= LONGEST * unit_fs:
            base = first
    times = tuple(range(first, end + 1, step))
    digits = _decimals(step, unit_fs)
    return TimeAxis(unit, unit_fs, times, tuple(_label(t - base, unit_fs, digits) for t in times), base)


def _decimals(step: int, unit_fs: int) -> int:
    """Digits after the point that multiples of `step` need in a unit."""
    digits = 0
    while step * 10**digits % unit_fs:
        digits += 1
    return digits


def _label(t: int, unit_fs: int, digits: int) -> str:
    whole, rest = divmod(t, unit_fs)
    return f"{whole}.{rest * 10**digits // unit_fs:0{digits}d}" if digits else str(whole)
