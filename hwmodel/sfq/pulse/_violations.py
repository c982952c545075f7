"""What is known of a pulse that broke a hold time."""

from __future__ import annotations

from dataclasses import dataclass

from hwmodel.sfq.pulse._cell import Hold
from hwmodel.sfq.pulse._wire import Instance
from hwmodel.units import format_time


@dataclass(frozen=True)
class Violation:
    """One pulse that arrived inside a hold time.

    Attributes:
        cell: path of the instance.
        kind: name of its cell.
        state, first, second: the hold rule: `second` came too soon after `first`, which met the cell in `state`.
        first_t, second_t: times of the two pulses, fs.
        hold: time that must lie between them, fs.
        lost: whether the second pulse was lost.
        place: source line of the instance.
    """

    cell: str
    kind: str
    state: str
    first: str
    second: str
    first_t: int
    second_t: int
    hold: int
    lost: bool
    place: str

    @property
    def shortfall(self) -> int:
        """By how much the second pulse came too early, fs."""
        return self.first_t + self.hold - self.second_t

    def __str__(self) -> str:
        return (
            f"cell {self.cell} ({self.kind}, {self.place}): pulse at {self.second} at t = {format_time(self.second_t)} "
            f"comes {format_time(self.second_t - self.first_t)} after the one at {self.first} at t = "
            f"{format_time(self.first_t)}; in state '{self.state}' the pair {self.first} -> {self.second} must be "
            f"{format_time(self.hold)} apart, it is {format_time(self.shortfall)} short"
        )


def violation_of(instance: Instance, hold: Hold, t: int, shortfall: int, lost: bool) -> Violation:
    """Name a violation from the numbers of the engine."""
    first_t = t + shortfall - int(hold.time)
    return Violation(
        instance.name,
        instance.cell.name,
        hold.state,
        hold.first,
        hold.second,
        first_t,
        t,
        int(hold.time),
        lost,
        instance.place,
    )
