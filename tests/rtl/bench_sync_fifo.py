"""cocotb bench of rtl/lib/sync_fifo.v against a Python deque."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

DEPTH = 8


async def start(dut: Any) -> None:
    """Begin the clock and reset."""
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value, dut.s_valid.value, dut.m_ready.value, dut.s_data.value = 1, 0, 0, 0
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


async def step(dut: Any, model: deque[int], data: int, offer: bool, accept: bool) -> None:
    """One cycle, with every output compared."""
    await FallingEdge(dut.clk)
    dut.s_data.value, dut.s_valid.value, dut.m_ready.value = data, int(offer), int(accept)
    await RisingEdge(dut.clk)
    assert int(dut.level.value) == len(model), f"level {int(dut.level.value)}, expected {len(model)}"
    assert int(dut.s_ready.value) == (len(model) < DEPTH)
    assert int(dut.m_valid.value) == (len(model) > 0)
    room = len(model) < DEPTH
    if model:
        assert int(dut.m_data.value) == model[0], f"got {int(dut.m_data.value)}, expected {model[0]}"
        if accept:
            model.popleft()
    if offer and room:
        model.append(data)


@cocotb.test()
async def behaves_like_a_queue(dut: Any) -> None:
    """Under random traffic that fills and empties it."""
    await start(dut)
    model: deque[int] = deque()
    levels = set()
    for offer, accept in ((0.9, 0.3), (0.3, 0.9), (0.5, 0.5)):
        for _ in range(200):
            await step(dut, model, random.getrandbits(12), random.random() < offer, random.random() < accept)
            levels.add(len(model))
    assert levels == set(range(DEPTH + 1))


@cocotb.test()
async def passes_one_word_a_cycle(dut: Any) -> None:
    """In and out at once, at every level but empty and full."""
    await start(dut)
    model: deque[int] = deque()
    for n in range(40):
        await step(dut, model, n, True, n > 0)
    assert len(model) == 1
