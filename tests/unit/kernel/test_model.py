"""A plain Python class is a component: messages call methods, annotated fields are the state."""

# ruff: noqa: RUF012 - a model copies its fields for every run

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import hwmodel as hw
from hwmodel.errors import (
    BareNumberError,
    CheckpointError,
    HwmodelError,
    QueueOverflowError,
    SpecError,
    TimeRangeError,
    UnknownNameError,
    WiringError,
)
from hwmodel.kernel import Port, _fields, stream_key
from hwmodel.units import MAX_TIME, Time, fs, ns, ps


class Divider(hw.Model):
    inputs, outputs = {"a": "pulse"}, {"q": "event"}
    count: int = 0

    def on_a(self, value):
        self.count += 1
        if self.count % 3 == 0:
            self.send("q", self.count, after=ps(10))


class Log(hw.Model):
    """Notes in which order it is called, and at which times."""

    inputs = ["a", "b"]
    records = {"log": "event"}

    def start(self):
        self.record("log", 0)
        self.wake(self.tick, 100, at=ps(10))
        self.wake("tick", 200, after=ps(10))
        self.wake(self.tick, 300, at="20 ps")

    def on_a(self, value):
        self.record("log", value)
        self.wake(self.tick, value + 1000)

    def receive(self, port, value):
        self.record("log", -value)

    def tick(self, value):
        self.record("log", value)


def log_of(**drives) -> list[tuple[int, int]]:
    system = hw.System(Log("p"))
    for port in ("a", "b"):
        times = drives.get(port, [])
        system.drive(port, at=ps(times), values=[n + 1 for n in range(len(times))])
    trace = system.run(until=ns(1), watch=["log"])["log"]
    return list(zip((trace.t // 1000).tolist(), trace.value.tolist(), strict=True))


def divided(until=ns(1)) -> hw.System:
    system = hw.System(Divider("div"))
    system.drive("a", clock=hw.Clock(period=ps(100)))
    return system


# ------------------------------------------------------------------------------------------ what it does


def test_a_class_of_ten_lines_divides_a_clock() -> None:
    trace = divided().run(until=ns(1), watch=["q"])["q"]
    assert (trace.t.tolist(), trace.value.tolist()) == ([210_000, 510_000, 810_000], [3, 6, 9])


def test_within_a_femtosecond_messages_come_before_wake_ups_in_the_order_asked_for() -> None:
    assert log_of(a=[10], b=[10]) == [(0, 0), (10, 1), (10, -1), (10, 100), (10, 200), (10, 1001), (20, 300)]


def test_start_comes_before_a_message_at_time_0() -> None:
    assert log_of(a=[0])[:3] == [(0, 0), (0, 1), (0, 1001)]


def test_start_is_called_once_however_many_windows_there_are() -> None:
    system = hw.System(Log("p"))
    for port in ("a", "b"):
        system.drive(port, at=[])
    system.run(until=ps(5), watch=["log"], window=fs(1))
    assert (system.run(until=ps(15), window=ps(1))["log"].value == [0, 100, 200]).all()


def test_a_port_without_a_method_of_its_own_goes_to_receive() -> None:
    assert (7, -1) in log_of(b=[7])


def test_many_messages_in_one_window_are_like_few() -> None:
    times = list(range(30, 60))
    assert [v for t, v in log_of(a=times) if t >= 30 and v < 1000] == list(range(1, 31))


def test_a_later_message_is_recorded_when_it_leaves() -> None:
    class Late(hw.Model):
        outputs = ["o"]

        def start(self):
            self.send("o", 1, after=ps(50))
            self.send("o", 2, after="20 ps")
            self.send("o", 3)

    assert hw.System(Late("p")).run(until=ns(1), watch=["o"])["o"].value.tolist() == [3, 2, 1]
    assert hw.System(Late("p")).run(until=ps(50), watch=["o"])["o"].value.tolist() == [3, 2]


def test_random_numbers_come_from_the_seed_and_the_path() -> None:
    class Dice(hw.Model):
        records = {"roll": "event"}

        def start(self):
            self.record("roll", int(self.rng.integers(1000)))

    rolls = hw.System(Dice("x.dice"), seed=7).run(until=ns(1), watch=["roll"])["roll"].value
    stream = np.random.Generator(np.random.PCG64(stream_key(7, "x.dice")))
    assert rolls.tolist() == [stream.integers(1000)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"x": "pulse"}, ("pulse", 1)),
        ({"x": "event"}, ("event", 64)),
        ({"x": 8}, ("bits", 8)),
        ({"x": Port("x", "out", "bits", 5)}, ("bits", 5)),
        ([Port("x", "out", "pulse")], ("pulse", 1)),
        (["x"], ("event", 64)),
    ],
)
def test_ports_are_named_by_protocol_width_or_port(given, wanted) -> None:
    port = hw.Model("m", outputs=given).port("x")
    assert ((port.protocol, port.width), port.path) == (wanted, "m.x")


