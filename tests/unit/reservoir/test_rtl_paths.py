"""The depth of active paths: against gates worked out one by one in plain Python, and against what an adder must take."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

import pyrtl

from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.reservoir import _path_table as table
from hwmodel.reservoir.rtl_paths import GATE_DELAYS, INPUTS, OUTPUTS, path_histogram, round_block, settle
from hwmodel.reservoir.rtl_sha256 import ADDERS

ROW = st.lists(st.integers(0, 2**32 - 1), min_size=len(INPUTS), max_size=len(INPUTS))
CUT = 0xFFFFFFFF


def rotated(word: int, places: int) -> int:
    return (word >> places | word << 32 - places) & CUT


def plain_round(row: list[int]) -> list[int]:
    """New a and e, and the next word of the schedule, as FIPS PUB 180-4 writes them."""
    a, b, c, d, e, f, g, h, *w = row
    t1 = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & CUT & g)) + row[24] + w[0]
    t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
    s0 = rotated(w[1], 7) ^ rotated(w[1], 18) ^ w[1] >> 3
    s1 = rotated(w[14], 17) ^ rotated(w[14], 19) ^ w[14] >> 10
    return [(t1 + t2) & CUT, (d + t1) & CUT, (s1 + w[9] + s0 + w[0]) & CUT]


class PlainGates:
    """The words of a block at any time, worked out backwards from the inputs, which change at time 0."""

    def __init__(self, block: Any, before: list[int], after: list[int]) -> None:
        self.block = block
        self.drivers = {net.dests[0]: net for net in block.logic}
        self.rows = [dict(zip(INPUTS, row, strict=True)) for row in (before, after)]
        self.known: dict[Any, int] = {}

    def value(self, wire: Any, time: int) -> int:
        time = max(time, -1)  # before time 0 everything is at rest
        if (wire, time) not in self.known:
            self.known[wire, time] = self.work_out(wire, time)
        return self.known[wire, time]

    def work_out(self, wire: Any, time: int) -> int:
        if isinstance(wire, pyrtl.Const):
            return int(wire.val)
        if wire not in self.drivers:
            return self.rows[time >= 0][wire.name]
        net = self.drivers[wire]
        then = time - GATE_DELAYS.get(net.op, 0)
        return bit_by_bit(net, [self.value(arg, then) for arg in net.args])

    def last_changes(self, name: str, until: int) -> list[int]:
        """Time of the last change of each bit of an output."""
        port, last = self.block.get_wirevector_by_name(name), [0] * 32
        for time in range(until):
            moved = self.value(port, time) ^ self.value(port, time - 1)
            last = [time if moved >> bit & 1 else before for bit, before in enumerate(last)]
        return last


def bit_by_bit(net: Any, args: list[int]) -> int:
    if net.op in "&|^":
        x, y = args
        return {"&": x & y, "|": x | y, "^": x ^ y}[net.op]
    if net.op == "w":
        return args[0]
    if net.op == "s":
        return sum((args[0] >> bit & 1) << n for n, bit in enumerate(net.op_param))
    assert net.op == "c"
    digits = "".join(f"{value:0{len(wire)}b}" for wire, value in zip(net.args, args, strict=True))
    return int(digits, 2)


@settings(max_examples=4)
@given(before=ROW, after=ROW)
@pytest.mark.parametrize("adders", ["prefix", "ripple"])
def test_settling_times_are_those_of_plain_gates(adders: str, before: list[int], after: list[int]) -> None:
    block = round_block(adders)
    gates = PlainGates(block, before, after)
    until = 100  # longer than any path
    expected = [time for name in OUTPUTS for time in gates.last_changes(name, until)]
    rows = [np.array([row], np.uint64) for row in (before, after)]
    assert settle(block, *rows)[0].tolist() == expected
    ends = [gates.value(block.get_wirevector_by_name(name), until) for name in OUTPUTS]
    assert ends == plain_round(after)


def adder(kind: str) -> Any:
    block = pyrtl.Block()
    with pyrtl.set_working_block(block, no_sanity_check=True):
        port = pyrtl.Output(32, "sum")
        port <<= ADDERS[kind](pyrtl.Input(32, "x"), pyrtl.Input(32, "y"))
    return block


@pytest.mark.parametrize(("kind", "deepest"), [("ripple", 2 + 2 * 31), ("prefix", 2 + 2 * 5 + 2)])
def test_a_carry_through_all_places_takes_the_depth_of_the_adder(kind: str, deepest: int) -> None:
    before, after = np.zeros((1, 2), np.uint64), np.array([[CUT, 1]], np.uint64)
    times = settle(adder(kind), before, after, inputs=("x", "y"), outputs=("sum",))
    assert times.max() <= deepest
    if kind == "ripple":  # one place at a time, two gates each; the first of them starts from an and
        assert times[0].tolist()[2:] == [2 + 2 * n for n in range(2, 32)]


def test_nothing_settles_where_nothing_changes() -> None:
    row = np.full((3, len(INPUTS)), 12345, np.uint64)
    assert not settle(round_block(), row, row).any()


@pytest.mark.parametrize("layout", ["pipelined", "iterated"])
def test_words_are_those_of_a_real_hash(layout: Any) -> None:
    """The state before the last round and its words give, by the round, the digest of hashlib's."""
    import hashlib

    from hwmodel.reservoir.rtl_paths import _register_words  # what the histogram is made from
    from hwmodel.reservoir.rtl_sha256 import INITIAL

    held = _register_words(3)
    first = [int(x) for x in held[64, 1, 8:16]]  # the digest of the first hash is what the second one hashes
    message = b"".join(struct.pack(">I", word) for word in first)
    last = held[127, 1].tolist()
    a, e, _ = plain_round(last)
    state = [a, *last[0:3], e, *last[4:7]]
    digest = b"".join(struct.pack(">I", (x + y) & CUT) for x, y in zip(state, INITIAL, strict=True))
    assert digest == hashlib.sha256(message).digest()
    assert path_histogram(hashes=1, layout=layout).hashes == 1


