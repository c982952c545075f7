"""The memory controller: each rule's times worked out by hand, and all of them together against an oracle."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo._build import build
from hwmodel.cryo._dram_checks import MOST_BANKS, MOST_RANKS, MOST_WRITES
from hwmodel.cryo.config import DDR3_1600
from hwmodel.cryo.dram._kernels import decide, dram_read, dram_write
from hwmodel.cryo.lines._kernels import find, insert
from hwmodel.cryo.memories import DDR4_2400
from hwmodel.cryo.presets import CHAMPSIM_DRAM
from hwmodel.cryo.words import _kernels as k
from hwmodel.errors import SpecError
from hwmodel.units import ns
from tests.unit.cryo.dram_oracle import Controller
from tests.unit.cryo.test_memory import DRAM, L2_LEVEL, NS, machine

# Rows of four lines, four banks: line 4 lies in another bank, line 16 in another row of the first. A read pays
# activation 10, access 10, burst 5 and the controller's 20.


def words_of(**changes):
    return build(machine(dram=replace(DRAM, **changes)))


@pytest.fixture
def words():
    return words_of()


def read(w, line, t):
    """Give when a line read at t nanoseconds leaves the controller, as it is promised; it lies in the second level."""
    ready = dram_read(w, line, int(t * NS))
    insert(w, L2_LEVEL, line, 0, ready)
    return ready / NS


def arrival(w, line):
    """Give when a line comes after all that was moved."""
    return w[w[k.H_READY] + find(w, L2_LEVEL, line)] / NS


def test_reads_of_an_open_row_follow_each_other_on_the_bus(words):
    assert [read(words, line, 0) for line in range(3)] == [45, 50, 55]


def test_a_row_hit_passes_a_conflict_that_came_before_it(words):
    for line in range(2):
        read(words, line, 0)  # commands at 10 and 15; what comes next is decided at 20 - 10 - 10
    assert (
        read(words, 16, 0) == 30 + 10 + 10 + 10 + 5 + 20
    )  # closed after 30 in which a row stays open at least
    assert read(words, 2, 0) == 55
    assert arrival(words, 16) == 85


def test_what_is_passed_comes_later_and_holds_its_register_longer(words):
    """Row 0 could be left at 30 ns; five more of its reads take the bus until 45."""
    w = words_of(banks=1, row=1024, rtp=ns(5))
    read(w, 0, 0)
    promised = read(w, 16, 0)
    w[k.MSHR + 64 * L2_LEVEL + 3] = promised * NS
    for line in range(1, 7):
        read(w, line, 0)
    # the last command at 40, precharge from 45 on
    assert arrival(w, 16) == 45 + 10 + 10 + 10 + 5 + 20
    assert w[k.MSHR + 64 * L2_LEVEL + 3] == 100 * NS


@pytest.mark.parametrize(("t", "out"), [(10, 55), (20, 55), (21, 56)])
def test_a_row_stays_open_while_no_other_is_wanted(words, t, out):
    read(words, 0, 0)
    read(words, 1, 0)
    assert read(words, 2, t) == out


def test_a_row_that_is_wanted_no_more_is_closed_behind_its_last_read(words):
    """Then the next one pays no precharge of its own: it is over when its activation may begin."""
    for line in (0, 16):
        read(words, line, 0)
    decided = [decide(words, k.CHANNEL) for _ in range(2)]
    assert len(decided) == 2
    assert words[k.CHANNEL + k.X_BANKS + k.B_ROW] == 1
    assert arrival(words, 16) == 85


@pytest.mark.parametrize(("uses", "hit"), [(2, True), (1, False)])
def test_a_row_is_closed_when_it_was_used_often_enough(uses, hit):
    w = words_of(max_row=uses)
    read(w, 0, 0)
    assert (read(w, 1, 1000) == 1000 + 35) == hit


def test_another_bank_is_opened_behind_the_bursts_of_the_first(words):
    for line in (0, 1, 2, 4):
        read(words, line, 0)
    assert arrival(words, 4) == 60  # its row is open before the bus is free


def test_a_rank_opens_one_row_in_its_time():
    w = words_of(rrd=ns(7))
    assert [read(w, line, 0) for line in (0, 4)] == [45, 52]


@pytest.mark.parametrize(("faw", "last"), [(0, 65), (50, 50 + 45)])
def test_a_rank_opens_four_rows_in_its_window(faw, last):
    w = words_of(banks=8, faw=ns(faw))
    assert [read(w, 4 * bank, 0) for bank in range(5)] == [45, 50, 55, 60, last]


def test_another_rank_loses_bus_time():
    w = words_of(ranks=2, cs=ns(3))
    assert [read(w, line, 0) for line in (0, 8, 1)] == [45, 53, 50]
    assert arrival(w, 8) == 58  # the second read of the open rank passed it


@pytest.mark.parametrize(("t", "out"), [(1000 + 60, 1135), (1000 + 100, 1135), (1000 + 101, 1136)])
def test_a_refresh_is_waited_for_and_closes_all_rows(t, out):
    w = words_of(refi=ns(1000), rfc=ns(100))
    read(w, 0, 900)
    assert read(w, 1, t) == out + 10


def test_a_read_of_what_waits_to_be_written_pays_the_controller_only(words):
    dram_write(words, 5, 0)
    assert read(words, 5, 100) == 100 + 10
    assert read(words, 37, 100) > 110  # the same bit of the filter, another line


@pytest.mark.parametrize(("writes", "turned"), [(4, False), (5, True)])
def test_an_idle_bus_is_turned_when_more_writes_wait_than_may(writes, turned):
    w = words_of(low=4, high=8)
    for line in range(writes):
        dram_write(w, line, 0)
    # a read that comes while the bus writes waits until all are written: commands from 10 to 30
    assert (read(w, 16, 1) > 1 + 45) == turned


def test_a_line_that_waits_to_be_written_is_written_once(words):
    for _ in range(2):
        dram_write(words, 5, 0)
    assert words[k.CHANNEL + k.X_WRITES] == 1
    assert words[k.DRAMS + k.M_WRITES] == 2


def test_a_full_write_queue_is_drained_first():
    w = words_of(low=62, high=63)
    for line in range(200):
        dram_write(w, line, 0)
    assert w[k.CHANNEL + k.X_WRITES] <= k.MAX_WRITES
    assert w[k.DRAMS + k.M_BUSY] > 0


def test_a_write_finds_room_where_all_others_are_yet_to_come(words):
    for line in range(k.MAX_WRITES):
        dram_write(words, line, 1000 * NS)
    dram_write(words, 100, 0)
    assert words[k.CHANNEL + k.X_WRITES] == k.MAX_WRITES


def test_the_bounds_of_a_channel_are_those_of_its_tables():
    assert (MOST_BANKS, MOST_RANKS, MOST_WRITES + 1) == (k.MAX_BANKS, k.MAX_RANKS, k.MAX_WRITES)


def test_more_reads_than_the_queue_holds_wait_for_the_first():
    w = words_of()
    ready = [read(w, line, 0) for line in range(100)]
    assert ready == sorted(ready)
    assert w[k.CHANNEL + k.X_READS] == k.MAX_READS


def test_a_read_that_is_known_early_does_not_hold_up_one_that_comes_before_it(words):
    read(words, 32, 1000)
    assert read(words, 0, 0) == 45


PARTS = [
    DRAM,
    replace(DRAM, ranks=2, cs=ns(3), rtp=ns(7), turn=ns(11), wtr=ns(8), faw=ns(33), rrd=ns(6), low=3, high=6),
    replace(DRAM, max_row=2, refi=ns(300), rfc=ns(40), low=3, high=6, wr=ns(12), cwl=ns(9)),
    replace(DDR3_1600, row=256, banks=4),
    replace(DDR4_2400, row=256, banks=8),
]
REQUESTS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 127), st.booleans()), max_size=60, unique_by=lambda r: r[1]
)


@pytest.mark.parametrize("part", PARTS)
@given(requests=REQUESTS)
def test_reads_come_when_an_oracle_serves_them(part, requests):
    """Requests in the order of their times; the times at which lines arrive after all have been served."""
    w, oracle, asked, t = build(machine(dram=part)), Controller(part), [], 0
    for gap, line, write in requests:
        t += gap * NS // 3
        if write:
            dram_write(w, line, t)
        else:
            insert(w, L2_LEVEL, line, 0, dram_read(w, line, t))
        asked.append(oracle.request(t, write, line))
    while w[k.CHANNEL + k.X_READS]:
        decide(w, k.CHANNEL)
    oracle.run(asked)
    reads = [r for r in asked if not r.write]
    arrivals = [w[w[k.H_READY] + find(w, L2_LEVEL, r.line)] - int(part.controller) for r in reads]
    assert arrivals == [r.ready for r in reads]


@pytest.mark.parametrize(
    "changes",
    [
        {"banks": 65}, {"banks": 0}, {"ranks": 3}, {"ranks": 16, "banks": 64}, {"row": 100}, {"row": 0}, {"burst": 0},
        {"high": 64}, {"low": 54}, {"rcd": -1}, {"turn": ns(5), "wtr": ns(6)}, {"refi": ns(100), "rfc": ns(100)},
        {"max_row": 1.5}, {"holds": 1}, {"controller": 2 * 10**12},
    ],
)  # fmt: skip
def test_a_channel_that_no_controller_has_is_refused(changes):
    with pytest.raises(SpecError, match=rf"Dram\(.*{next(iter(changes))}"):
        replace(DRAM, **changes)


def test_banks_that_hold_their_access_keep_the_order():
    """ChampSim's controller: a row hit does not pass, and a bank takes its next access after the last one's burst."""
    w = build(machine(dram=CHAMPSIM_DRAM))
    ready = [dram_read(w, line, 0) for line in (0, 32 * 128, 0)]
    assert ready == sorted(ready)
