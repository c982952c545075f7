"""K2: `advance(t1)` runs every local event with t < t1 and no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.kernel import BuildContext, Engine, Inbox, Outbox, Recorder
from hwmodel.units import NEVER, fs, ns, ps

from .models import Plan, Relay, RelayEngine, plans


@settings(max_examples=40, deadline=None)
@given(plans(), st.integers(0, 80))
def test_every_event_runs_in_the_window_that_holds_it(plan: Plan, until: int) -> None:
    system = plan.build()
    system.run(until=fs(until), window=fs(1))
    for relay in system.components:
        assert isinstance(relay, Relay)
        before = 0
        for t1, ran in relay.calls:
            assert all(before <= t < t1 for t in ran)
            before = t1
        assert before <= until


def _engine(component: hw.Component) -> tuple[Engine, BuildContext]:
    outs = tuple(p.name for p in component.ports.values() if p.direction == "out")
    ins = tuple(p.name for p in component.ports.values() if p.direction == "in")
    context = BuildContext(
        "x", 0, (), ins, outs, Inbox("x"), Outbox("x"), Recorder("x"), linked=frozenset(outs)
    )
    return component.build(context), context


def _ticker(ctx: hw.kernel.ProcessContext):
    while True:
        yield ctx.timeout(ps(5))
        ctx.send("o")


def _counter() -> hw.ClockDomain:
    block = hw.Block(
        "b", lambda i, s: ({"n": s["n"] + 1}, {"q": s["n"] % 2}), outputs={"q": 1}, state={"n": 1}
    )
    return hw.ClockDomain("x", hw.Clock(period=ps(5), phase=ps(5)), [block])


@pytest.mark.parametrize("make", [lambda: hw.Process("x", _ticker, outputs=["o"]), _counter])
def test_the_bound_is_half_open(make) -> None:
    engine, context = _engine(make())
    engine.advance(5000)
    assert (context.outbox.n, engine.next_event()) == (0, 5000)
    engine.advance(5001)
    assert context.outbox.n == 1
    assert context.outbox.rows[0, 0] == 5000
    assert engine.next_event() == 10_000


def test_an_engine_with_nothing_to_do_says_never() -> None:
    def once(ctx: hw.kernel.ProcessContext):
        yield ctx.timeout(ps(1))

    engine, _ = _engine(hw.Process("x", once))
    engine.advance(2000)
    assert engine.next_event() == NEVER


def test_the_kernels_own_engines_are_engines() -> None:
    assert isinstance(_engine(hw.Process("x", _ticker, outputs=["o"]))[0], Engine)
    assert isinstance(_engine(_counter())[0], Engine)


def test_an_engine_may_tell_its_next_event_as_a_number_of_numpy() -> None:
    class Numbers(RelayEngine):
        def next_event(self) -> np.int64:
            return np.int64(super().next_event())

    class Numbered(Relay):
        def build(self, context: BuildContext) -> Numbers:
            return Numbers(self, context)

    def run(kind: type[Relay]) -> str:
        system = hw.System(kind("a", local=5000), kind("b"))
        system.connect("a.o0", "b.i0", latency=ps(3))
        system.connect("b.o0", "a.i0", latency=ps(4))
        return system.run(until=ns(10)).fingerprint

    # Nothing ever happens in b by itself: a sum of a latency and NEVER must not wrap around.
    assert run(Numbered) == run(Relay)
