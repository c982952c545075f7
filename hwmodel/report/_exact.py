"""The exact times of a drawing's marks, for the page's script: a crowded signal is drawn mark by mark when zoomed into."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from hwmodel.report._waves import Marks, Row, Waves

MOST_OF_PAGE = 120_000
"""Marks of crowded signals that a page holds; one takes 3 to 12 characters, with a value up to 30."""

MOST_OF_SIGNAL = 20_000
"""Those of one signal in one view."""


def share(drawings: Iterable[Waves]) -> int:
    """How many marks each crowded signal may keep, so that a page holds MOST_OF_PAGE at most.

    The first ones are kept. Signals that have fewer leave their room to the others.
    """
    counts = sorted(len(row.marks.t) for waves in drawings for row in waves.rows if row.kind == "density")
    room = MOST_OF_PAGE
    for place, count in enumerate(counts):
        each = room // (len(counts) - place)
        if count > each:
            return min(each, MOST_OF_SIGNAL)
        room -= count
    return MOST_OF_SIGNAL


def cut_off(waves: Waves, most: int) -> list[tuple[str, int]]:
    """Crowded signals with more than `most` marks: name, and the time (fs) from which only densities are there."""
    rows = [row for row in waves.rows if row.kind == "density" and len(row.marks.t) > most]
    return [(row.name, int(row.marks.t[most])) for row in rows]


def attributes(row: Row, waves: Waves, most: int) -> str:
    """What the script needs to draw a row anew, as attributes of its group.

    `data-t` has the times after the view's start in fs, each as its distance from the one before, to base 36; `data-v` has
    the values, for levels beginning with that before the view; `data-until` says up to where they are complete.
    """
    marks = row.marks
    kept = most if row.kind == "density" else len(marks.t)
    whole = len(marks.t) <= kept
    until = waves.end - waves.start if whole else int(marks.t[kept]) - waves.start - 1
    text = f' data-kind="{marks.kind}" data-until="{until}" data-t="{_distances(marks, kept, waves.start)}"'
    if marks.kind != "pulse":
        values = marks.values[: kept + (marks.kind != "event")]
        text += f' data-v="{" ".join(map(str, values.tolist()))}"'
    return text + (' data-hex="1"' if marks.hexadecimal else "")


def _distances(marks: Marks, kept: int, start: int) -> str:
    steps: npt.NDArray[np.int64] = np.diff(marks.t[:kept], prepend=start)
    return " ".join(np.base_repr(step, 36) for step in steps.tolist()).lower()
