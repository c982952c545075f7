"""What a simulation asks of its report, from its Outcome to the files of `hwmodel run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwmodel import _run
from hwmodel.cli import main
from hwmodel.kernel import Result
from hwmodel.simulation import ReportOptions

RUN = """
from dataclasses import dataclass
import numpy as np
from hwmodel.kernel import Result, Trace
from hwmodel.simulation import Outcome, ReportOptions

@dataclass(frozen=True)
class Spec:
    count: int = 3

def run(spec, context):
    nothing = np.zeros(0, np.int64)
    asked = np.arange(spec.count, dtype=np.int64) * 1000
    traces = {"a.q": Trace("a.q", "pulse", asked, nothing), "b.q": Trace("b.q", "pulse", asked + 7, nothing),
              "b.rare": Trace("b.rare", "pulse", asked[:1], nothing)}
    ports = [{"name": "q", "direction": "out", "protocol": "pulse", "width": 1}]
    components = [{"path": p, "type": "T", "spec": None, "ports": ports} for p in "ab"]
    manifest = {"until_fs": UNTIL, "components": components}
    return Outcome(Result(traces, {}, manifest, "00"), report=ReportOptions(OPTIONS))
"""


@pytest.fixture
def simulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    folder = tmp_path / "sims" / "pair"
    folder.mkdir(parents=True)
    (folder / "spec.toml").write_text('title = "A pair"\nsource = "made up"\n[spec]\ncount = 3\n')
    monkeypatch.setenv("HWMODEL_SIMS", str(folder.parent))
    monkeypatch.chdir(tmp_path)

    def run(options: str, until: int = 10_000) -> int:
        (folder / "run.py").write_text(RUN.replace("OPTIONS", options).replace("UNTIL", str(until)))
        return main(["run", "pair", "--out", "new"])

    return run


def tracks() -> set[str]:
    rows = json.loads(Path("new/trace.perfetto.json").read_text())["traceEvents"]
    return {row["args"]["name"] for row in rows if row["name"] == "thread_name"}


def test_views_latencies_and_groups_reach_the_page(simulate) -> None:
    assert (
        simulate("views=[('a step', '1 ps', '2 ps')], latencies=[('a.q', 'b.q')], groups={'a': 'warm'}") == 0
    )
    page = Path("new/report.html").read_text(encoding="utf-8")
    assert "a step <small>1 ps to 2 ps: 1 ps" in page
    assert '<th scope="row">a.q → b.q</th><td>order</td><td class="number">3</td>' in page
    assert ">warm</text>" in page


def test_the_signals_of_the_overview_can_be_chosen(simulate) -> None:
    assert simulate("signals=['b.rare']") == 0
    page = Path("new/report.html").read_text(encoding="utf-8")
    assert "<code>b</code> rare</p>" in page
    assert "<code>a</code> q" not in page


def test_every_run_is_written_for_perfetto_and_listed(simulate, capsys) -> None:
    assert simulate("") == 0
    assert tracks() == {"q", "rare"}
    files = json.loads(Path("new/manifest.json").read_text())["run"]["files"]
    assert files == sorted(p.name for p in Path("new").iterdir())
    assert "trace     new/trace.perfetto.json" in capsys.readouterr().out.splitlines()


def test_no_signals_for_perfetto_give_no_file(simulate, capsys) -> None:
    assert simulate("perfetto=[]") == 0
    assert not Path("new/trace.perfetto.json").exists()
    assert "perfetto" not in capsys.readouterr().out
    assert simulate("perfetto=['rare']") == 0  # and the folder is known as a run's
    assert tracks() == {"rare"}


def test_beyond_the_bound_the_busiest_signals_are_left_out(simulate, capsys, monkeypatch) -> None:
    monkeypatch.setattr(_run, "_PERFETTO_CHANGES", 4)
    assert simulate("") == 0
    rows = json.loads(Path("new/trace.perfetto.json").read_text())["traceEvents"]
    assert sum(row["ph"] == "i" for row in rows) == 4
    assert "new/trace.perfetto.json (without the 1 busiest of 3 signals)" in capsys.readouterr().out


def test_a_long_run_gets_a_coarser_scale_for_perfetto(simulate) -> None:
    assert simulate("", until=20 * 10**15) == 0
    head = json.loads(Path("new/trace.perfetto.json").read_text())["otherData"]
    assert head["scale"] == "10 fs is shown as 1 ns"


def test_a_report_that_cannot_be_made_costs_no_result(simulate, capsys) -> None:
    assert simulate("latencies=[('a.q', 'b.none')]") == 1
    assert not Path("new").exists()
    assert set(Result.load("new-partial").traces) == {"a.q", "b.q", "b.rare"}
    said = capsys.readouterr().err
    assert "b.none" in said
    assert "are in new-partial" in said


def test_options_are_empty_unless_given() -> None:
    options = ReportOptions()
    assert (options.signals, options.views, options.latencies, options.groups, options.perfetto) == (
        None, (), (), {}, None,
    )  # fmt: skip
