"""Memory in a series: DFA, permutation entropy, transfer entropy, autocorrelation and Ljung-Box."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir.stats._estimate import Estimate, Floats, normal_p, poisson_null, series_of

__all__ = ["autocorrelation", "dfa", "ljung_box", "permutation_entropy", "transfer_entropy"]

# DFA exponent of independent exponential values: mean above 0.5 and sd against n, by simulation (60 to 4,000 draws
# a point, seed 20260111); between the points the logarithms are interpolated.
_DFA_NULL = (
    (100, 0.1423, 0.1512), (200, 0.0854, 0.0752), (500, 0.0456, 0.0401), (2000, 0.0199, 0.0227),
    (8000, 0.0113, 0.0142), (32000, 0.0076, 0.0098), (128000, 0.0055, 0.0071), (512000, 0.0035, 0.0056),
    (10**6, 0.0028, 0.0053), (10**8, 0.0010, 0.0028),
)  # fmt: skip
CELL_COUNT, TE_SHUFFLES, TE_SEED = 10, 499, 20_260_113
DFA_SIZES, DFA_EXCESS, DFA_SD = np.log(np.array(_DFA_NULL)).T


def dfa(series: npt.ArrayLike) -> Estimate:
    """Exponent of detrended fluctuation analysis (Peng et al. 1994), linear detrending; 0.5 without memory.

    Windows run from 4 values to a tenth of the series in steps of 1.2; each gives the RMS about the trends
    of its segments. The null is that of independent exponential values; small windows bias it upwards, and
    its sd falls but slowly with n, since the longest windows are always ten.

    Raises:
        StimulusError: fewer than 100 values, or all of them equal.

    Example:
        >>> dfa(np.tile([1.0, 2.0], 60)).value < 0.2
        True
    """
    x = series_of(series, "dfa", 100)
    mean, sd = (
        float(np.exp(np.interp(math.log(len(x)), DFA_SIZES, column))) for column in (DFA_EXCESS, DFA_SD)
    )
    mean += 0.5
    value = _dfa(x)
    if math.isnan(value):
        raise StimulusError("dfa: all values are equal, or nearly; there is nothing that fluctuates")
    return Estimate(value, mean, sd, mean - 0.5, len(x), normal_p((value - mean) / sd))


def _scales(n: int) -> list[int]:
    top = n * 0.1
    steps = math.floor(math.log(top / 4) / math.log(1.2)) + 1
    return sorted({4, *(math.floor(4 * 1.2**i) for i in range(steps))})


def _dfa(x: Floats) -> float:
    walk = np.cumsum(x - x.mean())
    scales, found = [], []
    for scale in _scales(len(x)):
        count = len(x) // scale
        parts = walk[: count * scale].reshape(count, scale)
        axis = np.arange(scale) - (scale - 1) / 2
        power = float(axis @ axis)
        # the residual of a straight line: all power less that of the mean and of the slope
        squares = (
            np.einsum("ij,ij->i", parts, parts) - parts.sum(axis=1) ** 2 / scale - (parts @ axis) ** 2 / power
        )
        size = math.sqrt(max(float(np.mean(squares)), 0.0) / scale)
        if size > 0:
            scales.append(scale)
            found.append(size)
    if len(found) < 2:
        return math.nan
    return float(np.polyfit(np.log(scales), np.log(found), 1)[0])


def permutation_entropy(series: npt.ArrayLike, order: int = 3, delay: int = 1) -> Estimate:
    """Entropy in bits of the order patterns of `order` values (Bandt and Pompe 2002); log2(order!) without memory.

    Equal values count as rising. The null is simulated with independent values; p is one-sided, for entropy that
    is too small, from a gamma fit to the simulated shortfall.

    Raises:
        SpecError: order outside 2 ... 7, or a delay below 1.

    Example:
        >>> permutation_entropy([1.0, 2.0, 3.0, 4.0, 5.0]).value
        0.0
    """
    if not 2 <= order <= 7 or delay < 1:
        raise SpecError(
            f"permutation_entropy: order={order}, delay={delay}; orders 2 ... 7, delays from 1 on"
        )
    x = series_of(series, "permutation_entropy", (order - 1) * delay + 2)
    full = math.log2(math.factorial(order))
    mean, sd = poisson_null(_permutation_entropy, len(x), full, order, delay)
    if len(x) > 2_000:  # the shortfall itself falls as 1/n, mean and sd alike
        sd *= math.sqrt(2_000 / len(x))
    value = _permutation_entropy(x, order, delay)
    from scipy.special import gammaincc

    short = full - mean
    p = float(gammaincc((short / sd) ** 2, (full - value) * short / sd**2)) if sd > 0 else None
    return Estimate(value, mean, sd, mean - full, len(x), p)


def _permutation_entropy(x: Floats, order: int, delay: int) -> float:
    count = len(x) - (order - 1) * delay
    parts = [x[i * delay : i * delay + count] for i in range(order)]
    code = np.zeros(count, dtype=np.int64)
    for i in range(order - 1):  # the Lehmer code: how many later values are smaller
        smaller = np.zeros(count, dtype=np.int64)
        for j in range(i + 1, order):
            smaller += parts[j] < parts[i]
        code = code * (order - i) + smaller
    share = np.bincount(code) / count
    share = share[share > 0]
    return float(-np.sum(share * np.log2(share))) + 0.0


def transfer_entropy(source: npt.ArrayLike, target: npt.ArrayLike, bins: int = 2) -> Estimate:
    """Bits that the source's last value tells of the target's next beyond the target's last (Schreiber 2000).

    Values are binned by rank into `bins` equal parts. Under independence 2 n ln2 TE is chi-square with
    bins (bins - 1)**2 degrees of freedom, which gives the bias and p (one-sided). With fewer than ten values for
    each of the bins**3 cells chi-square rejects far too often; there null and p come from 499 shuffles of the source.

    Parameters:
        source: series that may drive.
        target: series of the same length.
        bins: 2 ... 32.

    Example:
        >>> bits = np.random.default_rng(0).integers(0, 2, 1000).astype(float)
        >>> round(transfer_entropy(bits, np.roll(bits, 1)).value, 1)
        1.0
    """
    if not 2 <= bins <= 32:
        raise SpecError(f"transfer_entropy: bins={bins} must lie in 2 ... 32")
    x, y = series_of(source, "transfer_entropy", 3), series_of(target, "transfer_entropy", 3)
    if len(x) != len(y):
        raise StimulusError(
            f"transfer_entropy: {len(x)} source and {len(y)} target values; give equally many"
        )
    a, b = _binned(x, bins), _binned(y, bins)
    n = len(x) - 1
    joint = _joint(a, b, bins)
    value = _information(joint)
    freedom = _rank(joint)
    if freedom and n < CELL_COUNT * bins**3:
        rng = np.random.default_rng([TE_SEED, n])
        found = np.array([_information(_joint(rng.permutation(a), b, bins)) for _ in range(TE_SHUFFLES)])
        mean = float(found.mean())
        least = float((np.count_nonzero(found >= value * (1 - 1e-12)) + 1) / (TE_SHUFFLES + 1))
        return Estimate(value, mean, float(found.std(ddof=1)), mean, n, least)
    from scipy.special import gammaincc

    unit = 2 * n * math.log(2)
    p = float(gammaincc(freedom / 2, max(value, 0.0) * unit / 2)) if freedom else None
    return Estimate(value, freedom / unit, math.sqrt(2 * freedom) / unit, freedom / unit, n, p)


def _joint(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], bins: int) -> npt.NDArray[np.int64]:
    """Counts of target's next, target's last, and source's last."""
    code = (b[1:] * bins + b[:-1]) * bins + a[:-1]
    return np.bincount(code, minlength=bins**3).reshape(bins, bins, bins)


