"""Packed internal traces: `.hwt.xz` files are unpacked once into the user's cache, and mapped from there."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from hwmodel.cryo._cached import cached_folder, used
from hwmodel.cryo._trace_base import MAGIC, SUFFIX
from hwmodel.errors import OutputError, TraceFileError

__all__ = ["pack", "unpacked"]

XZ = b"\xfd7zXZ\x00"
BLOCK = 1 << 20


def unpacked(path: str | os.PathLike[str]) -> Path:
    """Return the plain file of an internal trace: the file itself, or its copy in the cache if it is packed by xz.

    The copy is found by a hash of the packed file's content, so a changed file is unpacked anew.

    Raises:
        TraceFileError: the file is truncated or damaged.
        OutputError: the copy cannot be written.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            if file.read(len(XZ)) != XZ:
                return source
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # whoever opens the file says what is wrong with it
        return source
    name = source.name.split(".")[0]
    made = cached_folder("traces") / f"{name}-{digest[:24]}{SUFFIX}"
    fresh = not made.is_file()
    if fresh:
        _unpack(source, made)
    used(made, fresh)
    return made


def pack(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Pack an internal trace by xz, as small as it gets; the same input gives the same bytes."""
    with Path(source).open("rb") as plain, lzma.open(target, "wb", preset=9 | lzma.PRESET_EXTREME) as packed:
        shutil.copyfileobj(plain, packed, BLOCK)


# What follows is private.


def _unpack(source: Path, made: Path) -> None:
    handle, fresh = tempfile.mkstemp(prefix=".trace-", dir=made.parent)
    try:
        with os.fdopen(handle, "wb") as plain, lzma.open(source) as packed:
            _copy(source, packed, plain)
        Path(fresh).replace(made)
    except OSError as error:
        raise OutputError(f"unpacking trace '{source}' to '{made.parent}': {error.strerror}") from error
    finally:
        Path(fresh).unlink(missing_ok=True)


def _copy(source: Path, packed: lzma.LZMAFile, plain: BinaryIO) -> None:
    done = 0
    try:
        while block := packed.read(BLOCK):
            if not done and not block.startswith(MAGIC):
                raise TraceFileError(
                    f"'{source}' holds no internal trace: it starts with {block[:8]!r} instead of {MAGIC!r}; "
                    "convert it with `hwmodel trace convert`"
                )
            plain.write(block)
            done += len(block)
    except (EOFError, lzma.LZMAError) as error:
        raise TraceFileError(
            f"trace '{source}' is truncated or damaged {done} bytes into its content ({error}); fetch or make it again"
        ) from error
