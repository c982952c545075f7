"""Compiled reuse distances; importing this loads numba."""

from hwmodel.cryo.cache._distance._kernels import (
    D_COLD,
    D_HEADER,
    D_LINES,
    D_MASK,
    D_NOW,
    D_SHIFT,
    D_TAKEN,
    D_THRESHOLD,
    HASH_BITS,
    distances,
    mixed,
    renumber,
    slot_of,
)

__all__ = [
    "D_COLD",
    "D_HEADER",
    "D_LINES",
    "D_MASK",
    "D_NOW",
    "D_SHIFT",
    "D_TAKEN",
    "D_THRESHOLD",
    "HASH_BITS",
    "distances",
    "mixed",
    "renumber",
    "slot_of",
]
