"""SHA-256 as PyRTL: its constants, the adders, a round, and ranks of registers that do the rounds.

Source of the algorithm: FIPS PUB 180-4, sections 4.1.2, 4.2.2, 5.3.3 and 6.2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import pyrtl

Wire = Any  # a pyrtl.WireVector; PyRTL has no types
Add = Callable[..., Wire]

__all__ = ["ADDERS", "INITIAL", "ROUND_CONSTANTS", "Phase", "Rank", "expand", "ranks", "sha_round"]

WORD = 32


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _cube_root(number: int) -> int:
    """Largest whole number whose cube is not above `number`."""
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle)
    return low


INITIAL = tuple(isqrt(p << 64) & 0xFFFFFFFF for p in _primes(8))
"""First hash value: the first 32 bits after the point of the square roots of the first 8 primes."""

ROUND_CONSTANTS = tuple(_cube_root(p << 96) & 0xFFFFFFFF for p in _primes(64))
"""K of the 64 rounds: likewise of the cube roots of the first 64 primes."""


# ----------------------------------------------------------------------------------------------- adders


def add_plain(*words: Wire) -> Wire:
    """Sum modulo 2**32 as a chain of `+`, which synthesis turns into carry chains as it likes."""
    total = words[0]
    for word in words[1:]:
        total = (total + word)[:WORD]
    return total


def _two_words(words: Sequence[Wire]) -> list[Wire]:
    """Carry-save adders: three words become two of the same sum, until two are left."""
    left = list(words)
    while len(left) > 2:
        kept = []
        for n in range(0, len(left) - 2, 3):
            x, y, z = left[n : n + 3]
            carry = (x & y) | (z & (x | y))
            kept += [x ^ y ^ z, _shifted(carry, 1)]
        left = kept + left[len(left) - len(left) % 3 :]
    return left


def _shifted(word: Wire, places: int) -> Wire:
    return pyrtl.concat(word[: WORD - places], pyrtl.Const(0, places))


def add_prefix(*words: Wire) -> Wire:
    """Carry-save adders, then a parallel-prefix adder (Kogge and Stone, IEEE Trans. Comput. C-22, 1973)."""
    x, y = _two_words(words)
    half = x ^ y
    generate, propagate = x & y, half
    places = 1
    while places < WORD:
        generate = generate | (propagate & _shifted(generate, places))
        if places * 2 < WORD:
            propagate = propagate & _shifted(propagate, places)
        places *= 2
    return half ^ _shifted(generate, 1)


def add_ripple(*words: Wire) -> Wire:
    """Carry-save adders, then a carry that ripples through all 32 places."""
    x, y = _two_words(words)
    half, both = x ^ y, x & y
    carries = [pyrtl.Const(0, 1)]
    for n in range(WORD - 1):
        carries.append(both[n] | (half[n] & carries[-1]))
    return half ^ pyrtl.concat_list(carries)


ADDERS: dict[str, Add] = {"plain": add_plain, "prefix": add_prefix, "ripple": add_ripple}


# ----------------------------------------------------------------------------------------------- a round


def _rotated(word: Wire, places: int) -> Wire:
    return pyrtl.concat(word[:places], word[places:])


def _dropped(word: Wire, places: int) -> Wire:
    return pyrtl.concat(pyrtl.Const(0, places), word[places:])


def sha_round(state: Sequence[Wire], word: Wire, constant: Wire, add: Add = add_plain) -> list[Wire]:
    """The eight words after one round.

    Parameters:
        state: words a to h.
        word: of the message schedule.
        constant: of the round.
        add: sums words modulo 2**32.
    """
    a, b, c, d, e, f, g, h = state
    spread_e = _rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)
    spread_a = _rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)
    choice = g ^ (e & (f ^ g))
    majority = (a & b) | (c & (a | b))
    terms = (h, constant, word, choice, spread_e)
    if add is add_plain:
        first = add(*terms)
        return [add(first, spread_a, majority), a, b, c, add(d, first), e, f, g]
    # A sum of its own for each word: a carry-save adder costs less time than waiting for another sum.
    return [add(*terms, spread_a, majority), a, b, c, add(*terms, d), e, f, g]


def expand(window: Sequence[Wire], add: Add = add_plain) -> Wire:
    """The word of the schedule that follows a window of 16."""
    early, late = window[1], window[14]
    small = _rotated(early, 7) ^ _rotated(early, 18) ^ _dropped(early, 3)
    large = _rotated(late, 17) ^ _rotated(late, 19) ^ _dropped(late, 10)
    return add(window[0], small, window[9], large)


# ----------------------------------------------------------------------------------------------- ranks


@dataclass(frozen=True)
class Phase:
    """Where the ranks stand in the rounds that each of them does.

    Attributes:
        steps: clocks that a word spends in a rank.
        count: 0 to steps - 1; None where steps is 1.
        last: 1 in the last of them, at whose end the words move on.
    """

    steps: int
    count: Wire | None
    last: Wire


@dataclass
class Rank:
    """What enters or leaves a rank of registers: words and flags.

    Attributes:
        state: words a to h.
        window: up to 16 words of the schedule.
        extra: words that are only carried along.
        flags: bits that are carried along, and cleared by a kill.
    """

    state: list[Wire]
    window: list[Wire]
    extra: list[Wire]
    flags: list[Wire]


def ranks(
    name: str,
    first: Rank,
    count: int,
    chained: int,
    phase: Phase,
    kill: Wire,
    add: Add = add_plain,
    still: frozenset[Any] = frozenset(),
) -> Rank:
    """Do the 64 rounds in ranks of registers; return what leaves the last one, before any register.

    Parameters:
        name: first part of the names of registers.
        first: what enters, taken at the end of the phase.
        count: number of ranks; count * chained * steps of the phase is 64.
        chained: rounds between two ranks of registers.
        phase: common to all ranks.
        kill: clears the flags.
        add: sums words.
        still: wires that keep their value while anything depends on it, and need no registers.
    """
    carried = first
    for number in range(count):
        carried = _rank(
            f"{name}{number}", carried, number * chained * phase.steps, chained, phase, kill, add, still
        )
    return carried


def _rank(
    name: str,
    given: Rank,
    begin: int,
    chained: int,
    phase: Phase,
    kill: Wire,
    add: Add,
    still: frozenset[Any],
) -> Rank:
    rolled = phase.count is not None
    held = Rank(
        [_hold(f"{name}_{'abcdefgh'[n]}", w, rolled, still) for n, w in enumerate(given.state)],
        [_hold(f"{name}_w{n}", w, rolled, still) for n, w in enumerate(given.window)],
        [_hold(f"{name}_x{n}", w, False, still) for n, w in enumerate(given.extra)],
        [pyrtl.Register(1, f"{name}_flag{n}", reset_value=0) for n in range(len(given.flags))],
    )
    state, window = held.state, held.window
    for n in range(chained):
        constant = round_constant(f"{name}_k{n}", begin + n, chained, phase)
        state = sha_round(state, window[0], constant, add)
        more = [expand(window, add)] if rolled or begin + n + 16 < 64 else []
        window = [*window[1:], *more]
    if rolled:
        loops = [*state, *window]
        for register, loop, entering in zip(
            [*held.state, *held.window], loops, [*given.state, *given.window], strict=True
        ):
            register.next <<= pyrtl.select(phase.last, entering, loop)
    for register, entering in zip(held.extra, given.extra, strict=True):
        if rolled and isinstance(register, pyrtl.Register) and register is not entering:
            register.next <<= pyrtl.select(phase.last, entering, register)
    for register, entering in zip(held.flags, given.flags, strict=True):
        moved = pyrtl.select(phase.last, entering, register) if rolled else entering
        register.next <<= moved & ~kill
    if not rolled:
        _load(held, given)
    return Rank(state, window, held.extra, held.flags)


def _hold(name: str, given: Wire, rolled: bool, still: frozenset[Any]) -> Wire:
    """A register for a word; none where a pipelined word never changes while it is needed."""
    if not rolled and (isinstance(given, pyrtl.Const) or given in still):
        return given
    return pyrtl.Register(WORD, name)


def _load(held: Rank, given: Rank) -> None:
    for register, entering in zip(
        [*held.state, *held.window, *held.extra], [*given.state, *given.window, *given.extra], strict=True
    ):
        if register is not entering:
            register.next <<= entering


def round_constant(name: str, begin: int, chained: int, phase: Phase, rounds: int = 64) -> Wire:
    """The constant of round begin + chained * phase, from a table where the phase runs."""
    if phase.count is None:
        return pyrtl.Const(ROUND_CONSTANTS[begin % 64], WORD)
    table = [ROUND_CONSTANTS[(begin + chained * n) % rounds] for n in range(phase.steps)]
    width = len(phase.count)
    table += [0] * ((1 << width) - len(table))
    return pyrtl.RomBlock(WORD, width, table, name=name, asynchronous=True)[phase.count]
