"""Reports: counts equal to those of exact arithmetic, first witnesses, places, nesting, threads."""

from __future__ import annotations

import contextvars
import json
import threading
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import FormatError, UnknownNameError
from hwmodel.fixedpoint import (
    OVERFLOWS,
    ROUNDINGS,
    Fixed,
    arithmetic,
    conv2d,
    dot,
    matmul,
    quantize,
    reference_cast,
    requantize,
)
from hwmodel.fixedpoint._array import FixedArray
from hwmodel.fixedpoint._khot import KHot
from hwmodel.fixedpoint._minifloat import E4M3
from hwmodel.fixedpoint._observe import (
    dot_reported,
    matmul_reported,
    quantize_reported,
    requantize_reported,
)
from hwmodel.fixedpoint._report import Report, Witness, active, precision_report, site

SAT = Fixed(8, 3, rounding="RND", overflow="SAT")

targets = st.builds(
    lambda w, i, s, q, o: Fixed(w, i, s or o == "WRAP_SM", q, o),
    st.integers(1, 8),
    st.integers(-2, 9),
    st.booleans(),
    st.sampled_from(ROUNDINGS),
    st.sampled_from(OVERFLOWS),
)


def event(value, fmt):
    """What a cast does to one value, from a cast that cannot overflow."""
    wide = Fixed(200, 200 - fmt.frac_bits, rounding=fmt.rounding)
    number = reference_cast(value, wide)
    low = fmt.min_raw + (fmt.overflow == "SAT_SYM" and fmt.signed and fmt.width > 1)
    if not low <= number <= fmt.max_raw:
        return "wrapped" if fmt.overflow.startswith("WRAP") else "saturated"
    return None if number == Fraction(value) / fmt.lsb else "rounded"


def assert_counted(entry, values, fmt, source=Fraction):
    """Counts and witnesses of an entry against one value after the other."""
    events = [event(value, fmt) for value in values]
    assert entry.seen == len(values)
    for name in ("rounded", "saturated", "wrapped"):
        assert getattr(entry, name) == events.count(name)
        if name in events:
            first = events.index(name)
            result = reference_cast(values[first], fmt) * fmt.lsb
            assert entry.witnesses[name] == Witness((first,), source(values[first]), result)
    assert set(entry.witnesses) == set(events) - {None}


@given(st.lists(st.floats(-600, 600) | st.integers(-2000, 2000).map(lambda n: n / 16), min_size=1), targets)
def test_floats_are_counted_as_one_by_one(values, fmt):
    r = Report()
    quantize_reported(values, fmt, name="x", report=r)
    assert_counted(r.entries[0], values, fmt, float)
    assert (r.entries[0].least, r.entries[0].greatest) == (min(values), max(values))


@given(st.lists(st.integers(-(2**19), 2**19 - 1), min_size=1), st.integers(-3, 25), targets)
def test_casts_are_counted_as_one_by_one(raws, int_bits, fmt):
    src, r = Fixed(20, int_bits), Report()
    requantize_reported(raws, src, fmt, name="x", report=r)
    assert_counted(r.entries[0], [raw * src.lsb for raw in raws], fmt)


@pytest.mark.parametrize("fmt", [Fixed(100, 3), Fixed(150, 4, overflow="SAT"), Fixed(70, 80)])
def test_wide_formats_are_counted(fmt):
    values, r = [0.1, 3.5, -1e30, 5e-324], Report()
    quantize_reported(values, fmt, name="x", report=r)
    assert_counted(r.entries[0], values, fmt, float)


def test_the_widest_format_is_counted():
    r = Report()
    quantize_reported([0.1, -1e30, 5e-324], Fixed(1024, 4, overflow="SAT"), name="x", report=r)
    assert (r.total("rounded"), r.total("saturated")) == (1, 1)


def test_exact_numbers_are_counted():
    r = Report()
    quantize_reported([Fraction(1, 3), 2, 9], SAT, name="x", report=r)
    assert_counted(r.entries[0], [Fraction(1, 3), Fraction(2), Fraction(9)], SAT)


def test_infinities_saturate():
    r = Report()
    quantize_reported([np.inf, 1.0], SAT, nonfinite="saturate", name="x", report=r)
    assert r.total("saturated") == 1
    assert "take int_bits=1024" in r.warnings()[0]


