"""Jobs as bytes, for checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.reservoir.header import BlockHeader
from hwmodel.reservoir.job import Job

JOB_BYTES = 80 + 12
NO_JOB = 255


def job_bytes(job: Job | None) -> bytes:
    """A job as bytes, for checkpoints; zeros without mask for None."""
    if job is None:
        return bytes([NO_JOB]) + bytes(JOB_BYTES - 1)
    numbers = [job.job_id, job.start_nonce, job.version_mask]
    return b"".join(n.to_bytes(4, "little") for n in numbers) + job.header(0).pack()


def job_from(data: bytes) -> Job | None:
    """What `job_bytes` wrote."""
    if data[0] == NO_JOB:
        return None
    job_id, start, mask = (int.from_bytes(data[n : n + 4], "little") for n in (0, 4, 8))
    header = BlockHeader.unpack(data[12:])
    return Job(job_id, header.version, header.previous, header.merkle, header.time, header.bits, start, mask)


def jobs_as_array(jobs: list[Job | None]) -> npt.NDArray[np.uint8]:
    """Jobs as uint8 of shape (n, bytes)."""
    return np.frombuffer(b"".join(map(job_bytes, jobs)), np.uint8).reshape(-1, JOB_BYTES)


def jobs_from_array(saved: Any) -> list[Job | None]:
    """What `jobs_as_array` wrote."""
    return [job_from(row.tobytes()) for row in np.asarray(saved, np.uint8).reshape(-1, JOB_BYTES)]
