"""Periodicity: power spectrum of counts, Lomb-Scargle, and the Rayleigh test at one frequency or over a band."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir.stats._counts import count_windows
from hwmodel.reservoir.stats._estimate import Estimate, Floats, series_of, times_of

__all__ = ["Spectrum", "lomb_scargle", "power_spectrum", "rayleigh", "rayleigh_scan"]

MAX_BINS = 1 << 26
OVERSAMPLING = 8
"""Bins a period of the highest frequency of a scan; binning lowers the power of a modulation there by 5 %."""


@dataclass(frozen=True)
class Spectrum:
    """Power at each frequency (Hz) beside its null, and the highest peak as an `Estimate`.

    The peak's p allows for all frequencies (Sidak); `null_value` and `null_sd` are those of one frequency.
    """

    frequencies: Floats
    power: Floats
    null_value: float
    null_sd: float
    peak: Estimate
    peak_frequency: float


def _highest(
    frequencies: Floats, power: Floats, null: float, sd: float, n: int, single: float, tests: int
) -> Spectrum:
    at = int(np.argmax(power))
    p = float(-np.expm1(tests * np.log1p(-min(single, 1 - 1e-16))))
    peak = Estimate(float(power[at]), null, sd, 0.0, n, p)
    return Spectrum(frequencies, power, null, sd, peak, float(frequencies[at]))


def power_spectrum(times: npt.ArrayLike, bin_width: float, segment: int = 256) -> Spectrum:
    """Welch spectrum of the counts in bins, in units of the Poisson level: white 1 is the null.

    Hann windows overlapping by half. The sd of one frequency is sqrt((1 + 2 (1/6)**2)/segments); the peak's p from
    the gamma distribution with the same mean and sd.

    Parameters:
        times: seconds, not falling.
        bin_width: seconds.
        segment: bins a segment, 8 or more.

    Raises:
        StimulusError: fewer bins than one segment.
        SpecError: segment out of range.

    Example:
        >>> t = np.cumsum(np.random.default_rng(0).exponential(0.1, 5000))
        >>> spectrum = power_spectrum(t, 0.1)
        >>> round(float(spectrum.power.mean()), 1)
        1.0
    """
    from scipy.signal import welch
    from scipy.special import gammaincc

    if not 8 <= segment <= MAX_BINS:
        raise SpecError(f"power_spectrum: segment={segment} must lie in 8 ... {MAX_BINS}")
    counts = count_windows(times, bin_width)
    if len(counts) < segment or not counts.any():
        raise StimulusError(f"power_spectrum: {len(counts)} bins of {bin_width:g} s; a segment has {segment}")
    frequencies, power = welch(
        counts, 1 / bin_width, "hann", segment, detrend="constant", return_onesided=True
    )
    power = power[1:-1] / (2 * counts.mean() * bin_width)
    segments = (len(counts) - segment // 2) // (segment - segment // 2)
    sd = math.sqrt((1 + 2 * (segments - 1) / segments / 36) / segments)
    shape = 1 / sd**2
    single = float(gammaincc(shape, shape * float(power.max())))
    return _highest(frequencies[1:-1], power, 1.0, sd, len(counts), single, len(power))


def lomb_scargle(times: npt.ArrayLike, values: npt.ArrayLike, frequencies: npt.ArrayLike) -> Spectrum:
    """Lomb-Scargle periodogram of unevenly sampled values, as the share of their variance that a sine takes.

    For white noise one frequency's power is Beta(1, (n - 3)/2) distributed.

    Parameters:
        times: seconds, not falling.
        values: one each.
        frequencies: Hz, positive.

    Raises:
        StimulusError: lengths differ, or all values are equal.
        SpecError: a frequency that is not positive.

    Example:
        >>> t = np.arange(100.0) + np.random.default_rng(0).uniform(0, 0.5, 100)
        >>> lomb_scargle(t, np.sin(2 * np.pi * 0.1 * t), [0.05, 0.1, 0.2]).peak_frequency
        0.1
    """
    from scipy.signal import lombscargle

    t, x = times_of(times, "lomb_scargle", 5), series_of(values, "lomb_scargle", 5)
    f = series_of(frequencies, "lomb_scargle: frequencies")
    if len(t) != len(x):
        raise StimulusError(f"lomb_scargle: {len(t)} times and {len(x)} values; give one each")
    if not np.all(f > 0):
        raise SpecError(f"lomb_scargle: frequency {f[f <= 0][0]:g} must be positive, in Hz")
    if np.ptp(x) == 0:
        raise StimulusError("lomb_scargle: all values are equal; there is nothing to explain")
    power = np.asarray(lombscargle(t - t[0], x - x.mean(), 2 * np.pi * f, normalize=True))
    n, half = len(x), (len(x) - 3) / 2
    single = float((1 - min(float(power.max()), 1.0)) ** half)
    mean = 1 / (1 + half)
    sd = math.sqrt(half / (2 + half)) / (1 + half)
    tests = min(len(f), max(1, round(float(np.ptp(f)) * float(t[-1] - t[0]))) + 1)
    return _highest(f, power, mean, sd, n, single, tests)


def rayleigh(times: npt.ArrayLike, frequency: float) -> Estimate:
    """Length of the mean phase vector at one frequency; a modulated rate 1 + m cos(2 pi f t) gives m / 2.

    Over a Poisson process n R**2 is exponential of mean 1, so R has mean sqrt(pi/(4n)), which is also its bias.

    Raises:
        SpecError: the frequency is not positive.

    Example:
        >>> rayleigh([0.0, 1.0, 2.0, 3.0], 1.0).value
        1.0
    """
    if not 0 < frequency < math.inf:
        raise SpecError(f"rayleigh: frequency={frequency} must be positive, in Hz")
    t = times_of(times, "rayleigh", 2)
    phase = 2 * np.pi * ((t * frequency) % 1.0)
    n = len(t)
    value = math.hypot(float(np.cos(phase).sum()), float(np.sin(phase).sum())) / n
    mean = math.sqrt(math.pi / (4 * n))
    return Estimate(
        value, mean, math.sqrt((4 - math.pi) / (4 * n)), mean, n, _rayleigh_p(n * value * value, n)
    )


def _rayleigh_p(z: float, n: int) -> float:
    """Rayleigh's p with the correction of Zar (1999) for few events."""
    left = 1 + 4 * n + 4 * (n * n - n * z)
    return (
        min(1.0, math.exp(max(math.sqrt(max(left, 0.0)) - (1 + 2 * n), -700.0)))
        if n < 10**6
        else math.exp(-z)
    )


