"""User processes: SimPy generators as components."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import CheckpointError, HwmodelError, SpecError, TimeRangeError, unknown
from hwmodel.kernel._buffers import OUT_PORT, OUT_T, OUT_VALUE
from hwmodel.kernel._clock import Clock
from hwmodel.kernel._component import BuildContext, Component, State
from hwmodel.kernel._model import Ports, make_ports
from hwmodel.kernel._ports import KIND_OF_PROTOCOL, Port, SignalKind, port_value, value_range, whole_number
from hwmodel.units import MAX_TIME, NEVER, Time, TimeLike, format_time, to_fs, to_fs_array

if TYPE_CHECKING:
    import simpy

    from hwmodel._times import Times

ProcessFunction = Callable[["ProcessContext"], Generator[Any, Any, Any]]

# Order within one femtosecond: deliver, local event, clock edge (rule K3). SimPy's own are 0 and 1.
_DELIVER, _EDGE = -1, 2

_HANDED = 64  # so many are kept before those that have arrived are dropped
_FEW = 4  # up to so many messages go to the outbox one by one

MOST_OUTGOING = 1 << 12
"""Messages that a process collects before they go to its outbox, which checks its bound."""


@dataclass(frozen=True)
class Message:
    """A message that a process received: when, through which port, with which value."""

    t: Time
    port: str
    value: int


class ProcessContext:
    """What a process may do: wait, receive, send, record, draw random numbers.

    Attributes:
        env: the SimPy environment of this component, its time in fs.
        rng: a NumPy generator seeded from the run's seed and the component's path (rule K7).
    """

    def __init__(
        self,
        engine: _ProcessEngine,
        env: simpy.Environment,
        rng: np.random.Generator,
        ports: Mapping[str, Port],
    ) -> None:
        self._engine = engine
        self.env = env
        self.rng = rng
        context = engine.context
        self._outputs = {
            name: (number, name in context.linked, bits, *value_range(bits))
            for number, name in enumerate(context.ports_out)
            for bits in (ports[name].bits,)
        }

    @property
    def now(self) -> Time:
        """The present time."""
        return Time(int(self.env.now))

    def timeout(self, delay: TimeLike) -> simpy.Event:
        """Wait for a time: `yield ctx.timeout(ps(50))`."""
        return self.env.timeout(to_fs(delay, "timeout"))

    def edge(self, clock: Clock) -> simpy.Event:
        """Wait for the next edge of `clock` after now; the event's value is the edge's number.

        Everything else of that femtosecond has happened by then.
        """
        n = clock.index(int(self.env.now) + 1)
        event = self.env.event()
        event._ok, event._value = True, n
        self.env.schedule(event, priority=_EDGE, delay=int(clock.edge(n)) - int(self.env.now))  # type: ignore[arg-type]
        return event

    def receive(self, port: str | None = None) -> simpy.Event:
        """Wait for a message: `message = yield ctx.receive("done")`.

        Messages that came before are kept in order. The port may be left out where there is one.
        """
        return self._engine.receive(self._named(port, self._engine.context.ports_in, "input"))

    def send(self, port: str | None = None, value: int = 0, after: TimeLike = Time(0)) -> None:
        """Send a message through an output, now or `after` a time."""
        delay = int(after) if type(after) is Time else to_fs(after, "send(after)")
        engine = self._engine
        if delay < 0:
            raise TimeRangeError(f"process '{engine.context.path}': send(after={after!r}) is in the past")
        if type(port) is not str or port not in self._outputs:
            port = self._named(port, engine.context.ports_out, "output")
        number, linked, bits, least, most = self._outputs[port]
        if type(value) is not int or not least <= value <= most:
            value = port_value(value, f"process '{engine.context.path}': send('{port}'): value", bits)
        t = int(self.env.now) + delay
        if t > MAX_TIME or engine.received < engine.needed:
            raise self._refused(port, t, f"send(after={after!r})")
        if linked:
            engine.outgoing.append((t, number, value))
            if len(engine.outgoing) == MOST_OUTGOING:
                engine.flush()
        engine.sent += 1
        if engine.watches:
            engine.note(port, t, value)

    def send_many(
        self,
        port: str | None = None,
        values: Sequence[int] | None = None,
        *,
        after: Times | Sequence[TimeLike],
    ) -> None:
        """Send a message `after` each of many times through an output: `ctx.send_many("clk", after=ps([50, 150]))`.

        The same as one `send` for each, at a fraction of the cost. `after` has shape (n,), as `values` has, which are 0
        if left out.
        """
        engine = self._engine
        path = engine.context.path
        port = self._named(port, engine.context.ports_out, "output")
        delays = to_fs_array(after, f"process '{path}': send_many('{port}'): after")
        if len(delays) == 0:
            return
        if (first := int(delays.min())) < 0:
            raise TimeRangeError(
                f"process '{path}': send_many('{port}'): after[{int(delays.argmin())}] is {format_time(first)}, in the past"
            )
        now, last = int(self.env.now), int(delays.max())
        if last > MAX_TIME - now or engine.received < engine.needed:
            raise self._refused(port, now + last, f"send_many(after={format_time(last)})")
        number, linked, bits, _, _ = self._outputs[port]
        rows = np.zeros((len(delays), 3), np.int64)
        rows[:, OUT_T], rows[:, OUT_PORT] = delays + now, number
        if values is not None:
            where = f"process '{path}': send_many('{port}')"
            if not hasattr(values, "__len__") or len(values) != len(delays):
                raise SpecError(
                    f"{where}: values={values!r} for {len(delays)} times; give a sequence with one value a time"
                )
            rows[:, OUT_VALUE] = [port_value(v, f"{where}: values[{k}]", bits) for k, v in enumerate(values)]
        if linked:
            engine.flush()  # what was sent before keeps its place
            engine.context.outbox.extend(rows)
        engine.sent += len(rows)
        if engine.watches:
            for t, _, value in rows.tolist():
                engine.note(port, t, value)

    def _refused(self, port: str, t: int, call: str) -> Exception:
        engine, now = self._engine, format_time(int(self.env.now))
        if t > MAX_TIME:
            return TimeRangeError(
                f"process '{engine.context.path}' at t = {now}: {call} is beyond 9,223 s; give less"
            )
        return SpecError(
            f"process '{engine.context.path}': send('{port}') at t = {now}, but it said that it "
            f"needs {engine.needed - engine.received} messages more before it sends; say fewer"
        )

    def needs(self, messages: int) -> None:
        """Promise to send nothing from now on until so many messages more have come: `ctx.needs(16)`.

        Messages that wait to be received are among them. Whoever sends them can run further at once (see the timing
        model); the results are the same.

        Raises:
            SpecError: not a whole number of 0 or more, or something is sent before they have come.
        """
        engine = self._engine
        wanted = whole_number(messages, f"process '{engine.context.path}': needs(messages)")
        if wanted < 0:
            raise SpecError(f"process '{engine.context.path}': needs({messages}): give a number of 0 or more")
        engine.needed = max(engine.needed, engine.seen() + wanted)  # nothing takes back what was promised

    def record(self, signal: str, value: int = 0) -> None:
        """Record a value of one of the signals that the process declares."""
        if signal not in self._engine.signals:
            raise unknown(f"signal of process '{self._engine.context.path}'", signal, self._engine.signals)
        what = f"process '{self._engine.context.path}': record('{signal}'): value"
        self._engine.note(signal, int(self.env.now), port_value(value, what))

    def process(self, generator: Generator[Any, Any, Any]) -> simpy.Process:
        """Start another generator beside this one."""
        return self.env.process(generator)

    def _named(self, port: str | None, ports: Sequence[str], what: str) -> str:
        if port is None:
            if len(ports) != 1:
                raise SpecError(
                    f"process '{self._engine.context.path}' has {len(ports)} {what}s; name one of {', '.join(ports)}"
                )
            return ports[0]
        if port not in ports:
            raise unknown(f"{what} of process '{self._engine.context.path}'", port, ports)
        return port


class Process(Component):
    """A component whose behaviour is a SimPy generator.

    Parameters:
        name: path of the component.
        function: called with a `ProcessContext`; yields SimPy events. It must be deterministic
            but for `ctx.rng`.
        inputs, outputs: names of ports to protocols ("pulse", "event", "bits") or to widths in bits, or a sequence
            of `Port` objects and names of 64-bit "event" ports, as for a `Model`.
        signals: further signals that the process records, name to kind.
        replay: keep the messages received, so that a checkpoint can be made: on resuming, the
            generator is run again on them with its output muted.
        reaction: the least time from a message to anything that the process sends because of it. A promise, by which
            other components can run further at once; it changes no result, and to break it is an error.

    Example:
        >>> import hwmodel as hw
        >>> from hwmodel.units import ns
        >>> def blink(ctx):
        ...     while True:
        ...         yield ctx.timeout(ns(3))
        ...         ctx.send("lamp", 1)
        >>> system = hw.System(hw.Process("blinker", blink, outputs=["lamp"]))
        >>> system.run(until=ns(10), watch=["lamp"])["lamp"].pulses()
        ns([3, 6, 9])
    """

    def __init__(
        self,
        name: str,
        function: ProcessFunction,
        *,
        inputs: Ports = (),
        outputs: Ports = (),
        signals: Mapping[str, SignalKind] | None = None,
        spec: Any = None,
        replay: bool = True,
        reaction: TimeLike = Time(0),
    ) -> None:
        where = f"process '{name}'"
        ports = make_ports(inputs, "in", name, where) + make_ports(outputs, "out", name, where)
        super().__init__(name, ports, spec)
        if not callable(function):
            raise SpecError(f"process '{name}': {function!r} is not a function that yields SimPy events")
        self.function = function
        self.replay = replay
        self.reaction = to_fs(reaction, f"process '{name}': reaction")
        if not 0 <= self.reaction <= MAX_TIME // 4:
            raise SpecError(
                f"process '{name}': reaction={format_time(self.reaction)}: give a time of 0 to 2,305 s"
            )
        self._signals = dict(signals or {})
        for signal, kind in self._signals.items():
            if kind not in KIND_OF_PROTOCOL.values():
                raise SpecError(
                    f"process '{name}': signal '{signal}' is a {kind!r}; use pulse, level or event"
                )

    def signals(self) -> Mapping[str, SignalKind]:
        """Ports and declared signals."""
        return {**super().signals(), **self._signals}

    def describe(self) -> dict[str, Any]:
        """Adds the function's name."""
        return {**super().describe(), "function": getattr(self.function, "__qualname__", repr(self.function))}

    def build(self, context: BuildContext) -> _ProcessEngine:
        """Build the engine that runs the generator in an environment of its own."""
        return _ProcessEngine(self, context)

    def stats(self, engine: Any, elapsed: int) -> dict[str, int | float | str]:
        """Messages received and sent."""
        return {"received": engine.received, "sent": engine.sent}


