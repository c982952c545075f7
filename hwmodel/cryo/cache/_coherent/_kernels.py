"""Private caches of several cores before a shared one, kept coherent by MESI or MOESI.

Each core has one private level, or two of which the outer holds all that the inner does. The outer one keeps the
state of a line; `w` holds `line << 3 | state` in the order of last use, -1 where a way is empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwmodel.cryo.cache._kernels import (
    HIT,
    L_BASE,
    L_MASK,
    L_WAYS,
    N_INVALIDATED,
    N_READ_MISSES,
    N_READS,
    N_WRITE_MISSES,
    N_WRITEBACKS,
    N_WRITES,
    Bytes,
    refresh,
    remove,
    touch,
)
from hwmodel.kernel.compiled import Ints, jit

# header
C_CORES = 0
C_SHIFT = 1
C_MASK = 2
C_OWNED = 3  # 1: MOESI
C_SNOOP = 4  # 1: every transaction asks every other cache
C_INCLUSIVE = 5
C_INNER = 6  # 1: two private levels
C_PROBES = 7  # private caches asked
C_MEMORY_READS = 8
C_MEMORY_WRITES = 9

ROW = 16
SHARED = 16  # row of the shared level
CORES = 32  # rows of the cores: the outer level, then the inner one

# row of an outer level, behind the words that all levels have
N_UPGRADES = 9  # writes to lines that others might hold
N_LOST = 10  # lines lost to writes of others
N_SUPPLIED = 11  # lines given to others

SHARED_STATE, EXCLUSIVE, MODIFIED, OWNED = 1, 2, 3, 4


@jit
def outer_of(core: int) -> int:
    """Return the row of a core's outer private level."""
    return CORES + 2 * ROW * core


@jit
def find(w: Ints, row: int, line: int) -> int:
    """Return the place of a line in an outer level, or -1."""
    base = w[row + L_BASE] + (line & w[row + L_MASK]) * w[row + L_WAYS]
    for place in range(base, base + w[row + L_WAYS]):
        if w[place] >> 3 == line:
            return place
    return -1


@jit
def to_front(w: Ints, row: int, line: int, place: int) -> int:
    """Make a line of an outer level the one used last; return its new place."""
    base = w[row + L_BASE] + (line & w[row + L_MASK]) * w[row + L_WAYS]
    word = w[place]
    while place > base:
        w[place] = w[place - 1]
        place -= 1
    w[base] = word
    return base


@jit
def drop(w: Ints, core: int, line: int) -> int:
    """Take a line out of a core's caches; return its state, 0 if it was not there."""
    row = outer_of(core)
    place = find(w, row, line)
    if place < 0:
        return 0
    state = w[place] & 7
    last = w[row + L_BASE] + ((line & w[row + L_MASK]) + 1) * w[row + L_WAYS] - 1
    while place < last:
        w[place] = w[place + 1]
        place += 1
    w[last] = -1
    if w[C_INNER]:
        word = remove(w, row + ROW, line)
        if word >= 0:
            w[row + ROW + N_INVALIDATED] += 1
            if word & 1:
                w[row + ROW + N_WRITEBACKS] += 1
    return state


@jit
def shared_victim(w: Ints, word: int) -> None:
    """Look after what the shared level gave up."""
    if word < 0:
        return
    dirty = word & 1
    if w[C_INCLUSIVE]:
        for core in range(w[C_CORES]):
            state = drop(w, core, word >> 1)
            if state:
                w[outer_of(core) + N_INVALIDATED] += 1
                if state >= MODIFIED:
                    w[outer_of(core) + N_WRITEBACKS] += 1
                    dirty = 1
    if dirty:
        w[SHARED + N_WRITEBACKS] += 1
        w[C_MEMORY_WRITES] += 1


@jit
def shared_read(w: Ints, line: int) -> None:
    """Fetch a line from the shared level, or through it from memory."""
    w[SHARED + N_READS] += 1
    word = touch(w, SHARED, line, 0)
    if word == HIT:
        return
    w[SHARED + N_READ_MISSES] += 1
    w[C_MEMORY_READS] += 1
    shared_victim(w, word)


@jit
def shared_write(w: Ints, row: int, line: int) -> None:
    """Write a dirty line of an outer level to the shared one."""
    w[row + N_WRITEBACKS] += 1
    w[SHARED + N_WRITES] += 1
    word = touch(w, SHARED, line, 1)
    if word == HIT:
        return
    w[SHARED + N_WRITE_MISSES] += 1
    shared_victim(w, word)


