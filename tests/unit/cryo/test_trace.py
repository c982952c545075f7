"""The internal trace: what is written is read, in any window, and a damaged file is refused."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.cryo import trace as module
from hwmodel.cryo.trace import (
    STATIC_DTYPE,
    TAKEN,
    Branch,
    Chunk,
    Op,
    StaticTable,
    Trace,
    TraceWriter,
    make_meta,
    operand_counts,
    static_record,
)
from hwmodel.errors import OutputError, SpecError, TraceFileError

pytestmark = pytest.mark.kernels

KINDS = [(0, 0), (1, 0), (0, 1), (2, 1), (0, 0)]  # loads and stores of the static records


def write(path, ids, addresses, parts=1, meta=None):
    with TraceWriter(path, meta or make_meta("test")) as writer:
        for number, (loads, stores) in enumerate(KINDS):
            assert writer.static(pc=4 * number, loads=loads, stores=stores) == number
        offsets = np.concatenate([[0], np.cumsum([sum(KINDS[i & 7]) for i in ids])]).astype(int)
        edges = np.linspace(0, len(ids), parts + 1).astype(int)
        for begin, end in itertools.pairwise(edges):
            writer.write(ids[begin:end], addresses[offsets[begin] : offsets[end]])
    return path


def random_trace(count, seed=1):
    draw = np.random.default_rng(seed)
    ids = draw.integers(0, len(KINDS), count).astype(np.uint32)
    ids[draw.random(count) < 0.2] |= np.uint32(TAKEN)
    operands = sum(sum(KINDS[i & 7]) for i in ids.tolist())
    return ids, draw.integers(0, 2**63, operands).astype(np.uint64)


def joined(chunks):
    chunks = list(chunks)
    empty = np.empty(0, np.uint32)
    ids = np.concatenate([empty, *(c.ids for c in chunks)])
    return ids, np.concatenate([np.empty(0, np.uint64), *(c.addresses for c in chunks)])


def test_a_static_record_has_32_bytes_at_fixed_places():
    """Files of today must be readable tomorrow."""
    places = {name: STATIC_DTYPE.fields[name][1] for name in STATIC_DTYPE.names}
    assert STATIC_DTYPE.itemsize == 32
    assert places == {
        "pc": 0,
        "size": 8,
        "op": 9,
        "branch": 10,
        "loads": 11,
        "stores": 12,
        "load_size": 13,
        "store_size": 14,
        "flags": 15,
        "sources": 16,
        "destinations": 22,
        "padding": 26,
    }


def test_classes_keep_their_numbers():
    assert [op.name for op in Op] == (
        [
            "NOP",
            "INT",
            "MUL",
            "DIV",
            "FP_ADD",
            "FP_MUL",
            "FP_DIV",
            "FP_SQRT",
            "FP_CVT",
            "FP_FMA",
            "SIMD",
            "SYSTEM",
        ]
    )
    assert list(Op) == list(range(12))
    assert [b.name for b in Branch] == (
        ["NONE", "CONDITIONAL", "JUMP", "INDIRECT_JUMP", "CALL", "INDIRECT_CALL", "RETURN", "OTHER"]
    )


def test_the_bytes_of_a_file_are_as_the_format_says(tmp_path):
    ids, addresses = random_trace(5)
    raw = write(tmp_path / "a.hwt", ids, addresses).read_bytes()
    assert raw[:8] == b"HWTRACE1"
    header = json.loads(raw[16 : 16 + int.from_bytes(raw[8:16], "little")])
    assert header["meta"]["instructions"] == 5
    parts = {name: raw[begin : begin + size] for name, (begin, size) in header["sections"].items()}
    assert all(begin % 64 == 0 for begin, _ in header["sections"].values())
    assert parts["ids"] == ids.astype("<u4").tobytes()
    assert parts["addresses"] == addresses.astype("<u8").tobytes()
    assert parts["index"] == bytes(8)
    assert np.frombuffer(parts["statics"], STATIC_DTYPE)["pc"].tolist() == [0, 4, 8, 12, 16]


@given(st.integers(1, 600), st.integers(1, 7), st.integers(1, 200), st.integers(0, 700), st.integers(0, 700))
@settings(max_examples=60)
def test_any_window_is_that_part_of_the_whole(tmp_path_factory, count, parts, size, start, more):
    path = tmp_path_factory.mktemp("windows") / "a.hwt"
    ids, addresses = random_trace(count, seed=count)
    write(path, ids, addresses, parts)
    offsets = np.concatenate([[0], np.cumsum([sum(KINDS[i & 7]) for i in ids.tolist()])]).astype(int)
    stop = start + more
    with Trace.open(path) as trace:
        chunks = list(trace.chunks(size, start, stop))
        got_ids, got_addresses = joined(chunks)
    assert all(1 <= len(c) <= size for c in chunks)
    assert [c.first for c in chunks] == list(range(start, min(stop, count), size))
    np.testing.assert_array_equal(got_ids, ids[start:stop])
    begin, end = offsets[min(start, count)], offsets[min(stop, count)]
    np.testing.assert_array_equal(got_addresses, addresses[begin:end])


@pytest.mark.parametrize("start", [0, 65_535, 65_536, 65_537, 131_072, 150_001])
def test_a_window_may_start_on_either_side_of_an_index_entry(tmp_path, start):
    ids, addresses = random_trace(160_000)
    write(tmp_path / "a.hwt", ids, addresses, parts=7)
    counts = np.array([sum(kind) for kind in KINDS])[ids & 7]
    with Trace.open(tmp_path / "a.hwt") as trace:
        got_ids, got_addresses = joined(trace.chunks(10_000, start))
    np.testing.assert_array_equal(got_ids, ids[start:])
    np.testing.assert_array_equal(got_addresses, addresses[counts[:start].sum() :])


def test_meta_and_sizes_come_back(tmp_path):
    ids, addresses = random_trace(40)
    meta = make_meta("a program", "riscv64", has_pc=True, clock="4 GHz")
    with Trace.open(write(tmp_path / "a.hwt", ids, addresses, meta=meta)) as trace:
        assert trace.meta == {**meta, "instructions": 40, "operands": len(addresses)}
        assert (trace.instructions, trace.operands) == (40, len(addresses))


def test_an_empty_trace_can_be_written_and_read(tmp_path):
    write(tmp_path / "a.hwt", [], [])
    with Trace.open(tmp_path / "a.hwt") as trace:
        assert list(trace.chunks()) == []
        assert trace.instructions == 0


def test_a_chunk_outlives_its_trace(tmp_path):
    ids, addresses = random_trace(40)
    with Trace.open(write(tmp_path / "a.hwt", ids, addresses)) as trace:
        [chunk] = trace.chunks()
    np.testing.assert_array_equal(chunk.ids, ids)
    with pytest.raises(TraceFileError, match="closed"):
        next(trace.chunks())


def test_chunks_of_two_tables_are_merged(tmp_path):
    """Two recordings joined: equal static records become one."""
    one = np.array([static_record(pc=0), static_record(pc=4, loads=1)])
    two = np.array([static_record(pc=4, loads=1), static_record(pc=8, stores=1)])
    with TraceWriter(tmp_path / "a.hwt") as writer:
        writer.append(Chunk(one, np.array([0, 1], np.uint32), np.array([64], np.uint64), 0))
        writer.append(Chunk(two, np.array([0, 1 | TAKEN], np.uint32), np.array([65, 66], np.uint64), 2))
        writer.append(Chunk(two, np.array([1], np.uint32), np.array([67], np.uint64), 4))
    with Trace.open(tmp_path / "a.hwt") as trace:
        ids, addresses = joined(trace.chunks())
        assert trace.statics["pc"].tolist() == [0, 4, 8]
    assert ids.tolist() == [0, 1, 1, 2 | TAKEN, 2]
    assert addresses.tolist() == [64, 65, 66, 67]


def test_a_failed_block_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.hwt"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stop"), TraceWriter(path) as writer:
        writer.write([writer.static()], [])
        raise RuntimeError("stop")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.hwt"]


def test_the_file_has_its_name_only_when_it_is_complete(tmp_path):
    with TraceWriter(tmp_path / "a.hwt") as writer:
        writer.write([writer.static()], [])
        assert not (tmp_path / "a.hwt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.hwt"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        TraceWriter(tmp_path / "none" / "a.hwt")


@pytest.mark.parametrize(
    ("ids", "addresses", "what"),
    [
        ([0], [], "1 memory operands, but 0 addresses"),
        ([0], [1, 2], "1 memory operands, but 2 addresses"),
        ([0, 1], [1], "instruction 1 names static record 1 of 1"),
    ],
)
def test_ids_and_addresses_that_do_not_fit_are_refused(tmp_path, ids, addresses, what):
    with pytest.raises(TraceFileError, match=what), TraceWriter(tmp_path / "a.hwt") as writer:
        writer.static(loads=1)
        writer.write(ids, addresses)


@pytest.mark.parametrize("keep", [0, 7, 12, 40, 9000, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    ids, addresses = random_trace(2000)
    path = write(tmp_path / "a.hwt", ids, addresses)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TraceFileError, match=r"a\.hwt.*(truncated|no internal trace|is empty)"):
        Trace.open(path)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "a.hwt").write_bytes(b"\x7fELF" * 100)
    with pytest.raises(TraceFileError, match=r"at byte 0 it has b'\\x7fELF.*hwmodel trace convert"):
        Trace.open(tmp_path / "a.hwt")
    with pytest.raises(TraceFileError, match=r"none\.hwt' cannot be opened"):
        Trace.open(tmp_path / "none.hwt")


def damaged(path, section, place, value):
    raw = bytearray(path.read_bytes())
    header = json.loads(raw[16 : 16 + int.from_bytes(raw[8:16], "little")])
    begin = header["sections"][section][0] + place
    raw[begin : begin + len(value)] = value
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("section", "place", "value", "what"),
    [
        ("ids", 8, b"\xff\xff\0\0", "instruction 2 names static record 65535"),
        ("statics", 9, b"\x63", "static record 0 is out of range"),
        ("statics", 32 + 16, b"\x80", "static record 1 is out of range"),
        ("index", 0, b"\1", "index"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, section, place, value, what):
    ids, addresses = random_trace(100)
    path = damaged(write(tmp_path / "a.hwt", ids, addresses), section, place, value)
    with pytest.raises(TraceFileError, match=what), Trace.open(path) as trace:
        list(trace.chunks())


def test_a_damaged_header_is_refused(tmp_path):
    ids, addresses = random_trace(100)
    path = write(tmp_path / "a.hwt", ids, addresses)
    good = path.read_bytes()
    for old, new in [(b'"meta"', b'"meto"'), (b'{"meta"', b"((meta)"), (b'"ids": [', b'"ids": 7 ')]:
        path.write_bytes(good.replace(old, new, 1))
        with pytest.raises(TraceFileError, match=r"header.* is damaged"):
            Trace.open(path)


@pytest.mark.parametrize("window", [(0, 0, None), (1, -1, None), (1, 5, 4)])
def test_a_window_that_cannot_be_meant_is_refused(tmp_path, window):
    ids, addresses = random_trace(10)
    with Trace.open(write(tmp_path / "a.hwt", ids, addresses)) as trace, pytest.raises(TraceFileError):
        list(trace.chunks(*window))


@pytest.mark.parametrize(
    "field",
    [
        {"loads": 9},
        {"stores": -1},
        {"op": 12},
        {"branch": 8},
        {"pc": -1},
        {"pc": 2**64},
        {"size": 256},
        {"sources": [1, 2, 3, 4, 5, 6, 7]},
        {"destinations": [128]},
    ],
)
def test_a_static_field_out_of_range_is_refused(field):
    with pytest.raises(SpecError, match=next(iter(field))):
        static_record(**field)


@given(st.lists(st.lists(st.integers(0, 40), max_size=50), max_size=8))
def test_the_table_numbers_records_as_a_dictionary_does(batches):
    table, reference = StaticTable(), {}
    for batch in batches:
        records = np.array([static_record(pc=pc // 2, loads=pc % 2) for pc in batch], STATIC_DTYPE)
        wanted = [reference.setdefault(pc, len(reference)) for pc in batch]
        assert table.intern(records).tolist() == wanted
    assert len(table) == len(reference)
    assert (2 * table.records["pc"] + table.records["loads"]).tolist() == list(reference)


def test_the_table_grows_and_keeps_its_numbers():
    table = StaticTable()
    records = np.zeros(20_000, STATIC_DTYPE)
    records["pc"] = np.arange(20_000) * 4
    table.intern(records[:10])
    early = table.records
    np.testing.assert_array_equal(table.intern(records), np.arange(20_000))
    np.testing.assert_array_equal(table.intern(records[::-1]), np.arange(20_000)[::-1])
    assert early["pc"].tolist() == list(range(0, 40, 4))


def test_the_table_is_bounded():
    table = StaticTable(limit=5000, owner="trace 'x'")
    records = np.zeros(5001, STATIC_DTYPE)
    records["pc"] = np.arange(5001)
    assert table.intern(records[:5000])[-1] == 4999
    with pytest.raises(TraceFileError, match="trace 'x' has more than 5000 distinct static"):
        table.intern(records)


def test_operand_counts_are_loads_and_stores():
    table = np.array([static_record(loads=2, stores=1), static_record(), static_record(stores=8)])
    assert operand_counts(table).tolist() == [3, 0, 8]


def test_an_unknown_instruction_set_is_refused():
    with pytest.raises(TraceFileError, match="isa 'z80'"):
        make_meta("a", "z80")


def test_the_door_of_the_module_is_complete():
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"sections": {"ids": [', b'"sections": {"ids": [Infinity, '),
        (b'{"meta": {"source": "a"', b'{"meta": ' + b"[" * 3000),
        (b'"source": "a"', b'"sourcf": "a"'),
        (b'"isa": "unknown"', b'"isa": "unknowm"'),
        (b'"instructions": 9', b'"instructions": 8'),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path, old, new):
    path = tmp_path / "a.hwt"
    with TraceWriter(path, make_meta("a")) as writer:
        writer.write([writer.static(pc=4)] * 9, [])
    raw = path.read_bytes()
    assert old in raw
    more = raw.replace(old, new, 1)
    # The padding of the header takes the difference.
    end = more.index(b"   " * 20, 16)
    path.write_bytes(more[:end] + more[end + len(more) - len(raw) :])
    with pytest.raises(TraceFileError, match=r"a\.hwt'.* is damaged"):
        Trace.open(path)


def test_an_index_that_disagrees_with_the_instructions_is_found(tmp_path):
    path = tmp_path / "a.hwt"
    with TraceWriter(path, make_meta("a")) as writer:
        writer.write([writer.static(pc=4, loads=1)] * (1 << 17), np.arange(1 << 17))
    raw = bytearray(path.read_bytes())
    raw[raw.rindex((1 << 16).to_bytes(8, "little"))] ^= 1
    path.write_bytes(raw)
    with Trace.open(path) as trace, pytest.raises(TraceFileError, match="disagree at instruction 65536"):
        list(trace.chunks(size=1 << 16))
