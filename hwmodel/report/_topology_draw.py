"""The SVG of a topology whose boxes have their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwmodel.report._svg import number, xml_text
from hwmodel.report._topology_parts import HEAD, LANE, PORT_STEP, Box, Drawn, Parts, Stimulus

MARGIN = 16
SHADES = 6  # colours of types, then they repeat
TINTS = 4  # colours of groups
PROTOCOLS = {"pulse": "pulse", "bits": "bits", "event": "event"}
Spans = Mapping[int, tuple[float, float]]

STYLE = """
.hw-topology{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-size:11px}
.hw-topology .paper{fill:#fff}.hw-topology .box{fill:#f6f8fa;stroke:#7b8794}
.hw-topology text{fill:#4a5563}.hw-topology .name{fill:#16202c;font-weight:600;font-size:12px}
.hw-topology .port{fill:#16202c;font-family:ui-monospace,"DejaVu Sans Mono",monospace}
.hw-topology .pin,.hw-topology .tip{fill:#0059a8}.hw-topology .link{fill:none;stroke:#0059a8;stroke-width:1.4}
.hw-topology .event .pin,.hw-topology .event .tip{fill:#a33b00}.hw-topology .event .link{stroke:#a33b00}
.hw-topology .bits .pin,.hw-topology .bits .tip{fill:#00694c}.hw-topology .bits .link{stroke:#00694c}
.hw-topology .back .link{stroke-dasharray:7 3}.hw-topology .bundle .link{stroke-width:3.6}
.hw-topology .drive{fill:none;stroke:#4a5563;stroke-width:1.2}.hw-topology .drivetip{fill:#4a5563}
.hw-topology .latency,.hw-topology .driven{font-size:10px;fill:#16202c;paint-order:stroke;stroke:#fff;stroke-width:3px}
.hw-topology .driven{fill:#4a5563}.hw-topology .group{font-weight:600;font-size:13px;fill:#16202c}
.hw-topology .t0{fill:#fdf0e4}.hw-topology .t1{fill:#eef2e2}.hw-topology .t2{fill:#e4eefb}.hw-topology .t3{fill:#f0e9f8}
.hw-topology .k0{fill:#0072b2}.hw-topology .k1{fill:#d55e00}.hw-topology .k2{fill:#009e73}
.hw-topology .k3{fill:#cc79a7}.hw-topology .k4{fill:#56b4e9}.hw-topology .k5{fill:#e69f00}
@media screen and (prefers-color-scheme:dark){
.hw-topology .paper{fill:#15191f}.hw-topology .box{fill:#1f252d;stroke:#66717e}.hw-topology text{fill:#a9b4c0}
.hw-topology .name,.hw-topology .port,.hw-topology .latency,.hw-topology .group{fill:#e8edf2}
.hw-topology .latency,.hw-topology .driven{stroke:#15191f}.hw-topology .driven{fill:#a9b4c0}
.hw-topology .pin,.hw-topology .tip{fill:#6db3f2}.hw-topology .link{stroke:#6db3f2}
.hw-topology .event .pin,.hw-topology .event .tip{fill:#f0955a}.hw-topology .event .link{stroke:#f0955a}
.hw-topology .bits .pin,.hw-topology .bits .tip{fill:#4cc39a}.hw-topology .bits .link{stroke:#4cc39a}
.hw-topology .drive{stroke:#a9b4c0}.hw-topology .drivetip{fill:#a9b4c0}
.hw-topology .t0{fill:#2b2119}.hw-topology .t1{fill:#212719}.hw-topology .t2{fill:#17222f}.hw-topology .t3{fill:#241e2e}}
""".strip()


@dataclass(frozen=True)
class Band:
    """The strip of a group across the drawing."""

    name: str
    tint: int
    y: float
    height: float


@dataclass(frozen=True)
class Picture:
    """A topology with every place set."""

    parts: Parts
    forward: Sequence[Drawn]
    routes: Sequence[Sequence[Box]]
    back: Sequence[Drawn]
    spans: Spans
    bands: Sequence[Band]
    width: float
    height: float  # of boxes and bands


def render(picture: Picture) -> str:
    """Write the SVG."""
    boxes, back = picture.parts.boxes, picture.back
    key, key_width = _key(picture)
    total = picture.height + LANE * len(back) + (MARGIN if back else 0)
    key_y, total = total, total + (24 if key else 0)
    width = max(picture.width, key_width)
    labels = _Labels()
    stimuli = [_draw_stimulus(stimulus, labels) for stimulus in picture.parts.stimuli]
    body = [
        _draw_forward(link, route, picture.spans, labels)
        for link, route in zip(picture.forward, picture.routes, strict=True)
    ]
    # The turns bulge past the latencies written at the ports, each a little further than the last.
    body += [
        _draw_back(
            link, picture.height + LANE * (i + 0.5), 58 + 28 * (i + 1) / (len(back) + 1), picture.spans
        )
        for i, link in enumerate(back)
    ]
    links = [*picture.forward, *back]
    summary = f"Topology: {len(boxes)} components, {sum(link.count for link in links)} links"
    size = f'width="{number(width)}" height="{number(total)}" viewBox="0 0 {number(width)} {number(total)}"'
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" class="hw-topology" role="img" aria-label="{summary}" {size}>',
                f"<title>{summary}</title>",
                f"<desc>{xml_text('; '.join(link.title for link in links)) or 'no links'}</desc>",
                f"<style>{STYLE}</style>",
                f'<rect class="paper" width="{number(width)}" height="{number(total)}"/>',
                *(_draw_band(band, width) for band in picture.bands),
                *(_draw_box(box) for box in boxes),
                *body,
                *stimuli,  # their texts stay legible over a link that passes
                *([f'<g transform="translate({MARGIN} {number(key_y)})">{key}</g>'] if key else []),
                "</svg>",
            ]
        )
        + "\n"
    )


class _Labels:
    """Which ports have a text beside them already."""

    def __init__(self) -> None:
        self._taken: set[tuple[int, str, float]] = set()

    def take(self, box: Box, direction: str, y: float) -> bool:
        """Whether the place was free."""
        place = id(box), direction, y
        free = place not in self._taken
        self._taken.add(place)
        return free


def _draw_band(band: Band, width: float) -> str:
    return (
        f'<g><rect class="band t{band.tint % TINTS}" x="4" y="{number(band.y)}" width="{number(width - 8)}" '
        f'height="{number(band.height)}" rx="8"/><text class="group" x="14" y="{number(band.y + 18)}">'
        f"{xml_text(band.name)}</text></g>"
    )


def _draw_box(box: Box) -> str:
    middle = number(box.x + box.width / 2)
    size = f'width="{number(box.width)}" height="{number(box.height)}"'
    strip = f'x="{number(box.x + 1)}" y="{number(box.y + 1)}" width="{number(box.width - 2)}"'
    parts = [
        f'<g><rect class="box" x="{number(box.x)}" y="{number(box.y)}" {size} rx="5"/>',
        f'<rect class="kind k{box.shade % SHADES}" {strip} height="4" rx="2"/>',
        f'<text class="name" x="{middle}" y="{number(box.y + 19)}" text-anchor="middle">{xml_text(box.name)}</text>',
        f'<text x="{middle}" y="{number(box.y + 33)}" text-anchor="middle">{xml_text(box.kind)}</text>',
    ]
    sides = (("in", box.inputs, box.x, 9, "start"), ("out", box.outputs, box.x + box.width, -9, "end"))
    for direction, ports, x, shift, anchor in sides:
        for i, port in enumerate(ports):
            y = box.y + HEAD + PORT_STEP * (i + 0.5)
            protocol = PROTOCOLS.get(box.protocols.get((direction, i), ""), "other")
            parts.append(
                f'<g class="{protocol}"><circle class="pin" cx="{number(x)}" cy="{number(y)}" r="3"/><text class="port" '
                f'x="{number(x + shift)}" y="{number(y + 4)}" text-anchor="{anchor}">{xml_text(port)}</text></g>'
            )
    return "".join(parts) + "</g>"


def _draw_stimulus(stimulus: Stimulus, labels: _Labels) -> str:
    x, y = stimulus.target.x, stimulus.target.port_y("in", stimulus.into)
    labels.take(stimulus.target, "in", y)
    title = f"driven: {stimulus.target.name}.{stimulus.into}, {stimulus.label}"
    return (
        f'<g><title>{xml_text(title)}</title><path class="drive" d="M{number(x - 24)} {number(y)}H{number(x - 8)}"/>'
        f'<path class="drivetip" d="M{number(x - 2)} {number(y)}l-8 -4v8z"/><text class="driven" '
        f'x="{number(x - 28)}" y="{number(y + 4)}" text-anchor="end">{xml_text(stimulus.label)}</text></g>'
    )


def _draw_forward(link: Drawn, route: Sequence[Box], spans: Spans, labels: _Labels) -> str:
    x, y = link.source.x + link.source.width, link.source.port_y("out", link.out)
    begin = x, y
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
    end_x, end_y = link.target.x, link.target.port_y("in", link.into)
    left = spans[link.target.column][0] - 7
    middle = (x + left) / 2
    path += f"C{number(middle)} {number(y)} {number(middle)} {number(end_y)} {number(left)} {number(end_y)}"
    place: tuple[float, float, str] | None = None
    if labels.take(link.target, "in", end_y):
        place = end_x - 12, end_y - 5, "end"
    elif labels.take(link.source, "out", begin[1]):
        # Several links share the input, so the latency stands where the link begins.
        place = begin[0] + 8, begin[1] - 5, "start"
    return _draw_link(link, path, (end_x, end_y), place, "")


def _draw_back(link: Drawn, lane_y: float, bulge: float, spans: Spans) -> str:
    x, y = link.source.x + link.source.width, link.source.port_y("out", link.out)
    right = spans[link.source.column][1]
    left = spans[link.target.column][0]
    end_x, end_y = link.target.x, link.target.port_y("in", link.into)
    away, home = number(right + bulge), number(left - bulge)
    path = (
        f"M{number(x)} {number(y)}H{number(right)}"
        f"C{away} {number(y)} {away} {number(lane_y)} {number(right)} {number(lane_y)}H{number(left - 7)}"
        f"C{home} {number(lane_y)} {home} {number(end_y)} {number(left - 7)} {number(end_y)}"
    )
    return _draw_link(link, path, (end_x, end_y), ((left + right) / 2, lane_y - 5, "middle"), " back")


def _draw_link(
    link: Drawn, path: str, end: tuple[float, float], place: tuple[float, float, str] | None, more: str
) -> str:
    x, y = end
    tip = f"M{number(x - 2)} {number(y)}l-8 -4v8z"
    text = ""
    if place is not None and link.label:
        text_x, text_y, anchor = place
        label = f"{link.source.name} → {link.target.name}: {link.label}" if more else link.label
        text = (
            f'<text class="latency" x="{number(text_x)}" y="{number(text_y)}" text-anchor="{anchor}">'
            f"{xml_text(label)}</text>"
        )
    look = PROTOCOLS.get(link.protocol, "other") + more + (" bundle" if link.count > 1 else "")
    return (
        f'<g class="{look}"><title>{xml_text(link.title)}</title><path class="link" d="{path}H{number(x - 6)}"/>'
        f'<path class="tip" d="{tip}"/>{text}</g>'
    )


def _key(picture: Picture) -> tuple[str, float]:
    """What the lines mean, and how wide that is; "" where there are no lines."""
    links = [*picture.forward, *picture.back]
    items = [(name, name) for name in PROTOCOLS if any(link.protocol == name for link in links)]
    if picture.back:
        items.append(("back", "closes a loop"))
    if any(link.count > 1 for link in links):
        items.append(("bundle", "several links"))
    x, parts = 0.0, []
    for look, text in items:
        parts.append(
            f'<g class="{look}"><path class="link sample" d="M{number(x)} 8h26"/>'
            f'<text x="{number(x + 32)}" y="12">{text}</text></g>'
        )
        x += 56 + 6 * len(text)
    return "".join(parts), x + 2 * MARGIN
