"""Compiled loops of the fixed-point part: casts, floats to raws, products, and dot products with a cast at each step.

A cast comes as the array `words` that `_cast` works out: see the `W_` places below. All numbers are int64, and the
caller has proved that nothing leaves it. The loops are kept apart by overflow, because a branch inside them would
keep the compiler from using vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.kernel.compiled import jit

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[Any]  # float32 or float64

# places in `words`
W_LEFT = 0  # bits to shift left
W_DROP = 1  # bits to drop
W_C0 = 2  # addend of the rounding
W_C1 = 3  # further addend of negative numbers
W_C2 = 4  # 1: further addend 1 where the truncated number is odd
W_MODE = 5  # overflow: one of the four below
W_LOW = 6  # least raw that a cast gives
W_HIGH = 7  # greatest raw
W_MASK = 8  # 2**width - 1
W_SIGN = 9  # 2**(width - 1) of signed words, else 0
W_WIDTH = 10
W_N = 11  # saturation bits
WORDS = 12

CLIP = 0  # SAT and SAT_SYM
ZERO = 1  # SAT_ZERO
WRAP = 2  # WRAP without saturation bits
OTHER = 3  # WRAP with saturation bits
MAGNITUDE = 4  # WRAP_SM

HUGE = 2.0**62


@jit
def round_one(s: Any, drop: Any, c0: Any, c1: Any, c2: Any) -> Any:
    """Drop bits with rounding."""
    return (s + c0 + (c1 & (s >> 63)) + (c2 & (s >> drop))) >> drop


@jit
def wrap_one(r: Any, t: Any, w: Ints) -> Any:
    """Bring one rounded number into range by WRAP with saturation bits or WRAP_SM; `t` is the number truncated."""
    if w[W_LOW] <= r <= w[W_HIGH]:
        return r
    width, n, sign = w[W_WIDTH], w[W_N], (r >> 63) & 1
    if w[W_MODE] == OTHER:
        kept = r & ((1 << (width - n)) - 1)
        ones = ((1 << (n - 1)) - 1) << (width - n)
        if w[W_SIGN] == 0:
            return kept | ones | (1 << (width - 1))
        return kept - w[W_SIGN] if sign else kept + ones
    if n == 0:
        sign = (t >> width) & 1
        flip = sign ^ ((r >> (width - 1)) & 1)
    elif n == 1:
        flip = sign ^ ((r >> (width - 1)) & 1)
    else:
        flip = 1 - (sign ^ ((r >> (width - n)) & 1))
    below = (r ^ -flip) & ((1 << (width - 1)) - 1)
    if n > 1:
        below &= (1 << (width - n)) - 1
        if sign == 0:
            below += ((1 << (n - 1)) - 1) << (width - n)
    return below - w[W_SIGN] if sign else below


@jit
def cast_numbers(v: Ints, out: Ints, w: Ints) -> None:
    """Cast every number of `v` into `out`."""
    left, drop, c0, c1, c2 = w[W_LEFT], w[W_DROP], w[W_C0], w[W_C1], w[W_C2]
    mode, low, high, mask, sign = w[W_MODE], w[W_LOW], w[W_HIGH], w[W_MASK], w[W_SIGN]
    if mode == CLIP:
        for i in range(v.size):
            r = round_one(v[i] << left, drop, c0, c1, c2)
            out[i] = min(max(r, low), high)
    elif mode == ZERO:
        for i in range(v.size):
            r = round_one(v[i] << left, drop, c0, c1, c2)
            out[i] = r if low <= r <= high else 0
    elif mode == WRAP:
        for i in range(v.size):
            r = round_one(v[i] << left, drop, c0, c1, c2)
            out[i] = ((r & mask) ^ sign) - sign
    else:
        for i in range(v.size):
            s = v[i] << left
            out[i] = wrap_one(round_one(s, drop, c0, c1, c2), s >> drop, w)


@jit
def clip_floats(x: Reals, out: Any, scale: Any, up: Any, even: int, low: Any, high: Any, limit: Any) -> bool:
    """Floats to raws of at most 32 bits by SAT or SAT_SYM; return whether all of them were finite.

    The magnitude is rounded up where its fraction exceeds `up[0]` for positive, `up[1]` for negative numbers, and
    where `even` is 1 on a tie with an odd last bit. The fraction of a magnitude is exact in floating point; that of
    a negative number is not.
    """
    positive, negative = up[0], up[1]
    fine = True
    for i in range(x.size):
        fine &= abs(x[i]) <= limit
        y = min(max(x[i] * scale, low), high)
        a = abs(y)
        whole = np.floor(a)
        fraction = a - whole
        r = np.int32(whole)
        above = fraction > (negative if y < 0 else positive)
        r += np.int32(above | ((fraction + fraction == 1) & ((r & even) != 0)))
        out[i] = -r if y < 0 else r
    return fine


@jit
def round_float(y: Any, a: Any, positive: Any, negative: Any, even: int) -> Any:
    """Round one float of magnitude `a` below 2**62 as above."""
    whole = np.floor(a)
    fraction = a - whole
    r = np.int64(whole)
    above = fraction > (negative if y < 0 else positive)
    r += np.int64(above | ((fraction + fraction == 1) & ((r & even) != 0)))
    return -r if y < 0 else r


@jit
def cast_floats(x: Reals, out: Any, scale: Any, up: Any, even: int, w: Ints) -> bool:
    """Floats to raws by any mode; return whether all were below 2**62 lsb, else `out` holds rubbish in places."""
    mode, low, high, mask, sign = w[W_MODE], w[W_LOW], w[W_HIGH], w[W_MASK], w[W_SIGN]
    positive, negative = up[0], up[1]
    fine = True
    if mode == CLIP:
        for i in range(x.size):
            y = x[i] * scale
            fine &= abs(y) < HUGE
            a = abs(y) if abs(y) < HUGE else 0.0
            out[i] = min(max(round_float(y, a, positive, negative, even), low), high)
    elif mode == WRAP:
        for i in range(x.size):
            y = x[i] * scale
            fine &= abs(y) < HUGE
            a = abs(y) if abs(y) < HUGE else 0.0
            out[i] = ((round_float(y, a, positive, negative, even) & mask) ^ sign) - sign
    elif mode == ZERO:
        for i in range(x.size):
            y = x[i] * scale
            fine &= abs(y) < HUGE
            a = abs(y) if abs(y) < HUGE else 0.0
            r = round_float(y, a, positive, negative, even)
            out[i] = r if low <= r <= high else 0
    else:
        for i in range(x.size):
            y = x[i] * scale
            fine &= abs(y) < HUGE
            y = y if abs(y) < HUGE else 0.0
            out[i] = wrap_one(round_float(y, abs(y), positive, negative, even), np.int64(np.floor(y)), w)
    return fine


@jit
def copy_numbers(x: Any, out: Any) -> None:
    """Copy between integers and floats that hold the same numbers, faster than NumPy does."""
    for i in range(x.size):
        out[i] = x[i]


@jit
def multiply(a: Ints, b: Ints, out: Ints) -> None:
    """Matrix product (M,K) x (K,N) added to `out`, exact where no partial sum leaves int64."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            x = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += x * b[k, j]


