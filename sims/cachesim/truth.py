"""The same machines with latencies that the technology can do, and what they cost in power."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

from hwmodel.cryo.config import Cache, Machine, at_clock
from hwmodel.cryo.technology import (
    Array,
    access_energy,
    check_latency,
    latency_cycles,
    leakage_power,
    performance_per_watt,
)
from hwmodel.cryo.timing import Timing
from hwmodel.units import Frequency

ROOM_K = 300.0
WARM = "cmos-22nm"  # at room temperature
PORTS = 2  # the data behind the fits are of arrays with two ports
DRAM = Array(8 << 30, "dram")  # the reference's memory stays at room temperature
FS_PER_S = 10**15
Carnot = float | str


@dataclass(frozen=True)
class Undercut:
    """A level whose configured latency is shorter than what its array takes."""

    level: str
    clock: Frequency
    kelvin: float
    configured_ps: float
    needed_ps: float
    needed_cycles: int
    message: str

    @property
    def factor(self) -> float:
        """How many times as long the array takes."""
        return self.needed_ps / self.configured_ps


def array_of(cache: Cache, technology: str) -> Array:
    """What a level would be made of."""
    return Array(cache.size, technology, ports=PORTS)


def undercuts(
    machine: Machine, clocks: tuple[Frequency, ...], temperatures: tuple[float, ...], technology: str
) -> list[Undercut]:
    """Where the reference's cycles, at the core's clock, promise more than the technology can do."""
    found: list[Undercut] = []
    for kelvin in temperatures:
        for clock in clocks:
            fast = at_clock(machine, clock, "all")
            for name, cache in fast.levels.items():
                array = array_of(cache, technology)
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    check = check_latency(cache.latency, clock, array, kelvin, name)
                if not check.ok:
                    times = int(check.time) / 1000, int(check.needed.time) / 1000
                    message = str(said[-1].message)
                    found.append(Undercut(name, clock, kelvin, *times, check.needed.latency, message))
    return found


def true_machine(machine: Machine, clock: Frequency, kelvin: float, technology: str) -> Machine:
    """The machine with core and caches at a clock, and the latencies and intervals of arrays at a temperature.

    The way to the tags keeps the share of the latency that it has in the reference.
    """
    fast = at_clock(machine, clock, "all")
    changed: dict[str, Cache] = {}
    for name, cache in fast.levels.items():
        needed = latency_cycles(array_of(cache, technology), kelvin, clock)
        tag = cache.latency if cache.tag_latency is None else cache.tag_latency
        changed[name] = replace(
            cache,
            latency=needed.latency,
            tag_latency=math.ceil(needed.latency * tag / cache.latency),
            interval=needed.interval,
            ports=PORTS,
        )
    return replace(fast, **changed)  # type: ignore[arg-type]


def watts(machine: Machine, timing: Timing, kelvin: float, technology: str) -> dict[float, float]:
    """Heat of caches and memory by temperature, in W, without cooling; the core is not part of it."""
    seconds = timing.time / FS_PER_S
    cold = 0.0
    for name, level in timing.levels.items():
        array = array_of(machine.levels[name], technology)
        touched = level.accesses + level.misses  # each miss writes a line later
        cold += touched / seconds * access_energy(array, kelvin) + leakage_power(array, kelvin, gate=True)
    accesses = timing.dram["reads"] + timing.dram["writes"]
    warm = accesses / seconds * access_energy(DRAM, ROOM_K) + leakage_power(DRAM, ROOM_K)
    found = {ROOM_K: warm}
    found[kelvin] = found.get(kelvin, 0.0) + cold
    return found


def instructions_per_joule(timing: Timing, heat: dict[float, float], carnot: Carnot) -> float:
    """Instructions a second for each watt from the wall, cooling included."""
    return performance_per_watt(timing.instructions / (timing.time / FS_PER_S), heat, carnot)
