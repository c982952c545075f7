"""FixedArray: the types of ap_fixed, the values of exact arithmetic, the protocol of NumPy."""

from __future__ import annotations

import copy
import operator
import pickle
from fractions import Fraction
from math import floor, trunc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import Fixed, arithmetic, quantize, requantize, result_format
from hwmodel.fixedpoint._array import FixedArray

S8 = Fixed(8, 3)
U4 = Fixed(4, 2, signed=False)
NAMES = {"FixedArray": FixedArray, "Fixed": Fixed}

formats = st.builds(
    Fixed,
    st.integers(1, 12),
    st.integers(-3, 12),
    st.booleans(),
    st.sampled_from(["TRN", "RND"]),
    st.sampled_from(["WRAP", "SAT"]),
)


@st.composite
def arrays(draw, shape=(3,), fmt=formats):
    """An array and the same values as Fractions."""
    chosen = draw(fmt)
    size = int(np.prod(shape))
    raws = draw(st.lists(st.integers(chosen.min_raw, chosen.max_raw), min_size=size, max_size=size))
    return FixedArray(np.array(raws, np.int64).reshape(shape), chosen)


@pytest.fixture
def x():
    return FixedArray([[10, -48, 3], [127, 0, -128]], S8)


@pytest.fixture
def y():
    return FixedArray([1, 2, 15], U4)


def exact(array):
    return array.to_fractions().tolist()


# ------------------------------------------------------------------------------------------------ arithmetic


@given(arrays(), arrays(), st.sampled_from([operator.add, operator.sub, operator.mul]))
def test_exact_operators_are_those_of_fractions(a, b, op):
    assert exact(op(a, b)) == [op(p, q) for p, q in zip(exact(a), exact(b), strict=True)]


@given(arrays(), arrays())
def test_quotients_are_cut_toward_zero(a, b):
    assume(all(b.raw))
    assume(not (-1 in b.raw and a.fmt.min_raw in a.raw))
    result = a / b
    want = [trunc(p / q / result.fmt.lsb) for p, q in zip(exact(a), exact(b), strict=True)]
    assert result.raw.tolist() == want


@given(arrays(), arrays(), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_comparisons_are_exact_across_formats(a, b, symbol):
    ops = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    op = getattr(operator, ops[symbol])
    got = op(a, b)
    assert got.dtype == bool
    assert got.tolist() == [op(p, q) for p, q in zip(exact(a), exact(b), strict=True)]


@given(arrays(), st.integers(-40, 40))
def test_whole_numbers_stand_for_themselves(a, n):
    assert exact(a + n) == [p + n for p in exact(a)]
    assert exact(n - a) == [n - p for p in exact(a)]
    assert exact(n * a) == [n * p for p in exact(a)]
    assert (a < n).tolist() == [p < n for p in exact(a)]


@given(arrays(), st.floats())
def test_floats_compare_exactly(a, f):
    assert (a < f).tolist() == [p < f for p in exact(a)]
    assert (f <= a).tolist() == [f <= p for p in exact(a)]
    assert (a != f).tolist() == [p != f for p in exact(a)]


@given(arrays((2, 3)), arrays((3, 2)))
def test_matrix_products_and_sums_are_exact(a, b):
    p, q = a.to_fractions(), b.to_fractions()
    assert exact(a @ b) == (p @ q).tolist()
    assert exact(a.sum(axis=0)) == p.sum(axis=0).tolist()
    assert exact(a.sum()) == p.sum()
    assert exact(np.cumsum(a, axis=1)) == np.cumsum(p, axis=1).tolist()


@given(arrays())
def test_one_operand(a):
    assert exact(-a) == [-p for p in exact(a)]
    assert exact(abs(a)) == [abs(p) for p in exact(a)]
    assert exact(np.square(a)) == [p * p for p in exact(a)]
    assert exact(+a) == exact(a)


@given(arrays(), arrays())
def test_extremes_join_formats_without_loss(a, b):
    pairs = list(zip(exact(a), exact(b), strict=True))
    assert exact(np.maximum(a, b)) == [max(pair) for pair in pairs]
    assert exact(np.minimum(a, b)) == [min(pair) for pair in pairs]
    assert exact(np.concatenate([a, b])) == exact(a) + exact(b)
    assert exact(np.where(a > b, a, b)) == [max(pair) for pair in pairs]


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "&", "|", "^"])
def test_types_and_bits_are_those_of_arithmetic(x, y, symbol):
    ops = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
    op = {**ops, "&": operator.and_, "|": operator.or_, "^": operator.xor}[symbol]
    raw, fmt = arithmetic(symbol, x.raw, S8, y.raw, U4)
    got = op(x, y)
    assert got.fmt == fmt == result_format(symbol, S8, U4)
    np.testing.assert_array_equal(got.raw, raw)


