"""Cache lines, miss registers and prefetch tables: the parts of which a request's way is made.

Every function takes the words `w` (see `words`), mostly with the number k of a cache level.
"""

from __future__ import annotations

from hwmodel.cryo.words._kernels import (
    H_READY,
    H_STRIDE,
    L_BASE,
    L_DEGREE,
    L_DEN,
    L_MSHRS,
    L_NUM,
    L_POLICY,
    L_PREFETCH,
    L_SETS,
    L_WAYS,
    LEVEL,
    LINE_BITS,
    MSHR,
    P_LEVEL,
    P_LEVELS,
    P_NEXT,
    PAGE_BITS,
    PENDING,
    POLICY_LRU,
    POLICY_RANDOM,
    PREFETCH_NEXT,
    PREFETCH_QUEUE,
    Q_COUNT,
    Q_ENTRIES,
    Q_FIRST,
    Q_LINE,
    Q_LINES,
    Q_PC,
    Q_TIME,
    QUEUE_WORDS,
    QUEUES,
    S_RANDOM,
    STATE,
    STRIDE_ENTRIES,
    STRIDE_SETS,
    STRIDE_WAYS,
    STRIDE_WORDS,
    after,
)
from hwmodel.kernel.compiled import Ints, inlined, jit


@jit
def find(w: Ints, k: int, line: int) -> int:
    """Return the place of a line in level k, or -1."""
    sets = w[LEVEL + k * 32 + L_SETS]
    ways = w[LEVEL + k * 32 + L_WAYS]
    first = w[LEVEL + k * 32 + L_BASE] + (line & (sets - 1)) * ways
    for place in range(first, first + ways):
        if w[place] >> 3 == line:
            return place
    return -1


@jit
def promote(w: Ints, k: int, line: int, place: int) -> int:
    """Make a line the most recently used of its set; return its new place."""
    if w[LEVEL + k * 32 + L_POLICY] != POLICY_LRU:
        return place
    ways = w[LEVEL + k * 32 + L_WAYS]
    first = w[LEVEL + k * 32 + L_BASE] + (line & (w[LEVEL + k * 32 + L_SETS] - 1)) * ways
    word = w[place]
    time = w[w[H_READY] + place]
    while place > first:
        w[place] = w[place - 1]
        w[w[H_READY] + place] = w[w[H_READY] + place - 1]
        place -= 1
    w[first] = word
    w[w[H_READY] + first] = time
    return first


@jit
def insert(w: Ints, k: int, line: int, flags: int, time: int) -> int:
    """Put a line in front of its set in level k; return the line (with flags) that left, or -1."""
    ways = w[LEVEL + k * 32 + L_WAYS]
    first = w[LEVEL + k * 32 + L_BASE] + (line & (w[LEVEL + k * 32 + L_SETS] - 1)) * ways
    last = first + ways - 1
    victim = last
    if w[LEVEL + k * 32 + L_POLICY] == POLICY_RANDOM and w[last] >= 0:
        # xorshift: state of the level, so that the same trace meets the same victims
        x = w[STATE + k * 8 + S_RANDOM]
        x ^= (x << 13) & 0x7FFFFFFFFFFFFFFF
        x ^= x >> 7
        x ^= (x << 17) & 0x7FFFFFFFFFFFFFFF
        w[STATE + k * 8 + S_RANDOM] = x
        victim = first + (x >> 11) % ways
    out = w[victim]
    place = victim
    while place > first:
        w[place] = w[place - 1]
        w[w[H_READY] + place] = w[w[H_READY] + place - 1]
        place -= 1
    w[first] = line << 3 | flags
    w[w[H_READY] + first] = time
    return out


@jit
def drop(w: Ints, k: int, line: int) -> int:
    """Remove a line from level k; return its word, or -1 if it was not there."""
    place = find(w, k, line)
    if place < 0:
        return -1
    ways = w[LEVEL + k * 32 + L_WAYS]
    last = w[LEVEL + k * 32 + L_BASE] + (line & (w[LEVEL + k * 32 + L_SETS] - 1)) * ways + ways - 1
    word = w[place]
    while place < last:
        w[place] = w[place + 1]
        w[w[H_READY] + place] = w[w[H_READY] + place + 1]
        place += 1
    w[last] = -1
    return word


@jit
def take_mshr(w: Ints, k: int, t: int, until: int) -> int:
    """Hold a miss register of level k from t (or from when one is free) until `until`; return when it began.

    The registers' times of release are kept in ascending order, so that the first is the next to be free.
    """
    first = MSHR + k * 64
    begin = max(t, w[first])
    until = max(until, begin)
    last = first + w[LEVEL + k * 32 + L_MSHRS] - 1
    place = first
    while place < last and w[place + 1] < until:
        w[place] = w[place + 1]
        place += 1
    w[place] = until
    return begin


@jit
def first_free(w: Ints, k: int, spare: int) -> int:
    """Return when a miss register of level k is free and `spare` others with it, or all that there are."""
    return w[MSHR + k * 64 + min(spare, w[LEVEL + k * 32 + L_MSHRS] - 1)]


