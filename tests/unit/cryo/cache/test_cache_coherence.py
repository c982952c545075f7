"""Coherent caches: invariants after any accesses, and counts against a model of single lines."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings

from hwmodel.cryo.cache import CacheSpec, CoherentCaches, Hierarchy
from hwmodel.errors import HwmodelError

SMALL = [CacheSpec(256, 2)]
TWO = [CacheSpec(128, 2), CacheSpec(512, 2)]
BIG = [CacheSpec(1 << 16, 16)]
STREAM = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.booleans()), max_size=250)
PROTOCOLS = pytest.mark.parametrize("protocol", ["mesi", "moesi"])


def caches_after(stream, private=BIG, **more):
    caches = CoherentCaches(4, private, CacheSpec(1024, 4), **more)
    cores, lines, writes = ([row[n] for row in stream] for n in range(3))
    caches.run_chunk(cores, lines, writes, lines=True)
    return caches


def counted(stream, owned):
    """Counts of a protocol with caches without end: one state a core for each line."""
    state = {}
    found = {"upgrades": 0, "invalidations": 0, "interventions": 0, "writebacks": 0}
    for core, line, write in stream:
        mine = state.get((core, line), "I")
        others = {c: state[c, line] for c in range(4) if c != core and state.get((c, line), "I") != "I"}
        if mine == "I":
            found["interventions"] += sum(s in "MOE" for s in others.values())
            if not write:
                for c, s in others.items():
                    found["writebacks"] += s == "M" and not owned
                    state[c, line] = "O" if s == "O" or (s == "M" and owned) else "S"
                state[core, line] = "S" if others else "E"
        elif write and mine in "SO":
            found["upgrades"] += 1
        if write:
            found["invalidations"] += len(others)
            state.update({(c, line): "I" for c in others})
            state[core, line] = "M"
    return found, state


@PROTOCOLS
@given(stream=STREAM)
def test_counts_and_states_are_those_of_the_protocol(protocol, stream):
    found, state = counted(stream, protocol == "moesi")
    caches = caches_after(stream, protocol=protocol)
    stats = caches.coherence_stats()
    assert {name: getattr(stats, name) for name in found} == found
    assert caches.states() == {
        line: {c: s for (c, x), s in state.items() if x == line and s != "I"} for _, line in state
    }


@PROTOCOLS
@pytest.mark.parametrize("inclusion", ["nine", "inclusive"])
@pytest.mark.parametrize("private", [SMALL, TWO])
@given(stream=STREAM)
@settings(max_examples=30)
def test_invariants_hold(protocol, inclusion, private, stream):
    """A line in M or E is nowhere else; one core owns it at most; O only in MOESI; inclusion, where it was asked for."""
    caches = caches_after(stream, private, protocol=protocol, inclusion=inclusion)
    for states in caches.states().values():
        alone = [s for s in states.values() if s in "ME"]
        assert not alone or len(states) == 1
        assert list(states.values()).count("O") <= (protocol == "moesi")
    for core in range(4):
        outer = caches.held(f"core{core}.l2" if len(private) == 2 else f"core{core}.l1d")
        assert len(private) == 1 or caches.held(f"core{core}.l1d") <= outer
        assert inclusion == "nine" or outer <= caches.held("shared")


@given(stream=STREAM)
@pytest.mark.parametrize("inclusion", ["nine", "inclusive"])
@pytest.mark.parametrize("private", [SMALL, TWO])
def test_organisations_differ_only_in_probes(private, inclusion, stream):
    snoop, directory = (
        caches_after(stream, private, inclusion=inclusion, organisation=name)
        for name in ("snoop", "directory")
    )
    assert snoop.stats() == directory.stats()
    assert snoop.states() == directory.states()
    assert snoop.coherence_stats().probes >= directory.coherence_stats().probes


# Line 20, dirty in the inner private level alone, is given up by the shared level, where it was used longest ago.
GIVEN_UP = [(0, 8, True), (0, 12, True), (0, 20, True), (0, 0, False), (0, 4, False)]


# With NINE the private levels of a hierarchy do not hold each other's lines, so two of them are no case for that.
@pytest.mark.parametrize(
    ("private", "inclusion"), [(SMALL, "nine"), (SMALL, "inclusive"), (TWO, "inclusive")]
)
@given(stream=STREAM)
@example(stream=GIVEN_UP)
def test_one_core_counts_as_a_hierarchy(private, inclusion, stream):
    """But for a line that the shared level gives up, which is also a write-back of the level that held it modified."""
    shared = CacheSpec(1024, 4)
    lines, writes = [row[1] for row in stream], [row[2] for row in stream]
    alone = CoherentCaches(1, private, shared, inclusion=inclusion).run([(lines, writes)], lines=True)
    hierarchy = Hierarchy([*private, shared], inclusion).run((lines, writes), lines=True)
    for mine, theirs in zip(alone.values(), hierarchy.values(), strict=True):
        assert 0 <= mine.writebacks - theirs.writebacks <= theirs.invalidated
        assert replace(mine, writebacks=0) == replace(theirs, writebacks=0)
    assert alone["shared"].writebacks == hierarchy["l3" if private is TWO else "l2"].writebacks


def test_a_dirty_line_that_the_shared_level_gives_up_is_one_write_back_of_its_core():
    """Whether the inner or the outer level holds what was written last: lines 8 and 12 left before, and line 20 now."""
    caches = caches_after(GIVEN_UP, TWO, inclusion="inclusive")
    assert caches.stats()["core0.l2"].invalidated == 1
    assert caches.coherence_stats().writebacks == 3
    assert caches.memory_stats().writes == 1


def test_a_snoop_asks_all_others():
    stats = caches_after([(0, 1, False), (1, 1, False)], organisation="snoop").coherence_stats()
    assert stats.probes == 6


def test_a_directory_asks_only_holders():
    assert caches_after([(0, 1, False), (1, 1, False)]).coherence_stats().probes == 1


def test_a_lone_reader_writes_without_asking():
    """That is what state E is for."""
    stats = caches_after([(0, 1, False), (0, 1, True)]).coherence_stats()
    assert (stats.upgrades, stats.probes) == (0, 0)


@pytest.mark.parametrize(("protocol", "writes"), [("mesi", 1), ("moesi", 0)])
def test_a_dirty_line_read_by_another_is_written_back_only_under_mesi(protocol, writes):
    caches = caches_after([(0, 1, True), (1, 1, False)], protocol=protocol)
    assert caches.stats()["shared"].write_accesses == writes
    assert caches.states()[1] == ({0: "S", 1: "S"} if writes else {0: "O", 1: "S"})


@pytest.mark.parametrize("quantum", [1, 3])
def test_sources_take_turns(quantum):
    """As many reads of each core as its source has, in turns of a quantum: the last reader of a line lost it last."""
    caches = CoherentCaches(3, BIG, CacheSpec(1024, 4))
    stats = caches.run([np.zeros(10, int), ([0] * 4, [1] * 4), []], quantum)
    assert [stats[f"core{n}.l1d"].accesses for n in range(3)] == [10, 4, 0]
    # Core 1 takes the line in each of its turns, and core 0 reads it again in the next.
    assert caches.coherence_stats().invalidations == (4 if quantum == 1 else 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CoherentCaches(0, SMALL, CacheSpec(1024, 4)),
        lambda: CoherentCaches(65, SMALL, CacheSpec(1024, 4)),
        lambda: CoherentCaches(2, [], CacheSpec(1024, 4)),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4), "mosi"),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4), organisation="rumour"),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4), inclusion="exclusive"),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4, policy="fifo")),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4, line=32)),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4)).run([[0]]),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4)).run([[0], [0]], quantum=0),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4)).run_chunk([2], [0]),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4)).run_chunk([0, 1], [0]),
        lambda: CoherentCaches(2, SMALL, CacheSpec(1024, 4)).held("core2.l1d"),
    ],
)
def test_what_cannot_be_meant_is_refused(make):
    with pytest.raises(HwmodelError) as caught:
        make()
    assert len(str(caught.value)) > 20
