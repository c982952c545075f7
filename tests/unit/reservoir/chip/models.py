"""What the tests of the chip share."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwmodel.reservoir.chip import ChipModel, Physics, RealHash
from hwmodel.reservoir.chips import small_chip
from hwmodel.reservoir.job import Job
from hwmodel.units import Time

JOB = Job(8, 0x20000000, bytes(32), bytes(range(32)), 1_700_000_000, 0x17034219)
OTHER = Job(16, 0x20000000, bytes(range(32)), bytes(32), 1_700_000_002, 0x17034219)
SMALL = small_chip(cores=2, counter_bits=6, slots=2)


def full(physics: Physics | None = None, job: Job | None = JOB, **options: Any) -> ChipModel:
    """A BM1366 with its first job at t = 0."""
    model = ChipModel(physics=physics, **options)
    model.set_job(Time(0), job)
    return model


def small(physics: Physics | None = None, zero_bits: int = 6, **options: Any) -> ChipModel:
    """A chip that hashes in earnest, at 1 MHz."""
    model = ChipModel(SMALL, RealHash(zero_bits), physics, **({"frequency": "1 MHz", "pll": False} | options))
    model.set_job(Time(0), JOB)
    return model


def in_pieces(model: ChipModel, until: int, pieces: int) -> np.ndarray:
    """A run cut into equal calls."""
    return np.concatenate([model.run(Time(until * n // pieces)) for n in range(1, pieces + 1)])
