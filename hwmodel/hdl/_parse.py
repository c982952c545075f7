"""Reads the interface of a Verilog module from what Verilator or yosys says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwmodel.errors import SpecError


@dataclass(frozen=True)
class Pin:
    """A pin of a Verilog module: its name, "in" or "out", and its width in bits."""

    name: str
    direction: str
    width: int


@dataclass(frozen=True)
class Interface:
    """A Verilog module as seen from outside.

    Attributes:
        top: its name.
        pins: in the order of the source.
        clocks: input pins that alone trigger some register.
        asynchronous: input pins that trigger one beside a clock, as an asynchronous reset does.
        derived: inner signals that clock registers, by their names.
    """

    top: str
    pins: tuple[Pin, ...]
    clocks: frozenset[str] = frozenset()
    asynchronous: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()

    def pin(self, name: str) -> Pin | None:
        """The pin of that name, if there is one."""
        return next((pin for pin in self.pins if pin.name == name), None)


_DIRECTION = {"INPUT": "in", "OUTPUT": "out", "input": "in", "output": "out"}


def refuse_pin(top: str, name: str, what: str) -> SpecError:
    """The error for a pin of a kind that cannot be a port."""
    return SpecError(
        f"module '{top}': pin '{name}' is {what}; wrap the module in one whose pins are plain inputs and outputs"
    )


# ---------------------------------------------------------------------------------------------- Verilator


def read_verilator_tree(text: str, top: str) -> Interface:
    """The interface of `top` from the JSON tree that `verilator --json-only` writes."""
    tree = json.loads(text)
    modules = {m["addr"]: m for m in tree["modulesp"] if m["type"] == "MODULE"}
    types = {t["addr"]: t for misc in tree["miscsp"] for t in misc.get("typesp", [])}
    found = next(m for m in modules.values() if m.get("origName", m["name"]) == top or m["name"] == top)
    pins = []
    for node in found["stmtsp"]:
        if _is_pin(node):
            name = node.get("verilogName", node["name"])
            if node["direction"] not in _DIRECTION:
                raise refuse_pin(top, name, f"of direction {node['direction'].lower()}")
            width = _width(types, node["dtypep"])
            if width is None:
                raise refuse_pin(top, name, "not a vector of bits")
            pins.append(Pin(name, _DIRECTION[node["direction"]], width))
    edges = _EdgeFinder(modules).of(found["addr"])
    return Interface(top, tuple(pins), *map(frozenset, (edges.clocks, edges.asynchronous, edges.derived)))


def _is_pin(node: Mapping[str, Any]) -> bool:
    return bool(node["type"] == "VAR" and node.get("direction", "NONE") != "NONE")


def _width(types: Mapping[str, Any], address: str) -> int | None:
    """Bits of a data type, or None for what is not a packed vector."""
    kind = types.get(address, {})
    if kind.get("type") == "BASICDTYPE":
        if kind.get("keyword") in ("real", "string", "event", "chandle"):
            return None
        whole = {"integer": 32, "int": 32, "byte": 8, "shortint": 16, "longint": 64, "time": 64}
        if "range" not in kind:
            return whole.get(str(kind.get("keyword")), 1)
        return _span(kind["range"])
    if kind.get("type") == "PACKARRAYDTYPE":
        inner = _width(types, kind["refDTypep"])
        return None if inner is None else inner * _span(kind["declRange"])
    if kind.get("type") in ("REFDTYPE", "ENUMDTYPE", "CONSTDTYPE"):
        return _width(types, kind["refDTypep"])
    if kind.get("type") in ("STRUCTDTYPE", "UNIONDTYPE") and kind.get("packed"):
        parts = [_width(types, member["dtypep"]) for member in kind.get("membersp", [])]
        if any(part is None for part in parts):
            return None
        sizes = [part or 0 for part in parts]
        return sum(sizes) if kind["type"] == "STRUCTDTYPE" else max(sizes)
    return None


def _span(text: str) -> int:
    left, right = (int(x) for x in text.strip("[]").split(":"))
    return abs(left - right) + 1


@dataclass
class _Edges:
    clocks: set[str] = field(default_factory=set)
    asynchronous: set[str] = field(default_factory=set)
    derived: set[str] = field(default_factory=set)


class _EdgeFinder:
    """Follows the triggers of registers up through the instances to the pins of a module."""

    def __init__(self, modules: Mapping[str, Any]) -> None:
        self._modules = modules
        self._known: dict[str, _Edges] = {}

    def of(self, address: str) -> _Edges:
        """Triggers of a module and of all that is in it, by the names of its pins."""
        if address in self._known:
            return self._known[address]
        module, edges = self._modules[address], _Edges()
        ports = {node["name"] for node in module["stmtsp"] if _is_pin(node)}
        alias = _aliases(module)
        triggers: list[tuple[list[str], bool]] = []
        for process in _nodes(module, "ALWAYS"):
            items = [item for tree in process.get("sentreep", []) for item in tree["sensesp"]]
            names = [
                _signal(item.get("sensp", [])) for item in items if item.get("edgeType") in ("POS", "NEG")
            ]
            # Of several triggers, an asynchronous reset is the one that the process also looks at.
            read = {node["name"] for node in _nodes(process.get("stmtsp", []), "VARREF")}
            triggers += [([name], len(names) == 1 or name not in read) for name in names]
        for cell in _nodes(module, "CELL"):
            inner = self.of(cell["modp"]) if cell.get("modp") in self._modules else _Edges()
            for pin in cell.get("pinsp", []):
                source = _signal(pin.get("exprp", []))
                if pin["name"] in inner.clocks:
                    triggers.append(([source], True))
                elif pin["name"] in inner.asynchronous:
                    triggers.append(([source], False))
            edges.derived |= {f"{cell['name']}.{name}" for name in inner.derived}
        for (name,), alone in triggers:
            name = alias.get(name, name)
            if name in ports:
                (edges.clocks if alone else edges.asynchronous).add(name)
            elif alone:
                edges.derived.add(name)
        self._known[address] = edges
        return edges


def _nodes(tree: Any, kind: str) -> Iterator[Any]:
    if isinstance(tree, dict):
        if tree.get("type") == kind:
            yield tree
        for value in tree.values():
            if isinstance(value, list):
                yield from _nodes(value, kind)
    elif isinstance(tree, list):
        for item in tree:
            yield from _nodes(item, kind)


def _signal(expression: list[Any]) -> str:
    """The name of the variable that an expression is, or the kind of the expression."""
    if len(expression) != 1:
        return "nothing"
    node = expression[0]
    return str(node["name"]) if node["type"] == "VARREF" else f"({node['type'].lower()})"


def _aliases(module: Any) -> dict[str, str]:
    """Wires that are another name of a signal: `assign a = b`."""
    found = {}
    for node in _nodes(module, "ASSIGNW"):
        left, right = _signal(node.get("lhsp", [])), _signal(node.get("rhsp", []))
        if not left.startswith("(") and not right.startswith("("):
            found[left] = right
    for name in list(found):
        seen = {name}
        while found[name] in found and found[name] not in seen:
            seen.add(found[name])
            found[name] = found[found[name]]
    return found


# ---------------------------------------------------------------------------------------------- yosys


def read_yosys_json(text: str, top: str) -> Interface:
    """The interface of `top` from what `yosys write_json` writes, after `proc`."""
    module = json.loads(text)["modules"][top]
    pins = []
    for name, port in module["ports"].items():
        if port["direction"] not in _DIRECTION:
            raise refuse_pin(top, name, f"of direction {port['direction']}")
        pins.append(Pin(name, _DIRECTION[port["direction"]], len(port["bits"])))
    owner = {
        port["bits"][0]: name
        for name, port in module["ports"].items()
        if len(port["bits"]) == 1 and port["direction"] == "input"
    }
    edges = _Edges()
    for cell in module["cells"].values():
        for role, bits in cell["connections"].items():
            if "dff" not in cell["type"].lower() or role not in ("CLK", "ARST", "ALOAD"):
                continue
            name = owner.get(bits[0])
            if role == "CLK":
                (edges.clocks if name else edges.derived).add(name or f"the clock of {cell['type']}")
            elif name:
                edges.asynchronous.add(name)
    return Interface(top, tuple(pins), *map(frozenset, (edges.clocks, edges.asynchronous, edges.derived)))


def yosys_modules(text: str) -> list[str]:
    """Names of the modules in what `yosys write_json` writes."""
    return sorted(json.loads(text)["modules"])
