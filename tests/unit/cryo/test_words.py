"""Clock edges, slot rings and pages of the timed kernels, against exact arithmetic and plain models."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo._build import build, period
from hwmodel.cryo.config import cryo_ooo
from hwmodel.cryo.words import _kernels as k
from hwmodel.units import GHz

CLOCKS = [GHz(Fraction(333, 10)), GHz(Fraction(526, 10)), GHz(150), GHz(4)]


@pytest.fixture
def words():
    return build(cryo_ooo())


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.parametrize("n", [1, 3, 1_000_003, 10**9])
def test_an_edge_lies_within_a_femtosecond_of_the_exact_time(clock, n):
    num, den = period(clock)
    assert 0 <= Fraction(10**15) / clock.hz * n - k.after(0, n, num, den) < 1


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_the_period_over_a_thousand_million_cycles_is_exact_to_1e_9(clock):
    num, den = period(clock)
    measured = Fraction(k.after(0, 10**9, num, den), 10**9)
    assert abs(measured / (Fraction(10**15) / clock.hz) - 1) < Fraction(1, 10**9)


@given(st.integers(0, 10**11), st.sampled_from(CLOCKS))
def test_the_edge_at_an_edge_is_that_edge(n, clock):
    num, den = period(clock)
    assert k.edge(n * num // den, num, den) == n


@given(st.integers(0, 10**15), st.sampled_from(CLOCKS))
def test_the_edge_after_a_time_is_the_first_one_not_before_it(t, clock):
    num, den = period(clock)
    n = k.edge(t, num, den)
    assert n * num // den >= t
    assert n == 0 or (n - 1) * num // den < t


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4)), max_size=60), st.integers(1, 3))
def test_a_slot_ring_gives_the_first_run_of_cycles_with_room(requests, width):
    w = build(cryo_ooo())
    users: dict[int, int] = {}
    for cycle, length in requests:
        want = next(
            c for c in range(cycle, 10_000) if all(users.get(c + i, 0) < width for i in range(length))
        )
        for i in range(length):
            users[want + i] = users.get(want + i, 0) + 1
        assert k.take_slot(w, 2, cycle, width, length) == want


def test_a_slot_of_another_turn_of_the_ring_counts_as_free(words):
    size = int(words[k.H_SLOT_MASK]) + 1
    assert k.take_slot(words, 0, 5, 1, 1) == 5
    assert k.take_slot(words, 0, 5 + size, 1, 1) == 5 + size


def test_regions_get_memory_in_the_order_of_their_first_touch_and_keep_their_pages_in_order(words):
    frames = [k.physical(words, page << 12) >> 12 for page in (7, 3, 7, 1 << 30, 3, 511, 512)]
    assert frames == [512 + 7, 512 + 3, 512 + 7, 1024, 512 + 3, 512 + 511, 3 * 512]


@pytest.mark.parametrize("setting", [k.PAGE + k.PAGE_SHUFFLE, k.WALK + k.K_ON])
def test_shuffled_and_walked_pages_get_their_frames_one_by_one(words, setting):
    words[setting] = 1
    for page in (7, 3, 7):
        k.physical(words, page << 12)
    assert words[k.PAGE + k.PAGE_NEXT] == 2
    assert abs(k.physical(words, 7 << 12) - k.physical(words, 3 << 12)) != 4 << 12


def test_an_address_keeps_its_place_in_its_page(words):
    assert k.physical(words, (9 << 12) + 0xABC) & 0xFFF == 0xABC


def test_without_first_touch_physical_addresses_are_virtual_ones(words):
    words[k.PAGE + k.PAGE_ON] = 0
    assert k.physical(words, 0x12345678) == 0x12345678


def test_a_full_page_table_is_noticed_and_nothing_is_written_beyond_it(words):
    mask = int(words[k.PAGE + k.PAGE_MASK])
    words[k.PAGE + k.PAGE_MASK] = 7
    before = words.copy()
    for page in range(10):
        k.physical(words, page << 21)
    assert words[k.PAGE + k.PAGE_FULL] == 1
    changed = np.flatnonzero(before != words)
    table = int(words[k.H_PAGE])
    inside = [(k.PAGE <= place < k.MEMORY_END) or (table <= place < table + 16) for place in changed]
    assert all(inside)
    assert mask > 7
