"""Fixed point like ap_fixed to the last bit: formats, casts, arithmetic, sums of products.

A number is a raw integer and a `Fixed`; its value is raw * 2**-frac_bits. The semantics stand in
docs/explanation/fixed-point.md. Importing this package loads no numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwmodel.fixedpoint._arith import OPERATORS, arithmetic, result_format
from hwmodel.fixedpoint._array import FixedArray
from hwmodel.fixedpoint._cast import requantize
from hwmodel.fixedpoint._conv import conv1d, conv2d
from hwmodel.fixedpoint._dot import accumulator_format, dot, matmul
from hwmodel.fixedpoint._float import dequantize, quantize
from hwmodel.fixedpoint._fold import exact_format, fitting_format, fold_batch_norm
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
from hwmodel.fixedpoint._graph import Graph, sequential
from hwmodel.fixedpoint._khot import KHot
from hwmodel.fixedpoint._layers import (
    Add,
    Argmax,
    BatchNorm,
    Concat,
    Dense,
    Flatten,
    PReLU,
    ReLU,
    Requantize,
    Threshold,
)
from hwmodel.fixedpoint._layers_base import Bound, Layer, TensorType
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool
from hwmodel.fixedpoint._minifloat import BFLOAT16, E2M1, E2M3, E3M2, E4M3, E5M2, FLOAT16, Minifloat
from hwmodel.fixedpoint._observe import dot_reported, matmul_reported, quantize_reported, requantize_reported
from hwmodel.fixedpoint._onnx import import_onnx
from hwmodel.fixedpoint._power import PowerOfSqrt2, PowerOfTwo
from hwmodel.fixedpoint._reference import reference_arithmetic, reference_cast, reference_dot
from hwmodel.fixedpoint._report import Entry, Report, Witness, precision_report, site
from hwmodel.fixedpoint.adders import AdderGraph, Clip, adder_graph, csd, csd_count, khot

if TYPE_CHECKING:
    from hwmodel.fixedpoint._verify import Verification as Verification
    from hwmodel.fixedpoint._verify import verify as verify
    from hwmodel.fixedpoint.emit_design import Design as Design
    from hwmodel.fixedpoint.emit_design import emit as emit
    from hwmodel.fixedpoint.emit_design import report as report

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
    "Add",
    "AdderGraph",
    "Argmax",
    "AvgPool",
    "BatchNorm",
    "Bound",
    "Clip",
    "Concat",
    "Conv1d",
    "Conv2d",
    "Dense",
    "Design",
    "Entry",
    "Fixed",
    "FixedArray",
    "Flatten",
    "Graph",
    "KHot",
    "Layer",
    "MaxPool",
    "Minifloat",
    "NumberFormat",
    "PReLU",
    "PowerOfSqrt2",
    "PowerOfTwo",
    "ReLU",
    "Report",
    "Requantize",
    "TensorType",
    "Threshold",
    "Verification",
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
    "emit",
    "exact_format",
    "fitting_format",
    "fold_batch_norm",
    "import_onnx",
    "khot",
    "matmul",
    "matmul_reported",
    "precision_report",
    "quantize",
    "quantize_reported",
    "reference_arithmetic",
    "reference_cast",
    "reference_dot",
    "report",
    "requantize",
    "requantize_reported",
    "result_format",
    "sequential",
    "site",
    "smallest_dtype",
    "verify",
]


def __getattr__(name: str) -> Any:
    # Emission needs PyRTL, which is an extra and takes its time to import.
    if name in ("Design", "emit", "report"):
        from hwmodel.fixedpoint import emit_design

        return getattr(emit_design, name)
    if name in ("Verification", "verify"):
        from hwmodel.fixedpoint import _verify

        return getattr(_verify, name)
    raise AttributeError(f"module 'hwmodel.fixedpoint' has no attribute '{name}'")
