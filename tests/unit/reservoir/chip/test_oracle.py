"""Hits: exact ones against hashlib, drawn ones against theory; levels are stated at each test, seeds are fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir.chip import FOUND, Place, RealHash, SampledHash
from hwmodel.reservoir.chips import BM1366, BM1387, small_chip
from hwmodel.reservoir.header import scan_order
from hwmodel.reservoir.job import Job

JOB = Job(8, 0x20000000, bytes(32), bytes(range(32)), 1_700_000_000, 0x17034219)
SMALL = small_chip(cores=3, counter_bits=6, slots=2)
SHARE = 65535 / 65536


def hit_list(job: Job, place: Place, batches: range, bits: int) -> list[tuple[int, int, int, int, int]]:
    """Every header hashed by hashlib: batch, position, core, slot, nonce of the hits."""
    spec, found = place.spec, []
    for batch in batches:
        for position in range(place.sweep):
            for core in range(spec.cores):
                for slot in range(spec.slots):
                    if core * spec.slots + slot >= spec.small_cores:
                        continue
                    word = core << spec.counter_bits | place.base + position
                    version = job.rolled((batch * spec.slots + slot) % place.versions(job))
                    nonce = int.from_bytes(word.to_bytes(4, "big"), "little")
                    if job.header(nonce).with_version(version).hash_int() < 2 ** (256 - bits):
                        found.append((batch, position, core, slot, nonce))
    return found


def rows(found: np.ndarray) -> list[tuple[int, ...]]:
    return found[["batch", "position", "core", "slot", "nonce"]].tolist()


@pytest.mark.parametrize("chips", [(0, 1), (1, 2), (2, 3)])
def test_exact_hits_are_those_of_hashlib(chips: tuple[int, int]) -> None:
    place = Place(SMALL, *chips)
    found = RealHash(zero_bits=5).hits(JOB, place, 2, 5)
    assert rows(found) == hit_list(JOB, place, range(2, 5), 5) != []


def test_missing_small_cores_find_nothing() -> None:
    place = Place(replace(SMALL, small_cores=5))
    assert rows(RealHash(4).hits(JOB, place, 0, 2)) == hit_list(JOB, place, range(2), 4)


def test_a_limited_sweep_finds_what_lies_within_it() -> None:
    place, whole = Place(SMALL, limit=20), Place(SMALL)
    found, everything = RealHash(4).hits(JOB, place, 0, 3), RealHash(4).hits(JOB, whole, 0, 3)
    np.testing.assert_array_equal(found, everything[everything["position"] < 20])


def test_chips_of_a_chain_share_the_search_without_gap_or_overlap() -> None:
    whole = RealHash(4).hits(JOB, Place(SMALL), 0, 3)
    parts = [RealHash(4).hits(JOB, Place(SMALL, n, 4), 0, 3) for n in range(4)]
    assert sorted((h["nonce"], h["version"]) for part in parts for h in part) == sorted(
        (h["nonce"], h["version"]) for h in whole
    )


@pytest.mark.parametrize("oracle", [RealHash(4), SampledHash(1, 26)])
def test_check_finds_the_difficulty_of_a_hit_again(oracle: RealHash | SampledHash) -> None:
    place = Place(SMALL) if isinstance(oracle, RealHash) else Place(BM1366, limit=1 << 20)
    found = oracle.hits(JOB, place, 0, 3)
    again = [oracle.check(JOB.header(int(h["nonce"])).with_version(int(h["version"]))) for h in found]
    np.testing.assert_allclose(again, found["difficulty"], rtol=1e-12)
    assert len(found) > 5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 20_000), st.integers(1, 300), st.integers(0, 20))
def test_drawn_hits_do_not_depend_on_how_they_are_asked_for(first: int, count: int, mask_bits: int) -> None:
    oracle, place = SampledHash(5), Place(BM1366)
    whole = oracle.hits(JOB, place, first, first + count)
    single = [SampledHash(5).hits(JOB, place, n, n + 1) for n in reversed(range(first, first + count))]
    np.testing.assert_array_equal(whole, np.concatenate(single[::-1]))
    masked = oracle.hits(JOB, place, first, first + count, mask_bits)
    np.testing.assert_array_equal(masked, whole[whole["difficulty"] >= SHARE * 2.0**mask_bits])


def test_a_job_sent_again_has_the_same_hits_and_another_has_others() -> None:
    oracle, place = SampledHash(5), Place(BM1366)
    first = oracle.hits(JOB, place, 0, 100)
    np.testing.assert_array_equal(first, oracle.hits(replace(JOB, job_id=16), place, 0, 100))
    other = oracle.hits(replace(JOB, time=JOB.time + 1), place, 0, 100)
    assert not set(first["nonce"]) & set(other["nonce"])
    assert not set(first["nonce"]) & set(SampledHash(6).hits(JOB, place, 0, 100)["nonce"])


@pytest.mark.parametrize("oracle", [RealHash(6), SampledHash(2)])
def test_after_the_last_version_the_hits_come_again(oracle: RealHash | SampledHash) -> None:
    spec = small_chip(cores=2, counter_bits=6, version_bits=3) if isinstance(oracle, RealHash) else BM1366
    period = 4 if isinstance(oracle, RealHash) else 8192
    place = Place(spec)
    first, later = oracle.hits(JOB, place, 0, 4), oracle.hits(JOB, place, period, period + 4)
    later["batch"] -= period
    np.testing.assert_array_equal(first, later)
    assert len(first)


def test_a_chip_that_rolls_no_version_draws_for_the_jobs_own() -> None:
    oracle, place = SampledHash(3), Place(BM1387)
    found = oracle.hits(JOB, place, 0, 40)
    assert set(found["version"].tolist()) <= {JOB.version}
    once = oracle.hits(JOB, place, 0, 1)
    assert len(found) == 40 * len(once)


def test_version_bits_of_the_job_itself_are_ored() -> None:
    job = replace(JOB, version=0x20002000)
    found = SampledHash(3).hits(job, Place(BM1366), 0, 50)
    assert (found["version"] & 0x2000).all()
    assert all(
        SampledHash(3).check(job.header(int(h["nonce"])).with_version(int(h["version"]))) for h in found[:20]
    )


def test_counts_of_batches_are_poisson() -> None:
    """Mean and variance of 8192 counts within 4 standard errors: false alarm below 2e-4 in all."""
    found = SampledHash(11).hits(JOB, Place(BM1366), 0, 8192)
    counts = np.bincount(found["batch"], minlength=8192)
    mean = 894 * 2**25 / 2**32
    assert abs(counts.mean() - mean) < 4 * (mean / 8192) ** 0.5
    assert abs(counts.var(ddof=1) / counts.mean() - 1) < 4 * (2 / 8191) ** 0.5


def test_positions_cores_and_slots_are_uniform() -> None:
    """Chi square over 64 cells each, bound 125 of 63 degrees of freedom: false alarm 5e-6 each."""
    found = SampledHash(12).hits(JOB, Place(replace(BM1366, cores=128, small_cores=1024)), 0, 8192)
    for values, cells in (
        (found["position"] >> 19, 64),
        (found["core"] >> 1, 64),
        (found["slot"] * 8 + (found["position"] & 7), 64),
    ):
        counts = np.bincount(values.astype(np.int64), minlength=cells)
        expected = len(found) / cells
        assert ((counts - expected) ** 2 / expected).sum() < 125


def test_counts_of_neighbouring_batches_are_independent() -> None:
    """Correlation at lags 1 to 8 within 4.5 / sqrt(n): false alarm 6e-5 in all."""
    found = SampledHash(13).hits(JOB, Place(BM1366), 0, 8192)
    counts = np.bincount(found["batch"], minlength=8192) - 894 * 2**25 / 2**32
    for lag in range(1, 9):
        correlation = (counts[:-lag] * counts[lag:]).mean() / counts.var()
        assert abs(correlation) < 4.5 / 8192**0.5


def test_difficulties_fall_off_as_one_over_difficulty() -> None:
    """Kolmogorov-Smirnov of 1/difficulty against uniform, bound 2.2 / sqrt(n): false alarm 1e-4."""
    found = SampledHash(14).hits(JOB, Place(BM1366), 0, 8192)
    part = np.sort(SHARE / found["difficulty"])
    grid = np.arange(1, len(part) + 1) / len(part)
    assert np.abs(part - grid).max() < 2.2 / len(part) ** 0.5


@pytest.mark.parametrize("mask_bits", [8, 16, 18])
def test_a_mask_leaves_its_share(mask_bits: int) -> None:
    """Counts over many jobs within 4.5 standard errors: false alarm 7e-6 each."""
    oracle = SampledHash(15)
    jobs = [replace(JOB, time=n) for n in range(60)]
    total = sum(len(oracle.hits(job, Place(BM1366), 0, 8192, mask_bits)) for job in jobs)
    mean = 60 * 8192 * 894 * 2**25 / 2**32 / 2**mask_bits
    assert abs(total - mean) < 4.5 * mean**0.5


def test_nonces_carry_core_and_counter() -> None:
    found = SampledHash(16).hits(JOB, Place(BM1366, 3, 6), 0, 50)
    words = scan_order(found["nonce"]).astype(np.int64)
    np.testing.assert_array_equal(words >> 25, found["core"])
    np.testing.assert_array_equal(words & (2**25 - 1), (3 * 42 << 17) + found["position"])
    assert found.dtype == FOUND


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (3, 2), (0, 2**21)])
def test_batches_out_of_range_are_refused(first: int, last: int) -> None:
    for oracle in (RealHash(8), SampledHash(1)):
        with pytest.raises(SpecError, match="batches"):
            oracle.hits(JOB, Place(BM1366), first, last)


def test_zero_bits_and_seeds_out_of_range_are_refused() -> None:
    for make in (
        lambda: RealHash(0),
        lambda: RealHash(65),
        lambda: SampledHash(1, 20),
        lambda: SampledHash(0.5),
    ):  # type: ignore[arg-type]
        with pytest.raises(SpecError):
            make()


@pytest.mark.parametrize(("address", "chips"), [(1, 1), (0, 0), (-1, 2), (0, 257)])
def test_a_place_outside_of_the_chain_is_refused(address: int, chips: int) -> None:
    with pytest.raises(SpecError, match="chain"):
        Place(BM1366, address, chips)


def test_a_chip_too_large_to_hash_in_earnest_is_refused_with_the_remedy() -> None:
    with pytest.raises(SpecError, match="small_chip"):
        RealHash(32).hits(JOB, Place(BM1366), 0, 1)


def test_a_job_without_a_mask_is_checked_by_its_own_version() -> None:
    job, oracle = replace(JOB, version=0x20B44000, version_mask=0), SampledHash(21)
    found = oracle.hits(job, Place(replace(BM1387, cores=128, small_cores=128)), 0, 1)
    for hit in found:
        assert oracle.check(job.header(int(hit["nonce"]))) == hit["difficulty"]
    many = [replace(job, time=n) for n in range(50)]
    assert sum(len(oracle.hits(each, Place(BM1387), 0, 1)) for each in many) > 20
