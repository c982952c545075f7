"""Timing, size, bias and switching of the `rsfq` cells: one row a cell, from the RSFQlib v3p0 cell library.

The units and sources of the columns stand in `COLUMNS`; `CELLS` holds the rows. RSFQlib is the open RSFQ cell
library for the 10 kA/cm2 process of MIT Lincoln Laboratory (Stellenbosch University;
github.com/sunmagnetics/RSFQlib, commit ac37a114349e183bf990de067af355777e1501d1). Only facts were taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

LIBRARY: Final = "RSFQlib v3p0 (commit ac37a11)"
_VERILOG: Final = f"{LIBRARY}, RSFQlib/mitll_<CELL>/THmitll_<CELL>_v3p0.v, TimEx 2.05"
_DECK: Final = f"{LIBRARY}, RSFQlib/mitll_<CELL>/THmitll_<CELL>_v3p0_extracted.cir"
_SLIPS: Final = (
    f"derived: RCSJ transient of {LIBRARY} THmitll_<CELL>_v3p0_testbench.cir, junctions that slip by 2 pi; "
    "BDF2, step 0.05 ps, 0 K, pulses 130 ps apart, every (state, input) visited twice"
)


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and where it was found; "estimate: ..." where no source could be read."""

    value: float
    unit: str
    source: str


class Step(NamedTuple):
    """One transition: from `state`, on a pulse at `port`, to `next`."""

    state: str
    port: str
    next: str
    switched_ic_ua: float  # sum of Ic of the junctions that slip by 2 pi, uA
    delay_ps: Mapping[str, float] = MappingProxyType({})  # output -> delay from the input pulse, ps


@dataclass(frozen=True)
class CellRow:
    """What the library knows of one cell; units and sources in `COLUMNS`."""

    inputs: str  # names, in the order in which simultaneous pulses are taken
    outputs: str
    jj: int
    total_ic_ua: float
    bias_ua: float
    steps: tuple[Step, ...]  # every (state, input) of the cell, also where the pulse is absorbed
    holds: tuple[tuple[str, str, str, float], ...] = ()  # (state, first, second, ps)
    clock: str | None = None
    delay_source: str | None = None  # where the delays are not from TimEx


COLUMNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "steps": (
            "-",
            f"{_VERILOG}: the state machine; (state, input) that it leaves out are absorbed pulses",
        ),
        "delay_ps": ("ps", f"{_VERILOG}: delay_state<N>_<input>_<output>"),
        "holds": ("ps", f"{_VERILOG}: ct_state<N>_<first>_<second>"),
        "jj": ("1", f"{_DECK}: junctions of the cell"),
        "total_ic_ua": ("uA", f"{_DECK}: sum of the junction areas times 100 uA"),
        "bias_ua": ("uA", f"{_DECK}: sum of the bias currents"),
        "switched_ic_ua": ("uA", _SLIPS),
    }
)
"""Column of `CELLS` -> (unit, source)."""

BIAS_VOLTAGE: Final = Quantity(
    2.6,
    "mV",
    "estimate: usual RSFQ practice; the decks of RSFQlib v3p0 bias with ideal current sources and name no "
    "voltage, and the library's manual could not be read",
)
"""Voltage of the bias rail behind the bias resistors."""

DCSFQ_DELAY: Final = (
    "measured: JoSIM 2.7 run of THmitll_DCSFQ_v3p0_testbench.cir, from half of the 600 uA drive ramp to the "
    "pi crossing of the first junction of the load; the library gives no TimEx delay"
)
SFQDC_DELAY: Final = (
    "measured: JoSIM 2.7 run of THmitll_SFQDC_v3p0_testbench.cir, from the pi crossing of junction B1 to the "
    "output crossing 73 uV, half of its mean on level, samples 2 ps apart, from the second period on; the "
    "library gives no TimEx delay; switched Ic without the output junctions, which oscillate while the level "
    "is on (the bias pays for them)"
)

