"""Exact stack distances: a Fenwick tree over the times of each line's last use, and a hash table of these times.

Time runs in slots of the tree, one slot an access. When the slots are used up, the lines are numbered anew in the
order of their last uses; so memory grows with the number of different lines, not with the length of the trace.
"""

from __future__ import annotations

from hwmodel.kernel.compiled import Ints, jit

D_NOW = 0  # the last slot in use; slots count from 1
D_LINES = 1  # different lines so far
D_COLD = 2  # accesses to lines not seen before
D_TAKEN = 3  # accesses that the sample took
D_SHIFT = 4  # what is given is shifted to become a line
D_MASK = 5
D_THRESHOLD = 6  # the sample takes lines whose hash is below it
D_HEADER = 8

HASH_BITS = 24


@jit
def mixed(line: int) -> int:
    """Return a hash of a line, HASH_BITS wide; no product passes 63 bits."""
    x = (line ^ (line >> 29)) & 0x3FFFFFFF
    x = (x * 0x2545F491) & 0x3FFFFFFFFFFFFFFF
    x = (x ^ (x >> 31)) & 0x3FFFFFFF
    x = (x * 0x1B873593) & 0x3FFFFFFFFFFFFFFF
    return (x >> 17) & ((1 << HASH_BITS) - 1)


@jit
def slot_of(table: Ints, line: int) -> int:
    """Return the place of a line in the table of (line, time) pairs, or the empty one where it belongs."""
    mask = len(table) // 2 - 1
    x = (line ^ (line >> 30)) & 0x3FFFFFFF
    slot = ((x * 0x9E3779B1) >> 20) & mask
    while table[2 * slot] != line and table[2 * slot] >= 0:
        slot = (slot + 1) & mask
    return 2 * slot


@jit
def distances(head: Ints, table: Ints, tree: Ints, histogram: Ints, addresses: Ints, begin: int) -> int:
    """Count the stack distance of each access; return where it stopped: at the end, or before a table is full.

    A distance is the number of different lines since the last use of the same line; `histogram[d]` counts them.
    """
    last = len(tree) - 1
    limit = min(len(table) // 4, len(histogram) - 1)
    for i in range(begin, len(addresses)):
        line = (addresses[i] >> head[D_SHIFT]) & head[D_MASK]
        if mixed(line) >= head[D_THRESHOLD]:
            continue
        now = head[D_NOW] + 1
        if now > last or head[D_LINES] >= limit:
            return i
        head[D_NOW] = now
        head[D_TAKEN] += 1
        at = slot_of(table, line)
        if table[at] < 0:
            table[at] = line
            head[D_COLD] += 1
            head[D_LINES] += 1
        else:
            then = table[at + 1]
            # Lines whose last use is after `then`: all of them but those up to it.
            found = head[D_LINES]
            node = then
            while node > 0:
                found -= tree[node]
                node &= node - 1
            histogram[found] += 1
            if then == now - 1:
                # The line used last is used again: its mark can stay where it is.
                head[D_NOW] = then
                continue
            node = then
            while node <= last:
                tree[node] -= 1
                node += node & -node
        table[at + 1] = now
        node = now
        while node <= last:
            tree[node] += 1
            node += node & -node
    return len(addresses)


@jit
def renumber(head: Ints, old: Ints, table: Ints, tree: Ints, marks: Ints) -> None:
    """Number the last uses of all lines from 1 on, into an empty table and tree; `marks` is scratch, a word a slot."""
    for slot in range(len(old) // 2):
        if old[2 * slot] >= 0:
            marks[old[2 * slot + 1]] = 2 * slot + 1
    now = 0
    for then in range(head[D_NOW] + 1):
        if marks[then]:
            now += 1
            line = old[marks[then] - 1]
            at = slot_of(table, line)
            table[at] = line
            table[at + 1] = now
    head[D_NOW] = now
    last = len(tree) - 1
    for node in range(1, last + 1):
        if node <= now:
            tree[node] += 1
        parent = node + (node & -node)
        if parent <= last:
            tree[parent] += tree[node]
