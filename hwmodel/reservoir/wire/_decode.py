"""Bytes into frames: any direction, any chunks, garbage between them.

What is decided about a byte depends on the bytes before it and on at most one frame behind it, never on how the bytes
came. So any chunking gives the same frames.
"""

from __future__ import annotations

import re
from typing import Literal

from hwmodel.errors import WireError
from hwmodel.reservoir.wire._crc import crc5, crc16
from hwmodel.reservoir.wire._frames import (
    FACTORY_LENGTH,
    FULL_JOB,
    FULL_JOB_BYTES,
    JOB_WRITE,
    LONG_FORM,
    MAX_MIDSTATES,
    MIDSTATE_BYTES,
    MIDSTATE_REST,
    RESPONSE_NONCE,
    RESPONSE_REGISTER,
    SHORT_FORM,
    TO_ALL,
    TO_CHIP,
    TO_HOST,
    TYPE_COMMAND,
    TYPE_JOB,
    Command,
    CommandKind,
    Frame,
    JobFrame,
    MidstateJobFrame,
    NonceResponse,
    RegisterResponse,
    reverse_words,
)

__all__ = ["Decoder", "Direction", "decode"]

Direction = Literal["command", "response"]
"""Command: from the host to the chips. Response: from the chips to the host."""

Found = tuple[Frame, int] | None
"""A frame and its length; None where more bytes are needed. A refusal is an exception of `_RefusedError`."""

MIDSTATE_LENGTHS = {MIDSTATE_REST + MIDSTATE_BYTES * n: n for n in range(1, MAX_MIDSTATES + 1)}


class _RefusedError(Exception):
    """What stands here is no frame."""


class Decoder:
    """Reads frames from bytes as they come; what is no frame is dropped and counted.

    Parameters:
        direction: "command" for what the host sends, "response" for what chips send, None for either.
        form: bytes of a response, 9 or 11; None tells them apart by their checksums. Then an answer of 9 bytes is held
            back until two more bytes or `finish` have shown that it is none of 11.

    Attributes:
        dropped: bytes that were in no frame.
        damaged: preambles behind which no frame stood: a wrong checksum, or garbage that looked like one.
        resynchronised: times that a frame was found after something had been dropped.

    Raises:
        WireError: another direction or form.

    A checksum of 5 bits lets one damaged response in 32 pass, and one in four of those has a type that exists.

    Example:
        >>> decoder = Decoder("response", 11)
        >>> decoder.feed(bytes.fromhex("00aa5513660000"))
        []
        >>> decoder.feed(bytes.fromhex("0000000005"))
        [RegisterResponse(value=325451776, chip=0, register=0, unknown=0)]
        >>> decoder.dropped, decoder.resynchronised
        (1, 1)
    """

    def __init__(self, direction: Direction | None = None, form: int | None = None) -> None:
        if direction not in ("command", "response", None):
            raise WireError(
                f"Decoder(direction={direction!r}): give 'command', 'response', or None for either"
            )
        if form not in (SHORT_FORM, LONG_FORM, None):
            raise WireError(f"Decoder(form={form!r}): give 9, 11, or None for either")
        self.direction, self.form = direction, form
        wanted = [p for p, d in ((TO_CHIP, "command"), (TO_HOST, "response")) if direction in (d, None)]
        # One pattern: two searches would each run to the end of a buffer that holds only the other kind.
        self._wanted = re.compile(b"|".join(wanted))
        self._first = {preamble[0] for preamble in wanted}
        self.dropped = self.damaged = self.resynchronised = 0
        self.taken = 0
        self._buffer = bytearray()
        self._lost = False
        self._last_form: int | None = None

    @property
    def pending(self) -> int:
        """Bytes that are held back until more come."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames that they complete."""
        return [frame for frame, _ in self.feed_placed(data)]

    def feed_placed(self, data: bytes) -> list[tuple[Frame, int]]:
        """As `feed`, each frame with the number of bytes that were taken up to its end since the beginning."""
        self._buffer += data
        return self._scan(final=False)

    def finish(self) -> list[Frame]:
        """Take no more bytes for now: return what was held back, drop what is half a frame."""
        return [frame for frame, _ in self._scan(final=True)]

    def _scan(self, final: bool) -> list[tuple[Frame, int]]:
        buffer, at = self._buffer, 0
        found: list[tuple[Frame, int]] = []
        while at < len(buffer):
            begin = self._preamble(at, final)
            self._drop(begin - at)
            at = begin
            if at == len(buffer):
                break
            try:
                part = self._frame(at, final)
            except _RefusedError:
                self.damaged += 1
                self._drop(1)
                at += 1
                continue
            if part is None:
                break
            frame, length = part
            at += length
            self.resynchronised += self._lost
            self._lost = False
            found.append((frame, self.taken + at))
        self.taken += at
        del buffer[:at]
        return found

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._lost |= count > 0

    def _preamble(self, at: int, final: bool) -> int:
        """Where the next preamble begins, or the end; a last byte that may begin one is kept."""
        found = self._wanted.search(self._buffer, at)
        if found:
            return found.start()
        held = not final and self._buffer[-1] in self._first
        return len(self._buffer) - held

    def _frame(self, at: int, final: bool) -> Found:
        """The frame whose preamble stands at a place."""
        left = len(self._buffer) - at
        if left < 4:  # also one byte that may begin a preamble
            return _wait(final)
        if self._buffer[at] == TO_HOST[0]:
            return self._response(at, left, final)
        if self._buffer[at + 2] & ~TO_ALL & 0xFF == TYPE_JOB | JOB_WRITE:
            return self._job(at, left, final)
        return self._command(at, left, final)

    def _command(self, at: int, left: int, final: bool) -> Found:
        header, length = self._buffer[at + 2], self._buffer[at + 3]
        kind = header & ~TO_ALL & 0xFF ^ TYPE_COMMAND
        if kind not in CommandKind.__members__.values():
            raise _RefusedError
        if length != (9 if kind == CommandKind.WRITE else 5):
            raise _RefusedError
        if left < length + 2:
            return _wait(final)
        body = bytes(self._buffer[at + 2 : at + 1 + length])
        if crc5(body) != self._buffer[at + 1 + length]:
            raise _RefusedError
        value = int.from_bytes(body[4:], "big") if kind == CommandKind.WRITE else None
        return Command(CommandKind(kind), body[2], body[3], value, bool(header & TO_ALL)), length + 2

    def _job(self, at: int, left: int, final: bool) -> Found:
        if left < 6:
            return _wait(final)
        length, count = self._buffer[at + 3], self._buffer[at + 5]
        full = length == FACTORY_LENGTH or (length == FULL_JOB and count != 2)
        if not full and MIDSTATE_LENGTHS.get(length) != count:
            raise _RefusedError
        # The factory's length is that of one midstate: the checksum tells which of the two it is.
        sizes = [length + 2] if MIDSTATE_LENGTHS.get(length) == count else []
        sizes += [FULL_JOB_BYTES] if full else []
        for size in sizes:
            if left < size:
                return _wait(final)
            data = bytes(self._buffer[at + 2 : at + size])
            if crc16(data) == 0:
                body = data[:-2]
                return (_full_job if size == FULL_JOB_BYTES and full else _midstate_job)(body), size
        raise _RefusedError

    def _response(self, at: int, left: int, final: bool) -> Found:
        data = bytes(self._buffer[at + 2 : at + LONG_FORM])
        if self.form is not None:
            if left < self.form:
                return _wait(final)
            if not _whole(data[: self.form - 2]):
                raise _RefusedError
            return _answer(data[: self.form - 2]), self.form
        if left < LONG_FORM and not final:
            return None
        short = left >= SHORT_FORM and _whole(data[: SHORT_FORM - 2])
        # No frame of 11 bytes ends in half a preamble: its last byte would be of a type that does not exist.
        if left >= LONG_FORM and _whole(data):
            self._last_form = LONG_FORM
            return _answer(data), LONG_FORM
        follows = bytes(self._buffer[at + SHORT_FORM : at + LONG_FORM])
        if short and (follows in (TO_CHIP, TO_HOST, b"") or self._last_form != LONG_FORM):
            self._last_form = SHORT_FORM
            return _answer(data[: SHORT_FORM - 2]), SHORT_FORM
        raise _RefusedError


