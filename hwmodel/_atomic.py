"""Replace a folder as a whole: whoever looks sees the old one or the new one, never a mixture.

The new content is written into a hidden folder beside the target, flushed to the disk, and then
swapped with the target in one step (`renameat2` with RENAME_EXCHANGE on Linux, elsewhere two renames
that the next run can repair). A hidden folder is locked while its process lives, so what a killed
process left behind can be told from what a living one is writing.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from hwmodel.errors import OutputError

__all__ = ["check_replaceable", "replaced_folder"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# What a kernel or a file system that does not know the exchange answers.
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}


@contextlib.contextmanager
def replaced_folder(folder: str | Path, foreign: Callable[[Path], str | None]) -> Iterator[Path]:
    """Give a hidden folder to write into, which takes the place of `folder` when the block ends well.

    When the block ends by an exception, by SIGINT or by SIGTERM, the hidden folder is removed and
    `folder` stays as it was. A symbolic link stays a link; its target is replaced.

    Parameters:
        folder: the folder to replace; it need not exist, nor its parents.
        foreign: asked about an existing, non-empty folder; gives the reason why it must not be
            replaced, or None where nothing would be lost.

    Raises:
        OutputError: the folder must not or cannot be replaced.
    """
    check_replaceable(folder, foreign)
    target = Path(folder).resolve()
    parents = _make_parents(target)
    done = False
    try:
        _recover(target)
        check_replaceable(target, foreign)
        with _termination_as_exception(), _hidden_folder(target) as fresh:
            yield fresh
            check_replaceable(
                target, foreign
            )  # the run may have been long, and somebody may have left a file
            _flush(fresh)
            _swap(fresh, target)
        done = True
    finally:
        if not done:
            for parent in parents:
                with contextlib.suppress(OSError):
                    parent.rmdir()


def check_replaceable(folder: str | Path, foreign: Callable[[Path], str | None]) -> None:
    """Refuse a folder that `replaced_folder` would refuse; nothing is written.

    Parameters:
        folder: the folder to replace; it need not exist.
        foreign: as for `replaced_folder`.

    Raises:
        OutputError: the folder must not be replaced.
    """
    target, here = Path(folder).resolve(), Path.cwd()
    if here == target or target in here.parents:
        raise OutputError(
            f"will not replace '{folder}': it is, or contains, the current folder; name a folder below it"
        )
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"cannot write to '{folder}': it is a file; name a folder")
    if any(target.iterdir()) and (reason := foreign(target)):
        raise OutputError(
            f"will not replace '{folder}': {reason}; name another folder, or move this one away"
        )


def _make_parents(target: Path) -> list[Path]:
    """Make the folders above the target; give those that were missing, innermost first."""
    missing = [p for p in target.parents if not p.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder '{target.parent}': {error.strerror}") from error
    return missing


@contextlib.contextmanager
def _hidden_folder(target: Path) -> Iterator[Path]:
    """A locked hidden folder beside the target, gone in the end with whatever is then in it."""
    while True:
        fresh = target.parent / f".{target.name}.hwmodel-{uuid.uuid4().hex[:12]}.new"
        try:
            fresh.mkdir()
        except OSError as error:
            raise OutputError(f"cannot write beside '{target}': {error.strerror}") from error
        lock = _lock(fresh)
        if lock is not None:
            break
    try:
        if target.exists():
            shutil.copymode(target, fresh)
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder; None where another process holds it or took it away meanwhile."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def _recover(target: Path) -> None:
    """Clear up after a killed run: bring back an old folder without a successor, drop the rest."""
    prefix = f".{target.name}.hwmodel-"
    leftovers = [p for p in target.parent.iterdir() if p.name.startswith(prefix)]
    for left in sorted(leftovers, key=lambda p: p.suffix != ".old"):
        if not left.is_dir() or (lock := _lock(left)) is None:
            continue
        if left.suffix == ".old" and not target.exists():
            left.rename(target)
        else:
            shutil.rmtree(left, ignore_errors=True)
        os.close(lock)


def _flush(folder: Path) -> None:
    """Have every file and folder below on the disk before the swap makes it the only copy."""
    for root, _, files in os.walk(folder):
        for name in [*files, "."]:
            handle = os.open(os.path.join(root, name), os.O_RDONLY)  # noqa: PTH118
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _swap(fresh: Path, target: Path) -> None:
    """Put `fresh` in the target's place; afterwards the old content, if any, is no longer there."""
    try:
        if not target.exists():
            fresh.rename(target)
        elif not _exchange(fresh, target):
            _rename_twice(fresh, target)
    except OSError as error:
        raise OutputError(f"cannot replace '{target}': {error.strerror}") from error
    parent = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _exchange(fresh: Path, target: Path) -> bool:
    """Swap both names in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if renameat2(_AT_FDCWD, os.fsencode(fresh), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number))


def _rename_twice(fresh: Path, target: Path) -> None:
    """The old folder out of the way, the new one in; killed in between, the next run undoes it."""
    old = fresh.with_suffix(".old")
    lock = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        os.close(lock)


@contextlib.contextmanager
def _termination_as_exception() -> Iterator[None]:
    """Let SIGTERM unwind the stack as SIGINT does, so that the hidden folder is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
