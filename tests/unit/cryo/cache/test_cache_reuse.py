"""Reuse distances and miss-ratio curves."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from hwmodel.cryo.cache import CacheSpec, Hierarchy, miss_ratio_curve, reuse_distances
from hwmodel.cryo.cache import _reuse as private
from hwmodel.errors import QueueOverflowError, SpecError
from tests.unit.cryo.cache import models

LINES = st.lists(st.integers(0, 40), max_size=300)


@given(lines=LINES)
def test_distances_are_places_in_a_stack(lines):
    counts, cold = models.stack_distances(lines)
    found = reuse_distances(lines, lines=True)
    assert {n: int(count) for n, count in enumerate(found.counts) if count} == counts
    assert found.cold == cold


@given(lines=LINES)
@settings(max_examples=30)
def test_small_tables_change_nothing(lines):
    """With room for two lines at first, tables grow and times are numbered anew all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private, "FIRST_LINES", 2)
        found = reuse_distances(lines, lines=True)
    counts, cold = models.stack_distances(lines)
    assert {n: int(count) for n, count in enumerate(found.counts) if count} == counts
    assert found.cold == cold


@given(lines=LINES, size=st.integers(1, 50))
def test_the_curve_has_the_misses_of_every_size(lines, size):
    """Against a fully associative LRU cache of that many lines, which here is a list."""
    held, misses = [], 0
    for line in lines:
        if line in held:
            held.remove(line)
        else:
            misses += 1
        held = [*held, line][-size:]
    assert reuse_distances(lines, lines=True).misses(64 * size) == misses


def test_the_curve_meets_the_caches():
    """64 lines in 64 ways, on a long stream, whose times are numbered anew many times."""
    rng = np.random.default_rng(1)
    lines = (rng.zipf(1.2, 300_000) % 5000).astype(np.int64)
    sizes, ratios = miss_ratio_curve(lines, [4096], lines=True)
    cache = Hierarchy([CacheSpec(4096, 64)]).run(lines, lines=True)["l1d"]
    assert ratios.tolist() == [cache.miss_ratio]
    assert sizes.tolist() == [4096]


def test_a_curve_without_sizes_ends_where_everything_fits():
    sizes, ratios = miss_ratio_curve(np.tile(np.arange(100), 10), lines=True)
    assert sizes[-1] == 128 * 64
    assert ratios[-1] == 0.1
    assert ratios[-2] == 1.0


def test_a_sample_is_near_the_curve():
    rng = np.random.default_rng(2)
    lines = np.where(
        rng.random(400_000) < 0.5, rng.integers(0, 2_000, 400_000), rng.integers(0, 50_000, 400_000)
    )
    sizes = 64 * np.array([500, 2_000, 10_000, 40_000])
    exact = reuse_distances(lines, lines=True)
    sampled = reuse_distances(lines, lines=True, sample=0.1)
    np.testing.assert_allclose(sampled.miss_ratio(sizes), exact.miss_ratio(sizes), atol=0.02)
    assert abs(sampled.footprint - exact.footprint) < 0.05 * exact.footprint
    assert sampled.counts.sum() + sampled.cold < 0.12 * len(lines)


def test_addresses_of_one_line_are_one():
    assert reuse_distances([0, 63, 64], line=64).cold == 2
    assert reuse_distances([0, 63, 64], line=16).cold == 3


def test_memory_has_a_bound():
    with pytest.raises(QueueOverflowError, match="sample"):
        reuse_distances(np.arange(100_000), lines=True, max_lines=50_000)


@pytest.mark.parametrize("wrong", [{"line": 48}, {"sample": 0}, {"sample": 1.5}])
def test_what_cannot_be_meant_is_refused(wrong):
    with pytest.raises(SpecError):
        reuse_distances([0], **wrong)


def test_no_accesses_have_no_misses():
    found = reuse_distances([])
    assert found.misses([0, 64]).tolist() == [0, 0]
