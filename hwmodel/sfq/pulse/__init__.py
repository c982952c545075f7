"""SFQ circuits at pulse level: cells as timed state machines, netlists of them, and the engine that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwmodel.sfq.pulse._cell import Cell, Hold, Policy, Transition
from hwmodel.sfq.pulse._library import Library, library
from hwmodel.sfq.pulse._netlist import Netlist, NetlistSpec
from hwmodel.sfq.pulse._reference import ReferenceRun, simulate_reference
from hwmodel.sfq.pulse._stimulus import read_stimulus, write_stimulus_csv
from hwmodel.sfq.pulse._violations import Violation
from hwmodel.sfq.pulse._wire import Wire

if TYPE_CHECKING:
    from hwmodel.sfq.pulse._engine import PulseEngine as PulseEngine

__all__ = [
    "Cell",
    "Hold",
    "Library",
    "Netlist",
    "NetlistSpec",
    "Policy",
    "PulseEngine",
    "ReferenceRun",
    "Transition",
    "Violation",
    "Wire",
    "library",
    "read_stimulus",
    "simulate_reference",
    "write_stimulus_csv",
]


def __getattr__(name: str) -> Any:
    # The engine needs numba, which takes seconds to import; a netlist loads it when a run begins.
    if name == "PulseEngine":
        from hwmodel.sfq.pulse._engine import PulseEngine

        return PulseEngine
    raise AttributeError(f"module 'hwmodel.sfq.pulse' has no attribute '{name}'")
