"""The timed memory hierarchy: the way of a request through caches, buses and DRAM, and back.

A request carries the time at which it reaches a level and gets back the time at which the data is there. Contents
change in the order of the calls, while times may go back and forth between calls: a core presents its accesses in
program order, each at its own time. That is the one approximation of this model.
"""

from __future__ import annotations

from hwmodel.cryo.dram._kernels import dram_read
from hwmodel.cryo.lines._kernels import (
    find,
    first_free,
    forget,
    insert,
    promote,
    take_mshr,
    train,
    waiting,
)
from hwmodel.cryo.owners._kernels import from_owner, is_elsewhere, is_given
from hwmodel.cryo.ports._kernels import port_access
from hwmodel.cryo.words._kernels import (
    COUNT,
    DIRTY,
    E_ALLOCATE,
    E_ARRAY,
    E_EARLY,
    E_HELD,
    E_OWNER,
    E_PREFETCH,
    E_STORE,
    E_THROUGH,
    FETCH,
    H_COHERENCE,
    H_READY,
    HISTOGRAM,
    L_BLOCKS,
    L_BUS_ANSWER,
    L_BUS_DEN,
    L_BUS_HEADER,
    L_BUS_LINE,
    L_BUS_NUM,
    L_BUS_REQUEST,
    L_DEN,
    L_FILL,
    L_FILL_HOLDS,
    L_FLIGHT,
    L_HIT,
    L_INTERVAL,
    L_NEXT,
    L_NUM,
    L_ON_FETCH,
    L_ON_HIT,
    L_PORTS,
    L_PREFETCH,
    L_RESERVE,
    L_REST,
    L_TAG,
    LEVEL,
    LINE_BITS,
    MORE,
    N_BLOCKED,
    N_LATENCY,
    N_MERGED,
    N_PORT,
    N_PREFETCH_MISSES,
    N_PREFETCH_REQUESTS,
    N_PREFETCH_USEFUL,
    N_PREFETCHES,
    N_READ_MISSES,
    N_READS,
    N_WRITE_MISSES,
    N_WRITES,
    P_LEVEL,
    P_LEVELS,
    P_NEXT,
    PATH,
    PENDING,
    PREFETCH,
    PREFETCHED,
    Q_LINE,
    Q_PC,
    Q_TIME,
    READ,
    S_BIN,
    S_BLOCK_FROM,
    S_BLOCK_TO,
    S_LATENCY,
    SHARED,
    STATE,
    WRITE,
    after,
    edge,
    take_slot,
    time_of,
)
from hwmodel.cryo.writes._kernels import (
    announce,
    array_cycle,
    give_way,
    hit_time,
    leave,
    write_back,
    write_through,
)
from hwmodel.kernel.compiled import Ints, inlined, jit


@jit
def latency_bin(time: int) -> int:
    """Return the histogram bin of a latency: four bins an octave, from a picosecond up."""
    ps = time // 1000
    if ps < 4:
        return max(0, ps)
    octave = 0
    while ps >= 8:
        ps >>= 1
        octave += 1
    return min(63, 4 * octave + ps)


