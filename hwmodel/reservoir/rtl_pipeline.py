"""Small cores that hash headers, the front that feeds them, and the comparator behind them, as a PyRTL block."""

from __future__ import annotations

from collections.abc import Sequence

import pyrtl

from hwmodel.reservoir.rtl_layout import MASK_BITS, CompressionSpec, MinerSpec
from hwmodel.reservoir.rtl_sha256 import (
    ADDERS,
    INITIAL,
    WORD,
    Phase,
    Rank,
    Wire,
    expand,
    ranks,
    round_constant,
    sha_round,
)

__all__ = ["build_compression", "build_miner"]

# A header has 80 bytes: 16 of them lie in the second block. Its digest has 32.
HEADER_BITS, DIGEST_BITS = 640, 256
PAD = 1 << 31


def const(value: int, width: int = WORD) -> Wire:
    """A constant."""
    return pyrtl.Const(value, width)


def swapped(word: Wire) -> Wire:
    """The four bytes in the other order."""
    return pyrtl.concat(*(word[8 * n : 8 * n + 8] for n in range(4)))


def words_of(port: Wire) -> list[Wire]:
    """Words of a port, the first in the top bits."""
    count = len(port) // WORD
    return [port[WORD * (count - 1 - n) : WORD * (count - n)] for n in range(count)]


def kept(name: str, given: Wire, load: Wire) -> Wire:
    """A register that takes a value where `load` is 1."""
    register = pyrtl.Register(len(given), name)
    register.next <<= pyrtl.select(load, given, register)
    return register


def register(name: str, given: Wire, reset: int | None = None) -> Wire:
    """A value one clock later."""
    made = pyrtl.Register(len(given), name, reset_value=reset)
    made.next <<= given
    return made


def output(name: str, given: Wire) -> None:
    """A port."""
    port = pyrtl.Output(len(given), name)
    port <<= given


def running(name: str, steps: int, restart: Wire, begin: int) -> Phase:
    """A phase that counts for ever, and begins anew at `begin` on a restart."""
    if steps == 1:
        return Phase(1, None, const(1, 1))
    count = pyrtl.Register((steps - 1).bit_length(), name, reset_value=0)
    last = count == steps - 1
    count.next <<= pyrtl.select(
        restart,
        const(begin, len(count)),
        pyrtl.select(last, const(0, len(count)), (count + 1)[: len(count)]),
    )
    return Phase(steps, count, last)


def later(phase: Phase, name: str) -> Phase:
    """The same phase one clock later."""
    if phase.count is None:
        return phase
    return Phase(phase.steps, register(f"{name}_count", phase.count), register(f"{name}_last", phase.last, 0))


# --------------------------------------------------------------------------------------------- compression


def build_compression(spec: CompressionSpec) -> pyrtl.Block:
    """One block of SHA-256: a state and 16 words give the next state."""
    block, add = pyrtl.Block(), ADDERS[spec.adders]
    with pyrtl.set_working_block(block, no_sanity_check=True):
        rst, valid = pyrtl.Input(1, "rst"), pyrtl.Input(1, "in_valid")
        state, message = words_of(pyrtl.Input(256, "state")), words_of(pyrtl.Input(512, "block"))
        phase = running("phase", spec.interval, rst, 0)
        given = Rank(state, message, state, [valid])
        count = spec.unroll // spec.chained
        done = ranks("r", given, count, spec.chained, phase, rst, add)
        raw = [register(f"raw{n}", word) for n, word in enumerate(done.state)]
        held = [register(f"carried{n}", word) for n, word in enumerate(done.extra)]
        live = register("raw_live", done.flags[0] & phase.last & ~rst, 0)
        sums = [add(x, y) for x, y in zip(raw, held, strict=True)]
        output("digest", register("sum", pyrtl.concat(*sums)))
        output("out_valid", register("sum_live", live & ~rst, 0))
        output("in_ready", phase.last)
    block.sanity_check()
    return block


# -------------------------------------------------------------------------------------------------- miner


def build_miner(spec: MinerSpec) -> pyrtl.Block:
    """Small cores in lock-step: core c and version slot k hash the nonces of c with the versions of k."""
    block = pyrtl.Block()
    with pyrtl.set_working_block(block, no_sanity_check=True):
        _Miner(spec).build()
    block.sanity_check()
    return block


