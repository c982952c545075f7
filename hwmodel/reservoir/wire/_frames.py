"""What goes over the wire of BM13xx chips, frame by frame, and the bytes of each.

Layouts: ESP-Miner 5c27713 (components/asic) and mujina 1a69ef40 (bm13xx/REFERENCE.md), read for facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from operator import index
from typing import SupportsIndex

from hwmodel.errors import WireError
from hwmodel.reservoir.header import BlockHeader, scan_order
from hwmodel.reservoir.job import VERSION_MASK, Job
from hwmodel.reservoir.wire._crc import crc5, crc16

__all__ = [
    "Command",
    "CommandKind",
    "Frame",
    "JobFrame",
    "MidstateJobFrame",
    "NonceResponse",
    "RegisterResponse",
    "encode",
]

TO_CHIP, TO_HOST = b"\x55\xaa", b"\xaa\x55"
TYPE_JOB, TYPE_COMMAND, TO_ALL = 0x20, 0x40, 0x10
JOB_WRITE = 0x01
FULL_JOB, FULL_JOB_BYTES, FACTORY_LENGTH = 0x56, 88, 0x36
MIDSTATE_BYTES, MIDSTATE_REST, MAX_MIDSTATES = 32, 22, 4
RESPONSE_NONCE, RESPONSE_REGISTER = 4, 0
VERSION_SHIFT = 13
SHORT_FORM, LONG_FORM = 9, 11


class CommandKind(IntEnum):
    """What a command asks for; the low bits of its header byte."""

    ADDRESS = 0
    WRITE = 1
    READ = 2
    INACTIVE = 3


def _number(value: object, bits: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or not 0 <= index(value) < 1 << bits:
        raise WireError(f"{what}={value!r}: give a whole number of {bits} bits, 0 to {(1 << bits) - 1}")
    return index(value)


def _raw(value: object, length: int, what: str) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview) or len(bytes(value)) != length:
        raise WireError(f"{what}={value!r}: give {length} bytes")
    return bytes(value)


def _store(frame: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(frame, name, value)


@dataclass(frozen=True)
class Command:
    """A command from the host to one chip or to all of a chain.

    Parameters:
        kind: what is asked.
        chip: address of a chip; for `ADDRESS` the one that it shall have. 0 where all are meant.
        register: number of a register; 0 where there is none.
        value: 32 bits to write, only with `WRITE`.
        all: whether every chip is meant.

    Raises:
        WireError: a value out of its range, or a value to write with another kind.

    Example:
        >>> encode(Command(CommandKind.READ, register=0, all=True)).hex()
        '55aa520500000a'
        >>> encode(Command.write(0x14, 0xFF)).hex()
        '55aa51090014000000ff08'
    """

    kind: CommandKind
    chip: int = 0
    register: int = 0
    value: int | None = None
    all: bool = False

    def __post_init__(self) -> None:
        try:
            kind = CommandKind(self.kind)
        except ValueError:
            raise WireError(
                f"Command(kind={self.kind!r}): give one of {', '.join(CommandKind.__members__)}"
            ) from None
        if (kind is CommandKind.WRITE) != (self.value is not None):
            raise WireError(
                f"Command({kind.name}, value={self.value!r}): a value goes with WRITE, and only with it"
            )
        value = None if self.value is None else _number(self.value, 32, "Command(value)")
        _store(
            self, kind=kind, value=value, all=bool(self.all),
            chip=_number(self.chip, 8, "Command(chip)"), register=_number(self.register, 8, "Command(register)"),
        )  # fmt: skip

    @classmethod
    def write(cls, register: int, value: int, chip: int | None = None) -> Command:
        """Write a register of one chip, or of all where none is named."""
        return cls(CommandKind.WRITE, chip or 0, register, value, chip is None)

    @classmethod
    def read(cls, register: int, chip: int | None = None) -> Command:
        """Read a register of one chip, or of all where none is named."""
        return cls(CommandKind.READ, chip or 0, register, None, chip is None)

    @classmethod
    def address(cls, address: int) -> Command:
        """Give the first chip that has none an address."""
        return cls(CommandKind.ADDRESS, address)

    @classmethod
    def inactive(cls) -> Command:
        """Take all chips their addresses."""
        return cls(CommandKind.INACTIVE, all=True)

    def body(self) -> bytes:
        """Bytes between preamble and checksum."""
        data = bytes([self.chip, self.register]) + (
            b"" if self.value is None else self.value.to_bytes(4, "big")
        )
        return bytes([TYPE_COMMAND | self.all * TO_ALL | self.kind, len(data) + 3]) + data


def reverse_words(data: bytes) -> bytes:
    """Put the eight 4-byte words of a hash in reversed order, as jobs carry them; its own inverse."""
    return b"".join(data[n : n + 4] for n in range(28, -1, -4))


@dataclass(frozen=True)
class JobFrame:
    """A job for chips that make their midstates themselves: BM1362, BM1366, BM1368, BM1370.

    Parameters:
        job_id: the byte that responses repeat in part; steps of 8 below 128.
        version, time, bits, start_nonce: numbers as in the header.
        previous, merkle: 32 bytes each, in the order of the header.
        midstates: 1 in all captures.
        length: what the length byte says: 0x56, or 0x36 from factory firmware; the frame has 88 bytes in both cases.
        all: the group bit, never seen set.

    Raises:
        WireError: a value out of its range.

    Example:
        >>> frame = JobFrame(8, 0x20000000, bytes(32), bytes(32), 1_700_000_000, 0x17034219)
        >>> len(encode(frame)), encode(frame)[:6].hex()
        (88, '55aa21560801')
    """

    job_id: int
    version: int
    previous: bytes
    merkle: bytes
    time: int
    bits: int
    start_nonce: int = 0
    midstates: int = 1
    length: int = FULL_JOB
    all: bool = False

    def __post_init__(self) -> None:
        widths = {"job_id": 8, "midstates": 8, "version": 32, "time": 32, "bits": 32, "start_nonce": 32}
        for name, width in widths.items():
            _store(self, **{name: _number(getattr(self, name), width, f"JobFrame({name})")})
        for name in ("previous", "merkle"):
            _store(self, **{name: _raw(getattr(self, name), 32, f"JobFrame({name})")})
        if self.length not in (FULL_JOB, FACTORY_LENGTH):
            raise WireError(f"JobFrame(length={self.length!r}): give 0x56, or 0x36 as factory firmware does")
        if self.length == FULL_JOB and self.midstates == 2:
            raise WireError("JobFrame(midstates=2): this is how a MidstateJobFrame of two looks; give 1")
        _store(self, all=bool(self.all))

    @classmethod
    def of(cls, job: Job) -> JobFrame:
        """The frame of a job."""
        return cls(job.job_id, job.version, job.previous, job.merkle, job.time, job.bits, job.start_nonce)

    def job(self, version_mask: int = VERSION_MASK) -> Job:
        """The job of a frame; the mask is not in the frame but in a register."""
        return Job(
            self.job_id & 0x7F, self.version, self.previous, self.merkle, self.time, self.bits,
            self.start_nonce, version_mask,
        )  # fmt: skip

    def header(self, response: NonceResponse) -> BlockHeader:
        """The header that a response to this job stands for."""
        version = self.version | response.version_bits
        return BlockHeader(version, self.previous, self.merkle, self.time, self.bits, response.nonce)

    def body(self) -> bytes:
        """Bytes between preamble and checksum."""
        numbers = (self.start_nonce, self.bits, self.time)
        return b"".join(
            [
                bytes([TYPE_JOB | self.all * TO_ALL | JOB_WRITE, self.length, self.job_id, self.midstates]),
                *(number.to_bytes(4, "little") for number in numbers),
                reverse_words(self.merkle),
                reverse_words(self.previous),
                self.version.to_bytes(4, "little"),
            ]
        )


@dataclass(frozen=True)
class MidstateJobFrame:
    """A job for chips that are given midstates: the BM1397 and those before it.

    Parameters:
        job_id: the byte that responses repeat; steps of 4, whose low bits name the midstate.
        time, bits, start_nonce: numbers as in the header.
        merkle_tail: last 4 bytes of the merkle root, as they go over the wire.
        midstates: 1 to 4 of 32 bytes, as they go over the wire.
        all: the group bit.

    Raises:
        WireError: a value out of its range.

    Example:
        >>> len(encode(MidstateJobFrame(4, 0, 0, bytes(4), (bytes(32),) * 4)))
        152
    """

    job_id: int
    time: int
    bits: int
    merkle_tail: bytes
    midstates: tuple[bytes, ...]
    start_nonce: int = 0
    all: bool = False

    def __post_init__(self) -> None:
        for name, width in (("job_id", 8), ("time", 32), ("bits", 32), ("start_nonce", 32)):
            _store(self, **{name: _number(getattr(self, name), width, f"MidstateJobFrame({name})")})
        if not 1 <= len(self.midstates) <= MAX_MIDSTATES:
            raise WireError(f"MidstateJobFrame: {len(self.midstates)} midstates; give 1 to {MAX_MIDSTATES}")
        states = tuple(_raw(state, MIDSTATE_BYTES, "MidstateJobFrame(midstates)") for state in self.midstates)
        tail = _raw(self.merkle_tail, 4, "MidstateJobFrame(merkle_tail)")
        _store(self, midstates=states, merkle_tail=tail, all=bool(self.all))

    def body(self) -> bytes:
        """Bytes between preamble and checksum."""
        count = len(self.midstates)
        length = MIDSTATE_REST + MIDSTATE_BYTES * count
        numbers = (self.start_nonce, self.bits, self.time)
        return b"".join(
            [
                bytes([TYPE_JOB | self.all * TO_ALL | JOB_WRITE, length, self.job_id, count]),
                *(number.to_bytes(4, "little") for number in numbers),
                self.merkle_tail,
                *self.midstates,
            ]
        )


@dataclass(frozen=True)
class NonceResponse:
    """A result of a chip.

    Parameters:
        nonce: as in the header.
        excess: difficulty above the ticket mask in half bits; the BM1397 has the number of the midstate here.
        result: byte with the job and the small core.
        version: 16 rolled bits; None in the 9-byte form.

    Raises:
        WireError: a value out of its range.

    Example:
        >>> response, = __import__("hwmodel.reservoir.wire", fromlist=["decode"]).decode(
        ...     bytes.fromhex("aa554c0352750cd205a29c"))
        >>> hex(response.nonce), response.core, hex(response.job_id(slot_bits=4)), response.small_core(slot_bits=4)
        ('0x7552034c', 38, '0x68', 2)
    """

    nonce: int
    excess: int = 0
    result: int = 0
    version: int | None = 0

    def __post_init__(self) -> None:
        version = None if self.version is None else _number(self.version, 16, "NonceResponse(version)")
        _store(
            self, version=version, nonce=_number(self.nonce, 32, "NonceResponse(nonce)"),
            excess=_number(self.excess, 8, "NonceResponse(excess)"),
            result=_number(self.result, 8, "NonceResponse(result)"),
        )  # fmt: skip

    @property
    def form(self) -> int:
        """Bytes of the frame: 9 or 11."""
        return SHORT_FORM if self.version is None else LONG_FORM

    @property
    def core(self) -> int:
        """Core that found the nonce: its top 7 bits in the chip's order."""
        return int(scan_order(self.nonce)) >> 25

    @property
    def address(self) -> int:
        """The 8 bits below the core, which on chains of BM1366 hold the chip's address."""
        return int(scan_order(self.nonce)) >> 17 & 0xFF

    @property
    def version_bits(self) -> int:
        """Rolled bits at their place in the header's version."""
        return (self.version or 0) << VERSION_SHIFT

    def job_id(self, slot_bits: int = 3) -> int:
        """Byte of the job frame, where the chip uses so many bits for small cores: 3 on BM1366, 4 on BM1370, 2 on BM1397."""
        return (self.result >> slot_bits << slot_bits) >> max(0, slot_bits - 3)

    def small_core(self, slot_bits: int = 3) -> int:
        """Small core that found the nonce."""
        return self.result & ((1 << slot_bits) - 1)

    def body(self) -> bytes:
        """Bytes between preamble and checksum."""
        tail = b"" if self.version is None else self.version.to_bytes(2, "big")
        return self.nonce.to_bytes(4, "little") + bytes([self.excess, self.result]) + tail


