"""Proofs by yosys: emitted Verilog equals the reference for every input, and changed Verilog is refuted."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwmodel import hdl
from hwmodel._emission import verify_command
from hwmodel.errors import MismatchError, SpecError, ToolError
from hwmodel.fixedpoint import Design, emit
from hwmodel.fixedpoint._format import OVERFLOWS, ROUNDINGS, Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import Dense, ReLU, Requantize, TensorType
from hwmodel.fixedpoint._layers_base import Layer
from hwmodel.fixedpoint._proof import read_model
from hwmodel.fixedpoint._proof_reference import MODULE, WRITERS, reference_verilog
from hwmodel.fixedpoint._verify import draw_inputs, verify
from tests.unit.fixedpoint.emit_graphs import ACT, GRAPHS, WEIGHT, classifier, weights

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

YOSYS = hdl.tools()["yosys"]
needs_yosys = pytest.mark.skipif(not YOSYS, reason="needs yosys, which is not installed")
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")

SMALL = Fixed(5, 2)
SAT = Fixed(4, 3, rounding="RND", overflow="SAT")


def cast(dst: Fixed, src: Fixed = SMALL) -> Graph:
    return sequential("cast", TensorType((1,), src), Requantize("q", output=dst))


def small_dense(**options: Any) -> Graph:
    layer = Dense(
        "fc", weights=[[3, -5], [7, 2]], weights_fmt=WEIGHT, bias=[5, -3], bias_fmt=WEIGHT, output=SAT
    )
    return sequential("small", TensorType((2,), Fixed(4, 2)), replace(layer, **options))


def small(name: str) -> Graph:
    """One layer of a larger graph, on few bits, so that its proof takes little."""
    graph = GRAPHS["elements" if name in ("norm", "bend", "code") else "image"]()
    layer = replace(graph[name], inputs=())
    shape = {"norm": (4,), "bend": (4,), "code": (2,), "mean": (1, 2, 3), "most": (1, 2, 3)}[name]
    return sequential("small", TensorType(shape, Fixed(4, 2)), layer)


# -------------------------------------------------------------------------------------------- the reference


def pack(raws: np.ndarray, width: int) -> list[int]:
    rows = raws.reshape(len(raws), -1).tolist()
    return [sum((raw & ((1 << width) - 1)) << (k * width) for k, raw in enumerate(row)) for row in rows]


def simulate_reference(graph: Graph, x: np.ndarray, folder: Path) -> list[int]:
    """Outputs of the reference under Icarus, packed."""
    width = graph.input.size * graph.input.fmt.width
    out = graph.output_type.size * graph.output_type.fmt.width
    steps = "".join(
        f'x = {width}\'h{word:x}; #1 $display("%h", y);\n' for word in pack(x, graph.input.fmt.width)
    )
    bench = f"module bench;\nreg [{width - 1}:0] x;\nwire [{out - 1}:0] y;\n{MODULE} r (x, y);\n"
    text = f"{reference_verilog(graph)}\n{bench}initial begin\n{steps}end\nendmodule\n"
    (folder / "bench.v").write_text(text)
    subprocess.run(["iverilog", "-g2005", "-o", folder / "bench", folder / "bench.v"], check=True)
    done = subprocess.run(["vvp", "-n", folder / "bench"], capture_output=True, text=True, check=True)
    return [int(line, 16) for line in done.stdout.split()]


@needs_icarus
@pytest.mark.parametrize("name", GRAPHS)
def test_the_reference_equals_the_graph(name: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]()
    x = draw_inputs(graph.input, 60)
    expected = pack(graph.evaluate(x), graph.output_type.fmt.width)
    assert simulate_reference(graph, x, tmp_path) == expected


def test_every_layer_of_the_graphs_has_a_reference() -> None:
    kinds = {type(layer) for make in GRAPHS.values() for layer in make().layers}
    assert kinds == set(WRITERS)


def test_the_reference_multiplies_and_shares_nothing() -> None:
    text = reference_verilog(small_dense())
    assert text.count(" * ") == 4 + 2  # the products, and each bias aligned to them
    assert "localparam" not in text


# -------------------------------------------------------------------------------------------- proofs


@needs_yosys
@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_mode_is_proved(rounding: str, overflow: str) -> None:
    design = emit(cast(Fixed(3, 2, rounding=rounding, overflow=overflow), Fixed(6, 3)), pipeline=0)
    found = verify(design, simulator="yosys")
    assert (found.vectors, found.exhaustive, found.proved) == (64, True, True)


@needs_yosys
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("overflow", ["WRAP", "WRAP_SM"])
def test_saturation_bits_are_proved(overflow: str, count: int, signed: bool) -> None:
    if overflow == "WRAP_SM" and not signed:
        signed, count = True, 0
    dst = Fixed(3, 2, signed, rounding="RND", overflow=overflow, saturation_bits=count)
    assert verify(emit(cast(dst), pipeline=0), simulator="yosys").proved


@needs_yosys
@pytest.mark.parametrize(
    ("style", "option"), [("parallel", {"pipeline": k}) for k in (0, 1, 3)] + [("mac", {})]
)
def test_a_dense_layer_is_proved_through_its_registers(style: Any, option: dict[str, int]) -> None:
    design = emit(small_dense(), style=style, **option)
    found = verify(design, simulator="yosys")
    assert found.vectors == 1 << 8
    assert found.cycles == 2 * (2 + design.latency_cycles) + design.ii_cycles


@needs_yosys
@pytest.mark.parametrize("name", ["norm", "bend", "code", "mean", "most"])
def test_layers_are_proved(name: str) -> None:
    assert verify(emit(small(name), pipeline=1), simulator="yosys").proved


@needs_yosys
def test_a_streamed_image_is_proved() -> None:
    assert verify(emit(small("mean"), style="stream"), simulator="yosys").proved


@needs_yosys
def test_a_convolution_with_steps_is_proved() -> None:
    layer = replace(GRAPHS["signal"]()["conv"], inputs=())
    graph = sequential("signal", TensorType((2, 3), Fixed(3, 2)), layer)
    assert verify(emit(graph, pipeline=1), simulator="yosys").proved


# -------------------------------------------------------------------------------------------- refutations


def broken(design: Design, pattern: str, by: str) -> Design:
    text, count = re.subn(pattern, by, design.verilog, count=1)
    assert count == 1
    return replace(design, verilog=text)


def refute(design: Design, folder: Path) -> str:
    with pytest.raises(MismatchError) as caught:
        verify(design, simulator="yosys", out=folder)
    assert (folder / f"{design.name}_mismatch.vcd").is_file()
    return str(caught.value)


def listed(message: str, what: str) -> list[int]:
    match = re.search(rf"^  {what} +\[(.*)\]$", message, re.MULTILINE)
    assert match is not None
    return [int(number) for number in match[1].split(",")]


@needs_yosys
@pytest.mark.parametrize("pipeline", [0, 2])
def test_one_flipped_operator_is_refuted_by_a_true_counterexample(pipeline: int, tmp_path: Path) -> None:
    design = broken(emit(small_dense(), pipeline=pipeline), r" \+ (?=[{\w(])", " ^ ")
    message = refute(design, tmp_path)
    x = np.array([listed(message, "input")])
    expected, got = listed(message, "expected"), listed(message, "got")
    assert design.graph.evaluate(x).tolist() == [expected]
    assert got != expected
    assert "under yosys" in message


@needs_yosys
@needs_icarus
def test_a_simulator_sees_the_counterexample_too(tmp_path: Path) -> None:
    design = broken(emit(small_dense(), pipeline=1), r" \+ (?=[{\w(])", " ^ ")
    message = refute(design, tmp_path)
    with pytest.raises(MismatchError) as caught:
        verify(design, np.array([listed(message, "input")]), simulator="icarus", out=tmp_path)
    assert listed(str(caught.value), "got") == listed(message, "got")


@needs_yosys
def test_an_accumulator_that_keeps_the_last_input_is_refuted(tmp_path: Path) -> None:
    design = emit(small_dense(bias=None, bias_fmt=None), style="mac")
    bad = broken(
        design, r"\(\(fc_step == 1'd0\) \? \d+'d0 : (\w+)\)|\(fc_step == 1'd0\) \? \d+'d0 : (\w+)", r"\1\2"
    )
    assert "input" in refute(bad, tmp_path)


@needs_yosys
def test_an_output_later_than_promised_is_refuted(tmp_path: Path) -> None:
    design = emit(small_dense(), pipeline=2)
    assert "cycle" in refute(replace(design, latency_cycles=1), tmp_path)


@needs_yosys
def test_a_register_of_another_clock_is_refused() -> None:
    design = broken(emit(small_dense(), pipeline=1), r"posedge clk", "negedge clk")
    with pytest.raises(ToolError, match="rising edge of clk"):
        verify(design, simulator="yosys")


@needs_yosys
def test_an_undriven_wire_is_any_value(tmp_path: Path) -> None:
    design = broken(emit(small_dense(), pipeline=0), r"assign out_data = .*;", "")
    assert "differs" in refute(design, tmp_path)


# -------------------------------------------------------------------------------------------- refusals


class Softmax(Layer):
    """A layer that no proof knows."""

    def output_type(self, *inputs: TensorType) -> TensorType:
        return inputs[0]


def test_a_layer_without_reference_is_refused_by_name() -> None:
    graph = sequential("g", TensorType((2,), ACT), ReLU("relu"), Softmax("soft"))
    with pytest.raises(SpecError, match=r"layer 'soft' \(Softmax\) has no reference"):
        reference_verilog(graph)


@needs_yosys
def test_too_little_time_is_said_with_the_remedy() -> None:
    with pytest.raises(ToolError, match=r"timeout=0\.01 s; give more time"):
        verify(emit(classifier(), pipeline=1), simulator="yosys", timeout=0.01)


@needs_yosys
def test_too_large_a_graph_is_refused_before_any_work() -> None:
    layer = Dense("fc", weights=weights(1, 80, 80), weights_fmt=WEIGHT, output=ACT)
    design = emit(layer, style="mac", input_type=TensorType((80,), ACT))
    with pytest.raises(ToolError, match=r"6480 multiplications and elements .*at most 4096"):
        verify(design, simulator="yosys")


@needs_yosys
def test_text_that_yosys_cannot_read_is_an_error_of_the_tool() -> None:
    design = broken(emit(small_dense(), pipeline=0), r"assign out_data = ", "assign out_data == ")
    with pytest.raises(ToolError, match=r"yosys .* fails: .*syntax error"):
        verify(design, simulator="yosys")


def test_without_yosys_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwmodel.hdl._tools.find_yosys", lambda: None)
    with pytest.raises(ToolError, match="yosys was not found; install yosys"):
        verify(emit(cast(SAT)), simulator="yosys")


def test_bits_that_do_not_matter_are_zero() -> None:
    assert read_model("  \\x   --  --   1x-1\n", ("x",)) == {"x": 9}


# -------------------------------------------------------------------------------------------- the command


@needs_yosys
def test_the_command_proves_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hwmodel.cli import main

    model, out = small_dense().save(tmp_path / "model.npz"), tmp_path / "out"
    assert main(["emit", str(model), "--out", str(out), "--tool", "estimate"]) == 0
    assert main(["verify", str(out), "--simulator", "yosys"]) == 0
    assert "proved equal for all 2^8 inputs" in capsys.readouterr().out
    text = (out / "design.v").read_text()
    (out / "design.v").write_text(re.sub(r" \+ (?=[{\w(])", " ^ ", text, count=1))
    with pytest.raises(MismatchError, match="the output differs at cycle"):
        verify_command(out, "yosys", 10)


# -------------------------------------------------------------------------------------------- auto


def fails(*args: object, **kwargs: object) -> object:
    raise ToolError("it does not start")


def test_auto_goes_on_where_a_simulator_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwmodel.fixedpoint._verify._found", lambda: ["verilator", "pyrtl"])
    monkeypatch.setattr("hwmodel.hdl.run_cocotb", fails)
    with pytest.warns(UserWarning, match="verilator was found but does not run.*it does not start"):
        found = verify(emit(cast(SAT)), vectors=8)
    assert found.simulator.startswith("PyRTL")


def test_auto_never_vouches_for_changed_text_by_pyrtl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwmodel.fixedpoint._verify._found", lambda: ["verilator", "pyrtl"])
    monkeypatch.setattr("hwmodel.hdl.run_cocotb", fails)
    design = emit(cast(SAT))
    with warnings.catch_warnings(), pytest.raises(ToolError, match="it does not start"):
        warnings.simplefilter("ignore")
        verify(replace(design, verilog=design.verilog + "// changed\n"), vectors=8)
    monkeypatch.setattr("hwmodel.fixedpoint._verify._found", lambda: ["pyrtl"])
    with pytest.raises(ToolError, match="no simulator of Verilog was found"):
        verify(replace(design, verilog=design.verilog + "// changed\n"), vectors=8)
