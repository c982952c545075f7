"""Style "mac" with convolutions: equal to the graph at every fold, on time, with weights and maps in memories."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from hwmodel.errors import MismatchError, SpecError
from hwmodel.fixedpoint import emit
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import BatchNorm, Dense, Flatten, ReLU, TensorType
from hwmodel.fixedpoint._layers_image import Conv2d
from hwmodel.fixedpoint._stream import Play, Player
from hwmodel.fixedpoint._verify import draw_inputs, verify
from hwmodel.fixedpoint.emit_simulate import simulate
from tests.unit.fixedpoint.emit_graphs import WEIGHT, weights
from tests.unit.fixedpoint.folded_graphs import ACT, FOLDED, conv, depthwise, each_step

pyrtl = pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")


@pytest.mark.parametrize("fold", [None, 1, 2, 3, 5, 13, 1000])
@pytest.mark.parametrize("name", FOLDED)
def test_equals_the_graph_at_every_fold(name: str, fold: int | None) -> None:
    design = emit(FOLDED[name](), style="mac", fold=fold)
    assert verify(design, simulator="pyrtl", vectors=8).vectors == 8


@pytest.mark.parametrize("stall", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["depthwise", "branch"])
def test_stalls_on_both_sides_change_nothing(name: str, stall: float) -> None:
    design = emit(FOLDED[name](), style="mac", fold=4)
    x = draw_inputs(design.graph.input, 12, seed=3)
    words = [w for item in design.pack(x) for w in item]
    expected = [w for item in design.pack_outputs(design.graph.evaluate(x)) for w in item]
    play = Play(
        words, expected, design.beats_in, design.beats_out, design.latency_cycles, design.ii_cycles, 0, stall
    )
    player = Player(play)
    simulate(design.block, player)
    assert player.failure is None
    assert player.received == len(expected)


@pytest.mark.parametrize(
    ("fold", "cycles_a_place"),
    [(None, 6), (1, 1), (2, 2), (3, 3), (5, 3), (6, 6), (12, 12), (48, 48), (99, 48)],
)
def test_timing_is_places_times_cycles_a_place(fold: int | None, cycles_a_place: int) -> None:
    design = emit(depthwise(), style="mac", fold=fold)
    places = prod(design.graph.output_type.shape[1:])
    assert design.latency_cycles == places * cycles_a_place + 2
    assert design.ii_cycles == design.latency_cycles + design.beats_in - 1


def products(design: object) -> int:
    return len(design.block.logic_subset("*"))


def test_more_cycles_take_fewer_multipliers() -> None:
    designs = [emit(each_step(), style="mac", fold=fold) for fold in (3, 18, 36, 90)]
    counts = [products(design) for design in designs]
    assert counts == [30, 5, 3, 1]


def test_weights_and_maps_lie_in_memories() -> None:
    big = sequential("big", TensorType((4, 9, 9), ACT), conv("conv", 6, 4, (3, 3), padding=1))
    text = emit(big, style="mac", fold=1000).verilog
    assert f"reg [23:0] conv_map [0:{9 * 9 - 1}];" in text
    assert "conv_weights [0:215];" in text
    # A read is a register that takes the word: the form that becomes a block RAM.
    assert "conv_map_read_0 <= (conv_map[" in text


def test_a_reset_in_the_middle_leaves_nothing_behind() -> None:
    design = emit(depthwise(), style="mac", fold=2)
    simulation = pyrtl.FastSimulation(block=design.block, tracer=None)
    x = draw_inputs(design.graph.input, 2, seed=5)
    words = design.pack(x)
    for word in words[0] + words[0][:20]:
        simulation.step({"rst": 0, "in_valid": 1, "in_data": word, "out_ready": 1})
    simulation.step({"rst": 1, "in_valid": 0, "in_data": 0, "out_ready": 0})
    got = []
    for word in words[1] + [0] * design.latency_cycles:
        sending = len(got) == 0
        simulation.step({"rst": 0, "in_valid": int(sending), "in_data": word, "out_ready": 1})
        if simulation.inspect("out_valid"):
            got.append(simulation.inspect("out_data"))
    expected = design.pack_outputs(design.graph.evaluate(x[1:]))[0]
    assert got == expected


def test_a_cast_at_each_step_counts_the_zeros_of_the_border() -> None:
    """SAT_SYM moves the least raw at the first step, even where that adds nothing."""
    least = Fixed(4, 2, overflow="SAT_SYM")
    layer = Conv2d(
        "conv",
        weights=np.zeros((1, 1, 3, 3), int),
        weights_fmt=WEIGHT,
        bias=[-8],
        bias_fmt=least,
        padding=1,
        accumulator=least,
        each_step=True,
    )
    graph = sequential("least", TensorType((1, 2, 2), ACT), layer)
    assert graph.evaluate(np.zeros((1, 1, 2, 2), int)).min() == -7
    assert verify(emit(graph, style="mac"), simulator="pyrtl", vectors=4).vectors == 4


def test_a_changed_weight_is_seen(tmp_path: Path) -> None:
    design = emit(depthwise(), style="mac")
    layer = design.graph.layers[0]
    other = layer.weights.copy()
    other[7, 0, 1, 2] += 1 if other[7, 0, 1, 2] < 7 else -1
    graph = Graph("depthwise", design.graph.input, (replace(layer, weights=other), *design.graph.layers[1:]))
    with pytest.raises(MismatchError, match="the output differs"):
        verify(replace(design, graph=graph), simulator="pyrtl", vectors=8, out=tmp_path)


def test_what_reads_a_flattened_map_is_refused_by_name() -> None:
    first = conv("conv", 2, 1, (2, 2))
    norm = BatchNorm("norm", scale=weights(1, 8), scale_fmt=WEIGHT, shift=weights(2, 8), shift_fmt=ACT)
    kind = TensorType((1, 3, 3), ACT)
    with pytest.raises(SpecError, match=r"layer 'norm' .* flattened 'row'.*before the Flatten"):
        emit(sequential("g", kind, first, Flatten("row"), norm), style="mac")
    with pytest.raises(SpecError, match=r"layer 'row' \(Flatten\).*leave the Flatten out"):
        emit(sequential("g", kind, first, Flatten("row")), style="mac")


def test_a_fold_that_reads_too_many_taps_is_refused() -> None:
    first = conv("conv", 1, 1, (1, 1))
    fc = Dense("fc", weights=weights(1, 100, 2), weights_fmt=WEIGHT)
    graph = sequential("g", TensorType((1, 10, 10), ACT), first, ReLU("bend"), Flatten("row"), fc)
    with pytest.raises(SpecError, match=r"layer 'fc' .*fold=1 reads 100 taps at a time.*raise fold"):
        emit(graph, style="mac", fold=1)
    assert emit(graph, style="mac", fold=2).latency_cycles == 100 + 2 + 2 + 2
