"""ChampSim's traces: records of 64 bytes (96 in the CloudSuite variant), one an instruction.

Source: ChampSim, inc/trace_instruction.h and inc/instruction.h. Neither size, kind of operation nor access sizes are
recorded; the kind of branch is inferred from the registers that are read and written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._format_base import Batch, Reader, new_rows
from hwmodel.cryo._format_bytes import Feed
from hwmodel.cryo._statics import FIRST_VECTOR, FLAGS_REGISTER

__all__ = ["ChampsimReader", "CloudsuiteReader", "looks_like_champsim"]

FLAGS, POINTER = 25, 26


def register_names() -> npt.NDArray[np.uint8]:
    """ChampSim's registers by number in ours: 0 is none, 25 the flags, 26 the instruction pointer, which is left out.

    Numbers up to 32 stay and are taken for integer registers, those from 33 on for vector registers; the few that
    leave our space share the numbers of vector registers.
    """
    names = np.arange(256)
    outside = (names > 127) | (names == FLAGS_REGISTER) | (names == FLAGS_REGISTER + 1)
    names[outside] = FIRST_VECTOR + names[outside] % 32
    names[FLAGS], names[POINTER] = FLAGS_REGISTER, 0
    return names.astype(np.uint8)


class ChampsimReader(Reader):
    """Records of 64 bytes."""

    name = "champsim"
    has = ("pc", "registers", "branches")
    isa = "unknown"
    width: ClassVar[int] = 64
    targets: ClassVar[int] = 2
    remedy = "the CloudSuite variant must be asked for as format='cloudsuite', other formats by their names"

    def _batches(self) -> Iterator[Batch]:
        from hwmodel.cryo import _kernels

        names = register_names()
        self.meta["notes"] = "branches inferred from registers; sizes and operations are not recorded"
        with Feed(self.path) as feed:
            while feed.fill():
                count = len(feed.data) // self.width
                number = feed.offset // self.width
                if not count and feed.final:
                    raise self._cut("record", number, feed.offset, len(feed.data))
                block = np.ascontiguousarray(feed.data[: count * self.width])
                rows, taken = new_rows(count), np.empty(count, np.uint8)
                operands = np.empty(count * (4 + self.targets), np.uint64)
                words = np.frombuffer(block.tobytes(), np.uint64)
                done, used = _kernels.champsim(block, words, self.targets, names, rows, taken, operands)
                if done:
                    yield Batch.of_rows(rows[:done], taken[:done], operands[:used])
                if done < count:
                    byte = done * self.width
                    flags = block[byte + 8 : byte + 10].tolist()
                    raise self._bad(
                        "record",
                        number + done,
                        feed.offset + byte,
                        f"is_branch={flags[0]}, branch_taken={flags[1]} where 0 or 1 can stand",
                    )
                feed.drop(count * self.width)


class CloudsuiteReader(ChampsimReader):
    """Records of 96 bytes, with four destinations."""

    name = "cloudsuite"
    width = 96
    targets = 4
    remedy = "is it a plain ChampSim trace, format='champsim'?"


def looks_like_champsim(head: bytes) -> bool:
    """Whether the first records can be ChampSim's: flags 0 or 1, and addresses of instructions that are near."""
    count = len(head) // 64
    if count < 1:
        return False
    records = np.frombuffer(head[: 64 * count], np.uint8).reshape(count, 64)
    pcs = np.ascontiguousarray(records[:, :8]).view("<u8")
    return bool((records[:, 8:10] <= 1).all() and (pcs > 0).all() and (records[:, 9] <= records[:, 8]).all())
