"""Labels, the store and its survival, import and export, and whole captures of emulated chips."""

from __future__ import annotations

import csv
import gzip
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwmodel.errors import DeviceTimeoutError, OutputError, SpecError, ToolError
from hwmodel.reservoir.capture import (
    LABELS,
    Event,
    EventStore,
    Labeller,
    Summary,
    export_csv,
    export_parquet,
    import_shares,
    random_jobs,
    record,
)
from hwmodel.reservoir.driver import ChainDriver
from hwmodel.reservoir.emulator import Faults, PtyChip, TcpChip, emulated_chain, oracle_for
from hwmodel.reservoir.header import BlockHeader, scan, swap_words
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.shares import read_shares
from hwmodel.units import MHz

BITS = 8
CHECK = oracle_for(BITS).check
JOB = Job(8, 0x20000000, bytes(range(32)), bytes(range(32, 64)), 1_700_000_000, 0x17034219)
OTHER = Job(16, 0x20000000, bytes(32), bytes(32), 1_700_000_000, 0x17034219)
GENESIS = (
    "01"
    + "00" * 35
    + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)


def nonces(job: Job, count: int = 3) -> list[int]:
    return [int(hit["nonce"]) for hit in scan(job.header(0), range(1 << 14), zero_bits=BITS)][:count]


def event(n: int = 0, label: str = "valid") -> Event:
    return Event(1_000_000 * n, 0, 8, n, 0x20000000, n.to_bytes(80, "little"), 2.5, label)


def labels(labeller: Labeller, *results: tuple[int, int, int]) -> list[str]:
    return [labeller.label(t, 0, job_id, nonce, 0).label for t, job_id, nonce in results]


# -------------------------------------------------------------------------------------------------- labels


def test_a_good_result_is_valid_and_the_same_again_a_duplicate() -> None:
    labeller, (nonce, *_) = Labeller(1, CHECK), nonces(JOB)
    labeller.sent(0, JOB)
    assert labels(labeller, (1, 8, nonce), (2, 8, nonce)) == ["valid", "duplicate"]


def test_a_result_that_does_not_hash_or_whose_job_is_unknown_is_invalid() -> None:
    labeller, (nonce, *_) = Labeller(1, CHECK), nonces(JOB)
    labeller.sent(0, JOB)
    assert labels(labeller, (1, 8, nonce + 1), (1, 24, nonce), (1, 8, nonce + 1)) == ["invalid"] * 3


def test_a_result_whose_job_had_been_replaced_is_stale() -> None:
    labeller, (one, two, _) = Labeller(1, CHECK), nonces(JOB)
    labeller.sent(0, JOB)
    labeller.sent(10, OTHER)
    # The stamp decides, not the order in which results are looked at.
    assert labels(labeller, (9, 8, one), (11, 8, two)) == ["valid", "stale"]


def test_a_result_of_the_job_that_had_the_number_before_is_stale() -> None:
    labeller, (nonce, *_) = Labeller(1, CHECK), nonces(JOB)
    labeller.sent(0, JOB)
    labeller.sent(10, Job(8, 0x20000000, bytes(32), bytes(32), 0, 0))
    found = labeller.label(11, 0, 8, nonce, 0)
    assert found.label == "stale"
    assert found.header == JOB.header(nonce).pack()


def test_the_mask_decides_what_is_good() -> None:
    hits = scan(JOB.header(0), range(1 << 16), zero_bits=BITS)
    hard, easy = hits[hits["difficulty"].argmax()], hits[hits["difficulty"].argmin()]
    labeller = Labeller(4, CHECK)
    labeller.sent(0, JOB)
    assert labels(labeller, (1, 8, int(hard["nonce"])), (1, 8, int(easy["nonce"]))) == ["valid", "invalid"]


def test_by_default_the_difficulty_is_that_of_the_hash() -> None:
    header = BlockHeader.unpack(GENESIS)
    job = Job(8, header.version, header.previous, header.merkle, header.time, header.bits)
    labeller = Labeller(2048)
    labeller.sent(0, job)
    found = labeller.label(1, 0, 8, header.nonce, 0)
    assert (found.label, round(found.difficulty, 2), found.header.hex()) == ("valid", 2536.43, GENESIS)
    assert Labeller(4096).label(1, 0, 8, header.nonce, 0).label == "invalid"


