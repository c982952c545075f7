"""Functional caches: three LRU levels against plain Python and pycachesim, in processor time of one run."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from hwmodel.cryo.cache import CacheSpec, Hierarchy, reuse_distances
from tests.unit.cryo.cache.models import Caches

COUNT = 1_000_000
SEED = 11
LEVELS = [("32 kB", 8), ("256 kB", 8), ("8 MB", 16)]


def _seconds(action: Callable[[], Any], repeats: int = 5) -> float:
    """Processor time, best of a few: other work on the machine counts less in it."""
    action()
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        action()
        times.append(time.process_time() - begun)
    return min(times)


def _accesses() -> tuple[Any, Any]:
    """One access in twenty far and wide over 8 MB, the rest in runs of eight over 24 kB: some 7 % miss the first level."""
    rng = np.random.default_rng(SEED)
    near = np.repeat(rng.integers(0, 384, COUNT // 8), 8)[:COUNT]
    lines = np.where(rng.random(COUNT) < 0.05, rng.integers(0, 1 << 17, COUNT), near)
    return lines, rng.random(COUNT) < 0.25


def _caches(inclusion: Literal["nine", "inclusive"] = "nine", classify: bool = False) -> Hierarchy:
    return Hierarchy([CacheSpec(*geometry) for geometry in LEVELS], inclusion, classify=classify)


class _Level:
    """An LRU level in plain Python, as one would write it for clarity."""

    def __init__(self, sets: int, ways: int) -> None:
        self.sets = [OrderedDict[int, bool]() for _ in range(sets)]
        self.ways, self.misses = ways, 0

    def use(self, line: int, dirty: bool) -> tuple[bool, int]:
        """(whether it was there, the dirty line that left or -1)."""
        held = self.sets[line % len(self.sets)]
        if line in held:
            held[line] |= dirty
            held.move_to_end(line)
            return True, -1
        self.misses += 1
        held[line] = dirty
        if len(held) <= self.ways:
            return False, -1
        gone, was_dirty = held.popitem(last=False)
        return False, gone if was_dirty else -1


def _plain_python(lines: list[int], writes: list[bool]) -> list[_Level]:
    levels = [_Level(CacheSpec(*geometry).sets, geometry[1]) for geometry in LEVELS]

    def write_down(k: int, line: int) -> None:
        while line >= 0 and k < len(levels):
            _, line = levels[k].use(line, True)
            k += 1

    for line, write in zip(lines, writes, strict=True):
        gone = []
        for k, level in enumerate(levels):
            hit, dirty = level.use(line, write and k == 0)
            gone.append(dirty)
            if hit:
                break
        for k in reversed(range(len(gone))):
            write_down(k + 1, gone[k])
    return levels


def _own_seconds(inclusion: Literal["nine", "inclusive"], classify: bool = False) -> float:
    """Seconds an access, with caches that are empty at first."""
    accesses = _accesses()
    made = [_caches(inclusion, classify) for _ in range(6)]
    return _seconds(lambda: made.pop().run(accesses, lines=True)) / COUNT


def _against_python(classify: bool, floor: float) -> dict[str, Any]:
    lines, writes = _accesses()
    count = COUNT // 5
    short = lines[:count].tolist(), writes[:count].tolist()
    levels = _plain_python(*short)
    found = _caches().run((lines[:count], writes[:count]), lines=True)
    assert [level.misses for level in levels] == [stats.misses for stats in found.values()]
    other, own = _seconds(lambda: _plain_python(*short), 2) / count, _own_seconds("nine", classify)
    return {
        "name": "three LRU cache levels, 10^6 accesses"
        + (", general loop and classified" if classify else ""),
        "ratio": other / own,
        "floor": floor,
        "against": "ordered dictionaries of Python",
        "detail": f"{1e-6 / own:.0f} M accesses/s against {1e-6 / other:.2f} M/s (processor time)",
    }


def _against_model(inclusion: Literal["nine", "inclusive"]) -> dict[str, Any]:
    lines, writes = _accesses()
    count = COUNT // 50
    short = [*zip((lines[:count] * 64).tolist(), writes[:count].tolist(), strict=True)]

    def by_model() -> None:
        model = Caches([CacheSpec(*geometry) for geometry in LEVELS], inclusion)
        for address, write in short:
            model.access(address, write)

    empty = _seconds(lambda: Caches([CacheSpec(*geometry) for geometry in LEVELS], inclusion), 2)
    other, own = (_seconds(by_model, 2) - empty) / count, _own_seconds(inclusion)
    return {
        "name": f"three LRU cache levels, 10^6 accesses, {inclusion}",
        "ratio": other / own,
        "floor": 100.0,
        "against": "the reference model of the tests",
        "detail": f"{1e-6 / own:.0f} M accesses/s against {1e-6 / other:.2f} M/s (processor time)",
    }


def bench_nine() -> dict[str, Any]:
    """Levels that keep what they like."""
    return _against_model("nine")


def bench_inclusive() -> dict[str, Any]:
    """Levels that give up what those below give up."""
    return _against_model("inclusive")


def bench_dictionaries() -> dict[str, Any]:
    """Against the fastest plain Python: its dictionaries are compiled, too."""
    return _against_python(False, 60.0)


def bench_general() -> dict[str, Any]:
    """The loop that knows everything, with classification; the Python model does not classify."""
    return _against_python(True, 4.0)


def bench_reuse() -> dict[str, Any]:
    """Exact stack distances against the list that defines them."""
    lines, _ = _accesses()
    short = lines[:5_000].tolist()

    def by_list() -> None:
        stack: list[int] = []
        for line in short:
            if line in stack:
                stack.remove(line)
            stack.append(line)

    other = _seconds(by_list, 2) / len(short)
    own = _seconds(lambda: reuse_distances(lines, lines=True), 3) / COUNT
    return {
        "name": "exact reuse distances, 10^6 accesses",
        "ratio": other / own,
        "floor": 50.0,
        "against": "a Python list, on the first 5000 accesses",
        "detail": f"{1e-6 / own:.1f} M accesses/s",
    }


def bench_pycachesim() -> dict[str, Any]:
    """One call an access, in order; a store hit does not refresh its line there, so counts differ."""
    cachesim: Any = importlib.import_module("cachesim")
    lines, writes = _accesses()
    memory = cachesim.MainMemory()
    l3 = cachesim.Cache("L3", 8192, 16, 64, "LRU")
    l2 = cachesim.Cache("L2", 512, 8, 64, "LRU", store_to=l3, load_from=l3)
    l1 = cachesim.Cache("L1", 64, 8, 64, "LRU", store_to=l2, load_from=l2)
    memory.load_to(l3)
    memory.store_from(l3)
    simulator = cachesim.CacheSimulator(l1, memory)
    count = COUNT // 5
    calls = [(int(line) * 64, bool(write)) for line, write in zip(lines[:count], writes[:count], strict=True)]

    def theirs() -> None:
        load, store = simulator.load, simulator.store
        for address, write in calls:
            if write:
                store(address, 8)
            else:
                load(address, 8)

    other = _seconds(theirs, 3) / count
    own = _own_seconds("nine")
    return {
        "name": "three LRU cache levels, 10^6 accesses",
        "ratio": other / own,
        "floor": 8.0,
        "against": "pycachesim, one call an access",
        "detail": f"{1e-6 / own:.0f} M accesses/s against {1e-6 / other:.1f} M/s",
    }


# A peer that happens to be installed; hwmodel does not depend on it.
PEERS = {"cachesim": bench_pycachesim}

BENCHES: tuple[Callable[[], dict[str, Any]], ...] = (
    bench_nine,
    bench_inclusive,
    bench_dictionaries,
    bench_general,
    bench_reuse,
    *(bench for name, bench in PEERS.items() if importlib.util.find_spec(name)),
)


if __name__ == "__main__":
    for measure in BENCHES:
        print(measure())