def test_shifts_keep_the_type(x):
    sat = x.astype(Fixed(8, 3, overflow="SAT"))
    assert (sat << 1).fmt == sat.fmt
    assert (sat << 1).raw[1, 0] == -2  # bits fall off, and nothing saturates
    assert exact((x >> 2)[0]) == [floor(p / S8.lsb / 4) * S8.lsb for p in exact(x[0])]
    assert (x >> np.array([1, 2, 3])).raw[0].tolist() == [5, -12, 0]
    assert (x << FixedArray(1, "ap_uint<2>")).raw[0, 0] == 20


def test_invert_keeps_the_width(x):
    assert (~x).raw.tolist() == (~x.raw).tolist()
    assert (~FixedArray([0, 15], U4)).raw.tolist() == [15, 0]


def test_assignment_casts_to_the_type_on_the_left(x, y):
    before, same = x, x.raw.copy()
    x += y
    want = requantize((before + y).raw, (before + y).fmt, S8)
    assert x.fmt == S8
    np.testing.assert_array_equal(x.raw, want)
    np.testing.assert_array_equal(before.raw, same)  # the old array is as it was


@pytest.mark.parametrize("name", ["isub", "imul", "itruediv", "iand", "ior", "ixor"])
def test_every_assignment_keeps_the_format(x, y, name):
    op, assign = (
        getattr(operator, {"iand": "and_", "ior": "or_"}.get(name, name[1:])),
        getattr(operator, name),
    )
    np.testing.assert_array_equal(assign(x, y).raw, op(x, y).astype(S8).raw)


def test_shift_assignments(x):
    np.testing.assert_array_equal(operator.ilshift(x, 1).raw, (x << 1).raw)
    np.testing.assert_array_equal(operator.irshift(x, 1).raw, (x >> 1).raw)


def test_wide_numbers_stay_exact():
    wide = FixedArray([2**80 - 1, -(2**80)], Fixed(81, 40))
    assert (wide * wide).raw.tolist() == [(2**80 - 1) ** 2, 2**160]
    assert (wide @ wide).raw == (2**80 - 1) ** 2 + 2**160
    assert wide.sum().raw == -1
    assert str(wide[1]) == "-549755813888.0 ap_fixed<81,40>"
    assert "/" in str(wide)


