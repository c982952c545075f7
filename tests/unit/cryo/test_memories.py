"""DRAM channels by name, and units pipelined gate by gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodel.cryo.config import cryo_ooo
from hwmodel.cryo.memories import DRAMS, cooled, dram, gate_pipelined
from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.units import ns
from tests.unit.cryo.ooo_programs import I, commits, machine, timing

FAR = [I(to=1 + n % 8, load=(1 << 21) * (n + 1)) for n in range(8)]


@pytest.mark.parametrize("name", sorted(DRAMS))
def test_every_channel_serves_a_program(name):
    found = timing(FAR, replace(machine(), dram=dram(name)), "code")
    assert found.dram["reads"] == 8
    assert found.time > DRAMS[name].controller


def test_a_channel_moves_a_line_a_burst():
    assert {name: round(64e6 / part.burst, 1) for name, part in DRAMS.items() if "77k" not in name} == {
        "ddr3-1600": 12.8,  # GB/s, as the names say: 1600 MT/s x 8 bytes
        "ddr4-2400": 19.2,
        "ddr5-4400": 17.6,  # half a module: 4400 MT/s x 4 bytes
        "hbm2": 16.0,
    }


def test_a_cooled_array_is_faster_and_needs_no_refresh():
    warm, cold = DRAMS["ddr4-2400"], DRAMS["ddr4-2400-77k"]
    assert cold.refi == 0
    assert (cold.burst, cold.controller) == (warm.burst, warm.controller)
    slow, fast = (timing(FAR, replace(machine(), dram=part), "code").time for part in (warm, cold))
    assert fast < slow


def test_cooling_does_not_slow_down():
    with pytest.raises(SpecError, match="factor"):
        cooled(DRAMS["ddr3-1600"], 0.5)


def test_an_unknown_channel_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'ddr4-2400'"):
        dram("ddr4-2401")


@pytest.mark.parametrize("stages", [1, 3, 30])
def test_a_gate_pipelined_unit_takes_its_stages_and_starts_every_cycle(stages):
    spec = gate_pipelined(machine(), {"int": stages})
    chain = [I(to=1), I(to=1, of=(1,)), I(to=1, of=(1,))]
    assert commits(chain, spec) == [0, stages, 2 * stages]
    apart = [I(to=1 + n) for n in range(8)]
    assert commits(apart, spec)[-1] == 0


def test_classes_left_out_keep_their_units():
    before = cryo_ooo()
    assert gate_pipelined(before, {"int": 9}).core.units["fp_div"] == before.core.units["fp_div"]


@pytest.mark.parametrize(("stages", "error"), [({"int": 0}, SpecError), ({"integer": 2}, UnknownNameError)])
def test_wrong_stages_are_refused(stages, error):
    with pytest.raises(error):
        gate_pipelined(cryo_ooo(), stages)


def test_a_controller_further_away_is_paid_for():
    near = machine()
    far = replace(near, dram=replace(near.dram, controller=near.dram.controller + ns(100)))
    assert timing(FAR, far, "code").time - timing(FAR, near, "code").time >= int(ns(100))
