"""General caches: the way of a request through the levels, page walks, and the loop over accesses."""

from __future__ import annotations

from hwmodel.cryo.cache._direct import (
    LINE,
    PREFETCH,
    READ,
    WRITE,
    hit_here,
    is_direct,
    is_simple,
    memory,
    miss,
)
from hwmodel.cryo.cache._kernels import (
    FETCH,
    HIT,
    L_BASE,
    L_WAYS,
    N_READ_MISSES,
    N_READS,
    N_WRITEBACKS,
    Bytes,
    touch,
)
from hwmodel.cryo.cache._parts import (
    DIRTY,
    EXCLUSIVE,
    H_ADDRESS,
    H_DEPTH,
    H_HAS_PC,
    H_LEFT,
    H_MODE,
    H_OUT_LINE,
    H_OUT_STATE,
    H_PAGE_BITS,
    H_PC,
    H_RECORD,
    H_SPLIT,
    H_STACK,
    H_TRAIN,
    H_WALK_LEVELS,
    H_WALK_READS,
    H_WALKS,
    INCLUSIVE,
    INSTRUCTION,
    L_ALLOCATE,
    L_INDEX,
    L_LINES,
    L_NEXT,
    L_POLICY,
    L_PREFETCH,
    L_SECTOR_MASK,
    L_SECTOR_SHIFT,
    L_SHADOW,
    L_SHIFT,
    L_THROUGH,
    L_VICTIM,
    L_VICTIMS,
    L_WHOLE,
    LRU,
    N_FILLS,
    N_PREFETCH_MISSES,
    N_PREFETCH_READS,
    N_PREFETCHES,
    N_SECTOR_MISSES,
    N_USEFUL,
    N_USELESS,
    N_VICTIM_HITS,
    PENDING,
    PREFETCHED,
    ROW,
    ROWS,
    S_ROOM,
    TLBS,
    UNIT_BITS,
    VALID,
    choose,
    fill,
    find,
    held_above,
    invalidate_above,
    shadow_use,
    use,
    victim_put,
    victim_take,
)
from hwmodel.cryo.cache._prefetch import train
from hwmodel.kernel.compiled import Ints, jit

# further requests from level to level
OWN = 5  # a read for the level's own prefetcher
PUT = 6  # exclusive: a victim from above
FILL = 7  # a step: what was fetched is here
TRAIN = 8  # a step: show the access to the prefetcher

FRAME = (
    6  # words of a step on the stack: row, kind, unit, bits, the step that waits, and the answer to this one
)
STACK_STEPS = 1024  # four levels push 35 steps each, and those of their prefetchers as many

MOST = (1 << 60) - 1  # the largest unit
TABLE = 0x78  # top byte of the page table's addresses, in steps of one a level
TABLE_BITS = 9  # of a page number that a level of the table translates
RESERVE = 256  # new lines, or requests to memory, that one access can cause


@jit
def count(w: Ints, s: Ints, row: int, kind: int, line: int, hit: bool) -> None:
    """Count a request of a level, and classify its miss."""
    if kind == PREFETCH:
        w[row + N_PREFETCH_READS] += 1
        if not hit:
            w[row + N_PREFETCH_MISSES] += 1
    elif kind <= LINE:
        wrote = kind & 1
        w[row + N_READS + 2 * wrote] += 1
        if not hit:
            w[row + N_READ_MISSES + 2 * wrote] += 1
        if w[row + L_SHADOW] >= 0:
            found = shadow_use(s, w[row + L_SHADOW], line, wrote == 0 or w[row + L_ALLOCATE])
            if not hit:
                w[row + found] += 1


@jit
def swap_in(w: Ints, row: int, line: int) -> int:
    """Bring a line back from the victim cache, whose place a line of the set takes; return where it is, or -1."""
    if w[row + L_VICTIMS] == 0:
        return -1
    state = victim_take(w, row, line)
    if state < 0:
        return -1
    place = choose(w, row, line)
    if w[place] >= 0:
        victim_put(w, row, w[place], w[place + w[row + L_LINES]])
    w[place] = line
    w[place + w[row + L_LINES]] = state
    fill(w, row, place, line)
    return place


