"""Boards that the programme is run on, and what they give: captures with their set points."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hwmodel.reservoir.chip import (
    ChipModel,
    Crystal,
    ErrorModel,
    FosterLadder,
    Physics,
    Planted,
    SampledHash,
    serialise,
)
from hwmodel.reservoir.chips import BM1366
from hwmodel.reservoir.job import VERSION_MASK, Job
from hwmodel.units import Frequency, Time

from .plan import Plan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FS = 10**15
US = 10**9
JOB_IDS = 16
FAULTS = ("none", "deaf rail", "slow clock", "corrupted frames", "long jobs")
PLANTS = ("none", "heartbeat", "jitter", "bursts")
LIMITS_HZ = (900e6, 885e6)  # two chips are never equal; estimate
PPM = (6.0, -9.0)
STAMP_NOISE_S = 1.5e-6  # of the emulated host, within the bound of the plan
PLL_JITTER_S = 1e-11
CORRUPTED = 0.05
TICK_US = 10_000
LONG_JOB_S, STREAM_S = 600.0, 10.0
SETTLING = 1 << 16  # ticket mask while nobody listens


@dataclass(frozen=True)
class SetPoint:
    """What was asked for and what was measured: V, Hz, C."""

    volts_asked: float
    volts: float
    hertz_asked: float
    hertz: float
    celsius: float | None


@dataclass(frozen=True, eq=False)
class Capture:
    """Results at one set point.

    t_us: end of each frame, us. run: number of the job of each. place: batch and part of its sweep by the nonce clock.
    valid: whether the header hashes to the mask. known: key of the header. starts_us: when each job was sent.
    registers: counts of register 0x4C (wrong) and 0x8C (all) over the capture, where they were read. stamp: digest of
    the plan under which it was taken.
    """

    setpoint: SetPoint
    t_us: Ints
    run: Ints
    place: Floats
    valid: npt.NDArray[np.bool_]
    known: Ints
    starts_us: Ints
    seconds: float
    job_s: float
    registers: tuple[int, int] | None
    stamp: str

    @property
    def times(self) -> Floats:
        """Seconds since the beginning of the capture."""
        return np.asarray((self.t_us - self.starts_us[0]) * 1e-6, np.float64)


class Board(Protocol):
    """A chip that can be set, settled and listened to."""

    baud: int

    def set(self, volts: float, megahertz: float, settle_s: float) -> SetPoint:
        """Set voltage and clock, wait, and measure."""
        ...

    def capture(self, jobs: Sequence[Job], job_s: float) -> Capture:
        """Give jobs one after the other and keep the results."""
        ...


def job_of(name: str) -> Job:
    """A job with random headers that its name fixes."""
    first, second = (hashlib.sha256(f"{name}/{n}".encode()).digest() for n in (0, 1))
    number = first[0] % JOB_IDS
    return Job(8 * number, 0x20000000, first, second, 1_700_000_000, 0x17034219)


def jobs_of(name: str, count: int) -> list[Job]:
    """Fresh jobs whose numbers go round."""
    return numbered([job_of(f"{name}/{n}") for n in range(count)])


def numbered(jobs: Sequence[Job]) -> list[Job]:
    """The jobs with numbers that go round, so that a late result is not taken for one of the next job."""
    return [replace(job, job_id=8 * (n % JOB_IDS)) for n, job in enumerate(jobs)]


def physics_of(plan: Plan, chip: int, plant: str = "none") -> Physics:
    """Of an emulated chip: timing errors, self-heating, a crystal, PLL jitter, and what is planted."""
    c = plan["controls"]
    planted = {
        "none": None,
        "heartbeat": Planted(frequency=plan["h2"]["frequency_hz"], depth=c["planted_depth"]),
        "jitter": Planted(jitter=c["planted_jitter_us"] * 1e-6),
        "bursts": Planted(
            burst_probability=c["planted_burst_probability"],
            burst_seconds=c["planted_burst_s"],
            burst_error=c["planted_burst_error"],
        ),
    }[plant]
    return Physics(
        errors=ErrorModel(limit=LIMITS_HZ[chip % len(LIMITS_HZ)]),
        thermal=FosterLadder(),
        crystal=Crystal(ppm=PPM[chip % len(PPM)]),
        jitter=PLL_JITTER_S,
        planted=planted,
    )


class EmulatedBoard:
    """An emulated chip behind a UART and a host that stamps microseconds.

    Parameters:
        plan: set points and the digest that captures are stamped with.
        chip, session: which one; the hits of a job are the same on all.
        plant: of `PLANTS`. fault: of `FAULTS`.
        registers: count errors in the chip; without them settling costs little.
    """

    def __init__(
        self,
        plan: Plan,
        chip: int,
        session: int,
        plant: str = "none",
        fault: str = "none",
        registers: bool = True,
    ) -> None:
        self.plan, self.fault = plan, fault
        self.baud = int(plan["capture"]["baud"][session % len(plan["capture"]["baud"])])
        self._seed = [plan.seed, chip, session]
        self._rng = np.random.default_rng([*self._seed, 11])
        self._oracle = SampledHash(plan.seed)
        points = plan["setpoints"]
        self.model = ChipModel(
            BM1366, self._oracle, physics_of(plan, chip, plant),
            seed=plan.seed * 1000 + 10 * chip + session, voltage=points["voltage"], temperature=points["air_c"],
            frequency=_mhz(points["frequency_mhz"]), pll=False,
            count=registers,
        )  # fmt: skip
        self._registers = registers
        self._now = 0
        self._asked = points["voltage"], points["frequency_mhz"]
        self._jobs = 0

    def set(self, volts: float, megahertz: float, settle_s: float) -> SetPoint:
        """Set voltage and clock, hash for a while, and measure."""
        now = Time(self._now)
        if self.fault != "deaf rail":
            self.model.set_voltage(now, volts)
        self.model.set_frequency(now, _mhz(megahertz))
        self._asked = volts, megahertz
        if settle_s > 0:
            self._jobs += 1
            self.model.set_job(now, job_of(f"settle/{self._seed}/{self._jobs}"))
            if not self._registers:
                self.model.set_ticket_mask(now, SETTLING)
            self._now += round(settle_s * FS)
            self.model.run(Time(self._now))
            if not self._registers:
                self.model.set_ticket_mask(Time(self._now), 1)
        return self._measured()

    def _measured(self) -> SetPoint:
        celsius = self.model.temperature_at(Time(self._now))
        hertz = float(self.model.frequency.hz)
        return SetPoint(self._asked[0], self.model.voltage, self._asked[1] * 1e6, hertz, celsius)

    def capture(self, jobs: Sequence[Job], job_s: float) -> Capture:
        """Give jobs one after the other and keep the results; hits of all jobs are found again for the labels."""
        if self.fault == "long jobs" and len(jobs) > 1 and job_s >= STREAM_S:
            jobs, job_s = jobs[:2], LONG_JOB_S  # as a pool that has no new work for a while
        before, begin = self.model.registers(), self._now
        parts, starts = [], []
        for job in numbered(jobs):
            starts.append(self._now)
            self.model.set_job(Time(self._now), job)
            self._now += round(job_s * FS)
            parts.append(self.model.run(Time(self._now)))
        after = self.model.registers()
        hits = np.concatenate(parts)
        run = np.repeat(np.arange(len(jobs)), [len(part) for part in parts])
        arrivals = serialise(hits, self.baud, self.plan["capture"]["frame_bytes"], fifo=64)
        hits, run = hits[arrivals.sent], run[arrivals.sent]
        noise = self._rng.normal(0.0, STAMP_NOISE_S * FS, len(hits))
        t_us = np.sort(np.floor((arrivals.t + noise) / US).astype(np.int64))
        if self.fault == "slow clock":
            t_us = -(-t_us // TICK_US) * TICK_US
        nonces = hits["nonce"].copy()
        if self.fault == "corrupted frames":
            nonces[self._rng.random(len(nonces)) < CORRUPTED] ^= np.uint32(1 << 7)
        known = keys(nonces, hits["version"])
        wrong, total = ((after[n] - before[n]) & 0xFFFFFFFF for n in (0x4C, 0x8C))
        return Capture(
            self._measured(), t_us, run, places(nonces, hits["version"]), self._rehash(jobs, run, known, job_s),
            known, np.array(starts) // US, (self._now - begin) / FS, job_s, (wrong, total) if self._registers else None,
            self.plan.digest,
        )  # fmt: skip

    def _rehash(self, jobs: Sequence[Job], run: Ints, known: Ints, job_s: float) -> npt.NDArray[np.bool_]:
        """Whether each header is a hit by the oracle that stands for the hash, asked anew and not by the chip."""
        place, valid = self.model.places[0], np.zeros(len(known), np.bool_)
        batches = int(job_s * FS / float(self.model.batch_period)) + 2
        tables: dict[bytes, Ints] = {}
        edges = np.searchsorted(run, np.arange(len(jobs) + 1))
        for n, job in enumerate(jobs):
            if job.key not in tables:
                found = self._oracle.hits(job, place, 0, batches)
                tables[job.key] = np.sort(keys(found["nonce"], found["version"]))
            table, mine = tables[job.key], known[edges[n] : edges[n + 1]]
            at = np.minimum(np.searchsorted(table, mine), len(table) - 1)
            valid[edges[n] : edges[n + 1]] = table[at] == mine
        return valid


def keys(nonces: Any, versions: Any) -> Ints:
    """One number for a header among those of a job, in the low 48 bits: rolled version and nonce."""
    rolled = (versions.astype(np.int64) & VERSION_MASK) >> 13
    return np.asarray((rolled << 32) | nonces.astype(np.int64), np.int64)


def places(nonces: Any, versions: Any, bits: int = 25) -> Floats:
    """Batch and part of the sweep at which the counter reaches each nonce."""
    from hwmodel.reservoir.clock import Geometry

    return Geometry().place(nonces.astype(np.int64), versions.astype(np.int64), bits, True)


def _mhz(megahertz: float) -> Frequency:
    return Frequency(round(megahertz * 1e6))
