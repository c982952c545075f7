"""Results that are worked out ahead of time and given out one by one."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy.typing as npt


class Stretch:
    """Results of a chip up to a time, as long as no setting changes.

    Parameters:
        hits: of type HIT, in order of time, shape (n,).
        end: fs; all results with t < `end` are among them.
    """

    __slots__ = ("_at", "_hits", "_times", "end")

    def __init__(self, hits: npt.NDArray[Any], end: int) -> None:
        self.end = end
        self._hits = hits
        self._times: list[int] = hits["t"].tolist()
        self._at = 0

    def take(self, t: int) -> npt.NDArray[Any]:
        """Remove and return the results before `t` fs, which is not after the end."""
        first = self._at
        self._at = bisect_left(self._times, t, first)
        return self._hits[first : self._at]

    def next(self, n: int = 1) -> int:
        """Time of the n-th result from now, or the end, fs."""
        at = self._at + n - 1
        return self._times[at] if at < len(self._times) else self.end
