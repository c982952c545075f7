"""The modules of the simulation silicon_heartbeat, for tests of its parts."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from hwmodel import _simulations

NAME = "hwmodel_simulation_silicon_heartbeat"


def part(name: str) -> ModuleType:
    """A module of the simulation; all of them from one loading."""
    _loaded()
    return importlib.import_module(f"{NAME}.{name}")


def _loaded() -> None:
    if f"{NAME}.run" not in sys.modules:
        _simulations.find("silicon_heartbeat").load()


def small_plan(seed: int = 1, **sizes: float) -> Any:
    """The shipped plan with sizes such as h1__session_s=40."""
    wanted = {name.replace("__", "."): value for name, value in sizes.items()}
    return part("plan").read_plan("", wanted, seed, "labels")
