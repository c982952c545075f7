"""The normal distribution on arrays, from the standard library: SciPy is no dependency."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

_STANDARD = NormalDist()
# erfc keeps the lower tail to full precision, where 1 + erf would cancel.
_erfc = np.frompyfunc(math.erfc, 1, 1)
_inv_cdf = np.frompyfunc(_STANDARD.inv_cdf, 1, 1)


def normal_cdf(z: Any) -> npt.NDArray[np.float64]:
    """Phi(z) for an array of any shape."""
    scaled = np.asarray(z, dtype=np.float64) / -math.sqrt(2.0)
    return np.asarray(0.5 * np.asarray(_erfc(scaled), dtype=np.float64))


def normal_pdf(z: Any) -> npt.NDArray[np.float64]:
    """The standard normal density for an array of any shape."""
    values = np.asarray(z, dtype=np.float64)
    return np.asarray(np.exp(-0.5 * values * values) / math.sqrt(2.0 * math.pi))


def probit(p: Any) -> npt.NDArray[np.float64]:
    """The inverse of `normal_cdf`; 0 and 1 give minus and plus infinity."""
    values = np.asarray(p, dtype=np.float64)
    inside = np.clip(values, np.nextafter(0.0, 1.0), np.nextafter(1.0, 0.0))
    z = np.asarray(_inv_cdf(inside), dtype=np.float64)
    return np.where(values <= 0.0, -np.inf, np.where(values >= 1.0, np.inf, z))
