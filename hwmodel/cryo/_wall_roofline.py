"""The extended roofline: what bandwidth, latency with concurrency, and the window of a core allow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hwmodel.cryo.config import LINE, Cache, Machine
from hwmodel.cryo.timing import Timing
from hwmodel.errors import unknown
from hwmodel.units import Frequency

__all__ = ["Ceilings", "Point", "roofline", "unloaded_latency"]

WORD = 8  # bytes that a load takes from the first level at most
FS_PER_S = 10**15
MEMORY = "dram"


@dataclass(frozen=True)
class Ceilings:
    """What limits the performance behind one boundary, by operational intensity.

    Operations are instructions; the intensity is instructions for each byte that comes up through the boundary.

    Attributes:
        level: what lies below the boundary: "l1d", "l2", "l3" or "dram".
        peak: instructions a second that the core issues at most.
        bandwidth: bytes a second that the boundary passes at most.
        latency: seconds from the core's request to the data, nothing else being on its way.
        in_flight: bytes that may be on their way at once.
        grain: bytes of one transfer: a line, or a word of the first level.
        window: instructions that the core holds at once.

    Example:
        >>> limits = Ceilings("dram", 4e9, 12.8e9, 60e-9, 16 * 64, 64, 96)
        >>> {name: f"{value:.2g}" for name, value in limits.at(0.1).items()}
        {'peak': '4e+09', 'bandwidth': '1.3e+09', 'latency': '1.7e+09', 'window': '1.6e+09'}
        >>> limits.lowest(0.1)
        'bandwidth'
    """

    level: str
    peak: float
    bandwidth: float
    latency: float
    in_flight: float
    grain: int
    window: int

    def at(self, intensity: float) -> dict[str, float]:
        """Instructions a second that each ceiling allows at an intensity.

        bandwidth: intensity x bandwidth. latency: intensity x bytes in flight / latency, by Little's law. window:
        the core goes on for `window` instructions while the oldest waits, or to the next transfer if that is
        further: max(window, intensity x grain) / latency. The last holds for transfers at equal distances that no
        prefetcher foresees; where they come in groups, or are prefetched, a run may lie above it.
        """
        gap = intensity * self.grain
        return {
            "peak": self.peak,
            "bandwidth": intensity * self.bandwidth,
            "latency": intensity * self.in_flight / self.latency,
            "window": max(float(self.window), gap) / self.latency,
        }

    def lowest(self, intensity: float) -> str:
        """Name of the ceiling that is lowest at an intensity."""
        found = self.at(intensity)
        return min(found, key=lambda name: found[name])


@dataclass(frozen=True)
class Point:
    """Where a run lies under the ceilings of one boundary.

    Attributes:
        intensity: instructions for each byte that passed.
        performance: instructions a second.
        ceilings: of the boundary.
        binding: name of the lowest ceiling at this intensity.
        share: performance over that ceiling.
    """

    intensity: float
    performance: float
    ceilings: Ceilings
    binding: str
    share: float


def _period(clock: Frequency) -> float:
    return 1 / float(clock.hz)


def _path(machine: Machine) -> list[tuple[str, Cache]]:
    """The levels that a load goes through, nearest first."""
    return [(name, cache) for name, cache in machine.levels.items() if name != "l1i"]


def unloaded_latency(machine: Machine, level: str) -> float:
    """Seconds from a load's request at the first level to its data out of `level`, with no one else in the way.

    Waiting for clock edges is left out; the memory opens a row.

    Parameters:
        machine: core, caches and memory.
        level: "l1d", "l2", "l3" or "dram".

    Raises:
        UnknownNameError: the machine has no such level.

    Example:
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> [f"{unloaded_latency(cryo_ooo(), level) * 1e9:.2f} ns" for level in ("l1d", "l2", "dram")]
        ['0.50 ns', '3.50 ns', '69.50 ns']
    """
    path = _path(machine)
    names = [name for name, _ in path]
    if level not in (*names, MEMORY):
        raise unknown("level", level, (*names, MEMORY))
    total = 0.0
    for name, cache in path:
        if name == level:
            return total + cache.latency * _period(cache.clock)
        tag = cache.latency if cache.tag_latency is None else cache.tag_latency
        total += (tag + cache.fill_latency) * _period(cache.clock)
        total += (cache.bus.request + cache.bus.answer) * _period(cache.bus.clock)
        total += 2 * cache.bus.flight / FS_PER_S
    d = machine.dram
    return total + (d.controller + d.rcd + d.cl + d.burst) / FS_PER_S


def _bandwidth(machine: Machine, place: int) -> float:
    """Bytes a second out of a level, or out of the memory behind the last one."""
    path, core = _path(machine), machine.core
    if place == 0:
        first = path[0][1]
        ports = core.load_ports if core.kind == "ooo" else core.memory_width
        by_core = ports * WORD * float(core.clock.hz)
        if not first.interval:
            return by_core
        return min(by_core, first.ports / first.interval * WORD * float(first.clock.hz))
    bus = path[place - 1][1].bus
    found = LINE / ((bus.line_cycles + bus.header) * _period(bus.clock))
    return found if place < len(path) else min(found, LINE / (machine.dram.burst / FS_PER_S))


def ceilings(machine: Machine) -> dict[str, Ceilings]:
    """The ceilings of every boundary of a machine, from the first level to the memory.

    Example:
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> found = ceilings(cryo_ooo())
        >>> list(found), f"{found['dram'].bandwidth / 1e9:.1f} GB/s"
        (['l1d', 'l2', 'l3', 'dram'], '12.8 GB/s')
    """
    path, core = _path(machine), machine.core
    ooo = core.kind == "ooo"
    found: dict[str, Ceilings] = {}
    for place, name in enumerate([*(name for name, _ in path), MEMORY]):
        grain = LINE if place else WORD
        above = [cache.mshrs for _, cache in path[:place]]
        queue = core.lq if ooo else core.memory_accesses
        found[name] = Ceilings(
            level=name,
            peak=core.issue * float(core.clock.hz),
            bandwidth=_bandwidth(machine, place),
            latency=unloaded_latency(machine, name),
            in_flight=float(grain * (min(above) if above else queue)),
            grain=grain,
            window=core.rob if ooo else 1,
        )
    return found


def _bytes(timing: Timing, level: str) -> float:
    """Bytes that come up from a level; those on their way down have a bus, or ports, of their own."""
    if level == MEMORY:  # one bus both ways
        return (timing.dram["reads"] + timing.dram["writes"]) * LINE
    found = timing.levels[level]
    if level == "l1d":
        return float(found.read_accesses * WORD)
    return float((found.read_accesses + found.prefetches_from_above) * LINE)


def roofline(timing: Timing, machine: Machine) -> Mapping[str, Point]:
    """Where a run lies under each boundary's ceilings; boundaries that no byte passed are left out.

    Parameters:
        timing: of a run.
        machine: on which it ran.

    Example:
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> from hwmodel.cryo.timing import simulate
        >>> points = roofline(simulate("cg.hwt", cryo_ooo()), cryo_ooo())  # doctest: +SKIP
        >>> points["l1d"].binding  # doctest: +SKIP
        'peak'

    Source: the ceilings for latency and window follow the idea of the extended roofline model, IISWC 2014.
    """
    seconds = timing.time / FS_PER_S
    found: dict[str, Point] = {}
    for name, limits in ceilings(machine).items():
        moved = _bytes(timing, name)
        if not moved or not seconds:
            continue
        intensity, performance = timing.instructions / moved, timing.instructions / seconds
        binding = limits.lowest(intensity)
        limit = limits.at(intensity)[binding]
        share = performance / limit if limit else math.inf
        found[name] = Point(intensity, performance, limits, binding, share)
    return found
