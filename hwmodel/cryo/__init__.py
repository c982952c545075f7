"""Cryogenic cores and caches: traces, functional caches, timed cores, technology at temperature.

Importing this package loads neither NumPy nor numba; each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwmodel.cryo.clock_sweep import ClockSweep, Swept
    from hwmodel.cryo.config import Bus, Cache, Core, Dram, Machine, Unit, at_clock, cryo_inorder, cryo_ooo
    from hwmodel.cryo.engine import Doorbell, DoorbellStore, Mailbox, TracedCore, TracedCoreSpec
    from hwmodel.cryo.memories import cooled, dram, gate_pipelined
    from hwmodel.cryo.multicore import CoherenceCounts, MultiTiming, simulate_cores
    from hwmodel.cryo.presets import champsim
    from hwmodel.cryo.sampling import Sampled, simulate_samples
    from hwmodel.cryo.technology import (
        Array,
        access_time,
        check_latency,
        cooling_overhead,
        latency_cycles,
        performance_per_watt,
    )
    from hwmodel.cryo.timing import LevelResult, TimedRun, Timing, simulate
    from hwmodel.cryo.toml import load_machine, machine_from
    from hwmodel.cryo.trace import Branch, Chunk, Op, Trace, TraceSource, TraceWriter
    from hwmodel.cryo.trace_formats import convert, open_trace
    from hwmodel.cryo.trace_record import record
    from hwmodel.cryo.wall import Wall, fit_wall

_HOMES = {
    "clock_sweep": ("ClockSweep", "Swept"),
    "wall": ("Wall", "fit_wall"),
    "config": ("Bus", "Cache", "Core", "Dram", "Machine", "Unit", "at_clock", "cryo_inorder", "cryo_ooo"),
    "engine": ("Doorbell", "DoorbellStore", "Mailbox", "TracedCore", "TracedCoreSpec"),
    "memories": ("cooled", "dram", "gate_pipelined"),
    "multicore": ("CoherenceCounts", "MultiTiming", "simulate_cores"),
    "presets": ("champsim",),
    "sampling": ("Sampled", "simulate_samples"),
    "timing": ("LevelResult", "TimedRun", "Timing", "simulate"),
    "technology": (
        "Array",
        "access_time",
        "check_latency",
        "cooling_overhead",
        "latency_cycles",
        "performance_per_watt",
    ),
    "toml": ("load_machine", "machine_from"),
    "trace": ("Branch", "Chunk", "Op", "Trace", "TraceSource", "TraceWriter"),
    "trace_formats": ("convert", "open_trace"),
    "trace_record": ("record",),
}

__all__ = [
    "Array",
    "Branch",
    "Bus",
    "Cache",
    "Chunk",
    "ClockSweep",
    "CoherenceCounts",
    "Core",
    "Doorbell",
    "DoorbellStore",
    "Dram",
    "LevelResult",
    "Machine",
    "Mailbox",
    "MultiTiming",
    "Op",
    "Sampled",
    "Swept",
    "TimedRun",
    "Timing",
    "Trace",
    "TraceSource",
    "TraceWriter",
    "TracedCore",
    "TracedCoreSpec",
    "Unit",
    "Wall",
    "access_time",
    "at_clock",
    "champsim",
    "check_latency",
    "convert",
    "cooled",
    "cooling_overhead",
    "cryo_inorder",
    "cryo_ooo",
    "dram",
    "fit_wall",
    "gate_pipelined",
    "latency_cycles",
    "load_machine",
    "machine_from",
    "open_trace",
    "performance_per_watt",
    "record",
    "simulate",
    "simulate_cores",
    "simulate_samples",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"hwmodel.cryo.{home}"), name)
    raise AttributeError(f"module 'hwmodel.cryo' has no attribute '{name}'")
