"""Block headers and their hashes: one at a time with hashlib, many with compiled code, ranges by a scan.

Byte order is that of the 80 bytes on the network ("internal"), in which a hash is a little-endian number. Printed block
hashes have their bytes reversed. The counter of a mining chip reads the four bytes of the nonce from the other end, see
`scan_order`. Importing this module loads no numba.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError, QueueOverflowError, SpecError

__all__ = [
    "HEADER_BYTES",
    "BlockHeader",
    "difficulties",
    "hash_headers",
    "midstate",
    "pack_headers",
    "scan",
    "scan_order",
    "swap_words",
]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

HEADER_BYTES = 80
_LAYOUT = struct.Struct("<I32s32sIII")
_DIFFICULTY_1 = 0xFFFF << 208
"""Largest hash of difficulty 1: the value of the compact target 0x1D00FFFF."""

MAX_HITS = 1 << 20
SCANNED = np.dtype([("nonce", "<u4"), ("version", "<u4"), ("difficulty", "<f8")])


def _word(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= int(value) < 1 << 32:
        raise SpecError(f"{what}={value!r}: give a whole number of 32 bits, 0 to 4294967295")
    return int(value)


def _digest(value: object, what: str) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview) or len(bytes(value)) != 32:
        raise SpecError(f"{what}={value!r}: give 32 bytes in the order of the header")
    return bytes(value)


@dataclass(frozen=True)
class BlockHeader:
    """The 80 bytes that miners hash.

    Parameters:
        version, time, bits, nonce: numbers of 32 bits.
        previous, merkle: 32 bytes each, in the order of the header.

    Raises:
        SpecError: a number outside of 32 bits, or a hash that is not 32 bytes.

    Example:
        >>> genesis = BlockHeader.unpack(
        ...     "01000000" + 32 * "00"
        ...     + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c")
        >>> genesis.hash()[::-1].hex()[:20], genesis.nonce
        ('000000000019d6689c08', 2083236893)
        >>> round(genesis.difficulty, 2)
        2536.43
    """

    version: int
    previous: bytes
    merkle: bytes
    time: int
    bits: int
    nonce: int

    def __post_init__(self) -> None:
        for name in ("version", "time", "bits", "nonce"):
            object.__setattr__(self, name, _word(getattr(self, name), f"BlockHeader({name})"))
        for name in ("previous", "merkle"):
            object.__setattr__(self, name, _digest(getattr(self, name), f"BlockHeader({name})"))

    @classmethod
    def unpack(cls, data: bytes | str) -> BlockHeader:
        """Read 80 bytes, or their 160 hexadecimal digits.

        Raises:
            FormatError: another length, or no hexadecimal digits.
        """
        try:
            raw = bytes.fromhex(data) if isinstance(data, str) else bytes(data)
        except ValueError as error:
            raise FormatError(f"header {data!r}: {error}; give 160 hexadecimal digits") from None
        if len(raw) != HEADER_BYTES:
            raise FormatError(f"header of {len(raw)} bytes: a block header has 80; cut what follows it")
        return cls(*_LAYOUT.unpack(raw))

    def pack(self) -> bytes:
        """The 80 bytes."""
        return _LAYOUT.pack(self.version, self.previous, self.merkle, self.time, self.bits, self.nonce)

    def hash(self) -> bytes:
        """SHA-256 of SHA-256, 32 bytes in internal order."""
        return hashlib.sha256(hashlib.sha256(self.pack()).digest()).digest()

    def hash_int(self) -> int:
        """The hash as a number, which is what a target is compared with."""
        return int.from_bytes(self.hash(), "little")

    @property
    def difficulty(self) -> float:
        """How many times harder than difficulty 1 the hash is: 0xFFFF * 2**208 / hash."""
        return _DIFFICULTY_1 / max(1, self.hash_int())

    def with_nonce(self, nonce: int) -> BlockHeader:
        """The header with another nonce."""
        return replace(self, nonce=nonce)

    def with_version(self, version: int) -> BlockHeader:
        """The header with another version."""
        return replace(self, version=version)


def swap_words(data: bytes) -> bytes:
    """Reverse the bytes of each of the eight 4-byte words of a hash: the "prev-hash word swap" of Stratum.

    Raises:
        SpecError: no 32 bytes.

    Example:
        >>> swap_words(bytes(range(32)))[:8].hex()
        '0302010007060504'
    """
    raw = _digest(data, "swap_words(data)")
    return b"".join(raw[n : n + 4][::-1] for n in range(0, 32, 4))


def scan_order(nonce: Any) -> Any:
    """Turn a header's nonce into the number that a chip's counter held, or back; numbers or arrays.

    The chip reads the four bytes most significant first: the core is in the top 7 bits, the counter in the low 25.
    The swap is its own inverse.

    Example:
        >>> hex(scan_order(0xEE307252))
        '0x527230ee'
        >>> scan_order(0xEE307252) >> 25
        41
    """
    if isinstance(nonce, int):
        return int.from_bytes(_word(nonce, "scan_order(nonce)").to_bytes(4, "big"), "little")
    return np.asarray(nonce, np.uint32).byteswap()


def pack_headers(headers: Iterable[BlockHeader]) -> Bytes:
    """Bytes of many headers, shape (n, 80), for `hash_headers`.

    Example:
        >>> pack_headers([BlockHeader(1, bytes(32), bytes(32), 0, 0, 0)]).shape
        (1, 80)
    """
    joined = b"".join(header.pack() for header in headers)
    return np.frombuffer(joined, np.uint8).reshape(-1, HEADER_BYTES).copy()


def hash_headers(headers: npt.ArrayLike) -> Bytes:
    """Double SHA-256 of many headers, uint8 of shape (n, 80), as (n, 32) in internal order.

    Consecutive headers with the same first 64 bytes share the work on them. What is not contiguous is copied.

    Raises:
        FormatError: another shape or another kind of number.

    Example:
        >>> rows = pack_headers([BlockHeader(1, bytes(32), bytes(32), 0, 0, n) for n in range(3)])
        >>> hash_headers(rows)[2].tobytes() == BlockHeader(1, bytes(32), bytes(32), 0, 0, 2).hash()
        True
    """
    from hwmodel.reservoir.sha256 import _kernels as k

    rows = np.asarray(headers)
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != HEADER_BYTES:
        raise FormatError(
            f"headers of type {rows.dtype} and shape {rows.shape}: give uint8 of shape (n, 80), see pack_headers"
        )
    rows = np.ascontiguousarray(rows)
    if not rows.flags.writeable:
        rows = rows.copy()  # compiled code knows one kind of array only
    out = np.empty((len(rows), 32), np.uint8)
    k.hash_many(rows, out)
    return out


def difficulties(hashes: npt.ArrayLike) -> Floats:
    """Difficulty of many hashes, uint8 of shape (n, 32) in internal order, as float64 of shape (n,).

    It holds to 1e-15: the hash is taken as a double.

    Raises:
        FormatError: another shape.

    Example:
        >>> float(difficulties(np.zeros((1, 32), np.uint8) + np.uint8(255))[0]) < 1e-9
        True
    """
    rows = np.asarray(hashes)
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != 32:
        raise FormatError(f"hashes of type {rows.dtype} and shape {rows.shape}: give uint8 of shape (n, 32)")
    words = np.ascontiguousarray(rows).view("<u8").astype(np.float64)
    value = words @ np.array([2.0 ** (64 * n) for n in range(4)])
    return np.asarray(float(_DIFFICULTY_1) / np.maximum(value, 1.0), np.float64)


def midstate(first: bytes) -> npt.NDArray[np.uint32]:
    """State of SHA-256 after the first 64 bytes of a header: 8 words.

    Raises:
        FormatError: fewer than 64 bytes.

    Example:
        >>> [hex(word) for word in midstate(bytes(64))[:2]]
        ['0xda5698be', '0x17b9b469']
    """
    from hwmodel.reservoir.sha256 import _kernels as k

    if len(first) < 64:
        raise FormatError(f"midstate of {len(first)} bytes: give at least the first 64 of a header")
    state = np.empty(8, np.uint32)
    k.first_block(np.frombuffer(bytes(first[:64]), np.uint8).copy(), state, np.empty(64, np.uint32))
    return state


def scan(
    header: BlockHeader, nonces: range, versions: npt.ArrayLike | None = None, zero_bits: int = 32
) -> npt.NDArray[Any]:
    """Hash a header over a range of nonces and a list of versions; return what has enough zero bits.

    Parameters:
        header: its own nonce is not used, its version only where no versions are given.
        nonces: numbers as the header holds them.
        versions: versions of 32 bits.
        zero_bits: how many top bits of the hash must be zero, 0 to 256.

    Returns:
        Structured array with fields nonce, version and difficulty, in the order of versions and then of nonces.

    Raises:
        SpecError: nonces, versions or zero_bits out of range.
        QueueOverflowError: more than 2**20 hits of one version.

    Example:
        >>> header = BlockHeader(1, bytes(32), bytes(32), 0, 0, 0)
        >>> hits = scan(header, range(4096), [1, 2], zero_bits=10)
        >>> all(header.with_nonce(int(n)).with_version(int(v)).hash_int() < 2**246 for n, v, _ in hits)
        True
    """
    if not isinstance(nonces, range) or (len(nonces) and not (min(nonces) >= 0 and max(nonces) < 1 << 32)):
        raise SpecError(f"scan(nonces={nonces!r}): give a range within 32 bits")
    chosen = (
        [header.version]
        if versions is None
        else [_word(v, "scan(versions)") for v in np.asarray(versions).tolist()]
    )
    parts = []
    for version in chosen:
        places, digests = scan_words(
            header.with_version(version),
            [nonces.start],
            nonces.step,
            len(nonces),
            zero_bits,
            big_endian=False,
        )
        part = np.zeros(len(places), SCANNED)
        part["nonce"] = nonces.start + places * nonces.step
        part["version"] = version
        part["difficulty"] = difficulties(digests)
        parts.append(part)
    return np.concatenate([*parts, np.zeros(0, SCANNED)])


def scan_words(
    header: BlockHeader,
    starts: Sequence[int],
    step: int,
    count: int,
    zero_bits: int,
    *,
    big_endian: bool = True,
) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Scan `count` counters start, start + step, ... from each start; places of the hits, and hashes of shape (n, 32).

    A place is the number of the start times `count` plus that of the counter. With `big_endian` the counter is the nonce
    in `scan_order`, as a chip counts.

    Raises:
        SpecError: zero_bits out of range.
        QueueOverflowError: more than 2**20 hits.

    Example:
        >>> places, hashes = scan_words(BlockHeader(1, bytes(32), bytes(32), 0, 0, 0), [0], 1, 64, 4)
        >>> bool((hashes[:, 31] < 16).all())
        True
    """
    from hwmodel.reservoir.sha256 import _kernels as k

    if isinstance(zero_bits, bool) or not 0 <= zero_bits <= 256:
        raise SpecError(f"scan(zero_bits={zero_bits!r}): give 0 to 256")
    raw, total = header.pack(), len(starts) * count
    tail = np.frombuffer(raw[64:76], ">u4").astype(np.uint32)
    begins = np.array(starts, np.int64)
    room = int(min(MAX_HITS, total, 64 + 4 * total * 2.0**-zero_bits))
    while True:
        places, digests = np.empty(room, np.int64), np.empty((room, 8), np.uint32)
        found = k.scan_range(
            midstate(raw), tail, begins, int(step), int(count), big_endian, zero_bits, places, digests
        )
        if found <= room:
            break
        if found > MAX_HITS:
            raise QueueOverflowError(
                f"scan: {found} hits among {total} headers, its bound is {MAX_HITS}; ask for more zero bits or fewer nonces"
            )
        room = int(found)
    big = digests[:found].astype(">u4")
    return places[:found], big.view(np.uint8).reshape(-1, 32)
