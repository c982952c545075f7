"""Records with Valgrind's tool lackey, whose text is read from a pipe as it comes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._format_bytes import Feed
from hwmodel.cryo._format_text import SHORTEST_LINE, Events, LackeyReader, no_events

__all__ = ["OPTIONS", "PipeReader"]

OPTIONS = ("--tool=lackey", "--trace-mem=yes", "--basic-counts=no", "--child-silent-after-fork=yes")


class _PipeFeed(Feed):
    """The bytes of a pipe, which cannot be opened a second time."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        super().__init__(Path("lackey's output"))

    def __exit__(self, *_: object) -> None:
        """Leave the pipe open: its writer would die of a closed one."""

    def _open(self) -> Generator[IO[bytes], None, None]:
        yield self._pipe


class PipeReader(LackeyReader):
    """What lackey writes, while it writes it.

    Parameters:
        pipe: the reading end.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        super().__init__("lackey's output")

    def _events(self, info: npt.NDArray[np.int64]) -> Iterator[tuple[Events, bool]]:
        from hwmodel.cryo import _kernels

        with _PipeFeed(self._pipe) as feed:
            while feed.fill():
                block = np.ascontiguousarray(feed.data)
                room = no_events(2 * (len(block) // SHORTEST_LINE + 1))
                count, used, lines, bad = _kernels.parse_lines(
                    self.grammar, block, feed.final, *room.parts(), info
                )
                yield room.between(0, count), feed.final and not bad
                if bad:
                    raise self._line(feed, used, lines + 1)
                feed.drop(used)
                if feed.final:
                    return
        yield no_events(), True
