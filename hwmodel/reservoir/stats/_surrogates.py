"""Surrogates: data with one property kept and the rest drawn anew, and the test that they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.reservoir.stats._estimate import Estimate, Floats, intervals_of, series_of, times_of

__all__ = ["iaaft", "jitter", "shuffle", "surrogate_test"]


def shuffle(intervals: npt.ArrayLike, seed: int = 0) -> Floats:
    """Intervals in random order: their distribution stays, every memory goes.

    Example:
        >>> sorted(shuffle([1.0, 2.0, 3.0]).tolist())
        [1.0, 2.0, 3.0]
    """
    return np.random.default_rng(seed).permutation(intervals_of(intervals, "shuffle"))


def jitter(times: npt.ArrayLike, width: float, seed: int = 0) -> Floats:
    """Each event moved by up to half of `width` seconds either way, sorted: what is slower than that stays.

    Raises:
        SpecError: the width is negative or not finite.

    Example:
        >>> jitter([1.0, 2.0], 0.0).tolist()
        [1.0, 2.0]
    """
    if not 0 <= width < np.inf:
        raise SpecError(f"jitter: width={width} must be a time of zero or more, in seconds")
    t = times_of(times, "jitter", 1)
    return np.sort(t + np.random.default_rng(seed).uniform(-0.5, 0.5, len(t)) * width)


def iaaft(series: npt.ArrayLike, seed: int = 0, iterations: int = 10) -> Floats:
    """Iterated amplitude-adjusted Fourier transform (Schreiber and Schmitz 1996).

    The values are exactly those given; their spectrum comes closer with every iteration. What is left to tell
    data and surrogate apart is dependence beyond the linear. As all have one and the same spectrum they scatter less
    than independent series do: over exponential values, the asymmetry in time of 384 has 0.8 of the sd, so that a
    test at 5 % fires at 9 %. Where independence itself is the null, `shuffle` is exact.

    Raises:
        SpecError: `iterations` outside 1 ... 1000.

    Example:
        >>> sorted(iaaft([3.0, 1.0, 2.0, 5.0]).tolist())
        [1.0, 2.0, 3.0, 5.0]
    """
    if not 1 <= iterations <= 1000:
        raise SpecError(f"iaaft: iterations={iterations} must lie in 1 ... 1000")
    x = series_of(series, "iaaft", 2)
    values, amplitude = np.sort(x), np.abs(np.fft.rfft(x))
    found = np.random.default_rng(seed).permutation(x)
    before: npt.NDArray[np.intp] | None = None
    for _ in range(iterations):
        phases = np.fft.rfft(found)
        size = np.abs(phases)
        phases *= amplitude / np.where(size > 0, size, 1.0)
        order = np.argsort(np.fft.irfft(phases, len(x)), kind="stable")
        found = np.empty_like(values)
        found[order] = values
        if before is not None and np.array_equal(order, before):
            break
        before = order
    return found


def surrogate_test(
    statistic: Callable[[Floats], float],
    series: npt.ArrayLike,
    make: Callable[[Floats, int], Floats],
    count: int = 99,
    seed: int = 0,
) -> Estimate:
    """A statistic of the data against that of `count` surrogates; two-sided rank p with the add-one rule.

    Parameters:
        statistic: from a series to a number.
        series: the data.
        make: from the series and a seed to a surrogate, such as `shuffle`.
        count: surrogates; 19 or more for p = 0.1.
        seed: the surrogates have seeds seed * 2**20 + 0, 1, ...

    Raises:
        SpecError: fewer than 19 surrogates, or more than 2**20.

    Example:
        >>> rising = surrogate_test(lambda x: float(x[0]), [1.0, 2.0, 3.0], shuffle, count=19)
        >>> rising.n
        3
    """
    if not 19 <= count <= 1 << 20:
        raise SpecError(f"surrogate_test: count={count} must lie in 19 ... 1048576")
    x = series_of(series, "surrogate_test", 2)
    found = np.array([statistic(make(x, (seed << 20) + number)) for number in range(count)])
    value = float(statistic(x))
    least = min(int(np.sum(found <= value)), int(np.sum(found >= value)))
    p = min(1.0, 2 * (least + 1) / (count + 1))
    return Estimate(value, float(found.mean()), float(found.std(ddof=1)), 0.0, len(x), p)
