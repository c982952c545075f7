"""The words of several cores, driven access by access, and the states of lines that they come to."""

from __future__ import annotations

from dataclasses import replace

from hwmodel.cryo._multicore_words import lay_out
from hwmodel.cryo.config import Bus, Cache, Dram, Machine, cryo_ooo
from hwmodel.cryo.multicore import CoherenceCounts
from hwmodel.cryo.owners import _kernels as o
from hwmodel.cryo.shared import _kernels as s
from hwmodel.cryo.words import _kernels as m
from hwmodel.units import GHz, ns

NS = 1_000_000
LETTERS = {0: "E", m.DIRTY: "M", m.SHARED: "S", m.SHARED | m.DIRTY: "O"}
# Every bus and every latency has a number of its own, so that a wrong term shows.
L1 = Cache(
    128, 2, GHz(1), 3, Bus(GHz(1), request=1, answer=2, header=1, width=64), tag_latency=1, blocks=False
)
L2 = Cache(
    512, 2, GHz(1), 10, Bus(GHz(1), request=3, answer=4, header=1, width=64), tag_latency=5, blocks=False
)
L3 = Cache(
    1024, 4, GHz(1), 20, Bus(GHz(1), request=6, answer=7, header=1, width=64), tag_latency=8, blocks=False
)
DRAM = Dram("plain", controller=ns(20), rcd=ns(10), cl=ns(10), rp=ns(10), ras=ns(30), burst=ns(5), banks=4)


def machine(**changes) -> Machine:
    """A machine of small caches, in which nothing is prefetched and no address translated."""
    return replace(Machine(cryo_ooo().core, L1, L1, L2, L3, DRAM, first_touch=False), **changes)


class Cores:
    """Some cores in one address space, whose accesses follow each other long after each other."""

    def __init__(self, count: int, spec: Machine, protocol: str = "mesi") -> None:
        self.count, self.protocol = count, protocol
        self.layout = lay_out([spec] * count, [0] * count, protocol)
        self.now = 0

    def access(self, core: int, line: int, write: bool = False, fetch: bool = False) -> float:
        """Latency in nanoseconds of an access a microsecond after the one before."""
        self.now += 1000 * NS
        kind = m.FETCH if fetch else m.WRITE if write else m.READ
        level = o.EACH * core + fetch
        return (s.access(self.layout.core(core), level, line << 6, self.now, kind, 0) - self.now) / NS

    def touch(self, core: int, line: int, write: bool = False) -> None:
        """The same access as warm-up."""
        s.touch(self.layout.core(core), o.EACH * core, line, write)

    def run(self, stream) -> None:
        """All of (core, line, write), one after the other."""
        for core, line, write in stream:
            self.access(core, line, write)

    def states(self) -> dict[int, dict[int, str]]:
        """Line -> core -> state, as `CoherentCaches.states` gives it."""
        w = self.layout.shared()
        found: dict[int, dict[int, str]] = {}
        for core in range(self.count):
            for line in range(256):
                flags = int(o.flags_in(w, core, line))
                if flags >= 0:
                    found.setdefault(line, {})[core] = LETTERS[flags & ~m.PREFETCHED]
        return found

    def counts(self) -> CoherenceCounts:
        """What coherence took in all."""
        w = self.layout.shared()
        at = int(w[m.H_COHERENCE]) + o.X_CORE
        rows = [w[at + o.CORE_WORDS * n : at + o.CORE_WORDS * n + 6].tolist() for n in range(self.count)]
        return sum((CoherenceCounts(*row) for row in rows), CoherenceCounts())
