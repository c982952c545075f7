"""The engine of a `Model`: calls its methods for messages and wake-ups, and saves its fields."""

from __future__ import annotations

import copy
import heapq
import json
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import CheckpointError, QueueOverflowError, SpecError, TimeRangeError, unknown
from hwmodel.kernel._buffers import PORT, VALUE, Inbox
from hwmodel.kernel._component import BuildContext, State
from hwmodel.kernel._fields import SCALARS, check_value, decode, encode, text
from hwmodel.kernel._ports import Port, port_value, value_range
from hwmodel.units import MAX_TIME, NEVER, TimeLike, format_time, to_fs

if TYPE_CHECKING:
    from hwmodel.kernel._model import Model

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

FEW = 4
"""Up to so many waiting messages are read one by one, more of them as an array."""

Wake = tuple[int, int, str, tuple[int, ...]]  # time, place in the order of asking, method, its values
Output = tuple[int, bool, int, int, int, int]  # number, linked, number as a signal, bits, least, most


class ModelEngine:
    """Runs one copy of a model. Made by `Model.build`.

    Attributes:
        model: the copy, with the fields as they are now.
        fields: names of the fields.
        now: the present time in fs.
    """

    def __init__(self, component: Model, context: BuildContext, starts: bool) -> None:
        self.context = context
        self.now = 0
        self.model = _copy_of(component, self)
        self.fields = tuple(name for name, _ in component._declared)
        self._kind = type(component).__name__
        self._attributes = len(vars(self.model))
        self._handlers = [self._handler(name) for name in context.ports_in]
        self._numbers = {name: n for n, name in enumerate(context.watch)}
        self._seen = [self._numbers.get(name) for name in context.ports_in]
        self._outputs = {
            name: self._output(n, component.ports[name]) for n, name in enumerate(context.ports_out)
        }
        self._wakes: list[Wake] = []
        self._methods: dict[str, Callable[..., None]] = {}  # those that were asked for
        self._asked = 0  # wake-ups so far
        self._notes: list[tuple[int, int, int, int]] = []  # still to be recorded: t, order, signal, value
        self._noted = 0
        self._rng: np.random.Generator | None = None
        self._starts = starts  # whether start() is still to be called
        if context.snapshot is not None:
            self._restore(context.snapshot)

    # ---------------------------------------------------------------------------------- the four members

    def advance(self, t1: int) -> None:
        """Deliver the messages and make the calls with t < t1, messages first (rule K3)."""
        inbox, wakes, methods = self.context.inbox, self._wakes, self._methods
        try:
            if self._starts:
                self._starts = False
                self.model.start()
            if inbox.head != inbox.tail:
                for t, port, value in self._messages(inbox, t1):
                    while wakes and wakes[0][0] < t:
                        self.now, _, name, values = heapq.heappop(wakes)
                        methods[name](*values)
                    self.now = t
                    number = self._seen[port]
                    if number is not None:
                        self.note(t, number, value)
                    self._handlers[port](value)
            while wakes and wakes[0][0] < t1:
                self.now, _, name, values = heapq.heappop(wakes)
                methods[name](*values)
            self._check_fields()
        except Exception as error:
            error.add_note(f"in {self.where}")
            raise
        if self._notes:
            self._record(t1)

    def next_event(self) -> int:
        """Time of the next wake-up, or of something sent for later that is still to be recorded."""
        if self._starts:
            return 0
        t = self._wakes[0][0] if self._wakes else NEVER
        return self._notes[0][0] if self._notes and self._notes[0][0] < t else t

    def state(self) -> State:
        """The fields, the pending wake-ups, and the state of the random stream if one was drawn."""
        return self._state(strict=False)

    def snapshot(self) -> State:
        """The state, and what is still to be recorded.

        Raises:
            CheckpointError: an item of a field that cannot be saved.
        """
        own = {"now": np.array(self.now), "starts": np.array(self._starts)}
        notes = np.array(sorted(self._notes), np.int64).reshape(-1, 4)
        return {**self._state(strict=True), **own, "notes": notes}

    # ------------------------------------------------------------------------------- what a model asks for

    @property
    def where(self) -> str:
        """The component and the present time, for errors."""
        return f"{self._kind} '{self.context.path}' at t = {format_time(self.now)}"

    def send(self, port: str, value: int, after: TimeLike | None) -> None:
        """Put a message into the outbox, and note it for the record."""
        output = self._outputs.get(port)
        if output is None:
            raise unknown(f"output of {self._kind} '{self.context.path}'", port, self._outputs)
        number, linked, signal, bits, least, most = output
        if type(value) is not int or not least <= value <= most:
            value = port_value(value, f"{self.where}: send('{port}'): value", bits)
        t = self.now if after is None else self._later(after, "send(after)")
        if linked:
            self.context.outbox.send(t, number, value)
        if signal >= 0:
            self.note(t, signal, value)

    def wake(
        self,
        method: Callable[..., None] | str,
        values: tuple[int, ...],
        after: TimeLike | None,
        at: TimeLike | None,
    ) -> None:
        """Put a call into the heap of wake-ups."""
        name = method if isinstance(method, str) else self._name_of(method)
        if name not in self._methods:
            self._methods[name] = self._method(name)
        if after is not None and at is not None:
            raise SpecError(f"{self.where}: wake(after={after!r}, at={at!r}): give one of the two")
        if at is not None:
            t = to_fs(at, "wake(at)")
            if t < self.now:
                raise TimeRangeError(f"{self.where}: wake(at={at!r}) is in the past; give a time from now on")
        else:
            t = self.now if after is None else self._later(after, "wake(after)")
        if values:
            what = f"{self.where}: wake({name}): value"
            values = tuple(port_value(value, what) for value in values)
        if len(self._wakes) >= self.model.most_wakes:
            raise QueueOverflowError(
                f"{self.where}: {len(self._wakes)} wake-ups are pending, the bound is {self.model.most_wakes}; ask for the "
                "next when one has come, or set most_wakes in the class"
            )
        self._asked += 1
        heapq.heappush(self._wakes, (t, self._asked, name, values))

    def record(self, signal: str, value: int) -> None:
        """Note a value of a signal for the record."""
        if signal not in self.model.records:
            raise unknown(f"signal of {self._kind} '{self.context.path}'", signal, self.model.records)
        value = port_value(value, f"{self.where}: record('{signal}'): value")
        number = self._numbers.get(signal)
        if number is not None:
            self.note(self.now, number, value)

    def note(self, t: int, number: int, value: int) -> None:
        """Remember a value of a watched signal until its time has come."""
        self._noted += 1
        self._notes.append((t, self._noted, number, value))

    def random(self) -> np.random.Generator:
        """The random stream, made when first asked for."""
        if self._rng is None:
            self._rng = np.random.Generator(np.random.PCG64(self.context.stream()))
        return self._rng

    # What follows is private.

    @staticmethod
    def _messages(inbox: Inbox, t1: int) -> list[list[int]]:
        """Messages with t < t1 as (t, port, value)."""
        if inbox.next_time() >= t1:  # also puts the messages in order
            return []
        if inbox.tail - inbox.head > FEW:
            return inbox.take(t1)[:, [0, 3, 4]].tolist()  # type: ignore[no-any-return]
        item, found = inbox.rows.item, []
        for k in range(5 * inbox.head, 5 * inbox.tail, 5):
            if (t := item(k)) >= t1:
                break
            found.append([t, item(k + PORT), item(k + VALUE)])
        inbox.head += len(found)
        return found

    def _handler(self, port: str) -> Callable[[int], None]:
        if hasattr(type(self.model), f"on_{port}"):
            return getattr(self.model, f"on_{port}")  # type: ignore[no-any-return]
        return partial(self.model.receive, port)

    def _name_of(self, method: object) -> str:
        if getattr(method, "__self__", None) is self.model:
            return str(method.__name__)  # type: ignore[attr-defined]
        raise SpecError(
            f"{self.where}: wake({method!r}): give a method of this model, as in wake(self.tick, after=ns(5)); another "
            "function could not be saved"
        )

    def _method(self, name: str) -> Callable[..., None]:
        kind = type(self.model)
        if callable(getattr(kind, name, None)):
            return getattr(self.model, name)  # type: ignore[no-any-return]
        known = [m for m in vars(kind) if callable(getattr(kind, m)) and not m.startswith("__")]
        raise unknown(f"method of {self._kind} '{self.context.path}'", name, known)

    def _output(self, number: int, port: Port) -> Output:
        linked, signal = port.name in self.context.linked, self._numbers.get(port.name, -1)
        return number, linked, signal, port.bits, *value_range(port.bits)

    def _later(self, after: TimeLike, what: str) -> int:
        delay = to_fs(after, what)
        if delay < 0:
            raise TimeRangeError(
                f"{self.where}: {what[:-1]}={after!r}) is in the past; give a time from 0 on"
            )
        if self.now + delay > MAX_TIME:
            raise TimeRangeError(f"{self.where}: {what[:-1]}={after!r}) is beyond 9,223 s; give less")
        return self.now + delay

    def _check_fields(self) -> None:
        values = vars(self.model)
        if len(values) != self._attributes:
            known = {*self.fields, "name", "spec", "_ports", "_declared", "_engine"}
            strange = sorted(set(values) - known) or sorted(known - set(values))
            raise SpecError(
                f"{self.where}: '{strange[0]}' is no field of its class, and would be lost in a checkpoint; declare it "
                f"there, as in '{strange[0]}: int = 0', and do not delete it"
            )
        for name in self.fields:
            if type(values[name]) not in SCALARS:
                check_value(values[name], f"{self.where}: field '{name}'")

    def _record(self, t1: int) -> None:
        notes = self._notes
        notes.sort()
        n = len(notes)
        while n and notes[n - 1][0] >= t1:
            n -= 1
        due, self._notes = notes[:n], notes[n:]
        if len(due) == 1:
            t, _, number, value = due[0]
            self.context.recorder.record(t, number, value)
        elif due:
            t_all, _, numbers, values = np.array(due, np.int64).T
            self.context.recorder.extend(t_all, numbers, values)

    def _state(self, strict: bool) -> dict[str, npt.NDArray[Any]]:
        state = {}
        for name in self.fields:
            value = vars(self.model).get(name)
            try:
                state[f"field/{name}"] = encode(value, f"{self._kind} '{self.context.path}': field '{name}'")
            except CheckpointError:
                # A run needs no more than a description; only who saves it has to be told.
                if strict:
                    raise
                state[f"field/{name}"] = np.array(_ADDRESS.sub("", repr(value)))
        state["wakes"] = text([[t, name, *values] for t, _, name, values in sorted(self._wakes)])
        if self._rng is not None:
            state["rng"] = text(self._rng.bit_generator.state)
        return state

    def _restore(self, snapshot: State) -> None:
        for name in self.fields:
            vars(self.model)[name] = decode(snapshot[f"field/{name}"])
        self.now, self._starts = int(snapshot["now"]), bool(snapshot["starts"])
        for t, name, *values in json.loads(str(snapshot["wakes"])):
            self._asked += 1
            self._wakes.append((t, self._asked, name, tuple(values)))
            self._methods[name] = self._method(name)
        self._notes = [(t, order, number, value) for t, order, number, value in snapshot["notes"].tolist()]
        self._noted = max((note[1] for note in self._notes), default=0)
        if "rng" in snapshot:
            self.random().bit_generator.state = json.loads(str(snapshot["rng"]))


def _copy_of(component: Model, engine: ModelEngine) -> Model:
    """A copy for one run: the fields its own, ports and spec shared, as nothing changes them."""
    model: Model = object.__new__(type(component))
    declared = {name for name, _ in component._declared}
    for name, value in vars(component).items():
        vars(model)[name] = copy.deepcopy(value) if name in declared else value
    vars(model)["_engine"] = engine
    return model
