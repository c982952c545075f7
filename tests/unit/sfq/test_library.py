"""The built-in cells do their logic, and libraries find cells."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.sfq.pulse import _library
from hwmodel.sfq.pulse._cell import Cell
from hwmodel.sfq.pulse._library import Library, library, register_library
from hwmodel.sfq.pulse.timing import CELLS, COLUMNS
from hwmodel.units import ps

RSFQ = library("rsfq")


@pytest.fixture
def registry(monkeypatch):
    """A registry of its own for one test."""
    monkeypatch.setattr(_library, "_registry", {})


def play(cell: Cell, pulses: Iterable[str]) -> list[tuple[str, ...]]:
    """The outputs that fire at each input pulse, from power-on."""
    state, fired = cell.initial, []
    for port in pulses:
        step = cell.step(state, port)
        fired.append(tuple(step.fires))
        state = step.next
    return fired


# One clock period: the inputs that arrive before the clock, each at most once, in some order.
def periods(inputs: str) -> st.SearchStrategy[list[list[str]]]:
    period = st.permutations(inputs.split()).flatmap(lambda p: st.integers(0, len(p)).map(lambda n: p[:n]))
    return st.lists(period, max_size=12)


LOGIC = {
    "and2": ("a b", lambda arrived: len(arrived) == 2),
    "or2": ("a b", lambda arrived: len(arrived) >= 1),
    "xor": ("a b", lambda arrived: len(arrived) == 1),
    "xnor": ("a b", lambda arrived: len(arrived) != 1),
    "not": ("a", lambda arrived: not arrived),
    "dff": ("a", lambda arrived: bool(arrived)),
}


@pytest.mark.parametrize("name", [*LOGIC, "and2t", "or2t", "xort", "nott", "dfft"])
@given(data=st.data())
def test_a_clocked_cell_reads_the_truth_of_each_period(name, data):
    inputs, truth = LOGIC[name if name in LOGIC else name.removesuffix("t")]
    for_each_period = data.draw(periods(inputs))
    pulses = [port for arrived in for_each_period for port in [*arrived, "clk"]]
    fired = play(RSFQ[name], pulses)
    assert [out for port, out in zip(pulses, fired, strict=True) if port == "clk"] == [
        ("q",) if truth(arrived) else () for arrived in for_each_period
    ]
    assert all(out == () for port, out in zip(pulses, fired, strict=True) if port != "clk")


@pytest.mark.parametrize("name", ["and2", "and2t", "dff", "dfft", "or2", "or2t", "not", "nott"])
def test_a_second_pulse_in_one_period_changes_nothing(name):
    once, twice = play(RSFQ[name], ["a", "clk", "clk"]), play(RSFQ[name], ["a", "a", "clk", "clk"])
    assert twice == [(), *once]


@pytest.mark.parametrize("name", ["xor", "xort", "xnor"])
@given(count=st.integers(1, 5))
def test_repeated_pulses_of_one_input_count_once(name, count):
    assert play(RSFQ[name], ["a"] * count + ["clk"])[-1] == play(RSFQ[name], ["a", "clk"])[-1]


@pytest.mark.parametrize("name", ["ndro", "ndrot"])
@given(pulses=st.lists(st.sampled_from(["a", "b", "clk"]), max_size=30))
def test_a_non_destructive_cell_keeps_its_bit_when_read(name, pulses):
    bit, expected = False, []
    for port in pulses:
        bit = {"a": True, "b": False}.get(port, bit)
        expected.append(("q",) if port == "clk" and bit else ())
    assert play(RSFQ[name], pulses) == expected


@pytest.mark.parametrize("name", ["jtl", "jtlt", "buff", "bufft", "ptltx", "ptlrx", "dcsfq"])
def test_a_line_passes_every_pulse(name):
    assert play(RSFQ[name], "aaa") == [("q",)] * 3


@pytest.mark.parametrize("name", ["split", "splitt"])
def test_a_splitter_doubles_every_pulse(name):
    assert play(RSFQ[name], "aa") == [("q0", "q1")] * 2


@pytest.mark.parametrize("name", ["merge", "merget"])
def test_a_merger_passes_every_pulse_of_both(name):
    assert play(RSFQ[name], "abba") == [("q",)] * 4


def test_sfqdc_turns_its_level_on_and_off():
    rise, fall = RSFQ["sfqdc"].step("0", "a"), RSFQ["sfqdc"].step("1", "a")
    assert (rise.next, fall.next) == ("1", "0")
    assert set(rise.fires) == set(fall.fires) == {"q"}


@pytest.mark.parametrize("cell", RSFQ.values(), ids=list(RSFQ))
def test_every_cell_says_what_each_pulse_switches(cell):
    assert set(cell.transitions) == {(state, port) for state in cell.states for port in cell.inputs}
    for step in cell.transitions.values():
        assert step.switched_ic_ua is not None
        assert 0 < step.switched_ic_ua <= cell.total_ic_ua


@pytest.mark.parametrize("cell", RSFQ.values(), ids=list(RSFQ))
def test_every_cell_has_size_bias_and_source(cell):
    assert cell.jj > 0
    assert 0 < cell.bias_ua < cell.total_ic_ua
    assert cell.bias_mv == 2.6
    assert "RSFQlib v3p0 (commit ac37a11)" in cell.source
    assert (cell.clock == "clk") == ("clk" in cell.inputs)


def test_the_table_names_unit_and_source_of_every_column():
    numbers = {"steps", "delay_ps", "holds", "jj", "total_ic_ua", "bias_ua", "switched_ic_ua"}
    assert set(COLUMNS) == numbers
    assert all(unit and "RSFQlib v3p0 (commit ac37a11)" in source for unit, source in COLUMNS.values())


def test_cells_without_extracted_timing_say_how_their_delay_was_found():
    assert {name for name, row in CELLS.items() if row.delay_source} == {"dcsfq", "sfqdc"}
    assert RSFQ["dcsfq"].source.startswith("delays and holds: measured: JoSIM")


@pytest.mark.parametrize("name", ["xor", "XOR", "mitll_XOR", "THmitll_XOR", "thmitll_xor"])
def test_a_cell_is_found_by_any_of_its_names(name):
    assert RSFQ[name].name == "xor"
    assert name in RSFQ
    assert RSFQ.get(name) is RSFQ["xor"]


def test_an_unknown_cell_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="library 'rsfq' 'ndroo'; did you mean 'ndro'"):
        RSFQ["ndroo"]
    assert "ndroo" not in RSFQ
    assert 3 not in RSFQ
    assert RSFQ.get("ndroo") is None
    assert RSFQ.get("ndroo", RSFQ["jtl"]).name == "jtl"


def test_the_built_in_library_is_one_object_of_25_cells():
    assert library("rsfq") is library()
    assert len(RSFQ) == 25
    assert repr(RSFQ).startswith("<Library 'rsfq': 25 cells: jtl, jtlt, split")
    assert list(RSFQ) == list(CELLS)


def test_an_unknown_library_is_refused(registry):
    with pytest.raises(UnknownNameError, match="unknown library 'rsfqq'; did you mean 'rsfq'"):
        library("rsfqq")


def test_a_registered_library_is_found(registry):
    mine = register_library(Library("mine", [RSFQ["jtl"]], source="my paper"))
    assert library("mine") is mine
    assert mine.source == "my paper"


def test_a_taken_name_is_refused_unless_replaced(registry):
    register_library(Library("mine", []))
    with pytest.raises(SpecError, match="'mine' is taken; give another name or replace=True"):
        register_library(Library("mine", []))
    newer = register_library(Library("mine", [RSFQ["jtl"]]), replace=True)
    assert library("mine") is newer


def test_the_built_in_library_cannot_be_replaced(registry):
    with pytest.raises(SpecError, match="'rsfq' is the built-in library"):
        register_library(Library("rsfq", []), replace=True)


def test_only_a_library_can_be_registered(registry):
    with pytest.raises(SpecError, match="not a Library"):
        register_library({"jtl": RSFQ["jtl"]})


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_library_needs_a_name(name):
    with pytest.raises(SpecError, match="must be text that is not empty"):
        Library(name, [])


def test_a_library_holds_cells_only():
    with pytest.raises(SpecError, match="library 'mine': 'jtl' is not a Cell"):
        Library("mine", ["jtl"])


def test_names_that_differ_in_case_only_are_refused():
    with pytest.raises(SpecError, match="cells 'jtl' and 'JTL' share one name"):
        Library("mine", [RSFQ["jtl"], RSFQ["jtl"].replace(name="JTL")])


def test_with_cells_adds_and_overrides():
    slow = RSFQ["jtl"].with_delays(2)
    tap = slow.replace(name="tap")
    mine = RSFQ.with_cells(slow, tap, name="mine")
    assert len(mine) == 26
    assert mine["jtl"].step("0", "a").fires["q"] == ps(7)
    assert mine["xor"] is RSFQ["xor"]
    assert mine.source == RSFQ.source
    assert len(RSFQ) == 25


def test_a_library_survives_pickle():
    twin = pickle.loads(pickle.dumps(RSFQ))
    assert dict(twin) == dict(RSFQ)
    assert (twin.name, twin.source) == (RSFQ.name, RSFQ.source)


def test_the_table_has_a_row_for_each_cell():
    assert RSFQ.table().count("\n") == 26
    assert "| xor | a b clk | q | 3 | 11 | 2311 | 973 | 2530 |" in RSFQ.table()
