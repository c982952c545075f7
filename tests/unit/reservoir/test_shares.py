"""Share logs: word orders, labels, and errors that name line, column and value."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError, StimulusError
from hwmodel.reservoir.shares import ORDERS, read_shares

# Headers of blocks 0, 1 and 170, which anyone can check.
BLOCKS = (
    (
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc"
        "3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
    ),
    (
        "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c"
        "3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299"
    ),
    (
        "0100000055bd840a78798ad0da853f68974f3d183e2bd1db6a842c1feecf222a00000000ff104ccb05421ab93e63f8c3ce5c2c2e9dbb37d"
        "e2764b3a3175c8166562cac7d51b96a49ffff001d283e9e70"
    ),
)


def swapped(text, first, last):
    data = bytes.fromhex(text)
    words = [data[i : i + 4] for i in range(0, 80, 4)]
    return b"".join(word[::-1] if first <= n < last else word for n, word in enumerate(words)).hex()


def log_of(tmp_path, rows, columns="t_s,header_hex", name="log.csv"):
    file = tmp_path / name
    text = "\n".join([columns, *rows]) + "\n"
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return file


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_headers_are_hashed_again(tmp_path, name):
    log = read_shares(log_of(tmp_path, [f"{i},{h}" for i, h in enumerate(BLOCKS)], name=name))
    for header, found in zip(BLOCKS, log.difficulty, strict=True):
        digest = hashlib.sha256(hashlib.sha256(bytes.fromhex(header)).digest()).digest()
        assert found == pytest.approx((0xFFFF << 208) / int.from_bytes(digest, "little"))
    assert log.count("valid") == 3


@pytest.mark.parametrize(("order", "first", "last"), [(0, 0, 0), (1, 1, 9), (2, 0, 20)])
def test_the_order_of_words_is_found(tmp_path, order, first, last):
    log = read_shares(log_of(tmp_path, [f"{i},{swapped(h, first, last)}" for i, h in enumerate(BLOCKS[1:])]))
    assert log.valid.all()
    assert log.order.tolist() == [order] * 2
    assert log.swapped == ORDERS[order]
    assert log.headers[0].tobytes().hex() == BLOCKS[1]


def test_the_order_of_words_is_found_row_by_row(tmp_path):
    rows = [f"0,{BLOCKS[1]}", f"1,{swapped(BLOCKS[2], 1, 9)}"]
    log = read_shares(log_of(tmp_path, rows))
    assert log.order.tolist() == [0, 1]
    assert log.valid.all()


def test_a_repeated_share_is_a_duplicate_in_whatever_order(tmp_path):
    rows = [f"0,{BLOCKS[1]}", f"1,{swapped(BLOCKS[1], 1, 9)}", f"2,{BLOCKS[1]}"]
    log = read_shares(log_of(tmp_path, rows))
    assert (log.count("valid"), log.count("duplicate"), log.count("invalid")) == (1, 2, 0)


@given(st.integers(0, 159))
def test_any_changed_digit_makes_a_share_invalid(tmp_path_factory, place):
    digit = "0" if BLOCKS[2][place] != "0" else "1"
    header = BLOCKS[2][:place] + digit + BLOCKS[2][place + 1 :]
    log = read_shares(log_of(tmp_path_factory.mktemp("log"), [f"0,{header}"]))
    assert log.count("invalid") == 1


def test_a_difficulty_may_be_asked_for(tmp_path):
    file = log_of(tmp_path, [f"{i},{h}" for i, h in enumerate(BLOCKS)])
    assert read_shares(file, difficulty=100.0).count("valid") == 2 - 1
    with pytest.raises(SpecError, match="difficulty=0"):
        read_shares(file, difficulty=0)


def test_rows_come_in_order_of_time(tmp_path):
    log = read_shares(log_of(tmp_path, [f"3.5,{BLOCKS[0]},7", f"1.5,{BLOCKS[1]},6"], "t_s,header_hex,job"))
    assert log.times.tolist() == [1.5, 3.5]
    assert log.jobs.tolist() == [6, 7]
    assert log.lines.tolist() == [3, 2]
    assert log.intervals.tolist() == [2.0]


def test_spaces_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes(b"\xef\xbb\xbf" + f" t_s , header_hex\r\n\r\n 1.0 , {BLOCKS[0]}\r\n".encode())
    assert len(read_shares(file)) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"x,{BLOCKS[0]},1,2", r"log.csv:2: column 't_s': 'x' is no finite number"),
        (f"nan,{BLOCKS[0]},1,2", r"log.csv:2: column 't_s': 'nan'"),
        ("1,00ff,1,2", r"log.csv:2: column 'header_hex': '00ff' \(4 characters\)"),
        (f"1,{'g' * 160},1,2", r"log.csv:2: column 'header_hex': 'gggg"),
        (f"1,{BLOCKS[0]},1.5,2", r"log.csv:2: column 'job': '1.5'"),
        (f"1,{BLOCKS[0]},1,", r"log.csv:2: column 'diff': ''"),
        (f"1,{BLOCKS[0]}", r"log.csv:2: 2 cells where the first line names 4"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path, row, message):
    with pytest.raises(StimulusError, match=message):
        read_shares(log_of(tmp_path, [row], "t_s,header_hex,job,diff"))


@pytest.mark.parametrize("columns", ["t,header_hex", "t_s,header", "t_s,t_s,header_hex"])
def test_a_missing_or_doubled_column_is_named(tmp_path, columns):
    with pytest.raises(StimulusError, match=r"log.csv:1: [02] columns are named '(t_s|header_hex)'"):
        read_shares(log_of(tmp_path, [], columns))


def test_an_empty_an_absent_and_a_damaged_file_are_named(tmp_path):
    with pytest.raises(StimulusError, match="no rows"):
        read_shares(log_of(tmp_path, []))
    with pytest.raises(StimulusError, match="cannot be read"):
        read_shares(tmp_path / "absent.csv")
    file = log_of(tmp_path, [f"{i},{BLOCKS[0]}" for i in range(500)], name="log.csv.gz")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StimulusError, match="damaged gzip"):
        read_shares(file)
    file = tmp_path / "bytes.csv"
    file.write_bytes(b"t_s,header_hex\n\xff\xfe\n")
    with pytest.raises(StimulusError, match="no text"):
        read_shares(file)


def test_compiled_and_plain_hashes_agree(tmp_path, monkeypatch):
    file = log_of(tmp_path, [f"{i},{h}" for i, h in enumerate(BLOCKS)])
    plain = read_shares(file)
    monkeypatch.setattr("hwmodel.reservoir.shares.COMPILED_FROM", 1)
    np.testing.assert_allclose(read_shares(file).difficulty, plain.difficulty, rtol=1e-12)


def test_times_whose_squares_overflow_are_named(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("t_s,header_hex\n1e300," + 160 * "0" + "\n")
    with pytest.raises(StimulusError, match=r"log\.csv:2: column 't_s': '1e300'"):
        read_shares(file)
