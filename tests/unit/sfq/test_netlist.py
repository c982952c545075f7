"""Netlists: what is refused, with names and the user's line, and what is found before a run."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from hwmodel import sfq
from hwmodel.errors import BareNumberError, NetlistError, SpecError, UnknownNameError
from hwmodel.kernel import System
from hwmodel.sfq.pulse._wire import natural_key
from hwmodel.units import ps

GATE = sfq.Cell(
    "gate",
    inputs=("a",),
    outputs=("q",),
    states=("0",),
    transitions={("0", "a"): sfq.Transition("0", {"q": ps(4)}, probability=True)},
    jj=3,
    total_ic_ua=300.0,
    bias_ua=200.0,
    bias_mv=2.5,
    source="made up for tests",
)


@pytest.fixture
def net():
    return sfq.Netlist("net")


def driver_of(net, end):
    """Name of what drives a cell input such as "m.a"."""
    cell, port = end.rsplit(".", 1)
    pins = net.structure.pins
    return next(
        driver
        for driver, (pin, _) in net.structure.routes.items()
        if pins[pin].instance is not None
        and pins[pin].path == cell
        and pins[pin].instance.cell.inputs[pins[pin].index] == port
    )


# ------------------------------------------------------------------------------------------ building


def test_every_library_cell_is_a_method(net):
    for name, cell in net.library.items():
        made = getattr(net, name)(*(net.input(f"{name}_{port}") for port in cell.inputs))
        assert len(made if isinstance(made, tuple) else (made,)) == len(cell.outputs)
    assert len(net.instances) == len(net.library)


def test_inputs_by_name_and_by_position_are_the_same(net):
    a, b, clk = net.inputs("a", "b", "clk")
    net.output("q", net.xor(b=b, a=a, clk=clk, name="x"))
    assert [driver_of(net, f"x.{port}") for port in ("a", "b", "clk")] == ["a", "b", "clk"]


def test_keyword_cell_has_a_method(net):
    a, clk = net.inputs("a", "clk")
    assert net.not_(a, clk=clk).text == "not[0].q"


def test_scopes_nest_and_number_on_their_own(net):
    with net.scope("h1"):
        first = net.jtl(net.input("a"))
        with net.scope("left[2]"):
            second = net.jtl(first, stages=2, name="in")
    third = net.jtl(second)
    net.output("q", third)
    assert list(net.instances) == ["h1.jtl[0]", "h1.left[2].in[0]", "h1.left[2].in[1]", "jtl[0]"]


def test_size_and_power_are_sums(net):
    jtl, dff = net.library["jtl"], net.library["dff"]
    a, clk = net.inputs("a", "clk")
    net.output("q", net.dff(net.jtl(a, stages=3), clk=clk))
    assert net.jj_count == 3 * jtl.jj + dff.jj
    expected_nw = 3 * jtl.bias_ua * jtl.bias_mv + dff.bias_ua * dff.bias_mv
    assert net.static_power_w == pytest.approx(expected_nw * 1e-9)
    described = net.describe()
    assert described["cells"] == {"dff": 1, "jtl": 3}
    assert described["jj_count"] == net.jj_count


def test_structure_hash_sees_every_change():
    def made(name="x", delay=1, probability=0.5, policy=None):
        net = sfq.Netlist("net")
        wire = net.add(GATE, net.input("a"), name=name, probability=probability, policy=policy)
        net.output("q", net.wire(wire, ps(delay)))
        return net.describe()["structure_hash"]

    assert made() == made()
    assert len({made(), made(name="y"), made(delay=2), made(probability=0.6), made(policy="drop")}) == 5


def test_signals_name_ports_outputs_and_labels(net):
    a = net.label(net.input("a"), "entry")
    net.output("q", net.wire(net.jtl(a), ps(2), name="long"))
    assert set(net.signals()) == {"a", "q", "jtl[0].q", "entry", "long"}


def test_natural_order_is_by_number():
    names = [f"x[{n}]" for n in range(12)]
    shuffled = random.Random(1).sample(names, 12)
    assert sorted(shuffled, key=natural_key) == names


def test_ten_thousand_cells_in_a_row():
    net = sfq.Netlist("net")
    wire = net.input("a")
    for n in range(10_000):
        wire = net.jtl(wire, name=f"stage[{n}]")
    net.output("q", wire)
    net.check()
    assert net.jj_count == 20_000


def test_door_does_not_load_numba():
    code = (
        "import sys; from hwmodel import sfq; net = sfq.Netlist('n'); net.output('q', net.jtl(net.input('a')));"
        "net.check(); print('numba' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


# ------------------------------------------------------------------------------------------ splitting


def test_auto_split_makes_a_balanced_tree_with_fixed_names():
    net = sfq.Netlist("net", auto_split=True)
    wire = net.jtl(net.input("a"), name="x")
    for n in range(5):
        net.output(f"q{n}", net.jtl(wire, name=f"y{n}"))
    splitters = [name for name in net.instances if ".split" in name]
    assert splitters == [f"x.q.split[{n}]" for n in range(4)]
    pins = net.structure.pins

    def depth(driver):
        pin = pins[net.structure.routes[driver][0]]
        if pin.instance is None or pin.instance.cell.name != "split":
            return [0]
        return [1 + d for output in pin.instance.cell.outputs for d in depth(f"{pin.path}.{output}")]

    assert sorted(depth("x.q")) == [2, 2, 2, 3, 3]
    assert net.jj_count == 6 * net.library["jtl"].jj + 4 * net.library["split"].jj


def test_auto_split_does_not_depend_on_the_order_of_building():
    routes = []
    for order in ([0, 1, 2], [2, 0, 1]):
        net = sfq.Netlist("net", auto_split=True)
        wire = net.input("a")
        for n in order:
            net.output(f"q{n}", net.jtl(wire, name=f"y{n}"))
        routes.append(net.structure.routes)
    assert routes[0] == routes[1]


def test_auto_split_keeps_wire_delays():
    net = sfq.Netlist("net", auto_split=True)
    wire = net.wire(net.input("a"), ps(3))
    net.output("near", wire)
    net.output("far", net.wire(wire, ps(5)))
    routes = net.structure.routes
    assert routes["a"][1] == 3000
    assert sorted(routes[f"a.split[0].{output}"][1] for output in net.library["split"].outputs) == [0, 5000]


def test_auto_split_without_a_splitter_in_the_library():
    net = sfq.Netlist("net", library={"jtl": sfq.library("rsfq")["jtl"]}, auto_split=True)
    wire = net.input("a")
    net.output("q", net.jtl(wire))
    net.output("r", wire)
    with pytest.raises(NetlistError, match="needs a cell 'split' with one input and two outputs"):
        net.check()


def test_second_end_of_a_wire_is_refused_with_both_lines(net):
    wire = net.jtl(net.input("a"))
    net.output("q", wire)
    with pytest.raises(
        NetlistError, match=r"test_netlist.py:\d+\): wire jtl\[0\].q has an end already, output port q"
    ) as e:
        net.jtl(wire, name="late")
    assert "auto_split=True" in str(e.value)
    assert "late" not in net.instances


def test_one_wire_on_two_inputs_of_a_cell_is_refused(net):
    a = net.input("a")
    with pytest.raises(NetlistError, match="wire a drives two of its inputs"):
        net.merge(a, a)
    net.output("q", a)  # the refused cell took nothing
    assert net.check() == []


# ------------------------------------------------------------------------------------------ refused at the line


def test_errors_name_the_users_line(net):
    with pytest.raises(NetlistError) as caught:
        net.dff(net.input("a"))
    (line,) = (frame.lineno + 1 for frame in caught.traceback[:1])  # pytest counts lines from 0
    assert f"dff 'dff[0]' ({__file__}:{line}): floating input clk; connect" in str(caught.value)


def test_unknown_cell_has_a_suggestion(net):
    with pytest.raises(UnknownNameError, match="unknown cell 'xorr'; did you mean 'xor'"):
        net.add("xorr", net.input("a"))
    with pytest.raises(AttributeError, match="did you mean 'merge'"):
        net.merg(net.input("b"))


def test_unknown_input_has_a_suggestion(net):
    with pytest.raises(NetlistError, match="unknown input 'clock'; did you mean 'clk'"):
        net.dff(net.input("a"), clock=net.input("c"))


def test_input_given_twice_is_refused(net):
    a, b, c = net.inputs("a", "b", "c")
    with pytest.raises(NetlistError, match="input 'a' is given twice"):
        net.dff(a, a=b, clk=c)
    with pytest.raises(NetlistError, match="3 wires given, its inputs are a, clk"):
        net.dff(a, b, c)


def test_wire_of_another_netlist_is_refused(net):
    other = sfq.Netlist("other")
    with pytest.raises(NetlistError, match="wire a belongs to netlist 'other', not to 'net'"):
        net.jtl(other.input("a"))


@pytest.mark.parametrize("nonsense", [None, 3, "a", ("a", "b")])
def test_something_that_is_no_wire_is_refused(net, nonsense):
    with pytest.raises(NetlistError, match="a wire is wanted, got"):
        net.jtl(nonsense)
    with pytest.raises(NetlistError, match="a wire is wanted, got"):
        net.output("q", nonsense)


def test_tuple_of_wires_is_explained(net):
    with pytest.raises(NetlistError, match="a cell with several outputs gives a tuple"):
        net.jtl(net.split(net.input("a")))


@pytest.mark.parametrize("delay", [ps(0), ps(-2)])
def test_wire_delay_must_be_positive(net, delay):
    with pytest.raises(NetlistError, match="must be greater than zero"):
        net.wire(net.input("a"), delay)


def test_wire_delay_needs_a_unit(net):
    with pytest.raises(BareNumberError, match="ps"):
        net.wire(net.input("a"), 3)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan"), "0.5", True])
def test_probability_must_be_a_probability(net, probability):
    with pytest.raises(NetlistError, match="is not a number from 0 to 1"):
        net.add(GATE, net.input("a"), probability=probability)


def test_probability_is_required_where_drawn_and_refused_elsewhere(net):
    a = net.input("a")
    with pytest.raises(NetlistError, match="give probability="):
        net.add(GATE, a)
    with pytest.raises(NetlistError, match="no transition of this cell is drawn"):
        net.add("jtl", a, probability=0.5)


@pytest.mark.parametrize("name", ["", "1x", "a b", "x..y", "x[", "x[a]"])
def test_names_must_be_paths(net, name):
    with pytest.raises(NetlistError, match="use letters, digits"):
        net.jtl(net.input("a"), name=name)


def test_name_taken_twice_is_refused_with_the_first_line(net):
    net.jtl(net.input("a"), name="x")
    with pytest.raises(NetlistError, match=r"has that name already, from .*test_netlist.py:\d+"):
        net.jtl(net.input("b"), name="x")
    with pytest.raises(NetlistError, match="input port 'x'"):
        net.input("x")
    with pytest.raises(NetlistError, match="output port 'a'"):
        net.output("a", net.input("c"))


def test_nonsense_in_the_spec_is_refused():
    for wrong in ({"policy": "panic"}, {"queue": "list"}, {"queue_limit": 0}):
        with pytest.raises(SpecError):
            sfq.Netlist("net", **wrong)
    with pytest.raises(NetlistError, match="did you mean 'drop'"):
        net = sfq.Netlist("net")
        net.jtl(net.input("a"), policy="drops")
    with pytest.raises(NetlistError, match="1 or more"):
        net.jtl(net.input("b"), stages=0)


# ------------------------------------------------------------------------------------------ feedback and loops


def test_open_feedback_is_refused_with_its_line(net):
    net.output("q", net.jtl(net.feedback("back")))
    with pytest.raises(NetlistError, match=r"feedback 'back' \(.*test_netlist.py:\d+\): never driven"):
        net.check()


def test_feedback_has_one_driver(net):
    back = net.feedback("back")
    net.close(back, net.jtl(net.input("a")))
    with pytest.raises(NetlistError, match=r"driven by jtl\[0\].q already; a wire has one driver"):
        net.close(back, net.input("b"))
    with pytest.raises(NetlistError, match="only feedback"):
        net.close(net.input("c"), net.input("d"))


def test_feedback_of_feedback_only_is_refused(net):
    one, two = net.feedback("one"), net.feedback("two")
    with pytest.raises(NetlistError, match="closed with itself"):
        net.close(one, one)
    net.close(one, two)
    net.close(two, one)
    with pytest.raises(NetlistError, match="drive each other in a circle"):
        net.check()


def test_loop_without_a_clock_is_named(net):
    back = net.feedback("back")
    net.close(back, net.jtl(net.merge(net.input("a"), back, name="m"), stages=2, name="j"))
    (warning,) = net.check()
    assert "j[0] -> j[1] -> m -> j[0]" in warning


def test_every_loop_is_named_once():
    net = sfq.Netlist("net")
    for n in range(3):
        back = net.feedback(f"back{n}")
        left, right = net.split(net.merge(net.input(f"a{n}"), back, name=f"m{n}"), name=f"s{n}")
        net.close(back, left)
        net.output(f"q{n}", right)
    assert [w.split(": ")[1].split(";")[0] for w in net.check()] == [
        f"m{n} -> s{n} -> m{n}" for n in range(3)
    ]


def test_loop_through_a_clocked_cell_is_no_warning(net):
    back = net.feedback("back")
    net.close(back, net.dff(net.merge(net.input("a"), back), clk=net.input("clk")))
    assert net.check() == []


# ------------------------------------------------------------------------------------------ forgotten wires


def test_unused_outputs_and_inputs_are_warned_of(net):
    net.split(net.input("a"), name="s")
    net.input("b")
    warnings = net.check()
    assert len(warnings) == 3
    assert any("output s.q0 goes nowhere" in w and "test_netlist.py" in w for w in warnings)
    assert any("input port b goes nowhere" in w for w in warnings)


def test_terminated_outputs_are_not_warned_of(net):
    net.terminate(*net.split(net.input("a")))
    assert net.check() == []


def test_warnings_reach_the_manifest(net):
    net.output("q", net.split(net.input("a"), name="s")[0])
    system = System(net)
    system.drive("a", at=ps([5]))
    assert any("s.q1 goes nowhere" in w for w in system.run(until=ps(50)).manifest["warnings"])


def test_build_does_not_forget_what_was_added_later(net):
    net.output("q", net.jtl(net.input("a")))
    assert net.jj_count == net.library["jtl"].jj
    net.output("r", net.jtl(net.input("b")))
    assert net.jj_count == 2 * net.library["jtl"].jj


def test_a_netlist_that_runs_does_not_change_any_more():
    net = sfq.Netlist("net")
    net.output("q", net.jtl(net.input("a")))
    system = System(net)
    system.drive("a", at=ps([1]))
    system.run(until=ps(10))
    with pytest.raises(NetlistError, match="has begun to run"):
        net.input("b")
