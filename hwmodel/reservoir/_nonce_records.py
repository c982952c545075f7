"""Records of timed nonces, read from JSON and checked at the door."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodel.errors import StimulusError

__all__ = ["NonceRecord", "read_records", "records_of", "word32"]

MAX_RECORDS = 1_000_000
MAX_FILE_BYTES = 1 << 28
MAX_TIME_MS = 1e15
"""Some 30,000 years; beyond it a double no longer holds a fraction of a ms."""

HEX_DIGITS = 8


@dataclass(frozen=True)
class NonceRecord:
    """One result of a chip: when it was logged (ms), its nonce as logged, its rolled version, and its run.

    Results of one `run` share a job start; records without the field are of one run.
    """

    t_ms: float
    nonce: int
    version: int
    run: str = ""


def word32(value: Any, what: str) -> int:
    """Read 32 bits from an integer, or from hexadecimal text with or without 0x.

    Text of more than eight decimal digits cannot be hexadecimal, and is read as decimal.

    Raises:
        StimulusError: no number, or outside 0 ... 2**32 - 1.

    Example:
        >>> word32("0xee307252", "nonce") == word32("ee307252", "nonce") == 3996152402
        True
    """
    number = value
    if isinstance(value, str):
        long = len(value) > HEX_DIGITS and value.isascii() and value.isdecimal() and value[0] != "0"
        try:
            number = int(value, 10 if long else 16)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 1 << 32:
        raise StimulusError(f"{what}={value!r} is no 32-bit word; give hexadecimal such as 0xee307252")
    return number


def records_of(rows: Sequence[Any], where: str = "records") -> list[NonceRecord]:
    """Check rows of a capture: each a mapping with t_ms (or t_us), nonce, version, and perhaps run.

    Raises:
        StimulusError: naming the record, the field and the value.

    Example:
        >>> records_of([{"t_ms": 1.5, "nonce": "0x1", "version": "0x20002000"}])[0].version
        536879104
    """
    if len(rows) > MAX_RECORDS:
        raise StimulusError(f"{where}: {len(rows)} records; at most {MAX_RECORDS} are fitted at once")
    return [_record(row, f"{where}: record {number}") for number, row in enumerate(rows, 1)]


def _record(row: Any, where: str) -> NonceRecord:
    if isinstance(row, NonceRecord):
        return row
    if not isinstance(row, Mapping):
        raise StimulusError(
            f"{where}: {row!r} is no object; write {{'t_ms': ..., 'nonce': ..., 'version': ...}}"
        )
    if "t_ms" in row:
        time, field, scale = row["t_ms"], "t_ms", 1.0
    elif "t_us" in row:
        time, field, scale = row["t_us"], "t_us", 1e-3
    else:
        raise StimulusError(f"{where} has no field 't_ms'; add the time in ms since any fixed moment")
    for name in ("nonce", "version"):
        if name not in row:
            raise StimulusError(f"{where} has no field '{name}'; add it as hexadecimal text")
    if isinstance(time, bool) or not isinstance(time, int | float) or not abs(time) <= MAX_TIME_MS / scale:
        raise StimulusError(
            f"{where}: {field}={str(time)[:40]} is no time; give a number of at most {MAX_TIME_MS:g} ms"
        )
    return NonceRecord(
        float(time) * scale,
        word32(row["nonce"], f"{where}: nonce"),
        word32(row["version"], f"{where}: version"),
        str(row.get("run", "")),
    )


def read_records(path: str | Path) -> list[NonceRecord]:
    """Read a JSON list of records, or an object whose field `records` is one.

    Raises:
        StimulusError: no such file, no JSON, or a record that is malformed; the message names it.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise StimulusError(f"{path}: more than {MAX_FILE_BYTES >> 20} MB; split the capture")
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StimulusError(
            f"{path}: cannot be read: {error.strerror}; give a JSON file of records"
        ) from error
    except json.JSONDecodeError as error:
        raise StimulusError(f"{path}:{error.lineno}: column {error.colno}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise StimulusError(f"{path}: no JSON text: {error}") from error
    if isinstance(rows, Mapping):
        rows = rows.get("records")
    if not isinstance(rows, list):
        raise StimulusError(
            f"{path}: no list of records; write [{{'t_ms': ..., 'nonce': ..., 'version': ...}}, ...]"
        )
    return records_of(rows, str(path))
