"""Traces in text: each format against a parser of a few lines, and every way to be wrong."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo import _format_bytes, _format_text
from hwmodel.cryo.trace import ACCESS_ONLY
from hwmodel.cryo.trace_formats import FORMATS, detect_format, open_trace
from hwmodel.errors import TraceFileError, UnknownNameError

pytestmark = pytest.mark.kernels


@pytest.fixture
def text(tmp_path):
    def make(content, name="a.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return make


def joined(events):
    """Reference: (kind, address, size) to (pc, loads, stores, only an access), as the format's page says."""
    found, current = [], None
    for kind, address, _ in events:
        if kind == "I":
            current = [address, [], [], False]
            found.append(current)
            continue
        ways = {"L": "L", "S": "S", "M": "LS"}[kind]
        full = current is None or any(len(current[1 if way == "L" else 2]) == 8 for way in ways)
        if full:
            current = None
            found += [[0, [address] * (way == "L"), [address] * (way == "S"), True] for way in ways]
            continue
        for way in ways:
            current[1 if way == "L" else 2].append(address)
    return found


def short(read):
    return [[r["pc"], r["loads"], r["stores"], bool(r["flags"] & ACCESS_ONLY)] for r in read]


EVENTS = st.lists(
    st.tuples(st.sampled_from("IILSM"), st.integers(0, 2**64 - 1), st.integers(1, 64)),
    min_size=1,
    max_size=60,
)
BURSTS = st.integers(9, 40).map(lambda n: [("I", 64, 4)] + [("L", 8 * k, 8) for k in range(n)])


@given(st.one_of(EVENTS, BURSTS))
def test_lackey_joins_accesses_with_their_instruction(tmp_path_factory, plain, events):
    path = tmp_path_factory.mktemp("lackey") / "a.lackey"
    lines = [f"{'' if k == 'I' else ' '}{k}  {a:08x},{s}" for k, a, s in events]
    path.write_text("==1== Lackey\n" + "\n".join(lines) + "\n==1== end\n")
    assert short(plain(open_trace(path))) == joined(events)


@given(st.one_of(EVENTS, BURSTS))
def test_din_joins_accesses_with_their_instruction(tmp_path_factory, plain, events):
    events = [(kind.replace("M", "L"), *rest) for kind, *rest in events]
    path = tmp_path_factory.mktemp("din") / "a.din"
    path.write_text("".join(f"{'LSI'.index(k)} {a:x}\n" for k, a, _ in events))
    assert short(plain(open_trace(path))) == joined(events)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_lines_may_cross_the_borders_of_blocks(text, plain, small_blocks, size):
    content = "I  1000,4\n L 20,8\n S 28,8\nI  1004,2\n M 30,4\n\nI  1006,3"
    whole = plain(open_trace(text(content), "lackey"))
    small_blocks(size)
    assert plain(open_trace(text(content), "lackey")) == whole
    assert [r["pc"] for r in whole] == [0x1000, 0x1004, 0x1006]


def test_lackey_keeps_sizes(text, plain):
    trace = open_trace(text("I  1000,4\n L 20,8\n S 28,2\nI  1004,3\n M 30,16\n"))
    found = plain(trace)
    assert [(r["size"], r["load_size"], r["store_size"]) for r in found] == [(4, 8, 2), (3, 16, 16)]
    assert trace.meta["has_pc"]
    assert (trace.meta["instructions"], trace.meta["operands"]) == (2, 4)


def test_accesses_of_one_instruction_and_several_sizes_take_the_greatest_and_are_counted(text, plain):
    trace = open_trace(text("I  1000,4\n L 20,8\n L 28,16\n L 38,8\nI  1004,4\n L 20,8\n L 28,8\n"))
    assert [r["load_size"] for r in plain(trace)] == [16, 8]
    assert trace.meta["mixed_sizes"] == 2


