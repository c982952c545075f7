"""What the readers of foreign traces share: batches of instructions become chunks of the window that is asked for."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._statics import MAX_STATICS, STATIC_DTYPE, Statics, StaticTable
from hwmodel.cryo._trace_base import CHUNK, TAKEN, Chunk, check_window, make_meta, operand_counts
from hwmodel.errors import TraceFileError

__all__ = ["Batch", "Reader"]

WORDS = STATIC_DTYPE.itemsize // 8


@dataclass(frozen=True)
class Batch:
    """Instructions as they come out of a file: one static record each, not yet numbered."""

    records: Statics
    taken: npt.NDArray[Any]
    addresses: npt.NDArray[np.uint64]

    @classmethod
    def of_rows(
        cls, rows: npt.NDArray[np.uint64], taken: npt.NDArray[np.uint8], addresses: npt.NDArray[np.uint64]
    ) -> Batch:
        """Make one of the words that a kernel wrote."""
        return cls(rows.reshape(-1).view(STATIC_DTYPE), taken, addresses)


class Reader(ABC):
    """A foreign trace file, read as a stream.

    `meta` has "instructions" and "operands" once all of the file has been read, before they are None.

    Parameters:
        path: the file.
        max_statics: bound of the table of static records.
    """

    name: ClassVar[str]
    isa: ClassVar[str] = "unknown"
    has: ClassVar[tuple[str, ...]] = ()
    remedy: ClassVar[str] = "name its format with format="

    def __init__(self, path: str | os.PathLike[str], max_statics: int = MAX_STATICS) -> None:
        self.path = Path(path)
        flags = {f"has_{what}": True for what in self.has}
        self.meta: dict[str, Any] = make_meta(self.path.name, self.isa, format=self.name, **flags)
        self._table = StaticTable(max_statics, f"trace '{self.path}'")

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: between two calls of `chunks` no file is open."""
        return

    @property
    def statics(self) -> Statics:
        """The static records met so far."""
        return self._table.records

    def chunks(self, size: int = CHUNK, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        """Give instructions `start` to `stop` (None: the end) in runs of at most `size`.

        Raises:
            TraceFileError: a truncated, damaged or foreign file, or a window that cannot be meant.
        """
        check_window(size, start, stop)
        first = operands = 0
        if stop == 0:
            return
        for batch in self._batches():
            count = len(batch.records)
            begin = max(0, start - first)
            end = count if stop is None else min(count, stop - first)
            if begin < end:
                yield from self._pieces(batch, first, begin, end, size)
            first += count
            operands += len(batch.addresses)
            if stop is not None and first >= stop:
                return
        if not first:
            raise TraceFileError(
                f"'{self.path}' holds no record of format {self.name}; it is empty or cut off"
            )
        self.meta["instructions"], self.meta["operands"] = first, operands

    def _pieces(self, batch: Batch, first: int, begin: int, end: int, size: int) -> Iterator[Chunk]:
        offsets = np.zeros(len(batch.records) + 1, np.int64)
        np.cumsum(operand_counts(batch.records), out=offsets[1:])
        ids = self._table.intern(batch.records[begin:end])
        ids[batch.taken[begin:end] != 0] |= np.uint32(TAKEN)
        for piece in range(begin, end, size):
            last = min(piece + size, end)
            yield Chunk(
                self._table.records,
                ids[piece - begin : last - begin],
                batch.addresses[offsets[piece] : offsets[last]],
                first + piece,
            )

    @abstractmethod
    def _batches(self) -> Iterator[Batch]:
        """The instructions of the file, from its start."""

    def _bad(self, unit: str, number: int, offset: int, found: str, remedy: str = "") -> TraceFileError:
        """The error of a record or line that cannot be."""
        return TraceFileError(
            f"'{self.path}', {unit} {number} (byte {offset}), read as {self.name}: found {found}; "
            f"{remedy or self.remedy}"
        )

    def _cut(self, unit: str, number: int, offset: int, rest: int) -> TraceFileError:
        """The error of a file that ends inside a record."""
        return TraceFileError(
            f"'{self.path}' is truncated, read as {self.name}: {unit} {number} (byte {offset}) has only {rest} bytes; "
            "fetch or make it again"
        )


def new_rows(count: int) -> npt.NDArray[np.uint64]:
    """Room for static records that a kernel writes as words."""
    return np.empty((count, WORDS), np.uint64)
