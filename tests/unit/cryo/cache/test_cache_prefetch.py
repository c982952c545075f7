"""Prefetchers: which lines they ask for, and how their lines are counted."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from hwmodel.cryo.cache import CacheSpec, Hierarchy, Prefetch
from tests.unit.cryo.cache import models

HUGE = 1 << 22  # no line ever leaves, so a line was asked for if and only if it is there


def with_prefetch(given_prefetch, size=HUGE, ways=16):
    return Hierarchy([CacheSpec(size, ways, prefetch=given_prefetch), CacheSpec(HUGE, 16)])


def next_line_misses(lines, degree):
    """(misses, lines brought in, useful ones) of a tagged next-line prefetcher in a cache without end."""
    held, fresh, misses, brought, useful = set(), set(), 0, 0, 0
    for line in lines:
        trigger = line not in held or line in fresh
        misses += line not in held
        useful += line in fresh
        held.add(line)
        fresh.discard(line)
        for target in range(line + 1, line + 1 + degree) if trigger else ():
            if target not in held:
                held.add(target)
                fresh.add(target)
                brought += 1
    return misses, brought, useful


@given(lines=st.lists(st.integers(0, 200), max_size=200), degree=st.integers(1, 4))
def test_next_line_is_triggered_by_misses_and_first_uses(lines, degree):
    found = with_prefetch(Prefetch("next_line", degree)).run(lines, lines=True)["l1d"]
    assert (found.misses, found.prefetches, found.useful_prefetches) == next_line_misses(lines, degree)


@given(
    steps=st.lists(st.sampled_from([0, 8, 64, 64, 64, 200, 200, -128]), max_size=80), degree=st.integers(1, 3)
)
def test_stride_follows_one_load_as_its_table_says(steps, degree):
    history = (1 << 20) + np.cumsum([0, *steps])
    held, misses, brought = set(), 0, 0
    for address, targets in zip(
        history.tolist(), models.stride_targets(history.tolist(), degree), strict=True
    ):
        misses += address // 64 not in held
        held.add(address // 64)
        brought += len(set(targets) - held)
        held |= set(targets)
    caches = with_prefetch(Prefetch("stride", degree))
    caches.run_chunk(history, pc=np.full(len(history), 0x400))
    assert (caches.stats()["l1d"].misses, caches.stats()["l1d"].prefetches) == (misses, brought)


def test_stride_keeps_loads_apart_by_their_program_counters():
    """Two loads in turn, each with a stride of its own: together they have none."""
    addresses = np.ravel(np.column_stack([np.arange(50) * 128, (1 << 20) + np.arange(50) * 192]))
    apart, mixed = with_prefetch("stride"), with_prefetch("stride")
    apart.run_chunk(addresses, pc=np.tile([0x400, 0x408], 50))
    mixed.run_chunk(addresses, pc=np.full(100, 0x400))
    assert apart.stats()["l1d"].misses == 6  # three of each until its stride is known
    assert mixed.stats()["l1d"].prefetches == 0


def test_stride_rests_without_program_counters():
    caches = with_prefetch("stride")
    caches.run_chunk(np.arange(100) * 64)
    assert caches.stats()["l1d"].prefetches == 0


@pytest.mark.parametrize("step", [1, -1])
def test_stream_is_confirmed_by_two_steps_in_one_direction(step):
    lines = 10_000 + step * np.arange(100)
    found = with_prefetch(Prefetch("stream", degree=2)).run(lines, lines=True)["l1d"]
    assert found.misses == 3
    assert found.useful_prefetches == 97
    assert found.prefetches == 99


def test_streams_are_followed_apart():
    lines = np.ravel(np.column_stack([np.arange(50), 100_000 + np.arange(50), 200_000 - np.arange(50)]))
    assert with_prefetch(Prefetch("stream", entries=4)).run(lines, lines=True)["l1d"].misses == 9
    assert with_prefetch(Prefetch("stream", entries=1)).run(lines, lines=True)["l1d"].misses == 150


def test_best_offset_learns_a_distance():
    """Every third line: only offsets that three divides help, and the smallest of these in time wins."""
    lines = np.arange(20_000) * 3
    found = with_prefetch(Prefetch("best_offset", delay=4)).run(lines, lines=True)["l1d"]
    late = with_prefetch(Prefetch("best_offset", delay=4)).run(np.arange(2_000) * 3, lines=True)["l1d"]
    assert found.misses == late.misses < 2_000  # all of them before the first offset was learnt


def test_best_offset_gives_up_on_noise():
    lines = np.random.default_rng(4).integers(0, 1 << 40, 60_000)
    found = with_prefetch("best_offset").run(lines, lines=True)["l1d"]
    assert found.prefetches < 0.2 * len(lines)


def test_lines_that_leave_unused_are_counted():
    caches = with_prefetch("next_line", size=256, ways=4)
    found = caches.run(np.arange(0, 1000, 10), lines=True)["l1d"]
    assert found.prefetches == 100
    assert found.useless_prefetches == 98  # two are still there
    caches.flush()
    assert caches.stats()["l1d"].useless_prefetches == 100


def test_reads_for_prefetches_are_no_demand_below():
    caches = with_prefetch("next_line")
    caches.run([0], lines=True)
    below = caches.stats()["l2"]
    assert (below.read_accesses, below.prefetch_accesses, below.prefetch_misses) == (1, 1, 1)
    assert (caches.memory_stats().reads, caches.memory_stats().prefetch_reads) == (1, 1)


def test_a_prefetcher_of_the_second_level_fills_only_that():
    caches = Hierarchy([CacheSpec(1024, 2), CacheSpec(HUGE, 16, prefetch="next_line")])
    caches.run([0, 1], lines=True)
    assert caches.stats()["l1d"].misses == 2
    assert (caches.stats()["l2"].misses, caches.stats()["l2"].useful_prefetches) == (1, 1)


def test_exclusive_levels_prefetch_no_line_that_is_above():
    caches = Hierarchy([CacheSpec(1024, 16), CacheSpec(4096, 64, prefetch="next_line")], "exclusive")
    caches.run([1, 0], lines=True)
    assert caches.stats()["l2"].prefetches == 1  # line 2; line 1 is in the first level


@pytest.mark.parametrize("kind", ["next_line", "stream", "best_offset"])
def test_prefetches_are_useful_useless_or_still_there(kind):
    rng = np.random.default_rng(2)
    lines = np.cumsum(rng.integers(0, 4, 5000)) % 3000
    caches = with_prefetch(kind, size=8192, ways=8)
    caches.run(lines, lines=True)
    caches.flush()
    found = caches.stats()["l1d"]
    assert found.prefetches == found.useful_prefetches + found.useless_prefetches > 0
