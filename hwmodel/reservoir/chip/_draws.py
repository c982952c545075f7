"""Random draws of the chip model that are not hits: errors, wrong results, planted effects and delays.

Each draw is named by what it decides - a counter step and a small core, or a cell of time - so that neither the window
nor what else was drawn changes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.reservoir.chip._place import Place
from hwmodel.reservoir.chip.oracle import FOUND, SHARE_1, HitOracle, RealHash, draw, key_of
from hwmodel.reservoir.chip.physics import Planted
from hwmodel.reservoir.header import scan_order
from hwmodel.reservoir.job import Job

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CUT = 4.0  # deviations at which delays are cut
MOST_MEAN = 400.0


def uniforms(key: int, counters: Ints) -> Floats:
    """Draws of one stream at the counters, in [0, 1), shape as `counters`."""
    from hwmodel.reservoir.chip import _kernels as k

    out = np.empty(len(counters))
    k.uniforms(key, np.ascontiguousarray(counters, np.int64), out)
    return out


def names(steps: Ints, cores: Any, slots: Any) -> Ints:
    """One number for a counter step and a small core."""
    return np.asarray((steps << 12) + (cores.astype(np.int64) << 4) + slots, np.int64)


def delays(key: int, counters: Ints, deviation: float) -> Ints:
    """Gaussian delays in fs, cut at 4 deviations and moved by as much: 0 to 8 deviations."""
    first = 1.0 - uniforms(key, 2 * counters)
    normal = np.sqrt(-2.0 * np.log(first)) * np.cos(2 * np.pi * uniforms(key, 2 * counters + 1))
    return np.asarray(np.rint((np.clip(normal, -CUT, CUT) + CUT) * deviation * 1e15), np.int64)


def keeps(planted: Planted, key: int, counters: Ints, t: Ints) -> npt.NDArray[np.bool_]:
    """Which results the planted modulation leaves."""
    if not planted.depth:
        return np.ones(len(t), np.bool_)
    phase = 2 * np.pi * planted.frequency * (t * 1e-15)
    share = (1.0 + planted.depth * np.sin(phase)) / (1.0 + planted.depth)
    return np.asarray(uniforms(key, counters) < share, np.bool_)


def burst_error(planted: Planted, key: int, t: Ints) -> Floats:
    """Probability of a planted error at times: that of the cell in which they lie."""
    if not planted.burst_probability:
        return np.zeros(len(t))
    cells = t // max(1, round(planted.burst_seconds * 1e15))
    bad = uniforms(key, cells) < planted.burst_probability
    return np.where(bad, planted.burst_error, 0.0)


class WrongResults:
    """Results that only an error can make: as many as hits, if every hash were wrong.

    They come at any counter step since the chip began, whatever it hashes: an error is no property of a header.
    """

    def __init__(self, place: Place, oracle: HitOracle, seed: int) -> None:
        self._place, self._oracle = place, oracle
        self._bits = place.spec.core_bits + place.running_bits
        self._mean = 2.0 ** (self._bits - oracle.zero_bits)
        if self._mean > MOST_MEAN:
            raise SpecError(
                f"{place.spec.name}: {self._mean:g} wrong results a version are more than the model draws; ask for more "
                f"zero bits than {oracle.zero_bits}, or a smaller counter"
            )
        self._key = key_of(f"wrong/{place.address}", seed)

    def between(
        self, job: Job, place: Place, origin: int, first: int, last: int, mask_bits: int
    ) -> tuple[Any, Ints]:
        """Candidates at steps `first` to `last` of a job that began at step `origin`: of type FOUND, and their steps."""
        spec, bits = place.spec, place.running_bits
        begin, end = (first >> bits) * spec.slots, (((last - 1) >> bits) + 1) * spec.slots
        index, word, part = draw(self._key, begin, end, mask_bits, self._mean, self._bits)
        slot, core, offset = index % spec.slots, word >> bits, word & ((1 << bits) - 1)
        steps = (index // spec.slots << bits) + offset
        batch, position = np.divmod(steps - origin, place.batch_steps)
        kept = (steps >= first) & (steps < last) & (position < place.sweep)
        kept &= core * spec.slots + slot < spec.small_cores
        order = np.flatnonzero(kept)
        order = order[np.argsort(names(steps[order], core[order], slot[order]), kind="stable")]
        found = np.zeros(len(order), FOUND)
        found["batch"], found["position"], found["core"], found["slot"] = (
            x[order] for x in (batch, position, core, slot)
        )
        words = (core[order] << spec.counter_bits) + place.base + position[order]
        found["nonce"] = scan_order(words.astype(np.uint32))
        rolled = (found["batch"] * spec.slots + found["slot"]) % place.versions(job)
        found["version"] = np.uint32(job.version) | (rolled.astype(np.uint32) << np.uint32(job.shift))
        found["difficulty"] = part[order]  # of what the chip believed; `label` puts the true one in its place
        return found, steps[order]

    def label(self, job: Job, found: Any) -> None:
        """Give wrong results the difficulty that their headers have: far below the mask."""
        if isinstance(self._oracle, RealHash):
            checks = [
                self._oracle.check(job.header(nonce, version))
                for nonce, version in zip(found["nonce"].tolist(), found["version"].tolist(), strict=True)
            ]
            found["difficulty"] = checks
            return
        # The hash of a header that is no hit is uniform; the draw of the believed difficulty serves once more.
        share = np.modf(found["difficulty"] * 2.0**20)[0]
        found["difficulty"] = SHARE_1 * 2.0**-self._oracle.zero_bits / np.maximum(share, 2.0**-32)
