"""Synchronous blocks: all sample their inputs, then all update (rule K4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwmodel.errors import SpecError, WiringError, unknown
from hwmodel.kernel._clock import Clock
from hwmodel.kernel._component import BuildContext, Component, State
from hwmodel.kernel._ports import Port, check_name, port_value
from hwmodel.units import NEVER

Values = Mapping[str, int]
Step = Callable[[Values, Values], tuple[Values, Values]]


@dataclass(frozen=True)
class Block:
    """One synchronous block: at each edge `step(inputs, state)` gives the next state and outputs.

    Parameters:
        name: unique in its domain.
        step: a pure function of the values of the inputs and of the state, both by name; it
            returns the new state and the new outputs, which others see at the next edge. What it
            leaves out keeps its value.
        inputs, outputs: width in bits of each, 1 to 63.
        state: registers and their values at time 0; outputs begin at 0 unless named here.
    """

    name: str
    step: Step
    inputs: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name, "block")
        for name, width in {**self.inputs, **self.outputs}.items():
            check_name(name, f"port of block '{self.name}',")
            if not 1 <= width <= 63:
                raise SpecError(f"block '{self.name}': port '{name}' is {width} bits wide; use 1 to 63")
        both = set(self.inputs) & set(self.outputs)
        if both:
            raise SpecError(f"block '{self.name}': '{sorted(both)[0]}' is both input and output; rename one")


class ClockDomain(Component):
    """Synchronous blocks on one clock, with registered connections among them.

    Inside the domain an output may feed an input with no latency; it is seen one edge later. What
    is not connected inside becomes a "bits" port of the component, named `block_port`.

    At an edge on which nothing changed - neither inputs, nor states, nor outputs - every further
    edge would do the same, so the domain sleeps until a message comes; edges are still counted.

    Example:
        >>> import hwmodel as hw
        >>> from hwmodel.units import GHz, ps
        >>> def step(inputs, state):
        ...     return {"n": (state["n"] + 1) % 4}, {"q": state["n"]}
        >>> count = hw.Block("count", step, outputs={"q": 2}, state={"n": 0})
        >>> domain = hw.ClockDomain("dom", hw.Clock(GHz(10)), [count])
        >>> trace = hw.System(domain).run(until=ps(500), watch=["count_q"])["count_q"]
        >>> trace.t.tolist(), trace.value.tolist()
        ([100000, 200000, 300000, 400000], [1, 2, 3, 0])
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        blocks: Sequence[Block],
        connections: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = clock
        self.blocks = tuple(sorted(blocks, key=lambda block: block.name))
        if len({b.name for b in self.blocks}) < len(self.blocks):
            raise WiringError(f"clock domain '{name}': two blocks have one name; rename one")
        self.connections = dict(sorted((connections or {}).items()))
        outputs = {f"{b.name}.{p}": w for b in self.blocks for p, w in b.outputs.items()}
        inputs = {f"{b.name}.{p}": w for b in self.blocks for p, w in b.inputs.items()}
        for target, source in self.connections.items():
            if target not in inputs:
                raise unknown(f"input in clock domain '{name}'", target, inputs)
            if source not in outputs:
                raise unknown(f"output in clock domain '{name}'", source, outputs)
            if inputs[target] != outputs[source]:
                raise WiringError(
                    f"clock domain '{name}': {source} is {outputs[source]} bits wide, {target} {inputs[target]}; make them equal"
                )
        ports = [Port(_flat(p), "in", "bits", w) for p, w in inputs.items() if p not in self.connections]
        ports += [Port(_flat(p), "out", "bits", w) for p, w in outputs.items()]
        super().__init__(name, ports)

    def describe(self) -> dict[str, Any]:
        """Adds clock, blocks and inner connections."""
        blocks = [
            {"name": b.name, "state": dict(b.state), "step": getattr(b.step, "__qualname__", "")}
            for b in self.blocks
        ]
        return {
            **super().describe(),
            "clock": repr(self.clock),
            "blocks": blocks,
            "connections": self.connections,
        }

    def build(self, context: BuildContext) -> _ClockedEngine:
        """Build the engine that steps all blocks."""
        return _ClockedEngine(self, context)

    def stats(self, engine: Any, elapsed: int) -> dict[str, int | float | str]:
        """Edges that fell, and edges at which something was computed."""
        return {"cycles": self.clock.index(elapsed), "cycles_computed": engine.computed}


def _flat(path: str) -> str:
    return path.replace(".", "_")


