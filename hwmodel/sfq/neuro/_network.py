"""A rate-coded network as a pulse-level circuit, with every delay computed from the cells it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel._times import as_times
from hwmodel.errors import SpecError, unknown
from hwmodel.kernel import Result, System, Trace
from hwmodel.sfq.neuro._builder import Builder, Signal, own_hold, pair_hold
from hwmodel.sfq.neuro._neuron import counter_cell
from hwmodel.sfq.neuro._spec import LayerBias, NetworkSpec
from hwmodel.sfq.neuro._synapse import Synapse
from hwmodel.sfq.pulse import Cell, Netlist
from hwmodel.units import Time, TimeLike, format_time, fs, to_fs

__all__ = ["PulseNetwork", "PulseRun", "PulseTiming"]

Bits = npt.NDArray[np.bool_]

MARGIN_FS = 2000
"""By how much the circuit keeps clear of every hold time, fs."""


@dataclass(frozen=True)
class PulseTiming:
    """When things happen in a slot, fs after its clock pulse.

    Parameters
    ----------
    neurons:
        When each layer's pulses leave.
    min_period:
        The shortest slot in which no pulse meets one of the slot before.
    """

    neurons: tuple[int, ...]
    min_period: int

    @property
    def latency(self) -> Time:
        """From the clock pulse of a slot to the output pulse that answers its inputs."""
        return fs(self.neurons[-1])


@dataclass(frozen=True, eq=False)
class PulseRun:
    """What `PulseNetwork.run` gives.

    Parameters
    ----------
    fired:
        Neuron -> bool, shape (slots,): whether it answered the inputs of each slot with a pulse.
    result:
        The kernel's result.
    """

    fired: Mapping[str, Bits]
    result: Result


@dataclass(frozen=True)
class PulseNetwork:
    """The circuit of a `NetworkSpec`.

    Time is divided into slots of one clock period. The input pulses of a slot come with its clock pulse; splitter trees
    copy them to the synapses; merger trees gather what passes; excitatory pulses set an NDRO (or count up), inhibitory
    ones, which are made to come later, reset it; a delayed copy of the clock reads it, and another clears it. All
    delays are transmission-line stages, so that they count as junctions.

    Parameters
    ----------
    spec:
        Sizes, thresholds, fan-in.
    synapse:
        Firing curve.
    period:
        Slot, 100 ps by default: the comparator was characterised at 10 GHz.

    Raises
    ------
    SpecError
        A period shorter than the circuit needs; the message gives the shortest.

    Example
    -------
    >>> network = PulseNetwork(NetworkSpec((2, 1)))
    >>> a_or_b = [88.0, 88.0, 74.0, 74.0]
    >>> run = network.run(a_or_b, [[0, 0], [0, 1], [1, 0], [1, 1]], seed=1)
    >>> run.fired["out"].tolist()
    [False, True, True, True]
    """

    spec: NetworkSpec = field(default_factory=NetworkSpec)
    synapse: Synapse = field(default_factory=Synapse)
    period: Time | str = "100 ps"

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", fs(to_fs(self.period, "period")))
        shortest = self.timing.min_period
        if self.slot_fs < shortest:
            raise SpecError(
                f"pulse network: period={format_time(self.slot_fs)} is too short for {self.spec.sizes} with "
                f"fan_in={self.spec.fan_in!r}; use {format_time(shortest)} or more"
            )

    @property
    def slot_fs(self) -> int:
        """The slot in fs."""
        return to_fs(self.period)

    @cached_property
    def timing(self) -> PulseTiming:
        """When things happen; it does not depend on the currents."""
        idle = np.full(self.spec.parameters, self.synapse.range_ua[0])
        return _Circuit(self.spec, self.synapse, "timing").build(idle)

    @property
    def latency(self) -> Time:
        """From an input slot's clock pulse to the output pulse."""
        return self.timing.latency

    @property
    def latency_slots(self) -> int:
        """Slots after which the answer is complete."""
        return -(-self.timing.neurons[-1] // self.slot_fs)

    def netlist(self, currents_ua: Any, name: str = "network") -> Netlist:
        """The circuit with the bias currents of one parameter vector, uA, shape (parameters,).

        Inputs are those of the spec and `clk`, outputs are the output neurons; the pulses of a hidden neuron can be
        watched under its name, such as `h1`. What belongs to a neuron is named after it: `h1.exc_a` is its excitatory
        synapse from `a`, `h1.store` the cell that the clock reads.
        """
        circuit = _Circuit(self.spec, self.synapse, name)
        circuit.build(np.asarray(currents_ua, dtype=np.float64))
        return circuit.netlist

    def weight_power_w(self, currents_ua: Any) -> float:
        """Static power of the weights themselves, W: their bias currents drawn from the bias rail.

        The netlist's own static power leaves them out, because a cell's bias is the same for every weight.
        """
        return float(np.sum(currents_ua)) * self.synapse.cell().bias_mv * 1e-9

    def stimulus(self, patterns: Any, start: TimeLike | None = None) -> dict[str, Any]:
        """Times of the input and clock pulses for one pattern a slot.

        Parameters
        ----------
        patterns:
            Shape (slots, inputs), true where a pulse comes.
        start:
            Time of the first slot's clock pulse; one slot if None.

        Returns
        -------
        Input name, and `clk`, -> times.
        """
        bits = self._bits(patterns)
        first = self._start(start)
        slots = first + np.arange(len(bits), dtype=np.int64) * self.slot_fs
        names = self.spec.input_names
        times: dict[str, Any] = {name: _times(slots[bits[:, i]]) for i, name in enumerate(names)}
        times["clk"] = _times(slots)
        return times

    def fired(self, trace: Trace, neuron: str, slots: int, start: TimeLike | None = None) -> Bits:
        """For each slot, whether `neuron` answered it: its pulses shifted back by its delay, shape (slots,)."""
        self._check_neuron(neuron)
        rows = self.spec.neuron_names
        layer = next(i for i, row in enumerate(rows) if neuron in row)
        times = trace.t - self._start(start) - self.timing.neurons[layer]
        # Pulses are exactly on time; half a slot of tolerance only keeps the rounding symmetric.
        index = (times + self.slot_fs // 2) // self.slot_fs
        hit = np.zeros(slots, dtype=np.bool_)
        hit[index[(index >= 0) & (index < slots)]] = True
        return hit

    def run(
        self,
        currents_ua: Any,
        patterns: Any,
        *,
        seed: int = 0,
        watch: Sequence[str] = (),
        neurons: Sequence[str] | None = None,
        runner: Any = "auto",
        window: Any = "auto",
    ) -> PulseRun:
        """Run the circuit on one pattern a slot.

        Parameters
        ----------
        currents_ua:
            uA, shape (parameters,).
        patterns:
            Shape (slots, inputs).
        seed:
            Of the synapses' draws.
        watch:
            More signals to record.
        neurons:
            Those whose answers are wanted; None: the outputs.
        runner, window:
            As in `System.run`.
        """
        bits = self._bits(patterns)
        wanted = tuple(self.spec.neuron_names[-1] if neurons is None else neurons)
        netlist = self.netlist(currents_ua)
        system = System(netlist, seed=seed)
        for port, times in self.stimulus(bits).items():
            system.drive(f"{netlist.name}.{port}", at=times)
        for name in wanted:
            self._check_neuron(name)
        signals = {name: f"{netlist.name}.{name}" for name in wanted}
        until = fs(self._start(None) + len(bits) * self.slot_fs + self.timing.neurons[-1] + self.slot_fs)
        names = list(dict.fromkeys([*(f"{netlist.name}.{item}" for item in watch), *signals.values()]))
        result = system.run(until=until, watch=names, runner=runner, window=window)
        fired = {name: self.fired(result[signal], name, len(bits)) for name, signal in signals.items()}
        return PulseRun(fired, result)

    def _check_neuron(self, neuron: str) -> None:
        known = [name for row in self.spec.neuron_names for name in row]
        if neuron not in known:
            raise unknown("neuron", neuron, known)

    def _start(self, start: TimeLike | None) -> int:
        return self.slot_fs if start is None else to_fs(start, "start")

    def _bits(self, patterns: Any) -> Bits:
        bits = np.asarray(patterns, dtype=np.bool_)
        if bits.ndim != 2 or bits.shape[1] != self.spec.sizes[0]:
            raise SpecError(
                f"pulse network: patterns must have shape (slots, {self.spec.sizes[0]}), got {bits.shape}"
            )
        return bits


def _times(values: npt.NDArray[np.int64]) -> Any:
    return as_times(values)


class _Circuit:
    """One build of a network: wires, and the arrival times of the regular pulses on them."""

    def __init__(self, spec: NetworkSpec, synapse: Synapse, name: str) -> None:
        self.spec = spec
        self.synapse = synapse
        self.builder = Builder(name)
        self.netlist = self.builder.netlist
        self.cell = synapse.cell()
        cells = self.builder.library
        self.gap = own_hold(cells["merge"]) + MARGIN_FS if spec.fan_in == "staggered" else 0
        # Every cell sees one pulse a slot at each input at least, so no slot may be shorter than these.
        self.shortest = MARGIN_FS + max(
            own_hold(c) for c in (self.cell, *(cells[n] for n in ("split", "merge")))
        )
        self.neurons: list[int] = []

    def build(self, currents_ua: npt.NDArray[np.float64]) -> PulseTiming:
        """Build everything; gives the timing."""
        if currents_ua.ndim != 1:
            raise SpecError(
                f"pulse network: one vector of bias currents is wanted, got shape {currents_ua.shape}"
            )
        layers = self.spec.unpack(currents_ua)
        names = self.spec.input_names
        wires = self.netlist.inputs(*names, "clk")
        clk = Signal(wires[-1], 0, 0)
        sources = {name: Signal(wire, 0, 0) for name, wire in zip(names, wires[:-1], strict=True)}
        for number, bias in enumerate(layers):
            if self.spec.always_on:
                sources["on"], clk = self.builder.split(clk)
                latest = max(source.first for source in sources.values())
                sources = {name: self.builder.delay_to(s, latest) for name, s in sources.items()}
            sources, clk = self._layer(number, bias, sources, clk)
        return PulseTiming(tuple(self.neurons), self.shortest)

    def _layer(
        self, number: int, bias: LayerBias, sources: dict[str, Signal], clk: Signal
    ) -> tuple[dict[str, Signal], Signal]:
        """One layer; gives its neurons' outputs and what is left of the clock."""
        threshold = self.spec.layer_thresholds[number]
        names = self.spec.neuron_names[number]
        store = self.builder.library["ndro"] if threshold == 1 else counter_cell(threshold)
        sets, resets = self._fan_in(number, bias, sources, store)
        clear = self.builder.merge_fs if threshold == 1 else 0
        read = MARGIN_FS + max(
            sets[0].last + pair_hold(store, "a", "clk"), resets[0].last + clear + pair_hold(store, "b", "clk")
        )
        reads, clk = self._clock(
            clk, names, read, clears=threshold == 1, last=number == len(self.spec.shapes) - 1
        )
        outputs: dict[str, Signal] = {}
        for j, name in enumerate(names):
            reset = resets[j]
            if threshold == 1:
                # The NDRO keeps its flux when read, so the read pulse, a merger later, clears it.
                reads[j], wipe = self.builder.split(reads[j])
                reset = self.builder.merge([reset, wipe], f"{name}.clear")
            output = self.builder.cell(store, f"{name}.store", read, a=sets[j], b=reset, clk=reads[j])
            if bias.decision is not None:
                chance = float(self.synapse.probability(bias.decision[j]))
                output = self.builder.cell(self.cell, f"{name}.decision", output.last, chance, a=output)
            if name in self.spec.neuron_names[-1]:
                self.netlist.output(name, output.wire)
            else:
                self.netlist.label(output.wire, name)
            outputs[name] = output
        self._limit(store, sets[0], resets[0], read, clear)
        self.neurons.append(outputs[names[0]].last)
        return outputs, clk

    def _fan_in(
        self, number: int, bias: LayerBias, sources: dict[str, Signal], store: Cell
    ) -> tuple[list[Signal], list[Signal]]:
        """Splitters, synapses and mergers: what sets and what resets each neuron of a layer."""
        names = self.spec.neuron_names[number]
        span = (len(sources) - 1) * self.gap
        # Inhibition must come last to win. Where the store is cleared, its merger delays inhibition already.
        ahead = self.builder.merge_fs if store.name == "ndro" else 0
        lag = max(0, span + pair_hold(store, "a", "b") + MARGIN_FS - ahead)
        sets: list[list[Signal]] = [[] for _ in names]
        resets: list[list[Signal]] = [[] for _ in names]
        for i, (source, signal) in enumerate(sources.items()):
            branches = zip(
                self.builder.split(signal),
                (i * self.gap, lag + i * self.gap),
                (bias.excitatory, bias.inhibitory),
                (sets, resets),
                ("exc", "inh"),
                strict=True,
            )
            for branch, wait, currents, gathered, kind in branches:
                copies = self.builder.fan_out(self.builder.delay(branch, wait), len(names))
                for j, (name, copy) in enumerate(zip(names, copies, strict=True)):
                    chance = float(self.synapse.probability(currents[j, i]))
                    gathered[j].append(
                        self.builder.cell(self.cell, f"{name}.{kind}_{source}", copy.first, chance, a=copy)
                    )
        merged = [
            [
                self.builder.merge(signals, f"{name}.{kind}")
                for name, signals in zip(names, group, strict=True)
            ]
            for group, kind in ((sets, "exc"), (resets, "inh"))
        ]
        return merged[0], merged[1]

    def _clock(
        self, clk: Signal, names: tuple[str, ...], read: int, clears: bool, last: bool
    ) -> tuple[list[Signal], Signal]:
        """One read pulse for each neuron at `read` (or a splitter earlier), and the clock for the next layer."""
        build = self.builder
        depth = (len(names) - 1).bit_length() + clears
        stem = read - depth * build.split_fs
        if last:
            return build.fan_out(build.delay_to(clk, stem), len(names)), clk
        # The next layer's clock goes on from here, so that both share one delay line.
        tap, rest = build.split(build.delay_to(clk, stem - build.split_fs))
        return build.fan_out(tap, len(names)), rest

    def _limit(self, store: Cell, sets: Signal, resets: Signal, read: int, clear: int) -> None:
        """Raise the shortest slot so that the next slot's pulses find this one's done with."""
        merge = self.builder.library["merge"]
        done = {"a": sets.last, "b": resets.last + clear if not clear else read + clear, "clk": read}
        begins = {"a": sets.first, "b": resets.first + clear, "clk": read}
        for first in done:
            for second in begins:
                wait = pair_hold(store, first, second)
                self.shortest = max(self.shortest, done[first] + wait + MARGIN_FS - begins[second])
        # The tree's last merger, and the one that lets the clear pulse in.
        self.shortest = max(self.shortest, sets.last - sets.first + own_hold(merge) + MARGIN_FS)
        if clear:
            self.shortest = max(self.shortest, read - resets.first + pair_hold(merge, "b", "a") + MARGIN_FS)
