"""Read a machine from a TOML file: a preset, and the settings in which it differs.

    mode = "ooo"                 # or "inorder", "functional"
    preset = "cryo-ooo"
    inclusion = "nine"
    [l1d]
    size = "32 kB"
    ways = 8
    clock = "4 GHz"
    latency = 4
    interval = 1
    [core]
    clock = "100 GHz"
    rob = 128
    [core.units.fp_mul]
    latency = 8
    [dram]
    preset = "ddr4-2400"
    cl = "13.75 ns"
    [translation]
    data = {sets = 16, ways = 4}
    shared = {sets = 128, ways = 12, latency = 8}

`translation = false` takes the TLBs out of a preset that has them.

Every table takes the fields of its part (`Cache`, `Core`, `Unit`, `Dram`, `Bus`); what is not named stays as in the
preset. `size = 0` in a cache's table leaves that level out.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hwmodel.cryo import _sizes
from hwmodel.cryo._translation import Tlb, Translation, WalkCache
from hwmodel.cryo.config import PRESETS, Cache, Core, Dram, Machine, with_buses
from hwmodel.cryo.memories import dram
from hwmodel.errors import SpecError, unknown
from hwmodel.units import to_frequency, to_fs

__all__ = ["LEVELS", "load_machine", "machine_from", "read_size", "read_toml"]

LEVELS = ("l1d", "l1i", "l2", "l3")
MODES = ("functional", "inorder", "ooo")
TOP = {"mode", "preset", "inclusion", "first_touch", "core", "dram", "tlb", "translation", "victim", *LEVELS}


def read_size(value: object, where: str) -> int:
    """Return a size in bytes, 0 included; kB, MB and GB are binary, as everywhere in cache sizes.

    Raises:
        SpecError: not a whole number of bytes.

    Example:
        >>> read_size("32 kB", "l1d"), read_size(64, "line")
        (32768, 64)
    """
    return _sizes.read_size(value, where, low=0)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        SpecError: no such file, not TOML (with line and column), or a name that no machine has.
    """
    try:
        with Path(path).open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: not TOML: {error}") from error
    for name in tables:
        if name not in TOP:
            raise unknown(f"setting of {path}", name, TOP)
    return tables


def machine_from(tables: dict[str, Any], where: str = "machine") -> Machine:
    """Return the machine that the tables of a TOML file describe.

    Parameters:
        tables: as `read_toml` gives them; an empty dict is the out-of-order reference machine.
        where: what errors call the tables.

    Raises:
        SpecError: a setting that does not exist, or a value that it does not take.

    Example:
        >>> machine = machine_from({"mode": "ooo", "l1d": {"size": "64 kB", "clock": "10 GHz"}, "core": {"rob": 64}})
        >>> machine.l1d.size, machine.core.rob, machine.l2.size
        (65536, 64, 524288)
    """
    mode = tables.get("mode", "ooo")
    if mode not in MODES:
        raise unknown(f"mode of {where}", str(mode), MODES)
    name = tables.get("preset", "cryo-inorder" if mode == "inorder" else "cryo-ooo")
    if name not in PRESETS:
        raise unknown(f"preset of {where}", str(name), PRESETS)
    machine: Machine = PRESETS[name]()
    if mode != "functional" and machine.core.kind != mode and "mode" in tables:
        raise SpecError(
            f"{where}: preset '{name}' has a core of kind '{machine.core.kind}', not '{mode}'; leave one of them out"
        )
    changes: dict[str, Any] = {}
    for level in LEVELS:
        if level in tables:
            changes[level] = _cache(machine, level, _table(tables, level, where), where)
    if "core" in tables:
        changes["core"] = _core(machine.core, _table(tables, "core", where), f"{where}: [core]")
    if "dram" in tables:
        table = dict(_table(tables, "dram", where))
        base = dram(str(table.pop("preset"))) if "preset" in table else machine.dram
        changes["dram"] = _part(base, table, f"{where}: [dram]")
    if "translation" in tables:
        changes["translation"] = _translation(machine, tables, where)
    for key in ("inclusion", "first_touch"):
        if key in tables:
            changes[key] = tables[key]
    made = replace(machine, **changes)
    if made.l3 is None and machine.l3 is not None and made.l2 is not None:
        made = replace(made, l2=replace(made.l2, bus=machine.l3.bus))
    return _synchronous_buses(made, tables)


