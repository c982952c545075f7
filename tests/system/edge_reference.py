"""A shrunk closed loop of eight components in plain Python: the oracle of `sims/neuromorphic_edge`.

It is monolithic and written by hand. It imports nothing of the project: one heap of events in whole femtoseconds,
hashlib for the hashes, its own serial line, encoder, cells, fixed point, pipeline, core and tuner. NumPy gives the
encoder's random numbers only. What is known of the parts was copied by hand from documents, each named where it is used.

The loop that it stands for has sizes (2, 2), 8 slots of 100 ps, 16 intervals, a stride of 4, and the program of
`neuromorphic_edge_parts.write_program`.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush
from typing import Any

import numpy as np

Log = dict[str, list[tuple[int, int]]]
Act = Callable[..., None]

NS, SECOND = 10**6, 10**15

# ---------------------------------------------------------------------------- numbers, copied from where they stand

# sims/neuromorphic_edge/loop.py and spec.toml
INTERVALS, STRIDE, SLOTS, SLOT = 16, 4, 8, 100_000
START, LOW, HIGH, GAIN = 300_000_000, 100_000_000, 650_000_000, 300_000
ZERO_BITS, LANES = 8, 2
BAUD, ENCODING, SETTLE = 1_000_000_000, 20 * NS, 500 * NS
COUNT_BITS = 8
EDGE = 2 * NS  # of the readout's clock, 500 MHz

# docs/reference/bm13xx-wire.md: a frame of 11 bytes; 10 bits each, 16 results at the line, the one on it among them (`Uart`).
FRAME, FIFO = 11 * 10 * SECOND // BAUD, 16
COUNTER_BITS, JOB, JOB_VERSION, JOB_TIME, JOB_BITS = 16, 8, 0x20000000, 1_700_000_000, 0x17034219

# Table "links" of hwmodel.cryo.technology: cables at 0.7 c, of 0.4 m from 4 K to 77 K, of 1 m from 4 K to 300 K; rounded up.
TENTH_OF_METRE = Fraction(SECOND, 7 * 299_792_458)
BOARD, TO_77_K, TO_300_K = (math.ceil(n * TENTH_OF_METRE) for n in (1, 4, 10))

# docs/reference/rsfq-cells.md, ps times 1000, and docs/explanation/rate-coded-networks.md for the synapse.
# (state, input): next state, and the delay of each output.
STEPS: dict[str, dict[tuple[int, str], tuple[int, dict[str, int]]]] = {
    "jtl": {(0, "a"): (0, {"q": 3500})},
    "split": {(0, "a"): (0, {"q0": 6300, "q1": 6300})},
    "merge": {(0, "a"): (0, {"q": 9000}), (0, "b"): (0, {"q": 9000})},
    "ndro": {
        (0, "a"): (1, {}), (0, "b"): (0, {}), (0, "clk"): (0, {}),
        (1, "a"): (1, {}), (1, "b"): (0, {}), (1, "clk"): (1, {"q": 5500}),
    },
    "synapse": {(0, "a"): (0, {"q": 8100})},
}  # fmt: skip
# (state before, first): what must stay away for how long.
HOLDS: dict[str, dict[tuple[int, str], dict[str, int]]] = {
    "jtl": {(0, "a"): {"a": 5200}},
    "split": {(0, "a"): {"a": 7000}},
    "merge": {(0, "a"): {"a": 10200, "b": 2300}, (0, "b"): {"a": 2200, "b": 10200}},
    "ndro": {(0, "a"): {"b": 900}, (1, "b"): {"a": 1900}, (1, "clk"): {"clk": 9100}},
    "synapse": {(0, "a"): {"a": 20000}},
}
MU, SIGMA = 81.32, 2.20  # uA, of the synapse at 4.2 K

# The readout, raw numbers: weights in 1/16, biases in 1/4, hidden outputs in 1/4. With these biases it shows 0 until its
# ranks, which begin at zero and lie somewhere in the logic, are full; with most others it shows something in between.
HIDDEN_WEIGHTS, HIDDEN_BIAS = ((100, -37), (60, 55)), (-5, 40)  # rows are inputs
RATE_WEIGHTS, RATE_BIAS = (90, 45), 1
RANKS = 4  # one for each 8 levels of logic; the test compares it with what was emitted

# The core: 100 GHz, and what docs/reference/machine-files.md says of cryo-ooo.
CYCLE = 10_000
ISSUE_TO_EXECUTE, COMPLETE_TO_COMMIT, LOAD_DELAY, STORE_DELAY = 1, 1, 0, 1
MAILBOX = NS
WORK = 12  # instructions of one cycle, each of which reads the result of the one before


def estimate_of(word: int) -> int:
    """What the readout makes of a word of counts, that of the first line lowest; a half is rounded up."""
    counts = [word >> COUNT_BITS * k & (1 << COUNT_BITS) - 1 for k in range(2)]
    total = 16 * RATE_BIAS  # in 1/64
    for k in range(2):
        hidden = (
            counts[0] * HIDDEN_WEIGHTS[0][k] + counts[1] * HIDDEN_WEIGHTS[1][k] + 4 * HIDDEN_BIAS[k]
        )  # in 1/16
        total += RATE_WEIGHTS[k] * min((max(hidden, 0) + 2) >> 2, (1 << 12) - 1)
    return min(max((total + 32) >> 6, -2048), 2047)


def key_of(seed: int, path: str) -> int:
    """Key of a random stream: docs/explanation/timing-model.md, K7, and `stream_key`'s docstring."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{path}".encode(), digest_size=8).digest(), "little")


