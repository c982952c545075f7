"""Runs over worker processes: the order of the jobs, whatever the number of workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwmodel.cryo import jobs as module
from hwmodel.cryo.config import at_clock, cryo_inorder, cryo_ooo
from hwmodel.cryo.generators import Body, Chase, Stream, generate
from hwmodel.cryo.jobs import Job, run_jobs
from hwmodel.cryo.trace import Trace
from hwmodel.errors import SpecError, TraceFileError

MACHINES = [at_clock(cryo_ooo(), f"{clock} GHz", "l1") for clock in (4, 7, 100)] + [cryo_inorder()]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("traces")
    generate(folder / "a.hwt", Stream("64 kB"), 6000)
    generate(folder / "b.hwt", Chase("64 kB"), 4000, body=Body(loads=0.25))
    return [folder / "a.hwt", folder / "b.hwt"]


def test_the_number_of_workers_does_not_change_the_outcome(traces: list[Path]) -> None:
    jobs = [Job(trace, machine) for trace in traces for machine in MACHINES]
    alone = run_jobs(jobs, workers=1)
    assert [t.instructions for t in alone] == [6000] * 4 + [4000] * 4
    assert len({t.time for t in alone}) == len(jobs)
    assert run_jobs(jobs, workers=2) == alone
    assert run_jobs(jobs, workers=3) == alone


def test_timings_come_in_the_order_of_the_jobs(traces: list[Path]) -> None:
    jobs = [Job(traces[0], machine) for machine in MACHINES]
    assert run_jobs(jobs[::-1], workers=2) == run_jobs(jobs, workers=1)[::-1]


def test_equal_jobs_run_once(traces: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Job] = []
    run = module._run
    monkeypatch.setattr(module, "_run", lambda job: seen.append(job) or run(job))
    same = [Job(traces[0], at_clock(cryo_ooo(), "4 GHz", domains)) for domains in ("core", "l1", "all")]
    first, *others = run_jobs([*same, Job(traces[1], cryo_ooo())], workers=1)
    assert len(seen) == 2
    assert others[:2] == [first, first]
    assert others[2] != first


def test_a_trace_is_opened_once_while_its_jobs_follow_each_other(
    traces: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    init = Trace.open
    monkeypatch.setattr(
        Trace, "open", lambda path, *a, **k: opened.append(Path(path).name) or init(path, *a, **k)
    )
    run_jobs([Job(trace, machine) for trace in traces for machine in MACHINES[:3]], workers=1)
    assert opened == ["a.hwt", "b.hwt"]


def test_progress_counts_every_run_up_to_all(traces: list[Path]) -> None:
    steps: list[tuple[int, int]] = []
    run_jobs([Job(traces[0], m) for m in MACHINES], 2, lambda done, total: steps.append((done, total)))
    assert steps == [(n, 4) for n in range(5)]


def test_the_warm_up_is_the_one_of_the_trace_unless_named(traces: list[Path]) -> None:
    [whole, part] = run_jobs([Job(traces[0], cryo_ooo(), w) for w in (None, 2000)], workers=1)
    assert (whole.instructions, part.instructions) == (6000, 4000)
    with Trace.open(traces[0]) as trace:
        assert module.warmup_of(trace, None) == 0
        trace.meta["warmup"] = 123
        assert module.warmup_of(trace, None) == 123
        assert module.warmup_of(trace, 7) == 7


def test_a_limit_ends_the_timed_window(traces: list[Path]) -> None:
    [timing] = run_jobs([Job(traces[0], cryo_ooo(), 1000, 500)], workers=1)
    assert timing.instructions == 500


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_run_is_raised_here(traces: list[Path], workers: int, tmp_path: Path) -> None:
    jobs = [Job(traces[0], replace(cryo_ooo(), l3=None)), Job(tmp_path / "none.hwt", cryo_ooo())]
    with pytest.raises(TraceFileError, match=r"none\.hwt"):
        run_jobs(jobs, workers)


def test_no_workers_are_refused(traces: list[Path]) -> None:
    with pytest.raises(SpecError, match="workers=0"):
        run_jobs([Job(traces[0], cryo_ooo())], workers=0)


def test_no_jobs_are_no_work() -> None:
    assert run_jobs([]) == []
