"""The small chip in RTL against plain Python, and against the event-level model, hit for hit."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

from hwmodel.hdl import tools
from hwmodel.reservoir.chip import ChipModel, RealHash
from hwmodel.reservoir.chips import small_chip
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.rtl import RtlDesign, emit_chip
from hwmodel.reservoir.rtl_run import search
from hwmodel.units import MHz, fs

from .rtl_models import HEADER, plain_hits

ZERO_BITS = 4
CHIPS = {
    "long sweep": {"cores": 2, "slots": 2, "unroll": 4, "counter_bits": 6, "version_bits": 4},
    "gap": {"cores": 3, "slots": 1, "unroll": 2, "counter_bits": 3, "gap": 3, "version_bits": 3},
    "versions begin anew": {"cores": 1, "slots": 4, "unroll": 8, "counter_bits": 4, "version_bits": 3},
    "waits for midstates": {
        "cores": 2,
        "slots": 2,
        "unroll": 32,
        "chained": 2,
        "counter_bits": 3,
        "version_bits": 6,
    },
    "one rank": {"cores": 2, "slots": 1, "unroll": 1, "counter_bits": 4, "version_bits": 3},
}


@cache
def chip(name: str) -> RtlDesign:
    options: dict[str, Any] = {"chained": 1, "gap": 0} | CHIPS[name]
    return emit_chip(zero_bits=ZERO_BITS, **options)


def steps_of(design: RtlDesign) -> int:
    """Five batches, or as many as all versions take and one more."""
    return int(design.spec.batch_steps() * 5)


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("difficulty", [1, 4])
def test_hits_are_those_of_plain_hashing(name: str, difficulty: int) -> None:
    design = chip(name)
    steps = steps_of(design)
    got = search(design, HEADER, steps, difficulty=difficulty, simulator="pyrtl").found
    bits = ZERO_BITS + difficulty.bit_length() - 1
    expected = plain_hits(design.spec, HEADER, steps, bits)
    assert [(hit.edge, hit.nonce, hit.batch, hit.core, hit.slot) for hit in got] == expected
    assert expected or difficulty > 1


@pytest.mark.parametrize("name", CHIPS)
def test_hits_are_those_of_the_event_model_at_their_cycles(name: str) -> None:
    assert_model_agrees(chip(name), "pyrtl")


@pytest.mark.slow
def test_hits_are_those_of_the_event_model_under_verilator() -> None:
    lacks = [name for name in ("verilator", "g++") if not tools()[name]]
    if lacks:
        pytest.skip(f"Verilator cannot be used: {', '.join(lacks)} not found")
    assert_model_agrees(chip("long sweep"), "verilator", batches=16)


def assert_model_agrees(design: RtlDesign, simulator: Any, batches: int = 5) -> None:
    """Cycle, nonce, version and small core of every hit, in order."""
    spec = design.spec
    merkle = hashlib.sha256(b"merkle").digest()
    job = Job(8, 0x20000000, hashlib.sha256(b"previous").digest(), merkle, 1_700_000_000, 0x17034219)
    steps = spec.batch_steps() * batches
    got = search(design, job.header(0).pack(), steps, simulator=simulator)
    clock = MHz(500)
    model = ChipModel(
        small_chip(spec.cores, spec.counter_bits, spec.slots, version_bits=spec.version_bits),
        RealHash(ZERO_BITS),
        frequency=clock,
        nonces_per_clock=Fraction(1, spec.interval),
        batch_gap=spec.batch_steps() - (1 << spec.counter_bits),
        pll=False,
    )
    model.set_job(fs(0), job)
    cycle = 2_000_000  # fs
    hits = model.run(fs(cycle * spec.interval * (steps - 1) + 1))
    expected = [
        (int(h["t"]), int(h["nonce"]), int(h["version"]), int(h["core"]), int(h["slot"])) for h in hits
    ]
    delay = spec.lead + spec.latency  # the model's time is that at which the nonce enters
    found = [
        ((h.edge - delay) * cycle, h.nonce, job.rolled(h.batch * spec.slots + h.slot), h.core, h.slot)
        for h in got.found
    ]
    assert found == expected
    # None is left out: one header in 16 is a hit.
    hashes = got.results * spec.cores * spec.slots
    assert abs(len(found) - hashes / 16) < 5 * (hashes / 16) ** 0.5
    assert not [hit for hit, times in Counter(found).items() if times > 1]
