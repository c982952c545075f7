"""Folded convolutions and line memories under Icarus equal the graph, with stalls and on time."""

from __future__ import annotations

import pytest

from hwmodel.fixedpoint import emit_stream_lines
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers import TensorType
from hwmodel.fixedpoint._layers_image import Conv2d
from hwmodel.fixedpoint._verify import verify
from hwmodel.fixedpoint.emit_conv import emit_stream
from hwmodel.fixedpoint.emit_design import emit
from hwmodel.hdl import tools
from tests.rtl.test_emitted_designs import need
from tests.unit.fixedpoint.emit_graphs import GRAPHS
from tests.unit.fixedpoint.folded_graphs import FOLDED

pytestmark = pytest.mark.slow
pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")


@pytest.mark.parametrize(
    ("name", "fold"),
    [("branch", None), ("branch", 200), ("depthwise", 3), ("each_step", 5), ("each_step", 90), ("once", 2)],
)
def test_maps_under_icarus(name: str, fold: int | None) -> None:
    need("icarus")
    assert verify(emit(FOLDED[name](), style="mac", fold=fold), simulator="icarus", vectors=10).vectors == 10


@pytest.mark.parametrize("fold", [None, 2])
def test_a_folded_convolution_is_proved_whatever_its_memories_held(fold: int | None) -> None:
    if not tools()["yosys"]:
        pytest.skip("yosys was not found")
    layer = Conv2d(
        "conv", weights=[[[[1, -1, 1]]]], weights_fmt=Fixed(2, 2), padding=(0, 1), output=Fixed(3, 3)
    )
    design = emit(layer, style="mac", fold=fold, input_type=TensorType((1, 1, 3), Fixed(2, 2)))
    assert verify(design, simulator="yosys", timeout=120).proved


@pytest.mark.parametrize("name", ["depthwise", "each_step", "image"])
def test_folded_streams_with_line_memories_under_icarus(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    need("icarus")
    monkeypatch.setattr(emit_stream_lines, "LONGEST_SHIFT", 2)
    graph = (GRAPHS | FOLDED)[name]()
    assert verify(emit_stream(graph, name, 2, True, 2), simulator="icarus", vectors=10).vectors == 10
