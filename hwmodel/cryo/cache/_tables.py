"""Lay out the words of a hierarchy: rows of the levels, their lines, prefetch tables and shadows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwmodel.cryo.cache import _general as g
from hwmodel.cryo.cache import _kernels as plain
from hwmodel.cryo.cache import _parts as p
from hwmodel.cryo.cache import _prefetch as f
from hwmodel.cryo.cache._source import Ints
from hwmodel.cryo.cache._spec import CacheSpec, Inclusion, Paging, Prefetch, TlbSpec
from hwmodel.errors import QueueOverflowError

POLICIES = {
    "lru": p.LRU,
    "fifo": p.FIFO,
    "random": p.RANDOM,
    "plru": p.PLRU,
    "srrip": p.SRRIP,
    "brrip": p.BRRIP,
    "drrip": p.DRRIP,
}
MODES = {"nine": p.NINE, "inclusive": p.INCLUSIVE, "exclusive": p.EXCLUSIVE}
PREFETCHERS = {
    "next_line": f.NEXT_LINE,
    "stride": f.STRIDE,
    "stream": f.STREAM,
    "best_offset": f.BEST_OFFSET,
}
MAX_SHADOW = 1 << 28  # nodes of all levels
FIRST_SHADOW = 1 << 12


def smooth(limit: int) -> list[int]:
    """Return the numbers up to a limit without prime factors above 5: the offsets of Michaud, HPCA 2016."""
    found = []
    for n in range(1, limit + 1):
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            found.append(n)
    return found


def plain_words(levels: Sequence[CacheSpec], instruction: CacheSpec | None) -> Ints:
    """Return the words of plain caches, empty."""
    given = [*enumerate(levels), *([(plain.INSTRUCTION, instruction)] if instruction else [])]
    w = np.full(plain.DATA + sum(spec.sets * spec.ways for _, spec in given), -1, dtype=np.int64)
    w[: plain.DATA] = 0
    w[plain.H_LEVELS], w[plain.H_SPLIT] = len(levels), instruction is not None
    w[plain.H_MASK] = (1 << 60) - 1
    at = plain.DATA
    for index, spec in given:
        row = plain.ROWS + plain.ROW * index
        w[row + plain.L_BASE], w[row + plain.L_MASK], w[row + plain.L_WAYS] = at, spec.sets - 1, spec.ways
        at += spec.sets * spec.ways
    return w


class Layout:
    """Words that are handed out one part after the other, and joined at the end."""

    def __init__(self) -> None:
        self.header = np.zeros(p.DATA, dtype=np.int64)
        self._parts: list[Ints] = [self.header]
        self._size = p.DATA

    def add(self, size: int, value: int = 0) -> int:
        """Return where a new part begins."""
        return self.put(np.full(size, value, dtype=np.int64))

    def put(self, part: Ints) -> int:
        """Return where a given part begins."""
        begin = self._size
        self._parts.append(part)
        self._size += len(part)
        return begin

    def words(self) -> Ints:
        """Return all parts as one array."""
        return np.concatenate(self._parts)


def general_words(
    levels: Sequence[CacheSpec], instruction: CacheSpec | None, inclusion: Inclusion, paging: Paging | None
) -> Ints:
    """Return the words of general caches, empty."""
    layout = Layout()
    w = layout.header
    w[p.H_LEVELS], w[p.H_SPLIT], w[p.H_MODE] = len(levels), instruction is not None, MODES[inclusion]
    w[p.H_TRAIN], w[p.H_STACK] = 1, layout.add(g.FRAME * g.STACK_STEPS)
    for index, spec in enumerate(levels):
        _level(layout, p.ROWS + p.ROW * index, index, index, spec, levels[index + 1 : index + 2])
    if instruction is not None:
        row = p.ROWS + p.ROW * p.INSTRUCTION
        _level(layout, row, 0, p.INSTRUCTION, instruction, levels[1:2])
    if paging is not None:
        w[p.H_PAGE_BITS], w[p.H_WALK_LEVELS] = paging.page_bits, paging.walk_levels
        for number, tlb in enumerate((paging.data, paging.instruction, paging.second)):
            _tlb(layout, p.ROWS + p.ROW * (p.TLBS + number), tlb)
    return layout.words()


def _level(
    layout: Layout, row: int, index: int, number: int, spec: CacheSpec, below: Sequence[CacheSpec]
) -> None:
    w, lines = layout.header, spec.sets * spec.ways
    tags = np.zeros(3 * lines, dtype=np.int64)
    tags[:lines] = -1
    w[row + plain.L_BASE], w[row + plain.L_MASK], w[row + plain.L_WAYS] = (
        layout.put(tags),
        spec.sets - 1,
        spec.ways,
    )
    w[row + p.L_LINES], w[row + p.L_SETS] = lines, layout.add(spec.sets)
    w[row + p.L_SHIFT] = spec.line.bit_length() - 1 - p.UNIT_BITS
    w[row + p.L_SECTOR_SHIFT] = spec.unit.bit_length() - 1 - p.UNIT_BITS
    w[row + p.L_SECTOR_MASK] = spec.line // spec.unit - 1
    w[row + p.L_NEXT] = p.ROWS + p.ROW * (index + 1) if below else 0
    w[row + p.L_WHOLE] = not below or below[0].unit == spec.unit
    w[row + p.L_INDEX], w[row + p.L_POLICY] = index, POLICIES[spec.policy]
    w[row + p.L_THROUGH], w[row + p.L_ALLOCATE] = spec.write == "through", spec.allocate
    victims = np.zeros(2 * spec.victim_lines, dtype=np.int64)
    victims[: spec.victim_lines] = -1
    w[row + p.L_VICTIMS], w[row + p.L_VICTIM] = spec.victim_lines, layout.put(victims)
    w[row + p.L_KEY] = spec.seed * 8 + number
    w[row + p.L_SELECT] = p.SELECT_MIDDLE - 1
    w[row + p.L_SHADOW] = -1
    if spec.prefetcher is not None:
        _prefetcher(layout, row, spec.prefetcher)


def _prefetcher(layout: Layout, row: int, given: Prefetch) -> None:
    w = layout.header
    w[row + p.L_PREFETCH], w[row + p.L_DEGREE] = PREFETCHERS[given.kind], given.degree
    w[row + p.L_TABLE_SIZE] = given.entries
    if given.kind == "stride":
        w[row + p.L_TABLE] = layout.add(f.STRIDE_ENTRY * given.entries, -1)
    elif given.kind == "stream":
        table = np.zeros(f.STREAM_ENTRY * given.entries + 1, dtype=np.int64)
        table[: f.STREAM_ENTRY * given.entries : f.STREAM_ENTRY] = -1
        w[row + p.L_TABLE] = layout.put(table)
    elif given.kind == "best_offset":
        offsets = smooth(256)
        head = np.zeros(f.BEST_HEADER + len(offsets), dtype=np.int64)
        # It begins with the next line, and learns from there.
        head[f.B_OFFSET], head[f.B_OFFSETS], head[f.B_DELAY] = 1, len(offsets), given.delay
        unseen = np.full(f.RECENT + given.delay, -1, dtype=np.int64)
        w[row + p.L_TABLE] = layout.put(np.concatenate([head, unseen, np.array(offsets, dtype=np.int64)]))


def _tlb(layout: Layout, row: int, spec: TlbSpec | None) -> None:
    if spec is None:
        return
    layout.header[row + plain.L_BASE] = layout.add(spec.entries, -1)
    layout.header[row + plain.L_MASK], layout.header[row + plain.L_WAYS] = (
        spec.sets - 1,
        spec.entries // spec.sets,
    )


def no_shadow() -> Ints:
    """Return a shadow for hierarchies that do not classify their misses."""
    s = np.zeros(p.S_FIRST, dtype=np.int64)
    s[p.S_ROOM] = 1 << 62
    return s


def first_shadow(w: Ints, rows: Sequence[int]) -> Ints:
    """Return an empty shadow for the levels in `rows`, and note in `w` where each begins."""
    return _shadow(w, rows, dict.fromkeys(rows, FIRST_SHADOW), None)


def grown_shadow(w: Ints, rows: Sequence[int], s: Ints) -> Ints:
    """Return a shadow with twice the room wherever a table is a quarter full.

    Raises:
        QueueOverflowError: it would pass its bound.
    """
    sizes = {}
    for row in rows:
        at = int(w[row + p.L_SHADOW])
        size = int(s[at + p.S_MASK]) + 1
        sizes[row] = 2 * size if s[at + p.S_COUNT] > size // 4 else size
    if sum(sizes.values()) > MAX_SHADOW:
        raise QueueOverflowError(
            f"classification has met {int(max(s[w[row + p.L_SHADOW] + p.S_COUNT] for row in rows))} different lines and "
            "would take more memory than its bound; use classify=False, or a shorter window"
        )
    return _shadow(w, rows, sizes, s)


def _shadow(w: Ints, rows: Sequence[int], sizes: dict[int, int], old: Ints | None) -> Ints:
    s = np.full(p.S_FIRST + sum(p.S_NODES + p.NODE * size for size in sizes.values()), -1, dtype=np.int64)
    at, room = p.S_FIRST, 1 << 62
    s[:at] = 0
    for row in rows:
        was = int(w[row + p.L_SHADOW])
        s[at : at + p.S_NODES] = 0
        s[at + p.S_MASK], s[at + p.S_CAPACITY] = sizes[row] - 1, w[row + p.L_LINES]
        nodes = s[at + p.S_NODES : at + p.S_NODES + p.NODE * sizes[row]].reshape(-1, p.NODE)
        nodes[:, 1:] = 0
        if old is not None:
            p.shadow_copy(old, was, s, at)
        room = min(room, sizes[row] // 2 - int(s[at + p.S_COUNT]))
        w[row + p.L_SHADOW] = at
        at += p.S_NODES + p.NODE * sizes[row]
    s[p.S_ROOM] = room
    return s


def outbox(accesses: int) -> Ints:
    """Return an outbox for what so many accesses send to memory, in most cases in one go."""
    return np.zeros(1 + 2 * (2 * accesses + 2 * g.RESERVE), dtype=np.int64)
