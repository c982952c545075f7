"""The commands `hwmodel reservoir chip` and `hwmodel reservoir capture`: emulated chips, and the results of any.

Nothing heavy is imported before a command runs: `hwmodel --help` reads this module.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from hwmodel._arguments import FAILED, USAGE, whole
from hwmodel._reservoir import reservoir_app
from hwmodel.errors import HwmodelError, OutputError, SpecError, UnknownNameError

if TYPE_CHECKING:
    from hwmodel.reservoir.capture import EventStore, Summary
    from hwmodel.reservoir.driver import ChainDriver, VoltageRail
    from hwmodel.reservoir.emulator import EmulatedChain, PtyChip, TcpChip

__all__ = ["reservoir_app"]

INTERRUPTED = 130
REDRAW_S, LOOK_S = 0.2, 0.2
REAL_ZERO_BITS = 32

Model = Literal["BM1366", "BM1370"]


Whole = Annotated[int, Parameter(converter=whole)]


def _guarded(work: Callable[[], int]) -> int:
    """Run the work; its errors, and Ctrl-C, become messages and exit codes."""
    try:
        return work()
    except KeyboardInterrupt:
        print("hwmodel: interrupted; what was captured is kept", file=sys.stderr)
        return INTERRUPTED
    except (UnknownNameError, OutputError, SpecError) as error:
        print(f"hwmodel: {error}", file=sys.stderr)
        return USAGE
    except HwmodelError as error:
        print(f"hwmodel: {error}", file=sys.stderr)
        return FAILED


@contextlib.contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Show one line that is drawn anew, where a person watches."""
    watched = sys.stderr.isatty()
    due = time.monotonic()

    def show(line: str) -> None:
        nonlocal due
        if watched and (now := time.monotonic()) >= due:
            due = now + REDRAW_S
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if watched:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@reservoir_app.command(name="chip")
def chip_command(
    *,
    pty: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    tcp: Annotated[int | None, Parameter(converter=whole)] = None,
    host: str = "127.0.0.1",
    model: Model = "BM1366",
    chips: Whole = 1,
    zero_bits: Whole = 12,
    seed: Whole = 0,
    frequency: str | None = None,
    drop: float = 0.0,
    double: float = 0.0,
    corrupt: float = 0.0,
    late: float = 0.0,
    vanish_after: Annotated[int | None, Parameter(converter=whole)] = None,
    seconds: float | None = None,
) -> int:
    """Emulate hashing chips that drivers and firmware tools can talk to; the address is printed, Ctrl-C ends it.

    Parameters
    ----------
    pty
        On a pseudo-terminal, which is opened like a serial port.
    tcp
        On this TCP port, 0 for any: the bytes of the UART as they are.
    host
        Address to listen at. Whoever reaches it can talk to the chips.
    model
        BM1366 or BM1370.
    chips
        Chips in the chain.
    zero_bits
        Zero bits of a result of difficulty 1. Below 24 every header is hashed by small, slow chips, and results
        hash again; from 24 on the chips have full size and speed, and their hits are drawn.
    seed
        Seed of hits that are drawn, and of the faults.
    frequency
        Hash clock before the host sets one, such as "485 MHz".
    drop, double, corrupt, late
        Probability that a byte is lost, comes twice, has a bit changed, or comes 50 ms late.
    vanish_after
        Frames after which the first chip is gone, and with it all behind it.
    seconds
        When to end; by default never.
    """
    if pty == (tcp is not None):
        print("hwmodel: reservoir chip: give either --pty or --tcp PORT", file=sys.stderr)
        return USAGE
    if seconds is not None and not seconds >= 0:
        print(f"hwmodel: reservoir chip: --seconds {seconds}: give 0 or more", file=sys.stderr)
        return USAGE
    faults = {"drop": drop, "double": double, "corrupt": corrupt, "late": late, "vanish_after": vanish_after}
    chain = {"name": model, "chips": chips, "zero_bits": zero_bits, "seed": seed, "frequency": frequency}
    return _guarded(lambda: _emulate(chain, {**faults, "seed": seed}, tcp, host, seconds))


def _emulate(
    chain_of: dict[str, Any], faults: dict[str, Any], tcp: int | None, host: str, seconds: float | None
) -> int:
    from hwmodel.reservoir.emulator import Faults, PtyChip, TcpChip, emulated_chain

    chain = emulated_chain(**chain_of, faults=Faults(**faults))
    board: PtyChip | TcpChip = PtyChip(chain) if tcp is None else TcpChip(chain, tcp, host)
    with board:
        print(board.url, flush=True)
        code = _watch(board, seconds)
    print(_emulated(chain))
    return code


def _watch(board: PtyChip | TcpChip, seconds: float | None) -> int:
    """Show what the chips do until the time is over, or Ctrl-C."""
    begin = time.monotonic()
    try:
        with _status() as show:
            while seconds is None or time.monotonic() - begin < seconds:
                if board.error is not None:
                    break
                show(f"{board.url}: {board.call(lambda chain, t: _emulated(chain))}")
                time.sleep(
                    LOOK_S if seconds is None else min(LOOK_S, max(0.0, begin + seconds - time.monotonic()))
                )
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _emulated(chain: EmulatedChain) -> str:
    lost = f", {chain.lost} lost for want of room" if chain.lost else ""
    gone = f", {chain.chips - chain.present} chips gone" if chain.present < chain.chips else ""
    return f"{chain.results} results, {chain.sent} frames sent{lost}{gone}, {chain.dropped} bytes of the host dropped"


