"""The pictures of the programme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from hwmodel.report import bar_chart, line_chart, save_chart
from hwmodel.reservoir.stats import allan_factor, fano_factor

from . import overscaling, power, timing
from .boards import Floats
from .plan import Plan
from .programme import Data
from .sessions import Session
from .verdicts import CONFIRMED, REFUTED, Verdict

COLOURS = {CONFIRMED: "#009E73", REFUTED: "#D55E00"}
PALETTE = ("#0072B2", "#D55E00")  # of the first two lines of a chart
MOST_POINTS = 1500
WINDOWS = 12
NULL_CURVES = 60
BEATS_DRAWN = 800


def draw(
    plan: Plan,
    data: Data,
    found: Mapping[str, Verdict],
    folder: Path,
    envelopes: Mapping[int, timing.Envelope],
) -> None:
    """All of them; names begin with the order in the report."""
    verdict_table(found, folder / "01_verdicts")
    power_table(plan, folder / "02_power")
    first = data.sessions[0]
    residuals(plan, first, folder / "03_clock_residuals")
    intervals(plan, first, folder / "04_intervals")
    curves(plan, first, folder / "05_fano_allan")
    envelope_chart(plan, data, envelopes, folder / "06_envelope")
    periodogram(plan, data, folder / "07_periodogram")
    error_curve(data.sessions, folder / "08_errors")
    score_table(found["H5"], folder / "09_scores")


def _table(
    rows: Sequence[Sequence[str]], widths: Sequence[float], path: Path, colours: Sequence[str], title: str
) -> None:
    """A table as a picture: an empty chart with cells."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):
        figure = line_chart({"": ([0.0], [0.0])}, size=(10.5, 0.42 * len(rows) + 0.5), title=title)
        axes = figure.axes[0]
        axes.clear()
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.set_axis_off()
        edges = np.concatenate([[0.0], np.cumsum(widths)]) / sum(widths)
        for r, row in enumerate(rows):
            y = 1 - (r + 0.5) / len(rows)
            if r:
                axes.axhline(1 - r / len(rows), color="#e3e7ec", linewidth=0.8)
            for c, text in enumerate(row):
                colour = colours[r] if c == 1 and colours[r] else "#16202c"
                weight = "bold" if r == 0 or c == 0 or (c == 1 and colours[r]) else "normal"
                axes.text(
                    edges[c], y, text, va="center", ha="left", fontsize=8.5, color=colour, fontweight=weight
                )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
    save_chart(figure, path)


def verdict_table(found: Mapping[str, Verdict], path: Path) -> None:
    """One row a hypothesis."""
    rows, colours = [("", "verdict", "p", "p (Holm)", "gates")], [""]
    for name, v in found.items():
        p, adjusted = ("-" if x is None else "<1e-99" if x < 1e-99 else f"{x:.2g}" for x in (v.p, v.p_holm))
        shut = [g.name for g in v.gates if not g.passed]
        text = "not tested (gate failed)" if shut else v.text
        rows.append(
            (name, text, p, adjusted, f"shut: {', '.join(shut)}" if shut else f"all {len(v.gates)} open")
        )
        colours.append(COLOURS.get(v.verdict, "#7b8794"))
    _table(rows, (0.5, 5.6, 1.1, 1.1, 2.4), path, colours, "Verdicts")


def power_table(plan: Plan, path: Path) -> None:
    """What each hypothesis needs, has, and can find."""
    rows, colours = [("", "unit", "needed", "planned", "found with the promised power")], [""]
    for name, row in power.table(plan).items():
        blind = f"; {row['blind']:.2%} blind" if "blind" in row else ""
        rows.append(
            (
                name,
                row["unit"],
                f"{row['needed']:,}",
                f"{row['planned']:,.0f}",
                f"{row['detects']:.3g} {row['of']}{blind}",
            )
        )
        colours.append("")
    title = f"Power, fixed before data: alpha {plan['alpha']:g} family-wise, power {plan['power']:.0%}"
    _table(rows, (0.5, 2.2, 1.2, 1.2, 5.0), path, colours, title)


