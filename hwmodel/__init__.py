"""hwmodel: models of computing hardware, from SFQ pulses up, on one integer time line.

Python composes, compiled engines run. A `System` joins components by `Link`s, drives them and
runs them; a `Result` holds what was seen. Importing this package loads none of numba, torch or
PyRTL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwmodel._version import __version__

if TYPE_CHECKING:
    from hwmodel.kernel import (
        Block,
        Clock,
        ClockDomain,
        Component,
        Engine,
        Link,
        Model,
        Port,
        Probe,
        Process,
        Result,
        System,
        Trace,
    )

__all__ = [
    "Block",
    "Clock",
    "ClockDomain",
    "Component",
    "Engine",
    "Link",
    "Model",
    "Port",
    "Probe",
    "Process",
    "Result",
    "System",
    "Trace",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # The kernel needs NumPy, and `hwmodel --help` should not wait for it.
    if name in __all__:
        from hwmodel import kernel

        return getattr(kernel, name)
    raise AttributeError(f"module 'hwmodel' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
