"""How a SHA-256d miner is laid out, and the formulas of its timing. Importing this loads no PyRTL."""

from __future__ import annotations

from dataclasses import dataclass

from hwmodel.errors import SpecError, unknown
from hwmodel.reservoir._whole import check_whole

__all__ = ["ADDER_KINDS", "FRONTS", "MASK_BITS", "CompressionSpec", "MinerSpec", "ticket_word"]

FRONTS = ("midstate", "version")
ADDER_KINDS = ("plain", "prefix", "ripple")
MASK_BITS = 32
MAX_CHAINED = 8
MAX_SMALL_CORES = 64


def ticket_word(difficulty: int) -> int:
    """Ticket mask of a difficulty as a BM13xx has it: 2**floor(log2 d) - 1, bits reversed within each byte.

    Parameters:
        difficulty: 1 to 2**32.

    Raises:
        SpecError: a difficulty out of range.

    Example:
        >>> [f"{ticket_word(d):08x}" for d in (1, 256, 512, 1024)]
        ['00000000', '000000ff', '000080ff', '0000c0ff']
    """
    if (
        isinstance(difficulty, bool)
        or not isinstance(difficulty, int)
        or not 1 <= difficulty <= 1 << MASK_BITS
    ):
        raise SpecError(f"ticket_word(difficulty={difficulty!r}): give a whole number of 1 to 2**32")
    mask = (1 << (difficulty.bit_length() - 1)) - 1
    return int.from_bytes(bytes(int(f"{byte:08b}"[::-1], 2) for byte in mask.to_bytes(4, "big")), "big")


def _power(what: str, value: object, low: int, high: int) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not low <= value <= high
        or value & (value - 1)
    ):
        raise SpecError(f"{what}={value!r}: give a power of two, {low} to {high}")
    return value


@dataclass(frozen=True)
class CompressionSpec:
    """How the 64 rounds of one block are laid out; see `emit_compression`.

    Parameters:
        unroll: rounds laid out, 1 to 64, a power of two.
        chained: of these, how many lie between two ranks of registers.
        adders: "plain" leaves sums to synthesis; "prefix" and "ripple" spell them out in gates.

    Raises:
        SpecError: a value that is no layout.
    """

    unroll: int = 64
    chained: int = 1
    adders: str = "plain"

    def __post_init__(self) -> None:
        _power("CompressionSpec(unroll)", self.unroll, 1, 64)
        _power("CompressionSpec(chained)", self.chained, 1, min(MAX_CHAINED, self.unroll))
        if self.adders not in ADDER_KINDS:
            raise unknown("adders", str(self.adders), ADDER_KINDS)

    @property
    def interval(self) -> int:
        """Clocks between two blocks."""
        return 64 // self.unroll

    @property
    def latency(self) -> int:
        """Clock edges from the one that takes a block to the one that shows its digest."""
        return 64 // self.chained + 1