def test_sums_count_every_step():
    rng, f, acc = np.random.default_rng(3), Fixed(8, 3), Fixed(10, 4, rounding="RND", overflow="SAT")
    a, b = rng.integers(-128, 128, (4, 9)), rng.integers(-128, 128, (9, 5))
    r = Report()
    out = matmul_reported(a, f, b, f, acc, name="x", report=r)
    np.testing.assert_array_equal(out, matmul(a, f, b, f, acc))
    events, first = [], {}
    for i in range(4):
        for j in range(5):
            total = Fraction(0)
            for k in range(9):
                total += int(a[i, k]) * int(b[k, j]) * f.lsb**2
                events.append(event(total, acc))
                key = (k, i, j)
                first[events[-1]] = min(first.get(events[-1], key), key)
                total = reference_cast(total, acc) * acc.lsb
    entry = r.entries[0]
    assert (entry.operation, entry.seen) == ("matmul", 180)
    for name in ("rounded", "saturated"):
        assert getattr(entry, name) == events.count(name) > 0
        witness = entry.witnesses[name]
        assert (witness.step, *witness.index) == first[name]


def test_sums_with_one_cast_count_once():
    f, acc = Fixed(8, 8), Fixed(8, 8, overflow="SAT")
    r = Report()
    out = dot_reported([100, 100, -100], f, [1, 1, 1], f, acc, each_step=False, start=7, name="x", report=r)
    assert out == dot([100, 100, -100], f, [1, 1, 1], f, acc, each_step=False, start=7) == 107
    assert (r.total("seen"), r.total("saturated")) == (1, 0)
    dot_reported([100, 100, -100], f, [1, 1, 1], f, acc, name="y", report=r)
    assert (r.total("seen", "y"), r.total("saturated", "y")) == (3, 1)
    assert r.entries[1].witnesses["saturated"] == Witness((), Fraction(200), Fraction(127), 1)


def test_other_formats_are_counted():
    r = Report()
    quantize_reported([0.3, 1.0, 1000.0, np.nan], E4M3, name="e4m3", report=r)
    quantize_reported([0.3, 0.5, 9.0], KHot(8, 1, 1), name="khot", report=r)
    counts = [(e.seen, e.rounded, e.saturated, e.wrapped) for e in r]
    assert counts == [(4, 1, 1, 0), (3, 1, 1, 0)]
    assert r.entries[1].witnesses["saturated"] == Witness((2,), 9.0, 0.5)


# ------------------------------------------------------------------------------------------------ arrays report


def test_array_operations_report_by_themselves():
    x = FixedArray([10, -48, 127], Fixed(8, 3))
    with precision_report() as r, site("layer"):
        FixedArray.from_float([0.3, 9.0], SAT)
        (x * x).astype(SAT)
        x / 3
        x << 2
        x >> 1
        x + 1
        x @ x
        x.dot(x, Fixed(8, 4, overflow="SAT"))
    counts = {e.operation: (e.seen, e.rounded, e.saturated, e.wrapped) for e in r}
    assert counts == {
        "quantize": (2, 1, 1, 0),
        "*": (3, 0, 0, 0),
        "requantize": (3, 1, 1, 0),
        "/": (3, 2, 0, 0),
        "<<": (3, 0, 0, 2),
        ">>": (3, 1, 0, 0),
        "+": (3, 0, 0, 0),
        "@": (1, 0, 0, 0),
        "dot": (3, 1, 1, 0),
    }


@given(st.integers(-128, 127), st.integers(-8, 7).filter(bool))
def test_quotients_are_counted(a, b):
    x, y = FixedArray([a], Fixed(8, 3)), FixedArray([b], Fixed(4, 2))
    with precision_report() as r:
        q = x / y
    exact = x[0].item() / y[0].item()
    wraps = a == -128 and b == -1
    assert (r.total("rounded"), r.total("wrapped")) == (int(exact != q[0].item() and not wraps), int(wraps))


@given(st.integers(-128, 127), st.integers(-9, 9))
def test_shifts_are_counted(a, n):
    x = FixedArray([a], Fixed(8, 3))
    with precision_report() as r:
        y = x << n
    value, got = a * Fraction(2) ** n, y.raw[0]
    assert r.total("wrapped") == int(n > 0 and value != got)
    assert r.total("rounded") == int(n < 0 and value != got)
    if n < 0:
        assert got == floor(value)


def test_counting_is_not_counted():
    # What a report works out by casts and products of its own must not come back to the report.
    with precision_report() as r:
        quantize([0.3, 9.0], SAT)
        quantize_reported([0.3, 9.0], SAT)
        FixedArray.from_float([0.3, 9.0], SAT)
    assert [(e.seen, e.rounded, e.saturated) for e in r] == [(2, 1, 1)] * 3


def test_every_operation_tells_an_open_report():
    wide, narrow = Fixed(8, 4), Fixed(4, 2, overflow="SAT")
    with precision_report() as r:
        requantize([3, 127], wide, narrow)
        arithmetic("/", [7, 1], wide, [3, 1], wide)
        dot([127, 127], wide, [127, 127], wide, accumulator=Fixed(12, 6), each_step=True)
    cast, quotient, total = list(r)
    assert (cast.operation, quotient.operation, total.operation) == ("requantize", "/", "dot")
    assert cast.saturated == 1
    assert total.wrapped > 0


