"""Reservoir benchmarks: signals, reservoirs, a readout, controls, scores and capacities.

Importing this package loads no numba and no SciPy.
"""

from __future__ import annotations

from hwmodel.reservoir.tasks._capacity import Capacity, information_capacity, memory_capacity
from hwmodel.reservoir.tasks._chip import FEATURES, ChipReservoir
from hwmodel.reservoir.tasks._component import SystemReservoir
from hwmodel.reservoir.tasks._controls import CONTROLS, control_states
from hwmodel.reservoir.tasks._networks import DelayFeedback, EchoStateNetwork, Taps
from hwmodel.reservoir.tasks._readout import Readout, nrmse
from hwmodel.reservoir.tasks._score import Comparison, Score, evaluate
from hwmodel.reservoir.tasks._signals import (
    TASKS,
    Task,
    lorenz,
    mackey_glass,
    narma,
    parity,
    santa_fe,
    task,
    temporal_xor,
)
from hwmodel.reservoir.tasks._types import Reservoir

__all__ = [
    "CONTROLS",
    "FEATURES",
    "TASKS",
    "Capacity",
    "ChipReservoir",
    "Comparison",
    "DelayFeedback",
    "EchoStateNetwork",
    "Readout",
    "Reservoir",
    "Score",
    "SystemReservoir",
    "Taps",
    "Task",
    "control_states",
    "evaluate",
    "information_capacity",
    "lorenz",
    "mackey_glass",
    "memory_capacity",
    "narma",
    "nrmse",
    "parity",
    "santa_fe",
    "task",
    "temporal_xor",
]
