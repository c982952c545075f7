"""The chain over time: the clock law, settings, windows, registers, the serial line."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import QueueOverflowError, SpecError, TimeRangeError
from hwmodel.reservoir.chip import (
    HIT,
    ChipModel,
    Crystal,
    ErrorModel,
    FosterLadder,
    Physics,
    Place,
    Planted,
    SampledHash,
    SupplyNetwork,
    Throttle,
    Uart,
    serialise,
)
from hwmodel.reservoir.chips import BM1366
from hwmodel.reservoir.header import scan_order
from hwmodel.units import MHz, Time, ms, s, us

from .models import JOB, OTHER, SMALL, full, in_pieces, small

EVERYTHING = Physics(
    errors=ErrorModel(limit=600e6),
    supply=SupplyNetwork(),
    thermal=FosterLadder(),
    crystal=Crystal(),
    throttle=Throttle(celsius=30.0, interval=0.3),
    jitter=1e-11,
    job_pause=1e-5,
    planted=Planted(frequency=2.4, depth=0.2, burst_probability=0.3, burst_error=0.5, jitter=1e-3),
)


def law(hits: np.ndarray, period: Fraction, start: int = 0, bits: int = 25, slots: int = 8) -> list[int]:
    """t0 + P (batch + counter / 2**bits), from nonce and version alone."""
    batch = ((hits["version"].astype(np.int64) & 0x1FFFE000) >> 13) // slots
    counter = scan_order(hits["nonce"]).astype(np.int64) & ((1 << bits) - 1)
    return [
        start + int(period * (int(b) * 2**bits + int(c)) / 2**bits)
        for b, c in zip(batch, counter, strict=True)
    ]


def test_a_hit_comes_at_its_batch_and_counter_to_the_femtosecond() -> None:
    hits = full().run(s(20))
    assert len(hits) > 1500
    assert hits["t"].tolist() == law(hits, Fraction(2**25 * 10**15, 485 * 10**6))


def test_the_measured_batch_period_is_met_by_calibration() -> None:
    model = full(batch_period="78.65 ms")
    assert model.batch_period == Fraction(78_650_000_000_000)
    hits = model.run(s(5))
    assert hits["t"].tolist() == law(hits, model.batch_period)
    assert float(full(nonces_per_clock=0.5).batch_period / full().batch_period) == 2.0


def test_a_job_begins_at_the_next_counter_step() -> None:
    model = full(job=None)
    model.set_job(Time(1_000_000_123), JOB)
    hits = model.run(s(1))
    step = Fraction(10**15, 485 * 10**6)
    origin = -int(-1_000_000_123 // step)
    batch = ((hits["version"].astype(np.int64) & 0x1FFFE000) >> 13) // 8
    counter = scan_order(hits["nonce"]).astype(np.int64) & (2**25 - 1)
    assert hits["t"].tolist() == [
        int((origin + int(b) * 2**25 + int(c)) * step) for b, c in zip(batch, counter, strict=True)
    ]


def test_a_replayed_job_has_the_same_hits_at_the_same_delays() -> None:
    model = full(frequency=MHz(500), pll=False)  # 2 ns a step, so that every whole second is a step
    first = model.run(s(3))
    model.set_job(s(3), OTHER)
    model.run(s(5))
    model.set_job(s(5), JOB)
    again = model.run(s(8))
    again["t"] -= int(s(5))
    np.testing.assert_array_equal(first, again)


def test_a_new_job_ends_the_one_before() -> None:
    model = full()
    model.set_job(s(1), OTHER)
    hits = model.run(s(2))
    assert ((hits["t"] < int(s(1))) == (hits["job"] == JOB.job_id)).all()
    assert set(hits["job"].tolist()) == {JOB.job_id, OTHER.job_id}


def test_without_a_job_nothing_comes() -> None:
    model = full()
    model.set_job(s(1), None)
    hits = model.run(s(10))
    assert len(hits)
    assert hits["t"].max() < int(s(1))


def test_through_a_change_of_frequency_the_counter_goes_on() -> None:
    steady, changed = full(), full()
    assert changed.set_frequency(s(2), MHz(425)) == MHz(425)
    a, b = steady.run(s(2)), changed.run(s(2))
    np.testing.assert_array_equal(a, b)
    later, slower = steady.run(s(5)), changed.run(s(5))
    n = len(slower)
    np.testing.assert_array_equal(later["nonce"][:n], slower["nonce"])
    stretched = int(s(2)) + (later["t"][:n] - int(s(2))) * 485 / 425
    assert (
        np.abs(stretched - slower["t"]).max() < 3e9 * 1e-3
    )  # microseconds: rounding of doubles, not of the clock


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60), st.booleans(), st.integers(1, 3), st.sampled_from([1, 4]))
def test_results_do_not_depend_on_how_a_run_is_cut(
    pieces: int, everything: bool, chips: int, mask: int
) -> None:
    def model() -> ChipModel:
        made = full(EVERYTHING if everything else None, chips=chips)
        made.set_ticket_mask(Time(0), mask)
        return made

    whole, other = model(), model()
    np.testing.assert_array_equal(whole.run(s(2)), in_pieces(other, int(s(2)), pieces))
    assert [whole.registers(n) for n in range(chips)] == [other.registers(n) for n in range(chips)]
    assert whole.lost == other.lost


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 40), st.integers(1, 4))
def test_exact_results_do_not_depend_on_how_a_run_is_cut(pieces: int, chips: int) -> None:
    until = int(ms(1))
    np.testing.assert_array_equal(
        small(chips=chips).run(Time(until)), in_pieces(small(chips=chips), until, pieces)
    )


def test_the_order_is_that_of_time_and_chip() -> None:
    hits = full(chips=6).run(s(2))
    assert (np.diff(hits["t"]) >= 0).all()
    assert set(hits["chip"].tolist()) == set(range(6))
    assert hits.dtype == HIT


def test_every_result_of_an_ideal_chip_hashes_to_its_difficulty() -> None:
    model = small()
    hits = model.run(ms(2))
    headers = [JOB.header(int(h["nonce"])).with_version(int(h["version"])) for h in hits]
    np.testing.assert_allclose([model.check(header) for header in headers], hits["difficulty"], rtol=1e-12)
    assert (hits["difficulty"] >= 65535 / 65536).all()
    assert len(hits) > 50


def test_a_mask_takes_results_away_and_moves_none() -> None:
    every, some = full(), full()
    some.set_ticket_mask(Time(0), 20)  # 16
    a, b = every.run(s(30)), some.run(s(30))
    np.testing.assert_array_equal(a[a["difficulty"] >= 16 * 65535 / 65536], b)


def test_a_mask_without_registers_gives_the_same_results() -> None:
    models = [full(count=count) for count in (True, False)]
    for model in models:
        model.set_ticket_mask(Time(0), 8)
    np.testing.assert_array_equal(models[0].run(s(30)), models[1].run(s(30)))


def test_registers_count_results_of_difficulty_1_whatever_the_mask_is() -> None:
    model, every = full(), full()
    model.set_ticket_mask(Time(0), 256)
    model.run(s(10))
    hits = every.run(s(10))
    registers = model.registers()
    assert registers[0x8C] == len(hits) == sum(registers[0x88 + n] for n in range(4))
    assert registers[0x4C] == 0
    domains = np.bincount(hits["core"] * 4 // 112, minlength=4)
    assert [registers[0x88 + n] for n in range(4)] == domains.tolist()


def test_the_sweep_limit_holds_from_the_next_job_on_and_zero_halts() -> None:
    model = full()
    model.set_sweep_limit(s(1), 864_804)
    model.run(s(1))
    model.set_job(s(1), OTHER)
    assert model.places[0].sweep == 864_804 * 2 * 485 // 25
    model.set_sweep_limit(s(2), 100_000)
    model.set_job(s(2), JOB)
    hits = model.run(s(3))
    latest = hits[hits["t"] >= int(s(2))]
    assert (scan_order(latest["nonce"]).astype(np.int64) & (2**25 - 1)).max() < 100_000 * 2 * 485 // 25
    model.set_sweep_limit(s(3), 0)
    model.set_job(s(3), JOB)
    assert len(model.run(s(4))) == 0


def test_a_gap_between_sweeps_lengthens_the_batch() -> None:
    model = full(batch_gap=1000)
    assert model.batch_period == Fraction((2**25 + 1000) * 10**15, 485 * 10**6)
    hits = model.run(s(2))
    batch = ((hits["version"].astype(np.int64) & 0x1FFFE000) >> 13) // 8
    plain = np.array(law(hits, Fraction(2**25 * 10**15, 485 * 10**6)))
    assert np.abs(hits["t"] - plain - batch * (1e18 / 485e6)).max() <= 1


def test_chips_of_a_chain_find_together_what_one_would() -> None:
    alone, chain = small(), small(chips=4)
    sweeps = 64 * 4  # a chain needs a quarter of the time
    a = alone.run(us(sweeps * 4))
    b = chain.run(us(sweeps))
    assert sorted(zip(a["nonce"], a["version"], strict=True)) == sorted(
        zip(b["nonce"], b["version"], strict=True)
    )


def test_the_next_hit_is_when_the_next_result_comes() -> None:
    for model in (small(), full(), full(chips=3)):
        for _ in range(20):
            due = model.next_hit()
            assert len(model.run(Time(due))) == 0
            model.run(Time(due + 1))
    model, seen = full(), 0
    for _ in range(30):
        seen += len(model.run(Time(model.next_hit() + 1)))
    assert seen >= 29  # of 64 batches of 7 hits one lies without a hit at most


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 40), st.sampled_from([1, 2, 8]), st.booleans())
def test_results_looked_ahead_are_those_that_are_worked_out_in_time(
    pieces: int, mask: int, real: bool
) -> None:
    # A model that counts into registers never looks ahead.
    make, end = (small, int(ms(4))) if real else (full, int(ms(400)))
    found = []
    for count in (False, True):
        model, parts = make(count=count), []
        model.set_ticket_mask(Time(0), mask)
        for n in range(1, pieces + 1):
            at = end * n // pieces
            while (due := model.next_hit()) < at:
                parts.append(model.run(Time(due + 1)))
            if n % 5 == 0:
                saved, model = model.save(), make(count=count)
                model.load(saved)
            if n % 3 == 0:
                model.set_frequency(Time(at), f"{n} MHz" if real else "400 MHz")
        parts.append(model.run(Time(end)))
        found.append(np.concatenate(parts))
    np.testing.assert_array_equal(*found)
    assert len(found[0]) > 3


def test_a_saved_chain_goes_on_alike() -> None:
    model = full(EVERYTHING, chips=2)
    model.set_ticket_mask(Time(0), 2)
    model.run(ms(700))
    model.set_job(ms(700), OTHER)
    saved = model.save()
    other = full(EVERYTHING, chips=2)
    other.load(saved)
    np.testing.assert_array_equal(model.run(s(2)), other.run(s(2)))
    assert model.registers() == other.registers()


def test_the_past_cannot_be_set() -> None:
    model = full()
    model.run(s(2))
    for action in (
        lambda: model.run(s(1)),
        lambda: model.set_job(s(1), None),
        lambda: model.set_voltage(s(1), 1.0),
    ):
        with pytest.raises(TimeRangeError, match="past"):
            action()


def test_settings_out_of_range_are_refused() -> None:
    model = full()
    for action in (
        lambda: model.set_voltage(Time(0), 0.0),
        lambda: model.set_temperature(Time(0), -300.0),
        lambda: model.set_ticket_mask(Time(0), 0.5),
        lambda: model.set_sweep_limit(Time(0), -1),
        lambda: ChipModel(nonces_per_clock=0),
        lambda: ChipModel(voltage=-1.0),
        lambda: ChipModel(chips=0),
    ):
        with pytest.raises(SpecError):
            action()


def test_full_rate_is_that_of_the_small_cores() -> None:
    """Hits in 600 s at difficulty 1 within 4 standard errors: false alarm 6e-5."""
    hits = full().run(s(300))
    expected = 300 * 894 * 485e6 / 2**32
    assert abs(len(hits) - expected) < 4 * expected**0.5


@given(
    st.lists(st.integers(0, 10**12), max_size=60), st.integers(1, 5), st.sampled_from([9600, 115_200, 10**6])
)
def test_the_line_is_a_queue_with_one_server(gaps: list[int], fifo: int, baud: int) -> None:
    times = np.cumsum(np.array(gaps, np.int64))
    frame = 110 * 10**15 // baud
    ends: list[int] = []
    sent: list[int] = []
    for n, t in enumerate(times.tolist()):
        if sum(end > t for end in ends) >= fifo:
            continue
        ends.append(max(t, ends[-1] if ends else 0) + frame)
        sent.append(n)
    got = serialise(times, baud, 11, fifo)
    assert (got.t.tolist(), got.sent.tolist(), got.dropped) == (ends, sent, len(times) - len(sent))


def test_a_line_keeps_its_state_between_calls() -> None:
    times = full().run(s(20))["t"]
    whole, parts = Uart(9600, fifo=3), Uart(9600, fifo=3)
    first = parts.send(times[:700])
    saved = parts.save()
    other = Uart(9600, fifo=3)
    other.load(saved)
    rest = other.send(times[700:])
    np.testing.assert_array_equal(whole.send(times).t, np.concatenate([first.t, rest.t]))
    assert whole.dropped == other.dropped > 0


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(1, 5))
def test_results_sent_one_by_one_are_sent_as_many_at_once(gaps: list[int], fifo: int) -> None:
    times = np.cumsum(gaps) * 10**6
    many, single = Uart(10**9, 11, fifo), Uart(10**9, 11, fifo)
    got = many.send(times)
    ends = [single.send_one(t) for t in times.tolist()]
    assert [end for end in ends if end >= 0] == got.t.tolist()
    assert single.dropped == got.dropped
    np.testing.assert_array_equal(single.save(), many.save())


def test_a_line_out_of_range_is_refused() -> None:
    for wrong in ({"baud": 0}, {"fifo": 0}, {"fifo": 2**17}, {"frame_bytes": 0}):
        with pytest.raises(SpecError, match=next(iter(wrong))):
            Uart(**wrong)
    with pytest.raises(SpecError, match="fall"):
        serialise(np.array([2, 1]))


def test_the_oracle_and_the_model_agree_on_the_small_chip() -> None:
    model = small()
    hits = model.run(us(64 * 5))
    found = model.oracle.hits(JOB, Place(SMALL), 0, 5)
    np.testing.assert_array_equal(hits["nonce"], found["nonce"])
    assert hits["t"].tolist() == [(int(f["batch"]) * 64 + int(f["position"])) * 10**9 for f in found]


def test_by_default_hits_are_drawn_from_the_seed() -> None:
    assert isinstance(ChipModel(seed=4).oracle, SampledHash)
    assert ChipModel(BM1366).frequency == MHz(485)


def test_the_latest_jobs_stay_in_their_slots() -> None:
    model = full()
    model.set_job(s(1), OTHER)
    assert len(model.slots) == 16
    assert (model.slots[1], model.slots[2], model.job) == (JOB, OTHER, OTHER)


def test_more_results_than_the_bound_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwmodel.reservoir.chip.model.MAX_WAITING", 100)
    with pytest.raises(QueueOverflowError, match="ticket mask"):
        full().run(s(10))
