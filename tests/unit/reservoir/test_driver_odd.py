"""The driver given numbers that are none, rails that do not measure, ports that are lost and answers that come twice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hwmodel.errors import DeviceError, DeviceTimeoutError, SpecError
from hwmodel.reservoir import _driver_guard
from hwmodel.reservoir._driver_port import MAX_ANSWERS, Stamped
from hwmodel.reservoir._driver_session import Session
from hwmodel.reservoir.driver import ChainDriver
from hwmodel.reservoir.emulator import Faults, PtyChip, TcpChip, emulated_chain
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.wire import Register, RegisterResponse, ticket_mask_word
from hwmodel.units import MHz
from tests.unit.reservoir.test_driver import Stuck, Thermometer, take, up

pytest.importorskip("serial", reason="pyserial is not installed")

PATIENCE = 60.0
JOB = Job(8, 0x20000000, bytes(range(32)), bytes(range(32, 64)), 1_700_000_000, 0x17034219)
Work = Callable[[ChainDriver], Any]


@pytest.fixture
def board() -> Iterator[TcpChip]:
    with TcpChip(emulated_chain(zero_bits=8, chips=2)) as made:
        yield made


def driver_of(board: PtyChip | TcpChip, **options: Any) -> ChainDriver:
    return ChainDriver(board.url, **{"pace": 0, "timeout": PATIENCE, **options})


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.002)


# ------------------------------------------------------------------------------------------ what cannot be meant


@pytest.mark.parametrize(
    "option", [{"timeout": math.nan}, {"timeout": 0}, {"timeout": -1}, {"pace": math.nan}]
)
def test_a_driver_with_a_time_that_is_none_is_refused(option: dict[str, float]) -> None:
    with pytest.raises(SpecError, match=r"seconds|more than 0"):
        ChainDriver("/dev/nothing", **option)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "work",
    [
        lambda driver: driver.bring_up(0),
        lambda driver: driver.bring_up(129),
        lambda driver: driver.bring_up(True),
        lambda driver: driver.bring_up(2, ramp_seconds=math.nan),
        lambda driver: driver.bring_up(2, ramp_seconds=-1.0),
        lambda driver: driver.set_frequency(MHz(485), ramp_seconds=math.nan),
        lambda driver: driver.set_voltage(1.2, tolerance=math.nan),
        lambda driver: driver.set_voltage(1.2, tolerance=-0.1),
        lambda driver: driver.set_voltage(1.2, settle=math.nan),
        lambda driver: driver.receive(math.nan),
        lambda driver: driver.receive(-1.0),
        lambda driver: driver.receive(1.0, most=0),
        lambda driver: next(driver.results(math.nan)),
    ],
)
def test_numbers_that_are_none_are_refused_before_a_byte_is_sent(board: TcpChip, work: Work) -> None:
    with driver_of(board, rail=Thermometer(40.0)) as driver:
        with pytest.raises(SpecError, match="give"):
            work(driver)
        assert board.call(lambda chain, t: chain.sent) == 0


@pytest.mark.parametrize("option", [{"attempts": 0}, {"wait": math.nan}])
def test_a_reconnection_that_would_not_be_tried_is_refused(board: TcpChip, option: dict[str, Any]) -> None:
    with driver_of(board) as driver:
        up(driver, 2)
        with pytest.raises(SpecError, match="reconnect"):
            driver.reconnect(**option)


# ------------------------------------------------------------------------------------------ rails


class Rail(Thermometer):
    """Measures temperatures one after the other, of which some are errors, and one voltage."""

    def __init__(self, *celsius: Any, volts: float = 1.2) -> None:
        super().__init__(*celsius)
        self.volts = volts

    def read(self) -> float:
        """Measure the voltage."""
        return self.volts

    def temperature(self) -> float:
        """Measure, or fail."""
        found: Any = super().temperature()
        if isinstance(found, Exception):
            raise found
        return float(found)


def test_a_voltage_that_is_not_measured_was_not_set(board: TcpChip) -> None:
    with (
        driver_of(board, rail=Rail(40.0, volts=math.nan)) as driver,
        pytest.raises(DeviceError, match="nan mV are measured"),
    ):
        driver.set_voltage(1.2, settle=0)


def test_a_temperature_that_is_no_number_halts_the_chips(board: TcpChip) -> None:
    with driver_of(board, rail=Rail(40.0, math.nan)) as driver:
        up(driver, 2)
        with pytest.raises(DeviceError, match="nan C; halted"):
            driver.check_temperature()
        assert driver.read(Register.HASH_COUNTING) == [0, 0]


def test_chips_that_are_halted_give_no_more_results(board: TcpChip) -> None:
    with driver_of(board) as driver:
        up(driver, 2)
        driver.send(JOB)
        take(driver, 5)
        driver.halt()
        driver.check_chain()  # all that were on their way have come
        before = board.call(lambda chain, t: chain.results)
        time.sleep(0.1)
        assert board.call(lambda chain, t: chain.results) == before


def test_the_temperature_is_watched_while_one_waits_for_results(
    board: TcpChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_driver_guard, "GUARD_S", 0.05)
    with driver_of(board, rail=Rail(40.0, 40.0, 90.0)) as driver:
        up(driver, 2)
        with pytest.raises(DeviceError, match="halted"):
            driver.receive(PATIENCE)  # there is no job, and so no result


def test_a_rail_that_is_silent_for_once_is_passed_over_and_one_that_stays_so_halts(
    board: TcpChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_driver_guard, "GUARD_S", 0.0)
    silent = DeviceTimeoutError("no answer within 5 s")
    rail = Rail(40.0, silent, 40.0)
    with driver_of(board, rail=rail) as driver:
        up(driver, 2)
        driver.send(JOB)
        take(driver, 10)
        assert rail.left == [40.0]
        rail.left = [silent]
        monkeypatch.setattr(_driver_guard, "BLIND_S", 0.0)
        with pytest.raises(DeviceError, match=r"no temperature for .* no answer within 5 s; halted"):
            take(driver, 10**6)
        assert driver.read(Register.HASH_COUNTING) == [0, 0]
        assert not driver.lost


# ------------------------------------------------------------------------------------------ lost ports


def lose(board: TcpChip, driver: ChainDriver) -> int:
    """Cut the connection with results waiting; give their number."""
    until(lambda: not driver._wire.port.results.empty())
    board.call(lambda chain, t: board.disconnect())
    until(lambda: driver.lost)
    return driver._wire.port.results.qsize()


def test_what_came_before_a_port_was_lost_is_given_out_first(board: TcpChip) -> None:
    with driver_of(board) as driver:
        up(driver, 2)
        driver.send(JOB)
        waiting = lose(board, driver)
        assert len(driver.receive(PATIENCE)) == waiting > 0
        with pytest.raises(DeviceError, match="is lost"):
            driver.receive(PATIENCE)


def test_a_reconnection_keeps_results_counts_and_the_clock(
    board: TcpChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driver_of(board) as driver:
        up(driver, 2)
        board.call(lambda chain, t: chain._outbox.append((t, b"noise")))
        driver.send(JOB)
        waiting, dropped = lose(board, driver), driver.dropped
        before, wall = driver.now(), time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: wall() - 3600 * 10**9)  # somebody sets the clock back
        driver.reconnect()
        assert driver.now() > before
        found = take(driver, waiting + 20)
        stamps = [result.t_us for result in found]
        assert stamps == sorted(stamps)
        assert driver.dropped >= dropped >= 5


def test_a_chain_that_was_reset_gets_the_last_set_points(board: TcpChip) -> None:
    with driver_of(board) as driver:
        up(driver, 2)
        driver.set_difficulty(4)
        driver.set_frequency(MHz(425), ramp_seconds=0)
        board.call(lambda chain, t: chain.revive())
        setup = driver.reconnect()
        assert (setup.difficulty, setup.frequency) == (4, MHz(425))


# ------------------------------------------------------------------------------------------ answers


def test_a_chip_that_answers_twice_does_not_stand_for_another() -> None:
    with PtyChip(emulated_chain(chips=2)) as board, driver_of(board) as driver:
        up(driver, 2)
        stuck = Stuck(board.chain._registers[1], Register.TICKET_MASK, ticket_mask_word(8))
        board.call(lambda chain, t: chain._registers.__setitem__(1, stuck))
        board.call(lambda chain, t: chain.set_faults(Faults(repeat=1.0)))
        with pytest.raises(DeviceError, match="chip 128 reads back"):
            driver.set_difficulty(2)


def test_a_chain_of_unknown_length_is_counted_until_two_counts_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, calls = Session.answers, []

    def first_one_short(
        self: Session, register: int, expected: int | None, apart: bool = False
    ) -> list[RegisterResponse]:
        calls.append(register)
        found = plain(self, register, expected, apart)
        return found[:-1] if len(calls) == 1 else found

    monkeypatch.setattr(Session, "answers", first_one_short)
    with PtyChip(emulated_chain(chips=3)) as board, driver_of(board) as driver:
        assert driver.bring_up(frequency=MHz(485), ramp_seconds=0).chips == 3


def test_answers_that_nobody_asked_for_do_not_end_a_capture(board: TcpChip) -> None:
    with driver_of(board) as driver:
        up(driver, 2)
        for n in range(MAX_ANSWERS + 10):
            driver._wire.port._keep_answer(Stamped(n, RegisterResponse(n)))
        assert driver._wire.port.answers.qsize() == MAX_ANSWERS
        driver.check_chain()
        assert not driver.lost


# ------------------------------------------------------------------------------------------ chains


@pytest.mark.parametrize("chips", [3, 5, 6])
def test_results_of_any_chain_are_those_of_the_chip_that_is_named(chips: int) -> None:
    with PtyChip(emulated_chain(chips=chips, zero_bits=32)) as board, driver_of(board) as driver:
        up(driver, chips)
        hits: list[Any] = []
        plain = board.chain.model.run
        board.call(
            lambda chain, t: setattr(chain.model, "run", lambda at: hits.append(plain(at)) or hits[-1])
        )
        driver.send(JOB)
        found = take(driver, 40 * chips)
        board.call(lambda chain, t: None)
        by = {(int(h["nonce"]), int(h["version"])): int(h["chip"]) for part in hits for h in part}
        wrong = [r for r in found if by[r.nonce, JOB.version | r.version_bits] != r.chip]
        assert not wrong
        assert {r.chip for r in found} == set(range(chips))