class _ClockedEngine:
    """Holds inputs, registers and outputs of all blocks as integers by name."""

    def __init__(self, domain: ClockDomain, context: BuildContext) -> None:
        self._domain = domain
        self._context = context
        self._clock = domain.clock
        self._edge = 0  # the next edge that has to be computed
        self._asleep = False
        self.computed = 0
        self._outputs = {f"{b.name}.{p}": int(b.state.get(p, 0)) for b in domain.blocks for p in b.outputs}
        self._inputs = {f"{b.name}.{p}": 0 for b in domain.blocks for p in b.inputs}
        self._state = {
            b.name: {k: int(v) for k, v in b.state.items() if k not in b.outputs} for b in domain.blocks
        }
        self._by_port = {
            n: p for p in self._inputs for n, flat in enumerate(context.ports_in) if flat == _flat(p)
        }
        self._ports_in = [f"{context.path}.{name}" for name in context.ports_in]
        self._bits_in = [domain.ports[name].width for name in context.ports_in]
        self._widths = {f"{b.name}.{p}": w for b in domain.blocks for p, w in b.outputs.items()}
        self._number = {p: context.ports_out.index(_flat(p)) for p in self._outputs}
        self._signal = {name: n for n, name in enumerate(context.watch)}
        if context.snapshot is not None:
            self._restore(context.snapshot)

    def advance(self, t1: int) -> None:
        """Run deliveries and edges with t < t1, a message before the edge of its femtosecond."""
        rows = self._context.inbox.take(t1).tolist()
        k = 0
        while True:
            t = self.next_event()
            if k < len(rows) and rows[k][0] <= t:
                self._deliver(*rows[k])
                k += 1
            elif t < t1:
                self._compute(t)
            else:
                return

    def next_event(self) -> int:
        """Time of the next edge that has to be computed."""
        return NEVER if self._asleep else int(self._clock.edge(self._edge))

    def state(self) -> State:
        """Inputs, outputs and registers by name."""
        values = {
            **{f"in/{p}": v for p, v in self._inputs.items()},
            **{f"out/{p}": v for p, v in self._outputs.items()},
        }
        for block, state in self._state.items():
            values |= {f"state/{block}.{k}": v for k, v in state.items()}
        return {name: np.array(value, np.int64) for name, value in values.items()}

    def snapshot(self) -> State:
        """The state, the number of the next edge, and whether the domain sleeps."""
        own = {"edge": self._edge, "asleep": int(self._asleep), "computed": self.computed}
        return {**self.state(), **{f"own/{k}": np.array(v, np.int64) for k, v in own.items()}}

    def _restore(self, snapshot: State) -> None:
        self._inputs = {p: int(snapshot[f"in/{p}"]) for p in self._inputs}
        self._outputs = {p: int(snapshot[f"out/{p}"]) for p in self._outputs}
        for block, state in self._state.items():
            self._state[block] = {k: int(snapshot[f"state/{block}.{k}"]) for k in state}
        self._edge, self.computed = int(snapshot["own/edge"]), int(snapshot["own/computed"])
        self._asleep = bool(snapshot["own/asleep"])

    def _deliver(self, t: int, link: int, seq: int, port: int, value: int) -> None:
        bits = self._bits_in[port]
        self._inputs[self._by_port[port]] = port_value(value, f"input '{self._ports_in[port]}': value", bits)
        self._note(self._context.ports_in[port], t, value)
        if self._asleep:
            # The edge of this very femtosecond still comes after the message (rule K3).
            self._edge = max(self._edge, self._clock.index(t))
            self._asleep = False

    def _compute(self, t: int) -> None:
        sampled = {
            **self._inputs,
            **{p: self._outputs[source] for p, source in self._domain.connections.items()},
        }
        changed = any(self._inputs[p] != v for p, v in sampled.items())
        updates = []
        for block in self._domain.blocks:
            seen = {p: sampled[f"{block.name}.{p}"] for p in block.inputs}
            updates.append((block, *block.step(seen, dict(self._state[block.name]))))
        self._inputs = sampled
        for block, state, outputs in updates:
            changed |= self._update(block, state, outputs, t)
        self.computed += 1
        self._edge += 1
        self._asleep = not changed

    def _update(self, block: Block, state: Values, outputs: Values, t: int) -> bool:
        changed = False
        for name, value in state.items():
            if name not in self._state[block.name]:
                raise unknown(
                    f"register of block '{self._domain.name}.{block.name}'", name, self._state[block.name]
                )
            register = f"block '{self._domain.name}.{block.name}': register '{name}'"
            number = port_value(value, register)
            changed |= self._state[block.name][name] != number
            self._state[block.name][name] = number
        for name, value in outputs.items():
            path = f"{block.name}.{name}"
            if path not in self._outputs:
                raise unknown(f"output of block '{self._domain.name}.{block.name}'", name, block.outputs)
            value = port_value(value, f"block '{self._domain.name}.{path}'")
            if not 0 <= value < 1 << self._widths[path]:
                raise SpecError(
                    f"block '{self._domain.name}.{path}': {value} does not fit into {self._widths[path]} bits"
                )
            if self._outputs[path] != value:
                changed = True
                self._outputs[path] = value
                if _flat(path) in self._context.linked:
                    self._context.outbox.send(t, self._number[path], value)
                self._note(_flat(path), t, value)
        return changed

    def _note(self, name: str, t: int, value: int) -> None:
        number = self._signal.get(name)
        if number is not None:
            self._context.recorder.record(t, number, value)