@dataclass(frozen=True)
class MinerSpec:
    """How small cores are laid out; see `emit_pipeline` and `emit_chip`.

    Parameters:
        unroll: rounds laid out in a small core, 1 to 128, a power of two.
        chained: of these, how many lie between two ranks of registers, at most `unroll`.
        front: "midstate" takes the midstate of each slot from the host; "version" takes the first 64 bytes and works out
            the midstates of all versions itself, one round a clock (or `chained` rounds), while the old ones are in use.
        cores: cores, which share the top bits of the nonce.
        slots: small cores of a core; slot k takes the versions k, k + slots, ... of the roll.
        first_core: number of the first core.
        counter_bits: low bits of the nonce that count, 2 to 32; the bits above are the core's number.
        version_bits, version_shift: width and lowest bit of the rolled part of the version.
        zero_bits: top bits of the hash that must be zero, before the ticket mask; 32 is difficulty 1.
        gap: counter steps lost between two sweeps.
        digest: whether the digests are pins too.
        adders: as in `CompressionSpec`.

    Raises:
        SpecError: a value that is no layout.

    Example:
        >>> spec = MinerSpec(unroll=32)
        >>> spec.ranks, spec.interval, spec.latency
        (32, 4, 131)
    """

    unroll: int = 128
    chained: int = 1
    front: str = "midstate"
    cores: int = 1
    slots: int = 1
    first_core: int = 0
    counter_bits: int = 32
    version_bits: int = 16
    version_shift: int = 13
    zero_bits: int = 32
    gap: int = 0
    digest: bool = False
    adders: str = "plain"

    def __post_init__(self) -> None:
        _power("MinerSpec(unroll)", self.unroll, 1, 128)
        _power("MinerSpec(chained)", self.chained, 1, min(MAX_CHAINED, self.unroll))
        if self.front not in FRONTS:
            raise unknown("front", str(self.front), FRONTS)
        if self.adders not in ADDER_KINDS:
            raise unknown("adders", str(self.adders), ADDER_KINDS)
        check_whole("MinerSpec(cores)", self.cores, 1, MAX_SMALL_CORES)
        _power("MinerSpec(slots)", self.slots, 1, MAX_SMALL_CORES // self.cores)
        check_whole("MinerSpec(counter_bits)", self.counter_bits, 2, 32)
        check_whole("MinerSpec(zero_bits)", self.zero_bits, 1, 32)
        check_whole("MinerSpec(gap)", self.gap, 0, 1 << 16)
        check_whole("MinerSpec(first_core)", self.first_core, 0, (1 << 32) - 1)
        if self.first_core + self.cores > 1 << (32 - self.counter_bits):
            raise SpecError(
                f"MinerSpec: cores {self.first_core} to {self.first_core + self.cores - 1} do not fit the "
                f"{32 - self.counter_bits} bits above a counter of {self.counter_bits}; take a shorter counter"
            )
        if self.front == "version":
            check_whole("MinerSpec(version_bits)", self.version_bits, self.slot_bits + 1, 32)
            check_whole("MinerSpec(version_shift)", self.version_shift, 0, 32 - self.version_bits)
        elif self.gap:
            raise SpecError(
                f"MinerSpec(gap={self.gap}): front 'midstate' makes one sweep; a gap needs front='version'"
            )

    @property
    def slot_bits(self) -> int:
        """Bits of a slot's number."""
        return (self.slots - 1).bit_length()

    @property
    def batch_bits(self) -> int:
        """Bits of a batch's number, after which the versions begin anew."""
        return self.version_bits - self.slot_bits

    @property
    def ranks(self) -> int:
        """Ranks of registers in a small core."""
        return self.unroll // self.chained

    @property
    def interval(self) -> int:
        """Clocks between two nonces of a small core: 128 / unroll; with a single rank one more, for the sum half way."""
        return 128 // self.unroll + (1 if self.ranks == 1 else 0)

    @property
    def latency(self) -> int:
        """Clock edges from the one at which a nonce enters to the one that shows its result: 128 / chained + 3."""
        return 128 // self.chained + 3

    @property
    def lead(self) -> int:
        """Clock edges from the one that sees `start` to the one at which the first nonce enters."""
        return 1 if self.front == "midstate" else 64 // self.chained + 3

    def batch_steps(self, first: int = 0) -> int:
        """Counter steps from one sweep to the next: a sweep and the gap, and never less than the midstates take.

        Parameters:
            first: counter at which the sweeps begin.
        """
        sweep = (1 << self.counter_bits) - first + self.gap
        return max(sweep, -(-(64 // self.chained + 2) // self.interval))

    def result_edge(self, batch: int, count: int, first: int = 0) -> int:
        """Clock edges from the one that sees `start` to the one that shows the result of a counter in a batch.

        Example:
            >>> MinerSpec(unroll=128).result_edge(0, 5)
            137
        """
        steps = batch * self.batch_steps(first) + count - first
        return self.lead + steps * self.interval + self.latency

    @property
    def hashes_per_clock(self) -> float:
        """Hashes a clock of all small cores within a sweep."""
        return self.cores * self.slots / self.interval
