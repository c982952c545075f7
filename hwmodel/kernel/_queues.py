"""The two event queues as Python objects; engines use the same compiled functions on the same arrays."""

from __future__ import annotations

from typing import ClassVar

from hwmodel.errors import QueueOverflowError, SpecError, TimeRangeError
from hwmodel.kernel._kernels import (
    CAPACITY,
    FAR,
    NEAR,
    NOW,
    QUEUE_FULL,
    QUEUE_PAST,
    Ints,
    make_heap,
    make_wheel,
    queue_peek,
    queue_pop,
    queue_push,
)
from hwmodel.units import NEVER, format_time


class _Queue:
    """What both queues share: events (t, key, payload) come out in that order."""

    kind: ClassVar[str]

    def __init__(self, array: Ints) -> None:
        self.array = array

    def push(self, t: int, key: int, payload: int = 0) -> None:
        """Add an event at `t` fs, not before the last popped one.

        Raises:
            QueueOverflowError: the queue holds `capacity` events already.
            TimeRangeError: the time is negative, before the last popped event, or NEVER.
        """
        if not 0 <= t < NEVER:
            raise TimeRangeError(f"{self!r}: event at {t} fs; times go from 0 to {NEVER - 1} fs")
        status = queue_push(self.array, t, key, payload)
        if status == QUEUE_FULL:
            raise QueueOverflowError(
                f"{self!r} is full: {self.capacity} events wait at {format_time(int(self.array[NOW]))}; "
                f"make it with a larger capacity, or find what breeds events, such as an oscillating loop"
            )
        if status == QUEUE_PAST:
            raise TimeRangeError(
                f"{self!r}: event at {format_time(t)} lies before the last popped one at "
                f"{format_time(int(self.array[NOW]))}; push events in the future only"
            )

    def pop(self) -> tuple[int, int, int]:
        """Remove and return the first event (t, key, payload)."""
        if len(self) == 0:
            raise IndexError(f"pop from an empty {type(self).__name__}")
        t, key, payload = queue_pop(self.array)
        return int(t), int(key), int(payload)

    def peek(self) -> int:
        """Time of the first event in fs, NEVER if there is none."""
        return int(queue_peek(self.array))

    @property
    def capacity(self) -> int:
        """Most events that the queue holds."""
        return int(self.array[CAPACITY])

    def __len__(self) -> int:
        return int(self.array[NEAR] + self.array[FAR])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(capacity={self.capacity})"


def _check_capacity(name: str, capacity: int) -> int:
    if not 1 <= capacity <= 1 << 40:
        raise SpecError(f"{name}(capacity={capacity}): the capacity must be 1 or more")
    return capacity


class HeapQueue(_Queue):
    """A 4-ary heap: for delays without a bound.

    Parameters:
        capacity: most events it holds.

    Example:
        >>> queue = HeapQueue(16)
        >>> queue.push(3500, key=1)
        >>> queue.push(3500, key=0)
        >>> queue.pop(), queue.peek()
        ((3500, 0, 0), 3500)
    """

    kind = "heap"

    def __init__(self, capacity: int) -> None:
        super().__init__(make_heap(_check_capacity("HeapQueue", capacity)))


class WheelQueue(_Queue):
    """A ring of femtosecond buckets: for delays with a bound, as of SFQ cells; later events wait in a heap.

    Parameters:
        capacity: most events it holds.
        shift: log2 of the bucket width in fs, 0 to 40.
        buckets: number of buckets, a power of two from 32 to 65536.

    Example:
        >>> queue = WheelQueue(16, shift=6, buckets=512)
        >>> queue.push(1_000_000_000, key=1)  # far beyond the ring
        >>> queue.push(3500, key=0)
        >>> queue.pop(), queue.peek()
        ((3500, 0, 0), 1000000000)
    """

    kind = "wheel"

    def __init__(self, capacity: int, shift: int = 6, buckets: int = 512) -> None:
        _check_capacity("WheelQueue", capacity)
        if not 0 <= shift <= 40:
            raise SpecError(
                f"WheelQueue(shift={shift}): the bucket width 2**shift fs needs a shift of 0 to 40"
            )
        if not 32 <= buckets <= 1 << 16 or buckets & (buckets - 1):
            raise SpecError(f"WheelQueue(buckets={buckets}): give a power of two from 32 to 65536")
        super().__init__(make_wheel(capacity, shift, buckets))
