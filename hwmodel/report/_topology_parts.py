"""What a topology drawing shows: boxes with rows of ports, links between rows, stimuli and groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwmodel.errors import ResultError, unknown
from hwmodel.units import format_time

HEAD = 40  # px for a box's name and type
PORT_STEP = 18  # px between ports
LANE = 22  # px a link takes that passes a column or runs back below
CHAR = 6.7
MOST_PORTS = 24  # rows shown a side; the last row then counts the rest
BUNDLE = 3  # so many links of one protocol between two components are drawn as one
_HERTZ = re.compile(r"([kMGT]?Hz)\(([^()]+)\)")
_PERIOD = re.compile(r"period=([a-z]+)\(([^()]+)\)")


@dataclass
class Box:
    """A component, or (without a name) the lane of a link that passes a column."""

    name: str
    kind: str = ""
    inputs: list[str] = field(default_factory=list)  # labels of the rows
    outputs: list[str] = field(default_factory=list)
    rows: dict[tuple[str, str], int] = field(default_factory=dict)  # (direction, port) -> row
    protocols: dict[tuple[str, int], str] = field(default_factory=dict)  # (direction, row) -> protocol
    shade: int = 0  # number of the type among all types
    band: int = 0  # number of the group, or past the last one
    column: int = 0
    shelf: int = 0
    order: float = 0.0
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        """Width in px."""
        ports = max((len(p) for p in self.inputs), default=0) + max((len(p) for p in self.outputs), default=0)
        return max(104.0, CHAR * (ports + 4) + 24, CHAR * 1.1 * max(len(self.name), len(self.kind)) + 24)

    @property
    def height(self) -> float:
        """Height in px."""
        return LANE if not self.name else HEAD + PORT_STEP * max(1, len(self.inputs), len(self.outputs)) + 8

    def port_y(self, direction: str, port: str) -> float:
        """Height of a port; one that is not listed sits at the last row, which counts the rest."""
        side = self.inputs if direction == "in" else self.outputs
        row = min(self.rows.get((direction, port), len(side)), max(0, len(side) - 1))
        return self.y + HEAD + PORT_STEP * row + PORT_STEP / 2


@dataclass(frozen=True)
class Drawn:
    """A line of the drawing: one link, or a bundle of them."""

    source: Box
    out: str
    target: Box
    into: str
    label: str
    title: str
    protocol: str = ""
    count: int = 1

    @property
    def back(self) -> bool:
        """Whether it closes a loop."""
        return self.target.column <= self.source.column

    @property
    def far(self) -> bool:
        """Whether it runs below a shelf of components, for it goes back or to another shelf."""
        return self.back or self.target.shelf != self.source.shelf


@dataclass(frozen=True)
class Stimulus:
    """What drives an input from outside."""

    target: Box
    into: str
    label: str


@dataclass(frozen=True)
class Parts:
    """Everything that is drawn."""

    boxes: list[Box]
    links: list[Drawn]
    stimuli: list[Stimulus]
    groups: list[str]


@dataclass(frozen=True)
class _Link:
    source: str
    out: str
    target: str
    into: str
    latency: int | None
    protocol: str


def parts_of(manifest: Mapping[str, Any], groups: Mapping[str, str]) -> Parts:
    """Read a manifest.

    Parameters:
        manifest: of a `Result`.
        groups: path of a component, or of what holds components, to the name of its group.

    Raises:
        UnknownNameError: a group for a component that is not there.
        ResultError: a group without a name.
    """
    components = list(manifest.get("components") or [])
    ports = {
        str(c.get("path", "?")): {
            (str(port.get("direction")), str(port.get("name", "?"))): port for port in c.get("ports") or []
        }
        for c in components
    }
    links = list(_links(manifest.get("links") or [], ports))
    bundles = _bundles(links)
    kinds = list(dict.fromkeys(str(c.get("type", "")) for c in components))
    boxes = {}
    for component in components:
        box = _box(component, bundles)
        box.shade = kinds.index(str(component.get("type", "")))
        boxes[box.name] = box
    names = _assign_groups(boxes, groups)
    drawn = [_drawn(bundle, boxes) for bundle in bundles]
    return Parts(list(boxes.values()), drawn, list(_stimuli(manifest.get("drives") or [], boxes)), names)


def _links(
    links: Sequence[Mapping[str, Any]], ports: Mapping[str, Mapping[tuple[str, str], Mapping[str, Any]]]
) -> Iterator[_Link]:
    for link in links:
        source, out = split_path(str(link.get("source", "")), ports)
        target, into = split_path(str(link.get("target", "")), ports)
        if source and target:
            latency = link.get("latency_fs")
            protocol = str(ports[source].get(("out", out), {}).get("protocol") or "")
            yield _Link(source, out, target, into, None if latency is None else int(latency), protocol)


def split_path(path: str, components: Iterable[str]) -> tuple[str, str]:
    """Split "component.port" at the longest prefix that is a component; ("", "") where none is."""
    names = components if isinstance(components, Mapping) else set(components)
    cut = len(path)
    while (cut := path.rfind(".", 0, cut)) >= 0:
        if path[:cut] in names:
            return path[:cut], path[cut + 1 :]
    return "", ""


def _bundles(links: Sequence[_Link]) -> list[list[_Link]]:
    """Links of one protocol between two components together, where they are many; else each alone."""
    alike: dict[tuple[str, str, str], list[_Link]] = {}
    for link in links:
        alike.setdefault((link.source, link.target, link.protocol), []).append(link)
    bundles: dict[int, list[_Link]] = {}
    for link in links:
        group = alike[link.source, link.target, link.protocol]
        if len(group) < BUNDLE:
            bundles[id(link)] = [link]
        else:
            bundles.setdefault(id(group), group)
    return list(bundles.values())


def _box(component: Mapping[str, Any], bundles: Sequence[Sequence[_Link]]) -> Box:
    box = Box(str(component.get("path", "?")), str(component.get("type", "")))
    clock = clock_of(component.get("spec"))
    if clock:
        box.kind = f"{box.kind}, {clock}"
    listed: dict[str, dict[str, Mapping[str, Any]]] = {"in": {}, "out": {}}
    for port in component.get("ports") or []:
        listed.setdefault(str(port.get("direction")), {})[str(port.get("name", "?"))] = port
    for direction, side in (("in", box.inputs), ("out", box.outputs)):
        taken: set[str] = set()
        for name, port in listed[direction].items():
            if name in taken:
                continue
            together = [
                n
                for n in _row_of(box.name, direction, name, bundles)
                if n in listed[direction] and n not in taken
            ]
            taken.update(together)
            for member in together:
                box.rows[direction, member] = len(side)
            box.protocols[direction, len(side)] = str(port.get("protocol", ""))
            wide = int(port.get("width") or 1)
            # 64 bits are what a message has anyway.
            told = wide > 1 and not (port.get("protocol") == "event" and wide == 64)
            side.append(f"{_together(together)}[{wide}]" if told else _together(together))
        if len(side) > MOST_PORTS:
            side[MOST_PORTS - 1 :] = [f"+ {len(side) - MOST_PORTS + 1} more"]
    return box


def _row_of(path: str, direction: str, name: str, bundles: Sequence[Sequence[_Link]]) -> list[str]:
    """The ports that share a row: those of the first bundle that the port belongs to."""
    for bundle in bundles:
        if len(bundle) >= BUNDLE:
            owner, ports = (
                (bundle[0].source, [link.out for link in bundle])
                if direction == "out"
                else (bundle[0].target, [link.into for link in bundle])
            )
            if owner == path and name in ports:
                return list(dict.fromkeys(ports))
    return [name]


def _together(names: Sequence[str]) -> str:
    """ "in0 … in6" for ports that differ in a number only, "clk + 6" for others."""
    if len(names) == 1:
        return names[0]
    stems = {re.sub(r"\d+", "#", name) for name in names}
    return f"{names[0]} … {names[-1]}" if len(stems) == 1 else f"{names[0]} + {len(names) - 1}"


def clock_of(spec: Any) -> str:
    """The clock of a component as its spec tells it, "500 MHz" or "every 50 ps"; "" where it has none."""
    level = [spec]
    for _ in range(3):  # a machine's clock stands two levels down
        level = [value for value in level if isinstance(value, Mapping)]
        for value in level:
            text = str(value.get("clock") or "")
            if text:
                return clock_text(text)
        level = [inner for value in level for inner in value.values()]
    return ""


def clock_text(text: str) -> str:
    """A clock or frequency as its literal, read for people; "" if it is none.

    Example:
        >>> clock_text("Clock(MHz(500))"), clock_text("Clock(period=ps(50), phase=ps(10))"), clock_text("GHz(4)")
        ('500 MHz', 'every 50 ps', '4 GHz')
    """
    if found := _HERTZ.search(text):
        return f"{found[2]} {found[1]}"
    found = _PERIOD.search(text)
    return f"every {found[2]} {found[1].replace('us', 'µs')}" if found else ""


def _drawn(bundle: Sequence[_Link], boxes: Mapping[str, Box]) -> Drawn:
    first = bundle[0]
    known = [link.latency for link in bundle if link.latency is not None]
    label = format_time(min(known)) if known else ""
    if known and max(known) != min(known):
        low, high = format_time(min(known)).split(), format_time(max(known)).split()
        label = f"{low[0] if low[1] == high[1] else ' '.join(low)} to {' '.join(high)}"
    if len(bundle) > 1:
        label = f"{len(bundle)} links, {label}"
    each = (
        f"{link.source}.{link.out} to {link.target}.{link.into}, "
        f"{'' if link.latency is None else format_time(link.latency)}"
        for link in bundle
    )
    return Drawn(
        boxes[first.source],
        first.out,
        boxes[first.target],
        first.into,
        label,
        "; ".join(each),
        first.protocol,
        len(bundle),
    )


def _stimuli(drives: Sequence[Any], boxes: Mapping[str, Box]) -> Iterator[Stimulus]:
    """One arrow a row of ports, however many drives come there."""
    seen: dict[tuple[str, int], Stimulus] = {}
    for drive in drives:
        if not isinstance(drive, Mapping):
            continue
        path, port = split_path(str(drive.get("port", "")), boxes)
        if not path:
            continue
        key = path, boxes[path].rows.get(("in", port), -1)
        clock, count = clock_text(str(drive.get("clock") or "")), drive.get("count")
        label = clock or ("driven" if count is None else f"{count}×" if count else "idle")
        seen[key] = Stimulus(boxes[path], port, label if key not in seen else "driven")
    yield from seen.values()


def _assign_groups(boxes: Mapping[str, Box], groups: Mapping[str, str]) -> list[str]:
    names = list(dict.fromkeys(str(name) for name in groups.values()))
    if "" in names:
        raise ResultError("groups: a group has an empty name; leave its components out, or name it")
    for path in groups:
        if path not in boxes and not any(name.startswith((f"{path}.", f"{path}[")) for name in boxes):
            raise unknown("component in groups", path, boxes)
    for name, box in boxes.items():
        group = group_of(name, groups)
        box.band = names.index(group) if group else len(names)
    return names


def group_of(path: str, groups: Mapping[str, str]) -> str:
    """The group of a component: its own, or that of the nearest path that holds it; "" where there is none."""
    holders = [p for p in groups if path == p or path.startswith((f"{p}.", f"{p}["))]
    return str(groups[max(holders, key=len)]) if holders else ""
