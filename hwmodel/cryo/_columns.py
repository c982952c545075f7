"""The columns of a table of static instructions that the kernels of the cores read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._statics import FLAGS_REGISTER
from hwmodel.cryo.config import Core

Ints = npt.NDArray[np.int64]
# The bits of an address that a model looks at. The topmost ones are alike in all that an operating system hands out,
# and the kernels need them: for flags beside a line, for the kind of a branch beside its target, for the sum of an
# address and a size.
ADDRESS = 2**60 - 1
FACTS = ("size", "op", "branch", "loads", "stores", "load_size", "store_size", "flags")


def columns_of(table: npt.NDArray[Any], core: Core) -> tuple[Ints, Ints, Ints, Ints]:
    """Return program counters, facts, sources and destinations of a table of statics, as a core sees them.

    Where the core knows its stack pointer (`Core.stack_pointer`), what calls, returns, pushes, pops and additions of
    constants do to it is known at decode, and no result of these instructions.
    """
    facts = np.stack([table[name].astype(np.int64) for name in FACTS], axis=1)
    sources = table["sources"].astype(np.int64)
    destinations = table["destinations"].astype(np.int64)
    pointer = core.stack_pointer
    if pointer:
        others = ((sources > 0) & (sources != pointer) & (sources != FLAGS_REGISTER)).any(axis=1)
        plain = (facts[:, 2] > 0) | (facts[:, 3] + facts[:, 4] > 0) | ~others
        destinations[(destinations == pointer) & plain[:, None]] = 0
    sources, destinations = packed(sources), packed(destinations)
    ints = (destinations > 0) & ~((destinations > 32) & (destinations <= 64))
    fps = (destinations > 32) & (destinations <= 64)
    facts = np.column_stack((facts, ints.sum(axis=1), fps.sum(axis=1)))
    return (table["pc"] & np.uint64(ADDRESS)).astype(np.int64), facts, sources, destinations


def packed(registers: Ints) -> Ints:
    """Return rows of registers with those that are none, 0, behind the others: the kernels stop at the first."""
    return np.take_along_axis(registers, np.argsort(registers == 0, axis=1, kind="stable"), axis=1)


def registers_of(table: npt.NDArray[Any]) -> int:
    """Return how many registers the instructions of a table name, the instruction pointer of branches included."""
    named = np.unique(np.concatenate((table["sources"].ravel(), table["destinations"].ravel())))
    return int((named > 0).sum()) + bool((table["branch"] > 0).any())
