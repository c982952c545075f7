"""How deep the paths are that are active in a round: the netlist of a round, gate by gate, on the words of real hashes.

A path of the round ends in one of its 96 new bits: those of a, of e and of the next word of the schedule. When the
registers take new words, such a bit may change several times until it settles; the time of its last change, in gate
delays, is the depth of the path that was active. A clock edge that comes before it takes a wrong bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyrtl

from hwmodel.errors import SpecError, unknown
from hwmodel.reservoir.rtl_sha256 import ADDERS, INITIAL, ROUND_CONSTANTS, WORD, expand, sha_round

if TYPE_CHECKING:
    from hwmodel.reservoir.chip import PathHistogram

Words = npt.NDArray[np.uint64]
Net = Any

__all__ = ["GATE_DELAYS", "PathCounts", "path_histogram", "round_block", "settle"]

GATE_DELAYS = {"&": 1, "|": 1, "~": 0, "^": 2}
"""Delay of a gate of two inputs. Estimate: an exclusive or is two gates deep, an inverter is part of another gate."""

MAX_HASHES = 1 << 14
LONGEST = 512
ROUNDS = 128
SPELT_OUT = ("prefix", "ripple")
INPUTS = (*(f"s{n}" for n in range(8)), *(f"w{n}" for n in range(16)), "k")
OUTPUTS = ("a", "e", "w")


@dataclass(frozen=True)
class PathCounts:
    """Active paths by their depth.

    Attributes:
        levels: depths, in gate delays, in rising order.
        counts: active paths of each depth, a mean over rounds and hashes.
        by_round: the same for each of the 128 rounds, shape (128, levels).
        hashes: hashes that were looked at.
        source: how it was made.
    """

    levels: tuple[int, ...]
    counts: tuple[float, ...]
    by_round: npt.NDArray[np.float64]
    hashes: int
    source: str

    def histogram(self) -> PathHistogram:
        """The table that the chip's error model takes.

        Example:
            >>> path_histogram(hashes=4).histogram().rounds
            128
        """
        from hwmodel.reservoir.chip import PathHistogram

        return PathHistogram.of_levels(self.levels, self.counts, ROUNDS, self.source)


def path_histogram(
    adders: Literal["prefix", "ripple"] = "prefix",
    hashes: int = 64,
    layout: Literal["pipelined", "iterated"] = "pipelined",
) -> PathCounts:
    """Count the active paths of a round by their depth.

    All changes of all gates are played through, glitches included, from the words that the registers held to those that
    they take. The words are those of SHA-256d of a fixed header over consecutive nonces.

    Parameters:
        adders: "prefix": carry-save adders and a Kogge-Stone adder for each sum; "ripple": their carry ripples.
        hashes: transitions of each of the 128 rounds, 1 to 16384.
        layout: "pipelined": a rank of registers goes from one nonce to the next, as with `unroll=128`; "iterated": it goes
            from one round of a nonce to the next, as with `unroll=1`.

    Raises:
        SpecError: hashes out of range.
        UnknownNameError: an unknown adder or layout.

    Example:
        >>> found = path_histogram(hashes=8)
        >>> found.levels[-1] <= 40, bool(sum(found.counts) < 96)
        (True, True)
    """
    if adders not in SPELT_OUT:
        raise unknown("adders", str(adders), SPELT_OUT)
    if layout not in ("pipelined", "iterated"):
        raise unknown("layout", str(layout), ("pipelined", "iterated"))
    if isinstance(hashes, bool) or not isinstance(hashes, int) or not 1 <= hashes <= MAX_HASHES:
        raise SpecError(f"path_histogram(hashes={hashes!r}): give a whole number, 1 to {MAX_HASHES}")
    held = _register_words(hashes + 1)
    if layout == "pipelined":
        before, after = held[:, :-1], held[:, 1:]
        number = np.repeat(np.arange(ROUNDS), hashes)
    else:
        before, after = held[:-1, 1:], held[1:, 1:]
        # The step between the two hashes is no round: another word enters than a round gives.
        number = np.repeat(np.arange(1, ROUNDS), hashes)
    width = before.shape[-1]
    times = settle(round_block(adders), before.reshape(-1, width), after.reshape(-1, width))
    deepest = int(times.max())
    table = np.zeros((ROUNDS, deepest + 1))
    np.add.at(table, (np.repeat(number, times.shape[1]), times.ravel()), 1.0)
    table /= hashes
    levels = [n for n in range(1, deepest + 1) if table[:, n].any()]
    source = f"path_histogram('{adders}', hashes={hashes}, layout='{layout}'): 32-bit round, gate delays and = or = 1, xor = 2"
    return PathCounts(
        tuple(levels), tuple(float(table[:, n].mean()) for n in levels), table[:, levels], hashes, source
    )


def round_block(adders: str = "prefix") -> Any:
    """One round and the next word of the schedule in gates, as a PyRTL block without registers.

    Inputs s0 to s7 (words a to h), w0 to w15 and k; outputs a, e and w.
    """
    block, add = pyrtl.Block(), ADDERS[adders]
    with pyrtl.set_working_block(block, no_sanity_check=True):
        state = [pyrtl.Input(WORD, f"s{n}") for n in range(8)]
        window = [pyrtl.Input(WORD, f"w{n}") for n in range(16)]
        constant = pyrtl.Input(WORD, "k")
        after = sha_round(state, window[0], constant, add)
        for name, word in (("a", after[0]), ("e", after[4]), ("w", expand(window, add))):
            port = pyrtl.Output(WORD, name)
            port <<= word
    return block


# ------------------------------------------------------------------------------------------------ hashing


def _rotated(word: Words, places: int) -> Words:
    return (word >> np.uint64(places) | word << np.uint64(WORD - places)) & np.uint64(0xFFFFFFFF)


def _register_words(nonces: int) -> Words:
    """What a round's registers hold, for each round and nonce: a to h, 16 words and the constant, shape (128, n, 25)."""
    seed = hashlib.sha512(b"active paths of a round").digest()
    first = np.frombuffer(seed[:32], ">u4").astype(np.uint64)
    tail = np.frombuffer(seed[32:44], ">u4").astype(np.uint64)
    held = np.zeros((ROUNDS, nonces, len(INPUTS)), np.uint64)
    window = np.zeros((16, nonces), np.uint64)
    window[:3], window[3] = tail[:, None], np.arange(nonces, dtype=np.uint64) + np.uint64(1 << 20)
    window[4], window[15] = np.uint64(1 << 31), np.uint64(640)
    begin = np.repeat(first[:, None], nonces, axis=1)
    end = _rounds(begin, window, held[:64])
    window = np.zeros((16, nonces), np.uint64)
    window[:8] = (begin + end) & np.uint64(0xFFFFFFFF)
    window[8], window[15] = np.uint64(1 << 31), np.uint64(256)
    begin = np.repeat(np.array(INITIAL, np.uint64)[:, None], nonces, axis=1)
    _rounds(begin, window, held[64:])
    return held


