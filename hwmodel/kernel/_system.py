"""A system: components, links, stimuli, and the run."""

from __future__ import annotations

import datetime
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from hwmodel._version import __version__
from hwmodel.errors import (
    CheckpointError,
    SpecError,
    StimulusError,
    TimeRangeError,
    WindowError,
    WiringError,
    unknown,
)
from hwmodel.kernel import _checkpoint, _profile
from hwmodel.kernel._budget import watched
from hwmodel.kernel._clock import Clock
from hwmodel.kernel._component import CheckReport, Component, Engine
from hwmodel.kernel._drive import Drive
from hwmodel.kernel._plan import Plan
from hwmodel.kernel._ports import Link, Port, port_value, whole_number
from hwmodel.kernel._progress import ProgressBar
from hwmodel.kernel._result import Result, fingerprint_of
from hwmodel.kernel._runners import SHARES, run_ahead, run_loop, run_simpy
from hwmodel.kernel._trace import Probe, Trace
from hwmodel.kernel._wiring import check_wiring, find_port, find_signal, lookahead_of, make_plan
from hwmodel.units import MAX_TIME, NEVER, Time, TimeLike, format_time, to_fs, to_fs_array

if TYPE_CHECKING:
    import simpy

RUNNERS = ("auto", "loop", "simpy")


