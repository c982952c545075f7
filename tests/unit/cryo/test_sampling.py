"""Samples of a long trace: where they lie, what they add up to, and how wide their interval is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hwmodel.cryo.config import cryo_ooo
from hwmodel.cryo.sampling import simulate_samples
from hwmodel.cryo.timing import simulate
from hwmodel.cryo.trace import Chunk
from hwmodel.errors import SpecError
from tests.unit.cryo.ooo_programs import I, chunk, machine


class Source:
    """A trace in memory."""

    def __init__(self, whole: Chunk) -> None:
        self.whole = whole
        self.meta = {"instructions": len(whole)}

    def chunks(self, size=1 << 20, start=0, stop=None):
        end = len(self.whole) if stop is None else min(stop, len(self.whole))
        counts = (self.whole.statics["loads"].astype(int) + self.whole.statics["stores"])[self.whole.indices]
        places = np.concatenate([[0], np.cumsum(counts)])
        for first in range(start, end, size):
            last = min(first + size, end)
            part = self.whole.addresses[places[first] : places[last]]
            yield Chunk(self.whole.statics, self.whole.ids[first:last], part, first)


def repeated(turns: int) -> Source:
    rng = np.random.default_rng(3)
    body = [I(to=1 + n % 7, of=(1 + (n + 3) % 7,), load=0 if n % 4 == 0 else None) for n in range(20)]
    one = chunk(body)
    loads = 5 * turns
    return Source(
        Chunk(one.statics, np.tile(one.ids, turns), rng.integers(0, 1 << 20, loads).astype(np.uint64) * 8, 0)
    )


def test_a_period_of_one_stretch_is_the_whole_trace():
    source = repeated(100)
    found = simulate_samples(source, machine(), period=500, length=500, lead=0)
    assert found.samples == 4
    assert found.cpi * 2000 == pytest.approx(simulate(source, machine()).cycles)


def test_the_stack_sums_to_the_cpi():
    found = simulate_samples(repeated(400), cryo_ooo(), period=1000, length=100, lead=200)
    assert sum(found.cpi_stack.values()) == pytest.approx(found.cpi)
    assert (found.samples, found.timed, found.instructions) == (8, 800, 8000)


def test_the_estimate_is_near_the_whole_trace_and_the_interval_holds_it():
    source = repeated(5000)
    found = simulate_samples(source, machine(), period=2000, length=200, lead=300)
    whole = simulate(source, machine())
    assert found.cpi == pytest.approx(whole.cycles / whole.instructions, rel=0.1)
    assert 0 < found.half_width < 0.2 * found.cpi


def test_one_sample_has_no_interval():
    found = simulate_samples(repeated(50), machine(), period=1000, length=100, lead=100)
    assert found.samples == 1
    assert math.isinf(found.half_width)


@pytest.mark.parametrize("wrong", [{"length": 0}, {"lead": -1}, {"period": 100, "length": 90, "lead": 11}])
def test_a_period_too_short_for_its_stretch_is_refused(wrong):
    with pytest.raises(SpecError, match="period"):
        simulate_samples(repeated(10), machine(), **wrong)


def test_a_trace_without_a_whole_period_is_refused():
    with pytest.raises(SpecError, match="no whole period"):
        simulate_samples(repeated(10), machine(), period=1000, length=10, lead=0)
