"""The control array that an engine shares with its simulator: counters, then one row a table.

`_harness.cpp` holds the same list; a test compares the two.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from hwmodel.kernel import Clock
from hwmodel.units import MAX_TIME

Ints = npt.NDArray[np.int64]

(
    T1,  # end of the window, fs
    HEAD,  # first inbox row not taken
    TAIL,  # end of the inbox rows
    SENT,  # outbox rows written
    OUT_CAP,  # outbox rows there are
    RECORDED,  # records written
    REC_CAP,  # records there are
    EDGE,  # number of the next edge
    T_EDGE,  # its time, fs, or NEVER
    FRAC,  # remainder of n * NUM / DEN at that edge
    NUM,  # period numerator, fs
    DEN,  # period denominator
    PHASE,  # time of edge 0, fs
    LAST,  # last time that can be simulated, fs
    COMPUTED,  # edges computed
    DIGEST,  # sum of a hash of every edge that saw inputs change, and of what it saw
    ASLEEP,  # 1: no edge changes anything until an input changes
    QUIET,  # edges since something changed at a port
    CHECK_AT,  # quiet edges after which to look whether the design sleeps
    SUM,  # hash of the inputs as the last edge saw them
    BAD_ROW,  # inbox row whose value does not fit
) = range(21)

TABLES = 32
"""Where the tables begin: held, sampled, signal, width of each input; value, linked, signal of each output."""

DONE, OUTBOX_SHORT, RECORDS_SHORT, BAD_VALUE, STOPPED = range(5)

FIRST_CHECK = 32
"""Quiet edges before the first look whether a design sleeps; it doubles to LONGEST_CHECK."""

LONGEST_CHECK = 1 << 14

_MASK = (1 << 64) - 1


def mix(z: int) -> int:
    """Hash 64 bits to 64 bits (the finaliser of SplitMix64; Steele, Lea, Flood, OOPSLA 2014)."""
    z = (z + 0x9E3779B97F4A7C15) & _MASK  # Python's integers have no end, so this also cuts the argument
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def factor(word: int) -> int:
    """What the value of an input counts in the hash of all of them: odd, and another for each."""
    return mix(word) | 1


def folded(value: int) -> int:
    """A value as 64 bits, with every bit in its low half, where no factor can lose it.

    Example:
        >>> hex(folded(-1 << 63)), folded(5)
        ('0x8000000080000000', 5)
    """
    value &= _MASK
    return value ^ (value >> 32)


def inputs_hash(values: Iterable[int]) -> int:
    """Hash of the values of all inputs: a sum, so that it can follow the change of one of them."""
    return sum(folded(value) * factor(word) for word, value in enumerate(values)) & _MASK


def edge_hash(edge: int, inputs: int) -> int:
    """What the digest gains when edge number `edge` sees inputs that changed and now have that hash."""
    return mix(edge * 0x8CB92BA72F3D8DD7 + inputs)


def signed64(value: int) -> int:
    """The int64 with the same 64 bits."""
    return (value & _MASK) - (1 << 64) if value & (1 << 63) else value & _MASK


class Control:
    """The control array with names for its tables, which are views of it."""

    def __init__(
        self,
        clock: Clock,
        in_widths: list[int],
        in_signals: list[int],
        out_linked: list[bool],
        out_signals: list[int],
    ) -> None:
        inputs, outputs = len(in_widths), len(out_linked)
        self.array: Ints = np.zeros(TABLES + 4 * inputs + 3 * outputs, np.int64)
        starts = [TABLES + k * inputs for k in range(5)]
        self.held, self.sampled, self.in_signal, self.in_width = (
            self.array[a:b] for a, b in itertools.pairwise(starts)
        )
        starts = [starts[-1] + k * outputs for k in range(4)]
        self.value, self.linked, self.out_signal = (self.array[a:b] for a, b in itertools.pairwise(starts))
        self.in_width[:], self.in_signal[:] = in_widths, in_signals
        self.linked[:], self.out_signal[:] = out_linked, out_signals
        self.array[[NUM, DEN, PHASE, LAST]] = clock.num, clock.den, clock.phase, MAX_TIME
        self.array[[T_EDGE, CHECK_AT]] = int(clock.edge(0)), FIRST_CHECK

    KEPT = (EDGE, T_EDGE, FRAC, COMPUTED, DIGEST, ASLEEP, QUIET, CHECK_AT)

    def save(self) -> dict[str, Ints]:
        """What a resumed run needs of it."""
        return {
            "control": self.array[list(self.KEPT)].copy(),
            "held": self.held.copy(),
            "sampled": self.sampled.copy(),
            "value": self.value.copy(),
        }

    def load(self, saved: dict[str, Ints]) -> None:
        """Take back what `save` gave."""
        self.array[list(self.KEPT)] = saved["control"]
        self.held[:], self.sampled[:], self.value[:] = saved["held"], saved["sampled"], saved["value"]
        self.array[SUM] = signed64(inputs_hash(self.sampled.tolist()))
