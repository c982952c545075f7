"""A serial port with a thread that stamps what comes, to the microsecond, as soon as it is there."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

from hwmodel.errors import DeviceError, QueueOverflowError, ToolError
from hwmodel.reservoir.wire import Decoder, NonceResponse, RegisterResponse

__all__ = ["MAX_FRAMES", "SerialPort", "Stamped"]

MAX_FRAMES, MAX_ANSWERS = 1 << 16, 1 << 12
POLL_S = 0.1
BITS_A_BYTE = 10
LONG_FORM = 11


@dataclass(frozen=True)
class Stamped:
    """A response and when its last byte was there, in us since 1970.

    Of several frames that one read gave, the stamps of the earlier ones are set back by the time that the later ones
    took on the wire.
    """

    t_us: int
    frame: NonceResponse | RegisterResponse


class Clock:
    """Microseconds since 1970 that never step back: the wall clock when it was made, and from there the steady one."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Time now, us."""
        return (time.monotonic_ns() + self._offset) // 1000


class SerialPort:
    """An open port, its decoder and the thread that reads it.

    Parameters:
        url: name of a port, or an address of pyserial such as socket://host:port.
        baud: bits a second.
        before: the port that this one takes the place of: its clock goes on, so that stamps never fall, and what it had
            not given out stays to be taken.

    Raises:
        ToolError: pyserial is not installed.
        DeviceError: the port cannot be opened.
    """

    def __init__(self, url: str, baud: int, before: SerialPort | None = None) -> None:
        try:
            import serial
        except ImportError:
            raise ToolError(
                "a serial port needs pyserial, which is not installed; pip install 'hwmodel[reservoir]'"
            ) from None
        self.url, self._baud = url, baud
        self._errors: tuple[type[BaseException], ...] = (
            serial.SerialException,
            OSError,
            TypeError,
            ValueError,
        )
        try:
            self._port: Any = serial.serial_for_url(url, baudrate=baud, timeout=POLL_S, write_timeout=5.0)
        except self._errors as error:
            raise DeviceError(f"port {url}: {error}; is it there, and free?") from error
        self.decoder = Decoder("response", LONG_FORM)
        self.clock: Clock = before.clock if before else Clock()
        self.results: queue.Queue[Stamped] = before.results if before else queue.Queue(MAX_FRAMES)
        self.answers: queue.Queue[Stamped] = queue.Queue(MAX_ANSWERS)
        self.fault: Exception | None = None
        self._last: int = before._last if before else 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"reader of {url}", daemon=True)
        self._thread.start()

    @property
    def baud(self) -> int:
        """Bits a second; may be changed."""
        return self._baud

    @baud.setter
    def baud(self, baud: int) -> None:
        try:
            self._port.flush()
            self._port.baudrate = baud
        except self._errors as error:
            raise DeviceError(f"port {self.url}: {baud} baud: {error}") from error
        self._baud = baud

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            DeviceError: the port is lost.
        """
        self.check()
        try:
            self._port.write(data)
        except self._errors as error:
            self.fault = self.fault or DeviceError(f"port {self.url}: {error}")
            self.check()

    def check(self) -> None:
        """Raise what the reading thread met.

        Raises:
            DeviceError: the port is lost.
            QueueOverflowError: nobody took the results.
        """
        if isinstance(self.fault, QueueOverflowError):
            raise self.fault
        if self.fault is not None:
            raise DeviceError(f"port {self.url} is lost: {self.fault}; call reconnect()") from self.fault

    def close(self) -> None:
        """End the thread and close the port."""
        self._closed.set()
        with contextlib.suppress(AttributeError, *self._errors):
            self._port.cancel_read()
        self._thread.join()
        with contextlib.suppress(*self._errors):
            self._port.close()

    def _read(self) -> None:
        try:
            while not self._closed.is_set():
                data = self._port.read(1)
                if data and (more := self._port.in_waiting):
                    data += self._port.read(more)
                if data:
                    self._stamp(data)
        except Exception as error:
            # Any: the next call raises it, for a thread has nobody to tell. Once closed, it is the closing itself.
            self.fault = None if self._closed.is_set() else error

    def _stamp(self, data: bytes) -> None:
        now = self.clock.now()
        for frame, end in self.decoder.feed_placed(data):
            assert isinstance(frame, NonceResponse | RegisterResponse)
            behind = self.decoder.taken + self.decoder.pending - end
            self._last = max(self._last, now - behind * BITS_A_BYTE * 1_000_000 // self._baud)
            stamped = Stamped(self._last, frame)
            if isinstance(frame, RegisterResponse):
                self._keep_answer(stamped)
                continue
            try:
                self.results.put_nowait(stamped)
            except queue.Full:
                raise QueueOverflowError(
                    f"port {self.url}: {MAX_FRAMES} responses wait to be taken; call receive() more often"
                ) from None

    def _keep_answer(self, stamped: Stamped) -> None:
        # Nobody waits for the oldest of so many: damaged results that look like answers pile up in a long capture.
        while True:
            try:
                return self.answers.put_nowait(stamped)
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self.answers.get_nowait()
