"""The hand-written Verilog blocks of rtl/lib, each with its cocotb bench under both simulators."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwmodel import hdl
from hwmodel.errors import MismatchError, ToolError, UnknownNameError

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "rtl" / "lib"
BENCHES = Path(__file__).parent

NEEDS = {"verilator": ("cocotb", "verilator", "g++"), "icarus": ("cocotb", "iverilog")}
BLOCKS: dict[str, tuple[dict[str, int | str], int]] = {
    "stream_register": ({"WIDTH": 8}, 4),
    "sync_fifo": ({"WIDTH": 12, "LOG_DEPTH": 3}, 2),
    "lfsr16": ({"SEED": "16'h1D0D"}, 1),
}


def need(simulator: str) -> None:
    absent = [name for name in NEEDS[simulator] if not hdl.tools()[name]]
    if absent:
        pytest.skip(f"a bench under {simulator} needs {', '.join(absent)}, which is not installed")


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
@pytest.mark.parametrize("block", sorted(BLOCKS))
def test_block(block: str, simulator: str) -> None:
    need(simulator)
    parameters, tests = BLOCKS[block]
    result = hdl.run_cocotb(
        LIB / f"{block}.v", block, BENCHES / f"bench_{block}.py", simulator, parameters=parameters
    )
    assert result.require().failures == ()
    assert len(result.cases) == tests


def test_a_block_without_a_bench_is_noticed() -> None:
    assert {file.stem for file in LIB.glob("*.v")} == set(BLOCKS)


def test_a_failing_test_is_named_with_its_reason() -> None:
    need("icarus")
    result = hdl.run_cocotb(LIB / "lfsr16.v", "lfsr16", BENCHES / "failing_bench.py", "icarus")
    assert [(case.name, case.passed) for case in result.cases] == [("passes", True), ("fails", False)]
    with pytest.raises(MismatchError, match=r"1 of 2 tests failed.*\n.*fails: .*rst is low"):
        result.require()


def test_one_test_can_be_chosen_and_results_kept(tmp_path: Path) -> None:
    need("icarus")
    result = hdl.run_cocotb(
        LIB / "lfsr16.v",
        "lfsr16",
        BENCHES / "failing_bench.py",
        "icarus",
        tmp_path,
        testcase="passes",
        waves=True,
    )
    assert [case.name for case in result.cases] == ["passes"]
    assert (tmp_path / "results.xml").is_file()
    assert (tmp_path / "lfsr16.fst").is_file()


def test_a_bench_that_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    need("icarus")
    (tmp_path / "broken.py").write_text("import no_such_module_here\n", encoding="utf-8")
    with pytest.raises(ToolError, match=r"without results.*no_such_module_here"):
        hdl.run_cocotb(LIB / "lfsr16.v", "lfsr16", tmp_path / "broken.py", "icarus")


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_bad_verilog_is_named_with_file_and_line(simulator: str, tmp_path: Path) -> None:
    need(simulator)
    bad = tmp_path / "bad.v"
    bad.write_text("module bad(input clk);\n  wire a = ;\nendmodule\n", encoding="utf-8")
    with pytest.raises(ToolError, match=r"bad\.v:2"):
        hdl.run_cocotb(bad, "bad", BENCHES / "failing_bench.py", simulator)


def test_unknown_simulator_and_top_are_offered_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'icarus'"):
        hdl.run_cocotb(LIB / "lfsr16.v", "lfsr16", "x", "icaros")
    with pytest.raises(UnknownNameError, match="did you mean 'lfsr16'"):
        hdl.run_cocotb(LIB / "lfsr16.v", "lfsr61", "x", "icarus")
