"""Compiled SHA-256d of 80-byte headers: many at once, and a scan over a range of counters (FIPS 180-4).

numba promotes sums of 32-bit numbers to 64 bits, and a rotation of what it then holds is wrong in silence. So every sum
and every shift passes through `W`, which cuts it back to 32 bits; without compilation `W` masks a whole number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.kernel.compiled import JIT, jit

Words = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]

if JIT:
    W: Any = np.uint32
else:

    def W(value: Any) -> Any:  # noqa: N802
        """Cut a whole number to 32 bits."""
        return int(value) & 0xFFFFFFFF


def _primes(count: int) -> list[int]:
    found: list[int] = []
    n = 2
    while len(found) < count:
        if all(n % p for p in found):
            found.append(n)
        n += 1
    return found


def _root_bits(value: int, power: int) -> int:
    """Return the first 32 bits of the fraction of a root, exactly, by bisection on whole numbers."""
    low, high = 0, value << 32
    goal = value << (32 * power)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**power <= goal else (low, middle)
    return low & 0xFFFFFFFF


# FIPS 180-4, 4.2.2 and 5.3.3: cube roots of the first 64 primes, square roots of the first 8.
K: Words = np.array([_root_bits(p, 3) for p in _primes(64)], np.uint32)
INITIAL: Words = np.array([_root_bits(p, 2) for p in _primes(8)], np.uint32)


@jit
def compress(state: Words, w: Words) -> None:
    """Run the 64 rounds on a block of 16 words in `w` (64 long, the rest is scratch); `state` is changed."""
    for t in range(16, 64):
        x = W(w[t - 15])
        y = W(w[t - 2])
        small0 = W((x >> 7) | (x << 25)) ^ W((x >> 18) | (x << 14)) ^ W(x >> 3)
        small1 = W((y >> 17) | (y << 15)) ^ W((y >> 19) | (y << 13)) ^ W(y >> 10)
        w[t] = W(W(W(w[t - 16]) + W(small0)) + W(W(w[t - 7]) + W(small1)))
    a, b, c, d = W(state[0]), W(state[1]), W(state[2]), W(state[3])
    e, f, g, h = W(state[4]), W(state[5]), W(state[6]), W(state[7])
    for t in range(64):
        big1 = W((e >> 6) | (e << 26)) ^ W((e >> 11) | (e << 21)) ^ W((e >> 25) | (e << 7))
        choose = W(g ^ W(e & W(f ^ g)))
        one = W(W(W(h + W(big1)) + W(choose)) + W(W(K[t]) + W(w[t])))
        big0 = W((a >> 2) | (a << 30)) ^ W((a >> 13) | (a << 19)) ^ W((a >> 22) | (a << 10))
        majority = W(W(a & b) | W(c & W(a | b)))
        two = W(W(big0) + majority)
        h, g, f = g, f, e
        e = W(d + one)
        d, c, b = c, b, a
        a = W(one + two)
    state[0] = W(W(state[0]) + a)
    state[1] = W(W(state[1]) + b)
    state[2] = W(W(state[2]) + c)
    state[3] = W(W(state[3]) + d)
    state[4] = W(W(state[4]) + e)
    state[5] = W(W(state[5]) + f)
    state[6] = W(W(state[6]) + g)
    state[7] = W(W(state[7]) + h)


@jit
def load_word(data: Bytes, at: int) -> Any:
    """Return the big-endian word at a place."""
    high = W(W(W(data[at]) << 24) | W(W(data[at + 1]) << 16))
    return W(high | W(W(W(data[at + 2]) << 8) | W(data[at + 3])))


@jit
def begin(state: Words) -> None:
    """Set a state to the initial value."""
    for i in range(8):
        state[i] = INITIAL[i]


@jit
def second_block(w: Words) -> None:
    """Write the padding of an 80-byte message behind its last four words."""
    w[4] = W(0x80000000)
    for i in range(5, 15):
        w[i] = W(0)
    w[15] = W(640)


@jit
def first_block(header: Bytes, state: Words, w: Words) -> None:
    """Work the first 64 bytes of a header into `state`."""
    begin(state)
    for i in range(16):
        w[i] = load_word(header, 4 * i)
    compress(state, w)


LANES = 16  # headers at once: vector instructions do a round of all of them


@jit
def compress_lanes(state: Any, w: Any, v: Any) -> None:
    """`compress` of `LANES` blocks side by side: `state` and `v` are (8, LANES), `w` is (64, LANES)."""
    for t in range(16, 64):
        for n in range(LANES):
            x = W(w[t - 15, n])
            y = W(w[t - 2, n])
            small0 = W((x >> 7) | (x << 25)) ^ W((x >> 18) | (x << 14)) ^ W(x >> 3)
            small1 = W((y >> 17) | (y << 15)) ^ W((y >> 19) | (y << 13)) ^ W(y >> 10)
            w[t, n] = W(W(W(w[t - 16, n]) + W(small0)) + W(W(w[t - 7, n]) + W(small1)))
    for i in range(8):
        for n in range(LANES):
            v[i, n] = state[i, n]
    for t in range(64):
        # The eight variables stand still, their names move on by one a round.
        ia, ib, ic, id_ = (64 - t) & 7, (65 - t) & 7, (66 - t) & 7, (67 - t) & 7
        ie, if_, ig, ih = (68 - t) & 7, (69 - t) & 7, (70 - t) & 7, (71 - t) & 7
        constant = K[t]
        for n in range(LANES):
            a, b, c = W(v[ia, n]), W(v[ib, n]), W(v[ic, n])
            e, f, g = W(v[ie, n]), W(v[if_, n]), W(v[ig, n])
            big1 = W((e >> 6) | (e << 26)) ^ W((e >> 11) | (e << 21)) ^ W((e >> 25) | (e << 7))
            choose = W(g ^ W(e & W(f ^ g)))
            one = W(W(W(W(v[ih, n]) + W(big1)) + W(choose)) + W(W(constant) + W(w[t, n])))
            big0 = W((a >> 2) | (a << 30)) ^ W((a >> 13) | (a << 19)) ^ W((a >> 22) | (a << 10))
            majority = W(W(a & b) | W(c & W(a | b)))
            v[id_, n] = W(W(v[id_, n]) + one)
            v[ih, n] = W(one + W(W(big0) + majority))
    for i in range(8):
        for n in range(LANES):
            state[i, n] = W(W(state[i, n]) + W(v[i, n]))


@jit
def begin_lanes(state: Any) -> None:
    """Set the states of all lanes to the initial value."""
    for i in range(8):
        for n in range(LANES):
            state[i, n] = INITIAL[i]


@jit
def pad_lanes(w: Any, used: int, bits: int) -> None:
    """Write the padding of a message behind the last words of each lane."""
    for i in range(used, 16):
        for n in range(LANES):
            w[i, n] = W(0)
    for n in range(LANES):
        w[used, n] = W(0x80000000)
        w[15, n] = W(bits)


@jit
def hash_many(headers: Bytes, out: Bytes) -> None:
    """Double hash of each row of 80 bytes; where the rows of a group begin alike they share one midstate."""
    middle = np.empty(8, np.uint32)
    single = np.empty(64, np.uint32)
    state = np.empty((8, LANES), np.uint32)
    v = np.empty((8, LANES), np.uint32)
    w = np.empty((64, LANES), np.uint32)
    count = len(headers)
    known = False  # whether `middle` is that of the row before this group
    for first in range(0, count, LANES):
        alike = True
        before = first - 1 if known else first
        for n in range(first, min(first + LANES, count)):
            for i in range(64):
                if headers[n, i] != headers[before, i]:
                    alike = False
                    break
            if not alike:
                break
        if alike:
            if not known:
                first_block(headers[first], middle, single)
            for i in range(8):
                for n in range(LANES):
                    state[i, n] = middle[i]
        else:
            begin_lanes(state)
            for n in range(LANES):
                row = min(first + n, count - 1)
                for i in range(16):
                    w[i, n] = load_word(headers[row], 4 * i)
            compress_lanes(state, w, v)
            last = min(LANES, count - first) - 1
            for i in range(8):
                middle[i] = state[i, last]
        known = True
        for n in range(LANES):
            row = min(first + n, count - 1)
            for i in range(4):
                w[i, n] = load_word(headers[row], 64 + 4 * i)
        pad_lanes(w, 4, 640)
        compress_lanes(state, w, v)
        for i in range(8):
            for n in range(LANES):
                w[i, n] = state[i, n]
        pad_lanes(w, 8, 256)
        begin_lanes(state)
        compress_lanes(state, w, v)
        for n in range(min(LANES, count - first)):
            for i in range(8):
                word = W(state[i, n])
                out[first + n, 4 * i] = W(word >> 24)
                out[first + n, 4 * i + 1] = W(word >> 16) & 255
                out[first + n, 4 * i + 2] = W(word >> 8) & 255
                out[first + n, 4 * i + 3] = word & 255


@jit
def swap(word: Any) -> Any:
    """Reverse the bytes of a word."""
    high = W(W(word << 24) | W(W(word & 0xFF00) << 8))
    return W(high | W(W(W(word >> 8) & 0xFF00) | W(word >> 24)))


@jit
def leading_zeros(digest: Any, lane: int) -> int:
    """Count the zero bits at the top of a lane's hash as a number, whose top byte is the last one of the digest."""
    zeros = 0
    for i in range(7, -1, -1):
        word = swap(W(digest[i, lane]))
        if word == 0:
            zeros += 32
            continue
        for bit in range(31, -1, -1):
            if (word >> bit) & 1:
                return zeros
            zeros += 1
    return zeros


