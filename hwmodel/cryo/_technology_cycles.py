"""Cycles of a clock that a memory takes, and a warning where a configuration promises fewer."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from fractions import Fraction

from hwmodel.cryo._technology_memory import (
    Array,
    access_interval,
    access_time,
    position_time,
    shown_time,
)
from hwmodel.cryo._technology_models import TechnologyWarning, to_kelvin
from hwmodel.errors import SpecError
from hwmodel.units import Frequency, Time, to_frequency

__all__ = ["LatencyCheck", "LatencyCycles", "check_latency", "latency_cycles"]

FS_PER_S = 10**15


@dataclass(frozen=True)
class LatencyCycles:
    """What an access takes, in cycles of a clock.

    Attributes:
        latency: cycles from the request to the data; for a shift memory the mean.
        interval: cycles between the beginnings of two accesses at one port.
        time: the time that `latency` stands for, not rounded to the clock.
        source: of the numbers.
        best, worst: shortest and longest latency; they differ for a shift memory only.
    """

    latency: int
    interval: int
    time: Time
    source: str
    best: int
    worst: int


@dataclass(frozen=True)
class LatencyCheck:
    """Whether given cycles are enough: what is configured, and what the technology needs."""

    ok: bool
    time: Time
    needed: LatencyCycles


def _cycles(time: int, clock: Frequency) -> int:
    return max(1, math.ceil(Fraction(time) * clock.hz / FS_PER_S))


def latency_cycles(array: Array, temperature: float | str, clock: Frequency | str) -> LatencyCycles:
    """Latency and initiation interval of an array in cycles of `clock`, each rounded up.

    A shift memory moves with the clock, or slower where the clock is faster than it can be.

    Parameters:
        array: the memory.
        temperature: in K, or text such as "77 K".
        clock: a `Frequency` or text such as "100 GHz".

    Raises:
        SpecError: as for `access_time`.

    Example:
        >>> found = latency_cycles(Array("32 kB", "cmos-22nm"), 77, "100 GHz")
        >>> found.latency, found.interval, round(found.time / 1e6, 3)
        (25, 18, 0.246)
        >>> found = latency_cycles(Array("32 kB", "jsram"), "4.2 K", "30 GHz")
        >>> found.latency, found.interval
        (18, 1)
        >>> found = latency_cycles(Array("4 kB", "delay-line", length=64), 4, "50 GHz")
        >>> found.best, found.latency, found.worst, found.interval
        (1, 32, 64, 1)
    """
    rate = to_frequency(clock, "clock")
    interval = _cycles(access_interval(array, temperature), rate)
    source = array.technology.source
    if array.technology.kind != "shift":
        time = access_time(array, temperature)
        latency = _cycles(time, rate)
        return LatencyCycles(latency, interval, time, source, latency, latency)
    to_kelvin(temperature)
    middle = math.ceil(array.length / 2)
    # Whole steps of the ring fall on edges of the clock: a step takes `interval` cycles.
    step = Fraction(interval * FS_PER_S) / rate.hz
    time = Time(math.ceil(middle * step))
    time = max(time, position_time(array, middle, Time(math.floor(step))))
    return LatencyCycles(middle * interval, interval, time, source, interval, array.length * interval)


def check_latency(
    cycles: int,
    clock: Frequency | str,
    array: Array,
    temperature: float | str,
    name: str = "memory",
) -> LatencyCheck:
    """Compare configured cycles with what the technology can do; warn with the figure if they are too few.

    Parameters:
        cycles: latency of the configuration, in periods of `clock`.
        clock: of the memory.
        array: what the memory would be made of.
        temperature: in K, or text such as "77 K".
        name: of the memory in the configuration, for the message.

    Raises:
        SpecError: no whole number of at least one cycle; else as for `access_time`.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as found:
        ...     warnings.simplefilter("always")
        ...     good = check_latency(2, "100 GHz", Array("32 kB", "cmos-22nm"), 77, name="l1d").ok
        >>> print(found[0].message)  # doctest: +NORMALIZE_WHITESPACE
        l1d: 2 cycles of 10 ps are 20 ps, but 32 kB of cmos-22nm take 246.2 ps at 77 K,
        12.3 times as long; give 25 cycles, lower the clock to 8.12 GHz, or name another technology
        >>> good
        False
    """
    if isinstance(cycles, bool) or not isinstance(cycles, int) or cycles < 1:
        raise SpecError(f"{name}: cycles={cycles!r}; a whole number of at least 1 is wanted")
    rate = to_frequency(clock, "clock")
    needed = latency_cycles(array, temperature, rate)
    given = Time(round(Fraction(cycles * FS_PER_S) / rate.hz))
    if cycles >= needed.latency:
        return LatencyCheck(True, given, needed)
    period = Time(round(Fraction(FS_PER_S) / rate.hz))
    enough = math.floor(cycles / needed.time * 1e8) / 100  # GHz, never rounded up
    warnings.warn(
        f"{name}: {cycles} cycles of {shown_time(period)} are {shown_time(given)}, but {array} take "
        f"{shown_time(needed.time)} at {to_kelvin(temperature):g} K, {needed.time / max(given, 1):.1f} times as long; "
        f"give {needed.latency} cycles, lower the clock to {enough:g} GHz, "
        "or name another technology",
        TechnologyWarning,
        stacklevel=2,
    )
    return LatencyCheck(False, given, needed)