@jit
def push(w: Ints, row: int, kind: int, unit: int, bits: int, to: int) -> int:
    """Put a step on the stack; return where it is."""
    at = w[H_STACK] + FRAME * w[H_DEPTH]
    w[H_DEPTH] += 1
    w[at] = row
    w[at + 1] = kind
    w[at + 2] = unit
    w[at + 3] = bits
    w[at + 4] = to
    w[at + 5] = 0
    return at


@jit
def push_write(w: Ints, row: int, kind: int, unit: int) -> None:
    """Let a level write down; what it holds in whole fills a unit below only if that is no larger."""
    push(w, w[row + L_NEXT], kind if w[row + L_WHOLE] else WRITE, unit, 0, 0)


@jit
def is_there(w: Ints, row: int, line: int) -> bool:
    """Say whether a line that a prefetcher wants, and its level lacks, is in the victim cache or (exclusive) above."""
    for at in range(w[row + L_VICTIM], w[row + L_VICTIM] + w[row + L_VICTIMS]):
        if w[at] == line:
            return True
    return w[H_MODE] == EXCLUSIVE and held_above(w, row, line)


@jit
def bring_in(w: Ints, row: int, kind: int, unit: int, state: int) -> None:
    """Put a line, or sector, into a level, and let what it drives out be written down."""
    line = unit >> w[row + L_SHIFT]
    if kind == OWN:
        state |= PREFETCHED
        w[row + N_PREFETCHES] += 1
    if kind in (WRITE, LINE):
        if w[row + L_THROUGH]:
            push_write(w, row, kind, unit)
        else:
            state |= (state & VALID) << DIRTY
    w[row + N_FILLS] += 1
    # Only now is the place chosen: the fetch may have made room here.
    place = find(w, row, line)
    if place >= 0:
        w[row + N_SECTOR_MISSES] += 1
        w[place + w[row + L_LINES]] |= state
        use(w, row, place, line)
        return
    place = choose(w, row, line)
    gone = w[place]
    gone_state = w[place + w[row + L_LINES]]
    w[place] = line
    w[place + w[row + L_LINES]] = state
    fill(w, row, place, line)
    if gone < 0:
        return
    victim_put(w, row, gone, gone_state)
    gone = w[H_OUT_LINE]
    gone_state = w[H_OUT_STATE]
    if gone < 0:
        return
    if gone_state & PREFETCHED:
        w[row + N_USELESS] += 1
        gone_state &= ~PREFETCHED
    if w[H_MODE] == INCLUSIVE:
        gone_state |= invalidate_above(w, row, gone)
    dirty = (gone_state >> DIRTY) & VALID
    first = gone << w[row + L_SHIFT]
    if w[H_MODE] == EXCLUSIVE and w[row + L_NEXT] != 0:
        w[row + N_WRITEBACKS] += dirty
        push(w, w[row + L_NEXT], PUT, first, gone_state, 0)
        return
    for n in range(w[row + L_SECTOR_MASK] + 1):
        # The stack gives them back in the order of addresses.
        sector = w[row + L_SECTOR_MASK] - n
        if dirty >> sector & 1:
            w[row + N_WRITEBACKS] += 1
            push_write(w, row, LINE, first + (sector << w[row + L_SECTOR_SHIFT]))


