"""The parts of the out-of-order core: in-order stages, booking of slots, the issue queue, store sets, fetch.

Parameters `C_*` lie from `CORE` on, functional units from `UNIT` on, the running state `S_*` from `NOW` on. Structures
that free their entries in order (reorder buffer, load and store queue, fetch queue, registers) are rings of release
cycles; the issue queue, which frees them in any order, is a calendar of counts; widths, ports and units are tables of slots by
cycle, so that an old instruction that becomes ready late never holds up a young one that was ready before.
"""

from __future__ import annotations

from hwmodel.cryo.branch._kernels import (
    AT_DECODE,
    AT_EXECUTE,
    BRANCH_END,
    predict,
)
from hwmodel.cryo.shared._kernels import send
from hwmodel.cryo.tlb._kernels import translate
from hwmodel.cryo.words._kernels import (
    FETCH,
    H_USER_SLOTS,
    K_ON,
    TLB_FETCH,
    WALK,
    add_user,
    edge,
    full,
    physical,
    ring_at,
    take_one,
    time_of,
)
from hwmodel.kernel.compiled import Ints, inlined, jit

# ------------------------------------------------------------------------------------------------- parameters
C_NUM = 0  # period of the core's clock: num / den femtoseconds
C_DEN = 1
C_FETCH = 2  # widths, instructions a cycle
C_DECODE = 3
C_RENAME = 4
C_DISPATCH = 5
C_ISSUE = 6
C_COMMIT = 7
C_FETCH_QUEUE = 8
C_ROB = 9
C_IQ = 10
C_LQ = 11
C_SQ = 12
C_INT_REGS = 13  # registers beyond the architectural ones
C_FP_REGS = 14
C_LOAD_PORTS = 15
C_STORE_PORTS = 16
C_FETCH_DECODE = 17  # cycles between stages
C_DECODE_RENAME = 18
C_RENAME_DISPATCH = 19
C_ISSUE_EXECUTE = 20
C_COMPLETE_COMMIT = 21
C_REDIRECT = 22  # from the execution of a mispredicted branch to the next fetch
C_REDIRECT_DECODE = 23  # from decode to the next fetch
C_SQUASH = 24  # instructions squashed a cycle; 0: at once
C_FETCH_SHIFT = 25  # bytes of the fetch buffer, as a shift
C_DEPENDENCE = 26  # memory dependence: 0 not predicted, 1 store sets, 2 known
C_CHECK_SHIFT = 27  # granularity in which orders of loads and stores are checked, as a shift
C_CLEAR = 28  # loads and stores after which the store sets are forgotten
C_FORWARD = 29  # cycles of a forwarded load, beyond execution
C_TAKEN_STOPS = 30  # 1: fetch ends its cycle at a taken branch
C_FREE_DELAY = 32  # cycles from commit to a usable entry
C_LINE_AHEAD = 33  # 1: the next line is asked for in the cycle that empties the buffer
C_SET_SHIFT = 34  # bits of the program counter that the store sets leave out
C_SKID = 35  # instructions between decode and rename
C_LATE_RENAME = 36  # 1: registers and issue queue are taken at dispatch, not on entry of the window
C_UNIFIED = 37  # 1: all registers share one file
C_CHAIN = 38  # 1: branches depend on each other through the instruction pointer
C_LOAD_DELAY = 39  # cycles from a load's execution to its access
C_STORE_DELAY = 40  # cycles from a store's commit to its access
C_POSTED = 41  # 1: a store's entry is free once it left for the cache
C_BY_ADDRESS = 42  # 1: loads find stores by their address when they enter the window
C_MERGE = 43  # 1: loads of one line that wait for the cache together share an access
C_RESULTS = 44  # results a cycle; 0: any number
C_QUEUE_HOLDS = 45  # 1: loads and stores stay in the issue queue until they complete
C_LOADS_LEAVE = 46  # 1: a load's entry is free once its data is there
C_UOP_SETS = 47  # buffer of decoded instructions: sets (0: none), ways, bytes of a window as a shift
C_UOP_WAYS = 48
C_UOP_SHIFT = 49
C_UOP_ASK = 50  # cycles from fetch to the access of a window that misses
C_UOP_DECODE = 51  # and from its data to decode

