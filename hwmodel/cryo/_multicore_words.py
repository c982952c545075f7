"""The words of several cores and of the memory that they share, one behind the other in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwmodel.cryo._build import PAGES, SLOTS, Words, build, level_row, more_row
from hwmodel.cryo.config import Machine
from hwmodel.cryo.owners import _kernels as o
from hwmodel.cryo.words import _kernels as m

PROTOCOLS = {"none": o.PROTOCOL_NONE, "mesi": o.PROTOCOL_MESI, "moesi": o.PROTOCOL_MOESI}
PRIVATE = ("l1d", "l1i", "l2")
LAST = "l3"


@dataclass(frozen=True)
class Layout:
    """One array with all words.

    Attributes:
        words: cores, then the memory.
        cores: where each core begins.
        memory: where the memory begins.
        level: number of the shared level.
    """

    words: Words
    cores: tuple[int, ...]
    memory: int
    level: int

    def core(self, number: int) -> Words:
        """The words of a core, with all that is behind them."""
        return self.words[self.cores[number] :]

    def shared(self) -> Words:
        """The words of the memory."""
        return self.words[self.memory :]


def level_number(core: int, cores: int, name: str) -> int:
    """Return the number of a core's level in the shared memory's words."""
    return 4 * cores if name == LAST else o.EACH * core + PRIVATE.index(name)


def without_lines(machine: Machine) -> Machine:
    """Return the machine with next to no last level, whose lines lie in the shared memory."""
    assert machine.l3 is not None
    return replace(machine, l3=replace(machine.l3, size=machine.l3.ways * 64))


def lay_out(machines: Sequence[Machine], spaces: Sequence[int], protocol: str) -> Layout:
    """Return the words of cores with their private caches and of the memory, everything empty.

    All machines have the same last level and memory; `spaces` numbers the address space of each core.
    """
    memory = memory_words(machines, protocol)
    blocks = [build(without_lines(machine)) for machine in machines]
    begins = np.cumsum([0, *map(len, blocks)]).tolist()
    words = np.concatenate([*blocks, memory])
    del blocks
    layout = Layout(words, tuple(begins[:-1]), begins[-1], 4 * len(machines))
    for number, (machine, space) in enumerate(zip(machines, spaces, strict=True)):
        w = layout.core(number)
        w[m.H_SHARED] = layout.memory - layout.cores[number]
        w[m.H_CORE] = number
        w[m.H_PAGE] = w[m.H_SHARED] + memory[m.H_PAGE]
        w[m.PAGE + m.PAGE_MASK] = memory[m.PAGE + m.PAGE_MASK]
        w[m.PAGE + m.PAGE_SPACE] = space
        if machine.translation is not None:
            w[m.WALK + m.K_LEVEL] = level_number(number, len(machines), "l1d")
    return layout


def memory_words(machines: Sequence[Machine], protocol: str) -> Words:
    """Return the words of the memory: those of one machine, with the levels of all and larger tables behind them."""
    cores = len(machines)
    base = build(without_lines(machines[0]))
    first = [(n, name) for n in range(cores) for name in machines[n].levels if name in PRIVATE]
    held = [*first, (0, LAST)]
    lines = sum(machines[n].levels[name].sets * machines[n].levels[name].ways for n, name in held)
    rings = 3 * (4 * cores + 1)
    behind = 3 * len(machines[0].levels) + 1  # at most so many rings belong to the memory itself
    pages = PAGES << (cores - 1).bit_length()
    sizes: dict[int | str, int] = {
        "lines": lines,
        "ready": lines,
        m.H_SLOT: SLOTS * (rings + behind),
        m.H_STRIDE: (4 * cores + 1) * m.STRIDE_WORDS,
        m.H_PAGE: 2 * pages,
        m.H_COHERENCE: o.COHERENCE_WORDS,
    }
    at: dict[int | str, int] = {}
    end = len(base)
    for part, size in sizes.items():
        at[part] = end
        end += size
    w = np.zeros(end, np.int64)
    w[: len(base)] = base
    for part, start in at.items():
        if isinstance(part, int):
            w[part] = start
    w[at["lines"] : at["ready"]] = -1
    w[at[m.H_SLOT] : at[m.H_STRIDE]] = -1
    w[m.H_READY] = lines
    w[m.H_SLOT_LAST] += rings - 3 * len(machines[0].levels)
    w[m.PAGE + m.PAGE_MASK] = pages - 1
    w[m.DRAM + m.D_LEVELS] = 4 * cores + 1
    w[m.LEVEL : m.COUNT] = 0
    w[m.MORE : m.BUFFER] = 0
    begin = at["lines"]
    for number, name in held:
        cache = machines[number].levels[name]
        fill_level(w, machines, number, name, begin)
        begin += cache.sets * cache.ways
    w[at[m.H_COHERENCE] + o.X_PROTOCOL] = PROTOCOLS[protocol]
    w[at[m.H_COHERENCE] + o.X_LEVEL] = 4 * cores
    return w


def fill_level(w: Words, machines: Sequence[Machine], number: int, name: str, begin: int) -> None:
    """Write the parameters of a core's level, or of the last one, whose lines begin at `begin`."""
    machine, cores = machines[number], len(machines)
    names = list(machine.levels)
    k = level_number(number, cores, name)
    row = level_row(machine, names, name, begin)
    if row[m.L_NEXT] >= 0:
        row[m.L_NEXT] = level_number(number, cores, names[row[m.L_NEXT]])
    if name == LAST:
        row[m.L_ABOVE] = (1 << o.EACH * cores) - 1
    else:
        row[m.L_ABOVE] <<= o.EACH * number
    w[m.LEVEL + 32 * k : m.LEVEL + 32 * k + len(row)] = row
    more = more_row(machine.levels[name])
    if cores > 1:
        more[m.E_OWNER] = 0  # who owns a line among cores is what the protocol says
    w[m.MORE + 16 * k : m.MORE + 16 * k + len(more)] = more
    w[m.STATE + 8 * k + m.S_RANDOM] = 0x2545F4914F6CDD1D + names.index(name)
