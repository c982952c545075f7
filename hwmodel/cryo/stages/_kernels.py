"""Parts of the in-order core: where its words lie, its functional units, its fetch, and its way to the data cache.

What holds of a cycle and what of a time is told apart by name: `cycle`, `ready`, `answer` and the like count cycles of
the core's clock, `time` is femtoseconds.
"""

from __future__ import annotations

from hwmodel.cryo.branch._kernels import B_BTB_MASK, B_SHIFT, SHAPE
from hwmodel.cryo.core._kernels import CORE_END
from hwmodel.cryo.lines._kernels import find
from hwmodel.cryo.shared._kernels import access
from hwmodel.cryo.shared._kernels import send as send_alone
from hwmodel.cryo.tlb._kernels import translate
from hwmodel.cryo.words._kernels import (
    FETCH,
    H_BTB,
    H_READY,
    H_SHARED,
    K_ON,
    L_DEN,
    L_INTERVAL,
    L_NUM,
    L_REST,
    L_TAG,
    LEVEL,
    LINE_BITS,
    PAGE_BITS,
    PATH,
    PREFETCHED,
    READ,
    S_BLOCK_FROM,
    S_BLOCK_TO,
    SHARED,
    STATE,
    TLB_DATA,
    TLB_FETCH,
    WALK,
    WRITE,
    after,
    edge,
    physical,
    time_of,
)
from hwmodel.kernel.compiled import Ints, behind, inlined, jit

# ------------------------------------------------------------------------------------------------- parameters
I_NUM = 0  # period of the core's clock: num / den femtoseconds
I_DEN = 1
I_FETCH = 2  # widths, instructions a cycle
I_DECODE = 3
I_ISSUE = 4
I_COMMIT = 5
I_MEMORY = 6  # memory operations issued, and committed, a cycle
I_FETCH_DECODE = 7  # cycles between stages
I_DECODE_ISSUE = 8
I_REDIRECT = 9  # from the commit of a mispredicted branch to the next fetch
I_DECODE_BUFFER = 10  # groups of instructions in front of decode
I_ISSUE_BUFFER = 11  # and in front of execute
I_LINE_SHIFT = 12  # bytes of a fetched line, as a shift
I_ACCESSES = 13  # accesses that may be in the memory system
I_STORES = 14  # entries of the store buffer
I_TRANSFERS = 15  # memory operations between the request queue and their commit

CLASS_LOAD = 12  # rows of units beyond the operation classes
CLASS_STORE = 13
CLASSES = 14
K_LATENCY = 0  # columns of a row
K_INTERVAL = 1
K_FIRST = 2  # first unit that takes the class
K_COUNT = 3
K_EARLY = 4  # cycles that an operand may still be away when the instruction enters
K_ASSUMED = 5  # cycles beyond the latency until a result counts as there
K_SIMPLE = 6  # 1: the class's units hold one instruction, for a cycle at least

# ---------------------------------------------------------------------------------------------- running state
R_LINE = 0  # line in the fetch buffer, -1: none
R_LINE_READY = 1  # cycle from which it may be cut up
R_ASK = 2  # cycle in which the next line may be asked for, if R_AWAY
R_AWAY = 3  # 1: the next instruction does not follow on the last
R_FETCH = 4  # cycle of the last group of the second fetch stage, its instructions, its number
R_FETCHED = 5
R_FETCH_GROUP = 6
R_DECODE = 7
R_DECODED = 8
R_DECODE_GROUP = 9
R_ISSUE = 10  # last cycle of issue, instructions in it, memory operations among them
R_ISSUED = 11
R_ISSUED_MEMORY = 12
R_COMMIT = 13
R_COMMITTED = 14
R_COMMITTED_MEMORY = 15
R_LEFT = 16  # cycle in which the last memory operation left the request queue
R_BARRIER = 17  # no memory operation leaves its unit before this cycle
R_FRONT = 18  # why the front end is late, CPI_*
R_OPEN = (
    19  # a branch waits for its target, which is where the next instruction lies: its kind, then its facts
)
R_OPEN_PC = 20
R_OPEN_SIZE = 21
R_OPEN_TAKEN = 22
R_OPEN_COMMIT = 23
R_STORE_COMMIT = 24  # from when a load sees the last store in the store buffer
R_STORES = 25  # stores that entered the store buffer, and those that left it for the cache
R_SENT = 26
R_OPERATIONS = 27  # memory operations
R_ACCESSES = 28  # place in the ring of accesses that the next one takes
R_PAGE = 29  # page of the last fetch, and the physical address of its beginning
R_FRAME = 30
R_FILLED = 31  # last cycle whose last commit was that of a memory operation
R_INSIDE = 38  # what the last memory operation waited for, as in `SETTLED`
R_INSTRUCTIONS = 32
R_ANSWERED = 33  # last answer of the cache to a store
R_BRANCHES = 34
R_MISPREDICTED = 35
R_FORWARDED = 36
R_LINES = 37
R_COLUMNS = 40

