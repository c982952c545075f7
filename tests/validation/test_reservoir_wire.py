"""The codec against captured frames of real chips, and a real job and response rebuilt into the header they stand for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwmodel.reservoir.wire import Decoder, JobFrame, NonceResponse, decode, encode


@pytest.fixture(scope="module")
def vectors(reference_data: Path) -> dict[str, Any]:
    file = reference_data / "reservoir" / "bm13xx_codec_vectors.json"
    if not file.is_file():
        pytest.skip(f"no {file.name} in the reference data")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def frames_of(vectors: dict[str, Any]) -> list[str]:
    return [*vectors["commands_crc5_ok"], *vectors["responses_ok"], vectors["job_tx"], vectors["nonce_rx"]]


def test_all_vectors_are_byte_equal(vectors: dict[str, Any]) -> None:
    for text in frames_of(vectors):
        data = bytes.fromhex(text)
        frames = decode(data)
        assert len(frames) == 1, text
        assert encode(frames[0]) == data


def test_all_vectors_in_one_buffer(vectors: dict[str, Any]) -> None:
    data = bytes.fromhex("".join(frames_of(vectors)))
    decoder = Decoder()
    frames = [*decoder.feed(data), *decoder.finish()]
    assert b"".join(map(encode, frames)) == data
    assert decoder.dropped == 0


def test_no_vector_is_read_with_a_bit_changed(vectors: dict[str, Any]) -> None:
    for text in frames_of(vectors):
        data = bytes.fromhex(text)
        for place in range(8 * len(data)):
            changed = bytearray(data)
            changed[place // 8] ^= 1 << place % 8
            # The length byte of a job may change into the other length that stands for the same bytes.
            assert b"".join(map(encode, decode(bytes(changed)))) != data


def test_job_and_response_of_a_bm1370_give_the_header(vectors: dict[str, Any]) -> None:
    job, response = (decode(bytes.fromhex(vectors[name]))[0] for name in ("job_tx", "nonce_rx"))
    assert isinstance(job, JobFrame)
    assert isinstance(response, NonceResponse)
    assert response.job_id(slot_bits=4) == job.job_id
    header, expected = job.header(response), vectors["expect"]
    assert header.version == int(expected["version"], 16) == 0x20B44000
    assert header.hash()[::-1].hex() == expected["hash"]
    assert round(header.difficulty, 2) == expected["diff"] == 29588.01
