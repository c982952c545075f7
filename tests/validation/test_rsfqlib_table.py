"""The `rsfq` cells against RSFQlib v3p0: the extracted timing table, and JoSIM runs of the test benches.

The table must be equal to the femtosecond. Against JoSIM the pulses must be the same in number and order;
times may differ by 2.5 ps, since the two measure a delay between different points (see DEVIATIONS.md).
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from hwmodel.sfq.pulse._cell import Cell
from hwmodel.sfq.pulse._library import library
from hwmodel.units import format_time, ps

RSFQ = library("rsfq")
TOLERANCE = ps(2.5)
NO_TABLE = {"dcsfq", "sfqdc"}  # ports to and from levels: the library gives no table for them

# Bench -> (input -> probe, output -> probe). The input pulse is the first junction of the cell at that input,
# the output pulse the first junction of the load; in benches that end in a transmission line, the last
# junction of the cell.
BENCHES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "AND2": ({"a": "B1|XDUT", "b": "B7|XDUT", "clk": "B13|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "BUFF": ({"a": "B1|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "DFF": ({"a": "B1|XDUT", "clk": "B5|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "DFFT": ({"a": "B1|XDUT", "clk": "B5|XDUT"}, {"q": "B9|XDUT"}),
    "JTL": ({"a": "B1|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "JTLT": ({"a": "B1|XDUT"}, {"q": "B3|XDUT"}),
    "MERGE": ({"a": "B1|XDUT", "b": "B4|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "NDRO": ({"a": "B1|XDUT", "b": "B4|XDUT", "clk": "B9|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "NOT": ({"a": "B1|XDUT", "clk": "B5|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "OR2": ({"a": "B1|XDUT", "b": "B4|XDUT", "clk": "B10|XDUT"}, {"q": "B1|XLOADOUTQ"}),
    "PTLTX": ({"a": "B1|XDUT"}, {"q": "B2|XDUT"}),
    "SPLIT": ({"a": "B1|XDUT"}, {"q0": "B1|XLOADOUTQ0", "q1": "B1|XLOADOUTQ1"}),
    "SPLITT": ({"a": "B1|XDUT"}, {"q0": "B3|XDUT", "q1": "B4|XDUT"}),
}


@pytest.fixture(scope="session")
def table(reference_data: Path) -> dict[str, dict]:
    """Cell name -> its entry in the extracted table."""
    entries = json.loads((reference_data / "sfq" / "rsfqlib_v3p0_timex_timing.json").read_text())
    return {entry["cell"].removeprefix("mitll_").lower(): entry for entry in entries if entry["states"]}


def probes(reference_data: Path, bench: str) -> dict[str, list[int]]:
    """Probe -> times of its pulses in JoSIM, fs."""
    file = reference_data / "sfq" / "rsfqlib" / f"THmitll_{bench}_v3p0_testbench.pulses.json"
    times = json.loads(file.read_text())["pulse_times_ps"]
    return {name[2:-1]: [int(ps(t, rounding="nearest")) for t in pulses] for name, pulses in times.items()}


def play(cell: Cell, pulses: list[tuple[int, str]]) -> tuple[dict[str, list[int]], list[str]]:
    """Output pulse times, fs, and the hold times that the pulses broke."""
    state, out, broken = cell.initial, {output: [] for output in cell.outputs}, []
    until: dict[str, int] = {}  # input -> it must not arrive before
    for t, port in pulses:
        if t < until.get(port, t):
            broken.append(f"{port} at {format_time(t)}, legal from {format_time(until[port])}")
        for hold in cell.holds:
            if (hold.state, hold.first) == (state, port):
                until[hold.second] = max(until.get(hold.second, 0), t + hold.time.real)
        step = cell.step(state, port)
        for output, delay in step.fires.items():
            out[output].append(t + delay.real)
        state = step.next
    return out, broken


@pytest.mark.parametrize("cell", [c for c in RSFQ.values() if c.name not in NO_TABLE], ids=lambda c: c.name)
class TestTable:
    """Ours and the extracted table hold the same entries."""

    def test_delays_are_equal(self, cell, table):
        ours = {
            f"delay_state{state}_{port}_{output}": int(delay)
            for (state, port), step in cell.transitions.items()
            for output, delay in step.fires.items()
        }
        assert ours == {name: int(ps(float(text))) for name, text in table[cell.name]["delays"].items()}

    def test_holds_are_equal(self, cell, table):
        ours = {f"ct_state{hold.state}_{hold.first}_{hold.second}": int(hold.time) for hold in cell.holds}
        assert ours == {name: int(ps(float(text))) for name, text in table[cell.name]["hold"].items()}

    def test_junctions_are_equal(self, cell, table):
        assert cell.jj == table[cell.name]["jj"]

    def test_states_are_equal(self, cell, table):
        assert len(cell.states) == table[cell.name]["states"]


def test_no_cell_of_the_table_is_missing(table):
    constant_zero = {name for name in table if name.startswith("always0")}
    assert set(table) - constant_zero == set(RSFQ) - NO_TABLE


@pytest.mark.parametrize("bench", BENCHES)
def test_pulses_are_those_of_the_test_bench(bench, reference_data):
    times = probes(reference_data, bench)
    inputs, outputs = BENCHES[bench]
    cell = RSFQ[bench]
    assert (set(inputs), set(outputs)) == (set(cell.inputs), set(cell.outputs))
    pulses = sorted((t, port) for port, probe in inputs.items() for t in times[probe])
    expected, broken = play(cell, pulses)
    assert broken == []
    for output, probe in outputs.items():
        assert len(expected[output]) == len(times[probe]) > 0
        worst = max(abs(ours - josim) for ours, josim in zip(expected[output], times[probe], strict=True))
        assert worst <= TOLERANCE, f"{cell.name}.{output}: {format_time(worst)}"


def test_dcsfq_delay_is_that_of_its_test_bench(reference_data):
    pulses = probes(reference_data, "DCSFQ")["B1|XLOADOUT"]
    rises = [int(ps(21 + 100 * k)) for k in range(10)]  # the drive ramps from 20 to 22 ps in every 100 ps
    expected, broken = play(RSFQ["dcsfq"], [(t, "a") for t in rises])
    assert broken == []
    assert len(expected["q"]) == len(pulses)
    assert max(abs(ours - josim) for ours, josim in zip(expected["q"], pulses, strict=True)) <= ps(0.1)


def test_sfqdc_level_changes_with_its_test_bench(reference_data):
    """From the second period on: the first one starts from an output line without charge, 4 ps later."""
    pulses = probes(reference_data, "SFQDC")["B1|XDUT"]
    expected, _ = play(RSFQ["sfqdc"], [(t, "a") for t in pulses])
    assert len(expected["q"]) == len(pulses)
    half_level = 73e-6
    with (reference_data / "sfq" / "rsfqlib" / "THmitll_SFQDC_v3p0_testbench.wave.csv").open() as file:
        wave = [(float(row["time"]) * 1e15, float(row["V(RSINK|XSINK)"])) for row in csv.DictReader(file)]
    for k in range(2, len(pulses)):
        end = pulses[k + 1] if k + 1 < len(pulses) else wave[-1][0]
        above = [t for t, v in wave if pulses[k] < t < end and v > half_level]
        changed = above[0] if k % 2 == 0 else above[-1]
        assert abs(changed - expected["q"][k]) <= TOLERANCE
