"""What keeps a chain and its user safe: arguments that make sense, and a temperature that is known."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hwmodel.errors import DeviceError, SpecError
from hwmodel.reservoir._driver_rail import VoltageRail
from hwmodel.reservoir.chips import ChipSpec

__all__ = ["Guard", "check_seconds"]

GUARD_S, BLIND_S = 2.0, 30.0
LONGEST_S = 1e9


def check_seconds(what: str, value: float, positive: bool = False) -> float:
    """Give back a time in seconds that one can wait for; NaN would be waited for without end.

    Raises:
        SpecError: no number of 0 to 1e9 s; with `positive`, 0 too.

    Example:
        >>> check_seconds("receive(timeout)", 0.5)
        0.5
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_S:
        raise SpecError(f"{what}={value!r}: give seconds, 0 to {LONGEST_S:g}")
    if positive and value == 0:
        raise SpecError(f"{what}={value!r}: give more than 0 s")
    return float(value)


class Guard:
    """Looks at the temperature of chips, and has them halted where it is too high or not known for long.

    Parameters:
        url: of the chain, for messages.
        spec: whose limit holds.
        rail: what measures; None where nothing does.
        halt: stops the chips, where they are up.
    """

    def __init__(self, url: str, spec: ChipSpec, rail: VoltageRail | None, halt: Callable[[], None]) -> None:
        self._url, self._spec, self._rail, self._halt = url, spec, rail, halt
        self._looked = self._known = time.monotonic()

    def check(self) -> float | None:
        """Measure now, C; None where nothing measures.

        Raises:
            DeviceError: too hot, or no number; the chips were told to halt. Also where the rail does not answer.
        """
        self._looked = time.monotonic()
        celsius = None if self._rail is None else self._rail.temperature()
        self._known = time.monotonic()
        limit = self._spec.temperature_limit.value
        if celsius is None or celsius <= limit:
            return celsius
        self._halt()
        if math.isnan(celsius):
            raise DeviceError(f"{self._url}: the rail measures {celsius} C; halted: mend the sensor")
        raise DeviceError(
            f"{self._url}: {self._spec.name} at {celsius:.1f} C, its limit is {limit:g} C; halted: cool it, "
            "lower voltage or frequency"
        )

    def watch(self) -> None:
        """Measure if it is time to. A rail that does not answer for once is passed over, one that stays silent is not.

        Raises:
            DeviceError: too hot, or nothing was measured for half a minute; the chips were told to halt.
        """
        now = time.monotonic()
        if self._rail is None or now - self._looked <= GUARD_S:
            return
        known = self._known
        try:
            self.check()
        except DeviceError as error:
            if self._known != known:  # it was measured, and is too hot
                raise
            if time.monotonic() - known > BLIND_S:
                self._halt()
                raise DeviceError(
                    f"{self._url}: no temperature for {BLIND_S:g} s: {error}; halted: see that the board answers"
                ) from error
