"""ChampSim records and line streams: made by hand, and every way to be wrong."""

from __future__ import annotations

import itertools
import lzma

import pytest

from hwmodel.cryo.trace import FLAGS_REGISTER, Branch, Op
from hwmodel.cryo.trace_formats import detect_format, open_trace
from hwmodel.errors import TraceFileError

from .trace_makers import FL, IP, SP, champsim, lines

pytestmark = pytest.mark.kernels

# ---------------------------------------------------------------------------------------------- ChampSim


def test_the_records_of_the_test_have_their_sizes():
    assert len(champsim(1)) == 64
    assert len(champsim(1, targets=4)) == 96


def test_champsim_operands_and_registers(file, plain):
    record = champsim(0x401000, out=[3, 40], into=[6, 25, 26, 48], stores=[0x30, 0x38], loads=[0x10, 0, 0x20])
    [found] = plain(open_trace(file(record), "champsim"))
    assert found["pc"] == 0x401000
    assert (found["loads"], found["stores"]) == ([0x10, 0x20], [0x30, 0x38])
    assert found["sources"] == [6, FLAGS_REGISTER, 48]
    assert found["destinations"] == [3, 40]
    assert (found["size"], found["load_size"], found["branch"], found["op"]) == (0, 0, 0, Op.NOP)


def test_champsim_registers_stay_inside_our_space(file, plain):
    records = b"".join(champsim(4 * r, out=[r]) for r in range(256))
    names = [r["destinations"] for r in plain(open_trace(file(records), "champsim"))]
    assert names[0] == names[26] == []
    assert names[25] == [FLAGS_REGISTER]
    kept = [n[0] for r, n in enumerate(names) if r not in (0, 25, 26, 65, 66) and r < 128]
    assert len(set(kept)) == len(kept)
    assert all(1 <= n[0] < 128 for n in names if n)


def reference_kind(writes_ip, writes_sp, reads_sp, reads_ip, reads_flags, reads_other):
    """The published rule, as a list of cases of which the first that fits holds."""
    cases = [
        (Branch.JUMP, not reads_sp and not reads_flags and not reads_other),
        (Branch.INDIRECT_JUMP, not (reads_sp or reads_ip or reads_flags) and reads_other),
        (Branch.CONDITIONAL, not reads_sp and reads_ip and not writes_sp and (reads_flags or reads_other)),
        (Branch.CALL, reads_sp and reads_ip and writes_sp and not reads_flags and not reads_other),
        (Branch.INDIRECT_CALL, reads_sp and reads_ip and writes_sp and not reads_flags and reads_other),
        (Branch.RETURN, reads_sp and not reads_ip and writes_sp),
        (Branch.OTHER, True),
    ]
    return next(kind for kind, holds in cases if holds) if writes_ip else Branch.NONE


def test_the_kind_of_branch_follows_from_the_registers(file, plain):
    records, wanted = b"", []
    for flags in itertools.product([False, True], repeat=6):
        for bit in (0, 1):
            writes_ip, writes_sp, reads_sp, reads_ip, reads_flags, reads_other = flags
            out = [r for r, on in ((IP, writes_ip), (SP, writes_sp)) if on]
            into = [
                r for r, on in ((SP, reads_sp), (IP, reads_ip), (FL, reads_flags), (9, reads_other)) if on
            ]
            records += champsim(0x1000, branch=1, taken=bit, out=out, into=into)
            kind = reference_kind(*flags)
            told = kind in (Branch.CONDITIONAL, Branch.OTHER)
            wanted.append((kind, bool(bit) if told else kind != Branch.NONE))
    found = plain(open_trace(file(records), "champsim"))
    assert [(r["branch"], r["taken"]) for r in found] == wanted


def test_the_cloudsuite_variant_has_four_destinations(file, plain):
    record = champsim(64, out=[1, 2, 3, 4], into=[5], stores=[8, 16, 24, 32], loads=[40], targets=4)
    [found] = plain(open_trace(file(record), "cloudsuite"))
    assert found["destinations"] == [1, 2, 3, 4]
    assert (found["loads"], found["stores"]) == ([40], [8, 16, 24, 32])


def test_one_pc_with_other_operands_is_another_static(file):
    trace = open_trace(file(champsim(4, loads=[8]) + champsim(4) + champsim(4, loads=[16])), "champsim")
    [chunk] = trace.chunks()
    assert chunk.ids.tolist() == [0, 1, 0]


@pytest.mark.parametrize("targets", [2, 4])
@pytest.mark.parametrize("size", [1, 63, 100])
def test_champsim_records_may_cross_blocks(file, plain, small_blocks, targets, size):
    records = b"".join(champsim(4 * k, loads=[k + 1], targets=targets) for k in range(9))
    small_blocks(size)
    found = plain(open_trace(file(records), "champsim" if targets == 2 else "cloudsuite"))
    assert [r["loads"] for r in found] == [[k + 1] for k in range(9)]


def test_a_truncated_champsim_trace_is_refused(file, plain):
    records = champsim(4) * 3
    with pytest.raises(TraceFileError, match=r"truncated.*record 2 \(byte 128\) has only 63 bytes"):
        plain(open_trace(file(records[:-1]), "champsim"))


def test_a_foreign_champsim_trace_is_refused(file, plain):
    with pytest.raises(TraceFileError, match=r"record 1 \(byte 64\), read as champsim: found is_branch=7"):
        plain(open_trace(file(champsim(4) + champsim(8, branch=7)), "champsim"))


def test_champsim_is_told_by_content(file):
    assert detect_format(file(champsim(0x401000) * 40, "trace")) == "champsim"
    assert detect_format(file(lzma.compress(champsim(0x401000) * 40), "trace.xz")) == "champsim"
    with pytest.raises(TraceFileError, match="cannot tell the format"):
        detect_format(file(bytes(range(1, 255)) * 9, "noise"))


# ---------------------------------------------------------------------------------------------- line streams


def test_line_streams_are_running_sums(file, plain, small_blocks):
    content = lines([2 * 100, 2 * 101 + 1, 2 * 7])
    for size in (1 << 20, 5, 8):
        small_blocks(size)
        found = plain(open_trace(file(content, "a.lines.delta_i64")))
        assert [(r["loads"], r["stores"]) for r in found] == [([6400], []), ([], [6464]), ([448], [])]


def test_line_streams_that_are_cut_or_foreign_are_refused(file, plain):
    with pytest.raises(TraceFileError, match=r"record 0 \(byte 0\) has only 3 bytes"):
        plain(open_trace(file(b"abc"), "lines"))
    with pytest.raises(TraceFileError, match=r"record 1 \(byte 8\) has only 3 bytes"):
        plain(open_trace(file(lines([2]) + b"abc"), "lines"))
    with pytest.raises(TraceFileError, match=r"record 1 \(byte 8\).*running sum of -6, which is no line"):
        plain(open_trace(file(lines([2, -6])), "lines"))
    with pytest.raises(TraceFileError, match="no line"):
        plain(open_trace(file(lines([2**59])), "lines"))
