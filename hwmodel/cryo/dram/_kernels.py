"""A channel of DRAM: banks and ranks, the controller's queues, and the order in which it serves them.

A controller decides what goes next only a little before the data bus is free, and reads of an open row go first; so
when a read comes, those that wait before it may still be passed. Here a read is told at once when its line will come,
by a look ahead on a copy of the controller; when a later one passes it, the lines already promised are moved.

Every function takes the words `w` (see `words`); `s` is where a controller's words begin: those of the live one, or
of the copy on which the look ahead is made.
"""

from __future__ import annotations

from hwmodel.cryo.banks._kernels import held_read, held_write, place_of
from hwmodel.cryo.lines._kernels import find
from hwmodel.cryo.words._kernels import (
    AHEAD,
    B_ACTIVE,
    B_COLUMN,
    B_HITS,
    B_PRECHARGE,
    B_ROW,
    BANK_WORDS,
    CHANNEL,
    D_BANKS,
    D_BURST,
    D_CL,
    D_CLOCK,
    D_CONTROLLER,
    D_CS,
    D_CWL,
    D_FAW,
    D_HIGH,
    D_HOLDS,
    D_LEVELS,
    D_LOW,
    D_MAX_ROW,
    D_RANKS,
    D_RAS,
    D_RCD,
    D_REFI,
    D_RFC,
    D_ROW_LINES,
    D_RP,
    D_RRD,
    D_RTP,
    D_TURN,
    D_WR,
    D_WTR,
    DRAM,
    DRAMS,
    H_READY,
    K_ACTIVE,
    K_PLACE,
    K_READ,
    K_WINDOW,
    K_WRITE,
    L_DEN,
    L_FILL,
    L_FILL_HOLDS,
    L_MSHRS,
    L_NUM,
    LEVEL,
    M_BUSY,
    M_READS,
    M_ROW_HITS,
    M_WRITES,
    MAX_READS,
    MAX_WRITES,
    MSHR,
    NEVER,
    R_BANK,
    R_HIT,
    R_INDEX,
    R_LINE,
    R_PLAN,
    R_READY,
    R_ROW,
    R_TIME,
    RANK_WORDS,
    READ_WORDS,
    X_BANKS,
    X_BURST,
    X_DECIDE,
    X_EPOCH,
    X_EVENT,
    X_FILTER,
    X_NEXT,
    X_RANKS,
    X_READ,
    X_READS,
    X_SERVED,
    X_WRITE,
    X_WRITES,
    X_WRITING,
    after,
)
from hwmodel.kernel.compiled import Ints, inlined, jit

# Reads come a little out of order, so that a decision is final only when later ones have come this much after it; ten
# or a hundred nanoseconds give the same misses.
SETTLED = 20_000_000
# Reads or writes that a controller serves at least before it turns the bus (gem5 v24, MemCtrl.py).
SWITCH = 16


@jit
def dram_write(w: Ints, line: int, t: int) -> None:
    """Queue a line for writing."""
    w[DRAMS + M_WRITES] += 1
    if w[DRAM + D_HOLDS]:
        held_write(w, t)
        return
    for n in range(w[CHANNEL + X_WRITES]):
        if w[CHANNEL + X_WRITE + n * READ_WORDS + R_LINE] == line:
            return
    while w[CHANNEL + X_WRITES] == MAX_WRITES:
        # It goes on to later times until writes have their turn, also where all of them are yet to come.
        decide(w, CHANNEL)
    entry = CHANNEL + X_WRITE + w[CHANNEL + X_WRITES] * READ_WORDS
    fill(w, entry, line, t)
    w[CHANNEL + X_FILTER] |= 1 << (line & 31)
    w[CHANNEL + X_WRITES] += 1
    if w[CHANNEL + X_WRITES] > w[DRAM + D_LOW]:
        w[CHANNEL + X_EVENT] = min(w[CHANNEL + X_EVENT], max(w[CHANNEL + X_DECIDE], t))


@jit
def fill(w: Ints, entry: int, line: int, t: int) -> None:
    """Write a request into an entry of a queue."""
    w[entry + R_LINE] = line
    w[entry + R_TIME] = t
    w[entry + R_BANK] = place_of(w, line)
    w[entry + R_ROW] = line // (w[DRAM + D_ROW_LINES] * w[DRAM + D_BANKS])
    w[entry + R_READY] = 0


