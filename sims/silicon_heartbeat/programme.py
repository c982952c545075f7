"""The programme: data under the plan, gates, findings, verdicts; the same for emulated and for real chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hwmodel.reservoir.tasks import Reservoir, Score
from hwmodel.simulation import RunContext

from . import echo, gates, overscaling, power, timing, use
from .boards import Board, EmulatedBoard, Floats
from .plan import Plan, Registration
from .sessions import Labels, Session, run_session
from .verdicts import Finding, Gate, Verdict, judge


class Source(Protocol):
    """Where boards come from."""

    def board(self, chip: int, session: int, registers: bool) -> Board:
        """A board that has just been switched on."""
        ...

    def reservoirs(self, plan: Plan, volts: Mapping[int, float]) -> tuple[list[Reservoir], Reservoir | None]:
        """Every chip at its voltage as a reservoir, and the ideal one."""
        ...


@dataclass(frozen=True)
class Emulated:
    """Emulated chips, with something planted or broken if wished."""

    plan: Plan
    plant: str = "none"
    fault: str = "none"

    def board(self, chip: int, session: int, registers: bool) -> Board:
        """A board that has just been switched on."""
        return EmulatedBoard(self.plan, chip, session, self.plant, self.fault, registers)

    def reservoirs(self, plan: Plan, volts: Mapping[int, float]) -> tuple[list[Reservoir], Reservoir | None]:
        """Every chip at its voltage as a reservoir, and the ideal one."""
        chips: list[Reservoir] = [
            use.emulated(plan, chip, v, self.plant) for chip, v in sorted(volts.items())
        ]
        return chips, use.emulated(plan, None, plan["setpoints"]["voltage"], "none")


@dataclass(frozen=True)
class Data:
    """All that was measured."""

    sessions: list[Session]
    responses: dict[int, Floats]
    at_once: dict[int, Floats]
    scores: list[Score]
    memories: dict[str, float]


def collect(plan: Plan, source: Source, labels: Labels, context: RunContext) -> Data:
    """Take all data, session by session, in the order of the letters."""
    sessions = []
    with context.progress("sessions", len(labels.key)) as done:
        for number, (letter, (chip, session)) in enumerate(sorted(labels.key.items()), 1):
            sessions.append(run_session(plan, letter, _maker(source, chip, session)))
            done(number)
    volts = _stressed(plan, sessions, labels)
    trials = int(plan["h4"]["trials"])
    responses, at_once = {}, {}
    with context.progress("histories", len(volts) * trials) as done:
        for number, (chip, level) in enumerate(sorted(volts.items())):
            make = _echo_maker(source, chip)

            def tell(n: float, past: int = number * trials) -> None:
                done(past + n)

            responses[chip] = echo.responses(plan, level, plan["h4"]["washout_s"], make, trials, tell)
            few = max(2, trials // 8)
            at_once[chip] = echo.responses(plan, level, plan["h4"]["washout_none_s"], make, few)
    chips, ideal = source.reservoirs(plan, volts)
    with context.progress("scores", len(chips) + 2) as done:
        scores = use.scores(plan, chips, ideal, done)
        memories = {chips[0].name: use.memory(plan, chips[0])}
        done(len(chips) + 1)
        if ideal is not None:
            memories[ideal.name] = use.memory(plan, ideal)
    return Data(sessions, responses, at_once, scores, memories)


def _maker(source: Source, chip: int, session: int) -> Callable[[bool], Board]:
    return lambda registers: source.board(chip, session, registers)


def _echo_maker(source: Source, chip: int) -> Callable[[int], Board]:
    return lambda number: source.board(chip, 100 + 2 * number, False)


def _stressed(plan: Plan, sessions: list[Session], labels: Labels) -> dict[int, float]:
    """The stressed voltage of each chip, from its first session."""
    found: dict[int, float] = {}
    for session in sessions:
        chip, _ = labels.key[session.letter]
        found.setdefault(chip, session.even_v + 1e-3 * plan["setpoints"]["stressed_mv"])
    return found


def all_gates(plan: Plan, data: Data) -> dict[str, list[Gate]]:
    """The gates of every hypothesis."""
    sessions, needs = data.sessions, power.table(plan)
    nominal = [c for s in sessions for c in (s.nominal, s.fresh["nominal"])]
    grids = [c for s in sessions for c in (s.nominal, *s.grid.values(), *s.other.values())]
    fresh = [c for s in sessions for c in s.fresh.values()]
    replays = [c for s in sessions for c in (s.nominal, *s.grid.values())]
    common = [gates.setpoints(plan, [c for s in sessions for c in s.captures]), gates.rehash(plan, nominal)]
    tick = gates.clock(plan, [*nominal, *fresh])
    levels = {name: sum(len(s.fresh[name].t_us) for s in sessions) for name in ("nominal", "stressed")}
    held = [len(data.scores) and int(plan["h5"]["steps"]) // 2]
    return {
        "H0": [*common, tick, gates.events(needs["H0"]["needed"], [int(s.nominal.valid.sum()) for s in sessions]),
               gates.epoch(plan, replays)],
        "H1": [*common, tick, gates.events(needs["H1"]["needed"], [len(c.t_us) for c in fresh]), gates.epoch(plan, fresh)],
        "H2": [*common, tick, gates.events(needs["H2"]["needed"], list(levels.values())), gates.epoch(plan, fresh)],
        "H3": [*common, gates.events(needs["H3"]["needed"], [len(c.t_us) for c in replays]), gates.epoch(plan, grids),
               min((gates.errors(s.grid.values()) for s in sessions), key=lambda gate: gate.value)],
        "H4": [*common, gates.events(needs["H4"]["needed"], [r.shape[1] for r in data.responses.values()], "trials")],
        "H5": [*common, gates.events(needs["H5"]["needed"], held, "held-out steps")],
    }  # fmt: skip


def streams_of(data: Data) -> dict[str, dict[str, Floats]]:
    """Voltage -> letter -> event times of the fresh jobs."""
    return {
        name: {s.letter: np.asarray(s.fresh[name].times, np.float64) for s in data.sessions}
        for name in ("nominal", "stressed")
    }


def envelopes_of(plan: Plan, data: Data, context: RunContext) -> dict[int, timing.Envelope]:
    """The emulated chain's envelope for each baud rate that was used, at the rate that was measured."""
    found: dict[int, timing.Envelope] = {}
    bauds = sorted({s.baud for s in data.sessions})
    with context.progress("envelopes", len(bauds) * plan["h1"]["bootstraps"]) as done:
        for number, baud in enumerate(bauds):
            captures = [s.fresh["nominal"] for s in data.sessions if s.baud == baud]
            rate = float(np.mean([len(c.t_us) / c.seconds for c in captures]))
            past = number * plan["h1"]["bootstraps"]
            found[baud] = timing.envelope(plan, rate, baud, lambda n, past=past: done(past + n))
    return found


