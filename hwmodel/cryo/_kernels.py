"""Compiled loops of the trace readers: equal static records found by hashing, and text and bytes taken apart.

Every parser works on a block of bytes, stops before a record that is cut off, and reports where and why it stopped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.kernel.compiled import jit

U8 = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

# ---------------------------------------------------------------------------------------------- static records

LOW = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)
FACTOR = np.uint64(0x9E3779B1)  # a 32-bit factor, so that no product leaves 64 bits


@jit
def hash_row(rows: U8, row: int, size: int) -> int:
    """Return the slot, of `size`, at which the search for a record of four words begins."""
    h = np.uint64(0x243F6A88)
    for k in range(4):
        h = h ^ rows[row, k]
        h = (h >> SHIFT) ^ ((h & LOW) * FACTOR)
        h = (h >> SHIFT) ^ ((h & LOW) * FACTOR)
    slot: Any = np.int64((h ^ (h >> SHIFT)) % np.uint64(size))
    return slot


@jit
def intern(rows: U8, begin: int, table: U8, slots: Any, count: int, numbers: Any) -> Any:
    """Number the rows from `begin` on; return how far it came (a full table stops it) and the new count."""
    size = len(slots)
    for row in range(begin, len(rows)):
        place = hash_row(rows, row, size)
        while True:
            found = slots[place]
            if found < 0:
                if count == len(table):
                    return row, count
                slots[place] = count
                for k in range(4):
                    table[count, k] = rows[row, k]
                numbers[row] = count
                count += 1
                break
            if (
                table[found, 0] == rows[row, 0]
                and table[found, 1] == rows[row, 1]
                and table[found, 2] == rows[row, 2]
                and table[found, 3] == rows[row, 3]
            ):
                numbers[row] = found
                break
            place += 1
            if place == size:
                place = 0
    return len(rows), count


@jit
def rehash(table: U8, count: int, slots: Any) -> None:
    """Enter the first `count` rows of a table into empty slots."""
    size = len(slots)
    for row in range(count):
        place = hash_row(table, row, size)
        while slots[place] >= 0:
            place += 1
            if place == size:
                place = 0
        slots[place] = row


@jit
def signed(number: Any) -> int:
    """Return an unsigned number as a signed one; mixed ones would become floating point."""
    value: Any = np.int64(number)
    return value


@jit
def short(number: Any) -> int:
    """Return a size in bytes, at most 255."""
    return signed(number) if number < np.uint64(255) else 255


@jit
def pack_word(
    op: int, branch: int, loads: int, stores: int, size: int, load_size: int, store_size: int, flags: int
) -> Any:
    """Return the second word of a static record."""
    low = size | (op << 8) | (branch << 16) | (loads << 24)
    return np.uint64(low | (stores << 32) | (load_size << 40) | (store_size << 48) | (flags << 56))


# ---------------------------------------------------------------------------------------------- ChampSim

NOP, INT, MUL, FP_ADD = 0, 1, 2, 4
CONDITIONAL, JUMP, INDIRECT_JUMP, CALL, INDIRECT_CALL, RETURN, OTHER = 1, 2, 3, 4, 5, 6, 7
SP, FLAGS, IP = 6, 25, 26  # registers that ChampSim knows by number
ACCESS_ONLY = 8


@jit
def champsim_branch(
    writes_ip: bool, writes_sp: bool, reads_sp: bool, reads_ip: bool, reads_flags: bool, reads_other: bool
) -> int:
    """Return the kind of branch, inferred from the registers as ChampSim does."""
    if not writes_ip:
        return 0
    if not reads_sp and not reads_flags and not reads_other:
        return JUMP
    if not reads_sp and not reads_ip and not reads_flags:
        return INDIRECT_JUMP
    if not reads_sp and reads_ip and not writes_sp:
        return CONDITIONAL
    if reads_sp and reads_ip and writes_sp and not reads_flags:
        return INDIRECT_CALL if reads_other else CALL
    if reads_sp and not reads_ip and writes_sp:
        return RETURN
    return OTHER


@jit
def champsim(
    block: Bytes, words: U8, targets: int, names: Bytes, rows: U8, taken: Bytes, operands: U8
) -> Any:
    """Take records apart; `targets` is 2, or 4 for the CloudSuite variant, `names` renumbers registers.

    Returns the number of good records and of operands; a record with an impossible flag ends the work.
    """
    width = 8 if targets == 2 else 12
    first = 2 if targets == 2 else 3
    count = 0
    for row in range(len(rows)):
        byte = row * width * 8
        if block[byte + 8] > 1 or block[byte + 9] > 1:
            return row, count
        writes_ip = writes_sp = reads_sp = reads_ip = reads_flags = reads_other = False
        low, high, fill = np.uint64(0), np.uint64(0), 0
        for k in range(targets):
            name = block[byte + 10 + k]
            writes_sp = writes_sp or name == SP
            writes_ip = writes_ip or name == IP
            if names[name] > 0:
                if fill < 2:
                    low |= np.uint64(names[name]) << np.uint64(48 + 8 * fill)
                else:
                    high |= np.uint64(names[name]) << np.uint64(8 * (fill - 2))
                fill += 1
        fill = 0
        for k in range(4):
            name = block[byte + 10 + targets + k]
            reads_sp = reads_sp or name == SP
            reads_ip = reads_ip or name == IP
            reads_flags = reads_flags or name == FLAGS
            reads_other = reads_other or (name != 0 and name != SP and name != IP and name != FLAGS)
            if names[name] > 0:
                low |= np.uint64(names[name]) << np.uint64(8 * fill)
                fill += 1
        branch = champsim_branch(writes_ip, writes_sp, reads_sp, reads_ip, reads_flags, reads_other)
        loads = stores = 0
        place = row * width + first
        for k in range(targets, targets + 4):
            if words[place + k] != 0:
                operands[count] = words[place + k]
                loads += 1
                count += 1
        for k in range(targets):
            if words[place + k] != 0:
                operands[count] = words[place + k]
                stores += 1
                count += 1
        plain = branch != 0 or loads + stores > 0 or low == 0
        rows[row, 0] = words[row * width]
        rows[row, 1] = pack_word(NOP if plain else INT, branch, loads, stores, 0, 0, 0, 0)
        rows[row, 2] = low
        rows[row, 3] = high
        if branch in (CONDITIONAL, OTHER):
            taken[row] = block[byte + 9]
        else:
            taken[row] = 1 if branch > 0 else 0
    return len(rows), count


# ---------------------------------------------------------------------------------------------- text

DIN, LACKEY, PIN, MEMORY, LOADSTORE, CPU = 0, 1, 2, 3, 4, 5
LOAD, STORE, MODIFY, INSTRUCTION = 0, 1, 2, 8  # an instruction: 8 + 16 * branch + 128 if it is taken
UNTOLD = 1  # added to an instruction: whether it is taken shows at the next one
TAB, NEWLINE, RETURN_KEY, BLANK = 9, 10, 13, 32
N_IGNORED, N_EOF, N_SIZES = 0, 1, 2  # places in `info`
FOUR, TEN = np.uint64(4), np.uint64(10)
TOP_HEX, TOP_TEN = np.uint64(1 << 60), np.uint64((1 << 64) // 10)  # one more digit is too much, or may be


@jit
def is_blank(byte: int) -> bool:
    """Whether a byte separates words."""
    return byte in (BLANK, TAB, RETURN_KEY)


@jit
def skip_blanks(block: Bytes, place: int, end: int) -> int:
    """Return the place of the next byte that is not blank."""
    while place < end and is_blank(block[place]):
        place += 1
    return place


@jit
def digit(byte: int) -> int:
    """Return the value of a hexadecimal digit, 16 of any other byte."""
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte <= 102:
        return byte - 87
    if 65 <= byte <= 70:
        return byte - 55
    return 16


@jit
def read_number(block: Bytes, place: int, end: int, base: int) -> Any:
    """Read a number of base 16 or 10, or, with base 0, of the base that its prefix names; `place` -1 is no number."""
    if base != 10 and place + 1 < end and block[place] == 48 and (block[place + 1] | 32) == 120:
        place += 2
        base = 16
    base = 10 if base == 0 else base
    value = np.uint64(0)
    large = False  # beyond 64 bits
    begin = place
    while place < end:
        d = digit(signed(block[place]))
        if d >= base:
            break
        if base == 16:
            if value >= TOP_HEX:
                large = True
            else:
                value = (value << FOUR) | np.uint64(d)
        else:
            # 2^64 - 1 is 1844674407370955161 5.
            if value > TOP_TEN or (value == TOP_TEN and d > 5):
                large = True
            else:
                value = value * TEN + np.uint64(d)
        place += 1
    if place == begin or large:
        return value, -1
    return value, place


@jit
def parse_lines(
    grammar: int,
    block: Bytes,
    final: bool,
    kinds: Bytes,
    addresses: U8,
    more: U8,
    info: Ints,
) -> Any:
    """Take whole lines apart; `more` is a size in bytes, the pc (pinatrace) or the bubbles (CPU).

    Returns the number of events, the bytes and lines used, and whether the next line is malformed.
    """
    count = lines = place = 0
    size = len(block)
    while place < size:
        end = place
        while end < size and block[end] != NEWLINE:
            end += 1
        if end == size and not final:
            break
        p = skip_blanks(block, place, end)
        good = True
        if p < end:
            good = False
            c = signed(block[p])
            after = p + 1 < end and is_blank(block[p + 1])
            if c == 35:  # a comment
                good = True
                if end - p >= 4 and block[p + 1] == 101 and block[p + 2] == 111 and block[p + 3] == 102:
                    info[N_EOF] = 1
            elif grammar == DIN:
                letter = c | 32
                extended = letter in (114, 119, 105, 109, 99, 118)  # r w i m c v
                if (extended or 48 <= c <= 52) and after:
                    q = skip_blanks(block, p + 1, end)
                    address, q = read_number(block, q, end, 16)
                    width = np.uint64(0)
                    if q >= 0 and extended:
                        width, q = read_number(block, skip_blanks(block, q, end), end, 16)
                    if q >= 0 and (q == end or is_blank(block[q])):
                        good = True
                        if c == 51 or c == 52 or letter == 99 or letter == 118:
                            info[N_IGNORED] += 1
                        else:
                            kinds[count] = LOAD
                            if c == 49 or letter == 119:
                                kinds[count] = STORE
                            elif c == 50 or letter == 105:
                                kinds[count] = INSTRUCTION
                            addresses[count] = address
                            more[count] = width
                            count += 1
            elif grammar == LACKEY:
                if p + 1 < end and c == block[p + 1] and c in (61, 45, 42):  # == -- **
                    good = True
                elif c in (73, 76, 83, 77) and after:  # I L S M
                    address, q = read_number(block, skip_blanks(block, p + 1, end), end, 16)
                    if q >= 0 and q < end and block[q] == 44:
                        width, q = read_number(block, q + 1, end, 10)
                        if q >= 0 and skip_blanks(block, q, end) == end:
                            good = True
                            if c == 73:
                                kinds[count] = INSTRUCTION
                            else:
                                kinds[count] = LOAD if c == 76 else STORE if c == 83 else MODIFY
                            addresses[count] = address
                            more[count] = width
                            count += 1
            elif grammar in (PIN, MEMORY):
                first, q = read_number(block, p, end, 16)
                if grammar == PIN and q >= 0:
                    q = q + 1 if q < end and block[q] == 58 else -1  # the colon
                elif q >= 0 and (q == end or not is_blank(block[q])):
                    q = -1
                if q >= 0:
                    q = skip_blanks(block, q, end)
                    way = signed(block[q]) if q < end else 0
                    q += 1
                    address = first
                    if grammar == PIN and q < end:
                        q = skip_blanks(block, q, end)
                        address, q = read_number(block, q, end, 16)
                    elif grammar == PIN:
                        q = -1
                    if (way == 82 or way == 87) and q >= 0 and skip_blanks(block, q, end) == end:
                        good = True
                        kinds[count] = LOAD if way == 82 else STORE
                        addresses[count] = address
                        more[count] = first if grammar == PIN else np.uint64(0)
                        count += 1
            elif grammar == LOADSTORE:
                load = p + 2 < end and c == 76 and block[p + 1] == 68
                if (load or (p + 2 < end and c == 83 and block[p + 1] == 84)) and is_blank(block[p + 2]):
                    address, q = read_number(block, skip_blanks(block, p + 2, end), end, 0)
                    if q >= 0 and skip_blanks(block, q, end) == end:
                        good = True
                        kinds[count] = LOAD if load else STORE
                        addresses[count] = address
                        more[count] = 0
                        count += 1
            else:  # CPU: bubbles, a load, perhaps a store
                bubbles, q = read_number(block, p, end, 10)
                if q >= 0 and q < end and is_blank(block[q]):
                    address, q = read_number(block, skip_blanks(block, q, end), end, 0)
                    if q >= 0 and (q == end or is_blank(block[q])):
                        kinds[count] = LOAD
                        addresses[count] = address
                        more[count] = bubbles
                        count += 1
                        q = skip_blanks(block, q, end)
                        good = q == end
                        if q < end:
                            address, q = read_number(block, q, end, 0)
                            good = q >= 0 and skip_blanks(block, q, end) == end
                            kinds[count] = STORE
                            addresses[count] = address
                            more[count] = 0
                            count += 1
        if not good:
            return count, place, lines, True
        lines += 1
        place = end + 1 if end < size else end
    return count, place, lines, False


# ---------------------------------------------------------------------------------------------- instructions

MOST = 8  # loads, and stores, of an instruction


@jit
def access_row(rows: U8, row: int, pc: Any, store: bool, size: int) -> None:
    """Write the record of an access whose instruction is not known."""
    rows[row, 0] = pc
    rows[row, 2] = rows[row, 3] = 0
    if store:
        rows[row, 1] = pack_word(0, 0, 0, 1, 0, 0, size, ACCESS_ONLY)
    else:
        rows[row, 1] = pack_word(0, 0, 1, 0, 0, size, 0, ACCESS_ONLY)


@jit
def assemble(
    kinds: Bytes, addresses: U8, sizes: U8, final: bool, rows: U8, taken: Bytes, operands: U8, info: Ints
) -> Any:
    """Join each instruction with the accesses that follow it; accesses beyond 8 of a kind stand alone.

    Returns the events used, the records and the operands. The last instruction waits for what may still follow.
    """
    events = len(kinds)
    at = records = count = 0
    loads = np.zeros(MOST, np.uint64)
    stores = np.zeros(MOST, np.uint64)
    while at < events:
        kind = signed(kinds[at])
        width = short(sizes[at])
        if kind & INSTRUCTION == 0:
            if kind != STORE:
                access_row(rows, records, np.uint64(0), False, width)
                operands[count] = addresses[at]
                taken[records] = 0
                records += 1
                count += 1
            if kind != LOAD:
                access_row(rows, records, np.uint64(0), True, width)
                operands[count] = addresses[at]
                taken[records] = 0
                records += 1
                count += 1
            at += 1
            continue
        n_loads = n_stores = load_size = store_size = mixed = 0
        next_event = at + 1
        closed = False
        while next_event < events:
            what = signed(kinds[next_event])
            is_load = what != STORE
            is_store = what != LOAD
            if what & INSTRUCTION != 0 or (is_load and n_loads == MOST) or (is_store and n_stores == MOST):
                closed = True
                break
            size = short(sizes[next_event])
            if is_load:
                mixed += n_loads > 0 and size != load_size
                load_size = max(load_size, size)
                loads[n_loads] = addresses[next_event]
                n_loads += 1
            if is_store:
                mixed += n_stores > 0 and size != store_size
                store_size = max(store_size, size)
                stores[n_stores] = addresses[next_event]
                n_stores += 1
            next_event += 1
        if not closed and not final:
            break
        info[N_SIZES] += mixed
        branch = (kind >> 4) & 7
        direction = kind >> 7
        if kind & UNTOLD != 0 and next_event < events:
            follows = kinds[next_event] & INSTRUCTION != 0
            direction = 1 if follows and addresses[next_event] != addresses[at] + sizes[at] else 0
        taken[records] = direction
        op = NOP if branch > 0 or n_loads + n_stores > 0 else INT
        rows[records, 0] = addresses[at]
        rows[records, 1] = pack_word(op, branch, n_loads, n_stores, width, load_size, store_size, 0)
        rows[records, 2] = rows[records, 3] = 0
        for k in range(n_loads):
            operands[count + k] = loads[k]
        for k in range(n_stores):
            operands[count + n_loads + k] = stores[k]
        records += 1
        count += n_loads + n_stores
        at = next_event
    return at, records, count
