"""Any system of components as a reservoir: an input port is driven, watched signals are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.kernel import System
from hwmodel.reservoir.tasks._networks import series
from hwmodel.reservoir.tasks._types import Floats
from hwmodel.units import Time, TimeLike, to_fs

__all__ = ["SystemReservoir"]

MOST_CODES = 1 << 62


@dataclass(frozen=True)
class SystemReservoir:
    """Messages of a system of the kernel, counted in equal parts of each step.

    The input u of step n comes to the port at n times the step, as round(gain u + offset). Each watched signal gives
    `parts` states a step: the number of messages or pulses in each part, or the last value before its end.

    Parameters:
        build: makes the system, anew for each run.
        port: the input that is driven, of protocol "event" or "bits".
        watch: signals to read.
        step: time of one input.
        gain, offset: from input to code.
        parts: states a step and signal.
        reads: "counts" or "values".
        label: name for tables.

    Raises:
        SpecError: a step that cannot be divided, no signal, or an unknown way to read.

    Example:
        >>> import hwmodel as hw
        >>> from hwmodel.units import ns
        >>> def twice(ctx):
        ...     while True:
        ...         message = yield ctx.receive("u")
        ...         ctx.send("q", 2 * message.value)
        >>> build = lambda: hw.System(hw.Process("twice", twice, inputs=["u"], outputs=["q"]))
        >>> reservoir = SystemReservoir(build, "twice.u", ["twice.q"], ns(1), gain=10.0, reads="values")
        >>> reservoir.run(np.array([0.1, 0.3]))
        array([[2.],
               [6.]])
    """

    build: Callable[[], System]
    port: str
    watch: Sequence[str]
    step: TimeLike
    gain: float = 1000.0
    offset: float = 0.0
    parts: int = 1
    reads: str = "counts"
    label: str = "system"

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", Time(to_fs(self.step, "SystemReservoir(step)")))
        if int(self.step) < 1 or self.parts < 1 or int(self.step) % self.parts:
            raise SpecError(
                f"SystemReservoir(step={self.step}, parts={self.parts}): give a step that the parts divide into whole fs"
            )
        if not self.watch or self.reads not in ("counts", "values"):
            raise SpecError(
                f"SystemReservoir(watch={list(self.watch)}, reads={self.reads!r}): name a signal, and read 'counts' or "
                "'values'"
            )

    @property
    def name(self) -> str:
        """For tables."""
        return self.label

    def run(self, inputs: Floats) -> Floats:
        """States of shape (T, signals x parts).

        Raises:
            SpecError: a code beyond 62 bits.
        """
        u = series(inputs, "SystemReservoir.run")
        codes = np.rint(self.gain * u + self.offset)
        if np.abs(codes).max() > MOST_CODES:
            raise SpecError(
                f"SystemReservoir(gain={self.gain}): a code of {codes.max():g}; give a smaller gain"
            )
        step, system = int(self.step), self.build()
        system.drive(self.port, at=[Time(n * step) for n in range(len(u))], values=[int(c) for c in codes])
        result = system.run(until=Time(len(u) * step), watch=list(self.watch), progress=False)
        edges = np.arange(len(u) * self.parts + 1, dtype=np.int64) * (step // self.parts)
        columns = []
        for name in self.watch:
            trace = result[name]
            places = np.searchsorted(trace.t, edges, side="left")
            if self.reads == "counts":
                columns.append(np.diff(places).astype(np.float64))
            else:
                values = np.concatenate([[trace.initial or 0], trace.value])
                columns.append(values[places[1:]].astype(np.float64))
        return np.hstack([column.reshape(len(u), self.parts) for column in columns])