def test_without_a_report_nothing_is_asked():
    assert active() is None
    with precision_report():
        assert active() is not None
    assert active() is None


# ------------------------------------------------------------------------------------------------ places


def test_places_are_named_or_found():
    with precision_report() as r:
        with site("net"), site("dense1"):
            quantize_reported(0.3, SAT)
        quantize_reported(0.3, SAT, name="by hand")
        FixedArray.from_float(0.3, SAT)
    names = [e.site for e in r]
    assert names[:2] == ["net/dense1", "by hand"]
    assert names[2].startswith("test_report.py:")


@pytest.mark.parametrize(
    "ask",
    [lambda x: x / 3, lambda x: x << 1, lambda x: np.multiply(x, x), lambda x: x @ x, lambda x: np.dot(x, x)],
)
def test_the_way_through_numpy_is_no_place(ask):
    with precision_report() as r:
        ask(FixedArray([10, 3], Fixed(8, 3)))
    assert r.entries[0].site.startswith("test_report.py:")


def test_values_without_axes_are_counted():
    with precision_report() as r, site("x"):
        x = FixedArray(7, Fixed(8, 3))
        x / 3, x << 5, x >> 2, x.astype("ap_fixed<2,1>")
    assert [(e.rounded, e.wrapped) for e in r] == [(1, 0), (0, 1), (1, 0), (1, 0)]
    assert r.entries[0].witnesses["rounded"].index == ()


def test_one_place_sums_up_and_keeps_the_first_witness():
    with precision_report() as r:
        for value in (1.0, 9.0, 10.0):
            quantize_reported([value], SAT, name="x")
    assert len(r) == 1
    assert (r.total("seen"), r.total("saturated")) == (3, 2)
    assert r.entries[0].witnesses["saturated"].value == 9.0
    assert (r.entries[0].least, r.entries[0].greatest) == (1.0, 10.0)


def test_reports_nest():
    with precision_report() as outer:
        quantize_reported(9.0, SAT, name="a")
        with precision_report() as inner:
            quantize_reported(9.0, SAT, name="b")
        with precision_report(into=outer):
            quantize_reported(9.0, SAT, name="c")
    quantize_reported(9.0, SAT, name="d")
    assert [e.site for e in outer] == ["a", "b", "c"]
    assert [e.seen for e in outer] == [1, 1, 1]
    assert [e.site for e in inner] == ["b"]


def test_an_error_inside_closes_the_report():
    with pytest.raises(FormatError), precision_report():
        quantize_reported(np.nan, SAT)
    assert active() is None


def test_threads_count_only_in_the_context_they_are_given():
    def work():
        for _ in range(50):
            quantize_reported([9.0, 0.3], SAT, name="thread")

    with precision_report() as r:
        alone = threading.Thread(target=work)
        copies = [threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(3)]
        for thread in (alone, *copies):
            thread.start()
        for thread in (alone, *copies):
            thread.join()
    assert (r.total("seen"), r.total("saturated")) == (300, 150)


# ------------------------------------------------------------------------------------------------ what is shown


@pytest.fixture
def made():
    r = Report()
    quantize_reported([[0.3, 9.0]], SAT, name="input", report=r)
    requantize_reported([-5], Fixed(8, 3), Fixed(4, 1, signed=False), name="a|b", report=r)
    return r


def test_table(made):
    assert made.table().splitlines() == [
        "site   operation   format                       seen  rounded  saturated  wrapped  first",
        "input  quantize    ap_fixed<8,3,AP_RND,AP_SAT>     2        1          1        0  x[0, 1] = 9.0 -> 3.96875",
        "a|b    requantize  ap_ufixed<4,1>                  1        0          0        1  x[0] = -0.15625 -> 1.75",
    ]


def test_markdown(made):
    lines = made.table("markdown").splitlines()
    assert lines[1] == "|---|---|---|--:|--:|--:|--:|---|"
    assert lines[3].startswith("| a\\|b | requantize | ap_ufixed<4,1> | 1 |")


def test_warnings_name_the_remedy(made):
    first, second = made.warnings()
    assert first.endswith(
        "1 of 2 saturated, first x[0, 1] = 9.0 -> 3.96875; values reach 0.3..9.0: take int_bits=5"
    )
    assert second.endswith("values reach -0.15625..-0.15625: take a signed format")


