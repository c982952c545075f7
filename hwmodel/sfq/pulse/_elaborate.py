"""From a finished netlist to the flat tables of the compiled loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from hwmodel.kernel.compiled import Ints
from hwmodel.sfq.pulse import _kernels as k
from hwmodel.sfq.pulse._cell import POLICIES, Cell, Hold, Policy
from hwmodel.sfq.pulse._structure import Structure
from hwmodel.sfq.pulse._wire import Instance
from hwmodel.units import Time

LOG_ROWS = 1000  # violations kept one by one; later ones are only counted


@dataclass
class CellTable:
    """Where the tables of one kind of cell lie."""

    steps: dict[str, int] = field(default_factory=dict)  # input -> address of its transition rows
    words: int = 0  # of one instance's block
    counters: list[tuple[int, float]] = field(
        default_factory=list
    )  # (place in the instance, switched Ic in uA)


@dataclass
class Tables:
    """A netlist ready for the compiled loop."""

    memory: Ints
    start: int  # address of the state
    instances: list[Instance]
    bases: dict[str, int]  # instance -> address of its block
    counters: dict[str, int]  # instance -> address of its violation counters
    kinds: dict[int, CellTable]  # id of the cell -> its tables
    delays: tuple[int, int]  # shortest and longest way from pin to pin, fs
    log: int  # address of the log

    def energy_ic_ua(self, memory: Ints) -> float:
        """Sum of the critical currents of all junctions that switched, uA, each as often as it did."""
        counts: dict[tuple[int, int], int] = {}
        for instance in self.instances:
            base = self.bases[instance.name]
            for n, (place, _) in enumerate(self.kinds[id(instance.cell)].counters):
                key = id(instance.cell), n
                counts[key] = counts.get(key, 0) + int(memory[base + place])
        return math.fsum(count * self.kinds[kind].counters[n][1] for (kind, n), count in counts.items())


def deadline_place(index: int) -> int:
    """Place of an input's deadline in its instance's memory; the number of the hold that set it comes next."""
    return 2 + 2 * index


def net_place(cell: Cell, output: int) -> int:
    """Place of the (pin, wire delay) of an output in its instance's memory; the counters come after the last."""
    return deadline_place(len(cell.inputs)) + 2 * output


