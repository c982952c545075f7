"""Packed internal traces: `.hwt.xz` (or gz, bz2) files are unpacked once into the user's cache, and mapped from there."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO

from hwmodel.cryo._cached import cached_folder, used
from hwmodel.cryo._trace_base import MAGIC, SUFFIX
from hwmodel.errors import OutputError, TraceFileError

__all__ = ["pack", "unpacked"]

KINDS: dict[bytes, Any] = {
    b"\xfd7zXZ\x00": lzma.open,
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
}
BLOCK = 1 << 20


def unpacked(path: str | os.PathLike[str]) -> Path:
    """Return the plain file of an internal trace: the file itself, or its copy in the cache if it is packed by xz, gzip or bzip2.

    The copy is found by a hash of the packed file's content, so a changed file is unpacked anew.

    Raises:
        TraceFileError: the file is truncated or damaged.
        OutputError: the copy cannot be written.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            start = file.read(6)
            opener = next((kind for magic, kind in KINDS.items() if start.startswith(magic)), None)
            if opener is None:
                return source
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # whoever opens the file says what is wrong with it
        return source
    name = source.name.split(".")[0]
    made = cached_folder("traces") / f"{name}-{digest[:24]}{SUFFIX}"
    fresh = not made.is_file()
    if fresh:
        _unpack(source, made, opener)
    used(made, fresh)
    return made


def pack(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Pack an internal trace by xz, as small as it gets; the same input gives the same bytes."""
    with Path(source).open("rb") as plain, lzma.open(target, "wb", preset=9 | lzma.PRESET_EXTREME) as packed:
        shutil.copyfileobj(plain, packed, BLOCK)


# What follows is private.


def _unpack(source: Path, made: Path, opener: Callable[[Path], IO[Any]]) -> None:
    handle, fresh = tempfile.mkstemp(prefix=".trace-", dir=made.parent)
    try:
        with os.fdopen(handle, "wb") as plain, opener(source) as packed:
            _copy(source, packed, plain)
        Path(fresh).replace(made)
    except OSError as error:
        raise OutputError(f"unpacking trace '{source}' to '{made.parent}': {error.strerror}") from error
    finally:
        Path(fresh).unlink(missing_ok=True)


def _copy(source: Path, packed: IO[bytes], plain: BinaryIO) -> None:
    done = 0
    while True:
        try:
            block = packed.read(BLOCK)
        except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
            raise TraceFileError(
                f"trace '{source}' is truncated or damaged {done} bytes into its content ({error}); "
                "fetch or make it again"
            ) from error
        if not block:
            return
        if not done and not block.startswith(MAGIC):
            raise TraceFileError(
                f"'{source}' holds no internal trace: it starts with {block[:8]!r} instead of {MAGIC!r}; "
                "convert it with `hwmodel trace convert`"
            )
        plain.write(block)
        done += len(block)
