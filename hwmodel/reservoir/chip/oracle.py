"""Where the hits lie: by hashing every header, or by a draw that depends on nothing but the place.

A hit is a property of a header, not of the chip that finds it: the same job has the same hits at the same counters,
whichever chip asks, in whatever order.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hwmodel.errors import QueueOverflowError, SpecError
from hwmodel.reservoir._whole import check_whole
from hwmodel.reservoir.chip._place import Place
from hwmodel.reservoir.header import BlockHeader, difficulties, scan_order, scan_words
from hwmodel.reservoir.job import VERSION_MASK, Job

__all__ = ["FOUND", "HIT", "HitOracle", "RealHash", "SampledHash"]

FOUND = np.dtype(
    [
        ("batch", "<i8"),
        ("position", "<i8"),
        ("nonce", "<u4"),
        ("version", "<u4"),
        ("core", "<u2"),
        ("slot", "u1"),
        ("difficulty", "<f8"),
    ]
)
"""A hit: batch of the job, counter steps since the sweep began, nonce and version as in the header, small core."""

HIT = np.dtype(
    [
        ("t", "<i8"),
        ("nonce", "<u4"),
        ("version", "<u4"),
        ("job", "u1"),
        ("chip", "u1"),
        ("core", "<u2"),
        ("slot", "u1"),
        ("valid", "?"),
        ("difficulty", "<f8"),
    ]
)
"""A result: time in fs at which the core has it, nonce and rolled version as in the header, job number, small core,
whether its header has the difficulty that the chip believes, and the difficulty that it has."""

Found = npt.NDArray[Any]

MAX_BATCHES = 1 << 20
MAX_FOUND = 1 << 25
MAX_HASHES = 1 << 31  # of a batch that is hashed in earnest: some ten minutes
CACHED = 1 << 12
SHARE_1 = 65535.0 / 65536.0  # difficulty 1 is 0xFFFF * 2**208, a little less than 32 zero bits


class HitOracle(Protocol):
    """What tells a chip its hits."""

    zero_bits: int
    chunk: int

    def hits(self, job: Job, place: Place, batch_from: int, batch_to: int, mask_bits: int = 0) -> Found:
        """Hits of the batches `batch_from` to `batch_to` with zero_bits + mask_bits zero bits, type FOUND, in order."""
        ...

    def check(self, header: BlockHeader) -> float:
        """Difficulty of a header, in units of zero_bits zero bits; 0 where it is known to be no hit only."""
        ...


class RealHash:
    """Hashes every header: exact, and slow.

    Parameters:
        zero_bits: zero bits of difficulty 1; 32 for Bitcoin, fewer for a shrunk chip.

    Raises:
        SpecError: zero_bits outside of 1 to 64.

    Example:
        >>> from hwmodel.reservoir.chips import small_chip
        >>> oracle = RealHash(zero_bits=6)
        >>> job = Job(0, 0x20000000, bytes(32), bytes(32), 0, 0)
        >>> hits = oracle.hits(job, Place(small_chip(counter_bits=6)), 0, 4)
        >>> [round(oracle.check(job.header(int(h["nonce"]), int(h["version"]))) / float(h["difficulty"]), 9) for h in hits[:2]]
        [1.0, 1.0]
    """

    chunk = 1

    def __init__(self, zero_bits: int = 32) -> None:
        self.zero_bits = check_whole("RealHash(zero_bits)", zero_bits, 1, 64)
        self._cache: dict[tuple[Any, ...], Found] = {}

    def __repr__(self) -> str:
        return f"RealHash(zero_bits={self.zero_bits})"

    def check(self, header: BlockHeader) -> float:
        """Difficulty of a header's hash, below 1 where it is no hit; 1 is that of `zero_bits` zero bits."""
        return header.difficulty * 2.0 ** (32 - self.zero_bits)

    def hits(self, job: Job, place: Place, batch_from: int, batch_to: int, mask_bits: int = 0) -> Found:
        """Hits of the batches, type FOUND, in the order of batch, position, core and slot.

        Raises:
            SpecError: batches out of range, or so many hashes that they would take hours.
        """
        _check_batches(batch_from, batch_to)
        if place.hashes() > MAX_HASHES:
            raise SpecError(
                f"RealHash: a batch of {place.spec.name} is {place.hashes()} hashes, the bound is {MAX_HASHES}; take "
                "small_chip(...), or SampledHash for the full rate"
            )
        period = repeats_after(job, place)
        parts = [np.zeros(0, FOUND)]
        for batch in range(batch_from, batch_to):
            part = self._batch(job, place, batch % period, mask_bits).copy()
            part["batch"] = batch
            parts.append(part)
        return np.concatenate(parts)

    def _batch(self, job: Job, place: Place, batch: int, mask_bits: int) -> Found:
        key = (job.key, place, batch, mask_bits)
        if key not in self._cache:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            self._cache[key] = self._scan(job, place, batch, mask_bits)
        return self._cache[key]

    def _scan(self, job: Job, place: Place, batch: int, mask_bits: int) -> Found:
        spec, versions = place.spec, place.versions(job)
        parts = [np.zeros(0, FOUND)]
        for slot in range(spec.slots):
            cores = np.array(
                [core for core in range(spec.cores) if core * spec.slots + slot < spec.small_cores]
            )
            version = job.rolled((batch * spec.slots + slot) % versions)
            starts = (cores << spec.counter_bits) + place.base
            header = job.header(0).with_version(version)
            where, hashes = scan_words(header, starts.tolist(), 1, place.sweep, self.zero_bits + mask_bits)
            number, position = np.divmod(where, max(1, place.sweep))
            part = np.zeros(len(where), FOUND)
            part["position"], part["core"], part["slot"], part["version"] = (
                position,
                cores[number],
                slot,
                version,
            )
            part["nonce"] = scan_order((starts[number] + position).astype(np.uint32))
            part["difficulty"] = difficulties(hashes) * 2.0 ** (32 - self.zero_bits)
            parts.append(part)
        found = np.concatenate(parts)
        return found[np.lexsort((found["slot"], found["core"], found["position"]))]


