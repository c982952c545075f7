"""Which part of the search a chip of a chain does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwmodel.errors import SpecError
from hwmodel.reservoir.chips import ChipSpec
from hwmodel.reservoir.job import Job

ADDRESSES = 256


@dataclass(frozen=True)
class Place:
    """A chip at its address in a chain, and how far it sweeps.

    In a chain of n chips chip k has address k * (256 // n), as hosts give them, and begins at the counter whose top 8
    bits are that address. It sweeps the counter's range over n rounded up to a power of two, as the sweep register makes
    it; so no two chips hash the same, and the address over 256 // n is the number of the chip.

    Parameters:
        spec: the chip.
        address: number of the chip, 0 to chips - 1.
        chips: number of chips in the chain.
        limit: most counter steps of a sweep, from the register that limits it; None for all.
        gap: counter steps between two sweeps.

    Raises:
        SpecError: an address outside of the chain, or a chain longer than the counter can tell apart.

    Example:
        >>> from hwmodel.reservoir.chips import BM1366
        >>> Place(BM1366).sweep == 2**25, Place(BM1366, 3, 6).sweep == 2**22, Place(BM1366, 3, 6).base == 126 << 17
        (True, True, True)
    """

    spec: ChipSpec
    address: int = 0
    chips: int = 1
    limit: int | None = None
    gap: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.chips <= 256 or self.chips > 1 << self.spec.counter_bits:
            raise SpecError(f"{self.spec.name}: a chain of {self.chips} chips; give 1 to 256")
        if not 0 <= self.address < self.chips:
            raise SpecError(f"{self.spec.name}: address {self.address} in a chain of {self.chips} chips")
        if self.gap < 0 or (self.limit is not None and self.limit < 0):
            raise SpecError(
                f"{self.spec.name}: sweep limit {self.limit} and gap {self.gap} must not be negative"
            )

    @property
    def running_bits(self) -> int:
        """Counter bits that run."""
        return self.spec.counter_bits - (self.chips - 1).bit_length()

    @property
    def base(self) -> int:
        """Counter at the beginning of a sweep."""
        return (self.address * (ADDRESSES // self.chips) << self.spec.counter_bits) // ADDRESSES

    @property
    def sweep(self) -> int:
        """Counter steps of a sweep."""
        full = 1 << self.running_bits
        return full if self.limit is None else min(full, self.limit)

    @property
    def batch_steps(self) -> int:
        """Counter steps from one sweep to the next."""
        return self.sweep + self.gap

    def versions(self, job: Job) -> int:
        """Versions before the roll begins anew."""
        return min(job.versions, 1 << self.spec.version_bits)

    def hashes(self) -> int:
        """Hashes of a batch."""
        return self.spec.small_cores * self.sweep

    def domain(self, core: Any) -> Any:
        """The domain of a core; domains are runs of neighbouring cores."""
        return core * self.spec.domains // self.spec.cores
