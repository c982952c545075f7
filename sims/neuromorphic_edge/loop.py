"""The closed loop as a system: which component stands where, what joins them, and how long a signal flies.

300 K  asic --result--> features      tuner --frequency--> asic
4 K    features --a, b, clk--> sfq     core --step--> tuner (300 K)
77 K   sfq --out1..4--> counter --> readout --> taker --> core (4 K, its L2 and L3 at 77 K)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import hwmodel as hw
from hwmodel import hdl
from hwmodel.cryo import technology
from hwmodel.cryo.config import Machine, cryo_ooo
from hwmodel.cryo.engine import Doorbell, DoorbellStore, Mailbox, TracedCore
from hwmodel.errors import SpecError
from hwmodel.fixedpoint import Design, Graph, emit
from hwmodel.kernel import Component
from hwmodel.reservoir.chip.engine import HashingChip
from hwmodel.reservoir.chip.oracle import RealHash
from hwmodel.reservoir.chips import Figure, small_chip
from hwmodel.reservoir.job import Job
from hwmodel.sfq.neuro import NetworkSpec, PulseNetwork
from hwmodel.units import Frequency, GHz, MHz, Time, fs, ns, ps, to_frequency, to_fs

from . import parts

FOLDER = Path(__file__).resolve().parent
PROGRAM = FOLDER / "program" / "controller.hwt.xz"
WEIGHTS = FOLDER / "weights.npz"
PROGRAM_STEPS = 16  # readings of the mailbox that the recorded program holds

# Addresses of the program's ports, as in controller.c.
ESTIMATE, TARGET, STEP = 0x1000_0000, 0x1000_0040, 0x1000_0080

UNITS = 64  # an estimate counts in 1/64 of a million hits a second
SIZES = (2, 4, 4)  # neurons of the network: inputs, hidden, outputs
COUNT_BITS = 8
ZERO_BITS = 8  # of a hash that counts as a hit
LANES = 2  # hashes a clock: small cores of the chip
LOW, HIGH = 100_000_000, 650_000_000  # range of the chip's clock, Hz

STAGES = {
    "asic": "300 K",
    "features": "300 K",
    "tuner": "300 K",
    "counter": "77 K",
    "readout": "77 K",
    "taker": "77 K",
    "sfq": "4 K",
    "core": "4 K",
}


@dataclass(frozen=True)
class Loop:
    """Parameters of the loop; spec.toml says what they mean."""

    intervals: int = 64
    stride: int = 16
    slots: int = 192
    period: Time = ps(100)
    frequency: Frequency = MHz(300)
    gain: int = 300_000
    readout_clock: Frequency = MHz(500)
    core_clock: Frequency = GHz(100)
    simulator: Literal["auto", "pyrtl", "verilator"] = "auto"
    sizes: tuple[int, ...] = SIZES

    def __post_init__(self) -> None:
        for name, least, most in (
            ("intervals", parts.GROUP, 1 << 16),  # burstiness is counted over a group
            ("stride", 1, 1 << 16),
            ("slots", 1, (1 << COUNT_BITS) - 1),  # what a count holds
            ("gain", 1, 10_000_000),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise SpecError(f"{name}={value!r}: give a whole number, {least} to {most}")
        object.__setattr__(self, "frequency", to_frequency(self.frequency, "frequency"))
        hertz = self.frequency.hz
        if hertz.denominator != 1 or not LOW <= hertz <= HIGH:
            raise SpecError(
                f"frequency={self.frequency!r}: give {LOW / 1e6:g} to {HIGH / 1e6:g} MHz, in whole Hz"
            )
        network = self.network  # refuses a period that is too short
        if self.sizes[0] != 2:
            raise SpecError(f"sizes={self.sizes}: the encoder sends two inputs; begin with 2")
        _ = self.encoder, self.counter  # what they refuse is refused here
        # A frame must be over before the next one can begin; the chip's line spaces its results.
        shortest = self.stride * 110 * 10**15 // BAUD
        if self.slots * network.slot_fs + int(network.latency) + int(ENCODING) > shortest:
            raise SpecError(
                f"slots={self.slots} of {self.period}: a frame is longer than {self.stride} results can follow each other, "
                f"{fs(shortest)}; take fewer or shorter slots, or a longer stride"
            )
        if to_fs(self.counter.hold) >= shortest:
            raise SpecError(
                f"readout_clock={self.readout_clock}: its period {self.counter.hold} is not below {fs(shortest)}, in which "
                f"{self.stride} results can follow each other; take a faster clock, or a longer stride"
            )

    @property
    def network(self) -> PulseNetwork:
        """The SFQ stage."""
        return PulseNetwork(NetworkSpec(self.sizes, fan_in="staggered"), period=self.period)

    @property
    def encoder(self) -> parts.EncoderSpec:
        """The encoder; its full scale is the chip's highest hit rate."""
        full = (1 << ZERO_BITS) * 10**15 // (LANES * HIGH)
        return parts.EncoderSpec(
            self.intervals, self.stride, self.slots, self.period, fs(full), ENCODING, self.network.latency
        )

    @property
    def counter(self) -> parts.CounterSpec:
        """The counter; it shows its counts for a period of the readout's clock."""
        return parts.CounterSpec(self.sizes[-1], COUNT_BITS, hw.Clock(self.readout_clock).edge(1))


