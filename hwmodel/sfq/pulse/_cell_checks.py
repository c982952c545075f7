"""The checks that a cell passes when it is made; each names the cell, the item, the value and the remedy."""

from __future__ import annotations

import keyword
import math
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, TypeGuard, get_args

from hwmodel.errors import SpecError, unknown

if TYPE_CHECKING:
    from hwmodel.sfq.pulse._cell import Cell
    from hwmodel.units import Time

Policy = Literal["error", "warn", "drop", "metastable"]
"""What the engine does when a pulse breaks a hold time."""

POLICIES: Final[tuple[str, ...]] = get_args(Policy)
EVERY_STATE: Final = "*"
# Words that the netlist's `add` takes itself; an input of that name could never be wired.
RESERVED: Final = frozenset({"cell", "name", "probability", "policy", "self"})


def is_number(value: object) -> TypeGuard[float]:
    """True for an int or a float; a bool is neither here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_identifier(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()


def check_cell(cell: Cell) -> None:
    """Raise `SpecError` where the parts of a cell contradict each other."""
    _check_names(cell)
    _check_transitions(cell)
    _check_reachable(cell)
    _check_holds(cell)
    _check_numbers(cell)


def _check_names(cell: Cell) -> None:
    where = f"cell {cell.name!r}"
    if not _is_identifier(cell.name):
        raise SpecError(f"{where}: a cell's name must be a Python identifier, such as 'tff'")
    if not cell.inputs:
        raise SpecError(f"{where}: no inputs; a cell that nothing can reach does nothing")
    if not cell.states:
        raise SpecError(f"{where}: no states; give at least one, the first is the state after power-on")
    for item in ("inputs", "outputs", "states"):
        names = getattr(cell, item)
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"{where}: {item} names {name!r} {names.count(name)} times; keep one")
    for port in cell.inputs + cell.outputs:
        if not _is_identifier(port) or keyword.iskeyword(port):
            raise SpecError(f"{where}: port {port!r} must be a Python identifier, such as 'a'")
        if port in RESERVED:
            raise SpecError(f"{where}: port {port!r} is a word that Netlist.add uses itself; rename the port")
    for port in cell.inputs:
        if port in cell.outputs:
            raise SpecError(f"{where}: {port!r} is both input and output; rename one")
    for state in cell.states:
        if not _is_text(state) or state == EVERY_STATE:
            raise SpecError(f"{where}: state {state!r} must be a string other than '' and '*'")
    if cell.clock is not None and cell.clock not in cell.inputs:
        raise SpecError(f"{where}: clock: {unknown('input', cell.clock, cell.inputs)}")
    if cell.policy is not None and cell.policy not in POLICIES:
        raise SpecError(f"{where}: {unknown('policy', cell.policy, POLICIES)}")


def _check_transitions(cell: Cell) -> None:
    for key, step in cell.transitions.items():
        where = f"cell {cell.name!r}: transition {key!r}"
        state, port = key
        if state not in cell.states:
            raise SpecError(f"{where}: {unknown('state', state, cell.states)}")
        if port not in cell.inputs:
            raise SpecError(f"{where}: {unknown('input', port, cell.inputs)}")
        if step.next not in cell.states:
            raise SpecError(f"{where}: next: {unknown('state', step.next, cell.states)}")
        for item, fires in (("fires", step.fires), ("else_fires", step.else_fires)):
            for output, delay in fires.items():
                if output not in cell.outputs:
                    raise SpecError(f"{where}: {item}: {unknown('output', output, cell.outputs)}")
                if delay <= 0:
                    raise SpecError(
                        f"{where}: {item}[{output!r}]={delay!r} must be greater than 0: a loop of cells "
                        "without delay would run for ever at one instant; give the cell's real delay"
                    )
        if step.else_fires and not step.probability:
            raise SpecError(f"{where}: else_fires is never used without probability=True; set it")
        if step.probability and not step.fires and not step.else_fires:
            raise SpecError(f"{where}: probability=True decides nothing; give fires or else_fires")
        if step.switched_ic_ua is not None:
            _check_amount(cell, f"transition {key!r}: switched_ic_ua", step.switched_ic_ua, "uA")
        if step.else_switched_ic_ua is not None:
            if not step.probability:
                raise SpecError(
                    f"{where}: else_switched_ic_ua is never used without probability=True; set it"
                )
            _check_amount(cell, f"transition {key!r}: else_switched_ic_ua", step.else_switched_ic_ua, "uA")


def _check_reachable(cell: Cell) -> None:
    seen = {cell.initial}
    todo = deque(seen)
    while todo:
        state = todo.popleft()
        for (source, _), step in cell.transitions.items():
            if source == state and step.next not in seen:
                seen.add(step.next)
                todo.append(step.next)
    for state in cell.states:
        if state not in seen:
            raise SpecError(
                f"cell {cell.name!r}: state {state!r} cannot be reached from {cell.initial!r}; "
                "add a transition to it or remove it"
            )


def _check_holds(cell: Cell) -> None:
    seen: dict[tuple[str, str, str], Time] = {}
    for hold in cell.holds:
        key = (hold.state, hold.first, hold.second)
        where = f"cell {cell.name!r}: hold {key!r}"
        if hold.state not in cell.states:
            raise SpecError(f"{where}: {unknown('state', hold.state, cell.states)}")
        for port in (hold.first, hold.second):
            if port not in cell.inputs:
                raise SpecError(f"{where}: {unknown('input', port, cell.inputs)}")
        if hold.time < 0:
            raise SpecError(f"{where}: time={hold.time!r} must be 0 or more; swap the pair to look back")
        if key in seen:
            raise SpecError(f"{where}: given twice ({seen[key]!r} and {hold.time!r}); remove one")
        seen[key] = hold.time


def _check_amount(cell: Cell, what: str, value: object, unit: str) -> None:
    if not is_number(value) or not 0 <= value < math.inf:
        raise SpecError(f"cell {cell.name!r}: {what}={value!r} must be a number of {unit}, 0 or more")


def check_jj(name: str, jj: object) -> None:
    """Raise `SpecError` unless `jj` counts junctions."""
    if isinstance(jj, bool) or not isinstance(jj, int) or jj < 0:
        raise SpecError(f"cell {name!r}: jj={jj!r} must be a whole number of junctions, 0 or more")


def _check_numbers(cell: Cell) -> None:
    check_jj(cell.name, cell.jj)
    for item, unit in (("total_ic_ua", "uA"), ("bias_ua", "uA"), ("bias_mv", "mV")):
        _check_amount(cell, item, getattr(cell, item), unit)
    if cell.source and not _is_text(cell.source):
        raise SpecError(f"cell {cell.name!r}: source={cell.source!r} must say in text where it comes from")
