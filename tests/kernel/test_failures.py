"""A component that fails is named with its path and time, and what came before is kept."""

import threading
import time

import numpy as np
import pytest

import hwmodel as hw
from hwmodel.errors import BudgetError, SpecError, TimeRangeError
from hwmodel.kernel import profiled
from hwmodel.units import ns


def beat(ctx):
    while True:
        yield ctx.timeout(ns(2))
        ctx.send("q", 1)


def raises(ctx):
    yield ctx.timeout(ns(7))
    raise ValueError("boom")


def into_the_past(ctx):
    yield ctx.timeout(ns(7))
    ctx.send("q", 1, after=ns(-1))


def waits_for_nothing(ctx):
    yield ctx.timeout(ns(7))
    while True:
        yield ctx.timeout(ns(0))


def system(function):
    return hw.System(
        hw.Process("good.beat", beat, outputs=["q"]), hw.Process("bad.part", function, outputs=["q"])
    )


CASES = [(raises, ValueError), (into_the_past, TimeRangeError), (waits_for_nothing, BudgetError)]


@pytest.mark.parametrize(("function", "kind"), CASES)
def test_the_error_names_component_and_time(function, kind):
    with pytest.raises(kind) as caught:
        system(function).run(until=ns(100), budget=0.3)
    said = " ".join([str(caught.value), *caught.value.__notes__])
    assert "'bad.part'" in said
    assert "in the window from 7 ns" in said


@pytest.mark.parametrize(("function", "kind"), CASES)
@pytest.mark.parametrize("runner", ["loop", "simpy"])
def test_the_results_so_far_are_kept(function, kind, runner):
    with pytest.raises(kind) as caught:
        system(function).run(until=ns(100), watch=["good.beat.q"], budget=0.3, runner=runner)
    kept = caught.value.partial
    assert kept.until == ns(7)
    assert np.array_equal(kept["good.beat.q"].t, [2_000_000, 4_000_000, 6_000_000])
    assert kept.manifest["failed"].startswith(kind.__name__)


def test_a_partial_result_is_that_of_a_shorter_run():
    with pytest.raises(ValueError, match="boom") as caught:
        system(raises).run(until=ns(100), watch=["good.beat.q"])
    short = hw.System(hw.Process("good.beat", beat, outputs=["q"])).run(until=ns(7), watch=["good.beat.q"])
    assert np.array_equal(caught.value.partial["good.beat.q"].t, short["good.beat.q"].t)


def test_a_run_within_its_budget_is_the_same_as_one_without():
    free, limited = (
        hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(50), watch=["q"], budget=b)
        for b in (None, 5.0)
    )
    assert free.fingerprint == limited.fingerprint


def test_many_windows_that_are_short_each_are_within_the_budget():
    def slow(ctx):
        for _ in range(8):
            yield ctx.timeout(ns(10))
            time.sleep(0.03)

    result = hw.System(hw.Process("p", slow)).run(until=ns(100), window=ns(1), budget=0.1)
    assert result.until == ns(100)


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan")])
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(SpecError, match="seconds of wall time"):
        hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(5), budget=budget)


def test_a_budget_wants_the_main_thread():
    errors = []

    def run():
        try:
            hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(5), budget=1.0)
        except SpecError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in errors[0]


def test_a_profile_sums_up_every_run_inside_it():
    with profiled() as profile:
        for _ in range(2):
            hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(50))
    assert profile.calls["p"] == profile.windows > 0
    assert 0 < profile.seconds["p"] <= profile.total
    assert profile.engines + profile.kernel == pytest.approx(profile.total)


def test_an_inner_profile_is_part_of_the_outer_one():
    with profiled() as outer:
        with profiled() as inner:
            hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(10))
        hw.System(hw.Process("q", beat, outputs=["q"])).run(until=ns(10))
    assert list(inner.calls) == ["p"]
    assert sorted(outer.calls) == ["p", "q"]
    assert outer.windows > inner.windows
    assert outer.total > inner.total


def test_outside_of_the_block_nothing_is_measured():
    with profiled() as profile:
        pass
    hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(50))
    assert profile.windows == 0


def test_a_profile_changes_no_result():
    plain = hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(50), watch=["q"])
    with profiled():
        measured = hw.System(hw.Process("p", beat, outputs=["q"])).run(until=ns(50), watch=["q"])
    assert plain.fingerprint == measured.fingerprint
