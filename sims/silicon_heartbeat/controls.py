"""Controls of the machine itself: planted effects must be found as often as promised, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import beta, kstest

from . import echo, overscaling, power, timing
from .boards import Capture, EmulatedBoard, Floats, SetPoint, job_of, jobs_of
from .plan import TESTS, Plan, holm
from .sessions import search, sweep

LEVEL = 0.99
SHARE = 0.3  # of wrong results in the windows of the cheap path
BAUD = 1_000_000
NOMINAL_P = 0.01
UNIFORM = ("H2 scan", "H3 correlation")  # whose p is exact; the others are bounds

Tell = Callable[[float], None]


def binomial(found: int, tried: int) -> dict[str, float | int]:
    """Share with the interval of Clopper and Pearson, 99 %."""
    tail = (1 - LEVEL) / 2
    low = 0.0 if found == 0 else float(beta.ppf(tail, found, tried - found + 1))
    high = 1.0 if found == tried else float(beta.isf(tail, found + 1, tried - found))
    return {"found": found, "of": tried, "share": found / max(tried, 1), "low": low, "high": high}


def with_beat(t: Floats, hertz: float, depth: float, rng: np.random.Generator) -> Floats:
    """Thin a series to a rate of 1 + depth sin(2 pi f t + phase)."""
    share = (1 + depth * np.sin(2 * np.pi * (hertz * t + rng.random()))) / (1 + depth)
    found: Floats = t[rng.random(len(t)) < share]
    return found


def renewal(plan: Plan, rate: float, cv: float, rng: np.random.Generator) -> Floats:
    """A session with gamma intervals of a given CV: really not Poisson."""
    seconds, shape = plan["h1"]["session_s"], 1 / cv**2
    t = np.cumsum(rng.gamma(shape, 1 / (rate * shape), math.ceil(rate * seconds * 1.05) + 100))
    found: Floats = t[t < seconds]
    return found


def clockwork(plan: Plan, sd_us: float, events: int, rng: np.random.Generator) -> Capture:
    """A capture of a perfect nonce clock with Gaussian stamps."""
    runs = max(2, int(plan["h0"]["replays"]))
    seconds, hertz = plan["h0"]["replay_s"], plan["setpoints"]["frequency_mhz"] * 1e6
    run = np.sort(rng.integers(0, runs, events))
    since = rng.uniform(0, seconds, events)
    order = np.lexsort((since, run))
    since = since[order]
    starts = (np.arange(runs) * seconds * 1e6).astype(np.int64)
    t_us = np.floor(starts[run] + since * 1e6 + rng.normal(0, sd_us, events)).astype(np.int64)
    point = SetPoint(1.2, 1.2, hertz, hertz, None)
    # Frames far apart in the list: nothing waits in this line.
    return Capture(point, t_us, run, since * hertz / 2**25, np.ones(events, np.bool_), np.arange(events), starts,
                   seconds * runs, seconds, None, plan.digest)  # fmt: skip


def windows(plan: Plan, count: int, cv: float, rng: np.random.Generator) -> overscaling.Togetherness:
    """Errors of many windows whose probability varies from one to the next."""
    total = rng.poisson(power.RATE * plan["h3"]["window_s"], count)
    chance = np.clip(SHARE * (1 + cv * rng.choice([-1.0, 1.0], count)), 0, 1)
    wrong = rng.binomial(total, chance)
    share = wrong.sum() / total.sum()
    kept = total > 0
    wrong, total = wrong[kept], total[kept]
    square = float(np.sum((wrong - total * share) ** 2 / (total * share * (1 - share))))
    weight = float(np.sum((total - 1) * share / (1 - share)))
    return overscaling.together(square, len(total) - 1, weight, plan.level)


def positive(plan: Plan, null: timing.Envelope, tell: Tell) -> dict[str, Any]:
    """Planted effects at the depth that the power table promises to find; how often they were found."""
    seeds, needs = int(plan["controls"]["positive_seeds"]), power.table(plan)
    sessions, rate = plan["chips"] * plan["sessions"], power.RATE
    every, hertz = rate * plan["h1"]["session_s"] * sessions, plan["h2"]["frequency_hz"]
    depth = power.beat_depth(plan, every)
    level = plan.level / power.tests_of_beat(plan)
    excess = plan["capture"]["noise_us"] + plan["h0"]["excess_us"] + needs["H0"]["detects"]
    events, cells = round(needs["H0"]["planned"]), correlation_windows(plan)
    spread = correlation_depth(plan)
    hits = {"heartbeat": 0, "jitter": 0, "intervals": 0, "correlated errors": 0}
    for seed in range(seeds):
        rng = np.random.default_rng([plan.seed, 61, seed])
        streams = []
        for number in range(sessions):
            # Drawn at the rate that thinning brings down to that of the plan.
            t = timing.null_session(plan, rate * (1 + depth), 0, [plan.seed, 62, seed, number])
            streams.append(with_beat(t, hertz, depth, rng))
        hits["heartbeat"] += timing.beat(plan, streams, scan=False).p < level
        left = timing.residual(plan, clockwork(plan, math.sqrt(excess**2 - 1 / 12), events, rng), 10**9)
        hits["jitter"] += (
            left is not None and left.low > plan["capture"]["noise_us"] + plan["h0"]["excess_us"]
        )
        row = timing.statistics(plan, renewal(plan, rate, plan["controls"]["gamma_cv"], rng))
        hits["intervals"] += null.p(row) < plan.level / 2
        hits["correlated errors"] += windows(plan, cells, spread, rng).p < plan.level
        tell(seed + 1)
    promised = {
        "heartbeat": (depth, "depth at 2.4 Hz"), "jitter": (excess, "us of residual"),
        "intervals": (plan["controls"]["gamma_cv"], "CV of gamma intervals"),
        "correlated errors": (spread, "CV of P from window to window"),
    }  # fmt: skip
    return {
        name: {**binomial(count, seeds), "planted": promised[name][0], "what": promised[name][1],
               "promised": plan["power"]} | {"kept": binomial(count, seeds)["high"] >= plan["power"]}
        for name, count in hits.items()
    }  # fmt: skip


def correlation_windows(plan: Plan) -> int:
    """Windows with some and not all results wrong that the grid gives, taken as half of its voltages."""
    grid = len(plan["setpoints"]["offsets_mv"]) / 2
    return max(8, int(grid * plan["h0"]["replays"] * plan["h0"]["replay_s"] / plan["h3"]["window_s"]))


def correlation_depth(plan: Plan) -> float:
    """CV of P that the dispersion test finds with the promised power, in the cheap path's windows."""
    from scipy.optimize import brentq
    from scipy.stats import chi2

    cells, each = correlation_windows(plan), power.RATE * plan["h3"]["window_s"]
    gain = each * SHARE / (1 - SHARE)
    threshold = float(chi2.isf(plan.level, cells - 1))

    def miss(cv: float) -> float:
        # Two values of P: the square is scaled by the variance that they add, with its own spread beside it.
        return float(chi2.cdf(threshold / (1 + gain * cv**2), cells - 1)) - (1 - float(plan["power"]))

    return float(brentq(miss, 1e-4, 1.0 / SHARE - 1))