def test_a_mask_below_one_is_refused() -> None:
    with pytest.raises(SpecError, match="difficulty=0"):
        Labeller(0)


# -------------------------------------------------------------------------------------------------- store


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    events = [event(n, LABELS[n % 4]) for n in range(10)]
    with EventStore(tmp_path / "a.sqlite", {"port": "x"}) as store:
        store.append(events[:4])
    with EventStore(tmp_path / "a.sqlite", {"port": "y"}) as store:
        store.append(events[4:])
        assert list(store.events()) == events
        assert store.counts() == {"valid": 3, "invalid": 3, "duplicate": 2, "stale": 2}
        assert store.meta == {"port": "x"}


def test_arrays_hold_what_events_hold(tmp_path: Path) -> None:
    events = [event(n, LABELS[n % 4]) for n in range(10)]
    with EventStore(tmp_path / "a.sqlite") as store:
        store.append(events)
        arrays = store.arrays()
    assert arrays["t_us"].tolist() == [e.t_us for e in events]
    assert [LABELS[n] for n in arrays["label"]] == [e.label for e in events]
    assert [row.tobytes() for row in arrays["header"]] == [e.header for e in events]
    assert arrays["difficulty"].dtype == np.float64


def test_jobs_are_kept(tmp_path: Path) -> None:
    with EventStore(tmp_path / "a.sqlite") as store:
        store.append_job(5, JOB)
        assert store.jobs() == [(5, JOB)]


