"""How the nonce clock is fitted: places on the ruler, wraps and outliers by consensus, least squares, chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError

__all__ = ["Geometry", "anchor", "design", "significance", "solve"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MAX_PAIRS = 64
MAX_WRAPS = 4096
CHUNK = 1 << 20


@dataclass(frozen=True)
class Geometry:
    """How rolled versions make batches: the bits that roll, and how many versions one sweep serves.

    Source of the default: BM1366, 16 rolled bits 28..13 and eight versions a sweep, as ESP-Miner and mujina have
    them; on a chain, the address bits of the nonce are fixed and the counter is narrower.

    Example:
        >>> Geometry().batches
        8192
    """

    version_mask: int = 0x1FFFE000
    versions_per_sweep: int = 8

    def __post_init__(self) -> None:
        mask = self.version_mask
        if not 0 < mask < 1 << 32 or (mask // (mask & -mask)) & (mask // (mask & -mask) + 1):
            raise SpecError(f"Geometry: version_mask={mask:#x} must be one run of bits, such as 0x1FFFE000")
        versions = mask // (mask & -mask) + 1
        if self.versions_per_sweep < 1 or versions % self.versions_per_sweep:
            raise SpecError(f"Geometry: versions_per_sweep={self.versions_per_sweep} must divide {versions}")

    @property
    def batches(self) -> int:
        """Batches until the versions wrap."""
        return (self.version_mask // (self.version_mask & -self.version_mask) + 1) // self.versions_per_sweep

    def batch(self, versions: Ints) -> Ints:
        """Number of the batch in which a version is hashed."""
        index = (versions & self.version_mask) // (self.version_mask & -self.version_mask)
        return np.asarray(index // self.versions_per_sweep, dtype=np.int64)

    def place(self, nonces: Ints, versions: Ints, bits: int, swapped: bool) -> Floats:
        """Batch and fraction of the sweep at which each nonce is reached."""
        words = nonces.astype(np.uint32)
        words = words.byteswap() if swapped else words
        counter = words.astype(np.int64) & ((1 << bits) - 1)
        return np.asarray(self.batch(versions) + counter / float(1 << bits))


def design(x: Floats, runs: Ints, count: int, drift: bool) -> Floats:
    """Matrix of the fit: a start for each run, the place, and its square where drift is fitted."""
    columns = [(runs == number).astype(np.float64) for number in range(count)] + [x]
    return np.column_stack([*columns, x * x] if drift else columns)


def solve(matrix: Floats, times: Floats, use: Bools) -> tuple[Floats, Floats]:
    """Least squares over the records in use; returns the parameters and the residual of every record."""
    scale = np.abs(matrix).max(axis=0)
    scale[scale == 0] = 1.0
    solution = np.linalg.lstsq(matrix[use] / scale, times[use], rcond=None)[0] / scale
    return solution, times - matrix @ solution


def anchor(
    times: Floats, batches: Ints, runs: Ints, names: Sequence[str], epoch: int, bounds: tuple[float, float]
) -> tuple[Ints, Bools]:
    """Wraps of every record and which records lie within one batch of the clock, by consensus over pairs."""
    wraps = np.zeros(len(times), dtype=np.int64)
    kept = np.zeros(len(times), dtype=np.bool_)
    for number, name in enumerate(names):
        rows = np.flatnonzero(runs == number)
        where = f"run '{name}'" if name else "the records"
        if len(rows) < 3:
            raise StimulusError(f"fit_clock: {where}: {len(rows)} records; each run needs three or more")
        wraps[rows], kept[rows] = _consensus(times[rows], batches[rows], epoch, bounds, where)
    return wraps, kept


def _consensus(
    times: Floats, batches: Ints, epoch: int, bounds: tuple[float, float], where: str
) -> tuple[Ints, Bools]:
    """The clock that passes within a batch of most records, and among equals the one with the fewest wraps.

    A wrong clock meets a further record with probability 2 / epoch only, so a handful of records decides.
    """
    order = np.argsort(times, kind="stable")
    best = (0, 0, 0.0, 0.0)
    for i, j in _pairs(order):
        span, apart = times[j] - times[i], int(batches[j] - batches[i])
        if span <= 0:
            continue
        least = max(0, int(np.ceil((span / bounds[1] - apart) / epoch)))
        most = min(int((span / bounds[0] - apart) // epoch), least + MAX_WRAPS)
        turns = np.arange(least, most + 1, dtype=np.int64)
        turns = turns[apart + turns * epoch > 0]
        if not len(turns):
            continue
        period = span / (apart + turns * epoch)
        late = times - times[i] - period[:, None] * (batches - batches[i])
        late -= np.round(late / (period[:, None] * epoch)) * period[:, None] * epoch
        votes = (np.abs(late) < period[:, None]).sum(axis=1)
        winner = int(np.argmax(votes))  # the first: fewest wraps
        candidate = (int(votes[winner]), -int(turns[winner]), float(period[winner]), float(i))
        best = max(best, candidate)
    if best[0] < max(3, int(np.ceil(0.6 * len(times)))):
        raise StimulusError(
            f"fit_clock: no clock with a period of {bounds[0]:g} to {bounds[1]:g} ms passes within one batch of "
            f"60 % of {where} (best: {best[0]} of {len(times)}); check that they are of one job, or name runs"
        )
    return _refine(times, batches, epoch, best[2], int(best[3]))


def _pairs(order: Ints) -> list[tuple[int, int]]:
    """Pairs to try: all of few records, and far ones of many; spread evenly."""
    n = len(order)
    if n * (n - 1) // 2 <= MAX_PAIRS:
        return [(int(order[i]), int(order[j])) for i in range(n) for j in range(i + 1, n)]
    half = n // 2
    starts = np.unique(np.linspace(0, n - half - 1, MAX_PAIRS // 2).astype(int))
    far = [(int(order[i]), int(order[i + half])) for i in starts]
    # near pairs cannot be led astray by a wrong number of wraps, whatever the length of the capture
    reach = min(8, n - 1)
    starts = np.unique(np.linspace(0, n - reach - 1, MAX_PAIRS // 2).astype(int))
    return far + [(int(order[i]), int(order[i + reach])) for i in starts]


def _refine(times: Floats, batches: Ints, epoch: int, period: float, origin: int) -> tuple[Ints, Bools]:
    """Count the wraps with the period found, fit again, and count once more."""
    start = times[origin] - period * (batches[origin] + 0.5)
    wraps = np.zeros(len(times), dtype=np.int64)
    kept = np.ones(len(times), dtype=np.bool_)
    for _ in range(4):
        late = times - start - period * (batches + 0.5)
        wraps = np.round(late / (period * epoch)).astype(np.int64)
        kept = np.abs(late - wraps * period * epoch) < period
        matrix = np.column_stack([np.ones(len(times)), batches + 0.5 + wraps * epoch])
        if kept.sum() >= 2 and np.ptp(matrix[kept, 1]) > 0:
            (start, period), _ = solve(matrix, times, kept)
    return wraps - int(wraps[kept].min()), kept


def significance(times: Floats, batches: Floats, runs: Ints, rms: float, draws: int, seed: int) -> float:
    """Fraction of random counters that leave an RMS as small, each with its own best clock; add-one estimate."""
    rng = np.random.default_rng(seed)
    n = len(times)
    centred = _centre(times[None, :], runs)[0]
    place = _centre(batches[None, :].astype(np.float64), runs)[0]
    total, hits, done = float(centred @ centred), 0, 0
    while done < draws:
        rows = min(max(1, CHUNK // n), draws - done)
        x = place + _centre(rng.random((rows, n)), runs)
        left = total - (x @ centred) ** 2 / np.einsum("ij,ij->i", x, x)
        hits += int(np.count_nonzero(left <= n * rms * rms * (1 + 1e-9)))
        done += rows
    return (hits + 1) / (draws + 1)


def _centre(values: Floats, runs: Ints) -> Floats:
    """Take each run's mean away."""
    out = np.array(values, dtype=np.float64)
    for number in np.unique(runs):
        columns = runs == number
        out[:, columns] -= out[:, columns].mean(axis=1, keepdims=True)
    return out
