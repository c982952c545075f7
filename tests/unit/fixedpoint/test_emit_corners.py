"""Corners of emission: names that collide, windows in the padding, intervals, joined channels."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hwmodel.errors import SpecError, ToolError
from hwmodel.fixedpoint import emit
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import Concat, Dense, PReLU, ReLU, Requantize, TensorType
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool
from hwmodel.fixedpoint._verify import verify
from tests.unit.fixedpoint.emit_graphs import ACT, SAT, WEIGHT, classifier, weights

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

DECLARED = re.compile(
    r"^\s*(?:input wire|output wire|wire|reg|localparam|function)\s+(?:\[[^]]*\]\s*)?(\w+)", re.M
)


def declared(verilog: str) -> Counter[str]:
    return Counter(DECLARED.findall(verilog))


@pytest.mark.parametrize("each_step", [True, False])
def test_a_window_wholly_in_the_padding_gives_the_bias(each_step: bool) -> None:
    conv = Conv1d(
        "conv",
        weights=weights(1, 2, 1, 2),
        weights_fmt=WEIGHT,
        bias=[3, -5],
        bias_fmt=WEIGHT,
        padding=4,
        stride=3,
        accumulator=SAT,
        each_step=each_step,
        output=SAT,
    )
    graph = sequential("padded", TensorType((1, 3), ACT), conv)
    assert graph.evaluate(np.full((1, 1, 3), 31))[0, :, 0].tolist() == [3, -5]
    for style in ("parallel", "stream"):
        assert verify(emit(graph, style=style), simulator="pyrtl", vectors=12).vectors == 12


@pytest.mark.parametrize("style", ["parallel", "mac"])
@pytest.mark.parametrize(
    "names",
    [
        ("valid", "advance", "handshake"),
        ("outputs", "outputs_packed", "x"),
        ("a", "a_sum", "a_n1"),
        ("clk", "rst", "in_data"),
        ("const_0", "tmp", "const_1_"),
        ("wire", "module", "reg"),
    ],
)
def test_layers_may_have_the_names_of_the_hardwares_own_signals(names: tuple[str, ...], style: str) -> None:
    first, second, third = names
    graph = sequential(
        second,
        TensorType((3,), ACT),
        Dense(first, weights=weights(2, 3, 3), weights_fmt=WEIGHT, output=ACT),
        PReLU(second, slope=[1, 2, 3], slope_fmt=WEIGHT, output=SAT),
        Dense(third, weights=weights(3, 3, 2), weights_fmt=WEIGHT),
    )
    design = emit(graph, style=style, pipeline=3 if style == "parallel" else None)
    assert verify(design, simulator="pyrtl", vectors=16).vectors == 16
    assert max(declared(design.verilog).values()) == 1
    assert "clk" in declared(design.verilog)


def test_streamed_layers_may_have_the_names_of_each_others_counters() -> None:
    conv = Conv2d("conv", weights=weights(4, 2, 1, 2, 2), weights_fmt=WEIGHT, padding=1, output=ACT)
    names = ("conv_row", "conv_valid", "conv_line", "conv_lines")
    graph = sequential("row", TensorType((1, 3, 3), ACT), conv, *(ReLU(name, output=SAT) for name in names))
    design = emit(graph, style="stream", pipeline=2)
    assert verify(design, simulator="pyrtl", vectors=8).vectors == 8
    assert max(declared(design.verilog).values()) == 1


def test_wires_that_differ_only_by_a_clash_keep_their_own_values() -> None:
    """Two layers `a` (2 x 2) and `a_1` (2) would both call an element a_1_0."""
    graph = sequential(
        "twice",
        TensorType((2, 2), ACT),
        Requantize("a", output=SAT),
        MaxPool("a_1", kernel=2, output=Fixed(4, 2, overflow="SAT")),
    )
    assert verify(emit(graph, pipeline=1), simulator="pyrtl", vectors=20).vectors == 20


@pytest.mark.parametrize("name", ["double", "template", "main", "ap_fixed", "final", "string", "always"])
def test_a_keyword_of_any_language_is_no_module_name(name: str) -> None:
    assert emit(classifier(), name=name, pipeline=1).name == f"{name}_module"


def test_the_interval_of_a_stream_is_that_of_the_frames_behind_the_first() -> None:
    """A later stage that makes three places of one pixel is the bottleneck; the ranks before it fill first."""
    graph = sequential(
        "late",
        TensorType((1, 1, 1), ACT),
        PReLU("bend", slope=[1], slope_fmt=WEIGHT, output=ACT),
        Conv2d("conv", weights=weights(5, 2, 1, 1, 3), weights_fmt=WEIGHT, padding=(0, 1), output=ACT),
    )
    design = emit(graph, style="stream", pipeline=4)
    assert design.ii_cycles == 3
    assert verify(design, simulator="pyrtl", vectors=24).vectors == 24


def test_whole_numbers_of_numpy_set_the_pipeline() -> None:
    assert emit(classifier(), pipeline=np.int64(2)).spec_hash == emit(classifier(), pipeline=2).spec_hash


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pipeline": 2.5}, "pipeline=2.5 is no whole number"),
        ({"pipeline": True}, "pipeline=True is no whole number"),
        ({"style": "mac", "fold": 1.5}, "fold=1.5 is no whole number"),
        ({"style": "mac", "pipeline": 2}, "pipeline=2 belongs to style='parallel'"),
    ],
)
def test_options_that_would_be_ignored_or_break_are_refused(options: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        emit(classifier(), **options)


def test_missing_pyrtl_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrtl", None)
    with pytest.raises(ToolError, match=r"pip install 'hwmodel\[rtl\]'"):
        emit(classifier())


def test_a_padded_mean_of_wide_numbers_is_exact() -> None:
    wide = Fixed(70, 63)
    pool = AvgPool("mean", kernel=2, padding=1, output=Fixed(72, 64))
    got = pool.evaluate(np.array([[[2**69 - 1, -(2**69)]]], object), types=(TensorType((1, 2), wide),))
    assert got.tolist() == [[[2**69 - 1, -(2**69)]]]  # halves, in units half as large


def joined() -> Graph:
    """Branches of three formats, joined twice."""
    layers = (
        Dense("fc", ("input",), weights=weights(1, 3, 4), weights_fmt=WEIGHT, output=ACT),
        ReLU("relu", ("fc",), output=SAT),
        Concat("both", ("fc", "input", "relu")),
        Concat("cast", ("both", "fc"), output=Fixed(5, 2, rounding="RND_CONV", overflow="SAT_SYM")),
    )
    return Graph("joined", TensorType((3,), ACT), layers)


@pytest.mark.parametrize("style", ["parallel", "mac"])
def test_joined_channels_equal_the_graph(style: str) -> None:
    graph = joined()
    assert graph.types["both"].shape == (11,)
    assert graph.types["both"].fmt == Fixed(7, 4)
    assert verify(emit(graph, style=style), simulator="pyrtl", vectors=24).vectors == 24


def test_joined_channels_are_saved(tmp_path: Path) -> None:
    graph = joined()
    assert Graph.load(graph.save(tmp_path / "joined")).spec_hash == graph.spec_hash


@pytest.mark.parametrize("column", [[0, 0, 0], [0, 0, 1], [1, 0, 0]])
def test_a_zero_product_in_front_casts_the_bias(column: list[int]) -> None:
    symmetric = Fixed(6, 3, overflow="SAT_SYM")
    layer = Dense(
        "fc",
        weights=np.array(column)[:, None],
        weights_fmt=Fixed(4, 1),
        bias=[symmetric.min_raw],
        bias_fmt=symmetric,
        accumulator=symmetric,
        each_step=True,
        output=symmetric,
    )
    design = emit(layer, input_type=TensorType((3,), Fixed(2, 1)), pipeline=0)
    assert verify(design, simulator="exhaustive").vectors == 64
