"""K5: the window never exceeds the smallest link latency, and quiet time costs nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

import hwmodel as hw
from hwmodel.errors import WindowError
from hwmodel.units import fs, ms, ns, ps

from .models import Plan, Relay, plans


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

    assert windows(1_000_000) <= windows(100) <= 201


def test_the_report_gives_the_lookahead_of_every_link() -> None:
    system = hw.System(Relay("a"), Relay("b"))
    system.connect("a.o0", "b.i0", latency=ps(20))
    system.drive("a.i0", at=[])
    report = system.check()
    assert report.lookahead == 20_000
    assert "a.o0 -> b.i0: lookahead 20 ps" in str(report)
