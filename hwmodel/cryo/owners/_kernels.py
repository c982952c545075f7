"""Who holds a line: the private caches of the cores that share a memory, and the times of messages between them.

The words of a shared memory hold all levels of all cores: level 3i is the data cache of core i, 3i + 1 its instruction
cache, 3i + 2 its second level, if it has one; the level that all share comes behind them. A line's state in a core is
told by its flags there: dirty or not, and shared or not, which makes M (dirty), O (dirty, shared), E (neither) and S
(shared). All copies of a line in one core agree on whether it is shared.

A table of hints says which cores ever took a line of a page; only those are looked into. It is never too short, and a
core that lost the line again costs no more than the look.
"""

from __future__ import annotations

from hwmodel.cryo.lines._kernels import find
from hwmodel.cryo.words._kernels import (
    CHANNEL,
    DIRTY,
    DRAMS,
    H_COHERENCE,
    L_BUS_ANSWER,
    L_BUS_DEN,
    L_BUS_HEADER,
    L_BUS_LINE,
    L_BUS_NUM,
    L_BUS_REQUEST,
    L_DEN,
    L_FLIGHT,
    L_HIT,
    L_NUM,
    L_TAG,
    L_WAYS,
    LEVEL,
    after,
    edge,
    take_slot,
)
from hwmodel.kernel.compiled import Ints, jit

MAX_CORES = 16
EACH = 3  # levels of a core

# ------------------------------------------------------------------- words at the address that H_COHERENCE holds
X_PROTOCOL = 0  # PROTOCOL_*
X_LEVEL = 1  # number of the shared level
X_SUPPLIER = 2  # 1 + the level that gives the line of the present miss, 0: none of a core
X_PAGES = 3  # frames given out, which all cores count
X_LAST = 16  # counts of the shared level and of the memory when the last turn ended
X_CORE = X_LAST + 16 + CHANNEL - DRAMS  # rows of the cores
CORE_WORDS = 8
X_HINTS = X_CORE + MAX_CORES * CORE_WORDS
HINTS = 1 << 16
LINES_BITS = 6  # lines that share a hint, as a power of two
X_LOST = X_HINTS + HINTS  # lines that a core lost to others, by their last bits
LOST = 1 << 12
COHERENCE_WORDS = X_LOST + MAX_CORES * LOST

PROTOCOL_NONE = 0
PROTOCOL_MESI = 1
PROTOCOL_MOESI = 2

U_UPGRADES = 0  # writes to lines that others might hold
U_INVALIDATIONS = 1  # lines lost to writes of others
U_INTERVENTIONS = 2  # lines given to others
U_SHARING_MISSES = 3  # misses on lines that another one's write took away
U_WRITEBACKS = 4  # lines written to the shared level because another core read them
U_UPGRADE_TIME = 5  # femtoseconds for which upgrades waited for the right to write


@jit
def outer_of(w: Ints, core: int) -> int:
    """Return the level of a core that is next to the shared one, by whose bus the core is reached."""
    outer = EACH * core + 2
    return outer if w[LEVEL + outer * 32 + L_WAYS] > 0 else EACH * core


@jit
def flags_in(w: Ints, core: int, line: int) -> int:
    """Return the flags of a line in a core's caches, those of all copies together, or -1 if it has none."""
    flags = -1
    for k in range(EACH * core, EACH * core + EACH):
        place = find(w, k, line)
        if place >= 0:
            flags = (0 if flags < 0 else flags) | (w[place] & 7)
    return flags


@jit
def holders(w: Ints, core: int, line: int) -> int:
    """Return a bit mask of the other cores that hold a line."""
    asked = w[w[H_COHERENCE] + X_HINTS + ((line >> LINES_BITS) & (HINTS - 1))] & ~(1 << core)
    found = 0
    other = 0
    while asked:
        if asked & 1 and flags_in(w, other, line) >= 0:
            found |= 1 << other
        asked >>= 1
        other += 1
    return found


@jit
def note_holder(w: Ints, core: int, line: int) -> None:
    """Note that a core takes a line."""
    w[w[H_COHERENCE] + X_HINTS + ((line >> LINES_BITS) & (HINTS - 1))] |= 1 << core


