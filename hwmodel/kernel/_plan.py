"""A system made ready to run: engines, buffers and routes, and the step over one window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hwmodel.errors import WiringError
from hwmodel.kernel._buffers import OUT_PORT, OUT_T, OUT_VALUE, Inbox, Outbox, Rows, T
from hwmodel.kernel._component import Component, Engine
from hwmodel.kernel._drive import AHEAD, Drive
from hwmodel.kernel._trace import Recorder
from hwmodel.units import NEVER, format_time

AHEAD_WINDOWS = 64
"""An engine runs ahead of the others by so many of its longest outgoing latencies, with its reaction, at most, or once
around the loop in which it lies: what it sends must be kept."""

MUCH = 1 << 12
"""An engine that sends more messages at once runs half as far at its next turn, so that inboxes stay short."""

MOST_NODES = 128
"""With more components than this the distances between them would cost more than they save."""

FEW = 4
"""Up to so many messages are routed one by one, more of them as arrays."""


class Node:
    """One engine with its buffers, its links, and the time of what happens next in it."""

    __slots__ = (
        "advance",
        "behind",
        "component",
        "done",
        "due",
        "engine",
        "fed",
        "feeds",
        "hops",
        "inbox",
        "leap",
        "missing",
        "needs",
        "next_event",
        "outbox",
        "own",
        "reach",
        "reaction",
        "recorder",
        "routes",
        "sends",
    )

    def __init__(
        self, component: Component, engine: Engine, inbox: Inbox, outbox: Outbox, recorder: Recorder
    ) -> None:
        self.component = component
        self.engine = engine
        self.advance: Callable[[int], None] = engine.advance
        self.next_event = engine.next_event
        self.needs: Callable[[], int] | None = getattr(engine, "needs", None)  # messages before it can send
        self.sends: Callable[[int], int] | None = getattr(engine, "sends", None)  # not before, if none comes
        self.inbox = inbox
        self.outbox = outbox
        self.recorder = recorder
        self.routes: tuple[tuple[Route, ...], ...] = ()  # links of each output, by its number
        self.due = 0  # time of the next local event, message or stimulus
        self.own = 0  # time of the next local event
        self.done = 0  # time up to which it was run last
        self.reaction = component.reaction  # from a message to what it causes to be sent, fs
        self.feeds: list[Feed] = []
        self.fed = NEVER  # time of the first message of a stimulus that is not in the inbox yet
        self.missing = 0  # messages that are not in the inbox yet, without which it sends nothing
        self.behind: tuple[
            tuple[Node, int], ...
        ] = ()  # nodes whose messages can come here, by the shortest way, fs
        # Nodes that its links lead to, with the way over each and back, fs; and how many links, where no others lead
        # there and the node may say how many messages it needs. Empty where that would change nothing.
        self.hops: tuple[tuple[Node, int, int], ...] = ()
        self.reach = NEVER  # how far it may ever run ahead at once, fs
        self.leap = NEVER  # how far at its next turn

    def links(self) -> list[Route]:
        """Links of all outputs."""
        return [route for routes in self.routes for route in routes]

    def look(self) -> None:
        """Ask engine, inbox and stimuli for their next time."""
        self.fed = min((feed.due for feed in self.feeds), default=NEVER)
        self.own = int(self.next_event())  # sums with NumPy's would overflow at NEVER
        self.due = min(self.own, self.inbox.next_time(), self.fed)
        self.missing = self.lacks()

    def lacks(self) -> int:
        """Messages that must still be sent to it before it sends anything; 0 or less where none must, or nobody knows."""
        return self.needs() - len(self.inbox) if self.needs is not None and self.fed == NEVER else 0

    def sends_from(self) -> int:
        """Time before which it sends nothing, unless a message comes that is not there yet."""
        first, inbox = min(self.inbox.next_time(), self.fed), self.inbox  # puts the messages in order
        if self.needs is not None and self.fed == NEVER and (missing := self.needs()) > 1:
            at = inbox.head + missing - 1
            return inbox.rows.item(at, T) + self.reaction if at < inbox.tail else NEVER
        return min(self.own, first + self.reaction)

    def fill(self, t1: int) -> None:
        """Put the messages of stimuli before `t1`, and some more, into the inbox."""
        for feed in self.feeds:
            if feed.due < t1:
                feed.fill(t1)
        self.look()


class Route:
    """A link, with its rank in the order of ties and its message count."""

    __slots__ = ("last", "latency", "name", "port", "rank", "sent", "target")

    def __init__(self, name: str, rank: int, target: Node, port: int, latency: int) -> None:
        self.name = name
        self.rank = rank
        self.target = target
        self.port = port
        self.latency = latency
        self.last = NEVER - latency  # what is sent later arrives at the end of time, after every run
        self.sent = 0


class Feed:
    """A stimulus on its way into an inbox, some messages ahead of time."""

    __slots__ = ("drive", "due", "node", "port", "rank")

    def __init__(self, drive: Drive, node: Node, port: int, rank: int) -> None:
        self.drive = drive
        self.node = node
        self.port = port
        self.rank = rank
        self.due = drive.next_time()  # time of the first message that is not in the inbox yet

    def fill(self, t1: int) -> None:
        """Put the messages before `t1`, and some more, into the inbox."""
        first = self.drive.position
        # Where links also write to the inbox, every message ahead of time must be moved aside.
        times, values = self.drive.rows(max(t1, self.drive.horizon(AHEAD)))
        rows = np.empty((len(times), 5), np.int64)
        rows[:, 0], rows[:, 1], rows[:, 3], rows[:, 4] = times, self.rank, self.port, values
        rows[:, 2] = np.arange(first, first + len(times))
        self.node.inbox.push(rows)
        self.due = self.drive.next_time()


class Plan:
    """Engines in the order of their paths, stimuli, and the lookahead between them."""

    def __init__(self, nodes: Sequence[Node], feeds: Sequence[Feed], lookahead: int) -> None:
        self.nodes = tuple(nodes)
        self.feeds = tuple(feeds)
        self.lookahead = lookahead
        self.now = 0
        self.windows = 0
        self.first = 0  # begin of the window that is run
        self.active: Node | None = None  # what is run in it
        for feed in self.feeds:
            feed.node.feeds.append(feed)
        self.refresh()

    def measure(self) -> bool:
        """Find the shortest way between every two nodes; False where there are too many, or no links.

        It takes the latencies of the links, and the reaction of each node on the way.
        """
        if len(self.nodes) > MOST_NODES or self.lookahead == NEVER:
            return False
        if any(node.behind for node in self.nodes):
            return True
        place = {node: n for n, node in enumerate(self.nodes)}
        ways = np.full((len(place), len(place)), NEVER, np.int64)
        for n, node in enumerate(self.nodes):
            for route in node.links():
                to = place[route.target]
                ways[n, to] = min(ways[n, to], route.latency)
        for k in range(len(place)):
            # Two halves of NEVER still fit into 64 bits.
            rest = np.minimum(ways[k], NEVER // 2 - self.nodes[k].reaction) + self.nodes[k].reaction
            through = np.minimum(ways[:, k], NEVER // 2)[:, None] + rest[None, :]
            np.minimum(ways, np.where(through < NEVER // 2, through, NEVER), out=ways)
        for n, node in enumerate(self.nodes):
            nearest = sorted((int(w), k) for k, w in enumerate(ways[:, n]) if w < NEVER)
            node.behind = tuple((self.nodes[k], w) for w, k in nearest)
            node.hops = self._hops(node, {to: int(ways[k, n]) for to, k in place.items()})
            longest = max((route.latency for route in node.links()), default=NEVER)
            around = int(ways[n, n])  # in a loop it goes no further than that
            node.reach = min(
                NEVER, max(AHEAD_WINDOWS * (longest + node.reaction), around if around < NEVER else 0)
            )
            # Nobody knows yet how much it sends; what sends nothing may run as far as it likes.
            node.leap = self.lookahead if node.links() else NEVER
        return True

    def _hops(self, node: Node, back: dict[Node, int]) -> tuple[tuple[Node, int, int], ...]:
        """What `_beyond` needs, from the shortest ways back to a node."""
        hops = []
        for target in dict.fromkeys(route.target for route in node.links()):
            lines = [route.latency for route in node.links() if route.target is target]
            others = any(route.target is target for k in self.nodes if k is not node for route in k.links())
            alone = target is not node and not others and target.needs is not None
            way = min(NEVER, min(lines) + target.reaction + back[target])
            hops.append((target, way, len(lines) if alone else 0))
        return tuple(hops) if node.sends is not None and any(lines for _, _, lines in hops) else ()

    def turn(self, most: int, until: int) -> bool:
        """Let the engine that is last run as far as no message can reach it; False when nothing is left before `until`.

        It may run `most` fs at once. Whatever a node still does, it does at its next event or later, and a message that
        this causes is not here before the shortest way from there to here is over (rule K1). A node that lacks messages
        sends nothing: it has its turn when they are there, or when nothing else is left.
        """
        due = until
        last = None
        for node in self.nodes:
            if node.due < due and not 0 < node.missing <= MUCH:
                last, due = node, node.due
        if last is None:
            return self.rest(until, most)
        leap = last.leap if last.needs is None else last.leap + max(0, min(last.sends_from(), until) - due)
        end = far = min(due + (most if most < leap else leap), until)
        for node, way in last.behind:  # the nearest first
            if due + way >= end:
                break
            if node.missing > 0:
                continue
            sends = node.due if node is not last else last.sends_from()
            if sends + way < end:
                end = sends + way
        if end < far and last.hops:
            end = self._beyond(last, far)
        self.first = self.now = due
        if last.fed < end:
            end = self._fed(last, end)
        sent = self._advance(last, end)
        if sent > MUCH:
            last.leap = max(self.lookahead, (end - due) // 2)
        elif last.leap < last.reach:
            last.leap = min(2 * last.leap, last.reach)
        self.windows += 1
        return True

    def rest(self, until: int, most: int = NEVER) -> bool:
        """Run the nodes that still lack messages up to a time, `most` fs at once; False when none has anything before it."""
        late = [node for node in self.nodes if node.missing > 0 and node.due < until]
        for node in late:
            self.first = node.due
            self._advance(node, min(node.due + most, until))
            self.windows += 1
        return bool(late)

    def _beyond(self, last: Node, far: int) -> int:
        """How far an engine can run at most, up to `far`, where a receiver needs several messages before it sends.

        Up to the first message that comes back, an engine's sends are as it foresees them: so this is no guess.
        """
        assert last.sends is not None
        changed = min(last.inbox.next_time(), last.fed) + last.reaction  # from then on it may send otherwise
        silent = []
        for target, way, lines in last.hops:
            begin = last.due
            if lines and target.missing > lines:
                begin = min(changed, int(last.sends(-(-target.missing // lines))))
                silent.append(target)
            far = min(far, begin + way)
        for node, way in last.behind:
            if node is not last and node not in silent and node.missing <= 0:
                far = min(far, node.due + way)
        return far

    def refresh(self) -> None:
        """Ask every engine and stimulus anew for its next time."""
        for feed in self.feeds:
            feed.due = feed.drive.next_time()
        for node in self.nodes:
            node.look()

    def next_window(self, window: int, until: int) -> int:
        """End of the next window, or -1 when nothing is left before `until`.

        It begins at the earliest event or message; nothing sent from there on can arrive before
        its end (rule K5).
        """
        first = NEVER
        for node in self.nodes:
            if node.due < first:
                first = node.due
        if first >= until:
            return -1
        self.first = first
        end = first + window
        if end > until:
            end = until
        for node in self.nodes:
            if node.fed < end:
                end = self._fed(node, end)
        return end

    def _fed(self, node: Node, end: int) -> int:
        """Put what stimuli say before the end of a window into a component's inbox; return the end, or an earlier one."""
        for feed in node.feeds:
            if feed.due < end:
                # One femtosecond is run at once, however many messages it holds.
                end = min(end, max(self.first + 1, feed.drive.horizon()))
        node.fill(end)
        return end

    def step(self, t1: int) -> None:
        """Run every engine up to `t1` and pass its messages on."""
        for node in self.nodes:
            if node.due < t1:
                self._advance(node, t1)
        self.now = t1
        self.windows += 1

    def _advance(self, node: Node, t1: int) -> int:
        """Run an engine up to a time and pass its messages on; return how many."""
        self.active = node
        earliest = self.first
        if node.reaction:
            earliest = max(earliest, min(node.own, node.inbox.next_time() + node.reaction))
        most = NEVER  # messages that may be left when it has sent something
        if node.needs is not None:
            most = len(node.inbox) - node.needs()
        try:
            node.advance(t1)
        except Exception as error:
            span = f"from {format_time(self.first)} to {format_time(t1)}"
            error.add_note(f"in component '{node.component.name}', in the window {span}")
            raise
        due = node.own = int(node.next_event())
        inbox = node.inbox
        if inbox.head != inbox.tail:
            due = min(due, inbox.next_time())
        if node.fed < due:
            due = node.fed
        if due < t1:
            raise self._left_behind(node, due, t1)
        node.due, node.done = due, t1
        if node.needs is not None:
            node.missing = node.lacks()
        sent = node.outbox.n
        if sent:
            if len(inbox) > most:
                raise self._too_few(node)
            self._route(node, earliest)
        self.active = None
        return sent

    def _route(self, node: Node, earliest: int) -> None:
        """Pass on what a node sent, none of it before a time."""
        box = node.outbox
        n, box.n = box.n, 0
        if n > FEW:
            self._route_many(node, box.rows[:n], earliest)
            return
        item = box.rows.item
        for k in range(0, 3 * n, 3):
            t = item(k + OUT_T)
            if t < earliest:
                raise self._too_early(node, item(k + OUT_PORT), t)
            for route in node.routes[item(k + OUT_PORT)]:
                arrival = t + route.latency if t <= route.last else NEVER
                target = route.target
                if arrival < target.due:
                    if arrival < target.done:
                        raise self._too_late(route, arrival)
                    target.due = arrival
                target.inbox.push_one(arrival, route.rank, route.sent, route.port, item(k + OUT_VALUE))
                target.missing -= 1
                route.sent += 1

    def _route_many(self, node: Node, rows: Rows, earliest: int) -> None:
        early = int(np.argmin(rows[:, OUT_T]))
        if rows[early, OUT_T] < earliest:
            raise self._too_early(node, int(rows[early, OUT_PORT]), int(rows[early, OUT_T]))
        for port, routes in enumerate(node.routes):
            chosen = rows[rows[:, OUT_PORT] == port] if routes else rows[:0]
            if len(chosen) == 0:
                continue
            for route in routes:
                out = np.empty((len(chosen), 5), np.int64)
                out[:, 0] = np.minimum(chosen[:, OUT_T], route.last) + route.latency
                out[:, 1] = route.rank
                out[:, 2] = np.arange(route.sent, route.sent + len(chosen))
                out[:, 3] = route.port
                out[:, 4] = chosen[:, OUT_VALUE]
                if (np.diff(out[:, 0]) < 0).any():
                    out = out[np.argsort(out[:, 0], kind="stable")]
                arrival = int(out[0, 0])
                if arrival < route.target.done:
                    raise self._too_late(route, arrival)
                route.target.inbox.push(out)
                route.target.missing -= len(out)
                route.sent += len(chosen)
                route.target.due = min(route.target.due, arrival)

    def _left_behind(self, node: Node, due: int, t1: int) -> WiringError:
        return WiringError(
            f"component '{node.component.name}': after advance({format_time(t1)}) it still has an event or a message "
            f"at {format_time(due)}; its engine must run everything before that time (rule K2)"
        )

    def _too_early(self, node: Node, port: int, t: int) -> WiringError:
        outputs = [p for p in node.component.ports.values() if p.direction == "out"]
        if t >= self.first:
            return WiringError(
                f"component '{node.component.name}' answered a message through '{outputs[port].path}' at t = "
                f"{format_time(t)}, sooner than its reaction of {format_time(node.reaction)}; declare a shorter one"
            )
        return WiringError(
            f"component '{node.component.name}' sent a message through '{outputs[port].path}' at t = "
            f"{format_time(t)}, before the present {format_time(self.first)}; send at or after its event"
        )

    def _too_few(self, node: Node) -> WiringError:
        return WiringError(
            f"component '{node.component.name}' sent a message in the window that begins at {format_time(self.first)} before it "
            "had the messages that it said it needs; say that it needs fewer"
        )

    def _too_late(self, route: Route, t: int) -> WiringError:
        promised = [node for node in self.nodes if node.reaction]
        names = ", ".join(f"'{node.component.name}' ({format_time(node.reaction)})" for node in promised)
        return WiringError(
            f"link {route.name}: a message arrives at {format_time(t)}, but '{route.target.component.name}' was run up to "
            f"{format_time(route.target.done)}; a reaction on its way is shorter than declared, one of: {names or 'none'}"
        )
