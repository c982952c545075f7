"""Sizes in bytes: one reader for machine files, functional caches and technologies."""

from __future__ import annotations

import pytest

from hwmodel.cryo import toml
from hwmodel.cryo._sizes import MAX_BYTES, read_size
from hwmodel.cryo._technology_models import to_bytes as of_technology
from hwmodel.cryo.cache import to_bytes as of_caches
from hwmodel.errors import BareNumberError, SpecError


@pytest.mark.parametrize("text", ["32 kB", "32kb", "32 KiB", 32768, "32768 B", " 0.03125 MB "])
def test_all_readers_read_the_same(text: str | int) -> None:
    assert {read_size(text), of_technology(text), of_caches(text), toml.read_size(text, "x")} == {32768}  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "good"), [(0, False), (1, True), (MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_sizes_have_bounds(size: int, good: bool) -> None:
    if good:
        assert read_size(size) == size
    else:
        with pytest.raises(SpecError, match="at least one byte"):
            read_size(size)


def test_part_of_a_byte_is_refused() -> None:
    with pytest.raises(SpecError, match="no whole number of bytes"):
        read_size("0.0001 kB")


def test_only_a_technology_wants_a_unit_in_text() -> None:
    assert of_caches("64") == toml.read_size("64", "x") == 64
    with pytest.raises(BareNumberError, match="32 kB"):
        of_technology("64")