@jit
def dram_read(w: Ints, line: int, t: int) -> int:
    """Return when a line read at time t leaves the memory controller."""
    clock = w[DRAM + D_CLOCK]
    if clock > 0:
        t = (t + clock - 1) // clock * clock
    w[DRAMS + M_READS] += 1
    if w[DRAM + D_HOLDS]:
        return held_read(w, line, t)
    while w[CHANNEL + X_EVENT] < t - SETTLED:
        decide(w, CHANNEL)
    if w[CHANNEL + X_FILTER] & (1 << (line & 31)):
        for n in range(w[CHANNEL + X_WRITES]):
            if w[CHANNEL + X_WRITE + n * READ_WORDS + R_LINE] == line:
                return t + w[DRAM + D_CONTROLLER] // 2  # what waits to be written is at hand
    while w[CHANNEL + X_READS] == MAX_READS:
        decide(w, CHANNEL)
    w[DRAMS + M_BUSY] += w[DRAM + D_BURST]
    last = w[CHANNEL + X_READS]
    entry = CHANNEL + X_READ + last * READ_WORDS
    fill(w, entry, line, t)
    w[CHANNEL + X_READS] = last + 1
    w[CHANNEL + X_EVENT] = min(w[CHANNEL + X_EVENT], max(w[CHANNEL + X_DECIDE], t))
    for n in range(last):
        w[DRAMS + M_ROW_HITS] -= w[CHANNEL + X_READ + n * READ_WORDS + R_HIT]
    look_ahead(w)
    for n in range(last):
        other = CHANNEL + X_READ + n * READ_WORDS
        w[DRAMS + M_ROW_HITS] += w[other + R_HIT]
        if w[other + R_PLAN] != w[other + R_READY]:
            move(w, w[other + R_LINE], w[other + R_READY], w[other + R_PLAN] - w[other + R_READY])
            w[other + R_READY] = w[other + R_PLAN]
    w[entry + R_READY] = w[entry + R_PLAN]
    w[DRAMS + M_ROW_HITS] += w[entry + R_HIT]
    return w[entry + R_READY]


@jit
def look_ahead(w: Ints) -> None:
    """Note in each read that waits when its line will leave the controller, if nothing more comes."""
    for n in range(X_BANKS + w[DRAM + D_BANKS] * BANK_WORDS):
        w[AHEAD + n] = w[CHANNEL + n]
    for n in range(w[CHANNEL + X_READS]):
        w[CHANNEL + X_READ + n * READ_WORDS + R_INDEX] = n
        for m in range(READ_WORDS):
            w[AHEAD + X_READ + n * READ_WORDS + m] = w[CHANNEL + X_READ + n * READ_WORDS + m]
    for n in range(w[CHANNEL + X_WRITES] * READ_WORDS):
        w[AHEAD + X_WRITE + n] = w[CHANNEL + X_WRITE + n]
    while w[AHEAD + X_READS] > 0:
        decide(w, AHEAD)


@jit
def move(w: Ints, line: int, ready: int, delay: int) -> None:
    """Move the arrival of a line in the caches, and the releases of the miss registers that wait for it."""
    for k in range(w[DRAM + D_LEVELS]):
        place = find(w, k, line)
        if place >= 0 and w[w[H_READY] + place] >= ready:
            arrival = w[w[H_READY] + place]
            w[w[H_READY] + place] = arrival + delay
            num = w[LEVEL + k * 32 + L_NUM]
            den = w[LEVEL + k * 32 + L_DEN]
            if w[LEVEL + k * 32 + L_FILL_HOLDS]:
                release(
                    w,
                    k,
                    after(arrival, w[LEVEL + k * 32 + L_FILL], num, den),
                    after(arrival + delay, w[LEVEL + k * 32 + L_FILL], num, den),
                )
            else:
                release(w, k, arrival, arrival + delay)


@jit
def release(w: Ints, k: int, old: int, new: int) -> None:
    """Change the time at which a miss register of level k is released; they stay in ascending order."""
    first = MSHR + k * 64
    last = first + w[LEVEL + k * 32 + L_MSHRS] - 1
    place = first
    while w[place] != old:
        if place == last or w[place] > old:
            return
        place += 1
    while place < last and w[place + 1] < new:
        w[place] = w[place + 1]
        place += 1
    while place > first and w[place - 1] > new:
        w[place] = w[place - 1]
        place -= 1
    w[place] = new


