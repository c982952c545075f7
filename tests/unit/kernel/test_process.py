"""User processes wait on time, on a message, or on a clock edge."""

from __future__ import annotations

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import BareNumberError, SpecError, TimeRangeError, UnknownNameError, WiringError
from hwmodel.kernel import Port, ProcessContext
from hwmodel.units import fs, ns, ps, s


def _run(function, until=ns(1), **ports) -> hw.Result:
    system = hw.System(hw.Process("p", function, **ports))
    for name in ports.get("inputs", ()):
        system.drive(f"p.{name}", at=ps([10, 10, 30]), values=[1, 2, 3])
    return system.run(until=until, watch=[*ports.get("outputs", ()), *ports.get("signals", {})])


def test_it_waits_on_time() -> None:
    def body(ctx: ProcessContext):
        yield ctx.timeout(ps(3))
        yield ctx.timeout("4 ps")
        ctx.send(value=9)

    trace = _run(body, outputs=["o"])["o"]
    assert (trace.t.tolist(), trace.value.tolist()) == ([7000], [9])


def test_it_waits_on_messages_and_misses_none() -> None:
    def body(ctx: ProcessContext):
        yield ctx.timeout(ps(20))
        for _ in range(3):
            message = yield ctx.receive("i")
            ctx.record("got", message.value)

    trace = _run(body, inputs=["i"], signals={"got": "event"})["got"]
    assert (trace.t.tolist(), trace.value.tolist()) == ([20_000, 20_000, 30_000], [1, 2, 3])


def test_it_waits_on_a_clock_edge() -> None:
    clock = hw.Clock("150 GHz", phase=ps(1))

    def body(ctx: ProcessContext):
        for _ in range(3):
            ctx.record("edge", (yield ctx.edge(clock)))

    trace = _run(body, signals={"edge": "event"})["edge"]
    assert trace.value.tolist() == [0, 1, 2]
    assert trace.t.tolist() == clock.edges(0, 3).tolist()


def test_an_interrupted_receiver_loses_no_message() -> None:
    def impatient(ctx: ProcessContext):
        waiting = ctx.receive("i")
        yield waiting | ctx.timeout(ps(5))
        message = yield waiting
        ctx.record("got", message.value)
        ctx.record("got", (yield ctx.receive("i")).value)

    assert _run(impatient, inputs=["i"], signals={"got": "event"})["got"].value.tolist() == [1, 2]


def test_processes_start_others_and_use_all_of_simpy() -> None:
    def body(ctx: ProcessContext):
        store = simpy.Store(ctx.env)

        def producer():
            for n in range(3):
                yield ctx.timeout(ps(2))
                yield store.put(n)

        ctx.process(producer())
        for _ in range(3):
            ctx.record("got", (yield store.get()))

    trace = _run(body, signals={"got": "event"})["got"]
    assert (trace.t.tolist(), trace.value.tolist()) == ([2000, 4000, 6000], [0, 1, 2])


def test_a_later_message_is_recorded_when_it_leaves() -> None:
    def body(ctx: ProcessContext):
        ctx.send("o", 1, after=ps(50))
        ctx.send("o", 2, after=ps(20))
        yield ctx.timeout(fs(0))

    assert _run(body, outputs=["o"])["o"].value.tolist() == [2, 1]
    assert _run(body, until=ps(50), outputs=["o"])["o"].value.tolist() == [2]


def test_a_bits_port_of_a_process_can_be_driven_by_a_clock_domain() -> None:
    def body(ctx: ProcessContext):
        while True:
            ctx.record("got", (yield ctx.receive("i")).value)

    block = hw.Block(
        "b", lambda i, s: ({"n": s["n"] + 1}, {"q": s["n"] % 4}), outputs={"q": 2}, state={"n": 1}
    )
    process = hw.Process("p", body, inputs=[Port("i", "in", "bits", 2)], signals={"got": "event"})
    domain = hw.ClockDomain("d", hw.Clock(period=ps(100)), [block])
    system = hw.System(process, domain)
    system.connect("d.b_q", "p.i", latency=ps(10))
    assert system.run(until=ps(350), watch=["got"])["got"].t.tolist() == [10_000, 110_000, 210_000, 310_000]


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda c: c.timeout(3), BareNumberError, "timeout=3"),
        (lambda c: c.send("oo"), UnknownNameError, "did you mean 'o'"),
        (lambda c: c.receive("x"), UnknownNameError, "unknown input of process 'p'"),
        (lambda c: c.send("o", after=fs(-1)), TimeRangeError, "in the past"),
        (lambda c: c.record("nothing"), UnknownNameError, "unknown signal of process 'p'"),
        (lambda c: c.receive(), SpecError, "has 0 inputs"),
    ],
)
def test_misuse_is_named(act, kind, text: str) -> None:
    def body(ctx: ProcessContext):
        act(ctx)
        yield ctx.timeout(ps(1))

    with pytest.raises(kind, match=text):
        _run(body, outputs=["o"])


