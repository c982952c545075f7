"""Block headers: bytes, hashes against hashlib, compiled hashing, scans."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import FormatError, QueueOverflowError, SpecError
from hwmodel.reservoir.header import (
    BlockHeader,
    difficulties,
    hash_headers,
    midstate,
    pack_headers,
    scan,
    scan_order,
    swap_words,
)
from hwmodel.reservoir.sha256 import _kernels as k

GENESIS = BlockHeader.unpack(
    "01000000"
    + 32 * "00"
    + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
WORD = st.integers(0, 2**32 - 1)
HEADERS = st.builds(
    BlockHeader,
    WORD,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    WORD,
    WORD,
    WORD,
)


def double_hash(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


@given(HEADERS)
def test_unpacking_what_was_packed_gives_the_same_header(header: BlockHeader) -> None:
    assert BlockHeader.unpack(header.pack()) == header == BlockHeader.unpack(header.pack().hex())


def test_the_genesis_block_has_its_hash_and_difficulty() -> None:
    assert GENESIS.hash()[::-1].hex() == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert GENESIS.difficulty == 0xFFFF * 2**208 / GENESIS.hash_int()


@settings(max_examples=40)
@given(st.binary(min_size=80, max_size=80 * 70), st.booleans())
def test_compiled_hashes_equal_hashlib_on_any_bytes(data: bytes, alike: bool) -> None:
    rows = np.frombuffer(data[: len(data) // 80 * 80], np.uint8).reshape(-1, 80).copy()
    if alike:
        rows[:, :64] = rows[0, :64]
    assert hash_headers(rows).tobytes() == b"".join(double_hash(row.tobytes()) for row in rows)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
def test_groups_that_share_a_midstate_hash_like_single_headers(pairs: list[tuple[int, int]]) -> None:
    rows = pack_headers(BlockHeader(version, bytes(32), bytes(32), 0, 0, nonce) for version, nonce in pairs)
    assert hash_headers(rows).tobytes() == b"".join(double_hash(row.tobytes()) for row in rows)


def test_a_read_only_or_strided_array_is_hashed_as_well() -> None:
    rows = np.arange(4 * 80, dtype=np.uint8).reshape(4, 80)
    wanted = hash_headers(rows[::2].copy())
    rows.flags.writeable = False
    np.testing.assert_array_equal(hash_headers(rows[::2]), wanted)
    assert hash_headers(np.zeros((0, 80), np.uint8)).shape == (0, 32)


def test_constants_are_those_of_the_standard() -> None:
    assert [int(x) for x in k.INITIAL[:2]] == [0x6A09E667, 0xBB67AE85]
    assert [int(x) for x in (k.K[0], k.K[63])] == [0x428A2F98, 0xC67178F2]


def test_the_midstate_goes_on_to_the_digest() -> None:
    state, w = midstate(GENESIS.pack()), np.empty(64, np.uint32)
    w[:4] = np.frombuffer(GENESIS.pack()[64:], ">u4")
    k.second_block(w)
    k.compress(state, w)
    assert state.astype(">u4").tobytes() == hashlib.sha256(GENESIS.pack()).digest()


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=5))
def test_difficulties_follow_from_the_hash_as_a_little_endian_number(hashes: list[bytes]) -> None:
    rows = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)
    wanted = [0xFFFF * 2**208 / max(1, int.from_bytes(h, "little")) for h in hashes]
    np.testing.assert_allclose(difficulties(rows), wanted, rtol=1e-14)


@given(st.binary(min_size=32, max_size=32))
def test_swapping_words_twice_gives_the_bytes_back(data: bytes) -> None:
    assert swap_words(swap_words(data)) == data
    assert sorted(swap_words(data)) == sorted(data)


@given(WORD)
def test_scan_order_reads_the_nonce_from_the_other_end(nonce: int) -> None:
    assert scan_order(nonce).to_bytes(4, "big") == nonce.to_bytes(4, "little")
    assert int(scan_order(np.array([nonce], np.uint32))[0]) == scan_order(nonce)


@settings(max_examples=10)
@given(WORD, st.integers(0, 2**32 - 2000), st.integers(1, 3))
def test_a_scan_finds_what_hashing_each_header_finds(version: int, start: int, step: int) -> None:
    header = BlockHeader(0, bytes(32), bytes(range(32)), 1, 2, 3)
    found = scan(header, range(start, start + 600 * step, step), [version, version ^ 1], zero_bits=7)
    wanted = [
        (nonce, v)
        for v in (version, version ^ 1)
        for nonce in range(start, start + 600 * step, step)
        if header.with_version(v).with_nonce(nonce).hash_int() < 2**249
    ]
    assert [(int(h["nonce"]), int(h["version"])) for h in found] == wanted


def test_a_scan_around_the_known_nonce_finds_the_genesis_block() -> None:
    found = scan(GENESIS, range(GENESIS.nonce - 500, GENESIS.nonce + 500))
    assert found["nonce"].tolist() == [GENESIS.nonce]
    assert found["difficulty"][0] == pytest.approx(GENESIS.difficulty, rel=1e-14)


def test_more_hits_than_expected_are_all_given() -> None:
    assert len(scan(GENESIS, range(3000), zero_bits=0)) == 3000


def test_a_scan_beyond_its_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwmodel.reservoir.header.MAX_HITS", 10)
    with pytest.raises(QueueOverflowError, match="more zero bits"):
        scan(GENESIS, range(100), zero_bits=0)


@pytest.mark.parametrize("field", ["version", "time", "bits", "nonce"])
@pytest.mark.parametrize("value", [-1, 2**32, 1.5, True])
def test_a_number_outside_of_32_bits_is_refused(field: str, value: object) -> None:
    fields = {"version": 0, "time": 0, "bits": 0, "nonce": 0, field: value}
    with pytest.raises(SpecError, match=field):
        BlockHeader(previous=bytes(32), merkle=bytes(32), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [bytes(79), bytes(81), "00", "zz" * 80])
def test_a_header_of_another_length_is_refused(data: bytes | str) -> None:
    with pytest.raises(FormatError):
        BlockHeader.unpack(data)


def test_arrays_of_another_shape_or_type_are_refused() -> None:
    for wrong in (np.zeros((2, 79), np.uint8), np.zeros((2, 80), np.int64), np.zeros(80, np.uint8)):
        with pytest.raises(FormatError, match=r"\(n, 80\)"):
            hash_headers(wrong)


def test_without_compilation_hashes_and_draws_are_the_same() -> None:
    code = (
        "import numpy as np\n"
        "from hwmodel.reservoir.header import hash_headers, scan, BlockHeader\n"
        "from hwmodel.reservoir.chip import SampledHash, Place\n"
        "from hwmodel.reservoir.chips import BM1366\n"
        "from hwmodel.reservoir.job import Job\n"
        "rows = np.arange(8 * 80, dtype=np.uint32).astype(np.uint8).reshape(8, 80) * np.uint8(7)\n"
        "rows[3:, :64] = rows[3, :64]\n"
        "print(hash_headers(rows).tobytes().hex())\n"
        "print(scan(BlockHeader(1, bytes(32), bytes(32), 0, 0, 0), range(40), zero_bits=3).tolist())\n"
        "print(SampledHash(3).hits(Job(0, 1, bytes(32), bytes(32), 0, 0), Place(BM1366), 5, 12).tolist())\n"
    )
    texts = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "HWMODEL_JIT": jit},
        ).stdout
        for jit in ("1", "0")
    ]
    assert texts[0] == texts[1] != ""
