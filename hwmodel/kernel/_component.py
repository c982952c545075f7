"""Components, the engines that run them, and what an engine is given."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hwmodel.errors import WiringError, unknown
from hwmodel.kernel._buffers import Inbox, Outbox
from hwmodel.kernel._clock import Clock
from hwmodel.kernel._ports import KIND_OF_PROTOCOL, Port, SignalKind, check_name
from hwmodel.kernel._trace import Recorder
from hwmodel.units import Time

# In the text of functions and plain objects; another one in every process.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

State = Mapping[str, npt.NDArray[Any]]


@runtime_checkable
class Engine(Protocol):
    """What runs a component: four members, no base class (rules K2, K4, K7)."""

    def advance(self, t1: int) -> None:
        """Run every event with t < t1 fs, and no other."""
        ...

    def next_event(self) -> int:
        """Time of the earliest local event in fs, or NEVER. Undelivered messages do not count."""
        ...

    def state(self) -> State:
        """Arrays that describe the state, the same for every window and order of building."""
        ...

    def snapshot(self) -> State:
        """Arrays from which the engine can be built again, to go on as if never stopped."""
        ...


def stream_key(seed: int, path: str) -> int:
    """Derive the 64-bit key of the random stream of `path` (rule K7).

    Example:
        >>> stream_key(1, "net.syn[0]") == stream_key(1, "net.syn[0]") != stream_key(2, "net.syn[0]")
        True
    """
    digest = hashlib.blake2b(f"{seed}/{path}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@dataclass
class BuildContext:
    """What a component is given to build its engine from.

    Attributes:
        path: name of the component in the system.
        seed: seed of the run; take random streams from `stream`, not from this.
        watch: signals of this component to record, in the order of the recorder's numbers.
        inbox, outbox: messages in and out; ports are numbered as in `ports_in` and `ports_out`.
        recorder: takes what is recorded of the watched signals.
        snapshot: what `Engine.snapshot` gave, when a run is resumed; else None.
        linked: outputs that have a link; messages through others go nowhere and need not be sent.
    """

    path: str
    seed: int
    watch: tuple[str, ...]
    ports_in: tuple[str, ...]
    ports_out: tuple[str, ...]
    inbox: Inbox
    outbox: Outbox
    recorder: Recorder
    snapshot: State | None = None
    linked: frozenset[str] = frozenset()

    def stream(self, name: str = "") -> int:
        """64-bit key of the random stream of a part of this component."""
        return stream_key(self.seed, f"{self.path}.{name}" if name else self.path)


class Component:
    """A part of a system: a frozen spec, ports, and an engine built when the run begins.

    Parameters:
        name: its path, such as `core` or `layer.cell[3]`; unique in a system.
        ports: its ports; the owner is filled in.
        spec: a frozen dataclass of its parameters, or None.

    A subclass overrides `build`, and `signals`, `stats` and `check` where it has more to say.
    Ports are attributes: `core.mailbox` is `core.port("mailbox")`.

    Attributes:
        reaction: fs, the least time from a message to anything that it causes to be sent. The longer it is, the further
            can others run at once; the results are the same. What follows from local events alone may be sent at once.
    """

    reaction = 0

    def __init__(self, name: str, ports: Iterable[Port] = (), spec: Any = None) -> None:
        self.name = check_name(name, "component")
        self.spec = spec
        self._ports: dict[str, Port] = {}
        for port in ports:
            self.add_port(port)

    def add_port(self, port: Port) -> Port:
        """Add a port; its name must be new."""
        if port.name in self._ports:
            raise WiringError(f"component '{self.name}' has two ports named '{port.name}'; rename one")
        self._ports[port.name] = replace(port, owner=self.name)
        return self._ports[port.name]

    @property
    def ports(self) -> Mapping[str, Port]:
        """Ports by name."""
        return MappingProxyType(self._ports)

    def port(self, name: str) -> Port:
        """The port `name`; an unknown one is an error that offers the nearest."""
        try:
            return self.ports[name]
        except KeyError:
            raise unknown(f"port of component '{self.name}'", name, self.ports) from None

    def __getattr__(self, name: str) -> Port:
        # Only reached when no real attribute has the name.
        if not name.startswith("_") and "_ports" in self.__dict__ and name in self.ports:
            return self.ports[name]
        raise AttributeError(
            f"{type(self).__name__} '{self.__dict__.get('name', '?')}' has no attribute or port '{name}'"
        )

    def signals(self) -> Mapping[str, SignalKind]:
        """Names that can be watched, and their kinds; by default the ports."""
        return {name: KIND_OF_PROTOCOL[port.protocol] for name, port in self.ports.items()}

    def signal_width(self, name: str) -> int:
        """Bits of a level signal."""
        port = self.ports.get(name)
        return port.width if port else 64

    def build(self, context: BuildContext) -> Engine:
        """Build the engine that runs this component."""
        raise TypeError(
            f"{type(self).__name__} '{self.name}' defines no build(context) that returns an engine"
        )

    def stats(self, engine: Engine, elapsed: int) -> dict[str, int | float | str]:
        """Key figures after a run of `elapsed` fs."""
        return {}

    def warnings(self, engine: Engine) -> list[str]:
        """What a run met that its reader should know, for the manifest."""
        return []

    def check(self) -> list[str]:
        """Raise for what would make a run wrong; return warnings."""
        return []

    def describe(self) -> dict[str, Any]:
        """Type, spec and ports as JSON-able values, for the manifest."""
        ports = [
            {"name": p.name, "direction": p.direction, "protocol": p.protocol, "width": p.width}
            for p in self.ports.values()
        ]
        return {"path": self.name, "type": type(self).__name__, "spec": jsonable(self.spec), "ports": ports}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self.ports)} ports>"


def jsonable(value: Any) -> Any:
    """Turn a spec into what JSON can hold; times and clocks become text that reads back."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Time | Clock):
        return repr(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((jsonable(v) for v in value), key=repr)  # else the order would change with the process
    if isinstance(value, Iterable):
        return [jsonable(v) for v in value]
    return _ADDRESS.sub("", repr(value))


@dataclass(frozen=True)
class CheckReport:
    """What `System.check` found: the lookahead of every link, and warnings."""

    links: tuple[str, ...]
    lookahead: int
    warnings: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        from hwmodel.units import NEVER, format_time

        smallest = (
            "no links: no lookahead to keep"
            if self.lookahead == NEVER
            else f"smallest lookahead = {format_time(self.lookahead)}"
        )
        return "\n".join([*self.links, smallest, *(f"warning: {w}" for w in self.warnings)])
