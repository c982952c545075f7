"""Emitted Verilog under Icarus and Verilator equals the graph, with stalls, on time, and a changed text is caught."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hwmodel.errors import MismatchError
from hwmodel.fixedpoint._verify import verify
from hwmodel.fixedpoint.emit_design import emit
from hwmodel.hdl import tools
from tests.unit.fixedpoint.emit_graphs import GRAPHS

pytestmark = pytest.mark.slow
pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

DESIGNS = [
    ("classifier", {"pipeline": 0}),
    ("classifier", {"pipeline": 3}),
    ("elements", {}),
    ("residual", {"style": "mac", "fold": 2}),
    ("image", {"style": "stream"}),
    ("mean", {"style": "stream", "pipeline": 1}),
    ("signal", {}),
]


def need(simulator: str) -> None:
    """Skip where the simulator is missing."""
    found = tools()
    programs = ("cocotb", "iverilog") if simulator == "icarus" else ("cocotb", "verilator", "g++")
    missing = [name for name in programs if not found[name]]
    if simulator == "verilator" and (shutil.which("make") is None or shutil.which("perl") is None):
        missing.append("make and perl")
    if missing:
        pytest.skip(f"{simulator} cannot be used: {', '.join(missing)} not found")


@pytest.mark.parametrize(("name", "options"), DESIGNS, ids=str)
def test_under_icarus(name: str, options: dict[str, object]) -> None:
    need("icarus")
    found = verify(emit(GRAPHS[name](), **options), simulator="icarus", vectors=40)
    assert found.vectors == 40


@pytest.mark.parametrize(("name", "options"), [DESIGNS[1], DESIGNS[4]], ids=str)
def test_under_verilator(name: str, options: dict[str, object]) -> None:
    need("verilator")
    found = verify(emit(GRAPHS[name](), **options), simulator="verilator", vectors=200)
    assert "verilator" in found.simulator


def test_a_changed_text_is_caught(tmp_path: Path) -> None:
    need("icarus")
    design = emit(GRAPHS["classifier"](), pipeline=2)
    line = next(line for line in design.verilog.splitlines() if "assign out_data =" in line)
    broken = line.replace("= ", "= 1 ^ ", 1)
    with pytest.raises(MismatchError, match="under iverilog"):
        verify(
            replace(design, verilog=design.verilog.replace(line, broken)), simulator="icarus", out=tmp_path
        )
    assert (tmp_path / "classifier_mismatch.vcd").stat().st_size > 0
