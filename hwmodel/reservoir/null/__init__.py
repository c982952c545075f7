"""Null models: simulators of ordinary causes, and the ladder that says which of them explains a log."""

from __future__ import annotations

from hwmodel.reservoir.null._chain import SCENARIOS, Chain, Scenario, simulate
from hwmodel.reservoir.null._dead_time import DeadTime, fit_dead_time
from hwmodel.reservoir.null._ladder import RUNGS, Ladder, Rung, explain
from hwmodel.reservoir.null._shares import ShareAnalysis, analyse_shares

__all__ = [
    "RUNGS",
    "SCENARIOS",
    "Chain",
    "DeadTime",
    "Ladder",
    "Rung",
    "Scenario",
    "ShareAnalysis",
    "analyse_shares",
    "explain",
    "fit_dead_time",
    "simulate",
]
