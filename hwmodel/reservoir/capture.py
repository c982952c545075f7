"""Capture of results: each stamped at the UART, hashed again, labelled, and kept at once; import and export of logs.

valid: the header that job and result stand for hashes to at least the ticket mask. invalid: it does not, or no job is
known. duplicate: this header has come before. stale: it is good, but its job had been replaced when it came.
"""

from __future__ import annotations

import csv
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwmodel.errors import DeviceError, DeviceTimeoutError, SpecError, StimulusError, ToolError
from hwmodel.kernel.files import replaced_file
from hwmodel.reservoir._capture_store import LABELS, Event, EventStore
from hwmodel.reservoir._whole import check_whole
from hwmodel.reservoir.header import BlockHeader
from hwmodel.reservoir.job import Job

if TYPE_CHECKING:
    from hwmodel.reservoir.driver import ChainDriver, Result

__all__ = [
    "LABELS",
    "Event",
    "EventStore",
    "Labeller",
    "Summary",
    "export_csv",
    "export_parquet",
    "import_shares",
    "random_jobs",
    "record",
    "true_difficulty",
]

Check = Callable[[BlockHeader], float]

SHARE_1 = (
    65535.0 / 65536.0
)  # a hash with all the zero bits that are asked for may have this much of the difficulty
KEPT_JOBS = 2
KNOWN_JOBS = 16  # of an earlier capture: as many as have numbers of their own
POLL_S = 0.2
JOB_STEP, JOB_IDS = 8, 128
CSV_COLUMNS = ("t_s", "job", "header_hex", "diff", "t_us", "chip", "nonce", "version", "label")


def true_difficulty(header: BlockHeader) -> float:
    """Difficulty of a header by its hash; 1 is 32 zero bits.

    Example:
        >>> true_difficulty(BlockHeader(1, bytes(32), bytes(32), 0, 0, 0)) < 1
        True
    """
    return header.difficulty


class Labeller:
    """Rebuilds the header of each result, hashes it, and says what it is.

    Parameters:
        difficulty: of the ticket mask.
        check: gives the difficulty of a header; by default that of its hash, where 1 is 32 zero bits. That of a shrunk
            or drawn chip is its oracle's `check`.
        seen: whether a good header has come before; by default those that this labeller has seen.

    Example:
        >>> labeller = Labeller(difficulty=1, check=lambda header: 1.0 if header.nonce == 7 else 0.0)
        >>> labeller.sent(0, Job(8, 0x20000000, bytes(32), bytes(32), 0, 0))
        >>> [labeller.label(t, 0, 8, nonce, 0).label for t, nonce in ((5, 7), (6, 7), (7, 9))]
        ['valid', 'duplicate', 'invalid']
    """

    def __init__(
        self,
        difficulty: float = 1.0,
        check: Check = true_difficulty,
        seen: Callable[[int, bytes], bool] | None = None,
    ) -> None:
        if not difficulty >= 1:
            raise SpecError(
                f"Labeller(difficulty={difficulty!r}): give the difficulty of the ticket mask, at least 1"
            )
        self._least, self._check = difficulty * SHARE_1, check
        self._good: set[bytes] = set()
        self._seen = seen or (lambda nonce, header: header in self._good)
        self._own = seen is None
        self._slots: dict[int, deque[tuple[int, Job]]] = {}
        self._newest: tuple[int, Job] | None = None

    def sent(self, t_us: int, job: Job) -> None:
        """Take note of a job and of when it was sent; it replaces the one before."""
        self._newest = (t_us, job)
        self._slots.setdefault(job.job_id, deque(maxlen=KEPT_JOBS)).append(self._newest)

    def label(self, t_us: int, chip: int, job_id: int, nonce: int, version_bits: int) -> Event:
        """The event that a result is."""
        header, difficulty, owner = self._best(job_id, nonce, version_bits)
        raw = header.pack()
        if difficulty < self._least or owner is None:
            label = "invalid"
        elif self._seen(nonce, raw):
            label = "duplicate"
        else:
            assert self._newest is not None
            replaced = owner is not self._newest and t_us >= self._newest[0]
            label = "stale" if replaced else "valid"
            if self._own:
                self._good.add(raw)
        return Event(t_us, chip, job_id, nonce, header.version, raw, difficulty, label)

    def _best(
        self, job_id: int, nonce: int, version_bits: int
    ) -> tuple[BlockHeader, float, tuple[int, Job] | None]:
        """Header, difficulty and job: of the last job of that number, or of the one before if only that hashes well."""
        tried: list[tuple[BlockHeader, float, tuple[int, Job] | None]] = []
        for sent in reversed(self._slots.get(job_id, ())):
            header = sent[1].header(nonce, version_bits)
            tried.append((header, self._check(header), sent))
            if tried[-1][1] >= self._least:
                return tried[-1]
        if tried:
            return tried[0]
        return BlockHeader(version_bits, bytes(32), bytes(32), 0, 0, nonce), 0.0, None


