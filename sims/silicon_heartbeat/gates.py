"""The gates of the plan: each a figure of the data against a limit, and a sentence for the case that it is shut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .boards import Capture
from .plan import Plan
from .verdicts import Gate

EPOCH_BATCHES = 8192
SOME = 0.05


def setpoints(plan: Plan, captures: Iterable[Capture]) -> Gate:
    """Voltage and clock read back as they were set, at every set point."""
    limits = plan["gates"]
    points = [capture.setpoint for capture in captures]
    # NumPy's: a set point that was not measured is NaN, which Python's max may pass over.
    volts = float(np.max([0.0, *(abs(p.volts - p.volts_asked) * 1e3 for p in points)]))
    clock = float(np.max([0.0, *(abs(p.hertz / p.hertz_asked - 1) for p in points)]))
    worst = float(np.max([volts / limits["voltage_mv"], clock / limits["frequency"]]))
    text = (
        f"set points read back off by up to {volts:.3g} mV and {clock:.2%} "
        f"(limits {limits['voltage_mv']:g} mV, {limits['frequency']:.1%})"
    )
    return Gate("set points", worst, 1.0, bool(worst <= 1.0), text)


def rehash(plan: Plan, captures: Iterable[Capture]) -> Gate:
    """At the nominal voltage the share of events that hash to the mask."""
    valid = np.concatenate([np.zeros(0, np.bool_), *(capture.valid for capture in captures)])
    share, limit = float(np.mean(valid)) if len(valid) else 0.0, plan["gates"]["rehash_share"]
    return Gate(
        "re-hash", share, limit, share >= limit, f"{share:.2%} of events re-hash, {limit:.0%} are needed"
    )


def clock(plan: Plan, captures: Iterable[Capture]) -> Gate:
    """Grain of the stamps, from their greatest common divisor."""
    grain = max((grain_us(capture) for capture in captures), default=np.inf)
    limit = plan["gates"]["tick_us"]
    return Gate(
        "us clock", grain, limit, grain <= limit, f"stamps on a tick of {grain:g} us, {limit:g} us is needed"
    )


def grain_us(capture: Capture) -> float:
    """Greatest common divisor of the steps between stamps, us; infinite for fewer than two."""
    steps = np.diff(capture.t_us)
    return float(np.gcd.reduce(steps)) if len(steps) and steps.any() else float("inf")


def events(needed: float, counts: Sequence[int], what: str = "events") -> Gate:
    """The least of several counts against what the power table asks for."""
    least = min(counts, default=0)
    return Gate(
        "N", least, needed, least >= needed, f"{least:,} {what}, the power table asks for {needed:,.0f}"
    )


def errors(captures: Iterable[Capture]) -> Gate:
    """Some voltage gives some errors and some right results; a chip whose limits forbid that is not tested."""
    shares = [float(np.mean(~capture.valid)) for capture in captures if len(capture.valid)]
    middle = max((min(share, 1 - share) for share in shares), default=0.0)
    text = f"no voltage within the limits gives errors: {middle:.1%} at most, {SOME:.0%} are needed"
    return Gate("errors", middle, SOME, middle >= SOME, text)


def epoch(plan: Plan, captures: Iterable[Capture]) -> Gate:
    """No job lasts until the versions wrap and hits come again."""
    worst = 0.0
    for capture in captures:
        if len(capture.place):
            span = capture.job_s / (_period_s(capture) * EPOCH_BATCHES)
            worst = max(worst, span)
    limit = plan["gates"]["epoch_share"]
    text = f"jobs last {worst:.2f} of the time after which versions wrap, hits come again from {limit:g} on"
    return Gate("epoch", worst, limit, worst < limit, text)


def _period_s(capture: Capture) -> float:
    """Time of a batch, from the clock that was read back: one step of the counter a cycle."""
    return float(2.0**25 / capture.setpoint.hertz)
