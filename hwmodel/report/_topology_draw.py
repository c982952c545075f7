"""The SVG of a topology whose boxes have their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwmodel.report._svg import number, xml_text
from hwmodel.report._topology_labels import CHAR, Area, Label, place_labels
from hwmodel.report._topology_parts import HEAD, PORT_STEP, Box, Parts, Stimulus
from hwmodel.report._topology_route import Wire

MARGIN = 16
SHADES = 6  # colours of types, then they repeat
TINTS = 4  # colours of groups
PROTOCOLS = {"pulse": "pulse", "bits": "bits", "event": "event"}

STYLE = """
.hw-topology{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-size:11px}
.hw-topology .paper{fill:#fff}.hw-topology .box{fill:#f6f8fa;stroke:#7b8794}
.hw-topology text{fill:#4a5563}.hw-topology .name{fill:#16202c;font-weight:600;font-size:12px}
.hw-topology .port{fill:#16202c;font-family:ui-monospace,"DejaVu Sans Mono",monospace}
.hw-topology .pin,.hw-topology .tip{fill:#0059a8}.hw-topology .link{fill:none;stroke:#0059a8;stroke-width:1.4}
.hw-topology .event .pin,.hw-topology .event .tip{fill:#a33b00}.hw-topology .event .link{stroke:#a33b00}
.hw-topology .bits .pin,.hw-topology .bits .tip{fill:#00694c}.hw-topology .bits .link{stroke:#00694c}
.hw-topology .back .link{stroke-dasharray:7 3}.hw-topology .bundle .link{stroke-width:3.6}
.hw-topology .key .back .link,.hw-topology .key .bundle .link{stroke:#4a5563}
.hw-topology .drive{fill:none;stroke:#4a5563;stroke-width:1.2}.hw-topology .drivetip{fill:#4a5563}
.hw-topology .latency,.hw-topology .driven{font-size:10px;fill:#16202c}.hw-topology .chip{fill:#fff;fill-opacity:.88}
.hw-topology .driven{fill:#4a5563}.hw-topology .group{font-weight:600;font-size:13px;fill:#16202c}
.hw-topology .t0{fill:#fdf0e4}.hw-topology .t1{fill:#eef2e2}.hw-topology .t2{fill:#e4eefb}.hw-topology .t3{fill:#f0e9f8}
.hw-topology .k0{fill:#0072b2}.hw-topology .k1{fill:#d55e00}.hw-topology .k2{fill:#009e73}
.hw-topology .k3{fill:#cc79a7}.hw-topology .k4{fill:#56b4e9}.hw-topology .k5{fill:#e69f00}
@media screen and (prefers-color-scheme:dark){
.hw-topology .paper{fill:#15191f}.hw-topology .box{fill:#1f252d;stroke:#66717e}.hw-topology text{fill:#a9b4c0}
.hw-topology .name,.hw-topology .port,.hw-topology .latency,.hw-topology .group{fill:#e8edf2}
.hw-topology .chip{fill:#15191f}.hw-topology .driven{fill:#a9b4c0}
.hw-topology .pin,.hw-topology .tip{fill:#6db3f2}.hw-topology .link{stroke:#6db3f2}
.hw-topology .event .pin,.hw-topology .event .tip{fill:#f0955a}.hw-topology .event .link{stroke:#f0955a}
.hw-topology .bits .pin,.hw-topology .bits .tip{fill:#4cc39a}.hw-topology .bits .link{stroke:#4cc39a}
.hw-topology .key .back .link,.hw-topology .key .bundle .link{stroke:#a9b4c0}
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
    wires: Sequence[Wire]
    bands: Sequence[Band]
    width: float
    height: float


def render(picture: Picture) -> str:
    """Write the SVG."""
    boxes, links = picture.parts.boxes, picture.parts.links
    key, key_width = _key(picture)
    key_y = picture.height
    total = key_y + (24 if key else 0)
    width = max(picture.width, key_width)
    driven = [_driven(stimulus) for stimulus in picture.parts.stimuli]
    taken: list[Area] = [(label.x, label.y - 8, label.x + label.width + 28, label.y + 3) for label in driven]
    taken += [(14.0, band.y + 6, 14 + 8.5 * len(band.name), band.y + 22) for band in picture.bands]
    labels = place_labels(picture.wires, boxes, taken)
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
                *map(_draw_wire, picture.wires),
                *(_draw_stimulus(stimulus) for stimulus in picture.parts.stimuli),
                # Texts come last, so that no line runs over them.
                *(_draw_label(label, "driven") for label in driven),
                *(_draw_label(label, "latency") for label in labels),
                *(
                    [f'<g class="key" transform="translate({MARGIN} {number(key_y)})">{key}</g>']
                    if key
                    else []
                ),
                "</svg>",
            ]
        )
        + "\n"
    )


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


def _driven(stimulus: Stimulus) -> Label:
    x, y = stimulus.target.x, stimulus.target.port_y("in", stimulus.into)
    return Label(stimulus.label, x - 28 - CHAR * len(stimulus.label), y + 4)


def _draw_stimulus(stimulus: Stimulus) -> str:
    x, y = stimulus.target.x, stimulus.target.port_y("in", stimulus.into)
    title = f"driven: {stimulus.target.name}.{stimulus.into}, {stimulus.label}"
    return (
        f'<g><title>{xml_text(title)}</title><path class="drive" d="M{number(x - 24)} {number(y)}H{number(x - 8)}"/>'
        f'<path class="drivetip" d="M{number(x - 2)} {number(y)}l-8 -4v8z"/></g>'
    )


def _draw_wire(wire: Wire) -> str:
    link = wire.link
    x, y = link.target.x, wire.points[-1][1]
    look = PROTOCOLS.get(link.protocol, "other") + (" back" if link.back else "")
    look += " bundle" if link.count > 1 else ""
    return (
        f'<g class="{look}"><title>{xml_text(link.title)}</title><path class="link" d="{wire.path}"/>'
        f'<path class="tip" d="M{number(x - 2)} {number(y)}l-8 -4v8z"/></g>'
    )


def _draw_label(label: Label, look: str) -> str:
    # The text stands in the middle of its ground, for the width of a font is not known.
    return (
        f'<rect class="chip" x="{number(label.x)}" y="{number(label.y - 9)}" width="{number(label.width)}" height="12" '
        f'rx="3"/><text class="{look}" x="{number(label.x + label.width / 2)}" y="{number(label.y)}" text-anchor="middle">'
        f"{xml_text(label.text)}</text>"
    )


def _key(picture: Picture) -> tuple[str, float]:
    """What the lines mean, and how wide that is; "" where there are no lines."""
    links = picture.parts.links
    items = [(name, name) for name in PROTOCOLS if any(link.protocol == name for link in links)]
    if any(link.back for link in links):
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
