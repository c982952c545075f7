"""Energy and power: exact sums over what switched and what is biased."""

from __future__ import annotations

import pytest

from hwmodel import sfq
from hwmodel.kernel import System
from hwmodel.units import ns, ps

pytestmark = pytest.mark.kernels

PHI0_WB = 2.067833848e-15  # CODATA 2018


def stats_of(net, until=ns(100), seed=0, **stimulus):
    system = System(net, seed=seed)
    for port, times in stimulus.items():
        system.drive(port, at=times)
    return system.run(until=until).stats


def aj(ic_ua):
    return ic_ua * 1e-6 * PHI0_WB * 1e18


def test_one_junction_of_100_ua_takes_a_fifth_of_an_attojoule():
    assert aj(100) == pytest.approx(0.2068, abs=1e-4)


def test_dynamic_energy_is_the_sum_over_transitions():
    net = sfq.Netlist("net")
    a, clk = net.inputs("a", "clk")
    net.output("q", net.dff(net.jtl(a, stages=2), clk=clk))
    jtl, dff = net.library["jtl"], net.library["dff"]
    stats = stats_of(net, a=ps([100, 500]), clk=ps([300, 400]))
    expected = 4 * jtl.switched_ic("0", "a") + 2 * dff.switched_ic("0", "a")
    expected += dff.switched_ic("1", "clk") + dff.switched_ic("0", "clk")
    assert stats["net.dynamic_energy_aj"] == pytest.approx(aj(expected), rel=1e-12)
    assert stats["net.pulses"] == 2 * 3 + 2 + 1
    assert stats["net.dynamic_energy_aj_per_pulse"] == pytest.approx(aj(expected) / 9, rel=1e-12)


def test_given_switched_ic_goes_before_the_estimate():
    cell = sfq.Cell(
        "coin",
        inputs=("a",),
        outputs=("q",),
        states=("0",),
        transitions={("0", "a"): sfq.Transition("0", {"q": ps(1)}, switched_ic_ua=123.0)},
        jj=2,
        total_ic_ua=900.0,
        bias_ua=100.0,
        bias_mv=2.0,
        source="made up for tests",
    )
    net = sfq.Netlist("net")
    net.output("q", net.add(cell, net.input("a")))
    assert stats_of(net, a=ps([1, 11, 21]))["net.dynamic_energy_aj"] == pytest.approx(
        aj(3 * 123.0), rel=1e-12
    )


def test_drawn_transitions_count_what_happened():
    cell = sfq.Cell(
        "coin",
        inputs=("a",),
        outputs=("q", "n"),
        states=("0",),
        transitions={("0", "a"): sfq.Transition("0", {"q": ps(1)}, probability=True, else_fires={})},
        jj=2,
        total_ic_ua=1000.0,
        bias_ua=100.0,
        bias_mv=2.0,
        source="made up for tests",
    )
    net = sfq.Netlist("net")
    q, n = net.add(cell, net.input("a"), probability=0.3)
    net.output("q", q)
    net.terminate(n)
    system = System(net, seed=5)
    system.drive("a", at=ps(range(0, 5000, 10)))
    result = system.run(until=ns(100), watch=["q"])
    fired = len(result["q"])
    assert 100 < fired < 200
    expected = fired * cell.switched_ic("0", "a", True) + (500 - fired) * cell.switched_ic("0", "a", False)
    assert result.stats["net.dynamic_energy_aj"] == pytest.approx(aj(expected), rel=1e-12)


def test_lost_pulses_switch_nothing():
    net = sfq.Netlist("net", policy="drop")
    net.output("q", net.jtl(net.input("a")))
    one = stats_of(net, a=ps([10]))["net.dynamic_energy_aj"]
    assert stats_of(net, a=ps([10, 12]))["net.dynamic_energy_aj"] == one


def test_static_energy_is_power_times_time():
    net = sfq.Netlist("net")
    net.output("q", net.jtl(net.input("a"), stages=10))
    stats = stats_of(net, until=ns(7), a=ps([10]))
    jtl = net.library["jtl"]
    assert stats["net.static_power_w"] == pytest.approx(
        10 * jtl.bias_ua * 1e-6 * jtl.bias_mv * 1e-3, rel=1e-12
    )
    assert stats["net.static_energy_aj"] == pytest.approx(
        stats["net.static_power_w"] * 7e-9 * 1e18, rel=1e-12
    )
    assert stats["net.jj_count"] == 10 * jtl.jj


def test_energy_does_not_depend_on_the_window():
    def energy(window):
        net = sfq.Netlist("net")
        net.output("q", net.jtl(net.input("a"), stages=30))
        system = System(net)
        system.drive("a", at=ps(range(0, 1000, 7)))
        return system.run(until=ns(1), window=window).stats["net.dynamic_energy_aj"]

    assert energy("auto") == energy(ps(2)) > 0


def test_a_pulse_that_a_draw_blocks_switches_its_own_junctions():
    step = sfq.Transition(
        "0", {"q": ps(1)}, probability=True, switched_ic_ua=1000.0, else_switched_ic_ua=100.0
    )
    gate = sfq.Cell.define("gate", inputs="a", outputs="q", states={"0": {"a": step}}, jj=5, source="test")
    for probability, ic_ua in ((1.0, 1000.0), (0.0, 100.0)):
        net = sfq.Netlist("net")
        net.output("q", net.add(gate, net.input("a"), probability=probability))
        system = System(net)
        system.drive("a", at=ps([10, 50]))
        energy = system.run(until=ns(1)).stats["net.dynamic_energy_aj"]
        assert energy == pytest.approx(2 * ic_ua * 1e-6 * 2.067833848e-15 * 1e18)
