"""K6: the fingerprint depends on neither window, runner nor the order of building."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.units import fs

from .models import Plan, plans


@settings(max_examples=40, deadline=None)
@given(plans(), st.data())
def test_one_system_one_fingerprint(plan: Plan, data: st.DataObject) -> None:
    watch = [f"r{k}.i0" for k in range(len(plan.relays)) if k == 0 or any(t == k for _, t, _ in plan.links)]
    order = data.draw(st.permutations(range(len(plan.relays))))
    until = fs(data.draw(st.integers(1, 150)))
    window = fs(data.draw(st.integers(1, plan.lookahead)))
    base = plan.build().run(until=until, watch=watch)
    assert plan.build().run(until=until, watch=watch, window=window).fingerprint == base.fingerprint
    assert plan.build().run(until=until, watch=watch, runner="simpy").fingerprint == base.fingerprint
    assert (
        plan.build(list(order)).run(until=until, watch=watch, window=window).fingerprint == base.fingerprint
    )


@settings(max_examples=20, deadline=None)
@given(plans(), st.data())
def test_a_run_in_two_parts_is_the_run_at_once(plan: Plan, data: st.DataObject) -> None:
    middle, until = sorted(data.draw(st.lists(st.integers(0, 120), min_size=2, max_size=2)))
    whole = plan.build().run(until=fs(until), watch=["r0.i0"])
    parts = plan.build()
    parts.run(until=fs(middle), watch=["r0.i0"])
    assert parts.run(until=fs(until)).fingerprint == whole.fingerprint


def test_another_seed_is_another_fingerprint() -> None:
    plan = Plan(((1, 0), (2, 5)), ((0, 1, 4), (1, 0, 3)), (0, 5), 0)
    prints = {plan.build(seed=seed).run(until=fs(60)).fingerprint for seed in range(5)}
    assert len(prints) == 5
