"""A core as a component: its program, what its mailboxes and doorbells do, and what is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwmodel as hw
from hwmodel.cryo import trace as traces
from hwmodel.cryo.engine import Doorbell, Mailbox, TracedCore
from hwmodel.cryo.timing import TimedRun
from hwmodel.units import NEVER, fs, ns, ps, us

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
    beginning,
    branch,
    core_of,
    echo,
    engine_of,
    load,
    quiet,
    small,
    store,
    timing_of,
    work,
    write,
)

pytestmark = pytest.mark.kernels


# ---------------------------------------------------------------------------------------------- the program


@pytest.mark.parametrize("kind", KINDS)
def test_without_ports_the_timing_is_that_of_one_run(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    instructions = []
    for n in range(5000):
        address = HEAP + 8 * int(rng.integers(0, 4096))
        instructions.append(
            [work()[0], load(address), store(address), branch(n % 3 == 0)][int(rng.integers(0, 4))]
        )
    program = write(tmp_path / "a.hwt", *instructions, loop=700)
    core = TracedCore("core", program, small(kind))
    system = hw.System(core)
    result = system.run(until=us(200), window=ns(7))
    alone = timing_of(program, small(kind))
    engine: Any = system.engine("core")
    assert engine.done
    assert engine.timing() == alone
    assert result.stats["core.cycles"] == alone.cycles > 1000


@pytest.mark.parametrize("kind", KINDS)
def test_done_is_sent_when_the_last_instruction_has_committed(kind: str, tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(30))
    system = hw.System(TracedCore("core", program, small(kind)))
    done = system.run(until=us(1), watch=["done"])["done"]
    assert done.t.tolist() == [timing_of(program, small(kind)).time]
    assert done.value.tolist() == [30]


@pytest.mark.parametrize("kind", KINDS)
def test_done_is_not_sent_before_the_last_doorbell_has_left(kind: str, tmp_path: Path) -> None:
    stores = [store(HEAP + 64 * n) for n in range(30)]  # they hold it back in the store queue
    program = write(tmp_path / "a.hwt", *stores, store(BELL))
    result = quiet(core_of(program, kind, mailboxes={})).run(until=us(9), watch=["bell", "done"])
    assert result["bell"].t[0] == result["done"].t[0]


def test_a_program_is_repeated(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(3), store(BELL))
    core = core_of(program, mailboxes={}, doorbells={"bell": Doorbell(BELL)}, repeat=4)
    result = hw.System(core).run(until=us(2), watch=["bell", "done"])
    assert result["bell"].value.tolist() == [0, 1, 2, 3]
    assert result["done"].value.tolist() == [16]


def test_chunks_that_stay_prepared_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write(tmp_path / "a.hwt", *(x for _ in range(30) for x in [*work(5), load(HEAP), store(BELL)]))
    monkeypatch.setattr("hwmodel.cryo._engine_program.CHUNK", 64)
    prints = set()
    for kept in (-1, 100, 1 << 20):  # none, some, all
        monkeypatch.setattr("hwmodel.cryo._engine_program.KEPT", kept)
        core = core_of(program, mailboxes={}, doorbells={"bell": Doorbell(BELL)}, repeat=3)
        result = hw.System(core).run(until=us(9), watch=["bell", "done"])
        assert len(result["bell"].t) == 90
        prints.add(result.fingerprint)
    assert len(prints) == 1


def test_a_program_longer_than_a_chunk_goes_on_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write(tmp_path / "a.hwt", *(x for _ in range(30) for x in [*work(5), load(HEAP), store(BELL)]))
    found = []
    for size in (1 << 15, 70, 7):
        monkeypatch.setattr("hwmodel.cryo._engine_program.CHUNK", size)
        core = core_of(program, mailboxes={}, doorbells={"bell": Doorbell(BELL)})
        found.append(hw.System(core).run(until=us(5), watch=["bell", "done"]))
    assert found[0]["bell"].value.tolist() == list(range(30))
    assert all((other["bell"].t == found[0]["bell"].t).all() for other in found)
    assert all((other["done"].t == found[0]["done"].t).all() for other in found)


# ---------------------------------------------------------------------------------------------- mailboxes


@pytest.mark.parametrize("kind", KINDS)
def test_a_load_waits_for_a_message_that_comes_after_it_began(kind: str, tmp_path: Path) -> None:
    begin = beginning(tmp_path, kind)
    early = echo(tmp_path, kind, [0])
    just = echo(tmp_path, kind, [begin])
    late = echo(tmp_path, kind, [begin + 1])
    assert early.stats["core.inbox.stalls"] == just.stats["core.inbox.stalls"] == 0
    assert late.stats["core.inbox.stalls"] == late.stats["core.inbox.stalled_fs"] == 1
    assert early["bell"].t.tolist() == just["bell"].t.tolist()
    # One femtosecond later is one cycle later, as the data just miss an edge.
    assert late["bell"].t[0] - just["bell"].t[0] == CYCLE


@pytest.mark.parametrize("kind", KINDS)
def test_the_data_are_there_a_latency_after_the_message(kind: str, tmp_path: Path) -> None:
    near, far = (echo(tmp_path, kind, [int(LATE)], latency=x)["bell"].t[0] for x in (ns(0), ns(100)))
    assert far - near == ns(100)
    assert LATE < near < LATE + ns(5)
    assert echo(tmp_path, kind, [int(LATE + 8 * CYCLE)])["bell"].t[0] == echo(tmp_path, kind, [int(LATE)])[
        "bell"
    ].t[0] + int(8 * CYCLE)


def test_loads_take_the_messages_in_their_order(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *(x for _ in range(3) for x in (load(INBOX), store(BELL))))
    system = hw.System(core_of(program))
    system.drive("inbox", at=ns([1, 2, 900]), values=[7, 8, 9])
    result = system.run(until=us(2), watch=["bell"])
    assert result["bell"].value.tolist() == [7, 8, 9]
    assert result.stats["core.inbox.stalls"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_each_operand_of_an_instruction_takes_a_message(kind: str, tmp_path: Path) -> None:
    pair = {"loads": 2, "load_size": 8, "destinations": [5, 7]}, [INBOX, INBOX]
    program = write(tmp_path / "a.hwt", pair, store(BELL))
    system = hw.System(core_of(program, kind))
    system.drive("inbox", at=ns([1, 800]), values=[7, 8])
    result = system.run(until=us(2), watch=["bell"])
    assert result["bell"].value.tolist() == [8]
    assert result["bell"].t[0] > ns(805)


@pytest.mark.parametrize("kind", KINDS)
def test_a_polling_load_takes_the_latest_value_and_does_not_wait(kind: str, tmp_path: Path) -> None:
    begin = beginning(tmp_path, kind)
    idle = echo(tmp_path, kind, [], "polling")
    assert idle["bell"].value.tolist() == [0]
    for at, value in (
        ([begin - 2, begin - 1], 2),
        ([begin - 1, begin], 2),
        ([begin - 1, begin + 1], 1),
        ([begin + 1], 0),
    ):
        result = echo(tmp_path, kind, at, "polling")
        assert result["bell"].value.tolist() == [value]
        assert result["bell"].t.tolist() == idle["bell"].t.tolist()


def test_a_mapped_load_goes_to_no_cache(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", load(INBOX), load(HEAP), store(BELL))
    system = quiet(core_of(program, mode="polling"))
    system.run(until=us(1))
    l1d = system.engine("core").timing().levels["l1d"]  # type: ignore[attr-defined]
    assert (l1d.read_accesses, l1d.write_accesses) == (1, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mapped_load_begins_after_every_doorbell_before_it(kind: str, tmp_path: Path) -> None:
    stores = [store(HEAP + 64 * n) for n in range(20)]  # they hold the doorbell back in the store queue
    program = write(tmp_path / "a.hwt", *stores, store(BELL), load(INBOX), store(BELL))
    idle = quiet(core_of(program, kind, "polling")).run(until=us(9), watch=["bell"])["bell"]
    system = hw.System(core_of(program, kind, "polling"))
    system.drive("inbox", at=fs(idle.t[:1]), values=[5])
    assert system.run(until=us(9), watch=["bell"])["bell"].value.tolist() == [-1, 5]


def test_a_core_that_waits_has_no_event_until_the_message_comes(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(5), load(INBOX), store(BELL))
    engine, context = engine_of(core_of(program))
    engine.advance(int(us(1)))
    assert engine.next_event() == NEVER
    context.inbox.push_one(int(us(3)), 0, 0, 0, 6)
    engine.advance(int(us(3)))
    assert engine.next_event() == NEVER
    engine.advance(int(us(3)) + 1)
    assert us(3) + LATENCY < engine.next_event() < NEVER


def test_a_core_that_waits_at_the_end_is_named(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(5), load(INBOX))
    warnings = quiet(core_of(program)).run(until=us(1)).manifest["warnings"]
    assert "core 'core': instruction 5 waits at mailbox 'inbox'" in warnings[0]


def test_a_full_mailbox_is_an_error_that_names_it(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", load(PANEL), load(INBOX))
    boxes = {"panel": Mailbox(PANEL, LATENCY), "inbox": Mailbox(INBOX, LATENCY, depth=3)}
    for count, fails in ((3, False), (4, True)):
        system = hw.System(core_of(program, mailboxes=boxes))
        system.drive("panel", at=ns([]), values=[])
        system.drive("inbox", at=ns(np.arange(count)), values=[0] * count)
        if fails:
            with pytest.raises(hw.errors.QueueOverflowError, match=r"mailbox 'inbox' .* holds 3 unread"):
                system.run(until=us(1))
        else:
            assert system.run(until=us(1)).stats["core.inbox.messages"] == 3


# ---------------------------------------------------------------------------------------------- doorbells


def test_a_store_leaves_as_a_message_when_it_leaves_the_store_queue(tmp_path: Path) -> None:
    from hwmodel.cryo.core import _kernels as words

    stores = [store(HEAP + 64 * n) for n in range(12)]
    program = write(tmp_path / "a.hwt", *stores, store(BELL), *work(20))
    bell = hw.System(core_of(program, mailboxes={})).run(until=us(9), watch=["bell"])["bell"]
    # The same store to memory, as a fence, in a run of its own.
    plain = write(tmp_path / "b.hwt", *stores, store(HEAP + 0x4000, flags=traces.FENCE), *work(20))
    run = TimedRun(small())
    with traces.Trace.open(plain) as trace:
        for chunk in trace.chunks():
            run.run(chunk)
    sent = int(run.words[words.STORE + 12 * 8 + words.W_SENT])
    assert bell.t.tolist() == [sent * int(CYCLE)]


def test_the_value_of_a_doorbell_is_the_number_of_the_store_or_what_a_function_makes_of_it(
    tmp_path: Path,
) -> None:
    program = write(tmp_path / "a.hwt", store(BELL), store(LAMP + 8), store(BELL + 4), store(LAMP))
    seen = []
    doorbells = {
        "bell": Doorbell(BELL),
        "lamp": Doorbell(LAMP, 16, value=lambda store: seen.append(store) or 10 * store.number),  # type: ignore[func-returns-value]
    }
    result = hw.System(core_of(program, mailboxes={}, doorbells=doorbells)).run(
        until=us(1), watch=["bell", "lamp"]
    )
    assert result["bell"].value.tolist() == [0, 1]
    assert result["lamp"].value.tolist() == [0, 10]
    assert [(s.number, s.address, s.received) for s in seen] == [(0, LAMP + 8, {}), (1, LAMP, {})]
    assert [int(s.t) for s in seen] == result["lamp"].t.tolist()


def test_a_value_function_knows_what_the_loads_before_the_store_have_read(tmp_path: Path) -> None:
    body = [store(BELL), load(INBOX), store(BELL), load(PANEL), store(BELL), load(INBOX), store(BELL)]
    program = write(tmp_path / "a.hwt", *body)
    seen = []
    core = core_of(
        program,
        mailboxes={"inbox": Mailbox(INBOX, LATENCY), "panel": Mailbox(PANEL, LATENCY, mode="polling")},
        doorbells={"bell": Doorbell(BELL, value=lambda store: seen.append(dict(store.received)) or 0)},  # type: ignore[func-returns-value]
    )
    system = hw.System(core)
    system.drive("inbox", at=ns([1, 2]), values=[7, 8])
    system.drive("panel", at=ns([1]), values=[-3])
    system.run(until=us(2), watch=["bell"])
    assert seen == [{}, {"inbox": 7}, {"inbox": 7, "panel": -3}, {"inbox": 8, "panel": -3}]


# ---------------------------------------------------------------------------------------------- refusals


def assert_refused(error: str, match: str, **options: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = options.pop("trace", None) or write(Path(folder) / "a.hwt", *work(3))
        with pytest.raises(getattr(hw.errors, error), match=match):
            core_of(path, **options)


def test_ranges_that_overlap_are_refused_with_both_names(tmp_path: Path) -> None:
    boxes = {"inbox": Mailbox(BELL - 8, LATENCY, size=9)}
    assert_refused(
        "SpecError", r"'inbox' \(0x10001ff8 to 0x10002000\) and 'bell' .* overlap", mailboxes=boxes
    )
    program = write(tmp_path / "a.hwt", *work(3))
    assert core_of(program, mailboxes={"inbox": Mailbox(BELL - 8, LATENCY, size=8)}).ranges[0].end == BELL


def test_a_trace_without_program_counters_is_refused(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(3), has_pc=False)
    assert_refused("SpecError", "holds no program counters", trace=program)


def test_a_link_without_latency_is_refused(tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", *work(3))
    system = hw.System(core_of(program, name="a"), core_of(program, name="b"))
    with pytest.raises(hw.errors.WiringError, match="must be greater than zero"):
        system.connect("b.bell", "a.inbox", latency=ps(0))


@pytest.mark.parametrize(
    ("instruction", "match"),
    [
        (
            store(INBOX),
            r"instruction 3 at pc 0x40000c stores to 0x10000000, .* mailbox 'inbox': a mailbox takes loads",
        ),
        (load(BELL), r"loads from 0x10002000, .* doorbell 'bell': a doorbell takes stores only"),
        (store(BELL, branch=4), "it is a branch"),
    ],
)
def test_an_access_that_a_port_does_not_allow_is_named(instruction: Any, match: str, tmp_path: Path) -> None:
    system = quiet(core_of(write(tmp_path / "a.hwt", *work(3), instruction)))
    with pytest.raises(hw.errors.SpecError, match=match):
        system.run(until=us(1))


@pytest.mark.parametrize("value", [16, -9, 1.5, None])
def test_a_value_that_does_not_fit_its_doorbell_is_refused(value: Any, tmp_path: Path) -> None:
    program = write(tmp_path / "a.hwt", store(BELL))
    bell = Doorbell(BELL, value=lambda store: value, protocol="bits", width=4)
    with pytest.raises(hw.errors.SpecError, match="core 'core': doorbell 'bell' at t = "):
        hw.System(core_of(program, mailboxes={}, doorbells={"bell": bell})).run(until=us(1))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"repeat": 0}, "repeat=0"),
        ({"repeat": 1.5}, "repeat=1.5"),
        ({"mailboxes": {f"m{n}": Mailbox(8 * n, LATENCY) for n in range(65)}}, "at most 64"),
    ],
)
def test_a_core_that_cannot_be_meant_is_refused(options: Any, match: str) -> None:
    assert_refused("SpecError", match, **options)


@pytest.mark.parametrize(
    "options",
    [{"base": -1}, {"size": 0}, {"base": 2**63}, {"latency": ps(-1)}, {"mode": "both"}, {"depth": 0}],
)
def test_a_mailbox_that_cannot_be_meant_is_refused(options: Any) -> None:
    with pytest.raises(hw.errors.SpecError, match=f"Mailbox.*{next(iter(options))}="):
        Mailbox(**{"base": 0, "latency": ns(1), **options})


def test_a_latency_without_a_unit_is_refused() -> None:
    with pytest.raises(hw.errors.BareNumberError):
        Mailbox(0, 5)  # type: ignore[arg-type]


def test_a_machine_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(hw.errors.SpecError, match="is no Machine"):
        TracedCore("core", write(tmp_path / "a.hwt", *work(3)), "cryo-ooo")  # type: ignore[arg-type]
