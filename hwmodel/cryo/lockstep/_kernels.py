"""The loop of a core that runs in lock-step with other domains: its program and its messages in the order of time.

An event of the core is a group of at most `GROUP` instructions, at the time at which the front end turns to the first
of them: all that follows from a group - its commits, its messages - lies at or after that time, and depends on what
was before it only. An instruction that touches a mapped port is a group of its own. One that waits for a message is
an event at the time of the message, if that is later. So the groups, their order and their times are the same for
every window.
"""

from __future__ import annotations

from hwmodel.cryo.core._kernels import C_DEN, C_NUM, CORE, NOW, S_COMMIT, S_FETCH
from hwmodel.cryo.inorder._kernels import run_inorder
from hwmodel.cryo.ooo._kernels import run_ooo
from hwmodel.cryo.ports._kernels import (
    PORT_RING,
    V_HEAD,
    V_LOADS,
    V_NEXT,
    V_READS,
    V_RING,
    V_TAIL,
)
from hwmodel.cryo.stages._kernels import I_DEN, I_NUM, PARAMETERS, R_COMMIT, R_FETCH, RUN
from hwmodel.cryo.words._kernels import H_PORTS
from hwmodel.kernel.compiled import Ints, jit

GROUP = 16
NEVER = 2**63 - 1

# ----------------------------------------------------------------------------------- words of the loop's state
A_INORDER = 0  # 1: an in-order core
A_DATA = 1  # levels of data and instructions
A_FETCH = 2
A_ROWS = 3  # static instructions, and columns of their tables
A_FACTS = 4
A_SOURCES = 5
A_DESTINATIONS = 6
A_LENGTH = 7  # instructions of the chunk, then where its parts begin
A_ADDRESSES = 8
A_MARKS = 9
A_CODES = 10
A_AT = 11  # next instruction of the chunk, next address, next mapped instruction, next mapped load
A_USED = 12
A_MARK = 13
A_CODE = 14
A_NOW = 15  # time of the last event
A_HEAD = 16  # first message that has not been delivered
A_NEXT = 17  # time of the next group, NEVER while it waits for a message
A_FINISHED = 18  # 1: the program has ended
A_RECORDED = 19
A_SEEN = 20  # mapped loads whose value is known, and those whose values are in B_READ
A_FOLDED = 21
A_COMMIT_SIGNAL = 22  # numbers of watched signals, -1: not watched
A_STALL_SIGNAL = 23
A_BOX = 24  # mailbox that the program waits for, or that overflowed, -1: none
A_ATTEND = 25  # 1: doorbells are to be sent, loads to be folded, or something was recorded

# columns of a mailbox
BOX = 64
BOX_WORDS = 16
MAX_BOXES = 64
B_BLOCKING = 0
B_LATENCY = 1
B_DEPTH = 2  # messages that may be unread
B_MASK = 3  # of its ring, and where that begins
B_RING = 4
B_ARRIVED = 5
B_TAKEN = 6
B_LATEST = 7  # value of the last message
B_SIGNAL = 8
B_LOADS = 9
B_STALLED = 10  # femtoseconds for which loads waited, and how many did
B_STALLS = 11
B_READ = 12  # value that the last load read, as far as A_FOLDED
B_WAS_READ = 13

# mapped loads in program order: time, mailbox, value, 1 if the value is known
READS = BOX + MAX_BOXES * BOX_WORDS
READ_RING = 4096
# what is recorded: time, signal, value
RECORDS = READS + 4 * READ_RING
RECORD_ROWS = 1 << 13
FIFOS = RECORDS + 3 * RECORD_ROWS

# why the loop stopped before its time
CHUNK_END = -1
ROOM = -2
OVERFLOW = -3
PAGES = -4


@jit
def front_time(w: Ints, s: Ints) -> int:
    """Return the time before which nothing of the next instruction can happen."""
    if s[A_INORDER]:
        return w[RUN + R_FETCH] * w[PARAMETERS + I_NUM] // w[PARAMETERS + I_DEN]
    return w[NOW + S_FETCH] * w[CORE + C_NUM] // w[CORE + C_DEN]


@jit
def commit_time(w: Ints, s: Ints) -> int:
    """Return the time of the last commit."""
    if s[A_INORDER]:
        return w[RUN + R_COMMIT] * w[PARAMETERS + I_NUM] // w[PARAMETERS + I_DEN]
    return w[NOW + S_COMMIT] * w[CORE + C_NUM] // w[CORE + C_DEN]


@jit
def record(s: Ints, t: int, signal: int, value: int) -> None:
    """Note a value of a watched signal."""
    row = RECORDS + 3 * s[A_RECORDED]
    s[row] = t
    s[row + 1] = signal
    s[row + 2] = value
    s[A_RECORDED] += 1


