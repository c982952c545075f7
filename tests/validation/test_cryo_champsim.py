"""The ChampSim preset against ChampSim: the same traces, 200 000 instructions of warm-up, both at 4 GHz."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hwmodel.cryo.presets import champsim
from hwmodel.cryo.timing import simulate
from hwmodel.cryo.trace import Trace
from hwmodel.cryo.trace_formats import convert

WARMUP = 200_000


@pytest.fixture(scope="session")
def cases(reference_data, tmp_path_factory):
    """For each trace ChampSim's figures of the timed window, and ours."""
    folder = reference_data / "cryo"
    found = {}
    for path in sorted((folder / "expected").glob("*.champsim_default_4GHz.json")):
        name = path.name.split(".")[0]
        roi = json.loads(path.read_text())[0]["roi"]
        source = tmp_path_factory.mktemp("champsim") / f"{name}.hwt"
        convert(folder / "traces" / f"{name}.champsim.xz", source)
        limit = roi["cores"][0]["instructions"]
        with Trace.open(source) as trace:
            found[name] = roi, simulate(trace, champsim(), warmup=WARMUP, limit=limit)
    if not found:
        pytest.skip("no ChampSim results in the reference data")
    return found


def error(roi, timing):
    core = roi["cores"][0]
    return timing.ipc * core["cycles"] / core["instructions"] - 1


def misses(roi, cache, *kinds):
    """Misses of these kinds without those that were merged into one on its way."""
    return sum(roi[cache][kind]["miss"][0] - roi[cache][kind]["mshr_merge"][0] for kind in kinds)


def test_ipc_is_within_five_percent_on_average_and_ten_at_most(cases):
    """Measured 0.6 % and 1.7 %; the request asks for 10 % and 20 %, also of traces that are not here."""
    errors = [abs(error(roi, timing)) for roi, timing in cases.values()]
    assert np.mean(errors) < 0.05
    assert max(errors) < 0.10


def test_mispredicted_branches_are_those_of_the_bimodal_table_and_typed_buffer(cases):
    for roi, timing in cases.values():
        expected = sum(roi["cores"][0]["mispredict"].values())
        assert abs(timing.mispredicted - expected) <= 0.005 * expected + 10


def test_lines_fetched_into_the_first_level_are_within_three_percent(cases):
    for roi, timing in cases.values():
        level = timing.levels["l1d"]
        expected = misses(roi, "cpu0_L1D", "LOAD", "WRITE", "TRANSLATION")
        ours = level.read_misses + level.write_misses - level.merged
        assert ours == pytest.approx(expected, rel=0.03, abs=20)


def test_lines_from_memory_are_within_one_percent(cases):
    for roi, timing in cases.values():
        rows = roi["DRAM"][0]
        expected = rows["RQ ROW_BUFFER_HIT"] + rows["RQ ROW_BUFFER_MISS"]
        assert timing.dram["reads"] == pytest.approx(expected, rel=0.01, abs=5)


def test_pages_walked_are_exactly_those_of_champsim(cases):
    for roi, timing in cases.values():
        assert timing.translation["walks"]["walks"] == roi["cpu0_STLB"]["LOAD"]["miss"][0]
