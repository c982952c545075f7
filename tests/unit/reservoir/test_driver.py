"""The driver against emulated chips on pseudo-terminals and TCP: the same code as for real ones.

Nothing here depends on the speed of the machine: the driver waits as long as it takes, up to a generous limit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hwmodel.errors import DeviceError, DeviceTimeoutError, SpecError, ToolError
from hwmodel.reservoir.chips import BM1366, BM1370, BM1397
from hwmodel.reservoir.driver import ChainDriver, Result
from hwmodel.reservoir.emulator import EmulatedRail, Faults, PtyChip, TcpChip, emulated_chain, oracle_for
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.wire import Register, pll_word, ticket_mask_word
from hwmodel.units import MHz

pytest.importorskip("serial", reason="pyserial is not installed")

PATIENCE = 60.0
JOB = Job(8, 0x20000000, bytes(range(32)), bytes(range(32, 64)), 1_700_000_000, 0x17034219)
Board = PtyChip | TcpChip


@pytest.fixture(params=[PtyChip, TcpChip])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Board]]:
    """Makes emulated chips of one of both kinds, and closes them."""
    boards: list[Board] = []

    def make(**options: Any) -> Board:
        boards.append(request.param(emulated_chain(**options)))
        return boards[-1]

    yield make
    for board in boards:
        board.close()


def driver_of(board: Board, **options: Any) -> ChainDriver:
    return ChainDriver(board.url, **{"pace": 0, "timeout": PATIENCE, **options})


def up(driver: ChainDriver, chips: int = 1, **options: Any) -> ChainDriver:
    driver.bring_up(chips, **{"frequency": MHz(485), "difficulty": 1, "ramp_seconds": 0, **options})
    return driver


def take(driver: ChainDriver, count: int) -> list[Result]:
    found: list[Result] = []
    while len(found) < count:
        found += driver.receive(PATIENCE)
    return found


def good(results: list[Result], zero_bits: int = 12) -> int:
    check = oracle_for(zero_bits).check
    return sum(check(JOB.header(r.nonce, r.version_bits)) >= 65535 / 65536 for r in results)


def test_a_chain_is_brought_up_and_read_back(serve: Callable[..., Board]) -> None:
    board = serve(chips=2)
    with driver_of(board) as driver:
        setup = up(driver, 2, difficulty=4).setup
        assert setup is not None
        assert (setup.chips, setup.addresses, setup.frequency, setup.difficulty) == (2, (0, 128), MHz(485), 4)
        assert driver.read(Register.PLL) == [pll_word(MHz(485))] * 2
        assert driver.read(Register.TICKET_MASK, chip=128) == [ticket_mask_word(4)]
        assert board.call(lambda chain, t: chain.model.frequency) == MHz(485)


def test_results_hash_again_and_their_stamps_do_not_fall(serve: Callable[..., Board]) -> None:
    with driver_of(serve(chips=2)) as driver:
        up(driver, 2)
        begin = driver.now()
        driver.send(JOB)
        results = take(driver, 40)
        stamps = [r.t_us for r in results]
        assert good(results) == len(results)
        assert {r.chip for r in results} == {0, 1}
        assert {r.job_id for r in results} == {JOB.job_id}
        assert stamps == sorted(stamps)
        assert begin <= stamps[0]
        assert stamps[-1] <= driver.now()


def test_a_bm1370_is_driven_as_well() -> None:
    with PtyChip(emulated_chain("BM1370")) as board, driver_of(board, spec=BM1370) as driver:
        up(driver, frequency=MHz(525))
        driver.send(JOB)
        results = take(driver, 10)
        assert good(results) == len(results)
        assert {r.job_id for r in results} == {JOB.job_id}


@pytest.mark.parametrize("fault", ["drop", "double", "corrupt", "late"])
def test_a_faulty_line_costs_frames_and_nothing_else(fault: str) -> None:
    faults = Faults(**{fault: 0.02}, late_seconds=0.002, seed=5)  # type: ignore[arg-type]
    board = PtyChip(emulated_chain(zero_bits=8, faults=faults))
    # A short timeout: an answer that is lost on the line will not come, and the question is asked again.
    with board, driver_of(board, timeout=3.0) as driver:
        up(driver)
        driver.send(JOB)
        results = take(driver, 400)
        counts = board.call(lambda chain, t: chain.fault_counts)
        assert counts[fault] > 20
        if fault == "late":
            assert (good(results, 8), driver.damaged) == (len(results), 0)
        else:
            assert driver.dropped > 0
            # A damaged frame passes its checksum once in 32, and has a possible type once in four.
            assert len(results) - good(results, 8) < 0.05 * len(results)


def test_repeated_and_lost_frames_arrive_as_such() -> None:
    faults = Faults(repeat=0.3, seed=2)
    board = PtyChip(emulated_chain(zero_bits=8, faults=faults))
    with board, driver_of(board) as driver:
        up(driver)
        driver.send(JOB)
        results = take(driver, 200)
        assert len({(r.nonce, r.version_bits) for r in results}) < len(results) - 20


def test_chips_that_vanish_are_named(serve: Callable[..., Board]) -> None:
    board = serve(chips=4)
    with driver_of(board) as driver:
        up(driver, 4)
        driver.check_chain()
        board.call(lambda chain, t: chain.vanish(2))
        driver._wire.timeout = driver.timeout = 1.0
        with pytest.raises(DeviceTimeoutError, match="chip 2, 3 of 4"):
            driver.check_chain()


def test_silence_is_an_error_with_a_name(serve: Callable[..., Board]) -> None:
    with driver_of(serve()) as driver:
        up(driver)
        with pytest.raises(DeviceTimeoutError, match=r"no result within 0\.1 s"):
            driver.receive(0.1)


def test_no_chip_is_an_error_with_a_name() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board, timeout=0.2) as driver:
        board.call(lambda chain, t: chain.vanish())
        with pytest.raises(DeviceTimeoutError, match=r"no chip answered within 0\.2 s"):
            driver.bring_up()


def test_another_chip_and_another_number_of_chips_are_refused() -> None:
    with PtyChip(emulated_chain(chips=2)) as board:
        with (
            driver_of(board, spec=BM1370) as driver,
            pytest.raises(DeviceError, match="0x1366, not as BM1370"),
        ):
            driver.bring_up(2)
        with (
            driver_of(board, timeout=1.0) as driver,
            pytest.raises(DeviceError, match="2 chips answer, 3 were expected"),
        ):
            driver.bring_up(3)


def test_a_chain_that_was_reset_is_brought_up_again(serve: Callable[..., Board]) -> None:
    board = serve()
    with driver_of(board) as driver:
        before = up(driver).setup
        board.call(lambda chain, t: chain.revive())
        after = driver.reconnect()
        assert (after.chips, after.frequency) == (before.chips, before.frequency)  # type: ignore[union-attr]
        driver.send(JOB)
        assert good(take(driver, 5)) >= 5


def test_a_lost_connection_is_an_error_and_comes_back() -> None:
    board = TcpChip(emulated_chain())
    with board, driver_of(board) as driver:
        before = up(driver).setup
        driver.send(JOB)
        take(driver, 1)
        board.call(lambda chain, t: board.disconnect())
        with pytest.raises(DeviceError, match="is lost"):
            take(driver, 10**6)
        assert driver.reconnect() == before  # the chips had gone on, so nothing was set anew
        assert good(take(driver, 5)) >= 5


def test_a_port_that_does_not_come_back_is_given_up() -> None:
    board = TcpChip(emulated_chain())
    with driver_of(board) as driver:
        up(driver)
        board.close()
        with pytest.raises(DeviceError, match="gone after 2 attempts"):
            driver.reconnect(attempts=2, wait=0)


# -------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    "setting", [{"frequency": MHz(900)}, {"frequency": MHz(100)}, {"voltage": 1.5}, {"voltage": 0.9}]
)
def test_no_byte_is_sent_beyond_the_limits_of_the_chip(setting: dict[str, Any]) -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board, rail=EmulatedRail(board)) as driver:
        with pytest.raises(SpecError, match="outside of its safe range"):
            driver.bring_up(1, **setting)
        assert board.call(lambda chain, t: (chain.sent, chain.model.voltage)) == (0, 1.2)


def test_limits_hold_for_a_chain_that_is_up() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board, rail=EmulatedRail(board)) as driver:
        up(driver)
        with pytest.raises(SpecError, match="600 MHz"):
            driver.set_frequency(MHz(600))
        with pytest.raises(SpecError, match="1400 mV"):
            driver.set_voltage(1.4)
        assert driver.read(Register.PLL) == [pll_word(MHz(485))]


def test_voltage_is_measured_after_it_was_set() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board, rail=EmulatedRail(board)) as driver:
        setup = up(driver, voltage=1.15).setup
        assert setup is not None
        assert setup.voltage == pytest.approx(1.15, abs=0.005)
        assert driver.set_voltage(1.25) == pytest.approx(1.25, abs=0.005)


@pytest.mark.parametrize("rail", [{"deaf": True}, {"offset": 0.02}])
def test_a_voltage_that_does_not_read_back_is_an_error(rail: dict[str, Any]) -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board, rail=EmulatedRail(board, **rail)) as driver:
        with pytest.raises(DeviceError, match="1150 mV were set"):
            driver.set_voltage(1.15, settle=0.0)
        assert driver.setup is None


def test_voltage_without_a_rail_is_refused() -> None:
    with (
        PtyChip(emulated_chain()) as board,
        driver_of(board) as driver,
        pytest.raises(SpecError, match="rail"),
    ):
        driver.bring_up(1, voltage=1.2)


class Thermometer:
    """A rail that only measures temperatures, one after the other."""

    def __init__(self, *celsius: float) -> None:
        self.left = list(celsius)

    def set(self, volts: float) -> None:
        """Take any."""

    def read(self) -> float:
        """Measure the default."""
        return 1.2

    def temperature(self) -> float:
        """Measure the next one; the last one stays."""
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def test_a_hot_chip_is_not_brought_up() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board, rail=Thermometer(80.0)) as driver:
        with pytest.raises(DeviceError, match=r"80\.0 C, its limit is 75 C"):
            driver.bring_up(1)
        assert board.call(lambda chain, t: chain.sent) == 0


def test_a_chip_that_gets_hot_is_halted() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board, rail=Thermometer(50.0, 90.0)) as driver:
        up(driver)
        with pytest.raises(DeviceError, match="halted"):
            driver.check_temperature()
        assert driver.read(Register.HASH_COUNTING) == [0]


# -------------------------------------------------------------------------------------------------- refusals


def test_a_frequency_is_changed_in_a_ramp_and_read_back(serve: Callable[..., Board]) -> None:
    with driver_of(serve()) as driver:
        up(driver)
        assert driver.set_frequency(MHz(525), ramp_seconds=0) == MHz(525)
        assert driver.read(Register.PLL) == [pll_word(MHz(525))]


def test_a_mask_that_reads_back_otherwise_is_an_error() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board) as driver:
        up(driver)
        stuck = ticket_mask_word(8)
        board.call(
            lambda chain, t: chain._registers.__setitem__(
                0, Stuck(chain._registers[0], Register.TICKET_MASK, stuck)
            )
        )
        with pytest.raises(DeviceError, match="ticket mask: chip 0 reads back 0x000000e0"):
            driver.set_difficulty(2)


class Stuck(dict[int, int]):
    """Registers of which one keeps its word."""

    def __init__(self, other: dict[int, int], register: int, word: int) -> None:
        super().__init__({**other, register: word})
        self._register = register

    def __setitem__(self, register: int, word: int) -> None:
        if register != self._register:
            super().__setitem__(register, word)


@pytest.mark.parametrize(
    "job",
    [Job(9, 0, bytes(32), bytes(32), 0, 0), Job(8, 0, bytes(32), bytes(32), 0, 0, version_mask=0x1FE000)],
)
def test_jobs_whose_results_could_not_be_matched_are_refused(job: Job) -> None:
    with (
        PtyChip(emulated_chain()) as board,
        driver_of(board) as driver,
        pytest.raises(SpecError, match="send"),
    ):
        driver.send(job)


def test_job_numbers_step_by_eight_below_128() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board) as driver:
        assert [driver.next_job_id() for _ in range(17)] == [*range(8, 128, 8), 0, 8]


def test_what_needs_a_chain_that_is_up_says_so() -> None:
    with PtyChip(emulated_chain()) as board, driver_of(board) as driver:
        for work in (driver.check_chain, driver.reconnect, lambda: driver.set_frequency(MHz(485))):
            with pytest.raises(SpecError, match="bring_up"):
                work()


def test_ports_and_models_that_are_not_there_are_refused() -> None:
    with pytest.raises(DeviceError, match="nothing"):
        ChainDriver("/dev/nothing")
    with pytest.raises(SpecError, match="BM1397"):
        ChainDriver("/dev/nothing", BM1397)
    assert BM1366.name == "BM1366"


def test_a_missing_pyserial_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ToolError, match=r"pip install 'hwmodel\[reservoir\]'"):
        ChainDriver("/dev/nothing")