@jit
def see(w: Ints, s: Ints, t: int) -> None:
    """Give the loads that began before t the values of their mailboxes."""
    tail = w[w[H_PORTS] + V_READS]
    while s[A_SEEN] < tail:
        row = READS + 4 * (s[A_SEEN] & (READ_RING - 1))
        if s[row + 3] == 0:
            if s[row] >= t:
                return
            s[row + 2] = s[BOX + s[row + 1] * BOX_WORDS + B_LATEST]
            s[row + 3] = 1
        s[A_SEEN] += 1


@jit
def fold(s: Ints, until: int) -> None:
    """Bring B_READ to what the first `until` mapped loads have read."""
    while s[A_FOLDED] < until:
        row = READS + 4 * (s[A_FOLDED] & (READ_RING - 1))
        box = BOX + s[row + 1] * BOX_WORDS
        s[box + B_READ] = s[row + 2]
        s[box + B_WAS_READ] = 1
        s[A_FOLDED] += 1


@jit
def deliver(w: Ints, s: Ints, inbox: Ints) -> bool:
    """Put the next message into its mailbox; return whether that had room."""
    head = s[A_HEAD]
    t = inbox[head, 0]
    number = inbox[head, 3]
    value = inbox[head, 4]
    see(w, s, t)
    box = BOX + number * BOX_WORDS
    if s[box + B_BLOCKING]:
        if s[box + B_ARRIVED] - s[box + B_TAKEN] >= s[box + B_DEPTH]:
            s[A_BOX] = number
            return False
        row = s[box + B_RING] + 2 * (s[box + B_ARRIVED] & s[box + B_MASK])
        s[row] = t
        s[row + 1] = value
    s[box + B_ARRIVED] += 1
    s[box + B_LATEST] = value
    if s[box + B_SIGNAL] >= 0:
        record(s, t, s[box + B_SIGNAL], value)
    s[A_HEAD] = head + 1
    s[A_NOW] = max(s[A_NOW], t)
    return True


@jit
def wanted_box(s: Ints, program: Ints, loads: int) -> int:
    """Return the first mailbox in which a message is lacking for the next instruction, or -1.

    `loads` is the number of its loads; those that are mapped have negative addresses.
    """
    code = s[A_CODES] + s[A_CODE]
    first = code
    for n in range(loads):
        if program[s[A_ADDRESSES] + s[A_USED] + n] >= 0:
            continue
        number = program[code]
        box = BOX + number * BOX_WORDS
        if s[box + B_BLOCKING]:
            before = 0
            for k in range(first, code):
                if program[k] == number:
                    before += 1
            if s[box + B_TAKEN] + before >= s[box + B_ARRIVED]:
                return number
        code += 1
    return -1


@jit
def prepare_loads(w: Ints, s: Ints, program: Ints, loads: int) -> int:
    """Take the messages for the next instruction and lay out its mapped loads; return how many it has."""
    at = w[H_PORTS]
    count = 0
    for n in range(loads):
        if program[s[A_ADDRESSES] + s[A_USED] + n] >= 0:
            continue
        number = program[s[A_CODES] + s[A_CODE] + count]
        box = BOX + number * BOX_WORDS
        row = READS + 4 * ((w[at + V_READS] + count) & (READ_RING - 1))
        s[row] = 0
        s[row + 1] = number
        s[row + 2] = 0
        s[row + 3] = 0
        if s[box + B_BLOCKING]:
            message = s[box + B_RING] + 2 * (s[box + B_TAKEN] & s[box + B_MASK])
            s[row] = s[message]
            s[row + 2] = s[message + 1]
            s[row + 3] = 1
            s[box + B_TAKEN] += 1
        w[at + V_LOADS + 2 * count] = s[row]
        w[at + V_LOADS + 2 * count + 1] = s[box + B_LATENCY]
        s[box + B_LOADS] += 1
        count += 1
    w[at + V_NEXT] = 0
    w[at + V_READS] += count
    return count


@jit
def close_loads(w: Ints, s: Ints, count: int) -> None:
    """Note when the mapped loads of an instruction began, and for how long they waited for messages."""
    at = w[H_PORTS]
    for n in range(count):
        row = READS + 4 * ((w[at + V_READS] - count + n) & (READ_RING - 1))
        begin = w[at + V_LOADS + 2 * n]
        message = s[row]
        s[row] = begin
        if s[row + 3] and message > begin:
            box = BOX + s[row + 1] * BOX_WORDS
            s[box + B_STALLED] += message - begin
            s[box + B_STALLS] += 1
            if s[A_STALL_SIGNAL] >= 0:
                record(s, begin, s[A_STALL_SIGNAL], 1)
                record(s, message, s[A_STALL_SIGNAL], 0)


