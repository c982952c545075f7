"""Views, latencies and specs of a page: what is shown, and what is refused."""

import re

import numpy as np
import pytest

from hwmodel.errors import ResultError, UnknownNameError
from hwmodel.report import View, draw_waves, write_html
from hwmodel.report._axis import time_axis
from hwmodel.report._specs import part_of, sources_of
from hwmodel.units import ns, ps


@pytest.fixture(scope="session")
def run(trace, result):
    return result(
        trace("chip.hit", t=[1000, 50_000, 399_000]),
        trace("net.q", t=range(100_000, 101_000, 10)),
        trace("core.on", "level", [20_000, 90_000], [1, 0]),
    )


def page(tmp_path, run, **options):
    return write_html(run, tmp_path / "r.html", **options).read_text(encoding="utf-8")


def headings(text):
    return re.findall(r"<h3>([^<]*) <small>([^<]*)</small></h3>\n<div class=\"drawing waves\"", text)


def test_the_whole_run_comes_first_then_the_views(tmp_path, run):
    text = page(tmp_path, run, views=[("a burst", ps(100), "101 ps"), View("the end", start=ps(300))])
    assert headings(text) == [
        ("Whole run", "0 fs to 400 ps: 400 ps"),
        ("a burst", "100 ps to 101 ps: 1 ps"),
        ("the end", "300 ps to 400 ps: 100 ps"),
    ]


def test_a_view_names_its_signals_by_component(tmp_path, run):
    text = page(tmp_path, run, views=[("two", None, None, ["q", "core.on"])])
    shown = re.findall(r'<p class="signals">Signals: (.*)</p>', text)
    assert shown == [
        "<code>chip</code> hit; <code>net</code> q; <code>core</code> on",
        "<code>net</code> q; <code>core</code> on",
    ]


def test_a_view_without_signals_takes_those_of_the_overview(tmp_path, run):
    text = page(tmp_path, run, signals=["on"], views=[("v", ps(1), ps(2))])
    assert re.findall(r'<p class="signals">Signals: (.*)</p>', text) == ["<code>core</code> on"] * 2


@pytest.mark.parametrize("span", [(ps(500), ns(1)), (ps(20), ps(20)), (ps(400), None)])
def test_a_view_outside_of_the_run_or_empty_is_refused(tmp_path, run, span):
    with pytest.raises(ResultError, match=r"view 'late' from .* before the end of the run at 400 ps"):
        page(tmp_path, run, views=[("late", *span)])
    assert not list(tmp_path.iterdir())


def test_a_view_of_an_unknown_signal_is_refused(tmp_path, run):
    with pytest.raises(UnknownNameError, match=r"net\.p"):
        page(tmp_path, run, views=[("v", None, None, ["net.p"])])


@pytest.mark.parametrize("view", ["a title", ("a title",), (ps(1), ps(2), ps(3))])
def test_what_is_no_view_is_refused(tmp_path, run, view):
    with pytest.raises(ResultError, match="is no view"):
        page(tmp_path, run, views=[view])


def test_too_many_views_are_refused(tmp_path, run):
    with pytest.raises(ResultError, match="25 are more than a page shows"):
        page(tmp_path, run, views=[("v", None, None)] * 25)


def test_a_burst_is_drawn_as_density_and_a_few_marks_are_not(run):
    assert 'class="bars"' in draw_waves(run, ["net.q"])
    assert 'class="bars"' not in draw_waves(run, ["chip.hit"])


def test_a_burst_that_is_zoomed_into_is_drawn_mark_by_mark(run):
    svg = draw_waves(run, ["net.q"], ps(100), "100.2 ps")
    assert 'class="bars"' not in svg
    assert svg.count("h0") == 21


def test_a_short_stretch_late_in_a_run_counts_from_a_round_time():
    axis = time_axis(35_260_900_000, 35_261_100_000, 4)
    assert axis.base == 35_000_000_000
    assert [axis.text(i) for i in range(3)] == ["35 us +260.90 ns", "+260.95", "+261.00"]


def test_latencies_are_a_section_with_exact_times(tmp_path, trace, result):
    run = result(trace("a.q", t=[0, 1000, 2000]), trace("b.q", t=[1, 1003, 2002]))
    text = page(tmp_path, run, latencies=[("a.q", "b.q")])
    assert '<section id="latencies">' in text
    row = re.search(r'<th scope="row">a.q → b.q</th>(.*)</tr>', text)[1]
    assert re.findall(r">([^<]+)</td>", row) == ["order", "3", "1 fs", "2 fs", "3 fs", "3 fs", "0", "0"]


def test_without_pairs_there_is_no_section(tmp_path, run):
    assert 'id="latencies"' not in page(tmp_path, run)


def figure(value, source):
    return {"value": value, "unit": "MHz", "source": source}


def test_sources_are_counted_the_most_used_first():
    parts = [
        part_of(
            {"low": figure(1, "a book"), "high": figure(2, "a book"), "deep": {"x": figure(3, "estimate: b")}}
        )
    ]
    assert sources_of(parts) == [("a book", 2), ("estimate: b", 1)]
    assert (parts[0].sourced, parts[0].estimates) == (3, 1)


def test_a_short_part_stays_in_the_table_and_a_long_one_is_folded():
    whole = part_of({"short": {"ways": 4}, "long": {f"k{i}": i for i in range(9)}})
    assert [fact.name for fact in whole.facts] == ["Short › ways"]
    assert [(part.name, part.count) for part in whole.parts] == [("Long", 9)]
    assert whole.count == 10


def test_like_parts_stand_side_by_side():
    units = {
        name: {"latency": n, "pool": "", "clock": "GHz(4)"} for n, name in enumerate(("int", "mul", "div"))
    }
    (part,) = part_of({"units": units}).parts
    assert part.like.columns == ("Latency", "Clock")
    assert part.like.rows == (("int", ("0", "4 GHz")), ("mul", ("1", "4 GHz")), ("div", ("2", "4 GHz")))


def test_a_list_of_parts_is_named_and_not_dumped():
    levels = [{"name": f"l{n}", "ways": 4 * n, "size": 1024} for n in (1, 2, 3)]
    (part,) = part_of({"levels": levels}).parts
    assert [row[0] for row in part.like.rows] == ["l1", "l2", "l3"]


def test_times_and_clocks_of_a_spec_have_their_unit():
    facts = part_of({"clock": "Clock(MHz(500))", "delay": "ps(3.5)", "trace": "ps(x)"}).facts
    assert [(fact.value, fact.unit) for fact in facts] == [("500", "MHz"), ("3.5", "ps"), ("ps(x)", "")]


def test_a_large_spec_is_folded_on_the_page(tmp_path, result):
    spec = {"rows": {f"k{i}": np.float64(i) for i in range(40)}, "clock": "GHz(4)"}
    text = page(tmp_path, result(components=[{"path": "core", "type": "Core", "spec": spec, "ports": []}]))
    assert '<details class="spec"><summary><h3><code>core</code>' in text
    assert "Core, 4 GHz; 41 parameters" in text
