"""K4: clocked engines sample all inputs, then update."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import SpecError
from hwmodel.units import ns, ps
from tests.kernel.models import Unchecked


def _shifter(name: str, initial: int) -> hw.Block:
    return hw.Block(
        name, lambda i, s: ({}, {"q": i["d"]}), inputs={"d": 8}, outputs={"q": 8}, state={"q": initial}
    )


@given(st.lists(st.integers(0, 255), min_size=2, max_size=6), st.permutations(range(6)), st.integers(1, 9))
def test_a_ring_of_registers_rotates_whatever_the_order_of_its_blocks(values, order, edges) -> None:
    n = len(values)
    blocks = [_shifter(f"b{k}", v) for k, v in enumerate(values)]
    ring = {f"b{k}.d": f"b{(k - 1) % n}.q" for k in range(n)}
    domain = hw.ClockDomain("dom", hw.Clock(period=ps(10)), [blocks[k] for k in order if k < n], ring)
    result = hw.System(domain).run(until=ps(10 * edges), watch=[f"b{k}_q" for k in range(n)])
    for k in range(n):
        trace = result[f"b{k}_q"]
        now = int(trace.value[-1]) if len(trace) else values[k]
        assert now == values[(k - edges) % n]


def test_a_domain_in_which_nothing_changes_sleeps_but_counts_its_cycles() -> None:
    system = hw.System(hw.ClockDomain("dom", hw.Clock(period=ps(10)), [_shifter("b", 0)]))
    system.drive("b_d", at=ps([500_000]), values=[3])
    result = system.run(until=ps(1_000_000), watch=["b_q"])
    assert result["b_q"].t.tolist() == [500_000_000]
    assert result.stats["dom.cycles"] == 100_000
    assert result.stats["dom.cycles_computed"] < 10


@pytest.mark.parametrize("given", [({"n": 0.5}, {}), ({"n": 2**70}, {}), ({}, {"q": 1.7})])
def test_a_value_that_is_no_whole_number_of_64_bits_is_refused(given) -> None:
    block = hw.Block("b", lambda inputs, state: given, outputs={"q": 4}, state={"n": 0})
    with pytest.raises(SpecError, match=r"block 'd\.b"):
        hw.System(hw.ClockDomain("d", hw.Clock("1 GHz"), [block])).run(until=ns(3))


def test_a_message_wider_than_its_input_is_refused() -> None:
    block = hw.Block("b", lambda inputs, state: ({}, {}), inputs={"x": 4})
    domain = hw.ClockDomain("d", hw.Clock("1 GHz"), [block])
    system = hw.System(domain, Unchecked("p", hw.Port("o", "out", "bits", 4), 5000, 16))
    system.connect("p.o", "d.b_x", latency=ps(1))
    with pytest.raises(SpecError, match=r"input 'd\.b_x': value=16 does not fit into 4 bits"):
        system.run(until=ns(3))