def _rounds(begin: Words, window: Words, held: Words) -> Words:
    """Do 64 rounds, and note what each begins with."""
    state, words, cut = list(begin), list(window), np.uint64(0xFFFFFFFF)
    for number, constant in enumerate(ROUND_CONSTANTS):
        held[number, :, :8] = np.stack(state, axis=1)
        held[number, :, 8:24] = np.stack(words, axis=1)
        held[number, :, 24] = constant
        a, b, c, d, e, f, g, h = state
        spread = _rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)
        one = (h + spread + (g ^ (e & (f ^ g))) + np.uint64(constant) + words[0]) & cut
        two = (_rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)) + ((a & b) | (c & (a | b)))
        state = [(one + two) & cut, a, b, c, (d + one) & cut, e, f, g]
        small = _rotated(words[1], 7) ^ _rotated(words[1], 18) ^ (words[1] >> np.uint64(3))
        large = _rotated(words[14], 17) ^ _rotated(words[14], 19) ^ (words[14] >> np.uint64(10))
        words = [*words[1:], (words[0] + small + words[9] + large) & cut]
    return np.stack(state)


# ------------------------------------------------------------------------------------------------ settling


def settle(
    block: Any,
    before: Words,
    after: Words,
    delays: Mapping[str, int] | None = None,
    inputs: Sequence[str] = INPUTS,
    outputs: Sequence[str] = OUTPUTS,
) -> npt.NDArray[np.int64]:
    """Time of the last change of each output bit, 0 where it never changes.

    Every gate passes all changes on after its delay (transport delay), so glitches count.

    Parameters:
        block: gates, slices and concatenations of words of up to 63 bits, such as `round_block` gives.
        before, after: words of the inputs, shape (n, number of inputs).
        delays: gate delays by operation, whole numbers; GATE_DELAYS by default.
        inputs, outputs: names of the pins, by default those of `round_block`; outputs have 32 bits.

    Returns:
        Shape (n, 32 a output): the bits of each output, bit 0 first.

    Raises:
        SpecError: an operation without a delay, or gates that do not settle.
    """
    gates = _Gates(block, GATE_DELAYS if delays is None else delays, inputs, outputs)
    values = gates.steady(before)
    past = [values]
    ports = [block.get_wirevector_by_name(name) for name in outputs]
    last = np.zeros((len(ports), WORD, len(before)), np.int64)
    shown = [values[port] for port in ports]
    quiet, time = 0, 0
    places = np.arange(WORD, dtype=np.uint64)[:, None]
    given = gates.inputs(after)
    while quiet <= gates.slowest:
        values = gates.step(given, past)
        quiet = 0 if any(values[w] is not past[-1][w] for w in gates.made) or time == 0 else quiet + 1
        for n, port in enumerate(ports):
            if values[port] is not shown[n]:
                changed = (values[port] ^ shown[n]) >> places & np.uint64(1)
                last[n][changed.astype(bool)] = time
                shown[n] = values[port]
        past = [*past[-gates.slowest :], values]
        time += 1
        if time > LONGEST:
            raise SpecError(f"the gates do not settle within {LONGEST} gate delays; they must have no loop")
    return last.reshape(-1, len(before)).T


