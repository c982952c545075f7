"""The components of the loop that are its own: what turns hits into pulses, counts pulses, and tunes the chip.

The chip, the network, the readout and the core are hwmodel's; what stands here is the glue between them that a builder
of such a system would write himself: three SimPy processes, and one engine for what sees thousands of pulses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import hwmodel as hw
from hwmodel.errors import SpecError
from hwmodel.kernel import BuildContext, Component, Port, ProcessContext, State
from hwmodel.units import NEVER, Time, fs, to_fs

ONE = 1 << 16  # a rate of one pulse a slot, as the encoder's random numbers count it
GROUP = 16  # intervals, the newest ones, from which burstiness is counted


@dataclass(frozen=True)
class EncoderSpec:
    """How hit times become pulse rates.

    Parameters:
        intervals: hits whose mean interval is measured.
        stride: hits from one frame to the next.
        slots: slots of a frame.
        period: a slot.
        full: the mean interval that is coded as one pulse a slot.
        delay: from the last hit of a frame to its first slot.
        latency: from a slot's clock pulse to the network's answer.

    Raises:
        SpecError: with the parameter, its value and the remedy.
    """

    intervals: int
    stride: int
    slots: int
    period: Time
    full: Time
    delay: Time
    latency: Time

    def __post_init__(self) -> None:
        for name in ("intervals", "stride", "slots"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name}={getattr(self, name)}: give 1 or more")
        if self.intervals < GROUP:
            raise SpecError(
                f"intervals={self.intervals}: burstiness is counted over {GROUP}; give at least that"
            )

    @property
    def frame(self) -> int:
        """From the first slot of a frame to the pulse that ends it, fs."""
        return self.slots * to_fs(self.period) + to_fs(self.latency)


def rates(times: npt.NDArray[np.int64], full: int) -> tuple[int, int]:
    """The two features of hit times as pulse rates, in units of 1/65536: hit rate, and share of short intervals.

    Parameters:
        times: of the hits, fs, shape (intervals + 1,).
        full: mean interval that is a rate of one, fs.

    Example:
        >>> rates(np.arange(17) * 200, full=100)
        (32768, 0)
    """
    gaps = np.diff(times)
    span = int(times[-1] - times[0])
    rate = min(ONE, ONE * full * len(gaps) // max(1, span))
    # Shorter than half the mean: 39 of 100 where hits come at random, fewer where a queue spaces them.
    short = int(np.count_nonzero(2 * len(gaps) * gaps[-GROUP:] < span))
    return rate, ONE * short // GROUP


def encode(spec: EncoderSpec, rate: int, burst: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Pulses of the two inputs in each slot of a frame, shape (slots, 2): random, so that their mean is the rate."""
    return rng.integers(0, ONE, (spec.slots, 2)) < np.array([rate, burst])


def encoder(name: str, spec: EncoderSpec) -> hw.Process:
    """A process at 300 K that measures the intervals of results and sends each frame as pulses to the network.

    It takes `result` and sends `a`, `b` and `clk`, and `frame` when the last answer of the frame is there.
    """

    slot, delay, full = to_fs(spec.period), to_fs(spec.delay), to_fs(spec.full)
    offsets = fs([delay + k * slot for k in range(spec.slots)])
    length = fs(delay + spec.frame)

    def run(ctx: ProcessContext) -> Generator[Any, Any, None]:
        times: deque[int] = deque(maxlen=spec.intervals + 1)
        since, free = 0, 0
        while True:
            # Until then the chip can run on.
            ctx.needs(max(1, spec.stride - since, spec.intervals + 1 - len(times)))
            yield ctx.receive("result")
            times.append(int(ctx.now))
            since += 1
            if len(times) <= spec.intervals or since < spec.stride or int(ctx.now) < free:
                continue
            since = 0
            rate, burst = rates(np.array(times, np.int64), full)
            ctx.record("rate", rate)
            ctx.record("burst", burst)
            bits = encode(spec, rate, burst, ctx.rng)
            ctx.send_many("clk", after=offsets)
            ctx.send_many("a", after=offsets[bits[:, 0]])
            ctx.send_many("b", after=offsets[bits[:, 1]])
            ctx.send("frame", after=length)
            free = int(ctx.now) + int(length)

    pulses = [Port(port, "out", "pulse") for port in ("a", "b", "clk", "frame")]
    signals: dict[str, Any] = {"rate": "level", "burst": "level"}
    return hw.Process(
        name, run, inputs=["result"], outputs=pulses, signals=signals, spec=spec, reaction=spec.delay
    )


@dataclass(frozen=True)
class CounterSpec:
    """What a counter of pulses is made of.

    Parameters:
        inputs: lines that it counts.
        bits: of each count; a counter that is full stays so. All counts together have at most 64.
        hold: how long `valid` is 1: a period of the clock that reads it.

    Raises:
        SpecError: with the parameter, its value and the remedy.
    """

    inputs: int
    bits: int
    hold: Time

    def __post_init__(self) -> None:
        if self.inputs < 1 or self.bits < 1 or self.inputs * self.bits > 64:
            raise SpecError(
                f"inputs={self.inputs} of bits={self.bits}: a word of counts has 1 to 64 bits; count less"
            )
        if to_fs(self.hold) < 1:
            raise SpecError(f"hold={self.hold!r}: give a time above 0")


