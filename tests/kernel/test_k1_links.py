"""K1: domains meet only at a link whose latency is greater than zero."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import WiringError
from hwmodel.units import Time, fs, ps

from .models import Relay


@given(st.integers(-5, 0))
def test_a_latency_of_zero_or_less_is_refused(latency: int) -> None:
    system = hw.System(Relay("a"), Relay("b"))
    with pytest.raises(WiringError, match=r"a\.o0 -> b\.i0: latency .* must be greater than zero"):
        system.connect("a.o0", "b.i0", latency=Time(latency))


@given(st.integers(1, 10**6), st.integers(0, 1000))
def test_a_message_arrives_exactly_one_latency_later(latency: int, sent: int) -> None:
    system = hw.System(Relay("a", delay=0), Relay("b"))
    system.connect("a.o0", "b.i0", latency=fs(latency))
    system.drive("a.i0", at=[fs(sent)], values=[0])
    result = system.run(until=fs(sent + latency + 1), watch=["b.i0"])
    assert result["b.i0"].t.tolist() == [sent + latency]


def test_zero_latency_inside_one_engine_is_legal() -> None:
    first = hw.Block(
        "first", lambda i, s: ({"n": s["n"] + 1}, {"q": (s["n"] + 1) % 8}), outputs={"q": 3}, state={"n": 0}
    )
    second = hw.Block("second", lambda i, s: ({}, {"q": i["d"]}), inputs={"d": 3}, outputs={"q": 3})
    domain = hw.ClockDomain("dom", hw.Clock(period=ps(10)), [first, second], {"second.d": "first.q"})
    trace = hw.System(domain).run(until=ps(41), watch=["second_q"])["second_q"]
    assert trace.t.tolist() == [10_000, 20_000, 30_000, 40_000]
