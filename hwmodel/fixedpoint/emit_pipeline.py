"""Pipelines: cut combinational logic into ranks of registers, and the handshake that moves values through them.

Every wire gets an arrival time from a plain delay model (levels of logic); equal cuts through these times assign it
a stage, and a wire that is read in a later stage gets one register a rank. Slices are taken before a register and
concatenations behind it, so sign extensions cost no flip-flops. The function stays the same whatever the number of
ranks; only the latency changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

Wire = Any  # a pyrtl.WireVector; PyRTL has no types

__all__ = ["Handshake", "add_ranks", "depth_of", "drivers_of", "in_order", "new_block", "remove_dead"]

# Levels of logic: a carry chain costs a table, then little for each further bit.
_DELAY: dict[str, Callable[[int], float]] = {
    "w": lambda w: 0.0,
    "s": lambda w: 0.0,
    "c": lambda w: 0.0,
    "~": lambda w: 0.0,
    "&": lambda w: 0.5,
    "|": lambda w: 0.5,
    "^": lambda w: 0.5,
    "n": lambda w: 0.5,
    "x": lambda w: 1.0,
    "=": lambda w: 1.0 + w / 16,
    "<": lambda w: 1.5 + w / 32,
    ">": lambda w: 1.5 + w / 32,
    "+": lambda w: 1.5 + w / 32,
    "-": lambda w: 1.5 + w / 32,
    "*": lambda w: 4.0 + w / 8,
    "m": lambda w: 1.0,
}


@lru_cache(maxsize=1)
def _block_class() -> type:
    """A block in which no two wires share a name; PyRTL itself would let the second replace the first."""
    import pyrtl

    class NamedBlock(pyrtl.Block):  # type: ignore[misc]  # PyRTL has no types
        def add_wirevector(self, wirevector: Wire) -> None:
            name, known = wirevector.name, self.wirevector_by_name
            # What a layer is called must not meet `clk`, the control's registers or PyRTL's own names.
            while name == "clk" or known.get(name, wirevector) is not wirevector:
                name += "0" if name.startswith("tmp") and name[3:].isdigit() else "_"
            wirevector._name = name
            super().add_wirevector(wirevector)

    return NamedBlock


def new_block() -> Any:
    """Give an empty PyRTL block that renames a wire whose name is taken, by a "_" at its end."""
    return _block_class()()


def drivers_of(block: Any) -> dict[Any, Any]:
    """Give the net that drives each wire."""
    return {net.dests[0]: net for net in block.logic if net.dests}


def in_order(ends: Sequence[Wire], drivers: dict[Any, Any]) -> list[Any]:
    """Give the nets that the wires `ends` depend on, drivers first; the order depends on the design only.

    Registers end the search; where one is given as an end, what it takes is an end too. The nets of registers
    themselves are not among the results.
    """
    done: set[Any] = set()
    nets: list[Any] = []
    for end in ends:
        own = drivers.get(end)
        start = own.args[0] if own is not None and own.op == "r" else end
        stack: list[tuple[Any, bool]] = [(start, False)]
        while stack:
            wire, finished = stack.pop()
            net = drivers.get(wire)
            if net is None or net.op == "r":
                continue
            if finished:
                nets.append(net)
                continue
            if wire in done:
                continue
            done.add(wire)
            stack.append((wire, True))
            stack.extend((arg, False) for arg in reversed(net.args) if arg not in done)
    return nets


def remove_dead(block: Any, ends: Sequence[Wire]) -> None:
    """Remove nets and wires that no output needs."""
    drivers = drivers_of(block)
    kept: dict[Any, None] = {}
    alive: set[Any] = set()
    stack = list(ends)
    while stack:
        wire = stack.pop()
        if wire in alive:
            continue
        alive.add(wire)
        net = drivers.get(wire)
        if net is not None:
            kept[net] = None
            stack.extend(net.args)
    block.logic = set(kept)
    for wire in list(block.wirevector_set):
        if wire not in alive and type(wire).__name__ != "Input":
            block.remove_wirevector(wire)


def arrivals(nets: Sequence[Any]) -> dict[Any, float]:
    """Give the levels of logic behind each driven wire."""
    times: dict[Any, float] = {}
    for net in nets:
        start = max((times.get(arg, 0.0) for arg in net.args), default=0.0)
        times[net.dests[0]] = start + _DELAY[net.op](max((len(arg) for arg in net.args), default=1))
    return times


def depth_of(block: Any, end: Wire, stops: Sequence[Wire] = ()) -> float:
    """Give the levels of logic between the inputs, or the wires `stops`, and a wire."""
    drivers = drivers_of(block)
    for wire in stops:
        drivers.pop(wire, None)
    return arrivals(in_order([end], drivers)).get(end, 0.0)


class Handshake:
    """Valid and advance bits of `ranks` register ranks between an input and an output that may stall.

    A rank takes a value where it is empty or its value moves on, so bubbles close up while the output waits.

    Parameters:
        ranks: number of ranks, at least 1.
        rst, in_valid, out_ready: wires of the interface.
    """

    def __init__(self, ranks: int, rst: Wire, in_valid: Wire, out_ready: Wire, prefix: str = "") -> None:
        import pyrtl

        self.valid = [pyrtl.Register(1, f"{prefix}valid_{k + 1}") for k in range(ranks)]
        self.advance = [pyrtl.WireVector(1, f"{prefix}advance_{k + 1}") for k in range(ranks)]
        for k in range(ranks):
            following = self.advance[k + 1] if k + 1 < ranks else out_ready
            self.advance[k] <<= ~self.valid[k] | following
            before = self.valid[k - 1] if k else in_valid
            moved = pyrtl.select(self.advance[k], before, self.valid[k])
            self.valid[k].next <<= pyrtl.select(rst, pyrtl.Const(0, 1), moved)
        self.in_ready = self.advance[0]
        self.out_valid = self.valid[-1]


def add_ranks(
    block: Any,
    end: Wire,
    advance: Sequence[Wire],
    name_of: Callable[[Any, int], str],
    stops: Sequence[Wire] = (),
) -> Wire:
    """Cut the logic before a wire into stages and give the wire that replaces it behind the last rank.

    Parameters:
        block: the PyRTL block, which is also the working block.
        end: the combinational result.
        advance: one enable bit a rank, first rank first; at least one.
        name_of: gives the name of a register from the wire and its rank.
        stops: wires where the logic begins; what drives them stays as it is.
    """
    drivers = drivers_of(block)
    for wire in stops:
        drivers.pop(wire, None)
    nets = in_order([end], drivers)
    times = arrivals(nets)
    ranks, total = len(advance), times.get(end, 0.0)
    cuts = [total * (k + 1) / ranks for k in range(ranks - 1)]

    def stage_of(wire: Any) -> int:
        return sum(times.get(wire, 0.0) > cut + 1e-9 for cut in cuts)

    ranker = _Ranker(drivers, {net.dests[0]: stage_of(net.dests[0]) for net in nets}, advance, name_of)
    for net in nets:
        ranker.settle(block, net)
    return ranker.at(end, ranks)


class _Ranker:
    """Gives any wire as it is seen from a stage, making registers as they are needed."""

    def __init__(
        self,
        drivers: dict[Any, Any],
        stages: dict[Any, int],
        advance: Sequence[Wire],
        name_of: Callable[[Any, int], str],
    ) -> None:
        self.drivers, self.stages, self.advance, self.name_of = drivers, stages, advance, name_of
        self.made: dict[tuple[Any, int], Any] = {}

    def settle(self, block: Any, net: Any) -> None:
        """Make a net read its arguments as they are in its own stage."""
        import pyrtl

        stage = self.stages[net.dests[0]]
        args = tuple(self.at(arg, stage) for arg in net.args)
        if all(new is old for new, old in zip(args, net.args, strict=True)):
            return
        block.logic.discard(net)
        # The checks of `add_net` were passed by the net that this one replaces.
        block.logic.add(pyrtl.LogicNet(net.op, net.op_param, args, net.dests))

    def at(self, wire: Any, stage: int) -> Any:
        """Give the wire's value as stage number `stage` sees it; stage k lies behind k ranks."""
        import pyrtl

        if isinstance(wire, pyrtl.Const) or self.stages.get(wire, 0) == stage:
            return wire
        key = wire, stage
        if key in self.made:
            return self.made[key]
        net = self.drivers.get(wire)
        if net is not None and net.op == "w":
            found = self.at(net.args[0], stage)
        elif net is not None and net.op == "c":
            found = pyrtl.concat(*(self.at(arg, stage) for arg in net.args))
        else:
            before = self.at(wire, stage - 1)
            found = pyrtl.Register(len(wire), self.name_of(wire, stage))
            found.next <<= pyrtl.select(self.advance[stage - 1], before, found)
        self.made[key] = found
        return found
