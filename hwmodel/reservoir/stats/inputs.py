"""Checks of event times, intervals and series, for code that offers statistics of its own."""

from __future__ import annotations

from hwmodel.reservoir.stats._estimate import Floats, intervals_of, series_of, times_of

__all__ = ["Floats", "intervals_of", "series_of", "times_of"]
