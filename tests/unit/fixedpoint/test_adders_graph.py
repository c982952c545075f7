"""Adder graphs: exact for any matrix, no dearer than plain digits, within depth, and the same every time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import FormatError, SpecError
from hwmodel.fixedpoint.adders import AdderGraph, adder_graph, csd, csd_count, khot

settings.register_profile("adders", deadline=None, max_examples=40)
ADDERS = settings.get_profile("adders")

weight = st.one_of(
    st.integers(-40, 40), st.sampled_from([0, 1, -1, 64, -128, 127]), st.integers(-(2**40), 2**40)
)
formats = st.tuples(st.integers(1, 12), st.booleans())


@st.composite
def matrices(draw: Any, element: Any = weight) -> np.ndarray:
    """Small matrices; now and then with a zero, a repeated, a negated or a shifted column."""
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    W = np.array([[draw(element) for _ in range(columns)] for _ in range(rows)], object)
    if columns > 1:
        W[:, -1] = {
            "zero": 0 * W[:, 0],
            "same": W[:, 0],
            "minus": -W[:, 0],
            "twice": 2 * W[:, 0],
            "own": W[:, -1],
        }[draw(st.sampled_from(["zero", "same", "minus", "twice", "own"]))]
    return W


def inputs_of(graph: AdderGraph, count: int = 30, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    columns = [
        np.concatenate([[low, high], rng.integers(low, high + 1, count)]) for low, high in graph.input_ranges
    ]
    return np.stack(columns, axis=1)


def plain_adders(weights: np.ndarray, bias: np.ndarray) -> int:
    """Adders of a sum of all digits a column, a negation where no digit is positive."""
    total = 0
    for j in range(weights.shape[1]):
        signs = [sign for value in weights[:, j] for _, sign in csd(int(value))] + [1] * (bias[j] != 0)
        total += max(len(signs) - 1, 0) + (bool(signs) and max(signs) < 0)
    return total


@settings(ADDERS)
@given(matrices(), st.data(), st.sampled_from([0, 3, 5]), st.booleans())
def test_the_graph_is_the_matrix_product(weights: np.ndarray, data: Any, lookups: int, share: bool) -> None:
    rows, columns = weights.shape
    given_formats = data.draw(st.lists(formats, min_size=rows, max_size=rows))
    bias = np.array(data.draw(st.lists(st.integers(-500, 500), min_size=columns, max_size=columns)), object)
    graph = adder_graph(weights, given_formats, bias=bias, lookups=lookups, share=share, effort=1)
    x = inputs_of(graph)
    assert (graph.evaluate(x) == x.astype(object) @ weights + bias).all()
    assert graph.check() == []


@settings(ADDERS)
@given(matrices(), st.lists(st.integers(-9, 9), min_size=4, max_size=4))
def test_sharing_never_takes_more_adders_than_plain_digits(weights: np.ndarray, offsets: list[int]) -> None:
    bias = np.array(offsets[: weights.shape[1]], object)
    graph = adder_graph(weights, (8, True), bias=bias, lookups=0)
    assert graph.adders <= plain_adders(weights, bias)


@settings(ADDERS)
@given(matrices(), st.sampled_from([0, 5]))
def test_sharing_never_costs(weights: np.ndarray, lookups: int) -> None:
    alone = adder_graph(weights, (8, True), lookups=lookups, share=False, effort=1)
    assert adder_graph(weights, (8, True), lookups=lookups, effort=1).cost() <= alone.cost()


@settings(ADDERS)
@given(matrices(st.integers(-128, 127)), st.integers(0, 9), st.sampled_from([0, 5]))
def test_the_depth_is_kept_or_refused(weights: np.ndarray, max_depth: int, lookups: int) -> None:
    most = max(sum(len(csd(int(w))) for w in column) for column in weights.T)
    try:
        graph = adder_graph(weights, (8, True), lookups=lookups, max_depth=max_depth, effort=1)
    except SpecError:
        # With plain adders a tree over all digits, and a negation, is the least that is promised.
        assert lookups or (max(most, 1) - 1).bit_length() + 1 > max_depth
        return
    assert graph.depth <= max_depth
    x = inputs_of(graph)
    assert (graph.evaluate(x) == x.astype(object) @ weights).all()


@pytest.mark.parametrize("lookups", [0, 5])
def test_the_same_call_gives_the_same_graph(lookups: int) -> None:
    W = np.random.default_rng(5).integers(-128, 128, (12, 6))
    one, two = (adder_graph(W, (8, True), lookups=lookups) for _ in range(2))
    assert one.fingerprint == two.fingerprint


def test_more_effort_never_costs() -> None:
    W = np.random.default_rng(6).integers(-128, 128, (12, 3))
    costs = [adder_graph(W, (8, True), effort=effort).cost() for effort in (1, 8)]
    assert costs[1] <= costs[0]


@pytest.mark.parametrize("lookups", [0, 5])
def test_fewer_digits_cost_less(lookups: int) -> None:
    W = np.random.default_rng(7).integers(-128, 128, (16, 4))
    exact, two, one = (
        adder_graph(w, (8, True), lookups=lookups).cost() for w in (W, khot(W, 2, 8), khot(W, 1, 8))
    )
    assert exact > two > one


def test_tables_cost_less_than_plain_adders() -> None:
    W = np.random.default_rng(8).integers(-128, 128, (16, 4))
    assert adder_graph(W, (8, True)).cost() < 0.75 * adder_graph(W, (8, True), lookups=0).cost()


def test_a_repeated_column_is_free() -> None:
    column = np.random.default_rng(9).integers(-128, 128, (8, 1))
    one, four = (adder_graph(np.repeat(column, n, axis=1), (8, True), lookups=0) for n in (1, 4))
    assert (four.adders, four.cost()) == (one.adders, one.cost())


def test_columns_that_differ_little_are_built_from_one_another() -> None:
    rng = np.random.default_rng(10)
    base = rng.integers(-(2**20), 2**20, (6, 1))
    W = np.repeat(base, 6, axis=1)
    W[rng.integers(0, 6, 6), np.arange(6)] += 1 << rng.integers(0, 12, 6)
    graph = adder_graph(W, (8, True), lookups=0)
    assert graph.adders <= csd_count(base) - 1 + 2 * 6


def test_powers_of_two_are_wires() -> None:
    graph = adder_graph(np.diag([1, 2, 64]), (8, True))
    assert (graph.adders, graph.cost(), graph.depth) == (0, 0, 0)


def test_sharing_saves_a_third_of_the_adders_of_a_random_layer() -> None:
    W = np.random.default_rng(11).integers(-128, 128, (16, 16))
    assert adder_graph(W, (8, True), lookups=0).adders < 0.67 * (csd_count(W) - 16)


def test_sums_beyond_64_bits_are_python_integers() -> None:
    graph = adder_graph([[2**80 + 1], [-(2**70)]], (16, True), lookups=0)
    assert graph.evaluate([[-(2**15), 2**15 - 1]])[0, 0] == -(2**15) * (2**80 + 1) - (2**15 - 1) * 2**70


def test_narrow_sums_are_int64() -> None:
    assert adder_graph([[3]], (8, True)).evaluate([[5]]).dtype == np.int64


def test_nodes_and_outputs_are_tables() -> None:
    graph = adder_graph([[5, 10], [3, 6]], (8, True), lookups=0)
    assert graph.nodes.tolist() == [[0, 0, 0, 2, 1, 1], [2, 1, 0, 0, -1, 2], [3, 1, 0, 2, 1, 3]]
    assert graph.outputs.tolist() == [[4, 0, 1], [4, 1, 1]]


def test_every_width_is_needed() -> None:
    """Ranges of nodes without tables are exact, not just bounds."""
    graph = adder_graph([[7, -9], [11, 3]], [(4, True), (5, False)], lookups=0)
    x = np.array([(a, b) for a in range(-8, 8) for b in range(32)])
    values = graph.values(graph.checked(x))
    for signal, span in enumerate(graph.signals.ranges):
        assert (values[signal].min(), values[signal].max()) == span


def test_a_damaged_graph_is_seen() -> None:
    graph = adder_graph([[5], [3]], (8, True), lookups=0)
    left, right, left_shift, right_shift, sign = graph.node_rows[-1]
    damaged = replace(
        graph, node_rows=(*graph.node_rows[:-1], (left, right, left_shift, right_shift + 1, sign))
    )
    with pytest.raises(SpecError, match="not x @ W"):
        damaged.check()


@pytest.mark.parametrize(
    ("weights", "formats", "options", "error", "message"),
    [
        ([[0.5]], (8, True), {}, FormatError, "0.5 is not an integer"),
        ([[float("nan")]], (8, True), {}, FormatError, "nan is not an integer"),
        ([["a"]], (8, True), {}, FormatError, "holds no raw integers"),
        ([[True]], (8, True), {}, FormatError, "holds no raw integers"),
        ([], (8, True), {}, SpecError, "1 x 1 or more"),
        ([[]], (8, True), {}, SpecError, "1 x 1 or more"),
        ([1, 2], (8, True), {}, SpecError, "inputs by outputs"),
        ([[1 << 600]], (8, True), {}, SpecError, "scale the weights down"),
        ([[1 << 50]], (8, True), {}, SpecError, "lookups=0"),
        ([[1]], (0, True), {}, FormatError, "input 0 has width 0"),
        ([[1], [1]], [(8, True)], {}, SpecError, "1 input formats for 2 inputs"),
        ([[1]], (8, True), {"bias": [1, 2]}, SpecError, "one raw integer for each of 1 outputs"),
        ([[1]], (8, True), {"bias": [0.25]}, FormatError, "0.25 is not an integer"),
        ([[1]], (8, True), {"max_depth": -1}, SpecError, "max_depth is -1"),
        ([[1], [1], [1]], (8, True), {"max_depth": 1, "lookups": 0}, SpecError, "need a depth of 2"),
        ([[1]], (8, True), {"lookups": 6}, SpecError, "lookups is 6"),
        ([[1]], (8, True), {"effort": 0}, SpecError, "effort is 0"),
    ],
)
def test_bad_arguments_are_named(
    weights: Any, formats: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        adder_graph(weights, formats, **options)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[1, 2, 3]], SpecError, "the graph's 2 inputs"),
        ([[1, 128]], FormatError, "input 1 is 128, outside -128 to 127"),
        ([1, -129], FormatError, "input 1 is -129"),
        ([[1, 0.5]], FormatError, "0.5 is not an integer"),
        ([[1, 2**70]], FormatError, "outside -128 to 127"),
    ],
)
def test_bad_inputs_are_named(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        adder_graph([[1], [3]], (8, True)).evaluate(x)
