"""The published conformance suite of casts, run on the emitted logic: in PyRTL, and as Verilog under Icarus."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hwmodel.fixedpoint import Fixed
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_numbers import from_raw
from tests.unit.fixedpoint.conformance import Ints, casts, patterns

pyrtl = pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

CHUNK = 100  # casts in one block


def groups() -> Iterator[tuple[Fixed, list[tuple[Fixed, Ints]]]]:
    """Casts with one source format, in chunks."""
    found: dict[Fixed, list[tuple[Fixed, Ints]]] = {}
    for src, dst, expected in casts():
        if src != dst:  # between equal formats there is a copy and no cast to emit
            found.setdefault(src, []).append((dst, expected))
    for src, rows in found.items():
        for k in range(0, len(rows), CHUNK):
            yield src, rows[k : k + CHUNK]


GROUPS = list(groups())


def _block(src: Fixed, rows: list[tuple[Fixed, Ints]]):
    block = pyrtl.Block()
    with pyrtl.set_working_block(block, no_sanity_check=True):
        number = from_raw(pyrtl.Input(src.width, "x"), src)
        for k, (dst, _) in enumerate(rows):
            out = pyrtl.Output(dst.width, f"y{k}")
            out <<= emit_cast(number, dst).bits(dst.width)
    return block


def _words(rows: list[tuple[Fixed, Ints]]) -> Ints:
    return np.stack([expected & ((1 << dst.width) - 1) for dst, expected in rows], axis=1)


def test_the_suite_has_all_modes() -> None:
    modes = {(dst.rounding, dst.overflow) for _, rows in GROUPS for dst, _ in rows}
    assert len(modes) == 35


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_in_pyrtl(group: int) -> None:
    src, rows = GROUPS[group]
    simulation = pyrtl.FastSimulation(block=_block(src, rows), tracer=None)
    got = []
    for raw in patterns(src):
        simulation.step({"x": int(raw) & ((1 << src.width) - 1)})
        got.append([simulation.inspect(f"y{k}") for k in range(len(rows))])
    np.testing.assert_array_equal(np.array(got), _words(rows))


@pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus is not installed: apt-get install iverilog"
)
@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_as_verilog(group: int, tmp_path: Path) -> None:
    src, rows = GROUPS[group]
    text = io.StringIO()
    pyrtl.output_to_verilog(text, add_reset=False, block=_block(src, rows))
    outs = ", ".join(f"y{k}" for k in range(len(rows)))
    wires = "".join(f"  wire [{dst.width - 1}:0] y{k};\n" for k, (dst, _) in enumerate(rows))
    pins = ", ".join([".clk(1'b0)", ".x(x)", *(f".y{k}(y{k})" for k in range(len(rows)))])
    form = " ".join(["%0d"] * len(rows))
    bench = (
        f"module bench;\n  reg [{src.width - 1}:0] x; integer i;\n{wires}  toplevel dut({pins});\n"
        f"  initial for (i = 0; i < {1 << src.width}; i = i + 1) begin\n"
        f'    x = i; #1 $display("{form}", {outs});\n  end\nendmodule\n'
    )
    (tmp_path / "dut.v").write_text(text.getvalue())
    (tmp_path / "bench.v").write_text(bench)
    sources = ["-o", "run", "dut.v", "bench.v"]
    subprocess.run(["iverilog", "-g2012", *sources], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["vvp", "run"], cwd=tmp_path, check=True, capture_output=True, text=True)
    got = np.array([[int(word) for word in line.split()] for line in done.stdout.splitlines()])
    np.testing.assert_array_equal(got, _words(rows))