def test_din_without_fetches_is_a_stream_of_accesses(text, plain):
    trace = open_trace(text("0 10\n1 0x20\n0 30 a comment\n4 0\n3 7\n", "a.din"))
    assert short(plain(trace)) == [[0, [0x10], [], True], [0, [], [0x20], True], [0, [0x30], [], True]]
    assert not trace.meta["has_pc"]
    assert trace.meta["ignored_records"] == 2


def test_extended_din_has_sizes_and_letters(text, plain):
    trace = open_trace(text("i 400000 4\nr 1000 8\nW 0x2000 0x10\nm 3000 4\nc 0 0\nv 0 0\n"))
    [found] = plain(trace)
    assert (found["pc"], found["size"]) == (0x400000, 4)
    assert (found["loads"], found["stores"]) == ([0x1000, 0x3000], [0x2000])
    assert (found["load_size"], found["store_size"]) == (8, 16)
    assert trace.meta["ignored_records"] == 2


def test_pinatrace_keeps_the_instruction_s_address(text, plain):
    found = plain(open_trace(text("0x401000: R 0x7ffe0010\n0x401003: W 0x7ffe0018\n#eof\n")))
    assert short(found) == [[0x401000, [0x7FFE0010], [], True], [0x401003, [], [0x7FFE0018], True]]


def test_ramulator_memory_traces(text, plain):
    found = plain(open_trace(text("0x12345680 R\n0x4cbd56c0 W\n35d46f00 R\n")))
    assert [(r["loads"], r["stores"]) for r in found] == [
        ([0x12345680], []),
        ([], [0x4CBD56C0]),
        ([0x35D46F00], []),
    ]


def test_ramulator_load_store_traces(text, plain):
    found = plain(open_trace(text("LD 0x100\nST 256\n")))
    assert [(r["loads"], r["stores"]) for r in found] == [([256], []), ([], [256])]


def test_ramulator_processor_traces_have_bubbles(text, plain):
    found = plain(open_trace(text("3 20734016\n1 20846400 20734144\n0 64\n"), "ramulator-cpu"))
    kinds = ["L" if r["loads"] else "S" if r["stores"] else "." for r in found]
    assert "".join(kinds) == "...L.LSL"
    assert [r["loads"] + r["stores"] for r in found if r["flags"]] == [
        [20734016],
        [20846400],
        [20734144],
        [64],
    ]


def test_many_bubbles_come_in_batches(text, monkeypatch):
    monkeypatch.setattr(_format_text, "PIECE", 100)
    trace = open_trace(text("1000 64\n30 128\n90 64\n90 64\n"), "ramulator-cpu")
    chunks = list(trace.chunks())
    assert max(map(len, chunks)) <= 200
    assert sum(map(len, chunks)) == 1000 + 30 + 90 + 90 + 4
    assert np.concatenate([c.addresses for c in chunks]).tolist() == [64, 128, 64, 64]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_packed_text_is_unpacked(tmp_path, plain, pack):
    (tmp_path / "a.din.packed").write_bytes(pack(b"0 10\n1 20\n"))
    assert len(plain(open_trace(tmp_path / "a.din.packed", "din"))) == 2


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_a_packed_file_that_ends_early_is_refused(tmp_path, plain, pack):
    draw = np.random.default_rng(1)
    content = "".join(f"0 {a:x}\n" for a in draw.integers(0, 2**40, 2000)).encode()
    packed = pack(content)
    (tmp_path / "a.din").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(TraceFileError, match=r"a\.din' is truncated or damaged: .* unpacked bytes"):
        plain(open_trace(tmp_path / "a.din", "din"))


