"""Wires, transistors, cooling and links: laws that hold at every temperature, and what is refused."""

from __future__ import annotations

import importlib.util
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.cryo.technology import (
    TABLES,
    conducted_heat,
    cooling_overhead,
    copper_resistivity,
    crossing_time,
    drive_current,
    flight_time,
    gate_leakage,
    mobility,
    performance_per_watt,
    subthreshold_leakage,
    table,
    threshold_voltage,
)
from hwmodel.errors import BareNumberError, SpecError, UnknownNameError
from hwmodel.units import Time

kelvins = st.floats(4, 300)
pairs = st.tuples(kelvins, kelvins).map(sorted)


@given(pairs)
def test_copper_conducts_no_worse_when_colder(pair):
    cold, warm = pair
    assert copper_resistivity(cold) <= copper_resistivity(warm) * (1 + 1e-12)


@given(pairs, st.floats(10, 1000), st.floats(10, 1000))
def test_a_narrow_wire_gains_less_than_bulk(pair, width, height):
    cold, warm = pair
    narrow = copper_resistivity(warm, width, height) / copper_resistivity(cold, width, height)
    assert 1 - 1e-12 <= narrow <= copper_resistivity(warm) / copper_resistivity(cold) + 1e-12


@given(kelvins, st.floats(10, 1000), st.floats(1.01, 10))
def test_a_narrower_wire_resists_more(kelvin, width, factor):
    assert copper_resistivity(kelvin, width, 50) > copper_resistivity(kelvin, width * factor, 50)


@given(pairs)
def test_the_threshold_rises_and_leakage_falls_on_cooling(pair):
    cold, warm = pair
    assert threshold_voltage(cold) >= threshold_voltage(warm) * (1 - 1e-12)
    for low_voltage in (False, True):
        assert subthreshold_leakage(cold, low_voltage) <= subthreshold_leakage(warm, low_voltage) * (1 + 1e-9)
        assert gate_leakage(cold, low_voltage) <= gate_leakage(warm, low_voltage) * (1 + 1e-12)


@given(st.floats(77, 300), st.floats(14, 10_000), st.sampled_from("np"))
def test_mobility_rises_on_cooling_to_77_kelvin(kelvin, length, channel):
    assert 1 - 1e-12 <= mobility(kelvin, length, channel) <= mobility(77, length, channel) * (1 + 1e-12)


def test_mobility_has_no_step_at_77_kelvin():
    assert mobility(77 - 1e-9, 3000) == pytest.approx(mobility(77, 3000))


def test_gate_tunnelling_does_not_freeze():
    assert gate_leakage(4) > 0.8 * gate_leakage(300)


def test_at_fixed_voltages_cooling_brings_no_drive():
    assert drive_current(77) == pytest.approx(drive_current(300), rel=0.01)
    assert drive_current(4) < 0.7 * drive_current(300)


@given(st.floats(0.01, 300), st.floats(0.001, 1))
def test_the_carnot_floor_is_never_beaten(kelvin, fraction):
    floor = (300 - kelvin) / kelvin
    assert cooling_overhead(kelvin, fraction) >= floor * (1 - 1e-9)


@given(st.tuples(st.floats(0.1, 300), st.floats(0.1, 300)).map(sorted))
def test_colder_heat_costs_more(pair):
    cold, warm = pair
    assert cooling_overhead(cold) >= cooling_overhead(warm)


def test_a_room_needs_no_refrigerator():
    assert cooling_overhead(300) == 0


@pytest.mark.parametrize(
    ("kelvin", "preset", "overhead"),
    [
        (77, "ideal", 2.90),
        (4.2, "ideal", 70.4),
        (77, "large-plant", 12),
        (4.2, "large-plant", 293),
        (77, "cryocache", 9.65),
        (4.2, "medium-plant", 400),
        (4.2, "small-cryocooler", 1006),
    ],
)
def test_the_presets_are_the_figures_that_they_are_named_for(kelvin, preset, overhead):
    assert cooling_overhead(kelvin, preset) == pytest.approx(overhead, rel=0.01)


def test_performance_per_watt_counts_the_cooling_of_each_stage():
    heats = {4.2: 0.001, 77: 0.1, 300: 2.0}
    total = sum(w * (1 + (300 / t - 1) / 0.2) for t, w in heats.items())
    assert performance_per_watt(1e9, heats, 0.2) == pytest.approx(1e9 / total)


