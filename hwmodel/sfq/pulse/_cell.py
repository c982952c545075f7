"""What a pulse-level cell is: a timed Mealy machine with a hold time per state and ordered input pair.

A cell is pure data. It holds no time of its own and no state: the engine keeps those, so that one `Cell`
serves every instance of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from hwmodel.errors import SpecError, unknown
from hwmodel.sfq.pulse._cell_checks import EVERY_STATE, POLICIES, Policy, check_cell, check_jj, is_number
from hwmodel.sfq.pulse.timing import BIAS_PER_IC, BIAS_VOLTAGE, FIRING_SHARE, MEAN_IC, SILENT_SHARE
from hwmodel.units import Time, to_fs

__all__ = ["POLICIES", "Cell", "FrozenMap", "Hold", "Policy", "Step", "Transition"]

_K = TypeVar("_K")
_V = TypeVar("_V")


class FrozenMap(Mapping[_K, _V]):
    """A dictionary that cannot change, so that a dataclass which holds one can be hashed and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[_K, _V] | None = None) -> None:
        self._items: dict[_K, _V] = dict(items or {})

    def __getitem__(self, key: _K) -> _V:
        return self._items[key]

    def __iter__(self) -> Iterator[_K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __reduce__(self) -> tuple[type[FrozenMap[_K, _V]], tuple[dict[_K, _V]]]:
        return FrozenMap, (dict(self._items),)

    def __repr__(self) -> str:
        return repr(self._items)


def _times(fires: Mapping[str, Time | str], what: str) -> FrozenMap[str, Time]:
    if not isinstance(fires, Mapping):
        raise SpecError(f"{what}={fires!r} is not a mapping; write {{'q': ps(6)}}")
    return FrozenMap({output: Time(to_fs(delay, f"{what}[{output!r}]")) for output, delay in fires.items()})


@dataclass(frozen=True)
class Transition:
    """What one pulse does to a cell in one state.

    Parameters:
        next:
            The state afterwards.
        fires:
            Output name -> delay from the input pulse to the output pulse, greater than zero.
        probability:
            True: the engine draws, and `fires` happens with the probability of the instance.
        else_fires:
            Output name -> delay, used where the draw says no.
        switched_ic_ua:
            Sum of Ic, in uA, of the junctions that slip by 2 pi; None: estimated from the cell.
        else_switched_ic_ua:
            The same where the draw says no; None: as where it says yes.

    Example:
        >>> from hwmodel.units import ps
        >>> Transition("0", {"q": ps(6)})
        Transition(next='0', fires={'q': ps(6)})
    """

    next: str
    fires: Mapping[str, Time] = field(default_factory=FrozenMap)
    probability: bool = False
    else_fires: Mapping[str, Time] = field(default_factory=FrozenMap)
    switched_ic_ua: float | None = None
    else_switched_ic_ua: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fires", _times(self.fires, "fires"))
        object.__setattr__(self, "else_fires", _times(self.else_fires, "else_fires"))

    def __repr__(self) -> str:
        parts = [f"next={self.next!r}"]
        for item in dataclasses.fields(self)[1:]:
            value = getattr(self, item.name)
            if value not in (None, False) and value != {}:
                parts.append(f"{item.name}={value!r}")
        return f"Transition({', '.join(parts)})"


@dataclass(frozen=True)
class Hold:
    """How long after `first`, arriving while the cell is in `state`, `second` must stay away.

    The state is the one before `first` makes its own transition. With `first` at t1, a `second` at
    t2 < t1 + time breaks the rule; t2 = t1 + time is legal.
    """

    state: str
    first: str
    second: str
    time: Time

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", Time(to_fs(self.time, "time")))


Step = str | tuple[str, Mapping[str, Time | str]] | Transition
"""How `Cell.define` writes a transition: the next state, or (next state, fires), or a `Transition`."""


@dataclass(frozen=True, repr=False)
class Cell:
    """A kind of pulse-level cell: ports, states, timed transitions, hold times, size and bias.

    A pulse for which (state, input) has no transition is absorbed and the state kept. Pulses that meet on one
    femtosecond are taken in the order of `inputs`.

    Parameters:
        name, inputs, outputs:
            Python identifiers.
        states:
            The first is the state after power-on.
        transitions:
            (state, input) -> `Transition`.
        holds:
            At most one for each (state, first, second).
        jj:
            Number of Josephson junctions.
        total_ic_ua, bias_ua, bias_mv:
            Sum of the critical currents (uA), sum of the bias currents (uA), voltage of the bias rail (mV).
        source:
            Where the numbers come from, or "estimate: ...".
        clock:
            The input that reads a clocked cell; None for an unclocked one.
        policy:
            What a broken hold time does in this cell; None: what the run says.

    Raises:
        SpecError: the parts contradict each other; it names the cell, the item, the value and the remedy.

    Example:
        >>> from hwmodel.units import ps
        >>> toggle = Cell.define("tff", inputs="t", outputs="q", jj=5, source="estimate: textbook toggle",
        ...                      states={"0": {"t": "1"}, "1": {"t": ("0", {"q": ps(6)})}},
        ...                      holds={("*", "t", "t"): ps(5)})
        >>> toggle.step("1", "t").fires["q"]
        ps(6)
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    states: tuple[str, ...]
    transitions: Mapping[tuple[str, str], Transition]
    holds: tuple[Hold, ...] = ()
    jj: int = 0
    total_ic_ua: float = 0.0
    bias_ua: float = 0.0
    bias_mv: float = 0.0
    source: str = ""
    clock: str | None = None
    policy: Policy | None = None

    def __post_init__(self) -> None:
        for item in ("inputs", "outputs", "states"):
            object.__setattr__(self, item, _names(getattr(self, item), f"cell {self.name!r}: {item}"))
        _require_mapping(self.name, "transitions", self.transitions, '{("0", "a"): Transition("1")}')
        for key, step in self.transitions.items():
            if not (_is_tuple(key, 2) and isinstance(step, Transition)):
                raise SpecError(
                    f"cell {self.name!r}: transition {key!r}: {step!r}: write (state, input): Transition"
                )
        check_cell(self)
        # Canonical order, so that two cells that mean the same compare, print and hash alike.
        rank = {(s, i): (self.states.index(s), self.inputs.index(i)) for s, i in self.transitions}
        ordered = {key: self.transitions[key] for key in sorted(self.transitions, key=rank.__getitem__)}
        object.__setattr__(self, "transitions", FrozenMap(ordered))
        object.__setattr__(self, "holds", tuple(sorted(self.holds, key=self._hold_rank)))

    def _hold_rank(self, hold: Hold) -> tuple[int, int, int]:
        return self.states.index(hold.state), self.inputs.index(hold.first), self.inputs.index(hold.second)

    @classmethod
    def define(
        cls,
        name: str,
        *,
        inputs: str | Sequence[str],
        outputs: str | Sequence[str],
        states: Mapping[str, Mapping[str, Step]],
        holds: Mapping[tuple[str, str, str], Time | str] | None = None,
        jj: int = 0,
        total_ic_ua: float | None = None,
        bias_ua: float | None = None,
        bias_mv: float | None = None,
        source: str = "",
        clock: str | None = None,
        policy: Policy | None = None,
    ) -> Cell:
        """Make a cell in a few lines.

        Parameters:
            inputs, outputs:
                Names in one string ("a b clk") or a sequence.
            states:
                State -> {input: step}; a step is the next state, or (next state, {output: delay}), or a
                `Transition`.
            holds:
                (state, first, second) -> time; state "*" means every state, and an entry for one state goes
                before it.
            total_ic_ua, bias_ua, bias_mv:
                In uA, uA, mV. What is left out is estimated from `jj` with the means of the `rsfq` cells.
            jj, source, clock, policy:
                As in `Cell`.

        Example:
            >>> wire = Cell.define("tap", inputs="a", outputs="q", states={"0": {"a": ("0", {"q": "3 ps"})}})
            >>> wire.transitions[("0", "a")]
            Transition(next='0', fires={'q': ps(3)})
        """
        _require_mapping(name, "states", states, '{"0": {"a": "1"}}')
        steps: dict[tuple[str, str], Transition] = {}
        for state, row in states.items():
            _require_mapping(name, f"states[{state!r}]", row, '{"a": "1"}')
            steps.update({(state, port): _transition(name, state, port, step) for port, step in row.items()})
        check_jj(name, jj)
        ic = jj * MEAN_IC.value if total_ic_ua is None else total_ic_ua
        return cls(
            name=name,
            inputs=_names(inputs, f"cell {name!r}: inputs"),
            outputs=_names(outputs, f"cell {name!r}: outputs"),
            states=tuple(states),
            transitions=steps,
            holds=_expand(name, tuple(states), holds or {}),
            jj=jj,
            total_ic_ua=ic,
            bias_ua=ic * BIAS_PER_IC.value if bias_ua is None else bias_ua,
            bias_mv=BIAS_VOLTAGE.value if bias_mv is None else bias_mv,
            source=source,
            clock=clock,
            policy=policy,
        )

    @property
    def initial(self) -> str:
        """The state after power-on."""
        return self.states[0]

    @property
    def probabilistic(self) -> bool:
        """True where some transition draws, so that an instance needs a probability."""
        return any(step.probability for step in self.transitions.values())

    @property
    def static_power_nw(self) -> float:
        """Power that the bias takes at rest, in nW: bias current times rail voltage."""
        return self.bias_ua * self.bias_mv

    def step(self, state: str, port: str) -> Transition:
        """The transition of (state, input); an absorbed pulse gives one that stays and fires nothing."""
        if state not in self.states:
            raise unknown(f"state of cell {self.name!r}", state, self.states)
        if port not in self.inputs:
            raise unknown(f"input of cell {self.name!r}", port, self.inputs)
        return self.transitions.get((state, port)) or Transition(state)

    def switched_ic(self, state: str, port: str, fired: bool = True) -> float:
        """Critical current, in uA, that one pulse switches; times the flux quantum it is the dynamic energy.

        The value of the transition where it has one; else a share of `total_ic_ua`, the mean share of the
        firing or of the silent transitions of the `rsfq` cells. `fired` False: the draw of a probabilistic
        transition said no.
        """
        step = self.step(state, port)
        if not fired and step.else_switched_ic_ua is not None:
            return step.else_switched_ic_ua
        if step.switched_ic_ua is not None:
            return step.switched_ic_ua
        outputs = step.fires if fired else step.else_fires
        return self.total_ic_ua * (FIRING_SHARE.value if outputs else SILENT_SHARE.value)

    def replace(self, **changes: Any) -> Cell:
        """A copy with some fields changed, checked again."""
        known = [item.name for item in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise SpecError(f"cell {self.name!r}: {unknown('field', name, known)}")
        return dataclasses.replace(self, **changes)

    def with_policy(self, policy: Policy | None) -> Cell:
        """A copy that answers a broken hold time its own way."""
        return self.replace(policy=policy)

    def with_delays(self, scale: float, holds: bool = False) -> Cell:
        """A copy with every delay, and on demand every hold time, times `scale`, to the nearest fs."""
        if not is_number(scale) or not 0 < scale < math.inf:
            raise SpecError(f"cell {self.name!r}: with_delays(scale={scale!r}) must be a number above 0")

        def stretch(time: int) -> Time:
            return Time(round(time * scale))

        steps = {
            key: dataclasses.replace(
                step,
                fires={output: stretch(delay) for output, delay in step.fires.items()},
                else_fires={output: stretch(delay) for output, delay in step.else_fires.items()},
            )
            for key, step in self.transitions.items()
        }
        if not holds:
            return self.replace(transitions=steps)
        rules = tuple(dataclasses.replace(hold, time=stretch(hold.time)) for hold in self.holds)
        return self.replace(transitions=steps, holds=rules)

    def describe(self) -> dict[str, Any]:
        """The cell as plain JSON-able data, times in femtoseconds."""
        record: dict[str, Any] = {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.name not in ("transitions", "holds")
        }
        for item in ("inputs", "outputs", "states"):
            record[item] = list(record[item])
        record["transitions"] = [
            {
                "state": state,
                "input": port,
                "next": step.next,
                "fires_fs": {output: int(delay) for output, delay in step.fires.items()},
                "probability": step.probability,
                "else_fires_fs": {output: int(delay) for output, delay in step.else_fires.items()},
                "switched_ic_ua": step.switched_ic_ua,
                "else_switched_ic_ua": step.else_switched_ic_ua,
            }
            for (state, port), step in self.transitions.items()
        ]
        record["holds"] = [
            {"state": h.state, "first": h.first, "second": h.second, "time_fs": int(h.time)}
            for h in self.holds
        ]
        return record

    def table(self) -> str:
        """The cell as two Markdown tables, transitions and hold times, for documentation."""
        lines = ["| state | input | next | fires after | switched Ic, uA |", "|---|---|---|---|---|"]
        for (state, port), step in self.transitions.items():
            fired = ", ".join(f"{output} {delay!s}" for output, delay in step.fires.items()) or "-"
            if step.probability:
                missed = ", ".join(f"{output} {delay!s}" for output, delay in step.else_fires.items()) or "-"
                fired = f"drawn: {fired}; else {missed}"
            lines.append(f"| {state} | {port} | {step.next} | {fired} | {self.switched_ic(state, port):g} |")
        if self.holds:
            lines += ["", "| state | after | not before it ends | hold |", "|---|---|---|---|"]
            lines += [f"| {h.state} | {h.first} | {h.second} | {h.time!s} |" for h in self.holds]
        return "\n".join(lines)

    def __repr__(self) -> str:
        states: dict[str, dict[str, Step]] = {state: {} for state in self.states}
        for (state, port), step in self.transitions.items():
            states[state][port] = _shortest(step)
        parts = [repr(self.name), f"inputs={self.inputs!r}", f"outputs={self.outputs!r}"]
        parts.append(f"states={states!r}")
        if self.holds:
            parts.append(f"holds={ {(h.state, h.first, h.second): h.time for h in self.holds}!r}")
        for name in ("jj", "total_ic_ua", "bias_ua", "bias_mv", "source", "clock", "policy"):
            if (value := getattr(self, name)) is not None:
                parts.append(f"{name}={value!r}")
        return f"Cell.define({', '.join(parts)})"


def _shortest(step: Transition) -> Step:
    if step.probability or step.else_fires or step.switched_ic_ua is not None:
        return step
    return (step.next, cast("Mapping[str, Time | str]", step.fires)) if step.fires else step.next


def _names(names: str | Sequence[str], what: str) -> tuple[str, ...]:
    """Names from one string or a sequence."""
    if isinstance(names, str):
        return tuple(names.replace(",", " ").split())
    try:
        return tuple(names)
    except TypeError:
        raise SpecError(f"{what}={names!r}: expected names, such as 'a b clk' or ('a', 'b', 'clk')") from None


def _is_tuple(value: object, length: int) -> bool:
    return isinstance(value, tuple) and len(value) == length


def _require_mapping(cell: str, what: str, value: object, example: str) -> None:
    if not isinstance(value, Mapping):
        raise SpecError(f"cell {cell!r}: {what}={value!r} is not a mapping; write {example}")


def _transition(cell: str, state: str, port: str, step: Step) -> Transition:
    if isinstance(step, Transition):
        return step
    if isinstance(step, str):
        return Transition(step)
    if _is_tuple(step, 2):
        return Transition(step[0], _times(step[1], f"cell {cell!r}: step ({state!r}, {port!r}) fires"))
    raise SpecError(
        f"cell {cell!r}: step ({state!r}, {port!r}) = {step!r} is not understood; "
        "write the next state, or (next state, {output: delay}), or a Transition"
    )


def _expand(
    cell: str, states: tuple[str, ...], holds: Mapping[tuple[str, str, str], Time | str]
) -> tuple[Hold, ...]:
    """Hold rules for single states; a rule for one state goes before a rule for every state."""
    _require_mapping(cell, "holds", holds, '{("*", "t", "t"): ps(5)}')
    rules: dict[tuple[str, str, str], Hold] = {}
    for key in sorted(holds, key=lambda key: key[:1] != (EVERY_STATE,)):
        if not _is_tuple(key, 3):
            raise SpecError(f"cell {cell!r}: hold {key!r}: write (state, first, second), as ('*', 't', 't')")
        state, first, second = key
        time = Time(to_fs(holds[key], f"cell {cell!r}: hold {key!r}"))
        for single in states if state == EVERY_STATE else (state,):
            rules[single, first, second] = Hold(single, first, second, time)
    return tuple(rules.values())