def test_a_port_may_have_the_name_of_another_ones_method() -> None:
    class Odd(hw.Model):
        inputs = ["a", "on_a"]
        total: int = 0

        def receive(self, port, value):
            self.total += value if port == "a" else 100 * value

    system = hw.System(Odd("odd"))
    system.drive("odd.a", at=ps([1]), values=[1])
    system.drive("odd.on_a", at=ps([1]), values=[2])
    assert system.run(until=ns(1)).stats["odd.total"] == 201


def test_parameters_are_fields_or_a_frozen_spec() -> None:
    @dataclass(frozen=True)
    class Spec:
        every: int

    class Source(hw.Model):
        outputs = ["o"]
        value: int

        def start(self):
            self.send("o", self.value * self.spec.every)

    system = hw.System(Source("s", Spec(every=6), value=7))
    result = system.run(until=ns(1), watch=["o"])
    assert result["o"].value.tolist() == [42]
    described = result.manifest["components"][0]
    assert (described["spec"], described["fields"]) == ({"every": 6}, {"value": 7})


def test_fields_are_inherited_and_shown_in_the_stats() -> None:
    class Named(Divider):
        label: str = "x"
        half: float = 0.5
        table: ClassVar[list[int]] = [1]
        TIMES = [2]
        _hidden: np.ndarray = np.zeros(3)

    system = hw.System(Named("n", count=1))
    system.drive("a", at=ps([1, 2]))
    stats = system.run(until=ns(1)).stats
    assert stats == {"n.count": 3, "n.label": "x", "n.half": 0.5}


# ------------------------------------------------------------------------------------------ state of its own


class Keeper(hw.Model):
    inputs, outputs, records = ["i"], {"o": "event"}, {"seen": "event"}
    queue: list = []
    recent: deque = deque(maxlen=3)
    last: Time | None = None
    total: float = 0.25
    sums: np.ndarray = np.zeros(4, np.int64)
    peak: np.int64 = np.int64(0)
    modes: dict = {"a": (1, ps(2)), 3: None}
    mode: str = "idle"
    big: int = 1
    armed: bool = False

    def on_i(self, value):
        self.queue.append((self.now, np.float32(value)))
        self.recent.append(value)
        self.last, self.armed, self.mode = self.now, True, "busy\0"
        self.total += value / 3
        self.sums[value % 4] += value
        self.peak = max(self.peak, self.sums.max())
        self.modes[value] = [self.total, float("inf")]
        self.big = (self.big * 3 + value) % 2**200
        self.wake(self.answer, value, after=ps(int(self.rng.integers(1, 400))))

    def answer(self, value):
        self.record("seen", value)
        drawn = int(self.rng.integers(300))
        self.send("o", value * 2 + len(self.queue) + drawn, after=ps(drawn))


def keeper() -> hw.System:
    system = hw.System(Keeper("keep"), seed=4)
    system.drive("i", clock=hw.Clock(period=ps(30)))
    return system


WATCH = ["o", "seen", "i"]


def test_one_component_runs_in_two_systems_that_share_no_state() -> None:
    part = Keeper("keep")
    prints = []
    for _ in range(2):
        system = hw.System(part, seed=4)
        system.drive("i", clock=hw.Clock(period=ps(30)))
        prints.append(system.run(until=ns(1), watch=WATCH).fingerprint)
    assert prints[0] == prints[1] == keeper().run(until=ns(1), watch=WATCH).fingerprint
    assert (part.queue, part.sums.tolist(), part.modes[3]) == ([], [0, 0, 0, 0], None)


@pytest.mark.parametrize("middle", [0, 1, 450, 1000])
def test_a_run_that_is_resumed_equals_the_run_at_once(tmp_path, middle: int) -> None:
    whole = keeper().run(until=ns(2), watch=WATCH)
    first = keeper()
    first.run(until=ps(middle), watch=WATCH)
    first.checkpoint(tmp_path / "c")
    resumed = keeper().resume(tmp_path / "c").run(until=ns(2))
    assert len(whole["o"]) > 50
    assert resumed.fingerprint == whole.fingerprint


def test_a_resumed_field_has_its_type_and_its_value(tmp_path) -> None:
    first = keeper()
    first.run(until=ns(1))
    first.checkpoint(tmp_path / "c")
    second = keeper().resume(tmp_path / "c")
    second.run(until=ns(1))
    before, after = (system.engine("keep").model for system in (first, second))
    for name in Keeper.__annotations__:
        old, new = getattr(before, name), getattr(after, name)
        assert type(new) is type(old), name
        assert np.array_equal(new, old), name
    assert isinstance(after.queue[0][0], Time)
    assert (after.queue[0][1].dtype, after.recent.maxlen) == (np.float32, 3)


