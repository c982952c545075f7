"""A finished netlist: wires followed to their ends, splitters put in, everything in canonical order.

The order is by name, never by the order of building: it decides which of two simultaneous pulses goes first.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwmodel.errors import NetlistError
from hwmodel.sfq.pulse._cell import Cell
from hwmodel.sfq.pulse._wire import Instance, Use, Wire, natural_key

if TYPE_CHECKING:
    from hwmodel.sfq.pulse._netlist import Netlist

SHOWN = 20  # loops and forgotten wires named in warnings; more are counted


@dataclass(frozen=True)
class Pin:
    """Where pulses arrive: input `index` of an instance, an output port, or an end that nothing reads."""

    path: str
    instance: Instance | None = None
    index: int = 0
    port: str = ""


@dataclass
class Structure:
    """What the engines are built from."""

    by_name: dict[str, Instance] = field(default_factory=dict)  # canonical order
    pins: list[Pin] = field(default_factory=list)  # canonical order: pulses of one femtosecond go in it
    routes: dict[str, tuple[int, int]] = field(
        default_factory=dict
    )  # "xor[0].q" or input port -> (pin, delay in fs)
    signals: dict[str, int] = field(default_factory=dict)  # watchable name -> pin, -1 for an input port
    input_ports: tuple[str, ...] = ()  # canonical order
    output_ports: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def cell_counts(self) -> dict[str, int]:
        """Number of cells by kind."""
        return dict(sorted(Counter(instance.cell.name for instance in self.by_name.values()).items()))

    def digest(self) -> str:
        """Hash of cells, timing and wiring."""
        kinds: dict[int, int] = {}
        text: list[Any] = []
        for instance in self.by_name.values():
            if id(instance.cell) not in kinds:
                kinds[id(instance.cell)] = len(kinds)
                text.append(instance.cell.describe())
            text.append((instance.name, kinds[id(instance.cell)], instance.probability, instance.policy))
        text.append(sorted(self.routes.items()))
        return hashlib.sha256(json.dumps(text, sort_keys=True, default=str).encode()).hexdigest()[:16]


_Key = tuple[str, str, int]  # kind of end, path, input index


class _Builder:
    """Follows every wire of a netlist to its end."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.instances: dict[str, Instance] = dict(netlist._instances)
        self.ends: dict[str, tuple[_Key, int]] = {}  # driver -> end, delay
        self.labels: dict[str, _Key] = {}
        self.splitters: Counter[str] = Counter()
        self.unused: list[tuple[str, str]] = []  # driver, where

    def follow(self, driver: str, wire: Wire) -> None:
        """Note where the wire of a driver ends; put splitters where it has several ends."""
        delay, labels = wire.delay, [wire.label]
        while len(wire.uses) == 1 and wire.uses[0].child is not None:
            wire = wire.uses[0].child
            delay += wire.delay
            labels.append(wire.label)
        if len(wire.uses) > 1:
            end: _Key = ("cell", self.split(driver, wire.uses), 0)
        elif wire.uses and (instance := wire.uses[0].instance) is not None:
            end = ("cell", instance.name, wire.uses[0].index)
        elif wire.uses and wire.uses[0].port:
            end = ("port", wire.uses[0].port, 0)
        else:
            end = ("none", driver, 0)
            if not wire.uses:
                self.unused.append((driver, wire.place))
        self.ends[driver] = end, delay
        self.labels.update(dict.fromkeys(filter(None, labels), end))

    def split(self, driver: str, uses: list[Use]) -> str:
        """Build a balanced tree of splitters below a driver and return the name of its root."""
        cell = self.netlist.library.get("split")
        if cell is None or len(cell.inputs) != 1 or len(cell.outputs) != 2:
            raise NetlistError(
                f"netlist '{self.netlist.name}': auto_split needs a cell 'split' with one input and two outputs in "
                "its library; add one, or place splitters by hand"
            )
        return self.tree(driver.split(".split[")[0], cell, sorted(uses, key=_use_key))

    def tree(self, base: str, cell: Cell, uses: list[Use]) -> str:
        name = f"{base}.split[{self.splitters[base]}]"
        self.splitters[base] += 1
        if name in self.netlist._names:
            raise NetlistError(
                f"netlist '{self.netlist.name}': auto_split wants the name '{name}', taken at "
                f"{self.netlist._names[name]}; rename that cell"
            )
        self.instances[name] = Instance(name, cell, uses[1].place)
        half = (len(uses) + 1) // 2
        for output, part in zip(cell.outputs, (uses[:half], uses[half:]), strict=True):
            driver = f"{name}.{output}"
            if len(part) > 1:
                self.ends[driver] = ("cell", self.tree(base, cell, part), 0), 0
            else:
                # A piece of wire with a single end, so that `follow` sees what it sees elsewhere.
                piece = Wire(self.netlist, part[0].place)
                piece.uses = part
                self.follow(driver, piece)
        return name

    def finish(self) -> Structure:
        netlist = self.netlist
        ports_in = sorted(netlist._sources, key=natural_key)
        for port in ports_in:
            self.follow(port, netlist._sources[port])
        for name in sorted(netlist._instances, key=natural_key):
            instance = netlist._instances[name]
            for output, wire in zip(instance.cell.outputs, instance.outputs, strict=True):
                self.follow(f"{name}.{output}", wire)
        built = Structure(input_ports=tuple(ports_in))
        built.output_ports = tuple(sorted(netlist._sinks, key=natural_key))
        built.by_name = {name: self.instances[name] for name in sorted(self.instances, key=natural_key)}
        number = self.number_pins(built)
        built.routes = {driver: (number[end], delay) for driver, (end, delay) in self.ends.items()}
        built.signals = dict.fromkeys(built.input_ports, -1)
        built.signals |= {port: number["port", port, 0] for port in built.output_ports}
        built.signals |= {
            driver: pin for driver, (pin, _) in built.routes.items() if driver not in netlist._sources
        }
        built.signals |= {label: number[end] for label, end in self.labels.items()}
        built.warnings = (*_loop_warnings(built), *self.unused_warnings())
        return built

    def number_pins(self, built: Structure) -> dict[_Key, int]:
        pins: list[tuple[Any, _Key, Pin]] = []
        for name, instance in built.by_name.items():
            order = natural_key(name)
            for index in range(len(instance.cell.inputs)):
                pins.append(((order, index), ("cell", name, index), Pin(name, instance, index)))
        for port in built.output_ports:
            pins.append(((natural_key(port), -1), ("port", port, 0), Pin(port, port=port)))
        for driver, (end, _) in self.ends.items():
            if end[0] == "none":
                pins.append(((natural_key(driver), -2), end, Pin(driver)))
        pins.sort(key=lambda item: item[0])
        built.pins = [pin for _, _, pin in pins]
        return {key: n for n, (_, key, _) in enumerate(pins)}

    def unused_warnings(self) -> Iterator[str]:
        for driver, place in self.unused[:SHOWN]:
            what = "input port" if driver in self.netlist._sources else "output"
            yield f"netlist '{self.netlist.name}': {what} {driver} goes nowhere ({place}); use it or terminate() it"
        if len(self.unused) > SHOWN:
            yield f"netlist '{self.netlist.name}': {len(self.unused) - SHOWN} further wires go nowhere"


