"""A chain of hashing chips as a component of a system: settings and jobs as messages in, result frames out.

Importing this module loads no numba.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwmodel.errors import CheckpointError, QueueOverflowError, SpecError
from hwmodel.kernel import BuildContext, Component, Port, SignalKind, State
from hwmodel.reservoir.chip.model import ChipModel
from hwmodel.reservoir.chip.oracle import HitOracle, SampledHash
from hwmodel.reservoir.chip.physics import Physics
from hwmodel.reservoir.chip.uart import Uart
from hwmodel.reservoir.chips import BM1366, ChipSpec
from hwmodel.reservoir.header import scan_order
from hwmodel.reservoir.job import Job
from hwmodel.units import NEVER, Frequency, Time, format_time

__all__ = ["ChipResult", "HashingChip", "HashingChipSpec", "pack_result", "unpack_result"]

INPUTS = ("frequency", "job", "temperature", "voltage")
MAX_PENDING = 1 << 20


@dataclass(frozen=True)
class ChipResult:
    """What a result frame says between its preamble and its check sum.

    Attributes:
        nonce: as in the header.
        excess: half bits of difficulty above the mask.
        header: the byte of job number and small core.
        version_bits: rolled value, without its shift.
    """

    nonce: int
    excess: int
    header: int
    version_bits: int


def pack_result(result: ChipResult) -> int:
    """The eight bytes of a frame between preamble and check sum as the value of a message, a signed number of 64 bits.

    Example:
        >>> unpack_result(pack_result(ChipResult(0xEE307252, 2, 0x0B, 0x80CA)))
        ChipResult(nonce=3996152402, excess=2, header=11, version_bits=32970)
    """
    whole = scan_order(result.nonce) << 32 | result.excess << 24 | result.header << 16 | result.version_bits
    return int(whole - (1 << 64) if whole >> 63 else whole)


def unpack_result(value: int) -> ChipResult:
    """What `pack_result` packed.

    Raises:
        SpecError: a value beyond 64 bits.
    """
    if not -(1 << 63) <= value < 1 << 64:
        raise SpecError(f"unpack_result({value}): give a message of 64 bits")
    whole = int(value) & (1 << 64) - 1
    return ChipResult(scan_order(whole >> 32), whole >> 24 & 0xFF, whole >> 16 & 0xFF, whole & 0xFFFF)


@dataclass(frozen=True)
class HashingChipSpec:
    """What a chain was made of, for the manifest and for checkpoints.

    Attributes:
        chip: preset.
        oracle: where hits lie, in words.
        physics: what is modelled besides the ideal chip.
        chips: length of the chain.
        jobs: keys of the jobs by their numbers in messages.
        baud, fifo: of the serial line.
        ticket_mask: difficulty of a result.
        options: further parameters of `ChipModel`.
    """

    chip: ChipSpec
    oracle: str
    physics: Physics
    chips: int
    jobs: tuple[str, ...]
    baud: int
    fifo: int
    ticket_mask: int
    options: tuple[tuple[str, Any], ...]


class HashingChip(Component):
    """A chain of mining chips with its serial line.

    Inputs, all optional, are messages: `job` with the place of a job in `jobs`, or -1 to stop; `frequency` in Hz;
    `voltage` in uV; `temperature` of the air in thousandths of a degree C. The output `result` sends a message at the end
    of each result frame; its value is what `unpack_result` reads. Besides the ports one can watch `hit`, a pulse when a
    core has a result, before the line.

    Parameters:
        name: path of the component.
        spec: the chip.
        jobs: jobs that messages may name; the first begins at t = 0 unless `start` is False.
        oracle: where hits lie; by default drawn from the seed of the system.
        physics: None for an ideal chip.
        chips: length of the chain.
        ticket_mask: difficulty of a result, rounded down to a power of two.
        baud, fifo: of the serial line.
        start: whether the first job begins at once.
        options: `frequency`, `voltage`, `temperature`, `nonces_per_clock`, `batch_gap`, `batch_period`, `pll`, `count` of
            `ChipModel`.

    Raises:
        SpecError: no job, or a parameter out of its range.

    Example:
        >>> import hwmodel as hw
        >>> from hwmodel.units import s
        >>> chip = HashingChip("chip", jobs=[Job(8, 0x20000000, bytes(32), bytes(32), 0, 0)])
        >>> results = hw.System(chip).run(until=s(1), watch=["result"])["result"]
        >>> 80 < len(results.t) < 130, unpack_result(int(results.value[0])).header & 0xF8
        (True, 8)
    """

    def __init__(
        self,
        name: str,
        spec: ChipSpec = BM1366,
        *,
        jobs: Sequence[Job],
        oracle: HitOracle | None = None,
        physics: Physics | None = None,
        chips: int = 1,
        ticket_mask: int = 1,
        baud: int = 1_000_000,
        fifo: int = 16,
        start: bool = True,
        **options: Any,
    ) -> None:
        self.jobs = tuple(jobs)
        if not self.jobs or not all(isinstance(job, Job) for job in self.jobs):
            raise SpecError(f"chip '{name}': jobs={jobs!r}: give at least one Job")
        self.oracle, self.start = oracle, start
        keys = tuple(f"{job.job_id}:{job.key.hex()}" for job in self.jobs)
        made = HashingChipSpec(
            spec, repr(oracle) if oracle else "SampledHash of the system's seed", physics or Physics(), chips, keys,
            baud, fifo, ticket_mask, tuple(sorted({**options, "start": start}.items())),
        )  # fmt: skip
        self.options = options
        ports = [Port(port, "in", "event", 64, required=False) for port in INPUTS]
        super().__init__(name, [*ports, Port("result", "out", "event", 64)], made)
        self.model(0)  # what does not fit is refused now, not when the run begins
        self.reaction = int(self.line().frame)  # whatever a message changes, no frame ends sooner

    def model(self, seed: int) -> ChipModel:
        """A new model of the chain."""
        made: HashingChipSpec = self.spec
        oracle = SampledHash(seed) if self.oracle is None else self.oracle
        model = ChipModel(made.chip, oracle, made.physics, seed, chips=made.chips, **self.options)
        model.set_ticket_mask(Time(0), made.ticket_mask)
        return model

    def line(self) -> Uart:
        """A new serial line."""
        made: HashingChipSpec = self.spec
        return Uart(made.baud, made.chip.response_bytes, made.fifo)

    def signals(self) -> dict[str, SignalKind]:
        """Ports and hits."""
        return {**super().signals(), "hit": "pulse"}

    def build(self, context: BuildContext) -> ChipEngine:
        """Build the engine that runs the chain."""
        return ChipEngine(self, context)

    def stats(self, engine: Any, elapsed: int) -> dict[str, int | float | str]:
        """Results, wrong ones, those that an error took away, and those that the line dropped."""
        return dict(engine.stats())


class ChipEngine:
    """Runs a chain; made by `HashingChip.build`.

    An event is a message at its arrival, or a counter step at which a result may come. Of one femtosecond the messages
    come first. A frame is sent when its result comes, for the time at which it will end; if it is recorded, its end is
    an event too.
    """

    def __init__(self, component: HashingChip, context: BuildContext) -> None:
        self._component, self._context = component, context
        self._model = component.model(context.stream() >> 1)
        self._line = component.line()
        # End and value of the last frames; those that are on their way are among them, for the queue holds no more.
        self._frames: deque[tuple[int, int]] = deque(maxlen=self._line.fifo)
        self._pending: deque[tuple[int, int]] = deque()  # frames that are still to be recorded
        self._results = self._wrong = 0
        self._signal = {name: n for n, name in enumerate(context.watch)}
        self._output = context.ports_out.index("result") if "result" in context.linked else -1
        if context.snapshot is not None:
            self._restore(context.snapshot)
        elif component.start:
            self._model.set_job(Time(0), component.jobs[0])
        self._hit = self._model.next_hit()  # nothing comes from the chain before it

    # ------------------------------------------------------------------------------------------ engine protocol

    def advance(self, t1: int) -> None:
        """Take the messages, and send the frames of the results, with t < t1.

        Raises:
            SpecError: a message whose value makes no sense.
            QueueOverflowError: more frames on their way than the bound.
        """
        inbox = self._context.inbox
        if inbox.head != inbox.tail:
            for t, _, _, port, value in inbox.take(t1).tolist():
                if self._hit < t:
                    self._run(t)
                self._obey(t, self._context.ports_in[port], value)
                self._hit = self._model.next_hit()
        if self._hit < t1:
            self._run(t1)
            self._hit = self._model.next_hit()
        if self._pending:
            self._record(t1)

    def next_event(self) -> int:
        """Time of the next step at which a result may come, or of the end of a frame that is still to be recorded."""
        return min(self._hit, self._pending[0][0]) if self._pending else self._hit

    def sends(self, n: int) -> int:
        """Time in fs before which the n-th frame from now does not end, if no message comes."""
        return min(NEVER, self._model.next_hit(n) + int(self._line.frame))

    def state(self) -> State:
        """Registers, settings, and the last frames."""
        model = self._model.save()
        kept = ("registers", "conditions", "hertz", "slots", "waiting")
        return {
            **{name: model[name] for name in kept},
            "frames": np.array(self._frames, np.int64).reshape(-1, 2),
            "line": self._line.save(),
            "counts": np.array([self._results, self._wrong, self._model.lost], np.int64),
        }

    def snapshot(self) -> State:
        """All from which the chain goes on."""
        return {**self.state(), **self._model.save(), "pending": np.array(len(self._pending))}

    # ------------------------------------------------------------------------------------------ reports

    @property
    def model(self) -> ChipModel:
        """The chain, to be looked at."""
        return self._model

    def stats(self) -> dict[str, int | float | str]:
        """Key figures so far."""
        return {
            "results": self._results,
            "wrong": self._wrong,
            "lost_to_errors": self._model.lost,
            "dropped_by_line": self._line.dropped,
            "frequency_hz": float(self._model.frequency.hz),
            "voltage_v": self._model.voltage,
        }

    # ------------------------------------------------------------------------------------------ inside

    def _obey(self, t: int, port: str, value: int) -> None:
        where = f"chip '{self._context.path}': {port} {value} at t = {format_time(t)}"
        jobs, model, at = self._component.jobs, self._model, Time(t)
        if port == "job":
            if not -1 <= value < len(jobs):
                raise SpecError(
                    f"{where}: there are {len(jobs)} jobs; send 0 to {len(jobs) - 1}, or -1 to stop"
                )
            model.set_job(at, jobs[value] if value >= 0 else None)
        elif port == "temperature":
            model.set_temperature(at, value * 1e-3)
        elif value <= 0:
            raise SpecError(f"{where}: send Hz or uV above 0")
        elif port == "frequency":
            model.set_frequency(at, Frequency(value))
        else:
            model.set_voltage(at, value * 1e-6)
        if port in self._signal:
            self._context.recorder.record(t, self._signal[port], value)

    def _run(self, t1: int) -> None:
        """Put the results before `t1` on the line."""
        hits = self._model.take(t1)
        if not len(hits):
            return
        self._results += len(hits)
        if "hit" in self._signal:
            numbers = np.full(len(hits), self._signal["hit"], np.int64)
            self._context.recorder.extend(hits["t"], numbers, np.zeros(len(hits), np.int64))
        recorded = "result" in self._signal
        for t, nonce, version, job, _, _, slot, valid, difficulty in hits.tolist():
            self._wrong += not valid
            end = self._line.send_one(t)
            if end < 0:
                continue
            value = self._value(nonce, version, job, slot, difficulty if valid else 0.0)
            self._frames.append((end, value))
            if self._output >= 0:
                self._context.outbox.send(end, self._output, value)
            if recorded:
                self._pending.append((end, value))
        if len(self._pending) > MAX_PENDING:
            raise QueueOverflowError(
                f"chip '{self._context.path}': {len(self._pending)} frames wait at t = {format_time(t1)}, the bound is "
                f"{MAX_PENDING}; use shorter windows"
            )

    def _value(self, nonce: int, version: int, number: int, slot: int, difficulty: float) -> int:
        spec = self._component.spec.chip
        job = self._model.slots[number // spec.job_step]
        assert job is not None
        excess = 0
        if difficulty:
            excess = max(0, min(255, int(2 * math.log2(difficulty / self._model.ticket_mask))))
        rolled = (version & job.version_mask) >> job.shift
        return pack_result(ChipResult(nonce, excess, spec.response_header(number, slot), rolled & 0xFFFF))

    def _record(self, t1: int) -> None:
        """Record the frames that ended before `t1`."""
        pending, ready = self._pending, []
        while pending and pending[0][0] < t1:
            ready.append(pending.popleft())
        if ready:
            t, value = np.array(ready, np.int64).T
            self._context.recorder.extend(t, np.full(len(ready), self._signal["result"], np.int64), value)

    def _restore(self, snapshot: State) -> None:
        try:
            self._model.load(snapshot)
            self._line.load(snapshot["line"])
            self._frames.extend((int(t), int(value)) for t, value in snapshot["frames"])
            on_the_way = list(self._frames)[len(self._frames) - int(snapshot["pending"]) :]
            self._pending.extend(on_the_way)
            self._results, self._wrong, self._model.lost = (int(n) for n in snapshot["counts"])
        except (KeyError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"chip '{self._context.path}': the checkpoint was written by another version of the model ({error!r}); "
                "run from the beginning"
            ) from None
