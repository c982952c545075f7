"""Waveform drawings: what is drawn, and that equal runs give equal text."""

import re
import xml.etree.ElementTree as ET
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import OutputError, ResultError
from hwmodel.report import draw_waves, plot
from hwmodel.report._axis import UNITS, nice_step, time_axis
from hwmodel.units import ps

NS = "{http://www.w3.org/2000/svg}"


def marks(svg, cls):
    """x of the marks in all paths of one class."""
    paths = [p.get("d") for p in ET.fromstring(svg).iter(NS + "path") if p.get("class") == cls]
    return [float(piece.split()[0]) for d in paths for piece in d.split("M")[1:]]


def texts(svg, cls):
    return [t.text for t in ET.fromstring(svg).iter(NS + "text") if t.get("class") == cls]


@pytest.fixture(scope="session")
def mixed(trace, result):
    dense = np.sort(np.random.default_rng(5).integers(0, 400_000, 3000))
    return result(
        trace("net.a", t=[5000, 105_000, 205_000]),
        trace("net.silent"),
        trace("core.on", "level", [20_000, 90_000, 180_000], [1, 0, 1]),
        trace("core.addr", "level", [30_000, 200_000, 201_000], [0x1234, 0xFF, 7], width=16, initial=3),
        trace("core.state", "level", [100_000], [-2], width=3),
        trace("core.miss", "event", [40_000, 44_000, 333_000], [12, -7, 400]),
        trace("chip[3].a_name_that_is_too_long_to_be_shown.x", t=dense),
    )


def test_golden_mixed(mixed, golden):
    golden("waves_mixed.svg", draw_waves(mixed))


def test_golden_window(mixed, golden):
    golden("waves_window.svg", draw_waves(mixed, ["a", "core.addr", "miss"], ps(30), "50 ps", width=640))


def test_golden_empty(result, golden):
    golden("waves_empty.svg", draw_waves(result()))


@pytest.mark.parametrize("name", ["waves_mixed.svg", "waves_window.svg", "waves_empty.svg", "topology.svg"])
def test_golden_files_are_drawn_without_outside_help(name):
    from pathlib import Path

    text = (Path(__file__).parents[2] / "golden" / name).read_text(encoding="utf-8")
    assert "href" not in text
    assert text.count("://") == text.count('xmlns="http://www.w3.org/2000/svg"')


def test_each_pulse_stands_at_its_time(trace, result):
    svg = draw_waves(result(trace("n.a", t=[0, 100, 400]), until=400))
    left, middle, right = marks(svg, "pulse")
    assert middle - left == pytest.approx((right - left) / 4, abs=0.01)


def test_window_shows_both_its_ends_and_nothing_else(trace, result):
    svg = draw_waves(result(trace("n.a", t=[99, 100, 150, 200, 201])), start="100 fs", end="200 fs")
    assert len(marks(svg, "pulse")) == 3


def test_level_before_the_window_is_its_last_value(trace, result):
    run = result(trace("n.bus", "level", [10, 20], [5, 6], width=4, initial=9))
    assert texts(draw_waves(run, start="0 fs", end="9 fs"), "value") == ["9"]
    assert texts(draw_waves(run, start="12 fs", end="19 fs"), "value") == ["5"]
    assert texts(draw_waves(run, start="21 fs", end="30 fs"), "value") == ["6"]


def test_wide_buses_are_hexadecimal_and_events_decimal(trace, result):
    run = result(trace("n.bus", "level", [200_000], [255], width=8), trace("n.e", "event", [9], [255]))
    assert texts(draw_waves(run), "value") == ["0x0", "0xff", "255"]


def test_of_changes_in_one_femtosecond_the_last_is_drawn(trace, result):
    run = result(trace("n.bus", "level", [100, 100], [1, 2], width=4), until=200)
    assert texts(draw_waves(run), "value") == ["0", "2"]


def test_values_without_room_are_left_out(trace, result):
    run = result(trace("n.e", "event", [100_000, 100_100], [123456, 7]))
    assert texts(draw_waves(run), "value") == ["7"]


def test_signal_without_pulses_has_a_base_line(trace, result):
    svg = draw_waves(result(trace("n.quiet")))
    assert marks(svg, "pulse") == []
    assert len(marks(svg, "rest")) == 1
    assert "0 pulses" in svg


def test_crowded_signal_becomes_bars_with_its_count(trace, result):
    svg = draw_waves(result(trace("n.a", t=np.arange(5000)), until=5000))
    assert marks(svg, "pulse") == []
    assert len(marks(svg, "bars")) == 1
    assert "5\N{NO-BREAK SPACE}000 pulses" in svg


def test_a_million_pulses_draw_small(trace, result):
    t = np.sort(np.random.default_rng(0).integers(0, 10**9, 10**6))
    svg = draw_waves(result(trace("n.a", t=t), until=10**9))
    assert len(svg) < 100_000