def negative(plan: Plan, null: timing.Envelope, tell: Tell) -> dict[str, Any]:
    """Ideal chips through the same tests: how often any of them says that there is something.

    Each seed is one family: intervals and rhythm of all sessions, independent errors, residuals at the limit, histories
    that differ by the bound. H5 and the logistic of H3 are not in this path: the first takes seconds a chip, the second
    is a claim that is true of the model.
    """
    seeds = int(plan["controls"]["negative_seeds"])
    sessions, rate, limit = (
        plan["chips"] * plan["sessions"],
        power.RATE,
        plan["capture"]["noise_us"] + plan["h0"]["excess_us"],
    )
    cells, window = int(plan["controls"]["false_alarm_windows"]), power.RATE * plan["h4"]["window_s"]
    rows: dict[str, list[float]] = {
        name: [] for name in ("H0", "H1", "H1 one session", "H2", "H2 scan", "H3 correlation", "H4")
    }
    alarms = 0
    for seed in range(seeds):
        rng = np.random.default_rng([plan.seed, 71, seed])
        streams = [timing.null_session(plan, rate, BAUD, [plan.seed, 72, seed, n]) for n in range(sessions)]
        ps = [null.p(timing.statistics(plan, t)) for t in streams]
        found = timing.beat(plan, streams)
        # A residual at the limit and a difference at the bound: the edge of what equivalence must not confirm.
        dof = round(power.table(plan)["H0"]["planned"])
        square = rng.chisquare(dof) / dof * limit**2
        one = {
            "H0": _chi2_cdf(dof * square / limit**2, dof),
            "H1": max(ps),
            "H2": min(1.0, 2 * min(found.p, found.scan_p)),
            "H3 correlation": windows(plan, cells, 0.0, rng).p,
            "H4": echo.equivalence(_histories(plan, window, rng), plan["h4"]["bound"] * window)[0],
        }
        for name, p in {**one, "H1 one session": ps[0], "H2 scan": found.scan_p}.items():
            rows[name].append(p)
        adjusted = holm({test: one.get(test) for test in TESTS})
        alarms += any(p is not None and p < plan["alpha"] for p in adjusted.values())
        tell(seed + 1)
    single = {
        name: {**binomial(sum(p < NOMINAL_P for p in ps), seeds),
               "uniform_p": float(kstest(ps, "uniform").pvalue) if name in UNIFORM else None}
        for name, ps in rows.items()
    }  # fmt: skip
    family = binomial(alarms, seeds)
    return {
        "family": family,
        "alpha": plan["alpha"],
        "at_0.01": single,
        "kept": family["low"] <= plan["alpha"],
    }


