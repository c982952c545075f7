"""A core in a system: no result hangs on windows, runners or checkpoints; links, processes, probes and figures."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.cryo.engine import Doorbell, Mailbox, TracedCore
from hwmodel.units import NEVER, GHz, fs, ns, ps, us

from .lockstep_programs import (
    BELL,
    CYCLE,
    HEAP,
    INBOX,
    KINDS,
    LAMP,
    LATE,
    LATENCY,
    PANEL,
    branch,
    core_of,
    echo,
    engine_of,
    load,
    small,
    store,
    work,
    write,
)

pytestmark = pytest.mark.kernels


# ---------------------------------------------------------------------------------------------- windows and runners


steps = st.lists(
    st.sampled_from(["work", "load", "store", "taken", "not", "inbox", "panel", "bell", "lamp"]),
    min_size=1,
    max_size=60,
)
times = st.lists(st.integers(0, 2_000_000), max_size=12).map(lambda x: sorted(set(x)))


def random_core(folder: str, kinds: list[str], kind: str, repeat: int) -> TracedCore:
    made = {
        "work": lambda n: work()[0],
        "load": lambda n: load(HEAP + 264 * n),
        "store": lambda n: store(HEAP + 264 * n),
        "taken": lambda n: branch(True),
        "not": lambda n: branch(False),
        "inbox": lambda n: load(INBOX),
        "panel": lambda n: load(PANEL),
        "bell": lambda n: store(BELL),
        "lamp": lambda n: store(LAMP),
    }
    program = write(Path(folder) / "a.hwt", *(made[name](n) for n, name in enumerate(kinds)))
    value = lambda store: store.number * 1000 + sum(store.received.values())  # noqa: E731
    return TracedCore(
        "core",
        program,
        small(kind),
        mailboxes={"inbox": Mailbox(INBOX, ns(1)), "panel": Mailbox(PANEL, ps(300), mode="polling")},
        doorbells={"bell": Doorbell(BELL, value=value), "lamp": Doorbell(LAMP, value=value)},
        repeat=repeat,
    )


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS), repeat=st.integers(1, 3))
def test_windows_and_runners_give_one_fingerprint(data: st.DataObject, kind: str, repeat: int) -> None:
    kinds, inbox, panel = data.draw(steps), data.draw(times), data.draw(times)
    until = data.draw(st.integers(1, 3_000_000))
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        for options in (
            {},
            {"window": fs(data.draw(st.integers(1000, 400_000)))},
            {"window": fs(data.draw(st.integers(1000, 4_000_000))), "runner": "simpy"},
        ):
            system = hw.System(random_core(folder, kinds, kind, repeat))
            system.drive("inbox", at=fs(inbox), values=inbox)
            system.drive("panel", at=fs(panel), values=panel)
            watch = ["bell", "lamp", "inbox", "panel", "done", "commit", "stall"]
            result = system.run(until=fs(until), watch=watch, progress=False, **options)
            assert all((trace.t < until).all() for trace in result.traces.values())
            found.add(result.fingerprint)
    assert len(found) == 1


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_advance_does_what_lies_before_its_end_and_no_more(data: st.DataObject, kind: str) -> None:
    kinds, inbox, panel = data.draw(steps), data.draw(times), data.draw(times)
    ends = sorted(data.draw(st.sets(st.integers(1, 3_000_000), min_size=1, max_size=15)))
    messages = sorted([(t, 0) for t in inbox] + [(t, 1) for t in panel])
    with tempfile.TemporaryDirectory() as folder:
        core = random_core(folder, kinds, kind, 1)
        stepped, box = engine_of(core)
        whole, other = engine_of(core)
        waiting = list(messages)
        begin = sent = 0
        for end in ends:
            # A message is in the inbox once its time can come, and not before.
            while waiting and waiting[0][0] < end:
                t, port = waiting.pop(0)
                box.inbox.push_one(t, port, sent, port, t)
                sent += 1
            assert stepped.next_event() >= begin
            before = box.outbox.n
            stepped.advance(end)
            new = box.outbox.rows[before : box.outbox.n, 0]
            assert ((new >= begin) & (new < end)).all()
            assert min(stepped.next_event(), box.inbox.next_time()) >= end
            begin = end
        for n, (t, port) in enumerate(messages):
            other.inbox.push_one(t, port, n, port, t)
        whole.advance(ends[-1])
        assert box.outbox.rows[: box.outbox.n].tolist() == other.outbox.rows[: other.outbox.n].tolist()
        assert stepped.next_event() == whole.next_event()
        for key, value in stepped.state().items():
            assert (value == whole.state()[key]).all(), key


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_at_the_end_of_a_window_belongs_to_the_next(kind: str, tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(50), store(BELL), *work(50))
    core = core_of(program, kind, mailboxes={})
    engine, context = engine_of(core)
    engine.advance(1)
    seen = sent = 0
    while engine.next_event() < NEVER:
        due, before, messages = engine.next_event(), engine.state(), context.outbox.n
        # One window that ends at the event leaves it out, like many.
        other, its = engine_of(core)
        other.advance(due)
        assert other.next_event() == due
        assert its.outbox.n == messages
        assert all((value == before[key]).all() for key, value in other.state().items())
        engine.advance(due + 1)
        assert engine.next_event() > due
        seen += any((value != before[key]).any() for key, value in engine.state().items())
        new = context.outbox.rows[messages : context.outbox.n, 0].tolist()
        assert new == [due] * len(new)
        sent += len(new)
    assert sent == 2  # the doorbell and the end
    assert seen > 100 // 16


# ---------------------------------------------------------------------------------------------- in a system


def ping_pong(folder: Path, flight: Any, kind: str = "ooo") -> hw.System:
    """Two cores: one sends and waits for the answer, the other waits and answers."""
    ping, pong = [*work(9), store(BELL), load(INBOX)], [load(INBOX), *work(4), store(BELL)]
    first = write(folder / "ping.hwt", *ping * 20, loop=len(ping))
    second = write(folder / "pong.hwt", *pong * 20, loop=len(pong))
    a, b = core_of(first, kind, name="a"), core_of(second, kind, name="b")
    system = hw.System(a, b)
    system.connect(a.bell, b.inbox, latency=flight)
    system.connect(b.bell, a.inbox, latency=flight)
    return system


WATCH = ["a.bell", "b.bell", "a.commit", "b.commit", "a.stall", "b.stall"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_cores_play_ping_pong(kind: str, tmp_path: Path) -> None:
    periods = {}
    for flight in (50, 150):
        result = ping_pong(tmp_path, CYCLE * flight, kind).run(until=us(20), watch=WATCH)
        assert len(result["a.bell"]) == len(result["b.bell"]) == 20
        assert (result["b.bell"].t > result["a.bell"].t + CYCLE * flight + LATENCY).all()
        # The first rounds fetch the program; then every round is like the last.
        periods[flight] = np.diff(result["a.bell"].t)[-4:]
    assert (periods[150] - periods[50] == int(2 * 100 * CYCLE)).all()


@pytest.mark.parametrize("window", [fs(1777), ps(333), ns(2)])
def test_ping_pong_has_one_fingerprint(window: Any, tmp_path: Path) -> None:
    expected = ping_pong(tmp_path, ns(2)).run(until=us(2), watch=WATCH).fingerprint
    for runner in ("loop", "simpy"):
        system = ping_pong(tmp_path, ns(2))
        assert system.run(until=us(2), watch=WATCH, window=window, runner=runner).fingerprint == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [fs(123_457), ns(700), us(19)])
def test_a_run_resumed_in_a_new_process_goes_on_as_if_never_stopped(
    stop: Any, kind: str, tmp_path: Path
) -> None:
    expected = ping_pong(tmp_path, ns(3), kind).run(until=us(20), watch=WATCH).fingerprint
    first = ping_pong(tmp_path, ns(3), kind)
    first.run(until=stop, watch=WATCH)
    file = first.checkpoint(tmp_path / "half.ckpt")
    code = (
        "from pathlib import Path\n"
        "from tests.unit.cryo.test_engine_system import ping_pong\n"
        "from hwmodel.units import ns, us\n"
        f"system = ping_pong(Path({str(tmp_path)!r}), ns(3), {kind!r}).resume({str(file)!r})\n"
        "print(system.run(until=us(20)).fingerprint)\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_a_process_is_an_accelerator(tmp_path: Path) -> None:
    def square(ctx: Any) -> Any:
        while True:
            job = yield ctx.receive("job")
            yield ctx.timeout(ns(100))
            ctx.send("answer", job.value * job.value)

    program = write(
        tmp_path / "a.hwt", *(x for _ in range(4) for x in (store(BELL), load(INBOX), store(LAMP)))
    )
    core = core_of(
        program,
        doorbells={
            "bell": Doorbell(BELL, value=lambda store: store.number + 3),
            "lamp": Doorbell(LAMP, value=lambda store: store.received["inbox"]),
        },
    )
    helper = hw.Process("helper", square, inputs=["job"], outputs=["answer"])
    system = hw.System(core, helper)
    system.connect(core.bell, helper.job, latency=ns(10))
    system.connect(helper.answer, core.inbox, latency=ns(10))
    result = system.run(until=us(3), watch=["bell", "lamp", "core.inbox"])
    assert result["lamp"].value.tolist() == [9, 16, 25, 36]
    assert (result["core.inbox"].t - result["bell"].t == ns(120)).all()
    assert (result["lamp"].t > result["core.inbox"].t + LATENCY).all()


def test_bits_and_pulses_pass_through_ports(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(40), load(INBOX), store(BELL), store(LAMP))
    core = core_of(
        program,
        mailboxes={"inbox": Mailbox(INBOX, LATENCY, mode="polling", protocol="bits", width=4)},
        doorbells={
            "bell": Doorbell(BELL, value=lambda store: store.received["inbox"] + 6, protocol="bits", width=4),
            "lamp": Doorbell(LAMP, protocol="pulse"),
        },
    )
    system = hw.System(core)
    system.drive("inbox", at=ns([1]), values=[9])
    result = system.run(until=us(3), watch=["bell", "lamp", "core.inbox"])
    assert result["bell"].value.tolist() == [15]
    assert len(result["lamp"].pulses()) == 1
    assert result["core.inbox"].at(ns(2)) == 9


# ---------------------------------------------------------------------------------------------- probes and figures


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_of_commits_counts_instructions_in_each_period(kind: str, tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(400), load(HEAP), *work(90))
    system = hw.System(TracedCore("core", program, small(kind)))
    clock = hw.Clock(GHz(0.1))
    result = system.run(until=us(2), watch=[hw.Probe("core.commit", clock=clock), "done"])
    counts = result["commit"].value
    assert counts.sum() == 491
    assert counts.max() <= 10 / 0.25 * 4  # periods of 10 ns, four a cycle
    assert counts[hw.Clock(GHz(0.1)).index(int(result["done"].t[0])) + 1 :].sum() == 0


def test_the_stall_level_lasts_as_long_as_the_loads_waited(tmp_path: Path) -> None:
    result = echo(tmp_path, "ooo", [int(LATE)])
    stall = result["stall"]
    assert stall.value.tolist() == [1, 0]
    assert stall.t[1] - stall.t[0] == result.stats["core.inbox.stalled_fs"] > 0
    assert stall.t[1] == LATE


def test_figures_are_those_of_program_and_ports(tmp_path: Path) -> None:
    stats = echo(tmp_path, "ooo", [0, 10]).stats
    expected = {"instructions": 47, "finished": 1, "inbox.messages": 2, "inbox.loads": 1, "bell.stores": 1}
    assert {key: stats[f"core.{key}"] for key in expected} == expected
    assert stats["core.ipc"] == 47 / int(stats["core.cycles"])


def test_the_cpi_stack_of_a_core_that_waited_sums_to_its_cycles(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(5), load(INBOX), *work(5))
    system = hw.System(core_of(program))
    system.drive("inbox", at=us([1]), values=[0])
    system.run(until=us(3))
    timing = system.engine("core").timing()  # type: ignore[attr-defined]
    assert sum(timing.cpi_stack.values()) == timing.cycles > 4000
    assert timing.cpi_stack["serial"] > 3500
