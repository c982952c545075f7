"""Folders of the user's cache whose entries can be made again, and vanish when nobody uses them."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from hwmodel.cryo import _plugin

__all__ = ["cached_folder", "used"]

KEPT_SECONDS = 30 * 86_400.0


def cached_folder(name: str) -> Path:
    """A folder of the cache, made if it is not there."""
    folder = _plugin.cache_folder() / name
    folder.mkdir(exist_ok=True)
    return folder


def used(entry: Path, fresh: bool) -> None:
    """Note that an entry is in use; where it is fresh, remove those that were not used for long.

    A file that another process has mapped stays readable there.
    """
    os.utime(entry)
    if not fresh:
        return
    for other in entry.parent.iterdir():
        try:
            if time.time() - other.stat().st_mtime <= KEPT_SECONDS:
                continue
        except OSError:  # another process was faster
            continue
        if other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
        else:
            other.unlink(missing_ok=True)
