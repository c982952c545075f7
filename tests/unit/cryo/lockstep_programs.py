"""Small machines, handmade programs and systems of one core, for the tests of cores in lock-step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import hwmodel as hw
from hwmodel.cryo.config import Machine, cryo_inorder, cryo_ooo
from hwmodel.cryo.engine import Doorbell, Mailbox, TracedCore
from hwmodel.cryo.presets import champsim
from hwmodel.cryo.timing import Timing, simulate
from hwmodel.cryo.trace import TAKEN, Branch, Op, Trace, TraceWriter
from hwmodel.kernel import BuildContext, Inbox, Outbox, Recorder
from hwmodel.units import GHz, fs, kB, ns, ps, us

INBOX, PANEL, BELL, LAMP, HEAP = 0x1000_0000, 0x1000_1000, 0x1000_2000, 0x1000_3000, 0x8000_0000

KINDS = ["ooo", "inorder", "champsim"]
CYCLE = ps(250)
LATENCY = ns(5)
LATE = us(2)


def small(kind: str = "ooo", clock: Any = None) -> Machine:
    """The reference's machine with caches of 4 and 16 kB, and pages where the program put them; or ChampSim's."""
    if kind == "champsim":
        return champsim(clock or GHz(4))
    machine = {"ooo": cryo_ooo, "inorder": cryo_inorder}[kind](clock or GHz(4))
    assert machine.l2 is not None
    return replace(
        machine,
        l1d=replace(machine.l1d, size=kB(4)),
        l1i=replace(machine.l1i, size=kB(4)),
        l2=replace(machine.l2, size=kB(16)),
        l3=None,
        first_touch=False,
    )


def load(address: int, target: int = 5, **more: Any) -> tuple[dict[str, Any], list[int]]:
    """A load of eight bytes into a register."""
    return {"loads": 1, "load_size": 8, "destinations": [target], **more}, [address]


def store(address: int, source: int = 5, **more: Any) -> tuple[dict[str, Any], list[int]]:
    """A store of eight bytes from a register."""
    return {"stores": 1, "store_size": 8, "sources": [source], **more}, [address]


def work(count: int = 1, op: Op = Op.INT) -> list[tuple[dict[str, Any], list[int]]]:
    """Instructions each of which waits for the one before."""
    return [({"op": op, "sources": [6], "destinations": [6]}, []) for _ in range(count)]


def branch(taken: bool) -> tuple[dict[str, Any], list[int]]:
    """A conditional branch that jumps to what follows it anyway."""
    return {"branch": Branch.CONDITIONAL, "sources": [5], "taken": taken}, []


def write(path: Any, *instructions: Any, loop: int = 0, **meta: Any) -> Any:
    """Write a program: four bytes an instruction, one after the other; `loop` is after how many it starts over."""
    with TraceWriter(path, {"source": "a test", "has_pc": True, **meta}) as writer:
        ids, addresses = [], []
        for n, (fields, operands) in enumerate(instructions):
            fields = dict(fields)
            bit = TAKEN if fields.pop("taken", False) else 0
            place = n % loop if loop else n
            ids.append(writer.static(pc=0x40_0000 + 4 * place, size=4, **fields) | bit)
            addresses += operands
        writer.write(ids, addresses)
    return path


def timing_of(path: Path, machine: Any) -> Timing:
    with Trace.open(path) as trace:
        return simulate(trace, machine)


def quiet(core: TracedCore) -> hw.System:
    """A system of one core to which no messages come."""
    system = hw.System(core)
    for port in core.ports.values():
        if port.direction == "in":
            system.drive(port, at=ns([]), values=[])
    return system


def core_of(
    path: Path, kind: str = "ooo", mode: Any = "blocking", name: str = "core", **more: Any
) -> TracedCore:
    mailboxes = {"inbox": Mailbox(INBOX, LATENCY, mode=mode)}
    doorbells = {"bell": Doorbell(BELL, value=lambda store: store.received.get("inbox", -1))}
    return TracedCore(name, path, small(kind), **{"mailboxes": mailboxes, "doorbells": doorbells, **more})


def echo(path: Path, kind: str, at: Any, mode: str = "blocking", latency: Any = LATENCY) -> hw.Result:
    """Run a load from the mailbox and a store to the doorbell, with messages 1, 2, ... at the given times."""
    program = write(path / "echo.hwt", *work(40), load(INBOX), store(BELL), *work(5))
    core = core_of(program, kind, mailboxes={"inbox": Mailbox(INBOX, latency, mode=mode)})  # type: ignore[arg-type]
    system = hw.System(core)
    system.drive("inbox", at=fs(at), values=list(range(1, len(at) + 1)))
    return system.run(until=us(10), watch=["bell", "stall", "inbox", "done"])


def beginning(path: Path, kind: str) -> int:
    """When the load of `echo` begins: a late message tells for how long it waited."""
    late = echo(path, kind, [int(LATE)])
    return int(LATE) - int(late.stats["core.inbox.stalled_fs"])


def engine_of(core: TracedCore) -> tuple[Any, BuildContext]:
    """An engine by itself, with all outputs linked."""
    ports_in = tuple(p.name for p in core.ports.values() if p.direction == "in")
    ports_out = tuple(p.name for p in core.ports.values() if p.direction == "out")
    context = BuildContext(
        "core",
        0,
        (),
        ports_in,
        ports_out,
        Inbox("core"),
        Outbox("core"),
        Recorder("core"),
        None,
        frozenset(ports_out),
    )
    return core.build(context), context
