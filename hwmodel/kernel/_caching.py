"""The cache of compiled kernels, shared by processes that run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not on Windows, where processes are on their own
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(folder: str) -> Iterator[None]:
    """Wait until no other process is in here for the same folder; where files cannot be locked, do not wait."""
    if fcntl is None:
        yield
        return
    with (Path(folder) / "lock").open("a") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def save_alone(function: Any, folder: str) -> None:
    """Let no two processes save code of a compiled function at once.

    numba numbers the files of a function's versions: two processes that save different versions at the same time give
    them the same number, and a later one would run the code of the other version.
    """
    file = function._cache._cache_file
    save = file.save

    def locked(key: object, data: object) -> None:
        with alone(folder):
            save(key, data)

    file.save = locked
