"""A system as boxes and arrows: components left to right in the direction of their links.

Boxes stand in columns. Where these are too wide for a page they are cut into shelves, one below the other, as text is cut
into lines. A link to the next column is a curve in the gutter between the two; a link over several columns gets a lane of
its own between the boxes it passes; a link backwards or to another shelf runs below the boxes of a shelf. So no two boxes,
and no link and box, overlap. Groups are bands across all columns, one above the other, on every shelf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hwmodel.report._topology_draw import Band, Picture, render
from hwmodel.report._topology_parts import Box, Drawn, Parts, parts_of
from hwmodel.report._topology_route import Channels, Spans, forward

__all__ = ["draw_topology"]

GUTTER = 96  # px between columns, at least: room for a short latency and an arrow
LABEL_CHAR = 5.9  # px of a character of a latency
GROUP_CHAR = 8.5  # px of a character of a group's name
ROW_GAP = 24
BAND_PAD = 24  # px above and below the boxes of a group
MARGIN = 16
RIGHT = 66  # px right of the last column, for links that turn back
BELOW = 10  # px below a shelf and its channel
WIDEST = 1240  # px; wider drawings are cut into shelves
MOST_BOXES = 60


def draw_topology(manifest: Mapping[str, Any], groups: Mapping[str, str] | None = None) -> str:
    """Draw the components and links of a run as an SVG document; "" where there is nothing to draw.

    A drawing that would be wider than 1,240 px is cut into shelves, one below the other.

    Links have the colour of their protocol, components a strip in the colour of their type, and what drives a port
    from outside is a short arrow. Links that close a loop run below the components and are dashed. Three or more links
    of one protocol between the same two components are drawn as one, with their number.

    Parameters:
        manifest: of a `Result`; uses `components` (path, type, ports, the clock in the spec), `links` (source, target,
            latency_fs) and `drives` (port, clock, count). More than 60 components are not drawn: no one could read them.
        groups: path of a component, or of what holds components, to the name of a group, such as a temperature stage.
            Groups are coloured bands in the order in which they are first named; what has no group lies below them. A
            loop is cut so that the component that is named first stands first.

    Raises:
        UnknownNameError: a group for a component that is not there.

    Example:
        >>> from hwmodel.report import draw_topology
        >>> ports = [{"name": "q", "direction": "out", "protocol": "pulse"}]
        >>> manifest = {"components": [{"path": "net", "type": "Netlist", "ports": ports}]}
        >>> draw_topology(manifest, groups={"net": "4 K"}).count(">4 K<")
        1
    """
    components = manifest.get("components") or []
    if not 0 < len(components) <= MOST_BOXES:
        return ""
    parts = parts_of(manifest, groups or {})
    boxes, links = parts.boxes, parts.links
    _assign_columns(boxes, links, next(iter(groups or {}), ""))
    _assign_shelves(parts)
    straight = [link for link in links if not link.far]
    channels = Channels([link for link in links if link.far])
    routes = [_route(link) for link in straight]
    cells = boxes + [lane for route in routes for lane in route[1:-1]]
    _sort_columns(cells, routes)
    place = _place(cells, parts, channels)
    spans = _spans(boxes)
    wires = [forward(link, route, spans) for link, route in zip(straight, routes, strict=True)]
    wires += channels.wires(spans, place.channels, place.left)
    return render(Picture(parts, wires, place.bands, place.width, place.height))


def _assign_columns(boxes: Sequence[Box], links: Sequence[Drawn], start: str) -> None:
    """Longest path from the sources; links that run against `_reading_order` are left out."""
    rank = {box.name: i for i, box in enumerate(_reading_order(boxes, links, start))}
    for link in sorted(links, key=lambda found: rank[found.source.name]):
        if rank[link.source.name] < rank[link.target.name]:
            link.target.column = max(link.target.column, link.source.column + 1)


def _reading_order(boxes: Sequence[Box], links: Sequence[Drawn], start: str) -> list[Box]:
    """An order in which few links run backwards (the greedy heuristic of Eades, Lin and Smyth, 1993).

    Where every component left is in a loop, `start` comes first.
    """
    pairs = {(link.source.name, link.target.name) for link in links if link.source is not link.target}
    left = list(boxes)
    first: list[Box] = []
    last: list[Box] = []
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
            named = next((box for box in left if box.name == start), None)
            chosen = named or max(left, key=lambda box: going[box.name] - coming[box.name])
            side = first
        side.append(chosen)
        left.remove(chosen)
    return first + last[::-1]


def _assign_shelves(parts: Parts) -> None:
    """Cut the columns into the fewest shelves that are narrow enough, all about equally wide."""
    columns = _columns(parts.boxes)
    start = MARGIN + _names_width(parts) + RIGHT + MARGIN
    widths = [_gutter(n, parts) + max(box.width for box in column) for n, column in enumerate(columns)]

    def shelves(limit: float) -> list[int]:
        numbers, x = [0], start + widths[0]
        for width in widths[1:]:
            fits = x + width <= limit
            numbers.append(numbers[-1] + (not fits))
            x = x + width if fits else start + width
        return numbers

    widest = max(WIDEST, start + max(widths))
    numbers = shelves(widest)
    limit = widest
    while (narrower := limit - 8) >= start + max(widths) and shelves(narrower)[-1] == numbers[-1]:
        limit, numbers = narrower, shelves(narrower)
    for box in parts.boxes:
        box.shelf = numbers[box.column]


def _route(link: Drawn) -> list[Box]:
    """The link's source, a lane in each column it passes, and its target."""
    lanes = [
        Box("", column=c, band=link.target.band, shelf=link.target.shelf)
        for c in range(link.source.column + 1, link.target.column)
    ]
    return [link.source, *lanes, link.target]