def splitmix(key: int, number: int) -> int:
    """Draw `number` of a stream, 53 bits (Steele, Lea, Flood, OOPSLA 2014)."""
    word = (1 << 64) - 1
    z = (key + (number + 1) * 0x9E3779B97F4A7C15) & word
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & word
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & word
    return (z ^ z >> 31) >> 11


# -------------------------------------------------------------------------------------------------------- the events

MESSAGE, LOCAL, CLOCKED = 0, 1, 2  # phases of one femtosecond, as in rule K3


@dataclass
class Events:
    """The heap, and what is seen."""

    heap: list[tuple[int, int, int, Act, tuple[Any, ...]]] = field(default_factory=list)
    log: Log = field(default_factory=dict)
    now: int = 0
    count: int = 0

    def at(self, t: int, phase: int, action: Act, *given: Any) -> None:
        """Do something at a time."""
        self.count += 1
        heappush(self.heap, (t, phase, self.count, action, given))

    def see(self, name: str, value: int = 0, t: int | None = None) -> None:
        """Note an event of a signal, now or later."""
        self.log.setdefault(name, []).append((self.now if t is None else t, value))

    def run(self, until: int) -> Log:
        """Do all before `until`; gives each signal's events, those before `until`, in the order of time."""
        while self.heap and self.heap[0][0] < until:
            self.now, _, _, action, given = heappop(self.heap)
            action(*given)
        return {name: sorted(e for e in events if e[0] < until) for name, events in self.log.items()}


# -------------------------------------------------------------------------------------------------------- the 300 K end


