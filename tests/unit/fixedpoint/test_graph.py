"""Graphs: checked when made, evaluated exactly, described the same everywhere, saved without pickles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import FormatError, ResultError, SpecError, UnknownNameError, WiringError
from hwmodel.fixedpoint import _graph
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import KINDS, Graph, sequential
from hwmodel.fixedpoint._layers import (
    Add,
    Argmax,
    BatchNorm,
    Concat,
    Dense,
    Flatten,
    PReLU,
    ReLU,
    Requantize,
    TensorType,
    Threshold,
)
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool

from .layer_oracle import expected, raws

BYTE = Fixed(8, 3, rounding="RND", overflow="SAT")
NIBBLE = Fixed(4, 2)
VECTOR = TensorType((2,), BYTE)


def dense(name: str, *inputs: str, rows: int = 2, columns: int = 2) -> Dense:
    return Dense(name, inputs, weights=np.ones((rows, columns), int), weights_fmt=NIBBLE, output=BYTE)


def network() -> Graph:
    """A small network with every kind of layer but Conv1d."""
    rng = np.random.default_rng(1)
    wide = Fixed(70, 3)
    layers = (
        Threshold("bits", ("input",), levels=[-20, 20], levels_fmt=BYTE, values=(-1, 1), output=Fixed(2, 2)),
        Conv2d(
            "conv",
            ("bits",),
            weights=rng.integers(-8, 8, (3, 2, 2, 2)),
            weights_fmt=NIBBLE,
            padding=1,
            output=BYTE,
        ),
        BatchNorm(
            "bn",
            ("conv",),
            scale=[3, 2, 1],
            scale_fmt=NIBBLE,
            shift=[2**68, 1, -5],
            shift_fmt=wide,
            output=BYTE,
        ),
        PReLU("prelu", ("bn",), slope=[1, 2, 3], slope_fmt=NIBBLE, output=BYTE),
        Add("sum", ("prelu", "conv"), output=BYTE),
        MaxPool("max", ("sum",), kernel=2, stride=1),
        AvgPool("mean", ("max",), kernel=2, output=BYTE),
        Flatten("row", ("mean",)),
        Dense(
            "fc",
            ("row",),
            weights=rng.integers(-8, 8, (12, 4)),
            weights_fmt=NIBBLE,
            bias=[1] * 4,
            bias_fmt=NIBBLE,
        ),
        Requantize("cast", ("fc",), output=BYTE),
        ReLU("relu", ("cast",)),
        Concat("both", ("relu", "fc")),
        Argmax("label", ("both",)),
    )
    return Graph("net", TensorType((1, 4, 4), BYTE), layers, "label")


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(2).integers(-128, 128, (count, 1, 4, 4))


# ------------------------------------------------------------------------------------------------- evaluation


@settings(max_examples=15)
@given(data=st.data())
def test_the_graph_equals_its_layers_one_by_one(data: st.DataObject) -> None:
    graph = network()
    x = data.draw(raws(BYTE, (1, 1, 4, 4)))
    results, found = {"input": x}, graph.evaluate(x, return_all=True)
    for layer in graph.layers:
        inputs = [results[source] for source in layer.inputs]
        wanted = expected(layer, *inputs, types=graph.input_types(layer))
        assert found[layer.name].tolist() == wanted, layer.name
        results[layer.name] = found[layer.name]
    assert graph.evaluate(x).tolist() == results["label"].tolist()


def test_return_all_names_every_result_and_the_input() -> None:
    graph = network()
    results = graph.evaluate(images(), return_all=True)
    assert set(results) == {"input", *(layer.name for layer in graph.layers)}
    assert all(results[name].shape == (5, *graph.types[name].shape) for name in results)


def test_one_tensor_needs_no_batch_axis() -> None:
    graph, x = network(), images()
    assert graph.evaluate(x[0]).tolist() == graph.evaluate(x)[0].tolist()
    assert graph.evaluate(x[0], return_all=True)["conv"].shape == (3, 5, 5)


def test_a_large_batch_in_parts_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x = network(), images(7)
    whole = graph.evaluate(x)
    monkeypatch.setattr(_graph, "PART_ELEMENTS", 300)
    assert graph.evaluate(x).tolist() == whole.tolist()
    assert graph.evaluate(x[:0]).shape == (0, 1)


def test_the_order_of_layers_does_not_matter() -> None:
    graph = network()
    turned = Graph("net", graph.input, graph.layers[::-1], "label")
    assert turned.evaluate(images()).tolist() == graph.evaluate(images()).tolist()


def test_floats_are_cast_by_the_modes_of_the_input() -> None:
    graph = sequential("g", TensorType((3,), Fixed(4, 2, rounding="RND", overflow="SAT")), ReLU("relu"))
    assert graph.evaluate_float([0.3, -1.0, 9.0]).tolist() == [0.25, 0.0, 1.75]


def test_floats_that_are_no_numbers_are_refused_or_replaced() -> None:
    graph = sequential("g", VECTOR, ReLU("relu"))
    with pytest.raises(FormatError, match="nonfinite"):
        graph.evaluate_float([np.nan, 1.0])
    assert graph.evaluate_float([np.nan, np.inf], nonfinite="saturate").tolist() == [0.0, 127 / 32]


@pytest.mark.parametrize("raw", [np.zeros((2, 3), int), np.zeros((1, 1, 2), int), [[1, 500]]])
def test_raws_that_do_not_fit_are_refused(raw: np.ndarray) -> None:
    with pytest.raises(FormatError, match="input of graph 'g'"):
        sequential("g", VECTOR, ReLU("relu")).evaluate(raw)


# ------------------------------------------------------------------------------------------------- checks


def test_an_unknown_input_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="input of layer 'b', 'fc_1'; did you mean 'fc1'"):
        Graph("g", VECTOR, (dense("fc1", "input"), ReLU("b", ("fc_1",))), "b")


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="output of graph 'g', 'relu6'; did you mean 'relu'"):
        Graph("g", VECTOR, (ReLU("relu", ("input",)),), "relu6")


def test_two_layers_of_one_name_are_refused() -> None:
    with pytest.raises(WiringError, match="two layers named 'a'"):
        Graph("g", VECTOR, (ReLU("a", ("input",)), ReLU("a", ("input",))), "a")


def test_a_circle_is_refused_and_shown() -> None:
    layers = (Add("a", ("input", "c")), ReLU("b", ("a",)), ReLU("c", ("b",)))
    with pytest.raises(WiringError, match="circle, a <- c <- b <- a; cut it"):
        Graph("g", VECTOR, layers, "c")


def test_a_layer_that_reads_nothing_is_refused() -> None:
    with pytest.raises(WiringError, match=r"'a' \(ReLU\) reads nothing"):
        Graph("g", VECTOR, (ReLU("a"),), "a")


def test_a_graph_without_layers_is_refused() -> None:
    with pytest.raises(WiringError, match="no layers"):
        Graph("g", VECTOR, ())


def test_unused_layers_are_warned_of() -> None:
    layers = (ReLU("a", ("input",)), ReLU("b", ("a",)), ReLU("c", ("input",)))
    with pytest.warns(UserWarning, match="leads to 'c' reads 'a', 'b'"):
        graph = Graph("g", VECTOR, layers, "c")
    assert graph.unused == ("a", "b")
    assert "layer 'a' is never used" in graph.check()


def test_check_tells_of_a_narrow_accumulator() -> None:
    layer = Dense("fc", weights=[[7], [7]], weights_fmt=NIBBLE, accumulator=Fixed(6, 2), output=BYTE)
    said = sequential("g", VECTOR, layer).check()
    assert any("'fc': sums reach" in text for text in said)


def test_shapes_are_checked_when_the_graph_is_made() -> None:
    with pytest.raises(FormatError, match=r"layer 'b' \(Dense\)"):
        sequential("g", VECTOR, dense("a", columns=3), dense("b"))


@pytest.mark.parametrize(("kind", "layer"), [(VECTOR, "relu"), ((2,), ReLU("relu"))])
def test_what_is_no_layer_or_type_is_refused(kind: object, layer: object) -> None:
    with pytest.raises(SpecError, match="graph 'g'"):
        sequential("g", kind, layer)


def test_sequential_keeps_inputs_that_are_named() -> None:
    graph = sequential("g", VECTOR, ReLU("a"), ReLU("b"), Add("c", ("a", "b")))
    assert [layer.inputs for layer in graph.layers] == [("input",), ("a",), ("a", "b")]


def test_layers_are_found_by_name() -> None:
    graph = network()
    assert graph["fc"].kind == "Dense"
    with pytest.raises(UnknownNameError, match="did you mean 'conv'"):
        graph["conf"]


# ------------------------------------------------------------------------------------------------- descriptions


def test_the_hash_is_the_same_in_another_process() -> None:
    code = "from tests.unit.fixedpoint.test_graph import network; print(network().spec_hash)"
    root = Path(__file__).resolve().parents[3]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == network().spec_hash


def test_the_hash_sees_every_weight_and_mode() -> None:
    def made(weight: int, fmt: Fixed) -> str:
        return sequential(
            "g", VECTOR, Dense("fc", weights=[[1], [weight]], weights_fmt=NIBBLE, output=fmt)
        ).spec_hash

    hashes = {made(1, BYTE), made(2, BYTE), made(1, Fixed(8, 3, rounding="RND")), made(1, Fixed(8, 3))}
    assert len(hashes) == 4


def test_the_description_is_json() -> None:
    described = network().describe()
    assert json.loads(json.dumps(described)) == described
    assert [layer["kind"] for layer in described["layers"]][:2] == ["Threshold", "Conv2d"]


def test_the_summary_adds_up() -> None:
    lines = network().summary().splitlines()
    assert lines[0].split() == ["layer", "kind", "reads", "shape", "format", "parameters", "MACs"]
    assert lines[-1].split() == ["total", f"{2 + 24 + 6 + 3 + 48 + 4}", f"{24 * 25 + 75 + 75 + 48}"]


# ------------------------------------------------------------------------------------------------- files


def test_every_kind_of_layer_can_be_saved(tmp_path: Path) -> None:
    graph = network()
    kinds = {layer.kind for layer in graph.layers} | {"Conv1d"}
    assert kinds == set(KINDS)
    again = Graph.load(graph.save(tmp_path / "net"))
    assert again.spec_hash == graph.spec_hash
    assert again.evaluate(images()).tolist() == graph.evaluate(images()).tolist()
    fir = sequential(
        "fir", TensorType((1, 8), BYTE), Conv1d("c", weights=[[[1, 2]]], weights_fmt=NIBBLE, stride=2)
    )
    assert Graph.load(fir.save(tmp_path / "fir.npz")).describe() == fir.describe()


def test_a_saved_graph_holds_no_pickles(tmp_path: Path) -> None:
    with np.load(network().save(tmp_path / "net.npz"), allow_pickle=False) as data:
        assert all(data[name].dtype != object for name in data.files)


def test_an_unused_layer_is_warned_of_once(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="'a'"):
        graph = Graph("g", VECTOR, (ReLU("a", ("input",)), ReLU("b", ("input",))), "b")
    assert Graph.load(graph.save(tmp_path / "g")).unused == ("a",)


@pytest.mark.parametrize("keep", [0, 10, 400, -1])
def test_a_cut_file_is_refused(tmp_path: Path, keep: int) -> None:
    file = network().save(tmp_path / "net.npz")
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ResultError, match="no graph, or damaged"):
        Graph.load(file)


@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@settings(max_examples=60)
def test_a_changed_byte_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, place: float, value: int
) -> None:
    file = tmp_path_factory.mktemp("g") / "net.npz"
    network().save(file)
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] = value
    file.write_bytes(content)
    try:
        loaded = Graph.load(file)
    except ResultError:
        return
    assert loaded.spec_hash == network().spec_hash


def test_a_changed_weight_is_refused(tmp_path: Path) -> None:
    file = network().save(tmp_path / "net.npz")
    with np.load(file) as data:
        arrays = {name: data[name] for name in data.files}
    arrays["fc.weights"] = arrays["fc.weights"][::-1]
    np.savez(file, **arrays)
    with pytest.raises(ResultError, match="damaged: its hash"):
        Graph.load(file)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    np.savez(file, graph=np.array(json.dumps({"format": "hwmodel.fixedpoint.graph/9"})))
    with pytest.raises(ResultError, match="graph/9"):
        Graph.load(file)
    np.savez(file, other=np.zeros(3))
    with pytest.raises(ResultError, match="no graph"):
        Graph.load(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"none\.npz.*no such graph"):
        Graph.load(tmp_path / "none.npz")