def test_rounds_before_the_nonce_comes_in_are_still() -> None:
    # The nonce is word 3 of the second block: round 2 is the first whose schedule reads it, round 3 the first itself.
    found = path_histogram(hashes=4)
    paths = found.by_round.sum(axis=1)
    assert paths[:2].tolist() == [0, 0]
    assert paths[2] > 0
    assert (paths[8:64] > 48).all()


def test_no_round_has_more_active_paths_than_bits() -> None:
    found = path_histogram("ripple", hashes=8)
    assert (found.by_round.sum(axis=1) <= 96).all()
    assert sum(found.counts) == pytest.approx(found.by_round.sum() / 128)


def test_a_carry_that_ripples_is_deeper_at_the_end_and_shorter_mostly() -> None:
    prefix, ripple = path_histogram("prefix", hashes=16), path_histogram("ripple", hashes=16)
    assert ripple.levels[-1] > prefix.levels[-1]
    means = [np.average(found.levels, weights=found.counts) for found in (prefix, ripple)]
    assert means[1] < means[0]


def test_the_error_model_takes_the_table() -> None:
    from hwmodel.reservoir.chip import ErrorModel, PathHistogram

    paths = PathHistogram.of_levels(table.LEVELS, table.COUNTS, source=table.SOURCE)
    model = ErrorModel(paths=paths)
    risks = model.probability(485e6, [1.3, 1.1, 0.9, 0.8, 0.7], 60.0)
    assert (np.diff(risks) >= 0).all()
    assert risks[-1] > 0.99 > 0.01 > risks[0]
    assert path_histogram(hashes=2).histogram().depths[-1] == 1.0


def test_the_table_is_what_was_measured(project: Path) -> None:
    found = path_histogram(hashes=256)
    assert found.levels == table.LEVELS
    assert found.counts == pytest.approx(table.COUNTS, abs=1e-6)
    assert found.source == table.SOURCE
    assert (project / "tools" / "reservoir_rtl_files.py").is_file()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="hashes=0"):
        path_histogram(hashes=0)
    with pytest.raises(UnknownNameError, match="adders"):
        path_histogram("plain")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="layout"):
        path_histogram(layout="folded")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"operation '\+' of the round has no gate delay"):
        settle(round_block("plain"), *[np.zeros((1, 25), np.uint64)] * 2)
