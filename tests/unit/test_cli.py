"""The command `hwmodel`: what it writes, what it refuses, and with which exit code."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hwmodel.cli import main
from hwmodel.kernel import Result

SPEC = 'title = "Three pulses"\nsource = "made up"\n[spec]\ncount = 3\npace = "10 ps"\n'

RUN = """
from dataclasses import dataclass
import numpy as np
from hwmodel.errors import TimingViolationError
from hwmodel.kernel import Result, Trace
from hwmodel.simulation import Outcome
from hwmodel.units import Time

@dataclass(frozen=True)
class Spec:
    count: int
    pace: Time

def run(spec, context):
    if spec.count == 13:
        (context.out / "half.png").write_bytes(b"half")
        raise TimingViolationError("xor[3]: a second too early; slow down")
    t = np.arange(1, spec.count + 1) * int(spec.pace)
    trace = Trace("net.q", "pulse", t, np.empty(0, np.int64))
    until = int(spec.pace) * (spec.count + 1)
    (context.out / "pulses.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    result = Result({"net.q": trace}, {"net.pulses": spec.count}, {"until_fs": until}, "00ff")
    metrics = {"count": np.int64(spec.count), "seed": context.seed, "runner": context.runner,
               "window": str(context.window), "times": t}
    return Outcome(result, metrics, [f"{spec.count} pulses"])
"""


@pytest.fixture
def sims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one small simulation, `three`; the current folder is an empty one."""
    folder = tmp_path / "sims"
    (folder / "three").mkdir(parents=True)
    (folder / "three" / "spec.toml").write_text(SPEC)
    (folder / "three" / "run.py").write_text(RUN)
    monkeypatch.setenv("HWMODEL_SIMS", str(folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


Capture = pytest.CaptureFixture[str]


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_run_writes_everything_into_the_folder(sims: Path, capsys: Capture) -> None:
    assert main(["run", "three", "--seed", "5", "--set", "count=4", "--out", "new"]) == 0
    out = Path("new")
    assert files(out) == [
        "manifest.json",
        "metrics.json",
        "pulses.svg",
        "report.html",
        "result.npz",
        "trace.perfetto.json",
        "waves.gtkw",
        "waves.vcd",
    ]
    assert json.loads((out / "metrics.json").read_text()) == {
        "count": 4,
        "seed": 5,
        "runner": "loop",
        "window": "auto",
        "times": [10_000, 20_000, 30_000, 40_000],
    }
    assert list(Result.load(out / "result.npz")["q"].t) == [10_000, 20_000, 30_000, 40_000]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "4 pulses"
    assert "report    new/report.html" in printed
    assert "picture   new/pulses.svg" in printed


def test_manifest_says_what_was_run(sims: Path) -> None:
    assert main(["run", "three", "--out", "new", "--set", "pace=20 ps", "--window", "5 ps"]) == 0
    run = json.loads(Path("new/manifest.json").read_text())["run"]
    assert run["simulation"] == "three"
    assert run["parameters"] == {"count": 3, "pace": "ps(20)"}
    assert (run["seed"], run["runner"], run["window"]) == (0, "loop", "5 ps")
    assert run["files"] == files(Path("new"))


def test_report_shows_title_metrics_and_picture(sims: Path) -> None:
    assert main(["run", "three", "--out", "new"]) == 0
    report = Path("new/report.html").read_text()
    assert "Three pulses" in report
    assert "svg" in report


def test_runner_and_window_reach_the_simulation(sims: Path) -> None:
    assert main(["run", "three", "--out", "new", "--runner", "simpy", "--window", "20 ps"]) == 0
    metrics = json.loads(Path("new/metrics.json").read_text())
    assert (metrics["runner"], metrics["window"]) == ("simpy", "20 ps")


def test_default_folder_is_named_after_the_simulation(sims: Path) -> None:
    assert main(["run", "three"]) == 0
    assert Path("out/three/report.html").is_file()


def test_second_run_replaces_the_first(sims: Path) -> None:
    assert main(["run", "three", "--out", "new"]) == 0
    assert main(["run", "three", "--out", "new", "--set", "count=5"]) == 0
    assert json.loads(Path("new/metrics.json").read_text())["count"] == 5
    assert files(Path()) == ["new"]


def test_failed_run_leaves_the_old_folder_and_shows_no_traceback(sims: Path, capsys: Capture) -> None:
    assert main(["run", "three", "--out", "new"]) == 0
    before = files(Path("new"))
    assert main(["run", "three", "--out", "new", "--set", "count=13"]) == 1
    assert files(Path("new")) == before
    assert files(Path()) == ["new"]
    assert capsys.readouterr().err == "hwmodel: xor[3]: a second too early; slow down\n"


def test_traceback_is_shown_when_asked_for(sims: Path, capsys: Capture) -> None:
    assert main(["run", "three", "--set", "count=13", "--traceback"]) == 1
    assert "run.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "tree"], "unknown simulation 'tree'; did you mean 'three'"),
        (["run", "three", "--set", "cuont=3"], "unknown parameter of three 'cuont'; did you mean 'count'"),
        (["run", "three", "--set", "count=few"], "expected int, got str"),
        (["run", "three", "--set", "count"], "write --set key=value"),
        (["run", "three", "--runner", "lop"], "unknown runner 'lop'; did you mean 'loop'"),
        (["run", "three", "--window", "wide"], "wide"),
        (["run", "three", "--window", "20"], "20"),
        (["run", "three", "--seed", "-1"], "must not be negative"),
        (["run", "three", "--seed", "one"], "one"),
        (["run", "three", "--sed", "1"], "--sed"),
        (["run"], "SIM"),
        (["rnu"], "rnu"),
    ],
)
def test_wrong_usage_gives_2_and_writes_nothing(
    sims: Path, capsys: Capture, arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err + printed.out
    assert files(Path()) == []


def test_foreign_folder_is_refused(sims: Path, capsys: Capture) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("years of work")
    assert main(["run", "three", "--out", "mine"]) == 2
    assert "will not replace 'mine': it is not empty and holds no manifest.json" in capsys.readouterr().err
    assert files(Path("mine")) == ["thesis.tex"]


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"run": 3}', '{"name": "a web page"}'])
def test_folder_with_another_programs_manifest_is_refused(sims: Path, manifest: str) -> None:
    Path("mine").mkdir()
    Path("mine/manifest.json").write_text(manifest)
    assert main(["run", "three", "--out", "mine"]) == 2
    assert files(Path("mine")) == ["manifest.json"]


def test_file_added_to_a_run_is_not_lost(sims: Path, capsys: Capture) -> None:
    assert main(["run", "three", "--out", "new"]) == 0
    Path("new/notes.txt").write_text("my thoughts")
    assert main(["run", "three", "--out", "new"]) == 2
    assert "it holds 'notes.txt', which no run wrote" in capsys.readouterr().err
    assert Path("new/notes.txt").read_text() == "my thoughts"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"seed": context.seed', '"seed": object()', "metrics cannot be written as JSON"),
        ('"seed": context.seed', '"seed": float("nan")', "metrics cannot be written as JSON"),
        ("return Outcome(", "return tuple, (", "return an hwmodel.simulation.Outcome"),
        ("pulses.svg", "metrics.json", "run() wrote metrics.json"),
    ],
)
def test_simulation_that_breaks_its_contract_fails(
    sims: Path, capsys: Capture, old: str, new: str, message: str
) -> None:
    assert old in RUN
    (sims / "three" / "run.py").write_text(RUN.replace(old, new))
    assert main(["run", "three"]) == 1
    assert message in capsys.readouterr().err
    assert files(Path()) == []