@jit
def ask_others(w: Ints, core: int, line: int, write: int) -> int:
    """Ask the other cores for a line, which a write takes from them.

    Return 0 if no one has it, 1 if one has, 2 if one gave it: the one that had it exclusive, modified or owned.
    """
    found = 0
    for other in range(w[C_CORES]):
        if other == core:
            continue
        row = outer_of(other)
        place = find(w, row, line)
        w[C_PROBES] += 1 if w[C_SNOOP] or place >= 0 else 0
        if place < 0:
            continue
        found = max(found, 1)
        state = w[place] & 7
        if state >= EXCLUSIVE:
            w[row + N_SUPPLIED] += 1
            found = 2
        if write:
            drop(w, other, line)
            w[row + N_LOST] += 1
        elif state == EXCLUSIVE:
            w[place] = line << 3 | SHARED_STATE
        elif state == MODIFIED:
            if w[C_OWNED]:
                w[place] = line << 3 | OWNED
            else:
                w[place] = line << 3 | SHARED_STATE
                shared_write(w, row, line)
            if w[C_INNER]:
                clean_inner(w, row + ROW, line)
    return found


@jit
def clean_inner(w: Ints, row: int, line: int) -> None:
    """The inner copy of a line that was given away holds no news any more."""
    base = w[row + L_BASE] + (line & w[row + L_MASK]) * w[row + L_WAYS]
    for place in range(base, base + w[row + L_WAYS]):
        if w[place] >> 1 == line and w[place] & 1:
            w[place] -= 1
            w[row + N_WRITEBACKS] += 1


@jit
def make_writable(w: Ints, core: int, line: int, place: int) -> None:
    """Give a core the right to write a line that it holds."""
    state = w[place] & 7
    if state in (SHARED_STATE, OWNED):
        w[outer_of(core) + N_UPGRADES] += 1
        for other in range(w[C_CORES]):
            if other != core:
                row = outer_of(other)
                lost = drop(w, other, line)
                w[C_PROBES] += 1 if w[C_SNOOP] or lost else 0
                if lost:
                    w[row + N_LOST] += 1
    w[place] = line << 3 | MODIFIED


@jit
def access_outer(w: Ints, core: int, line: int, write: int) -> None:
    """Bring a line into a core's outer level, with the right to write it where `write` says so."""
    row = outer_of(core)
    place = find(w, row, line)
    if place >= 0:
        place = to_front(w, row, line, place)
        if write:
            make_writable(w, core, line, place)
        return
    answer = ask_others(w, core, line, write)
    if answer < 2:
        shared_read(w, line)
    state = MODIFIED if write else (SHARED_STATE if answer else EXCLUSIVE)
    base = w[row + L_BASE] + (line & w[row + L_MASK]) * w[row + L_WAYS]
    victim = w[base + w[row + L_WAYS] - 1]
    if victim >= 0:
        drop(w, core, victim >> 3)
    for step in range(w[row + L_WAYS] - 1):
        at = base + w[row + L_WAYS] - 1 - step
        w[at] = w[at - 1]
    w[base] = line << 3 | state
    if victim >= 0 and victim & 7 >= MODIFIED:
        shared_write(w, row, victim >> 3)


@jit
def run(w: Ints, addresses: Ints, writes: Bytes, cores: Bytes) -> None:
    """Serve accesses of all cores in the order given."""
    for i in range(len(addresses)):
        line = (addresses[i] >> w[C_SHIFT]) & w[C_MASK]
        write: Any = np.int64(writes[i]) & 1
        core: Any = np.int64(cores[i])
        outer = outer_of(core)
        first = outer + ROW if w[C_INNER] else outer
        w[first + N_READS + 2 * write] += 1
        if w[C_INNER] == 0:
            if find(w, outer, line) < 0:
                w[outer + N_READ_MISSES + 2 * write] += 1
            access_outer(w, core, line, write)
            continue
        if refresh(w, first, line, write):
            if write:
                make_writable(w, core, line, find(w, outer, line))
            continue
        w[first + N_READ_MISSES + 2 * write] += 1
        w[outer + N_READS] += 1
        if find(w, outer, line) < 0:
            w[outer + N_READ_MISSES] += 1
        access_outer(w, core, line, write)
        word = touch(w, first, line, write)
        if word >= 0 and word & 1:
            w[first + N_WRITEBACKS] += 1
            w[outer + N_WRITES] += 1
            to_front(w, outer, word >> 1, find(w, outer, word >> 1))
