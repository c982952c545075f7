"""Runs an emitted block in PyRTL, in this process."""

from __future__ import annotations

from typing import Any

from hwmodel.fixedpoint._stream import Player

__all__ = ["simulate"]


def simulate(block: Any, player: Player) -> None:
    """Step a block with the streaming interface until the player has seen enough.

    Parameters:
        block: PyRTL block of a design.
        player: gives the inputs and looks at the outputs.
    """
    import pyrtl

    simulation = pyrtl.FastSimulation(block=block, tracer=None)
    simulation.step({"rst": 1, "in_valid": 0, "in_data": 0, "out_ready": 0})
    while not player.finished:
        in_valid, in_data, out_ready = player.inputs()
        simulation.step({"rst": 0, "in_valid": in_valid, "in_data": in_data, "out_ready": out_ready})
        player.outputs(*(int(simulation.inspect(name)) for name in ("in_ready", "out_valid", "out_data")))
