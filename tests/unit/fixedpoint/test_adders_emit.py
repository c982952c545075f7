"""The PyRTL block of an adder graph, its registers, its ports, and the text of its Verilog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwmodel.errors import OutputError, SpecError
from hwmodel.fixedpoint.adders import Clip, adder_graph

pyrtl = pytest.importorskip("pyrtl", reason="the extra `rtl` is not installed")

from hwmodel.fixedpoint.emit_adders import AdderDesign, emit_adders  # noqa: E402

CLIPS = [None, Clip(4, -8, 7), Clip(0, 0, 15), Clip(2, -5, 9), Clip(20, -4, 3), Clip(1, 3, 900)]


def simulated(design: AdderDesign, x: np.ndarray) -> np.ndarray:
    """Outputs of the block, one row an input, taken after the latency."""
    block = design.block()
    block.sanity_check()
    simulation = pyrtl.Simulation(tracer=None, block=block)
    outputs = [name for name, (direction, _, _) in design.ports.items() if direction == "out"]
    rows = []
    for cycle in range(len(x) + design.latency):
        row = x[min(cycle, len(x) - 1)]
        words = {f"x{i}": int(v) % (1 << design.ports[f"x{i}"][1]) for i, v in enumerate(row)}
        simulation.step(words)
        if cycle >= design.latency:
            rows.append([signed(simulation.inspect(name), *design.ports[name][1:]) for name in outputs])
    return np.array(rows, object)


def signed(word: int, width: int, is_signed: bool) -> int:
    return word - (1 << width) if is_signed and word >> (width - 1) else word


def case(seed: int) -> tuple[AdderDesign, np.ndarray]:
    """A random small design, every option varied, and inputs for it."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    W = rng.integers(-40, 41, (rows, columns)) * rng.integers(0, 2, (rows, columns)) << int(
        rng.integers(0, 3)
    )
    formats = [(int(rng.integers(1, 9)), bool(rng.integers(0, 2))) for _ in range(rows)]
    bias = rng.integers(-100, 100, columns) * (seed % 3 > 0)
    graph = adder_graph(W, formats, bias=bias, lookups=(0, 5, 3)[seed % 3], share=seed % 4 > 0, effort=1)
    design = emit_adders(
        graph,
        clip=CLIPS[seed % len(CLIPS)],
        pipeline=(None, 1, 3, 2)[seed % 4],
        register_inputs=seed % 2 == 0,
        register_outputs=seed // 2 % 2 == 0,
        name=f"case{seed}",
    )
    x = np.stack([np.append([lo, hi], rng.integers(lo, hi + 1, 20)) for lo, hi in graph.input_ranges], axis=1)
    return design, x


@pytest.mark.parametrize("seed", range(24))
def test_the_block_gives_what_the_graph_gives(seed: int) -> None:
    design, x = case(seed)
    assert (simulated(design, x) == design.evaluate(x).astype(object)).all()


@pytest.mark.parametrize(("pipeline", "stages"), [(None, 0), (1, 3), (2, 1), (4, 0)])
def test_latency_counts_the_registers(pipeline: int | None, stages: int) -> None:
    graph = adder_graph(np.ones((16, 1), int), (4, True), lookups=0, max_depth=4)
    assert graph.depth == 4
    design = emit_adders(graph, pipeline=pipeline)
    assert design.latency == 2 + stages
    assert emit_adders(graph, pipeline=pipeline, register_inputs=False).latency == 1 + stages
    assert design.initiation_interval == 1


def test_ports_have_the_exact_widths() -> None:
    graph = adder_graph([[3, 1], [-4, 0]], [(4, True), (3, False)])
    assert emit_adders(graph).ports == {
        "x0": ("in", 4, True),
        "x1": ("in", 3, False),
        "y0": ("out", 7, True),
        "y1": ("out", 4, True),
    }


def test_a_clip_sets_the_width_of_the_outputs() -> None:
    graph = adder_graph([[3]], (4, True))
    assert emit_adders(graph, clip=Clip(1, 0, 7)).ports["y0"] == ("out", 3, False)


def test_every_word_of_the_verilog_has_its_minimal_width() -> None:
    graph = adder_graph([[7, -9], [11, 3]], [(4, True), (5, False)], lookups=0)
    text = emit_adders(graph, register_inputs=False, register_outputs=False).verilog()
    widths = {name: int(high) + 1 for high, name in re.findall(r"wire \[(\d+):0\] (n\d+) =", text)}
    assert widths == {f"n{k}": graph.signals.width_of(2 + k) for k in range(len(graph.nodes))}


def test_the_header_holds_the_hash_of_the_specification() -> None:
    graph = adder_graph([[3], [5]], (4, True))
    one, two = emit_adders(graph), emit_adders(graph, clip=Clip(1, -8, 7))
    assert f"// {one.fingerprint}\n" in one.verilog()
    assert one.fingerprint != two.fingerprint
    assert emit_adders(adder_graph([[3], [5]], (4, True))).verilog() == one.verilog()


def test_no_multiplier_is_written() -> None:
    W = np.random.default_rng(1).integers(-128, 128, (6, 3))
    code = re.sub(r"//.*", "", emit_adders(adder_graph(W, (8, True))).verilog())
    assert "*" not in code.replace("@*", "")


def test_the_file_is_the_text(tmp_path: Path) -> None:
    design = emit_adders(adder_graph([[3]], (4, True)))
    assert design.write_verilog(tmp_path / "a.v").read_text() == design.verilog()
    with pytest.raises(OutputError, match="cannot write"):
        design.write_verilog(tmp_path / "none" / "a.v")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pipeline": 0}, "pipeline is 0"),
        ({"name": "2fast"}, "no module name"),
        ({"name": "a b"}, "no module name"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        emit_adders(adder_graph([[3]], (4, True)), **options)


def test_a_bad_clip_is_named() -> None:
    with pytest.raises(SpecError, match="give shift >= 0, low <= high"):
        Clip(-1, 0, 1)