@jit
def ask(w: Ints, s: Ints, row: int, kind: int, unit: int, bits: int, to: int) -> None:
    """Begin a request at a level. `bits` is the state that a PUT brings, `to` the step that waits for the answer."""
    line = unit >> w[row + L_SHIFT]
    sector = 1 << ((unit >> w[row + L_SECTOR_SHIFT]) & w[row + L_SECTOR_MASK])
    reading = kind in (READ, PREFETCH)
    writing = kind in (WRITE, LINE)
    taking = reading and w[H_MODE] == EXCLUSIVE and w[row + L_INDEX] > 0
    place = find(w, row, line)
    if place < 0 and kind != OWN:
        place = swap_in(w, row, line)
        if place >= 0 and kind != PUT:
            w[row + N_VICTIM_HITS] += 1
    state = 0
    if place >= 0:
        state = w[place + w[row + L_LINES]]
    hit = state & sector != 0
    if kind == OWN and (hit or is_there(w, row, line)):
        return
    first_use = hit and state & PREFETCHED != 0 and (kind in (READ, WRITE))
    count(w, s, row, kind, line, hit)
    # What is pushed first is done last.
    if w[row + L_PREFETCH] and w[H_TRAIN] and (kind in (READ, WRITE)):
        push(w, row, TRAIN, unit, 1 if first_use or not hit else 0, 0)
    if hit:
        if first_use:
            w[row + N_USEFUL] += 1
            state &= ~PREFETCHED
        if taking:
            w[place] = -1
            w[to + 5] = (state >> DIRTY) & 1
        else:
            use(w, row, place, line)
        if kind == PUT:
            state |= bits
        if writing and w[row + L_THROUGH]:
            push_write(w, row, kind, unit)
        elif writing:
            state |= sector << DIRTY
        w[place + w[row + L_LINES]] = state
    elif writing and w[row + L_ALLOCATE] == 0:
        push_write(w, row, kind, unit)
    elif taking:
        push(w, w[row + L_NEXT], kind, unit, 0, to)
    elif kind == PUT:
        bring_in(w, row, kind, unit, bits)
    elif kind == LINE:
        bring_in(w, row, kind, unit, sector)
    else:
        waiting = push(w, row, FILL, unit, kind, 0)
        push(w, w[row + L_NEXT], PREFETCH if kind in (PREFETCH, OWN) else READ, unit, 0, waiting)


@jit
def request(w: Ints, s: Ints, out: Ints, row: int, kind: int, unit: int) -> None:
    """Serve a request at a level and all below.

    The steps lie on a stack in `w`: numba can keep no recursive function in its cache.
    """
    push(w, row, kind, unit, 0, w[H_STACK])
    while w[H_DEPTH] > 0:
        w[H_DEPTH] -= 1
        at = w[H_STACK] + FRAME * w[H_DEPTH]
        row = w[at]
        kind = w[at + 1]
        unit = w[at + 2]
        if row == 0:
            memory(w, out, kind, unit)
        elif kind == FILL:
            # The answer says whether the line came dirty, as it may in exclusive levels.
            sector = 1 << ((unit >> w[row + L_SECTOR_SHIFT]) & w[row + L_SECTOR_MASK])
            bring_in(w, row, w[at + 3], unit, sector | (w[at + 5] << DIRTY))
        elif kind == TRAIN:
            train(w, row, unit >> w[row + L_SHIFT], w[at + 3] != 0)
            for n in range(w[PENDING]):
                push(w, row, OWN, w[PENDING + w[PENDING] - n] << w[row + L_SHIFT], 0, 0)
        else:
            ask(w, s, row, kind, unit, w[at + 3], w[at + 4])


@jit
def translate(w: Ints, s: Ints, out: Ints, first: int, address: int) -> None:
    """Look a page up, and walk the table for it if no TLB knows it.

    The entries of each level of the table lie in one array, in the order of the pages, eight bytes each: entries that
    share a line in a real table do so here.
    """
    page = address >> w[H_PAGE_BITS] & MOST >> (w[H_PAGE_BITS] - UNIT_BITS)
    row = ROWS + ROW * first
    w[row + N_READS] += 1
    if touch(w, row, page, 0) == HIT:
        return
    w[row + N_READ_MISSES] += 1
    row = ROWS + ROW * (TLBS + 2)
    if w[row + L_WAYS] > 0:
        w[row + N_READS] += 1
        if touch(w, row, page, 0) == HIT:
            return
        w[row + N_READ_MISSES] += 1
    w[H_WALKS] += 1
    w[H_TRAIN] = 0
    for n in range(w[H_WALK_LEVELS]):
        level = w[H_WALK_LEVELS] - 1 - n
        entry = (page >> (TABLE_BITS * level)) * 8
        w[H_WALK_READS] += 1
        request(w, s, out, ROWS, READ, ((TABLE + level) << (56 - UNIT_BITS)) + (entry >> UNIT_BITS))
    w[H_TRAIN] = 1


