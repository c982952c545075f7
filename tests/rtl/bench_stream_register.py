"""cocotb bench of rtl/lib/stream_register.v: no word lost, doubled or changed, and full speed."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge


async def start(dut: Any) -> None:
    """Begin the clock and reset."""
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value, dut.s_valid.value, dut.m_ready.value, dut.s_data.value = 1, 0, 0, 0
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


async def exchange(dut: Any, words: list[int], offer: float, accept: float, cycles: int) -> list[int]:
    """Offer words and accept them with the given probabilities; return those that came out.

    Signals change at falling edges and are looked at before rising ones.
    """
    got: list[int] = []
    held: int | None = None
    sent, taken = 0, True
    for _ in range(cycles):
        await FallingEdge(dut.clk)
        if not int(dut.s_valid.value) or taken:
            valid = sent < len(words) and random.random() < offer
            dut.s_valid.value = int(valid)
            dut.s_data.value = words[sent] if valid else random.getrandbits(8)
        dut.m_ready.value = int(random.random() < accept)
        await RisingEdge(dut.clk)
        # Values here are those before the edge.
        taken = int(dut.s_valid.value) == 1 and int(dut.s_ready.value) == 1
        sent += taken
        if int(dut.m_valid.value):
            data = int(dut.m_data.value)
            assert held is None or data == held, f"m_data changed from {held} to {data} while it waited"
            held = data
            if int(dut.m_ready.value):
                got.append(data)
                held = None
        else:
            assert held is None, "m_valid fell before the word was taken"
    return got


@cocotb.test()
async def passes_every_word_in_order(dut: Any) -> None:
    """Whatever the two sides do."""
    await start(dut)
    for offer, accept in ((0.5, 0.5), (0.9, 0.2), (0.2, 0.9)):
        words = [random.getrandbits(8) for _ in range(60)]
        assert await exchange(dut, words, offer, accept, 700) == words


@cocotb.test()
async def passes_one_word_a_cycle(dut: Any) -> None:
    """With both sides always ready: one cycle of latency, then a word a cycle."""
    await start(dut)
    words = list(range(100))
    assert await exchange(dut, words, 1.0, 1.0, 101) == words


@cocotb.test()
async def holds_two_words(dut: Any) -> None:
    """It takes two words without a consumer, and no third."""
    await start(dut)
    assert await exchange(dut, [1, 2, 3], 1.0, 0.0, 5) == []
    assert int(dut.s_ready.value) == 0
    dut.s_valid.value = 0
    assert await exchange(dut, [], 0.0, 1.0, 4) == [1, 2]


@cocotb.test()
async def reset_empties_it(dut: Any) -> None:
    """After a reset no word is left."""
    await start(dut)
    await exchange(dut, [1, 2], 1.0, 0.0, 5)
    await start(dut)
    assert await exchange(dut, [], 0.0, 1.0, 4) == []
