"""The compiled loops of plain caches: LRU, write-back, write-allocate, lines of one size, NINE or inclusive.

Everything lies in one flat int64 array `w`: a header, one row a level, then the ways of each level. A set is kept in
the order of its last uses, so that a repeated access is one comparison and the victim is the last word. A way holds
`line << 1 | dirty`, or -1; empty ways are always the last ones of their set.

A miss is fetched through all levels before any victim is written down, and the victim of the deepest level goes
first: so it is in hardware with write buffers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.kernel.compiled import Ints, U, jit

Bytes = npt.NDArray[np.uint8]

# header
H_LEVELS = 0  # levels on the way of data
H_SHIFT = 1  # bits of an address below its line
H_MASK = 2  # what remains of an address after the shift: the sign of a large address must not stay
H_SPLIT = 3  # 1: there is an instruction cache, in row `INSTRUCTION`
VICTIM = 4  # the victim of each level during one miss

ROWS = 8
ROW = 16
INSTRUCTION = 4
DATA = ROWS + ROW * 5  # the first way

# row of a level
L_BASE = 0  # the first way
L_MASK = 1  # sets - 1
L_WAYS = 2
N_READS = 3
N_READ_MISSES = 4
N_WRITES = 5
N_WRITE_MISSES = 6
N_WRITEBACKS = 7  # dirty lines that left the level downwards
N_INVALIDATED = 8  # lines that left because a level below gave them up

HIT = -2
READ, WRITE, FETCH = 0, 1, 2


@jit
def touch(w: Ints, row: int, line: int, dirty: int) -> int:
    """Use a line of a level, or bring it in: return HIT, or the word that left (-1: none)."""
    base = w[U(row + L_BASE)] + (line & w[U(row + L_MASK)]) * w[U(row + L_WAYS)]
    before = w[U(base)]
    if before >> 1 == line:
        w[U(base)] = before | dirty
        return HIT
    # One pass both searches and moves; a miss has then already made room.
    for place in range(base + 1, base + w[U(row + L_WAYS)]):
        word = w[U(place)]
        w[U(place)] = before
        if word >> 1 == line:
            w[U(base)] = word | dirty
            return HIT
        before = word
    w[U(base)] = line << 1 | dirty
    return before


@jit
def refresh(w: Ints, row: int, line: int, dirty: int) -> bool:
    """Use a line of a level if it is there."""
    base = w[U(row + L_BASE)] + (line & w[U(row + L_MASK)]) * w[U(row + L_WAYS)]
    for place in range(base, base + w[U(row + L_WAYS)]):
        word = w[U(place)]
        if word >> 1 == line:
            while place > base:
                w[U(place)] = w[U(place - 1)]
                place -= 1
            w[U(base)] = word | dirty
            return True
    return False


@jit
def remove(w: Ints, row: int, line: int) -> int:
    """Take a line out of a level; return its word, -1 if it was not there."""
    base = w[U(row + L_BASE)] + (line & w[U(row + L_MASK)]) * w[U(row + L_WAYS)]
    last = base + w[U(row + L_WAYS)] - 1
    for place in range(base, last + 1):
        word = w[U(place)]
        if word >> 1 == line:
            while place < last:
                w[U(place)] = w[U(place + 1)]
                place += 1
            w[U(last)] = -1
            return word
    return -1


@jit
def write_down(w: Ints, row: int, k: int, line: int) -> None:
    """Write a dirty line of the level in `row` to level k, and on from there what it drives out."""
    while True:
        w[U(row + N_WRITEBACKS)] += 1
        if k == w[H_LEVELS]:
            return
        row = ROWS + ROW * k
        w[U(row + N_WRITES)] += 1
        word = touch(w, row, line, 1)
        if word == HIT:
            return
        w[U(row + N_WRITE_MISSES)] += 1
        if word < 0 or word & 1 == 0:
            return
        line = word >> 1
        k += 1


@jit
def miss_nine(w: Ints, first: int, victim: int, line: int) -> None:
    """Fetch a line that the first level, in row `first`, has missed and already installed; then write victims."""
    w[VICTIM] = victim
    k = 1
    while k < w[H_LEVELS]:
        row = ROWS + ROW * k
        w[U(row + N_READS)] += 1
        word = touch(w, row, line, 0)
        if word == HIT:
            break
        w[U(row + N_READ_MISSES)] += 1
        w[U(VICTIM + k)] = word
        k += 1
    while k > 0:
        k -= 1
        word = w[U(VICTIM + k)]
        if word >= 0 and word & 1:
            write_down(w, first if k == 0 else ROWS + ROW * k, k + 1, word >> 1)


@jit
def invalidate_above(w: Ints, k: int, line: int) -> int:
    """Take a line out of all levels above k; return 1 if one of them held it dirty."""
    dirty = 0
    for upper in range(k + w[H_SPLIT]):
        row = ROWS + ROW * (upper if upper < k else INSTRUCTION)
        word = remove(w, row, line)
        if word >= 0:
            w[U(row + N_INVALIDATED)] += 1
            if word & 1:
                w[U(row + N_WRITEBACKS)] += 1
                dirty = 1
    return dirty


@jit
def miss_inclusive(w: Ints, first: int, line: int, dirty: int) -> None:
    """Fetch a line that the first level has missed: fill from the deepest level up, so that room made is used."""
    k = 1
    while k < w[H_LEVELS]:
        row = ROWS + ROW * k
        w[U(row + N_READS)] += 1
        if refresh(w, row, line, 0):
            break
        w[U(row + N_READ_MISSES)] += 1
        k += 1
    while k > 1:
        k -= 1
        row = ROWS + ROW * k
        word = touch(w, row, line, 0)
        if word >= 0:
            word |= invalidate_above(w, k, word >> 1)
            if word & 1:
                write_down(w, row, k + 1, word >> 1)
    word = touch(w, first, line, dirty)
    if word >= 0 and word & 1:
        write_down(w, first, 1, word >> 1)


@jit
def run_nine(w: Ints, addresses: Ints, writes: Bytes) -> None:
    """Read and write data; levels keep what they like."""
    row = ROWS
    base0 = w[row + L_BASE]
    mask0 = w[row + L_MASK]
    ways0 = w[row + L_WAYS]
    shift = w[H_SHIFT]
    mask = w[H_MASK]
    n_writes = 0
    read_misses = 0
    write_misses = 0
    for i in range(len(addresses)):
        line = (addresses[i] >> shift) & mask
        dirty: Any = np.int64(writes[i])
        n_writes += dirty
        base = base0 + (line & mask0) * ways0
        word = w[U(base)]
        if word >> 1 == line:
            if dirty:
                w[U(base)] = word | 1
            continue
        place = base + 1
        end = base + ways0
        while place < end:
            before = word
            word = w[U(place)]
            w[U(place)] = before
            if word >> 1 == line:
                break
            place += 1
        if place < end:
            w[U(base)] = word | dirty
            continue
        w[U(base)] = line << 1 | dirty
        read_misses += 1 - dirty
        write_misses += dirty
        miss_nine(w, row, word, line)
    w[row + N_READS] += len(addresses) - n_writes
    w[row + N_WRITES] += n_writes
    w[row + N_READ_MISSES] += read_misses
    w[row + N_WRITE_MISSES] += write_misses


@jit
def run_inclusive(w: Ints, addresses: Ints, writes: Bytes) -> None:
    """Read and write data; what a level gives up, the levels above it give up too."""
    row = ROWS
    base0 = w[row + L_BASE]
    mask0 = w[row + L_MASK]
    ways0 = w[row + L_WAYS]
    shift = w[H_SHIFT]
    mask = w[H_MASK]
    n_writes = 0
    read_misses = 0
    write_misses = 0
    for i in range(len(addresses)):
        line = (addresses[i] >> shift) & mask
        dirty: Any = np.int64(writes[i])
        n_writes += dirty
        base = base0 + (line & mask0) * ways0
        word = w[U(base)]
        if word >> 1 == line:
            if dirty:
                w[U(base)] = word | 1
            continue
        if refresh(w, row, line, dirty):
            continue
        read_misses += 1 - dirty
        write_misses += dirty
        miss_inclusive(w, row, line, dirty)
    w[row + N_READS] += len(addresses) - n_writes
    w[row + N_WRITES] += n_writes
    w[row + N_READ_MISSES] += read_misses
    w[row + N_WRITE_MISSES] += write_misses


@jit
def run_split(w: Ints, addresses: Ints, kinds: Bytes, inclusive: int) -> None:
    """Read, write and fetch instructions, which have a first level of their own."""
    shift = w[H_SHIFT]
    mask = w[H_MASK]
    for i in range(len(addresses)):
        line = (addresses[i] >> shift) & mask
        kind: Any = np.int64(kinds[i])
        row = ROWS + ROW * (INSTRUCTION if kind == FETCH else 0)
        dirty = kind & 1
        w[U(row + N_READS + 2 * dirty)] += 1
        base = w[U(row + L_BASE)] + (line & w[U(row + L_MASK)]) * w[U(row + L_WAYS)]
        word = w[U(base)]
        if word >> 1 == line:
            if dirty:
                w[U(base)] = word | 1
            continue
        if inclusive:
            if refresh(w, row, line, dirty):
                continue
            w[U(row + N_READ_MISSES + 2 * dirty)] += 1
            miss_inclusive(w, row, line, dirty)
        else:
            word = touch(w, row, line, dirty)
            if word != HIT:
                w[U(row + N_READ_MISSES + 2 * dirty)] += 1
                miss_nine(w, row, word, line)


@jit
def flush(w: Ints, inclusive: int) -> None:
    """Write all dirty lines down, set by set from the first level on, and leave every level empty."""
    for k in range(w[H_LEVELS] + w[H_SPLIT]):
        # The instruction cache comes right after the first level.
        level = k
        if w[H_SPLIT] and k > 0:
            level = INSTRUCTION if k == 1 else k - 1
        row = ROWS + ROW * level
        base = w[U(row + L_BASE)]
        for place in range(base, base + (w[U(row + L_MASK)] + 1) * w[U(row + L_WAYS)]):
            word = w[U(place)]
            w[U(place)] = -1
            if word >= 0 and word & 1:
                write_down(w, row, 1 if level == INSTRUCTION else level + 1, word >> 1)