KNOWN = 2

OP_SYSTEM = 11

OPS = 12
U_LATENCY = 0  # columns of `unit`: one row an operation class
U_INTERVAL = 1
U_COUNT = 2
U_RING = 3  # slot ring of the unit

# ---------------------------------------------------------------------------------------------- running state
S_FETCH = 0  # cycle in which the next instruction may be fetched
S_FETCHED = 1  # instructions fetched in that cycle
S_LINE = 2  # line in the fetch buffer, -1: none
S_INSTRUCTIONS = 3
S_LOADS = 4
S_STORES = 5
S_INT = 6
S_FP = 7
S_DECODE = 8  # last cycle of each in-order stage, and how many it took
S_DECODED = 9
S_RENAME = 10
S_RENAMED = 11
S_DISPATCH = 12
S_DISPATCHED = 13
S_COMMIT = 14
S_COMMITTED = 15
S_BARRIER = 16  # nothing is dispatched before this cycle
S_STORE_SENT = 17  # cycle in which the last store went to the cache
S_QUEUED = 18  # instructions in the issue queue at S_QUEUE_NOW
S_FRONT = 19  # why the front end is late, CPI_*
S_MEMORY_OPS = 20
S_VIOLATIONS = 21
S_FORWARDED = 22
S_BRANCHES = 24
S_MISPREDICTED = 25
S_LINES = 26  # fetch-buffer fills
S_OPEN = (
    27  # a branch waits for its target, which is where the next instruction lies: its kind, then its facts
)
S_OPEN_PC = 28
S_OPEN_SIZE = 29
S_OPEN_TAKEN = 30
S_OPEN_EXECUTE = 31
S_OPEN_DISPATCH = 32
S_OPEN_DECODE = 33
S_QUEUE_NOW = 34  # cycle up to which those that left the issue queue are forgotten
S_LATE = 35  # first entry of the ring of those that leave late, and the one behind its last
S_LATE_END = 36
S_STORE_DONE = 37  # cycle in which the last store had address and data, of those that do so in order
S_UOP_HIT = 38  # 1: the last instruction's window was in the buffer
S_UOP_ASKED = 39
S_UOP_DATA = 40
S_OPEN_HIT = 41
S_WARM = 42  # a branch that was warmed waits for its target: its kind, then its facts
S_WARM_PC = 43
S_WARM_SIZE = 44
S_WARM_TAKEN = 45
S_COLUMNS = 48

RETRIES = 8  # a load is squashed at most so often before it simply waits

# parts of the CPI stack
CPI_BASE = 0
CPI_FETCH = 1
CPI_BRANCH = 2
CPI_DEPENDENCE = 3
CPI_UNIT = 4
CPI_L1 = 5
CPI_L2 = 6
CPI_L3 = 7
CPI_DRAM = 8
CPI_ORDER = 9  # memory-order violations and waits for stores
CPI_QUEUE = 10  # a full structure in front of dispatch
CPI_SERIAL = 11
CPI_COLUMNS = 12

CORE = BRANCH_END
UNIT = CORE + 64
NOW = UNIT + 64
STACK = NOW + 64
REGISTER = STACK + 16
CAUSE = REGISTER + 128
DECODED = CAUSE + 128
RENAMED = DECODED + 1024
COMMITTED = RENAMED + 1024
LOAD_FREE = COMMITTED + 1024
STORE_FREE = LOAD_FREE + 1024
INT_FREE = STORE_FREE + 1024
FP_FREE = INT_FREE + 1024
STORE = FP_FREE + 1024
SETS_AT = STORE + 1024 * 8
CALENDAR = SETS_AT + 2048
LATE = CALENDAR + 4096
MERGE = LATE + 1024
CORE_END = MERGE + 256

RING = 1024  # entries of every in-order ring; no structure may be larger
SETS = 1024  # store-set tables
CALENDAR_SIZE = 4096

# columns of a store's row
W_ADDRESS = 0
W_SIZE = 1
W_EXECUTE = 2
W_SENT = 3  # cycle in which it leaves for the cache
W_PC = 4
W_DONE = 5

