"""K3: messages are ordered by (t, link, seq); within a femtosecond: deliver, local, edge, probe."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.kernel import Inbox, ProcessContext
from hwmodel.units import fs, ps

row = st.tuples(
    st.integers(0, 5), st.integers(0, 3), st.integers(0, 5), st.integers(0, 2), st.integers(-9, 9)
)


@given(st.lists(st.lists(row, max_size=4)), st.integers(0, 7))
def test_an_inbox_is_sorted_by_time_link_and_sequence(batches, t1) -> None:
    import numpy as np

    inbox = Inbox("x")
    for batch in batches:
        inbox.push(np.array(sorted(batch), np.int64).reshape(-1, 5))
    every = [tuple(r) for batch in batches for r in batch]
    taken = [tuple(r) for r in inbox.take(t1).tolist()]
    left = [tuple(r) for r in inbox.take(100).tolist()]
    assert [r[:3] for r in taken] == sorted(r[:3] for r in every if r[0] < t1)
    assert sorted(taken + left) == sorted(every)


def test_a_full_inbox_takes_nothing_more_in_peace() -> None:
    import numpy as np

    inbox = Inbox("x")
    inbox.push(np.zeros((len(inbox.rows), 5), np.int64))
    inbox.push(np.zeros((0, 5), np.int64))
    assert len(inbox) == len(inbox.rows)


def _order_of_one_femtosecond(first: str, second: str) -> list[str]:
    seen: list[str] = []

    def watcher(ctx: ProcessContext):
        def on_message():
            while True:
                message = yield ctx.receive("i")
                seen.append(f"deliver {message.value}")

        def on_edge():
            yield ctx.edge(hw.Clock(period=ps(10)))
            seen.append("edge")

        def on_time():
            yield ctx.timeout(ps(10))
            seen.append("local")

        parts = {"edge": on_edge, "local": on_time}
        ctx.process(parts[first]())
        ctx.process(parts[second]())
        ctx.process(on_message())
        yield ctx.timeout(fs(0))

    def sender(ctx: ProcessContext):
        ctx.send("o", 7, after=ps(4))
        yield ctx.timeout(fs(0))

    system = hw.System(hw.Process("w", watcher, inputs=["i"]), hw.Process("s", sender, outputs=["o"]))
    system.connect("s.o", "w.i", latency=ps(6))
    system.run(until=ps(20))
    return seen


def test_phases_within_a_femtosecond_do_not_depend_on_who_waited_first() -> None:
    for first, second in (("edge", "local"), ("local", "edge")):
        # The process learns of the delivery in the local phase; the delivery itself comes first.
        assert _order_of_one_femtosecond(first, second)[-1] == "edge"


def test_a_delivery_comes_before_a_local_event_of_the_same_femtosecond() -> None:
    got: list[int] = []

    def watcher(ctx: ProcessContext):
        yield ctx.timeout(ps(10))
        message = ctx.receive("i")
        got.append(int(message.triggered))
        yield message

    def sender(ctx: ProcessContext):
        ctx.send("o")
        yield ctx.timeout(fs(0))

    system = hw.System(hw.Process("w", watcher, inputs=["i"]), hw.Process("s", sender, outputs=["o"]))
    system.connect("s.o", "w.i", latency=ps(10))
    system.run(until=ps(20))
    assert got == [1]


def test_a_clock_edge_sees_the_message_of_its_own_femtosecond() -> None:
    block = hw.Block("b", lambda i, s: ({}, {"q": i["d"]}), inputs={"d": 4}, outputs={"q": 4})
    system = hw.System(hw.ClockDomain("dom", hw.Clock(period=ps(10)), [block]))
    system.drive("b_d", at=ps([10, 20]), values=[5, 9])
    trace = system.run(until=ps(40), watch=["b_q"])["b_q"]
    assert list(zip(trace.t.tolist(), trace.value.tolist(), strict=True)) == [(10_000, 5), (20_000, 9)]


def test_a_probe_sees_the_change_of_its_own_femtosecond() -> None:
    block = hw.Block("b", lambda i, s: ({"n": s["n"] + 1}, {"q": s["n"]}), outputs={"q": 8}, state={"n": 1})
    clock = hw.Clock(period=ps(10))
    system = hw.System(hw.ClockDomain("dom", clock, [block]))
    trace = system.run(until=ps(40), watch=[hw.Probe("b_q", clock=clock)])["b_q"]
    assert trace.value.tolist() == [1, 2, 3, 4]


def test_two_messages_of_one_femtosecond_come_in_the_order_of_their_links() -> None:
    def sender(ctx: ProcessContext):
        ctx.send("o", 1 if ctx._engine.context.path == "a" else 2)
        yield ctx.timeout(fs(0))

    def listener(ctx: ProcessContext):
        while True:
            ctx.record("order", (yield ctx.receive("i")).value)

    for names in (("a", "b"), ("b", "a")):
        parts = [hw.Process(n, sender, outputs=["o"]) for n in names]
        system = hw.System(*parts, hw.Process("z", listener, inputs=["i"], signals={"order": "event"}))
        for n in names:
            system.connect(f"{n}.o", "z.i", latency=ps(3))
        assert system.run(until=ps(9), watch=["order"])["order"].value.tolist() == [1, 2]
