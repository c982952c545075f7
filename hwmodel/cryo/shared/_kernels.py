"""The way of a core's access to its caches: alone, or among cores that share a memory and keep their caches coherent.

Several cores lie one behind the other in one array, and the memory that they share behind them, so that a core's words
are the end of the array from some place on and hold the way to the memory. Contents and states change at once, in the
order of the calls; what a message between caches takes is found on top and delays the access that needs it.
"""

from __future__ import annotations

from hwmodel.cryo.lines._kernels import drop, find, insert, promote
from hwmodel.cryo.memory._kernels import catch_up, count_latency, finish, go_down
from hwmodel.cryo.memory._kernels import touch as touch_alone
from hwmodel.cryo.owners._kernels import (
    CORE_WORDS,
    EACH,
    LOST,
    PROTOCOL_MESI,
    PROTOCOL_NONE,
    U_INTERVENTIONS,
    U_INVALIDATIONS,
    U_SHARING_MISSES,
    U_UPGRADE_TIME,
    U_UPGRADES,
    U_WRITEBACKS,
    X_CORE,
    X_LEVEL,
    X_LOST,
    X_PROTOCOL,
    X_SUPPLIER,
    flags_in,
    holders,
    note_holder,
    outer_of,
    permitted,
    supplier_of,
)
from hwmodel.cryo.ports._kernels import port_access
from hwmodel.cryo.words._kernels import (
    COUNT,
    DIRTY,
    E_STORE,
    E_THROUGH,
    H_COHERENCE,
    H_CORE,
    H_READY,
    H_SHARED,
    L_BASE,
    L_DEN,
    L_HIT,
    L_INTERVAL,
    L_NUM,
    L_REST,
    L_SETS,
    L_TAG,
    L_WAYS,
    LEVEL,
    LINE_BITS,
    MORE,
    N_READS,
    N_WRITE_MISSES,
    N_WRITEBACKS,
    N_WRITES,
    PATH,
    PREFETCHED,
    S_BLOCK_FROM,
    S_BLOCK_TO,
    SHARED,
    STATE,
    WRITE,
    after,
    edge,
    time_of,
)
from hwmodel.cryo.writes._kernels import leave, write_back
from hwmodel.kernel.compiled import Ints, behind, inlined, jit


@jit
def access(w: Ints, k: int, address: int, t: int, kind: int, pc: int) -> int:
    """Send one access of a core to its level k at time t; return when its data is at the core.

    `address` is physical, or negative where it is that of a mapped port. `kind` is READ, WRITE or FETCH.
    """
    if address < 0:
        return port_access(w, address, t, kind)
    if w[H_SHARED]:
        return access_among(w, k, address, t, kind, pc)
    catch_up(w, t)
    return finish(w, k, t, go_down(w, k, address, t, kind, pc, False), kind)


@jit
def send_far(w: Ints, num: int, den: int, k: int, address: int, t: int, kind: int, pc: int) -> int:
    """Send an access that is more than a plain hit; return the core's cycle in which its data is there."""
    return edge(access(w, k, address, t, kind, pc), num, den)


@inlined
def send(
    w: Ints, num: int, den: int, k: int, address: int, cycle: int, t: int, kind: int, pc: int, posted: bool
) -> int:
    """Send an access at time t of a core's cycle, by the core's clock num / den; return the cycle of its answer.

    A hit that nothing stands in the way of, which is nearly every access, is done here: as in `access`, but without
    a division where the cache has the core's clock. A write that is `posted` is answered once the tag is known;
    its data are then still on their way into the array.
    """
    place = -1
    line = address >> LINE_BITS
    at = LEVEL + k * 32
    if address >= 0 and w[H_SHARED] == 0:
        place = w[at + L_BASE] + (line & (w[at + L_SETS] - 1)) * w[at + L_WAYS]
        if w[place] >> 3 != line:
            place = find_behind(w, k, line, kind == WRITE)
    if (
        place < 0
        or w[w[H_READY] + place] + w[at + L_REST] > t
        or w[place] & (PREFETCHED if kind != WRITE else PREFETCHED | SHARED)
        or w[at + L_INTERVAL] > 0
        or (w[STATE + k * 8 + S_BLOCK_TO] > t and w[STATE + k * 8 + S_BLOCK_FROM] <= t)
        or (kind == WRITE and w[MORE + k * 16 + E_THROUGH])
    ):
        return send_far(w, num, den, k, address, t, int(kind), pc)
    w[PATH + 15] = 0
    latency = w[at + L_HIT]
    if kind == WRITE:
        latency = w[at + L_TAG] if posted else w[MORE + k * 16 + E_STORE]
        w[place] |= DIRTY
    own_num = w[at + L_NUM]
    own_den = w[at + L_DEN]
    if own_num == num and own_den == den:
        answer = cycle + latency
        data = time_of(answer, num, den)
    else:
        data = after(t, latency, own_num, own_den)
        answer = edge(data, num, den)
    if kind == WRITE:
        w[COUNT + k * 16 + N_WRITES] += 1
    else:
        w[COUNT + k * 16 + N_READS] += 1
        count_latency(w, k, data - t)
    return answer


