"""A mining job: what a chip is given, and everything that fixes its hits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.reservoir.header import BlockHeader

__all__ = ["VERSION_MASK", "Job"]

VERSION_MASK = 0x1FFF_E000
"""The 16 bits of the version that a chip may roll (BIP 320): bits 28 to 13."""


@dataclass(frozen=True)
class Job:
    """A header to be hashed over nonces and rolled versions.

    Parameters:
        job_id: 0 to 127, by which results name it; the protocol steps it by 8, so that 16 are told apart.
        version: with the bits under the mask usually zero; a rolled value is ORed to it.
        previous, merkle: 32 bytes each, in the order of the header.
        time, bits: as in the header.
        start_nonce: sent with the job; the model's chips sweep all counters whatever it says.
        version_mask: bits that are rolled; they must be neighbours.

    Raises:
        SpecError: a value out of its range, or a mask with gaps.

    Example:
        >>> job = Job(8, 0x20000000, bytes(32), bytes(32), 1_700_000_000, 0x17034219)
        >>> hex(job.rolled(3)), job.versions
        ('0x20006000', 65536)
        >>> job.header(7, 0x6000).version == job.rolled(3)
        True
    """

    job_id: int
    version: int
    previous: bytes
    merkle: bytes
    time: int
    bits: int
    start_nonce: int = 0
    version_mask: int = VERSION_MASK

    def __post_init__(self) -> None:
        if (
            isinstance(self.job_id, bool)
            or not isinstance(self.job_id, int | np.integer)
            or not 0 <= self.job_id < 128
        ):
            raise SpecError(f"Job(job_id={self.job_id!r}): give 0 to 127")
        object.__setattr__(self, "job_id", int(self.job_id))
        for name in ("version_mask", "start_nonce"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < 1 << 32:
                raise SpecError(f"Job({name}={value!r}): give a whole number of 32 bits")
            object.__setattr__(self, name, int(value))
        whole = self.version_mask >> self.shift
        if whole & (whole + 1):
            raise SpecError(
                f"Job(version_mask={self.version_mask:#x}): its bits must be neighbours, as in 0x1fffe000"
            )
        header = BlockHeader(self.version, self.previous, self.merkle, self.time, self.bits, 0)
        for name in ("version", "previous", "merkle", "time", "bits"):
            object.__setattr__(self, name, getattr(header, name))

    @property
    def shift(self) -> int:
        """Lowest bit that is rolled."""
        return (self.version_mask & -self.version_mask).bit_length() - 1 if self.version_mask else 0

    @property
    def versions(self) -> int:
        """Number of rolled values, 1 without a mask."""
        return (self.version_mask >> self.shift) + 1

    def rolled(self, index: int) -> int:
        """The version at place `index` of the roll, which begins anew after the last one."""
        return self.version | ((int(index) % self.versions) << self.shift)

    def header(self, nonce: int, version_bits: int = 0) -> BlockHeader:
        """The header with a nonce, and version bits ORed to the job's version."""
        return BlockHeader(
            self.version | int(version_bits), self.previous, self.merkle, self.time, self.bits, int(nonce)
        )

    @property
    def key(self) -> bytes:
        """Digest of all that fixes the hits: not of the job's number."""
        fixed = BlockHeader(self.version, self.previous, self.merkle, self.time, self.bits, 0).pack()
        return hashlib.blake2b(fixed + self.version_mask.to_bytes(4, "little"), digest_size=16).digest()