class Chip:
    """Two lanes that hash a header each at every step of the clock, and the line on which hits leave."""

    def __init__(self, events: Events, seed: int, out: Act) -> None:
        self.events, self.out = events, out
        merkle = hashlib.sha256(f"neuromorphic_edge/{seed}".encode()).digest()
        self.tail = bytes(32) + merkle + struct.pack("<II", JOB_TIME, JOB_BITS)
        self.period, self.origin, self.first = Fraction(SECOND, START), 0, 0  # step `first` falls at `origin`
        self.version = 0  # counts changes of the clock; an event of an older one is void
        self.free = 0
        self.ends: deque[int] = deque([0] * FIFO, maxlen=FIFO)
        self.seek(0)

    def seek(self, step: int) -> None:
        """Find the next step with a hit, and wait for it."""
        while not (found := [hit for lane in range(LANES) if (hit := self.hash(step, lane)) is not None]):
            step += 1
        self.step, self.found = step, found
        self.wait()

    def hash(self, step: int, lane: int) -> int | None:
        """The message of a hit, or None: the lane is above the counter; a full counter rolls the version's bits."""
        roll, low = divmod(step, 1 << COUNTER_BITS)
        word = lane << COUNTER_BITS | low
        header = struct.pack("<I", JOB_VERSION | roll << 13) + self.tail + word.to_bytes(4, "big")
        number = int.from_bytes(hashlib.sha256(hashlib.sha256(header).digest()).digest(), "little")
        if number >> 256 - ZERO_BITS:
            return None
        # How many half bits harder than difficulty 1, which is 0xFFFF / 0x10000 of the hashes with these zero bits.
        ratio = Fraction(0xFFFF << 256 - ZERO_BITS - 16, number) ** 2
        excess = (ratio.numerator // ratio.denominator).bit_length() - 1
        value = word << 32 | max(0, min(255, excess)) << 24 | JOB << 16 | roll & 0xFFFF
        return value - (1 << 64) if value >> 63 else value

    def wait(self) -> None:
        """Be called when the step with the next hit comes."""
        self.version += 1
        t = self.origin + math.floor((self.step - self.first) * self.period)
        self.events.at(t, LOCAL, self.hit, self.version)

    def hit(self, version: int) -> None:
        """Put the hits of this step on the line, that of the lower lane first; one that finds 16 there is dropped."""
        if version != self.version:
            return
        now = self.events.now
        for value in self.found:
            self.events.see("asic.hit")
            if self.ends[0] <= now:
                self.free = max(now, self.free) + FRAME
                self.ends.append(self.free)
                self.events.at(self.free, LOCAL, self.sent, value)
        self.seek(self.step + 1)

    def sent(self, value: int) -> None:
        """A frame is over."""
        self.events.see("asic.result", value)
        self.events.at(self.events.now + BOARD, MESSAGE, self.out)

    def tune(self, hertz: int) -> None:
        """Go on at another frequency: what is left of a step is done at the new rate, and rounded down to 1 fs."""
        period, now = Fraction(SECOND, hertz), self.events.now
        if period == self.period:
            return
        step = self.first + max(0, math.ceil((now - self.origin) / self.period))
        left = (self.origin + (step - self.first) * self.period - now) * period / self.period
        self.origin, self.first, self.period = now + math.floor(left), step, period
        self.wait()


class Encoder:
    """Measures hit intervals and sends frames of random pulses."""

    FULL = (SECOND << ZERO_BITS) // (LANES * HIGH)
    LATENCY = 64_500  # of the network: see `network`

    def __init__(self, events: Events, seed: int, pulse: Act, end: Act) -> None:
        self.events, self.pulse, self.end = events, pulse, end
        self.random = np.random.Generator(np.random.PCG64(key_of(seed, "features")))
        self.times: list[int] = []
        self.since = self.busy = 0

    def take(self) -> None:
        """A hit."""
        now = self.events.now
        self.times = [*self.times, now][-INTERVALS - 1 :]
        self.since += 1
        if len(self.times) <= INTERVALS or self.since < STRIDE or now < self.busy:
            return
        self.since = 0
        gaps = [b - a for a, b in zip(self.times, self.times[1:], strict=False)]
        span = sum(gaps)
        rate = min(1 << 16, (self.FULL * INTERVALS << 16) // span)
        burst = (sum(2 * gap * INTERVALS < span for gap in gaps[-16:]) << 16) // 16
        self.events.see("features.rate", rate)
        self.events.see("features.burst", burst)
        for k, row in enumerate(self.random.integers(0, 1 << 16, (SLOTS, 2)).tolist()):
            t = now + ENCODING + k * SLOT
            self.send("clk", t)
            for name, drawn, limit in (("a", row[0], rate), ("b", row[1], burst)):
                if drawn < limit:
                    self.send(name, t)
        self.busy = now + ENCODING + SLOTS * SLOT + self.LATENCY
        self.events.see("features.frame", 0, self.busy)
        # After pulses of the same femtosecond, which belong to the frame.
        self.events.at(self.busy + TO_300_K + TO_77_K, LOCAL, self.end)

    def send(self, name: str, t: int) -> None:
        """Send a pulse at a time; it arrives a cable later."""
        self.events.see(f"features.{name}", 0, t)
        self.events.at(t + TO_300_K, MESSAGE, self.pulse, name)


class Tuner:
    """Keeps the frequency; it takes the next step when the last one has settled."""

    def __init__(self, events: Events, out: Act) -> None:
        self.events, self.out = events, out
        self.hertz, self.waiting = START, deque[int]()
        self.settled()

    def take(self, step: int) -> None:
        """A step."""
        self.waiting.append(step)
        if not self.settling:
            self.begin()

    def begin(self) -> None:
        self.settling = True
        self.hertz = min(max(self.hertz + self.waiting.popleft(), LOW), HIGH)
        self.events.at(self.events.now + SETTLE, LOCAL, self.settled)

    def settled(self) -> None:
        self.settling = False
        self.events.see("tuner.frequency", self.hertz)
        self.events.at(self.events.now + BOARD, MESSAGE, self.out, self.hertz)
        if self.waiting:
            self.begin()


# ----------------------------------------------------------------------------------------------------------- the 4 K end


class Cell:
    """One cell: a pulse moves its state, blocks inputs for a while, and leaves after the output's delay."""

    def __init__(self, kind: str, events: Events, chance: int = 0, key: int = 0) -> None:
        self.kind, self.events, self.chance, self.key = kind, events, chance, key
        self.state = self.draws = 0
        self.until = dict.fromkeys(("a", "b", "clk"), 0)
        self.to: dict[str, list[tuple[Act, str, int]]] = {}

    def join(self, output: str, cell: Cell, port: str, line: int = 0) -> None:
        """Lead an output to an input, over a line of some femtoseconds."""
        self.to.setdefault(output, []).append((cell.pulse, port, line))

    def pulse(self, port: str) -> None:
        """A pulse arrives. Mergers drop one that comes too early; nowhere else may that happen."""
        now = self.events.now
        if now < self.until[port]:
            assert self.kind == "merge", (self.kind, port, now)
            return
        for second, time in HOLDS[self.kind].get((self.state, port), {}).items():
            self.until[second] = max(self.until[second], now + time)
        self.state, fires = STEPS[self.kind][self.state, port]
        if self.kind == "synapse":
            self.draws += 1
            if splitmix(self.key, self.draws - 1) >= self.chance:
                return
        for output, delay in fires.items():
            for action, name, line in self.to[output]:
                self.events.at(now + delay + line, LOCAL, action, name)


def network(events: Events, seed: int, currents: Sequence[float], fired: Act) -> dict[str, Cell]:
    """The network of two inputs and two neurons; gives the cells behind its inputs.

    Times in ps after the slot's clock pulse. Everything keeps 2 clear of hold times. Sources come 12.2 apart, for the
    mergers' 10.2. Split 6.3, line (a 0, b 12.2; inhibitory 6.1 more), split 6.3, synapse 8.1, merger 9: excitatory pulses
    are at the store at 29.7 and 41.9. Inhibitory ones go through one more merger, which lets in the clear pulse, and come
    at 44.8 - the store wants 0.9 - and 57.0. The clock reads at 59.0, behind a line of 46.4 and two splitters; a copy of
    it clears at 68.0. The answer leaves at 64.5.

    No two pulses of a regular slot reach a cell in one femtosecond, so their order needs no rule. Currents, uA, are
    excitatory ones by neuron and source, then inhibitory ones likewise.
    """

    def fan_behind(source: Cell, output: str, stages: int, rest: int) -> Cell:
        for _ in range(stages):
            stage = Cell("jtl", events)
            source.join(output, stage, "a")
            source, output = stage, "q"
        source.join(output, fan := Cell("split", events), "a", rest)
        return fan

    stores = [Cell("ndro", events) for _ in range(2)]
    clears = [Cell("merge", events) for _ in range(2)]
    mergers = {kind: [Cell("merge", events) for _ in range(2)] for kind in ("exc", "inh")}
    roots = {name: Cell("split", events) for name in ("a", "b")}
    # Stages of 3.5 ps, and what is left: 0, 6.1, 12.2 and 18.3 ps.
    lines = {("a", "exc"): (0, 0), ("a", "inh"): (1, 2600), ("b", "exc"): (3, 1700), ("b", "inh"): (5, 800)}
    for (source, kind), (stages, rest) in lines.items():
        fan = fan_behind(roots[source], "q0" if kind == "exc" else "q1", stages, rest)
        for j in range(2):
            place = (4 if kind == "inh" else 0) + 2 * j + "ab".index(source)
            chance = 0.5 * math.erfc((currents[place] - MU) / SIGMA / -math.sqrt(2.0))
            key = key_of(seed, f"sfq.out{j + 1}.{kind}_{source}")
            synapse = Cell("synapse", events, math.ceil(chance * 2**53), key)
            fan.join(f"q{j}", synapse, "a")
            synapse.join("q", mergers[kind][j], source)
    start = Cell("jtl", events)
    fan = fan_behind(start, "q", 12, 900)  # 13 stages of 3.5 ps and 0.9: 46.4
    for j in range(2):
        mergers["exc"][j].join("q", stores[j], "a")
        mergers["inh"][j].join("q", clears[j], "a")
        clears[j].join("q", stores[j], "b")
        read = Cell("split", events)
        fan.join(f"q{j}", read, "a")
        read.join("q0", stores[j], "clk")
        read.join("q1", clears[j], "b")
        stores[j].to["q"] = [(fired, f"out{j + 1}", 0)]
    return {**roots, "clk": start}


class Core:
    """Rounds of: load ESTIMATE, load TARGET, 12 dependent instructions of a cycle each, store STEP.

    docs/howto/run-a-core-in-a-system.md: an access to a port waits for all that stands before it, and what follows
    waits for it, as between two fences. So each of the four parts is dispatched in the cycle after the commit of the part
    before, and the front end, whose 15 instructions lie in one line of 64 bytes, is long since ready by then. (Its one
    miss is over before the first message, which comes after 17 hits.) An instruction executes `ISSUE_TO_EXECUTE` after it
    was dispatched, completes in the same cycle if its unit takes one, and commits `COMPLETE_TO_COMMIT` later. A load's
    data are there at the first cycle that begins no earlier than the mailbox's latency after the load began, and after its
    message came. A store leaves `STORE_DELAY` after it has committed.
    """

    def __init__(self, events: Events, out: Act) -> None:
        self.events, self.out = events, out
        self.messages: deque[tuple[int, int]] = deque()
        self.target = 0
        self.begin = 0  # cycle in which the next load of ESTIMATE begins
        self.working = False

    def estimate(self, value: int) -> None:
        """A message."""
        self.events.see("core.estimate", value)
        self.messages.append((self.events.now, value))
        if not self.working:
            self.round()

    def set_target(self, value: int) -> None:
        """The host's set point."""
        self.target = value

    def round(self) -> None:
        self.working = True
        came, value = self.messages.popleft()
        data = -(-(max(self.begin * CYCLE, came) + MAILBOX) // CYCLE)
        load = self.dispatched(data) + ISSUE_TO_EXECUTE + LOAD_DELAY
        # A message of the femtosecond in which the load begins counts, so this is the last phase.
        self.events.at(load * CYCLE, CLOCKED, self.look, load, value)

    def look(self, load: int, value: int) -> None:
        """The load of TARGET takes what it finds; the rest of the round follows."""
        data = load + MAILBOX // CYCLE
        last = self.dispatched(data) + WORK - 1 + ISSUE_TO_EXECUTE
        store = self.dispatched(last) + ISSUE_TO_EXECUTE
        sent = store + COMPLETE_TO_COMMIT + STORE_DELAY
        self.begin = self.dispatched(store) + ISSUE_TO_EXECUTE + LOAD_DELAY
        self.events.at(sent * CYCLE, LOCAL, self.ring, GAIN * (self.target - value))

    @staticmethod
    def dispatched(completed: int) -> int:
        return completed + COMPLETE_TO_COMMIT + 1

    def ring(self, step: int) -> None:
        self.events.see("core.step", step)
        self.events.at(self.events.now + TO_300_K, MESSAGE, self.out, step)
        self.working = False
        if self.messages:
            self.round()


# ---------------------------------------------------------------------------------------------------------- the 77 K end


class Readout:
    """The counter, the pipeline behind it, and the taker of its answers."""

    def __init__(self, events: Events, out: Act) -> None:
        self.events, self.out = events, out
        self.counts = [0, 0]
        self.word = self.valid = 0  # as they stand at the pipeline's pins
        self.ranks: list[tuple[int, int]] = [(0, 0)] * RANKS
        self.shown = (0, 0)
        self.clock(0)

    def count(self, line: str) -> None:
        """A pulse from the network."""
        self.counts[int(line[3:]) - 1] += 1

    def frame(self) -> None:
        """The end of a frame: its counts stand until the next one, valid for a period of the clock."""
        now = self.events.now
        word = sum(min(n, (1 << COUNT_BITS) - 1) << COUNT_BITS * k for k, n in enumerate(self.counts))
        self.counts = [0, 0]
        self.events.see("counter.data", word)
        self.events.see("counter.valid", 1)
        self.events.see("counter.valid", 0, now + EDGE)
        self.events.at(now + BOARD, MESSAGE, self.pins, word, 1)
        self.events.at(now + EDGE + BOARD, MESSAGE, self.pins, word, 0)

    def pins(self, word: int, valid: int) -> None:
        self.word, self.valid = word, valid

    def clock(self, n: int) -> None:
        """An edge: every rank moves on, for `out_ready` stays 1; the outputs change at the edge itself."""
        self.ranks = [(self.valid, estimate_of(self.word)), *self.ranks[:-1]]
        valid, answer = self.ranks[-1]
        now = self.events.now
        if answer != self.shown[1]:
            self.events.see("readout.out_data", answer & 0xFFF)
        if valid != self.shown[0]:
            self.events.see("readout.out_valid", valid)
            if valid:  # the taker waits for 1 fs, for data of the same edge
                self.events.see("taker.estimate", answer, now + BOARD + 1)
                self.events.at(now + BOARD + 1 + TO_77_K, MESSAGE, self.out, answer)
        self.shown = valid, answer
        self.events.at((n + 1) * EDGE, CLOCKED, self.clock, n + 1)


def reference(seed: int, currents: Sequence[float], targets: Sequence[tuple[int, int]], until: int) -> Log:
    """Run the shrunk loop; gives (time in fs, value) of all events of each signal before `until`.

    Parameters:
        seed: of the run.
        currents: eight bias currents, uA.
        targets: time, and set point from then on.
    """
    events = Events()
    parts: dict[str, Any] = {}

    def fired(name: str) -> None:
        events.see(f"sfq.{name}")
        events.at(events.now + TO_77_K, MESSAGE, parts["readout"].count, name)

    def pulse(name: str) -> None:
        events.see(f"sfq.{name}")
        cells[name].pulse("a")

    cells = network(events, seed, currents, fired)
    parts["readout"] = Readout(events, lambda value: parts["core"].estimate(value))
    parts["core"] = Core(events, lambda step: parts["tuner"].take(step))
    parts["features"] = Encoder(events, seed, pulse, parts["readout"].frame)
    parts["asic"] = Chip(events, seed, parts["features"].take)
    parts["tuner"] = Tuner(events, parts["asic"].tune)
    for t, target in targets:
        events.at(t, MESSAGE, parts["core"].set_target, target)
    return events.run(until)
