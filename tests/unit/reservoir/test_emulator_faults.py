"""Faults of a line: each does what it says, as often as it says, and the same for the same seed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError
from hwmodel.reservoir.emulator import Faults

DATA = bytes(range(11))


def through(faults: Faults, data: bytes = DATA) -> list[tuple[int, bytes]]:
    return list(faults.line().pass_on(data))


@given(st.binary(min_size=1, max_size=100))
def test_without_faults_a_frame_passes_at_once(data: bytes) -> None:
    assert through(Faults(), data) == [(0, data)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"drop": 1.0}, []),
        ({"lose": 1.0}, []),
        ({"double": 1.0}, [(0, bytes(n for n in DATA for _ in range(2)))]),
        ({"repeat": 1.0}, [(0, DATA + DATA)]),
        ({"late": 1.0, "late_seconds": 1e-3}, [(10**12, bytes([n])) for n in DATA]),
    ],
)
def test_each_fault_does_what_it_says(fault: dict[str, Any], expected: list[tuple[int, bytes]]) -> None:
    assert through(Faults(**fault)) == expected


def test_a_corrupted_byte_has_one_bit_changed() -> None:
    ((_, data),) = through(Faults(corrupt=1.0))
    assert [(a ^ b).bit_count() for a, b in zip(data, DATA, strict=True)] == [1] * 11


@pytest.mark.parametrize("name", ["drop", "double", "corrupt", "late"])
def test_faults_are_as_frequent_as_asked_for(name: str) -> None:
    line = Faults(**{name: 0.1}).line()  # type: ignore[arg-type]
    for _ in range(1000):
        list(line.pass_on(DATA))
    assert abs(line.counts[name] - 1100) < 5 * (11_000 * 0.1 * 0.9) ** 0.5


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    def run(seed: int) -> list[Any]:
        line = Faults(drop=0.2, corrupt=0.2, late=0.1, seed=seed).line()
        return [list(line.pass_on(DATA)) for _ in range(20)]

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize(
    "wrong",
    [{"drop": 1.5}, {"late": -0.1}, {"late_seconds": 100.0}, {"vanish_after": -1}, {"vanish_chip": -1}],
)
def test_what_is_no_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=next(iter(wrong))):
        Faults(**wrong)
