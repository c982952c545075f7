"""CVP-1, gem5's elastic trace and drmemtrace: records made by hand, and every way to be wrong."""

from __future__ import annotations

import gzip
import struct
import zipfile

import pytest

from hwmodel.cryo.trace import Branch, Op
from hwmodel.cryo.trace_formats import open_trace
from hwmodel.errors import TraceFileError

from .trace_makers import COMP, CVP, DEPENDENT, FOOT, HEAD, NEW, OLD, cvp, elastic, entries, message, varint

pytestmark = pytest.mark.kernels

# ---------------------------------------------------------------------------------------------- CVP-1


def test_cvp_instructions(file, plain):
    trace = open_trace(file(gzip.compress(b"".join(raw for raw, _ in CVP)), "a.cvp.gz"))
    found = plain(trace)
    assert [r["pc"] for r in found] == list(range(0, 52, 4))
    for record, (_, wanted) in zip(found, CVP, strict=True):
        assert {key: record[key] for key in wanted} == wanted
    assert trace.meta["isa"] == "aarch64"


def test_registers_beyond_the_record_are_dropped_and_counted(file, plain):
    trace = open_trace(file(cvp(0, 0, into=range(9), out=range(6))), "cvp1")
    [found] = plain(trace)
    assert (found["sources"], found["destinations"]) == ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4])
    assert trace.meta["registers_dropped"] == 5


def test_cvp_instructions_may_cross_blocks(file, plain, small_blocks):
    raw = b"".join(raw for raw, _ in CVP)
    whole = plain(open_trace(file(raw), "cvp1"))
    for size in (1, 10, 33):
        small_blocks(size)
        assert plain(open_trace(file(raw), "cvp1")) == whole


def test_a_cvp_trace_is_refused_at_any_cut_inside_an_instruction(file, plain):
    first = CVP[0][0]
    for raw, _ in CVP:
        for keep in range(1, len(raw)):
            with pytest.raises(
                TraceFileError, match=rf"truncated.*instruction 1 \(byte {len(first)}\) has only"
            ):
                plain(open_trace(file(first + raw[:keep]), "cvp1"))


@pytest.mark.parametrize("raw", [cvp(0, 9), cvp(0, 3, taken=2), cvp(0, 0, into=[65]), cvp(0, 0, out=[70])])
def test_an_impossible_cvp_instruction_is_refused(file, plain, raw):
    with pytest.raises(TraceFileError, match=r"instruction 1 \(byte \d+\), read as cvp1: found bytes"):
        plain(open_trace(file(CVP[0][0] + raw + bytes(100)), "cvp1"))


# ---------------------------------------------------------------------------------------------- gem5 elastic


def test_the_varint_of_the_specification():
    """Protocol Buffers, "Encoding": field 1 with the value 150 is 08 96 01."""
    assert message((1, 150)) == b"\x03\x08\x96\x01"


def test_elastic_dependences_become_registers(file, plain):
    trace = open_trace(file(gzip.compress(elastic(*DEPENDENT))))
    found = plain(trace)
    (first,), (second,) = found[0]["destinations"], found[1]["destinations"]
    assert first != second
    assert found[1]["sources"] == [first]
    assert sorted(found[2]["sources"]) == sorted([first, second])
    assert found[2]["destinations"] == []
    assert found[3]["destinations"] == [first]  # the register goes by the pc
    assert found[4]["sources"] == [first]  # of record 4: record 1 is no longer its newest writer
    assert trace.meta["register_dependences_lost"] == 1
    assert trace.meta["order_dependences_lost"] == 1  # on the store
    assert [r["op"] for r in found] == [Op.INT, Op.NOP, Op.NOP, Op.INT, Op.INT]


def test_elastic_addresses_are_virtual_where_they_are_known(file, plain):
    found = plain(open_trace(file(elastic(*DEPENDENT))))
    assert (found[1]["loads"], found[1]["load_size"]) == ([0x4080], 8)
    assert (found[2]["stores"], found[2]["store_size"]) == ([0x90], 4)


def test_elastic_delays_are_kept_for_rescaling(file, plain):
    trace = open_trace(file(elastic(*DEPENDENT)))
    plain(trace)
    assert trace.meta["tick_frequency"] == 10**12
    assert trace.meta["window_size"] == 120
    assert trace.meta["comp_delay_ticks"] == {"total": 1750, "recorded_period": 250, "longest": 1000}
    assert trace.meta["filtered_instructions"] == 5


def test_elastic_records_without_pc_are_told(file, plain):
    bare = [[field for field in record if field[0] != 10] for record in DEPENDENT]
    trace = open_trace(file(elastic(*bare)))
    found = plain(trace)
    assert found[1]["sources"] == found[0]["destinations"]
    assert trace.meta["records_without_pc"] == 5
    assert not trace.meta["has_pc"]


def test_packed_dependences_and_unknown_fields_are_read(file, plain):
    packed = [(1, 3), (2, COMP), (7, 0), (8, varint(1) + varint(2)), (10, 0x2000), (99, b"new"), (98, 7)]
    found = plain(open_trace(file(elastic(*DEPENDENT[:2], packed))))
    assert len(found[2]["sources"]) == 2


def test_elastic_records_may_cross_blocks(file, plain, small_blocks):
    raw = elastic(*DEPENDENT)
    whole = plain(open_trace(file(raw)))
    for size in (24, 31, 40):
        small_blocks(size)
        assert plain(open_trace(file(raw))) == whole