@jit
def run(w: Ints, s: Ints, out: Ints, addresses: Ints, kinds: Bytes, pcs: Ints, begin: int) -> int:
    """Serve accesses from `begin` on; return where it stopped: at the end, or before shadow or outbox overflow."""
    direct = is_direct(w)
    simple = is_simple(w, ROWS), w[H_SPLIT] != 0 and is_simple(w, ROWS + ROW * INSTRUCTION)
    for i in range(begin, len(addresses)):
        if s[S_ROOM] < RESERVE or (w[H_RECORD] and len(out) - 1 - 2 * out[0] < 2 * RESERVE):
            return i
        # An address is kept in 64 bits as it came; its sign is cut off where it becomes units.
        address = addresses[i] << w[H_LEFT]
        kind = kinds[i]
        fetching = kind == FETCH
        w[H_ADDRESS] = address
        if w[H_HAS_PC]:
            w[H_PC] = pcs[i]
        tlb = TLBS + 1 if fetching and w[ROWS + ROW * (TLBS + 1) + L_WAYS] > 0 else TLBS
        if w[ROWS + ROW * tlb + L_WAYS] > 0:
            translate(w, s, out, tlb, address)
        row = ROWS + ROW * INSTRUCTION if fetching and w[H_SPLIT] else ROWS
        wrote = 1 if kind == WRITE else 0
        unit = address >> UNIT_BITS & MOST
        if simple[1 if row != ROWS else 0] and hit_here(w, row, unit, wrote):
            continue
        if direct:
            miss(w, out, row, unit, wrote)
            continue
        request(w, s, out, row, WRITE if kind == WRITE else READ, unit)
    return len(addresses)


@jit
def replay(w: Ints, s: Ints, out: Ints, kinds: Ints, units: Ints, begin: int) -> int:
    """Serve requests that a level above recorded; as `run` does."""
    for i in range(begin, len(units)):
        if s[S_ROOM] < RESERVE or (w[H_RECORD] and len(out) - 1 - 2 * out[0] < 2 * RESERVE):
            return i
        request(w, s, out, ROWS, kinds[i], units[i])
    return len(units)


@jit
def newest(w: Ints, row: int, index: int) -> int:
    """Return the place of the line of a set that LRU used last; without LRU that of any line."""
    best = w[row + L_BASE] + index * w[row + L_WAYS]
    kept = 2 * w[row + L_LINES]
    for place in range(best + 1, best + w[row + L_WAYS]):
        if w[place] >= 0 and (w[best] < 0 or (w[row + L_POLICY] == LRU and w[place + kept] > w[best + kept])):
            best = place
    return best


@jit
def flush(w: Ints, s: Ints, out: Ints, row: int) -> None:
    """Write all dirty lines of a level down and leave it, and its victim cache, empty."""
    lines = w[row + L_LINES]
    below = w[row + L_NEXT]
    kind = LINE if w[row + L_WHOLE] else WRITE
    victims = w[row + L_VICTIMS]
    for n in range(lines + victims):
        place = newest(w, row, n // w[row + L_WAYS]) if n < lines else w[row + L_VICTIM] + n - lines
        at = place + (lines if n < lines else victims)
        line = w[place]
        state = w[at]
        w[place] = -1
        w[at] = 0
        if line < 0:
            continue
        if state & PREFETCHED:
            w[row + N_USELESS] += 1
        for sector in range(w[row + L_SECTOR_MASK] + 1):
            if state >> (DIRTY + sector) & 1:
                w[row + N_WRITEBACKS] += 1
                unit = (line << w[row + L_SHIFT]) + (sector << w[row + L_SECTOR_SHIFT])
                if w[H_MODE] == EXCLUSIVE:
                    memory(w, out, LINE, unit)
                else:
                    request(w, s, out, below, kind, unit)