@jit
def propose(w: Ints, k: int, line: int, t: int, pc: int) -> None:
    """Put a prefetch that level k thinks of at time t behind those that wait, unless the line is among them.

    A level has a queue of `PREFETCH_QUEUE`; where it is full the oldest is forgotten.
    """
    queue = QUEUES + k * QUEUE_WORDS
    count = w[queue + Q_COUNT]
    bit = 1 << (line & 31)
    if w[queue + Q_LINES] & bit:
        for n in range(count):
            if w[waiting(w, k, n) + Q_LINE] == line:
                return
    if count == PREFETCH_QUEUE:
        forget(w, k)
        count -= 1
    t = after(t, 1, w[LEVEL + k * 32 + L_NUM], w[LEVEL + k * 32 + L_DEN])
    if count == 0:
        w[queue + Q_LINES] = 0
        if w[PENDING + P_LEVELS] == 0 or t < w[PENDING + P_NEXT]:
            w[PENDING + P_NEXT] = t  # behind others of its level it cannot be the next
        w[PENDING + P_LEVEL + w[PENDING + P_LEVELS]] = k
        w[PENDING + P_LEVELS] += 1
    entry = waiting(w, k, count)
    w[entry + Q_LINE] = line
    w[entry + Q_TIME] = t
    w[entry + Q_PC] = pc
    w[queue + Q_LINES] |= bit
    w[queue + Q_COUNT] = count + 1


@inlined
def waiting(w: Ints, k: int, n: int) -> int:
    """Return where the n-th prefetch of level k that waits is written."""
    queue = QUEUES + k * QUEUE_WORDS
    return queue + Q_ENTRIES + ((w[queue + Q_FIRST] + n) & (PREFETCH_QUEUE - 1)) * 3


@jit
def forget(w: Ints, k: int) -> None:
    """Take the first prefetch off the queue of level k."""
    queue = QUEUES + k * QUEUE_WORDS
    w[queue + Q_FIRST] = (w[queue + Q_FIRST] + 1) & (PREFETCH_QUEUE - 1)
    w[queue + Q_COUNT] -= 1
    if w[queue + Q_COUNT] == 0:
        w[PENDING + P_LEVELS] -= 1
        last = PENDING + P_LEVEL + w[PENDING + P_LEVELS]
        place = PENDING + P_LEVEL
        while w[place] != k:
            place += 1
        w[place] = w[last]


@jit
def withdraw(w: Ints, k: int, line: int) -> None:
    """Take a line that was asked for off the queue of level k: no prefetch of it is needed any more."""
    queue = QUEUES + k * QUEUE_WORDS
    if w[queue + Q_LINES] & (1 << (line & 31)) == 0:
        return
    for n in range(w[queue + Q_COUNT]):
        if w[waiting(w, k, n) + Q_LINE] == line:
            for m in range(n, 0, -1):
                to = waiting(w, k, m)
                at = waiting(w, k, m - 1)
                w[to + Q_LINE] = w[at + Q_LINE]
                w[to + Q_TIME] = w[at + Q_TIME]
                w[to + Q_PC] = w[at + Q_PC]
            forget(w, k)
            return


@jit
def train(w: Ints, k: int, pc: int, address: int, t: int) -> None:
    """Show a miss to the prefetcher of level k.

    The stride prefetcher is the reference-prediction table of gem5's `StridePrefetcher`: 64 entries in 4 ways by
    program counter, a 3-bit confidence that starts at 4 and prefetches from 4 on, a new stride learnt below that. All
    that ask a level, cores and prefetchers above it, share its table, as they do there.
    """
    kind = w[LEVEL + k * 32 + L_PREFETCH]
    degree = w[LEVEL + k * 32 + L_DEGREE]
    withdraw(w, k, address >> LINE_BITS)
    if kind == PREFETCH_NEXT:
        for d in range(1, degree + 1):
            propose(w, k, (address >> LINE_BITS) + d, t, pc)
        return
    table = w[H_STRIDE] + k * STRIDE_WORDS
    hashed = pc >> 1
    first = ((hashed ^ (hashed >> 4)) & (STRIDE_SETS - 1)) * STRIDE_WAYS
    oldest = first
    w[table + STRIDE_ENTRIES * 5 + 0] += 1
    now = w[table + STRIDE_ENTRIES * 5 + 0]
    for e in range(first, first + STRIDE_WAYS):
        if w[table + e * 5 + 0] == pc:
            step = address - w[table + e * 5 + 1]
            confidence = w[table + e * 5 + 3]
            if step == w[table + e * 5 + 2] and step != 0:
                confidence = min(7, confidence + 1)
            else:
                confidence = max(0, confidence - 1)
                if confidence < 4:
                    w[table + e * 5 + 2] = step
            w[table + e * 5 + 1] = address
            w[table + e * 5 + 3] = confidence
            w[table + e * 5 + 4] = now
            if confidence < 4:
                return
            if -64 < step < 64:
                step = -64 if step < 0 else 64
            for d in range(1, degree + 1):
                target = address + d * step
                if target >> PAGE_BITS == address >> PAGE_BITS:
                    propose(w, k, target >> LINE_BITS, t, pc)
            return
        if w[table + e * 5 + 4] < w[table + oldest * 5 + 4]:
            oldest = e
    w[table + oldest * 5 + 0] = pc
    w[table + oldest * 5 + 1] = address
    w[table + oldest * 5 + 2] = 0
    w[table + oldest * 5 + 3] = 4
    w[table + oldest * 5 + 4] = now
