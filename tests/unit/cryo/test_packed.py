"""Packed internal traces, and the folders of the cache in which their copies lie."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os

import numpy as np
import pytest

from hwmodel.cryo import _cached, _packed
from hwmodel.cryo.trace import Trace, TraceWriter, make_meta, pack
from hwmodel.cryo.trace_formats import convert, detect_format, open_trace
from hwmodel.errors import OutputError, TraceFileError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setattr(_cached._plugin, "cache_folder", lambda: cache)
    return cache / "traces"


@pytest.fixture
def plain_file(tmp_path):
    path = tmp_path / "a.hwt"
    with TraceWriter(path, make_meta("a loop", has_pc=True)) as writer:
        load = writer.static(pc=0x1000, size=4, loads=1, load_size=8)
        writer.write(np.full(1000, load), np.arange(1000) * 64)
    return path


@pytest.fixture
def packed(plain_file, tmp_path):
    target = tmp_path / "a.hwt.xz"
    pack(plain_file, target)
    return target


def content(trace):
    [chunk] = trace.chunks()
    return chunk.statics.tobytes(), chunk.ids.tobytes(), chunk.addresses.tobytes()


def test_a_packed_trace_is_that_which_was_packed(plain_file, packed):
    with Trace.open(plain_file) as one, Trace.open(packed) as other:
        assert content(one) == content(other)
        assert one.meta == other.meta
    assert packed.stat().st_size < plain_file.stat().st_size


def test_packing_twice_gives_the_same_bytes(plain_file, packed, tmp_path):
    pack(plain_file, tmp_path / "b.hwt.xz")
    assert (tmp_path / "b.hwt.xz").read_bytes() == packed.read_bytes()


def test_every_door_opens_a_packed_trace(packed, tmp_path):
    assert detect_format(packed) == "hwt"
    with open_trace(packed) as trace:
        assert trace.meta["instructions"] == 1000
    assert convert(packed, tmp_path / "b.hwt", start=990)["instructions"] == 10


def test_it_is_unpacked_once(packed, folder, monkeypatch):
    Trace.open(packed).close()
    monkeypatch.setattr(_packed, "_unpack", lambda *_: pytest.fail("it was unpacked again"))
    Trace.open(packed).close()
    assert len(list(folder.iterdir())) == 1


def test_a_changed_file_is_unpacked_anew(packed, folder, tmp_path):
    Trace.open(packed).close()
    with TraceWriter(tmp_path / "a.hwt", make_meta("another")) as writer:
        writer.write([writer.static()], [])
    pack(tmp_path / "a.hwt", packed)
    with Trace.open(packed) as trace:
        assert trace.meta["source"] == "another"
    assert len(list(folder.iterdir())) == 2


def test_a_plain_trace_is_not_copied(plain_file, folder):
    with Trace.open(plain_file) as trace:
        assert trace.path == plain_file
    assert not folder.exists()


@pytest.mark.parametrize("cut", [40, 200, -1])
def test_a_truncated_file_is_told_and_leaves_nothing(packed, folder, cut):
    packed.write_bytes(packed.read_bytes()[:cut])
    with pytest.raises(TraceFileError, match=r"a\.hwt\.xz.*make it again"):
        Trace.open(packed)
    assert list(folder.iterdir()) == []


def test_a_damaged_file_is_told(packed):
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    packed.write_bytes(content)
    with pytest.raises(TraceFileError, match="damaged"):
        Trace.open(packed)


def test_another_packed_file_is_told(tmp_path, folder):
    file = tmp_path / "a.hwt.xz"
    file.write_bytes(lzma.compress(b"no trace at all"))
    with pytest.raises(TraceFileError, match="no internal trace"):
        Trace.open(file)
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(packed, folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_packed, "_copy", full)
    with pytest.raises(OutputError, match="No space left"):
        Trace.open(packed)
    assert list(folder.iterdir()) == []


def test_a_missing_file_is_told_as_ever(tmp_path):
    with pytest.raises(TraceFileError, match="cannot be opened"):
        Trace.open(tmp_path / "none.hwt.xz")


@pytest.mark.parametrize(("fresh", "left"), [(True, ["new"]), (False, ["new", "old", "oldfolder"])])
def test_what_was_not_used_for_long_goes_when_something_new_comes(tmp_path, fresh, left):
    room = tmp_path / "room"
    (room / "oldfolder").mkdir(parents=True)
    for name in ("new", "old", "oldfolder/inner"):
        (room / name).write_text("x")
    for name in ("new", "old", "oldfolder"):
        os.utime(room / name, (1e9, 1e9))
    _cached.used(room / "new", fresh)
    assert sorted(entry.name for entry in room.iterdir()) == left


@pytest.mark.parametrize("module", [gzip, bz2])
def test_other_packings_are_unpacked_too(tmp_path, module):
    with TraceWriter(tmp_path / "a.hwt", make_meta("a")) as writer:
        writer.write([writer.static(pc=4)] * 3, [])
    packed = tmp_path / "b.hwt.z"
    packed.write_bytes(module.compress((tmp_path / "a.hwt").read_bytes()))
    with open_trace(packed) as trace:
        assert trace.instructions == 3
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(TraceFileError, match=r"b\.hwt\.z' is truncated or damaged"):
        open_trace(packed)
