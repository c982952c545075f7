"""Ports and the links between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np

from hwmodel.errors import SpecError, WiringError
from hwmodel.units import Time, TimeLike, format_time, to_fs

Direction = Literal["in", "out"]
Protocol = Literal["pulse", "bits", "event"]
SignalKind = Literal["pulse", "level", "event"]

KIND_OF_PROTOCOL: dict[str, SignalKind] = {"pulse": "pulse", "bits": "level", "event": "event"}

_PATH = re.compile(r"[A-Za-z_]\w*(\[\d+\])?(\.[A-Za-z_]\w*(\[\d+\])?)*")


def check_name(name: object, what: str) -> str:
    """Require a path of names such as `layer.cell[3]`."""
    if not isinstance(name, str) or not _PATH.fullmatch(name):
        raise SpecError(
            f"{what} name {name!r}: use letters, digits and _, parts joined by '.', as in 'layer.cell[3]'"
        )
    return name


def whole_number(value: object, what: str) -> int:
    """Require a whole number, of Python or NumPy; a truncated one would be wrong in silence."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise SpecError(f"{what}={value!r}: a whole number is wanted, got {type(value).__name__}")
    return int(value)


def port_value(value: object, what: str, bits: int = 64) -> int:
    """Require a whole number that fits into `bits`, as it is or in two's complement."""
    if type(value) is int:
        number = value
    else:
        number = int(value) if isinstance(value, bool | np.bool_) else whole_number(value, what)
    least, most = value_range(bits)
    if not least <= number <= most:
        raise SpecError(f"{what}={number} does not fit into {bits} bits; it goes from {least} to {most}")
    return number


def value_range(bits: int) -> tuple[int, int]:
    """Least and greatest whole number that fit into so many bits, as they are or in two's complement."""
    return -(1 << (bits - 1)), min(1 << bits, 1 << 63) - 1


@dataclass(frozen=True)
class Port:
    """One named end of a link.

    Parameters:
        name: name within its component.
        direction: "in" or "out".
        protocol: "pulse" (an SFQ pulse, no value), "bits" (a held value of `width` bits) or
            "event" (a message with a value).
        width: bits of the value, 1 to 64.
        required: an input that must be connected or driven before a run.
        role: free text such as "initiator"; ports with the same role do not join.
        owner: path of its component, filled in by the component.

    Raises:
        SpecError: a malformed name, or a width outside 1 to 64.

    Example:
        >>> Port("q", "out", "pulse", owner="net").path
        'net.q'
    """

    name: str
    direction: Direction
    protocol: Protocol = "event"
    width: int = 1
    required: bool = True
    role: str = ""
    owner: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "port")
        if self.direction not in ("in", "out"):
            raise SpecError(f"port '{self.path}': direction {self.direction!r} is neither 'in' nor 'out'")
        if self.protocol not in KIND_OF_PROTOCOL:
            raise SpecError(
                f"port '{self.path}': protocol {self.protocol!r} is not one of pulse, bits, event"
            )
        if not 1 <= whole_number(self.width, f"port '{self.path}': width") <= 64:
            raise SpecError(f"port '{self.path}': width {self.width} is outside 1 to 64 bits")

    @property
    def path(self) -> str:
        """Name with the component's path before it."""
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def bits(self) -> int:
        """Bits of the whole number that a message holds: only held values have a width of their own."""
        return self.width if self.protocol == "bits" else 64


@dataclass(frozen=True, init=False)
class Link:
    """A one-way connection with a latency greater than zero (rule K1).

    Parameters:
        source: an output port.
        target: an input port.
        latency: time from sending to delivery.

    Raises:
        WiringError: direction, protocol, width or role do not fit, or the latency is not positive.

    Example:
        >>> from hwmodel.units import ps
        >>> Link(Port("q", "out", "pulse", owner="a"), Port("d", "in", "pulse", owner="b"), ps(20)).name
        'a.q -> b.d'
    """

    source: Port
    target: Port
    latency: int

    def __init__(self, source: Port, target: Port, latency: TimeLike) -> None:
        delay = to_fs(latency, "latency")
        name = f"{source.path} -> {target.path}"
        if source.direction != "out" or target.direction != "in":
            raise WiringError(
                f"link {name}: it must go from an output to an input, but '{source.path}' is an "
                f"{source.direction}put and '{target.path}' an {target.direction}put; swap or choose other ports"
            )
        if source.protocol != target.protocol:
            raise WiringError(
                f"link {name}: protocols differ, '{source.protocol}' and '{target.protocol}'; "
                "put a converting component between them"
            )
        if source.width != target.width:
            raise WiringError(
                f"link {name}: widths differ, {source.width} and {target.width} bits; make them equal"
            )
        if source.role and source.role == target.role:
            raise WiringError(
                f"link {name}: both ends have the role '{source.role}'; one must be its counterpart"
            )
        if delay <= 0:
            raise WiringError(
                f"link {name}: latency {format_time(delay)} must be greater than zero between two domains; "
                "give the flight time, or put both parts into one component (rule K1)"
            )
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "latency", delay)

    @property
    def name(self) -> str:
        """Both port paths; links are ordered by it within one femtosecond (rule K3)."""
        return f"{self.source.path} -> {self.target.path}"

    def __repr__(self) -> str:
        return f"<Link {self.name}, latency {Time(self.latency)}>"
