"""The compiled loop of an optimal cache; importing this loads numba."""

from hwmodel.cryo.cache._optimal._kernels import (
    O_READ_MISSES,
    O_READS,
    O_WRITE_MISSES,
    O_WRITEBACKS,
    O_WRITES,
    next_uses,
    run_optimal,
)

__all__ = [
    "O_READS",
    "O_READ_MISSES",
    "O_WRITEBACKS",
    "O_WRITES",
    "O_WRITE_MISSES",
    "next_uses",
    "run_optimal",
]