def test_a_function_that_yields_nothing_is_refused() -> None:
    with pytest.raises(SpecError, match="yields nothing"):
        _run(lambda ctx: None)
    with pytest.raises(SpecError, match="is not a function"):
        hw.Process("p", 3)


def test_the_users_own_environment_runs_beside_the_system() -> None:
    env = simpy.Environment(initial_time=500)
    seen: list[int] = []

    def own():
        for _ in range(3):
            yield env.timeout(10_000)
            seen.append(int(env.now))

    env.process(own())

    def body(ctx: ProcessContext):
        while True:
            yield ctx.timeout(ps(7))

    hw.System(hw.Process("p", body)).run(until=ps(25), runner="simpy", env=env)
    assert (seen, env.now) == ([10_500, 20_500], 25_500)


@pytest.mark.parametrize("value", [1.5, None, 2**63, "1"])
def test_a_value_that_is_no_whole_number_of_64_bits_is_refused(value: object) -> None:
    def body(ctx):
        yield ctx.timeout(ps(5))
        ctx.send("o", value)

    system = hw.System(hw.Process("p", body, outputs=[hw.Port("o", "out", "bits", 8)]))
    with pytest.raises(SpecError, match=r"process 'p': send\('o'\): value"):
        system.run(until=ns(1))


def test_a_recorded_value_is_never_truncated() -> None:
    def body(ctx):
        yield ctx.timeout(ps(5))
        ctx.record("n", 2.5)

    with pytest.raises(SpecError, match=r"record\('n'\): value=2.5"):
        hw.System(hw.Process("p", body, signals={"n": "event"})).run(until=ns(1))


def test_a_signal_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SpecError, match="signal 'n' is a 'wave'"):
        hw.Process("p", lambda ctx: iter(()), signals={"n": "wave"})


@pytest.mark.parametrize("reaction", [fs(-1), fs(2**62)])
def test_a_reaction_out_of_range_is_refused(reaction) -> None:
    with pytest.raises(SpecError, match="process 'p': reaction"):
        hw.Process("p", lambda ctx: iter(()), reaction=reaction)


@pytest.mark.parametrize("most", [1, 3, 100])
def test_all_that_is_sent_at_once_arrives_in_order(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwmodel.kernel._process.MOST_OUTGOING", most)

    def burst(ctx: ProcessContext):
        yield ctx.timeout(ps(10))
        for n in range(20):
            ctx.send(value=n)

    def sink(ctx: ProcessContext):
        while True:
            ctx.record("got", (yield ctx.receive()).value)

    system = hw.System(
        hw.Process("burst", burst, outputs=["o"]),
        hw.Process("sink", sink, inputs=["i"], signals={"got": "event"}),
    )
    system.connect("burst.o", "sink.i", latency=ps(1))
    trace = system.run(until=ns(1), watch=["sink.got"])["sink.got"]
    assert trace.value.tolist() == list(range(20))


FORMS = [{"a": 9}, {"a": "pulse"}, {"a": "event"}, {"a": "bits"}, ["a"], [Port("a", "out", "bits", 3)]]


@pytest.mark.parametrize("given", FORMS)
def test_a_process_reads_its_ports_as_a_model_does(given) -> None:
    class Twin(hw.Model):
        pass

    process, model = hw.Process("p", lambda ctx: iter(()), outputs=given), Twin("p", outputs=given)
    assert dict(process.ports) == dict(model.ports)


def test_a_number_is_the_width_of_a_port() -> None:
    port = hw.Process("p", lambda ctx: iter(()), inputs={"a": 9}).port("a")
    assert (port.direction, port.protocol, port.width) == ("in", "bits", 9)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"a": 65}, SpecError, "port 'p.a': width 65 is outside 1 to 64 bits"),
        ({"a": 2.5}, SpecError, "port 'p.a': width=2.5: a whole number is wanted"),
        ({"a": "puls"}, SpecError, "port 'p.a': protocol 'puls'"),
        ("abc", SpecError, "process 'p': inputs='abc': give names with protocols"),
        ([Port("a", "out")], SpecError, "process 'p': port 'a' is an output among the inputs"),
        (["a", "a"], WiringError, "process 'p': two inputs have one name; rename one"),
    ],
)
def test_a_port_that_cannot_be_read_is_refused_at_once(given, kind, text: str) -> None:
    with pytest.raises(kind, match=text):
        hw.Process("p", lambda ctx: iter(()), inputs=given)