@dataclass(frozen=True, kw_only=True)
class Capture:
    """What is to be captured, as the command line says it.

    Parameters
    ----------
    port
        A serial port, the path of an emulated chip, or socket://HOST:PORT.
    out
        SQLite file; added to where it is there, with jobs that were not sent yet. Model, mask, zero bits and drawn must
        be the same.
    model
        BM1366 or BM1370. Its table limits frequency, voltage and temperature.
    seconds
        When to end; by default at Ctrl-C.
    events
        Number of results after which to end.
    chips
        How many must answer; by default those that do.
    frequency
        Hash clock, such as "485 MHz"; by default that of the chip.
    voltage
        Core voltage in V; needs --axeos.
    axeos
        Address of a board with AxeOS, which sets the voltage and measures the temperature.
    mask
        Difficulty of the ticket mask; 1 reports everything.
    baud
        To go over to after the bring-up.
    interval
        Seconds between two jobs.
    ramp
        Seconds between two steps of the clock's ramp.
    seed
        Seed of the headers.
    zero_bits
        Zero bits of difficulty 1: 32, or that of an emulated chip.
    drawn
        Seed of an emulated chip whose hits are drawn; they do not hash again in earnest.
    """

    port: str
    out: Path
    model: Model = "BM1366"
    seconds: float | None = None
    events: Annotated[int | None, Parameter(converter=whole)] = None
    chips: Annotated[int | None, Parameter(converter=whole)] = None
    frequency: str | None = None
    voltage: float | None = None
    axeos: str | None = None
    mask: Whole = 1
    baud: Whole = 1_000_000
    interval: float = 2.0
    ramp: float = 0.1
    seed: Whole = 0
    zero_bits: Whole = REAL_ZERO_BITS
    drawn: Annotated[int | None, Parameter(converter=whole)] = None


@reservoir_app.command(name="capture")
def capture_command(*, what: Annotated[Capture, Parameter(name="*")]) -> int:
    """Bring chips up, give them jobs with random headers, keep every result, and halt them at the end.

    Ctrl-C is such an end: the file is whole.
    """
    return _guarded(lambda: _capture(what))


def _capture(what: Capture) -> int:
    from hwmodel.reservoir.capture import EventStore, check_record, random_jobs, record, true_difficulty
    from hwmodel.reservoir.chips import chip
    from hwmodel.reservoir.driver import AxeOsRail, ChainDriver
    from hwmodel.reservoir.emulator import oracle_for

    if what.voltage is not None and what.axeos is None:
        raise SpecError(
            "hwmodel reservoir capture --voltage: the wire sets no voltage; name the board, --axeos http://..."
        )
    check_record(what.seconds, what.events, what.interval, 60.0)
    rail: VoltageRail | None = None if what.axeos is None else AxeOsRail(what.axeos)
    real = what.zero_bits == REAL_ZERO_BITS and what.drawn is None
    check = true_difficulty if real else oracle_for(what.zero_bits, what.drawn or 0).check
    meta = {
        name: str(getattr(what, name)) for name in ("port", "model", "zero_bits", "drawn", "seed", "mask")
    }
    with EventStore(what.out) as store, ChainDriver(what.port, chip(what.model), rail=rail) as driver:
        _same_kind(store, meta)
        jobs = itertools.islice(random_jobs(what.seed), store.count_jobs(), None)
        setup = driver.bring_up(
            what.chips, frequency=what.frequency, voltage=what.voltage, difficulty=what.mask, baud=what.baud,
            ramp_seconds=what.ramp,
        )  # fmt: skip
        store.note(meta)  # only now: an attempt that failed leaves a file for any settings
        with _captured(driver, what.out) as (summary, show):
            at = f"{float(setup.frequency.hz) / 1e6:g} MHz, mask {setup.difficulty}, {setup.baud} baud"
            print(f"{setup.chips} x {what.model} at {at}", flush=True)
            record(
                driver, store, jobs=jobs, seconds=what.seconds, events=what.events,
                interval=what.interval, check=check, progress=show, summary=summary,
            )  # fmt: skip
    return 0


def _same_kind(store: EventStore, asked: dict[str, str]) -> None:
    """Refuse to add results whose difficulty means something else than that of those in the file."""
    held = store.meta
    for name in ("model", "zero_bits", "drawn", "mask"):
        if held.get(name, asked[name]) != asked[name]:
            raise SpecError(
                f"{store.path}: it was captured with {name} {held[name]}, not {asked[name]}; give another --out"
            )


@contextlib.contextmanager
def _captured(driver: ChainDriver, out: Path) -> Iterator[tuple[Summary, Callable[[Summary], None]]]:
    """Show how a capture goes on; halt the chips and say what it has, however it ends."""
    from hwmodel.reservoir.capture import Summary

    summary = Summary()
    try:
        with _status() as show:
            yield summary, lambda done: show(done.line())
    finally:
        with contextlib.suppress(HwmodelError):  # the port is gone, and with it what could be halted
            driver.halt()  # nobody watches the temperature any more
        print(f"{out}: {summary.line()}; {driver.dropped} bytes dropped, {driver.damaged} frames damaged")
