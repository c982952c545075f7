"""Gates, findings and verdicts: a test is judged only where every gate before it is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .plan import HYPOTHESES, TESTS, Plan, holm

CONFIRMED, REFUTED, NOT_TESTED = "confirmed", "refuted", "not tested"


@dataclass(frozen=True)
class Gate:
    """A condition on the data without which a hypothesis is not tested."""

    name: str
    value: float
    limit: float
    passed: bool
    text: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"value": self.value, "limit": self.limit, "passed": self.passed, "text": self.text}


@dataclass(frozen=True)
class Finding:
    """What the analysis of one hypothesis found.

    p: chance of data like these if the hypothesis were wrong. depth: what is excluded beyond it, or how far off it is;
    unit: of the depth, in words. decided: False where neither the claim nor its opposite is shown. conditions: what
    the plan asks for besides a small p, each met or not. further: p of secondary tests, named as in `plan.TESTS`.
    """

    p: float
    depth: float
    unit: str
    figures: Mapping[str, Any]
    conditions: Mapping[str, bool] = field(default_factory=dict)
    decided: bool = True
    further: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The verdict on one hypothesis."""

    hypothesis: str
    verdict: str
    reason: str
    p: float | None
    p_holm: float | None
    depth: float | None
    unit: str
    gates: tuple[Gate, ...]
    figures: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The verdict in one of the three forms that are allowed."""
        if self.verdict == NOT_TESTED:
            return f"{NOT_TESTED} (gate failed: {self.reason})"
        if self.verdict == REFUTED and self.depth is not None:
            return f"{REFUTED} at depth {self.depth:.3g} {self.unit}"
        return self.verdict

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "verdict": self.verdict,
            "text": self.text,
            "reason": self.reason,
            "p": self.p,
            "p_holm": self.p_holm,
            "depth": self.depth,
            "unit": self.unit,
            "gates": {gate.name: gate.as_dict() for gate in self.gates},
            "figures": dict(self.figures),
        }


def judge(
    plan: Plan, findings: Mapping[str, Finding | None], gates: Mapping[str, Sequence[Gate]]
) -> dict[str, Verdict]:
    """One verdict a hypothesis, Holm over all tests of the family; what a gate stops has no p.

    Parameters:
        findings: hypothesis -> what was found; None if nothing could be computed.
        gates: hypothesis -> its gates.
    """
    shut = {name: [gate for gate in gates.get(name, ()) if not gate.passed] for name in HYPOTHESES}
    values: dict[str, float | None] = dict.fromkeys(TESTS)
    for name in HYPOTHESES:
        finding = findings.get(name)
        if finding is not None and not shut[name]:
            values[name] = finding.p
            values.update(finding.further)
    adjusted = holm(values)
    return {
        name: _verdict(
            name, findings.get(name), shut[name], tuple(gates.get(name, ())), plan, adjusted, values
        )
        for name in HYPOTHESES
    }


def _verdict(
    name: str, finding: Finding | None, shut: Sequence[Gate], gates: tuple[Gate, ...], plan: Plan,
    adjusted: Mapping[str, float | None], values: Mapping[str, float | None],
) -> Verdict:  # fmt: skip
    figures = dict(finding.figures) if finding else {}
    if shut or finding is None:
        reason = "; ".join(gate.text for gate in shut) or "no data"
        return Verdict(name, NOT_TESTED, reason, None, None, None, "", gates, figures)
    for test in finding.further:
        p = adjusted[test]
        figures[test] = {"p": values[test], "p_holm": p, "found": p is not None and p < plan["alpha"]}
    p_holm = adjusted[name]
    unmet = [text for text, met in finding.conditions.items() if not met]
    if p_holm is not None and p_holm < plan["alpha"] and not unmet:
        verdict, reason = CONFIRMED, "all conditions met"
    elif not finding.decided:
        verdict, reason = NOT_TESTED, "power: neither the claim nor its opposite is shown"
    else:
        verdict, reason = REFUTED, "; ".join(unmet) or "no effect beyond the depth"
    return Verdict(name, verdict, reason, finding.p, p_holm, finding.depth, finding.unit, gates, figures)