def _chi2_cdf(x: float, dof: int) -> float:
    from scipy.stats import chi2

    return float(chi2.cdf(x, dof))


def _histories(plan: Plan, window: float, rng: np.random.Generator) -> Floats:
    """Counts after three histories of which the last differs by the bound."""
    trials, count = int(plan["h4"]["trials"]), len(plan["h4"]["histories"])
    shift = np.zeros((count, 1, 1))
    shift[-1] = plan["h4"]["bound"] * window
    return np.asarray(rng.poisson(window * 0.7, (count, trials, 1)) + shift, np.float64)


def end_to_end(plan: Plan) -> dict[str, dict[str, float | bool]]:
    """The emulated chip with an effect planted into it, through board, line and test; stronger than the power table's."""
    points, clock = plan["setpoints"], plan["setpoints"]["frequency_mhz"]
    count = max(1, round(plan["h1"]["session_s"] / plan["h1"]["job_s"]))
    streams = []
    for chip in range(plan["chips"]):
        for session in range(plan["sessions"]):
            board = EmulatedBoard(plan, chip, session, "heartbeat", registers=False)
            got = board.capture(jobs_of(f"planted/{plan.seed}/{chip}/{session}", count), plan["h1"]["job_s"])
            streams.append(np.asarray(got.times, np.float64))
    rhythm = timing.beat(plan, streams)
    board = EmulatedBoard(plan, 0, 0, "jitter", registers=False)
    replays = [job_of(f"replay/{plan.seed}")] * int(plan["h0"]["replays"])
    left = timing.residual(plan, board.capture(replays, plan["h0"]["replay_s"]), board.baud)
    board = EmulatedBoard(plan, 0, 0, "bursts", registers=False)
    even = search(plan, board, clock)
    board.set(points["voltage"], clock, 0.0)
    grid = sweep(plan, board, clock, even, replays, plan["h0"]["replay_s"])
    known, since = overscaling.known_hits(list(grid.values()))
    errors = overscaling.together(
        *overscaling.togetherness(plan, list(grid.values()), known, since), plan.level
    )
    limit, level = (
        plan["capture"]["noise_us"] + plan["h0"]["excess_us"],
        plan.level / power.tests_of_beat(plan),
    )
    return {
        "heartbeat": {
            "p": rhythm.p,
            "scan_p": rhythm.scan_p,
            "scan_hz": rhythm.scan_hz,
            "found": rhythm.p < level,
        },
        "jitter": {
            "residual_sd_us": left.sd if left else 0.0,
            "found": left is not None and left.low > limit,
        },
        "correlated errors": {"p": errors.p, "cv_of_p": errors.spread, "found": errors.p < plan.level},
    }
