"""What a level of the timed hierarchy does beside reads: lines that leave it, stores that go through it, its array.

Every function takes the words `w` (see `words`), mostly with the number k of a cache level.
"""

from __future__ import annotations

from hwmodel.cryo.dram._kernels import dram_write
from hwmodel.cryo.lines._kernels import drop, find, insert, promote
from hwmodel.cryo.words._kernels import (
    ARRAY_DESTRUCTIVE,
    ARRAY_SHIFT,
    BUFFER,
    COUNT,
    DIRTY,
    E_ARRAY,
    E_BUFFER,
    E_EARLY,
    E_FIRST,
    E_HELD,
    E_LOOP,
    E_OWNER,
    E_RESTORE,
    E_SHIFT_DEN,
    E_SHIFT_NUM,
    E_STORE,
    E_THROUGH,
    L_ABOVE,
    L_BUS_DEN,
    L_BUS_HEADER,
    L_BUS_LINE,
    L_BUS_NUM,
    L_DEN,
    L_FILL,
    L_HIT,
    L_INCLUSIVE,
    L_INTERVAL,
    L_NEXT,
    L_NUM,
    L_PORTS,
    L_REST,
    L_SETS,
    LEVEL,
    MAX_BUFFER,
    MORE,
    N_WRITE_MISSES,
    N_WRITEBACKS,
    N_WRITES,
    SHARED,
    after,
    edge,
    take_slot,
    time_of,
)
from hwmodel.kernel.compiled import Ints, jit


@jit
def pass_down(w: Ints, k: int, t: int, announced: bool) -> int:
    """Book the bus below level k for a line, or for a header alone, from time t on; return when it has passed."""
    num = w[LEVEL + k * 32 + L_BUS_NUM]
    den = w[LEVEL + k * 32 + L_BUS_DEN]
    length = w[LEVEL + k * 32 + L_BUS_HEADER] + (0 if announced else w[LEVEL + k * 32 + L_BUS_LINE])
    return time_of(take_slot(w, 3 * k + 1, edge(t, num, den), 1, length) + length, num, den)


@jit
def send_write(w: Ints, k: int, t: int, announced: bool) -> int:
    """Send a line that left level k (or only the news of it) down its bus; return when that could be given away.

    Without a write buffer it takes the bus at once. A buffer lets requests go first: an entry takes the first gap
    that they left, which is known only when its place is needed, and then it may be late.
    """
    size = w[MORE + k * 16 + E_BUFFER]
    if size == 0:
        pass_down(w, k, t, announced)
        return t
    if w[MORE + k * 16 + E_HELD] >= size:
        oldest = w[BUFFER + k * MAX_BUFFER + w[MORE + k * 16 + E_FIRST]]
        if oldest >> 1 > t:
            # Calls go back in time: at t the buffer had room.
            pass_down(w, k, t, announced)
            return t
        w[MORE + k * 16 + E_FIRST] = (w[MORE + k * 16 + E_FIRST] + 1) & (MAX_BUFFER - 1)
        w[MORE + k * 16 + E_HELD] -= 1
        t = max(t, pass_down(w, k, oldest >> 1, (oldest & 1) != 0))
    place = (w[MORE + k * 16 + E_FIRST] + w[MORE + k * 16 + E_HELD]) & (MAX_BUFFER - 1)
    w[BUFFER + k * MAX_BUFFER + place] = t << 1 | announced
    w[MORE + k * 16 + E_HELD] += 1
    return t


@jit
def give_way(w: Ints, k: int, t: int) -> None:
    """Let the write buffer of level k go before a prefetch that could go at time t."""
    while w[MORE + k * 16 + E_HELD] > 0:
        oldest = w[BUFFER + k * MAX_BUFFER + w[MORE + k * 16 + E_FIRST]]
        if oldest >> 1 > t:
            return
        w[MORE + k * 16 + E_FIRST] = (w[MORE + k * 16 + E_FIRST] + 1) & (MAX_BUFFER - 1)
        w[MORE + k * 16 + E_HELD] -= 1
        pass_down(w, k, oldest >> 1, (oldest & 1) != 0)


@jit
def leave(w: Ints, k: int, word: int) -> bool:
    """Note that a line left level k; where the level is inclusive it leaves the levels above. Is it dirty?"""
    dirty = word & DIRTY
    if w[LEVEL + k * 32 + L_INCLUSIVE]:
        above = w[LEVEL + k * 32 + L_ABOVE]
        j = 0
        while above:
            if above & 1:
                gone = drop(w, j, word >> 3)
                if gone >= 0:
                    dirty |= gone & DIRTY
            above >>= 1
            j += 1
    return dirty != 0


