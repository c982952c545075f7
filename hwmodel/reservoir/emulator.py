"""Emulated chips that firmware tools and drivers can talk to: on a pseudo-terminal or on TCP, at the times of a UART."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from types import TracebackType
from typing import Self, TypeVar

from hwmodel.errors import DeviceError, SpecError
from hwmodel.reservoir._emulator_chain import EmulatedChain
from hwmodel.reservoir._emulator_faults import Faults
from hwmodel.reservoir.chip.model import ChipModel
from hwmodel.reservoir.chip.oracle import HitOracle, RealHash, SampledHash
from hwmodel.reservoir.chip.physics import Physics
from hwmodel.reservoir.chips import ChipSpec, chip, small_chip
from hwmodel.reservoir.wire import hash_counting_number, pll_frequency, pll_word
from hwmodel.units import NEVER, Frequency, fs, to_frequency

__all__ = ["EmulatedChain", "EmulatedRail", "Faults", "PtyChip", "TcpChip", "emulated_chain", "oracle_for"]

Given = TypeVar("Given")

SAMPLED_FROM = 24  # zero bits from which hits are drawn; fewer are hashed in earnest
SHRINK = 16
REAL_CORES, REAL_SLOTS = 4, 8
PAUSE_S, IDLE_S = 0.05, 0.25
READ_BYTES = 4096
MAX_WAITING = 1 << 16


def oracle_for(zero_bits: int, seed: int = 0) -> HitOracle:
    """Where the hits of an emulated chip lie: by hashing below 24 zero bits, drawn by the seed from there on.

    Its `check` gives the difficulty of a header by the same rule.

    Example:
        >>> oracle_for(16), oracle_for(32, seed=5)
        (RealHash(zero_bits=16), SampledHash(seed=5, zero_bits=32))
    """
    return RealHash(zero_bits) if zero_bits < SAMPLED_FROM else SampledHash(seed, zero_bits)


def emulated_chain(
    name: str = "BM1366",
    *,
    chips: int = 1,
    zero_bits: int = 12,
    seed: int = 0,
    frequency: Frequency | str | None = None,
    voltage: float | None = None,
    physics: Physics | None = None,
    faults: Faults | None = None,
    fifo: int = 16,
) -> EmulatedChain:
    """A chain that is ready to be talked to.

    Parameters:
        name: preset of the chip: BM1366 or BM1370.
        chips: length of the chain. Each chip searches from the address that hosts give it, so its nonces show it.
        zero_bits: zero bits of a result of difficulty 1. Below 24 every header is hashed: the chips have 4 cores of 8
            small cores, sweep 2**16 times fewer nonces and count 2**16 times slower, so that batches last as long as on
            the real chip; one chip makes 240,000 hashes a second at 485 MHz. From 24 on the chip is of full size and
            speed, and its hits are drawn.
        seed: of drawn hits and of errors.
        frequency, voltage: before the host sets any.
        physics: None for ideal chips.
        faults: of the line.
        fifo: results that may wait for the line.

    Raises:
        SpecError, UnknownNameError: no such chip, or a parameter out of its range.

    Example:
        >>> from hwmodel.reservoir.wire import Command, decode, encode
        >>> chain = emulated_chain(chips=2)
        >>> chain.receive(0, encode(Command.write(0xA4, 0x9000FFFF)) + encode(Command.read(0)))
        >>> [hex(answer.value) for answer in decode(chain.due(10**15))]
        ['0x13660000', '0x13660000']
    """
    spec, shrink, rate = chip(name), 0, None
    oracle = oracle_for(zero_bits, seed)
    if isinstance(oracle, RealHash):
        spec = _shrunk(spec)
        shrink, rate = SHRINK, Fraction(spec.nonces_per_clock.value).limit_denominator(10**9) / (1 << SHRINK)

    default = Frequency(Fraction(spec.frequency.value).limit_denominator(10**6) * 10**6)
    asked = default if frequency is None else to_frequency(frequency, "emulated_chain(frequency)")
    # What a word of the PLL makes needs no rounding, for which a model looks through all settings each time.
    clock = pll_frequency(pll_word(asked))

    def make() -> ChipModel:
        model = ChipModel(
            spec, oracle, physics, seed, chips=chips, frequency=clock, voltage=voltage, nonces_per_clock=rate,
            batch_gap=0 if shrink else None, pll=False,
        )  # fmt: skip
        if shrink:  # a sweep of full length is beyond hashing, so there is a limit before the host sets one
            ticks = hash_counting_number(model.frequency, chips, 128) >> shrink
            model.set_sweep_limit(fs(0), ticks)
        return model

    return EmulatedChain(make, shrink=shrink, fifo=fifo, faults=faults)


def _shrunk(spec: ChipSpec) -> ChipSpec:
    """The chip with 4 cores of 8 small cores; what it says of itself and its limits stay."""
    kept = (
        "chip_id", "response_bytes", "response_job_mask", "response_slot_mask", "crystal", "frequency",
        "frequency_low", "frequency_high", "voltage", "voltage_low", "voltage_high",
    )  # fmt: skip
    same = {name: getattr(spec, name) for name in kept}
    return small_chip(REAL_CORES, spec.counter_bits, REAL_SLOTS, name=f"{spec.name} of 4 cores", **same)


class _Server:
    """A thread that passes bytes between a file descriptor and a chain, in real time.

    Parameters:
        chain: the chips.
        speed: seconds of the chips in a second of the host.

    Raises:
        SpecError: a speed that is not positive.
    """

    url: str

    def __init__(self, chain: EmulatedChain, speed: float = 1.0) -> None:
        if not 0 < speed <= 1000:
            raise SpecError(f"emulator(speed={speed!r}): give more than 0 and at most 1000")
        self.chain, self.speed = chain, speed
        self.overrun = 0
        """Bytes that the host was too slow to take, or for which nobody was there."""
        self.error: BaseException | None = None
        self._lock = threading.Lock()
        self._begin = time.monotonic_ns()
        self._wake, self._waker = os.pipe()
        self._stopped = threading.Event()
        self._heard = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name=f"chips at {self.url}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and take the port away.

        Raises:
            DeviceError: the thread had failed, for the reason that is named.
        """
        if self._stopped.is_set():
            return
        self._stopped.set()
        os.write(self._waker, b"x")
        self._thread.join()
        self._close()
        os.close(self._wake)
        os.close(self._waker)
        if self.error is not None:
            raise DeviceError(f"emulated chips at {self.url}: {self.error}") from self.error

    def call(self, work: Callable[[EmulatedChain, int], Given]) -> Given:
        """Do something with the chain and its time now, in fs; the thread waits meanwhile."""
        with self._lock:
            now = self._now()
            self.chain.advance(now)
            done = work(self.chain, now)
        os.write(self._waker, b"x")
        return done

    def _now(self) -> int:
        return int((time.monotonic_ns() - self._begin) * self.speed) * 10**6

    def _serve(self) -> None:
        try:
            while not self._stopped.is_set():
                with self._lock:
                    self._send(self.chain.due(self._now()))
                    wait = self._pause()
                ready, _, _ = select.select([self._wake, *self._inputs()], [], [], wait)
                if self._wake in ready:
                    os.read(self._wake, READ_BYTES)
                with self._lock:
                    self._take([source for source in ready if source != self._wake])
        except Exception as error:  # told by close(); a thread has nobody to tell
            self.error = error
            self._stop_serving()

    def _pause(self) -> float:
        """Seconds until something comes from the chips."""
        at = self.chain.next_event()
        ahead = PAUSE_S if at == NEVER else (at - self._now()) * 1e-15 / self.speed
        return min(max(ahead, 0.0), PAUSE_S)

    def _take(self, ready: list[int]) -> None:
        data = self._receive(ready)
        if data:
            self._heard = time.monotonic()
            self.chain.receive(self._now(), data)
        elif self.chain.half_frame and time.monotonic() - self._heard > IDLE_S:
            self.chain.idle(self._now())

    def _inputs(self) -> list[int]:
        raise AssertionError("a server has inputs")

    def _receive(self, ready: list[int]) -> bytes:
        raise AssertionError("a server receives")

    def _send(self, data: bytes) -> None:
        raise AssertionError("a server sends")

    def _close(self) -> None:
        raise AssertionError("a server closes")

    def _stop_serving(self) -> None:
        """Let the host see that nobody is there any more."""


