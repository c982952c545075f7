"""Makes the traces that are shipped with the simulation cachesim, and the page that describes them.

`python tools/cachesim_traces.py` records all of them for RISC-V, `... NAME` some of them. It needs
riscv64-linux-gnu-gcc and qemu-riscv64. Where compiler and QEMU are the same, so are the files, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.cryo.trace import Trace, TraceWriter, operand_counts, pack
from hwmodel.cryo.workloads import COMPILERS, WORKLOADS, Isa, trace

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "sims" / "cachesim" / "traces"
ISA: Isa = "riscv64"
LINE_BITS = np.uint64(6)
ROUND = 10_000
WARM = 0.999  # share of the lines that are touched in the warm-up

# Regions of one to three million instructions, of which at least two thirds follow on the warm-up where that is possible.
CHOICE: dict[str, dict[str, Any]] = {
    "bfs": {"scale": 13, "degree": 4, "sources": 3},
    "pr": {"scale": 13, "degree": 8, "iterations": 3},
    "sssp": {"scale": 12, "degree": 4, "sources": 3},
    "cg": {"rows": 4000, "pairs": 6, "iterations": 4},
    "is": {"keys": 32768, "range": 16384, "iterations": 4},
    "ft": {"log_side": 4, "iterations": 2},
    "stream": {"elements": 32768, "passes": 4},
    "matmul": {"side": 60, "block": 20, "repeats": 2},
    "chase": {"lines": 1 << 19, "steps": 130_000, "chains": 2},
}
# Its cycle is longer than any cache: every step misses, the first time and ever after. Only the code has to be warm.
BEYOND = {"chase": ROUND}

PAGE = """\
# Traces of cachesim

<!-- Made by tools/cachesim_traces.py; edit that file, not this one. -->

What nine programs of `hwmodel trace workloads` do in their region of interest, which begins when their input is made:
{isa}, internal format, packed by xz. `Trace.open` reads them as they are.

Compiler: {compiler}, with `-O2 -static`. Emulator: {qemu}.

Caches begin cold. A trace therefore begins with a **warm-up**: the instructions up to the one by which 99.9 % of all lines of
data have been touched, rounded up to 10,000. Time what follows. `meta["warmup"]` has the number. The
data of the first eight fit into a last level of 1 MB, so what is timed shows the caches, not the memory behind them; the
few lines that are first touched after the warm-up are in the last column but one. `chase` is for the memory: it follows two
chains through a random cycle of 32 MB, which is longer than any cache, so that every step misses, in the first round as in
all later ones.

| trace | instructions | warm-up | loads and stores | data, kB | code, lines | first touched later, lines | file, kB |
|---|---|---|---|---|---|---|---|
{rows}

Each was made by `hwmodel trace workload NAME --out NAME.hwt --set ...`, to which its description then got the warm-up and the
compiler:

| trace | command | sha256 of the file |
|---|---|---|
{commands}
"""


@dataclass(frozen=True)
class Facts:
    """What the page says of one trace; sizes in bytes, footprints in lines of 64 bytes."""

    instructions: int
    warmup: int
    operands: int
    data_lines: int
    code_lines: int
    late_lines: int
    size: int
    sha256: str


def first_touches(lines: npt.NDArray[np.uint64], before: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number of the instruction that touches each line first, in order; `before` is how many operands precede each."""
    _, places = np.unique(lines, return_index=True)
    return np.searchsorted(before, np.sort(places), side="right") - 1


def make(name: str) -> Facts:
    """Record one trace, note the warm-up in its description, and pack it."""
    target = FOLDER / f"{name}.hwt.xz"
    with tempfile.TemporaryDirectory() as folder:
        raw, final = Path(folder) / "raw.hwt", Path(folder) / f"{name}.hwt"
        trace(name, raw, ISA, **CHOICE[name])
        with Trace.open(raw) as source:
            [chunk] = source.chunks(size=1 << 30)
            before = np.cumsum(operand_counts(chunk.statics)[chunk.indices], dtype=np.int64)
            before = np.concatenate([[0], before[:-1]])
            touches = first_touches(chunk.addresses >> LINE_BITS, before)
            warm = -(-int(touches[int(WARM * len(touches))] + 1) // ROUND) * ROUND
            warmup = BEYOND.get(name, warm)
            meta: dict[str, Any] = {**source.meta, "warmup": warmup, "compiler": compiler()}
            del meta["executed"]  # the start of the C library depends on where its output goes
            with TraceWriter(final, meta) as writer:
                writer.append(chunk)
            pcs = chunk.statics["pc"][np.unique(chunk.indices)]
        pack(final, target)
    content = target.read_bytes()
    return Facts(
        instructions=meta["instructions"],
        warmup=warmup,
        operands=meta["operands"],
        data_lines=len(touches),
        code_lines=len(np.unique(pcs >> LINE_BITS)),
        late_lines=int(np.count_nonzero(touches >= warmup)),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def version_of(program: str) -> str:
    """First line of what a program says of its version."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def compiler() -> str:
    """The cross compiler and its version."""
    return version_of(COMPILERS[ISA])


def page(facts: dict[str, Facts]) -> str:
    """The page that describes the traces."""
    rows, commands = [], []
    for name, f in facts.items():
        numbers = (f.instructions, f.warmup, f.operands, f.data_lines * 64 / 1024, f.code_lines, f.late_lines)
        rows.append(f"| {name} | " + " | ".join(f"{n:,.0f}" for n in (*numbers, f.size / 1024)) + " |")
        given = " ".join(f"--set {key}={value}" for key, value in CHOICE[name].items())
        commands.append(
            f"| {name} | `hwmodel trace workload {name} --out {name}.hwt {given}` | `{f.sha256}` |"
        )
    return PAGE.format(
        isa=ISA,
        compiler=compiler(),
        qemu=version_of("qemu-riscv64"),
        rows="\n".join(rows),
        commands="\n".join(commands),
    )


def main(names: list[str]) -> int:
    """Make the traces that are named, or all of them."""
    wrong = [name for name in names if name not in CHOICE]
    if wrong:
        print(f"usage: cachesim_traces.py [NAME...]; no such trace: {', '.join(wrong)}", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / "facts.json"
    facts = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name in names or CHOICE:
        facts[name] = asdict(make(name))
        print(f"{WORKLOADS[name].title}: {facts[name]}")
    ordered = {name: facts[name] for name in CHOICE if name in facts}
    kept.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
    (FOLDER / "README.md").write_text(
        page({name: Facts(**found) for name, found in ordered.items()}), encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
