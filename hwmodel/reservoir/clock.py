"""The nonce clock: a hashing chip reports a nonce when its counter reaches it, so arrival times are a ruler.

arrival = t0 + P (batch + counter / 2^bits) + drift, where batch is the index of the rolled version divided by
the versions that a sweep serves at once, and counter is the low part of the nonce read most significant byte
first. What is left over is the residual: transport, host, and whatever the silicon may add.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir._nonce_clock import Geometry, anchor, design, significance, solve
from hwmodel.reservoir._nonce_records import NonceRecord, read_records, records_of, word32

__all__ = ["ClockFit", "Geometry", "NonceRecord", "analyse_clock", "fit_clock", "read_records"]

BITS = range(16, 33)
"""Widths that are searched."""

MIN_RECORDS = 4
"""A clock has a start and a period: two records always fit, three leave one residual."""

TICK_SD_MS = 10.0 / 12**0.5
"""Rounding to the 10 ms log tick of the firmware; no residual below six of these is called an outlier."""

DOCUMENTED = (25, True)
"""Width and byte order of a chip alone, as ESP-Miner documents the BM1366: nonces logged least significant byte first."""

CLEARLY = 0.8
"""A search keeps the documented width unless another leaves less than this share of its residual; closer ones count as equal."""

SEARCHED = 6
"""Records from which the width is searched: of 34 clocks one is bound to pass near four or five records."""

LATEST_MS = 1e15

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClockFit:
    """A fitted nonce clock; times in ms.

    `residuals_ms` has one entry a record, outliers included; `rms_ms` is over the others, which `kept` marks.
    `leave_one_out_ms` is each record's error when the clock is fitted without it. `p` is the fraction of
    random counters that leave as small an RMS at this width; `p_search` allows for the widths and byte orders
    that were tried (Sidak).
    """

    rms_ms: float
    period_ms: float
    counter_bits: int
    residuals_ms: Floats
    leave_one_out_ms: Floats
    kept: npt.NDArray[np.bool_]
    wraps: npt.NDArray[np.int64]
    starts_ms: dict[str, float]
    drift_per_batch: float
    nonce_swapped: bool
    rms_without_counter_ms: float
    p: float
    p_search: float
    geometry: Geometry

    @property
    def t0_ms(self) -> float:
        """Start of the first run's job."""
        return next(iter(self.starts_ms.values()))

    @property
    def leave_one_out_rms_ms(self) -> float:
        """RMS of the leave-one-out errors, over the records that were kept."""
        return float(np.sqrt(np.mean(self.leave_one_out_ms[self.kept] ** 2)))

    @property
    def epoch_ms(self) -> float:
        """Time after which the versions have wrapped and the same nonces come again."""
        return self.period_ms * self.geometry.batches

    def predict(
        self,
        nonce: int | str,
        version: int | str,
        *,
        after_ms: float = 0.0,
        passes: int = 1,
        run: str | None = None,
    ) -> Floats:
        """Times in ms at which the chip delivers a nonce, from `after_ms` on, one each pass through the versions.

        Raises:
            StimulusError: nonce or version is no 32-bit word, or the run is not among those fitted.
            SpecError: `passes` outside 1 ... 1e6, or `after_ms` beyond 1e15 ms either way.

        Example:
            >>> rows = [{"t_ms": 50 + 80 * (b + b / 16), "nonce": b << 20, "version": b << 16} for b in range(8)]
            >>> clock = fit_clock(rows, counter_bits=24, nonce_swapped=False)
            >>> clock.predict(3 << 20, 3 << 16, passes=2).round(3).tolist()
            [305.0, 655665.0]
        """
        if not 1 <= passes <= 10**6:
            raise SpecError(f"predict: passes={passes} must lie in 1 ... 1000000")
        if not abs(after_ms) <= LATEST_MS:
            raise SpecError(f"predict: after_ms={after_ms} must lie within {LATEST_MS:g} ms of zero")
        if run is not None and run not in self.starts_ms:
            raise StimulusError(f"predict: run '{run}' was not fitted; known: {', '.join(self.starts_ms)}")
        start = self.t0_ms if run is None else self.starts_ms[run]
        words = np.array([[word32(nonce, "nonce")], [word32(version, "version")]])
        place = float(self.geometry.place(words[0], words[1], self.counter_bits, self.nonce_swapped)[0])
        first = max(0, int((after_ms - start) / self.epoch_ms) - 1)
        x = place + self.geometry.batches * np.arange(first, first + passes + 3, dtype=np.float64)
        times = start + self.period_ms * x + self.drift_per_batch * x * x / 2
        return np.asarray(times[times >= after_ms][:passes])

    def as_dict(self) -> dict[str, Any]:
        """The figures under their names in the JSON file."""
        return {
            "rms_ms": self.rms_ms,
            "period_ms": self.period_ms,
            "counter_bits": self.counter_bits,
            "residuals_ms": self.residuals_ms.tolist(),
            "t0_ms": self.t0_ms,
            "starts_ms": self.starts_ms,
            "events": len(self.residuals_ms),
            "outliers": np.flatnonzero(~self.kept).tolist(),
            "wraps": self.wraps.tolist(),
            "epoch_ms": self.epoch_ms,
            "drift_per_batch": self.drift_per_batch,
            "nonce_byte_swapped": self.nonce_swapped,
            "leave_one_out_ms": self.leave_one_out_ms.tolist(),
            "leave_one_out_rms_ms": self.leave_one_out_rms_ms,
            "rms_without_counter_ms": self.rms_without_counter_ms,
            "p": self.p,
            "p_search": self.p_search,
        }