class SampledHash:
    """Draws the hits: as many, as hard and as evenly spread as those of a hash, at full rate.

    Each version has a Poisson number of hits over all nonces, at nonces and difficulties that are fixed by `seed` and
    the header. So a job that is sent again has the same hits, and `check` finds them again from the header alone.

    Parameters:
        seed: of all draws.
        zero_bits: zero bits of difficulty 1.

    Raises:
        SpecError: zero_bits outside of 24 to 64: below that, hash in earnest with `RealHash`.

    Example:
        >>> from hwmodel.reservoir.chips import BM1366
        >>> oracle = SampledHash(seed=1)
        >>> job = Job(0, 0x20000000, bytes(32), bytes(32), 0, 0)
        >>> hits = oracle.hits(job, Place(BM1366), 0, 100)
        >>> 600 < len(hits) < 800  # 6.98 a batch
        True
        >>> first = hits[0]
        >>> bool(oracle.check(job.header(int(first["nonce"]), int(first["version"]))) == first["difficulty"])
        True
        >>> oracle.check(job.header(12345))
        0.0
    """

    chunk = 64

    def __init__(self, seed: int = 0, zero_bits: int = 32) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise SpecError(f"SampledHash(seed={seed!r}): give a whole number")
        self.seed = int(seed)
        self.zero_bits = check_whole("SampledHash(zero_bits)", zero_bits, 1, 64)
        if self.zero_bits < 24:
            raise SpecError(
                f"SampledHash(zero_bits={zero_bits}): give 24 to 64, or hash in earnest with RealHash"
            )
        self._mean = 2.0 ** (32 - self.zero_bits)
        self._keys: dict[bytes, int] = {}

    def __repr__(self) -> str:
        return f"SampledHash(seed={self.seed}, zero_bits={self.zero_bits})"

    def check(self, header: BlockHeader) -> float:
        """Difficulty of a header, 0 where it is no hit."""
        index = (header.version & VERSION_MASK) >> 13
        _, words, part = self._draw(self._key(header), index, index + 1, 0)
        at = np.flatnonzero(words == scan_order(header.nonce))
        return float(SHARE_1 / part[at].min()) if len(at) else 0.0

    def hits(self, job: Job, place: Place, batch_from: int, batch_to: int, mask_bits: int = 0) -> Found:
        """Hits of the batches, type FOUND, in the order of batch, position, core and slot.

        Raises:
            SpecError: batches out of range.
            QueueOverflowError: more than 2**25 hits in one call.
        """
        _check_batches(batch_from, batch_to)
        spec, versions = place.spec, place.versions(job)
        key = self._key(job.header(0))
        plain = job.version_mask == VERSION_MASK and not job.version & VERSION_MASK
        numbers, words, parts = [], [], []
        at, end = batch_from * spec.slots, batch_to * spec.slots
        while at < end:
            version = at % versions
            count = min(versions - version, end - at) if plain else 1
            first = version if plain else (job.rolled(version) & VERSION_MASK) >> 13
            index, word, part = self._draw(key, first, first + count, mask_bits)
            numbers.append(at + (index - first))
            words.append(word)
            parts.append(part)
            at += count
        none = [np.zeros(0, np.int64)]
        return make_found(
            job, place, np.concatenate(numbers + none), np.concatenate(words + none),
            np.concatenate([*parts, np.zeros(0)]), batch_from,
        )  # fmt: skip

    def _key(self, header: BlockHeader) -> int:
        fixed = header.with_version(header.version & ~VERSION_MASK & 0xFFFFFFFF).with_nonce(0).pack()
        if fixed not in self._keys:
            if len(self._keys) >= CACHED:
                self._keys.clear()
            self._keys[fixed] = key_of("hits", self.seed, fixed)
        return self._keys[fixed]

    def _draw(self, key: int, first: int, last: int, mask_bits: int) -> tuple[Any, Any, Any]:
        return draw(key, first, last, mask_bits, self._mean, 32)


