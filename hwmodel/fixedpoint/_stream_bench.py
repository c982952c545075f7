"""The cocotb test bench of emitted designs: cocotb imports it inside the simulator, and nothing else does.

`HWMODEL_PLAY` names the JSON file of what to play, `HWMODEL_PLAYED` the file for the outcome.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from hwmodel.fixedpoint._stream import Play, Player

RESET_CYCLES = 2


@cocotb.test()
async def equals_the_graph(dut: Any) -> None:
    """Every output equals the graph's, in order, held and on time."""
    player = Player(Play.read(Path(os.environ["HWMODEL_PLAY"])))
    dut.clk.value, dut.rst.value = 0, 1
    dut.in_valid.value, dut.in_data.value, dut.out_ready.value = 0, 0, 0
    for _ in range(RESET_CYCLES):
        await _edge(dut)
    dut.rst.value = 0
    while not player.finished:
        dut.in_valid.value, dut.in_data.value, dut.out_ready.value = player.inputs()
        await Timer(1, "ns")
        valid = int(dut.out_valid.value)
        player.outputs(int(dut.in_ready.value), valid, int(dut.out_data.value) if valid else 0)
        await _edge(dut)
    Path(os.environ["HWMODEL_PLAYED"]).write_text(json.dumps(player.report()), encoding="utf-8")
    assert player.failure is None, player.failure


async def _edge(dut: Any) -> None:
    await Timer(1, "ns")
    dut.clk.value = 1
    await Timer(1, "ns")
    dut.clk.value = 0
