"""Resource counts by yosys."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwmodel import hdl
from hwmodel.errors import ToolError, UnknownNameError
from hwmodel.hdl import _synthesis
from hwmodel.hdl._parse import read_verilator_tree, read_yosys_json
from hwmodel.hdl._tools import find_verilator, find_yosys

from .conftest import DESIGNS, LIB

NATIVE = (find_yosys() or find_verilator()) is not None and hdl.tools()["yosys"].startswith("yosys")
needs_yosys = pytest.mark.skipif(not NATIVE, reason="needs native yosys, which is not installed")


@needs_yosys
def test_registers_are_counted() -> None:
    report = hdl.synthesis_report(LIB / "lfsr16.v")
    assert (report["ff"], report["dsp"]) == (32, 0)
    assert 1 <= report["lut"] <= 40
    assert report["tool"].startswith("yosys ")
    assert sum(number for name, number in report["cells"].items() if name.startswith("FD")) == 32


@needs_yosys
def test_multipliers_can_be_forbidden(tmp_path: Path) -> None:
    source = tmp_path / "product.v"
    source.write_text(
        "module product(input clk, input [15:0] a, b, output reg [31:0] p);\n"
        "always @(posedge clk) p <= a * b;\nendmodule\n",
        encoding="utf-8",
    )
    assert hdl.synthesis_report(source)["dsp"] == 1
    without = hdl.synthesis_report(source, dsp=False)
    assert without["dsp"] == 0
    assert without["lut"] > 100


@needs_yosys
def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.v"
    bad.write_text("module bad(input a, output b);\nassign b = ;\nendmodule\n", encoding="utf-8")
    with pytest.raises(ToolError, match=r"bad\.v:2"):
        hdl.synthesis_report(bad)


def test_an_unknown_family_is_offered_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'xcup'"):
        hdl.synthesis_report(LIB / "lfsr16.v", family="xcupp")


OLD = """
=== top ===

   Number of wires:                 12
   Number of cells:                 37
     CARRY4                          2
     FDRE                           24
     LUT2                            9
     LUT6                            2
"""
NEW = """
=== design hierarchy ===

        +----------Local Count, excluding submodules.
        |
       37 cells
        2   CARRY8
       24   FDRE
        9   LUT2
        2   LUT6_2
"""


@pytest.mark.parametrize("text", [OLD, NEW], ids=["0.23", "0.60"])
def test_statistics_of_old_and_new_releases_are_read(text: str) -> None:
    report = _synthesis._count(_synthesis.read_stat(text), "x")
    assert (report["lut"], report["ff"], report["carry"], report["dsp"]) == (11, 24, 2, 0)


def test_statistics_without_counts_are_an_error() -> None:
    with pytest.raises(ToolError, match="no cell counts"):
        _synthesis.read_stat("nothing here")


@needs_yosys
@pytest.mark.skipif(find_verilator() is None, reason="needs Verilator, which is not installed")
@pytest.mark.parametrize("design", ["accumulator", "wide", "two_clocks"])
def test_both_readers_see_the_same_pins(design: str, tmp_path: Path) -> None:
    verilator, yosys = find_verilator(), find_yosys()
    assert verilator is not None
    assert yosys is not None
    source = str(DESIGNS / f"{design}.v")
    verilator.run(
        [
            "--json-only",
            "-Wno-fatal",
            "--top-module",
            design,
            "--Mdir",
            str(tmp_path),
            "--prefix",
            "d",
            source,
        ]
    )
    yosys.run(
        ["-p", f"read_verilog -sv {source}; hierarchy -top {design}; proc; flatten; write_json d.json"],
        tmp_path,
    )
    one = read_verilator_tree((tmp_path / "d.tree.json").read_text(encoding="utf-8"), design)
    two = read_yosys_json((tmp_path / "d.json").read_text(encoding="utf-8"), design)
    assert one.pins == two.pins
    assert (one.clocks, one.asynchronous) == (two.clocks, two.asynchronous)
