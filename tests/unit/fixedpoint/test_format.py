"""Formats: limits, names, reading and printing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import (
    OVERFLOW_ALIASES,
    OVERFLOWS,
    ROUNDING_ALIASES,
    ROUNDINGS,
    Fixed,
    smallest_dtype,
)
from tests.unit.fixedpoint.conformance import formats


@given(formats(max_width=80))
def test_printed_format_is_read_back(fmt: Fixed) -> None:
    again = Fixed.parse(str(fmt))
    if fmt.saturation_bits or (fmt.rounding, fmt.overflow) != ("TRN", "WRAP"):
        assert again == fmt
    assert (again.width, again.int_bits, again.signed) == (fmt.width, fmt.int_bits, fmt.signed)


@given(formats(max_width=80))
def test_repr_is_valid_python(fmt: Fixed) -> None:
    assert eval(repr(fmt), {"Fixed": Fixed}) == fmt


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("ap_fixed<8,3,AP_RND,AP_SAT>", Fixed(8, 3, rounding="RND", overflow="SAT")),
        ("ap_ufixed< 8 , -3 >", Fixed(8, -3, signed=False)),
        ("fixed<16,6,TRN,WRAP,0>", Fixed(16, 6)),
        ("ap_int<5>", Fixed(5, 5)),
        ("ap_uint<5>", Fixed(5, 5, signed=False)),
        ("ap_fixed<8,3,AP_TRN,AP_WRAP_SM,2>", Fixed(8, 3, overflow="WRAP_SM", saturation_bits=2)),
    ],
)
def test_types_of_cpp_are_read(text: str, fmt: Fixed) -> None:
    assert Fixed.parse(text) == fmt


@pytest.mark.parametrize(
    "text",
    ["", "ap_fixed<8>", "ap_fixed<8,x>", "ap_fixed<8,3", "ap_int<8,3>", "float", "ap_fixed<8,3,RND,SAT,0,1>"],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match=r"ap_|parameters|whole number"):
        Fixed.parse(text)


def test_range_of_a_signed_format() -> None:
    fmt = Fixed(8, 3)
    assert (fmt.min_raw, fmt.max_raw, fmt.frac_bits) == (-128, 127, 5)
    assert (fmt.min, fmt.max, fmt.lsb) == (-4, Fraction(127, 32), Fraction(1, 32))


def test_range_of_an_unsigned_format_with_a_negative_point() -> None:
    fmt = Fixed(4, -2, signed=False)
    assert (fmt.min_raw, fmt.max_raw, fmt.frac_bits, fmt.lsb) == (0, 15, 6, Fraction(1, 64))


@pytest.mark.parametrize("prefix", ["", "AP_", "ap_", "sc_"])
@pytest.mark.parametrize("mode", ROUNDINGS)
def test_names_are_taken_with_and_without_prefix(prefix: str, mode: str) -> None:
    assert Fixed(8, 3, rounding=prefix + mode).rounding == mode
    assert Fixed(8, 3, rounding=(prefix + mode).lower()).rounding == mode


def test_aliases_lead_to_modes() -> None:
    for alias, mode in ROUNDING_ALIASES.items():
        assert Fixed(8, 3, rounding=alias.lower().replace("_", "-")).rounding == mode
    for alias, mode in OVERFLOW_ALIASES.items():
        assert Fixed(8, 3, overflow=alias.lower()).overflow == mode


def test_modes_stand_in_the_order_of_ap_fixed() -> None:
    assert ROUNDINGS.index("RND_CONV") == 4
    assert OVERFLOWS.index("WRAP_SM") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width=0"),
        ({"width": -3}, "width=-3"),
        ({"width": 1025}, "width=1025.*1..1024"),
        ({"width": 8.0}, "width=8.0"),
        ({"width": True}, "width=True"),
        ({"int_bits": 10_000}, "int_bits=10000"),
        ({"signed": "yes"}, "signed='yes'"),
        ({"rounding": "RNDD"}, "unknown rounding 'RNDD'; did you mean 'RND'"),
        ({"rounding": "flor"}, "did you mean 'floor'"),
        ({"rounding": 3}, "rounding 3 is no name"),
        ({"overflow": "SATURATED"}, "did you mean 'saturate'"),
        ({"overflow": "WRAP_SM", "signed": False}, "sign-magnitude wrapping needs a sign"),
        ({"overflow": "WRAP", "saturation_bits": 9}, "saturation_bits=9"),
        ({"overflow": "WRAP", "saturation_bits": -1}, "saturation_bits=-1"),
    ],
)
def test_nonsense_is_refused_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Fixed(**{"width": 8, "int_bits": 3, **arguments})  # type: ignore[arg-type]


def test_numpy_integers_are_taken() -> None:
    fmt = Fixed(np.int16(8), np.int64(3), np.bool_(True))  # type: ignore[arg-type]
    assert repr(fmt) == "Fixed(8, 3)"


@pytest.mark.parametrize(
    ("fmt", "dtype"),
    [
        (Fixed(8, 3), "int8"),
        (Fixed(8, 3, False), "uint8"),
        (Fixed(33, 3), "int64"),
        (Fixed(33, 3, False), "int64"),
        (Fixed(63, 3, False), "int64"),
        (Fixed(64, 3), "object"),
    ],
)
def test_smallest_container(fmt: Fixed, dtype: str) -> None:
    assert smallest_dtype(fmt) == np.dtype(dtype)


def test_numbers_are_written_as_in_cpp():
    with pytest.raises(FormatError, match="'1_0' is no whole number"):
        Fixed.parse("ap_fixed<1_0,3>")
