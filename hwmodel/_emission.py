"""The work of `hwmodel emit` and `hwmodel verify`: a graph becomes a folder of hardware, which is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwmodel import __version__
from hwmodel._atomic import check_replaceable, replaced_folder
from hwmodel._simulations import search_folders
from hwmodel.errors import ResultError, SpecError, UnknownNameError, unknown

if TYPE_CHECKING:
    from hwmodel.fixedpoint.emit_design import Design

__all__ = [
    "Emission",
    "emit_command",
    "find_model",
    "load_design",
    "shipped_models",
    "table",
    "verify_command",
]

SOURCE, DESCRIPTION, MODEL, REPORT, INPUTS = (
    "design.v",
    "design.json",
    "model.npz",
    "report.json",
    "inputs.npz",
)
REPORT_KEYS = ("lut", "ff", "dsp", "tool", "latency_cycles", "ii_cycles")


@dataclass(frozen=True)
class Emission:
    """What is to be emitted, as the command line says it."""

    model: str
    out: Path
    style: str = "parallel"
    fold: int | None = None
    pipeline: int | None = None
    share: bool = True
    tool: str = "auto"


def shipped_models() -> dict[str, Path]:
    """Name -> `model.npz` of every model that lies in a folder of simulations."""
    found: dict[str, Path] = {}
    for folder in search_folders():
        if folder.is_dir():
            for file in sorted(folder.glob(f"*/{MODEL}")):
                found.setdefault(file.parent.name, file)
    return dict(sorted(found.items()))


def find_model(name: str) -> Path:
    """Give the file of a model: a path to a .npz, or the name of a shipped model.

    Raises:
        UnknownNameError: there is neither.
    """
    if name.endswith(".npz"):
        if Path(name).is_file():
            return Path(name)
        raise unknown("model file", name, [str(p) for p in Path(name).parent.glob("*.npz")])
    models = shipped_models()
    if name not in models:
        raise unknown("model", name, models)
    return models[name]


def emit_command(job: Emission) -> dict[str, Any]:
    """Write a design's folder as a whole; give its report.

    Raises:
        HwmodelError: an unknown model, a graph without hardware, a folder that must not be replaced.
    """
    from hwmodel.fixedpoint.emit_design import Graph, emit

    check_replaceable(job.out, foreign)
    file = find_model(job.model)
    style: Any = job.style
    design = emit(Graph.load(file), style=style, fold=job.fold, pipeline=job.pipeline, share=job.share)
    report = design.report(job.tool)
    with replaced_folder(job.out, foreign) as fresh:
        design.write_verilog(fresh / SOURCE)
        design.graph.save(fresh / MODEL)
        (fresh / "hls").mkdir()
        design.write_hls(fresh / "hls" / f"{design.name}.h")
        _write_json(fresh / REPORT, {key: report[key] for key in REPORT_KEYS})
        inputs = file.with_name("images.npz")
        if inputs.is_file():
            (fresh / INPUTS).write_bytes(inputs.read_bytes())
        (fresh / "README.md").write_text(_readme(design, report), encoding="utf-8")
        files = sorted(str(p.relative_to(fresh)) for p in fresh.rglob("*") if p.is_file())
        described = design.describe() | {"hwmodel": __version__, "files": [*files, DESCRIPTION]}
        _write_json(fresh / DESCRIPTION, described)
    return report


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _readme(design: Design, report: Mapping[str, Any]) -> str:
    """What lies in the folder, for people."""
    rows = [
        f"| `{p.name}` | {p.direction} | {p.width} | {'' if p.fmt is None else p.fmt} |" for p in design.ports
    ]
    return "\n".join(
        [
            f"# {design.name}\n",
            f"{design.graph.input} in, {design.graph.output_type} out; style {design.style}.",
            f"The latency is {design.latency_cycles} cycles; a new input is taken every {design.ii_cycles}.",
            f"Specification {design.spec_hash}.\n",
            f"`{SOURCE}` is the Verilog, `hls/` the same function in HLS C++, `{DESCRIPTION}` the pins,",
            f"formats and timing, `{MODEL}` the graph, `{REPORT}` the size. Check it with `hwmodel verify` and this folder.\n",
            "| pin | direction | bits | format of an element |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Size by {report['tool']}: {report['lut']} LUT, {report['ff']} flip-flops, {report['dsp']} DSP.",
            "",
        ]
    )


def foreign(folder: Path) -> str | None:
    """Why a folder must not be replaced: it is no emission's, or holds a file that none wrote.

    Parameters:
        folder: existing, non-empty folder.
    """
    try:
        written = set(json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"it is not empty and holds no {DESCRIPTION} of an emitted design"
    files = (str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())
    added = sorted(name for name in files if name not in written and not name.endswith("_mismatch.vcd"))
    return f"it holds '{added[0]}', which no emission wrote" if added else None


def load_design(folder: Path) -> Design:
    """Read an emitted folder; its Verilog is the one in the folder, whatever was done to it.

    Raises:
        ResultError: the folder is no emission's, or its parts do not belong together.
    """
    from hwmodel.fixedpoint.emit_design import Graph, emit

    try:
        head = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        text = (folder / SOURCE).read_text(encoding="utf-8")
        graph, options = Graph.load(folder / MODEL), dict(head["options"])
        name, style, ports, written = (head[key] for key in ("name", "style", "ports", "graph_hash"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"'{folder}' holds no emitted design ({error}); make one with hwmodel emit"
        ) from error
    if graph.spec_hash != written:
        raise ResultError(f"'{folder}': {MODEL} is not the graph that {DESCRIPTION} describes; emit it again")
    try:
        design = emit(graph, name, style, **options)
    except (TypeError, SpecError, UnknownNameError) as error:
        raise ResultError(f"'{folder}': {DESCRIPTION} is damaged ({error}); emit it again") from error
    if design.describe()["ports"] != ports:
        raise ResultError(f"'{folder}': this version of hwmodel makes other pins; emit it again")
    return replace(design, verilog=text)


def verify_command(folder: Path, simulator: str, vectors: int, inputs: Path | None = None) -> list[str]:
    """Verify an emitted folder; give what is to be printed.

    Parameters:
        folder: that `hwmodel emit` wrote.
        simulator: as for `verify`.
        vectors: how many inputs; those of a file first, in their order.
        inputs: .npz with raw `images` and perhaps `labels`; None takes the folder's own, or draws inputs.

    Raises:
        MismatchError: design and graph differ.
        HwmodelError: the folder or the simulator is not usable.
    """
    from hwmodel.fixedpoint.emit_design import verify

    design = load_design(folder)
    file = inputs or (folder / INPUTS if (folder / INPUTS).is_file() else None)
    x = labels = None
    if file is not None:
        x, labels = _read_inputs(file, design, vectors)
    if simulator in ("pyrtl", "exhaustive") and not _is_fresh(design):
        raise SpecError(
            f"'{folder / SOURCE}' was changed; PyRTL simulates the block and would not see it: take verilator, icarus or "
            "yosys"
        )
    found = verify(design, x, simulator, vectors=vectors, out=folder)
    lines = [f"{design.name}: {found}"]
    if labels is not None and x is not None:
        right = int((design.graph.evaluate(x).reshape(len(x), -1)[:, 0] == labels).sum())
        lines.append(f"accuracy: {right} of {len(labels)} labels, {100 * right / len(labels):.1f} %")
    return lines


def _is_fresh(design: Design) -> bool:
    from hwmodel.fixedpoint.emit_design import emit

    style: Any = design.style
    return emit(design.graph, design.name, style, **design.options).verilog == design.verilog


def _read_inputs(file: Path, design: Design, count: int) -> tuple[Any, Any]:
    try:
        with np.load(file, allow_pickle=False) as data:
            images = data["images"][:count].astype(np.int64)
            labels = data["labels"][:count].astype(np.int64) if "labels" in data.files else None
    except (OSError, KeyError, ValueError) as error:
        raise ResultError(f"'{file}' holds no raw 'images' ({error})") from error
    shape = design.graph.input.shape
    if not images.ndim or not len(images):
        raise ResultError(f"'{file}' holds no images; give at least one")
    if labels is not None and labels.shape != images.shape[:1]:
        raise ResultError(
            f"'{file}' holds {len(images)} images and labels of shape {labels.shape}; give one each"
        )
    if images[0].size != design.graph.input.size:
        raise SpecError(f"'{file}': images have shape {images.shape[1:]}, the design takes {shape}")
    return images.reshape(-1, *shape), labels


def table(report: Mapping[str, Any]) -> list[str]:
    """Give the resource table as lines."""
    names = {
        "lut": "LUT",
        "ff": "flip-flops",
        "dsp": "DSP",
        "latency_cycles": "latency, cycles",
        "ii_cycles": "cycles an input",
    }
    return [f"{title:18}{report[key]:>8}" for key, title in names.items()] + [f"counted by {report['tool']}"]
