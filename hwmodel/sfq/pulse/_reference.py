"""A second pulse engine, in plain Python and straight from the cells: the oracle of the compiled one.

It shares no table and no code with the compiled loop but the finished netlist (which cell drives which), and it
keeps the pulses in Python's own heap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from hwmodel.errors import StimulusError, TimingViolationError, unknown
from hwmodel.kernel import stream_key
from hwmodel.sfq.pulse._cell import Cell
from hwmodel.sfq.pulse._violations import Violation, violation_of
from hwmodel.sfq.pulse._wire import Instance
from hwmodel.units import TimeLike, to_fs, to_fs_array

if TYPE_CHECKING:
    from hwmodel.sfq.pulse._netlist import Netlist

_WORD = (1 << 64) - 1


class ReferenceRun(dict[str, list[int]]):
    """Pulse times in fs by signal name, and what else happened.

    Attributes:
        pulses: arrivals at cells and ends of wires.
        violations: every violation, in the order of time.
        switched_ic_ua: sum of the critical currents of the junctions that switched, uA.
    """

    pulses: int = 0
    switched_ic_ua: float = 0.0

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__((name, []) for name in names)
        self.violations: list[Violation] = []


class _Draws:
    """One random stream: SplitMix64 with the stream key as its seed."""

    def __init__(self, key: int) -> None:
        self.state = key

    def next(self) -> float:
        self.state = (self.state + 0x9E3779B97F4A7C15) & _WORD
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
        return ((z ^ (z >> 31)) >> 11) / (1 << 53)


class _Gate:
    """One cell at work."""

    __slots__ = (
        "actions",
        "deadline",
        "draws",
        "instance",
        "policy",
        "probability",
        "state",
        "targets",
        "who",
    )

    def __init__(self, instance: Instance, policy: str, draws: _Draws) -> None:
        self.instance = instance
        self.policy = instance.policy or instance.cell.policy or policy
        self.probability = instance.probability
        self.draws = draws
        self.state = instance.cell.initial
        self.deadline = [0] * len(instance.cell.inputs)
        self.who: list[Any] = [None] * len(instance.cell.inputs)  # the hold behind each deadline
        self.actions: list[dict[str, Any]] = []
        self.targets: list[tuple[int, int]] = []  # output -> pin, wire delay


def _actions(cell: Cell) -> list[dict[str, Any]]:
    """For each input: state -> what one pulse does."""
    table: list[dict[str, Any]] = []
    for port in cell.inputs:
        row: dict[str, Any] = {}
        for state in cell.states:
            step = cell.step(state, port)
            fires = [(cell.outputs.index(o), int(d)) for o, d in step.fires.items()]
            other = [(cell.outputs.index(o), int(d)) for o, d in step.else_fires.items()]
            holds = [
                (cell.inputs.index(h.second), int(h.time), h)
                for h in cell.holds
                if h.state == state and h.first == port
            ]
            switched = cell.switched_ic(state, port, True), cell.switched_ic(state, port, False)
            row[state] = (step.next, fires, holds, step.probability, other, switched)
        table.append(row)
    return table


def simulate_reference(
    netlist: Netlist,
    stimulus: Mapping[str, object],
    until: TimeLike,
    seed: int = 0,
    watch: Sequence[str] | None = None,
) -> ReferenceRun:
    """Run a netlist in plain Python.

    Parameters:
        stimulus: input port -> pulse times (as `ps([...])`), in rising order.
        until: pulses before this time happen.
        seed: seed of the random streams, as in `System`.
        watch: signals to record; all of them if left out.

    Raises:
        TimingViolationError: a pulse inside a hold time, under the policy "error".

    Example:
        >>> from hwmodel import sfq
        >>> from hwmodel.units import ps
        >>> net = sfq.Netlist("demo")
        >>> net.output("q", net.jtl(net.input("a"), stages=2))
        >>> simulate_reference(net, {"a": ps([5, 105])}, until=ps(200))["q"]
        [12000, 112000]
    """
    built = netlist.structure
    pins = _gates(netlist, seed)
    names = list(built.signals) if watch is None else list(watch)
    run = ReferenceRun(names)
    lists: dict[int, list[list[int]]] = {}
    for name in names:
        if name not in built.signals:
            raise unknown(f"signal of netlist '{netlist.name}'", name, built.signals)
        lists.setdefault(built.signals[name], []).append(run[name])
    messages = _messages(netlist, stimulus, run)
    recorded = [lists.get(n) for n in range(len(pins))] if lists else [None] * len(pins)
    _loop(run, messages, pins, recorded, to_fs(until, "until"))
    return run


def _gates(netlist: Netlist, seed: int) -> list[tuple[_Gate, int] | None]:
    """For each pin the cell at work there and its input, None where there is none."""
    built = netlist.structure
    gates: dict[str, _Gate] = {}
    actions: dict[int, list[dict[str, Any]]] = {}
    for name, instance in built.by_name.items():
        draws = _Draws(stream_key(seed, f"{netlist.name}.{name}"))
        gate = gates[name] = _Gate(instance, netlist.spec.policy, draws)
        cell = instance.cell
        if id(cell) not in actions:
            actions[id(cell)] = _actions(cell)
        gate.actions = actions[id(cell)]
        gate.targets = [built.routes[f"{name}.{output}"] for output in cell.outputs]
    return [None if pin.instance is None else (gates[pin.instance.name], pin.index) for pin in built.pins]


def _messages(
    netlist: Netlist, stimulus: Mapping[str, object], run: ReferenceRun
) -> list[tuple[int, int, int, str]]:
    """Pulses from outside, in order, last first: (t, pin, wire delay, port)."""
    built = netlist.structure
    found = []
    for port in sorted(stimulus):
        if port not in built.input_ports:
            raise unknown(f"input port of netlist '{netlist.name}'", port, built.input_ports)
        times = to_fs_array(stimulus[port], port).tolist()
        if times != sorted(times) or (times and times[0] < 0):
            raise StimulusError(f"stimulus of '{port}': times must rise from 0 on; sort them")
        found += [(t, *built.routes[port], port) for t in times]
    # The sort is stable: ports stay in the order of their names within one femtosecond.
    return sorted(found, key=lambda message: message[0])[::-1]


def _loop(
    run: ReferenceRun,
    messages: list[tuple[int, int, int, str]],
    pins: list[tuple[_Gate, int] | None],
    recorded: Sequence[list[list[int]] | None],
    until: int,
) -> None:
    """Take pulse after pulse until nothing is left before `until`."""
    flight: list[tuple[int, int]] = []
    switched: dict[float, int] = {}
    entered = {name: run[name] for name in run}
    while True:
        if messages and (not flight or messages[-1][0] <= flight[0][0]):
            t, pin, delay, port = messages[-1]
            if t >= until:
                break
            messages.pop()
            if port in entered:
                entered[port].append(t)
            if delay:
                heappush(flight, (t + delay, pin))
                continue
        elif flight and flight[0][0] < until:
            t, pin = heappop(flight)
        else:
            break
        run.pulses += 1
        if (lists := recorded[pin]) is not None:
            for times in lists:
                times.append(t)
        if (end := pins[pin]) is None:
            continue
        gate, index = end
        if t < gate.deadline[index] and _lost(run, gate, index, t):
            continue
        gate.state, fires, holds, drawn, other, (ic, other_ic) = gate.actions[index][gate.state]
        for second, time, hold in holds:
            if t + time > gate.deadline[second]:
                gate.deadline[second] = t + time
                gate.who[second] = hold
        if drawn and not gate.draws.next() < gate.probability:  # type: ignore[operator]
            fires, ic = other, other_ic
        switched[ic] = switched.get(ic, 0) + 1
        for output, delay in fires:
            sink, wire = gate.targets[output]
            heappush(flight, (t + delay + wire, sink))
    run.switched_ic_ua = sum(ic * number for ic, number in switched.items())


def _lost(run: ReferenceRun, gate: _Gate, index: int, t: int) -> bool:
    """Note a violation and decide whether the pulse is lost."""
    lost = gate.policy == "drop" or (gate.policy == "metastable" and gate.draws.next() < 0.5)
    violation = violation_of(gate.instance, gate.who[index], t, gate.deadline[index] - t, lost)
    if gate.policy == "error":
        raise TimingViolationError(str(violation))
    run.violations.append(violation)
    return lost