RING = 64  # entries of every ring; no structure may be larger
MAX_UNITS = 38  # 24, and one for each class of which nothing is said
MAX_LATENCY = 254  # of a unit: its ring holds as many instructions
PIPE_RING = 256

PARAMETERS = CORE_END
CLASS = PARAMETERS + 32
RUN = CLASS + CLASSES * 8
STACK = RUN + 64
RESULT = STACK + 16  # cycle in which a register's value is due
# Twice the cycle in which its writer committed, and one more if no other commit of that cycle could follow.
SETTLED = RESULT + 128
DECODE_POP = SETTLED + 128  # cycle in which decode is done with a group of fetch, by the group's number
ISSUE_POP = DECODE_POP + RING  # and in which issue is done with a group of decode
MEMORY_COMMIT = ISSUE_POP + RING  # commits of the last memory operations
BUSY = MEMORY_COMMIT + RING  # cycles in which the accesses in the memory system end
STORE = BUSY + RING  # stores from commit to the answer of the cache
PIPE = STORE + RING * 8
PIPE_WORDS = 8 + 2 * PIPE_RING
INORDER_END = PIPE + MAX_UNITS * PIPE_WORDS

# columns of a store
W_ADDRESS = 0
W_END = 1
W_COMMIT = 2
W_ANSWER = 3  # cycle of the cache's answer, NEVER before it was sent
W_PC = 4

# columns of a unit
F_PUSHED = 0
F_NEXT = 1  # first cycle in which it takes another instruction
F_MASK = 2
F_LEAVE = 3  # cycle in which the last instruction leaves it
F_RING = 8  # pairs: cycle in which an instruction reaches the end of the unit, cycle in which it leaves

NEVER = 1 << 62
# A wrong path is not in the trace: instructions are taken to be three bytes, and seven groups to fit the buffers.
WRONG_BYTES = 6
WRONG_BUDGET = 42


@inlined
def pipe_room(w: Ints, unit: int, cycle: int) -> int:
    """Return the first cycle at or after `cycle` in which a unit takes an instruction."""
    cycle = max(cycle, w[unit + F_NEXT])
    if w[unit + F_LEAVE] <= cycle:
        return cycle
    pushed = w[unit + F_PUSHED]
    mask = w[unit + F_MASK]
    k = pushed
    while k > 0 and pushed - k <= mask and w[unit + F_RING + 2 * ((k - 1) & mask) + 1] > cycle:
        k -= 1
    while k < pushed:
        at = unit + F_RING + 2 * (k & mask)
        if w[at] <= cycle < w[at + 1]:
            cycle = w[at + 1]
        k += 1
    return cycle


@inlined
def pipe_front(w: Ints, unit: int, cycle: int, latency: int) -> int:
    """Return when an instruction that enters a unit at `cycle` reaches its end: it stands still with the others."""
    front = cycle + latency
    if w[unit + F_LEAVE] <= cycle:
        return front
    pushed = w[unit + F_PUSHED]
    mask = w[unit + F_MASK]
    k = pushed - 1
    while k >= 0 and pushed - k <= mask + 1:
        at = unit + F_RING + 2 * (k & mask)
        if w[at + 1] <= cycle:
            break
        front += w[at + 1] - w[at]
        k -= 1
    return front


@inlined
def pipe_push(w: Ints, unit: int, cycle: int, front: int, leaves: int, interval: int) -> None:
    """Note an instruction that went through a unit."""
    pushed = w[unit + F_PUSHED]
    at = unit + F_RING + 2 * (pushed & w[unit + F_MASK])
    w[at] = front
    w[at + 1] = leaves
    w[unit + F_PUSHED] = pushed + 1
    w[unit + F_LEAVE] = leaves
    w[unit + F_NEXT] = cycle + 1
    if interval > 1:
        # Cycles in which the unit stands still do not count.
        w[unit + F_NEXT] = cycle + interval + leaves - front