@jit
def scan_range(
    middle: Words,
    tail: Words,
    starts: Any,
    step: int,
    count: int,
    big_endian: bool,
    zero_bits: int,
    places: Any,
    digests: Words,
) -> int:
    """Hash `count` counters start, start + step, ... from each start; note those with enough zero bits, return how many.

    The counter is the last word of the header, read as the chip does (`big_endian`) or as the header says. A place is
    the number of the start times `count` plus that of the counter. What exceeds the room of `places` is counted and not
    noted.
    """
    state = np.empty((8, LANES), np.uint32)
    v = np.empty((8, LANES), np.uint32)
    w = np.empty((64, LANES), np.uint32)
    found = 0
    total = len(starts) * count
    for first in range(0, total, LANES):
        for i in range(8):
            for n in range(LANES):
                state[i, n] = middle[i]
        for i in range(3):
            for n in range(LANES):
                w[i, n] = tail[i]
        for n in range(LANES):
            place = min(first + n, total - 1)
            word = W(starts[place // count] + place % count * step)
            w[3, n] = word if big_endian else swap(word)
        pad_lanes(w, 4, 640)
        compress_lanes(state, w, v)
        for i in range(8):
            for n in range(LANES):
                w[i, n] = state[i, n]
        pad_lanes(w, 8, 256)
        begin_lanes(state)
        compress_lanes(state, w, v)
        for n in range(min(LANES, total - first)):
            if leading_zeros(state, n) >= zero_bits:
                if found < len(places):
                    places[found] = first + n
                    for i in range(8):
                        digests[found, i] = state[i, n]
                found += 1
    return found