class PtyChip(_Server):
    """Emulated chips on a pseudo-terminal, which a program opens as it opens a serial port.

    Parameters:
        chain: the chips.
        speed: seconds of the chips in a second of the host.

    Attributes:
        url: path of the terminal.

    Example:
        >>> with PtyChip(emulated_chain()) as board:
        ...     board.url.startswith("/dev/")
        True
    """

    def __init__(self, chain: EmulatedChain, speed: float = 1.0) -> None:
        import tty

        chain.warm_up()
        self._host, self._device = os.openpty()
        tty.setraw(self._device)
        os.set_blocking(self._host, False)
        self.url = os.ttyname(self._device)
        super().__init__(chain, speed)

    def _inputs(self) -> list[int]:
        return [self._host]

    def _receive(self, ready: list[int]) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._host, READ_BYTES) if ready else b""
        return b""

    def _send(self, data: bytes) -> None:
        if data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._host, data) :]
            self.overrun += len(data)

    def _close(self) -> None:
        os.close(self._host)
        os.close(self._device)


class TcpChip(_Server):
    """Emulated chips on a TCP port: the bytes of the UART as they are, one host at a time.

    Parameters:
        chain: the chips.
        port: 0 for any that is free.
        host: address to listen at; other machines reach it only if you name one of theirs.
        speed: seconds of the chips in a second of the host.

    Attributes:
        url: such as socket://127.0.0.1:4028, which pyserial opens.

    Raises:
        DeviceError: the port is taken.

    Example:
        >>> with TcpChip(emulated_chain()) as board:
        ...     board.url.rsplit(":", 1)[0]
        'socket://127.0.0.1'
    """

    def __init__(
        self, chain: EmulatedChain, port: int = 0, host: str = "127.0.0.1", speed: float = 1.0
    ) -> None:
        chain.warm_up()  # before anybody can connect
        try:
            self._listener = socket.create_server((host, port))
        except (OSError, OverflowError) as error:
            raise DeviceError(f"TcpChip({host}:{port}): {error}; give another port, or 0 for any") from error
        self._listener.setblocking(False)
        self._peer: socket.socket | None = None
        self.port = self._listener.getsockname()[1]
        self.url = f"socket://{host}:{self.port}"
        super().__init__(chain, speed)

    def _inputs(self) -> list[int]:
        return [self._listener.fileno(), *([self._peer.fileno()] if self._peer else [])]

    def _receive(self, ready: list[int]) -> bytes:
        data = b""
        if self._peer and self._peer.fileno() in ready:
            try:
                data = self._peer.recv(READ_BYTES)
            except BlockingIOError:
                return b""
            except OSError:
                data = b""
            if not data:
                self._hang_up()
        if self._listener.fileno() in ready:
            self._accept()
        return data

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return
        if self._peer is not None:
            peer.close()
            return
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer = peer

    def disconnect(self) -> None:
        """Hang up; the host may connect again."""
        peer = self._peer
        if peer is not None:
            # Only the thread closes a socket, for it may be waiting at it; this makes it see the end.
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def _hang_up(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def _send(self, data: bytes) -> None:
        if data and self._peer is not None:
            try:
                data = data[self._peer.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                self._hang_up()
        self.overrun += len(data)

    def _close(self) -> None:
        self._hang_up()
        self._listener.close()

    def _stop_serving(self) -> None:
        self._hang_up()


class EmulatedRail:
    """The core voltage of emulated chips, which a regulator sets and not their wire.

    Parameters:
        board: the emulated chips.
        offset: by how much the voltage differs from what was set, V.
        deaf: whether it takes every setting and does nothing, as firmware does with a key that it does not know.

    Example:
        >>> with PtyChip(emulated_chain()) as board:
        ...     rail = EmulatedRail(board)
        ...     rail.set(1.15)
        ...     round(rail.read(), 3)
        1.15
    """

    def __init__(self, board: PtyChip | TcpChip, offset: float = 0.0, deaf: bool = False) -> None:
        self._board, self._offset, self._deaf = board, offset, deaf

    def set(self, volts: float) -> None:
        """Ask for a voltage, V."""
        if not self._deaf:
            self._board.call(lambda chain, t: chain.set_voltage(t, volts + self._offset))

    def read(self) -> float:
        """Measure the voltage, V."""
        return self._board.call(lambda chain, t: chain.voltage(t))

    def temperature(self) -> float | None:
        """Measure the temperature of the chips, C."""
        return self._board.call(lambda chain, t: chain.temperature(t))
