"""Power before any verdict: what the sizes of the plan can show, and what they need."""

from __future__ import annotations

import math
from typing import Any

from scipy.optimize import brentq
from scipy.stats import chi2, ncx2, norm

from hwmodel.reservoir.stats import events_for_cv

from .plan import Plan

RATE = 101.0  # results a second of a BM1366 at 485 MHz behind mask 1


def beat_noncentrality(level: float, power: float, sessions: int) -> float:
    """At which the summed Rayleigh power of so many sessions passes its threshold with this power."""
    threshold = float(chi2.isf(level, 2 * sessions))
    return float(
        brentq(lambda nc: float(ncx2.sf(threshold, 2 * sessions, nc)) - power, 1e-6, 500 + 20 * threshold)
    )


def tests_of_beat(plan: Plan) -> int:
    """Two voltages, each with the named frequency and the scan."""
    return 4


def beat_events(plan: Plan) -> int:
    """Events at one voltage, over all sessions, for the depth of the plan at the named frequency."""
    sessions = plan["chips"] * plan["sessions"]
    nc = beat_noncentrality(plan.level / tests_of_beat(plan), plan["power"], sessions)
    return math.ceil(2 * nc / float(plan["h2"]["depth"]) ** 2)


def beat_depth(plan: Plan, events: float, trials: int = 1) -> float:
    """Depth that is found with the promised power."""
    sessions = plan["chips"] * plan["sessions"]
    nc = beat_noncentrality(plan.level / tests_of_beat(plan) / trials, plan["power"], sessions)
    return math.sqrt(2 * nc / max(events, 1))


def table(plan: Plan) -> dict[str, dict[str, Any]]:
    """What every hypothesis needs, has by the plan, and can find: for the report and the gates."""
    z = float(norm.isf(plan.level)) + float(norm.ppf(plan["power"]))
    one = RATE * plan["h1"]["session_s"]
    every = one * plan["chips"] * plan["sessions"]
    low, high = plan["h2"]["band_hz"]
    trials = max(1, round((high - low) * plan["h1"]["session_s"]))
    replayed = RATE * plan["h0"]["replays"] * plan["h0"]["replay_s"]
    window = RATE * plan["h4"]["window_s"]
    limit = plan["capture"]["noise_us"] + plan["h0"]["excess_us"]
    # Equivalence is shown with this power where the truth is the capture noise: normal approximation of log sd.
    h0_needed = 0.5 * (z / math.log(limit / plan["capture"]["noise_us"])) ** 2
    half = float(norm.isf(plan.level)) + float(norm.isf((1 - plan["power"]) / 2))
    trials_needed = math.ceil(2 * half**2 / (plan["h4"]["bound"] ** 2 * window))
    held = plan["h5"]["steps"] / 2
    return {
        "H0": {"unit": "events a voltage", "needed": math.ceil(h0_needed), "planned": replayed,
               "detects": limit * math.exp(z / math.sqrt(2 * max(replayed, 1))) - limit, "of": "us above the limit"},
        "H1": {"unit": "events a session", "needed": plan["h1"]["min_events"], "planned": one,
               "detects": z / math.sqrt(one), "of": "|CV - 1|", "for_0.01_at_95/80": events_for_cv(0.01)},
        "H2": {"unit": "events a voltage", "needed": beat_events(plan), "planned": every,
               "detects": beat_depth(plan, every), "blind": beat_depth(plan, every, trials), "of": "of the rate"},
        "H3": {"unit": "events a voltage", "needed": plan["h3"]["min_events"], "planned": replayed,
               "detects": z * math.sqrt(0.25 / replayed), "of": "of P"},
        "H4": {"unit": "trials a history", "needed": trials_needed, "planned": plan["h4"]["trials"],
               "detects": half * math.sqrt(2 / (window * max(plan["h4"]["trials"], 1))), "of": "of the count"},
        "H5": {"unit": "held-out steps", "needed": 500, "planned": held, "detects": z * math.sqrt(2 / held),
               "of": "of the target's variance, errors taken as normal"},
    }  # fmt: skip


def lines(plan: Plan) -> list[str]:
    """The table as text, to be printed before any verdict."""
    found = [
        f"power       alpha {plan['alpha']:g} family-wise, a single test {plan.level:.2g}; power {plan['power']:.0%}",
        f"{'':<12}{'':<4}{'needed':>12}{'planned':>12}   what is found with that power",
    ]
    for name, row in table(plan).items():
        blind = f"; {row['blind']:.2%} in the blind scan" if "blind" in row else ""
        found.append(
            f"{'':<12}{name:<4}{row['needed']:>12,}{row['planned']:>12,.0f}   {row['detects']:.3g} {row['of']}"
            f"{blind} ({row['unit']})"
        )
    return found
