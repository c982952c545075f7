"""Functional caches against DineroIV v7 on streams of three programs, in two configurations.

DineroIV writes dirty lines down when it ends; after `flush` our writes below the first level are its writes too.
"""

from __future__ import annotations

import lzma
import re

import numpy as np
import pytest

from hwmodel.cryo.cache import CacheSpec, Hierarchy
from hwmodel.cryo.trace_formats import open_trace

LEVELS = {
    "big": [("32 kB", 8), ("256 kB", 8), ("8 MB", 16)],
    "small": [("4 kB", 4), ("32 kB", 8), ("256 kB", 16)],
}
RUNS = pytest.mark.parametrize(("name", "size"), [(n, s) for n in ("bfs", "is", "pr") for s in LEVELS])


def caches_of(size, **more):
    return Hierarchy([CacheSpec(*geometry) for geometry in LEVELS[size]], **more)


def dinero(folder, name, size):
    """(reads, writes, read misses, write misses, lines to memory) of each level, from DineroIV's report."""
    text = (folder / "cryo" / "expected" / f"{name}.{size}.dinero.txt").read_text()
    rows = []
    for part in re.split(r"^l\d-[du]cache$", text.split("Simulation complete")[1], flags=re.MULTILINE)[1:]:
        row = [
            int(number)
            for label in ("Demand Fetches", "Demand Misses")
            for number in re.search(rf"{label}(.*)$", part, re.MULTILINE)[1].split()[3:5]
        ]
        rows.append((*row, int(re.search(r"Bytes To Memory\s+(\d+)", part)[1]) // 64))
    return rows


def counts(caches):
    return [
        (s.read_accesses, s.write_accesses, s.read_misses, s.write_misses, s.writebacks)
        for s in caches.stats().values()
    ]


def stream(folder, name):
    packed = folder / "cryo" / "traces" / f"{name}.lines.delta_i64.xz"
    values = np.frombuffer(lzma.decompress(packed.read_bytes()), "<i8").cumsum()
    return values >> 1, (values & 1).astype(bool)


@RUNS
def test_misses_equal_dinero(reference_data, name, size):
    """Read misses at every level and write misses of the first, without a flush."""
    caches = caches_of(size)
    caches.run(open_trace(reference_data / "cryo" / "traces" / f"{name}.lines.delta_i64.xz"))
    wanted, found = dinero(reference_data, name, size), counts(caches)
    assert len(wanted) == 3
    assert [row[0] for row in found] == [row[0] for row in wanted]
    assert [row[2] for row in found] == [row[2] for row in wanted]
    assert (found[0][1], found[0][3]) == (wanted[0][1], wanted[0][3])


@RUNS
@pytest.mark.parametrize("general", [False, True])
def test_every_count_equals_dinero_after_a_flush(reference_data, name, size, general):
    """By the fast loop, and by the general one, which classification calls for."""
    caches = caches_of(size, classify=general)
    caches.run(stream(reference_data, name), lines=True)
    caches.flush()
    assert counts(caches) == dinero(reference_data, name, size)


@RUNS
def test_line_streams_read_as_traces_and_as_arrays(reference_data, name, size):
    from_trace, from_array = caches_of(size), caches_of(size)
    from_trace.run(open_trace(reference_data / "cryo" / "traces" / f"{name}.lines.delta_i64.xz"))
    from_array.run(stream(reference_data, name), lines=True)
    assert from_trace.stats() == from_array.stats()
