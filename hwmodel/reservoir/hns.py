"""The "Hierarchical Number System" as its published code does it, and its energy claim as a model to check.

The code takes the four 64-bit words of a SHA-256 hash for four fractions. There is no hierarchy, carry or logarithm in
it. The energy claim, log n against 2^n, counts n as bits on one side and as states on the other; `energy_claim` puts
both readings side by side. It is a calculation, not a result about hardware.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError

__all__ = ["EnergyClaim", "energy_claim", "hash_features", "rgba"]

WORDS = 4
MOST_FEATURES = 4096


def rgba(digest: bytes) -> tuple[float, float, float, float]:
    """Four fractions from 0 to 1: the big-endian 64-bit words of a 32-byte hash over 2^64 - 1.

    Source: `holographic_reservoir/core/hns.py` of Agnuxo1/Holographic-Reservoir (read for this fact).

    Raises:
        SpecError: not 32 bytes.

    Example:
        >>> rgba(bytes(24) + b"\\xff" * 8)
        (0.0, 0.0, 0.0, 1.0)
    """
    if len(digest) != 32:
        raise SpecError(f"rgba: {len(digest)} bytes; give the 32 of a SHA-256 hash")
    r, g, b, a = (int.from_bytes(digest[n : n + 8], "big") / (2**64 - 1) for n in range(0, 32, 8))
    return r, g, b, a


def hash_features(inputs: npt.NDArray[np.float64], count: int = WORDS) -> npt.NDArray[np.float64]:
    """Features of inputs that are injected into what is hashed, as a coinbase text is: shape (T, count).

    A hash has no neighbours: nothing that a readout learns about one input holds for another.

    Raises:
        SpecError: fewer than 1 feature, or more than 4,096.

    Example:
        >>> hash_features(np.array([0.25, 0.25])).shape
        (2, 4)
    """
    if not 1 <= count <= MOST_FEATURES:
        raise SpecError(f"hash_features(count={count}): give 1 to {MOST_FEATURES}")
    rows = []
    for value in np.asarray(inputs, "<f8"):
        row: list[float] = []
        for part in range(-(-count // WORDS)):
            once = hashlib.sha256(value.tobytes() + part.to_bytes(4, "little")).digest()
            row.extend(rgba(hashlib.sha256(once).digest()))
        rows.append(row[:count])
    return np.array(rows, np.float64).reshape(-1, count)


@dataclass(frozen=True)
class EnergyClaim:
    """Both readings of "log n against 2^n" for one n.

    `mixed` is the ratio as it is published: 2^n steps of a search over n bits against log2 n. `as_states` takes n as
    states on both sides, `as_bits` as bits on both.

    Example:
        >>> claim = energy_claim(16)
        >>> claim.mixed, claim.as_states, claim.as_bits
        (16384.0, 4.0, 4096.0)
    """

    n: int
    mixed: float
    as_states: float
    as_bits: float


def energy_claim(n: int) -> EnergyClaim:
    """Work out the claimed ratio for n, and what it is when n means the same on both sides.

    As states: a search looks at n of them, an address takes log2 n steps. As bits: a search looks at 2^n states, and
    the address of one has n bits.

    Raises:
        SpecError: n outside of 2 to 1,000.
    """
    if not 2 <= n <= 1000:
        raise SpecError(f"energy_claim({n}): give 2 to 1,000")
    return EnergyClaim(n, 2.0**n / math.log2(n), n / math.log2(n), 2.0**n / n)