POINTER = 66  # the instruction pointer among the registers

RING_RESULTS = 3 + OPS  # slot rings behind those of issue, loads, stores and units
RING_CACHE = 4 + OPS


@inlined
def book(w: Ints, ring: int, cycle: int, width: int) -> int:
    """Return the first cycle at or after `cycle` with room in one of the core's slot rings, and take it."""
    return take_one(w, ring_at(w, w[H_USER_SLOTS] + ring), cycle, width)


@inlined
def leave_queue(w: Ints, cycle: int) -> None:
    """Note that an instruction leaves the issue queue in a cycle.

    A ring counts how many leave in each cycle to come; the few that leave beyond its end wait in a sorted one.
    """
    w[NOW + S_QUEUED] += 1
    if cycle - w[NOW + S_QUEUE_NOW] < CALENDAR_SIZE:
        w[CALENDAR + (cycle & (CALENDAR_SIZE - 1))] += 1
        return
    first = w[NOW + S_LATE]
    place = w[NOW + S_LATE_END]
    w[NOW + S_LATE_END] = place + 1
    while place > first and w[LATE + ((place - 1) & (RING - 1))] > cycle:
        w[LATE + (place & (RING - 1))] = w[LATE + ((place - 1) & (RING - 1))]
        place -= 1
    w[LATE + (place & (RING - 1))] = cycle


@inlined
def queue_room(w: Ints, cycle: int) -> int:
    """Return the first cycle at or after `cycle` in which the issue queue has room.

    Cycles never go back: what left before the last one asked about is forgotten.
    """
    now = w[NOW + S_QUEUE_NOW]
    queued = w[NOW + S_QUEUED]
    size = w[CORE + C_IQ]
    if w[NOW + S_LATE] == w[NOW + S_LATE_END]:
        # Nothing waits beyond the ring, as nearly always.
        while now < cycle or queued >= size:
            if queued == 0:
                now = cycle
                break
            place = CALENDAR + (now & (CALENDAR_SIZE - 1))
            queued -= w[place]
            w[place] = 0
            now += 1
    while now < cycle or queued >= size:
        if queued == 0:
            now = cycle
            break
        if queued == w[NOW + S_LATE_END] - w[NOW + S_LATE]:
            # Only such are left as leave late; a core that waits for long must not be stepped through cycle by cycle.
            due = w[LATE + (w[NOW + S_LATE] & (RING - 1))]
            if due > now:
                now = due if queued >= size else min(due, cycle)
                continue
        queued -= w[CALENDAR + (now & (CALENDAR_SIZE - 1))]
        w[CALENDAR + (now & (CALENDAR_SIZE - 1))] = 0
        while w[NOW + S_LATE] < w[NOW + S_LATE_END] and w[LATE + (w[NOW + S_LATE] & (RING - 1))] <= now:
            w[NOW + S_LATE] += 1
            queued -= 1
        now += 1
    w[NOW + S_QUEUE_NOW] = now
    w[NOW + S_QUEUED] = queued
    return max(cycle, now)


@jit
def ask(w: Ints, which: int, k: int, page: int, address: int, cycle: int, kind: int, pc: int) -> int:
    """Send an access at a cycle, its page `page` translated first; return the cycle in which its data is there."""
    num = w[CORE + C_NUM]
    den = w[CORE + C_DEN]
    t = time_of(cycle, num, den)
    if w[WALK + K_ON]:
        known = translate(w, which, page, t)
        if known > t:
            t = known
            cycle = edge(t, num, den)
    return send(w, num, den, k, physical(w, address), cycle, t, kind, pc, False)


@inlined
def in_order(w: Ints, at: int, cycle: int, width: int) -> int:
    """Put an instruction through an in-order stage of a width; return its cycle."""
    if cycle > w[NOW + at]:
        w[NOW + at] = cycle
        w[NOW + at + 1] = 1
        return cycle
    if w[NOW + at + 1] < width:
        w[NOW + at + 1] += 1
        return w[NOW + at]
    w[NOW + at] += 1
    w[NOW + at + 1] = 1
    return w[NOW + at]