def fit_clock(
    records: Sequence[Any],
    *,
    counter_bits: int | None = None,
    nonce_swapped: bool | None = None,
    drift: bool = False,
    geometry: Geometry | None = None,
    period_range_ms: tuple[float, float] = (10.0, 1000.0),
    draws: int = 20_000,
    seed: int = 0,
) -> ClockFit:
    """Fit arrival = t0 + P (batch + counter / 2^bits) to timed nonces.

    Batches alone fix period, wraps and gross outliers (a record further off than one batch is a host's doing,
    which no counter can mend). Then the width is the one with the smallest residual; where a few records cannot
    tell widths apart, the documented 25 bits stand.

    Parameters:
        records: `NonceRecord`, or mappings with t_ms (or t_us), nonce, version and perhaps run; four or more.
        counter_bits: width of the counter; None searches 16 to 32, or takes 25 for fewer than six records.
        nonce_swapped: whether nonces are logged least significant byte first; None tries both.
        drift: fit a steady change of the period too; needs a record more.
        geometry: how versions make batches; default that of the BM1366.
        period_range_ms: bounds of the period, ms.
        draws: random counters for the significance.
        seed: of those.

    Raises:
        StimulusError: too few records, a malformed one, or no clock of this kind passes near most of them.
        SpecError: a parameter out of range.

    Example:
        >>> rows = [{"t_ms": 50 + 80 * (b + b / 16), "nonce": b << 20, "version": b << 16} for b in range(8)]
        >>> clock = fit_clock(rows, counter_bits=24, nonce_swapped=False)
        >>> round(clock.period_ms, 6), round(clock.rms_ms, 6)
        (80.0, 0.0)
    """
    _check(counter_bits, period_range_ms, draws)
    rows = records_of(records)
    if len(rows) < MIN_RECORDS + drift:
        raise StimulusError(f"fit_clock: {len(rows)} records; a clock needs {MIN_RECORDS + drift} or more")
    log = _Log(rows, geometry or Geometry(), drift, period_range_ms)
    searched = list(BITS) if len(rows) >= SEARCHED + drift else [DOCUMENTED[0]]
    widths = searched if counter_bits is None else [counter_bits]
    orders = [True, False] if nonce_swapped is None else [nonce_swapped]
    return log.fit([(bits, swap) for bits in widths for swap in orders], draws, seed)


