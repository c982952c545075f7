"""Small in-order machines, and the cycles in which the instructions of hand-made programs commit."""

from __future__ import annotations

from dataclasses import replace

from hwmodel.cryo.config import MINOR_UNITS, Bus, Cache, Core, Machine, cryo_ooo
from hwmodel.cryo.stages import _kernels as s
from hwmodel.cryo.timing import TimedRun
from hwmodel.cryo.trace import Branch
from hwmodel.units import GHz, kB
from tests.unit.cryo.ooo_programs import I, chunk

# A cycle of 1 ns everywhere; a first level that answers loads after two cycles and stores after one.
CLOCK = GHz(1)
L1 = Cache(kB(32), 4, CLOCK, 2, Bus(CLOCK), tag_latency=1, mshrs=8, blocks=False)


def inorder(load: int = 2, store: int = 1, line: int = 2, **core) -> Machine:
    """The reference's in-order core, but for what is named, with caches of these latencies."""
    spec = {"fetch": 2, "decode": 2, "issue": 2, "commit": 2, "sq": 3, "redirect": 2, "predictor": "perfect"}
    return Machine(
        Core("inorder", CLOCK, **{**spec, "units": MINOR_UNITS, **core}),
        replace(L1, latency=line),
        replace(L1, latency=load, tag_latency=store),
        replace(L1, size=kB(1024), latency=10),
        None,
        cryo_ooo().dram,
        first_touch=False,
    )


def run(program: list[I], spec: Machine) -> TimedRun:
    """A program that finds all its lines in the caches."""
    started = TimedRun(spec)
    started.warm(chunk([replace(it, branch=Branch.NONE) for it in program]))
    started.start_window()
    started.run(chunk(program))
    return started


def seen(program: list[I], spec: Machine, word: int) -> list[int]:
    """A word of the core's state after each instruction; they are run one by one."""
    whole = chunk(program)
    started = TimedRun(spec)
    started.warm(chunk([replace(it, branch=Branch.NONE) for it in program]))
    used, values = 0, []
    for number in range(len(program)):
        count = int(whole.statics[number]["loads"]) + int(whole.statics[number]["stores"])
        ids, addresses = whole.ids[number : number + 1], whole.addresses[used : used + count]
        started.run(replace(whole, ids=ids, addresses=addresses, first=number))
        used += count
        values.append(int(started.words[s.RUN + word]))
    return values


def commits(program: list[I], spec: Machine) -> list[int]:
    """Commit cycle of each instruction, the first one's taken as 0."""
    cycles = seen(program, spec, s.R_COMMIT)
    return [cycle - cycles[0] for cycle in cycles]


def issues(program: list[I], spec: Machine) -> list[int]:
    """Cycle in which each instruction enters its unit, the first one's taken as 0."""
    cycles = seen(program, spec, s.R_ISSUE)
    return [cycle - cycles[0] for cycle in cycles]
