"""Clocks with rational periods: edge n falls at `phase + n*num//den`, for ever."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hwmodel._times import Times, as_times
from hwmodel.errors import BareNumberError, TimeRangeError
from hwmodel.units import MAX_TIME, Frequency, Time, TimeLike, format_time, to_frequency, to_fs

_SAFE = 2**62


@dataclass(frozen=True, init=False, eq=True)
class Clock:
    """A clock given by its frequency or its period, and the time of its edge 0.

    The period is kept as the fraction `num/den` femtoseconds, so that no edge drifts: a period
    rounded to femtoseconds loses 50 cycles in a million at 150 GHz.

    Parameters:
        frequency: a `Frequency` or text such as "52.6 GHz".
        period: a time, instead of the frequency.
        phase: time of edge 0.

    Raises:
        BareNumberError: a number without a unit.
        TimeRangeError: a period below one femtosecond, or a negative phase.

    Example:
        >>> from hwmodel.units import GHz, ps
        >>> clock = Clock(GHz(150), phase=ps(1))
        >>> clock.edge(3)
        ps(21)
        >>> clock.edges(0, 4)
        ps([1, 7.666, 14.333, 21])
    """

    num: int
    den: int
    phase: int

    def __init__(
        self,
        frequency: Frequency | str | None = None,
        *,
        period: TimeLike | None = None,
        phase: TimeLike = Time(0),
    ) -> None:
        if (frequency is None) == (period is None):
            raise BareNumberError("Clock: give either a frequency, as in Clock(GHz(10)), or period=ps(100)")
        if period is not None:
            exact = Fraction(to_fs(period, "Clock(period)"))
        else:
            exact = Fraction(10**15) / to_frequency(frequency, "Clock(frequency)").hz
        start = to_fs(phase, "Clock(phase)")
        if exact < 1:
            raise TimeRangeError(
                f"Clock: a period of {float(exact):.3g} fs is shorter than the time step of 1 fs"
            )
        if start < 0:
            raise TimeRangeError(
                f"Clock: the phase {format_time(start)} is negative; edge 0 must not lie before t = 0"
            )
        object.__setattr__(self, "num", exact.numerator)
        object.__setattr__(self, "den", exact.denominator)
        object.__setattr__(self, "phase", start)

    @property
    def period(self) -> Fraction:
        """The exact period in femtoseconds."""
        return Fraction(self.num, self.den)

    @property
    def frequency(self) -> Frequency:
        """The exact frequency."""
        return Frequency(Fraction(10**15) / self.period)

    def __repr__(self) -> str:
        phase = f", phase={Time(self.phase)!r}" if self.phase else ""
        return f"Clock({self.frequency!r}{phase})"

    def edge(self, n: int) -> Time:
        """Time of edge `n`, n >= 0.

        Raises:
            TimeRangeError: `n` is negative.
        """
        if n < 0:
            raise TimeRangeError(f"{self!r}: edge {n} does not exist; edges are numbered from 0")
        return Time(self.phase + n * self.num // self.den)

    def edges(self, first: int, count: int) -> Times:
        """Times of the `count` edges from edge `first` on, int64 femtoseconds, shape (count,).

        Raises:
            TimeRangeError: the last edge lies beyond 9,223 s.
        """
        last = first + count
        if count and int(self.edge(last - 1)) > MAX_TIME:
            raise TimeRangeError(f"{self!r}: edge {last - 1} lies beyond 9,223 s")
        if last * self.num < _SAFE:
            return as_times(self.phase + np.arange(first, last, dtype=np.int64) * self.num // self.den)
        return as_times(np.array([int(self.edge(n)) for n in range(first, last)], np.int64))

    def index(self, t: int) -> int:
        """Number of the first edge at or after `t` fs.

        Example:
            >>> from hwmodel.units import GHz, ps
            >>> Clock(GHz(10)).index(ps(100)), Clock(GHz(10)).index(ps(101))
            (1, 2)
        """
        return max(0, -((self.phase - int(t)) * self.den // self.num))

    def indices(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """`index` of many times, shape (n,)."""
        since = np.asarray(t, np.int64) - self.phase
        if since.size == 0 or int(np.abs(since).max()) * self.den < _SAFE:
            return np.maximum(0, -(-since * self.den // self.num))
        return np.array([self.index(int(x)) for x in t], np.int64)
