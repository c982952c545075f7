"""The kernel: time, clocks, messages, components and the run (rules K1 to K8).

Domains such as `hwmodel.sfq` build on these names. The timing model stands in
docs/explanation/timing-model.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwmodel.kernel._buffers import Inbox, Outbox
from hwmodel.kernel._clock import Clock
from hwmodel.kernel._clocked import Block, ClockDomain
from hwmodel.kernel._component import (
    BuildContext,
    CheckReport,
    Component,
    Engine,
    State,
    jsonable,
    stream_key,
)
from hwmodel.kernel._model import Model
from hwmodel.kernel._ports import Link, Port, SignalKind
from hwmodel.kernel._process import Message, Process, ProcessContext
from hwmodel.kernel._profile import Profile, profiled
from hwmodel.kernel._result import Result
from hwmodel.kernel._system import System
from hwmodel.kernel._trace import Probe, Recorder, Trace

if TYPE_CHECKING:
    from hwmodel.kernel._kernels import cache_folder as cache_folder
    from hwmodel.kernel._kernels import jit as jit
    from hwmodel.kernel._queues import HeapQueue as HeapQueue
    from hwmodel.kernel._queues import WheelQueue as WheelQueue

__all__ = [
    "Block",
    "BuildContext",
    "CheckReport",
    "Clock",
    "ClockDomain",
    "Component",
    "Engine",
    "HeapQueue",
    "Inbox",
    "Link",
    "Message",
    "Model",
    "Outbox",
    "Port",
    "Probe",
    "Process",
    "ProcessContext",
    "Profile",
    "Recorder",
    "Result",
    "SignalKind",
    "State",
    "System",
    "Trace",
    "WheelQueue",
    "cache_folder",
    "jit",
    "jsonable",
    "profiled",
    "stream_key",
]


def __getattr__(name: str) -> Any:
    # numba takes seconds to import, so what needs it is loaded when first asked for.
    if name in ("HeapQueue", "WheelQueue"):
        from hwmodel.kernel import _queues

        return getattr(_queues, name)
    if name in ("cache_folder", "jit"):
        from hwmodel.kernel import _kernels

        return getattr(_kernels, name)
    raise AttributeError(f"module 'hwmodel.kernel' has no attribute '{name}'")