@pytest.mark.parametrize(
    ("name", "content", "line", "byte"),
    [
        ("din", "0 10\n5 20\n", 2, 5),
        ("din", "0 10\n\n0 xyz\n", 3, 6),
        ("din", "r 10 4\nr 20\n", 2, 7),
        ("din", "0 10\n0 12345678901234567\n", 2, 5),
        ("din", "0 10\n010\n", 2, 5),
        ("lackey", "I  1000,4\nhello\n", 2, 10),
        ("lackey", "I  1000,4\n L 20;8\n", 2, 10),
        ("lackey", "I  1000,4\n L 20,8 9\n", 2, 10),
        ("lackey", "X  1000,4\n", 1, 0),
        ("pinatrace", "0x1: R 0x2\n0x1: X 0x2\n", 2, 11),
        ("pinatrace", "0x1 R 0x2\n", 1, 0),
        ("pinatrace", "0x1: R\n", 1, 0),
        ("ramulator", "0x10 R\n0x10 P\n", 2, 7),
        ("ramulator", "0x10\n", 1, 0),
        ("ramulator-ls", "LD 1\nLS 2\n", 2, 5),
        ("ramulator-ls", "LD\n", 1, 0),
        ("ramulator-cpu", "3 64\n3\n", 2, 5),
        ("ramulator-cpu", "3 64 72 80\n", 1, 0),
    ],
)
def test_a_malformed_line_is_named(text, plain, name, content, line, byte):
    with pytest.raises(TraceFileError) as caught:
        plain(open_trace(text(content), name))
    message = str(caught.value)
    assert f"a.txt', line {line} (byte {byte}), read as {name}: found" in message
    assert content.splitlines()[line - 1] in message
    assert " is wanted; " in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("din", "0 10\n0"),
        ("din", "r 10 4\nr 20"),
        ("lackey", "I  1000,4\n L 20,"),
        ("pinatrace", "0x1: R 0x2\n0x1: R"),
        ("pinatrace", "0x1: R 0x2\n"),
        ("ramulator", "0x10 R\n0x20"),
        ("ramulator-ls", "LD 1\nST"),
        ("ramulator-cpu", "3 64\n3"),
    ],
)
def test_text_that_ends_inside_a_line_is_truncated(text, plain, name, content):
    with pytest.raises(TraceFileError, match=r"a\.txt' is truncated"):
        plain(open_trace(text(content), name))


def test_the_line_number_holds_over_blocks(text, plain, small_blocks):
    small_blocks(50)
    with pytest.raises(TraceFileError, match=r"line 1001 \(byte 5000\)"):
        plain(open_trace(text("0 10\n" * 1000 + "bad\n"), "din"))


def test_a_line_without_end_is_refused(text, plain, monkeypatch, small_blocks):
    monkeypatch.setattr(_format_bytes, "LONGEST", 1000)
    small_blocks(100)
    with pytest.raises(TraceFileError, match="hold no whole record"):
        plain(open_trace(text("0 10" + " " * 5000), "din"))


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "hwt"])
def test_an_empty_file_is_refused(text, plain, name):
    with pytest.raises(TraceFileError, match=r"a\.txt"):
        plain(open_trace(text(""), name))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("==123== Lackey, an example\nI  04,3\n", "lackey"),
        (" L 1ffe,8\n", "lackey"),
        ("0x40: R 0x50\n", "pinatrace"),
        ("LD 0x40\n", "ramulator-ls"),
        ("0x12345680 R\n", "ramulator"),
        ("2 400000\n", "din"),
        ("r 400000 4\n", "din"),
        ("120 20734016\n", "ramulator-cpu"),
    ],
)
def test_the_format_of_text_is_told_by_its_first_line(text, content, name):
    assert detect_format(text(content)) == name


def test_the_format_is_told_by_the_name(text):
    assert detect_format(text("", "x.lines.delta_i64.xz")) == "lines"
    assert detect_format(text("", "600.perlbench.champsimtrace.xz")) == "champsim"
    assert detect_format(text("", "pinatrace.out")) == "pinatrace"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("hello world\n", "first line is 'hello world'"),
        ("", "is empty"),
        ("desc: I1 cache\ncmd: ls\n", "a cachegrind or callgrind result, not a trace"),
    ],
)
def test_a_format_that_cannot_be_told_is_refused(text, content, what):
    with pytest.raises(TraceFileError, match=what):
        detect_format(text(content))


