"""K7: engines read no wall clock, no global random state and not each other."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

import hwmodel as hw
from hwmodel.kernel import ProcessContext, stream_key
from hwmodel.units import ns, ps


def _dice(ctx: ProcessContext):
    while True:
        yield ctx.timeout(ps(int(ctx.rng.integers(1, 50))))
        ctx.send("o", int(ctx.rng.integers(0, 1000)))


def _system(seed: int = 3, extra: bool = False) -> hw.System:
    parts = [hw.Process("dice", _dice, outputs=["o"])]
    if extra:
        parts.append(hw.Process("another", _dice, outputs=["o"]))
    return hw.System(*parts, seed=seed)


def _throws(system: hw.System) -> list[int]:
    return system.run(until=ns(2), watch=["dice.o"])["dice.o"].value.tolist()


def test_the_global_random_state_does_not_matter() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    first = _throws(_system())
    random.seed(2)
    np.random.seed(2)  # noqa: NPY002
    assert _throws(_system()) == first


def test_neither_reads_nor_moves_the_global_random_state() -> None:
    random.seed(5)
    before = random.getstate()
    _throws(_system())
    assert random.getstate() == before


def test_the_wall_clock_is_not_read_by_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _throws(_system())
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert _throws(_system()) == expected


def test_a_stream_does_not_change_when_another_component_is_added() -> None:
    assert _throws(_system(extra=True)) == _throws(_system())


def test_streams_differ_by_seed_and_by_path() -> None:
    keys = {stream_key(seed, path) for seed in range(20) for path in ("a", "b", "a.b", "a[0]")}
    assert len(keys) == 80
    assert _throws(_system(seed=4)) != _throws(_system(seed=3))
