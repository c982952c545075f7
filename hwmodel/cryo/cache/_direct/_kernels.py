"""General caches: the short ways of a request.

A hit of a first level without prefetcher and classification concerns that level alone. And where every level is plain
but for its policy, a miss needs no stack of steps: it goes down, comes up, and each victim goes down from there.
"""

from __future__ import annotations

from hwmodel.cryo.cache._kernels import L_BASE, L_MASK, L_WAYS, N_READ_MISSES, N_READS, N_WRITEBACKS
from hwmodel.cryo.cache._parts import (
    DIRTY,
    EXCLUSIVE,
    H_LEVELS,
    H_MEMORY_PREFETCHES,
    H_MEMORY_READS,
    H_MEMORY_WRITES,
    H_MODE,
    H_RECORD,
    H_SPLIT,
    INCLUSIVE,
    INSTRUCTION,
    L_ALLOCATE,
    L_LINES,
    L_NEXT,
    L_PREFETCH,
    L_SECTOR_MASK,
    L_SECTOR_SHIFT,
    L_SHADOW,
    L_SHIFT,
    L_THROUGH,
    L_VICTIMS,
    N_FILLS,
    ROW,
    ROWS,
    choose,
    fill,
    find,
    invalidate_above,
    use,
)
from hwmodel.kernel.compiled import Ints, U, jit

# requests from level to level; the first two are also those of a program
READ = 0
WRITE = 1  # of a part of a line
LINE = 3  # a dirty line, or sector, from above that fills one here
PREFETCH = 4  # a read for a prefetcher above


@jit
def memory(w: Ints, out: Ints, kind: int, unit: int) -> None:
    """Take a request that left the last level."""
    if kind == READ:
        w[H_MEMORY_READS] += 1
    elif kind == PREFETCH:
        w[H_MEMORY_PREFETCHES] += 1
    else:
        w[H_MEMORY_WRITES] += 1
    if w[H_RECORD]:
        n = out[0]
        out[0] = n + 1
        out[1 + 2 * n] = kind
        out[2 + 2 * n] = unit


@jit
def is_simple(w: Ints, row: int) -> bool:
    """Say whether hits of a first level concern nothing but the level: no prefetcher, no classification."""
    return w[row + L_PREFETCH] == 0 and w[row + L_SHADOW] < 0


@jit
def is_direct(w: Ints) -> bool:
    """Say whether all levels are plain but for their policies, so that `miss` serves them."""
    if w[H_MODE] == EXCLUSIVE:
        return False
    for k in range(w[H_LEVELS] + w[H_SPLIT]):
        row = ROWS + ROW * (k if k < w[H_LEVELS] else INSTRUCTION)
        if not is_simple(w, row) or w[row + L_THROUGH] or w[row + L_ALLOCATE] == 0 or w[row + L_VICTIMS]:
            return False
        if w[row + L_SECTOR_MASK] or w[row + L_SHIFT] != w[ROWS + L_SHIFT]:
            return False
    return True


@jit
def hit_here(w: Ints, row: int, unit: int, wrote: int) -> bool:
    """Serve an access that hits a simple first level; leave any other."""
    line = unit >> w[U(row + L_SHIFT)]
    base = w[U(row + L_BASE)] + (line & w[U(row + L_MASK)]) * w[U(row + L_WAYS)]
    for place in range(base, base + w[U(row + L_WAYS)]):
        if w[U(place)] == line:
            at = place + w[U(row + L_LINES)]
            sector = 1 << ((unit >> w[U(row + L_SECTOR_SHIFT)]) & w[U(row + L_SECTOR_MASK)])
            if w[U(at)] & sector == 0 or (wrote and w[U(row + L_THROUGH)]):
                return False
            w[U(at)] |= (sector * wrote) << DIRTY
            w[U(row + N_READS + 2 * wrote)] += 1
            use(w, row, place, line)
            return True
    return False


@jit
def install(w: Ints, row: int, line: int, dirty: int) -> int:
    """Put a line into a level; return the line that must be written down, or -1."""
    w[U(row + N_FILLS)] += 1
    place = choose(w, row, line)
    gone = w[U(place)]
    at = place + w[U(row + L_LINES)]
    state = w[U(at)]
    w[U(place)] = line
    w[U(at)] = 1 | dirty << DIRTY
    fill(w, row, place, line)
    if gone < 0:
        return -1
    if w[H_MODE] == INCLUSIVE:
        state |= invalidate_above(w, row, gone)
    if state >> DIRTY & 1 == 0:
        return -1
    w[U(row + N_WRITEBACKS)] += 1
    return gone


@jit
def write_line(w: Ints, out: Ints, row: int, line: int) -> None:
    """Write a dirty line to the level in `row`, 0 for memory, and on from there what it drives out."""
    while row != 0:
        w[U(row + N_READS + 2)] += 1
        place = find(w, row, line)
        if place >= 0:
            w[U(place + w[U(row + L_LINES)])] |= 1 << DIRTY
            use(w, row, place, line)
            return
        w[U(row + N_READ_MISSES + 2)] += 1
        line = install(w, row, line, 1)
        if line < 0:
            return
        row = w[U(row + L_NEXT)]
    memory(w, out, LINE, line << w[ROWS + L_SHIFT])


@jit
def miss(w: Ints, out: Ints, first: int, unit: int, wrote: int) -> None:
    """Serve an access that the first level, in row `first`, has missed: fetch from below, then write each victim."""
    line = unit >> w[U(first + L_SHIFT)]
    w[U(first + N_READS + 2 * wrote)] += 1
    w[U(first + N_READ_MISSES + 2 * wrote)] += 1
    depth = 1
    while depth < w[H_LEVELS]:
        row = ROWS + ROW * depth
        w[U(row + N_READS)] += 1
        place = find(w, row, line)
        if place >= 0:
            use(w, row, place, line)
            break
        w[U(row + N_READ_MISSES)] += 1
        depth += 1
    if depth == w[H_LEVELS]:
        memory(w, out, READ, unit)
    while depth > 0:
        depth -= 1
        row = first if depth == 0 else ROWS + ROW * depth
        gone = install(w, row, line, wrote if depth == 0 else 0)
        if gone >= 0:
            write_line(w, out, w[U(row + L_NEXT)], gone)
