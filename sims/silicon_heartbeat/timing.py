"""H0 to H2: residual to the nonce clock, intervals against the emulated chain, and periodicity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import next_fast_len
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2, norm

from hwmodel.reservoir.null import Chain, simulate
from hwmodel.reservoir.stats import cv, lv

from .boards import Capture, Floats
from .plan import Plan
from .sessions import Session
from .verdicts import Finding

BITS_A_BYTE = 10
ALONE = 1.5  # frames of silence before an event that did not wait in the line
LEVEL = 0.99
FEWEST = 50
OVERSAMPLING = 16  # bins a period of the highest frequency of a scan


@dataclass(frozen=True)
class Residual:
    """Residuals to the nonce clock: standard deviation, degrees of freedom, bounds, and the residuals, us."""

    sd: float
    dof: int
    low: float
    high: float
    values: Floats
    place: Floats


def residual(plan: Plan, capture: Capture, baud: int) -> Residual | None:
    """Fit start of each job, period and a linear drift to the valid events that did not wait in the line."""
    frame = plan["capture"]["frame_bytes"] * BITS_A_BYTE / baud * 1e6
    t = capture.t_us.astype(np.float64)
    kept = np.concatenate([[True], np.diff(t) > ALONE * frame]) & capture.valid
    t, run, place = t[kept], capture.run[kept], capture.place[kept]
    jobs, run = np.unique(run, return_inverse=True)
    if len(t) < len(jobs) + 2 + FEWEST:
        return None
    starts = capture.starts_us[jobs][run] * 1e-6
    columns = np.stack([place, place * (starts - starts.mean())], axis=1)
    count = np.bincount(run)
    y = t - t[0]

    def centred(values: Floats) -> Floats:
        found: Floats = values - (np.bincount(run, values) / count)[run]
        return found

    x = np.stack([centred(column) for column in columns.T], axis=1)
    scale = np.abs(x).max(axis=0)
    used = scale > 0
    y = centred(y)
    solution = np.linalg.lstsq(x[:, used] / scale[used], y, rcond=None)[0]
    left = y - (x[:, used] / scale[used]) @ solution
    dof = len(t) - len(jobs) - int(used.sum())
    square = float(left @ left)
    low, high = (math.sqrt(square / chi2.ppf(q, dof)) for q in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    return Residual(math.sqrt(square / dof), dof, low, high, left, place)


def clock_finding(plan: Plan, sessions: Sequence[Session]) -> Finding | None:
    """H0: below noise plus excess at every voltage of every session (intersection-union), and the same hits each time."""
    limit = plan["capture"]["noise_us"] + plan["h0"]["excess_us"]
    table: dict[str, dict[str, float]] = {}
    worst_p, worst_low, worst_sd, same = 0.0, 0.0, 0.0, 1.0
    for session in sessions:
        rows = table[session.letter] = {}
        for name, capture in (
            ("nominal", session.nominal),
            *((f"{o:+g} mV", c) for o, c in session.grid.items()),
        ):
            found = residual(plan, capture, session.baud)
            if found is None:
                continue
            rows[name] = found.sd
            worst_p = max(worst_p, float(chi2.cdf(found.dof * (found.sd / limit) ** 2, found.dof)))
            worst_low, worst_sd = max(worst_low, found.low), max(worst_sd, found.sd)
        same = min(same, same_hits(session.nominal))
    if not any(table.values()):
        return None
    excess = math.sqrt(max(0.0, worst_sd**2 - plan["capture"]["noise_us"] ** 2))
    figures = {"residual_sd_us": table, "largest_sd_us": worst_sd, "limit_us": limit, "same_hits": same}
    met = {"the same hits in every replay": same >= plan["gates"]["rehash_share"]}
    decided = worst_low > limit or worst_p < plan.level
    return Finding(
        max(worst_p, 1e-300), excess, "us of residual beyond the capture noise", figures, met, decided
    )


def same_hits(capture: Capture) -> float:
    """Least share of the hits of all replays that one replay has; the last tenth of a second is left out."""
    inside = (capture.t_us - capture.starts_us[capture.run]) < (capture.job_s - 0.1) * 1e6
    kept = capture.valid & inside
    union = len(np.unique(capture.known[kept]))
    if not union:
        return 0.0
    return min(
        len(np.unique(capture.known[kept & (capture.run == n)])) / union
        for n in range(len(capture.starts_us))
    )


@dataclass(frozen=True)
class Envelope:
    """Statistics of many simulated sessions of one chain: mean, sd and the bounds of 99 %."""

    names: tuple[str, ...]
    rows: Floats

    @property
    def mean(self) -> Floats:
        """Of each statistic."""
        found: Floats = self.rows.mean(axis=0)
        return found

    @property
    def sd(self) -> Floats:
        """Of each statistic."""
        found: Floats = self.rows.std(axis=0, ddof=1)
        return found

    def p(self, row: Floats) -> float:
        """Of the farthest statistic, Bonferroni; the logarithms of the factors are near to normal."""
        z = np.abs(row - self.mean) / self.sd
        return float(min(1.0, len(self.names) * 2 * norm.sf(float(z.max()))))


def statistics(plan: Plan, t: Floats) -> Floats:
    """CV, LV and the logarithms of Fano and Allan factors in the windows of the plan."""
    gaps, windows = np.diff(t), usable(plan)
    table = np.array([factors(t, w) for w in windows]).T if windows else np.zeros((2, 0))
    return np.array([cv(gaps).value, lv(gaps).value, *np.log(np.maximum(table, 1e-6)).ravel()])


def usable(plan: Plan) -> list[float]:
    """Windows of the plan of which a session has five or more."""
    return [float(w) for w in plan["h1"]["windows_s"] if plan["h1"]["session_s"] >= 5.5 * w]


def factors(t: Floats, window: float) -> tuple[float, float]:
    """Fano and Allan factor in one pass over the events; `stats` gives the same, one by one and with nulls."""
    whole = math.floor((t[-1] - t[0]) / window * (1 + 1e-12))
    edges = np.searchsorted(t, t[0] + window * np.arange(whole + 1), side="left")
    counts = np.diff(edges).astype(np.float64)
    mean = float(counts.mean())
    return float(counts.var()) / mean, float(np.mean(np.diff(counts) ** 2)) / (2 * mean)


def names(plan: Plan) -> tuple[str, ...]:
    """Of the statistics, in their order."""
    windows = usable(plan)
    return ("CV", "LV", *(f"{f}({w:g} s)" for f in ("Fano", "Allan") for w in windows))


def chain_of(plan: Plan, rate: float, baud: int) -> Chain:
    """The emulated chain as a null model: hits, the line, and stamps."""
    return Chain(rate, baud=baud, frame_bytes=plan["capture"]["frame_bytes"], tick=1e-6)


def null_session(plan: Plan, rate: float, baud: int, seed: Sequence[int]) -> Floats:
    """Event times of one simulated session of the length of the plan."""
    seconds = plan["h1"]["session_s"]
    wanted = math.ceil(rate * seconds + 6 * math.sqrt(rate * seconds) + 10)
    t = simulate(chain_of(plan, rate, baud), wanted, list(seed))
    return np.asarray(t[t < seconds])


def envelope(plan: Plan, rate: float, baud: int, tell: Any = None) -> Envelope:
    """Parametric bootstrap of the chain."""
    rows = []
    for number in range(int(plan["h1"]["bootstraps"])):
        rows.append(statistics(plan, null_session(plan, rate, baud, [plan.seed, 31, baud, number])))
        if tell is not None:
            tell(number + 1)
    return Envelope(names(plan), np.array(rows))


def interval_finding(
    plan: Plan, streams: Mapping[str, Mapping[str, Floats]], bauds: Mapping[str, int],
    envelopes: Mapping[int, Envelope], clockwork: bool | None,
) -> Finding | None:  # fmt: skip
    """H1: outside of the envelope in every session of every chip, at some voltage, and the residual agrees.

    Parameters:
        streams: voltage -> letter of the session -> event times, s.
        clockwork: whether H0 holds, so that timing is a clock; None if that is not known.
    """
    figures: dict[str, Any] = {}
    smallest, bound = 1.0, 0.0
    for name, by in streams.items():
        ps = {}
        for letter, t in by.items():
            null = envelopes[bauds[letter]]
            row = statistics(plan, t)
            ps[letter] = null.p(row)
            values = dict(zip(null.names, row.tolist(), strict=True))
            figures[f"{name} {letter}"] = {"p": ps[letter], "events": len(t), **values}
            bound = max(bound, abs(row[0] - null.mean[0]) + float(norm.isf(plan.level)) * float(null.sd[0]))
        smallest = min(smallest, max(ps.values(), default=1.0))
    if not figures:
        return None
    p = min(1.0, smallest * len(streams))
    met = {"the residual test agrees": clockwork is False}
    return Finding(p, bound, "of CV", figures, met)


@dataclass(frozen=True)
class Beat:
    """Periodicity over several sessions whose phases are unknown: powers are added."""

    power: float
    p: float
    scan_p: float
    scan_hz: float
    limit: float
    sessions: int


def beat(plan: Plan, streams: Sequence[Floats], scan: bool = True) -> Beat:
    """Rayleigh at the frequency of the plan, and a blind scan of its band."""
    hertz, (low, high) = plan["h2"]["frequency_hz"], plan["h2"]["band_hz"]
    k = len(streams)
    power = math.fsum(_power(t, hertz) for t in streams)
    total = sum(map(len, streams))
    p = float(chi2.sf(2 * power, 2 * k))
    scan_p, scan_hz = 1.0, 0.0
    if scan:
        grid, summed = scan_power(streams, low, high)
        top = int(np.argmax(summed))
        single = float(chi2.sf(2 * float(summed[top]), 2 * k))
        scan_p, scan_hz = float(-np.expm1(len(grid) * np.log1p(-min(single, 1 - 1e-16)))), float(grid[top])
    return Beat(power, p, scan_p, scan_hz, upper_depth(power, k, total, plan.level), k)


def scan_power(streams: Sequence[Floats], low: float, high: float) -> tuple[Floats, Floats]:
    """Frequencies of a band at steps of one over the session, and the Rayleigh power there, summed over sessions.

    All sessions share one grid, so that powers of one frequency are added, and neighbours stay independent.
    """
    seconds = max(float(t[-1]) for t in streams)
    bins = next_fast_len(math.ceil(seconds * high * OVERSAMPLING), real=True)
    grid = np.arange(math.ceil(low * seconds), math.floor(high * seconds) + 1)
    summed = np.zeros(len(grid))
    for t in streams:
        counts = np.bincount(np.minimum((t * (bins / seconds)).astype(np.int64), bins - 1), minlength=bins)
        summed += np.abs(np.fft.rfft(counts.astype(np.float64))[grid]) ** 2 / len(t)
    # Binning takes 1 % of a modulation's power at the upper end. It is not given back: that would raise the noise, which
    # binning leaves as it is, and with it the false alarms.
    return grid / seconds, summed


def _power(t: Floats, hertz: float) -> float:
    phase = 2 * np.pi * np.remainder(t * hertz, 1.0)
    return float(np.cos(phase).sum() ** 2 + np.sin(phase).sum() ** 2) / len(t)


def upper_depth(power: float, sessions: int, total: int, level: float) -> float:
    """Depth that a modulation does not exceed, at 1 - level: 2 power is noncentral chi-square of N m**2 / 2."""

    def excess(nc: float) -> float:
        return float(ncx2.cdf(2 * power, 2 * sessions, nc)) - level

    if excess(1e-9) <= 0:
        return 0.0
    return math.sqrt(2 * float(brentq(excess, 1e-9, 1000 + 20 * power)) / total)


def beat_finding(plan: Plan, streams: Mapping[str, Mapping[str, Floats]]) -> Finding | None:
    """H2: at the named frequency or anywhere in the band, at either voltage; Bonferroni over those."""
    found = {name: beat(plan, list(by.values())) for name, by in streams.items() if by}
    if not found:
        return None
    p = min(1.0, 2 * len(found) * min(min(one.p, one.scan_p) for one in found.values()))
    figures = {
        name: {"rayleigh_power": b.power, "p": b.p, "scan_p": b.scan_p, "scan_hz": b.scan_hz, "depth_limit": b.limit,
               "events": sum(map(len, streams[name].values()))}
        for name, b in found.items()
    }  # fmt: skip
    return Finding(p, max(b.limit for b in found.values()), "of the rate", figures)