@given(st.floats(-1000, 1000), st.booleans())
def test_the_remedy_helps(value, signed):
    r, fmt = Report(), Fixed(8, 0, signed)
    quantize_reported(value, fmt, name="x", report=r)
    for line in r.warnings():
        if "signed format" in line:
            assert value < 0
        else:
            bits = int(line.rsplit("int_bits=", 1)[1])
            assert event(value, Fixed(bits + 8, bits, signed)) in (None, "rounded")
            assert event(value, Fixed(bits + 7, bits - 1, signed)) == "wrapped"


def test_to_dict_is_json(made):
    data = json.loads(json.dumps(made.to_dict()))
    first = data["operations"][0]
    assert (first["site"], first["seen"], first["greatest"]) == ("input", 2, "9.0")
    assert first["witnesses"]["saturated"] == {
        "index": [0, 1],
        "value": "9.0",
        "result": "3.96875",
        "step": None,
    }


def test_repr_shows_totals(made):
    assert repr(made) == "<Report: 2 operations; seen 3, rounded 1, saturated 1, wrapped 1>"


def test_bad_names_are_refused(made):
    with pytest.raises(UnknownNameError, match="did you mean 'rounded'"):
        made.total("round")
    with pytest.raises(UnknownNameError, match="unknown site 'inputs'"):
        made.total("seen", "inputs")
    with pytest.raises(UnknownNameError, match="unknown style"):
        made.table("html")
    with pytest.raises(FormatError, match="is no Report"), precision_report(into=[]):
        pass
    with pytest.raises(FormatError, match="is no name"), site(""):
        pass


def test_results_are_those_without_report():
    x = np.linspace(-9, 9, 100)
    assert (quantize_reported(x, SAT, report=Report()) == quantize(x, SAT)).all()
    raw = np.arange(-128, 128)
    src, dst = Fixed(8, 3), Fixed(4, 2, rounding="RND_CONV")
    with precision_report():
        assert (requantize_reported(raw, src, dst) == requantize(raw, src, dst)).all()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble, bool])
@pytest.mark.parametrize("fmt", [Fixed(8, 3), Fixed(70, 10)], ids=str)
def test_numbers_of_any_type_are_counted(kind, fmt):
    x = np.array([0, 1]).astype(kind)
    with precision_report() as r:
        assert FixedArray.from_float(x, fmt).tolist() == [0.0, 1.0]
        assert quantize_reported(x, fmt).shape == (2,)
    assert (r.total("seen"), r.total("rounded")) == (4, 0)


def test_bits_beyond_float64_count_as_rounded():
    r = Report()
    x = np.array([1], np.longdouble) + np.longdouble(2) ** -60
    quantize_reported(x, Fixed(20, 2), report=r)
    assert r.total("rounded") == int(x[0] != 1)  # where a long double is a double, nothing is lost


def test_wide_words_with_few_digits_are_counted():
    with precision_report() as r:
        quantize([0.25, 0.3, 100], KHot(80, 3, 2))
    assert (r.total("rounded"), r.total("saturated")) == (1, 1)


def test_a_shift_by_many_bits_is_written_short():
    with precision_report() as r:
        arithmetic("<<", [100, 0], Fixed(8, 3), 1_000_000)
    assert r.total("wrapped") == 1
    assert "about 2**1000001" in r.table()


def test_a_witness_of_a_sum_names_the_place_in_the_result():
    f, acc = Fixed(8, 8), Fixed(8, 8, overflow="SAT")
    a = np.array([[[1, 2]], [[100, 100]]])
    calls = {
        (): lambda: dot([100, 100], f, [1, 1], f, acc),
        (1, 0): lambda: dot(a, f, [1, 1], f, acc),
        (1, 0, 2): lambda: matmul(a, f, [[0, 0, 1], [0, 0, 1]], f, acc),
        (1, 3, 0, 1): lambda: conv2d(
            np.array([np.zeros((2, 1, 3), int), [[[0, 0, 0]], [[0, 100, 100]]]]), f,
            np.array([[[[0, 0]]]] * 3 + [[[[1, 1]]]]), f, acc, groups=2,
        ),
    }  # fmt: skip
    for place, call in calls.items():
        with precision_report() as r:
            call()
        assert r.entries[0].witnesses["saturated"].index == place


def test_exact_sums_are_seen():
    f, r = Fixed(8, 8), Report()
    dot_reported([[1, 2], [3, 4]], f, [1, 1], f, name="sum", report=r)
    matmul_reported([[1, 2], [3, 4]], f, [1, 1], f, name="sum", report=r)
    assert [(e.operation, e.seen, e.format) for e in r] == [
        ("dot", 2, "ap_fixed<17,17>"),
        ("matmul", 2, "ap_fixed<17,17>"),
    ]
