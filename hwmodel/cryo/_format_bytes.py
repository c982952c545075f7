"""Bytes of a trace file: compression told by the content, blocks of bounded size, and errors that name the place."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import TraceFileError

__all__ = ["Feed", "check_file", "read_head"]

BLOCK = 1 << 22
LONGEST = 4 * BLOCK  # of one record or line
HEAD = 1 << 12

REFUSED = {
    b"\x28\xb5\x2f\xfd": ("zstd", "unpack it with `zstd -d`"),
    b"\x04\x22\x4d\x18": ("lz4", "unpack it with `lz4 -d`"),
    b"\xff\x06\x00\x00sNaPpY": ("snappy", "unpack it with `snzip -d`"),
    b"7z\xbc\xaf\x27\x1c": ("7-zip", "unpack it with `7z x`"),
    b"PK\x05\x06": ("zip without a file in it", "pack it again"),
}
# A RuntimeError is what zipfile makes of a method or an encryption that it does not know.
DAMAGE = (
    EOFError,
    lzma.LZMAError,
    gzip.BadGzipFile,
    zlib.error,
    zipfile.BadZipFile,
    OSError,
    ValueError,
    RuntimeError,
)


class Feed:
    """The bytes of a file, unpacked: those not yet used are in `data`, the first of them is number `offset`.

    Parameters:
        path: file to read; xz, gzip, bzip2 and zip (all members, in order) are unpacked.
        block: bytes that `fill` adds.
    """

    def __init__(self, path: Path, block: int = BLOCK) -> None:
        self.path = path
        self.data: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self.offset = 0
        self.final = False
        self._block = block
        self._parts = self._open()
        self._part: IO[bytes] | None = next(self._parts)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        if self._part is not None:
            self._part.close()
        self._parts.close()

    def fill(self) -> bool:
        """Add a block; False where nothing is left to be read and to be used."""
        if len(self.data) > LONGEST:
            raise TraceFileError(
                f"'{self.path}': {len(self.data)} bytes from byte {self.offset} on hold no whole record; "
                "it is a file of another format"
            )
        more = b""
        while self._part is not None and not more:
            try:
                more = self._part.read(self._block)
            except DAMAGE as error:
                read = self.offset + len(self.data)
                raise TraceFileError(
                    f"'{self.path}' is truncated or damaged: its compressed stream fails after {read} unpacked bytes "
                    f"({error}); fetch or make it again"
                ) from error
            if not more:
                self._part.close()
                self._part = next(self._parts, None)
        self.final = not more
        fresh = np.frombuffer(more, np.uint8)
        self.data = np.concatenate([self.data, fresh]) if len(self.data) else fresh
        self.data.flags.writeable = False  # always: a kernel is compiled anew for each kind of array
        return len(self.data) > 0

    def drop(self, count: int) -> None:
        """Forget the first bytes of `data`, which have been used."""
        self.data = self.data[count:]
        self.offset += count

    def _open(self) -> Generator[IO[bytes], None, None]:
        check_file(self.path)
        try:
            with self.path.open("rb") as file:
                start = file.read(16)
        except OSError as error:
            raise TraceFileError(f"trace '{self.path}' cannot be opened: {error.strerror}") from error
        for magic, (name, remedy) in REFUSED.items():
            if start.startswith(magic):
                raise TraceFileError(f"'{self.path}' is packed by {name}, which is not read; {remedy}")
        if start.startswith(b"PK\x03\x04"):
            yield from self._members()
            return
        kinds: dict[bytes, Any] = {b"\xfd7zXZ\0": lzma.open, b"\x1f\x8b": gzip.open, b"BZh": bz2.open}
        opener = next((kind for magic, kind in kinds.items() if start.startswith(magic)), open)
        yield opener(self.path, "rb")

    def _members(self) -> Iterator[IO[bytes]]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                for member in archive.infolist():
                    yield archive.open(member)
        except DAMAGE as error:
            raise TraceFileError(
                f"'{self.path}' is a zip file that is truncated, damaged or encrypted ({error}); fetch or pack it again"
            ) from error


def check_file(path: Path) -> None:
    """Refuse what is there but cannot be read twice from its start, as a format is told and then read."""
    if path.is_dir():
        raise TraceFileError(f"trace '{path}' cannot be opened: it is a folder; name a file in it")
    if path.exists() and not path.is_file() and path != Path(os.devnull):
        raise TraceFileError(
            f"trace '{path}' cannot be opened: it is a pipe or a device; write what it gives into a file first"
        )


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with Feed(path, HEAD) as feed:
        feed.fill()
        return feed.data.tobytes()
