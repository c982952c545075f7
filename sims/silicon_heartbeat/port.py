"""Real chips: the same boards through driver and capture store, one port a chip."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from hwmodel.errors import DeviceError, DeviceTimeoutError, SpecError
from hwmodel.reservoir.capture import Check, Event, EventStore, Labeller, true_difficulty
from hwmodel.reservoir.chips import BM1366
from hwmodel.reservoir.driver import ChainDriver, Result, VoltageRail
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.tasks import Reservoir

from . import use
from .boards import Board, Capture, SetPoint, _mhz, jobs_of, keys, numbered, places
from .plan import Plan

PLAN_KEY = "plan_sha256"
RAIL_S = 5.0
POLL_S = 0.1
SETTLE_ID = 120  # so that a late result is not taken for one of the first job to come
RAMP_S = 0.1  # between two steps of the clock, as firmware does


def open_store(path: Path, plan: Plan) -> EventStore:
    """Open the events of a plan; a file that was begun under another plan is refused.

    Raises:
        SpecError: the plan was changed after the first event.
        OutputError: no such folder, or another kind of file.
    """
    store = EventStore(path, {PLAN_KEY: plan.digest})
    under = store.meta.get(PLAN_KEY)
    if under != plan.digest:
        store.close()
        raise SpecError(
            f"{path.name}: its events were taken under the plan {under or 'of nobody'}, this one is {plan.digest}; a plan "
            "is not changed after data: take the old one, or a new file"
        )
    return store


class PortBoard:
    """A chip behind a serial port, with a rail that sets and measures its voltage.

    Voltage and clock stay within the limits of the chip's table: what the plan asks beyond them is cut to them, and the
    set point says so.
    """

    def __init__(
        self, plan: Plan, driver: ChainDriver, rail: VoltageRail, store: EventStore, check: Check, baud: int,
        pause: Callable[[float], None] = time.sleep, ramp_s: float = RAMP_S,
    ) -> None:  # fmt: skip
        self.plan, self.baud = plan, baud
        self._driver, self._rail, self._store, self._check, self._pause = driver, rail, store, check, pause
        self._asked = plan["setpoints"]["voltage"], plan["setpoints"]["frequency_mhz"] * 1e6
        self._settled, self._ramp = 0, ramp_s
        clock = _mhz(plan["setpoints"]["frequency_mhz"])
        driver.bring_up(1, frequency=clock, difficulty=1, baud=baud, ramp_seconds=ramp_s)

    def set(self, volts: float, megahertz: float, settle_s: float) -> SetPoint:
        """Set voltage and clock within the chip's limits, wait while it hashes, and measure."""
        spec = self._driver.spec
        volts = min(max(volts, spec.voltage_low.value * 1e-3), spec.voltage_high.value * 1e-3)
        megahertz = min(max(megahertz, spec.frequency_low.value), spec.frequency_high.value)
        spec.check_setting("voltage", volts)
        self._rail.set(volts)
        reached = self._driver.set_frequency(_mhz(megahertz), ramp_seconds=self._ramp)
        # The PLL makes a grid of clocks; what it was told is what must read back, and the driver has seen to that.
        self._asked = volts, float(reached.hz)
        end = time.monotonic() + RAIL_S
        while (
            abs(self._rail.read() - volts) * 1e3 > self.plan["gates"]["voltage_mv"] and time.monotonic() < end
        ):
            self._pause(POLL_S)
        if settle_s > 0:
            self._settled += 1
            job = jobs_of(f"settle/{self.plan.seed}/{self._settled}", 1)[0]
            self._driver.send(replace(job, job_id=SETTLE_ID))
            self._listen(settle_s, None, {}, [])
        return self._measured()

    def _measured(self) -> SetPoint:
        setup = self._driver.setup
        assert setup is not None
        return SetPoint(
            self._asked[0],
            self._rail.read(),
            self._asked[1],
            float(setup.frequency.hz),
            self._rail.temperature(),
        )

    def capture(self, jobs: Sequence[Job], job_s: float) -> Capture:
        """Give jobs one after the other; every result is stamped, hashed again, labelled and kept at once."""
        before = self._errors()
        labeller = Labeller(1.0, self._check, self._store.seen)
        rows: list[tuple[int, Event]] = []
        starts: list[int] = []
        runs: dict[int, int] = {}
        begin = self._driver.now()
        for number, job in enumerate(numbered(jobs)):
            at = self._driver.now()
            self._store.append_job(at, job)
            labeller.sent(at, job)
            runs[job.job_id] = number
            starts.append(at)
            self._driver.send(job)
            self._listen(job_s, labeller, runs, rows)
        after = self._errors()
        seconds = (self._driver.now() - begin) * 1e-6
        events = [event for _, event in rows]
        nonces = np.array([e.nonce for e in events], np.uint32)
        versions = np.array([e.version for e in events], np.uint32)
        return Capture(
            self._measured(), np.array([e.t_us for e in events], np.int64), np.array([n for n, _ in rows], np.int64),
            places(nonces, versions), np.array([e.label != "invalid" for e in events], np.bool_), keys(nonces, versions),
            np.array(starts, np.int64), seconds, job_s, (after[0] - before[0], after[1] - before[1]),
            self._store.meta[PLAN_KEY],
        )  # fmt: skip

    def _errors(self) -> tuple[int, int]:
        return self._driver.read(0x4C)[0], self._driver.read(0x8C)[0]

    def _listen(
        self,
        seconds: float,
        labeller: Labeller | None,
        runs: Mapping[int, int],
        rows: list[tuple[int, Event]],
    ) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                results = self._driver.receive(min(POLL_S, left))
            except DeviceTimeoutError:
                continue
            if labeller is not None:
                self._keep(results, labeller, runs, rows)

    def _keep(
        self,
        results: Sequence[Result],
        labeller: Labeller,
        runs: Mapping[int, int],
        rows: list[tuple[int, Event]],
    ) -> None:
        events = [labeller.label(r.t_us, r.chip, r.job_id, r.nonce, r.version_bits) for r in results]
        self._store.append(events)
        rows += [(runs[event.job], event) for event in events if event.job in runs]


