"""Small systems with known behaviour, shared by the tests of the kernel rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.kernel import BuildContext, Component, Port, State
from hwmodel.units import NEVER, Time, fs


class Relay(Component):
    """Answers each message after a delay, keeps a hash of what it saw, and has local events of its own.

    Everything is observable: the order in which deliveries and local events fall is folded into
    `digest`, so that any wrong order changes the fingerprint.
    """

    def __init__(
        self, name: str, *, fan_in: int = 1, fan_out: int = 1, delay: int = 3, local: int = 0
    ) -> None:
        ports = [Port(f"i{n}", "in", "event", 64) for n in range(fan_in)]
        ports += [Port(f"o{n}", "out", "event", 64) for n in range(fan_out)]
        super().__init__(name, ports)
        self.delay = delay
        self.local = local
        self.calls: list[tuple[int, list[int]]] = []  # of every advance: t1, times of events run

    def build(self, context: BuildContext) -> RelayEngine:
        return RelayEngine(self, context)


class RelayEngine:
    def __init__(self, relay: Relay, context: BuildContext) -> None:
        self.relay, self.context = relay, context
        self.next_local = relay.local or NEVER
        self.digest, self.seen = context.stream() % 1000, 0
        if context.snapshot is not None:
            self.next_local, self.digest, self.seen = (int(v) for v in context.snapshot["all"])

    def advance(self, t1: int) -> None:
        rows = self.context.inbox.take(t1).tolist()
        ran: list[int] = []
        while rows or self.next_local < t1:
            if rows and rows[0][0] <= self.next_local:
                t, _, _, port, value = rows.pop(0)
                self._event(t, 10 * port + 1, value)
                out = (value + port) % len(self.context.ports_out)
                self.context.outbox.send(t + self.relay.delay, out, (value * 31 + self.digest) % 10007)
            else:
                t = self.next_local
                self._event(t, 5, 0)
                self.next_local += self.relay.local
            ran.append(t)
        self.relay.calls.append((t1, ran))

    def _event(self, t: int, kind: int, value: int) -> None:
        self.digest = (self.digest * 1_000_003 + t * 7 + kind + value) % (2**61 - 1)
        self.seen += 1
        if self.context.watch:
            self.context.recorder.record(t, 0, value)

    def next_event(self) -> int:
        return self.next_local

    def state(self) -> dict[str, np.ndarray]:
        return {"all": np.array([self.next_local, self.digest, self.seen])}

    def snapshot(self) -> dict[str, np.ndarray]:
        return self.state()


@dataclass(frozen=True)
class Plan:
    """A random system in plain numbers, so that Hypothesis can shrink it."""

    relays: tuple[tuple[int, int], ...]  # delay and local period of each
    links: tuple[tuple[int, int, int], ...]  # source, target, latency
    drives: tuple[int, ...]  # times of the messages that start it all
    seed: int

    def build(self, order: list[int] | None = None, seed: int | None = None) -> hw.System:
        n = len(self.relays)
        ins = [sum(t == k for _, t, _ in self.links) + (k == 0) for k in range(n)]
        outs = [max(1, sum(s == k for s, _, _ in self.links)) for k in range(n)]
        parts = [
            Relay(f"r{k}", fan_in=ins[k], fan_out=outs[k], delay=delay, local=local)
            for k, (delay, local) in enumerate(self.relays)
        ]
        system = hw.System(*(parts[k] for k in order or range(n)), seed=self.seed if seed is None else seed)
        used_in, used_out = [1] + [0] * (n - 1), [0] * n
        calls = []
        for s, t, latency in self.links:
            calls.append((f"r{s}.o{used_out[s]}", f"r{t}.i{used_in[t]}", fs(latency)))
            used_out[s] += 1
            used_in[t] += 1
        for source, target, latency in calls if order is None else reversed(calls):
            system.connect(source, target, latency)
        system.drive("r0.i0", at=[Time(t) for t in self.drives], values=list(range(len(self.drives))))
        return system

    @property
    def lookahead(self) -> int:
        return min(latency for _, _, latency in self.links)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    n = draw(st.integers(2, 4))
    relays = draw(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 5, 7])), min_size=n, max_size=n))
    spot = st.integers(0, n - 1)
    ring = [(k, (k + 1) % n, draw(st.integers(1, 12))) for k in range(n)]
    extra = draw(st.lists(st.tuples(spot, spot, st.integers(1, 12)), max_size=3))
    drives = draw(st.lists(st.integers(0, 60), min_size=1, max_size=6).map(sorted))
    return Plan(tuple(relays), tuple(ring + extra), tuple(drives), draw(st.integers(0, 9)))


class Unchecked(Component):
    """Sends one message through its output, a value that no one has held against the port's width."""

    def __init__(self, name: str, port: Port, t: int, value: int) -> None:
        super().__init__(name, [port])
        self.message = t, value

    def build(self, context: BuildContext) -> UncheckedEngine:
        return UncheckedEngine(context, *self.message)


class UncheckedEngine:
    def __init__(self, context: BuildContext, t: int, value: int) -> None:
        self.context, self.next, self.value = context, t, value

    def advance(self, t1: int) -> None:
        self.context.outbox.send(self.next, 0, self.value)
        self.next = NEVER

    def next_event(self) -> int:
        return self.next

    def state(self) -> State:
        return {"next": np.array(self.next)}

    snapshot = state
