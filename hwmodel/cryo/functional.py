"""Functional caches from the tables of a machine file: geometry and policies, no clocks."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from hwmodel.cryo.config import PRESETS, Cache
from hwmodel.cryo.toml import LEVELS, TOP, read_size
from hwmodel.errors import SpecError, unknown

if TYPE_CHECKING:
    from hwmodel.cryo.cache import CacheSpec, Hierarchy

__all__ = ["functional_from"]

OWN = ("line", "policy", "write", "allocate", "sector", "victim_lines", "prefetch", "seed")
TIMED = tuple(f.name for f in fields(Cache) if f.name not in ("size", "ways", "policy"))
"""Settings of the timed caches, which a file for both may hold; they say nothing here."""


def functional_from(tables: dict[str, Any], where: str = "machine") -> Hierarchy:
    """Return the functional caches that a machine file describes.

    The levels are those that the file names; a file that names none has those of its preset. Prefetchers of the timed
    machine are left out, because what they fetch in time cannot be known without times; `prefetch` of a level's table
    gives it one.

    Parameters:
        tables: as `read_toml` gives them.
        where: what errors call them.

    Raises:
        SpecError: a geometry that no cache can have.
        UnknownNameError: a setting, a preset or a policy that does not exist.

    Example:
        >>> caches = functional_from({"l1d": {"size": "4 kB", "ways": 4}, "l2": {"size": "32 kB", "ways": 8}})
        >>> caches.run(([0, 64, 0], [0, 0, 1]))["l1d"].read_misses
        2
    """
    from hwmodel.cryo.cache import Hierarchy

    for name in tables:
        if name not in TOP:
            raise unknown(f"setting of {where}", name, TOP)
    named = [level for level in LEVELS if level in tables and tables[level].get("size") != 0]
    preset = tables.get("preset", "cryo-ooo")
    if preset not in PRESETS:
        raise unknown(f"preset of {where}", str(preset), PRESETS)
    machine = PRESETS[preset]().levels
    levels = named or list(machine)
    if "l1d" not in levels:
        raise SpecError(f"{where}: functional caches need a table [l1d]")
    made = {level: _spec(level, tables.get(level, {}), machine.get(level), where) for level in levels}
    path = [made[level] for level in ("l1d", "l2", "l3") if level in made]
    return Hierarchy(path, inclusion=tables.get("inclusion", "nine"), instruction=made.get("l1i"))


def _spec(level: str, table: dict[str, Any], like: Cache | None, where: str) -> CacheSpec:
    """Return one level; what its table leaves out is as in the preset."""
    from hwmodel.cryo.cache import CacheSpec

    settings: dict[str, Any] = {"name": level}
    if like is not None:
        settings |= {"size": like.size, "ways": like.ways}
    for name, value in table.items():
        if name == "size":
            settings["size"] = read_size(value, f"{where}: [{level}] size")
        elif name == "ways" or name in OWN:
            settings[name] = value
        elif name not in TIMED:
            raise unknown(f"setting of {where}: [{level}]", name, ("size", "ways", *OWN, *TIMED))
    return CacheSpec(**settings)