@jit
def run_group(
    w: Ints,
    s: Ints,
    pcs: Ints,
    facts: Ints,
    sources: Ints,
    destinations: Ints,
    program: Ints,
    count: int,
) -> bool:
    """Run the next `count` instructions of the chunk; return False where pages ran out."""
    step = count
    if s[A_COMMIT_SIGNAL] >= 0:
        step = 1  # one by one, to see the time of each commit
    for _ in range(0, count, step):
        ids = program[s[A_AT] : s[A_AT] + step]
        addresses = program[s[A_ADDRESSES] + s[A_USED] : s[A_MARKS]]
        if s[A_INORDER]:
            used = run_inorder(w, pcs, facts, sources, destinations, ids, addresses, s[A_DATA], s[A_FETCH])
        else:
            used = run_ooo(w, pcs, facts, sources, destinations, ids, addresses, s[A_DATA], s[A_FETCH])
        if used < 0:
            return False
        s[A_AT] += step
        s[A_USED] += used
        if s[A_COMMIT_SIGNAL] >= 0:
            record(s, commit_time(w, s), s[A_COMMIT_SIGNAL], 0)
    return True


@jit
def next_of_core(w: Ints, s: Ints) -> int:
    """Return the earliest of the next group, the next mapped load to see its value and the next doorbell to leave."""
    ports = w[H_PORTS]
    due = s[A_NEXT]
    if s[A_SEEN] < w[ports + V_READS]:
        due = min(due, s[READS + 4 * (s[A_SEEN] & (READ_RING - 1))])
    if w[ports + V_HEAD] < w[ports + V_TAIL]:
        due = min(due, w[ports + V_RING + 4 * (w[ports + V_HEAD] & (PORT_RING - 1))])
    return due


@jit
def run_lockstep(
    w: Ints, s: Ints, tables: Ints, program: Ints, inbox: Ints, t1: int, head: int, tail: int
) -> int:
    """Run messages and instructions before t1; return the time of the next event, or why it stopped early.

    `tables` holds the static instructions: program counters, facts, sources, destinations, one after the other;
    `program` the chunk: numbers of static instructions, addresses, places of those with mapped operands, and the
    mailbox of each mapped load.
    """
    rows = s[A_ROWS]
    end = rows
    pcs = tables[:end]
    facts = tables[end : end + rows * s[A_FACTS]].reshape((rows, s[A_FACTS]))
    end += rows * s[A_FACTS]
    sources = tables[end : end + rows * s[A_SOURCES]].reshape((rows, s[A_SOURCES]))
    end += rows * s[A_SOURCES]
    destinations = tables[end : end + rows * s[A_DESTINATIONS]].reshape((rows, s[A_DESTINATIONS]))
    length = s[A_LENGTH]
    ports = w[H_PORTS]
    s[A_HEAD] = head
    while True:
        at = s[A_AT]
        mark = length
        due = NEVER
        loads = 0
        s[A_BOX] = -1
        if at < length:
            mark = program[s[A_MARKS] + s[A_MARK]]
            due = max(s[A_NOW], front_time(w, s))
            if at == mark:
                loads = facts[program[at] & 0x7FFFFFFF, 3]
                s[A_BOX] = wanted_box(s, program, loads)
                if s[A_BOX] >= 0:
                    due = NEVER
        elif s[A_FINISHED] == 0:
            return CHUNK_END
        s[A_NEXT] = due
        if s[A_RECORDED] + 2 * GROUP > RECORD_ROWS:
            return ROOM
        if s[A_HEAD] < tail and inbox[s[A_HEAD], 0] < t1 and inbox[s[A_HEAD], 0] <= due:
            if not deliver(w, s, inbox):
                return OVERFLOW
            continue
        if due >= t1:
            break
        s[A_NOW] = due
        if at != mark:
            if not run_group(w, s, pcs, facts, sources, destinations, program, min(GROUP, mark - at)):
                return PAGES
            continue
        see(w, s, due)
        if (
            w[ports + V_TAIL] - w[ports + V_HEAD] + 8 > PORT_RING
            or w[ports + V_READS] - s[A_FOLDED] + 8 > READ_RING
        ):
            return ROOM
        count = prepare_loads(w, s, program, loads)
        if not run_group(w, s, pcs, facts, sources, destinations, program, 1):
            return PAGES
        close_loads(w, s, count)
        s[A_CODE] += count
        s[A_MARK] += 1
    see(w, s, t1)
    s[A_ATTEND] = s[A_RECORDED] > 0 or s[A_FOLDED] < s[A_SEEN]
    if w[ports + V_HEAD] < w[ports + V_TAIL]:
        s[A_ATTEND] |= w[ports + V_RING + 4 * (w[ports + V_HEAD] & (PORT_RING - 1))] < t1
    return next_of_core(w, s)
