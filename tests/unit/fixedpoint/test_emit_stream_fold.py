"""Style "stream": folded convolutions and line buffers in memories equal the graph and keep their timing."""

from __future__ import annotations

import pytest

from hwmodel.errors import SpecError
from hwmodel.fixedpoint import emit_stream_lines
from hwmodel.fixedpoint._graph import sequential
from hwmodel.fixedpoint._layers import TensorType
from hwmodel.fixedpoint._layers_image import MaxPool
from hwmodel.fixedpoint._verify import verify
from hwmodel.fixedpoint.emit_conv import emit_stream
from hwmodel.fixedpoint.emit_stream_lines import LONGEST_SHIFT
from tests.unit.fixedpoint.emit_graphs import GRAPHS
from tests.unit.fixedpoint.folded_graphs import ACT, FOLDED, conv

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

CHAINS = {name: FOLDED[name] for name in ("depthwise", "each_step", "once", "line")} | {
    "image": GRAPHS["image"]
}


@pytest.mark.parametrize("pipeline", [1, 3])
@pytest.mark.parametrize("fold", [2, 100])
@pytest.mark.parametrize("name", CHAINS)
def test_folded_equals_the_graph(name: str, fold: int, pipeline: int) -> None:
    design = emit_stream(CHAINS[name](), name, pipeline, True, fold)
    assert verify(design, simulator="pyrtl", vectors=8).vectors == 8


@pytest.mark.parametrize("name", CHAINS)
def test_lines_in_memories_equal_the_graph(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emit_stream_lines, "LONGEST_SHIFT", 2)
    for fold in (None, 2):
        design = emit_stream(CHAINS[name](), name, 1, True, fold)
        assert verify(design, simulator="pyrtl", vectors=8).vectors == 8


@pytest.mark.parametrize(("fold", "multipliers"), [(2, 24), (4, 12), (8, 6)])
def test_folding_divides_the_multipliers_and_lengthens_the_interval(fold: int, multipliers: int) -> None:
    graph = FOLDED["depthwise"]()
    plain, folded = (emit_stream(graph, "g", 1, True, f) for f in (None, fold))
    assert len(folded.block.logic_subset("*")) <= multipliers
    places = plain.beats_out
    assert folded.ii_cycles == plain.ii_cycles + (fold - 1) * places


def wide(columns: int) -> object:
    graph = sequential("wide", TensorType((1, 3, columns), ACT), conv("conv", 1, 1, (3, 3)))
    return emit_stream(graph, "wide", 1, True)


def test_only_a_long_line_is_a_memory() -> None:
    short, long = wide(LONGEST_SHIFT + 2), wide(LONGEST_SHIFT + 3)
    assert "] conv_lines [" not in short.verilog
    assert f"reg [11:0] conv_lines [0:{LONGEST_SHIFT}];" in long.verilog
    assert long.ii_cycles == short.ii_cycles + 3


def test_a_long_line_equals_the_graph() -> None:
    layers = conv("conv", 2, 2, (3, 2), padding=1, stride=(1, 3)), MaxPool("most", kernel=2)
    graph = sequential("wide", TensorType((2, 4, LONGEST_SHIFT + 9), ACT), *layers)
    for fold in (None, 2):
        design = emit_stream(graph, "wide", 1, True, fold)
        assert "conv_lines" in design.verilog
        assert verify(design, simulator="pyrtl", vectors=4).vectors == 4


def test_bad_folds_and_branches_are_refused_with_the_style_to_take() -> None:
    with pytest.raises(SpecError, match="fold=0; a pixel"):
        emit_stream(FOLDED["line"](), "g", 1, True, 0)
    with pytest.raises(SpecError, match=r"layer 'sum' .*style='mac'"):
        emit_stream(FOLDED["branch"](), "g", 1, True)
