"""The traces that are shipped with the simulation cachesim, against the page that describes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from hwmodel.cryo import _cached
from hwmodel.cryo.trace import Branch, Trace
from hwmodel.cryo.trace_formats import trace_facts
from hwmodel.cryo.workloads import WORKLOADS

FOLDER = Path(__file__).resolve().parents[3] / "sims" / "cachesim" / "traces"
FACTS = json.loads((FOLDER / "facts.json").read_text(encoding="utf-8"))
BEYOND = ("chase",)  # longer than any cache: there nothing can be warm
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    kept = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cached._plugin, "cache_folder", lambda: kept)
        yield kept


def test_no_file_is_left_over():
    assert sorted(file.name for file in FOLDER.glob("*.xz")) == sorted(f"{name}.hwt.xz" for name in FACTS)
    assert set(FACTS) <= set(WORKLOADS)


def test_together_they_are_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 6e6


@pytest.mark.parametrize("name", FACTS)
def test_a_file_is_the_one_that_was_described(name):
    digest = hashlib.sha256((FOLDER / f"{name}.hwt.xz").read_bytes()).hexdigest()
    assert digest == FACTS[name]["sha256"]
    assert f"`{digest}`" in PAGE


@pytest.mark.parametrize("name", FACTS)
def test_a_trace_holds_what_is_said(name):
    said = FACTS[name]
    with Trace.open(FOLDER / f"{name}.hwt.xz") as trace:
        facts = trace_facts(trace)
        assert trace.meta["isa"] == "riscv64"
        assert trace.meta["source"].startswith(f"{name} ")
        assert trace.meta["warmup"] == said["warmup"]
    assert (facts.instructions, facts.operands) == (said["instructions"], said["operands"])
    assert (facts.data_lines, facts.code_lines) == (said["data_lines"], said["code_lines"])
    assert f"| {name} | {said['instructions']:,} | {said['warmup']:,} |" in PAGE
    assert 1e6 < facts.instructions < 3.5e6


@pytest.mark.parametrize("name", [name for name in FACTS if name not in BEYOND])
def test_hardly_any_line_is_new_after_the_warm_up(name):
    said = FACTS[name]
    with Trace.open(FOLDER / f"{name}.hwt.xz") as trace:
        [before] = trace.chunks(size=1 << 30, stop=said["warmup"])
        [after] = trace.chunks(size=1 << 30, start=said["warmup"])
    lines = [np.unique(chunk.addresses >> np.uint64(6)) for chunk in (before, after)]
    late = len(np.setdiff1d(lines[1], lines[0]))
    assert late == said["late_lines"] <= 0.001 * said["data_lines"]
    assert len(after) > 1e6


@pytest.mark.parametrize("name", BEYOND)
def test_every_step_touches_a_new_line(name):
    with Trace.open(FOLDER / f"{name}.hwt.xz") as trace:
        [chunk] = trace.chunks(size=1 << 30)
        lines = chunk.addresses >> np.uint64(6)
        steps = int(chunk.statics["loads"][chunk.indices].sum())
    assert len(np.unique(lines)) > 0.9 * steps


@pytest.mark.parametrize("name", FACTS)
def test_control_goes_where_branches_say(name):
    """Every instruction that is no taken branch is followed by its neighbour in memory, but at the region's seams."""
    with Trace.open(FOLDER / f"{name}.hwt.xz") as trace:
        [chunk] = trace.chunks(size=1 << 30)
    records = chunk.statics[chunk.indices]
    straight = ~chunk.taken[:-1]
    assert (records["pc"][:-1] + records["size"][:-1] == records["pc"][1:])[straight].all()
    assert (records["branch"][:-1][~straight] != Branch.NONE).all()