def _wait(final: bool) -> Found:
    """Ask for more bytes, unless none will come."""
    if final:
        raise _RefusedError
    return None


def _whole(data: bytes) -> bool:
    """Whether a response behind its preamble has a checksum of 0 and a type that exists."""
    return data[-1] >> 5 in (RESPONSE_NONCE, RESPONSE_REGISTER) and crc5(data) == 0


def _answer(data: bytes) -> NonceResponse | RegisterResponse:
    tail = int.from_bytes(data[6:8], "big") if len(data) == LONG_FORM - 2 else None
    if data[-1] >> 5 == RESPONSE_NONCE:
        return NonceResponse(int.from_bytes(data[:4], "little"), data[4], data[5], tail)
    return RegisterResponse(int.from_bytes(data[:4], "big"), data[4], data[5], tail)


def _numbers(body: bytes) -> tuple[int, int, int]:
    start, bits, time = (int.from_bytes(body[n : n + 4], "little") for n in (4, 8, 12))
    return start, bits, time


def _full_job(body: bytes) -> JobFrame:
    start, bits, time = _numbers(body)
    merkle, previous = reverse_words(body[16:48]), reverse_words(body[48:80])
    version = int.from_bytes(body[80:84], "little")
    return JobFrame(
        body[2], version, previous, merkle, time, bits, start, body[3], body[1], bool(body[0] & TO_ALL)
    )


def _midstate_job(body: bytes) -> MidstateJobFrame:
    start, bits, time = _numbers(body)
    states = tuple(body[n : n + MIDSTATE_BYTES] for n in range(20, len(body), MIDSTATE_BYTES))
    return MidstateJobFrame(body[2], time, bits, body[16:20], states, start, bool(body[0] & TO_ALL))


def decode(data: bytes) -> list[Frame]:
    """All frames in some bytes, in both directions and both forms; what is between them is passed over.

    A `Decoder` also counts what was passed over, and reads what comes piece by piece.

    Raises:
        WireError: no bytes.

    Example:
        >>> decode(bytes.fromhex("55aa520500000a" "aa55136600000000000005" "aa5513971800000006"))
        [Command(kind=<CommandKind.READ: 2>, chip=0, register=0, value=None, all=True),
         RegisterResponse(value=325451776, chip=0, register=0, unknown=0),
         RegisterResponse(value=328669184, chip=0, register=0, unknown=None)]
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise WireError(f"decode({data!r}): give bytes; bytes.fromhex reads hexadecimal digits")
    decoder = Decoder()
    return [*decoder.feed(bytes(data)), *decoder.finish()]