def make_found(
    job: Job, place: Place, numbers: Any, words: Any, parts: Any, batch_from: int, share: float = SHARE_1
) -> Found:
    """Turn drawn places into the hits of a chip: those at its cores and within its sweep, in order."""
    spec = place.spec
    core = words >> spec.counter_bits
    position = (words & ((1 << spec.counter_bits) - 1)) - place.base
    slot = numbers % spec.slots
    kept = (position >= 0) & (position < place.sweep) & (core * spec.slots + slot < spec.small_cores)
    numbers, words, core, position, slot = (x[kept] for x in (numbers, words, core, position, slot))
    batch = numbers // spec.slots
    order = np.argsort(
        (((batch - batch_from) * place.sweep + position) << 12) + core * spec.slots + slot, kind="stable"
    )
    found = np.empty(len(order), FOUND)
    found["batch"], found["position"] = batch[order], position[order]
    found["nonce"] = scan_order(words[order].astype(np.uint32))
    rolled = (numbers[order] % place.versions(job)).astype(np.uint32)
    found["version"] = np.uint32(job.version) | (rolled << np.uint32(job.shift))
    found["core"], found["slot"] = core[order], slot[order]
    found["difficulty"] = share / parts[kept][order]
    return found


def draw(key: int, first: int, last: int, band: int, mean: float, bits: int) -> tuple[Any, Any, Any]:
    """Draw the hits of versions; arrays of version, word, and hash over that of difficulty 1."""
    from hwmodel.reservoir.chip import _kernels as k

    asked, band = band, min(band, k.BANDS)
    expected = (last - first) * mean * 2.0**-band
    room = int(expected + 10 * expected**0.5 + 64)
    while True:
        if room > MAX_FOUND:
            raise QueueOverflowError(
                f"{room} hits in one call, its bound is {MAX_FOUND}; ask for fewer batches"
            )
        index, word, part = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room)
        found = k.draw(key, first, last, band, mean, bits, index, word, part)
        if found <= room:
            kept = slice(found) if asked <= k.BANDS else np.flatnonzero(part[:found] <= 2.0**-asked)
            return index[kept], word[kept], part[kept]
        room = int(found)


def key_of(name: str, seed: int, data: bytes = b"") -> int:
    """Key of a stream of draws, 62 bits."""
    digest = hashlib.blake2b(f"{name}/{seed}/".encode() + data, digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 2


def repeats_after(job: Job, place: Place) -> int:
    """Batches after which the same headers come again."""
    return max(1, place.versions(job) // place.spec.slots)


def _check_batches(first: int, last: int) -> None:
    if not 0 <= first <= last or last - first > MAX_BATCHES:
        raise SpecError(
            f"batches {first} to {last}: they must rise from 0, at most {MAX_BATCHES} in one call"
        )
