"""The pulse engine: all cells of a netlist, run by one compiled call a window."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from hwmodel.errors import CheckpointError, QueueOverflowError, TimeRangeError, TimingViolationError
from hwmodel.kernel import BuildContext, State
from hwmodel.kernel.compiled import FAR, NEAR, NOW, Ints, make_heap, make_wheel, queue_fill, queue_rows
from hwmodel.sfq.pulse import _kernels as k
from hwmodel.sfq.pulse._elaborate import LOG_ROWS, Tables, elaborate
from hwmodel.sfq.pulse._violations import Violation, violation_of
from hwmodel.sfq.pulse._wire import Instance
from hwmodel.sfq.pulse.timing import Quantity
from hwmodel.units import MAX_TIME, NEVER, format_time

if TYPE_CHECKING:
    from hwmodel.sfq.pulse._netlist import Netlist

FLUX_QUANTUM = Quantity(2.067833848e-15, "Wb", "CODATA 2018, h / 2e")

LOGGER = logging.getLogger("hwmodel.sfq")

LOGGED = 10  # violations that the policy "warn" writes to the log one by one
WARNED = 20  # broken hold rules that get a line in the manifest
STATS_PAIRS = 100  # (cell, state, pair) counts that go into the statistics
RECORD_ROWS = 1 << 12  # few, so that collecting them takes little memory


class PulseEngine:
    """Runs a netlist; made by `Netlist.build`.

    The order of events is (time, name of the cell, order of its inputs), a message before local pulses of the same
    femtosecond. No result depends on the queue, the window, or the order in which the netlist was built.
    """

    def __init__(self, netlist: Netlist, context: BuildContext) -> None:
        self.netlist = netlist
        built = netlist.structure
        slots, input_slots = self._assign_slots(context.watch)
        self._tables: Tables = elaborate(
            built,
            netlist.spec.policy,
            context.stream,
            slots,
            input_slots,
            RECORD_ROWS if context.watch else 2,
            context.ports_in,
            {port: n for n, port in enumerate(context.ports_out) if port in context.linked},
        )
        self._memory = memory = self._tables.memory
        self._inbox, self._outbox, self._recorder = context.inbox, context.outbox, context.recorder
        self._records = memory[int(memory[k.P_RECORDS]) :].reshape(-1, 2)
        self._no_values = np.zeros(len(self._records), dtype=np.int64)
        self._reserve = int(memory[k.P_RESERVE])
        self._waiting = min(
            netlist.spec.queue_limit, max(256, len(built.pins))
        )  # pulses in flight now allowed
        self._queue = self._make_queue()
        # Beyond this time a pulse could pass the end of 64 bits.
        holds = [int(hold.time) for instance in built.by_name.values() for hold in instance.cell.holds]
        self._end = MAX_TIME - max([*holds, self._tables.delays[1]])
        self._log = slice(self._tables.log, self._tables.log + k.LOG_WORDS * LOG_ROWS)
        self._next = NEVER
        self._reported = 0
        if context.snapshot is not None:
            self._restore(context.snapshot)

    # ------------------------------------------------------------------------------------------ engine protocol

    def advance(self, t1: int) -> None:
        """Run every pulse with t < t1.

        Raises:
            TimingViolationError: a pulse broke a hold time where the policy is "error".
            QueueOverflowError: more pulses in flight than the netlist's `queue_limit`.
        """
        inbox = self._inbox
        if inbox.head != inbox.tail:
            if inbox.next_time() >= t1 and self._next >= t1:  # next_time() also puts the messages in order
                return
        elif self._next >= t1:
            return
        if t1 > self._end:
            raise TimeRangeError(
                f"netlist '{self.netlist.name}': a run to {format_time(t1)} passes {format_time(self._end)}, where the "
                "delays of its cells leave the 9,223 s that 64-bit femtoseconds hold; run shorter"
            )
        outbox, memory = self._outbox, self._memory
        while True:
            head = inbox.head
            self._next = k.run(memory, self._queue, inbox.rows, outbox.rows, t1, head, inbox.tail, outbox.n)
            if head != inbox.tail:
                inbox.head = memory.item(k.M_HEAD)
            status = memory.item(k.M_STATUS)
            if status == k.DONE or self._look_after(status):
                return

    def next_event(self) -> int:
        """Time of the next pulse in flight, fs, or NEVER."""
        return self._next

    def state(self) -> State:
        """Cell states, deadlines, counters and pulses in flight, in canonical order."""
        return {
            "cells": self._memory[self._tables.start : self._tables.log].copy(),
            "counts": self._memory[k.M_PULSES : k.M_LOST + 1].copy(),
            "pending": self._pending()[:, :2],
        }

    def snapshot(self) -> State:
        """The state, the log of violations, and a hash of the netlist that it belongs to."""
        return {
            **self.state(),
            "log": self._memory[self._log].copy(),
            "now": np.array([self._queue[NOW]], dtype=np.int64),
            "netlist": self._identity(),
        }

    # ------------------------------------------------------------------------------------------ reports

    def stats(self, elapsed: int) -> dict[str, int | float | str]:
        """Key figures of a run of `elapsed` fs.

        `pulses` counts arrivals at cells and ends of wires. `dynamic_energy_aj` is the sum of Ic times the flux
        quantum over all junctions that switched; the static energy is that of the bias supply.
        """
        memory = self._memory
        dynamic = self._tables.energy_ic_ua(memory) * 1e-6 * FLUX_QUANTUM.value * 1e18  # uA times Wb, as aJ
        power = self.netlist.static_power_w
        pulses = int(memory[k.M_PULSES])
        found: dict[str, int | float | str] = {
            "pulses": pulses,
            "jj_count": self.netlist.jj_count,
            "dynamic_energy_aj": dynamic,
            "dynamic_energy_aj_per_pulse": dynamic / pulses if pulses else 0.0,
            "static_power_w": power,
            "static_energy_aj": power * elapsed * 1e3,  # W times fs is 1e-15 J, which is 1e3 aJ
            "violations": int(memory[k.M_VIOLATIONS]),
            "pulses_lost": int(memory[k.M_LOST]),
        }
        counts = sorted(self.violation_counts().items(), key=lambda item: -item[1][0])
        if counts:
            (cell, state, first, second), (_, worst) = max(counts, key=lambda item: item[1][1])
            found["worst_violation"] = (
                f"{cell}, state {state}, {first} -> {second}: {format_time(worst)} short"
            )
        for (cell, state, first, second), (number, worst) in counts[:STATS_PAIRS]:
            found[f"violations.{cell}.{state}.{first}->{second}"] = number
            found[f"worst_fs.{cell}.{state}.{first}->{second}"] = worst
        return found

    def warnings(self) -> list[str]:
        """One line for each broken hold rule, the most frequent first, for the manifest.

        A cell that was given the policy "drop" of its own is meant to lose pulses and is left out.
        """
        merging = {i.name for i in self._tables.instances if (i.policy or i.cell.policy) == "drop"}
        first: dict[tuple[str, str, str, str], Violation] = {}
        for violation in self.violations():
            key = violation.cell, violation.state, violation.first, violation.second
            first.setdefault(key, violation)
        found = (item for item in self.violation_counts().items() if item[0][0] not in merging)
        counts = sorted(found, key=lambda item: (-item[1][0], item[0]))
        lines = []
        for key, (number, worst) in counts[:WARNED]:
            if key in first:
                lines.append(f"{number} times, at most {format_time(worst)} short; first: {first[key]}")
            else:
                cell, state, before, after = key
                lines.append(
                    f"{number} times, at most {format_time(worst)} short: {cell}, {state}, {before} -> {after}"
                )
        if len(counts) > WARNED:
            lines.append(
                f"netlist '{self.netlist.name}': {len(counts) - WARNED} more hold rules were broken, see its statistics"
            )
        return lines

    def violation_counts(self) -> dict[tuple[str, str, str, str], tuple[int, int]]:
        """(cell, state, first, second) -> how many violations, and the largest shortfall in fs."""
        found = {}
        for instance in self._tables.instances:
            at = self._tables.counters[instance.name]
            for n, hold in enumerate(instance.cell.holds):
                number, worst = self._memory[at + 2 * n : at + 2 * n + 2].tolist()
                if number:
                    found[instance.name, hold.state, hold.first, hold.second] = (number, worst)
        return found

    def violations(self) -> list[Violation]:
        """The first thousand violations, one by one."""
        return [self._logged(n) for n in range(min(LOG_ROWS, int(self._memory[k.M_VIOLATIONS])))]

    def switch_counts(self) -> dict[tuple[str, str, str], int]:
        """(cell, state, input) -> pulses that the cell took there."""
        found = {}
        for instance in self._tables.instances:
            cell, base = instance.cell, self._tables.bases[instance.name]
            place = iter(self._tables.kinds[id(cell)].counters)
            for port in cell.inputs:
                for state in cell.states:
                    drawn = cell.step(state, port).probability
                    number = sum(int(self._memory[base + next(place)[0]]) for _ in range(1 + drawn))
                    if number:
                        found[instance.name, state, port] = number
        return found

    # ------------------------------------------------------------------------------------------ inside

    def _assign_slots(self, watch: tuple[str, ...]) -> tuple[dict[int, int], dict[str, int]]:
        """Give each watched pin one record slot, however many names it has."""
        signals = self.netlist.structure.signals
        slots: dict[int, int] = {}
        input_slots: dict[str, int] = {}
        names: list[list[int]] = []
        for number, name in enumerate(watch):
            if signals[name] < 0:
                input_slots[name] = len(names)
                names.append([number])
            elif signals[name] in slots:
                names[slots[signals[name]]].append(number)
            else:
                slots[signals[name]] = len(names)
                names.append([number])
        self._aliases = np.array([len(numbers) for numbers in names], dtype=np.int64)
        self._single = all(len(numbers) == 1 for numbers in names)
        self._names = [np.array(numbers, dtype=np.int64) for numbers in names]
        self._signal = np.array([numbers[0] for numbers in names], dtype=np.int64)
        return slots, input_slots

    def _look_after(self, status: int) -> bool:
        """Collect what the compiled loop left; return whether it is done."""
        memory = self._memory
        if status & k.SENT:
            self._outbox.n = memory.item(k.M_SENT)
        if status & k.RECORDED:
            self._record(memory.item(k.M_RECORDED))
        if status & k.VIOLATED:
            self._report()
        reason = status & k.REASONS
        if reason == k.STOPPED:
            raise self._stopped()
        if reason == k.QUEUE_SHORT:
            self._grow()
        elif reason == k.OUTBOX_SHORT:
            self._outbox.reserve(1)
        return reason == k.DONE

    def _record(self, n: int) -> None:
        t, slot = self._records[:n, 0], self._records[:n, 1]
        if self._single:
            self._recorder.extend(t, self._signal[slot], self._no_values[:n])
            return
        signals = np.concatenate([self._names[s] for s in slot.tolist()])
        self._recorder.extend(
            np.repeat(t, self._aliases[slot]), signals, np.zeros(len(signals), dtype=np.int64)
        )

    def _make_queue(self) -> Ints:
        kind = self.netlist.spec.queue
        capacity = self._waiting + self._reserve
        if kind == "heap":
            return make_heap(capacity)
        shift, buckets = wheel_shape(*self._tables.delays, len(self._tables.instances))
        return make_wheel(capacity, shift, buckets)

    def _grow(self) -> None:
        limit = self.netlist.spec.queue_limit
        if self._waiting >= limit:
            raise QueueOverflowError(
                f"netlist '{self.netlist.name}': more than {limit} pulses in flight at t = {format_time(self._next)}; "
                "look for a loop that multiplies pulses (check() names loops), or raise queue_limit of the netlist"
            )
        rows, now = self._pending(), self._queue[NOW]
        self._waiting = min(limit, 2 * self._waiting)
        self._fill(rows, now)

    def _fill(self, rows: Ints, now: int) -> None:
        self._queue = self._make_queue()
        self._queue[NOW] = now
        queue_fill(self._queue, rows, len(rows))

    def _pending(self) -> Ints:
        """Pulses in flight: rows (t, pin, 0) in their order."""
        rows = np.zeros((int(self._queue[NEAR] + self._queue[FAR]), 3), dtype=np.int64)
        queue_rows(self._queue, rows)
        return rows[np.lexsort((rows[:, 1], rows[:, 0]))]

    def _identity(self) -> Any:
        return np.frombuffer(bytes.fromhex(self.netlist.structure.digest()), dtype=np.uint8)

    def _restore(self, snapshot: State) -> None:
        memory, log = self._memory, self._tables.log
        known = {"cells", "counts", "pending", "log", "now", "netlist"}
        if not known <= set(snapshot) or not np.array_equal(snapshot["netlist"], self._identity()):
            raise CheckpointError(
                f"netlist '{self.netlist.name}': the checkpoint belongs to another netlist or version of it; "
                "resume with the netlist that wrote it, or run from the beginning"
            )
        memory[self._tables.start : log] = snapshot["cells"]
        memory[k.M_PULSES : k.M_LOST + 1] = snapshot["counts"]
        memory[self._log] = snapshot["log"]
        pending = np.asarray(snapshot["pending"], dtype=np.int64).reshape(-1, 2)
        rows = np.column_stack([pending, np.zeros(len(pending), dtype=np.int64)])
        self._waiting = max(self._waiting, len(rows))
        self._fill(rows, int(snapshot["now"][0]))
        self._next = int(rows[0, 0]) if len(rows) else NEVER
        self._reported = int(memory[k.M_VIOLATIONS])

    def _policy(self, instance: Instance) -> str:
        return instance.policy or instance.cell.policy or self.netlist.spec.policy

    def _logged(self, n: int) -> Violation:
        at = self._tables.log + k.LOG_WORDS * n
        t, pin, number, short, lost = self._memory[at : at + k.LOG_WORDS].tolist()
        instance = self.netlist.structure.pins[pin].instance
        assert instance is not None
        return violation_of(instance, instance.cell.holds[number], t, short, bool(lost))

    def _report(self) -> None:
        """Write the first violations under the policy "warn" to the log."""
        total = int(self._memory[k.M_VIOLATIONS])
        for n in range(self._reported, min(total, LOGGED)):
            violation = self._logged(n)
            if self._policy(self.netlist.structure.by_name[violation.cell]) == "warn":
                LOGGER.warning("netlist '%s': %s", self.netlist.name, violation)
                if n == LOGGED - 1:
                    LOGGER.warning("netlist '%s': further violations are only counted", self.netlist.name)
        self._reported = total

    def _stopped(self) -> TimingViolationError:
        pin = self.netlist.structure.pins[int(self._memory[k.M_PIN])]
        t = int(self._memory[k.M_TIME])
        instance = pin.instance
        assert instance is not None
        at = int(self._memory[k.PINS + k.ROW * int(self._memory[k.M_PIN]) + k.PIN_HOLD])
        deadline, number = self._memory[at : at + 2].tolist()
        violation = violation_of(instance, instance.cell.holds[number], t, deadline - t, False)
        return TimingViolationError(
            f"netlist '{self.netlist.name}': {violation}. Delay {violation.second} by "
            f"{format_time(violation.shortfall)} or more, with JTLs or a wire, or let the run go on with "
            'policy="warn", "drop" or "metastable"'
        )


def wheel_shape(shortest: int, longest: int, cells: int) -> tuple[int, int]:
    """Choose bucket width (its log2 in fs) and number of buckets of the wheel.

    About one pulse a bucket is best: the width is the delay range over the pulses that a netlist of this size has
    in flight. The ring covers the longest delay, as long as it needs no more than 4096 buckets of 4 ps.
    """
    waiting = min(2048, max(16, cells // 4))
    shift = max(3, min(10, (longest // waiting).bit_length()))
    while (longest >> shift) + 2 > 4096 and shift < 12:
        shift += 1
    buckets = 32
    while buckets < 4096 and buckets < (longest >> shift) + 2:
        buckets *= 2
    return shift, buckets
