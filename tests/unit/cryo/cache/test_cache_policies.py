"""Replacement policies of one level against reference models, access by access."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from hwmodel.cryo.cache import CacheSpec, Hierarchy
from tests.unit.cryo.cache import models

POLICIES = ["lru", "fifo", "random", "plru", "srrip", "brrip", "drrip"]


def streams(lines=40, length=200):
    return st.lists(st.tuples(st.integers(0, lines), st.booleans()), max_size=length)


@pytest.mark.parametrize("policy", POLICIES)
@given(
    stream=streams(), ways=st.sampled_from([1, 2, 4, 8]), sets=st.sampled_from([2, 4]), seed=st.integers(0, 3)
)
@settings(max_examples=40)
def test_policy_counts_as_its_model(policy, stream, ways, sets, seed):
    spec = CacheSpec(64 * ways * sets, ways, policy=policy, seed=seed)
    model, cache = models.Caches([spec]), Hierarchy([spec])
    for line, write in stream:
        model.access(line * 64, write)
    cache.run(([line for line, _ in stream], [write for _, write in stream]), lines=True)
    assert models.counts_of(cache.stats()["l1d"]) == model.levels[0].count
    assert cache.memory_stats().writes == model.memory["writes"]


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_counts_as_its_model_on_many_sets(policy):
    """With 128 sets DRRIP has groups of four: leaders of both kinds, and followers."""
    spec = CacheSpec(64 * 128 * 4, 4, policy=policy, seed=5)
    rng = np.random.default_rng(3)
    lines = np.where(rng.random(20_000) < 0.6, rng.integers(0, 300, 20_000), np.arange(20_000) % 3000)
    writes = rng.random(20_000) < 0.3
    model, cache = models.Caches([spec]), Hierarchy([spec])
    for line, write in zip(lines.tolist(), writes.tolist(), strict=True):
        model.access(line * 64, write)
    cache.run((lines, writes), lines=True)
    assert models.counts_of(cache.stats()["l1d"]) == model.levels[0].count


def test_a_store_hit_refreshes_lru():
    """A, B, store A, C, A in a set of two ways: A is still there."""
    cache = Hierarchy([CacheSpec(128, 2)])
    cache.run(([0, 1, 0, 2, 0], [0, 0, 1, 0, 0]), lines=True)
    assert (cache.stats()["l1d"].read_misses, cache.stats()["l1d"].write_misses) == (3, 0)


@given(stream=streams(12, 60), ways=st.sampled_from([1, 2, 4]), sets=st.sampled_from([1, 2]))
def test_opt_misses_as_belady_says(stream, ways, sets):
    lines = [line for line, _ in stream]
    cache = Hierarchy([CacheSpec(64 * ways * sets, ways, policy="opt")])
    cache.run((lines, [write for _, write in stream]), lines=True)
    assert cache.stats()["l1d"].misses == models.optimal_misses(lines, ways, sets)


@given(lines=st.lists(st.integers(0, 6), max_size=25), ways=st.integers(1, 4))
def test_nothing_misses_less_than_opt(lines, ways):
    cache = Hierarchy([CacheSpec(64 * ways, ways, policy="opt")])
    assert cache.run(lines, lines=True)["l1d"].misses == models.fewest_misses(lines, ways)


@given(stream=streams(60, 150))
def test_a_level_above_opt_counts_as_without_it(stream):
    """And OPT sees what an LRU level in its place would see."""
    specs = [CacheSpec(256, 2), CacheSpec(1024, 4)]
    accesses = [line for line, _ in stream], [write for _, write in stream]
    plain = Hierarchy(specs).run(accesses, lines=True)
    best = Hierarchy([specs[0], CacheSpec(1024, 4, policy="opt")]).run(accesses, lines=True)
    assert best["l1d"] == plain["l1d"]
    assert (best["l2"].read_accesses, best["l2"].write_accesses) == (
        plain["l2"].read_accesses,
        plain["l2"].write_accesses,
    )
    assert best["l2"].misses <= plain["l2"].misses


@given(stream=streams(60, 150))
def test_a_level_below_opt_sees_its_requests(stream):
    """With ways enough for all lines OPT is LRU, and so is what comes below it."""
    accesses = [line for line, _ in stream], [write for _, write in stream]
    for size in (64 * 64, 256):
        specs = [CacheSpec(size, 64 if size > 256 else 1, policy=p) for p in ("lru", "opt")]
        below = CacheSpec(1024, 4)
        first, second = (Hierarchy([spec, below]).run(accesses, lines=True) for spec in specs)
        assert first == second


def test_a_seed_names_the_draws():
    lines = np.random.default_rng(0).integers(0, 100, 5000)
    found = [
        Hierarchy([CacheSpec(4096, 8, policy="random", seed=s)]).run(lines, lines=True)["l1d"].misses
        for s in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]