def verdicts(
    plan: Plan,
    data: Data,
    labels: Labels,
    registration: Registration,
    envelopes: Mapping[int, timing.Envelope],
) -> dict[str, Verdict]:
    """Check the registration, open the labels, and judge.

    Raises:
        SpecError: the plan is not what it was when the data were taken.
    """
    stamps = {f"{s.letter} {n}": c.stamp for s in data.sessions for n, c in enumerate(s.captures)}
    registration.check(stamps)
    gate = all_gates(plan, data)
    h0 = timing.clock_finding(plan, data.sessions)
    opened = h0 is not None and all(g.passed for g in gate["H0"]) and h0.decided
    holds = None if h0 is None or not opened else h0.p < plan.level and all(h0.conditions.values())
    streams = streams_of(data)
    bauds = {s.letter: s.baud for s in data.sessions}
    findings: dict[str, Finding | None] = {
        "H0": h0,
        "H1": timing.interval_finding(plan, streams, bauds, envelopes, holds),
        "H2": timing.beat_finding(plan, streams),
        "H3": overscaling.error_finding(plan, data.sessions, {k: c for k, (c, _) in labels.key.items()}),
        "H4": echo.echo_finding(plan, data.responses, data.at_once),
        "H5": use.use_finding(plan, data.scores, data.memories),
    }
    return judge(plan, findings, gate)


def verdict_lines(found: Mapping[str, Verdict], plan: Plan) -> list[str]:
    """The table of verdicts, the claims below each."""
    lines = [f"{'':<12}{'p':>9}{'p (Holm)':>10}  verdict"]
    for name, v in found.items():
        p, adjusted = (_shown(x) for x in (v.p, v.p_holm))
        lines.append(f"{name:<12}{p:>9}{adjusted:>10}  {v.text}")
        lines.append(f"{'':<33}{plan[name.lower()]['claim']}")
        together = v.figures.get("H3 correlation")
        if together:
            said = "errors come together" if together["found"] else "errors are independent"
            spread = v.figures["cv_of_p" if together["found"] else "cv_of_p_bound"]
            bound = "is" if together["found"] else "is at most"
            lines.append(
                f"{'  together':<12}{_shown(together['p']):>9}{_shown(together['p_holm']):>10}  {said}: the CV of P from "
                f"window to window {bound} {spread:.2g}"
            )
    return lines


def _shown(p: float | None) -> str:
    return "-" if p is None else "<1e-99" if p < 1e-99 else f"{p:.2g}"


def verdict_metrics(found: Mapping[str, Verdict]) -> dict[str, Any]:
    """For metrics.json."""
    return {name: v.as_dict() for name, v in found.items()}
