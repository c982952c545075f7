"""Components written as a Python class: inputs call methods, and annotated fields are the state."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, cast

import numpy as np

from hwmodel.errors import CheckpointError, SpecError, WiringError, unknown
from hwmodel.kernel._component import BuildContext, Component
from hwmodel.kernel._fields import REQUIRED, check_spec, check_value, encode, fields_of, shown
from hwmodel.kernel._model_engine import ModelEngine
from hwmodel.kernel._ports import KIND_OF_PROTOCOL, Direction, Port, Protocol, SignalKind
from hwmodel.units import Time, TimeLike

Ports = Mapping[str, str | int] | Sequence[str | Port]
"""Ports of a model: name to protocol or to width in bits, or ports, or names of 64-bit "event" ports."""

MOST_WAKES = 1 << 16
"""Bound on the pending calls of one model; a class may set its own as `most_wakes`."""


class Model(Component):
    """A component written as a plain Python class.

    `inputs` and `outputs` name the ports: a mapping of names to protocols ("pulse", "event", "bits") or to
    widths in bits, or a sequence of `Port` objects and names of 64-bit "event" ports. `records` maps
    further signals, which `record` takes, to their kinds, and `most_wakes` bounds the pending wake-ups.

    A message calls `on_PORT(value)`, or `receive(port, value)` where the class has no such method.
    Annotated fields are the state: every run gets a copy of its own, and checkpoints save it. What a
    method does takes no time; later things are asked for with `send(..., after=...)` and `wake`.

    Within a femtosecond messages come first, in the order of rule K3, then wake-ups in the order in
    which they were asked for.

    Parameters:
        name: path of the component.
        spec: parameters that never change, a frozen dataclass, or None.
        inputs, outputs: ports in place of those of the class.
        values: first values of fields; a field without a value in the class must be given.

    Raises:
        SpecError: a port without a method, a method `on_...` without a port, or a field that cannot
            be saved.

    Example:
        >>> import hwmodel as hw
        >>> from hwmodel.units import ns, ps
        >>> class Divider(hw.Model):
        ...     inputs, outputs = {"a": "pulse"}, {"q": "event"}
        ...     count: int = 0
        ...     def on_a(self, value):
        ...         self.count += 1
        ...         if self.count % 3 == 0:
        ...             self.send("q", self.count, after=ps(10))
        >>> system = hw.System(Divider("div"))
        >>> system.drive("a", clock=hw.Clock(period=ps(100)))
        >>> result = system.run(until=ns(1), watch=["q"])
        >>> result["q"].pulses(), result["q"].value, result.stats["div.count"]
        (ps([210, 510, 810]), array([3, 6, 9]), 10)
    """

    inputs: ClassVar[Ports] = ()
    outputs: ClassVar[Ports] = ()
    records: ClassVar[Mapping[str, SignalKind]] = {}
    most_wakes: ClassVar[int] = MOST_WAKES
    _engine: ModelEngine | None = None  # of the copy that a run works on

    def __init__(
        self,
        name: str,
        spec: Any = None,
        *,
        inputs: Ports | None = None,
        outputs: Ports | None = None,
        **values: Any,
    ) -> None:
        kind = type(self)
        where = f"{kind.__name__} '{name}'"
        ports = make_ports(kind.inputs if inputs is None else inputs, "in", name, where)
        ports += make_ports(kind.outputs if outputs is None else outputs, "out", name, where)
        super().__init__(name, ports, spec)
        check_spec(spec, where)
        self._declared = tuple(_declared(kind, values, where).items())
        for field, value in self._declared:
            vars(self)[field] = copy.deepcopy(value)
        self._check_methods(where)

    # ------------------------------------------------------------------------------- what a model does

    def start(self) -> None:
        """Called once at time 0, before any message; a subclass may override it."""

    def receive(self, port: str, value: int) -> None:
        """Called for a message at a port without a method `on_PORT`; a subclass overrides it."""
        raise SpecError(f"{type(self).__name__} '{self.name}' has no method for input '{port}'")

    # --------------------------------------------------------------------------------- what it may ask for

    @property
    def now(self) -> Time:
        """The present time."""
        return Time((self._engine or self._idle("now")).now)

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers of this component, from the run's seed and the path (rule K7)."""
        return (self._engine or self._idle("rng")).random()

    def send(self, port: str, value: int = 0, after: TimeLike | None = None) -> None:
        """Send a message through an output, now or `after` a time.

        Raises:
            UnknownNameError: no such output.
            TimeRangeError: a time in the past.
            SpecError: a value that the port cannot carry.
        """
        (self._engine or self._idle("send")).send(port, value, after)

    def wake(
        self,
        method: Callable[..., None] | str,
        *values: int,
        after: TimeLike | None = None,
        at: TimeLike | None = None,
    ) -> None:
        """Have a method of this model called `after` a time or `at` one: `self.wake(self.tick, after=ns(5))`.

        `values` are whole numbers that the method is given. Without a time it is called in the same
        femtosecond, after all messages.

        Raises:
            TimeRangeError: a time in the past.
            QueueOverflowError: more pending wake-ups than `most_wakes`.
        """
        (self._engine or self._idle("wake")).wake(method, values, after, at)

    def record(self, signal: str, value: int = 0) -> None:
        """Record a value, now, of one of the signals in `records`."""
        (self._engine or self._idle("record")).record(signal, value)

    # ------------------------------------------------------------------------------------- as a component

    def signals(self) -> Mapping[str, SignalKind]:
        """The ports, and what `records` names."""
        return {**super().signals(), **self.records}

    def build(self, context: BuildContext) -> ModelEngine:
        """Make the copy of this model that the run works on, and the engine that calls it."""
        known = {"name", "spec", "_ports", "_declared", *(field for field, _ in self._declared)}
        for name, value in vars(self).items():
            if name not in known:
                raise SpecError(
                    f"{type(self).__name__} '{self.name}': '{name}' is no field of its class, and would be lost in a "
                    f"checkpoint; declare it there, as in '{name}: int = 0', or put what never changes into spec="
                )
            if name not in ("name", "spec", "_ports", "_declared"):
                check_value(value, f"{type(self).__name__} '{self.name}': field '{name}'")
        return ModelEngine(self, context, type(self).start is not Model.start)

    def stats(self, engine: Any, elapsed: int) -> dict[str, int | float | str]:
        """Fields that are numbers or text."""
        values = {name: vars(engine.model).get(name) for name in engine.fields}
        plain = {name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()}
        return {name: v for name, v in plain.items() if isinstance(v, int | float | str)}

    def describe(self) -> dict[str, Any]:
        """Adds the first values of the fields."""
        return {**super().describe(), "fields": {f: shown(vars(self).get(f)) for f, _ in self._declared}}

    # What follows is private.

    def _idle(self, what: str) -> NoReturn:
        raise WiringError(
            f"{type(self).__name__} '{self.name}': '{what}' is for its methods while a system runs; give first "
            "values to the constructor, and do the rest in start()"
        )

    def _check_methods(self, where: str) -> None:
        """Every input has a method, and every method `on_...` an input."""
        kind = type(self)
        inputs = [port.name for port in self.ports.values() if port.direction == "in"]
        for name in dir(kind):
            if name.startswith("on_") and callable(getattr(kind, name)) and name[3:] not in inputs:
                raise unknown(f"input of {where}, which has a method '{name}':", name[3:], inputs)
        for port in inputs:
            if not hasattr(kind, f"on_{port}"):
                if kind.receive is Model.receive:
                    raise SpecError(
                        f"{where}: no method takes what comes through '{port}'; write on_{port}(self, value) or "
                        "receive(self, port, value)"
                    )
                continue
            _check_call(getattr(self, f"on_{port}"), (0,), f"{where}: on_{port}", "(self, value)")
        if kind.receive is not Model.receive:
            _check_call(self.receive, ("", 0), f"{where}: receive", "(self, port, value)")
        for field, _ in self._declared:
            if field in self.ports:
                raise SpecError(f"{where}: '{field}' is a port and a field; rename one")
        for signal, form in self.records.items():
            if form not in KIND_OF_PROTOCOL.values():
                raise SpecError(f"{where}: signal '{signal}' is a '{form}', not one of pulse, level, event")
            if signal in self.ports:
                raise SpecError(f"{where}: '{signal}' is a port, which is recorded anyway; rename the signal")


