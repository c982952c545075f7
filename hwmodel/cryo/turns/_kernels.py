"""The loop in which cores take turns on the memory that they share: always the one that is furthest behind.

A core's time is that at which its front end turns to the next instruction. Its turn lasts until it is a quantum ahead
of the core behind it, and `STEP` instructions at least. What a core does within a turn, others see in their next one.
"""

from __future__ import annotations

from hwmodel.cryo.core._kernels import C_DEN, C_NUM, CORE, NOW, S_FETCH
from hwmodel.cryo.inorder._kernels import run_inorder
from hwmodel.cryo.ooo._kernels import run_ooo, warm
from hwmodel.cryo.owners._kernels import X_LAST, X_LEVEL, X_PAGES
from hwmodel.cryo.stages._kernels import I_DEN, I_NUM, PARAMETERS, R_FETCH, RUN
from hwmodel.cryo.words._kernels import CHANNEL, COUNT, DRAMS, H_COHERENCE, H_SHARED, PAGE, PAGE_NEXT
from hwmodel.kernel.compiled import Ints, jit

STEP = 8
NEVER = 2**63 - 1
WHOLE = 1 << 12  # instructions of a step of a core that nobody waits for

# words of the loop: the number of cores, then a row for each
T_CORES = 0
T_ROW = 16
T_WORDS = 16
T_WHERE = 0  # where its words begin
T_INORDER = 1
T_LEVEL = 2  # its data cache; the instruction cache is the next
T_TIME = 3  # how far it is, NEVER once its trace has ended
T_PROGRAM = 4  # where its tables begin, then its chunk: numbers of static instructions, then addresses
T_ROWS = 5
T_FACTS = 6
T_SOURCES = 7
T_DESTINATIONS = 8
T_IDS = 9
T_LENGTH = 10
T_ADDRESSES = 11
T_END = 12
T_AT = 13  # next instruction and next address of the chunk
T_USED = 14
T_COUNTS = 15  # row of its own words in which its share of the shared level's counts is kept

NO_CORE = -1
PAGES_RAN_OUT = -2  # and below, by the number of the core


@jit
def front_time(w: Ints, inorder: int) -> int:
    """Return the time before which nothing of a core's next instruction can happen."""
    if inorder:
        return w[RUN + R_FETCH] * w[PARAMETERS + I_NUM] // w[PARAMETERS + I_DEN]
    return w[NOW + S_FETCH] * w[CORE + C_NUM] // w[CORE + C_DEN]


@jit
def settle_counts(w: Ints, m: Ints, row: int) -> None:
    """Add to a core's account what the shared level and the memory counted during its turn."""
    last = m[H_COHERENCE] + X_LAST
    level = COUNT + m[m[H_COHERENCE] + X_LEVEL] * 16
    for n in range(16):
        now = m[level + n]
        w[COUNT + row * 16 + n] += now - m[last + n]
        m[last + n] = now
    for n in range(CHANNEL - DRAMS):
        now = m[DRAMS + n]
        w[DRAMS + n] += now - m[last + 16 + n]
        m[last + 16 + n] = now


@jit
def take_turn(w: Ints, s: Ints, row: int, program: Ints, until: int, timed: int) -> bool:
    """Run a core's chunk until its time is past `until`; return False where pages ran out.

    Without `timed` the chunk's next instructions, as many as `until` says, are shown to the caches alone.
    """
    rows = s[row + T_ROWS]
    end = s[row + T_PROGRAM] + rows
    pcs = program[s[row + T_PROGRAM] : end]
    facts = program[end : end + rows * s[row + T_FACTS]].reshape((rows, s[row + T_FACTS]))
    end += rows * s[row + T_FACTS]
    sources = program[end : end + rows * s[row + T_SOURCES]].reshape((rows, s[row + T_SOURCES]))
    end += rows * s[row + T_SOURCES]
    destinations = program[end : end + rows * s[row + T_DESTINATIONS]].reshape(
        (rows, s[row + T_DESTINATIONS])
    )
    data = s[row + T_LEVEL]
    length = s[row + T_LENGTH]
    at = s[row + T_AT]
    used = s[row + T_USED]
    step = STEP
    if until == NEVER:
        step = WHOLE
    if timed == 0:
        step = until
    while at < length:
        count = min(step, length - at)
        ids = program[s[row + T_IDS] + at : s[row + T_IDS] + at + count]
        addresses = program[s[row + T_ADDRESSES] + used : s[row + T_END]]
        if timed == 0:
            got = warm(w, pcs, facts, ids, addresses, data, data + 1)
        elif s[row + T_INORDER]:
            got = run_inorder(w, pcs, facts, sources, destinations, ids, addresses, data, data + 1)
        else:
            got = run_ooo(w, pcs, facts, sources, destinations, ids, addresses, data, data + 1)
        if got < 0:
            return False
        at += count
        used += got
        if timed == 0 or front_time(w, s[row + T_INORDER]) > until:
            break
    s[row + T_AT] = at
    s[row + T_USED] = used
    return True


@jit
def run_core(words: Ints, s: Ints, core: int, program: Ints, until: int, timed: int) -> bool:
    """Give one core a turn, with the frames and the counts that it shares with the others."""
    row = T_ROW + core * T_WORDS
    w = words[s[row + T_WHERE] :]
    m = w[w[H_SHARED] :]
    pages = m[H_COHERENCE] + X_PAGES
    w[PAGE + PAGE_NEXT] = m[pages]
    if not take_turn(w, s, row, program, until, timed):
        return False
    m[pages] = w[PAGE + PAGE_NEXT]
    settle_counts(w, m, s[row + T_COUNTS])
    if timed:
        s[row + T_TIME] = front_time(w, s[row + T_INORDER])
    return True


@jit
def run_cores(words: Ints, s: Ints, program: Ints, quantum: int) -> int:
    """Run until a core wants its next chunk, whose number is returned, or NO_CORE once all have ended."""
    while True:
        behind = NO_CORE
        time = NEVER
        then = NEVER
        for core in range(s[T_CORES]):
            t = s[T_ROW + core * T_WORDS + T_TIME]
            if t < time:
                then = time
                time = t
                behind = core
            elif t < then:
                then = t
        if behind == NO_CORE:
            return NO_CORE
        row = T_ROW + behind * T_WORDS
        if s[row + T_AT] >= s[row + T_LENGTH]:
            return behind
        until = NEVER if then == NEVER else then + quantum
        if not run_core(words, s, behind, program, until, 1):
            return PAGES_RAN_OUT - behind


@jit
def warm_core(words: Ints, s: Ints, program: Ints, core: int, count: int) -> bool:
    """Show a core's next `count` instructions to caches and predictor; return False where pages ran out."""
    return run_core(words, s, core, program, count, 0)
