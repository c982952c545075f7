"""Machines from TOML: what a file may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwmodel.cryo.config import at_clock, cryo_ooo
from hwmodel.cryo.toml import load_machine, machine_from, read_size, read_toml
from hwmodel.errors import HwmodelError, SpecError, UnknownNameError
from hwmodel.units import GHz


def test_an_empty_file_is_the_reference_machine(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    path.write_text("")
    assert load_machine(path) == cryo_ooo()


def test_settings_replace_those_of_the_preset() -> None:
    machine = machine_from(
        {"l1d": {"size": "64 kB", "ways": 16, "latency": 5}, "core": {"rob": 40, "width": 2}}
    )
    assert (machine.l1d.size, machine.l1d.ways, machine.l1d.latency) == (65536, 16, 5)
    assert (machine.core.rob, machine.core.fetch, machine.core.commit, machine.core.lq) == (40, 2, 2, 24)
    assert machine.l1i == cryo_ooo().l1i


def test_a_bus_runs_at_the_clock_of_the_level_it_leads_to() -> None:
    machine = machine_from({"l2": {"clock": "10 GHz"}})
    assert machine.l2 is not None
    assert machine.l1d.bus.clock == machine.l1i.bus.clock == machine.l2.clock == GHz(10)
    assert machine.l2.bus.clock == GHz(4)


def test_a_bus_keeps_a_clock_of_its_own() -> None:
    machine = machine_from({"l1d": {"bus": {"clock": "2 GHz"}}, "l2": {"clock": "10 GHz"}})
    assert (machine.l1d.bus.clock, machine.l1i.bus.clock) == (GHz(2), GHz(10))


def test_size_zero_leaves_a_level_out() -> None:
    machine = machine_from({"l3": {"size": 0}})
    assert machine.l3 is None
    assert list(machine.levels) == ["l1d", "l1i", "l2"]


def test_the_last_level_left_keeps_the_way_to_memory() -> None:
    machine = machine_from({"l3": {"size": 0}})
    whole = cryo_ooo()
    assert machine.l2 is not None
    assert whole.l3 is not None
    assert machine.l2.bus == whole.l3.bus


def test_times_may_have_units_and_units_of_a_core_their_own_table() -> None:
    machine = machine_from({"dram": {"cl": "10 ns"}, "core": {"units": {"fp_mul": {"latency": 9}}}})
    assert machine.dram.cl == 10_000_000
    assert (machine.core.units["fp_mul"].latency, machine.core.units["fp_add"].latency) == (9, 2)


@pytest.mark.parametrize(
    ("text", "size"),
    [("32 kB", 32768), ("1MB", 1 << 20), ("64", 64), (128, 128), ("2 GiB", 2 << 30), ("1.5 kB", 1536)],
)
def test_sizes_are_binary(text: str | int, size: int) -> None:
    assert read_size(text, "l1d") == size


@pytest.mark.parametrize("text", ["32 kilo", "", "-4 kB", 3.5, True, None])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(SpecError, match="no size"):
        read_size(text, "l1d")


@pytest.mark.parametrize(
    ("tables", "part"),
    [
        ({"mode": "fast"}, "mode"),
        ({"preset": "cryo-oo"}, "did you mean 'cryo-ooo'"),
        ({"l1d": {"sise": 1}}, "did you mean 'size'"),
        ({"core": {"units": {"fp": {}}}}, "unit"),
        ({"l1d": 5}, "no table"),
        ({"core": {"rob": 0}}, "rob=0"),
        ({"core": {"rob": "many"}}, "rob"),
        ({"core": {"rob": True}}, "whole number"),
        ({"core": {"store_sets": 1}}, "true or false"),
        ({"l1d": {"size": "3 kB"}}, "power of two"),
        ({"l1d": {"clock": 4}}, "clock"),
        ({"inclusion": "exclusive"}, "inclusion"),
        ({"l1d": {"policy": "mru"}}, "policy"),
    ],
)
def test_wrong_settings_are_refused_by_name(tables: dict[str, Any], part: str) -> None:
    with pytest.raises(HwmodelError, match=part):
        machine_from(tables, "machine.toml")


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    path.write_text("mode = ooo\n")
    with pytest.raises(SpecError, match="line 1"):
        read_toml(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"missing\.toml"):
        read_toml(tmp_path / "missing.toml")


def test_a_name_that_no_machine_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    path.write_text("[l4]\nsize = 1\n")
    with pytest.raises(UnknownNameError, match="l4"):
        read_toml(path)


@pytest.mark.parametrize(
    ("domains", "fast"),
    [
        ("core", set()),
        ("l1", {"l1i", "l1d"}),
        ("l1l2", {"l1i", "l1d", "l2"}),
        ("all", {"l1i", "l1d", "l2", "l3"}),
    ],
)
def test_a_domain_set_names_the_levels_at_the_fast_clock(domains: str, fast: set[str]) -> None:
    machine = at_clock(cryo_ooo(), "100 GHz", domains)
    assert {name for name, cache in machine.levels.items() if cache.clock == GHz(100)} == fast
    assert machine.core.clock == GHz(100)


def test_an_unknown_domain_set_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="l1l3"):
        at_clock(cryo_ooo(), "100 GHz", "l1l3")


def test_a_translation_table_switches_tlbs_on_and_off() -> None:
    assert cryo_ooo().translation is None
    made = machine_from({"translation": {"data": {"sets": 8}, "page": "2 MB", "depth": 3}}).translation
    assert made is not None
    assert (made.data.sets, made.data.ways, made.page, made.depth) == (8, 4, 2 << 20, 3)
    assert machine_from({"preset": "champsim", "translation": False}).translation is None


def test_walk_caches_are_a_list() -> None:
    caches = [{"level": 2, "sets": 4, "ways": 8}]
    made = machine_from({"translation": {"caches": caches}}).translation
    assert made is not None
    assert [(c.level, c.sets, c.ways) for c in made.caches] == [(2, 4, 8)]


@pytest.mark.parametrize(
    "table",
    [{"data": 3}, {"caches": 3}, {"caches": [{"level": 2}]}, {"pages": 4096}, {"data": {"set": 4}}, True],
)
def test_a_translation_that_is_none_is_refused(table: object) -> None:
    with pytest.raises(HwmodelError):
        machine_from({"translation": table})


def test_arrays_and_write_policies_are_settings() -> None:
    machine = machine_from(
        {
            "l1d": {"readout": "destructive", "restore": "1 ns", "write": "through", "allocate": False},
            "l3": {"organisation": "shift-register", "loop": 64, "shift_clock": "50 GHz", "write_buffer": 4},
        }
    )
    assert (machine.l1d.busy_after_read, machine.l1d.write, machine.l1d.allocate) == (2 + 4, "through", False)
    assert machine.l3 is not None
    assert (machine.l3.loop, machine.l3.shift_clock, machine.l3.write_buffer) == (64, GHz(50), 4)


def test_cycles_are_not_given_as_times() -> None:
    with pytest.raises(SpecError, match="whole number"):
        machine_from({"l1d": {"latency": "1 ns"}})
