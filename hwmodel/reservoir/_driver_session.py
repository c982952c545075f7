"""Questions to a chain and its answers, over a port that may lose bytes."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass

from hwmodel.errors import DeviceError, DeviceTimeoutError
from hwmodel.reservoir._driver_port import SerialPort
from hwmodel.reservoir.chips import ChipSpec
from hwmodel.reservoir.wire import Command, NonceResponse, Register, RegisterResponse, encode
from hwmodel.units import Frequency

__all__ = ["ATTEMPTS", "Result", "Session", "Setup", "pause"]

SILENCE_S = 0.3
ATTEMPTS = 5
POLL_S = 0.05


@dataclass(frozen=True)
class Setup:
    """How a chain was brought up: what was read back, not what was asked for.

    frequency: of the hash clock. voltage: V, None without a rail. difficulty: of the ticket mask. baud: of the host.
    """

    chips: int
    addresses: tuple[int, ...]
    frequency: Frequency
    voltage: float | None
    difficulty: int
    baud: int


@dataclass(frozen=True)
class Result:
    """A result: when its last byte came (us since 1970), chip in the chain, job, nonce as in the header, rolled bits."""

    t_us: int
    chip: int
    job_id: int
    nonce: int
    version_bits: int
    response: NonceResponse


def pause(seconds: float) -> None:
    """Wait, if there is anything to wait for."""
    if seconds > 0:
        time.sleep(seconds)


class Session:
    """Commands and answers at a port.

    Parameters:
        url, baud: of the port.
        timeout: seconds within which chips must answer.
        pace: seconds after each command.
        before: the port that was lost, see `SerialPort`.
    """

    def __init__(
        self, url: str, baud: int, timeout: float, pace: float, before: SerialPort | None = None
    ) -> None:
        self.url, self.timeout, self.pace = url, timeout, pace
        self.port = SerialPort(url, baud, before)

    def send(self, commands: list[Command]) -> None:
        """Send commands, each at its pace."""
        for command in commands:
            self.port.write(encode(command))
            pause(self.pace)

    def write(self, register: int, word: int) -> None:
        """Write a register of all chips."""
        self.send([Command.write(register, word)])

    def clear(self) -> None:
        """Forget answers to earlier questions."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.port.answers.get_nowait()

    def discover(self, commands: list[Command], spec: ChipSpec, expected: int | None) -> int:
        """Ask who is there; how many chips answer.

        Raises:
            DeviceTimeoutError: none does.
            DeviceError: another chip, or another number of them.
        """
        answers: list[RegisterResponse] = []
        # An answer may be lost on the line, or come twice: where no number is expected, two must agree.
        before = expected
        for _ in range(ATTEMPTS):
            self.clear()
            self.send(commands)
            answers = self.answers(Register.CHIP_ID, expected)
            agreed = bool(answers) and len(answers) == before
            if agreed:
                break
            before = len(answers) if expected is None else expected
        if not answers:
            raise DeviceTimeoutError(
                f"{self.url}: no chip answered within {self.timeout:g} s; check power, reset, wiring and baud rate"
            )
        others = {answer.value >> 16 for answer in answers} - {spec.chip_id}
        if others:
            names = ", ".join(f"{name:#06x}" for name in sorted(others))
            raise DeviceError(
                f"{self.url}: chips answer as {names}, not as {spec.name}; name the chip that it is"
            )
        if expected is not None and len(answers) != expected:
            raise DeviceError(
                f"{self.url}: {len(answers)} chips answer, {expected} were expected; check the chain behind chip {len(answers)}"
            )
        if not agreed:
            raise DeviceError(
                f"{self.url}: asked {ATTEMPTS} times, never twice running did as many chips answer; check the wiring"
            )
        return len(answers)

    def ask(self, register: int, chip: int | None, expected: int | None) -> list[RegisterResponse]:
        """Read a register; a question that got no full answer is asked again, for bytes get lost.

        Raises:
            DeviceTimeoutError: not all chips have answered.
        """
        found: list[RegisterResponse] = []
        for _ in range(ATTEMPTS):
            self.clear()
            self.port.write(encode(Command.read(register, chip)))
            found = self.answers(register, expected, apart=True)
            if expected is None or len(found) >= expected:
                return found
        raise DeviceTimeoutError(
            f"{self.url}: {len(found)} of {expected} chips answered a read of register {register:#04x} within "
            f"{self.timeout:g} s, asked {ATTEMPTS} times; check power and wiring"
        )

    def answers(self, register: int, expected: int | None, apart: bool = False) -> list[RegisterResponse]:
        """Answers to a read, one a chip: until all are there, or until there is silence.

        With `apart` chips have addresses, and one that answers twice, late or by a repeated frame, stands for one.
        """
        found: list[RegisterResponse] = []
        end = time.monotonic() + self.timeout
        while expected is None or len(found) < expected:
            self.port.check()
            try:
                frame = self.port.answers.get(timeout=max(0.0, min(POLL_S, end - time.monotonic()))).frame
            except queue.Empty:
                if time.monotonic() >= end:
                    break
                continue
            if isinstance(frame, RegisterResponse) and frame.register == register:
                if apart:
                    found = [other for other in found if other.chip != frame.chip]
                found.append(frame)
                end = end if expected is not None else time.monotonic() + min(self.timeout, SILENCE_S)
        return found

    def verify(self, register: int, expected: int | None, good: Callable[[int], bool], what: str) -> None:
        """Read a register back; a wrong word is read once more, for a damaged one may pass its checksum.

        Raises:
            DeviceError: a chip holds another word.
        """
        for attempt in range(2):
            wrong = [answer for answer in self.ask(register, None, expected) if not good(answer.value)]
            if not wrong:
                return
            if attempt:
                raise DeviceError(
                    f"{self.url}: {what}: chip {wrong[0].chip} reads back {wrong[0].value:#010x} from register "
                    f"{register:#04x}, which is not what was set; bring the chain up again"
                )
