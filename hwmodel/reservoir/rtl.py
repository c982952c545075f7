"""RTL of SHA-256d: a pipeline that searches nonces, a small chip of many, and a plain compression.

The generator is PyRTL, in the modules `rtl_*`; importing this one does not load it. Bytes become pins with the first byte
in the top bits, so a pin shows the hexadecimal digits of what it carries.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal

from hwmodel.errors import SpecError, ToolError, unknown
from hwmodel.reservoir._whole import check_whole
from hwmodel.reservoir.rtl_layout import (
    ADDER_KINDS,
    FRONTS,
    CompressionSpec,
    MinerSpec,
    ticket_word,
)

Block = Any  # a pyrtl.Block; PyRTL has no types

__all__ = [
    "ADDER_KINDS",
    "FRONTS",
    "CompressionSpec",
    "Found",
    "MinerSpec",
    "RtlDesign",
    "emit_chip",
    "emit_compression",
    "emit_pipeline",
    "ticket_word",
]


@dataclass(frozen=True)
class Found:
    """A hit that the RTL showed.

    Attributes:
        edge: clock edges since the one that saw `start`.
        nonce: as in the header.
        batch: number of the sweep, as far as its bits tell.
        core, slot: the small core.
    """

    edge: int
    nonce: int
    batch: int
    core: int
    slot: int


@dataclass(frozen=True, eq=False)
class RtlDesign:
    """A module: `emit_pipeline`, `emit_chip` and `emit_compression` make it.

    Attributes:
        name: of the module.
        spec: its layout, with the formulas of its timing.
        block: the PyRTL block.
        verilog: the text of the module.
    """

    name: str
    spec: Any
    block: Block = field(repr=False)
    verilog: str = field(repr=False)

    def write_verilog(self, path: str | os.PathLike[str]) -> Path:
        """Write the module to a file and give its path."""
        file = Path(path)
        file.write_text(self.verilog, encoding="utf-8")
        return file

    def resources(self, tool: str = "estimate", family: str = "xcup") -> dict[str, Any]:
        """Size of the module.

        Parameters:
            tool: "estimate" counts the block; "yosys" synthesises the Verilog as well, which for a full pipeline takes
                minutes; "auto" takes yosys where it is found.
            family: of `synth_xilinx`.

        Returns:
            `registers` and `register_bits`, `adders` and `adder_bits`, `table_bits` of constants, `lut` and who counted
            it in `tool`; from yosys also `ff` and `carry`.

        Raises:
            ToolError: yosys was asked for and is missing or fails.

        Example:
            >>> emit_pipeline(unroll=1).resources()["adders"]
            22
        """
        from hwmodel.reservoir.rtl_verilog import count

        if tool not in ("estimate", "yosys", "auto"):
            raise unknown("tool", tool, ("estimate", "yosys", "auto"))
        found = count(self.block)
        if tool == "estimate":
            return found
        try:
            with tempfile.TemporaryDirectory(prefix="hwmodel-report-") as folder:
                file = self.write_verilog(Path(folder) / f"{self.name}.v")
                report = resolve_name("hwmodel.hdl:synthesis_report")(file, top=self.name, family=family)
        except ToolError:
            if tool == "yosys":
                raise
            return found
        return found | {key: report[key] for key in ("lut", "ff", "carry", "lutram", "tool")}

    def inputs(
        self, header: bytes, first: int = 0, difficulty: int = 1, midstates: Iterable[bytes] = ()
    ) -> dict[str, int]:
        """Values of the pins that carry a job; hold them while `start` is 1 for one clock.

        Parameters:
            header: 80 bytes; the nonce in them is not used.
            first: counter at which the sweeps begin.
            difficulty: of the ticket mask.
            midstates: front "midstate": 32 bytes a slot, big-endian words; without them that of the header for all.

        Raises:
            SpecError: no miner, or a header or midstates of another size.
        """
        spec = self.spec
        if not isinstance(spec, MinerSpec):
            raise SpecError(f"design '{self.name}' is no miner; only pipelines and chips take a job")
        if len(header) != 80:
            raise SpecError(f"header of {len(header)} bytes for design '{self.name}': a block header has 80")
        check_whole("first", first, 0, (1 << spec.counter_bits) - 1)
        pins = {"tail": int.from_bytes(header[64:76], "big"), "mask": ticket_word(difficulty), "first": first}
        if spec.front == "version":
            return pins | {"head": int.from_bytes(header[:64], "big")}
        given = list(midstates)
        if not given:
            from hwmodel.reservoir.header import midstate

            given = [midstate(header).astype(">u4").tobytes()] * spec.slots
        joined = b"".join(given)
        if len(joined) != 32 * spec.slots:
            raise SpecError(
                f"{len(joined)} bytes of midstates for design '{self.name}': give 32 for each of {spec.slots} slots"
            )
        return pins | {"midstate": int.from_bytes(joined, "big")}

    def found(self, edge: int, outputs: Mapping[str, int]) -> list[Found]:
        """Hits that the output pins show after an edge.

        Parameters:
            edge: clock edges since the one that saw `start`.
            outputs: values of the pins.
        """
        spec = self.spec
        if not isinstance(spec, MinerSpec):
            raise SpecError(f"design '{self.name}' is no miner; only pipelines and chips find hits")
        hits, batch = outputs["hits"], outputs.get("batch", 0)
        result = []
        for number in range(spec.cores * spec.slots):
            if not hits >> number & 1:
                continue
            core, slot = divmod(number, spec.slots)
            if "nonce" in outputs:
                nonce = outputs["nonce"]
            else:
                word = (spec.first_core + core) << spec.counter_bits | outputs["count"]
                nonce = int.from_bytes(word.to_bytes(4, "big"), "little")
            result.append(Found(edge, nonce, batch, spec.first_core + core, slot))
        return result


# ----------------------------------------------------------------------------------------------- emission


def emit_pipeline(
    unroll: int = 128,
    *,
    name: str = "sha256d_pipeline",
    chained: int = 1,
    front: Literal["midstate", "version"] = "midstate",
    core: int = 0,
    counter_bits: int = 32,
    version_bits: int = 16,
    zero_bits: int = 32,
    gap: int = 0,
    digest: bool = False,
    adders: Literal["plain", "prefix", "ripple"] = "plain",
) -> RtlDesign:
    """A pipeline that hashes a header over nonces, and shows those whose hash has enough zero bits.

    Pins: `clk`, `rst`, `start`; the job `midstate` (256 bits) or `head` (512), `tail` (96), `mask` (32) and `first`, taken
    at the edge that sees `start`; out `valid` and `hits` for one clock a nonce, and `nonce` as in the header. With
    front="version" also `batch`: the version is that of the header with `batch << 13` ORed to it. A new `start` drops
    what is still inside.

    Parameters:
        unroll: rounds laid out, a power of two from 1 to 128; one nonce enters every 128/unroll clocks.
        name: of the module.
        chained: rounds between two ranks of registers.
        front: "midstate" makes one sweep with the host's midstate; "version" goes on to the next version by itself.
        core: top bits of the nonce, where the counter has fewer than 32.
        counter_bits, version_bits, zero_bits, gap, digest, adders: as in `MinerSpec`.

    Returns:
        The design; `design.spec` has `interval`, `latency` and `result_edge`.

    Raises:
        SpecError: a value that is no layout.
        ToolError: PyRTL is missing.

    Example:
        >>> design = emit_pipeline(unroll=64)
        >>> design.spec.interval, design.spec.latency, design.spec.hashes_per_clock
        (2, 131, 0.5)
    """
    return _emit_miner(
        name,
        MinerSpec(
            unroll, chained, front, 1, 1, core, counter_bits, version_bits, 13, zero_bits, gap, digest, adders
        ),
    )


def emit_chip(
    cores: int = 4,
    slots: int = 2,
    *,
    name: str = "small_chip",
    unroll: int = 8,
    chained: int = 1,
    counter_bits: int = 6,
    version_bits: int = 8,
    zero_bits: int = 8,
    gap: int = 0,
    adders: Literal["plain", "prefix", "ripple"] = "plain",
) -> RtlDesign:
    """A small chip: cores times slots pipelines in lock-step, which divide nonces and versions as a BM13xx does.

    Pins as in `emit_pipeline` with front="version", but `hits` has a bit for each small core, that of core c and slot k
    at place c * slots + k, and `count` is the counter that they share; `RtlDesign.found` reads them.

    Parameters:
        cores, slots, unroll, chained, counter_bits, version_bits, zero_bits, gap, adders: as in `MinerSpec`.
        name: of the module.

    Raises:
        SpecError: a value that is no layout.
        ToolError: PyRTL is missing.

    Example:
        >>> chip = emit_chip(cores=2, slots=2, unroll=2, counter_bits=4, version_bits=4)
        >>> chip.spec.batch_steps(), chip.spec.interval
        (16, 64)
    """
    if cores == 1 and slots == 1:
        raise SpecError("emit_chip: one small core is a pipeline; use emit_pipeline(front='version')")
    spec = MinerSpec(
        unroll,
        chained,
        "version",
        cores,
        slots,
        0,
        counter_bits,
        version_bits,
        13,
        zero_bits,
        gap,
        False,
        adders,
    )
    return _emit_miner(name, spec)


def emit_compression(
    unroll: int = 64,
    *,
    name: str = "sha256_block",
    chained: int = 1,
    adders: Literal["plain", "prefix", "ripple"] = "plain",
) -> RtlDesign:
    """One block of SHA-256: `state` (256 bits) and `block` (512) give `digest`, the next state.

    A block enters at an edge where `in_valid` and `in_ready` are 1; `out_valid` shows its digest `latency` edges later.

    Parameters:
        unroll, chained, adders: as in `CompressionSpec`.
        name: of the module.

    Raises:
        SpecError: a value that is no layout.
        ToolError: PyRTL is missing.

    Example:
        >>> emit_compression(unroll=16).spec.interval
        4
    """
    _require_pyrtl()
    from hwmodel.reservoir.rtl_pipeline import build_compression
    from hwmodel.reservoir.rtl_verilog import verilog_text

    spec = CompressionSpec(unroll, chained, adders)
    block = build_compression(spec)
    lines = [
        f"{name}: one block of SHA-256, {unroll} rounds laid out, {chained} between two ranks of registers.",
        f"A block every {spec.interval} clocks; digest after {spec.latency} edges.",
    ]
    return RtlDesign(name, spec, block, verilog_text(block, name, lines))


def _emit_miner(name: str, spec: MinerSpec) -> RtlDesign:
    _require_pyrtl()
    from hwmodel.reservoir.rtl_pipeline import build_miner
    from hwmodel.reservoir.rtl_verilog import verilog_text

    block = build_miner(spec)
    rule = f"{spec.zero_bits} zero bits and the ticket mask"
    lines = [
        f"{name}: SHA-256d of block headers, cores x slots {spec.cores} x {spec.slots}, hits by {rule}.",
        f"{spec.unroll} rounds laid out, {spec.chained} between two ranks of registers; front: {spec.front}.",
        f"A nonce every {spec.interval} clocks a small core.",
        f"The first enters {spec.lead} edges after start, its result is shown {spec.latency} later.",
    ]
    return RtlDesign(name, spec, block, verilog_text(block, name, lines))


def _require_pyrtl() -> None:
    try:
        import pyrtl  # noqa: F401  what follows imports it where it is needed
    except ImportError as error:
        raise ToolError("RTL of SHA-256 needs the package `pyrtl`: pip install 'hwmodel[rtl]'") from error
