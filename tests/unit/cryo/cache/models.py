"""Reference models in plain Python, written from the definitions and not from the compiled loops."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from hwmodel.kernel.compiled import random_bits


def make_policy(name, ways, sets=1, key=0):
    """A policy of a whole level: `hit(set, way)`, `fill(set, way)` and `victim(set)`."""
    kinds = {"lru": Lru, "fifo": Fifo, "random": Random, "plru": Plru}
    return kinds.get(name, Rrip)(name, ways, sets, key)


class Lru:
    """Ways by last use, the oldest first."""

    def __init__(self, name, ways, sets, key):
        self.ways, self.sets, self.key, self.draws, self.name = ways, sets, key, 0, name
        self.order = [list(range(ways)) for _ in range(sets)]

    def hit(self, index, way):
        self.order[index].remove(way)
        self.order[index].append(way)

    fill = hit

    def victim(self, index):
        return self.order[index][0]


class Fifo(Lru):
    def hit(self, index, way):
        pass

    fill = Lru.hit


class Random(Fifo):
    def victim(self, index):
        self.draws += 1
        return int(random_bits(self.key, self.draws)) % self.ways


class Plru(Lru):
    """A tree given as nested halves: each knows which half was used less lately."""

    def __init__(self, name, ways, sets, key):
        super().__init__(name, ways, sets, key)
        self.older = [{} for _ in range(sets)]

    def hit(self, index, way):
        low, high = 0, self.ways
        while high - low > 1:
            middle = (low + high) // 2
            self.older[index][low, high] = "low" if way >= middle else "high"
            low, high = (middle, high) if way >= middle else (low, middle)

    fill = hit

    def victim(self, index):
        low, high = 0, self.ways
        while high - low > 1:
            middle = (low + high) // 2
            side = self.older[index].get((low, high), "low")
            low, high = (low, middle) if side == "low" else (middle, high)
        return low


class Rrip(Lru):
    """SRRIP, BRRIP and DRRIP with two bits."""

    def __init__(self, name, ways, sets, key):
        super().__init__(name, ways, sets, key)
        self.value = [[3] * ways for _ in range(sets)]
        self.select = 511

    def hit(self, index, way):
        self.value[index][way] = 0

    def fill(self, index, way):
        kind = self.name
        if kind == "drrip":
            group = max(2, self.sets // 32)
            if index % group == 0:
                kind, self.select = "srrip", min(1023, self.select + 1)
            elif index % group == group - 1:
                kind, self.select = "brrip", max(0, self.select - 1)
            else:
                kind = "brrip" if self.select >= 512 else "srrip"
        self.value[index][way] = 2
        if kind == "brrip":
            self.draws += 1
            if int(random_bits(self.key, self.draws)) % 32:
                self.value[index][way] = 3

    def victim(self, index):
        while 3 not in self.value[index]:
            self.value[index] = [value + 1 for value in self.value[index]]
        return self.value[index].index(3)


class Level:
    """One level; `lines[set][way]` is None or [line, valid sectors, dirty sectors]."""

    def __init__(self, spec, number):
        self.spec, self.sets = spec, spec.sets
        self.policy = make_policy(spec.policy, spec.ways, spec.sets, spec.seed * 8 + number)
        self.lines = [[None] * spec.ways for _ in range(spec.sets)]
        self.victims = OrderedDict()
        self.count = dict.fromkeys(
            ("reads", "read_misses", "writes", "write_misses", "writebacks", "invalidated", "victim_hits"), 0
        )

    def find(self, line):
        index = line % self.sets
        for way, entry in enumerate(self.lines[index]):
            if entry and entry[0] == line:
                return index, way, entry
        return index, None, None

    def remove(self, line):
        index, way, entry = self.find(line)
        if entry:
            self.lines[index][way] = None
            return entry
        return self.victims.pop(line, None)

    def place(self, entry):
        """Put a line in; return what leaves the level with its victim cache."""
        index = entry[0] % self.sets
        free = [way for way, other in enumerate(self.lines[index]) if other is None]
        way = free[0] if free else self.policy.victim(index)
        gone, self.lines[index][way] = self.lines[index][way], entry
        self.policy.fill(index, way)
        if gone and self.spec.victim_lines:
            self.victims[gone[0]] = gone
            return self.victims.popitem(last=False)[1] if len(self.victims) > self.spec.victim_lines else None
        return gone


class Caches:
    """A hierarchy of any inclusion, by recursion over the levels."""

    def __init__(self, specs, inclusion="nine"):
        self.levels = [Level(spec, number) for number, spec in enumerate(specs)]
        self.inclusion = inclusion
        self.memory = {"reads": 0, "writes": 0}

    def access(self, address, write):
        self.ask(0, address, "write" if write else "read")

    def ask(self, k, address, kind, whole=False):
        """Serve a request; exclusive levels answer whether the line that they gave away was dirty."""
        if k == len(self.levels):
            self.memory["reads" if kind == "read" else "writes"] += 1
            return False
        level, spec = self.levels[k], self.levels[k].spec
        line, sector = address // spec.line, address % spec.line // spec.unit
        taking = self.inclusion == "exclusive" and k > 0
        if line in level.victims:
            level.count["victim_hits"] += 1
            level.place(level.victims.pop(line))
        index, way, entry = level.find(line)
        hit = entry is not None and sector in entry[1]
        verb = "read" if kind == "read" else "write"
        level.count[verb + "s"] += 1
        level.count[verb + "_misses"] += not hit
        if hit:
            if taking:
                level.remove(line)
                return bool(entry[2])
            level.policy.hit(index, way)
        elif kind == "write" and not spec.allocate:
            return self.ask(k + 1, address, "write", whole and self.same_unit(k))
        else:
            dirty = self.ask(k + 1, address, "read") if not (kind == "write" and whole) else False
            if taking:
                return dirty
            index, way, entry = level.find(line)
            if entry:
                entry[1].add(sector)
                level.policy.hit(index, way)
            else:
                entry = [line, {sector}, {sector} if dirty else set()]
                self.leave(k, level.place(entry))
        if kind == "write" and spec.write == "back":
            entry[2].add(sector)
        elif kind == "write":
            self.ask(k + 1, address, "write", whole and self.same_unit(k))
        return False

    def same_unit(self, k):
        return k + 1 == len(self.levels) or self.levels[k + 1].spec.unit == self.levels[k].spec.unit

    def leave(self, k, gone):
        if gone is None:
            return
        level, spec = self.levels[k], self.levels[k].spec
        line, _, dirty = gone
        if self.inclusion == "inclusive":
            for upper in self.levels[:k]:
                for part in range(line * spec.line, (line + 1) * spec.line, upper.spec.line):
                    held = upper.remove(part // upper.spec.line)
                    if held:
                        upper.count["invalidated"] += 1
                        upper.count["writebacks"] += len(held[2])
                        at = {part + sector * upper.spec.unit for sector in held[2]}
                        dirty |= {address % spec.line // spec.unit for address in at}
        level.count["writebacks"] += len(dirty)
        if self.inclusion == "exclusive" and k + 1 < len(self.levels):
            self.leave(k + 1, self.levels[k + 1].place(gone))
            return
        for sector in sorted(dirty):
            self.ask(k + 1, line * spec.line + sector * spec.unit, "write", self.same_unit(k))


def counts_of(stats):
    """The counts of a level that the models have too."""
    return {
        "reads": stats.read_accesses,
        "read_misses": stats.read_misses,
        "writes": stats.write_accesses,
        "write_misses": stats.write_misses,
        "writebacks": stats.writebacks,
        "invalidated": stats.invalidated,
        "victim_hits": stats.victim_hits,
    }


def optimal_misses(lines, ways, sets):
    """Belady's misses, looking ahead at every one."""
    held = [set() for _ in range(sets)]
    misses = 0
    for now, line in enumerate(lines):
        group = held[line % sets]
        if line in group:
            continue
        misses += 1
        if len(group) == ways:
            rest = lines[now + 1 :]
            group.remove(max(group, key=lambda other: rest.index(other) if other in rest else len(lines)))
        group.add(line)
    return misses


