"""Emitted blocks in PyRTL equal their graphs, hold back when told to, and keep the promised timing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwmodel.errors import MismatchError, SpecError, UnknownNameError
from hwmodel.fixedpoint import Design, emit
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import Add, Dense, ReLU, Requantize, TensorType
from hwmodel.fixedpoint._layers_base import Layer
from hwmodel.fixedpoint._layers_image import MaxPool
from hwmodel.fixedpoint._stream import Play, Player
from hwmodel.fixedpoint._verify import draw_inputs, verify
from hwmodel.fixedpoint.emit_simulate import simulate
from tests.unit.fixedpoint.emit_graphs import ACT, GRAPHS, WEIGHT, classifier, image

pyrtl = pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")


@pytest.mark.parametrize("pipeline", [0, 1, 3, None])
@pytest.mark.parametrize("name", GRAPHS)
def test_parallel_equals_the_graph(name: str, pipeline: int | None) -> None:
    design = emit(GRAPHS[name](), pipeline=pipeline)
    found = verify(design, simulator="pyrtl", vectors=24)
    assert found.vectors == 24
    assert design.ii_cycles == 1
    assert pipeline is None or design.latency_cycles == pipeline


@pytest.mark.parametrize("fold", [None, 1, 2, 7, 1000])
@pytest.mark.parametrize("name", ["classifier", "elements", "residual", "image"])
def test_mac_equals_the_graph(name: str, fold: int | None) -> None:
    design = emit(GRAPHS[name](), style="mac", fold=fold)
    assert verify(design, simulator="pyrtl", vectors=12).vectors == 12
    assert design.ii_cycles == design.latency_cycles + design.beats_in - 1


def test_folding_sets_cycles_and_multipliers() -> None:
    fast, slow = (emit(classifier(), style="mac", fold=fold) for fold in (1, 15))
    assert fast.latency_cycles < slow.latency_cycles
    assert fast.report("estimate")["lut"] > slow.report("estimate")["lut"]


def test_sharing_changes_the_logic_and_not_the_function() -> None:
    plain = emit(classifier(), share=False)
    assert verify(plain, simulator="pyrtl", vectors=24)
    assert plain.spec_hash != emit(classifier()).spec_hash


def test_every_input_of_a_small_layer() -> None:
    layer = Dense("fc", weights=[[3], [-5]], weights_fmt=Fixed(4, 1), output=Fixed(5, 2, overflow="SAT"))
    design = emit(layer, input_type=TensorType((2,), Fixed(5, 2)))
    found = verify(design, simulator="exhaustive")
    assert (found.vectors, found.exhaustive) == (1024, True)


def test_an_assignment_between_equal_formats_is_a_copy() -> None:
    fmt = Fixed(4, 2, overflow="SAT_SYM")
    for layer in (Requantize("copy", output=fmt), MaxPool("most", kernel=1)):
        kind = TensorType((1, 2, 2) if isinstance(layer, MaxPool) else (2,), fmt)
        graph = sequential("copy", kind, layer)
        assert graph.evaluate(np.full((1, *kind.shape), -8)).min() == -8
        assert verify(emit(graph), simulator="exhaustive").vectors == 16 ** int(np.prod(kind.shape))


def test_too_many_inputs_to_try_them_all_are_refused() -> None:
    with pytest.raises(SpecError, match="240 input bits"):
        verify(emit(image(), pipeline=1), simulator="exhaustive")


def test_text_and_hash_do_not_depend_on_the_process() -> None:
    code = (
        "from tests.unit.fixedpoint.emit_graphs import elements\n"
        "from hwmodel.fixedpoint import emit\n"
        "design = emit(elements(), pipeline=2)\n"
        "print(design.spec_hash)\nprint(design.verilog)"
    )
    design = emit(GRAPHS["elements"](), pipeline=2)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.split("\n", 1) == [design.spec_hash, design.verilog + "\n"]


def test_header_names_hash_formats_and_timing() -> None:
    design = emit(classifier(), pipeline=2)
    head = design.verilog.split("module ")[0]
    assert f"spec {design.spec_hash}" in head
    assert "latency 2 cycles" in head
    assert "ap_ufixed<5,3,AP_RND_CONV,AP_SAT>" in head
    assert "wire [9:0] fc_sum_0" in design.verilog or "fc_sum_0 =" in design.verilog


def test_ports_know_their_formats() -> None:
    design = emit(classifier())
    port = design.port("in_data")
    assert (port.width, port.fmt, port.shape) == (18, ACT, (3,))
    with pytest.raises(UnknownNameError, match="did you mean 'in_data'"):
        design.port("indata")


def test_packing_is_undone_by_unpacking() -> None:
    design = emit(GRAPHS["image"](), pipeline=1)
    y = draw_inputs(design.graph.output_type, 5)
    back = [design.unpack(words) for words in design.pack_outputs(y)]
    np.testing.assert_array_equal(back, y)


def test_the_working_block_of_pyrtl_is_left_alone() -> None:
    before = pyrtl.working_block()
    nets = len(before.logic)
    emit(classifier())
    assert pyrtl.working_block() is before
    assert len(before.logic) == nets


def test_importing_fixedpoint_loads_no_pyrtl() -> None:
    code = "import hwmodel.fixedpoint, hwmodel.fixedpoint.emit_design, sys; print('pyrtl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def wrong(design: Design) -> Design:
    """The same design against a graph whose first bias is another."""
    layers = [
        replace(layer, bias=layer.bias + np.eye(1, len(layer.bias), dtype=int)[0] * 5)
        if isinstance(layer, Dense) and layer.name == "fc"
        else layer
        for layer in design.graph.layers
    ]
    graph = Graph(design.graph.name, design.graph.input, tuple(layers), design.graph.output)
    return replace(design, graph=graph)


def test_a_difference_is_reported_with_cycle_input_and_waveform(tmp_path: Path) -> None:
    design = wrong(emit(classifier(), pipeline=2))
    with pytest.raises(MismatchError, match=r"at cycle \d+, input \d+\n  input .*\n  expected \[\d\]\n  got"):
        verify(design, simulator="pyrtl", out=tmp_path)
    assert "in_data" in (tmp_path / "classifier_mismatch.vcd").read_text()


def test_a_wrong_promise_about_latency_is_seen(tmp_path: Path) -> None:
    design = replace(emit(classifier(), pipeline=2), latency_cycles=3)
    with pytest.raises(MismatchError, match="latency 2 cycles, promised 3"):
        verify(design, simulator="pyrtl", out=tmp_path)


def test_a_wrong_promise_about_the_interval_is_seen(tmp_path: Path) -> None:
    design = replace(emit(classifier(), style="mac"), ii_cycles=4)
    with pytest.raises(MismatchError, match="promised 4 each"):
        verify(design, simulator="pyrtl", out=tmp_path)


def test_an_output_that_does_not_wait_is_seen() -> None:
    player = Player(Play([0], [1, 1], 1, 1, 0, 1, 0, stall=0.999999))
    for valid in (1, 0):
        player.inputs()
        player.now = 0, 0, 0
        player.outputs(1, valid, 1)
    assert player.failure is not None
    assert "not held" in player.failure.what


def test_back_pressure_fills_the_pipeline_and_loses_nothing() -> None:
    design = emit(classifier(), pipeline=3)
    x = draw_inputs(design.graph.input, 200)
    words = [w for item in design.pack(x) for w in item]
    expected = [w for item in design.pack_outputs(design.graph.evaluate(x)) for w in item]
    for stall in (0.1, 0.5, 0.9):
        player = Player(Play(words, expected, 1, 1, 3, 1, 0, stall, seed=7))
        simulate(design.block, player)
        assert player.failure is None
        assert player.received == 200


def test_reset_empties_the_design() -> None:
    design = emit(classifier(), pipeline=2)
    simulation = pyrtl.FastSimulation(block=design.block, tracer=None)
    for _ in range(4):
        simulation.step({"rst": 0, "in_valid": 1, "in_data": 5, "out_ready": 0})
    assert simulation.inspect("out_valid") == 1
    simulation.step({"rst": 1, "in_valid": 0, "in_data": 0, "out_ready": 0})
    simulation.step({"rst": 0, "in_valid": 0, "in_data": 0, "out_ready": 0})
    assert simulation.inspect("out_valid") == 0


class Softmax(Layer):
    """A layer that nobody can emit."""

    def output_type(self, *inputs: TensorType) -> TensorType:
        return inputs[0]


def test_a_layer_without_hardware_is_refused_by_name() -> None:
    graph = sequential("g", TensorType((2,), ACT), ReLU("relu"), Softmax("soft"))
    with pytest.raises(SpecError, match=r"layer 'soft' \(Softmax\) cannot be emitted; replace it"):
        emit(graph)


def test_a_layer_that_is_too_large_is_refused_with_the_remedy() -> None:
    weights = np.ones((400, 200), int)
    graph = sequential("g", TensorType((400,), ACT), Dense("fc", weights=weights, weights_fmt=WEIGHT))
    with pytest.raises(SpecError, match=r"layer 'fc' .* 80000 products .* style='mac'"):
        emit(graph)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 4}, "belongs to style='mac'"),
        ({"pipeline": -1}, "outside 0..256"),
        ({"style": "mac", "fold": 0}, "at least one cycle"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        emit(classifier(), **options)


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'parallel'"):
        emit(classifier(), style="paralel")


def test_a_keyword_is_no_module_name() -> None:
    assert emit(classifier(), name="module").name == "module_module"


def test_a_layer_alone_needs_its_input_type() -> None:
    with pytest.raises(SpecError, match="give input_type"):
        emit(ReLU("relu"))


@pytest.mark.parametrize("pipeline", [1, 2, None])
@pytest.mark.parametrize("name", ["image", "mean", "signal"])
def test_streamed_images_equal_the_graph(name: str, pipeline: int | None) -> None:
    design = emit(GRAPHS[name](), style="stream", pipeline=pipeline)
    assert design.beats_in == np.prod(design.graph.input.shape[1:])
    assert verify(design, simulator="pyrtl", vectors=8).vectors == 8


def test_streaming_refuses_vectors_and_branches() -> None:
    with pytest.raises(SpecError, match=r"takes images.*style='parallel'"):
        emit(classifier(), style="stream")
    two = Graph(
        "g", TensorType((1, 4), ACT), (ReLU("a", ("input",)), ReLU("b", ("a",)), Add("s", ("a", "b")))
    )
    with pytest.raises(SpecError, match=r"layer 's' .* already streamed by"):
        emit(two, style="stream")
