"""The numbers by which the ladder compares a log with its simulations, all free of the rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NAMES", "distance", "joint_p", "rank_p", "summary"]

Floats = npt.NDArray[np.float64]

NAMES = ("cv", "lv", "fano_10", "fano_100", "correlation", "short")
"""CV; LV; Fano factors in windows of 10 and 100 mean intervals; correlation of neighbours; share of intervals below
a tenth of the mean."""

SHORT = 0.1


def summary(times: Floats) -> Floats:
    """The statistics of `NAMES` for event times."""
    x = np.diff(times)
    x = x / x.mean()
    total = x[1:] + x[:-1]
    contrast = (x[1:] - x[:-1]) / np.where(total > 0, total, 1.0)
    at = np.concatenate([[0.0], np.cumsum(x)])
    centred = x - 1.0
    variance = float(centred @ centred) / len(x)
    correlation = float(centred[1:] @ centred[:-1]) / len(x) / variance if variance > 0 else 0.0
    return np.array([
        variance**0.5, 3 * float(np.mean(contrast**2)), _fano(at, 10.0), _fano(at, 100.0), correlation,
        float(np.mean(x < SHORT)),
    ])  # fmt: skip


def _fano(at: Floats, window: float) -> float:
    """Fano factor in whole windows; 1 where there are fewer than five of them, for data and simulation alike."""
    whole = int(at[-1] / window)
    if whole < 5:
        return 1.0
    counts = np.bincount((at / window).astype(np.int64), minlength=whole)[:whole]
    return float(counts.var() / counts.mean())


def distance(times: Floats, pool: Floats) -> float:
    """KS distance of the scaled intervals from a large sorted sample of the model's."""
    x = np.sort(np.diff(times))
    x = x / x.mean()
    n = len(x)
    low = np.searchsorted(pool, x, side="left") / len(pool)
    high = np.searchsorted(pool, x, side="right") / len(pool)
    # with ties both step functions jump together; the larger of the two sides bounds the distance between jumps
    rank_low, rank_high = np.searchsorted(x, x, side="left") / n, np.searchsorted(x, x, side="right") / n
    return float(max(np.abs(rank_high - high).max(), np.abs(rank_low - low).max()))


def rank_p(table: Floats, upper: npt.NDArray[np.bool_]) -> Floats:
    """p of every row among all rows, column by column: two-sided, or for large values where `upper`.

    The first row is the data; all rows are exchangeable under the model, so p is exact.
    """
    rows = len(table)
    found = np.empty_like(table)
    for column in range(table.shape[1]):
        values = table[:, column]
        ordered = np.sort(values)
        least = rows - np.searchsorted(ordered, values, side="left")
        most = np.searchsorted(ordered, values, side="right")
        both = least if upper[column] else 2 * np.minimum(least, most)
        found[:, column] = np.minimum(both / rows, 1.0)
    return found


def joint_p(table: Floats, upper: npt.NDArray[np.bool_]) -> float:
    """One p for the whole family: the share of rows whose largest deviation is as large as that of the first.

    The step of Westfall and Young with deviations in standard deviations; ranks would tie at their ends.
    """
    spread = table.std(axis=0)
    z = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    largest = np.where(upper, z, np.abs(z)).max(axis=1)
    return float(np.mean(largest >= largest[0]))
