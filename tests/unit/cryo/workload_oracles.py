"""What the workloads compute, with NumPy: the same inputs, other algorithms where there are any."""

from __future__ import annotations

import numpy as np

WORD = np.uint64
SEED = 1


def draws(stream, numbers):
    """SplitMix64: draw `numbers` of a stream."""
    with np.errstate(over="ignore"):
        z = WORD((stream << 32) + SEED) + (np.asarray(numbers, WORD) + WORD(1)) * WORD(0x9E3779B97F4A7C15)
        z = (z ^ (z >> WORD(30))) * WORD(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> WORD(27))) * WORD(0x94D049BB133111EB)
    return z ^ (z >> WORD(31))


def reals(stream, numbers):
    return (draws(stream, numbers) >> WORD(11)).astype(float) * 2.0**-53


def weighted(values):
    """Sum of (i + 1) * value[i], modulo 2^64 for whole numbers."""
    values = np.asarray(values).ravel()
    if values.dtype.kind == "i":
        return sum((i + 1) * int(v) for i, v in enumerate(values)) % 2**64
    return float(np.arange(1, len(values) + 1) @ values)


# ---------------------------------------------------------------------------------------------- graphs


def scramble(v, scale):
    mask, shift = WORD((1 << scale) - 1), WORD((scale + 1) // 2)
    v = (v * WORD(0x9E3779B1) + WORD(0x7F4A7C15)) & mask
    v ^= v >> shift
    v = (v * WORD(0x85EBCA6B)) & mask
    return v ^ (v >> shift)


def edges(scale, degree, graph):
    count = degree << scale
    if graph == "uniform":
        bits = draws(1, np.arange(count))
        mask = WORD((1 << scale) - 1)
        return (bits & mask).astype(int), (bits >> WORD(32) & mask).astype(int)
    part = (draws(1, np.arange(count * scale)) >> WORD(40)).reshape(count, scale).astype(int)
    p = (np.array([0.57, 0.76, 0.95]) * 2**24).round().astype(int)
    place = WORD(1) << np.arange(scale)[::-1].astype(WORD)
    u = ((part >= p[1]) * place).sum(1, dtype=WORD)
    v = (((part >= p[0]) & (part < p[1]) | (part >= p[2])) * place).sum(1, dtype=WORD)
    return scramble(u, scale).astype(int), scramble(v, scale).astype(int)


def adjacency(scale, degree, graph):
    """Which nodes are neighbours, as a square of truth values."""
    n = 1 << scale
    matrix = np.zeros((n, n), bool)
    u, v = edges(scale, degree, graph)
    matrix[u, v] = matrix[v, u] = True
    np.fill_diagonal(matrix, False)
    return matrix


def sources(matrix, count):
    n = len(matrix)
    found = []
    for k in range(count):
        u = int(draws(3, k)) % n
        while not matrix[u].any():
            u = (u + 1) % n
        found.append(u)
    return found


def depths(matrix, root):
    depth = np.full(len(matrix), -1)
    front = np.zeros(len(matrix), bool)
    front[root] = True
    level = 0
    while front.any():
        depth[front] = level
        front = matrix[front].any(0) & (depth < 0)
        level += 1
    return depth


def components(matrix):
    """The least node that each node is connected with."""
    label = np.arange(len(matrix))
    while True:
        least = np.where(matrix, label[None, :], len(matrix)).min(1)
        fresh = np.minimum(label, least)
        if (fresh == label).all():
            return label
        label = fresh


def ranks(matrix, iterations):
    n, degree = len(matrix), matrix.sum(0)
    step = matrix / np.maximum(degree, 1)
    rank = np.full(n, 1 / n)
    for _ in range(iterations):
        rank = 0.15 / n + 0.85 * (step @ rank)
    return rank


def distances(matrix, root):
    """Bellman and Ford."""
    n = len(matrix)
    u, v = np.minimum.outer(range(n), range(n)), np.maximum.outer(range(n), range(n))
    weights = (draws(2, u * n + v) % WORD(255)).astype(int) + 1
    reach = np.where(matrix, weights, 1 << 30)
    found = np.full(n, 1 << 30)
    found[root] = 0
    while True:
        fresh = np.minimum(found, (found[:, None] + reach).min(0))
        if (fresh == found).all():
            return found
        found = fresh


def triangles(matrix):
    square = matrix.astype(np.int64)
    return int(np.trace(square @ square @ square)) // 6


# ---------------------------------------------------------------------------------------------- numbers


def sparse_matrix(rows, pairs):
    matrix = 4.0 * pairs * np.eye(rows)
    k = np.arange(rows * pairs)
    i, j = k // pairs, (draws(1, k) >> WORD(32) & WORD(0x7FFFFFFF)).astype(int) % rows
    entry = reals(2, k)
    np.add.at(matrix, (i, j), entry)
    np.add.at(matrix, (j, i), entry)
    return matrix


def keys(count, limit, turns):
    parts = (draws(1, np.arange(4 * count)) >> WORD(40)).reshape(count, 4).sum(1, dtype=WORD)
    key = (parts * WORD(limit) >> WORD(26)).astype(int)
    for turn in range(turns):
        key[turn], key[turn + turns] = turn % limit, limit - 1 - turn % limit
    return key


def heat(log_side, steps):
    """Check sums of the field after each step."""
    n = 1 << log_side
    parts = reals(1, np.arange(2 * n**3))
    field = np.fft.fftn((parts[::2] + 1j * parts[1::2]).reshape(n, n, n))
    wave = np.fft.fftfreq(n, 1 / n) ** 2
    square = wave[:, None, None] + wave[None, :, None] + wave[None, None, :]
    found = []
    for step in range(1, steps + 1):
        after = np.fft.ifftn(field * np.exp(-4 * np.pi**2 * 1e-4 * square * step)).ravel()
        found.append(np.arange(1, n**3 + 1) @ after)
    return found


def potential(log_side):
    """The exact solution of the differences, by Fourier transforms; its mean is zero."""
    n = 1 << log_side
    charge = np.zeros(n**3)
    for k in range(20):
        charge[int(draws(1, k)) % n**3] += 1 if k < 10 else -1
    wave = 2 - 2 * np.cos(2 * np.pi * np.arange(n) / n)
    eigenvalue = wave[:, None, None] + wave[None, :, None] + wave[None, None, :]
    eigenvalue[0, 0, 0] = np.inf
    return np.fft.ifftn(np.fft.fftn(charge.reshape(n, n, n)) / eigenvalue).real


def chase_ends(lines, steps, chains):
    following = list(range(lines))
    for i in range(lines - 1, 0, -1):
        j = int(draws(1, i)) % i
        following[i], following[j] = following[j], following[i]
    cycle = [0]
    while (after := following[cycle[-1]]) != 0:
        cycle.append(after)
    assert len(cycle) == lines  # one cycle through all of them
    starts = range(0, chains * (lines // chains), lines // chains)
    return sum((k + 1) * cycle[(start + steps) % lines] for k, start in enumerate(starts))
