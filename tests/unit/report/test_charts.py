"""Charts: what they show, and that equal data give equal files."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from hwmodel.errors import OutputError, ResultError
from hwmodel.report import bar_chart, histogram_chart, line_chart, save_chart


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def make_all():
    yield line_chart({"00": ([16, 64], [0.1, 0.2], [0.01, 0.02]), "01": ([16, 64], [0.7, 0.8])}, xscale="log")
    yield histogram_chart({"a": [0.1, 0.2, 0.2], "b": [0.8, 0.9]}, threshold=0.5)
    yield bar_chart({"rate": {"00": 0.1, "01": 0.9}, "pulse": {"00": 0.2}}, errors={"rate": {"00": 0.05}})


def test_equal_charts_give_equal_files(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for i, figure in enumerate(make_all()):
            save_chart(figure, tmp_path / folder / f"c{i}")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_chart_is_written_as_svg_and_png(tmp_path):
    svg, png = save_chart(next(make_all()), tmp_path / "rate.v2")
    assert (svg.name, png.name) == ("rate.v2.svg", "rate.v2.png")
    assert ET.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert png.read_bytes().startswith(b"\x89PNG")


def test_files_hold_no_date(tmp_path):
    svg, _ = save_chart(next(make_all()), tmp_path / "c")
    assert "date" not in svg.read_text().lower()


def test_lines_are_named_at_their_ends_without_overlap():
    figure = line_chart({name: ([0, 1], [0, y]) for name, y in (("a", 1.0), ("b", 1.001), ("c", 0.0))})
    assert sorted(words(figure)) == ["a", "b", "c"]
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_log_axis_is_labelled_with_the_points():
    figure = line_chart({"a": ([16, 64, 256], [1, 2, 3])}, xscale="log")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["16", "64", "256"]


def test_line_with_a_gap_is_named_at_its_last_finite_point():
    figure = line_chart({"a": ([1, 2, 3], [1.0, 2.0, np.nan])})
    assert figure.axes[0].texts[0].xy == (2.0, 2.0)


def test_histogram_heights_are_shares_of_each_distribution():
    figure = histogram_chart({"few": [0.0, 1.0], "many": [0.0] * 50 + [1.0] * 50}, bins=2)
    heights = {tuple(patch.get_data().values) for patch in figure.axes[0].patches}
    assert heights == {(0.5, 0.5)}


def test_bars_carry_their_values():
    assert words(bar_chart({"x": 0.125, "y": -3})) == ["0.125", "-3"]


def test_flat_bars_take_flat_errors():
    figure = bar_chart({"x": 1.0}, errors={"x": 0.25})
    (segment,) = figure.axes[0].collections[0].get_segments()
    assert [y for _, y in segment] == [0.75, 1.25]


def test_dollar_signs_are_text(tmp_path):
    save_chart(bar_chart({"$a_1$": 1.0}, title="$x^$"), tmp_path / "c")
    assert (tmp_path / "c.svg").exists()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: line_chart({}), "`series` is empty"),
        (lambda: line_chart({"a": ([1, 2], [1])}), "series 'a' needs"),
        (lambda: line_chart({"a": ([1, 2],)}), "series 'a' needs"),
        (lambda: histogram_chart({}), "needs samples"),
        (lambda: histogram_chart({"a": []}), "needs samples"),
        (lambda: histogram_chart({"a": [1.0, np.nan]}), "'a' holds values that are not finite"),
        (lambda: bar_chart({}), "`values` is empty"),
    ],
)
def test_unusable_data_are_refused(draw, message):
    with pytest.raises(ResultError, match=message):
        draw()


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match="make the folder first"):
        save_chart(next(make_all()), tmp_path / "none" / "c")


def test_importing_the_package_loads_no_drawing_library():
    code = "import sys, hwmodel.report; print([m for m in ('matplotlib', 'jinja2', 'vcd', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
