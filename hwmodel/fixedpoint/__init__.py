"""Fixed point like ap_fixed to the last bit: formats, casts, arithmetic, sums of products.

A number is a raw integer and a `Fixed`; its value is raw * 2**-frac_bits. The semantics stand in
docs/explanation/fixed-point.md. Importing this package loads no numba.
"""

from __future__ import annotations

from hwmodel.fixedpoint._arith import OPERATORS, arithmetic, result_format
from hwmodel.fixedpoint._array import FixedArray
from hwmodel.fixedpoint._cast import requantize
from hwmodel.fixedpoint._conv import conv1d, conv2d
from hwmodel.fixedpoint._dot import accumulator_format, dot, matmul
from hwmodel.fixedpoint._float import dequantize, quantize
from hwmodel.fixedpoint._format import (
    MAX_WIDTH,
    OVERFLOW_ALIASES,
    OVERFLOWS,
    ROUNDING_ALIASES,
    ROUNDINGS,
    Fixed,
    NumberFormat,
    smallest_dtype,
)
from hwmodel.fixedpoint._khot import KHot
from hwmodel.fixedpoint._minifloat import BFLOAT16, E2M1, E2M3, E3M2, E4M3, E5M2, FLOAT16, Minifloat
from hwmodel.fixedpoint._observe import dot_reported, matmul_reported, quantize_reported, requantize_reported
from hwmodel.fixedpoint._power import PowerOfSqrt2, PowerOfTwo
from hwmodel.fixedpoint._reference import reference_arithmetic, reference_cast, reference_dot
from hwmodel.fixedpoint._report import Entry, Report, Witness, precision_report, site
from hwmodel.fixedpoint.adders import AdderGraph, Clip, adder_graph, csd, csd_count, khot

__all__ = [
    "BFLOAT16",
    "E2M1",
    "E2M3",
    "E3M2",
    "E4M3",
    "E5M2",
    "FLOAT16",
    "MAX_WIDTH",
    "OPERATORS",
    "OVERFLOWS",
    "OVERFLOW_ALIASES",
    "ROUNDINGS",
    "ROUNDING_ALIASES",
    "AdderGraph",
    "Clip",
    "Entry",
    "Fixed",
    "FixedArray",
    "KHot",
    "Minifloat",
    "NumberFormat",
    "PowerOfSqrt2",
    "PowerOfTwo",
    "Report",
    "Witness",
    "accumulator_format",
    "adder_graph",
    "arithmetic",
    "conv1d",
    "conv2d",
    "csd",
    "csd_count",
    "dequantize",
    "dot",
    "dot_reported",
    "khot",
    "matmul",
    "matmul_reported",
    "precision_report",
    "quantize",
    "quantize_reported",
    "reference_arithmetic",
    "reference_cast",
    "reference_dot",
    "requantize",
    "requantize_reported",
    "result_format",
    "site",
    "smallest_dtype",
]
