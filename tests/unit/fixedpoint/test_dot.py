"""Sums of products: each container, both orders of casting, the reference, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import (
    OVERFLOWS,
    ROUNDINGS,
    Fixed,
    accumulator_format,
    dot,
    matmul,
    reference_cast,
    reference_dot,
)
from hwmodel.fixedpoint import _dot as module
from tests.unit.fixedpoint.conformance import formats, raws

A, B = Fixed(8, 3), Fixed(8, 1)


def exact(a: Any, b: Any) -> list[Any]:
    """The matrix product by Python ints."""
    return (np.asarray(a, object) @ np.asarray(b, object)).tolist()


@given(st.data(), st.booleans())
def test_dot_follows_the_reference(data: st.DataObject, each_step: bool) -> None:
    a_fmt, b_fmt = data.draw(formats(max_width=20)), data.draw(formats(max_width=20))
    accumulator = data.draw(formats(max_width=34, max_point=20))
    pairs = data.draw(st.lists(st.tuples(raws(a_fmt), raws(b_fmt)), min_size=1, max_size=6))
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    wanted = reference_dot(a, a_fmt, b, b_fmt, accumulator, each_step)
    assert int(dot(a, a_fmt, b, b_fmt, accumulator, each_step)) == wanted


@given(st.data())
def test_wide_dot_follows_the_reference(data: st.DataObject) -> None:
    a_fmt, b_fmt, accumulator = (data.draw(formats(max_width=90)) for _ in range(3))
    pairs = data.draw(st.lists(st.tuples(raws(a_fmt), raws(b_fmt)), min_size=1, max_size=4))
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for each_step in (True, False):
        wanted = reference_dot(a, a_fmt, b, b_fmt, accumulator, each_step)
        assert int(dot(a, a_fmt, b, b_fmt, accumulator, each_step)) == wanted


@pytest.mark.kernels
@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_compiled_steps_follow_the_reference(rounding: str, overflow: str) -> None:
    from hwmodel.fixedpoint import _kernels
    from hwmodel.fixedpoint._cast import cast_of

    rng = np.random.default_rng(3)
    a, b = rng.integers(-128, 128, (3, 9)), rng.integers(-128, 128, (9, 2))
    for n in range(3 if overflow.startswith("WRAP") else 1):
        accumulator = Fixed(9, 3, rounding=rounding, overflow=overflow, saturation_bits=n)
        out = np.zeros((3, 2), np.int64)
        _kernels.multiply_steps(a, b, out, 0, 6, cast_of(12, accumulator).words)
        wanted = [[reference_dot(x, A, y, B, accumulator) for y in b.T.tolist()] for x in a.tolist()]
        assert out.tolist() == wanted


@pytest.mark.kernels
@pytest.mark.parametrize("shape", [(40, 30, 20), (20, 30, 40), (1, 20_000, 1)])
def test_large_products_by_steps_follow_the_array_route(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(-128, 128, shape[:2]), rng.integers(-128, 128, shape[1:])
    accumulator = Fixed(10, 5, rounding="RND", overflow="SAT")
    start = rng.integers(-512, 512, shape[2])
    got = matmul(a, A, b, B, accumulator, start=start)
    monkeypatch.setattr(module, "JIT", False)
    assert np.array_equal(got, matmul(a, A, b, B, accumulator, start=start))


@pytest.mark.kernels
@pytest.mark.parametrize("bits", [8, 12, 22, 29, 31, 40])
def test_exact_product_in_every_container(bits: int) -> None:
    """The extremes of a format: the bound of each container is met, or the next one is taken."""
    rng, fmt = np.random.default_rng(bits), Fixed(bits, bits)
    a = rng.choice([fmt.min_raw, fmt.max_raw, 1], (30, 32))
    b = rng.choice([fmt.min_raw, fmt.max_raw, -1], (32, 30))
    assert matmul(a, fmt, b, fmt).tolist() == exact(a, b)


def test_bound_of_float32_is_tight() -> None:
    """2**24 is exact in float32, 2**24 + 1 is not."""
    fmt = Fixed(25, 25)
    assert dot([2**23 - 1, 2**23 - 1], fmt, [1, 1], fmt).tolist() == 2**24 - 2
    assert dot([2**24 - 1, 2], fmt, [1, 1], fmt).tolist() == 2**24 + 1


def test_zero_times_a_huge_number_is_zero() -> None:
    wide = Fixed(1000, 1000)
    assert dot([2**990], wide, [0], Fixed(8, 8)).tolist() == 0


def test_each_step_and_once_differ() -> None:
    """100 + 100 saturates at 127 on the way."""
    accumulator, fmt = Fixed(8, 8, overflow="SAT"), Fixed(8, 8)
    assert dot([100, 100, -100], fmt, [1, 1, 1], fmt, accumulator).tolist() == 27
    assert dot([100, 100, -100], fmt, [1, 1, 1], fmt, accumulator, each_step=False).tolist() == 100


def test_wrapping_without_rounding_is_the_same_either_way() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(-128, 128, (5, 40)), rng.integers(-128, 128, (40, 5))
    accumulator = Fixed(14, 2)
    assert np.array_equal(matmul(a, A, b, B, accumulator), matmul(a, A, b, B, accumulator, each_step=False))


@given(formats(max_width=12), formats(max_width=12), st.integers(1, 50))
def test_accumulator_format_is_the_narrowest(a: Fixed, b: Fixed, terms: int) -> None:
    fmt = accumulator_format(a, b, terms)
    products = [x * y for x in (a.min_raw, a.max_raw) for y in (b.min_raw, b.max_raw)]
    low, high = min(0, *products) * terms, max(products) * terms
    assert fmt.min_raw <= low <= high <= fmt.max_raw
    assert fmt.width == 1 or low < fmt.min_raw // 2 or high > fmt.max_raw // 2
    assert fmt.frac_bits == a.frac_bits + b.frac_bits


@given(st.data())
def test_start_is_the_first_value_of_the_sum(data: st.DataObject) -> None:
    accumulator = data.draw(formats(max_width=14))
    start, a, b = data.draw(raws(accumulator)), data.draw(raws(A)), data.draw(raws(B))
    total = start * accumulator.lsb + a * A.lsb * b * B.lsb
    for each_step in (True, False):
        got = dot([a], A, [b], B, accumulator, each_step, start=start)
        assert int(got) == reference_cast(total, accumulator)


def test_shapes_of_dot() -> None:
    a, b = np.ones((2, 3, 4), int), np.ones((3, 4), int)
    assert dot(a, A, b, A).shape == (2, 3)
    assert dot(a, A, b[0], A).tolist() == [[4] * 3] * 2
    assert dot(b[0], A, a, A).shape == (2, 3)
    assert dot(b[0], A, b[0], A).shape == ()
    assert dot(np.ones((2, 0), int), A, np.ones((2, 0), int), A).tolist() == [0, 0]


@pytest.mark.parametrize(
    "shapes",
    [
        ((4,), (4,)),
        ((2, 4), (4,)),
        ((4,), (4, 3)),
        ((5, 2, 4), (4, 3)),
        ((5, 2, 4), (5, 4, 3)),
        ((2, 4), (5, 4, 3)),
        ((5, 2, 4), (4,)),
    ],
)
@pytest.mark.parametrize("accumulator", [None, Fixed(9, 5, overflow="SAT")])
def test_shapes_of_matmul(shapes: tuple[tuple[int, ...], ...], accumulator: Fixed | None) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, shape) for shape in shapes)
    got = matmul(a, A, b, B, accumulator)
    assert got.shape == np.matmul(a, b).shape
    if accumulator is None:
        assert np.array_equal(got, np.matmul(a, b))
    else:
        column = b if b.ndim == 1 else b[..., 0]
        row = a if a.ndim == 1 else a[..., 0, :]
        first = got.reshape(-1)[0]
        wanted = reference_dot(
            row.reshape(-1, 4)[0].tolist(), A, column.reshape(-1, 4)[0].tolist(), B, accumulator
        )
        assert first == wanted


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dot([1, 2], A, [1, 2, 3], A), r"\(2,\) and \(3,\)"),
        (lambda: dot(1, A, 1, A), "last axis"),
        (lambda: dot(np.ones((2, 3), int), A, np.ones((4, 3), int), A), "do not broadcast"),
        (lambda: matmul(np.ones((2, 3), int), A, np.ones((2, 3), int), A), "do not fit"),
        (lambda: matmul(np.ones((2, 2, 3), int), A, np.ones((3, 3, 3), int), A), "leading axes"),
        (lambda: dot([0.5], A, [1], A), "a_raw holds float64"),
        (lambda: dot([1], A, [200], A), r"b_raw\[0\] = 200"),
        (lambda: dot([1], A, [1], A, "ap_fixed<8>"), "parameters"),
        (lambda: dot([1], A, [1], A, A, start=1000), "start = 1000 does not fit"),
        (lambda: matmul([[1]], A, [[1]], A, A, start=[1, 2]), "start: shape"),
        (lambda: accumulator_format(A, B, 0), "0 products"),
    ],
)
def test_bad_input_is_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        call()


def test_products_of_nothing_are_zero() -> None:
    fmt = Fixed(8, 4)
    empty = np.zeros((2, 0), np.int64)
    assert matmul(empty, fmt, empty.T, fmt).tolist() == [[0, 0], [0, 0]]
    assert dot(empty, fmt, empty[0], fmt).tolist() == [0, 0]
    assert matmul(np.zeros((0, 3), np.int64), fmt, np.zeros((3, 2), np.int64), fmt).shape == (0, 2)


@pytest.mark.parametrize("each_step", [True, False])
def test_the_exact_sum_has_room_for_its_start(each_step: bool) -> None:
    assert int(dot([-128], A, [-128], A, None, each_step, start=2**14)) == 2**15
    assert int(matmul([[-128]], A, [[-128]], A, None, each_step, start=2**14)[0, 0]) == 2**15


def test_terms_are_a_whole_number() -> None:
    with pytest.raises(FormatError, match=r"a sum of 1\.5 products"):
        accumulator_format(A, B, 1.5)  # type: ignore[arg-type]