def rayleigh_scan(times: npt.ArrayLike, low: float, high: float) -> Spectrum:
    """Rayleigh power n R**2 over a band, at steps of one over the observation, by FFT of fine counts.

    Null: exponential of mean 1 at each frequency, which binning leaves as it is: events that have nothing to do with
    each other are n vectors of length 1 in whatever direction, and their power has mean n. Of a modulated rate the mean
    vector falls by sinc(f w) with bins of w seconds, because a bin takes in phases of 2 pi f w; 1 - sinc**2 is 5 % of the
    power at `high` and less below. It is not given back, for that would raise the null as well. The last event only
    closes the observation: at steps of one over it, it has the phase of the first.

    Parameters:
        times: seconds, not falling.
        low: Hz; above two over the observation, where the window itself has power.
        high: Hz.

    Raises:
        SpecError: the band is empty, too low, or asks for more than 2**26 bins.

    Example:
        >>> t = np.cumsum(np.random.default_rng(0).exponential(0.01, 20000))
        >>> t = t[np.random.default_rng(1).random(20000) < 0.5 * (1 + np.cos(2 * np.pi * 2.4 * t))]
        >>> round(rayleigh_scan(t, 0.5, 10.0).peak_frequency, 2)
        2.4
    """
    t = times_of(times, "rayleigh_scan", 2)
    span = float(t[-1] - t[0])
    if span <= 0 or not 2 / span <= low < high < math.inf:
        raise SpecError(
            f"rayleigh_scan: band {low:g} ... {high:g} Hz must rise, from {2 / max(span, 1e-300):.3g} Hz on"
        )
    bins = math.ceil(span * high * OVERSAMPLING)
    if bins > MAX_BINS:
        raise SpecError(
            f"rayleigh_scan: {bins} bins; at most {MAX_BINS}; lower the band or take fewer events"
        )
    step = 1 << max(0, bins.bit_length() - 8)
    bins = (
        -(-bins // step) * step
    )  # small factors: a large prime would take the transform a hundred times longer
    inside = t[t < t[-1]]
    place = np.minimum(((inside - t[0]) * (bins / span)).astype(np.int64), bins - 1)
    power = np.abs(np.fft.rfft(np.bincount(place, minlength=bins).astype(np.float64))) ** 2
    frequencies = np.arange(len(power)) / span
    band = (frequencies >= low) & (frequencies <= high)
    frequencies = frequencies[band]
    found = power[band] / len(inside)
    return _highest(frequencies, found, 1.0, 1.0, len(inside), math.exp(-float(found.max())), len(found))