def test_accumulators_cast_at_each_step_or_once():
    a = FixedArray([100, 100, -100], Fixed(8, 8))
    ones, acc = FixedArray([1, 1, 1], Fixed(8, 8)), Fixed(8, 8, overflow="SAT")
    assert a.dot(ones, acc).item() == 27
    assert a.dot(ones, acc, each_step=False).item() == 100
    assert (a @ ones).item() == 100


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda x: x + 0.5,
            r"'\+' with the float 0.5: it has no format; write FixedArray.from_float\(0.5, fmt\)",
        ),
        (lambda x: Fraction(1, 3) * x, "with the fraction 1/3"),
        (lambda x: x + np.ones(3), "NumPy array of float64: .* FixedArray.from_float"),
        (lambda x: np.arange(3) * x, "NumPy array of int64: .* FixedArray\\(x, fmt\\) for raws"),
        (lambda x: x * [1, 2, 3], r"'\*' with \[1, 2, 3\]"),
        (lambda x: x**2, "np.power is not defined"),
        (lambda x: x % 2, "np.remainder is not defined"),
        (lambda x: np.exp(x), "np.exp is not defined"),
        (lambda x: np.mean(x), "np.mean is not defined .*np.asarray"),
        (lambda x: np.add(x, x, out=x), "out= is refused"),
        (lambda x: np.concatenate([x, x], out=x), "out= is refused"),
        (lambda x: np.add(x, x, where=True), r"np.add\(where=\)"),
        (lambda x: np.multiply.outer(x, x), "np.multiply.outer"),
        (lambda x: operator.setitem(x, 0, 1), "cannot be changed"),
        (lambda x: bool(x), "no single value"),
        (lambda x: 2 << x, "shift a FixedArray"),
        (lambda x: x << 0.5, "whole numbers of bits"),
        (lambda x: x < "a", "compares with numbers"),
        (lambda x: x @ np.ones(3), "'@' with a NumPy array"),
        (lambda x: np.ones((3, 2)) @ x, "'@' with a NumPy array"),
        (lambda x: x @ x, "matmul: shapes"),
        (lambda x: x[0, 0] @ x, "need an axis"),
        (lambda x: np.where(x > 0, x, 0.1), "does not hold it"),
        (lambda x: np.where(x > 0, x, "a"), "'where' with 'a'"),
        (lambda x: np.concatenate([x, x.to_float()]), "'concatenate' with a NumPy array"),
        (lambda x: np.clip(x, 0.01, 1), "take a limit on its grid"),
        (lambda x: np.clip(x, 5, 6), "clip at 5"),
        (lambda x: np.clip(x, "a"), "'clip' with 'a'"),
        (lambda x: np.full_like(x, 0.01), "full_like with 0.01"),
        (lambda x: np.dot(x, FixedArray(np.zeros((2, 3, 1), int), S8)), "write a @ b"),
        (lambda x: np.array(x, dtype=np.int8), "int8 does not hold every value"),
        (lambda x: FixedArray([0.5], S8), "floats become raws by quantize"),
        (lambda x: FixedArray([128], S8), "does not fit"),
        (lambda x: FixedArray([1], "fixed"), "is no format"),
    ],
)
def test_refusals_name_value_and_remedy(x, attempt, message):
    with pytest.raises(FormatError, match=message):
        attempt(x)


def test_a_view_of_the_values_is_refused(x):
    with pytest.raises(ValueError, match=r"take x\.raw"):
        np.asarray(x, copy=False)


# ------------------------------------------------------------------------------------------------ NumPy protocol

MOVES = [
    lambda a: np.reshape(a, (3, 2)),
    lambda a: a.reshape(-1),
    lambda a: np.ravel(a),
    lambda a: np.transpose(a),
    lambda a: a.T,
    lambda a: a.transpose(1, 0),
    lambda a: np.swapaxes(a, 0, 1),
    lambda a: np.expand_dims(a, 0),
    lambda a: np.squeeze(a[:1]),
    lambda a: np.broadcast_to(a, (4, 2, 3)),
    lambda a: np.flip(a, 1),
    lambda a: np.roll(a, 1),
    lambda a: np.repeat(a, 2, axis=0),
    lambda a: np.tile(a, 2),
    lambda a: np.take(a, [0, 2], axis=1),
    lambda a: np.sort(a, axis=1),
    lambda a: np.compress([True, False, True], a, axis=1),
    lambda a: np.extract(np.asarray(a) > 0, a),
    lambda a: np.concatenate([a, a], axis=1),
    lambda a: np.stack([a, a]),
    lambda a: np.split(a, 3, axis=1)[1],
    lambda a: np.pad(a, 1),
    lambda a: np.pad(a, 1, mode="edge"),
    lambda a: np.pad(a, ((0, 0), (1, 1)), constant_values=1),
    lambda a: np.zeros_like(a),
    lambda a: np.ones_like(a),
    lambda a: np.full_like(a, 0.5),
    lambda a: np.max(a, axis=0),
    lambda a: np.amin(a, axis=1, keepdims=True),
    lambda a: np.maximum.reduce(a, axis=1),
    lambda a: np.clip(a, -1, 1.5),
    lambda a: a.clip(greatest=0),
    lambda a: np.clip(a, -100, 100),
    lambda a: np.where(a > 0, a, 0),
    lambda a: np.maximum(a, 0),
    lambda a: a[0],
    lambda a: a[:, ::2],
    lambda a: a[..., None],
    lambda a: a[np.asarray(a) > 0],
    lambda a: a[[1, 0], [0, 2]],
]