@pytest.mark.parametrize(
    "work", ["UPDATE events SET label = 'valid'", "DELETE FROM events", "DELETE FROM jobs"]
)
def test_a_row_can_be_neither_changed_nor_removed(tmp_path: Path, work: str) -> None:
    with EventStore(tmp_path / "a.sqlite") as store:
        store.append([event(label="invalid")])
        store.append_job(0, JOB)
    base = sqlite3.connect(tmp_path / "a.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="only added"):
        base.execute(work)
    base.close()


def test_a_group_is_added_whole_or_not_at_all(tmp_path: Path) -> None:
    with EventStore(tmp_path / "a.sqlite") as store:
        store._base.execute(
            "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.nonce = 2 BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(OutputError, match="full"):
            store.append([event(1), event(2)])
        assert store.count() == 0
        store.append([event(1)])
        assert store.count() == 1


def test_what_is_no_event_is_refused(tmp_path: Path) -> None:
    with EventStore(tmp_path / "a.sqlite") as store, pytest.raises(SpecError, match="label 'fine'"):
        store.append([event(label="fine")])


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("This is a text, and no database at all.")
    base = sqlite3.connect(tmp_path / "other.sqlite")
    base.execute("CREATE TABLE mine (x)")
    base.close()
    for name in ("text", "other.sqlite"):
        before = (tmp_path / name).read_bytes()[100:]
        with pytest.raises(OutputError, match="another file"):
            EventStore(tmp_path / name)
        assert (tmp_path / name).read_bytes()[100:] == before
    with pytest.raises(OutputError, match="folder"):
        EventStore(tmp_path / "none" / "a.sqlite")


WRITER = """
    import sys
    from hwmodel.reservoir.capture import Event, EventStore

    with EventStore(sys.argv[1]) as store:
        for n in range(10**9):
            store.append([Event(n, 0, 8, n, 1, n.to_bytes(80, "little"), 1.0, "valid")])
            print(n, flush=True)
"""


def test_a_kill_loses_at_most_the_event_in_flight(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite"
    for round_ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(file)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(40 + round_):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        # What the pipe still holds had been told as kept before the kill.
        told = 40 + round_ + sum(1 for line in writer.stdout if line.endswith("\n"))
        assert writer.wait() == -signal.SIGKILL
        writer.stdout.close()
        with EventStore(file) as store:
            found = [e.t_us for e in store.events()]
            assert store._base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert told <= len(found) <= told + 1
        assert found == list(range(len(found)))
        file = tmp_path / f"{round_}.sqlite"


# -------------------------------------------------------------------------------------------------- logs


def share_log(path: Path, rows: list[str]) -> Path:
    text = "t_s,since_job_ms,job,extranonce2,header_hex,diff\n" + "".join(
        f"{n}.5,0,{n},00,{row},1\n" for n, row in enumerate(rows)
    )
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_log_with_swapped_words_is_put_right(tmp_path: Path) -> None:
    header = BlockHeader.unpack(GENESIS).pack()
    previous = bytes(range(32))
    good = scan(BlockHeader(1, previous, bytes(32), 0, 0, 0), range(1 << 14), zero_bits=BITS)[0]
    right = BlockHeader(1, previous, bytes(32), 0, 0, int(good["nonce"])).pack()
    swapped = right[:4] + swap_words(right[4:36]) + right[36:]
    log = share_log(tmp_path / "log.csv.gz", [swapped.hex(), swapped.hex(), bytes(80).hex()])
    with EventStore(tmp_path / "a.sqlite") as store:
        found = import_shares(log, store, zero_bits=BITS)
        events = list(store.events())
    assert found == {
        "events": 3,
        "valid": 1,
        "invalid": 1,
        "duplicate": 1,
        "swapped": "previous hash word-swapped",
    }
    assert events[0].header == right
    assert [(e.t_us, e.job, e.label) for e in events] == [
        (500_000, 0, "valid"),
        (1_500_000, 1, "duplicate"),
        (2_500_000, 2, "invalid"),
    ]
    assert len(header) == 80


def test_shares_that_are_there_already_are_duplicates(tmp_path: Path) -> None:
    log = share_log(tmp_path / "log.csv.gz", [GENESIS])
    with EventStore(tmp_path / "a.sqlite") as store:
        assert import_shares(log, store)["valid"] == 1
        assert import_shares(log, store)["duplicate"] == 1


def test_an_exported_log_is_read_as_a_share_log(tmp_path: Path) -> None:
    header = BlockHeader.unpack(GENESIS)
    events = [
        Event(10**15 + n * 500_000, 0, 8, header.nonce, 1, header.pack(), 2536.4, "valid") for n in range(3)
    ]
    with EventStore(tmp_path / "a.sqlite") as store:
        store.append(events)
        assert export_csv(store, tmp_path / "out.csv") == 3
    log = read_shares(tmp_path / "out.csv")
    assert log.times.tolist() == [0.0, 0.5, 1.0]
    assert (log.count("valid"), log.count("duplicate")) == (1, 2)
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["valid"] * 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.sqlite", "out.csv"]


def test_an_exported_table_holds_all_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    events = [event(n, LABELS[n % 4]) for n in range(6)]
    with EventStore(tmp_path / "a.sqlite") as store:
        store.append(events)
        assert export_parquet(store, tmp_path / "out.parquet") == 6
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [Event(**{name: row[name] for name in Event.__annotations__}) for row in rows] == events


def test_exports_that_cannot_be_written_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventStore(tmp_path / "a.sqlite") as store:
        with pytest.raises(OutputError, match="cannot be written"):
            export_csv(store, tmp_path / "none" / "out.csv")
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(ToolError, match=r"hwmodel\[parquet\]"):
            export_parquet(store, tmp_path / "out.parquet")


# -------------------------------------------------------------------------------------------------- captures


def captured(board: PtyChip | TcpChip, store: EventStore, chips: int = 1, **options: Any) -> Summary:
    timeout = options.pop("timeout", 60.0)
    with ChainDriver(board.url, timeout=timeout, pace=0) as driver:
        driver.bring_up(chips, frequency=MHz(485), difficulty=1, ramp_seconds=0)
        return record(driver, store, **{"check": CHECK, "jobs": random_jobs(seed=1), **options})


def test_a_capture_of_a_perfect_chip_is_valid_throughout(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    with PtyChip(emulated_chain(zero_bits=BITS)) as board, EventStore(tmp_path / "a.sqlite") as store:
        done = captured(board, store, events=300, interval=1e6)
        assert done.events == store.count() >= 300
        assert store.counts() == {**dict.fromkeys(LABELS, 0), "valid": store.count()}
        assert all(CHECK(BlockHeader.unpack(e.header)) == e.difficulty for e in store.events())
        assert len(store.jobs()) == done.jobs == 1
        stamps = [e.t_us for e in store.events()]
        assert stamps == sorted(stamps)


def test_every_kind_of_fault_gets_its_label(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    faults = Faults(drop=0.005, double=0.005, corrupt=0.02, late=0.005, repeat=0.1, late_seconds=0.01, seed=4)
    chain = emulated_chain(zero_bits=BITS, chips=2)
    with PtyChip(chain) as board, EventStore(tmp_path / "a.sqlite") as store:

        def spoil(done: Summary) -> None:
            if not done.jobs:  # the line is good until the chain is up
                board.call(lambda chain, t: chain.set_faults(faults))

        # One event longer than a job: with jobs that often change, late results belong to the one before.
        done = captured(board, store, chips=2, events=1500, interval=0.05, progress=spoil)
        counts = store.counts()
        assert done.labels == counts
        assert sum(counts.values()) == done.events >= 1500
        assert counts["valid"] > counts["duplicate"] > 25
        assert counts["stale"] > 0
        for e in store.events():
            reached = CHECK(BlockHeader.unpack(e.header)) >= 65535 / 65536
            assert reached == (e.label != "invalid")


def test_chips_that_vanish_end_the_capture_and_leave_the_store_whole(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    chain = emulated_chain(zero_bits=BITS, faults=Faults(vanish_after=200))
    with PtyChip(chain) as board, EventStore(tmp_path / "a.sqlite") as store:
        summary = Summary()
        with pytest.raises(DeviceTimeoutError, match="chip 0 of 1 does not answer"):
            captured(board, store, silence=0.5, timeout=2.0, summary=summary)
        assert summary.events == store.count() > 150


def test_a_connection_that_breaks_is_taken_up_again(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    with TcpChip(emulated_chain(zero_bits=BITS)) as board, EventStore(tmp_path / "a.sqlite") as store:
        cut = False

        def progress(done: Summary) -> None:
            nonlocal cut
            if done.events > 100 and not cut:
                cut = True
                board.call(lambda chain, t: board.disconnect())

        # So many that those which came before the cut, and are taken first, are not enough.
        done = captured(board, store, events=2000, progress=progress)
        assert (done.reconnects, cut) == (1, True)
        assert store.counts()["valid"] > 1500


def test_a_duplicate_across_two_captures_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    with EventStore(tmp_path / "a.sqlite") as store:
        for _ in range(2):
            with PtyChip(emulated_chain(zero_bits=BITS)) as board:
                captured(board, store, events=50, interval=1e6)
        counts = store.counts()
        assert counts["duplicate"] >= 40
        assert counts["invalid"] == 0


def test_a_capture_needs_a_chain_that_is_up(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    with (
        PtyChip(emulated_chain()) as board,
        ChainDriver(board.url) as driver,
        EventStore(tmp_path / "a") as store,
    ):
        with pytest.raises(SpecError, match="bring_up"):
            record(driver, store)
        assert store.count() == 0


def test_results_of_a_job_from_before_the_capture_are_known(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    with (
        PtyChip(emulated_chain(zero_bits=BITS)) as board,
        ChainDriver(board.url, timeout=60.0, pace=0) as driver,
    ):
        driver.bring_up(1, frequency=MHz(485), difficulty=1, ramp_seconds=0)
        driver.send(JOB)
        driver.receive(60.0)
        while driver._wire.port.results.empty():  # one is waiting when the capture begins
            driver.check_chain()
        with EventStore(tmp_path / "a.sqlite") as store:
            record(driver, store, events=100, check=CHECK, jobs=random_jobs(seed=1))
            assert store.counts()["invalid"] == 0
            assert any(e.header[4:36] == JOB.previous for e in store.events())
