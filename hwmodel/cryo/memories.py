"""DRAM channels by name, and cores whose units are pipelined gate by gate.

Timings are those of the parts' data sheets as gem5 v24 lists them (src/mem/DRAMInterface.py), in whole femtoseconds;
the controller's 20 ns are gem5's static front and back end. A channel moves one 64-byte line a burst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hwmodel.cryo.config import DDR3_1600, Dram, Machine
from hwmodel.errors import SpecError, unknown
from hwmodel.units import ns, ps

__all__ = ["DRAMS", "cooled", "dram", "gate_pipelined"]

CRYORAM_LATENCY = 3.8
"""How much shorter CryoRAM's 77 K design makes an access (Lee et al., ISCA 2019, abstract: 3.8 times faster)."""

DDR4_2400 = Dram(
    "DDR4-2400 x64, 2 ranks (Micron MT40A1G8; gem5 DDR4_2400_8x8)",
    controller=ns(20),
    rcd=ps(14160),
    cl=ps(14160),
    rp=ps(14160),
    ras=ns(32),
    burst=ps(3332),
    banks=32,
    row=8192,
    refi=ns(7800),
    rfc=ns(350),
    wr=ns(15),
    turn=ps(6666),
    cwl=ps(14160),
    rrd=ps(3332),
    ranks=2,
    cs=ps(1666),
    rtp=ps(7500),
    wtr=ns(5),
    faw=ns(21),
)
DDR5_4400 = Dram(
    "DDR5-4400 x32, 1 rank (Micron data sheet; gem5 DDR5_4400_4x8)",
    controller=ns(20),
    rcd=ps(14545),
    cl=ps(14545),
    rp=ps(14545),
    ras=ns(32),
    burst=ps(3632),
    banks=32,
    row=1024,
    refi=ns(3900),
    rfc=ns(295),
    wr=ns(30),
    turn=ps(18634),
    cwl=ps(13637),
    rrd=ps(3632),
    cs=ns(1),
    rtp=ps(7500),
    wtr=ps(16137),
    faw=ps(14545),
)
HBM2 = Dram(
    "HBM2 pseudo channel, 64 bits at 2 Gb/s, two bursts a line (gem5 HBM_2000_4H_1x64)",
    controller=ns(20),
    rcd=ns(12),
    cl=ns(18),
    rp=ns(14),
    ras=ns(28),
    burst=ns(4),
    banks=16,
    row=1024,
    refi=ns(3900),
    rfc=ns(220),
    wr=ns(14),
    turn=ns(22),
    cwl=ns(7),
    rrd=ns(4),
    rtp=ns(5),
    wtr=ns(4),
    faw=ns(16),
)


def cooled(part: Dram, factor: float = CRYORAM_LATENCY) -> Dram:
    """Return a channel whose array is cooled to 77 K: array timings shorter by a factor, no refresh.

    The data bus keeps its speed, and so does the controller, which stays where it was. That every array timing
    shortens alike is an estimate; the factor is one for the whole access.

    Parameters:
        part: a channel at 300 K.
        factor: how much faster the array is; 3.8 is CryoRAM's figure for its fast design.

    Raises:
        SpecError: a factor below 1.

    Source:
        G. Lee et al., "Cryogenic computer architecture modeling with memory-side case studies" (CryoRAM), ISCA 2019.

    Example:
        >>> cooled(DDR4_2400).cl < DDR4_2400.cl, cooled(DDR4_2400).burst == DDR4_2400.burst
        (True, True)
    """
    if factor < 1:
        raise SpecError(f"cooled(factor={factor}): give at least 1; cooling does not slow an array down")
    array = ("rcd", "cl", "rp", "ras", "wr", "cwl", "rrd", "rtp", "faw")
    shorter = {name: round(getattr(part, name) / factor) for name in array}
    return replace(part, name=f"{part.name}, array at 77 K", refi=0, rfc=0, **shorter)


DRAMS: dict[str, Dram] = {
    "ddr3-1600": DDR3_1600,
    "ddr4-2400": DDR4_2400,
    "ddr5-4400": DDR5_4400,
    "hbm2": HBM2,
    "ddr4-2400-77k": cooled(DDR4_2400),
}
"""Channels by name."""


def dram(name: str) -> Dram:
    """Return a channel by its name.

    Raises:
        UnknownNameError: no such channel; the message offers the nearest.

    Example:
        >>> dram("hbm2").banks
        16
    """
    if name not in DRAMS:
        raise unknown("DRAM", name, DRAMS)
    return DRAMS[name]


def gate_pipelined(machine: Machine, stages: Mapping[str, int]) -> Machine:
    """Return a machine whose units are clocked gate by gate: an operation takes its stages and starts every cycle.

    In single-flux-quantum logic every gate is clocked, so the depth of a unit is its latency in cycles, and a unit
    without feedback takes a new operation each cycle.

    Parameters:
        machine: the machine to change.
        stages: operation class -> gates in a row, such as {"int": 8, "fp_add": 40}; classes left out keep their units.

    Raises:
        UnknownNameError: no such class.
        SpecError: less than one stage.

    Example:
        >>> from hwmodel.cryo.config import cryo_ooo
        >>> deep = gate_pipelined(cryo_ooo(), {"int": 12, "div": 200})
        >>> deep.core.units["int"].latency, deep.core.units["div"].interval
        (12, 1)
    """
    units = dict(machine.core.units)
    for name, depth in stages.items():
        if name not in units:
            raise unknown("operation class", name, units)
        if depth < 1:
            raise SpecError(f"gate_pipelined: {depth} stages for '{name}'; give at least 1")
        units[name] = replace(units[name], latency=depth, interval=1)
    return replace(machine, core=replace(machine.core, units=units))
