"""One level with optimal replacement: the victim is the line that is used last again, or never."""

from __future__ import annotations

from hwmodel.cryo.cache._general import LINE, READ
from hwmodel.kernel.compiled import Ints, jit

O_READS = 0
O_READ_MISSES = 1
O_WRITES = 2
O_WRITE_MISSES = 3
O_WRITEBACKS = 4


@jit
def run_optimal(
    ways: int, lines: Ints, kinds: Ints, after: Ints, tags: Ints, uses: Ints, counts: Ints, out: Ints
) -> None:
    """Serve the whole stream.

    `after` is when each access's line is used next; `tags` (line << 1 | dirty, or -1) and `uses` have a word a way;
    `out` takes the requests of the level to what is below, as (kind, line) pairs behind their number.
    """
    sets = len(tags) // ways
    for i in range(len(lines)):
        line = lines[i]
        wrote = kinds[i] & 1
        base = (line & (sets - 1)) * ways
        counts[2 * wrote] += 1
        place = -1
        for at in range(base, base + ways):
            if tags[at] >> 1 == line:
                place = at
                break
        if place < 0:
            counts[2 * wrote + 1] += 1
            place = base
            for at in range(base, base + ways):
                if tags[at] < 0:
                    place = at
                    break
                if uses[at] > uses[place]:
                    place = at
            n = out[0]
            if kinds[i] != LINE:
                out[1 + 2 * n] = READ
                out[2 + 2 * n] = line
                n += 1
            if tags[place] >= 0 and tags[place] & 1:
                counts[O_WRITEBACKS] += 1
                out[1 + 2 * n] = LINE
                out[2 + 2 * n] = tags[place] >> 1
                n += 1
            out[0] = n
            tags[place] = line << 1
        tags[place] |= wrote
        uses[place] = after[i]


@jit
def next_uses(order: Ints, lines: Ints, after: Ints, never: int) -> None:
    """Fill in when each access's line is used next; `order` sorts the accesses by line and then by time."""
    for i in range(len(order) - 1):
        same = lines[order[i]] == lines[order[i + 1]]
        after[order[i]] = order[i + 1] if same else never
    if len(order) > 0:
        after[order[len(order) - 1]] = never
