"""Read the figures of a run out of the words of the kernels."""

from __future__ import annotations

from typing import TypedDict

from hwmodel.cryo._build import Words
from hwmodel.cryo.config import LINE, Machine
from hwmodel.cryo.core import _kernels as c
from hwmodel.cryo.stages import _kernels as r
from hwmodel.cryo.timing import CPI_PARTS, LevelResult, Timing
from hwmodel.cryo.words import _kernels as m

FEMTO = 10**15


class CoreFigures(TypedDict):
    """What a core counted."""

    instructions: int
    cycles: int
    stack: list[int]
    branches: int
    mispredicted: int
    forwarded: int
    violations: int
    lines: int


def read_level(machine: Machine, w: Words, k: int, name: str, time: int) -> LevelResult:
    """Return what level k counted; `time` is the length of the window."""
    count = w[m.COUNT + 16 * k : m.COUNT + 16 * (k + 1)]
    reads, writes = int(count[m.N_READS]), int(count[m.N_WRITES])
    from_above = int(count[m.N_PREFETCH_REQUESTS])
    # The core takes words of at most eight bytes from the first level; the levels below pass whole lines.
    size = 8 if name == "l1d" else LINE
    histogram = w[m.HISTOGRAM + 64 * k : m.HISTOGRAM + 64 * (k + 1)]
    return LevelResult(
        read_accesses=reads,
        read_misses=int(count[m.N_READ_MISSES]),
        write_accesses=writes,
        write_misses=int(count[m.N_WRITE_MISSES]),
        writebacks=int(count[m.N_WRITEBACKS]),
        merged=int(count[m.N_MERGED]),
        prefetches=int(count[m.N_PREFETCHES]),
        prefetches_from_above=from_above,
        prefetch_misses=int(count[m.N_PREFETCH_MISSES]),
        useful_prefetches=int(count[m.N_PREFETCH_USEFUL]),
        blocked=int(count[m.N_BLOCKED]),
        port_wait=int(count[m.N_PORT]),
        mean_read_latency=int(count[m.N_LATENCY]) / reads if reads and name.startswith("l1") else 0.0,
        bandwidth=(reads + writes + from_above) * size * FEMTO / time if time else 0.0,
        latency_histogram=tuple(int(n) for n in histogram),
    )


def stack_of(machine: Machine, counted: list[int]) -> dict[str, int]:
    """Return the CPI stack; the kernels count how many levels a request passed, and a machine need not have all."""
    stack = dict(zip(CPI_PARTS, counted, strict=True))
    path = ["l1", *(name for name in ("l2", "l3") if name in machine.levels), "dram"]
    passed = [stack[name] for name in ("l1", "l2", "l3", "dram")]
    stack.update(dict.fromkeys(("l2", "l3", "dram"), 0))
    stack.update(zip(path, passed, strict=False))
    return stack


def forget_core(machine: Machine, w: Words) -> tuple[int, int]:
    """Set the counts of a core to zero; return instructions and cycles so far, which it goes on to need."""
    core = read_inorder(w) if machine.core.kind == "inorder" else read_ooo(w)
    counts = (c.S_VIOLATIONS, c.S_FORWARDED, c.S_BRANCHES, c.S_MISPREDICTED, c.S_LINES)
    w[[c.NOW + count for count in counts]] = 0
    w[[r.RUN + count for count in (r.R_BRANCHES, r.R_MISPREDICTED, r.R_FORWARDED, r.R_LINES)]] = 0
    w[c.STACK : c.STACK + c.CPI_COLUMNS] = 0
    w[r.STACK : r.STACK + c.CPI_COLUMNS] = 0
    return core["instructions"], core["cycles"]


