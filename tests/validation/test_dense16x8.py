"""A dense layer whose outputs came from outside: 300 inputs through weights <8,1> to <8,4> RND+SAT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._layers import Dense, TensorType


@pytest.fixture(scope="module")
def layer(reference_data: Path) -> dict[str, np.ndarray]:
    file = reference_data / "fixedpoint" / "dense16x8.npz"
    if not file.is_file():
        pytest.skip(f"no {file}; name the folder of the reference data in HWMODEL_REFERENCE")
    with np.load(file) as data:
        return {name: data[name] for name in data.files}


def graph_of(layer: dict[str, np.ndarray]) -> Graph:
    dense = Dense(
        "fc",
        weights=layer["weights"],
        weights_fmt=Fixed(8, 1),
        bias=layer["bias"],
        bias_fmt=Fixed(16, 4),
        output=Fixed(8, 4, rounding="RND", overflow="SAT"),
    )
    return sequential("dense16x8", TensorType((16,), Fixed(8, 3)), dense)


def test_the_layer_gives_the_reference_outputs(layer: dict[str, np.ndarray]) -> None:
    assert np.array_equal(graph_of(layer).evaluate(layer["x"]), layer["y"])


def test_the_outputs_tell_modes_apart(layer: dict[str, np.ndarray]) -> None:
    """Otherwise the comparison would prove little."""
    dense = graph_of(layer)["fc"]
    for output in (Fixed(8, 4, overflow="SAT"), Fixed(8, 4, rounding="RND")):
        other = Dense(
            "fc",
            weights=layer["weights"],
            weights_fmt=Fixed(8, 1),
            bias=layer["bias"],
            bias_fmt=Fixed(16, 4),
            output=output,
        )
        assert not np.array_equal(
            other.evaluate(layer["x"], types=(TensorType((16,), Fixed(8, 3)),)), layer["y"]
        )
    assert dense.parameters == 136
