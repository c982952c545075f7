"""Cache lines, miss registers, prefetch tables and DRAM banks: the parts of which a request's way is made.

Every function takes the words `w` (see `words`), mostly with the number k of a cache level.
"""

from __future__ import annotations

from hwmodel.cryo.words._kernels import (
    B_ACTIVE,
    B_ASKED,
    B_COLUMN,
    B_EPOCH,
    B_HITS,
    B_LAST_COLUMN,
    B_LAST_ROW,
    B_PRECHARGE,
    B_ROW,
    B_WAITING,
    BANK,
    BANK_WORDS,
    D_BANKS,
    D_BURST,
    D_CL,
    D_CLOCK,
    D_CLOSES,
    D_CONTROLLER,
    D_HIGH,
    D_HOLDS,
    D_LEVELS,
    D_LOW,
    D_MAX_ROW,
    D_RAS,
    D_RCD,
    D_REFI,
    D_RFC,
    D_ROW_LINES,
    D_RP,
    D_RRD,
    D_SPREAD,
    D_TURN,
    DRAM,
    DRAMS,
    H_READY,
    H_SLOT_LAST,
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
    M_BUSY,
    M_LAST_ACTIVE,
    M_READS,
    M_ROW_HITS,
    M_WRITES,
    M_WRITES_WAITING,
    MAX_WAITING,
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
    WAITING,
    after,
    drop_user,
    ring_at,
    take_slot,
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
def dram_write(w: Ints, line: int, t: int) -> None:
    """Queue a line for writing; a full queue is drained in one go, and its bus time is booked."""
    w[DRAMS + M_WRITES] += 1
    w[DRAMS + M_WRITES_WAITING] += 1
    if w[DRAMS + M_WRITES_WAITING] >= w[DRAM + D_HIGH]:
        lines = w[DRAMS + M_WRITES_WAITING] - w[DRAM + D_LOW]
        ring = w[H_SLOT_LAST]
        burst = w[DRAM + D_BURST]
        unit = w[DRAM + D_CLOCK] if w[DRAM + D_CLOCK] > 0 else burst
        turn = (w[DRAM + D_TURN] + unit - 1) // unit
        take_slot(w, ring, t // unit, 1, lines * (burst // unit) + turn)
        w[DRAMS + M_BUSY] += lines * burst
        w[DRAMS + M_WRITES_WAITING] = w[DRAM + D_LOW]


@jit
def goes_before(w: Ints, bank: int, row: int, t: int) -> bool:
    """Say whether a read at t finds its row open still, though a read of another row was seen first.

    Row hits go first: the controller closes a row when the bank is ready for it, and what waits for the row by then
    is read before. A controller whose banks hold their access, or whose refresh closes rows, keeps the order.
    """
    if w[DRAM + D_HOLDS] or w[DRAM + D_CLOSES] or w[bank + B_ROW] < 0 or w[bank + B_LAST_ROW] != row:
        return False
    closes = w[bank + B_LAST_COLUMN] - w[DRAM + D_RP] - w[DRAM + D_RCD]
    return t <= max(w[bank + B_ASKED], closes) and w[bank + B_WAITING] <= MAX_WAITING


@jit
def put_off(w: Ints, waiting: int, count: int, unit: int, t: int) -> None:
    """Make the reads of the row that was opened wait for one that goes before them.

    The first of them has given up its slot on the data bus: each takes the next one's, and the last a new one. Their
    lines are on their way into the caches already, and arrive later by as much, as do the releases of miss registers.
    """
    for n in range(count):
        slot = waiting + 2 * n + 1
        if n + 1 < count:
            later = w[slot + 2]
        else:
            later = take_slot(w, w[H_SLOT_LAST], w[slot] + 1, 1, 1)
        delay = (later - w[slot]) * unit
        w[slot] = later
        for k in range(w[DRAM + D_LEVELS]):
            place = find(w, k, w[slot - 1])
            if place >= 0 and w[w[H_READY] + place] > t:
                if n == 0:
                    for register in range(MSHR + k * 64, MSHR + k * 64 + w[LEVEL + k * 32 + L_MSHRS]):
                        if w[register] >= w[w[H_READY] + place]:
                            w[register] += delay
                w[w[H_READY] + place] += delay


@jit
def dram_read(w: Ints, line: int, t: int) -> int:
    """Return when a line read at time t leaves the memory controller."""
    row_lines = w[DRAM + D_ROW_LINES]
    banks = w[DRAM + D_BANKS]
    row = line // (row_lines * banks)
    if w[DRAM + D_SPREAD]:
        number = line
        rest = row
        while rest > 0:
            number ^= rest
            rest //= banks
        number %= banks
    else:
        number = (line // row_lines) % banks
    bank = BANK + number * BANK_WORDS
    clock = w[DRAM + D_CLOCK]
    if clock > 0:
        t = (t + clock - 1) // clock * clock
    if w[DRAM + D_REFI] > 0:
        if w[DRAM + D_CLOSES] and w[bank + B_EPOCH] != t // w[DRAM + D_REFI]:
            w[bank + B_EPOCH] = t // w[DRAM + D_REFI]
            w[bank + B_ROW] = -1
        phase = t % w[DRAM + D_REFI]
        if phase < w[DRAM + D_RFC] and t >= w[DRAM + D_REFI]:
            t += w[DRAM + D_RFC] - phase
    if w[DRAM + D_HOLDS]:
        t = max(t, w[bank + B_COLUMN])
    before = False
    if w[bank + B_ROW] == row:
        column = max(t, w[bank + B_COLUMN])
        w[DRAMS + M_ROW_HITS] += 1
    elif goes_before(w, bank, row, t):
        column = max(t, w[bank + B_LAST_COLUMN])
        w[DRAMS + M_ROW_HITS] += 1
        before = True
    else:
        active = t
        if w[bank + B_ROW] >= 0:
            w[bank + B_LAST_ROW] = w[bank + B_ROW]
            w[bank + B_LAST_COLUMN] = w[bank + B_COLUMN]
            w[bank + B_ASKED] = t
        if w[bank + B_ROW] >= 0:
            active = max(active, w[bank + B_PRECHARGE]) + w[DRAM + D_RP]
        active = max(active, w[bank + B_ACTIVE])
        if 0 <= active - w[DRAMS + M_LAST_ACTIVE] < w[DRAM + D_RRD]:
            active = w[DRAMS + M_LAST_ACTIVE] + w[DRAM + D_RRD]
        w[DRAMS + M_LAST_ACTIVE] = max(active, w[DRAMS + M_LAST_ACTIVE])
        column = active + w[DRAM + D_RCD]
        w[bank + B_ROW] = row
        w[bank + B_PRECHARGE] = active + w[DRAM + D_RAS]
        w[bank + B_HITS] = 0
        w[bank + B_WAITING] = 0
    burst = w[DRAM + D_BURST]
    ring = w[H_SLOT_LAST]
    # The data bus is booked in bursts, or in clocks where there is one; a request begins at the first free one after
    # its column access.
    unit = clock if clock > 0 else burst
    first = (column + w[DRAM + D_CL] + unit - 1) // unit
    count = w[bank + B_WAITING]
    waiting = WAITING + number * MAX_WAITING * 2
    if before and clock == 0:
        drop_user(w, ring_at(w, ring), w[waiting + 1])
    slot = take_slot(w, ring, first, 1, burst // unit)
    data = max(slot * unit, column + w[DRAM + D_CL])
    w[DRAMS + M_READS] += 1
    w[DRAMS + M_BUSY] += burst
    if before:
        # The row that was opened in its place comes later by a burst.
        w[bank + B_LAST_COLUMN] = column + burst
        w[bank + B_PRECHARGE] += burst
        w[bank + B_COLUMN] += burst
        if clock == 0:
            put_off(w, waiting, count, unit, t)
        return data + burst + w[DRAM + D_CONTROLLER]
    if count < MAX_WAITING:
        w[waiting + 2 * count] = line
        w[waiting + 2 * count + 1] = slot
    w[bank + B_WAITING] = count + 1
    w[bank + B_COLUMN] = data + burst if w[DRAM + D_HOLDS] else column + burst
    w[bank + B_HITS] += 1
    w[bank + B_PRECHARGE] = max(w[bank + B_PRECHARGE], column + burst)  # a row is not closed under a read
    if w[DRAM + D_MAX_ROW] > 0 and w[bank + B_HITS] >= w[DRAM + D_MAX_ROW]:
        w[bank + B_ROW] = -1
        w[bank + B_ACTIVE] = max(w[bank + B_PRECHARGE], column + burst) + w[DRAM + D_RP]
    return data + burst + w[DRAM + D_CONTROLLER]


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
