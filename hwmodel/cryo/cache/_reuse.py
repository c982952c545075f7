"""Reuse distances and miss-ratio curves: the misses of every cache size, from one pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.cryo.cache import _distance as d
from hwmodel.cryo.cache._source import Ints, Source, accesses_of, is_trace, to_addresses
from hwmodel.cryo.cache._spec import LINE_SIZES
from hwmodel.errors import QueueOverflowError, SpecError

Floats = npt.NDArray[np.float64]

FIRST_LINES = 1 << 14
MAX_LINES = 1 << 27
"""Different lines that a pass keeps: 9 GB of tables at the most."""


@dataclass(frozen=True)
class ReuseHistogram:
    """How often a line was used again after so many other lines.

    Parameters:
        counts: `counts[n]` accesses came back to their line after n other lines.
        cold: accesses to lines not seen before.
        accesses: all accesses, of which the sample took `counts.sum() + cold`.
        rate: share of the lines that the sample follows; 1 is exact.
        line: bytes of a line.

    Example:
        >>> found = reuse_distances([0, 64, 0, 0])
        >>> found.counts, found.cold
        (array([1, 1]), 2)
    """

    counts: Ints = field(repr=False)
    cold: int
    accesses: int
    rate: float
    line: int

    @property
    def footprint(self) -> int:
        """Different lines; an estimate where the rate is below 1."""
        return round(self.cold / self.rate)

    def misses(self, sizes: npt.ArrayLike) -> Floats:
        """Return the misses of fully associative LRU caches.

        Parameters:
            sizes: bytes; what is less than a line is lost.

        Raises:
            SpecError: a negative size.

        Example:
            >>> reuse_distances([0, 64, 0, 0]).misses([64, 128]).tolist()
            [3.0, 2.0]
        """
        given = np.asarray(sizes, dtype=np.float64)
        if given.size and given.min() < 0:
            raise SpecError(f"sizes: {given.min():g} bytes; give sizes from 0 on")
        taken = float(self.counts.sum()) + self.cold
        # A sample that met busy lines too rarely lacks short distances (SHARDS, Waldspurger et al., FAST 2015).
        lacking = self.accesses * self.rate - taken
        beyond = np.concatenate([np.cumsum(self.counts[::-1])[::-1], np.zeros(1)]) + self.cold
        # In the sample one line stands for 1 / rate of them.
        lines = np.ceil((given // self.line) * self.rate).astype(np.int64)
        found = beyond[np.minimum(lines, len(self.counts))].astype(np.float64)
        found = np.where(lines == 0, found + lacking, found) / self.rate
        return np.clip(found, 0, self.accesses)

    def miss_ratio(self, sizes: npt.ArrayLike) -> Floats:
        """Return misses an access of fully associative LRU caches of these sizes in bytes.

        Example:
            >>> reuse_distances([0, 64, 0, 0]).miss_ratio([64, 128]).tolist()
            [0.75, 0.5]
        """
        return self.misses(sizes) / max(1, self.accesses)


def reuse_distances(
    source: Source,
    line: int = 64,
    sample: float = 1.0,
    lines: bool = False,
    start: int = 0,
    stop: int | None = None,
    max_lines: int = MAX_LINES,
) -> ReuseHistogram:
    """Return the stack distances of all data accesses (Mattson et al., IBM Systems Journal 9(2), 1970).

    Memory grows with the number of different lines, some 70 bytes each, and not with the length of the trace. A sample
    follows a part of the lines, chosen by a hash (SHARDS, Waldspurger et al., FAST 2015).

    Parameters:
        source: a trace, an array of addresses, or a tuple (addresses, is_write); reads and writes count alike.
        line: bytes of a line.
        sample: share of the lines to follow, from 2**-24 to 1.
        lines: the numbers of an array are lines, not byte addresses.
        start, stop: instructions of a trace, or accesses of an array.
        max_lines: different lines at the most.

    Raises:
        SpecError: a line or a share out of range.
        QueueOverflowError: more different lines than `max_lines`.

    Example:
        >>> reuse_distances(([0, 64, 128, 0], [0, 1, 0, 0])).counts
        array([0, 0, 1])
    """
    if line not in LINE_SIZES:
        raise SpecError(f"reuse_distances: line={line!r}; use one of {', '.join(map(str, LINE_SIZES))} bytes")
    if not 2.0**-d.HASH_BITS <= sample <= 1:
        raise SpecError(f"reuse_distances: sample={sample!r}; give a share from 2**-{d.HASH_BITS} to 1")
    threshold = round(sample * 2**d.HASH_BITS)
    bits = line.bit_length() - 1
    head = np.zeros(d.D_HEADER, dtype=np.int64)
    head[d.D_SHIFT] = 0 if lines else bits
    head[d.D_MASK] = (1 << (64 - bits)) - 1
    head[d.D_THRESHOLD] = threshold
    stack = _Stack(head, max_lines)
    total = 0
    if is_trace(source):
        for part in accesses_of(source, False, line, start, stop):
            total += len(part.addresses)
            stack.serve(part.addresses)
    else:
        words = to_addresses(source[0] if isinstance(source, tuple) else source, lines)[start:stop]
        total = len(words)
        stack.serve(words)
    counts = stack.histogram
    used = np.flatnonzero(counts)
    return ReuseHistogram(
        counts[: int(used[-1]) + 1 if len(used) else 0].copy(),
        int(head[d.D_COLD]),
        total,
        threshold / 2**d.HASH_BITS,
        line,
    )


def miss_ratio_curve(
    source: Source, sizes: npt.ArrayLike | None = None, line: int = 64, sample: float = 1.0, **more: Any
) -> tuple[Floats, Floats]:
    """Return sizes in bytes, and the miss ratios of fully associative LRU caches of these sizes.

    Parameters:
        source, line, sample, more: as for `reuse_distances`.
        sizes: bytes; None: powers of two from one line to what holds everything.

    Raises:
        SpecError: as for `reuse_distances`.

    Example:
        >>> sizes, ratios = miss_ratio_curve([0, 64, 0, 64])
        >>> sizes.tolist(), ratios.tolist()
        ([64.0, 128.0], [1.0, 0.5])
    """
    found = reuse_distances(source, line, sample, **more)
    if sizes is None:
        steps = max(0, (max(1, found.footprint) - 1).bit_length())
        sizes = [line << n for n in range(steps + 1)]
    given = np.asarray(sizes, dtype=np.float64)
    return given, found.miss_ratio(given)


class _Stack:
    """The tables of a pass, which grow with the number of different lines."""

    def __init__(self, head: Ints, max_lines: int) -> None:
        self.head, self._max = head, max_lines
        self.histogram = np.zeros(FIRST_LINES + 1, dtype=np.int64)
        self._table = np.full(4 * FIRST_LINES, -1, dtype=np.int64)
        self._tree = np.zeros(4 * FIRST_LINES + 1, dtype=np.int64)

    def serve(self, addresses: Ints) -> None:
        """Count the distances of a run of accesses."""
        at = 0
        while True:
            at = d.distances(self.head, self._table, self._tree, self.histogram, addresses, at)
            if at == len(addresses):
                return
            self._renew()

    def _renew(self) -> None:
        lines, room = int(self.head[d.D_LINES]), len(self.histogram) - 1
        if lines >= self._max:
            raise QueueOverflowError(
                f"reuse_distances: more than {self._max} different lines; raise max_lines, or give a sample below 1"
            )
        if lines >= room:
            room *= 2
            self.histogram = np.concatenate(
                [self.histogram, np.zeros(room + 1 - len(self.histogram), np.int64)]
            )
        old, slots = self._table, int(self.head[d.D_NOW]) + 1
        self._table = np.full(4 * room, -1, dtype=np.int64)
        self._tree = np.zeros(4 * room + 1, dtype=np.int64)
        d.renumber(self.head, old, self._table, self._tree, np.zeros(slots, dtype=np.int64))