class _Log:
    """Records as arrays, with wraps and gross outliers found."""

    def __init__(
        self,
        rows: Sequence[NonceRecord],
        geometry: Geometry,
        drift: bool,
        period_range_ms: tuple[float, float],
    ) -> None:
        self.geometry, self.drift = geometry, drift
        self.times = np.array([row.t_ms for row in rows])
        self.nonces = np.array([row.nonce for row in rows], dtype=np.int64)
        self.versions = np.array([row.version for row in rows], dtype=np.int64)
        self.names = list(dict.fromkeys(row.run for row in rows))
        self.runs = np.array([self.names.index(row.run) for row in rows])
        batches = geometry.batch(self.versions)
        self.wraps, self.kept = anchor(
            self.times, batches, self.runs, self.names, geometry.batches, period_range_ms
        )
        self.turns = geometry.batches * self.wraps
        self.batches = (batches + self.turns).astype(np.float64)

    def matrix(self, choice: tuple[int, bool] | None) -> Floats:
        """The design with a width and byte order of the counter, or without the counter."""
        if choice is None:
            places = self.batches + 0.5
        else:
            places = self.geometry.place(self.nonces, self.versions, *choice) + self.turns
        return design(places, self.runs, len(self.names), self.drift)

    def rms(self, choice: tuple[int, bool] | None) -> float:
        """RMS residual of the records that are kept."""
        left = solve(self.matrix(choice), self.times, self.kept)[1]
        return float(np.sqrt(np.mean(left[self.kept] ** 2)))

    def _chosen(self, choices: Sequence[tuple[int, bool]]) -> tuple[int, bool]:
        """The choice with the least residual; among those that come as near the documented one, or its byte order.

        Bytes read in the wrong order still begin with the counter's top byte, which is all that few records show.
        """
        found = {choice: self.rms(choice) for choice in choices}
        near = [choice for choice in choices if CLEARLY * found[choice] <= min(found.values())]
        if DOCUMENTED in near:
            return DOCUMENTED
        return min(near, key=lambda choice: (choice[1] != DOCUMENTED[1], found[choice]))

    def fit(self, choices: Sequence[tuple[int, bool]], draws: int, seed: int) -> ClockFit:
        """The best of the choices, with everything that is said about it."""
        best = self._chosen(choices)
        matrix = self.matrix(best)
        left = solve(matrix, self.times, self.kept)[1]
        self.kept = _without_outliers(left, self.kept, MIN_RECORDS + self.drift)
        solution, left = solve(matrix, self.times, self.kept)
        rms, kept = self.rms(best), self.kept
        p = significance(self.times[kept], self.batches[kept], self.runs[kept], rms, draws, seed)
        count = len(self.names)
        return ClockFit(
            rms_ms=rms,
            period_ms=float(solution[count]),
            counter_bits=best[0],
            residuals_ms=left,
            leave_one_out_ms=left / (1 - _leverage(matrix, kept)),
            kept=kept,
            wraps=self.wraps,
            starts_ms={name: float(solution[number]) for number, name in enumerate(self.names)},
            drift_per_batch=float(2 * solution[-1]) if self.drift else 0.0,
            nonce_swapped=best[1],
            rms_without_counter_ms=self.rms(None),
            p=p,
            p_search=float(1 - (1 - p) ** len(choices)),
            geometry=self.geometry,
        )


def _check(bits: int | None, period_range_ms: tuple[float, float], draws: int) -> None:
    if bits is not None and bits not in range(1, 33):
        raise SpecError(f"fit_clock: counter_bits={bits} must lie in 1 ... 32")
    low, high = period_range_ms
    if not 0 < low < high < float("inf"):
        raise SpecError(
            f"fit_clock: period_range_ms={period_range_ms} must rise from above zero, such as (10, 1000)"
        )
    if not 1 <= draws <= 10**7:
        raise SpecError(f"fit_clock: draws={draws} must lie in 1 ... 10000000")


