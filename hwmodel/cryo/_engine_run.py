"""The engine of a traced core: one compiled call a window."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from hwmodel.cryo._engine_program import Ints, Prepared, Program
from hwmodel.cryo.lockstep import _kernels as k
from hwmodel.cryo.ports import _kernels as p
from hwmodel.cryo.timing import TimedRun, Timing
from hwmodel.cryo.words import _kernels as m
from hwmodel.errors import CheckpointError, QueueOverflowError, SpecError, TimeRangeError
from hwmodel.kernel import BuildContext, State
from hwmodel.units import NEVER, Time, format_time

if TYPE_CHECKING:
    from hwmodel.cryo.engine import Doorbell, Mailbox, TracedCore

ADDRESS = 2**63 - 1
SHOWN = (k.B_ARRIVED, k.B_TAKEN, k.B_LATEST, k.B_LOADS, k.B_STALLED, k.B_STALLS)


class CoreEngine:
    """Runs the program of one core in windows; made by `TracedCore.build`.

    An event is a group of instructions at the time at which the front end turns to it, a message at its arrival, a
    mapped load at its beginning, or a doorbell that leaves. What follows from a group lies at or after its time, so
    that a message is never late.
    """

    def __init__(self, component: TracedCore, context: BuildContext) -> None:
        from hwmodel.cryo.engine import DoorbellStore

        self._store = DoorbellStore
        self._spec = component.spec
        self._context = context
        self._run = TimedRun(component.spec.machine)
        self._program = Program(component.name, component.trace, component.ranges, self._run)
        self._bells: list[tuple[str, Doorbell]] = list(component.spec.doorbells.items())
        self._bell_ranges = [span for span in component.ranges if not span.mailbox]
        self._numbers = [0] * len(self._bells)
        self._boxes: list[tuple[str, Mailbox]] = list(component.spec.mailboxes.items())
        self._signal = {name: n for n, name in enumerate(context.watch)}
        self._ports = len(self._run.words)
        self._words = np.concatenate([self._run.words, np.zeros(p.PORT_WORDS, np.int64)])
        self._words[m.H_PORTS] = self._ports
        self._run.words = self._words
        self._loop = self._make_loop()
        self._records = self._loop[k.RECORDS : k.FIFOS].reshape(-1, 3)
        self._pass = 0  # how many times the program has begun
        self._first = 0  # first instruction of the chunk
        self._ended = NEVER  # when the program ended
        self.done = False
        self._next = 0
        if context.snapshot is not None:
            self._restore(context.snapshot)
        else:
            self._load()

    # ------------------------------------------------------------------------------------------ engine protocol

    def advance(self, t1: int) -> None:
        """Take the messages and run the instructions with t < t1.

        Raises:
            SpecError: the program touches a port in a way that it does not allow, or too many pages.
            QueueOverflowError: more unread messages than a mailbox holds.
            TimeRangeError: the clocks of the machine cannot be told exactly so late.
        """
        inbox, loop = self._context.inbox, self._loop
        if inbox.next_time() >= t1 and self._next >= t1:  # next_time() also puts the messages in order
            return
        end = min(t1, self._run.horizon)
        while True:
            due = k.run_lockstep(
                self._words, loop, self._tables, self._chunk, inbox.rows, end, inbox.head, inbox.tail
            )
            inbox.head = loop.item(k.A_HEAD)
            if due >= 0:
                break
            self._look_after(due)
        if loop.item(k.A_ATTEND) or self._ended != NEVER:
            later = self._send(end)
            due = min(later, k.next_of_core(self._words, loop))
        self._next = due
        if end < t1 and min(due, inbox.next_time()) < t1:
            raise TimeRangeError(
                f"core '{self._context.path}': the clocks of its machine can be told exactly only to "
                f"{format_time(end)}; give frequencies with fewer digits, or run shorter"
            )

    def next_event(self) -> int:
        """Time of the next group of instructions, mapped load or doorbell; NEVER while it waits for a message."""
        return self._next

    def state(self) -> State:
        """Hash of all that is in core, caches and memory, and counts of ports and program."""
        digest = hashlib.blake2b(self._words.tobytes(), digest_size=16).digest()
        place = [self._pass, self._first + self._loop.item(k.A_AT), int(self.done)]
        return {
            "core": np.frombuffer(digest, np.uint8),
            "place": np.array(place, np.int64),
            "mailboxes": self._box_table()[: len(self._boxes), list(SHOWN)].copy(),
            "doorbells": np.array(self._numbers, np.int64),
        }

    def snapshot(self) -> State:
        """All words of core, caches, memory and ports, and the place in the program."""
        place = [self._pass, self._first, self._ended, int(self.done), self._next]
        return {
            "words": self._words.copy(),
            "loop": self._loop.copy(),
            "numbers": np.array(self._numbers, np.int64),
            "run": np.array(place, np.int64),
        }

    # ------------------------------------------------------------------------------------------ reports

    def timing(self) -> Timing:
        """Figures of the core, its caches and its memory.

        They hold all instructions that have been worked out: until the program ends, some that commit later are
        among them, as many as the core holds.
        """
        return self._run.result()

    def stats(self) -> dict[str, int | float | str]:
        """Key figures, among them reads and stalls of each mailbox and messages of each doorbell."""
        timing = self.timing()
        found: dict[str, int | float | str] = {
            "instructions": timing.instructions,
            "cycles": timing.cycles,
            "ipc": timing.ipc,
            "finished": int(self.done),
        }
        for (name, _), row in zip(self._boxes, self._box_table().tolist(), strict=False):
            found[f"{name}.messages"] = row[k.B_ARRIVED]
            found[f"{name}.loads"] = row[k.B_LOADS]
            found[f"{name}.stalls"] = row[k.B_STALLS]
            found[f"{name}.stalled_fs"] = row[k.B_STALLED]
        for (name, _), number in zip(self._bells, self._numbers, strict=True):
            found[f"{name}.stores"] = number
        return found

    @property
    def instructions(self) -> int:
        """Instructions that have been worked out."""
        return self.timing().instructions

    @property
    def now(self) -> int:
        """Time of the last event, fs."""
        return self._loop.item(k.A_NOW)

    @property
    def waiting(self) -> str | None:
        """Mailbox for whose message the program waits, or None."""
        box = self._loop.item(k.A_BOX)
        return self._boxes[box][0] if box >= 0 and not self.done else None

    # ------------------------------------------------------------------------------------------ inside

    def _make_loop(self) -> Ints:
        """The state of the compiled loop: header, mailboxes, rings."""
        masks = [(1 << (box.depth - 1).bit_length()) - 1 for _, box in self._boxes]
        loop = np.zeros(k.FIFOS + sum(2 * (mask + 1) for mask in masks), np.int64)
        names = list(self._spec.machine.levels)
        loop[k.A_INORDER] = self._spec.machine.core.kind == "inorder"
        loop[k.A_DATA], loop[k.A_FETCH] = names.index("l1d"), names.index("l1i")
        loop[k.A_COMMIT_SIGNAL] = self._signal.get("commit", -1)
        loop[k.A_STALL_SIGNAL] = self._signal.get("stall", -1)
        loop[k.A_BOX] = -1
        ring = k.FIFOS
        for n, ((name, box), mask) in enumerate(zip(self._boxes, masks, strict=True)):
            row = loop[k.BOX + n * k.BOX_WORDS :]
            row[k.B_BLOCKING] = box.mode == "blocking"
            row[k.B_LATENCY] = int(box.latency)
            row[k.B_DEPTH], row[k.B_MASK], row[k.B_RING] = box.depth, mask, ring
            row[k.B_SIGNAL] = self._signal.get(name, -1)
            ring += 2 * (mask + 1)
        return loop

    def _box_table(self) -> Ints:
        return self._loop[k.BOX : k.BOX + k.MAX_BOXES * k.BOX_WORDS].reshape(-1, k.BOX_WORDS)

    def _load(self) -> None:
        """Load the next chunk of the program, or note that it has ended."""
        chunk = self._program.next()
        while chunk is None and self._pass < self._spec.repeat:
            self._pass += 1
            self._program.start()
            chunk = self._program.next()
            if chunk is None:
                self._pass = self._spec.repeat  # an empty trace
        self._show(chunk)
        if chunk is None:
            self._loop[k.A_FINISHED] = 1
            sent = int(self._words[self._ports + p.V_SENT])
            self._ended = max(k.commit_time(self._words, self._loop), sent)

    def _show(self, chunk: Prepared | None) -> None:
        """Put a chunk where the compiled loop finds it, at its first instruction."""
        loop = self._loop
        loop[k.A_AT : k.A_CODE + 1] = 0
        if chunk is None:
            self._first += loop.item(k.A_LENGTH)
            self._tables, self._chunk = np.zeros(0, np.int64), np.zeros(1, np.int64)
            loop[k.A_ROWS : k.A_CODES + 1] = 0
            return
        self._first, self._tables, self._chunk = chunk.first, chunk.tables, chunk.program
        loop[k.A_ROWS : k.A_CODES + 1] = (
            chunk.rows, *chunk.columns, chunk.length, chunk.length, chunk.marks, chunk.codes
        )  # fmt: skip

    def _look_after(self, status: int) -> None:
        """Do what the compiled loop stopped for."""
        loop = self._loop
        if status == k.CHUNK_END:
            self._load()
            return
        where = f"core '{self._context.path}'"
        now = format_time(self.now)
        if status == k.PAGES:
            raise SpecError(
                f"{where}: the program touches more pages than the model keeps, near instruction {self.instructions}; "
                "set first_touch=False in its machine, which needs no page table"
            )
        if status == k.OVERFLOW:
            name, box = self._boxes[loop.item(k.A_BOX)]
            raise QueueOverflowError(
                f"{where}: a message came to mailbox '{name}' near t = {now}, which holds {box.depth} unread ones; "
                "let the program read more often, send less, or give it a greater depth"
            )
        before = self._room()
        k.see(self._words, loop, self.now)
        self._send(self.now)
        if before == self._room():
            raise QueueOverflowError(
                f"{where}: more than {p.PORT_RING} mapped accesses are under way at t = {now}; use a smaller fetch queue"
            )

    def _room(self) -> tuple[int, int, int]:
        """What grows less when something is sent or recorded."""
        loop = self._loop
        return loop.item(k.A_RECORDED), loop.item(k.A_FOLDED), self._words.item(self._ports + p.V_HEAD)

    def _send(self, end: int) -> int:
        """Send and record what happened before `end`; return when the next such thing does."""
        words, loop, head = self._words, self._loop, self._ports + p.V_HEAD
        tail = words.item(self._ports + p.V_TAIL)
        while words.item(head) < tail:
            row = self._ports + p.V_RING + 4 * (words.item(head) & (p.PORT_RING - 1))
            t, address, reads = words[row : row + 3].tolist()
            if t >= end:
                break
            k.fold(loop, reads)
            self._ring(t, address & ADDRESS)
            words[head] += 1
        if words.item(head) == tail:
            k.fold(loop, loop.item(k.A_SEEN))
        due = self._record(end) if loop.item(k.A_RECORDED) else NEVER
        if self._ended < end and not self.done:
            self.done = True
            self._emit(len(self._bells), "done", self._ended, self.instructions)
        return due if self.done else min(due, self._ended)

    def _ring(self, t: int, address: int) -> None:
        """Send the message of a store to a doorbell."""
        number = next(span.number for span in self._bell_ranges if span.base <= address < span.end)
        name, bell = self._bells[number]
        count = self._numbers[number]
        self._numbers[number] = count + 1
        value: Any = count
        if bell.protocol == "pulse":
            value = 0
        elif bell.value is not None:
            table = self._box_table()
            received = {
                box: int(row[k.B_READ])
                for (box, _), row in zip(self._boxes, table, strict=False)
                if row[k.B_WAS_READ]
            }
            value = bell.value(self._store(count, Time(t), address, received))
        self._emit(number, name, t, self._fit(value, name, bell, t))

    def _emit(self, number: int, name: str, t: int, value: int) -> None:
        context = self._context
        if name in context.linked:
            context.outbox.send(t, number, value)
        if name in self._signal:
            context.recorder.record(t, self._signal[name], value)

    def _fit(self, value: Any, name: str, bell: Doorbell, t: int) -> int:
        from hwmodel.cryo.engine import whole

        what = f"core '{self._context.path}': doorbell '{name}' at t = {format_time(t)}: value"
        number = whole(value, what)
        bits = bell.width
        if not -(1 << (bits - 1)) <= number < min(1 << bits, 1 << 63):
            raise SpecError(
                f"{what} {number} does not fit into {bits} bits; let the value function give less, or widen the doorbell"
            )
        return number

    def _record(self, end: int) -> int:
        """Give the recorder what happened before `end`, and keep the rest; return when that begins."""
        rows = self._records[: self._loop.item(k.A_RECORDED)]
        over = rows[:, 0] < end
        if over.any():
            t, number, value = rows[over].T
            self._context.recorder.extend(t, number, value)
            kept = rows[~over]
            self._records[: len(kept)] = kept
            self._loop[k.A_RECORDED] = len(kept)
            rows = kept
        return int(rows[:, 0].min()) if len(rows) else NEVER

    def _restore(self, snapshot: State) -> None:
        saved = snapshot.get("words"), snapshot.get("loop"), snapshot.get("run"), snapshot.get("numbers")
        words, loop, run, numbers = (np.asarray(part, np.int64) for part in saved)
        if words.shape != self._words.shape or loop.shape != self._loop.shape or run.shape != (5,):
            raise CheckpointError(
                f"core '{self._context.path}': the checkpoint was written by another version of the model; run from the "
                "beginning"
            )
        self._pass, self._first, self._ended, done, self._next = run.tolist()
        self.done = bool(done)
        chunk = None
        if self._ended == NEVER:
            self._program.start(self._first)
            chunk = self._program.next()
        first = self._first
        self._show(chunk)
        self._first = first
        self._words[:] = words
        self._loop[:] = loop
        self._numbers = numbers.tolist()
