"""Places for the texts of a topology: where neither a line nor a box nor another text is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwmodel.report._topology_parts import Box
from hwmodel.report._topology_route import Wire

CHAR = 6.0  # px of a character
ABOVE, BELOW = 8.0, 3.0  # px over and under the base line
CLEAR = 2.0  # px kept free around a text
TEXT_ON_TEXT, TEXT_ON_BOX = 1000.0, 300.0  # costs; a point of a line costs 1
AWAY = 0.4  # cost of each place after the first

Area = tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """A text with its place: the left end of its base line, px."""

    text: str
    x: float
    y: float

    @property
    def width(self) -> float:
        """An upper bound of its width, px."""
        return CHAR * len(self.text)

    @property
    def area(self) -> Area:
        """Left, top, right and bottom, px."""
        return self.x - CLEAR, self.y - ABOVE - CLEAR, self.x + self.width + CLEAR, self.y + BELOW + CLEAR


def place_labels(wires: Sequence[Wire], boxes: Iterable[Box], taken: Iterable[Area]) -> list[Label]:
    """Choose a place for the latency of each line: the best of several, one after the other.

    Parameters:
        wires: the lines.
        boxes: which no text may cover.
        taken: areas of other texts.
    """
    points = np.array([point for wire in wires for point in wire.points] or [(0.0, 0.0)])
    walls = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    texts = list(taken)
    labels = []
    for wire in wires:
        if not wire.link.label:
            continue
        places = list(_places(wire))
        costs = [_cost(label, points, walls, texts) + AWAY * n for n, label in enumerate(places)]
        best = places[int(np.argmin(costs))]
        labels.append(best)
        texts.append(best.area)
    return labels


def _places(wire: Wire) -> Iterator[Label]:
    link = wire.link
    begin, end = wire.points[0], wire.points[-1]
    if wire.link.far:
        # A long way: on its lane, and with the names of both ends.
        text = f"{link.source.name} → {link.target.name}: {link.label}"
        left, right, y = wire.run
        room = max(0.0, right - left - CHAR * len(text))
        for part in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9):
            yield Label(text, left + part * room, y - 5)
        return
    width = CHAR * len(link.label)
    for back in (5, 20, 35):
        yield Label(link.label, end[0] - back - width, end[1] - 6)
        yield Label(link.label, end[0] - back - width, end[1] + 13)
    for ahead in (8, 23, 38):
        yield Label(link.label, begin[0] + ahead, begin[1] - 6)
        yield Label(link.label, begin[0] + ahead, begin[1] + 13)
    left, right, y = wire.run
    if right - left > width:
        yield Label(link.label, (left + right - width) / 2, y - 6)
        yield Label(link.label, (left + right - width) / 2, y + 13)


def _cost(
    label: Label, points: npt.NDArray[np.float64], walls: Sequence[Area], texts: Sequence[Area]
) -> float:
    left, top, right, bottom = area = label.area
    x, y = points[:, 0], points[:, 1]
    crossed = np.count_nonzero((x > left) & (x < right) & (y > top) & (y < bottom))
    return (
        crossed
        + TEXT_ON_TEXT * sum(_overlap(area, other) for other in texts)
        + TEXT_ON_BOX * sum(_overlap(area, wall) for wall in walls)
        + (TEXT_ON_BOX if left < 0 else 0.0)
    )


def _overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
