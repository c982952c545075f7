"""Verification: a design under a simulator against the exact result of its graph."""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import MismatchError, SpecError, ToolError, unknown
from hwmodel.fixedpoint._layers_base import TensorType
from hwmodel.fixedpoint._proof import prove
from hwmodel.fixedpoint._stream import Failure, Play, Player, write_vcd

if TYPE_CHECKING:
    from hwmodel.fixedpoint.emit_design import Design

__all__ = ["SIMULATORS", "Verification", "draw_inputs", "verify"]

SIMULATORS = ("auto", "pyrtl", "verilator", "icarus", "exhaustive", "yosys")

MAX_EXHAUSTIVE_BITS = 18
BENCH = "hwmodel.fixedpoint._stream_bench"


@dataclass(frozen=True)
class Verification:
    """What was compared, and found equal.

    Attributes:
        vectors: inputs that were played, or for which equality was proved.
        cycles: clock cycles that were simulated, or unrolled for a proof.
        simulator: what simulated or proved it, with its version.
        seconds: wall time.
        exhaustive: whether all inputs were covered.
        proved: whether by a proof, which covers them without stalls, and not by simulation.
    """

    vectors: int
    cycles: int
    simulator: str
    seconds: float
    exhaustive: bool = False
    proved: bool = False

    def __str__(self) -> str:
        """One line for people."""
        if self.proved:
            bits = self.vectors.bit_length() - 1
            return f"proved equal for all 2^{bits} inputs, {self.cycles} cycles by {self.simulator} in {self.seconds:.1f} s"
        what = f"all {self.vectors} inputs" if self.exhaustive else f"{self.vectors} inputs"
        return f"equal for {what}, {self.cycles} cycles under {self.simulator} in {self.seconds:.1f} s"


def verify(
    design: Design,
    x: Any = None,
    simulator: str = "auto",
    *,
    vectors: int = 200,
    seed: int = 1,
    stall: float = 0.35,
    out: str | os.PathLike[str] | None = None,
    timeout: float = 60.0,
) -> Verification:
    """Play inputs into a design and compare every output with the graph's, bit for bit.

    The first half is played without stalls, and the promised latency and initiation interval are measured on it; in
    the second half both sides stall at random, and waiting outputs must be held.

    Parameters:
        design: from `emit`.
        x: raw inputs, shape (batch, *input shape); None draws `vectors` of them, the extremes first. "exhaustive" and
            "yosys" cover all inputs, whatever is given.
        simulator: "verilator" or "icarus" (a cocotb test bench on the Verilog), "pyrtl" (the block, in this process),
            "exhaustive" (every input there is, in PyRTL), "yosys" (a proof for every input, without stalls, that the
            Verilog equals a second, plain description of the graph), or "auto": the first of Verilator, Icarus and
            PyRTL that is found and runs; one that fails is named in a warning.
        vectors: inputs to draw.
        seed: of inputs and stalls.
        stall: share of cycles in which a side waits in the second half.
        out: folder for the waveform of a difference; None takes the current one.
        timeout: seconds that a proof may take.

    Raises:
        MismatchError: names cycle, input, expected and got, and the waveform file.
        ToolError: the simulator asked for is missing, or a proof is too large or takes too long.
        SpecError: no inputs, too many to try them all, or a layer that a proof does not know.

    Example:
        >>> from hwmodel.fixedpoint._layers import Dense, TensorType
        >>> from hwmodel.fixedpoint._format import Fixed
        >>> from hwmodel.fixedpoint.emit_design import emit
        >>> fc = Dense("fc", weights=[[3], [-5]], weights_fmt=Fixed(4, 1), output=Fixed(8, 3))
        >>> found = verify(emit(fc, input_type=TensorType((2,), Fixed(4, 3))), simulator="exhaustive")
        >>> found.vectors, found.exhaustive
        (256, True)
    """
    if simulator not in SIMULATORS:
        raise unknown("simulator", simulator, SIMULATORS)
    begun = time.perf_counter()
    if simulator == "yosys":
        return _prove(design, timeout, begun, Path(out or "."))
    inputs = _inputs(design, x, simulator, vectors, seed)
    play = _play(design, inputs, stall, seed)
    report, name = _simulate(design, play, simulator)
    if report["failure"] is not None:
        _raise(design, inputs, report, name, Path(out or "."))
    seconds = time.perf_counter() - begun
    return Verification(len(inputs), report["cycles"], name, seconds, simulator == "exhaustive")