class _Miner:
    """The parts that all small cores share, and what one part needs of another."""

    def __init__(self, spec: MinerSpec) -> None:
        self.spec = spec
        self.add = ADDERS[spec.adders]
        self.start, self.rst = pyrtl.Input(1, "start"), pyrtl.Input(1, "rst")
        self.kill = self.start | self.rst
        begin = (spec.interval - spec.lead) % spec.interval
        self.phase = running("phase", spec.interval, self.start, begin)
        self.second = later(self.phase, "second") if spec.ranks > 1 else self.phase
        self.turns: list[Wire] = []  # one a slot: it is 1 when the first word of a batch is half way through

    def build(self) -> None:
        """Make everything."""
        spec = self.spec
        self._take_job()
        self._count()
        mids = [self._front(slot) for slot in range(spec.slots)]
        ends = []
        for core in range(spec.cores):
            for slot in range(spec.slots):
                ends.append(self._small_core(core, slot, *mids[slot]))
        self._finish(ends)

    # ---------------------------------------------------------------------------------------------- front

    def _take_job(self) -> None:
        spec, start = self.spec, self.start
        tail = words_of(pyrtl.Input(96, "tail"))
        self.tail = [kept(f"tail{n}", word, start) for n, word in enumerate(tail)]
        self.mask = kept("ticket", pyrtl.Input(32, "mask"), start)
        self.first_in = pyrtl.Input(spec.counter_bits, "first")
        self.first = kept("first_kept", self.first_in, start)
        if spec.front == "midstate":
            given = words_of(pyrtl.Input(256 * spec.slots, "midstate"))
            self.given = [kept(f"mid{n}", word, start) for n, word in enumerate(given)]
        else:
            self.given = [
                kept(f"head{n}", word, start) for n, word in enumerate(words_of(pyrtl.Input(512, "head")))
            ]

    def _count(self) -> None:
        """Counters of the sweep: which nonce enters, and when the next versions do."""
        spec = self.spec
        counter = pyrtl.Register(spec.counter_bits, "counter")
        active, waiting = (
            pyrtl.Register(1, "active", reset_value=0),
            pyrtl.Register(1, "waiting", reset_value=0),
        )
        rolls = spec.front == "version"
        self.ready = pyrtl.Register(1, "ready", reset_value=0) if rolls else const(1, 1)
        slot = self.phase.last
        open_now = self._gap(waiting, active, slot, counter) if rolls and spec.gap else const(1, 1)
        fresh = slot & waiting & self.ready & open_now
        issue = (slot & active) | fresh
        last = counter == (1 << spec.counter_bits) - 1
        following = pyrtl.select(last, self.first, (counter + 1)[: spec.counter_bits])
        counter.next <<= pyrtl.select(self.start, self.first_in, pyrtl.select(issue, following, counter))
        stay = ~self.kill
        active.next <<= pyrtl.select(issue, ~last, active) & stay
        again = last if rolls else const(0, 1)
        # Of both at one edge the reset wins, whatever the front.
        waiting.next <<= (pyrtl.select(issue, again, waiting) | self.start) & ~self.rst
        self.counter, self.fresh, self.issue = counter, fresh, issue
        if rolls:
            self._roll()

    def _gap(self, waiting: Wire, active: Wire, slot: Wire, counter: Wire) -> Wire:
        """Whether the steps between two sweeps are over."""
        spec = self.spec
        left = pyrtl.Register(spec.gap.bit_length(), "gap_left")
        ends = slot & (counter == (1 << spec.counter_bits) - 1)
        passed = left == 0
        down = pyrtl.select(slot & ~passed, (left - 1)[: len(left)], left)
        # An issue is the last of a sweep where its counter is; while waiting the counter is the first one.
        issued_last = ends & (active | (waiting & self.ready & passed))
        filled = pyrtl.select(issued_last, const(spec.gap, len(left)), down)
        left.next <<= pyrtl.select(self.kill, const(0, len(left)), filled)
        return passed

    def _roll(self) -> None:
        """Control of the units that work out the midstates of the next versions."""
        spec, rounds = self.spec, 64 // self.spec.chained
        begin = register("begun", self.start & ~self.rst, 0)
        self.go = begin | self.fresh
        self.next_batch = pyrtl.Register(spec.batch_bits, "next_batch")
        more = pyrtl.select(self.go, (self.next_batch + 1)[: spec.batch_bits], self.next_batch)
        self.next_batch.next <<= pyrtl.select(self.start, const(0, spec.batch_bits), more)
        step = pyrtl.Register((rounds - 1).bit_length(), "roll_step")
        busy = pyrtl.Register(1, "roll_busy", reset_value=0)
        ends = busy & (step == rounds - 1)
        step.next <<= pyrtl.select(self.go, const(0, len(step)), (step + 1)[: len(step)])
        busy.next <<= ((busy & ~ends) | self.go) & ~self.kill
        self.rolled = register("roll_ends", ends & ~self.kill, 0)
        self.ready.next <<= ((self.ready & ~self.go) | self.rolled) & ~self.kill
        self.rolling, self.busy = Phase(rounds, step, ends), busy

    def _front(self, slot: int) -> tuple[list[Wire], list[Wire], list[Wire]]:
        """Midstates of a slot: that of what enters, and of what is half way through, new and old."""
        spec = self.spec
        if spec.front == "midstate":
            mine = self.given[8 * slot : 8 * slot + 8]
            return mine, mine, mine
        new = self._unit(slot)
        now = [kept(f"v{slot}_now{n}", word, self.fresh) for n, word in enumerate(new)]
        entering = [pyrtl.select(self.fresh, x, y) for x, y in zip(new, now, strict=True)]
        # Words that entered with the old midstate still need it at their turn.
        turn = pyrtl.WireVector(1, f"v{slot}_turn")
        self.turns.append(turn)
        old = [kept(f"v{slot}_old{n}", word, turn) for n, word in enumerate(now)]
        return entering, now, old

    def _unit(self, slot: int) -> list[Wire]:
        """One round a clock over the first 64 bytes, with the version of the next batch in them."""
        spec, add = self.spec, self.add
        index = self.next_batch
        if spec.slot_bits:
            index = pyrtl.concat(self.next_batch, const(slot, spec.slot_bits))
        rolled = swapped(
            swapped(self.given[0])
            | pyrtl.concat(index, const(0, spec.version_shift)).zero_extended(WORD)[:WORD]
        )
        entering = [rolled, *self.given[1:]]
        state = [pyrtl.Register(WORD, f"v{slot}_{'abcdefgh'[n]}") for n in range(8)]
        window = [pyrtl.Register(WORD, f"v{slot}_w{n}") for n in range(16)]
        after, words = list(state), list(window)
        for n in range(spec.chained):
            constant = round_constant(f"v{slot}_k{n}", n, spec.chained, self.rolling)
            after = sha_round(after, words[0], constant, add)
            words = [*words[1:], expand(words, add)]
        for held, loop, first in zip(
            [*state, *window], [*after, *words], [*map(const, INITIAL), *entering], strict=True
        ):
            held.next <<= pyrtl.select(self.go, first, pyrtl.select(self.busy, loop, held))
        sums = [add(word, const(INITIAL[n])) for n, word in enumerate(state)]
        return [kept(f"v{slot}_new{n}", word, self.rolled) for n, word in enumerate(sums)]

    # ----------------------------------------------------------------------------------------- small cores

    def _small_core(
        self, core: int, slot: int, entering: list[Wire], now: list[Wire], old: list[Wire]
    ) -> list[Wire]:
        """One pipeline; gives its digest before the last sum. The flags of the first one serve all."""
        spec = self.spec
        name = f"c{core}s{slot}" if spec.cores * spec.slots > 1 else "c"
        nonce = self.counter
        if spec.counter_bits < WORD:
            nonce = pyrtl.concat(const(spec.first_core + core, WORD - spec.counter_bits), nonce)
        pad = [const(PAD), *(const(0) for _ in range(10)), const(HEADER_BITS)]
        leads = core == 0 and slot == 0
        flags = [self.issue, self.fresh][: 2 if spec.front == "version" else 1] if leads else []
        first = Rank(entering, [*self.tail, nonce, *pad], [], flags)
        half = 64 // (spec.chained * self.phase.steps) if spec.ranks > 1 else 0
        if not half:
            return self._single(name, first, now, old, leads)
        still = frozenset(self.tail)
        done = ranks(f"{name}a", first, half, spec.chained, self.phase, self.kill, self.add, still=still)
        raw = [register(f"{name}_raw{n}", word) for n, word in enumerate(done.state)]
        if leads:
            self._keep_turn(
                [
                    register(f"{name}_turn{n}", flag & self.phase.last & ~self.kill, 0)
                    for n, flag in enumerate(done.flags)
                ]
            )
        turned = self._turned(raw, now, old)
        turned.flags = [self.turn_live] if leads else []
        done = ranks(f"{name}b", turned, half, spec.chained, self.second, self.kill, self.add)
        if leads:
            self.live = done.flags[0] & self.second.last
        return done.state

    def _turned(self, raw: Sequence[Wire], now: Sequence[Wire], old: Sequence[Wire]) -> Rank:
        """What the second hash begins with: the first value, and the digest of the first hash."""
        add = self.add
        base = list(now)
        if old is not now:
            base = [pyrtl.select(self.turn_fresh, x, y) for x, y in zip(now, old, strict=True)]
        digest = [add(x, y) for x, y in zip(raw, base, strict=True)]
        pad = [const(PAD), *(const(0) for _ in range(6)), const(DIGEST_BITS)]
        return Rank([const(value) for value in INITIAL], [*digest, *pad], [], [])

    def _keep_turn(self, flags: Sequence[Wire], at: Wire | None = None) -> None:
        """Note what the turn of the first small core, which is that of all, says: something is there, and is new."""
        self.turn_live, *fresh = flags
        for self.turn_fresh in fresh:
            for wire in self.turns:
                wire <<= self.turn_fresh if at is None else self.turn_fresh & at

    def _single(self, name: str, first: Rank, now: list[Wire], old: list[Wire], leads: bool) -> list[Wire]:
        """One rank that does both hashes, with a clock between them for the sum."""
        spec, phase, add = self.spec, self.phase, self.add
        assert phase.count is not None
        rounds = 64 // spec.chained
        state = [pyrtl.Register(WORD, f"{name}_{'abcdefgh'[n]}") for n in range(8)]
        window = [pyrtl.Register(WORD, f"{name}_w{n}") for n in range(16)]
        after, words = list(state), list(window)
        # The clock of the turn does no round: the table has a place for it.
        turn = phase.count == rounds
        later_half = phase.count > rounds
        place = pyrtl.select(later_half, (phase.count - (rounds + 1))[: len(phase.count)], phase.count)
        table = Phase(rounds, place[: (rounds - 1).bit_length()], phase.last)
        for n in range(spec.chained):
            constant = round_constant(f"{name}_k{n}", n, spec.chained, table)
            after = sha_round(after, words[0], constant, add)
            words = [*words[1:], expand(words, add)]
        if leads:
            flags = [pyrtl.Register(1, f"{name}_flag{n}", reset_value=0) for n in range(len(first.flags))]
            for flag, given in zip(flags, first.flags, strict=True):
                flag.next <<= pyrtl.select(phase.last, given, flag) & ~self.kill
            self._keep_turn(flags, turn)
            self.live = flags[0] & phase.last
        turned = self._turned(state, now, old)
        for held, loop, half, entering in zip(
            [*state, *window],
            [*after, *words],
            [*turned.state, *turned.window],
            [*first.state, *first.window],
            strict=True,
        ):
            held.next <<= pyrtl.select(phase.last, entering, pyrtl.select(turn, half, loop))
        return after

    # ---------------------------------------------------------------------------------------------- the end

    def _finish(self, ends: list[list[Wire]]) -> None:
        spec, add = self.spec, self.add
        raw_live = register("raw_live", self.live & ~self.kill, 0)
        sum_live = register("sum_live", raw_live & ~self.kill, 0)
        hits, digests = [], []
        for number, state in enumerate(ends):
            wanted = range(8) if spec.digest else (6, 7)
            raw = {n: register(f"end{number}_raw{n}", state[n]) for n in wanted}
            sums = {n: register(f"end{number}_sum{n}", add(raw[n], const(INITIAL[n]))) for n in wanted}
            hits.append(self._is_hit(sums[7], sums[6]))
            if spec.digest:
                digests.append(pyrtl.concat(*(sums[n] for n in range(8))))
        live = sum_live & ~self.kill
        output("valid", register("valid_now", live, 0))
        found = pyrtl.concat_list(hits)
        none = const(0, len(hits))
        output("hits", register("hits_now", pyrtl.select(live, found, none)))
        self._say_place(sum_live)
        if spec.digest:
            output("digest", register("digest_now", pyrtl.concat_list(digests)))

    def _is_hit(self, high: Wire, low: Wire) -> Wire:
        """Whether the top bits are zero, then those that the ticket mask names in its own order of bits."""
        bits = [word[8 * byte + 7 - n] for word in (high, low) for byte in range(4) for n in range(8)]
        zero = self.spec.zero_bits
        masked = [
            self.mask[8 * (n // 8) + 7 - n % 8] & bits[zero + n] for n in range(min(MASK_BITS, 64 - zero))
        ]
        return ~pyrtl.or_all_bits(pyrtl.concat_list([*bits[:zero], *masked]))

    def _say_place(self, live: Wire) -> None:
        """Nonce or counter, and batch, of what comes out: it comes in the order in which it went in."""
        spec = self.spec
        passed = pyrtl.Register(spec.counter_bits, "passed")
        last = passed == (1 << spec.counter_bits) - 1
        following = pyrtl.select(last, self.first, (passed + 1)[: spec.counter_bits])
        passed.next <<= pyrtl.select(self.start, self.first_in, pyrtl.select(live, following, passed))
        shown = kept("counter_now", passed, live)
        if spec.cores == 1:
            word = shown
            if spec.counter_bits < WORD:
                word = pyrtl.concat(const(spec.first_core, WORD - spec.counter_bits), word)
            output("nonce", swapped(word))
        else:
            output("count", shown)
        if spec.front == "version":
            batch = pyrtl.Register(spec.batch_bits, "passed_batch")
            more = pyrtl.select(live & last, (batch + 1)[: spec.batch_bits], batch)
            batch.next <<= pyrtl.select(self.start, const(0, spec.batch_bits), more)
            output("batch", kept("batch_now", batch, live))
