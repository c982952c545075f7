"""The ladder of ordinary causes: each rung adds one to those below, fitted to the data, and is tested against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError, unknown
from hwmodel.reservoir.null._chain import Chain, simulate
from hwmodel.reservoir.null._dead_time import DeadTime, fit_dead_time
from hwmodel.reservoir.null._summaries import NAMES, distance, joint_p, rank_p, summary
from hwmodel.reservoir.stats.inputs import Floats, times_of

__all__ = ["RUNGS", "Ladder", "Rung", "explain"]

RUNGS = (
    "ideal", "jobs", "uart", "host tick", "network batching", "closed-loop dead time", "reboots", "frequency mixing",
)  # fmt: skip

LEAST = 100
MOST = 20_000
"""Events that are compared; more only cost time."""

POOL = 100_000
TRIALS = 8
GAIN = 12.0
"""A cause that is searched on a grid is taken up if it raises twice the log likelihood by this much."""

ALPHA = 0.01
FORM_REPLICATES = 59
MAX_GAPS = 4096


@dataclass(frozen=True)
class Rung:
    """One rung: the chain fitted so far, and how the data stand among its simulations.

    `p` is for the whole family of statistics at once (Westfall-Young); `statistics` has for each name its value, the mean
    and sd of the simulations, and its own p, which is not corrected for there being seven.
    """

    name: str
    cause: str
    chain: Chain
    p: float
    statistics: dict[str, dict[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """The fields for JSON; parameters are those that differ from an ideal chain, times in seconds."""
        idle = asdict(Chain(1.0))
        differs = {name: value for name, value in asdict(self.chain).items() if value != idle[name]}
        for name, needs in (
            ("extra_gaps", None),
            ("duplicate_delay", "duplicates"),
            ("dead_shape", "dead_tail"),
        ):
            if needs is None or not differs.get(needs):
                differs.pop(name, None)
        return {"p": self.p, "cause": self.cause, "parameters": differs, "statistics": self.statistics}


@dataclass(frozen=True)
class Ladder:
    """All rungs, and the lowest that the data do not contradict at `alpha`; None where all are rejected."""

    rungs: tuple[Rung, ...]
    alpha: float
    explained_by: str | None
    events: int
    replicates: int
    dead_time: DeadTime | None

    def as_dict(self) -> dict[str, Any]:
        """Rungs by name."""
        return {rung.name: rung.as_dict() for rung in self.rungs}


@dataclass(frozen=True)
class _Data:
    times: Floats
    scale: float
    firsts: Floats | None
    gaps: Floats
    duplicates: float
    duplicate_delay: float


def explain(
    times: npt.ArrayLike,
    *,
    jobs: npt.ArrayLike | None = None,
    duplicate: npt.ArrayLike | None = None,
    baud: float | None = None,
    replicates: int = 299,
    alpha: float = ALPHA,
    seed: int = 0,
    highest: str = RUNGS[-1],
) -> Ladder:
    """Climb the ladder: which ordinary cause explains the times?

    Every rung keeps what the rungs below found. Jobs: the measured share of duplicates. UART: the baud given. Host
    tick: the coarsest round tick on which all times lie. Closed loop: dead time by maximum likelihood, from the
    first events of consecutive jobs where jobs are known. Stalls, reboots and mixed frequencies are searched on a
    grid and taken up where they help. Rates are free throughout: times are compared in units of their mean interval.
    The parameters are not fitted anew to each simulation, so p is, if anything, too large.

    Parameters:
        times: seconds, not falling; 100 or more. The first 20,000 are compared.
        jobs: number of the job of each event, for the closed loop.
        duplicate: whether each event repeats an earlier one.
        baud: of the serial line.
        replicates: simulations a rung, 99 or more; the smallest p is 1/(replicates + 1).
        alpha: at or below it a rung is rejected.
        seed: of all simulations; results do not depend on anything else.
        highest: the last of `RUNGS` that is climbed; those below it do not depend on it.

    Raises:
        StimulusError: too few events, or jobs and labels that are not one an event.
        UnknownNameError: no such rung.
        SpecError: replicates or alpha out of range.

    Example:
        >>> t = simulate(Chain(rate=12.0, dead=0.016), 1500, seed=5)
        >>> explain(t, replicates=99).explained_by
        'closed-loop dead time'
    """
    if not 99 <= replicates <= 100_000:
        raise SpecError(f"explain: replicates={replicates} must lie in 99 ... 100000")
    if not 1 / (replicates + 1) <= alpha < 1:
        raise SpecError(
            f"explain: alpha={alpha} must lie in {1 / (replicates + 1):.2g} ... 1; take more replicates"
        )
    if highest not in RUNGS:
        raise unknown("rung", highest, RUNGS)
    data = _data(times, jobs, duplicate)
    rungs, found = _climb(data, RUNGS[: RUNGS.index(highest) + 1], baud, replicates, seed)
    best = next((rung.name for rung in rungs if rung.p > alpha), None)
    return Ladder(tuple(rungs), alpha, best, len(data.times), replicates, found)


def _climb(
    data: _Data, names: Sequence[str], baud: float | None, replicates: int, seed: int
) -> tuple[list[Rung], DeadTime | None]:
    """Fit and test the rungs, from the bottom."""
    chain = Chain(rate=1.0)
    rungs: list[Rung] = []
    found: DeadTime | None = None
    for number, name in enumerate(names):
        before = chain
        if name == "closed-loop dead time":
            chain, found = _closed_loop(chain, data, seed)
        else:
            chain = _fitted(name, chain, data, baud, [seed, number])
        if number and chain == before:
            # the same model again: its simulations, and so its p, are those of the rung below
            rungs.append(replace(rungs[-1], name=name, cause="adds nothing"))
            continue
        p, statistics = _test(chain, data.times, replicates, [seed, number])
        cause = _cause(name, before, chain, data.scale)
        rungs.append(Rung(name, cause, _in_seconds(chain, data.scale), p, statistics))
    return rungs, found


def _data(times: npt.ArrayLike, jobs: npt.ArrayLike | None, duplicate: npt.ArrayLike | None) -> _Data:
    t = times_of(times, "explain", LEAST)[:MOST]
    scale = float(t[-1] - t[0]) / (len(t) - 1)
    if scale <= 0:
        raise StimulusError("explain: all times are equal; there is nothing to compare")
    scaled = (t - t[0]) / scale
    firsts, gaps = None, np.zeros(0)
    if jobs is not None:
        numbers = _each(jobs, times, "jobs")[: len(t)]
        new = np.concatenate([[True], numbers[1:] != numbers[:-1]])
        if new.sum() > 20:
            firsts = np.diff(scaled[new])
            start = scaled[new][np.cumsum(new) - 1]
            gaps = (scaled - start)[~new]
    share, delay = 0.0, 0.1
    if duplicate is not None:
        marks = _each(duplicate, times, "duplicate")[: len(t)].astype(bool)
        share = float(marks.sum()) / max(len(t) - int(marks.sum()), 1)
        delay = float(np.diff(scaled, prepend=scaled[0])[marks].mean()) if marks.any() else 0.1
    return _Data(scaled, scale, firsts, gaps, min(share, 1.0), delay)


def _each(values: npt.ArrayLike, times: npt.ArrayLike, what: str) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.shape != np.shape(times):
        raise StimulusError(
            f"explain: {what} has shape {array.shape}, the times {np.shape(times)}; give one each"
        )
    return array


def _fitted(name: str, chain: Chain, data: _Data, baud: float | None, seed: list[int]) -> Chain:
    """The chain with one cause more; the same chain where the cause has nothing to add."""
    if name == "ideal":
        return chain
    if name == "jobs":
        return replace(chain, duplicates=data.duplicates, duplicate_delay=data.duplicate_delay)
    if name == "uart":
        return chain if baud is None else replace(chain, baud=baud * data.scale)
    if name == "host tick":
        tick = _tick(data.times * data.scale) / data.scale
        return replace(chain, tick=tick) if tick > 1e-3 else chain
    # what a lower rung took up for want of a better cause may go again
    bare = replace(chain, stalls=0.0, stall=0.0, reboot_every=0.0, reboot_for=0.0)
    bases = [chain] if bare == chain else [chain, bare]
    return _searched(
        chain, [one for base in bases for one in _grid(name, base, data.times)], data.times, seed
    )


def _tick(times: Floats) -> float:
    """The coarsest of 1, 2, 5 times a power of ten seconds on which all times lie; 0 where none does."""
    since = times - times[0]
    for exponent in range(1, -7, -1):
        for digit in (5, 2, 1):
            tick = digit * 10.0**exponent
            steps = since / tick
            if np.all(np.abs(steps - np.round(steps)) < 1e-3 + 1e-9 * steps) and steps[-1] >= 20:
                return tick
    return 0.0


def _grid(name: str, chain: Chain, times: Floats) -> list[Chain]:
    """Candidates in units of the mean interval."""
    if name == "network batching":
        return [
            replace(chain, stalls=p, stall=s) for p in (0.01, 0.02, 0.05, 0.1) for s in (0.3, 1.0, 3.0, 10.0)
        ]
    if name == "reboots":
        return _absences(chain, times)
    return [
        replace(chain, factors=(1.0 - depth, 1.0 + depth), dwell=dwell)
        for depth in (0.1, 0.25, 0.5)
        for dwell in (20.0, 100.0, 500.0)
    ]


def _absences(chain: Chain, times: Floats) -> list[Chain]:
    """Reboots as the longest gaps tell: how many stand out, how long they are, and how far apart."""
    x = np.sort(np.diff(times))
    found = []
    for count in (2, 3, 5, 8, 12, 20, 50):
        if count >= len(x) // 4:
            break
        running = float(x[:-count].mean())
        if running <= 0:  # stamps on so coarse a tick that most intervals are zero
            break
        away = float(np.median(x[-count:])) / running - 1
        every = float(times[-1]) / running / count
        if 4 < away < 0.9 * every:
            found.append(replace(chain, reboot_every=every, reboot_for=away))
    standing = np.flatnonzero(x > (math.log(len(x)) + 4) * float(np.median(x)) / math.log(2))
    if 2 <= len(standing) < len(x) // 4 and (running := float(x[: standing[0]].mean())) > 0:
        every, away = float(times[-1]) / running / len(standing), float(x[standing].mean()) / running - 1
        if away < 0.9 * every:
            found.append(replace(chain, reboot_every=every, reboot_for=away))
    return found


def _closed_loop(chain: Chain, data: _Data, seed: int) -> tuple[Chain, DeadTime]:
    """Dead time and further hits of the old job; duplicates are among those, and stalls of an open loop go."""
    intervals = np.diff(data.times) if data.firsts is None else data.firsts
    found = fit_dead_time(intervals, FORM_REPLICATES, seed)
    if found.fixed + found.tail < 0.005 * found.wait:
        return chain, found.scaled(data.scale)
    plain = replace(
        chain,
        rate=1 / found.wait,
        dead=found.fixed,
        dead_tail=found.tail,
        dead_shape=found.shape,
        stalls=0.0,
        stall=0.0,
    )
    if len(data.gaps):
        gaps = np.sort(data.gaps)
        gaps = gaps[np.unique(np.linspace(0, len(gaps) - 1, min(len(gaps), MAX_GAPS)).astype(int))]
        share = len(data.gaps) / (len(intervals) + 1)
        plain = replace(plain, duplicates=0.0, extras=share, extra_gaps=tuple(gaps.tolist()))
    trials = [chain, plain]
    far = [_misfit(candidate, data.times, [seed, 99]) for candidate in trials]
    return (plain if far[1] < far[0] - GAIN else chain), found.scaled(data.scale)


def _searched(chain: Chain, candidates: Sequence[Chain], times: Floats, seed: list[int]) -> Chain:
    """The candidate whose simulations come nearest, if it comes nearer than the chain as it is by `GAIN`."""
    plain = _misfit(chain, times, seed)
    if not candidates:
        return chain
    misfits = [_misfit(candidate, times, seed) for candidate in candidates]
    best = int(np.argmin(misfits))
    return candidates[best] if misfits[best] < plain - GAIN else chain


def _misfit(chain: Chain, times: Floats, seed: list[int]) -> float:
    """Minus twice the log likelihood of the summaries: normal, with mean and variance from a few simulations.

    That those are few makes it Student's t. Without the variance's own term a wild chain would fit everything.
    """
    found = np.array([summary(simulate(chain, len(times), [*seed, 7, number])) for number in range(TRIALS)])
    variance = found.var(axis=0, ddof=1) + 1e-12
    z2 = (summary(times) - found.mean(axis=0)) ** 2 / variance
    return float(np.sum(np.log(variance) + TRIALS * np.log1p(z2 * TRIALS / (TRIALS**2 - 1))))


def _test(
    chain: Chain, times: Floats, replicates: int, seed: list[int]
) -> tuple[float, dict[str, dict[str, float]]]:
    """Parametric bootstrap of all statistics at once."""
    n = len(times)
    pools = [np.diff(simulate(chain, n, [*seed, 1, number])) for number in range(max(2, math.ceil(POOL / n)))]
    pool = np.sort(np.concatenate([part / part.mean() for part in pools]))
    table = np.empty((replicates + 1, len(NAMES) + 1))
    for row in range(replicates + 1):
        one = times if row == 0 else simulate(chain, n, [*seed, 2, row])
        table[row, :-1], table[row, -1] = summary(one), distance(one, pool)
    upper = np.array([False] * len(NAMES) + [True])
    p = rank_p(table, upper)
    null = table[1:]
    statistics = {
        name: {
            "value": float(table[0, column]),
            "null_value": float(null[:, column].mean()),
            "null_sd": float(null[:, column].std(ddof=1)),
            "p": float(p[0, column]),
        }
        for column, name in enumerate((*NAMES, "ks"))
    }
    return joint_p(table, upper), statistics


def _in_seconds(chain: Chain, scale: float) -> Chain:
    """A chain in units of the mean interval, told in seconds."""
    times = ("duplicate_delay", "tick", "stall", "dead", "dead_tail", "reboot_every", "reboot_for", "dwell")
    told = {name: getattr(chain, name) * scale for name in times}
    gaps = tuple(gap * scale for gap in chain.extra_gaps)
    return replace(chain, rate=chain.rate / scale, baud=chain.baud / scale, extra_gaps=gaps, **told)


def _cause(name: str, before: Chain, chain: Chain, scale: float) -> str:
    """What a rung adds, in words."""
    if name == "ideal":
        return "Poisson arrivals at the measured rate"
    if chain == before:
        return "adds nothing"
    now = _in_seconds(chain, scale)
    return {
        "jobs": f"{now.duplicates:.1%} of hits reported twice",
        "uart": f"frames of {now.frame_bytes} bytes at {now.baud:.0f} baud",
        "host tick": f"stamps on a tick of {now.tick * 1e3:g} ms",
        "network batching": f"{now.stalls:.0%} of packets held for up to {now.stall * 1e3:.0f} ms",
        "closed-loop dead time": (
            f"no work for {now.dead * 1e3:.1f} ms and a tail of mean {now.dead_tail * 1e3:.1f} ms after a hit, "
            f"{now.rate:.2f} hits/s, {now.extras:.1%} further hits"
        ),
        "reboots": f"away {now.reboot_for:.1f} s in every {now.reboot_every:.1f} s",
        "frequency mixing": f"rate {now.factors[0]:g} and {now.factors[-1]:g}, {now.dwell:.1f} s each"
        if now.factors
        else "",
    }[name]
