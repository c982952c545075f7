"""Reads what the plugin writes: frames from a pipe, and what is left in shared memory at the end."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._decode import VARIANT_DTYPE, Tabulator
from hwmodel.cryo.trace import TAKEN, TraceWriter, operand_counts
from hwmodel.errors import ToolError, TraceFileError

__all__ = ["STAGE_BYTES", "StreamReader", "Totals"]

STATICS, DYNAMIC, PROGRESS, THREADS, END = 1, 2, 3, 4, 5
ROOM, STATIC_ROOM = 1 << 16, 1 << 10  # as in plugin.c
STAGE_HEAD = 64
STAGE_BYTES = STAGE_HEAD + STATIC_ROOM * VARIANT_DTYPE.itemsize + 4 * ROOM + 8 * ROOM
MAX_BODY = 1 << 21
INDEX = np.uint32(TAKEN - 1)
WHY = ("exit", "limit", "thread")


@dataclass
class Totals:
    """What the plugin counted; `why` is "exit", "limit" or "thread", or "cut" when it could not say."""

    why: str = "cut"
    executed: int = 0
    operands_dropped: int = 0
    not_completed: int = 0
    threads: int = 1
    regions: int = 0


@dataclass
class StreamReader:
    """Convert the plugin's stream into a trace, frame by frame.

    Parameters:
        pipe: descriptor to read from.
        stage: descriptor of the memory that the plugin shares.
        writer: takes the instructions.
        tabulator: makes static records.
        progress: is told how many instructions were executed so far.
    """

    pipe: int
    stage: int
    writer: TraceWriter
    tabulator: Tabulator
    progress: Callable[[int], None]
    totals: Totals = field(default_factory=Totals)
    _place: npt.NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    _frames: int = 0

    def run(self) -> Totals:
        """Read until the plugin says that it ended, or the pipe ends.

        Raises:
            ToolError: a second thread appeared and none was chosen.
        """
        body = memoryview(bytearray(MAX_BODY))
        head = memoryview(bytearray(8))
        while self._fill(head):
            kind, size = np.frombuffer(head, "<u4")
            if size > MAX_BODY:
                raise TraceFileError(
                    f"the recorder's stream is damaged: a frame of {size} bytes; record again"
                )
            part = body[: int(size)]
            if not self._fill(part):
                break
            if self._frame(int(kind), part):
                return self.totals
        self._rest()
        return self.totals

    # What follows is private.

    def _fill(self, target: memoryview) -> bool:
        """Read until the target is full; False where the stream ends before."""
        at = 0
        while at < len(target):
            got = os.readv(self.pipe, [target[at:]])
            if got == 0:
                return False
            at += got
        return True

    def _frame(self, kind: int, body: memoryview) -> bool:
        """Take one frame; True after the last."""
        if kind == STATICS:
            first, _ = np.frombuffer(body[:8], "<u4")
            self._take_statics(int(first), np.frombuffer(body[8:], VARIANT_DTYPE))
        elif kind == DYNAMIC:
            frame, count, _ = (int(n) for n in np.frombuffer(body[:12], "<u4"))
            ids = np.frombuffer(body[12 : 12 + 4 * count], "<u4")
            addresses = np.frombuffer(body[12 + 4 * count :].tobytes(), "<u8")
            self._frames = frame + 1
            self._take(ids, addresses)
        elif kind == PROGRESS:
            self.totals.executed = int(np.frombuffer(body, "<u8")[0])
            self.progress(self.totals.executed)
        elif kind == THREADS:
            raise ToolError(
                "the program started a second thread, and a trace holds one: choose it with thread=0 "
                "(--thread 0) for the first, 1 for the next that is started, and so on"
            )
        elif kind == END:
            why, executed, _, operands, broken, threads, regions, _ = (
                int(n) for n in np.frombuffer(body, "<u8")
            )
            self.totals = Totals(WHY[why], executed, operands, broken, threads, regions)
            return True
        return False

    def _take_statics(self, first: int, variants: npt.NDArray[np.void]) -> None:
        fresh = variants[max(len(self._place) - first, 0) :]
        self._place = np.concatenate([self._place, self.writer.intern(self.tabulator(fresh))])

    def _take(self, ids: npt.NDArray[np.uint32], addresses: npt.NDArray[np.uint64]) -> None:
        self.writer.write(self._place[ids & INDEX] | (ids & np.uint32(TAKEN)), addresses)
        self.progress(max(self.totals.executed, self.writer.instructions))

    def _rest(self) -> None:
        """Take what the plugin had not written when the program was killed or replaced itself."""
        with mmap.mmap(self.stage, STAGE_BYTES, access=mmap.ACCESS_READ) as view:
            frame, fresh, variants, count, operands = (int(n) for n in np.frombuffer(view[:20], "<u4"))
            begin = STAGE_HEAD + STATIC_ROOM * VARIANT_DTYPE.itemsize
            table = np.frombuffer(
                view[STAGE_HEAD : STAGE_HEAD + fresh * VARIANT_DTYPE.itemsize], VARIANT_DTYPE
            )
            ids = np.frombuffer(view[begin : begin + 4 * count], "<u4")
            begin += 4 * ROOM
            addresses = np.frombuffer(view[begin : begin + 8 * operands], "<u8")
        self._take_statics(variants - fresh, table)
        if frame < self._frames:  # it had been written, and only its counts were not reset yet
            return
        # A kill may fall between an instruction, its record and its addresses.
        indices = ids & INDEX
        unknown = np.flatnonzero(indices >= len(self._place))
        indices = indices[: unknown[0] if len(unknown) else None]
        needed = np.cumsum(operand_counts(self.writer.statics)[self._place[indices]], dtype=np.int64)
        whole = int(np.searchsorted(needed, len(addresses), side="right"))
        self._take(ids[:whole], addresses[: int(needed[whole - 1]) if whole else 0])
