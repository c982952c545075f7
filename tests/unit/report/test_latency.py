"""Latencies between signals, against definitions written out in plain Python."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import ResultError, UnknownNameError
from hwmodel.report import Latency, draw_latencies, latencies, latency_table
from hwmodel.report._latency_chart import histogram
from hwmodel.units import Time

NS = "{http://www.w3.org/2000/svg}"
times = st.lists(st.integers(0, 60), max_size=12).map(sorted)


@pytest.fixture(scope="session")
def pair(trace, result):
    def make(asked, answers, kind="pulse", until=1000, **manifest):
        """Two signals; events are times, or pairs (time, value)."""

        def one(name, events):
            if kind == "pulse":
                return trace(name, t=events)
            return trace(name, kind, [t for t, _ in events], [v for _, v in events], 16)

        return result(one("a.q", asked), one("b.q", answers), until=until, **manifest)

    return make


def fs(run, how="order", **options):
    return latencies(run, "a.q", "b.q", how, **options).tolist()


def test_by_order_the_nth_answers_the_nth(pair):
    assert fs(pair([100, 200, 300], [130, 250, 301])) == [30, 50, 1]


def test_by_order_an_offset_skips_the_first_answers(pair):
    assert fs(pair([100, 200], [5, 110, 220]), offset=1) == [10, 20]


def test_by_order_a_negative_offset_skips_the_first_questions(pair):
    assert fs(pair([10, 100, 200], [110, 220]), offset=-1) == [10, 20]


def test_by_order_more_answers_than_questions_are_refused(pair):
    with pytest.raises(ResultError, match=r"3 events of 'b.q' do not fit 2 of 'a.q'.*offset=1"):
        fs(pair([100, 200], [101, 201, 202]))


def test_by_order_an_answer_before_its_question_is_refused(pair):
    with pytest.raises(ResultError, match=r"event 1 of 'b.q' at 150 fs is before event 1 of 'a.q' at 200 fs"):
        fs(pair([100, 200], [110, 150]))


def test_by_order_questions_that_are_under_way_are_allowed(pair):
    assert fs(pair([100, 200, 300], [130, 230], until=330)) == [30, 30]


def test_by_order_a_question_without_an_answer_for_too_long_is_refused(pair):
    run = pair([100, 200, 300], [130, 230], until=331)
    with pytest.raises(ResultError, match=r"1 of 3 events of 'a.q' have no answer.*unanswered=1"):
        fs(run)
    assert fs(run, unanswered=1) == [30, 30]


@pytest.mark.parametrize("how", ["order", "latest"])
def test_no_more_than_the_allowed_number_stays_unanswered(pair, how):
    run = pair([100, 200, 210, 220], [130])
    with pytest.raises(ResultError, match=r"3 of 4 events of 'a.q' have no answer, more than unanswered=2"):
        fs(run, how, unanswered=2)


@given(asked=times, answers=times)
def test_latest_takes_the_last_event_at_or_before(pair, asked, answers):
    expected = [t - max(a for a in asked if a <= t) for t in answers if any(a <= t for a in asked)]
    run = pair(asked, answers)
    assert fs(run, "latest") == expected
    (row,) = latency_table(run, [("a.q", "b.q", "latest")])
    used = {max(i for i, a in enumerate(asked) if a <= t) for t in answers if any(a <= t for a in asked)}
    assert (row.unanswered, row.unmatched) == (len(asked) - len(used), len(answers) - len(expected))


def by_value(asked, answers):
    return [t - max(a for a, w in asked if w == v and a <= t) for t, v in answers]


events = st.lists(st.tuples(st.integers(0, 60), st.integers(-2, 2)), max_size=12).map(
    lambda found: sorted(found, key=lambda event: event[0])
)


@given(asked=events, answers=events)
def test_value_takes_the_last_event_of_that_value_or_refuses(pair, asked, answers):
    run = pair(asked, answers, "event")
    missing = [(t, v) for t, v in answers if not any(w == v and a <= t for a, w in asked)]
    if missing:
        with pytest.raises(ResultError, match=f"has {missing[0][1]} at {missing[0][0]} fs"):
            fs(run, "value")
    else:
        assert fs(run, "value") == by_value(asked, answers)


def test_pulses_have_no_value(pair):
    with pytest.raises(ResultError, match=r"pulses of 'a.q' have no value"):
        fs(pair([1], [2]), "value")


def test_a_signal_that_was_not_recorded_is_refused(pair):
    with pytest.raises(UnknownNameError, match=r"c\.q"):
        latencies(pair([1], [2]), "a.q", "c.q")


def test_a_sampled_signal_is_refused(pair):
    run = pair([(1, 1)], [(2, 1)], "level", watch=["a.q", "b.q @ Clock(GHz(1))"])
    with pytest.raises(ResultError, match=r"'b.q' was sampled by a clock"):
        fs(run)


def test_an_unknown_rule_is_refused():
    with pytest.raises(UnknownNameError, match="'lates'"):
        Latency("a", "b", "lates")


@pytest.mark.parametrize("how", ["latest", "value"])
def test_an_offset_goes_with_order_only(how):
    with pytest.raises(ResultError, match="offset=1 goes with how='order'"):
        Latency("a", "b", how, offset=1)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=250), st.integers(1, 100))
def test_a_quantile_is_the_nearest_rank(trace, result, found, percent):
    base = 2**62
    run = result(
        trace("a.q", "event", [0] * len(found), range(len(found))),
        trace("b.q", "event", sorted(found), np.argsort(found, kind="stable")),
        until=base,
    )
    (row,) = latency_table(run, [("a.q", "b.q", "value")])
    assert int(row.quantile(percent, 100)) == sorted(found)[math.ceil(len(found) * percent / 100) - 1]
    assert (row.minimum, row.maximum) == (min(found), max(found))
    assert isinstance(row.median, Time)


def test_the_median_of_an_even_number_is_the_lower_one(pair):
    (row,) = latency_table(pair([0, 10, 20, 30], [1, 12, 23, 34]), [("a.q", "b.q")])
    assert (row.median, row.p99) == (2, 4)


def test_figures_of_nothing_are_none(pair):
    (row,) = latency_table(pair([], []), [("a.q", "b.q")])
    assert row.describe() == {
        "count": 0, "min_fs": None, "median_fs": None, "p99_fs": None, "max_fs": None,
        "unanswered": 0, "unmatched": 0,
    }  # fmt: skip
    with pytest.raises(ResultError, match="there is none"):
        _ = row.median


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=200), st.integers(1, 80))
def test_a_histogram_counts_every_latency_once(pair, found, most):
    run = pair([0] * len(found), sorted(found), until=2 * 10**7)
    (row,) = latency_table(run, [Latency("a.q", "b.q", unanswered=0)])
    bars = histogram(row, most)
    assert sum(bars.counts) + bars.beyond == len(found)
    assert len(bars.counts) <= most
    assert bars.beyond == sum(value > int(row.p99) for value in found) or bars.beyond == 0
    for i, count in enumerate(bars.counts):
        left = bars.start + i * bars.step
        limit = bars.end if not bars.beyond else int(row.p99) + 1
        assert count == sum(left <= value < min(left + bars.step, limit) for value in found)


def test_a_long_tail_is_cut_and_counted(pair):
    run = pair([0] * 300, [*range(299), 10**6], until=2 * 10**6)
    svg = draw_latencies(run, [("a.q", "b.q")])
    assert "3 beyond" in svg


def test_the_drawing_names_pairs_and_is_whole(pair):
    svg = draw_latencies(
        pair([0, 10], [7, 19]), [Latency("a.q", "b.q", label="<there & back>"), ("a.q", "b.q")]
    )
    root = ET.fromstring(svg)
    names = [text.text for text in root.iter(NS + "text") if text.get("class") == "name"]
    assert names == ["<there & back>", "a.q → b.q"]
    assert root.find(NS + "title").text == "Latencies of 2 pairs of signals"


def test_no_pairs_give_no_drawing(pair):
    assert draw_latencies(pair([], []), []) == ""


@pytest.mark.parametrize("wrong", [("a.q",), "a.q", ("a.q", 3), None])
def test_what_is_no_pair_is_refused(pair, wrong):
    with pytest.raises(ResultError, match="is no pair of signals"):
        latency_table(pair([], []), [wrong])
