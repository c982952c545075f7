"""Generated traces: addresses of every pattern, control flow, kinds of instructions, dependences, bounds."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.cryo.generators import (
    Body,
    Chase,
    Mix,
    Stencil,
    Stream,
    Stride,
    Uniform,
    Zipf,
    _generate,
    addresses,
    generate,
)
from hwmodel.cryo.generators._body import MAX_DEPENDENCE, apportion
from hwmodel.cryo.trace import FIRST_VECTOR, Branch, Op, Trace
from hwmodel.errors import SpecError, UnknownNameError

pytestmark = pytest.mark.kernels
BASE = _generate.DATA


def offsets(pattern, count, seed=0):
    return (addresses(pattern, count, seed) - np.uint64(BASE)).astype(int).tolist()


def read(path):
    """A trace as its static records in order of execution, taken flags, and addresses."""
    with Trace.open(path) as trace:
        chunks = list(trace.chunks())
    records = np.concatenate([chunk.statics[chunk.indices] for chunk in chunks])
    return (
        records,
        np.concatenate([chunk.taken for chunk in chunks]),
        np.concatenate([chunk.addresses for chunk in chunks]),
    )


# ---------------------------------------------------------------------------------------------- patterns


def test_a_stream_reads_its_arrays_together_and_begins_again():
    expected = [0, 24, 48, 8, 32, 56, 16, 40, 64, 0, 24]
    assert offsets(Stream(24, arrays=3), 11) == expected


def test_a_stride_goes_through_its_array_and_begins_again():
    assert offsets(Stride(1000, 300), 7) == [0, 300, 600, 0, 300, 600, 0]


def test_a_stencil_reads_five_points_around_every_inner_point():
    rows, columns = 4, 5
    expected = [
        8 * ((r + dr) * columns + c + dc)
        for r, c in itertools.product(range(1, rows - 1), range(1, columns - 1))
        for dr, dc in ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))
    ]
    assert offsets(Stencil(rows, columns), 2 * len(expected)) == expected * 2


@pytest.mark.parametrize("lines", [1, 2, 3, 100, 1000])
def test_a_chase_visits_every_line_once_a_round(lines):
    found = offsets(Chase(64 * lines), 2 * lines, seed=5)
    assert sorted(found[:lines]) == [64 * k for k in range(lines)]
    assert found[:lines] == found[lines:]


def test_uniform_draws_are_uniform():
    times = np.bincount(np.array(offsets(Uniform(8 * 16), 16_000)) // 8)
    assert len(times) == 16
    assert abs(times - 1000).max() < 5 * np.sqrt(1000)


@pytest.mark.parametrize("exponent", [0.0, 0.8, 1.5])
def test_zipf_draws_follow_the_law(exponent):
    count, draws = 50, 40_000
    times = np.bincount(np.array(offsets(Zipf(64 * count, exponent), draws)) // 64, minlength=count)
    shares = np.arange(1, count + 1) ** -exponent
    expected = draws * shares / shares.sum()
    found = times if exponent == 0 else np.sort(times)[::-1]
    assert (abs(found - expected) < 5 * np.sqrt(expected) + 0.02 * expected).all()


def test_the_hot_elements_of_a_zipf_law_do_not_lie_together():
    times = np.bincount(np.array(offsets(Zipf("64 kB", 1.2), 20_000)) // 64, minlength=1024)
    hot = np.argsort(times)[-8:]
    assert hot.max() - hot.min() > 200


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [Stream(4096, 3), Stride(5000, 56), Chase(4096), Uniform(4000), Zipf(4096), Stencil(8, 16, 4)]
    ),
    st.integers(0, 500),
    st.integers(0, 2**40),
)
def test_addresses_stay_in_the_footprint_and_depend_on_the_seed_alone(pattern, count, seed):
    found = offsets(pattern, count, seed)
    assert len(found) == count
    assert all(0 <= offset < pattern.footprint for offset in found)
    assert found == offsets(pattern, count, seed)
    assert found[: count // 2] == offsets(pattern, count // 2, seed)


@pytest.mark.parametrize("pattern", [Chase("8 kB"), Uniform("8 kB"), Zipf("8 kB")])
def test_another_seed_gives_other_addresses(pattern):
    assert offsets(pattern, 50, 1) != offsets(pattern, 50, 2)


# ---------------------------------------------------------------------------------------------- traces


def test_shares_of_instructions_are_those_of_the_body(tmp_path):
    body = Body(block=10, blocks=20, loads=0.3, stores=0.1, taken=0, operations={"int": 3, "fp_mul": 1})
    generate(tmp_path / "a.hwt", Uniform(), 200 * 10, body=body)
    records, _, touched = read(tmp_path / "a.hwt")
    assert records["loads"].sum() == 600
    assert records["stores"].sum() == 200
    assert (records["branch"] != 0).sum() == 200
    assert (records["op"] == Op.INT).sum() == 750
    assert (records["op"] == Op.FP_MUL).sum() == 250
    assert len(touched) == 800


@pytest.mark.parametrize(("blocks", "taken", "period"), [(1, 0.5, 0), (2, 0.5, 0), (7, 0.3, 0), (16, 0.9, 5)])
def test_control_goes_where_branches_say(tmp_path, blocks, taken, period):
    body = Body(block=4, blocks=blocks, taken=taken, period=period)
    generate(tmp_path / "a.hwt", Stream(), 3000, body=body, seed=3)
    records, went, _ = read(tmp_path / "a.hwt")
    pcs = records["pc"].astype(int)
    start, size = pcs[0], 16 * blocks
    step = np.where(went, 4 + 16, 4)
    step[(records["branch"] == Branch.JUMP)] = 4
    assert ((pcs[:-1] + step[:-1] - start) % size + start == pcs[1:]).all()
    assert went[records["branch"] == Branch.JUMP].all()
    assert not went[records["branch"] == Branch.NONE].any()


@pytest.mark.parametrize("taken", [0.0, 0.1, 0.5, 1.0])
def test_branches_are_taken_as_often_as_said(tmp_path, taken):
    generate(tmp_path / "a.hwt", Stream(), 80_000, body=Body(blocks=64, taken=taken), seed=1)
    records, went, _ = read(tmp_path / "a.hwt")
    found = went[records["branch"] == Branch.CONDITIONAL]
    assert abs(found.mean() - taken) < 0.02


def test_a_period_repeats_the_branches(tmp_path):
    generate(tmp_path / "a.hwt", Stream(), 8000, body=Body(blocks=3, taken=0.25, period=8))
    records, went, _ = read(tmp_path / "a.hwt")
    for pc in np.unique(records["pc"][records["branch"] == Branch.CONDITIONAL]):
        turns = went[records["pc"] == pc]
        assert (turns == (np.arange(len(turns)) % 8 < 2)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, MAX_DEPENDENCE),
    st.integers(2, 12),
    st.integers(1, 9),
    st.floats(0, 0.3),
    st.integers(0, 99),
)
def test_an_instruction_needs_the_result_of_the_one_so_far_before_it(
    tmp_path_factory, distance, block, blocks, fp, seed
):
    path = tmp_path_factory.mktemp("a") / "a.hwt"
    body = Body(
        block=block, blocks=blocks, loads=0.2, stores=0.1, taken=0, dependence=distance,
        operations={"int": 1 - fp, "fp_add": fp},
    )  # fmt: skip
    generate(path, Stream(), 4 * body.slots + 60, body=body, seed=seed)
    records, _, _ = read(path)
    ring = np.unique(records["pc"][records["destinations"][:, 0] > 0])  # a body may have fewer results
    expected = (distance - 1) % max(len(ring), 1) + 1
    written = []  # register of every result so far
    for record in records:
        needed = int(record["sources"][1 if record["stores"] else 0])
        if not record["loads"] and len(written) >= distance + body.slots and record["branch"] != Branch.JUMP:
            last = len(written) - 1 - written[::-1].index(needed)
            assert len(written) - last == expected
        if result := int(record["destinations"][0]):
            written.append(result)


def test_no_dependence_is_none(tmp_path):
    generate(tmp_path / "a.hwt", Stream(), 500, body=Body(dependence=0))
    records, _, _ = read(tmp_path / "a.hwt")
    results = set(records["destinations"][:, 0].tolist()) - {0}
    assert results
    assert not results & set(records["sources"].ravel().tolist())


def test_each_load_of_a_chase_needs_the_one_before(tmp_path):
    body = Body(loads=0.2, stores=0.1)
    generate(tmp_path / "a.hwt", Mix((1, Chase("8 kB")), (1, Chase("4 kB")), (2, Stream())), 4000, body=body)
    records, _, touched = read(tmp_path / "a.hwt")
    loads = records[(records["loads"] + records["stores"]) == 1]
    chains = {}
    for record, address in zip(loads, touched, strict=True):
        if record["loads"] and address < BASE + 12 * 1024:
            assert record["sources"][0] == record["destinations"][0]
            chains.setdefault(int(record["sources"][0]), set()).add(int(address >= BASE + 8 * 1024))
    assert sorted(map(sorted, chains.values())) == [[0], [1]]
    others = records[(records["loads"] == 0) | ~np.isin(records["sources"][:, 0], list(chains))]
    assert not np.isin(others["destinations"][:, 0], list(chains)).any()


def test_floating_results_go_to_floating_registers(tmp_path):
    generate(tmp_path / "a.hwt", Stream(), 1000, body=Body(operations={"fp_fma": 1}))
    records, _, _ = read(tmp_path / "a.hwt")
    assert (records["destinations"][records["op"] == Op.FP_FMA, 0] >= FIRST_VECTOR).all()
    assert (records["destinations"][records["loads"] == 1, 0] < FIRST_VECTOR).all()


def test_a_pattern_goes_on_with_each_of_its_loads(tmp_path):
    generate(tmp_path / "a.hwt", Uniform("1 MB"), 5000, body=Body(stores=0), seed=7)
    _, _, touched = read(tmp_path / "a.hwt")
    assert (touched == addresses(Uniform("1 MB"), len(touched), 7)).all()


def test_parts_of_a_mix_have_their_shares_and_memory_of_their_own(tmp_path):
    mix = Mix((3, Stream("4 kB")), (1, Uniform("8 kB")))
    meta = generate(tmp_path / "a.hwt", mix, 12_800, body=Body(loads=0.25, stores=0.125, taken=0))
    records, _, touched = read(tmp_path / "a.hwt")
    stores = np.repeat(records["stores"], records["loads"] + records["stores"]) == 1
    assert meta["operands"] == 12_800 * 3 // 8
    assert (touched < BASE + 4096).sum() == 2400
    assert ((touched >= BASE + 4096) & (touched < BASE + 12288)).sum() == 800
    assert (touched[stores] >= BASE + 12288).all()


def test_writes_touch_what_is_named(tmp_path):
    generate(tmp_path / "a.hwt", Stride("4 kB", 64), 2000, writes=Stencil(8, 8))
    records, _, touched = read(tmp_path / "a.hwt")
    stores = np.repeat(records["stores"], records["loads"] + records["stores"]) == 1
    shift = np.uint64(4096)
    expected = addresses(Stencil(8, 8), int(stores.sum())) + shift
    assert (touched[stores] == expected).all()


def test_a_long_trace_does_not_depend_on_the_pieces_in_which_it_is_made(tmp_path, monkeypatch):
    mix = Mix((1, Zipf("16 kB")), (1, Chase("16 kB")))
    generate(tmp_path / "a.hwt", mix, 5000, seed=2)
    monkeypatch.setattr(_generate, "CHUNK", 77)
    generate(tmp_path / "b.hwt", mix, 5000, seed=2)
    for one, other in zip(read(tmp_path / "a.hwt"), read(tmp_path / "b.hwt"), strict=True):
        assert (one == other).all()


def test_the_seed_changes_order_addresses_and_branches(tmp_path):
    for seed in (0, 1):
        generate(tmp_path / f"{seed}.hwt", Uniform(), 3000, seed=seed)
    for one, other in zip(read(tmp_path / "0.hwt"), read(tmp_path / "1.hwt"), strict=True):
        assert one.tobytes() != other.tobytes()


def test_compiled_and_plain_loops_give_the_same_trace(tmp_path):
    code = (
        "import sys; from hwmodel.cryo.generators import *; "
        "generate(sys.argv[1], Mix((1, Zipf('4 kB')), (1, Chase('4 kB')), (1, Stencil(8, 8)), (2, Uniform('1 MB'))), "
        "3000, writes=Stream(512, 3), body=Body(loads=.4), seed=9)"
    )
    for jit in "01":
        env = {**os.environ, "HWMODEL_JIT": jit}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / f"{jit}.hwt")], check=True, env=env)
    assert (tmp_path / "0.hwt").read_bytes() == (tmp_path / "1.hwt").read_bytes()


def test_importing_loads_no_compiler():
    code = "import sys, hwmodel.cryo.generators; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Stream(0), "at least one byte"),
        (lambda: Stream("1 kB", arrays=0), "arrays=0"),
        (lambda: Stream(4, element=8), "holds 0 elements"),
        (lambda: Stride("1 kB", 2048), "holds 0 elements"),
        (lambda: Stride("1 kB", 1.5), "stride|element"),
        (lambda: Chase("2 GB"), "holds 33554432 elements"),
        (lambda: Zipf("1 kB", -1), "exponent=-1"),
        (lambda: Zipf("1 kB", float("nan")), "exponent=nan"),
        (lambda: Stencil(2, 8), "rows=2"),
        (lambda: Mix(), "0 parts"),
        (lambda: Mix((0, Stream())), "weight above 0"),
        (lambda: Mix((1, Mix((1, Stream())))), "no Mix"),
        (lambda: Body(block=1), "block=1"),
        (lambda: Body(block=64, blocks=1025), "blocks=1025"),
        (lambda: Body(dependence=12), "dependence=12"),
        (lambda: Body(loads=0.5, stores=0.4), "no room for the branches"),
        (lambda: Body(taken=1.1), "taken=1.1"),
        (lambda: Body(operations={"int": -1}), "is no share"),
        (lambda: Body(operations={}), "no share above 0"),
        (lambda: Body(access=128), "access=128"),
        (lambda: addresses(Stream(), -1), "count=-1"),
        (lambda: addresses(Mix((1, Stream())), 1), "no order of its own"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, said):
    with pytest.raises(SpecError, match=said):
        make()


def test_an_unknown_operation_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'fp_add'"):
        Body(operations={"fpadd": 1})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"instructions": 0}, "instructions=0"),
        ({"seed": -1}, "seed=-1"),
        ({"reads": Mix(*[(1, Chase("1 kB"))] * 5)}, "at most 4"),
    ],
)
def test_a_trace_that_cannot_be_made_is_refused(given, said, tmp_path):
    with pytest.raises(SpecError, match=said):
        generate(tmp_path / "a.hwt", **{"reads": Stream(), "instructions": 10, **given})
    assert list(tmp_path.iterdir()) == []


@given(st.integers(0, 1000), st.lists(st.floats(0.01, 100), min_size=1, max_size=20))
def test_parts_add_up_and_are_near_their_shares(total, shares):
    parts = apportion(total, shares)
    assert sum(parts) == total
    assert all(abs(p - total * s / sum(shares)) <= 1 + 1e-9 for p, s in zip(parts, shares, strict=True))