@dataclass
class Ports:
    """One port and one rail a chip."""

    plan: Plan
    drivers: Sequence[ChainDriver]
    rails: Sequence[VoltageRail]
    store: EventStore
    check: Check

    def __post_init__(self) -> None:
        wanted = self.plan.table["chips"]
        if len(self.drivers) != wanted or len(self.rails) != wanted:
            raise SpecError(
                f"{len(self.drivers)} ports and {len(self.rails)} rails, the plan has {wanted} chips; name one of each a "
                "chip, with commas between"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for driver in self.drivers:
            try:
                if driver.setup is not None:
                    driver.halt()
            except DeviceError:
                pass  # the port is gone, and with it what could be halted
            driver.close()
        self.store.close()

    def board(self, chip: int, session: int, registers: bool) -> Board:
        """The chip, brought up anew; the session chooses the baud rate."""
        bauds = self.plan["capture"]["baud"]
        baud = int(bauds[session % len(bauds)])
        return PortBoard(self.plan, self.drivers[chip], self.rails[chip], self.store, self.check, baud)

    def reservoirs(self, plan: Plan, volts: Mapping[int, float]) -> tuple[list[Reservoir], Reservoir | None]:
        """Every chip at its voltage as a reservoir, and the ideal emulated one."""
        chips: list[Reservoir] = [
            use.BoardReservoir(self.board(chip, 0, True), plan, v) for chip, v in sorted(volts.items())
        ]
        return chips, use.emulated(plan, None, plan["setpoints"]["voltage"], "none")


def open_ports(plan: Plan, ports: str, rails: str, store: Path, drawn: int) -> Ports:
    """Open ports and rails that are named with commas between.

    Raises:
        SpecError: not one port and one rail a chip, or events of another plan.
        DeviceError: a port cannot be opened.
    """
    from hwmodel.reservoir.driver import AxeOsRail
    from hwmodel.reservoir.emulator import oracle_for

    names, addresses = ([part.strip() for part in text.split(",") if part.strip()] for text in (ports, rails))
    wanted = plan.table["chips"]
    if len(names) != wanted or len(addresses) != wanted:
        raise SpecError(
            f"port={ports!r}, rail={rails!r}: the plan has {wanted} chips; name one port and one rail a chip, with commas "
            "between"
        )
    check = oracle_for(32, drawn).check if drawn >= 0 else true_difficulty
    events = open_store(store, plan)
    found = [AxeOsRail(address) for address in addresses]
    drivers = [ChainDriver(name, BM1366, rail=rail) for name, rail in zip(names, found, strict=True)]
    return Ports(plan, drivers, found, events, check)