def residuals(plan: Plan, session: Session, path: Path) -> None:
    """Residual to the nonce clock against place, at the nominal and at the stressed voltage."""
    lines = {}
    for name, capture in (("nominal", session.nominal), ("even chances", session.grid[0.0])):
        left = timing.residual(plan, capture, session.baud)
        if left is not None:
            chosen = np.sort(np.random.default_rng(1).permutation(len(left.values))[:MOST_POINTS])
            lines[f"{name}: {left.sd:.2f} us"] = (left.place[chosen], left.values[chosen])
    if not lines:
        return
    limit = plan["capture"]["noise_us"] + plan["h0"]["excess_us"]
    figure = line_chart(lines, title="Residual to the nonce clock, one job replayed", xlabel="place in the job, batches of 69 ms",
                        ylabel="residual, us", markers=False)  # fmt: skip
    axes = figure.axes[0]
    for line in axes.lines:
        line.set_linestyle("none")
        line.set_marker(".")
        line.set_markersize(2.5)
    for text in list(axes.texts):
        text.remove()
    for n, name in enumerate(lines):
        axes.text(
            0.01,
            0.97 - 0.07 * n,
            name,
            transform=axes.transAxes,
            color=axes.lines[n].get_color(),
            fontweight="bold",
            va="top",
        )
    for sign in (-1, 1):
        axes.axhline(sign * limit, color="#4a5563", linestyle="--", linewidth=1)
    axes.text(
        1.0,
        limit,
        f" limit of the sd {limit:g} us",
        transform=axes.get_yaxis_transform(),
        fontsize=8,
        ha="right",
        va="bottom",
    )
    save_chart(figure, path)


def intervals(plan: Plan, session: Session, path: Path) -> None:
    """Intervals of fresh jobs beside an exponential and the emulated chain."""
    t = session.fresh["nominal"].times
    gaps = np.diff(t) * 1e3
    rate = len(t) / session.fresh["nominal"].seconds
    null = np.diff(timing.null_session(plan, rate, session.baud, [plan.seed, 3])) * 1e3
    edges = np.linspace(0, 60, 61)
    middle = (edges[1:] + edges[:-1]) / 2
    width = edges[1] - edges[0]
    lines = {
        "chip": (middle, np.histogram(gaps, edges)[0] / len(gaps) / width),
        "chain": (middle, np.histogram(null, edges)[0] / len(null) / width),
        "exponential": (middle, rate * 1e-3 * np.exp(-rate * 1e-3 * middle)),
    }
    figure = line_chart(lines, title=f"Intervals of {len(gaps):,} results against nulls", xlabel="interval, ms",
                        ylabel="density, 1/ms", yscale="log", markers=False)  # fmt: skip
    figure.axes[0].lines[0].set_linewidth(3.5)
    figure.axes[0].lines[0].set_alpha(0.5)
    _legend(figure, lines)
    save_chart(figure, path)


def _legend(figure: Any, lines: Mapping[str, Any]) -> None:
    """Names in a legend instead of at the ends, where lines end together."""
    axes = figure.axes[0]
    for text in list(axes.texts):
        text.remove()
    axes.legend(axes.lines[: len(lines)], list(lines), frameon=False, loc="best")


