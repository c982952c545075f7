"""Import of a real share log: an S9 with the words of the previous hash swapped."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from hwmodel.reservoir.capture import EventStore, export_csv, import_shares
from hwmodel.reservoir.header import BlockHeader, swap_words
from hwmodel.reservoir.shares import read_shares


@pytest.fixture
def log(reference_data: Path) -> Path:
    file = reference_data / "reservoir" / "s9_shares.csv.gz"
    if not file.is_file():
        pytest.skip(f"no {file.name} in the reference data")
    return file


@pytest.mark.parametrize("order", ["as hashed", "previous hash word-swapped"])
def test_every_share_of_an_s9_hashes_again_in_whichever_order_it_was_logged(
    order: str, log: Path, tmp_path: Path
) -> None:
    if order != "as hashed":
        log = swapped(log, tmp_path / "swapped.csv")
    with EventStore(tmp_path / "s9.sqlite") as store:
        found = import_shares(log, store)
        events = list(store.events())
    assert found["swapped"] == order
    assert found["invalid"] == 0
    assert found["valid"] + found["duplicate"] == found["events"] == len(events) > 1000
    assert min(BlockHeader.unpack(event.header).difficulty for event in events) >= 256


def swapped(log: Path, target: Path) -> Path:
    """The log as mining software keeps it, with the words of the previous hash swapped."""
    with gzip.open(log, "rt", newline="") as file, target.open("w", newline="") as out:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(out, reader.fieldnames or [])
        writer.writeheader()
        for row in reader:
            raw = bytes.fromhex(row["header_hex"])
            writer.writerow({**row, "header_hex": (raw[:4] + swap_words(raw[4:36]) + raw[36:]).hex()})
    return target


def test_an_imported_log_survives_export(log: Path, tmp_path: Path) -> None:
    with EventStore(tmp_path / "s9.sqlite") as store:
        import_shares(log, store)
        export_csv(store, tmp_path / "again.csv")
    first, again = read_shares(log), read_shares(tmp_path / "again.csv")
    assert again.headers.tobytes() == first.headers.tobytes()
    assert abs(again.times - (first.times - first.times[0])).max() < 1e-6
    labels = ("valid", "duplicate")
    assert [again.count(label) for label in labels] == [first.count(label) for label in labels]
    assert again.swapped == "as hashed"
