"""ASIC reservoirs: a SHA-256d pipeline, a hashing chip with its wire, null models, statistics and benchmarks.

Importing this package loads neither NumPy nor numba nor SciPy; each name is fetched when it is first used. Its
subpackages `chip`, `wire`, `stats`, `null` and `tasks` have doors of their own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwmodel.reservoir.capture import (
        EventStore,
        record,
    )
    from hwmodel.reservoir.chip.engine import (
        HashingChip,
        HashingChipSpec,
    )
    from hwmodel.reservoir.chip.model import (
        ChipModel,
    )
    from hwmodel.reservoir.chip.oracle import (
        RealHash,
        SampledHash,
    )
    from hwmodel.reservoir.chip.physics import (
        Physics,
    )
    from hwmodel.reservoir.chips import (
        BM1366,
        BM1370,
        BM1387,
        BM1397,
        PRESETS,
        ChipSpec,
        Figure,
        chip,
        small_chip,
    )
    from hwmodel.reservoir.clock import (
        ClockFit,
        fit_clock,
        read_records,
    )
    from hwmodel.reservoir.driver import (
        AxeOsRail,
        ChainDriver,
        VoltageRail,
    )
    from hwmodel.reservoir.emulator import (
        EmulatedChain,
        Faults,
        PtyChip,
        TcpChip,
        emulated_chain,
    )
    from hwmodel.reservoir.header import (
        BlockHeader,
        difficulties,
        hash_headers,
        midstate,
        scan,
        swap_words,
    )
    from hwmodel.reservoir.job import (
        Job,
    )
    from hwmodel.reservoir.rtl import (
        CompressionSpec,
        MinerSpec,
        RtlDesign,
        emit_chip,
        emit_compression,
        emit_pipeline,
    )
    from hwmodel.reservoir.shares import (
        ShareLog,
        read_shares,
    )

_HOMES = {
    "capture": (
        "EventStore",
        "record",
    ),
    "chip.engine": (
        "HashingChip",
        "HashingChipSpec",
    ),
    "chip.model": ("ChipModel",),
    "chip.oracle": (
        "RealHash",
        "SampledHash",
    ),
    "chip.physics": ("Physics",),
    "chips": (
        "BM1366",
        "BM1370",
        "BM1387",
        "BM1397",
        "PRESETS",
        "ChipSpec",
        "Figure",
        "chip",
        "small_chip",
    ),
    "clock": (
        "ClockFit",
        "fit_clock",
        "read_records",
    ),
    "driver": (
        "AxeOsRail",
        "ChainDriver",
        "VoltageRail",
    ),
    "emulator": (
        "EmulatedChain",
        "Faults",
        "PtyChip",
        "TcpChip",
        "emulated_chain",
    ),
    "header": (
        "BlockHeader",
        "difficulties",
        "hash_headers",
        "midstate",
        "scan",
        "swap_words",
    ),
    "job": ("Job",),
    "rtl": (
        "CompressionSpec",
        "MinerSpec",
        "RtlDesign",
        "emit_chip",
        "emit_compression",
        "emit_pipeline",
    ),
    "shares": (
        "ShareLog",
        "read_shares",
    ),
}

__all__ = [
    "BM1366",
    "BM1370",
    "BM1387",
    "BM1397",
    "PRESETS",
    "AxeOsRail",
    "BlockHeader",
    "ChainDriver",
    "ChipModel",
    "ChipSpec",
    "ClockFit",
    "CompressionSpec",
    "EmulatedChain",
    "EventStore",
    "Faults",
    "Figure",
    "HashingChip",
    "HashingChipSpec",
    "Job",
    "MinerSpec",
    "Physics",
    "PtyChip",
    "RealHash",
    "RtlDesign",
    "SampledHash",
    "ShareLog",
    "TcpChip",
    "VoltageRail",
    "chip",
    "difficulties",
    "emit_chip",
    "emit_compression",
    "emit_pipeline",
    "emulated_chain",
    "fit_clock",
    "hash_headers",
    "midstate",
    "read_records",
    "read_shares",
    "record",
    "scan",
    "small_chip",
    "swap_words",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"hwmodel.reservoir.{home}"), name)
    raise AttributeError(f"module 'hwmodel.reservoir' has no attribute '{name}'")
