"""Constant matrix-vector products as shared shift-adds: no multipliers, exact, few LUTs."""

from hwmodel.fixedpoint.adders._csd import csd, csd_count, khot
from hwmodel.fixedpoint.adders._graph import AdderGraph
from hwmodel.fixedpoint.adders._schedule import Clip, Schedule
from hwmodel.fixedpoint.adders._search import InputFormat, adder_graph
from hwmodel.fixedpoint.adders._signals import Lookup, Segment
from hwmodel.fixedpoint.adders._verilog import verilog

__all__ = [
    "AdderGraph",
    "Clip",
    "InputFormat",
    "Lookup",
    "Schedule",
    "Segment",
    "adder_graph",
    "csd",
    "csd_count",
    "khot",
    "verilog",
]
