"""Compiled loops that take the records of CVP-1, gem5's elastic trace and drmemtrace apart.

Each stops before a record that is cut off, and says at which byte a record begins that cannot be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._kernels import CONDITIONAL, INSTRUCTION, LOAD, STORE, UNTOLD, pack_word, short, signed
from hwmodel.kernel.compiled import jit

U8 = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

GOOD, CUT, BAD = 0, 1, 2
SOURCES, DESTINATIONS = 6, 4

# ---------------------------------------------------------------------------------------------- CVP-1

ALU, CVP_LOAD, CVP_STORE, CVP_CONDITIONAL, DIRECT, INDIRECT, FLOAT, SLOW, UNDEFINED = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
)
LINK = 30  # AArch64's link register
JUMP, INDIRECT_JUMP, CALL, INDIRECT_CALL, RETURN = 2, 3, 4, 5, 6
OP_NOP, OP_INT, OP_MUL, OP_FLOAT, OP_SYSTEM = 0, 1, 2, 4, 11
N_DROPPED = 0  # places in `info`


@jit
def word(block: Bytes, place: int) -> Any:
    """Return eight bytes as a number."""
    value = np.uint64(0)
    for k in range(8):
        value |= np.uint64(block[place + k]) << np.uint64(8 * k)
    return value


@jit
def cvp(block: Bytes, most: int, rows: U8, taken: Bytes, operands: U8, info: Ints) -> Any:
    """Take CVP-1 instructions apart; returns records, operands, bytes used, and why it ended."""
    size = len(block)
    place = row = count = 0
    while place < size and row < most:
        p = place + 9
        if p > size:
            return row, count, place, CUT
        kind = signed(block[place + 8])
        if kind > UNDEFINED:
            return row, count, place, BAD
        address = np.uint64(0)
        width = 0
        is_taken = 0
        if kind in (CVP_LOAD, CVP_STORE):
            if p + 9 > size:
                return row, count, place, CUT
            address = word(block, p)
            width = signed(block[p + 8])
            p += 9
        elif kind in (CVP_CONDITIONAL, DIRECT, INDIRECT):
            if p + 1 > size:
                return row, count, place, CUT
            is_taken = signed(block[p])
            if is_taken > 1:
                return row, count, place, BAD
            p += 1 + 8 * is_taken
        if p >= size:
            return row, count, place, CUT
        low, high = np.uint64(0), np.uint64(0)
        reads_link = writes_link = False
        fill = 0
        n_in = signed(block[p])
        p += 1
        if p + n_in >= size:
            return row, count, place, CUT
        for k in range(n_in):
            name = signed(block[p + k])
            if name > 64:
                return row, count, place, BAD
            reads_link = reads_link or name == LINK
            if fill < SOURCES:
                low |= np.uint64(name + 1) << np.uint64(8 * fill)
                fill += 1
            else:
                info[N_DROPPED] += 1
        p += n_in
        n_out = signed(block[p])
        p += 1
        if p + n_out > size:
            return row, count, place, CUT
        values = 0
        for k in range(n_out):
            name = signed(block[p + k])
            if name > 64:
                return row, count, place, BAD
            values += 16 if 32 <= name < 64 else 8
            writes_link = writes_link or name == LINK
            if k < 2:
                low |= np.uint64(name + 1) << np.uint64(48 + 8 * k)
            elif k < DESTINATIONS:
                high |= np.uint64(name + 1) << np.uint64(8 * (k - 2))
            else:
                info[N_DROPPED] += 1
        p += n_out + values
        if p > size:
            return row, count, place, CUT
        loads = 1 if kind == CVP_LOAD else 0
        stores = 1 if kind == CVP_STORE else 0
        if loads + stores > 0:
            operands[count] = address
            count += 1
        branch = 0
        op = OP_NOP
        if kind == CVP_CONDITIONAL:
            branch = CONDITIONAL
        elif kind == DIRECT:
            branch = CALL if writes_link else JUMP
        elif kind == INDIRECT:
            branch = INDIRECT_CALL if writes_link else RETURN if reads_link else INDIRECT_JUMP
        elif kind == ALU:
            op = OP_INT
        elif kind == SLOW:
            op = OP_MUL
        elif kind == FLOAT:
            op = OP_FLOAT
        elif kind == UNDEFINED:
            op = OP_SYSTEM
        rows[row, 0] = word(block, place)
        rows[row, 1] = pack_word(op, branch, loads, stores, 4, width * loads, width * stores, 0)
        rows[row, 2] = low
        rows[row, 3] = high
        taken[row] = is_taken
        row += 1
        place = p
    return row, count, place, GOOD


# ---------------------------------------------------------------------------------------------- gem5 elastic

RING = 4096  # newest records whose register is remembered
POOL = 64  # synthetic registers
E_REGISTER_LOST, E_ORDER_LOST, E_DELAY, E_DIVISOR, E_WEIGHT, E_NO_PC, E_LONGEST = 0, 1, 2, 3, 4, 5, 6
SEVEN, LOW7 = np.uint64(7), np.uint64(127)


@jit
def varint(block: Bytes, place: int, end: int) -> Any:
    """Read a protobuf varint; a place of -1 says that it is cut off, -2 that it is too long."""
    value = np.uint64(0)
    for k in range(10):
        if place + k >= end:
            return value, -1
        value |= (np.uint64(block[place + k]) & LOW7) << np.uint64(7 * k)
        if block[place + k] < 128:
            return value, place + k + 1
    return value, -2


@jit
def greatest_divisor(a: int, b: int) -> int:
    """Return the greatest common divisor; that of 0 and b is b."""
    while b > 0:
        a, b = b, a % b
    return a


@jit
def synthetic_register(pc: Any, number: Any) -> int:
    """Return the register that stands for what an instruction produces: by its pc, or else by its number."""
    if pc == 0:
        return 1 + signed(number % np.uint64(POOL))
    mixed = (pc >> np.uint64(1)) ^ (pc >> np.uint64(7)) ^ (pc >> np.uint64(13))
    return 1 + signed(mixed % np.uint64(POOL))


@jit
def elastic(
    block: Bytes, most: int, rows: U8, operands: U8, ring: U8, names: Ints, writers: U8, info: Ints
) -> Any:
    """Take elastic-trace messages apart; returns records, operands, bytes used, and why it ended.

    A dependence on the newest writer of a register becomes that register; others are counted as lost. `ring` holds
    numbers of records plus one, `names` their registers, `writers` the newest record (plus one) of each register.
    """
    size = len(block)
    place = row = count = 0
    deps = np.zeros(SOURCES, np.uint64)
    one = np.uint64(1)
    while place < size and row < most:
        length, p = varint(block, place, size)
        if p == -1:
            return row, count, place, CUT
        if p < 0 or length > np.uint64(1 << 16):
            return row, count, place, BAD
        end = p + signed(length)
        if end > size:
            return row, count, place, CUT
        number, pc, physical, virtual, delay = (
            np.uint64(0),
            np.uint64(0),
            np.uint64(0),
            np.uint64(0),
            np.uint64(0),
        )
        kind = width = fill = found = 0
        weight = np.uint64(0)
        while p < end:
            tag, p = varint(block, p, end)
            if p < 0:
                return row, count, place, BAD
            field, wire = signed(tag >> np.uint64(3)), signed(tag & np.uint64(7))
            stop = p  # of a run of packed numbers
            if wire == 2:
                value, p = varint(block, p, end)
                if p < 0 or value > np.uint64(end - p):
                    return row, count, place, BAD
                stop = p + signed(value)
                if field != 6 and field != 8:
                    p = stop
                    continue
            elif wire == 1 or wire == 5:
                p += 8 if wire == 1 else 4
                if p > end:
                    return row, count, place, BAD
                continue
            elif wire != 0:
                return row, count, place, BAD
            again = wire == 0 or p < stop
            while again:
                value, p = varint(block, p, end)
                if p < 0:
                    return row, count, place, BAD
                if field == 1:
                    number = value
                    found |= 1
                elif field == 2:
                    kind = signed(value & np.uint64(255))
                    found |= 2
                elif field == 3:
                    physical = value
                elif field == 4:
                    width = short(value)
                elif field == 7:
                    delay = value
                elif field == 9:
                    weight = value
                elif field == 10:
                    pc = value
                elif field == 11:
                    virtual = value
                elif field == 6 or field == 8:
                    slot = signed(value % np.uint64(RING))
                    kept = False
                    if ring[slot] == value + one and names[slot] > 0:
                        kept = writers[names[slot]] == value + one
                        name = np.uint64(names[slot])
                        if kept:
                            fresh = True
                            for k in range(fill):
                                fresh = fresh and deps[k] != name
                            if fresh and fill < SOURCES:
                                deps[fill] = name
                                fill += 1
                            elif fresh:
                                kept = False
                    if not kept:
                        info[E_REGISTER_LOST if field == 8 else E_ORDER_LOST] += 1
                again = wire == 2 and p < stop
        if found != 3 or kind < 1 or kind > 3:
            return row, count, place, BAD
        low = np.uint64(0)
        for k in range(fill):
            low |= deps[k] << np.uint64(8 * k)
        slot = signed(number % np.uint64(RING))
        ring[slot] = number + one
        names[slot] = 0
        if kind != 2:  # a store produces nothing
            made = synthetic_register(pc, number)
            names[slot] = made
            writers[made] = number + one
            low |= np.uint64(made) << np.uint64(48)
        loads = 1 if kind == 1 else 0
        stores = 1 if kind == 2 else 0
        if kind != 3:
            operands[count] = virtual if virtual != 0 else physical
            count += 1
        rows[row, 0] = pc
        rows[row, 1] = pack_word(
            OP_INT if kind == 3 else OP_NOP, 0, loads, stores, 0, width * loads, width * stores, 0
        )
        rows[row, 2] = low
        rows[row, 3] = 0
        ticks = signed(delay & np.uint64(0x7FFFFFFFFFFF))
        info[E_DELAY] += ticks
        info[E_LONGEST] = max(info[E_LONGEST], ticks)
        info[E_DIVISOR] = greatest_divisor(info[E_DIVISOR], ticks)
        info[E_WEIGHT] += signed(weight & np.uint64(0xFFFFFFFF))
        info[E_NO_PC] += pc == 0
        row += 1
        place = end
    return row, count, place, GOOD


# ---------------------------------------------------------------------------------------------- drmemtrace

D_IGNORED, D_PREFETCHES, D_THREADS, D_FOOTER, D_PC, D_LENGTH, D_THREAD = 0, 3, 4, 5, 6, 7, 8
READ, WRITE, OLD_INSTRUCTION, OLD_THREAD, OLD_LAST = 0, 1, 3, 8, 9
FIRST_INSTRUCTION, LAST_INSTRUCTION, BUNDLE, THREAD, FOOTER = 10, 16, 17, 22, 26
NO_FETCH, SYSENTER, FIRST_LATE_PREFETCH, ENCODING, TAKEN, UNTAKEN = 29, 31, 32, 47, 48, 49


@jit
def drmemtrace(
    block: Bytes, stride: int, old: bool, kinds: Bytes, addresses: U8, sizes: U8, info: Ints
) -> Any:
    """Turn trace entries into events; returns events, bytes used, and the type of an unknown entry or -1.

    `info` carries the pc and length of the last instruction, which bundles go on from, and what was left out.
    """
    count = place = 0
    while place + stride <= len(block):
        kind = signed(block[place]) | (signed(block[place + 1]) << 8)
        size = signed(block[place + 2]) | (signed(block[place + 3]) << 8)
        address = word(block, place + stride - 8)
        made = -1
        if kind in (READ, WRITE):
            made = STORE if kind == WRITE else LOAD
        elif old:
            if kind > OLD_LAST:
                return count, place, kind
            if kind == OLD_INSTRUCTION:
                made = INSTRUCTION
        elif FIRST_INSTRUCTION <= kind <= LAST_INSTRUCTION:
            branch = 0
            if kind == FIRST_INSTRUCTION + 1:
                branch = JUMP
            elif kind == FIRST_INSTRUCTION + 2:
                branch = INDIRECT_JUMP
            elif kind == FIRST_INSTRUCTION + 3:
                branch = CONDITIONAL
            elif kind > FIRST_INSTRUCTION + 3:
                branch = kind - FIRST_INSTRUCTION
            made = INSTRUCTION | (branch << 4)
            if branch == CONDITIONAL:
                made |= UNTOLD
            elif branch > 0:
                made |= 128
        elif kind in (TAKEN, UNTAKEN):
            made = INSTRUCTION | (CONDITIONAL << 4) | (128 if kind == TAKEN else 0)
        elif NO_FETCH <= kind <= SYSENTER:
            made = INSTRUCTION
        elif kind == BUNDLE:
            if size > 8:
                return count, place, kind
            for k in range(size):
                info[D_PC] += info[D_LENGTH]
                info[D_LENGTH] = signed(block[place + stride - 8 + k])
                kinds[count] = INSTRUCTION
                addresses[count] = np.uint64(info[D_PC])
                sizes[count] = np.uint64(info[D_LENGTH])
                count += 1
        elif kind > UNTAKEN:
            return count, place, kind
        elif 2 <= kind <= 9 or FIRST_LATE_PREFETCH <= kind < ENCODING:
            info[D_PREFETCHES] += 1
        if kind == (OLD_THREAD if old else THREAD):
            thread = signed(address & np.uint64(0x7FFFFFFFFFFFFFFF))
            info[D_THREADS] += thread != info[D_THREAD]
            info[D_THREAD] = thread
        info[D_FOOTER] = 1 if kind == FOOTER and not old else 0
        if made >= 0:
            kinds[count] = made
            addresses[count] = address
            sizes[count] = np.uint64(size)
            count += 1
            if made & INSTRUCTION != 0:
                info[D_PC] = signed(address & np.uint64(0x7FFFFFFFFFFFFFFF))
                info[D_LENGTH] = size
        place += stride
    return count, place, -1
