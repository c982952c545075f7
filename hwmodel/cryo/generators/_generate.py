"""Writes the trace of a body that touches patterns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._trace_base import Chunk, make_meta
from hwmodel.cryo._trace_writer import TraceWriter
from hwmodel.cryo.generators._body import CHASES, Body, draw_slots, make_statics
from hwmodel.cryo.generators._patterns import Pattern, Stream, check, parts_of
from hwmodel.errors import SpecError

__all__ = ["addresses", "generate"]

DATA = 1 << 28  # address of the first pattern
PAGE = 4096
CHUNK = 1 << 18
KEYS = 256  # keys of draws that one seed has
BRANCHES, ORDER = KEYS - 1, KEYS - 2
MAX_SEED = (1 << 48) - 1
MAX_INSTRUCTIONS = 1 << 40

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """Patterns as the compiled loops want them."""

    rows: Ints
    tables: Ints
    shares: npt.NDArray[np.float64]
    cursors: Ints


def _tables(patterns: Sequence[Pattern], seed: int) -> Tables:
    """Place patterns in memory, each at the start of a page, and make their cycles and permutations."""
    from hwmodel.cryo.generators import _kernels as k

    shapes = [pattern._shape() for pattern in patterns]
    starts = np.cumsum([0, *(shape.table for shape in shapes)])
    tables = np.zeros(max(int(starts[-1]), 1), np.int64)
    shares = np.zeros(len(tables))
    rows = np.zeros((len(patterns), k.K_COLUMNS), np.int64)
    base = DATA
    for number, (pattern, shape) in enumerate(zip(patterns, shapes, strict=True)):
        start, key = int(starts[number]), KEYS * seed + number
        rows[number] = (
            shape.kind, base, shape.count, shape.step, shape.first, shape.pitch, start, key,
        )  # fmt: skip
        base += -(-pattern.footprint // PAGE) * PAGE
        if shape.table:
            k.shuffle(tables[start : start + shape.table], key + KEYS // 2, shape.kind == k.CHASE)
        if shape.kind == k.ZIPF:
            weights = np.arange(1, shape.count + 1, dtype=np.float64) ** -shape.exponent
            shares[start : start + shape.count] = np.cumsum(weights) / weights.sum()
    return Tables(rows, tables, shares, np.zeros((len(patterns), 2), np.int64))


def addresses(pattern: Pattern, count: int, seed: int = 0) -> npt.NDArray[np.uint64]:
    """Return the first addresses of a pattern.

    Parameters:
        pattern: any but a Mix, whose parts have no common order.
        count: how many.
        seed: of what is drawn.

    Example:
        >>> from hwmodel.cryo.generators import Stride
        >>> [hex(a) for a in addresses(Stride("1 kB", 512), 3)]
        ['0x10000000', '0x10000200', '0x10000000']
    """
    from hwmodel.cryo.generators import _kernels

    check("addresses", "count", count, 0, MAX_INSTRUCTIONS)
    check("addresses", "seed", seed, 0, MAX_SEED)
    made = _tables([pattern], seed)
    out = np.empty(count, np.uint64)
    _kernels.fill(made.rows[0], made.tables, made.shares, made.cursors[0], out)
    return out


def generate(
    out: str | os.PathLike[str],
    reads: Pattern,
    instructions: int,
    *,
    writes: Pattern | None = None,
    body: Body | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Write a synthetic trace; the same arguments give the same trace on every machine.

    Parameters:
        out: the `.hwt` file to write.
        reads: what the loads touch. A pattern goes on by one access with each load, whichever load it is.
        instructions: length of the trace.
        writes: what the stores touch, in memory of its own; None: a stream of 64 kB.
        body: the instructions; None: `Body()`.
        seed: of the order of instructions, of random addresses and of branches.

    Returns:
        The trace's description.

    Raises:
        SpecError: a value out of its bounds.

    Example:
        >>> import tempfile
        >>> from hwmodel.cryo.generators import Body, Chase
        >>> file = tempfile.mkdtemp() + "/chase.hwt"
        >>> meta = generate(file, Chase("64 kB"), 12_800, body=Body(loads=0.125, stores=0, taken=0))
        >>> meta["instructions"], meta["operands"]
        (12800, 1600)
    """
    check("generate", "instructions", instructions, 1, MAX_INSTRUCTIONS)
    check("generate", "seed", seed, 0, MAX_SEED)
    body = Body() if body is None else body
    read, written = parts_of(reads), parts_of(Stream("64 kB") if writes is None else writes)
    patterns = [pattern for _, pattern in (*read, *written)]
    linked = [number for number, (_, pattern) in enumerate(read) if pattern.LINKED]
    if len(linked) > CHASES:
        raise SpecError(f"generate: {len(linked)} patterns are chases; at most {CHASES} have a register")
    chains = {number: chain for chain, number in enumerate(linked)}
    slots = draw_slots(body, [w for w, _ in read], [w for w, _ in written], KEYS * seed + ORDER)
    statics = make_statics(body, slots, chains)
    walker = _Walker(body, [slot.pattern if slot else -1 for slot in slots], _tables(patterns, seed), seed)
    flags: dict[str, Any] = dict.fromkeys(("has_pc", "has_registers", "has_branches", "has_operations"), True)
    source = f"generated: reads {reads}, writes {writes or Stream('64 kB')}, {body}, seed {seed}"
    with TraceWriter(out, make_meta(source, recorder="generator", **flags)) as writer:
        for first in range(0, instructions, CHUNK):
            ids, touched = walker.go_on(min(CHUNK, instructions - first))
            writer.append(Chunk(statics, ids, touched, first))
    return writer.meta


class _Walker:
    """A body with its state."""

    def __init__(self, body: Body, patterns: Sequence[int], tables: Tables, seed: int) -> None:
        from hwmodel.cryo.generators import _kernels

        self.body, self.tables = body, tables
        self.patterns = np.array(patterns, np.int64)
        self.key = KEYS * seed + BRANCHES
        self.visits = np.zeros(body.blocks, np.int64)
        self.state = np.zeros(_kernels.S_COLUMNS, np.int64)
        self._walk = _kernels.walk

    def go_on(self, count: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]]:
        """Execute the next instructions; return their numbers and addresses."""
        ids, touched = np.empty(count, np.uint32), np.empty(count, np.uint64)
        t = self.tables
        operands = self._walk(
            self.patterns, self.body.block, float(self.body.taken), self.body.period, self.key,
            t.rows, t.tables, t.shares, t.cursors, self.visits, self.state, ids, touched,
        )  # fmt: skip
        return ids, touched[:operands]
