"""The lines of a topology: where each link runs once all boxes have their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hwmodel.report._svg import number
from hwmodel.report._topology_parts import LANE, Box, Drawn

TIP = 7  # px of an arrow's head
TURN = 40  # px in which a line goes over from a port to a lane that runs on in the same direction
CORNER = 8.0  # px, radius of a corner
PASS_STEP = 9  # px between lines that run up or down at the left
STEP = 3.0  # px between the points that stand for a line
Spans = Mapping[int, tuple[float, float]]


class Wire:
    """A line under construction: its SVG path, and points along it.

    Attributes:
        path: data of the SVG path so far.
        points: places (px) on the line, no two neighbours much more than STEP apart.
        run: the longest straight piece to the left or right: x, x, y.
    """

    def __init__(self, link: Drawn, x: float, y: float) -> None:
        self.link = link
        self.path = f"M{number(x)} {number(y)}"
        self.points = [(x, y)]
        self.run = (x, x, y)

    def across(self, x: float) -> None:
        """Go left or right."""
        x0, y = self.points[-1]
        self.path += f"H{number(x)}"
        if abs(x - x0) > self.run[1] - self.run[0]:
            self.run = (min(x, x0), max(x, x0), y)
        self._sample(abs(x - x0), lambda s: (x0 + s * (x - x0), y))

    def along(self, y: float) -> None:
        """Go up or down."""
        x, y0 = self.points[-1]
        self.path += f"V{number(y)}"
        self._sample(abs(y - y0), lambda s: (x, y0 + s * (y - y0)))

    def bend(self, ax: float, ay: float, bx: float, by: float, x: float, y: float) -> None:
        """Go on by a cubic curve with the two given control points."""
        x0, y0 = self.points[-1]
        self.path += "C" + " ".join(map(number, (ax, ay, bx, by, x, y)))

        def at(s: float) -> tuple[float, float]:
            a, b, c, d = (1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s * s * (1 - s), s**3
            return a * x0 + b * ax + c * bx + d * x, a * y0 + b * ay + c * by + d * y

        self._sample(abs(ax - x0) + abs(bx - ax) + abs(x - bx) + abs(y - y0), at)

    def sway(self, x: float, y: float) -> None:
        """Go over to another height in the direction of travel."""
        x0, y0 = self.points[-1]
        self.bend((x0 + x) / 2, y0, (x0 + x) / 2, y, x, y)

    def _sample(self, length: float, at: Callable[[float], tuple[float, float]]) -> None:
        count = max(1, int(length / STEP))
        self.points += [at((n + 1) / count) for n in range(count)]


def forward(link: Drawn, route: Sequence[Box], spans: Spans) -> Wire:
    """A link to the right within its shelf: through the gutters, and through lanes of the columns that it passes."""
    wire = _begin(link, spans)
    for lane in route[1:-1]:
        left, right = spans.get(lane.column, (lane.x, lane.x))
        wire.sway(left, lane.y + lane.height / 2)
        wire.across(right)
    wire.sway(spans[link.target.column][0] - TIP, link.target.port_y("in", link.into))
    wire.across(link.target.x - TIP + 1)
    return wire


class Channels:
    """The strips below the shelves, where links run that go back or to another shelf.

    Parameters:
        links: these links; each takes a lane in one channel, or in two where it passes a shelf or goes up.
    """

    def __init__(self, links: Sequence[Drawn]) -> None:
        self.links = list(links)
        self._lanes: dict[int, list[int]] = {}  # channel -> numbers of the links in it
        self.passing = [n for n, link in enumerate(links) if _passes(link)]
        for n, link in enumerate(links):
            for channel in _channels(link):
                self._lanes.setdefault(channel, []).append(n)

    def height(self, shelf: int) -> float:
        """Of the channel below a shelf, px."""
        return LANE * len(self._lanes.get(shelf, ()))

    def margin(self) -> float:
        """Room for lines that run up or down at the left, px."""
        return PASS_STEP * len(self.passing)

    def wires(self, spans: Spans, tops: Sequence[float], left: float) -> list[Wire]:
        """The lines, with the top of each channel and the left end of the room for those up or down."""
        return [self._wire(n, spans, tops, left) for n in range(len(self.links))]

    def _wire(self, n: int, spans: Spans, tops: Sequence[float], left: float) -> Wire:
        link = self.links[n]
        heights = [tops[c] + LANE * (self._lanes[c].index(n) + 0.5) for c in _channels(link)]
        # The turns bulge past the latencies written at the ports, each a little further than the last.
        bulge = 58 + 28 * (n + 1) / (len(self.links) + 1)
        home, end_y = spans[link.target.column][0] - TIP, link.target.port_y("in", link.into)
        wire = _begin(link, spans)
        x, y = wire.points[-1]
        passing = left + PASS_STEP * (self.passing.index(n) + 0.5) if n in self.passing else None
        goal = home if passing is None else passing
        if goal < x:
            wire.bend(x + bulge, y, x + bulge, heights[0], x, heights[0])
        else:
            wire.sway(x + TURN, heights[0])
        if passing is not None:
            sign = CORNER if heights[1] > heights[0] else -CORNER
            wire.across(passing + CORNER)
            wire.bend(passing, heights[0], passing, heights[0], passing, heights[0] + sign)
            wire.along(heights[1] - sign)
            wire.bend(passing, heights[1], passing, heights[1], passing + CORNER, heights[1])
        x, y = wire.points[-1]
        if x > home:
            wire.across(home)
            wire.bend(home - bulge, y, home - bulge, end_y, home, end_y)
        else:
            if home - TURN > x:
                wire.across(home - TURN)
            wire.sway(home, end_y)
        wire.across(link.target.x - TIP + 1)
        return wire


def _begin(link: Drawn, spans: Spans) -> Wire:
    wire = Wire(link, link.source.x + link.source.width, link.source.port_y("out", link.out))
    # To the column's border first, so that the curve stays in the gutter.
    wire.across(spans[link.source.column][1])
    return wire


def _passes(link: Drawn) -> bool:
    """Whether the link has to pass a shelf, which it does at the left of all of them."""
    return not 0 <= link.target.shelf - link.source.shelf <= 1


def _channels(link: Drawn) -> list[int]:
    source, target = link.source.shelf, link.target.shelf
    if not _passes(link):
        return [source]
    return [source, target - 1 if target > source else target]
