"""Speed of the emitted SHA-256d RTL: the same pipeline under Verilator and by PyRTL's compiled steps, in turns."""

from __future__ import annotations

import time
from typing import Any

import hwmodel as hw
from hwmodel import hdl
from hwmodel.reservoir.rtl import RtlDesign, emit_pipeline
from hwmodel.reservoir.rtl_run import component, drive_pins
from hwmodel.units import GHz, ns

CYCLES = 200_000
PYRTL_STEPS = 4000
ROUNDS = 5
HEADER = bytes(range(80))
WATCHED = ("valid", "hits", "nonce")  # what both record


def verilator_seconds(rtl: Any, pins: dict[str, int]) -> float:
    """Processor time of a run of CYCLES, the pins of results recorded; it ends before any hit."""
    system = hw.System(rtl)
    drive_pins(system, rtl, pins)
    begun = time.process_time()
    system.run(until=ns(CYCLES), watch=list(WATCHED))
    return time.process_time() - begun


def pyrtl_seconds(simulation: Any, pins: dict[str, int]) -> float:
    """Processor time of PYRTL_STEPS steps. PyRTL 1.0.3's `run` repeats its first step, so `step` is used."""
    begun = time.process_time()
    for _ in range(PYRTL_STEPS):
        simulation.step(pins)
    return time.process_time() - begun


def compiled(design: RtlDesign, pins: dict[str, int]) -> Any:
    """PyRTL's compiled simulation of the block, started, with the same pins traced."""
    import pyrtl

    block = design.block
    with pyrtl.set_working_block(block, no_sanity_check=True):
        wires = [block.get_wirevector_by_name(name) for name in WATCHED]
        simulation = pyrtl.CompiledSimulation(pyrtl.SimulationTrace(wires, block=block), block=block)
    simulation.step(pins | {"start": 1})
    return simulation


def ratio_of(unroll: int, floor: float) -> dict[str, Any]:
    """One layout, measured in turns so that what else the machine does meets both alike."""
    design = emit_pipeline(unroll)
    job = design.inputs(HEADER)
    rest = job | {"rst": 0, "start": 0}
    rtl = component(design, "miner", hw.Clock(GHz(1)), "verilator")
    simulation = compiled(design, rest)
    verilator_seconds(rtl, job)
    own, other = [], []
    for _ in range(ROUNDS):
        own.append(verilator_seconds(rtl, job))
        other.append(pyrtl_seconds(simulation, rest))
    ours, theirs = CYCLES / min(own) / 1e6, PYRTL_STEPS / min(other) / 1e6
    return {
        "name": f"SHA-256d RTL, {unroll} rounds laid out",
        "ratio": ours / theirs,
        "floor": floor,
        "against": "PyRTL's CompiledSimulation.step, the same pins traced",
        "detail": f"{ours:.2f} M cycles/s; PyRTL {theirs * 1e3:.1f} k steps/s",
    }


def bench_one_round() -> dict[str, Any]:
    """One round a clock."""
    return ratio_of(1, 30.0)


def bench_eight_rounds() -> dict[str, Any]:
    """Eight rounds laid out, a nonce every 16 clocks."""
    return ratio_of(8, 30.0)


BENCHES = (
    (bench_one_round, bench_eight_rounds)
    if all(hdl.tools()[name] for name in ("verilator", "g++", "pyrtl"))
    else ()
)
