"""The rate behind a merger: two unsynchronised streams lose the pulses that come too close to one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, unknown
from hwmodel.sfq.pulse import Cell, library
from hwmodel.units import TimeLike, format_time, ps, to_fs

__all__ = ["MergeHolds", "MergeProcess", "merge_rate"]

MergeProcess = Literal["slotted", "poisson"]

_GRID = 64  # nodes over a residual hold time; the error falls with its square, 3e-5 for the densest streams
_RARE = 1e-15  # pulses in a hold time below which a stream does not count beside the other


@dataclass(frozen=True)
class MergeHolds:
    """The four ordered-pair hold times of a merger, fs."""

    aa: int
    ab: int
    ba: int
    bb: int

    @classmethod
    def of(cls, cell: Cell) -> MergeHolds:
        """Read them from a cell with the inputs `a` and `b`."""
        times = {
            (hold.first, hold.second): int(hold.time) for hold in cell.holds if hold.state == cell.initial
        }
        return cls(*(times.get(pair, 0) for pair in (("a", "a"), ("a", "b"), ("b", "a"), ("b", "b"))))


def merge_rate(
    rate_a: float,
    rate_b: float,
    period: TimeLike | None = None,
    *,
    process: MergeProcess = "slotted",
    merger: Cell | None = None,
) -> float:
    """Rate at the output of a merger that drops each pulse which breaks a hold time.

    Parameters
    ----------
    rate_a, rate_b:
        Pulses a period; "slotted": also the probability of a pulse in each slot, so at most 1.
    period:
        The unit of the rates, 100 ps if None.
    process:
        "slotted": each stream has at most one pulse a slot, always at one phase of it; the phases of the two streams
        are uniformly random against each other. "poisson": both streams are Poisson.
    merger:
        Its hold times count; the library's `merge` if None.

    Returns
    -------
    Pulses a period. Slotted: rate_a + rate_b - rate_a rate_b (h_ab + h_ba) / period, exact: of two pulses in one slot
    the second is lost if it comes within h_ab after a, or h_ba after b. Poisson: one over the mean distance of
    accepted pulses, from the stationary distribution of what the last two of them still block.

    Raises
    ------
    SpecError
        A rate out of range, or for slotted streams a period so short that slots disturb one another.

    Source
    ------
    Hold times: RSFQlib v3p0, TimEx, MERGE.

    Example
    -------
    >>> round(merge_rate(1.0, 1.0), 3)        # 4.5 ps of 100 ps
    1.955
    >>> round(merge_rate(0.5, 0.5, process="poisson"), 3)
    0.942
    """
    cell = library("rsfq")["merge"] if merger is None else merger
    holds = MergeHolds.of(cell)
    slot = to_fs(ps(100) if period is None else period, "period")
    if process not in get_args(MergeProcess):
        raise unknown("process", str(process), get_args(MergeProcess))
    _check(rate_a, rate_b, slot, process)
    if process == "poisson":
        return _poisson(rate_a / slot, rate_b / slot, holds) * slot
    shortest = max(holds.aa, holds.bb, holds.ab + holds.ba)
    if slot < shortest:
        raise SpecError(
            f"merge_rate: period={format_time(slot)} is shorter than {format_time(shortest)}, what merger "
            f"{cell.name!r} holds; pulses of neighbouring slots would collide; use process='poisson' or a longer period"
        )
    return rate_a + rate_b - rate_a * rate_b * (holds.ab + holds.ba) / slot


def _check(rate_a: float, rate_b: float, slot: int, process: MergeProcess) -> None:
    for what, rate in (("rate_a", rate_a), ("rate_b", rate_b)):
        if not 0.0 <= rate < np.inf or (process == "slotted" and rate > 1.0):
            most = " and at most 1 for slotted streams" if process == "slotted" else ""
            raise SpecError(f"merge_rate: {what}={rate!r} must be 0 or more{most}")
    if slot <= 0:
        raise SpecError(f"merge_rate: period={format_time(slot)} must be greater than 0")


def _poisson(rate_a: float, rate_b: float, holds: MergeHolds) -> float:
    """Accepted pulses a femtosecond.

    State after an accepted pulse of kind x: how long the other kind y stays blocked, s >= h_xy (x itself is blocked for
    h_xx). Whichever kind is free first may be accepted alone until the other is free too, then the two race.
    """
    if min(rate_a * holds.aa, rate_b * holds.bb) < _RARE:
        rate, dead = (rate_b, holds.bb) if rate_a * holds.aa < rate_b * holds.bb else (rate_a, holds.aa)
        return rate / (1.0 + rate * dead)
    rates = (rate_a, rate_b)
    own = (holds.aa, holds.bb)
    cross = (holds.ab, holds.ba)
    # nodes[x]: the residual block of the other kind after an accepted x, from h_xy up to h_yy.
    nodes = [np.linspace(cross[x], max(cross[x], own[1 - x]), _GRID) for x in (0, 1)]
    chance = np.zeros((2 * _GRID, 2 * _GRID))
    mean = np.zeros(2 * _GRID)
    for x in (0, 1):
        for n, blocked in enumerate(nodes[x]):
            row = x * _GRID + n
            early = 1 - x if blocked < own[x] else x  # the kind that is free first
            first, both = sorted((float(blocked), float(own[x])))
            lonely = np.exp(-rates[early] * (both - first))
            mean[row] = first + (1.0 - lonely) / rates[early] + lonely / (rate_a + rate_b)
            # Accepted alone at time u: what it still blocks of the other kind is `both - u`, at least the cross hold.
            chance[row] += _spread(nodes[early], early, float(cross[early]), both - first, rates[early])
            for y in (0, 1):
                chance[row, y * _GRID] += lonely * rates[y] / (rate_a + rate_b)
    # The stationary distribution; its equations have one too many, and the sum of 1 takes the place of the last.
    balance = chance.T - np.eye(2 * _GRID)
    balance[-1] = 1.0
    target = np.zeros(2 * _GRID)
    target[-1] = 1.0
    share = np.linalg.solve(balance, target)
    return float(1.0 / (share @ mean))


def _spread(
    nodes: npt.NDArray[np.float64], kind: int, least: float, span: float, rate: float
) -> npt.NDArray[np.float64]:
    """Probability of each node of `kind` when an exponential wait u < `span` leaves max(`least`, span - u).

    The density over the residual is rate exp(-rate (span - residual)); each interval's mass goes to its two ends in
    the proportion that keeps the mean.
    """
    result = np.zeros(2 * _GRID)
    part = result[kind * _GRID : (kind + 1) * _GRID]
    if span <= least or nodes[-1] <= nodes[0]:
        part[0] = 1.0 - np.exp(-rate * span)
        return result
    edges = np.clip(nodes, least, span)
    below = np.exp(-rate * (span - edges))  # P(residual < edge) without the atom's lower bound
    part[0] += below[0] - np.exp(-rate * span)
    mass = np.diff(below)
    width = np.diff(nodes)
    # First moment of the residual in each interval, by parts.
    moment = edges[1:] * below[1:] - edges[:-1] * below[:-1] - mass / rate
    upper = np.where(mass > 0.0, (moment - mass * nodes[:-1]) / width, 0.0)
    part[1:] += upper
    part[:-1] += mass - upper
    return result
