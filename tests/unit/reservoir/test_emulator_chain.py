"""An emulated chain as its host sees it, at times that the test chooses: no clock, no port."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir import _emulator_chain
from hwmodel.reservoir.chip import Place
from hwmodel.reservoir.chip.model import ChipModel
from hwmodel.reservoir.chip.uart import serialise
from hwmodel.reservoir.chips import BM1366, BM1397, small_chip
from hwmodel.reservoir.emulator import EmulatedChain, Faults, emulated_chain, oracle_for
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.wire import (
    Command,
    Decoder,
    JobFrame,
    NonceResponse,
    RegisterResponse,
    bring_up,
    decode,
    encode,
    hash_counting_number,
    pll_word,
)
from hwmodel.units import MHz, Time
from tests.unit.reservoir.wire.strategies import FRAMES

MS, S = 10**12, 10**15
JOB = Job(8, 0x20000000, bytes(range(32)), bytes(range(32, 64)), 1_700_000_000, 0x17034219)

WRITES = st.tuples(
    st.sampled_from([0x08, 0x10, 0x14, 0x18, 0x28, 0x3C, 0xA4]), st.integers(0, 2**32 - 1)
).map(lambda pair: encode(Command.write(*pair)))


def bytes_of(commands: list[Command]) -> bytes:
    return b"".join(map(encode, commands))


def started(
    chain: EmulatedChain, difficulty: int = 1, model: str = "BM1366", baud: int | None = 0x11300200
) -> int:
    """Bring a chain up; return the time at which it has answered."""
    sequence = bring_up(model)
    commands = [
        *sequence.discover(),
        *sequence.addressing(chain.chips),
        *sequence.configure(chain.chips, difficulty),
        Command.write(0x08, pll_word(MHz(485))),
        Command.write(0x10, hash_counting_number(MHz(485), chain.chips)),
        *([] if baud is None else [Command.write(0x28, baud)]),
    ]
    chain.receive(0, bytes_of(commands))
    chain.due(S)
    return S


def timed(chain: EmulatedChain, t: int, step: int, end: int) -> list[tuple[int, NonceResponse]]:
    """Results with the time of the step in which they arrived."""
    decoder, found = Decoder("response", 11), []
    while t < end:
        t += step
        found += [(t, frame) for frame in decoder.feed(chain.due(t)) if isinstance(frame, NonceResponse)]
    return found


def test_fresh_chips_answer_in_nine_bytes_and_in_eleven_once_versions_roll() -> None:
    chain = emulated_chain()
    chain.receive(0, encode(Command.read(0)))
    assert decode(chain.due(S)) == [RegisterResponse(0x13660000, unknown=None)]
    chain.receive(S, bytes_of([Command.write(0xA4, 0x9000FFFF), Command.read(0)]))
    assert decode(chain.due(2 * S)) == [RegisterResponse(0x13660000)]


def test_chips_take_their_addresses_in_turn() -> None:
    chain = emulated_chain(chips=4)
    commands = [Command.inactive(), *(Command.address(n * 64) for n in range(4)), Command.address(99)]
    chain.receive(0, bytes_of([*commands, Command.read(0)]))
    answers = decode(chain.due(S))
    assert [(a.chip, a.value & 0xFF) for a in answers if isinstance(a, RegisterResponse)] == [
        (n, n) for n in (0, 64, 128, 192)
    ]


def test_a_register_is_read_from_the_chip_that_is_asked() -> None:
    chain = emulated_chain(chips=2)
    begin = started(chain)
    chain.receive(
        begin, bytes_of([Command.write(0x54, 7, chip=128), Command.read(0x54, chip=128), Command.read(0x54)])
    )
    values = [a.value for a in decode(chain.due(begin + S)) if isinstance(a, RegisterResponse)]
    assert values == [7, 3, 7]


def test_set_points_reach_the_model() -> None:
    chain = emulated_chain()
    begin = started(chain, difficulty=4)
    assert (chain.model.frequency, chain.model.ticket_mask) == (MHz(485), 4)
    assert round(chain.baud) == 1_041_667
    chain.receive(begin, bytes_of([Command.write(0x08, pll_word(MHz(525)))]))
    assert chain.model.frequency == MHz(525)


def test_results_hash_again_and_name_job_chip_and_small_core() -> None:
    chain = emulated_chain(chips=2, zero_bits=10)
    begin = started(chain)
    frame = JobFrame.of(JOB)
    chain.receive(begin, encode(frame))
    found = [response for _, response in timed(chain, begin, MS, begin + S)]
    assert len(found) > 100
    check = oracle_for(10).check
    for response in found:
        assert check(frame.header(response)) >= 65535 / 65536
        assert response.job_id() == JOB.job_id
        assert response.core < 4
        assert response.small_core() == (response.version or 0) % 8
    assert {response.address >> 7 for response in found} == {0, 1}


def test_a_bm1370_names_jobs_in_its_own_way() -> None:
    chain = emulated_chain("BM1370", zero_bits=10)
    begin = started(chain, model="BM1370")
    chain.receive(begin, encode(JobFrame.of(JOB)))
    found = [response for _, response in timed(chain, begin, MS, begin + S)]
    assert found
    assert {response.job_id(slot_bits=4) for response in found} == {JOB.job_id}


@pytest.mark.parametrize(
    ("word", "baud"), [(0x11300000, 3_125_000), (0x01301800, 125_000), (0x01307C00, 25_000)]
)
def test_results_arrive_when_the_uart_has_sent_them(word: int, baud: int) -> None:
    """Against the hits of a twin's model, sent by the serial line of the chip package."""
    chain, twin = emulated_chain(zero_bits=8), emulated_chain(zero_bits=8)
    for one in (chain, twin):
        begin = started(one, baud=word)
        one.receive(begin, encode(JobFrame.of(JOB)))
    chain.advance(begin + S)
    hits = twin.model.run(Time(begin + S))
    line = serialise(hits, baud, frame_bytes=11, fifo=16)
    assert [t for t, _ in chain._outbox] == line.t.tolist()
    assert chain.lost == line.dropped
    assert (line.dropped > 100) == (baud == 25_000)


