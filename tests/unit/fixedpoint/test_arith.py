"""Operators: result types, the conformance suite, the reference, quirks, bad input."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import Fixed, arithmetic, reference_arithmetic, result_format
from tests.unit.fixedpoint.conformance import format_of, formats, patterns, raws, raws_of, rows

COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
BINARY = ["+", "-", "*", "/", "&", "|", "^", *COMPARE]
A = Fixed(8, 3)


def test_suite_of_operations() -> None:
    wrong = []
    for row in rows("operations.csv"):
        a_fmt, b_fmt, fmt = format_of(row, "a_"), format_of(row, "b_"), format_of(row)
        with np.errstate(divide="ignore"):
            raw, got = arithmetic(row["operator"], patterns(a_fmt)[:, None], a_fmt, patterns(b_fmt), b_fmt)
        wanted = raws_of(row["words"], fmt)
        known = wanted != -(1 << 40)
        if got != fmt or not np.array_equal(raw.reshape(-1)[known], wanted[known]):
            wrong.append(f"{a_fmt} {row['operator']} {b_fmt}")
    assert wrong == []


@pytest.mark.parametrize("op", BINARY)
@given(data=st.data())
def test_operators_follow_the_reference(op: str, data: st.DataObject) -> None:
    a_fmt = data.draw(formats(max_width=40, max_point=20))
    b_fmt = data.draw(formats(max_width=40, max_point=20))
    try:
        fmt = result_format(op, a_fmt, b_fmt)
    except FormatError:  # a quotient with no bits at all
        assume(False)
    a, b = data.draw(raws(a_fmt)), data.draw(raws(b_fmt))
    assume(op != "/" or b)
    raw, got = arithmetic(op, [a], a_fmt, [b], b_fmt)
    assert got == fmt
    assert raw.dtype == fmt.dtype
    assert raw.tolist() == [reference_arithmetic(op, a, a_fmt, b, b_fmt, fmt)]


@given(formats(max_width=70), st.data())
def test_negation_is_exact(fmt: Fixed, data: st.DataObject) -> None:
    a = data.draw(raws(fmt))
    raw, got = arithmetic("neg", [a], fmt)
    assert raw.tolist() == [-a]
    assert (got.width, got.int_bits, got.signed) == (fmt.width + 1, fmt.int_bits + 1, True)


@given(formats(max_width=70), st.data())
def test_complement_inverts_every_bit(fmt: Fixed, data: st.DataObject) -> None:
    a = data.draw(raws(fmt))
    raw, got = arithmetic("~", [a], fmt)
    assert raw.tolist() == [fmt.max_raw + fmt.min_raw - a]
    assert got.width == fmt.width


@given(formats(max_width=70), st.data(), st.integers(-90, 90), st.sampled_from(["<<", ">>"]))
def test_shifts_follow_the_reference(fmt: Fixed, data: st.DataObject, count: int, op: str) -> None:
    a = data.draw(raws(fmt))
    raw, got = arithmetic(op, [a], fmt, count)
    assert got == fmt
    assert raw.tolist() == [reference_arithmetic(op, a, fmt, count, None, fmt)]


def test_shift_counts_may_differ() -> None:
    raw, _ = arithmetic(">>", [-128, 64, 1], A, [3, -1, 0], Fixed(4, 4))
    assert raw.tolist() == [-16, -128, 1]


def test_shift_neither_rounds_nor_saturates() -> None:
    fmt = Fixed(4, 4, rounding="RND", overflow="SAT")
    assert arithmetic(">>", [3, -3], fmt, 1)[0].tolist() == [1, -2]
    assert arithmetic("<<", [7], fmt, 1)[0].tolist() == [-2]


@pytest.mark.parametrize(
    ("op", "a", "b", "result"),
    [
        ("+", Fixed(8, 3), Fixed(6, 4), Fixed(10, 5)),
        ("+", Fixed(8, 3, False), Fixed(6, 3), Fixed(10, 5)),
        ("-", Fixed(4, 4, False), Fixed(4, 4, False), Fixed(5, 5)),
        ("*", Fixed(8, 3, False), Fixed(6, -1), Fixed(14, 2)),
        ("/", Fixed(8, 3), Fixed(6, 4), Fixed(11, 6)),
        ("/", Fixed(8, 3), Fixed(6, 9), Fixed(9, 1)),
        ("&", Fixed(8, 3, False), Fixed(6, 4), Fixed(9, 4)),
        ("<", Fixed(8, 3), Fixed(6, 4), Fixed(1, 1, False)),
        ("<<", Fixed(8, 3, rounding="RND"), None, Fixed(8, 3, rounding="RND")),
        ("neg", Fixed(8, 3, False), None, Fixed(9, 4)),
    ],
)
def test_result_types(op: str, a: Fixed, b: Fixed | None, result: Fixed) -> None:
    assert result_format(op, a, b) == result


@pytest.mark.parametrize(
    ("name", "symbol"), [("add", "+"), ("div", "/"), ("xor", "^"), ("ge", ">="), ("shl", "<<")]
)
def test_names_of_operators(name: str, symbol: str) -> None:
    assert arithmetic(name, [9], A, [2], Fixed(4, 4)) == arithmetic(symbol, [9], A, [2], Fixed(4, 4))


def test_quotients_are_cut_toward_zero() -> None:
    raw, fmt = arithmetic("/", [7, -7, 7, -7], Fixed(4, 4), [2, 2, -2, -2], Fixed(4, 4))
    assert raw.tolist() == [3, -3, -3, 3]
    assert fmt == Fixed(5, 5)


def test_least_value_by_minus_one_wraps() -> None:
    assert arithmetic("/", [-8], Fixed(4, 4), [-1], Fixed(4, 4))[0].tolist() == [-8]
    assert arithmetic("/", [-8], Fixed(4, 4), [-1], Fixed(5, 5))[0].tolist() == [8]


def test_division_by_zero_follows_errstate() -> None:
    with np.errstate(divide="ignore"):
        assert arithmetic("/", [7, 6], A, [0, 2], Fixed(4, 4))[0].tolist() == [0, 3]
    with np.errstate(divide="warn"), pytest.warns(RuntimeWarning, match="divide by zero"):
        arithmetic("/", [7], A, [0], Fixed(4, 4))
    with np.errstate(divide="raise"), pytest.raises(FormatError, match="division by zero"):
        arithmetic("/", [7], A, [0], Fixed(4, 4))


def test_shapes_broadcast() -> None:
    raw, _ = arithmetic("+", np.zeros((3, 1), int), A, np.ones(4, int), A)
    assert raw.shape == (3, 4)


def test_wide_products_are_python_ints() -> None:
    fmt = Fixed(60, 60)
    raw, wide = arithmetic("*", [-(2**59)], fmt, [-(2**59)], fmt)
    assert raw.tolist() == [2**118]
    assert (raw.dtype, wide.width) == (object, 120)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: arithmetic("**", [1], A, [1], A), r"unknown operator '\*\*'"),
        (lambda: arithmetic("addd", [1], A, [1], A), "did you mean 'add'"),
        (lambda: arithmetic("-", [1], A), "write 'neg'"),
        (lambda: arithmetic("+", [1], A, [1]), "needs b_fmt"),
        (lambda: arithmetic("neg", [1], A, [1], A), "takes one operand"),
        (lambda: arithmetic("+", [1, 2], A, [1, 2, 3], A), r"shapes \(2,\) and \(3,\) do not broadcast"),
        (lambda: arithmetic("+", [1.5], A, [1], A), "a_raw holds float64"),
        (lambda: arithmetic("+", [1], A, [300], A), r"b_raw\[0\] = 300 does not fit"),
        (lambda: arithmetic("<<", [1], A, [1], A), "no whole number of bits"),
        (lambda: arithmetic("<<", [1], A, [1 << 40]), "beyond"),
        (lambda: result_format("*", Fixed(600, 3), Fixed(600, 3)), "width=1200"),
        (lambda: result_format("+", A), "second operand"),
    ],
)
def test_bad_input_is_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        call()


@pytest.mark.parametrize("width", [1, 8, 31, 62, 63, 64, 65])
@pytest.mark.parametrize("op", BINARY)
def test_single_extremes_follow_the_reference(op: str, width: int) -> None:
    for signed in (True, False):
        fmt = Fixed(width, width, signed)
        out = result_format(op, fmt, fmt)
        for a in (fmt.min_raw, fmt.max_raw):
            for b in (fmt.min_raw or 1, fmt.max_raw or 1 - 2 * signed):
                raw, _ = arithmetic(op, a, fmt, b, fmt)
                assert raw.shape == ()
                assert int(raw) == reference_arithmetic(op, a, fmt, b, fmt, out)


@pytest.mark.parametrize("width", [8, 31, 32, 63, 64, 90])
def test_negative_numbers_are_less_than_unsigned_ones_of_any_width(width: int) -> None:
    """The headers compare like C from 32 bits on; see DEVIATIONS."""
    unsigned = Fixed(width, width, signed=False)
    for op, wanted in {"<": 1, "<=": 1, ">": 0, ">=": 0, "==": 0, "!=": 1}.items():
        assert int(arithmetic(op, -1, A, unsigned.max_raw, unsigned)[0]) == wanted
        assert int(arithmetic(op, unsigned.max_raw, unsigned, -1, A)[0]) == (op in (">", ">=", "!="))
