"""Direction predictors and the typed target buffer: what each can learn, and what it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.cryo._build import build
from hwmodel.cryo.branch import _kernels as b
from hwmodel.cryo.config import Core, cryo_ooo
from hwmodel.cryo.presets import champsim
from hwmodel.errors import SpecError, UnknownNameError

HISTORY = ("gshare", "tage", "perceptron", "tournament")
ALL = (*HISTORY, "bimodal")


def words(predictor, **core):
    machine = cryo_ooo()
    return build(
        replace(machine, core=replace(machine.core, predictor=predictor, counter_bits=2, pc_shift=2, **core))
    )


def wrong(w, stream):
    """For each (pc, taken) whether the direction was mispredicted."""
    return np.array([b.direction(w, pc, True, taken) != taken for pc, taken in stream])


@pytest.mark.parametrize("predictor", ALL)
@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_that_never_changes_is_learnt(predictor, taken):
    missed = wrong(words(predictor), [(0x1000, taken)] * 300)
    assert not missed[100:].any()


@pytest.mark.parametrize("predictor", HISTORY)
@pytest.mark.parametrize("period", [2, 3, 5, 8])
def test_a_loop_of_a_short_period_is_learnt_with_history(predictor, period):
    """The last round of a loop of `period` rounds falls through."""
    stream = [(0x1000, k % period != period - 1) for k in range(6000)]
    assert wrong(words(predictor), stream)[4000:].mean() <= 0.02


@pytest.mark.parametrize("period", [3, 5, 8])
def test_a_bimodal_table_misses_the_end_of_every_loop(period):
    stream = [(0x1000, k % period != period - 1) for k in range(period * 1000)]
    assert wrong(words("bimodal"), stream)[period * 100 :].mean() == pytest.approx(1 / period)


@pytest.mark.parametrize("period", [20, 40])
def test_tage_learns_a_loop_that_is_longer_than_short_histories(period):
    stream = [(0x1000, k % period != period - 1) for k in range(40_000)]
    assert wrong(words("tage"), stream)[20_000:].mean() < 0.25 / period
    short = {"longest_history": 8, "shortest_history": 4}
    assert wrong(words("tage", **short), stream)[20_000:].mean() >= 0.9 / period


def correlated(count):
    """A branch at random, and one at another address that goes the same way."""
    draws = np.random.default_rng(7).integers(0, 2, count)
    return [pair for d in draws for pair in ((0x1000, bool(d)), (0x2040, bool(d)))]


@pytest.mark.parametrize("predictor", HISTORY)
def test_a_branch_that_follows_another_is_learnt_with_history(predictor):
    second = wrong(words(predictor), correlated(8000))[1::2]
    assert second[6000:].mean() < 0.1


def test_a_bimodal_table_cannot_see_that_a_branch_follows_another():
    second = wrong(words("bimodal"), correlated(8000))[1::2]
    assert 0.4 < second[1000:].mean() < 0.6


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=200))
@settings(max_examples=40, deadline=None)
def test_bimodal_is_a_table_of_saturating_counters(stream):
    """Against a dict of counters, indexed modulo a prime."""
    w = words("bimodal", bimodal_modulus=31, global_table=32)
    counters: dict[int, int] = {}
    for pc, taken in stream:
        counter = counters.get(pc % 31, 0)
        assert b.direction(w, pc, True, taken) == (counter >= 2)
        counters[pc % 31] = min(3, counter + 1) if taken else max(0, counter - 1)


@given(st.integers(0, 2**62 - 1), st.integers(1, 62), st.integers(1, 16))
def test_a_folded_history_is_the_parity_of_its_columns(history, length, bits):
    young = [history >> k & 1 for k in range(length)]
    expected = sum((sum(young[k::bits]) & 1) << k for k in range(bits))
    assert b.folded(history, length, bits) == expected


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=150))
@settings(max_examples=30, deadline=None)
def test_the_perceptron_adds_the_weights_of_its_tables(stream):
    """Against Python lists of weights."""
    w = words("perceptron", tables=3, table_bits=6, longest_history=20, threshold=4, global_table=64)
    lengths = [int(w[w[b.H_TAGGED] + t]) for t in range(3)]
    bias, tables, history = [0] * 64, [[0] * 64 for _ in range(3)], 0
    for site, taken in stream:
        pc = 0x400 + 4 * site
        places = []
        for table, length in enumerate(lengths):
            where = pc >> 2
            where ^= (where >> 6) ^ b.folded(history, length, 6) ^ (table << 1)
            places.append(where & 63)
        total = bias[pc >> 2 & 63] + sum(tables[t][p] for t, p in enumerate(places))
        assert b.direction(w, pc, True, taken) == (total >= 0)
        if (total >= 0) != taken or abs(total) <= 4:
            step = 1 if taken else -1
            bias[pc >> 2 & 63] += step
            for table, place in enumerate(places):
                tables[table][place] += step
        history = history << 1 | taken


def typed():
    return build(champsim())


def test_a_typed_buffer_takes_a_jump_that_it_knows():
    w = typed()
    assert b.predict(w, 0x1000, b.JUMP, 0, True, 0x2000) == b.AT_DECODE
    assert b.predict(w, 0x1000, b.JUMP, 0, True, 0x2000) == b.RIGHT


def test_a_typed_buffer_sends_a_return_behind_its_call():
    """The size of the call is learnt from the first return that does not fit."""
    w = typed()
    verdicts = []
    for _ in range(4):
        b.predict(w, 0x1000, b.CALL, 0, True, 0x2000)
        verdicts.append(b.predict(w, 0x2010, b.RETURN, 0, True, 0x1005))
    assert verdicts == [b.AT_EXECUTE, b.RIGHT, b.RIGHT, b.RIGHT]


def test_a_typed_buffer_tells_the_targets_of_an_indirect_jump_by_the_branches_before_it():
    w = typed()
    verdicts = []
    for k in range(400):
        odd = k % 2 == 1
        b.predict(w, 0x1000, b.CONDITIONAL, 0, odd, 0x1100)
        verdicts.append(b.predict(w, 0x1200, b.INDIRECT_JUMP, 0, True, 0x2000 + 64 * odd))
    assert all(verdict == b.RIGHT for verdict in verdicts[50:])


def test_a_taken_branch_of_right_direction_without_a_target_is_put_right_at_decode():
    w = typed()
    for _ in range(3):
        b.direction(w, 0x1000, True, True)
    assert b.predict(w, 0x1000, b.CONDITIONAL, 0, True, 0x2000) == b.AT_DECODE


@pytest.mark.parametrize(
    "setting",
    [{"tables": 0}, {"longest_history": 63}, {"btb": 48}, {"micro_op_sets": 3}, {"bimodal_modulus": 1 << 20}],
)
def test_a_size_that_no_table_has_is_refused(setting):
    with pytest.raises(SpecError, match=next(iter(setting))):
        Core("ooo", cryo_ooo().core.clock, **setting)


def test_a_predictor_that_does_not_exist_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="tage"):
        Core("ooo", cryo_ooo().core.clock, predictor="tagee")


PURE = """
import numpy as np
from tests.unit.cryo.test_predictors import ALL, correlated, words, wrong
for predictor in ALL:
    print(predictor, np.packbits(wrong(words(predictor), correlated(400))).tobytes().hex())
"""


def test_compiled_predictors_equal_the_same_code_in_plain_python():
    outputs = []
    for jit in ("0", "1"):
        environment = {**os.environ, "HWMODEL_JIT": jit}
        done = subprocess.run(
            [sys.executable, "-c", PURE], capture_output=True, text=True, env=environment, check=True
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == len(ALL)
