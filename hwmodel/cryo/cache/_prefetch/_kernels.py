"""Prefetchers: each looks at an access of its level and writes the lines that it wants to the header of `w`."""

from __future__ import annotations

from hwmodel.cryo.cache._parts import (
    H_ADDRESS,
    H_HAS_PC,
    H_PC,
    L_DEGREE,
    L_PREFETCH,
    L_SHIFT,
    L_TABLE,
    L_TABLE_SIZE,
    PENDING,
    UNIT_BITS,
)
from hwmodel.kernel.compiled import Ints, jit

NONE, NEXT_LINE, STRIDE, STREAM, BEST_OFFSET = 0, 1, 2, 3, 4

# stride: an entry is pc, last address, stride, state
INITIAL, TRANSIENT, STEADY, NO_PREDICTION = 0, 1, 2, 3
STRIDE_ENTRY = 4

# stream: an entry is last line (-1: none), direction, steps in a row, time of last use; behind the entries the time
STREAM_ENTRY = 4
WINDOW = 16  # lines between two accesses of one stream
CONFIRMED = 2

# best offset: header, then scores, recent lines, waiting lines and the offsets
B_OFFSET = 0  # in use; 0: off
B_TEST = 1  # number of the offset under test
B_ROUND = 2
B_NEXT = 3  # place in the ring of waiting lines
B_OFFSETS = 4  # how many there are
B_DELAY = 5
BEST_HEADER = 8
RECENT = 256
MAX_SCORE = 31
MAX_ROUNDS = 100
BAD_SCORE = 1


@jit
def want(w: Ints, line: int) -> None:
    """Ask for a line; lines below address zero do not exist."""
    if line >= 0:
        w[PENDING] += 1
        w[PENDING + w[PENDING]] = line


@jit
def train_stride(w: Ints, row: int) -> None:
    """Reference prediction table with four states (Baer and Chen, IEEE Trans. Computers 44(5), 1995)."""
    if w[H_HAS_PC] == 0:
        return
    pc = w[H_PC]
    address = w[H_ADDRESS]
    entry = w[row + L_TABLE] + STRIDE_ENTRY * (((pc >> 1) ^ (pc >> 7)) & (w[row + L_TABLE_SIZE] - 1))
    if w[entry] != pc:
        w[entry] = pc
        w[entry + 1] = address
        w[entry + 2] = 0
        w[entry + 3] = INITIAL
        return
    step = address - w[entry + 1]
    correct = step == w[entry + 2]
    state = w[entry + 3]
    if not correct and state != STEADY:
        w[entry + 2] = step
    w[entry + 1] = address
    if state == STEADY:
        state = STEADY if correct else INITIAL
    elif state == NO_PREDICTION:
        state = TRANSIENT if correct else NO_PREDICTION
    elif correct:
        state = STEADY
    else:
        state = TRANSIENT if state == INITIAL else NO_PREDICTION
    w[entry + 3] = state
    if state != STEADY:
        return
    bits = w[row + L_SHIFT] + UNIT_BITS
    last = address >> bits
    for n in range(1, w[row + L_DEGREE] + 1):
        line = (address + n * w[entry + 2]) >> bits
        if line != last:
            want(w, line)
        last = line


@jit
def train_stream(w: Ints, row: int, line: int) -> None:
    """Stream detectors: two steps in one direction confirm a stream."""
    table = w[row + L_TABLE]
    size = w[row + L_TABLE_SIZE]
    clock = table + STREAM_ENTRY * size
    w[clock] += 1
    oldest = table
    for n in range(size):
        entry = table + STREAM_ENTRY * n
        step = line - w[entry]
        if w[entry] >= 0 and -WINDOW <= step <= WINDOW:
            w[entry + 3] = w[clock]
            if step == 0:
                return
            direction = 1 if step > 0 else -1
            w[entry + 2] = w[entry + 2] + 1 if direction == w[entry + 1] else 1
            w[entry + 1] = direction
            w[entry] = line
            if w[entry + 2] >= CONFIRMED:
                for ahead in range(1, w[row + L_DEGREE] + 1):
                    want(w, line + direction * ahead)
            return
        if w[entry + 3] < w[oldest + 3]:
            oldest = entry
    w[oldest] = line
    w[oldest + 1] = 0
    w[oldest + 2] = 0
    w[oldest + 3] = w[clock]


@jit
def recent_slot(line: int) -> int:
    """Return a line's place among the recent ones."""
    return (line ^ (line >> 8)) & (RECENT - 1)


@jit
def train_best(w: Ints, row: int, line: int) -> None:
    """Best-offset prefetcher (Michaud, HPCA 2016).

    A line counts as recent `delay` accesses after its own: that stands for the time that a fetch takes, without which
    the offset 1 would always be in time.
    """
    table = w[row + L_TABLE]
    offsets = w[table + B_OFFSETS]
    scores = table + BEST_HEADER
    recent = scores + offsets
    waiting = recent + RECENT
    listed = waiting + w[table + B_DELAY]
    test = w[table + B_TEST]
    base = line - w[listed + test]
    if base >= 0 and w[recent + recent_slot(base)] == base:
        w[scores + test] += 1
    complete = w[scores + test] >= MAX_SCORE
    test += 1
    if test == offsets:
        test = 0
        w[table + B_ROUND] += 1
        complete = complete or w[table + B_ROUND] >= MAX_ROUNDS
    w[table + B_TEST] = test
    if complete:
        best = 0
        for n in range(offsets):
            if w[scores + n] > w[scores + best]:
                best = n
        w[table + B_OFFSET] = w[listed + best] if w[scores + best] > BAD_SCORE else 0
        for n in range(offsets):
            w[scores + n] = 0
        w[table + B_TEST] = 0
        w[table + B_ROUND] = 0
    ready = line
    if w[table + B_DELAY] > 0:
        place = waiting + w[table + B_NEXT]
        ready = w[place]
        w[place] = line
        w[table + B_NEXT] = (w[table + B_NEXT] + 1) % w[table + B_DELAY]
    if ready >= 0:
        w[recent + recent_slot(ready)] = ready
    if w[table + B_OFFSET]:
        for n in range(1, w[row + L_DEGREE] + 1):
            want(w, line + n * w[table + B_OFFSET])


@jit
def train(w: Ints, row: int, line: int, trigger: bool) -> None:
    """Show an access to the level's prefetcher; `trigger`: it missed, or was the first to use a prefetched line."""
    kind = w[row + L_PREFETCH]
    w[PENDING] = 0
    if kind == STRIDE:
        train_stride(w, row)
    elif not trigger:
        return
    elif kind == NEXT_LINE:
        for n in range(1, w[row + L_DEGREE] + 1):
            want(w, line + n)
    elif kind == STREAM:
        train_stream(w, row, line)
    else:
        train_best(w, row, line)
