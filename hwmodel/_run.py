"""The work of `hwmodel run`: check everything, run the simulation, write the folder as a whole."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from hwmodel._atomic import check_replaceable, replaced_folder
from hwmodel._simulations import Run, Simulation, find, make_spec
from hwmodel.errors import HwmodelError, SpecError, unknown
from hwmodel.kernel import jsonable, profiled
from hwmodel.simulation import Outcome, RunContext, RunnerName, Window
from hwmodel.units import Time, to_fs

__all__ = ["Job", "execute", "foreign", "prepare"]

# What the command itself writes; everything else in the folder is the simulation's.
_PERFETTO = "trace.perfetto.json"
_WRITTEN = (
    "manifest.json",
    "metrics.json",
    "report.html",
    "result.npz",
    "waves.vcd",
    "waves.gtkw",
    _PERFETTO,
)
# About 20 MB, and a quarter of a second to write.
_PERFETTO_CHANGES = 200_000
_PICTURES = {".png", ".svg"}


@dataclass(frozen=True)
class Job:
    """A run that has been checked as far as possible without running it."""

    simulation: Simulation
    spec: Any
    run: Run
    seed: int
    out: Path
    runner: RunnerName
    window: Window
    settings: tuple[str, ...] = ()
    profile: bool = False

    def command(self) -> str:
        """What to type to run this again."""
        words = ["hwmodel", "run", self.simulation.name, "--seed", str(self.seed)]
        for setting in self.settings:
            words += ["--set", shlex.quote(setting)]
        return " ".join(words)


def prepare(
    name: str,
    settings: Iterable[str],
    seed: int,
    out: Path | None,
    runner: str,
    window: str,
    profile: bool = False,
) -> Job:
    """Check the arguments of a run; nothing is written.

    Parameters:
        name: of the simulation.
        settings: texts "key=value".
        seed: of every random stream, not negative.
        out: folder to write; None for out/NAME.
        runner: "loop" or "simpy".
        window: "auto" or a time as text.
        profile: measure where the time goes.

    Raises:
        HwmodelError: an unknown name, a value of the wrong type, a folder that must not be replaced.
    """
    simulation = find(name)
    settings = tuple(settings)
    if seed < 0:
        raise SpecError(f"--seed {seed}: must not be negative")
    if runner not in get_args(RunnerName):
        raise unknown("runner", runner, get_args(RunnerName))
    step: Window = "auto" if window == "auto" else Time(to_fs(window, "--window"))
    if step != "auto" and step <= 0:
        raise SpecError(
            f"--window {window!r}: a window must be greater than zero; give a time such as '20 ps'"
        )
    folder = out if out is not None else Path("out") / name
    check_replaceable(folder, foreign)
    kind, run = simulation.load()
    spec = make_spec(simulation, kind, settings)
    return Job(simulation, spec, run, seed, folder, cast(RunnerName, runner), step, settings, profile)


def execute(job: Job) -> None:
    """Run a job, write its folder, and print the summary and where things are.

    Raises:
        HwmodelError: the run failed, or its folder cannot be written; the folder is as it was. What a system had
            recorded by then is in a folder beside it, its name ending in -partial.
    """
    with replaced_folder(job.out, foreign) as fresh, profiled() if job.profile else nullcontext() as profile:
        context = RunContext(job.seed, fresh, job.runner, job.window)
        try:
            outcome = job.run(job.spec, context)
        except Exception as error:
            _keep_partial(job, error)
            raise
        if not isinstance(outcome, Outcome):
            raise SpecError(
                f"{job.simulation.name}: run() gave {type(outcome).__name__}; "
                "return an hwmodel.simulation.Outcome"
            )
        try:
            pictures, left_out = _write(job, outcome, fresh)
        except HwmodelError as error:
            _keep_partial(job, error)
            raise
        viewer = (fresh / _PERFETTO).exists()
    for line in outcome.summary:
        print(line)
    print(f"report    {job.out / 'report.html'}")
    print(f"waves     {job.out / 'waves.vcd'}")
    if viewer:
        print(f"trace     {job.out / _PERFETTO}{left_out}")
    for picture in pictures:
        print(f"picture   {job.out / picture}")
    for line in profile.lines() if profile is not None else ():
        print(line)


def _keep_partial(job: Job, error: Exception) -> None:
    """Write what a system had recorded when its run ended by an error."""
    partial = getattr(error, "partial", None)
    if partial is None:
        return
    folder = job.out.with_name(f"{job.out.name}-partial")
    try:
        check_replaceable(folder, foreign)
        with replaced_folder(folder, foreign) as fresh:
            partial.to_vcd(fresh / "waves.vcd")
            partial.manifest["run"] = {"simulation": job.simulation.name, "seed": job.seed, "files": [
                "manifest.json", "result.npz", "waves.vcd", "waves.gtkw"]}  # fmt: skip
            partial.save(fresh / "result.npz")
    except HwmodelError as second:
        print(f"hwmodel: the results so far are not kept: {second}", file=sys.stderr)
    else:
        print(f"hwmodel: the results up to {partial.until} are in {folder}", file=sys.stderr)


def _write(job: Job, outcome: Outcome, folder: Path) -> tuple[list[str], str]:
    """Write everything beside the simulation's own files; give the names of its pictures and what was left out."""
    clash = [name for name in _WRITTEN if (folder / name).exists()]
    if clash:
        raise SpecError(f"{job.simulation.name}: run() wrote {clash[0]}, a name that the command uses")
    own = _files(folder)
    pictures = [name for name in own if Path(name).suffix in _PICTURES]
    # The page draws the waveforms itself, and of a picture in two formats it takes the sharper one.
    shown = [name for name in pictures if Path(name).stem != "waves" and _sharpest(name, pictures)]
    result, simulation = outcome.result, job.simulation
    metrics = _metrics_text(simulation, outcome)
    result.manifest["run"] = about = {
        "simulation": simulation.name,
        "title": simulation.title,
        "source": simulation.source,
        "parameters": jsonable(job.spec),
        "seed": job.seed,
        "runner": job.runner,
        "window": str(job.window),
    }
    (folder / "metrics.json").write_text(metrics, encoding="utf-8")
    result.to_vcd(folder / "waves.vcd")
    try:
        left_out = _write_perfetto(outcome, folder)
        options = outcome.report
        result.to_html(
            folder / "report.html",
            title=simulation.title,
            metrics=json.loads(metrics),
            pictures=[folder / name for name in shown],
            source=simulation.source,
            command=job.command(),
            summary=outcome.summary,
            signals=options.signals,
            views=options.views,
            latencies=options.latencies,
            groups=options.groups,
        )
    except HwmodelError as error:
        # A report that cannot be made must not cost a long run its result.
        error.partial = result  # type: ignore[attr-defined]
        raise
    about["files"] = sorted({*_files(folder), "manifest.json", "result.npz"})
    result.save(folder / "result.npz")
    return pictures, left_out


