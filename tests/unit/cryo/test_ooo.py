"""The out-of-order core: one structural rule a test, each one entry before and after its limit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.cryo.config import Unit
from hwmodel.cryo.core import _kernels as c
from hwmodel.cryo.timing import TimedRun
from hwmodel.cryo.trace import Branch, Op
from tests.unit.cryo.ooo_programs import UNITS, I, chunk, commits, machine, timing

FAR = 1 << 20  # lines that are in no cache


def alone(program, spec, **options):
    """Commit cycle of the last instruction, counted from the first."""
    return commits(program, spec, **options)[-1]


@pytest.mark.parametrize(("width", "cycles"), [(1, 7), (2, 3), (4, 1), (8, 0)])
@pytest.mark.parametrize("stage", ["decode", "rename", "dispatch", "issue", "commit"])
def test_a_stage_takes_as_many_instructions_a_cycle_as_it_is_wide(stage, width, cycles):
    assert alone([I() for _ in range(8)], machine(**{stage: width})) == cycles


@pytest.mark.parametrize(("width", "cycles"), [(1, 7), (2, 3), (4, 1), (8, 0)])
def test_fetch_takes_as_many_instructions_a_cycle_as_it_is_wide(width, cycles):
    assert alone([I() for _ in range(8)], machine(fetch=width)) == cycles


def test_dependent_instructions_follow_each_other_a_cycle_apart():
    assert commits([I(to=1), I(to=1, of=(1,)), I(to=1, of=(1,))], machine()) == [0, 1, 2]


@pytest.mark.parametrize("latency", [1, 2, 5, 20])
def test_a_result_is_there_after_the_units_latency(latency):
    spec = machine(units={**UNITS, "fp_mul": Unit(latency)})
    program = [I(Op.FP_MUL, to=33), I(to=1, of=(33,))]
    assert alone(program, spec) == 1


@pytest.mark.parametrize(("count", "cycles"), [(1, 3), (2, 1), (3, 1), (4, 0)])
def test_a_pipelined_unit_starts_one_instruction_a_cycle(count, cycles):
    spec = machine(units={**UNITS, "fp_mul": Unit(4, 1, count)})
    assert alone([I(Op.FP_MUL, to=33 + i) for i in range(4)], spec) == cycles


@pytest.mark.parametrize("interval", [2, 7])
def test_an_unpipelined_unit_starts_again_after_its_interval(interval):
    spec = machine(units={**UNITS, "div": Unit(interval, interval, 1)})
    assert alone([I(Op.DIV, to=1), I(Op.DIV, to=2)], spec) == interval


def stalled(count: int) -> list[I]:
    """A load from memory, then `count` instructions, then one whose commit shows whether it was held up."""
    return [I(to=1, load=FAR * 64)] + [I(to=2 + i % 8) for i in range(count)]


def held_up(before: list[I], spec, plain) -> bool:
    """Whether the last instruction of a program commits later than on a machine without the limit."""
    late = commits(before, spec, "code")
    free = commits(before, plain, "code")
    return late[-1] > free[-1]


@pytest.mark.parametrize(("entries", "late"), [(31, True), (32, False), (33, False)])
def test_a_full_reorder_buffer_holds_up_what_follows(entries, late):
    # behind the load and 30 others comes a chain that is done in the load's shadow only if it has entered
    program = [*stalled(30), I(Op.DIV, to=9)]
    units = {**UNITS, "div": Unit(400)}
    assert held_up(program, machine(rob=entries, units=units), machine(units=units)) is late


@pytest.mark.parametrize(("entries", "late"), [(4, True), (5, False)])
def test_a_full_load_queue_holds_up_the_next_load(entries, late):
    near = [I(to=2, load=8 * i) for i in range(3)]
    program = [I(to=9, load=0), I(to=1, load=FAR * 64), *near, I(to=3, load=64)]
    program[0] = I()
    chain = [I(Op.DIV, to=3, of=(3,))]
    units = {**UNITS, "div": Unit(400)}
    assert held_up(program + chain, machine(lq=entries, units=units), machine(units=units)) is late


@pytest.mark.parametrize(("entries", "late"), [(3, True), (4, False)])
def test_a_full_store_queue_holds_up_the_next_store(entries, late):
    program = [I(to=1, load=FAR * 64), *(I(store=8 * i) for i in range(3)), I(store=64), I(Op.DIV, to=3)]
    units = {**UNITS, "div": Unit(400)}
    assert held_up(program, machine(sq=entries, units=units), machine(units=units)) is late


@pytest.mark.parametrize(("entries", "late"), [(8, True), (9, False)])
def test_a_full_issue_queue_holds_up_dispatch(entries, late):
    waiting = [I(to=2, of=(1,)) for _ in range(7)]
    program = [I(to=1, load=FAR * 64), *waiting, I(Op.DIV, to=9)]
    units = {**UNITS, "div": Unit(400)}
    assert held_up(program, machine(iq=entries, units=units), machine(units=units)) is late


@pytest.mark.parametrize(("registers", "late"), [(5, True), (6, False)])
def test_a_lack_of_registers_holds_up_rename(registers, late):
    program = [I(to=1, load=FAR * 64), *(I(to=2) for _ in range(4)), I(Op.DIV, to=9)]
    units = {**UNITS, "div": Unit(400)}
    assert held_up(program, machine(int_regs=registers, units=units), machine(units=units)) is late


def test_floating_point_registers_are_counted_apart():
    program = [I(to=1, load=FAR * 64), *(I(to=2) for _ in range(4)), I(Op.DIV, to=40)]
    units = {**UNITS, "div": Unit(400)}
    assert not held_up(program, machine(fp_regs=1, units=units), machine(units=units))


@pytest.mark.parametrize(("ports", "cycles"), [(1, 3), (2, 1), (4, 0)])
def test_load_ports_limit_the_loads_of_a_cycle(ports, cycles):
    program = [I(to=1 + i, load=64 * i) for i in range(4)]
    assert alone(program, machine(load_ports=ports)) == cycles


def test_a_load_waits_for_its_address_and_gives_its_data_after_the_cache():
    program = [I(to=1), I(to=2, of=(1,), load=0), I(to=3, of=(2,))]
    # the load issues a cycle after its address, takes 1 cycle to execute and 2 in the cache
    assert commits(program, machine()) == [0, 3, 4]


def test_a_load_takes_the_data_of_an_older_store_that_covers_it():
    program = [I(store=0), I(to=1, load=4, size=4)]
    assert timing(program, machine()).forwarded == 1


def test_a_load_that_an_older_store_covers_in_part_waits_until_it_has_left():
    apart = [I(store=0, size=4), I(to=1, load=64, size=8)]
    partly = [I(store=0, size=4), I(to=1, load=0, size=8)]
    assert timing(partly, machine()).forwarded == 0
    assert alone(partly, machine()) > alone(apart, machine())


def late_store(address: int, count: int = 1) -> list[I]:
    """A store whose data comes late, and a load of `address` behind it; so often."""
    units = [I(Op.DIV, to=1), I(store=0, of=(1,), pc=0x2000), I(to=2, load=address, pc=0x2004)]
    return units * count


def test_a_load_that_overtakes_an_older_store_of_its_bytes_is_done_again():
    spec = machine(units={**UNITS, "div": Unit(30)})
    assert timing(late_store(0), spec).order_violations == 1
    assert timing(late_store(64), spec).order_violations == 0


@pytest.mark.parametrize(("shift", "violations"), [(3, 0), (4, 1)])
def test_orders_are_checked_in_blocks_of_bytes(shift, violations):
    spec = machine(units={**UNITS, "div": Unit(30)}, check_shift=shift)
    assert timing(late_store(8), spec).order_violations == violations


def test_store_sets_make_a_load_wait_that_was_done_again_before():
    spec = machine(units={**UNITS, "div": Unit(30)}, store_sets=True)
    assert timing(late_store(0, 6), spec).order_violations == 1
    blind = machine(units={**UNITS, "div": Unit(30)}, store_sets=False)
    assert timing(late_store(0, 6), blind).order_violations > 1


def test_store_sets_are_forgotten_after_their_period():
    spec = machine(units={**UNITS, "div": Unit(30)}, store_sets=True, clear_period=4)
    assert timing(late_store(0, 12), spec).order_violations > 1


def taken_loop(turns: int) -> list[I]:
    return [I(pc=0x1000), I(branch=Branch.CONDITIONAL, taken=True, pc=0x1004)] * turns


def test_fetch_ends_its_cycle_at_a_taken_branch():
    assert alone(taken_loop(5), machine()) == 4
    assert alone(taken_loop(5), machine(taken_stops=False)) == 1


def test_a_mispredicted_branch_costs_the_way_through_the_front_end():
    program = [I(branch=Branch.CONDITIONAL, taken=True, pc=0x1000), I(pc=0x1010)]
    blind = machine(predictor="not_taken", redirect=3)
    # executed a cycle before commit; fetch 3 cycles later, then 1 + 1 + 2 to dispatch, issue, execute, commit
    assert commits(program, blind)[1] - commits(program, machine())[1] == 6 + 2 - 1
    slower = machine(predictor="not_taken", redirect=9)
    assert commits(program, slower)[1] - commits(program, blind)[1] == 6


def test_an_instruction_line_that_is_not_there_holds_up_fetch():
    program = [I(pc=0x1000), I(pc=0x5000)]
    assert alone(program, machine(), warm="nothing") > alone(program, machine())


def test_a_serialising_instruction_waits_for_all_before_it_and_holds_up_all_behind_it():
    units = {**UNITS, "div": Unit(20)}
    program = [I(), I(Op.DIV, to=1), I(Op.SYSTEM, to=2), I(to=3)]
    at = commits(program, machine(units=units))
    assert at[2] > at[1]
    assert at[3] > at[2] + 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            I,
            op=st.sampled_from([Op.INT, Op.MUL, Op.FP_FMA, Op.DIV, Op.SYSTEM]),
            to=st.integers(0, 40),
            of=st.lists(st.integers(1, 40), max_size=2).map(tuple),
            load=st.none() | st.integers(0, 4000),
            store=st.none() | st.integers(0, 4000),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_the_cpi_stack_sums_to_the_cycles_and_commits_are_in_order(program):
    spec = machine(rob=16, iq=8, lq=4, sq=4, commit=2, store_sets=True)
    found = timing(program, spec, warm="nothing")
    assert sum(found.cpi_stack.values()) == found.cycles
    assert found.instructions == len(program)
    at = commits(program, spec, warm="nothing")
    assert at == sorted(at)
    assert max(np.bincount(at)) <= 2


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.integers(0, 3))
def test_the_chunks_in_which_a_trace_comes_do_not_matter(cuts, seed):
    rng = np.random.default_rng(seed)
    program = [
        I(to=int(rng.integers(1, 8)), of=(int(rng.integers(1, 8)),), load=int(rng.integers(0, 1 << 16)))
        for _ in range(60)
    ]
    whole = chunk(program)
    run = TimedRun(machine(rob=24))
    marks = sorted({0, *cuts, 60})
    for first, last in pairwise(marks):
        part = type(whole)(whole.statics, whole.ids[first:last], whole.addresses[first:last], first)
        run.run(part)
    once = TimedRun(machine(rob=24))
    once.run(whole)
    assert run.result() == once.result()


def test_the_rings_wrap_without_a_trace():
    program = [I(to=1, of=(1,)) for _ in range(3 * c.RING)]
    assert timing(program, machine()).cycles >= 3 * c.RING
