"""The in-order core: one rule a test, each limit one before and after it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hwmodel.cryo.config import MINOR_UNITS, Unit
from hwmodel.cryo.stages import _kernels as s
from hwmodel.cryo.timing import TimedRun
from hwmodel.cryo.trace import Branch, Op
from hwmodel.errors import SpecError
from tests.unit.cryo.machine import commits, inorder, issues, run, seen
from tests.unit.cryo.ooo_programs import I

LINE = 64
IN_LINE = 16  # instructions of four bytes in a line
DATA = 0x8000


def units(**changed):
    return {**MINOR_UNITS, **changed}


def load(place=0, **more):
    return I(Op.NOP, load=DATA + 8 * place, **more)


def store(place=0, **more):
    return I(Op.NOP, store=DATA + 8 * place, **more)


def ints(count):
    return [I(to=1 + i % 30) for i in range(count)]


# ------------------------------------------------------------------------------------------------------- widths
@pytest.mark.parametrize(("width", "cycles"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 0, 1, 1, 2, 2])])
@pytest.mark.parametrize("stage", ["fetch", "decode", "issue", "commit"])
def test_a_stage_takes_as_many_instructions_a_cycle_as_it_is_wide(stage, width, cycles):
    assert commits(ints(6), inorder(**{stage: width})) == cycles


def test_a_dependent_instruction_may_issue_in_the_same_cycle():
    assert issues([I(to=1), I(to=1, of=(1,))], inorder()) == [0, 0]


def test_one_memory_operation_issues_in_a_cycle_and_nothing_behind_it():
    assert issues([I(to=1), load(to=2)], inorder()) == [0, 0]
    assert issues([load(to=2), I(to=1)], inorder()) == [0, 1]
    assert issues([load(to=2), I(to=1)], inorder(memory_width=2)) == [0, 0]


def test_one_memory_operation_commits_in_a_cycle():
    program = [load(0, to=2), load(1, to=3)]
    assert commits(program, inorder(memory_accesses=2)) == [0, 1]


# -------------------------------------------------------------------------------------------------- the front end
@pytest.mark.parametrize("latency", [2, 3, 10])
def test_the_next_line_is_asked_for_when_the_last_one_is_used_up(latency):
    cycles = commits(ints(IN_LINE + 1), inorder(line=latency))
    assert cycles[IN_LINE - 1] == IN_LINE // 2 - 1
    assert cycles[IN_LINE] - cycles[IN_LINE - 1] == latency + 1


def test_a_line_is_fetched_again_after_a_taken_branch_into_it():
    jump = I(Op.NOP, branch=Branch.JUMP, taken=True, pc=0x1000)
    assert run([jump, I(pc=0x1008)], inorder()).result().fetch_lines == 2
    assert run([I(pc=0x1000), I(pc=0x1004)], inorder()).result().fetch_lines == 1


@pytest.mark.parametrize("latency", [2, 9])
def test_a_taken_branch_costs_the_fetch_of_a_line(latency):
    jump = I(Op.NOP, branch=Branch.JUMP, taken=True, pc=0x1000)
    assert commits([jump, I(pc=0x1100)], inorder(line=latency)) == [0, latency + 1]


def test_a_branch_that_is_not_taken_costs_nothing():
    branch = I(Op.NOP, branch=Branch.CONDITIONAL)
    assert commits([branch, I()], inorder()) == [0, 0]


@pytest.mark.parametrize(("pc", "cycles"), [(0x103A, 0), (0x103E, 3)])
def test_an_instruction_across_two_lines_waits_for_the_second(pc, cycles):
    program = [I(pc=pc - 4), I(pc=pc), I(pc=0x1042)]
    assert commits(program, inorder())[1] == cycles


@pytest.mark.parametrize("redirect", [1, 2, 5])
def test_a_mispredicted_branch_is_followed_after_commit_redirect_fetch_and_three_stages(redirect):
    branch = I(Op.NOP, branch=Branch.CONDITIONAL, taken=True, pc=0x1000)
    spec = inorder(predictor="not_taken", redirect=redirect)
    assert commits([branch, I(pc=0x1100)], spec) == [0, redirect + 2 + 4]
    assert run([branch, I(pc=0x1100)], spec).result().mispredicted == 1


@pytest.mark.parametrize(("pc", "waited"), [(0x1000, 0), (0x103C, 16)])
def test_a_line_of_the_wrong_path_on_its_way_is_waited_for(pc, waited):
    # The branch commits three cycles after it was cut up, and two later the front end hears of it; a line that was
    # asked for with the branch comes after twenty, and the next one can be asked for in the cycle after that.
    branch = I(Op.NOP, branch=Branch.CONDITIONAL, taken=True, pc=pc)
    spec = inorder(line=20, predictor="not_taken")
    known = I(pc=0x1040)  # so that the line behind the branch is in the cache
    assert commits([branch, I(pc=0x1100), known], spec)[1] == 2 + 20 + 4 + waited


@pytest.mark.parametrize(("decode", "issue"), [(2, 4), (1, 1), (3, 2)])
def test_the_front_end_runs_ahead_by_what_its_buffers_hold(decode, issue):
    spec = inorder(load=1000, decode_buffer=decode, issue_buffer=issue)
    program = [load(to=1), *[load(1 + i, to=2) for i in range(29)]]
    ahead = seen(program, spec, s.R_FETCH)
    # Three loads leave the buffers: one is in memory, one waits at the port, two are in their unit.
    held = [number for number, cycle in enumerate(ahead) if cycle < 1000]
    assert len(held) == 4 + 2 * (decode + issue)


# ---------------------------------------------------------------------------------------------- units and operands
@pytest.mark.parametrize("interval", [1, 2, 9])
def test_a_divider_takes_another_instruction_after_its_interval(interval):
    spec = inorder(units=units(div=Unit(6, interval, 1)))
    assert issues([I(Op.DIV, to=1), I(Op.DIV, to=2)], spec) == [0, interval]


@pytest.mark.parametrize(("count", "cycles"), [(1, [0, 1, 2, 3]), (2, [0, 0, 1, 1])])
def test_there_are_as_many_units_as_named(count, cycles):
    spec = inorder(units=units(mul=Unit(3, 1, count)))
    assert issues([I(Op.MUL, to=i + 1) for i in range(4)], spec) == cycles


def test_classes_of_one_pool_share_its_units():
    apart = inorder(units=units(fp_mul=Unit(6, 1, 1, early=2)))
    program = [I(Op.FP_ADD, to=33), I(Op.FP_MUL, to=34)]
    assert (issues(program, inorder()), issues(program, apart)) == ([0, 1], [0, 0])


@pytest.mark.parametrize(("early", "cycles"), [(0, 6), (1, 5), (2, 4)])
def test_an_instruction_enters_so_early_before_its_operand_is_due(early, cycles):
    spec = inorder(units=units(int=Unit(1, 1, 2, early=early)))
    assert issues([I(Op.FP_ADD, to=33), I(to=1, of=(33,))], spec) == [0, cycles]


@pytest.mark.parametrize(("assumed", "cycles"), [(0, 0), (1, 1), (2, 2), (5, 5)])
def test_the_user_of_a_load_enters_after_the_assumed_latency(assumed, cycles):
    spec = inorder(units=units(load=Unit(2, 1, 1, early=1, assumed=assumed)))
    assert issues([load(to=1), I(to=2, of=(1,))], spec) == [0, max(1, cycles)]


@pytest.mark.parametrize("latency", [2, 3, 4, 50])
def test_the_user_of_a_load_commits_with_it(latency):
    assert commits([load(to=1), I(to=2, of=(1,))], inorder(load=latency)) == [0, 0]


@pytest.mark.parametrize(("latency", "cycles"), [(2, 3), (3, 3), (4, 4), (50, 50)])
def test_a_load_whose_address_is_loaded_follows_after_the_latency(latency, cycles):
    # Not sooner than three cycles: two of the assumed latency, less one that it enters early, and two in its unit.
    assert commits([load(to=1), load(1, to=2, of=(1,))], inorder(load=latency)) == [0, cycles]


def test_a_unit_keeps_its_instruction_until_it_commits():
    program = [load(to=40), *ints(4)]
    waits = issues(program, inorder(load=50))
    assert waits[1:3] == [1, 1]
    assert waits[3:] == [
        52,
        53,
    ]  # the load commits after two cycles in its unit and fifty of the cache, one with it


def test_a_pipelined_unit_stands_still_with_its_oldest_instruction():
    program = [load(to=40), I(Op.FP_ADD, to=33), I(Op.FP_ADD, to=34), I(Op.FP_ADD, to=35)]
    alone = commits(program, inorder(load=3))
    behind = commits(program, inorder(load=30))
    assert alone == [0, 2, 3, 4]  # 1 + 6 against 2 + 3 cycles
    assert behind == [0, 0, 1, 2]


# ------------------------------------------------------------------------------------------------ memory operations
@pytest.mark.parametrize("latency", [2, 3, 7])
def test_one_access_is_in_memory_at_a_time(latency):
    program = [load(0, to=1), load(1, to=2), load(2, to=3)]
    assert commits(program, inorder(load=latency)) == [0, latency, 2 * latency]
    assert commits(program[:2], inorder(load=latency, memory_accesses=2)) == [0, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_store_waits_while_the_store_buffer_is_full(size):
    # The first store is sent a cycle after it commits, and its entry is free when the cache has answered.
    cycles = commits([store(i) for i in range(size + 1)], inorder(store=20, sq=size))
    assert cycles == [*range(size), 21]


def test_a_load_waits_for_the_store_that_holds_the_port():
    assert commits([store(0), load(1, to=1)], inorder(store=20)) == [0, 1 + 20 + 2]


def test_a_load_that_waits_goes_before_the_stores_behind():
    program = [store(0), store(1), load(2, to=1)]
    assert commits(program, inorder(store=20)) == [0, 1, 1 + 20 + 2]


def test_a_load_takes_its_value_from_a_store_in_the_buffer():
    program = [store(0), load(0, to=1)]
    assert commits(program, inorder(store=20)) == [0, 1]
    result = run(program, inorder(store=20)).result()
    assert (result.forwarded, result.levels["l1d"].read_accesses) == (1, 0)


def test_a_load_of_which_the_buffer_has_a_part_waits_for_the_store():
    program = [store(0, size=4), load(0, to=1, size=8)]
    assert commits(program, inorder(store=20)) == [0, 1 + 20 + 2]
    assert run(program, inorder(store=20)).result().forwarded == 0


def test_a_store_is_answered_once_the_tag_is_known():
    program = [store(0), store(1), load(2, to=1)]
    slow, fast = (commits(program, inorder(load=8, store=tag, sq=1))[1] for tag in (8, 3))
    assert (slow, fast) == (9, 4)


def test_nothing_passes_a_fence_before_the_store_buffer_is_empty():
    fence = I(Op.NOP, flags=2)
    program = [store(0), fence, load(1, to=1)]
    assert commits(program, inorder(store=20))[-1] == 1 + 20 + 1 + 2
    assert commits([store(0), I(), load(1, to=1)], inorder(store=20))[-1] == 1 + 20 + 2


def test_what_follows_a_system_instruction_is_fetched_anew():
    assert commits([I(Op.SYSTEM, flags=2), I()], inorder()) == [0, 2 + 2 + 4]


# --------------------------------------------------------------------------------------------------- the accounting
def test_the_stack_names_what_is_waited_for():
    result = run([load(i % 8, to=1) for i in range(64)], inorder(load=40)).result()
    assert sum(result.cpi_stack.values()) == result.cycles
    assert result.cpi_stack["l1"] > 0.9 * result.cycles


def test_the_result_counts_what_ran():
    program = [I(), store(0), load(0, to=1), I(Op.NOP, branch=Branch.CONDITIONAL)]
    result = run(program, inorder()).result()
    assert (result.instructions, result.branches, result.forwarded) == (4, 0, 1)
    assert result.time == result.cycles * 1_000_000


# ------------------------------------------------------------------------------------------------------ the bounds
@pytest.mark.parametrize(
    "name", ["issue", "decode_buffer", "issue_buffer", "sq", "transfers", "memory_accesses"]
)
@pytest.mark.parametrize(("value", "taken"), [(0, False), (1, True), (63, True), (64, False)])
def test_a_structure_holds_from_one_to_as_many_as_its_ring(name, value, taken):
    if taken:
        assert commits([store(0), load(1, to=1)], inorder(**{name: value}))[0] == 0
    else:
        with pytest.raises(SpecError, match=name):
            TimedRun(inorder(**{name: value}))


@pytest.mark.parametrize(("latency", "taken"), [(0, False), (1, True), (254, True), (255, False)])
def test_a_unit_has_from_one_stage_to_as_many_as_its_ring(latency, taken):
    spec = {"units": units(mul=Unit(latency, 1, 1))}
    if taken:
        program = [I(Op.MUL, to=1), I(Op.MUL, to=2)]
        assert commits(program, inorder(**spec)) == [0, 1]
    else:
        with pytest.raises(SpecError, match="mul"):
            TimedRun(inorder(**spec))


def test_units_are_counted_and_pools_exist():
    with pytest.raises(SpecError, match="24"):
        TimedRun(inorder(units=units(int=Unit(1, 1, 30, early=2))))
    with pytest.raises(SpecError, match="no units of its own"):
        TimedRun(inorder(units=units(simd=Unit(6, 1, pool="nop"))))
    with pytest.raises(SpecError, match="fetch_line"):
        TimedRun(inorder(fetch_line=48))


def test_a_deep_unit_is_full_of_instructions_behind_a_slow_one():
    # More multiplications than the ring of the unit has places, all behind a load.
    spec = inorder(load=600, units=units(mul=Unit(254, 1, 1, early=254)))
    program = [load(to=1), *[I(Op.MUL, to=2 + i % 20) for i in range(300)]]
    cycles = commits(program, spec)
    assert cycles[1] == 0
    assert all(0 <= after - before <= 5 for before, after in pairwise(cycles))
