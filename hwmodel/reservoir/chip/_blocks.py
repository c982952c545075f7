"""Hits by their counter steps, asked for in blocks of batches that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.reservoir.chip._place import Place
from hwmodel.reservoir.chip.oracle import HitOracle
from hwmodel.reservoir.job import Job

Ints = npt.NDArray[np.int64]


class Blocks:
    """The hits of a job; of short stretches the last block of each chip is kept.

    Parameters:
        oracle: where the hits lie.
    """

    def __init__(self, oracle: HitOracle) -> None:
        self._oracle = oracle
        self._kept: dict[int, tuple[int, int, Any, Ints]] = {}

    def clear(self) -> None:
        """Forget what is kept: the job or the mask is another one."""
        self._kept.clear()

    def find(self, job: Job, place: Place, origin: int, first: int, last: int, bits: int) -> tuple[Any, Ints]:
        """Hits at steps `first` to `last` of a job that began at step `origin`: of type FOUND, and their steps."""
        chunk = self._oracle.chunk
        low = (first - origin) // place.batch_steps
        high = (last - 1 - origin) // place.batch_steps + 1
        if high - low > chunk:
            found = self._oracle.hits(job, place, low, high, bits)
            steps = origin + found["batch"] * place.batch_steps + found["position"]
        else:
            numbers = range(low // chunk, (high - 1) // chunk + 1)
            parts = [self._block(job, place, origin, n, bits) for n in numbers]
            found, steps = parts[0]
            if len(parts) > 1:
                found = np.concatenate([part[0] for part in parts])
                steps = np.concatenate([part[1] for part in parts])
        begin, end = steps.searchsorted((first, last))
        return found[begin:end], steps[begin:end]

    def _block(self, job: Job, place: Place, origin: int, number: int, bits: int) -> tuple[Any, Ints]:
        kept = self._kept.get(place.address)
        if kept is None or kept[:2] != (number, bits):
            chunk = self._oracle.chunk
            found = self._oracle.hits(job, place, number * chunk, (number + 1) * chunk, bits)
            steps = origin + found["batch"] * place.batch_steps + found["position"]
            kept = self._kept[place.address] = (number, bits, found, steps)
        return kept[2], kept[3]
