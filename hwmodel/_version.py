"""The version, read from the installed package so that it is written once."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hwmodel")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"
