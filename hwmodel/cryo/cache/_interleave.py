"""Accesses of several sources in turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hwmodel.cryo.cache._source import (
    NO_PCS,
    Accesses,
    Bytes,
    Ints,
    Source,
    accesses_of,
    is_trace,
    to_addresses,
    to_kinds,
)


def interleave(
    sources: Sequence[Source], quantum: int, line: int, lines: bool
) -> Iterator[tuple[Ints, Bytes, Bytes]]:
    """Give (addresses, kinds, cores): `quantum` accesses of each source in turn, until all have ended."""
    feeds = [_Feed(source, line, lines) for source in sources]
    while True:
        for feed in feeds:
            feed.fill(quantum)
        sizes = [len(feed.left.addresses) for feed in feeds]
        if not any(sizes):
            return
        # Whole turns of all that go on; a source's last, short turn comes in a round of its own.
        turns = max(1, min(size for size in sizes if size) // quantum)
        parts = [feed.take(turns * quantum) for feed in feeds]
        lengths = [len(part.addresses) for part in parts]
        number = np.concatenate([np.arange(n) // quantum for n in lengths])
        core = np.repeat(np.arange(len(parts)), lengths)
        order = np.lexsort((core, number))
        yield (
            np.concatenate([part.addresses for part in parts])[order],
            np.concatenate([part.kinds for part in parts])[order],
            core[order].astype(np.uint8),
        )


class _Feed:
    """What is left of one source."""

    def __init__(self, source: Source, line: int, lines: bool) -> None:
        self.left = Accesses(NO_PCS, np.zeros(0, dtype=np.uint8), NO_PCS)
        self._more: Iterator[Accesses] = iter(())
        if is_trace(source):
            self._more = accesses_of(source, False, line)
            return
        addresses, writes = source if isinstance(source, tuple) else (source, None)
        words = to_addresses(addresses, lines)
        self.left = Accesses(words, to_kinds(writes, len(words)), NO_PCS)

    def fill(self, count: int) -> None:
        """Have `count` accesses ready, or all that are left."""
        while len(self.left.addresses) < count:
            part = next(self._more, None)
            if part is None:
                return
            self.left = Accesses(
                np.concatenate([self.left.addresses, part.addresses]),
                np.concatenate([self.left.kinds, part.kinds]),
                NO_PCS,
            )

    def take(self, count: int) -> Accesses:
        """Take the first `count` accesses, or all that are ready."""
        taken = Accesses(self.left.addresses[:count], self.left.kinds[:count], NO_PCS)
        self.left = Accesses(self.left.addresses[count:], self.left.kinds[count:], NO_PCS)
        return taken
