"""What is measured in a session, in the order of the plan: search, replays, fresh jobs, the other clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from hwmodel.reservoir.job import Job

from .boards import Board, Capture, job_of, jobs_of
from .plan import Plan

LETTERS = "ABCDEFGHIJKLMNOP"


@dataclass(frozen=True)
class Labels:
    """Which chip and session stands behind each letter: drawn by the seed, committed to by a hash, opened at the end."""

    key: dict[str, tuple[int, int]]

    @property
    def digest(self) -> str:
        """SHA-256 of the key, which goes into the plan before data."""
        text = ";".join(f"{letter}={chip},{session}" for letter, (chip, session) in sorted(self.key.items()))
        return hashlib.sha256(text.encode()).hexdigest()


def draw_labels(chips: int, sessions: int, seed: int) -> Labels:
    """Letters for all sessions of all chips, in random order."""
    pairs = list(product(range(chips), range(sessions)))
    order = np.random.default_rng([seed, 23]).permutation(len(pairs))
    return Labels({LETTERS[n]: pairs[place] for n, place in enumerate(order)})


@dataclass(frozen=True)
class Session:
    """All captures of one session. grid: by offset from the voltage of even chances, mV; and the same at the other clock."""

    letter: str
    baud: int
    even_v: float
    even_v_other: float
    nominal: Capture
    grid: dict[float, Capture]
    other: dict[float, Capture]
    fresh: dict[str, Capture]

    @property
    def captures(self) -> list[Capture]:
        """All of them."""
        return [self.nominal, *self.grid.values(), *self.other.values(), *self.fresh.values()]


def run_session(plan: Plan, letter: str, make: Callable[[bool], Board]) -> Session:
    """Take all data of one session; `make` gives a board that has just been switched on, with the
    chip's own error counters or without them."""
    points, capture = plan["setpoints"], plan["capture"]
    volts, clock, other = points["voltage"], points["frequency_mhz"], plan["h3"]["frequency_mhz"]
    board = make(True)
    job = job_of(f"replay/{plan.seed}")
    replays, seconds = [job] * int(plan["h0"]["replays"]), plan["h0"]["replay_s"]
    board.set(volts, clock, capture["settle_first_s"])
    nominal = board.capture(replays, seconds)
    even = search(plan, board, clock)
    grid = sweep(plan, board, clock, even, replays, seconds)
    even_other = search(plan, board, other)
    fresh = jobs_of(f"other/{plan.seed}/{letter}", 1)
    turned = sweep(plan, board, other, even_other, fresh, plan["h3"]["capture_s"])
    count = max(1, round(plan["h1"]["session_s"] / plan["h1"]["job_s"]))
    streams = {}
    for name, level in (("nominal", volts), ("stressed", even + 1e-3 * points["stressed_mv"])):
        board = make(False)
        board.set(level, clock, capture["settle_first_s"])
        jobs = jobs_of(f"fresh/{plan.seed}/{letter}/{name}", count)
        streams[name] = board.capture(jobs, plan["h1"]["job_s"])
    return Session(letter, board.baud, even, even_other, nominal, grid, turned, streams)


def search(plan: Plan, board: Board, megahertz: float) -> float:
    """The voltage at which half of the results are wrong, by bisection: a pilot that no verdict uses."""
    low, high = plan["setpoints"]["search_v"]
    board.set(high, megahertz, plan["capture"]["settle_first_s"])
    for step in range(int(plan["setpoints"]["search_steps"])):
        middle = (low + high) / 2
        board.set(middle, megahertz, plan["capture"]["settle_s"])
        found = board.capture(jobs_of(f"search/{plan.seed}/{step}", 1), plan["setpoints"]["search_s"])
        wrong = float(np.mean(~found.valid)) if len(found.valid) else 1.0
        low, high = (middle, high) if wrong > 0.5 else (low, middle)
    return float(low + high) / 2


def sweep(
    plan: Plan, board: Board, megahertz: float, even: float, jobs: list[Job], job_s: float
) -> dict[float, Capture]:
    """A capture at each offset of the grid."""
    found = {}
    for number, offset in enumerate(plan["setpoints"]["offsets_mv"]):
        settle = plan["capture"]["settle_first_s" if number == 0 else "settle_s"]
        board.set(even + 1e-3 * offset, megahertz, settle)
        found[float(offset)] = board.capture(jobs, job_s)
    return found
