"""The command `hwmodel`: run a simulation, make and verify hardware, say what is there.

Exit codes: 0 all went well; 1 the run failed; 2 usage, an unknown name or a folder that must not be
replaced (nothing was run or written); 130 interrupted. Nothing heavy is imported before a run starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from hwmodel import __version__
from hwmodel._arguments import FAILED, USAGE, guarded, whole
from hwmodel._reservoir_chip import reservoir_app
from hwmodel._tracing import trace_app
from hwmodel.errors import HwmodelError, UnknownNameError

__all__ = ["main"]

INTERRUPTED = 130
READER_GONE = 141  # as the shell has it for a broken pipe

_app = App(
    name="hwmodel",
    help="Model computing hardware below and beyond CMOS on one time line of whole femtoseconds.",
    version=__version__,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Exit codes: 0 done; 1 the run failed; 2 usage or unknown name; 130 interrupted.",
)
_app.command(trace_app)
_app.command(reservoir_app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code.

    Parameters:
        arguments: words after `hwmodel`; None takes them from the command line.

    Example:
        >>> main(["run", "no_such_simulation"])
        2
    """
    try:
        code = _app(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        print("hwmodel: interrupted; the output folder is as it was", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has gone, as `head` does; what is written is whole
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE if stop.code else 0
    return code if isinstance(code, int) else 0


@_app.command
def run(
    sim: str,
    /,
    *,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    out: Path | None = None,
    runner: str = "loop",
    window: str = "auto",
    profile: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    traceback: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a simulation and write its results, pictures and report into a folder.

    Parameters
    ----------
    sim
        Name of the simulation; `hwmodel list` shows them.
    settings
        A parameter as key=value, the value as in TOML; may be given many times.
    seed
        Seed of every random stream.
    out
        Folder to write; replaced as a whole. Default: out/SIM.
    runner
        How the engines are stepped: loop or simpy. The result is the same.
    window
        "auto", or a time such as "20 ps". The result is the same.
    profile
        Print where the time went: each component's engine, and what the kernel took.
    traceback
        Show where in the code a failure arose.
    """
    from hwmodel import _run

    code = USAGE
    try:
        job = _run.prepare(sim, settings, seed, out, runner, window, profile)
        code = FAILED
        _run.execute(job)
    except HwmodelError as error:
        if traceback:
            import traceback as details

            details.print_exc()
        print(f"hwmodel: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"  {note}", file=sys.stderr)
        return code
    return 0


@_app.command
def emit(
    model: str,
    /,
    *,
    out: Path | None = None,
    style: str = "parallel",
    fold: int | None = None,
    pipeline: int | None = None,
    share: bool = True,
    tool: str = "auto",
) -> int:
    """Make Verilog and HLS C++ from a quantized model, with its size, into a folder.

    Parameters
    ----------
    model
        A graph saved as .npz, or the name of a shipped model.
    out
        Folder to write; replaced as a whole. Default: out/MODEL.
    style
        parallel: an input a cycle; mac: multipliers that are used again; stream: images pixel by pixel.
    fold
        Cycles that each dense layer takes, style mac.
    pipeline
        Ranks of registers, style parallel; by default one for each eight levels of logic.
    share
        Let constant products share common subexpressions.
    tool
        Who counts the size: auto, yosys or estimate.
    """
    from hwmodel import _emission

    folder = out if out is not None else Path("out") / Path(model).stem
    job = _emission.Emission(model, folder, style, fold, pipeline, share, tool)
    return guarded(lambda: [*_emission.table(_emission.emit_command(job)), f"wrote {folder}"])


@_app.command
def verify(
    folder: Path,
    /,
    *,
    simulator: str = "auto",
    vectors: int = 200,
    inputs: Path | None = None,
) -> int:
    """Verify an emitted folder against its model, bit for bit.

    Parameters
    ----------
    folder
        What `hwmodel emit` wrote.
    simulator
        verilator, icarus, pyrtl, exhaustive, yosys (a proof for every input), or auto.
    vectors
        How many inputs are tried.
    inputs
        A .npz with raw `images` and perhaps `labels`; by default those in the folder, or drawn ones.
    """
    from hwmodel import _emission

    try:
        lines = _emission.verify_command(folder, simulator, vectors, inputs)
    except UnknownNameError as error:
        print(f"hwmodel: {error}", file=sys.stderr)
        return USAGE
    except HwmodelError as error:
        print(f"hwmodel: {error}", file=sys.stderr)
        return FAILED
    for line in lines:
        print(line)
    return 0


@_app.command
def cachesim(
    trace: Path,
    /,
    *more: Path,
    config: Path | None = None,
    preset: str | None = None,
    trace_format: Annotated[str | None, Parameter(name="--format")] = None,
    warmup: Annotated[int, Parameter(converter=whole)] = 0,
    start: Annotated[int, Parameter(converter=whole)] = 0,
    limit: Annotated[int | None, Parameter(converter=whole)] = None,
    core_clock: str | None = None,
    fast_domains: str = "core",
    json: Path | None = None,
    cores: Annotated[int | None, Parameter(converter=whole)] = None,
    protocol: str = "mesi",
    spaces: str = "separate",
) -> int:
    """Run a trace through caches, or through a core with its caches; or several cores that share the last level.

    Parameters
    ----------
    trace
        A trace in any format that `hwmodel trace convert` reads.
    more
        Traces of further cores, which share the last level, its bus and the memory with the first.
    config
        A TOML file: mode, preset, and tables for core, caches and memory.
    preset
        The machine that the file starts from: cryo-ooo, cryo-inorder or champsim.
    trace_format
        The trace's format; by default it is told from the file.
    warmup
        Instructions that caches and predictor see before the timed window.
    start
        First instruction.
    limit
        Most instructions that are timed.
    core_clock
        Clock of the core, and of the levels that --fast-domains names, such as "100 GHz".
    fast_domains
        What runs at --core-clock: core, l1, l1l2, all, or everything.
    json
        File for all figures.
    cores
        How many cores run the trace, if one is given.
    protocol
        How the private caches of several cores are kept coherent: mesi, moesi, or none.
    spaces
        Address spaces of several cores: separate, or shared.
    """
    from hwmodel import _caches

    asked = _caches.CacheRun(
        trace, config, preset, trace_format, warmup, start, limit, core_clock, fast_domains, json,
        more, cores, protocol, spaces
    )  # fmt: skip
    return guarded(lambda: _caches.cachesim(asked))


@_app.command(name="list")
def list_simulations() -> int:
    """List the simulations that can be run."""
    from hwmodel import _simulations

    found = _simulations.find_all()
    if not found:
        print("no simulations found; `hwmodel info` shows where they are looked for", file=sys.stderr)
    width = max(map(len, found), default=0)
    for name, folder in found.items():
        try:
            title = _simulations.read(folder).title
        except HwmodelError as error:
            title = f"(cannot be run: {error})"
        print(f"{name:{width}}  {title}")
    return 0


@_app.command
def info() -> int:
    """Show versions, the compiler's cache, the cores, and where simulations are looked for."""
    from hwmodel import _info

    rows = _info.rows()
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print(f"{label:{width}}  {value}")
    return 0
