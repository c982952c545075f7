"""The RTL of SHA-256 against the standard's vectors, and against nonces that real miners found."""

from __future__ import annotations

import json
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

from hwmodel.hdl import tools
from hwmodel.reservoir.header import scan_order
from hwmodel.reservoir.rtl import RtlDesign, emit_compression, emit_pipeline
from hwmodel.reservoir.rtl_run import search
from hwmodel.reservoir.rtl_sha256 import INITIAL
from tests.unit.reservoir.rtl_models import stepped

WINDOW = 200  # nonces before the known one
SHOWN = 20  # and after it

# NIST, "Secure Hash Standard" example values and the SHA-256 short message test vectors (CAVP 11.0, SHA256ShortMsg).
VECTORS = {
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    bytes.fromhex("d3"): "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1",
}


def need_verilator() -> None:
    """Skip where Verilator cannot be used."""
    lacks = [name for name in ("verilator", "g++") if not tools()[name]]
    if lacks:
        pytest.skip(f"Verilator cannot be used: {', '.join(lacks)} not found")


def digest(design: RtlDesign, message: bytes) -> str:
    """SHA-256 of a message, block by block through the RTL."""
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (8 * len(message)).to_bytes(8, "big")
    state = int.from_bytes(b"".join(word.to_bytes(4, "big") for word in INITIAL), "big")
    for at in range(0, len(padded), 64):
        pins = {"state": state, "block": int.from_bytes(padded[at : at + 64], "big"), "in_valid": 1}
        rest = repeat({}, design.spec.latency + 1)
        steps = chain([{}] * (design.spec.interval - 1), [pins], rest)
        (state,) = [out["digest"] for out in stepped(design, steps) if out["out_valid"]]
    return f"{state:064x}"


@pytest.mark.parametrize("layout", [(1, 1), (8, 2), (64, 1)], ids=str)
def test_vectors_of_nist(layout: tuple[int, int]) -> None:
    design = emit_compression(layout[0], chained=layout[1])
    assert {message: digest(design, message) for message in VECTORS} == VECTORS


@pytest.fixture(scope="module")
def headers(reference_data: Path) -> list[dict[str, Any]]:
    file = reference_data / "reservoir" / "block_headers.json"
    if not file.is_file():
        pytest.skip(f"no {file.name} in the reference data")
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found
    return list(found)


def assert_known_nonce_is_found(design: RtlDesign, entry: dict[str, Any], simulator: Any) -> None:
    """In a window around the known nonce it is the only hit, at the edge of the formula."""
    header = bytes.fromhex(entry["header"])
    nonce = int.from_bytes(header[76:], "little")
    known = scan_order(nonce)
    first = max(0, known - WINDOW)
    steps = min(known - first + SHOWN, (1 << 32) - first)
    blank = header[:76] + bytes(4)
    found = search(design, blank, steps, first=first, simulator=simulator)
    hits = [(hit.nonce, hit.edge) for hit in found.found]
    assert hits == [(nonce, design.spec.result_edge(0, known, first))]
    assert found.results == steps


@pytest.mark.slow
@pytest.mark.parametrize("front", ["midstate", "version"])
@pytest.mark.parametrize("unroll", [1, 8])
def test_known_nonces_are_found_under_verilator(
    unroll: int, front: Any, headers: list[dict[str, Any]]
) -> None:
    need_verilator()
    design = emit_pipeline(unroll, front=front)
    for entry in headers:
        assert_known_nonce_is_found(design, entry, "verilator")


@pytest.mark.slow
def test_a_full_pipeline_finds_the_known_nonces_under_verilator(headers: list[dict[str, Any]]) -> None:
    need_verilator()
    design = emit_pipeline(128)
    for entry in headers:
        assert_known_nonce_is_found(design, entry, "verilator")


def test_known_nonces_are_found_in_pyrtl(headers: list[dict[str, Any]]) -> None:
    design = emit_pipeline(64, chained=2)
    for entry in headers[:3]:
        assert_known_nonce_is_found(design, entry, "pyrtl")


@pytest.mark.slow
def test_difficult_blocks_pass_the_ticket_mask(headers: list[dict[str, Any]]) -> None:
    """A block passes the mask of the largest power of two below its difficulty, and not the one above."""
    need_verilator()
    design = emit_pipeline(1)
    for entry in headers:
        header = bytes.fromhex(entry["header"])
        value = int(entry["hash"], 16)
        zeros = 256 - value.bit_length() - 32
        first = scan_order(int.from_bytes(header[76:], "little"))
        for bits, hits in ((zeros, 1), (zeros + 1, 0)):
            if bits <= 32:
                found = search(design, header, 1, first=first, difficulty=1 << bits, simulator="verilator")
                assert len(found.found) == hits, (entry["height"], bits)
