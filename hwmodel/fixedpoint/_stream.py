"""Plays inputs into a streaming interface and compares what comes out, whatever simulates it.

The same player drives PyRTL in this process and the test bench under Verilator or Icarus, so a rule of the
interface is checked in one place: data are right, in order, held while they wait, and on time.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Failure", "Play", "Player", "write_vcd"]

KEPT_BEFORE, KEPT_AFTER = 48, 8  # cycles of waveform around a difference
SETTLED = 4  # inputs after which outputs come at the lasting rate


@dataclass(frozen=True)
class Play:
    """What is to be played.

    Parameters:
        words: of `in_data`, in order.
        expected: of `out_data`, in order.
        beats_in, beats_out: words of one input and of one output.
        latency_cycles, ii_cycles: timing that the design promises.
        steady: inputs at the start that are played without stalls; the timing is measured on them.
        stall: share of the later cycles in which either side waits.
        seed: of the stalls.
    """

    words: list[int]
    expected: list[int]
    beats_in: int
    beats_out: int
    latency_cycles: int
    ii_cycles: int
    steady: int
    stall: float = 0.35
    seed: int = 1

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Play:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Failure:
    """The first difference: what, in which cycle, at which input and word."""

    what: str
    cycle: int
    item: int
    word: int
    expected: int | None = None
    got: int | None = None


@dataclass
class Player:
    """Gives the inputs of each cycle and looks at the outputs."""

    play: Play
    cycle: int = 0
    sent: int = 0
    offering: bool = False
    received: int = 0
    failure: Failure | None = None
    after: int = 0
    taken_at: list[int] = field(default_factory=list)
    given_at: list[int] = field(default_factory=list)
    waiting: int | None = None
    timed: bool = False
    rows: deque[tuple[int, ...]] = field(default_factory=lambda: deque(maxlen=KEPT_BEFORE + KEPT_AFTER))

    def __post_init__(self) -> None:
        """Seed the stalls and set the bound on the number of cycles."""
        self.random = random.Random(self.play.seed)
        items = max(len(self.play.words) // self.play.beats_in, 1)
        self.limit = 1000 + 20 * (self.play.latency_cycles + items * (self.play.ii_cycles + 2))

    @property
    def finished(self) -> bool:
        """Whether all has come, or a difference has been seen and its surroundings noted."""
        if self.failure is not None:
            return self.after >= KEPT_AFTER
        return self.received >= len(self.play.expected)

    def inputs(self) -> tuple[int, int, int]:
        """Give in_valid, in_data and out_ready of this cycle."""
        play = self.play
        if not self.offering and self.sent < len(play.words):
            steady = self.sent < play.steady * play.beats_in
            self.offering = steady or self.random.random() >= play.stall
        ready = self.received < play.steady * play.beats_out or self.random.random() >= play.stall
        self.now = int(self.offering), play.words[self.sent] if self.offering else 0, int(ready)
        return self.now

    def outputs(self, in_ready: int, out_valid: int, out_data: int) -> None:
        """Take in_ready, out_valid and out_data of this cycle; out_data counts only where out_valid is 1."""
        valid, data, ready = self.now
        expected = self.play.expected[self.received] if self.received < len(self.play.expected) else 0
        self.rows.append(
            (self.cycle, valid, in_ready, data, out_valid, ready, out_data if out_valid else 0, expected)
        )
        if valid and in_ready:
            self.taken_at.append(self.cycle)
            self.sent += 1
            self.offering = False
        if self.failure is None:
            self._look(ready, out_valid, out_data)
            self._check_timing()
        else:
            self.after += 1
        self.cycle += 1
        if self.cycle > self.limit and self.failure is None:
            self._fail(f"no output within {self.limit} cycles", None)

    def _look(self, ready: int, out_valid: int, out_data: int) -> None:
        if self.waiting is not None and (not out_valid or out_data != self.waiting):
            self._fail("an output that waited was not held", out_data if out_valid else None, self.waiting)
            return
        self.waiting = None
        if not out_valid:
            return
        if self.received >= len(self.play.expected):
            self._fail("an output that no input asked for", out_data)
        elif out_data != self.play.expected[self.received]:
            self._fail("the output differs", out_data, self.play.expected[self.received])
        elif ready:
            self.given_at.append(self.cycle)
            self.received += 1
        else:
            self.waiting = out_data

    def _check_timing(self) -> None:
        """Once the steady inputs are through, compare the timing with what was promised."""
        play = self.play
        words_in, words_out = play.steady * play.beats_in, play.steady * play.beats_out
        if self.timed or not play.steady or self.sent < words_in or self.received < words_out:
            return
        self.timed = True
        taken = self.taken_at[play.beats_in - 1 : words_in : play.beats_in]
        latency = self.given_at[play.beats_out - 1] - taken[0]
        if latency != play.latency_cycles:
            self._fail(f"latency {latency} cycles, promised {play.latency_cycles}", None)
            return
        # While the ranks fill, inputs may be taken faster than promised; outputs show the lasting rate sooner.
        given = self.given_at[play.beats_out - 1 : words_out : play.beats_out]
        pace = given[-1] - given[-2] if play.steady >= SETTLED else play.ii_cycles
        if taken[-1] - taken[0] > (play.steady - 1) * play.ii_cycles:
            what = (
                f"{taken[-1] - taken[0]} cycles between {play.steady} inputs, promised {play.ii_cycles} each"
            )
            self._fail(what, None)
        elif pace != play.ii_cycles:
            self._fail(f"{pace} cycles between two outputs, promised {play.ii_cycles}", None)

    def _fail(self, what: str, got: int | None, expected: int | None = None) -> None:
        item, word = divmod(min(self.received, max(len(self.play.expected) - 1, 0)), self.play.beats_out)
        self.failure = Failure(what, self.cycle, item, word, expected, got)

    def report(self) -> dict[str, Any]:
        """Give the outcome as JSON can hold it."""
        failure = None if self.failure is None else asdict(self.failure)
        return {"cycles": self.cycle, "failure": failure, "rows": list(self.rows)}


def write_vcd(path: Path, rows: Sequence[Sequence[int]], in_width: int, out_width: int) -> None:
    """Write noted cycles as a waveform, 1 ns each."""
    from vcd import VCDWriter

    names = ("cycle", "in_valid", "in_ready", "in_data", "out_valid", "out_ready", "out_data", "expected")
    widths = (32, 1, 1, in_width, 1, 1, out_width, out_width)
    with path.open("w", encoding="utf-8") as out, VCDWriter(out, timescale="1 ns", date="") as writer:
        variables = [
            writer.register_var("interface", name, "wire", size=width, init=0)
            for name, width in zip(names, widths, strict=True)
        ]
        for row in rows:
            for variable, value in zip(variables, row, strict=True):
                writer.change(variable, row[0], value)
        writer.close(rows[-1][0] + 1 if rows else 0)
