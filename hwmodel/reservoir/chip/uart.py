"""The serial line by which results leave a chain, and the queue before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError
from hwmodel.reservoir._whole import check_whole
from hwmodel.units import Time

__all__ = ["Arrivals", "Uart", "serialise"]

Ints = npt.NDArray[np.int64]

BITS_A_BYTE = 10  # 8N1: a start bit, eight data bits, a stop bit
MAX_FIFO = 1 << 16


@dataclass(frozen=True)
class Arrivals:
    """What became of results on a serial line.

    Attributes:
        t: end of each frame that was sent, fs, shape (n,).
        sent: which results they are, as places in what was given, shape (n,).
        dropped: results that found the queue full.
    """

    t: Ints
    sent: Ints
    dropped: int


class Uart:
    """A serial line with a queue of results before it; the state between two calls is kept.

    Parameters:
        baud: bits a second.
        frame_bytes: bytes of a frame.
        fifo: results that may wait, the one that is being sent among them; 1 to 65536.

    Raises:
        SpecError: a parameter out of its range.

    Example:
        >>> import numpy as np
        >>> from hwmodel.units import us
        >>> line = Uart(baud=1_000_000, frame_bytes=11, fifo=2)
        >>> line.frame
        us(110)
        >>> got = line.send(np.array([0, 0, 0, us(120)]))
        >>> (got.t // us(1)).tolist(), got.sent.tolist(), got.dropped
        ([110, 220, 330], [0, 1, 3], 1)
    """

    def __init__(self, baud: int = 1_000_000, frame_bytes: int = 11, fifo: int = 16) -> None:
        for name, value, most in (
            ("baud", baud, 10**9),
            ("frame_bytes", frame_bytes, 256),
            ("fifo", fifo, MAX_FIFO),
        ):
            check_whole(f"Uart({name})", value, 1, most)
        self.baud, self.frame_bytes, self.fifo = int(baud), int(frame_bytes), int(fifo)
        self._frame = int(self.frame)
        self.dropped = 0
        self._free = 0
        self._queue = np.full(self.fifo + 1, -1, np.int64)
        self._queue[self.fifo] = 0

    @property
    def frame(self) -> Time:
        """Time of a frame, rounded down to a femtosecond."""
        return Time(self.frame_bytes * BITS_A_BYTE * 10**15 // self.baud)

    def send(self, times: npt.ArrayLike) -> Arrivals:
        """Send results that come at `times`, int64 fs that do not fall, shape (n,).

        Raises:
            SpecError: times that fall.
        """
        from hwmodel.reservoir.chip import _kernels as k

        given = np.ascontiguousarray(times, np.int64)
        if given.ndim != 1 or (np.diff(given) < 0).any():
            raise SpecError(
                f"Uart.send: times of shape {given.shape} must be one row and must not fall; sort them"
            )
        ends = np.empty(len(given), np.int64)
        self._free = int(k.send(given, int(self.frame), self.fifo, self._free, self._queue, ends))
        sent = np.flatnonzero(ends >= 0)
        self.dropped += len(given) - len(sent)
        return Arrivals(ends[sent], sent, len(given) - len(sent))

    def send_one(self, t: int) -> int:
        """Send a result that comes at `t` fs, not before the last one; return when its frame ends, or -1 if it is dropped.

        Example:
            >>> line = Uart(baud=1_000_000, frame_bytes=11, fifo=1)
            >>> line.send_one(0), line.send_one(5)
            (110000000000, -1)
        """
        queue, last = self._queue, self.fifo
        place = queue.item(last)
        if queue.item(place) > t:
            self.dropped += 1
            return -1
        self._free = end = (t if t > self._free else self._free) + self._frame
        queue[place] = end
        queue[last] = place + 1 if place + 1 < last else 0
        return end

    def save(self) -> Ints:
        """State as an array."""
        return np.concatenate([[self._free, self.dropped], self._queue]).astype(np.int64)

    def load(self, saved: Any) -> None:
        """Take up what `save` gave."""
        self._free, self.dropped = int(saved[0]), int(saved[1])
        self._queue[:] = saved[2:]


def serialise(
    hits: npt.NDArray[Any], baud: int = 1_000_000, frame_bytes: int = 11, fifo: int = 16
) -> Arrivals:
    """Send hits, of type HIT or just their times, through a serial line that is idle at first.

    Returns:
        End of each frame, which hits were sent, and how many were dropped.

    Raises:
        SpecError: a parameter out of its range, or times that fall.

    Example:
        >>> import numpy as np
        >>> serialise(np.array([0, 0]), baud=115_200).t.tolist()
        [954861111111, 1909722222222]
    """
    times = hits["t"] if hits.dtype.names else hits
    return Uart(baud, frame_bytes, fifo).send(times)
