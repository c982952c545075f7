"""Static instructions: their record, and the table that gives equal records one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, TraceFileError

__all__ = ["STATIC_DTYPE", "StaticTable", "static_record"]

SOURCES = 6
DESTINATIONS = 4
MAX_ACCESSES = 8  # loads, and stores, of one instruction
MAX_STATICS = 1 << 24

ATOMIC = 1
"""Flag: the memory operands are read and written in one step."""
FENCE = 2
"""Flag: a fence, or a serialising instruction."""
MARKER = 4
"""Flag: a marker that the user put into the program."""
ACCESS_ONLY = 8
"""Flag: a memory access of which the instruction is not known."""

FIRST_INTEGER = 1
"""Number of the first of 32 integer registers."""
FIRST_VECTOR = 33
"""Number of the first of 32 floating-point or vector registers."""
FLAGS_REGISTER = 65
"""Number of the condition flags."""

STATIC_DTYPE = np.dtype(
    [
        ("pc", "<u8"),
        ("size", "u1"),
        ("op", "u1"),
        ("branch", "u1"),
        ("loads", "u1"),
        ("stores", "u1"),
        ("load_size", "u1"),
        ("store_size", "u1"),
        ("flags", "u1"),
        ("sources", "u1", (SOURCES,)),
        ("destinations", "u1", (DESTINATIONS,)),
        ("padding", "u1", (6,)),
    ]
)
"""A static instruction: 32 bytes. Sizes are in bytes, 0 unknown; register 0 is none."""

WORDS = STATIC_DTYPE.itemsize // 8
FIRST_ROOM = 1 << 12
LIMITS = {"size": 255, "op": 11, "branch": 7, "loads": MAX_ACCESSES, "stores": MAX_ACCESSES}

Statics = npt.NDArray[np.void]


def static_record(
    pc: int = 0,
    size: int = 0,
    op: int = 0,
    branch: int = 0,
    loads: int = 0,
    stores: int = 0,
    load_size: int = 0,
    store_size: int = 0,
    flags: int = 0,
    sources: Sequence[int] = (),
    destinations: Sequence[int] = (),
) -> np.void:
    """Return one static instruction, checked.

    Parameters:
        pc: address of the instruction.
        size: its length in bytes, 0 unknown.
        op: an `Op`.
        branch: a `Branch`.
        loads, stores: numbers of memory operands, at most 8 each.
        load_size, store_size: bytes of each of them, 0 unknown.
        flags: sum of ATOMIC, FENCE, MARKER and ACCESS_ONLY.
        sources, destinations: registers from 1 to 127, at most 6 and 4; repeated ones and zeros are left out.

    Raises:
        SpecError: a field out of its range.

    Example:
        >>> record = static_record(pc=0x10000, size=4, loads=1, load_size=8, sources=[3], destinations=[4])
        >>> int(record["loads"]), record["sources"].tolist()
        (1, [3, 0, 0, 0, 0, 0])
    """
    record = np.zeros(1, STATIC_DTYPE)
    fields = {"size": size, "op": op, "branch": branch, "loads": loads, "stores": stores}
    fields |= {"load_size": load_size, "store_size": store_size, "flags": flags}
    for name, value in fields.items():
        if not 0 <= value <= LIMITS.get(name, 255):
            raise SpecError(f"static_record: {name}={value} is not in 0..{LIMITS.get(name, 255)}")
        record[name] = value
    if not 0 <= pc < 2**64:
        raise SpecError(f"static_record: pc={pc} does not fit 64 bits")
    record["pc"] = pc
    for name, registers, most in (
        ("sources", sources, SOURCES),
        ("destinations", destinations, DESTINATIONS),
    ):
        kept = [r for r in dict.fromkeys(registers) if r]
        if len(kept) > most or any(not 0 < r < 128 for r in kept):
            raise SpecError(
                f"static_record: {name}={list(registers)}: give at most {most} registers of 1..127"
            )
        record[name][0, : len(kept)] = kept
    single: np.void = record[0]
    return single


class StaticTable:
    """Static records by number; equal records have the same one.

    Parameters:
        limit: most records; one more is an error.
        owner: the trace, for messages.

    Example:
        >>> table = StaticTable()
        >>> table.add(static_record(pc=4)), table.add(static_record(pc=8)), table.add(static_record(pc=4))
        (0, 1, 0)
        >>> table.intern(np.array([static_record(pc=8), static_record(pc=12)]))
        array([1, 2], dtype=uint32)
    """

    def __init__(self, limit: int = MAX_STATICS, owner: str = "a trace") -> None:
        self.limit = limit
        self._owner = owner
        self._count = 0
        self._rows: npt.NDArray[np.uint64] = np.zeros((FIRST_ROOM, WORDS), np.uint64)
        self._slots: npt.NDArray[np.int32] = np.full(4 * FIRST_ROOM, -1, np.int32)

    def __len__(self) -> int:
        return self._count

    @property
    def records(self) -> Statics:
        """The records so far, by number; a view that stays valid and is not to be changed."""
        view: Statics = self._rows[: self._count].reshape(-1).view(STATIC_DTYPE)
        view.flags.writeable = False
        return view

    def add(self, record: np.void) -> int:
        """Return the number of one record; a new one is added."""
        return int(self.intern(np.array([record], STATIC_DTYPE))[0])

    def intern(self, records: Statics) -> npt.NDArray[np.uint32]:
        """Return the number of each record; new ones are added, in the order in which they first stand.

        Raises:
            TraceFileError: there are more than `limit` records.
        """
        from hwmodel.cryo import _kernels  # it loads the compiler, which takes seconds

        rows: Any = np.ascontiguousarray(records, STATIC_DTYPE).view(np.uint64).reshape(-1, WORDS)
        rows.flags.writeable = False  # always: the kernel would be compiled twice
        numbers = np.empty(len(rows), np.uint32)
        done = 0
        while True:
            done, self._count = _kernels.intern(rows, done, self._rows, self._slots, self._count, numbers)
            if done == len(rows):
                return numbers
            self._grow(_kernels)

    def _grow(self, kernels: Any) -> None:
        room = min(2 * len(self._rows), self.limit)
        if room <= self._count:
            raise TraceFileError(
                f"{self._owner} has more than {self.limit} distinct static instructions; "
                "if that is meant, open it with a greater max_statics, else it is a file of another format"
            )
        rows = np.zeros((room, WORDS), np.uint64)
        rows[: self._count] = self._rows[: self._count]
        slots = np.full(4 * room, -1, np.int32)
        kernels.rehash(rows, self._count, slots)
        self._rows, self._slots = rows, slots
