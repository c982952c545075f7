"""Runs an emitted miner over a stretch of its search: under Verilator, or in PyRTL."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal

import numpy as np

from hwmodel.errors import SpecError, ToolError, unknown
from hwmodel.kernel import Clock, System
from hwmodel.reservoir.rtl import Found, MinerSpec, RtlDesign
from hwmodel.units import GHz, ns

__all__ = ["Search", "component", "drive_pins", "search"]

SIMULATORS = ("auto", "verilator", "pyrtl")
CLOCK = Clock(GHz(1))
MAX_EDGES = 1 << 33
SHOWN = ("valid", "hits", "nonce", "count", "batch")


@dataclass(frozen=True)
class Search:
    """What a miner showed.

    Attributes:
        found: hits, in the order in which they came out, and of one edge in that of cores and slots.
        results: hashes that came out of each small core.
        edges: clock edges that were simulated.
        simulator: "verilator" or "pyrtl".
    """

    found: tuple[Found, ...]
    results: int
    edges: int
    simulator: str


def search(
    design: RtlDesign,
    header: bytes,
    steps: int,
    first: int = 0,
    difficulty: int = 1,
    midstates: Iterable[bytes] = (),
    simulator: Literal["auto", "verilator", "pyrtl"] = "auto",
) -> Search:
    """Give a miner a job, and look at its results for some counter steps.

    Parameters:
        design: from `emit_pipeline` or `emit_chip`.
        header: 80 bytes; the nonce in them is not used.
        steps: counter steps to wait for, those of gaps between sweeps included.
        first: counter at which the sweeps begin; the counter is the nonce in `scan_order`, without the core's bits.
        difficulty, midstates: as in `RtlDesign.inputs`.
        simulator: "verilator" compiles the Verilog, which for a full pipeline takes half a minute the first time; "pyrtl"
            steps the block in this process; "auto" takes Verilator where it is found.

    Raises:
        SpecError: no miner, or a stretch beyond 2**33 clock edges.
        ToolError: the simulator asked for is missing.

    Example:
        >>> from hwmodel.reservoir.rtl import emit_pipeline
        >>> design = emit_pipeline(unroll=4, zero_bits=3)
        >>> found = search(design, bytes(80), steps=20, simulator="pyrtl")
        >>> found.results, found.edges - design.spec.result_edge(0, 19)
        (20, 1)
    """
    spec = design.spec
    if not isinstance(spec, MinerSpec):
        raise SpecError(f"design '{design.name}' is no miner; only pipelines and chips search")
    if simulator not in SIMULATORS:
        raise unknown("simulator", str(simulator), SIMULATORS)
    edges = spec.lead + (steps - 1) * spec.interval + spec.latency + 1
    if steps < 1 or edges > MAX_EDGES:
        raise SpecError(
            f"search '{design.name}': {steps} steps are {edges} clock edges; give 1 step to 2**33 edges"
        )
    pins = design.inputs(header, first, difficulty, midstates)
    if simulator == "auto":
        tools = resolve_name("hwmodel.hdl:tools")()
        simulator = "verilator" if tools["verilator"] and tools["g++"] else "pyrtl"
    run = _under_verilator if simulator == "verilator" else _in_pyrtl
    found, results = [], 0
    for edge, outputs in run(design, pins, edges):
        results += 1
        if outputs["hits"]:
            found += design.found(edge, outputs)
    return Search(tuple(found), results, edges, simulator)


def _shown(design: RtlDesign) -> list[str]:
    """Pins that tell of results."""
    spec = design.spec
    absent = {"count" if spec.cores == 1 else "nonce", "" if spec.front == "version" else "batch"}
    return [name for name in SHOWN if name not in absent]


def _in_pyrtl(design: RtlDesign, pins: Mapping[str, int], edges: int) -> Iterator[tuple[int, dict[str, int]]]:
    import pyrtl

    simulation = pyrtl.FastSimulation(block=design.block, tracer=None)
    names = _shown(design)
    held = {**pins, "start": 1, "rst": 0}
    for edge in range(edges + 1):
        simulation.step(held)
        held["start"] = 0
        # In a step the pins show the registers before its edge, which is what the edge before left.
        if edge and simulation.inspect("valid"):
            yield edge - 1, {name: int(simulation.inspect(name)) for name in names}


# ----------------------------------------------------------------------------------------------- Verilator


def component(design: RtlDesign, name: str, clock: Clock, simulator: str = "auto") -> Any:
    """The design as a component, an `hwmodel.hdl.Rtl`; `rst` is over before time 0.

    Parameters:
        design: any emitted design.
        name: path of the component.
        clock: its clock.
        simulator: as for `Rtl`.

    Raises:
        ToolError: a tool is missing.
    """
    file = _folder(design.verilog) / f"{design.name}.v"
    if not file.is_file() or file.read_text(encoding="utf-8") != design.verilog:
        partial = file.with_suffix(f".{os.getpid()}")
        design.write_verilog(partial).replace(file)
    return resolve_name("hwmodel.hdl:Rtl")(name, file, clock, simulator=simulator)


def _folder(text: str) -> Path:
    """A folder for a source that is the same in every process, so that the build of it is found again."""
    root = Path(tempfile.gettempdir()) / f"hwmodel-verilog-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.stat().st_uid != os.getuid():
        raise ToolError(f"{root} belongs to someone else; name another folder for temporary files in TMPDIR")
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:24]
    folder.mkdir(exist_ok=True)
    return folder


def drive_pins(system: System, rtl: Any, pins: Mapping[str, int], start: int = 0) -> None:
    """Hold pins of a component for the whole run, and pulse `start` for one clock of 1 ns.

    Parameters:
        system: that holds the component.
        rtl: from `component`.
        pins: values of whole pins, which may be wider than 64 bits.
        start: edge that sees `start`.

    Raises:
        SpecError: a pin that the component has not.
    """
    known = {port: port.partition("[")[0] for port in rtl.ports}
    for pin, value in pins.items():
        words = [port for port, name in known.items() if name == pin]
        if not words:
            raise SpecError(f"component '{rtl.name}' has no pin '{pin}'")
        for port in words:
            place = int(port[len(pin) + 1 : -1]) if port != pin else 0
            word = value >> (64 * place) & ((1 << 64) - 1)
            system.drive(port, at=ns([0]), values=[word - (1 << 64) if word >> 63 else word])
    system.drive("start", at=ns([start, start + 1]), values=[1, 0])


def _under_verilator(
    design: RtlDesign, pins: Mapping[str, int], edges: int
) -> Iterator[tuple[int, dict[str, int]]]:
    rtl = component(design, "miner", CLOCK, "verilator")
    system = System(rtl)
    drive_pins(system, rtl, pins)
    names = _shown(design)
    result = system.run(until=ns(edges), watch=names)
    traces = {name: (result[name].t // 1_000_000, result[name].value) for name in names}
    valid = _held(traces["valid"], np.arange(edges))
    at = np.flatnonzero(valid)
    columns = {name: _held(traces[name], at) for name in names}
    masks = {name: (1 << rtl.port(name).width) - 1 for name in names}
    for n, edge in enumerate(at.tolist()):
        yield edge, {name: int(columns[name][n]) & masks[name] for name in names}


def _held(trace: tuple[Any, Any], at: Any) -> Any:
    """Values of a signal at edges; it holds its value until the next change, and is 0 before the first."""
    place = np.searchsorted(trace[0], at, side="right")
    return np.concatenate([[0], trace[1]])[place]
