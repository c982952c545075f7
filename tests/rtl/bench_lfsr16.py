"""cocotb bench of rtl/lib/lfsr16.v: the sequence, its start and its stop."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

SEED = 0x1D0D


def following(word: int) -> int:
    """The next word."""
    bit = (word ^ (word >> 2) ^ (word >> 3) ^ (word >> 5)) & 1
    return (word >> 1) | (bit << 15)


async def start(dut: Any) -> None:
    """Begin the clock and reset."""
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value, dut.enable.value = 1, 0
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test()
async def follows_its_polynomial(dut: Any) -> None:
    """From the seed on, one word a cycle while enabled."""
    await start(dut)
    word, count = SEED, 0
    for n in range(300):
        assert int(dut.word.value) == word, f"word {n} is {int(dut.word.value):04x}, expected {word:04x}"
        assert int(dut.count.value) == count
        dut.enable.value = int(n % 3 != 0)
        await FallingEdge(dut.clk)
        if n % 3:
            word, count = following(word), count + 1