def test_interrupt_gives_130_and_leaves_nothing(sims: Path, capsys: Capture) -> None:
    (sims / "three" / "run.py").write_text(
        RUN.replace("t = np.arange", "raise KeyboardInterrupt; t = np.arange")
    )
    assert main(["run", "three"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert files(Path()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_in_mid_run_leaves_the_old_folder(sims: Path, number: signal.Signals, code: int) -> None:
    assert main(["run", "three", "--out", "new"]) == 0
    before = Path("new/metrics.json").read_text()
    waiting = "import time; context.say('waiting'); time.sleep(60); t = np.arange"
    (sims / "three" / "run.py").write_text(RUN.replace("t = np.arange", waiting))
    command = [sys.executable, "-m", "hwmodel", "run", "three", "--out", "new"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(number)
        assert process.wait(20) == code
    assert Path("new/metrics.json").read_text() == before
    assert files(Path()) == ["new"]


SYSTEM = """
from dataclasses import dataclass
import hwmodel as hw
from hwmodel.errors import TimingViolationError
from hwmodel.simulation import Outcome
from hwmodel.units import ns

@dataclass(frozen=True)
class Spec:
    count: int
    pace: hw.units.Time

def run(spec, context):
    def beat(ctx):
        for _ in range(spec.count):
            yield ctx.timeout(ns(2))
            ctx.send("q", 1)
        if spec.count == 13:
            raise TimingViolationError("too early")
    system = hw.System(hw.Process("net", beat, outputs=["q"]))
    return Outcome(system.run(until=ns(100), watch=["q"], progress=False), {}, [])
"""


def test_profile_says_where_the_time_went(sims: Path, capsys: Capture) -> None:
    (sims / "three" / "run.py").write_text(SYSTEM)
    assert main(["run", "three", "--profile", "--out", "new"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[next(n for n, line in enumerate(lines) if line.startswith("profile:")) :]
    assert [line.split()[0] for line in table[1:]] == ["component", "net", "kernel"]


def test_what_a_failed_run_had_recorded_is_kept_beside_its_folder(sims: Path, capsys: Capture) -> None:
    (sims / "three" / "run.py").write_text(SYSTEM)
    assert main(["run", "three", "--set", "count=13", "--out", "new"]) == 1
    assert not Path("new").exists()
    kept = Result.load("new-partial")
    assert len(kept["net.q"]) == 12  # what came in the window of the error is not whole
    assert "too early" in kept.manifest["failed"]
    said = capsys.readouterr().err
    assert "new-partial" in said
    assert "in component 'net', in the window from 26 ns" in said


def test_a_second_failure_replaces_what_the_first_one_kept(sims: Path) -> None:
    (sims / "three" / "run.py").write_text(SYSTEM)
    for _ in range(2):
        assert main(["run", "three", "--set", "count=13", "--out", "new"]) == 1
    assert files(Path("new-partial")) == ["manifest.json", "result.npz", "waves.gtkw", "waves.vcd"]


def test_list_shows_names_and_titles(sims: Path, capsys: Capture) -> None:
    (sims / "broken").mkdir()
    (sims / "broken" / "spec.toml").write_text("title =")
    (sims / "broken" / "run.py").write_text("")
    assert main(["list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["three"].endswith("Three pulses")
    assert "cannot be run" in lines["broken"]


def test_info_shows_versions_and_folders(sims: Path, capsys: Capture) -> None:
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for word in ("hwmodel", "numpy", "numba", "kernel cache", "cores", "rsfq", str(sims), "three"):
        assert word in printed


def test_info_says_when_kernels_are_not_compiled(
    sims: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWMODEL_JIT", "0")
    assert main(["info"]) == 0
    assert "off (HWMODEL_JIT=0)" in capsys.readouterr().out


def test_version(project: Path, capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert (
        capsys.readouterr().out.strip()
        == tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"]
    )


def test_module_is_the_command(sims: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "hwmodel", "run", "tree"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "did you mean 'three'" in done.stderr


def test_worked_example_of_the_documentation(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The simulation of docs/howto/write-a-simulation.md prints what that page shows."""
    page = (project / "docs" / "howto" / "write-a-simulation.md").read_text()
    command, *shown = page.split("```console\n$ ")[1].split("```")[0].splitlines()
    monkeypatch.setenv("HWMODEL_SIMS", str(project / "docs" / "howto" / "examples"))
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out.splitlines() == shown
    metrics = json.loads(Path("out/long_line/metrics.json").read_text())
    assert metrics["delay_per_stage_ps"] == metrics["delay_ps"] / 20


@pytest.mark.parametrize("words", [["--seed", "1.5"], ["--window=-5 ps"], ["--window", "0 ps"]])
def test_a_seed_or_window_of_no_meaning_is_a_usage_error(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "xor_network", *words, "--out", "o"]) == 2
    assert not (tmp_path / "o").exists()


def test_a_reader_that_goes_away_is_no_error(sims: Path, tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -u -m hwmodel list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
