"""A timed core as a component of a system, in lock-step with other domains.

The core runs the trace of a program. Address ranges may be mapped to ports: loads from a mailbox wait for messages
or look at the latest one, stores to a doorbell become messages. Importing this module loads no numba.

A trace holds no data: what a message says changes neither the way that the program takes nor the addresses that it
touches. It changes when things happen, and what the value function of a doorbell makes of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hwmodel.cryo._engine_program import CHUNK, Range
from hwmodel.cryo._trace_base import TraceSource
from hwmodel.cryo.config import Machine
from hwmodel.errors import SpecError
from hwmodel.kernel import BuildContext, Component, Port, SignalKind
from hwmodel.units import Time, TimeLike, format_time, to_fs

if TYPE_CHECKING:
    from hwmodel.cryo._engine_run import CoreEngine

__all__ = ["Doorbell", "DoorbellStore", "Mailbox", "TracedCore", "TracedCoreSpec"]

MAX_PORTS = 64
MAX_DEPTH = 1 << 20
Protocol = Literal["event", "bits", "pulse"]


@dataclass(frozen=True)
class Mailbox:
    """An address range from which loads read messages.

    A "blocking" mailbox is a queue: each load takes the oldest message, and waits until there is one. A "polling"
    mailbox is a register: a load takes the value that came last, 0 before any came, and does not wait. Either way the
    data are at the core no earlier than `latency` after the load began and after its message came.

    Parameters:
        base: first address.
        latency: time of a load.
        size: bytes of the range.
        mode: "blocking" or "polling".
        depth: messages that may be unread in a blocking mailbox.
        protocol, width: of the input port.

    Raises:
        SpecError: a range outside of 63 bits, a negative latency, an unknown mode, a depth outside of 1 to 2**20.

    Example:
        >>> from hwmodel.units import ns
        >>> Mailbox(0x1000_0000, ns(5), mode="polling").latency
        ns(5)
    """

    base: int
    latency: TimeLike
    size: int = 8
    mode: Literal["blocking", "polling"] = "blocking"
    depth: int = 1024
    protocol: Protocol = "event"
    width: int = 64

    def __post_init__(self) -> None:
        check_range("Mailbox", self.base, self.size)
        object.__setattr__(self, "latency", Time(to_fs(self.latency, "Mailbox(latency)")))
        if int(self.latency) < 0:
            raise SpecError(f"Mailbox(latency={self.latency!r}): give a time of 0 or more")
        if self.mode not in ("blocking", "polling"):
            raise SpecError(f"Mailbox(mode={self.mode!r}): give 'blocking' or 'polling'")
        if not 1 <= whole(self.depth, "Mailbox(depth)") <= MAX_DEPTH:
            raise SpecError(f"Mailbox(depth={self.depth}): give 1 to {MAX_DEPTH}")


@dataclass(frozen=True)
class DoorbellStore:
    """A store to a doorbell, as its value function is told of it.

    Attributes:
        number: how many stores went to this doorbell before.
        t: time at which it leaves the core.
        address: its address.
        received: for each mailbox that was read by then, the value that the last load before the store read.
    """

    number: int
    t: Time
    address: int
    received: Mapping[str, int]


@dataclass(frozen=True)
class Doorbell:
    """An address range to which stores send messages, at the time at which they leave the store queue.

    Parameters:
        base: first address.
        size: bytes of the range.
        value: gives the value of a message from its `DoorbellStore`, for a trace does not hold what was stored; it
            must depend on nothing else. Without it the value is the number of the store.
        protocol, width: of the output port.

    Raises:
        SpecError: a range outside of 63 bits, or a value that is no function.

    Example:
        >>> Doorbell(0x1000_0040, value=lambda store: store.received.get("level", 0) // 2).size
        8
    """

    base: int
    size: int = 8
    value: Callable[[DoorbellStore], int] | None = None
    protocol: Protocol = "event"
    width: int = 64

    def __post_init__(self) -> None:
        check_range("Doorbell", self.base, self.size)
        if self.value is not None and not callable(self.value):
            raise SpecError(f"Doorbell(value={self.value!r}): give a function of a DoorbellStore")


@dataclass(frozen=True)
class TracedCoreSpec:
    """What a traced core was made of, for the manifest and for checkpoints.

    Attributes:
        trace: what the trace comes from, in its own words.
        digest: hash of its description and its first instructions.
        machine: core, caches and memory.
        mailboxes, doorbells: mapped ranges by the name of their port.
        repeat: how often the program runs.
    """

    trace: str
    digest: str
    machine: Machine
    mailboxes: Mapping[str, Mailbox] = field(default_factory=dict)
    doorbells: Mapping[str, Doorbell] = field(default_factory=dict)
    repeat: int = 1


class TracedCore(Component):
    """A core, with its caches and memory, that runs the trace of a program.

    Cycle 0 of all its clocks is at t = 0. Each mailbox is an input of its name, each doorbell an output, and the
    output `done` sends the number of instructions when the last one has committed and the last doorbell has left.

    Accesses to mapped ports are made in program order and never in advance: each waits for all that is before it, and
    what follows waits for it, as between two fences. They go to no cache. An access belongs to the range in which its
    first byte lies.

    Besides its ports one can watch `commit`, a pulse for each instruction (with `Probe("core.commit", clock)` the
    instructions in each period), and `stall`, a level that is 1 while a load waits for its message; a wait is seen
    once it is over.

    Parameters:
        name: path of the component.
        trace: an open trace, or the path of one; it must hold program counters.
        machine: core, caches and memory.
        mailboxes, doorbells: mapped ranges, by the names of their ports.
        repeat: how often the program runs, one after the other.

    Raises:
        SpecError: a trace without program counters, ranges that overlap, more than 64 mailboxes, repeat below 1.
        TraceFileError: a trace that cannot be read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import hwmodel as hw
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> from hwmodel.cryo.trace import TraceWriter
        >>> from hwmodel.units import ns, us
        >>> path = Path(tempfile.mkdtemp()) / "echo.hwt"
        >>> with TraceWriter(path, {"source": "echo", "has_pc": True}) as writer:
        ...     load = writer.static(pc=0x1000, size=4, loads=1, load_size=8, destinations=[5])
        ...     store = writer.static(pc=0x1004, size=4, stores=1, store_size=8, sources=[5])
        ...     writer.write([load, store], [0x1000_0000, 0x1000_0040])
        >>> core = TracedCore(
        ...     "core", path, cryo_ooo(), mailboxes={"inbox": Mailbox(0x1000_0000, ns(5))},
        ...     doorbells={"bell": Doorbell(0x1000_0040, value=lambda store: store.received["inbox"] + 1)})
        >>> system = hw.System(core)
        >>> system.drive("inbox", at=ns([400]), values=[41])
        >>> bell = system.run(until=us(1), watch=["bell"])["bell"]
        >>> bell.value.tolist(), ns(405) < bell.pulses()[0] < ns(415)
        ([42], True)
    """

    def __init__(
        self,
        name: str,
        trace: TraceSource | str | os.PathLike[str],
        machine: Machine,
        *,
        mailboxes: Mapping[str, Mailbox] | None = None,
        doorbells: Mapping[str, Doorbell] | None = None,
        repeat: int = 1,
    ) -> None:
        if not isinstance(machine, Machine):
            raise SpecError(f"core '{name}': machine={machine!r} is no Machine; give one, such as cryo_ooo()")
        if isinstance(trace, str | os.PathLike):
            from hwmodel.cryo.trace_formats import open_trace

            trace = open_trace(trace)
            close = getattr(trace, "close", None)
            if close is not None:
                weakref.finalize(self, close)
        self.trace: TraceSource = trace
        if not trace.meta.get("has_pc"):
            raise SpecError(
                f"core '{name}': trace '{trace.meta.get('source', '')}' holds no program counters, without which a core "
                "cannot fetch; record the program with `hwmodel trace record`"
            )
        if whole(repeat, f"core '{name}': repeat") < 1:
            raise SpecError(f"core '{name}': repeat={repeat}: give 1 or more")
        inputs, outputs = dict(mailboxes or {}), dict(doorbells or {})
        self.ranges = make_ranges(name, inputs, outputs)
        spec = TracedCoreSpec(
            str(trace.meta.get("source", "")), digest_of(trace), machine, inputs, outputs, int(repeat)
        )
        ports = [make_port(port, "in", box) for port, box in inputs.items()]
        ports += [make_port(port, "out", bell) for port, bell in outputs.items()]
        super().__init__(name, [*ports, Port("done", "out", "event", 64)], spec)

    def signals(self) -> Mapping[str, SignalKind]:
        """Ports, commits and stalls."""
        return {**super().signals(), "commit": "pulse", "stall": "level"}

    def signal_width(self, name: str) -> int:
        """Bits of a level signal."""
        return 1 if name == "stall" else super().signal_width(name)

    def build(self, context: BuildContext) -> CoreEngine:
        """Build the engine that runs the program."""
        from hwmodel.cryo._engine_run import CoreEngine

        return CoreEngine(self, context)

    def stats(self, engine: Any, elapsed: int) -> dict[str, int | float | str]:
        """Instructions and cycles of what has been worked out, and what passed through each port."""
        return dict(engine.stats())

    def warnings(self, engine: Any) -> list[str]:
        """Say so if the program did not end, because it waits for a message."""
        port = engine.waiting
        if port is None:
            return []
        since = format_time(engine.now)
        return [
            f"core '{self.name}': instruction {engine.instructions} waits at mailbox '{port}', since t = {since} or later"
        ]


def whole(value: object, what: str) -> int:
    """Return a whole number, or refuse what is none."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise SpecError(f"{what}={value!r}: a whole number is wanted")
    return int(value)


def check_range(kind: str, base: int, size: int) -> None:
    """Refuse an address range that cannot be mapped."""
    if whole(base, f"{kind}(base)") < 0 or whole(size, f"{kind}(size)") < 1 or base + size > 2**63:
        raise SpecError(f"{kind}(base={base:#x}, size={size}): give a range of at least one byte below 2**63")


def make_ranges(
    name: str, mailboxes: Mapping[str, Mailbox], doorbells: Mapping[str, Doorbell]
) -> tuple[Range, ...]:
    """Return the mapped ranges in the order of their addresses; none may overlap another."""
    if len(mailboxes) > MAX_PORTS:
        raise SpecError(f"core '{name}': {len(mailboxes)} mailboxes; a core has at most {MAX_PORTS}")
    ranges = [Range(port, m.base, m.base + m.size, True, n) for n, (port, m) in enumerate(mailboxes.items())]
    ranges += [
        Range(port, d.base, d.base + d.size, False, n) for n, (port, d) in enumerate(doorbells.items())
    ]
    ranges.sort(key=lambda span: span.base)
    for low, high in pairwise(ranges):
        if high.base < low.end:
            raise SpecError(
                f"core '{name}': ports '{low.port}' ({low.base:#x} to {low.end - 1:#x}) and '{high.port}' "
                f"({high.base:#x} to {high.end - 1:#x}) overlap; map them apart"
            )
    return tuple(ranges)


def make_port(name: str, direction: Literal["in", "out"], kind: Mailbox | Doorbell) -> Port:
    """Return the port of a mapped range."""
    return Port(name, direction, kind.protocol, 1 if kind.protocol == "pulse" else kind.width)


def digest_of(trace: TraceSource) -> str:
    """Return a hash of a trace's description and of its first chunk, by which a checkpoint knows it."""
    meta = {key: trace.meta.get(key) for key in ("source", "isa", "instructions", "operands")}
    digest = hashlib.blake2b(json.dumps(meta, sort_keys=True, default=str).encode(), digest_size=8)
    for chunk in trace.chunks(CHUNK, stop=CHUNK):
        for part in (chunk.statics, chunk.ids, chunk.addresses):
            digest.update(np.ascontiguousarray(part).tobytes())
        break
    return digest.hexdigest()
