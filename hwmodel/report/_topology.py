"""A system as boxes and arrows: components left to right in the direction of their links.

Boxes stand in columns. A link to the next column is a curve in the gutter between the two; a link over
several columns gets a lane of its own between the boxes it passes; a link backwards runs below all boxes.
So no two boxes, and no link and box, overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hwmodel.report._svg import number, xml_text
from hwmodel.units import format_time

__all__ = ["draw_topology"]

PORT_STEP = 18  # px between ports
HEAD = 40  # px for a box's name and type
GUTTER = 130  # px between columns, room for a latency and an arrow
ROW_GAP = 24
LANE = 22  # px a link takes that passes a column or runs back below
MARGIN = 16
CHAR = 6.7
MOST_PORTS = 24  # shown a side; the last row then counts the rest
MOST_BOXES = 60

STYLE = """
.hw-topology{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-size:11px}
.hw-topology .paper{fill:#fff}.hw-topology .box{fill:#f6f8fa;stroke:#7b8794}
.hw-topology text{fill:#4a5563}.hw-topology .name{fill:#16202c;font-weight:600;font-size:12px}
.hw-topology .port{fill:#16202c;font-family:ui-monospace,"DejaVu Sans Mono",monospace}
.hw-topology .pin{fill:#0059a8}.hw-topology .link{fill:none;stroke:#0059a8;stroke-width:1.4}
.hw-topology .tip{fill:#0059a8}
.hw-topology .latency{font-size:10px;fill:#16202c;paint-order:stroke;stroke:#fff;stroke-width:3px}
@media screen and (prefers-color-scheme:dark){
.hw-topology .paper{fill:#15191f}.hw-topology .box{fill:#1f252d;stroke:#66717e}.hw-topology text{fill:#a9b4c0}
.hw-topology .name,.hw-topology .port,.hw-topology .latency{fill:#e8edf2}.hw-topology .latency{stroke:#15191f}
.hw-topology .pin,.hw-topology .tip{fill:#6db3f2}.hw-topology .link{stroke:#6db3f2}}
""".strip()


@dataclass
class _Box:
    """A component, or (without a name) the lane of a link that passes a column."""

    name: str
    kind: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    column: int = 0
    order: float = 0.0
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        ports = max((len(p) for p in self.inputs), default=0) + max((len(p) for p in self.outputs), default=0)
        return max(120.0, CHAR * (ports + 5) + 24, CHAR * 1.1 * max(len(self.name), len(self.kind)) + 24)

    @property
    def height(self) -> float:
        return LANE if not self.name else HEAD + PORT_STEP * max(1, len(self.inputs), len(self.outputs)) + 8

    def port_y(self, port: str, side: Sequence[str]) -> float:
        """Height of a port; one that is not listed sits at the last row, which counts the rest."""
        row = side.index(port) if port in side else max(0, len(side) - 1)
        return self.y + HEAD + PORT_STEP * row + PORT_STEP / 2


@dataclass(frozen=True)
class _Link:
    source: _Box
    out: str
    target: _Box
    into: str
    label: str


def draw_topology(manifest: Mapping[str, Any]) -> str:
    """Draw the components and links of a run as an SVG document; "" where there is nothing to draw.

    Parameters:
        manifest: of a `Result`; uses `components` (path, type, ports) and `links` (source, target,
            latency_fs). More than 60 components are not drawn: no one could read them.
    """
    components = manifest.get("components") or []
    if not 0 < len(components) <= MOST_BOXES:
        return ""
    boxes = [_box(component) for component in components]
    links = _links(manifest.get("links") or [], {box.name: box for box in boxes})
    _assign_columns(boxes, links)
    forward = [link for link in links if link.target.column > link.source.column]
    back = [link for link in links if link.target.column <= link.source.column]
    routes = [_route(link) for link in forward]
    cells = boxes + [lane for route in routes for lane in route[1:-1]]
    _sort_columns(cells, routes)
    width, height = _place(cells)
    return _render(boxes, forward, routes, back, width, height)


def _box(component: Mapping[str, Any]) -> _Box:
    ports = component.get("ports") or []
    sides: dict[str, list[str]] = {"in": [], "out": []}
    for port in ports:
        wide = int(port.get("width") or 1)
        name = str(port.get("name", "?"))
        sides.setdefault(str(port.get("direction")), []).append(f"{name}[{wide}]" if wide > 1 else name)
    for side in sides.values():
        if len(side) > MOST_PORTS:
            side[MOST_PORTS - 1 :] = [f"+ {len(side) - MOST_PORTS + 1} more"]
    return _Box(str(component.get("path", "?")), str(component.get("type", "")), sides["in"], sides["out"])


def _links(links: Sequence[Mapping[str, Any]], boxes: Mapping[str, _Box]) -> list[_Link]:
    found = []
    for link in links:
        source, out = _end(str(link.get("source", "")), boxes)
        target, into = _end(str(link.get("target", "")), boxes)
        if source is not None and target is not None:
            latency = link.get("latency_fs")
            label = "" if latency is None else format_time(int(latency))
            found.append(
                _Link(source, _listed(out, source.outputs), target, _listed(into, target.inputs), label)
            )
    return found


def _end(path: str, boxes: Mapping[str, _Box]) -> tuple[_Box | None, str]:
    """Split "component.port" at the longest prefix that is a component."""
    cut = len(path)
    while (cut := path.rfind(".", 0, cut)) >= 0:
        if path[:cut] in boxes:
            return boxes[path[:cut]], path[cut + 1 :]
    return None, ""


def _listed(port: str, side: Sequence[str]) -> str:
    """The port as its box lists it, with the width if it has one."""
    return next((p for p in side if p == port or p.startswith(f"{port}[")), port)


def _assign_columns(boxes: Sequence[_Box], links: Sequence[_Link]) -> None:
    """Longest path from the sources; links that run against `_reading_order` are left out."""
    rank = {box.name: i for i, box in enumerate(_reading_order(boxes, links))}
    for link in sorted(links, key=lambda found: rank[found.source.name]):
        if rank[link.source.name] < rank[link.target.name]:
            link.target.column = max(link.target.column, link.source.column + 1)


def _reading_order(boxes: Sequence[_Box], links: Sequence[_Link]) -> list[_Box]:
    """An order in which few links run backwards (the greedy heuristic of Eades, Lin and Smyth, 1993)."""
    pairs = {(link.source.name, link.target.name) for link in links if link.source is not link.target}
    left = list(boxes)
    first: list[_Box] = []
    last: list[_Box] = []
    while left:
        names = {box.name for box in left}
        going = {name: sum(a == name and b in names for a, b in pairs) for name in names}
        coming = {name: sum(b == name and a in names for a, b in pairs) for name in names}
        source = next((box for box in left if coming[box.name] == 0), None)
        sink = next((box for box in left if going[box.name] == 0), None)
        if source is not None:
            chosen, side = source, first
        elif sink is not None:
            chosen, side = sink, last
        else:
            chosen, side = max(left, key=lambda box: going[box.name] - coming[box.name]), first
        side.append(chosen)
        left.remove(chosen)
    return first + last[::-1]


def _route(link: _Link) -> list[_Box]:
    """The link's source, a lane in each column it passes, and its target."""
    lanes = [_Box("", column=c) for c in range(link.source.column + 1, link.target.column)]
    return [link.source, *lanes, link.target]


def _sort_columns(cells: Sequence[_Box], routes: Sequence[Sequence[_Box]]) -> None:
    """Order each column by the mean place of its neighbours, a few sweeps: fewer crossings."""
    before: dict[int, list[_Box]] = {}
    behind: dict[int, list[_Box]] = {}
    for route in routes:
        for a, b in pairwise(route):
            before.setdefault(id(b), []).append(a)
            behind.setdefault(id(a), []).append(b)
    columns = _columns(cells)
    for column in columns:
        _number(column)
    for sweep in range(4):
        neighbours = before if sweep % 2 == 0 else behind
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            for cell in column:
                near = neighbours.get(id(cell))
                if near:
                    cell.order = sum(n.order for n in near) / len(near)
            column.sort(key=lambda c: c.order)
            _number(column)


def _columns(cells: Sequence[_Box]) -> list[list[_Box]]:
    columns: list[list[_Box]] = [[] for _ in range(1 + max(c.column for c in cells))]
    for cell in cells:
        columns[cell.column].append(cell)
    return columns


def _number(column: Sequence[_Box]) -> None:
    # Relative to the column's middle, so that columns of different length line up.
    for i, cell in enumerate(column):
        cell.order = i - (len(column) - 1) / 2


def _place(cells: Sequence[_Box]) -> tuple[float, float]:
    """Set x and y of every cell; give the size of the whole."""
    columns = [sorted(column, key=lambda c: c.order) for column in _columns(cells)]
    heights = [sum(c.height + ROW_GAP for c in column) - ROW_GAP for column in columns]
    tallest = max(heights)
    x = MARGIN + GUTTER / 2
    for column, height in zip(columns, heights, strict=True):
        wide = max((c.width for c in column if c.name), default=120.0)
        y = MARGIN + (tallest - height) / 2
        for cell in column:
            cell.x, cell.y = x + (wide - cell.width) / 2 if cell.name else x, y
            y += cell.height + ROW_GAP
        x += wide + GUTTER
    return x - GUTTER / 2 + MARGIN, tallest + 2 * MARGIN


def _render(
    boxes: Sequence[_Box],
    forward: Sequence[_Link],
    routes: Sequence[Sequence[_Box]],
    back: Sequence[_Link],
    width: float,
    height: float,
) -> str:
    below = height
    total = height + LANE * len(back) + (MARGIN if back else 0)
    summary = f"Topology: {len(boxes)} components, {len(forward) + len(back)} links"
    spans = _spans(boxes)
    body = [_draw_forward(link, route, spans) for link, route in zip(forward, routes, strict=True)]
    # The turns bulge past the latencies written at the ports, each a little further than the last.
    body += [
        _draw_back(link, below + LANE * i, 58 + 28 * (i + 1) / (len(back) + 1), spans)
        for i, link in enumerate(back)
    ]
    listing = "; ".join(
        f"{link.source.name}.{link.out} to {link.target.name}.{link.into} after {link.label}"
        for link in [*forward, *back]
    )
    size = f'width="{number(width)}" height="{number(total)}" viewBox="0 0 {number(width)} {number(total)}"'
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" class="hw-topology" role="img" aria-label="{summary}" {size}>',
                f"<title>{summary}</title>",
                f"<desc>{xml_text(listing) or 'no links'}</desc>",
                f"<style>{STYLE}</style>",
                f'<rect class="paper" width="{number(width)}" height="{number(total)}"/>',
                *(_draw_box(box) for box in boxes),
                *body,
                "</svg>",
            ]
        )
        + "\n"
    )


def _spans(boxes: Sequence[_Box]) -> dict[int, tuple[float, float]]:
    """Left and right border of each column that holds boxes."""
    spans: dict[int, tuple[float, float]] = {}
    for box in boxes:
        left, right = spans.get(box.column, (box.x, box.x + box.width))
        spans[box.column] = (min(left, box.x), max(right, box.x + box.width))
    return spans


def _draw_box(box: _Box) -> str:
    middle = number(box.x + box.width / 2)
    size = f'width="{number(box.width)}" height="{number(box.height)}"'
    parts = [
        f'<g><rect class="box" x="{number(box.x)}" y="{number(box.y)}" {size} rx="5"/>',
        f'<text class="name" x="{middle}" y="{number(box.y + 17)}" text-anchor="middle">{xml_text(box.name)}</text>',
        f'<text x="{middle}" y="{number(box.y + 31)}" text-anchor="middle">{xml_text(box.kind)}</text>',
    ]
    sides = ((box.inputs, box.x, 9, "start"), (box.outputs, box.x + box.width, -9, "end"))
    for ports, x, shift, anchor in sides:
        for i, port in enumerate(ports):
            y = box.y + HEAD + PORT_STEP * (i + 0.5)
            parts.append(
                f'<circle class="pin" cx="{number(x)}" cy="{number(y)}" r="3"/><text class="port" '
                f'x="{number(x + shift)}" y="{number(y + 4)}" text-anchor="{anchor}">{xml_text(port)}</text>'
            )
    return "".join(parts) + "</g>"


def _draw_forward(link: _Link, route: Sequence[_Box], spans: Mapping[int, tuple[float, float]]) -> str:
    x, y = link.source.x + link.source.width, link.source.port_y(link.out, link.source.outputs)
    # To the column's border first, so that the curve stays in the gutter.
    path = f"M{number(x)} {number(y)}H{number(spans[link.source.column][1])}"
    x = spans[link.source.column][1]
    for lane in route[1:-1]:
        left, right = spans.get(lane.column, (lane.x, lane.x))
        middle, lane_y = (x + left) / 2, lane.y + lane.height / 2
        path += (
            f"C{number(middle)} {number(y)} {number(middle)} {number(lane_y)} {number(left)} {number(lane_y)}"
        )
        path += f"H{number(right)}"
        x, y = right, lane_y
    end_x, end_y = link.target.x, link.target.port_y(link.into, link.target.inputs)
    left = spans[link.target.column][0] - 7
    middle = (x + left) / 2
    path += f"C{number(middle)} {number(y)} {number(middle)} {number(end_y)} {number(left)} {number(end_y)}"
    return _draw_link(link, path, (end_x, end_y), (end_x - 12, end_y - 5, "end"))


def _draw_back(link: _Link, lane_y: float, bulge: float, spans: Mapping[int, tuple[float, float]]) -> str:
    x, y = link.source.x + link.source.width, link.source.port_y(link.out, link.source.outputs)
    right = spans[link.source.column][1]
    left = spans[link.target.column][0]
    end_x, end_y = link.target.x, link.target.port_y(link.into, link.target.inputs)
    away, home = number(right + bulge), number(left - bulge)
    path = (
        f"M{number(x)} {number(y)}H{number(right)}"
        f"C{away} {number(y)} {away} {number(lane_y)} {number(right)} {number(lane_y)}H{number(left - 7)}"
        f"C{home} {number(lane_y)} {home} {number(end_y)} {number(left - 7)} {number(end_y)}"
    )
    return _draw_link(link, path, (end_x, end_y), ((left + right) / 2, lane_y - 5, "middle"))


def _draw_link(link: _Link, path: str, end: tuple[float, float], place: tuple[float, float, str]) -> str:
    (x, y), (text_x, text_y, anchor) = end, place
    tip = f"M{number(x - 2)} {number(y)}l-8 -4v8z"
    name = f"{link.source.name}.{link.out} to {link.target.name}.{link.into}, {link.label}"
    return (
        f'<g><title>{xml_text(name)}</title><path class="link" d="{path}H{number(x - 6)}"/>'
        f'<path class="tip" d="{tip}"/><text class="latency" x="{number(text_x)}" y="{number(text_y)}" '
        f'text-anchor="{anchor}">{xml_text(link.label)}</text></g>'
    )