@jit
def go_down(w: Ints, k: int, address: int, t: int, kind: int, pc: int, own: bool) -> int:
    """Follow a request from level k down to where it hits, up again, and return when its data arrives.

    `own` marks a prefetch of level k itself: it goes down without looking into level k first.
    """
    line = address >> LINE_BITS
    depth = 0
    shared = 0
    data = t
    header = 0  # time after t at which the whole request is there, where it is looked up before
    upgrade = False  # a store found its line, and asks for permission only
    moved = 0  # what the line brings to the level above: DIRTY, SHARED or nothing
    while True:
        num = w[LEVEL + k * 32 + L_NUM]
        den = w[LEVEL + k * 32 + L_DEN]
        skip = own and depth == 0
        store = kind == WRITE and depth == 0
        if not skip and w[STATE + k * 8 + S_BLOCK_FROM] <= t < w[STATE + k * 8 + S_BLOCK_TO]:
            w[COUNT + k * 16 + N_BLOCKED] += w[STATE + k * 8 + S_BLOCK_TO] - t
            t = w[STATE + k * 8 + S_BLOCK_TO]
        cycle = edge(t, num, den)
        if w[LEVEL + k * 32 + L_INTERVAL] > 0 and not skip:
            if w[MORE + k * 16 + E_ARRAY]:
                taken = array_cycle(w, k, line, cycle, store)
            else:
                taken = take_slot(
                    w, 3 * k, cycle, w[LEVEL + k * 32 + L_PORTS], w[LEVEL + k * 32 + L_INTERVAL]
                )
            if taken > cycle:
                w[COUNT + k * 16 + N_PORT] += time_of(taken - cycle, num, den)
            cycle = taken
        if not skip:
            if store:
                w[COUNT + k * 16 + N_WRITES] += 1
            elif kind == PREFETCH:
                w[COUNT + k * 16 + N_PREFETCH_REQUESTS] += 1
            elif not upgrade:
                w[COUNT + k * 16 + N_READS] += 1
            place = find(w, k, line)
            if place >= 0 and not (store and w[place] & SHARED):
                arrived = w[w[H_READY] + place]
                word = w[place]
                prefetched = word & PREFETCHED
                shared = 0 if w[MORE + k * 16 + E_OWNER] else word & SHARED
                if prefetched:
                    w[COUNT + k * 16 + N_PREFETCH_USEFUL] += 1
                    word &= ~PREFETCHED
                if store:
                    if not w[MORE + k * 16 + E_THROUGH]:
                        word |= DIRTY
                elif word & DIRTY and depth > 0 and w[MORE + k * 16 + E_OWNER] and kind != FETCH:
                    # Who is given a line that was waited for here may not own it, unless it asked for that.
                    moved = DIRTY if arrived <= t or kind == WRITE else SHARED
                    if moved == DIRTY:
                        word &= ~DIRTY
                w[place] = word
                promote(w, k, line, place)
                if depth == 0 and not store and arrived + w[LEVEL + k * 32 + L_REST] <= t:
                    data = time_of(cycle + w[LEVEL + k * 32 + L_HIT], num, den)
                else:
                    late = edge(header, num, den) if header > 0 else 0
                    data = hit_time(w, k, cycle, t, arrived, late, store, depth == 0)
                if arrived > t:
                    w[COUNT + k * 16 + N_MERGED] += 1
                    miss(w, k, READ if kind == WRITE and depth > 0 else kind)
                if (
                    w[LEVEL + k * 32 + L_PREFETCH]
                    and (arrived > t or (prefetched and w[LEVEL + k * 32 + L_ON_HIT]))
                    and (kind != FETCH or w[LEVEL + k * 32 + L_ON_FETCH])
                ):
                    train(w, k, pc, address, t)
                if store and w[MORE + k * 16 + E_THROUGH]:
                    write_through(w, k, line, data)
                break
            if place >= 0:
                upgrade = True
                arrived = w[w[H_READY] + place]
                if arrived > t:
                    w[COUNT + k * 16 + N_MERGED] += 1
                    t = arrived + w[LEVEL + k * 32 + L_REST]
                    cycle = max(cycle, edge(t, num, den))
            # A level below that lost the line passes on what a store asks for: no line comes, and none is missed.
            asked = upgrade and depth > 0
            if not asked:
                # Below the first level a store asks for the line like a load; writes there are lines written back.
                miss(w, k, READ if kind == WRITE and depth > 0 else kind)
                if w[LEVEL + k * 32 + L_PREFETCH] and (kind != FETCH or w[LEVEL + k * 32 + L_ON_FETCH]):
                    train(w, k, pc, address, t)
            if store and not w[MORE + k * 16 + E_ALLOCATE]:
                data = time_of(cycle + w[MORE + k * 16 + E_STORE], num, den)
                write_through(w, k, line, data)
                break
        free = first_free(w, k, 0)
        if free > t:
            w[COUNT + k * 16 + N_BLOCKED] += free - t
            t = free
            cycle = max(cycle, edge(t, num, den))
        w[PATH + depth * 2 + 0] = k
        w[PATH + depth * 2 + 1] = t
        depth += 1
        looked = w[MORE + k * 16 + E_PREFETCH] if skip else w[LEVEL + k * 32 + L_TAG]
        t = time_of(cycle + looked, num, den) + header
        num = w[LEVEL + k * 32 + L_BUS_NUM]
        den = w[LEVEL + k * 32 + L_BUS_DEN]
        if skip and w[MORE + k * 16 + E_HELD]:
            give_way(w, k, t)
        begin = edge(t, num, den)
        bus = take_slot(w, 3 * k + 1, begin, 1, max(1, w[LEVEL + k * 32 + L_BUS_HEADER]))
        header = 0
        if w[MORE + k * 16 + E_EARLY]:
            # A request that finds the bus free enters it between edges; one that waited enters at an edge.
            if bus > begin:
                t = time_of(bus, num, den)
            header = time_of(bus + w[LEVEL + k * 32 + L_BUS_REQUEST], num, den) - t
        else:
            t = time_of(bus + w[LEVEL + k * 32 + L_BUS_REQUEST], num, den)
        t += w[LEVEL + k * 32 + L_FLIGHT]
        k = w[LEVEL + k * 32 + L_NEXT]
        if k < 0:
            data = dram_read(w, line, t) + header
            break
        if w[H_COHERENCE] and is_given(w, k):
            data = from_owner(w, t)
            break
    w[PATH + 7 * 2 + 0] = depth
    while depth > 0:
        depth -= 1
        k = w[PATH + depth * 2 + 0]
        num = w[LEVEL + k * 32 + L_BUS_NUM]
        den = w[LEVEL + k * 32 + L_BUS_DEN]
        bus = take_slot(
            w,
            3 * k + 2,
            edge(data + w[LEVEL + k * 32 + L_FLIGHT], num, den),
            1,
            w[LEVEL + k * 32 + L_BUS_HEADER] + (0 if upgrade else w[LEVEL + k * 32 + L_BUS_LINE]),
        )
        arrival = time_of(bus + w[LEVEL + k * 32 + L_BUS_ANSWER], num, den)
        if upgrade:
            place = find(w, k, line)
            if place >= 0:
                w[place] = (w[place] | DIRTY) & ~SHARED
        else:
            flags = 0
            if kind == WRITE and depth == 0 and not w[MORE + k * 16 + E_THROUGH]:
                flags = DIRTY
            if kind == PREFETCH and own and depth == 0:
                flags = PREFETCHED
            if moved == DIRTY and depth > 0:
                if kind != WRITE:
                    flags |= DIRTY
                    moved = SHARED
            else:
                flags |= moved | shared
            out = insert(w, k, line, flags, arrival)
            if out >= 0:
                if leave(w, k, out):
                    taken = write_back(w, k, out, arrival)
                    if taken > arrival:
                        arrival = taken
                        w[w[H_READY] + find(w, k, line)] = arrival
                elif w[MORE + k * 16 + E_OWNER]:
                    announce(w, k, out >> 3, arrival)
        data = after(
            arrival, w[LEVEL + k * 32 + L_FILL], w[LEVEL + k * 32 + L_NUM], w[LEVEL + k * 32 + L_DEN]
        )
        take_mshr(w, k, w[PATH + depth * 2 + 1], data if w[LEVEL + k * 32 + L_FILL_HOLDS] else arrival)
        if w[LEVEL + k * 32 + L_BLOCKS] and (not own or depth > 0):
            free = first_free(w, k, 0)
            if free > w[PATH + depth * 2 + 1]:
                w[STATE + k * 8 + S_BLOCK_FROM] = w[PATH + depth * 2 + 1]
                w[STATE + k * 8 + S_BLOCK_TO] = free
        if kind == WRITE and depth == 0 and w[MORE + k * 16 + E_THROUGH]:
            write_through(w, k, line, data)
    return data