@jit
def send_among(w: Ints, level: int, address: int, cycle: int, kind: int, pc: int) -> int:
    """Send an access to a cache of one core of several, as `send` does.

    A write that hits, and that nothing stands in the way of, is answered once the tag is known.
    """
    num = w[PARAMETERS + I_NUM]
    den = w[PARAMETERS + I_DEN]
    time = time_of(cycle, num, den)
    written = 0
    if kind == WRITE:
        m = behind(w, w[H_SHARED])
        place = find(m, level, address >> LINE_BITS)
        if (
            place >= 0
            and m[m[H_READY] + place] + m[LEVEL + level * 32 + L_REST] <= time
            and m[place] & (PREFETCHED | SHARED) == 0
            and m[LEVEL + level * 32 + L_INTERVAL] == 0
            and not m[STATE + level * 8 + S_BLOCK_FROM] <= time < m[STATE + level * 8 + S_BLOCK_TO]
        ):
            at = LEVEL + level * 32
            written = after(time, m[at + L_TAG], m[at + L_NUM], m[at + L_DEN])
    data = access(w, level, address, time, kind, pc)
    return edge(written if written else data, num, den)


@jit
def send(w: Ints, level: int, address: int, cycle: int, kind: int, pc: int) -> int:
    """Send an access to a cache at a cycle; return the cycle of the answer."""
    if w[H_SHARED]:
        return send_among(w, level, address, cycle, int(kind), pc)
    num = w[PARAMETERS + I_NUM]
    den = w[PARAMETERS + I_DEN]
    return send_alone(w, num, den, level, address, cycle, time_of(cycle, num, den), kind, pc, True)


@inlined
def translated(w: Ints, which: int, address: int, cycle: int) -> int:
    """Return the cycle in which the translation of an address that is asked for at `cycle` is known."""
    if w[WALK + K_ON] == 0:
        return cycle
    num = w[PARAMETERS + I_NUM]
    den = w[PARAMETERS + I_DEN]
    return max(cycle, edge(translate(w, which, address, time_of(cycle, num, den)), num, den))


@jit
def fetch_line(w: Ints, level: int, line: int, cycle: int, pc: int) -> int:
    """Ask for a line at a cycle; return the cycle in which it is there."""
    address = line << w[PARAMETERS + I_LINE_SHIFT]
    page = address >> PAGE_BITS
    w[RUN + R_LINES] += 1
    cycle = translated(w, TLB_FETCH, address, cycle)
    if page != w[RUN + R_PAGE]:
        w[RUN + R_PAGE] = page
        w[RUN + R_FRAME] = physical(w, page << PAGE_BITS)
    return send(w, level, w[RUN + R_FRAME] | (address & ((1 << PAGE_BITS) - 1)), cycle, FETCH, pc)


@inlined
def port_free(w: Ints) -> int:
    """Return the first cycle in which another access may be sent, and leave its place in the ring of R_ACCESSES."""
    best = 0
    for i in range(1, w[PARAMETERS + I_ACCESSES]):
        if w[BUSY + i] < w[BUSY + best]:
            best = i
    w[RUN + R_ACCESSES] = best
    return w[BUSY + best]


@jit
def drain(w: Ints, level: int, until: int) -> None:
    """Send the stores that leave the store buffer by cycle `until`: in order, and while the port is free."""
    while w[RUN + R_SENT] < w[RUN + R_STORES]:
        at = STORE + 8 * (w[RUN + R_SENT] & (RING - 1))
        cycle = max(w[at + W_COMMIT] + 1, port_free(w))
        if cycle > until:
            break
        answer = send(w, level, physical(w, w[at + W_ADDRESS]), cycle, WRITE, w[at + W_PC])
        w[BUSY + w[RUN + R_ACCESSES]] = answer
        w[at + W_ANSWER] = answer
        w[RUN + R_ANSWERED] = max(w[RUN + R_ANSWERED], answer)
        w[RUN + R_SENT] += 1