@pytest.mark.parametrize("watts", [{}, {77: 0.0}, {77: -1.0}, {400: 1.0}, {77: math.nan}])
def test_performance_per_watt_refuses_watts_that_are_none(watts):
    with pytest.raises(SpecError):
        performance_per_watt(1e9, watts)


def test_a_metre_at_seven_tenths_of_light_takes_4_8_nanoseconds():
    assert flight_time("1 m") / 1e6 == pytest.approx(4.77, abs=0.01)
    assert flight_time(100) == pytest.approx(100 * flight_time(1), rel=1e-6)
    assert flight_time("10 mm") == flight_time(0.01)


def test_a_round_trip_from_4_to_300_kelvin_is_950_cycles_of_100_gigahertz():
    assert crossing_time(4, 300, round_trip=True) / Time(10_000) == pytest.approx(950, rel=0.01)


def test_the_stages_add_up():
    whole = crossing_time(4.2, 300)
    assert crossing_time(4.2, 77.4) + crossing_time(77.4, 300) == pytest.approx(whole, abs=1)


def test_an_unknown_pair_of_stages_needs_a_length():
    with pytest.raises(SpecError, match="give length="):
        crossing_time(20, 40)
    assert crossing_time(20, 40, "1 m") == flight_time(1)


@given(st.floats(1, 290), st.floats(0.1, 10), st.floats(0.01, 100))
def test_less_resistance_conducts_more_heat(cold, rise, resistance):
    heat = conducted_heat(cold, cold + rise, resistance)
    assert heat > 0
    assert heat == pytest.approx(2 * conducted_heat(cold, cold + rise, 2 * resistance))


@pytest.mark.parametrize("temperature", [0, -4, 300.1, math.inf, math.nan, True, None, "400 K"])
def test_a_temperature_out_of_range_is_refused(temperature):
    with pytest.raises(SpecError):
        copper_resistivity(temperature)
    with pytest.raises(SpecError):
        cooling_overhead(temperature)


def test_below_4_kelvin_the_range_of_the_data_is_named():
    with pytest.raises(SpecError, match="from 4 K to 300 K"):
        drive_current(3.9)


@pytest.mark.parametrize("text", ["77", "77 C", "cold", "-4 K"])
def test_a_temperature_without_kelvin_is_refused(text):
    with pytest.raises(BareNumberError, match="77 K"):
        threshold_voltage(text)


@pytest.mark.parametrize(
    "call",
    [
        lambda: copper_resistivity(77, width=40),
        lambda: copper_resistivity(77, 0, 40),
        lambda: mobility(77, 13),
        lambda: mobility(77, 10_001),
        lambda: threshold_voltage(77, -0.5),
        lambda: cooling_overhead(77, 0),
        lambda: cooling_overhead(77, 1.01),
        lambda: flight_time(-1),
        lambda: flight_time(1, 1.1),
        lambda: crossing_time(77, 4),
        lambda: conducted_heat(77, 77, 1),
        lambda: conducted_heat(4, 77, 0),
        lambda: performance_per_watt(0, {77: 1}),
    ],
)
def test_what_no_model_has_is_refused(call):
    with pytest.raises(SpecError):
        call()


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: cooling_overhead(77, "large-plan"), "large-plant"),
        (lambda: mobility(77, 20, "m"), "n, p"),
        (lambda: table("coolin"), "cooling"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(call, hint):
    with pytest.raises(UnknownNameError, match=hint):
        call()


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_markdown_of_equal_columns_and_has_its_sources(name):
    lines = table(name).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) > 4
    if name not in ("sram", "cacti"):
        assert lines[0].endswith("| source |")
        assert all(len(line.rstrip(" |").rsplit("| ", 1)[1]) > 4 for line in lines[2:])


def test_the_page_of_the_documentation_is_up_to_date(project):
    spec = importlib.util.spec_from_file_location("cryo_files", project / "tools" / "cryo_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, maker in module.FILES.items():
        assert (project / name).read_text(encoding="utf-8") == maker(), "run 'python tools/regenerate.py'"
    assert (project / module.CHART).exists()
