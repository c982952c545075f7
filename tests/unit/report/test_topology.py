"""The topology drawing: every component and link is there, and nothing overlaps."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.report import draw_topology

NS = "{http://www.w3.org/2000/svg}"


def boxes(svg):
    rects = [r for r in ET.fromstring(svg).iter(NS + "rect") if r.get("class") == "box"]
    return [tuple(float(r.get(k)) for k in ("x", "y", "width", "height")) for r in rects]


def overlap(a, b):
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def horizontals(svg):
    """The straight runs (x0, x1, y) of all links."""
    for path in ET.fromstring(svg).iter(NS + "path"):
        if path.get("class") == "link":
            x = y = 0.0
            for command, numbers in re.findall(r"([MCH])([^MCH]*)", path.get("d")):
                values = [float(v) for v in numbers.split()]
                if command == "H":
                    yield min(x, values[0]), max(x, values[0]), y
                    x = values[0]
                else:
                    x, y = values[-2:]


def system(n, links):
    ports = [{"name": "i", "direction": "in", "width": 1}, {"name": "o", "direction": "out", "width": 1}]
    return {
        "components": [{"path": f"c{k}", "type": "T", "ports": ports} for k in range(n)],
        "links": [{"source": f"c{a}.o", "target": f"c{b}.i", "latency_fs": 1000} for a, b in links],
    }


graphs = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=10, unique=True),
    )
)


@settings(deadline=None)
@given(graphs)
def test_no_boxes_overlap_and_all_lie_inside(graph):
    svg = draw_topology(system(*graph))
    root = ET.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    assert len(boxes(svg)) == graph[0]
    assert not any(overlap(a, b) for a, b in combinations(boxes(svg), 2))
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes(svg))


@settings(deadline=None)
@given(graphs)
def test_every_link_is_drawn_and_none_runs_through_a_box(graph):
    svg = draw_topology(system(*graph))
    assert svg.count('class="link"') == len(graph[1])
    for x0, x1, y in horizontals(svg):
        for left, top, width, height in boxes(svg):
            # A link starts and ends at a border, so touching is no crossing.
            assert not (x0 < left + width - 1 and x1 > left + 1 and top < y < top + height)


def test_golden_topology(manifest, golden):
    golden("topology.svg", draw_topology(manifest))


def test_ports_widths_and_latencies_are_written(manifest):
    svg = draw_topology(manifest)
    for text in (">features[32]<", ">mailbox[8]<", ">net.xor<", ">Netlist<", ">3.5 ns<", ">20 ps<"):
        assert text in svg


def test_a_loop_keeps_the_direction_of_most_links(manifest):
    """Only the feedback runs backwards: asic, readout and core stand left to right."""
    svg = draw_topology(manifest)
    names = [t.text for t in ET.fromstring(svg).iter(NS + "text") if t.get("class") == "name"]
    place = dict(zip(names, (box[0] for box in boxes(svg)), strict=True))
    assert place["asic"] < place["readout"] < place["core"]
    assert place["net.xor"] < place["core"]


def test_hostile_names_are_escaped():
    svg = draw_topology(
        {"components": [{"path": "<b>&", "type": '"', "ports": [{"name": "<i>", "direction": "in"}]}]}
    )
    assert [t.text for t in ET.fromstring(svg).iter(NS + "text")] == ["<b>&", '"', "<i>"]


def test_many_ports_are_counted_instead_of_listed():
    ports = [{"name": f"p{i}", "direction": "in"} for i in range(100)]
    links = [{"source": "a.q", "target": "b.p99", "latency_fs": 1}]
    svg = draw_topology(
        {
            "components": [
                {"path": "a", "ports": [{"name": "q", "direction": "out"}]},
                {"path": "b", "ports": ports},
            ],
            "links": links,
        }
    )
    assert ">+ 77 more<" in svg
    assert svg.count('class="link"') == 1


@pytest.mark.parametrize("manifest", [{}, {"components": []}, {"components": [{"path": "a"}] * 61}])
def test_nothing_to_draw_or_too_much_gives_no_drawing(manifest):
    assert draw_topology(manifest) == ""