@jit
def decide(w: Ints, s: int) -> None:
    """Serve the request whose turn it is, or turn the bus, or wait for a request."""
    now = w[s + X_EVENT]
    if w[DRAM + D_REFI] > 0:
        epoch = now // w[DRAM + D_REFI]
        if epoch > 0:
            if w[s + X_EPOCH] != epoch:
                w[s + X_EPOCH] = epoch
                for n in range(w[DRAM + D_BANKS]):
                    w[s + X_BANKS + n * BANK_WORDS + B_ROW] = -1
            now = max(now, epoch * w[DRAM + D_REFI] + w[DRAM + D_RFC])
    turned = w[s + X_NEXT] != w[s + X_WRITING]
    if turned:
        w[s + X_SERVED] = 0
        w[s + X_WRITING] = w[s + X_NEXT]
    if w[s + X_WRITING]:
        serve(w, s, X_WRITE, now, turned)
        writes = arrived(w, s, X_WRITE, w[s + X_WRITES], now)
        if (
            writes == 0
            or writes + SWITCH < w[DRAM + D_LOW]
            or (w[s + X_SERVED] >= SWITCH and arrived(w, s, X_READ, w[s + X_READS], now) > 0)
        ):
            w[s + X_NEXT] = 0
    else:
        served = serve(w, s, X_READ, now, turned)
        bound = w[DRAM + D_HIGH] if served else w[DRAM + D_LOW]
        if w[s + X_WRITES] > bound and arrived(w, s, X_WRITE, w[s + X_WRITES], now) > bound:
            if not served or w[s + X_SERVED] >= SWITCH or arrived(w, s, X_READ, w[s + X_READS], now) == 0:
                w[s + X_NEXT] = 1
        elif not served:
            event = NEVER
            for n in range(w[s + X_READS]):
                event = min(event, w[s + X_READ + n * READ_WORDS + R_TIME])
            if w[s + X_WRITES] > w[DRAM + D_LOW]:
                # more writes than may wait are to come: look again when the next one does
                for n in range(w[s + X_WRITES]):
                    if w[s + X_WRITE + n * READ_WORDS + R_TIME] > now:
                        event = min(event, w[s + X_WRITE + n * READ_WORDS + R_TIME])
            w[s + X_EVENT] = max(event, now)
            return
    w[s + X_EVENT] = max(w[s + X_DECIDE], now)


@jit
def arrived(w: Ints, s: int, queue: int, count: int, now: int) -> int:
    """Return how many requests of a queue are there at a time."""
    there = 0
    for n in range(count):
        if w[s + queue + n * READ_WORDS + R_TIME] <= now:
            there += 1
    return there


@jit
def choose(w: Ints, s: int, queue: int, count: int, now: int, soonest: int) -> int:
    """Return which request of a queue goes first, or -1 if none is there yet.

    The first that finds its row open and may have the bus as soon as it is free; else the first whose row can be opened
    by then; else the first that finds its row open; else the first of the banks that can be opened soonest.
    """
    column = K_WRITE if queue == X_WRITE else K_READ
    per_rank = w[DRAM + D_BANKS] // w[DRAM + D_RANKS]
    open_row = -1
    opened = NEVER  # earliest activation of a bank that is waited for
    seamless = False
    for n in range(count):
        entry = s + queue + n * READ_WORDS
        if w[entry + R_TIME] > now:
            continue
        bank = s + X_BANKS + w[entry + R_BANK] * BANK_WORDS
        rank = s + X_RANKS + w[entry + R_BANK] // per_rank * RANK_WORDS
        allowed = max(w[bank + B_COLUMN], w[rank + column])
        if w[bank + B_ROW] == w[entry + R_ROW]:
            if allowed <= soonest:
                return n
            if open_row < 0:
                open_row = n
        active = activation(w, bank, rank, now)
        if max(allowed, active + w[DRAM + D_RCD]) <= soonest:
            seamless = True
        opened = min(opened, active)
    hidden = seamless or opened <= max(soonest - w[DRAM + D_RCD], now)
    if open_row >= 0 and not hidden:
        return open_row
    for n in range(count):
        entry = s + queue + n * READ_WORDS
        bank = s + X_BANKS + w[entry + R_BANK] * BANK_WORDS
        if w[entry + R_TIME] > now or w[bank + B_ROW] == w[entry + R_ROW]:
            continue
        rank = s + X_RANKS + w[entry + R_BANK] // per_rank * RANK_WORDS
        active = activation(w, bank, rank, now)
        if seamless:
            allowed = max(w[bank + B_COLUMN], w[rank + column])
            if max(allowed, active + w[DRAM + D_RCD]) <= soonest:
                return n
        elif active == opened:
            return n
    return open_row


@inlined
def activation(w: Ints, bank: int, rank: int, now: int) -> int:
    """Return when a row of a bank can be opened, the one that is open closed before it."""
    if w[bank + B_ROW] < 0:
        return max(w[bank + B_ACTIVE], w[rank + K_ACTIVE], now)
    return max(w[bank + B_PRECHARGE], now) + w[DRAM + D_RP]


