"""Hierarchies with optimal replacement: each level is run over the whole stream before the next one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwmodel.cryo.cache import _general as g
from hwmodel.cryo.cache import _kernels as plain
from hwmodel.cryo.cache import _optimal as o
from hwmodel.cryo.cache import _parts as p
from hwmodel.cryo.cache import _tables as t
from hwmodel.cryo.cache._source import Bytes, Ints
from hwmodel.cryo.cache._spec import CacheSpec
from hwmodel.cryo.cache._stats import LevelStats, MemoryStats
from hwmodel.errors import SpecError

MAX_ACCESSES = 1 << 27
"""Accesses of one offline run: 10 GB of scratch at the most."""


def run_offline(
    levels: Sequence[CacheSpec], addresses: Ints, kinds: Bytes, lines: bool
) -> tuple[list[LevelStats], MemoryStats]:
    """Return what each level counts, and what leaves the last one.

    Raises:
        SpecError: more accesses than an offline run takes.
    """
    if len(addresses) > MAX_ACCESSES:
        raise SpecError(
            f"run: {len(addresses)} accesses; policy 'opt' takes at most {MAX_ACCESSES}: run a window"
        )
    bits = levels[0].line.bit_length() - 1
    shifted = addresses if lines else (addresses >> bits) & ((1 << (64 - bits)) - 1)
    stream = kinds.astype(np.int64), np.ascontiguousarray(shifted)
    stats = []
    for spec in levels:
        found, stream = (_optimal if spec.policy == "opt" else _online)(spec, *stream)
        stats.append(found)
    writes = int(np.count_nonzero(stream[0] & 1))
    prefetches = int(np.count_nonzero(stream[0] == g.PREFETCH))
    return stats, MemoryStats(len(stream[0]) - writes - prefetches, writes, prefetches)


def _optimal(spec: CacheSpec, kinds: Ints, lines: Ints) -> tuple[LevelStats, tuple[Ints, Ints]]:
    after = np.empty(len(lines), dtype=np.int64)
    o.next_uses(np.argsort(lines, kind="stable"), lines, after, len(lines))
    tags = np.full(spec.sets * spec.ways, -1, dtype=np.int64)
    counts, out = np.zeros(5, dtype=np.int64), np.zeros(1 + 4 * len(lines), dtype=np.int64)
    o.run_optimal(spec.ways, lines, kinds, after, tags, np.zeros_like(tags), counts, out)
    return LevelStats(*counts.tolist()), _requests(out)


def _online(spec: CacheSpec, kinds: Ints, lines: Ints) -> tuple[LevelStats, tuple[Ints, Ints]]:
    bits = spec.line.bit_length() - 1 - p.UNIT_BITS
    w, s = t.general_words([spec], None, "nine", None), t.no_shadow()
    w[p.H_RECORD] = 1
    out, parts, at = t.outbox(min(len(lines), 1 << 20)), [], 0
    while True:
        at = g.replay(w, s, out, kinds, lines << bits, at)
        parts.append(_requests(out))
        if at == len(lines):
            break
        out[0] = 0
    row = p.ROWS
    counts = [int(w[row + n]) for n in range(plain.N_READS, plain.N_WRITEBACKS + 1)]
    sent = np.concatenate([kind for kind, _ in parts]), np.concatenate([line >> bits for _, line in parts])
    return LevelStats(*counts), sent


def _requests(out: Ints) -> tuple[Ints, Ints]:
    pairs = out[1 : 1 + 2 * int(out[0])].reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()