def test_hostile_names_are_escaped(trace, result):
    name = "n.<script>alert('&\"')</script>\x00"
    svg = draw_waves(result(trace(name, t=[5]), trace("n.$x_1$", t=[5])))
    root = ET.fromstring(svg)
    assert not list(root.iter(NS + "script"))
    assert any("<script>" in (e.text or "") for e in root.iter(NS + "title"))


def test_drawing_has_a_title_a_label_and_a_description(mixed):
    root = ET.fromstring(draw_waves(mixed))
    assert root.get("role") == "img"
    assert (
        root.get("aria-label") == root.find(NS + "title").text == "Waveforms of 7 signals from 0 fs to 400 ps"
    )
    assert "net.a: 3 pulses" in root.find(NS + "desc").text


@pytest.mark.parametrize(("start", "end"), [("5 ps", "5 ps"), ("6 ps", "5 ps")])
def test_empty_window_is_refused(result, start, end):
    with pytest.raises(ResultError, match="is empty; give start < end"):
        draw_waves(result(), start=start, end=end)


def test_too_narrow_drawing_is_refused(result):
    with pytest.raises(ResultError, match="leaves no room"):
        draw_waves(result(), width=50)


def test_bare_number_as_window_is_refused(result):
    with pytest.raises(TypeError, match="start"):
        draw_waves(result(), start=5)


def test_plot_shows_in_notebooks(mixed):
    assert plot(mixed)._repr_svg_() == draw_waves(mixed)


def test_result_plot_comes_here(mixed):
    assert mixed.plot().svg == draw_waves(mixed)


def test_plot_saves_svg_and_png(tmp_path, mixed):
    plot(mixed, tmp_path / "w.svg")
    plot(mixed, tmp_path / "w.png")
    assert ET.parse(tmp_path / "w.svg").getroot().tag == NS + "svg"
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")


def test_equal_runs_give_equal_png(tmp_path, mixed):
    plot(mixed, tmp_path / "a.png")
    plot(mixed, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_png_takes_names_as_they_are(tmp_path, trace, result):
    plot(result(trace("n.$x^_$", t=[5])), tmp_path / "w.png")
    assert (tmp_path / "w.png").exists()


def test_other_suffix_is_refused_with_the_choice(tmp_path, mixed):
    with pytest.raises(OutputError, match=r"use \.svg or \.png"):
        plot(mixed, tmp_path / "w.pdf")


@given(st.integers(0, 2**62), st.integers(1, 2**61), st.integers(2, 20))
def test_axis_ticks_lie_in_the_window_on_round_times(start, span, count):
    axis = time_axis(start, start + span, count)
    step = nice_step(span, count)
    assert all(start <= t <= start + span and t % step == 0 for t in axis.times)
    assert len(axis.times) <= count + 1


@given(st.integers(0, 2**62), st.integers(1, 2**61))
def test_axis_labels_are_exact(start, span):
    axis = time_axis(start, start + span)
    unit = dict(UNITS)[axis.unit]
    assert [axis.base + Fraction(label) * unit for label in axis.labels] == list(axis.times)
    assert 0 <= axis.base <= start + span


def notes(svg):
    """Left border that the notes have at most, by the widest digits of their font."""
    from hwmodel.report._waves import NOTE_CHAR

    found = [t for t in ET.fromstring(svg).iter(NS + "text") if t.get("class") is None and "puls" in t.text]
    return [(t.text, float(t.get("x")) - NOTE_CHAR * len(t.text)) for t in found]


@pytest.mark.parametrize("width", [1000, 400, 260])
def test_no_note_is_cut_by_the_border(trace, result, width):
    dense = np.sort(np.random.default_rng(2).integers(0, 10**9, 1_234_567))
    svg = draw_waves(result(trace("n.a", t=dense), trace("n.b", t=[5]), until=10**9), width=width)
    assert len(notes(svg)) == 2
    assert all(left >= 0 for _, left in notes(svg))


def test_a_long_note_makes_the_column_wider(trace, result):
    svg = draw_waves(result(trace("n.a", t=np.arange(0, 10**6, 2)), until=10**6))
    assert any(
        text.startswith("500\N{NO-BREAK SPACE}000 pulses, ≤ ") and text[-3:] == "bar"
        for text, _ in notes(svg)
    )


def test_a_note_without_room_is_cut_and_whole_in_the_title(trace, result):
    svg = draw_waves(result(trace("n.a", t=np.arange(0, 10**6, 2)), until=10**6), width=220)
    assert [text[-1] for text, _ in notes(svg)] == ["…"]
    titles = [t.text for t in ET.fromstring(svg).iter(NS + "title")]
    assert any(re.fullmatch(r"n\.a: 500\N{NO-BREAK SPACE}000 pulses, ≤ \d+ a bar", text) for text in titles)
