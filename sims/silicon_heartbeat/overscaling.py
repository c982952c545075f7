"""H3: probability of an error against voltage and clock, seen three ways, and whether errors come together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.stats import chi2, norm

from hwmodel.reservoir.chip import ErrorModel

from .boards import Capture, Floats
from .plan import Plan
from .sessions import Session
from .verdicts import Finding

PARTIAL = (0.02, 0.98)
EDGE_S = 0.1  # at the end of a job: hits that may come or not


@dataclass(frozen=True)
class Point:
    """One voltage: errors by invalid results, by known hits that were missed, and by the chip's own counters."""

    volts: float
    celsius: float | None
    events: int
    invalid: int
    known: int
    missed: int
    register_share: float | None

    @property
    def p_invalid(self) -> float:
        """Share of results that are wrong."""
        return self.invalid / max(self.events, 1)

    @property
    def p_missed(self) -> float:
        """Share of known hits that did not come."""
        return self.missed / self.known if self.known else math.nan


def known_hits(captures: Sequence[Capture]) -> tuple[Any, Floats]:
    """All hits of the replayed job that ever came and re-hash, and when after its start, s."""
    keys = np.concatenate([c.known[c.valid] for c in captures])
    since = np.concatenate([(c.t_us - c.starts_us[c.run])[c.valid] * 1e-6 for c in captures])
    found, first = np.unique(keys, return_index=True)
    return found, since[first]


def point(capture: Capture, known: Any = None, since: Any = None) -> Point:
    """Count one capture; with the known hits also those that were missed, but for the last tenth of a second."""
    wanted = missed = 0
    if known is not None:
        inside = known[since < capture.job_s - EDGE_S]
        wanted = len(inside) * len(capture.starts_us)
        here = np.isin(capture.known[capture.valid], inside)
        missed = wanted - int(here.sum())
    share = None
    if capture.registers is not None and capture.registers[1]:
        share = capture.registers[0] / capture.registers[1]
    s = capture.setpoint
    return Point(s.volts, s.celsius, len(capture.valid), int((~capture.valid).sum()), wanted, missed, share)


@dataclass(frozen=True)
class Logistic:
    """log odds of an error = (even - V) / scale; V. gain: of twice the log likelihood over a constant."""

    even: float
    scale: float
    gain: float

    def probability(self, volts: Floats) -> Floats:
        """Of an error."""
        return np.asarray(1 / (1 + np.exp(np.clip((volts - self.even) / self.scale, -700, 700))))


def fit_logistic(points: Sequence[Point]) -> Logistic:
    """By maximum likelihood."""
    v = np.array([p.volts for p in points])
    n, k = (np.array([getattr(p, name) for p in points], np.float64) for name in ("events", "invalid"))
    centre, width = float(v.mean()), max(float(np.ptp(v)), 1e-6)

    def loss(x: Floats) -> float:
        eta = x[0] + x[1] * (v - centre) / width
        return float(np.sum(n * np.logaddexp(0, eta) - k * eta))

    best = minimize(loss, np.array([0.0, -5.0]), method="BFGS")
    share = k.sum() / n.sum()
    flat = (
        0.0 if share in (0.0, 1.0) else -float(k.sum() * math.log(share) + (n - k).sum() * math.log1p(-share))
    )
    a, b = (float(x) for x in best.x)
    b = b if abs(b) > 1e-9 else -1e-9
    return Logistic(centre - a / b * width, -width / b, 2 * (flat - float(best.fun)))


def predicted_shift(plan: Plan, first: float, cold: float, warm: float) -> float:
    """By how much the voltage of even chances moves with the clock, from slack alone: equal slack at both clocks."""
    model = ErrorModel()
    low, high = plan["setpoints"]["frequency_mhz"] * 1e6, plan["h3"]["frequency_mhz"] * 1e6
    wanted = float(model.slack(low, first, cold))
    return float(brentq(lambda v: float(model.slack(high, v, warm)) - wanted, 0.3, 3.0)) - first


@dataclass(frozen=True)
class Togetherness:
    """Whether errors of a window come together: dispersion of the wrong among the results of each window."""

    square: float
    dof: int
    p: float
    bound: float
    spread: float


def togetherness(
    plan: Plan, captures: Sequence[Capture], known: Any, since: Floats
) -> tuple[float, int, float]:
    """Binomial dispersion of the known hits that were missed in windows, over captures that miss some and not all.

    Conditionally on the known hits each is missed with the same probability, and independently if errors are: the law
    is exact, whatever the job. Returns square, degrees of freedom and weight, which add up over sessions.
    """
    square, dof, weight = 0.0, 0, 0.0
    for capture in captures:
        wrong, total = missed_in_windows(capture, known, since, plan["h3"]["window_s"])
        share = wrong.sum() / max(total.sum(), 1)
        if not PARTIAL[0] <= share <= PARTIAL[1]:
            continue
        kept = total > 0
        wrong, total = wrong[kept], total[kept]
        square += float(np.sum((wrong - total * share) ** 2 / (total * share * (1 - share))))
        dof += len(total) - 1
        weight += float(np.sum((total - 1) * share / (1 - share)))
    return square, dof, weight