@dataclass
class Summary:
    """What a capture has done so far."""

    events: int = 0
    jobs: int = 0
    reconnects: int = 0
    seconds: float = 0.0
    labels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LABELS, 0))

    def line(self) -> str:
        """One line for people."""
        labels = ", ".join(f"{count} {label}" for label, count in self.labels.items() if count)
        lost = f", {self.reconnects} reconnects" if self.reconnects else ""
        return f"{self.events} events in {self.seconds:.1f} s of {self.jobs} jobs{lost}" + (
            f": {labels}" if labels else ""
        )


def random_jobs(seed: int = 0, bits: int = 0x17034219) -> Iterator[Job]:
    """Jobs without end, with headers drawn from the seed: each gives its own, unpredictable hits.

    Example:
        >>> first, second = (job for _, job in zip(range(2), random_jobs(seed=1)))
        >>> first.job_id, second.job_id, first.merkle != second.merkle
        (8, 16, True)
    """
    draw = random.Random(f"jobs/{seed}")
    job_id = 0
    while True:
        job_id = (job_id + JOB_STEP) % JOB_IDS
        yield Job(
            job_id,
            0x20000000,
            draw.randbytes(32),
            draw.randbytes(32),
            1_700_000_000 + draw.randrange(1 << 24),
            bits,
        )


def record(
    driver: ChainDriver,
    store: EventStore,
    *,
    jobs: Iterator[Job] | None = None,
    seconds: float | None = None,
    events: int | None = None,
    interval: float = 2.0,
    silence: float = 60.0,
    check: Check = true_difficulty,
    progress: Callable[[Summary], None] | None = None,
    summary: Summary | None = None,
) -> Summary:
    """Give a chain jobs and keep its results, until the time is over or there are enough.

    Parameters:
        driver: a chain that is up.
        store: where events and jobs are kept; what came with one read of the port is one transaction.
        jobs: what to hash; random headers by default. When they end, the chips stay at the last one.
        seconds, events: when to end, 0 or more; without either only Ctrl-C or an error does.
        interval: seconds between two jobs.
        silence: seconds without a result after which the chips are asked whether they are there.
        check: difficulty of a header, see `Labeller`.
        progress: called often with what has been done.
        summary: filled in place of a new one, so that it can be read after an interruption.

    Raises:
        SpecError: the chain is not up, or a time or number that is none.
        DeviceTimeoutError: chips have vanished.
        DeviceError: the port is lost and does not come back; the chips are too hot, or nothing measures any more how hot.
    """
    check_record(seconds, events, interval, silence)
    labeller = _labeller(driver, store, check)
    done = Summary() if summary is None else summary
    source = random_jobs() if jobs is None else jobs
    begin = heard = due = time.monotonic()
    while events is None or done.events < events:
        now = time.monotonic()
        done.seconds = now - begin
        if progress is not None:
            progress(done)
        if seconds is not None and done.seconds >= seconds:
            break
        try:
            if now >= due:
                _next_job(driver, store, labeller, source, done)
                due = now + interval
            left = min(due, math.inf if seconds is None else begin + seconds) - now
            _keep(store, labeller, driver.receive(max(0.0, min(POLL_S, left))), done)
            heard = time.monotonic()
        except DeviceTimeoutError:
            if time.monotonic() - heard > silence:
                driver.check_chain()
                heard = time.monotonic()
        except DeviceError as error:
            _reconnect(driver, error)  # raises where nothing comes back
            done.reconnects += 1
            due = heard = time.monotonic()
    done.seconds = time.monotonic() - begin
    return done


def check_record(seconds: float | None, events: int | None, interval: float, silence: float) -> None:
    """Refuse times and numbers with which a capture would not end, or not begin.

    Raises:
        SpecError: naming them.
    """
    # NaN compares as false, so a capture would never end.
    if not (0 < interval < math.inf and 0 < silence < math.inf):
        raise SpecError(f"record(interval={interval}, silence={silence}): give more than 0 s")
    if not (seconds is None or seconds >= 0) or not (events is None or events >= 0):
        raise SpecError(f"record(seconds={seconds}, events={events}): give 0 or more, or None for no end")


def _labeller(driver: ChainDriver, store: EventStore, check: Check) -> Labeller:
    if driver.setup is None:
        raise SpecError("record: the chain is not up; call bring_up() first")
    labeller = Labeller(driver.setup.difficulty, check, store.seen)
    # The chips may still be at a job that an earlier capture into this file, or somebody else, gave them.
    for sent in [*store.jobs(last=KNOWN_JOBS), *driver.sent]:
        labeller.sent(*sent)
    return labeller


