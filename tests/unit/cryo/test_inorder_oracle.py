"""The in-order core against the same machine stepped cycle by cycle."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.cryo.stages import _kernels as s
from hwmodel.cryo.trace import Branch, Op
from tests.unit.cryo.inorder_oracle import OPS, step
from tests.unit.cryo.machine import inorder, run, seen
from tests.unit.cryo.ooo_programs import I

DATA = 0x8000
registers = st.integers(1, 4)
words = st.integers(0, 3).map(lambda n: DATA + 8 * n)
arithmetic = st.builds(
    I, op=st.sampled_from(OPS), to=registers, of=st.lists(registers, max_size=2, unique=True).map(tuple)
)
loads = st.builds(I, op=st.just(Op.NOP), to=registers, of=st.tuples(registers), load=words)
stores = st.builds(I, op=st.just(Op.NOP), of=st.tuples(registers), store=words, size=st.sampled_from((4, 8)))
jumps = st.builds(I, op=st.just(Op.NOP), branch=st.just(Branch.JUMP), taken=st.just(True))
programs = st.lists(st.one_of(arithmetic, loads, stores, jumps), min_size=2, max_size=40)


@settings(max_examples=300, deadline=None)
@given(
    programs,
    st.sampled_from([1, 2, 3, 9]),
    st.sampled_from([1, 2, 9]),
    st.sampled_from([1, 2, 7]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 3]),
)
def test_every_instruction_issues_and_commits_in_the_cycle_of_the_stepped_core(
    program, load, store, line, width, size
):
    core = {"issue": width, "commit": width, "sq": size}
    spec = inorder(load=load, store=store, line=line, **core)
    issued, committed = step(program, spec.core, load, store, line)
    # A line that warming put in counts as having come at time 0, so that only the first fetch takes longer.
    late = seen(program, spec, s.R_ISSUE)[0] - issued[0]
    assert [cycle - late for cycle in seen(program, spec, s.R_ISSUE)] == issued
    assert [cycle - late for cycle in seen(program, spec, s.R_COMMIT)] == committed


@settings(max_examples=50, deadline=None)
@given(programs, st.sampled_from([2, 30]))
def test_the_stack_sums_to_the_cycles_and_chunks_do_not_matter(program, load):
    spec = inorder(load=load)
    result = run(program, spec).result()
    assert sum(result.cpi_stack.values()) == result.cycles
    assert seen(program, spec, s.R_COMMIT)[-1] == result.cycles
