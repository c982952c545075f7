"""The in-order core once more, stepped cycle by cycle with real queues: slow, and with nothing in common with the kernel.

All accesses hit, every branch is predicted right. A cycle is: the port, commit, issue, decode, the cutting of lines,
fetch. What a stage hands on is seen by the next one in the cycle after.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hwmodel.cryo.config import Core, Unit
from hwmodel.cryo.trace import Op
from tests.unit.cryo.ooo_programs import I


@dataclass
class Pipe:
    """A functional unit: its stages, the last of which may be occupied for long."""

    unit: Unit
    stages: deque[int | None] = field(default_factory=deque)
    pushed: bool = False
    standing: bool = False
    wait: int = 0  # cycles until it takes another instruction

    def __post_init__(self) -> None:
        self.stages = deque([None] * self.unit.latency)

    @property
    def end(self) -> int | None:
        return self.stages[-1]

    def takes(self) -> bool:
        return not (self.pushed or self.standing or self.wait > 0)

    def step(self, entering: int | None) -> None:
        if not self.standing:
            self.stages.pop()
            self.stages.appendleft(entering)
            self.wait = self.unit.interval - 1 if entering is not None else max(0, self.wait - 1)
        self.pushed = False
        self.standing = self.end is not None


class Stepper:
    """One run of a program; `commits` and `issues` hold the cycles of each instruction."""

    def __init__(self, program: list[I], core: Core, load: int, store: int, line: int) -> None:
        self.program, self.core = program, core
        self.load, self.store, self.line = load, store, line
        self.pcs: list[int] = []
        for it in program:
            self.pcs.append(it.pc if it.pc is not None else (self.pcs[-1] + 4 if self.pcs else 0x1000))
        self.now = 0
        self.next = 0  # instruction to be cut out of the line
        self.buffer = -1  # cycle from which the line in the buffer may be cut up; -1: none
        self.arrival = -1  # cycle in which the line comes; -1: none is on its way
        self.to_decode: list[tuple[int, list[int]]] = []
        self.to_issue: list[tuple[int, list[int]]] = []
        self.pipes: dict[str, list[Pipe]] = {}
        for name, unit in core.units.items():
            if not unit.pool:
                self.pipes[name] = [Pipe(unit) for _ in range(max(1, unit.count))]
        self.entering: dict[int, int] = {}  # id of a pipe -> instruction
        self.at: dict[int, Pipe] = {}
        self.flight: deque[int] = deque()
        self.unsent: deque[int] = deque()  # memory operations in their units, in order
        self.writer: dict[int, int] = {}
        self.due: dict[int, int] = {}
        self.needs: dict[int, int] = {}  # last instruction that a memory operation depends on
        self.request: int | None = None
        self.transfers: deque[int] = deque()
        self.answers: dict[int, int] = {}  # loads whose answer is known
        self.stores: list[list[int]] = []  # store buffer: instruction, cycle of the answer or -1
        self.port = 0
        self.issues: dict[int, int] = {}
        self.commits: dict[int, int] = {}

    def run(self, limit: int = 100_000) -> None:
        while len(self.commits) < len(self.program):
            self.step_port()
            self.step_commit()
            self.step_issue()
            self.step_decode()
            self.step_cut()
            self.now += 1
            assert self.now < limit

    # ------------------------------------------------------------------------------------------------- front end
    def step_cut(self) -> None:
        """Cut instructions out of the line, then ask for the next one if the buffer is free."""
        group: list[int] = []
        room = len(self.to_decode) < self.core.decode_buffer
        if self.buffer >= 0 and self.buffer <= self.now and room:
            while self.buffer >= 0 and len(group) < self.core.fetch and self.next < len(self.program):
                number = self.next
                group.append(number)
                self.next += 1
                follows = self.next < len(self.program)
                if (
                    self.program[number].taken
                    or follows
                    and self.pcs[self.next] >> 6 != self.pcs[number] >> 6
                ):
                    self.buffer = -1
        if group:
            self.to_decode.append((self.now + 1, group))
        if self.arrival < 0 and self.buffer < 0 and self.next < len(self.program):
            self.arrival = self.now + self.line
        elif self.arrival == self.now:
            self.arrival, self.buffer = -1, self.now + 1

    def step_decode(self) -> None:
        group: list[int] = []
        if len(self.to_issue) < self.core.issue_buffer:
            while self.to_decode and self.to_decode[0][0] <= self.now and len(group) < self.core.decode:
                group.append(self.to_decode[0][1].pop(0))
                if not self.to_decode[0][1]:
                    self.to_decode.pop(0)
        if group:
            self.to_issue.append((self.now + 1, group))

    # ----------------------------------------------------------------------------------------------------- issue
    def kind(self, number: int) -> tuple[str, Unit]:
        it = self.program[number]
        name = "load" if it.load is not None else "store" if it.store is not None else it.op.name.lower()
        return self.core.units[name].pool or name, self.core.units[name]

    def memory(self, number: int) -> bool:
        return self.program[number].load is not None or self.program[number].store is not None

    def step_issue(self) -> None:
        issued = memories = 0
        while self.to_issue and self.to_issue[0][0] <= self.now and issued < self.core.issue:
            number = self.to_issue[0][1][0]
            if memories == self.core.memory_width or not self.enter(number):
                break
            issued += 1
            memories += self.memory(number)
            self.to_issue[0][1].pop(0)
            if not self.to_issue[0][1]:
                self.to_issue.pop(0)
        for pipes in self.pipes.values():
            for pipe in pipes:
                pipe.step(self.entering.pop(id(pipe), None))

    def enter(self, number: int) -> bool:
        pool, unit = self.kind(number)
        it = self.program[number]
        if any(self.due.get(register, 0) > self.now + unit.early for register in it.of):
            return False
        pipe = next((p for p in self.pipes[pool] if p.takes()), None)
        if pipe is None:
            return False
        pipe.pushed = True
        self.entering[id(pipe)] = number
        self.at[number] = pipe
        if self.memory(number):
            self.needs[number] = max((self.writer.get(register, -1) for register in it.of), default=-1)
            self.unsent.append(number)
        if it.to:
            self.due[it.to] = self.now + unit.latency + unit.assumed
            self.writer[it.to] = number
        self.flight.append(number)
        self.issues[number] = self.now
        return True

    # --------------------------------------------------------------------------------------------------- commit
    def step_commit(self) -> None:
        committed = memories = 0
        while self.flight and committed < self.core.commit:
            head = self.flight[0]
            if self.answered(head):
                if memories == self.core.memory_width:
                    if not self.send_early(head):
                        break
                    continue
                memories += 1
                self.transfers.popleft()
                if self.program[head].store is not None:
                    self.stores.append([head, -1])
            elif self.send_early(head):
                continue
            elif self.memory(head) or self.at[head].end != head or not self.at[head].standing:
                break
            else:
                self.at[head].standing = False
            committed += 1
            self.commits[head] = self.now
            self.flight.popleft()

    def answered(self, number: int) -> bool:
        if not self.transfers or self.transfers[0] != number:
            return False
        if self.program[number].store is not None:
            return len(self.stores) < self.core.sq
        return self.answers.get(number, self.now + 1) <= self.now

    def send_early(self, head: int) -> bool:
        """Hand a memory operation at the end of its unit to the request queue, if all it needs has committed."""
        if not self.unsent or self.request is not None:
            return False
        number = self.unsent[0]
        pipe = self.at[number]
        if pipe.end != number or not pipe.standing or self.needs[number] >= head:
            return False
        self.unsent.popleft()
        pipe.standing = False
        self.request = number
        self.forward_request()
        return True

    # ----------------------------------------------------------------------------------------------------- port
    def step_port(self) -> None:
        self.stores = [entry for entry in self.stores if not 0 <= entry[1] <= self.now]
        self.forward_request()
        for entry in self.stores:
            if entry[1] < 0 and self.port <= self.now and entry[0] in self.commits:
                self.port = entry[1] = self.now + self.store

    def forward_request(self) -> None:
        """Send the request on to the cache, to the store buffer's value, or let it wait."""
        number = self.request
        if number is None or len(self.transfers) >= self.core.transfers:
            return
        it = self.program[number]
        if it.store is None:
            assert it.load is not None
            if any(self.program[other].store is not None for other in self.transfers):
                return
            mine = range(it.load, it.load + it.size)
            for entry in reversed(self.stores):
                other = self.program[entry[0]]
                assert other.store is not None
                theirs = range(other.store, other.store + other.size)
                if mine[0] in theirs and mine[-1] in theirs:
                    self.answers[number] = self.now
                    break
                if set(mine) & set(theirs):
                    return
            else:
                if self.port > self.now:
                    return
                self.port = self.answers[number] = self.now + self.load
        self.request = None
        self.transfers.append(number)


def step(program: list[I], core: Core, load: int, store: int, line: int) -> tuple[list[int], list[int]]:
    """Issue and commit cycles of a program."""
    stepper = Stepper(program, core, load, store, line)
    stepper.run()
    order = range(len(program))
    return [stepper.issues[n] for n in order], [stepper.commits[n] for n in order]


OPS = (Op.INT, Op.MUL, Op.DIV, Op.FP_ADD)