@jit
def miss(w: Ints, k: int, kind: int) -> None:
    """Count a miss of level k under its kind."""
    if kind == WRITE:
        w[COUNT + k * 16 + N_WRITE_MISSES] += 1
    elif kind == PREFETCH:
        w[COUNT + k * 16 + N_PREFETCH_MISSES] += 1
    else:
        w[COUNT + k * 16 + N_READ_MISSES] += 1


@jit
def send_prefetches(w: Ints, until: int) -> None:
    """Send the prefetches that may go by a time, and those that these cause further down.

    The first of a level's queue goes next, from its time on, once enough miss registers are free; of all levels' the
    earliest. One whose line has come in the meantime, or is on its way, is dropped.
    """
    while w[PENDING + P_LEVELS] > 0:
        t = 0
        k = -1
        for n in range(w[PENDING + P_LEVELS]):
            level = w[PENDING + P_LEVEL + n]
            begin = max(
                w[waiting(w, level, 0) + Q_TIME], first_free(w, level, w[LEVEL + level * 32 + L_RESERVE])
            )
            if k < 0 or begin < t:
                t = begin
                k = level
        if t > until:
            w[PENDING + P_NEXT] = t
            return
        entry = waiting(w, k, 0)
        line = w[entry + Q_LINE]
        pc = w[entry + Q_PC]
        forget(w, k)
        if find(w, k, line) >= 0 or (w[H_COHERENCE] and is_elsewhere(w, k, line)):
            continue
        w[COUNT + k * 16 + N_PREFETCHES] += 1
        go_down(w, k, line << LINE_BITS, t, PREFETCH, pc, True)