@jit
def find_behind(w: Ints, k: int, line: int, asks: bool) -> int:
    """Return the place of a line that is not in front of its set, once it is there, or -1.

    A line that is `SHARED` stays where it is for a write that asks for it.
    """
    place = find(w, k, line)
    if place < 0 or (asks and w[place] & SHARED):
        return -1
    return promote(w, k, line, place)


@jit
def touch(w: Ints, k: int, line: int, write: bool) -> None:
    """Bring a line into level k and those below it that lack it, without any timing."""
    if w[H_SHARED] == 0:
        touch_alone(w, k, line, write)
    else:
        touch_among(w, k, line, write)


@jit
def access_among(w: Ints, k: int, address: int, t: int, kind: int, pc: int) -> int:
    """Send an access of one core of several to level k of the shared memory's words."""
    m = behind(w, w[H_SHARED])
    core = w[H_CORE]
    line = address >> LINE_BITS
    catch_up(m, t)
    if m[m[H_COHERENCE] + X_PROTOCOL] == PROTOCOL_NONE:
        data = go_down(m, k, address, t, kind, pc, False)
    else:
        place = find(m, k, line)
        if place >= 0 and (kind != WRITE or m[place] & SHARED == 0):
            data = go_down(m, k, address, t, kind, pc, False)
        else:
            data = access_coherent(m, core, k, address, t, kind, pc)
    data = finish(m, k, t, data, kind)
    w[PATH + 15] = m[PATH + 15]
    return data


