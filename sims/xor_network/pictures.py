"""The pictures of the XOR network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwmodel.report import histogram_chart, line_chart, save_chart
from hwmodel.sfq.neuro import Synapse

Array = npt.NDArray[np.float64]

_LEAST = 1e-9  # errors below this are not drawn
_NORMAL_95 = 1.959964


def output_rates(folder: Path, rates: Mapping[str, Array], window: int, threshold: float) -> None:
    """Distribution of the output rate for each input."""
    figure = histogram_chart(
        {f"{label} ({rate.mean():.2f})": rate for label, rate in rates.items()},
        bins=min(window, 64),
        title=f"Output rate in windows of {window} slots, by input a b",
        xlabel="output pulses a slot",
        ylabel="share of windows",
        threshold=threshold,
    )
    save_chart(figure, folder / "output_rates")


def errors(folder: Path, measured: Mapping[int, Mapping[str, float]], predicted: Mapping[int, float]) -> None:
    """Error probability against the window."""
    line = {w: p for w, p in predicted.items() if p > _LEAST}
    seen = {w: e for w, e in measured.items() if e["value"] > 0.0}
    unseen = {w: e["high"] for w, e in measured.items() if e["value"] == 0.0}
    series: dict[str, tuple[list[float], ...]] = {}
    if line:
        series["rate algebra"] = ([float(w) for w in line], list(line.values()))
    if seen:
        spread = [(e["high"] - e["low"]) / (2.0 * _NORMAL_95) for e in seen.values()]
        series["pulses"] = ([float(w) for w in seen], [e["value"] for e in seen.values()], spread)
    if not series:
        series["pulses, 95 % limit"] = ([float(w) for w in unseen], list(unseen.values()))
    figure = line_chart(
        series,
        title="Wrong answers against the length of the window",
        xlabel="window, slots",
        ylabel="error probability of one window",
        xscale="log",
        yscale="log",
    )
    axes = figure.axes[0]
    ticks = sorted({*line, *measured})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    if unseen and (line or seen):
        label = "no wrong window seen: 95 % limit"
        axes.plot(list(unseen), list(unseen.values()), "v", color="#009E73", markersize=7, label=label)
        axes.legend(loc="upper right", frameon=False)
    save_chart(figure, folder / "error_probability")


def firing_curve(folder: Path, synapse: Synapse, currents_ua: Array) -> None:
    """P(fire) against bias current: the simulated points, the fit, and the trained currents."""
    points = synapse.comparator.points
    lowest, highest = synapse.range_ua
    grid = np.linspace(lowest - 1.0, highest + 1.0, 181)
    used = np.unique(currents_ua)
    figure = line_chart(
        {f"{synapse.temperature_k:g} K": (grid, synapse.probability(grid))},
        title=f"P(fire) = Phi((I - {synapse.mu_ua:g} uA) / {synapse.sigma_ua:.3g} uA) of a synapse",
        xlabel="bias current, uA",
        ylabel="P(fire)",
        markers=False,
    )
    axes = figure.axes[0]
    axes.errorbar(
        [point.current_ua for point in points],
        [point.probability for point in points],
        yerr=[point.standard_error for point in points],
        fmt="o",
        markersize=4,
        color="#D55E00",
        capsize=2,
        label=f"JoSIM, {synapse.comparator.temperature.value:g} K, {points[0].pulses} pulses a point",
    )
    axes.plot(
        used, synapse.probability(used), "D", color="#009E73", markersize=9, fillstyle="none", label="trained"
    )
    axes.legend(loc="upper left", frameon=False)
    save_chart(figure, folder / "firing_curve")