@pytest.mark.parametrize("linked", [True, False])
def test_what_would_be_sent_after_the_end_of_time_is_refused(linked: bool) -> None:
    def late(ctx: ProcessContext):
        yield ctx.timeout(s(9000))
        ctx.send("o", 1, after=s(300))

    def sink(ctx: ProcessContext):
        yield ctx.receive()

    system = hw.System(hw.Process("late", late, outputs=["o"]), hw.Process("sink", sink, inputs=["i"]))
    if linked:
        system.connect("late.o", "sink.i", latency=ps(10))
    else:
        system.drive("sink.i", at=[], values=[])
    with pytest.raises(TimeRangeError) as caught:
        system.run(until=s(9100))
    assert str(caught.value) == (
        "process 'late' at t = 9000 s: send(after=s(300)) is beyond 9,223 s; give less"
    )


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-5, 5)), max_size=12), st.booleans())
def test_to_send_many_is_to_send_each(pairs: list[tuple[int, int]], at_once: bool) -> None:
    def body(ctx: ProcessContext):
        yield ctx.timeout(ps(3))
        ctx.send("o", 7, after=ps(4))
        if at_once:
            ctx.send_many("o", [v for _, v in pairs], after=ps([t for t, _ in pairs]))
        for t, v in [] if at_once else pairs:
            ctx.send("o", v, after=ps(t))
        ctx.send("o", 8, after=ps(4))

    def taker(ctx: ProcessContext):
        while True:
            ctx.record("got", (yield ctx.receive("i")).value)

    system = hw.System(
        hw.Process("p", body, outputs=["o"]), hw.Process("q", taker, inputs=["i"], signals={"got": "event"})
    )
    system.connect("p.o", "q.i", latency=ps(1))
    result = system.run(until=ns(1), watch=["p.o", "q.got"])
    sent = sorted([(4, 7), *pairs, (4, 8)], key=lambda pair: pair[0])  # of one time in the order of sending
    for name, flight in (("p.o", 3), ("q.got", 4)):
        assert result[name].t.tolist() == [1000 * (t + flight) for t, _ in sent]
        assert result[name].value.tolist() == [v for _, v in sent]
    assert result.stats["p.sent"] == len(sent)


def test_many_pulses_need_no_values_and_may_be_texts() -> None:
    def body(ctx: ProcessContext):
        ctx.send_many(after=["5 ps", ps(7)])
        yield ctx.timeout(ps(1))

    assert _run(body, outputs={"o": "pulse"})["o"].t.tolist() == [5000, 7000]


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda ctx: ctx.send_many("o", after=ps([3, -2])),
            TimeRangeError,
            r"after\[1\] is -2 ps, in the past",
        ),
        (lambda ctx: ctx.send_many("o", after=[s(9223)]), TimeRangeError, "9,223 s; give less"),
        (lambda ctx: ctx.send_many("o", after=[3]), BareNumberError, r"send_many\('o'\): after\[0\]"),
        (lambda ctx: ctx.send_many("o", [1], after=ps([3, 4])), SpecError, r"values=\[1\] for 2 times"),
        (lambda ctx: ctx.send_many("o", 1, after=ps([3])), SpecError, "values=1 for 1 times"),
        (
            lambda ctx: ctx.send_many("o", [1, 16], after=ps([3, 4])),
            SpecError,
            r"values\[1\]=16 does not fit into 4",
        ),
        (lambda ctx: ctx.send_many("x", after=ps([3])), UnknownNameError, "'x'"),
        (lambda ctx: (ctx.needs(1), ctx.send_many("o", after=ps([3]))), SpecError, "needs 1 messages more"),
        (lambda ctx: ctx.send("o", 16), SpecError, r"send\('o'\): value=16 does not fit into 4 bits"),
    ],
)
def test_what_cannot_be_sent_is_refused(call, kind, text) -> None:
    def body(ctx: ProcessContext):
        yield ctx.timeout(s(1))
        call(ctx)

    with pytest.raises(kind, match=text):
        hw.System(hw.Process("p", body, outputs={"o": 4})).run(until=s(2))


def test_a_value_in_twos_complement_fits_its_port() -> None:
    def body(ctx: ProcessContext):
        ctx.send("o", -8)
        ctx.send_many("o", [15], after=ps([1]))
        yield ctx.timeout(ps(1))

    assert _run(body, outputs={"o": 4})["o"].value.tolist() == [-8, 15]
