"""The timed hierarchy: each rule's times worked out by hand, one cycle before and after where it is a limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo._build import build
from hwmodel.cryo.config import Bus, Cache, Dram, Machine, cryo_ooo
from hwmodel.cryo.lines._kernels import (
    drop,
    find,
    first_free,
    forget,
    propose,
    waiting,
    withdraw,
)
from hwmodel.cryo.memory import _kernels as m
from hwmodel.cryo.words import _kernels as k
from hwmodel.units import GHz, ns

NS = 1_000_000
DRAM = Dram(
    "plain", controller=ns(20), rcd=ns(10), cl=ns(10), rp=ns(10), ras=ns(30), burst=ns(5), banks=4, row=256
)
BUS = Bus(GHz(1), request=1, answer=1, header=1, width=64)
L1 = Cache(1024, 2, GHz(1), 3, BUS, tag_latency=1, mshrs=2, blocks=False)
L2 = Cache(8192, 4, GHz(1), 10, replace(BUS, request=2, answer=2), tag_latency=4, mshrs=4, blocks=False)
D, L2_LEVEL = 0, 2


def machine(**changes):
    return replace(Machine(cryo_ooo().core, L1, L1, L2, None, DRAM, first_touch=False), **changes)


@pytest.fixture
def words():
    return build(machine())


def load(w, address, t, kind=k.READ, pc=0):
    """Give the latency in nanoseconds of an access at t nanoseconds."""
    return (m.access(w, D, address, int(t * NS), kind, pc) - t * NS) / NS


def test_a_cold_load_pays_every_level_and_the_memory(words):
    # down: tag 1, bus 1, tag 4, bus 2; memory: rcd 10, cl 10, data 5, 20; up: bus 2, fill 1, bus 1, fill 1
    down = 1 + 1 + 4 + 2
    assert load(words, 0, 0) == down + 10 + 10 + 5 + 20 + 2 + 1 + 1 + 1


def test_a_hit_takes_the_latency_from_the_next_edge(words):
    load(words, 0, 0)
    assert load(words, 8, 1000) == 3
    assert load(words, 8, 1000.25) == pytest.approx(3.75)


def test_a_load_that_hits_in_the_second_level_pays_two_levels(words):
    load(words, 0, 0)
    drop(words, D, 0)
    assert load(words, 0, 1000) == 1 + 1 + 10 + 1 + 1


def test_a_second_load_of_a_line_on_its_way_waits_for_it_and_is_merged(words):
    first = load(words, 0, 0)
    # the first word of the line is there at `first`, the whole line a bus cycle later
    assert load(words, 8, 10) == first + 1 - 10
    assert words[k.COUNT + k.N_MERGED] == 1
    assert words[k.COUNT + k.N_READ_MISSES] == 2


def test_a_load_after_the_line_has_come_is_a_hit(words):
    first = load(words, 0, 0)
    assert load(words, 8, first + 1) == 3
    assert words[k.COUNT + k.N_MERGED] == 0


def test_a_third_miss_waits_for_one_of_two_miss_registers():
    free = build(machine(l1d=replace(L1, mshrs=3)))
    full = build(machine())
    for w in (free, full):
        for line in (0, 1):
            load(w, 256 * line, 0)  # in banks of their own
    third = 256 * 2
    assert load(full, third, 1) > load(free, third, 1)
    assert full[k.COUNT + k.N_BLOCKED] > 0
    assert free[k.COUNT + k.N_BLOCKED] == 0


def test_a_miss_after_a_register_is_free_again_does_not_wait(words):
    for line in (0, 1):
        load(words, 64 * 128 * line, 0)
    load(words, 64 * 256 + 64, 1000)
    assert words[k.COUNT + k.N_BLOCKED] == 0


def test_a_blocking_cache_turns_hits_away_while_no_register_is_free():
    w = build(machine(l1d=replace(L1, blocks=True)))
    load(w, 0, 0)
    for line in (1, 2):
        load(w, 64 * 128 * line + 64, 1000)
    assert load(w, 0, 1010) > 3
    assert load(w, 0, 2000) == 3


@pytest.mark.parametrize(
    ("ports", "interval", "latencies"),
    [(1, 1, [3, 4, 5]), (2, 1, [3, 3, 4]), (1, 3, [3, 6, 9]), (1, 0, [3, 3, 3])],
)
def test_ports_and_interval_space_accesses_of_one_cycle(ports, interval, latencies):
    w = build(machine(l1d=replace(L1, ports=ports, interval=interval)))
    load(w, 0, 0)
    assert [load(w, 0, 1000) for _ in latencies] == latencies


def test_a_late_request_does_not_hold_up_an_early_one():
    w = build(machine(l1d=replace(L1, interval=1)))
    load(w, 0, 0)
    assert load(w, 0, 1005) == 3
    assert load(w, 0, 1000) == 3


def test_the_least_recently_used_line_leaves_and_a_store_hit_counts_as_a_use(words):
    a, b, c = (64 * 8 * i for i in range(3))  # one set of two ways
    load(words, a, 0)
    load(words, b, 1000)
    load(words, a, 2000, k.WRITE)
    load(words, c, 3000)
    assert load(words, a, 4000) == 3
    assert load(words, b, 5000) > 3


def test_a_dirty_line_is_written_back_and_a_clean_one_is_not(words):
    a, b, c = (64 * 8 * i for i in range(3))
    load(words, a, 0, k.WRITE)
    load(words, b, 1000)
    load(words, c, 2000)
    assert words[k.COUNT + k.N_WRITEBACKS] == 1
    load(words, a, 3000)
    assert words[k.COUNT + k.N_WRITEBACKS] == 1
    assert words[k.COUNT + 16 * L2_LEVEL + k.N_WRITES] == 1


def test_an_inclusive_level_takes_its_lines_out_of_the_levels_above():
    small = replace(L2, size=1024, ways=2)
    for inclusion, latency in (("inclusive", 20), ("nine", 3)):
        w = build(machine(l2=small, l1d=replace(L1, ways=8, size=4096), inclusion=inclusion))
        for i in range(3):
            load(w, 64 * 8 * i, 1000 * i)
        found = load(w, 0, 9000)
        assert (found >= latency) if inclusion == "inclusive" else (found == latency)


def test_a_row_hit_saves_the_activation_and_a_conflict_pays_a_precharge(words):
    def latency(address, t):
        drop(words, D, address >> 6)
        drop(words, L2_LEVEL, address >> 6)
        return load(words, address, t)

    cold, same_row, other_row = latency(0, 0), latency(64, 10_000), latency(256 * 4, 20_000)
    assert cold - same_row == 10
    assert other_row - cold == 10


def test_two_reads_share_the_data_bus_a_burst_apart(words):
    first = load(words, 0, 0)
    second = load(words, 64, 0)  # the same row: only the bus keeps them apart
    assert second >= first + 5


def test_all_that_ask_a_level_train_one_table():
    """The first and the third line are asked for by a prefetch of the level above, the others by the core."""
    w = build(machine(l2=replace(L2, prefetcher="stride", degree=1)))
    for number, line in enumerate((0, 1, 2, 3)):
        m.go_down(
            w, D, 64 * line, 1000 * number * NS, k.READ if number % 2 else k.PREFETCH, 0x40, number % 2 == 0
        )
    assert queued(w, L2_LEVEL) == [4]


def test_flight_time_is_paid_both_ways():
    far = build(machine(l2=replace(L2, bus=replace(L2.bus, flight=ns(7)))))
    near = build(machine())
    assert load(far, 0, 0) == load(near, 0, 0) + 14


def test_the_next_line_prefetcher_brings_the_next_lines():
    w = build(machine(l1d=replace(L1, mshrs=8, prefetcher="next_line", degree=2)))
    load(w, 0, 0)
    assert [load(w, 64 * i, 5000 + i) for i in (1, 2)] == [3, 3]


@pytest.mark.parametrize(("t", "merged"), [(0.999, 0), (1, 1)])
def test_a_prefetch_goes_before_the_accesses_of_its_time_and_behind_earlier_ones(t, merged):
    w = build(machine(l1d=replace(L1, mshrs=8, prefetcher="next_line", degree=1)))
    load(w, 0, 0)  # the prefetch of line 1 may go a cycle later
    load(w, 64, t)
    assert w[k.COUNT + k.N_MERGED] == merged
    assert w[k.COUNT + k.N_PREFETCHES] == merged


def queued(words, level):
    """Lines of the prefetches of a level that wait, the first one first."""
    count = words[k.QUEUES + level * k.QUEUE_WORDS + k.Q_COUNT]
    return [int(words[waiting(words, level, n) + k.Q_LINE]) for n in range(count)]


def test_of_the_levels_the_earliest_goes_first_and_none_further_than_asked():
    words = build(machine(l1d=replace(L1, mshrs=8)))
    propose(words, D, 10, 29 * NS, 0)  # may go a cycle later
    propose(words, L2_LEVEL, 20, 19 * NS, 0)
    m.send_prefetches(words, 30 * NS - 1)
    assert [find(words, D, 10) >= 0, find(words, L2_LEVEL, 20) >= 0] == [False, True]
    assert words[k.PENDING + k.P_NEXT] == 30 * NS
    m.send_prefetches(words, 30 * NS)
    assert find(words, D, 10) >= 0
    assert words[k.PENDING + k.P_LEVELS] == 0


def test_of_a_level_the_first_that_was_thought_of_goes_first():
    words = build(machine(l1d=replace(L1, mshrs=8)))
    propose(words, D, 10, 30 * NS, 0)
    propose(words, D, 20, 0, 0)
    m.send_prefetches(words, 30 * NS)
    assert queued(words, D) == [10, 20]
    m.send_prefetches(words, 31 * NS)
    assert queued(words, D) == []


def test_a_prefetch_waits_until_the_reserve_is_free_beside_its_own_register():
    w = build(machine(l1d=replace(L1, mshrs=4, reserve=2)))
    w[k.MSHR : k.MSHR + 4] = [10, 20, 30, 40]
    assert [first_free(w, D, spare) for spare in (0, 2, 9)] == [10, 30, 40]


def test_a_line_waits_once_and_a_full_queue_forgets_its_oldest_prefetch(words):
    for line in range(k.PREFETCH_QUEUE):
        propose(words, D, line, 0, 0)
        propose(words, D, line, 0, 0)
    propose(words, L2_LEVEL, 5, 0, 0)
    assert queued(words, D) == list(range(k.PREFETCH_QUEUE))
    propose(words, D, 99, 0, 0)
    assert queued(words, D) == [*range(1, k.PREFETCH_QUEUE), 99]
    assert queued(words, L2_LEVEL) == [5]


def test_a_line_that_is_asked_for_is_taken_off_the_queue(words):
    for line in (1, 2, 34, 3):  # 2 and 34 share a bit of what may wait
        propose(words, D, line, 0, 0)
    withdraw(words, D, 66)
    assert queued(words, D) == [1, 2, 34, 3]
    withdraw(words, D, 34)
    assert queued(words, D) == [1, 2, 3]


@given(st.lists(st.tuples(st.sampled_from("pwf"), st.integers(0, 2), st.integers(0, 70)), max_size=200))
def test_the_queues_are_those_of_plain_lists(steps):
    words, lists = build(machine()), {level: [] for level in range(3)}
    for step, level, line in steps:
        waits = lists[level]
        if step == "p":
            propose(words, level, line, 0, 0)
            if line not in waits:
                lists[level] = [*waits[-k.PREFETCH_QUEUE + 1 :], line]
        elif step == "w":
            withdraw(words, level, line)
            lists[level] = [x for x in waits if x != line]
        elif waits:
            forget(words, level)
            waits.pop(0)
    assert [queued(words, level) for level in range(3)] == list(lists.values())
    active = words[k.PENDING + k.P_LEVEL :][: words[k.PENDING + k.P_LEVELS]]
    assert sorted(active) == [level for level in range(3) if lists[level]]


def test_the_stride_prefetcher_learns_a_stride_from_three_misses_of_one_instruction():
    w = build(machine(l1d=replace(L1, mshrs=8, prefetcher="stride", degree=2)))
    for i in range(3):
        load(w, 192 * i, 1000 * i, pc=0x400)
    assert load(w, 192 * 3, 9000, pc=0x400) == 3


def test_the_stride_prefetcher_stays_in_its_page():
    w = build(machine(l1d=replace(L1, mshrs=8, prefetcher="stride", degree=4)))
    for i in range(3):
        load(w, 4096 - 64 * (3 - i), 1000 * i, pc=0x400)
    load(w, 1 << 20, 9000)
    assert w[k.COUNT + k.N_PREFETCHES] == 0


def test_prefetches_leave_a_register_for_demand():
    w = build(machine(l1d=replace(L1, mshrs=2, reserve=1, prefetcher="next_line", degree=1)))
    first = load(w, 0, 0)
    # the prefetch of line 1 had to wait until the register of line 0 was free
    assert load(w, 64, first) > 3


def test_latencies_are_counted_in_the_histogram(words):
    load(words, 0, 0)
    load(words, 0, 1000)
    assert words[k.HISTOGRAM : k.HISTOGRAM + 64].sum() == 2


@pytest.mark.parametrize(
    ("time", "place"),
    [(0, 0), (1_000, 1), (3_999, 3), (4_000, 4), (7_999, 7), (8_000, 8), (15_999, 11), (16_000, 12)],
)
def test_bins_are_four_an_octave(time, place):
    assert m.latency_bin(time) == place