@jit
def access_coherent(m: Ints, core: int, k: int, address: int, t: int, kind: int, pc: int) -> int:
    """Send an access that level k of a core cannot serve alone; return when its data is there."""
    line = address >> LINE_BITS
    at = m[H_COHERENCE]
    own = flags_in(m, core, line)
    others = 0
    if own < 0 or (kind == WRITE and own & SHARED):
        others = settle(m, core, line, own, kind == WRITE, t)
    granted = t
    giver = m[at + X_SUPPLIER]
    if kind == WRITE and own >= 0 and own & SHARED:
        granted = permitted(m, k, core, others, t)
        m[at + X_CORE + core * CORE_WORDS + U_UPGRADE_TIME] += granted - t
    elif kind == WRITE and giver > 0:
        others &= ~(1 << ((giver - 1) // EACH))
    if kind == WRITE and own < 0 and others:
        granted = permitted(m, k, core, others, t)
    data = go_down(m, k, address, t, kind, pc, False)
    m[at + X_SUPPLIER] = 0
    if kind != WRITE and (others or (own >= 0 and own & SHARED)):
        set_shared(m, core, line)
        if giver > 0:
            arrive(m, line, data)
    return max(data, granted)


@jit
def touch_among(w: Ints, k: int, line: int, write: bool) -> None:
    """Bring a line into a core's caches, with what that does to the others', without any timing."""
    m = behind(w, w[H_SHARED])
    core = w[H_CORE]
    at = m[H_COHERENCE]
    if m[at + X_PROTOCOL] == PROTOCOL_NONE:
        touch_alone(m, k, line, write)
        return
    own = flags_in(m, core, line)
    others = 0
    if own < 0 or (write and own & SHARED):
        others = settle(m, core, line, own, write, 0)
        m[at + X_SUPPLIER] = 0
    touch_alone(m, k, line, write)
    if not write and (others or (own >= 0 and own & SHARED)):
        set_shared(m, core, line)


@jit
def settle(m: Ints, core: int, line: int, own: int, write: bool, t: int) -> int:
    """Change the other cores' states of a line that a core is about to take, or to write; return who held it.

    `own` are the flags of its own copy, -1 without one. X_SUPPLIER then says who gives the line.
    """
    at = m[H_COHERENCE]
    mine = at + X_CORE + core * CORE_WORDS
    others = holders(m, core, line)
    if own >= 0:
        m[mine + U_UPGRADES] += 1
        clear_shared(m, core, line)
    else:
        note_holder(m, core, line)
        lost = at + X_LOST + core * LOST + (line & (LOST - 1))
        if m[lost] == line + 1:
            m[mine + U_SHARING_MISSES] += 1
            m[lost] = 0
    rest = others
    other = 0
    while rest:
        if rest & 1:
            flags = flags_in(m, other, line)
            row = at + X_CORE + other * CORE_WORDS
            if own < 0 and (flags & DIRTY or flags & SHARED == 0):
                m[row + U_INTERVENTIONS] += 1
                m[at + X_SUPPLIER] = 1 + supplier_of(m, other, line)
            if write:
                m[row + U_INVALIDATIONS] += 1
                m[at + X_LOST + other * LOST + (line & (LOST - 1))] = line + 1
                for k in range(EACH * other, EACH * other + EACH):
                    drop(m, k, line)
            else:
                if flags & DIRTY:
                    clean(m, other, line)
                    if m[at + X_PROTOCOL] == PROTOCOL_MESI:
                        m[row + U_WRITEBACKS] += 1
                        put_below(m, other, line, t)
                    else:
                        own_outside(m, other, line)
                set_shared(m, other, line)
        rest >>= 1
        other += 1
    return others


@jit
def set_shared(m: Ints, core: int, line: int) -> None:
    """Mark a core's copies of a line as shared."""
    for k in range(EACH * core, EACH * core + EACH):
        place = find(m, k, line)
        if place >= 0:
            m[place] |= SHARED


@jit
def clear_shared(m: Ints, core: int, line: int) -> None:
    """Mark a core's copies of a line as its own."""
    for k in range(EACH * core, EACH * core + EACH):
        place = find(m, k, line)
        if place >= 0:
            m[place] &= ~SHARED


@jit
def own_outside(m: Ints, core: int, line: int) -> None:
    """Let a core's outermost copy of a line that was given away be the dirty one: the line passed by there."""
    for k in range(EACH * core + EACH - 1, EACH * core - 1, -1):
        place = find(m, k, line)
        if place >= 0:
            m[place] |= DIRTY
            return


@jit
def clean(m: Ints, core: int, line: int) -> None:
    """Mark a core's copies of a line as written back."""
    for k in range(EACH * core, EACH * core + EACH):
        place = find(m, k, line)
        if place >= 0:
            m[place] &= ~DIRTY


@jit
def put_below(m: Ints, core: int, line: int, t: int) -> None:
    """Write a line that a core gives away to the shared level as well; its time on the core's bus is booked there."""
    shared = m[m[H_COHERENCE] + X_LEVEL]
    m[COUNT + outer_of(m, core) * 16 + N_WRITEBACKS] += 1
    m[COUNT + shared * 16 + N_WRITES] += 1
    place = find(m, shared, line)
    if place >= 0:
        m[place] |= DIRTY
        promote(m, shared, line, place)
        return
    m[COUNT + shared * 16 + N_WRITE_MISSES] += 1
    out = insert(m, shared, line, DIRTY, t)
    if out >= 0 and leave(m, shared, out):
        write_back(m, shared, out, t)


@jit
def arrive(m: Ints, line: int, t: int) -> None:
    """Note when a line that a core gave away is in the shared level, if it went there."""
    place = find(m, m[m[H_COHERENCE] + X_LEVEL], line)
    if place >= 0:
        m[m[H_READY] + place] = max(m[m[H_READY] + place], t)
