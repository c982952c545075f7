"""Compiled loops of the generators: addresses of a pattern, and the walk through a synthetic program.

A pattern is one row of int64 (columns K_*). Patterns that need tables (cycles, permutations, cumulated shares) find
theirs in one flat array at the row's offset.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.kernel.compiled import jit, random_bits

Ints = npt.NDArray[np.int64]

STREAM, STRIDE, CHASE, UNIFORM, ZIPF, STENCIL = range(6)

K_KIND = 0
K_BASE = 1  # address of the first byte
K_COUNT = 2  # elements (of one array, where there are several)
K_STEP = 3  # bytes from one element to the next
K_FIRST = 4  # stream: arrays; stencil: columns
K_PITCH = 5  # stream: bytes from one array to the next
K_TABLE = 6  # place in the tables
K_KEY = 7  # key of the draws
K_COLUMNS = 8

TAKEN = 1 << 31

# what a walk keeps between two calls
S_SLOT = 0  # next instruction of the body
S_DRAWS = 1  # draws of branches so far
S_COLUMNS = 2


@jit
def shuffle(table: Ints, key: int, whole_cycle: bool) -> None:
    """Put the numbers 0..n-1 into random order: Fisher and Yates, or one cycle through all of them after Sattolo."""
    n = len(table)
    for i in range(n):
        table[i] = i
    for i in range(n - 1, 0, -1):
        j = random_bits(key, i) % (i if whole_cycle else i + 1)
        kept = table[i]
        table[i] = table[j]
        table[j] = kept


@jit
def rank_of(shares: npt.NDArray[np.float64], begin: int, count: int, draw: float) -> int:
    """Return the first rank whose cumulated share is above a draw in [0, 1)."""
    low = 0
    high = count - 1
    while low < high:
        middle = (low + high) // 2
        if shares[begin + middle] > draw:
            high = middle
        else:
            low = middle + 1
    return low


@jit
def next_address(row: Ints, tables: Ints, shares: npt.NDArray[np.float64], cursor: Ints) -> int:
    """Return the next address of a pattern; `cursor` is its number of accesses so far, and its place in a cycle."""
    i = cursor[0]
    cursor[0] = i + 1
    kind = row[K_KIND]
    count = row[K_COUNT]
    element = i % count
    offset = 0
    if kind == STREAM:
        arrays = row[K_FIRST]
        element = (i // arrays) % count
        offset = (i % arrays) * row[K_PITCH]
    elif kind == CHASE:
        element = cursor[1]
        cursor[1] = tables[row[K_TABLE] + element]
    elif kind == UNIFORM:
        element = random_bits(row[K_KEY], i) % count
    elif kind == ZIPF:
        draw = random_bits(row[K_KEY], i) * (1.0 / 9007199254740992.0)
        element = tables[row[K_TABLE] + rank_of(shares, row[K_TABLE], count, draw)]
    elif kind == STENCIL:
        columns = row[K_FIRST]
        inner = columns - 2
        point = (i // 5) % ((count // columns - 2) * inner)
        element = (point // inner + 1) * columns + point % inner + 1
        neighbour = i % 5
        if neighbour == 0:
            element -= columns
        elif neighbour == 1:
            element -= 1
        elif neighbour == 3:
            element += 1
        elif neighbour == 4:
            element += columns
    address: Any = row[K_BASE] + offset + element * row[K_STEP]
    return address


@jit
def fill(row: Ints, tables: Ints, shares: npt.NDArray[np.float64], cursor: Ints, out: Any) -> None:
    """Write the next addresses of one pattern."""
    for k in range(len(out)):
        out[k] = next_address(row, tables, shares, cursor)


@jit
def goes_on(visits: Ints, block: int, state: Ints, key: int, taken: float, period: int) -> bool:
    """Return whether the conditional branch at a block's end is taken this time."""
    if period > 0:
        turn = visits[block] % period
        visits[block] += 1
        return turn < int(taken * period + 0.5)
    draw = random_bits(key, state[S_DRAWS]) * (1.0 / 9007199254740992.0)
    state[S_DRAWS] += 1
    return draw < taken


@jit
def walk(
    patterns: Ints,
    block: int,
    taken: float,
    period: int,
    key: int,
    rows: Ints,
    tables: Ints,
    shares: npt.NDArray[np.float64],
    cursors: Ints,
    visits: Ints,
    state: Ints,
    ids: Any,
    addresses: Any,
) -> int:
    """Execute the next len(ids) instructions of a body; return how many addresses were written.

    `patterns` gives the pattern of every instruction of the body, -1 for none; the last of each `block` instructions
    is a branch. A taken one passes over the next block; the last block's is a jump to the start.
    """
    slot = state[S_SLOT]
    size = len(patterns)
    operands = 0
    for n in range(len(ids)):
        number = slot
        if patterns[slot] >= 0:
            p = patterns[slot]
            addresses[operands] = next_address(rows[p], tables, shares, cursors[p])
            operands += 1
        slot += 1
        if slot == size:
            number += TAKEN
            slot = 0
        elif slot % block == 0 and goes_on(visits, slot // block - 1, state, key, taken, period):
            number += TAKEN
            slot = (slot + block) % size
        ids[n] = number
    state[S_SLOT] = slot
    return operands