@jit
def serve(w: Ints, s: int, queue: int, now: int, turned: bool) -> bool:
    """Serve the request of a queue that goes first, at time now; return False if there is none."""
    write = queue == X_WRITE
    size = X_WRITES if write else X_READS
    count = w[s + size]
    gap = 0
    if turned:
        other = w[DRAM + D_TURN] - w[DRAM + D_WTR] if write else w[DRAM + D_WTR]
        gap = min(other, w[DRAM + D_CS])
    n = choose(w, s, queue, count, now, max(w[s + X_BURST] + gap, now))
    if n < 0:
        return False
    entry = s + queue + n * READ_WORDS
    bank = s + X_BANKS + w[entry + R_BANK] * BANK_WORDS
    own = w[entry + R_BANK] // (w[DRAM + D_BANKS] // w[DRAM + D_RANKS])
    rank = s + X_RANKS + own * RANK_WORDS
    row = w[entry + R_ROW]
    hit = 1 if w[bank + B_ROW] == row else 0
    if hit == 0:
        activate(w, bank, rank, row, now)
    command = max(w[bank + B_COLUMN], w[rank + (K_WRITE if write else K_READ)], w[s + X_BURST], now)
    burst = w[DRAM + D_BURST]
    data = command + (w[DRAM + D_CWL] if write else w[DRAM + D_CL]) + burst
    for r in range(w[DRAM + D_RANKS]):
        to_read = to_write = burst + w[DRAM + D_CS]
        if r == own:
            to_read = burst + (w[DRAM + D_WTR] if write else 0)
            to_write = burst + (0 if write else w[DRAM + D_TURN] - w[DRAM + D_WTR])
        place = s + X_RANKS + r * RANK_WORDS
        w[place + K_READ] = max(w[place + K_READ], command + to_read)
        w[place + K_WRITE] = max(w[place + K_WRITE], command + to_write)
    until = data + w[DRAM + D_WR] if write else command + w[DRAM + D_RTP]
    w[bank + B_PRECHARGE] = max(w[bank + B_PRECHARGE], until)
    w[bank + B_HITS] += 1
    w[s + X_BURST] = command + burst
    w[s + X_DECIDE] = command + burst - w[DRAM + D_RP] - w[DRAM + D_RCD]
    w[s + X_SERVED] += 1
    if last_use(w, s, queue, count, n, now):
        w[bank + B_ROW] = -1
        w[bank + B_ACTIVE] = max(w[bank + B_ACTIVE], max(w[bank + B_PRECHARGE], now) + w[DRAM + D_RP])
    data += w[DRAM + D_CONTROLLER]
    if s == CHANNEL:
        if write:
            w[DRAMS + M_BUSY] += burst
        elif w[entry + R_READY] != data:
            # writes that came since have turned the bus
            move(w, w[entry + R_LINE], w[entry + R_READY], data - w[entry + R_READY])
    elif not write:
        asked = CHANNEL + X_READ + w[entry + R_INDEX] * READ_WORDS
        w[asked + R_PLAN] = data
        w[asked + R_HIT] = hit
    for word in range(entry, s + queue + (count - 1) * READ_WORDS):
        w[word] = w[word + READ_WORDS]
    w[s + size] = count - 1
    if write and count == 1:
        w[s + X_FILTER] = 0
    return True


@jit
def activate(w: Ints, bank: int, rank: int, row: int, now: int) -> None:
    """Open a row of a bank, no sooner than the rank takes another one."""
    if w[bank + B_ROW] >= 0:
        closed = max(w[bank + B_PRECHARGE], now) + w[DRAM + D_RP]
        w[bank + B_ACTIVE] = max(w[bank + B_ACTIVE], closed)
    active = max(w[bank + B_ACTIVE], w[rank + K_ACTIVE], now)
    w[bank + B_ROW] = row
    w[bank + B_HITS] = 0
    w[bank + B_PRECHARGE] = active + w[DRAM + D_RAS]
    w[bank + B_COLUMN] = active + w[DRAM + D_RCD]
    place = w[rank + K_PLACE]
    w[rank + K_WINDOW + place] = active
    place = (place + 1) & 3
    w[rank + K_PLACE] = place
    w[rank + K_ACTIVE] = max(active + w[DRAM + D_RRD], w[rank + K_WINDOW + place] + w[DRAM + D_FAW])


@jit
def last_use(w: Ints, s: int, queue: int, count: int, n: int, now: int) -> bool:
    """Say whether a row is closed after request n: it was used often enough, or the bank is wanted for another row."""
    entry = s + queue + n * READ_WORDS
    number = w[entry + R_BANK]
    if 0 < w[DRAM + D_MAX_ROW] <= w[s + X_BANKS + number * BANK_WORDS + B_HITS]:
        return True
    conflict = False
    for m in range(count):
        other = s + queue + m * READ_WORDS
        if m != n and w[other + R_BANK] == number and w[other + R_TIME] <= now:
            if w[other + R_ROW] == w[entry + R_ROW]:
                return False
            conflict = True
    return conflict