def _synchronous_buses(machine: Machine, tables: dict[str, Any]) -> Machine:
    """Give each bus the clock of the level that it leads to, unless its own clock was set."""
    own = {name for name in LEVELS if "clock" in tables.get(name, {}).get("bus", {})}
    made = with_buses(machine)
    kept: dict[str, Any] = {name: machine.levels[name] for name in own if name in machine.levels}
    return replace(made, **kept)


def load_machine(path: str | Path) -> Machine:
    """Return the machine that a TOML file describes.

    Raises:
        SpecError: see `read_toml` and `machine_from`.
    """
    return machine_from(read_toml(path), str(path))


def _table(tables: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    table = tables[name]
    if not isinstance(table, dict):
        raise SpecError(f"{where}: {name} = {table!r} is no table; write [{name}] and its settings below")
    return table


def _value(kind: str, value: object, where: str, timed: bool) -> object:
    """Return a setting's value in the type of its field; times may be text with a unit, cycles may not."""
    if "Frequency" in kind:
        return to_frequency(value, where)
    if "int" in kind and "bool" not in kind:
        if isinstance(value, str) and "str" in kind:
            return value
        if isinstance(value, str) and timed:
            return to_fs(value, where, rounding="nearest")
        if isinstance(value, bool) or not isinstance(value, int):
            raise SpecError(f"{where} = {value!r}: give a whole number")
        return value
    if kind == "bool" and not isinstance(value, bool):
        raise SpecError(f"{where} = {value!r}: give true or false")
    return value


def _part(part: Any, table: dict[str, Any], where: str) -> Any:
    kinds = {f.name: str(f.type) for f in fields(part)}
    values: dict[str, object] = {}
    for name, value in table.items():
        if name not in kinds:
            raise unknown(f"setting of {where}", name, kinds)
        timed = isinstance(part, Dram) or name == "flight"
        values[name] = _value(kinds[name], value, f"{where} {name}", timed)
    return replace(part, **values)


def _cache(machine: Machine, level: str, table: dict[str, Any], where: str) -> Cache | None:
    where = f"{where}: [{level}]"
    base: Cache | None = getattr(machine, level)
    table = dict(table)
    if "size" in table:
        table["size"] = read_size(table["size"], f"{where} size")
        if table["size"] == 0 and level in ("l2", "l3"):
            return None
    for name in ("line", "sectors", "victim"):
        table.pop(name, None)  # of the functional caches; the timed ones have 64-byte lines
    bus = table.pop("bus", {})
    if base is None:
        base = machine.l2 or machine.l1d
    cache: Cache = _part(base, table, where)
    if bus:
        cache = replace(cache, bus=_part(base.bus, bus, f"{where} bus"))
    return cache


def _translation(machine: Machine, tables: dict[str, Any], where: str) -> Translation | None:
    """Return the TLBs and walker of a table, which starts from the preset's, or from one that is usual."""
    if tables["translation"] is False:
        return None
    table = dict(_table(tables, "translation", where))
    where = f"{where}: [translation]"
    made = machine.translation or Translation(Tlb(16, 4), Tlb(16, 4), Tlb(128, 12, latency=8))
    parts: dict[str, Any] = {}
    for name in ("data", "fetch", "shared"):
        if name in table:
            parts[name] = _part(getattr(made, name), _table(table, name, where), f"{where} {name}")
            del table[name]
    if "caches" in table:
        rows = table.pop("caches")
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and {"level", "sets", "ways"} == set(row) for row in rows
        ):
            raise SpecError(
                f"{where} caches = {rows!r}: give a list such as [{{level = 2, sets = 4, ways = 8}}]"
            )
        parts["caches"] = tuple(_part(WalkCache(2, 1, 1), row, f"{where} caches") for row in rows)
    if "page" in table:
        table["page"] = read_size(table["page"], f"{where} page")
    return replace(_part(made, table, where), **parts)  # type: ignore[no-any-return]


def _core(core: Core, table: dict[str, Any], where: str) -> Core:
    table = dict(table)
    units = dict(core.units)
    named = table.pop("units", {})
    if not isinstance(named, dict) or not all(isinstance(settings, dict) for settings in named.values()):
        raise SpecError(
            f"{where}: units = {named!r} is no table; write [core.units.NAME] and its settings below"
        )
    for name, settings in named.items():
        if name not in units:
            raise unknown(f"unit of {where}", name, units)
        units[name] = _part(units[name], settings, f"{where} units.{name}")
    width = table.pop("width", None)
    if width is not None:
        for stage in ("fetch", "decode", "rename", "dispatch", "issue", "commit"):
            table.setdefault(stage, width)
    made: Core = _part(core, table, where)
    return replace(made, units=units)
