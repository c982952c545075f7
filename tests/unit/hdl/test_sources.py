"""Verilog as users write it: names, folders and files that once went wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import hwmodel as hw
from hwmodel import hdl
from hwmodel.errors import ToolError
from hwmodel.units import ns

from .conftest import CLOCK, need


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def values(source: Any, simulator: str, stimulus: dict[str, list[int]], watch: str) -> list[int]:
    system = hw.System(hdl.Rtl("d", source, CLOCK, simulator=simulator))  # type: ignore[arg-type]
    for name, sent in stimulus.items():
        system.drive(name, at=ns(list(range(len(sent)))), values=sent)
    found: list[int] = system.run(until=ns(8), watch=[watch])[watch].value.tolist()
    return found


def test_pins_may_be_keywords_of_systemverilog(simulator: str, tmp_path: Path) -> None:
    text = "module top(input clk, input [3:0] \\class , output reg [3:0] \\int );\n"
    file = written(tmp_path / "top.v", text + "always @(posedge clk) \\int <= \\class ;\nendmodule\n")
    assert values(file, simulator, {"class": [3, 5]}, "int") == [3, 5]


def test_a_folder_may_have_a_space(simulator: str, tmp_path: Path) -> None:
    written(tmp_path / "a folder" / "width.vh", "`define WIDTH 4\n")
    text = '`include "width.vh"\nmodule top(input clk, input [`WIDTH-1:0] d, output reg [`WIDTH-1:0] q);\n'
    file = written(tmp_path / "a folder" / "top.v", text + "always @(posedge clk) q <= d;\nendmodule\n")
    assert values(file, simulator, {"d": [3, 5]}, "q") == [3, 5]


def test_a_macro_that_yosys_cannot_take_is_refused(tmp_path: Path) -> None:
    need("pyrtl")
    file = written(
        tmp_path / "top.v",
        "module top(input clk, output reg q);\nalways @(posedge clk) q <= 1 `X;\nendmodule\n",
    )
    with pytest.raises(ToolError, match="yosys takes no space"):
        rtl = hdl.Rtl("d", file, CLOCK, simulator="pyrtl", defines={"X": "+ 1"})
        hw.System(rtl).run(until=ns(1))


def test_an_attribute_may_stand_before_a_module(tmp_path: Path) -> None:
    need("verilator")
    file = written(
        tmp_path / "a.v",
        "(* keep *) module top(input clk, output q); assign q = clk; endmodule module b; endmodule\n",
    )
    assert hdl._design.Sources.read(file).modules == ["top", "b"]


def test_a_module_defined_twice_is_refused(tmp_path: Path) -> None:
    need("verilator")
    text = "module top(input clk, output reg q);\nalways @(posedge clk) q <= {};\nendmodule\n"
    files = [written(tmp_path / f"{bit}.v", text.format(bit)) for bit in (0, 1)]
    with pytest.raises(ToolError, match=r"1\.v:1:8: Duplicate declaration of module: 'top'"):
        hdl.Rtl("d", files, CLOCK)


ROM = (
    "module rom(input clk, input [1:0] a, output reg [7:0] q);\nreg [7:0] m [0:3];\n"
    'initial $readmemh("rom.hex", m);\nalways @(posedge clk) q <= m[a];\nendmodule\n'
)


def test_the_contents_of_a_memory_lie_beside_the_source_and_are_part_of_it(
    simulator: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "rom.v", ROM)
    written(tmp_path / "rom.hex", "11 22 33 44")
    assert values(file, simulator, {"a": [0, 1, 2, 3]}, "q") == [0x11, 0x22, 0x33, 0x44]
    before = hdl.Rtl("d", file, CLOCK, simulator=simulator).spec.digest  # type: ignore[arg-type]
    written(tmp_path / "rom.hex", "55 66 77 88")
    assert values(file, simulator, {"a": [0, 1, 2, 3]}, "q") == [0x55, 0x66, 0x77, 0x88]
    assert hdl.Rtl("d", file, CLOCK, simulator=simulator).spec.digest != before  # type: ignore[arg-type]


def test_a_memory_without_its_contents_is_an_error(simulator: str, tmp_path: Path) -> None:
    file = written(tmp_path / "rom.v", ROM)
    with pytest.raises(ToolError, match=re.compile("readmem.*not found|not open.*rom.hex", re.IGNORECASE)):
        values(file, simulator, {"a": [1]}, "q")


def test_an_x_is_0_under_both_simulators(simulator: str, tmp_path: Path) -> None:
    text = "module top(input clk, input d, output reg [3:0] q);\n"
    file = written(tmp_path / "x.v", text + "always @(posedge clk) q <= d ? 4'bx : q + 1;\nendmodule\n")
    assert values(file, simulator, {"d": [0, 0, 1, 0, 1]}, "q") == [1, 2, 0, 1, 0]