def _write_perfetto(outcome: Outcome, folder: Path) -> str:
    """Write the file for the Perfetto viewer, bounded in size; say what was left out of it."""
    result, wanted = outcome.result, outcome.report.perfetto
    names = list(result.traces) if wanted is None else [result[name].name for name in wanted]
    kept: set[str] = set()
    changes = 0
    # The busiest signals last: what is rare says most, and costs least.
    for name in sorted(names, key=lambda name: len(result.traces[name])):
        changes += len(result.traces[name])
        if changes > _PERFETTO_CHANGES:
            break
        kept.add(name)
    if not kept:
        return ""
    # The viewer's numbers end at 2**53 of its nanoseconds; a run of more than 9 s needs a coarser scale.
    scale = 1
    while int(result.until) // scale >= 1 << 53:
        scale *= 10
    shown = [name for name in names if name in kept]
    result.to_perfetto(folder / _PERFETTO, signals=shown, fs_per_ns=scale)
    left = len(names) - len(kept)
    return f" (without the {left} busiest of {len(names)} signals)" if left else ""


def _sharpest(name: str, pictures: list[str]) -> bool:
    return Path(name).suffix == ".svg" or str(Path(name).with_suffix(".svg")) not in pictures


def _metrics_text(simulation: Simulation, outcome: Outcome) -> str:
    try:
        return json.dumps(outcome.metrics, indent=2, default=_number, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise SpecError(f"{simulation.name}: metrics cannot be written as JSON: {error}") from error


def _number(value: Any) -> Any:
    """NumPy scalars and arrays as plain numbers and lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r}")


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def foreign(folder: Path) -> str | None:
    """Why a folder must not be replaced: it is no run's, or holds a file that no run wrote.

    Parameters:
        folder: existing, non-empty folder.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        written = set(manifest["run"]["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return "it is not empty and holds no manifest.json of an hwmodel run"
    added = [name for name in _files(folder) if name not in written]
    return f"it holds '{added[0]}', which no run wrote" if added else None