@dataclass(frozen=True)
class Program:
    """A program for the core.

    Parameters:
        trace: of the program; its ports are at ESTIMATE, TARGET and STEP.
        steps: how often it rings the doorbell.
        machine: what it runs on.
    """

    trace: Path
    steps: int
    machine: Machine


BAUD = 1_000_000_000  # of the chip's line
ENCODING = ns(20)  # from the last hit of a frame to its first slot
SETTLE = ns(500)  # of the chip's PLL: from a step to the new frequency


def rate_of(hertz: float) -> float:
    """Hits a second, in units of estimates, that the chip gives at a clock.

    Example:
        >>> rate_of(300e6)
        150.0
    """
    return LANES * hertz / (1 << ZERO_BITS) * UNITS / 1e6


def job_of(seed: int) -> Job:
    """The header that the chip hashes: another one for each seed."""
    merkle = hashlib.sha256(f"neuromorphic_edge/{seed}".encode()).digest()
    return Job(8, 0x20000000, bytes(32), merkle, 1_700_000_000, 0x17034219)


def asic(loop: Loop, seed: int) -> HashingChip:
    """A hashing chip of two lanes that hashes every header in earnest."""
    clock: dict[str, Any] = {
        "frequency_low": Figure(LOW / 1e6, "MHz", "chosen for this system"),
        "frequency_high": Figure(HIGH / 1e6, "MHz", "chosen for this system"),
    }
    chip = small_chip(cores=LANES, counter_bits=16, slots=1, **clock)
    oracle = RealHash(zero_bits=ZERO_BITS)
    return HashingChip(
        "asic", chip, jobs=[job_of(seed)], oracle=oracle, baud=BAUD, frequency=loop.frequency, pll=False, count=False
    )  # fmt: skip


def load_weights() -> tuple[npt.NDArray[np.float64], Graph]:
    """Bias currents of the network in uA, and the trained readout."""
    with np.load(WEIGHTS, allow_pickle=False) as data:
        currents = data["currents"].astype(np.float64)
    return currents, Graph.load(FOLDER / "readout.npz")


def readout(loop: Loop, graph: Graph) -> tuple[hdl.Rtl, Design]:
    """The readout as RTL, emitted from the graph: compiled by Verilator where it is, else run by PyRTL."""
    design = emit(graph)
    return hdl.Rtl("readout", design.block, hw.Clock(loop.readout_clock), simulator=loop.simulator), design


def machine(loop: Loop) -> Machine:
    """A core and first level at the core's clock, L2 and L3 at 4 GHz."""
    return cryo_ooo(loop.core_clock, "l1")