def test_a_checkpoint_of_other_first_values_is_refused(tmp_path) -> None:
    first = divided()
    first.run(until=ps(100))
    first.checkpoint(tmp_path / "c")
    with pytest.raises(CheckpointError, match="another system"):
        hw.System(Divider("div", count=1)).resume(tmp_path / "c")


def test_what_a_list_holds_is_looked_at_when_it_is_saved(tmp_path) -> None:
    class Odd(hw.Model):
        things: list = []

        def start(self):
            self.things.append(object())

    system = hw.System(Odd("odd"))
    assert system.run(until=ns(1)).fingerprint == hw.System(Odd("odd")).run(until=ns(1)).fingerprint
    with pytest.raises(CheckpointError, match=r"Odd 'odd': field 'things' holds a object"):
        system.checkpoint(tmp_path / "c")


# ------------------------------------------------------------------------------------------ what is refused


def _model(**body):
    return type("M", (hw.Model,), body)


def _field(value, **more):
    return _model(__annotations__={"x": "object"}, x=value, **more)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: _field({1, 2})("m"), SpecError, "M 'm': field 'x' is a set"),
        (lambda: _field(print)("m"), SpecError, "field 'x' is a builtin_function"),
        (lambda: _field([{1}])("m"), SpecError, "M 'm': field 'x' holds a set"),
        (lambda: _field(np.array(["a"]))("m"), SpecError, "field 'x' is a ndarray"),
        (lambda: _field(np.zeros(1 << 21))("m"), SpecError, "field 'x' is an array of 2097152 items"),
        (lambda: _field(0)("m", x=b"1"), SpecError, "field 'x' is a bytes"),
        (lambda: _field(0)("m", xx=1), UnknownNameError, "unknown field of M 'm' 'xx'; did you mean 'x'"),
        (lambda: _field(0, inputs=["x"], on_x=lambda s, v: None)("m"), SpecError, "'x' is a port and a fiel"),
        (lambda: _model(__annotations__={"n": int})("m"), SpecError, r"'n' has no value; write M\(..., n="),
        (lambda: _model(__annotations__={"now": int}, now=1)("m"), SpecError, "cannot be named 'now'"),
        (lambda: _model(queue=[])("m"), SpecError, "M.queue would be shared by all instances"),
        (lambda: _model(inputs=["a"])("m"), SpecError, "no method takes what comes through 'a'"),
        (lambda: _model(on_a=lambda s, v: None)("m"), UnknownNameError, "has a method 'on_a'"),
        (lambda: _model(inputs=["a"], on_a=lambda s: None)("m"), SpecError, r"on_a cannot be called .*value"),
        (lambda: _model(inputs=["a"], receive=lambda s, v: None)("m"), SpecError, "receive cannot be called"),
        (lambda: _model(outputs="q")("m"), SpecError, "outputs='q'"),
        (lambda: _model(outputs={"q": "puls"})("m"), SpecError, "port 'm.q': protocol 'puls'"),
        (lambda: _model(outputs={"q": 65})("m"), SpecError, "port 'm.q': width 65"),
        (lambda: _model(outputs=[Port("q", "in")])("m"), SpecError, "'q' is an input among the outputs"),
        (lambda: _model(outputs=["q", "q"])("m"), WiringError, "two outputs have one name"),
        (lambda: _model(records={"n": "wave"})("m"), SpecError, "signal 'n' is a 'wave'"),
        (lambda: _model(records={"q": "event"}, outputs=["q"])("m"), SpecError, "'q' is a port"),
        (lambda: hw.Model("m", spec=[1]), SpecError, "is no frozen dataclass"),
        (lambda: hw.Model("m").send("q"), WiringError, "'send' is for its methods while a system runs"),
        (lambda: hw.Model("m").now, WiringError, "'now' is for its methods"),
    ],
)
def test_a_class_that_is_wrong_is_refused_at_the_door(make, kind, text: str) -> None:
    with pytest.raises(kind, match=text):
        make()


def test_a_spec_that_a_run_could_change_is_refused() -> None:
    @dataclass(frozen=True)
    class Spec:
        taps: list

    with pytest.raises(SpecError, match=r"spec\.taps could be changed by a run"):
        hw.Model("m", Spec([1]))