# fmt: off
CELLS: Final[Mapping[str, CellRow]] = MappingProxyType({
    "jtl": CellRow(
        inputs="a", outputs="q", jj=2, total_ic_ua=500.0, bias_ua=350.0,
        steps=(
            Step("0", "a", "0", 500.0, {"q": 3.5}),
        ),
        holds=(("0", "a", "a", 5.2),),
    ),
    "jtlt": CellRow(
        inputs="a", outputs="q", jj=3, total_ic_ua=491.0, bias_ua=351.0,
        steps=(
            Step("0", "a", "0", 491.0, {"q": 4.5}),
        ),
        holds=(("0", "a", "a", 20.1),),
    ),
    "split": CellRow(
        inputs="a", outputs="q0 q1", jj=3, total_ic_ua=750.0, bias_ua=525.0,
        steps=(
            Step("0", "a", "0", 750.0, {"q0": 6.3, "q1": 6.3}),
        ),
        holds=(("0", "a", "a", 7.0),),
    ),
    "splitt": CellRow(
        inputs="a", outputs="q0 q1", jj=4, total_ic_ua=796.0, bias_ua=581.0,
        steps=(
            Step("0", "a", "0", 796.0, {"q0": 7.3, "q1": 7.3}),
        ),
        holds=(("0", "a", "a", 11.1),),
    ),
    "merge": CellRow(
        inputs="a b", outputs="q", jj=7, total_ic_ua=1588.0, bias_ua=708.0,
        steps=(
            Step("0", "a", "0", 919.0, {"q": 9.0}),
            Step("0", "b", "0", 919.0, {"q": 9.0}),
        ),
        holds=(
            ("0", "a", "a", 10.2), ("0", "a", "b", 2.3), ("0", "b", "a", 2.2), ("0", "b", "b", 10.2),
        ),
    ),
    "merget": CellRow(
        inputs="a b", outputs="q", jj=9, total_ic_ua=1624.0, bias_ua=910.0,
        steps=(
            Step("0", "a", "0", 937.0, {"q": 9.3}),
            Step("0", "b", "0", 937.0, {"q": 9.5}),
        ),
        holds=(
            ("0", "a", "a", 9.3), ("0", "a", "b", 3.3), ("0", "b", "a", 3.9), ("0", "b", "b", 9.3),
        ),
    ),
    "dff": CellRow(
        inputs="a clk", outputs="q", clock="clk", jj=7, total_ic_ua=1520.0, bias_ua=747.0,
        steps=(
            Step("0", "a", "1", 482.0),
            Step("0", "clk", "0", 419.0),
            Step("1", "a", "1", 417.0),
            Step("1", "clk", "0", 702.0, {"q": 6.3}),
        ),
        holds=(("0", "clk", "a", 0.4),),
    ),
    "dfft": CellRow(
        inputs="a clk", outputs="q", clock="clk", jj=9, total_ic_ua=1539.0, bias_ua=837.0,
        steps=(
            Step("0", "a", "1", 549.0),
            Step("0", "clk", "0", 415.0),
            Step("1", "a", "1", 478.0),
            Step("1", "clk", "0", 726.0, {"q": 8.0}),
        ),
        holds=(
            ("0", "clk", "a", 2.3), ("1", "clk", "a", 0.7),
        ),
    ),
    "ndro": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=11, total_ic_ua=2300.0, bias_ua=997.0,
        steps=(
            Step("0", "a", "1", 451.0),
            Step("0", "b", "0", 414.0),
            Step("0", "clk", "0", 427.0),
            Step("1", "a", "1", 430.0),
            Step("1", "b", "0", 598.0),
            Step("1", "clk", "1", 820.0, {"q": 5.5}),
        ),
        holds=(
            ("0", "a", "b", 0.9), ("1", "b", "a", 1.9), ("1", "clk", "clk", 9.1),
        ),
    ),
    "ndrot": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=16, total_ic_ua=2803.0, bias_ua=1563.0,
        steps=(
            Step("0", "a", "1", 774.0),
            Step("0", "b", "0", 693.0),
            Step("0", "clk", "0", 428.0),
            Step("1", "a", "1", 693.0),
            Step("1", "b", "0", 848.0),
            Step("1", "clk", "1", 801.0, {"q": 5.8}),
        ),
        holds=(
            ("0", "a", "b", 0.2), ("1", "b", "a", 0.3), ("1", "clk", "clk", 8.4),
        ),
    ),
    "not": CellRow(
        inputs="a clk", outputs="q", clock="clk", jj=8, total_ic_ua=1425.0, bias_ua=656.0,
        steps=(
            Step("0", "a", "1", 335.0),
            Step("0", "clk", "0", 679.0, {"q": 5.5}),
            Step("1", "a", "1", 328.0),
            Step("1", "clk", "0", 392.0),
        ),
        holds=(
            ("0", "a", "clk", 0.8), ("0", "clk", "a", 4.5), ("0", "clk", "clk", 5.2),
            ("1", "a", "clk", 2.1),
        ),
    ),
    "nott": CellRow(
        inputs="a clk", outputs="q", clock="clk", jj=10, total_ic_ua=1543.0, bias_ua=797.0,
        steps=(
            Step("0", "a", "1", 471.0),
            Step("0", "clk", "0", 787.0, {"q": 10.5}),
            Step("1", "a", "1", 475.0),
            Step("1", "clk", "0", 465.0),
        ),
        holds=(
            ("0", "a", "clk", 1.6), ("0", "clk", "a", 6.9), ("0", "clk", "clk", 8.4),
            ("1", "a", "clk", 0.6),
        ),
    ),
    "and2": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=15, total_ic_ua=2693.0, bias_ua=1148.0,
        steps=(
            Step("0", "a", "1", 444.0),
            Step("0", "b", "2", 444.0),
            Step("0", "clk", "0", 671.0),
            Step("1", "a", "1", 410.0),
            Step("1", "b", "3", 444.0),
            Step("1", "clk", "0", 828.0),
            Step("2", "a", "3", 444.0),
            Step("2", "b", "2", 410.0),
            Step("2", "clk", "0", 828.0),
            Step("3", "a", "3", 410.0),
            Step("3", "b", "3", 410.0),
            Step("3", "clk", "0", 985.0, {"q": 5.0}),
        ),
        holds=(
            ("0", "clk", "a", 1.2), ("0", "clk", "b", 1.2), ("1", "clk", "a", 1.6), ("1", "clk", "b", 1.0),
            ("2", "clk", "a", 1.0), ("2", "clk", "b", 1.6), ("3", "clk", "a", 0.7), ("3", "clk", "b", 0.7),
        ),
    ),
    "and2t": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=17, total_ic_ua=2604.0, bias_ua=1284.0,
        steps=(
            Step("0", "a", "1", 470.0),
            Step("0", "b", "2", 470.0),
            Step("0", "clk", "0", 598.0),
            Step("1", "a", "1", 452.0),
            Step("1", "b", "3", 470.0),
            Step("1", "clk", "0", 739.0),
            Step("2", "a", "3", 470.0),
            Step("2", "b", "2", 452.0),
            Step("2", "clk", "0", 739.0),
            Step("3", "a", "3", 452.0),
            Step("3", "b", "3", 452.0),
            Step("3", "clk", "0", 924.0, {"q": 5.7}),
        ),
        holds=(
            ("0", "clk", "a", 2.7), ("0", "clk", "b", 2.7), ("1", "clk", "a", 0.3), ("1", "clk", "b", 1.0),
            ("2", "clk", "a", 1.0), ("3", "a", "clk", 1.4), ("3", "b", "clk", 1.5),
        ),
    ),
    "or2": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=12, total_ic_ua=2413.0, bias_ua=1141.0,
        steps=(
            Step("0", "a", "1", 801.0),
            Step("0", "b", "1", 801.0),
            Step("0", "clk", "0", 394.0),
            Step("1", "a", "1", 792.0),
            Step("1", "b", "1", 792.0),
            Step("1", "clk", "0", 676.0, {"q": 5.5}),
        ),
        holds=(
            ("0", "a", "clk", 2.9), ("0", "b", "clk", 2.9), ("1", "a", "clk", 3.8), ("1", "b", "clk", 3.7),
        ),
    ),
    "or2t": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=15, total_ic_ua=2440.0, bias_ua=1339.0,
        steps=(
            Step("0", "a", "1", 773.0),
            Step("0", "b", "1", 773.0),
            Step("0", "clk", "0", 463.0),
            Step("1", "a", "1", 745.0),
            Step("1", "b", "1", 745.0),
            Step("1", "clk", "0", 778.0, {"q": 6.5}),
        ),
        holds=(
            ("0", "a", "clk", 1.6), ("0", "b", "clk", 1.6), ("1", "a", "clk", 3.6), ("1", "b", "clk", 3.7),
        ),
    ),
    "xor": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=11, total_ic_ua=2311.0, bias_ua=973.0,
        steps=(
            Step("0", "a", "1", 450.0),
            Step("0", "b", "2", 450.0),
            Step("0", "clk", "0", 396.0),
            Step("1", "a", "1", 848.0),
            Step("1", "b", "0", 646.0),
            Step("1", "clk", "0", 867.0, {"q": 5.0}),
            Step("2", "a", "0", 646.0),
            Step("2", "b", "2", 848.0),
            Step("2", "clk", "0", 867.0, {"q": 5.0}),
        ),
        holds=(
            ("0", "a", "clk", 0.5), ("0", "b", "clk", 0.4), ("1", "a", "b", 8.0), ("1", "a", "clk", 7.3),
            ("1", "b", "b", 5.2), ("1", "clk", "b", 5.9), ("2", "a", "a", 5.2), ("2", "b", "a", 7.7),
            ("2", "b", "clk", 7.0), ("2", "clk", "a", 6.1),
        ),
    ),
    "xort": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=14, total_ic_ua=2585.0, bias_ua=1253.0,
        steps=(
            Step("0", "a", "1", 530.0),
            Step("0", "b", "2", 530.0),
            Step("0", "clk", "0", 523.0),
            Step("1", "a", "1", 908.0),
            Step("1", "b", "0", 686.0),
            Step("1", "clk", "0", 1000.0, {"q": 8.8}),
            Step("2", "a", "0", 686.0),
            Step("2", "b", "2", 908.0),
            Step("2", "clk", "0", 1000.0, {"q": 8.8}),
        ),
        holds=(
            ("0", "clk", "a", 3.2), ("0", "clk", "b", 3.1), ("1", "a", "b", 9.5), ("1", "a", "clk", 6.6),
            ("1", "b", "b", 5.2), ("1", "clk", "b", 7.8), ("2", "a", "a", 5.2), ("2", "b", "a", 9.5),
            ("2", "b", "clk", 6.7), ("2", "clk", "a", 7.6),
        ),
    ),
    "xnor": CellRow(
        inputs="a b clk", outputs="q", clock="clk", jj=19, total_ic_ua=3384.0, bias_ua=1369.0,
        steps=(
            Step("0", "a", "1", 472.0),
            Step("0", "b", "2", 472.0),
            Step("0", "clk", "0", 1166.0, {"q": 14.3}),
            Step("1", "a", "1", 823.0),
            Step("1", "b", "0", 611.0),
            Step("1", "clk", "0", 1417.0),
            Step("2", "a", "0", 611.0),
            Step("2", "b", "2", 823.0),
            Step("2", "clk", "0", 1417.0),
        ),
        holds=(
            ("0", "clk", "a", 1.3), ("0", "clk", "b", 1.2), ("0", "clk", "clk", 10.5),
            ("1", "a", "b", 9.2), ("1", "a", "clk", 7.3), ("1", "b", "b", 5.2), ("1", "clk", "b", 7.7),
            ("2", "a", "a", 5.2), ("2", "b", "a", 9.2), ("2", "b", "clk", 7.4), ("2", "clk", "a", 7.7),
        ),
    ),
    "buff": CellRow(
        inputs="a", outputs="q", jj=4, total_ic_ua=1000.0, bias_ua=825.0,
        steps=(
            Step("0", "a", "0", 1000.0, {"q": 6.3}),
        ),
        holds=(("0", "a", "a", 5.2),),
    ),
    "bufft": CellRow(
        inputs="a", outputs="q", jj=3, total_ic_ua=502.0, bias_ua=330.0,
        steps=(
            Step("0", "a", "0", 502.0, {"q": 6.0}),
        ),
        holds=(("0", "a", "a", 20.2),),
    ),
    "ptltx": CellRow(
        inputs="a", outputs="q", jj=2, total_ic_ua=500.0, bias_ua=350.0,
        steps=(
            Step("0", "a", "0", 500.0, {"q": 3.3}),
        ),
        holds=(("0", "a", "a", 5.2),),
    ),
    "ptlrx": CellRow(
        inputs="a", outputs="q", jj=3, total_ic_ua=610.0, bias_ua=487.0,
        steps=(
            Step("0", "a", "0", 610.0, {"q": 5.3}),
        ),
        holds=(("0", "a", "a", 5.4),),
    ),
    "dcsfq": CellRow(
        inputs="a", outputs="q", jj=3, total_ic_ua=700.0, bias_ua=450.0,
        steps=(
            Step("0", "a", "0", 700.0, {"q": 5.4}),
        ),
        delay_source=DCSFQ_DELAY,
    ),
    "sfqdc": CellRow(
        inputs="a", outputs="q", jj=8, total_ic_ua=1650.0, bias_ua=730.0,
        steps=(
            Step("0", "a", "1", 700.0, {"q": 17.5}),
            Step("1", "a", "0", 775.0, {"q": 4.3}),
        ),
        delay_source=SFQDC_DELAY,
    ),
})
# fmt: on
"""Cell name -> row; units and sources in `COLUMNS`."""