@jit
def unite(w: Ints, load: int, store: int, pc: int) -> None:
    """Put a load and a store that met in the wrong order into one store set."""
    a = w[SETS_AT + load * 2]
    b = w[SETS_AT + store * 2]
    if a < 0 and b < 0:
        new = (pc ^ (pc >> 10)) & (SETS - 1)
        w[SETS_AT + load * 2] = new
        w[SETS_AT + store * 2] = new
    elif b < 0:
        w[SETS_AT + store * 2] = a
    elif a < 0:
        w[SETS_AT + load * 2] = b
    elif b > a:
        w[SETS_AT + store * 2] = a
    else:
        w[SETS_AT + load * 2] = b


@inlined
def fetch_one(w: Ints, pc: int, fetch_level: int) -> int:
    """Return the cycle in which the instruction at pc is fetched."""
    number = w[NOW + S_INSTRUCTIONS]
    line = pc >> w[CORE + C_FETCH_SHIFT]
    if line != w[NOW + S_LINE]:
        w[NOW + S_LINE] = line
        w[NOW + S_LINES] += 1
        asked = w[NOW + S_FETCH]
        if w[NOW + S_FETCHED] > 0 and w[CORE + C_LINE_AHEAD] == 0:
            asked += 1
        address = line << w[CORE + C_FETCH_SHIFT]
        done = ask(w, TLB_FETCH, fetch_level, pc, address, asked, FETCH, pc)
        if done > asked + 1:
            w[NOW + S_FRONT] = CPI_FETCH
        if done > w[NOW + S_FETCH]:
            w[NOW + S_FETCH] = done
            w[NOW + S_FETCHED] = 0
    if w[NOW + S_FETCHED] >= w[CORE + C_FETCH]:
        w[NOW + S_FETCH] += 1
        w[NOW + S_FETCHED] = 0
    if number >= w[CORE + C_FETCH_QUEUE]:
        room = w[DECODED + ((number - w[CORE + C_FETCH_QUEUE]) & (RING - 1))]
        if room > w[NOW + S_FETCH]:
            w[NOW + S_FETCH] = room
            w[NOW + S_FETCHED] = 0
    w[NOW + S_FETCHED] += 1
    return w[NOW + S_FETCH]


@inlined
def ready_of(w: Ints, sources: Ints, first: int, count: int) -> int:
    """Return the register that is ready last among an instruction's sources, at most `count` from `first` on, or 0."""
    late = 0
    for s in range(first, first + count):
        register = sources[s]
        if register == 0:
            break
        if w[REGISTER + register] > w[REGISTER + late]:
            late = register
    return late


