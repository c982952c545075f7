"""Both checksums against the definition, bit by bit, and against frames from captures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.reservoir.wire import crc5, crc16


def by_definition(data: bytes, width: int, polynomial: int, start: int) -> int:
    """Long division over single bits, as a checksum is defined."""
    value = start
    for byte in data:
        for place in range(7, -1, -1):
            top = (value >> (width - 1)) ^ (byte >> place & 1)
            value = (value << 1) & ((1 << width) - 1)
            value ^= polynomial if top else 0
    return value


@given(st.binary(max_size=100))
def test_crc5_is_its_definition(data: bytes) -> None:
    assert crc5(data) == by_definition(data, 5, 0x05, 0x1F)


@given(st.binary(max_size=100))
def test_crc16_is_its_definition(data: bytes) -> None:
    assert crc16(data) == by_definition(data, 16, 0x1021, 0xFFFF)


def test_crc16_has_the_check_value_of_its_catalogue_entry() -> None:
    assert crc16(b"123456789") == 0x29B1


@given(st.binary(max_size=20), st.integers(0, 7))
def test_a_checksum_over_single_bits_closes_the_frame(data: bytes, kind: int) -> None:
    assert crc5(data + bytes([kind << 5 | crc5(data, kind, 3)])) == 0


@pytest.mark.parametrize(
    "frame",
    [
        "55aa520500000a",
        "55aa510900281130020003",
        "55aa4005020001",
        "55aa5305000003",
        "55aa510900a49000ffff1c",
    ],
)
def test_crc5_of_commands_from_firmware(frame: str) -> None:
    data = bytes.fromhex(frame)
    assert crc5(data[2:-1]) == data[-1]


@pytest.mark.parametrize("frame", ["aa55136600000000000005", "aa556db88ee10104035494", "aa5513700000000006"])
def test_crc5_of_whole_responses_is_zero(frame: str) -> None:
    assert crc5(bytes.fromhex(frame)[2:]) == 0


@given(st.binary(min_size=9, max_size=9), st.integers(0, 71))
def test_crc5_sees_every_single_bit(data: bytes, place: int) -> None:
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    assert crc5(bytes(changed)) != crc5(data)
