"""Speed of the RTL engine: a 16x8 dense layer in windows of 1,000 cycles, against PyRTL's own compiled steps."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyrtl

import hwmodel as hw
from hwmodel import hdl
from hwmodel.kernel import BuildContext, Inbox, Outbox, Recorder
from hwmodel.units import MHz

INPUTS, OUTPUTS = 16, 8
WINDOW = 1000  # cycles
WINDOWS = 50
PYRTL_STEPS = 1000
ROUNDS = 12
CLOCK = hw.Clock(MHz(500))


def dense_block(packed: bool) -> pyrtl.Block:
    """Inputs <8,3> times constant weights <8,1>, plus a bias, rounded half up and saturated to <8,4>.

    Two stages of registers. `packed`: one wide pin for all inputs and one for all outputs.
    """
    rng = np.random.default_rng(16)
    weights = rng.integers(-128, 128, (INPUTS, OUTPUTS)).tolist()
    bias = rng.integers(-2048, 2048, OUTPUTS).tolist()
    block = pyrtl.Block()
    with pyrtl.set_working_block(block):
        x = pyrtl.Input(8 * INPUTS, "x") if packed else None
        values = []
        for k in range(INPUTS):
            stage = pyrtl.Register(8, f"stage{k}")
            stage.next <<= pyrtl.Input(8, f"x{k}") if x is None else x[8 * k : 8 * k + 8]
            values.append(stage)
        results = []
        for j in range(OUTPUTS):
            total = pyrtl.Const(bias[j], 21, signed=True)
            for k in range(INPUTS):
                weight = pyrtl.Const(weights[k][j], 8, signed=True)
                total = (total + pyrtl.signed_mult(values[k], weight).sign_extended(21)).truncate(21)
            result = pyrtl.Register(8, f"result{j}")
            result.next <<= _round_and_saturate(total)
            results.append(result)
        if packed:
            y = pyrtl.Output(8 * OUTPUTS, "y")
            y <<= pyrtl.concat_list(results)
        else:
            for j, result in enumerate(results):
                y = pyrtl.Output(8, f"y{j}")
                y <<= result
    return block


def _round_and_saturate(total: Any) -> Any:
    """12 fraction bits to 4, half up, and into 8 bits."""
    rounded = pyrtl.shift_right_arithmetic((total + 128).truncate(21), 8)
    high, low = pyrtl.Const(127, 21), pyrtl.Const(-128, 21, signed=True)
    above, below = pyrtl.signed_gt(rounded, high), pyrtl.signed_lt(rounded, low)
    return pyrtl.select(above, high, pyrtl.select(below, low, rounded))[:8]


def windows_seconds(rtl: hdl.Rtl, windows: int = WINDOWS) -> float:
    """Processor time of the engine alone: windows of WINDOW cycles, every input new at every cycle."""
    words = [port.name for port in rtl.ports.values() if port.direction == "in"]
    outs = [port.name for port in rtl.ports.values() if port.direction == "out"]
    inbox, outbox = Inbox("bench"), Outbox("bench")
    context = BuildContext(
        "bench", 0, (), tuple(words), tuple(outs), inbox, outbox, Recorder("bench"), None, frozenset(outs)
    )
    engine = rtl.build(context)
    edges = np.asarray(CLOCK.edges(0, WINDOW * windows + 1), np.int64)
    width = rtl.port(words[0]).width
    rng = np.random.default_rng(1)
    spent = 0.0
    for n in range(windows):
        rows = np.zeros((WINDOW * len(words), 5), np.int64)
        rows[:, 0] = np.repeat(edges[n * WINDOW : (n + 1) * WINDOW], len(words))
        rows[:, 1] = rows[:, 3] = np.tile(np.arange(len(words)), WINDOW)
        rows[:, 4] = rng.integers(-(1 << (width - 1)), 1 << (width - 1), len(rows))
        inbox.rows, inbox.head, inbox.tail, outbox.n = rows, 0, len(rows), 0
        begun = time.process_time()
        engine.advance(int(edges[(n + 1) * WINDOW]))
        spent += time.process_time() - begun
    return spent


def pyrtl_seconds(simulation: Any, steps: list[dict[str, int]]) -> float:
    """Processor time of PyRTL's own compiled simulation of the same layer, every input new at every step."""
    begun = time.process_time()
    for inputs in steps:
        simulation.step(inputs)
    return time.process_time() - begun


def bench_cycles() -> dict[str, Any]:
    """The layer with its inputs packed into one pin, new at every cycle: at least 5 M cycles/s."""
    rtl = hdl.Rtl("dense", dense_block(packed=True), clock=CLOCK, simulator="verilator")
    windows_seconds(rtl, 2)
    rate = WINDOW * WINDOWS / min(windows_seconds(rtl) for _ in range(ROUNDS)) / 1e6
    return {
        "name": "RTL engine, 16x8 layer, packed",
        "ratio": rate,
        "floor": 3.5,  # the aim is 5 on a quiet core
        "against": "1 M cycles/s, in windows of 1,000 cycles (aim: 5 on a quiet core)",
        "detail": f"{rate:.2f} M cycles/s",
    }


def bench_against_pyrtl() -> dict[str, Any]:
    """The layer with a pin an input and an output, against PyRTL's compiled steps on the same block."""
    block = dense_block(packed=False)
    rtl = hdl.Rtl("dense", block, clock=CLOCK, simulator="verilator")
    with pyrtl.set_working_block(block):
        pins = pyrtl.SimulationTrace(block.wirevector_subset((pyrtl.Input, pyrtl.Output)), block=block)
        simulation = pyrtl.CompiledSimulation(pins, block=block)  # left alone, it also traces registers
    rows = np.random.default_rng(1).integers(0, 256, (PYRTL_STEPS, INPUTS)).tolist()
    steps = [{f"x{k}": value for k, value in enumerate(row)} for row in rows]
    windows_seconds(rtl, 2)
    own, other = [], []
    for _ in range(ROUNDS):  # in turns, so that what else the machine does meets both alike
        own.append(windows_seconds(rtl, WINDOWS))
        other.append(pyrtl_seconds(simulation, steps))
    ours, theirs = WINDOW * WINDOWS / min(own) / 1e6, PYRTL_STEPS / min(other) / 1e6
    return {
        "name": "RTL engine, 16x8 layer, 24 pins",
        "ratio": ours / theirs,
        "floor": 200.0,
        "against": "PyRTL's CompiledSimulation.step, which traces the 24 pins",
        "detail": f"{ours:.2f} M cycles/s; PyRTL {theirs * 1e3:.1f} k steps/s",
    }


BENCHES = (
    (bench_cycles, bench_against_pyrtl)
    if all(hdl.tools()[name] for name in ("verilator", "g++", "pyrtl"))
    else ()
)
