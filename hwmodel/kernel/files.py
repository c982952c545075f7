"""Write one file so that it is whole or not there: into a neighbour first, then renamed."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from hwmodel.errors import OutputError


@contextlib.contextmanager
def replaced_file(path: str | Path) -> Iterator[Path]:
    """Give the path of a hidden neighbour of `path` that takes its place when the block ends well.

    Raises:
        OutputError: the file cannot be written; the message names it and the reason.
    """
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{target}: cannot be written: it is a folder; name a file in it")
    # The suffix stays, because writers of pictures choose their format by it.
    fresh = target.with_name(f".{uuid.uuid4().hex[:12]}.{target.name}")
    try:
        yield fresh
        os.replace(fresh, target)  # noqa: PTH105
    except OutputError:
        raise
    except OSError as error:
        remedy = "" if target.parent.exists() else "make the folder first, or "
        raise OutputError(
            f"{target}: cannot be written: {error.strerror or error}; {remedy}name another file"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # gone, or its folder is a file, which is why it was not written
            fresh.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with replaced_file(path) as fresh:
        fresh.write_text(text, encoding="utf-8", newline="\n")