class _ProcessEngine:
    """Runs one SimPy environment between the kernel's windows."""

    def __init__(self, component: Process, context: BuildContext) -> None:
        import simpy

        self.context = context
        self.signals = component.signals()
        self.received = 0
        self.sent = 0
        self._keeps = component.replay
        self._log: list[npt.NDArray[np.int64]] = []
        self._waiting: dict[str, deque[simpy.Event]] = {p: deque() for p in context.ports_in}
        self._arrived: dict[str, deque[Message]] = {p: deque() for p in context.ports_in}
        self._numbers = {name: n for n, name in enumerate(context.watch)}
        self.watches = bool(self._numbers)
        self.needed = 0  # it has promised to send nothing before it has received so many messages
        self._handed: list[simpy.Event] | None = None  # messages on their way to who waits, once that matters
        self.outgoing: list[tuple[int, int, int]] = []  # t, port, value of what was sent in this window
        self._notes: list[tuple[int, int, int, int]] = []  # t, order, signal, value
        self._order = 0
        self._muted = False
        self._env = simpy.Environment()
        self._done = 0
        rng = np.random.Generator(np.random.PCG64(context.stream()))
        generator = component.function(ProcessContext(self, self._env, rng, component.ports))
        if not isinstance(generator, Generator):
            raise SpecError(
                f"process '{context.path}': {component.function!r} yields nothing; write 'yield ctx.timeout(...)'"
            )
        self._env.process(generator)
        if context.snapshot is not None:
            self._replay(context.snapshot)

    def advance(self, t1: int) -> None:
        """Deliver the messages and run the generators' events with t < t1."""
        rows = self.context.inbox.take(t1)
        if len(rows) and self._keeps:
            self._log.append(rows)
        self._run(rows, t1)
        if self.outgoing:
            self.flush()
        if self._notes:
            self._record(t1)

    def flush(self) -> None:
        """Put what was sent into the outbox: many messages at once, as each alone has its price."""
        box, sent = self.context.outbox, self.outgoing
        if len(sent) > _FEW:
            box.extend(sent)
        else:
            for t, number, value in sent:
                box.send(t, number, value)
        sent.clear()

    def next_event(self) -> int:
        """Time of the next SimPy event, or of something sent for later that is still to be recorded."""
        upcoming = self._env.peek()  # infinity when nothing waits
        if self._notes and self._notes[0][0] < upcoming:
            return self._notes[0][0]  # something sent for later is still to be recorded
        return int(upcoming) if upcoming < NEVER else NEVER

    def needs(self) -> int:
        """Messages that must come before anything more is sent."""
        return self.needed - self.received

    def state(self) -> State:
        """Counts of messages, and the time of the next event."""
        counts = {"received": np.array(self.received), "sent": np.array(self.sent)}
        upcoming = self._env.peek()
        return {**counts, "next_event": np.array(NEVER if upcoming == float("inf") else int(upcoming))}

    def snapshot(self) -> State:
        """The messages received so far: the generator is run again on them."""
        if not self._keeps:
            raise CheckpointError(
                f"process '{self.context.path}' was made with replay=False and cannot be saved; leave it out"
            )
        log = np.concatenate([*self._log, np.zeros((0, 5), np.int64)])
        return {"log": log, "done": np.array(self._done)}

    def receive(self, port: str) -> simpy.Event:
        """Give an event that succeeds with the next message at a port."""
        event = self._env.event()
        if self._arrived[port]:
            event.succeed(self._arrived[port].popleft())
            self._hand(event)
        else:
            self._waiting[port].append(event)
        return event

    def seen(self) -> int:
        """Messages that the generators know of: neither waiting, nor on their way within this femtosecond."""
        self._handed = [event for event in self._handed or () if not event.processed]
        return self.received - len(self._handed) - sum(map(len, self._arrived.values()))

    def _hand(self, event: simpy.Event) -> None:
        if self._handed is not None:
            self._handed.append(event)
            if len(self._handed) > _HANDED:
                self.seen()

    def note(self, name: str, t: int, value: int) -> None:
        """Remember a value of a signal until its time has come, if it is watched."""
        number = self._numbers.get(name)
        if number is not None:
            self._order += 1
            self._notes.append((t, self._order, number, value))

    def _run(self, rows: npt.NDArray[np.int64], t1: int) -> None:
        env = self._env
        for t, _, _, port, value in rows.tolist():
            message = Message(Time(t), self.context.ports_in[port], value)
            event = env.event()
            event._ok, event._value = True, message
            event.callbacks = [self._deliver]
            env.schedule(event, priority=_DELIVER, delay=t - env.now)  # type: ignore[arg-type]
        try:
            while env.peek() < t1:
                env.step()
        except HwmodelError:
            raise
        except Exception as error:
            error.add_note(f"in process '{self.context.path}' at t = {format_time(int(env.now))}")
            raise
        self._done = t1

    def _deliver(self, event: simpy.Event) -> None:
        message: Message = event._value
        self.received += 1
        if self.watches:
            self.note(message.port, int(message.t), message.value)
        waiting = self._waiting[message.port]
        while waiting:
            waiter = waiting.popleft()
            if waiter.callbacks:  # else its process was interrupted, or waits no longer
                waiter.succeed(message)
                self._hand(waiter)
                return
        self._arrived[message.port].append(message)

    def _record(self, t1: int) -> None:
        self._notes.sort()
        due = [note for note in self._notes if note[0] < t1]
        self._notes = self._notes[len(due) :]
        if due and not self._muted:
            t, _, number, value = np.array(due, np.int64).T
            self.context.recorder.extend(t, number, value)

    def _replay(self, snapshot: State) -> None:
        self._muted = True
        log, done = snapshot["log"], int(snapshot["done"])
        self._run(log, done)
        self._record(done)
        self._log = [log]
        self.context.outbox.n = 0
        self.outgoing.clear()
        self._muted = False