def _without_outliers(left: Floats, kept: npt.NDArray[np.bool_], needed: int) -> npt.NDArray[np.bool_]:
    """Leave out what lies beyond six robust standard deviations, at most a fifth of the records."""
    sd = max(1.4826 * float(np.median(np.abs(left[kept]))), TICK_SD_MS)
    again = kept & (np.abs(left) <= 6 * sd)
    return again if again.sum() >= max(needed, 0.8 * kept.sum()) else kept


def _leverage(matrix: Floats, kept: npt.NDArray[np.bool_]) -> Floats:
    """Pull of each record on its own residual; zero for those that were left out."""
    used = matrix[kept] / np.abs(matrix[kept]).max(axis=0)
    leverage = np.zeros(len(kept))
    leverage[kept] = np.einsum("ij,ji->i", used, np.linalg.pinv(used))
    return np.minimum(leverage, 1 - 1e-9)


def analyse_clock(
    path: str | Path,
    *,
    counter_bits: int | None = None,
    drift: bool = False,
    predict: tuple[str, str] | None = None,
    after_ms: float = 0.0,
) -> tuple[dict[str, Any], list[str]]:
    """Fit the clock of a file; returns the figures for JSON and the lines to print.

    Raises:
        StimulusError: as `read_records` and `fit_clock`.
    """
    records = read_records(path)
    fit = fit_clock(records, counter_bits=counter_bits, drift=drift)
    figures = fit.as_dict()
    order = "least" if fit.nonce_swapped else "most"
    lines = [
        f"{len(records)} records, {int((~fit.kept).sum())} outliers, {int(np.ptp(fit.wraps))} wraps between them",
        f"start       {fit.t0_ms:.1f} ms",
        f"period      {fit.period_ms:.4f} ms a batch, {fit.epoch_ms / 1e3:.1f} s until the versions wrap",
        f"counter     {fit.counter_bits} bits; nonces logged {order} significant byte first",
        f"residual    {fit.rms_ms:.2f} ms RMS; {fit.leave_one_out_rms_ms:.2f} ms when each record is left out",
        f"            {fit.rms_without_counter_ms:.2f} ms RMS without the counter",
        f"chance      p = {fit.p:.2g} for random counters, {fit.p_search:.2g} after the search for the width",
        "",
        f"{'record':>6}{'t_ms':>14}{'wraps':>7}{'residual ms':>13}{'left out ms':>13}",
    ]
    for number, record in enumerate(records):
        mark = "" if fit.kept[number] else "  outlier"
        lines.append(
            f"{number + 1:>6}{record.t_ms:>14.1f}{fit.wraps[number]:>7}{fit.residuals_ms[number]:>13.1f}"
            f"{fit.leave_one_out_ms[number]:>13.1f}{mark}"
        )
    if predict is not None:
        passes = max(3, int(fit.wraps.max()) + 3)
        times = fit.predict(*predict, after_ms=after_ms, passes=passes).tolist()
        last = max(record.t_ms for record in records)
        following = float(fit.predict(*predict, after_ms=max(last, after_ms))[0])
        figures["predict"] = {
            "nonce": f"0x{word32(predict[0], 'nonce'):08x}",
            "version": f"0x{word32(predict[1], 'version'):08x}",
            "t_ms": times[0],
            "epoch_ms": fit.epoch_ms,
            "passes_ms": times,
            "after_last_ms": following,
        }
        figures["predicted_ms"] = times[0]
        again = ", ".join(f"{time:.1f}" for time in times[1:])
        lines += [
            "",
            f"predicted   {times[0]:.1f} ms; again at {again} ms (the same job, versions wrapped)",
            f"            first after the last record: {following:.1f} ms",
        ]
    return figures, lines
