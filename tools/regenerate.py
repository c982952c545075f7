"""Make the files that are generated from code; with --check only say which of them are out of date.

A generator is a function that gives the whole text of one file. To add one, decorate it with
`@generates("path/of/the/file")`.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

Generator = Callable[[], str]
GENERATORS: dict[str, Generator] = {}


def generates(path: str) -> Callable[[Generator], Generator]:
    """Register a function as the maker of the file at `path`, relative to the project's root."""

    def register(generator: Generator) -> Generator:
        GENERATORS[path] = generator
        return generator

    return register


@generates("docs/reference/rsfq-cells.md")
def rsfq_cells() -> str:
    """The cells of the library `rsfq`: sizes, delays and hold times of every state."""
    from hwmodel import sfq

    library = sfq.library("rsfq")
    parts = [
        "# Cells of the library rsfq\n",
        "<!-- Made by tools/regenerate.py from hwmodel.sfq; edit the tables there, not here. -->\n",
        f"{len(library)} cells. Source: {library.source}\n",
        library.table() + "\n",
    ]
    parts += [_cell(cell) for cell in library.values()]
    return "\n".join(parts)


def _cell(cell: object) -> str:
    """One section: a row a transition, then a row a hold time."""
    from hwmodel.sfq import Cell

    assert isinstance(cell, Cell)
    lines = [f"## {cell.name}\n", "| state | input | next state | output after |", "|---|---|---|---|"]
    for (state, port), step in cell.transitions.items():
        fires = ", ".join(f"{output} {delay}" for output, delay in step.fires.items()) or "none"
        lines.append(f"| {state} | {port} | {step.next} | {fires} |")
    if cell.holds:
        lines += ["", "| state | first | second | not before |", "|---|---|---|---|"]
        lines += [f"| {hold.state} | {hold.first} | {hold.second} | {hold.time} |" for hold in cell.holds]
    return "\n".join([*lines, "", f"Source: {cell.source}", ""])


def load_generators(name: str) -> None:
    """Register the generators of another file of this folder: its `FILES`, a maker for each path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    GENERATORS.update(module.FILES)


load_generators("fixedpoint_files")
load_generators("cryo_files")
load_generators("cryo_machines")
load_generators("reservoir_files")
load_generators("reservoir_rtl_files")
load_generators("tutorial_files")


@generates("rtl/gen/dense_parallel.v")
def dense_parallel() -> str:
    """A dense layer with a sharing adder graph and two ranks of registers."""
    return _design("dense_parallel", "parallel")


@generates("rtl/gen/dense_mac.v")
def dense_mac() -> str:
    """The same layer on multipliers that take an input a cycle."""
    return _design("dense_mac", "mac")


@generates("rtl/gen/conv_stream.v")
def conv_stream() -> str:
    """A line-buffered convolution with padding, then a pool."""
    return _design("conv_stream", "stream")


def _design(name: str, style: str) -> str:
    """Verilog of a small layer with fixed weights."""
    import numpy as np

    from hwmodel.fixedpoint import Conv2d, Dense, Fixed, MaxPool, ReLU, TensorType, emit, sequential

    act = Fixed(6, 3, rounding="RND", overflow="SAT")
    if style == "stream":
        taps = [[[[1, 2, 1], [0, 0, 0], [-1, -2, -1]]], [[[0, -1, 0], [-1, 5, -1], [0, -1, 0]]]]
        conv = Conv2d("conv", weights=np.array(taps), weights_fmt=Fixed(4, 3), padding=(1, 1), output=act)
        graph = sequential(name, TensorType((1, 6, 6), act), conv, ReLU("relu"), MaxPool("pool", kernel=2))
        return emit(graph, style="stream", pipeline=1).verilog
    weights = [[3, -5, 7, 1], [0, 6, -2, -8], [-3, 4, 5, 2]]
    layer = Dense(
        "fc",
        weights=np.array(weights),
        weights_fmt=Fixed(4, 1),
        bias=np.array([1, -1, 0, 3]),
        bias_fmt=Fixed(4, 2),
        output=act,
    )
    graph = sequential(name, TensorType((3,), act), layer, ReLU("relu"))
    if style == "mac":
        return emit(graph, style="mac").verilog
    return emit(graph, style="parallel", pipeline=2).verilog


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with --check compare them; give the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: regenerate.py [--check]", file=sys.stderr)
        return 2
    stale = 0
    for name, generator in GENERATORS.items():
        file, text = ROOT / name, generator()
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        if old == text:
            continue
        stale += 1
        if arguments:
            difference = difflib.unified_diff(
                old.splitlines(),
                text.splitlines(),
                f"{name} (as it is)",
                f"{name} (as it should be)",
                lineterm="",
                n=1,
            )
            print("\n".join(difference))
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"regenerate: wrote {name}")
    if stale and arguments:
        print(f"regenerate: {stale} files are out of date; run 'python tools/regenerate.py'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