def _reconnect(driver: ChainDriver, error: DeviceError) -> None:
    if not driver.lost:  # too hot, or a rail that does not answer
        raise error
    driver.reconnect()


def _next_job(
    driver: ChainDriver, store: EventStore, labeller: Labeller, source: Iterator[Job], done: Summary
) -> None:
    job = next(source, None)
    if job is None:
        return
    at = driver.now()
    store.append_job(at, job)
    labeller.sent(at, job)
    driver.send(job)
    done.jobs += 1


def _keep(store: EventStore, labeller: Labeller, results: list[Result], done: Summary) -> None:
    kept: list[Event] = []
    fresh: set[bytes] = set()
    for result in results:
        event = labeller.label(result.t_us, result.chip, result.job_id, result.nonce, result.version_bits)
        # The store knows only what was kept before this group.
        if event.label in ("valid", "stale") and event.header in fresh:
            event = Event(**{**event.__dict__, "label": "duplicate"})
        fresh.add(event.header)
        kept.append(event)
    store.append(kept)
    done.events += len(kept)
    for event in kept:
        done.labels[event.label] += 1


def import_shares(path: str | Path, store: EventStore, *, zero_bits: int = 32) -> dict[str, Any]:
    """Add a CSV share log to a store: columns t_s and header_hex, and job where it stands.

    Every header is hashed. One whose previous hash has its words swapped is put right; `swapped` says in which order
    most were found. Times count from 1970 as they stand.

    Parameters:
        zero_bits: zero bits of difficulty 1, from 1 to 64.

    Returns:
        events, valid, invalid, duplicate, and swapped.

    Raises:
        StimulusError: naming file, line, column, value and remedy.
        SpecError: zero_bits out of range.
    """
    from hwmodel.reservoir.shares import LABELS as SHARE_LABELS
    from hwmodel.reservoir.shares import read_shares

    check_whole("import_shares(zero_bits)", zero_bits, 1, 64)
    unit = 2.0 ** (32 - zero_bits)
    log = read_shares(path, difficulty=SHARE_1 / unit)
    rows = []
    for place in range(len(log)):
        raw = log.headers[place].tobytes()
        header = BlockHeader.unpack(raw)
        job = int(log.jobs[place]) if log.jobs is not None else 0
        label = SHARE_LABELS[int(log.label[place])]
        if label == "valid" and store.seen(header.nonce, raw):
            label = "duplicate"
        t_us = round(float(log.times[place]) * 1e6)
        if abs(t_us) >= 1 << 63:
            raise StimulusError(
                f"{path}:{int(log.lines[place])}: column 't_s': {float(log.times[place])!r} is too large for "
                "microseconds of 64 bits; give seconds"
            )
        rows.append(
            Event(t_us, 0, job, header.nonce, header.version, raw, float(log.difficulty[place]) * unit, label)
        )
    store.append(rows)
    counts = {label: sum(row.label == label for row in rows) for label in SHARE_LABELS}
    return {
        "events": len(rows),
        **counts,
        "swapped": log.swapped if counts["invalid"] < len(rows) else "unknown",
    }


def export_csv(store: EventStore, path: str | Path) -> int:
    """Write all events as CSV that `hwmodel reservoir shares` reads; return how many. It appears when it is complete.

    t_s counts from the first event.

    Raises:
        OutputError: the file cannot be written.
    """
    count, first = 0, None
    with replaced_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for event in store.events():
            first = event.t_us if first is None else first
            writer.writerow(
                (f"{(event.t_us - first) / 1e6:.6f}", event.job, event.header.hex(), repr(event.difficulty),
                 event.t_us, event.chip, f"{event.nonce:#010x}", f"{event.version:#010x}", event.label)
            )  # fmt: skip
            count += 1
    return count


def export_parquet(store: EventStore, path: str | Path) -> int:
    """Write all events as Parquet; return how many. It appears when it is complete.

    Raises:
        ToolError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ToolError(
            "Parquet needs pyarrow, which is not installed; pip install 'hwmodel[parquet]'"
        ) from None
    arrays = store.arrays()
    columns = {name: pa.array(values) for name, values in arrays.items() if name not in ("header", "label")}
    columns["header"] = pa.array([row.tobytes() for row in arrays["header"]], pa.binary(80))
    columns["label"] = pa.DictionaryArray.from_arrays(pa.array(arrays["label"], pa.int8()), list(LABELS))
    with replaced_file(path) as part:
        pq.write_table(pa.table(columns), part)
    return len(arrays["t_us"])