def source_of(name: str) -> str:
    """Where the numbers of a cell come from, in one line."""
    row = CELLS[name]
    cell = f"mitll_{name.upper()}/THmitll_{name.upper()}_v3p0"
    delays = row.delay_source or f"{LIBRARY}, RSFQlib/{cell}.v, TimEx 2.05"
    return f"delays and holds: {delays}; size and bias: {LIBRARY}, RSFQlib/{cell}_extracted.cir"


def _shares(firing: bool) -> Iterator[float]:
    for row in CELLS.values():
        for step in row.steps:
            if bool(step.delay_ps) == firing:
                yield step.switched_ic_ua / row.total_ic_ua


def _mean(values: Iterator[float]) -> float:
    listed = list(values)
    return round(sum(listed) / len(listed), 3)


_JJ: Final = sum(row.jj for row in CELLS.values())
_IC: Final = sum(row.total_ic_ua for row in CELLS.values())
_BIAS: Final = sum(row.bias_ua for row in CELLS.values())

MEAN_IC: Final = Quantity(round(_IC / _JJ, 1), "uA", "derived: mean Ic of a junction over CELLS")
"""For a user's cell that gives only its number of junctions."""

BIAS_PER_IC: Final = Quantity(round(_BIAS / _IC, 3), "1", "derived: mean bias current per Ic over CELLS")
"""For a user's cell that gives no bias current."""

FIRING_SHARE: Final = Quantity(_mean(_shares(True)), "1", "derived: mean over the firing steps of CELLS")
"""Share of a cell's critical current that a firing transition switches, where nothing better is known."""

SILENT_SHARE: Final = Quantity(_mean(_shares(False)), "1", "derived: mean over the silent steps of CELLS")
"""The same for a transition that fires nothing."""
