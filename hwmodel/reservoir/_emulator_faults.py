"""Faults of a serial line and of the chips behind it, on demand and the same for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields

from hwmodel.errors import SpecError

__all__ = ["Faults"]

NOT_SHARES = ("vanish_after", "vanish_chip", "late_seconds", "seed")


@dataclass(frozen=True)
class Faults:
    """What goes wrong on the way from the chips to the host.

    Parameters:
        drop, double, corrupt, late: probability that a byte is lost, comes twice, has one bit changed, or is held back
            with all that follows it.
        lose, repeat: probability that a whole frame is lost, or comes twice.
        late_seconds: how long a late byte is held back.
        vanish_after: number of frames after which a chip is gone, and with it those behind it; None for never.
        vanish_chip: which one.
        seed: of all draws.

    Raises:
        SpecError: a probability outside of 0 to 1, a time or number that is negative.

    Example:
        >>> line = Faults(corrupt=1.0, seed=3).line()
        >>> [bin(int.from_bytes(data) ^ 0xAA55).count("1") for _, data in line.pass_on(b"\\xaa\\x55")]
        [2]
    """

    drop: float = 0.0
    double: float = 0.0
    corrupt: float = 0.0
    late: float = 0.0
    lose: float = 0.0
    repeat: float = 0.0
    late_seconds: float = 0.05
    vanish_after: int | None = None
    vanish_chip: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name not in NOT_SHARES):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SpecError(f"Faults({name}={getattr(self, name)!r}): give a probability of 0 to 1")
        if not 0.0 <= self.late_seconds <= 60.0:
            raise SpecError(f"Faults(late_seconds={self.late_seconds!r}): give 0 to 60 s")
        if self.vanish_chip < 0 or (self.vanish_after is not None and self.vanish_after < 0):
            raise SpecError(
                f"Faults(vanish_after={self.vanish_after}, vanish_chip={self.vanish_chip}): must not be negative"
            )

    def line(self) -> FaultyLine:
        """The draws of one line, from their beginning."""
        return FaultyLine(self)


class FaultyLine:
    """Bytes in, pieces of bytes out, each with the time by which it is held back."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._random = random.Random(f"line/{faults.seed}")
        self.counts = dict.fromkeys(("drop", "double", "corrupt", "late", "lose", "repeat"), 0)

    def _happens(self, name: str) -> bool:
        share: float = getattr(self._faults, name)
        happens = share > 0.0 and self._random.random() < share
        self.counts[name] += happens
        return happens

    def pass_on(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Pieces of a frame that arrive, with the delay before each in fs."""
        if self._happens("lose"):
            return
        frames = [data, data] if self._happens("repeat") else [data]
        wait, piece = 0, bytearray()
        for byte in b"".join(frames):
            if self._happens("late"):
                if piece:
                    yield wait, bytes(piece)
                wait, piece = math.ceil(self._faults.late_seconds * 1e15), bytearray()
            if self._happens("drop"):
                continue
            changed = byte ^ 1 << self._random.randrange(8) if self._happens("corrupt") else byte
            piece += bytes([changed] * (2 if self._happens("double") else 1))
        if piece:
            yield wait, bytes(piece)
