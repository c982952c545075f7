"""What a channel of DRAM may be: the bounds of its numbers, and what does not go together."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hwmodel.cryo._core_checks import check_type
from hwmodel.errors import SpecError

LINE_BYTES = 64
LONGEST = 10**12  # a millisecond: no timing of a data sheet is longer, and sums of them stay far from 64 bits
MOST_BANKS = 64
MOST_RANKS = 8
MOST_WRITES = 63  # the queue of a controller holds one more
BOUNDS = {
    "burst": (1, LONGEST),
    "banks": (1, MOST_BANKS),
    "row": (LINE_BYTES, 1 << 20),
    "ranks": (1, MOST_RANKS),
    "high": (1, MOST_WRITES),
    "low": (0, MOST_WRITES),
    "max_row": (0, 1 << 20),
}
TIMES = (
    "controller", "rcd", "cl", "rp", "ras", "wr", "cwl", "rrd", "turn", "refi", "rfc", "clock", "cs", "rtp", "wtr", "faw",
)  # fmt: skip


def check_dram(dram: Any) -> None:
    """Refuse a channel with a number that the controller's tables do not hold, or that contradicts another.

    Raises:
        SpecError: naming the number and what it may be.
    """
    for field in fields(dram):
        check_type("Dram", field.name, str(field.type), getattr(dram, field.name))
    for name, (low, high) in {**BOUNDS, **dict.fromkeys(TIMES, (0, LONGEST))}.items():
        value = getattr(dram, name)
        if not low <= value <= high:
            raise SpecError(f"Dram({name}={value}): give {low:,} to {high:,}")
    if dram.banks % dram.ranks:
        raise SpecError(
            f"Dram(banks={dram.banks}, ranks={dram.ranks}): give banks that the ranks divide evenly"
        )
    if dram.row % LINE_BYTES:
        raise SpecError(f"Dram(row={dram.row}): give a multiple of {LINE_BYTES} bytes, a line")
    if dram.low >= dram.high:
        raise SpecError(
            f"Dram(low={dram.low}, high={dram.high}): writes end to be drained below where they begin"
        )
    if dram.wtr > dram.turn:
        raise SpecError(f"Dram(wtr={dram.wtr}, turn={dram.turn}): wtr is a part of turn; give a longer turn")
    if dram.refi and dram.rfc >= dram.refi:
        raise SpecError(
            f"Dram(refi={dram.refi}, rfc={dram.rfc}): a refresh ends before the next; give a shorter rfc"
        )
