"""The counter's clock: whole steps at exact femtoseconds, through every change of frequency."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, TimeRangeError
from hwmodel.units import MAX_TIME, format_time

__all__ = ["NonceClock"]

Ints = npt.NDArray[np.int64]

_PARTS = 20
_DENOMINATOR = 1 << 42


class NonceClock:
    """Counter steps since the chip began, on the femtosecond grid.

    Step n falls at `t + (n - step) * num // den` where (t, step) is the first step at or after the last change of
    rate. A change keeps the phase: of the step that was under way, the part that was left is done at the new rate. So
    each change rounds a step down to a femtosecond, and nothing else rounds.

    Parameters:
        rate: steps a second.
        start: time of step 0, fs.

    Raises:
        SpecError: a rate that is not positive or above 1e15.

    Example:
        >>> clock = NonceClock(Fraction(10**9))
        >>> clock.time(3)
        3000000
        >>> clock.change(3_500_000, Fraction(500 * 10**6))
        >>> clock.time(4), clock.time(5), clock.index(4_500_001)
        (4500000, 6500000, 5)
    """

    def __init__(self, rate: Fraction, start: int = 0) -> None:
        self.rate = _rate(rate)
        self.reference, self.step = start, 0
        self._set_period()

    @property
    def period(self) -> Fraction:
        """Femtoseconds of a step."""
        return self._period

    def time(self, step: int) -> int:
        """Time of a step that is not before the last change."""
        return self.reference + (step - self.step) * self._num // self._den

    def index(self, t: int) -> int:
        """First step at or after `t`, which is not before the last change."""
        if t <= self.reference:
            return self.step
        return self.step - (-(t - self.reference) * self._den // self._num)

    def times(self, steps: Ints) -> Ints:
        """`time` of many steps, shape (n,)."""
        if len(steps) == 0:
            return np.zeros(0, np.int64)
        num, den = self._num, self._den
        ahead = np.asarray(steps, np.int64) - self.step
        last = self.time(int(steps.max()))
        if last > MAX_TIME:
            raise TimeRangeError(f"step {int(steps.max())} of the counter lies beyond 9,223 s; run shorter")
        if den >= _DENOMINATOR or (int(ahead.max()) >> _PARTS) * (num % den) >= 1 << 62:
            return np.array([self.time(int(n)) for n in steps], np.int64)
        # ahead * num // den by parts, each of which fits 63 bits: num = whole * den + rest, ahead in two parts.
        whole, rest = divmod(num, den)
        high, low = ahead >> _PARTS, ahead & ((1 << _PARTS) - 1)
        quotient, left = np.divmod(high * rest, den)
        tail = ((left << _PARTS) + low * rest) // den
        found: Ints = self.reference + ahead * whole + (quotient << _PARTS) + tail
        return found

    def change(self, t: int, rate: Fraction) -> None:
        """Go on at another rate from `t` on.

        Raises:
            SpecError: a rate that is not positive.
            TimeRangeError: `t` is before the last change.
        """
        rate = _rate(rate)
        if rate == self.rate:
            return
        if t < self.reference and self.step > 0 and t < self._changed:
            raise TimeRangeError(f"the clock changed at {format_time(self._changed)}, after {format_time(t)}")
        step = self.index(t)
        left = self.reference + (step - self.step) * self._period - t  # fs, exact
        left *= self.rate / rate
        self.reference, self.step = t + left.numerator // left.denominator, step
        self.rate, self._changed = rate, t
        self._set_period()

    _changed = 0

    def save(self) -> list[int]:
        """Whole numbers from which `load` makes the clock again."""
        return [self.reference, self.step, self._changed, self.rate.numerator, self.rate.denominator]

    def load(self, saved: Any) -> None:
        """Take up what `save` gave."""
        self.reference, self.step, self._changed, num, den = (int(x) for x in saved)
        self.rate = Fraction(num, den)
        self._set_period()

    def _set_period(self) -> None:
        self._period = Fraction(10**15) / self.rate
        self._num, self._den = self._period.numerator, self._period.denominator


def _rate(rate: Fraction) -> Fraction:
    if not 0 < rate <= 10**15:
        raise SpecError(
            f"a counter rate of {float(rate):g} steps a second; give more than 0 and at most 1e15"
        )
    return Fraction(rate)