def _use_key(use: Use) -> Any:
    """Sort key of what a wire ends at: by name, so that the order of building does not shape the splitter tree."""
    if use.child is not None:
        return min((_use_key(later) for later in use.child.uses), default=(natural_key("~"), 1))
    if use.instance is not None:
        return natural_key(use.instance.name), use.index
    return natural_key(use.port or "~"), 0


def _check_feedbacks(netlist: Netlist) -> None:
    for feedback in netlist._feedbacks:
        wire, seen = feedback, set[int]()
        while wire.parent is not None and id(wire) not in seen:
            seen.add(id(wire))
            wire = wire.parent
        if wire.parent is not None:
            raise NetlistError(
                f"feedback '{feedback.label}' ({feedback.place}): the feedback wires drive each other in a circle; "
                "close one of them with a cell's output"
            )
        if wire.source is None:
            raise NetlistError(
                f"feedback '{wire.label}' ({wire.place}): never driven; "
                f"give it a driver with net.close({wire.label}, source)"
            )


def _loop_warnings(built: Structure) -> Iterator[str]:
    free = {name for name, instance in built.by_name.items() if instance.cell.clock is None}
    after: dict[str, list[str]] = {name: [] for name in free}
    for name in free:
        for output in built.by_name[name].cell.outputs:
            end = built.pins[built.routes[f"{name}.{output}"][0]].instance
            if end is not None and end.name in free:
                after[name].append(end.name)
    for number, loop in enumerate(_loops(after)):
        if number == SHOWN:
            yield "further loops without a clocked cell are not named"
            return
        yield (
            f"loop without a clocked cell: {' -> '.join([*loop, loop[0]])}; a pulse in it goes round for ever "
            "(a ring oscillator); if that is not meant, put a clocked cell such as dff into it"
        )


def _loops(after: dict[str, list[str]]) -> Iterator[list[str]]:
    """Yield disjoint loops of a directed graph, each from its first name."""
    before: dict[str, list[str]] = {name: [] for name in after}
    for name, ends in after.items():
        for end in ends:
            before[end].append(name)
    left = set(after)
    _peel(left, after, before, after)
    for start in sorted(left, key=natural_key):
        if start not in left:
            continue
        path: dict[str, None] = {}
        name = start
        while name not in path:
            path[name] = None
            name = min((end for end in after[name] if end in left), key=natural_key)
        names = list(path)
        loop = names[names.index(name) :]
        first = min(range(len(loop)), key=lambda i: natural_key(loop[i]))
        yield loop[first:] + loop[:first]
        left.difference_update(loop)
        _peel(left, after, before, {name for member in loop for name in (*before[member], *after[member])})


def _peel(
    left: set[str], after: dict[str, list[str]], before: dict[str, list[str]], among: Iterable[str]
) -> None:
    """Remove all nodes that lie on no loop and not between two."""
    todo = [name for name in among if name in left]
    while todo:
        name = todo.pop()
        if name in left and not (_any(after[name], left) and _any(before[name], left)):
            left.remove(name)
            todo += [other for other in (*after[name], *before[name]) if other in left]


def _any(names: list[str], left: set[str]) -> bool:
    return any(name in left for name in names)


def build_structure(netlist: Netlist) -> Structure:
    """Finish a netlist, or raise for what is missing."""
    _check_feedbacks(netlist)
    return _Builder(netlist).finish()
