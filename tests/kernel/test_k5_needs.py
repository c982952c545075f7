"""K5 with promises of number: an engine that needs several messages before it sends lets their source run further."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import SpecError, WiringError
from hwmodel.kernel import BuildContext, Component, Port, State
from hwmodel.units import NEVER, Time, ns, ps


class Beacon(Component):
    """Sends at its own beat, which a message changes from its next event on; says when it will send, if `tells`."""

    def __init__(self, name: str, tells: bool = True) -> None:
        super().__init__(name, [Port("beat", "in", "event", 64), Port("o", "out", "event", 64)])
        self.tells = tells

    def build(self, context: BuildContext) -> BeaconEngine:
        return (TellingEngine if self.tells else BeaconEngine)(context)


class BeaconEngine:
    def __init__(self, context: BuildContext) -> None:
        self.context = context
        self.now, self.beat = 0, 7_000

    def advance(self, t1: int) -> None:
        rows = self.context.inbox.take(t1).tolist()
        while True:
            if rows and rows[0][0] <= min(self.now, t1 - 1):
                self.beat = 1_000 + rows.pop(0)[4] % 9_000
                self.now = min(self.now, self.beat + self.now)
            elif self.now < t1:
                self.context.outbox.send(self.now, 0, self.now)
                self.now += self.beat
            elif rows:
                # The beat under way is kept; the message counts from the next one on.
                self.beat = 1_000 + rows.pop(0)[4] % 9_000
            else:
                return

    def next_event(self) -> int:
        return self.now

    def state(self) -> State:
        return {"now": np.array(self.now), "beat": np.array(self.beat)}

    snapshot = state


class TellingEngine(BeaconEngine):
    def sends(self, n: int) -> int:
        return self.now + (n - 1) * self.beat


def collector(every: int, says: bool, extra: int = 0) -> Callable[[hw.kernel.ProcessContext], object]:
    """Answers each `every`-th message at once, with its value; may say more than is true."""

    def run(ctx: hw.kernel.ProcessContext):
        count = 0

        def follow(port: str):
            nonlocal count
            while True:
                if says:
                    ctx.needs(every - count % every + extra)
                message = yield ctx.receive(port)
                count += 1
                ctx.record("got", message.value)
                if count % every == 0:
                    ctx.send("o", message.value)

        for port in ("i1", "i2"):
            ctx.process(follow(port))
        yield from follow("i")

    return run


def loop(every: int, says: bool, *, tells: bool = True, lines: int = 1, extra: int = 0) -> hw.System:
    """A beacon, a process that answers each so-manyth message, and a way back of 4 ps that changes the beat."""
    process = hw.Process(
        "p", collector(every, says, extra), inputs=["i", "i1", "i2"], outputs=["o"], signals={"got": "event"}
    )
    system = hw.System(Beacon("b", tells), process)
    for n, port in enumerate(("i", "i1", "i2")):
        if n < lines:
            system.connect("b.o", f"p.{port}", latency=ps(1 + n // 2))  # two of them at the same time
        else:
            system.drive(f"p.{port}", at=[])
    system.connect("p.o", "b.beat", latency=ps(3))
    return system


def turns(system: hw.System, name: str = "b") -> int:
    with hw.kernel.profiled() as profile:
        system.run(until=ns(20), progress=False)
    return int(profile.calls[name])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 3))
def test_what_a_process_says_it_needs_changes_no_result(every: int, lines: int) -> None:
    plain, said = (loop(every, says, lines=lines).run(until=ns(5), watch=["p.got"]) for says in (False, True))
    windows = loop(every, True, lines=lines).run(until=ns(5), watch=["p.got"], window=ps(1))
    assert plain.fingerprint == said.fingerprint == windows.fingerprint
    assert len(plain["p.got"].t) > 100


def test_the_source_runs_once_for_all_messages_that_are_needed() -> None:
    answers = loop(30, True).run(until=ns(20)).stats["p.sent"]
    assert turns(loop(30, True)) <= 4 * int(answers)
    assert turns(loop(30, False)) >= 20 * int(answers)


def test_a_source_that_does_not_say_when_it_sends_is_not_let_further() -> None:
    assert turns(loop(30, True, tells=False)) == turns(loop(30, False, tells=False))


def test_messages_of_another_source_are_not_taken_for_those_of_the_first() -> None:
    def system(says: bool) -> hw.System:
        made = loop(8, says)
        made.drive("p.i", at=[ps(t) for t in range(3, 900, 11)], values=list(range(3, 900, 11)))
        return made

    plain, said = (system(says).run(until=ns(2), watch=["p.got"]) for says in (False, True))
    assert plain.fingerprint == said.fingerprint


@pytest.mark.parametrize("window", ["auto", ps(1)])
def test_to_send_before_the_messages_came_is_an_error_that_says_how_many_lack(window: Time | str) -> None:
    with pytest.raises(SpecError, match=r"'p': send\('o'\) at t = .* needs 2 messages more"):
        loop(5, True, extra=2).run(until=ns(1), window=window)


def test_a_smaller_need_does_not_take_back_a_greater() -> None:
    def run(ctx: hw.kernel.ProcessContext):
        ctx.needs(3)
        yield ctx.timeout(ps(1))
        ctx.needs(0)
        ctx.send("o")

    with pytest.raises(SpecError, match="needs 3 messages more"):
        hw.System(hw.Process("p", run, outputs=["o"])).run(until=ns(1))


@pytest.mark.parametrize("messages", [-1, 1.5, True, "3"])
def test_a_need_is_a_whole_number_of_0_or_more(messages: object) -> None:
    def run(ctx: hw.kernel.ProcessContext):
        ctx.needs(messages)  # type: ignore[arg-type]
        yield ctx.timeout(ps(1))

    with pytest.raises(SpecError, match="needs"):
        hw.System(hw.Process("p", run, outputs=["o"])).run(until=ns(1))


class Hasty(Component):
    """An engine that says that it needs two messages and answers each."""

    def __init__(self, name: str) -> None:
        super().__init__(name, [Port("i", "in", "event", 64), Port("o", "out", "event", 64)])

    def build(self, context: BuildContext) -> HastyEngine:
        return HastyEngine(context)


class HastyEngine:
    def __init__(self, context: BuildContext) -> None:
        self.context = context

    def needs(self) -> int:
        return 2

    def advance(self, t1: int) -> None:
        for t, _, _, _, value in self.context.inbox.take(t1).tolist():
            self.context.outbox.send(t, 0, value)

    def next_event(self) -> int:
        return NEVER

    def state(self) -> State:
        return {"nothing": np.zeros(0)}

    snapshot = state


def test_an_engine_that_sends_before_it_has_what_it_needs_is_named() -> None:
    system = hw.System(Beacon("b"), Hasty("h"))
    system.connect("b.o", "h.i", latency=ps(1))
    system.connect("h.o", "b.beat", latency=ps(3))
    with pytest.raises(WiringError, match=r"'h' sent a message .* say that it needs fewer"):
        system.run(until=ns(1), window=ps(1))


def test_messages_that_wait_to_be_received_count() -> None:
    """Two come in one femtosecond: the process has received the first when it says that it needs one more."""
    sent = []

    def run(ctx: hw.kernel.ProcessContext):
        while True:
            ctx.needs(2)
            yield ctx.receive("i")
            yield ctx.receive("i")
            ctx.send("o")
            sent.append(int(ctx.now))

    system = hw.System(hw.Process("p", run, inputs=["i"], outputs=["o"]))
    system.drive("p.i", at=[ps(1), ps(2), ps(2), ps(2), ps(9)], values=[0] * 5)
    system.run(until=ns(1))
    assert sent == [2000, 2000]


def test_a_process_that_lacks_messages_waits_for_them_and_then_has_one_turn() -> None:
    answers = int(loop(30, True).run(until=ns(20)).stats["p.sent"])
    assert turns(loop(30, True), "p") <= 2 * answers + 4
    assert turns(loop(30, False), "p") >= 20 * answers


def test_a_process_with_a_clock_of_its_own_is_run_to_the_end_though_messages_lack() -> None:
    def run(ctx: hw.kernel.ProcessContext):
        ctx.needs(1000)
        while True:
            yield ctx.timeout(ps(10))
            ctx.record("tick", len(seen))

    def take(ctx: hw.kernel.ProcessContext):
        while True:
            seen.append((yield ctx.receive("i")))

    def both(ctx: hw.kernel.ProcessContext):
        ctx.process(take(ctx))
        yield from run(ctx)

    seen: list[object] = []
    system = hw.System(Beacon("b"), hw.Process("p", both, inputs=["i"], signals={"tick": "event"}))
    system.connect("b.o", "p.i", latency=ps(1))
    system.drive("b.beat", at=[])
    result = system.run(until=ns(1), watch=["p.tick"])
    assert result["p.tick"].t.tolist() == list(range(10_000, 1_000_000, 10_000))
    assert result.stats["p.received"] == len(range(0, 1_000_000 - 1000, 7000))


def test_messages_beyond_a_bound_do_not_wait_in_the_inbox() -> None:
    def run(ctx: hw.kernel.ProcessContext):
        ctx.needs(1 << 40)
        while True:
            yield ctx.receive("i")

    system = hw.System(Beacon("b"), hw.Process("p", run, inputs=["i"]))
    system.connect("b.o", "p.i", latency=ps(1))
    system.drive("b.beat", at=[])
    result = system.run(until=ns(100))
    (node,) = (node for node in system._plan.nodes if node.component.name == "p")
    assert result.stats["p.received"] > 3 * len(node.inbox.rows)


def test_what_waits_for_messages_is_in_the_results_that_an_error_leaves() -> None:
    def fail(ctx: hw.kernel.ProcessContext):
        yield ctx.timeout(ps(700))
        raise ValueError("broken")

    def made(*more: Component) -> hw.System:
        system = hw.System(Beacon("b"), hw.Process("p", collector(1000, True), inputs=["i", "i1", "i2"], outputs=["o"],
            signals={"got": "event"}), *more)  # fmt: skip
        system.connect("b.o", "p.i", latency=ps(1))
        system.connect("p.o", "b.beat", latency=ps(3))
        for port in ("p.i1", "p.i2"):
            system.drive(port, at=[])
        return system

    with pytest.raises(ValueError, match="broken") as caught:
        made(hw.Process("bad", fail)).run(until=ns(10), watch=["p.got"])
    kept = caught.value.partial
    whole = made().run(until=Time(kept.manifest["until_fs"]), watch=["p.got"])
    assert len(kept["p.got"].t) > 50
    assert kept["p.got"].t.tolist() == whole["p.got"].t.tolist()