def together(square: float, dof: int, weight: float, level: float) -> Togetherness:
    """p and bounds of a dispersion; weight: what a CV of 1 would add to the square."""
    if dof < 2:
        return Togetherness(square, dof, 1.0, math.inf, 0.0)
    high = dof * (square / chi2.ppf(level, dof)) - dof  # of the excess that is compatible with the square
    excess = max(0.0, square - dof)
    return Togetherness(
        square,
        dof,
        max(float(chi2.sf(square, dof)), 1e-300),
        math.sqrt(max(high, 0.0) / weight),
        math.sqrt(excess / weight),
    )


def missed_in_windows(capture: Capture, known: Any, since: Floats, window: float) -> tuple[Floats, Floats]:
    """Known hits that were missed and all known hits, for each window of each replay."""
    whole = int(capture.job_s / window + 1e-9)
    place = (since / window).astype(np.int64)
    inside = (place < whole) & (since < capture.job_s - EDGE_S)
    hits, place = known[inside], place[inside]
    runs = len(capture.starts_us)
    total = np.tile(np.bincount(place, minlength=whole), runs).astype(np.float64)
    if not len(hits):
        return np.zeros(len(total)), total
    at = np.minimum(np.searchsorted(hits, capture.known), len(hits) - 1)
    seen = capture.valid & (hits[at] == capture.known)
    cell = np.unique(capture.run[seen] * len(hits) + at[seen])
    came = np.bincount(cell // len(hits) * whole + place[cell % len(hits)], minlength=len(total))
    return np.maximum(total - came, 0.0), total


def error_finding(plan: Plan, sessions: Sequence[Session], chips: Mapping[str, int]) -> Finding | None:
    """H3: a logistic trend on every chip, missed hits that agree, a shift as slack predicts; and correlation apart."""
    tables: dict[str, Any] = {}
    ps: dict[int, float] = {}
    agree, shifts, sums = True, True, np.zeros(3)
    for session in sessions:
        known, since = known_hits([session.nominal, *session.grid.values()])
        points = [point(c, known, since) for c in (session.nominal, *session.grid.values())]
        other = [point(c) for c in session.other.values()]
        fits = fit_logistic(points[1:]), fit_logistic(other)
        chip = chips[session.letter]
        ps[chip] = min(ps.get(chip, 1.0), float(chi2.sf(max(fits[0].gain, 0.0), 1)) * plan["sessions"])
        falls = fits[0].scale > 0
        fresh = session.fresh["nominal"]
        off = max(
            (
                abs(_apart(p, c.seconds, len(fresh.t_us), fresh.seconds))
                for p, c in zip(points, (session.nominal, *session.grid.values()), strict=True)
                if p.known
            ),
            default=math.inf,
        )
        shift, wanted = fits[1].even - fits[0].even, _wanted(plan, session, fits[0].even)
        agree &= falls and off < plan["h3"]["agreement_sd"]
        shifts &= wanted is None or abs(shift / wanted - 1) < plan["h3"]["shift_tolerance"]
        sums += togetherness(plan, list(session.grid.values()), known, since)
        tables[session.letter] = {
            "even_mv": 1e3 * fits[0].even, "scale_mv": 1e3 * fits[0].scale, "shift_mv": 1e3 * shift,
            "predicted_shift_mv": None if wanted is None else 1e3 * wanted, "missed_against_invalid_sd": off,
            "points": [_row(p) for p in points], "points_other_clock": [_row(p) for p in other],
        }  # fmt: skip
    if not tables:
        return None
    found = together(float(sums[0]), int(sums[1]), float(sums[2]), plan.level)
    rate = float(np.mean([len(s.nominal.valid) / s.nominal.seconds for s in sessions]))
    figures = {
        "sessions": tables,
        "cv_of_p": found.spread,
        "cv_of_p_bound": found.bound,
        "fano_added_bound": rate * plan["h3"]["window_s"] * found.bound**2,
    }
    met = {
        "missed known hits agree with invalid results": agree,
        "the shift with the clock is that of slack": shifts,
    }
    p = max(max(ps.values()), 1e-300)
    return Finding(
        p, found.bound, "of P from window to window", figures, met, True, {"H3 correlation": found.p}
    )


def _apart(p: Point, seconds: float, events: int, over: float) -> float:
    """Invalid results against missed hits, in standard deviations.

    Of a replayed job the known hits are a fixed draw, so the invalid ones are held against the rate of fresh jobs.
    """
    rate = events / over
    share = p.invalid / (rate * seconds)
    variance = p.invalid / (rate * seconds) ** 2 + share**2 / max(events, 1)
    variance += p.p_missed * (1 - p.p_missed) / p.known
    return (share - p.p_missed) / math.sqrt(max(variance, 1e-12))


def _wanted(plan: Plan, session: Session, even: float) -> float | None:
    cold, warm = (
        [c.setpoint.celsius for c in captures.values() if c.setpoint.celsius is not None]
        for captures in (session.grid, session.other)
    )
    if not cold or not warm:
        return None
    return predicted_shift(plan, even, float(np.mean(cold)), float(np.mean(warm)))


def _row(p: Point) -> dict[str, float | int | None]:
    missed = None if math.isnan(p.p_missed) else p.p_missed
    sd = math.sqrt(p.p_invalid * (1 - p.p_invalid) / max(p.events, 1)) * float(norm.ppf(0.995))
    return {
        "volts": p.volts, "events": p.events, "p_invalid": p.p_invalid, "half_width": sd, "p_missed": missed,
        "p_registers": p.register_share, "celsius": p.celsius,
    }  # fmt: skip
