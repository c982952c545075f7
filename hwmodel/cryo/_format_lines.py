"""Line streams: little-endian 64-bit differences whose running sum is (line << 1) | is_write, lines of 64 bytes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hwmodel.cryo._format_base import Batch, Reader
from hwmodel.cryo._format_bytes import Feed
from hwmodel.cryo._format_text import Events, accesses

__all__ = ["LineReader"]

LINE_BITS = 6
MOST = 1 << (64 - LINE_BITS + 1)  # of (line << 1) | is_write, so that the byte address fits 64 bits


class LineReader(Reader):
    """A stream of cache lines; the address of an access is that of its line, its size is unknown."""

    name = "lines"

    def _batches(self) -> Iterator[Batch]:
        last = np.int64(0)
        with Feed(self.path) as feed:
            while feed.fill():
                count = len(feed.data) // 8
                number = feed.offset // 8
                if not count and feed.final:
                    raise self._cut("record", number, feed.offset, len(feed.data))
                if not count:
                    continue  # less than a record so far
                deltas = np.frombuffer(feed.data[: 8 * count].tobytes(), "<i8")
                with np.errstate(over="ignore"):
                    values = np.cumsum(deltas, dtype=np.int64) + last
                bad = (values < 0) | (values >= MOST)
                if bad.any():
                    place = int(np.argmax(bad))
                    found = f"a running sum of {values[place]}, which is no line"
                    raise self._bad("record", number + place, feed.offset + 8 * place, found)
                lines = values.astype(np.uint64)
                kinds = (lines & np.uint64(1)).astype(np.uint8)
                yield accesses(Events(kinds, (lines >> np.uint64(1)) << np.uint64(LINE_BITS), lines))
                last = values[-1]
                feed.drop(8 * count)
