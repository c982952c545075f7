"""Small hand-made programs for the out-of-order core, and the cycles in which their instructions commit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwmodel.cryo.config import Bus, Cache, Core, Machine, Unit, cryo_ooo
from hwmodel.cryo.core import _kernels as c
from hwmodel.cryo.timing import TimedRun, Timing
from hwmodel.cryo.trace import Branch, Chunk, Op, static_record
from hwmodel.units import GHz

# One clock everywhere, a cycle of 1 ns, caches that always hit after `warm`.
CLOCK = GHz(1)
SMALL = Cache(1 << 16, 4, CLOCK, 2, Bus(CLOCK), mshrs=8, blocks=False)
UNITS = {op.name.lower(): Unit() for op in Op}


def machine(**core) -> Machine:
    """A wide machine in which nothing limits but what is named."""
    wide = {"fetch": 8, "decode": 8, "rename": 8, "dispatch": 8, "issue": 8, "commit": 8, "fetch_queue": 64}
    large = {"rob": 512, "iq": 512, "lq": 256, "sq": 256, "int_regs": 512, "fp_regs": 512}
    free = {"load_ports": 8, "store_ports": 8, "predictor": "perfect", "store_sets": False, "squash": 0}
    spec = Core("ooo", CLOCK, **{**wide, **large, **free, "units": UNITS, **core})
    return Machine(
        spec, SMALL, SMALL, replace(SMALL, size=1 << 20, latency=10), None, cryo_ooo().dram, first_touch=False
    )


@dataclass
class I:  # noqa: E742  the shortest name for an instruction
    """One instruction: its class, registers, and the addresses that it loads and stores."""

    op: Op = Op.INT
    to: int = 0
    of: tuple[int, ...] = ()
    load: int | None = None
    store: int | None = None
    size: int = 8
    pc: int | None = None
    branch: Branch = Branch.NONE
    taken: bool = False
    flags: int = 0


def chunk(program: list[I]) -> Chunk:
    """Lay a program out in memory, four bytes an instruction, one line after the other."""
    statics, addresses, ids = [], [], []
    pc = 0x1000
    for number, it in enumerate(program):
        pc = it.pc if it.pc is not None else pc
        statics.append(
            static_record(
                pc=pc,
                size=4,
                op=it.op,
                branch=it.branch,
                loads=it.load is not None,
                stores=it.store is not None,
                load_size=it.size if it.load is not None else 0,
                store_size=it.size if it.store is not None else 0,
                flags=it.flags,
                sources=it.of,
                destinations=(it.to,) if it.to else (),
            )
        )
        addresses += [a for a in (it.load, it.store) if a is not None]
        ids.append(number | (1 << 31 if it.taken else 0))
        pc += 4
    return Chunk(np.array(statics), np.array(ids, np.uint32), np.array(addresses, np.uint64), 0)


def started(program: list[I], spec: Machine, warm: str) -> TimedRun:
    """A run whose caches hold "all" that the program touches, only its "code", or "nothing"."""
    run = TimedRun(spec)
    if warm == "all":
        run.warm(chunk(program))
    elif warm == "code":
        run.warm(chunk([replace(it, load=None, store=None) for it in program]))
    run.start_window()
    run.run(chunk(program))
    return run


def commits(program: list[I], spec: Machine, warm: str = "all") -> list[int]:
    """Cycles in which the instructions commit, the first one's taken as 0."""
    run = started(program, spec, warm)
    cycles = [int(run.words[c.COMMITTED + n]) for n in range(len(program))]
    return [cycle - cycles[0] for cycle in cycles]


def timing(program: list[I], spec: Machine, warm: str = "all") -> Timing:
    """The whole outcome of a program."""
    return started(program, spec, warm).result()