@jit
def access(w: Ints, k: int, address: int, t: int, kind: int, pc: int) -> int:
    """Send one access of a core to level k at time t; return when its data is at the core.

    `address` is physical (see `physical`), or negative where it is that of a mapped port. `kind` is READ, WRITE or
    FETCH.
    """
    if address < 0:
        return port_access(w, address, t, kind)
    catch_up(w, t)
    return finish(w, k, t, go_down(w, k, address, t, kind, pc, False), kind)


@inlined
def catch_up(w: Ints, t: int) -> None:
    """Send the prefetches that go before an access at time t."""
    if w[PENDING + P_LEVELS] > 0 and w[PENDING + P_NEXT] <= t:
        send_prefetches(w, t)


@jit
def finish(w: Ints, k: int, t: int, data: int, kind: int) -> int:
    """Note how deep an access went, and count the latency of a read; return when its data is there."""
    w[PATH + 7 * 2 + 1] = w[PATH + 7 * 2 + 0]
    if kind != WRITE:
        count_latency(w, k, data - t)
    return data


@inlined
def count_latency(w: Ints, k: int, latency: int) -> None:
    """Count the latency of a read of level k."""
    w[COUNT + k * 16 + N_LATENCY] += latency
    if latency != w[STATE + k * 8 + S_LATENCY]:
        w[STATE + k * 8 + S_LATENCY] = latency
        w[STATE + k * 8 + S_BIN] = latency_bin(latency)
    w[HISTOGRAM + k * 64 + w[STATE + k * 8 + S_BIN]] += 1


@jit
def touch(w: Ints, k: int, line: int, write: bool) -> None:
    """Bring a line into level k and those below it that lack it, without any timing."""
    dirty = DIRTY if write else 0
    while k >= 0:
        place = find(w, k, line)
        if place >= 0:
            w[place] |= dirty
            promote(w, k, line, place)
            return
        out = insert(w, k, line, dirty, 0)
        below = w[LEVEL + k * 32 + L_NEXT]
        if out >= 0 and leave(w, k, out) and below >= 0:
            spill(w, below, out)
        dirty = 0
        k = below


@jit
def spill(w: Ints, k: int, word: int) -> None:
    """Put a dirty line into level k and go on down with what that pushes out, without any timing."""
    while k >= 0:
        place = find(w, k, word >> 3)
        if place >= 0:
            w[place] |= DIRTY
            return
        flags = DIRTY
        if w[LEVEL + k * 32 + L_NEXT] >= 0 and not w[MORE + k * 16 + E_OWNER]:
            flags |= word & SHARED
        out = insert(w, k, word >> 3, flags, 0)
        if out < 0 or not leave(w, k, out):
            return
        word = out
        k = w[LEVEL + k * 32 + L_NEXT]
