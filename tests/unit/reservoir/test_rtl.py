"""The SHA-256d pipeline and the compression, in PyRTL: digests against hashlib, timing, hits, refusals."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain, pairwise, repeat
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.reservoir.header import BlockHeader, midstate
from hwmodel.reservoir.rtl import (
    MinerSpec,
    RtlDesign,
    emit_chip,
    emit_compression,
    emit_pipeline,
    ticket_word,
)
from hwmodel.reservoir.rtl_run import search
from hwmodel.reservoir.rtl_sha256 import INITIAL, ROUND_CONSTANTS

from .rtl_models import HEADER, header_of, sha256d, stepped

LAYOUTS = [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 8), (16, 1)]
LARGE = [(32, 4), (64, 1), (64, 2), (128, 1), (128, 4)]


@cache
def pipeline(unroll: int, chained: int = 1, front: str = "midstate", **options: Any) -> RtlDesign:
    return emit_pipeline(unroll, chained=chained, front=front, **options)  # type: ignore[arg-type]


def job(design: RtlDesign, header: bytes, first: int = 0, edges: int = 0) -> Iterator[dict[str, int]]:
    """A start, then the pins at rest."""
    pins = design.inputs(header, first)
    return chain([pins | {"start": 1}], repeat(pins, edges))


def results(design: RtlDesign, header: bytes, first: int, edges: int) -> list[tuple[int, dict[str, int]]]:
    """What came out, with the edges since the start."""
    shown = enumerate(stepped(design, job(design, header, first, edges + 1)))
    return [(edge, pins) for edge, pins in shown if pins["valid"]]


# ------------------------------------------------------------------------------------------------- digests


def test_constants_are_those_of_the_standard() -> None:
    # FIPS PUB 180-4, sections 5.3.3 and 4.2.2: first and last of each table.
    assert (INITIAL[0], INITIAL[7]) == (0x6A09E667, 0x5BE0CD19)
    assert (ROUND_CONSTANTS[0], ROUND_CONSTANTS[63]) == (0x428A2F98, 0xC67178F2)


@settings(max_examples=30)
@given(
    layout=st.sampled_from(LAYOUTS),
    front=st.sampled_from(["midstate", "version"]),
    header=st.binary(min_size=80, max_size=80),
    core=st.sampled_from([0, 5]),
)
def test_digests_are_those_of_hashlib(layout: tuple[int, int], front: str, header: bytes, core: int) -> None:
    design = pipeline(*layout, front, digest=True, counter_bits=3, version_bits=4, core=core)
    for _, pins in results(design, header, 5, design.spec.result_edge(1, 6, 5)):
        count = int.from_bytes(pins["nonce"].to_bytes(4, "little"), "big") & 7
        data, nonce = header_of(header, core, count, pins.get("batch", 0), design.spec)
        assert pins["digest"].to_bytes(32, "big") == sha256d(data)
        assert pins["nonce"] == nonce


@pytest.mark.parametrize("layout", LARGE, ids=str)
def test_digests_of_deep_pipelines_are_those_of_hashlib(layout: tuple[int, int]) -> None:
    design = pipeline(*layout, "version", digest=True, counter_bits=3, version_bits=2)
    found = results(design, HEADER, 0, design.spec.result_edge(1, 7))
    for _, pins in found:
        count = pins["nonce"] >> 24
        data, _ = header_of(HEADER, 0, count, pins["batch"], design.spec)
        assert pins["digest"].to_bytes(32, "big") == sha256d(data)
    assert len(found) == 16


@pytest.mark.parametrize("adders", ["prefix", "ripple"])
def test_adders_in_gates_give_the_same_digests(adders: str) -> None:
    design = pipeline(2, 1, digest=True, counter_bits=2, adders=adders)
    found = results(design, HEADER, 0, design.spec.result_edge(0, 3))
    digests = [pins["digest"].to_bytes(32, "big") for _, pins in found]
    assert digests == [sha256d(header_of(HEADER, 0, n, 0, design.spec)[0]) for n in range(4)]


@settings(max_examples=20)
@given(layout=st.sampled_from([(1, 1), (4, 1), (4, 4), (64, 1), (64, 8)]), message=st.binary(max_size=200))
def test_chained_blocks_give_the_digest_of_a_message(layout: tuple[int, int], message: bytes) -> None:
    assert message_digest(compression(*layout), message) == hashlib.sha256(message).digest()


@cache
def compression(unroll: int, chained: int) -> RtlDesign:
    return emit_compression(unroll, chained=chained)


def message_digest(design: RtlDesign, message: bytes) -> bytes:
    """SHA-256 of a message: blocks one after the other, each with the digest of the one before as its state."""
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (8 * len(message)).to_bytes(8, "big")
    state = int.from_bytes(b"".join(word.to_bytes(4, "big") for word in INITIAL), "big")
    for at in range(0, len(padded), 64):
        state = one_block(design, state, padded[at : at + 64])
    return state.to_bytes(32, "big")


def one_block(design: RtlDesign, state: int, block: bytes) -> int:
    given = {"state": state, "block": int.from_bytes(block, "big"), "in_valid": 1}
    wait = design.spec.interval - 1  # the phase begins at 0; the block is taken at its end
    pins = chain([{}] * wait, [given], repeat({}, design.spec.latency + 1))
    shown = [outputs for outputs in stepped(design, pins) if outputs["out_valid"]]
    assert len(shown) == 1
    return shown[0]["digest"]


@pytest.mark.parametrize("layout", [(1, 1), (16, 2), (64, 1)], ids=str)
def test_blocks_follow_each_other_at_the_interval_and_take_the_latency(layout: tuple[int, int]) -> None:
    design = compression(*layout)
    blocks = [hashlib.sha512(bytes([n])).digest() for n in range(3)]
    pins: list[dict[str, int]] = []
    for block in blocks:
        pins += [{}] * (design.spec.interval - 1)
        pins.append({"state": 0, "block": int.from_bytes(block, "big"), "in_valid": 1})
    shown = list(stepped(design, chain(pins, repeat({}, design.spec.latency + 2))))
    edges = [edge for edge, outputs in enumerate(shown) if outputs["out_valid"]]
    first = design.spec.interval - 1 + design.spec.latency
    assert edges == [first + n * design.spec.interval for n in range(3)]
    assert [shown[edge]["digest"] for edge in edges] == [one_block(design, 0, block) for block in blocks]


# ------------------------------------------------------------------------------------------------- timing


@pytest.mark.parametrize("front", ["midstate", "version"])
@pytest.mark.parametrize("layout", [*LAYOUTS, (128, 1)], ids=str)
def test_results_come_at_the_edges_of_the_formula(layout: tuple[int, int], front: str) -> None:
    design = pipeline(*layout, front, counter_bits=3, version_bits=3, zero_bits=1)
    spec = design.spec
    batches = 3 if front == "version" else 1
    expected = [spec.result_edge(b, c, 2) for b in range(batches) for c in range(2, 8)]
    found = results(design, HEADER, 2, expected[-1])
    assert [edge for edge, _ in found] == expected
    assert [pins["nonce"] >> 24 for _, pins in found] == [*range(2, 8)] * batches


def test_throughput_and_latency_are_those_of_the_layout() -> None:
    specs = [MinerSpec(unroll, chained) for unroll, chained in [(128, 1), (64, 1), (1, 1), (128, 4), (8, 8)]]
    assert [spec.interval for spec in specs] == [1, 2, 129, 1, 17]
    assert [spec.latency for spec in specs] == [131, 131, 131, 35, 19]
    assert MinerSpec(64, cores=3, slots=2, counter_bits=20).hashes_per_clock == 3.0


def test_a_short_sweep_waits_for_its_midstates() -> None:
    spec = MinerSpec(128, front="version", counter_bits=3)
    assert spec.batch_steps() == 66 > 8
    assert MinerSpec(128, front="version", counter_bits=8, gap=3).batch_steps() == 259


def test_the_hosts_midstate_makes_one_sweep() -> None:
    design = pipeline(4, 1, counter_bits=2, zero_bits=1)
    assert len(results(design, HEADER, 1, 10 * design.spec.result_edge(0, 3))) == 3


def test_a_new_start_drops_what_is_inside() -> None:
    design = pipeline(16, 1, counter_bits=4, zero_bits=1, digest=True)
    other = bytes(reversed(HEADER))
    middle = design.spec.result_edge(0, 4) + 3  # results of the old job came, others are inside
    old, new = design.inputs(HEADER), design.inputs(other)
    pins = chain([old | {"start": 1}], repeat(old, middle - 1), [new | {"start": 1}], repeat(new, 1000))
    shown = list(enumerate(stepped(design, pins)))
    after = [(edge, out) for edge, out in shown if out["valid"] and edge >= middle]
    assert [edge - middle for edge, _ in after[:16]] == [design.spec.result_edge(0, n) for n in range(16)]
    digests = [out["digest"].to_bytes(32, "big") for _, out in after]
    assert digests == [sha256d(header_of(other, 0, n, 0, design.spec)[0]) for n in range(16)]


def test_a_reset_stops_the_search() -> None:
    design = pipeline(16, 1, counter_bits=4, zero_bits=1)
    pins = design.inputs(HEADER)
    shown = stepped(design, chain([pins | {"start": 1}, pins | {"rst": 1}], repeat(pins, 600)))
    assert not any(out["valid"] for out in shown)


@pytest.mark.parametrize("front", ["midstate", "version"])
def test_of_a_start_and_a_reset_at_one_edge_the_reset_wins(front: Any) -> None:
    design = pipeline(16, 2, front=front, counter_bits=4, zero_bits=1)
    pins = design.inputs(HEADER)
    shown = stepped(design, chain([pins | {"start": 1, "rst": 1}], repeat(pins, 600)))
    assert not any(out["valid"] for out in shown)
    again = stepped(design, chain([pins | {"start": 1, "rst": 1}, pins | {"start": 1}], repeat(pins, 600)))
    assert any(out["valid"] for out in again)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([(4, 1), (8, 2), (16, 4)]),
    st.sampled_from(["midstate", "version"]),
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(1, 250), st.sampled_from(["start", "rst", "both"])), max_size=4),
    st.integers(1, 6),
)
def test_starts_and_resets_at_any_edge_leave_what_a_plain_search_gives(
    layout: tuple[int, int], front: Any, gap: int, waits: list[tuple[int, str]], left: int
) -> None:
    """Against hashlib: sweeps that begin `left` counters before 2**32, each job cut off by the next event."""
    gap = gap if front == "version" else 0
    design = pipeline(*layout, front=front, zero_bits=2, gap=gap)
    spec, first, edge = design.spec, (1 << 32) - left, 0
    events = [(0, "start")] + [(edge := edge + wait, what) for wait, what in waits]
    end = edge + 700
    expected: dict[int, tuple[int, int]] = {}
    for number, (begin, what) in enumerate(events):
        until = events[number + 1][0] if number + 1 < len(events) else end
        header = bytes([number]) * 80
        for step in range(end if what == "start" else 0):
            batch, count = divmod(step, spec.batch_steps(first)) if front == "version" else (0, step)
            at = begin + spec.lead + step * spec.interval + spec.latency
            if at >= until or (front == "midstate" and count >= left):
                break
            if count < left:
                data, nonce = header_of(header, 0, first + count, batch, spec)
                expected[at] = (nonce, int.from_bytes(sha256d(data), "little") >> 254 == 0)
    pins: list[dict[str, int]] = [{} for _ in range(end + 1)]
    for number, (begin, what) in enumerate(events):
        given_ = {"start": int(what != "rst"), "rst": int(what != "start")}
        pins[begin] = design.inputs(bytes([number]) * 80, first) | given_
    shown = enumerate(stepped(design, iter(pins)))
    assert {at: (out["nonce"], out["hits"]) for at, out in shown if out["valid"]} == expected


# ------------------------------------------------------------------------------------------------- hits


@pytest.mark.parametrize(("zero_bits", "difficulty"), [(2, 1), (2, 2), (1, 8), (3, 5)])
def test_hits_have_the_zero_bits_and_those_of_the_ticket_mask(zero_bits: int, difficulty: int) -> None:
    design = pipeline(8, 1, counter_bits=8, zero_bits=zero_bits)
    found = search(design, HEADER, steps=256, difficulty=difficulty, simulator="pyrtl")
    wanted = zero_bits + difficulty.bit_length() - 1
    nonces = [n << 24 for n in range(256)]
    hashes = [sha256d(HEADER[:76] + nonce.to_bytes(4, "little")) for nonce in nonces]
    expected = [
        n for n, h in zip(nonces, hashes, strict=True) if int.from_bytes(h, "little") >> (256 - wanted) == 0
    ]
    assert [hit.nonce for hit in found.found] == expected
    assert found.results == 256


def test_ticket_words_are_those_of_the_chip() -> None:
    # Register 0x14 as BM13xx firmware writes it.
    words = {256: 0x000000FF, 512: 0x000080FF, 1024: 0x0000C0FF, 1: 0, 2: 0x80}
    assert {d: ticket_word(d) for d in words} == words
    assert ticket_word(700) == ticket_word(512)


def test_cores_divide_the_nonces() -> None:
    found = [
        search(pipeline(8, 1, counter_bits=4, zero_bits=1, core=core), HEADER, 16, simulator="pyrtl").found
        for core in (0, 1, 255)
    ]
    tops = [{(hit.nonce.to_bytes(4, "little"))[:3] for hit in hits} for hits in found]
    assert [sorted(top) for top in tops] == [[b"\0\0\0"], [b"\0\0\0"], [b"\0\0\x0f"]]
    assert not {hit.nonce for hit in found[0]} & {hit.nonce for hit in found[1]}


def test_a_host_may_give_another_midstate() -> None:
    design = pipeline(8, 1, counter_bits=6, zero_bits=2)
    rolled = BlockHeader.unpack(HEADER).with_version(0x2000E000)
    words = midstate(rolled.pack()).astype(">u4").tobytes()
    given = search(design, HEADER, 64, midstates=[words], simulator="pyrtl").found
    assert given == search(design, rolled.pack(), 64, simulator="pyrtl").found
    assert given != search(design, HEADER, 64, simulator="pyrtl").found


# ------------------------------------------------------------------------------------------------- text, size


def test_the_text_does_not_depend_on_what_was_made_before() -> None:
    first = emit_pipeline(4, front="version").verilog
    emit_compression(2)
    assert emit_pipeline(4, front="version").verilog == first


def test_resources_grow_with_the_rounds_that_are_laid_out() -> None:
    sizes = [pipeline(unroll).resources() for unroll in (2, 4, 8, 16)]
    rounds = [size["adders"] for size in sizes]
    # A round has ten sums: seven of its own and three of the schedule.
    assert [more - less for less, more in pairwise(rounds)] == [20, 40, 80]
    words = [size["registers"] for size in sizes]
    # A rank has 24 words and a flag.
    assert [more - less for less, more in pairwise(words)] == [50, 100, 200]


def test_a_full_pipeline_has_no_registers_for_what_never_changes() -> None:
    full = pipeline(128).resources()
    assert full["registers"] < 128 * 24
    assert full["table_bits"] == 0


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"unroll": 3}, r"unroll\)=3: give a power of two, 1 to 128"),
        ({"unroll": 256}, "power of two, 1 to 128"),
        ({"unroll": 4, "chained": 8}, r"chained\)=8: give a power of two, 1 to 4"),
        ({"zero_bits": 33}, r"zero_bits\)=33"),
        ({"counter_bits": 33}, r"counter_bits\)=33"),
        ({"counter_bits": 31, "core": 2}, "cores 2 to 2 do not fit the 1 bits above a counter of 31"),
        ({"gap": 4}, "front 'midstate' makes one sweep"),
        ({"front": "version", "version_bits": 0}, r"version_bits\)=0: give a whole number, 1 to 32"),
        ({"front": "version", "version_bits": 33}, r"version_bits\)=33"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        emit_pipeline(**({"unroll": 1} | options))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="front"):
        emit_pipeline(1, front="stratum")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="adders"):
        emit_compression(1, adders="magic")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="simulator"):
        search(pipeline(1), HEADER, 1, simulator="spice")  # type: ignore[arg-type]


def test_a_job_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SpecError, match="header of 79 bytes"):
        pipeline(1).inputs(HEADER[:79])
    with pytest.raises(SpecError, match=r"first=16: give a whole number, 0 to 15"):
        pipeline(8, 1, counter_bits=4, zero_bits=1).inputs(HEADER, first=16)
    with pytest.raises(SpecError, match="64 bytes of midstates"):
        pipeline(1).inputs(HEADER, midstates=[bytes(32), bytes(32)])
    with pytest.raises(SpecError, match="is no miner"):
        compression(1, 1).inputs(HEADER)
    with pytest.raises(SpecError, match="use emit_pipeline"):
        emit_chip(1, 1)
    with pytest.raises(SpecError, match="0 steps"):
        search(pipeline(1), HEADER, 0)


def test_a_difficulty_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError, match=r"difficulty=0"):
        ticket_word(0)


@pytest.mark.slow
def test_synthesis_finds_the_registers_that_were_counted() -> None:
    from hwmodel.hdl import tools

    if not tools()["yosys"]:
        pytest.skip("needs yosys, which is not installed")
    found = pipeline(1).resources("yosys")
    assert found["ff"] == found["register_bits"]
    assert found["lut"] == pytest.approx(pipeline(1).resources()["lut"], rel=0.4)


def test_the_door_loads_no_pyrtl() -> None:
    code = "import sys, hwmodel.reservoir.rtl, hwmodel.reservoir.rtl_run; print('pyrtl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
