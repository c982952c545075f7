"""The compiled search that packs weighted bits into lookup tables.

A group is one table: up to `slots` distinct input bits, each with an integer coefficient. Its output is the sum of the
coefficients of the bits that are set, less the smallest such sum, without the trailing zeros that all coefficients
share. It is as many bits wide as its largest value needs, and each of these bits costs one LUT. The search moves
coefficients, or parts of them, between groups so that the sum over all groups stays what it is, and keeps the best
state it has seen. Its random numbers come from a small generator of its own, so a run can be repeated anywhere.

A group is a row of `keys` (which bit, from 0) and of `coefs`, of which the first `fill` entries are valid.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hwmodel.kernel import jit

Ints = npt.NDArray[np.int64]

MODULUS = 2_147_483_647  # of the multiplicative generator x -> 48271 x
MULTIPLIER = 48_271
SLOPE = (
    0.2  # LUTs a doubling of a table's range is worth, so that the search feels its way between whole bits
)


@jit
def table_bits(coefs: Ints, count: int) -> int:
    """Return how many bits the output of a table of `count` coefficients has."""
    total = np.int64(0)
    seen = np.int64(0)
    for k in range(count):
        total += abs(coefs[k])
        seen |= abs(coefs[k])
    if total == 0:
        return 0
    while seen & 1 == 0:
        seen >>= 1
        total >>= 1
    bits = 0
    while total > 0:
        bits += 1
        total >>= 1
    return bits


@jit
def table_energy(coefs: Ints, count: int) -> float:
    """Return the table's bits plus a small part that grows with its range."""
    total = np.int64(0)
    seen = np.int64(0)
    for k in range(count):
        total += abs(coefs[k])
        seen |= abs(coefs[k])
    if total == 0:
        return 0.0
    while seen & 1 == 0:
        seen >>= 1
        total >>= 1
    bits = 0
    value = total
    while value > 0:
        bits += 1
        value >>= 1
    return bits + SLOPE * math.log2(float(total))


@jit
def part_of(value: int, draw: int) -> int:
    """Return a part of a coefficient that may move alone: all of it, its low digits, or its high digits."""
    if draw % 3 == 0:
        return value
    bits = 0
    rest = abs(value)
    low = 0
    while rest & 1 == 0:
        rest >>= 1
        low += 1
    while rest > 0:
        bits += 1
        rest >>= 1
    if bits < 2:
        return value
    cut = low + 1 + (draw // 3) % (bits - 1)
    unit = 1 << cut
    below = value % unit
    if below > unit >> 1 or (below == unit >> 1 and (draw // 977) % 2 == 0):
        below -= unit
    return below if draw % 3 == 1 else value - below


@jit
def add_to(keys: Ints, coefs: Ints, count: int, key: int, value: int, slots: int) -> int:
    """Add a coefficient of a bit to a group; return its new count, or -1 where no slot is free."""
    for k in range(count):
        if keys[k] == key:
            coefs[k] += value
            if coefs[k] == 0:
                count -= 1
                keys[k] = keys[count]
                coefs[k] = coefs[count]
            return count
    if count == slots:
        return -1
    keys[count] = key
    coefs[count] = value
    return count + 1


@jit
def pack(keys: Ints, coefs: Ints, fill: Ints, steps: int, hot: float, cold: float, seed: int) -> int:
    """Lower the bits of all groups in place by simulated annealing; return the best number of bits."""
    groups, slots = keys.shape
    energy = np.zeros(groups)
    bits = np.zeros(groups, np.int64)
    for g in range(groups):
        energy[g] = table_energy(coefs[g], fill[g])
        bits[g] = table_bits(coefs[g], fill[g])
    best_keys, best_coefs, best_fill = keys.copy(), coefs.copy(), fill.copy()
    total = bits.sum()
    best = total
    ka, kb = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    ca, cb = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    state = seed % (MODULUS - 1) + 1
    cooling = (cold / hot) ** (1.0 / max(steps, 1))
    temperature = hot
    for _ in range(steps):
        temperature *= cooling
        state = state * MULTIPLIER % MODULUS
        a = state % groups
        state = state * MULTIPLIER % MODULUS
        b = state % groups
        state = state * MULTIPLIER % MODULUS
        draw = state
        if a == b or fill[a] == 0:
            continue
        na, nb = fill[a], fill[b]
        for k in range(slots):
            ka[k], ca[k], kb[k], cb[k] = keys[a, k], coefs[a, k], keys[b, k], coefs[b, k]
        i = draw % na
        key, value = ka[i], ca[i]
        draw //= slots
        swap = draw % 2 == 0 and nb > 0
        draw //= 2
        if swap:
            j = draw % nb
            other_key, other = kb[j], cb[j]
            na = add_to(ka, ca, na, key, -value, slots)
            nb = add_to(kb, cb, nb, other_key, -other, slots)
            na = add_to(ka, ca, na, other_key, other, slots)
            nb = add_to(kb, cb, nb, key, value, slots)
        else:
            part = part_of(value, draw)
            if part == 0:
                continue
            nb = add_to(kb, cb, nb, key, part, slots)
            if nb < 0:
                continue
            na = add_to(ka, ca, na, key, -part, slots)
        ea, eb = table_energy(ca, na), table_energy(cb, nb)
        change = ea + eb - energy[a] - energy[b]
        if change > 0:
            state = state * MULTIPLIER % MODULUS
            if state > math.exp(-change / temperature) * MODULUS:
                continue
        energy[a], energy[b] = ea, eb
        total -= bits[a] + bits[b]
        bits[a], bits[b] = table_bits(ca, na), table_bits(cb, nb)
        total += bits[a] + bits[b]
        fill[a], fill[b] = na, nb
        for k in range(slots):
            keys[a, k], coefs[a, k], keys[b, k], coefs[b, k] = ka[k], ca[k], kb[k], cb[k]
        if total < best:
            best = total
            best_keys[:], best_coefs[:], best_fill[:] = keys, coefs, fill
    keys[:], coefs[:], fill[:] = best_keys, best_coefs, best_fill
    return best
