"""What reader and writer of the internal trace share: classes of instructions, chunks, and the description."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._statics import STATIC_DTYPE
from hwmodel.errors import TraceFileError

__all__ = [
    "SUFFIX",
    "TAKEN",
    "Branch",
    "Chunk",
    "Op",
    "TraceSource",
    "check_window",
    "make_meta",
    "operand_counts",
]

Ids = npt.NDArray[np.uint32]
Addresses = npt.NDArray[np.uint64]
Statics = npt.NDArray[np.void]

SUFFIX = ".hwt"
MAGIC = b"HWTRACE1"
TAKEN = 1 << 31
"""The bit of a dynamic instruction that says that its branch was taken."""
ALIGNMENT = 64
STRIDE = 1 << 16
"""Instructions between two entries of the section `index`."""
CHUNK = 1 << 20
ISAS = ("riscv64", "x86-64", "aarch64", "unknown")
HEADER_ROOM = 8192  # bytes kept for the header while its content is not known yet
MAX_HEADER = 1 << 24
SECTIONS = {"statics": STATIC_DTYPE.itemsize, "ids": 4, "addresses": 8, "index": 8}


class Op(IntEnum):
    """Class of an instruction's arithmetic; a plain load, store or branch is a NOP.

    Example:
        >>> Op.FP_FMA, int(Op.SYSTEM)
        (<Op.FP_FMA: 9>, 11)
    """

    NOP = 0
    INT = 1
    MUL = 2
    DIV = 3
    FP_ADD = 4
    FP_MUL = 5
    FP_DIV = 6
    FP_SQRT = 7
    FP_CVT = 8
    FP_FMA = 9
    SIMD = 10
    SYSTEM = 11


class Branch(IntEnum):
    """Kind of a control transfer.

    Example:
        >>> Branch.RETURN
        <Branch.RETURN: 6>
    """

    NONE = 0
    CONDITIONAL = 1
    JUMP = 2
    INDIRECT_JUMP = 3
    CALL = 4
    INDIRECT_CALL = 5
    RETURN = 6
    OTHER = 7


@dataclass(frozen=True)
class Chunk:
    """A run of instructions.

    Parameters:
        statics: STATIC_DTYPE records known so far; those of a later chunk begin with these.
        ids: one number an instruction: its static record, and `TAKEN` where its branch was taken.
        addresses: one byte address a memory operand, in the order of instructions; loads before stores.
        first: number of the first instruction in the whole trace.

    Example:
        >>> from hwmodel.cryo.trace import static_record
        >>> statics = np.array([static_record(loads=1), static_record(branch=Branch.JUMP)])
        >>> chunk = Chunk(statics, np.array([0, 1 | TAKEN], np.uint32), np.array([64], np.uint64), 0)
        >>> chunk.indices, chunk.taken, len(chunk)
        (array([0, 1]), array([False,  True]), 2)
    """

    statics: Statics
    ids: Ids
    addresses: Addresses
    first: int

    @property
    def indices(self) -> npt.NDArray[np.int64]:
        """Number of the static record of each instruction."""
        return (self.ids & np.uint32(TAKEN - 1)).astype(np.int64)

    @property
    def taken(self) -> npt.NDArray[np.bool_]:
        """Whether the branch of each instruction was taken."""
        return self.ids >= TAKEN

    def __len__(self) -> int:
        return len(self.ids)


class TraceSource(Protocol):
    """What can be read as a trace: a `.hwt` file, or a reader of a foreign format.

    `meta` of a foreign file has "instructions" and "operands" only after all of it has been read; before they are
    None.
    """

    @property
    def meta(self) -> dict[str, Any]:
        """What is known about the trace."""

    def chunks(self, size: int = CHUNK, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        """Give instructions `start` to `stop` in runs of at most `size`."""


def operand_counts(statics: Statics) -> npt.NDArray[np.uint8]:
    """Return how many memory operands an instruction of each static record has.

    Example:
        >>> from hwmodel.cryo.trace import static_record
        >>> operand_counts(np.array([static_record(loads=1, stores=1), static_record()]))
        array([2, 0], dtype=uint8)
    """
    counts: npt.NDArray[np.uint8] = statics["loads"] + statics["stores"]
    return counts


def make_meta(source: str = "", isa: str = "unknown", **more: Any) -> dict[str, Any]:
    """Return the description of a trace, with every flag false that is not given.

    Parameters:
        source: what the trace comes from, in words.
        isa: riscv64, x86-64, aarch64 or unknown.
        more: `has_pc`, `has_registers`, `has_branches`, `has_operations`, and whatever else is worth keeping; it must
            fit into JSON.

    Raises:
        TraceFileError: an unknown instruction set.

    Example:
        >>> make_meta("a loop", "riscv64", has_pc=True)["has_registers"]
        False
    """
    if isa not in ISAS:
        raise TraceFileError(f"trace of '{source}': isa {isa!r} is not known; use one of {', '.join(ISAS)}")
    flags = ("has_pc", "has_registers", "has_branches", "has_operations")
    meta: dict[str, Any] = {"source": source, "isa": isa, "instructions": None, "operands": None}
    return {**meta, **dict.fromkeys(flags, False), **more}


def check_window(size: int, start: int, stop: int | None) -> None:
    """Refuse a window of a trace that cannot be meant."""
    if size < 1 or start < 0 or (stop is not None and stop < start):
        raise TraceFileError(
            f"chunks(size={size}, start={start}, stop={stop}): size is at least 1, and 0 <= start <= stop"
        )
