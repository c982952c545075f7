"""A memory controller in plain Python: requests as objects, an event at a time, nothing looked ahead."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import SimpleNamespace

from hwmodel.cryo.config import Dram

SWITCH = 16


@dataclass
class Request:
    time: int
    write: bool
    line: int
    bank: int
    rank: int
    row: int
    ready: int = -1


@dataclass
class Bank:
    row: int | None = None
    column: int = 0
    precharge: int = 0
    active: int = 0
    hits: int = 0


@dataclass
class Rank:
    column: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    active: int = 0
    last: list[int] = field(default_factory=list)


class Controller:
    """Takes requests in the order of their times, and gives each its `ready` when it is served."""

    def __init__(self, part: Dram) -> None:
        self.part = SimpleNamespace(
            **{f.name: int(getattr(part, f.name)) for f in fields(part) if f.name != "name"}
        )
        self.banks = [Bank() for _ in range(part.banks)]
        self.ranks = [Rank() for _ in range(part.ranks)]
        self.queue: list[Request] = []
        self.bus = 0  # when the next command may be given
        self.writing = self.turning = False
        self.served = 0
        self.epoch = 0

    def request(self, time: int, write: bool, line: int) -> Request:
        part = self.part
        bank = line // (part.row // 64) % part.banks
        return Request(
            time, write, line, bank, bank // (part.banks // part.ranks), line // (part.row // 64 * part.banks)
        )

    def run(self, requests: list[Request]) -> None:
        """Serve all reads; writes are served as far as they get their turn."""
        coming = sorted(requests, key=lambda r: r.time)
        now = 0
        while coming or any(not r.write for r in self.queue):
            while coming and coming[0].time <= now:
                self.queue.append(coming.pop(0))
            if self.step(now):
                now = max(now, self.bus - self.part.rp - self.part.rcd)
            elif coming:
                now = max(now, coming[0].time)

    def waiting(self, write: bool) -> list[Request]:
        return [r for r in self.queue if r.write == write]

    def step(self, now: int) -> bool:
        """Decide once; say whether there was something to do."""
        part = self.part
        if part.refi and now // part.refi > 0:
            if now // part.refi != self.epoch:
                self.epoch = now // part.refi
                for bank in self.banks:
                    bank.row = None
            now = max(now, self.epoch * part.refi + part.rfc)
        turned = self.turning != self.writing
        if turned:
            self.writing, self.served = self.turning, 0
        if self.writing:
            self.serve(now, True, turned)
            left = len(self.waiting(True))
            if left == 0 or left + SWITCH < part.low or (self.served >= SWITCH and self.waiting(False)):
                self.turning = False
            return True
        if self.waiting(False):
            self.serve(now, False, turned)
            if len(self.waiting(True)) > part.high and (self.served >= SWITCH or not self.waiting(False)):
                self.turning = True
            return True
        if len(self.waiting(True)) > part.low:
            self.turning = True
            return True
        return False

    def serve(self, now: int, write: bool, turned: bool) -> None:
        part = self.part
        to_read, to_write = part.wtr, part.turn - part.wtr
        soonest = max(now, self.bus + (min(part.cs, to_write if write else to_read) if turned else 0))
        chosen = self.choose(self.waiting(write), now, soonest)
        bank, rank = self.banks[chosen.bank], self.ranks[chosen.rank]
        if bank.row != chosen.row:
            self.open(bank, rank, chosen.row, now)
        command = max(bank.column, rank.column[write], self.bus, now)
        chosen.ready = command + (part.cwl if write else part.cl) + part.burst
        for other in self.ranks:
            delays = {False: part.cs, True: part.cs}
            if other is rank:
                delays = {False: to_read if write else 0, True: 0 if write else to_write}
            for kind, delay in delays.items():
                other.column[kind] = max(other.column[kind], command + part.burst + delay)
        bank.precharge = max(bank.precharge, chosen.ready + part.wr if write else command + part.rtp)
        bank.hits += 1
        self.bus = command + part.burst
        self.served += 1
        self.queue.remove(chosen)
        rivals = [r for r in self.waiting(write) if r.bank == chosen.bank]
        wanted = rivals and all(r.row != chosen.row for r in rivals)
        if wanted or (part.max_row and bank.hits >= part.max_row):
            bank.row = None
            bank.active = max(bank.active, max(bank.precharge, now) + part.rp)

    def open(self, bank: Bank, rank: Rank, row: int, now: int) -> None:
        part = self.part
        if bank.row is not None:
            bank.active = max(bank.active, max(bank.precharge, now) + part.rp)
        active = max(bank.active, rank.active, now)
        bank.row, bank.hits = row, 0
        bank.precharge, bank.column = active + part.ras, active + part.rcd
        rank.last = [*rank.last[-3:], active]
        rank.active = active + part.rrd
        if len(rank.last) == 4:
            rank.active = max(rank.active, rank.last[0] + part.faw)

    def choose(self, queue: list[Request], now: int, soonest: int) -> Request:
        part = self.part

        def column(r: Request) -> int:
            return max(self.banks[r.bank].column, self.ranks[r.rank].column[r.write])

        def activation(r: Request) -> int:
            bank = self.banks[r.bank]
            if bank.row is None:
                return max(bank.active, self.ranks[r.rank].active, now)
            return max(bank.precharge, now) + part.rp

        def in_time(r: Request) -> bool:
            return max(column(r), activation(r) + part.rcd) <= soonest

        hits = [r for r in queue if self.banks[r.bank].row == r.row]
        for r in hits:
            if column(r) <= soonest:
                return r
        others = [r for r in queue if r not in hits]
        if any(in_time(r) for r in queue):
            best, hidden = [r for r in others if in_time(r)], True
        else:
            first = min(activation(r) for r in queue)
            best = [r for r in others if activation(r) == first]
            hidden = first <= max(soonest - part.rcd, now)
        if best and (hidden or not hits):
            return best[0]
        return hits[0]
