"""Where captured events are kept: SQLite, only ever added to, whole after any end of the program."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from hwmodel.errors import OutputError, SpecError
from hwmodel.reservoir._whole import check_whole
from hwmodel.reservoir.header import HEADER_BYTES
from hwmodel.reservoir.job import Job

__all__ = ["LABELS", "Event", "EventStore"]

LABELS = ("valid", "invalid", "duplicate", "stale")
APPLICATION = 0x68776D72  # "hwmr"
FORMAT = 1
MAX_ARRAYS = 50_000_000
ROWS_AT_ONCE = 10_000
BUSY_S = 30.0

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, t_us INTEGER NOT NULL, job INTEGER NOT NULL, version INTEGER NOT NULL, previous BLOB NOT NULL,
    merkle BLOB NOT NULL, time INTEGER NOT NULL, bits INTEGER NOT NULL, version_mask INTEGER NOT NULL
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, t_us INTEGER NOT NULL, chip INTEGER NOT NULL, job INTEGER NOT NULL, nonce INTEGER NOT NULL,
    version INTEGER NOT NULL, header BLOB NOT NULL, difficulty REAL NOT NULL, label TEXT NOT NULL
);
CREATE INDEX events_by_nonce ON events (nonce);
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER jobs_stay BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'jobs are only added'); END;
CREATE TRIGGER jobs_last BEFORE DELETE ON jobs BEGIN SELECT RAISE(ABORT, 'jobs are only added'); END;
"""

WORD = (0, (1 << 32) - 1)
TIMES = (-(1 << 63), (1 << 63) - 1)  # what SQLite and NumPy keep
RANGES = {"t_us": TIMES, "chip": (0, 255), "job": TIMES, "nonce": WORD, "version": WORD}
COLUMNS = "t_us, chip, job, nonce, version, header, difficulty, label"


@dataclass(frozen=True)
class Event:
    """A captured result.

    t_us: when its last byte was there, us since 1970. nonce, version, header: as hashed. difficulty: of the header's
    hash, in units of the rule by which it was checked. label: one of `LABELS`.
    """

    t_us: int
    chip: int
    job: int
    nonce: int
    version: int
    header: bytes
    difficulty: float
    label: str


def _check(event: Event) -> None:
    """Refuse what would not come back from the file as it was."""
    whole = isinstance(event.header, bytes) and len(event.header) == HEADER_BYTES
    if event.label not in LABELS or not whole:
        raise SpecError(
            f"EventStore.append: label '{event.label}' and {len(event.header)} of header; give one of "
            f"{', '.join(LABELS)} and 80 bytes"
        )
    for name, (least, most) in RANGES.items():
        check_whole(f"EventStore.append: {name}", getattr(event, name), least, most)
    if not (isinstance(event.difficulty, float | int) and 0 <= event.difficulty < math.inf):
        raise SpecError(f"EventStore.append: difficulty={event.difficulty!r}: give a number of 0 or more")


