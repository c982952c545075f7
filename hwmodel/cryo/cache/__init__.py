"""Functional caches: hits, misses and writebacks of any hierarchy, without timing.

Importing this loads no numba; the compiled loops are loaded with the first of `Hierarchy`, `CoherentCaches`,
`reuse_distances` and `miss_ratio_curve` that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwmodel.cryo.cache._spec import CacheSpec, Paging, Prefetch, TlbSpec, to_bytes
from hwmodel.cryo.cache._stats import LevelStats, MemoryStats, TlbStats

if TYPE_CHECKING:
    from hwmodel.cryo.cache._coherence import CoherenceStats as CoherenceStats
    from hwmodel.cryo.cache._coherence import CoherentCaches as CoherentCaches
    from hwmodel.cryo.cache._hierarchy import Hierarchy as Hierarchy
    from hwmodel.cryo.cache._reuse import ReuseHistogram as ReuseHistogram
    from hwmodel.cryo.cache._reuse import miss_ratio_curve as miss_ratio_curve
    from hwmodel.cryo.cache._reuse import reuse_distances as reuse_distances

__all__ = [
    "CacheSpec",
    "CoherenceStats",
    "CoherentCaches",
    "Hierarchy",
    "LevelStats",
    "MemoryStats",
    "Paging",
    "Prefetch",
    "ReuseHistogram",
    "TlbSpec",
    "TlbStats",
    "miss_ratio_curve",
    "reuse_distances",
    "to_bytes",
]

_HOMES = {
    "CoherenceStats": "_coherence",
    "CoherentCaches": "_coherence",
    "Hierarchy": "_hierarchy",
    "ReuseHistogram": "_reuse",
    "miss_ratio_curve": "_reuse",
    "reuse_distances": "_reuse",
}


def __getattr__(name: str) -> Any:
    # numba takes seconds to import, so what needs it is loaded when first asked for.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(f"hwmodel.cryo.cache.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'hwmodel.cryo.cache' has no attribute '{name}'")
