"""The synthetic program around the accesses: a ring of blocks with instructions of given kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hwmodel.cryo._statics import FIRST_INTEGER, FIRST_VECTOR, STATIC_DTYPE, Statics, static_record
from hwmodel.cryo._trace_base import Branch, Op
from hwmodel.cryo.generators._patterns import check
from hwmodel.errors import SpecError, unknown

__all__ = ["Body"]

START = 0x10000
SIZE = 4  # bytes of an instruction
MAX_SLOTS = 1 << 16
MAX_DEPENDENCE = 11
RING = 24  # registers of each file that results go round in
POINTER = FIRST_INTEGER + 2  # holds addresses; nothing writes it
FIRST_RESULT = 4  # of a file; registers before it keep their meaning
CHASE = FIRST_INTEGER + 28  # and the three above: pointers of chases
CHASES = 4
OPERATIONS = tuple(op.name.lower() for op in Op if op not in (Op.NOP, Op.SYSTEM))
FLOATING = (Op.FP_ADD, Op.FP_MUL, Op.FP_DIV, Op.FP_SQRT, Op.FP_CVT, Op.FP_FMA, Op.SIMD)


@dataclass(frozen=True)
class Body:
    """Instructions of the synthetic program.

    The program is a ring of blocks of the same length. A block ends with a conditional branch, which passes over the
    next block where it is taken; the last block ends with a jump to the start. Where in the blocks loads, stores and
    operations stand is drawn from the seed.

    Parameters:
        block: instructions of a block, its branch included; 1 / block is the share of branches.
        blocks: number of blocks; block x blocks x 4 bytes are the code's footprint.
        loads, stores: shares of all instructions.
        operations: shares of what is left, by the name of an `Op` in small letters; they are scaled to 1.
        dependence: an instruction needs the result that was written so many results before it, 1 to 11; 0: none. A body
            with fewer results than that goes round them, and a branch that is taken makes some of them older. Loads
            need an address that nothing writes, but those of a chase, which need the load before.
        taken: share of the conditional branches that are taken.
        period: branches repeat themselves after so many turns and can be learned; 0: every one is drawn by itself.
        access: bytes of an access.

    Raises:
        SpecError: a value out of its bounds, or shares that do not fit.

    Example:
        >>> Body(block=8, blocks=4, loads=0.25).slots
        32
    """

    block: int = 8
    blocks: int = 16
    loads: float = 0.25
    stores: float = 0.125
    operations: Mapping[str, float] = field(default_factory=lambda: {"int": 1.0})
    dependence: int = 4
    taken: float = 0.5
    period: int = 0
    access: int = 8

    def __post_init__(self) -> None:
        check("Body", "block", self.block, 2, MAX_SLOTS)
        check("Body", "blocks", self.blocks, 1, MAX_SLOTS // self.block)
        check("Body", "dependence", self.dependence, 0, MAX_DEPENDENCE)
        check("Body", "period", self.period, 0, 1 << 20)
        check("Body", "access", self.access, 1, 64)
        for name, share in (("loads", self.loads), ("stores", self.stores), ("taken", self.taken)):
            if not 0 <= share <= 1:
                raise SpecError(f"Body: {name}={share} is no share; give a number from 0 to 1")
        if self.loads + self.stores > 1 - 1 / self.block + 1e-9:
            raise SpecError(
                f"Body: loads={self.loads} and stores={self.stores} leave no room for the branches, one in "
                f"block={self.block} instructions; make them fewer or the blocks longer"
            )
        for name, share in self.operations.items():
            if name not in OPERATIONS:
                raise unknown("operation of a body", name, OPERATIONS)
            if not 0 <= share < float("inf"):
                raise SpecError(f"Body: operations[{name!r}]={share} is no share")
        if not sum(self.operations.values()) > 0:
            raise SpecError("Body: operations has no share above 0; give one, such as {'int': 1}")

    @property
    def slots(self) -> int:
        """Instructions of the whole ring."""
        return self.block * self.blocks


def apportion(total: int, shares: Sequence[float]) -> list[int]:
    """Split a number into whole parts that come nearest to shares, the largest remainders first."""
    wanted = [total * share / sum(shares) for share in shares]
    parts = [int(part) for part in wanted]
    order = sorted(range(len(shares)), key=lambda k: parts[k] - wanted[k])
    for k in order[: total - sum(parts)]:
        parts[k] += 1
    return parts


@dataclass(frozen=True)
class Slot:
    """One instruction of a body: what it computes, and the pattern that it reads or writes, -1 for none."""

    op: Op
    pattern: int = -1
    store: bool = False


def draw_slots(body: Body, reads: Sequence[float], writes: Sequence[float], key: int) -> list[Slot | None]:
    """Choose what stands where; None is the branch at a block's end.

    Patterns of writes are numbered after those of reads.
    """
    from hwmodel.cryo.generators import _kernels

    free = body.slots - body.blocks
    loads = min(round(body.loads * body.slots), free)
    stores = min(round(body.stores * body.slots), free - loads)
    slots: list[Slot] = []
    for number, count in enumerate(apportion(loads, reads)):
        slots += [Slot(Op.NOP, number)] * count
    for number, count in enumerate(apportion(stores, writes)):
        slots += [Slot(Op.NOP, len(reads) + number, True)] * count
    names = [name for name, share in body.operations.items() if share > 0]
    shares = [body.operations[name] for name in names]
    for name, count in zip(names, apportion(free - len(slots), shares), strict=True):
        slots += [Slot(Op[name.upper()])] * count
    order = np.empty(free, np.int64)
    _kernels.shuffle(order, key, False)
    inner = body.block - 1
    placed: list[Slot | None] = []
    for block in range(body.blocks):
        placed += [slots[k] for k in order[block * inner : (block + 1) * inner]]
        placed.append(None)
    return placed


def results(slots: Sequence[Slot | None], distance: int, linked: Mapping[int, int]) -> list[int]:
    """Register that each instruction writes, 0 for none.

    No register is written again before the instruction `distance` results later has read it, around the ring too.
    """
    writers = [k for k, slot in enumerate(slots) if slot and not slot.store and slot.pattern not in linked]
    registers = [0] * len(slots)
    for at, k in enumerate(writers):
        slot = slots[k]
        first = (FIRST_VECTOR if slot and slot.op in FLOATING else FIRST_INTEGER) + FIRST_RESULT
        near = (writers[(at + d) % len(writers)] for d in range(-distance, distance + 1) if d)
        busy = {registers[other] for other in near}
        turn = at % RING
        choices = (first + (turn + step) % RING for step in range(RING))
        registers[k] = next((r for r in choices if r not in busy), first + turn)
    for k, slot in enumerate(slots):
        if slot and slot.pattern in linked and not slot.store:
            registers[k] = CHASE + linked[slot.pattern]
    return registers


def make_statics(body: Body, slots: Sequence[Slot | None], linked: Mapping[int, int]) -> Statics:
    """Static records of a body; `linked` numbers the patterns whose loads form a chain."""
    registers = results(slots, body.dependence, linked)
    written = [
        r for slot, r in zip(slots, registers, strict=True) if r and slot and slot.pattern not in linked
    ]
    records = np.zeros(len(slots), STATIC_DTYPE)
    done = 0
    for k, (slot, register) in enumerate(zip(slots, registers, strict=True)):
        needed = written[(done - body.dependence) % len(written)] if body.dependence and written else 0
        load = slot is not None and slot.pattern >= 0 and not slot.store
        store = slot is not None and slot.store
        chain = CHASE + linked[slot.pattern] if slot and slot.pattern in linked else 0
        sources = [chain or POINTER] if load else [POINTER, needed] if store else [needed]
        last = k == len(slots) - 1
        branch = (Branch.JUMP if last else Branch.CONDITIONAL) if slot is None else Branch.NONE
        records[k] = static_record(
            pc=START + SIZE * k,
            size=SIZE,
            op=slot.op if slot else Op.NOP,
            branch=branch,
            loads=int(load),
            stores=int(store),
            load_size=body.access * load,
            store_size=body.access * store,
            sources=[] if branch == Branch.JUMP else sources,
            destinations=[register] if register else [],
        )
        done += bool(register and not chain)
    return records
