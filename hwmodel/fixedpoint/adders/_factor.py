"""Factoring: columns that differ little are built from one another.

A minimum spanning tree joins the columns, and a zero column as its root; the length of an edge is the number of
digits of the difference (or the sum) of two columns. The differences along the edges form M1, and which of them make
up each column forms M2, so that W = M1 @ M2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.fixedpoint.adders._csd import csd_count

Exact = npt.NDArray[Any]  # Python ints


def factor(weights: Exact, percent: int = 100) -> tuple[Exact, Exact] | None:
    """Split W into M1 @ M2 along the spanning tree, or give None where columns help each other too little.

    Parameters:
        weights: Python ints, inputs by outputs.
        percent: of the digits of W that the differences may have at most.
    """
    outputs = weights.shape[1]
    if outputs < 2 or not fits(weights):
        return None
    W = weights.astype(np.int64)
    zero = np.array([csd_count(W[:, j]) for j in range(outputs)])
    nearest, parent, sign = zero.copy(), np.full(outputs, -1), np.ones(outputs, np.int64)
    edges = np.zeros_like(W)
    paths = np.zeros((outputs, outputs), np.int64)
    left = set(range(outputs))
    while left:
        j = min(left, key=lambda k: (nearest[k], k))
        left.remove(j)
        edges[:, j] = W[:, j] if parent[j] < 0 else W[:, j] - sign[j] * W[:, parent[j]]
        paths[j, j] = 1
        if parent[j] >= 0:
            paths[:, j] += sign[j] * paths[:, parent[j]]
        for k in left:
            for s in (1, -1):
                digits = digit_count(W[:, k] - s * W[:, j]) + 1
                if digits < nearest[k]:
                    nearest[k], parent[k], sign[k] = digits, j, s
    if (parent < 0).all() or 100 * nearest.sum() > percent * zero.sum():
        return None
    used = [j for j in range(outputs) if edges[:, j].any()]
    return edges[:, used].astype(object), paths[used].astype(object)


def fits(weights: Exact) -> bool:
    """Tell whether differences and their triples fit int64, in which the digits are counted."""
    return all(abs(int(value)) < 1 << 60 for value in weights.ravel())


def digit_count(values: npt.NDArray[np.int64]) -> int:
    """Count canonical signed digits."""
    return int(np.bitwise_count((values ^ (3 * values)).view(np.uint64)).sum())
