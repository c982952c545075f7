"""Files for Perfetto hold every change at its time."""

import json

import numpy as np
import pytest

from hwmodel.errors import ResultError
from hwmodel.kernel import Result, Trace
from hwmodel.report import write_perfetto

TRACES = {
    "net.q": Trace("net.q", "pulse", np.array([5, 105]), np.array([], np.int64)),
    "cpu.state": Trace("cpu.state", "level", np.array([7]), np.array([3]), 2, 1),
    "cpu.mail": Trace("cpu.mail", "event", np.array([9, 9]), np.array([-4, 4])),
}


def written(tmp_path, **options):
    file = write_perfetto(
        Result(TRACES, {}, {"name": "n", "until_fs": 200}, "ab"), tmp_path / "x.json", **options
    )
    return json.loads(file.read_text(encoding="utf-8"))


def of(data, name):
    return [row for row in data["traceEvents"] if row["name"] == name]


def test_a_femtosecond_is_shown_as_a_nanosecond(tmp_path):
    assert [round(row["ts"] * 1000) for row in of(written(tmp_path), "q")] == [5, 105]


def test_another_scale_divides_times(tmp_path):
    data = written(tmp_path, fs_per_ns=5)
    assert [round(row["ts"] * 1000) for row in of(data, "q")] == [1, 21]
    assert data["otherData"]["scale"] == "5 fs is shown as 1 ns"


def test_levels_are_counters_that_begin_with_their_first_value(tmp_path):
    found = of(written(tmp_path), "state")
    assert [(row["ph"], row["ts"], row["args"]["value"]) for row in found] == [("C", 0, 1), ("C", 0.007, 3)]


def test_events_of_one_time_keep_order_and_values(tmp_path):
    assert [row["args"]["value"] for row in of(written(tmp_path), "mail")] == [-4, 4]


def test_a_component_is_a_process_and_a_signal_a_track(tmp_path):
    data = written(tmp_path)
    names = {row["args"]["name"]: row["pid"] for row in of(data, "process_name")}
    tracks = {row["args"]["name"]: row for row in of(data, "thread_name")}
    assert names["cpu"] == tracks["mail"]["pid"] == tracks["state"]["pid"] != names["net"]
    assert len({row["tid"] for row in tracks.values()}) == 3


def test_signals_can_be_chosen(tmp_path):
    assert not of(written(tmp_path, signals=["q"]), "mail")


def test_a_scale_below_one_is_refused(tmp_path):
    with pytest.raises(ResultError, match="fs_per_ns=0"):
        written(tmp_path, fs_per_ns=0)


def test_times_beyond_the_format_are_refused_and_nothing_is_written(tmp_path):
    late = Trace("a.q", "pulse", np.array([1 << 60]), np.array([], np.int64))
    with pytest.raises(ResultError, match="greater fs_per_ns"):
        write_perfetto(Result({"a.q": late}, {}, {}, "00"), tmp_path / "x.json")
    assert not list(tmp_path.iterdir())
