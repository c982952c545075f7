"""The exact times that a page keeps of crowded signals: right, bounded, and told."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.report import _exact as exact
from hwmodel.report import write_html
from hwmodel.report._waves import lay_out
from hwmodel.units import ps


def rows_of(text):
    """Attributes of the signals of a page: (kind, until, times after the view's start, values)."""
    for attrs in re.findall(r'<g (data-top="[^>]*)>', text):
        named = dict(re.findall(r'data-(\w+)="([^"]*)"', attrs))
        times = np.cumsum([int(step, 36) for step in named["t"].split()], dtype=np.int64).tolist()
        yield named["kind"], int(named["until"]), times, [int(v) for v in named.get("v", "").split()]


def page(tmp_path, run, **options):
    return write_html(run, tmp_path / "r.html", **options).read_text(encoding="utf-8")


def test_a_page_holds_the_exact_times_of_a_crowded_signal(tmp_path, trace, result):
    t = np.sort(np.random.default_rng(1).integers(0, 10**12, 5000))
    text = page(tmp_path, result(trace("n.a", t=t), until=10**12))
    assert list(rows_of(text)) == [("pulse", 10**12, t.tolist(), [])]
    assert "only densities" not in text


def test_times_and_values_of_a_view_count_from_its_start(tmp_path, trace, result):
    bus = trace("n.bus", "level", [10_000, 150_000, 160_000], [-3, 5, 6], width=4)
    text = page(
        tmp_path, result(bus, trace("n.e", "event", [120_000], [-7])), views=[("v", ps(100), ps(200))]
    )
    assert list(rows_of(text))[2:] == [
        ("bus", 100_000, [50_000, 60_000], [-3, 5, 6]),
        ("event", 100_000, [20_000], [-7]),
    ]


def test_beyond_the_bound_the_first_marks_are_kept_and_the_page_says_so(tmp_path, monkeypatch, trace, result):
    monkeypatch.setattr(exact, "MOST_OF_SIGNAL", 600)
    t = np.arange(0, 1_000_000, 1000)
    text = page(tmp_path, result(trace("n.a", t=t), until=10**6))
    assert list(rows_of(text)) == [("pulse", 599_999, t[:600].tolist(), [])]
    assert "<code>n.a</code> from 600 ps only densities are here" in text


def test_crowded_levels_keep_one_value_more_than_times(tmp_path, monkeypatch, trace, result):
    monkeypatch.setattr(exact, "MOST_OF_SIGNAL", 600)
    run = result(trace("n.on", "level", np.arange(0, 10**6, 1000), [1, 0] * 500), until=10**6)
    ((kind, _, times, values),) = rows_of(page(tmp_path, run))
    assert (kind, len(times), values[:3], len(values)) == ("line", 600, [0, 1, 0], 601)


def test_a_picture_alone_holds_no_such_data(trace, result):
    assert " data-t=" not in result(trace("n.a", t=np.arange(5000)), until=5000).plot().svg


@given(st.lists(st.integers(300, 3000), max_size=12))
def test_signals_share_the_room_of_a_page(trace, counts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "MOST_OF_PAGE", 6000)
        patch.setattr(exact, "MOST_OF_SIGNAL", 2000)
        drawing = lay_out([trace(f"n.s{i}", t=np.arange(n)) for i, n in enumerate(counts)], 0, 3000, 900)
        most = exact.share([drawing])
    kept = [min(n, most) for n in counts]
    assert sum(kept) <= 6000
    assert most <= 2000
    # One mark more for each would not fit, unless none is cut or the bound of one signal is met.
    assert most == 2000 or kept == counts or sum(min(n, most + 1) for n in counts) > 6000