@jit
def write_back(w: Ints, k: int, word: int, t: int) -> int:
    """Send a dirty line, with its flags, from level k to the level below, and on from there as far as it goes.

    Return when level k could give it away; a level below that has no room holds it up.
    """
    begun = -1
    while True:
        line = word >> 3
        w[COUNT + k * 16 + N_WRITEBACKS] += 1
        below = w[LEVEL + k * 32 + L_NEXT]
        t = send_write(w, k, t, False)
        begun = t if begun < 0 else max(begun, t)
        if below < 0:
            dram_write(w, line, t)
            return begun
        w[COUNT + below * 16 + N_WRITES] += 1
        place = find(w, below, line)
        if place >= 0:
            w[place] |= DIRTY
            promote(w, below, line, place)
            return begun
        w[COUNT + below * 16 + N_WRITE_MISSES] += 1
        flags = DIRTY
        if w[LEVEL + below * 32 + L_NEXT] >= 0 and not w[MORE + below * 16 + E_OWNER]:
            flags |= word & SHARED  # what other cores hold they hold behind this level too
        out = insert(w, below, line, flags, t)
        if out < 0 or not leave(w, below, out):
            return begun
        word = out
        k = below


@jit
def write_through(w: Ints, k: int, line: int, t: int) -> None:
    """Send a store from level k to the first level below that keeps what it is given, or to the memory."""
    while True:
        below = w[LEVEL + k * 32 + L_NEXT]
        take_slot(
            w,
            3 * k + 1,
            edge(t, w[LEVEL + k * 32 + L_BUS_NUM], w[LEVEL + k * 32 + L_BUS_DEN]),
            1,
            w[LEVEL + k * 32 + L_BUS_HEADER] + min(1, w[LEVEL + k * 32 + L_BUS_LINE]),
        )
        if below < 0:
            dram_write(w, line, t)
            return
        w[COUNT + below * 16 + N_WRITES] += 1
        place = find(w, below, line)
        if place >= 0:
            promote_first = promote(w, below, line, place)
            if not w[MORE + below * 16 + E_THROUGH]:
                w[promote_first] |= DIRTY
                return
        else:
            w[COUNT + below * 16 + N_WRITE_MISSES] += 1
        k = below


@jit
def announce(w: Ints, k: int, line: int, t: int) -> None:
    """Tell the level below that a clean line left level k, unless a level above k still has it."""
    above = w[LEVEL + k * 32 + L_ABOVE]
    j = 0
    while above:
        if above & 1 and find(w, j, line) >= 0:
            return
        above >>= 1
        j += 1
    send_write(w, k, t, True)


@jit
def array_cycle(w: Ints, k: int, line: int, cycle: int, store: bool) -> int:
    """Return the cycle in which an array that is no plain one begins an access, and book its port.

    An array that loses what is read writes it back before its next access. A line of a shift register is there when
    its word has come round; the tags are plain, so that a miss does not wait.
    """
    more = MORE + k * 16
    hit = find(w, k, line) >= 0
    length = w[LEVEL + k * 32 + L_INTERVAL]
    if w[more + E_ARRAY] == ARRAY_DESTRUCTIVE and hit and not store:
        length = w[more + E_RESTORE]
    if length > 0:
        cycle = take_slot(w, 3 * k, cycle, w[LEVEL + k * 32 + L_PORTS], length)
    if w[more + E_ARRAY] == ARRAY_SHIFT and hit:
        num = w[LEVEL + k * 32 + L_NUM]
        den = w[LEVEL + k * 32 + L_DEN]
        loop = w[more + E_LOOP]
        shift = edge(cycle * num // den, w[more + E_SHIFT_NUM], w[more + E_SHIFT_DEN])
        shift += ((line & (w[LEVEL + k * 32 + L_SETS] - 1)) - shift) % loop
        cycle = edge(shift * w[more + E_SHIFT_NUM] // w[more + E_SHIFT_DEN], num, den)
    return cycle


@jit
def hit_time(w: Ints, k: int, cycle: int, t: int, arrived: int, late: int, store: bool, first: bool) -> int:
    """Return when a level answers a request that found its line, which came (or comes) at `arrived`.

    `late` is how many cycles after the look-up the request itself is there. Where lines cut through, an access to a
    line on its way is answered with it, and one to a line whose last word is not there yet waits for it first.
    """
    num = w[LEVEL + k * 32 + L_NUM]
    den = w[LEVEL + k * 32 + L_DEN]
    latency = w[MORE + k * 16 + E_STORE] if store else w[LEVEL + k * 32 + L_HIT]
    if not w[MORE + k * 16 + E_EARLY]:
        return max(time_of(cycle + late + latency, num, den), arrived + w[LEVEL + k * 32 + L_REST])
    if arrived > t:
        if first:
            return arrived + w[LEVEL + k * 32 + L_REST]
        return after(arrived, w[LEVEL + k * 32 + L_FILL], num, den)
    cycle += late + latency
    if not store and arrived + w[LEVEL + k * 32 + L_REST] > t:
        tail = edge(arrived + w[LEVEL + k * 32 + L_REST] - t, num, den)
        if tail > late + latency:
            cycle += tail
    return time_of(cycle, num, den)
