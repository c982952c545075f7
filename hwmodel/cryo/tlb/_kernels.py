"""TLBs and page-table walks with their time.

Each first-level cache has a TLB of its own in front of a shared second one. A page that neither holds is walked: the
walker reads one entry a level of the page table through the data cache, where its lines compete with the program's.
A walk cache for each level holds the pages whose walk may begin there.

The tables lie as ChampSim lays them: every page has a leaf table of its own, so that the last step of a page's first
walk misses all caches, and a walk that a walk cache shortens begins in the table of the walk before.
"""

from __future__ import annotations

from hwmodel.cryo.shared._kernels import access, touch
from hwmodel.cryo.words._kernels import (
    K_CACHE,
    K_DEN,
    K_DEPTH,
    K_END,
    K_FAULT,
    K_FAULTS,
    K_LEVEL,
    K_NUM,
    K_ON,
    K_SHIFT,
    K_START,
    K_STEPS,
    K_TIME,
    K_WALKS,
    LINE_BITS,
    PAGE,
    PAGE_NEXT,
    PAGE_SPACE,
    PATH,
    READ,
    SPACE_SHIFT,
    T_ACCESSES,
    T_BASE,
    T_EXTRA,
    T_MERGED,
    T_MISSES,
    T_SETS,
    T_WAYS,
    TLB,
    TLB_SHARED,
    WALK,
    after,
    physical,
    shuffled,
    table_find,
    table_insert,
)
from hwmodel.kernel.compiled import Ints, jit


@jit
def set_of(w: Ints, row: int, page: int) -> int:
    """Return the first word of the set of a table in which a page lies."""
    return w[row + T_BASE] + 2 * w[row + T_WAYS] * (page & (w[row + T_SETS] - 1))


@jit
def table_line(key: int, level: int, offset: int) -> int:
    """Return the physical address of an entry: each table lies in a frame of its own, beyond those of the pages."""
    frame = shuffled((key * 5 + level) & 0x3FFFFF)
    return (1 << 34) + (frame << 12) + ((offset & 511) << 3)


@jit
def walk(w: Ints, page: int, t: int, timed: bool) -> int:
    """Read a page's entries level by level from time t on; return when the last one is there.

    A walk cache keeps for its region the page that was walked last; the walk begins in that page's table.
    """
    depth = w[WALK + K_DEPTH]
    step = depth - 1
    before = -1
    for level in range(2, depth + 1):
        row = WALK + K_CACHE + 4 * level
        if w[row + T_WAYS] > 0:
            region = page >> (9 * (level - 1))
            at = table_find(w, set_of(w, row, region), w[row + T_WAYS], region)
            if at >= 0:
                step = level - 1
                before = w[at + 1]
                break
    first = True
    while step >= 0:
        if first and before >= 0:
            address = table_line(before >> (9 * (step - 1)), step, page >> (9 * (step - 1)))
        elif first:
            address = table_line(0, depth, page >> (9 * (step - 1)))
        else:
            address = table_line(page >> (9 * step), step + 1, page >> (9 * step))
        first = False
        address ^= w[PAGE + PAGE_SPACE] << SPACE_SHIFT
        w[WALK + K_STEPS] += 1
        if timed:
            t = access(w, w[WALK + K_LEVEL], address, t, int(READ), 0)
        else:
            touch(w, w[WALK + K_LEVEL], address >> LINE_BITS, False)
        if step > 0:
            row = WALK + K_CACHE + 4 * (step + 1)
            if w[row + T_WAYS] > 0:
                region = page >> (9 * step)
                at = table_find(w, set_of(w, row, region), w[row + T_WAYS], region)
                if at >= 0:
                    w[at + 1] = page
                else:
                    table_insert(w, set_of(w, row, region), w[row + T_WAYS], region, page)
        step -= 1
    return t


@jit
def translate(w: Ints, which: int, address: int, t: int) -> int:
    """Return when an access at time t may begin in its cache; `which` is TLB_DATA or TLB_FETCH.

    The first-level TLB answers beside the cache and costs nothing.
    """
    if w[WALK + K_ON] == 0 or address < 0:
        return t
    page = address >> w[WALK + K_SHIFT]
    row = TLB + 16 * which
    w[row + T_ACCESSES] += 1
    at = table_find(w, set_of(w, row, page), w[row + T_WAYS], page)
    if at >= 0:
        if w[at + 1] > t:
            w[row + T_MERGED] += 1
            w[row + T_MISSES] += 1
            return w[at + 1]
        return t
    w[row + T_MISSES] += 1
    shared = TLB + 16 * TLB_SHARED
    w[shared + T_ACCESSES] += 1
    at = table_find(w, set_of(w, shared, page), w[shared + T_WAYS], page)
    if at >= 0:
        ready = max(after(t, w[shared + T_EXTRA], w[WALK + K_NUM], w[WALK + K_DEN]), w[at + 1])
    else:
        w[shared + T_MISSES] += 1
        w[WALK + K_WALKS] += 1
        known = w[PAGE + PAGE_NEXT]
        physical(w, address)
        begin = after(t, w[WALK + K_START], w[WALK + K_NUM], w[WALK + K_DEN])
        ready = walk(w, page, begin, True)
        if w[PAGE + PAGE_NEXT] > known:
            w[WALK + K_FAULTS] += 1
            ready += w[WALK + K_FAULT]
        ready = after(ready, w[WALK + K_END], w[WALK + K_NUM], w[WALK + K_DEN])
        w[WALK + K_TIME] += ready - t
        table_insert(w, set_of(w, shared, page), w[shared + T_WAYS], page, ready)
    table_insert(w, set_of(w, row, page), w[row + T_WAYS], page, ready)
    w[PATH + 15] = 0
    return ready


@jit
def touch_page(w: Ints, which: int, address: int) -> None:
    """Show a page to the TLBs and walk caches without any timing."""
    if w[WALK + K_ON] == 0:
        return
    page = address >> w[WALK + K_SHIFT]
    row = TLB + 16 * which
    if table_find(w, set_of(w, row, page), w[row + T_WAYS], page) >= 0:
        return
    table_insert(w, set_of(w, row, page), w[row + T_WAYS], page, 0)
    shared = TLB + 16 * TLB_SHARED
    if table_find(w, set_of(w, shared, page), w[shared + T_WAYS], page) < 0:
        physical(w, address)
        walk(w, page, 0, False)
        table_insert(w, set_of(w, shared, page), w[shared + T_WAYS], page, 0)
