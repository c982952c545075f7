"""The topology drawing: every component and link is there, and nothing overlaps."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import ResultError, UnknownNameError
from hwmodel.report import draw_topology
from hwmodel.report._topology_parts import clock_of

NS = "{http://www.w3.org/2000/svg}"


def boxes(svg):
    rects = [r for r in ET.fromstring(svg).iter(NS + "rect") if r.get("class") == "box"]
    return [tuple(float(r.get(k)) for k in ("x", "y", "width", "height")) for r in rects]


def overlap(a, b):
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def straights(svg):
    """The straight runs (x0, y0, x1, y1) of all links."""
    for path in ET.fromstring(svg).iter(NS + "path"):
        if path.get("class") == "link":
            x = y = 0.0
            for command, numbers in re.findall(r"([MCHV])([^MCHV]*)", path.get("d")):
                values = [float(v) for v in numbers.split()]
                if command in "HV":
                    to = (values[0], y) if command == "H" else (x, values[0])
                    yield min(x, to[0]), min(y, to[1]), max(x, to[0]), max(y, to[1])
                    x, y = to
                else:
                    x, y = values[-2:]


def crosses(run, box):
    """A link starts and ends at a border, so touching is no crossing."""
    left, top, width, height = box
    return run[0] < left + width - 1 and run[2] > left + 1 and run[1] < top + height and run[3] > top


def chips(svg):
    """The grounds of all labels: x, y, width, height."""
    rects = [r for r in ET.fromstring(svg).iter(NS + "rect") if r.get("class") == "chip"]
    return [tuple(float(r.get(k)) for k in ("x", "y", "width", "height")) for r in rects]


def system(n, links):
    ports = [{"name": "i", "direction": "in", "width": 1}, {"name": "o", "direction": "out", "width": 1}]
    return {
        "components": [{"path": f"c{k}", "type": "T", "ports": ports} for k in range(n)],
        "links": [{"source": f"c{a}.o", "target": f"c{b}.i", "latency_fs": 1000} for a, b in links],
    }


def chain(n):
    return system(n, [(k, k + 1) for k in range(n - 1)])


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
    assert not any(crosses(run, box) for run in straights(svg) for box in boxes(svg))


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


def texts(svg, cls):
    return [t.text for t in ET.fromstring(svg).iter(NS + "text") if t.get("class") == cls]


def parallel(*latencies, protocol="pulse", drives=()):
    ports = {
        side: [
            {"name": f"{side}{k}", "direction": side, "protocol": protocol, "width": 1}
            for k in range(len(latencies))
        ]
        for side in ("in", "out")
    }
    return {
        "components": [
            {"path": "a", "type": "T", "ports": ports["out"]},
            {"path": "b", "type": "U", "ports": ports["in"]},
        ],
        "links": [
            {"source": f"a.out{k}", "target": f"b.in{k}", "latency_fs": t} for k, t in enumerate(latencies)
        ],
        "drives": list(drives),
    }


def test_many_links_between_two_components_are_drawn_as_one():
    svg = draw_topology(parallel(*[4_770_000] * 7))
    assert svg.count('class="link"') == 1
    assert texts(svg, "latency") == ["7 links, 4.77 ns"]
    assert texts(svg, "port") == ["out0 … out6", "in0 … in6"]
    assert "2 components, 7 links" in svg
    assert "a.out3 to b.in3, 4.77 ns" in svg


def test_a_bundle_of_unlike_latencies_shows_their_range():
    assert texts(draw_topology(parallel(4_770_000, 4_777_000, 9_000_000)), "latency") == [
        "3 links, 4.77 to 9 ns"
    ]
    assert texts(draw_topology(parallel(500, 2000, 2000)), "latency") == ["3 links, 500 fs to 2 ps"]


def test_two_links_are_drawn_one_by_one():
    assert draw_topology(parallel(1000, 1000)).count('class="link"') == 2


def test_links_of_different_protocols_are_no_bundle():
    manifest = parallel(1000, 1000, 1000)
    manifest["components"][0]["ports"][0]["protocol"] = "event"
    assert draw_topology(manifest).count('class="link"') == 3


def test_a_link_has_the_look_of_its_protocol():
    svg = draw_topology(parallel(1000, protocol="bits"))
    groups = [g for g in ET.fromstring(svg).iter(NS + "g") if g.find(NS + "path[@class='link']") is not None]
    assert [g.get("class") for g in groups] == ["bits"]


def test_a_link_that_closes_a_loop_is_marked_and_named():
    svg = draw_topology(system(2, [(0, 1), (1, 0)]))
    back = [
        g
        for g in ET.fromstring(svg).iter(NS + "g")
        if "back" in (g.get("class") or "").split() and g.find(NS + "title") is not None
    ]
    assert len(back) == 1
    assert [text for text in texts(svg, "latency") if "→" in text] == ["c1 → c0: 1 ps"]


@settings(deadline=None)
@given(graphs, st.data())
def test_groups_are_bands_that_hold_their_components_and_no_other(graph, data):
    n, _ = graph
    groups = {f"c{k}": f"g{data.draw(st.integers(0, 2))}" for k in range(n) if data.draw(st.booleans())}
    svg = draw_topology(system(*graph), groups)
    root = ET.fromstring(svg)
    bands = [
        (
            g.find(NS + "text").text,
            float(g.find(NS + "rect").get("y")),
            float(g.find(NS + "rect").get("height")),
        )
        for g in root.iter(NS + "g")
        if g.find(NS + "rect") is not None and "band" in g.find(NS + "rect").get("class")
    ]
    assert {name for name, _, _ in bands} == set(groups.values())
    assert not any(overlap(a, b) for a, b in combinations(boxes(svg), 2))
    for name, (_, y, _, height) in zip(texts(svg, "name"), boxes(svg), strict=True):
        held = [label for label, top, tall in bands if top <= y and y + height <= top + tall]
        apart = [label for label, top, tall in bands if y + height <= top or y >= top + tall]
        assert held == ([groups[name]] if name in groups else [])
        assert len(held) + len(apart) == len(bands)


def test_groups_stand_in_the_order_in_which_they_are_named_on_every_shelf():
    groups = {f"c{k}": ("warm", "cold")[k % 2] for k in range(9)}
    assert texts(draw_topology(chain(9), groups), "group")[:4] == ["warm", "cold"] * 2


@settings(deadline=None)
@given(graphs, st.data())
def test_no_link_runs_through_a_box_of_a_grouped_drawing(graph, data):
    groups = {f"c{k}": f"g{data.draw(st.integers(0, 2))}" for k in range(graph[0])}
    svg = draw_topology(system(*graph), groups)
    assert svg.count('class="link"') == len(graph[1])
    assert not any(crosses(run, box) for run in straights(svg) for box in boxes(svg))


@pytest.mark.parametrize("first", ["c0", "c1", "c2"])
def test_a_loop_begins_with_the_component_that_is_named_first(first):
    svg = draw_topology(system(3, [(0, 1), (1, 2), (2, 0)]), {first: "g"})
    place = dict(zip(texts(svg, "name"), (box[0] for box in boxes(svg)), strict=True))
    assert min(place, key=place.get) == first


def test_a_group_of_a_path_holds_what_is_below_it(manifest):
    svg = draw_topology(manifest, {"net": "4 K"})
    assert texts(svg, "group") == ["4 K"]


def test_a_group_for_no_component_is_refused(manifest):
    with pytest.raises(UnknownNameError, match=r"'readuot'.*readout"):
        draw_topology(manifest, {"readuot": "77 K"})


def test_a_group_needs_a_name(manifest):
    with pytest.raises(ResultError, match="empty name"):
        draw_topology(manifest, {"core": ""})


def test_stimuli_are_arrows_with_their_clock_or_their_number():
    drives = [
        {"port": "b.in0", "count": None, "clock": "Clock(GHz(5), phase=ps(20))", "start": 0},
        {"port": "b.in1", "count": 3, "times": "given"},
    ]
    assert texts(draw_topology({**parallel(1000, 1000), "links": [], "drives": drives}), "driven") == [
        "5 GHz",
        "3×",
    ]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"clock": "Clock(MHz(500))"}, "500 MHz"),
        ({"machine": {"core": {"clock": "GHz(100)"}}}, "100 GHz"),
        ({"clock": "Clock(period=us(2), phase=ns(1))"}, "every 2 µs"),
        ({"a": {"b": {"c": {"clock": "GHz(1)"}}}}, ""),
        (None, ""),
    ],
)
def test_the_clock_of_a_component_is_read_off_its_spec(spec, text):
    assert clock_of(spec) == text


@pytest.mark.parametrize("n", [2, 3, 9, 15, 40])
def test_a_long_row_is_cut_into_shelves(n):
    svg = draw_topology(chain(n))
    assert float(ET.fromstring(svg).get("width")) <= 1240
    order = sorted(
        zip(boxes(svg), texts(svg, "name"), strict=True), key=lambda found: (found[0][1], found[0][0])
    )
    assert [name for _, name in order] == [f"c{k}" for k in range(n)]  # as text is read
    rows = [box[1] for box in boxes(svg)]
    lengths = [rows.count(y) for y in sorted(set(rows))]
    assert max(lengths) - min(lengths) <= len(lengths)  # none is left with one alone
    assert (len(lengths) == 1) == (n <= 5)


def test_a_link_to_the_next_shelf_closes_no_loop():
    svg = draw_topology(chain(9))
    assert 'class="back"' not in svg
    assert [text for text in texts(svg, "latency") if "→" in text] == ["c4 → c5: 1 ps"]


@settings(deadline=None)
@given(graphs)
def test_every_latency_is_written_and_covers_no_box(graph):
    svg = draw_topology(system(*graph))
    assert len(texts(svg, "latency")) == len(chips(svg)) == len(graph[1])
    assert not any(overlap(chip, box) for chip in chips(svg) for box in boxes(svg))


@pytest.mark.parametrize(
    "links", [[(0, 2), (1, 2)], [(0, 1), (1, 2), (0, 2), (2, 0)], [(0, 3), (1, 3), (2, 3), (3, 0)]]
)
def test_no_label_lies_on_a_label_or_a_straight_line(links):
    svg = draw_topology(system(4, links))
    assert not any(overlap(a, b) for a, b in combinations(chips(svg), 2))
    for x, y, width, height in chips(svg):
        for x0, y0, x1, y1 in straights(svg):
            assert not (x0 < x + width and x < x1 and y0 < y + height - 1 and y + 1 < y1)


def test_labels_are_drawn_over_all_lines():
    svg = draw_topology(chain(9))
    assert svg.rindex('class="tip"') < svg.index('class="chip"')
