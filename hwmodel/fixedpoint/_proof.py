"""Proofs: emitted Verilog equals the reference of its graph for every input, by a SAT solver.

The Verilog is read by yosys, its registers are cut open, and the logic of one cycle is written side by side for
reset and for as many cycles as an input needs. What goes in is free: the input in question, every other word, and
all registers before reset. Behind it stands one bit, "the output is wrong or late"; the solver looks for an input
that sets it. Two inputs are looked at, the first after reset and the one behind it, which finds a design that does
not forget. Nothing stalls here: that is what simulation is for.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import MismatchError, ToolError
from hwmodel.fixedpoint._proof_miter import Unrolled, cut_registers, miter
from hwmodel.fixedpoint._proof_reference import reference_cost, reference_verilog
from hwmodel.fixedpoint._stream import Failure

if TYPE_CHECKING:
    from hwmodel.fixedpoint.emit_design import Design

__all__ = ["MAX_COST", "MAX_LINES", "Counterexample", "prove"]

MAX_COST = 4096
"""Multiplications and elements of a graph beyond which no proof is begun."""

MAX_LINES = 100_000
"""Lines of Verilog times cycles beyond which no proof is begun."""

ITEMS = (0, 1)

READ = """read_verilog -sv design.v
hierarchy -check -top {top}
proc
flatten
memory_map
async2sync
dffunmap
opt_clean
setundef -undriven -anyseq
check -assert
write_json design.json
"""
JOIN = """read_json step.json
read_verilog -sv miter.v
hierarchy -check -top hwmodel_proof
proc
flatten
"""
# A decision diagram of the one bit is small where sums are: what is left of it is no work for the solver.
REWRITE = """alumacc
maccmap
techmap
opt -fast
abc -script +strash;collapse,-B,20000000;strash;map
opt_clean
"""
SOLVE = "delete -port hwmodel_proof/trace\nopt\n{rewrite}sat -prove fail 0{show}\n"

WAYS = (("", 0.25, 4.0), (REWRITE, 0.7, float("inf")), ("", 1.0, float("inf")))
"""Ways to a verdict: what is done to the logic, the share of the time left, and seconds at most."""


@dataclass(frozen=True)
class Counterexample:
    """An input that the solver found, the difference that it shows, and the cycles around it."""

    inputs: npt.NDArray[Any]
    failure: Failure
    rows: list[tuple[int, ...]]


@dataclass
class Clock:
    """Time that is left, and how many ways to a verdict have been tried in vain."""

    design: str
    seconds: float
    tried: int = 0

    def __post_init__(self) -> None:
        """Start."""
        self.end = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds to go.

        Raises:
            ToolError: none; the message says what to do instead.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            self.refuse()
        return left

    def refuse(self) -> None:
        """Raise the error."""
        raise ToolError(
            f"verify '{self.design}': no proof and no counterexample within timeout={self.seconds:g} s; give more time, "
            "prove layer by layer, take fewer or narrower inputs, or simulate (simulator='verilator' or 'exhaustive')"
        )


def prove(design: Design, timeout: float = 60.0) -> tuple[Counterexample | None, int, str]:
    """Prove that a design's Verilog equals its graph for every input, or find an input for which it does not.

    Parameters:
        design: from `emit`; what is read is its text.
        timeout: seconds for everything.

    Returns:
        The counterexample or None, the cycles that were unrolled, and name and version of the tool.

    Raises:
        SpecError: a layer has no reference.
        ToolError: no yosys, it refuses the text, the problem is too large, or the time is over.
    """
    where = f"verify '{design.name}'"
    if not timeout > 0:
        raise ToolError(f"{where}: timeout={timeout!r} leaves no time; give seconds above 0")
    name: str = resolve_name("hwmodel.hdl:proof_tool")(f"{where}: a proof")
    _check_size(design)
    clock, cycles = Clock(design.name, timeout), 0
    with tempfile.TemporaryDirectory(prefix="hwmodel-proof-") as temporary:
        folder = Path(temporary)
        (folder / "design.v").write_text(design.verilog, encoding="utf-8")
        if _run(READ.format(top=design.name), folder, clock, clock.left()) is None:
            clock.refuse()
        registers, free = cut_registers(folder / "design.json", folder / "step.json", design.name)
        reference = reference_verilog(design.graph)
        for item in ITEMS:
            problem = Unrolled(design, registers, free, item)
            (folder / "miter.v").write_text(reference + "\n" + miter(problem), encoding="utf-8")
            cycles += problem.steps
            model = _solve(problem, folder, clock)
            if model is not None:
                return _replay(problem, model, folder, clock), cycles, name
    return None, cycles, name


def _check_size(design: Design) -> None:
    cost = reference_cost(design.graph)
    lines = design.verilog.count("\n") * Unrolled(design, 0, 0, ITEMS[-1]).steps
    for what, size, limit in (
        ("multiplications and elements", cost, MAX_COST),
        ("lines of Verilog over all cycles", lines, MAX_LINES),
    ):
        if size > limit:
            raise ToolError(
                f"verify '{design.name}' (style {design.style}): {size} {what} are too many for a proof (at most "
                f"{limit}); prove smaller layers, take a style that needs fewer cycles, or simulate instead"
            )


def _run(script: str, folder: Path, clock: Clock, seconds: float) -> str | None:
    run = resolve_name("hwmodel.hdl:run_proof")
    said: str | None = run(script, folder, f"verify '{clock.design}'", seconds)
    return said


def _solve(problem: Unrolled, folder: Path, clock: Clock) -> dict[str, int] | None:
    """Give the free inputs of a counterexample, None where there is none."""
    show = "".join(f" -show {name}" for name in problem.free_inputs)
    for rewrite, share, most in WAYS[clock.tried :]:
        script = JOIN + SOLVE.format(rewrite=rewrite, show=show)
        try:
            said = _run(script, folder, clock, min(share * clock.left(), most))
        except ToolError:
            if not rewrite:
                raise
            said = None  # the diagram outgrew its bound
        if said is not None and "no model found: SUCCESS" in said:
            return None
        if said is not None and "model found: FAIL" in said:
            return read_model(said, problem.free_inputs)
        if said is not None:
            raise ToolError(
                f"verify '{clock.design}': yosys gave no verdict; its release may be unknown here"
            )
        # What took too long for one input will for the next.
        clock.tried = min(clock.tried + 1, len(WAYS) - 1)
    clock.refuse()
    return None


def read_model(text: str, names: Iterable[str]) -> dict[str, int]:
    r"""Read the values that yosys found; bits that do not matter are 0.

    Example:
        >>> read_model("  \\x    5    5    0101\n  \\noise    --   --   1x0\n", ("x", "noise"))
        {'x': 5, 'noise': 4}
    """
    found = {}
    for name in names:
        line = re.search(rf"^\s*\\{name}\s.*?([01x-]+)\s*$", text, re.MULTILINE)
        if line is None:
            raise ToolError(f"the values of '{name}' are missing in what yosys printed")
        found[name] = int(re.sub("[x-]", "0", line[1]), 2)
    return found


def _replay(problem: Unrolled, model: dict[str, int], folder: Path, clock: Clock) -> Counterexample:
    """Work out every cycle of a counterexample, and confirm it by the graph's own evaluation."""
    design = problem.design
    settings = "".join(
        f" -set {name} {width}'b{model[name]:0{width}b}" for name, width in problem.free_inputs.items()
    )
    said = _run(f"{JOIN}sat{settings} -show trace\n", folder, clock, clock.left())
    if said is None:
        clock.refuse()
    trace = read_model(said or "", ("trace",))["trace"]
    x = problem.unpack_input(model["x"])
    result = design.graph.evaluate(x)
    expected = design.pack_outputs(result[None])[0]
    rows, referred = problem.read_trace(trace)
    if referred != expected:
        raise MismatchError(
            f"design '{design.name}': the reference of the proof and NumPy differ for the input "
            f"{x.reshape(-1).tolist()}: {referred} and {expected}; the graph is at odds with itself, please report it"
        )
    failure, shown = problem.find_failure(rows, expected)
    if failure is None:
        raise ToolError(
            f"verify '{design.name}': the counterexample of yosys shows no difference when replayed"
        )
    return Counterexample(np.stack([x] * (problem.item + 1)), failure, shown)
