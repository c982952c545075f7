"""All statistics of a series of events at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwmodel.reservoir.stats._counts import allan_curve, fano_curve
from hwmodel.reservoir.stats._estimate import Estimate, times_of
from hwmodel.reservoir.stats._fit import ad_exponential, ks_exponential, time_rescaling
from hwmodel.reservoir.stats._intervals import cv, cv2, isi_entropy, lv, lvr
from hwmodel.reservoir.stats._order import dfa, ljung_box, permutation_entropy, transfer_entropy
from hwmodel.reservoir.stats._spectrum import lomb_scargle, power_spectrum, rayleigh, rayleigh_scan
from hwmodel.reservoir.stats._surrogates import shuffle, surrogate_test

__all__ = ["battery"]

LEAST = 128
LOMB_EVENTS = 20_000
SURROGATE_EVENTS = 20_000
RAYLEIGH_HZ = 2.4
SCAN_TRIALS = 1 << 20


def battery(
    times: npt.ArrayLike, windows: Sequence[float] | None = None, seed: int = 0
) -> dict[str, Estimate]:
    """Every statistic of the package over event times, each beside its null; names say what and where.

    A million events take a few seconds. Lomb-Scargle and the test of asymmetry in time, against shuffled
    intervals, take the first 20,000 intervals.
    Transfer entropy is that from every interval to the one after next but one, beyond the one before.
    There are some 25 tests: a smallest p of 0.04 is what chance gives.

    Parameters:
        times: seconds, not falling; 128 or more.
        windows: of Fano and Allan factors, seconds; default 1, 10, 100 and 1000 mean intervals.
        seed: of the surrogates.

    Raises:
        StimulusError: too few events, or times that fall.

    Example:
        >>> found = battery(np.cumsum(np.random.default_rng(0).exponential(0.1, 500)))
        >>> found["cv"].n, found["dfa"].p > 0.001
        (499, True)
    """
    t = times_of(times, "battery", LEAST)
    x = np.diff(t)
    n, span = len(x), float(t[-1] - t[0])
    mean = span / n
    if windows is None:
        windows = [float(f"{scale * mean:.3g}") for scale in (1, 10, 100, 1000)]
    found = {"cv": cv(x), "cv2": cv2(x), "lv": lv(x), "lvr": lvr(x), "entropy": isi_entropy(x)}
    found |= {f"fano {w:g} s": one for w, one in fano_curve(t, windows).items()}
    found |= {f"allan {w:g} s": one for w, one in allan_curve(t, windows).items()}
    found["ks exponential"] = ks_exponential(x)
    found["ad exponential"] = ad_exponential(x)
    # Each interval against what those before it foretell: exactly exponential, whatever the constant rate is.
    past = np.cumsum(x)[:-1]
    first = int(np.searchsorted(past, 0.0, side="right"))
    if first < n - 2:
        steps = np.arange(first + 1, n) * np.log1p(x[first + 1 :] / past[first:])
        foretold = np.concatenate([[0.0], np.cumsum(steps)])
        found["time rescaling"] = time_rescaling(t[first + 1 :], foretold)
    found["psd peak"] = power_spectrum(t, mean, 256 if n >= 512 else 32).peak
    few = min(n, LOMB_EVENTS)
    grid = np.linspace(0.01, 0.4, 64) / mean
    found["lomb-scargle peak"] = lomb_scargle(t[1 : few + 1], x[:few], grid).peak
    found[f"rayleigh {RAYLEIGH_HZ:g} Hz"] = rayleigh(t, RAYLEIGH_HZ)
    high = min(10.0, SCAN_TRIALS / span)
    if 2 / span <= 0.5 < high:
        found[f"rayleigh scan 0.5-{high:.3g} Hz"] = rayleigh_scan(t, 0.5, high).peak
    found["dfa"] = dfa(x)
    found["permutation entropy"] = permutation_entropy(x)
    found["transfer entropy"] = transfer_entropy(x[:-2], x[2:], bins=3)
    found["ljung-box"] = ljung_box(x, 20)
    few = min(n, SURROGATE_EVENTS)
    found["asymmetry"] = surrogate_test(_asymmetry, x[:few], shuffle, 99, seed)
    return found


def _asymmetry(x: npt.NDArray[np.float64]) -> float:
    """Third moment of the steps over the second to 3/2: zero for what runs alike in both directions of time."""
    step = np.diff(x)
    size = float(np.mean(step**2))
    return float(np.mean(step**3)) / size**1.5 if size > 0 else 0.0