def core(loop: Loop, steps: int, program: Program | None = None) -> TracedCore:
    """The core; its program waits for an estimate, works, and rings the doorbell, `steps` times or a few more."""
    gain = loop.gain
    program = Program(PROGRAM, PROGRAM_STEPS, machine(loop)) if program is None else program

    def step(store: DoorbellStore) -> int:
        return parts.step_of(store.received["estimate"], store.received["target"], gain)

    return TracedCore(
        "core", program.trace, program.machine, repeat=-(-steps // program.steps),
        mailboxes={"estimate": Mailbox(ESTIMATE, latency=ns(1)), "target": Mailbox(TARGET, latency=ns(1), mode="polling")},
        doorbells={"step": Doorbell(STEP, value=step)},
    )  # fmt: skip


def tuner_spec(loop: Loop) -> parts.TunerSpec:
    """The tuner's limits are the chip's."""
    return parts.TunerSpec(int(loop.frequency.hz), LOW, HIGH, SETTLE)


def front(loop: Loop, seed: int, currents: npt.NDArray[np.float64]) -> list[Component]:
    """Chip, encoder, network and counter: what is run alone to train the readout."""
    return [
        asic(loop, seed),
        parts.encoder("features", loop.encoder),
        loop.network.netlist(currents, name="sfq"),
        parts.PulseCounter("counter", loop.counter),
    ]


def join_front(system: hw.System, loop: Loop) -> None:
    """Join what `front` gives."""
    board, down = technology.flight_time("0.1 m"), technology.crossing_time(4, 300)
    system.connect("asic.result", "features.result", board)
    for port in ("a", "b", "clk"):
        system.connect(f"features.{port}", f"sfq.{port}", down)
    outputs = loop.network.spec.neuron_names[-1]
    up = technology.crossing_time(4, 77)
    for n, name in enumerate(outputs):
        system.connect(f"sfq.{name}", f"counter.x{n + 1}", up)
    # The pulse that ends a frame takes the way of the others, so that it comes after them.
    system.connect("features.frame", "counter.frame", Time(to_fs(down) + to_fs(up)))


def closed(
    loop: Loop,
    seed: int,
    steps: int,
    *,
    weights: tuple[npt.NDArray[np.float64], Graph] | None = None,
    program: Program | None = None,
    order: Callable[[list[Component]], Iterable[Component]] = list,
) -> hw.System:
    """The whole loop.

    Parameters:
        loop: its parameters.
        seed: of the header, the encoder's pulses and the network's synapses.
        steps: readings of the mailbox for which the program is long enough.
        weights: the network's currents and the readout, in place of the trained ones.
        program: the core's, in place of the controller.
        order: puts the components into another order; the result does not depend on it.
    """
    currents, graph = load_weights() if weights is None else weights
    rtl, design = readout(loop, graph)
    width = design.port("out_data").width
    components = [
        *front(loop, seed, currents),
        rtl,
        parts.taker("taker", width),
        core(loop, steps, program),
        parts.tuner("tuner", tuner_spec(loop)),
    ]
    system = hw.System(*order(components), seed=seed, name="neuromorphic_edge")
    join_front(system, loop)
    near, up, board = (
        technology.flight_time("0.1 m"),
        technology.crossing_time(4, 77),
        technology.flight_time("0.1 m"),
    )
    system.connect("counter.data", "readout.in_data", near)
    system.connect("counter.valid", "readout.in_valid", near)
    system.connect("readout.out_data", "taker.data", near)
    system.connect("readout.out_valid", "taker.valid", near)
    system.connect("taker.estimate", "core.estimate", up)
    system.connect("core.step", "tuner.step", technology.crossing_time(4, 300))
    system.connect("tuner.frequency", "asic.frequency", board)
    system.drive("readout.rst", at=[], values=[])  # a block begins as after a reset
    system.drive("readout.out_ready", at=[fs(0)], values=[1])
    return system
