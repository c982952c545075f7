"""K5: the window never exceeds the smallest link latency, and quiet time costs nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

import hwmodel as hw
from hwmodel.errors import WindowError
from hwmodel.kernel import BuildContext
from hwmodel.units import Time, fs, ms, ns, ps

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


def ring(*latencies: int, until: Time = ns(200)) -> list[int]:
    """Run tickers joined in a ring; give the longest stretch of each, ps."""
    tickers = [Ticker(f"n{k}") for k in range(len(latencies))]
    system = hw.System(*tickers)
    for k, latency in enumerate(latencies):
        system.connect(f"n{k}.o0", f"n{(k + 1) % len(latencies)}.i0", latency=ps(latency))
    system.run(until=until)
    return [ticker.engine.longest // 1000 for ticker in tickers]


def test_an_engine_runs_as_far_as_no_message_can_reach_it() -> None:
    # Both might go once round the ring, but the first not beyond 64 of its own links, nor the other beyond it by more.
    assert ring(10, 1000) == [64 * 10, 64 * 10 + 10]
    assert ring(100, 1000) == [1100, 1100]


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
