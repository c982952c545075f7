"""A cocotb bench that fails, to see that failures are reported."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def passes(dut: Any) -> None:
    """Nothing is wrong."""
    await Timer(1, "ns")
    assert dut.rst is not None


@cocotb.test()
async def fails(dut: Any) -> None:
    """Something is."""
    dut.rst.value = 0
    await Timer(1, "ns")
    assert int(dut.rst.value) == 1, "rst is low"