@pytest.mark.parametrize("k", range(len(MOVES)))
def test_functions_move_values_as_numpy_does(x, k):
    got = MOVES[k](x)
    plain = x.to_float()
    want = plain.clip(max=0) if k == MOVES.index(MOVES[31]) else MOVES[k](plain)
    assert got.fmt == S8  # the format stays
    np.testing.assert_array_equal(got.to_float(), want)


def test_questions_are_answered_as_by_floats(x):
    plain = x.to_float()
    for ask in (np.argmax, np.argmin, np.count_nonzero, np.any, np.all, np.shape, np.ndim, np.size):
        assert ask(x) == ask(plain)
    np.testing.assert_array_equal(np.argsort(x, axis=1), np.argsort(plain, axis=1))
    assert np.array_equal(x, x)
    assert not np.array_equal(x, x[0])
    assert np.where(x)[0].tolist() == np.where(plain)[0].tolist()


def test_sums_and_products_by_numpy_names(x, y):
    assert np.sum(x, axis=1).fmt == Fixed(10, 5)
    assert np.add.reduce(x).fmt == Fixed(9, 4)
    assert exact(np.dot(x, y)) == exact(x @ y) == exact(np.matmul(x, y))
    assert exact(np.dot(x, 2)) == exact(x * 2)
    assert exact(np.outer(y, y)) == np.outer(y.to_fractions(), y.to_fractions()).tolist()
    assert x.sum(axis=(0, 1), keepdims=True).shape == (1, 1)
    assert x[:1].sum(axis=0).fmt == S8  # one term does not grow


def test_operands_broadcast(x, y):
    assert (x + y).shape == (2, 3)
    assert (x[:, :1] * y).shape == (2, 3)
    with pytest.raises(FormatError, match="do not broadcast"):
        x + y[:2]


def test_a_wider_choice_widens(x):
    wide = np.where(x > 0, x, 100)
    assert exact(wide[0]) == [Fraction(10, 32), 100, Fraction(3, 32)]
    assert np.maximum(x, 100).fmt == wide.fmt == result_format("&", S8, Fixed(7, 7, signed=False))


def test_values_come_out_exactly(x):
    np.testing.assert_array_equal(np.asarray(x), x.raw / 32)
    np.testing.assert_array_equal(np.asarray(x, np.float32), (x.raw / 32).astype(np.float32))
    assert np.asarray(x, object)[0, 0] == Fraction(5, 16)
    assert np.asarray(x.astype(Fixed(3, 3)), np.int8).tolist() == [[0, -2, 0], [3, 0, -4]]
    assert x.tolist() == x.to_float().tolist()
    assert (float(x[0, 1]), int(x[0, 1]), bool(x[1, 1])) == (-1.5, -1, False)
    assert f"{x[0, 0]:.2f}" == "0.31"
    with pytest.raises(FormatError, match="no exact float64"):
        np.asarray(FixedArray(2**60 + 1, Fixed(63, 63)))


def test_ndarrays_compare_by_value(x):
    assert (x == x.to_float()).all()
    assert (x.to_float() >= x).all()
    assert (x.astype(Fixed(63, 10)) == x.to_float()).all()
    assert (FixedArray([2**53 + 1], Fixed(60, 60)) > np.array([2**53])).all()
    assert not (x == "a").any()


def test_iteration_and_length(x):
    assert len(x) == 2
    rows = list(x)
    assert [row.shape for row in rows] == [(3,), (3,)]
    assert rows[1][0].item() == Fraction(127, 32)


# ------------------------------------------------------------------------------------------------ identity


