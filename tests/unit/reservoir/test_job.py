"""Jobs: rolled versions, headers, and what their key depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir.job import Job

JOB = Job(8, 0x20000000, bytes(32), bytes(range(32)), 1_700_000_000, 0x17034219)


@given(st.integers(0, 2**20))
def test_a_rolled_version_is_the_jobs_version_with_bits_under_the_mask(index: int) -> None:
    version = JOB.rolled(index)
    assert version & ~JOB.version_mask == JOB.version
    assert (version & JOB.version_mask) >> 13 == index % 65536


def test_all_versions_of_a_roll_differ() -> None:
    job = replace(JOB, version_mask=0x0000E000)
    assert len({job.rolled(n) for n in range(8)}) == job.versions == 8


def test_without_a_mask_there_is_one_version() -> None:
    job = replace(JOB, version_mask=0)
    assert job.versions == 1
    assert job.rolled(7) == job.version


def test_the_header_takes_version_bits_by_or() -> None:
    header = JOB.header(5, 0x6000)
    assert (header.version, header.nonce, header.merkle) == (0x20006000, 5, JOB.merkle)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"previous": bytes(31) + b"1"},
        {"merkle": bytes(32)},
        {"time": 1},
        {"bits": 1},
        {"version_mask": 0},
    ],
)
def test_the_key_depends_on_all_that_fixes_the_hits(change: dict[str, Any]) -> None:
    assert replace(JOB, **change).key != JOB.key


@pytest.mark.parametrize("change", [{"job_id": 16}, {"start_nonce": 5}])
def test_the_key_does_not_depend_on_the_jobs_number(change: dict[str, Any]) -> None:
    assert replace(JOB, **change).key == JOB.key


@pytest.mark.parametrize(
    "change",
    [{"job_id": 128}, {"job_id": -1}, {"version_mask": 0x5000}, {"start_nonce": 2**32}, {"previous": b""}],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        replace(JOB, **change)