class System:
    """Components joined by links, driven by stimuli, and run on one time line.

    Parameters:
        components: the parts; their names are unique.
        seed: from it every component derives its own random streams.
        name: for titles and the manifest.

    Example:
        >>> import hwmodel as hw
        >>> from hwmodel import sfq
        >>> from hwmodel.units import ps
        >>> net = sfq.Netlist("line")
        >>> (a,) = net.inputs("a")
        >>> net.output("q", net.jtl(a, stages=2))
        >>> system = hw.System(net)
        >>> system.drive("a", at=ps([5, 105]))
        >>> system.run(until=ps(200), watch=["q"])["q"].pulses()
        ps([12, 112])
    """

    def __init__(self, *components: Component, seed: int = 0, name: str = "system") -> None:
        self.name = name
        self.seed = whole_number(seed, "System(seed)")
        self._components: dict[str, Component] = {}
        self._links: list[Link] = []
        self._drives: list[Drive] = []
        self._plan: Plan | None = None
        self._watch: list[tuple[Component, str, Probe]] = []
        self._resumed: _checkpoint.Checkpoint | None = None
        self._failed = False
        for component in components:
            self.add(component)

    @property
    def now(self) -> Time:
        """Time up to which the system has run."""
        if self._plan is not None:
            return Time(self._plan.now)
        return Time(self._resumed.meta["now"] if self._resumed else 0)

    @property
    def components(self) -> tuple[Component, ...]:
        """Components in the order of their paths."""
        return tuple(self._components[path] for path in sorted(self._components))

    def __repr__(self) -> str:
        return f"<System {self.name}: {len(self._components)} components, {len(self._links)} links, at {self.now}>"

    def add(self, component: Component) -> Component:
        """Add a component; its name must be new."""
        self._not_begun("add")
        if not isinstance(component, Component):
            raise WiringError(f"System: {component!r} is no Component")
        if component.name in self._components:
            raise WiringError(f"two components are named '{component.name}'; rename one")
        self._components[component.name] = component
        return component

    def connect(
        self, source: Port | str | Link, target: Port | str | None = None, latency: TimeLike | None = None
    ) -> Link:
        """Join an output to an input with a latency greater than zero; returns the link.

        Raises:
            WiringError: direction, protocol, width or role do not fit, or the latency is zero.
        """
        self._not_begun("connect")
        if isinstance(source, Link):
            given = source
            source, target, latency = given.source, given.target, Time(given.latency)
        if target is None or latency is None:
            raise WiringError(
                "connect: give a source, a target and a latency, as in connect(a.q, b.d, latency=ps(20))"
            )
        link = Link(find_port(self._components, source), find_port(self._components, target), latency)
        if any(link.name == other.name for other in self._links):
            raise WiringError(f"link {link.name} exists already")
        self._links.append(link)
        return link

    def drive(
        self,
        port: Port | str,
        at: Any = None,
        *,
        clock: Clock | None = None,
        count: int | None = None,
        start: int = 0,
        values: Sequence[int] | None = None,
    ) -> None:
        """Give an input its stimulus: times, or `count` edges of a clock from edge `start` on.

        Parameters:
            port: an input port or its name.
            at: times that rise, such as `ps([5, 105])`; `ps([])` for none.
            clock: a clock instead of times; without `count` it goes on for ever.
            values: one value a time, for ports that are not pulses.

        Raises:
            StimulusError: times that do not rise or are negative, or values that do not fit.
        """
        self._not_begun("drive")
        target = find_port(self._components, port)
        where = f"stimulus of '{target.path}'"
        if target.direction != "in":
            raise WiringError(f"'{target.path}' is an output; only inputs can be driven")
        if (at is None) == (clock is None):
            raise StimulusError(f"{where}: give either times, at=ps([...]), or clock=Clock(...)")
        if values is not None and target.protocol == "pulse":
            raise StimulusError(f"{where}: a pulse has no value; leave out values")
        if values is not None and clock is not None:
            raise StimulusError(f"{where}: values go with times; give at=, not clock=")
        if values is None and clock is None and target.protocol == "bits":
            raise StimulusError(f"{where}: a 'bits' input needs values, one a time")
        if any(drive.port == target for drive in self._drives):
            raise WiringError(f"'{target.path}' is driven already; give all its times in one call")
        if clock is not None:
            if not isinstance(clock, Clock):
                raise StimulusError(f"{where}: clock={clock!r} is no clock; write clock=Clock(GHz(10))")
            start = whole_number(start, f"{where}: start")
            count = None if count is None else whole_number(count, f"{where}: count")
            if start < 0 or (count is not None and count < 0):
                raise StimulusError(f"{where}: start={start} and count={count} must not be negative")
            self._drives.append(Drive(target, clock=clock, start=start, count=count))
        else:
            if count is not None or start != 0:
                raise StimulusError(f"{where}: start and count go with clock=; leave them out with times")
            given = None if values is None else self._given(values, target, where)
            self._drives.append(Drive(target, to_fs_array(at, where), given))

    def check(self) -> CheckReport:
        """Check wiring, widths, roles and lookahead without running; print the report to see it.

        Raises:
            WiringError: with every fault found, and its remedy.
        """
        if not self._components:
            raise WiringError(f"system '{self.name}' has no components; add one")
        return check_wiring(self._components, self._links, self._drives)

    def run(
        self,
        until: TimeLike,
        watch: Sequence[str | Probe] | None = None,
        window: TimeLike | Literal["auto"] = "auto",
        runner: str = "auto",
        progress: bool | Callable[[int, int], None] = True,
        env: simpy.Environment | None = None,
        budget: float | None = None,
    ) -> Result:
        """Run every event with t < `until` and return what was recorded since time 0.

        A second call goes on where the first ended. An error from inside of the run has an attribute `partial`: the
        `Result` up to the last whole window, its fingerprint included.

        Parameters:
            until: end of the run, at most 9,223 s.
            watch: signals to record, by name or as `Probe`; fixed by the first call.
            window: longest stretch that engines run apart, at most the smallest link latency; with "auto" each engine
                runs as far ahead as no message can reach it.
            runner: "loop", "simpy", or "auto" for the loop; the result is the same.
            progress: show a bar for runs over two seconds, or a function of (now, until) in fs.
            env: for the simpy runner, the environment to run in.
            budget: seconds of wall time that a component may take for one window; None does not look.

        Raises:
            WiringError, WindowError, TimeRangeError: before anything runs.
            BudgetError: a component took longer; the error names it and the window.
        """
        end = self._check_end(until)
        report = self.check()
        longest = self._check_window(window, report.lookahead, end)
        if runner not in RUNNERS:
            raise unknown("runner", runner, RUNNERS)
        if env is not None and runner != "simpy":
            raise SpecError(f"run(env=..., runner={runner!r}): an environment goes with runner='simpy'")
        self._not_failed("run")
        plan = self._begin(watch)
        self._failed = True  # until the run has ended well; an error leaves engines at different times
        runner = "loop" if runner == "auto" else runner
        with ExitStack() as stack:
            stack.enter_context(watched(plan, budget, self.name))
            if (profile := _profile.active()) is not None:
                stack.enter_context(profile.over(plan.nodes, lambda: plan.windows))
            bar = stack.enter_context(ProgressBar(self.name))
            show = progress if callable(progress) else bar if progress else None
            try:
                if runner == "simpy":
                    run_simpy(plan, end, longest, show, env)
                elif window == "auto" and plan.measure():
                    run_ahead(plan, end, show)
                else:
                    run_loop(plan, end, longest, show)
            except Exception as error:
                self._keep(error, plan, window, runner, report)
                raise
        self._failed = False
        return self._result(plan, window, runner, report)

    def engine(self, component: str) -> Engine:
        """The engine that runs a component, for what it offers beyond the kernel's four members.

        That of a pulse netlist, for instance, lists its violations one by one: `system.engine("net").violations()`.

        Raises:
            WiringError: the system has not run yet.
            UnknownNameError: no such component.
        """
        if self._plan is None:
            raise WiringError(f"engine: system '{self.name}' has not run yet; call run() first")
        for node in self._plan.nodes:
            if node.component.name == component:
                return node.engine
        raise unknown("component", component, self._components)

    def checkpoint(self, path: str | os.PathLike[str]) -> Path:
        """Save the whole state; an equal system goes on from it with `resume`.

        Raises:
            CheckpointError: the system has not run yet, or a component cannot be saved.
        """
        if self._plan is None:
            raise CheckpointError(f"system '{self.name}' has not run yet; call run() before checkpoint()")
        self._not_failed("checkpoint")
        return _checkpoint.save(
            path, self._plan, self._identity(), [self._watch_text(w) for w in self._watch]
        )

    def resume(self, path: str | os.PathLike[str]) -> System:
        """Take up a saved state in a system that was built the same way; returns the system.

        Raises:
            CheckpointError: a damaged file, or one of another system.
        """
        self._not_begun("resume")
        saved = _checkpoint.Checkpoint(path)
        saved.require(self._identity())
        self._resumed = saved
        return self

    # What follows is private.

    def _not_begun(self, action: str) -> None:
        if self._plan is not None or self._resumed is not None:
            raise WiringError(
                f"{action}: system '{self.name}' has begun to run; its wiring is fixed, build a new one"
            )

    def _not_failed(self, action: str) -> None:
        if self._failed:
            raise WiringError(
                f"{action}: the last run of system '{self.name}' ended by an error or an interruption, in the middle "
                "of a window; build the system anew, or resume a checkpoint in it"
            )

    def _keep(
        self, error: Exception, plan: Plan, window: TimeLike | str, runner: str, report: CheckReport
    ) -> None:
        """Give an error of a run the results so far: what came before the window in which it arose."""
        first = plan.now = plan.first
        try:
            plan.rest(first)
            partial = self._result(plan, window, runner, report)
        except Exception as second:  # what broke may not be fit to be asked any more; the first error matters
            error.add_note(f"the results so far could not be taken: {second}")
            return
        whole = {name: trace.before(Time(first)) for name, trace in partial.traces.items()}
        partial.manifest["failed"] = f"{type(error).__name__}: {error}"
        error.partial = Result(whole, partial.stats, partial.manifest, partial.fingerprint)  # type: ignore[attr-defined]

    @staticmethod
    def _given(values: Sequence[int], port: Port, where: str) -> npt.NDArray[np.int64]:
        if not hasattr(values, "__len__") or isinstance(values, str | bytes):
            raise StimulusError(f"{where}: values={values!r}: give a sequence, one value a time")
        return np.array(
            [port_value(v, f"{where}: values[{n}]", port.bits) for n, v in enumerate(values)], np.int64
        )

    def _check_end(self, until: TimeLike) -> int:
        end = to_fs(until, "run(until)")
        longest = max((link.latency for link in self._links), default=0)
        if end > MAX_TIME - longest:
            raise TimeRangeError(
                f"run(until={format_time(end)}): with the longest latency this is beyond 9,223 s"
            )
        if end < int(self.now):
            raise TimeRangeError(
                f"run(until={format_time(end)}): the system is at {self.now} already; give a later time"
            )
        return end

    def _check_window(self, window: TimeLike | Literal["auto"], lookahead: int, end: int) -> int:
        if isinstance(window, str) and window == "auto":
            free = max(1, (end - int(self.now)) // SHARES)
            return free if lookahead == NEVER else lookahead
        asked = to_fs(window, "run(window)")
        if asked <= 0:
            raise WindowError(f"run(window={format_time(asked)}): a window must be greater than zero")
        if asked > lookahead:
            shortest = lookahead_of(self._links)[1]
            assert shortest is not None
            raise WindowError(
                f"run(window={format_time(asked)}) exceeds the latency {format_time(shortest.latency)} of link "
                f"{shortest.name}; use window='auto' or at most {format_time(shortest.latency)}, or lengthen that link (rule K5)"
            )
        return asked

    def _begin(self, watch: Sequence[str | Probe] | None) -> Plan:
        if isinstance(watch, str):
            raise SpecError(f"run(watch={watch!r}): give a list, as in watch=[{watch!r}]")
        if watch is not None and not isinstance(watch, Iterable):
            raise SpecError(f"run(watch={watch!r}): give a list of names, as in watch=['q']")
        wanted = list({self._watch_text(w): w for w in map(self._watched, watch or ())}.values())
        names = [self._watch_text(w) for w in wanted]
        name, times = Counter(f"{c.name}.{s}" for c, s, _ in wanted).most_common(1)[0] if wanted else ("", 0)
        if times > 1:
            raise SpecError(
                f"run(watch=...): '{name}' is watched in two ways, a result holds one trace a signal; keep one"
            )
        saved = self._resumed
        before = (
            [self._watch_text(w) for w in self._watch]
            if self._plan
            else saved.meta["watch"]
            if saved
            else None
        )
        if before is not None and watch is not None and names != before:
            raise SpecError(
                f"run(watch=...): the first run watched {before}; leave out watch to go on with it"
            )
        if self._plan is not None:
            return self._plan
        if saved is not None and watch is None and before:
            wanted = [self._watched(text) for text in self._names_of(before)]
            if [self._watch_text(w) for w in wanted] != before:
                raise SpecError(
                    f"run(watch=None): the first run used probes with clocks, {before}; give the same watch again"
                )
        snapshots = {path: saved.part("engine", path) for path in self._components} if saved else None
        plan = make_plan(self._components, self._links, self._drives, wanted, self.seed, snapshots)
        if saved is not None:
            saved.restore(plan)
        self._watch, self._plan, self._resumed = wanted, plan, None
        return plan

    @staticmethod
    def _names_of(texts: Sequence[str]) -> list[str]:
        return [text.split(" @ ")[0] for text in texts]

    def _watched(self, item: str | Probe) -> tuple[Component, str, Probe]:
        probe = item if isinstance(item, Probe) else Probe(item)
        if not isinstance(probe.signal, str):
            raise SpecError(
                f"run(watch=...): {item!r} is no name; write the signal's, as in 'q', or Probe('q')"
            )
        if probe.clock is not None and not isinstance(probe.clock, Clock):
            raise SpecError(f"run(watch=...): {probe!r}: the clock is none; write clock=Clock(GHz(1))")
        component, name = find_signal(self._components, probe.signal)
        return component, name, probe

    @staticmethod
    def _watch_text(watched: tuple[Component, str, Probe]) -> str:
        component, name, probe = watched
        return f"{component.name}.{name}" + (f" @ {probe.clock!r}" if probe.clock else "")

    def _topology(self) -> dict[str, Any]:
        return {
            "components": [c.describe() for c in self.components],
            "links": [
                {"source": x.source.path, "target": x.target.path, "latency_fs": x.latency}
                for x in sorted(self._links, key=lambda x: x.name)
            ],
            "drives": [d.describe() for d in sorted(self._drives, key=lambda d: d.port.path)],
        }

    def _identity(self) -> str:
        stimuli = [
            fingerprint_of([(d.port.path, d.given)]) for d in sorted(self._drives, key=lambda d: d.port.path)
        ]
        return _checkpoint.identity_of({**self._topology(), "stimuli": stimuli, "seed": self.seed})

    def _result(self, plan: Plan, window: TimeLike | str, runner: str, report: CheckReport) -> Result:
        traces: dict[str, Trace] = {}
        stats: dict[str, int | float | str] = {}
        parts: list[tuple[str, Any]] = [("until", np.array(plan.now))]
        warnings = list(report.warnings)
        for node in plan.nodes:
            path = node.component.name
            traces |= {trace.name: trace for trace in node.recorder.traces(plan.now)}
            for key, value in node.component.stats(node.engine, plan.now).items():
                stats[f"{path}.{key}"] = value
            warnings += node.component.warnings(node.engine)
            parts += [(f"{path}/{key}", value) for key, value in sorted(node.engine.state().items())]
            parts += [(f"sent/{route.name}", np.array(route.sent)) for route in node.links()]
        for name in sorted(traces):
            parts += [(f"t/{name}", traces[name].t), (f"v/{name}", traces[name].value)]
        manifest = {
            "hwmodel": __version__,
            "versions": {
                "python": platform.python_version(),
                "numpy": np.__version__,
                "platform": platform.platform(),
            },
            "name": self.name,
            "seed": self.seed,
            "until_fs": plan.now,
            "window_fs": "auto" if window == "auto" else to_fs(window),
            "lookahead_fs": None if report.lookahead == NEVER else report.lookahead,
            "runner": runner,
            "windows": plan.windows,
            "watch": [self._watch_text(w) for w in self._watch],
            "warnings": warnings,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **self._topology(),
        }
        return Result(traces, stats, manifest, fingerprint_of(parts))
