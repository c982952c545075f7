"""What a core and a run refuse, and odd traces and machines that they take."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from hwmodel.cryo.config import Core, Unit, cryo_inorder, cryo_ooo
from hwmodel.cryo.core import _kernels as c
from hwmodel.cryo.sampling import simulate_samples
from hwmodel.cryo.stages import _kernels as s
from hwmodel.cryo.timing import TimedRun, Timing, simulate
from hwmodel.cryo.trace import Branch, Chunk, Op, static_record
from hwmodel.errors import HwmodelError, SpecError, TimeRangeError
from hwmodel.units import Frequency, GHz
from tests.unit.cryo.ooo_programs import UNITS, I, chunk, machine

KINDS = {"ooo": cryo_ooo(), "inorder": cryo_inorder()}
both = pytest.mark.parametrize("kind", list(KINDS))


def run_of(program: list[I], kind: str, start: int = 0) -> Timing:
    """The program in a cold machine, from another first address."""
    made = chunk(program)
    made.statics["pc"] += np.uint64(start)
    run = TimedRun(KINDS[kind])
    run.run(made)
    return run.result()


# ------------------------------------------------------------------------------------------------- settings
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "superscalar"),
        ("clock", "4 GHz"),
        ("clock", 4e9),
        ("fetch", 0),
        ("issue", 64),
        ("commit", -1),
        ("load_ports", 0),
        ("store_ports", 64),
        ("rob", 96.5),
        ("rob", "96"),
        ("rob", True),
        ("lq", None),
        ("redirect", -1),
        ("squash", 2**70),
        ("free_delay", -1),
        ("fetch_line", 0),
        ("fetch_line", 48),
        ("fetch_line", 128),
        ("check_shift", -1),
        ("check_shift", 64),
        ("counter_bits", 0),
        ("ras", 0),
        ("pc_shift", -1),
        ("local_table", 2**70),
        ("btb", 1.5),
        ("store_sets", "yes"),
        ("store_sets", 2),
        ("units", None),
        ("units", {"fp": Unit()}),
        ("units", {"int": 3}),
        ("units", {"int": Unit(0)}),
        ("units", {"int": Unit(1.5)}),  # type: ignore[arg-type]
        ("units", {"int": Unit(1, 0)}),
        ("units", {"int": Unit(1, 10**6)}),
        ("units", {"int": Unit(1, 1, 64)}),
        ("units", {"int": Unit(1, 1, -1)}),
        ("units", {"mul": Unit(pool="integer")}),
        ("units", {"mul": Unit(pool="int")}),
        ("units", {"load": Unit(5)}),
    ],
)
def test_a_core_that_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(HwmodelError, match=r"Core|kind"):
        replace(cryo_ooo().core, **{name: value})  # type: ignore[arg-type]


def test_the_widest_core_is_taken() -> None:
    stages = dict.fromkeys(("fetch", "decode", "rename", "dispatch", "issue", "commit"), 63)
    wide = Core("ooo", GHz(4), **stages, load_ports=63, store_ports=63)  # type: ignore[arg-type]
    run = TimedRun(replace(cryo_ooo(), core=wide))
    run.run(chunk([I(to=1) for _ in range(200)]))
    assert run.result().instructions == 200


@pytest.mark.parametrize("setting", ["warmup", "start", "limit"])
@pytest.mark.parametrize("value", [-1, 1.5, True, "3"])
def test_a_window_that_cannot_be_is_refused(setting: str, value: object) -> None:
    with pytest.raises(SpecError, match=setting):
        simulate(None, cryo_ooo(), **{setting: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["period", "length", "lead", "start", "limit"])
@pytest.mark.parametrize("value", [-1, 1.5, True, "3"])
def test_samples_that_cannot_be_are_refused(setting: str, value: object) -> None:
    with pytest.raises(SpecError, match=setting):
        simulate_samples(None, cryo_ooo(), **{setting: value})  # type: ignore[arg-type]


def test_what_is_no_machine_is_refused() -> None:
    with pytest.raises(SpecError, match="no Machine"):
        TimedRun("cryo-ooo")  # type: ignore[arg-type]


@both
def test_a_clock_with_too_many_digits_is_refused(kind: str) -> None:
    clock = Frequency(Fraction("33.333333333333333e9"))
    with pytest.raises(TimeRangeError, match="fewer digits"):
        TimedRun(replace(KINDS[kind], core=replace(KINDS[kind].core, clock=clock)))


@both
def test_a_long_chunk_cannot_pass_the_range_of_its_clocks_unseen(kind: str) -> None:
    # 138 ns can be told exactly; one chunk of the program takes a thousand times as long.
    spec = replace(KINDS[kind], core=replace(KINDS[kind].core, clock=Frequency(33_333_333_333)))
    with pytest.raises(TimeRangeError, match=r"instruction \d the run"):
        TimedRun(spec).run(chunk([I(load=4096 * n, of=(1,), to=1) for n in range(3000)]))


# --------------------------------------------------------------------------------------------------- traces
@both
@pytest.mark.parametrize("start", [2**63 - 2**20, 2**64 - 2**31, 2**60])
def test_a_program_at_the_top_of_the_address_space_runs_as_below(kind: str, start: int) -> None:
    # The branch into the line of the kernel was once taken for a mapped port.
    loop = [
        I(to=1),
        I(load=2**64 - 64, to=2),
        I(store=2**63 - 8),
        I(branch=Branch.JUMP, taken=True, pc=0x1040),
    ]
    program = [replace(it, pc=0x1000 + 4 * n) for n, it in enumerate(loop)] * 50
    assert run_of(program, kind, start).cycles == run_of(program, kind).cycles


@both
def test_addresses_that_an_operating_system_hands_out_stay_apart(kind: str) -> None:
    ends = [0, 2**47 - 64, 2**64 - 2**47, 2**64 - 64]
    timed = run_of([I(load=a, to=1, of=(1,)) for a in ends * 3], kind)
    assert timed.levels["l1d"].read_misses == len(ends)


def operands(loads: int, stores: int, count: int) -> Chunk:
    """Instructions of one kind, with so many operands each."""
    one = static_record(
        pc=0x1000, size=4, op=Op.INT, loads=loads, stores=stores, load_size=8, store_size=8, sources=(1,)
    )
    number = (loads + stores) * count
    return Chunk(np.array([one]), np.zeros(count, np.uint32), np.arange(number, dtype=np.uint64) * 8, 0)


@pytest.mark.parametrize(("loads", "stores", "queue"), [(8, 0, "lq"), (0, 4, "sq")])
def test_more_operands_than_a_queue_has_entries_wait_until_it_is_empty(
    loads: int, stores: int, queue: str
) -> None:
    made = operands(loads, stores, 40)
    least, exact = (TimedRun(machine(**{queue: n})) for n in (1, max(loads, stores)))
    for run in (least, exact):
        run.warm(made)
        run.run(made)
    assert least.result().cycles >= exact.result().cycles
    commits = [int(least.words[c.COMMITTED + n]) for n in range(40)]
    assert all(late > early for early, late in pairwise(commits[1:]))


def test_an_instruction_with_more_results_than_registers_waits_for_all_of_them() -> None:
    one = static_record(pc=0x1000, size=4, op=Op.DIV, destinations=(1, 2))
    made = Chunk(np.array([one]), np.zeros(20, np.uint32), np.zeros(0, np.uint64), 0)
    cycles = {}
    for registers in (1, 2):
        run = TimedRun(machine(int_regs=registers, units={**UNITS, "div": Unit(50)}))
        run.warm(made)
        run.run(made)
        cycles[registers] = run.result().cycles
    assert cycles[1] == cycles[2] > 20 * 50


# --------------------------------------------------------------------------------------------- warm and window
@both
def test_the_window_forgets_what_ran_before_it(kind: str) -> None:
    program = chunk([I(load=64 * n, to=1) for n in range(100)])
    run = TimedRun(KINDS[kind])
    run.run(program)
    before = run.result()
    run.start_window()
    none = run.result()
    assert (none.instructions, none.cycles, none.time, none.fetch_lines) == (0, 0, 0, 0)
    run.run(program)
    after = run.result()
    assert after.instructions == 100
    assert after.cycles == sum(after.cpi_stack.values()) < before.cycles


@both
def test_the_parts_in_which_a_trace_is_warmed_do_not_matter(kind: str) -> None:
    program = []
    for n in range(60):
        program += [I(pc=0x1000), I(branch=Branch.CONDITIONAL, taken=n % 3 != 0, pc=0x1004)]
        program += [] if n % 3 else [I(pc=0x1008), I(branch=Branch.JUMP, taken=True, pc=0x100C)]
    whole = chunk(program)
    one, many = TimedRun(KINDS[kind]), TimedRun(KINDS[kind])
    one.warm(whole)
    for n in range(len(whole)):
        many.warm(replace(whole, ids=whole.ids[n : n + 1], first=n))
    assert np.array_equal(one.words, many.words)


@both
def test_the_branch_before_a_warm_stretch_goes_where_that_begins(kind: str) -> None:
    # Sampling warms from one timed stretch to the next; the last branch must not be taken to jump to the latter.
    jump = I(branch=Branch.JUMP, taken=True, pc=0x1000)
    run = TimedRun(KINDS[kind])
    run.run(chunk([jump]))
    run.warm(chunk([I(pc=0x4000), I(pc=0x4004)]))
    run.run(chunk([I(pc=0x8000)]))
    assert int(run.words[c.NOW + c.S_OPEN]) == int(run.words[s.RUN + s.R_OPEN]) == 0
    assert 0x4000 in run.words
    assert run.result().branches == 0


# --------------------------------------------------------------------------------------------------- CPI stack
def test_a_chase_is_booked_to_the_level_that_the_chain_waits_for() -> None:
    # Each load's address is computed from the one before it: the sum in between waits for the memory too.
    program: list[I] = []
    for n in range(400):
        program += [
            I(load=64 * 1024 * n, to=1, of=(2,)),
            I(to=2, of=(1,)),
            I(to=3, of=(2,)),
            I(to=4, of=(3,)),
        ]
    spec = machine(rob=96, iq=96)
    run = TimedRun(spec)
    run.run(chunk([replace(it, pc=0x1000 + 4 * (n % 4)) for n, it in enumerate(program)]))
    timed = run.result()
    assert timed.cpi_stack["dram"] > 0.95 * timed.cycles
    assert timed.cpi_stack["dependence"] < 0.03 * timed.cycles


def test_a_load_that_hits_behind_one_that_misses_is_booked_to_the_miss() -> None:
    program: list[I] = []
    for n in range(400):
        program += [I(load=64 * 1024 * n, to=1, of=(2,)), I(load=8, to=2, of=(1,)), I(to=2, of=(2,))]
    run = TimedRun(machine(rob=96, iq=96))
    run.run(chunk([replace(it, pc=0x1000 + 4 * (n % 3)) for n, it in enumerate(program)]))
    timed = run.result()
    assert timed.cpi_stack["dram"] > 0.9 * timed.cycles


@both
@pytest.mark.parametrize("left_out", [("l3",), ("l2",), ("l2", "l3")])
def test_what_the_memory_answers_is_booked_to_it_whatever_levels_there_are(
    kind: str, left_out: tuple[str, ...]
) -> None:
    spec = replace(KINDS[kind], **dict.fromkeys(left_out))
    run = TimedRun(spec)
    run.run(chunk([I(load=2**20 * n, to=1, of=(1,), pc=0x1000) for n in range(200)]))
    timed = run.result()
    assert timed.cpi_stack["dram"] > 0.9 * timed.cycles
    assert all(timed.cpi_stack[name] == 0 for name in left_out)


# ---------------------------------------------------------------------------------------------------- known order
def late_stores(count: int, distance: int = 0) -> list[I]:
    """Stores behind divisions, each followed by a load of its bytes, or of bytes at a distance."""
    one = [I(Op.DIV, to=1, pc=0x1FFC), I(store=0, of=(1,), pc=0x2000), I(to=2, load=distance, pc=0x2004)]
    return one * count


def test_known_order_means_that_no_load_is_done_again_and_none_waits_in_vain() -> None:
    units = {**UNITS, "div": Unit(30)}
    runs = {}
    for distance in (0, 8):
        for known in (False, True):
            run = TimedRun(machine(units=units, known_order=known))
            run.warm(chunk(late_stores(40, distance)))
            run.start_window()
            run.run(chunk(late_stores(40, distance)))
            runs[distance, known] = run.result()
    assert runs[0, False].order_violations > 0
    assert runs[0, True].order_violations == runs[8, True].order_violations == 0
    assert runs[0, True].forwarded == 40
    assert runs[0, True].cycles < runs[0, False].cycles
    # In blocks of sixteen bytes the second pair meets too; its bytes do not.
    assert runs[8, True].cycles <= runs[0, True].cycles


# --------------------------------------------------------------------------------------------------- long waits
def test_a_wait_of_a_second_is_not_stepped_through_cycle_by_cycle() -> None:
    # 10**11 cycles of 100 GHz: a loop over them would not end within the test.
    run = TimedRun(machine(iq=2, rob=4))
    words = run.words
    core = pytest.importorskip("hwmodel.cryo.core._kernels")
    far = 10**11
    core.leave_queue(words, far)
    assert core.queue_room(words, far - 5) == far - 5
    core.leave_queue(words, far + 10**11)
    assert core.queue_room(words, far - 4) == far + 1  # both entries are held; the first leaves in `far`
