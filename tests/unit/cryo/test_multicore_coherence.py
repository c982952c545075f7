"""Timed coherence: states against the functional caches, times worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from hwmodel.cryo.cache import CacheSpec, CoherentCaches
from hwmodel.cryo.owners import _kernels as o
from hwmodel.cryo.words import _kernels as m
from tests.unit.cryo.coherent_words import L1, L2, L3, Cores, machine

STREAM = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.booleans()), max_size=150)
PROTOCOLS = pytest.mark.parametrize("protocol", ["mesi", "moesi"])
SETTINGS = settings(max_examples=60, deadline=None)


def functional(stream, private, protocol, inclusion):
    caches = CoherentCaches(4, private, CacheSpec(L3.size, L3.ways), protocol=protocol, inclusion=inclusion)
    cores, lines, writes = ([row[n] for row in stream] for n in range(3))
    caches.run_chunk(cores, lines, writes, lines=True)
    return caches


def assert_equal(cores, caches):
    """Equal states, and equal counts of what both count alike."""
    assert cores.states() == caches.states()
    timed, stats = cores.counts(), caches.coherence_stats()
    assert (timed.upgrades, timed.invalidations, timed.interventions) == (
        stats.upgrades,
        stats.invalidations,
        stats.interventions,
    )
    level, shared = int(cores.layout.level), caches.stats()["shared"]
    count = cores.layout.shared()[m.COUNT + 16 * level : m.COUNT + 16 * level + 16]
    assert (count[m.N_READS], count[m.N_READ_MISSES]) == (
        shared.read_accesses + 0,
        shared.read_misses,
    )
    assert (count[m.N_WRITES], count[m.N_WRITEBACKS]) == (shared.write_accesses, shared.writebacks)


@PROTOCOLS
@SETTINGS
@given(stream=STREAM)
@example(stream=[(1, 6, True), (1, 10, False), (0, 6, False), (1, 0, False), (1, 2, False)])
def test_two_private_levels_come_to_the_states_of_the_functional_caches(protocol, stream):
    cores = Cores(4, machine(inclusion="inclusive"), protocol)
    cores.run(stream)
    private = [CacheSpec(L1.size, L1.ways), CacheSpec(L2.size, L2.ways)]
    assert_equal(cores, functional(stream, private, protocol, "inclusive"))


@PROTOCOLS
@SETTINGS
@given(stream=STREAM)
def test_one_private_level_comes_to_the_states_of_the_functional_caches(protocol, stream):
    cores = Cores(4, machine(l2=None), protocol)
    cores.run(stream)
    assert_equal(cores, functional(stream, [CacheSpec(L1.size, L1.ways)], protocol, "nine"))


@PROTOCOLS
@SETTINGS
@given(stream=STREAM)
def test_at_most_one_core_may_write_and_then_no_other_holds_the_line(protocol, stream):
    """Private levels that do not include each other have no functional model; the invariant holds all the same."""
    cores = Cores(4, machine(), protocol)
    cores.run(stream)
    for held in cores.states().values():
        letters = sorted(held.values())
        assert letters in (["E"], ["M"]) or set(letters) <= {"S", "O"}
        assert letters.count("O") <= (protocol == "moesi")


@PROTOCOLS
@SETTINGS
@given(stream=STREAM)
def test_all_copies_of_a_core_agree_on_whether_they_are_shared(protocol, stream):
    cores = Cores(4, machine(), protocol)
    cores.run(stream)
    w = cores.layout.shared()
    for core in range(4):
        for line in range(31):
            places = [o.find(w, k, line) for k in range(o.EACH * core, o.EACH * core + o.EACH)]
            assert len({int(w[place]) & m.SHARED for place in places if place >= 0}) <= 1


@PROTOCOLS
@SETTINGS
@given(stream=STREAM)
def test_warming_leaves_the_states_that_accesses_leave(protocol, stream):
    cores, warmed = (Cores(4, machine(l2=None, l3=replace(L3, size=1 << 16)), protocol) for _ in range(2))
    cores.run(stream)
    for access in stream:
        warmed.touch(*access)
    assert cores.states() == warmed.states()


@given(stream=STREAM)
@SETTINGS
def test_without_a_protocol_nothing_is_counted(stream):
    cores = Cores(4, machine(), "none")
    cores.run(stream)
    assert cores.counts() == type(cores.counts())()


HIT = L1.latency
DOWN = L1.tag_latency + 1 + L2.tag_latency + 3  # to the shared level
UP = 4 + 1 + 2 + 1  # from its bus on: answer, fill, answer, fill
PROBE = 4 + L2.tag_latency + 3  # an invalidation and its answer


def test_a_line_of_another_core_comes_through_the_shared_level():
    cores = Cores(2, machine())
    cores.access(0, 1)
    # the shared level's tags, up to the other core, its second level's data, down again, up to the one that asked
    assert cores.access(1, 1) == DOWN + L3.tag_latency + 4 + L2.latency + 3 + UP
    assert cores.states()[1] == {0: "S", 1: "S"}


def test_a_line_that_is_dirty_in_a_first_level_comes_from_there():
    cores = Cores(2, machine())
    cores.access(0, 1, write=True)
    inside = L2.tag_latency + 2 + L1.latency + 1
    assert cores.access(1, 1) == DOWN + L3.tag_latency + 4 + inside + 3 + UP


def test_a_line_that_others_only_share_comes_from_the_shared_level():
    cores = Cores(3, machine())
    cores.access(0, 1)
    cores.access(1, 1)
    assert cores.access(2, 1) == DOWN + L3.latency + UP
    assert cores.counts().interventions == 1


def test_an_upgrade_waits_for_the_answers_of_all_who_held_the_line():
    cores = Cores(3, machine())
    for core in range(3):
        cores.access(core, 1)
    granted = DOWN + L3.tag_latency + PROBE + 4 + 2
    assert cores.access(1, 1, write=True) == granted
    assert cores.states()[1] == {1: "M"}
    assert cores.counts().upgrade_time == granted * 10**6


def test_an_upgrade_that_nobody_has_to_answer_goes_to_the_shared_level_and_back():
    cores = Cores(2, machine())
    cores.access(0, 1)
    cores.access(1, 1)
    for line in (9, 17, 25, 33):  # lines of the same sets push the copy of core 0 out of both its levels
        cores.access(0, line)
    assert 0 not in cores.states()[1]
    assert cores.access(1, 1, write=True) == DOWN + L3.tag_latency + 4 + 2


def test_a_write_to_an_exclusive_line_asks_nobody():
    cores = Cores(2, machine())
    cores.access(0, 1)
    assert cores.access(0, 1, write=True) == HIT
    assert cores.counts().upgrades == 0


def test_a_miss_on_a_line_that_was_taken_away_is_a_sharing_miss_and_counted_once():
    cores = Cores(2, machine())
    cores.run([(0, 1, False), (1, 1, True), (0, 1, False), (0, 1, False), (0, 2, False)])
    assert cores.counts().sharing_misses == 1


@pytest.mark.parametrize(("protocol", "state", "written"), [("mesi", "S", 1), ("moesi", "O", 0)])
def test_a_dirty_line_that_is_read_is_written_back_or_owned(protocol, state, written):
    cores = Cores(2, machine(), protocol)
    cores.run([(0, 1, True), (1, 1, False)])
    assert cores.states()[1] == {0: state, 1: "S"}
    assert cores.counts().writebacks == written


def test_a_fetch_of_a_written_line_takes_it_from_its_writer():
    cores = Cores(2, machine())
    cores.access(0, 1, write=True)
    cores.access(1, 1, fetch=True)
    assert cores.states()[1] == {0: "S", 1: "S"}


def test_a_prefetch_does_not_take_a_line_from_another_core():
    cores = Cores(2, machine(l1d=replace(L1, prefetcher="next_line", degree=1)))
    cores.access(0, 2, write=True)
    cores.access(1, 1)
    assert cores.states()[2] == {0: "M"}
