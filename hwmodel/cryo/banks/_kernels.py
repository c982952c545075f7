"""Banks of DRAM: where a line lies, and a controller whose banks hold each access until it has left the data bus.

That controller is ChampSim's; one with queues and an order of service is in `dram`.
"""

from __future__ import annotations

from hwmodel.cryo.words._kernels import (
    B_ACTIVE,
    B_COLUMN,
    B_EPOCH,
    B_HITS,
    B_PRECHARGE,
    B_ROW,
    BANK_WORDS,
    CHANNEL,
    D_BANKS,
    D_BURST,
    D_CL,
    D_CLOCK,
    D_CLOSES,
    D_CONTROLLER,
    D_HIGH,
    D_LOW,
    D_MAX_ROW,
    D_RAS,
    D_RCD,
    D_REFI,
    D_RFC,
    D_ROW_LINES,
    D_RP,
    D_RRD,
    D_SPREAD,
    D_TURN,
    DRAM,
    DRAMS,
    H_SLOT_LAST,
    M_BUSY,
    M_LAST_ACTIVE,
    M_ROW_HITS,
    M_WRITES_WAITING,
    X_BANKS,
    take_slot,
)
from hwmodel.kernel.compiled import Ints, jit


@jit
def place_of(w: Ints, line: int) -> int:
    """Return the bank of a line; its row is `line // (row_lines * banks)`."""
    row_lines = w[DRAM + D_ROW_LINES]
    banks = w[DRAM + D_BANKS]
    if w[DRAM + D_SPREAD] == 0:
        return (line // row_lines) % banks
    number = line
    rest = line // (row_lines * banks)
    while rest > 0:
        number ^= rest
        rest //= banks
    return number % banks


@jit
def held_write(w: Ints, t: int) -> None:
    """Count a line for writing; a full queue is drained in one go, and its bus time is booked."""
    w[DRAMS + M_WRITES_WAITING] += 1
    if w[DRAMS + M_WRITES_WAITING] >= w[DRAM + D_HIGH]:
        lines = w[DRAMS + M_WRITES_WAITING] - w[DRAM + D_LOW]
        burst = w[DRAM + D_BURST]
        unit = w[DRAM + D_CLOCK] if w[DRAM + D_CLOCK] > 0 else burst
        turn = (w[DRAM + D_TURN] + unit - 1) // unit
        take_slot(w, w[H_SLOT_LAST], t // unit, 1, lines * (burst // unit) + turn)
        w[DRAMS + M_BUSY] += lines * burst
        w[DRAMS + M_WRITES_WAITING] = w[DRAM + D_LOW]


@jit
def held_read(w: Ints, line: int, t: int) -> int:
    """Return when a read leaves a controller whose banks hold each access until it has left the data bus."""
    row = line // (w[DRAM + D_ROW_LINES] * w[DRAM + D_BANKS])
    bank = CHANNEL + X_BANKS + place_of(w, line) * BANK_WORDS
    if w[DRAM + D_REFI] > 0:
        if w[DRAM + D_CLOSES] and w[bank + B_EPOCH] != t // w[DRAM + D_REFI]:
            w[bank + B_EPOCH] = t // w[DRAM + D_REFI]
            w[bank + B_ROW] = -1
        phase = t % w[DRAM + D_REFI]
        if phase < w[DRAM + D_RFC] and t >= w[DRAM + D_REFI]:
            t += w[DRAM + D_RFC] - phase
    t = max(t, w[bank + B_COLUMN])
    if w[bank + B_ROW] == row:
        column = t
        w[DRAMS + M_ROW_HITS] += 1
    else:
        active = t
        if w[bank + B_ROW] >= 0:
            active = max(active, w[bank + B_PRECHARGE]) + w[DRAM + D_RP]
        active = max(active, w[bank + B_ACTIVE])
        if 0 <= active - w[DRAMS + M_LAST_ACTIVE] < w[DRAM + D_RRD]:
            active = w[DRAMS + M_LAST_ACTIVE] + w[DRAM + D_RRD]
        w[DRAMS + M_LAST_ACTIVE] = max(active, w[DRAMS + M_LAST_ACTIVE])
        column = active + w[DRAM + D_RCD]
        w[bank + B_ROW] = row
        w[bank + B_PRECHARGE] = active + w[DRAM + D_RAS]
        w[bank + B_HITS] = 0
    burst = w[DRAM + D_BURST]
    w[DRAMS + M_BUSY] += burst
    # The data bus is booked in bursts, or in clocks where there is one; a request begins at the first free one after
    # its column access.
    unit = w[DRAM + D_CLOCK] if w[DRAM + D_CLOCK] > 0 else burst
    first = (column + w[DRAM + D_CL] + unit - 1) // unit
    slot = take_slot(w, w[H_SLOT_LAST], first, 1, burst // unit)
    data = max(slot * unit, column + w[DRAM + D_CL])
    w[bank + B_COLUMN] = data + burst
    w[bank + B_HITS] += 1
    w[bank + B_PRECHARGE] = max(w[bank + B_PRECHARGE], column + burst)  # a row is not closed under a read
    if 0 < w[DRAM + D_MAX_ROW] <= w[bank + B_HITS]:
        w[bank + B_ROW] = -1
        w[bank + B_ACTIVE] = max(w[bank + B_PRECHARGE], column + burst) + w[DRAM + D_RP]
    return data + burst + w[DRAM + D_CONTROLLER]