def test_a_truncated_elastic_trace_is_refused(file, plain):
    raw = elastic(*DEPENDENT)
    for cut in (1, 5, len(message(*DEPENDENT[4])) - 1):
        with pytest.raises(TraceFileError, match=r"truncated.*record 4 \(byte \d+\)"):
            plain(open_trace(file(raw[:-cut])))
    for keep in (4, 5, 10):
        with pytest.raises(TraceFileError, match="header 0"):
            plain(open_trace(file(raw[:keep])))


def test_a_foreign_elastic_trace_is_refused(file, plain):
    with pytest.raises(TraceFileError, match="instead of b'gem5'"):
        plain(open_trace(file(b"ELF!" + bytes(100)), "gem5-elastic"))
    packets = elastic([(1, 0)], header=((1, b"cpu"), (3, 10**12), (4, b"id")))
    with pytest.raises(TraceFileError, match="another message than InstDepRecordHeader"):
        plain(open_trace(file(packets)))
    for record in ([(2, COMP), (7, 0)], [(1, 9), (2, 0)], [(1, 9), (2, 4)]):
        with pytest.raises(TraceFileError, match=r"record 1 .* which are no InstDepRecord"):
            plain(open_trace(file(elastic(DEPENDENT[0], record))))


# ---------------------------------------------------------------------------------------------- drmemtrace


@pytest.mark.parametrize("stride", [12, 16])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_drmemtrace_of_2015(file, plain, stride, pack):
    found = plain(open_trace(file(pack(entries(OLD, stride))), "drmemtrace"))
    assert [(r["pc"], r["size"], r["loads"], r["stores"]) for r in found] == [
        (0x1000, 4, [0x20], [0x30]),
        (0x1004, 2, [0x40], []),
    ]
    assert (found[0]["load_size"], found[0]["store_size"]) == (8, 4)


def test_drmemtrace_with_branches(file, plain):
    trace = open_trace(file(entries(HEAD + NEW + FOOT), "drmemtrace.77.trace"))
    found = plain(trace)
    assert [(r["pc"], Branch(r["branch"]).name, r["taken"]) for r in found] == [
        (0x1000, "NONE", False),
        (0x1004, "CONDITIONAL", True),
        (0x2000, "CONDITIONAL", False),
        (0x2002, "CALL", True),
        (0x3000, "CONDITIONAL", False),  # it is followed by the instruction behind it
        (0x3002, "CONDITIONAL", True),  # it is not
        (0x4000, "RETURN", True),
    ]
    assert trace.meta["has_branches"]
    assert trace.meta["prefetches_left_out"] == 1


def test_drmemtrace_bundles_go_on_from_the_last_instruction(file, plain):
    bundle = (17, 3, int.from_bytes(bytes([2, 5, 1]), "little"))
    found = plain(open_trace(file(entries([*HEAD, (10, 4, 0x1000), bundle, (1, 8, 0x50), *FOOT]))))
    assert [(r["pc"], r["size"]) for r in found] == [(0x1000, 4), (0x1004, 2), (0x1006, 5), (0x100B, 1)]
    assert found[-1]["stores"] == [0x50]


def test_drmemtrace_in_a_zip_file(tmp_path, plain):
    raw = entries(HEAD + NEW + FOOT)
    with zipfile.ZipFile(tmp_path / "drmemtrace.trace.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chunk.0000", raw[:60])
        archive.writestr("chunk.0001", raw[60:])
    assert len(plain(open_trace(tmp_path / "drmemtrace.trace.zip"))) == 7


def test_drmemtrace_entries_may_cross_blocks(file, plain, small_blocks):
    raw = entries(HEAD + NEW + FOOT)
    whole = plain(open_trace(file(raw)))
    for size in (13, 25, 50):
        small_blocks(size)
        assert plain(open_trace(file(raw), "drmemtrace")) == whole


def test_a_truncated_drmemtrace_is_refused(file, plain):
    raw = entries(HEAD + NEW + FOOT)
    with pytest.raises(TraceFileError, match=r"truncated.*entry 15 \(byte 180\) has only 5 bytes"):
        plain(open_trace(file(raw[:-7])))
    with pytest.raises(TraceFileError, match=r"truncated.*entry 14 is not the footer"):
        plain(open_trace(file(raw[:-12])))
    with pytest.raises(TraceFileError, match=r"truncated.*entry 7 \(byte 84\) has only 2 bytes"):
        plain(open_trace(file(entries(OLD)[:-10]), "drmemtrace"))


def test_a_foreign_drmemtrace_is_refused_by_type_and_raw_files_by_name(file, plain):
    with pytest.raises(TraceFileError, match=r"entry 4 \(byte 48\).*type 99, which is not known"):
        plain(open_trace(file(entries([*HEAD, (99, 0, 0), *FOOT]))))
    with pytest.raises(TraceFileError, match=r"no trace entries; .*raw files of the tracer"):
        plain(open_trace(file(struct.pack("<10Q", *[0xE000000000000004] * 10)), "drmemtrace"))


@pytest.mark.parametrize(
    "header",
    [
        varint(6)
        + b"\x08"
        + varint(10**12)[:5],  # a number where the name stands: as many bytes would be made
        b"\x80" * 4096,
        message((3, b"x"), (4, 120)),
        message((1, 10**12), (3, 10**12), (4, 120)),
    ],
)
def test_a_foreign_header_of_an_elastic_trace_is_refused(file, header):
    with pytest.raises(TraceFileError, match=r"header 0|truncated"):
        list(open_trace(file(b"gem5" + header), "gem5-elastic").chunks())