def _information(joint: npt.NDArray[np.int64]) -> float:
    """Conditional mutual information of next and source given the last, in bits."""
    share = joint / joint.sum()
    given = share.sum(axis=0)
    pair, last = share.sum(axis=2), share.sum(axis=(0, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = share * last[None, :, None] / (given[None, :, :] * pair[:, :, None])
        return float(np.nansum(np.where(share > 0, share * np.log2(ratio), 0.0)))


def _binned(x: Floats, bins: int) -> npt.NDArray[np.int64]:
    """Rank bins; equal values share a bin."""
    if len(np.unique(x)) <= bins:
        return np.asarray(np.unique(x, return_inverse=True)[1], dtype=np.int64)
    edges = np.quantile(x, np.arange(1, bins) / bins)
    return np.searchsorted(edges, x, side="right").astype(np.int64)


def _rank(joint: npt.NDArray[np.int64]) -> int:
    """Degrees of freedom of the conditional independence that the counts could show."""
    total = 0
    for last in range(joint.shape[1]):
        table = joint[:, last, :]
        total += max(0, int((table.sum(axis=1) > 0).sum()) - 1) * max(
            0, int((table.sum(axis=0) > 0).sum()) - 1
        )
    return total


def autocorrelation(series: npt.ArrayLike, lags: int) -> Floats:
    """Autocorrelation at lags 1 ... `lags`, normalised by n (the biased form), by FFT.

    Example:
        >>> autocorrelation([1.0, 2.0, 1.0, 2.0], 1).tolist()
        [-0.75]
    """
    x = series_of(series, "autocorrelation", 2)
    if not 1 <= lags < len(x):
        raise SpecError(f"autocorrelation: lags={lags} must lie in 1 ... {len(x) - 1}")
    centred = x - x.mean()
    size = 1 << (len(x) + lags - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    sums = np.fft.irfft(power, size)[: lags + 1]
    if sums[0] <= 0:
        raise StimulusError("autocorrelation: all values are equal; there is nothing to correlate")
    return np.asarray(sums[1:] / sums[0])


def ljung_box(series: npt.ArrayLike, lags: int = 20) -> Estimate:
    """Ljung-Box Q over `lags` lags; chi-square with as many degrees of freedom without memory.

    Example:
        >>> ljung_box(np.random.default_rng(1).exponential(size=500)).p > 0.01
        True
    """
    x = series_of(series, "ljung_box", 3)
    found = autocorrelation(x, lags)
    n = len(x)
    value = float(n * (n + 2) * np.sum(found**2 / (n - np.arange(1, lags + 1))))
    from scipy.special import gammaincc

    return Estimate(value, float(lags), math.sqrt(2 * lags), 0.0, n, float(gammaincc(lags / 2, value / 2)))
