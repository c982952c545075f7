"""What the recorder asks of a decoder, and the records that it makes of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwmodel.cryo.trace import MARKER, STATIC_DTYPE, Branch, Op

__all__ = ["VARIANT_DTYPE", "Decode", "Decoded", "Tabulator"]

IS_BEGIN, IS_END = 2, 4
"""Traits that the plugin gives to the markers of a region."""

VARIANT_DTYPE = np.dtype(
    [
        ("pc", "<u8"),
        ("size", "u1"),
        ("loads", "u1"),
        ("stores", "u1"),
        ("load_size", "u1"),
        ("store_size", "u1"),
        ("traits", "u1"),
        ("unused", "u1", (2,)),
        ("bytes", "u1", (16,)),
    ]
)
"""An instruction as the plugin reports it, with the operands that it was seen to have."""

SEEN = ("pc", "size", "loads", "stores", "load_size", "store_size")
MAX_KNOWN = 1 << 16


@dataclass(frozen=True)
class Decoded:
    """What the bytes of an instruction say.

    Parameters:
        op: class of its arithmetic where it has no memory operand.
        op_with_memory: the class where it was seen to have one.
        branch: kind of control transfer.
        flags: sum of ATOMIC and FENCE.
        sources, destinations: registers as numbered in `trace`, none twice, without zeros; all that there are.
    """

    op: Op = Op.NOP
    op_with_memory: Op = Op.NOP
    branch: Branch = Branch.NONE
    flags: int = 0
    sources: tuple[int, ...] = ()
    destinations: tuple[int, ...] = ()


Decode = Callable[[bytes, int], Decoded]
"""Decodes the bytes of an instruction at an address."""


class Tabulator:
    """Turn variants into static records; every distinct instruction is decoded once.

    Parameters:
        decode: what knows the instruction set.

    Example:
        >>> from hwmodel.cryo._decode_riscv import decode
        >>> variant = np.zeros(1, VARIANT_DTYPE)
        >>> variant["pc"], variant["size"], variant["loads"], variant["load_size"] = 0x1000, 2, 1, 8
        >>> variant["bytes"][0, :2] = [0x08, 0x61]  # c.ld a0, 0(a0)
        >>> record = Tabulator(decode)(variant)[0]
        >>> int(record["load_size"]), record["sources"].tolist(), record["destinations"].tolist()
        (8, [11, 0, 0, 0, 0, 0], [11, 0, 0, 0])
    """

    def __init__(self, decode: Decode) -> None:
        self.registers_dropped = 0
        self._decode = decode
        self._known: dict[tuple[bytes, int], Decoded] = {}

    def __call__(self, variants: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        """Return one STATIC_DTYPE record a variant."""
        records = np.zeros(len(variants), STATIC_DTYPE)
        for name in SEEN:
            records[name] = variants[name]
        codes = variants["bytes"].tobytes()
        columns = zip(
            *(variants[name].tolist() for name in ("pc", "size", "loads", "stores", "traits")), strict=True
        )
        for row, (pc, size, loads, stores, traits) in enumerate(columns):
            decoded = self._once(codes[16 * row : 16 * row + size], pc)
            marker = MARKER if traits & (IS_BEGIN | IS_END) else 0
            records["op"][row] = decoded.op_with_memory if loads or stores else decoded.op
            records["branch"][row] = decoded.branch
            records["flags"][row] = decoded.flags | marker
            self._registers(records["sources"][row], decoded.sources)
            self._registers(records["destinations"][row], decoded.destinations)
        return records

    def _once(self, code: bytes, pc: int) -> Decoded:
        key = (code, pc)
        if key not in self._known:
            if len(self._known) >= MAX_KNOWN:  # of a program that makes its code as it goes
                self._known.clear()
            self._known[key] = self._decode(code, pc)
        return self._known[key]

    def _registers(self, field: npt.NDArray[np.uint8], registers: Sequence[int]) -> None:
        kept = registers[: len(field)]
        field[: len(kept)] = kept
        self.registers_dropped += len(registers) - len(kept)
