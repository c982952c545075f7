"""What the tests of the RTL share: plain-Python hashing of a small search, and stepping a block in PyRTL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import pyrtl

from hwmodel.reservoir.rtl import MinerSpec, RtlDesign

HEADER = hashlib.sha512(b"head").digest() + hashlib.sha256(b"tail").digest()[:16]


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def header_of(header: bytes, core: int, count: int, version_index: int, spec: MinerSpec) -> tuple[bytes, int]:
    """The header that a small core hashes at a counter, and its nonce."""
    nonce = (core << spec.counter_bits | count).to_bytes(4, "big")
    version = int.from_bytes(header[:4], "little") | version_index << spec.version_shift
    return version.to_bytes(4, "little") + header[4:76] + nonce, int.from_bytes(nonce, "little")


def plain_hits(spec: MinerSpec, header: bytes, steps: int, bits: int) -> list[tuple[int, int, int, int, int]]:
    """Edge, nonce, batch, core and slot of all headers whose hash has `bits` zero bits, one header at a time."""
    period, found = spec.batch_steps(), []
    for step in range(steps):
        batch, count = divmod(step, period)
        if count >= 1 << spec.counter_bits:
            continue
        batch %= 1 << spec.batch_bits
        for core in range(spec.cores):
            for slot in range(spec.slots):
                data, nonce = header_of(header, core, count, batch * spec.slots + slot, spec)
                if int.from_bytes(sha256d(data), "little") >> (256 - bits) == 0:
                    edge = spec.lead + step * spec.interval + spec.latency
                    found.append((edge, nonce, batch, core, slot))
    return found


def stepped(design: RtlDesign, inputs: Iterator[Mapping[str, int]]) -> Iterator[dict[str, int]]:
    """Output pins after each edge; pins that an item leaves out are 0."""
    pins = {wire.name: 0 for wire in design.block.wirevector_subset(pyrtl.Input)}
    outputs = [wire.name for wire in design.block.wirevector_subset(pyrtl.Output)]
    simulation: Any = pyrtl.FastSimulation(block=design.block, tracer=None)
    first = True
    for given in inputs:
        simulation.step(pins | dict(given))
        # Within a step the pins still show what the edge before it left.
        if not first:
            yield {name: int(simulation.inspect(name)) for name in outputs}
        first = False