@jit
def is_elsewhere(w: Ints, k: int, line: int) -> bool:
    """Say whether a core's prefetch is not worth sending, because another core holds the line; else note its holder."""
    at = w[H_COHERENCE]
    if w[at + X_PROTOCOL] == PROTOCOL_NONE or k >= w[at + X_LEVEL]:
        return False
    if holders(w, k // EACH, line):
        return True
    note_holder(w, k // EACH, line)
    return False


@jit
def is_given(w: Ints, k: int) -> bool:
    """Say whether a request that comes to level k is answered out of another core's cache."""
    at = w[H_COHERENCE]
    return k == w[at + X_LEVEL] and w[at + X_SUPPLIER] > 0


@jit
def up(w: Ints, k: int, t: int, cycles: int) -> int:
    """Send a packet of some bus cycles up the bus to level k; return when it is there."""
    num = w[LEVEL + k * 32 + L_BUS_NUM]
    den = w[LEVEL + k * 32 + L_BUS_DEN]
    bus = take_slot(w, 3 * k + 2, edge(t + w[LEVEL + k * 32 + L_FLIGHT], num, den), 1, max(1, cycles))
    return (bus + w[LEVEL + k * 32 + L_BUS_ANSWER]) * num // den


@jit
def down(w: Ints, k: int, t: int, cycles: int) -> int:
    """Send a packet of some bus cycles down the bus from level k; return when it is at the level below."""
    num = w[LEVEL + k * 32 + L_BUS_NUM]
    den = w[LEVEL + k * 32 + L_BUS_DEN]
    bus = take_slot(w, 3 * k + 1, edge(t, num, den), 1, max(1, cycles))
    return (bus + w[LEVEL + k * 32 + L_BUS_REQUEST]) * num // den + w[LEVEL + k * 32 + L_FLIGHT]


@jit
def looked(w: Ints, k: int, t: int, column: int) -> int:
    """Return when level k, asked at t, has looked; `column` is L_TAG for its tags, L_HIT for its data."""
    return after(t, w[LEVEL + k * 32 + column], w[LEVEL + k * 32 + L_NUM], w[LEVEL + k * 32 + L_DEN])


@jit
def supplier_of(w: Ints, core: int, line: int) -> int:
    """Return the level of a core that gives a line away: the data cache if it is dirty there, else the outermost."""
    first = EACH * core
    place = find(w, first, line)
    if place >= 0 and w[place] & DIRTY:
        return first
    for k in range(first + EACH - 1, first, -1):
        if find(w, k, line) >= 0:
            return k
    return first


@jit
def from_owner(w: Ints, t: int) -> int:
    """Return when the line of a request that comes to the shared level at t is there, given by another core.

    The shared level's tags say who has it; the request goes up to that core and the line comes down.
    """
    at = w[H_COHERENCE]
    giver = w[at + X_SUPPLIER] - 1
    outer = outer_of(w, giver // EACH)
    if w[LEVEL + (EACH * (giver // EACH) + 2) * 32 + L_WAYS] == 0:
        outer = giver
    header = w[LEVEL + outer * 32 + L_BUS_HEADER]
    t = up(w, outer, looked(w, w[at + X_LEVEL], t, L_TAG), header)
    if giver != outer:
        t = up(w, giver, looked(w, outer, t, L_TAG), w[LEVEL + giver * 32 + L_BUS_HEADER])
    t = looked(w, giver, t, L_HIT)
    if giver != outer:
        t = down(w, giver, t, w[LEVEL + giver * 32 + L_BUS_HEADER] + w[LEVEL + giver * 32 + L_BUS_LINE])
    return down(w, outer, t, header + w[LEVEL + outer * 32 + L_BUS_LINE])


@jit
def invalidated(w: Ints, cores: int, t: int) -> int:
    """Return when the shared level, which sends invalidations to some cores at t, has all their answers."""
    last = t
    core = 0
    while cores:
        if cores & 1:
            outer = outer_of(w, core)
            header = w[LEVEL + outer * 32 + L_BUS_HEADER]
            last = max(last, down(w, outer, looked(w, outer, up(w, outer, t, header), L_TAG), header))
        cores >>= 1
        core += 1
    return last


@jit
def permitted(w: Ints, k: int, core: int, cores: int, t: int) -> int:
    """Return when a core that asks at its level k for the right to write has it, once `cores` lost their copies."""
    outer = outer_of(w, core)
    if w[LEVEL + (EACH * core + 2) * 32 + L_WAYS] == 0:
        outer = k
    t = down(w, k, looked(w, k, t, L_TAG), w[LEVEL + k * 32 + L_BUS_HEADER])
    if outer != k:
        t = down(w, outer, looked(w, outer, t, L_TAG), w[LEVEL + outer * 32 + L_BUS_HEADER])
    t = invalidated(w, cores, looked(w, w[w[H_COHERENCE] + X_LEVEL], t, L_TAG))
    t = up(w, outer, t, w[LEVEL + outer * 32 + L_BUS_HEADER])
    if outer != k:
        t = up(w, k, t, w[LEVEL + k * 32 + L_BUS_HEADER])
    return t