@jit
def squash(w: Ints, execute: int, dispatch: int, cause: int) -> None:
    """Send the front end back after an instruction at `execute`; what was fetched in vain has to leave first."""
    restart = execute + w[CORE + C_REDIRECT]
    if restart > w[NOW + S_FETCH] or w[NOW + S_FETCHED] > 0:
        w[NOW + S_FETCH] = max(restart, w[NOW + S_FETCH])
        w[NOW + S_FETCHED] = 0
    w[NOW + S_FRONT] = cause
    if w[CORE + C_SQUASH] > 0:
        vain = min(w[CORE + C_ROB] - 1, (execute - dispatch) * w[CORE + C_DISPATCH])
        w[NOW + S_BARRIER] = max(w[NOW + S_BARRIER], execute + 1 + vain // w[CORE + C_SQUASH])


@inlined
def book_unit(w: Ints, op: int, cycle: int) -> int:
    """Return the first cycle with an issue slot and a free unit for an operation class, and take both."""
    issue = ring_at(w, w[H_USER_SLOTS])
    width = w[CORE + C_ISSUE]
    units = w[UNIT + op * 4 + U_COUNT]
    if units == 0:
        return take_one(w, issue, cycle, width)
    return book_both(w, issue, op, cycle)


@jit
def book_both(w: Ints, issue: int, op: int, cycle: int) -> int:
    """Return the first cycle with a slot in the ring `issue` and a free unit for an operation class, and take both."""
    width = w[CORE + C_ISSUE]
    units = w[UNIT + op * 4 + U_COUNT]
    base = ring_at(w, w[H_USER_SLOTS] + w[UNIT + op * 4 + U_RING])
    length = w[UNIT + op * 4 + U_INTERVAL]
    i = 0
    while i < length:
        if (i == 0 and full(w, issue, cycle, width)) or full(w, base, cycle + i, units):
            cycle += i + 1
            i = 0
        else:
            i += 1
    add_user(w, issue, cycle)
    for i in range(length):
        add_user(w, base, cycle + i)
    return cycle


@jit
def close_branch(w: Ints, target: int) -> None:
    """Predict the branch before this instruction, now that its target is known, and steer the front end."""
    taken = w[NOW + S_OPEN_TAKEN] != 0
    verdict = predict(w, w[NOW + S_OPEN_PC], w[NOW + S_OPEN], w[NOW + S_OPEN_SIZE], taken, target)
    w[NOW + S_OPEN] = 0
    w[NOW + S_BRANCHES] += 1
    if verdict == AT_EXECUTE:
        w[NOW + S_MISPREDICTED] += 1
        squash(w, w[NOW + S_OPEN_EXECUTE], w[NOW + S_OPEN_DISPATCH], CPI_BRANCH)
    elif verdict == AT_DECODE and w[NOW + S_OPEN_HIT]:
        # What comes decoded out of a buffer is not seen by the decoder.
        w[NOW + S_MISPREDICTED] += 1
        squash(w, w[NOW + S_OPEN_EXECUTE], w[NOW + S_OPEN_DISPATCH], CPI_BRANCH)
    elif verdict == AT_DECODE:
        restart = w[NOW + S_OPEN_DECODE] + w[CORE + C_REDIRECT_DECODE]
        if restart > w[NOW + S_FETCH]:
            w[NOW + S_FETCH] = restart
            w[NOW + S_FETCHED] = 0
            w[NOW + S_FRONT] = CPI_BRANCH
    elif taken and w[CORE + C_TAKEN_STOPS]:
        w[NOW + S_FETCHED] = w[CORE + C_FETCH]


@inlined
def enter_window(w: Ints, number: int, loads: int, stores: int, cycle: int) -> int:
    """Return the first cycle at or after `cycle` with a free entry in reorder buffer, load and store queue.

    An instruction with more operands than a queue has entries waits until the queue is empty.
    """
    delay = w[CORE + C_FREE_DELAY]
    if number >= w[CORE + C_ROB]:
        cycle = max(cycle, w[COMMITTED + ((number - w[CORE + C_ROB]) & (RING - 1))] + delay)
    if loads and w[NOW + S_LOADS] + loads > w[CORE + C_LQ]:
        last = w[NOW + S_LOADS] - 1 + min(0, loads - w[CORE + C_LQ])
        cycle = max(cycle, w[LOAD_FREE + (last & (RING - 1))] + delay)
    if stores and w[NOW + S_STORES] + stores > w[CORE + C_SQ]:
        last = w[NOW + S_STORES] - 1 + min(0, stores - w[CORE + C_SQ])
        cycle = max(cycle, w[STORE_FREE + (last & (RING - 1))] + delay)
    return cycle


@inlined
def take_registers(w: Ints, ints: int, fps: int, cycle: int) -> int:
    """Return the first cycle at or after `cycle` with free registers and room in the issue queue."""
    delay = w[CORE + C_FREE_DELAY]
    if ints and w[NOW + S_INT] + ints > w[CORE + C_INT_REGS]:
        last = w[NOW + S_INT] - 1 + min(0, ints - w[CORE + C_INT_REGS])
        cycle = max(cycle, w[INT_FREE + (last & (RING - 1))] + delay)
    if fps and w[NOW + S_FP] + fps > w[CORE + C_FP_REGS]:
        last = w[NOW + S_FP] - 1 + min(0, fps - w[CORE + C_FP_REGS])
        cycle = max(cycle, w[FP_FREE + (last & (RING - 1))] + delay)
    return queue_room(w, cycle)


@inlined
def sets_of(w: Ints, key: int) -> int:
    """Return the store set of a program counter's index, or -1."""
    return w[SETS_AT + key * 2 + 0]
