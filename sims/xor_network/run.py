"""Train XOR on the rate algebra, run it pulse by pulse, and compare."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError
from hwmodel.kernel import Result, stream_key
from hwmodel.sfq.neuro import (
    FanIn,
    NetworkSpec,
    PulseNetwork,
    RateNetwork,
    Synapse,
    Training,
    comparator,
    train,
)
from hwmodel.simulation import Outcome, RunContext
from hwmodel.units import Time, format_time, to_fs

from . import analysis, pictures
from .analysis import LABELS, WANTED

Array = npt.NDArray[np.float64]
Bits = npt.NDArray[np.bool_]

SHOWN_SLOTS = 8  # slots of each input in the waveforms
SHORT_WINDOWS = (1, 2, 4, 8)  # where errors are frequent enough to be counted
DRAWN_WINDOWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)  # of the predicted curve
RESOLUTIONS_UA = (0.1, 0.5, 1.0, 2.0, 3.0, 5.0)
TEMPERATURES_K = (1.0, 2.0, 4.2, 6.0, 10.0, 20.0)


@dataclass(frozen=True)
class Spec:
    """Parameters; spec.toml says what they mean.

    Raises
    ------
    SpecError
        With the parameter, its value and the remedy.
    """

    window: int
    windows: tuple[int, ...]
    repeats: int
    rate_one: float
    rate_zero: float
    hidden: int
    comparator: str
    temperature_k: float
    resolution_ua: float
    period: Time
    fan_in: FanIn
    restarts: int
    steps: int
    stimulus: str

    def __post_init__(self) -> None:
        if not self.windows or list(self.windows) != sorted(set(self.windows)) or self.windows[0] < 1:
            raise SpecError(
                f"windows={list(self.windows)} must be whole numbers of slots that rise, such as [16, 64]"
            )
        for short, long in itertools.pairwise(self.windows):
            if long % short:
                raise SpecError(
                    f"windows={list(self.windows)}: {short} does not divide {long}; each must divide the next"
                )
        if self.window not in self.windows:
            raise SpecError(f"window={self.window} is not among windows={list(self.windows)}; add it there")
        if self.repeats < 2:
            raise SpecError(f"repeats={self.repeats}: at least 2 runs are needed to see how much they differ")
        if not 0.0 <= self.rate_zero < self.rate_one <= 1.0:
            raise SpecError(
                f"rate_zero={self.rate_zero:g}, rate_one={self.rate_one:g}: rates go from 0 to 1 pulse a slot, and a 1 "
                "must have the higher one"
            )
        if self.stimulus and not Path(self.stimulus).is_file():
            raise SpecError(
                f"stimulus={self.stimulus!r}: no such file; give a CSV or VCD file, or leave it empty"
            )
        for what, count in (("restarts", self.restarts), ("steps", self.steps)):
            if count < 1:
                raise SpecError(f"{what}={count}: at least 1 is needed to train")
        # What the network's parts refuse is refused here, before anything runs.
        self.synapse.grid(self.resolution_ua)
        PulseNetwork(self.network, self.synapse, self.period)

    @property
    def network(self) -> NetworkSpec:
        """Two inputs, a hidden layer, one output."""
        return NetworkSpec((2, self.hidden, 1), fan_in=self.fan_in)

    @property
    def synapse(self) -> Synapse:
        """The firing curve at the temperature of the run."""
        return Synapse(comparator(self.comparator), self.temperature_k)

    def input_rates(self) -> Array:
        """Rates of a and b for the labels 00, 01, 10, 11, shape (4, 2)."""
        return np.array(
            [[self.rate_one if bit == "1" else self.rate_zero for bit in label] for label in LABELS]
        )


@dataclass(frozen=True, eq=False)
class Level:
    """What the pulse level gave.

    Parameters
    ----------
    fired:
        Input label -> whether the output answered each slot, shape (repeats, slots).
    hidden:
        The same for each hidden neuron, mean rate only: neuron -> label -> rate.
    patterns:
        Input label -> probability of the input patterns 00, 10, 01, 11 (a first) in its slots, shape (4,).
    stats:
        Sums of the netlist's figures over all runs.
    slots:
        Slots that were run.
    """

    fired: Mapping[str, Bits]
    hidden: Mapping[str, Mapping[str, float]]
    patterns: Mapping[str, Array]
    stats: Mapping[str, float]
    slots: int


def run(spec: Spec, context: RunContext) -> Outcome:
    """Train, run both levels, compare, draw."""
    algebra = RateNetwork(spec.network, spec.synapse)
    circuit = PulseNetwork(spec.network, spec.synapse, spec.period)
    targets = [[WANTED[label]] for label in LABELS]
    training = train(
        algebra,
        spec.input_rates(),
        targets,
        seed=stream_key(context.seed, "xor_network/training"),
        restarts=spec.restarts,
        steps=spec.steps,
        resolution_ua=spec.resolution_ua,
    )
    level, result = _pulses(spec, context, circuit, training)
    expected = _expected(spec, algebra, training.currents_ua, level)
    threshold = _threshold(expected)
    metrics = _metrics(spec, context, algebra, circuit, training, level, expected, threshold)
    _draw(spec, context, level, expected, threshold, training)
    result.plot(context.out / "waves.svg")
    return Outcome(result, metrics, _summary(spec, circuit, metrics))


def _patterns(spec: Spec, context: RunContext, repeat: int) -> tuple[Bits, list[str]]:
    """Input pulses of one run, shape (slots, 2), and the label of each headline window.

    The four inputs follow each other without a gap: neurons forget at the end of each slot, and the answer to a slot
    comes at a time that is known to the femtosecond.
    """
    if spec.stimulus:
        return _from_file(spec)
    slots = spec.windows[-1]
    random = np.random.default_rng(stream_key(context.seed, f"xor_network/inputs[{repeat}]"))
    drawn = [random.random((slots, 2)) < rates for rates in spec.input_rates()]
    return np.concatenate(drawn), [label for label in LABELS for _ in range(slots // spec.window)]


def _from_file(spec: Spec) -> tuple[Bits, list[str]]:
    """Input pulses from a file: each counts for the slot in which it comes, as behind an input flip-flop."""
    from hwmodel.sfq import read_stimulus

    times = read_stimulus(spec.stimulus, signals=["a", "b"])
    period = to_fs(spec.period)
    index = [np.asarray(times[name], dtype=np.int64) // period for name in ("a", "b")]
    slots = max((int(i.max()) + 1 for i in index if i.size), default=0) // spec.window * spec.window
    if slots == 0:
        raise StimulusError(
            f"{spec.stimulus}: shorter than one window of {spec.window} slots of {format_time(period)}; give a longer "
            "file or a smaller window"
        )
    bits = np.zeros((slots, 2), dtype=np.bool_)
    for column, i in enumerate(index):
        bits[i[i < slots], column] = True
    halfway = 0.5 * (spec.rate_one + spec.rate_zero)
    share = bits.reshape(-1, spec.window, 2).mean(axis=1) > halfway
    return bits, ["".join("1" if bit else "0" for bit in row) for row in share]


def _pulses(
    spec: Spec, context: RunContext, circuit: PulseNetwork, training: Training
) -> tuple[Level, Result]:
    """Run the circuit with many seeds; the result is that of a short run with all the waveforms."""
    hidden = spec.network.neuron_names[0]
    gathered: dict[str, list[Bits]] = {}
    seen: dict[str, list[Bits]] = {}
    rates: dict[str, dict[str, list[float]]] = {name: {} for name in hidden}
    stats: dict[str, float] = {}
    slots = 0
    with context.progress("runs", spec.repeats) as done:
        for repeat in range(spec.repeats):
            bits, labels = _patterns(spec, context, repeat)
            fired, figures = _one_run(circuit, training, bits, context, repeat)
            for key, value in figures.items():
                stats[key] = stats.get(key, 0.0) + value
            slots += len(bits)
            of_slot = np.repeat(labels, spec.window)
            for label in sorted(set(labels)):
                chosen = of_slot == label
                gathered.setdefault(label, []).append(fired["out"][chosen])
                seen.setdefault(label, []).append(bits[chosen])
                for name in hidden:
                    rates[name].setdefault(label, []).append(float(fired[name][chosen].mean()))
            done(repeat + 1)
    shown, _ = _patterns(spec, context, 0)
    if not spec.stimulus:
        shown = np.concatenate(
            [shown[at : at + SHOWN_SLOTS] for at in range(0, len(shown), spec.windows[-1])]
        )
    watch = ["a", "b", "clk"]
    names = [name for row in spec.network.neuron_names for name in row]
    short = circuit.run(
        training.currents_ua,
        shown[: 4 * SHOWN_SLOTS],
        seed=stream_key(context.seed, "xor_network/shown"),
        watch=watch,
        neurons=names,
        runner=context.runner,
        window=context.window,
    )
    level = Level(
        fired={label: np.stack(rows) for label, rows in gathered.items()},
        hidden={name: {label: float(np.mean(r)) for label, r in by.items()} for name, by in rates.items()},
        patterns={label: _shares(np.concatenate(rows), spec, label) for label, rows in seen.items()},
        stats=stats,
        slots=slots,
    )
    return level, short.result


def _one_run(
    circuit: PulseNetwork, training: Training, bits: Bits, context: RunContext, repeat: int
) -> tuple[Mapping[str, Bits], dict[str, float]]:
    names = [name for row in circuit.spec.neuron_names for name in row]
    done = circuit.run(
        training.currents_ua,
        bits,
        seed=stream_key(context.seed, f"xor_network/synapses[{repeat}]"),
        neurons=names,
        runner=context.runner,
        window=context.window,
    )
    wanted = ("pulses", "dynamic_energy_aj", "violations", "pulses_lost")
    return done.fired, {key: float(done.result.stats[f"network.{key}"]) for key in wanted}


def _shares(bits: Bits, spec: Spec, label: str) -> Array:
    """Probability of each input pattern: what was asked for, or for a file what was found in it."""
    if spec.stimulus:
        return np.bincount(bits @ np.array([1, 2]), minlength=4) / len(bits)
    a, b = spec.input_rates()[LABELS.index(label)]
    return np.array([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b])


def _expected(
    spec: Spec, algebra: RateNetwork, currents_ua: Array, level: Level
) -> dict[str, dict[str, float]]:
    """Rates of all neurons by the algebra: neuron -> label -> rate."""
    labels = sorted(level.patterns)
    activity = algebra.rates_of_patterns(currents_ua, np.stack([level.patterns[x] for x in labels]))
    return {
        name: dict(zip(labels, (float(r) for r in rates[:, column]), strict=True))
        for row, rates in zip(spec.network.neuron_names, activity.layers, strict=True)
        for column, name in enumerate(row)
    }


def _threshold(expected: Mapping[str, Mapping[str, float]]) -> float:
    """Halfway between the lowest '1' and the highest '0' of the algebra; half the full rate where one is missing."""
    ones = [rate for label, rate in expected["out"].items() if WANTED[label]]
    zeros = [rate for label, rate in expected["out"].items() if not WANTED[label]]
    return 0.5 * (min(ones) + max(zeros)) if ones and zeros else 0.5


def _metrics(
    spec: Spec,
    context: RunContext,
    algebra: RateNetwork,
    circuit: PulseNetwork,
    training: Training,
    level: Level,
    expected: Mapping[str, Mapping[str, float]],
    threshold: float,
) -> dict[str, Any]:
    random = np.random.default_rng(stream_key(context.seed, "xor_network/bootstrap"))
    measured = {label: analysis.mean_and_sem(fired) for label, fired in level.fired.items()}
    by_window = {
        w: {x: analysis.window_rates(f, w) for x, f in level.fired.items()} for w in _windows(spec, level)
    }
    margins = {w: analysis.margin(rates, random) for w, rates in by_window.items()}
    head = margins[spec.window]
    rate_out = expected["out"]
    return {
        "window": spec.window,
        "levels": {
            "rate": {
                "output_rate": _by_label(rate_out),
                "hidden_rate": {n: _by_label(expected[n]) for n in level.hidden},
            },
            "pulse": {
                "output_rate": _by_label({x: m for x, (m, _) in measured.items()}),
                "sem": _by_label({x: s for x, (_, s) in measured.items()}),
                "hidden_rate": {n: _by_label(r) for n, r in level.hidden.items()},
                "distribution": {
                    str(w): {x: analysis.distribution(r) for x, r in rates.items()}
                    for w, rates in by_window.items()
                },
            },
        },
        "agreement_sigma": _by_label({x: (m - rate_out[x]) / s for x, (m, s) in measured.items()}),
        "margin_percent": head.percent.value if head else None,
        "margin_sigma": head.sigma.value if head and head.sigma else None,
        "margins": {str(w): m.describe() if m else None for w, m in margins.items()},
        "threshold": threshold,
        "error_probability": {
            str(w): {**e, "predicted": analysis.predicted_error(rate_out, w, threshold)}
            for w, e in _errors(spec, level, threshold).items()
        },
        **_cost(spec, circuit, training, level),
        "training": _training(spec, training),
        "margin_percent_by_temperature": _temperatures(spec, training, level),
        "margin_percent_by_resolution_ua": _resolutions(spec, algebra, training, level),
        "spec": {"slots": level.slots, "repeats": spec.repeats, "comparator": spec.comparator},
    }


def _by_label(values: Mapping[str, float]) -> dict[str, float | None]:
    """All four labels; None for one that the stimulus does not have."""
    return {label: values.get(label) for label in LABELS}


def _windows(spec: Spec, level: Level) -> list[int]:
    shortest = min(fired.shape[1] for fired in level.fired.values())
    return [w for w in spec.windows if w <= shortest]


def _errors(spec: Spec, level: Level, threshold: float) -> dict[int, dict[str, float]]:
    short = [w for w in SHORT_WINDOWS if w < spec.windows[0]]
    return {
        w: analysis.error_estimate(
            {x: analysis.window_rates(f, w) for x, f in level.fired.items()}, threshold
        )
        for w in [*short, *_windows(spec, level)]
    }


def _cost(spec: Spec, circuit: PulseNetwork, training: Training, level: Level) -> dict[str, Any]:
    """Junctions, energy and time of one inference, which is one headline window."""
    netlist = circuit.netlist(training.currents_ua)
    period_s = to_fs(spec.period) * 1e-15
    dynamic = level.stats["dynamic_energy_aj"] / level.slots * spec.window
    static = netlist.static_power_w * period_s * spec.window * 1e18
    weights = circuit.weight_power_w(training.currents_ua) * period_s * spec.window * 1e18
    return {
        "jj_count": netlist.jj_count,
        "cells": netlist.structure.cell_counts(),
        "energy_aj_per_inference": dynamic + static + weights,
        "energy_aj": {"dynamic": dynamic, "static": static, "static_weights": weights},
        "static_power_w": netlist.static_power_w + circuit.weight_power_w(training.currents_ua),
        "latency_ps": int(circuit.latency) / 1000,
        "latency_per_inference_ps": (spec.window * to_fs(spec.period) + int(circuit.latency)) / 1000,
        "min_period_ps": circuit.timing.min_period / 1000,
        "pulses_per_slot": level.stats["pulses"] / level.slots,
        "merged_pulses_per_slot": level.stats["pulses_lost"] / level.slots,
    }


def _training(spec: Spec, training: Training) -> dict[str, Any]:
    weights = spec.synapse.probability(training.currents_ua)
    names = spec.network.parameter_names
    return {
        "loss": training.loss,
        "continuous_loss": training.continuous_loss,
        "rounded_loss": training.rounded_loss,
        "retune_moves": training.retune_moves,
        "restarts": spec.restarts,
        "steps": spec.steps,
        "best_restart": training.best_restart,
        "restart_losses": [float(loss) for loss in training.restart_losses],
        "resolution_ua": spec.resolution_ua,
        "at_limit": training.at_limit,
        "currents_ua": {n: float(i) for n, i in zip(names, training.currents_ua, strict=True)},
        "weights": {n: float(w) for n, w in zip(names, weights, strict=True)},
    }


def _margin_of_rates(spec: Spec, algebra: RateNetwork, currents_ua: Array, level: Level) -> float | None:
    """Margin in per cent by the algebra; None where the stimulus lacks a class."""
    out = _expected(spec, algebra, currents_ua, level)["out"]
    ones = [rate for label, rate in out.items() if WANTED[label]]
    zeros = [rate for label, rate in out.items() if not WANTED[label]]
    return 100.0 * (min(ones) - max(zeros)) if ones and zeros else None


def _temperatures(spec: Spec, training: Training, level: Level) -> dict[str, float | None]:
    """What the margin becomes if the trained currents stay and the temperature changes."""
    found: dict[str, float | None] = {}
    for kelvin in TEMPERATURES_K:
        warmer = RateNetwork(spec.network, Synapse(comparator(spec.comparator), kelvin))
        found[f"{kelvin:g}"] = _margin_of_rates(spec, warmer, training.currents_ua, level)
    return found


def _resolutions(
    spec: Spec, algebra: RateNetwork, training: Training, level: Level
) -> dict[str, float | None]:
    """What the margin becomes if the currents found are only rounded, to coarser and coarser grids."""
    found: dict[str, float | None] = {}
    for step in RESOLUTIONS_UA:
        rounded = spec.synapse.setting(training.continuous_ua, step).current_ua
        found[f"{step:g}"] = _margin_of_rates(spec, algebra, rounded, level)
    return found


def _draw(
    spec: Spec,
    context: RunContext,
    level: Level,
    expected: Mapping[str, Mapping[str, float]],
    threshold: float,
    training: Training,
) -> None:
    rates = {label: analysis.window_rates(fired, spec.window) for label, fired in sorted(level.fired.items())}
    pictures.output_rates(context.out, rates, spec.window, threshold)
    found = _errors(spec, level, threshold)
    pictures.errors(
        context.out,
        found,
        {w: analysis.predicted_error(expected["out"], w, threshold) for w in DRAWN_WINDOWS},
    )
    pictures.firing_curve(context.out, spec.synapse, training.currents_ua)


def _summary(spec: Spec, circuit: PulseNetwork, metrics: Mapping[str, Any]) -> list[str]:
    levels = metrics["levels"]
    lines = ["input   rate algebra   pulse by pulse        apart"]
    for label in LABELS:
        rate, pulse = levels["rate"]["output_rate"][label], levels["pulse"]["output_rate"][label]
        if pulse is not None:
            sem, apart = levels["pulse"]["sem"][label], metrics["agreement_sigma"][label]
            lines.append(f"{label:>5}   {rate:12.4f}   {pulse:.4f} +- {sem:.4f}   {apart:+5.1f} sigma")
    head = metrics["margins"][str(spec.window)]
    if head:
        percent, sigma = head["percent"], head["sigma"]
        spread = f", {sigma['value']:.1f} sigma ({sigma['low']:.1f} to {sigma['high']:.1f})" if sigma else ""
        lines.append(
            f"margin    {percent['value']:.1f} % of full rate ({percent['low']:.1f} to {percent['high']:.1f}){spread} "
            f"in windows of {spec.window} slots"
        )
    error = metrics["error_probability"][str(spec.window)]
    lines.append(
        f"errors    {error['value']:.2g} of {error['windows']} windows, at most {error['high']:.2g} (95 %)"
    )
    lines.append(
        f"circuit   {metrics['jj_count']} junctions, {metrics['energy_aj_per_inference'] / 1e6:.2f} pJ and "
        f"{metrics['latency_per_inference_ps'] / 1000:.2f} ns an inference; "
        f"{metrics['energy_aj']['dynamic'] / 1e3:.2f} fJ of it switching; latency {circuit.latency!s}"
    )
    return lines
