"""A cell is checked when it is made, and reads back from its own repr."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import BareNumberError, SpecError, UnknownNameError
from hwmodel.sfq.pulse._cell import Cell, FrozenMap, Hold, Transition
from hwmodel.sfq.pulse.timing import BIAS_PER_IC, BIAS_VOLTAGE, FIRING_SHARE, MEAN_IC, SILENT_SHARE
from hwmodel.units import fs, ps

NAMES = {"Cell": Cell, "Transition": Transition, "ps": ps, "fs": fs}


def toggle(**changes):
    """A toggle flip-flop: every second pulse comes out."""
    parts = {
        "inputs": "t",
        "outputs": "q",
        "jj": 5,
        "states": {"0": {"t": "1"}, "1": {"t": ("0", {"q": ps(6)})}},
        "holds": {("*", "t", "t"): ps(5)},
        "source": "estimate: textbook toggle",
    }
    return Cell.define(**{"name": "tff", **parts, **changes})


def test_define_makes_the_whole_cell():
    cell = toggle()
    assert cell.inputs == ("t",)
    assert cell.outputs == ("q",)
    assert cell.states == ("0", "1")
    assert cell.initial == "0"
    assert cell.transitions == {("0", "t"): Transition("1"), ("1", "t"): Transition("0", {"q": ps(6)})}
    assert cell.holds == (Hold("0", "t", "t", ps(5)), Hold("1", "t", "t", ps(5)))


def test_define_estimates_what_is_left_out():
    cell = toggle()
    assert cell.total_ic_ua == 5 * MEAN_IC.value
    assert cell.bias_ua == cell.total_ic_ua * BIAS_PER_IC.value
    assert cell.bias_mv == BIAS_VOLTAGE.value
    assert cell.static_power_nw == pytest.approx(cell.bias_ua * cell.bias_mv)


def test_define_keeps_what_is_given():
    cell = toggle(total_ic_ua=900.0, bias_ua=600.0, bias_mv=2.0)
    assert (cell.total_ic_ua, cell.bias_ua, cell.bias_mv) == (900.0, 600.0, 2.0)
    assert cell.static_power_nw == 1200.0


def test_delays_may_be_text():
    cell = toggle(states={"0": {"t": ("0", {"q": "3.5 ps"})}}, holds={("0", "t", "t"): "5 ps"})
    assert cell.step("0", "t").fires["q"] == ps(3.5)
    assert cell.holds[0].time == ps(5)


def test_a_hold_for_one_state_goes_before_one_for_every_state():
    for holds in (
        {("*", "t", "t"): ps(5), ("1", "t", "t"): ps(7)},
        {("1", "t", "t"): ps(7), ("*", "t", "t"): ps(5)},
    ):
        assert [h.time for h in toggle(holds=holds).holds] == [ps(5), ps(7)]


def test_a_missing_transition_absorbs_the_pulse():
    cell = toggle(inputs="t r", states={"0": {"t": "1"}, "1": {"r": "0"}}, holds={})
    assert cell.step("0", "r") == Transition("0")
    assert ("0", "r") not in cell.transitions


def test_step_refuses_unknown_names():
    with pytest.raises(UnknownNameError, match="did you mean 't'"):
        toggle().step("0", "tt")
    with pytest.raises(UnknownNameError, match="unknown state of cell 'tff' '2'"):
        toggle().step("2", "t")


def test_switched_ic_is_the_transitions_own_value():
    cell = toggle(states={"0": {"t": Transition("0", {"q": ps(1)}, switched_ic_ua=42.0)}}, holds={})
    assert cell.switched_ic("0", "t") == 42.0


def test_switched_ic_is_estimated_from_the_cell():
    cell = toggle(total_ic_ua=1000.0)
    assert cell.switched_ic("0", "t") == pytest.approx(1000 * SILENT_SHARE.value)
    assert cell.switched_ic("1", "t") == pytest.approx(1000 * FIRING_SHARE.value)


def test_switched_ic_follows_the_draw():
    draw = Transition("0", {"q": ps(1)}, probability=True)
    cell = toggle(states={"0": {"t": draw}}, holds={}, total_ic_ua=1000.0)
    assert cell.probabilistic
    assert cell.switched_ic("0", "t", fired=True) > cell.switched_ic("0", "t", fired=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "t ff"}, "'t ff': a cell's name must be a Python identifier"),
        ({"inputs": "", "states": {"0": {}}, "holds": {}}, "no inputs"),
        ({"states": {}, "holds": {}}, "no states"),
        ({"inputs": "t t"}, "inputs names 't' 2 times"),
        ({"outputs": "q q"}, "outputs names 'q' 2 times"),
        ({"outputs": "t"}, "'t' is both input and output"),
        ({"inputs": "t in"}, "port 'in' must be a Python identifier"),
        ({"inputs": "t name"}, "port 'name' is a word that Netlist.add uses"),
        ({"inputs": 3}, r"inputs=3: expected names"),
        ({"states": ["0", "1"]}, "is not a mapping; write"),
        ({"states": {"0": "1"}}, r"states\['0'\]='1' is not a mapping"),
        ({"states": {"*": {"t": "*"}}, "holds": {}}, r"state '\*' must be a string other than"),
        ({"states": {"0": {"t": 1}}}, r"step \('0', 't'\) = 1 is not understood"),
        ({"states": {"0": {"t": "l"}, "1": {}}}, r"next: unknown state 'l'"),
        ({"states": {"0": {"tt": "0"}}}, "unknown input 'tt'; did you mean 't'"),
        ({"states": {"0": {"t": ("0", {"qq": ps(1)})}}}, "fires: unknown output 'qq'; did you mean 'q'"),
        ({"states": {"0": {"t": ("0", {"q": ps(0)})}}}, "greater than 0: a loop of cells without delay"),
        ({"states": {"0": {"t": ("0", {"q": ps(-1)})}}}, "must be greater than 0"),
        ({"states": {"0": {"t": "0"}, "1": {"t": "0"}}}, "state '1' cannot be reached from '0'"),
        ({"states": {"0": {"t": Transition("0", probability=True)}}}, "probability=True decides nothing"),
        (
            {"states": {"0": {"t": Transition("0", {"q": ps(1)}, else_fires={"q": ps(1)})}}},
            "else_fires is never used without probability=True",
        ),
        ({"states": {"0": {"t": Transition("0", switched_ic_ua=-1.0)}}}, "switched_ic_ua=-1.0 must be"),
        ({"holds": {("2", "t", "t"): ps(1)}}, r"hold \('2', 't', 't'\): unknown state '2'"),
        ({"holds": {("0", "t", "u"): ps(1)}}, "unknown input 'u'"),
        ({"holds": {("0", "t", "t"): ps(-1)}}, r"time=ps\(-1\) must be 0 or more"),
        ({"holds": {("t", "t"): ps(1)}}, r"write \(state, first, second\)"),
        ({"holds": [("0", "t", "t")]}, "holds=.* is not a mapping"),
        ({"jj": -1}, "jj=-1 must be a whole number of junctions"),
        ({"jj": 2.5}, "jj=2.5 must be a whole number"),
        ({"jj": True}, "jj=True must be a whole number"),
        ({"jj": "5"}, "jj='5' must be a whole number"),
        ({"total_ic_ua": float("nan")}, "total_ic_ua=nan must be a number of uA"),
        ({"bias_ua": -2.0}, "bias_ua=-2.0 must be a number of uA"),
        ({"bias_mv": "2.6"}, "bias_mv='2.6' must be a number of mV"),
        ({"source": 7}, "source=7 must say in text"),
        ({"clock": "clk"}, "clock: unknown input 'clk'"),
        ({"policy": "drops"}, "unknown policy 'drops'; did you mean 'drop'"),
    ],
)
def test_a_wrong_cell_is_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        toggle(**changes)


def test_a_hold_given_twice_is_refused():
    rules = (Hold("0", "t", "t", ps(5)), Hold("0", "t", "t", ps(6)))
    with pytest.raises(SpecError, match=r"hold \('0', 't', 't'\): given twice \(ps\(5\) and ps\(6\)\)"):
        toggle().replace(holds=rules)


def test_a_bare_number_as_delay_names_cell_and_step():
    with pytest.raises(BareNumberError, match=r"cell 'tff': step \('0', 't'\) fires\['q'\]=6: .*ps\(6\)"):
        toggle(states={"0": {"t": ("0", {"q": 6})}})


def test_a_bare_number_as_hold_names_cell_and_pair():
    with pytest.raises(BareNumberError, match=r"cell 'tff': hold \('\*', 't', 't'\)=5: .*ps\(5\)"):
        toggle(holds={("*", "t", "t"): 5})


@pytest.mark.parametrize("transitions", [None, [("0", "t")], {"0": Transition("0")}, {("0", "t"): "0"}])
def test_the_plain_constructor_refuses_malformed_transitions(transitions):
    with pytest.raises(SpecError, match=r"cell 'tff'.*transition"):
        Cell("tff", ("t",), ("q",), ("0",), transitions)


def test_a_zero_hold_is_allowed():
    assert toggle(holds={("0", "t", "t"): ps(0)}).holds[0].time == 0


def test_repr_reads_back():
    draw = Transition("0", {"q": ps(6.25)}, probability=True, else_fires={"q": fs(1)}, switched_ic_ua=1.5)
    for cell in (toggle(), toggle(states={"0": {"t": draw}}, clock="t", policy="warn", holds={})):
        assert eval(repr(cell), NAMES) == cell


def test_equal_cells_hash_alike_whatever_the_order_of_their_parts():
    one = toggle(inputs="a b", states={"0": {"a": "1", "b": "0"}, "1": {"b": "0"}}, holds={})
    two = toggle(inputs="a b", states={"0": {"b": "0", "a": "1"}, "1": {"b": "0"}}, holds={})
    assert one == two
    assert hash(one) == hash(two)
    assert repr(one) == repr(two)


def test_a_cell_survives_pickle_and_copy():
    cell = toggle()
    assert pickle.loads(pickle.dumps(cell)) == cell
    assert copy.deepcopy(cell) == cell


def test_a_cell_cannot_change():
    cell = toggle()
    with pytest.raises(AttributeError):
        cell.jj = 6
    with pytest.raises(TypeError):
        cell.transitions["0", "t"] = Transition("0")
    with pytest.raises(TypeError):
        cell.step("1", "t").fires["q"] = ps(1)


def test_the_parts_are_copied_from_the_callers_dictionaries():
    fires = {"q": ps(6)}
    cell = toggle(states={"0": {"t": ("0", fires)}}, holds={})
    fires["q"] = ps(1)
    assert cell.step("0", "t").fires["q"] == ps(6)


def test_replace_checks_again():
    assert toggle().replace(name="other").name == "other"
    with pytest.raises(SpecError, match="jj=-1"):
        toggle().replace(jj=-1)
    with pytest.raises(SpecError, match="unknown field 'jjs'; did you mean 'jj'"):
        toggle().replace(jjs=1)


def test_with_policy_changes_the_policy_only():
    cell = toggle()
    assert cell.with_policy("metastable").policy == "metastable"
    assert cell.with_policy("warn").with_policy(None) == cell


@given(st.integers(1, 10**6), st.floats(0.01, 100))
def test_with_delays_scales_to_the_nearest_femtosecond(delay, scale):
    cell = toggle(states={"0": {"t": ("0", {"q": fs(delay)})}}, holds={})
    if round(delay * scale) == 0:
        with pytest.raises(SpecError, match="greater than 0"):
            cell.with_delays(scale)
    else:
        assert abs(cell.with_delays(scale).step("0", "t").fires["q"].real - delay * scale) <= 0.5


def test_with_delays_leaves_holds_unless_told():
    assert toggle().with_delays(2).holds == toggle().holds
    assert [h.time for h in toggle().with_delays(2, holds=True).holds] == [ps(10), ps(10)]


def test_with_delays_scales_both_outcomes_of_a_draw():
    draw = Transition("0", {"q": ps(2)}, probability=True, else_fires={"q": ps(4)})
    step = toggle(states={"0": {"t": draw}}, holds={}).with_delays(1.5).step("0", "t")
    assert (step.fires["q"], step.else_fires["q"]) == (ps(3), ps(6))


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan"), "2", True])
def test_with_delays_refuses_nonsense(scale):
    with pytest.raises(SpecError, match="with_delays"):
        toggle().with_delays(scale)


def test_describe_is_json_and_complete():
    record = json.loads(json.dumps(toggle().describe()))
    assert record["name"] == "tff"
    assert record["states"] == ["0", "1"]
    assert record["transitions"][1]["fires_fs"] == {"q": 6000}
    assert record["holds"][0] == {"state": "0", "first": "t", "second": "t", "time_fs": 5000}


def test_table_shows_every_transition_and_hold():
    draw = Transition("0", {"q": ps(6)}, probability=True, else_fires={"q": ps(7)}, switched_ic_ua=12.0)
    text = toggle(states={"0": {"t": draw}}).table()
    assert "| 0 | t | 0 | drawn: q 6 ps; else q 7 ps | 12 |" in text
    assert "| 0 | t | t | 5 ps |" in text


def test_a_frozen_map_reads_like_a_dictionary():
    frozen = FrozenMap({"a": 1})
    assert frozen == {"a": 1}
    assert repr(frozen) == "{'a': 1}"
    assert len({frozen, FrozenMap({"a": 1})}) == 1
