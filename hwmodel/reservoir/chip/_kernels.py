"""Compiled parts of the chip model: drawing hits that depend on nothing but their place, and a serial line.

Hits of difficulty d and more come at a rate of 1/d. They are drawn in bands, each between one power of two and the
next, so that a chip that reports only what passes a mask draws no more than that, and the hits that pass stay the same
for every mask. A group of 2**band versions has the same mean in each band. Groups are drawn whole from streams of their
own: what was asked before, and in which order, changes nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.kernel.compiled import Ints, jit, random_bits, uniform

Floats = npt.NDArray[np.float64]

BANDS = 16  # the last band takes all that is harder than 2**16
LOW16 = (1 << 16) - 1
LOW32 = (1 << 32) - 1


@jit
def poisson(mean: float, chance: float) -> int:
    """Return the Poisson number whose distribution function passes `chance`; `mean` at most 500."""
    n = 0
    term = np.exp(-mean)
    total = term
    while chance >= total and n < 2000:
        n += 1
        term *= mean / n
        total += term
    return n


@jit
def draw(
    key: int, first: int, last: int, band: int, mean: float, bits: int, index: Ints, word: Ints, part: Floats
) -> int:
    """Draw the hits of versions `first` to `last` with at least 2**band of difficulty; return how many.

    `mean` is that of the hits of a version at difficulty 1, over words of `bits` bits. `part` is the hash over that of
    difficulty 1. What exceeds the room is counted and not noted.
    """
    room = len(index)
    found = 0
    mask = (1 << bits) - 1
    for level in range(band, BANDS + 1):
        base = random_bits(key, level)
        top = 1.0 / (1 << level)
        width = top if level == BANDS else 0.5 * top
        expected = mean * width * (1 << level)
        for group in range(first >> level, ((last - 1) >> level) + 1):
            stream = random_bits(base, group)
            count = poisson(expected, uniform(stream, 0))
            for n in range(count):
                bits1 = random_bits(stream, 1 + 2 * n)
                place = (group << level) + ((bits1 & LOW16) >> (BANDS - level))
                if place < first or place >= last:
                    continue
                if found < room:
                    index[found] = place
                    word[found] = (bits1 >> BANDS) & mask
                    part[found] = top - width * uniform(stream, 2 + 2 * n)
                found += 1
    return found


@jit
def send(times: Ints, frame: int, depth: int, free: int, queue: Ints, ends: Ints) -> int:
    """Send frames one after the other; return when the line is free.

    `queue` holds the ends of frames that were waiting when the call began, -1 for none, and is kept as a ring whose
    length is `depth`: a result that finds the end of the result `depth` before it still to come is dropped, and its end
    is -1.
    """
    place = queue[depth]
    for n in range(len(times)):
        if queue[place] > times[n]:
            ends[n] = -1
            continue
        begin = times[n] if times[n] > free else free
        free = begin + frame
        ends[n] = free
        queue[place] = free
        place += 1
        if place == depth:
            place = 0
    queue[depth] = place
    return free


@jit
def uniforms(key: int, counters: Ints, out: Any) -> None:
    """Fill `out` with the draws of one stream at the counters."""
    for n in range(len(counters)):
        out[n] = uniform(key, counters[n])


@jit
def error_probability(slack: Floats, depths: Floats, counts: Floats, spread: float, out: Floats) -> None:
    """Probability that any of the paths is late, where `slack` is the period over the longest path's mean delay."""
    for n in range(len(slack)):
        if slack[n] <= 0.0:
            out[n] = 1.0
            continue
        total = 0.0  # of ln(1 - p)
        for i in range(len(depths)):
            late = 0.5 * math.erfc((slack[n] - depths[i]) / (spread * depths[i]) * math.sqrt(0.5))
            if late >= 1.0 and counts[i] > 0.0:
                total = -np.inf
                break
            if late > 0.0:
                total += counts[i] * math.log1p(-late)
        out[n] = 0.0 - math.expm1(total)
