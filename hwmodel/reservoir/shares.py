"""Share logs: CSV, perhaps gzipped, read row by row, every header hashed again and labelled.

Mining software keeps the hash of the previous block with the bytes of each 4-byte word reversed, and logs of it
often have the header in that order. Hashed as it stands, such a header has a difficulty of 1e-10; so each row that
is no share as it stands is tried in the other orders.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, StimulusError

__all__ = ["LABELS", "ORDERS", "ShareLog", "read_shares"]

LABELS = ("valid", "invalid", "duplicate")
ORDERS = ("as hashed", "previous hash word-swapped", "all words swapped")
"""Orders in which a header is found: in that of the hash, with the words of the previous hash reversed byte by byte,
or with all twenty words so."""

HEADER_BYTES = 80
MAX_ROWS = 10_000_000
MAX_NUMBER = 1e15
"""Of times and difficulties: squares and their sums stay far from the largest double."""

DIFFICULTY_1 = 0xFFFF << 208
COMPILED_FROM = 200_000
"""Rows from which the compiled hash is worth the time that loading it takes."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ShareLog:
    """A share log in order of time.

    times: seconds. headers: (n, 80) uint8 in the order of the hash. difficulty: of each header, re-hashed. label:
    number in `LABELS`. order: number in `ORDERS` in which each row was found. jobs, logged: columns job and diff
    where they stand. lines: line of the file.
    """

    name: str
    times: Floats
    headers: npt.NDArray[np.uint8]
    difficulty: Floats
    label: npt.NDArray[np.uint8]
    order: npt.NDArray[np.uint8]
    jobs: npt.NDArray[np.int64] | None
    logged: Floats | None
    lines: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def intervals(self) -> Floats:
        """Seconds between consecutive rows, repeated ones included."""
        return np.diff(self.times)

    @property
    def duplicate(self) -> npt.NDArray[np.bool_]:
        """Rows that repeat an earlier valid one."""
        return np.asarray(self.label == 2)

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Rows whose header hashes to the difficulty, whether for the first time or again."""
        return np.asarray(self.label != 1)

    @property
    def swapped(self) -> str:
        """Order of most valid rows."""
        return ORDERS[int(np.bincount(self.order[self.valid], minlength=len(ORDERS)).argmax())]

    def count(self, label: str) -> int:
        """Rows with a label.

        Raises:
            SpecError: no such label.
        """
        if label not in LABELS:
            raise SpecError(f"ShareLog.count: label='{label}' is not one of {', '.join(LABELS)}")
        return int(np.count_nonzero(self.label == LABELS.index(label)))


def read_shares(path: str | Path, difficulty: float = 1.0) -> ShareLog:
    """Read a share log with columns t_s and header_hex, and job and diff where they stand.

    Parameters:
        path: .csv or .csv.gz; the first line names the columns.
        difficulty: below it a row is invalid; 1 means 32 zero bits, which no wrong header reaches by chance.

    Raises:
        StimulusError: naming file, line, column, value and remedy.
        SpecError: the difficulty is not positive.

    Example:
        >>> import tempfile
        >>> genesis = "01" + "00" * 35 + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
        >>> file = Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = file.write_text("t_s,header_hex\\n0.5," + genesis + "29ab5f49ffff001d1dac2b7c\\n")
        >>> log = read_shares(file)
        >>> len(log), log.count("valid"), round(float(log.difficulty[0]), 1)
        (1, 1, 2536.4)
    """
    if not 0 < difficulty < math.inf:
        raise SpecError(f"read_shares: difficulty={difficulty} must be positive")
    path = Path(path)
    rows = _Rows(path)
    for line, cells in _cells(path):
        rows.add(line, cells)
    if not rows.times:
        raise StimulusError(f"{path}: no rows; a share log has a line of column names and one row a share")
    return _labelled(rows, difficulty)


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row that is not blank, the column names first."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
            for cells in reader:
                if cells and any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StimulusError(f"{path}: damaged gzip file: {error}; fetch it again") from error
    except OSError as error:
        raise StimulusError(
            f"{path}: cannot be read: {error.strerror or error}; give a CSV share log"
        ) from error
    except UnicodeDecodeError as error:
        raise StimulusError(
            f"{path}: no text: byte {error.start} is {error.object[error.start]:#x}"
        ) from error
    except csv.Error as error:
        raise StimulusError(f"{path}:{reader.line_num}: no CSV: {error}") from error


class _Rows:
    """Rows as they are read and checked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] | None = None
        self.times: list[float] = []
        self.headers: list[bytes] = []
        self.jobs: list[int] = []
        self.logged: list[float] = []
        self.lines: list[int] = []

    def add(self, line: int, cells: Sequence[str]) -> None:
        """Check one row and keep it; the first names the columns."""
        if self.names is None:
            self.names = [cell.strip() for cell in cells]
            for name in ("t_s", "header_hex"):
                if self.names.count(name) != 1:
                    raise StimulusError(
                        f"{self.path}:{line}: {self.names.count(name)} columns are named '{name}'; the first line "
                        f"must name it once; it has: {', '.join(self.names)[:200]}"
                    )
            return
        if len(cells) != len(self.names):
            raise StimulusError(
                f"{self.path}:{line}: {len(cells)} cells where the first line names {len(self.names)} columns; "
                "mend or remove the row"
            )
        if len(self.times) >= MAX_ROWS:
            raise StimulusError(f"{self.path}:{line}: more than {MAX_ROWS} rows; split the log")
        row = dict(zip(self.names, (cell.strip() for cell in cells), strict=True))
        self.times.append(self._number(line, "t_s", row["t_s"]))
        self.headers.append(self._header(line, row["header_hex"]))
        if "job" in row:
            self.jobs.append(self._job(line, row["job"]))
        if "diff" in row:
            self.logged.append(self._number(line, "diff", row["diff"]))
        self.lines.append(line)

    def _number(self, line: int, column: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= MAX_NUMBER:
            raise StimulusError(
                f"{self.path}:{line}: column '{column}': '{text[:80]}' is no finite number of at most {MAX_NUMBER:g}; "
                "mend or remove the row"
            )
        return value

    def _job(self, line: int, text: str) -> int:
        for base in (10, 16):
            try:
                value = int(text, base)
            except ValueError:
                continue
            if abs(value) < 1 << 63:
                return value
        raise StimulusError(f"{self.path}:{line}: column 'job': '{text[:80]}' is no whole number of 63 bits")

    def _header(self, line: int, text: str) -> bytes:
        try:
            data = bytes.fromhex(text)
        except ValueError:
            data = b""
        if len(data) != HEADER_BYTES or len(text) != 2 * HEADER_BYTES:
            shown = text if len(text) <= 24 else f"{text[:24]}..."
            raise StimulusError(
                f"{self.path}:{line}: column 'header_hex': '{shown}' ({len(text)} characters) is no block header; "
                "it takes 160 hexadecimal digits"
            )
        return data


def _labelled(rows: _Rows, difficulty: float) -> ShareLog:
    """Hash all headers, in each order until one is a share, and mark repetitions."""
    order = np.argsort(np.array(rows.times), kind="stable")
    headers = np.frombuffer(b"".join(rows.headers), np.uint8).reshape(-1, HEADER_BYTES)[order].copy()
    found = _difficulties(headers)
    which = np.zeros(len(headers), dtype=np.uint8)
    for number in range(1, len(ORDERS)):
        left = np.flatnonzero(found < difficulty)
        if not len(left):
            break
        tried = _reordered(headers[left], number)
        reached = _difficulties(tried)
        good = reached >= difficulty
        headers[left[good]], found[left[good]], which[left[good]] = tried[good], reached[good], number
    label = np.where(found >= difficulty, 0, 1).astype(np.uint8)
    seen: set[bytes] = set()
    for place in np.flatnonzero(label == 0):
        key = headers[place].tobytes()
        if key in seen:
            label[place] = 2
        seen.add(key)
    return ShareLog(
        str(rows.path), np.array(rows.times)[order], headers, found, label, which,
        np.array(rows.jobs, dtype=np.int64)[order] if rows.jobs else None,
        np.array(rows.logged)[order] if rows.logged else None,
        np.array(rows.lines, dtype=np.int64)[order],
    )  # fmt: skip


def _reordered(headers: npt.NDArray[np.uint8], order: int) -> npt.NDArray[np.uint8]:
    """Bring headers of one of `ORDERS` into that of the hash."""
    words = headers.reshape(-1, HEADER_BYTES // 4, 4).copy()
    if order == 1:
        words[:, 1:9] = words[:, 1:9, ::-1]
    elif order == 2:
        words = words[:, :, ::-1]
    return np.ascontiguousarray(words).reshape(-1, HEADER_BYTES)


def _difficulties(headers: npt.NDArray[np.uint8]) -> Floats:
    """0xFFFF 2**208 over the double SHA-256 as a little-endian number."""
    if len(headers) >= COMPILED_FROM:
        from hwmodel.reservoir.header import difficulties, hash_headers

        return np.asarray(difficulties(hash_headers(headers)))
    digests = (hashlib.sha256(hashlib.sha256(row.tobytes()).digest()).digest() for row in headers)
    return np.array([DIFFICULTY_1 / max(int.from_bytes(digest, "little"), 1) for digest in digests])
