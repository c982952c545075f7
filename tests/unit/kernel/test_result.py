"""Traces, probes, and results that survive the disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import OutputError, ResultError, UnknownNameError
from hwmodel.kernel import Recorder
from hwmodel.units import fs, ns, ps
from tests.kernel.models import Relay


@pytest.fixture
def result() -> hw.Result:
    system = hw.System(Relay("a"), Relay("b"))
    system.connect("a.o0", "b.i0", latency=ps(20))
    system.drive("a.i0", at=ps([5, 50]), values=[1, 2])
    return system.run(until=ns(1), watch=["a.i0", "b.i0"])


def test_a_result_comes_back_from_disk_as_it_was(result: hw.Result, tmp_path) -> None:
    file = result.save(tmp_path / "r")
    again = hw.Result.load(tmp_path / "r")
    assert file.name == "result.npz"
    assert (again.fingerprint, again.stats, again.manifest) == (
        result.fingerprint,
        result.stats,
        result.manifest,
    )
    for name, trace in result.traces.items():
        assert again[name].t.tolist() == trace.t.tolist()
        assert again[name].value.tolist() == trace.value.tolist()
        assert again[name].kind == trace.kind
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["fingerprint"] == result.fingerprint


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "foreign", "other format"])
def test_a_damaged_file_is_refused_by_name(result: hw.Result, tmp_path, damage: str) -> None:
    file = tmp_path / "result.npz"
    whole = result.save(file).read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "foreign":
        np.savez(file, x=np.zeros(3))
    elif damage == "other format":
        np.savez(file, meta=np.array(json.dumps({"format": "hwmodel result 99"})))
    else:
        file.write_bytes(b"" if damage == "empty" else whole[: len(whole) // 2])
    with pytest.raises(ResultError, match=r"result\.npz"):
        hw.Result.load(file)


def test_names_may_be_short_where_unambiguous(result: hw.Result) -> None:
    assert "b.i0" in result
    assert "i0" not in result
    with pytest.raises(ResultError, match=r"ambiguous: a\.i0, b\.i0"):
        result["i0"]
    with pytest.raises(UnknownNameError, match=r"did you mean 'b\.i0'"):
        result["b.i1"]


def test_without_watch_the_error_says_what_to_do() -> None:
    system = hw.System(Relay("a"))
    system.drive("a.i0", at=[])
    with pytest.raises(ResultError, match=r"run\(watch="):
        system.run(until=ns(1))["a.i0"]


def test_a_level_has_a_value_at_every_time() -> None:
    trace = hw.Trace("x", "level", np.array([10, 20]), np.array([3, 5]), 4, 1)
    assert [trace.at(fs(t)) for t in (0, 9, 10, 19, 20, 99)] == [1, 1, 3, 3, 5, 5]
    with pytest.raises(ResultError, match="is a level"):
        trace.pulses()


changes = st.lists(st.integers(0, 400), max_size=30, unique=True).map(sorted)
clocks = st.builds(lambda p, f: hw.Clock(period=fs(p), phase=fs(f)), st.integers(1, 60), st.integers(0, 80))


def _recorded(kind, t: list[int], cuts: list[int], clock: hw.Clock | None, until: int) -> hw.Trace:
    recorder = Recorder("a")
    recorder.watch("a.x", kind, 8, 0, clock)
    times = np.array([x for x in t if x < until], np.int64)
    for part in np.split(times, np.searchsorted(times, sorted(cuts))):
        recorder.extend(part, np.zeros(len(part), np.int64), part % 251)
    return recorder.traces(until)[0]


@given(changes, st.lists(st.integers(0, 400), max_size=4), clocks, st.integers(0, 500))
def test_a_pulse_probe_counts_what_came_since_the_last_edge(t, cuts, clock, until) -> None:
    trace = _recorded("pulse", t, cuts, clock, until)
    edges = [int(clock.edge(n)) for n in range(clock.index(until))]
    expected = [
        sum(1 for x in t if x < until and (a < x <= b)) for a, b in zip([-1, *edges], edges, strict=False)
    ]
    assert (trace.t.tolist(), trace.value.tolist()) == (edges, expected)


@given(changes, st.lists(st.integers(0, 400), max_size=4), clocks, st.integers(0, 500))
def test_a_level_probe_samples_at_the_edge(t, cuts, clock, until) -> None:
    sampled = _recorded("level", t, cuts, clock, until)
    every = _recorded("level", t, cuts, None, until)
    assert sampled.value.tolist() == [every.at(fs(int(edge))) for edge in sampled.t]


@given(changes, clocks)
def test_cycles_counts_pulses_in_each_period(t, clock) -> None:
    trace = hw.Trace("x", "pulse", np.array(t, np.int64), np.zeros(0, np.int64))
    counts = trace.cycles(clock, count=20)
    assert counts.tolist() == [
        sum(clock.edge(n) <= x < clock.edge(n + 1) for x in t) for n in range(len(counts))
    ]


def test_a_sampled_probe_keeps_memory_flat() -> None:
    recorder = Recorder("a", limit=1000)
    recorder.watch("a.x", "pulse", 1, 0, hw.Clock(period=ns(1)))
    for n in range(100):
        t = np.arange(n * 1000, (n + 1) * 1000, dtype=np.int64)
        recorder.extend(t, np.zeros(1000, np.int64), np.zeros(1000, np.int64))
    recorder.flush()
    assert sum(len(x) for x in recorder.signals[0].t) + len(recorder.signals[0].counts) < 10


def test_numpy_numbers_among_the_stats_are_saved(tmp_path: Path) -> None:
    hw.Result({}, {"c.n": np.int64(3)}, {"until_fs": 1}, "00").save(tmp_path)
    assert hw.Result.load(tmp_path).stats == {"c.n": 3}


def test_a_result_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        hw.Result({}, {}, {}, "00").save(tmp_path / "no_such_folder" / "a.npz")
