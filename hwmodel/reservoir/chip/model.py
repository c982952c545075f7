"""A chain of hashing chips over time: jobs and settings in, results at exact femtoseconds out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import QueueOverflowError, SpecError, TimeRangeError
from hwmodel.reservoir.chip import _draws as d
from hwmodel.reservoir.chip._ahead import Stretch
from hwmodel.reservoir.chip._blocks import Blocks
from hwmodel.reservoir.chip._place import Place
from hwmodel.reservoir.chip._saving import jobs_as_array, jobs_from_array
from hwmodel.reservoir.chip.clock import NonceClock
from hwmodel.reservoir.chip.oracle import HIT, SHARE_1, HitOracle, SampledHash, key_of
from hwmodel.reservoir.chip.physics import Conditions, Physics
from hwmodel.reservoir.chip.pll import nearest_frequency
from hwmodel.reservoir.chips import BM1366, ChipSpec
from hwmodel.reservoir.header import BlockHeader
from hwmodel.reservoir.job import Job
from hwmodel.units import MAX_TIME, NEVER, Frequency, TimeLike, format_time, to_frequency, to_fs

__all__ = ["HIT", "ChipModel"]

Hits = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

SLICE = 1 << 19  # results that are worked out at once
MOST_BATCHES = 1 << 16
MAX_WAITING = 1 << 25  # results that wait to be fetched: some 1 GB
_NO_HITS = np.zeros(0, HIT)
LIMIT_NONCES_PER_CLOCK = 2  # what the register that limits a sweep takes for granted, says ESP-Miner 5c27713


class ChipModel:
    """A chain of equal chips that share jobs, clock, voltage and temperature.

    The hit of counter position c in batch b of a job comes at t0 + P (b + c / sweep), where t0 is the first counter step
    at or after the job came and P the time of a batch. Times are exact, also through changes of frequency, and do not
    depend on how a run is cut into calls.

    Parameters:
        spec: the chip.
        oracle: where hits lie; `SampledHash(seed)` by default.
        physics: None for an ideal chip.
        seed: of errors and delays, not of hits.
        chips: length of the chain.
        frequency, voltage: at the beginning, in place of the chip's defaults; V.
        temperature: of the air, C.
        nonces_per_clock, batch_gap: calibration, in place of the chip's figures.
        batch_period: measured time of a batch at the beginning's frequency, in place of `nonces_per_clock`.
        pll: round frequencies to what the PLL can make; without it any frequency is taken.
        count: keep the registers of hits of difficulty 1. Without it a mask of 2**k costs 2**k times less.

    Raises:
        SpecError: a parameter out of its range.

    Example:
        >>> from hwmodel.units import fs, s
        >>> model = ChipModel()
        >>> model.set_job(fs(0), Job(8, 0x20000000, bytes(32), bytes(32), 0, 0))
        >>> hits = model.run(s(1))
        >>> 80 < len(hits) < 130, bool(hits["valid"].all())  # 101 a second
        (True, True)
    """

    def __init__(
        self,
        spec: ChipSpec = BM1366,
        oracle: HitOracle | None = None,
        physics: Physics | None = None,
        seed: int = 0,
        *,
        chips: int = 1,
        frequency: Frequency | str | None = None,
        voltage: float | None = None,
        temperature: float = 25.0,
        nonces_per_clock: Fraction | float | None = None,
        batch_gap: int | None = None,
        batch_period: TimeLike | None = None,
        pll: bool = True,
        count: bool = True,
    ) -> None:
        self.spec, self.physics, self.seed = spec, physics or Physics(), int(seed)
        self.oracle: HitOracle = SampledHash(int(seed)) if oracle is None else oracle
        self.pll, self._count = pll, count
        given = spec.nonces_per_clock.value if nonces_per_clock is None else nonces_per_clock
        self.nonces_per_clock = Fraction(given).limit_denominator(10**9)
        gap = int(spec.batch_gap.value) if batch_gap is None else int(batch_gap)
        if self.nonces_per_clock <= 0:
            raise SpecError(f"ChipModel(nonces_per_clock={given!r}): give more than 0")
        self._places = tuple(Place(spec, n, chips, None, gap) for n in range(max(1, chips)))
        hertz = self._allowed(Fraction(spec.frequency.value).limit_denominator(10**6) * 10**6 if frequency is None
                              else to_frequency(frequency, "ChipModel(frequency)").hz)  # fmt: skip
        volts = spec.voltage.value * 1e-3 if voltage is None else float(voltage)
        if not (0 < volts < 100 and -273 < temperature < 1000):
            raise SpecError(f"ChipModel(voltage={volts} V, temperature={temperature} C): out of range")
        if batch_period is not None:
            period = Fraction(max(1, to_fs(batch_period, "ChipModel(batch_period)")), 10**15)
            self.nonces_per_clock = self._places[0].batch_steps / period / hertz
        self._conditions = Conditions(spec, self.physics, hertz, volts, float(temperature))
        self._clock = NonceClock(self._rate())
        self.job: Job | None = None
        self.slots: list[Job | None] = [None] * (-(-128 // spec.job_step))
        self.now = 0
        self._origin = self._done = 0  # steps at which the job began, and up to which results are worked out
        self._mask_bits = 0
        self._limit_ticks: int | None = None
        self._polls = 0  # looks of the throttle so far
        self._waiting: list[Hits] = []
        self._blocks = Blocks(self.oracle)
        self._registers = np.zeros((chips, spec.domains, 2), np.int64)  # right and wrong
        self.lost = 0
        self._keys = [[key_of(f"{name}/{n}", self.seed) for n in range(chips)]
                      for name in ("error", "keep", "delay")]  # fmt: skip
        self._burst = key_of("burst", self.seed)
        self._wrong: list[d.WrongResults] | None = None
        if self.physics.errors or (self.physics.planted and self.physics.planted.burst_probability):
            self._wrong = [d.WrongResults(place, self.oracle, self.seed) for place in self._places]
        self._plain = not count and chips == 1 and not self._wrong and self.physics.undisturbed
        self._ahead: Stretch | None = None  # from `now` on; `_done` stays behind until it is over

    # ------------------------------------------------------------------------------------------ settings

    @property
    def chips(self) -> int:
        """Length of the chain."""
        return len(self._places)

    @property
    def places(self) -> tuple[Place, ...]:
        """Which part of the search each chip does."""
        return self._places

    @property
    def frequency(self) -> Frequency:
        """Hash clock as it is now: what was set, rounded by the PLL, less what the throttle took."""
        return Frequency(self._conditions.hertz)

    @property
    def voltage(self) -> float:
        """Voltage as it is set now, V."""
        return self._conditions.volts

    @property
    def batch_period(self) -> Fraction:
        """Exact time of a batch as things are now, fs."""
        return self._clock.period * self._places[0].batch_steps

    @property
    def ticket_mask(self) -> int:
        """Difficulty that a result must have, a power of two."""
        return 1 << self._mask_bits

    def voltage_at(self, t: TimeLike) -> float:
        """Voltage at the chip, V, at a time since the last setting; droop is taken off."""
        return float(self._conditions.volts_at(np.array([to_fs(t, "t")]))[0])

    def temperature_at(self, t: TimeLike) -> float:
        """Temperature of the die, C, at a time since the last setting."""
        return float(self._conditions.celsius_at(np.array([to_fs(t, "t")]))[0])

    def error_probability(self, t: TimeLike) -> float:
        """Probability that a hash is wrong at a time since the last setting."""
        return float(self._conditions.error_probability(np.array([to_fs(t, "t")]))[0])

    def set_job(self, t: TimeLike, job: Job | None) -> None:
        """Take up a job at the next counter step, in place of the one before; None stops the chip."""
        at = self._advance(to_fs(t, "set_job(t)"))
        self.job = job
        if job is not None:
            self.slots[job.job_id // self.spec.job_step] = job
        self._places = tuple(replace(place, limit=self._sweep_limit()) for place in self._places)
        self._origin = self._done = self._clock.index(at)
        self._blocks.clear()
        working = job is not None and self._places[0].sweep > 0
        self._conditions.busy = working
        self._conditions.change(at, pause=working)

    def set_frequency(self, t: TimeLike, frequency: Frequency | str) -> Frequency:
        """Set the hash clock; return what the PLL makes of it. The counter goes on."""
        at = self._advance(to_fs(t, "set_frequency(t)"))
        self._conditions.hertz = self._allowed(to_frequency(frequency, "set_frequency(frequency)").hz)
        self._clock.change(at, self._rate())
        self._conditions.change(at)
        return self.frequency

    def set_voltage(self, t: TimeLike, voltage: float) -> None:
        """Set the core voltage, V.

        Raises:
            SpecError: not between 0 and 100 V. The safe range of a real chip is `ChipSpec.check_setting`'s.
        """
        at = self._advance(to_fs(t, "set_voltage(t)"))
        if not 0 < voltage < 100:
            raise SpecError(f"set_voltage({voltage!r}): give a voltage in V, above 0")
        self._conditions.volts = float(voltage)
        self._conditions.change(at)

    def set_temperature(self, t: TimeLike, celsius: float) -> None:
        """Set the temperature of the air, C; crystal and die follow."""
        at = self._advance(to_fs(t, "set_temperature(t)"))
        if not -273 < celsius < 1000:
            raise SpecError(f"set_temperature({celsius!r}): give a temperature in C")
        self._conditions.air = float(celsius)
        self._clock.change(at, self._rate())
        self._conditions.change(at)

    def set_ticket_mask(self, t: TimeLike, difficulty: float) -> None:
        """Report only results of so much difficulty, rounded down to a power of two from 1 to 2**32."""
        self._advance(to_fs(t, "set_ticket_mask(t)"))
        if not 1 <= difficulty <= 2**32:
            raise SpecError(f"set_ticket_mask({difficulty!r}): give a difficulty of 1 to 2**32")
        self._mask_bits = int(difficulty).bit_length() - 1
        self._blocks.clear()

    def set_sweep_limit(self, t: TimeLike, ticks: int | None) -> None:
        """Limit a sweep to ticks of the crystal, as register 0x10 does, from the next job on; 0 halts, None is no limit.

        The register counts on two nonces a clock, whatever the chip does.
        """
        self._advance(to_fs(t, "set_sweep_limit(t)"))
        if ticks is not None and not 0 <= ticks < 1 << 32:
            raise SpecError(f"set_sweep_limit({ticks!r}): give ticks of 32 bits")
        self._limit_ticks = ticks

    # ------------------------------------------------------------------------------------------ results

    def run(self, until: TimeLike) -> Hits:
        """Results with t < `until` that were not given before, type HIT, in order of time, chip and core.

        Raises:
            TimeRangeError: `until` lies in the past.
        """
        return self.take(to_fs(until, "run(until)"))

    def take(self, until: int) -> Hits:
        """What `run` does, with a plain number of femtoseconds."""
        if self._ahead is not None and self.now <= until <= self._ahead.end:
            self.now = until
            return self._ahead.take(until)
        end = self._advance(until)
        hits = self._waiting[0] if len(self._waiting) == 1 else np.concatenate([_NO_HITS, *self._waiting])
        if self.physics.delays or self.chips > 1:
            hits = hits[np.lexsort((hits["slot"], hits["core"], hits["chip"], hits["t"]))]
        ready = int(np.searchsorted(hits["t"], end, side="left")) if len(hits) else 0
        self._waiting = [hits[ready:]] if ready < len(hits) else []
        return hits[:ready]

    def check(self, header: BlockHeader) -> float:
        """Difficulty of a header by the oracle's rule; below 1 for one that is no hit."""
        return self.oracle.check(header)

    def registers(self, chip: int = 0) -> dict[int, int]:
        """Registers 0x88 to 0x8B (results of each of 4 domains), 0x4C (wrong ones), 0x8C (all), of 32 bits.

        They count results of difficulty 1, whatever the ticket mask is.
        """
        table = self._registers[chip]
        domains = np.zeros(4, np.int64)
        np.add.at(domains, np.arange(len(table)) % 4, table.sum(axis=1))
        found = {0x88 + n: int(domains[n]) for n in range(4)}
        found |= {0x4C: int(table[:, 1].sum()), 0x8C: int(table.sum())}
        return {name: value & 0xFFFFFFFF for name, value in found.items()}

    def next_hit(self, n: int = 1) -> int:
        """Time in fs before which the n-th result from now does not come, or NEVER; with errors the earliest candidate."""
        if self._plain and (ahead := self._look_ahead()) is not None:
            return ahead.next(n)
        waiting = [int(hits["t"].min()) for hits in self._waiting if len(hits)]
        return min([*waiting, self._next_poll(), self._next_candidate()])

    def save(self) -> dict[str, Any]:
        """State as arrays, from which `load` goes on in an equal model."""
        self._catch_up()
        limit = -1 if self._limit_ticks is None else self._limit_ticks
        sweep = self._places[0].limit
        place = [self.now, self._origin, self._done, self._mask_bits, limit, self._polls, self.lost]
        waiting = np.concatenate([np.zeros(0, HIT), *self._waiting])
        return {
            **self._conditions.save(),
            "clock": np.array(self._clock.save(), np.int64),
            "place": np.array([*place, -1 if sweep is None else sweep], np.int64),
            "slots": jobs_as_array([self.job, *self.slots]),
            "registers": self._registers.copy(),
            "waiting": np.frombuffer(waiting.tobytes(), np.uint8),
        }

    def load(self, saved: Any) -> None:
        """Take up what `save` gave."""
        self._conditions.load(saved)
        self._clock.load(saved["clock"])
        *place, limit, self._polls, self.lost, sweep = (int(x) for x in saved["place"])
        self.now, self._origin, self._done, self._mask_bits = place
        self._limit_ticks = None if limit < 0 else limit
        self._places = tuple(replace(p, limit=None if sweep < 0 else sweep) for p in self._places)
        self.job, *self.slots = jobs_from_array(saved["slots"])
        self._registers[:] = saved["registers"]
        waiting = np.frombuffer(np.asarray(saved["waiting"], np.uint8).tobytes(), HIT)
        self._waiting = [waiting.copy()] if len(waiting) else []
        self._blocks.clear()
        self._ahead = None

    # ------------------------------------------------------------------------------------------ inside

    def _allowed(self, hertz: Fraction) -> Fraction:
        if not 0 < hertz <= 10**12:
            raise SpecError(
                f"{self.spec.name}: frequency {float(hertz):g} Hz; give more than 0 and at most 1 THz"
            )
        if not self.pll:
            return hertz
        crystal = Fraction(self.spec.crystal.value).limit_denominator(1000) * 10**6
        return nearest_frequency(Frequency(hertz), crystal).hz

    def _rate(self) -> Fraction:
        crystal = self.physics.crystal
        factor = crystal.factor(self._conditions.air) if crystal else Fraction(1)
        return self._conditions.hertz * self.nonces_per_clock * factor

    def _sweep_limit(self) -> int | None:
        if self._limit_ticks is None:
            return None
        steps = self._limit_ticks * self._conditions.hertz * LIMIT_NONCES_PER_CLOCK
        return int(steps / (Fraction(self.spec.crystal.value).limit_denominator(1000) * 10**6))

    def _next_poll(self) -> int:
        throttle = self.physics.throttle
        return NEVER if throttle is None else (self._polls + 1) * round(throttle.interval * 1e15)

    def _advance(self, t: int) -> int:
        """Work out what comes before `t`."""
        if not self.now <= t <= MAX_TIME:
            raise TimeRangeError(
                f"the chain is at {format_time(self.now)}, {format_time(t)} is in its past or too late"
            )
        self._catch_up()
        self._ahead = None
        while (poll := self._next_poll()) < t:
            self._gather(poll)
            self._polls += 1
            self._throttle(poll)
        self._gather(t)
        self.now = t
        return t

    def _catch_up(self) -> None:
        """Note what was taken from the results ahead."""
        if self._ahead is not None:
            self._done = max(self._done, self._clock.index(self.now))

    def _look_ahead(self) -> Stretch | None:
        """Results of the rest of the block, if they are certain but for a change of a setting."""
        job, place, bits = self.job, self._places[0], self._mask_bits
        if self._ahead is None and job is not None and place.sweep and not self._waiting:
            last = self._block_end()
            if (end := self._clock.time(last)) <= MAX_TIME:
                found, steps = self._blocks.find(job, place, self._origin, self._done, last, bits)
                passes = found["difficulty"] >= SHARE_1 * 2.0**bits
                self._ahead = Stretch(self._as_hits(0, found, steps)[passes], end)
        return self._ahead

    def _block_end(self) -> int:
        """Step at which the block of batches ends in which the next step lies."""
        length = self._places[0].batch_steps * self.oracle.chunk
        return self._origin + ((self._done - self._origin) // length + 1) * length

    def _throttle(self, t: int) -> None:
        throttle, conditions = self.physics.throttle, self._conditions
        assert throttle is not None
        limit = self.spec.temperature_limit.value if throttle.celsius is None else throttle.celsius
        if float(conditions.celsius_at(np.array([t]))[0]) <= limit:
            return
        conditions.volts = max(
            conditions.volts - throttle.volts, min(conditions.volts, throttle.lowest_volts)
        )
        lowest = min(conditions.hertz, Fraction(throttle.lowest_hertz))
        conditions.hertz = self._allowed(max(conditions.hertz - throttle.hertz, lowest))
        self._clock.change(t, self._rate())
        conditions.change(t)

    def _gather(self, t: int) -> None:
        end = self._clock.index(t)
        if self.job is not None and self._places[0].sweep:
            length = self._places[0].batch_steps
            bits = 0 if self._count else self._mask_bits
            rate = max(1e-12, self._places[0].hashes() * self.chips * 2.0 ** -(self.oracle.zero_bits + bits))
            stride = length * int(max(1, min(MOST_BATCHES, SLICE / rate)))
            while self._done < end:
                # Slices end at multiples of the stride within the job, so that a block is asked for once.
                last = min(end, self._origin + ((self._done - self._origin) // stride + 1) * stride)
                for chip in range(self.chips):
                    self._work_out(chip, self._done, last)
                self._done = last
        self._done = max(self._done, end)

    def _work_out(self, chip: int, first: int, last: int) -> None:
        """Find the results of a chip at steps `first` to `last`, count them, and keep those that pass the mask."""
        bits = 0 if self._count else self._mask_bits
        assert self.job is not None
        found, steps = self._blocks.find(self.job, self._places[chip], self._origin, first, last, bits)
        hits = self._as_hits(chip, found, steps)
        passes = found["difficulty"] >= SHARE_1 * 2.0**self._mask_bits
        if self._wrong is not None:
            right = ~self._fails(chip, hits["t"], steps, found)
            self.lost += int((~right & passes).sum())
            hits, steps, passes = hits[right], steps[right], passes[right]
            hits, steps, passes = self._add_wrong(chip, first, last, bits, hits, steps, passes)
        planted = self.physics.planted
        if planted is not None and planted.depth:
            counters = d.names(steps, hits["core"], hits["slot"])
            kept = d.keeps(planted, self._keys[1][chip], counters, hits["t"])
            hits, steps, passes = hits[kept], steps[kept], passes[kept]
        if self._count:
            domain = self._places[chip].domain(hits["core"].astype(np.int64))
            cell = 2 * domain + ~hits["valid"]
            self._registers[chip] += np.bincount(cell, minlength=2 * self.spec.domains).reshape(-1, 2)
        if not passes.all():
            hits, steps = hits[passes], steps[passes]
        if self.physics.delays:
            counters = d.names(steps, hits["core"], hits["slot"])
            hits["t"] += d.delays(self._keys[2][chip], counters, self.physics.delays)
        if len(hits):
            self._keep(hits)

    def _keep(self, hits: Hits) -> None:
        self._waiting.append(hits)
        held = sum(map(len, self._waiting))
        if held > MAX_WAITING:
            raise QueueOverflowError(
                f"{self.spec.name}: {held} results at t = {format_time(int(hits['t'][0]))} were not fetched, the bound is "
                f"{MAX_WAITING}; call run() for shorter stretches, or raise the ticket mask"
            )

    def _as_hits(self, chip: int, found: Any, steps: Ints) -> Hits:
        assert self.job is not None
        hits = np.empty(len(found), HIT)
        hits["t"] = self._clock.times(steps)
        for name in ("nonce", "version", "core", "slot", "difficulty"):
            hits[name] = found[name]
        hits["job"], hits["chip"], hits["valid"] = self.job.job_id, chip, True
        return hits

    def _chance(self, t: Ints) -> npt.NDArray[np.float64]:
        chance = self._conditions.error_probability(t)
        planted = self.physics.planted
        if planted is not None and planted.burst_probability:
            chance = 1.0 - (1.0 - chance) * (1.0 - d.burst_error(planted, self._burst, t))
        return chance

    def _fails(self, chip: int, t: Ints, steps: Ints, found: Any) -> npt.NDArray[np.bool_]:
        drawn = d.uniforms(self._keys[0][chip], d.names(steps, found["core"], found["slot"]))
        return np.asarray(drawn < self._chance(t), np.bool_)

    def _add_wrong(
        self, chip: int, first: int, last: int, bits: int, hits: Hits, steps: Ints, passes: Any
    ) -> tuple[Hits, Ints, Any]:
        assert self.job is not None
        assert self._wrong is not None
        source = self._wrong[chip]
        found, at = source.between(self.job, self._places[chip], self._origin, first, last, bits)
        wrong = self._as_hits(chip, found, at)
        # The same draw may stand for a hit of the same small core and step: those exclude each other in any case.
        kept = self._fails(chip, wrong["t"], at, found)
        wrong, at, believed = wrong[kept], at[kept], found["difficulty"][kept]
        if not len(wrong):
            return hits, steps, passes
        source.label(self.job, wrong)
        wrong["valid"] = False
        hits, steps = np.concatenate([hits, wrong]), np.concatenate([steps, at])
        passes = np.concatenate([passes, believed <= 2.0**-self._mask_bits])
        order = np.argsort(d.names(steps, hits["core"], hits["slot"]), kind="stable")
        return hits[order], steps[order], passes[order]

    def _next_candidate(self) -> int:
        """Time of the next step at which a result may come, looking ahead one block at a time."""
        if self.job is None or not self._places[0].sweep:
            return NEVER
        first, end = self._done, self._block_end()
        best = end  # nothing in this block: its end is an event of its own, at which one looks again
        for chip in range(self.chips):
            place, bits = self._places[chip], 0 if self._count else self._mask_bits
            _, steps = self._blocks.find(self.job, place, self._origin, first, end, bits)
            best = min([best, *steps[:1].tolist()])
            if self._wrong is not None:
                _, at = self._wrong[chip].between(self.job, place, self._origin, first, best, bits)
                if len(at):
                    best = min(best, int(at[0]))
        t = self._clock.time(best)
        return t if t <= MAX_TIME else NEVER
