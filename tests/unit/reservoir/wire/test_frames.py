"""Frames and their bytes: captures, the round trip, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from hwmodel.errors import WireError
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.wire import (
    Command,
    CommandKind,
    Frame,
    JobFrame,
    MidstateJobFrame,
    NonceResponse,
    RegisterResponse,
    decode,
    encode,
)
from tests.unit.reservoir.wire.strategies import FRAMES

CAPTURED = {
    "55aa520500000a": Command.read(0),
    "55aa51090018ff0fc10000": Command.write(0x18, 0xFF0FC100),
    "55aa400500001c": Command.address(0),
    "55aa4005080007": Command.address(8),
    "55aa5305000003": Command.inactive(),
    "55aa5109003c8000802019": Command.write(0x3C, 0x80008020),
    "55aa4109002c007c000303": Command.write(0x2C, 0x007C0003, chip=0),
    "55aa510900a49000ffff1c": Command.write(0xA4, 0x9000FFFF),
    "55aa5109001000001eb50f": Command.write(0x10, 0x1EB5),
    "aa55136600000000000005": RegisterResponse(0x13660000),
    "aa5513971800000006": RegisterResponse(0x13971800, unknown=None),
    "aa550000c100001802": RegisterResponse(0xC100, register=0x18, unknown=None),
    "aa556db88ee10104035494": NonceResponse(0xE18EB86D, 1, 0x04, 0x0354),
    "aa551800a640029922f991": NonceResponse(0x40A60018, 2, 0x99, 0x22F9),
}


@pytest.mark.parametrize("text", CAPTURED)
def test_a_captured_frame_is_read_and_written(text: str) -> None:
    assert decode(bytes.fromhex(text)) == [CAPTURED[text]]
    assert encode(CAPTURED[text]).hex() == text


@given(FRAMES)
def test_every_frame_comes_back(frame: Frame) -> None:
    assert decode(encode(frame)) == [frame]


def test_a_response_of_a_bm1362_divides_as_its_capture_was_read() -> None:
    (response,) = decode(bytes.fromhex("aa556db88ee10104035494"))
    assert isinstance(response, NonceResponse)
    assert (response.core, response.address & 0xFE, response.small_core()) == (54, 0xDC, 4)
    assert (response.job_id(), response.version_bits) == (0, 0x006A8000)


def test_a_response_of_a_bm1370_names_job_and_small_core_by_halves() -> None:
    response = NonceResponse(0x40A60018, 2, 0x99, 0x22F9)
    assert (response.job_id(slot_bits=4), response.small_core(slot_bits=4)) == (9 << 3, 9)
    assert (response.core, response.version_bits) == (0x0C, 0x045F2000)


def test_a_job_carries_its_hashes_with_words_reversed() -> None:
    frame = JobFrame(8, 1, bytes(range(32)), bytes(range(100, 132)), 2, 3)
    data = encode(frame)
    assert data[18:22] == bytes(range(128, 132))
    assert data[50:54] == bytes(range(28, 32))


def test_a_job_becomes_a_frame_and_a_frame_a_job() -> None:
    job = Job(8, 0x20000000, bytes(range(32)), bytes(range(32, 64)), 5, 0x17034219)
    (frame,) = decode(encode(JobFrame.of(job)))
    assert isinstance(frame, JobFrame)
    assert frame.job() == job
    response = NonceResponse(7, version=3)
    assert frame.header(response) == job.header(7, 3 << 13)


def test_factory_firmware_declares_another_length_for_the_same_bytes() -> None:
    frames = [JobFrame(8, 1, bytes(32), bytes(32), 2, 3, length=length) for length in (0x56, 0x36)]
    one, other = (encode(frame) for frame in frames)
    assert len(one) == len(other) == 88
    assert one[4:86] == other[4:86]
    assert decode(one + other) == frames


def test_two_midstates_are_no_full_job_although_they_are_as_long() -> None:
    frame = MidstateJobFrame(4, 1, 2, bytes(4), (bytes(32), bytes(range(32))))
    assert len(encode(frame)) == 88
    assert decode(encode(frame)) == [frame]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Command(CommandKind.WRITE), "value=None"),
        (lambda: Command(CommandKind.READ, value=1), "value=1"),
        (lambda: Command(7), "kind=7"),  # type: ignore[arg-type]
        (lambda: Command.write(0x100, 0), "register"),
        (lambda: Command.write(0, 1 << 32), "value"),
        (lambda: Command.address(True), "chip"),
        (lambda: JobFrame(8, 0, bytes(31), bytes(32), 0, 0), "previous"),
        (lambda: JobFrame(256, 0, bytes(32), bytes(32), 0, 0), "job_id"),
        (lambda: JobFrame(8, 0, bytes(32), bytes(32), 0, 0, length=0x40), "length"),
        (lambda: JobFrame(8, 0, bytes(32), bytes(32), 0, 0, midstates=2), "MidstateJobFrame"),
        (lambda: MidstateJobFrame(8, 0, 0, bytes(4), ()), "0 midstates"),
        (lambda: NonceResponse(-1), "nonce"),
        (lambda: NonceResponse(0, version=1 << 16), "version"),
        (lambda: RegisterResponse(0, unknown=-1), "unknown"),
        (lambda: encode("55aa"), "no frame"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_the_wire_is_refused_by_name(make: Any, named: str) -> None:
    with pytest.raises(WireError, match=named):
        make()