def test_an_unknown_format_offers_the_nearest(text):
    with pytest.raises(UnknownNameError, match="did you mean 'champsim'"):
        open_trace(text(""), "chamsim")


def test_a_missing_file_is_named(tmp_path):
    for name in (None, "din", "hwt"):
        with pytest.raises(TraceFileError, match=r"none\.din' cannot be opened"):
            open_trace(tmp_path / "none.din", name)


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"\x28\xb5\x2f\xfd", "zstd"), (b"\x04\x22\x4d\x18", "lz4"), (b"\xff\x06\0\0sNaPpY", "snappy")],
)
def test_a_packing_that_is_not_read_is_named(tmp_path, start, name):
    (tmp_path / "a").write_bytes(start + bytes(40))
    with pytest.raises(TraceFileError, match=f"packed by {name}, which is not read; unpack it"):
        open_trace(tmp_path / "a")


@given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 60), st.integers(0, 60))
def test_any_window_of_a_reader_is_that_part_of_the_whole(tmp_path_factory, plain, count, size, start, more):
    path = tmp_path_factory.mktemp("window") / "a.din"
    path.write_text("".join(f"{k % 3} {k:x}\n" for k in range(count)))
    whole = plain(open_trace(path))
    assert plain(open_trace(path), size=size, start=start, stop=start + more) == whole[start : start + more]


def test_a_reader_can_be_read_again(text, plain):
    trace = open_trace(text("0 10\n1 20\n", "a.din"))
    assert plain(trace) == plain(trace)


def test_the_static_table_is_bounded(text, plain):
    path = text("".join(f"2 {4 * k:x}\n" for k in range(200)), "a.din")
    assert len(plain(open_trace(path, max_statics=4096))) == 200
    many = text("".join(f"2 {4 * k:x}\n" for k in range(5000)), "b.din")
    with pytest.raises(TraceFileError, match=r"b\.din' has more than 4096 distinct static"):
        plain(open_trace(many, max_statics=4096))


@pytest.mark.parametrize("name", ["din", "lackey", "ramulator", "ramulator-ls", "ramulator-cpu"])
def test_comments_are_passed_over(text, plain, name):
    lines = {
        "din": "0 10",
        "lackey": " L 10,8",
        "ramulator": "0x10 R",
        "ramulator-ls": "LD 16",
        "ramulator-cpu": "0 16",
    }
    path = text(f"# made by hand\n{lines[name]}\n  # and no more\n")
    assert [r["loads"] for r in plain(open_trace(path, name))] == [[16]]


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("LD 18446744073709551615", 2**64 - 1),
        ("LD 18446744073709551616", None),
        ("LD 99999999999999999999", None),
        ("LD 00000000000000000000000064", 64),
        ("LD 0xffffffffffffffff", 2**64 - 1),
        ("LD 0x10000000000000000", None),
        ("LD 0x00000000000000000000000040", 64),
        ("LD -64", None),
    ],
)
def test_numbers_reach_to_64_bits(text, plain, line, address):
    path = text(f"{line}\n")
    if address is None:
        with pytest.raises(TraceFileError, match=r"a\.txt', line 1 \(byte 0\)"):
            plain(open_trace(path, "ramulator-ls"))
    else:
        assert [r["loads"] for r in plain(open_trace(path, "ramulator-ls"))] == [[address]]


def test_a_processor_trace_whose_first_line_could_be_dineros_is_known(text):
    assert detect_format(text("3 20734016\n1 20846400\n6 20734208\n8 20841280 20841280\n")) == "ramulator-cpu"
    assert detect_format(text("0 20734016\n1 20846400\n2 20734208\n")) == "din"


def test_too_many_bubbles_are_refused_with_a_remedy(text):
    with pytest.raises(TraceFileError, match=r"99999999999 bubbles in one line.*another format"):
        list(open_trace(text("99999999999 64\n"), "ramulator-cpu").chunks())
