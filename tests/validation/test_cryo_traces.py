"""Traces that other programs wrote, read here; counts and streams are held against independent decodings.

The line streams were derived from the ChampSim traces by another program, which knew the size of every access: it
saw accesses that cross a line, and every store of an instruction with more than two.
"""

from __future__ import annotations

import lzma
import re

import numpy as np
import pytest

from hwmodel.cryo.trace import Branch, Trace, operand_counts
from hwmodel.cryo.trace_formats import convert, open_trace, trace_facts


@pytest.fixture(scope="session")
def traces(reference_data):
    return reference_data / "cryo" / "traces"


def unpacked(path):
    return lzma.open(path).read()


def line_stream(trace):
    """(line << 1) | is_write of every operand, loads of an instruction first."""
    parts = []
    for chunk in trace.chunks():
        loads = chunk.statics["loads"][chunk.indices]
        counts = operand_counts(chunk.statics)[chunk.indices].astype(np.int64)
        begin = np.repeat(np.cumsum(counts) - counts, counts)
        store = np.arange(len(chunk.addresses)) - begin >= np.repeat(loads, counts)
        parts.append((chunk.addresses >> np.uint64(6)).astype(np.int64) << 1 | store)
    return np.concatenate(parts)


@pytest.mark.parametrize(("name", "count"), [("bfs", 2_400_000), ("is", 3_000_000), ("pr", 2_400_000)])
def test_champsim_traces_have_the_records_of_their_files(traces, name, count):
    """Against NumPy on the raw records."""
    raw = np.frombuffer(unpacked(traces / f"{name}.champsim.xz"), np.uint8).reshape(-1, 64)
    memory = np.ascontiguousarray(raw[:, 16:]).view("<u8")
    trace = open_trace(traces / f"{name}.champsim.xz")
    facts = trace_facts(trace)
    assert facts.instructions == len(raw) == count
    assert facts.stores == np.count_nonzero(memory[:, :2])
    assert facts.loads == np.count_nonzero(memory[:, 2:])
    assert facts.data_lines == len(np.unique(memory[memory > 0] >> np.uint64(6)))
    assert facts.pcs == len(np.unique(np.ascontiguousarray(raw[:, :8]).view("<u8")))
    assert facts.branches == np.count_nonzero(raw[:, 8])
    taken = np.concatenate([chunk.taken for chunk in trace.chunks()])
    assert facts.taken == np.count_nonzero(taken)
    # The recorder could not see behind the last instruction; an unconditional one is taken whatever it says.
    np.testing.assert_array_equal(taken[:-1], raw[:-1, 9] == 1)


@pytest.mark.parametrize("name", ["is", "pr"])
def test_line_streams_agree_with_the_champsim_traces(traces, name):
    """No access of these two crosses a line: the streams are equal, access by access."""
    derived = line_stream(open_trace(traces / f"{name}.champsim.xz"))
    np.testing.assert_array_equal(derived, line_stream(open_trace(traces / f"{name}.lines.delta_i64.xz")))


def test_the_line_stream_of_bfs_only_adds_to_its_champsim_trace(traces):
    """What ChampSim's records cannot say, 0.4 % of the accesses, is all that is more."""
    derived = line_stream(open_trace(traces / "bfs.champsim.xz"))
    stream = line_stream(open_trace(traces / "bfs.lines.delta_i64.xz"))
    assert 0 < len(stream) - len(derived) < 0.005 * len(stream)
    found, at = stream.tolist(), 0
    for value in derived.tolist():  # the one is a subsequence of the other
        at = found.index(value, at) + 1
    assert at <= len(found)


def test_line_streams_are_running_sums(traces):
    for name in ("bfs", "is", "pr"):
        path = traces / f"{name}.lines.delta_i64.xz"
        values = np.frombuffer(unpacked(path), "<i8").cumsum()
        np.testing.assert_array_equal(line_stream(open_trace(path)), values)


def test_the_dinero_trace_is_that_of_its_text(traces):
    path = traces / "bfs_100k.din.xz"
    wanted = [line.split() for line in unpacked(path).decode().splitlines()]
    [*chunks] = open_trace(path).chunks()
    assert np.concatenate([c.addresses for c in chunks]).tolist() == [int(a, 16) for _, a in wanted]
    stores = np.concatenate([c.statics["stores"][c.indices] for c in chunks])
    assert stores.tolist() == [int(label) for label, _ in wanted]


def test_the_dinero_trace_is_the_start_of_the_line_stream(traces):
    stream = line_stream(open_trace(traces / "bfs.lines.delta_i64.xz"))[:100_000]
    np.testing.assert_array_equal(line_stream(open_trace(traces / "bfs_100k.din.xz")), stream)


def test_the_lackey_trace_is_that_of_its_text(traces):
    path = traces / "gapbs_bfs_g4_tail.lackey.txt.xz"
    text = unpacked(path).decode()
    lines = re.findall(r"^ ?([ILSM]) +([0-9a-f]+),(\d+)$", text, re.MULTILINE)
    assert len(lines) == text.count("\n")
    facts = trace_facts(open_trace(path))
    kinds = [kind for kind, _, _ in lines]
    before = next(k for k, kind in enumerate(kinds) if kind == "I")  # the file is the tail of a longer one
    assert facts.instructions == kinds.count("I") + before
    assert facts.accesses_only == before
    assert facts.loads == kinds.count("L") + kinds.count("M")
    assert facts.stores == kinds.count("S") + kinds.count("M")
    assert facts.data_lines == len({int(a, 16) >> 6 for kind, a, _ in lines if kind != "I"})
    assert facts.pcs == len({int(a, 16) for kind, a, _ in lines if kind == "I"})


def test_returns_and_calls_of_is_are_as_many(traces):
    """The window of `is` calls one function in a loop."""
    kinds = trace_facts(open_trace(traces / "is.champsim.xz")).branch_kinds
    assert kinds[Branch.RETURN.name] == kinds[Branch.CALL.name] > 50_000


def test_a_converted_trace_holds_what_its_source_does(traces, tmp_path):
    source = open_trace(traces / "pr.champsim.xz")
    convert(traces / "pr.champsim.xz", tmp_path / "pr.hwt")
    with Trace.open(tmp_path / "pr.hwt") as trace:
        mine = list(trace.chunks(1 << 16))
    theirs = list(source.chunks(1 << 16))
    for field in ("ids", "addresses"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(c, field) for c in mine]),
            np.concatenate([getattr(c, field) for c in theirs]),
        )
    np.testing.assert_array_equal(mine[-1].statics, theirs[-1].statics)
