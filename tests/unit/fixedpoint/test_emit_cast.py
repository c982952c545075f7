"""Casts as logic equal `requantize` for every raw of small formats, in all modes."""

from __future__ import annotations

import numpy as np
import pytest

from hwmodel.fixedpoint._cast import requantize
from hwmodel.fixedpoint._format import OVERFLOWS, ROUNDINGS, Fixed
from hwmodel.fixedpoint.emit_cast import emit_cast
from hwmodel.fixedpoint.emit_numbers import from_raw

pyrtl = pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

SOURCES = [
    Fixed(6, 3),
    Fixed(6, 3, signed=False),
    Fixed(5, 8),
    Fixed(5, -1),
    Fixed(1, 1),
    Fixed(1, 0, signed=False),
]
# Width and integer bits of destinations: narrower and wider, dropping none, some and more than all bits.
SHAPES = [(1, 1), (2, 2), (3, 2), (4, 2), (4, 3), (5, 5), (3, 8), (3, -2), (8, 4)]


def destinations() -> list[Fixed]:
    found = []
    for width, int_bits in SHAPES:
        for rounding in ROUNDINGS:
            for overflow in OVERFLOWS:
                counts = (0, 1, 2, 3) if overflow.startswith("WRAP") else (0,)
                for n in counts:
                    if n <= width:
                        found.append(Fixed(width, int_bits, True, rounding, overflow, n))
                        if overflow != "WRAP_SM":
                            found.append(Fixed(width, int_bits, False, rounding, overflow, n))
    return found


@pytest.mark.parametrize("src", SOURCES, ids=str)
def test_every_mode_and_every_value(src: Fixed) -> None:
    block = pyrtl.Block()
    formats = destinations()
    with pyrtl.set_working_block(block, no_sanity_check=True):
        number = from_raw(pyrtl.Input(src.width, "x"), src)
        for k, dst in enumerate(formats):
            out = pyrtl.Output(dst.width, f"y{k}")
            out <<= emit_cast(number, dst).bits(dst.width)
    raws = np.arange(src.min_raw, src.max_raw + 1)
    simulation = pyrtl.FastSimulation(block=block, tracer=None)
    got = np.zeros((len(raws), len(formats)), np.int64)
    for row, raw in enumerate(raws):
        simulation.step({"x": int(raw) & ((1 << src.width) - 1)})
        got[row] = [simulation.inspect(f"y{k}") for k in range(len(formats))]
    for k, dst in enumerate(formats):
        expected = requantize(raws, src, dst) & ((1 << dst.width) - 1)
        np.testing.assert_array_equal(got[:, k], expected, err_msg=f"{src} -> {dst!r}")


def test_a_cast_that_cannot_overflow_costs_nothing() -> None:
    block = pyrtl.Block()
    with pyrtl.set_working_block(block, no_sanity_check=True):
        number = from_raw(pyrtl.Input(6, "x"), Fixed(6, 3))
        out = pyrtl.Output(8, "y")
        out <<= emit_cast(number, Fixed(8, 4, rounding="RND", overflow="SAT")).bits(8)
    assert not [net for net in block.logic if net.op in "+-<>x=^&|"]
