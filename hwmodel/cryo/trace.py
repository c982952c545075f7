"""The internal trace: one memory-mapped file that holds what a program did, instruction by instruction.

A trace has a table of static instructions, one entry for each distinct *variant*, the sequence of their numbers, and
the address of every memory operand. A file (suffix `.hwt`, little endian) begins with the magic `HWTRACE1`, the length
of a JSON header as a 64-bit number, and the header; its sections start at multiples of 64 bytes.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hwmodel.cryo._packed import pack, unpacked
from hwmodel.cryo._statics import (
    ACCESS_ONLY,
    ATOMIC,
    FENCE,
    FIRST_INTEGER,
    FIRST_VECTOR,
    FLAGS_REGISTER,
    MARKER,
    MAX_ACCESSES,
    MAX_STATICS,
    STATIC_DTYPE,
    Statics,
    StaticTable,
    static_record,
)
from hwmodel.cryo._trace_base import (
    ALIGNMENT,
    CHUNK,
    ISAS,
    MAGIC,
    MAX_HEADER,
    SECTIONS,
    STRIDE,
    SUFFIX,
    TAKEN,
    Addresses,
    Branch,
    Chunk,
    Ids,
    Op,
    TraceSource,
    check_window,
    make_meta,
    operand_counts,
)
from hwmodel.cryo._trace_writer import TraceWriter
from hwmodel.errors import TraceFileError

__all__ = [
    "ACCESS_ONLY",
    "ATOMIC",
    "FENCE",
    "FIRST_INTEGER",
    "FIRST_VECTOR",
    "FLAGS_REGISTER",
    "MARKER",
    "MAX_STATICS",
    "STATIC_DTYPE",
    "SUFFIX",
    "TAKEN",
    "Branch",
    "Chunk",
    "Op",
    "StaticTable",
    "Trace",
    "TraceSource",
    "TraceWriter",
    "make_meta",
    "operand_counts",
    "pack",
    "static_record",
]


class Trace:
    """An internal trace on disk, of which only the part in use is mapped into memory.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "loop.hwt"
        >>> with TraceWriter(path, make_meta("a loop", has_pc=True)) as writer:
        ...     load = writer.static(pc=0x1000, size=4, loads=1, load_size=8, sources=[1], destinations=[2])
        ...     writer.write([load, load], [0x40, 0x80])
        >>> with Trace.open(path) as trace:
        ...     print(trace.instructions, [hex(a) for chunk in trace.chunks() for a in chunk.addresses])
        2 ['0x40', '0x80']
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._file: BinaryIO = self.path.open("rb")
        except OSError as error:
            raise TraceFileError(f"trace '{self.path}' cannot be opened: {error.strerror}") from error
        try:
            self.meta, self._sections = _read_header(self._file, self.path)
            self.instructions: int = self._sections["ids"][1] // 4
            self.operands: int = self._sections["addresses"][1] // 8
            self.statics: Statics = self._map("statics", STATIC_DTYPE)
            self._index: Addresses = self._map("index", np.dtype("<u8"))
            self._check()
        except BaseException:
            self._file.close()
            raise
        self._counts = operand_counts(self.statics)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Trace:
        """Open a `.hwt` file; one that is packed (`.hwt.xz`) is unpacked into the user's cache first.

        Raises:
            TraceFileError: it is missing, truncated, damaged or of another format.
        """
        return cls(unpacked(path))

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Trace {self.path.name}: {self.instructions} instructions, {self.operands} operands>"

    def close(self) -> None:
        """Close the file; chunks already given stay valid."""
        self._file.close()

    def chunks(self, size: int = CHUNK, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        """Give instructions `start` to `stop` (None: the end) in runs of at most `size`.

        Raises:
            TraceFileError: a window that cannot be meant, or a damaged file.
        """
        check_window(size, start, stop)
        end = self.instructions if stop is None else min(stop, self.instructions)
        if start >= end:
            return
        offset = self._offset(start)
        for first in range(start, end, size):
            if first % STRIDE == 0 and self._index[first // STRIDE] != offset:
                raise self._damaged(f"its index and its instructions disagree at instruction {first}")
            ids = self._map("ids", np.dtype("<u4"), first, min(size, end - first))
            count = self._operands(ids, first)
            if offset + count > self.operands:
                raise self._damaged(f"instructions from {first} on need more addresses than there are")
            yield Chunk(self.statics, ids, self._map("addresses", np.dtype("<u8"), offset, count), first)
            offset += count

    # What follows is private.

    def _offset(self, start: int) -> int:
        base = start // STRIDE
        offset = int(self._index[base])
        if start % STRIDE:
            offset += self._operands(
                self._map("ids", np.dtype("<u4"), base * STRIDE, start % STRIDE), base * STRIDE
            )
        return offset

    def _operands(self, ids: Ids, first: int) -> int:
        indices = ids & np.uint32(TAKEN - 1)
        if len(indices) and indices.max() >= len(self._counts):
            place = int(np.argmax(indices >= len(self._counts)))
            raise self._damaged(f"instruction {first + place} names static record {indices[place]}")
        return int(self._counts[indices].sum(dtype=np.int64))

    def _map(self, name: str, dtype: np.dtype[Any], first: int = 0, count: int | None = None) -> Any:
        begin, length = self._sections[name]
        count = length // dtype.itemsize if count is None else count
        if count == 0:
            return np.empty(0, dtype)
        if self._file.closed:
            raise TraceFileError(f"trace '{self.path}' is closed; open it again")
        byte = begin + first * dtype.itemsize
        page = byte - byte % mmap.ALLOCATIONGRANULARITY
        view = mmap.mmap(
            self._file.fileno(), byte - page + count * dtype.itemsize, access=mmap.ACCESS_READ, offset=page
        )
        return np.frombuffer(view, dtype, count, byte - page)

    def _check(self) -> None:
        for name, count in (("instructions", self.instructions), ("operands", self.operands)):
            if self.meta.get(name) not in (None, count):
                raise self._damaged(f"its header speaks of {self.meta[name]} {name}, and it holds {count}")
        wanted = -(-self.instructions // STRIDE)
        if len(self._index) != wanted:
            raise self._damaged(f"its index has {len(self._index)} entries where {wanted} are needed")
        if wanted and (self._index[0] != 0 or self._index[-1] > self.operands):
            raise self._damaged("its index does not fit its addresses")
        table = self.statics
        bad = (table["op"] > max(Op)) | (table["branch"] > max(Branch))
        bad |= (table["loads"] > MAX_ACCESSES) | (table["stores"] > MAX_ACCESSES)
        bad |= (table["sources"] > 127).any(axis=1) | (table["destinations"] > 127).any(axis=1)
        if bad.any():
            raise self._damaged(f"static record {int(np.argmax(bad))} is out of range")

    def _damaged(self, what: str) -> TraceFileError:
        return TraceFileError(f"trace '{self.path}' is damaged: {what}; make it again")


def _read_header(file: BinaryIO, path: Path) -> tuple[dict[str, Any], dict[str, tuple[int, int]]]:
    """Description and sections of a file, checked against its size."""
    start = file.read(16)
    if not start:
        raise TraceFileError(f"trace '{path}' is empty; make it again")
    if start[:8] != MAGIC:
        raise TraceFileError(
            f"'{path}' is no internal trace: at byte 0 it has {start[:8]!r} instead of {MAGIC!r}; "
            "convert it with `hwmodel trace convert`"
        )
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(start[8:16], "little")
    if len(start) < 16 or length > min(MAX_HEADER, size - 16):
        raise TraceFileError(f"trace '{path}' is truncated in its header, at byte {size}; make it again")
    try:
        header = json.loads(file.read(length))
        meta = dict(header["meta"])
        sections = {
            name: (int(header["sections"][name][0]), int(header["sections"][name][1])) for name in SECTIONS
        }
        if not isinstance(meta.get("source"), str) or meta.get("isa") not in ISAS:
            raise ValueError("its meta does not say source and isa")
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise TraceFileError(
            f"trace '{path}': its header, at byte 16, is damaged ({error}); make it again"
        ) from error
    for name, (begin, count) in sections.items():
        if begin % ALIGNMENT or begin < 16 + length or count < 0 or count % SECTIONS[name]:
            raise TraceFileError(
                f"trace '{path}': section {name} of the header is damaged; make the trace again"
            )
        if begin + count > size:
            raise TraceFileError(
                f"trace '{path}' is truncated: it ends at byte {size}, but section {name} reaches to byte "
                f"{begin + count}; make it again"
            )
    return meta, sections
