"""Memories: laws of size and temperature, cycles of a clock, and the warning of impossible configurations."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo.technology import (
    TECHNOLOGIES,
    Array,
    TechnologyWarning,
    access_energy,
    access_interval,
    access_time,
    area,
    check_latency,
    cooling_overhead,
    energy_with_cooling,
    junctions,
    latency_cycles,
    leakage_power,
    position_time,
    power,
    technology,
)
from hwmodel.errors import BareNumberError, SpecError, UnknownNameError
from hwmodel.units import GHz, ps

fitted_sizes = st.integers(32 << 10, 16 << 20)
size_pairs = st.tuples(fitted_sizes, fitted_sizes).map(sorted)
kelvins = st.floats(4, 300)

# A temperature at which each technology works.
AT = {"jsram": 4.2, "sfq": 4.2, "delay-line": 4.2, "dram": 300}


def everywhere():
    return [(name, AT.get(name, 77)) for name in TECHNOLOGIES]


@given(size_pairs, kelvins)
def test_a_larger_sram_is_slower_and_takes_more_energy(sizes, kelvin):
    small, large = (Array(size) for size in sizes)
    assert access_time(small, kelvin) <= access_time(large, kelvin)
    assert access_energy(small, kelvin) <= access_energy(large, kelvin)
    assert leakage_power(small, kelvin) <= leakage_power(large, kelvin)


@given(fitted_sizes, st.tuples(st.floats(77, 300), st.floats(77, 300)).map(sorted))
def test_an_sram_is_faster_and_leaks_less_when_cooled_to_77_kelvin(size, pair):
    cold, warm = pair
    assert access_time(Array(size), cold) <= access_time(Array(size), warm)
    assert leakage_power(Array(size), cold) <= leakage_power(Array(size), warm) * (1 + 1e-9)


@given(fitted_sizes)
def test_at_4_kelvin_an_sram_is_slower_than_at_77(size):
    """The threshold has risen and the copper gained nothing more."""
    assert access_time(Array(size), 4) > access_time(Array(size), 77)


@given(fitted_sizes, kelvins)
def test_a_line_of_temperatures_has_no_step(size, kelvin):
    beside = min(kelvin + 1e-6, 300)
    assert access_time(Array(size), beside) == pytest.approx(access_time(Array(size), kelvin), rel=1e-5)


@given(fitted_sizes, kelvins)
def test_an_access_begins_no_later_than_the_last_one_ends(size, kelvin):
    assert 0 < access_interval(Array(size), kelvin) <= access_time(Array(size), kelvin)


@given(fitted_sizes, kelvins, st.fractions(Fraction(1, 10), 200))
def test_cycles_cover_the_time_and_no_cycle_more(size, kelvin, gigahertz):
    array = Array(size)
    found = latency_cycles(array, kelvin, GHz(gigahertz))
    period = Fraction(10**6) / gigahertz
    assert (found.latency - 1) * period < access_time(array, kelvin) <= found.latency * period
    assert found.interval <= found.latency
    assert (found.best, found.worst) == (found.latency, found.latency)


@pytest.mark.parametrize("cycles", [24, 25])
def test_the_warning_comes_one_cycle_below_the_technology(cycles):
    array = Array("32 kB")
    assert latency_cycles(array, 77, "100 GHz").latency == 25
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        checked = check_latency(cycles, "100 GHz", array, 77)
    assert checked.ok == (cycles == 25)
    assert len(found) == (cycles == 24)


def test_the_warning_names_memory_figure_and_remedy():
    with pytest.warns(
        TechnologyWarning, match=r"l1d: 2 cycles of 10 ps are 20 ps.*246.*77 K.*give 25 cycles"
    ):
        check_latency(2, "100 GHz", Array("32 kB"), 77, name="l1d")


def test_the_clock_that_the_warning_offers_is_slow_enough():
    with pytest.warns(TechnologyWarning) as found:
        check_latency(2, "100 GHz", Array("32 kB"), 77)
    offered = str(found[0].message).split("lower the clock to ")[1].split(" GHz")[0]
    assert check_latency(2, f"{offered} GHz", Array("32 kB"), 77).ok


def test_the_reference_configuration_undercuts_77_kelvin_at_every_level():
    for cycles, size in ((2, "32 kB"), (10, "512 kB"), (21, "16 MB")):
        with pytest.warns(TechnologyWarning):
            assert not check_latency(cycles, "100 GHz", Array(size), 77).ok


@given(st.integers(1, 1 << 12))
def test_a_longer_ring_has_half_its_length_as_mean(length):
    found = latency_cycles(Array("4 kB", "delay-line", length=length), 4.2, "50 GHz")
    assert found.latency == math.ceil(length / 2)
    assert (found.best, found.worst, found.interval) == (1, length, 1)


@given(st.integers(1, 500))
def test_the_mean_over_the_positions_is_that_of_the_ring(length):
    array = Array("4 kB", "sfq", length=length)
    times = [position_time(array, p, ps(20)) for p in range(1, length + 1)]
    assert abs(sum(times) / length - access_time(array, 4.2)) <= ps(10)


def test_a_ring_does_not_outrun_its_cells():
    array = Array("4 kB", "sfq", length=8)
    assert position_time(array, 8, ps(5)) == ps(160)
    found = latency_cycles(array, 4.2, "200 GHz")
    assert (found.latency, found.interval, found.time) == (16, 4, ps(80))


def test_jsram_has_half_a_nanosecond_of_latency_and_an_access_every_clock():
    found = latency_cycles(Array("32 kB", "jsram"), 4.2, "30 GHz")
    assert found.time / 1e6 == pytest.approx(0.5, abs=0.1)
    assert found.interval == 1
    assert found.latency > 10


def test_jsram_area_is_that_of_its_density():
    for size, expected in (("32 kB", 0.8), ("512 kB", 12.5), ("16 MB", 400)):
        assert area(Array(size, "jsram")) == pytest.approx(expected, rel=0.03)
    assert junctions(Array("32 kB", "jsram")) == 8 * 8 * 32 * 1024


def test_dram_at_77_kelvin_is_faster_or_frugal_but_not_both():
    room = Array("1 GB", "dram")
    fast, frugal = Array("1 GB", "dram-77k"), Array("1 GB", "dram-77k-low-power")
    assert access_time(room, 300) / access_time(fast, 77) == pytest.approx(3.8)
    assert access_energy(frugal, 77) / access_energy(room, 300) == pytest.approx(0.092)
    assert access_time(frugal, 77) == access_time(room, 300)
    assert access_energy(fast, 77) == access_energy(room, 300)


@given(fitted_sizes, kelvins, st.floats(0.01, 1))
def test_power_from_the_wall_is_heat_over_carnot(size, kelvin, fraction):
    array = Array(size)
    found = power(array, kelvin, "100 MHz", fraction)
    heat = found.dynamic + found.static
    assert found.total >= heat * 300 / kelvin * (1 - 1e-9)
    assert found.total == pytest.approx(heat * (1 + cooling_overhead(kelvin, fraction)))


def test_gate_leakage_is_what_stays_at_77_kelvin():
    array = Array("1 MB")
    assert leakage_power(array, 77) < 1e-12
    assert leakage_power(array, 77, gate=True) == pytest.approx(0.017 * leakage_power(array, 300), rel=0.05)


def test_cooling_costs_more_energy_than_an_sram_saves_at_4_kelvin():
    array = Array("32 kB")
    assert energy_with_cooling(array, 4) > 100 * energy_with_cooling(array, 300)


@pytest.mark.parametrize(("name", "kelvin"), everywhere())
def test_every_technology_answers_every_question(name, kelvin):
    array = Array("64 kB", name)
    found = latency_cycles(array, kelvin, "10 GHz")
    assert found.latency >= found.interval >= 1
    assert access_energy(array, kelvin) > 0
    assert leakage_power(array, kelvin) >= 0
    assert power(array, kelvin, "1 MHz").total > 0
    assert found.source
    assert all(value.unit and value.source for value in technology(name).numbers.values())


@pytest.mark.parametrize(("size", "temperature"), [("8 kB", 77), ("64 MB", 77), (2048, 300), (256 << 20, 4)])
def test_outside_the_fitted_sizes_a_warning_names_them(size, temperature):
    with pytest.warns(TechnologyWarning, match="32 kB to 16 MB"):
        access_time(Array(size), temperature)


@pytest.mark.parametrize("size", [1, 2047, (256 << 20) + 1, 1 << 40])
def test_far_outside_the_fitted_sizes_the_fit_is_refused(size):
    with pytest.raises(SpecError, match="32 kB to 16 MB"):
        access_time(Array(size), 77)


@pytest.mark.parametrize(
    ("name", "temperature"),
    [
        ("jsram", 77),
        ("sfq", 300),
        ("cmos-22nm-low-voltage", 300),
        ("dram", 77),
        ("dram-77k", 4),
        ("cmos-22nm", 3),
    ],
)
def test_a_temperature_without_data_is_refused_with_the_range(name, temperature):
    with pytest.raises(SpecError, match=r"data for .* K to .* K only"):
        access_time(Array("64 kB", name), temperature)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, None, "0 kB", "0.3 B", 1 << 51])
def test_a_size_that_no_memory_has_is_refused(size):
    with pytest.raises(SpecError, match="size"):
        Array(size)


@pytest.mark.parametrize("size", ["32", "32 bananas", "kB"])
def test_a_size_without_a_unit_is_refused(size):
    with pytest.raises(BareNumberError, match="32 kB"):
        Array(size)


def test_sizes_count_in_1024():
    assert Array("32 kB").size == 32768
    assert Array("0.5 MB").size == 524288
    assert str(Array(1000)) == "1000 B of cmos-22nm"


@pytest.mark.parametrize("wrong", [{"ports": 0}, {"ports": 3}, {"word": 0}, {"rows": 1.5}, {"length": True}])
def test_numbers_that_no_array_has_are_refused(wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        Array("32 kB", "jsram", **wrong)


def test_an_unknown_technology_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'jsram'"):
        Array("32 kB", "jsran")


@pytest.mark.parametrize("position", [0, 65, 1.5, True])
def test_a_position_outside_the_ring_is_refused(position):
    with pytest.raises(SpecError, match="1 to 64"):
        position_time(Array("4 kB", "sfq"), position, ps(20))


def test_only_a_ring_has_positions_and_only_a_superconductor_an_area():
    with pytest.raises(SpecError, match="every position"):
        position_time(Array("32 kB"), 1, ps(20))
    with pytest.raises(SpecError, match="no density"):
        area(Array("32 kB"))


@pytest.mark.parametrize("cycles", [0, -1, 1.5, True])
def test_cycles_that_are_no_cycles_are_refused(cycles):
    with pytest.raises(SpecError, match="at least 1"):
        check_latency(cycles, "4 GHz", Array("32 kB"), 77)


def test_more_reads_than_the_ports_can_begin_are_refused():
    array = Array("16 MB")
    most = 10**15 / access_interval(array, 300)
    with pytest.raises(SpecError, match="ports=2"):
        power(array, 300, GHz(most * 1.01e-9))
    both = Array("16 MB", ports=2)
    assert power(both, 300, GHz(most * 1.01e-9)).dynamic == pytest.approx(
        most * 1.01 * access_energy(both, 300)
    )


def test_a_clock_without_a_unit_is_refused():
    with pytest.raises(BareNumberError, match="GHz"):
        latency_cycles(Array("32 kB"), 77, 100)