@jit
def drain_through(w: Ints, level: int, store: int) -> None:
    """Send the stores of the store buffer up to one of them, whenever that may be."""
    while w[RUN + R_SENT] <= store:
        at = STORE + 8 * (w[RUN + R_SENT] & (RING - 1))
        drain(w, level, max(w[at + W_COMMIT] + 1, port_free(w)))


@jit
def room_for_store(w: Ints, level: int) -> int:
    """Return the first cycle in which the store buffer has room for one more store."""
    leaving = w[RUN + R_STORES] - w[PARAMETERS + I_STORES]
    if leaving < 0:
        return 0
    drain_through(w, level, leaving)
    room = w[STORE + 8 * (leaving & (RING - 1)) + W_ANSWER]
    for k in range(leaving + 1, w[RUN + R_SENT]):
        room = min(room, w[STORE + 8 * (k & (RING - 1)) + W_ANSWER])
    return room


@jit
def wrong_path(w: Ints, level: int, pc: int, size: int, taken: int, cycle: int, redirect: int) -> int:
    """Fetch what follows a mispredicted branch in vain; return the first cycle in which a line may be asked for.

    A line on its way is waited for, whatever it is worth. The wrong path runs on in sequence: from behind the branch
    where it was taken, else from the target that the buffer holds.
    """
    shift = w[PARAMETERS + I_LINE_SHIFT]
    line = 1 << shift
    address = pc + size
    busy = -1
    begin = cycle + 1
    left = -address & (line - 1)
    if not taken:
        address = w[w[H_BTB] + 2 * ((pc >> w[SHAPE + B_SHIFT]) & w[SHAPE + B_BTB_MASK]) + 1]
        if address < 0:
            return redirect
        busy = fetch_line(w, level, address >> shift, cycle, pc)
        begin = busy + 1
        left = line - (address & (line - 1))
    budget = WRONG_BUDGET
    while left <= budget:
        ask = begin + (left + WRONG_BYTES - 1) // WRONG_BYTES - 1
        if ask >= redirect:
            break
        address += left
        budget -= left
        busy = fetch_line(w, level, address >> shift, ask, pc)
        begin = busy + 1
        left = line
    return redirect if busy < redirect else busy + 1


@inlined
def load_value(w: Ints, level: int, address: int, size: int, cycle: int, pc: int) -> int:
    """Take a load from the request queue, which it enters at `cycle`; return when its value is there.

    `R_LEFT` then holds when it left the queue. In a cycle the request that waits comes first, then the store buffer,
    then a new request.
    """
    cycle = translated(w, TLB_DATA, address, cycle)
    ready = cycle
    newest = w[RUN + R_STORES] - 1
    if w[RUN + R_STORE_COMMIT] > ready:
        # Stores before it are not in the store buffer yet; in the cycle after it looks again.
        ready = w[STORE + 8 * (newest & (RING - 1)) + W_COMMIT] + 1
    before = w[RUN + R_OPERATIONS] - w[PARAMETERS + I_TRANSFERS]
    if before >= 0 and w[MEMORY_COMMIT + (before & (RING - 1))] > ready:
        ready = w[MEMORY_COMMIT + (before & (RING - 1))] + 1
    if w[RUN + R_SENT] <= newest:
        drain(w, level, ready if ready == cycle else ready - 1)
    oldest = newest
    if w[RUN + R_SENT] <= newest or w[RUN + R_ANSWERED] > ready:
        oldest = max(-1, newest - w[PARAMETERS + I_STORES])
    end = address + size
    for k in range(newest, oldest, -1):
        at = STORE + 8 * (k & (RING - 1))
        if w[at + W_ANSWER] <= ready:
            continue
        if w[at + W_ADDRESS] < end and address < w[at + W_END]:
            if 0 <= w[at + W_ADDRESS] <= address and end <= w[at + W_END]:
                w[RUN + R_FORWARDED] += 1
                w[RUN + R_LEFT] = ready
                w[PATH + 15] = 0
                return ready
            # Part of the value is in the buffer: the load waits until that store is in the cache.
            drain_through(w, level, k)
            ready = max(ready, w[at + W_ANSWER])
            break
    ready = max(ready, port_free(w))
    w[RUN + R_LEFT] = ready
    answer = send(w, level, physical(w, address), ready, READ, pc)
    w[BUSY + w[RUN + R_ACCESSES]] = answer
    return answer
