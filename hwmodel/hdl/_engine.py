"""The engine of one RTL component: passes windows to its simulator and takes back what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from hwmodel.errors import CheckpointError, SpecError, ToolError
from hwmodel.hdl._design import Word
from hwmodel.hdl._layout import (
    ASLEEP,
    BAD_ROW,
    BAD_VALUE,
    COMPUTED,
    DIGEST,
    DONE,
    HEAD,
    OUT_CAP,
    OUTBOX_SHORT,
    REC_CAP,
    RECORDED,
    SENT,
    STOPPED,
    T1,
    T_EDGE,
    TAIL,
    Control,
    Ints,
)
from hwmodel.kernel import BuildContext, Clock, State
from hwmodel.units import NEVER, format_time

RECORDS = 1 << 12


class Simulator(Protocol):
    """What runs the edges: a compiled design, or a PyRTL netlist."""

    kind: str

    def run(self, control: Control, inbox: Ints, outbox: Ints, records: Ints) -> int:
        """Run edges as far as the control array says; return why it stopped."""
        ...

    def message(self) -> str:
        """What a design said that stopped itself."""
        ...

    def save(self) -> dict[str, Any]:
        """Registers and memories."""
        ...

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take back what `save` gave."""
        ...


class RtlEngine:
    """Runs one design in windows. Made by `Rtl.build`."""

    def __init__(
        self,
        clock: Clock,
        inputs: Sequence[Word],
        outputs: Sequence[Word],
        simulator: Simulator,
        build: str,
        context: BuildContext,
    ) -> None:
        self._simulator = simulator
        self._build = f"{simulator.kind} {build}"
        self._context = context
        self._inputs = inputs
        signal = {name: n for n, name in enumerate(context.watch)}
        self._control = Control(
            clock,
            [word.width for word in inputs],
            [signal.get(word.name, -1) for word in inputs],
            [word.name in context.linked for word in outputs],
            [signal.get(word.name, -1) for word in outputs],
        )
        self._records = np.zeros(
            (3, max(RECORDS, 2 * len(outputs)) if context.watch else len(outputs) + 1), np.int64
        )
        if context.snapshot is not None:
            self._restore(context.snapshot)

    @property
    def computed(self) -> int:
        """Edges that were computed, not slept through."""
        return int(self._control.array[COMPUTED])

    def advance(self, t1: int) -> None:
        """Take the messages and run the edges with t < t1."""
        inbox, outbox, control = self._context.inbox, self._context.outbox, self._control
        if inbox.next_time() >= t1 and self.next_event() >= t1:  # next_time() also puts the messages in order
            return
        c = control.array
        c[T1], c[REC_CAP], c[RECORDED] = t1, self._records.shape[1], 0
        while True:
            c[HEAD], c[TAIL], c[SENT], c[OUT_CAP] = inbox.head, inbox.tail, outbox.n, len(outbox.rows)
            status = self._simulator.run(control, inbox.rows, outbox.rows, self._records)
            inbox.head, outbox.n = int(c[HEAD]), int(c[SENT])
            n = int(c[RECORDED])
            if n:
                t, number, value = self._records[:, :n]
                self._context.recorder.extend(t, number, value)
                c[RECORDED] = 0
            if status == DONE:
                return
            if status == OUTBOX_SHORT:
                outbox.reserve(max(1024, len(self._control.value)))
            elif status == BAD_VALUE:
                raise self._bad_value(inbox.rows[int(c[BAD_ROW])])
            elif status == STOPPED:
                when = format_time(int(c[T_EDGE]))
                raise ToolError(
                    f"rtl '{self._context.path}': the design stopped itself at t = {when}: {self._simulator.message()}"
                )

    def next_event(self) -> int:
        """Time of the next clock edge, or NEVER while the design sleeps."""
        c = self._control.array
        return NEVER if c[ASLEEP] else int(c[T_EDGE])

    def state(self) -> State:
        """Values at all ports, and a digest of every change that an edge saw at an input.

        Simulators keep, merge and name registers each in its own way; but what is in them follows
        from the inputs at each edge, and so from the digest.
        """
        control = self._control
        return {
            "inputs": control.held.copy(),
            "outputs": control.value.copy(),
            "seen": np.array(control.array[DIGEST]),
        }

    def snapshot(self) -> State:
        """Ports, counters, and all that is in the simulator."""
        inner = {f"inner/{key}": value for key, value in self._simulator.save().items()}
        return {**self._control.save(), **inner, "build": np.array(self._build)}

    def _restore(self, snapshot: State) -> None:
        made = str(snapshot["build"]) if "build" in snapshot else "something else"
        if made != self._build:
            raise CheckpointError(
                f"rtl '{self._context.path}': the checkpoint was written by {made} and this is {self._build}; "
                "resume with the same simulator, tool versions and source"
            )
        self._control.load(dict(snapshot))
        prefix = "inner/"
        self._simulator.load({k.removeprefix(prefix): v for k, v in snapshot.items() if k.startswith(prefix)})

    def _bad_value(self, row: Ints) -> SpecError:
        t, _, _, port, value = row.tolist()
        word = self._inputs[port]
        return SpecError(
            f"rtl '{self._context.path}': input '{word.name}' got {value} at t = {format_time(t)}, which does not fit into "
            f"{word.width} bits; send 0 to {(1 << word.width) - 1}, or negative numbers down to {-(1 << (word.width - 1))}"
        )
