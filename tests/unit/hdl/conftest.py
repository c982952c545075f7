"""What the tests of hdl share: designs, the simulators that are there, and a stimulus."""

from __future__ import annotations

from pathlib import Path

import pytest

import hwmodel as hw
from hwmodel import hdl
from hwmodel.units import GHz

ROOT = Path(__file__).resolve().parents[3]
DESIGNS = Path(__file__).parent / "designs"
LIB = ROOT / "rtl" / "lib"
CLOCK = hw.Clock(GHz(1))

NEEDS = {"verilator": ("verilator", "g++"), "pyrtl": ("pyrtl", "yosys"), "block": ("pyrtl",)}


def need(kind: str) -> None:
    """Skip where what `kind` takes is not installed."""
    absent = [name for name in NEEDS[kind] if not hdl.tools()[name]]
    if absent:
        pytest.skip(f"simulator '{kind}' needs {', '.join(absent)}, which is not installed")


@pytest.fixture(params=["verilator", "pyrtl"])
def simulator(request: pytest.FixtureRequest) -> str:
    """Each simulator of Verilog in turn."""
    need(request.param)
    return str(request.param)