@dataclass(frozen=True)
class RegisterResponse:
    """A chip's answer to a read.

    Parameters:
        value: 32 bits.
        chip: address of the chip that answers.
        register: number of the register.
        unknown: two bytes of unknown meaning, as a number; None in the 9-byte form.

    Raises:
        WireError: a value out of its range.

    Example:
        >>> encode(RegisterResponse(0x13660000)).hex(), encode(RegisterResponse(0x13971800, unknown=None)).hex()
        ('aa55136600000000000005', 'aa5513971800000006')
    """

    value: int
    chip: int = 0
    register: int = 0
    unknown: int | None = 0

    def __post_init__(self) -> None:
        unknown = None if self.unknown is None else _number(self.unknown, 16, "RegisterResponse(unknown)")
        _store(
            self, unknown=unknown, value=_number(self.value, 32, "RegisterResponse(value)"),
            chip=_number(self.chip, 8, "RegisterResponse(chip)"),
            register=_number(self.register, 8, "RegisterResponse(register)"),
        )  # fmt: skip

    @property
    def form(self) -> int:
        """Bytes of the frame: 9 or 11."""
        return SHORT_FORM if self.unknown is None else LONG_FORM

    def body(self) -> bytes:
        """Bytes between preamble and checksum."""
        tail = b"" if self.unknown is None else self.unknown.to_bytes(2, "big")
        return self.value.to_bytes(4, "big") + bytes([self.chip, self.register]) + tail


Frame = Command | JobFrame | MidstateJobFrame | NonceResponse | RegisterResponse


def encode(frame: Frame) -> bytes:
    """Bytes of a frame, with preamble and checksum.

    Raises:
        WireError: no frame.

    Example:
        >>> encode(Command.inactive()).hex(), encode(Command.address(4)).hex()
        ('55aa5305000003', '55aa4005040003')
    """
    if isinstance(frame, Command):
        body = frame.body()
        return TO_CHIP + body + bytes([crc5(body)])
    if isinstance(frame, JobFrame | MidstateJobFrame):
        body = frame.body()
        return TO_CHIP + body + crc16(body).to_bytes(2, "big")
    if isinstance(frame, NonceResponse | RegisterResponse):
        kind = RESPONSE_NONCE if isinstance(frame, NonceResponse) else RESPONSE_REGISTER
        body = frame.body()
        return TO_HOST + body + bytes([kind << 5 | crc5(body, kind, 3)])
    raise WireError(f"encode({frame!r}): this is no frame; give a Command, a JobFrame or a response")