def curves(plan: Plan, session: Session, path: Path) -> None:
    """Fano and Allan factors against window with the envelope of the chain."""
    capture = session.fresh["stressed"]
    t, rate = np.asarray(capture.times, np.float64), len(capture.t_us) / capture.seconds
    windows = np.geomspace(0.05, min(capture.seconds, plan["h1"]["session_s"]) / 8, WINDOWS)
    nulls = [timing.null_session(plan, rate, session.baud, [plan.seed, 4, n]) for n in range(NULL_CURVES)]
    lines, bands = {}, []
    for name, factor in (("Fano", fano_factor), ("Allan", allan_factor)):
        lines[name] = (windows, np.array([factor(t, w).value for w in windows]))
        table = np.array([[factor(null, w).value for w in windows] for null in nulls])
        logs = np.log(np.maximum(table, 1e-3))
        bands.append((logs.mean(axis=0), logs.std(axis=0, ddof=1)))
    figure = line_chart(lines, title="Fano and Allan factors at the stressed voltage", xlabel="window, s",
                        ylabel="factor (Poisson: 1)", xscale="log", yscale="log")  # fmt: skip
    axes = figure.axes[0]
    for (mean, sd), colour in zip(bands, PALETTE, strict=False):
        low, high = np.exp(mean - 2.576 * sd), np.exp(mean + 2.576 * sd)
        axes.fill_between(windows, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.text(0.01, 0.02, "shaded: 99 % of the emulated chain", transform=axes.transAxes, fontsize=8)
    save_chart(figure, path)


def envelope_chart(plan: Plan, data: Data, envelopes: Mapping[int, timing.Envelope], path: Path) -> None:
    """Every statistic of every session in standard deviations of its envelope."""
    table: dict[str, dict[str, float]] = {}
    for session in data.sessions:
        null = envelopes[session.baud]
        for name in ("nominal", "stressed"):
            row = timing.statistics(plan, np.asarray(session.fresh[name].times, np.float64))
            z = (row - null.mean) / null.sd
            table[f"{session.letter} {name}"] = dict(zip(null.names, z.tolist(), strict=True))
    figure = bar_chart(table, title="Statistics of each session against the emulated chain", size=(9.5, 4.0),
                       ylabel="standard deviations of the envelope")  # fmt: skip
    for sign in (-1, 1):
        figure.axes[0].axhline(sign * 2.576, color="#4a5563", linestyle="--", linewidth=1)
    figure.axes[0].set_ylim(-5, 5)
    save_chart(figure, path)


def periodogram(plan: Plan, data: Data, path: Path) -> None:
    """Summed Rayleigh power over the band with the thresholds of the plan."""
    low, high = plan["h2"]["band_hz"]
    streams = [np.asarray(s.fresh["stressed"].times, np.float64) for s in data.sessions]
    frequencies, summed = timing.scan_power(streams, low, high)
    least = len(summed)
    parts = np.array_split(np.arange(least), min(BEATS_DRAWN, least))
    shown = (np.array([frequencies[p[0]] for p in parts]), np.array([summed[p].max() for p in parts]))
    figure = line_chart({"": shown}, title=f"Rayleigh power of {len(streams)} sessions at the stressed voltage",
                        xlabel="frequency, Hz (highest of neighbouring frequencies)", ylabel="sum of n R^2",
                        markers=False)  # fmt: skip
    axes = figure.axes[0]
    k, level = len(streams), plan.level / power.tests_of_beat(plan)
    for text, value in (("named before", level), ("blind scan", level / least)):
        height = float(chi2.isf(value, 2 * k)) / 2
        axes.axhline(height, color="#4a5563", linestyle="--", linewidth=1)
        axes.text(high, height, f"threshold, {text}", fontsize=8, ha="right", va="bottom")
    axes.axvline(plan["h2"]["frequency_hz"], color="#D55E00", linewidth=1)
    axes.text(
        plan["h2"]["frequency_hz"],
        0.5,
        " 2.4 Hz" if plan["h2"]["frequency_hz"] == 2.4 else "",
        color="#D55E00",
        fontsize=8,
    )
    axes.set_ylim(bottom=0)
    save_chart(figure, path)


def error_curve(sessions: Sequence[Session], path: Path) -> None:
    """Share of wrong results against voltage at both clocks, with the logistic; one session a clock."""
    session = sessions[0]
    lines: dict[str, tuple[Floats, ...]] = {}
    marks = []
    for name, grid in (("485 MHz", session.grid), ("525 MHz", session.other)):
        known = (
            overscaling.known_hits([session.nominal, *session.grid.values()])
            if grid is session.grid
            else (None, None)
        )
        points = [overscaling.point(c, *known) for c in grid.values()]
        clock = f"{next(iter(grid.values())).setpoint.hertz / 1e6:g} MHz" if grid else name
        fit = overscaling.fit_logistic(points)
        v = np.linspace(min(p.volts for p in points) - 0.004, max(p.volts for p in points) + 0.004, 120)
        lines[clock] = (v * 1e3, fit.probability(v))
        marks.append(points)
    figure = line_chart(lines, title="Share of wrong results against voltage", xlabel="core voltage, mV",
                        ylabel="probability of an error", markers=False)  # fmt: skip
    axes = figure.axes[0]
    for n, points in enumerate(marks):
        colour = axes.lines[n].get_color()
        axes.plot(
            [p.volts * 1e3 for p in points], [p.p_invalid for p in points], "o", color=colour, markersize=6
        )
        if points[0].known:
            axes.plot(
                [p.volts * 1e3 for p in points],
                [p.p_missed for p in points],
                "+",
                color="#16202c",
                markersize=11,
            )
    axes.text(
        0.01,
        0.03,
        "dots: invalid results; crosses: known hits missed; lines: logistic",
        transform=axes.transAxes,
        fontsize=8,
    )
    _legend(figure, lines)
    save_chart(figure, path)


def score_table(verdict: Verdict, path: Path) -> None:
    """NRMSE of each chip beside its controls."""
    scores = verdict.figures.get("scores", {})
    if not scores:
        return
    bars = {
        name: {"chip": row["nrmse"], **{control: item["nrmse"] for control, item in row["controls"].items()}}
        for name, row in scores.items()
    }
    figure = bar_chart(bars, title="NARMA-10, error on held-out steps (constant predictor: 1)",
                       ylabel="NRMSE by standard deviation", size=(10.5, 4.4))  # fmt: skip
    axes = figure.axes[0]
    axes.set_xticks(
        axes.get_xticks(), [t.get_text() for t in axes.get_xticklabels()], rotation=30, ha="right"
    )
    for text in axes.texts:
        text.set_fontsize(7)
    save_chart(figure, path)
