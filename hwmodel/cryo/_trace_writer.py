"""The writer of the internal trace."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._statics import MAX_STATICS, STATIC_DTYPE, Statics, StaticTable, static_record
from hwmodel.cryo._trace_base import (
    ALIGNMENT,
    HEADER_ROOM,
    MAGIC,
    STRIDE,
    TAKEN,
    Chunk,
    make_meta,
    operand_counts,
)
from hwmodel.errors import OutputError, TraceFileError

__all__ = ["TraceWriter"]


class TraceWriter:
    """Write an internal trace; the file appears under its name only when the block ends well.

    Parameters:
        path: file to write, suffix `.hwt`; one that exists is replaced.
        meta: as from `make_meta`; the dictionary `writer.meta` may be added to until the end.
        max_statics: bound of the table of static records.

    Raises:
        OutputError: the file cannot be written.
        TraceFileError: static records, ids and addresses do not fit together.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with TraceWriter(folder / "a.hwt", make_meta("two stores", has_pc=True)) as writer:
        ...     store = writer.static(pc=0x1000, size=4, stores=1, store_size=8)
        ...     writer.write([store, store], [0x40, 0x48])
        >>> [file.name for file in folder.iterdir()], writer.meta["operands"]
        (['a.hwt'], 2)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        meta: Mapping[str, Any] | None = None,
        max_statics: int = MAX_STATICS,
    ) -> None:
        self.path = Path(path)
        self.meta: dict[str, Any] = make_meta(**dict(meta or {}))
        self.instructions = 0
        self.operands = 0
        self._table = StaticTable(max_statics, f"trace '{self.path}'")
        self._index: list[npt.NDArray[np.int64]] = []
        self._room = HEADER_ROOM + 2 * len(json.dumps(self.meta)) // ALIGNMENT * ALIGNMENT
        self._seen: Statics = np.empty(0, STATIC_DTYPE)  # the table of the last chunk, and its place in ours
        self._place: npt.NDArray[np.uint32] = np.empty(0, np.uint32)
        self._fresh = self.path.with_name(f".{os.getpid()}-{id(self):x}.new")
        if self.path.is_dir():
            raise OutputError(f"cannot write '{self.path}': it is a folder; name a file")
        try:
            self._file: BinaryIO = _nameless_file(self._fresh)
            self._more: BinaryIO = _vanishing_file(self.path.parent)
        except OSError as error:
            self._fresh.unlink(missing_ok=True)
            raise OutputError(f"cannot write '{self.path}': {error.strerror}") from error
        self._file.seek(self._room)

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    @property
    def statics(self) -> Statics:
        """The static records so far."""
        return self._table.records

    def static(self, **fields: Any) -> int:
        """Return the number of a static record, which is added if it is new; fields as for `static_record`."""
        return self._table.add(static_record(**fields))

    def intern(self, records: Statics) -> npt.NDArray[np.uint32]:
        """Return the numbers of many static records; new ones are added."""
        return self._table.intern(records)

    def write(self, ids: npt.ArrayLike, addresses: npt.ArrayLike) -> None:
        """Append instructions by the numbers that `static` or `intern` gave, with the addresses of their operands."""
        if self._file.closed:
            raise TraceFileError(f"trace '{self.path}' is closed; nothing can be appended")
        numbers = np.ascontiguousarray(ids, dtype="<u4")
        operands = np.ascontiguousarray(addresses, dtype="<u8")
        indices = numbers & np.uint32(TAKEN - 1)
        if len(indices) and indices.max() >= len(self._table):
            raise TraceFileError(
                f"trace '{self.path}': instruction {self.instructions + int(indices.argmax())} names static record "
                f"{indices.max()} of {len(self._table)}; add it with static()"
            )
        counts = operand_counts(self._table.records)[indices]
        total = int(counts.sum(dtype=np.int64))
        if total != len(operands):
            raise TraceFileError(
                f"trace '{self.path}': {len(numbers)} instructions from {self.instructions} on have {total} memory "
                f"operands, but {len(operands)} addresses were given; give one address an operand"
            )
        self._note(counts)
        try:
            self._file.write(numbers.data)
            self._more.write(operands.data)
        except OSError as error:
            raise OutputError(f"cannot write '{self.path}': {error.strerror}") from error
        self.instructions += len(numbers)
        self.operands += total

    def append(self, chunk: Chunk) -> None:
        """Append a chunk of any trace; its static records are merged with those that are there."""
        known = len(self._seen)
        if len(chunk.statics) < known or not _same(chunk.statics[:known], self._seen):
            known, self._place = 0, np.empty(0, np.uint32)
        if len(chunk.statics) > known or not known:
            self._place = np.concatenate([self._place, self._table.intern(chunk.statics[known:])])
            self._seen = chunk.statics.copy()
        indices = chunk.indices
        if len(indices) and indices.max() >= len(self._place):
            raise TraceFileError(
                f"trace '{self.path}': a chunk from instruction {chunk.first} on names static record "
                f"{indices.max()} of {len(self._place)}; its table is incomplete"
            )
        self.write(self._place[indices] | (chunk.ids & np.uint32(TAKEN)), chunk.addresses)

    def discard(self) -> None:
        """Give up: nothing is left behind, and a file that existed stays as it was."""
        self._file.close()
        self._more.close()
        self._fresh.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._file.closed:
            return
        try:
            self._finish()
            if not self._fresh.exists():
                _give_name(self._file, self._fresh)
            os.replace(self._fresh, self.path)  # noqa: PTH105
        except OSError as error:
            raise OutputError(f"cannot write '{self.path}': {error.strerror}") from error
        finally:
            self.discard()

    # What follows is private.

    def _note(self, counts: npt.NDArray[np.uint8]) -> None:
        """Keep the offsets of the operands at every STRIDE instructions."""
        begin = -self.instructions % STRIDE
        if begin >= len(counts):
            return
        marks = np.arange(begin, len(counts), STRIDE)
        before = int(counts[:begin].sum(dtype=np.int64))
        sums = np.add.reduceat(counts, marks, dtype=np.int64)
        self._index.append(self.operands + before + np.concatenate([[0], np.cumsum(sums[:-1])]))

    def _finish(self) -> None:
        sections = {"ids": (self._room, 4 * self.instructions)}
        self._more.seek(0)
        sections["addresses"] = self._section(iter(lambda: self._more.read(1 << 20), b""))
        sections["statics"] = self._section([self._table.records.tobytes()])
        sections["index"] = self._section(part.astype("<u8").tobytes() for part in self._index)
        self.meta["instructions"], self.meta["operands"] = self.instructions, self.operands
        header = json.dumps({"meta": self.meta, "sections": sections}).encode()
        room = self._room - 16
        if len(header) > room:
            raise TraceFileError(
                f"trace '{self.path}': meta grew to {len(header)} bytes, {room} were kept; give long texts at once"
            )
        self._file.seek(0)
        self._file.write(MAGIC + room.to_bytes(8, "little") + header.ljust(room))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _section(self, parts: Iterable[bytes]) -> tuple[int, int]:
        end = self._file.tell()
        begin = -(-end // ALIGNMENT) * ALIGNMENT
        self._file.write(bytes(begin - end))
        for part in parts:
            self._file.write(part)
        return begin, self._file.tell() - begin


def _same(one: Statics, other: Statics) -> bool:
    """Whether two tables hold the same bytes."""
    return np.array_equal(np.ascontiguousarray(one).view(np.uint64), other.view(np.uint64))


def _vanishing_file(folder: Path) -> BinaryIO:
    """A file that vanishes with its process, on the disk of the target."""
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))


def _give_name(file: BinaryIO, name: Path) -> None:
    """Put a file that has no name into a folder."""
    # Only with a descriptor of its folder does Python follow the link that stands for the file.
    folder = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(str(file.fileno()), name, src_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _nameless_file(name: Path) -> BinaryIO:
    """A file that vanishes with its process unless it is given a name; where there is no such thing, one with a name."""
    try:
        return os.fdopen(os.open(name.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), "w+b")
    except (AttributeError, OSError):  # of other systems, and of some file systems
        return name.open("xb")