def _acts(act):
    class Acting(hw.Model):
        outputs = {"out": "event", "bits": 4}
        records = {"seen": "event"}
        count: int = 0
        most_wakes = 10

        def start(self):
            self.wake(self.later, after=ns(3))

        def later(self):
            act(self)

    return hw.System(Acting("x.part"))


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda m: m.send("ouut"), UnknownNameError, "output of Acting 'x.part' 'ouut'; did you mean 'out'"),
        (lambda m: m.send("out", 1.5), SpecError, r"send\('out'\): value=1.5: a whole number"),
        (lambda m: m.send("out", 1 << 63), SpecError, "does not fit into 64 bits"),
        (lambda m: m.send("bits", 16), SpecError, "=16 does not fit into 4 bits; it goes from -8 to 15"),
        (lambda m: m.send("out", after=3), BareNumberError, r"send\(after\)=3"),
        (lambda m: m.send("out", after=ps(-1)), TimeRangeError, r"send\(after=ps\(-1\)\) is in the past"),
        (lambda m: m.send("out", after=Time(MAX_TIME)), TimeRangeError, "beyond 9,223 s"),
        (lambda m: m.wake(m.later, after=ps(-1)), TimeRangeError, r"wake\(after=ps\(-1\)\) is in the past"),
        (lambda m: m.wake(m.later, at=ns(2)), TimeRangeError, r"wake\(at=ns\(2\)\) is in the past"),
        (lambda m: m.wake(m.later, at=ns(4), after=ns(1)), SpecError, "give one of the two"),
        (lambda m: m.wake("latter"), UnknownNameError, "did you mean 'later'"),
        (lambda m: m.wake(lambda: None), SpecError, "give a method of this model"),
        (lambda m: m.wake(m.later, 1.5), SpecError, r"wake\(later\): value=1.5"),
        (lambda m: m.record("sean"), UnknownNameError, "did you mean 'seen'"),
        (lambda m: m.record("seen", "1"), SpecError, r"record\('seen'\): value='1'"),
        (lambda m: setattr(m, "cuont", 1), SpecError, "'cuont' is no field of its class"),
        (lambda m: delattr(m, "count"), SpecError, "'count' is no field"),
        (lambda m: setattr(m, "count", {1}), SpecError, "field 'count' is a set, which cannot be saved"),
        (lambda m: [m.wake(m.later, after=ns(1)) for _ in range(99)], QueueOverflowError, "10 wake-ups are"),
        (lambda m: 1 // 0, ZeroDivisionError, "division"),
    ],
)
def test_a_call_that_is_wrong_is_named_with_path_and_time(act, kind, text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        _acts(act).run(until=ns(10))
    assert "in Acting 'x.part' at t = 3 ns" in caught.value.__notes__
    assert caught.value.partial.until == ns(3)


def test_an_undeclared_attribute_of_the_constructor_is_refused() -> None:
    class Own(hw.Model):
        def __init__(self, name):
            super().__init__(name)
            self.count = 1

    with pytest.raises(SpecError, match="Own 'own': 'count' is no field of its class"):
        hw.System(Own("own")).run(until=ns(1))


def test_a_queue_that_only_grows_is_refused(monkeypatch) -> None:
    class Grows(hw.Model):
        inputs = ["a"]
        queue: list = []

        def on_a(self, value):
            self.queue.append(value)

    monkeypatch.setattr(_fields, "MOST_ITEMS", 20)
    system = hw.System(Grows("g"))
    system.drive("a", clock=hw.Clock(period=ps(10)))
    with pytest.raises(QueueOverflowError, match=r"Grows 'g' at t = .*: field 'queue' holds"):
        system.run(until=ns(1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Counter("ab"), "holds a Counter, which cannot be saved"),
        (defaultdict(int), "holds a defaultdict, which cannot be saved"),
        ([OrderedDict(a=1)], "holds a OrderedDict, which cannot be saved"),
        ([np.longdouble(1) / 3], "holds a longdouble, which cannot be saved"),
        (np.array(3), r"is an array without a dimension; give it shape \(1,\)"),
    ],
)
def test_what_a_checkpoint_would_bring_back_as_something_else_is_refused(value, text: str) -> None:
    class Keeps(hw.Model):
        kept: object = None

    with pytest.raises(SpecError, match=f"Keeps 'k': field 'kept' {text}"):
        Keeps("k", kept=value)


def test_a_tuple_that_only_grows_is_refused(monkeypatch) -> None:
    class Grows(hw.Model):
        inputs = ["a"]
        seen: tuple = ()

        def on_a(self, value):
            self.seen += (value,)

    monkeypatch.setattr(_fields, "MOST_ITEMS", 20)
    system = hw.System(Grows("g"))
    system.drive("a", clock=hw.Clock(period=ps(10)))
    with pytest.raises(QueueOverflowError, match=r"Grows 'g' at t = .*: field 'seen' holds"):
        system.run(until=ns(1))


def test_a_message_at_a_bare_model_is_an_error_of_hwmodel() -> None:
    with pytest.raises(HwmodelError, match="has no method for input 'x'"):
        hw.Model("m").receive("x", 1)
