"""Many runs over worker processes; the results do not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwmodel.cryo._format_base import Reader
from hwmodel.cryo._trace_base import TraceSource
from hwmodel.cryo.config import Machine
from hwmodel.cryo.timing import Timing, simulate
from hwmodel.cryo.trace import Trace
from hwmodel.errors import HwmodelError, SpecError

__all__ = ["Job", "run_jobs", "warmup_of"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """One run: a trace through a machine.

    Parameters:
        trace: the trace's file.
        machine: what it runs on.
        warmup: instructions before the timed window; None for the number that the trace names, or 0.
        limit: most instructions that are timed; None for all.
    """

    trace: Path
    machine: Machine
    warmup: int | None = None
    limit: int | None = None


def warmup_of(source: TraceSource, warmup: int | None) -> int:
    """The warm-up that was asked for, or else the one that the trace names."""
    return int(source.meta.get("warmup", 0)) if warmup is None else warmup


def run_jobs(
    jobs: Sequence[Job], workers: int | None = None, progress: Progress | None = None
) -> list[Timing]:
    """Run every job and return the timings in the order of the jobs; equal jobs run once.

    Jobs of one trace should follow each other: a worker opens a trace once and keeps it until the next one comes.

    Parameters:
        jobs: what to run.
        workers: processes; None for one a core that this process may use, 1 for none beside this one.
        progress: called with (runs done, runs in all) after each run.

    Raises:
        SpecError: fewer than one worker.
        HwmodelError: what a run raises, or that a worker died.
    """
    if workers is not None and workers < 1:
        raise SpecError(f"run_jobs(workers={workers}): give at least 1")
    place, distinct = _distinct(jobs)
    count = min(workers or _cores(), len(distinct))
    if progress is not None:
        progress(0, len(distinct))
    try:
        if count > 1:
            _compile(list({job.machine.core.kind: job for job in distinct}.values()))
            found = _in_processes(distinct, count, progress)
        else:
            found = []
            for job in distinct:
                found.append(_run(job))
                if progress is not None:
                    progress(len(found), len(distinct))
    finally:
        _close()
    return [found[i] for i in place]


# What follows is private.

_open: dict[Path, Trace | Reader] = {}


def _distinct(jobs: Sequence[Job]) -> tuple[list[int], list[Job]]:
    """The different jobs, and for each job which of them it is. At the slow clock many domain sets are one machine."""
    found: list[Job] = []
    place: list[int] = []
    # A machine holds a dict and has no hash; only runs of one trace need to be compared.
    of_trace: dict[Path, list[int]] = {}
    for job in jobs:
        known = of_trace.setdefault(job.trace, [])
        same = next((i for i in known if found[i] == job), None)
        if same is None:
            same = len(found)
            found.append(job)
            known.append(same)
        place.append(same)
    return place, found


def _source(path: Path) -> Trace | Reader:
    if path not in _open:
        from hwmodel.cryo.trace_formats import open_trace

        _close()
        _open[path] = open_trace(path)
    return _open[path]


def _close() -> None:
    """Close the trace that is open, if any."""
    while _open:
        _open.popitem()[1].close()


def _run(job: Job) -> Timing:
    source = _source(job.trace)
    return simulate(source, job.machine, warmup=warmup_of(source, job.warmup), limit=job.limit)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _compile(jobs: Sequence[Job]) -> None:
    """Compile the kernels here, so that not every worker has to."""
    for job in jobs:
        simulate(_source(job.trace), job.machine, warmup=1, limit=1)
    _close()


def _in_processes(jobs: list[Job], count: int, progress: Progress | None) -> list[Timing]:
    found: dict[int, Timing] = {}
    with _pool(count) as pool:
        waiting: dict[Future[Timing], int] = {pool.submit(_run, job): i for i, job in enumerate(jobs)}
        try:
            for future in as_completed(waiting):
                found[waiting[future]] = future.result()
                if progress is not None:
                    progress(len(found), len(jobs))
        except BrokenProcessPool as error:
            raise HwmodelError(
                f"a worker process ended after {len(found)} of {len(jobs)} runs, perhaps for want of memory; "
                "run again with workers=1"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [found[i] for i in range(len(jobs))]


@contextmanager
def _pool(count: int) -> Iterator[ProcessPoolExecutor]:
    # A fork shares what is compiled already, but must not meet another thread that holds a lock.
    fork = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if fork else "spawn")
    with warnings.catch_warnings():
        # Newer Pythons warn of any fork beside threads, those of a linear-algebra library included.
        warnings.simplefilter("ignore", DeprecationWarning)
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            yield pool
