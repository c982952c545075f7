"""Driver of chains of BM1366 and BM1370, real or emulated: the same code for both.

Set points are checked against the limits of the chip's table before a byte is sent, and read back afterwards.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from hwmodel.errors import DeviceError, DeviceTimeoutError, SpecError
from hwmodel.reservoir._driver_guard import Guard, check_seconds
from hwmodel.reservoir._driver_port import MAX_FRAMES, Stamped
from hwmodel.reservoir._driver_rail import AxeOsRail, VoltageRail
from hwmodel.reservoir._driver_session import Result, Session, Setup, pause
from hwmodel.reservoir._whole import check_whole
from hwmodel.reservoir.chips import BM1366, ChipSpec
from hwmodel.reservoir.job import VERSION_MASK, Job
from hwmodel.reservoir.wire import (
    Command,
    JobFrame,
    NonceResponse,
    Register,
    RegisterResponse,
    address_interval,
    baud_of,
    baud_word,
    bring_up,
    encode,
    hash_counting_number,
    pll_frequency,
    pll_word,
    ramp,
    ticket_difficulty,
    ticket_mask_word,
    version_mask,
    version_mask_word,
)
from hwmodel.units import Frequency, to_frequency

__all__ = ["AxeOsRail", "ChainDriver", "Result", "Setup", "VoltageRail"]

RESET_BAUD = 115_200
JOB_STEP, JOB_IDS, KEPT_JOBS = 8, 128, 32
MAX_CHIPS = 128
OPEN = 0xF000_C100  # register 0x18 once the cores report
VOLT_TOLERANCE = 0.005
FREQUENCY_TOLERANCE = 0.005  # of what the PLL makes to what was asked for; to the PLL nothing may be off


class ChainDriver:
    """A chain of chips at a serial port.

    Parameters:
        port: name of a port, or an address of pyserial such as socket://host:port.
        spec: the chip; its table holds the limits of frequency, voltage and temperature.
        rail: what sets the voltage and measures the temperature; None if nothing does.
        timeout: seconds within which chips must answer.
        pace: seconds between two commands of the bring-up; firmware leaves about 10 ms.
        reset: pulses the chips' reset line, where something can.

    Raises:
        SpecError: a model whose bring-up is not known, or a time that is none.
        DeviceError: the port cannot be opened.

    Example:
        >>> from hwmodel.reservoir.emulator import PtyChip, emulated_chain
        >>> from hwmodel.units import MHz
        >>> with PtyChip(emulated_chain()) as board, ChainDriver(board.url, pace=0) as driver:
        ...     setup = driver.bring_up(frequency=MHz(485), difficulty=1, ramp_seconds=0)
        ...     driver.send(Job(driver.next_job_id(), 0x20000000, bytes(32), bytes(32), 1_700_000_000, 0x17034219))
        ...     results = driver.receive(timeout=10)
        >>> setup.frequency, setup.chips, len(results) > 0
        (MHz(485), 1, True)
    """

    def __init__(
        self,
        port: str,
        spec: ChipSpec = BM1366,
        *,
        rail: VoltageRail | None = None,
        timeout: float = 1.0,
        pace: float = 0.01,
        reset: Callable[[], None] | None = None,
    ) -> None:
        self._sequence = bring_up(spec.name)
        self.timeout = check_seconds("ChainDriver(timeout)", timeout, positive=True)
        self.pace = check_seconds("ChainDriver(pace)", pace)
        self.spec, self.rail = spec, rail
        self._reset = reset
        self.setup: Setup | None = None
        self._asked: dict[str, object] = {}
        self._last_id = 0
        self.sent: deque[tuple[int, Job]] = deque(maxlen=KEPT_JOBS)
        """The last jobs that were sent, with the time on the clock of the stamps."""
        self._guard = Guard(port, spec, rail, self._halt_if_up)
        self._slot_bits = 8 - spec.response_job_mask.bit_count()
        self._url = port
        self._before = (0, 0)  # what earlier sessions dropped and found damaged
        self._wire = Session(port, RESET_BAUD, timeout, pace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the port. The chips go on with what they have; see `halt`."""
        self._wire.port.close()

    @property
    def dropped(self) -> int:
        """Bytes that were in no frame."""
        return self._before[0] + self._wire.port.decoder.dropped

    @property
    def damaged(self) -> int:
        """Frames with a wrong checksum, and what looked like some."""
        return self._before[1] + self._wire.port.decoder.damaged

    @property
    def lost(self) -> bool:
        """Whether the port is lost, which `reconnect` may mend; nothing else is mended by it."""
        return self._wire.port.fault is not None

    def now(self) -> int:
        """Time on the clock of the stamps, us since 1970."""
        return self._wire.port.clock.now()

    # ------------------------------------------------------------------------------------------ bring-up

    def bring_up(
        self,
        chips: int | None = None,
        *,
        frequency: Frequency | str | None = None,
        voltage: float | None = None,
        difficulty: int = 256,
        baud: int | None = 1_000_000,
        ramp_seconds: float = 0.1,
    ) -> Setup:
        """Bring a chain from reset to mining, and read back what it was told.

        Parameters:
            chips: how many must answer; None takes those that do.
            frequency: of the hash clock; the chip's default if None.
            voltage: V, with a rail; None leaves it as it is.
            difficulty: of the ticket mask, rounded down to a power of two.
            baud: to go over to at the end; None stays at 115,200.
            ramp_seconds: between two steps of the clock's ramp.

        Raises:
            SpecError: a set point outside of the chip's limits, or a number that is none, before anything was sent.
            DeviceTimeoutError: no chip, or one of them, did not answer.
            DeviceError: another chip, another number of chips, or a set point that reads back as another one.
        """
        if chips is not None:
            check_whole("bring_up(chips)", chips, 1, MAX_CHIPS)
        check_seconds("bring_up(ramp_seconds)", ramp_seconds)
        default = Frequency(int(self.spec.frequency.value * 1e6))
        wanted = default if frequency is None else to_frequency(frequency, "bring_up(frequency)")
        self._allow("frequency", float(wanted.hz))
        if voltage is not None:
            self._allow("voltage", voltage)
            self._need_rail("bring_up(voltage)")
        ticket_mask_word(difficulty)
        fast = None if baud is None else baud_word(baud)
        self._asked = {
            "chips": chips, "frequency": wanted, "voltage": voltage, "difficulty": difficulty, "baud": baud,
            "ramp_seconds": ramp_seconds,
        }  # fmt: skip
        self.check_temperature()
        return self._bring_up(chips, wanted, voltage, difficulty, fast, baud or RESET_BAUD, ramp_seconds)

    def _bring_up(
        self, chips: int | None, wanted: Frequency, voltage: float | None, difficulty: int, fast: int | None,
        baud: int, ramp_seconds: float,
    ) -> Setup:  # fmt: skip
        if self._reset is not None:
            self._reset()
        if self._wire.port.baud != RESET_BAUD:
            self._wire.port.baud = RESET_BAUD
        found = self._wire.discover(self._sequence.discover(), self.spec, chips)
        interval = address_interval(found)
        self.setup = Setup(
            found, tuple(n * interval for n in range(found)), wanted, None, difficulty, RESET_BAUD
        )
        self._wire.send(self._sequence.addressing(found))
        self._expect_addresses()
        if voltage is not None:
            self.set_voltage(voltage)
        self._wire.send(self._sequence.configure(found, difficulty))
        self._ramp(None, wanted, ramp_seconds)
        self._wire.write(Register.VERSION_MASK, version_mask_word())
        if fast is not None:
            self._change_baud(fast, baud)
        self._verify(Register.VERSION_MASK, lambda word: version_mask(word) == VERSION_MASK, "version mask")
        measured = None if self.rail is None else self.rail.read()
        self._store(frequency=self._read_frequency(wanted), voltage=measured, baud=baud)
        self.set_difficulty(difficulty)
        return self.setup

    def _expect_addresses(self) -> None:
        setup = self._brought_up("addresses")
        there = {answer.value & 0xFF for answer in self._ask(Register.CHIP_ID)}
        missing = [address for address in setup.addresses if address not in there]
        if missing:
            raise DeviceError(
                f"{self._url}: no chip has address {', '.join(map(str, missing))}; bring the chain up again"
            )

    def _change_baud(self, word: int, baud: int) -> None:
        self._wire.write(Register.BAUD, word)
        pause(0.06 if self.pace else 0.0)
        self._wire.port.baud = baud
        answers = self._ask(Register.BAUD)
        if any(abs(baud_of(answer.value) / baud - 1) > 0.05 for answer in answers):
            raise DeviceError(f"{self._url}: {baud} baud were set, {answers[0].value:#010x} reads back")

    # ------------------------------------------------------------------------------------------ set points

    def set_frequency(self, frequency: Frequency | str, ramp_seconds: float = 0.1) -> Frequency:
        """Go over to another hash clock in steps of 6.25 MHz, and set the sweep length for it; return what reads back.

        Raises:
            SpecError: outside of the chip's limits.
            DeviceError: another frequency reads back.
        """
        wanted = to_frequency(frequency, "set_frequency(frequency)")
        check_seconds("set_frequency(ramp_seconds)", ramp_seconds)
        self._allow("frequency", float(wanted.hz))
        setup = self._brought_up("set_frequency")
        self.check_temperature()
        self._asked["frequency"] = wanted
        self._ramp(setup.frequency, wanted, ramp_seconds)
        self._store(frequency=self._read_frequency(wanted))
        return self._brought_up("set_frequency").frequency

    def set_voltage(self, voltage: float, tolerance: float = VOLT_TOLERANCE, settle: float = 5.0) -> float:
        """Set the core voltage, V, and wait until it is measured; return what is measured.

        Raises:
            SpecError: outside of the chip's limits, or no rail.
            DeviceError: after `settle` seconds it is still further off than `tolerance` V.
        """
        self._allow("voltage", voltage)
        check_seconds("set_voltage(settle)", settle)
        if not 0 <= tolerance < voltage:
            raise SpecError(f"set_voltage(tolerance={tolerance!r}): give volts, 0 to less than the voltage")
        rail = self._need_rail("set_voltage")
        self._asked["voltage"] = voltage
        rail.set(voltage)
        end = time.monotonic() + settle
        while not abs((measured := rail.read()) - voltage) <= tolerance:  # NaN is not near either
            if time.monotonic() > end:
                raise DeviceError(
                    f"{self._url}: {voltage * 1e3:g} mV were set, {measured * 1e3:g} mV are measured after {settle:g} s, "
                    f"which is off by more than {tolerance * 1e3:g} mV; does the firmware know the key coreVoltage?"
                )
            pause(min(0.1, settle / 10))
        self._store(voltage=measured)
        return measured

    def set_difficulty(self, difficulty: int) -> int:
        """Set the ticket mask; return the difficulty that reads back.

        Raises:
            WireError: no difficulty of 1 to 2**32.
            DeviceError: another mask reads back.
        """
        word = ticket_mask_word(difficulty)
        self._asked["difficulty"] = difficulty
        self._wire.write(Register.TICKET_MASK, word)
        self._verify(Register.TICKET_MASK, lambda found: found == word, "ticket mask")
        self._store(difficulty=ticket_difficulty(word))
        return ticket_difficulty(word)

    def halt(self) -> None:
        """Stop hashing: a sweep length of 0."""
        self._wire.write(Register.HASH_COUNTING, 0)

    def check_temperature(self) -> float | None:
        """Measure the temperature, C, where the rail can; stop the chips above the limit of their table.

        Raises:
            DeviceError: it is too hot, or no number; the chips were told to halt. Also where the rail does not answer.
        """
        return self._guard.check()

    # ------------------------------------------------------------------------------------------ jobs and results

    def next_job_id(self) -> int:
        """Number for the next job: steps of 8 below 128, so that 16 are told apart."""
        self._last_id = (self._last_id + JOB_STEP) % JOB_IDS
        return self._last_id

    def send(self, job: Job) -> None:
        """Give the chips a job; they begin it at once.

        Raises:
            SpecError: a number of the job that chips do not repeat, or a version mask of its own.
            DeviceError: the port is lost.
        """
        if job.job_id % JOB_STEP:
            raise SpecError(
                f"ChainDriver.send: job {job.job_id}: chips repeat multiples of 8 only; see next_job_id"
            )
        if job.version_mask != VERSION_MASK:
            raise SpecError(
                f"ChainDriver.send: version mask {job.version_mask:#x}: the chips roll {VERSION_MASK:#x}"
            )
        self.sent.append((self.now(), job))
        self._wire.port.write(encode(JobFrame.of(job)))

    def receive(self, timeout: float = 1.0, most: int = 4096) -> list[Result]:
        """Results that have come, at most `most`; waits for the first of them.

        Raises:
            SpecError: a time or number that is none.
            DeviceTimeoutError: none within `timeout` seconds.
            DeviceError: the port is lost, and what came before is taken; or the chips are too hot.
        """
        end = time.monotonic() + check_seconds("receive(timeout)", timeout)
        check_whole("receive(most)", most, 1, MAX_FRAMES)
        found: list[Stamped] = []
        while not found:
            self._guard.watch()
            if self._wire.port.results.empty():
                self._wire.port.check()
            try:
                found.append(self._wire.port.results.get(timeout=max(0.0, min(0.1, end - time.monotonic()))))
            except queue.Empty:
                if time.monotonic() >= end:
                    self._wire.port.check()
                    raise DeviceTimeoutError(
                        f"{self._url}: no result within {timeout:g} s; is the ticket mask too high, or are chips gone?"
                    ) from None
        while len(found) < most and not self._wire.port.results.empty():
            found.append(self._wire.port.results.get_nowait())
        return [self._result(stamped) for stamped in found]

    def results(self, silence: float = 60.0) -> Iterator[Result]:
        """Results for ever, one by one.

        Raises:
            DeviceTimeoutError: none for `silence` seconds.
            DeviceError: the port is lost, or the chips are too hot.
        """
        while True:
            yield from self.receive(silence)

    def present(self) -> tuple[int, ...]:
        """Addresses of the chips that answer now; empty if none does."""
        self._wire.clear()
        self._wire.port.write(encode(Command.read(Register.CHIP_ID)))
        return tuple(answer.value & 0xFF for answer in self._wire.answers(Register.CHIP_ID, self._expected()))

    def check_chain(self) -> None:
        """Ask every chip whether it is there.

        Raises:
            DeviceTimeoutError: naming those that are not.
        """
        setup = self._brought_up("check_chain")
        there = self.present()
        missing = [str(n) for n, address in enumerate(setup.addresses) if address not in there]
        if missing:
            raise DeviceTimeoutError(
                f"{self._url}: chip {', '.join(missing)} of {setup.chips} does not answer within {self.timeout:g} s; "
                "check its power, then reconnect()"
            )

    def reconnect(self, attempts: int = 5, wait: float = 0.5) -> Setup:
        """Open the port again. A chain that still answers is taken as it is, any other one is brought up again.

        Raises:
            DeviceError: the port does not come back, or the chain does not.
        """
        setup = self._brought_up("reconnect")
        check_whole("reconnect(attempts)", attempts, 1, 1 << 20)
        check_seconds("reconnect(wait)", wait)
        old = self._wire.port
        old.close()
        self._before = (self.dropped, self.damaged)
        old.decoder.dropped = old.decoder.damaged = 0
        for attempt in range(1, attempts + 1):
            try:
                self._wire = Session(self._url, setup.baud, self.timeout, self.pace, old)
                # Chips that were reset answer in nine bytes until this is set; for others nothing changes.
                self._wire.write(Register.VERSION_MASK, version_mask_word())
                there = self.present()
                break
            except DeviceError as error:
                if attempt == attempts:
                    raise DeviceError(f"{self._url}: gone after {attempts} attempts: {error}") from error
                self._wire.port.close()
                pause(wait)
        if set(there) == set(setup.addresses) and self._keeps(setup):
            return setup
        return self.bring_up(**self._asked)  # type: ignore[arg-type]

    def _keeps(self, setup: Setup) -> bool:
        """Whether the chips still have their clock; those that were reset in between have not."""
        expected = {
            Register.MISC_CONTROL: OPEN,
            Register.PLL: self._pll(setup.frequency),
            Register.TICKET_MASK: ticket_mask_word(setup.difficulty),
        }
        try:
            return all(set(self.read(register)) == {word} for register, word in expected.items())
        except DeviceError:
            return False

    # ------------------------------------------------------------------------------------------ registers

    def read(self, register: int, chip: int | None = None) -> list[int]:
        """Words of a register: of one chip by its address, or of all.

        Raises:
            DeviceTimeoutError: not all of them answered.
        """
        return [answer.value for answer in self._ask(register, chip)]

    # ------------------------------------------------------------------------------------------ inside

    def _halt_if_up(self) -> None:
        if self.setup is not None:
            self.halt()

    def _allow(self, quantity: str, value: float) -> None:
        self.spec.check_setting(quantity, value)  # type: ignore[arg-type]

    def _brought_up(self, what: str) -> Setup:
        if self.setup is None:
            raise SpecError(f"ChainDriver.{what}: the chain at {self._url} is not up; call bring_up() first")
        return self.setup

    def _need_rail(self, what: str) -> VoltageRail:
        if self.rail is None:
            raise SpecError(
                f"ChainDriver.{what}: the wire sets no voltage; give a rail, such as AxeOsRail(url)"
            )
        return self.rail

    def _ask(self, register: int, chip: int | None = None) -> list[RegisterResponse]:
        return self._wire.ask(register, chip, 1 if chip is not None else self._expected())

    def _verify(self, register: int, good: Callable[[int], bool], what: str) -> None:
        self._wire.verify(register, self._expected(), good, what)

    def _store(self, **changes: object) -> None:
        if self.setup is not None:
            self.setup = replace(self.setup, **changes)  # type: ignore[arg-type]

    def _expected(self) -> int | None:
        return None if self.setup is None else self.setup.chips

    def _pll(self, frequency: Frequency) -> int:
        return pll_word(frequency, self._sequence.feedback)

    def _ramp(self, start: Frequency | None, target: Frequency, seconds: float) -> None:
        for word in ramp(start, target, self._sequence.feedback):
            self._wire.write(Register.PLL, word)
            pause(seconds)
        setup = self._brought_up("set_frequency")
        reached = pll_frequency(self._pll(target))
        self._wire.write(Register.HASH_COUNTING, hash_counting_number(reached, setup.chips, self.spec.cores))

    def _read_frequency(self, wanted: Frequency) -> Frequency:
        # What is read back must be what the PLL was told, and that must be near what was asked for.
        word = self._pll(wanted)
        self._verify(Register.PLL, lambda found: pll_frequency(found) == pll_frequency(word), "frequency")
        reached = pll_frequency(word)
        if abs(float(reached.hz / wanted.hz) - 1) > FREQUENCY_TOLERANCE:
            raise DeviceError(f"{self._url}: {wanted} was asked for, the PLL makes {reached}; ask for that")
        return reached

    def _result(self, stamped: Stamped) -> Result:
        response = stamped.frame
        assert isinstance(response, NonceResponse)
        chips = 1 if self.setup is None else self.setup.chips
        chip = min(response.address // address_interval(chips), chips - 1) if chips > 1 else 0
        job_id = response.job_id(self._slot_bits)
        return Result(stamped.t_us, chip, job_id, response.nonce, response.version_bits, response)