def tabulate(cell: Cell, program: list[int]) -> CellTable:
    """Append the transition, fire and hold tables of a cell."""
    table = CellTable()
    inputs, outputs, states = cell.inputs, cell.outputs, cell.states
    rules: dict[tuple[str, str], list[tuple[int, Hold]]] = {}
    for number, hold in enumerate(cell.holds):
        rules.setdefault((hold.state, hold.first), []).append((number, hold))
    place = net_place(cell, len(outputs))
    rows: list[list[int]] = []
    for port in inputs:
        for state in states:
            step = cell.step(state, port)
            fires, fires_end = _pairs(program, step.fires, cell)
            other, other_end = _pairs(program, step.else_fires, cell) if step.probability else (0, 0)
            holds = len(program)
            for number, hold in rules.get((state, port), ()):
                program += [deadline_place(inputs.index(hold.second)), int(hold.time), number]
            rows.append(
                [states.index(step.next), fires, fires_end, holds, len(program), other, other_end, place]
            )
            for fired in (True, False)[: 1 + step.probability]:
                table.counters.append((place, cell.switched_ic(state, port, fired)))
                place += 1
    for n, port in enumerate(inputs):
        table.steps[port] = len(program)
        for row in rows[n * len(states) : (n + 1) * len(states)]:
            program += row
    table.words = -(-place // k.ROW) * k.ROW  # whole cache lines
    return table


def _pairs(program: list[int], fires: Mapping[str, Time], cell: Cell) -> tuple[int, int]:
    start = len(program)
    for output, delay in fires.items():
        program += [net_place(cell, cell.outputs.index(output)), int(delay)]
    return start, len(program)


def elaborate(
    built: Structure,
    policy: Policy,
    stream: Callable[[str], int],
    slots: dict[int, int],
    input_slots: dict[str, int],
    record_rows: int,
    ports_in: tuple[str, ...],
    numbers: Mapping[str, int],
) -> Tables:
    """Make the tables of a netlist.

    Parameters:
        policy: what a pulse inside a hold time does, where neither instance nor cell says.
        stream: name -> 64-bit key of a random stream.
        slots, input_slots: record slot of the watched pins and input ports.
        record_rows: room for what is recorded in one call.
        ports_in: input ports in the order in which messages number them.
        numbers: output port -> its number in messages, of those that have a link.
    """
    program = [0] * (k.PINS + k.ROW * len(built.pins))
    kinds: dict[int, CellTable] = {}
    rows: dict[str, int] = {}
    instances = list(built.by_name.values())
    for instance in instances:
        if id(instance.cell) not in kinds:
            kinds[id(instance.cell)] = tabulate(instance.cell, program)
    # The state begins after the tables, whose length is known beforehand.
    program += [0] * (-len(program) % k.ROW)
    start = len(program) + k.ROW * (len(instances) + len(ports_in))
    bases, counters, log = _place_state(instances, kinds, start)
    for instance in instances:
        rows[instance.name] = len(program)
        program += _instance_row(instance, policy, stream, counters[instance.name])
    for number, pin in enumerate(built.pins):
        row = k.PINS + k.ROW * number
        if pin.instance is None:
            port = numbers.get(pin.port, -1)
            program[row : row + k.ROW] = [-1, 0, 0, port, 0, 0, 0, 0]
        else:
            name, kind = pin.instance.name, kinds[id(pin.instance.cell)]
            steps, deadline = (
                kind.steps[pin.instance.cell.inputs[pin.index]],
                bases[name] + deadline_place(pin.index),
            )
            program[row : row + k.ROW] = [bases[name], deadline, steps, -1, 0, rows[name], 0, 0]
        program[row + k.PIN_SLOT] = slots.get(number, -1)
    program[k.P_INPUTS] = len(program)
    for entry in ports_in:
        program += [*built.routes[entry], input_slots.get(entry, -1), 0, 0, 0, 0, 0]
    program[k.P_RESERVE] = max([len(i.cell.outputs) for i in instances], default=0) + 1
    program[k.P_LOG], program[k.P_LOG_ROWS] = log, LOG_ROWS
    program[k.P_RECORDS], program[k.P_RECORD_ROWS] = log + k.LOG_WORDS * LOG_ROWS, record_rows
    memory = _aligned(program[k.P_RECORDS] + 2 * record_rows)
    memory[: len(program)] = program
    for instance in instances:
        for number, output in enumerate(instance.cell.outputs):
            at = bases[instance.name] + net_place(instance.cell, number)
            memory[at : at + 2] = built.routes[f"{instance.name}.{output}"]
    return Tables(memory, start, instances, bases, counters, kinds, _delays(built), log)


def _aligned(words: int) -> Ints:
    """Zeros that begin on a cache line, as rows and blocks of whole lines then do."""
    raw = np.zeros(words + k.ROW, dtype=np.int64)
    skip = -(raw.ctypes.data // 8) % k.ROW
    return raw[skip : skip + words]


def _place_state(
    instances: list[Instance], kinds: dict[int, CellTable], start: int
) -> tuple[dict[str, int], dict[str, int], int]:
    """Addresses of the blocks and of the violation counters by instance, and the address after them."""
    bases, counters = {}, {}
    for instance in instances:
        bases[instance.name] = start
        start += kinds[id(instance.cell)].words
    for instance in instances:
        counters[instance.name] = start
        start += 2 * len(instance.cell.holds)
    return bases, counters, start


def _instance_row(
    instance: Instance, policy: Policy, stream: Callable[[str], int], counters: int
) -> list[int]:
    own = instance.policy or instance.cell.policy or policy
    chance = 0 if instance.probability is None else math.ceil(instance.probability * 2**53)
    drawn = instance.cell.probabilistic or own == "metastable"
    key = stream(instance.name) if drawn else 0
    signed = key - (1 << 64) if key >= 1 << 63 else key
    return [POLICIES.index(own), signed, chance, counters, 0, 0, 0, 0]


def _delays(built: Structure) -> tuple[int, int]:
    shortest, longest = [], []
    kinds: dict[int, dict[str, tuple[int, int]]] = {}
    for instance in built.by_name.values():
        cell = instance.cell
        if id(cell) not in kinds:
            times: dict[str, list[int]] = {}
            for step in cell.transitions.values():
                for output, delay in (*step.fires.items(), *step.else_fires.items()):
                    times.setdefault(output, []).append(int(delay))
            kinds[id(cell)] = {output: (min(delays), max(delays)) for output, delays in times.items()}
        for name, (least, most) in kinds[id(cell)].items():
            wire = built.routes[f"{instance.name}.{name}"][1]
            shortest.append(least + wire)
            longest.append(most + wire)
    wires = [built.routes[port][1] for port in built.input_ports]
    return min(shortest, default=1), max([*longest, *wires], default=1)
