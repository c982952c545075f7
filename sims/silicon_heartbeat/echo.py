"""H4: the same input after different histories, judged by equivalence and not by a large p."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import t as student

from .boards import Board, Floats, jobs_of
from .plan import Plan
from .verdicts import Finding

TRIALS_A_BOARD = 8
FEATURES = ("valid", "invalid")


def responses(
    plan: Plan, volts: float, washout_s: float, make: Callable[[int], Board], trials: int, tell: Any = None
) -> Floats:
    """Counts of valid and invalid results after each history, shape (histories, trials, 2).

    Histories take turns, so that a drift meets them alike; the input is one clock, the same jobs for all histories.
    """
    h4, clock = plan["h4"], plan["setpoints"]["frequency_mhz"]
    found = np.zeros((len(h4["histories"]), trials, len(FEATURES)))
    board = None
    for trial in range(trials):
        if board is None or trial % TRIALS_A_BOARD == 0:
            board = make(trial // TRIALS_A_BOARD)
            board.set(volts, clock, plan["capture"]["settle_first_s"])
        for number in np.random.default_rng([plan.seed, 41, trial]).permutation(len(h4["histories"])):
            board.set(volts, clock * h4["histories"][number], h4["history_s"])
            board.set(volts, clock, washout_s)
            # The header differs from trial to trial and from history to history: equal hits would be no evidence.
            jobs = jobs_of(f"echo/{plan.seed}/{trial}/{number}", 1)
            capture = board.capture(jobs, h4["window_s"])
            found[number, trial] = capture.valid.sum(), (~capture.valid).sum()
        if tell is not None:
            tell(trial + 1)
    return found


def equivalence(found: Floats, bound: float) -> tuple[float, float, float]:
    """Two one-sided Welch tests of every pair and feature: largest p, largest difference, and its upper limit of 99 %.

    Parameters:
        found: shape (histories, trials, features).
        bound: largest difference of means that counts as equal.
    """
    worst_p, largest, reach = 0.0, 0.0, 0.0
    for first, second in combinations(range(len(found)), 2):
        for feature in range(found.shape[2]):
            a, b = found[first, :, feature], found[second, :, feature]
            va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
            se, apart = float(np.sqrt(va + vb)), abs(float(a.mean() - b.mean()))
            if se == 0.0:
                worst_p, largest, reach = (
                    max(worst_p, float(apart >= bound)),
                    max(largest, apart),
                    max(reach, apart),
                )
                continue
            dof = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
            worst_p = max(worst_p, float(student.sf((bound - apart) / se, dof)))
            largest, reach = max(largest, apart), max(reach, apart + se * float(student.ppf(0.995, dof)))
    return worst_p, largest, reach


def echo_finding(plan: Plan, by_chip: Mapping[int, Floats], at_once: Mapping[int, Floats]) -> Finding | None:
    """H4: equivalent on every chip (intersection-union); beside it what is left without a washout."""
    if not by_chip:
        return None
    worst, largest, reach, decided, table = 0.0, 0.0, 0.0, True, {}
    for chip, found in by_chip.items():
        mean = float(found.sum(axis=2).mean())
        p, apart, limit = equivalence(found, plan["h4"]["bound"] * mean)
        row: dict[str, Any] = {
            "p": p,
            "difference": apart / mean,
            "difference_limit": limit / mean,
            "mean_count": mean,
        }
        if chip in at_once:
            row["difference_without_washout"] = equivalence(at_once[chip], 1.0)[1] / float(
                at_once[chip].sum(axis=2).mean()
            )
        table[f"chip {chip}"] = row
        worst, largest, reach = max(worst, p), max(largest, apart / mean), max(reach, limit / mean)
        decided &= p < plan.level or apart / mean > plan["h4"]["bound"]
    figures = {"chips": table, "bound": plan["h4"]["bound"], "difference_limit": reach}
    return Finding(max(worst, 1e-300), largest, "of the count differ by history", figures, {}, decided)
