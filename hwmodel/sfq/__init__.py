"""Superconducting single-flux-quantum (SFQ) circuits.

Pulse-level netlists are here; stochastic neural networks of them are in `hwmodel.sfq.neuro`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwmodel.sfq.pulse import (
    Cell,
    Hold,
    Library,
    Netlist,
    Policy,
    Transition,
    Violation,
    Wire,
    library,
    read_stimulus,
    simulate_reference,
    write_stimulus_csv,
)

if TYPE_CHECKING:
    from hwmodel.sfq.pulse import PulseEngine as PulseEngine

__all__ = [
    "Cell",
    "Hold",
    "Library",
    "Netlist",
    "Policy",
    "PulseEngine",
    "Transition",
    "Violation",
    "Wire",
    "library",
    "read_stimulus",
    "simulate_reference",
    "write_stimulus_csv",
]


def __getattr__(name: str) -> Any:
    if name == "PulseEngine":
        from hwmodel.sfq import pulse

        return pulse.PulseEngine
    raise AttributeError(f"module 'hwmodel.sfq' has no attribute '{name}'")
