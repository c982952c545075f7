"""The buffer of decoded instructions in front of the out-of-order core, and loads that look stores up by address.

With such a buffer fetch reads no lines: it follows the predicted path, and an instruction whose window of the program
is in the buffer goes on at once, while one whose window is not there waits for its line and then for the decoder,
which puts the window into the buffer.
"""

from __future__ import annotations

from hwmodel.cryo.core._kernels import (
    C_FETCH,
    C_FETCH_DECODE,
    C_FETCH_QUEUE,
    C_LOAD_DELAY,
    C_LOAD_PORTS,
    C_MERGE,
    C_SQ,
    C_UOP_ASK,
    C_UOP_DECODE,
    C_UOP_SETS,
    C_UOP_SHIFT,
    C_UOP_WAYS,
    CORE,
    CPI_FETCH,
    DECODED,
    MERGE,
    NOW,
    RING,
    RING_CACHE,
    S_FETCH,
    S_FETCHED,
    S_FORWARDED,
    S_FRONT,
    S_INSTRUCTIONS,
    S_LINE,
    S_LINES,
    S_STORES,
    S_UOP_ASKED,
    S_UOP_DATA,
    S_UOP_HIT,
    STORE,
    W_ADDRESS,
    W_DONE,
    W_SENT,
    ask,
    book,
)
from hwmodel.cryo.words._kernels import (
    FETCH,
    H_MICRO_OPS,
    LINE_BITS,
    PATH,
    READ,
    TLB_DATA,
    TLB_FETCH,
    table_find,
    table_insert,
)
from hwmodel.kernel.compiled import Ints, jit


@jit
def fetch_decoded(w: Ints, pc: int, fetch_level: int) -> int:
    """Return the cycle in which the instruction at pc can be decoded, at the earliest."""
    number = w[NOW + S_INSTRUCTIONS]
    if w[NOW + S_FETCHED] >= w[CORE + C_FETCH]:
        w[NOW + S_FETCH] += 1
        w[NOW + S_FETCHED] = 0
    if number >= w[CORE + C_FETCH_QUEUE]:
        room = w[DECODED + ((number - w[CORE + C_FETCH_QUEUE]) & (RING - 1))]
        if room > w[NOW + S_FETCH]:
            w[NOW + S_FETCH] = room
            w[NOW + S_FETCHED] = 0
    w[NOW + S_FETCHED] += 1
    fetched = w[NOW + S_FETCH]
    decode = fetched + w[CORE + C_FETCH_DECODE]
    window = pc >> w[CORE + C_UOP_SHIFT]
    ways = w[CORE + C_UOP_WAYS]
    first = w[H_MICRO_OPS] + 2 * ways * (window & (w[CORE + C_UOP_SETS] - 1))
    at = table_find(w, first, ways, window)
    # A window counts only once the decoder has seen it, so that a loop's first rounds may all miss.
    if at >= 0 and w[at + 1] <= fetched:
        w[NOW + S_UOP_HIT] = 1
        return decode
    w[NOW + S_UOP_HIT] = 0
    asked = fetched + w[CORE + C_UOP_ASK]
    line = pc >> LINE_BITS
    if line != w[NOW + S_LINE] or asked > w[NOW + S_UOP_ASKED]:
        w[NOW + S_LINE] = line
        w[NOW + S_UOP_ASKED] = asked
        w[NOW + S_LINES] += 1
        w[NOW + S_UOP_DATA] = ask(w, TLB_FETCH, fetch_level, pc, line << LINE_BITS, asked, FETCH, pc)
    decode = max(decode, w[NOW + S_UOP_DATA] + w[CORE + C_UOP_DECODE])
    if decode > fetched + w[CORE + C_FETCH_DECODE] + w[CORE + C_UOP_ASK] + 2:
        w[NOW + S_FRONT] = CPI_FETCH
    if at < 0:
        table_insert(w, first, ways, window, decode)
    return decode


@jit
def load_by_address(w: Ints, pc: int, address: int, execute: int, entered: int, level: int) -> int:
    """Return the cycle in which a load has its data.

    A load that enters the window in cycle `entered` takes its data from the youngest older store to the same address
    that is then in the store queue, and waits for that store; it knows of no other store. Loads of one line that wait
    for the cache together share an access.
    """
    stores = w[NOW + S_STORES]
    for n in range(stores - 1, max(-1, stores - 1 - w[CORE + C_SQ]), -1):
        place = STORE + (n & (RING - 1)) * 8
        if w[place + W_SENT] <= entered:
            break
        if w[place + W_ADDRESS] == address:
            w[NOW + S_FORWARDED] += 1
            w[PATH + 15] = 0
            return max(execute, w[place + W_DONE])
    asked = book(w, 1, execute + w[CORE + C_LOAD_DELAY], w[CORE + C_LOAD_PORTS])
    line = address >> LINE_BITS
    row = MERGE + 4 * (line & 63)
    if w[CORE + C_MERGE] and address >= 0:
        if w[row] == line and w[row + 1] <= asked <= w[row + 2]:
            w[PATH + 15] = 0
            return w[row + 3]
        w[row + 1] = asked
        asked = book(w, RING_CACHE, asked, 1)
    done = ask(w, TLB_DATA, level, address, address, asked, READ, pc)
    w[row] = line
    w[row + 2] = asked
    w[row + 3] = done
    return done