def _sort_columns(cells: Sequence[Box], routes: Sequence[Sequence[Box]]) -> None:
    """Order each column by the mean place of its neighbours, a few sweeps: fewer crossings."""
    before: dict[int, list[Box]] = {}
    behind: dict[int, list[Box]] = {}
    for route in routes:
        for a, b in pairwise(route):
            before.setdefault(id(b), []).append(a)
            behind.setdefault(id(a), []).append(b)
    columns = _columns(cells)
    for column in columns:
        column.sort(key=lambda c: c.band)
        _number(column)
    for sweep in range(4):
        neighbours = before if sweep % 2 == 0 else behind
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            for cell in column:
                near = neighbours.get(id(cell))
                if near:
                    cell.order = sum(n.order for n in near) / len(near)
            column.sort(key=lambda c: (c.band, c.order))
            _number(column)


def _columns(cells: Sequence[Box]) -> list[list[Box]]:
    columns: list[list[Box]] = [[] for _ in range(1 + max(c.column for c in cells))]
    for cell in cells:
        columns[cell.column].append(cell)
    return columns


def _number(column: Sequence[Box]) -> None:
    # Relative to the column's middle, so that columns of different length line up.
    for i, cell in enumerate(column):
        cell.order = i - (len(column) - 1) / 2


@dataclass
class _Place:
    """Where everything is, px."""

    left: float  # where lines that run up or down begin
    bands: list[Band]
    channels: list[float]  # top of the channel below each shelf
    width: float = 0.0
    height: float = 0.0


def _names_width(parts: Parts) -> float:
    # The names of groups stand left of all links.
    return max((GROUP_CHAR * len(name) for name in parts.groups), default=0.0)


def _place(cells: Sequence[Box], parts: Parts, channels: Channels) -> _Place:
    """Set x and y of every cell."""
    columns = [sorted(column, key=lambda c: (c.band, c.order)) for column in _columns(cells)]
    place = _Place(MARGIN + _names_width(parts), [], [])
    y = float(MARGIN)
    for shelf in range(1 + max(cell.shelf for cell in cells)):
        here = {n: column for n, column in enumerate(columns) if column[0].shelf == shelf}
        x = place.left + channels.margin()
        for number, column in here.items():
            x += _gutter(number, parts, first=number == min(here))
            wide = max((c.width for c in column if c.name), default=120.0)
            for cell in column:
                cell.x = x + (wide - cell.width) / 2 if cell.name else x
            x += wide
        place.width = max(place.width, x + RIGHT + MARGIN)
        y = _place_shelf(list(here.values()), parts, y, place.bands)
        place.channels.append(y)
        y += channels.height(shelf) + BELOW
    place.height = y
    return place


def _place_shelf(columns: Sequence[Sequence[Box]], parts: Parts, y: float, bands: list[Band]) -> float:
    """Set y of a shelf's cells, band by band; give the lower end."""
    pad = BAND_PAD if parts.groups else 0
    for number in sorted({cell.band for column in columns for cell in column}):
        stacks = [[cell for cell in column if cell.band == number] for column in columns]
        tallest = max(_stack_height(stack) for stack in stacks)
        for stack in stacks:
            top = y + pad + (tallest - _stack_height(stack)) / 2
            for cell in stack:
                cell.y = top
                top += cell.height + ROW_GAP
        if number < len(parts.groups):
            bands.append(Band(parts.groups[number], number, y, tallest + 2 * pad))
        y += tallest + 2 * pad + (10 if pad else 0)
    return y + MARGIN - (10 if pad else 0)


def _gutter(column: int, parts: Parts, first: bool = False) -> float:
    """Room left of a column: for the longest label that ends there."""
    into = [link.label for link in parts.links if link.target.column == column and not link.far]
    driven = [f"{s.label}___" for s in parts.stimuli if s.target.column == column]
    longest = max((len(label) for label in into + driven), default=0)
    return max(66.0 if first else GUTTER, LABEL_CHAR * longest + (24 if first else 46))


def _stack_height(stack: Sequence[Box]) -> float:
    return max(0.0, sum(cell.height + ROW_GAP for cell in stack) - ROW_GAP)


def _spans(boxes: Sequence[Box]) -> Spans:
    """Left and right border of each column that holds boxes."""
    spans: dict[int, tuple[float, float]] = {}
    for box in boxes:
        left, right = spans.get(box.column, (box.x, box.x + box.width))
        spans[box.column] = (min(left, box.x), max(right, box.x + box.width))
    return spans
