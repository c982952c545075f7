"""Whole numbers as arguments."""

from __future__ import annotations

import numpy as np

from hwmodel.errors import SpecError


def check_whole(what: str, value: object, low: int, high: int) -> int:
    """Give a whole number, of Python or NumPy, between two bounds, or refuse it with SpecError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise SpecError(f"{what}={value!r}: give a whole number, {low} to {high}")
    return int(value)
