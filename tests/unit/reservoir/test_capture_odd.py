"""Captures given numbers that are none, files that are damaged or something else, and chips that get hot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwmodel.errors import DeviceError, OutputError, SpecError, StimulusError
from hwmodel.reservoir import _driver_guard
from hwmodel.reservoir.capture import (
    Event,
    EventStore,
    Summary,
    export_csv,
    export_parquet,
    import_shares,
    random_jobs,
    record,
)
from hwmodel.reservoir.driver import ChainDriver
from hwmodel.reservoir.emulator import PtyChip, emulated_chain
from hwmodel.units import MHz
from tests.unit.reservoir.test_capture import BITS, CHECK, GENESIS, JOB, event
from tests.unit.reservoir.test_driver import Thermometer

# -------------------------------------------------------------------------------------------------- store


@pytest.mark.parametrize(
    "change",
    [
        {"t_us": 1 << 63}, {"t_us": 1.5}, {"t_us": math.nan}, {"chip": 256}, {"chip": -1}, {"nonce": -1},
        {"nonce": 1 << 32}, {"version": 1 << 32}, {"job": True}, {"header": "x" * 80}, {"header": bytes(79)},
        {"difficulty": math.nan}, {"difficulty": math.inf}, {"difficulty": -1.0}, {"difficulty": None},
    ],
)  # fmt: skip
def test_an_event_that_would_not_come_back_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with EventStore(tmp_path / "a.sqlite") as store:
        with pytest.raises(SpecError, match=r"EventStore\.append"):
            store.append([event(1), replace(event(2), **change)])
        assert store.count() == 0


def test_numbers_of_numpy_come_back_as_numbers(tmp_path: Path) -> None:
    given = Event(np.int64(7), 0, 8, np.uint32(2**32 - 1), 1, bytes(80), np.float64(2.5), "valid")  # type: ignore[arg-type]
    with EventStore(tmp_path / "a.sqlite") as store:
        store.append([given])
        assert list(store.events()) == [given]
        assert store.arrays()["nonce"].tolist() == [2**32 - 1]


@pytest.mark.parametrize(
    "work",
    [
        EventStore.count, EventStore.counts, EventStore.arrays, EventStore.jobs, EventStore.count_jobs,
        lambda store: list(store.events()), lambda store: store.seen(4000, bytes(80)), lambda store: store.meta,
        lambda store: store.append([event()]),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, work: Callable[[EventStore], Any]) -> None:
    store = EventStore(tmp_path / "a.sqlite")
    store.close()
    with pytest.raises(OutputError, match=r"a\.sqlite"):
        work(store)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with EventStore(path) as store:
        store.append([event(n) for n in range(5000)])
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 40_000] = b"Z" * 40_000
    path.write_bytes(raw)
    with EventStore(path) as store, pytest.raises(OutputError, match="malformed"):
        list(store.events())


@pytest.mark.parametrize("export", [export_csv, export_parquet])
@pytest.mark.parametrize("where", [".", "a.sqlite/out", "none/out", "/"])
def test_an_export_to_where_nothing_can_be_is_refused(tmp_path: Path, export: Any, where: str) -> None:
    if export is export_parquet:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    with EventStore(tmp_path / "a.sqlite") as store:
        store.append([event()])
        with pytest.raises(OutputError, match="name a"):
            export(store, tmp_path / where)
    assert {file.name for file in tmp_path.iterdir()} <= {"a.sqlite"}


@pytest.mark.parametrize("bits", [0, -5, 65, 2000, 32.5])
def test_zero_bits_that_no_hash_has_are_refused(tmp_path: Path, bits: Any) -> None:
    (tmp_path / "log.csv").write_text(f"t_s,header_hex\n1,{GENESIS}\n")
    with EventStore(tmp_path / "a.sqlite") as store, pytest.raises(SpecError, match="zero_bits"):
        import_shares(tmp_path / "log.csv", store, zero_bits=bits)


def test_a_time_beyond_microseconds_of_64_bits_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(f"t_s,header_hex\n1,{GENESIS}\n1e13,{GENESIS}\n")
    with EventStore(tmp_path / "a.sqlite") as store:
        with pytest.raises(StimulusError, match=r"log\.csv:3: column 't_s': 10000000000000"):
            import_shares(tmp_path / "log.csv", store)
        assert store.count() == 0


# -------------------------------------------------------------------------------------------------- captures


def recorded(store: EventStore, rail: Any = None, **options: Any) -> Summary:
    pytest.importorskip("serial", reason="pyserial is not installed")
    with (
        PtyChip(emulated_chain(zero_bits=BITS)) as board,
        ChainDriver(board.url, timeout=60.0, pace=0, rail=rail) as driver,
    ):
        driver.bring_up(1, frequency=MHz(485), difficulty=1, ramp_seconds=0)
        return record(driver, store, check=CHECK, **options)


@pytest.mark.parametrize(
    "option",
    [
        {"seconds": math.nan}, {"seconds": -1.0}, {"events": -1}, {"interval": math.nan}, {"interval": 0.0},
        {"interval": math.inf}, {"silence": math.nan},
    ],
)  # fmt: skip
def test_a_capture_that_would_not_end_or_not_begin_is_refused(
    tmp_path: Path, option: dict[str, float]
) -> None:
    with EventStore(tmp_path / "a.sqlite") as store, pytest.raises(SpecError, match="record"):
        recorded(store, **option)


def test_no_events_are_captured_where_none_are_asked_for(tmp_path: Path) -> None:
    with EventStore(tmp_path / "a.sqlite") as store:
        assert (recorded(store, events=0).events, store.count_jobs()) == (0, 0)


def test_when_the_jobs_end_the_chips_stay_at_the_last(tmp_path: Path) -> None:
    with EventStore(tmp_path / "a.sqlite") as store:
        done = recorded(store, events=200, interval=0.01, jobs=iter([JOB]))
        assert (done.jobs, done.labels["valid"]) == (1, store.count())


def test_chips_that_get_hot_end_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_driver_guard, "GUARD_S", 0.0)
    summary = Summary()
    with EventStore(tmp_path / "a.sqlite") as store:
        with pytest.raises(DeviceError, match=r"90\.0 C, its limit is 75 C; halted"):
            recorded(store, Thermometer(40.0, 40.0, 90.0), seconds=60.0, summary=summary)
        assert summary.reconnects == 0


def test_results_of_an_earlier_capture_into_the_same_file_are_known(tmp_path: Path) -> None:
    """Chips that nobody halted are still at the last job of a process that was killed."""
    pytest.importorskip("serial", reason="pyserial is not installed")
    jobs = random_jobs(seed=1)
    with PtyChip(emulated_chain(zero_bits=BITS)) as board, EventStore(tmp_path / "a.sqlite") as store:
        for attempt in range(2):
            with ChainDriver(board.url, timeout=60.0, pace=0) as driver:
                driver.bring_up(1, frequency=MHz(485), difficulty=1, ramp_seconds=0)
                record(driver, store, check=CHECK, events=100 * (attempt + 1), interval=1e6, jobs=jobs)
        first = store.jobs()[0][1]
        late = [e for e in list(store.events())[100:] if e.header[36:68] == first.merkle]
        assert store.counts()["invalid"] == 0
        assert late
        assert [job for _, job in store.jobs(last=1)] == [store.jobs()[-1][1]]