def make_ports(given: Ports, direction: Direction, owner: str, where: str) -> list[Port]:
    """Read ports as models and processes name them: `where` is for errors."""
    if isinstance(given, str) or not isinstance(given, Mapping | Sequence):
        raise SpecError(
            f"{where}: {direction}puts={given!r}: give names with protocols, as in {{'a': 'pulse'}}, or a list"
        )
    forms: dict[str, str | int | Port] = {}
    for item in given:
        form = given[item] if isinstance(given, Mapping) else item if isinstance(item, Port) else "event"  # type: ignore[index]
        forms[item.name if isinstance(item, Port) else item] = form
    if len(forms) < len(given):
        raise WiringError(f"{where}: two {direction}puts have one name; rename one")
    ports = []
    for name, form in forms.items():
        if isinstance(form, str):
            form = Port(name, direction, cast(Protocol, form), 64 if form == "event" else 1, owner=owner)
        elif not isinstance(form, Port):
            form = Port(name, direction, "bits", form, owner=owner)
        if form.direction != direction:
            raise SpecError(f"{where}: port '{name}' is an {form.direction}put among the {direction}puts")
        ports.append(form)
    return ports


def _declared(kind: type[Model], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Fields of a class with their first values, checked."""
    declared = fields_of(kind, (Model, Component))
    for name in values:
        if name not in declared:
            raise unknown(f"field of {where}", name, declared)
    declared |= values
    for name, value in declared.items():
        if hasattr(Model, name) or name in ("name", "spec", "_ports", "_declared"):
            raise SpecError(f"{where}: a field cannot be named '{name}', which every model has; rename it")
        if value is REQUIRED:
            raise SpecError(f"{where}: '{name}' has no value; write {kind.__name__}(..., {name}=...)")
        check_value(value, f"{where}: field '{name}'")
        try:
            encode(value, f"{where}: field '{name}'")
        except CheckpointError as error:
            raise SpecError(str(error)) from None
    return declared


def _check_call(method: Callable[..., Any], arguments: tuple[Any, ...], what: str, wanted: str) -> None:
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError as error:
        raise SpecError(f"{what} cannot be called with a message ({error}); write it as {wanted}") from None
