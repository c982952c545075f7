"""Hierarchies: inclusion, ways to write, sectors, victim caches, page walks, classification."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from hwmodel.cryo.cache import CacheSpec, Hierarchy, Paging, TlbSpec
from hwmodel.errors import HwmodelError
from tests.unit.cryo.cache import models

STREAM = st.lists(st.tuples(st.integers(0, 8000), st.booleans()), max_size=150)
PLAIN = st.fixed_dictionaries({"ways": st.sampled_from([1, 2, 4]), "sets": st.sampled_from([1, 2, 4])})


def spec_of(shape, line=64, **more):
    return CacheSpec(line * shape["ways"] * shape["sets"], shape["ways"], line=line, **more)


def assert_same(specs, stream, inclusion="nine", **more):
    """Run caches and model, compare all counts, and return the caches."""
    model, caches = models.Caches(specs, inclusion), Hierarchy(specs, inclusion, **more)
    for address, write in stream:
        model.access(address, write)
    caches.run_chunk([address for address, _ in stream], [write for _, write in stream])
    for name, level in zip(caches.names, model.levels, strict=False):
        assert models.counts_of(caches.stats()[name]) == level.count, name
    found = caches.memory_stats()
    assert {"reads": found.reads, "writes": found.writes} == model.memory
    return caches


@pytest.mark.parametrize("inclusion", ["nine", "inclusive", "exclusive"])
@given(stream=STREAM, shapes=st.lists(PLAIN, min_size=1, max_size=4))
@settings(max_examples=60)
def test_plain_levels_count_as_the_model(inclusion, stream, shapes):
    assert_same([spec_of(shape) for shape in shapes], stream, inclusion)


@pytest.mark.parametrize("inclusion", ["nine", "inclusive"])
@given(stream=STREAM, shapes=st.lists(PLAIN, min_size=1, max_size=4))
@settings(max_examples=30)
def test_fast_and_general_loops_agree(inclusion, stream, shapes):
    """Classification sends plain caches through the general loop."""
    specs = [spec_of(shape) for shape in shapes]
    accesses = [address for address, _ in stream], [write for _, write in stream]
    fast, general = Hierarchy(specs, inclusion), Hierarchy(specs, inclusion, classify=True)
    for caches in (fast, general):
        caches.run(accesses)
        caches.flush()
    for name in fast.names:
        assert models.counts_of(fast.stats()[name]) == models.counts_of(general.stats()[name])
    assert fast.memory_stats() == general.memory_stats()


@pytest.mark.parametrize("inclusion", ["nine", "inclusive"])
@given(
    stream=st.lists(st.tuples(st.integers(0, 8000), st.sampled_from("rwf")), max_size=150),
    shapes=st.lists(PLAIN, min_size=1, max_size=3),
    policies=st.lists(
        st.sampled_from(["lru", "fifo", "random", "plru", "srrip", "brrip"]), min_size=3, max_size=3
    ),
    split=st.booleans(),
)
@settings(max_examples=60)
def test_the_short_way_counts_as_the_steps_do(inclusion, stream, shapes, policies, split):
    """Plain caches of any policy are served without steps; classification, which changes no count, makes them take all."""
    specs = [spec_of(shape, policy=policy) for shape, policy in zip(shapes, policies, strict=False)]
    kinds = np.array([kind for _, kind in stream])
    first = spec_of(shapes[0], policy="fifo") if split else None
    found = []
    for classify in (False, True):
        caches = Hierarchy(specs, inclusion, first, Paging(TlbSpec(2)), classify)
        caches.run_chunk([address for address, _ in stream], kinds == "w", fetch=kinds == "f")
        caches.flush()
        found.append([models.counts_of(level) for level in caches.stats().values()])
        found.append(caches.memory_stats())
    assert found[:2] == found[2:]


WRITING = st.fixed_dictionaries(
    {
        "write": st.sampled_from(["back", "through"]),
        "allocate": st.booleans(),
        "policy": st.sampled_from(["lru", "fifo", "plru", "random", "srrip", "brrip"]),
        "victim_lines": st.sampled_from([0, 0, 1, 3]),
    }
)


@pytest.mark.parametrize("inclusion", ["nine", "inclusive"])
@given(stream=STREAM, levels=st.lists(st.tuples(PLAIN, WRITING), min_size=1, max_size=3))
@settings(max_examples=80)
def test_ways_to_write_count_as_the_model(inclusion, stream, levels):
    assert_same([spec_of(shape, **writing) for shape, writing in levels], stream, inclusion)


@given(
    stream=STREAM,
    shapes=st.lists(PLAIN, min_size=2, max_size=3),
    victims=st.lists(st.sampled_from([0, 2]), min_size=3, max_size=3),
)
def test_exclusive_levels_with_victim_caches_lose_no_dirty_line(stream, shapes, victims):
    """All that was written reaches memory once the caches are flushed, and no earlier line twice in a row."""
    caches = Hierarchy(
        [spec_of(s, victim_lines=v) for s, v in zip(shapes, victims, strict=False)], "exclusive"
    )
    caches.run_chunk([a for a, _ in stream], [w for _, w in stream])
    caches.flush()
    written = {address // 64 for address, write in stream if write}
    assert len(written) <= caches.memory_stats().writes <= sum(write for _, write in stream)


@pytest.mark.parametrize("inclusion", ["nine", "inclusive"])
@given(
    stream=STREAM,
    shapes=st.lists(PLAIN, min_size=3, max_size=3),
    sizes=st.sampled_from(
        [
            [(16, 16), (32, 32), (64, 64)],
            [(64, 16), (64, 32), (64, 64)],
            [(32, 16), (128, 32), (256, 32)],
            [(64, 64), (128, 64), (256, 256)],
        ]
    ),
    write=st.sampled_from(["back", "through"]),
)
@settings(max_examples=60)
def test_sectors_and_line_sizes_count_as_the_model(inclusion, stream, shapes, sizes, write):
    assert_same(
        [
            spec_of(shape, line, sector=sector, write=write if n == 0 else "back")
            for n, (shape, (line, sector)) in enumerate(zip(shapes, sizes, strict=True))
        ],
        stream,
        inclusion,
    )


@given(lines=st.lists(st.integers(0, 40), max_size=200), shape=PLAIN)
def test_misses_are_classified_as_the_model_does(lines, shape):
    spec = spec_of(shape)
    found = Hierarchy([spec], classify=True).run(lines, lines=True)["l1d"]
    assert {k: getattr(found, k) for k in ("compulsory", "capacity", "conflict")} == models.classified(
        lines, spec
    )


def test_classification_grows_with_the_footprint():
    """Far more lines than its tables have at first; in the second round all misses are for want of capacity."""
    lines = np.tile(np.arange(20_000), 2)
    found = Hierarchy([CacheSpec(4096, 64)], classify=True).run(lines, lines=True)["l1d"]
    assert (found.compulsory, found.capacity, found.conflict) == (20_000, 20_000, 0)


@given(stream=st.lists(st.tuples(st.integers(0, 4000), st.sampled_from("rwf")), max_size=200), shape=PLAIN)
def test_a_split_first_level_is_two_caches_over_one(stream, shape):
    first = spec_of(shape)
    second = CacheSpec(1 << 20, 64)
    caches = Hierarchy([first, second], instruction=first)
    kinds = np.array([kind for _, kind in stream])
    addresses = np.array([address for address, _ in stream], dtype=np.int64)
    caches.run_chunk(addresses, kinds == "w", fetch=kinds == "f")
    data = kinds != "f"
    alone = Hierarchy([first]).run((addresses[data], kinds[data] == "w"))["l1d"]
    code = Hierarchy([first]).run(addresses[~data])["l1d"]
    assert caches.stats()["l1d"] == alone
    assert caches.stats()["l1i"] == code
    assert caches.stats()["l2"].read_accesses == alone.misses + code.misses


@given(stream=st.lists(st.tuples(st.integers(0, 4000), st.sampled_from("rwf")), max_size=150), shape=PLAIN)
@pytest.mark.parametrize("inclusion", ["nine", "inclusive"])
def test_fast_and_general_loops_agree_on_split_levels(inclusion, stream, shape):
    levels = [spec_of(shape), CacheSpec(512, 2), CacheSpec(1024, 4)]
    kinds = np.array([kind for _, kind in stream])
    found = []
    for classify in (False, True):
        caches = Hierarchy(levels, inclusion, instruction=CacheSpec(128, 2), classify=classify)
        caches.run_chunk([address for address, _ in stream], kinds == "w", fetch=kinds == "f")
        caches.flush()
        found.append({name: models.counts_of(level) for name, level in caches.stats().items()})
        found.append(caches.memory_stats())
    assert found[:2] == found[2:]


@given(pages=st.lists(st.integers(0, 30), max_size=150))
def test_tlbs_miss_as_caches_of_pages(pages):
    paging = Paging(TlbSpec(4, 2), second=TlbSpec(8))
    caches = Hierarchy([CacheSpec(1 << 16, 8)], paging=paging)
    caches.run_chunk([page * 4096 for page in pages])
    first = models.Caches([CacheSpec(4 * 64, 2)])
    second = models.Caches([CacheSpec(8 * 64, 8)])
    for page in pages:
        before = first.levels[0].count["read_misses"]
        first.access(page * 64, False)
        if first.levels[0].count["read_misses"] > before:
            second.access(page * 64, False)
    tlbs = caches.tlb_stats()
    assert tlbs["data"].misses == first.levels[0].count["read_misses"] == tlbs["second"].accesses
    assert tlbs["second"].misses == second.levels[0].count["read_misses"] == caches.memory_stats().walks
    assert caches.memory_stats().walk_reads == 4 * caches.memory_stats().walks


@pytest.mark.parametrize(("page", "reads"), [(4096, 4), ("2 MB", 3), (1 << 30, 2)])
def test_a_walk_reads_one_entry_a_level(page, reads):
    caches = Hierarchy([CacheSpec(1 << 15, 8)], paging=Paging(TlbSpec(16), page=page))
    caches.run_chunk([0])
    assert caches.stats()["l1d"].read_accesses == 1 + reads


def test_entries_of_neighbouring_pages_share_a_line():
    """Eight entries of eight bytes in a line: of eight pages only the first walk goes to memory."""
    caches = Hierarchy([CacheSpec(1 << 15, 8)], paging=Paging(TlbSpec(16)))
    caches.run_chunk(np.arange(8) * 4096 + np.arange(8) * 64)
    assert caches.stats()["l1d"].misses == 8 + 4


def test_counts_start_again_but_contents_stay():
    caches = Hierarchy([CacheSpec(1024, 2)])
    caches.run_chunk([0, 64])
    caches.reset_counts()
    caches.run_chunk([0, 64])
    assert (caches.stats()["l1d"].accesses, caches.stats()["l1d"].misses) == (2, 0)


def test_an_inclusive_level_takes_its_victims_from_above():
    """The level below does not see that line 0 is used above, and gives it up for line 2, and then line 1 for line 0."""
    caches = Hierarchy([CacheSpec(128, 2), CacheSpec(128, 2)], "inclusive")
    caches.run_chunk([0, 1, 0, 2, 0], lines=True)
    assert caches.stats()["l1d"].invalidated == 2
    assert caches.stats()["l1d"].misses == 4


@pytest.mark.parametrize("classify", [False, True])
def test_the_highest_addresses_are_kept_apart(classify):
    top = np.array([2**64 - 64, 2**63, 0, 2**64 - 1], dtype=np.uint64)
    caches = Hierarchy([CacheSpec(1024, 16)], classify=classify)
    assert caches.run(top)["l1d"].misses == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: CacheSpec(1000, 2),
        lambda: CacheSpec("32 parsecs", 8),
        lambda: CacheSpec(3 * 64, 1),
        lambda: CacheSpec(65 * 64, 65),
        lambda: CacheSpec(1024, 0),
        lambda: CacheSpec(1024, 2, line=48),
        lambda: CacheSpec(1024, 2, line=512),
        lambda: CacheSpec(1024, 2, policy="lfu"),
        lambda: CacheSpec(3 * 64, 3, policy="plru"),
        lambda: CacheSpec(128, 2, policy="drrip"),
        lambda: CacheSpec(1024, 2, write="never"),
        lambda: CacheSpec(1024, 2, sector=24),
        lambda: CacheSpec(1024, 2, sector=128),
        lambda: CacheSpec(1024, 2, victim_lines=-1),
        lambda: CacheSpec(1024, 2, prefetch="oracle"),
        lambda: CacheSpec(1024, 2, policy="opt", victim_lines=2),
        lambda: CacheSpec(1024, 2, seed=-1),
        lambda: TlbSpec(48, 4),
        lambda: Paging(TlbSpec(4), page=5000),
        lambda: Hierarchy([]),
        lambda: Hierarchy([CacheSpec(1024, 2)] * 5),
        lambda: Hierarchy([CacheSpec(1024, 2)], "mostly"),
        lambda: Hierarchy([CacheSpec(1024, 2), CacheSpec(1024, 2, line=32)]),
        lambda: Hierarchy([CacheSpec(1024, 2, name="a"), CacheSpec(1024, 2, name="a")]),
        lambda: Hierarchy([CacheSpec(1024, 2), CacheSpec(1024, 2, write="through")], "exclusive"),
        lambda: Hierarchy([CacheSpec(1024, 2, sector=16)], classify=True),
        lambda: Hierarchy([CacheSpec(1024, 2, policy="opt"), CacheSpec(1024, 2)], "inclusive"),
        lambda: Hierarchy([CacheSpec(1024, 2, policy="opt")]).run_chunk([0]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([0.5]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([[0]]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([-1]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([0], [0, 1]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([0], [2]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([0], [1], fetch=[1]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([0], pc=[1, 2]),
        lambda: Hierarchy([CacheSpec(1024, 2)]).run_chunk([2**60], lines=True),
    ],
)
def test_what_cannot_be_meant_is_refused(make):
    with pytest.raises(HwmodelError) as caught:
        make()
    assert len(str(caught.value)) > 20


def test_opt_runs_once():
    caches = Hierarchy([CacheSpec(1024, 2, policy="opt")])
    caches.run([0, 64])
    with pytest.raises(HwmodelError, match="one run"):
        caches.run([0, 64])
