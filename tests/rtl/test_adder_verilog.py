"""The emitted Verilog under Icarus, before and after synthesis, and what yosys makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwmodel.fixedpoint.adders import AdderGraph, Clip, adder_graph, khot

pytest.importorskip("pyrtl", reason="the extra `rtl` is not installed")

from hwmodel.fixedpoint.emit_adders import AdderDesign, emit_adders

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed"
)
needs_yosys = pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys is not installed")

# LUTs of the same layer as another generator of shared adder graphs makes it, in the same synthesizer.
PEER_LUT = 2479
K2_LUT = 2300

BENCH = """`timescale 1ns/1ps
module bench;
  reg clk = 0; integer i; reg [{bits}-1:0] memory [0:{count}-1];
  {declarations}
  {name} dut (.clk(clk), {connections});
  initial begin
    $readmemh("{vectors}", memory);
    for (i = 0; i < {count} + {latency}; i = i + 1) begin
      if (i < {count}) {word} = memory[i];
      #1 if ({latency} == 0) $display("= {format}", {outputs});
      #4 clk = 1; #5 clk = 0;
      if ({latency} > 0 && i >= {latency} - 1 && i < {count} + {latency} - 1) $display("= {format}", {outputs});
    end
    $finish;
  end
endmodule
"""


def run_icarus(design: AdderDesign, x: np.ndarray, folder: Path, sources: list[Path]) -> np.ndarray:
    """Outputs of the module for each input row."""
    ports = design.ports
    ins = [name for name in ports if name.startswith("x")]
    outs = [name for name in ports if name.startswith("y")]
    words = [
        "".join(f"{int(v) % (1 << ports[n][1]):0{ports[n][1]}b}" for n, v in zip(ins, row, strict=True))
        for row in x
    ]
    (folder / "x.hex").write_text("\n".join(f"{int(word, 2):x}" for word in words))
    kinds = {"in": "reg", "out": "wire"}
    bench = BENCH.format(
        bits=len(words[0]),
        count=len(x),
        name=design.name,
        latency=design.latency,
        vectors=folder / "x.hex",
        declarations=" ".join(f"{kinds[d]} [{w - 1}:0] {n};" for n, (d, w, _) in ports.items()),
        connections=", ".join(f".{n}({n})" for n in ports),
        word="{" + ", ".join(ins) + "}",
        format=" ".join(["%b"] * len(outs)),
        outputs=", ".join(outs),
    )
    (folder / "bench.v").write_text(bench)
    program = folder / "bench.out"
    command = ["iverilog", "-g2005", "-s", "bench", "-o", program, folder / "bench.v", *sources]
    subprocess.run(command, check=True)
    text = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith("= ")]
    return np.array(
        [[number(word, ports[n][2]) for n, word in zip(outs, row, strict=True)] for row in rows], object
    )


def number(word: str, signed: bool) -> int:
    return int(word, 2) - ((1 << len(word)) if signed and word[0] == "1" else 0)


def random_design(seed: int) -> tuple[AdderDesign, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 7)), int(rng.integers(1, 5))
    W = rng.integers(-60, 61, (rows, columns)) * rng.integers(0, 2, (rows, columns)) << int(
        rng.integers(0, 4)
    )
    formats = [(int(rng.integers(1, 9)), bool(rng.integers(0, 2))) for _ in range(rows)]
    bias = rng.integers(-100, 100, columns) * (seed % 3 > 0)
    graph = adder_graph(W, formats, bias=bias, lookups=(5, 0, 2)[seed % 3], share=seed % 4 > 0, effort=1)
    clip = [None, Clip(5, -8, 7), Clip(1, 0, 15), Clip(2, -5, 9), Clip(1, 3, 900)][seed % 5]
    design = emit_adders(
        graph,
        clip=clip,
        pipeline=(None, 1, 3)[seed // 3 % 3],
        register_inputs=seed % 2 == 0,
        register_outputs=seed // 2 % 2 == 0,
    )
    x = np.stack([np.append([lo, hi], rng.integers(lo, hi + 1, 60)) for lo, hi in graph.input_ranges], axis=1)
    return design, x


def layer(
    reference_data: Path, digits: int | None, lookups: int, effort: int
) -> tuple[AdderDesign, np.ndarray]:
    """The 16x8 layer with all its weights, or with weights of K digits."""
    data = np.load(reference_data / "fixedpoint" / "dense16x8.npz")
    W = data["weights"] if digits is None else khot(data["weights"], digits, width=8)
    bias = data["bias"].astype(int) + 128  # half a unit of the output: RND
    graph = adder_graph(W, (8, True), bias=bias, lookups=lookups, effort=effort)
    return emit_adders(graph, clip=Clip(8, -128, 127), name="dense16x8"), data["x"]


def synthesize(source: Path, top: str, netlist: Path | None = None) -> dict[str, int]:
    """Cells by type after yosys synth_xilinx -family xcup."""
    write = f"write_verilog -noattr {netlist}; " if netlist else ""
    pads = "-noiopad -noclkbuf" if netlist else ""
    script = f"read_verilog {source}; synth_xilinx -family xcup -top {top} {pads}; {write}tee -o {source}.stat stat"
    subprocess.run(["yosys", "-q", "-p", script], check=True, capture_output=True)
    found = re.findall(r"^\s+([A-Z]\w+)\s+(\d+)$", Path(f"{source}.stat").read_text(), re.MULTILINE)
    return {kind: int(count) for kind, count in found}


def luts(cells: dict[str, int]) -> int:
    return sum(count for kind, count in cells.items() if kind.startswith("LUT"))


@needs_icarus
@pytest.mark.parametrize("seed", range(30))
def test_icarus_gives_what_the_graph_gives(seed: int, tmp_path: Path) -> None:
    design, x = random_design(seed)
    got = run_icarus(design, x, tmp_path, [design.write_verilog(tmp_path / "d.v")])
    assert (got == design.evaluate(x).astype(object)).all()


@needs_icarus
@pytest.mark.parametrize("lookups", [0, 5])
def test_the_layer_gives_the_reference_under_icarus(
    reference_data: Path, lookups: int, tmp_path: Path
) -> None:
    design, x = layer(reference_data, None, lookups, 1)
    got = run_icarus(design, x, tmp_path, [design.write_verilog(tmp_path / "d.v")])
    assert (got == np.load(reference_data / "fixedpoint" / "dense16x8.npz")["y"]).all()


@pytest.mark.slow
@needs_icarus
@needs_yosys
@pytest.mark.parametrize("lookups", [0, 5])
def test_the_synthesized_netlist_gives_what_the_graph_gives(lookups: int, tmp_path: Path) -> None:
    cells = Path(shutil.which("yosys") or "").parent.parent / "share/yosys/xilinx/cells_sim.v"
    if not cells.exists():
        pytest.skip(f"the simulation models of yosys are not at {cells}")
    rng = np.random.default_rng(4)
    graph = adder_graph(rng.integers(-128, 128, (6, 2)), (8, True), bias=[128, -99], lookups=lookups)
    design = emit_adders(graph, clip=Clip(8, -8, 7))
    source = design.write_verilog(tmp_path / "d.v")
    synthesize(source, design.name, tmp_path / "net.v")
    x = rng.integers(-128, 128, (100, 6))
    got = run_icarus(design, x, tmp_path, [tmp_path / "net.v", cells])
    assert (got == design.evaluate(x)).all()


@pytest.mark.slow
@needs_yosys
@pytest.mark.parametrize(
    ("digits", "lookups", "most"),
    [(None, 5, 1500), (2, 5, 1150), (None, 0, PEER_LUT), (2, 0, K2_LUT)],
)
def test_the_layer_stays_below_its_luts(
    reference_data: Path, digits: int | None, lookups: int, most: int, tmp_path: Path
) -> None:
    design, _ = layer(reference_data, digits, lookups, 8)
    cells = synthesize(design.write_verilog(tmp_path / "d.v"), design.name)
    assert [kind for kind in cells if kind.startswith("DSP")] == []
    assert cells["FDRE"] + cells.get("FDSE", 0) == 192
    assert luts(cells) <= most


@pytest.mark.slow
@needs_yosys
def test_the_cost_estimate_is_near_the_synthesizer(tmp_path: Path) -> None:
    graphs: list[AdderGraph] = []
    W = np.random.default_rng(2).integers(-128, 128, (12, 4))
    for lookups in (0, 5):
        graphs.append(adder_graph(W, (8, True), lookups=lookups))
        source = emit_adders(graphs[-1]).write_verilog(tmp_path / f"d{lookups}.v")
        assert graphs[-1].cost() == pytest.approx(luts(synthesize(source, "adders")), rel=0.12)
