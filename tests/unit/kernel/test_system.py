"""Bad wiring, bad stimuli and bad calls are refused before a run, by name and with the remedy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hwmodel as hw
from hwmodel.errors import (
    BareNumberError,
    QueueOverflowError,
    SpecError,
    StimulusError,
    TimeRangeError,
    UnknownNameError,
    WiringError,
)
from hwmodel.kernel import BuildContext, Component, Port, ProcessContext
from hwmodel.units import Time, fs, ns, ps, s
from tests.kernel.models import Relay


def _pair() -> hw.System:
    system = hw.System(Relay("a"), Relay("b"))
    system.connect("a.o0", "b.i0", latency=ps(20))
    return system


def _ported(name: str, *ports: Port) -> Component:
    return Component(name, ports)


def test_an_unconnected_required_input_is_refused_by_name() -> None:
    with pytest.raises(
        WiringError, match=r"input 'a\.i0' is not connected; connect\(...\) or drive\('a\.i0'"
    ):
        _pair().run(until=ns(1))


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(WiringError) as caught:
        hw.System(Relay("a"), Relay("b")).check()
    assert "'a.i0'" in str(caught.value)
    assert "'b.i0'" in str(caught.value)


def test_an_optional_input_may_stay_open() -> None:
    assert hw.System(_ported("a", Port("i", "in", required=False))).check().warnings == ()


@pytest.mark.parametrize(
    ("source", "target", "text"),
    [
        (Port("x", "out", "bits", 8), Port("y", "in", "bits", 9), "widths differ, 8 and 9 bits"),
        (Port("x", "out", "pulse"), Port("y", "in", "event"), "protocols differ, 'pulse' and 'event'"),
        (Port("x", "in"), Port("y", "in"), "must go from an output to an input"),
        (
            Port("x", "out", role="initiator"),
            Port("y", "in", role="initiator"),
            "both ends have the role 'initiator'",
        ),
    ],
)
def test_ports_that_do_not_fit_are_refused(source: Port, target: Port, text: str) -> None:
    system = hw.System(_ported("a", source), _ported("b", target))
    with pytest.raises(WiringError, match=text):
        system.connect("a.x", "b.y", latency=ps(1))


def test_a_pulse_has_one_target_and_one_source() -> None:
    a = _ported("a", Port("x", "out", "pulse"))
    b = _ported("b", Port("y", "in", "pulse"), Port("z", "in", "pulse"))
    system = hw.System(a, b)
    system.connect(a.x, b.y, latency=ps(1))
    system.connect(a.x, b.z, latency=ps(1))
    with pytest.raises(WiringError, match=r"'a\.x' drives b\.y, b\.z; .* splitter"):
        system.check()
    other = _ported("c", Port("x", "out", "pulse"))
    system = hw.System(a, b, other)
    system.connect(a.x, b.y, latency=ps(1))
    system.connect(other.x, b.y, latency=ps(1))
    system.drive("b.z", at=[])
    with pytest.raises(WiringError, match=r"'b\.y' has 2 sources, .* merger"):
        system.check()


@pytest.mark.parametrize(("name", "near"), [("a.o1", "o0"), ("b.i9", "i0"), ("a.oo", "o0")])
def test_an_unknown_port_offers_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{near}'"):
        _pair().connect(name, "b.i0", latency=ps(1))


def test_a_short_name_must_be_unambiguous() -> None:
    with pytest.raises(WiringError, match=r"port 'i0' is ambiguous: a\.i0, b\.i0"):
        _pair().drive("i0", at=[])


def test_a_port_of_another_system_is_refused() -> None:
    with pytest.raises(WiringError, match=r"'z\.o0' belongs to no component"):
        _pair().connect(Relay("z").o0, "b.i0", latency=ps(1))


def test_names_are_unique() -> None:
    with pytest.raises(WiringError, match="two components are named 'a'"):
        hw.System(Relay("a"), Relay("a"))
    with pytest.raises(SpecError, match="letters, digits"):
        Relay("a b")


def test_a_link_object_can_be_given() -> None:
    a, b = Relay("a"), Relay("b")
    system = hw.System(a, b)
    link = hw.Link(a.o0, b.i0, ps(3))
    assert system.connect(link) == link
    with pytest.raises(WiringError, match="exists already"):
        system.connect(link)


@pytest.mark.parametrize("until", [5, 5.0, "5"])
def test_until_needs_a_unit(until) -> None:
    with pytest.raises(BareNumberError, match="until"):
        _pair().run(until=until)


def test_latency_needs_a_unit() -> None:
    with pytest.raises(BareNumberError, match="latency=3"):
        _pair().connect("b.o0", "a.i0", latency=3)


def test_a_run_beyond_9223_seconds_is_refused() -> None:
    system = _pair()
    with pytest.raises(TimeRangeError, match=r"9,223"):
        system.run(until=Time(2**63 - 2))
    with pytest.raises(TimeRangeError, match=r"9,223"):
        system.run(until="9224 s")


def test_a_run_up_to_9223_seconds_is_possible() -> None:
    system = _pair()
    system.drive("a.i0", at=[s(9222)], values=[0])
    assert len(system.run(until=s(9223), watch=["b.i0"])["b.i0"]) == 1


def test_time_does_not_run_backwards() -> None:
    system = _pair()
    system.drive("a.i0", at=[])
    system.run(until=ns(2))
    with pytest.raises(TimeRangeError, match="the system is at 2 ns already"):
        system.run(until=ns(1))


@pytest.mark.parametrize(
    ("stimulus", "text"),
    [
        ({"at": ps([5, 3]), "values": [0, 0]}, "item 1 at 3 ps comes after 5 ps"),
        ({"at": [fs(-1)], "values": [0]}, "must not be negative"),
        ({"at": ps([5]), "values": [0, 1]}, "1 times but 2 values"),
        ({}, "either times"),
        ({"at": ps([1]), "clock": hw.Clock(period=ps(1))}, "either times"),
        ({"clock": hw.Clock(period=ps(1)), "count": -1}, "must not be negative"),
    ],
)
def test_a_malformed_stimulus_is_refused(stimulus, text: str) -> None:
    with pytest.raises(StimulusError, match=text):
        _pair().drive("a.i0", **stimulus)


def test_a_stimulus_without_units_is_refused() -> None:
    with pytest.raises(BareNumberError, match=r"stimulus of 'a\.i0'\[0\]=5"):
        _pair().drive("a.i0", at=[5, 105])


def test_pulses_carry_no_values_and_levels_need_them() -> None:
    system = hw.System(_ported("a", Port("p", "in", "pulse"), Port("b", "in", "bits", 4)))
    with pytest.raises(StimulusError, match="no value"):
        system.drive("a.p", at=ps([1]), values=[1])
    with pytest.raises(StimulusError, match="needs values"):
        system.drive("a.b", at=ps([1]))
    with pytest.raises(StimulusError, match="item 1"):
        system.drive("a.p", at=ps([1, 1]))


def test_an_output_cannot_be_driven_nor_an_input_twice() -> None:
    system = _pair()
    with pytest.raises(WiringError, match="is an output"):
        system.drive("a.o0", at=[])
    system.drive("a.i0", at=[])
    with pytest.raises(WiringError, match="driven already"):
        system.drive("a.i0", at=[])


def test_a_clock_drives_without_end_or_so_many_edges() -> None:
    for count, expected in ((None, 7), (3, 3)):
        system = _pair()
        system.drive("a.i0", clock=hw.Clock(period=ps(10), phase=ps(5)), start=2, count=count)
        trace = system.run(until=ps(90), watch=["a.i0"])["a.i0"]
        assert trace.t.tolist() == [25_000 + 10_000 * n for n in range(expected)]


def test_long_stimuli_are_given_in_chunks() -> None:
    system = _pair()
    system.drive("a.i0", clock=hw.Clock(period=fs(10)), count=100_000)
    result = system.run(until=ns(2), watch=["a.i0"])
    assert len(result["a.i0"]) == 100_000
    assert result["a.i0"].t[-1] == 999_990


def test_the_wiring_is_fixed_once_a_run_has_begun() -> None:
    system = _pair()
    system.drive("a.i0", at=[])
    system.run(until=ns(1))
    for change in (lambda: system.add(Relay("c")), lambda: system.drive("a.i0", at=[])):
        with pytest.raises(WiringError, match="has begun to run"):
            change()


def test_watch_is_fixed_by_the_first_run() -> None:
    system = _pair()
    system.drive("a.i0", at=[])
    system.run(until=ns(1), watch=["b.i0"])
    with pytest.raises(SpecError, match="the first run watched"):
        system.run(until=ns(2), watch=["a.i0"])
    assert "b.i0" in system.run(until=ns(2)).traces


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"runner": "lop"}, UnknownNameError, "did you mean 'loop'"),
        ({"window": fs(0)}, ValueError, "greater than zero"),
        ({"watch": ["b.i00"]}, UnknownNameError, r"did you mean 'b\.i0'"),
        ({"watch": "b.i0"}, SpecError, "give a list"),
        ({"env": object()}, SpecError, "runner='simpy'"),
    ],
)
def test_a_bad_argument_of_run_is_refused(arguments, kind, text: str) -> None:
    system = _pair()
    system.drive("a.i0", at=[])
    with pytest.raises(kind, match=text):
        system.run(until=ns(1), **arguments)


def test_a_message_into_the_past_names_its_sender() -> None:
    def rogue(ctx: ProcessContext):
        yield ctx.timeout(ps(50))
        ctx._engine.context.outbox.send(1000, 0, 0)

    system = hw.System(hw.Process("rogue", rogue, outputs=["o"]), Relay("b"))
    system.connect("rogue.o", "b.i0", latency=ps(1))
    with pytest.raises(
        WiringError, match=r"'rogue' sent a message through 'rogue\.o' at t = 1 ps, before the present"
    ):
        system.run(until=ns(1))


def test_an_exception_names_component_and_time() -> None:
    def broken(ctx: ProcessContext):
        yield ctx.timeout(ps(50))
        raise ZeroDivisionError("oops")

    with pytest.raises(ZeroDivisionError) as caught:
        hw.System(hw.Process("broken", broken)).run(until=ns(1))
    assert "in process 'broken' at t = 50 ps" in "".join(caught.value.__notes__)


def test_a_full_buffer_is_a_named_error() -> None:
    from hwmodel.kernel import Inbox, Outbox, Recorder

    box = Outbox("a", limit=100)
    with pytest.raises(QueueOverflowError, match=r"the outbox of 'a' would hold 101 messages at t = 5 fs"):
        for _ in range(101):
            box.send(5, 0)
    inbox = Inbox("a", limit=100)
    with pytest.raises(QueueOverflowError, match="inbox of 'a'"):
        for n in range(101):
            inbox.push_one(n, 0, n, 0, 0)
    recorder = Recorder("a", limit=100)
    recorder.watch("a.x", "pulse")
    with pytest.raises(QueueOverflowError, match="watch fewer signals"):
        for n in range(101):
            recorder.record(n, 0)


def test_a_component_without_build_says_so() -> None:
    with pytest.raises(TypeError, match="defines no build"):
        hw.System(_ported("a")).run(until=ns(1))


def test_an_unknown_attribute_of_a_component_is_named() -> None:
    with pytest.raises(AttributeError, match="Relay 'a' has no attribute or port 'x'"):
        _ = Relay("a").x


def test_a_progress_function_is_called_with_time_and_end() -> None:
    calls: list[tuple[int, int]] = []

    class Slow(Relay):
        def build(self, context: BuildContext):
            import time

            engine = super().build(context)
            advance = engine.advance
            engine.advance = lambda t1: (time.sleep(0.002), advance(t1))[1]
            return engine

    system = hw.System(Slow("a", local=1000))
    system.drive("a.i0", at=[])
    system.run(until=ns(1), window=ps(1), progress=lambda now, until: calls.append((now, until)))
    assert calls
    assert all(0 < now <= until == 10**6 for now, until in calls)


@pytest.mark.parametrize("reference", [None, 5, b"a.i0"])
def test_a_port_that_is_no_name_is_refused(reference: object) -> None:
    with pytest.raises(WiringError, match="is no port"):
        _pair().drive(reference, at=ps([1]))


def test_a_numpy_seed_is_the_same_seed() -> None:
    assert type(hw.System(seed=np.int64(3)).seed) is int


@pytest.mark.parametrize("more", [{"clock": "1 GHz"}, {"clock": hw.Clock("1 GHz"), "count": 2.5}])
def test_a_drive_with_a_wrong_type_is_refused_at_once(more: dict[str, object]) -> None:
    with pytest.raises((StimulusError, SpecError), match=r"stimulus of 'a\.i0'"):
        _pair().drive("a.i0", **more)


def test_a_count_beside_times_is_refused() -> None:
    with pytest.raises(StimulusError, match="start and count go with clock="):
        _pair().drive("a.i0", at=ps([1, 2]), count=1)


@pytest.mark.parametrize("value", [1.7, 16, "3", None])
def test_a_stimulus_value_that_does_not_fit_its_port_is_refused(value: object) -> None:
    system = hw.System(_ported("a", Port("i", "in", "bits", 4)))
    with pytest.raises(SpecError, match=r"stimulus of 'a\.i': values\[0\]="):
        system.drive("a.i", at=ps([1]), values=[value])


@pytest.mark.parametrize("watch", [5, [5], [None], [b"q"], [hw.Probe("a.i0", clock="1 GHz")]])
def test_a_watch_of_a_wrong_type_is_refused(watch: object) -> None:
    system = _pair()
    system.drive("a.i0", at=ps([1]))
    with pytest.raises(SpecError, match="run\\(watch="):
        system.run(until=ns(1), watch=watch)


def test_a_signal_watched_in_two_ways_is_refused() -> None:
    system = _pair()
    system.drive("a.i0", at=ps([1]))
    with pytest.raises(SpecError, match=r"'a\.i0' is watched in two ways"):
        system.run(until=ns(1), watch=["a.i0", hw.Probe("a.i0", hw.Clock("1 GHz"))])


def test_after_an_error_neither_run_nor_checkpoint_goes_on(tmp_path: Path) -> None:
    def body(ctx: ProcessContext) -> Iterator[object]:
        yield ctx.timeout(ps(5))
        raise ValueError("boom")

    system = hw.System(hw.Process("p", body))
    with pytest.raises(ValueError, match="boom"):
        system.run(until=ns(1))
    with pytest.raises(WiringError, match=r"run: the last run .* ended by an error"):
        system.run(until=ns(2))
    with pytest.raises(WiringError, match=r"checkpoint: the last run .* ended by an error"):
        system.checkpoint(tmp_path / "a.ckpt")


def test_more_events_in_one_femtosecond_than_a_chunk_are_all_delivered() -> None:
    system = hw.System(Relay("a"))
    system.drive("a.i0", at=fs(np.full(40_000, 7)))
    assert system.run(until=ns(1)).stats == {}
    assert system.engine("a").seen == 40_000


def test_an_engine_that_leaves_an_event_behind_is_named() -> None:
    class Stuck(Relay):
        def build(self, context: BuildContext) -> object:
            engine = super().build(context)
            engine.advance = lambda t1: None
            return engine

    system = hw.System(Stuck("a", fan_in=0, local=5))
    with pytest.raises(
        WiringError, match=r"component 'a': after advance\(.*\) it still has an event .* 5 fs"
    ):
        system.run(until=ns(1))


def test_a_run_of_few_windows_tells_its_progress_too() -> None:
    def slow(ctx: ProcessContext):
        while True:
            yield ctx.timeout(ns(1))
            time.sleep(0.02)

    calls: list[int] = []
    system = hw.System(hw.Process("p", slow))
    system.run(until=ns(40), progress=lambda now, until: calls.append(now))
    assert calls
    assert calls[0] < ns(20)


@pytest.mark.parametrize("count", [1, 10])
def test_what_would_arrive_after_the_end_of_time_does_not_arrive(count: int) -> None:
    class Late(hw.Model):
        inputs, outputs = ["i"], ["o"]
        got: int = 0

        def start(self):
            for _ in range(count):
                self.send("o", after=s(9220))

        def on_i(self, value):
            self.got += 1

    system = hw.System(Late("late"))
    system.connect("late.o", "late.i", latency=s(5))
    assert system.run(until=s(9218)).stats["late.got"] == 0
