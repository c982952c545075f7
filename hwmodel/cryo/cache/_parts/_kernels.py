"""Parts of general caches: layout, look-up, replacement, victim caches, and the shadow that classifies misses.

Addresses count units of 16 bytes, the smallest line. A level has three words a way: its line (-1: none), its state
and what its policy keeps. `w` is one flat array, as in the plain caches, and the first words of a row are the same.
"""

from __future__ import annotations

from hwmodel.cryo.cache._kernels import L_BASE, L_MASK, L_WAYS, N_INVALIDATED, N_WRITEBACKS
from hwmodel.kernel.compiled import Ints, U, jit, random_bits

UNIT_BITS = 4

# header
H_LEVELS = 0
H_LEFT = 2  # what is given is shifted left to make a byte address
H_SPLIT = 3  # 1: there is an instruction cache, in row `INSTRUCTION`
H_MODE = 4
H_HAS_PC = 5
H_PC = 6  # of the access at hand
H_ADDRESS = 7  # and its byte address
H_TRAIN = 8  # 0: prefetchers do not look, as during a page walk
H_RECORD = 9  # 1: requests to memory are written to the outbox
H_MEMORY_READS = 10
H_MEMORY_WRITES = 11
H_MEMORY_PREFETCHES = 12
H_OUT_LINE = 13  # what a victim cache gave up
H_OUT_STATE = 14
H_PAGE_BITS = 15
H_WALK_LEVELS = 16
H_WALKS = 17
H_WALK_READS = 18
H_STACK = 19  # the steps that a request still has to take
H_DEPTH = 20
PENDING = 32  # count, then the lines that a prefetcher wants
MAX_DEGREE = 16

NINE, INCLUSIVE, EXCLUSIVE = 0, 1, 2

ROWS = 64
ROW = 64
INSTRUCTION = 4
TLBS = 5  # rows of the TLBs: data, instructions, second level; their layout is that of the plain caches
DATA = ROWS + ROW * 8

# row of a level, behind the words that plain caches have too
N_PREFETCHES = 9  # lines that its own prefetcher brought in
N_USEFUL = 10  # and that were used
N_USELESS = 11  # and that left unused
N_PREFETCH_READS = 12  # reads by prefetchers above
N_PREFETCH_MISSES = 13
N_VICTIM_HITS = 14
N_COMPULSORY = 15
N_CAPACITY = 16
N_CONFLICT = 17
N_SECTOR_MISSES = 18
N_FILLS = 19

L_LINES = 24  # sets * ways: from a line to its state, and on to what the policy keeps
L_SETS = 25  # the first word of the sets
L_SHIFT = 26  # line = unit >> shift
L_SECTOR_SHIFT = 27
L_SECTOR_MASK = 28  # sectors of a line - 1
L_NEXT = 29  # row of the level below; 0: memory
L_INDEX = 30  # levels above, the instruction cache apart
L_POLICY = 31
L_THROUGH = 32  # 1: write-through
L_ALLOCATE = 33  # 1: a write miss brings the line in
L_VICTIMS = 34  # lines of the victim cache
L_VICTIM = 35  # its first word: the lines by last use, then their states
L_PREFETCH = 36
L_DEGREE = 37
L_TABLE = 38  # the prefetcher's words
L_TABLE_SIZE = 39
L_KEY = 40  # of the level's random draws
L_DRAWS = 41
L_SELECT = 42  # DRRIP: above or at the middle, followers insert far
L_CLOCK = 43
L_SHADOW = 44  # its place in the shadow; -1: misses are not classified
L_WHOLE = 45  # 1: what it writes down fills a unit of the level below

LRU, FIFO, RANDOM, PLRU, SRRIP, BRRIP, DRRIP = 0, 1, 2, 3, 4, 5, 6
FAR = 3  # re-reference predictions have two bits
RARE = 32  # one in so many lines is inserted near by BRRIP
SELECT_MAX = 1023
SELECT_MIDDLE = 512
LEADERS = 32

# state of a way: a bit a sector
DIRTY = 16  # bits from here: dirty sectors
VALID = 0xFFFF
PREFETCHED = 1 << 32

# shadow: room for new lines, then a header and nodes for each classified level
S_ROOM = 0
S_FIRST = 8
S_MASK = 0
S_COUNT = 1
S_CAPACITY = 2
S_USED = 3
S_NEWEST = 4
S_OLDEST = 5
S_NODES = 8
NODE = 4  # line, newer node, older node, 1 while in the list


@jit
def find(w: Ints, row: int, line: int) -> int:
    """Return the place of a line, -1 if the level does not hold it."""
    base = w[U(row + L_BASE)] + (line & w[U(row + L_MASK)]) * w[U(row + L_WAYS)]
    for place in range(base, base + w[U(row + L_WAYS)]):
        if w[U(place)] == line:
            return place
    return -1


