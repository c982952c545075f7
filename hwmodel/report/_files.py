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
        raise OutputError(f"cannot write '{target}': it is a folder; name a file in it")
    # The suffix stays, because writers of pictures choose their format by it.
    fresh = target.with_name(f".{uuid.uuid4().hex[:12]}.{target.name}")
    try:
        yield fresh
        os.replace(fresh, target)  # noqa: PTH105
    except OutputError:
        raise
    except OSError as error:
        hint = "; make the folder first" if not target.parent.is_dir() else ""
        raise OutputError(f"cannot write '{target}': {error.strerror or error}{hint}") from error
    finally:
        fresh.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with replaced_file(path) as fresh:
        fresh.write_text(text, encoding="utf-8", newline="\n")
