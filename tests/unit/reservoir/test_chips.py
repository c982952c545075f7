"""The table of chips: sources, limits, geometry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.reservoir.chips import BM1366, PRESETS, ChipSpec, Figure, chip, small_chip


@pytest.mark.parametrize("spec", PRESETS.values(), ids=list(PRESETS))
def test_every_figure_has_a_unit_and_a_source(spec: ChipSpec) -> None:
    for name, figure in spec.figures().items():
        assert figure.unit, name
        assert figure.source, name
    assert spec.geometry_source


@pytest.mark.parametrize("spec", PRESETS.values(), ids=list(PRESETS))
def test_the_defaults_lie_within_the_safe_range(spec: ChipSpec) -> None:
    assert spec.check_setting("frequency", spec.frequency.value * 1e6) == spec.frequency.value * 1e6
    assert spec.check_setting("voltage", spec.voltage.value * 1e-3) == spec.voltage.value * 1e-3


@pytest.mark.parametrize("spec", PRESETS.values(), ids=list(PRESETS))
def test_published_hashes_a_clock_are_those_of_the_small_cores(spec: ChipSpec) -> None:
    assert spec.hashes_per_clock.value == spec.small_cores


@pytest.mark.parametrize(
    ("megahertz", "gigahashes"), [(400, 357.6), (485, 433.6), (525, 469.4), (575, 514.0)]
)
def test_the_rate_of_a_bm1366_is_the_published_one(megahertz: float, gigahashes: float) -> None:
    assert BM1366.hash_rate(megahertz * 1e6) / 1e9 == pytest.approx(gigahashes, abs=0.06)


@pytest.mark.parametrize(
    ("quantity", "value"), [("frequency", 399e6), ("frequency", 576e6), ("voltage", 1.09), ("voltage", 1.31)]
)
def test_a_setting_outside_of_the_safe_range_is_refused_with_the_range(quantity: str, value: float) -> None:
    with pytest.raises(SpecError, match="safe range"):
        BM1366.check_setting(quantity, value)  # type: ignore[arg-type]


def test_an_unknown_chip_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="BM1366"):
        chip("BM1367")


@pytest.mark.parametrize(
    "change",
    [
        {"cores": 256},
        {"slots": 3},
        {"small_cores": 897},
        {"small_cores": 700},
        {"domains": 0},
        {"version_bits": 17},
    ],
)
def test_a_geometry_that_does_not_fit_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(SpecError, match="BM1366"):
        replace(BM1366, **change)  # type: ignore[arg-type]


def test_a_figure_without_a_source_is_refused() -> None:
    with pytest.raises(SpecError, match="estimate"):
        Figure(1.0, "V", "")


def test_a_small_chip_has_all_its_small_cores() -> None:
    spec = small_chip(cores=3, counter_bits=5, slots=4)
    assert (spec.small_cores, spec.core_bits, spec.counter_bits) == (12, 2, 5)


@pytest.mark.parametrize("spec", PRESETS.values(), ids=list(PRESETS))
def test_the_job_byte_of_a_response_tells_all_jobs_and_small_cores_apart(spec: ChipSpec) -> None:
    pairs = [(job, slot) for job in range(0, 128, spec.job_step) for slot in range(spec.slots)]
    seen = {spec.response_header(job, slot) for job, slot in pairs}
    assert len(seen) == len(pairs)
    assert max(seen) < 256