def fewest_misses(lines, ways):
    """The fewest misses of any replacement, by trying all of them, in one set."""
    best = {frozenset(): 0}
    for line in lines:
        after = {}
        for held, misses in best.items():
            if line in held:
                choices = [(held, misses)]
            elif len(held) < ways:
                choices = [(held | {line}, misses + 1)]
            else:
                choices = [((held - {gone}) | {line}, misses + 1) for gone in held]
            for state, count in choices:
                after[state] = min(count, after.get(state, count))
        best = after
    return min(best.values(), default=0)


def stack_distances(lines):
    """(distance -> how often, cold accesses), from a list in the order of last use."""
    stack, counts, cold = [], {}, 0
    for line in lines:
        if line in stack:
            distance = len(stack) - 1 - stack.index(line)
            counts[distance] = counts.get(distance, 0) + 1
            stack.remove(line)
        else:
            cold += 1
        stack.append(line)
    return counts, cold


def classified(lines, spec):
    """(compulsory, capacity, conflict) misses of an LRU cache."""
    cache, full, seen = Caches([spec]), OrderedDict(), set()
    found = {"compulsory": 0, "capacity": 0, "conflict": 0}
    for line in lines:
        before = cache.levels[0].count["read_misses"]
        cache.access(line * spec.line, False)
        if cache.levels[0].count["read_misses"] > before:
            kind = "compulsory" if line not in seen else "conflict" if line in full else "capacity"
            found[kind] += 1
        seen.add(line)
        full[line] = None
        full.move_to_end(line)
        if len(full) > spec.sets * spec.ways:
            full.popitem(last=False)
    return found


def stride_targets(history, degree, line=64):
    """Lines that a reference prediction table of one entry asks for at each access, as a list of lists."""
    asked, stride, state = [[]], 0, "initial"
    for before, address in pairwise(history):
        correct = address - before == stride
        if not correct and state != "steady":
            stride = address - before
        state = {
            ("initial", True): "steady",
            ("initial", False): "transient",
            ("transient", True): "steady",
            ("transient", False): "none",
            ("steady", True): "steady",
            ("steady", False): "initial",
            ("none", True): "transient",
            ("none", False): "none",
        }[state, correct]
        ahead = [address // line] + [(address + n * stride) // line for n in range(1, degree + 1)]
        new = [b for a, b in pairwise(ahead) if a != b and b >= 0]
        asked.append(new if state == "steady" else [])
    return asked
