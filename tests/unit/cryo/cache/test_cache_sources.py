"""Caches fed from traces, and the loops as plain Python."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from hwmodel.cryo.cache import CacheSpec, CoherentCaches, Hierarchy, Paging, TlbSpec, reuse_distances
from hwmodel.cryo.trace import Trace, TraceWriter, make_meta
from tests.unit.cryo.cache import scenario


@pytest.fixture
def trace(tmp_path):
    """A load of 8 bytes that crosses a line at the second time, and an instruction with a load and a store."""
    path = tmp_path / "a.hwt"
    with TraceWriter(path, make_meta("a", has_pc=True)) as writer:
        load = writer.static(pc=0x1000, size=4, loads=1, load_size=8)
        both = writer.static(pc=0x103E, size=4, loads=1, stores=1, load_size=4, store_size=4)
        writer.write([load, load, both], [0x100, 0x17C, 0x200, 0x400])
    with Trace.open(path) as opened:
        yield opened


def test_an_access_that_crosses_a_line_is_two(trace):
    found = Hierarchy([CacheSpec(1 << 14, 4)]).run(trace)["l1d"]
    assert (found.read_accesses, found.write_accesses) == (4, 1)
    assert found.misses == 5  # lines 4, 5, 6, 8 and 16


def test_fetches_go_to_the_instruction_cache(trace):
    caches = Hierarchy([CacheSpec(1 << 14, 4)], instruction=CacheSpec(1 << 14, 4))
    found = caches.run(trace)
    assert (found["l1i"].read_accesses, found["l1i"].misses) == (4, 2)  # the last instruction crosses a line
    assert found["l1d"].accesses == 5


def test_instruction_pages_have_a_tlb_of_their_own(trace):
    caches = Hierarchy([CacheSpec(1 << 14, 4)], paging=Paging(TlbSpec(4), TlbSpec(4)))
    caches.run(trace)
    tlbs = caches.tlb_stats()
    assert (tlbs["data"].accesses, tlbs["instruction"].accesses) == (5, 4)


def test_windows_of_a_trace_add_up(trace):
    whole = Hierarchy([CacheSpec(128, 1)])
    parts = Hierarchy([CacheSpec(128, 1)])
    whole.run(trace)
    parts.run(trace, stop=1)
    parts.run(trace, start=1)
    assert whole.stats() == parts.stats()


def test_strides_are_learnt_from_a_trace(tmp_path):
    with TraceWriter(tmp_path / "b.hwt", make_meta("b", has_pc=True)) as writer:
        load = writer.static(pc=0x1000, size=4, loads=1, load_size=8)
        writer.write([load] * 100, (np.arange(100) * 256).tolist())
    with Trace.open(tmp_path / "b.hwt") as opened:
        found = Hierarchy([CacheSpec(1 << 16, 4, prefetch="stride")]).run(opened)["l1d"]
    assert found.misses == 3


def test_traces_have_reuse_distances_and_take_turns(trace):
    assert reuse_distances(trace).cold == 5
    both = CoherentCaches(2, [CacheSpec(1024, 2)], CacheSpec(1 << 14, 4)).run([trace, trace])
    assert both["core0.l1d"].accesses == both["core1.l1d"].accesses == 5


def test_loops_count_the_same_as_plain_python():
    """The same scenario in a process without the compiler."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.cryo.cache.scenario"],
        capture_output=True,
        text=True,
        env={**os.environ, "HWMODEL_JIT": "0"},
        check=True,
    )
    assert done.stdout.splitlines() == scenario.lines()
