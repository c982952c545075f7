"""The netlist: SFQ cells and the wires between them, built in Python and run by one compiled engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from hwmodel.errors import NetlistError, SpecError, unknown
from hwmodel.kernel import BuildContext, Component, Engine, Port, SignalKind
from hwmodel.sfq.pulse._cell import POLICIES, Cell, Policy
from hwmodel.sfq.pulse._structure import Structure, build_structure
from hwmodel.sfq.pulse._wire import Instance, Use, Wire, user_place
from hwmodel.units import TimeLike, format_time, to_fs

if TYPE_CHECKING:
    from hwmodel.sfq.pulse._engine import PulseEngine

QueueKind = Literal["auto", "heap", "wheel"]
QUEUES = ("auto", "heap", "wheel")
_REMEDY = "put net.split() between, or make the netlist with auto_split=True"


@dataclass(frozen=True)
class NetlistSpec:
    """What a netlist was made with.

    Parameters:
        library: name of the cell library.
        policy: what a pulse inside a hold time does, where neither instance nor cell says.
        auto_split: put splitters where a wire has several ends.
        queue: "heap", "wheel", or "auto" to choose by the delays.
        queue_limit: most pulses in flight.
    """

    library: str
    policy: Policy = "error"
    auto_split: bool = False
    queue: QueueKind = "auto"
    queue_limit: int = 1 << 22

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise SpecError(str(unknown("violation policy", str(self.policy), POLICIES)))
        if self.queue not in QUEUES:
            raise SpecError(str(unknown("queue", str(self.queue), QUEUES)))
        if not isinstance(self.queue_limit, int) or self.queue_limit < 1:
            raise SpecError(f"queue_limit={self.queue_limit!r}: give the most pulses in flight, 1 or more")


class Netlist(Component):
    """A circuit of SFQ cells; a component whose ports carry pulses.

    Every cell of the library is a method: `net.xor(a, b, clk=clk)` adds one and returns the wire of its output, or
    a tuple of wires where it has several. Wires go to one end only, as SFQ pulses do; splitters are cells.

    Parameters:
        name: path of the netlist in its system.
        library: cells by name; the `rsfq` library if left out.
        auto_split: put a balanced tree of splitters wherever a wire has several ends.
        policy: what happens to a pulse inside a hold time: "error" stops the run, "warn" processes and reports it,
            "drop" loses it, "metastable" draws, with probability 1/2, whether it is lost or processed. An instance's
            policy goes before its cell's, and the cell's before this one.
        queue: "heap", "wheel", or "auto".
        queue_limit: most pulses in flight; more is an error.

    Signals: ports, the output of every cell (`xor[0].q`), and labelled wires. An input is recorded where the pulse
    enters the port, everything else where it arrives, at the far end of its wire.

    Example:
        >>> from hwmodel import sfq
        >>> net = sfq.Netlist("demo")
        >>> a, b = net.inputs("a", "b")
        >>> net.output("q", net.jtl(net.merge(a, b), stages=2))
        >>> net.jj_count
        11
    """

    def __init__(
        self,
        name: str,
        library: Mapping[str, Cell] | None = None,
        auto_split: bool = False,
        policy: Policy = "error",
        queue: QueueKind = "auto",
        queue_limit: int = 1 << 22,
    ) -> None:
        if library is None:
            from hwmodel.sfq.pulse._library import library as named

            library = named("rsfq")
        title = getattr(library, "name", "custom")
        super().__init__(name, spec=NetlistSpec(title, policy, auto_split, queue, queue_limit))
        self.library = library
        self._sources: dict[str, Wire] = {}  # input port -> its wire
        self._instances: dict[str, Instance] = {}
        self._sinks: dict[str, Wire] = {}  # output port -> the wire that drives it
        self._labels: dict[str, Wire] = {}
        self._feedbacks: list[Wire] = []
        self._names: dict[str, str] = {}  # every name taken -> where
        self._next: dict[str, int] = {}  # name without number -> next number
        self._scope = ""
        self._structure: Structure | None = None
        self._built = False

    # ------------------------------------------------------------------------------------------ ports

    def input(self, name: str, required: bool = True) -> Wire:
        """Add an input port and return its wire.

        `required` False: it may stay without a driver.
        """
        place = user_place()
        self._take_name(name, place, "input port")
        self.add_port(Port(name, "in", "pulse", required=required))
        self._sources[name] = Wire(self, place, source=name)
        return self._sources[name]

    def inputs(self, *names: str, required: bool = True) -> tuple[Wire, ...]:
        """Add input ports and return their wires."""
        return tuple(self.input(name, required) for name in names)

    def output(self, name: str, wire: Wire) -> None:
        """Add an output port at the end of a wire."""
        place = user_place()
        self._check_wire(wire, f"output '{name}'", place)
        self._take_name(name, place, "output port")
        self._use(wire, Use(place, port=name))
        self.add_port(Port(name, "out", "pulse", required=False))
        self._sinks[name] = wire

    # ------------------------------------------------------------------------------------------ cells

    def add(
        self,
        cell: Cell | str,
        *wires: Wire,
        name: str | None = None,
        probability: float | None = None,
        policy: Policy | None = None,
        **input_wires: Wire,
    ) -> Any:
        """Add a cell and return the wire of its output, or a tuple of wires where it has not exactly one.

        Parameters:
            cell: a cell, or its name in the library.
            wires, input_wires: its inputs, in the cell's order or by name.
            name: name of the instance; numbered after the cell if left out. The open scope goes before it.
            probability: of firing, 0 to 1; for cells with drawn transitions, and required for them.
            policy: what a pulse inside a hold time does at this instance.

        Raises:
            NetlistError: floating, unknown or doubly driven inputs, a wire that has an end already, a bad probability.
            UnknownNameError: the library has no such cell.
        """
        place = user_place()
        cell = self._cell(cell)
        path = self._instance_name(name, cell, place)
        where = f"{cell.name} '{path}' ({place})"
        ends = self._connect(cell, wires, input_wires, where, place)
        self._check_draw(cell, probability, where)
        if policy is not None and policy not in POLICIES:
            raise NetlistError(f"{where}: {unknown('violation policy', str(policy), POLICIES)}")
        self._check_uses(ends, where)
        instance = Instance(path, cell, place, probability, policy)
        instance.inputs = ends
        for index, wire in enumerate(ends):
            self._use(wire, Use(place, instance, index))
        instance.outputs = tuple(Wire(self, place, instance, output) for output in cell.outputs)
        self._instances[path] = instance
        self._names[path] = place
        return instance.outputs[0] if len(instance.outputs) == 1 else instance.outputs

    def jtl(self, wire: Wire, stages: int = 1, name: str | None = None, policy: Policy | None = None) -> Wire:
        """Add a chain of `jtl` cells; with a name, several stages are numbered `name[0]`, `name[1]`, ..."""
        if not isinstance(stages, int) or stages < 1:
            raise NetlistError(
                f"jtl(stages={stages!r}) ({user_place()}): give a whole number of stages, 1 or more"
            )
        for n in range(stages):
            numbered = f"{name}[{n}]" if name is not None and stages > 1 else name
            wire = self.add("jtl", wire, name=numbered, policy=policy)
        return wire

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Put `name.` before the names given and made inside the `with` block.

        Example:
            >>> from hwmodel import sfq
            >>> net = sfq.Netlist("demo")
            >>> with net.scope("h1"):
            ...     wire = net.jtl(net.input("a"), name="in_jtl")
            >>> wire
            <Wire h1.in_jtl.q of netlist 'demo'>
        """
        before = self._scope
        self._scope = check_path(before + name, user_place()) + "."
        try:
            yield
        finally:
            self._scope = before

    # ------------------------------------------------------------------------------------------ wires

    def wire(self, wire: Wire, delay: TimeLike, name: str | None = None) -> Wire:
        """Lengthen a wire by a delay and return its far end; with a name it can be watched."""
        place = user_place()
        self._check_wire(wire, "wire()", place)
        time = to_fs(delay, "delay")
        if time <= 0:
            raise NetlistError(
                f"wire {wire.text} ({place}): delay={format_time(time)} must be greater than zero; "
                "leave the wire() out where there is none"
            )
        piece = Wire(self, place, parent=wire, delay=time)
        self._use(wire, Use(place, child=piece))
        return piece if name is None else self.label(piece, name)

    def label(self, wire: Wire, name: str) -> Wire:
        """Name a wire, so that it can be watched, and return it; the open scope goes before the name."""
        place = user_place()
        self._check_wire(wire, f"label '{name}'", place)
        path = check_path(self._scope + name, place)
        self._take_name(path, place, "wire")
        if wire.label:
            raise NetlistError(f"wire {wire.text} ({place}): it has that label already; one is enough")
        wire.label = path
        self._labels[path] = wire
        return wire

    def feedback(self, name: str) -> Wire:
        """Return a wire that is used now and driven later, by `close`."""
        place = user_place()
        path = check_path(self._scope + name, place)
        self._take_name(path, place, "feedback wire")
        wire = Wire(self, place, label=path)
        self._feedbacks.append(wire)
        self._labels[path] = wire
        return wire

    def close(self, wire: Wire, source: Wire) -> None:
        """Drive a feedback wire by `source`."""
        place = user_place()
        self._check_wire(wire, "close()", place)
        self._check_wire(source, "close()", place)
        if not any(wire is known for known in self._feedbacks):
            raise NetlistError(
                f"close({wire.text}) ({place}): it is driven already; only feedback() wires are closed"
            )
        if wire.parent is not None:
            raise NetlistError(
                f"feedback '{wire.label}' ({place}): driven by {wire.parent.text} already; a wire has one driver, "
                "join two with a merge"
            )
        if wire is source:
            raise NetlistError(
                f"feedback '{wire.label}' ({place}): closed with itself; close it with a cell's output"
            )
        self._use(source, Use(place, child=wire))
        wire.parent = source

    def terminate(self, *wires: Wire) -> None:
        """End wires at a matched resistor, so that they no longer count as forgotten."""
        place = user_place()
        for wire in wires:
            self._check_wire(wire, "terminate()", place)
            self._use(wire, Use(place))

    # ------------------------------------------------------------------------------------------ what it is

    @property
    def structure(self) -> Structure:
        """The finished netlist: cells in canonical order, splitters put in, wires followed to their ends."""
        if self._structure is None:
            self._structure = build_structure(self)
        return self._structure

    @property
    def instances(self) -> Mapping[str, Instance]:
        """All cells by name, splitters put in by `auto_split` too."""
        return self.structure.by_name

    @property
    def jj_count(self) -> int:
        """Number of Josephson junctions."""
        return sum(instance.cell.jj for instance in self.instances.values())

    @property
    def static_power_w(self) -> float:
        """Power of the bias supply at rest, W: the sum of bias current times bias voltage."""
        return sum(i.cell.bias_ua * i.cell.bias_mv for i in self.instances.values()) * 1e-9

    def check(self) -> list[str]:
        """Raise for an unfinished netlist; return warnings about loops and forgotten wires."""
        return list(self.structure.warnings)

    def signals(self) -> Mapping[str, SignalKind]:
        """Names that can be watched."""
        return dict.fromkeys(self.structure.signals, "pulse")

    def describe(self) -> dict[str, Any]:
        """Spec, ports, cells by kind, size, power and a hash of the structure, JSON-able."""
        return {
            **super().describe(),
            "cells": self.structure.cell_counts(),
            "jj_count": self.jj_count,
            "static_power_w": self.static_power_w,
            "structure_hash": self.structure.digest(),
        }

    # ------------------------------------------------------------------------------------------ running

    def build(self, context: BuildContext) -> Engine:
        """Build the compiled engine of this netlist."""
        from hwmodel.sfq.pulse._engine import PulseEngine

        self._built = True
        return PulseEngine(self, context)

    def stats(self, engine: Engine, elapsed: int) -> dict[str, int | float | str]:
        """Pulses, violations, energy and power of a run of `elapsed` fs."""
        return cast("PulseEngine", engine).stats(elapsed)

    def warnings(self, engine: Engine) -> list[str]:
        """The hold times that were broken: how often, the first one, and the worst shortfall."""
        return cast("PulseEngine", engine).warnings()

    def __getattr__(self, name: str) -> Any:
        library = self.__dict__.get("library", {})
        cell = (
            name if name in library else name.removesuffix("_")
        )  # not_ and the like: `not` is a Python keyword
        if cell in library:
            return partial(self.add, library[cell])
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_"):
                raise
            known = [*library, *self.ports]
            raise AttributeError(
                f"netlist '{self.__dict__.get('name', '?')}': {unknown('cell or port', name, known)}"
            ) from None

    # ------------------------------------------------------------------------------------------ checks

    def _take_name(self, path: str, place: str, what: str) -> None:
        if self._built:
            raise NetlistError(
                f"netlist '{self.name}' ({place}): it has begun to run, so {what} '{path}' comes too late; build a new netlist"
            )
        if path in self._names:
            raise NetlistError(
                f"{what} '{path}' ({place}): the netlist '{self.name}' has that name already, from "
                f"{self._names[path]}; choose another"
            )
        self._names[path] = place
        self._structure = None

    def _cell(self, cell: Cell | str) -> Cell:
        if isinstance(cell, Cell):
            return cell
        if cell not in self.library:
            raise unknown("cell", str(cell), self.library)
        return self.library[cell]

    def _instance_name(self, name: str | None, cell: Cell, place: str) -> str:
        if name is not None:
            path = check_path(self._scope + name, place)
            if path in self._names:
                self._take_name(path, place, cell.name)
            return path
        stem = self._scope + cell.name
        number = self._next.get(stem, 0)
        while f"{stem}[{number}]" in self._names:
            number += 1
        self._next[stem] = number + 1
        return f"{stem}[{number}]"

    def _connect(
        self, cell: Cell, wires: tuple[Wire, ...], named: dict[str, Wire], where: str, place: str
    ) -> tuple[Wire, ...]:
        if len(wires) > len(cell.inputs):
            raise NetlistError(f"{where}: {len(wires)} wires given, its inputs are {', '.join(cell.inputs)}")
        ends = dict(zip(cell.inputs, wires, strict=False))
        for port, wire in named.items():
            if port not in cell.inputs:
                raise NetlistError(f"{where}: {unknown('input', port, cell.inputs)}")
            if port in ends:
                raise NetlistError(
                    f"{where}: input '{port}' is given twice, by position and by name; drop one"
                )
            ends[port] = wire
        floating = [port for port in cell.inputs if port not in ends]
        if floating:
            raise NetlistError(
                f"{where}: floating input{'s' if len(floating) > 1 else ''} {', '.join(floating)}; connect each to a wire"
            )
        for port, wire in ends.items():
            self._check_wire(wire, f"{where}, input '{port}'", place)
        return tuple(ends[port] for port in cell.inputs)

    def _check_wire(self, wire: object, where: str, place: str) -> None:
        if not isinstance(wire, Wire):
            several = (
                "; a cell with several outputs gives a tuple of wires, use one"
                if isinstance(wire, tuple)
                else ""
            )
            raise NetlistError(f"{where} ({place}): a wire is wanted, got {wire!r}{several}")
        if wire.netlist is not self:
            raise NetlistError(
                f"{where} ({place}): wire {wire.text} belongs to netlist '{wire.netlist.name}', not to '{self.name}'; "
                "join two netlists through ports and System.connect"
            )

    def _check_draw(self, cell: Cell, probability: float | None, where: str) -> None:
        if not cell.probabilistic:
            if probability is not None:
                raise NetlistError(
                    f"{where}: probability={probability!r}, but no transition of this cell is drawn"
                )
            return
        if probability is None:
            raise NetlistError(f"{where}: its transitions are drawn; give probability= from 0 to 1")
        if (
            isinstance(probability, bool)
            or not isinstance(probability, int | float)
            or not 0 <= probability <= 1
        ):
            raise NetlistError(f"{where}: probability={probability!r} is not a number from 0 to 1")

    def _check_uses(self, ends: tuple[Wire, ...], where: str) -> None:
        # Before anything is connected, so that a refused cell leaves no trace.
        for index, wire in enumerate(ends):
            if not self.spec.auto_split and any(wire is other for other in ends[:index]):
                raise NetlistError(f"{where}: wire {wire.text} drives two of its inputs; {_REMEDY}")
            self._check_free(wire, where)

    def _check_free(self, wire: Wire, where: str) -> None:
        if wire.uses and not self.spec.auto_split:
            raise NetlistError(
                f"{where}: wire {wire.text} has an end already, {wire.uses[0].text} ({wire.uses[0].place}); "
                f"an SFQ pulse has one receiver: {_REMEDY}"
            )

    def _use(self, wire: Wire, use: Use) -> None:
        self._check_free(wire, f"{use.text} ({use.place})")
        wire.uses.append(use)
        self._structure = None


def check_path(path: str, place: str) -> str:
    """Require a path that can be watched by name."""
    try:
        Port(path, "out", "pulse")
    except SpecError:
        raise NetlistError(
            f"name {path!r} ({place}): use letters, digits and _, parts joined by '.', as in 'layer.cell[3]'"
        ) from None
    return path