class PulseCounter(Component):
    """Counts the pulses of each line `x1`, `x2`, ... until a pulse on `frame`, then shows the counts.

    `data` holds them side by side, that of `x1` lowest; `valid` is 1 for `hold`, so that just one edge of a clock of
    that period sees it. A pulse of the same femtosecond as `frame` belongs to the frame before it.
    """

    def __init__(self, name: str, spec: CounterSpec) -> None:
        lines = [Port(f"x{n + 1}", "in", "pulse") for n in range(spec.inputs)]
        data = Port("data", "out", "bits", spec.inputs * spec.bits)
        super().__init__(
            name, [*lines, Port("frame", "in", "pulse"), data, Port("valid", "out", "bits", 1)], spec
        )

    def build(self, context: BuildContext) -> _CounterEngine:
        """Build the engine that counts."""
        return _CounterEngine(self.spec, context)


class _CounterEngine:
    """A whole window's pulses are counted at once: messages come as rows of t, link, seq, port, value."""

    def __init__(self, spec: CounterSpec, context: BuildContext) -> None:
        self._spec, self._context = spec, context
        self._hold = to_fs(spec.hold)
        self._frame = context.ports_in.index("frame")
        self._line = np.array([int(p[1:]) - 1 if p != "frame" else -1 for p in context.ports_in])
        saved = context.snapshot or {}
        self._counts = np.array(saved.get("counts", np.zeros(spec.inputs, np.int64)), np.int64)
        self._end = int(saved.get("end", NEVER))
        self._signal = {name: n for n, name in enumerate(context.watch)}

    def advance(self, t1: int) -> None:
        """Count the pulses with t < t1, and show what is due."""
        rows = self._context.inbox.take(t1)
        done = 0
        for t in sorted(set(rows[rows[:, 3] == self._frame, 0].tolist())):
            until = int(np.searchsorted(rows[:, 0], t, side="right"))
            self._add(rows[done:until, 3])
            done = until
            self._fall(t)
            most = (1 << self._spec.bits) - 1
            word = sum(min(n, most) << k * self._spec.bits for k, n in enumerate(self._counts.tolist()))
            self._counts[:] = 0
            self._send(t, "data", word - (word >> 63 << 64))  # messages are signed numbers
            self._send(t, "valid", 1)
            self._end = t + self._hold
        self._add(rows[done:, 3])
        self._fall(t1 - 1)

    def next_event(self) -> int:
        """When `valid` falls."""
        return self._end

    def state(self) -> State:
        """Counts, and when `valid` falls."""
        return {"counts": self._counts, "end": np.array(self._end)}

    def snapshot(self) -> State:
        """The same."""
        return {"counts": self._counts.copy(), "end": np.array(self._end)}

    def _add(self, ports: npt.NDArray[np.int64]) -> None:
        lines = self._line[ports]
        self._counts += np.bincount(lines[lines >= 0], minlength=self._spec.inputs)

    def _fall(self, t: int) -> None:
        if self._end <= t:
            self._send(self._end, "valid", 0)
            self._end = NEVER

    def _send(self, t: int, port: str, value: int) -> None:
        if port in self._context.linked:
            self._context.outbox.send(t, self._context.ports_out.index(port), value)
        if port in self._signal:
            self._context.recorder.record(t, self._signal[port], value)


def taker(name: str, width: int) -> hw.Process:
    """A process beside the readout that sends each valid answer, read as a signed number, to the core's mailbox."""

    def run(ctx: ProcessContext) -> Generator[Any, Any, None]:
        latest = 0

        def follow() -> Generator[Any, Any, None]:
            nonlocal latest
            while True:
                message = yield ctx.receive("data")
                latest = message.value

        ctx.process(follow())
        while True:
            message = yield ctx.receive("valid")
            if message.value:
                yield ctx.timeout(fs(1))  # the data of the same edge are there by then
                word = latest & ((1 << width) - 1)
                ctx.send("estimate", word - (word >> width - 1 << width))

    ports = [Port("data", "in", "bits", width), Port("valid", "in", "bits", 1)]
    return hw.Process(name, run, inputs=ports, outputs=["estimate"])


@dataclass(frozen=True)
class TunerSpec:
    """What keeps the chip's frequency.

    Parameters:
        start, low, high: frequencies, Hz.
        settle: from a step to the new frequency.

    Raises:
        SpecError: with the parameter, its value and the remedy.
    """

    start: int
    low: int
    high: int
    settle: Time

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.start <= self.high:
            raise SpecError(f"start={self.start} Hz: give {self.low} to {self.high}, all above 0")
        if to_fs(self.settle) < 0:
            raise SpecError(f"settle={self.settle!r}: give a time of 0 or more")


def tuner(name: str, spec: TunerSpec) -> hw.Process:
    """A process at 300 K that adds each step, in Hz, to the chip's frequency, within its limits."""

    def run(ctx: ProcessContext) -> Generator[Any, Any, None]:
        hertz = spec.start
        ctx.send("frequency", hertz)
        while True:
            message = yield ctx.receive("step")
            hertz = min(max(hertz + message.value, spec.low), spec.high)
            yield ctx.timeout(spec.settle)
            ctx.send("frequency", hertz)

    return hw.Process(name, run, inputs=["step"], outputs=["frequency"], spec=spec, reaction=spec.settle)


def step_of(estimate: int, target: int, gain: int) -> int:
    """Step of the frequency, Hz: `gain` Hz for each unit by which the estimate is below the target.

    Example:
        >>> step_of(140, 150, 200_000)
        2000000
    """
    return gain * (target - estimate)
