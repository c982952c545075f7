"""RTL in a system: Verilog modules and PyRTL blocks as components, test benches, and resource counts.

Importing this loads neither PyRTL nor cocotb; they are loaded when first needed.
"""

from __future__ import annotations

from hwmodel.hdl._cocotb import BenchCase, BenchResult, run_cocotb
from hwmodel.hdl._design import Reset
from hwmodel.hdl._proof import proof_tool, run_proof
from hwmodel.hdl._rtl import Rtl, RtlSpec
from hwmodel.hdl._synthesis import SynthesisReport, synthesis_report
from hwmodel.hdl._tools import tools

__all__ = [
    "BenchCase",
    "BenchResult",
    "Reset",
    "Rtl",
    "RtlSpec",
    "SynthesisReport",
    "proof_tool",
    "run_cocotb",
    "run_proof",
    "synthesis_report",
    "tools",
]