@given(arrays((2, 2)))
def test_repr_is_the_call(a):
    again = eval(repr(a), NAMES)
    assert again.fmt == a.fmt
    np.testing.assert_array_equal(again.raw, a.raw)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0)])
def test_repr_keeps_odd_shapes(shape):
    a = FixedArray(np.zeros(shape, int), S8)
    assert eval(repr(a), NAMES).shape == shape


def test_a_long_array_is_summarised():
    assert repr(FixedArray(np.zeros(2000, int), S8)) == "<FixedArray of shape (2000,) in ap_fixed<8,3>>"


def test_str_shows_values_and_format(x):
    assert str(x[0]) == "[ 0.3125  -1.5      0.09375] ap_fixed<8,3>"


def test_arrays_do_not_change(x):
    source = np.array([1, 2, 3])
    a = FixedArray(source, S8)
    source[0] = 99
    assert a.raw[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        a.raw[0] = 5
    assert np.shares_memory(x.raw, x[0].raw)
    with pytest.raises(ValueError, match="read-only"):
        x[0].raw[0] = 5


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_copies_are_equal_and_read_only(x, again):
    other = again(x)
    assert other.fmt == x.fmt
    assert (other == x).all()
    assert not other.raw.flags.writeable


def test_arrays_are_not_hashed(x):
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_from_float_is_quantize(x):
    values = np.linspace(-9, 9, 50)
    fmt = Fixed(8, 3, rounding="RND", overflow="SAT")
    np.testing.assert_array_equal(FixedArray.from_float(values, fmt).raw, quantize(values, fmt))
    assert FixedArray.from_float(x, "ap_fixed<6,3>").raw[0].tolist() == [2, -12, 0]
    assert FixedArray(x, S8).raw.tolist() == x.raw.tolist()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.concatenate([x, x], dtype=np.int8, casting="unsafe"),
        lambda x: np.zeros_like(x, dtype=float),
        lambda x: np.sum(x, dtype=float),
        lambda x: np.sum(x, initial=5),
        lambda x: np.max(x, where=[True, False]),
        lambda x: np.add.reduce(x, initial=5),
        lambda x: np.pad(x, 1, "linear_ramp", end_values=1),
        lambda x: np.pad(x, 1, "mean"),
    ],
)
def test_what_would_speak_of_raws_is_refused(call):
    with pytest.raises(FormatError, match="FixedArray"):
        call(FixedArray([100, -3], Fixed(16, 8)))


def test_where_chooses_numbers_by_an_array():
    assert np.where(FixedArray([0, 5], Fixed(8, 3)), 1, 2).tolist() == [2, 1]


def test_clip_takes_the_newer_names_of_its_limits():
    x = FixedArray([-100, 3, 100], Fixed(8, 3))
    assert np.clip(x, min=-1, max=1).tolist() == np.clip(x, -1, 1).tolist() == [-1.0, 0.09375, 1.0]


@pytest.mark.parametrize(
    "number",
    [10**400, -(10**400), Fraction(1, 2**5000), Fraction(-1, 2**5000), np.longdouble(0.3), 1e300, 5e-324],
)
def test_comparisons_are_exact_with_any_number(number):
    x = FixedArray([-128, -1, 0, 1, 10, 127], Fixed(8, 3))
    top, bottom = number.as_integer_ratio() if hasattr(number, "as_integer_ratio") else (number, 1)
    exact = Fraction(int(top), int(bottom))
    assert (x < number).tolist() == [value < exact for value in x.to_fractions()]
    assert (x == number).tolist() == [value == exact for value in x.to_fractions()]


@pytest.mark.filterwarnings("error")
def test_comparisons_of_wide_numbers_with_nan_are_silent():
    x = FixedArray([2**65, -5], Fixed(70, 10))
    assert (x < np.array([np.nan, np.inf])).tolist() == [False, True]


@pytest.mark.parametrize("kind", [np.longdouble, np.complex128, np.float32])
def test_other_floats_that_hold_the_values_are_taken(kind):
    x = FixedArray([10, -48], Fixed(8, 3))
    assert np.asarray(x, kind).tolist() == [0.3125, -1.5]