def read_timing(machine: Machine, w: Words, origin: tuple[int, int] = (0, 0)) -> Timing:
    """Return the figures of a run; `origin` holds the instructions and cycles before its window."""
    core = read_inorder(w) if machine.core.kind == "inorder" else read_ooo(w)
    cycles = core["cycles"] - origin[1]
    time = cycles * int(w[c.CORE + c.C_NUM]) // int(w[c.CORE + c.C_DEN])
    levels = {name: read_level(machine, w, k, name, time) for k, name in enumerate(machine.levels)}
    return Timing(
        instructions=core["instructions"] - origin[0],
        cycles=cycles,
        time=time,
        cpi_stack=stack_of(machine, core["stack"]),
        levels=levels,
        branches=core["branches"],
        mispredicted=core["mispredicted"],
        forwarded=core["forwarded"],
        order_violations=core["violations"],
        fetch_lines=core["lines"],
        dram=read_dram(w, time),
        translation=read_translation(machine, w),
    )


def read_dram(w: Words, time: int) -> dict[str, float]:
    """Return what the memory counted in a window of a length."""
    reads, writes = int(w[m.DRAMS + m.M_READS]), int(w[m.DRAMS + m.M_WRITES])
    return {
        "reads": reads,
        "writes": writes,
        # A read that came before the window may have lost its open row within it.
        "row_hits": max(0, int(w[m.DRAMS + m.M_ROW_HITS])),
        "bandwidth": (reads + writes) * LINE * FEMTO / time if time else 0.0,
        "bus_busy": int(w[m.DRAMS + m.M_BUSY]) / time if time else 0.0,
    }


def read_translation(machine: Machine, w: Words) -> dict[str, dict[str, int]]:
    """Return what TLBs and walker counted; times are femtoseconds."""
    if machine.translation is None:
        return {}
    tables = {}
    for number, name in enumerate(("data", "fetch", "shared")):
        row = w[m.TLB + 16 * number : m.TLB + 16 * (number + 1)]
        tables[name] = {
            "accesses": int(row[m.T_ACCESSES]),
            "misses": int(row[m.T_MISSES]),
            "merged": int(row[m.T_MERGED]),
        }
    walk = w[m.WALK : m.WALK + m.K_CACHE]
    tables["walks"] = {
        "walks": int(walk[m.K_WALKS]),
        "steps": int(walk[m.K_STEPS]),
        "faults": int(walk[m.K_FAULTS]),
        "time": int(walk[m.K_TIME]),
    }
    return tables


def read_time(machine: Machine, w: Words) -> int:
    """Return the time of the last commit."""
    core = read_inorder(w) if machine.core.kind == "inorder" else read_ooo(w)
    return core["cycles"] * int(w[c.CORE + c.C_NUM]) // int(w[c.CORE + c.C_DEN])


def read_ooo(w: Words) -> CoreFigures:
    """Return what the out-of-order core counted."""
    now = w[c.NOW : c.NOW + c.S_COLUMNS]
    return {
        "instructions": int(now[c.S_INSTRUCTIONS]),
        "cycles": int(now[c.S_COMMIT]),
        "stack": [int(n) for n in w[c.STACK : c.STACK + c.CPI_COLUMNS]],
        "branches": int(now[c.S_BRANCHES]),
        "mispredicted": int(now[c.S_MISPREDICTED]),
        "forwarded": int(now[c.S_FORWARDED]),
        "violations": int(now[c.S_VIOLATIONS]),
        "lines": int(now[c.S_LINES]),
    }


def read_inorder(w: Words) -> CoreFigures:
    """Return what the in-order core counted."""
    now = w[r.RUN : r.RUN + r.R_COLUMNS]
    return {
        "instructions": int(now[r.R_INSTRUCTIONS]),
        "cycles": int(now[r.R_COMMIT]),
        "stack": [int(n) for n in w[r.STACK : r.STACK + c.CPI_COLUMNS]],
        "branches": int(now[r.R_BRANCHES]),
        "mispredicted": int(now[r.R_MISPREDICTED]),
        "forwarded": int(now[r.R_FORWARDED]),
        "violations": 0,
        "lines": int(now[r.R_LINES]),
    }
