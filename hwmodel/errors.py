"""The errors of hwmodel: every one names the object, the value and the remedy.

All of them derive from `HwmodelError`, and each also from the built-in exception that a Python
programmer would expect, so `except ValueError` keeps working.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "BareNumberError",
    "BudgetError",
    "CheckpointError",
    "DeviceError",
    "DeviceTimeoutError",
    "FormatError",
    "HwmodelError",
    "MismatchError",
    "NetlistError",
    "NotRepresentableError",
    "OutputError",
    "QueueOverflowError",
    "ResultError",
    "SpecError",
    "StimulusError",
    "TimeRangeError",
    "TimingViolationError",
    "ToolError",
    "TraceFileError",
    "UnknownNameError",
    "WindowError",
    "WireError",
    "WiringError",
    "unknown",
]


class HwmodelError(Exception):
    """Base of every error that hwmodel raises on purpose."""


class BareNumberError(HwmodelError, TypeError):
    """A number without a unit stands where a time or a frequency is wanted."""


class NotRepresentableError(HwmodelError, ValueError):
    """A time is not a whole number of femtoseconds and no rounding was named."""


class TimeRangeError(HwmodelError, ValueError):
    """A time is negative, in the past, or beyond the 9,223 s that 64 bits of femtoseconds hold."""


class SpecError(HwmodelError, ValueError):
    """A parameter of a component, a cell or a simulation is out of its range."""


class WiringError(HwmodelError, ValueError):
    """Ports do not fit together, or a required port is not connected."""


class WindowError(HwmodelError, ValueError):
    """The window asked for exceeds the smallest link latency (rule K5)."""


class BudgetError(HwmodelError, RuntimeError):
    """A component took more wall time for one window than the run allows it."""


class QueueOverflowError(HwmodelError, RuntimeError):
    """A queue or a buffer reached its checked bound."""


class StimulusError(HwmodelError, ValueError):
    """A stimulus, or a file of stimuli, is malformed."""


class NetlistError(HwmodelError, ValueError):
    """A netlist breaks a rule of its technology: fan-out, floating input, unknown cell."""


class TimingViolationError(HwmodelError, RuntimeError):
    """A pulse arrived inside a hold time and the policy is `error`."""


class ResultError(HwmodelError, ValueError):
    """A result has no such trace, or a result file is damaged or foreign."""


class CheckpointError(HwmodelError, ValueError):
    """A checkpoint is damaged, or belongs to another system."""


class OutputError(HwmodelError, OSError):
    """An output folder or file cannot be written without losing something."""


class TraceFileError(HwmodelError, ValueError):
    """A trace file is truncated or of another format."""


class FormatError(HwmodelError, ValueError):
    """A number format is malformed, or a value does not fit it."""


class MismatchError(HwmodelError, RuntimeError):
    """A design and its reference differ; the message names cycle, input, expected and got."""


class ToolError(HwmodelError, RuntimeError):
    """An outside program is missing or failed; the message says how to get it."""


class WireError(HwmodelError, ValueError):
    """A frame cannot be put on a wire, or what came is no frame."""


class DeviceError(HwmodelError, RuntimeError):
    """A device is gone, refuses a setting, or reads back another one."""


class DeviceTimeoutError(DeviceError, TimeoutError):
    """A device did not answer in time."""


class UnknownNameError(HwmodelError, LookupError):
    """A name is not among those known; the message offers the nearest ones."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Make the error for an unknown name, with "did you mean" where something is near.

    Example:
        >>> print(unknown("cell", "xorr", ["xor", "xnor", "jtl"]))
        unknown cell 'xorr'; did you mean 'xor'? Known: jtl, xnor, xor
    """
    names = sorted(set(known))
    near = get_close_matches(name, names, n=1, cutoff=0.5) or [n for n in names if n.lower() == name.lower()]
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    shown = ", ".join(names[:40]) + (f", ... ({len(names)} in all)" if len(names) > 40 else "")
    return UnknownNameError(f"unknown {kind} '{name}'{hint} Known: {shown or 'none'}")