def _inputs(design: Design, x: Any, simulator: str, vectors: int, seed: int) -> npt.NDArray[Any]:
    """Give what is to be played: every input, those drawn, or those given."""
    if simulator == "exhaustive":
        inputs = _all_inputs(design)
    elif x is None:
        inputs = draw_inputs(design.graph.input, vectors, seed)
    else:
        inputs = np.asarray(x)
    if not len(inputs):
        raise SpecError(f"verify '{design.name}': no inputs; give at least one")
    return inputs


def draw_inputs(kind: TensorType, count: int, seed: int = 1) -> npt.NDArray[Any]:
    """Draw raw inputs: all least, all greatest, all zero, mixed extremes, then any.

    Parameters:
        kind: shape and format.
        count: how many, at least 1.
        seed: of the draws.

    Returns:
        Raws, shape (count, *shape).
    """
    if count < 1:
        raise SpecError(f"vectors={count}; draw at least one")
    rng, fmt = np.random.default_rng(seed), kind.fmt
    x = np.empty((count, *kind.shape), fmt.dtype)
    flat = x.reshape(-1)
    # Draw bits, so that formats wider than 63 bits need no other way.
    for k in range(flat.size):
        bits = int.from_bytes(rng.bytes(-(-fmt.width // 8)), "little") & ((1 << fmt.width) - 1)
        flat[k] = bits + (fmt.min_raw if fmt.signed else 0)
    ends = np.array([fmt.min_raw, fmt.max_raw], fmt.dtype)
    for k, row in enumerate((fmt.min_raw, fmt.max_raw, 0)):
        if k < count:
            x[k] = row
    for k in range(3, count, 4):
        x[k] = ends[rng.integers(0, 2, kind.shape)]
    return x


def _all_inputs(design: Design) -> npt.NDArray[Any]:
    kind = design.graph.input
    bits = kind.size * kind.fmt.width
    if bits > MAX_EXHAUSTIVE_BITS:
        raise SpecError(
            f"verify '{design.name}': {bits} input bits are too many to try them all (at most {MAX_EXHAUSTIVE_BITS}); "
            "draw inputs instead"
        )
    numbers = np.arange(1 << bits, dtype=np.int64)
    width = kind.fmt.width
    columns = [(numbers >> (k * width)) & ((1 << width) - 1) for k in range(kind.size)]
    raws = np.stack(columns, axis=1)
    if kind.fmt.signed:
        raws -= (raws >> (width - 1)) << width
    return raws.reshape(-1, *kind.shape)


def _play(design: Design, inputs: npt.NDArray[Any], stall: float, seed: int) -> Play:
    """Pack inputs and the graph's outputs into words."""
    words = [word for item in design.pack(inputs) for word in item]
    expected = [word for item in design.pack_outputs(design.graph.evaluate(inputs)) for word in item]
    return Play(
        words,
        expected,
        design.beats_in,
        design.beats_out,
        design.latency_cycles,
        design.ii_cycles,
        (len(inputs) + 1) // 2,
        stall,
        seed,
    )


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _prove(design: Design, timeout: float, begun: float, folder: Path) -> Verification:
    found, cycles, name = prove(design, timeout)
    if found is not None:
        report = {"failure": asdict(found.failure), "rows": found.rows}
        _raise(design, found.inputs, report, name, folder)
    kind = design.graph.input
    count = 1 << (kind.size * kind.fmt.width)
    return Verification(count, cycles, name, time.perf_counter() - begun, exhaustive=True, proved=True)


def _simulate(design: Design, play: Play, simulator: str) -> tuple[dict[str, Any], str]:
    """Run the play; "auto" goes on to the next simulator where one does not run."""
    if simulator != "auto":
        return _run(design, play, "pyrtl" if simulator == "exhaustive" else simulator)
    *first, last = _found()
    failed: ToolError | None = None
    for chosen in first:
        try:
            return _run(design, play, chosen)
        except ToolError as error:
            failed = error
            warnings.warn(
                f"{chosen} was found but does not run, so the next one is taken: {error}", stacklevel=3
            )
    if not _is_of_block(design):
        # PyRTL would look at the block, and vouch for a text that it never read.
        raise failed or ToolError(
            f"verify '{design.name}': its Verilog was changed, and no simulator of Verilog was found; install the extra "
            '"rtl" (pip install "hwmodel[rtl]") or Icarus Verilog'
        )
    return _run(design, play, last)


def _found() -> list[str]:
    """The simulators that are there, the best first; PyRTL always is."""
    found = resolve_name("hwmodel.hdl:tools")()
    names = []
    if found["cocotb"] and found["verilator"] and found["g++"]:
        names.append("verilator")
    if found["cocotb"] and found["iverilog"]:
        names.append("icarus")
    return [*names, "pyrtl"]


def _is_of_block(design: Design) -> bool:
    """Whether the text is the one that emission gives."""
    emit = resolve_name("hwmodel.fixedpoint.emit_design:emit")
    made: Design = emit(design.graph, design.name, design.style, **design.options)
    return made.verilog == design.verilog


def _run(design: Design, play: Play, simulator: str) -> tuple[dict[str, Any], str]:
    if simulator == "pyrtl":
        return _run_pyrtl(design, play), f"PyRTL {_version('pyrtl')}"
    return _run_cocotb(design, play, simulator)


def _run_pyrtl(design: Design, play: Play) -> dict[str, Any]:
    simulate = resolve_name("hwmodel.fixedpoint.emit_simulate:simulate")
    player = Player(play)
    simulate(design.block, player)
    return player.report()


def _run_cocotb(design: Design, play: Play, simulator: str) -> tuple[dict[str, Any], str]:
    run = resolve_name("hwmodel.hdl:run_cocotb")
    with tempfile.TemporaryDirectory(prefix="hwmodel-verify-") as temporary:
        folder = Path(temporary)
        source, asked, told = folder / f"{design.name}.v", folder / "play.json", folder / "played.json"
        source.write_text(design.verilog, encoding="utf-8")
        play.write(asked)
        env = {"HWMODEL_PLAY": str(asked), "HWMODEL_PLAYED": str(told)}
        result = run([source], design.name, BENCH, simulator, build_dir=folder / "run", env=env)
        if not told.is_file():
            said = result.failures[0].message if result.failures else "the bench wrote nothing"
            raise ToolError(f"verify '{design.name}': the bench broke off under {result.simulator}: {said}")
        return json.loads(
            told.read_text(encoding="utf-8")
        ), f"{result.simulator}, cocotb {_version('cocotb')}"


def _raise(
    design: Design, inputs: npt.NDArray[Any], report: dict[str, Any], simulator: str, folder: Path
) -> None:
    """Write the waveform and raise the MismatchError."""
    failure = Failure(**report["failure"])
    path = folder / f"{design.name}_mismatch.vcd"
    in_width, out_width = design.port("in_data").width, design.port("out_data").width
    write_vcd(path, report["rows"], in_width, out_width)
    item = inputs[min(failure.item, len(inputs) - 1)]
    lines = [
        f"design '{design.name}' under {simulator}: {failure.what} at cycle {failure.cycle}, input {failure.item}"
        + (f", word {failure.word}" if design.beats_out > 1 else ""),
        f"  input    {_shown(item)}",
    ]
    for what, word in (("expected", failure.expected), ("got", failure.got)):
        if word is not None:
            lines.append(f"  {what:8} {_shown(design.elements(word))}")
    lines.append(f"  waveform {path}")
    raise MismatchError("\n".join(lines))


def _shown(raws: Any) -> str:
    flat = np.asarray(raws).reshape(-1).tolist()
    text = ", ".join(map(str, flat[:64]))
    return f"[{text}{', ...' if len(flat) > 64 else ''}]"
