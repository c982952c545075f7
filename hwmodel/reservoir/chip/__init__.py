"""A hashing chip: where its hits lie, when they come, what physics does to them, and how they leave by its wire.

Importing this package loads no numba; each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwmodel.reservoir.chip._place import Place
    from hwmodel.reservoir.chip.clock import NonceClock
    from hwmodel.reservoir.chip.delay import AlphaPowerDelay, EkvDelay, ErrorModel, PathHistogram
    from hwmodel.reservoir.chip.engine import (
        ChipResult,
        HashingChip,
        HashingChipSpec,
        pack_result,
        unpack_result,
    )
    from hwmodel.reservoir.chip.model import ChipModel
    from hwmodel.reservoir.chip.oracle import FOUND, HIT, HitOracle, RealHash, SampledHash
    from hwmodel.reservoir.chip.physics import Crystal, Physics, Planted, Throttle
    from hwmodel.reservoir.chip.pll import nearest_frequency, pll_settings
    from hwmodel.reservoir.chip.supply import SupplyNetwork
    from hwmodel.reservoir.chip.thermal import FosterLadder
    from hwmodel.reservoir.chip.uart import Arrivals, Uart, serialise

_HOMES = {
    "_place": ("Place",),
    "clock": ("NonceClock",),
    "delay": ("AlphaPowerDelay", "EkvDelay", "ErrorModel", "PathHistogram"),
    "engine": ("ChipResult", "HashingChip", "HashingChipSpec", "pack_result", "unpack_result"),
    "model": ("ChipModel",),
    "oracle": ("FOUND", "HIT", "HitOracle", "RealHash", "SampledHash"),
    "physics": ("Crystal", "Physics", "Planted", "Throttle"),
    "pll": ("nearest_frequency", "pll_settings"),
    "supply": ("SupplyNetwork",),
    "thermal": ("FosterLadder",),
    "uart": ("Arrivals", "Uart", "serialise"),
}

__all__ = [
    "FOUND",
    "HIT",
    "AlphaPowerDelay",
    "Arrivals",
    "ChipModel",
    "ChipResult",
    "Crystal",
    "EkvDelay",
    "ErrorModel",
    "FosterLadder",
    "HashingChip",
    "HashingChipSpec",
    "HitOracle",
    "NonceClock",
    "PathHistogram",
    "Physics",
    "Place",
    "Planted",
    "RealHash",
    "SampledHash",
    "SupplyNetwork",
    "Throttle",
    "Uart",
    "nearest_frequency",
    "pack_result",
    "pll_settings",
    "serialise",
    "unpack_result",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"hwmodel.reservoir.chip.{home}"), name)
    raise AttributeError(f"module 'hwmodel.reservoir.chip' has no attribute '{name}'")
