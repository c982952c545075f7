"""K5: the window never exceeds the smallest link latency, and quiet time costs nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import WindowError, WiringError
from hwmodel.kernel import BuildContext, ProcessContext
from hwmodel.units import Time, fs, ms, ns, ps, us

from .models import Plan, Relay, RelayEngine, plans


@settings(max_examples=25, deadline=None)
@given(plans())
def test_a_window_above_the_lookahead_is_refused_before_anything_runs(plan: Plan) -> None:
    system = plan.build()
    with pytest.raises(WindowError):
        system.run(until=fs(50), window=fs(plan.lookahead + 1))
    assert all(not relay.calls for relay in system.components if isinstance(relay, Relay))
    system.run(until=fs(50), window=fs(plan.lookahead))


def test_the_error_names_the_link_both_values_and_the_fix() -> None:
    system = hw.System(Relay("a"), Relay("b"))
    system.connect("a.o0", "b.i0", latency=ps(20))
    system.drive("a.i0", at=[])
    with pytest.raises(WindowError) as caught:
        system.run(until=ns(1), window=ps(21))
    for part in ("21 ps", "20 ps", "a.o0 -> b.i0", "window='auto'"):
        assert part in str(caught.value)


def test_sparse_traffic_costs_windows_in_proportion_to_messages_not_to_time() -> None:
    def windows(gap_ps: int) -> int:
        system = hw.System(Relay("a"), Relay("b"))
        system.connect("a.o0", "b.i0", latency=ps(10))
        system.drive("a.i0", at=ps([gap_ps * n for n in range(100)]), values=[0] * 100)
        return system.run(until=ms(1)).manifest["windows"]

    assert windows(100) <= windows(1_000_000) <= 201


class Ticker(Relay):
    """Has an event of its own each picosecond, and notes how far it was allowed to run at once."""

    def build(self, context: BuildContext) -> RelayEngine:
        engine = TickerEngine(self, context)
        self.engine = engine
        return engine


class TickerEngine(RelayEngine):
    def __init__(self, relay: Relay, context: BuildContext) -> None:
        super().__init__(relay, context)
        self.now, self.longest = 0, 0

    def advance(self, t1: int) -> None:
        self.longest = max(self.longest, t1 - self.now)
        super().advance(t1)
        self.now = -(-t1 // 1000) * 1000

    def next_event(self) -> int:
        return min(self.now, super().next_event())


def ring(*latencies: int, until: Time = ns(200), back: bool = True) -> list[int]:
    """Run tickers joined in a ring, or in a row; give the longest stretch of each, ps."""
    tickers = [Ticker(f"n{k}") for k in range(len(latencies) + (not back))]
    system = hw.System(*tickers)
    for k, latency in enumerate(latencies):
        system.connect(f"n{k}.o0", f"n{(k + 1) % len(tickers)}.i0", latency=ps(latency))
    if not back:
        system.drive("n0.i0", at=[])
    system.run(until=until)
    return [ticker.engine.longest // 1000 for ticker in tickers]


def test_an_engine_runs_as_far_as_no_message_can_reach_it() -> None:
    assert ring(10, 1000) == [1010, 1010]
    assert ring(100, 1000) == [1100, 1100]


def test_a_source_runs_ahead_by_64_of_its_links_and_its_receiver_follows() -> None:
    assert ring(10, back=False) == [64 * 10, 64 * 10]


def test_no_engine_runs_further_than_its_own_messages_take_to_come_back() -> None:
    assert ring(10, 20, 30) == [60, 60, 60]


def test_with_many_components_windows_are_of_equal_length() -> None:
    from hwmodel.kernel._plan import MOST_NODES

    assert set(ring(10, *[500] * MOST_NODES, until=ns(2))) == {10}


def test_the_report_gives_the_lookahead_of_every_link() -> None:
    system = hw.System(Relay("a"), Relay("b"))
    system.connect("a.o0", "b.i0", latency=ps(20))
    system.drive("a.i0", at=[])
    report = system.check()
    assert report.lookahead == 20_000
    assert "a.o0 -> b.i0: lookahead 20 ps" in str(report)


def test_the_report_ends_with_the_smallest_lookahead() -> None:
    """Which is no window: where none is asked for, an engine runs ahead of the others by more."""
    system = hw.System(Relay("a"), Relay("b"))
    system.drive("a.i0", at=[])
    system.connect("a.o0", "b.i0", latency=ps(20))
    assert str(system.check()).splitlines()[-1] == "smallest lookahead = 20 ps"
    alone = hw.System(Relay("a"))
    alone.drive("a.i0", at=[])
    assert str(alone.check()).splitlines()[-1] == "no links: no lookahead to keep"


def _promised(reaction: Time, after: Time, extra: Time = ps(0)) -> hw.System:
    """Two processes in a loop of 2 ps; one answers each message `after` a time, and beats by itself."""

    def quick(ctx: ProcessContext):
        while True:
            yield ctx.timeout(ps(7))
            ctx.send("o", 1)

    def slow(ctx: ProcessContext):
        def beat():
            for _ in range(20):
                yield ctx.timeout(ps(11) + extra)
                ctx.send("o", 2)  # no answer, so that it need not wait

        ctx.process(beat())
        while True:
            message = yield ctx.receive("i")
            ctx.send("o", message.value, after=after)

    def sink(ctx: ProcessContext):
        while True:
            ctx.record("got", (yield ctx.receive("i")).value)

    system = hw.System(
        hw.Process("quick", quick, outputs=["o"]),
        hw.Process("slow", slow, inputs=["i"], outputs=["o"], reaction=reaction),
        hw.Process("sink", sink, inputs=["i"], outputs=["o"], signals={"got": "event"}),
    )
    system.connect("quick.o", "slow.i", latency=ps(1))
    system.connect("slow.o", "sink.i", latency=ps(1))
    return system


@given(st.integers(0, 50_000), st.integers(0, 5_000))
def test_a_promised_reaction_changes_no_result(reaction: int, extra: int) -> None:
    runs = [_promised(fs(r), fs(reaction), fs(extra)) for r in (0, reaction)]
    plain, promised = (system.run(until=ps(400), watch=["sink.got"]) for system in runs)
    assert plain.fingerprint == promised.fingerprint
    assert set(plain["sink.got"].value.tolist()) == {1, 2}


@pytest.mark.parametrize("window", ["auto", ps(1)])
def test_a_broken_promise_is_an_error_that_names_it(window: Time | str) -> None:
    system = _promised(ps(5), ps(4), ns(1))
    with pytest.raises(
        WiringError, match=r"'slow' answered .* 'slow\.o' .* sooner than its reaction of 5 ps"
    ):
        system.run(until=ps(400), window=window)


def test_a_broken_promise_that_others_relied_on_is_never_a_wrong_result() -> None:
    """`slow` answers by a timeout that it begins in one window and ends in another, `sink` has run ahead meanwhile."""

    def every(period: Time, send: bool):
        def run(ctx: ProcessContext):
            while True:
                yield ctx.timeout(period)
                if send:
                    ctx.send("o", 1)

        return run

    def slow(ctx: ProcessContext):
        while True:
            message = yield ctx.receive("i")
            yield ctx.timeout(ps(6300))
            ctx.send("o", message.value)

    system = hw.System(
        hw.Process("x", every(ps(500), False), inputs=["i"], outputs=["o", "p", "q"]),
        hw.Process("y", every(ps(500), False), inputs=["i"], outputs=["o"]),
        hw.Process("source", every(ns(5), True), inputs=["i"], outputs=["o"]),
        hw.Process("slow", slow, inputs=["i", "j"], outputs=["o"], reaction=ns(50)),
        hw.Process("sink", every(ps(700), False), inputs=["i"], outputs=["o"]),
    )
    joined = {
        "x.o": "y.i",
        "y.o": "x.i",
        "x.p": "slow.j",
        "x.q": "source.i",
        "source.o": "slow.i",
        "slow.o": "sink.i",
    }
    for source, target in joined.items():
        system.connect(source, target, latency=ns(1))
    with pytest.raises(
        WiringError, match=r"'sink' was run up to .* shorter than declared, one of: 'slow' \(50 ns\)"
    ):
        system.run(until=us(5))


def test_a_source_that_sends_much_runs_ahead_in_shorter_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    from hwmodel.kernel import _plan

    class Source(hw.Model):
        outputs = ("o",)

        def start(self):
            self.wake(self.tick)

        def tick(self):
            for k in range(10):
                self.send("o", after=ps(k))
            self.wake(self.tick, after=ps(10))

    class Sink(hw.Model):
        inputs = ("i",)
        got: int = 0

        def on_i(self, value):
            self.got += 1

    monkeypatch.setattr(_plan, "MUCH", 64)
    system = hw.System(Source("source"), Sink("near"), Sink("far"))
    system.connect("source.o", "near.i", latency=ps(5))
    system.connect("source.o", "far.i", latency=ps(500))
    result = system.run(until=ns(64), progress=False)  # of which a share is 500 messages
    assert result.stats["near.got"] == 64_000 - 5
    assert len(system.engine("near").context.inbox.rows) <= 4 * 64


def test_a_longer_reaction_in_a_loop_makes_fewer_windows() -> None:
    def windows(reaction: Time) -> int:
        def tick(ctx: ProcessContext):
            while True:
                yield ctx.timeout(ps(10))
                ctx.send("o")

        def echo(ctx: ProcessContext):
            while True:
                yield ctx.receive("i")
                yield ctx.timeout(ps(95))
                ctx.send("o")

        system = hw.System(
            hw.Process("tick", tick, inputs=["i"], outputs=["o"]),
            hw.Process("echo", echo, inputs=["i"], outputs=["o"], reaction=reaction),
        )
        system.connect("tick.o", "echo.i", latency=ps(1))
        system.connect("echo.o", "tick.i", latency=ps(1))
        with hw.kernel.profiled() as profile:
            system.run(until=ns(10), progress=False)
        return profile.calls["tick"]

    assert 4 * windows(ps(95)) < windows(ps(0))