class _Gates:
    """A block as a list of gates in an order in which they can be worked out, on words of many samples."""

    def __init__(
        self, block: Any, delays: Mapping[str, int], inputs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.block, self.names = block, inputs
        self.delays = dict(delays)
        self.nets = list(_ordered(block, outputs))
        for net in self.nets:
            if net.op not in "wcs" and net.op not in self.delays:
                raise SpecError(f"operation '{net.op}' of the round has no gate delay; spell it out in gates")
        self.slowest = max(self.delays.values())
        self.made = [net.dests[0] for net in self.nets if net.op not in "wcs"]

    def inputs(self, rows: Words) -> dict[Any, Words]:
        given = {
            self.block.get_wirevector_by_name(name): rows[:, n].copy() for n, name in enumerate(self.names)
        }
        for wire in self.block.wirevector_subset(pyrtl.Const):
            given[wire] = np.full(len(rows), int(wire.val), np.uint64)
        return given

    def steady(self, rows: Words) -> dict[Any, Words]:
        """Values long after the inputs came."""
        values = self.inputs(rows)
        for net in self.nets:
            values[net.dests[0]] = _value(net, [values[arg] for arg in net.args])
        return values

    def step(self, inputs: Mapping[Any, Words], past: list[dict[Any, Words]]) -> dict[Any, Words]:
        """Values one time later; an equal one is the same array as before, which makes changes cheap to see."""
        values, old = dict(inputs), past[-1]
        for net in self.nets:
            dest = net.dests[0]
            delay = 0 if net.op in "wcs" else self.delays[net.op]
            if delay:
                seen = past[-delay] if delay <= len(past) else past[0]
                prior = past[-delay - 1] if delay < len(past) else None
            else:
                seen, prior = values, old
            if prior is not None and all(seen[arg] is prior[arg] for arg in net.args):
                values[dest] = old[dest]
                continue
            new = _value(net, [seen[arg] for arg in net.args])
            values[dest] = old[dest] if np.array_equal(new, old[dest]) else new
        return values


def _ordered(block: Any, outputs: Sequence[str]) -> Iterator[Net]:
    """Nets so that what one reads stands before it."""
    drivers = {net.dests[0]: net for net in block.logic}
    done: set[Any] = set()
    for port in (block.get_wirevector_by_name(name) for name in outputs):
        stack = [(port, False)]
        while stack:
            wire, seen = stack.pop()
            if wire in done or wire not in drivers:
                continue
            if seen:
                done.add(wire)
                yield drivers[wire]
                continue
            stack.append((wire, True))
            stack += [(arg, False) for arg in drivers[wire].args]


def _value(net: Net, args: list[Words]) -> Words:
    if net.op == "w":
        return args[0]
    if net.op == "&":
        return args[0] & args[1]
    if net.op == "|":
        return args[0] | args[1]
    if net.op == "^":
        return args[0] ^ args[1]
    if net.op == "~":
        return ~args[0] & np.uint64((1 << len(net.args[0])) - 1)
    if net.op == "c":
        total = np.zeros_like(args[0])
        for wire, word in zip(net.args, args, strict=True):
            total = total << np.uint64(len(wire)) | word
        return total
    bits = net.op_param
    low = bits[0]
    if tuple(bits) == tuple(range(low, low + len(bits))):
        return args[0] >> np.uint64(low) & np.uint64((1 << len(bits)) - 1)
    total = np.zeros_like(args[0])
    for place, bit in enumerate(bits):
        total |= (args[0] >> np.uint64(bit) & np.uint64(1)) << np.uint64(place)
    return total
