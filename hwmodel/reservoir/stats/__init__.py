"""Statistics of event times, each with its value under the matched null and its finite-sample bias."""

from __future__ import annotations

from hwmodel.reservoir.stats._battery import battery
from hwmodel.reservoir.stats._counts import allan_curve, allan_factor, count_windows, fano_curve, fano_factor
from hwmodel.reservoir.stats._estimate import Estimate
from hwmodel.reservoir.stats._fit import (
    ad_exponential,
    bootstrap_fit,
    ks_distance,
    ks_exponential,
    time_rescaling,
)
from hwmodel.reservoir.stats._intervals import cv, cv2, isi_entropy, lv, lvr
from hwmodel.reservoir.stats._order import (
    autocorrelation,
    dfa,
    ljung_box,
    permutation_entropy,
    transfer_entropy,
)
from hwmodel.reservoir.stats._power import events_for_cv, events_for_depth, power_lines, rayleigh_depth
from hwmodel.reservoir.stats._spectrum import (
    Spectrum,
    lomb_scargle,
    power_spectrum,
    rayleigh,
    rayleigh_scan,
)
from hwmodel.reservoir.stats._surrogates import iaaft, jitter, shuffle, surrogate_test

__all__ = [
    "Estimate",
    "Spectrum",
    "ad_exponential",
    "allan_curve",
    "allan_factor",
    "autocorrelation",
    "battery",
    "bootstrap_fit",
    "count_windows",
    "cv",
    "cv2",
    "dfa",
    "events_for_cv",
    "events_for_depth",
    "fano_curve",
    "fano_factor",
    "iaaft",
    "isi_entropy",
    "jitter",
    "ks_distance",
    "ks_exponential",
    "ljung_box",
    "lomb_scargle",
    "lv",
    "lvr",
    "permutation_entropy",
    "power_lines",
    "power_spectrum",
    "rayleigh",
    "rayleigh_depth",
    "rayleigh_scan",
    "shuffle",
    "surrogate_test",
    "time_rescaling",
    "transfer_entropy",
]
