"""What few timed caches have: gem5's timing, write buffers, write-through, and arrays of other kinds than SRAM."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodel.cryo._build import build
from hwmodel.cryo.config import Cache
from hwmodel.cryo.lines._kernels import drop, find, propose
from hwmodel.cryo.memory import _kernels as m
from hwmodel.cryo.shared import _kernels as shared
from hwmodel.cryo.words import _kernels as k
from hwmodel.cryo.writes import _kernels as writes
from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.units import GHz
from tests.unit.cryo.test_memory import BUS, L1, L2, L2_LEVEL, NS, D, load, machine

SET = 64 * 8  # addresses this far apart lie in one set of the first level


def built(l1=None, l2=None):
    return build(machine(l1d=replace(L1, **(l1 or {})), l2=replace(L2, **(l2 or {}))))


def in_l2(w, address, t=0):
    """Bring a line into the second level only."""
    load(w, address, t)
    drop(w, D, address >> 6)


def flags(w, level, address):
    return int(w[find(w, level, address >> 6)]) & 7


# ------------------------------------------------------------------------------------------------ gem5's timing
@pytest.mark.parametrize(("store_latency", "latency"), [(None, 3), (1, 1), (2, 2)])
def test_a_store_that_hits_is_answered_after_the_store_latency(store_latency, latency):
    w = built({"store_latency": store_latency})
    load(w, 0, 0)
    assert load(w, 0, 1000, k.WRITE) == latency
    assert load(w, 0, 2000) == 3


def test_a_request_off_the_edge_pays_a_cycle_more_below():
    for cut_through, late in ((False, 0), (True, 1)):
        w = build(machine(l1d=replace(L1, clock=GHz(4), cut_through=cut_through)))
        in_l2(w, 0)
        on_edge = load(w, 0, 1000.75)  # tag latency 0.25: it reaches the bus at 1001
        drop(w, D, 0)
        off_edge = load(w, 0, 2000.5)
        assert off_edge - on_edge == pytest.approx(0.25 + late)


def test_an_access_to_a_line_whose_tail_is_under_way_waits_for_it_first():
    wide = replace(BUS, width=4)  # sixteen cycles a line
    for cut_through, latency in ((False, 15), (True, 15 + 3)):
        w = built({"bus": wide, "cut_through": cut_through})
        first = load(w, 0, 0)
        # the line's first word came at first - 1, its last one is there 16 cycles after that and a fill later
        assert load(w, 8, first + 1) == latency


@pytest.mark.parametrize(("prefetch_latency", "difference"), [(None, 0), (4, 0), (3, 1), (0, 4)])
def test_a_prefetch_goes_down_after_its_own_latency(prefetch_latency, difference):
    def arrival(spec):
        w = built({"mshrs": 8, "tag_latency": 4, "prefetcher": "next_line", "degree": 1, **spec})
        load(w, 0, 0)
        for line in (0, 1):
            drop(w, D, line)
        propose(w, D, 0, 29_999 * NS, 0)
        m.send_prefetches(w, 30_000 * NS)
        return w[w[k.H_READY] + find(w, D, 0)] / NS

    assert arrival({}) - arrival({"prefetch_latency": prefetch_latency}) == difference


# --------------------------------------------------------------------------------------------------- ownership
def test_a_dirty_line_moves_up_with_its_data():
    w = built({"ownership": True}, {"ownership": True})
    load(w, 0, 0, k.WRITE)
    for i in (1, 2):
        load(w, SET * i, 1000 * i)  # pushes the dirty line out
    assert flags(w, L2_LEVEL, 0) & k.DIRTY
    load(w, 0, 5000)
    assert flags(w, D, 0) & k.DIRTY
    assert not flags(w, L2_LEVEL, 0) & k.DIRTY


def test_without_ownership_it_stays_dirty_below():
    w = built()
    load(w, 0, 0, k.WRITE)
    for i in (1, 2):
        load(w, SET * i, 1000 * i)
    load(w, 0, 5000)
    assert not flags(w, D, 0) & k.DIRTY
    assert flags(w, L2_LEVEL, 0) & k.DIRTY


def test_a_store_to_a_line_that_is_dirty_below_asks_for_it_once():
    w = built({"ownership": True}, {"ownership": True})
    load(w, 0, 0)
    w[find(w, D, 0)] |= k.SHARED
    w[find(w, L2_LEVEL, 0)] |= k.DIRTY
    assert load(w, 0, 1000) == 3
    assert load(w, 0, 2000, k.WRITE) == 1 + 1 + 10 + 1 + 1
    assert load(w, 0, 3000, k.WRITE) == 3
    assert w[k.COUNT + k.N_WRITE_MISSES] == 1
    assert flags(w, D, 0) == k.DIRTY
    assert not flags(w, L2_LEVEL, 0) & k.DIRTY


def test_a_clean_line_that_leaves_is_announced_on_the_bus():
    for ownership, busy in ((False, 0), (True, 1)):
        w = built({"ownership": ownership})
        for i in range(2):
            load(w, SET * i, 1000 * i)
        ring = k.ring_at(w, 3 * D + 1)
        before = (w[ring : ring + 4096] >= 0).sum()
        load(w, SET * 2, 2000)
        assert (w[ring : ring + 4096] >= 0).sum() - before == 1 + busy


def test_a_prefetched_line_is_used_first_by_the_access_behind_an_upgrade():
    w = built({"ownership": True, "prefetcher": "stride", "mshrs": 8})
    load(w, 0, 0)
    w[find(w, D, 0)] |= k.SHARED | k.PREFETCHED
    load(w, 0, 1000, k.WRITE)
    assert flags(w, D, 0) == k.DIRTY | k.PREFETCHED
    load(w, 8, 2000)
    assert flags(w, D, 0) == k.DIRTY


def test_an_upgrade_of_a_line_that_the_level_below_lost_brings_no_second_copy_and_misses_nothing_there():
    w = built({"ownership": True}, {"ownership": True})
    load(w, 0, 0)
    w[find(w, D, 0)] |= k.SHARED
    drop(w, L2_LEVEL, 0)
    misses = int(w[k.COUNT + 16 * L2_LEVEL + k.N_READ_MISSES])
    load(w, 0, 1000, k.WRITE)
    assert drop(w, D, 0) & 7 == k.DIRTY
    assert find(w, D, 0) < 0
    assert find(w, L2_LEVEL, 0) < 0
    assert w[k.COUNT + 16 * L2_LEVEL + k.N_READ_MISSES] == misses


@pytest.mark.parametrize("posted", [False, True])
def test_a_store_of_either_core_asks_for_a_shared_line(posted):
    w = built({"ownership": True}, {"ownership": True})
    load(w, 0, 0)
    w[find(w, D, 0)] |= k.SHARED
    assert shared.send(w, NS, 1, D, 0, 1000, 1000 * NS, k.WRITE, 0, posted) > 1003
    assert w[k.COUNT + k.N_WRITE_MISSES] == 1
    assert flags(w, D, 0) == k.DIRTY


@pytest.mark.parametrize("posted", [False, True])
def test_a_store_of_either_core_that_hits_goes_through_a_cache_that_keeps_nothing_dirty(posted):
    w = built({"write": "through"})
    load(w, 0, 0)
    shared.send(w, NS, 1, D, 0, 1000, 1000 * NS, k.WRITE, 0, posted)
    assert flags(w, D, 0) == 0
    assert flags(w, L2_LEVEL, 0) == k.DIRTY


# ------------------------------------------------------------------------------------------------ write buffers
def waits(size, victims):
    """Nanoseconds by which the last of some dirty lines that leave at once must wait."""
    w = built({"bus": replace(BUS, width=1), "write_buffer": size})  # a line occupies the bus for 65 cycles
    for i in range(victims):
        begun = writes.write_back(w, D, i, 500_000 * NS)
    return begun / NS - 500_000


@pytest.mark.parametrize(
    ("size", "victims", "late"), [(2, 1, 0), (2, 2, 0), (2, 3, 65), (3, 3, 0), (3, 4, 65)]
)
def test_a_write_back_waits_only_beyond_the_buffers_last_entry(size, victims, late):
    assert waits(size, victims) == late


def test_a_miss_waits_for_the_buffer_that_its_victim_finds_full():
    times = {}
    for held in (0, 1, 2):
        w = built({"bus": replace(BUS, width=1), "write_buffer": 2})
        for way in (0, 1):
            load(w, SET * way, 1000 * way, k.WRITE)
        in_l2(w, 2 * SET, 10_000)
        for way in (0, 1):
            load(w, SET * way, 20_000 + 1000 * way, k.WRITE)
        w[k.MORE + k.E_HELD] = 0
        for line in range(held):
            writes.write_back(w, D, 100 + line, 300_000 * NS)
        times[held] = load(w, 2 * SET, 300_000)
    assert times[0] == times[1] < times[2]


# ------------------------------------------------------------------------------------------------ write-through
def test_a_store_goes_to_the_first_level_that_keeps_it():
    w = built({"write": "through"})
    load(w, 0, 0)
    load(w, 0, 1000, k.WRITE)
    assert not flags(w, D, 0) & k.DIRTY
    assert flags(w, L2_LEVEL, 0) & k.DIRTY
    assert w[k.COUNT + k.N_WRITEBACKS] == 0


def test_a_store_that_misses_brings_its_line_unless_told_not_to():
    for allocate in (True, False):
        w = built({"write": "through", "allocate": allocate})
        in_l2(w, 0)
        latency = load(w, 0, 1000, k.WRITE)
        assert (find(w, D, 0) >= 0) == allocate
        assert latency == (14 if allocate else 3)
        assert flags(w, L2_LEVEL, 0) & k.DIRTY


def test_a_store_that_no_level_keeps_goes_to_the_memory():
    w = built({"write": "through", "allocate": False}, {"write": "through"})
    load(w, 0, 0, k.WRITE)
    assert w[k.DRAMS + k.M_WRITES] == 1


# --------------------------------------------------------------------------------------------- other arrays
@pytest.mark.parametrize("restore", [0, 2, "2 ns", "1.5 ns"])
def test_a_destructive_read_occupies_its_port_until_the_word_is_written_again(restore):
    w = built({"readout": "destructive", "restore": restore})
    load(w, 0, 0)
    step = 3 if restore == 0 else 5
    assert [load(w, 0, 1000) for _ in range(3)] == [3, 3 + step, 3 + 2 * step]


def test_a_store_to_a_destructive_array_restores_nothing():
    w = built({"readout": "destructive", "restore": 4})
    load(w, 0, 0)
    assert [load(w, 0, 1000, k.WRITE) for _ in range(3)] == [3, 4, 5]


def test_an_access_to_a_shift_register_waits_until_its_word_comes_round():
    w = built({"organisation": "shift-register", "loop": 8})
    for i in range(8):
        load(w, 64 * i, 0)
    # one word a nanosecond, the word of set s at times s modulo 8
    for t in range(1000, 1020, 3):
        for i in range(8):
            fresh = w.copy()
            assert load(fresh, 64 * i, t) == (i - t) % 8 + 3


def test_a_shift_clock_of_its_own_shortens_the_wait():
    w = built({"organisation": "shift-register", "loop": 8, "shift_clock": GHz(8)})
    load(w, 64 * 7, 0)
    # at 1000 ns 8000 words have passed: word 7 comes seven eighths of a cycle later, and is seen at the next edge
    assert load(w, 64 * 7, 1000) == 1 + 3


def test_a_miss_does_not_wait_for_a_word():
    plain, shift = built(), built({"organisation": "shift-register", "loop": 8})
    assert load(plain, 64 * 5, 1000) == load(shift, 64 * 5, 1000)


# ---------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("mshrs", (1, 64), (0, 65)),
        ("ports", (1, 63), (0, 64)),
        ("interval", (0, 1024), (-1, 1025)),
        ("degree", (1, 63), (0, 64)),
        ("write_buffer", (0, 64), (-1, 65)),
    ],
)
def test_numbers_beyond_the_kernels_tables_are_refused(name, inside, outside):
    for value in inside:
        assert getattr(replace(L1, **{name: value}), name) == value
    for value in outside:
        with pytest.raises(SpecError, match=rf"Cache\({name}={value}\): give {inside[0]} to {inside[1]}"):
            replace(L1, **{name: value})


@pytest.mark.parametrize(("restore", "good"), [(1021, True), (1022, False)])
def test_a_port_is_taken_for_1024_cycles_at_most(restore, good):
    if good:
        assert replace(L1, readout="destructive", restore=restore).busy_after_read == 1024
    else:
        with pytest.raises(SpecError, match="1025 cycles; give 0 to 1024"):
            replace(L1, readout="destructive", restore=restore)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"restore": 3}, "destructive"),
        ({"loop": 8}, "shift-register"),
        ({"organisation": "shift-register"}, "at least 1"),
        ({"organisation": "shift-register", "loop": 8, "readout": "destructive"}, "leave out readout"),
        ({"allocate": False}, "through"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, part):
    with pytest.raises(SpecError, match=part):
        replace(L1, **settings)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'through'"):
        Cache(1024, 2, GHz(1), 3, BUS, write="trough")
