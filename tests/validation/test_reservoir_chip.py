"""The chip model against real headers and the timed results of a real BM1366."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwmodel.reservoir.chip import ChipModel, HitOracle, NonceClock, Place
from hwmodel.reservoir.chip.oracle import FOUND
from hwmodel.reservoir.header import BlockHeader, difficulties, hash_headers, pack_headers, scan, scan_order
from hwmodel.reservoir.job import Job
from hwmodel.units import Time, s


@pytest.fixture(scope="module")
def data(reference_data: Path) -> Path:
    """Folder of the reservoir data."""
    folder = reference_data / "reservoir"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; name the folder of the reference data in HWMODEL_REFERENCE")
    return folder


def read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_all_real_headers_hash_to_their_blocks(data: Path) -> None:
    records = read(data / "block_headers.json")
    headers = [BlockHeader.unpack(record["header"]) for record in records]
    hashes = hash_headers(pack_headers(headers))
    assert [row.tobytes()[::-1].hex() for row in hashes] == [record["hash"] for record in records]
    assert [header.hash()[::-1].hex() for header in headers] == [record["hash"] for record in records]
    assert [header.nonce for header in headers] == [record["nonce"] for record in records]
    np.testing.assert_allclose(difficulties(hashes), [record["diff"] for record in records], rtol=1e-12)


def test_a_scan_around_a_real_nonce_finds_the_block(data: Path) -> None:
    for record in read(data / "block_headers.json"):
        nonce = record["nonce"]
        header = BlockHeader.unpack(record["header"]).with_nonce(0)
        found = scan(header, range(max(0, nonce - 2000), min(1 << 32, nonce + 2000)))
        assert found["nonce"].tolist() == [nonce]


class Known:
    """An oracle of hits that are known beforehand."""

    zero_bits, chunk = 32, 1 << 14

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self._found = np.zeros(len(records), FOUND)
        for row, record in zip(self._found, records, strict=True):
            nonce, version = int(record["nonce"], 16), int(record["version"], 16)
            word = scan_order(nonce)
            row["batch"] = ((version & 0x1FFFE000) >> 13) // 8
            row["slot"] = ((version & 0x1FFFE000) >> 13) % 8
            row["position"], row["core"] = word & (2**25 - 1), word >> 25
            row["nonce"], row["version"], row["difficulty"] = nonce, version, record["diff"]

    def hits(self, job: Job, place: Place, batch_from: int, batch_to: int, mask_bits: int = 0) -> Any:
        batch = self._found["batch"]
        return self._found[(batch >= batch_from) & (batch < batch_to)]

    def check(self, header: BlockHeader) -> float:
        return 0.0


def test_a_calibrated_chip_gives_real_results_when_the_real_one_did(data: Path) -> None:
    """Two numbers, the batch period and the time of the job, place eight results within 5 ms (rms) over a minute.

    The log that the times are from has ticks of 10 ms, whose rounding alone makes 2.9 ms.
    """
    records = read(data / "bm1366_timed_nonces.json")
    oracle: HitOracle = Known(records)
    logged = np.array([record["t_ms"] for record in records])
    # 78.655 ms a batch, rms 4.15 ms: the fit of these results.
    model = ChipModel(oracle=oracle, batch_period="78.65529486 ms")
    model.set_job(Time(1_696_983 * 10**9), Job(0, 0x20000000, bytes(32), bytes(32), 0, 0))
    hits = model.run(s(400))
    assert [f"0x{nonce:08x}" for nonce in hits["nonce"]] == [record["nonce"] for record in records]
    residual = hits["t"] * 1e-12 - logged
    assert float((residual**2).mean() ** 0.5) < 5
    assert float(np.abs(residual).max()) < 10


def test_cores_of_real_results_are_those_that_the_chip_has(data: Path) -> None:
    words = [scan_order(int(record["nonce"], 16)) for record in read(data / "bm1366_timed_nonces.json")]
    assert all(word >> 25 < 112 for word in words)


def test_the_clock_is_that_of_the_plain_formula() -> None:
    rate = Fraction(2**25) / Fraction("0.07865")
    clock = NonceClock(rate)
    for batch, counter in ((0, 0), (4121, 0x527230EE & (2**25 - 1)), (8191, 2**25 - 1)):
        exact = Fraction("78.65") * 10**12 * (batch + Fraction(counter, 2**25))
        assert clock.time(batch * 2**25 + counter) == int(exact)
