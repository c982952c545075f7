"""The two checksums of the BM13xx wire.

Polynomials and start values: hwmodel's reference of the protocol after ESP-Miner 5c27713 and mujina 1a69ef40.
"""

from __future__ import annotations

__all__ = ["crc5", "crc16"]

CRC5_POLYNOMIAL, CRC5_START = 0x05, 0x1F
CRC16_POLYNOMIAL, CRC16_START = 0x1021, 0xFFFF


def _table(width: int, polynomial: int) -> tuple[int, ...]:
    """Remainders of all bytes, most significant bit first, for a checksum of up to 16 bits."""
    # The register is kept at the top of 16 bits, so that one loop serves both widths.
    shift, found = 16 - width, []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = (value << 1) ^ (polynomial << shift if value & 0x8000 else 0)
        found.append(value & 0xFFFF)
    return tuple(found)


_TABLE5, _TABLE16 = _table(5, CRC5_POLYNOMIAL), _table(16, CRC16_POLYNOMIAL)


def crc5(data: bytes, tail: int = 0, bits: int = 0) -> int:
    """Checksum of commands and responses: x^5 + x^2 + 1, start 0x1F, most significant bit first.

    Parameters:
        data: whole bytes.
        tail, bits: so many bits that follow them, such as the three type bits of a response.

    A response is whole where the checksum of everything behind its preamble is 0.

    Example:
        >>> hex(crc5(bytes.fromhex("52050000")))
        '0xa'
        >>> crc5(bytes.fromhex("136600000000000005"))
        0
    """
    value = CRC5_START << 11
    for byte in data:
        value = ((value << 8) & 0xFFFF) ^ _TABLE5[(value >> 8) ^ byte]
    value >>= 11
    for place in range(bits - 1, -1, -1):
        top = (value >> 4) ^ (tail >> place & 1)
        value = (value << 1 & 0x1F) ^ (CRC5_POLYNOMIAL if top else 0)
    return value


def crc16(data: bytes) -> int:
    """Checksum of jobs: CRC-16/CCITT-FALSE, 0x1021, start 0xFFFF, most significant bit first.

    Example:
        >>> hex(crc16(b"123456789"))  # the check value of its catalogue entry
        '0x29b1'
    """
    value = CRC16_START
    for byte in data:
        value = ((value << 8) & 0xFFFF) ^ _TABLE16[(value >> 8) ^ byte]
    return value
