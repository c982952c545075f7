"""Register, print the power, take data, judge, control the machine, look at real data, draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodel.errors import SpecError, unknown
from hwmodel.kernel import Result
from hwmodel.simulation import Outcome, RunContext

from . import controls, pictures, power, programme, realdata
from .boards import FAULTS, PLANTS
from .plan import Plan, Registration, read_plan
from .port import open_ports
from .sessions import Labels, draw_labels

LONGEST_S = 8000.0  # what the emulated chip's time line holds
SIZES = {
    "session_s": "h1.session_s", "replays": "h0.replays", "bootstraps": "h1.bootstraps", "trials": "h4.trials",
    "steps": "h5.steps", "positive_seeds": "controls.positive_seeds", "negative_seeds": "controls.negative_seeds",
}  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """Parameters; spec.toml says what they mean.

    Raises:
        SpecError: with the parameter, its value and the remedy.
        UnknownNameError: no such plant or fault.
    """

    plan: str
    registered: str
    port: str
    rail: str
    store: str
    drawn: int
    session_s: float
    replays: int
    bootstraps: int
    trials: int
    steps: int
    positive_seeds: int
    negative_seeds: int
    plant: str
    fault: str
    reference: str

    def __post_init__(self) -> None:
        for name, known in (("plant", PLANTS), ("fault", FAULTS)):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        for name in SIZES:
            if getattr(self, name) < 0:
                raise SpecError(f"{name}={getattr(self, name)}: give a number, or 0 for the plan's")
        if self.session_s and not 30 <= self.session_s <= LONGEST_S:
            raise SpecError(f"session_s={self.session_s:g}: a session takes 30 to {LONGEST_S:g} s")
        if self.drawn < -1:
            raise SpecError(
                f"drawn={self.drawn}: give a seed of 0 or more, or -1 where every header is hashed"
            )
        if not self.port:
            for name in ("rail", "store"):
                if getattr(self, name):
                    raise SpecError(
                        f"{name}={getattr(self, name)!r} without port: emulated chips have none; name the board's --set port=..."
                    )
        if self.port and not self.rail:
            raise SpecError(
                f"port={self.port!r} without rail: voltages that are not read back prove nothing; name the board, such as "
                "--set rail=http://192.0.2.7"
            )
        if self.port and (self.plant != "none" or self.fault != "none"):
            raise SpecError(
                f"plant={self.plant!r}, fault={self.fault!r}: these are for emulated chips, not for a port"
            )
        if self.reference and not Path(self.reference).is_dir():
            raise SpecError(
                f"reference={self.reference!r}: no such folder; leave it empty for HWMODEL_REFERENCE"
            )


def run(spec: Spec, context: RunContext) -> Outcome:
    """Run the programme."""
    draft = read_plan(spec.plan, {}, context.seed, "")
    labels = draw_labels(draft.table["chips"], draft.table["sessions"], context.seed)
    sizes = {place: getattr(spec, name) for name, place in SIZES.items()}
    plan = read_plan(spec.plan, sizes, context.seed, labels.digest)
    registration = Registration(plan, context.out, spec.registered)
    announced = [f"plan        SHA-256 {plan.digest} (preregistration.json)", *power.lines(plan)]
    for line in announced:
        context.say(line)
    return _run(spec, context, plan, labels, registration, announced)


def _run(
    spec: Spec,
    context: RunContext,
    plan: Plan,
    labels: Labels,
    registration: Registration,
    announced: list[str],
) -> Outcome:
    if spec.port:
        store = Path(spec.store) if spec.store else context.out / "events.sqlite"
        with open_ports(plan, spec.port, spec.rail, store, spec.drawn) as ports:
            data = programme.collect(plan, ports, labels, context)
    else:
        data = programme.collect(plan, programme.Emulated(plan, spec.plant, spec.fault), labels, context)
    envelopes = programme.envelopes_of(plan, data, context)
    found = programme.verdicts(plan, data, labels, registration, envelopes)
    null = envelopes[min(envelopes)]
    with context.progress("positive controls", plan["controls"]["positive_seeds"]) as done:
        positive = controls.positive(plan, null, done)
    with context.progress("negative controls", plan["controls"]["negative_seeds"]) as done:
        negative = controls.negative(plan, null, done)
    planted = controls.end_to_end(plan)
    real, real_lines, _ = realdata.analyse(plan, realdata.folder_of(spec.reference))
    pictures.draw(plan, data, found, context.out, envelopes)
    metrics: dict[str, Any] = {
        "plan_sha256": plan.digest,
        "backend": spec.port or "emulated chips",
        "plant": spec.plant,
        "fault": spec.fault,
        "verdicts": programme.verdict_metrics(found),
        "p": {name: v.p for name, v in found.items()},
        "power": power.table(plan),
        "controls": {"positive": positive, "negative": negative, "end_to_end": planted},
        "real_data": real,
        "labels": {letter: f"chip {c}, session {s}" for letter, (c, s) in labels.key.items()},
    }
    summary = [
        *programme.verdict_lines(found, plan),
        "",
        *announced,
        "",
        *control_lines(positive, negative, planted),
        "",
        *real_lines,
    ]
    stats = {f"{s.letter}.events": len(c.t_us) for s in data.sessions for c in [s.nominal]}
    return Outcome(
        Result({}, stats, {"name": "silicon_heartbeat"}, plan.digest[:16]), plain(metrics), summary
    )


def plain(value: Any) -> Any:
    """Figures as JSON has them: what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def control_lines(positive: dict[str, Any], negative: dict[str, Any], planted: dict[str, Any]) -> list[str]:
    """What the controls of the machine said."""
    lines: list[str] = []
    for name, row in positive.items():
        lines.append(
            f"{'planted' if not lines else '':<12}{name:<18}{row['found']:>4} of {row['of']} found ({row['low']:.1%} to "
            f"{row['high']:.1%}, promised {row['promised']:.0%}): {row['planted']:.3g} {row['what']}"
        )
    shown = ", ".join(f"{name} {'found' if row['found'] else 'MISSED'}" for name, row in planted.items())
    lines.append(f"{'end to end':<12}{shown}")
    family = negative["family"]
    lines.append(
        f"{'nothing':<12}{'any false alarm':<18}{family['found']:>4} of {family['of']} families ({family['low']:.2%} to "
        f"{family['high']:.2%}, alpha {negative['alpha']:.0%})"
    )
    return lines
