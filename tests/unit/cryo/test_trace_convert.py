"""Conversion into the internal trace, and the facts about a trace, for every format."""

from __future__ import annotations

import gzip
import lzma
import os
import signal
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.cryo.trace import Op, Trace, operand_counts
from hwmodel.cryo.trace_formats import convert, open_trace, trace_facts
from hwmodel.errors import OutputError, TraceFileError

from .trace_makers import SAMPLES

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("name", SAMPLES)
def test_a_converted_trace_reads_as_its_source_does(file, tmp_path, plain, name):
    source = file(SAMPLES[name])
    meta = convert(source, tmp_path / "a.hwt", name)
    whole = plain(open_trace(source, name))
    with Trace.open(tmp_path / "a.hwt") as trace:
        assert plain(trace) == whole
        assert trace.meta == meta
        assert meta["instructions"] == len(whole)
        assert meta["format"] == name


@pytest.mark.parametrize("name", SAMPLES)
def test_a_converted_window_is_that_part(file, tmp_path, plain, name):
    source = file(SAMPLES[name])
    meta = convert(source, tmp_path / "a.hwt", name, start=1, limit=2)
    with Trace.open(tmp_path / "a.hwt") as trace:
        assert plain(trace) == plain(open_trace(source, name))[1:3]
    assert meta["window"] == [1, 1 + meta["instructions"]]


def test_a_failed_conversion_leaves_nothing(file, tmp_path):
    source = file(SAMPLES["champsim"][:-1])
    with pytest.raises(TraceFileError, match="truncated"):
        convert(source, tmp_path / "a.hwt", "champsim")
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


@pytest.mark.parametrize(
    ("target", "window", "what"),
    [
        ("a.hwt", {"start": -1}, "start is at least 0"),
        ("a.hwt", {"limit": 0}, "limit at least 1"),
        ("a.hwt", {"start": 50}, "no instruction from 50 on"),
        ("a.trace", {}, r"has the suffix \.hwt"),
    ],
)
def test_a_conversion_that_cannot_be_meant_is_refused(file, tmp_path, target, window, what):
    with pytest.raises(TraceFileError, match=what):
        convert(file(SAMPLES["champsim"]), tmp_path / target, "champsim", **window)


@pytest.mark.parametrize("name", SAMPLES)
def test_facts_count_what_is_there(file, plain, name):
    source = file(SAMPLES[name])
    read = plain(open_trace(source, name))
    facts = trace_facts(open_trace(source, name))
    addresses = [a for r in read for a in r["loads"] + r["stores"]]
    assert facts.instructions == len(read)
    assert (facts.loads, facts.stores) == (
        sum(len(r["loads"]) for r in read),
        sum(len(r["stores"]) for r in read),
    )
    assert facts.operands == len(addresses)
    assert facts.data_lines == len({a >> 6 for a in addresses})
    known = [r for r in read if not r["flags"]]
    assert facts.pcs == len({r["pc"] for r in known})
    assert facts.accesses_only == len(read) - len(known)
    assert facts.branches == sum(r["branch"] != 0 for r in read)
    assert facts.taken == sum(r["taken"] for r in read)
    assert facts.operations["INT"] == sum(r["op"] == Op.INT for r in known)


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(max_examples=300)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path_factory, name, data):
    """No damage leads to another error, or to instructions whose operands do not add up."""
    raw = bytearray(SAMPLES[name])
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    del raw[data.draw(st.integers(0, len(raw))) :]
    path = tmp_path_factory.mktemp("damaged") / "a.bin"
    path.write_bytes(raw)
    message = ""
    try:
        for chunk in open_trace(path, name).chunks():
            counts = operand_counts(chunk.statics)[chunk.indices]
            assert counts.sum() == len(chunk.addresses)
    except TraceFileError as error:
        message = str(error)
    assert not message or "a.bin'" in message


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_file_reads_as_the_plain_one_and_is_refused_when_cut(file, plain, name, pack):
    packed = pack(SAMPLES[name])
    assert plain(open_trace(file(packed), name)) == plain(open_trace(file(SAMPLES[name], "b.bin"), name))
    with pytest.raises(TraceFileError, match=r"a\.bin' is truncated or damaged: its compressed stream fails"):
        plain(open_trace(file(packed[:-9]), name))


@pytest.mark.parametrize("name", [None, "din", "champsim"])
def test_a_folder_is_no_trace(tmp_path, name):
    with pytest.raises(TraceFileError, match="cannot be opened: it is a folder"):
        open_trace(tmp_path, name)


@pytest.mark.parametrize("name", [None, "din"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        TraceFileError, match="it is a pipe or a device; write what it gives into a file first"
    ):
        open_trace(tmp_path / "pipe", name)


@given(st.integers(0, 200), st.integers(0, 7))
@settings(max_examples=200)
def test_a_damaged_zip_file_is_read_or_refused_and_nothing_else(tmp_path_factory, place, bit):
    """Each bit of its headers, among them those of the method, the version and the encryption."""
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.din", SAMPLES["din"])
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] ^= 1 << bit
    path.write_bytes(raw)
    message = ""
    try:
        list(open_trace(path, "din").chunks())
    except TraceFileError as error:
        message = str(error)
    assert not message or "a.zip'" in message


@pytest.mark.parametrize("place", [4, 6, 8, "method", "flags"])
def test_a_zip_file_that_python_cannot_unpack_is_named(tmp_path, place):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.din", SAMPLES["din"])
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    at = {"method": central + 10, "flags": central + 8}.get(place, place)
    raw[at] = {"method": 99, "flags": 1}.get(place, 0xFF)
    path.write_bytes(raw)
    try:
        list(open_trace(path, "din").chunks())
    except TraceFileError as error:
        assert "a.zip'" in str(error)  # noqa: PT017 - some damage does no harm
    else:
        assert place in (4, 6, 8)


def test_an_empty_zip_file_is_named(tmp_path):
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    with pytest.raises(TraceFileError, match="zip without a file in it"):
        open_trace(tmp_path / "a.zip")


def test_a_folder_is_no_target(file, tmp_path):
    (tmp_path / "a.hwt").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        convert(file(SAMPLES["din"]), tmp_path / "a.hwt", "din")


def test_a_trace_is_converted_onto_itself(file, tmp_path, plain):
    target = tmp_path / "a.hwt"
    convert(file(SAMPLES["din"]), target, "din")
    with open_trace(target) as trace:
        whole = plain(trace)
    convert(target, target, start=1)
    with open_trace(target) as trace:
        assert plain(trace) == whole[1:]


def test_a_conversion_that_is_killed_leaves_nothing(file, tmp_path):
    """Not even under another name; and what stood there before stays."""
    source, target = file(SAMPLES["din"]), tmp_path / "a.hwt"
    target.write_bytes(b"before")
    code = (
        "import os, signal, sys; from hwmodel.cryo.trace_formats import convert; "
        "convert(sys.argv[1], sys.argv[2], 'din', progress=lambda n: os.kill(os.getpid(), signal.SIGKILL))"
    )
    done = subprocess.run([sys.executable, "-c", code, source, target], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"before"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([source.name, "a.hwt"])


def test_the_readers_load_no_compiler_before_they_read():
    code = "import sys, hwmodel.cryo.trace_formats; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
