"""Cells of a slot-synchronous neuron: what stores the pulses of a slot until the clock reads them."""

from __future__ import annotations

from functools import cache

from hwmodel.errors import SpecError
from hwmodel.sfq.neuro._spec import MAX_THRESHOLD
from hwmodel.sfq.neuro.device import (
    COUNTER_CLK_SET,
    COUNTER_DELAY,
    COUNTER_JJ,
    COUNTER_JJ_PER_LEVEL,
    COUNTER_JJ_RESET,
    COUNTER_RESET_SET,
    COUNTER_SET_CLK,
    COUNTER_SET_RESET,
    COUNTER_SET_SET,
)
from hwmodel.sfq.pulse import Cell, Transition
from hwmodel.units import Time, ps

__all__ = ["counter_cell"]


@cache
def counter_cell(threshold: int) -> Cell:
    """A cell that fires at `clk` when at least `threshold` pulses came at `a` since, and none at `b` after them.

    It stores up to `threshold` flux quanta; `b` empties it, and `clk` reads and empties it. No measured cell of this
    kind was at hand, so size, delay and hold times are estimates from cells that are near.

    Parameters
    ----------
    threshold:
        1 to 16.

    Raises
    ------
    SpecError
        A threshold out of range.

    Example
    -------
    >>> cell = counter_cell(2)
    >>> cell.states, cell.step("2", "clk").fires["q"]
    (('0', '1', '2'), ps(6.3))
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int) or not 1 <= threshold <= MAX_THRESHOLD:
        raise SpecError(f"counter: threshold={threshold!r} must be a whole number from 1 to {MAX_THRESHOLD}")
    states = {
        str(level): {
            "a": Transition(str(min(level + 1, threshold))),
            "b": Transition("0"),
            "clk": Transition("0", {"q": ps(COUNTER_DELAY.value)} if level == threshold else {}),
        }
        for level in range(threshold + 1)
    }
    rules = {
        ("a", "a"): COUNTER_SET_SET,
        ("a", "clk"): COUNTER_SET_CLK,
        ("clk", "a"): COUNTER_CLK_SET,
        ("a", "b"): COUNTER_SET_RESET,
        ("b", "a"): COUNTER_RESET_SET,
    }
    holds: dict[tuple[str, str, str], Time | str] = {
        ("*", *pair): ps(time.value) for pair, time in rules.items()
    }
    junctions = COUNTER_JJ.value + COUNTER_JJ_RESET.value + (threshold - 1) * COUNTER_JJ_PER_LEVEL.value
    return Cell.define(
        f"counter{threshold}",
        inputs="a b clk",
        outputs="q",
        states=states,
        holds=holds,
        jj=int(junctions),
        source=f"{COUNTER_JJ.source}; {COUNTER_DELAY.source}",
        clock="clk",
    )