def test_a_slow_line_loses_what_its_queue_cannot_hold() -> None:
    chain = emulated_chain(zero_bits=6)
    begin = started(chain, baud=0x0130FF00)  # 12,207 baud: 111 frames a second, of 3,700 results
    chain.receive(begin, encode(JobFrame.of(JOB)))
    found = timed(chain, begin, 10 * MS, begin + S)
    assert 100 < len(found) <= 112
    assert chain.lost > 1000


def test_nothing_is_reported_before_the_cores_are_open() -> None:
    chain = emulated_chain(zero_bits=8)
    chain.receive(0, bytes_of([Command.write(0xA4, 0x9000FFFF)]) + encode(JobFrame.of(JOB)))
    assert chain.due(S) == b""
    assert chain.model.registers()[0x8C] > 100  # it hashes all the same


def test_a_sweep_of_zero_halts() -> None:
    chain = emulated_chain(zero_bits=8)
    begin = started(chain)
    chain.receive(begin, encode(Command.write(0x10, 0)) + encode(JobFrame.of(JOB)))
    assert timed(chain, begin, 10 * MS, begin + S) == []


def test_counters_are_read_over_the_wire() -> None:
    chain = emulated_chain(zero_bits=8)
    begin = started(chain)
    chain.receive(begin, encode(JobFrame.of(JOB)))
    found = timed(chain, begin, MS, begin + S)
    chain.receive(chain.now, encode(Command.read(0x8C)))
    (answer,) = [a for a in decode(chain.due(chain.now + S // 10)) if isinstance(a, RegisterResponse)]
    assert abs(answer.value - len(found)) <= 3


def test_any_chunks_of_commands_do_the_same() -> None:
    data = bytes_of(bring_up("BM1366").discover()) + encode(JobFrame.of(JOB))
    one, other = emulated_chain(), emulated_chain()
    one.receive(0, data)
    for byte in data:
        other.receive(0, bytes([byte]))
    assert one.due(S) == other.due(S)
    assert one.model.job == other.model.job == JOB


def test_half_a_job_is_given_up_when_the_host_falls_silent() -> None:
    chain = emulated_chain()
    chain.receive(0, encode(JobFrame.of(JOB))[:40] + encode(Command.read(0)))
    assert (chain.half_frame, chain.due(S)) == (True, b"")
    chain.idle(S)
    assert len(decode(chain.due(2 * S))) == 1
    assert chain.dropped == 40


def test_garbage_from_the_host_does_nothing() -> None:
    chain = emulated_chain()
    rng = np.random.default_rng(1)
    chain.receive(0, rng.integers(0, 256, 10_000, np.uint8).tobytes())
    chain.idle(0)
    assert chain.dropped >= 9_900


def test_a_chip_that_vanishes_takes_those_behind_it_with_it() -> None:
    chain = emulated_chain(chips=4, zero_bits=8)
    begin = started(chain)
    chain.receive(begin, encode(JobFrame.of(JOB)))
    chain.due(begin + S // 10)
    chain.vanish(2)
    found = [r.address >> 6 for _, r in timed(chain, chain.now, MS, begin + S)]
    assert set(found) == {0, 1}
    chain.receive(chain.now, encode(Command.read(0)))
    answers = [a for a in decode(chain.due(chain.now + S)) if isinstance(a, RegisterResponse)]
    assert [a.chip for a in answers] == [0, 64]


def test_a_chip_vanishes_after_the_frames_that_were_asked_for() -> None:
    chain = emulated_chain(zero_bits=8, faults=Faults(vanish_after=10))
    begin = started(chain)
    chain.receive(begin, encode(JobFrame.of(JOB)))
    found = timed(chain, begin, MS, begin + S)
    assert len(found) == 9  # one frame was the answer to the discovery
    assert chain.present == 0


def test_late_bytes_hold_back_what_follows() -> None:
    chain = emulated_chain(faults=Faults(late=1.0, late_seconds=1.0))
    chain.receive(0, encode(Command.read(0)))
    sizes = [len(chain.due(n * S + S // 2)) for n in range(11)]
    assert sizes == [0, *[1] * 9, 0]


def test_a_revived_chain_is_as_after_a_reset() -> None:
    chain = emulated_chain(chips=2, zero_bits=8)
    begin = started(chain)
    chain.vanish()
    chain.revive()
    chain.receive(begin, encode(Command.read(0)))
    assert decode(chain.due(begin + S)) == [RegisterResponse(0x13660000, unknown=None)] * 2


def test_time_goes_on_beyond_that_of_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_emulator_chain, "ERA", S)
    monkeypatch.setattr(_emulator_chain, "LAST", 2 * S)
    chain = emulated_chain(zero_bits=10)
    begin = started(chain, difficulty=2)
    chain.receive(begin, encode(JobFrame.of(JOB)))
    first = timed(chain, begin, 10 * MS, 4 * S)  # past the end of the model's time, without a job in between
    other = Job(16, 0x20000000, bytes(32), bytes(32), 1, 2)
    chain.receive(chain.now, encode(JobFrame.of(other)))
    second = timed(chain, chain.now, 10 * MS, 6 * S)
    assert {r.job_id() for _, r in first} == {8}
    assert {r.job_id() for _, r in second} == {16}
    assert chain.model.ticket_mask == 2
    check = oracle_for(10).check
    assert all(check(other.header(r.nonce, r.version_bits)) >= 1.99 for _, r in second)
    assert chain.register(0x8C) > len(first) + len(second)


def test_times_must_not_fall() -> None:
    chain = emulated_chain()
    chain.advance(S)
    with pytest.raises(SpecError, match="past"):
        chain.advance(0)


@pytest.mark.parametrize(
    ("options", "named"), [({"shrink": 40}, "shrink"), ({"fifo": 0}, "fifo"), ({"spec": BM1397}, "midstates")]
)
def test_what_cannot_be_emulated_is_refused(options: dict[str, Any], named: str) -> None:
    spec = options.pop("spec", BM1366)
    with pytest.raises(SpecError, match=named):
        EmulatedChain(lambda: ChipModel(spec), **options)


def test_a_drawn_chip_has_full_speed_and_its_results_check() -> None:
    chain = emulated_chain(zero_bits=32, seed=3)
    begin = started(chain)
    chain.receive(begin, encode(JobFrame.of(JOB)))
    found = [r for _, r in timed(chain, begin, 10 * MS, begin + 2 * S)]
    assert 140 < len(found) < 270  # 101 a second
    check = oracle_for(32, 3).check
    assert all(check(JOB.header(r.nonce, r.version_bits)) >= 0.9999 for r in found)
    assert max(r.core for r in found) > 100


# ------------------------------------------------------------------------------------------ what hosts may send


@pytest.mark.parametrize("chips", range(1, 9))
def test_a_result_carries_the_address_of_its_chip(chips: int) -> None:
    """Against the rule of firmware: the 8 bits below the core over the step of the addresses."""
    chain = emulated_chain(chips=chips, zero_bits=32)
    chain.model.set_job(Time(0), JOB)
    hits = chain.model.run(Time(S))
    named = [NonceResponse(int(h["nonce"])).address // (256 // chips) for h in hits]
    assert named == hits["chip"].tolist()
    assert set(named) == set(range(chips))


@given(st.integers(1, 256), st.integers(8, 25))
def test_chips_of_a_chain_never_sweep_the_same_counters(chips: int, counter_bits: int) -> None:
    spec = small_chip(counter_bits=counter_bits)
    places = [Place(spec, n, chips) for n in range(chips)]
    for one, next_one in pairwise(places):
        assert one.base + one.sweep <= next_one.base
    assert places[-1].base + places[-1].sweep <= 1 << counter_bits


def test_the_short_sweep_of_factory_firmware_is_one_of_a_shrunk_chip_too() -> None:
    chain = emulated_chain(zero_bits=8)
    begin = started(chain)
    chain.receive(begin, bytes_of([Command.write(0x10, 0x151C)]) + encode(JobFrame.of(JOB)))
    found = timed(chain, begin, 10 * MS, begin + S)
    assert len(found) > 100
    assert all(oracle_for(8).check(JOB.header(r.nonce, r.version_bits)) >= 65535 / 65536 for _, r in found)


def test_sweeps_of_a_full_chip_are_no_shorter_than_can_be_emulated() -> None:
    chain = emulated_chain(zero_bits=32)
    for word, ticks in ((1, 4096), (4096, 4096), (0x151C, 0x151C), (0, 0)):
        chain.receive(0, encode(Command.write(0x10, word)))
        chain.receive(0, encode(JobFrame.of(JOB)))
        assert chain.model.places[0].sweep == int(ticks * 485e6 * 2 / 25e6)


def test_a_sweep_of_zero_halts_at_once_and_the_next_job_does_not_begin() -> None:
    chain = emulated_chain(zero_bits=8)
    begin = started(chain)
    chain.receive(begin, encode(JobFrame.of(JOB)))
    chain.receive(begin + S // 2, encode(Command.write(0x10, 0)))
    before = chain.results
    assert before > 100
    chain.receive(begin + S, encode(JobFrame.of(JOB)))
    chain.due(begin + 2 * S)
    assert chain.results == before


def test_a_version_mask_with_holes_is_passed_over() -> None:
    chain = emulated_chain(zero_bits=8)
    begin = started(chain)
    chain.receive(begin, bytes_of([Command.write(0xA4, 0x9000F0F1)]) + encode(JobFrame.of(JOB)))
    assert chain.ignored == 1
    assert timed(chain, begin, 10 * MS, begin + S)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, MS), FRAMES.map(encode) | WRITES | st.binary(max_size=20)), max_size=25)
)
def test_no_bytes_of_a_host_stop_the_chips(sent: list[tuple[int, bytes]]) -> None:
    chain, t = emulated_chain(chips=2, zero_bits=32), 0
    for wait, data in sent:
        t += wait
        chain.receive(t, data)
        chain.due(t)
    chain.idle(t)
    chain.receive(t, encode(Command.read(0)))
    seen = [answer for answer in decode(chain.due(t + S)) if isinstance(answer, RegisterResponse)]
    assert len([answer for answer in seen if answer.value >> 16 == 0x1366]) >= 2
