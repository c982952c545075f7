"""A share log put through statistics and ladder, with the power before the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwmodel.reservoir.null._ladder import Ladder, explain
from hwmodel.reservoir.shares import ShareLog
from hwmodel.reservoir.stats import (
    Estimate,
    allan_curve,
    cv,
    cv2,
    fano_curve,
    isi_entropy,
    ks_exponential,
    ljung_box,
    power_lines,
)
from hwmodel.reservoir.stats import lv as local_variation

__all__ = ["ShareAnalysis", "analyse_shares"]

WINDOWS = (1.0, 10.0, 100.0, 1000.0)
LEAST = 100
FEWEST = 10


@dataclass(frozen=True)
class ShareAnalysis:
    """What a share log says: counts, statistics beside the Poisson null, and the ladder.

    `ladder` is None, and `statistics` empty, where there are too few shares for them.
    """

    log: ShareLog
    statistics: dict[str, Estimate]
    unique: dict[str, Estimate]
    fano: dict[float, Estimate]
    allan: dict[float, Estimate]
    ladder: Ladder | None

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON; `fano` is that of the shortest window in which two events are expected."""
        log, ladder = self.log, self.ladder
        mismatched = int(np.count_nonzero(_mislabelled(log)))
        shown = {name: one.as_dict() for name, one in self.statistics.items()}
        return {
            "events": len(log),
            "valid": int(np.count_nonzero(log.valid)),
            "invalid": log.count("invalid"),
            "duplicates": log.count("duplicate"),
            "word_order": log.swapped,
            "difficulty_disagrees": mismatched,
            "mean_interval_s": float(log.intervals.mean()) if len(log) > 1 else None,
            "cv": shown["cv"]["value"] if shown else None,
            "lv": shown["lv"]["value"] if shown else None,
            "fano": next(iter(self.fano.values())).value if self.fano else None,
            "fano_window_s": next(iter(self.fano), None),
            "statistics": shown,
            "without_duplicates": {name: one.as_dict() for name, one in self.unique.items()},
            "fano_curve": {f"{window:g}": one.as_dict() for window, one in self.fano.items()},
            "allan_curve": {f"{window:g}": one.as_dict() for window, one in self.allan.items()},
            "ladder": ladder.as_dict() if ladder else {},
            "explained_by": ladder.explained_by if ladder else None,
            "alpha": ladder.alpha if ladder else None,
            "replicates": ladder.replicates if ladder else None,
        }

    def lines(self) -> list[str]:
        """The report as printed: what was read, what could be seen at all, what was seen, what explains it."""
        log, ladder = self.log, self.ladder
        span = float(log.times[-1] - log.times[0])
        lines = [
            f"{len(log)} shares in {span:.1f} s; headers {log.swapped}",
            f"            {np.count_nonzero(log.valid)} re-hash, {log.count('duplicate')} of them duplicates",
            f"            {log.count('invalid')} invalid",
        ]
        if (wrong := int(np.count_nonzero(_mislabelled(log)))) > 0:
            lines.append(f"            {wrong} logged difficulties differ from the header's own")
        bad = log.lines[log.label == 1]
        if len(bad):
            lines.append(
                f"            invalid at lines {', '.join(map(str, bad[:10]))}{' ...' if len(bad) > 10 else ''}"
            )
        lines += ["", *power_lines(len(log), span), ""]
        if self.statistics:
            lines.append("statistics beside a Poisson process of the same size:")
        lines += [f"  {name:<18}{one}" for name, one in self.statistics.items()]
        lines += [f"  {f'fano {window:g} s':<18}{one}" for window, one in self.fano.items()]
        lines += [f"  {f'allan {window:g} s':<18}{one}" for window, one in self.allan.items()]
        lines += [f"  {f'{name}, unique':<18}{one}" for name, one in self.unique.items()]
        if ladder is None:
            return [*lines, "", f"verdict: not tested; {len(log)} shares, and the ladder needs {LEAST}"]
        return [*lines, "", *_ladder_lines(ladder)]


def _ladder_lines(ladder: Ladder) -> list[str]:
    lines = [
        f"null ladder over {ladder.events} events, {ladder.replicates} simulations a rung, each rung with all below it;",
        "p: seven statistics at once (Westfall-Young); beside it CV with its own p",
        f"  {'rung':<24}{'p':>8}  {'CV':>6} {'null':>14}{'p':>8}  cause",
    ]
    for rung in ladder.rungs:
        one = rung.statistics["cv"]
        null = f"{one['null_value']:.3f}+-{one['null_sd']:.3f}"
        lines.append(
            f"  {rung.name:<24}{rung.p:>8.4f}  {one['value']:>6.3f} {null:>14}{one['p']:>8.4f}  {rung.cause}"
        )
    if ladder.dead_time is not None and ladder.dead_time.fit is not None:
        lines.append(f"  form of the dead time: KS {ladder.dead_time.fit}, every replicate fitted anew")
    if ladder.explained_by is None:
        lines.append(f"verdict: no rung explains the times at alpha {ladder.alpha:g}")
    else:
        lines.append(
            f"verdict: explained by '{ladder.explained_by}' (not rejected at alpha {ladder.alpha:g})"
        )
    return lines


def _mislabelled(log: ShareLog) -> Any:
    """Rows whose logged difficulty is not that of the header, beyond the rounding of a log."""
    if log.logged is None:
        return np.zeros(len(log), dtype=bool)
    return np.abs(log.logged - log.difficulty) > 0.01 + 1e-3 * log.difficulty


def analyse_shares(
    log: ShareLog, *, replicates: int = 299, seed: int = 0, baud: float | None = None
) -> ShareAnalysis:
    """Statistics and null ladder of a share log.

    CV, LV and the curves are over all rows in order of time, repeated ones included, as the pool saw them; CV and
    LV without the duplicates are given too.

    Fewer than 100 shares are counted and described, and the ladder is not climbed.

    Raises:
        StimulusError: all times are equal.
        SpecError: replicates out of range.
    """
    x = log.intervals
    if len(x) < FEWEST:
        return ShareAnalysis(log, {}, {}, {}, {}, None)
    statistics = {
        "cv": cv(x), "cv2": cv2(x), "lv": local_variation(x), "entropy": isi_entropy(x),
        "ks exponential": ks_exponential(x), "ljung-box": ljung_box(x, min(20, len(x) // 4)),
    }  # fmt: skip
    kept = np.diff(log.times[~log.duplicate])
    unique = {"cv": cv(kept), "lv": local_variation(kept)} if log.duplicate.any() and len(kept) >= 10 else {}
    mean = float(x.mean())
    windows = [window for window in WINDOWS if window >= 2 * mean] or [10 * mean]
    ladder = None
    if len(log) >= LEAST:
        ladder = explain(
            log.times, jobs=log.jobs, duplicate=log.duplicate, baud=baud, replicates=replicates, seed=seed
        )
    return ShareAnalysis(
        log, statistics, unique, fano_curve(log.times, windows), allan_curve(log.times, windows), ladder
    )