@jit
def point_away(w: Ints, row: int, place: int, line: int) -> None:
    """Tree-PLRU: let every node on the way to a place point to its other side."""
    ways = w[U(row + L_WAYS)]
    at = w[U(row + L_SETS)] + (line & w[U(row + L_MASK)])
    way = place - w[U(row + L_BASE)] - (line & w[U(row + L_MASK)]) * ways
    bits = w[U(at)]
    node = 1
    half = ways >> 1
    while half > 0:
        side = 1 if way & half else 0
        bit = 1 << (node - 1)
        bits = bits & ~bit if side else bits | bit
        node = 2 * node + side
        half >>= 1
    w[U(at)] = bits


@jit
def use(w: Ints, row: int, place: int, line: int) -> None:
    """Tell the policy that a line was hit."""
    policy = w[U(row + L_POLICY)]
    if policy == LRU:
        w[U(row + L_CLOCK)] += 1
        w[U(place + 2 * w[U(row + L_LINES)])] = w[U(row + L_CLOCK)]
    elif policy == PLRU:
        point_away(w, row, place, line)
    elif policy >= SRRIP:
        w[U(place + 2 * w[U(row + L_LINES)])] = 0


@jit
def fill(w: Ints, row: int, place: int, line: int) -> None:
    """Tell the policy that a line was brought in."""
    policy = w[U(row + L_POLICY)]
    kept = place + 2 * w[U(row + L_LINES)]
    if policy <= FIFO:
        w[U(row + L_CLOCK)] += 1
        w[U(kept)] = w[U(row + L_CLOCK)]
    elif policy == PLRU:
        point_away(w, row, place, line)
    elif policy >= SRRIP:
        rare = policy == BRRIP
        if policy == DRRIP:
            sets = w[U(row + L_MASK)] + 1
            group = max(2, sets // LEADERS)
            member = (line & w[U(row + L_MASK)]) % group
            if member == 0:
                w[U(row + L_SELECT)] = min(SELECT_MAX, w[U(row + L_SELECT)] + 1)
            elif member == group - 1:
                w[U(row + L_SELECT)] = max(0, w[U(row + L_SELECT)] - 1)
            rare = member == group - 1 or (member != 0 and w[U(row + L_SELECT)] >= SELECT_MIDDLE)
        w[U(kept)] = FAR - 1
        if rare:
            w[U(row + L_DRAWS)] += 1
            if random_bits(w[U(row + L_KEY)], w[U(row + L_DRAWS)]) % RARE != 0:
                w[U(kept)] = FAR


@jit
def choose(w: Ints, row: int, line: int) -> int:
    """Return the place for a new line: an empty one, else that of the policy's victim."""
    ways = w[U(row + L_WAYS)]
    base = w[U(row + L_BASE)] + (line & w[U(row + L_MASK)]) * ways
    for place in range(base, base + ways):
        if w[U(place)] < 0:
            return place
    policy = w[U(row + L_POLICY)]
    kept = 2 * w[U(row + L_LINES)]
    if policy == RANDOM:
        w[U(row + L_DRAWS)] += 1
        return base + random_bits(w[U(row + L_KEY)], w[U(row + L_DRAWS)]) % ways
    if policy == PLRU:
        bits = w[U(w[U(row + L_SETS)] + (line & w[U(row + L_MASK)]))]
        node = 1
        while node < ways:
            node = 2 * node + ((bits >> (node - 1)) & 1)
        return base + node - ways
    best = base
    if policy >= SRRIP:
        for place in range(base + 1, base + ways):
            if w[U(place + kept)] > w[U(best + kept)]:
                best = place
        older = FAR - w[U(best + kept)]
        for place in range(base, base + ways):
            w[U(place + kept)] += older
        return best
    for place in range(base + 1, base + ways):
        if w[U(place + kept)] < w[U(best + kept)]:
            best = place
    return best


# ------------------------------------------------------------------------------------------------ victim caches


@jit
def victim_take(w: Ints, row: int, line: int) -> int:
    """Take a line out of the victim cache; return its state, -1 if it was not there."""
    n = w[row + L_VICTIMS]
    base = w[row + L_VICTIM]
    for place in range(base, base + n):
        if w[place] == line:
            state = w[place + n]
            while place < base + n - 1:
                w[place] = w[place + 1]
                w[place + n] = w[place + n + 1]
                place += 1
            w[place] = -1
            w[place + n] = 0
            return state
    return -1


@jit
def victim_put(w: Ints, row: int, line: int, state: int) -> None:
    """Put a line into the victim cache; what leaves it goes to the header, and without one the line itself."""
    n = w[row + L_VICTIMS]
    for place in range(w[row + L_VICTIM], w[row + L_VICTIM] + n):
        other = w[place]
        other_state = w[place + n]
        w[place] = line
        w[place + n] = state
        line = other
        state = other_state
        if line < 0:
            break
    w[H_OUT_LINE] = line
    w[H_OUT_STATE] = state


@jit
def remove(w: Ints, row: int, line: int) -> int:
    """Take a line out of a level and its victim cache; return its state, 0 if it was not there."""
    place = find(w, row, line)
    if place >= 0:
        state = w[place + w[row + L_LINES]]
        w[place] = -1
        return state
    return max(0, victim_take(w, row, line))


@jit
def invalidate_above(w: Ints, row: int, line: int) -> int:
    """Take a line out of all levels above; return the bits of the dirty sectors that it gets from them."""
    dirty = 0
    upper_levels = w[row + L_INDEX]
    if upper_levels == 0:
        return 0
    first = line << w[row + L_SHIFT]
    for upper in range(upper_levels + w[H_SPLIT]):
        above = ROWS + ROW * (upper if upper < upper_levels else INSTRUCTION)
        size = 1 << w[above + L_SHIFT]
        for unit in range(first, (line + 1) << w[row + L_SHIFT], size):
            state = remove(w, above, unit >> w[above + L_SHIFT])
            if state == 0:
                continue
            w[above + N_INVALIDATED] += 1
            if state & PREFETCHED:
                w[above + N_USELESS] += 1
            for sector in range(w[above + L_SECTOR_MASK] + 1):
                if state >> (DIRTY + sector) & 1:
                    w[above + N_WRITEBACKS] += 1
                    at = unit + (sector << w[above + L_SECTOR_SHIFT])
                    dirty |= 1 << (DIRTY + ((at >> w[row + L_SECTOR_SHIFT]) & w[row + L_SECTOR_MASK]))
    return dirty


@jit
def held_above(w: Ints, row: int, line: int) -> bool:
    """Say whether a level above holds a line; for lines of one size."""
    upper_levels = w[row + L_INDEX]
    for upper in range(upper_levels + w[H_SPLIT] if upper_levels else 0):
        above = ROWS + ROW * (upper if upper < upper_levels else INSTRUCTION)
        if find(w, above, line) >= 0:
            return True
        for place in range(w[above + L_VICTIM], w[above + L_VICTIM] + w[above + L_VICTIMS]):
            if w[place] == line:
                return True
    return False


# ------------------------------------------------------------------------------------------------ classification


@jit
def shadow_find(s: Ints, at: int, line: int) -> int:
    """Return the node of a line, or the empty one where it belongs."""
    mask = s[at + S_MASK]
    # The product stays within 64 bits.
    slot = ((((line ^ (line >> 30)) & 0x3FFFFFFF) * 0x9E3779B1) >> 20) & mask
    while True:
        node = at + S_NODES + NODE * slot
        if s[node] == line or s[node] < 0:
            return node
        slot = (slot + 1) & mask


@jit
def shadow_unlink(s: Ints, at: int, node: int) -> None:
    """Take a node out of the list."""
    newer = s[node + 1]
    older = s[node + 2]
    if newer:
        s[newer + 2] = older
    else:
        s[at + S_NEWEST] = older
    if older:
        s[older + 1] = newer
    else:
        s[at + S_OLDEST] = newer
    s[node + 3] = 0
    s[at + S_USED] -= 1


@jit
def shadow_link(s: Ints, at: int, node: int) -> None:
    """Make a node the newest of the list."""
    newest = s[at + S_NEWEST]
    s[node + 1] = 0
    s[node + 2] = newest
    s[node + 3] = 1
    if newest:
        s[newest + 1] = node
    else:
        s[at + S_OLDEST] = node
    s[at + S_NEWEST] = node
    s[at + S_USED] += 1


@jit
def shadow_use(s: Ints, at: int, line: int, bring_in: int) -> int:
    """Show an access to the fully associative LRU shadow.

    Return N_CONFLICT if the shadow holds the line, N_CAPACITY if it did once, N_COMPULSORY if the line is new: what
    a miss of the real cache is then.
    """
    node = shadow_find(s, at, line)
    found = N_CONFLICT
    if s[node] < 0:
        s[node] = line
        s[at + S_COUNT] += 1
        s[S_ROOM] -= 1
        found = N_COMPULSORY
    elif s[node + 3] == 0:
        found = N_CAPACITY
    else:
        shadow_unlink(s, at, node)
        shadow_link(s, at, node)
        return found
    if bring_in:
        if s[at + S_USED] == s[at + S_CAPACITY]:
            shadow_unlink(s, at, s[at + S_OLDEST])
        shadow_link(s, at, node)
    return found


@jit
def shadow_copy(old: Ints, was: int, s: Ints, at: int) -> None:
    """Copy one level's shadow into a larger, empty one."""
    for slot in range(old[was + S_MASK] + 1):
        node = was + S_NODES + NODE * slot
        if old[node] >= 0:
            s[shadow_find(s, at, old[node])] = old[node]
    s[at + S_COUNT] = old[was + S_COUNT]
    node = old[was + S_OLDEST]
    while node:
        shadow_link(s, at, shadow_find(s, at, old[node]))
        node = old[node + 1]