@jit
def multiply_steps(a: Ints, b: Ints, out: Ints, product_shift: int, sum_shift: int, w: Ints) -> None:
    """Matrix product added to `out` term by term in index order, with a cast of the sum after each."""
    drop, c0, c1, c2 = w[W_DROP], w[W_C0], w[W_C1], w[W_C2]
    mode, low, high, mask, sign = w[W_MODE], w[W_LOW], w[W_HIGH], w[W_MASK], w[W_SIGN]
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            x = a[i, k] << product_shift
            if mode == CLIP:
                for j in range(b.shape[1]):
                    r = round_one((out[i, j] << sum_shift) + x * b[k, j], drop, c0, c1, c2)
                    out[i, j] = min(max(r, low), high)
            elif mode == WRAP:
                for j in range(b.shape[1]):
                    r = round_one((out[i, j] << sum_shift) + x * b[k, j], drop, c0, c1, c2)
                    out[i, j] = ((r & mask) ^ sign) - sign
            elif mode == ZERO:
                for j in range(b.shape[1]):
                    r = round_one((out[i, j] << sum_shift) + x * b[k, j], drop, c0, c1, c2)
                    out[i, j] = r if low <= r <= high else 0
            else:
                for j in range(b.shape[1]):
                    s = (out[i, j] << sum_shift) + x * b[k, j]
                    out[i, j] = wrap_one(round_one(s, drop, c0, c1, c2), s >> drop, w)
