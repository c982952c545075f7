"""Event-level simulators of a chain from hits to log entries, without any physics of silicon.

A Poisson source, then what ordinary engineering does to it: jobs that repeat, a serial line, a host that polls, a
network that stalls, a pool that answers each share with a new job, reboots, and a frequency that changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError

__all__ = ["SCENARIOS", "Chain", "Scenario", "simulate"]

Floats = npt.NDArray[np.float64]

MAX_EVENTS = 100_000_000
BITS_A_BYTE = 10  # start, eight data bits, stop
MAX_ROUNDS = 64


@dataclass(frozen=True)
class Chain:
    """What stands between hits and log; times in seconds, zero where a stage adds nothing.

    Parameters:
        rate: hits a second while mining.
        replay: one job's hits are repeated with this period, as when a job is sent again.
        duplicates: share of hits that are reported twice, on average `duplicate_delay` later.
        baud: of the serial line; a frame has `frame_bytes` bytes of ten bits and waits for those before it.
        tick: the host looks at its input once a tick; what came in between is stamped with the next one.
        latency, jitter: mean and sd of the network's delay; `stalls` is the share of packets held up by a further
            0 ... `stall`. Order is kept, so what comes behind a stalled packet arrives with it.
        dead, dead_tail, dead_shape: after a hit there is no new work for `dead` plus a gamma-distributed time of
            mean `dead_tail` and this shape (1: exponential).
        extras: mean number of further hits of the old job, at gaps drawn from `extra_gaps`.
        reboot_every, reboot_for: at the end of each period the miner is away for some time.
        factors, dwell: relative rates through which a frequency cycles, and the time at each.
        thinning, thinning_period: slow sinusoidal loss of up to this share of the hits.

    Raises:
        SpecError: a parameter out of its range.

    Example:
        >>> Chain(rate=0.394).mean_interval
        2.538...
    """

    rate: float
    replay: float = 0.0
    duplicates: float = 0.0
    duplicate_delay: float = 0.1
    baud: float = 0.0
    frame_bytes: int = 11
    tick: float = 0.0
    latency: float = 0.0
    jitter: float = 0.0
    stalls: float = 0.0
    stall: float = 0.0
    dead: float = 0.0
    dead_tail: float = 0.0
    dead_shape: float = 1.0
    extras: float = 0.0
    extra_gaps: tuple[float, ...] = ()
    reboot_every: float = 0.0
    reboot_for: float = 0.0
    factors: tuple[float, ...] = ()
    dwell: float = 0.0
    thinning: float = 0.0
    thinning_period: float = 600.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                if not (math.isfinite(number) and number >= 0):
                    raise SpecError(f"Chain: {field.name}={value!r} must be finite and not negative")
        for name in ("duplicates", "stalls", "thinning"):
            if getattr(self, name) > 1:
                raise SpecError(f"Chain: {name}={getattr(self, name)} is a share; it must not exceed 1")
        if self.rate <= 0:
            raise SpecError(f"Chain: rate={self.rate} must be positive, in hits a second")
        if self.dead_shape <= 0:
            raise SpecError(f"Chain: dead_shape={self.dead_shape} must be positive; 1 is an exponential tail")
        if self.reboot_for and self.reboot_for >= self.reboot_every:
            raise SpecError(
                f"Chain: reboot_for={self.reboot_for} must be below reboot_every={self.reboot_every}"
            )
        if self.factors and not (self.dwell > 0 and all(self.factors)):
            raise SpecError(f"Chain: factors={self.factors} must be positive and need a dwell, in seconds")
        if self.extras and not self.extra_gaps:
            raise SpecError(f"Chain: extras={self.extras} needs extra_gaps, the gaps to draw from")

    @property
    def mean_interval(self) -> float:
        """Mean interval of the source alone, seconds."""
        return 1 / self.rate + self.dead + self.dead_tail

    @property
    def is_ideal(self) -> bool:
        """Whether nothing but a Poisson source is left."""
        return self == Chain(rate=self.rate)


def simulate(chain: Chain, events: int, seed: int | list[int] = 0) -> Floats:
    """Times in seconds of the first `events` log entries; the same seed gives the same times.

    Raises:
        SpecError: events outside 1 ... 1e8, or a chain that lets nothing through.

    Example:
        >>> t = simulate(Chain(rate=101.0, tick=0.01), 1000, seed=1)
        >>> len(t), bool(np.all(np.diff(t) >= 0))
        (1000, True)
    """
    if not 1 <= events <= MAX_EVENTS:
        raise SpecError(f"simulate: events={events} must lie in 1 ... {MAX_EVENTS}")
    wanted = events + 16
    for attempt in range(MAX_ROUNDS):
        rng = np.random.default_rng(seed)
        times = _log(chain, wanted, rng)
        if len(times) >= events:
            return times[:events]
        wanted = max(int(wanted * 1.3), int(wanted * events / max(len(times), events // 64, 1))) + 64
        if wanted > 64 * (events + 64) and attempt > 2:
            break
    raise SpecError(f"simulate: {chain} lets too few of its hits through; reduce reboots or thinning")


def _log(chain: Chain, wanted: int, rng: np.random.Generator) -> Floats:
    times = _source(chain, wanted, rng)
    if chain.thinning:
        keep = 1 - chain.thinning * (1 + np.sin(2 * np.pi * times / chain.thinning_period)) / 2
        times = times[rng.random(len(times)) < keep]
    if chain.reboot_for:
        times = times[times % chain.reboot_every < chain.reboot_every - chain.reboot_for]
    end = times[-1] if len(times) else 0.0
    if chain.duplicates:
        again = times[rng.random(len(times)) < chain.duplicates]
        times = np.sort(np.concatenate([times, again + rng.exponential(chain.duplicate_delay, len(again))]))
    times = times[times <= end]
    if chain.baud:
        frame = chain.frame_bytes * BITS_A_BYTE / chain.baud
        steps = frame * np.arange(len(times))
        times = np.maximum.accumulate(times - steps) + steps + frame
    if chain.tick:
        times = np.ceil(times / chain.tick) * chain.tick
    if chain.latency or chain.jitter or chain.stalls:
        delay = np.maximum(rng.normal(chain.latency, chain.jitter, len(times)), 0.0)
        held = rng.random(len(times)) < chain.stalls
        delay[held] += rng.uniform(0.0, chain.stall, int(held.sum()))
        times = np.maximum.accumulate(times + delay)
    return times


def _source(chain: Chain, wanted: int, rng: np.random.Generator) -> Floats:
    """Hits of the chip itself, in time order."""
    if chain.replay:
        job = np.sort(rng.uniform(0.0, chain.replay, max(1, rng.poisson(chain.rate * chain.replay))))
        passes = -(-wanted // len(job))
        return np.asarray((chain.replay * np.arange(passes)[:, None] + job).ravel())
    gaps = rng.exponential(1 / chain.rate, wanted)
    if chain.dead or chain.dead_tail:
        gaps += chain.dead
        if chain.dead_tail:
            gaps += rng.gamma(chain.dead_shape, chain.dead_tail / chain.dead_shape, wanted)
    times = np.cumsum(gaps)
    if chain.extras:
        counts = rng.poisson(chain.extras, wanted)
        owners = np.repeat(times, counts)
        further = owners + rng.choice(np.array(chain.extra_gaps), len(owners))
        times = np.sort(np.concatenate([times, further[further < times[-1]]]))
    return _at_changing_rate(times, chain) if chain.factors else times


def _at_changing_rate(times: Floats, chain: Chain) -> Floats:
    """Stretch nominal time so that the rate goes through its factors."""
    work = np.array(chain.factors) * chain.dwell
    periods = int(times[-1] / work.sum()) + 2
    done = np.concatenate([[0.0], np.cumsum(np.tile(work, periods))])
    return np.asarray(np.interp(times, done, chain.dwell * np.arange(len(done))))


@dataclass(frozen=True)
class Scenario:
    """A chain and what was found for it: CV, LV, Fano factors against window (s), KS distance; None: not given."""

    chain: Chain
    cv: float
    lv: float | None
    fano: tuple[tuple[float, float], ...]
    ks: float | None


RATE_256 = 0.394  # nonces a second of a BM1366 at 485 MHz behind ticket mask 256
RATE_1 = 101.0  # behind ticket mask 1
RATE_S9 = 1 / 0.0814  # an S9 of 13.5 TH/s behind mask 256

# estimate: event-level simulations of the programme's preparation, one seed each; see the explanation of null models
SCENARIOS = MappingProxyType({
    "ideal": Scenario(Chain(RATE_256), 0.997, 0.997, ((1, 1.0), (10, 1.0), (100, 1.04)), 0.003),
    "mask 1, 1 Mbaud": Scenario(Chain(RATE_1, baud=1e6), 1.000, 0.997, ((1, 1.05), (10, 1.0)), 0.011),
    "mask 1, 115200 baud": Scenario(Chain(RATE_1, baud=115_200), 0.996, 0.897, (), 0.092),
    "mask 1, 10 ms tick": Scenario(Chain(RATE_1, tick=0.01), 1.080, 1.69, (), 0.371),
    "wireless": Scenario(
        Chain(RATE_256, latency=0.02, jitter=0.01, stalls=0.002, stall=1.0), 0.997, 0.999, ((1, 1.0),), 0.003
    ),
    "stalls": Scenario(
        Chain(RATE_256, stalls=0.05, stall=20.0), 1.355, 1.05, ((1, 2.14), (10, 1.83), (100, 1.15)), 0.167
    ),
    "closed loop": Scenario(Chain(RATE_S9, dead=0.016), 0.840, 0.610, ((1, 0.68), (10, 0.72)), 0.152),
    "reboots": Scenario(
        Chain(RATE_256, reboot_every=600.0, reboot_for=60.0), 1.757, 1.016, ((1, 1.04), (10, 1.39), (100, 3.22)), 0.037
    ),
    "two frequencies": Scenario(
        Chain(RATE_256 * 300 / 485, factors=(1.0, 5 / 3), dwell=600.0), 1.062, 1.001, ((1, 1.02), (10, 1.21)), 0.016
    ),
    "slow thinning": Scenario(
        Chain(RATE_256, thinning=0.2), 1.005, 0.999, ((1, 1.0), (10, 1.02), (100, 1.25)), 0.002
    ),
    "duplicates": Scenario(
        Chain(RATE_256, duplicates=0.05, duplicate_delay=0.01), 1.046, 1.186, ((1, 1.09), (10, 1.09)), 0.048
    ),
})  # fmt: skip
