"""Time a long trace by samples: most of it only warms caches and predictor, short stretches are timed.

The stretches lie at equal distances, as in SMARTS (Wunderlich, Wenisch, Falsafi, Hoe, ISCA 2003, whose estimator and
confidence interval these are): before each, some instructions run in full detail without being counted, so that the
queues are as full as they would be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral

from hwmodel.cryo._trace_base import Chunk, TraceSource
from hwmodel.cryo.config import Machine
from hwmodel.cryo.timing import CHUNK, CPI_PARTS, TimedRun
from hwmodel.errors import SpecError

__all__ = ["Sampled", "simulate_samples"]

Z95 = 1.96  # two-sided 95 % of the normal distribution


@dataclass(frozen=True)
class Sampled:
    """An estimate from samples.

    Parameters:
        instructions: of the whole trace.
        samples: how many stretches were timed.
        timed: instructions in them.
        cpi: mean cycles an instruction.
        half_width: half the 95 % confidence interval of `cpi`; infinite with fewer than two samples.
        cpi_stack: mean cycles an instruction by cause; sums to `cpi`.

    Example:
        >>> Sampled(1_000_000, 100, 100_000, 1.25, 0.05, {}).cycles
        1250000.0
    """

    instructions: int
    samples: int
    timed: int
    cpi: float
    half_width: float
    cpi_stack: dict[str, float]

    @property
    def cycles(self) -> float:
        """Estimated cycles of the whole trace."""
        return self.cpi * self.instructions

    @property
    def ipc(self) -> float:
        """Estimated instructions a cycle."""
        return 1 / self.cpi if self.cpi else 0.0

    def __str__(self) -> str:
        share = (
            f"{self.half_width / self.cpi:.1%}" if self.cpi and math.isfinite(self.half_width) else "unknown"
        )
        return (
            f"CPI {self.cpi:.4f} +- {share} (95 %), {self.samples} samples, {self.timed} of {self.instructions}"
            " instructions timed"
        )


def simulate_samples(
    source: TraceSource,
    machine: Machine,
    *,
    period: int = 1_000_000,
    length: int = 10_000,
    lead: int = 20_000,
    start: int = 0,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sampled:
    """Estimate the cycles of a long trace from stretches at equal distances.

    Parameters:
        source: an open trace.
        machine: core, caches and memory.
        period: instructions from the beginning of one stretch to that of the next.
        length: instructions of a timed stretch.
        lead: instructions in front of each that run in full detail without being counted.
        start, limit: the part of the trace that is looked at.
        progress: called with (instructions done, instructions in all).

    Raises:
        SpecError: a period shorter than lead and stretch together, or a trace without a whole stretch.

    Source:
        R. E. Wunderlich et al., "SMARTS", ISCA 2003: systematic sampling with functional warming.
    """
    _check_whole(period=period, length=length, lead=lead, start=start, limit=limit)
    if length < 1 or lead < 0 or period < lead + length:
        raise SpecError(
            f"simulate_samples(period={period}, length={length}, lead={lead}): a period holds the lead and a stretch"
            " of at least one instruction"
        )
    stop = None if limit is None else start + limit
    cut = _phases(source, period, length, lead, start, stop)
    stacks, seen = _run_samples(
        TimedRun(machine), cut, period, start, int(source.meta.get("instructions") or 0), progress
    )
    if not stacks:
        raise SpecError(
            f"simulate_samples: {seen} instructions hold no whole period of {period}; give a shorter one"
        )
    cpis = [sum(stack) / length for stack in stacks]
    mean = sum(cpis) / len(cpis)
    half = math.inf
    if len(cpis) > 1:
        variance = sum((cpi - mean) ** 2 for cpi in cpis) / (len(cpis) - 1)
        half = Z95 * math.sqrt(variance / len(cpis))
    parts = [sum(column) / length / len(stacks) for column in zip(*stacks, strict=True)]
    return Sampled(
        seen, len(stacks), length * len(stacks), mean, half, dict(zip(CPI_PARTS, parts, strict=True))
    )


def _check_whole(**values: int | None) -> None:
    for name, value in values.items():
        if value is None and name == "limit":
            continue
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or (name in ("start", "limit") and int(value or 0) < 0):
            raise SpecError(f"simulate_samples({name}={value!r}): give a whole number, 0 or more")


def _run_samples(
    run: TimedRun,
    cut: Iterator[tuple[Chunk, int]],
    period: int,
    start: int,
    total: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[list[int]], int]:
    """Warm and run the parts of a trace; give the cycles of each stretch by cause, and the instructions seen."""
    stacks: list[list[int]] = []
    seen = 0
    before: tuple[int, list[int]] | None = None
    for chunk, phase in cut:
        seen += len(chunk)
        if phase == 0:
            run.warm(chunk)
        else:
            if phase == 2 and before is None:
                before = _account(run)
            run.run(chunk)
        if phase == 2 and (chunk.first - start + len(chunk)) % period == 0:
            assert before is not None
            after = _account(run)
            stacks.append([now - old for now, old in zip(after[1], before[1], strict=True)])
            before = None
        if progress is not None:
            progress(chunk.first + len(chunk), total)
    return stacks, seen


def _account(run: TimedRun) -> tuple[int, list[int]]:
    """Cycles so far, and by cause."""
    timing = run.result()
    return timing.cycles, list(timing.cpi_stack.values())


def _phases(
    source: TraceSource, period: int, length: int, lead: int, start: int, stop: int | None
) -> Iterator[tuple[Chunk, int]]:
    """Cut a trace at the borders of its phases: 0 warming, 1 lead, 2 stretch; a stretch ends its period."""
    marks = (period - lead - length, period - length, period)
    for chunk in source.chunks(CHUNK, start=start, stop=stop):
        done = 0
        used = 0
        counts = (chunk.statics["loads"].astype(int) + chunk.statics["stores"])[chunk.indices]
        while done < len(chunk):
            place = (chunk.first - start + done) % period
            phase = next(p for p, mark in enumerate(marks) if place < mark)
            n = min(marks[phase] - place, len(chunk) - done)
            operands = int(counts[done : done + n].sum())
            part = Chunk(
                chunk.statics,
                chunk.ids[done : done + n],
                chunk.addresses[used : used + operands],
                chunk.first + done,
            )
            yield part, phase
            done += n
            used += operands