class EventStore:
    """An SQLite file of events.

    Each call that adds something is one transaction, in write-ahead mode: when the program is killed at any instant,
    the file holds all that such calls had returned for. Only a power cut may cost the last of them. Triggers refuse to
    change or remove a row.

    Parameters:
        path: the file; made if it is not there, else added to.
        meta: what is to be noted about a new file: port, chip, settings.

    Raises:
        OutputError: no such folder, or a file that is something else.

    Example:
        >>> import tempfile
        >>> with EventStore(Path(tempfile.mkdtemp()) / "run.sqlite") as store:
        ...     store.append([Event(1, 0, 8, 7, 0x20000000, bytes(80), 2.5, "valid")])
        ...     store.count(), store.counts()["valid"]
        (1, 1)
    """

    def __init__(self, path: str | Path, meta: dict[str, str] | None = None) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise OutputError(f"{self.path}: there is no folder {self.path.parent}; make it first")
        try:
            self._base = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            self._prepare(meta or {})
        except sqlite3.Error as error:
            raise OutputError(f"{self.path}: {error}; give another file") from error

    def _prepare(self, meta: dict[str, str]) -> None:
        run = self._base.execute
        fresh = not run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        if fresh:
            # One transaction: a file that was begun is either empty or whole.
            script = (
                f"BEGIN; PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; {SCHEMA} COMMIT;"
            )
            self._base.executescript(script)
        found = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
        if found != (APPLICATION, FORMAT):
            self._base.close()
            raise OutputError(f"{self.path}: an SQLite file of something else; give another file")
        if meta:
            self.note(meta)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what stood in the write-ahead file goes into it."""
        self._base.close()

    @property
    def meta(self) -> dict[str, str]:
        """What was noted about the file."""
        return dict(self._read("SELECT key, value FROM meta"))

    def note(self, meta: dict[str, str]) -> None:
        """Note something about the file; what was noted before stays.

        Raises:
            OutputError: the file cannot be written.
        """
        self._write("INSERT OR IGNORE INTO meta VALUES (?, ?)", sorted(meta.items()))

    def append(self, events: Sequence[Event]) -> None:
        """Add events, all of them or none.

        Raises:
            SpecError: an unknown label, a header that is not 80 bytes, or a number that has no room.
            OutputError: the disk is full, or the file cannot be written.
        """
        for event in events:
            _check(event)
        rows = [
            (int(e.t_us), int(e.chip), int(e.job), int(e.nonce), int(e.version), e.header, float(e.difficulty), e.label)
            for e in events
        ]  # fmt: skip
        self._write(f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def append_job(self, t_us: int, job: Job) -> None:
        """Note a job before it is sent.

        Raises:
            OutputError: the file cannot be written.
        """
        at = check_whole("EventStore.append_job(t_us)", t_us, *TIMES)
        row = (at, job.job_id, job.version, job.previous, job.merkle, job.time, job.bits, job.version_mask)
        self._write(
            "INSERT INTO jobs (t_us, job, version, previous, merkle, time, bits, version_mask) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [row],
        )

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._base.executemany(statement, rows)
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise OutputError(
                f"{self.path}: {error}; is the disk full, or the file closed or damaged?"
            ) from error

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._base.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise OutputError(
                f"{self.path}: cannot be read: {error}; take a copy of it that is whole"
            ) from error

    def seen(self, nonce: int, header: bytes) -> bool:
        """Whether a header that hashed well is there already."""
        query = "SELECT 1 FROM events WHERE nonce = ? AND header = ? AND label != 'invalid' LIMIT 1"
        return bool(self._read(query, (nonce, header)))

    def count(self) -> int:
        """Number of events."""
        return int(self._read("SELECT count(*) FROM events")[0][0])

    def counts(self) -> dict[str, int]:
        """Number of events of each label."""
        found = dict(self._read("SELECT label, count(*) FROM events GROUP BY label"))
        return {label: int(found.get(label, 0)) for label in LABELS}

    def count_jobs(self) -> int:
        """Number of jobs."""
        return int(self._read("SELECT count(*) FROM jobs")[0][0])

    def jobs(self, last: int | None = None) -> list[tuple[int, Job]]:
        """Jobs in the order in which they were sent, each with its time in us; all, or so many of the last."""
        # Rows are never removed, so numbers have no gaps.
        after = 0 if last is None else self.count_jobs() - last
        rows = self._read(
            "SELECT t_us, job, version, previous, merkle, time, bits, version_mask FROM jobs WHERE id > ? ORDER BY id",
            (after,),
        )
        return [(t, Job(n, v, p, m, time, bits, 0, mask)) for t, n, v, p, m, time, bits, mask in rows]

    def events(self) -> Iterator[Event]:
        """Events in the order in which they were added."""
        last = 0
        while True:
            query = f"SELECT id, {COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT ?"
            rows = self._read(query, (last, ROWS_AT_ONCE))
            if not rows:
                return
            last = rows[-1][0]
            for row in rows:
                yield Event(*row[1:])

    def arrays(self) -> dict[str, Any]:
        """All events as NumPy arrays: t_us, chip, job, nonce, version, header (n, 80), difficulty, label.

        `label` is a place in `LABELS`.

        Raises:
            SpecError: more than 50 million events.
        """
        count = self.count()
        if count > MAX_ARRAYS:
            raise SpecError(f"{self.path}: {count} events are too many for arrays; its bound is {MAX_ARRAYS}")
        types = {
            "t_us": np.int64, "chip": np.uint8, "job": np.int64, "nonce": np.uint32, "version": np.uint32,
            "difficulty": np.float64, "label": np.uint8,
        }  # fmt: skip
        found: dict[str, Any] = {name: np.empty(count, kind) for name, kind in types.items()}
        found["header"] = np.empty((count, HEADER_BYTES), np.uint8)
        for place, event in zip(range(count), self.events(), strict=False):
            for name in types:
                value = getattr(event, name)
                found[name][place] = LABELS.index(value) if name == "label" else value
            found["header"][place] = np.frombuffer(event.header, np.uint8)
        return found
