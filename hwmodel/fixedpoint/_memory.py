"""Memory of large results, used again once nobody holds them.

Fresh memory costs more than the cast that fills it: the system clears every page on its first use. So the last few
large buffers are kept here, and each is handed out anew when no array refers to it any more.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from hwmodel.fixedpoint._raw import Raws

SMALLEST, LARGEST = 8 << 20, 96 << 20  # bytes; others come from the allocator as usual
KEPT = 2

_kept: list[Raws] = []


def _pop() -> tuple[Raws, int]:
    """Take a buffer off the list, so that no other thread gets it, and count the references to it."""
    buffer = _kept.pop(0)
    return buffer, sys.getrefcount(buffer)


# What the count is when nobody else holds the buffer depends on the interpreter.
_kept.append(np.empty(1, np.uint8))
_FREE = _pop()[1]


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Raws:
    """Give an array with arbitrary contents, like `np.empty`."""
    size = dtype.itemsize * int(np.prod(shape, dtype=object))
    if dtype.kind == "O" or not SMALLEST <= size <= LARGEST:
        return np.empty(shape, dtype)
    buffer = _taken(size)
    _kept.append(buffer)
    del _kept[:-KEPT]
    # Every view refers to the buffer that owns the memory, so its references tell whether one is alive.
    return buffer[:size].view(dtype).reshape(shape)


def _taken(size: int) -> Raws:
    """A buffer of about that size that nobody else holds."""
    for _ in range(len(_kept)):
        try:
            buffer, references = _pop()
        except IndexError:  # another thread took it
            break
        if references == _FREE and size <= buffer.size <= 2 * size:
            return buffer
        _kept.append(buffer)
    return np.empty(size, np.uint8)
